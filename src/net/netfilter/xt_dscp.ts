/*
 * net/netfilter/xt_dscp.ts: matches dscp and tos.                  Linux: net/netfilter/xt_dscp.c
 * RFC 2474 3 (the DSCP is the upper six bits of the old TOS byte).
 */
import type { Machine } from '../../kernel/machine.ts';
import { EDOM } from '../../uapi/asm-generic/errno.ts';
import { XT_DSCP_MAX, XT_DSCP_SHIFT, xt_dscp_info, xt_tos_match_info } from '../../uapi/linux/netfilter/xt_dscp.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_matches } from './x_tables.ts';

interface tos_info {
	value: number;
	mask: number;
	invert: boolean;
}

function dscp_parse(b: Uint8Array): tos_info | number {
	if (b[xt_dscp_info.dscp] > XT_DSCP_MAX) return -EDOM;
	return { value: b[xt_dscp_info.dscp], mask: 0xff, invert: b[xt_dscp_info.invert] !== 0 };
}

function dscp_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as tos_info;
	return (skb.head[skb.network_header + 1] >> XT_DSCP_SHIFT === info.value) !== info.invert;
}

function tos_parse(b: Uint8Array): tos_info {
	const o = xt_tos_match_info;
	return { value: b[o.tos_value], mask: b[o.tos_mask], invert: b[o.invert] !== 0 };
}

function tos_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as tos_info;
	return ((skb.head[skb.network_header + 1] & info.mask) === info.value) !== info.invert;
}

export function dscp_mt_init(machine: Machine): number {
	return xt_register_matches(machine, [
		{
			name: 'dscp',
			revision: 0,
			family: NFPROTO_IPV4,
			matchsize: xt_dscp_info.sizeof,
			parse: dscp_parse,
			match: dscp_mt,
		},
		{
			name: 'tos',
			revision: 1,
			family: NFPROTO_IPV4,
			matchsize: xt_tos_match_info.sizeof,
			parse: tos_parse,
			match: tos_mt,
		},
	]);
}
