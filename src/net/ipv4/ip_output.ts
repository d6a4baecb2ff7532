/*
 * net/ipv4/ip_output.ts: IPv4 packets go out.                      Linux: net/ipv4/ip_output.c
 *
 * Walk: ip_queue_xmit, ip_send_skb, ip_build_and_send_pkt -> ip_local_out -> NF_INET_LOCAL_OUT -> dst_output: ip_output or ip_mc_output
 *       -> NF_INET_POST_ROUTING -> ip_finish_output (fragments: ip_do_fragment) -> ip_finish_output2 -> neigh_output
 *       Sockets build packets in ip_append.ts.
 * RFC 791 2.3 and 3.2 (fragmentation), RFC 1122 3.3.2, RFC 6864 (identification).
 * Not here yet: BPF on cgroups, lwtunnel, xfrm.
 */

import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import { EHOSTUNREACH, EINVAL, EMSGSIZE, ENOBUFS } from '../../uapi/asm-generic/errno.ts';
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED } from '../../uapi/linux/icmp.ts';
import { ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import { NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { RTN_BROADCAST, RTN_MULTICAST } from '../../uapi/linux/rtnetlink.ts';
import {
	IPSTATS_MIB_FRAGCREATES,
	IPSTATS_MIB_FRAGFAILS,
	IPSTATS_MIB_FRAGOKS,
	IPSTATS_MIB_OUTBCASTOCTETS,
	IPSTATS_MIB_OUTBCASTPKTS,
	IPSTATS_MIB_OUTDISCARDS,
	IPSTATS_MIB_OUTMCASTOCTETS,
	IPSTATS_MIB_OUTMCASTPKTS,
	IPSTATS_MIB_OUTNOROUTES,
	IPSTATS_MIB_OUTOCTETS,
	IPSTATS_MIB_OUTPKTS,
	IPSTATS_MIB_OUTREQUESTS,
} from '../../uapi/linux/snmp.ts';
import { dev_loopback_xmit, skb_checksum_help } from '../core/dev.ts';
import {
	SKB_DROP_REASON_IP_OUTNOROUTES,
	SKB_DROP_REASON_NEIGH_CREATEFAIL,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_PKT_TOO_BIG,
	SKB_DROP_REASON_SKB_GSO_SEG,
} from '../core/dropreason.ts';
import { dst_output } from '../core/dst.ts';
import { type flowi4, flowi4_init_output } from '../core/flow.ts';
import { skb_gso_segment } from '../core/gso.ts';
import { neigh_confirm, neigh_output } from '../core/neighbour.ts';
import type { net } from '../core/net_namespace.ts';
import { NETIF_F_GSO } from '../core/netdevice.ts';
import {
	alloc_skb,
	CHECKSUM_NONE,
	CHECKSUM_PARTIAL,
	consume_skb,
	IPSKB_FORWARDED,
	IPSKB_FRAG_COMPLETE,
	IPSKB_FRAG_PMTU,
	IPSKB_REROUTED,
	kfree_skb_reason,
	pskb_expand_head,
	type sk_buff,
	skb_clone,
	skb_cloned,
	skb_copy_bits,
	skb_headlen,
	skb_push,
	skb_put,
	skb_reserve,
	skb_reset_network_header,
} from '../core/skbuff.ts';
import { IP_INC_STATS, IP_UPD_PO_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import { NF_HOOK, NF_HOOK_COND, nf_hook } from '../netfilter/core.ts';
import { inet_sk } from './af_inet.ts';
import { icmp_send } from './icmp.ts';
import {
	IP_DF,
	IP_IDENTS,
	IP_MF,
	IP_OFFSET,
	ip_dont_fragment,
	ip_hdr_daddr,
	ip_hdr_frag_off,
	ip_hdr_protocol,
	ip_hdr_saddr,
	ip_hdr_set_daddr,
	ip_hdr_set_frag_off,
	ip_hdr_set_id,
	ip_hdr_set_saddr,
	ip_hdr_set_tot_len,
	ip_hdr_ttl,
	ip_hdrlen,
	ip_idents,
	ip_select_ttl,
	ip_send_check,
	ip_skb_dst_mtu,
	skb_gso_network_seglen,
} from './ip.ts';
import { type ip_options, ip_options_build, ip_options_fragment } from './ip_options.ts';
import {
	ip_neigh_for_gw,
	ip_route_output_flow,
	RTCF_BROADCAST,
	RTCF_LOCAL,
	RTCF_MULTICAST,
	type rtable,
} from './route.ts';
import { trace_output_route } from './route_trace.ts';

// ---- identification --------------------------------------------------------------------------------------------------------------

/**
 * The next id for packets to that receiver: a counter among many, moved on at random while idle so that it tells little of what else we send
 * (RFC 6864 4.1 asks for uniqueness within a packet's lifetime only).
 */
export function __ip_select_ident(n: net, skb: sk_buff, segs: number): void {
	const hash = jhash_3words(ip_hdr_daddr(skb), ip_hdr_saddr(skb), ip_hdr_protocol(skb), n.ipv4.ip_id_key);
	const t = (n.ipv4.ip_idents ??= new ip_idents(n.machine.random));
	const slot = hash & (IP_IDENTS - 1);
	const now = n.machine.jiffies;
	const idle = now - t.stamps[slot];
	let id = t.ids[slot];
	if (idle > 0) {
		id += n.machine.random.below(Math.min(idle, 0xffff));
		t.stamps[slot] = now;
	}
	t.ids[slot] = id + segs;
	ip_hdr_set_id(skb, id & 0xffff);
}

/** Sets the id: a connected socket counts its own; what may not be cut needs none. */
export function ip_select_ident_segs(n: net, skb: sk_buff, sk: sock | null, segs: number): void {
	if (sk !== null && sk.inet !== null && sk.inet.inet_daddr !== 0) {
		const inet = sk.inet;
		ip_hdr_set_id(skb, inet.inet_id & 0xffff);
		inet.inet_id = (inet.inet_id + segs) & 0xffff;
		return;
	}
	if ((ip_hdr_frag_off(skb) & IP_DF) !== 0 && !skb.ignore_df) ip_hdr_set_id(skb, 0);
	else __ip_select_ident(n, skb, segs);
}

export function ip_select_ident(n: net, skb: sk_buff, sk: sock | null): void {
	ip_select_ident_segs(n, skb, sk, 1);
}

// ---- locally made packets --------------------------------------------------------------------------------------------------------

/** Completes the header and runs LOCAL_OUT. Return: 1 when the caller goes on with dst_output, else the packet is gone. */
export function __ip_local_out(n: net, sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, '__ip_local_out');
	IP_INC_STATS(n, IPSTATS_MIB_OUTREQUESTS);
	// What is longer than the field can say will be cut before it leaves.
	ip_hdr_set_tot_len(skb, skb.len <= 0xffff ? skb.len : 0);
	ip_send_check(skb);
	skb.protocol = ETH_P_IP;
	if (skb.journey !== null) trace_output_route(skb, '__ip_local_out');
	return nf_hook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, n, sk, skb, null, skb._skb_refdst!.dev, dst_output);
}

/** Sends a routed packet that was made here. Consumes skb. Return: 0 or -errno. */
export function ip_local_out(n: net, sk: sock | null, skb: sk_buff): number {
	const err = __ip_local_out(n, sk, skb);
	return err === 1 ? dst_output(n, sk, skb) : err;
}

/** ip_local_out that counts what was not sent. Consumes skb. Return: 0 or -errno. */
export function ip_send_skb(n: net, skb: sk_buff): number {
	let err = ip_local_out(n, skb.sk, skb);
	if (err !== 0) {
		// A queue that drops or is congested is not the sender's error unless it asked.
		if (err > 0) err = err === 2 ? 0 : -ENOBUFS;
		if (err !== 0) IP_INC_STATS(n, IPSTATS_MIB_OUTDISCARDS);
	}
	return err;
}

function ip_write_header(
	skb: sk_buff,
	opt: ip_options | null,
	tos: number,
	frag_off: number,
	ttl: number,
	protocol: number,
	saddr: number,
	daddr: number,
): void {
	const h = skb_push(skb, 20 + (opt !== null ? opt.optlen : 0));
	skb_reset_network_header(skb);
	const b = skb.head;
	b[h] = 0x40 | (5 + (opt !== null ? opt.optlen >> 2 : 0));
	b[h + 1] = tos;
	b[h + 4] = 0;
	b[h + 5] = 0;
	ip_hdr_set_frag_off(skb, frag_off);
	b[h + 8] = ttl;
	b[h + 9] = protocol;
	ip_hdr_set_saddr(skb, saddr);
	ip_hdr_set_daddr(skb, daddr);
}

/** Puts a header in front of a transport segment whose route is in skb and sends it (a SYN-ACK, say). Consumes skb. */
export function ip_build_and_send_pkt(
	skb: sk_buff,
	sk: sock,
	saddr: number,
	daddr: number,
	opt: ip_options | null,
	tos: number,
): number {
	const inet = inet_sk(sk);
	const rt = skb._skb_refdst as rtable;
	const n = sk.net;
	const df = ip_dont_fragment(sk, rt);
	const to = opt !== null && opt.srr !== 0 ? opt.faddr : daddr;
	ip_write_header(skb, opt, tos, df ? IP_DF : 0, ip_select_ttl(inet, rt), sk.sk_protocol, saddr, to);
	if (!df || skb.len > 576) __ip_select_ident(n, skb, 1);
	if (opt !== null && opt.optlen > 0) ip_options_build(skb, opt, daddr, rt);
	skb.priority = sk.sk_priority;
	if (skb.mark === 0) skb.mark = sk.sk_mark;
	return ip_local_out(n, skb.sk, skb);
}

/** Routes (by `fl4`, unless the socket holds a route) and sends a connected socket's transport segment. Consumes skb. */
export function __ip_queue_xmit(sk: sock, skb: sk_buff, fl4: flowi4, tos: number): number {
	const inet = inet_sk(sk);
	const n = sk.net;
	const opt = inet.inet_opt;
	let rt = skb._skb_refdst as rtable | null;
	if (rt === null) {
		rt = sk.sk_dst_cache as rtable | null;
		if (rt !== null && rt.obsolete !== 0 && rt.ops.check(rt, 0) === null) rt = null;
		if (rt === null) {
			const daddr = opt !== null && opt.srr !== 0 ? opt.faddr : inet.inet_daddr;
			flowi4_init_output(
				fl4,
				sk.sk_bound_dev_if,
				sk.sk_mark,
				tos & 0xfc,
				0,
				sk.sk_protocol,
				0,
				daddr,
				inet.inet_saddr,
				inet.inet_dport,
				inet.inet_sport,
				sk.sk_uid,
			);
			const r = ip_route_output_flow(n, fl4, sk);
			if (typeof r === 'number') {
				IP_INC_STATS(n, IPSTATS_MIB_OUTNOROUTES);
				if (skb.journey !== null) trace_event(skb, 'note', '__ip_queue_xmit', { counter: 'IpOutNoRoutes', errno: r });
				kfree_skb_reason(skb, SKB_DROP_REASON_IP_OUTNOROUTES, '__ip_queue_xmit');
				return -EHOSTUNREACH;
			}
			rt = r;
			sk.sk_dst_cache = rt;
		}
		skb._skb_refdst = rt;
	}
	if (opt !== null && opt.is_strictroute && rt.rt_uses_gateway) {
		IP_INC_STATS(n, IPSTATS_MIB_OUTNOROUTES);
		kfree_skb_reason(skb, SKB_DROP_REASON_IP_OUTNOROUTES, '__ip_queue_xmit');
		return -EHOSTUNREACH;
	}
	const df = ip_dont_fragment(sk, rt) && !skb.ignore_df;
	ip_write_header(skb, opt, tos, df ? IP_DF : 0, ip_select_ttl(inet, rt), sk.sk_protocol, fl4.saddr, fl4.daddr);
	ip_select_ident_segs(n, skb, sk, Math.max(skb.shinfo.gso_segs, 1));
	if (opt !== null && opt.optlen > 0) ip_options_build(skb, opt, inet.inet_daddr, rt);
	skb.priority = sk.sk_priority;
	skb.mark = sk.sk_mark;
	return ip_local_out(n, sk, skb);
}

export function ip_queue_xmit(sk: sock, skb: sk_buff, fl4: flowi4): number {
	return __ip_queue_xmit(sk, skb, fl4, inet_sk(sk).tos);
}

// ---- to the wire -----------------------------------------------------------------------------------------------------------------

/** Hands the packet to its next hop's neighbour. Consumes skb. */
export function ip_finish_output2(n: net, _sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_finish_output2');
	const rt = skb._skb_refdst as rtable;
	const dev = rt.dev;
	if (rt.rt_type === RTN_MULTICAST) IP_UPD_PO_STATS(n, IPSTATS_MIB_OUTMCASTPKTS, IPSTATS_MIB_OUTMCASTOCTETS, skb.len);
	else if (rt.rt_type === RTN_BROADCAST)
		IP_UPD_PO_STATS(n, IPSTATS_MIB_OUTBCASTPKTS, IPSTATS_MIB_OUTBCASTOCTETS, skb.len);
	IP_UPD_PO_STATS(n, IPSTATS_MIB_OUTPKTS, IPSTATS_MIB_OUTOCTETS, skb.len);
	if (skb.data < dev.hard_header_len && dev.header_ops !== null)
		pskb_expand_head(skb, ((dev.hard_header_len + 15) & ~15) - skb.data + 16, 0);
	const neigh = ip_neigh_for_gw(rt, skb);
	if (neigh === null) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NEIGH_CREATEFAIL, 'ip_finish_output2');
		return -EINVAL;
	}
	const owner = skb.sk;
	if (owner !== null && owner.sk_dst_pending_confirm) {
		owner.sk_dst_pending_confirm = false;
		neigh_confirm(neigh);
	}
	return neigh_output(neigh, skb, false);
}

