/*
 * cli/trace.ts: `linnet trace`: one packet in, one packet out, or captures.
 * Walk: words -> what to do; the host is imported; each packet is replayed and explained; text, JSON or a commented pcapng comes out.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { type ImportedHost, importHost } from '../lab/import/import.ts';
import { durationNs, World } from '../lab/world.ts';
import { assemble, isShort, packet, parsePacket, parseShort } from '../packet/build.ts';
import {
	type CapturedPacket,
	CaptureError,
	type CaptureInterface,
	CaptureReader,
	LINKTYPE_ETHERNET,
	LINKTYPE_IPV4,
	LINKTYPE_RAW,
} from '../packet/capture.ts';
import { PcapngWriter } from '../packet/pcapng.ts';
import type { PacketJourney } from '../trace/explain.ts';
import { actionLine, configLine, reasonLine, render } from '../trace/render.ts';
import { answerTo, frameTo, Replay, type Replayed } from '../trace/replay.ts';
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

interface Capture {
	dev: string;
	file: string;
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

/** The packet that the words describe: an Ethernet frame when they begin with Ether, else an IPv4 packet. */
function build(words: readonly string[]): { frame: boolean; bytes: Uint8Array } {
	if (isShort(words[0]) || /^\d+$/.test(words[0])) return { frame: false, bytes: assemble(parseShort(words).layers) };
	const text = words.join(' ');
	const frame = parsePacket(text)[0]?.layer === 'Ether';
	return { frame, bytes: packet(text) };
}

export async function trace(words: string[], flags: TraceFlags): Promise<number> {
	const { job, detailed } = parseWords(words);
	const snapshot = await loadSnapshot(flags.host);
	const world = new World({ seed: 1 });
	const imp = await importHost(world, snapshot);
	const c = palette();
	if (flags.quiet !== true && flags.json !== true) {
		for (const n of imp.notes) process.stderr.write(`${c.dim(`${n.kind}: ${n.where}: ${n.text}`)}\n`);
	}
	if (flags.at !== undefined) {
		const m = /^\+(.+)$/.exec(flags.at);
		if (m === null) throw new UserError(`--at ${flags.at}: expected a span after '+', as +5d or +90s`);
		world.advanceTo(world.clock.now + durationNs(m[1]));
	}
	const replay = new Replay(imp);
	const options = { detailed: detailed || flags.detailed === true, colour: c };
	if (job.kind === 'pcap') return traceCaptures(imp, replay, job.captures, flags, options);

	if (job.kind === 'out') await fillSource(replay, job.packet);
	const p = build(job.packet);
	let result: Replayed;
	if (job.kind === 'in') {
		if (!imp.surroundings.has(job.dev))
			throw new UserError(
				`there is no device '${job.dev}' on ${imp.host.name}; it has ${[...imp.surroundings.keys()].join(', ')}`,
			);
		if (snapshot.links === null)
			await assumeLocal(imp, replay, job.dev, p.frame ? p.bytes.subarray(14) : p.bytes, flags);
		result = replay.receive(job.dev, p.frame ? p.bytes : frameTo(imp, job.dev, p.bytes));
	} else {
		if (p.frame)
			throw new UserError("out: an IP packet is expected, without 'Ether': the host makes its own link header");
		result = await replay.send(p.bytes);
	}
	print(result.journey, flags, options, 'packet');
	if (flags.reply === true) {
		const sent = result.sent[result.sent.length - 1];
		const answer = sent === undefined ? null : answerTo(sent.bytes.subarray(14));
		if (sent === undefined) process.stdout.write('\nNo answer: the packet did not leave this host.\n');
		else if (answer === null) process.stdout.write('\nNo answer: nobody answers such a packet.\n');
		else {
			const back = replay.receive(sent.nic.name, frameTo(imp, sent.nic.name, answer));
			if (flags.json !== true) process.stdout.write(`\n${c.bold('The answer')}: ${back.journey.packet}\n`);
			print(back.journey, flags, options, 'reply');
		}
	}
	return result.journey.action === 'undecided' ? 3 : 0;
}

/** With nothing but rules: what comes in by the way out and is for nobody behind this host is for the host itself. */
async function assumeLocal(
	imp: ImportedHost,
	replay: Replay,
	dev: string,
	ip: Uint8Array,
	flags: TraceFlags,
): Promise<void> {
	if (ip.length < 20 || ip[0] >> 4 !== 4 || ip[16] >= 224) return;
	const addr = ip.slice(16, 20).join('.');
	const route = await replay.route(((ip[16] << 24) | (ip[17] << 16) | (ip[18] << 8) | ip[19]) >>> 0, 0);
	if (!route.text.includes(` dev ${dev} `)) return;
	await imp.host.exec(['ip', 'addr', 'add', `${addr}/32`, 'dev', dev]);
	if (flags.quiet !== true && flags.json !== true)
		process.stderr.write(`assumed: addr.json: not there: ${addr} is an address of this host, on ${dev}\n`);
}

