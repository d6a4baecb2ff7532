/*
 * packet/print/link.ts: link layers and ARP as tcpdump prints them.
 * Walk: link (by link type) -> ether -> VLAN tags, LLC -> ethertype -> ARP; cooked captures; raw IP.
 */

import {
	LINKTYPE_ETHERNET,
	LINKTYPE_IPV4,
	LINKTYPE_IPV6,
	LINKTYPE_LINUX_SLL,
	LINKTYPE_LINUX_SLL2,
	LINKTYPE_LOOP,
	LINKTYPE_NULL,
	LINKTYPE_RAW,
} from '../capture_file.ts';
import { type Context, hex, Truncated } from './context.ts';
import { ETHERTYPES } from './others.ts';

/** Prints a packet. Return: how long its link header is, for -x. */
export function link(c: Context, linktype: number, length: number): number {
	switch (linktype) {
		case LINKTYPE_ETHERNET:
			return etherFrame(c, 0, length, true);
		case LINKTYPE_LINUX_SLL:
			return sll(c, length);
		case LINKTYPE_LINUX_SLL2:
			return sll2(c, length);
		case LINKTYPE_RAW:
		case LINKTYPE_IPV4:
		case LINKTYPE_IPV6:
			c.protocol = 'raw';
			if (c.options.e) c.print('ip: ');
			rawIp(c, 0, length);
			return 0;
		case LINKTYPE_NULL:
		case LINKTYPE_LOOP:
			return nul(c, length, linktype === LINKTYPE_LOOP);
	}
	c.print(`unknown link type ${linktype}, length ${length}`);
	return 0;
}

function rawIp(c: Context, o: number, length: number): undefined {
	const version = c.u8(o) >> 4;
	if (version === 4) c.inner.ip(c, o, length);
	else if (version === 6) c.inner.ip6(c, o, length);
	else c.print(`unknown ip version ${version}`);
}

