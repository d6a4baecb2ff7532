import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { md5_ctx, md5_final, md5_init, md5_update } from '../../src/lib/md5.ts';
import { siphash_bytes, siphash_key } from '../../src/lib/siphash.ts';

// The authors' vectors (vectors_sip64): key 00 01 … 0f, input 00 01 … of each length.
test('siphash: reference vectors', () => {
	const key = new siphash_key(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c);
	const want: [number, string][] = [
		[0, '310e0edd47db6f72'],
		[4, 'b7877127e09427cf'],
		[8, '6224939a79f5f593'],
		[12, 'fbe50e86bc8f1e75'],
	];
	for (const [len, hex] of want) {
		siphash_bytes(
			key,
			new Uint8Array(len).map((_, i) => i),
		);
		const b = Buffer.alloc(8);
		b.writeInt32LE(key.lo, 0);
		b.writeInt32LE(key.hi, 4);
		expect(b.toString('hex')).toBe(hex);
	}
});

test('siphash: another key, another hash', () => {
	const seen = new Set<number>();
	for (let i = 0; i < 1000; i++) seen.add(siphash_bytes(new siphash_key(i, 0, 0, 0), new Uint8Array(8)));
	expect(seen.size).toBe(1000);
});

test('md5: as node says, in any pieces', () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(100), { maxLength: 5 }), (data, cuts) => {
			const ctx = new md5_ctx();
			md5_init(ctx);
			let at = 0;
			for (const c of cuts) {
				md5_update(ctx, data.subarray(at, at + c));
				at = Math.min(at + c, data.length);
			}
			md5_update(ctx, data.subarray(at));
			expect(Buffer.from(md5_final(ctx)).toString('hex')).toBe(createHash('md5').update(data).digest('hex'));
		}),
	);
});
