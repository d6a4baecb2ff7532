/*
 * net/netfilter/xt_pkttype.ts: match pkttype: to us, to all, to a group.    Linux: net/netfilter/xt_pkttype.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { PACKET_BROADCAST, PACKET_LOOPBACK, PACKET_MULTICAST } from '../../uapi/linux/if_packet.ts';
import { xt_pkttype_info } from '../../uapi/linux/netfilter/xt_pkttype.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface pkttype_info {
	pkttype: number;
	invert: boolean;
}

function pkttype_parse(b: Uint8Array): pkttype_info {
	return {
		pkttype: get_unaligned_le32(b, xt_pkttype_info.pkttype),
		invert: get_unaligned_le32(b, xt_pkttype_info.invert) !== 0,
	};
}

function pkttype_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as pkttype_info;
	let type = skb.pkt_type;
	// A copy of what we sent ourselves: told apart by its address.
	if (type === PACKET_LOOPBACK)
		type = (skb.head[skb.network_header + 16] & 0xf0) === 0xe0 ? PACKET_MULTICAST : PACKET_BROADCAST;
	return (type === info.pkttype) !== info.invert;
}

export function pkttype_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'pkttype',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_pkttype_info.sizeof,
		parse: pkttype_parse,
		match: pkttype_mt,
	});
}
