/*
 * user/udhcp/packet.ts: DHCP messages as bytes.                                RFC 2131 2 (format), RFC 2132 (options), RFC 3396 (long options: not here)
 */
import { get_unaligned_be16, get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../../lib/byteorder.ts';

export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;
export const BOOTREQUEST = 1;
export const BOOTREPLY = 2;
export const BROADCAST_FLAG = 0x8000;
/** RFC 2131 3: the first four bytes of the options. */
const COOKIE = 0x63825363;

export const DHCPDISCOVER = 1;
export const DHCPOFFER = 2;
export const DHCPREQUEST = 3;
export const DHCPDECLINE = 4;
export const DHCPACK = 5;
export const DHCPNAK = 6;
export const DHCPRELEASE = 7;
export const DHCPINFORM = 8;

export const OPT_SUBNET = 1;
export const OPT_ROUTER = 3;
export const OPT_DNS = 6;
export const OPT_HOSTNAME = 12;
export const OPT_DOMAIN = 15;
export const OPT_REQUESTED_IP = 50;
export const OPT_LEASE = 51;
export const OPT_MESSAGE_TYPE = 53;
export const OPT_SERVER_ID = 54;
export const OPT_PARAMETERS = 55;
export const OPT_MAX_SIZE = 57;
export const OPT_VENDOR = 60;
export const OPT_CLIENT_ID = 61;

export type Kind = 'ip' | 'ips' | 'string' | 'u8' | 'u16' | 'u32' | 'hex';

/** Options by the names that udhcp has for them. */
export const OPTIONS: readonly { name: string; code: number; kind: Kind }[] = [
	{ name: 'subnet', code: OPT_SUBNET, kind: 'ip' },
	{ name: 'timezone', code: 2, kind: 'u32' },
	{ name: 'router', code: OPT_ROUTER, kind: 'ips' },
	{ name: 'dns', code: OPT_DNS, kind: 'ips' },
	{ name: 'logsrv', code: 7, kind: 'ips' },
	{ name: 'lprsrv', code: 9, kind: 'ips' },
	{ name: 'hostname', code: OPT_HOSTNAME, kind: 'string' },
	{ name: 'bootsize', code: 13, kind: 'u16' },
	{ name: 'domain', code: OPT_DOMAIN, kind: 'string' },
	{ name: 'rootpath', code: 17, kind: 'string' },
	{ name: 'ipttl', code: 23, kind: 'u8' },
	{ name: 'mtu', code: 26, kind: 'u16' },
	{ name: 'broadcast', code: 28, kind: 'ip' },
	{ name: 'ntpsrv', code: 42, kind: 'ips' },
	{ name: 'wins', code: 44, kind: 'ips' },
	{ name: 'lease', code: OPT_LEASE, kind: 'u32' },
	{ name: 'serverid', code: OPT_SERVER_ID, kind: 'ip' },
	{ name: 'message', code: 56, kind: 'string' },
	{ name: 'tftp', code: 66, kind: 'string' },
	{ name: 'bootfile', code: 67, kind: 'string' },
];

export interface Packet {
	op: number;
	xid: number;
	secs: number;
	flags: number;
	/** Addresses: what the client has, gets; the next server; the relay. */
	ciaddr: number;
	yiaddr: number;
	siaddr: number;
	giaddr: number;
	/** Six bytes. */
	chaddr: Uint8Array;
	sname: string;
	file: string;
	/** By code. Written in this order. */
	options: Map<number, Uint8Array>;
}

export function packet(op: number, xid: number, chaddr: Uint8Array): Packet {
	return {
		op,
		xid,
		secs: 0,
		flags: 0,
		ciaddr: 0,
		yiaddr: 0,
		siaddr: 0,
		giaddr: 0,
		chaddr,
		sname: '',
		file: '',
		options: new Map(),
	};
}

export function be32(n: number): Uint8Array {
	return Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
}

/** The bytes of a string option. */
export function ascii(text: string): Uint8Array {
	return Uint8Array.from(text.slice(0, 255), (c) => c.charCodeAt(0));
}

function c_string(b: Uint8Array): string {
	const end = b.indexOf(0);
	return String.fromCharCode(...b.subarray(0, end < 0 ? b.length : end));
}

/** An option as a number. -1 where it is missing or of another length. */
export function option_u32(p: Packet, code: number): number {
	const b = p.options.get(code);
	return b === undefined || b.length !== 4 ? -1 : get_unaligned_be32(b, 0) >>> 0;
}

/** Kind of message; 0 where it does not say. */
export function message_type(p: Packet): number {
	const b = p.options.get(OPT_MESSAGE_TYPE);
	return b === undefined || b.length !== 1 ? 0 : b[0];
}

/** A message as bytes, 300 at least. */
export function encode(p: Packet): Uint8Array {
	const options: number[] = [];
	for (const [code, data] of p.options) options.push(code, Math.min(data.length, 255), ...data.subarray(0, 255));
	options.push(255);
	const b = new Uint8Array(Math.max(300, 240 + options.length));
	b[0] = p.op;
	b[1] = 1;
	b[2] = 6;
	put_unaligned_be32(b, 4, p.xid);
	put_unaligned_be16(b, 8, p.secs);
	put_unaligned_be16(b, 10, p.flags);
	put_unaligned_be32(b, 12, p.ciaddr);
	put_unaligned_be32(b, 16, p.yiaddr);
	put_unaligned_be32(b, 20, p.siaddr);
	put_unaligned_be32(b, 24, p.giaddr);
	b.set(p.chaddr.subarray(0, 16), 28);
	b.set(ascii(p.sname.slice(0, 63)), 44);
	b.set(ascii(p.file.slice(0, 127)), 108);
	put_unaligned_be32(b, 236, COOKIE);
	b.set(options, 240);
	return b;
}

/** Reads a message. null where it is none of Ethernet with options. */
export function decode(b: Uint8Array): Packet | null {
	if (b.length < 240 || b[1] !== 1 || b[2] !== 6 || get_unaligned_be32(b, 236) >>> 0 !== COOKIE) return null;
	const p = packet(b[0], get_unaligned_be32(b, 4) >>> 0, b.slice(28, 34));
	p.secs = get_unaligned_be16(b, 8);
	p.flags = get_unaligned_be16(b, 10);
	p.ciaddr = get_unaligned_be32(b, 12) >>> 0;
	p.yiaddr = get_unaligned_be32(b, 16) >>> 0;
	p.siaddr = get_unaligned_be32(b, 20) >>> 0;
	p.giaddr = get_unaligned_be32(b, 24) >>> 0;
	p.sname = c_string(b.subarray(44, 108));
	p.file = c_string(b.subarray(108, 236));
	for (let i = 240; i < b.length && b[i] !== 255; ) {
		if (b[i] === 0) {
			i++;
			continue;
		}
		if (i + 1 >= b.length || i + 2 + b[i + 1] > b.length) return null;
		p.options.set(b[i], b.slice(i + 2, i + 2 + b[i + 1]));
		i += 2 + b[i + 1];
	}
	return p;
}

/** An option's value for people and scripts. */
export function option_text(kind: Kind, b: Uint8Array): string {
	const ip = (i: number): string => `${b[i]}.${b[i + 1]}.${b[i + 2]}.${b[i + 3]}`;
	switch (kind) {
		case 'ip':
			return b.length >= 4 ? ip(0) : '';
		case 'ips': {
			const out: string[] = [];
			for (let i = 0; i + 4 <= b.length; i += 4) out.push(ip(i));
			return out.join(' ');
		}
		case 'string':
			return c_string(b);
		case 'u8':
			return b.length === 1 ? String(b[0]) : '';
		case 'u16':
			return b.length === 2 ? String(get_unaligned_be16(b, 0)) : '';
		case 'u32':
			return b.length === 4 ? String(get_unaligned_be32(b, 0) >>> 0) : '';
		case 'hex':
			return [...b].map((x) => x.toString(16).padStart(2, '0')).join('');
	}
}

/** An option's value from words. null where they are none of that kind. */
export function option_bytes(kind: Kind, words: readonly string[]): Uint8Array | null {
	const number = (max: number): number => {
		const n = /^(0x[\da-f]+|\d+)$/i.test(words[0] ?? '') ? Number(words[0]) : -1;
		return n <= max ? n : -1;
	};
	switch (kind) {
		case 'ip':
		case 'ips': {
			const out: number[] = [];
			for (const w of words) {
				const parts = w.split('.').map(Number);
				if (!/^\d+(\.\d+){3}$/.test(w) || parts.some((n) => n > 255)) return null;
				out.push(...parts);
			}
			return out.length === 0 || (kind === 'ip' && out.length !== 4) || out.length > 252 ? null : Uint8Array.from(out);
		}
		case 'string':
			return words.length === 0 ? null : ascii(words.join(' ').replace(/^"(.*)"$/, '$1'));
		case 'u8': {
			const n = number(255);
			return n < 0 ? null : Uint8Array.of(n);
		}
		case 'u16': {
			const n = number(65535);
			return n < 0 ? null : Uint8Array.of(n >>> 8, n);
		}
		case 'u32': {
			const n = number(0xffffffff);
			return n < 0 ? null : be32(n);
		}
		case 'hex': {
			const hex = (words[0] ?? '').replaceAll(':', '');
			if (!/^([\da-f]{2}){1,255}$/i.test(hex)) return null;
			return Uint8Array.from(hex.match(/../g)!, (x) => parseInt(x, 16));
		}
	}
}

/** Code, kind and value of `NAME WORD…` or `0xCODE HEX`. null where that is no option. */
export function parse_option(words: readonly string[]): { code: number; data: Uint8Array } | null {
	const [name, ...rest] = words;
	const known = OPTIONS.find((o) => o.name === name);
	const code = known?.code ?? (/^(0x[\da-f]+|\d+)$/i.test(name ?? '') ? Number(name) : 0);
	if (code < 1 || code > 254) return null;
	const kind = known?.kind ?? OPTIONS.find((o) => o.code === code)?.kind ?? 'hex';
	const data = option_bytes(kind, rest) ?? (known === undefined ? option_bytes('hex', rest) : null);
	return data === null ? null : { code, data };
}

/** The Internet checksum of some bytes. */
function sum(parts: readonly Uint8Array[]): number {
	let s = 0;
	for (const b of parts) for (let i = 0; i < b.length; i += 2) s += (b[i] << 8) | (b[i + 1] ?? 0);
	while (s > 0xffff) s = (s & 0xffff) + Math.floor(s / 65536);
	return ~s & 0xffff;
}

/** A client's message from nowhere to everybody, with its UDP and IP headers. */
export function broadcast_frame(message: Uint8Array): Uint8Array {
	const len = 28 + message.length;
	const b = new Uint8Array(len);
	b[0] = 0x45;
	put_unaligned_be16(b, 2, len);
	b[8] = 64;
	b[9] = 17;
	b.fill(255, 16, 20);
	put_unaligned_be16(b, 10, sum([b.subarray(0, 20)]));
	put_unaligned_be16(b, 20, CLIENT_PORT);
	put_unaligned_be16(b, 22, SERVER_PORT);
	put_unaligned_be16(b, 24, len - 20);
	b.set(message, 28);
	const pseudo = new Uint8Array(12);
	pseudo.set(b.subarray(12, 20));
	pseudo[9] = 17;
	put_unaligned_be16(pseudo, 10, len - 20);
	put_unaligned_be16(b, 26, sum([pseudo, b.subarray(20)]) || 0xffff);
	return b;
}

/** The message in an IP packet to the client's port; null where there is none, or it is damaged. */
export function unwrap(b: Uint8Array): Uint8Array | null {
	if (b.length < 28 || b[0] !== 0x45 || b[9] !== 17) return null;
	const total = get_unaligned_be16(b, 2);
	if (total > b.length || total < 28 || get_unaligned_be16(b, 22) !== CLIENT_PORT) return null;
	const len = get_unaligned_be16(b, 24);
	if (len < 8 || len > total - 20 || (get_unaligned_be16(b, 6) & 0x3fff) !== 0) return null;
	if (sum([b.subarray(0, 20)]) !== 0) return null;
	if (get_unaligned_be16(b, 26) !== 0) {
		const pseudo = new Uint8Array(12);
		pseudo.set(b.subarray(12, 20));
		pseudo[9] = 17;
		put_unaligned_be16(pseudo, 10, len);
		if (sum([pseudo, b.subarray(20, 20 + len)]) !== 0) return null;
	}
	return b.subarray(28, 20 + len);
}
