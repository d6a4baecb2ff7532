/*
 * net/netfilter/xt_HL_tg.ts: target TTL.                           Linux: net/netfilter/xt_HL.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, put_unaligned_be16 } from '../../lib/byteorder.ts';
import { csum_replace2 } from '../../lib/checksum.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { NF_DROP, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import {
	IPT_TTL_DEC,
	IPT_TTL_INC,
	IPT_TTL_MAXMODE,
	IPT_TTL_SET,
	ipt_TTL_info,
} from '../../uapi/linux/netfilter_ipv4/ipt_ttl.ts';
import { type sk_buff, skb_ensure_writable } from '../core/skbuff.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_target } from './x_tables.ts';

interface ttl_info {
	mode: number;
	ttl: number;
}

function ttl_parse(b: Uint8Array): ttl_info | number {
	const mode = b[ipt_TTL_info.mode];
	const ttl = b[ipt_TTL_info.ttl];
	if (mode > IPT_TTL_MAXMODE || (mode !== IPT_TTL_SET && ttl === 0)) return -EINVAL;
	return { mode, ttl };
}

function ttl_tg(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as ttl_info;
	if (skb_ensure_writable(skb, skb.network_header - skb.data + 20) < 0) return NF_DROP;
	const b = skb.head;
	const n = skb.network_header;
	const old = b[n + 8];
	let ttl = old;
	if (info.mode === IPT_TTL_SET) ttl = info.ttl;
	else if (info.mode === IPT_TTL_INC) ttl = Math.min(old + info.ttl, 255);
	else if (info.mode === IPT_TTL_DEC) ttl = Math.max(old - info.ttl, 0);
	if (ttl !== old) {
		put_unaligned_be16(b, n + 10, csum_replace2(get_unaligned_be16(b, n + 10), old << 8, ttl << 8));
		b[n + 8] = ttl;
	}
	return XT_CONTINUE;
}

export function hl_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'TTL',
		revision: 0,
		family: NFPROTO_IPV4,
		targetsize: ipt_TTL_info.sizeof,
		table: 'mangle',
		parse: ttl_parse,
		target: ttl_tg,
	});
}
