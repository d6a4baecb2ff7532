/*
 * lab/index.ts: what `import … from 'linnet'` gives.
 */

export type { JourneyAction, JourneyStep, PacketJourney, RuleRef } from '../trace/explain.ts';
export { actionLine, configLine, reasonLine, render, wholeWay } from '../trace/render.ts';
export { type Drop, Host, type HostOptions, Nic, type NicOptions } from './host.ts';
export { Link, type LinkOptions, type SeenFrame, Switch } from './link.ts';
export { Job, type ShellOptions, type ShellResult } from './shell.ts';
export { type Duration, durationNs, type Guest, World, type WorldOptions } from './world.ts';
