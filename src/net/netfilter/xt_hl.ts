/*
 * net/netfilter/xt_hl.ts: match ttl.                               Linux: net/netfilter/xt_hl.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import {
	IPT_TTL_EQ,
	IPT_TTL_GT,
	IPT_TTL_LT,
	IPT_TTL_NE,
	ipt_ttl_info,
} from '../../uapi/linux/netfilter_ipv4/ipt_ttl.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface ttl_info {
	mode: number;
	ttl: number;
}

function ttl_parse(b: Uint8Array): ttl_info | number {
	if (b[ipt_ttl_info.mode] > IPT_TTL_GT) return -EINVAL;
	return { mode: b[ipt_ttl_info.mode], ttl: b[ipt_ttl_info.ttl] };
}

function ttl_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as ttl_info;
	const ttl = skb.head[skb.network_header + 8];
	switch (info.mode) {
		case IPT_TTL_EQ:
			return ttl === info.ttl;
		case IPT_TTL_NE:
			return ttl !== info.ttl;
		case IPT_TTL_LT:
			return ttl < info.ttl;
		default:
			return ttl > info.ttl;
	}
}

export function hl_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'ttl',
		revision: 0,
		family: NFPROTO_IPV4,
		matchsize: ipt_ttl_info.sizeof,
		parse: ttl_parse,
		match: ttl_mt,
	});
}
