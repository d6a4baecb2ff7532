/*
 * net/netfilter/nf_nat_core.ts: network address translation.       Linux: net/netfilter/nf_nat_core.c, net/netfilter/nf_nat.h
 *
 * A flow's first packet is bound once per direction of change (source, destination): nf_nat_setup_info picks a tuple that no other flow
 * has and writes it, inverted, into the entry's reply tuple. From then on every packet is rewritten from the tuples alone.
 * Walk: a nat hook -> nf_nat_inet_fn -> the nat table's rules -> nf_nat_setup_info -> get_unique_tuple; then nf_nat_packet ->
 * nf_nat_manip_pkt (nf_nat_proto.ts).
 * RFC 4787 (what a NAT should be; Linux's mapping is address and port dependent on collision), RFC 5508 (ICMP).
 */
import type { Machine } from '../../kernel/machine.ts';
import { trace_event } from '../../kernel/trace.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import {
	IP_CT_IS_REPLY,
	IP_CT_NEW,
	IP_CT_RELATED,
	IP_CT_RELATED_REPLY,
	IPS_CONFIRMED,
	IPS_DST_NAT,
	IPS_DST_NAT_DONE,
	IPS_NAT_MASK,
	IPS_SRC_NAT,
	IPS_SRC_NAT_DONE,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { TCP_CONNTRACK_TIME_WAIT } from '../../uapi/linux/netfilter/nf_conntrack_tcp.ts';
import {
	NF_NAT_RANGE_MAP_IPS,
	NF_NAT_RANGE_PERSISTENT,
	NF_NAT_RANGE_PROTO_OFFSET,
	NF_NAT_RANGE_PROTO_RANDOM_ALL,
	NF_NAT_RANGE_PROTO_SPECIFIED,
} from '../../uapi/linux/netfilter/nf_nat.ts';
import {
	NF_ACCEPT,
	NF_DROP,
	NF_INET_LOCAL_IN,
	NF_INET_NUMHOOKS,
	NF_INET_POST_ROUTING,
} from '../../uapi/linux/netfilter.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type nf_hook_ops, type nf_hook_state, nf_register_net_hook, nf_unregister_net_hook } from './core.ts';
import {
	IPPROTO_GRE,
	type nf_conn,
	type nf_conntrack_global,
	type nf_conntrack_tuple,
	nf_conntrack_tuple_taken,
	nf_ct_invert_tuple,
	nf_ct_kill,
	nf_ct_tuple_copy,
	nf_ct_tuple_equal,
	nf_ct_tuple_text,
} from './nf_conntrack_core.ts';
import { nf_nat_manip_pkt } from './nf_nat_proto.ts';

export const NF_NAT_MANIP_SRC = 0;
export const NF_NAT_MANIP_DST = 1;

/** What a rule allows the new address and port to be. Addresses and ports in host order, unsigned. */
export class nf_nat_range2 {
	/** NF_NAT_RANGE_* */
	flags = 0;
	min_addr = 0;
	max_addr = 0;
	/** Ports, ICMP ids. */
	min_proto = 0;
	max_proto = 0;
	base_proto = 0;
}

/** Whether a hook changes sources or destinations. */
export function HOOK2MANIP(hooknum: number): number {
	return hooknum === NF_INET_POST_ROUTING || hooknum === NF_INET_LOCAL_IN ? NF_NAT_MANIP_SRC : NF_NAT_MANIP_DST;
}

/** Whether the flow is bound already in this respect. */
export function nf_nat_initialized(ct: nf_conn, manip: number): boolean {
	return (ct.status & (manip === NF_NAT_MANIP_SRC ? IPS_SRC_NAT_DONE : IPS_DST_NAT_DONE)) !== 0;
}

// ---- entries by source ---------------------------------------------------------------------------------------------------------

const NAT_HTABLE_FIRST = 256;

function hash_by_src(g: nf_conntrack_global, net: net, zone: number, t: nf_conntrack_tuple): number {
	return jhash_3words(t.src_ip, (t.src_u << 8) ^ t.protonum, (net.inum << 4) ^ zone, g.hash_rnd) & g.nf_nat_htable_mask;
}

