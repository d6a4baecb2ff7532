/*
 * net/core/neighbour.ts: who is at the other end of the link, and by what address.   Linux: net/core/neighbour.c, net/neighbour.h
 *
 * Walk: neigh_output -> neigh_resolve_output -> neigh_event_send -> (INCOMPLETE: the packet waits) -> neigh_timer_handler -> neigh_probe ->
 *       ops.solicit (arp_solicit); the answer -> neigh_update -> what waited goes out; silence -> neigh_invalidate -> ops.error_report.
 * States (RFC 4861 7.3.2, for ARP as well): NONE INCOMPLETE REACHABLE STALE DELAY PROBE FAILED, and NOARP PERMANENT, which never change.
 * The rest: proxies in neigh_proxy.ts, netlink in neigh_netlink.ts, sysctl and /proc in neigh_sysctl.ts.
 *
 * A key is an IPv4 address in host order. Nothing counts references here, so "in use" (which forced gc spares) means: its timer runs, or
 * packets wait. The periodic gc sleeps while a table is below gc_thresh1 (it would do nothing).
 * Not here yet: keys of 16 bytes (IPv6), NTF_EXT_MANAGED.
 */

import type { Machine } from '../../kernel/machine.ts';
import { KERN_INFO, net_ratelimit, printk } from '../../kernel/printk.ts';
import { HZ, mod_timer, timer_delete, timer_list, timer_pending } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { NL_SET_ERR_MSG, type netlink_ext_ack } from '../../lib/nlattr.ts';
import { EINVAL, EPERM } from '../../uapi/asm-generic/errno.ts';
import {
	NTF_EXT_LEARNED,
	NUD_DELAY,
	NUD_FAILED,
	NUD_INCOMPLETE,
	NUD_NOARP,
	NUD_NONE,
	NUD_PERMANENT,
	NUD_PROBE,
	NUD_REACHABLE,
	NUD_STALE,
} from '../../uapi/linux/neighbour.ts';
import { RTM_DELNEIGH, RTM_NEWNEIGH } from '../../uapi/linux/rtnetlink.ts';
import {
	SKB_DROP_REASON_NEIGH_DEAD,
	SKB_DROP_REASON_NEIGH_FAILED,
	SKB_DROP_REASON_NEIGH_QUEUEFULL,
	SKB_DROP_REASON_QUEUE_PURGE,
} from './dropreason.ts';
import { neigh_blackhole, neigh_trace } from './neigh_output.ts';
import { neigh_proxy_timer, type pneigh_entry, pneigh_ifdown } from './neigh_proxy.ts';
import { neigh_sysctl_register, neigh_sysctl_unregister } from './neigh_sysctl.ts';
import type { net } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';
import { consume_skb, kfree_skb_reason, type sk_buff, skb_clone } from './skbuff.ts';
import { __skb_dequeue, __skb_queue_purge, __skb_queue_tail, sk_buff_head } from './skbuff_queue.ts';

export * from './neigh_output.ts';
export * from './neigh_proxy.ts';

export const NUD_IN_TIMER: number = NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE;
export const NUD_VALID: number = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
export const NUD_CONNECTED: number = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE;

/** neigh_update()'s flags. */
export const NEIGH_UPDATE_F_OVERRIDE = 1 << 0;
export const NEIGH_UPDATE_F_WEAK_OVERRIDE = 1 << 1;
export const NEIGH_UPDATE_F_OVERRIDE_ISROUTER = 1 << 2;
export const NEIGH_UPDATE_F_USE = 1 << 3;
export const NEIGH_UPDATE_F_EXT_LEARNED = 1 << 5;
export const NEIGH_UPDATE_F_ISROUTER = 1 << 6;
export const NEIGH_UPDATE_F_ADMIN = 1 << 7;

// What neigh_parms.data holds. Times are in jiffies.
export const NEIGH_VAR_MCAST_PROBES = 0;
export const NEIGH_VAR_UCAST_PROBES = 1;
export const NEIGH_VAR_APP_PROBES = 2;
export const NEIGH_VAR_MCAST_REPROBES = 3;
export const NEIGH_VAR_RETRANS_TIME = 4;
export const NEIGH_VAR_BASE_REACHABLE_TIME = 5;
export const NEIGH_VAR_DELAY_PROBE_TIME = 6;
export const NEIGH_VAR_INTERVAL_PROBE_TIME_MS = 7;
export const NEIGH_VAR_GC_STALETIME = 8;
export const NEIGH_VAR_QUEUE_LEN_BYTES = 9;
export const NEIGH_VAR_PROXY_QLEN = 10;
export const NEIGH_VAR_ANYCAST_DELAY = 11;
export const NEIGH_VAR_PROXY_DELAY = 12;
export const NEIGH_VAR_LOCKTIME = 13;
export const NEIGH_VAR_DATA_MAX = 14;

