/*
 * net/ipv4/ip_input.ts: IPv4 packets come in.                      Linux: net/ipv4/ip_input.c
 *
 * Walk: ip_rcv -> ip_rcv_core (is it sound?) -> NF_INET_PRE_ROUTING -> ip_rcv_finish (route, options) -> dst_input:
 *       ip_forward, or ip_local_deliver -> ip_defrag -> NF_INET_LOCAL_IN -> ip_protocol_deliver_rcu -> inet_protos[protocol].handler
 * RFC 791 3.1; RFC 1122 3.2.1 (what a host checks); RFC 1812 5.2.2 (what a router checks).
 * Not here yet: early demux to a connected socket, list receive (ip_list_rcv), l3mdev, xfrm policy.
 */

import type { Machine } from '../../kernel/machine.ts';
import { net_ratelimit, printk } from '../../kernel/printk.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { ip_fast_csum } from '../../lib/checksum.ts';
import { ICMP_DEST_UNREACH, ICMP_PROT_UNREACH } from '../../uapi/linux/icmp.ts';
import { ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import { PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST } from '../../uapi/linux/if_packet.ts';
import { NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { RTN_BROADCAST, RTN_MULTICAST } from '../../uapi/linux/rtnetlink.ts';
import {
	IPSTATS_MIB_INBCASTOCTETS,
	IPSTATS_MIB_INBCASTPKTS,
	IPSTATS_MIB_INCSUMERRORS,
	IPSTATS_MIB_INDELIVERS,
	IPSTATS_MIB_INDISCARDS,
	IPSTATS_MIB_INHDRERRORS,
	IPSTATS_MIB_INMCASTOCTETS,
	IPSTATS_MIB_INMCASTPKTS,
	IPSTATS_MIB_INNOECTPKTS,
	IPSTATS_MIB_INOCTETS,
	IPSTATS_MIB_INPKTS,
	IPSTATS_MIB_INTRUNCATEDPKTS,
	IPSTATS_MIB_INUNKNOWNPROTOS,
	LINUX_MIB_IPREVERSEPATHFILTER,
} from '../../uapi/linux/snmp.ts';
import { dev_add_pack, NET_RX_DROP, NET_RX_SUCCESS, packet_type } from '../core/dev.ts';
import {
	SKB_DROP_REASON_IP_CSUM,
	SKB_DROP_REASON_IP_INHDR,
	SKB_DROP_REASON_IP_NOPROTO,
	SKB_DROP_REASON_IP_RPFILTER,
	SKB_DROP_REASON_NOMEM,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_OTHERHOST,
	SKB_DROP_REASON_PKT_TOO_SMALL,
	SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST,
	SKB_NOT_DROPPED_YET,
} from '../core/dropreason.ts';
import { dst_input } from '../core/dst.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import {
	consume_skb,
	kfree_skb_reason,
	pskb_may_pull,
	pskb_trim_rcsum,
	type sk_buff,
	skb_clone,
	skb_cow,
	skb_orphan,
	skb_postpull_rcsum,
	skb_pull,
	skb_share_check,
} from '../core/skbuff.ts';
import { IP_ADD_STATS, IP_INC_STATS, IP_UPD_PO_STATS, NET_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import { NF_HOOK } from '../netfilter/core.ts';
import { icmp_send } from './icmp.ts';
import {
	__in_dev_get_rcu,
	IN_DEV_DROP_UNICAST_IN_L2_MULTICAST,
	IN_DEV_LOG_MARTIANS,
	IN_DEV_SOURCE_ROUTE,
} from './inetdevice.ts';
import {
	IP_DEFRAG_CALL_RA_CHAIN,
	IP_DEFRAG_LOCAL_DELIVER,
	ip_hdr_daddr,
	ip_hdr_protocol,
	ip_hdr_saddr,
	ip_hdr_tos,
	ip_hdrlen,
	ip_is_fragment,
	ip_ntop,
} from './ip.ts';
import { ip_defrag } from './ip_fragment.ts';
import { ip_options, ip_options_compile, ip_options_rcv_srr } from './ip_options.ts';
import { raw_local_deliver, raw_rcv } from './raw.ts';
import { ip_route_input_noref, type rtable } from './route.ts';

/** Says on the packet's journey which counter its drop has bumped. */
function note_counter(skb: sk_buff, fn: string, counter: string): void {
	if (skb.journey !== null) trace_event(skb, 'note', fn, { counter });
}

/**
 * Hands a router-alert packet to the raw sockets that asked for such (IP_ROUTER_ALERT). Context: softirq.
 * Return: true when one took it (the packet is gone), else it is still the caller's.
 */
export function ip_call_ra_chain(skb: sk_buff): boolean {
	const dev = skb.dev!;
	const n = dev.net;
	const chain = n.ipv4.ra_chain;
	if (chain.length === 0) return false;
	const protocol = ip_hdr_protocol(skb);
	let last: sock | null = null;
	for (let i = 0; i < chain.length; i++) {
		const sk = chain[i];
		if (sk.sk_protocol !== protocol) continue;
		if (sk.sk_bound_dev_if !== 0 && sk.sk_bound_dev_if !== dev.ifindex) continue;
		if (ip_is_fragment(skb) && ip_defrag(n, skb, IP_DEFRAG_CALL_RA_CHAIN) !== 0) return true;
		if (last !== null) raw_rcv(last, skb_clone(skb));
		last = sk;
	}
	if (last === null) return false;
	raw_rcv(last, skb);
	return true;
}

/**
 * Gives the packet to raw sockets and to its protocol; unknown protocols are answered. Context: softirq; consumes skb.
 * skb.data stands at the transport header.
 */
export function ip_protocol_deliver_rcu(n: net, skb: sk_buff, protocol: number): void {
	const protos = n.machine.inet.inet_protos;
	for (;;) {
		const raw = raw_local_deliver(skb, protocol);
		const ipprot = protos[protocol];
		if (ipprot === null || ipprot === undefined) {
			if (raw) {
				IP_INC_STATS(n, IPSTATS_MIB_INDELIVERS);
				consume_skb(skb);
				return;
			}
			// RFC 1122 3.2.2.1: a protocol that nobody speaks is answered with code 2.
			IP_INC_STATS(n, IPSTATS_MIB_INUNKNOWNPROTOS);
			note_counter(skb, 'ip_protocol_deliver_rcu', 'IpInUnknownProtos');
			icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
			kfree_skb_reason(skb, SKB_DROP_REASON_IP_NOPROTO, 'ip_protocol_deliver_rcu');
			return;
		}
		const ret = ipprot.handler(skb);
		if (ret <= 0) break;
		protocol = ret;
	}
	IP_INC_STATS(n, IPSTATS_MIB_INDELIVERS);
}

function ip_local_deliver_finish(n: net, _sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_local_deliver_finish');
	const protocol = ip_hdr_protocol(skb);
	const hlen = skb.transport_header - skb.network_header;
	skb_postpull_rcsum(skb, skb.data, hlen);
	if (skb_pull(skb, hlen) < 0) {
		IP_INC_STATS(n, IPSTATS_MIB_INDISCARDS);
		kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM, 'ip_local_deliver_finish');
		return 0;
	}
	ip_protocol_deliver_rcu(n, skb, protocol);
	return 0;
}

/** The packet is for this host: puts fragments together and goes on through LOCAL_IN. Context: softirq; consumes skb. */
export function ip_local_deliver(skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_local_deliver');
	const n = skb.dev!.net;
	if (ip_is_fragment(skb) && ip_defrag(n, skb, IP_DEFRAG_LOCAL_DELIVER) !== 0) return 0;
	return NF_HOOK(NFPROTO_IPV4, NF_INET_LOCAL_IN, n, null, skb, skb.dev, null, ip_local_deliver_finish);
}

/** Compiles the header's options and follows a source route. Return: SKB_NOT_DROPPED_YET, or why the packet must be dropped. */
function ip_rcv_options(skb: sk_buff, dev: net_device): number {
	const n = dev.net;
	// A received option may have to be written (addresses, times): the header must be ours alone.
	if (skb_cow(skb, skb.data) < 0) {
		IP_INC_STATS(n, IPSTATS_MIB_INDISCARDS);
		return SKB_DROP_REASON_NOMEM;
	}
	const opt = new ip_options();
	opt.optlen = ip_hdrlen(skb) - 20;
	skb.ipcb.opt = opt;
	if (ip_options_compile(n, opt, skb) < 0) {
		IP_INC_STATS(n, IPSTATS_MIB_INHDRERRORS);
		note_counter(skb, 'ip_rcv_options', 'IpInHdrErrors');
		return SKB_DROP_REASON_IP_INHDR;
	}
	if (opt.srr !== 0) {
		const in_dev = __in_dev_get_rcu(dev);
		if (in_dev !== null && !IN_DEV_SOURCE_ROUTE(in_dev)) {
			if (IN_DEV_LOG_MARTIANS(in_dev) && net_ratelimit(n.machine))
				printk(n.machine, 6, `source route option ${ip_ntop(ip_hdr_saddr(skb))} -> ${ip_ntop(ip_hdr_daddr(skb))}`);
			if (skb.journey !== null)
				trace_event(skb, 'note', 'ip_rcv_options', {
					sysctl: `net.ipv4.conf.${dev.name}.accept_source_route`,
					value: 0,
				});
			return SKB_DROP_REASON_NOT_SPECIFIED;
		}
		if (ip_options_rcv_srr(skb, dev) < 0) return SKB_DROP_REASON_NOT_SPECIFIED;
	}
	return SKB_NOT_DROPPED_YET;
}

/**
 * Finds the packet's route. Context: softirq; consumes skb when it fails.
 * Return: NET_RX_SUCCESS with skb's dst set, else NET_RX_DROP.
 */
function ip_rcv_finish_core(n: net, skb: sk_buff, dev: net_device): number {
	if (skb._skb_refdst === null) {
		const reason = ip_route_input_noref(skb, ip_hdr_daddr(skb), ip_hdr_saddr(skb), ip_hdr_tos(skb) & 0xfc, dev);
		if (reason !== SKB_NOT_DROPPED_YET) return ip_rcv_finish_drop(n, skb, reason);
	}
	if (skb.head[skb.network_header] !== 0x45) {
		const reason = ip_rcv_options(skb, dev);
		if (reason !== SKB_NOT_DROPPED_YET) return ip_rcv_finish_drop(n, skb, reason);
	}

	const type = (skb._skb_refdst as rtable | null)!.rt_type;
	if (type === RTN_MULTICAST) {
		IP_UPD_PO_STATS(n, IPSTATS_MIB_INMCASTPKTS, IPSTATS_MIB_INMCASTOCTETS, skb.len);
	} else if (type === RTN_BROADCAST) {
		IP_UPD_PO_STATS(n, IPSTATS_MIB_INBCASTPKTS, IPSTATS_MIB_INBCASTOCTETS, skb.len);
	} else if (skb.pkt_type === PACKET_BROADCAST || skb.pkt_type === PACKET_MULTICAST) {
		// RFC 1122 3.3.6: a unicast IP address within a link-layer broadcast is suspicious; some links want it dropped.
		const in_dev = __in_dev_get_rcu(dev);
		if (in_dev !== null && IN_DEV_DROP_UNICAST_IN_L2_MULTICAST(in_dev)) {
			if (skb.journey !== null)
				trace_event(skb, 'note', 'ip_rcv_finish_core', {
					sysctl: `net.ipv4.conf.${dev.name}.drop_unicast_in_l2_multicast`,
					value: 1,
				});
			return ip_rcv_finish_drop(n, skb, SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST);
		}
	}
	return NET_RX_SUCCESS;
}

function ip_rcv_finish_drop(n: net, skb: sk_buff, reason: number): number {
	if (reason === SKB_DROP_REASON_IP_RPFILTER) {
		NET_INC_STATS(n, LINUX_MIB_IPREVERSEPATHFILTER);
		note_counter(skb, 'ip_rcv_finish_core', 'TcpExtIPReversePathFilter');
	}
	kfree_skb_reason(skb, reason, 'ip_rcv_finish_core');
	return NET_RX_DROP;
}

export function ip_rcv_finish(n: net, _sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_rcv_finish');
	const ret = ip_rcv_finish_core(n, skb, skb.dev!);
	return ret === NET_RX_SUCCESS ? dst_input(skb) : ret;
}

function ip_rcv_inhdr_error(n: net, skb: sk_buff, reason: number): null {
	IP_INC_STATS(n, IPSTATS_MIB_INHDRERRORS);
	note_counter(skb, 'ip_rcv_core', 'IpInHdrErrors');
	kfree_skb_reason(skb, reason, 'ip_rcv_core');
	return null;
}

/** Checks the header, cuts off link-layer padding. Context: softirq. Return: the packet, or null when it was dropped. */
function ip_rcv_core(skb: sk_buff, n: net): sk_buff | null {
	// The device is promiscuous: frames for others are heard, but not by IP.
	if (skb.pkt_type === PACKET_OTHERHOST) {
		skb.dev!.stats.rx_otherhost_dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_OTHERHOST, 'ip_rcv_core');
		return null;
	}
	IP_UPD_PO_STATS(n, IPSTATS_MIB_INPKTS, IPSTATS_MIB_INOCTETS, skb.len);
	if (skb.users !== 1) skb = skb_share_check(skb);

	if (!pskb_may_pull(skb, 20)) return ip_rcv_inhdr_error(n, skb, SKB_DROP_REASON_IP_INHDR);
	let b = skb.head;
	let h = skb.network_header;
	// RFC 1122 3.2.1.1: version; a header has at least five words.
	if (b[h] >> 4 !== 4 || (b[h] & 15) < 5) return ip_rcv_inhdr_error(n, skb, SKB_DROP_REASON_IP_INHDR);
	const segs = skb.shinfo.gso_segs;
	IP_ADD_STATS(n, IPSTATS_MIB_INNOECTPKTS + (b[h + 1] & 3), Math.max(segs, 1));
	const hlen = (b[h] & 15) << 2;
	if (hlen > 20) {
		if (!pskb_may_pull(skb, hlen)) return ip_rcv_inhdr_error(n, skb, SKB_DROP_REASON_IP_INHDR);
		b = skb.head;
		h = skb.network_header;
	}
	// RFC 1122 3.2.1.2: verify the checksum, discard silently.
	if (ip_fast_csum(b, h, hlen >> 2) !== 0) {
		IP_INC_STATS(n, IPSTATS_MIB_INCSUMERRORS);
		return ip_rcv_inhdr_error(n, skb, SKB_DROP_REASON_IP_CSUM);
	}
	const len = (b[h + 2] << 8) | b[h + 3];
	if (skb.len < len) {
		IP_INC_STATS(n, IPSTATS_MIB_INTRUNCATEDPKTS);
		note_counter(skb, 'ip_rcv_core', 'IpExtInTruncatedPkts');
		kfree_skb_reason(skb, SKB_DROP_REASON_PKT_TOO_SMALL, 'ip_rcv_core');
		return null;
	}
	if (len < hlen) return ip_rcv_inhdr_error(n, skb, SKB_DROP_REASON_IP_INHDR);
	// What the link appended to fill its smallest frame is not ours.
	if (skb.len > len && pskb_trim_rcsum(skb, len) < 0) {
		IP_INC_STATS(n, IPSTATS_MIB_INDISCARDS);
		kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM, 'ip_rcv_core');
		return null;
	}
	skb.transport_header = skb.network_header + hlen;
	const parm = skb.ipcb;
	parm.iif = skb.skb_iif;
	parm.flags = 0;
	parm.frag_max_size = 0;
	parm.opt = null;
	if (skb.destructor !== null || skb.sk !== null) skb_orphan(skb);
	return skb;
}

/** The door of IPv4: what the device layer calls for ETH_P_IP. Context: softirq; consumes skb. */
export function ip_rcv(skb: sk_buff, dev: net_device, _pt: packet_type, _orig_dev: net_device): number {
	if (skb.journey !== null) trace_fn(skb, 'ip_rcv');
	const n = dev.net;
	const s = ip_rcv_core(skb, n);
	if (s === null) return NET_RX_DROP;
	return NF_HOOK(NFPROTO_IPV4, NF_INET_PRE_ROUTING, n, null, s, dev, null, ip_rcv_finish);
}

/** Opens the door of IPv4, when the room is furnished. */
export function ip_packet_init(machine: Machine): void {
	dev_add_pack(machine, new packet_type(ETH_P_IP, ip_rcv));
}
