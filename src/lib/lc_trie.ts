/*
 * lib/lc_trie.ts: a level- and path-compressed trie over 32-bit keys, in one Int32Array.     Linux: the tnodes of net/ipv4/fib_trie.c
 * S. Nilsson, G. Karlsson: IP-address lookup using LC-tries (1999); fill factors as Linux's Documentation/networking/fib_trie.rst tells.
 *
 * A slot is three words and says all of the node that stands there, so that a step of a lookup touches one cache line:
 *
 *      [ ref | key | word ]        ref 0: empty; > 0: an inner node, its first child's slot; < 0: a leaf, -value
 *
 * `word` has slen << 16 and, of an inner node, pos and bits << 8; of a leaf, what its user wants to find there (16 low and 10 high bits).
 * An inner node tests the `bits` bits above `pos` of a key. In front of its children stand four words: [its own slot, its parent's first
 * child, empty children, full children]. A child is full when it is an inner node that tests the very next bits. `slen` is the longest
 * suffix (32 - prefix length) of any prefix below, by which a lookup knows whether shorter prefixes are worth going back for.
 * The root is the slot LC_ROOT.
 */

export const LC_SLOT = 3;
/** Words of a slot. */
export const LC_KEY = 1;
export const LC_POS = 2;
/** Where the root's slot stands, after the header of the pseudo node that holds it. */
export const LC_ROOT = 4;

// Words of a header, counted back from the first child.
const H_SLOT = -4;
const H_PARENT = -3;
const H_EMPTY = -2;
const H_FULL = -1;

const HEADER = 4;
/** What is left of a carved node is kept in pieces of at most this many bits. */
const MAX_PIECE = 20;

const MAX_WORK = 10;
const INFLATE_THRESHOLD = 50;
const HALVE_THRESHOLD = 25;
const INFLATE_THRESHOLD_ROOT = 30;
const HALVE_THRESHOLD_ROOT = 15;

export function lc_pos(w: number): number {
	return w & 0xff;
}

export function lc_bits(w: number): number {
	return (w >>> 8) & 0xff;
}

export function lc_slen(w: number): number {
	return (w >>> 16) & 0x3f;
}

/** The bits of a leaf's word that are its user's. */
export const LC_LEAF_USER = ~(0x3f << 16);

export class lc_trie {
	/** Slots and headers. Replaced when it grows: read it anew after an insertion. */
	t: Int32Array = new Int32Array(256);
	/** First word never used. */
	private top: number = LC_ROOT + LC_SLOT;
	/** Free nodes by bits: the first child's slot. */
	private free: number[][] = [];
	/** A free node that smaller ones are carved from. */
	private region = 0;
	private region_end = 0;

	constructor() {
		this.t[LC_ROOT + H_SLOT] = -1;
		this.t[LC_ROOT + H_PARENT] = -1;
	}

	/** Bytes held. */
	get bytes(): number {
		return this.t.byteLength;
	}

	private alloc(bits: number): number {
		const list = this.free[bits];
		const words = LC_SLOT << bits;
		let at: number;
		if (list !== undefined && list.length > 0) at = list.pop()!;
		else {
			at = this.carve(bits, words + HEADER);
			if (at < 0) {
				at = this.top + HEADER;
				const need = at + words;
				if (need > this.t.length) {
					const t = new Int32Array(Math.max(need, Math.ceil(this.t.length * (this.t.length > 1 << 22 ? 1.125 : 2))));
					t.set(this.t);
					this.t = t;
				}
				this.top = need;
			}
		}
		this.t.fill(0, at, at + words);
		this.t[at + H_EMPTY] = 1 << bits;
		this.t[at + H_FULL] = 0;
		return at;
	}

	/** Room for a node in what a larger one left. Return: -1 when there is none. */
	private carve(bits: number, words: number): number {
		while (this.region + words > this.region_end) {
			let b = bits + 1;
			while (b < this.free.length && this.free[b].length === 0) b++;
			if (b >= this.free.length) return -1;
			const block = this.free[b].pop()!;
			this.retire_region();
			this.region = block - HEADER;
			this.region_end = block + (LC_SLOT << b);
		}
		const at = this.region + HEADER;
		this.region += words;
		return at;
	}

