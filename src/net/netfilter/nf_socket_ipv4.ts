/*
 * net/netfilter/nf_socket_ipv4.ts: the socket that a packet would reach.    Linux: net/ipv4/netfilter/nf_socket_ipv4.c, nf_tproxy_ipv4.c
 * Walk: nf_sk_lookup_slow_v4 (match socket: any socket, what NAT hides is undone), nf_tproxy_get_sock_v4 (target TPROXY).
 */
import { get_unaligned_be16, get_unaligned_be32 } from '../../lib/byteorder.ts';
import {
	IP_CT_ESTABLISHED_REPLY,
	IP_CT_RELATED_REPLY,
	IPS_SRC_NAT_DONE,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import { type sk_buff, skb_copy_bits } from '../core/skbuff.ts';
import { type sock, TCP_ESTABLISHED } from '../core/sock.ts';
import {
	__inet_lookup,
	__inet_lookup_established,
	__inet_lookup_listener,
	type inet_ehash_entry,
	is_request,
	is_timewait,
} from '../ipv4/inet_hashtables.ts';

import { udp4_lib_lookup } from '../ipv4/udp.ts';

export const NF_TPROXY_LOOKUP_LISTENER = 0;
export const NF_TPROXY_LOOKUP_ESTABLISHED = 1;

/** A socket proper: no request, no TIME_WAIT entry. */
export function full_sock(e: inet_ehash_entry | null): sock | null {
	return e === null || is_request(e) || is_timewait(e) ? null : e;
}

/** Whether its owner may use addresses that are not the host's (IP_TRANSPARENT). */
export function inet_sk_transparent(e: inet_ehash_entry): boolean {
	if (is_timewait(e)) return e.tw_transparent;
	if (is_request(e)) return e.no_srccheck;
	return e.inet!.transparent;
}

/** TCP's or UDP's socket for a flow; null for other protocols. `dev`: where the packet came in. */
function lookup(
	n: net,
	proto: number,
	saddr: number,
	sport: number,
	daddr: number,
	dport: number,
	dev: net_device,
): inet_ehash_entry | null {
	if (proto === IPPROTO_TCP) return __inet_lookup(n, saddr, sport, daddr, dport, dev.ifindex, 0);
	if (proto === IPPROTO_UDP) return udp4_lib_lookup(n, saddr, sport, daddr, dport, dev.ifindex);
	return null;
}

/** What an ICMP error quotes is looked at from the sender's side. */
function icmp_quoted(n: net, skb: sk_buff, thoff: number, indev: net_device): inet_ehash_entry | null {
	const h = new Uint8Array(8 + 20);
	const at = skb.network_header - skb.data + thoff;
	if (skb_copy_bits(skb, at, h, 0, h.length) < 0) return null;
	// RFC 792: unreachable, quench, redirect, time exceeded, parameter problem.
	if (![3, 4, 5, 11, 12].includes(h[0])) return null;
	const proto = h[8 + 9];
	if (proto !== IPPROTO_TCP && proto !== IPPROTO_UDP) return null;
	const ports = new Uint8Array(4);
	if (skb_copy_bits(skb, at + 8 + (h[8] & 15) * 4, ports, 0, 4) < 0) return null;
	return lookup(
		n,
		proto,
		get_unaligned_be32(h, 8 + 16),
		get_unaligned_be16(ports, 2),
		get_unaligned_be32(h, 8 + 12),
		get_unaligned_be16(ports, 0),
		indev,
	);
}

/** Borrows skb. Return: the socket that it is for, or null. */
export function nf_sk_lookup_slow_v4(n: net, skb: sk_buff, thoff: number, indev: net_device): inet_ehash_entry | null {
	const b = skb.head;
	const iph = skb.network_header;
	const proto = b[iph + 9];
	if (proto === IPPROTO_ICMP) return icmp_quoted(n, skb, thoff, indev);
	if (proto !== IPPROTO_TCP && proto !== IPPROTO_UDP) return null;
	const ports = new Uint8Array(4);
	if (skb_copy_bits(skb, iph - skb.data + thoff, ports, 0, 4) < 0) return null;
	let daddr = get_unaligned_be32(b, iph + 16);
	let dport = get_unaligned_be16(ports, 2);
	// An answer to what we sent with a translated source: it was ours before.
	const ct = skb._nfct;
	if (
		ct !== null &&
		(skb._nfctinfo === IP_CT_ESTABLISHED_REPLY || skb._nfctinfo === IP_CT_RELATED_REPLY) &&
		(ct.status & IPS_SRC_NAT_DONE) !== 0
	) {
		daddr = ct.orig.src_ip >>> 0;
		dport = ct.orig.src_u;
	}
	return lookup(n, proto, get_unaligned_be32(b, iph + 12), get_unaligned_be16(ports, 0), daddr, dport, indev);
}

/** The socket that a proxied flow has already, or the proxy's. Return: it, or null. */
export function nf_tproxy_get_sock_v4(
	n: net,
	proto: number,
	saddr: number,
	daddr: number,
	sport: number,
	dport: number,
	indev: net_device,
	lookup_type: number,
): inet_ehash_entry | null {
	if (proto === IPPROTO_TCP) {
		if (lookup_type === NF_TPROXY_LOOKUP_ESTABLISHED)
			return __inet_lookup_established(n, saddr, sport, daddr, dport, indev.ifindex, 0);
		return __inet_lookup_listener(n, saddr, sport, daddr, dport, indev.ifindex, 0);
	}
	const sk = udp4_lib_lookup(n, saddr, sport, daddr, dport, indev.ifindex);
	if (sk === null) return null;
	const connected = sk.sk_state === TCP_ESTABLISHED;
	// A connected socket has its flow; one bound to every address is only good as the proxy.
	if (lookup_type === NF_TPROXY_LOOKUP_ESTABLISHED) return connected && sk.inet!.inet_rcv_saddr !== 0 ? sk : null;
	return connected ? null : sk;
}
