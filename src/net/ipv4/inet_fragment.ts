/*
 * net/ipv4/inet_fragment.ts: fragments that wait for each other.   Linux: net/ipv4/inet_fragment.c, net/inet_frag.h
 *
 * A queue holds one datagram's fragments as runs: stretches of adjacent fragments in the order of their offsets. Memory counts by
 * truesize against the namespace's high_thresh. Not here yet: IPv6's part.
 */

import { mod_timer, timer_delete, timer_list } from '../../kernel/time.ts';
import { SKB_CONSUMED, SKB_DROP_REASON_FRAG_REASM_TIMEOUT } from '../core/dropreason.ts';
import type { net } from '../core/net_namespace.ts';
import { consume_skb, kfree_skb_reason, type sk_buff } from '../core/skbuff.ts';

export const INET_FRAG_FIRST_IN = 1;
export const INET_FRAG_LAST_IN = 2;
export const INET_FRAG_COMPLETE = 4;
export const INET_FRAG_HASH_DEAD = 8;
export const INET_FRAG_DROP = 16;

export const IPFRAG_OK = 0;
export const IPFRAG_DUP = 1;
export const IPFRAG_OVERLAP = 2;

/** What an empty queue is charged for. */
export const FRAG_QUEUE_SIZE = 264;

/** Adjacent fragments, from `start` to before `end`. */
export class frag_run {
	start: number;
	end: number;
	frags: sk_buff[];

	constructor(start: number, end: number, skb: sk_buff) {
		this.start = start;
		this.end = end;
		this.frags = [skb];
	}
}

/** One datagram's fragments (struct inet_frag_queue and ipq). */
export class inet_frag_queue {
	fqdir: fqdir;
	hash: number;
	next: inet_frag_queue | null = null;
	timer: timer_list;
	saddr = 0;
	daddr = 0;
	id = 0;
	protocol = 0;
	user = 0;
	vif = 0;

	/** In order of offset. */
	runs: frag_run[] = [];
	/** Total length as far as known, and bytes that are here. */
	len = 0;
	meat = 0;
	flags = 0;
	/** Largest fragment, with its header; and the largest that said DF. */
	max_size = 0;
	max_df_size = 0;
	/** One bit per ECN value seen. */
	ecn = 0;
	iif = 0;
	/** The sender's count of datagrams when this one was last added to. */
	rid = 0;

	constructor(dir: fqdir, hash: number) {
		this.fqdir = dir;
		this.hash = hash;
		this.timer = new timer_list(dir.net.machine, dir.expire, this, 'ip_expire');
	}
}

/** The fragment queues of a namespace. */
export class fqdir {
	net: net;
	/** Heads of chains, by the full hash. */
	table: Map<number, inet_frag_queue> = new Map();
	expire: (timer: timer_list) => void;
	/** Queues, and bytes that they hold. */
	count = 0;
	mem = 0;

	constructor(n: net, expire: (timer: timer_list) => void) {
		this.net = n;
		this.expire = expire;
	}
}

/** Adds a new queue and starts its clock; `timeout` in jiffies. */
export function inet_frag_insert(q: inet_frag_queue, timeout: number): void {
	const dir = q.fqdir;
	q.next = dir.table.get(q.hash) ?? null;
	dir.table.set(q.hash, q);
	dir.count++;
	dir.mem += FRAG_QUEUE_SIZE;
	mod_timer(q.timer, dir.net.machine.jiffies + timeout);
}

/** Takes the queue out of the table and stops its clock; its fragments stay until inet_frag_destroy. */
export function inet_frag_kill(q: inet_frag_queue): void {
	timer_delete(q.timer);
	q.flags |= INET_FRAG_COMPLETE;
	if ((q.flags & INET_FRAG_HASH_DEAD) !== 0) return;
	q.flags |= INET_FRAG_HASH_DEAD;
	const dir = q.fqdir;
	const first = dir.table.get(q.hash);
	if (first === q) {
		if (q.next === null) dir.table.delete(q.hash);
		else dir.table.set(q.hash, q.next);
	} else {
		for (let p = first; p !== undefined && p !== null; p = p.next ?? undefined) {
			if (p.next === q) {
				p.next = q.next;
				break;
			}
		}
	}
	q.next = null;
	dir.count--;
	dir.mem -= FRAG_QUEUE_SIZE;
}

/** Frees all fragments. Return: the bytes that they held. */
export function inet_frag_purge(q: inet_frag_queue, reason: number): number {
	let sum = 0;
	const runs = q.runs;
	q.runs = [];
	for (let r = 0; r < runs.length; r++) {
		const frags = runs[r].frags;
		for (let i = 0; i < frags.length; i++) {
			sum += frags[i].truesize;
			if (reason === SKB_CONSUMED) consume_skb(frags[i]);
			else kfree_skb_reason(frags[i], reason, 'inet_frag_rbtree_purge');
		}
	}
	q.fqdir.mem -= sum;
	return sum;
}

/** Ends a killed queue. */
export function inet_frag_destroy(q: inet_frag_queue): void {
	inet_frag_purge(q, (q.flags & INET_FRAG_DROP) !== 0 ? SKB_DROP_REASON_FRAG_REASM_TIMEOUT : SKB_CONSUMED);
}

