/*
 * net/netfilter/xt_string.ts: match string: bytes anywhere in a packet.    Linux: net/netfilter/xt_string.c
 * The algorithm's name (bm, kmp) is kept for userland; the search is the same.
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le16 } from '../../lib/byteorder.ts';
import { EINVAL, ENOENT } from '../../uapi/asm-generic/errno.ts';
import {
	XT_STRING_FLAG_IGNORECASE,
	XT_STRING_FLAG_INVERT,
	XT_STRING_MAX_PATTERN_SIZE,
	xt_string_info,
} from '../../uapi/linux/netfilter/xt_string.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import { type sk_buff, skb_copy_bits } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface string_info {
	from: number;
	to: number;
	pattern: Uint8Array;
	icase: boolean;
	invert: boolean;
}

const upper = (c: number): number => (c >= 0x61 && c <= 0x7a ? c - 32 : c);

function string_parse(b: Uint8Array): string_info | number {
	const o = xt_string_info;
	const from = get_unaligned_le16(b, o.from_offset);
	const to = get_unaligned_le16(b, o.to_offset);
	const len = b[o.patlen];
	const flags = b[o.v1_flags];
	if (from > to || len === 0 || len > XT_STRING_MAX_PATTERN_SIZE) return -EINVAL;
	if (b[o.algo + 15] !== 0 || (flags & ~(XT_STRING_FLAG_INVERT | XT_STRING_FLAG_IGNORECASE)) !== 0) return -EINVAL;
	let algo = '';
	for (let i = 0; b[o.algo + i] !== 0; i++) algo += String.fromCharCode(b[o.algo + i]);
	if (algo !== 'bm' && algo !== 'kmp' && algo !== 'fsm') return -ENOENT;
	const icase = (flags & XT_STRING_FLAG_IGNORECASE) !== 0;
	const pattern = b.slice(o.pattern, o.pattern + len);
	if (icase) for (let i = 0; i < len; i++) pattern[i] = upper(pattern[i]);
	return { from, to, pattern, icase, invert: (flags & XT_STRING_FLAG_INVERT) !== 0 };
}

function find(b: Uint8Array, at: number, end: number, p: Uint8Array, icase: boolean): boolean {
	const last = end - p.length;
	for (let i = at; i <= last; i++) {
		let k = 0;
		if (icase) while (k < p.length && upper(b[i + k]) === p[k]) k++;
		else while (k < p.length && b[i + k] === p[k]) k++;
		if (k === p.length) return true;
	}
	return false;
}

function string_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as string_info;
	const end = Math.min(info.to, skb.len);
	let hit = false;
	if (info.from < end) {
		if (skb.data_len === 0) hit = find(skb.head, skb.data + info.from, skb.data + end, info.pattern, info.icase);
		else {
			const flat = new Uint8Array(end);
			skb_copy_bits(skb, 0, flat, 0, end);
			hit = find(flat, info.from, end, info.pattern, info.icase);
		}
	}
	return hit !== info.invert;
}

export function string_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'string',
		revision: 1,
		family: NFPROTO_UNSPEC,
		matchsize: xt_string_info.sizeof,
		usersize: xt_string_info.config,
		parse: string_parse,
		match: string_mt,
	});
}
