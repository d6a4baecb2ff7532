/*
 * net/ipv4/fib_dir.ts: what a large routing table answers, laid out for one or two touches of memory.     Linux: none; its tries are walked
 * After H. Asai, Y. Ohara: Poptrie (SIGCOMM 2015): a direct index over the first bits, then nodes of 64 with equal neighbours folded.
 *
 * The trie (fib_trie.ts) stays the truth; this is a copy of what it would find, made where packets go and thrown away where routes change:
 *
 *      top[first bits]      0: not known | an answer | ~offset of a node in `c`;  the first 18 bits in a large table, 12 in a small one
 *      node                 [ bits 0-31 | bits 32-63 | word, word, … ]   a set bit starts a new word; a word is an answer or ~offset
 *
 * A node decides the next 6 bits (12 to 18, 18 to 24, 24 to 30), the last one 2 (30 to 32). An answer is the alias that a lookup tries first:
 * its fib_info's id + 1 (16 bits), slen << 16 and type << 22; DIR_NONE when no prefix holds the address; DIR_SLOW when the trie must be
 * asked (TOS, a high id). An alias that does not suit the flow is the trie's business too: what is here never says no.
 *
 * A million prefixes of the Internet's lengths take 1 MB and about 12 MB, where their LC trie has 60 MB to wait for. A small table's
 * takes some 20 KB, and saves the walk back from longer prefixes that do not fit.
 */
import { LC_KEY, type lc_trie } from '../../lib/lc_trie.ts';

/** No prefix holds the address. */
export const DIR_NONE = 0x3f << 16;
/** Ask the trie. */
export const DIR_SLOW = 0x3e << 16;

/** Bits of an address that each level leaves to those below. */
const SHIFTS = [14, 8, 2, 0];
/** Words of `c` at most: 64 MB. What is not known then stays so. */
const MAX_WORDS = 1 << 24;
/** With half of `c` no longer pointed to, and as many words as this, all is begun anew. */
const MIN_GARBAGE = 1 << 18;
/** A cache line's words, and the word of `c` that begins one (V8 lays large buffers 16 bytes into a page). */
const LINE = 16;
const LINE_START = 12;

