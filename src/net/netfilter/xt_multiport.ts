/*
 * net/netfilter/xt_multiport.ts: match multiport: up to 15 ports or ranges.       Linux: net/netfilter/xt_multiport.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_le16 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_MULTI_PORTS,
	XT_MULTIPORT_DESTINATION,
	XT_MULTIPORT_EITHER,
	XT_MULTIPORT_SOURCE,
	xt_multiport_v1,
} from '../../uapi/linux/netfilter/xt_multiport.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_DCCP, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE } from '../../uapi/linux/socket.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';

interface multiport_info {
	flags: number;
	invert: boolean;
	/** Pairs of lowest and highest. */
	ranges: Uint16Array;
}

function multiport_parse(b: Uint8Array): multiport_info | number {
	const flags = b[xt_multiport_v1.flags];
	const count = b[xt_multiport_v1.count];
	if (flags !== XT_MULTIPORT_SOURCE && flags !== XT_MULTIPORT_DESTINATION && flags !== XT_MULTIPORT_EITHER)
		return -EINVAL;
	if (count > XT_MULTI_PORTS) return -EINVAL;
	const ranges: number[] = [];
	for (let i = 0; i < count; i++) {
		const lo = get_unaligned_le16(b, xt_multiport_v1.ports + 2 * i);
		let hi = lo;
		if (b[xt_multiport_v1.pflags + i] !== 0 && i + 1 < XT_MULTI_PORTS)
			hi = get_unaligned_le16(b, xt_multiport_v1.ports + 2 * ++i);
		ranges.push(lo, hi);
	}
	return { flags, invert: b[xt_multiport_v1.invert] !== 0, ranges: Uint16Array.from(ranges) };
}

function in_ranges(ranges: Uint16Array, port: number): boolean {
	for (let i = 0; i < ranges.length; i += 2) if (port >= ranges[i] && port <= ranges[i + 1]) return true;
	return false;
}

function multiport_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as multiport_info;
	if (par.fragoff !== 0) return false;
	const off = skb.network_header - skb.data + par.thoff;
	if (!pskb_may_pull(skb, off + 4)) {
		par.hotdrop = true;
		return false;
	}
	const h = skb.data + off;
	let hit = false;
	if (info.flags !== XT_MULTIPORT_DESTINATION) hit = in_ranges(info.ranges, get_unaligned_be16(skb.head, h));
	if (!hit && info.flags !== XT_MULTIPORT_SOURCE) hit = in_ranges(info.ranges, get_unaligned_be16(skb.head, h + 2));
	return hit !== info.invert;
}

function multiport_mt_check(par: xt_mtchk_param): number {
	const p = par.proto;
	const ok =
		p === IPPROTO_TCP || p === IPPROTO_UDP || p === IPPROTO_UDPLITE || p === IPPROTO_SCTP || p === IPPROTO_DCCP;
	return ok && !par.invproto ? 0 : -EINVAL;
}

export function multiport_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'multiport',
		revision: 1,
		family: NFPROTO_IPV4,
		matchsize: xt_multiport_v1.sizeof,
		parse: multiport_parse,
		match: multiport_mt,
		checkentry: multiport_mt_check,
	});
}