function ip_finish_output_gso(n: net, sk: sock | null, skb: sk_buff, mtu: number): number {
	if (skb_gso_network_seglen(skb) <= mtu) return ip_finish_output2(n, sk, skb);
	// Segments larger than the link carries: cut here, then fragment each (RFC 1812 4.2.2.7).
	const segs = skb_gso_segment(skb, skb.dev!.features & ~NETIF_F_GSO);
	if (typeof segs === 'number' || segs === null) {
		kfree_skb_reason(skb, SKB_DROP_REASON_SKB_GSO_SEG, 'ip_finish_output_gso');
		return -EINVAL;
	}
	consume_skb(skb);
	let ret = 0;
	let seg: sk_buff | null = segs;
	while (seg !== null) {
		const next: sk_buff | null = seg.next;
		seg.next = null;
		const err = ip_fragment(n, sk, seg, mtu);
		if (err !== 0 && ret === 0) ret = err;
		seg = next;
	}
	return ret;
}

/** Cuts what is too large for the link, and sends. Consumes skb. */
export function ip_finish_output(n: net, sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_finish_output');
	const mtu = ip_skb_dst_mtu(sk, skb);
	if (skb.shinfo.gso_size !== 0) return ip_finish_output_gso(n, sk, skb, mtu);
	if (skb.len > mtu || skb.ipcb.frag_max_size !== 0) return ip_fragment(n, sk, skb, mtu);
	return ip_finish_output2(n, sk, skb);
}

