/*
 * net/netfilter/nf_conntrack_proto.ts: conntrack's hooks, on while somebody needs them.   Linux: net/netfilter/nf_conntrack_proto.c
 * A namespace tracks from the first nf_ct_netns_get (an iptables rule that matches on conntrack or translates) to the last put.
 */
import { KERN_WARNING, printk } from '../../kernel/printk.ts';
import { IP_CT_RELATED_REPLY } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	NF_ACCEPT,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NF_INET_PRE_ROUTING,
	NF_IP_PRI_CONNTRACK,
	NF_IP_PRI_CONNTRACK_CONFIRM,
	NFPROTO_IPV4,
} from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { ip_is_fragment, ip_ntop } from '../ipv4/ip.ts';
import { nf_defrag_ipv4_disable, nf_defrag_ipv4_enable } from '../ipv4/netfilter/nf_defrag_ipv4.ts';
import { type nf_hook_ops, type nf_hook_state, nf_register_net_hooks, nf_unregister_net_hooks } from './core.ts';
import { nf_conntrack_confirm, nf_conntrack_in, trace_invalid } from './nf_conntrack_core.ts';

/** Says (nf_conntrack_log_invalid) why a packet is INVALID. */
export function nf_ct_l4proto_log_invalid(skb: sk_buff, state: nf_hook_state, protonum: number, why: string): void {
	if (skb.journey !== null) trace_invalid(skb, why);
	const which = state.net.ct.sysctl_log_invalid;
	if (which !== protonum && which !== 255) return;
	const b = skb.head;
	const n = skb.network_header;
	const src = ip_ntop(((b[n + 12] << 24) | (b[n + 13] << 16) | (b[n + 14] << 8) | b[n + 15]) >>> 0);
	const dst = ip_ntop(((b[n + 16] << 24) | (b[n + 17] << 16) | (b[n + 18] << 8) | b[n + 19]) >>> 0);
	const ins = state.in !== null ? state.in.name : '';
	const outs = state.out !== null ? state.out.name : '';
	printk(
		skb.machine,
		KERN_WARNING,
		`nf_ct_proto_${protonum}: ${why} IN=${ins} OUT=${outs} SRC=${src} DST=${dst} LEN=${skb.len} PROTO=${protonum}`,
	);
}

function ipv4_conntrack_in(_priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	return nf_conntrack_in(skb, state);
}

function ipv4_conntrack_local(_priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	// A fragment that a raw socket sent with IP_NODEFRAG.
	if (ip_is_fragment(skb)) return NF_ACCEPT;
	return nf_conntrack_in(skb, state);
}

/** Helpers have their say, then the entry is confirmed. */
function nf_confirm(_priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	const ct = skb._nfct;
	if (ct === null) return NF_ACCEPT;
	if (skb._nfctinfo !== IP_CT_RELATED_REPLY && ct.ext !== null && ct.ext.help !== null) {
		const verdict = ct.ext.help.helper.help(skb, state, ct, skb._nfctinfo);
		if (verdict !== NF_ACCEPT) return verdict;
	}
	return nf_conntrack_confirm(skb);
}

const ipv4_conntrack_ops: readonly nf_hook_ops[] = [
	{
		hook: ipv4_conntrack_in,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_PRE_ROUTING,
		priority: NF_IP_PRI_CONNTRACK,
		name: 'ipv4_conntrack_in',
	},
	{
		hook: ipv4_conntrack_local,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_LOCAL_OUT,
		priority: NF_IP_PRI_CONNTRACK,
		name: 'ipv4_conntrack_local',
	},
	{
		hook: nf_confirm,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_POST_ROUTING,
		priority: NF_IP_PRI_CONNTRACK_CONFIRM,
		name: 'nf_confirm',
	},
	{
		hook: nf_confirm,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_LOCAL_IN,
		priority: NF_IP_PRI_CONNTRACK_CONFIRM,
		name: 'nf_confirm',
	},
];

/** One more user of tracking in `net`; the first turns it on. Return: 0 or -errno. */
export function nf_ct_netns_get(net: net, nfproto: number): number {
	if (nfproto !== NFPROTO_IPV4) return 0;
	if (net.ct.users4++ > 0) return 0;
	nf_defrag_ipv4_enable(net);
	return nf_register_net_hooks(net, ipv4_conntrack_ops);
}

/** One user less; the last turns it off. Entries stay until their time is over. */
export function nf_ct_netns_put(net: net, nfproto: number): void {
	if (nfproto !== NFPROTO_IPV4 || net.ct.users4 === 0) return;
	if (--net.ct.users4 > 0) return;
	nf_unregister_net_hooks(net, ipv4_conntrack_ops);
	nf_defrag_ipv4_disable(net);
}
