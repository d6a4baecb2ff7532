/*
 * net/ipv4/ip_forward.ts: sends on what is not for us.             Linux: net/ipv4/ip_forward.c
 *
 * Walk: dst_input -> ip_forward (TTL, MTU, redirect) -> NF_INET_FORWARD -> ip_forward_finish (options) -> dst_output
 * RFC 1812 5.2, 5.3.1 (TTL), 4.2.2.7 (don't fragment), 4.3.3.2 (redirects), 5.3.13 (options).    Not here yet: xfrm, switchdev marks.
 */

import { trace_event, trace_fn } from '../../kernel/trace.ts';
import {
	ICMP_DEST_UNREACH,
	ICMP_EXC_TTL,
	ICMP_FRAG_NEEDED,
	ICMP_SR_FAILED,
	ICMP_TIME_EXCEEDED,
} from '../../uapi/linux/icmp.ts';
import { PACKET_HOST } from '../../uapi/linux/if_packet.ts';
import { NF_INET_FORWARD, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPSTATS_MIB_FRAGFAILS, IPSTATS_MIB_INHDRERRORS, IPSTATS_MIB_OUTFORWDATAGRAMS } from '../../uapi/linux/snmp.ts';
import { NET_RX_DROP, NET_RX_SUCCESS } from '../core/dev.ts';
import {
	SKB_DROP_REASON_IP_INHDR,
	SKB_DROP_REASON_NOMEM,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_PKT_TOO_BIG,
} from '../core/dropreason.ts';
import { dst_output } from '../core/dst.ts';
import type { net } from '../core/net_namespace.ts';
import {
	CHECKSUM_COMPLETE,
	CHECKSUM_NONE,
	IPSKB_DOREDIRECT,
	IPSKB_FORWARDED,
	kfree_skb_reason,
	type sk_buff,
	skb_cow,
	skb_is_gso,
} from '../core/skbuff.ts';
import { IP_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import { NF_HOOK } from '../netfilter/core.ts';
import { icmp_send } from './icmp.ts';
import {
	IP_DF,
	ip_decrease_ttl,
	ip_dst_mtu_maybe_forward,
	ip_hdr_frag_off,
	ip_hdr_tos,
	ip_hdr_ttl,
	rt_tos2priority,
	skb_gso_network_seglen,
} from './ip.ts';
import { ip_call_ra_chain } from './ip_input.ts';
import { ip_forward_options } from './ip_options.ts';
import { ip_rt_send_redirect, type rtable } from './route.ts';

/** Whether the packet may not be forwarded for its size: larger than the next link's MTU and not to be cut. */
export function ip_exceeds_mtu(skb: sk_buff, mtu: number): boolean {
	if (skb.len <= mtu) return false;
	if ((ip_hdr_frag_off(skb) & IP_DF) === 0) return false;
	// What we put together from fragments larger than the MTU was sent in sizes that the next link cannot carry.
	if (skb.ipcb.frag_max_size > mtu) return true;
	if (skb.ignore_df) return false;
	return !(skb_is_gso(skb) && skb_gso_network_seglen(skb) <= mtu);
}

function ip_forward_finish(n: net, sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_forward_finish');
	if (skb.ipcb.opt !== null) ip_forward_options(skb);
	skb.tstamp = -1;
	return dst_output(n, sk, skb);
}

/** Checks TTL and MTU, takes one off the TTL and hands on. Context: softirq; consumes skb. */
export function ip_forward(skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_forward');
	// What came as a link-layer broadcast is not forwarded (RFC 1812 5.3.4); nor what a local socket has claimed.
	if (skb.pkt_type !== PACKET_HOST || skb.sk !== null) return ip_forward_drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	const parm = skb.ipcb;
	if (parm.opt !== null && parm.opt.router_alert !== 0 && ip_call_ra_chain(skb)) return NET_RX_SUCCESS;
	if (skb.ip_summed === CHECKSUM_COMPLETE) skb.ip_summed = CHECKSUM_NONE;

	const n = skb.dev!.net;
	// RFC 1812 5.3.1: a router must not pass on what would leave with TTL 0; it says Time Exceeded.
	if (ip_hdr_ttl(skb) <= 1) {
		IP_INC_STATS(n, IPSTATS_MIB_INHDRERRORS);
		if (skb.journey !== null) trace_event(skb, 'note', 'ip_forward', { counter: 'IpInHdrErrors' });
		icmp_send(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
		return ip_forward_drop(skb, SKB_DROP_REASON_IP_INHDR);
	}
	const rt = skb._skb_refdst as rtable;
	if (parm.opt !== null && parm.opt.is_strictroute && rt.rt_uses_gateway) {
		// A strict route's next stop must be a neighbour.
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0);
		return ip_forward_drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	}
	// RFC 4293 ipForwDatagrams: those that an attempt was made to forward.
	IP_INC_STATS(n, IPSTATS_MIB_OUTFORWDATAGRAMS);
	parm.flags |= IPSKB_FORWARDED;
	const mtu = ip_dst_mtu_maybe_forward(rt, true);
	if (skb.len > mtu && ip_exceeds_mtu(skb, mtu)) {
		IP_INC_STATS(n, IPSTATS_MIB_FRAGFAILS);
		if (skb.journey !== null) trace_event(skb, 'note', 'ip_forward', { counter: 'IpFragFails', mtu });
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
		return ip_forward_drop(skb, SKB_DROP_REASON_PKT_TOO_BIG);
	}
	// The header is about to be written.
	if (skb_cow(skb, 16 + rt.dev.hard_header_len + rt.header_len) < 0) return ip_forward_drop(skb, SKB_DROP_REASON_NOMEM);
	ip_decrease_ttl(skb);
	if ((parm.flags & IPSKB_DOREDIRECT) !== 0 && (parm.opt === null || parm.opt.srr === 0)) ip_rt_send_redirect(skb);
	if (n.ipv4.sysctl_ip_fwd_update_priority !== 0) skb.priority = rt_tos2priority(ip_hdr_tos(skb));
	return NF_HOOK(NFPROTO_IPV4, NF_INET_FORWARD, n, null, skb, skb.dev, rt.dev, ip_forward_finish);
}

function ip_forward_drop(skb: sk_buff, reason: number): number {
	kfree_skb_reason(skb, reason, 'ip_forward');
	return NET_RX_DROP;
}
