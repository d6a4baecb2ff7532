/*
 * net/netfilter/xt_hashlimit.ts: match hashlimit: a token bucket for each address or port.    Linux: net/netfilter/xt_hashlimit.c
 * Tables are shared by name. Credit is counted in microseconds; a packet costs `avg` of them.
 * A rate in bytes: a second's worth of credit, of which 16 bytes cost `avg`; a burst refills it at once so many times. A rate to match:
 * what came in the last interval, and in this one so far.
 * Not here yet: /proc/net/ipt_hashlimit, the limit on a table's size.
 */
import type { Machine } from '../../kernel/machine.ts';
import { HZ } from '../../kernel/time.ts';
import { get_unaligned_be16, get_unaligned_be32, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import { EINVAL, ERANGE } from '../../uapi/asm-generic/errno.ts';
import {
	hashlimit_cfg3,
	XT_HASHLIMIT_BYTE_SHIFT,
	XT_HASHLIMIT_BYTES,
	XT_HASHLIMIT_HASH_DIP,
	XT_HASHLIMIT_HASH_DPT,
	XT_HASHLIMIT_HASH_SIP,
	XT_HASHLIMIT_HASH_SPT,
	XT_HASHLIMIT_INVERT,
	XT_HASHLIMIT_RATE_MATCH,
	XT_HASHLIMIT_SCALE_v2,
	xt_hashlimit_mtinfo3,
} from '../../uapi/linux/netfilter/xt_hashlimit.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';

/** Buckets with the same hash hang on `next`. */
interface bucket {
	src: number;
	dst: number;
	/** Source port in the upper half. */
	ports: number;
	next: bucket | null;
	/** Jiffies when it was last looked at, and when it may be forgotten. */
	prev: number;
	expires: number;
	credit: number;
	/** Rates in bytes: refills left. */
	refills: number;
	/** Rates to match: packets or bytes of this interval, and whether the last one had too many. */
	current: number;
	over: boolean;
}

class hashlimit_table {
	name: string;
	refcnt = 0;
	mode: number;
	avg: number;
	burst: number;
	/** In jiffies. */
	expire: number;
	interval: number;
	/** By jhash. */
	buckets: Map<number, bucket> = new Map();
	/** What is being looked for: set by hashlimit_key. */
	src = 0;
	dst = 0;
	ports = 0;
	last_gc = 0;

	constructor(info: hashlimit_info) {
		this.name = info.name;
		this.mode = info.mode;
		this.avg = info.avg;
		this.burst = info.burst;
		this.expire = Math.ceil((info.expire * HZ) / 1000);
		this.interval = info.interval * HZ;
	}
}

interface hashlimit_info {
	name: string;
	mode: number;
	/** Microseconds a packet. */
	avg: number;
	burst: number;
	/** ms */
	expire: number;
	/** Seconds. */
	interval: number;
	srcmask: number;
	dstmask: number;
	table: hashlimit_table | null;
}

const NAME_MAX = 255;

function le64(b: Uint8Array, o: number): number {
	return get_unaligned_le32(b, o) + get_unaligned_le32(b, o + 4) * 0x100000000;
}

function prefix_mask(len: number): number {
	return len === 0 ? 0 : -1 << (32 - len);
}

function hashlimit_parse(b: Uint8Array): hashlimit_info | number {
	const c = xt_hashlimit_mtinfo3.cfg;
	let name = '';
	for (let i = 0; i < NAME_MAX && b[i] !== 0; i++) name += String.fromCharCode(b[i]);
	const mode = get_unaligned_le32(b, c + hashlimit_cfg3.mode);
	const srcmask = b[c + hashlimit_cfg3.srcmask];
	const dstmask = b[c + hashlimit_cfg3.dstmask];
	if (name === '' || srcmask > 32 || dstmask > 32) return -EINVAL;
	if (get_unaligned_le32(b, c + hashlimit_cfg3.gc_interval) === 0) return -EINVAL;
	if (get_unaligned_le32(b, c + hashlimit_cfg3.expire) === 0) return -EINVAL;
	const interval = get_unaligned_le32(b, c + hashlimit_cfg3.interval);
	if ((mode & XT_HASHLIMIT_RATE_MATCH) !== 0 && interval === 0) return -EINVAL;
	return {
		name,
		mode,
		avg: le64(b, c + hashlimit_cfg3.avg),
		burst: le64(b, c + hashlimit_cfg3.burst),
		expire: get_unaligned_le32(b, c + hashlimit_cfg3.expire),
		interval,
		srcmask: prefix_mask(srcmask),
		dstmask: prefix_mask(dstmask),
		table: null,
	};
}

/** Reads what tells the packet's bucket apart into the table. Return: false when its ports cannot be read. */
function hashlimit_key(skb: sk_buff, par: xt_action_param, info: hashlimit_info, t: hashlimit_table): boolean {
	const b = skb.head;
	const n = skb.network_header;
	t.src = (info.mode & XT_HASHLIMIT_HASH_SIP) !== 0 ? get_unaligned_be32(b, n + 12) & info.srcmask : 0;
	t.dst = (info.mode & XT_HASHLIMIT_HASH_DIP) !== 0 ? get_unaligned_be32(b, n + 16) & info.dstmask : 0;
	t.ports = 0;
	if ((info.mode & (XT_HASHLIMIT_HASH_SPT | XT_HASHLIMIT_HASH_DPT)) !== 0) {
		const proto = b[n + 9];
		if (proto === IPPROTO_TCP || proto === IPPROTO_UDP || proto === IPPROTO_UDPLITE || proto === IPPROTO_SCTP) {
			const off = n - skb.data + par.thoff;
			if (par.fragoff !== 0 || !pskb_may_pull(skb, off + 4)) return false;
			const at = skb.data + off;
			if ((info.mode & XT_HASHLIMIT_HASH_SPT) !== 0) t.ports = get_unaligned_be16(skb.head, at) << 16;
			if ((info.mode & XT_HASHLIMIT_HASH_DPT) !== 0) t.ports |= get_unaligned_be16(skb.head, at + 2);
		}
	}
	return true;
}

function gc(t: hashlimit_table, now: number): void {
	if (now - t.last_gc < HZ) return;
	t.last_gc = now;
	for (const [hash, head] of t.buckets) {
		let kept: bucket | null = null;
		for (let e: bucket | null = head; e !== null; ) {
			const next: bucket | null = e.next;
			if (e.expires >= now) {
				e.next = kept;
				kept = e;
			}
			e = next;
		}
		if (kept === null) t.buckets.delete(hash);
		else t.buckets.set(hash, kept);
	}
}

/** A second's credit of a rate in bytes. */
const BYTE_CAP = 2 ** 32;

/** Whether a packet keeps to the packet rate; takes its cost if so. */
function within_packets(t: hashlimit_table, e: bucket, now: number): boolean {
	e.credit = Math.min(t.avg * t.burst, e.credit + (now - e.prev) * (XT_HASHLIMIT_SCALE_v2 / HZ));
	e.prev = now;
	if (e.credit < t.avg) return false;
	e.credit -= t.avg;
	return true;
}

function within_bytes(t: hashlimit_table, e: bucket, now: number, len: number): boolean {
	e.credit = Math.min(BYTE_CAP, e.credit + (now - e.prev) * (BYTE_CAP / HZ));
	e.prev = now;
	const cost = Math.min(((len >> XT_HASHLIMIT_BYTE_SHIFT) + 1) * t.avg, 0xffffffff);
	if (e.credit < cost && e.refills > 0) {
		e.refills--;
		e.credit = BYTE_CAP;
	}
	if (e.credit < cost) return false;
	e.credit -= cost;
	return true;
}

/** Whether what comes keeps to a rate: nothing is limited. */
function within_rate(t: hashlimit_table, e: bucket, now: number, amount: number, rate: number): boolean {
	const delta = now - e.prev;
	if (delta >= t.interval) {
		e.prev = now;
		e.over = e.current * t.interval > delta * rate;
		e.current = 0;
	}
	e.current += amount;
	return !e.over && e.current <= t.burst + rate;
}

function within(t: hashlimit_table, e: bucket, now: number, len: number): boolean {
	const bytes = (t.mode & XT_HASHLIMIT_BYTES) !== 0;
	if ((t.mode & XT_HASHLIMIT_RATE_MATCH) === 0) return bytes ? within_bytes(t, e, now, len) : within_packets(t, e, now);
	const rate = bytes
		? (Math.floor(0xffffffff / t.avg) - 1) * (1 << XT_HASHLIMIT_BYTE_SHIFT)
		: Math.floor(XT_HASHLIMIT_SCALE_v2 / t.avg);
	return within_rate(t, e, now, bytes ? len : 1, rate);
}

function hashlimit_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as hashlimit_info;
	const t = info.table!;
	const now = skb.machine.jiffies;
	const invert = (info.mode & XT_HASHLIMIT_INVERT) !== 0;
	if (!hashlimit_key(skb, par, info, t)) {
		par.hotdrop = true;
		return false;
	}
	gc(t, now);
	const hash = jhash_3words(t.src, t.dst, t.ports, 0);
	const head = t.buckets.get(hash);
	let e: bucket | null = head === undefined ? null : head;
	while (e !== null && (e.src !== t.src || e.dst !== t.dst || e.ports !== t.ports)) e = e.next;
	if (e === null) {
		const next = head === undefined ? null : head;
		const credit = (t.mode & XT_HASHLIMIT_BYTES) !== 0 ? BYTE_CAP : t.avg * t.burst;
		e = {
			src: t.src,
			dst: t.dst,
			ports: t.ports,
			next,
			prev: now,
			expires: 0,
			credit,
			refills: t.burst,
			current: 0,
			over: false,
		};
		t.buckets.set(hash, e);
	}
	e.expires = now + t.expire;
	return within(t, e, now, skb.len) !== invert;
}

