/*
 * packet/dissect/network.ts: link and network layers.
 * Walk: link types -> Ethernet, cooked, VLAN, LLC -> by ethertype -> ARP, IPv4 and its options, IPv6 and its extension headers.
 */

import { be16, be32, inetChecksum, ip4At, ip6At, macAt, toHex } from '../bytes.ts';
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
import { follow, type OptionField, room, short, type Walk } from './headers.ts';

/** Dissects from the link layer on. */
export function link(w: Walk, linktype: number): void {
	if (linktype === LINKTYPE_ETHERNET) ether(w);
	else if (linktype === LINKTYPE_RAW || linktype === LINKTYPE_IPV4 || linktype === LINKTYPE_IPV6) rawIp(w);
	else if (linktype === LINKTYPE_LINUX_SLL) cooked(w, 1);
	else if (linktype === LINKTYPE_LINUX_SLL2) cooked(w, 2);
	else if (linktype === LINKTYPE_NULL || linktype === LINKTYPE_LOOP) {
		if (!room(w, 4)) return void short(w, 'link header', 4);
		w.at += 4;
		rawIp(w);
	} else w.problems.push(`link type ${linktype} is unknown`);
}

function rawIp(w: Walk): void {
	if (!room(w, 1)) return void short(w, 'IP header', 1);
	const version = w.b[w.at] >> 4;
	if (version === 4) ipv4(w);
	else if (version === 6) ipv6(w);
	else w.problems.push(`IP version ${version}`);
}

function ether(w: Walk): void {
	if (!room(w, 14)) return void short(w, 'Ethernet header', 14);
	const { b, at } = w;
	const type = be16(b, at + 12);
	w.headers.push({ layer: 'ether', offset: at, length: 14, dst: macAt(b, at), src: macAt(b, at + 6), type });
	w.at += 14;
	follow(w, 'ethertype', type);
}

function cooked(w: Walk, version: 1 | 2): void {
	const length = version === 1 ? 16 : 20;
	if (!room(w, length)) return void short(w, 'cooked header', length);
	const { b, at } = w;
	const one = version === 1;
	const n = Math.min(8, one ? be16(b, at + 4) : b[at + 11]);
	const address = b.subarray(at + (one ? 6 : 12), at + (one ? 6 : 12) + n);
	const type = be16(b, at + (one ? 14 : 0));
	w.headers.push({
		layer: 'sll',
		offset: at,
		length,
		version,
		packetType: one ? be16(b, at) : b[at + 10],
		hardware: be16(b, at + (one ? 2 : 8)),
		src: n === 6 ? macAt(address, 0) : toHex(address),
		type,
		ifindex: one ? 0 : be32(b, at + 4),
	});
	w.at += length;
	follow(w, 'ethertype', type);
}

/** What follows an ethertype. */
export function ethertype(w: Walk, type: number): void {
	if (type === 0x0800) ipv4(w);
	else if (type === 0x86dd) ipv6(w);
	else if (type === 0x0806 || type === 0x8035) arp(w);
	else if (type === 0x8100 || type === 0x88a8 || type === 0x9100) vlan(w, type);
	else if (type === 0x6558) ether(w);
	else if (type < 0x600) llc(w, type);
}

function vlan(w: Walk, tpid: number): void {
	if (!room(w, 4)) return void short(w, 'VLAN tag', 4);
	const tci = be16(w.b, w.at);
	const type = be16(w.b, w.at + 2);
	w.headers.push({
		layer: 'vlan',
		offset: w.at,
		length: 4,
		tpid,
		id: tci & 0xfff,
		priority: tci >> 13,
		dei: (tci >> 12) & 1,
		type,
	});
	w.at += 4;
	follow(w, 'ethertype', type);
}

function llc(w: Walk, length: number): void {
	if (w.at + length < w.end) w.end = w.at + length;
	if (!room(w, 3)) return void short(w, 'LLC header', 3);
	const { b, at } = w;
	w.headers.push({ layer: 'llc', offset: at, length: 3, dsap: b[at], ssap: b[at + 1], control: b[at + 2] });
	w.at += 3;
	if (b[at] === 0xaa && b[at + 1] === 0xaa && room(w, 5)) {
		w.at += 5;
		if (be16(b, at + 6) >= 0x600) follow(w, 'ethertype', be16(b, at + 6));
	}
}

