/*
 * net/netfilter/nf_nat_proto.ts: rewriting packets, and NAT's hooks.   Linux: net/netfilter/nf_nat_proto.c
 * Walk: nf_nat_ipv4_{pre_routing,out,local_fn,local_in} -> nf_nat_ipv4_fn -> (nf_nat_icmp_reply_translation |) nf_nat_inet_fn ->
 * nf_nat_manip_pkt: address, port or id, and the checksums by difference (RFC 1624).
 */
import { trace_event } from '../../kernel/trace.ts';
import { csum_fold, csum_replace2, csum_replace4 } from '../../lib/checksum.ts';
import { ICMP_REDIRECT } from '../../uapi/linux/icmp.ts';
import {
	IP_CT_IS_REPLY,
	IP_CT_RELATED,
	IP_CT_RELATED_REPLY,
	IPS_DST_NAT,
	IPS_NAT_DONE_MASK,
	IPS_NAT_MASK,
	IPS_SRC_NAT,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	NF_ACCEPT,
	NF_DROP,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NF_INET_PRE_ROUTING,
	NF_IP_PRI_NAT_DST,
	NF_IP_PRI_NAT_SRC,
	NFPROTO_IPV4,
} from '../../uapi/linux/netfilter.ts';
import { RTN_UNSPEC } from '../../uapi/linux/rtnetlink.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import {
	CHECKSUM_PARTIAL,
	type sk_buff,
	skb_checksum,
	skb_dst_drop,
	skb_ensure_writable,
	skb_orphan,
} from '../core/skbuff.ts';
import { ip_hdr_daddr, ip_hdr_saddr, ip_ntop } from '../ipv4/ip.ts';
import { ip_route_me_harder } from '../ipv4/netfilter.ts';
import type { nf_hook_ops, nf_hook_state } from './core.ts';
import { type nf_conn, type nf_conntrack_tuple, nf_ct_invert_tuple } from './nf_conntrack_core.ts';
import {
	HOOK2MANIP,
	NF_NAT_MANIP_SRC,
	nf_nat_inet_fn,
	nf_nat_register_fn,
	nf_nat_unregister_fn,
} from './nf_nat_core.ts';

/** Writes a port at `at` and its difference, with the address's, into the checksum at `check`. */
function inet_proto_csum(b: Uint8Array, check: number, from_ip: number, to_ip: number, partial: boolean): void {
	// CHECKSUM_PARTIAL: the field holds the pseudo header's sum, not inverted; addresses are part of it, ports are not.
	if (partial) {
		const sum = csum_replace4(~((b[check] << 8) | b[check + 1]) & 0xffff, from_ip, to_ip);
		b[check] = (~sum >>> 8) & 255;
		b[check + 1] = ~sum & 255;
	} else {
		const sum = csum_replace4((b[check] << 8) | b[check + 1], from_ip, to_ip);
		b[check] = sum >>> 8;
		b[check + 1] = sum;
	}
}

function replace_port(b: Uint8Array, at: number, check: number, port: number, partial: boolean): void {
	const old = (b[at] << 8) | b[at + 1];
	if (old === port) return;
	b[at] = port >>> 8;
	b[at + 1] = port;
	if (partial) return;
	const sum = csum_replace2((b[check] << 8) | b[check + 1], old, port);
	b[check] = sum >>> 8;
	b[check + 1] = sum;
}

/**
 * Rewrites the transport part at `hdroff` (from skb.data) for the change of address `from_ip` -> `to_ip`.
 * Return: false when the bytes are not there.
 */