const MAX_ADDR_LEN = 32;

/** The settings of a device's neighbours of one family. */
export class neigh_parms {
	net: net | null;
	dev: net_device | null;
	tbl: neigh_table;
	dead = false;
	/** By NEIGH_VAR_*. */
	data: Float64Array;
	/** 1: was set for this device, so the default does not follow. */
	data_state: Uint8Array = new Uint8Array(NEIGH_VAR_DATA_MAX);
	/** How long an answer is believed, in jiffies: random around base_reachable_time. */
	reachable_time = 0;
	/** Proxied requests that wait. */
	qlen = 0;
	/** Where its sysctls are; null: nowhere. */
	sysctl_net: net | null = null;
	sysctl_path = '';

	constructor(tbl: neigh_table, dev: net_device | null, data: Float64Array) {
		this.tbl = tbl;
		this.dev = dev;
		this.net = dev !== null ? dev.net : null;
		this.data = data;
	}
}

export function NEIGH_VAR(p: neigh_parms, attr: number): number {
	return p.data[attr];
}

export function NEIGH_VAR_SET(p: neigh_parms, attr: number, val: number): void {
	p.data_state[attr] = 1;
	p.data[attr] = val;
}

/** What a family does for its neighbours. */
export interface neigh_ops {
	family: number;
	solicit: (neigh: neighbour, skb: sk_buff | null) => void;
	/** Nobody answers. Consumes skb. */
	error_report: (neigh: neighbour, skb: sk_buff) => void;
	output: neigh_output_t;
	connected_output: neigh_output_t;
}

/** Sends a packet to a neighbour: skb.data at the network header. Consumes skb. */
export type neigh_output_t = (neigh: neighbour, skb: sk_buff) => number;

export class neighbour {
	next: neighbour | null = null;
	all_next: neighbour | null = null;
	all_prev: neighbour | null = null;
	tbl: neigh_table;
	dev: net_device;
	/** The network address: IPv4, host order. */
	primary_key: number;
	parms: neigh_parms;
	nud_state = NUD_NONE;
	/** RTN_* of the address. */
	type = 0;
	dead = false;
	/** NTF_*. */
	flags = 0;
	protocol = 0;
	probes = 0;
	/** In jiffies: last proof that it is there, last use, last change. */
	confirmed: number;
	used: number;
	updated: number;
	/** Link-layer address, dev.addr_len bytes of it. */
	ha: Uint8Array = new Uint8Array(MAX_ADDR_LEN);
	/** The link header ready to be copied in front of a packet. */
	hh: Uint8Array = new Uint8Array(16);
	hh_len = 0;
	output: neigh_output_t = neigh_blackhole;
	ops!: neigh_ops;
	arp_queue = new sk_buff_head();
	arp_queue_len_bytes = 0;
	timer: timer_list;
	/** Not counted by gc: permanent or learned from outside. */
	exempt_from_gc = false;

	constructor(tbl: neigh_table, dev: net_device, pkey: number, now: number) {
		this.tbl = tbl;
		this.dev = dev;
		this.primary_key = pkey;
		this.parms = tbl.parms;
		this.confirmed = now;
		this.used = now;
		this.updated = now;
		this.timer = new timer_list(tbl.machine, neigh_timer_handler, this, 'neigh_timer_handler');
	}
}

/** Counters of /proc/net/stat/arp_cache. */
export class neigh_statistics {
	allocs = 0;
	destroys = 0;
	hash_grows = 0;
	res_failed = 0;
	lookups = 0;
	hits = 0;
	rcv_probes_mcast = 0;
	rcv_probes_ucast = 0;
	periodic_gc_runs = 0;
	forced_gc_runs = 0;
	unres_discards = 0;
	table_fulls = 0;
}

/** All neighbours of one family on a machine; each belongs to a device, and so to a namespace. */
export class neigh_table {
	machine: Machine;
	family: number;
	/** `arp_cache`. */
	id: string;
	key_len: number;
	/** Fills in a new entry. Return: 0 or -errno. */
	constructor_fn: (n: neighbour) => number;
	/** A proxied request's time has come. Consumes skb. */
	proxy_redo: ((skb: sk_buff) => void) | null = null;
	is_multicast: ((key: number) => boolean) | null = null;
	parms: neigh_parms;
	parms_list: neigh_parms[] = [];
	gc_interval = 30 * HZ;
	gc_thresh1 = 128;
	gc_thresh2 = 512;
	gc_thresh3 = 1024;
	last_flush = 0;
	last_rand = 0;
	gc_timer: timer_list;
	proxy_timer: timer_list;
	proxy_queue = new sk_buff_head();
	entries = 0;
	gc_entries = 0;
	stats = new neigh_statistics();
	hash_buckets: (neighbour | null)[] = new Array(8).fill(null);
	hash_rnd: number;
	/** Every entry, oldest first. */
	all_first: neighbour | null = null;
	all_last: neighbour | null = null;
	phash: pneigh_entry[] = [];

