/*
 * net/ipv4/netfilter/nf_defrag_ipv4.ts: puts fragments together before conntrack sees them.   Linux: net/ipv4/netfilter/nf_defrag_ipv4.c
 * On while somebody needs it in the namespace (conntrack, TPROXY, the socket match).
 */

import { IPS_TEMPLATE } from '../../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	NF_ACCEPT,
	NF_INET_LOCAL_OUT,
	NF_INET_PRE_ROUTING,
	NF_IP_PRI_CONNTRACK_DEFRAG,
	NF_STOLEN,
	NFPROTO_IPV4,
} from '../../../uapi/linux/netfilter.ts';
import type { net } from '../../core/net_namespace.ts';
import type { sk_buff } from '../../core/skbuff.ts';
import {
	type nf_hook_ops,
	type nf_hook_state,
	nf_register_net_hooks,
	nf_unregister_net_hooks,
} from '../../netfilter/core.ts';
import { IP_DEFRAG_CONNTRACK_IN, IP_DEFRAG_CONNTRACK_OUT, ip_is_fragment, ip_send_check } from '../ip.ts';
import { ip_defrag } from '../ip_fragment.ts';

const IP_CT_UNTRACKED = 7;

function ipv4_conntrack_defrag(_priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	const ct = skb._nfct;
	// Seen before (loopback), or not to be tracked.
	if ((ct !== null && (ct.status & IPS_TEMPLATE) === 0) || skb._nfctinfo === IP_CT_UNTRACKED) return NF_ACCEPT;
	if (!ip_is_fragment(skb)) return NF_ACCEPT;
	const zone = ct !== null ? ct.zone : 0;
	const user = (state.hook === NF_INET_LOCAL_OUT ? IP_DEFRAG_CONNTRACK_OUT : IP_DEFRAG_CONNTRACK_IN) + zone;
	if (ip_defrag(state.net, skb, user) !== 0) return NF_STOLEN;
	ip_send_check(skb);
	skb.ignore_df = true;
	return NF_ACCEPT;
}

const ipv4_defrag_ops: readonly nf_hook_ops[] = [
	{
		hook: ipv4_conntrack_defrag,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_PRE_ROUTING,
		priority: NF_IP_PRI_CONNTRACK_DEFRAG,
		name: 'ipv4_conntrack_defrag',
	},
	{
		hook: ipv4_conntrack_defrag,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_LOCAL_OUT,
		priority: NF_IP_PRI_CONNTRACK_DEFRAG,
		name: 'ipv4_conntrack_defrag',
	},
];

/** One more user of reassembly in `net`. Return: 0. */
export function nf_defrag_ipv4_enable(net: net): number {
	if (net.ct.defrag_ipv4_users++ === 0) return nf_register_net_hooks(net, ipv4_defrag_ops);
	return 0;
}

export function nf_defrag_ipv4_disable(net: net): void {
	if (net.ct.defrag_ipv4_users > 0 && --net.ct.defrag_ipv4_users === 0) nf_unregister_net_hooks(net, ipv4_defrag_ops);
}
