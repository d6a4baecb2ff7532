/*
 * net/ipv4/tcp_ipv4.ts: TCP over IPv4: for now, what a host without TCP sockets does.     Linux: net/ipv4/tcp_ipv4.c
 *
 * Walk: tcp_v4_rcv (header, checksum) -> no socket -> tcp_v4_send_reset -> ip_send_unicast_reply
 * RFC 9293 3.10.7.1 (CLOSED state), 3.5.2 (reset generation). Not here yet: sockets.
 */

import type { Machine } from '../../kernel/machine.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { csum_fold, csum_tcpudp_nofold } from '../../lib/checksum.ts';
import { PACKET_HOST } from '../../uapi/linux/if_packet.ts';
import { RTN_LOCAL } from '../../uapi/linux/rtnetlink.ts';
import {
	TCP_MIB_INCSUMERRORS,
	TCP_MIB_INERRS,
	TCP_MIB_INSEGS,
	TCP_MIB_OUTRSTS,
	TCP_MIB_OUTSEGS,
} from '../../uapi/linux/snmp.ts';
import { IP_PMTUDISC_DO, IPPROTO_TCP, SOCK_RAW, type sockaddr } from '../../uapi/linux/socket.ts';
import {
	SKB_DROP_REASON_NO_SOCKET,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_PKT_TOO_SMALL,
	SKB_DROP_REASON_TCP_CSUM,
} from '../core/dropreason.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import {
	CHECKSUM_PARTIAL,
	CHECKSUM_UNNECESSARY,
	kfree_skb_reason,
	nf_reset_ct,
	pskb_may_pull,
	type sk_buff,
	skb_checksum,
} from '../core/skbuff.ts';
import { TCP_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import { inet_add_protocol, type net_protocol } from './af_inet.ts';
import { inet_ctl_sock_create } from './icmp.ts';
import { ip_hdr_daddr, ip_hdr_saddr, ip_hdr_tos } from './ip.ts';
import { ip_reply_arg, ip_send_unicast_reply } from './ip_append.ts';
import type { rtable } from './route.ts';
import type { tcp_timewait_sock } from './tcp_sock.ts';

/** Whether the segment's sum is good. */
function tcp_checksum_ok(skb: sk_buff): boolean {
	if (skb.csum_valid || skb.ip_summed === CHECKSUM_UNNECESSARY || skb.ip_summed === CHECKSUM_PARTIAL) return true;
	const pseudo = csum_tcpudp_nofold(ip_hdr_saddr(skb), ip_hdr_daddr(skb), skb.len, IPPROTO_TCP, 0);
	return csum_fold(skb_checksum(skb, 0, skb.len, pseudo)) === 0;
}

/** Answers a segment that nobody waits for with a reset. Borrows skb. */
function tcp_v4_send_reset(n: net, skb: sk_buff): void {
	const b = skb.head;
	const h = skb.transport_header;
	const flags = b[h + 13];
	// Never a reset about a reset, nor about what was sent to many.
	if ((flags & 4) !== 0) return;
	if ((skb._skb_refdst as rtable).rt_type !== RTN_LOCAL) return;
	const sport = (b[h] << 8) | b[h + 1];
	const dport = (b[h + 2] << 8) | b[h + 3];
	const rst = new Uint8Array(20);
	put_unaligned_be16(rst, 0, dport);
	put_unaligned_be16(rst, 2, sport);
	rst[12] = 5 << 4;
	rst[13] = 4;
	if ((flags & 16) !== 0) put_unaligned_be32(rst, 4, get_unaligned_be32(b, h + 8));
	else {
		// RFC 9293 3.10.7.1: acknowledges what came.
		const len = ((flags >> 1) & 1) + (flags & 1) + skb.len - (b[h + 12] >> 4) * 4;
		put_unaligned_be32(rst, 8, get_unaligned_be32(b, h + 4) + len);
		rst[13] |= 16;
	}
	const saddr = ip_hdr_daddr(skb);
	const daddr = ip_hdr_saddr(skb);
	const arg = new ip_reply_arg();
	arg.data = rst;
	arg.csum = csum_tcpudp_nofold(saddr, daddr, 20, IPPROTO_TCP, 0);
	arg.csumoffset = 16;
	arg.tos = ip_hdr_tos(skb) & ~3;
	if (skb.journey !== null) trace_event(skb, 'note', 'tcp_v4_send_reset', { sport: dport, dport: sport });
	ip_send_unicast_reply(n.ipv4.tcp_sk, skb, daddr, saddr, arg, dport, sport);
	TCP_INC_STATS(n, TCP_MIB_OUTSEGS);
	TCP_INC_STATS(n, TCP_MIB_OUTRSTS);
}

function tcp_drop(skb: sk_buff, reason: number): number {
	kfree_skb_reason(skb, reason, 'tcp_v4_rcv');
	return 0;
}

function tcp_bad(n: net, skb: sk_buff, reason: number): number {
	if (reason === SKB_DROP_REASON_TCP_CSUM) TCP_INC_STATS(n, TCP_MIB_INCSUMERRORS);
	TCP_INC_STATS(n, TCP_MIB_INERRS);
	if (skb.journey !== null) trace_event(skb, 'note', 'tcp_v4_rcv', { counter: 'TcpInErrs' });
	return tcp_drop(skb, reason);
}

/** TCP's place in inet_protos. Context: softirq; consumes skb (data at the TCP header). */
export function tcp_v4_rcv(skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'tcp_v4_rcv');
	const n = skb.dev!.net;
	if (skb.pkt_type !== PACKET_HOST) return tcp_drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	TCP_INC_STATS(n, TCP_MIB_INSEGS);
	if (!pskb_may_pull(skb, 20)) return tcp_drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	const doff = skb.head[skb.transport_header + 12] >> 4;
	if (doff < 5) return tcp_bad(n, skb, SKB_DROP_REASON_PKT_TOO_SMALL);
	if (!pskb_may_pull(skb, doff * 4)) return tcp_drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	nf_reset_ct(skb);
	if (!tcp_checksum_ok(skb)) return tcp_bad(n, skb, SKB_DROP_REASON_TCP_CSUM);
	if (skb.journey !== null) {
		const h = skb.transport_header;
		trace_event(skb, 'socket', '__inet_lookup_skb', {
			found: false,
			port: (skb.head[h + 2] << 8) | skb.head[h + 3],
		});
	}
	tcp_v4_send_reset(n, skb);
	return tcp_drop(skb, SKB_DROP_REASON_NO_SOCKET);
}

