/*
 * packet/bytes.ts: bytes as people write them: hex, text, MAC, IPv4 and IPv6 addresses.
 * Walk: reading numbers -> joining and text -> addresses, each parsed and formatted -> CRC-32C.
 * RFC 5952 (how an IPv6 address is written), RFC 3309 (SCTP's checksum).
 */

import { get_unaligned_be16 as be16, put_unaligned_be16 as put16 } from '../lib/byteorder.ts';
import { csum_fold, csum_partial } from '../lib/checksum.ts';

export {
	get_unaligned_be16 as be16,
	get_unaligned_be32 as be32,
	put_unaligned_be16 as put16,
	put_unaligned_be32 as put32,
} from '../lib/byteorder.ts';

export function concat(parts: readonly Uint8Array[]): Uint8Array {
	let n = 0;
	for (const p of parts) n += p.length;
	const out = new Uint8Array(n);
	n = 0;
	for (const p of parts) {
		out.set(p, n);
		n += p.length;
	}
	return out;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Two hex digits of a byte. */
export function hex2(v: number): string {
	return HEX[v & 255];
}

export function toHex(b: Uint8Array): string {
	let s = '';
	for (const v of b) s += HEX[v];
	return s;
}

/** Bytes of a hex string; spaces and colons between bytes are skipped. Return: null when it is none. */
export function fromHex(text: string): Uint8Array | null {
	const s = text.replace(/[\s:]/g, '');
	if (s.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(s)) return null;
	const out = new Uint8Array(s.length / 2);
	for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(s.slice(2 * i, 2 * i + 2), 16);
	return out;
}

export function utf8(text: string): Uint8Array {
	const out: number[] = [];
	for (const ch of text) {
		const c = ch.codePointAt(0)!;
		if (c < 0x80) out.push(c);
		else if (c < 0x800) out.push(0xc0 | (c >> 6), 0x80 | (c & 63));
		else if (c < 0x10000) out.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
		else out.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
	}
	return Uint8Array.from(out);
}

/** Text of UTF-8 bytes; what is not UTF-8 becomes U+FFFD. */
export function fromUtf8(b: Uint8Array): string {
	let s = '';
	for (let i = 0; i < b.length; ) {
		const c = b[i];
		const n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
		let v = n === 1 ? c : c & (0x7f >> n);
		let ok = n > 0 && i + n <= b.length;
		for (let k = 1; ok && k < n; k++) {
			if ((b[i + k] & 0xc0) !== 0x80) ok = false;
			v = (v << 6) | (b[i + k] & 63);
		}
		if (ok && ((n === 3 && (v < 0x800 || (v >= 0xd800 && v < 0xe000))) || (n === 4 && (v < 0x10000 || v > 0x10ffff))))
			ok = false;
		s += ok ? String.fromCodePoint(v) : '\ufffd';
		i += ok ? n : 1;
	}
	return s;
}

/** Text of bytes one to one (Latin-1). */
export function latin1(b: Uint8Array): string {
	let s = '';
	for (const v of b) s += String.fromCharCode(v);
	return s;
}

/** An IPv4 address in dotted quad as an unsigned number. Return: null when it is none. */
export function parseIp4(text: string): number | null {
	const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
	if (m === null) return null;
	let v = 0;
	for (let i = 1; i <= 4; i++) {
		const part = Number(m[i]);
		if (part > 255) return null;
		v = v * 256 + part;
	}
	return v;
}

export function formatIp4(v: number): string {
	return `${v >>> 24}.${(v >>> 16) & 255}.${(v >>> 8) & 255}.${v & 255}`;
}

/** The IPv4 address in the four bytes at o. */
export function ip4At(b: Uint8Array, o: number): string {
	return `${b[o]}.${b[o + 1]}.${b[o + 2]}.${b[o + 3]}`;
}

/** Six bytes of a MAC address written with colons or hyphens. Return: null when it is none. */
export function parseMac(text: string): Uint8Array | null {
	const parts = text.includes('-') ? text.split('-') : text.split(':');
	if (parts.length !== 6 || !parts.every((p) => /^[0-9a-fA-F]{1,2}$/.test(p))) return null;
	return Uint8Array.from(parts, (p) => Number.parseInt(p, 16));
}

/** The MAC address in the six bytes at o. */
export function macAt(b: Uint8Array, o: number): string {
	let s = HEX[b[o]];
	for (let i = 1; i < 6; i++) s += `:${HEX[b[o + i]]}`;
	return s;
}

/** Sixteen bytes of an IPv6 address (RFC 4291 2.2). Return: null when it is none. */
export function parseIp6(text: string): Uint8Array | null {
	let s = text;
	let tail: number[] = [];
	const dot = s.lastIndexOf(':');
	if (s.includes('.')) {
		const v4 = parseIp4(s.slice(dot + 1));
		if (v4 === null || dot < 0) return null;
		tail = [v4 >>> 16, v4 & 0xffff];
		s = s.slice(0, dot + 1);
		if (!s.endsWith('::')) s = s.slice(0, -1);
	}
	const halves = s.split('::');
	if (halves.length > 2) return null;
	const words = (h: string): number[] | null => {
		if (h === '') return [];
		const out: number[] = [];
		for (const w of h.split(':')) {
			if (!/^[0-9a-fA-F]{1,4}$/.test(w)) return null;
			out.push(Number.parseInt(w, 16));
		}
		return out;
	};
	const head = words(halves[0]);
	const rest = halves.length === 2 ? words(halves[1]) : [];
	if (head === null || rest === null) return null;
	const n = head.length + rest.length + tail.length;
	if (halves.length === 2 ? n > 7 : n !== 8) return null;
	const all = [...head, ...new Array<number>(8 - n).fill(0), ...rest, ...tail];
	const out = new Uint8Array(16);
	for (let i = 0; i < 8; i++) put16(out, 2 * i, all[i]);
	return out;
}

/** The IPv6 address in the sixteen bytes at o, as RFC 5952 writes it. */
export function ip6At(b: Uint8Array, o: number): string {
	let best = -1;
	let bestLen = 1;
	for (let i = 0; i < 8; ) {
		let j = i;
		while (j < 8 && be16(b, o + 2 * j) === 0) j++;
		if (j - i > bestLen) {
			best = i;
			bestLen = j - i;
		}
		i = Math.max(j, i + 1);
	}
	// inet_ntop writes ::1.2.3.4 and ::ffff:1.2.3.4 with dots.
	if (best === 0 && (bestLen === 6 || (bestLen === 5 && be16(b, o + 10) === 0xffff)))
		return (bestLen === 6 ? '::' : '::ffff:') + ip4At(b, o + 12);
	let s = '';
	for (let i = 0; i < 8; i++) {
		if (i === best) {
			s += '::';
			i += bestLen - 1;
			continue;
		}
		if (s !== '' && !s.endsWith(':')) s += ':';
		s += be16(b, o + 2 * i).toString(16);
	}
	return s;
}

/** CRC-32C of bytes (Castagnoli, reflected), as an unsigned number. RFC 3309. */
export function crc32c(b: Uint8Array): number {
	let crc = 0xffffffff;
	for (let i = 0; i < b.length; i++) {
		crc ^= b[i];
		for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
	}
	return (crc ^ 0xffffffff) >>> 0;
}

/** The Internet checksum (RFC 1071) over bytes, with what a pseudo-header summed to. */
export function inetChecksum(b: Uint8Array, from = 0, to: number = b.length, seed = 0): number {
	return csum_fold(csum_partial(b, from, to - from, seed));
}

/** Sum of a pseudo-header: addresses, protocol and length, to be given to inetChecksum. */
export function pseudoSum(src: Uint8Array, dst: Uint8Array, proto: number, len: number): number {
	let sum = proto + (len & 0xffff) + (len >>> 16);
	for (let i = 0; i < src.length; i += 2) sum += be16(src, i);
	for (let i = 0; i < dst.length; i += 2) sum += be16(dst, i);
	return sum;
}
