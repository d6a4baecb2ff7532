/*
 * packet/print/dns.ts: DNS as tcpdump prints it.
 * Walk: dns -> questions, records -> record data. RFC 1035, 3596, 2782, 6891, 7873.
 */

import { type Context, hex, Truncated } from './context.ts';

export interface DnsForm {
	readonly tcp: boolean;
	readonly mdns: boolean;
}

const TYPES: { readonly [n: number]: string } = {
	1: 'A',
	2: 'NS',
	3: 'MD',
	4: 'MF',
	5: 'CNAME',
	6: 'SOA',
	7: 'MB',
	8: 'MG',
	9: 'MR',
	10: 'NULL',
	11: 'WKS',
	12: 'PTR',
	13: 'HINFO',
	14: 'MINFO',
	15: 'MX',
	16: 'TXT',
	17: 'RP',
	18: 'AFSDB',
	19: 'X25',
	20: 'ISDN',
	21: 'RT',
	22: 'NSAP',
	23: 'NSAP_PTR',
	24: 'SIG',
	25: 'KEY',
	26: 'PX',
	27: 'GPOS',
	28: 'AAAA',
	29: 'LOC',
	30: 'NXT',
	31: 'EID',
	32: 'NIMLOC',
	33: 'SRV',
	34: 'ATMA',
	35: 'NAPTR',
	36: 'KX',
	37: 'CERT',
	38: 'A6',
	39: 'DNAME',
	40: 'SINK',
	41: 'OPT',
	42: 'APL',
	43: 'DS',
	44: 'SSHFP',
	45: 'IPSECKEY',
	46: 'RRSIG',
	47: 'NSEC',
	48: 'DNSKEY',
	49: 'DHCID',
	50: 'NSEC3',
	51: 'NSEC3PARAM',
	52: 'TLSA',
	53: 'SMIMEA',
	55: 'HIP',
	59: 'CDS',
	60: 'CDNSKEY',
	61: 'OPENPGPKEY',
	62: 'CSYNC',
	63: 'ZONEMD',
	64: 'SVCB',
	65: 'HTTPS',
	99: 'SPF',
	100: 'UINFO',
	101: 'UID',
	102: 'GID',
	103: 'UNSPEC',
	108: 'EUI48',
	109: 'EUI64',
	249: 'TKEY',
	250: 'TSIG',
	251: 'IXFR',
	252: 'AXFR',
	253: 'MAILB',
	254: 'MAILA',
	255: 'ANY',
	256: 'URI',
	257: 'CAA',
};
const CLASSES: { readonly [n: number]: string } = { 1: 'IN', 3: 'CHAOS', 4: 'HS', 255: 'ANY' };
const OPCODES = [
	'',
	' inv_q',
	' stat',
	' op3',
	' notify',
	' update',
	' op6',
	' op7',
	' op8',
	' updateA',
	' updateD',
	' updateDA',
	' updateM',
	' updateMA',
	' zoneInit',
	' zoneRef',
];
const RCODES = [
	'',
	' FormErr',
	' ServFail',
	' NXDomain',
	' NotImp',
	' Refused',
	' YXDomain',
	' YXRRSet',
	' NXRRSet',
	' NotAuth',
	' NotZone',
	' Resp11',
	' Resp12',
	' Resp13',
	' Resp14',
	' Resp15',
];

export function dns(c: Context, o: number, length: number, form: DnsForm): undefined {
	c.protocol = 'domain';
	try {
		message(c, o, length, form);
	} catch (e) {
		if (e instanceof Truncated) c.truncated();
		else if (!(e instanceof Done)) throw e;
	}
}

