/*
 * net/netfilter/xt_mark.ts: match mark and target MARK.            Linux: net/netfilter/xt_mark.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { xt_mark_mtinfo1, xt_mark_tginfo2 } from '../../uapi/linux/netfilter/xt_mark.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_match, xt_register_target } from './x_tables.ts';

interface mark_info {
	mark: number;
	mask: number;
	invert: boolean;
}

function mark_parse(b: Uint8Array): mark_info {
	return {
		mark: get_unaligned_le32(b, xt_mark_mtinfo1.mark),
		mask: get_unaligned_le32(b, xt_mark_mtinfo1.mask),
		invert: b[xt_mark_mtinfo1.invert] !== 0,
	};
}

function mark_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as mark_info;
	return ((skb.mark & info.mask) >>> 0 === info.mark) !== info.invert;
}

function mark_tg_parse(b: Uint8Array): mark_info {
	return {
		mark: get_unaligned_le32(b, xt_mark_tginfo2.mark),
		mask: get_unaligned_le32(b, xt_mark_tginfo2.mask),
		invert: false,
	};
}

function mark_tg(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as mark_info;
	skb.mark = ((skb.mark & ~info.mask) ^ info.mark) >>> 0;
	return XT_CONTINUE;
}

export function mark_mt_init(machine: Machine): number {
	xt_register_target(machine, {
		name: 'MARK',
		revision: 2,
		family: NFPROTO_UNSPEC,
		targetsize: xt_mark_tginfo2.sizeof,
		parse: mark_tg_parse,
		target: mark_tg,
	});
	return xt_register_match(machine, {
		name: 'mark',
		revision: 1,
		family: NFPROTO_UNSPEC,
		matchsize: xt_mark_mtinfo1.sizeof,
		parse: mark_parse,
		match: mark_mt,
	});
}