function l4proto_manip_pkt(
	skb: sk_buff,
	hdroff: number,
	protonum: number,
	tuple: nf_conntrack_tuple,
	maniptype: number,
	from_ip: number,
	to_ip: number,
): boolean {
	const src = maniptype === NF_NAT_MANIP_SRC;
	const port = src ? tuple.src_u : tuple.dst_u;
	const partial = skb.ip_summed === CHECKSUM_PARTIAL;
	switch (protonum) {
		case IPPROTO_TCP: {
			// In an ICMP error only the first eight bytes need be there: no checksum to correct then.
			let hdrsize = 8;
			if (skb.len >= hdroff + 20) hdrsize = 20;
			if (skb_ensure_writable(skb, hdroff + hdrsize) < 0) return false;
			const b = skb.head;
			const h = skb.data + hdroff;
			const at = src ? h : h + 2;
			if (hdrsize < 20) {
				b[at] = port >>> 8;
				b[at + 1] = port;
				return true;
			}
			inet_proto_csum(b, h + 16, from_ip, to_ip, partial);
			replace_port(b, at, h + 16, port, partial);
			return true;
		}
		case IPPROTO_UDP:
		case 136: {
			if (skb_ensure_writable(skb, hdroff + 8) < 0) return false;
			const b = skb.head;
			const h = skb.data + hdroff;
			const at = src ? h : h + 2;
			// RFC 768: zero means that the sender made no checksum.
			if (protonum === IPPROTO_UDP && b[h + 6] === 0 && b[h + 7] === 0 && !partial) {
				b[at] = port >>> 8;
				b[at + 1] = port;
				return true;
			}
			inet_proto_csum(b, h + 6, from_ip, to_ip, partial);
			replace_port(b, at, h + 6, port, partial);
			if (b[h + 6] === 0 && b[h + 7] === 0 && !partial) {
				b[h + 6] = 255;
				b[h + 7] = 255;
			}
			return true;
		}
		case IPPROTO_ICMP: {
			if (skb_ensure_writable(skb, hdroff + 8) < 0) return false;
			const b = skb.head;
			const h = skb.data + hdroff;
			const type = b[h];
			// Only queries carry an id.
			if (type !== 0 && type !== 8 && (type < 13 || type > 18)) return true;
			const old = (b[h + 4] << 8) | b[h + 5];
			const sum = csum_replace2((b[h + 2] << 8) | b[h + 3], old, tuple.src_u);
			b[h + 2] = sum >>> 8;
			b[h + 3] = sum;
			b[h + 4] = tuple.src_u >>> 8;
			b[h + 5] = tuple.src_u;
			return true;
		}
		case 132: {
			if (skb_ensure_writable(skb, hdroff + 8) < 0) return false;
			const at = skb.data + hdroff + (src ? 0 : 2);
			skb.head[at] = port >>> 8;
			skb.head[at + 1] = port;
			return true;
		}
		default:
			return true;
	}
}

/** Rewrites source or destination of the IPv4 packet at `iphdroff` (from skb.data) to `target`'s. Return: false when it can't. */
function nf_nat_ipv4_manip_pkt(skb: sk_buff, iphdroff: number, target: nf_conntrack_tuple, maniptype: number): boolean {
	if (skb_ensure_writable(skb, iphdroff + 20) < 0) return false;
	const h = skb.data + iphdroff;
	const at = maniptype === NF_NAT_MANIP_SRC ? 12 : 16;
	let b = skb.head;
	const from = (b[h + at] << 24) | (b[h + at + 1] << 16) | (b[h + at + 2] << 8) | b[h + at + 3];
	const to = maniptype === NF_NAT_MANIP_SRC ? target.src_ip : target.dst_ip;
	const hdroff = iphdroff + ((b[h] & 15) << 2);
	// A later fragment (inside an ICMP error) has no ports.
	if ((((b[h + 6] << 8) | b[h + 7]) & 0x1fff) === 0) {
		if (!l4proto_manip_pkt(skb, hdroff, b[h + 9], target, maniptype, from, to)) return false;
		b = skb.head;
	}
	const n = skb.data + iphdroff;
	const check = csum_replace4((b[n + 10] << 8) | b[n + 11], from, to);
	b[n + 10] = check >>> 8;
	b[n + 11] = check;
	b[n + at] = to >>> 24;
	b[n + at + 1] = to >>> 16;
	b[n + at + 2] = to >>> 8;
	b[n + at + 3] = to;
	return true;
}

