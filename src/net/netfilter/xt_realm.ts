/*
 * net/netfilter/xt_realm.ts: match realm: of the packet's route.   Linux: net/netfilter/xt_realm.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { xt_realm_info } from '../../uapi/linux/netfilter/xt_realm.ts';
import {
	NF_INET_FORWARD,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NFPROTO_UNSPEC,
} from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { skb_rtable } from '../ipv4/route.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface realm_info {
	id: number;
	mask: number;
	invert: boolean;
}

function realm_parse(b: Uint8Array): realm_info {
	const o = xt_realm_info;
	return { id: get_unaligned_le32(b, o.id), mask: get_unaligned_le32(b, o.mask), invert: b[o.invert] !== 0 };
}

function realm_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as realm_info;
	return (info.id === (skb_rtable(skb)!.tclassid & info.mask) >>> 0) !== info.invert;
}

export function realm_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'realm',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_realm_info.sizeof,
		hooks: (1 << NF_INET_POST_ROUTING) | (1 << NF_INET_FORWARD) | (1 << NF_INET_LOCAL_OUT) | (1 << NF_INET_LOCAL_IN),
		parse: realm_parse,
		match: realm_mt,
	});
}
