/*
 * net/ipv4/tcp_backlog.ts: segments for a socket that a system call works on.     Linux: net/ipv4/tcp_ipv4.c (tcp_add_backlog), tcp_output.c (tcp_release_cb)
 *
 * What a call puts on loopback arrives, and is answered, while the call still holds the socket. The answers wait in the socket's backlog,
 * where runs of ACKs become one; release_sock takes them. What else could not be done meanwhile is flagged and done by tcp_release_cb.
 */
import { LINUX_MIB_TCPBACKLOGCOALESCE, LINUX_MIB_TCPBACKLOGDROP } from '../../uapi/linux/snmp.ts';
import {
	TCPHDR_ACK,
	TCPHDR_AE,
	TCPHDR_CWR,
	TCPHDR_ECE,
	TCPHDR_FIN,
	TCPHDR_RST,
	TCPHDR_SYN,
	TCPHDR_URG,
} from '../../uapi/linux/tcp.ts';
import { SKB_DROP_REASON_SOCKET_BACKLOG, SKB_NOT_DROPPED_YET } from '../core/dropreason.ts';
import { consume_skb, type sk_buff, skb_dst_drop, skb_pull, skb_push } from '../core/skbuff.ts';
import { type coalesce_result, skb_try_coalesce } from '../core/skbuff_frags.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import { sk_add_backlog, type sock } from '../core/sock.ts';
import { tcp_send_ack } from './tcp_output.ts';
import { tcp_tsq_write } from './tcp_output_xmit.ts';
import { before, inet_csk_ack_scheduled, TCP_ACK_DEFERRED, TCP_SKB_CB, TCP_TSQ_DEFERRED, tcp_sk } from './tcp_sock.ts';

/** A bit of tsq_flags, beside TSQ_*. */
export const TCP_MTU_REDUCED_DEFERRED = 5;

const coalesced: coalesce_result = { delta_truesize: 0, stolen: false };

/** Whether two headers say the same: length and options, ports and the like aside. */
function same_options(a: sk_buff, b: sk_buff, hdrlen: number): boolean {
	const ha = a.transport_header;
	const hb = b.transport_header;
	if (a.head[ha + 12] >> 4 !== b.head[hb + 12] >> 4) return false;
	for (let i = 20; i < hdrlen; i++) if (a.head[ha + i] !== b.head[hb + i]) return false;
	return true;
}

/** Makes the segment part of the one that waits last, when it goes on where that ends. Consumes skb if so. */
function tcp_backlog_coalesce(sk: sock, skb: sk_buff): boolean {
	const tail = sk.sk_backlog === null ? null : sk.sk_backlog.last;
	if (tail === null) return false;
	const t = TCP_SKB_CB(tail);
	const c = TCP_SKB_CB(skb);
	const ecn = TCPHDR_ECE | TCPHDR_CWR | TCPHDR_AE;
	if (
		t.end_seq !== c.seq ||
		t.ip_dsfield !== c.ip_dsfield ||
		((t.tcp_flags | c.tcp_flags) & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_URG)) !== 0 ||
		(t.tcp_flags & c.tcp_flags & TCPHDR_ACK) === 0 ||
		((t.tcp_flags ^ c.tcp_flags) & ecn) !== 0
	)
		return false;
	const hdrlen = (skb.head[skb.transport_header + 12] >> 4) * 4;
	if (!same_options(tail, skb, hdrlen)) return false;
	skb_pull(skb, hdrlen);
	const size = skb.shinfo.gso_size !== 0 ? skb.shinfo.gso_size : skb.len;
	const tail_size = tail.shinfo.gso_size !== 0 ? tail.shinfo.gso_size : tail.len - hdrlen;
	const segs = Math.max(1, skb.shinfo.gso_segs) + Math.max(1, tail.shinfo.gso_segs);
	if (!skb_try_coalesce(tail, skb, coalesced)) {
		skb_push(skb, hdrlen);
		return false;
	}
	t.end_seq = c.end_seq;
	if (!before(c.ack_seq, t.ack_seq)) {
		t.ack_seq = c.ack_seq;
		const from = skb.transport_header;
		const to = tail.transport_header;
		tail.head[to + 14] = skb.head[from + 14];
		tail.head[to + 15] = skb.head[from + 15];
		// The place of the acknowledgement in the header, for who reads it there.
		for (let i = 8; i < 12; i++) tail.head[to + i] = skb.head[from + i];
	}
	tail.head[tail.transport_header + 13] |= skb.head[skb.transport_header + 13] & TCPHDR_FIN;
	t.tcp_flags |= c.tcp_flags;
	if (c.has_rxtstamp) {
		t.has_rxtstamp = true;
		tail.tstamp = skb.tstamp;
	}
	tail.shinfo.gso_size = Math.max(size, tail_size);
	tail.shinfo.gso_segs = Math.min(segs, 0xffff);
	sk.sk_backlog_len += coalesced.delta_truesize;
	NET_INC_STATS(sk.net, LINUX_MIB_TCPBACKLOGCOALESCE);
	consume_skb(skb);
	return true;
}

/** Keeps a segment (TCP_SKB_CB filled in) until the call lets go of the socket. Return: SKB_NOT_DROPPED_YET, or why the caller must drop it. */
export function tcp_add_backlog(sk: sock, skb: sk_buff): number {
	skb_dst_drop(skb);
	if (tcp_backlog_coalesce(sk, skb)) return SKB_NOT_DROPPED_YET;
	// Room for what the peer may send and for the ACKs of what we sent.
	const limit = sk.sk_rcvbuf * 2 + (sk.sk_sndbuf >> 1) + 64 * 1024;
	if (sk_add_backlog(sk, skb, limit) < 0) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPBACKLOGDROP);
		return SKB_DROP_REASON_SOCKET_BACKLOG;
	}
	return SKB_NOT_DROPPED_YET;
}

/** The call lets go of the socket: what had to wait for it. */
export function tcp_release_cb(sk: sock): void {
	const tp = tcp_sk(sk);
	const flags = tp.sk_tsq_flags;
	const deferred = (1 << TCP_TSQ_DEFERRED) | (1 << TCP_MTU_REDUCED_DEFERRED) | (1 << TCP_ACK_DEFERRED);
	if ((flags & deferred) === 0) return;
	tp.sk_tsq_flags = flags & ~deferred;
	if ((flags & (1 << TCP_TSQ_DEFERRED)) !== 0) tcp_tsq_write(sk);
	if ((flags & (1 << TCP_MTU_REDUCED_DEFERRED)) !== 0) tp.icsk_af_ops.mtu_reduced(sk);
	if ((flags & (1 << TCP_ACK_DEFERRED)) !== 0 && inet_csk_ack_scheduled(sk)) tcp_send_ack(sk);
}
