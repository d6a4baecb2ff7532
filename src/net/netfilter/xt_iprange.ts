/*
 * net/netfilter/xt_iprange.ts: match iprange.                      Linux: net/netfilter/xt_iprange.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be32 } from '../../lib/byteorder.ts';
import {
	IPRANGE_DST,
	IPRANGE_DST_INV,
	IPRANGE_SRC,
	IPRANGE_SRC_INV,
	xt_iprange_mtinfo,
} from '../../uapi/linux/netfilter/xt_iprange.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface iprange_info {
	src_min: number;
	src_max: number;
	dst_min: number;
	dst_max: number;
	flags: number;
}

function iprange_parse(b: Uint8Array): iprange_info {
	return {
		src_min: get_unaligned_be32(b, xt_iprange_mtinfo.src_min),
		src_max: get_unaligned_be32(b, xt_iprange_mtinfo.src_max),
		dst_min: get_unaligned_be32(b, xt_iprange_mtinfo.dst_min),
		dst_max: get_unaligned_be32(b, xt_iprange_mtinfo.dst_max),
		flags: b[xt_iprange_mtinfo.flags],
	};
}

function iprange_mt4(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as iprange_info;
	const h = skb.network_header;
	if ((info.flags & IPRANGE_SRC) !== 0) {
		const a = get_unaligned_be32(skb.head, h + 12);
		if ((a >= info.src_min && a <= info.src_max) === ((info.flags & IPRANGE_SRC_INV) !== 0)) return false;
	}
	if ((info.flags & IPRANGE_DST) !== 0) {
		const a = get_unaligned_be32(skb.head, h + 16);
		if ((a >= info.dst_min && a <= info.dst_max) === ((info.flags & IPRANGE_DST_INV) !== 0)) return false;
	}
	return true;
}

export function iprange_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'iprange',
		revision: 1,
		family: NFPROTO_IPV4,
		matchsize: xt_iprange_mtinfo.sizeof,
		parse: iprange_parse,
		match: iprange_mt4,
	});
}