/** `0.0.0.0` (or port 0) as the source of a packet in the short form: what the kernel would choose. */
async function fillSource(replay: Replay, words: string[]): Promise<void> {
	const src = /^(\d+\.\d+\.\d+\.\d+)(?::(\d+))?$/.exec(words[1] ?? '');
	const dst = /^(\d+)\.(\d+)\.(\d+)\.(\d+)/.exec(words[2] ?? '');
	if (!isShort(words[0]) || src === null || dst === null) return;
	let addr = src[1];
	if (addr === '0.0.0.0') {
		const to = dst.slice(1, 5).reduce((acc, x) => acc * 256 + Number(x), 0);
		addr = (await replay.route(to, 0)).src ?? addr;
	}
	words[1] = src[2] === undefined ? addr : `${addr}:${src[2] === '0' ? 40000 : src[2]}`;
}

function print(j: PacketJourney, flags: TraceFlags, options: Parameters<typeof render>[1], what: string): void {
	if (flags.json === true) process.stdout.write(JSON.stringify({ what, ...j }) + '\n');
	else process.stdout.write(render(j, options).join('\n') + '\n');
}

// ---- captures --------------------------------------------------------------------------------------------------------------------

interface Arrival {
	dev: string;
	packet: CapturedPacket;
	/** From 1, in its file. */
	number: number;
	file: string;
}

const CHUNK = 1 << 20;

/** The packets of one capture, read as they are needed. */
function* packetsOf(c: Capture): Generator<Arrival> {
	let fd: number;
	try {
		fd = openSync(c.file, 'r');
	} catch (e) {
		throw new UserError(`${c.file}: ${e instanceof Error ? e.message.replace(/,? (open )?'.*'$/, '') : e}`);
	}
	const reader = new CaptureReader();
	const buf = new Uint8Array(CHUNK);
	let number = 0;
	try {
		for (;;) {
			const n = readSync(fd, buf, 0, CHUNK, null);
			if (n === 0) break;
			reader.feed(buf.slice(0, n));
			for (let p = reader.next(); p !== null; p = reader.next())
				yield { dev: device(c, p, reader.interfaces), packet: p, number: ++number, file: c.file };
		}
		reader.end();
		for (let p = reader.next(); p !== null; p = reader.next())
			yield { dev: device(c, p, reader.interfaces), packet: p, number: ++number, file: c.file };
	} catch (e) {
		if (e instanceof CaptureError) throw new UserError(`${c.file}: ${e.message}`);
		throw e;
	} finally {
		closeSync(fd);
	}
}

function device(c: Capture, p: CapturedPacket, interfaces: readonly CaptureInterface[]): string {
	return c.dev === 'any' ? interfaces[p.iface]?.name || 'any' : c.dev;
}

/** All captures in the order of time. */
function* merged(captures: Capture[]): Generator<Arrival> {
	const streams = captures.map(packetsOf);
	const heads = streams.map((s) => s.next());
	for (;;) {
		let best = -1;
		for (let i = 0; i < heads.length; i++) {
			if (heads[i].done === true) continue;
			const a = heads[i].value as Arrival;
			const b = best < 0 ? null : (heads[best].value as Arrival);
			if (b === null || a.packet.sec < b.packet.sec || (a.packet.sec === b.packet.sec && a.packet.nsec < b.packet.nsec))
				best = i;
		}
		if (best < 0) return;
		yield heads[best].value as Arrival;
		heads[best] = streams[best].next();
	}
}

/** The frame as it arrived at the device; null when the capture holds no such thing. */
function frameOf(imp: ImportedHost, dev: string, p: CapturedPacket): Uint8Array | null {
	if (p.linktype === LINKTYPE_ETHERNET) return p.data;
	if (p.linktype === LINKTYPE_RAW || p.linktype === LINKTYPE_IPV4) return frameTo(imp, dev, p.data);
	return null;
}

const BAD = new Set(['drop', 'reject', 'undecided']);

