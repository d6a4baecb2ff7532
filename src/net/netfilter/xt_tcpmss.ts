/*
 * net/netfilter/xt_tcpmss.ts: match tcpmss: the MSS option of a SYN.    Linux: net/netfilter/xt_tcpmss.c
 * RFC 793 3.1 (option 2, length 4).
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_le16 } from '../../lib/byteorder.ts';
import { xt_tcpmss_match_info } from '../../uapi/linux/netfilter/xt_tcpmss.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_TCP } from '../../uapi/linux/socket.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface tcpmss_info {
	min: number;
	max: number;
	invert: boolean;
}

function tcpmss_parse(b: Uint8Array): tcpmss_info {
	const o = xt_tcpmss_match_info;
	return {
		min: get_unaligned_le16(b, o.mss_min),
		max: get_unaligned_le16(b, o.mss_max),
		invert: b[o.invert] !== 0,
	};
}

function tcpmss_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as tcpmss_info;
	const off = skb.network_header - skb.data + par.thoff;
	if (!pskb_may_pull(skb, off + 20)) {
		par.hotdrop = true;
		return false;
	}
	const len = (skb.head[skb.data + off + 12] >> 4) * 4;
	if (len < 20) {
		par.hotdrop = true;
		return false;
	}
	if (len === 20) return info.invert;
	if (!pskb_may_pull(skb, off + len)) {
		par.hotdrop = true;
		return false;
	}
	const b = skb.head;
	const h = skb.data + off;
	for (let i = 20; i < len; ) {
		if (b[h + i] === 2 && len - i >= 4 && b[h + i + 1] === 4) {
			const mss = get_unaligned_be16(b, h + i + 2);
			return (mss >= info.min && mss <= info.max) !== info.invert;
		}
		if (b[h + i] < 2 || i + 1 >= len) i++;
		else i += b[h + i + 1] || 1;
	}
	return info.invert;
}

export function tcpmss_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'tcpmss',
		revision: 0,
		family: NFPROTO_IPV4,
		matchsize: xt_tcpmss_match_info.sizeof,
		proto: IPPROTO_TCP,
		parse: tcpmss_parse,
		match: tcpmss_mt,
	});
}
