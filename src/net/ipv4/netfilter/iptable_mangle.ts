/*
 * net/ipv4/netfilter/iptable_mangle.ts: the table mangle: changes packets.         Linux: net/ipv4/netfilter/iptable_mangle.c
 * A packet sent from here whose addresses, mark or TOS a rule changed is routed anew.
 */
import type { Machine } from '../../../kernel/machine.ts';
import { get_unaligned_be32 } from '../../../lib/byteorder.ts';
import {
	NF_DROP,
	NF_INET_FORWARD,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NF_INET_PRE_ROUTING,
	NF_IP_PRI_MANGLE,
	NF_STOLEN,
	NF_VERDICT_MASK,
	NFPROTO_IPV4,
} from '../../../uapi/linux/netfilter.ts';
import type { net } from '../../core/net_namespace.ts';
import type { sk_buff } from '../../core/skbuff.ts';
import type { nf_hook_state } from '../../netfilter/core.ts';
import { xt_register_template, type xt_table_template } from '../../netfilter/x_tables.ts';
import { ip_route_me_harder } from '../netfilter.ts';
import { ipt_do_table, ipt_register_table } from './ip_tables.ts';

const packet_mangler: xt_table_template = {
	name: 'mangle',
	valid_hooks: 0x1f,
	af: NFPROTO_IPV4,
	priority: NF_IP_PRI_MANGLE,
	table_init: iptable_mangle_table_init,
};

/** RTN_UNSPEC: the route's type follows from the source address. */
const RTN_UNSPEC = 0;

function ipt_mangle_out(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	let h = skb.network_header;
	const mark = skb.mark;
	const saddr = get_unaligned_be32(skb.head, h + 12);
	const daddr = get_unaligned_be32(skb.head, h + 16);
	const tos = skb.head[h + 1];
	const ret = ipt_do_table(priv, skb, state);
	const verdict = ret & NF_VERDICT_MASK;
	if (verdict === NF_DROP || verdict === NF_STOLEN) return ret;
	h = skb.network_header;
	if (
		get_unaligned_be32(skb.head, h + 12) !== saddr ||
		get_unaligned_be32(skb.head, h + 16) !== daddr ||
		skb.mark !== mark ||
		skb.head[h + 1] !== tos
	) {
		const err = ip_route_me_harder(state.net, state.sk, skb, RTN_UNSPEC);
		if (err < 0) return NF_DROP | (err << 16);
	}
	return ret;
}

function iptable_mangle_hook(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	if (state.hook === NF_INET_LOCAL_OUT) return ipt_mangle_out(priv, skb, state);
	return ipt_do_table(priv, skb, state);
}

function iptable_mangle_table_init(net: net): number {
	return ipt_register_table(
		net,
		packet_mangler,
		[NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING].map(
			(hooknum) => ({
				hook: iptable_mangle_hook,
				priv: null,
				pf: NFPROTO_IPV4,
				hooknum,
				priority: NF_IP_PRI_MANGLE,
				name: 'iptable_mangle_hook',
			}),
		),
	);
}

export function iptable_mangle_init(machine: Machine): void {
	xt_register_template(machine, packet_mangler);
}
