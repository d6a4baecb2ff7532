/*
 * user/tcpdump/tcpdump.ts: shows, filters and stores packets.      Original: tcpdump(8) 4.99.3 with libpcap 1.10.3
 * Walk: tcpdump -> list, readFile or live -> Sink (counts, prints, writes).
 * Not here: file rotation (-C -G -W -z), decryption (-E -M), -T, -j, -d, monitor mode; they are refused by name.
 */

import { CaptureError, CaptureReader, linktypeName } from '../../packet/capture.ts';
import { compileFilter, FilterError, type PacketFilter } from '../../packet/filter.ts';
import { PcapWriter } from '../../packet/pcap.ts';
import { Printer } from '../../packet/print.ts';
import { strerror } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOOPBACK } from '../../uapi/linux/if.ts';
import type { Process } from '../libc.ts';
import { Capture, type Device, describeDevice, device, devices, linktypeOf } from './capture.ts';
import { type Options, parseOptions } from './options.ts';

interface Packet {
	readonly sec: number;
	readonly nsec: number;
	readonly data: Uint8Array;
	readonly origLen: number;
	readonly linktype: number;
}

/** Where packets go: the screen, a file, or only a count. */
class Sink {
	taken = 0;
	private readonly proc: Process;
	private readonly o: Options;
	private readonly printer: Printer | null;
	private readonly writer: PcapWriter | null = null;
	private pending: Uint8Array[] = [];
	private size = 0;
	private begun = false;
	failed = false;

	constructor(proc: Process, o: Options, linktype: number, snaplen: number, ifname: (index: number) => string | null) {
		this.proc = proc;
		this.o = o;
		this.printer = o.countOnly || (o.write !== null && !o.print) ? null : new Printer({ ...o.show, ifname });
		if (o.write !== null) {
			this.writer = new PcapWriter({ linktype, snaplen, nanoseconds: o.show.digits === 9 });
			this.pending.push(this.writer.header());
		}
	}

	/** Takes one packet. Return: are there enough now? */
	async packet(p: Packet): Promise<boolean> {
		this.taken++;
		if (this.writer !== null) {
			const b = this.writer.packet(p);
			this.pending.push(b);
			this.size += b.length;
			if (this.o.unbuffered || this.size > 65536 || this.o.write === '-') await this.flush();
		}
		if (this.printer !== null) this.proc.stdout.write(`${this.printer.packet(p)}\n`);
		return this.o.count > 0 && this.taken >= this.o.count;
	}

	async flush(): Promise<void> {
		if (this.writer === null || (this.pending.length === 0 && this.begun)) return;
		let n = 0;
		for (const b of this.pending) n += b.length;
		const all = new Uint8Array(n);
		n = 0;
		for (const b of this.pending) {
			all.set(b, n);
			n += b.length;
		}
		this.pending = [];
		this.size = 0;
		const to = this.o.write!;
		if (to === '-') this.proc.stdout.write(all);
		else {
			const r = await this.proc.writeFile(to, all, this.begun);
			if (r < 0) {
				this.proc.stderr.write(`tcpdump: ${to}: ${strerror(-r)}\n`);
				this.failed = true;
			}
		}
		this.begun = true;
	}
}

export async function tcpdump(proc: Process): Promise<number> {
	const o = parseOptions(proc.argv);
	if ('status' in o) {
		proc.stdout.write(o.out);
		proc.stderr.write(o.err);
		return o.status;
	}
	if (o.filterFile !== null) {
		const text = await proc.readFile(o.filterFile);
		if (typeof text === 'number') return fail(proc, `can't open ${o.filterFile}: ${strerror(-text)}`);
		o.filter = text.trim();
	}
	if (o.list === 'devices') {
		const all = await devices(proc);
		for (const [i, d] of all.entries()) proc.stdout.write(describeDevice(d, i + 1));
		return 0;
	}
	return o.read !== null ? savefile(proc, o, o.read) : live(proc, o);
}

function fail(proc: Process, message: string): number {
	proc.stderr.write(`tcpdump: ${message}\n`);
	return 1;
}

function linkText(linktype: number): string {
	const { name, description } = linktypeName(linktype);
	return description === '' ? name : `${name} (${description})`;
}

function compile(proc: Process, o: Options, linktype: number, isLive: boolean): PacketFilter | null {
	try {
		return compileFilter(o.filter, { linktype, snaplen: o.snaplen, live: isLive });
	} catch (e) {
		if (!(e instanceof FilterError)) throw e;
		fail(proc, e.message);
		return null;
	}
}

