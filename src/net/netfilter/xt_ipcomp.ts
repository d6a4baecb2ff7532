/*
 * net/netfilter/xt_ipcomp.ts: match ipcomp: which compression (CPI).    Linux: net/netfilter/xt_ipcomp.c
 * RFC 3173 3 (next header, flags, CPI).
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { XT_IPCOMP_INV_MASK, XT_IPCOMP_INV_SPI, xt_ipcomp } from '../../uapi/linux/netfilter/xt_ipcomp.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { type sk_buff, skb_copy_bits } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

const IPPROTO_COMP = 108;

interface ipcomp_info {
	min: number;
	max: number;
	invert: boolean;
}

function ipcomp_parse(b: Uint8Array): ipcomp_info | number {
	const inv = b[xt_ipcomp.invflags];
	if ((inv & ~XT_IPCOMP_INV_MASK) !== 0) return -EINVAL;
	return {
		min: get_unaligned_le32(b, xt_ipcomp.spis),
		max: get_unaligned_le32(b, xt_ipcomp.spis + 4),
		invert: (inv & XT_IPCOMP_INV_SPI) !== 0,
	};
}

function comp_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as ipcomp_info;
	if (par.fragoff !== 0) return false;
	const h = new Uint8Array(4);
	if (skb_copy_bits(skb, skb.network_header - skb.data + par.thoff, h, 0, 4) < 0) {
		par.hotdrop = true;
		return false;
	}
	const cpi = get_unaligned_be16(h, 2);
	return (cpi >= info.min && cpi <= info.max) !== info.invert;
}

export function ipcomp_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'ipcomp',
		revision: 0,
		family: NFPROTO_IPV4,
		matchsize: xt_ipcomp.sizeof,
		proto: IPPROTO_COMP,
		parse: ipcomp_parse,
		match: comp_mt,
	});
}
