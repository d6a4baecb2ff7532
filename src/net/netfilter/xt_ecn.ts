/*
 * net/netfilter/xt_ecn.ts: match ecn, target ECN.                  Linux: net/netfilter/xt_ecn.c, net/ipv4/netfilter/ipt_ECN.c
 * RFC 3168 5 (codepoints in the IP header), 6.1 (ECE and CWR in TCP's).
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { get_unaligned_be16, put_unaligned_be16 } from '../../lib/byteorder.ts';
import { csum_replace2 } from '../../lib/checksum.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_ECN_OP_MATCH_CWR,
	XT_ECN_OP_MATCH_ECE,
	XT_ECN_OP_MATCH_IP,
	XT_ECN_OP_MATCH_MASK,
	xt_ecn_info,
} from '../../uapi/linux/netfilter/xt_ecn.ts';
import { NF_DROP, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import {
	IPT_ECN_OP_MASK,
	IPT_ECN_OP_SET_CWR,
	IPT_ECN_OP_SET_ECE,
	IPT_ECN_OP_SET_IP,
	ipt_ECN_info,
} from '../../uapi/linux/netfilter_ipv4/ipt_ECN.ts';
import { IPPROTO_TCP } from '../../uapi/linux/socket.ts';
import { CHECKSUM_PARTIAL, pskb_may_pull, type sk_buff, skb_ensure_writable } from '../core/skbuff.ts';
import {
	XT_CONTINUE,
	type xt_action_param,
	type xt_mtchk_param,
	xt_register_match,
	xt_register_target,
	type xt_tgchk_param,
} from './x_tables.ts';

const TH_ECE = 0x40;
const TH_CWR = 0x80;

interface ecn_info {
	operation: number;
	invert: number;
	ip_ect: number;
}

function ecn_mt_parse(b: Uint8Array): ecn_info | number {
	const info = { operation: b[xt_ecn_info.operation], invert: b[xt_ecn_info.invert], ip_ect: b[xt_ecn_info.ip_ect] };
	return (info.operation & XT_ECN_OP_MATCH_MASK) !== 0 || (info.invert & XT_ECN_OP_MATCH_MASK) !== 0 ? -EINVAL : info;
}

/** Offset of a readable TCP header from skb.data, or -1. */
function tcp_at(skb: sk_buff, par: xt_action_param): number {
	const off = skb.network_header - skb.data + par.thoff;
	return skb.head[skb.network_header + 9] === IPPROTO_TCP && par.fragoff === 0 && pskb_may_pull(skb, off + 20)
		? off
		: -1;
}

function ecn_mt4(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as ecn_info;
	if ((info.operation & XT_ECN_OP_MATCH_IP) !== 0) {
		const hit = (skb.head[skb.network_header + 1] & 3) === info.ip_ect;
		if (hit === ((info.invert & XT_ECN_OP_MATCH_IP) !== 0)) return false;
	}
	if ((info.operation & (XT_ECN_OP_MATCH_ECE | XT_ECN_OP_MATCH_CWR)) !== 0) {
		const off = tcp_at(skb, par);
		if (off < 0) return false;
		const flags = skb.head[skb.data + off + 13];
		if ((info.operation & XT_ECN_OP_MATCH_ECE) !== 0)
			if (((flags & TH_ECE) !== 0) === ((info.invert & XT_ECN_OP_MATCH_ECE) !== 0)) return false;
		if ((info.operation & XT_ECN_OP_MATCH_CWR) !== 0)
			if (((flags & TH_CWR) !== 0) === ((info.invert & XT_ECN_OP_MATCH_CWR) !== 0)) return false;
	}
	return true;
}

function ecn_mt_check4(par: xt_mtchk_param): number {
	const info = par.matchinfo as ecn_info;
	if (
		(info.operation & (XT_ECN_OP_MATCH_ECE | XT_ECN_OP_MATCH_CWR)) !== 0 &&
		(par.proto !== IPPROTO_TCP || par.invproto)
	) {
		printk(par.net.machine, 6, 'xt_ecn: cannot match TCP bits for non-tcp packets');
		return -EINVAL;
	}
	return 0;
}

