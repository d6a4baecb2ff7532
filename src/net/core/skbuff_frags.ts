/*
 * net/core/skbuff_frags.ts: packet data outside the linear part: pages, and what is done with them.   Linux: linux/skbuff.h, net/core/skbuff.c, sock.c
 *
 * A page is pooled memory that the frags of many packets point into; each frag holds a reference, and with the last one the page goes back
 * to its pool. Stream sockets copy what a process writes into the machine's current page (sk_page_frag): one copy in, and from then on
 * segments are cut (skb_split), joined (skb_shift, skb_try_coalesce) and shared (skb_clone, pskb_copy) by reference.
 *
 * Walk: sk_page_frag_refill -> skb_append_data -> skb_split, skb_shift -> skb_try_coalesce (receive) -> skb_frag_unref (skb_release).
 */

import type { Machine } from '../../kernel/machine.ts';
import { csum_partial } from '../../lib/checksum.ts';
import { MAX_SKB_FRAGS, pskb_expand_head, type sk_buff, skb_cloned, type skb_shared_info } from './skbuff.ts';
import { skb_zcopy_set } from './skbuff_zerocopy.ts';

/** As Linux's: order 3. */
export const SKB_FRAG_PAGE_SIZE = 32768;
const PAGE_POOL_MAX = 1024;

/** Memory that frags point into. */
export class page {
	mem: Uint8Array;
	refcount = 1;
	/** Goes back to the machine's pool with the last reference. */
	pooled: boolean;

	constructor(mem: Uint8Array, pooled: boolean) {
		this.mem = mem;
		this.pooled = pooled;
	}
}

export const NO_PAGE: page = new page(new Uint8Array(0), false);

/** A piece of packet data outside the linear part. Slots of shinfo.frags are used again: valid are those below nr_frags. */
export class skb_frag {
	page: page = NO_PAGE;
	offset = 0;
	size = 0;
}

/** Where the next bytes that a process writes are put. */
export class page_frag {
	page: page = NO_PAGE;
	offset = 0;
}

/** Free pages of a machine, and the one being filled. */
export class page_pool {
	free: page[] = [];
	frag: page_frag = new page_frag();
	/** Handed out and not yet back: tests look. */
	live = 0;
}

/** A page with one reference, the caller's. */
export function alloc_page(machine: Machine): page {
	const pool = machine.skb_pool.pages;
	pool.live++;
	const p = pool.free.pop();
	if (p === undefined) return new page(new Uint8Array(SKB_FRAG_PAGE_SIZE), true);
	p.refcount = 1;
	return p;
}

export function get_page(p: page): void {
	p.refcount++;
}

export function put_page(machine: Machine, p: page): void {
	if (--p.refcount > 0 || !p.pooled) return;
	const pool = machine.skb_pool.pages;
	pool.live--;
	if (pool.free.length < PAGE_POOL_MAX) pool.free.push(p);
}

/** The place where data of `machine`'s sockets goes next: has room for at least a byte after this. */
export function sk_page_frag_refill(machine: Machine): page_frag {
	const f = machine.skb_pool.pages.frag;
	const p = f.page;
	if (p !== NO_PAGE) {
		if (p.refcount === 1) f.offset = 0;
		if (f.offset < p.mem.length) return f;
		put_page(machine, p);
	}
	f.page = alloc_page(machine);
	f.offset = 0;
	return f;
}

// ---- frags of one packet ---------------------------------------------------------------------------------------------------------

/** Sets frag `i`; the reference to `p` becomes the frag's. nr_frags becomes i + 1. The caller counts len, data_len, truesize. */
export function skb_fill_page_desc(skb: sk_buff, i: number, p: page, offset: number, size: number): void {
	const sh = skb.shinfo;
	let f: skb_frag;
	if (i < sh.frags.length) f = sh.frags[i];
	else {
		f = new skb_frag();
		sh.frags.push(f);
	}
	f.page = p;
	f.offset = offset;
	f.size = size;
	sh.nr_frags = i + 1;
}