	/** What is left of the region becomes free nodes of the sizes that fit. */
	private retire_region(): void {
		for (let b = MAX_PIECE; b >= 1; b--) {
			const words = HEADER + (LC_SLOT << b);
			for (; this.region + words <= this.region_end; this.region += words) this.release(this.region + HEADER, b);
		}
	}

	private release(base: number, bits: number): void {
		let list = this.free[bits];
		if (list === undefined) {
			for (let b = this.free.length; b <= bits; b++) this.free.push([]);
			list = this.free[bits];
		}
		list.push(base);
	}

	/** The slot of the leaf with exactly this key, or 0. */
	find(key: number): number {
		const t = this.t;
		key |= 0;
		let s = LC_ROOT;
		for (;;) {
			const ref = t[s];
			if (ref === 0) return 0;
			if (ref < 0) return key === t[s + LC_KEY] ? s : 0;
			const w = t[s + LC_POS];
			const index = (key ^ t[s + LC_KEY]) >>> (w & 31);
			if (index >>> ((w >>> 8) & 31) !== 0) return 0;
			s = ref + index * LC_SLOT;
		}
	}

	/** First child of the inner node that `slot` is a child of; LC_ROOT for the root. */
	private parent_of(slot: number): number {
		// The walk from the root is short; slots do not say which node they are in.
		const t = this.t;
		const key = t[slot + LC_KEY];
		let s = LC_ROOT;
		let base = LC_ROOT;
		while (s !== slot) {
			const w = t[s + LC_POS];
			base = t[s];
			s = base + ((key ^ t[s + LC_KEY]) >>> (w & 31)) * LC_SLOT;
		}
		return base;
	}

	/** Whether the inner node at `s` continues right below the bits that the node at `ps` tests. */
	private is_full(ppos: number, ref: number, w: number): boolean {
		return ref > 0 && lc_pos(w) + lc_bits(w) === ppos;
	}

	/** Writes the node (ref, key, w) as child `i` of the node at `base` (which tests from `ppos`), and counts it. */
	private put_child(base: number, ppos: number, i: number, ref: number, key: number, w: number): void {
		const t = this.t;
		const s = base + i * LC_SLOT;
		if (base !== LC_ROOT) {
			const old = t[s];
			const was_full = this.is_full(ppos, old, t[s + LC_POS]);
			const now_full = this.is_full(ppos, ref, w);
			if (ref === 0 && old !== 0) t[base + H_EMPTY]++;
			else if (ref !== 0 && old === 0) t[base + H_EMPTY]--;
			if (was_full && !now_full) t[base + H_FULL]--;
			else if (!was_full && now_full) t[base + H_FULL]++;
		}
		t[s] = ref;
		t[s + LC_KEY] = key;
		t[s + LC_POS] = w;
		if (ref > 0) {
			t[ref + H_SLOT] = s;
			t[ref + H_PARENT] = base;
		}
		if (ref !== 0) this.push_suffix(base, lc_slen(w));
	}

	/** Tells the nodes above `base` (its own included) that a prefix with suffix length `slen` is below. */
	private push_suffix(base: number, slen: number): void {
		const t = this.t;
		while (base !== LC_ROOT) {
			const s = t[base + H_SLOT];
			// A node that is being made (-1) gets its own when it is put in its place.
			if (s < 0 || lc_slen(t[s + LC_POS]) >= slen) return;
			t[s + LC_POS] = (t[s + LC_POS] & 0xffff) | (slen << 16);
			base = t[base + H_PARENT];
		}
	}

	/** Recomputes the longest suffix of the nodes from `base` up, after one below got shorter. */
	private pull_suffix(base: number): void {
		const t = this.t;
		while (base !== LC_ROOT) {
			const s = t[base + H_SLOT];
			const w = t[s + LC_POS];
			let slen = lc_pos(w);
			const end = base + (LC_SLOT << lc_bits(w));
			for (let c = base; c < end; c += LC_SLOT) {
				if (t[c] !== 0 && lc_slen(t[c + LC_POS]) > slen) slen = lc_slen(t[c + LC_POS]);
			}
			if (slen === lc_slen(w)) return;
			t[s + LC_POS] = (w & 0xffff) | (slen << 16);
			base = t[base + H_PARENT];
		}
	}

