/*
 * packet/dissect/dns.ts: domain names and messages in their wire form. RFC 1035, 3596, 2782.
 */

import { be16, be32, hex2, ip4At, ip6At, latin1 } from '../bytes.ts';
import type { DnsHeader } from './headers.ts';

export const DNS_TYPES: { readonly [n: number]: string } = {
	1: 'A',
	2: 'NS',
	5: 'CNAME',
	6: 'SOA',
	12: 'PTR',
	13: 'HINFO',
	15: 'MX',
	16: 'TXT',
	28: 'AAAA',
	33: 'SRV',
	35: 'NAPTR',
	41: 'OPT',
	43: 'DS',
	46: 'RRSIG',
	47: 'NSEC',
	48: 'DNSKEY',
	64: 'SVCB',
	65: 'HTTPS',
	252: 'AXFR',
	255: 'ANY',
};

/** Reads a name. Return: null when it runs out of the message or its pointers do not lead backwards. */
export function dnsName(b: Uint8Array, o: number, start: number, end: number): { name: string; next: number } | null {
	let name = '';
	let next = -1;
	let limit = o;
	for (;;) {
		if (o >= end) return null;
		const n = b[o];
		if (n === 0) return { name: name === '' ? '.' : name, next: next < 0 ? o + 1 : next };
		if (n >= 0xc0) {
			if (o + 2 > end) return null;
			const to = start + (be16(b, o) & 0x3fff);
			if (next < 0) next = o + 2;
			// RFC 1035 4.1.4: a pointer leads to a prior place, so this ends.
			if (to >= limit) return null;
			limit = to;
			o = to;
			continue;
		}
		if (n >= 0x40 || o + 1 + n > end || name.length > 1024) return null;
		for (let i = o + 1; i <= o + n; i++)
			name += b[i] > 0x20 && b[i] < 0x7f && b[i] !== 46 ? String.fromCharCode(b[i]) : `\\x${hex2(b[i])}`;
		name += '.';
		o += 1 + n;
	}
}

function recordText(b: Uint8Array, type: number, o: number, n: number, start: number, end: number): string {
	if (type === 1 && n === 4) return ip4At(b, o);
	if (type === 28 && n === 16) return ip6At(b, o);
	if (type === 2 || type === 5 || type === 12) return dnsName(b, o, start, end)?.name ?? '?';
	if (type === 15 && n > 2) return `${be16(b, o)} ${dnsName(b, o + 2, start, end)?.name ?? '?'}`;
	if (type === 33 && n > 6) return `${dnsName(b, o + 6, start, end)?.name ?? '?'}:${be16(b, o + 4)}`;
	if (type === 16 && n > 0) return JSON.stringify(latin1(b.subarray(o + 1, Math.min(o + n, o + 1 + b[o]))));
	return `${n} bytes`;
}

/** A DNS message from o to end, or null when it does not look like one. */
export function dnsHeader(b: Uint8Array, o: number, end: number): DnsHeader | null {
	if (o + 12 > end) return null;
	const flags = be16(b, o + 2);
	const questions: { name: string; type: string }[] = [];
	const answers: { name: string; type: string; text: string; ttl: number }[] = [];
	let p = o + 12;
	let whole = true;
	for (let i = be16(b, o + 4); i > 0 && whole; i--) {
		const n = dnsName(b, p, o, end);
		if (n === null || n.next + 4 > end) {
			whole = false;
			break;
		}
		const type = be16(b, n.next);
		questions.push({ name: n.name, type: DNS_TYPES[type] ?? `TYPE${type}` });
		p = n.next + 4;
	}
	for (let i = be16(b, o + 6); i > 0 && whole; i--) {
		const n = dnsName(b, p, o, end);
		if (n === null || n.next + 10 > end || n.next + 10 + be16(b, n.next + 8) > end) break;
		const type = be16(b, n.next);
		const length = be16(b, n.next + 8);
		const text = recordText(b, type, n.next + 10, length, o, end);
		answers.push({ name: n.name, type: DNS_TYPES[type] ?? `TYPE${type}`, text, ttl: be32(b, n.next + 4) });
		p = n.next + 10 + length;
	}
	return {
		layer: 'dns',
		offset: o,
		length: end - o,
		id: be16(b, o),
		response: (flags & 0x8000) !== 0,
		opcode: (flags >> 11) & 15,
		rcode: flags & 15,
		questions,
		answers,
	};
}
