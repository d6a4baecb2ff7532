/*
 * trace/render.ts: a journey as text: numbered steps, one line each, and at the end what was done and why.
 */
import type { JourneyStep, PacketJourney } from './explain.ts';
import { ruleName } from './explain.ts';

/** Paints text; the identity where there is no colour. */
export interface Palette {
	bold: (s: string) => string;
	dim: (s: string) => string;
	red: (s: string) => string;
	green: (s: string) => string;
	yellow: (s: string) => string;
	cyan: (s: string) => string;
}

const plain = (s: string): string => s;
export const noColour: Palette = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain };

export interface RenderOptions {
	/** Every function passed, every rule that did not match. */
	detailed?: boolean;
	colour?: Palette;
}

const MARGIN = 10;

function stepLines(s: JourneyStep, n: number, o: Required<RenderOptions>): string[] {
	const c = o.colour;
	const lines: string[] = [];
	if (o.detailed) for (const d of s.detail) lines.push(c.dim(`       · ${d}`));
	const phase = s.phase.padEnd(MARGIN);
	const text = s.phase === 'drop' ? c.red(s.text) : s.decision ? s.text : c.dim(s.text);
	lines.push(`  ${String(n).padStart(3)}  ${c.cyan(phase)}  ${text}`);
	if (s.changes.length > 0 && s.phase !== 'nat' && s.phase !== 'forward')
		lines.push(c.dim(`       ${''.padEnd(MARGIN)}  ${s.changes.join(', ')}`));
	if (o.detailed) lines.push(c.dim(`       ${''.padEnd(MARGIN)}  ${s.fn}()  t=${(s.time / 1e9).toFixed(9)}`));
	return lines;
}

/** What was done, in the words that begin the last lines. */
export function actionLine(j: PacketJourney): string {
	switch (j.action) {
		case 'forward':
		case 'send':
			return `${j.action}${j.out === undefined ? '' : ` out ${j.out.dev}: ${j.out.packet}`}`;
		case 'drop': {
			const told = j.caused.find((c) => c.packet.includes('ICMP') && c.out !== undefined);
			return told === undefined ? 'drop' : `drop, and tell the sender: ${told.packet}`;
		}
		case 'consume':
			return 'consume (taken by the kernel itself)';
		case 'reject':
			return `reject${j.caused[0] === undefined ? '' : ` with ${j.caused[0].packet}`}`;
		case 'answer': {
			const told = j.caused.find((c) => c.out !== undefined || c.action === 'queue');
			return `answer${told === undefined ? '' : ` with ${told.packet}`}`;
		}
		case 'deliver':
			return `deliver to the host itself${j.why === undefined ? '' : ` (${j.why.replace(/^to /, '')})`}`;
		case 'lost':
			return 'lost on the way';
		case 'queue':
			return `queue (${j.why ?? 'it waits'})`;
		default:
			return j.action;
	}
}

/** `NETFILTER_DROP at filter/FORWARD rule 7: -A FORWARD … -j DROP`; '' when nothing was dropped. */
export function reasonLine(j: PacketJourney): string {
	if (j.reason === undefined && j.action !== 'undecided') return '';
	const parts = [j.reason ?? 'cannot be told'];
	if (j.reason === undefined && j.rule === undefined && j.why !== undefined) return `cannot be told: ${j.why}`;
	if (j.rule !== undefined) parts.push(`at ${ruleName(j.rule)}${j.rule.text === undefined ? '' : `: ${j.rule.text}`}`);
	else if (j.at !== undefined) parts.push(`in ${j.at}`);
	let text = parts.join(' ');
	if (j.why !== undefined) text += ` (${j.why})`;
	return text;
}

/** The line of configuration that is responsible; '' when none is. */
export function configLine(j: PacketJourney): string {
	if (j.rule?.config !== undefined) return j.rule.config;
	if (j.sysctl !== undefined) return `sysctl ${j.sysctl.name} = ${j.sysctl.value}`;
	return '';
}

/** The journey and where it went on, machine by machine: of several ends of a cable the one that took the packet. */
export function wholeWay(j: PacketJourney): PacketJourney[] {
	const way = [j];
	for (let at = j; at.continued.length > 0; ) {
		const taken = at.continued.find((c) => c.action !== 'drop') ?? at.continued[0];
		way.push(taken);
		at = taken;
	}
	return way;
}

/** The whole journey as lines. */
export function render(j: PacketJourney, options: RenderOptions = {}): string[] {
	const o: Required<RenderOptions> = { detailed: options.detailed ?? false, colour: options.colour ?? noColour };
	const c = o.colour;
	const lines: string[] = [];
	const way = wholeWay(j);
	const last = way[way.length - 1];
	let n = 0;
	for (const part of way) {
		if (way.length > 1) lines.push(c.bold(`${part.machine}:`));
		for (const s of part.steps) lines.push(...stepLines(s, ++n, o));
	}
	lines.push('');
	const paint =
		last.action === 'drop' || last.action === 'reject' || last.action === 'lost'
			? c.red
			: last.action === 'undecided' || last.action === 'queue'
				? c.yellow
				: c.green;
	lines.push(`${c.bold('Action:')} ${paint(actionLine(last))}${way.length > 1 ? ` at ${last.machine}` : ''}`);
	const reason = reasonLine(last);
	if (reason !== '') lines.push(`${c.bold('Reason:')} ${reason}`);
	else if (last.why !== undefined && last.action !== 'deliver' && last.action !== 'queue')
		lines.push(`${c.bold('Note:')} ${last.why}`);
	const config = configLine(last);
	if (config !== '') lines.push(`${c.bold('Config:')} ${config}`);
	if (last.counter !== undefined) lines.push(`${c.bold('Counter:')} ${last.counter}`);
	if (last.assumed !== undefined) lines.push(`${c.bold('Assumed:')} ${last.assumed}`);
	for (const part of way) {
		for (const other of part.continued)
			if (!way.includes(other))
				lines.push(c.dim(`Also at ${other.machine}: ${[actionLine(other), reasonLine(other)].join(' ')}`));
		for (const child of part.caused) {
			if (child.packet === '' || (child.steps.length === 0 && child.continued.length === 0)) continue;
			const heading =
				part.assumed === undefined
					? `It caused: ${child.packet}`
					: `If nobody listened, it would cause: ${child.packet}`;
			lines.push('', c.bold(heading));
			lines.push(...render(child, options).map((l) => (l === '' ? '' : '  ' + l)));
		}
	}
	return lines;
}