function nat_bysource_link(g: nf_conntrack_global, table: (nf_conn | null)[], ct: nf_conn): void {
	const at = hash_by_src(g, ct.net, ct.zone, ct.orig);
	const first = table[at];
	ct.nat_bysource = first;
	ct.nat_bysource_prev = null;
	if (first !== null) first.nat_bysource_prev = ct;
	table[at] = ct;
}

function nat_bysource_add(g: nf_conntrack_global, ct: nf_conn): void {
	let table = g.nf_nat_bysource;
	if (table === null || g.nf_nat_count >= table.length) {
		const old = table;
		const size = old === null ? NAT_HTABLE_FIRST : old.length * 2;
		table = new Array(size).fill(null) as (nf_conn | null)[];
		g.nf_nat_bysource = table;
		g.nf_nat_htable_mask = size - 1;
		for (let i = 0; old !== null && i < old.length; i++) {
			for (let c = old[i]; c !== null; ) {
				const next: nf_conn | null = c.nat_bysource;
				nat_bysource_link(g, table, c);
				c = next;
			}
		}
	}
	nat_bysource_link(g, table, ct);
	g.nf_nat_count++;
}

/** Takes the entry off its source's list. */
export function nf_nat_cleanup_conntrack(ct: nf_conn): void {
	if ((ct.status & IPS_SRC_NAT_DONE) === 0) return;
	const g = ct.net.machine.ct;
	const table = g.nf_nat_bysource;
	if (table === null) return;
	const next = ct.nat_bysource;
	const prev = ct.nat_bysource_prev;
	if (prev !== null) {
		prev.nat_bysource = next;
	} else {
		const at = hash_by_src(g, ct.net, ct.zone, ct.orig);
		// A mapping that was given up before.
		if (table[at] !== ct) return;
		table[at] = next;
	}
	if (next !== null) next.nat_bysource_prev = prev;
	ct.nat_bysource = null;
	ct.nat_bysource_prev = null;
	g.nf_nat_count--;
}

// ---- which tuple ---------------------------------------------------------------------------------------------------------------

function l4proto_in_range(t: nf_conntrack_tuple, maniptype: number, min: number, max: number): boolean {
	const v = t.protonum === IPPROTO_ICMP || maniptype === NF_NAT_MANIP_SRC ? t.src_u : t.dst_u;
	switch (t.protonum) {
		case IPPROTO_ICMP:
		case IPPROTO_GRE:
		case IPPROTO_TCP:
		case IPPROTO_UDP:
		case 132:
		case 136:
			return v >= min && v <= max;
		default:
			return true;
	}
}

/** Whether the source of `t` is one that `range` allows. */
function nf_in_range(t: nf_conntrack_tuple, range: nf_nat_range2): boolean {
	if ((range.flags & NF_NAT_RANGE_MAP_IPS) !== 0) {
		const ip = t.src_ip >>> 0;
		if (ip < range.min_addr || ip > range.max_addr) return false;
	}
	if ((range.flags & NF_NAT_RANGE_PROTO_SPECIFIED) === 0) return true;
	return l4proto_in_range(t, NF_NAT_MANIP_SRC, range.min_proto, range.max_proto);
}

/** Whether another flow's answers would look like those to `tuple`. */
export function nf_nat_used_tuple(tuple: nf_conntrack_tuple, ignored: nf_conn): boolean {
	const reply = ignored.net.machine.ct.tuple3;
	nf_ct_invert_tuple(reply, tuple);
	return nf_conntrack_tuple_taken(reply, ignored) !== null;
}

