/*
 * packet/filter/lexer.ts: the words of the pcap filter language. pcap-filter(7).
 * The longest word wins, so "len-14" is one name, and "len - 14" three words.
 */

export class FilterError extends Error {
	constructor(message: string) {
		super(message);
		this.name = 'FilterError';
	}
}

export const SYNTAX = "can't parse filter expression: syntax error";

export type Kind = 'num' | 'hid' | 'hid6' | 'eid' | 'id' | 'word' | 'op' | 'end';

export interface Token {
	readonly kind: Kind;
	readonly text: string;
	readonly value: number;
}

export const PROTOCOLS: ReadonlySet<string> = new Set([
	'ether',
	'link',
	'fddi',
	'tr',
	'wlan',
	'ppp',
	'slip',
	'ip',
	'ip6',
	'arp',
	'rarp',
	'tcp',
	'udp',
	'sctp',
	'icmp',
	'icmp6',
	'igmp',
	'igrp',
	'pim',
	'vrrp',
	'carp',
	'ah',
	'esp',
	'stp',
	'lat',
	'mopdl',
	'moprc',
]);

const OTHER_WORDS: ReadonlySet<string> = new Set([
	'host',
	'net',
	'port',
	'portrange',
	'proto',
	'protochain',
	'gateway',
	'mask',
	'src',
	'dst',
	'and',
	'or',
	'not',
	'less',
	'greater',
	'len',
	'length',
	'broadcast',
	'multicast',
	'inbound',
	'outbound',
	'vlan',
]);

/** Words of the language that we don't have: they are refused by name. */
export const UNSUPPORTED: ReadonlySet<string> = new Set([
	'protochain',
	'gateway',
	'mpls',
	'pppoed',
	'pppoes',
	'geneve',
	'decnet',
	'atalk',
	'aarp',
	'iso',
	'esis',
	'isis',
	'clnp',
	'ipx',
	'netbeui',
	'llc',
	'radio',
	'lane',
	'byte',
	'ifname',
	'rnr',
	'rset',
	'rulenum',
	'action',
	'reason',
	'on',
]);

/** Names of numbers: offsets and values in ICMP and TCP headers. */
const CONSTANTS: { readonly [name: string]: number } = {
	icmptype: 0,
	icmpcode: 1,
	'icmp-echoreply': 0,
	'icmp-unreach': 3,
	'icmp-sourcequench': 4,
	'icmp-redirect': 5,
	'icmp-echo': 8,
	'icmp-routeradvert': 9,
	'icmp-routersolicit': 10,
	'icmp-timxceed': 11,
	'icmp-paramprob': 12,
	'icmp-tstamp': 13,
	'icmp-tstampreply': 14,
	'icmp-ireq': 15,
	'icmp-ireqreply': 16,
	'icmp-maskreq': 17,
	'icmp-maskreply': 18,
	icmp6type: 0,
	icmp6code: 1,
	'icmp6-destinationunreach': 1,
	'icmp6-packettoobig': 2,
	'icmp6-timeexceeded': 3,
	'icmp6-parameterproblem': 4,
	'icmp6-echo': 128,
	'icmp6-echoreply': 129,
	'icmp6-multicastlistenerquery': 130,
	'icmp6-multicastlistenerreportv1': 131,
	'icmp6-multicastlistenerdone': 132,
	'icmp6-routersolicit': 133,
	'icmp6-routeradvert': 134,
	'icmp6-neighborsolicit': 135,
	'icmp6-neighboradvert': 136,
	'icmp6-redirect': 137,
	tcpflags: 13,
	'tcp-fin': 1,
	'tcp-syn': 2,
	'tcp-rst': 4,
	'tcp-push': 8,
	'tcp-ack': 16,
	'tcp-urg': 32,
	'tcp-ece': 64,
	'tcp-cwr': 128,
};

const PATTERNS: readonly (readonly [Kind, RegExp])[] = [
	['eid', /(?:[0-9a-fA-F]{1,2}[:.-]){5}[0-9a-fA-F]{1,2}(?![0-9a-fA-F:.])/y],
	['hid6', /[0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4})*(?:(?<=:)\d+\.\d+\.\d+\.\d+)?/y],
	['num', /0[xX][0-9a-fA-F]+(?![\w.])|[0-9]+(?![\w.])/y],
	['hid', /[0-9]+(?:\.[0-9]+){1,3}/y],
	['id', /\\[^ !()\n\t]+|[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/y],
	['op', /<<|>>|<=|>=|==|!=|&&|\|\||[()[\]:&|^+\-*/%<>=!]/y],
];

/** All the words of an expression, ended by an 'end'. Throws FilterError. */
export function words(text: string): Token[] {
	const out: Token[] = [];
	let at = 0;
	let inIndex = 0;
	while (at < text.length) {
		if (/\s/.test(text[at])) {
			at++;
			continue;
		}
		let best: Token | null = null;
		for (const [kind, pattern] of PATTERNS) {
			// Inside brackets a colon gives a size: "tcp[0:2]".
			if (inIndex > 0 && (kind === 'hid6' || kind === 'eid')) continue;
			pattern.lastIndex = at;
			const m = pattern.exec(text);
			if (m === null || m[0].length <= (best?.text.length ?? 0)) continue;
			if (kind === 'hid6' && (m[0].split(':').length < 3 || m[0] === ':')) continue;
			best = { kind, text: m[0], value: 0 };
		}
		if (best === null) throw new FilterError(SYNTAX);
		at += best.text.length;
		if (best.text === '[') inIndex++;
		if (best.text === ']') inIndex--;
		out.push(classify(best));
		if (out.length > 20000) throw new FilterError('filter expression is too long');
	}
	out.push({ kind: 'end', text: '', value: 0 });
	return out;
}

function classify(t: Token): Token {
	if (t.kind === 'num') {
		const octal = /^0[0-7]+$/.test(t.text);
		const value = octal ? Number.parseInt(t.text, 8) : Number(t.text);
		if (value > 0xffffffff) throw new FilterError(`number ${t.text} overflows 32 bits`);
		return { ...t, value };
	}
	if (t.kind !== 'id') return t;
	if (t.text.startsWith('\\')) return { ...t, text: t.text.slice(1) };
	if (Object.hasOwn(CONSTANTS, t.text)) return { kind: 'num', text: t.text, value: CONSTANTS[t.text] };
	if (PROTOCOLS.has(t.text) || OTHER_WORDS.has(t.text) || UNSUPPORTED.has(t.text)) return { ...t, kind: 'word' };
	return t;
}
