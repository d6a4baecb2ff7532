/*
 * packet/print/ip.ts: IPv4 as tcpdump prints it.
 * Walk: ip -> its options -> what follows by protocol number (ipProto, shared with IPv6).
 */

import { inetChecksum } from '../bytes.ts';
import { bits, type Context, hex, type IpInfo } from './context.ts';
import { icmp } from './icmp.ts';
import { icmp6 } from './icmp6.ts';
import { ah, esp, gre, igmp, pim, sctp } from './others.ts';
import { tcp } from './tcp.ts';
import { udp } from './udp.ts';

export const PROTO_NAMES: { readonly [n: number]: string } = {
	0: 'Options',
	1: 'ICMP',
	2: 'IGMP',
	4: 'IPIP',
	6: 'TCP',
	8: 'EGP',
	9: 'IGRP',
	17: 'UDP',
	33: 'DCCP',
	41: 'IPv6',
	46: 'RSVP',
	47: 'GRE',
	50: 'ESP',
	51: 'AH',
	55: 'Mobile IP',
	58: 'ICMPv6',
	77: 'PGM',
	88: 'EIGRP',
	89: 'OSPF',
	103: 'PIM',
	108: 'Compressed IP',
	112: 'VRRP',
	113: 'PGM',
	132: 'SCTP',
	135: 'Mobility',
};

const ECN: { readonly [n: number]: string } = { 1: ',ECT(1)', 2: ',ECT(0)', 3: ',CE' };

/** Prints an IPv4 packet of at most length bytes at o. */
export function ip(c: Context, o: number, length: number): undefined {
	c.protocol = 'ip';
	const first = c.u8(o) >> 4;
	if (!c.options.e) c.print(first === 6 ? '' : 'IP ');
	if (!c.has(o, 20)) return c.truncated();
	if (length < 20) return c.print(`truncated-ip ${length}`);
	const version = c.u8(o) >> 4;
	if (version !== 4) {
		if (version === 6) c.print('IP6, wrong link-layer encapsulation');
		else c.print(`, unknown ip version ${version}`);
		return c.print(' (invalid)');
	}
	const hlen = (c.u8(o) & 15) * 4;
	if (hlen < 20) return c.print(`bad-hlen ${hlen}`);
	let len = c.u16(o + 2);
	if (length < len) c.print(`truncated-ip - ${len - length} bytes missing! `);
	if (len < hlen) {
		if (len !== 0) return c.print(`bad-len ${len}`);
		// A length of 0 is what segmentation offload leaves.
		len = length;
	}
	const savedEnd = c.end;
	if (o + len < c.end) c.end = o + len;
	const payload = len - hlen;
	const off = c.u16(o + 6);
	const proto = c.u8(o + 9);
	if (c.v > 0) {
		const tos = c.u8(o + 1);
		c.print(`(tos 0x${hex(tos)}${ECN[tos & 3] ?? ''}`);
		if (c.u8(o + 8) >= 1) c.print(`, ttl ${c.u8(o + 8)}`);
		const flags = bits(
			off >> 13,
			[
				[1, '+'],
				[2, 'DF'],
				[4, 'rsvd'],
			],
			', ',
			'none',
		);
		c.print(`, id ${c.u16(o + 4)}, offset ${(off & 0x1fff) * 8}, flags [${flags}]`);
		c.print(`, proto ${PROTO_NAMES[proto] ?? 'unknown'} (${proto}), length ${c.u16(o + 2)}`);
		if (hlen > 20) {
			c.print(', options (');
			options(c, o + 20, hlen - 20);
			c.print(')');
		}
		if (c.has(o, hlen)) {
			const sum = inetChecksum(c.b, o, o + hlen);
			if (sum !== 0) {
				const head = c.b.slice(o, o + hlen);
				head[10] = 0;
				head[11] = 0;
				c.print(`, bad cksum ${hex(c.u16(o + 10))} (->${hex(inetChecksum(head))})!`);
			}
		}
		c.print(')\n    ');
	}
	const info: IpInfo = {
		version: 4,
		at: o,
		src: c.ip4(o + 12),
		dst: c.ip4(o + 16),
		srcAt: o + 12,
		dstAt: finalDestination(c, o, hlen),
		fragment: (off & 0x3fff) !== 0,
		direct: true,
	};
	if ((off & 0x1fff) === 0) {
		if (proto !== 6 && proto !== 17 && proto !== 132) c.print(`${info.src} > ${info.dst}: `);
		if (c.v === 0 && !c.has(o, hlen)) c.protocol = 'ip';
		ipProto(c, proto, o + hlen, payload, info);
	} else {
		if (c.options.q && c.v === 0) {
			c.print(`${info.src} > ${info.dst}: `);
			c.print(c.options.n ? `ip-proto-${proto}` : protoName(proto));
		} else {
			c.print(`${info.src} > ${info.dst}: `);
			c.print(c.options.n ? `ip-proto-${proto}` : protoName(proto));
		}
	}
	c.end = savedEnd;
}

