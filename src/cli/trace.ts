/*
 * cli/trace.ts: `linnet trace`: one packet in, one packet out, or captures.
 * Walk: words -> what to do; the host is imported; each packet is replayed and explained; text, JSON or a commented pcapng comes out.
 */

import { ImportError } from '../lab/import/error.ts';
import { type ImportedHost, importHost } from '../lab/import/import.ts';
import { openListeners } from '../lab/import/listeners.ts';
import { durationNs, World } from '../lab/world.ts';
import type { PacketJourney } from '../trace/explain.ts';
import { render } from '../trace/render.ts';
import { answerTo, frameTo, Replay, type Replayed } from '../trace/replay.ts';
import { assumeLocal, buildPacket, fillSource } from '../trace/sending.ts';
import { type Capture, checkDevice, traceCaptures } from './captures.ts';
import { loadSnapshot, UserError } from './load.ts';
import { palette } from './paint.ts';

export interface TraceFlags {
	host: string[];
	detailed?: boolean;
	json?: boolean;
	reply?: boolean;
	at?: string;
	onlyDrops?: boolean;
	write?: string;
	quiet?: boolean;
}

type Job =
	| { kind: 'in'; dev: string; packet: string[] }
	| { kind: 'out'; packet: string[] }
	| { kind: 'pcap'; captures: Capture[] };

/** What the words ask for. Throws UserError. */
export function parseWords(input: readonly string[]): { job: Job; detailed: boolean } {
	const words = [...input];
	let detailed = false;
	if (words[words.length - 1] === 'detailed') {
		words.pop();
		detailed = true;
	}
	const expected = "expected 'in DEV PACKET', 'out PACKET' or 'in DEV pcap FILE'";
	if (words[0] === 'out') {
		if (words.length < 2) throw new UserError(`after 'out': ${expected}`);
		return { job: { kind: 'out', packet: words.slice(1) }, detailed };
	}
	if (words[0] !== 'in') throw new UserError(`'${words[0] ?? ''}': ${expected}`);
	if (words.length < 3) throw new UserError(`after '${words.join(' ')}': ${expected}`);
	if (words[2] !== 'pcap') return { job: { kind: 'in', dev: words[1], packet: words.slice(2) }, detailed };
	const captures: Capture[] = [];
	for (let i = 0; i < words.length; i += 4) {
		if (words[i] !== 'in' || words[i + 2] !== 'pcap' || words[i + 3] === undefined)
			throw new UserError(`'${words.slice(i).join(' ')}': expected 'in DEV pcap FILE'`);
		captures.push({ dev: words[i + 1], file: words[i + 3] });
	}
	return { job: { kind: 'pcap', captures }, detailed };
}

/** Options that a job has no use for are refused, not ignored. */
function checkFlags(job: Job, flags: TraceFlags): void {
	if (job.kind === 'pcap') {
		if (flags.reply === true) throw new UserError('--reply: of one packet only; a capture holds its answers itself');
		return;
	}
	if (flags.onlyDrops === true) throw new UserError("--only-drops: of a capture only ('in DEV pcap FILE')");
	if (flags.write !== undefined) throw new UserError("--write: of a capture only ('in DEV pcap FILE')");
}

export async function trace(words: string[], flags: TraceFlags): Promise<number> {
	const { job, detailed } = parseWords(words);
	checkFlags(job, flags);
	const span = flags.at === undefined ? 0 : atSpan(flags.at);
	// A packet that cannot be built is said before the host is read.
	if (job.kind !== 'pcap') buildPacket(job.packet);
	const snapshot = await loadSnapshot(flags.host);
	const world = new World({ seed: 1 });
	const imp = await importHost(world, snapshot).catch((e: unknown) => {
		throw e instanceof ImportError ? e.renamed(snapshot.names) : e;
	});
	for (const n of imp.notes) n.where = snapshot.names.get(n.where) ?? n.where;
	const c = palette();
	for (const n of imp.notes) {
		if (n.kind !== 'warning' && (flags.quiet === true || flags.json === true)) continue;
		const line = `${n.kind}: ${n.where}: ${n.text}`;
		process.stderr.write(`${n.kind === 'warning' ? c.yellow(line) : c.dim(line)}\n`);
	}
	if (span > 0) world.advanceTo(world.clock.now + span);
	const replay = new Replay(imp);
	const options = { detailed: detailed || flags.detailed === true, colour: c };
	if (job.kind === 'pcap') return traceCaptures(imp, replay, job.captures, flags, options);

	openListeners(imp);
	const p = buildPacket(job.kind === 'out' ? await fillSource(replay, job.packet) : job.packet);
	let result: Replayed;
	if (job.kind === 'in') {
		if (p.mark !== 0)
			throw new UserError(
				"mark: a packet that comes in has none; of 'out' it is the mark that the sender's socket sets",
			);
		checkDevice(imp, job.dev);
		const assumed = await assumeLocal(imp, replay, job.dev, p);
		if (assumed !== null && flags.quiet !== true && flags.json !== true) process.stderr.write(`assumed: ${assumed}\n`);
		result = replay.receive(job.dev, p.frame ? p.bytes : frameTo(imp, job.dev, p.bytes));
	} else {
		if (p.frame)
			throw new UserError("out: an IP packet is expected, without 'Ether': the host makes its own link header");
		result = await replay.send(p.bytes, p.mark);
	}
	print(result.journey, flags, options, 'packet', imp);
	if (flags.reply === true) reply(imp, replay, result, flags, options);
	return result.journey.action === 'undecided' ? 3 : 0;
}

function atSpan(at: string): number {
	const m = /^\+(.+)$/.exec(at);
	if (m === null) throw new UserError(`--at ${at}: expected a span after '+', as +5d or +90s`);
	try {
		return durationNs(m[1]);
	} catch {
		throw new UserError(`--at ${at}: expected a span after '+', as +5d, +1h30m or +90s`);
	}
}

/** The way back of the answer that whoever got the packet would give. */
function reply(
	imp: ImportedHost,
	replay: Replay,
	result: Replayed,
	flags: TraceFlags,
	options: Parameters<typeof render>[1],
): void {
	const j = result.journey;
	const sent = result.sent[0];
	const left = j.action === 'forward' || j.action === 'send';
	const answer = !left || sent === undefined ? null : answerTo(sent.bytes.subarray(14));
	if (answer === null) {
		const why =
			j.action === 'deliver' || j.action === 'answer'
				? 'the packet is for this host, and what it answers is its own'
				: left && sent !== undefined
					? 'nobody answers such a packet'
					: 'the packet did not leave this host';
		if (flags.json === true) process.stdout.write(JSON.stringify({ what: 'reply', none: why }) + '\n');
		else process.stdout.write(`\nNo answer to follow: ${why}\n`);
		return;
	}
	const back = replay.receive(sent.nic.name, frameTo(imp, sent.nic.name, answer));
	if (flags.json !== true) process.stdout.write(`\n${options!.colour!.bold('The answer')}: ${back.journey.packet}\n`);
	print(back.journey, flags, options, 'reply', imp);
}

function print(
	j: PacketJourney,
	flags: TraceFlags,
	options: Parameters<typeof render>[1],
	what: string,
	imp: ImportedHost,
): void {
	if (flags.json !== true) {
		process.stdout.write(render(j, options).join('\n') + '\n');
		return;
	}
	const warnings = imp.notes.filter((n) => n.kind === 'warning').map((n) => `${n.where}: ${n.text}`);
	process.stdout.write(JSON.stringify({ what, ...j, ...(warnings.length > 0 ? { warnings } : {}) }) + '\n');
}
