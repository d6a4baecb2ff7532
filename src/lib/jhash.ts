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