function arp(w: Walk): void {
	if (!room(w, 8)) return void short(w, 'ARP', 8);
	const { b, at } = w;
	const hlen = b[at + 4];
	const plen = b[at + 5];
	const length = 8 + 2 * (hlen + plen);
	if (!room(w, length)) return void short(w, 'ARP', length);
	const hardware = (o: number) => (hlen === 6 ? macAt(b, o) : toHex(b.subarray(o, o + hlen)));
	const protocol = (o: number) => (plen === 4 ? ip4At(b, o) : toHex(b.subarray(o, o + plen)));
	w.headers.push({
		layer: 'arp',
		offset: at,
		length,
		hardware: be16(b, at),
		protocol: be16(b, at + 2),
		operation: be16(b, at + 6),
		senderMac: hardware(at + 8),
		sender: protocol(at + 8 + hlen),
		targetMac: hardware(at + 8 + hlen + plen),
		target: protocol(at + 8 + 2 * hlen + plen),
	});
	w.at += length;
	w.end = w.at;
}

const IP_OPTION_NAMES: { readonly [type: number]: string } = {
	0: 'EOL',
	1: 'NOP',
	7: 'record-route',
	68: 'timestamp',
	130: 'security',
	131: 'loose-source-route',
	136: 'stream-id',
	137: 'strict-source-route',
	148: 'router-alert',
};

function ipOptions(b: Uint8Array, o: number, end: number, problems: string[]): OptionField[] {
	const out: OptionField[] = [];
	while (o < end) {
		const type = b[o];
		const name = IP_OPTION_NAMES[type] ?? `option-${type}`;
		if (type < 2) {
			out.push({ type, name, text: '', data: b.slice(o, o + 1) });
			if (type === 0) break;
			o++;
			continue;
		}
		const length = o + 1 < end ? b[o + 1] : 0;
		if (length < 2 || o + length > end) {
			problems.push(`IP option ${name} has length ${length}`);
			break;
		}
		const data = b.slice(o, o + length);
		let text = '';
		if (type === 7 || type === 0x83 || type === 0x89) {
			const hops: string[] = [];
			for (let i = 3; i + 4 <= length; i += 4) hops.push((i === data[2] - 1 ? '^' : '') + ip4At(data, i));
			text = hops.join(' ');
		} else if (type === 0x94 && length === 4) text = String(be16(data, 2));
		out.push({ type, name, text, data });
		o += length;
	}
	return out;
}

function ipv4(w: Walk): void {
	if (!room(w, 20)) return void short(w, 'IPv4 header', 20);
	const { b, at } = w;
	const version = b[at] >> 4;
	const length = (b[at] & 15) * 4;
	if (version !== 4) w.problems.push(`IP version ${version} in an IPv4 header`);
	if (length < 20) return void w.problems.push(`IPv4 header length ${length}`);
	const whole = room(w, length);
	if (!whole) short(w, 'IPv4 header', length);
	const totalLength = be16(b, at + 2);
	if (totalLength < length) w.problems.push(`IPv4 total length ${totalLength} is less than the header's ${length}`);
	else if (at + totalLength > w.end && !w.quoted)
		w.problems.push(`IPv4 says ${totalLength} bytes, ${Math.max(0, w.end - at)} are there`);
	const value = be16(b, at + 10);
	const judged = whole && !w.brief;
	const sum = judged ? inetChecksum(b, at, at + length) : 0;
	const zeroed = sum !== 0 ? ipChecksum(b, at, length) : 0;
	if (sum !== 0) w.problems.push(`IPv4 checksum 0x${value.toString(16)} is wrong (0x${zeroed.toString(16)})`);
	const bits = be16(b, at + 6);
	w.headers.push({
		layer: 'ipv4',
		offset: at,
		length,
		version,
		tos: b[at + 1],
		totalLength,
		id: be16(b, at + 4),
		df: (bits & 0x4000) !== 0,
		mf: (bits & 0x2000) !== 0,
		evil: (bits & 0x8000) !== 0,
		fragment: (bits & 0x1fff) * 8,
		ttl: b[at + 8],
		protocol: b[at + 9],
		checksum: !judged
			? { value, state: 'unknown' }
			: sum === 0
				? { value, state: 'good' }
				: { value, state: 'bad', expected: zeroed },
		src: ip4At(b, at + 12),
		dst: ip4At(b, at + 16),
		options: whole && !w.brief ? ipOptions(b, at + 20, at + length, w.problems) : [],
	});
	if (!whole) {
		w.at = Math.min(w.end, b.length);
		return;
	}
	if (totalLength >= length && at + totalLength < w.end) w.end = at + totalLength;
	w.at = at + length;
	w.src = b.subarray(at + 12, at + 16);
	w.dst = b.subarray(at + 16, at + 20);
	w.fragment = (bits & 0x3fff) !== 0 || at + totalLength > b.length;
	if ((bits & 0x1fff) === 0) follow(w, 'protocol', b[at + 9]);
}

