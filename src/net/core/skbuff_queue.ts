/*
 * net/core/skbuff_queue.ts: lists of packets.                      Linux: linux/skbuff.h, net/core/skbuff.c (skb_queue_*)
 *
 * An sk_buff stands in at most one list at a time, linked by its own `next` and `prev`.
 */

import type { sk_buff } from './skbuff.ts';
import { kfree_skb_reason } from './skbuff.ts';

/** A first-in first-out list of packets linked by next and prev. */
export class sk_buff_head {
	first: sk_buff | null = null;
	last: sk_buff | null = null;
	qlen = 0;
}

export function skb_queue_len(list: sk_buff_head): number {
	return list.qlen;
}

export function skb_queue_empty(list: sk_buff_head): boolean {
	return list.first === null;
}

export function skb_peek(list: sk_buff_head): sk_buff | null {
	return list.first;
}

export function __skb_queue_tail(list: sk_buff_head, skb: sk_buff): void {
	skb.next = null;
	skb.prev = list.last;
	if (list.last === null) list.first = skb;
	else list.last.next = skb;
	list.last = skb;
	list.qlen++;
}

export function __skb_queue_head(list: sk_buff_head, skb: sk_buff): void {
	skb.prev = null;
	skb.next = list.first;
	if (list.first === null) list.last = skb;
	else list.first.prev = skb;
	list.first = skb;
	list.qlen++;
}

/** Puts `skb` right behind `prev`, which is in the list. */
export function __skb_queue_after(list: sk_buff_head, prev: sk_buff, skb: sk_buff): void {
	const next = prev.next;
	skb.prev = prev;
	skb.next = next;
	prev.next = skb;
	if (next === null) list.last = skb;
	else next.prev = skb;
	list.qlen++;
}

/** Puts `skb` right before `next`, which is in the list. */
export function __skb_queue_before(list: sk_buff_head, next: sk_buff, skb: sk_buff): void {
	const prev = next.prev;
	if (prev === null) __skb_queue_head(list, skb);
	else __skb_queue_after(list, prev, skb);
}

export function __skb_unlink(skb: sk_buff, list: sk_buff_head): void {
	if (skb.prev === null) list.first = skb.next;
	else skb.prev.next = skb.next;
	if (skb.next === null) list.last = skb.prev;
	else skb.next.prev = skb.prev;
	skb.next = null;
	skb.prev = null;
	list.qlen--;
}

/** Takes the first out; null when empty. */
export function __skb_dequeue(list: sk_buff_head): sk_buff | null {
	const skb = list.first;
	if (skb === null) return null;
	const next = skb.next;
	list.first = next;
	if (next === null) list.last = null;
	else next.prev = null;
	skb.next = null;
	list.qlen--;
	return skb;
}

export function __skb_queue_purge(list: sk_buff_head, reason: number, location = 'skb_queue_purge'): void {
	for (let skb = __skb_dequeue(list); skb !== null; skb = __skb_dequeue(list)) kfree_skb_reason(skb, reason, location);
}
