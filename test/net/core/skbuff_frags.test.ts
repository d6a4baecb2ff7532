import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csum_fold, csum_partial } from '../../../src/lib/checksum.ts';
import {
	alloc_skb,
	consume_skb,
	pskb_copy,
	pskb_may_pull,
	pskb_trim,
	type sk_buff,
	skb_checksum,
	skb_clone,
	skb_copy_bits,
	skb_linearize,
	skb_push,
	skb_reserve,
} from '../../../src/net/core/skbuff.ts';
import {
	skb_append_data,
	skb_shift,
	skb_split,
	skb_try_coalesce,
	skb_unclone,
} from '../../../src/net/core/skbuff_frags.ts';
import { kernel } from './kernel.ts';

const machine = kernel().machine;
const pool = machine.skb_pool;

function bytes(n: number, from: number): Uint8Array {
	const b = new Uint8Array(n);
	for (let i = 0; i < n; i++) b[i] = (from + i) * 31 + ((from + i) >> 8);
	return b;
}

function segment(data: Uint8Array): sk_buff {
	const skb = alloc_skb(machine, 192);
	skb_reserve(skb, 192);
	expect(skb_append_data(skb, data, 0, data.length)).toBe(data.length);
	return skb;
}

function content(skb: sk_buff): Uint8Array {
	const out = new Uint8Array(skb.len);
	expect(skb_copy_bits(skb, 0, out, 0, skb.len)).toBe(0);
	return out;
}

/** expect().toEqual takes long for arrays of this size. */
function same(a: Uint8Array, b: Uint8Array): void {
	expect(Buffer.compare(a, b)).toBe(0);
}

/** Nothing is left over but the page that is being filled. */
function nothing_leaks(): void {
	expect(pool.live).toBe(0);
	expect(pool.pages.live).toBeLessThanOrEqual(1);
	expect(pool.pages.frag.page.refcount).toBe(1);
}

test('data of any size is kept in pages, read back, summed, cut and linearized', () => {
	fc.assert(
		fc.property(fc.integer({ min: 0, max: 200000 }), fc.nat(), fc.nat(), (n, a, b) => {
			const data = bytes(n, a);
			const skb = segment(data);
			expect(skb.len).toBe(n);
			same(content(skb), data);
			const at = n === 0 ? 0 : a % n;
			const len = n === 0 ? 0 : b % (n - at + 1);
			expect(csum_fold(skb_checksum(skb, at, len, 0))).toBe(csum_fold(csum_partial(data, at, len, 0)));
			if (a & 1) {
				expect(pskb_may_pull(skb, Math.min(n, 100))).toBe(true);
				same(content(skb), data);
			}
			const keep = n === 0 ? 0 : b % (n + 1);
			expect(pskb_trim(skb, keep)).toBe(0);
			same(content(skb), data.subarray(0, keep));
			expect(skb_linearize(skb)).toBe(0);
			expect(skb.data_len).toBe(0);
			same(content(skb), data.subarray(0, keep));
			consume_skb(skb);
			nothing_leaks();
		}),
		{ numRuns: 60 },
	);
});

test('segments are cut and joined at random, clones meanwhile see what they saw', () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 1, max: 150000 }),
			fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom('split', 'shift', 'clone', 'copy')), { maxLength: 40 }),
			(n, steps) => {
				const data = bytes(n, 7);
				const list = [segment(data)];
				const others: { skb: sk_buff; was: Uint8Array }[] = [];
				for (const [x, y, what] of steps) {
					const i = x % list.length;
					const skb = list[i];
					if (what === 'clone' || what === 'copy') {
						if (others.length > 8) continue;
						others.push({ skb: what === 'clone' ? skb_clone(skb) : pskb_copy(skb), was: content(skb) });
					} else if (what === 'split' && skb.len > 1) {
						const at = 1 + (y % (skb.len - 1));
						skb_unclone(skb);
						const b = alloc_skb(machine, 192);
						skb_reserve(b, 192);
						const whole = skb.len;
						skb_split(skb, b, at);
						expect([skb.len, b.len]).toEqual([at, whole - at]);
						list.splice(i + 1, 0, b);
					} else if (what === 'shift' && i + 1 < list.length) {
						const next = list[i + 1];
						const want = y % (next.len + 1);
						const sum = skb.len + next.len;
						const done = skb_shift(skb, next, want);
						expect(done === 0 || done === want).toBe(true);
						expect(skb.len + next.len).toBe(sum);
						if (next.len === 0) {
							list.splice(i + 1, 1);
							consume_skb(next);
						}
					}
				}
				const all = new Uint8Array(n);
				let at = 0;
				for (const skb of list) {
					all.set(content(skb), at);
					at += skb.len;
					consume_skb(skb);
				}
				expect(at).toBe(n);
				same(all, data);
				for (const o of others) {
					same(content(o.skb), o.was);
					consume_skb(o.skb);
				}
				nothing_leaks();
			},
		),
		{ numRuns: 80 },
	);
});

test('a header pushed on a clone does not show in the segment; a copy has a header of its own', () => {
	const skb = segment(bytes(5000, 0));
	const clone = skb_clone(skb);
	const at = skb_push(clone, 20);
	clone.head.fill(0xaa, at, at + 20);
	const copy = pskb_copy(skb);
	const at2 = skb_push(copy, 20);
	copy.head.fill(0x55, at2, at2 + 20);
	expect(clone.head[at]).toBe(0xaa);
	same(content(skb), bytes(5000, 0));
	same(content(clone).subarray(20), bytes(5000, 0));
	same(content(copy).subarray(20), bytes(5000, 0));
	for (const s of [clone, skb, copy]) consume_skb(s);
	nothing_leaks();
});

test('the receive queue joins what lies in pages, by reference, and short linear data by copying', () => {
	const res = { delta_truesize: 0, stolen: false };
	const a = segment(bytes(3000, 0));
	const b = segment(bytes(1000, 3000));
	expect(skb_try_coalesce(a, b, res)).toBe(true);
	expect(res.delta_truesize).toBeGreaterThanOrEqual(1000);
	expect(a.shinfo.nr_frags).toBe(1);
	consume_skb(b);
	same(content(a), bytes(4000, 0));
	// A clone of it is under way: its frags may not change.
	const c = segment(bytes(10, 4000));
	const clone = skb_clone(a);
	expect(skb_try_coalesce(a, c, res)).toBe(false);
	consume_skb(clone);
	const l = alloc_skb(machine, 100);
	const m = alloc_skb(machine, 400);
	for (const [s, from] of [
		[l, 0],
		[m, 40],
	] as const) {
		s.head.set(bytes(40, from), 0);
		s.tail = 40;
		s.len = 40;
	}
	expect(skb_try_coalesce(l, m, res)).toBe(true);
	same(content(l), bytes(80, 0));
	for (const s of [a, c, l, m]) consume_skb(s);
	nothing_leaks();
});