/** As nf_nat_used_tuple; when few attempts are left, a TCP flow that is as good as over makes room. */
function nf_nat_used_tuple_harder(tuple: nf_conntrack_tuple, ignored: nf_conn, attempts_left: number): boolean {
	const reply = ignored.net.machine.ct.tuple3;
	nf_ct_invert_tuple(reply, tuple);
	const other = nf_conntrack_tuple_taken(reply, ignored);
	if (other === null) return false;
	if (attempts_left > NF_NAT_HARDER_THRESH || other.tcp === null) return true;
	if (other.tcp.state < TCP_CONNTRACK_TIME_WAIT || other.tcp.state > TCP_CONNTRACK_TIME_WAIT + 1) return true;
	return !nf_ct_kill(other);
}

const NF_NAT_MAX_ATTEMPTS = 128;
const NF_NAT_HARDER_THRESH = NF_NAT_MAX_ATTEMPTS / 4;

/** Another flow from the same source that is translated to something `range` allows: `result` becomes the same source. */
function find_appropriate_src(
	g: nf_conntrack_global,
	net: net,
	zone: number,
	tuple: nf_conntrack_tuple,
	result: nf_conntrack_tuple,
	range: nf_nat_range2,
): boolean {
	if (g.nf_nat_bysource === null) return false;
	for (let ct = g.nf_nat_bysource[hash_by_src(g, net, zone, tuple)]; ct !== null; ct = ct.nat_bysource) {
		const t = ct.orig;
		if (
			t.src_ip === tuple.src_ip &&
			t.src_u === tuple.src_u &&
			t.protonum === tuple.protonum &&
			ct.net === net &&
			ct.zone === zone
		) {
			nf_ct_invert_tuple(result, ct.reply);
			result.dst_ip = tuple.dst_ip;
			result.dst_u = tuple.dst_u;
			if (nf_in_range(result, range)) return true;
		}
	}
	return false;
}

function bswap32(v: number): number {
	return (v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24);
}

/** jhash2 of an address as Linux holds it (four words, of which IPv4 uses the first) on a little-endian machine. */
function jhash2_addr(ip: number, initval: number): number {
	// Three words are mixed in, then the fourth (0) goes through the final round.
	const iv = (0xdeadbeef + (4 << 2) + initval) | 0;
	let a = (iv + bswap32(ip)) | 0;
	let b = iv;
	let c = iv;
	a = (a - c) | 0;
	a ^= (c << 4) | (c >>> 28);
	c = (c + b) | 0;
	b = (b - a) | 0;
	b ^= (a << 6) | (a >>> 26);
	a = (a + c) | 0;
	c = (c - b) | 0;
	c ^= (b << 8) | (b >>> 24);
	b = (b + a) | 0;
	a = (a - c) | 0;
	a ^= (c << 16) | (c >>> 16);
	c = (c + b) | 0;
	b = (b - a) | 0;
	b ^= (a << 19) | (a >>> 13);
	a = (a + c) | 0;
	c = (c - b) | 0;
	c ^= (b << 4) | (b >>> 28);
	b = (b + a) | 0;
	// jhash_3words adds its own constant to each word; it is taken off before.
	const off = (0xdeadbeef + 12) | 0;
	return jhash_3words((a - off) | 0, (b - off) | 0, (c - off) | 0, 0);
}

/** Picks an address out of the range: always the same for a pair of hosts (PERSISTENT: for a source). */
function find_best_ips_proto(zone: number, tuple: nf_conntrack_tuple, range: nf_nat_range2, maniptype: number): void {
	if ((range.flags & NF_NAT_RANGE_MAP_IPS) === 0) return;
	let ip: number;
	if (range.min_addr === range.max_addr) {
		ip = range.min_addr;
	} else {
		const initval = (range.flags & NF_NAT_RANGE_PERSISTENT) !== 0 ? 0 : bswap32(tuple.dst_ip) ^ zone;
		const j = jhash2_addr(tuple.src_ip, initval);
		const span = range.max_addr - range.min_addr + 1;
		ip = range.min_addr + Math.floor((j * span) / 0x100000000);
	}
	if (maniptype === NF_NAT_MANIP_SRC) tuple.src_ip = ip | 0;
	else tuple.dst_ip = ip | 0;
}