function message(c: Context, o: number, length: number, form: DnsForm): undefined {
	if (form.tcp) {
		if (length < 2) return c.truncated();
		const n = c.u16(o);
		o += 2;
		length -= 2;
		if (length < 12) {
			c.print(' domain');
			c.print(` [length ${length} < 12] (invalid)`);
			return;
		}
		if (n < length) length = n;
		c.print(' ');
	}
	if (length < 12) return c.print(`domain [length ${length} < 12] (invalid)`);
	c.need(o, 12);
	const b = new Message(c, o, o + length);
	const flags = c.u16(o + 2);
	const counts = [c.u16(o + 4), c.u16(o + 6), c.u16(o + 8), c.u16(o + 10)];
	const opcode = (flags >> 11) & 15;
	const rcode = flags & 15;
	const response = (flags & 0x8000) !== 0;
	c.print(`${c.u16(o)}`);
	if (response) {
		c.print(`${OPCODES[opcode]}${RCODES[rcode]}${flags & 0x0400 ? '*' : ''}${flags & 0x0080 ? '' : '-'}`);
		c.print(`${flags & 0x0200 ? '|' : ''}${flags & 0x0020 ? '$' : ''}`);
		if (counts[0] !== 1) c.print(` [${counts[0]}q]`);
	} else {
		c.print(`${OPCODES[opcode]}${flags & 0x0100 ? '+' : ''}${flags & 0x0010 ? '%' : ''}`);
		// What a query should not have set.
		if ((flags & 0x0680) !== 0 || rcode !== 0) c.print(` [b2&3=0x${hex(flags)}]`);
		if (opcode === 1) {
			if (counts[0] !== 0) c.print(` [${counts[0]}q]`);
			if (counts[1] !== 1) c.print(` [${counts[1]}a]`);
		} else {
			if (counts[1] !== 0) c.print(` [${counts[1]}a]`);
			if (counts[0] !== 1) c.print(` [${counts[0]}q]`);
		}
		if (counts[2] !== 0) c.print(` [${counts[2]}n]`);
		if (counts[3] !== 0) c.print(` [${counts[3]}au]`);
	}
	let p = o + 12;
	if (response) {
		if (c.v > 1) {
			if (counts[0] > 0) c.print(' q:');
			for (let i = 0; i < counts[0]; i++) {
				if (i > 0) c.print(',');
				p = b.question(p, form.mdns);
			}
		} else for (let i = 0; i < counts[0] && p < b.end; i++) p = b.skip(p) + 4;
		c.print(` ${counts[1]}/${counts[2]}/${counts[3]}`);
		p = section(c, b, p, counts[1], '', form);
		if (c.v > 1) {
			p = section(c, b, p, counts[2], ' ns:', form);
			p = section(c, b, p, counts[3], ' ar:', form);
		}
	} else {
		for (let i = 0; i < counts[0]; i++) {
			p = b.question(p, form.mdns);
			if (p > b.end) return;
		}
		if (c.v > 1) {
			p = section(c, b, p, counts[1], ' ans:', form, ' [', ']');
			p = section(c, b, p, counts[2], ' ns:', form);
			p = section(c, b, p, counts[3], ' ar:', form);
		}
	}
	c.print(` (${length})`);
}

function section(
	c: Context,
	b: Message,
	p: number,
	count: number,
	name: string,
	form: DnsForm,
	_open = '',
	_close = '',
): number {
	if (count === 0) return p;
	c.print(name);
	for (let i = 0; i < count; i++) {
		if (i > 0) c.print(',');
		if (p >= b.end) {
			c.truncated();
			throw new Done();
		}
		p = b.record(p, form.mdns);
	}
	return p;
}

/** Printing stopped, and what had to be said was said. */
class Done extends Error {}

class Message {
	private readonly c: Context;
	private readonly start: number;
	readonly end: number;

	constructor(c: Context, start: number, end: number) {
		this.c = c;
		this.start = start;
		this.end = Math.min(end, c.end);
	}

	/** Where what follows a name begins. */
	skip(p: number): number {
		for (;;) {
			const n = this.c.u8(p);
			if (n === 0) return p + 1;
			if (n >= 0xc0) return p + 2;
			p += 1 + n;
		}
	}

	/** Prints a name. Return: where what follows begins. */
	name(p: number): number {
		const c = this.c;
		let next = -1;
		let jumps = 0;
		if (c.u8(p) === 0) {
			c.print('.');
			return p + 1;
		}
		for (;;) {
			const n = c.u8(p);
			if (n === 0) return next < 0 ? p + 1 : next;
			if (n >= 0xc0) {
				const to = this.start + (c.u16(p) & 0x3fff);
				if (next < 0) next = p + 2;
				// RFC 1035 4.1.4: a pointer leads to a prior place.
				if (to >= p || ++jumps > 60) {
					c.print('<BAD PTR>');
					c.truncated();
					throw new Done();
				}
				p = to;
				if (c.u8(p) === 0) {
					c.print('.');
					return next;
				}
				continue;
			}
			if (n >= 0x40) {
				c.print('<BAD>');
				return next < 0 ? p + 1 : next;
			}
			c.print(c.safe(p + 1, n));
			c.print('.');
			p += 1 + n;
		}
	}

