/*
 * net/netfilter/xt_DSCP_tg.ts: targets DSCP and TOS.               Linux: net/netfilter/xt_DSCP.c
 * RFC 2474 (DSCP: the upper six bits), RFC 3168 (the two below are ECN's).
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, put_unaligned_be16 } from '../../lib/byteorder.ts';
import { csum_replace2 } from '../../lib/checksum.ts';
import { EDOM } from '../../uapi/asm-generic/errno.ts';
import { XT_DSCP_MAX, XT_DSCP_SHIFT, xt_DSCP_info, xt_tos_target_info } from '../../uapi/linux/netfilter/xt_dscp.ts';
import { NF_DROP, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { type sk_buff, skb_ensure_writable } from '../core/skbuff.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_targets } from './x_tables.ts';

/** Writes the byte and the header's checksum. Return: a verdict. */
function change_dsfield(skb: sk_buff, tos: number): number {
	const old = skb.head[skb.network_header + 1];
	if (tos === old) return XT_CONTINUE;
	if (skb_ensure_writable(skb, skb.network_header - skb.data + 20) < 0) return NF_DROP;
	const b = skb.head;
	const n = skb.network_header;
	put_unaligned_be16(b, n + 10, csum_replace2(get_unaligned_be16(b, n + 10), old, tos));
	b[n + 1] = tos;
	return XT_CONTINUE;
}

function dscp_parse(b: Uint8Array): { dscp: number } | number {
	const dscp = b[xt_DSCP_info.dscp];
	return dscp > XT_DSCP_MAX ? -EDOM : { dscp };
}

function dscp_tg(skb: sk_buff, par: xt_action_param): number {
	const { dscp } = par.targinfo as { dscp: number };
	return change_dsfield(skb, (skb.head[skb.network_header + 1] & 3) | (dscp << XT_DSCP_SHIFT));
}

interface tos_info {
	value: number;
	mask: number;
}

function tos_parse(b: Uint8Array): tos_info {
	return { value: b[xt_tos_target_info.tos_value], mask: b[xt_tos_target_info.tos_mask] };
}

function tos_tg(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as tos_info;
	return change_dsfield(skb, (skb.head[skb.network_header + 1] & ~info.mask) ^ info.value);
}

export function dscp_tg_init(machine: Machine): number {
	return xt_register_targets(machine, [
		{
			name: 'DSCP',
			revision: 0,
			family: NFPROTO_IPV4,
			targetsize: xt_DSCP_info.sizeof,
			table: 'mangle',
			parse: dscp_parse,
			target: dscp_tg,
		},
		{
			name: 'TOS',
			revision: 1,
			family: NFPROTO_IPV4,
			targetsize: xt_tos_target_info.sizeof,
			table: 'mangle',
			parse: tos_parse,
			target: tos_tg,
		},
	]);
}
