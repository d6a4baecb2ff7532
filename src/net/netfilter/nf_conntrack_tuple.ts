/*
 * net/netfilter/nf_conntrack_tuple.ts: what tells flows apart.     Linux: net/netfilter/nf_conntrack_tuple.h, nf_conntrack_core.c
 * nf_ct_get_tuple reads it off a packet, nf_ct_invert_tuple makes the answer's.
 */
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import { ip_ntop } from '../ipv4/ip.ts';
import type { nf_conn } from './nf_conntrack_core.ts';
import { gre_pkt_to_tuple } from './nf_conntrack_proto_gre.ts';
import { icmp_pkt_to_tuple, nf_conntrack_invert_icmp_tuple } from './nf_conntrack_proto_icmp.ts';

export const IPPROTO_GRE = 47;

/** One direction of a flow, and its place in the hash table (nf_conntrack_tuple_hash). Ports and ids in host order. */
export class nf_conntrack_tuple {
	/** Addresses as signed 32-bit numbers. */
	src_ip = 0;
	dst_ip = 0;
	/** Source port; ICMP's id; GRE's key. */
	src_u = 0;
	/** Destination port; ICMP's type << 8 | code. */
	dst_u = 0;
	protonum = 0;
	next: nf_conntrack_tuple | null = null;
	/** The entry; null for a tuple that is only looked up by. */
	ct: nf_conn | null = null;
}

export function nf_ct_tuple_equal(a: nf_conntrack_tuple, b: nf_conntrack_tuple): boolean {
	return (
		a.src_ip === b.src_ip &&
		a.dst_ip === b.dst_ip &&
		a.src_u === b.src_u &&
		a.dst_u === b.dst_u &&
		a.protonum === b.protonum
	);
}

export function nf_ct_tuple_copy(to: nf_conntrack_tuple, from: nf_conntrack_tuple): void {
	to.src_ip = from.src_ip;
	to.dst_ip = from.dst_ip;
	to.src_u = from.src_u;
	to.dst_u = from.dst_u;
	to.protonum = from.protonum;
}

/** Length of the bytes that a protocol's tuple is read from. */
function l4_min_len(protonum: number): number {
	switch (protonum) {
		case IPPROTO_TCP:
		case IPPROTO_UDP:
		case 132:
		case 136:
			return 4;
		case IPPROTO_ICMP:
			return 8;
		default:
			return 0;
	}
}

/** Reads the tuple of the packet whose transport header is `dataoff` bytes from skb.data. Return: false when it is cut short or not to be tracked. */
export function nf_ct_get_tuple(
	skb: sk_buff,
	nhoff: number,
	dataoff: number,
	protonum: number,
	tuple: nf_conntrack_tuple,
): boolean {
	const need = dataoff + l4_min_len(protonum);
	if (need > skb.len - skb.data_len && !pskb_may_pull(skb, need)) return false;
	const b = skb.head;
	const n = skb.data + nhoff;
	const h = skb.data + dataoff;
	tuple.src_ip = (b[n + 12] << 24) | (b[n + 13] << 16) | (b[n + 14] << 8) | b[n + 15];
	tuple.dst_ip = (b[n + 16] << 24) | (b[n + 17] << 16) | (b[n + 18] << 8) | b[n + 19];
	tuple.protonum = protonum;
	switch (protonum) {
		case IPPROTO_TCP:
		case IPPROTO_UDP:
		case 132:
		case 136:
			tuple.src_u = (b[h] << 8) | b[h + 1];
			tuple.dst_u = (b[h + 2] << 8) | b[h + 3];
			return true;
		case IPPROTO_ICMP:
			return icmp_pkt_to_tuple(b, h, tuple);
		case IPPROTO_GRE:
			return gre_pkt_to_tuple(skb, dataoff, tuple);
		default:
			tuple.src_u = 0;
			tuple.dst_u = 0;
			return true;
	}
}

/** The tuple of the answer to `orig`. Return: false when there is none. */
export function nf_ct_invert_tuple(inverse: nf_conntrack_tuple, orig: nf_conntrack_tuple): boolean {
	const src_ip = orig.src_ip;
	const src_u = orig.src_u;
	inverse.protonum = orig.protonum;
	inverse.src_ip = orig.dst_ip;
	inverse.dst_ip = src_ip;
	if (orig.protonum === IPPROTO_ICMP) return nf_conntrack_invert_icmp_tuple(inverse, orig);
	inverse.src_u = orig.dst_u;
	inverse.dst_u = src_u;
	return true;
}

/** For traces: `10.0.0.1:1000 -> 10.0.0.2:53`. */
export function nf_ct_tuple_text(t: nf_conntrack_tuple): string {
	const src = ip_ntop(t.src_ip >>> 0);
	const dst = ip_ntop(t.dst_ip >>> 0);
	if (t.protonum === IPPROTO_ICMP) return `${src} -> ${dst} type ${t.dst_u >> 8} code ${t.dst_u & 255} id ${t.src_u}`;
	if (t.src_u === 0 && t.dst_u === 0) return `${src} -> ${dst}`;
	return `${src}:${t.src_u} -> ${dst}:${t.dst_u}`;
}
