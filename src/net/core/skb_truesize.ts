/*
 * net/core/skb_truesize.ts: what Linux charges for a packet's memory.      Linux: linux/skbuff.h (SKB_TRUESIZE), net/core/skbuff.c (kmalloc_reserve)
 * Windows and buffers' sizes depend on it, so drivers and queues charge this, whatever a packet takes here.
 */

/** sizeof(struct sk_buff) and sizeof(struct skb_shared_info), rounded to cache lines. */
const SK_BUFF = 256;
const SHARED_INFO = 320;
/** Heads up to this come from a cache of their own (skbuff_small_head). */
const SMALL_HEAD = 576;

/** Bytes that fit into the buffer that Linux takes for `size` bytes (skb_end_offset). */
export function linear_size(size: number): number {
	size += SHARED_INFO;
	if (size <= SMALL_HEAD) return SMALL_HEAD - SHARED_INFO;
	let slab = 1024;
	while (slab < size) slab *= 2;
	return slab - SHARED_INFO;
}

/** Truesize of a linear packet whose buffer holds `size` bytes. */
export function linear_truesize(size: number): number {
	return linear_size(size) + SHARED_INFO + SK_BUFF;
}

/** Bytes that a buffer of one page holds: SKB_MAX_ORDER(0, 0). */
export const SKB_MAX_ORDER_0 = 4096 - SHARED_INFO;

/** Truesize of a packet that a process wrote into a tun device: beyond a page, the rest lies in pages. */
export function tun_truesize(len: number): number {
	// NET_SKB_PAD
	const size = len + 64;
	if (size < 4096) return linear_truesize(size);
	return 4096 + SK_BUFF + Math.ceil((size - SKB_MAX_ORDER_0) / 4096) * 4096;
}
