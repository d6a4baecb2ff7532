/*
 * net/netfilter/xt_mac.ts: match mac: the Ethernet source.         Linux: net/netfilter/xt_mac.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { ARPHRD_ETHER } from '../../uapi/linux/if_arp.ts';
import { xt_mac_info } from '../../uapi/linux/netfilter/xt_mac.ts';
import { NF_INET_FORWARD, NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING, NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

const ETH_HLEN = 14;

interface mac_info {
	srcaddr: Uint8Array;
	invert: boolean;
}

function mac_parse(b: Uint8Array): mac_info {
	return { srcaddr: b.slice(0, 6), invert: get_unaligned_le32(b, xt_mac_info.invert) !== 0 };
}

function mac_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as mac_info;
	const m = skb.mac_header;
	if (skb.dev === null || skb.dev.type !== ARPHRD_ETHER) return false;
	if (m < 0 || m + ETH_HLEN > skb.data) return false;
	let same = true;
	for (let i = 0; i < 6; i++) if (skb.head[m + 6 + i] !== info.srcaddr[i]) same = false;
	return same !== info.invert;
}

export function mac_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'mac',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_mac_info.sizeof,
		hooks: (1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_LOCAL_IN) | (1 << NF_INET_FORWARD),
		parse: mac_parse,
		match: mac_mt,
	});
}