interface ecn_tg_info {
	operation: number;
	ip_ect: number;
	ece: boolean;
	cwr: boolean;
}

function ecn_tg_parse(b: Uint8Array): ecn_tg_info | number {
	const operation = b[ipt_ECN_info.operation];
	const ip_ect = b[ipt_ECN_info.ip_ect];
	const tcp = b[ipt_ECN_info.tcp];
	if ((operation & IPT_ECN_OP_MASK) !== 0 || (ip_ect & ~3) !== 0) return -EINVAL;
	return { operation, ip_ect, ece: (tcp & 1) !== 0, cwr: (tcp & 2) !== 0 };
}

function set_ect_ip(skb: sk_buff, ect: number): boolean {
	const old = skb.head[skb.network_header + 1];
	if ((old & 3) === ect) return true;
	if (skb_ensure_writable(skb, skb.network_header - skb.data + 20) < 0) return false;
	const b = skb.head;
	const n = skb.network_header;
	const now = (old & ~3) | ect;
	put_unaligned_be16(b, n + 10, csum_replace2(get_unaligned_be16(b, n + 10), old, now));
	b[n + 1] = now;
	return true;
}

function set_ect_tcp(skb: sk_buff, par: xt_action_param, info: ecn_tg_info): boolean {
	const off = tcp_at(skb, par);
	if (off < 0) return false;
	const old = skb.head[skb.data + off + 13];
	let now = old;
	if ((info.operation & IPT_ECN_OP_SET_ECE) !== 0) now = info.ece ? now | TH_ECE : now & ~TH_ECE;
	if ((info.operation & IPT_ECN_OP_SET_CWR) !== 0) now = info.cwr ? now | TH_CWR : now & ~TH_CWR;
	if (now === old) return true;
	if (skb_ensure_writable(skb, off + 20) < 0) return false;
	const t = skb.data + off;
	const b = skb.head;
	b[t + 13] = now;
	if (skb.ip_summed !== CHECKSUM_PARTIAL)
		put_unaligned_be16(b, t + 16, csum_replace2(get_unaligned_be16(b, t + 16), old, now));
	return true;
}

function ecn_tg(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as ecn_tg_info;
	if ((info.operation & IPT_ECN_OP_SET_IP) !== 0 && !set_ect_ip(skb, info.ip_ect)) return NF_DROP;
	if (
		(info.operation & (IPT_ECN_OP_SET_ECE | IPT_ECN_OP_SET_CWR)) !== 0 &&
		skb.head[skb.network_header + 9] === IPPROTO_TCP &&
		!set_ect_tcp(skb, par, info)
	)
		return NF_DROP;
	return XT_CONTINUE;
}

function ecn_tg_check(par: xt_tgchk_param): number {
	const info = par.targinfo as ecn_tg_info;
	if (
		(info.operation & (IPT_ECN_OP_SET_ECE | IPT_ECN_OP_SET_CWR)) !== 0 &&
		(par.proto !== IPPROTO_TCP || par.invproto)
	) {
		printk(par.net.machine, 6, 'ipt_ECN: cannot use operation on non-tcp rule');
		return -EINVAL;
	}
	return 0;
}

export function ecn_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'ecn',
		revision: 0,
		family: NFPROTO_IPV4,
		matchsize: xt_ecn_info.sizeof,
		parse: ecn_mt_parse,
		match: ecn_mt4,
		checkentry: ecn_mt_check4,
	});
}

export function ecn_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'ECN',
		revision: 0,
		family: NFPROTO_IPV4,
		targetsize: ipt_ECN_info.sizeof,
		table: 'mangle',
		parse: ecn_tg_parse,
		target: ecn_tg,
		checkentry: ecn_tg_check,
	});
}
