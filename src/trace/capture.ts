/*
 * trace/capture.ts: replays captures that hold both what came to a host and what it sent: what it sent is compared with what it sends here.
 *
 * Walk: `arrival` replays a frame and keeps what the host sent because of it -> `own` looks for a frame that the real host sent among those:
 * the same, or another form of it, or none. None: a packet of the host's own is sent here, too, through NF_INET_LOCAL_OUT, so that
 * conntrack sees both directions; one that it forwarded is told with what became here of its arrival -> `expired` tells of what was
 * sent here and never there.
 *
 * What is the host's own: from an address of its own with the TTL that it gives to new packets. Its sockets are not modelled here, so the
 * answers of its TCP and its complaints about closed ports are taken from the capture, and held back in the replay (linnet_held).
 */
import type { frame_offload, Surroundings } from '../lab/surroundings.ts';
import { get_unaligned_be16, get_unaligned_be32 } from '../lib/byteorder.ts';
import { consume_skb, type sk_buff } from '../net/core/skbuff.ts';
import { inet_addr_type } from '../net/ipv4/fib_frontend.ts';
import { nf_register_net_hook } from '../net/netfilter/core.ts';
import { nf_conntrack_find_get } from '../net/netfilter/nf_conntrack_core.ts';
import { NF_ACCEPT, NF_INET_LOCAL_OUT, NF_STOLEN, NFPROTO_IPV4 } from '../uapi/linux/netfilter.ts';
import { RTN_LOCAL } from '../uapi/linux/rtnetlink.ts';
import type { PacketJourney } from './explain.ts';
import { capturedOffload, flowTuple, packetKey, tupleKey } from './frames.ts';
import type { Replay } from './replay.ts';
import { packetLine } from './steps.ts';

const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;

/** Which frame of which capture. */
export interface FrameRef {
	dev: string;
	/** From 1, in its file. */
	number: number;
	file: string;
}

/** What is said of a frame that the real host sent. */
export interface OwnFrame {
	/**
	 * 'same': sent here, too. 'differs': sent here in another form. 'missing': forwarded there, not here. 'unseen': forwarded, and its
	 * arrival is in no capture. 'local': of the host's own, sent here, too. 'blocked': of the host's own, and not sent here.
	 * 'other': ARP and the like, which are not compared.
	 */
	kind: 'same' | 'differs' | 'missing' | 'unseen' | 'local' | 'blocked' | 'other';
	packet: string;
	/** 'differs': what was sent here instead, and where. */
	here?: { dev: string; packet: string };
	/** 'missing', 'differs': the frame that it was made of, and what became of that here. */
	arrival?: { frame: FrameRef; journey: PacketJourney };
	/** 'local', 'blocked': its way out of the host. */
	journey?: PacketJourney;
}

/** A frame that was sent here and not by the real host. */
export interface MissingFrame {
	dev: string;
	packet: string;
	/** ns of the world's clock. */
	time: number;
	arrival: FrameRef;
}

interface Sent {
	dev: string;
	bytes: Uint8Array;
	time: number;
	arrival: Arrived;
	found: boolean;
}

interface Arrived {
	frame: FrameRef;
	journey: PacketJourney;
	time: number;
}

/** How long what was sent there may come after what was sent here: an ARP exchange that failed, and more. */
const WINDOW = 5e9;

function push<T>(map: Map<number, T[]>, key: number, value: T): void {
	const list = map.get(key);
	if (list === undefined) map.set(key, [value]);
	else list.push(value);
}

function remove<T>(map: Map<number, T[]>, key: number, value: T): void {
	const list = map.get(key);
	if (list === undefined) return;
	const at = list.indexOf(value);
	if (at >= 0) list.splice(at, 1);
	if (list.length === 0) map.delete(key);
}

/** What a socket would say, which the capture holds as the real host said it. */
function linnet_held(_priv: unknown, skb: sk_buff): number {
	const because = skb.journey?.parent?.records;
	if (because === undefined || !because.some((r) => r.kind === 'socket' && r.detail?.found === false)) return NF_ACCEPT;
	consume_skb(skb);
	return NF_STOLEN;
}