	constructor(
		machine: Machine,
		family: number,
		id: string,
		key_len: number,
		constructor_fn: (n: neighbour) => number,
		data: readonly number[],
	) {
		this.machine = machine;
		this.family = family;
		this.id = id;
		this.key_len = key_len;
		this.constructor_fn = constructor_fn;
		this.hash_rnd = machine.random.u32() | 1;
		this.parms = new neigh_parms(this, null, Float64Array.from(data));
		this.parms.net = machine.init_net;
		this.parms.reachable_time = neigh_rand_reach_time(machine, data[NEIGH_VAR_BASE_REACHABLE_TIME]);
		this.parms_list.push(this.parms);
		this.last_flush = machine.jiffies;
		this.last_rand = this.last_flush;
		this.gc_timer = new timer_list(machine, neigh_periodic_work, this, 'neigh_periodic_work');
		this.proxy_timer = new timer_list(machine, neigh_proxy_timer, this, 'neigh_proxy_process');
	}
}

/** The families' tables. */
export class neigh_global {
	tables: neigh_table[] = [];
}

/** Makes `machine.neigh`. Boot: before arp_init. */
export function neigh_init(machine: Machine): void {
	machine.neigh = new neigh_global();
}

export function neigh_table_init(machine: Machine, tbl: neigh_table): void {
	machine.neigh.tables.push(tbl);
	neigh_sysctl_register(null, tbl.parms);
}

export function neigh_find_table(machine: Machine, family: number): neigh_table | null {
	for (const t of machine.neigh.tables) if (t.family === family) return t;
	return null;
}

/** RFC 4861 6.3.2: reachable time is uniform between 0.5 and 1.5 times the base, so that hosts do not probe in step. */
export function neigh_rand_reach_time(machine: Machine, base: number): number {
	return base > 0 ? machine.random.below(base) + Math.floor(base / 2) : 0;
}

/** A device's settings, from the family's defaults. */
export function neigh_parms_alloc(dev: net_device, tbl: neigh_table): neigh_parms {
	const p = new neigh_parms(tbl, dev, tbl.parms.data.slice());
	p.reachable_time = neigh_rand_reach_time(tbl.machine, p.data[NEIGH_VAR_BASE_REACHABLE_TIME]);
	tbl.parms_list.push(p);
	neigh_sysctl_register(dev, p);
	return p;
}

export function neigh_parms_release(tbl: neigh_table, parms: neigh_parms | null): void {
	if (parms === null || parms === tbl.parms) return;
	const at = tbl.parms_list.indexOf(parms);
	if (at >= 0) tbl.parms_list.splice(at, 1);
	parms.dead = true;
	neigh_sysctl_unregister(parms);
}

// ---- finding and making ----------------------------------------------------------------------------------------------------------

function neigh_hash(tbl: neigh_table, pkey: number, dev: net_device): number {
	const h = Math.imul(pkey ^ Math.imul(dev.ifindex, 0x9e3779b1), tbl.hash_rnd);
	return (h ^ (h >>> 15)) & (tbl.hash_buckets.length - 1);
}

/** Finds without counting: the packet path's way. */
export function __neigh_lookup_noref(tbl: neigh_table, pkey: number, dev: net_device): neighbour | null {
	let n = tbl.hash_buckets[neigh_hash(tbl, pkey, dev)];
	while (n !== null && (n.primary_key !== pkey || n.dev !== dev)) n = n.next;
	return n;
}

export function neigh_lookup(tbl: neigh_table, pkey: number, dev: net_device): neighbour | null {
	tbl.stats.lookups++;
	const n = __neigh_lookup_noref(tbl, pkey, dev);
	if (n !== null) tbl.stats.hits++;
	return n;
}

/** neigh_lookup that makes the entry when `creat`. */
export function __neigh_lookup(tbl: neigh_table, pkey: number, dev: net_device, creat: number): neighbour | null {
	const n = neigh_lookup(tbl, pkey, dev);
	return n !== null || creat === 0 ? n : __neigh_create(tbl, pkey, dev, true);
}

