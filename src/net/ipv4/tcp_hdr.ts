/*
 * net/ipv4/tcp_hdr.ts: the TCP header in a packet.                 Linux: linux/tcp.h
 * Accessors read at skb.transport_header, which the caller has made linear (`pskb_may_pull`). What tcp_v4_rcv has put into TCP_SKB_CB
 * (seq, end_seq, ack_seq, tcp_flags) is better read there. RFC 9293 3.1.
 */
import type { sk_buff } from '../core/skbuff.ts';

/** Where the header starts in skb.head. */
export function tcp_hdr(skb: sk_buff): number {
	return skb.transport_header;
}

/** Length of the header in bytes. */
export function tcp_hdrlen(skb: sk_buff): number {
	return (skb.head[skb.transport_header + 12] >> 4) << 2;
}

export function tcp_optlen(skb: sk_buff): number {
	return tcp_hdrlen(skb) - 20;
}

export function tcp_hdr_source(skb: sk_buff): number {
	const h = skb.transport_header;
	return (skb.head[h] << 8) | skb.head[h + 1];
}

export function tcp_hdr_dest(skb: sk_buff): number {
	const h = skb.transport_header;
	return (skb.head[h + 2] << 8) | skb.head[h + 3];
}

/** int32. */
export function tcp_hdr_seq(skb: sk_buff): number {
	const b = skb.head;
	const h = skb.transport_header;
	return (b[h + 4] << 24) | (b[h + 5] << 16) | (b[h + 6] << 8) | b[h + 7];
}

/** int32. */
export function tcp_hdr_ack_seq(skb: sk_buff): number {
	const b = skb.head;
	const h = skb.transport_header;
	return (b[h + 8] << 24) | (b[h + 9] << 16) | (b[h + 10] << 8) | b[h + 11];
}

/** TCPHDR_*: byte 13, and AE. */
export function tcp_flags_ntohs(skb: sk_buff): number {
	const h = skb.transport_header;
	return ((skb.head[h + 12] & 1) << 8) | skb.head[h + 13];
}

/** Not scaled. */
export function tcp_hdr_window(skb: sk_buff): number {
	const h = skb.transport_header;
	return (skb.head[h + 14] << 8) | skb.head[h + 15];
}

export function tcp_hdr_urg_ptr(skb: sk_buff): number {
	const h = skb.transport_header;
	return (skb.head[h + 18] << 8) | skb.head[h + 19];
}

/** The word at offset 12 (header length, flags, window), int32: what header prediction compares. */
export function tcp_flag_word(skb: sk_buff): number {
	const b = skb.head;
	const h = skb.transport_header;
	return (b[h + 12] << 24) | (b[h + 13] << 16) | (b[h + 14] << 8) | b[h + 15];
}
