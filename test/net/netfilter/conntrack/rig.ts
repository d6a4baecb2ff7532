/*
 * A machine with netfilter and conntrack and nothing else: packets go through the hooks as a router's would.
 */
import { Machine } from '../../../../src/kernel/machine.ts';
import { sysctl_root } from '../../../../src/kernel/sysctl.ts';
import { csum_fold, csum_partial, csum_tcpudp_nofold } from '../../../../src/lib/checksum.ts';
import { EventQueue } from '../../../../src/lib/event_queue.ts';
import type { net } from '../../../../src/net/core/net_namespace.ts';
import { net_ns_init } from '../../../../src/net/core/net_namespace.ts';
import {
	alloc_skb,
	consume_skb,
	type sk_buff,
	skb_init,
	skb_put,
	skb_reserve,
} from '../../../../src/net/core/skbuff.ts';
import { ip_pton } from '../../../../src/net/ipv4/ip.ts';
import { netfilter_init, nf_hook } from '../../../../src/net/netfilter/core.ts';
import { IP_CT_UNTRACKED, type nf_conn, nf_ct_entries } from '../../../../src/net/netfilter/nf_conntrack_core.ts';
import { nf_ct_netns_get } from '../../../../src/net/netfilter/nf_conntrack_proto.ts';
import { tcp_conntrack_names } from '../../../../src/net/netfilter/nf_conntrack_proto_tcp.ts';
import { nf_conntrack_standalone_init } from '../../../../src/net/netfilter/nf_conntrack_standalone.ts';
import { nf_nat_init } from '../../../../src/net/netfilter/nf_nat_core.ts';

export interface Rig {
	machine: Machine;
	clock: EventQueue;
	net: net;
}

export function rig(seed = 1): Rig {
	const clock = new EventQueue();
	const machine = new Machine('r', clock, seed, { sleep() {}, wake() {}, fork() {}, exit() {} });
	machine.sysctl = new sysctl_root();
	net_ns_init(machine);
	skb_init(machine);
	netfilter_init(machine);
	nf_conntrack_standalone_init(machine);
	nf_nat_init(machine);
	const net = machine.init_net;
	nf_ct_netns_get(net, 2);
	return { machine, clock, net };
}

/** Lets time pass. */
export function pass(r: Rig, seconds: number): void {
	const until = r.clock.now + seconds * 1e9;
	while (r.clock.step(until));
	r.clock.now = until;
}

function okfn(): number {
	return 0;
}

/** An IPv4 packet around `payload`, with a good header checksum. */
export function ip4(src: string | number, dst: string | number, proto: number, payload: Uint8Array): Uint8Array {
	const s = typeof src === 'string' ? ip_pton(src) : src;
	const d = typeof dst === 'string' ? ip_pton(dst) : dst;
	const b = new Uint8Array(20 + payload.length);
	const v = new DataView(b.buffer);
	b[0] = 0x45;
	v.setUint16(2, b.length);
	b[8] = 64;
	b[9] = proto;
	v.setUint32(12, s);
	v.setUint32(16, d);
	v.setUint16(10, csum_fold(csum_partial(b, 0, 20, 0)));
	b.set(payload, 20);
	return b;
}

/** Writes the transport checksum of an IPv4 packet at `at` (from the transport header). */
function l4_csum(p: Uint8Array, at: number): Uint8Array {
	const v = new DataView(p.buffer);
	const pseudo = p[9] === 1 ? 0 : csum_tcpudp_nofold(v.getUint32(12), v.getUint32(16), p.length - 20, p[9], 0);
	v.setUint16(20 + at, csum_fold(csum_partial(p, 20, p.length - 20, pseudo)));
	return p;
}

export function udp4(src: string, dst: string, sport: number, dport: number, len = 8): Uint8Array {
	const u = new Uint8Array(8 + len);
	const v = new DataView(u.buffer);
	v.setUint16(0, sport);
	v.setUint16(2, dport);
	v.setUint16(4, u.length);
	return l4_csum(ip4(src, dst, 17, u), 6);
}

const FLAGS: Record<string, number> = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32, E: 64, C: 128 };

export interface Segment {
	flags: string;
	seq?: number;
	ack?: number;
	win?: number;
	len?: number;
	/** Options, in hex. */
	opts?: string;
}

export function tcp4(src: string, dst: string, sport: number, dport: number, s: Segment): Uint8Array {
	const opts = (s.opts ?? '').match(/../g)?.map((x) => parseInt(x, 16)) ?? [];
	while (opts.length % 4 !== 0) opts.push(1);
	const t = new Uint8Array(20 + opts.length + (s.len ?? 0));
	const v = new DataView(t.buffer);
	v.setUint16(0, sport);
	v.setUint16(2, dport);
	v.setUint32(4, s.seq ?? 0);
	v.setUint32(8, s.ack ?? 0);
	t[12] = (5 + opts.length / 4) << 4;
	for (const c of s.flags) t[13] |= FLAGS[c];
	v.setUint16(14, s.win ?? 1000);
	t.set(opts, 20);
	t.fill(0x78, 20 + opts.length);
	return l4_csum(ip4(src, dst, 6, t), 16);
}

export function icmp4(
	src: string,
	dst: string,
	type: number,
	code: number,
	rest: number,
	body: Uint8Array = new Uint8Array(8),
): Uint8Array {
	const u = new Uint8Array(8 + body.length);
	const v = new DataView(u.buffer);
	u[0] = type;
	u[1] = code;
	v.setUint32(4, rest);
	u.set(body, 8);
	return l4_csum(ip4(src, dst, 1, u), 2);
}

export function skb_of(r: Rig, bytes: Uint8Array): sk_buff {
	const skb = alloc_skb(r.machine, 64 + bytes.length);
	skb_reserve(skb, 64);
	const at = skb_put(skb, bytes.length);
	skb.head.set(bytes, at);
	skb.network_header = at;
	skb.protocol = 0x0800;
	return skb;
}

export interface Passed {
	/** The packet as it left, or null when it was dropped. */
	bytes: Uint8Array | null;
	/** NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED as PRE_ROUTING left it. */
	state: string;
	ct: nf_conn | null;
}

const STATES = ['ESTABLISHED', 'RELATED', 'NEW', 'ESTABLISHED', 'RELATED'];

/** One packet through the hooks of a router (PRE_ROUTING, FORWARD, POST_ROUTING) or of a host. */
export function forward(r: Rig, bytes: Uint8Array, hooks: readonly number[] = [0, 2, 4]): Passed {
	const skb = skb_of(r, bytes);
	let state = 'INVALID';
	let ct: nf_conn | null = null;
	for (const hook of hooks) {
		if (nf_hook(2, hook, r.net, null, skb, null, null, okfn) !== 1) return { bytes: null, state, ct };
		if (hook === hooks[0]) {
			ct = skb._nfct;
			state = skb._nfctinfo === IP_CT_UNTRACKED ? 'UNTRACKED' : ct === null ? 'INVALID' : STATES[skb._nfctinfo];
		}
	}
	const out = skb.head.slice(skb.data, skb.tail);
	consume_skb(skb);
	return { bytes: out, state, ct };
}

/** All entries, as `STATE/timeout/flags`. */
export function entries(r: Rig): nf_conn[] {
	return nf_ct_entries(r.machine.ct, r.net);
}

export function tcp_state(ct: nf_conn): string {
	return tcp_conntrack_names[ct.tcp!.state];
}
