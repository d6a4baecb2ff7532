/*
 * net/ipv4/udp_offload.ts: several datagrams as one packet.        Linux: net/ipv4/udp_offload.c
 * Walk: __udp_gso_segment cuts what UDP_SEGMENT (or GRO) joined: each piece is a datagram of its own.
 *       udp4_gro_receive joins datagrams for sockets that asked by UDP_GRO; udp4_gro_complete writes the header of the whole.
 * Not here yet: rx-udp-gro-forwarding, rx-gro-list, tunnels.
 */
import { get_unaligned_be32, put_unaligned_be16 } from '../../lib/byteorder.ts';
import { csum_fold, csum_tcpudp_nofold } from '../../lib/checksum.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { NAPI_GRO_CB, skb_gro_checksum_validate, skb_gro_receive } from '../core/gro.ts';
import { skb_segment } from '../core/gso.ts';
import { CHECKSUM_PARTIAL, pskb_may_pull, SKB_GSO_UDP_L4, type sk_buff } from '../core/skbuff.ts';
import { inet_gro_flush } from './ip_offload.ts';
import { gso_charge_segments, gso_checksum_partial } from './tcp_offload.ts';
import { __udp4_lib_lookup, udp_sk } from './udp.ts';

/** No train is longer. */
const UDP_GRO_CNT_MAX = 64;

/** Borrows skb, whose data is the UDP header. Return: segments, or -errno. */
export function __udp_gso_segment(skb: sk_buff): sk_buff | number {
	if (!pskb_may_pull(skb, 8) || skb.len <= 8) return -EINVAL;
	const segs = skb_segment(skb, 8);
	for (let s: sk_buff | null = segs; s !== null; s = s.next) {
		put_unaligned_be16(s.head, s.transport_header + 4, s.tail - s.transport_header + s.data_len);
		gso_checksum_partial(s, IPPROTO_UDP, 6);
	}
	gso_charge_segments(skb, segs);
	return segs;
}

/** Whether the socket that the datagram is for wants them joined. */
function wanted(skb: sk_buff, ip: number, uh: number): boolean {
	const b = skb.head;
	const dev = skb.dev!;
	const sk = __udp4_lib_lookup(
		dev.net,
		get_unaligned_be32(b, ip + 12),
		(b[uh] << 8) | b[uh + 1],
		get_unaligned_be32(b, ip + 16),
		(b[uh + 2] << 8) | b[uh + 3],
		dev.ifindex,
	);
	return sk !== null && udp_sk(sk).gro_enabled;
}

/** Borrows skb, whose data is the IP header. Return: a packet that must go up now, or null. */
export function udp4_gro_receive(head: sk_buff | null, skb: sk_buff): sk_buff | null {
	const cb = NAPI_GRO_CB(skb);
	const off = cb.data_offset;
	const b = skb.head;
	const ip = skb.data;
	const uh = skb.transport_header;
	if (cb.flush || !skb.machine.inet.udp_encap_needed || skb.len - skb.data_len < off + 8 || !wanted(skb, ip, uh)) {
		cb.flush = true;
		return null;
	}
	const ulen = (b[uh + 4] << 8) | b[uh + 5];
	// Datagrams without a checksum are not joined: a sum would have to be made up when they are cut again.
	if ((b[uh + 6] === 0 && b[uh + 7] === 0) || ulen <= 8 || ulen !== skb.len - off) {
		cb.flush = true;
		return null;
	}
	const pseudo = csum_tcpudp_nofold(
		get_unaligned_be32(b, ip + 12),
		get_unaligned_be32(b, ip + 16),
		ulen,
		IPPROTO_UDP,
		0,
	);
	if (!skb_gro_checksum_validate(skb, pseudo)) {
		cb.flush = true;
		return null;
	}
	cb.data_offset += 8;
	const ports = get_unaligned_be32(b, uh);
	for (let p = head; p !== null; p = p.next) {
		const pcb = NAPI_GRO_CB(p);
		if (!pcb.same_flow) continue;
		if (get_unaligned_be32(p.head, p.transport_header) !== ports) {
			pcb.same_flow = false;
			continue;
		}
		const plen = p.shinfo.gso_size + 8;
		if (ulen > plen || inet_gro_flush(skb, p) || skb_gro_receive(p, skb) !== 0) return p;
		// One that is shorter is the last.
		return ulen !== plen || pcb.count >= UDP_GRO_CNT_MAX ? p : null;
	}
	return null;
}

/** The header of the whole: its length; the checksum is left open. */
export function udp4_gro_complete(skb: sk_buff, thoff: number): void {
	const b = skb.head;
	const ip = skb.data + thoff - 20;
	const uh = skb.data + thoff;
	const len = skb.len - thoff;
	b[uh + 4] = len >>> 8;
	b[uh + 5] = len;
	const sum = csum_tcpudp_nofold(get_unaligned_be32(b, ip + 12), get_unaligned_be32(b, ip + 16), len, IPPROTO_UDP, 0);
	const check = ~csum_fold(sum) & 0xffff;
	b[uh + 6] = check >>> 8;
	b[uh + 7] = check;
	skb.csum_start = uh;
	skb.csum_offset = 6;
	skb.ip_summed = CHECKSUM_PARTIAL;
	const sh = skb.shinfo;
	sh.gso_segs = NAPI_GRO_CB(skb).count;
	sh.gso_type |= SKB_GSO_UDP_L4;
}