/**
 * Puts a fragment of bytes `offset` to `end` in its place.
 * Return: IPFRAG_OK, IPFRAG_DUP when all of it is here already, IPFRAG_OVERLAP when some of it is (RFC 5722: never guess which to believe).
 */
export function inet_frag_queue_insert(q: inet_frag_queue, skb: sk_buff, offset: number, end: number): number {
	const runs = q.runs;
	const last = runs.length > 0 ? runs[runs.length - 1] : null;
	if (last === null) {
		runs.push(new frag_run(offset, end, skb));
		return IPFRAG_OK;
	}
	if (last.end < end) {
		if (offset < last.end) return IPFRAG_OVERLAP;
		if (offset === last.end) {
			last.frags.push(skb);
			last.end = end;
		} else runs.push(new frag_run(offset, end, skb));
		return IPFRAG_OK;
	}
	let lo = 0;
	let hi = runs.length;
	while (lo < hi) {
		const mid = (lo + hi) >> 1;
		const r = runs[mid];
		if (end <= r.start) hi = mid;
		else if (offset >= r.end) lo = mid + 1;
		else return offset >= r.start && end <= r.end ? IPFRAG_DUP : IPFRAG_OVERLAP;
	}
	runs.splice(lo, 0, new frag_run(offset, end, skb));
	return IPFRAG_OK;
}

const SWAPPED = [
	'sk',
	'dev',
	'head',
	'shinfo',
	'data',
	'tail',
	'end',
	'len',
	'data_len',
	'mac_len',
	'mac_header',
	'network_header',
	'transport_header',
	'cloned',
	'pkt_type',
	'protocol',
	'ip_summed',
	'csum_valid',
	'csum',
	'csum_start',
	'csum_offset',
	'mark',
	'priority',
	'hash',
	'l4_hash',
	'skb_iif',
	'queue_mapping',
	'vlan_present',
	'vlan_proto',
	'vlan_tci',
	'tstamp',
	'truesize',
	'_skb_refdst',
	'_nfct',
	'_nfctinfo',
	'nf_trace',
	'secmark',
	'journey',
	'ipcb',
	'cb',
] as const;

/** Exchanges what two sk_buffs hold: the caller's object becomes the first fragment (Linux: skb_morph). */
function skb_swap(a: sk_buff, b: sk_buff): void {
	const x = a as unknown as Record<string, unknown>;
	const y = b as unknown as Record<string, unknown>;
	for (const f of SWAPPED) {
		const t = x[f];
		x[f] = y[f];
		y[f] = t;
	}
}

/**
 * Makes `skb` (the fragment that completed the queue) the whole packet: the first fragment with its header, the others in frag_list. The
 * queue is empty then. Return: 0.
 */
export function inet_frag_reasm(q: inet_frag_queue, skb: sk_buff): number {
	const runs = q.runs;
	q.runs = [];
	const first = runs[0].frags[0];
	if (first !== skb) {
		// `skb` stands somewhere in the list: after the exchange the other object holds its bytes.
		for (let r = 0; r < runs.length; r++) {
			const i = runs[r].frags.indexOf(skb);
			if (i >= 0) {
				runs[r].frags[i] = first;
				break;
			}
		}
		skb_swap(skb, first);
	}
	let mem = skb.truesize;
	// The first fragment's header comes back in front of its data.
	skb.len += skb.data - skb.network_header;
	skb.data = skb.network_header;
	let tail: sk_buff | null = null;
	for (let r = 0; r < runs.length; r++) {
		const frags = runs[r].frags;
		for (let i = 0; i < frags.length; i++) {
			const f = frags[i];
			if (r === 0 && i === 0) continue;
			f.next = null;
			f.prev = null;
			f.dev = null;
			if (tail === null) skb.shinfo.frag_list = f;
			else tail.next = f;
			tail = f;
			skb.len += f.len;
			skb.data_len += f.len;
			skb.truesize += f.truesize;
			mem += f.truesize;
		}
	}
	skb.next = null;
	skb.prev = null;
	// A sum over one piece says nothing of the whole.
	skb.ip_summed = skb.data_len > 0 ? 0 : skb.ip_summed;
	q.fqdir.mem -= mem;
	return 0;
}

/** Takes the first fragment out (for the ICMP error at a timeout). Return: it, or null. */
export function inet_frag_pull_head(q: inet_frag_queue): sk_buff | null {
	if (q.runs.length === 0) return null;
	const head = q.runs[0].frags.shift()!;
	if (q.runs[0].frags.length === 0) q.runs.shift();
	q.fqdir.mem -= head.truesize;
	return head;
}

/** Ends all queues of a namespace. */
export function fqdir_exit(dir: fqdir): void {
	for (const first of [...dir.table.values()]) {
		let q: inet_frag_queue | null = first;
		while (q !== null) {
			const next: inet_frag_queue | null = q.next;
			inet_frag_kill(q);
			inet_frag_destroy(q);
			q = next;
		}
	}
}