/** A route's output for unicast. Context: softirq or process; consumes skb. */
export function ip_output(n: net, sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_output');
	const indev = skb.dev;
	const dev = skb._skb_refdst!.dev;
	skb.dev = dev;
	skb.protocol = ETH_P_IP;
	if ((skb.ipcb.flags & IPSKB_REROUTED) !== 0 || n.nf.hooks[NFPROTO_IPV4][NF_INET_POST_ROUTING] === null)
		return ip_finish_output(n, sk, skb);
	return NF_HOOK(NFPROTO_IPV4, NF_INET_POST_ROUTING, n, sk, skb, indev, dev, ip_finish_output);
}

function ip_mc_finish_output(n: net, sk: sock | null, skb: sk_buff): number {
	return dev_loopback_xmit(n, sk, skb);
}

/** Whether the socket wants to hear its own multicasts. */
export function sk_mc_loop(sk: sock | null): boolean {
	return sk === null || sk.inet === null || sk.inet.mc_loop;
}

/** A route's output for multicast and broadcast: also loops a copy back to listeners here. Consumes skb. */
export function ip_mc_output(n: net, sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_mc_output');
	const rt = skb._skb_refdst as rtable;
	const dev = rt.dev;
	skb.dev = dev;
	skb.protocol = ETH_P_IP;
	if ((rt.rt_flags & RTCF_MULTICAST) !== 0) {
		if (sk_mc_loop(sk) && ((rt.rt_flags & RTCF_LOCAL) !== 0 || (skb.ipcb.flags & IPSKB_FORWARDED) === 0)) {
			const copy = skb_clone(skb);
			NF_HOOK(NFPROTO_IPV4, NF_INET_POST_ROUTING, n, sk, copy, null, copy.dev, ip_mc_finish_output);
		}
		// RFC 1112 6.1: TTL 0 is for this host only.
		if (ip_hdr_ttl(skb) === 0) {
			kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'ip_mc_output');
			return 0;
		}
	}
	if ((rt.rt_flags & RTCF_BROADCAST) !== 0) {
		const copy = skb_clone(skb);
		NF_HOOK(NFPROTO_IPV4, NF_INET_POST_ROUTING, n, sk, copy, null, copy.dev, ip_mc_finish_output);
	}
	return NF_HOOK_COND(
		NFPROTO_IPV4,
		NF_INET_POST_ROUTING,
		n,
		sk,
		skb,
		null,
		skb.dev,
		ip_finish_output,
		(skb.ipcb.flags & IPSKB_REROUTED) === 0,
	);
}

