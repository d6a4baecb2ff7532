/*
 * user/iptables/ext/u64.ts: 64-bit numbers of extensions: more than a double holds exactly.
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';

export const U64_MAX = 0xffffffffffffffffn;

/** A number that strtoull has taken already: decimal, 0x or octal. */
export function exact_u64(s: string): bigint {
	const t = s.trim().replace(/^\+/, '');
	if (/^0[0-7]+$/.test(t)) return BigInt(`0o${t.slice(1)}`);
	const v = BigInt(t);
	return v > U64_MAX ? U64_MAX : v;
}

export function get_u64(d: Uint8Array, o: number): bigint {
	return BigInt(get_unaligned_le32(d, o)) | (BigInt(get_unaligned_le32(d, o + 4)) << 32n);
}

export function put_u64(d: Uint8Array, o: number, v: bigint): void {
	put_unaligned_le32(d, o, Number(v & 0xffffffffn));
	put_unaligned_le32(d, o + 4, Number(v >> 32n));
}