const tcp_protocol: net_protocol = {
	name: 'TCP',
	handler: tcp_v4_rcv,
	err_handler: null,
	early_demux: null,
	no_policy: true,
	icmp_strict_tag_validation: true,
};

function tcp_sk_init(n: net): number {
	// Resets go with DF and id 0.
	n.ipv4.tcp_sk = inet_ctl_sock_create(n, SOCK_RAW, IPPROTO_TCP, IP_PMTUDISC_DO);
	return 0;
}

function tcp_sk_exit(_n: net): void {}

export function tcp_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'tcp_sk', init: tcp_sk_init, exit: tcp_sk_exit });
	inet_add_protocol(machine, tcp_protocol, IPPROTO_TCP);
}

/** Whether a TIME_WAIT entry may give way to a new connection of `sk` (RFC 6191); sets where its sequence numbers begin. */
export function tcp_twsk_unique(sk: sock, tw: tcp_timewait_sock): boolean {
	return false;
}
/** connect(2). Return: 0 or -errno. */
export function tcp_v4_connect(sk: sock, addr: sockaddr): number {
	return -111;
}
/** Sets the checksum of a segment that goes (CHECKSUM_PARTIAL). */
export function tcp_v4_send_check(sk: sock, skb: sk_buff): void {}
export function __tcp_v4_send_check(skb: sk_buff, saddr: number, daddr: number): void {}
/** Takes a segment for `sk` (a connection or a listener). Consumes skb. */
export function tcp_v4_do_rcv(sk: sock, skb: sk_buff): number {
	return 0;
}
export function tcp_v4_conn_request(sk: sock, skb: sk_buff): number {
	return 0;
}
export function tcp_v4_init_sock(sk: sock): number {
	return 0;
}
export function tcp_v4_destroy_sock(sk: sock): void {}
