/*
 * lab/cables/framing.ts: frames in a stream of bytes: length (4 bytes, big endian, without itself), then that many bytes of frame.
 * As `-netdev stream` of QEMU and passt have it.
 */

/** The longest frame that is believed; more means that the two sides have lost each other. */
export const FRAME_MAX = 65536 + 64;

/** Takes a stream apart. */
export class FrameReader {
	private found: (bytes: Uint8Array, start: number, len: number) => void;
	/** What has come of a frame that is not whole yet, its length included. */
	private part: Uint8Array = new Uint8Array(4096);
	private have = 0;

	/** `found` is called for each frame; the bytes are its until it returns. */
	constructor(found: (bytes: Uint8Array, start: number, len: number) => void) {
		this.found = found;
	}

	/** More of the stream. Throws RangeError where a length makes no sense. */
	push(bytes: Uint8Array): void {
		let at = 0;
		if (this.have > 0) {
			at = this.fill(bytes, 0, 4);
			if (this.have < 4) return;
			const len = this.length(this.part, 0);
			at = this.fill(bytes, at, 4 + len);
			if (this.have < 4 + len) return;
			this.have = 0;
			if (len > 0) this.found(this.part, 4, len);
		}
		while (bytes.length - at >= 4) {
			const len = this.length(bytes, at);
			if (bytes.length - at < 4 + len) break;
			if (len > 0) this.found(bytes, at + 4, len);
			at += 4 + len;
		}
		if (at < bytes.length) this.fill(bytes, at, bytes.length - at);
	}

	/** Whether a frame has begun and not ended. */
	get within(): boolean {
		return this.have > 0;
	}

	private length(b: Uint8Array, o: number): number {
		const len = ((b[o] << 24) | (b[o + 1] << 16) | (b[o + 2] << 8) | b[o + 3]) >>> 0;
		if (len > FRAME_MAX)
			throw new RangeError(`a frame of ${len} bytes: the other side does not speak QEMU's stream framing`);
		return len;
	}

	/** Copies from `bytes` at `at` until there are `want`. Return: where it stopped. */
	private fill(bytes: Uint8Array, at: number, want: number): number {
		const n = Math.min(want - this.have, bytes.length - at);
		if (n <= 0) return at;
		if (this.part.length < this.have + n) {
			const more = new Uint8Array(Math.max(want, this.part.length * 2));
			more.set(this.part.subarray(0, this.have));
			this.part = more;
		}
		this.part.set(bytes.subarray(at, at + n), this.have);
		this.have += n;
		return at + n;
	}
}

/** Puts frames together into one piece, until it is taken. */
export class FrameWriter {
	private bytes: Uint8Array = new Uint8Array(16384);
	private used = 0;

	add(frame: Uint8Array, start: number, len: number): void {
		const need = this.used + 4 + len;
		if (need > this.bytes.length) {
			const more = new Uint8Array(Math.max(need, this.bytes.length * 2));
			more.set(this.bytes.subarray(0, this.used));
			this.bytes = more;
		}
		const b = this.bytes;
		const o = this.used;
		b[o] = len >>> 24;
		b[o + 1] = len >>> 16;
		b[o + 2] = len >>> 8;
		b[o + 3] = len;
		b.set(frame.subarray(start, start + len), o + 4);
		this.used = need;
	}

	get empty(): boolean {
		return this.used === 0;
	}

	/** All frames so far; they are the caller's. */
	take(): Uint8Array {
		const all = this.bytes.subarray(0, this.used);
		this.bytes = new Uint8Array(Math.max(16384, Math.min(this.used, 1 << 20)));
		this.used = 0;
		return all;
	}
}
