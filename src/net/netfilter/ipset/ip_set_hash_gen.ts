/*
 * net/netfilter/ipset/ip_set_hash_gen.ts: the hash that holds the elements of the hash:* types.    Linux: net/netfilter/ipset/ip_set_hash_gen.h
 *
 * Entries lie densely in typed arrays: `kw` 32-bit words of key each, and arrays for what the set's extensions need, so that a million
 * plain entries are a few flat arrays and no objects. An open-addressed index of entry numbers finds them (linear probing, at most half full,
 * deletion by shifting back). Where Linux's buckets show (order of a listing, size in memory, hashsize) they are reckoned from the keys when asked.
 */
import type { Machine } from '../../../kernel/machine.ts';
import { IPSET_ELEM_PERMANENT, type ip_set, with_comment, with_counter, with_skbinfo, with_timeout } from './ip_set.ts';

export class hash_store {
	machine: Machine;
	/** 32-bit words of a key. */
	kw: number;
	seed: number;
	/** Entry number + 1 by slot; 0: empty. */
	index: Int32Array = new Int32Array(16);
	mask = 15;
	keys: Uint32Array;
	/** 0: free, 1: in use, 3: in use and nomatch. */
	state: Uint8Array = new Uint8Array(8);
	/** End in jiffies. */
	timeout: Float64Array | null = null;
	/** Packets and bytes at 2n, 2n + 1. */
	counters: Float64Array | null = null;
	comment: (string | null)[] | null = null;
	/** mark, mask, prio, queue at 4n. */
	skbinfo: Uint32Array | null = null;
	/** Entry numbers given out so far, and those given back. */
	top = 0;
	free: number[] = [];
	elements = 0;
	/** When some element ends first, in jiffies; Infinity: none. */
	next_end = Infinity;

	constructor(set: ip_set, kw: number, seed: number) {
		this.machine = set.net.machine;
		this.kw = kw;
		this.seed = seed | 1;
		this.keys = new Uint32Array(8 * kw);
		if (with_timeout(set)) this.timeout = new Float64Array(8);
		if (with_counter(set)) this.counters = new Float64Array(16);
		if (with_comment(set)) this.comment = [];
		if (with_skbinfo(set)) this.skbinfo = new Uint32Array(32);
	}
}

function slot_of(h: hash_store, key: Uint32Array, off: number): number {
	let x = Math.imul(key[off] ^ h.seed, 0x9e3779b1);
	x ^= x >>> 15;
	for (let i = 1; i < h.kw; i++) {
		x = Math.imul(x ^ key[off + i], 0x85ebca6b);
		x ^= x >>> 13;
	}
	x = Math.imul(x, 0xc2b2ae35);
	return (x ^ (x >>> 16)) & h.mask;
}

/** The entry with this key, whether its time is over or not. Return: its number, or -1. */
export function hash_find(h: hash_store, key: Uint32Array): number {
	const { index, keys, mask, kw } = h;
	let s = slot_of(h, key, 0);
	if (kw === 1) {
		const k = key[0];
		for (;;) {
			const n = index[s];
			if (n === 0) return -1;
			if (keys[n - 1] === k) return n - 1;
			s = (s + 1) & mask;
		}
	}
	next: for (;;) {
		const n = index[s];
		if (n === 0) return -1;
		s = (s + 1) & mask;
		const at = (n - 1) * kw;
		for (let i = 0; i < kw; i++) if (keys[at + i] !== key[i]) continue next;
		return n - 1;
	}
}

export function hash_expired(h: hash_store, n: number): boolean {
	if (h.timeout === null) return false;
	const t = h.timeout[n];
	return t !== IPSET_ELEM_PERMANENT && t <= h.machine.jiffies;
}

function grow_f64(a: Float64Array, n: number): Float64Array<ArrayBuffer> {
	const b = new Float64Array(n);
	b.set(a);
	return b;
}

function grow_entries(h: hash_store): void {
	const n = h.state.length * 2;
	const keys = new Uint32Array(n * h.kw);
	keys.set(h.keys);
	h.keys = keys;
	const state = new Uint8Array(n);
	state.set(h.state);
	h.state = state;
	if (h.timeout !== null) h.timeout = grow_f64(h.timeout, n);
	if (h.counters !== null) h.counters = grow_f64(h.counters, 2 * n);
	if (h.skbinfo !== null) {
		const info = new Uint32Array(4 * n);
		info.set(h.skbinfo);
		h.skbinfo = info;
	}
}

function rehash(h: hash_store, slots: number): void {
	h.index = new Int32Array(slots);
	h.mask = slots - 1;
	for (let n = 0; n < h.top; n++) {
		if (h.state[n] === 0) continue;
		let s = slot_of(h, h.keys, n * h.kw);
		while (h.index[s] !== 0) s = (s + 1) & h.mask;
		h.index[s] = n + 1;
	}
}

/** Makes room for a key that is not there yet. Return: its entry's number; its extensions are zero. */
export function hash_insert(h: hash_store, key: Uint32Array): number {
	if ((h.elements + 1) * 2 > h.index.length) rehash(h, h.index.length * 2);
	let n: number;
	if (h.free.length > 0) n = h.free.pop()!;
	else {
		if (h.top === h.state.length) grow_entries(h);
		n = h.top++;
	}
	for (let i = 0; i < h.kw; i++) h.keys[n * h.kw + i] = key[i];
	h.state[n] = 1;
	if (h.timeout !== null) h.timeout[n] = IPSET_ELEM_PERMANENT;
	if (h.counters !== null) h.counters.fill(0, 2 * n, 2 * n + 2);
	if (h.comment !== null) h.comment[n] = null;
	if (h.skbinfo !== null) h.skbinfo.fill(0, 4 * n, 4 * n + 4);
	let s = slot_of(h, key, 0);
	while (h.index[s] !== 0) s = (s + 1) & h.mask;
	h.index[s] = n + 1;
	h.elements++;
	return n;
}

/** Takes entry `n` out. */
export function hash_remove(h: hash_store, n: number): void {
	const { index, mask } = h;
	let s = slot_of(h, h.keys, n * h.kw);
	while (index[s] !== n + 1) s = (s + 1) & mask;
	// What was pushed past the gap moves back into it.
	for (let next = (s + 1) & mask; index[next] !== 0; next = (next + 1) & mask) {
		const home = slot_of(h, h.keys, (index[next] - 1) * h.kw);
		if (((next - home) & mask) >= ((next - s) & mask)) {
			index[s] = index[next];
			s = next;
		}
	}
	index[s] = 0;
	h.state[n] = 0;
	h.free.push(n);
	h.elements--;
}

export function hash_clear(h: hash_store): void {
	h.index = new Int32Array(16);
	h.mask = 15;
	h.keys = new Uint32Array(8 * h.kw);
	h.state = new Uint8Array(8);
	if (h.timeout !== null) h.timeout = new Float64Array(8);
	if (h.counters !== null) h.counters = new Float64Array(16);
	if (h.comment !== null) h.comment = [];
	if (h.skbinfo !== null) h.skbinfo = new Uint32Array(32);
	h.top = 0;
	h.free = [];
	h.elements = 0;
	h.next_end = Infinity;
}