function nul(c: Context, length: number, big: boolean): number {
	c.protocol = 'null';
	c.need(0, 4);
	const v = c.u32(0);
	const family =
		big || v <= 0xff ? v : (((v & 255) << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0;
	const six = family === 10 || family === 24 || family === 28 || family === 30;
	if (c.options.e) c.print(`AF ${family === 2 ? 'IPv4' : six ? 'IPv6' : 'Unknown'} (${family}), length ${length}: `);
	if (family === 2) c.inner.ip(c, 4, length - 4);
	else if (six) c.inner.ip6(c, 4, length - 4);
	else c.unknown(4, length - 4);
	return 4;
}

export function ether(c: Context, o: number, length: number): undefined {
	etherFrame(c, o, length, c.options.e === true);
}

function header(c: Context, o: number, type: number, length: number): undefined {
	const oui = (mac: string) =>
		c.options.n ? mac : `${mac} ${mac === 'ff:ff:ff:ff:ff:ff' ? '(Broadcast)' : '(oui Unknown)'}`;
	const dst = c.mac(o);
	c.print(`${oui(c.mac(o + 6))} > ${!c.options.n && dst === 'ff:ff:ff:ff:ff:ff' ? 'Broadcast' : oui(dst)}`);
	if (type <= 1500) c.print(`, 802.3, length ${type}: `);
	else if (type === JUMBO) c.print(', ');
	else if (!c.options.q)
		c.print(`, ethertype ${ETHERTYPES[type] ?? 'Unknown'} (0x${hex(type, 4)}), length ${length}: `);
	else c.print(`, ${ETHERTYPES[type] ?? `Unknown Ethertype (0x${hex(type, 4)})`}, length ${length}: `);
}

function ethertypeText(c: Context, type: number): string {
	const name = ETHERTYPES[type] ?? 'Unknown';
	if (c.options.q) return ETHERTYPES[type] === undefined ? `Unknown Ethertype (0x${hex(type, 4)}), ` : `${name}, `;
	return `ethertype ${name} (0x${hex(type, 4)}), `;
}

/** The ethertype of LLC in a frame that is too long for a length. */
const JUMBO = 0x8870;

/** Prints an Ethernet frame. Return: the length of its header. */
function etherFrame(c: Context, o: number, total: number, _outer: boolean): number {
	c.protocol = 'ether';
	let length = total;
	if (length < 14 || !c.has(o, 14)) {
		c.truncated();
		return c.end - o;
	}
	const start = o;
	const type = c.u16(o + 12);
	let shown = false;
	if (c.options.e) {
		const tag = type === 0x8100 || type === 0x88a8 || type === 0x9100;
		header(c, o, tag && !c.has(o, 18) ? JUMBO : type, total);
		shown = true;
	}
	o += 14;
	length -= 14;
	return 14 + payload(c, start, o, length, type, total, shown);
}

/** What follows an Ethernet header or a VLAN tag. Return: how many bytes of tags there were. */
function payload(
	c: Context,
	start: number,
	o: number,
	length: number,
	type: number,
	total: number,
	shown: boolean,
): number {
	const begin = o;
	for (;;) {
		if (type <= 1500) {
			if (c.options.e && o !== begin && shown) c.print(type !== 0 ? `length ${type}: ` : '');
			if (type < length) {
				length = type;
				if (o + length < c.end) c.end = o + length;
			}
			return o - begin + logical(c, start, o, length, type, total, shown);
		}
		if (type === 0x8100 || type === 0x88a8 || type === 0x9100 || type === 0x9200) {
			c.protocol = 'vlan';
			if (length < 4 || !c.has(o, 4)) {
				c.truncated();
				return o - begin;
			}
			if (c.options.e) {
				const tci = c.u16(o);
				c.print(`vlan ${tci & 0xfff}, p ${tci >> 13}${tci & 0x1000 ? ', DEI' : ''}, `);
			}
			type = c.u16(o + 2);
			if (c.options.e && type > 1500) c.print(ethertypeText(c, type));
			o += 4;
			length -= 4;
			continue;
		}
		if (type === JUMBO) return o - begin + logical(c, start, o, length, type, total, shown);
		break;
	}
	if (!c.inner.ethertype(c, type, o, length)) {
		if (!shown) header(c, start, type, total);
		c.unknown(o, length);
	}
	return o - begin;
}

/** Prints an LLC frame, with the Ethernet header when nobody knows what it carries. Return: the length of the LLC header. */
function logical(
	c: Context,
	start: number,
	o: number,
	length: number,
	type: number,
	total: number,
	shown: boolean,
): number {
	const n = llc(c, o, length);
	if (n >= 0) return n;
	if (!shown) header(c, start, type, total);
	c.unknown(o, length);
	return -n;
}

/** Prints what an ethertype announces. Return: false when it is unknown. */
export function ethertype(c: Context, type: number, o: number, length: number): boolean {
	switch (type) {
		case 0x0800:
			c.inner.ip(c, o, length);
			return true;
		case 0x86dd:
			c.inner.ip6(c, o, length);
			return true;
		case 0x0806:
		case 0x8035:
			arp(c, o, length);
			return true;
		case 0x9000:
			loopback(c, o, length);
			return true;
		case JUMBO:
			return llc(c, o, length) >= 0;
		case 0x88cc:
			c.protocol = 'lldp';
			c.print(`LLDP, length ${length}`);
			lldp(c, o, length);
			return true;
	}
	return false;
}

function loopback(c: Context, o: number, length: number): undefined {
	c.protocol = 'loopback';
	c.print('Loopback');
	if (length < 2) return c.print(' (invalid)');
	const skip = c.u8(o) | (c.u8(o + 1) << 8);
	c.print(`, skipCount ${skip}`);
	if (skip % 8 !== 0) c.print(' (bogus)');
	if (skip > length - 2) return c.print(' (invalid)');
	const f = c.u8(o + 2 + skip) | (c.u8(o + 3 + skip) << 8);
	c.print(`, ${f === 1 ? 'Reply' : f === 2 ? 'Forward' : `unknown (0x${hex(f, 4)})`}`);
}

function lldp(c: Context, o: number, length: number): undefined {
	const end = o + length;
	while (o + 2 <= end) {
		const word = c.u16(o);
		const type = word >> 9;
		const n = word & 0x1ff;
		if (type === 0) return;
		if (o + 2 + n > end || !c.has(o + 2, n)) return c.truncated();
		o += 2 + n;
	}
}

const ARP_OPS: { readonly [n: number]: string } = {
	1: 'Request',
	2: 'Reply',
	3: 'Reverse Request',
	4: 'Reverse Reply',
	8: 'Inverse Request',
	9: 'Inverse Reply',
	10: 'NACK Reply',
};
const HARDWARE: { readonly [n: number]: string } = {
	1: 'Ethernet',
	6: 'TokenRing',
	7: 'ArcNet',
	15: 'FrameRelay',
	24: 'IEEE 1394',
	32: 'InfiniBand',
};

function arp(c: Context, o: number, length: number): undefined {
	c.protocol = 'arp';
	c.need(o, 8);
	const hardware = c.u16(o);
	const proto = c.u16(o + 2);
	const hlen = c.u8(o + 4);
	const plen = c.u8(o + 5);
	const op = c.u16(o + 6);
	if (!c.has(o, 8 + 2 * (hlen + plen))) {
		throw new Truncated();
	}
	if (!c.options.e) c.print('ARP, ');
	const known = (proto === 0x0800 || proto === 0x1000) && plen === 4 && hlen !== 0;
	if (!known || c.v > 0) {
		const name = proto === 0x0800 ? 'IPv4' : (ETHERTYPES[proto] ?? `Unknown Protocol (0x${hex(proto, 4)})`);
		c.print(`${HARDWARE[hardware] ?? `Unknown Hardware (${hardware})`} (len ${hlen}), ${name} (len ${plen})`);
		c.print(known || c.v > 0 ? ', ' : `, length ${length}`);
		if (!known && c.v === 0) return;
	}
	c.print(`${ARP_OPS[op] ?? `Unknown (${op})`} `);
	const sha = o + 8;
	const spa = sha + hlen;
	const tha = spa + plen;
	const tpa = tha + hlen;
	const hw = (p: number) => Array.from(c.b.subarray(p, p + hlen), (v) => hex(v, 2)).join(':');
	const pa = (p: number) => (known ? c.ip4(p) : plen === 4 ? '<wrong proto type>' : '<wrong len>');
	const zero = (p: number) => c.b.subarray(p, p + hlen).every((v) => v === 0);
	switch (op) {
		case 1:
			c.print(`who-has ${pa(tpa)}`);
			if (!zero(tha)) c.print(` (${hw(tha)})`);
			c.print(` tell ${pa(spa)}`);
			break;
		case 2:
			c.print(`${pa(spa)} is-at ${hw(sha)}`);
			break;
		case 3:
			c.print(`who-is ${hw(tha)} tell ${hw(sha)}`);
			break;
		case 4:
			c.print(`${hw(tha)} at ${pa(tpa)}`);
			break;
		case 8:
			c.print(`who-is ${hw(tha)} tell ${hw(sha)}`);
			break;
		case 9:
			c.print(`${hw(sha)} at ${pa(spa)}`);
			break;
		default:
			c.dump('\n\t', o, length, true);
			return;
	}
	c.print(`, length ${length}`);
}

/** 802.2. Return: the length of its header; negative when it is not known what it carries. */
function llc(c: Context, o: number, length: number): number {
	c.protocol = 'llc';
	if (length < 3 || !c.has(o, 3)) {
		c.truncated();
		c.dump('\n\t', o, c.end - o, true);
		return Math.max(0, Math.min(length, c.end - o));
	}
	const dsap = c.u8(o);
	const ssap = c.u8(o + 1);
	const control = c.u8(o + 2);
	if (dsap === 0xaa && ssap === 0xaa && control === 3) {
		c.need(o, 8);
		const oui = c.u24(o + 3);
		const type = c.u16(o + 6);
		if (c.options.e)
			c.print(
				`LLC, dsap SNAP (0xaa) Individual, ssap SNAP (0xaa) Command, ctrl 0x03: oui ${oui === 0 ? 'Ethernet' : 'Unknown'} (0x${hex(oui, 6)}), ethertype ${ETHERTYPES[type] ?? 'Unknown'} (0x${hex(type, 4)}), length ${length - 8}: `,
			);
		if (oui === 0 && c.inner.ethertype(c, type, o + 8, length - 8)) return 8;
		if (!c.options.e) {
			c.print(
				`${c.mac(6)} > ${c.mac(0)} SNAP, ethertype ${ETHERTYPES[type] ?? 'Unknown'} (0x${hex(type, 4)}), length ${length - 8}: `,
			);
			c.unknown(o, length);
		} else c.unknown(o, length);
		return 8;
	}
	const name = (sap: number) =>
		({ 0: 'Null', 66: 'STP', 6: 'IP', 224: 'IPX', 240: 'NetBeui', 254: 'ISO' })[sap & 0xfe] ?? 'Unknown';
	const form =
		(control & 3) === 3 ? `0x${hex(control, 2)}` : `0x${hex(length > 3 ? control | (c.u8(o + 3) << 8) : control, 4)}`;
	if (c.options.e) {
		c.print(`LLC, dsap ${name(dsap)} (0x${hex(dsap & 0xfe, 2)}) ${dsap & 1 ? 'Group' : 'Individual'}, `);
		c.print(`ssap ${name(ssap)} (0x${hex(ssap & 0xfe, 2)}) ${ssap & 1 ? 'Response' : 'Command'}, ctrl ${form}: `);
	}
	if (dsap === 0x42 && ssap === 0x42 && control === 3) {
		stp(c, o + 3, length - 3);
		return 3;
	}
	if ((control & 0xef) === 3) {
		if (!c.options.e) c.print(`${c.mac(6)} > ${c.mac(0)} Unknown DSAP 0x${hex(dsap, 2)} `);
		c.print(
			`Unnumbered, ui, Flags [${ssap & 1 ? 'Response' : 'Command'}${control & 0x10 ? ', Poll' : ''}], length ${length}`,
		);
		c.unknown(o, length);
		return 3;
	}
	return (control & 3) === 3 ? -3 : -4;
}

function stp(c: Context, o: number, length: number): undefined {
	c.protocol = 'stp';
	if (length < 4) return c.print(' (invalid)');
	const proto = c.u16(o);
	const version = c.u8(o + 2);
	c.need(o, 4);
	const name = ['802.1d', '', '802.1w', '802.1s'][version];
	c.print(`STP ${name === undefined || name === '' ? `Unknown STP protocol (0x${hex(version, 2)})` : name}`);
	void proto;
	const type = c.u8(o + 3);
	if (type === 0x80) return c.print(', Topology Change');
	if (type !== 0 && type !== 2) return c.print(`, Unknown BPDU type (0x${hex(type, 2)})`);
	c.print(type === 0 ? ', Config' : ', Rapid STP');
	if (length < 35) return c.truncated();
	const f = c.u8(o + 4);
	const id = (p: number) => `${hex(c.u16(p), 4)}.${c.mac(p + 2)}`;
	const names: [number, string][] = [
		[1, 'Topology change'],
		[0x80, 'Topology change ACK'],
	];
	const flags = type === 0 ? names.filter(([bit]) => f & bit).map(([, n]) => n) : [];
	c.print(`, Flags [${flags.length === 0 ? (type === 0 ? 'none' : rstp(f)) : flags.join(', ')}]`);
	c.print(`, bridge-id ${id(o + 17)}.${hex(c.u16(o + 25), 4)}, length ${length}`);
	if (c.v === 0) return;
	const seconds = (p: number) => (c.u16(p) / 256).toFixed(2);
	c.print(
		`\n\tmessage-age ${seconds(o + 27)}s, max-age ${seconds(o + 29)}s, hello-time ${seconds(o + 31)}s, forwarding-delay ${seconds(o + 33)}s`,
	);
	c.print(`\n\troot-id ${id(o + 5)}, root-pathcost ${c.u32(o + 13)}`);
	if (type === 2) c.print(`, port-role ${['Unknown', 'Alternate', 'Root', 'Designated'][(f >> 2) & 3]}`);
}

function rstp(f: number): string {
	const names: [number, string][] = [
		[1, 'Topology change'],
		[2, 'Proposal'],
		[0x10, 'Learn'],
		[0x20, 'Forward'],
		[0x40, 'Agreement'],
		[0x80, 'Topology change ACK'],
	];
	const out = names.filter(([bit]) => f & bit).map(([, n]) => n);
	return out.length === 0 ? 'none' : out.join(', ');
}

const COOKED = ['In', 'B', 'M', 'P', 'Out'];

function sll(c: Context, length: number): number {
	c.protocol = 'sll';
	if (length < 16 || !c.has(0, 16)) {
		c.truncated();
		return 0;
	}
	const type = c.u16(14);
	if (c.options.e) {
		const n = Math.min(8, c.u16(4));
		c.print(`${(COOKED[c.u16(0)] ?? '?').padStart(3)} `);
		if (n > 0) c.print(`${Array.from(c.b.subarray(6, 6 + n), (v) => hex(v, 2)).join(':')} `);
		if (!c.options.q) c.print(`ethertype ${ETHERTYPES[type] ?? 'Unknown'} (0x${hex(type, 4)}), `);
		c.print(`length ${length}: `);
	}
	cookedPayload(c, 16, length - 16, type, length, 16);
	return 16;
}

function sll2(c: Context, length: number): number {
	c.protocol = 'sll2';
	if (length < 20 || !c.has(0, 20)) {
		c.truncated();
		return 0;
	}
	const type = c.u16(0);
	const index = c.u32(4);
	const name = c.options.ifname?.(index) ?? null;
	if (name !== null) c.print(`${name.padEnd(5)} `);
	else c.print('?     ');
	c.print(`${(COOKED[c.u8(10)] ?? '?').padEnd(3)} `);
	if (c.options.e) {
		const n = Math.min(8, c.u8(11));
		c.print(`ifindex ${index} `);
		if (n > 0) c.print(`${Array.from(c.b.subarray(12, 12 + n), (v) => hex(v, 2)).join(':')} `);
		if (!c.options.q) c.print(`ethertype ${ETHERTYPES[type] ?? 'Unknown'} (0x${hex(type, 4)}), `);
		c.print(`length ${length}: `);
	}
	cookedPayload(c, 20, length - 20, type, length, 20);
	return 20;
}

function cookedPayload(c: Context, o: number, length: number, type: number, total: number, _header: number): undefined {
	let t = type;
	while (t === 0x8100 || t === 0x88a8) {
		if (c.options.e) c.print(`vlan ${c.u16(o) & 0xfff}, p ${c.u16(o) >> 13}, `);
		t = c.u16(o + 2);
		if (c.options.e && t > 1500) c.print(ethertypeText(c, t));
		o += 4;
		length -= 4;
	}
	if (t <= 1500) {
		if (llc(c, o, length) < 0) c.unknown(o, length);
		return;
	}
	void total;
	if (!c.inner.ethertype(c, t, o, length)) c.unknown(o, length);
}