function traceCaptures(
	imp: ImportedHost,
	replay: Replay,
	captures: Capture[],
	flags: TraceFlags,
	options: Parameters<typeof render>[1],
): number {
	for (const c of captures) {
		if (c.dev !== 'any' && !imp.surroundings.has(c.dev))
			throw new UserError(
				`there is no device '${c.dev}' on ${imp.host.name}; it has ${[...imp.surroundings.keys()].join(', ')}`,
			);
	}
	const world = imp.host.world;
	const begin = world.clock.now;
	const counts = new Map<string, number>();
	const c = options!.colour!;
	let first: CapturedPacket | null = null;
	let total = 0;
	let passed = 0;
	let out: string[] = [];
	const flush = (): void => {
		if (out.length > 0) process.stdout.write(out.join('\n') + '\n');
		out = [];
	};
	const writer = flags.write === undefined ? null : new CommentWriter(flags.write);
	const progress = process.stderr.isTTY === true && flags.quiet !== true;
	for (const a of merged(captures)) {
		first ??= a.packet;
		total++;
		const at = begin + (a.packet.sec - first.sec) * 1e9 + (a.packet.nsec - first.nsec);
		if (at > world.clock.now) replay.at(at);
		const frame = imp.surroundings.has(a.dev) ? frameOf(imp, a.dev, a.packet) : null;
		const own =
			frame !== null && frame.length >= 12 && sameBytes(frame, 6, imp.surroundings.get(a.dev)!.nic.dev.dev_addr);
		if (frame === null || own) {
			passed++;
			if (writer !== null) writer.add(a, own ? 'linnet: sent by this host itself' : 'linnet: not replayed');
			continue;
		}
		const j = replay.receive(a.dev, frame, flags.json !== true && options!.detailed !== true).journey;
		const verdict = verdictOf(j);
		counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
		if (writer !== null)
			writer.add(a, `linnet: ${[actionLine(j), reasonLine(j), configLine(j)].filter((x) => x !== '').join('; ')}`);
		if (flags.onlyDrops === true && !BAD.has(j.action)) continue;
		const stamp = ((at - begin) / 1e9).toFixed(6).padStart(11);
		if (flags.json === true)
			out.push(JSON.stringify({ file: a.file, number: a.number, time: (at - begin) / 1e9, dev: a.dev, ...j }));
		else {
			const paint = BAD.has(j.action) ? c.red : c.green;
			const rest = [reasonLine(j), configLine(j)].filter((x) => x !== '').join('; ');
			out.push(
				`${stamp}  ${a.dev} #${a.number}  ${j.packet}\n${''.padStart(13)}${paint(actionLine(j))}${rest === '' ? '' : `  ${rest}`}`,
			);
			if (options!.detailed === true) out.push(...render(j, options).map((l) => '    ' + l), '');
		}
		if (out.length >= 256) flush();
		if (progress && total % 1000 === 0) process.stderr.write(`\r${total} packets`);
	}
	flush();
	if (progress && total >= 1000) process.stderr.write('\r\x1b[K');
	writer?.end();
	if (flags.json !== true) {
		process.stdout.write(
			`\n${total} packets: ${[...counts]
				.sort((x, y) => y[1] - x[1])
				.map(([k, n]) => `${n} ${k}`)
				.join(
					', ',
				)}${passed > 0 ? `; ${passed} not replayed (sent by the host itself, or of another link type)` : ''}\n`,
		);
	}
	return 0;
}

function sameBytes(b: Uint8Array, at: number, want: Uint8Array): boolean {
	for (let i = 0; i < 6; i++) if (b[at + i] !== want[i]) return false;
	return true;
}

function verdictOf(j: PacketJourney): string {
	return j.reason === undefined
		? j.action
		: `${j.action} (${j.reason}${j.rule === undefined ? '' : ` ${j.rule.table}/${j.rule.chain} ${j.rule.num > 0 ? `rule ${j.rule.num}` : 'policy'}`})`;
}

/** A pcapng of the same packets, each with a comment. */
class CommentWriter {
	private fd: number;
	private writer = new PcapngWriter();
	private ifaces: Map<string, number> = new Map();

	constructor(file: string) {
		try {
			this.fd = openSync(file, 'w');
		} catch (e) {
			throw new UserError(`${file}: ${e instanceof Error ? e.message : e}`);
		}
		writeSync(this.fd, this.writer.header({}));
	}

	add(a: Arrival, comment: string): void {
		const key = `${a.dev}/${a.packet.linktype}`;
		let iface = this.ifaces.get(key);
		if (iface === undefined) {
			iface = this.ifaces.size;
			this.ifaces.set(key, iface);
			writeSync(this.fd, this.writer.addInterface({ name: a.dev, linktype: a.packet.linktype }));
		}
		writeSync(this.fd, this.writer.packet({ ...a.packet, iface, comments: [...a.packet.comments, comment] }));
	}

	end(): void {
		closeSync(this.fd);
	}
}
