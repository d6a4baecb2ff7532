/*
 * net/ipv4/ip_offload.ts: cuts a large IPv4 packet into the ones that fit the wire.   Linux: af_inet.c inet_gso_segment, tcp_offload.c, udp_offload.c
 * Walk: skb_gso_segment -> inet_gso_segment -> tcp_gso_segment or __udp_gso_segment -> skb_segment; then lengths, ids, checksums.
 * Not here yet: GRO, tunnels, SKB_GSO_UDP (fragments).
 */

import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { csum_fold, csum_tcpudp_nofold, ip_fast_csum } from '../../lib/checksum.ts';
import { EINVAL, EPROTONOSUPPORT } from '../../uapi/asm-generic/errno.ts';
import { ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { dev_add_offload, skb_segment } from '../core/gso.ts';
import { pskb_may_pull, SKB_GSO_TCP_FIXEDID, SKB_GSO_TCPV4, SKB_GSO_UDP_L4, type sk_buff } from '../core/skbuff.ts';

const TH_FIN = 0x01;
const TH_PSH = 0x08;
const TH_CWR = 0x80;

/** Leaves the transport checksum to the device: the field holds the pseudo header's sum. */
function checksum_partial(s: sk_buff, proto: number, field: number): void {
	const ip = s.network_header;
	const len = s.tail - s.transport_header;
	const sum = csum_tcpudp_nofold(
		get_unaligned_be32(s.head, ip + 12),
		get_unaligned_be32(s.head, ip + 16),
		len,
		proto,
		0,
	);
	put_unaligned_be16(s.head, s.transport_header + field, ~csum_fold(sum) & 0xffff);
	s.csum_start = s.transport_header;
	s.csum_offset = field;
}

/** RFC 9293: each piece has its sequence number; FIN and PSH stand on the last, CWR (RFC 3168 6.1.2) on the first. */
function tcp_gso_segment(skb: sk_buff): sk_buff | number {
	if (!pskb_may_pull(skb, 20)) return -EINVAL;
	const thlen = (skb.head[skb.data + 12] >> 4) * 4;
	if (thlen < 20 || !pskb_may_pull(skb, thlen) || skb.len <= thlen) return -EINVAL;
	const mss = skb.shinfo.gso_size;
	const segs = skb_segment(skb, thlen);
	let seq = get_unaligned_be32(segs.head, segs.transport_header + 4);
	for (let s: sk_buff | null = segs; s !== null; s = s.next) {
		const th = s.transport_header;
		put_unaligned_be32(s.head, th + 4, seq);
		if (s.next !== null) s.head[th + 13] &= ~(TH_FIN | TH_PSH);
		if (s !== segs) s.head[th + 13] &= ~TH_CWR;
		checksum_partial(s, IPPROTO_TCP, 16);
		seq = (seq + mss) >>> 0;
	}
	return segs;
}

/** UDP_SEGMENT: each piece is a datagram of its own. */
function __udp_gso_segment(skb: sk_buff): sk_buff | number {
	if (!pskb_may_pull(skb, 8) || skb.len <= 8) return -EINVAL;
	const segs = skb_segment(skb, 8);
	for (let s: sk_buff | null = segs; s !== null; s = s.next) {
		put_unaligned_be16(s.head, s.transport_header + 4, s.tail - s.transport_header);
		checksum_partial(s, IPPROTO_UDP, 6);
	}
	return segs;
}

/** Borrows skb, whose data is the IP header. Return: segments, or -errno. */
export function inet_gso_segment(skb: sk_buff, _features: number): sk_buff | number {
	if (!pskb_may_pull(skb, 20)) return -EINVAL;
	const ihl = (skb.head[skb.data] & 15) * 4;
	if (ihl < 20 || !pskb_may_pull(skb, ihl)) return -EINVAL;
	const proto = skb.head[skb.data + 9];
	const type = skb.shinfo.gso_type;
	skb.network_header = skb.data;
	skb.transport_header = skb.data + ihl;
	skb.data += ihl;
	skb.len -= ihl;
	let segs: sk_buff | number = -EPROTONOSUPPORT;
	if (proto === IPPROTO_TCP && type & SKB_GSO_TCPV4) segs = tcp_gso_segment(skb);
	else if (proto === IPPROTO_UDP && type & SKB_GSO_UDP_L4) segs = __udp_gso_segment(skb);
	skb.data -= ihl;
	skb.len += ihl;
	if (typeof segs === 'number') return segs;
	let id = get_unaligned_be16(segs.head, segs.network_header + 4);
	for (let s: sk_buff | null = segs; s !== null; s = s.next) {
		const ip = s.network_header;
		put_unaligned_be16(s.head, ip + 2, s.tail - ip);
		put_unaligned_be16(s.head, ip + 4, id);
		if (!(type & SKB_GSO_TCP_FIXEDID)) id = (id + 1) & 0xffff;
		put_unaligned_be16(s.head, ip + 10, 0);
		put_unaligned_be16(s.head, ip + 10, ip_fast_csum(s.head, ip, ihl / 4));
	}
	return segs;
}

/** Boot: after net_dev_init. */
export function ipv4_offload_init(machine: Machine): void {
	dev_add_offload(machine, { type: ETH_P_IP, gso_segment: inet_gso_segment });
}
