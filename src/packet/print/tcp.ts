/*
 * packet/print/tcp.ts: TCP as tcpdump prints it: flags, sequence numbers relative to the first that were seen, options.
 * Walk: tcp -> its options -> what it carries, as far as tcpdump tells (HTTP, FTP, SMTP, DNS).
 */

import { inetChecksum, pseudoSum } from '../bytes.ts';
import { bits, type Context, hex, type IpInfo } from './context.ts';
import { dns } from './dns.ts';
import { textProtocol } from './text.ts';

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
const URG = 32;
const FLAGS = [
	[1, 'F'],
	[2, 'S'],
	[4, 'R'],
	[8, 'P'],
	[16, '.'],
	[32, 'U'],
	[64, 'E'],
	[128, 'W'],
] as const;

/** "a.1 > b.2: ", or only the ports when another header stands between. */
export function ends(c: Context, info: IpInfo, sport: string, dport: string): undefined {
	if (info.direct) c.print(`${info.src}.${sport} > ${info.dst}.${dport}: `);
	else c.print(`${sport} > ${dport}: `);
}

export function tcp(c: Context, o: number, length: number, info: IpInfo): undefined {
	c.protocol = 'tcp';
	if (!c.has(o, 4)) {
		c.print(`${info.src} > ${info.dst}: `);
		return c.print('[|tcp]');
	}
	const sport = c.u16(o);
	const dport = c.u16(o + 2);
	ends(c, info, c.port(sport, false), c.port(dport, false));
	if (!c.has(o, 20)) return c.truncated();
	const hlen = (c.u8(o + 12) >> 4) * 4;
	if (hlen < 20) return c.print(` tcp ${length - hlen} [bad hdr length ${hlen} - too short, < 20]`);
	let seq = c.u32(o + 4);
	let ack = c.u32(o + 8);
	const win = c.u16(o + 14);
	const flags = c.u8(o + 13) | ((c.u8(o + 12) & 1) << 8);
	if (c.options.q) {
		c.print(`tcp ${(length - hlen) >>> 0}`);
		if (hlen > length) c.print(` [bad hdr length ${hlen} - too long, > ${length}]`);
		return;
	}
	c.print(`Flags [${bits(flags, FLAGS, '', 'none')}]`);
	// What selective acknowledgements are relative to: the peer's first sequence number.
	let base = 0;
	if (!c.options.S && (flags & ACK) !== 0) {
		const rev = sport !== dport ? sport > dport : compare(c, info) > 0;
		const a = `${info.src}.${sport}`;
		const b = `${info.dst}.${dport}`;
		const key = rev ? `${b}>${a}` : `${a}>${b}`;
		const known = c.memory.conversations.get(key);
		if (known === undefined || (flags & SYN) !== 0) {
			const first = (ack - 1) >>> 0;
			c.memory.conversations.set(key, rev ? { seq: first, ack: seq } : { seq, ack: first });
		} else {
			seq = (seq - (rev ? known.ack : known.seq)) >>> 0;
			base = rev ? known.seq : known.ack;
			ack = (ack - base) >>> 0;
		}
	}
	if (hlen > length) return c.print(` [bad hdr length ${hlen} - too long, > ${length}]`);
	if (c.v > 0 && !info.fragment && c.has(o, length)) {
		const sum = c.u16(o + 16);
		const good = checksum(c, o, length, 6, info);
		c.print(
			good === null
				? `, cksum 0x${hex(sum, 4)} (correct)`
				: `, cksum 0x${hex(sum, 4)} (incorrect -> 0x${hex(good, 4)})`,
		);
	}
	const data = length - hlen;
	if (c.v > 1 || data > 0 || (flags & (SYN | FIN | RST)) !== 0) {
		c.print(`, seq ${seq}`);
		if (data > 0) c.print(`:${(seq + data) >>> 0}`);
	}
	if (flags & ACK) c.print(`, ack ${ack}`);
	c.print(`, win ${win}`);
	if (flags & URG) c.print(`, urg ${c.u16(o + 18)}`);
	if (hlen > 20) {
		c.print(', options [');
		if (!options(c, o + 20, hlen - 20, base)) return c.print('[bad opt]]');
		c.print(']');
	}
	c.print(`, length ${data}`);
	if (data <= 0) return;
	if (flags & RST && c.v > 0) {
		c.print(' [RST');
		c.print(` ${c.safe(o + hlen, Math.min(data, c.end - o - hlen, 35))}]`);
		return;
	}
	const is = (...ports: number[]) => ports.includes(sport) || ports.includes(dport);
	const at = o + hlen;
	if (is(21)) {
		c.print(': FTP');
		textProtocol(c, at, data, 'ftp');
	} else if (is(25, 587)) {
		c.print(': SMTP');
		textProtocol(c, at, data, 'smtp');
	} else if (is(80, 8080, 3128)) {
		c.print(': HTTP');
		textProtocol(c, at, data, 'http');
	} else if (is(53)) dns(c, at, data, { tcp: true, mdns: false });
}

