/*
 * packet/print/dhcp.ts: BOOTP and DHCP as tcpdump prints them. RFC 951, 2131, 2132.
 */

import { type Context, hex } from './context.ts';

/** Names and the kinds of their values: i addresses, l 32-bit, s 16-bit, b bytes, a text, d other. */
const TAGS: { readonly [tag: number]: string } = {
	1: 'iSubnet-Mask',
	2: 'LTime-Zone',
	3: 'iDefault-Gateway',
	4: 'iTime-Server',
	5: 'iIEN-Name-Server',
	6: 'iDomain-Name-Server',
	7: 'iLOG',
	8: 'iCS',
	9: 'iLPR-Server',
	10: 'iIM',
	11: 'iRL',
	12: 'aHostname',
	13: 'sBS',
	14: 'aDP',
	15: 'aDomain-Name',
	16: 'iSS',
	17: 'aRP',
	18: 'aEP',
	19: 'BIPF',
	20: 'BSRT',
	21: 'ipPF',
	22: 'sRSZ',
	23: 'bTTL',
	24: 'lMTU-Timeout',
	25: 'sMTU-Table',
	26: 'sMTU',
	27: 'BLSN',
	28: 'iBR',
	29: 'BMD',
	30: 'BMS',
	31: 'BRouter-Discovery',
	32: 'iRS',
	33: 'ipStatic-Route',
	34: 'BTE',
	35: 'lAT',
	36: 'BIE',
	37: 'bTT',
	38: 'lKI',
	39: 'BKG',
	40: 'aYD',
	41: 'iYS',
	42: 'iNTP',
	43: 'bVendor-Option',
	44: 'iNetbios-Name-Server',
	45: 'iWDD',
	46: '$Netbios-Node',
	47: 'aNetbios-Scope',
	48: 'iXFS',
	49: 'iXDM',
	50: 'iRequested-IP',
	51: 'lLease-Time',
	52: '$OO',
	53: '$DHCP-Message',
	54: 'iServer-ID',
	55: 'bParameter-Request',
	56: 'aMSG',
	57: 'sMSZ',
	58: 'lRN',
	59: 'lRB',
	60: 'aVendor-Class',
	61: '$Client-ID',
	62: 'aNETWARE-DOMAIN',
	63: 'bNOAUTO',
	64: 'aNISDOMAIN',
	65: 'iNISSERVER',
	66: 'aTFTP',
	67: 'aBF',
	68: 'iMH',
	69: 'iSM',
	70: 'iPO',
	71: 'iNN',
	72: 'iWW',
	73: 'iFI',
	74: 'iIRC',
	77: 'bUSER-CLASS',
	81: '$FQDN',
	82: '$Agent-Information',
	90: 'bAUTH',
	91: 'bCLIENT-LAST-TXN-TIME',
	93: 'bARCH',
	94: '$NDI',
	97: 'bGUID',
	116: 'bAUTO',
	118: 'iSubnet-Select',
	119: 'DDomain-Search',
	121: '$Classless-Static-Route',
	249: '$Classless-Static-Route-Microsoft',
	252: 'aWPAD',
};
const SHORT: { readonly [tag: number]: string } = {
	1: 'Subnet-Mask',
	2: 'Time-Zone',
	3: 'Default-Gateway',
	4: 'Time-Server',
	6: 'Domain-Name-Server',
	12: 'Hostname',
	15: 'Domain-Name',
};
const MESSAGES = ['', 'Discover', 'Offer', 'Request', 'Decline', 'ACK', 'NACK', 'Release', 'Inform'];

export function dhcp(c: Context, o: number, length: number): undefined {
	c.protocol = 'bootp';
	c.need(o, 1);
	const op = c.u8(o);
	c.need(o, 44);
	c.print(`BOOTP/DHCP, ${op === 1 ? 'Request' : op === 2 ? 'Reply' : `unknown (0x${hex(op, 2)})`}`);
	const ethernet = c.u8(o + 1) === 1 && c.u8(o + 2) === 6;
	if (ethernet && op === 1) c.print(` from ${c.mac(o + 28)}`);
	c.print(`, length ${length}`);
	if (c.v === 0) return;
	if (c.u8(o + 1) !== 1) c.print(`, htype ${c.u8(o + 1)}`);
	if (c.u8(o + 1) === 1 && c.u8(o + 2) !== 6) c.print(`, hlen ${c.u8(o + 2)}`);
	if (c.u8(o + 3) !== 0) c.print(`, hops ${c.u8(o + 3)}`);
	if (c.u32(o + 4) !== 0) c.print(`, xid 0x${hex(c.u32(o + 4))}`);
	if (c.u16(o + 8) !== 0) c.print(`, secs ${c.u16(o + 8)}`);
	const flags = c.u16(o + 10);
	c.print(`, Flags [${flags & 0x8000 ? 'Broadcast' : 'none'}]`);
	if (c.v > 1) c.print(` (0x${hex(flags, 4)})`);
	for (const [at, name] of [
		[12, 'Client'],
		[16, 'Your'],
		[20, 'Server'],
		[24, 'Gateway'],
	] as const)
		if (c.u32(o + at) !== 0) c.print(`\n\t  ${name}-IP ${c.ip4(o + at)}`);
	if (ethernet) c.print(`\n\t  Client-Ethernet-Address ${c.mac(o + 28)}`);
	if (c.u8(o + 44) !== 0) c.print(`\n\t  sname "${text(c, o + 44, 64)}"`);
	if (c.u8(o + 108) !== 0) c.print(`\n\t  file "${text(c, o + 108, 128)}"`);
	c.need(o + 236, 4);
	const len = length - 236;
	const magic = c.u32(o + 236);
	if (magic === 0x63825363) options(c, o + 236, len);
	else if (magic !== 0) c.print(`\n\t  Vendor-#0x${hex(magic, 8)}`);
}

