/*
 * net/ipv4/ip.ts: the IPv4 header in a packet, and what the IP files share.   Linux: linux/ip.h, net/ip.h
 *
 * Accessors read and write at skb.network_header; addresses, lengths and ids are host order. The caller has made sure that the header
 * is linear (`pskb_may_pull`) and, to write, private (`skb_cow`, `skb_ensure_writable`).
 * RFC 791 3.1 (the header), RFC 1624 (checksum update).
 */

import { ip_fast_csum } from '../../lib/checksum.ts';
import type { Random } from '../../lib/random.ts';
import { RTAX_HOPLIMIT, RTAX_LOCK, RTAX_MTU } from '../../uapi/linux/rtnetlink.ts';
import {
	IP_PMTUDISC_DO,
	IP_PMTUDISC_INTERFACE,
	IP_PMTUDISC_OMIT,
	IP_PMTUDISC_PROBE,
	IP_PMTUDISC_WANT,
	IPPROTO_TCP,
	IPPROTO_UDP,
} from '../../uapi/linux/socket.ts';
import { type dst_entry, dst_metric } from '../core/dst.ts';
import { IPSKB_FORWARDED, type sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { inet_sock } from './af_inet.ts';
import type { rtable } from './route.ts';

/** Fragment field: congestion (reserved), don't fragment, more fragments, offset in units of 8 bytes. */
export const IP_CE = 0x8000;
export const IP_DF = 0x4000;
export const IP_MF = 0x2000;
export const IP_OFFSET = 0x1fff;

export const IP_MAX_MTU = 0xffff;
export const IPV4_MIN_MTU = 68;
export const IPV4_MAX_PMTU = 65535;

export const INADDR_ANY = 0;
export const INADDR_BROADCAST = 0xffffffff;
export const INADDR_LOOPBACK = 0x7f000001;
export const INADDR_DUMMY = 0xc0000008;
export const INADDR_ALLHOSTS_GROUP = 0xe0000001;
export const INADDR_ALLRTRS_GROUP = 0xe0000002;
export const IGMPV3_ALL_MCR = 0xe0000016;

/** Where a fragment is put together: fragments of different users never mix. */
export const IP_DEFRAG_LOCAL_DELIVER = 0;
export const IP_DEFRAG_CALL_RA_CHAIN = 1;
export const IP_DEFRAG_CONNTRACK_IN = 2;
export const IP_DEFRAG_CONNTRACK_OUT = 0x10002;
export const IP_DEFRAG_CONNTRACK_BRIDGE_IN = 0x20002;
export const IP_DEFRAG_VS_IN = 0x30002;
export const IP_DEFRAG_AF_PACKET = 0x30005;
export const IP_DEFRAG_MACVLAN = 0x30006;

// ---- reading ---------------------------------------------------------------------------------------------------------------------

/** Where the header starts in skb.head. */
export function ip_hdr(skb: sk_buff): number {
	return skb.network_header;
}

export function ip_hdr_version(skb: sk_buff): number {
	return skb.head[skb.network_header] >> 4;
}

/** Header length in 32-bit words. */
export function ip_hdr_ihl(skb: sk_buff): number {
	return skb.head[skb.network_header] & 15;
}

/** Header length in bytes. */
export function ip_hdrlen(skb: sk_buff): number {
	return (skb.head[skb.network_header] & 15) << 2;
}

export function ip_hdr_tos(skb: sk_buff): number {
	return skb.head[skb.network_header + 1];
}

export function ip_hdr_tot_len(skb: sk_buff): number {
	const h = skb.network_header;
	return (skb.head[h + 2] << 8) | skb.head[h + 3];
}

export function ip_hdr_id(skb: sk_buff): number {
	const h = skb.network_header;
	return (skb.head[h + 4] << 8) | skb.head[h + 5];
}

/** IP_DF, IP_MF and the offset. */
export function ip_hdr_frag_off(skb: sk_buff): number {
	const h = skb.network_header;
	return (skb.head[h + 6] << 8) | skb.head[h + 7];
}

export function ip_hdr_ttl(skb: sk_buff): number {
	return skb.head[skb.network_header + 8];
}

export function ip_hdr_protocol(skb: sk_buff): number {
	return skb.head[skb.network_header + 9];
}

export function ip_hdr_check(skb: sk_buff): number {
	const h = skb.network_header;
	return (skb.head[h + 10] << 8) | skb.head[h + 11];
}

export function ip_hdr_saddr(skb: sk_buff): number {
	const b = skb.head;
	const h = skb.network_header;
	return ((b[h + 12] << 24) | (b[h + 13] << 16) | (b[h + 14] << 8) | b[h + 15]) >>> 0;
}

export function ip_hdr_daddr(skb: sk_buff): number {
	const b = skb.head;
	const h = skb.network_header;
	return ((b[h + 16] << 24) | (b[h + 17] << 16) | (b[h + 18] << 8) | b[h + 19]) >>> 0;
}

/** Whether the packet is a piece of a larger one. */
export function ip_is_fragment(skb: sk_buff): boolean {
	const h = skb.network_header;
	return (((skb.head[h + 6] << 8) | skb.head[h + 7]) & (IP_MF | IP_OFFSET)) !== 0;
}

// ---- writing (the checksum is the caller's, by ip_send_check or csum_replace2) ---------------------------------------------------

export function ip_hdr_set_tos(skb: sk_buff, tos: number): void {
	skb.head[skb.network_header + 1] = tos;
}

export function ip_hdr_set_tot_len(skb: sk_buff, len: number): void {
	const h = skb.network_header;
	skb.head[h + 2] = len >>> 8;
	skb.head[h + 3] = len;
}

export function ip_hdr_set_id(skb: sk_buff, id: number): void {
	const h = skb.network_header;
	skb.head[h + 4] = id >>> 8;
	skb.head[h + 5] = id;
}

export function ip_hdr_set_frag_off(skb: sk_buff, frag_off: number): void {
	const h = skb.network_header;
	skb.head[h + 6] = frag_off >>> 8;
	skb.head[h + 7] = frag_off;
}

export function ip_hdr_set_ttl(skb: sk_buff, ttl: number): void {
	skb.head[skb.network_header + 8] = ttl;
}

export function ip_hdr_set_protocol(skb: sk_buff, protocol: number): void {
	skb.head[skb.network_header + 9] = protocol;
}

export function ip_hdr_set_check(skb: sk_buff, check: number): void {
	const h = skb.network_header;
	skb.head[h + 10] = check >>> 8;
	skb.head[h + 11] = check;
}

export function ip_hdr_set_saddr(skb: sk_buff, addr: number): void {
	const b = skb.head;
	const h = skb.network_header + 12;
	b[h] = addr >>> 24;
	b[h + 1] = addr >>> 16;
	b[h + 2] = addr >>> 8;
	b[h + 3] = addr;
}

export function ip_hdr_set_daddr(skb: sk_buff, addr: number): void {
	const b = skb.head;
	const h = skb.network_header + 16;
	b[h] = addr >>> 24;
	b[h + 1] = addr >>> 16;
	b[h + 2] = addr >>> 8;
	b[h + 3] = addr;
}

/** Computes the header checksum anew. */
export function ip_send_check(skb: sk_buff): void {
	const b = skb.head;
	const h = skb.network_header;
	b[h + 10] = 0;
	b[h + 11] = 0;
	const check = ip_fast_csum(b, h, b[h] & 15);
	b[h + 10] = check >>> 8;
	b[h + 11] = check;
}

/** One off the TTL; the checksum follows (RFC 1624). Return: the new TTL. */
export function ip_decrease_ttl(skb: sk_buff): number {
	const b = skb.head;
	const h = skb.network_header;
	let check = ((b[h + 10] << 8) | b[h + 11]) + 0x0100;
	check += check >= 0xffff ? 1 : 0;
	b[h + 10] = check >>> 8;
	b[h + 11] = check;
	return --b[h + 8];
}

/** Counters of IP ids by receiver and protocol, and when each was last used. They start anywhere. */
export class ip_idents {
	ids: Uint16Array = new Uint16Array(IP_IDENTS);
	stamps: Float64Array = new Float64Array(IP_IDENTS);

	constructor(random: Random) {
		for (let i = 0; i < IP_IDENTS; i++) this.ids[i] = random.u32();
	}
}

/** How many there are. */
export const IP_IDENTS = 512;

// ---- addresses -------------------------------------------------------------------------------------------------------------------

export function ipv4_is_loopback(addr: number): boolean {
	return addr >>> 24 === 127;
}

export function ipv4_is_multicast(addr: number): boolean {
	return addr >>> 28 === 14;
}

/** 224.0.0.0/24: never forwarded. */
export function ipv4_is_local_multicast(addr: number): boolean {
	return addr >>> 8 === 0xe00000;
}

export function ipv4_is_lbcast(addr: number): boolean {
	return addr === 0xffffffff;
}

export function ipv4_is_zeronet(addr: number): boolean {
	return addr >>> 24 === 0;
}

/** The priority band of a TOS byte: TC_PRIO_* (man 8 tc-prio). */
export function rt_tos2priority(tos: number): number {
	return ip_tos2prio[(tos & 0x1e) >> 1];
}

/** TC_PRIO_BESTEFFORT 0, FILLER 1, BULK 2, INTERACTIVE_BULK 4, INTERACTIVE 6; odd entries are those of ECN's bit. */
export const ip_tos2prio: readonly number[] = [0, 1, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4];

/** Whether packets of `protocol` begin with two ports. */
export function ip_proto_has_ports(protocol: number): boolean {
	return protocol === 6 || protocol === IPPROTO_UDP || protocol === 33 || protocol === 132 || protocol === 136;
}

// ---- MTU -------------------------------------------------------------------------------------------------------------------------

/** The route's MTU is pinned (`mtu lock`, or a path MTU below the floor): no path MTU discovery. */
export function ip_mtu_locked(dst: dst_entry): boolean {
	return (dst as rtable).rt_mtu_locked || (dst._metrics !== null && (dst._metrics[RTAX_LOCK] & (1 << RTAX_MTU)) !== 0);
}

/**
 * The largest packet for this route. Forwarding trusts the interface and the route's own metric, not what was learned from ICMP
 * (anybody could have sent that), unless net.ipv4.ip_forward_use_pmtu says so.
 */
export function ip_dst_mtu_maybe_forward(dst: dst_entry, forwarding: boolean): number {
	const rt = dst as rtable;
	const n = dst.dev.net;
	let mtu = 0;
	if (!forwarding || n.ipv4.sysctl_ip_fwd_use_pmtu !== 0 || ip_mtu_locked(dst)) {
		mtu = rt.rt_pmtu;
		if (mtu !== 0 && n.machine.jiffies >= dst.expires) mtu = 0;
	}
	if (mtu === 0 && dst._metrics !== null) mtu = dst._metrics[RTAX_MTU];
	if (mtu === 0) {
		mtu = dst.dev.mtu;
		if (mtu > 576 && rt.rt_uses_gateway && ip_mtu_locked(dst)) mtu = 576;
	}
	return Math.min(mtu, IP_MAX_MTU);
}

/** Whether the socket's packets keep to the path MTU rather than the device's. */
export function ip_sk_use_pmtu(sk: sock): boolean {
	return sk.inet!.pmtudisc < IP_PMTUDISC_PROBE;
}

/** Whether an ICMP "fragmentation needed" may change what the socket sends. */
export function ip_sk_accept_pmtu(sk: sock): boolean {
	return sk.inet!.pmtudisc !== IP_PMTUDISC_INTERFACE && sk.inet!.pmtudisc !== IP_PMTUDISC_OMIT;
}

/** Whether the socket's packets may be cut even though they are marked not to be. */
export function ip_sk_ignore_df(sk: sock): boolean {
	return sk.inet!.pmtudisc < IP_PMTUDISC_DO || sk.inet!.pmtudisc === IP_PMTUDISC_OMIT;
}

/** Whether DF is to be set. */
export function ip_dont_fragment(sk: sock, dst: dst_entry): boolean {
	const d = sk.inet!.pmtudisc;
	return d === IP_PMTUDISC_DO || (d === IP_PMTUDISC_WANT && !ip_mtu_locked(dst));
}

/** The MTU for a packet that is about to leave. */
export function ip_skb_dst_mtu(sk: sock | null, skb: sk_buff): number {
	const dst = skb._skb_refdst!;
	if (sk === null || sk.inet === null || ip_sk_use_pmtu(sk))
		return ip_dst_mtu_maybe_forward(dst, (skb.ipcb.flags & IPSKB_FORWARDED) !== 0);
	return Math.min(dst.dev.mtu, IP_MAX_MTU);
}

export function inetdev_valid_mtu(mtu: number): boolean {
	return mtu >= IPV4_MIN_MTU;
}

/** The TTL that a route's packets start with. */
export function ip4_dst_hoplimit(dst: dst_entry): number {
	const hops = dst_metric(dst, RTAX_HOPLIMIT);
	return hops !== 0 ? hops : dst.dev.net.ipv4.sysctl_ip_default_ttl;
}

/** The TTL for a socket's packets to one receiver. */
export function ip_select_ttl(inet: inet_sock, dst: dst_entry): number {
	return inet.uc_ttl < 0 ? ip4_dst_hoplimit(dst) : inet.uc_ttl;
}

/** Header and payload of one segment of a GSO packet, from the network header on. */
export function skb_gso_network_seglen(skb: sk_buff): number {
	const th = skb.transport_header;
	const proto = ip_hdr_protocol(skb);
	const thlen = proto === IPPROTO_TCP ? (skb.head[th + 12] >> 4) * 4 : proto === IPPROTO_UDP ? 8 : 0;
	return th - skb.network_header + thlen + skb.shinfo.gso_size;
}

const INT_ADDR = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** `10.0.0.1` for a number. For texts, never on the packet path. */
export function ip_ntop(addr: number): string {
	return `${addr >>> 24}.${(addr >>> 16) & 255}.${(addr >>> 8) & 255}.${addr & 255}`;
}

/** The number for `10.0.0.1`, or -1. */
export function ip_pton(text: string): number {
	const m = INT_ADDR.exec(text);
	if (m === null) return -1;
	let v = 0;
	for (let i = 1; i <= 4; i++) {
		const n = Number(m[i]);
		if (n > 255) return -1;
		v = v * 256 + n;
	}
	return v;
}
