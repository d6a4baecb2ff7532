/*
 * net/ipv4/tcp_offload.ts: TCP segments larger than the wire carries.      Linux: net/ipv4/tcp_offload.c
 * Walk: tcp4_gso_segment cuts (skb_segment) and numbers; tcp4_gro_receive -> tcp_gro_receive says whether a segment continues another.
 * RFC 9293 3.1; RFC 3168 6.1.2 (CWR on the first piece only).
 */
import { get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { csum_fold, csum_tcpudp_nofold } from '../../lib/checksum.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { IPPROTO_TCP } from '../../uapi/linux/socket.ts';
import { TCPHDR_CWR, TCPHDR_FIN, TCPHDR_PSH, TCPHDR_RST, TCPHDR_SYN, TCPHDR_URG } from '../../uapi/linux/tcp.ts';
import { NAPI_GRO_CB, skb_gro_checksum_validate, skb_gro_receive } from '../core/gro.ts';
import { skb_segment } from '../core/gso.ts';
import {
	CHECKSUM_PARTIAL,
	pskb_may_pull,
	SKB_GSO_TCP_ECN,
	SKB_GSO_TCP_FIXEDID,
	SKB_GSO_TCPV4,
	type sk_buff,
} from '../core/skbuff.ts';
import { inet_gro_flush } from './ip_offload.ts';

/** Leaves the transport checksum to the device: the field holds the pseudo header's sum. */
export function gso_checksum_partial(s: sk_buff, proto: number, field: number): void {
	const ip = s.network_header;
	const len = s.tail - s.transport_header + s.data_len;
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

/** The pieces are charged to the sender in place of the whole: what throttles it (TSQ) sees each leave. */
export function gso_charge_segments(skb: sk_buff, segs: sk_buff): void {
	const sk = skb.sk;
	if (sk === null || skb.destructor === null) return;
	let sum = 0;
	for (let s: sk_buff | null = segs; s !== null; s = s.next) {
		s.sk = sk;
		s.destructor = skb.destructor;
		sum += s.truesize;
	}
	sk.sk_wmem_alloc += sum - skb.truesize;
	skb.destructor = null;
	skb.sk = null;
}

/** Borrows skb, whose data is the TCP header. Return: segments, or -errno. */
export function tcp4_gso_segment(skb: sk_buff): sk_buff | number {
	if (!pskb_may_pull(skb, 20)) return -EINVAL;
	const thlen = (skb.head[skb.data + 12] >> 4) * 4;
	if (thlen < 20 || !pskb_may_pull(skb, thlen) || skb.len <= thlen) return -EINVAL;
	const mss = skb.shinfo.gso_size;
	const segs = skb_segment(skb, thlen);
	let seq = get_unaligned_be32(segs.head, segs.transport_header + 4);
	for (let s: sk_buff | null = segs; s !== null; s = s.next) {
		const th = s.transport_header;
		put_unaligned_be32(s.head, th + 4, seq);
		// FIN and PSH stand on the last.
		if (s.next !== null) s.head[th + 13] &= ~(TCPHDR_FIN | TCPHDR_PSH);
		if (s !== segs) s.head[th + 13] &= ~TCPHDR_CWR;
		gso_checksum_partial(s, IPPROTO_TCP, 16);
		seq = (seq + mss) >>> 0;
	}
	gso_charge_segments(skb, segs);
	return segs;
}

// ---- GRO -------------------------------------------------------------------------------------------------------------------------

/** The train of the packet's ports. */
function tcp_gro_lookup(head: sk_buff | null, ports: number): sk_buff | null {
	for (let p = head; p !== null; p = p.next) {
		const cb = NAPI_GRO_CB(p);
		if (!cb.same_flow) continue;
		if (get_unaligned_be32(p.head, p.transport_header) === ports) return p;
		cb.same_flow = false;
	}
	return null;
}

/** Borrows skb, whose data is the IP header. */
export function tcp4_gro_receive(head: sk_buff | null, skb: sk_buff): sk_buff | null {
	const cb = NAPI_GRO_CB(skb);
	const off = cb.data_offset;
	const headlen = skb.len - skb.data_len;
	const b = skb.head;
	const th = skb.transport_header;
	const thlen = headlen >= off + 20 ? (b[th + 12] >> 4) * 4 : 0;
	if (thlen < 20 || headlen < off + thlen) {
		cb.flush = true;
		return null;
	}
	if (!cb.flush) {
		const ip = skb.data;
		const pseudo = csum_tcpudp_nofold(
			get_unaligned_be32(b, ip + 12),
			get_unaligned_be32(b, ip + 16),
			skb.len - off,
			IPPROTO_TCP,
			0,
		);
		if (!skb_gro_checksum_validate(skb, pseudo)) {
			cb.flush = true;
			return null;
		}
	}
	const p = tcp_gro_lookup(head, get_unaligned_be32(b, th));
	return tcp_gro_receive(p, skb, th, thlen);
}

/** Whether options and what else must be the same differ. */
function headers_differ(p: sk_buff, skb: sk_buff, th: number, thlen: number): boolean {
	const a = p.head;
	const b = skb.head;
	const ph = p.transport_header;
	// The acknowledgement number, then the options with the time stamps.
	for (let i = 8; i < 12; i++) if (a[ph + i] !== b[th + i]) return true;
	for (let i = 20; i < thlen; i++) if (a[ph + i] !== b[th + i]) return true;
	return false;
}

/** Appends the segment to `p` when it goes on where that ends. Return: p when it must go up now. */
function tcp_gro_receive(p: sk_buff | null, skb: sk_buff, th: number, thlen: number): sk_buff | null {
	const cb = NAPI_GRO_CB(skb);
	cb.data_offset += thlen;
	const len = skb.len - cb.data_offset;
	const flags = skb.head[th + 13];
	const sh = skb.shinfo;
	const special = (flags & (TCPHDR_URG | TCPHDR_PSH | TCPHDR_RST | TCPHDR_SYN | TCPHDR_FIN)) !== 0;
	if (p === null) {
		// The first of a train must be full of payload, and ordinary.
		if (len === 0 || special) cb.flush = true;
		return null;
	}
	const pcb = NAPI_GRO_CB(p);
	const ph = p.transport_header;
	const pflags = p.head[ph + 13];
	const mss = p.shinfo.gso_size;
	let flush =
		cb.flush ||
		pcb.flush ||
		(flags & TCPHDR_CWR) !== 0 ||
		((flags ^ pflags) & ~(TCPHDR_FIN | TCPHDR_PSH)) !== 0 ||
		(p.head[ph + 12] >> 4) * 4 !== thlen ||
		headers_differ(p, skb, th, thlen) ||
		inet_gro_flush(skb, p);
	// A packet that was merged already fits when it was cut at the same size.
	if (sh.gso_size !== 0) flush = flush || mss !== sh.gso_size;
	else flush = flush || len === 0 || len > mss;
	const pend = (get_unaligned_be32(p.head, ph + 4) + (p.len - pcb.data_offset)) >>> 0;
	flush = flush || pend !== get_unaligned_be32(skb.head, th + 4);
	// What is shorter than the others, or special, is the last.
	const last = (sh.gso_size !== 0 ? len !== cb.count * mss : len < mss) || special;
	if (flush || skb_gro_receive(p, skb) !== 0) {
		if (last) cb.flush = true;
		return p;
	}
	p.head[ph + 13] |= flags & (TCPHDR_FIN | TCPHDR_PSH);
	return last ? p : null;
}

/** The merged segment's checksum is left open, as if it were to be sent. */
export function tcp4_gro_complete(skb: sk_buff, thoff: number): void {
	const b = skb.head;
	const ip = skb.data + thoff - 20;
	const th = skb.data + thoff;
	const len = skb.len - thoff;
	const sum = csum_tcpudp_nofold(get_unaligned_be32(b, ip + 12), get_unaligned_be32(b, ip + 16), len, IPPROTO_TCP, 0);
	const check = ~csum_fold(sum) & 0xffff;
	b[th + 16] = check >>> 8;
	b[th + 17] = check;
	skb.csum_start = th;
	skb.csum_offset = 16;
	skb.ip_summed = CHECKSUM_PARTIAL;
	const cb = NAPI_GRO_CB(skb);
	const sh = skb.shinfo;
	sh.gso_segs = cb.count;
	sh.gso_type |= SKB_GSO_TCPV4;
	if (cb.ip_fixedid) sh.gso_type |= SKB_GSO_TCP_FIXEDID;
	if ((b[th + 13] & TCPHDR_CWR) !== 0) sh.gso_type |= SKB_GSO_TCP_ECN;
}