/** Whether something still needs it: its timer, or packets. */
function neigh_in_use(n: neighbour): boolean {
	return timer_pending(n.timer) || n.arp_queue.qlen > 0;
}

/** The table is too full: lets go of what nobody uses. Return: how many went. */
function neigh_forced_gc(tbl: neigh_table): number {
	const max_clean = tbl.gc_entries - tbl.gc_thresh2;
	const now = tbl.machine.jiffies;
	const tref = now - 5 * HZ;
	let shrunk = 0;
	tbl.stats.forced_gc_runs++;
	for (let n = tbl.all_first; n !== null && shrunk < max_clean; ) {
		const next: neighbour | null = n.all_next;
		if (!n.exempt_from_gc && !neigh_in_use(n)) {
			const old = n.nud_state === NUD_FAILED || n.nud_state === NUD_NOARP || n.updated < tref;
			if (old || (tbl.is_multicast !== null && tbl.is_multicast(n.primary_key))) {
				neigh_remove_one(n);
				shrunk++;
			}
		}
		n = next;
	}
	tbl.last_flush = now;
	return shrunk;
}

function neigh_alloc(
	tbl: neigh_table,
	pkey: number,
	dev: net_device,
	flags: number,
	exempt: boolean,
): neighbour | null {
	const now = tbl.machine.jiffies;
	if (!exempt) {
		const entries = tbl.gc_entries;
		if (entries >= tbl.gc_thresh3 || (entries >= tbl.gc_thresh2 && now > tbl.last_flush + 5 * HZ)) {
			if (neigh_forced_gc(tbl) === 0 && tbl.gc_entries >= tbl.gc_thresh3) {
				if (net_ratelimit(tbl.machine))
					printk(tbl.machine, KERN_INFO, `neighbour: ${tbl.id}: neighbor table overflow!`);
				tbl.stats.table_fulls++;
				return null;
			}
		}
		tbl.gc_entries++;
	}
	const n = new neighbour(tbl, dev, pkey, now);
	n.flags = flags;
	n.exempt_from_gc = exempt;
	tbl.stats.allocs++;
	tbl.entries++;
	return n;
}

function neigh_hash_grow(tbl: neigh_table): void {
	tbl.stats.hash_grows++;
	tbl.hash_buckets = new Array(tbl.hash_buckets.length * 2).fill(null);
	for (let n = tbl.all_first; n !== null; n = n.all_next) {
		const h = neigh_hash(tbl, n.primary_key, n.dev);
		n.next = tbl.hash_buckets[h];
		tbl.hash_buckets[h] = n;
	}
}

/** A new entry, not yet resolved. Return: null when the table is full or the family refuses. */
export function ___neigh_create(
	tbl: neigh_table,
	pkey: number,
	dev: net_device,
	flags: number,
	exempt_from_gc: boolean,
	_want_ref: boolean,
): neighbour | null {
	const n = neigh_alloc(tbl, pkey, dev, flags, exempt_from_gc);
	if (n === null) return null;
	if (tbl.constructor_fn(n) < 0) {
		tbl.entries--;
		if (!exempt_from_gc) tbl.gc_entries--;
		return null;
	}
	n.confirmed = tbl.machine.jiffies - NEIGH_VAR(n.parms, NEIGH_VAR_BASE_REACHABLE_TIME) * 2;
	if (tbl.entries > tbl.hash_buckets.length) neigh_hash_grow(tbl);
	// The constructor may have changed the key.
	const h = neigh_hash(tbl, n.primary_key, dev);
	n.next = tbl.hash_buckets[h];
	tbl.hash_buckets[h] = n;
	n.all_prev = tbl.all_last;
	if (tbl.all_last === null) tbl.all_first = n;
	else tbl.all_last.all_next = n;
	tbl.all_last = n;
	if (tbl.entries >= tbl.gc_thresh1 && !timer_pending(tbl.gc_timer)) neigh_arm_gc(tbl);
	return n;
}

export function __neigh_create(tbl: neigh_table, pkey: number, dev: net_device, want_ref: boolean): neighbour | null {
	return ___neigh_create(tbl, pkey, dev, 0, false, want_ref);
}

function neigh_arm_gc(tbl: neigh_table): void {
	const base = NEIGH_VAR(tbl.parms, NEIGH_VAR_BASE_REACHABLE_TIME);
	mod_timer(tbl.gc_timer, tbl.machine.jiffies + Math.max(1, Math.floor(base / 2)));
}

/** Takes an entry out of the table and ends it. */
export function neigh_remove_one(n: neighbour): void {
	neigh_unhash(n);
	neigh_cleanup_and_release(n);
}

