/*
 * cli/captures.ts: `linnet trace in DEV pcap FILE …`: captures, merged by time, replayed packet by packet.
 * Walk: is what the host sent in there, too? (`scan`) -> `merged` -> arrivals are replayed, what the host sent is compared (trace/capture.ts)
 *       -> a line or a JSON object each, a commented pcapng, a summary.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { ImportedHost } from '../lab/import/import.ts';
import {
	type CapturedPacket,
	CaptureError,
	type CaptureInterface,
	CaptureReader,
	LINKTYPE_ETHERNET,
	LINKTYPE_IPV4,
	LINKTYPE_LINUX_SLL,
	LINKTYPE_LINUX_SLL2,
	LINKTYPE_RAW,
} from '../packet/capture.ts';
import { PcapngWriter } from '../packet/pcapng.ts';
import { CaptureReplay, type FrameRef, isOwnFrame, type MissingFrame, type OwnFrame } from '../trace/capture.ts';
import type { PacketJourney } from '../trace/explain.ts';
import { actionLine, configLine, type RenderOptions, reasonLine, render } from '../trace/render.ts';
import { frameTo, type Replay } from '../trace/replay.ts';
import { UserError } from './load.ts';
import type { TraceFlags } from './trace.ts';

export interface Capture {
	dev: string;
	file: string;
}

interface Arrival {
	dev: string;
	packet: CapturedPacket;
	/** From 1, in its file. */
	number: number;
	file: string;
}

const CHUNK = 1 << 20;

export function checkDevice(imp: ImportedHost, dev: string): void {
	if (imp.surroundings.has(dev)) return;
	if (dev === 'lo') throw new UserError("lo: nothing comes in from outside there; 'out PACKET' is what the host sends");
	throw new UserError(
		`there is no device '${dev}' on ${imp.host.name}; it has ${[...imp.surroundings.keys()].join(', ') || 'none but lo'}`,
	);
}

/** The packets of one capture, read as they are needed; at most `limit` of them. */
function* packetsOf(c: Capture, imp: ImportedHost, limit = Infinity): Generator<Arrival> {
	let fd: number;
	try {
		fd = openSync(c.file, 'r');
	} catch (e) {
		throw new UserError(`${c.file}: ${e instanceof Error ? e.message.replace(/,? (open )?'.*'$/, '') : e}`);
	}
	const reader = new CaptureReader();
	let number = 0;
	try {
		for (let n = 1; n > 0; ) {
			// Packets may be views of what was read: each chunk is its own.
			const buf = new Uint8Array(CHUNK);
			try {
				n = readSync(fd, buf, 0, CHUNK, null);
			} catch (e) {
				throw new UserError(`${c.file}: ${e instanceof Error ? e.message : e}`);
			}
			if (n > 0) reader.feed(buf.subarray(0, n));
			else reader.end();
			for (let p = reader.next(); p !== null; p = reader.next()) {
				if (++number > limit) return;
				yield { dev: device(c, p, reader.interfaces, imp), packet: p, number, file: c.file };
			}
		}
	} catch (e) {
		if (e instanceof CaptureError) throw new UserError(`${c.file}: ${e.message}`);
		throw e;
	} finally {
		closeSync(fd);
	}
}

/** The device that a packet was captured on: the one that was said; of `any` what the capture knows. */
function device(c: Capture, p: CapturedPacket, interfaces: readonly CaptureInterface[], imp: ImportedHost): string {
	if (c.dev !== 'any') return c.dev;
	if (p.linktype === LINKTYPE_LINUX_SLL2 && p.data.length >= 20) {
		const ifindex = (p.data[4] << 24) | (p.data[5] << 16) | (p.data[6] << 8) | p.data[7];
		for (const s of imp.surroundings.values()) if (s.nic.dev.ifindex === ifindex) return s.nic.name;
		return `ifindex ${ifindex}`;
	}
	return interfaces[p.iface]?.name || 'any';
}