	/** Sets what a leaf stands for, its longest suffix, and its user's bits. */
	set_leaf(slot: number, value: number, slen: number, user: number): void {
		const t = this.t;
		t[slot] = -value;
		const old = lc_slen(t[slot + LC_POS]);
		t[slot + LC_POS] = (slen << 16) | user;
		if (old === slen) return;
		const base = this.parent_of(slot);
		if (slen > old) this.push_suffix(base, slen);
		else this.pull_suffix(base);
	}

	/** Adds a leaf for a key that has none. `value` > 0. */
	insert(key: number, value: number, slen: number, user: number): void {
		key |= 0;
		let t = this.t;
		let base = LC_ROOT;
		let bpos = 32;
		let s = LC_ROOT;
		let i = 0;
		let ref = t[s];
		let w = 0;
		for (; ref !== 0; ref = t[s]) {
			w = t[s + LC_POS];
			if (ref < 0) break;
			i = (key ^ t[s + LC_KEY]) >>> (w & 31);
			if (i >>> ((w >>> 8) & 31) !== 0) break;
			base = ref;
			bpos = lc_pos(w);
			s = ref + i * LC_SLOT;
		}
		const leaf = (slen << 16) | user;
		const at = (s - base) / LC_SLOT;
		if (ref === 0) {
			this.put_child(base, bpos, at, -value, key, leaf);
		} else {
			// A node that is in the way gets a new parent, which tests the first bit in which they differ.
			const pos = 31 - Math.clz32(key ^ t[s + LC_KEY]);
			const node = this.alloc(1);
			t = this.t;
			const okey = t[s + LC_KEY];
			const nkey = pos === 31 ? 0 : key & (-1 << (pos + 1));
			// Takes the place first, so that its children find their parent.
			t[node + H_SLOT] = -1;
			this.put_child(node, pos, (okey >>> pos) & 1, ref, okey, w);
			this.put_child(node, pos, (key >>> pos) & 1, -value, key, leaf);
			const sl = Math.max(pos, lc_slen(w), slen);
			this.put_child(base, bpos, at, node, nkey, pos | (1 << 8) | (sl << 16));
			base = node;
		}
		this.push_suffix(base, slen);
		this.rebalance(base);
	}

	/** Takes a leaf out. */
	remove(slot: number): void {
		const t = this.t;
		const base = this.parent_of(slot);
		const bpos = base === LC_ROOT ? 32 : lc_pos(t[t[base + H_SLOT] + LC_POS]);
		const slen = lc_slen(t[slot + LC_POS]);
		this.put_child(base, bpos, (slot - base) / LC_SLOT, 0, 0, 0);
		if (base === LC_ROOT) return;
		if (slen > bpos) this.pull_suffix(base);
		this.rebalance(base);
	}

	private rebalance(base: number): void {
		while (base !== LC_ROOT) base = this.resize(base);
	}

	/** Doubles, halves or removes the node at `base` as its children ask for. Return: its parent. */
	private resize(base: number): number {
		let work = MAX_WORK;
		const parent = this.t[base + H_PARENT];
		const s = this.t[base + H_SLOT];
		while (work > 0 && this.should_inflate(base, parent)) {
			this.inflate(base, s);
			base = this.t[s];
			work--;
		}
		if (work !== MAX_WORK) return parent;
		while (work > 0 && this.should_halve(base, parent)) {
			this.halve(base, s);
			base = this.t[s];
			work--;
		}
		if ((1 << lc_bits(this.t[s + LC_POS])) - this.t[base + H_EMPTY] < 2) this.collapse(base, s, parent);
		return parent;
	}

	/** Whether the node, were it twice as large, would have enough children. */
	private should_inflate(base: number, parent: number): boolean {
		const t = this.t;
		const w = t[t[base + H_SLOT] + LC_POS];
		const size = 1 << lc_bits(w);
		const used = size - t[base + H_EMPTY] + t[base + H_FULL];
		const threshold = parent === LC_ROOT ? INFLATE_THRESHOLD_ROOT : INFLATE_THRESHOLD;
		return used > 1 && lc_pos(w) > 0 && lc_bits(w) < 24 && 100 * used >= threshold * 2 * size;
	}

