import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LC_KEY, LC_POS, LC_ROOT, LC_SLOT, lc_bits, lc_pos, lc_slen, lc_trie } from '../../src/lib/lc_trie.ts';

/** Walks the whole trie and checks what every node promises. Return: the leaves' keys in order. */
function check(lc: lc_trie): number[] {
	const keys: number[] = [];
	const walk = (s: number, base: number, ppos: number, prefix: number): number => {
		const t = lc.t;
		const ref = t[s];
		const key = t[s + LC_KEY];
		const w = t[s + LC_POS];
		if (ref < 0) {
			keys.push(key >>> 0);
			return lc_slen(w);
		}
		const pos = lc_pos(w);
		const bits = lc_bits(w);
		expect(pos + bits).toBeLessThanOrEqual(ppos);
		expect(t[ref - 4]).toBe(s);
		expect(t[ref - 3]).toBe(base);
		let empty = 0;
		let full = 0;
		let slen = pos;
		for (let i = 0; i < 1 << bits; i++) {
			const c = ref + i * LC_SLOT;
			if (t[c] === 0) {
				empty++;
				continue;
			}
			expect((t[c + LC_KEY] ^ key) >>> pos).toBe(i);
			if (t[c] > 0 && lc_pos(t[c + LC_POS]) + lc_bits(t[c + LC_POS]) === pos) full++;
			slen = Math.max(slen, walk(c, ref, pos, prefix));
		}
		expect(t[ref - 2]).toBe(empty);
		expect(t[ref - 1]).toBe(full);
		expect(lc_slen(w)).toBe(slen);
		expect((1 << bits) - empty).toBeGreaterThan(1);
		return slen;
	};
	if (lc.t[LC_ROOT] !== 0) walk(LC_ROOT, LC_ROOT, 32, 0);
	return keys;
}

describe('lc_trie', () => {
	it('keeps keys in order through insertions and removals', () => {
		const key = fc.oneof(
			fc.integer({ min: 0, max: 0xffffffff }),
			fc.integer({ min: 0, max: 255 }).map((b) => (0x0a000000 | b) >>> 0),
			fc.integer({ min: 0, max: 4095 }).map((b) => (b << 20) >>> 0),
		);
		fc.assert(
			fc.property(fc.array(fc.tuple(key, fc.integer({ min: 0, max: 32 }), fc.boolean()), { maxLength: 200 }), (ops) => {
				const lc = new lc_trie();
				const model = new Map<number, number>();
				let value = 0;
				for (const [k, slen, remove] of ops) {
					const slot = lc.find(k);
					expect(slot !== 0).toBe(model.has(k));
					if (remove && slot !== 0) {
						lc.remove(slot);
						model.delete(k);
					} else if (slot !== 0) lc.set_leaf(slot, -lc.t[slot], slen, 0);
					else {
						lc.insert(k, ++value, slen, value & 0xffff);
						model.set(k, value);
					}
				}
				const sorted = [...model.keys()].sort((a, b) => a - b);
				expect(check(lc)).toEqual(sorted);
				for (const [k, v] of model) expect(-lc.t[lc.find(k)]).toBe(v);
				// next() walks the same way.
				const walked: number[] = [];
				for (let s = lc.next(0); s !== 0; ) {
					const k = lc.t[s + LC_KEY] >>> 0;
					walked.push(k);
					s = k === 0xffffffff ? 0 : lc.next(k + 1);
				}
				expect(walked).toEqual(sorted);
			}),
			{ numRuns: 300 },
		);
	});

	it('holds a dense range in one wide node', () => {
		const lc = new lc_trie();
		for (let i = 0; i < 1024; i++) lc.insert((10 << 24) | i, i + 1, 0, 0);
		check(lc);
		expect(lc_bits(lc.t[LC_ROOT + LC_POS])).toBe(10);
	});
});