/** The addresses and ports of a traced packet. */
function nat_text(skb: sk_buff): string {
	const b = skb.head;
	const n = skb.network_header;
	const t = n + ((b[n] & 15) << 2);
	const src = ip_ntop(ip_hdr_saddr(skb));
	const dst = ip_ntop(ip_hdr_daddr(skb));
	const p = b[n + 9];
	if ((p === IPPROTO_TCP || p === IPPROTO_UDP) && t + 4 <= skb.tail)
		return `${src}:${(b[t] << 8) | b[t + 1]} -> ${dst}:${(b[t + 2] << 8) | b[t + 3]}`;
	if (p === IPPROTO_ICMP && t + 6 <= skb.tail) return `${src} -> ${dst} id ${(b[t + 4] << 8) | b[t + 5]}`;
	return `${src} -> ${dst}`;
}

/** Rewrites a packet that goes in direction `dir` of `ct`. Borrows skb. Return: NF_ACCEPT, or NF_DROP when it can't be. */
export function nf_nat_manip_pkt(skb: sk_buff, ct: nf_conn, mtype: number, dir: number): number {
	const target = skb.machine.ct.tuple;
	nf_ct_invert_tuple(target, dir === 0 ? ct.reply : ct.orig);
	const before = skb.journey !== null ? nat_text(skb) : '';
	if (!nf_nat_ipv4_manip_pkt(skb, skb.network_header - skb.data, target, mtype)) return NF_DROP;
	if (skb.journey !== null)
		trace_event(skb, 'nat', 'nf_nat_manip_pkt', {
			manip: mtype === NF_NAT_MANIP_SRC ? 'src' : 'dst',
			before,
			after: nat_text(skb),
		});
	return NF_ACCEPT;
}

/**
 * Translates an ICMP error about a translated flow: the packet that it quotes as that flow's, and its own addresses. Borrows skb.
 * Return: false when it must be dropped.
 */
export function nf_nat_icmp_reply_translation(skb: sk_buff, ct: nf_conn, ctinfo: number, hooknum: number): boolean {
	const dir = ctinfo >= IP_CT_IS_REPLY ? 1 : 0;
	const manip = HOOK2MANIP(hooknum);
	const hdrlen = (skb.head[skb.network_header] & 15) << 2;
	const nhoff = skb.network_header - skb.data;
	const icmpoff = nhoff + hdrlen;
	if (skb_ensure_writable(skb, icmpoff + 8 + 20) < 0) return false;
	// A redirect is for hosts on a link: it is never for a translated flow. A flow that is not yet bound has nothing to translate.
	if (skb.head[skb.data + icmpoff] === ICMP_REDIRECT) {
		if ((ct.status & IPS_NAT_DONE_MASK) !== IPS_NAT_DONE_MASK || (ct.status & IPS_NAT_MASK) !== 0) {
			if (skb.journey !== null)
				trace_event(skb, 'note', 'nf_nat_icmp_reply_translation', {
					why: 'redirects about translated flows are not sent',
				});
			return false;
		}
	}
	let statusbit = manip === NF_NAT_MANIP_SRC ? IPS_SRC_NAT : IPS_DST_NAT;
	if (dir === 1) statusbit ^= IPS_NAT_MASK;
	if ((ct.status & statusbit) === 0) return true;
	const before = skb.journey !== null ? nat_text(skb) : '';
	// Quoted: a packet of the other direction, so what is its source here is its destination there.
	if (!nf_nat_ipv4_manip_pkt(skb, icmpoff + 8, dir === 0 ? ct.reply : ct.orig, manip === NF_NAT_MANIP_SRC ? 1 : 0))
		return false;
	if (skb.ip_summed !== CHECKSUM_PARTIAL) {
		const at = skb.data + icmpoff;
		skb.head[at + 2] = 0;
		skb.head[at + 3] = 0;
		const sum = csum_fold(skb_checksum(skb, icmpoff, skb.len - icmpoff, 0));
		skb.head[at + 2] = sum >>> 8;
		skb.head[at + 3] = sum;
	}
	const target = skb.machine.ct.tuple;
	nf_ct_invert_tuple(target, dir === 0 ? ct.reply : ct.orig);
	target.protonum = IPPROTO_ICMP;
	if (!nf_nat_ipv4_manip_pkt(skb, nhoff, target, manip)) return false;
	if (skb.journey !== null)
		trace_event(skb, 'nat', 'nf_nat_icmp_reply_translation', {
			manip: manip === NF_NAT_MANIP_SRC ? 'src' : 'dst',
			before,
			after: nat_text(skb),
			inner: true,
		});
	return true;
}