/** Whether bytes at `offset` of `p` go on where frag `i - 1` ends. */
export function skb_can_coalesce(skb: sk_buff, i: number, p: page, offset: number): boolean {
	if (i === 0) return false;
	const f = skb.shinfo.frags[i - 1];
	return f.page === p && f.offset + f.size === offset;
}

/** skb_fill_page_desc or a longer last frag; takes its own reference; counts all sizes. Return: false when there is no frag left. */
export function skb_append_pagefrags(skb: sk_buff, p: page, offset: number, size: number, max_frags: number): boolean {
	const n = skb.shinfo.nr_frags;
	if (skb_can_coalesce(skb, n, p, offset)) skb.shinfo.frags[n - 1].size += size;
	else if (n < max_frags) {
		get_page(p);
		skb_fill_page_desc(skb, n, p, offset, size);
	} else return false;
	return true;
}

/** Gives frag `i`'s page back; the slot stays. */
export function skb_frag_unref(machine: Machine, sh: skb_shared_info, i: number): void {
	const f = sh.frags[i];
	put_page(machine, f.page);
	f.page = NO_PAGE;
}

/** Gives all frags' pages back. */
export function skb_frags_unref(machine: Machine, sh: skb_shared_info): void {
	for (let i = 0; i < sh.nr_frags; i++) skb_frag_unref(machine, sh, i);
	sh.nr_frags = 0;
}

/** The frags of `from` also in `to` (which has none), with references of their own. */
export function skb_frags_share(to: skb_shared_info, from: skb_shared_info): void {
	const n = from.nr_frags;
	for (let i = 0; i < n; i++) {
		const f = from.frags[i];
		let t: skb_frag;
		if (i < to.frags.length) t = to.frags[i];
		else {
			t = new skb_frag();
			to.frags.push(t);
		}
		t.page = f.page;
		t.offset = f.offset;
		t.size = f.size;
		f.page.refcount++;
	}
	to.nr_frags = n;
}

/** Takes `len` bytes off the front of the frags (the caller counts data_len). */
export function skb_frags_pull(machine: Machine, sh: skb_shared_info, len: number): number {
	let k = 0;
	const n = sh.nr_frags;
	while (k < n && len > 0) {
		const f = sh.frags[k];
		if (f.size > len) {
			f.offset += len;
			f.size -= len;
			len = 0;
			break;
		}
		len -= f.size;
		put_page(machine, f.page);
		f.page = NO_PAGE;
		k++;
	}
	if (k > 0) {
		// The emptied slots go to the end, to be used again.
		for (let i = k; i < n; i++) {
			const a = sh.frags[i - k];
			sh.frags[i - k] = sh.frags[i];
			sh.frags[i] = a;
		}
		sh.nr_frags = n - k;
	}
	return len;
}

/** Cuts the frags to `len` bytes in all. */
export function skb_frags_trim(machine: Machine, sh: skb_shared_info, len: number): void {
	let at = 0;
	for (let i = 0; i < sh.nr_frags; i++) {
		const f = sh.frags[i];
		if (at + f.size <= len) {
			at += f.size;
			continue;
		}
		let keep = i;
		if (at < len) {
			f.size = len - at;
			keep = i + 1;
		}
		for (let j = keep; j < sh.nr_frags; j++) skb_frag_unref(machine, sh, j);
		sh.nr_frags = keep;
		return;
	}
}

// ---- writing ---------------------------------------------------------------------------------------------------------------------

/**
 * Copies `len` bytes of `from` at `at` to the end of the packet, into pages: what tcp_sendmsg does with a process's bytes. Counts len, data_len
 * and truesize (by the bytes, as Linux charges). Return: bytes taken: fewer when the packet has MAX_SKB_FRAGS.
 */