function compare(c: Context, info: IpInfo): number {
	const n = info.version === 4 ? 4 : 16;
	for (let i = 0; i < n; i++) {
		const d = c.b[info.srcAt + i] - c.b[info.dstAt + i];
		if (d !== 0) return d;
	}
	return 0;
}

/** Checks a transport checksum. Return: null when it is right, else what it should be. */
export function checksum(c: Context, o: number, length: number, proto: number, info: IpInfo): number | null {
	const n = info.version === 4 ? 4 : 16;
	const src = c.b.subarray(info.srcAt, info.srcAt + n);
	const dst = c.b.subarray(info.dstAt, info.dstAt + n);
	const seed = pseudoSum(src, dst, proto, length);
	if (inetChecksum(c.b, o, o + length, seed) === 0) return null;
	const field = proto === 6 ? 16 : proto === 17 ? 6 : 2;
	const copy = c.b.slice(o, o + length);
	copy[field] = 0;
	copy[field + 1] = 0;
	return inetChecksum(copy, 0, copy.length, seed);
}

const OPTION_NAMES: { readonly [n: number]: string } = {
	0: 'eol',
	1: 'nop',
	2: 'mss',
	3: 'wscale',
	4: 'sackOK',
	5: 'sack',
	6: 'echo',
	7: 'echoreply',
	8: 'TS',
	11: 'cc',
	12: 'ccnew',
	13: 'ccecho',
	19: 'md5',
	20: 'scps',
	28: 'uto',
	29: 'tcp-ao',
	30: 'mptcp',
	34: 'tfo',
	254: 'exp',
};

/** Prints options. Return: false when one cannot be, and nothing after it is known. */
function options(c: Context, o: number, length: number, base: number): boolean {
	let separator = '';
	const end = o + length;
	while (o < end) {
		c.print(separator);
		separator = ',';
		const type = c.u8(o);
		const n = type < 2 ? 1 : o + 1 < end ? c.u8(o + 1) : 0;
		if (type > 1 && (n < 2 || o + n > end)) return false;
		c.print(OPTION_NAMES[type] ?? `unknown-${type}`);
		if (type === 0) return true;
		if (type === 1) {
			o++;
			continue;
		}
		const data = optionValue(c, o, type, n, end, base);
		if (data < 0) return false;
		if (data !== n - 2) c.print(`[len ${n}]`);
		o += 2 + data;
	}
	return true;
}

/** Prints an option's value. Return: how many bytes such a value has, whatever its length says; -1 when they are not there. */
function optionValue(c: Context, o: number, type: number, n: number, end: number, base: number): number {
	const room = (data: number) => o + 2 + data <= end;
	switch (type) {
		case 2:
			if (!room(2)) return -1;
			c.print(` ${c.u16(o + 2)}`);
			return 2;
		case 3:
			if (!room(1)) return -1;
			c.print(` ${c.u8(o + 2)}`);
			return 1;
		case 4:
			return 0;
		case 5:
			if ((n - 2) % 8 !== 0) {
				c.print(' malformed sack ');
				return n - 2;
			}
			c.print(` ${(n - 2) / 8} `);
			for (let i = 2; i < n; i += 8) c.print(`{${(c.u32(o + i) - base) >>> 0}:${(c.u32(o + i + 4) - base) >>> 0}}`);
			return n - 2;
		case 8:
			if (!room(8)) return -1;
			c.print(` val ${c.u32(o + 2)} ecr ${c.u32(o + 6)}`);
			return 8;
		case 19:
			if (!room(16)) return -1;
			c.print(` shared secret not supplied with -M, can't check - ${c.hex(o + 2, 16)}`);
			return 16;
		case 28: {
			if (!room(2)) return -1;
			const v = c.u16(o + 2);
			c.print(` 0x${hex(v)} ${(v >> 1) * (v & 1 ? 60 : 1)}`);
			return 2;
		}
		case 29:
			if (n < 4) return n - 2;
			c.print(` keyid ${c.u8(o + 2)} rnextkeyid ${c.u8(o + 3)}`);
			if (n > 4) c.print(` mac 0x${c.hex(o + 4, n - 4)}`);
			return n - 2;
		case 34:
			c.print(n === 2 ? '  cookiereq' : `  cookie ${c.hex(o + 2, n - 2)}`);
			return n - 2;
		case 254:
			if (n < 4) return n - 2;
			if (c.u16(o + 2) !== 0xf989) c.print(`-${hex(c.u16(o + 2), 4)}`);
			else c.print(n === 4 ? '-tfo cookiereq' : `-tfo cookie ${c.hex(o + 4, n - 4)}`);
			return n - 2;
		default:
			if (n > 2) c.print(` 0x${c.hex(o + 2, n - 2)}`);
			return n - 2;
	}
}