function neigh_unhash(n: neighbour): void {
	const tbl = n.tbl;
	const h = neigh_hash(tbl, n.primary_key, n.dev);
	let prev: neighbour | null = null;
	for (let c = tbl.hash_buckets[h]; c !== null; prev = c, c = c.next) {
		if (c !== n) continue;
		if (prev === null) tbl.hash_buckets[h] = c.next;
		else prev.next = c.next;
		break;
	}
	if (n.all_prev === null) tbl.all_first = n.all_next;
	else n.all_prev.all_next = n.all_next;
	if (n.all_next === null) tbl.all_last = n.all_prev;
	else n.all_next.all_prev = n.all_prev;
	n.next = null;
	n.all_next = null;
	n.all_prev = null;
	n.dead = true;
	tbl.entries--;
	if (!n.exempt_from_gc) tbl.gc_entries--;
	timer_delete(n.timer);
	tbl.stats.destroys++;
}

function neigh_cleanup_and_release(n: neighbour): void {
	__neigh_notify(n, RTM_DELNEIGH, 0, 0);
	__skb_queue_purge(n.arp_queue, SKB_DROP_REASON_QUEUE_PURGE, 'neigh_destroy');
	n.arp_queue_len_bytes = 0;
	n.output = neigh_blackhole;
	n.nud_state = n.nud_state & NUD_VALID ? NUD_NOARP : NUD_NONE;
}

/** Ends the entries of a device; permanent ones too unless `skip_perm`. */
function neigh_flush_dev(tbl: neigh_table, dev: net_device | null, skip_perm: boolean): void {
	for (let n = tbl.all_first; n !== null; ) {
		const next: neighbour | null = n.all_next;
		if ((dev === null || n.dev === dev) && !(skip_perm && n.nud_state & NUD_PERMANENT)) neigh_remove_one(n);
		n = next;
	}
}

/** The device has another address: what it knew is worthless. */
export function neigh_changeaddr(tbl: neigh_table, dev: net_device): void {
	neigh_flush_dev(tbl, dev, false);
}

/** The device goes down: all its entries and proxies go. */
export function neigh_ifdown(tbl: neigh_table, dev: net_device): void {
	neigh_flush_dev(tbl, dev, false);
	pneigh_ifdown(tbl, dev, false);
}

/** The carrier went: all but permanent entries go. */
export function neigh_carrier_down(tbl: neigh_table, dev: net_device): void {
	neigh_flush_dev(tbl, dev, true);
	pneigh_ifdown(tbl, dev, true);
}

/** The periodic gc: entries that nobody used for gc_stale_time go, once the table has gc_thresh1 of them. */
function neigh_periodic_work(timer: timer_list): void {
	const tbl = timer.owner as neigh_table;
	const now = tbl.machine.jiffies;
	tbl.stats.periodic_gc_runs++;
	neigh_refresh_rand(tbl, now);
	if (tbl.entries < tbl.gc_thresh1) return;
	for (let n = tbl.all_first; n !== null; ) {
		const next: neighbour | null = n.all_next;
		const state = n.nud_state;
		if (!(state & (NUD_PERMANENT | NUD_IN_TIMER)) && !(n.flags & NTF_EXT_LEARNED)) {
			if (n.used < n.confirmed) n.used = n.confirmed;
			const stale = now >= n.used + NEIGH_VAR(n.parms, NEIGH_VAR_GC_STALETIME);
			if (!neigh_in_use(n) && (state === NUD_FAILED || stale)) neigh_remove_one(n);
		}
		n = next;
	}
	if (tbl.entries >= tbl.gc_thresh1) neigh_arm_gc(tbl);
}

/** Reachable times are drawn anew every five minutes. */
function neigh_refresh_rand(tbl: neigh_table, now: number): void {
	if (now <= tbl.last_rand + 300 * HZ) return;
	tbl.last_rand = now;
	for (const p of tbl.parms_list) {
		p.reachable_time = neigh_rand_reach_time(tbl.machine, NEIGH_VAR(p, NEIGH_VAR_BASE_REACHABLE_TIME));
	}
}

// ---- states ----------------------------------------------------------------------------------------------------------------------

/** No longer sure: packets go by the slow way, which probes. */
function neigh_suspect(n: neighbour): void {
	n.output = n.ops.output;
}

/** Sure: packets go straight. */
function neigh_connect(n: neighbour): void {
	n.output = n.ops.connected_output;
}

function neigh_max_probes(n: neighbour): number {
	const p = n.parms.data;
	return (
		p[NEIGH_VAR_UCAST_PROBES] +
		p[NEIGH_VAR_APP_PROBES] +
		(n.nud_state & NUD_PROBE ? p[NEIGH_VAR_MCAST_REPROBES] : p[NEIGH_VAR_MCAST_PROBES])
	);
}