// ---- fragmentation ---------------------------------------------------------------------------------------------------------------

function ip_fragment(n: net, sk: sock | null, skb: sk_buff, mtu: number): number {
	if ((ip_hdr_frag_off(skb) & IP_DF) === 0) return ip_do_fragment(n, sk, skb, ip_finish_output2);
	if (!skb.ignore_df || skb.ipcb.frag_max_size > mtu) {
		IP_INC_STATS(n, IPSTATS_MIB_FRAGFAILS);
		if (skb.journey !== null) trace_event(skb, 'note', 'ip_fragment', { counter: 'IpFragFails', mtu });
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
		kfree_skb_reason(skb, SKB_DROP_REASON_PKT_TOO_BIG, 'ip_fragment');
		return -EMSGSIZE;
	}
	return ip_do_fragment(n, sk, skb, ip_finish_output2);
}

function ip_copy_metadata(to: sk_buff, from: sk_buff): void {
	to.pkt_type = from.pkt_type;
	to.priority = from.priority;
	to.protocol = from.protocol;
	to.skb_iif = from.skb_iif;
	to._skb_refdst = from._skb_refdst;
	to.dev = from.dev;
	to.mark = from.mark;
	to.hash = from.hash;
	to.l4_hash = from.l4_hash;
	to._nfct = from._nfct;
	to._nfctinfo = from._nfctinfo;
	to.nf_trace = from.nf_trace;
	to.secmark = from.secmark;
	to.ipcb.iif = from.ipcb.iif;
	to.ipcb.flags = from.ipcb.flags;
	to.ipcb.opt = from.ipcb.opt;
}

