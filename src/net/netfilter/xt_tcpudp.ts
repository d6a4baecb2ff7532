/*
 * net/netfilter/xt_tcpudp.ts: matches tcp, udp, udplite and icmp.          Linux: net/netfilter/xt_tcpudp.c
 *
 * RFC 793 3.1, RFC 768, RFC 792. A packet too short for its own header is dropped at once, and so is a TCP fragment that begins behind
 * the flags (RFC 1858): nobody sends those in earnest.
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_le16 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_TCP_INV_DSTPT,
	XT_TCP_INV_FLAGS,
	XT_TCP_INV_MASK,
	XT_TCP_INV_OPTION,
	XT_TCP_INV_SRCPT,
	XT_UDP_INV_DSTPT,
	XT_UDP_INV_MASK,
	XT_UDP_INV_SRCPT,
	xt_tcp,
	xt_udp,
} from '../../uapi/linux/netfilter/xt_tcpudp.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPT_ICMP_INV, ipt_icmp } from '../../uapi/linux/netfilter_ipv4/ip_tables.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE } from '../../uapi/linux/socket.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_matches } from './x_tables.ts';

/** What -m tcp asks for. TCPMSS wants to know. */
export interface tcp_info {
	smin: number;
	smax: number;
	dmin: number;
	dmax: number;
	option: number;
	flg_mask: number;
	flg_cmp: number;
	invflags: number;
}

function tcp_parse(b: Uint8Array): tcp_info | number {
	const invflags = b[xt_tcp.invflags];
	if ((invflags & ~XT_TCP_INV_MASK) !== 0) return -EINVAL;
	return {
		smin: get_unaligned_le16(b, xt_tcp.spts),
		smax: get_unaligned_le16(b, xt_tcp.spts + 2),
		dmin: get_unaligned_le16(b, xt_tcp.dpts),
		dmax: get_unaligned_le16(b, xt_tcp.dpts + 2),
		option: b[xt_tcp.option],
		flg_mask: b[xt_tcp.flg_mask],
		flg_cmp: b[xt_tcp.flg_cmp],
		invflags,
	};
}

/** Whether TCP option `option` is in the header at `h`. Sets hotdrop when the options cannot be read. */
function tcp_find_option(skb: sk_buff, par: xt_action_param, h: number, option: number, invert: boolean): boolean {
	const optlen = (skb.head[h + 12] >> 4) * 4 - 20;
	if (optlen <= 0) return invert;
	const off = h - skb.data;
	if (!pskb_may_pull(skb, off + 20 + optlen)) {
		par.hotdrop = true;
		return false;
	}
	const b = skb.head;
	const from = skb.data + off + 20;
	for (let i = 0; i < optlen; ) {
		const kind = b[from + i];
		if (kind === option) return !invert;
		if (kind < 2 || i + 1 >= optlen) i++;
		else i += b[from + i + 1] || 1;
	}
	return invert;
}

function tcp_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as tcp_info;
	if (par.fragoff !== 0) {
		// RFC 1858 3.2.2: offset 1 would overwrite the flags.
		if (par.fragoff === 1) par.hotdrop = true;
		return false;
	}
	const off = skb.network_header - skb.data + par.thoff;
	if (!pskb_may_pull(skb, off + 20)) {
		par.hotdrop = true;
		return false;
	}
	const b = skb.head;
	const h = skb.data + off;
	const inv = info.invflags;
	const sport = get_unaligned_be16(b, h);
	if ((sport >= info.smin && sport <= info.smax) === ((inv & XT_TCP_INV_SRCPT) !== 0)) return false;
	const dport = get_unaligned_be16(b, h + 2);
	if ((dport >= info.dmin && dport <= info.dmax) === ((inv & XT_TCP_INV_DSTPT) !== 0)) return false;
	if (((b[h + 13] & info.flg_mask) === info.flg_cmp) === ((inv & XT_TCP_INV_FLAGS) !== 0)) return false;
	if (info.option !== 0) {
		if ((b[h + 12] >> 4) * 4 < 20) {
			par.hotdrop = true;
			return false;
		}
		if (!tcp_find_option(skb, par, h, info.option, (inv & XT_TCP_INV_OPTION) !== 0)) return false;
	}
	return true;
}

interface udp_info {
	smin: number;
	smax: number;
	dmin: number;
	dmax: number;
	invflags: number;
}

function udp_parse(b: Uint8Array): udp_info | number {
	const invflags = b[xt_udp.invflags];
	if ((invflags & ~XT_UDP_INV_MASK) !== 0) return -EINVAL;
	return {
		smin: get_unaligned_le16(b, xt_udp.spts),
		smax: get_unaligned_le16(b, xt_udp.spts + 2),
		dmin: get_unaligned_le16(b, xt_udp.dpts),
		dmax: get_unaligned_le16(b, xt_udp.dpts + 2),
		invflags,
	};
}

function udp_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as udp_info;
	if (par.fragoff !== 0) return false;
	const off = skb.network_header - skb.data + par.thoff;
	if (!pskb_may_pull(skb, off + 8)) {
		par.hotdrop = true;
		return false;
	}
	const b = skb.head;
	const h = skb.data + off;
	const sport = get_unaligned_be16(b, h);
	if ((sport >= info.smin && sport <= info.smax) === ((info.invflags & XT_UDP_INV_SRCPT) !== 0)) return false;
	const dport = get_unaligned_be16(b, h + 2);
	return (dport >= info.dmin && dport <= info.dmax) !== ((info.invflags & XT_UDP_INV_DSTPT) !== 0);
}

interface icmp_info {
	type: number;
	min: number;
	max: number;
	invert: boolean;
}

function icmp_parse(b: Uint8Array): icmp_info | number {
	const invflags = b[ipt_icmp.invflags];
	if ((invflags & ~IPT_ICMP_INV) !== 0) return -EINVAL;
	return { type: b[ipt_icmp.type], min: b[ipt_icmp.code], max: b[ipt_icmp.code + 1], invert: invflags !== 0 };
}

function icmp_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as icmp_info;
	if (par.fragoff !== 0) return false;
	const off = skb.network_header - skb.data + par.thoff;
	if (!pskb_may_pull(skb, off + 8)) {
		par.hotdrop = true;
		return false;
	}
	const type = skb.head[skb.data + off];
	const code = skb.head[skb.data + off + 1];
	// Type 255 stands for any.
	const fits = info.type === 0xff || (type === info.type && code >= info.min && code <= info.max);
	return fits !== info.invert;
}

export function tcpudp_mt_init(machine: Machine): number {
	return xt_register_matches(machine, [
		{
			name: 'tcp',
			revision: 0,
			family: NFPROTO_IPV4,
			matchsize: xt_tcp.sizeof,
			proto: IPPROTO_TCP,
			parse: tcp_parse,
			match: tcp_mt,
		},
		{
			name: 'udp',
			revision: 0,
			family: NFPROTO_IPV4,
			matchsize: xt_udp.sizeof,
			proto: IPPROTO_UDP,
			parse: udp_parse,
			match: udp_mt,
		},
		{
			name: 'udplite',
			revision: 0,
			family: NFPROTO_IPV4,
			matchsize: xt_udp.sizeof,
			proto: IPPROTO_UDPLITE,
			parse: udp_parse,
			match: udp_mt,
		},
		{
			name: 'icmp',
			revision: 0,
			family: NFPROTO_IPV4,
			matchsize: ipt_icmp.sizeof,
			proto: IPPROTO_ICMP,
			parse: icmp_parse,
			match: icmp_mt,
		},
	]);
}