function text(c: Context, o: number, max: number): string {
	let n = 0;
	while (n < max && c.u8(o + n) !== 0) n++;
	return c.safe(o, n);
}

function options(c: Context, o: number, length: number): undefined {
	c.print(`\n\t  Vendor-rfc1048 Extensions\n\t    Magic Cookie 0x${hex(c.u32(o), 8)}`);
	const end = o + length;
	let p = o + 4;
	while (p < end) {
		const tag = c.u8(p);
		if (tag === 0 && c.v < 3) {
			p++;
			continue;
		}
		if (tag === 255 && c.v < 3) return;
		const entry = TAGS[tag] ?? '?Unknown';
		const name = entry.replace(/^(ip|[a-z$DLB?])/, '');
		if (tag === 0 || tag === 255) {
			c.print(`\n\t    ${tag === 0 ? 'PAD' : 'END'} (${tag}), length 0`);
			let n = 1;
			while (tag === 0 && c.has(p + n, 1) && c.b[p + n] === 0) n++;
			if (n > 1) c.print(`, occurs ${n}`);
			if (tag === 255) return;
			p += n;
			continue;
		}
		const n = c.u8(p + 1);
		c.print(`\n\t    ${name} (${tag}), length ${n}: `);
		if (!c.has(p + 2, n)) {
			c.print(`[|rfc1048 ${n}]`);
			return;
		}
		value(c, tag, entry, p + 2, n);
		p += 2 + n;
	}
}

function value(c: Context, tag: number, entry: string, o: number, n: number): undefined {
	const kind = /^(ip|[a-z$DLB?])/.exec(entry)![1];
	if (tag === 53 && n > 0) return c.print(MESSAGES[c.u8(o)] ?? `Unknown (${c.u8(o)})`);
	if (tag === 55) {
		for (let i = 0; i < n; i++) {
			const t = c.u8(o + i);
			const name = (TAGS[t] ?? '?Unknown').replace(/^(ip|[a-z$DLB?])/, '');
			c.print(`${i % 4 === 0 ? '\n\t      ' : ', '}${SHORT[t] ?? name} (${t})`);
		}
		return;
	}
	if (tag === 61) {
		if (n === 0) return;
		const type = c.u8(o);
		if (type === 0) return c.print(`"${c.safe(o + 1, n - 1)}"`);
		if (type === 1) {
			c.print(`ether ${Array.from(c.b.subarray(o + 1, o + n), (v) => hex(v, 2)).join(':')}`);
			return;
		}
		if (type >= 32 && type < 127) return c.print(`"${c.safe(o, n)}"`);
		return c.print(`hardware-type ${type}, ${Array.from(c.b.subarray(o + 1, o + n), (v) => hex(v, 2)).join(':')}`);
	}
	if (tag === 82) {
		let p = o;
		while (p + 2 <= o + n) {
			const sub = c.u8(p);
			const len = c.u8(p + 1);
			const names: { readonly [n: number]: string } = { 1: 'Circuit-ID', 2: 'Remote-ID', 6: 'Subscriber-ID' };
			c.print(`\n\t      ${names[sub] ?? 'Unknown'} SubOption ${sub}, length ${len}: `);
			if (sub === 1 || sub === 2 || sub === 6) c.print(c.safe(p + 2, len));
			p += 2 + len;
		}
		return;
	}
	if (kind === 'a') return c.print(`"${c.safe(o, n)}"`);
	if (kind === 'i' || kind === 'l' || kind === 'L') {
		const out: string[] = [];
		for (let i = 0; i + 4 <= n; i += 4)
			out.push(kind === 'i' ? c.ip4(o + i) : String(kind === 'L' ? c.u32(o + i) | 0 : c.u32(o + i)));
		return c.print(out.join(','));
	}
	if (kind === 'ip') {
		const out: string[] = [];
		for (let i = 0; i + 8 <= n; i += 8) out.push(`(${c.ip4(o + i)}:${c.ip4(o + i + 4)})`);
		return c.print(out.join(','));
	}
	if (kind === 's') {
		const out: string[] = [];
		for (let i = 0; i + 2 <= n; i += 2) out.push(String(c.u16(o + i)));
		return c.print(out.join(','));
	}
	if (kind === 'B') {
		const out: string[] = [];
		for (let i = 0; i < n; i++) out.push(c.u8(o + i) === 0 ? 'N' : c.u8(o + i) === 1 ? 'Y' : `${c.u8(o + i)}?`);
		return c.print(out.join(','));
	}
	c.print(Array.from(c.b.subarray(o, o + n), String).join('.'));
}