function neigh_retrans(n: neighbour): number {
	return Math.max(NEIGH_VAR(n.parms, NEIGH_VAR_RETRANS_TIME), Math.floor(HZ / 100));
}

function neigh_timer_handler(timer: timer_list): void {
	const n = timer.owner as neighbour;
	const state = n.nud_state;
	const now = timer.machine.jiffies;
	let next = now + HZ;
	let notify = false;
	if (!(state & NUD_IN_TIMER)) return;
	if (state & NUD_REACHABLE) {
		const delay_probe = NEIGH_VAR(n.parms, NEIGH_VAR_DELAY_PROBE_TIME);
		if (now <= n.confirmed + n.parms.reachable_time) next = n.confirmed + n.parms.reachable_time;
		else if (now <= n.used + delay_probe) {
			n.nud_state = NUD_DELAY;
			n.updated = now;
			neigh_suspect(n);
			next = now + delay_probe;
		} else {
			n.nud_state = NUD_STALE;
			n.updated = now;
			neigh_suspect(n);
			notify = true;
		}
	} else if (state & NUD_DELAY) {
		if (now <= n.confirmed + NEIGH_VAR(n.parms, NEIGH_VAR_DELAY_PROBE_TIME)) {
			n.nud_state = NUD_REACHABLE;
			n.updated = now;
			neigh_connect(n);
			notify = true;
			next = n.confirmed + n.parms.reachable_time;
		} else {
			n.nud_state = NUD_PROBE;
			n.updated = now;
			n.probes = 0;
			notify = true;
			next = now + neigh_retrans(n);
		}
	} else next = now + neigh_retrans(n);
	if (n.nud_state & (NUD_INCOMPLETE | NUD_PROBE) && n.probes >= neigh_max_probes(n)) {
		n.nud_state = NUD_FAILED;
		neigh_invalidate(n);
		neigh_update_notify(n, 0);
		return;
	}
	if (n.nud_state & NUD_IN_TIMER) mod_timer(n.timer, Math.max(next, now + Math.floor(HZ / 100)));
	if (n.nud_state & (NUD_INCOMPLETE | NUD_PROBE)) neigh_probe(n);
	if (notify) neigh_update_notify(n, 0);
}

/** Asks once more, on behalf of the packet that waits last. */
function neigh_probe(n: neighbour): void {
	const last = n.arp_queue.last;
	const skb = last !== null ? skb_clone(last) : null;
	n.ops.solicit(n, skb);
	n.probes++;
	if (skb !== null) consume_skb(skb);
}

/** Nobody answered: what waited is reported and dropped. */
function neigh_invalidate(n: neighbour): void {
	n.tbl.stats.res_failed++;
	n.updated = n.tbl.machine.jiffies;
	// A report may change the entry: it ends then.
	while (n.nud_state === NUD_FAILED) {
		const skb = __skb_dequeue(n.arp_queue);
		if (skb === null) break;
		if (skb.journey !== null) neigh_trace(n, skb, 'neigh_invalidate');
		n.ops.error_report(n, skb);
	}
	__skb_queue_purge(n.arp_queue, SKB_DROP_REASON_QUEUE_PURGE, 'neigh_invalidate');
	n.arp_queue_len_bytes = 0;
}

const SLOW_STATES = NUD_CONNECTED | NUD_DELAY | NUD_PROBE;

/** Someone wants to send. Takes skb (null: none) when it must wait. Return: 0 when it can go now (still the caller's), 1 when it was taken. */
export function neigh_event_send(n: neighbour, skb: sk_buff | null): number {
	return neigh_event_send_probe(n, skb, true);
}

export function neigh_event_send_probe(n: neighbour, skb: sk_buff | null, immediate_ok: boolean): number {
	const now = n.tbl.machine.jiffies;
	if (n.used !== now) n.used = now;
	return n.nud_state & SLOW_STATES ? 0 : __neigh_event_send(n, skb, immediate_ok);
}

