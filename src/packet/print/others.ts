/*
 * packet/print/others.ts: IGMP, GRE, ESP, AH, SCTP, PIM, VXLAN, UDP-encapsulated ESP and NTP as tcpdump prints them.
 */

import { inetChecksum } from '../bytes.ts';
import { bits, type Context, hex, type IpInfo } from './context.ts';
import { ends } from './tcp.ts';

export function igmp(c: Context, o: number, length: number): undefined {
	c.protocol = 'igmp';
	if (c.options.q) return c.print('igmp');
	const type = c.u8(o);
	switch (type) {
		case 0x11:
			c.print('igmp query');
			if (length >= 12) query3(c, o, length);
			else {
				const code = c.u8(o + 1);
				if (code === 0) c.print(' v1');
				else {
					c.print(' v2');
					if (code !== 100) {
						c.print(` [max resp time ${code}]`);
					}
				}
				if (c.u32(o + 4) !== 0) c.print(` [gaddr ${c.ip4(o + 4)}]`);
				if (length !== 8) c.print(` [len ${length}]`);
			}
			break;
		case 0x12:
			c.print(`igmp v1 report ${c.ip4(o + 4)}`);
			if (length !== 8) c.print(` [len ${length}]`);
			break;
		case 0x16:
			c.print(`igmp v2 report ${c.ip4(o + 4)}`);
			break;
		case 0x22:
			c.print('igmp v3 report');
			report3(c, o, length);
			break;
		case 0x17:
			c.print(`igmp leave ${c.ip4(o + 4)}`);
			break;
		default:
			c.print(`igmp-${type}`);
	}
	if (c.v > 0 && c.has(o, length) && inetChecksum(c.b, o, o + length) !== 0)
		c.print(` bad igmp cksum ${hex(c.u16(o + 2))}!`);
}

function query3(c: Context, o: number, length: number): undefined {
	if (c.v > 0) c.print(' v3');
	else c.print(' v3');
	const code = c.u8(o + 1);
	const mrt = code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3);
	if (mrt !== 100) {
		c.print(' [max resp time ');
		c.print(mrt < 600 ? `${(mrt / 10).toFixed(1)}s` : `${Math.floor(mrt / 10)}s`);
		c.print(']');
	}
	const flags = c.u8(o + 8);
	if (flags & 8) c.print(' [router suppress]');
	if (c.u32(o + 4) === 0) return;
	c.print(` [gaddr ${c.ip4(o + 4)}`);
	const n = c.u16(o + 10);
	if (n > 0) {
		if (12 + 4 * n > length) return c.print(` [invalid number of sources ${n}]`);
		if (c.v > 1) {
			c.print(' {');
			for (let i = 0; i < n; i++) c.print(` ${c.ip4(o + 12 + 4 * i)}`);
			c.print(' }');
		} else c.print(`, ${n} source(s)`);
	}
	c.print(']');
}