export type ip_fragment_output_t = (net: net, sk: sock | null, skb: sk_buff) => number;

/** Whether the pieces that the packet was put together from can be sent as they are. */
function frag_list_fits(skb: sk_buff, hlen: number, mtu: number): boolean {
	let frag = skb.shinfo.frag_list;
	if (frag === null) return false;
	let first = skb_headlen(skb);
	for (let i = 0; i < skb.shinfo.nr_frags; i++) first += skb.shinfo.frags[i].size;
	if (first - hlen > mtu || ((first - hlen) & 7) !== 0 || (ip_hdr_frag_off(skb) & (IP_MF | IP_OFFSET)) !== 0)
		return false;
	if (skb_cloned(skb)) return false;
	for (; frag !== null; frag = frag.next) {
		if (frag.len > mtu || ((frag.len & 7) !== 0 && frag.next !== null)) return false;
		if (frag.data < hlen + 16 + skb.dev!.hard_header_len || frag.users !== 1 || skb_cloned(frag)) return false;
	}
	return true;
}

/** Cuts the packet into fragments and hands each to `output`. Consumes skb. Return: 0, or the first -errno. */
export function ip_do_fragment(n: net, sk: sock | null, skb: sk_buff, output: ip_fragment_output_t): number {
	if (skb.ip_summed === CHECKSUM_PARTIAL) {
		const err = skb_checksum_help(skb);
		if (err < 0) return ip_fragment_fail(n, skb, err);
	}
	let mtu = ip_skb_dst_mtu(sk, skb);
	const parm = skb.ipcb;
	if (parm.frag_max_size !== 0 && parm.frag_max_size < mtu) mtu = parm.frag_max_size;
	const hlen = ip_hdrlen(skb);
	mtu -= hlen;
	parm.flags |= IPSKB_FRAG_COMPLETE;
	const df = (parm.flags & IPSKB_FRAG_PMTU) !== 0 ? IP_DF : 0;
	if (skb.journey !== null) trace_event(skb, 'frag', 'ip_do_fragment', { mtu: mtu + hlen, len: skb.len, df: df !== 0 });
	if (skb.shinfo.frag_list !== null && frag_list_fits(skb, hlen, mtu))
		return ip_fragment_fast(n, sk, skb, hlen, df, output);
	return ip_fragment_slow(n, sk, skb, hlen, mtu, df, output);
}