export class CaptureReplay {
	readonly replay: Replay;
	/** Devices whose captures hold what the host sent. */
	readonly twoWay: ReadonlySet<string>;
	private strict: Map<number, Sent[]> = new Map();
	private loose: Map<number, Sent[]> = new Map();
	private sent: Sent[] = [];
	private arrivedBy: Map<number, Arrived[]> = new Map();
	private arrived: { key: number; it: Arrived }[] = [];
	/** Flows that the host translated and whose own packets are in no capture: their answers. */
	private unseen: Set<string> = new Set();
	private sentHead = 0;
	private arrivedHead = 0;

	constructor(replay: Replay, twoWay: ReadonlySet<string>) {
		this.replay = replay;
		this.twoWay = twoWay;
		if (twoWay.size > 0) {
			replay.keepSent = true;
			nf_register_net_hook(replay.imp.host.machine.init_net, {
				hook: linnet_held,
				priv: null,
				pf: NFPROTO_IPV4,
				hooknum: NF_INET_LOCAL_OUT,
				priority: -0x80000000,
				name: 'linnet_held',
			});
		}
	}

	private get now(): number {
		return this.replay.imp.host.world.clock.now;
	}

	private offload(dev: string, frame: Uint8Array, cut: boolean): frame_offload | null {
		return capturedOffload(frame, this.replay.imp.surroundings.get(dev)!.nic.dev.mtu, cut);
	}

	/** A frame arrived at the real host: it does here. `cut`: the capture kept its beginning only, the rest is zeros. */
	arrival(frame: FrameRef, bytes: Uint8Array, cut: boolean, brief: boolean): PacketJourney {
		if (this.unseen.size > 0 && this.unknowable(bytes)) return this.unjudged(bytes);
		const result = this.replay.receive(frame.dev, bytes, brief, this.offload(frame.dev, bytes, cut));
		if (this.twoWay.size === 0) return result.journey;
		const it: Arrived = { frame, journey: result.journey, time: this.now };
		if (get_unaligned_be16(bytes, 12) === ETH_P_IP) {
			const key = packetKey(bytes, false);
			push(this.arrivedBy, key, it);
			this.arrived.push({ key, it });
		}
		this.keep(result.sent, it);
		return result.journey;
	}

	/** Whether it answers a flow of which the host knew more than the captures tell. */
	private unknowable(bytes: Uint8Array): boolean {
		const t = get_unaligned_be16(bytes, 12) === ETH_P_IP ? flowTuple(bytes, false) : null;
		if (t === null || !this.unseen.has(tupleKey(t))) return false;
		return nf_conntrack_find_get(this.replay.imp.host.machine.init_net, 0, t) === null;
	}

	private unjudged(bytes: Uint8Array): PacketJourney {
		return {
			packet: packetLine(bytes.subarray(14)),
			machine: this.replay.imp.host.name,
			steps: [],
			action: 'undecided',
			why: 'it answers a flow that the host forwarded and translated, and whose own packets are in no capture: capture the device where they arrive, too',
			caused: [],
			continued: [],
		};
	}

	private keep(frames: readonly { nic: { name: string }; bytes: Uint8Array }[], arrival: Arrived): void {
		for (const f of frames) {
			if (get_unaligned_be16(f.bytes, 12) !== ETH_P_IP || !this.twoWay.has(f.nic.name)) continue;
			const sent: Sent = { dev: f.nic.name, bytes: f.bytes, time: this.now, arrival, found: false };
			push(this.strict, packetKey(f.bytes, true), sent);
			push(this.loose, packetKey(f.bytes, false), sent);
			this.sent.push(sent);
		}
	}

	private take(s: Sent): void {
		s.found = true;
		remove(this.strict, packetKey(s.bytes, true), s);
		remove(this.loose, packetKey(s.bytes, false), s);
	}