/** As Linux computes credits in 64 bits: they may wrap. */
function user2credits(user: bigint): bigint {
	const CPJ = 1n << 39n;
	return (user * ((BigInt(HZ) * CPJ) / BigInt(XT_HASHLIMIT_SCALE_v2))) & ((1n << 64n) - 1n);
}

function tables(net: net): Map<string, hashlimit_table> {
	let t = net.xt.priv.get('hashlimit') as Map<string, hashlimit_table> | undefined;
	if (t === undefined) {
		t = new Map();
		net.xt.priv.set('hashlimit', t);
	}
	return t;
}

function hashlimit_mt_check(par: xt_mtchk_param): number {
	const info = par.matchinfo as hashlimit_info;
	const avg = BigInt(info.avg);
	const bytes = (info.mode & XT_HASHLIMIT_BYTES) !== 0;
	if (info.avg === 0) return -ERANGE;
	if (!bytes && (info.burst === 0 || user2credits(avg * BigInt(info.burst)) < user2credits(avg))) return -ERANGE;
	const all = tables(par.net);
	let t = all.get(info.name);
	if (t === undefined) {
		t = new hashlimit_table(info);
		all.set(info.name, t);
	}
	t.refcnt++;
	info.table = t;
	return 0;
}

function hashlimit_mt_destroy(net: net, matchinfo: unknown): void {
	const t = (matchinfo as hashlimit_info).table;
	if (t !== null && --t.refcnt === 0) tables(net).delete(t.name);
}

export function hashlimit_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'hashlimit',
		revision: 3,
		family: NFPROTO_IPV4,
		matchsize: xt_hashlimit_mtinfo3.sizeof,
		usersize: xt_hashlimit_mtinfo3.hinfo,
		parse: hashlimit_parse,
		match: hashlimit_mt,
		checkentry: hashlimit_mt_check,
		destroy: hashlimit_mt_destroy,
	});
}