/** What an IPv4 header's checksum should be. */
function ipChecksum(b: Uint8Array, at: number, length: number): number {
	const head = b.slice(at, at + length);
	head[10] = 0;
	head[11] = 0;
	return inetChecksum(head);
}

function ipv6(w: Walk): void {
	if (!room(w, 40)) return void short(w, 'IPv6 header', 40);
	const { b, at } = w;
	if (b[at] >> 4 !== 6) w.problems.push(`IP version ${b[at] >> 4} in an IPv6 header`);
	const payloadLength = be16(b, at + 4);
	w.headers.push({
		layer: 'ipv6',
		offset: at,
		length: 40,
		trafficClass: (be16(b, at) >> 4) & 255,
		flowLabel: be32(b, at) & 0xfffff,
		payloadLength,
		nextHeader: b[at + 6],
		hopLimit: b[at + 7],
		src: ip6At(b, at + 8),
		dst: ip6At(b, at + 24),
	});
	if (at + 40 + payloadLength > w.end && !w.quoted)
		w.problems.push(`IPv6 says ${payloadLength} bytes, ${w.end - at - 40} are there`);
	else if (at + 40 + payloadLength < w.end && payloadLength > 0) w.end = at + 40 + payloadLength;
	w.at = at + 40;
	w.src = b.subarray(at + 8, at + 24);
	w.dst = b.subarray(at + 24, at + 40);
	w.fragment = at + 40 + payloadLength > b.length;
	let next = b[at + 6];
	for (let n = 0; n < 16; n++) {
		const kind = EXTENSIONS[next];
		if (kind === undefined) {
			follow(w, 'protocol', next);
			return;
		}
		if (!room(w, 8)) return void short(w, `IPv6 ${kind} header`, 8);
		const o = w.at;
		const length = kind === 'fragment' ? 8 : 8 + 8 * b[o + 1];
		if (!room(w, length)) return void short(w, `IPv6 ${kind} header`, length);
		const base = { layer: 'ipv6-ext' as const, offset: o, length, kind, nextHeader: b[o] };
		if (kind === 'fragment') {
			const bits = be16(b, o + 2);
			w.headers.push({ ...base, fragment: bits & 0xfff8, mf: (bits & 1) !== 0, id: be32(b, o + 4) });
			if ((bits & 0xfff9) !== 0) w.fragment = true;
			if ((bits & 0xfff8) !== 0) {
				w.at += 8;
				return;
			}
		} else if (kind === 'routing') {
			w.headers.push({ ...base, segmentsLeft: b[o + 3] });
			// RFC 8200 8.1: the checksum covers the final destination.
			if (b[o + 3] > 0 && length >= 24) w.dst = b.subarray(o + length - 16, o + length);
		} else w.headers.push(base);
		next = b[o];
		w.at += length;
	}
	w.problems.push('too many IPv6 extension headers');
}

const EXTENSIONS: { readonly [n: number]: 'hop-by-hop' | 'routing' | 'fragment' | 'destination' | undefined } = {
	0: 'hop-by-hop',
	43: 'routing',
	44: 'fragment',
	60: 'destination',
};
