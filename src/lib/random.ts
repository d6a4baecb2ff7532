/*
 * lib/random.ts: a seeded generator (sfc32), the only source of randomness.   Linux: drivers/char/random.c
 */

export class Random {
	private a: number;
	private b: number;
	private c: number;
	private d: number;

	constructor(seed: number, stream = '') {
		this.a = seed | 0;
		this.b = Math.floor(seed / 0x100000000) | 0;
		this.c = 0x9e3779b9 | 0;
		this.d = 1;
		for (let i = 0; i < stream.length; i++) {
			this.c = Math.imul(this.c ^ stream.charCodeAt(i), 0x01000193);
		}
		for (let i = 0; i < 16; i++) this.u32();
	}

	/** Uniform over 0 … 2^32-1. */
	u32(): number {
		const t = (((this.a + this.b) | 0) + this.d) | 0;
		this.d = (this.d + 1) | 0;
		this.a = this.b ^ (this.b >>> 9);
		this.b = (this.c + (this.c << 3)) | 0;
		this.c = ((this.c << 21) | (this.c >>> 11)) + t;
		this.c |= 0;
		return t >>> 0;
	}

	/** Uniform over 0 … below-1. */
	below(below: number): number {
		return Math.floor((this.u32() / 0x100000000) * below);
	}

	/** Uniform over 0 ≤ x < 1. */
	float(): number {
		return this.u32() / 0x100000000;
	}
}