export function __neigh_event_send(n: neighbour, skb: sk_buff | null, immediate_ok: boolean): number {
	if (n.nud_state & SLOW_STATES) return 0;
	if (n.dead) {
		if (skb !== null) kfree_skb_reason(skb, SKB_DROP_REASON_NEIGH_DEAD, '__neigh_event_send');
		return 1;
	}
	const now = n.tbl.machine.jiffies;
	let probe = false;
	if (!(n.nud_state & (NUD_STALE | NUD_INCOMPLETE))) {
		if (NEIGH_VAR(n.parms, NEIGH_VAR_MCAST_PROBES) + NEIGH_VAR(n.parms, NEIGH_VAR_APP_PROBES) > 0) {
			// What is there counts as asked in vain: a broadcast comes next.
			n.probes = NEIGH_VAR(n.parms, NEIGH_VAR_UCAST_PROBES);
			n.nud_state = NUD_INCOMPLETE;
			n.updated = now;
			probe = immediate_ok;
			mod_timer(n.timer, immediate_ok ? now + neigh_retrans(n) : now + 1);
		} else {
			n.nud_state = NUD_FAILED;
			n.updated = now;
			if (skb !== null) {
				if (skb.journey !== null) neigh_trace(n, skb, '__neigh_event_send');
				kfree_skb_reason(skb, SKB_DROP_REASON_NEIGH_FAILED, '__neigh_event_send');
			}
			return 1;
		}
	} else if (n.nud_state & NUD_STALE) {
		n.nud_state = NUD_DELAY;
		n.updated = now;
		mod_timer(n.timer, now + NEIGH_VAR(n.parms, NEIGH_VAR_DELAY_PROBE_TIME));
	}
	if (skb !== null && skb.journey !== null) neigh_trace(n, skb, '__neigh_event_send');
	let rc = 0;
	if (n.nud_state === NUD_INCOMPLETE) {
		if (skb !== null) {
			const max = NEIGH_VAR(n.parms, NEIGH_VAR_QUEUE_LEN_BYTES);
			while (n.arp_queue_len_bytes + skb.truesize > max) {
				const old = __skb_dequeue(n.arp_queue);
				if (old === null) break;
				n.arp_queue_len_bytes -= old.truesize;
				n.tbl.stats.unres_discards++;
				if (old.journey !== null) {
					trace_event(old, 'note', '__neigh_event_send', {
						sysctl: `net.ipv4.neigh.${n.dev.name}.unres_qlen_bytes`,
						value: max,
					});
				}
				kfree_skb_reason(old, SKB_DROP_REASON_NEIGH_QUEUEFULL, '__neigh_event_send');
			}
			__skb_queue_tail(n.arp_queue, skb);
			n.arp_queue_len_bytes += skb.truesize;
		}
		rc = 1;
	}
	if (probe) neigh_probe(n);
	return rc;
}

/** Takes note of what was learnt or set. `lladdr` null: keeps what is known. Return: 0 or -errno. */
export function neigh_update(
	n: neighbour,
	lladdr: Uint8Array | null,
	new_state: number,
	flags: number,
	nlmsg_pid: number,
): number {
	return __neigh_update(n, lladdr, new_state, flags, nlmsg_pid, null);
}

export function __neigh_update(
	n: neighbour,
	lladdr: Uint8Array | null,
	new_state: number,
	flags: number,
	nlmsg_pid: number,
	extack: netlink_ext_ack | null,
): number {
	const dev = n.dev;
	const old = n.nud_state;
	if (n.dead) {
		NL_SET_ERR_MSG(extack, 'Neighbor entry is now dead');
		return -EPERM;
	}
	if (!(flags & NEIGH_UPDATE_F_ADMIN) && old & (NUD_NOARP | NUD_PERMANENT)) return -EPERM;
	let notify = neigh_update_ext_learned(n, flags);
	if (flags & NEIGH_UPDATE_F_USE) {
		n.nud_state = old & ~NUD_PERMANENT;
		neigh_update_gc(n);
		if (notify) neigh_update_notify(n, nlmsg_pid);
		return 0;
	}
	if (!(new_state & NUD_VALID)) {
		timer_delete(n.timer);
		if (old & NUD_CONNECTED) neigh_suspect(n);
		n.nud_state = new_state;
		notify = notify || (old & NUD_VALID) !== 0;
		if (old & (NUD_INCOMPLETE | NUD_PROBE) && new_state & NUD_FAILED) {
			neigh_invalidate(n);
			notify = true;
		}
		neigh_update_gc(n);
		if (notify) neigh_update_notify(n, nlmsg_pid);
		return 0;
	}
	let same = true;
	if (dev.addr_len === 0) lladdr = null;
	else if (lladdr !== null) same = (old & NUD_VALID) !== 0 && same_lladdr(n, lladdr);
	else if (!(old & NUD_VALID)) {
		NL_SET_ERR_MSG(extack, 'No link layer address given');
		return -EINVAL;
	}
	const now = n.tbl.machine.jiffies;
	if (new_state & NUD_CONNECTED) n.confirmed = now;
	const isrouter = (flags & NEIGH_UPDATE_F_OVERRIDE_ISROUTER) !== 0;
	if (old & NUD_VALID) {
		if (!same && !(flags & NEIGH_UPDATE_F_OVERRIDE)) {
			// RFC 826 would always believe the newcomer; a weak override only makes the entry suspect.
			if (flags & NEIGH_UPDATE_F_WEAK_OVERRIDE && old & NUD_CONNECTED) {
				same = true;
				new_state = NUD_STALE;
			} else {
				if (notify) neigh_update_notify(n, nlmsg_pid);
				return 0;
			}
		} else if (same && new_state === NUD_STALE && !(flags & NEIGH_UPDATE_F_ADMIN)) new_state = old;
	}
	if (new_state !== old || !same) n.updated = now;
	if (new_state !== old) {
		timer_delete(n.timer);
		if (new_state & NUD_PROBE) n.probes = 0;
		if (new_state & NUD_IN_TIMER) {
			if (new_state & NUD_REACHABLE) neigh_refresh_rand(n.tbl, now);
			mod_timer(n.timer, new_state & NUD_REACHABLE ? now + n.parms.reachable_time : now);
		}
		n.nud_state = new_state;
		notify = true;
	}
	if (!same) {
		n.ha.set(lladdr!.subarray(0, dev.addr_len));
		n.hh_len = 0;
		if (!(new_state & NUD_CONNECTED)) n.confirmed = now - NEIGH_VAR(n.parms, NEIGH_VAR_BASE_REACHABLE_TIME) * 2;
		notify = true;
	}
	if (new_state !== old) {
		if (new_state & NUD_CONNECTED) neigh_connect(n);
		else neigh_suspect(n);
		if (!(old & NUD_VALID)) neigh_flush_queue(n);
	}
	if (isrouter) {
		n.flags = flags & NEIGH_UPDATE_F_ISROUTER ? n.flags | 0x80 : n.flags & ~0x80; // NTF_ROUTER
	}
	neigh_update_gc(n);
	if (notify) neigh_update_notify(n, nlmsg_pid);
	return 0;
}

