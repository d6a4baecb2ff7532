/*
 * net/netfilter/xt_TEE.ts: target TEE: a copy of the packet to another host of the link.    Linux: net/netfilter/xt_TEE.c, net/ipv4/netfilter/nf_dup_ipv4.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { trace_event } from '../../kernel/trace.ts';
import { get_unaligned_be16, get_unaligned_be32, put_unaligned_be16 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { IFNAMSIZ } from '../../uapi/linux/if.ts';
import { ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import { xt_tee_tginfo } from '../../uapi/linux/netfilter/xt_TEE.ts';
import { NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { RT_SCOPE_UNIVERSE } from '../../uapi/linux/rtnetlink.ts';
import { dev_get_by_name } from '../core/dev.ts';
import { FLOWI_FLAG_KNOWN_NH, flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import { kfree_skb, pskb_copy, type sk_buff } from '../core/skbuff.ts';
import { IP_DF, ip_hdr_tos, ip_ntop } from '../ipv4/ip.ts';
import { ip_local_out } from '../ipv4/ip_output.ts';
import { ip_route_output_key } from '../ipv4/route.ts';
import { IP_CT_UNTRACKED, nf_ct_set } from './nf_conntrack_core.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_target } from './x_tables.ts';

interface tee_info {
	gw: number;
	oif: string;
}

function tee_parse(b: Uint8Array): tee_info | number {
	const o = xt_tee_tginfo;
	const gw = get_unaligned_be32(b, o.gw);
	if (gw === 0 || b[o.oif + IFNAMSIZ - 1] !== 0) return -EINVAL;
	let oif = '';
	for (let i = 0; b[o.oif + i] !== 0; i++) oif += String.fromCharCode(b[o.oif + i]);
	return { gw, oif };
}

/** Routes the copy to the gateway; its own destination stays. */
function nf_dup_ipv4_route(n: net, skb: sk_buff, gw: number, oif: number): boolean {
	const fl4 = new flowi4();
	fl4.flowi4_oif = oif;
	fl4.flowi4_iif = 1; // LOOPBACK_IFINDEX
	fl4.daddr = gw;
	fl4.flowi4_dscp = ip_hdr_tos(skb) & 0xfc;
	fl4.flowi4_scope = RT_SCOPE_UNIVERSE;
	fl4.flowi4_flags = FLOWI_FLAG_KNOWN_NH;
	const rt = ip_route_output_key(n, fl4);
	if (typeof rt === 'number') return false;
	skb._skb_refdst = rt;
	skb.dev = rt.dev;
	skb.protocol = ETH_P_IP;
	return true;
}

/** Sends a copy. Borrows skb. Context: any hook; what a copy sets off makes no copies. */
export function nf_dup_ipv4(n: net, skb: sk_buff, hooknum: number, gw: number, oif: number): void {
	const xt = n.machine.xt;
	if (xt.in_nf_duplicate) return;
	const copy = pskb_copy(skb);
	nf_ct_set(copy, null, IP_CT_UNTRACKED);
	const b = copy.head;
	const iph = copy.network_header;
	// The original goes on unfragmented as it came; the copy must not be in pieces either, and must not loop for ever.
	put_unaligned_be16(b, iph + 6, get_unaligned_be16(b, iph + 6) | IP_DF);
	if (hooknum === NF_INET_PRE_ROUTING || hooknum === NF_INET_LOCAL_IN) b[iph + 8]--;
	if (!nf_dup_ipv4_route(n, copy, gw, oif)) {
		if (skb.journey !== null) trace_event(skb, 'note', 'nf_dup_ipv4', { why: `no route to ${ip_ntop(gw)}` });
		kfree_skb(copy, 'nf_dup_ipv4');
		return;
	}
	if (skb.journey !== null) trace_event(skb, 'note', 'nf_dup_ipv4', { copied: true, to: ip_ntop(gw) });
	xt.in_nf_duplicate = true;
	ip_local_out(n, copy.sk, copy);
	xt.in_nf_duplicate = false;
}

function tee_tg4(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as tee_info;
	const n = par.state.net;
	// A device that is not there is as none.
	const dev = info.oif !== '' ? dev_get_by_name(n, info.oif) : null;
	nf_dup_ipv4(n, skb, par.state.hook, info.gw, dev !== null ? dev.ifindex : 0);
	return XT_CONTINUE;
}

export function tee_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'TEE',
		revision: 1,
		family: NFPROTO_IPV4,
		targetsize: xt_tee_tginfo.sizeof,
		usersize: xt_tee_tginfo.priv,
		parse: tee_parse,
		target: tee_tg4,
	});
}
