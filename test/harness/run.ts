/*
 * test/harness/run.ts: runs one scenario on one side and gathers what was seen.
 * Walk: runScenario -> start, setup, mark, steps, finish -> Seen (normalised, ready to record and compare).
 */

import { buildFrames } from './frames.ts';
import { Normaliser } from './normalise.ts';
import type { Scenario, SocketOp, Step } from './scenario.ts';

export interface Output {
	stdout: string;
	stderr: string;
	status: number;
}

export interface Frame {
	from: string;
	to: string[];
	bytes: Uint8Array;
}

/** What a side saw between mark() and finish(). */
export interface Observation {
	frames: Frame[];
	drops: { reason: string; at: string }[];
	counters: Record<string, Record<string, number>>;
	log: string[];
}

/** A side that a scenario runs on: real Linux, or linnet. Every call returns when the wires are quiet again. */
export interface Side {
	start(s: Scenario): Promise<void>;
	run(host: string, script: string, timeout: number): Promise<Output>;
	background(host: string, script: string, as: string, until?: string): Promise<void>;
	join(as: string, signal: string | undefined, timeout: number): Promise<Output>;
	send(from: string, frames: Uint8Array[], burst: boolean): Promise<void>;
	/** Does something with a socket of the scenario's own; what came of it is the stdout. */
	socket(host: string, op: SocketOp): Promise<Output>;
	wait(seconds: number): Promise<void>;
	/** The steps begin: frames, drops and counters from here on are compared. */
	mark(): Promise<void>;
	finish(): Promise<Observation>;
	close(): Promise<void>;
}

/** The side itself failed, or a setup line did: the scenario could not run. */
export class SideError extends Error {}

/** What one side showed, normalised: the content of a recording. */
export interface Seen {
	steps: SeenStep[];
	/** By link, in order: "a:eth0 > b:eth0 HEX". Compared direction by direction, as a cable is full duplex. */
	frames: Record<string, string[]>;
	drops: Record<string, number>;
	/** Where the drops happened: for people, not compared. */
	droppedAt: Record<string, number>;
	counters: Record<string, Record<string, number>>;
	log?: string[];
}

export interface SeenStep {
	step: string;
	stdout?: string;
	stderr?: string;
	status?: number;
}

/** What a program had not read when it closed its socket: a matter of its timing, not of the kernel's decisions. */
const UNREAD = ['QUEUE_PURGE', 'SOCKET_CLOSE'];

/**
 * Where pieces of a reassembled packet go with it (it was counted already), where the stand-in packet that `ip route get` asks about goes,
 * and where a UDP socket that is closed lets go of what was not read.
 */
const NO_DROPS = ['skb_release_data', 'inet_rtm_getroute', 'udp_destruct_common'];

export async function runScenario(s: Scenario, side: Side): Promise<Seen> {
	const n = new Normaliser(s);
	const outputs: SeenStep[] = [];
	await side.start(s);
	for (const step of s.setup) {
		const out = await runStep(s, step, side, n);
		if (out && out.status !== 0)
			throw new SideError(
				`line ${step.line}: setup failed with status ${out.status}: ${step.label}\n${out.stdout}${out.stderr}`.trimEnd(),
			);
	}
	await side.mark();
	for (const step of s.steps) {
		const out = await runStep(s, step, side, n);
		const seen: SeenStep = { step: step.label };
		if (out && s.compare.includes('output') && 'ignore' in step) {
			const text = (t: string) => {
				const clean = n.text(t);
				return step.ignore.includes('ordering') ? sortLines(clean) : clean;
			};
			if (!step.ignore.includes('stdout')) seen.stdout = text(out.stdout);
			if (!step.ignore.includes('stderr')) seen.stderr = text(out.stderr);
			if (!step.ignore.includes('status')) seen.status = out.status;
		}
		outputs.push(seen);
	}
	const o = await side.finish();
	const frames: Record<string, string[]> = {};
	for (const link of s.links) {
		const crossed = o.frames.filter((f) => link.ends.includes(f.from));
		// Stand-ins are given direction by direction: which of two directions is ahead must not change them.
		const clean = new Map<Frame, Uint8Array>();
		for (const end of link.ends) for (const f of crossed) if (f.from === end) clean.set(f, n.frame(f.bytes));
		frames[link.name] = crossed.map(
			(f) => `${f.from} > ${f.to.join(',') || '-'} ${Buffer.from(clean.get(f)!).toString('hex')}`,
		);
	}
	const drops = o.drops.filter((d) => !UNREAD.includes(d.reason) && !NO_DROPS.includes(d.at));
	const count = (list: string[]) => {
		const found: Record<string, number> = {};
		for (const key of list.sort()) found[key] = (found[key] ?? 0) + 1;
		return found;
	};
	const seen: Seen = {
		steps: outputs,
		frames,
		drops: count(drops.map((d) => d.reason)),
		droppedAt: count(drops.map((d) => `${d.reason} ${d.at}`)),
		counters: o.counters,
	};
	if (s.log !== undefined) seen.log = o.log.filter((l) => l.includes(s.log!)).map((l) => n.text(l));
	return seen;
}

async function runStep(s: Scenario, step: Step, side: Side, n: Normaliser): Promise<Output | null> {
	try {
		switch (step.kind) {
			case 'run':
				return await side.run(step.host, step.script, step.timeout);
			case 'background':
				await side.background(step.host, step.script, step.as, step.until);
				return null;
			case 'join':
				return await side.join(step.as, step.signal, step.timeout);
			case 'send': {
				const frames = buildFrames(s, step);
				for (const f of frames) n.literal(f);
				await side.send(step.from, frames, step.burst);
				return null;
			}
			case 'socket':
				return await side.socket(step.host, step.op);
			case 'wait':
				await side.wait(step.seconds);
				return null;
		}
	} catch (e) {
		if (e instanceof SideError) throw new SideError(`line ${step.line}: ${step.label}: ${e.message}`);
		throw e;
	}
}

function sortLines(text: string): string {
	const lines = text.split('\n');
	const last = lines.pop();
	return [...lines.sort(), last].join('\n');
}