	/** The real host sent a frame. */
	own(frame: FrameRef, bytes: Uint8Array, cut: boolean, brief: boolean): OwnFrame {
		const type = get_unaligned_be16(bytes, 12);
		const packet = type === ETH_P_IP || type === ETH_P_ARP ? packetLine(bytes.subarray(14)) : '';
		if (type !== ETH_P_IP || bytes.length < 34) return { kind: 'other', packet };
		// What the host does by timers, ARP that was answered late: whatever it sent by itself since the last arrival.
		const strict = this.strict.get(packetKey(bytes, true))?.find((s) => s.dev === frame.dev);
		if (strict !== undefined) {
			this.take(strict);
			return { kind: 'same', packet };
		}
		const looseKey = packetKey(bytes, false);
		const loose = this.loose.get(looseKey)?.[0];
		if (loose !== undefined) {
			this.take(loose);
			return {
				kind: 'differs',
				packet,
				here: { dev: loose.dev, packet: packetLine(loose.bytes.subarray(14)) },
				arrival: loose.arrival,
			};
		}
		const came = this.arrivedBy.get(looseKey)?.find((a) => a.frame.dev !== frame.dev || a.journey.out === undefined);
		const local = this.isLocal(bytes);
		if (!local || came !== undefined) {
			if (get_unaligned_be32(bytes, 26) === 0) return { kind: 'other', packet };
			if (came !== undefined) return { kind: 'missing', packet, arrival: came };
			// From an address of the host's own, and not made by it: translated.
			const net = this.replay.imp.host.machine.init_net;
			if (inet_addr_type(net, get_unaligned_be32(bytes, 26)) === RTN_LOCAL && this.unseen.size < 1e6) {
				const answer = flowTuple(bytes, true);
				if (answer !== null) this.unseen.add(tupleKey(answer));
			}
			return { kind: 'unseen', packet };
		}
		return this.sendLocally(frame, bytes, cut, brief, packet);
	}

	/** From an address of the host's own, and as young as what it sends. */
	private isLocal(bytes: Uint8Array): boolean {
		const net = this.replay.imp.host.machine.init_net;
		if (inet_addr_type(net, get_unaligned_be32(bytes, 26)) !== RTN_LOCAL) return false;
		const ttl = bytes[22];
		return ttl === net.ipv4.sysctl_ip_default_ttl || ttl === 255 || bytes[30] >= 224;
	}

	private sendLocally(frame: FrameRef, bytes: Uint8Array, cut: boolean, brief: boolean, packet: string): OwnFrame {
		const result = this.replay.sendRaw(bytes.subarray(14), this.offload(frame.dev, bytes, cut), brief);
		const key = packetKey(bytes, true);
		if (result.sent.some((s) => s.nic.name === frame.dev && packetKey(s.bytes, true) === key))
			return { kind: 'local', packet, journey: result.journey };
		// A fragment waits for the others, which are sent together.
		if ((get_unaligned_be16(bytes, 20) & 0x3fff) !== 0 && result.journey.action !== 'drop')
			return { kind: 'local', packet, journey: result.journey };
		const other = result.sent.find((s) => packetKey(s.bytes, false) === packetKey(bytes, false));
		if (other !== undefined)
			return {
				kind: 'differs',
				packet,
				here: { dev: other.nic.name, packet: packetLine(other.bytes.subarray(14)) },
				journey: result.journey,
			};
		return { kind: 'blocked', packet, journey: result.journey };
	}

	/** What was sent here so long ago that the real host has not sent it. At the end of the captures: all of it. */
	expired(atEnd = false): MissingFrame[] {
		const before = atEnd ? Infinity : this.now - WINDOW;
		const out: MissingFrame[] = [];
		while (this.sentHead < this.sent.length && this.sent[this.sentHead].time < before) {
			const s = this.sent[this.sentHead++];
			if (s.found) continue;
			this.take(s);
			out.push({ dev: s.dev, packet: packetLine(s.bytes.subarray(14)), time: s.time, arrival: s.arrival.frame });
		}
		while (this.arrivedHead < this.arrived.length && this.arrived[this.arrivedHead].it.time < before) {
			const { key, it } = this.arrived[this.arrivedHead++];
			remove(this.arrivedBy, key, it);
		}
		if (this.sentHead > 4096) {
			this.sent = this.sent.slice(this.sentHead);
			this.sentHead = 0;
		}
		if (this.arrivedHead > 4096) {
			this.arrived = this.arrived.slice(this.arrivedHead);
			this.arrivedHead = 0;
		}
		return out;
	}
}

/** Whether the host itself sent the frame that a capture on `around` holds. `direction`: as the capture says, 0 unknown. */
export function isOwnFrame(around: Surroundings, frame: Uint8Array, direction: 0 | 1 | 2): boolean {
	if (direction !== 0) return direction === 2;
	const mac = around.nic.dev.dev_addr;
	if (frame.length < 12) return false;
	for (let i = 0; i < 6; i++) if (frame[6 + i] !== mac[i]) return false;
	return true;
}