	question(p: number, mdns: boolean): number {
		const c = this.c;
		const at = this.skip(p);
		const type = c.u16(at);
		let cls = c.u16(at + 2);
		c.print(` ${TYPES[type] ?? `Type${type}`}`);
		const unicast = mdns && (cls & 0x8000) !== 0;
		if (mdns) cls &= 0x7fff;
		if (cls !== 1) c.print(` ${CLASSES[cls] ?? `(Class ${cls})`}`);
		c.print(unicast ? ' (QU)? ' : mdns ? ' (QM)? ' : '? ');
		this.name(p);
		return at + 4;
	}

	record(p: number, mdns: boolean): number {
		const c = this.c;
		if (c.v > 0) {
			c.print(' ');
			p = this.name(p);
		} else p = this.skip(p);
		c.need(p, 10);
		const type = c.u16(p);
		let cls = c.u16(p + 2);
		const flush = mdns && (cls & 0x8000) !== 0;
		if (mdns) cls &= 0x7fff;
		if (cls !== 1 && type !== 41) c.print(` ${CLASSES[cls] ?? `(Class ${cls})`}`);
		if (flush) c.print(' (Cache flush)');
		if (type === 41) {
			this.opt(p, cls);
			return p + 10 + c.u16(p + 8);
		}
		if (c.v > 2) c.print(` [${ttl(c.u32(p + 4))}]`);
		const n = c.u16(p + 8);
		const at = p + 10;
		c.print(` ${TYPES[type] ?? `Type${type}`}`);
		this.data(type, at, n);
		return at + n;
	}

	private opt(p: number, size: number): undefined {
		const c = this.c;
		c.print(` OPT UDPsize=${size}`);
		if (c.u32(p + 4) & 0x8000) c.print(' DO');
		const length = c.u16(p + 8);
		const end = p + 10 + length;
		if (length === 0) return;
		const names: { readonly [n: number]: string } = {
			1: 'LLQ',
			2: 'UL',
			3: 'NSID',
			5: 'DAU',
			6: 'DHU',
			7: 'N3U',
			8: 'ECS',
			9: 'EXPIRE',
			10: 'COOKIE',
			11: 'KEEPALIVE',
			12: 'PADDING',
			13: 'CHAIN',
			14: 'KEY-TAG',
			16: 'CLIENT-TAG',
			17: 'SERVER-TAG',
		};
		c.print(' [');
		for (let q = p + 10; q + 4 <= end; ) {
			const code = c.u16(q);
			const n = c.u16(q + 2);
			c.print(names[code] ?? `Opt${code}`);
			if (n > 0) c.print(` ${code === 11 ? `${c.u16(q + 4) / 10} sec` : c.hex(q + 4, n)}`);
			q += 4 + n;
			if (q < end) c.print(',');
		}
		c.print(']');
	}

	private data(type: number, o: number, n: number): undefined {
		const c = this.c;
		c.need(o, n);
		switch (type) {
			case 1:
				if (n >= 4) c.print(` ${c.ip4(o)}`);
				break;
			case 28:
				if (n >= 16) c.print(` ${c.ip6(o)}`);
				break;
			case 2:
			case 5:
			case 12:
			case 39:
				c.print(' ');
				this.name(o);
				break;
			case 6: {
				if (c.v === 0) break;
				c.print(' ');
				let p = this.name(o);
				c.print(' ');
				p = this.name(p);
				for (let i = 0; i < 5; i++) c.print(` ${c.u32(p + 4 * i)}`);
				break;
			}
			case 15:
				c.print(' ');
				this.name(o + 2);
				c.print(` ${c.u16(o)}`);
				break;
			case 16:
				for (let p = o; p < o + n; p += 1 + c.u8(p)) c.print(` "${c.safe(p + 1, c.u8(p))}"`);
				break;
			case 33:
				c.print(' ');
				this.name(o + 6);
				c.print(`:${c.u16(o + 4)} ${c.u16(o)} ${c.u16(o + 2)}`);
				break;
		}
	}
}

function ttl(v: number): string {
	let s = '';
	const units: [number, string][] = [
		[604800, 'w'],
		[86400, 'd'],
		[3600, 'h'],
		[60, 'm'],
	];
	for (const [n, u] of units) {
		if (v < n) continue;
		s += `${Math.floor(v / n)}${u}`;
		v %= n;
	}
	return v > 0 || s === '' ? `${s}${v}s` : s;
}