/** All captures in the order of time. */
function* merged(captures: Capture[], imp: ImportedHost): Generator<Arrival> {
	const streams = captures.map((c) => packetsOf(c, imp));
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

/** A captured packet as a frame of its device, whole: what was not captured of it is zeros. null: not one that linnet takes. */
function frameOf(imp: ImportedHost, dev: string, p: CapturedPacket): { bytes: Uint8Array; own: boolean } | null {
	const around = imp.surroundings.get(dev);
	if (around === undefined) return null;
	let data = p.data;
	if (p.origLen > data.length && p.origLen <= 0x10000 + 14) {
		data = new Uint8Array(p.origLen);
		data.set(p.data);
	}
	if (p.linktype === LINKTYPE_ETHERNET) return { bytes: data, own: isOwnFrame(around, data, p.direction) };
	if (p.linktype === LINKTYPE_RAW || p.linktype === LINKTYPE_IPV4)
		return { bytes: frameTo(imp, dev, data), own: p.direction === 2 };
	const v2 = p.linktype === LINKTYPE_LINUX_SLL2;
	if (!v2 && p.linktype !== LINKTYPE_LINUX_SLL) return null;
	const head = v2 ? 20 : 16;
	if (data.length < head) return null;
	const proto = v2 ? 0 : 14;
	const type = v2 ? data[10] : data[1];
	const bytes = new Uint8Array(data.length - head + 14);
	// Cooked captures leave the receiver out.
	const mac = around.nic.dev.dev_addr;
	if (type === 1 || type === 2) bytes.fill(0xff, 0, 6);
	else bytes.set(mac, 0);
	bytes.set(type === 4 ? mac : data.subarray(v2 ? 12 : 6, v2 ? 18 : 12), 6);
	bytes.set(data.subarray(proto, proto + 2), 12);
	bytes.set(data.subarray(head), 14);
	// What was for others only passed by.
	return type === 3 ? null : { bytes, own: type === 4 };
}

/** So many packets of a capture tell whether it holds what the host sent. */
const SCAN = 20000;

/** Devices whose captures hold frames that the host itself sent. */
function scan(imp: ImportedHost, captures: Capture[]): Set<string> {
	const twoWay = new Set<string>();
	for (const c of captures) {
		// A pipe can be read but once.
		const fd = openOrNull(c.file);
		if (fd === null) continue;
		const regular = fstatSync(fd).isFile();
		closeSync(fd);
		if (!regular) continue;
		for (const a of packetsOf(c, imp, SCAN)) {
			if (twoWay.has(a.dev)) {
				if (c.dev !== 'any') break;
				continue;
			}
			if (frameOf(imp, a.dev, a.packet)?.own === true) twoWay.add(a.dev);
		}
	}
	return twoWay;
}

function openOrNull(file: string): number | null {
	try {
		return openSync(file, 'r');
	} catch {
		return null;
	}
}

/** A captured frame as a replay takes it. */
export interface ReplayFrame extends FrameRef {
	/** ns since the first. */
	time: number;
	/** null: not one that linnet takes. */
	frame: { bytes: Uint8Array; own: boolean } | null;
	/** The capture kept its beginning only. */
	cut: boolean;
}

/** The frames of captures in the order of time. */
export function* framesOf(imp: ImportedHost, captures: Capture[]): Generator<ReplayFrame> {
	let first: CapturedPacket | null = null;
	for (const { dev, file, number, packet } of merged(captures, imp)) {
		first ??= packet;
		const time = (packet.sec - first.sec) * 1e9 + (packet.nsec - first.nsec);
		yield { dev, file, number, time, frame: frameOf(imp, dev, packet), cut: packet.origLen > packet.data.length };
	}
}
/** Devices whose captures hold frames that the host itself sent. */
framesOf.twoWay = scan;

const BAD = new Set(['drop', 'reject', 'undecided']);

/** How a frame that the real host sent is told; '' when it need not be: it is what became of an earlier line. */
function ownText(o: OwnFrame): string {
	switch (o.kind) {
		case 'differs':
			return `the real host sent this; here it is out ${o.here!.dev}: ${o.here!.packet}`;
		case 'missing': {
			const a = o.arrival!;
			const end = [actionLine(a.journey), reasonLine(a.journey), configLine(a.journey)]
				.filter((x) => x !== '')
				.join('; ');
			return `the real host sent this, linnet did not: its arrival, ${a.frame.dev} #${a.frame.number}, ended here in ${end}`;
		}
		case 'blocked': {
			const j = o.journey!;
			const end = [actionLine(j), reasonLine(j) || (j.why ?? ''), configLine(j)].filter((x) => x !== '').join('; ');
			return `the real host sent this of its own, linnet did not: ${end}`;
		}
		default:
			return '';
	}
}

function missingText(m: MissingFrame): string {
	return `linnet sent this out ${m.dev} because of ${m.arrival.dev} #${m.arrival.number}, the real host did not`;
}

/** What is counted and printed of a run. */
class Report {
	private flags: TraceFlags;
	private options: RenderOptions;
	private out: string[] = [];
	readonly counts: Map<string, number> = new Map();
	readonly own: Record<OwnFrame['kind'], number> = {
		same: 0,
		differs: 0,
		missing: 0,
		unseen: 0,
		local: 0,
		blocked: 0,
		other: 0,
	};
	total = 0;
	strange = 0;
	missing = 0;

	constructor(flags: TraceFlags, options: RenderOptions) {
		this.flags = flags;
		this.options = options;
	}

	flush(): void {
		if (this.out.length > 0) process.stdout.write(this.out.join('\n') + '\n');
		this.out = [];
	}

	private put(...lines: string[]): void {
		this.out.push(...lines);
		if (this.out.length >= 256) this.flush();
	}

	private entry(seconds: number, where: string, packet: string, text: string): void {
		this.put(`${seconds.toFixed(6).padStart(11)}  ${where}  ${packet}\n${''.padStart(13)}${text}`);
	}

	arrival(a: FrameRef, seconds: number, j: PacketJourney): void {
		const verdict = verdictOf(j);
		this.counts.set(verdict, (this.counts.get(verdict) ?? 0) + 1);
		const bad = BAD.has(j.action);
		if (this.flags.onlyDrops === true && !bad) return;
		if (this.flags.json === true) {
			this.put(JSON.stringify({ file: a.file, number: a.number, time: seconds, dev: a.dev, ...j }));
			return;
		}
		const c = this.options.colour!;
		const rest = [reasonLine(j), configLine(j)].filter((x) => x !== '').join('; ');
		const text = `${(bad ? c.red : c.green)(actionLine(j))}${rest === '' ? '' : `  ${rest}`}`;
		this.entry(seconds, `${a.dev} #${a.number}`, j.packet, text);
		if (this.options.detailed === true) this.put(...render(j, this.options).map((l) => '    ' + l), '');
	}

	sent(a: FrameRef, seconds: number, o: OwnFrame): void {
		this.own[o.kind]++;
		const text = ownText(o);
		if (this.flags.onlyDrops === true && text === '') return;
		if (this.flags.json === true) {
			this.put(
				JSON.stringify({
					file: a.file,
					number: a.number,
					time: seconds,
					dev: a.dev,
					sent: o.kind,
					packet: o.packet,
					...(o.here === undefined ? {} : { here: o.here }),
					...(o.arrival === undefined
						? {}
						: { arrival: { ...o.arrival.frame, action: o.arrival.journey.action, reason: o.arrival.journey.reason } }),
					...(o.journey === undefined ? {} : { journey: o.journey }),
				}),
			);
			return;
		}
		const c = this.options.colour!;
		if (text !== '') this.entry(seconds, `${a.dev} #${a.number} sent`, o.packet, c.yellow(text));
		else if (o.kind === 'local' && o.journey !== undefined) {
			this.entry(seconds, `${a.dev} #${a.number} sent`, o.packet, c.green('sent by the host itself, and here'));
			if (this.options.detailed === true) this.put(...render(o.journey, this.options).map((l) => '    ' + l), '');
		} else if (o.kind === 'unseen')
			this.entry(
				seconds,
				`${a.dev} #${a.number} sent`,
				o.packet,
				c.dim('forwarded by the host; its arrival was not captured'),
			);
	}

	notSent(m: MissingFrame, seconds: number): void {
		this.missing++;
		if (this.flags.json === true)
			this.put(JSON.stringify({ time: seconds, dev: m.dev, sent: 'here only', packet: m.packet, arrival: m.arrival }));
		else this.entry(seconds, m.dev, m.packet, this.options.colour!.yellow(missingText(m)));
	}

	summary(twoWay: boolean): void {
		if (this.flags.json === true) return;
		const arrivals = [...this.counts].sort((x, y) => y[1] - x[1]).map(([k, n]) => `${n} ${k}`);
		const lines = [`${this.total} packets: ${arrivals.join(', ') || 'none arrived'}`];
		if (this.strange > 0) lines.push(`${this.strange} not replayed (of another link type or device)`);
		if (twoWay) {
			const o = this.own;
			const said = [
				`${o.same} as here`,
				o.local > 0 ? `${o.local} of its own, sent here too` : '',
				o.differs > 0 ? `${o.differs} in another form than here` : '',
				o.missing + o.blocked > 0 ? `${o.missing + o.blocked} not sent here` : '',
				o.unseen > 0 ? `${o.unseen} forwarded whose arrival was not captured` : '',
				o.other > 0 ? `${o.other} ARP and others, not compared` : '',
			].filter((x) => x !== '');
			lines.push(`the real host sent: ${said.join(', ')}`);
			if (this.missing > 0) lines.push(`sent here only: ${this.missing}`);
		}
		process.stdout.write(`\n${lines.join('\n')}\n`);
	}
}

export function traceCaptures(
	imp: ImportedHost,
	replay: Replay,
	captures: Capture[],
	flags: TraceFlags,
	options: RenderOptions,
): number {
	for (const c of captures) if (c.dev !== 'any') checkDevice(imp, c.dev);
	const world = imp.host.world;
	const begin = world.clock.now;
	const twoWay = scan(imp, captures);
	const captured = new CaptureReplay(replay, twoWay);
	const report = new Report(flags, options);
	const brief = flags.json !== true && options.detailed !== true;
	const writer = flags.write === undefined ? null : new CommentWriter(flags.write);
	const progress = process.stderr.isTTY === true && flags.quiet !== true;
	let first: CapturedPacket | null = null;
	for (const a of merged(captures, imp)) {
		first ??= a.packet;
		report.total++;
		const at = begin + (a.packet.sec - first.sec) * 1e9 + (a.packet.nsec - first.nsec);
		if (at > world.clock.now) replay.at(at);
		const seconds = (at - begin) / 1e9;
		const frame = frameOf(imp, a.dev, a.packet);
		if (frame === null) {
			report.strange++;
			writer?.add(a, 'linnet: not replayed');
			continue;
		}
		const cut = a.packet.origLen > a.packet.data.length;
		if (twoWay.size > 0) for (const m of captured.expired()) report.notSent(m, (m.time - begin) / 1e9);
		if (frame.own) {
			const o = captured.own(a, frame.bytes, cut, brief);
			report.sent(a, seconds, o);
			writer?.add(a, `linnet: ${ownText(o) || OWN_COMMENTS[o.kind]}`);
		} else {
			const j = captured.arrival(a, frame.bytes, cut, brief);
			report.arrival(a, seconds, j);
			writer?.add(a, `linnet: ${[actionLine(j), reasonLine(j), configLine(j)].filter((x) => x !== '').join('; ')}`);
		}
		if (progress && report.total % 1000 === 0) process.stderr.write(`\r${report.total} packets`);
	}
	for (const m of captured.expired(true)) report.notSent(m, (m.time - begin) / 1e9);
	report.flush();
	if (progress && report.total >= 1000) process.stderr.write('\r\x1b[K');
	writer?.end();
	report.summary(twoWay.size > 0);
	return 0;
}

const OWN_COMMENTS: Record<OwnFrame['kind'], string> = {
	same: 'sent by the real host, and by linnet',
	differs: '',
	missing: '',
	unseen: 'forwarded by the real host; its arrival was not captured',
	local: 'sent by the real host of its own, and by linnet',
	blocked: '',
	other: 'sent by the real host; not compared',
};

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