export function skb_append_data(skb: sk_buff, from: Uint8Array, at: number, len: number): number {
	const machine = skb.machine;
	let left = len;
	while (left > 0) {
		const f = sk_page_frag_refill(machine);
		const n = Math.min(left, f.page.mem.length - f.offset);
		if (!skb_append_pagefrags(skb, f.page, f.offset, n, MAX_SKB_FRAGS)) break;
		if (n === from.length) f.page.mem.set(from, f.offset);
		else f.page.mem.set(from.subarray(at, at + n), f.offset);
		f.offset += n;
		at += n;
		left -= n;
	}
	const done = len - left;
	skb.len += done;
	skb.data_len += done;
	skb.truesize += done;
	return done;
}

/** Checksum over `len` bytes of the frags from `offset` (counted from the first frag), onto `csum`. `odd`: the first byte is a word's second. */
export function skb_frags_checksum(
	sh: skb_shared_info,
	offset: number,
	len: number,
	csum: number,
	odd: boolean,
): number {
	let at = 0;
	let swap = odd;
	for (let i = 0; i < sh.nr_frags && len > 0; i++) {
		const f = sh.frags[i];
		if (offset < at + f.size) {
			const skip = offset - at;
			const n = Math.min(f.size - skip, len);
			const part = csum_partial(f.page.mem, f.offset + skip, n, 0);
			csum = csum_block_add(csum, part, swap);
			if (n & 1) swap = !swap;
			offset += n;
			len -= n;
		}
		at += f.size;
	}
	return csum;
}

/** Adds the sum of a block that begins at an odd or even byte. */
export function csum_block_add(csum: number, block: number, odd: boolean): number {
	if (odd) block = (((block & 0x00ff00ff) << 8) | ((block >>> 8) & 0x00ff00ff)) >>> 0;
	const s = (csum >>> 0) + (block >>> 0);
	return s > 0xffffffff ? s - 0xffffffff : s;
}

// ---- copies and cuts -------------------------------------------------------------------------------------------------------------

/**
 * Moves what lies behind the first `len` bytes of `skb` to the empty `skb1`. Neither may share its frags with a clone (skb_unclone first).
 * truesize is the caller's.
 */
export function skb_split(skb: sk_buff, skb1: sk_buff, len: number): void {
	const headlen = skb.len - skb.data_len;
	const sh = skb.shinfo;
	const sh1 = skb1.shinfo;
	if (sh.destructor_arg !== null) skb_zcopy_set(skb1, sh.destructor_arg);
	if (len < headlen) {
		const n = headlen - len;
		skb1.head.set(skb.head.subarray(skb.data + len, skb.tail), skb1.tail);
		skb1.tail += n;
		skb1.len += n;
		for (let i = 0; i < sh.nr_frags; i++) {
			const f = sh.frags[i];
			skb_fill_page_desc(skb1, i, f.page, f.offset, f.size);
			f.page = NO_PAGE;
		}
		sh.nr_frags = 0;
		skb1.data_len = skb.data_len;
		skb1.len += skb1.data_len;
		skb.data_len = 0;
		skb.len = len;
		skb.tail = skb.data + len;
		return;
	}
	let pos = headlen;
	let k = 0;
	const n = sh.nr_frags;
	let keep = 0;
	skb1.len = skb.len - len;
	skb1.data_len = skb1.len;
	for (let i = 0; i < n; i++) {
		const f = sh.frags[i];
		const size = f.size;
		if (pos + size <= len) {
			keep++;
		} else if (pos < len) {
			const cut = len - pos;
			f.page.refcount++;
			skb_fill_page_desc(skb1, k++, f.page, f.offset + cut, size - cut);
			f.size = cut;
			keep++;
		} else {
			skb_fill_page_desc(skb1, k++, f.page, f.offset, size);
			f.page = NO_PAGE;
		}
		pos += size;
	}
	sh1.nr_frags = k;
	sh.nr_frags = keep;
	skb.data_len = len - headlen;
	skb.len = len;
}

/**
 * Moves up to `shiftlen` bytes from the front of `skb` to the end of `tgt`; both have all their data in frags. Moves all or nothing but never
 * part of it when `tgt` has no frag left. Return: bytes moved.
 */
