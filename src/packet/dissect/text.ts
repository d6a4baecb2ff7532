/*
 * packet/dissect/text.ts: headers in words.
 * Walk: describe (one line of a packet) -> fieldsOf (what of a header is compared, and under which name).
 */

import { toHex } from '../bytes.ts';
import type { Header } from './headers.ts';

const PROTOCOLS: { readonly [n: number]: string } = {
	1: 'ICMP',
	2: 'IGMP',
	4: 'IPIP',
	6: 'TCP',
	17: 'UDP',
	41: 'IPv6',
	47: 'GRE',
	50: 'ESP',
	51: 'AH',
	58: 'ICMPv6',
	89: 'OSPF',
	132: 'SCTP',
};

function hex(v: number, digits = 0): string {
	return `0x${v.toString(16).padStart(digits, '0')}`;
}

function ends(ip: { src: string; dst: string }, sport?: number, dport?: number): string {
	if (sport === undefined || dport === undefined) return `${ip.src} > ${ip.dst}`;
	return ip.src.includes(':')
		? `[${ip.src}]:${sport} > [${ip.dst}]:${dport}`
		: `${ip.src}:${sport} > ${ip.dst}:${dport}`;
}

/** One line for a packet's headers. */
export function describe(headers: readonly Header[], payload: number, total: number): string {
	const words: string[] = [];
	for (let i = 0; i < headers.length; i++) {
		const h = headers[i];
		const last = i === headers.length - 1;
		const next = headers[i + 1];
		const below = lastAddress(headers, i);
		switch (h.layer) {
			case 'ether':
				if (last) words.push(`${h.src} > ${h.dst} type ${hex(h.type, 4)}`);
				break;
			case 'sll':
				if (last) words.push(`cooked type ${hex(h.type, 4)}`);
				break;
			case 'vlan':
				words.push(`vlan ${h.id}`);
				break;
			case 'llc':
				words.push(`LLC ${hex(h.dsap)} ${hex(h.ssap)}`);
				break;
			case 'arp':
				if (h.operation === 1) words.push(`ARP who-has ${h.target} tell ${h.sender}`);
				else if (h.operation === 2) words.push(`ARP ${h.sender} is-at ${h.senderMac}`);
				else words.push(`ARP operation ${h.operation}`);
				break;
			case 'ipv4': {
				const fragment = h.mf || h.fragment > 0;
				const plain = last || next.layer === 'ipv4' || next.layer === 'ipv6' || next.layer === 'gre';
				if (plain) words.push(ends(h));
				if (plain && next?.layer !== 'gre') words.push(PROTOCOLS[h.protocol] ?? `protocol ${h.protocol}`);
				if (fragment) words.push(`frag ${h.id}:${h.totalLength - h.length}@${h.fragment}${h.mf ? '+' : ''}`);
				break;
			}
			case 'ipv6':
				if (last || next.layer === 'ipv4' || next.layer === 'ipv6' || next.layer === 'gre')
					words.push(ends(h), next?.layer === 'gre' ? '' : (PROTOCOLS[h.nextHeader] ?? `protocol ${h.nextHeader}`));
				break;
			case 'ipv6-ext':
				if (h.kind === 'fragment') words.push(`frag ${h.id}@${h.fragment}${h.mf ? '+' : ''}`);
				else words.push(h.kind);
				break;
			case 'udp':
				words.push(`${ends(below, h.sport, h.dport)} UDP`);
				if (last) words.push(`len ${h.totalLength - 8}`);
				break;
			case 'tcp':
				words.push(`${ends(below, h.sport, h.dport)} TCP ${h.flags} seq ${h.seq}`);
				if (h.flagBits & 16) words.push(`ack ${h.ack}`);
				words.push(`win ${h.window} len ${payload}`);
				break;
			case 'icmp':
			case 'icmpv6': {
				words.push(`${ends(below)} ${h.layer === 'icmp' ? 'ICMP' : 'ICMPv6'} ${h.name}`);
				if (h.id !== undefined) words.push(`id ${h.id} seq ${h.seq}`);
				if (h.mtu !== undefined) words.push(`mtu ${h.mtu}`);
				if (h.layer === 'icmp' && h.gateway !== undefined) words.push(`to ${h.gateway}`);
				if (h.layer === 'icmpv6' && h.target !== undefined) words.push(h.target);
				if (h.quoted !== undefined && h.quoted.length > 0) words.push(`(${describe(h.quoted, 0, 0)})`);
				break;
			}
			case 'igmp':
				words.push(`${ends(below)} IGMP ${h.name} ${h.records?.map((r) => r.group).join(' ') ?? h.group}`.trimEnd());
				break;
			case 'gre':
				words.push(h.key === undefined ? 'GRE' : `GRE key ${h.key}`);
				break;
			case 'esp':
				words.push(`${ends(below)} ESP spi ${hex(h.spi)} seq ${h.seq}`);
				break;
			case 'ah':
				words.push(`AH spi ${hex(h.spi)} seq ${h.seq}`);
				break;
			case 'sctp':
				words.push(`${ends(below, h.sport, h.dport)} SCTP ${h.chunks.map((c) => c.name).join(', ')}`.trimEnd());
				break;
			case 'vxlan':
				words.push(`VXLAN ${h.vni}`);
				break;
			case 'dhcp':
				words.push(
					`DHCP ${h.message === '' ? (h.op === 1 ? 'BOOTP request' : 'BOOTP reply') : h.message} ${h.clientMac}`,
				);
				if (h.yours !== '0.0.0.0') words.push(h.yours);
				break;
			case 'dns': {
				const q = h.questions[0];
				words.push(`DNS ${h.response ? 'answer' : 'query'}`);
				if (q !== undefined) words.push(`${q.type} ${q.name}`);
				if (h.response) words.push(h.answers.map((a) => a.text).join(', '));
				break;
			}
		}
	}
	if (words.length === 0) words.push(`${total} bytes`);
	return words.includes('') ? words.filter((w) => w !== '').join(' ') : words.join(' ');
}

