/*
 * lib/md5.ts: the MD5 message digest.                              Linux: crypto/md5.c
 * RFC 1321 3. Only TCP's signatures (RFC 2385) use it.
 */

/** floor(2^32 * abs(sin(i + 1))). */
const K: Int32Array = new Int32Array(64).map((_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 0x100000000) | 0);
const S: readonly number[] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

export class md5_ctx {
	state: Int32Array = new Int32Array(4);
	block: Uint8Array = new Uint8Array(64);
	/** Bytes taken so far. */
	count = 0;
}

export function md5_init(ctx: md5_ctx): void {
	ctx.state.set([0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476]);
	ctx.count = 0;
}

function md5_transform(state: Int32Array, p: Uint8Array, at: number): void {
	let a = state[0];
	let b = state[1];
	let c = state[2];
	let d = state[3];
	for (let i = 0; i < 64; i++) {
		let f: number;
		let g: number;
		if (i < 16) {
			f = (b & c) | (~b & d);
			g = i;
		} else if (i < 32) {
			f = (d & b) | (~d & c);
			g = (5 * i + 1) & 15;
		} else if (i < 48) {
			f = b ^ c ^ d;
			g = (3 * i + 5) & 15;
		} else {
			f = c ^ (b | ~d);
			g = (7 * i) & 15;
		}
		const o = at + g * 4;
		const m = p[o] | (p[o + 1] << 8) | (p[o + 2] << 16) | (p[o + 3] << 24);
		f = (f + a + K[i] + m) | 0;
		a = d;
		d = c;
		c = b;
		const s = S[((i >> 4) << 2) | (i & 3)];
		b = (b + ((f << s) | (f >>> (32 - s)))) | 0;
	}
	state[0] = (state[0] + a) | 0;
	state[1] = (state[1] + b) | 0;
	state[2] = (state[2] + c) | 0;
	state[3] = (state[3] + d) | 0;
}

export function md5_update(ctx: md5_ctx, data: Uint8Array): void {
	let at = 0;
	while (at < data.length) {
		const used = ctx.count & 63;
		if (used === 0 && data.length - at >= 64) {
			md5_transform(ctx.state, data, at);
			at += 64;
			ctx.count += 64;
			continue;
		}
		const n = Math.min(64 - used, data.length - at);
		ctx.block.set(data.subarray(at, at + n), used);
		at += n;
		ctx.count += n;
		if ((ctx.count & 63) === 0) md5_transform(ctx.state, ctx.block, 0);
	}
}

/** Return: the 16 bytes of the digest. */
export function md5_final(ctx: md5_ctx): Uint8Array {
	const bits = ctx.count * 8;
	const used = ctx.count & 63;
	const pad = new Uint8Array((used < 56 ? 64 : 128) - used);
	pad[0] = 0x80;
	for (let i = 0; i < 8; i++) pad[pad.length - 8 + i] = Math.floor(bits / 2 ** (8 * i)) & 255;
	md5_update(ctx, pad);
	const out = new Uint8Array(16);
	for (let i = 0; i < 16; i++) out[i] = ctx.state[i >> 2] >>> ((i & 3) * 8);
	return out;
}