	private should_halve(base: number, parent: number): boolean {
		const t = this.t;
		const w = t[t[base + H_SLOT] + LC_POS];
		const size = 1 << lc_bits(w);
		const used = size - t[base + H_EMPTY];
		const threshold = parent === LC_ROOT ? HALVE_THRESHOLD_ROOT : HALVE_THRESHOLD;
		return used > 1 && lc_bits(w) > 1 && 100 * used < threshold * size;
	}

	/** Puts the node at `node` in the place of the one that stood in slot `s`. */
	private replace(s: number, parent: number, node: number, key: number, pos: number, bits: number): void {
		const t = this.t;
		const ppos = parent === LC_ROOT ? 32 : lc_pos(t[t[parent + H_SLOT] + LC_POS]);
		let slen = pos;
		for (let c = node, end = node + (LC_SLOT << bits); c < end; c += LC_SLOT) {
			if (t[c] !== 0 && lc_slen(t[c + LC_POS]) > slen) slen = lc_slen(t[c + LC_POS]);
		}
		this.put_child(parent, ppos, (s - parent) / LC_SLOT, node, key, pos | (bits << 8) | (slen << 16));
		// Full children stand in a new place: they may want another size there.
		for (let c = node + (LC_SLOT << bits) - LC_SLOT; c >= node; c -= LC_SLOT) {
			if (this.is_full(pos, this.t[c], this.t[c + LC_POS])) this.resize(this.t[c]);
		}
	}

	private inflate(base: number, s: number): void {
		const w = this.t[s + LC_POS];
		const key = this.t[s + LC_KEY];
		const parent = this.t[base + H_PARENT];
		const bits = lc_bits(w);
		const pos = lc_pos(w) - 1;
		const node = this.alloc(bits + 1);
		this.t[node + H_SLOT] = -1;
		for (let i = 0; i < 1 << bits; i++) {
			const c = base + i * LC_SLOT;
			const ref = this.t[c];
			if (ref === 0) continue;
			const ckey = this.t[c + LC_KEY];
			const cw = this.t[c + LC_POS];
			if (!this.is_full(pos + 1, ref, cw)) {
				this.put_child(node, pos, ((ckey ^ key) >>> pos) & ((2 << bits) - 1), ref, ckey, cw);
				continue;
			}
			// A full child gives its own first bit to the node: it becomes two, or none when that was its only bit.
			const cbits = lc_bits(cw);
			const cpos = lc_pos(cw);
			if (cbits === 1) {
				this.move_child(node, pos, 2 * i, ref);
				this.move_child(node, pos, 2 * i + 1, ref + LC_SLOT);
			} else {
				const half = 1 << (cbits - 1);
				for (let h = 0; h < 2; h++) this.take_half(node, pos, 2 * i + h, ref, half, h, ckey, cpos, cbits - 1);
			}
			this.release(ref, cbits);
		}
		this.release(base, bits);
		this.replace(s, parent, node, key, pos, bits + 1);
	}

	/** Copies the node in slot `from` to child `i` of `node`. */
	private move_child(node: number, pos: number, i: number, from: number): void {
		const t = this.t;
		if (t[from] !== 0) this.put_child(node, pos, i, t[from], t[from + LC_KEY], t[from + LC_POS]);
	}

	/** Makes one half of a split inner node, as child `i` of `node`. */
	private take_half(
		node: number,
		pos: number,
		i: number,
		from: number,
		half: number,
		h: number,
		ckey: number,
		cpos: number,
		bits: number,
	): void {
		const first = from + h * half * LC_SLOT;
		const key = h === 1 ? ckey | (1 << pos) : ckey;
		const n = this.alloc(bits);
		const t = this.t;
		t[n + H_SLOT] = -1;
		let slen = cpos;
		for (let j = 0; j < half; j++) {
			const c = first + j * LC_SLOT;
			this.move_child(n, cpos, j, c);
			if (t[c] !== 0 && lc_slen(t[c + LC_POS]) > slen) slen = lc_slen(t[c + LC_POS]);
		}
		this.put_child(node, pos, i, n, key, cpos | (bits << 8) | (slen << 16));
	}