function ip_fragment_fail(n: net, skb: sk_buff, err: number): number {
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'ip_do_fragment');
	IP_INC_STATS(n, IPSTATS_MIB_FRAGFAILS);
	return err;
}

/** Sends the pieces of frag_list, each behind a copy of the header. */
function ip_fragment_fast(
	n: net,
	sk: sock | null,
	skb: sk_buff,
	hlen: number,
	df: number,
	output: ip_fragment_output_t,
): number {
	let frag = skb.shinfo.frag_list;
	skb.shinfo.frag_list = null;
	let rest = 0;
	for (let f = frag; f !== null; f = f.next) rest += f.len;
	skb.len -= rest;
	skb.data_len -= rest;
	let offset = 0;
	ip_hdr_set_tot_len(skb, skb.len);
	ip_hdr_set_frag_off(skb, IP_MF | df);
	ip_send_check(skb);
	let err = 0;
	let cur: sk_buff | null = skb;
	while (cur !== null) {
		const next: sk_buff | null = frag;
		if (next !== null) {
			frag = next.next;
			next.next = null;
			next.ip_summed = CHECKSUM_NONE;
			next.transport_header = next.data;
			const h = skb_push(next, hlen);
			skb_reset_network_header(next);
			next.head.set(cur.head.subarray(cur.network_header, cur.network_header + hlen), h);
			ip_copy_metadata(next, cur);
			if (offset === 0) ip_options_fragment(next);
			offset += cur.len - hlen;
			ip_hdr_set_frag_off(next, (offset >> 3) | df | (frag !== null ? IP_MF : 0));
			ip_hdr_set_tot_len(next, next.len);
			ip_send_check(next);
		}
		cur.ipcb.frag_max_size = 0;
		const e: number = output(n, sk, cur);
		IP_INC_STATS(n, IPSTATS_MIB_FRAGCREATES);
		if (e !== 0) {
			err = e;
			let f: sk_buff | null = next;
			while (f !== null) {
				const after: sk_buff | null = f === next ? frag : f.next;
				f.next = null;
				kfree_skb_reason(f, SKB_DROP_REASON_NOT_SPECIFIED, 'ip_do_fragment');
				f = after;
			}
			break;
		}
		cur = next;
	}
	IP_INC_STATS(n, err === 0 ? IPSTATS_MIB_FRAGOKS : IPSTATS_MIB_FRAGFAILS);
	return err;
}

/** Copies the payload out into new packets of at most `mtu` bytes of payload. */
function ip_fragment_slow(
	n: net,
	sk: sock | null,
	skb: sk_buff,
	hlen: number,
	mtu: number,
	df: number,
	output: ip_fragment_output_t,
): number {
	const field = ip_hdr_frag_off(skb);
	let offset = (field & IP_OFFSET) << 3;
	const last_mf = field & IP_MF;
	let left = skb.len - hlen;
	let at = hlen;
	const room = (skb._skb_refdst!.dev.hard_header_len + 31) & ~15;
	// Not even eight bytes fit behind this header: such a link cannot carry it.
	if (mtu < 8) return ip_fragment_fail(n, skb, -EMSGSIZE);
	while (left > 0) {
		let len = Math.min(left, mtu);
		// RFC 791 3.2: all fragments but the last carry a multiple of eight bytes.
		if (len < left) len &= ~7;
		const f = alloc_skb(n.machine, len + hlen + room, skb);
		ip_copy_metadata(f, skb);
		skb_reserve(f, room);
		const h = skb_put(f, len + hlen);
		skb_reset_network_header(f);
		f.transport_header = h + hlen;
		f.head.set(skb.head.subarray(skb.network_header, skb.network_header + hlen), h);
		skb_copy_bits(skb, at, f.head, h + hlen, len);
		left -= len;
		ip_hdr_set_frag_off(f, (offset >> 3) | df | (left > 0 ? IP_MF : last_mf));
		if (offset === 0) ip_options_fragment(skb);
		at += len;
		offset += len;
		ip_hdr_set_tot_len(f, len + hlen);
		ip_send_check(f);
		if (skb.sk !== null) f.sk = skb.sk;
		const err = output(n, sk, f);
		if (err !== 0) return ip_fragment_fail(n, skb, err);
		IP_INC_STATS(n, IPSTATS_MIB_FRAGCREATES);
	}
	consume_skb(skb);
	IP_INC_STATS(n, IPSTATS_MIB_FRAGOKS);
	return 0;
}