function report3(c: Context, o: number, length: number): undefined {
	if (length < 16) return c.print(` [invalid len ${length}]`);
	const n = c.u16(o + 6);
	c.print(`, ${n} group record(s)`);
	if (c.v === 0) return;
	const names = ['', 'is_in', 'is_ex', 'to_in', 'to_ex', 'allow', 'block'];
	let p = o + 8;
	for (let i = 0; i < n; i++) {
		if (p + 8 > o + length) return c.print(' [invalid number of groups]');
		const type = c.u8(p);
		c.print(` [gaddr ${c.ip4(p + 4)} ${names[type] ?? `[v3-report-#${type}]`}`);
		const sources = c.u16(p + 2);
		if (p + 8 + 4 * sources > o + length) return c.print(` [invalid number of sources ${sources}]`);
		if (c.v > 1) {
			c.print(' {');
			for (let k = 0; k < sources; k++) c.print(` ${c.ip4(p + 8 + 4 * k)}`);
			c.print(' }');
		} else c.print(`, ${sources} source(s)`);
		p += 8 + 4 * sources;
		c.print(']');
	}
}

export function gre(c: Context, o: number, length: number): undefined {
	c.protocol = 'gre';
	const flags = c.u16(o);
	const version = flags & 7;
	c.print(`GREv${version}`);
	if (version === 0) gre0(c, o, length, flags);
	else if (version === 1) gre1(c, o, length, flags);
	else c.print(' unknown-version');
}

const GRE_FLAGS = [
	[0x8000, 'checksum present'],
	[0x4000, 'routing present'],
	[0x2000, 'key present'],
	[0x1000, 'sequence# present'],
	[0x0800, 'source routing present'],
	[0x0080, 'ack present'],
] as const;

function payload(c: Context, o: number, length: number, type: number, total: number): undefined {
	c.print(`, length ${total}`);
	if (c.v < 1) c.print(': ');
	else c.print('\n\t');
	c.depth += 2;
	if (c.depth > 20) return;
	if (type === 0x0800) c.inner.ip(c, o, length);
	else if (type === 0x86dd) c.inner.ip6(c, o, length);
	else if (type === 0x6558) c.inner.ether(c, o, length);
	else if (!c.inner.ethertype(c, type, o, length)) c.print(`gre-proto-0x${hex(type)}`);
}

function gre0(c: Context, o: number, length: number, flags: number): undefined {
	const total = length;
	if (c.v > 0) c.print(`, Flags [${bits(flags, GRE_FLAGS, ', ', 'none')}]`);
	let p = o + 4;
	const type = c.u16(o + 2);
	if (flags & 0xc000) {
		if (c.v > 0) c.print(`, sum 0x${hex(c.u16(p))}`);
		c.print(`, off 0x${hex(c.u16(p + 2))}`);
		p += 4;
	}
	if (flags & 0x2000) {
		c.print(`, key=0x${hex(c.u32(p))}`);
		p += 4;
	}
	if (flags & 0x1000) {
		c.print(`, seq ${c.u32(p)}`);
		p += 4;
	}
	if (c.options.e) c.print(`, proto ${ETHERTYPES[type] ?? 'unknown'} (0x${hex(type, 4)})`);
	payload(c, p, length - (p - o), type, total);
}

export const ETHERTYPES: { readonly [n: number]: string } = {
	2048: 'IPv4',
	2054: 'ARP',
	32821: 'Reverse ARP',
	34525: 'IPv6',
	33024: '802.1Q',
	34984: '802.1Q-QinQ',
	37120: '802.1Q-9100',
	34827: 'PPP',
	25944: 'TEB',
	34887: 'MPLS unicast',
	34888: 'MPLS multicast',
	34915: 'PPPoE D',
	34916: 'PPPoE S',
	34958: 'EAPOL',
	35020: 'LLDP',
	35045: 'MACsec',
	34824: 'Flow Control',
	34825: 'Slow Protocols',
	36864: 'Loopback',
	33079: 'IPX',
	32923: 'Appletalk',
	33011: 'AARP',
	35063: 'PTP',
};

function gre1(c: Context, o: number, length: number, flags: number): undefined {
	const total = length;
	if (c.v > 0) c.print(`, Flags [${bits(flags, GRE_FLAGS, ', ', 'none')}]`);
	let p = o + 4;
	const type = c.u16(o + 2);
	if (flags & 0x2000) {
		c.print(`, call ${c.u32(p) & 0xffff}`);
		p += 4;
	}
	if (flags & 0x1000) {
		c.print(`, seq ${c.u32(p)}`);
		p += 4;
	}
	if (flags & 0x0080) {
		c.print(`, ack ${c.u32(p)}`);
		p += 4;
	}
	const empty = (flags & 0x1000) === 0;
	if (empty) c.print(', no-payload');
	if (c.options.e) c.print(`, proto ${ETHERTYPES[type] ?? 'unknown'} (0x${hex(type, 4)})`);
	c.print(`, length ${total}`);
	if (empty) return;
	if (c.v < 1) c.print(': ');
	else c.print('\n\t');
	if (type === 0x880b) c.print('PPP');
	else c.print(`gre-proto-0x${hex(type)}`);
}

export function esp(c: Context, o: number, length: number): undefined {
	c.protocol = 'esp';
	c.need(o, 8);
	// tcpdump wants a byte beyond the header before it prints it.
	if (!c.has(o, 9)) return c.truncated();
	c.print(`ESP(spi=0x${hex(c.u32(o), 8)},seq=0x${hex(c.u32(o + 4))}), length ${length}`);
}

export function ah(c: Context, o: number, length: number, info: IpInfo): undefined {
	c.protocol = 'ah';
	c.need(o, 12);
	const n = (c.u8(o + 1) + 2) * 4;
	c.print('AH(');
	if (c.v > 0) c.print(`length=${c.u8(o + 1)}(${n}-bytes),`);
	if (c.u16(o + 2) !== 0) c.print(`reserved[not MBZ],`);
	c.print(`spi=0x${hex(c.u32(o + 4), 8)},`);
	if (c.v > 0 && c.u16(o + 2) !== 0) c.print('');
	c.print(`seq=0x${hex(c.u32(o + 8))},icv=0x`);
	if (n > 12) c.print(c.hex(o + 12, n - 12));
	c.print('): ');
	const next = c.u8(o);
	const skip = Math.max(8, n);
	c.inner.ipProto(c, next, o + skip, length - skip, { ...info, direct: info.direct });
}

const CHUNKS = [
	'DATA',
	'INIT',
	'INIT ACK',
	'SACK',
	'HB REQ',
	'HB ACK',
	'ABORT',
	'SHUTDOWN',
	'SHUTDOWN ACK',
	'OP ERR',
	'COOKIE ECHO',
	'COOKIE ACK',
	'ECN ECHO',
	'CWR',
	'SHUTDOWN COMPLETE',
	'AUTH',
];
const PPIDS: { readonly [n: number]: string } = {
	1: 'IUA',
	2: 'M2UA',
	3: 'M3UA',
	4: 'SUA',
	5: 'M2PA',
	6: 'V5UA',
	7: 'H.248',
	10: 'DUA',
	11: 'ASAP',
	12: 'ENRP',
};

export function sctp(c: Context, o: number, length: number, info: IpInfo): undefined {
	c.protocol = 'sctp';
	if (length < 12) return c.print(`[length ${length} < 12]`);
	if (!c.has(o, 12)) {
		if (c.has(o, 4)) {
			ends(c, info, String(c.u16(o)), String(c.u16(o + 2)));
			c.print('sctp');
		}
		return c.truncated();
	}
	ends(c, info, c.port(c.u16(o), false), c.port(c.u16(o + 2), false));
	c.print('sctp');
	let p = o + 12;
	const end = o + length;
	for (let n = 1; p < end; n++) {
		c.need(p, 4);
		const type = c.u8(p);
		const size = c.u16(p + 2);
		const flags = c.u8(p + 1);
		if (size >= 4 && !c.has(p, size)) return c.truncated();
		c.print(
			`${c.v > 1 ? '\n\t' : n > 1 ? ', (' : ' ('}${n}) [${CHUNKS[type] ?? `Unknown chunk type: 0x${hex(type, 2)}`}] `,
		);
		if (size < 4) {
			c.print(`[chunk length ${size} < 4]`);
			return;
		}
		chunk(c, type, flags, p, size);
		p += (size + 3) & ~3;
	}
}

function chunk(c: Context, type: number, flags: number, p: number, size: number): undefined {
	if (type === 0) {
		if ((flags & 3) === 3) c.print('(B)(E) ');
		else if ((flags & 3) === 2) c.print('(B) ');
		else if ((flags & 3) === 1) c.print('(E) ');
		if (flags & 4) c.print('(U) ');
		c.print(`[TSN: ${c.u32(p + 4)}] [SID: ${c.u16(p + 8)}] [SSEQ ${c.u16(p + 10)}] `);
		const ppid = c.u32(p + 12);
		c.print(`[PPID ${PPIDS[ppid] ?? `0x${hex(ppid)}`}] `);
		if (c.v > 1 && size > 16) {
			c.print('[Payload');
			const { x = 0, X = 0, q = false } = c.options;
			if (x + X === 0 && !q) {
				c.print(':');
				c.dump('\n\t', p + 16, size - 16, true);
			}
			c.print(']');
		}
	} else if (type === 1 || type === 2) {
		c.print(
			`[init tag: ${c.u32(p + 4)}] [rwnd: ${c.u32(p + 8)}] [OS: ${c.u16(p + 12)}] [MIS: ${c.u16(p + 14)}] [init TSN: ${c.u32(p + 16)}] `,
		);
	} else if (type === 3) {
		c.print(
			`[cum ack ${c.u32(p + 4)}] [a_rwnd ${c.u32(p + 8)}] [#gap acks ${c.u16(p + 12)}] [#dup tsns ${c.u16(p + 14)}] `,
		);
	} else if (type === 14 && c.v > 0) c.print('');
}

export function pim(c: Context, o: number, length: number): undefined {
	c.protocol = 'pim';
	const version = c.u8(o) >> 4;
	c.print(`PIMv${version}, `);
	if (version !== 2) return c.print(`length ${length}`);
	const names = [
		'Hello',
		'Register',
		'Register-Stop',
		'Join / Prune',
		'Bootstrap',
		'Assert',
		'Graft',
		'Graft-ACK',
		'Candidate RP Advertisement',
		'Prune-Refresh',
		'DF Election',
		'ECMP Redirect',
	];
	c.print(`${names[c.u8(o) & 15] ?? 'Unknown'}, length ${length}`);
}

export function vxlan(c: Context, o: number, length: number): undefined {
	c.protocol = 'vxlan';
	if (length < 8) return c.truncated();
	const flags = c.u8(o);
	c.need(o, 8);
	c.print(`VXLAN, flags [${flags & 8 ? 'I' : '.'}] (0x${hex(flags, 2)}), vni ${c.u24(o + 4)}\n`);
	c.depth += 2;
	if (c.depth < 20) c.inner.ether(c, o + 8, length - 8);
}

/** ESP in UDP: RFC 3948. */
export function natt(c: Context, o: number, length: number): undefined {
	c.protocol = 'isakmp';
	const first = c.u8(o);
	if (length === 1 && first === 0xff) return c.print('isakmp-nat-keep-alive');
	if (length < 9) {
		c.protocol = 'isakmp';
		return c.truncated();
	}
	if (c.u32(o) === 0) return c.print('NONESP-encap: isakmp');
	c.print('UDP-encap: ');
	esp(c, o, length);
}

export function ntp(c: Context, o: number, length: number): undefined {
	c.protocol = 'ntp';
	if (length < 4) return c.print(` [|ntp]`);
	const first = c.u8(o);
	const version = (first >> 3) & 7;
	const mode = [
		'Reserved',
		'symmetric active',
		'symmetric passive',
		'Client',
		'Server',
		'Broadcast',
		'Control Message',
		'Private',
	][first & 7];
	c.print(`NTPv${version}, ${mode === 'symmetric active' ? 'symmetric active' : mode}, length ${length}`);
}
