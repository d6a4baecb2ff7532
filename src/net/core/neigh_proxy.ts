/*
 * net/core/neigh_proxy.ts: addresses that we answer for.           Linux: net/core/neighbour.c (pneigh_*)
 * RFC 4861 7.2.8: a proxy answers a little later, at random, so that the host itself comes first.
 */

import { mod_timer, timer_delete, type timer_list, timer_pending } from '../../kernel/time.ts';
import { SKB_DROP_REASON_NOT_SPECIFIED, SKB_DROP_REASON_QUEUE_PURGE } from './dropreason.ts';
import {
	NEIGH_VAR,
	NEIGH_VAR_PROXY_DELAY,
	NEIGH_VAR_PROXY_QLEN,
	type neigh_parms,
	type neigh_table,
} from './neighbour.ts';
import type { net } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';
import { kfree_skb_reason, type sk_buff, skb_dst_drop } from './skbuff.ts';
import { __skb_queue_tail, __skb_unlink } from './skbuff_queue.ts';

export class pneigh_entry {
	tbl: neigh_table;
	net: net;
	/** null: on every device. */
	dev: net_device | null;
	key: number;
	flags: number;
	protocol: number;
	/** Stays when the carrier goes. */
	permanent: boolean;

	constructor(
		tbl: neigh_table,
		net: net,
		key: number,
		dev: net_device | null,
		flags: number,
		protocol: number,
		perm: boolean,
	) {
		this.tbl = tbl;
		this.net = net;
		this.key = key;
		this.dev = dev;
		this.flags = flags;
		this.protocol = protocol;
		this.permanent = perm;
	}
}

/** What a waiting request remembers: struct neighbour_cb in skb->cb. */
export class neighbour_cb {
	/** In jiffies. */
	sched_next = 0;
	locally_enqueued = false;
	parms: neigh_parms | null = null;
}

/** The proxy entry for `key` on `dev` (one without device counts for all), or null. */
export function pneigh_lookup(tbl: neigh_table, net: net, key: number, dev: net_device | null): pneigh_entry | null {
	for (const p of tbl.phash) {
		if (p.key === key && p.net === net && (p.dev === dev || p.dev === null)) return p;
	}
	return null;
}

/** Makes an entry, or changes what is there. */
export function pneigh_create(
	tbl: neigh_table,
	net: net,
	key: number,
	dev: net_device | null,
	flags: number,
	protocol: number,
	permanent: boolean,
): pneigh_entry {
	let p = pneigh_lookup(tbl, net, key, dev);
	if (p === null) {
		p = new pneigh_entry(tbl, net, key, dev, flags, protocol, permanent);
		tbl.phash.push(p);
	}
	p.flags = flags;
	p.permanent = permanent;
	if (protocol !== 0) p.protocol = protocol;
	return p;
}

/** Return: whether there was one. */
export function pneigh_delete(tbl: neigh_table, net: net, key: number, dev: net_device | null): boolean {
	const at = tbl.phash.findIndex((p) => p.key === key && p.net === net && p.dev === dev);
	if (at < 0) return false;
	tbl.phash.splice(at, 1);
	return true;
}

/** The device goes down, or loses its carrier (`skip_perm`): its entries go, and requests that wait. */
export function pneigh_ifdown(tbl: neigh_table, dev: net_device, skip_perm: boolean): void {
	tbl.phash = tbl.phash.filter((p) => p.dev !== dev || (skip_perm && p.permanent));
	for (let skb = tbl.proxy_queue.first; skb !== null; ) {
		const next: sk_buff | null = skb.next;
		if (skb.dev === dev) {
			pneigh_unqueue(tbl, skb);
			kfree_skb_reason(skb, SKB_DROP_REASON_QUEUE_PURGE, 'pneigh_queue_purge');
		}
		skb = next;
	}
	if (tbl.proxy_queue.qlen === 0) timer_delete(tbl.proxy_timer);
}

function pneigh_unqueue(tbl: neigh_table, skb: sk_buff): void {
	const cb = skb.cb as neighbour_cb;
	__skb_unlink(skb, tbl.proxy_queue);
	if (cb.parms !== null) cb.parms.qlen--;
}

/** Keeps a request for a random part of proxy_delay. Consumes skb. */
export function pneigh_enqueue(tbl: neigh_table, p: neigh_parms, skb: sk_buff): void {
	if (p.qlen > NEIGH_VAR(p, NEIGH_VAR_PROXY_QLEN)) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'pneigh_enqueue');
		return;
	}
	const cb = new neighbour_cb();
	cb.sched_next = tbl.machine.jiffies + tbl.machine.random.below(NEIGH_VAR(p, NEIGH_VAR_PROXY_DELAY));
	cb.locally_enqueued = true;
	cb.parms = p;
	skb.cb = cb;
	skb_dst_drop(skb);
	p.qlen++;
	__skb_queue_tail(tbl.proxy_queue, skb);
	const at = timer_pending(tbl.proxy_timer) ? Math.min(tbl.proxy_timer.expires, cb.sched_next) : cb.sched_next;
	mod_timer(tbl.proxy_timer, at);
}

/** Answers what is due. */
export function neigh_proxy_timer(timer: timer_list): void {
	const tbl = timer.owner as neigh_table;
	const now = timer.machine.jiffies;
	let next = 0;
	for (let skb = tbl.proxy_queue.first; skb !== null; ) {
		const after: sk_buff | null = skb.next;
		const at = (skb.cb as neighbour_cb).sched_next;
		if (at <= now) {
			pneigh_unqueue(tbl, skb);
			if (tbl.proxy_redo !== null && skb.dev!.running) tbl.proxy_redo(skb);
			else kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'neigh_proxy_process');
		} else if (next === 0 || at < next) next = at;
		skb = after;
	}
	if (next !== 0) mod_timer(timer, next);
}
