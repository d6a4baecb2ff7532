/*
 * net/netfilter/xt_statistic.ts: match statistic: by chance, or every so many packets.    Linux: net/netfilter/xt_statistic.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_STATISTIC_INVERT,
	XT_STATISTIC_MASK,
	XT_STATISTIC_MODE_MAX,
	XT_STATISTIC_MODE_RANDOM,
	xt_statistic_info,
} from '../../uapi/linux/netfilter/xt_statistic.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface statistic_info {
	random: boolean;
	/** Of 2^31. */
	probability: number;
	every: number;
	count: number;
	invert: boolean;
}

function statistic_parse(b: Uint8Array): statistic_info | number {
	const o = xt_statistic_info;
	const mode = get_unaligned_le16(b, o.mode);
	const flags = get_unaligned_le16(b, o.flags);
	if (mode > XT_STATISTIC_MODE_MAX || (flags & ~XT_STATISTIC_MASK) !== 0) return -EINVAL;
	return {
		random: mode === XT_STATISTIC_MODE_RANDOM,
		probability: get_unaligned_le32(b, o.probability),
		every: get_unaligned_le32(b, o.every),
		count: get_unaligned_le32(b, o.count),
		invert: (flags & XT_STATISTIC_INVERT) !== 0,
	};
}

function statistic_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as statistic_info;
	if (info.random) return (skb.machine.random.u32() & 0x7fffffff) < info.probability !== info.invert;
	info.count = info.count === info.every ? 0 : info.count + 1;
	return (info.count === 0) !== info.invert;
}

export function statistic_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'statistic',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_statistic_info.sizeof,
		usersize: xt_statistic_info.master,
		parse: statistic_parse,
		match: statistic_mt,
	});
}
