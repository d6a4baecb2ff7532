/*
 * lib/byteorder.ts: reads and writes integers at any offset.       Linux: linux/unaligned.h
 * Values are in host order in variables; 32-bit values come back unsigned.
 */

export function get_unaligned_be16(b: Uint8Array, o: number): number {
	return (b[o] << 8) | b[o + 1];
}

export function get_unaligned_be32(b: Uint8Array, o: number): number {
	return ((b[o] << 24) | (b[o + 1] << 16) | (b[o + 2] << 8) | b[o + 3]) >>> 0;
}

export function get_unaligned_le16(b: Uint8Array, o: number): number {
	return b[o] | (b[o + 1] << 8);
}

export function get_unaligned_le32(b: Uint8Array, o: number): number {
	return (b[o] | (b[o + 1] << 8) | (b[o + 2] << 16) | (b[o + 3] << 24)) >>> 0;
}

export function put_unaligned_be16(b: Uint8Array, o: number, v: number): void {
	b[o] = v >>> 8;
	b[o + 1] = v;
}

export function put_unaligned_be32(b: Uint8Array, o: number, v: number): void {
	b[o] = v >>> 24;
	b[o + 1] = v >>> 16;
	b[o + 2] = v >>> 8;
	b[o + 3] = v;
}

export function put_unaligned_le16(b: Uint8Array, o: number, v: number): void {
	b[o] = v;
	b[o + 1] = v >>> 8;
}

export function put_unaligned_le32(b: Uint8Array, o: number, v: number): void {
	b[o] = v;
	b[o + 1] = v >>> 8;
	b[o + 2] = v >>> 16;
	b[o + 3] = v >>> 24;
}
