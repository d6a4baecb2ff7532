/*
 * net/ipv4/ip_offload.ts: large IPv4 packets: cut into the ones that fit the wire, put together from those that came.
 *                                                                  Linux: net/ipv4/af_inet.c (inet_gso_segment, inet_gro_receive), net/gro.h
 * Walk: skb_gso_segment -> inet_gso_segment -> tcp4_gso_segment or udp4_ufo_fragment; then lengths, ids, checksums.
 *       dev_gro_receive -> inet_gro_receive -> tcp4_gro_receive or udp4_gro_receive; napi_gro_complete -> inet_gro_complete.
 * Not here yet: tunnels, SKB_GSO_UDP (fragments).
 */

import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_be32, put_unaligned_be16 } from '../../lib/byteorder.ts';
import { csum_replace2, ip_fast_csum } from '../../lib/checksum.ts';
import { EINVAL, EPROTONOSUPPORT } from '../../uapi/asm-generic/errno.ts';
import { ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { NAPI_GRO_CB } from '../core/gro.ts';
import { dev_add_offload } from '../core/gso.ts';
import { pskb_may_pull, SKB_GSO_TCP_FIXEDID, SKB_GSO_TCPV4, SKB_GSO_UDP_L4, type sk_buff } from '../core/skbuff.ts';
import { tcp4_gro_complete, tcp4_gro_receive, tcp4_gso_segment } from './tcp_offload.ts';
import { __udp_gso_segment, udp4_gro_complete, udp4_gro_receive } from './udp_offload.ts';

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
	if (proto === IPPROTO_TCP && type & SKB_GSO_TCPV4) segs = tcp4_gso_segment(skb);
	else if (proto === IPPROTO_UDP && type & SKB_GSO_UDP_L4) segs = __udp_gso_segment(skb);
	skb.data -= ihl;
	skb.len += ihl;
	if (typeof segs === 'number') return segs;
	let id = get_unaligned_be16(segs.head, segs.network_header + 4);
	for (let s: sk_buff | null = segs; s !== null; s = s.next) {
		const ip = s.network_header;
		put_unaligned_be16(s.head, ip + 2, s.tail - ip + s.data_len);
		put_unaligned_be16(s.head, ip + 4, id);
		if (!(type & SKB_GSO_TCP_FIXEDID)) id = (id + 1) & 0xffff;
		put_unaligned_be16(s.head, ip + 10, 0);
		put_unaligned_be16(s.head, ip + 10, ip_fast_csum(s.head, ip, ihl / 4));
	}
	return segs;
}

/** Marks the train that the packet may continue. Borrows skb, whose data is the IP header. Return: a packet that must go up now, or null. */
export function inet_gro_receive(head: sk_buff | null, skb: sk_buff): sk_buff | null {
	const cb = NAPI_GRO_CB(skb);
	const b = skb.head;
	const h = skb.data;
	if (skb.tail - h < 20) {
		cb.flush = true;
		return null;
	}
	const proto = b[h + 9];
	// Options are never merged, nor are fragments, nor what is padded or cut short.
	if (b[h] !== 0x45 || (proto !== IPPROTO_TCP && proto !== IPPROTO_UDP)) {
		cb.flush = true;
		return null;
	}
	if (ip_fast_csum(b, h, 5) !== 0) {
		cb.flush = true;
		return null;
	}
	if (((b[h + 2] << 8) | b[h + 3]) !== skb.len || ((b[h + 6] & 0xbf) | b[h + 7]) !== 0) cb.flush = true;
	for (let p = head; p !== null; p = p.next) {
		const pcb = NAPI_GRO_CB(p);
		if (!pcb.same_flow) continue;
		const pb = p.head;
		const ph = p.data;
		if (
			pb[ph + 9] !== proto ||
			get_unaligned_be32(pb, ph + 12) !== get_unaligned_be32(b, h + 12) ||
			get_unaligned_be32(pb, ph + 16) !== get_unaligned_be32(b, h + 16)
		)
			pcb.same_flow = false;
	}
	cb.network_offset = 0;
	cb.data_offset = 20;
	skb.network_header = h;
	skb.transport_header = h + 20;
	return proto === IPPROTO_TCP ? tcp4_gro_receive(head, skb) : udp4_gro_receive(head, skb);
}

/**
 * Whether the packet's IP header keeps it from continuing `p`, which it follows: TTL, TOS and DF the same, the id one more than the last
 * (or always the same where DF makes ids meaningless, RFC 6864 4.1).
 */
export function inet_gro_flush(skb: sk_buff, p: sk_buff): boolean {
	const cb = NAPI_GRO_CB(p);
	const b = skb.head;
	const h = skb.data;
	const pb = p.head;
	const ph = p.data;
	if (b[h + 8] !== pb[ph + 8] || b[h + 1] !== pb[ph + 1] || ((b[h + 6] ^ pb[ph + 6]) & 0x40) !== 0) return true;
	const id = (b[h + 4] << 8) | b[h + 5];
	const id2 = (pb[ph + 4] << 8) | pb[ph + 5];
	const df = (b[h + 6] & 0x40) !== 0;
	const distance = (id - id2) & 0xffff;
	if (df && cb.count === 1) {
		// The second packet says which of the two it is.
		cb.ip_fixedid = distance === 0;
		return distance > 1;
	}
	if (cb.ip_fixedid) return distance !== 0;
	return distance !== (cb.count & 0xffff);
}

/** The merged packet's length. */
export function inet_gro_complete(skb: sk_buff, nhoff: number): void {
	const b = skb.head;
	const h = skb.data + nhoff;
	const newlen = skb.len - nhoff;
	const check = csum_replace2((b[h + 10] << 8) | b[h + 11], (b[h + 2] << 8) | b[h + 3], newlen);
	b[h + 10] = check >>> 8;
	b[h + 11] = check;
	b[h + 2] = newlen >>> 8;
	b[h + 3] = newlen;
	const thoff = nhoff + 20;
	if (b[h + 9] === IPPROTO_TCP) tcp4_gro_complete(skb, thoff);
	else udp4_gro_complete(skb, thoff);
}

/** Boot: after net_dev_init. */
export function ipv4_offload_init(machine: Machine): void {
	dev_add_offload(machine, {
		type: ETH_P_IP,
		gso_segment: inet_gso_segment,
		gro_receive: inet_gro_receive,
		gro_complete: inet_gro_complete,
	});
}
