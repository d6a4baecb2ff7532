/*
 * trace/replay.ts: sends packets through an imported host and says what became of them.
 */

import type { journey } from '../kernel/trace.ts';
import { findRuleLine, type ImportedHost } from '../lab/import/import.ts';
import { findListener, listenerText } from '../lab/import/listeners.ts';
import type { frame_offload, SentFrame, Surroundings } from '../lab/surroundings.ts';
import { get_unaligned_be16, get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../lib/byteorder.ts';
import { csum_fold, csum_partial, csum_tcpudp_nofold, ip_fast_csum } from '../lib/checksum.ts';
import { ENETUNREACH } from '../uapi/asm-generic/errno.ts';
import { explain, type LocalLookup, type LocalPacket, type PacketJourney, type RuleLookup } from './explain.ts';
import { local_output } from './local_output.ts';
import { Recorder } from './recorder.ts';
import { packetLine } from './steps.ts';

const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;

/** What one packet did. */
export interface Replayed {
	journey: PacketJourney;
	/** Frames that the host sent because of it, ARP left out. */
	sent: SentFrame[];
	/** Journeys of other packets that the host made meanwhile (ARP, timers). */
	beside: PacketJourney[];
}

export class Replay {
	readonly imp: ImportedHost;
	readonly recorder = new Recorder();
	/** Whether frames that are sent are kept for brief journeys, too. Set before the first. */
	keepSent = false;
	private lookup: RuleLookup;
	private local: LocalLookup;
	private sent: SentFrame[] = [];

	constructor(imp: ImportedHost) {
		this.imp = imp;
		const places = new Map(
			[...imp.snapshot.ruleLines, ...imp.snapshot.policyLines].map((r) => [`${r.table}/${r.chain}/${r.num}`, r]),
		);
		this.lookup = (_machine, table, chain, num) => {
			const r = places.get(`${table}/${chain}/${num}`);
			return r === undefined ? undefined : { text: r.text, config: `${r.file} line ${r.line}` };
		};
		this.local = {
			taken: (p) => localListener(imp, p),
			holder: (protocol, port) => imp.listeners?.find((l) => l.protocol === protocol && l.port === port)?.process ?? '',
		};
		this.listen(false);
	}

	/** `brief`: only the ends of journeys are asked for, and nobody keeps the frames that are sent. */
	private listen(brief: boolean): void {
		this.recorder.brief = brief;
		for (const s of this.imp.surroundings.values()) {
			s.onFrame =
				brief && !this.keepSent
					? null
					: (f) => {
							if (get_unaligned_be16(f.bytes, 12) !== ETH_P_ARP) this.sent.push(f);
						};
		}
	}

	private around(dev: string): Surroundings {
		const s = this.imp.surroundings.get(dev);
		if (s === undefined)
			throw new Error(
				`there is no device '${dev}' on ${this.imp.host.name}; it has ${[...this.imp.surroundings.keys()].join(', ')}`,
			);
		return s;
	}

	/** Lets virtual time pass to `time`, in ns of the world's clock. */
	at(time: number): void {
		this.imp.host.world.advanceTo(time);
	}

	/** An Ethernet frame arrives at `dev` now. Its journey (`brief`: without its steps, and without what was sent unless `keepSent`), and what came of it at this instant. */
	receive(dev: string, frame: Uint8Array, brief = false, offload: frame_offload | null = null): Replayed {
		const around = this.around(dev);
		const { machine, world } = this.imp.host;
		if (brief !== this.recorder.brief) this.listen(brief);
		this.sent = [];
		this.recorder.take();
		this.recorder.start(machine);
		around.inject(frame, offload);
		world.advanceTo(world.clock.now);
		this.recorder.stop(machine);
		return this.result('rx', brief);
	}

	/** What `ip route get` says of a destination: its first line, and the source address that the kernel would choose. */
	async route(dst: number, src: number): Promise<{ text: string; src: string | null }> {
		const from = src === 0 ? [] : ['from', dotted(src)];
		const r = await this.imp.host.exec(['ip', 'route', 'get', dotted(dst), ...from]);
		const text = (r.exitCode === 0 ? r.stdout.split('\n')[0] : r.stderr.split('\n')[0]).trim();
		return { text, src: /\bsrc (\S+)/.exec(text)?.[1] ?? null };
	}

	/** The host itself sends an IPv4 packet (from its IP header on) by a raw socket; `mark`: its SO_MARK. */
	async send(packet: Uint8Array, mark = 0): Promise<Replayed> {
		const { host } = this.imp;
		const { machine, world } = host;
		if (this.recorder.brief) this.listen(false);
		this.sent = [];
		this.recorder.take();
		this.recorder.start(machine);
		const r = await host.exec(['linnet-send', ...(mark === 0 ? [] : [String(mark)])], { stdin: packet });
		world.advanceTo(world.clock.now);
		this.recorder.stop(machine);
		const out = this.result('local');
		if (r.exitCode !== 0 && (out.journey.packet === '' || out.journey.why === undefined)) {
			const error = r.stderr.trim().replace(/^linnet-send: /, '');
			out.journey.why = `no packet leaves: the system call says "${error}"`;
			if (out.journey.packet === '') out.journey.packet = packetLine(packet);
		}
		return out;
	}

	/** The host itself sends an IPv4 packet: as NF_INET_LOCAL_OUT sees it, without a socket and at once. */
	sendRaw(packet: Uint8Array, offload: frame_offload | null = null, brief = false): Replayed {
		const { machine, world } = this.imp.host;
		if (brief !== this.recorder.brief) this.listen(brief);
		this.sent = [];
		this.recorder.take();
		this.recorder.start(machine);
		const err = local_output(machine.init_net, packet, offload);
		world.advanceTo(world.clock.now);
		this.recorder.stop(machine);
		const out = this.result('local', brief);
		if (err < 0 && out.journey.packet === '') {
			out.journey.packet = packetLine(packet);
			out.journey.why = err === -ENETUNREACH ? 'the host has no route for it' : `it cannot be sent (error ${-err})`;
		}
		return out;
	}

	private result(kind: 'rx' | 'local', brief = false): Replayed {
		const roots = this.recorder.take();
		const isMain = (j: journey): boolean =>
			kind === 'rx'
				? j.records.some((r) => r.kind === 'rx')
				: j.records.some(
						(r) => r.kind === 'route' || r.kind === 'hook' || r.fn.startsWith('ip_') || r.fn.startsWith('raw_'),
					);
		const main = roots.find(isMain);
		const others = roots.filter((j) => j !== main);
		const told = main === undefined ? this.nothing(kind) : explain(main, this.lookup, brief, this.local);
		return { journey: told, sent: this.sent, beside: others.map((j) => explain(j, this.lookup, brief, this.local)) };
	}

	/** The journey of a packet that never was. */
	private nothing(kind: 'rx' | 'local'): PacketJourney {
		const why = kind === 'rx' ? 'the device took no such frame' : 'no packet was made';
		return { packet: '', machine: this.imp.host.name, steps: [], action: 'drop', caused: [], continued: [], why };
	}

	/** Line of the imported configuration that holds a rule. */
	configLine(table: string, chain: string, num: number): string | undefined {
		const r = findRuleLine(this.imp.snapshot, table, chain, num);
		return r === undefined ? undefined : `${r.file} line ${r.line}`;
	}
}

function dotted(addr: number): string {
	return `${addr >>> 24}.${(addr >>> 16) & 255}.${(addr >>> 8) & 255}.${addr & 255}`;
}

/** The Ethernet frame that a neighbour of `dev` would send: to the device's own address, from the address of whoever is the next hop. */
export function frameTo(imp: ImportedHost, dev: string, packet: Uint8Array): Uint8Array {
	const around = imp.surroundings.get(dev);
	if (around === undefined)
		throw new Error(
			`there is no device '${dev}' on ${imp.host.name}; it has ${[...imp.surroundings.keys()].join(', ')}`,
		);
	const frame = new Uint8Array(14 + packet.length);
	const dst = packet.length >= 20 ? get_unaligned_be32(packet, 16) : 0;
	if (dst === 0xffffffff) frame.fill(0xff, 0, 6);
	else if (dst >>> 28 === 0xe) frame.set([0x01, 0x00, 0x5e, (dst >>> 16) & 0x7f, (dst >>> 8) & 0xff, dst & 0xff], 0);
	else frame.set(around.nic.dev.dev_addr, 0);
	frame.set(around.lladdr(packet.length >= 20 ? get_unaligned_be32(packet, 12) : 0), 6);
	put_unaligned_be16(frame, 12, ETH_P_IP);
	frame.set(packet, 14);
	return frame;
}

/** The answer that the other side would give to an IPv4 packet: SYN|ACK to SYN, echo reply to echo, a datagram back. null when there is none. */
export function answerTo(packet: Uint8Array): Uint8Array | null {
	if (packet.length < 20 || packet[0] >> 4 !== 4) return null;
	const ihl = (packet[0] & 15) * 4;
	const proto = packet[9];
	if (packet.length < ihl + 8) return null;
	const len = proto === 6 ? Math.min(packet.length, ihl + 20) : packet.length;
	const out = new Uint8Array(20 + len - ihl);
	out.set(packet.subarray(0, 20), 0);
	out[0] = 0x45;
	out[8] = 64;
	put_unaligned_be16(out, 2, out.length);
	put_unaligned_be16(out, 6, packet[6] & 0x40 ? 0x4000 : 0);
	out.set(packet.subarray(16, 20), 12);
	out.set(packet.subarray(12, 16), 16);
	out.set(packet.subarray(ihl, len), 20);
	const l4 = out.length - 20;
	if (proto === 1) {
		if (packet[ihl] !== 8) return null;
		out[20] = 0;
		put_unaligned_be16(out, 22, 0);
		put_unaligned_be16(out, 22, csum_fold(csum_partial(out, 20, l4, 0)));
	} else if (proto === 6) {
		const flags = packet[ihl + 13];
		if ((flags & 4) !== 0) return null;
		const seq = get_unaligned_be32(packet, ihl + 4);
		const data = packet.length - ihl - (packet[ihl + 12] >> 4) * 4;
		const syn = (flags & 2) !== 0;
		out.set(packet.subarray(ihl + 2, ihl + 4), 20);
		out.set(packet.subarray(ihl, ihl + 2), 22);
		put_unaligned_be32(out, 24, syn && (flags & 16) === 0 ? 1 : get_unaligned_be32(packet, ihl + 8));
		put_unaligned_be32(out, 28, (seq + data + (syn ? 1 : 0) + (flags & 1)) >>> 0);
		out[32] = 0x50;
		out[33] = syn && (flags & 16) === 0 ? 0x12 : 0x10;
		put_unaligned_be16(out, 38, 0);
		put_unaligned_be16(out, 36, 0);
		put_unaligned_be16(
			out,
			36,
			csum_fold(
				csum_tcpudp_nofold(
					get_unaligned_be32(out, 12),
					get_unaligned_be32(out, 16),
					l4,
					6,
					csum_partial(out, 20, l4, 0),
				),
			),
		);
	} else if (proto === 17) {
		out.set(packet.subarray(ihl + 2, ihl + 4), 20);
		out.set(packet.subarray(ihl, ihl + 2), 22);
		put_unaligned_be16(out, 26, 0);
	} else return null;
	put_unaligned_be16(out, 10, 0);
	put_unaligned_be16(out, 10, ip_fast_csum(out, 0, 5));
	return out;
}

/** Why it is taken that a socket of the host is there for a packet that linnet has none for; null: there is none. */
function localListener(imp: ImportedHost, p: LocalPacket): ReturnType<LocalLookup['taken']> {
	const what = p.protocol === 'icmp' ? `ping with id ${p.port}` : `${p.protocol} port ${p.port}`;
	if (p.reply)
		return { text: `an answer to what the host itself sent: taken by the socket that sent it (${what})`, sure: true };
	const { listeners } = imp;
	if (listeners === null)
		return {
			text:
				p.protocol === 'icmp'
					? `somebody waits for this answer (${what}): the host's sockets were not collected`
					: `somebody listens on ${what}: the host's listeners were not collected`,
			sure: false,
		};
	const l = findListener(listeners, p.protocol, p.addr, p.port);
	if (l !== undefined) return { text: `${listenerText(l)} (listener from the capture)`, sure: true };
	// Its listener may be gone, or it was the host that connected: conntrack has seen both sides talk.
	if (p.state === 'ESTABLISHED' && p.protocol !== 'icmp')
		return { text: `conntrack knows the flow as ESTABLISHED: its socket is taken to be there (${what})`, sure: false };
	return null;
}