// ---- hooks ---------------------------------------------------------------------------------------------------------------------

function nf_nat_ipv4_fn(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	const ct = skb._nfct;
	if (ct === null) return NF_ACCEPT;
	const ctinfo = skb._nfctinfo;
	if ((ctinfo === IP_CT_RELATED || ctinfo === IP_CT_RELATED_REPLY) && skb.head[skb.network_header + 9] === IPPROTO_ICMP)
		return nf_nat_icmp_reply_translation(skb, ct, ctinfo, state.hook) ? NF_ACCEPT : NF_DROP;
	return nf_nat_inet_fn(priv, skb, state);
}

function nf_nat_ipv4_pre_routing(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	if (skb._nfct === null) return NF_ACCEPT;
	const daddr = ip_hdr_daddr(skb);
	const ret = nf_nat_ipv4_fn(priv, skb, state);
	// An early route (IP options, sockets' early demux) is void when the destination changed.
	if (ret === NF_ACCEPT && ip_hdr_daddr(skb) !== daddr) skb_dst_drop(skb);
	return ret;
}

function nf_nat_ipv4_out(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	return nf_nat_ipv4_fn(priv, skb, state);
}

function nf_nat_ipv4_local_in(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	if (skb._nfct === null) return NF_ACCEPT;
	const saddr = ip_hdr_saddr(skb);
	const ret = nf_nat_ipv4_fn(priv, skb, state);
	// A socket that early demux found was found by the old source.
	if (ret === NF_ACCEPT && skb.sk !== null && ip_hdr_saddr(skb) !== saddr) skb_orphan(skb);
	return ret;
}

function nf_nat_ipv4_local_fn(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	const ret = nf_nat_ipv4_fn(priv, skb, state);
	if (ret !== NF_ACCEPT) return ret;
	const ct = skb._nfct;
	if (ct === null) return ret;
	const mine = skb._nfctinfo >= IP_CT_IS_REPLY ? ct.reply : ct.orig;
	const other = mine === ct.orig ? ct.reply : ct.orig;
	if (mine.dst_ip !== other.src_ip) {
		const err = ip_route_me_harder(state.net, state.sk, skb, RTN_UNSPEC);
		// NF_DROP_ERR: the verdict carries what the sender is told.
		if (err < 0) return NF_DROP | (err << 16);
	}
	return ret;
}

const nf_nat_ipv4_ops: readonly nf_hook_ops[] = [
	{
		hook: nf_nat_ipv4_pre_routing,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_PRE_ROUTING,
		priority: NF_IP_PRI_NAT_DST,
		name: 'nf_nat_ipv4_pre_routing',
	},
	{
		hook: nf_nat_ipv4_out,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_POST_ROUTING,
		priority: NF_IP_PRI_NAT_SRC,
		name: 'nf_nat_ipv4_out',
	},
	{
		hook: nf_nat_ipv4_local_fn,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_LOCAL_OUT,
		priority: NF_IP_PRI_NAT_DST,
		name: 'nf_nat_ipv4_local_fn',
	},
	{
		hook: nf_nat_ipv4_local_in,
		priv: null,
		pf: NFPROTO_IPV4,
		hooknum: NF_INET_LOCAL_IN,
		priority: NF_IP_PRI_NAT_SRC,
		name: 'nf_nat_ipv4_local_in',
	},
];

/** Adds a table of nat rules for one hook; the first turns NAT's hooks on. Return: 0 or -errno. */
export function nf_nat_ipv4_register_fn(net: net, ops: nf_hook_ops): number {
	return nf_nat_register_fn(net, ops, nf_nat_ipv4_ops);
}

export function nf_nat_ipv4_unregister_fn(net: net, ops: nf_hook_ops): void {
	nf_nat_unregister_fn(net, ops);
}
