/*
 * net/netfilter/xt_u32.ts: match u32: words of the packet, found by small programs.    Linux: net/netfilter/xt_u32.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be32, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_U32_AND,
	XT_U32_LEFTSH,
	XT_U32_MAXSIZE,
	XT_U32_RIGHTSH,
	xt_u32,
	xt_u32_test,
} from '../../uapi/linux/netfilter/xt_u32.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import { type sk_buff, skb_copy_bits } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface u32_test {
	/** number, then pairs of an operator and a number. */
	numbers: Uint32Array;
	ops: Uint8Array;
	/** Pairs of least and most. */
	values: Uint32Array;
}

interface u32_info {
	tests: u32_test[];
	invert: boolean;
	word: Uint8Array;
}

function u32_parse(b: Uint8Array): u32_info | number {
	const tests: u32_test[] = [];
	const n = b[xt_u32.ntests];
	if (n > XT_U32_MAXSIZE + 1) return -EINVAL;
	for (let i = 0; i < n; i++) {
		const t = xt_u32.tests + i * xt_u32_test.sizeof;
		const nnums = b[t + xt_u32_test.nnums];
		const nvalues = b[t + xt_u32_test.nvalues];
		if (nnums > XT_U32_MAXSIZE + 1 || nvalues > XT_U32_MAXSIZE + 1) return -EINVAL;
		const test = { numbers: new Uint32Array(nnums), ops: new Uint8Array(nnums), values: new Uint32Array(nvalues * 2) };
		for (let k = 0; k < nnums; k++) {
			test.numbers[k] = get_unaligned_le32(b, t + xt_u32_test.location + k * 8);
			test.ops[k] = b[t + xt_u32_test.location + k * 8 + 4];
		}
		for (let k = 0; k < nvalues * 2; k++) test.values[k] = get_unaligned_le32(b, t + xt_u32_test.value + k * 4);
		tests.push(test);
	}
	return { tests, invert: b[xt_u32.invert] !== 0, word: new Uint8Array(4) };
}

/** The word that a location names; -1 when it is not in the packet. */
function u32_word(skb: sk_buff, test: u32_test, word: Uint8Array): number {
	const base = skb.network_header - skb.data;
	const len = skb.len - base;
	let pos = test.numbers[0];
	let at = 0;
	if (len < 4 || pos > len - 4) return -1;
	skb_copy_bits(skb, base + pos, word, 0, 4);
	let val = get_unaligned_be32(word, 0);
	for (let i = 1; i < test.numbers.length; i++) {
		const number = test.numbers[i];
		switch (test.ops[i]) {
			case XT_U32_AND:
				val = (val & number) >>> 0;
				break;
			case XT_U32_LEFTSH:
				val = (val << number) >>> 0;
				break;
			case XT_U32_RIGHTSH:
				val >>>= number;
				break;
			default:
				at += val;
				pos = number;
				if (at + 4 > len || pos > len - at - 4) return -1;
				skb_copy_bits(skb, base + at + pos, word, 0, 4);
				val = get_unaligned_be32(word, 0);
		}
	}
	return val;
}

function u32_match_it(skb: sk_buff, info: u32_info): boolean {
	for (const test of info.tests) {
		const val = u32_word(skb, test, info.word);
		if (val < 0) return false;
		let hit = false;
		for (let k = 0; k < test.values.length && !hit; k += 2) hit = test.values[k] <= val && val <= test.values[k + 1];
		if (!hit) return false;
	}
	return true;
}

function u32_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as u32_info;
	return u32_match_it(skb, info) !== info.invert;
}

export function u32_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'u32',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_u32.sizeof,
		parse: u32_parse,
		match: u32_mt,
	});
}