/** Looks for a port, id or key that makes the tuple unique. Gives up silently: then a clash at confirm drops the packet. */
function nf_nat_l4proto_unique_tuple(
	tuple: nf_conntrack_tuple,
	range: nf_nat_range2,
	maniptype: number,
	ct: nf_conn,
): void {
	const random = ct.net.machine.random;
	const flags = range.flags;
	let src: boolean;
	let min: number;
	let range_size: number;
	switch (tuple.protonum) {
		case IPPROTO_ICMP:
			src = true;
			if ((flags & NF_NAT_RANGE_PROTO_SPECIFIED) === 0) {
				min = 0;
				range_size = 65536;
			} else {
				min = range.min_proto;
				range_size = range.max_proto - range.min_proto + 1;
			}
			break;
		case IPPROTO_GRE:
			// Without a master (PPTP's control connection) plain GRE has no key to change.
			return;
		case IPPROTO_TCP:
		case IPPROTO_UDP:
		case 132:
		case 136: {
			src = maniptype === NF_NAT_MANIP_SRC;
			if ((flags & NF_NAT_RANGE_PROTO_SPECIFIED) === 0) {
				// A destination port is never changed unless the rule says so.
				if (!src) return;
				// A port stays in its class: rlogin's, other privileged ones, the rest.
				if (tuple.src_u < 512) {
					min = 1;
					range_size = 511;
				} else if (tuple.src_u < 1024) {
					min = 600;
					range_size = 1023 - 600 + 1;
				} else {
					min = 1024;
					range_size = 65536 - 1024;
				}
			} else {
				min = Math.min(range.min_proto, range.max_proto);
				range_size = Math.abs(range.max_proto - range.min_proto) + 1;
			}
			break;
		}
		default:
			return;
	}
	let off: number;
	if ((flags & NF_NAT_RANGE_PROTO_OFFSET) !== 0) off = (src ? tuple.src_u : tuple.dst_u) - range.base_proto;
	else if ((flags & NF_NAT_RANGE_PROTO_RANDOM_ALL) !== 0 || maniptype !== NF_NAT_MANIP_DST) off = random.u32() & 0xffff;
	else off = 0;
	if (off < 0) off += 65536;
	let attempts = Math.min(range_size, NF_NAT_MAX_ATTEMPTS);
	for (;;) {
		for (let i = 0; i < attempts; i++, off++) {
			const v = (min + (off % range_size)) & 0xffff;
			if (src) tuple.src_u = v;
			else tuple.dst_u = v;
			if (!nf_nat_used_tuple_harder(tuple, ct, attempts - i)) return;
		}
		if (attempts >= range_size || attempts < 16) return;
		attempts >>= 1;
		off = random.u32() & 0xffff;
	}
}