/** How many bits of a 32-bit word are set. */
function popcount(v: number): number {
	v -= (v >>> 1) & 0x55555555;
	v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
	return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export class fib_dir {
	/** Whether it is made for a large table. */
	readonly large: boolean;
	/** Bits that `top` leaves to nodes. */
	private shift: number;
	private top: Int32Array;
	private c: Int32Array;
	private c_top = 0;
	private garbage = 0;
	/** What a node's addresses answer, before equal neighbours are folded: by level. */
	private scratch: Int32Array[] = [new Int32Array(64), new Int32Array(64), new Int32Array(64), new Int32Array(4)];

	constructor(large: boolean) {
		this.large = large;
		this.shift = large ? 14 : 20;
		this.top = new Int32Array(1 << (32 - this.shift));
		this.c = new Int32Array(large ? 1 << 14 : 1 << 8);
	}

	/** Bytes held. */
	get bytes(): number {
		return this.top.byteLength + this.c.byteLength;
	}

	/** What is known of an address. Return: an answer, DIR_NONE, DIR_SLOW, or 0 when it was not asked for yet. */
	get(key: number): number {
		let e = this.top[key >>> this.shift];
		if (e < 0) {
			if (!this.large) {
				e = this.child(~e, (key >>> 14) & 63);
				if (e >= 0) return e;
			}
			e = this.child(~e, (key >>> 8) & 63);
			if (e < 0) {
				e = this.child(~e, (key >>> 2) & 63);
				if (e < 0) e = this.child(~e, key & 3);
			}
		}
		return e;
	}

	private child(o: number, bit: number): number {
		const c = this.c;
		const lo = c[o];
		if (bit < 32) return c[o + 1 + popcount(lo & (-1 >>> (31 - bit)))];
		return c[o + 1 + popcount(lo) + popcount(c[o + 1] & (-1 >>> (63 - bit)))];
	}

	/** A prefix came, went or changed: what it covers is not known any more. */
	forget(key: number, slen: number): void {
		const first = key >>> this.shift;
		const end = first + (slen <= this.shift ? 1 : 2 ** (slen - this.shift));
		const c = this.c;
		for (let i = first; i < end; i++) {
			const e = this.top[i];
			if (e < 0) this.garbage += 2 + popcount(c[~e]) + popcount(c[~e + 1]);
			this.top[i] = 0;
		}
		if (this.garbage < Math.max(MIN_GARBAGE, this.c_top >> 1)) return;
		this.top.fill(0);
		this.c_top = 0;
		this.garbage = 0;
	}

	/** Takes from the trie (its aliases in `a`, `words` each; fib_trie.ts) what lies around an address. */
	learn(key: number, lc: lc_trie, a: Int32Array): void {
		const first = key >>> this.shift;
		const base = (first << this.shift) >>> 0;
		this.top[first] = this.make(this.large ? 1 : 0, base, this.covering(base, lc, a), lc, a);
	}

	/** The answer of the longest prefix that is no longer than what `top` decides and holds `base`. */
	private covering(base: number, lc: lc_trie, a: Int32Array): number {
		for (let slen = this.shift; slen <= 32; slen++) {
			const net = slen === 32 ? 0 : base & (-1 << slen);
			const slot = lc.find(net);
			if (slot === 0) continue;
			for (let fa = -lc.t[slot]; fa !== 0; fa = a[fa * 4]) if ((a[fa * 4 + 2] & 0xff) === slen) return answer(a, fa);
		}
		return DIR_NONE;
	}

	/** Makes the node of `level` that decides for the addresses from `base` on. Return: a word that stands for it. */
	private make(level: number, base: number, around: number, lc: lc_trie, a: Int32Array): number {
		const shift = SHIFTS[level];
		const span = level === 3 ? 4 : 64 << shift;
		const n = span >>> shift;
		const s = this.scratch[level];
		s.fill(around);
		// Which parts have a node of their own: there are longer prefixes than this one decides.
		let deep_lo = 0;
		let deep_hi = 0;
		const last = base + span - 1;
		for (let k = base; k <= last; ) {
			const slot = lc.next(k);
			if (slot === 0) break;
			const leaf = lc.t[slot + LC_KEY] >>> 0;
			if (leaf > last) break;
			this.paint(s, -lc.t[slot], leaf - base, shift, span, a);
			// The leaf's shortest suffix is that of its first alias.
			if ((a[-lc.t[slot] * 4 + 2] & 0xff) < shift) {
				const i = (leaf - base) >>> shift;
				if (i < 32) deep_lo |= 1 << i;
				else deep_hi |= 1 << (i - 32);
			}
			k = leaf + 1;
		}
		for (let i = 0; i < n; i++) {
			if (((i < 32 ? deep_lo >>> i : deep_hi >>> (i - 32)) & 1) !== 0)
				s[i] = this.make(level + 1, base + i * (1 << shift), s[i], lc, a);
		}
		return this.store(s, n);
	}

	/** Writes the leaf's aliases that this level decides, shortest prefix first: prefixes come after those that hold them. */
	private paint(s: Int32Array, head: number, at: number, shift: number, span: number, a: Int32Array): void {
		for (let bound = 33; ; ) {
			// The aliases stand longest prefix first, and of equal ones the first is tried first.
			let fa = 0;
			for (let f = head; f !== 0; f = a[f * 4]) {
				const slen = a[f * 4 + 2] & 0xff;
				if (slen >= bound) break;
				if (fa === 0 || slen !== (a[fa * 4 + 2] & 0xff)) fa = f;
			}
			if (fa === 0) return;
			const slen = a[fa * 4 + 2] & 0xff;
			if (slen < shift) return;
			// Prefixes as long as the whole are around it already.
			if (slen < 31 && 1 << slen < span) s.fill(answer(a, fa), at >>> shift, (at + (1 << slen)) >>> shift);
			bound = slen;
		}
	}

	/** Folds equal neighbours. Return: the answer when all are equal, else the new node. */
	private store(s: Int32Array, n: number): number {
		let words = 3;
		let lo = 1;
		let hi = 0;
		for (let i = 1; i < n; i++) {
			if (s[i] === s[i - 1]) continue;
			words++;
			if (i < 32) lo |= 1 << i;
			else hi |= 1 << (i - 32);
		}
		if (words === 3) return s[0];
		let o = this.c_top;
		// In one cache line, when it is small enough.
		const used = (o - LINE_START) & (LINE - 1);
		if (used + words > LINE && words <= LINE) o += LINE - used;
		if (o + words > this.c.length) {
			if (o + words > MAX_WORDS) return DIR_SLOW;
			const c = new Int32Array(Math.ceil(this.c.length * (this.c.length > 1 << 20 ? 1.25 : 2)));
			c.set(this.c);
			this.c = c;
		}
		this.c_top = o + words;
		const c = this.c;
		c[o] = lo;
		c[o + 1] = hi;
		let w = o + 2;
		c[w] = s[0];
		for (let i = 1; i < n; i++) if (s[i] !== s[i - 1]) c[++w] = s[i];
		return ~o;
	}
}

/** What `top` and nodes say of an alias. */
function answer(a: Int32Array, fa: number): number {
	const info = a[fa * 4 + 1];
	const word = a[fa * 4 + 2];
	if (info >= 0xffff || ((word >>> 16) & 0xff) !== 0) return DIR_SLOW;
	return (info + 1) | ((word & 0xff) << 16) | (((word >>> 8) & 0xff) << 22);
}
