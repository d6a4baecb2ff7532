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
	const changes = s.changes.filter(() => s.phase !== 'nat' || o.detailed);
	if (changes.length > 0 && s.phase !== 'nat') lines.push(c.dim(`       ${''.padEnd(MARGIN)}  ${changes.join(', ')}`));
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
			const told = j.caused.find((c) => c.packet.includes('ICMP'));
			return told === undefined ? 'drop' : `drop, and tell the sender: ${told.packet}`;
		}
		case 'consume':
			return 'consume (taken by the kernel itself)';
		case 'reject':
			return `reject${j.caused[0] === undefined ? '' : ` with ${j.caused[0].packet}`}`;
		case 'queue':
			return 'queue (it waits: for a neighbour, for more fragments, or in NFQUEUE)';
		default:
			return j.action;
	}
}

/** `NETFILTER_DROP at filter/FORWARD rule 7: -A FORWARD … -j DROP`; '' when nothing was dropped. */
export function reasonLine(j: PacketJourney): string {
	if (j.reason === undefined && j.action !== 'undecided') return '';
	const parts = [j.reason ?? 'cannot be told'];
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

/** The whole journey as lines. */
export function render(j: PacketJourney, options: RenderOptions = {}): string[] {
	const o: Required<RenderOptions> = { detailed: options.detailed ?? false, colour: options.colour ?? noColour };
	const c = o.colour;
	const lines: string[] = [];
	for (const [i, s] of j.steps.entries()) lines.push(...stepLines(s, i + 1, o));
	lines.push('');
	const paint =
		j.action === 'drop' || j.action === 'reject'
			? c.red
			: j.action === 'undecided' || j.action === 'queue'
				? c.yellow
				: c.green;
	lines.push(`${c.bold('Action:')} ${paint(actionLine(j))}`);
	const reason = reasonLine(j);
	if (reason !== '') lines.push(`${c.bold('Reason:')} ${reason}`);
	else if (j.why !== undefined) lines.push(`${c.bold('Note:')} ${j.why}`);
	const config = configLine(j);
	if (config !== '') lines.push(`${c.bold('Config:')} ${config}`);
	if (j.counter !== undefined) lines.push(`${c.bold('Counter:')} ${j.counter}`);
	for (const child of j.caused) {
		if (child.steps.length === 0 || child.packet === '') continue;
		lines.push('', c.bold(`It caused: ${child.packet}`));
		lines.push(...render(child, options).map((l) => '  ' + l));
	}
	return lines;
}
