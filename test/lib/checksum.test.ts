import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csum_fold, csum_partial } from '../../src/lib/checksum.ts';

/** RFC 1071 1, read plainly. */
function plain(b: Uint8Array, off: number, len: number, sum: number): number {
	let s = BigInt(sum);
	for (let i = 0; i < len; i++) s += BigInt(b[off + i]) << (i % 2 === 0 ? 8n : 0n);
	while (s > 0xffffn) s = (s & 0xffffn) + (s >> 16n);
	return Number(s) ^ 0xffff;
}

test('the sum of any bytes, at any offset, of any length, onto any sum, is that of RFC 1071', () => {
	fc.assert(
		fc.property(
			fc.uint8Array({ minLength: 0, maxLength: 3000 }),
			fc.nat(9),
			fc.nat(9),
			fc.nat(0xffffffff),
			(bytes, skip, base, sum) => {
				// A view at any address.
				const b = new Uint8Array(new ArrayBuffer(bytes.length + base + 8), base, bytes.length);
				b.set(bytes);
				const off = Math.min(skip, b.length);
				const len = b.length - off;
				expect(csum_fold(csum_partial(b, off, len, sum))).toBe(plain(b, off, len, sum));
			},
		),
		{ numRuns: 500 },
	);
});

test('all ones, 64 KB', () => {
	const b = new Uint8Array(65535).fill(255);
	for (const off of [0, 1, 2, 3])
		expect(csum_fold(csum_partial(b, off, 65000, 0xffffffff))).toBe(plain(b, off, 65000, 0xffffffff));
});