	private halve(base: number, s: number): void {
		const w = this.t[s + LC_POS];
		const key = this.t[s + LC_KEY];
		const parent = this.t[base + H_PARENT];
		const bits = lc_bits(w);
		const pos = lc_pos(w);
		const node = this.alloc(bits - 1);
		this.t[node + H_SLOT] = -1;
		for (let i = 0; i < 1 << (bits - 1); i++) {
			const c0 = base + 2 * i * LC_SLOT;
			const c1 = c0 + LC_SLOT;
			if (this.t[c0] === 0 || this.t[c1] === 0) {
				this.move_child(node, pos + 1, i, this.t[c0] !== 0 ? c0 : c1);
				continue;
			}
			const pair = this.alloc(1);
			const t = this.t;
			t[pair + H_SLOT] = -1;
			this.move_child(pair, pos, 0, c0);
			this.move_child(pair, pos, 1, c1);
			const slen = Math.max(pos, lc_slen(t[c0 + LC_POS]), lc_slen(t[c1 + LC_POS]));
			const pkey = t[c0 + LC_KEY] & (pos === 31 ? 0 : -1 << (pos + 1));
			this.put_child(node, pos + 1, i, pair, pkey, pos | (1 << 8) | (slen << 16));
		}
		this.release(base, bits);
		// The node's key keeps the bits above what it tests; the bit given up belongs to its children now.
		this.replace(s, parent, node, key, pos + 1, bits - 1);
	}

	/** A node with one child, or none, goes. */
	private collapse(base: number, s: number, parent: number): void {
		const t = this.t;
		const bits = lc_bits(t[s + LC_POS]);
		const ppos = parent === LC_ROOT ? 32 : lc_pos(t[t[parent + H_SLOT] + LC_POS]);
		const at = (s - parent) / LC_SLOT;
		let only = 0;
		for (let c = base, end = base + (LC_SLOT << bits); c < end; c += LC_SLOT) if (t[c] !== 0) only = c;
		if (only === 0) this.put_child(parent, ppos, at, 0, 0, 0);
		else this.put_child(parent, ppos, at, t[only], t[only + LC_KEY], t[only + LC_POS]);
		this.release(base, bits);
	}

	/** The leaf with the least key >= `key`, or 0. */
	next(key: number): number {
		key >>>= 0;
		const t = this.t;
		// Down as far as the key leads, then right.
		let s = LC_ROOT;
		for (;;) {
			const ref = t[s];
			if (ref === 0) break;
			const k = t[s + LC_KEY];
			if (ref < 0) {
				if (k >>> 0 >= key) return s;
				break;
			}
			const w = t[s + LC_POS];
			const index = (key ^ k) >>> (w & 31);
			if (index >>> ((w >>> 8) & 31) !== 0) {
				// All of it lies to one side of the key.
				if (k >>> 0 > key) return this.first(s);
				break;
			}
			s = ref + index * LC_SLOT;
		}
		return this.after(s, key);
	}

	/** The leftmost leaf at or below a slot that is not empty. */
	private first(s: number): number {
		const t = this.t;
		while (t[s] > 0) {
			let c = t[s];
			while (t[c] === 0) c += LC_SLOT;
			s = c;
		}
		return s;
	}

	/** The first leaf to the right of slot `s`, where a search for `key` ended. */
	private after(slot: number, key: number): number {
		const t = this.t;
		let best = 0;
		let s = LC_ROOT;
		while (s !== slot) {
			const base = t[s];
			const w = t[s + LC_POS];
			const i = (key ^ t[s + LC_KEY]) >>> (w & 31);
			const end = base + (LC_SLOT << lc_bits(w));
			for (let c = base + (i + 1) * LC_SLOT; c < end; c += LC_SLOT) {
				if (t[c] !== 0) {
					best = c;
					break;
				}
			}
			s = base + i * LC_SLOT;
		}
		return best === 0 ? 0 : this.first(best);
	}
}
