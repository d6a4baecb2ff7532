/*
 * net/netfilter/nf_conntrack_core.ts: connection tracking.         Linux: net/netfilter/nf_conntrack_core.c, net/netfilter/nf_conntrack.h
 *
 * Each flow is one nf_conn with two tuples, one per direction; both hang in one hash table of the machine, chained through `next`.
 * Walk: PRE_ROUTING or LOCAL_OUT: nf_conntrack_in -> resolve_normal_ct -> (init_conntrack) -> the protocol's packet function;
 * POST_ROUTING or LOCAL_IN: nf_conntrack_confirm puts a new entry into the table. Entries carry a timeout and no timer: an expired one
 * is taken out by whoever meets it, or by gc_worker.
 * Addresses in tuples are signed 32-bit (small integers for V8); `>>> 0` makes them what the rest of linnet uses.
 * Not here yet: IPv6 tuples, zones that differ by direction, entries that clash after NAT (IPS_NAT_CLASH).
 */

import type { Machine } from '../../kernel/machine.ts';
import { KERN_WARNING, net_ratelimit, printk } from '../../kernel/printk.ts';
import { HZ, timer_list } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import {
	IP_CT_ESTABLISHED,
	IP_CT_ESTABLISHED_REPLY,
	IP_CT_IS_REPLY,
	IP_CT_NEW,
	IP_CT_RELATED,
	IPCT_DESTROY,
	IPCT_HELPER,
	IPCT_NEW,
	IPCT_RELATED,
	IPCT_REPLY,
	IPS_ASSURED,
	IPS_CONFIRMED,
	IPS_DYING,
	IPS_EXPECTED,
	IPS_FIXED_TIMEOUT,
	IPS_SEEN_REPLY,
	IPS_TEMPLATE,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { NF_ACCEPT, NF_DROP, NF_REPEAT } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { nf_hook_state } from './core.ts';
import {
	nf_conntrack_event_cache,
	nf_conntrack_event_report,
	nf_ct_deliver_cached_events,
	nf_ct_new_ext,
} from './nf_conntrack_ecache.ts';
import type { nf_conntrack_expect, nf_conntrack_expect_table } from './nf_conntrack_expect.ts';
import { nf_ct_find_expectation, nf_ct_remove_expectations } from './nf_conntrack_expect.ts';
import type { nf_conn_help, nf_conntrack_helper } from './nf_conntrack_helper.ts';
import { nf_conntrack_generic_packet, nf_generic_net } from './nf_conntrack_proto_generic.ts';
import { nf_conntrack_gre_packet, nf_gre_net } from './nf_conntrack_proto_gre.ts';
import { nf_conntrack_icmp_packet, nf_conntrack_icmpv4_error, nf_icmp_net } from './nf_conntrack_proto_icmp.ts';
import {
	type ip_ct_tcp,
	ip_ct_tcp_state,
	nf_conntrack_tcp_packet,
	nf_ct_tcp_can_early_drop,
	nf_tcp_net,
} from './nf_conntrack_proto_tcp.ts';
import { nf_conntrack_udp_packet, nf_udp_net } from './nf_conntrack_proto_udp.ts';
import { trace_ct, trace_invalid } from './nf_conntrack_trace.ts';
import {
	IPPROTO_GRE,
	nf_conntrack_tuple,
	nf_ct_get_tuple,
	nf_ct_invert_tuple,
	nf_ct_tuple_copy,
	nf_ct_tuple_equal,
	nf_ct_tuple_text,
} from './nf_conntrack_tuple.ts';
import { nf_nat_hooks_net, nf_nat_range2 } from './nf_nat_core.ts';
import type { nfnetlink_subsystem } from './nfnetlink.ts';

export const IP_CT_DIR_ORIGINAL = 0;
export const IP_CT_DIR_REPLY = 1;
export const IP_CT_UNTRACKED = 7;

export * from './nf_conntrack_ecache.ts';
export * from './nf_conntrack_trace.ts';
export * from './nf_conntrack_tuple.ts';

/** What few entries need: counters, time stamps, pending events, labels, a helper. Made when first wanted (nf_ct_ext). */
export class nf_ct_ext {
	/** nf_conn_acct: packets and bytes by direction; null while nf_conntrack_acct is 0. */
	acct: Float64Array | null = null;
	/** nf_conn_tstamp, ns since 1970; 0 when not taken. */
	tstamp_start = 0;
	tstamp_stop = 0;
	/** nf_conntrack_ecache: events (1 << IPCT_*) that wait for delivery; -1 when this entry reports none. */
	ecache = -1;
	ecache_missed = 0;
	labels: Uint8Array | null = null;
	help: nf_conn_help | null = null;
	/** Expectations of which this entry is the master. */
	expectations: nf_conntrack_expect[] | null = null;
	secmark = 0;
}

export class nf_conn {
	net: net;
	orig: nf_conntrack_tuple;
	reply: nf_conntrack_tuple;
	/** IPS_* */
	status = 0;
	/** In jiffies: from when it is confirmed the moment it ends, before that how long it will have. */
	timeout = 0;
	mark = 0;
	zone = 0;
	id: number;
	/** TCP's window tracking; null for other protocols. */
	tcp: ip_ct_tcp | null = null;
	/** UDP: from when on it is a stream (jiffies). */
	udp_stream_ts = 0;
	/** The flow that expected this one. */
	master: nf_conn | null = null;
	/** nf_conn_nat: neighbours in nf_nat_bysource, and MASQUERADE's device. */
	nat_bysource: nf_conn | null = null;
	nat_bysource_prev: nf_conn | null = null;
	masq_index = 0;
	ext: nf_ct_ext | null = null;

	constructor(net: net, orig: nf_conntrack_tuple, reply: nf_conntrack_tuple, id: number) {
		this.net = net;
		this.orig = orig;
		this.reply = reply;
		this.id = id;
	}
}

/** Counts of one CPU, as /proc/net/stat/nf_conntrack and `conntrack -S` show them. */
export class ip_conntrack_stat {
	found = 0;
	invalid = 0;
	insert = 0;
	insert_failed = 0;
	clash_resolve = 0;
	drop = 0;
	early_drop = 0;
	error = 0;
	expect_new = 0;
	expect_create = 0;
	expect_delete = 0;
	search_restart = 0;
	chaintoolong = 0;
}

/** Per namespace. Timeouts are in jiffies. */
export class netns_ct {
	count = 0;
	expect_count = 0;
	stat = new ip_conntrack_stat();
	/** How many asked for tracking of IPv4 (nf_ct_netns_get). */
	users4 = 0;
	/** How many asked for reassembly before hooks (nf_defrag_ipv4_enable). */
	defrag_ipv4_users = 0;
	sysctl_acct = 0;
	sysctl_checksum = 1;
	sysctl_events = 2;
	sysctl_log_invalid = 0;
	sysctl_tstamp = 0;
	ctnetlink_has_listener = false;
	labels_used = 0;
	/** NAT's hooks. */
	nat = new nf_nat_hooks_net();
	generic = new nf_generic_net();
	tcp = new nf_tcp_net();
	udp = new nf_udp_net();
	icmp = new nf_icmp_net();
	gre = new nf_gre_net();
	/** seconds; what IPv6's reassembly shows. */
	frag6_timeout = 60;
	frag6_low_thresh = 3145728;
	frag6_high_thresh = 4194304;
	icmpv6_timeout = 30 * HZ;
	sctp_timeouts = [0, 10 * HZ, 3 * HZ, 3 * HZ, 210 * HZ, 3 * HZ, 3 * HZ, 3 * HZ, 30 * HZ];
}

/** Who is told of events: ctnetlink. */
export interface nf_ct_event_notifier {
	/** `events`: 1 << IPCT_*. `portid` and `report`: the netlink socket that caused it. */
	ct_event: (events: number, ct: nf_conn, portid: number, report: boolean) => void;
	exp_event: (events: number, exp: nf_conntrack_expect, portid: number, report: boolean) => void;
}

/** What NAT does for conntrack. */
export interface nf_nat_hook {
	remove_nat_bysrc: (ct: nf_conn) => void;
}

const HTABLE_FIRST = 256;

export class nf_conntrack_global {
	machine: Machine;
	/** Grows with the entries, whatever nf_conntrack_buckets says: a machine without flows costs nothing. */
	nf_conntrack_hash: (nf_conntrack_tuple | null)[] = [];
	/** Size of nf_conntrack_hash - 1. */
	hash_mask = 0;
	hash_rnd: number;
	/** Entries of all namespaces that are in the table. */
	count = 0;
	nf_conntrack_htable_size = 262144;
	nf_conntrack_max = 262144;
	nf_ct_expect_max = 4096;
	next_id = 0;
	gc_timer: timer_list;
	gc_early_drop = false;
	event_notifier: nf_ct_event_notifier | null = null;
	nat_hook: nf_nat_hook | null = null;
	helpers: nf_conntrack_helper[] = [];
	expect: nf_conntrack_expect_table | null = null;
	/** Subsystems of nfnetlink (net/netfilter/nfnetlink). */
	nfnl_subsys: (nfnetlink_subsystem | null)[] = [];
	/** Tuples for lookups. */
	tuple = new nf_conntrack_tuple();
	tuple2 = new nf_conntrack_tuple();
	tuple3 = new nf_conntrack_tuple();
	/** For nf_nat_alloc_null_binding. */
	null_range = new nf_nat_range2();
	/** For the options of a SYN that is not followed. */
	tcp_scratch = new ip_ct_tcp_state();
	/** nf_nat_bysource: entries by their original source; made with the first NAT. */
	nf_nat_bysource: (nf_conn | null)[] | null = null;
	nf_nat_htable_mask = 0;
	nf_nat_count = 0;

	constructor(machine: Machine) {
		this.machine = machine;
		this.hash_rnd = machine.random.u32() | 0;
		this.gc_timer = new timer_list(machine, gc_worker, this, 'gc_worker');
	}
}

// ---- the packet's entry --------------------------------------------------------------------------------------------------------

/** The packet's entry or null; `skb._nfctinfo` says how it relates to it. */
export function nf_ct_get(skb: sk_buff): nf_conn | null {
	return skb._nfct;
}

export function nf_ct_set(skb: sk_buff, ct: nf_conn | null, info: number): void {
	skb._nfct = ct;
	skb._nfctinfo = info;
}

export function CTINFO2DIR(ctinfo: number): number {
	return ctinfo >= IP_CT_IS_REPLY ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
}

export function NF_CT_DIRECTION(h: nf_conntrack_tuple): number {
	return h.ct!.orig === h ? IP_CT_DIR_ORIGINAL : IP_CT_DIR_REPLY;
}

/** The tuple of a direction. */
export function nf_ct_tuple(ct: nf_conn, dir: number): nf_conntrack_tuple {
	return dir === IP_CT_DIR_ORIGINAL ? ct.orig : ct.reply;
}

export function nf_ct_protonum(ct: nf_conn): number {
	return ct.orig.protonum;
}

export function nf_ct_is_confirmed(ct: nf_conn): boolean {
	return (ct.status & IPS_CONFIRMED) !== 0;
}

export function nf_ct_is_dying(ct: nf_conn): boolean {
	return (ct.status & IPS_DYING) !== 0;
}

export function nf_ct_is_template(ct: nf_conn): boolean {
	return (ct.status & IPS_TEMPLATE) !== 0;
}

/** Whether the entry's time is over. Only for confirmed ones. */
export function nf_ct_is_expired(ct: nf_conn): boolean {
	return ct.timeout - ct.net.machine.jiffies <= 0;
}

/** Jiffies that are left; 0 when over. */
export function nf_ct_expires(ct: nf_conn): number {
	const left = ct.timeout - ct.net.machine.jiffies;
	return left > 0 ? left : 0;
}

/** The extension area, made when it is not there yet. */
export function nf_ct_ext_add(ct: nf_conn): nf_ct_ext {
	if (ct.ext === null) ct.ext = new nf_ct_ext();
	return ct.ext;
}

/** What ctnetlink shows as the id: unlike for any two entries of a machine. */
export function nf_ct_get_id(ct: nf_conn): number {
	return jhash_3words(ct.id, 0, 0, ct.net.machine.ct.hash_rnd);
}

// ---- the table -----------------------------------------------------------------------------------------------------------------

/** Place of a tuple in the table. */
function hash_conntrack(g: nf_conntrack_global, net: net, t: nf_conntrack_tuple, zone: number): number {
	return (
		jhash_3words(
			t.src_ip,
			t.dst_ip,
			(t.src_u << 16) | t.dst_u,
			g.hash_rnd ^ t.protonum ^ (net.inum << 8) ^ (zone << 16),
		) & g.hash_mask
	);
}

/** Room for twice as many: every entry finds its new chain. */
function nf_ct_hash_grow(g: nf_conntrack_global): void {
	const old = g.nf_conntrack_hash;
	const size = old.length === 0 ? HTABLE_FIRST : old.length * 2;
	const table: (nf_conntrack_tuple | null)[] = new Array(size).fill(null);
	g.nf_conntrack_hash = table;
	g.hash_mask = size - 1;
	for (let i = 0; i < old.length; i++) {
		let h = old[i];
		while (h !== null) {
			const next: nf_conntrack_tuple | null = h.next;
			const ct = h.ct!;
			const at = hash_conntrack(g, ct.net, h, ct.zone);
			h.next = table[at];
			table[at] = h;
			h = next;
		}
	}
}

function hash_insert(g: nf_conntrack_global, h: nf_conntrack_tuple, at: number): void {
	h.next = g.nf_conntrack_hash[at];
	g.nf_conntrack_hash[at] = h;
}

function hash_remove(g: nf_conntrack_global, h: nf_conntrack_tuple): void {
	const ct = h.ct!;
	const at = hash_conntrack(g, ct.net, h, ct.zone);
	let p = g.nf_conntrack_hash[at];
	if (p === h) {
		g.nf_conntrack_hash[at] = h.next;
		h.next = null;
		return;
	}
	while (p !== null) {
		if (p.next === h) {
			p.next = h.next;
			h.next = null;
			return;
		}
		p = p.next;
	}
}

/** The entry's tuple that equals `tuple`, or null. Expired entries on the way are taken out. */
export function nf_conntrack_find_get(net: net, zone: number, tuple: nf_conntrack_tuple): nf_conntrack_tuple | null {
	const g = net.machine.ct;
	if (g.count === 0) return null;
	const now = net.machine.jiffies;
	let h = g.nf_conntrack_hash[hash_conntrack(g, net, tuple, zone)];
	while (h !== null) {
		const next: nf_conntrack_tuple | null = h.next;
		const ct = h.ct!;
		if (ct.timeout <= now) {
			// Taking it out may take `next` out of this chain too, when both are the same entry's.
			nf_ct_gc_expired(ct);
			if (next !== null && next.ct === ct) {
				h = g.nf_conntrack_hash[hash_conntrack(g, net, tuple, zone)];
				continue;
			}
		} else if (
			h.src_ip === tuple.src_ip &&
			h.dst_ip === tuple.dst_ip &&
			h.src_u === tuple.src_u &&
			h.dst_u === tuple.dst_u &&
			h.protonum === tuple.protonum &&
			ct.net === net &&
			ct.zone === zone
		) {
			return h;
		}
		h = next;
	}
	return null;
}

/** Whether another entry than `ignored` uses `tuple`. */
export function nf_conntrack_tuple_taken(tuple: nf_conntrack_tuple, ignored: nf_conn): nf_conn | null {
	const net = ignored.net;
	const g = net.machine.ct;
	if (g.count === 0) return null;
	const now = net.machine.jiffies;
	let h = g.nf_conntrack_hash[hash_conntrack(g, net, tuple, ignored.zone)];
	for (; h !== null; h = h.next) {
		const ct = h.ct!;
		if (ct === ignored || ct.timeout <= now || ct.net !== net || ct.zone !== ignored.zone) continue;
		if (nf_ct_tuple_equal(h, tuple)) {
			// The same flow twice, both packets of which are still on their way (UDP): they become one when the second is confirmed.
			if (allow_clash(tuple.protonum) && nf_ct_tuple_equal(ignored.orig, ct.orig)) continue;
			return ct;
		}
	}
	return null;
}

function allow_clash(protonum: number): boolean {
	return protonum === IPPROTO_UDP || protonum === 136;
}

// ---- birth and death -----------------------------------------------------------------------------------------------------------

/** A new entry that nothing points to yet, or null when the table is full and nothing may go. */
export function nf_conntrack_alloc(
	net: net,
	zone: number,
	orig: nf_conntrack_tuple,
	repl: nf_conntrack_tuple,
): nf_conn | null {
	const g = net.machine.ct;
	const max = g.nf_conntrack_max;
	if (max !== 0 && net.ct.count + 1 > max) {
		if (!early_drop(net, hash_conntrack(g, net, orig, zone))) {
			g.gc_early_drop = true;
			if (net_ratelimit(net.machine)) {
				const where = net === net.machine.init_net ? 'table full' : `table full in netns ${net.inum}`;
				printk(net.machine, KERN_WARNING, `nf_conntrack: nf_conntrack: ${where}, dropping packet`);
			}
			return null;
		}
	}
	const o = new nf_conntrack_tuple();
	nf_ct_tuple_copy(o, orig);
	const r = new nf_conntrack_tuple();
	nf_ct_tuple_copy(r, repl);
	g.next_id = (g.next_id + 1) & 0x3fffffff;
	const ct = new nf_conn(net, o, r, g.next_id);
	ct.zone = zone;
	o.ct = ct;
	r.ct = ct;
	return ct;
}

const NF_CT_EVICTION_RANGE = 8;

/** Throws out entries without IPS_ASSURED from the eight chains that begin at `bucket`'s. Return: whether one went. */
function early_drop(net: net, bucket: number): boolean {
	const g = net.machine.ct;
	for (let i = 0; i < NF_CT_EVICTION_RANGE; i++) {
		let drops = 0;
		const at = (bucket + i) & g.hash_mask;
		for (let h = g.nf_conntrack_hash[at]; h !== null; ) {
			const next: nf_conntrack_tuple | null = h.next;
			const ct = h.ct!;
			if (nf_ct_is_expired(ct)) {
				nf_ct_gc_expired(ct);
				if (next !== null && next.ct === ct) break;
			} else if ((ct.status & IPS_ASSURED) === 0 && ct.net === net) {
				if (nf_ct_delete(ct, 0, false)) drops++;
				if (next !== null && next.ct === ct) break;
			}
			h = next;
		}
		if (drops > 0) {
			net.ct.stat.early_drop += drops;
			return true;
		}
	}
	// An expired one may have made room meanwhile.
	return g.nf_conntrack_max === 0 || net.ct.count + 1 <= g.nf_conntrack_max;
}

/** Puts both tuples into the table without asking. For entries that userland makes, and for confirm. */
function __nf_conntrack_hash_insert(ct: nf_conn): void {
	const g = ct.net.machine.ct;
	if (g.count >= g.nf_conntrack_hash.length) nf_ct_hash_grow(g);
	hash_insert(g, ct.orig, hash_conntrack(g, ct.net, ct.orig, ct.zone));
	hash_insert(g, ct.reply, hash_conntrack(g, ct.net, ct.reply, ct.zone));
	g.count++;
	ct.net.ct.count++;
	if (g.gc_timer.slot < 0) gc_arm(g, GC_SCAN_INTERVAL_INIT);
}

/** Inserts an entry that userland made. Return: 0 or -EEXIST. */
export function nf_conntrack_hash_check_insert(ct: nf_conn): number {
	if (
		nf_conntrack_find_get(ct.net, ct.zone, ct.orig) !== null ||
		nf_conntrack_find_get(ct.net, ct.zone, ct.reply) !== null
	) {
		ct.net.ct.stat.insert_failed++;
		return -17;
	}
	ct.status |= IPS_CONFIRMED;
	ct.timeout += ct.net.machine.jiffies;
	__nf_conntrack_hash_insert(ct);
	ct.net.ct.stat.insert++;
	return 0;
}

/** Takes the entry out of the table and reports its end. Return: whether it was there. */
export function nf_ct_delete(ct: nf_conn, portid: number, report: boolean): boolean {
	if ((ct.status & IPS_DYING) !== 0) return false;
	ct.status |= IPS_DYING;
	const net = ct.net;
	const g = net.machine.ct;
	if ((ct.status & IPS_CONFIRMED) !== 0) {
		if (ct.ext !== null) {
			if (ct.ext.tstamp_start !== 0) ct.ext.tstamp_stop = wall_clock(net.machine);
			nf_conntrack_event_report(1 << IPCT_DESTROY, ct, portid, report);
		}
		hash_remove(g, ct.orig);
		hash_remove(g, ct.reply);
		g.count--;
		net.ct.count--;
	}
	if (g.nat_hook !== null) g.nat_hook.remove_nat_bysrc(ct);
	if (ct.ext !== null && ct.ext.expectations !== null) nf_ct_remove_expectations(ct);
	return true;
}

export function nf_ct_kill(ct: nf_conn): boolean {
	return nf_ct_delete(ct, 0, false);
}

/** Takes out an entry whose time is over. */
export function nf_ct_gc_expired(ct: nf_conn): void {
	nf_ct_delete(ct, 0, false);
}

/** ns since 1970. */
function wall_clock(machine: Machine): number {
	return machine.clock.epoch * 1e9 + machine.clock.now;
}

// ---- clean-up ------------------------------------------------------------------------------------------------------------------

const GC_SCAN_INTERVAL_INIT = 60 * HZ;
const GC_SCAN_INTERVAL_MAX = 60 * HZ;
const GC_SCAN_INTERVAL_MIN = 1 * HZ;
const GC_SCAN_INTERVAL_CLAMP = 300 * HZ;

function gc_arm(g: nf_conntrack_global, after: number): void {
	const timer = g.gc_timer;
	timer.expires = g.machine.jiffies + after;
	g.machine.clock.schedule(timer, timer.expires * (1e9 / HZ));
}

/** Takes out what has expired; comes again after the mean of what is left to the others, between 1 s and 60 s, while there are any. */
function gc_worker(timer: timer_list): void {
	const g = timer.owner as nf_conntrack_global;
	const now = g.machine.jiffies;
	const table = g.nf_conntrack_hash;
	const early = g.gc_early_drop;
	g.gc_early_drop = false;
	let sum = 0;
	let n = 0;
	for (let i = 0; i < table.length; i++) {
		let h = table[i];
		while (h !== null) {
			const ct = h.ct!;
			let next: nf_conntrack_tuple | null = h.next;
			if (ct.timeout <= now || (early && gc_worker_can_early_drop(ct))) {
				if (next !== null && next.ct === ct) next = next.next;
				nf_ct_gc_expired(ct);
			} else if (h === ct.orig) {
				const left = ct.timeout - now;
				sum += left < GC_SCAN_INTERVAL_CLAMP ? left : GC_SCAN_INTERVAL_CLAMP;
				n++;
			}
			h = next;
		}
	}
	if (g.count === 0) return;
	const mean = n > 0 ? Math.floor(sum / n) : 0;
	gc_arm(g, Math.max(GC_SCAN_INTERVAL_MIN, Math.min(GC_SCAN_INTERVAL_MAX, mean)));
}

/** While the table is full: flows that nobody would miss. */
function gc_worker_can_early_drop(ct: nf_conn): boolean {
	const max = ct.net.machine.ct.nf_conntrack_max;
	if (max === 0 || ct.net.ct.count < max - Math.floor(max / 20)) return false;
	if ((ct.status & IPS_ASSURED) === 0) return true;
	return ct.tcp !== null && nf_ct_tcp_can_early_drop(ct.tcp);
}

/** Calls `fn` for each entry of `net` (null: of all) in the table's order; those for which it says true are deleted. */
export function nf_ct_iterate_cleanup(
	machine: Machine,
	net: net | null,
	fn: (ct: nf_conn, data: unknown) => boolean,
	data: unknown,
	portid = 0,
	report = false,
): void {
	const g = machine.ct;
	for (const ct of nf_ct_entries(g, net)) {
		if ((ct.status & IPS_DYING) === 0 && fn(ct, data)) nf_ct_delete(ct, portid, report);
	}
}

/** The entries of a namespace (null: of all) in the table's order. Expired ones are taken out and left out. */
export function nf_ct_entries(g: nf_conntrack_global, net: net | null): nf_conn[] {
	const out: nf_conn[] = [];
	const dead: nf_conn[] = [];
	const now = g.machine.jiffies;
	for (let i = 0; i < g.nf_conntrack_hash.length; i++) {
		for (let h = g.nf_conntrack_hash[i]; h !== null; h = h.next) {
			const ct = h.ct!;
			if (h !== ct.orig || (net !== null && ct.net !== net)) continue;
			if (ct.timeout <= now) dead.push(ct);
			else out.push(ct);
		}
	}
	for (const ct of dead) nf_ct_gc_expired(ct);
	return out;
}

// ---- accounting and timeouts ---------------------------------------------------------------------------------------------------

/** Counts the packet, and gives the entry `extra_jiffies` from now on. */
export function nf_ct_refresh_acct(ct: nf_conn, ctinfo: number, skb: sk_buff, extra_jiffies: number): void {
	const status = ct.status;
	if ((status & IPS_FIXED_TIMEOUT) === 0) {
		ct.timeout = (status & IPS_CONFIRMED) !== 0 ? extra_jiffies + ct.net.machine.jiffies : extra_jiffies;
	}
	if (ct.ext !== null && ct.ext.acct !== null) nf_ct_acct_add(ct, CTINFO2DIR(ctinfo), 1, skb.len);
}

/** Sets the timeout without counting (nf_ct_refresh). */
export function nf_ct_refresh(ct: nf_conn, extra_jiffies: number): void {
	if ((ct.status & IPS_FIXED_TIMEOUT) !== 0) return;
	ct.timeout = (ct.status & IPS_CONFIRMED) !== 0 ? extra_jiffies + ct.net.machine.jiffies : extra_jiffies;
}

/** As nf_ct_refresh, whatever the state: what userland asks for. */
export function __nf_ct_change_timeout(ct: nf_conn, jiffies: number): void {
	ct.timeout = jiffies + ct.net.machine.jiffies;
}

export function nf_ct_acct_update(ct: nf_conn, dir: number, bytes: number): void {
	if (ct.ext !== null && ct.ext.acct !== null) nf_ct_acct_add(ct, dir, 1, bytes);
}

function nf_ct_acct_add(ct: nf_conn, dir: number, packets: number, bytes: number): void {
	const acct = ct.ext!.acct!;
	acct[dir * 2] += packets;
	acct[dir * 2 + 1] += bytes;
}

/** Kills the entry after counting the packet that was its end. */
export function nf_ct_kill_acct(ct: nf_conn, ctinfo: number, skb: sk_buff): boolean {
	nf_ct_acct_update(ct, CTINFO2DIR(ctinfo), skb.len);
	return nf_ct_delete(ct, 0, false);
}

// ---- in ------------------------------------------------------------------------------------------------------------------------

/** Makes the entry for the first packet of a flow. Return: its original tuple, null when it can't be, or false when the table is full. */
function init_conntrack(
	net: net,
	tmpl: nf_conn | null,
	tuple: nf_conntrack_tuple,
	zone: number,
): nf_conntrack_tuple | null | false {
	const g = net.machine.ct;
	const repl = g.tuple2;
	if (!nf_ct_invert_tuple(repl, tuple)) return null;
	const ct = nf_conntrack_alloc(net, zone, tuple, repl);
	if (ct === null) return false;
	const n = net.ct;
	if (n.sysctl_acct !== 0 || n.sysctl_tstamp !== 0 || n.sysctl_events !== 0 || n.labels_used !== 0) nf_ct_new_ext(ct);
	if (tmpl !== null && tmpl.ext !== null) nf_ct_from_template(ct, tmpl);
	if (n.expect_count > 0) {
		const exp = nf_ct_find_expectation(net, zone, tuple, tmpl === null || (tmpl.status & IPS_CONFIRMED) === 0);
		if (exp !== null) {
			ct.status |= IPS_EXPECTED;
			ct.master = exp.master;
			ct.mark = exp.master.mark;
			if (exp.helper !== null) nf_ct_ext_add(ct).help = { helper: exp.helper, data: null };
			n.stat.expect_new++;
			if (exp.expectfn !== null) exp.expectfn(ct, exp);
		}
	}
	return ct.orig;
}

/** Helper, event mask and labels that the CT target asked for. */
function nf_ct_from_template(ct: nf_conn, tmpl: nf_conn): void {
	const from = tmpl.ext!;
	const to = nf_ct_ext_add(ct);
	if (from.help !== null) to.help = { helper: from.help.helper, data: null };
	if (from.labels !== null) to.labels = new Uint8Array(16);
	if (from.ecache >= 0) to.ecache = 0;
}

/** Finds or makes the packet's entry and says how the packet relates to it. Return: 0, or -1 when the table is full. */
function resolve_normal_ct(tmpl: nf_conn | null, skb: sk_buff, dataoff: number, protonum: number, net: net): number {
	const g = net.machine.ct;
	const tuple = g.tuple;
	if (!nf_ct_get_tuple(skb, skb.network_header - skb.data, dataoff, protonum, tuple)) return 0;
	const zone = tmpl !== null ? tmpl.zone : 0;
	let h = nf_conntrack_find_get(net, zone, tuple);
	if (h === null) {
		const made = init_conntrack(net, tmpl, tuple, zone);
		if (made === null) return 0;
		if (made === false) return -1;
		h = made;
	}
	const ct = h.ct!;
	skb._nfct = ct;
	if (h !== ct.orig) skb._nfctinfo = IP_CT_ESTABLISHED_REPLY;
	else if ((ct.status & IPS_SEEN_REPLY) !== 0) skb._nfctinfo = IP_CT_ESTABLISHED;
	else if ((ct.status & IPS_EXPECTED) !== 0) skb._nfctinfo = IP_CT_RELATED;
	else skb._nfctinfo = IP_CT_NEW;
	return 0;
}

/** Return: NF_ACCEPT, or the negated verdict for a packet that does not fit (0 for accept as invalid). */
function nf_conntrack_handle_packet(
	ct: nf_conn,
	skb: sk_buff,
	dataoff: number,
	ctinfo: number,
	state: nf_hook_state,
): number {
	switch (ct.orig.protonum) {
		case IPPROTO_TCP:
			return nf_conntrack_tcp_packet(ct, skb, dataoff, ctinfo, state);
		case IPPROTO_UDP:
		case 136:
			return nf_conntrack_udp_packet(ct, skb, dataoff, ctinfo, state);
		case IPPROTO_ICMP:
			return nf_conntrack_icmp_packet(ct, skb, ctinfo);
		case IPPROTO_GRE:
			return nf_conntrack_gre_packet(ct, skb, ctinfo);
		default:
			return nf_conntrack_generic_packet(ct, skb, ctinfo);
	}
}

/**
 * Finds the packet's flow or begins one. Context: PRE_ROUTING and LOCAL_OUT; borrows skb.
 * Return: a verdict: NF_ACCEPT (also for packets that don't fit, which then have no entry), NF_DROP when the table is full.
 */
export function nf_conntrack_in(skb: sk_buff, state: nf_hook_state): number {
	const net = state.net;
	let tmpl = skb._nfct;
	if (tmpl !== null || skb._nfctinfo === IP_CT_UNTRACKED) {
		// Seen before (loopback), or marked as not to be tracked.
		if ((tmpl !== null && (tmpl.status & IPS_TEMPLATE) === 0) || skb._nfctinfo === IP_CT_UNTRACKED) {
			if (skb.journey !== null && skb._nfctinfo === IP_CT_UNTRACKED)
				trace_event(skb, 'conntrack', 'nf_conntrack_in', { event: 'untracked', state: 'UNTRACKED' });
			return NF_ACCEPT;
		}
		skb._nfct = null;
	}
	const stat = net.ct.stat;
	const nh = skb.network_header;
	const b = skb.head;
	// A fragment that was not put together, or a header longer than the packet.
	const dataoff = nh - skb.data + ((b[nh] & 15) << 2);
	if ((((b[nh + 6] << 8) | b[nh + 7]) & 0x1fff) !== 0 || dataoff > skb.len) {
		stat.invalid++;
		if (skb.journey !== null) trace_invalid(skb, 'fragment or header longer than the packet');
		return NF_ACCEPT;
	}
	const protonum = b[nh + 9];
	if (protonum === IPPROTO_ICMP) {
		const ret = nf_conntrack_icmpv4_error(tmpl, skb, dataoff, state);
		if (ret <= 0) {
			stat.error++;
			return -ret;
		}
		if (skb._nfct !== null) {
			if (skb.journey !== null) trace_ct(skb, 'related');
			return ret;
		}
	}
	for (;;) {
		if (resolve_normal_ct(tmpl, skb, dataoff, protonum, net) < 0) {
			stat.drop++;
			if (skb.journey !== null)
				trace_event(skb, 'conntrack', 'nf_conntrack_in', {
					event: 'drop',
					why: `table full: nf_conntrack_max ${net.machine.ct.nf_conntrack_max}`,
					sysctl: 'net.netfilter.nf_conntrack_max',
					value: net.machine.ct.nf_conntrack_max,
				});
			return NF_DROP;
		}
		const ct = skb._nfct;
		if (ct === null) {
			stat.invalid++;
			if (skb.journey !== null) trace_invalid(skb, 'no tuple can be read from it');
			return NF_ACCEPT;
		}
		const ctinfo = skb._nfctinfo;
		const ret = nf_conntrack_handle_packet(ct, skb, dataoff, ctinfo, state);
		if (ret <= 0) {
			skb._nfct = null;
			skb._nfctinfo = 0;
			if (ret === -NF_REPEAT) {
				// The entry was taken out: the packet begins a new one.
				tmpl = tmpl !== null && (tmpl.status & IPS_TEMPLATE) !== 0 ? tmpl : null;
				continue;
			}
			stat.invalid++;
			if (ret === -NF_DROP) stat.drop++;
			return ret === 0 ? NF_DROP : -ret;
		}
		if (ctinfo === IP_CT_ESTABLISHED_REPLY && (ct.status & IPS_SEEN_REPLY) === 0) {
			ct.status |= IPS_SEEN_REPLY;
			nf_conntrack_event_cache(IPCT_REPLY, ct);
		}
		if (skb.journey !== null) trace_ct(skb, (ct.status & IPS_CONFIRMED) !== 0 ? 'found' : 'new');
		return ret;
	}
}

// ---- confirm -------------------------------------------------------------------------------------------------------------------

/** Puts the packet's new entry into the table, now that the packet leaves. Return: a verdict. Borrows skb. */
export function __nf_conntrack_confirm(skb: sk_buff): number {
	const ct = skb._nfct!;
	// Only the original's packets make an entry; a reset that we made ourselves for an unconfirmed one has none.
	if (skb._nfctinfo >= IP_CT_IS_REPLY) return NF_ACCEPT;
	const net = ct.net;
	const g = net.machine.ct;
	const stat = net.ct.stat;
	if ((ct.status & IPS_DYING) !== 0) {
		stat.insert_failed++;
		return NF_DROP;
	}
	const clash =
		g.count === 0
			? null
			: (nf_conntrack_find_get(net, ct.zone, ct.orig) ?? nf_conntrack_find_get(net, ct.zone, ct.reply));
	if (clash !== null) return nf_ct_resolve_clash(skb, clash);
	ct.timeout += net.machine.jiffies;
	ct.status |= IPS_CONFIRMED;
	__nf_conntrack_hash_insert(ct);
	stat.insert++;
	const ext = ct.ext;
	if (ext !== null) {
		if (ext.tstamp_start !== 0) ext.tstamp_start = wall_clock(net.machine);
		if (ext.help !== null) nf_conntrack_event_cache(IPCT_HELPER, ct);
		nf_conntrack_event_cache(ct.master !== null ? IPCT_RELATED : IPCT_NEW, ct);
	}
	if (skb.journey !== null) trace_event(skb, 'conntrack', '__nf_conntrack_confirm', { event: 'confirm' });
	return NF_ACCEPT;
}

/** Two packets began the same flow: where the protocol allows it the later joins the entry of the first, else it is dropped. */
function nf_ct_resolve_clash(skb: sk_buff, h: nf_conntrack_tuple): number {
	const loser = skb._nfct!;
	const winner = h.ct!;
	const stat = loser.net.ct.stat;
	const nat = loser.net.machine.ct.nat_hook;
	loser.status |= IPS_DYING;
	if (nat !== null) nat.remove_nat_bysrc(loser);
	if (
		allow_clash(loser.orig.protonum) &&
		nf_ct_tuple_equal(loser.orig, winner.orig) &&
		nf_ct_tuple_equal(loser.reply, winner.reply)
	) {
		stat.clash_resolve++;
		nf_ct_acct_update(winner, CTINFO2DIR(skb._nfctinfo), skb.len);
		skb._nfct = winner;
		return NF_ACCEPT;
	}
	stat.insert_failed++;
	stat.drop++;
	if (skb.journey !== null)
		trace_event(skb, 'conntrack', '__nf_conntrack_confirm', {
			event: 'drop',
			why: `another flow has ${nf_ct_tuple_text(h)}`,
		});
	return NF_DROP;
}

/** Confirms the packet's entry if it is new, and reports its events. Return: a verdict. Borrows skb. */
export function nf_conntrack_confirm(skb: sk_buff): number {
	let ct = skb._nfct;
	let ret = NF_ACCEPT;
	if (ct !== null && (ct.status & IPS_TEMPLATE) === 0) {
		if ((ct.status & IPS_CONFIRMED) === 0) {
			ret = __nf_conntrack_confirm(skb);
			ct = skb._nfct!;
		}
		if (ret === NF_ACCEPT && ct.ext !== null && ct.ext.ecache > 0) nf_ct_deliver_cached_events(ct);
	}
	return ret;
}

/** What a packet that the kernel makes in answer to `skb` starts with: the other direction of its flow. */
export function nf_ct_attach(nskb: sk_buff, skb: sk_buff): void {
	// Of an untracked packet only how it relates goes along: a target that leaves packets untracked then takes it for seen.
	if (skb._nfct === null && skb._nfctinfo === 0) return;
	nskb._nfct = skb._nfct;
	nskb._nfctinfo = CTINFO2DIR(skb._nfctinfo) === IP_CT_DIR_ORIGINAL ? IP_CT_RELATED + IP_CT_IS_REPLY : IP_CT_RELATED;
}

// ---- start ---------------------------------------------------------------------------------------------------------------------

function nf_conntrack_net_init(net: net): number {
	net.ct = new netns_ct();
	return 0;
}

function kill_all(): boolean {
	return true;
}

function nf_conntrack_net_exit(net: net): void {
	nf_ct_iterate_cleanup(net.machine, net, kill_all, null);
}

/** The table and the namespaces' part of it. Called before nf_conntrack_standalone_init. */
export function nf_conntrack_init(machine: Machine): void {
	machine.ct = new nf_conntrack_global(machine);
	register_pernet_subsys(machine, { name: 'nf_conntrack', init: nf_conntrack_net_init, exit: nf_conntrack_net_exit });
}
