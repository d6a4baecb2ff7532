/*
 * user/iptables/ext/ct.ts: -j CT and -j NOTRACK, which is CT with one flag.        Original: extensions/libxt_CT.c
 */
import {
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import {
	IPCT_ASSURED,
	IPCT_DESTROY,
	IPCT_HELPER,
	IPCT_MARK,
	IPCT_NATSEQADJ,
	IPCT_NEW,
	IPCT_PROTOINFO,
	IPCT_RELATED,
	IPCT_REPLY,
	IPCT_SECMARK,
	IPEXP_NEW,
} from '../../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	xt_ct_target_info_v1 as info,
	XT_CT_NOTRACK,
	XT_CT_NOTRACK_ALIAS,
	XT_CT_ZONE_DIR_ORIG,
	XT_CT_ZONE_DIR_REPL,
	XT_CT_ZONE_MARK,
} from '../../../uapi/linux/netfilter/xt_CT.ts';
import { parse_uint } from '../netdb.ts';
import { cstring } from '../rule.ts';
import type { xt_extension, xt_option_call } from '../xtables.ts';

const O_NOTRACK = 0;
const O_HELPER = 1;
const O_TIMEOUT = 2;
const O_CTEVENTS = 3;
const O_EXPEVENTS = 4;
const O_ZONE = 5;
const O_ZONE_ORIG = 6;
const O_ZONE_REPLY = 7;
const HELPER_SIZE = 16;
const TIMEOUT_SIZE = 32;

type event_names = readonly (readonly [string, number])[];

const CT_EVENTS: event_names = [
	['new', IPCT_NEW],
	['related', IPCT_RELATED],
	['destroy', IPCT_DESTROY],
	['reply', IPCT_REPLY],
	['assured', IPCT_ASSURED],
	['protoinfo', IPCT_PROTOINFO],
	['helper', IPCT_HELPER],
	['mark', IPCT_MARK],
	['natseqinfo', IPCT_NATSEQADJ],
	['secmark', IPCT_SECMARK],
];
const EXP_EVENTS: event_names = [['new', IPEXP_NEW]];

function parse_events(cb: xt_option_call, names: event_names): number {
	let mask = 0;
	for (const word of cb.arg.split(',')) {
		const hit = names.find(([n]) => n === word);
		if (hit === undefined) cb.bad(`Unknown event type "${word}"`);
		mask |= 1 << hit[1];
	}
	return mask;
}

function events_text(mask: number, names: event_names): string {
	return names
		.filter(([, bit]) => (mask & (1 << bit)) !== 0)
		.map(([n]) => n)
		.join(',');
}

function parse_zone(cb: xt_option_call, dir: number): void {
	let flags = get_unaligned_le16(cb.data, info.flags) | dir;
	if (cb.arg === 'mark') {
		flags |= XT_CT_ZONE_MARK;
		put_unaligned_le16(cb.data, info.zone, 0);
	} else {
		const zone = parse_uint(cb.arg, 0xffff);
		if (zone < 0) cb.bad(`Cannot parse ${cb.arg} as a zone ID`);
		put_unaligned_le16(cb.data, info.zone, zone);
	}
	put_unaligned_le16(cb.data, info.flags, flags);
}

function parse(cb: xt_option_call): void {
	const d = cb.data;
	switch (cb.entry.id) {
		case O_NOTRACK:
			put_unaligned_le16(d, info.flags, get_unaligned_le16(d, info.flags) | XT_CT_NOTRACK);
			break;
		case O_CTEVENTS:
			put_unaligned_le32(d, info.ct_events, parse_events(cb, CT_EVENTS));
			break;
		case O_EXPEVENTS:
			put_unaligned_le32(d, info.exp_events, parse_events(cb, EXP_EVENTS));
			break;
		case O_ZONE:
			parse_zone(cb, 0);
			break;
		case O_ZONE_ORIG:
			parse_zone(cb, XT_CT_ZONE_DIR_ORIG);
			break;
		case O_ZONE_REPLY:
			parse_zone(cb, XT_CT_ZONE_DIR_REPL);
			break;
		default:
			break;
	}
}

function text(d: Uint8Array, prefix: string): string {
	const flags = get_unaligned_le16(d, info.flags);
	let s = '';
	if ((flags & XT_CT_NOTRACK) !== 0) s += ` ${prefix}notrack`;
	const helper = cstring(d, info.helper, HELPER_SIZE);
	if (helper !== '') s += ` ${prefix}helper ${helper}`;
	const timeout = cstring(d, info.timeout, TIMEOUT_SIZE);
	if (timeout !== '') s += ` ${prefix}timeout ${timeout}`;
	const events = get_unaligned_le32(d, info.ct_events);
	if (events !== 0) s += ` ${prefix}ctevents ${events_text(events, CT_EVENTS)}`;
	const exp = get_unaligned_le32(d, info.exp_events);
	if (exp !== 0) s += ` ${prefix}expevents ${events_text(exp, EXP_EVENTS)}`;
	const zone = get_unaligned_le16(d, info.zone);
	const mark = (flags & XT_CT_ZONE_MARK) !== 0;
	if (mark || zone !== 0) {
		const dir = flags & (XT_CT_ZONE_DIR_ORIG | XT_CT_ZONE_DIR_REPL);
		const which = dir === XT_CT_ZONE_DIR_ORIG ? '-orig' : dir === XT_CT_ZONE_DIR_REPL ? '-reply' : '';
		s += ` ${prefix}zone${which} ${mark ? 'mark' : zone}`;
	}
	return s;
}

function is_alias(d: Uint8Array): boolean {
	return (get_unaligned_le16(d, info.flags) & XT_CT_NOTRACK_ALIAS) !== 0;
}

export const ct_tg_reg: xt_extension = {
	kind: 'target',
	name: 'CT',
	revision: 2,
	size: info.sizeof,
	userspacesize: info.ct,
	options: [
		{ name: 'notrack', id: O_NOTRACK, type: 'none' },
		{ name: 'helper', id: O_HELPER, type: 'string', put: info.helper, size: HELPER_SIZE },
		{ name: 'timeout', id: O_TIMEOUT, type: 'string', put: info.timeout, size: TIMEOUT_SIZE },
		{ name: 'ctevents', id: O_CTEVENTS, type: 'string' },
		{ name: 'expevents', id: O_EXPEVENTS, type: 'string' },
		{ name: 'zone-orig', id: O_ZONE_ORIG, type: 'string' },
		{ name: 'zone-reply', id: O_ZONE_REPLY, type: 'string' },
		{ name: 'zone', id: O_ZONE, type: 'string' },
	],
	help: [
		'--notrack',
		'--helper name',
		'--timeout name',
		'--ctevents event[,event...]',
		'--expevents event[,event...]',
		'--zone|--zone-orig|--zone-reply {ID|mark}',
	],
	parse,
	print: (d) => ` CT${text(d, '')}`,
	save: (d) => text(d, '--'),
	alias: (d) => !is_alias(d),
};

export const notrack_tg_reg: xt_extension = {
	kind: 'target',
	name: 'NOTRACK',
	kernel_name: 'CT',
	revision: 2,
	size: info.sizeof,
	userspacesize: info.ct,
	options: [],
	init(d) {
		put_unaligned_le16(d, info.flags, XT_CT_NOTRACK | XT_CT_NOTRACK_ALIAS);
	},
	print: () => ' NOTRACK',
	save: () => '',
	alias: is_alias,
};