/** The addresses of the IP header below header i. */
function lastAddress(headers: readonly Header[], i: number): { src: string; dst: string } {
	for (let k = i - 1; k >= 0; k--) {
		const h = headers[k];
		if (h.layer === 'ipv4' || h.layer === 'ipv6') return h;
	}
	return { src: '?', dst: '?' };
}

/** The fields of a header that are compared, under the names that people are shown. */
export function fieldsOf(h: Header, all: readonly Header[]): Map<string, string> {
	const m = new Map<string, string>();
	const set = (name: string, value: string | number | boolean) => m.set(name, String(value));
	switch (h.layer) {
		case 'ether':
			set('dst mac', h.dst);
			set('src mac', h.src);
			set('type', hex(h.type, 4));
			break;
		case 'vlan':
			set('vlan', h.id);
			set('vlan priority', h.priority);
			break;
		case 'ipv4':
		case 'ipv6': {
			const l4 = all[all.indexOf(h) + 1];
			const ports = l4 !== undefined && (l4.layer === 'tcp' || l4.layer === 'udp' || l4.layer === 'sctp');
			const join = (a: string, p: number) => (a.includes(':') ? `[${a}]:${p}` : `${a}:${p}`);
			set('src', ports ? join(h.src, l4.sport) : h.src);
			set('dst', ports ? join(h.dst, l4.dport) : h.dst);
			if (h.layer === 'ipv6') {
				set('hop limit', h.hopLimit);
				set('traffic class', hex(h.trafficClass));
				set('flow label', hex(h.flowLabel));
				set('length', h.payloadLength);
				break;
			}
			set('ttl', h.ttl);
			set('tos', hex(h.tos));
			set('length', h.totalLength);
			set('id', h.id);
			set('df', h.df ? 'set' : 'clear');
			set('mf', h.mf ? 'set' : 'clear');
			set('fragment offset', h.fragment);
			set('protocol', h.protocol);
			set('options', h.options.map((o) => toHex(o.data)).join(' '));
			break;
		}
		case 'tcp':
			set('seq', h.seq);
			set('ack', h.ack);
			set('flags', h.flags);
			set('window', h.window);
			set('urgent', h.urgent);
			for (const o of h.options) if (o.type > 1) set(o.name, o.text === '' ? 'present' : o.text);
			break;
		case 'icmp':
		case 'icmpv6':
			set('icmp type', `${h.type}/${h.code}`);
			if (h.id !== undefined) set('icmp id', h.id);
			if (h.seq !== undefined) set('icmp seq', h.seq);
			if (h.mtu !== undefined) set('mtu', h.mtu);
			if (h.layer === 'icmp' && h.gateway !== undefined) set('gateway', h.gateway);
			for (const q of h.quoted ?? []) for (const [k, v] of fieldsOf(q, h.quoted!)) set(`quoted ${k}`, v);
			break;
		case 'arp':
			set('operation', h.operation);
			set('sender', `${h.sender} ${h.senderMac}`);
			set('target', `${h.target} ${h.targetMac}`);
			break;
		case 'gre':
			set('gre key', h.key ?? '');
			break;
		case 'esp':
		case 'ah':
			set('spi', hex(h.spi));
			set('seq', h.seq);
			break;
		case 'vxlan':
			set('vni', h.vni);
			break;
	}
	return m;
}
