/*
 * net/netfilter/xt_length.ts: match length: of the IP packet.      Linux: net/netfilter/xt_length.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_le16 } from '../../lib/byteorder.ts';
import { xt_length_info } from '../../uapi/linux/netfilter/xt_length.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface length_info {
	min: number;
	max: number;
	invert: boolean;
}

function length_parse(b: Uint8Array): length_info {
	return {
		min: get_unaligned_le16(b, xt_length_info.min),
		max: get_unaligned_le16(b, xt_length_info.max),
		invert: b[xt_length_info.invert] !== 0,
	};
}

function length_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as length_info;
	const len = get_unaligned_be16(skb.head, skb.network_header + 2);
	return (len >= info.min && len <= info.max) !== info.invert;
}

export function length_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'length',
		revision: 0,
		family: NFPROTO_IPV4,
		matchsize: xt_length_info.sizeof,
		parse: length_parse,
		match: length_mt,
	});
}