/** tcpdump -r: packets of a file. */
async function savefile(proc: Process, o: Options, path: string): Promise<number> {
	const bytes = path === '-' ? proc.stdin : await proc.readFileBytes(path);
	if (typeof bytes === 'number') return fail(proc, `${path}: ${strerror(-bytes)}`);
	const reader = new CaptureReader();
	const names = await interfaceNames(proc);
	let sink: Sink | null = null;
	let filter: PacketFilter | null = null;
	try {
		reader.feed(bytes);
		for (let p = reader.next(); ; p = reader.next()) {
			if (sink === null) {
				if (reader.interfaces.length === 0) reader.end();
				const { linktype, snaplen } = reader.interfaces[0];
				const length = snaplen === 0 ? 262144 : snaplen;
				proc.stderr.write(`reading from file ${path}, link-type ${linkText(linktype)}, snapshot length ${length}\n`);
				if (linktype === 276) proc.stderr.write('Warning: interface names might be incorrect\n');
				filter = compile(proc, o, linktype, false);
				if (filter === null) return 1;
				sink = new Sink(proc, o, linktype, length, (i) => names.get(i) ?? null);
			}
			if (p === null) break;
			if (filter!.match(p.data, p.origLen) && (await sink.packet(p))) break;
		}
		if (o.count === 0 || sink.taken < o.count) reader.end();
	} catch (e) {
		if (!(e instanceof CaptureError)) throw e;
		await sink?.flush();
		if (sink === null) return fail(proc, e.message.includes('magic number') ? 'unknown file format' : e.message);
		const cut = /truncated: (\d+) bytes follow: expected (\d+)/.exec(e.message);
		if (cut === null) return fail(proc, `pcap_loop: ${e.message}`);
		return fail(proc, `pcap_loop: truncated dump file; tried to read ${cut[2]} captured bytes, only got ${cut[1]}`);
	}
	await sink.flush();
	if (o.countOnly) proc.stdout.write(`${sink.taken} packet${sink.taken === 1 ? '' : 's'}\n`);
	return sink.failed ? 1 : 0;
}

async function interfaceNames(proc: Process): Promise<Map<number, string>> {
	const names = new Map<number, string>();
	for (const d of await devices(proc)) if (d.index > 0) names.set(d.index, d.name);
	return names;
}

/** The device to capture on: by name, by its number in the list, or the first of it. Return: null when there is none. */
async function choose(proc: Process, o: Options): Promise<Device | null> {
	const all = await devices(proc);
	if (o.device === null) return all[0];
	if (o.device === 'any') return all.find((d) => d.index === 0)!;
	const named = await device(proc, o.device);
	if (named !== null) return named;
	return /^\d+$/.test(o.device) ? (all[Number(o.device) - 1] ?? null) : null;
}

/** A live capture, until enough packets came or a signal. */
async function live(proc: Process, o: Options): Promise<number> {
	const on = await choose(proc, o);
	if (on === null) return fail(proc, `${o.device}: No such device exists\n(No such device exists)`);
	const linktype = linktypeOf(on);
	if (o.list === 'linktypes') {
		proc.stdout.write(`Data link types for ${on.name} (use option -y to set):\n  ${linkText(linktype)}\n`);
		return 0;
	}
	const { name } = linktypeName(linktype);
	if (o.linktype !== null && o.linktype.toUpperCase() !== name)
		return fail(proc, `invalid data link type ${o.linktype}`);
	const capture = Capture.open(proc, on, o.snaplen, o.promiscuous);
	if (typeof capture === 'string') return fail(proc, capture);
	let stopped = false;
	proc.on_signal(() => {
		stopped = true;
	});
	if (on.index === 0) proc.stderr.write(`tcpdump: data link type ${name}\n`);
	const filter = compile(proc, o, linktype, true);
	if (filter === null) {
		capture.close();
		return 1;
	}
	const listening = `listening on ${on.name}, link-type ${linkText(linktype)}, snapshot length ${o.snaplen} bytes\n`;
	const quiet = o.write === null && (o.show.v ?? 0) === 0;
	proc.stderr.write(
		`tcpdump: ${quiet ? 'verbose output suppressed, use -v[v]... for full protocol decode\n' : ''}${listening}`,
	);
	const names = await interfaceNames(proc);
	const sink = new Sink(proc, o, linktype, o.snaplen, (i) => names.get(i) ?? null);
	await sink.flush();
	const status = await loop(proc, o, on, capture, filter, sink, () => stopped);
	capture.close();
	return status;
}

async function loop(
	proc: Process,
	o: Options,
	on: Device,
	capture: Capture,
	filter: PacketFilter,
	sink: Sink,
	stopped: () => boolean,
): Promise<number> {
	let received = 0;
	let enough = false;
	let status = 0;
	const loopbacks = new Set<number>();
	for (const d of await devices(proc)) if (d.flags & IFF_LOOPBACK) loopbacks.add(d.index);
	if (on.flags & IFF_LOOPBACK) loopbacks.add(on.index);
	while (!enough && !stopped()) {
		const p = await capture.next();
		if (p === null) break;
		if (typeof p === 'number') {
			fail(proc, p === -100 ? 'pcap_loop: The interface disappeared' : `pcap_loop: ${strerror(-p)}`);
			status = 1;
			break;
		}
		if (!filter.match(p.data, p.origLen)) continue;
		received++;
		// Loopback shows each packet twice, going out and coming in: libpcap drops the first.
		if (p.outgoing && loopbacks.has(p.ifindex)) continue;
		if (o.direction !== null && p.outgoing !== (o.direction === 'out')) continue;
		enough = await sink.packet(p);
	}
	await sink.flush();
	// After a signal a line may be half written: tcpdump ends it.
	if (!enough && status === 0 && o.write === null && !o.countOnly) proc.stdout.write('\n');
	const plural = (n: number, what: string) => `${n} packet${n === 1 ? '' : 's'} ${what}\n`;
	proc.stderr.write(plural(sink.taken, 'captured'));
	proc.stderr.write(plural(received, 'received by filter'));
	proc.stderr.write(plural(capture.dropped(), 'dropped by kernel'));
	return sink.failed ? 1 : status;
}