/** The tuple that `orig` is to become: unique where that can be had, and as close to the original as the range allows. */
function get_unique_tuple(
	tuple: nf_conntrack_tuple,
	orig: nf_conntrack_tuple,
	range: nf_nat_range2,
	ct: nf_conn,
	maniptype: number,
): void {
	const net = ct.net;
	const flags = range.flags;
	const keep = (flags & NF_NAT_RANGE_PROTO_RANDOM_ALL) === 0;
	// The same source to another destination keeps the mapping that it has, so that its peers see one address.
	if (maniptype === NF_NAT_MANIP_SRC && keep) {
		if (nf_in_range(orig, range)) {
			if (!nf_nat_used_tuple(orig, ct)) {
				nf_ct_tuple_copy(tuple, orig);
				return;
			}
		} else if (find_appropriate_src(net.machine.ct, net, ct.zone, orig, tuple, range)) {
			if (!nf_nat_used_tuple(tuple, ct)) return;
		}
	}
	nf_ct_tuple_copy(tuple, orig);
	find_best_ips_proto(ct.zone, tuple, range, maniptype);
	if (keep) {
		if ((flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0) {
			if (
				(flags & NF_NAT_RANGE_PROTO_OFFSET) === 0 &&
				l4proto_in_range(tuple, maniptype, range.min_proto, range.max_proto) &&
				(range.min_proto === range.max_proto || !nf_nat_used_tuple(tuple, ct))
			)
				return;
		} else if (!nf_nat_used_tuple(tuple, ct)) {
			return;
		}
	}
	nf_nat_l4proto_unique_tuple(tuple, range, maniptype, ct);
}

/** Binds an unconfirmed flow's source or destination to what `range` allows. Return: a verdict. */
export function nf_nat_setup_info(ct: nf_conn, range: nf_nat_range2, maniptype: number): number {
	if ((ct.status & IPS_CONFIRMED) !== 0) return NF_ACCEPT;
	const done = maniptype === NF_NAT_MANIP_SRC ? IPS_SRC_NAT_DONE : IPS_DST_NAT_DONE;
	if ((ct.status & done) !== 0) return NF_DROP;
	const g = ct.net.machine.ct;
	const curr = g.tuple;
	const fresh = g.tuple2;
	// What the packet looks like now: the reply tuple's inverse, for it may have been changed already in the other respect.
	nf_ct_invert_tuple(curr, ct.reply);
	get_unique_tuple(fresh, curr, range, ct, maniptype);
	if (!nf_ct_tuple_equal(fresh, curr)) {
		nf_ct_invert_tuple(ct.reply, fresh);
		ct.status |= maniptype === NF_NAT_MANIP_SRC ? IPS_SRC_NAT : IPS_DST_NAT;
	}
	ct.status |= done;
	if (maniptype === NF_NAT_MANIP_SRC) nat_bysource_add(g, ct);
	return NF_ACCEPT;
}

/** Binds the flow to what it is: so that its place is reserved. Return: a verdict. */
export function nf_nat_alloc_null_binding(ct: nf_conn, hooknum: number): number {
	const maniptype = HOOK2MANIP(hooknum);
	const range = ct.net.machine.ct.null_range;
	const ip = (maniptype === NF_NAT_MANIP_SRC ? ct.reply.dst_ip : ct.reply.src_ip) >>> 0;
	range.flags = NF_NAT_RANGE_MAP_IPS;
	range.min_addr = ip;
	range.max_addr = ip;
	return nf_nat_setup_info(ct, range, maniptype);
}

// ---- packets -------------------------------------------------------------------------------------------------------------------

/** Rewrites the packet if its flow is translated in the respect that `hooknum` is for. Borrows skb. Return: a verdict. */
export function nf_nat_packet(ct: nf_conn, ctinfo: number, hooknum: number, skb: sk_buff): number {
	const mtype = HOOK2MANIP(hooknum);
	let statusbit = mtype === NF_NAT_MANIP_SRC ? IPS_SRC_NAT : IPS_DST_NAT;
	// Answers are changed the other way round.
	if (ctinfo >= IP_CT_IS_REPLY) statusbit ^= IPS_NAT_MASK;
	if ((ct.status & statusbit) === 0) return NF_ACCEPT;
	return nf_nat_manip_pkt(skb, ct, mtype, ctinfo >= IP_CT_IS_REPLY ? 1 : 0);
}

/** A masqueraded flow that now leaves by another device. */
function nf_nat_oif_changed(hooknum: number, ctinfo: number, ct: nf_conn, state: nf_hook_state): boolean {
	return (
		ct.masq_index !== 0 &&
		hooknum === NF_INET_POST_ROUTING &&
		ctinfo < IP_CT_IS_REPLY &&
		state.out !== null &&
		state.out.ifindex !== ct.masq_index
	);
}

/** What the nat hooks of a namespace look rules up in (nf_nat_lookup_hook_priv). */
export class nf_nat_lookup_hook_priv {
	/** Tables, by priority. */
	entries: readonly nf_hook_ops[] = [];
}

/** Binds the packet's flow by the rules that are registered, and rewrites the packet. Borrows skb. Return: a verdict. */
export function nf_nat_inet_fn(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	const ct = skb._nfct;
	// A packet that conntrack could not place (INVALID) or was told not to is never translated.
	if (ct === null) return NF_ACCEPT;
	const ctinfo = skb._nfctinfo;
	const hook = state.hook;
	if (ctinfo === IP_CT_NEW || ctinfo === IP_CT_RELATED || ctinfo === IP_CT_RELATED_REPLY) {
		if (!nf_nat_initialized(ct, HOOK2MANIP(hook))) {
			const entries = (priv as nf_nat_lookup_hook_priv).entries;
			const before = skb.journey !== null ? nf_ct_tuple_text(ct.reply) : '';
			for (let i = 0; i < entries.length; i++) {
				const ret = entries[i].hook(entries[i].priv, skb, state);
				if (ret !== NF_ACCEPT) return ret;
				if (nf_nat_initialized(ct, HOOK2MANIP(hook))) break;
			}
			if (!nf_nat_initialized(ct, HOOK2MANIP(hook))) {
				const ret = nf_nat_alloc_null_binding(ct, hook);
				if (ret !== NF_ACCEPT) return ret;
			}
			if (skb.journey !== null) {
				const after = nf_ct_tuple_text(ct.reply);
				if (after !== before)
					trace_event(skb, 'conntrack', 'nf_nat_setup_info', {
						event: 'bind',
						manip: HOOK2MANIP(hook) === NF_NAT_MANIP_SRC ? 'src' : 'dst',
						orig: nf_ct_tuple_text(ct.orig),
						reply: after,
					});
			}
			return nf_nat_packet(ct, ctinfo, hook, skb);
		}
	}
	if (ct.masq_index !== 0 && nf_nat_oif_changed(hook, ctinfo, ct, state)) {
		if (skb.journey !== null)
			trace_event(skb, 'note', 'nf_nat_inet_fn', {
				why: 'the flow was masqueraded to another device: its entry is deleted',
			});
		nf_ct_kill(ct);
		return NF_DROP;
	}
	return nf_nat_packet(ct, ctinfo, hook, skb);
}

// ---- who has rules -------------------------------------------------------------------------------------------------------------

/** The nat hooks of one family in one namespace. */
export class nf_nat_hooks_net {
	/** By hook number; null when nobody has rules. */
	ops: (nf_hook_ops | null)[] = new Array(NF_INET_NUMHOOKS).fill(null);
	users = 0;
}

/** Adds a table of rules (`ops`: its hook and function) to the nat hooks, which `orig_nat_ops` describe. Return: 0 or -errno. */
export function nf_nat_register_fn(net: net, ops: nf_hook_ops, orig_nat_ops: readonly nf_hook_ops[]): number {
	const nat = net.ct.nat;
	if (nat.users++ === 0) {
		for (const o of orig_nat_ops) {
			const mine: nf_hook_ops = { ...o, priv: new nf_nat_lookup_hook_priv() };
			nat.ops[o.hooknum] = mine;
			nf_register_net_hook(net, mine);
		}
	}
	const priv = nat.ops[ops.hooknum]!.priv as nf_nat_lookup_hook_priv;
	const entries = priv.entries.slice();
	let at = entries.length;
	while (at > 0 && entries[at - 1].priority > ops.priority) at--;
	entries.splice(at, 0, ops);
	priv.entries = entries;
	return 0;
}

export function nf_nat_unregister_fn(net: net, ops: nf_hook_ops): void {
	const nat = net.ct.nat;
	const mine = nat.ops[ops.hooknum];
	if (mine === null) return;
	const priv = mine.priv as nf_nat_lookup_hook_priv;
	priv.entries = priv.entries.filter((e) => e !== ops);
	if (--nat.users > 0) return;
	for (let i = 0; i < nat.ops.length; i++) {
		const o = nat.ops[i];
		if (o !== null) nf_unregister_net_hook(net, o);
		nat.ops[i] = null;
	}
}

export function nf_nat_init(machine: Machine): void {
	machine.ct.nat_hook = { remove_nat_bysrc: nf_nat_cleanup_conntrack };
}
