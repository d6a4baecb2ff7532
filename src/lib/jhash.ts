/*
 * lib/jhash.ts: Bob Jenkins' lookup3 hash of 32-bit words (public domain algorithm, burtleburtle.net/bob/c/lookup3.c).
 *                                                                  Linux: linux/jhash.h
 */

export const JHASH_INITVAL = 0xdeadbeef;

/** Hash of three words. Return: unsigned 32 bit. */
export function jhash_3words(a: number, b: number, c: number, initval: number): number {
	const iv = (JHASH_INITVAL + 12 + initval) | 0;
	a = (a + iv) | 0;
	b = (b + iv) | 0;
	c = (c + iv) | 0;
	c ^= b;
	c = (c - ((b << 14) | (b >>> 18))) | 0;
	a ^= c;
	a = (a - ((c << 11) | (c >>> 21))) | 0;
	b ^= a;
	b = (b - ((a << 25) | (a >>> 7))) | 0;
	c ^= b;
	c = (c - ((b << 16) | (b >>> 16))) | 0;
	a ^= c;
	a = (a - ((c << 4) | (c >>> 28))) | 0;
	b ^= a;
	b = (b - ((a << 14) | (a >>> 18))) | 0;
	c ^= b;
	c = (c - ((b << 24) | (b >>> 8))) | 0;
	return c >>> 0;
}

export function jhash_2words(a: number, b: number, initval: number): number {
	return jhash_3words(a, b, 0, initval);
}

export function jhash_1word(a: number, initval: number): number {
	return jhash_3words(a, 0, 0, initval);
}

function rol32(x: number, r: number): number {
	return (x << r) | (x >>> (32 - r));
}

/** Hash of any number of words. */
export function jhash2(k: readonly number[], initval: number): number {
	let n = k.length;
	let a = (JHASH_INITVAL + (n << 2) + initval) | 0;
	let b = a;
	let c = a;
	let i = 0;
	for (; n > 3; n -= 3, i += 3) {
		a = (a + k[i]) | 0;
		b = (b + k[i + 1]) | 0;
		c = (c + k[i + 2]) | 0;
		a = ((a - c) | 0) ^ rol32(c, 4);
		c = (c + b) | 0;
		b = ((b - a) | 0) ^ rol32(a, 6);
		a = (a + c) | 0;
		c = ((c - b) | 0) ^ rol32(b, 8);
		b = (b + a) | 0;
		a = ((a - c) | 0) ^ rol32(c, 16);
		c = (c + b) | 0;
		b = ((b - a) | 0) ^ rol32(a, 19);
		a = (a + c) | 0;
		c = ((c - b) | 0) ^ rol32(b, 4);
		b = (b + a) | 0;
	}
	if (n === 0) return c >>> 0;
	if (n > 2) c = (c + k[i + 2]) | 0;
	if (n > 1) b = (b + k[i + 1]) | 0;
	a = (a + k[i]) | 0;
	c = ((c ^ b) - rol32(b, 14)) | 0;
	a = ((a ^ c) - rol32(c, 11)) | 0;
	b = ((b ^ a) - rol32(a, 25)) | 0;
	c = ((c ^ b) - rol32(b, 16)) | 0;
	a = ((a ^ c) - rol32(c, 4)) | 0;
	b = ((b ^ a) - rol32(a, 14)) | 0;
	c = ((c ^ b) - rol32(b, 24)) | 0;
	return c >>> 0;
}