/** Where the destination stands: the last hop of a source route, if there is one (RFC 791 3.1). */
function finalDestination(c: Context, o: number, hlen: number): number {
	for (let i = 20; i < hlen && c.has(o, hlen); ) {
		const type = c.b[o + i];
		if (type === 0) break;
		const n = type === 1 ? 1 : c.b[o + i + 1];
		if (n < 1 || i + n > hlen) break;
		if ((type === 0x83 || type === 0x89) && n >= 7) return o + i + n - 4;
		i += n;
	}
	return o + 16;
}

/** /etc/protocols' name. */
function protoName(proto: number): string {
	const names: { readonly [n: number]: string } = {
		0: 'ip',
		1: 'icmp',
		2: 'igmp',
		4: 'ipencap',
		6: 'tcp',
		17: 'udp',
		41: 'ipv6',
		47: 'gre',
		50: 'esp',
		51: 'ah',
		58: 'ipv6-icmp',
		89: 'ospf',
		103: 'pim',
		112: 'vrrp',
		132: 'sctp',
	};
	return names[proto] ?? `ip-proto-${proto}`;
}

const OPTION_NAMES: { readonly [n: number]: string } = {
	0: 'EOL',
	1: 'NOP',
	7: 'RR',
	68: 'timestamp',
	130: 'security',
	131: 'LSRR',
	137: 'SSRR',
	148: 'RA',
};

function options(c: Context, o: number, length: number): undefined {
	let comma = '';
	while (length > 0) {
		c.print(comma);
		comma = ',';
		const type = c.u8(o);
		c.print(OPTION_NAMES[type] ?? `unknown ${type}`);
		let n = 1;
		if (type > 1) {
			if (length < 2) {
				c.u8(o + 1);
				n = 0;
			} else n = c.u8(o + 1);
			if (n < 2) return c.print(` [bad length ${n}]`);
			if (length < n) return c.print(` [bad length ${n}]`);
			c.need(o, n);
			if (type === 0x44) timestamp(c, o, n);
			else if (type === 7 || type === 0x83 || type === 0x89) route(c, o, n);
			else if (type === 0x94) {
				c.u8(o + 3);
				if (n !== 4) c.print(` [bad length ${n}]`);
				else if (c.u16(o + 2) !== 0) c.print(` value ${c.u16(o + 2)}`);
			}
		} else if (type === 0) return;
		o += n;
		length -= n;
	}
}

function route(c: Context, o: number, n: number): undefined {
	if (n < 3) return c.print(` [bad length ${n}]`);
	if ((n + 1) & 3) c.print(` [bad length ${n}]`);
	const ptr = c.u8(o + 2) - 1;
	if (ptr < 3 || (ptr + 1) & 3) c.print(` [bad ptr ${c.u8(o + 2)}]`);
	for (let i = 3; i < n; i += 4) {
		c.print(` ${c.ip4(o + i)}`);
		if (ptr > i) c.print(',');
	}
}

function timestamp(c: Context, o: number, n: number): undefined {
	if (n < 4) return c.print(`[bad length ${n}]`);
	c.print(' TS{');
	const flags = c.u8(o + 3);
	let hop = 4;
	if ((flags & 15) !== 0) {
		if (((n - 4) & 7) !== 0) c.print(`[bad length ${n}]`);
		hop = 8;
	} else if (((n - 4) & 3) !== 0) c.print(`[bad length ${n}]`);
	const ptr = c.u8(o + 2) - 1;
	let before = '';
	if (ptr < 4 || (ptr - 4) % hop !== 0 || ptr > n) c.print(`[bad ptr ${c.u8(o + 2)}]`);
	const kind = flags & 15;
	if (kind === 0) c.print('TSONLY');
	else if (kind === 1) c.print('TS+ADDR');
	else if (kind === 3) c.print('PRESPEC');
	else {
		c.print(`[bad ts type ${kind}]`);
		if (flags >> 4 !== 0) c.print(` [${flags >> 4} hops not recorded]} `);
		else c.print('}');
		return;
	}
	for (let i = 4; i < n; i += hop) {
		if (ptr === i) before = ' ^ ';
		if (i + hop > n) break;
		c.print(`${before} ${c.u32(o + i + hop - 4)}@${hop === 8 ? c.ip4(o + i) : ''}`);
		before = '';
	}
	if (before === '' && ptr === n) before = ' ^ ';
	c.print(before);
	c.print(flags >> 4 ? ` [${flags >> 4} hops not recorded]} ` : '}');
}

/** Prints what an IP header carries. */
export function ipProto(c: Context, proto: number, o: number, length: number, info: IpInfo): undefined {
	if (++c.depth > 20) return c.print(' [too many headers]');
	switch (proto) {
		case 51:
			return ah(c, o, length, info);
		case 50:
			return esp(c, o, length);
		case 132:
			return sctp(c, o, length, info);
		case 6:
			return tcp(c, o, length, info);
		case 17:
			return udp(c, o, length, info);
		case 1:
			return icmp(c, o, length, info.fragment);
		case 2:
			return igmp(c, o, length);
		case 4:
			return ip(c, o, length);
		case 41:
			return c.inner.ip6(c, o, length);
		case 47:
			return gre(c, o, length);
		case 58:
			return icmp6(c, o, length, info);
		case 103:
			return pim(c, o, length);
		case 59:
			if (info.version === 6) return c.print('no next header');
	}
	c.print(c.options.n ? ` ip-proto-${proto} ${length}` : ` ${protoName(proto)} ${length}`);
}