function same_lladdr(n: neighbour, lladdr: Uint8Array): boolean {
	for (let i = 0; i < n.dev.addr_len; i++) if (n.ha[i] !== lladdr[i]) return false;
	return true;
}

/** The address is known: what waited goes out. */
function neigh_flush_queue(n: neighbour): void {
	while (n.nud_state & NUD_VALID) {
		const skb = __skb_dequeue(n.arp_queue);
		if (skb === null) break;
		n.output(n, skb);
	}
	__skb_queue_purge(n.arp_queue, SKB_DROP_REASON_QUEUE_PURGE, '__neigh_update');
	n.arp_queue_len_bytes = 0;
}

/** Return: whether the flag changed. */
function neigh_update_ext_learned(n: neighbour, flags: number): boolean {
	if (!(flags & NEIGH_UPDATE_F_ADMIN)) return false;
	const ndm = flags & NEIGH_UPDATE_F_EXT_LEARNED ? NTF_EXT_LEARNED : 0;
	if ((n.flags & NTF_EXT_LEARNED) === ndm) return false;
	n.flags = (n.flags & ~NTF_EXT_LEARNED) | ndm;
	return true;
}

/** Permanent and externally learned entries are not gc's. */
function neigh_update_gc(n: neighbour): void {
	if (n.dead) return;
	const exempt = (n.nud_state & NUD_PERMANENT) !== 0 || (n.flags & NTF_EXT_LEARNED) !== 0;
	if (exempt === n.exempt_from_gc) return;
	n.exempt_from_gc = exempt;
	n.tbl.gc_entries += exempt ? -1 : 1;
}

function neigh_update_notify(n: neighbour, nlmsg_pid: number): void {
	__neigh_notify(n, RTM_NEWNEIGH, 0, nlmsg_pid);
}

/** Tells netlink's listeners; what does it is put in `machine.neigh` by neigh_netlink_init. */
export function __neigh_notify(n: neighbour, type: number, flags: number, pid: number): void {
	const fn = n.tbl.machine.net.neigh_notify;
	if (fn !== null) fn(n, type, flags, pid);
}

/** Learns from what a neighbour sent: makes or updates its entry as STALE. */
export function neigh_event_ns(tbl: neigh_table, lladdr: Uint8Array, saddr: number, dev: net_device): neighbour | null {
	const n = __neigh_lookup(tbl, saddr, dev, dev.addr_len > 0 ? 1 : 0);
	if (n !== null) neigh_update(n, lladdr, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE, 0);
	return n;
}

/** Higher layers have proof that it is there (MSG_CONFIRM, a TCP ack). */
export function neigh_confirm(n: neighbour | null): void {
	if (n === null) return;
	const now = n.tbl.machine.jiffies;
	if (n.confirmed !== now) n.confirmed = now;
}