export function skb_shift(tgt: sk_buff, skb: sk_buff, shiftlen: number): number {
	if (shiftlen > skb.len || tgt.len !== tgt.data_len || skb.len !== skb.data_len) return 0;
	if (tgt.shinfo.frag_list !== null || skb.shinfo.frag_list !== null) return 0;
	if (tgt.shinfo.destructor_arg !== null || skb.shinfo.destructor_arg !== null) return 0;
	if (skb_unclone(tgt) < 0 || skb_unclone(skb) < 0) return 0;
	const sh = skb.shinfo;
	const tsh = tgt.shinfo;
	// How many frags of tgt it takes.
	let need = 0;
	let left = shiftlen;
	for (let i = 0; i < sh.nr_frags && left > 0; i++) {
		const f = sh.frags[i];
		if (!(i === 0 && skb_can_coalesce(tgt, tsh.nr_frags, f.page, f.offset))) need++;
		left -= Math.min(left, f.size);
	}
	if (tsh.nr_frags + need > MAX_SKB_FRAGS) return 0;
	left = shiftlen;
	for (let i = 0; i < sh.nr_frags && left > 0; i++) {
		const f = sh.frags[i];
		const n = Math.min(left, f.size);
		skb_append_pagefrags(tgt, f.page, f.offset, n, MAX_SKB_FRAGS);
		left -= n;
	}
	skb_frags_pull(skb.machine, sh, shiftlen);
	skb.len -= shiftlen;
	skb.data_len -= shiftlen;
	skb.truesize -= shiftlen;
	tgt.len += shiftlen;
	tgt.data_len += shiftlen;
	tgt.truesize += shiftlen;
	return shiftlen;
}

/** A linear part and frags of its own for a packet that has clones. Return: 0 or -ENOMEM. */
export function skb_unclone(skb: sk_buff): number {
	return skb_cloned(skb) ? pskb_expand_head(skb, 0, 0) : 0;
}

/** Result of skb_try_coalesce. */
export interface coalesce_result {
	/** Bytes of truesize that `to` grew by. */
	delta_truesize: number;
	/** Whether `from`'s head went along: its sk_buff must be freed without its data (kfree_skb_partial). */
	stolen: boolean;
}

/**
 * Appends `from`'s data to `to` (receive queue): copies what is short and linear into `to`'s tail room, else moves frags. Borrows both; `from`
 * is the caller's to free. Return: whether it was possible.
 */
export function skb_try_coalesce(to: sk_buff, from: sk_buff, res: coalesce_result): boolean {
	res.stolen = false;
	res.delta_truesize = 0;
	if (skb_cloned(to)) return false;
	const len = from.len;
	const tail = to.data_len > 0 ? 0 : to.end - to.tail;
	if (from.data_len === 0 && len <= tail) {
		if (len > 0) to.head.set(from.head.subarray(from.data, from.data + len), to.tail);
		to.tail += len;
		to.len += len;
		return true;
	}
	if (to.shinfo.frag_list !== null || from.shinfo.frag_list !== null) return false;
	if (to.shinfo.destructor_arg !== null || from.shinfo.destructor_arg !== null) return false;
	// What is linear here lies in pooled heads, not pages: only frags can move.
	if (from.len !== from.data_len) return false;
	const tsh = to.shinfo;
	const fsh = from.shinfo;
	if (tsh.nr_frags + fsh.nr_frags > MAX_SKB_FRAGS) return false;
	res.delta_truesize = from.truesize > 256 + 512 ? from.truesize - skb_own_truesize(from) : len;
	for (let i = 0; i < fsh.nr_frags; i++) {
		const f = fsh.frags[i];
		skb_append_pagefrags(to, f.page, f.offset, f.size, MAX_SKB_FRAGS);
	}
	to.len += len;
	to.data_len += len;
	to.truesize += res.delta_truesize;
	return true;
}

/** What of a packet's truesize is for its sk_buff and linear part. */
function skb_own_truesize(skb: sk_buff): number {
	return Math.max(0, skb.truesize - skb.data_len);
}
