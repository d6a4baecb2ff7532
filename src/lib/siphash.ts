/*
 * lib/siphash.ts: SipHash-2-4: a keyed hash that an outsider cannot predict.       Linux: lib/siphash.c, linux/siphash.h
 * J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF" (2012). 64-bit words are pairs of int32; input is 32-bit words,
 * taken as a little-endian byte string.
 */

/** Key of 128 bits, and where the last hash is: lo and hi are its halves, int32. */
export class siphash_key {
	k0l: number;
	k0h: number;
	k1l: number;
	k1h: number;
	lo = 0;
	hi = 0;

	constructor(k0l: number, k0h: number, k1l: number, k1h: number) {
		this.k0l = k0l | 0;
		this.k0h = k0h | 0;
		this.k1l = k1l | 0;
		this.k1h = k1h | 0;
	}
}

/** Hashes `len` of the words a, b, c, d (at most 4). The result is in key.lo and key.hi. Return: key.lo. */
export function siphash_u32(key: siphash_key, a: number, b: number, c: number, d: number, len: number): number {
	let v0l = key.k0l ^ 0x70736575;
	let v0h = key.k0h ^ 0x736f6d65;
	let v1l = key.k1l ^ 0x6e646f6d;
	let v1h = key.k1h ^ 0x646f7261;
	let v2l = key.k0l ^ 0x6e657261;
	let v2h = key.k0h ^ 0x6c796765;
	let v3l = key.k1l ^ 0x79746573;
	let v3h = key.k1h ^ 0x74656462;
	const blocks = len >> 1;
	for (let i = 0; i <= blocks + 1; i++) {
		let ml = 0;
		let mh = 0;
		let rounds = 2;
		if (i < blocks) {
			ml = i === 0 ? a : c;
			mh = i === 0 ? b : d;
		} else if (i === blocks) {
			// The last block: what is left over, and the length in bytes in its top byte.
			if ((len & 1) !== 0) ml = blocks === 0 ? a : c;
			mh = (len * 4) << 24;
		} else {
			v2l ^= 0xff;
			rounds = 4;
		}
		v3l ^= ml;
		v3h ^= mh;
		for (let r = 0; r < rounds; r++) {
			let s = (v0l >>> 0) + (v1l >>> 0);
			v0h = (v0h + v1h + (s > 0xffffffff ? 1 : 0)) | 0;
			v0l = s | 0;
			let t = (v1l << 13) | (v1h >>> 19);
			v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
			v1l = t ^ v0l;
			t = v0l;
			v0l = v0h;
			v0h = t;
			s = (v2l >>> 0) + (v3l >>> 0);
			v2h = (v2h + v3h + (s > 0xffffffff ? 1 : 0)) | 0;
			v2l = s | 0;
			t = (v3l << 16) | (v3h >>> 16);
			v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
			v3l = t ^ v2l;
			s = (v0l >>> 0) + (v3l >>> 0);
			v0h = (v0h + v3h + (s > 0xffffffff ? 1 : 0)) | 0;
			v0l = s | 0;
			t = (v3l << 21) | (v3h >>> 11);
			v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
			v3l = t ^ v0l;
			s = (v2l >>> 0) + (v1l >>> 0);
			v2h = (v2h + v1h + (s > 0xffffffff ? 1 : 0)) | 0;
			v2l = s | 0;
			t = (v1l << 17) | (v1h >>> 15);
			v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
			v1l = t ^ v2l;
			t = v2l;
			v2l = v2h;
			v2h = t;
		}
		v0l ^= ml;
		v0h ^= mh;
	}
	key.lo = v0l ^ v1l ^ v2l ^ v3l;
	key.hi = v0h ^ v1h ^ v2h ^ v3h;
	return key.lo;
}

/** Hashes bytes (a multiple of 4 of them, at most 16), as siphash_u32 of their little-endian words. Return: key.lo. */
export function siphash_bytes(key: siphash_key, b: Uint8Array): number {
	const w = [0, 0, 0, 0];
	for (let i = 0; i < b.length; i++) w[i >> 2] |= b[i] << ((i & 3) * 8);
	return siphash_u32(key, w[0], w[1], w[2], w[3], b.length >> 2);
}
