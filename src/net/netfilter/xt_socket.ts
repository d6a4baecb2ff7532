/*
 * net/netfilter/xt_socket.ts: match socket: is there one here for the packet?    Linux: net/netfilter/xt_socket.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_SOCKET_FLAGS_V1,
	XT_SOCKET_FLAGS_V2,
	XT_SOCKET_FLAGS_V3,
	XT_SOCKET_NOWILDCARD,
	XT_SOCKET_RESTORESKMARK,
	XT_SOCKET_TRANSPARENT,
	xt_socket_mtinfo1,
} from '../../uapi/linux/netfilter/xt_socket.ts';
import { NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { nf_defrag_ipv4_disable, nf_defrag_ipv4_enable } from '../ipv4/netfilter/nf_defrag_ipv4.ts';
import { full_sock, inet_sk_transparent, nf_sk_lookup_slow_v4 } from './nf_socket_ipv4.ts';
import { type xt_action_param, type xt_match_ops, type xt_mtchk_param, xt_register_matches } from './x_tables.ts';

interface socket_info {
	flags: number;
}

function parse1(b: Uint8Array): socket_info | number {
	return (b[0] & ~XT_SOCKET_FLAGS_V1) !== 0 ? -EINVAL : { flags: b[0] };
}

function parse2(b: Uint8Array): socket_info | number {
	return (b[0] & ~XT_SOCKET_FLAGS_V2) !== 0 ? -EINVAL : { flags: b[0] };
}

function parse3(b: Uint8Array): socket_info | number {
	return (b[0] & ~XT_SOCKET_FLAGS_V3) !== 0 ? -EINVAL : { flags: b[0] };
}

function socket_mt4(skb: sk_buff, par: xt_action_param): boolean {
	const { flags } = par.matchinfo as socket_info;
	const e = skb.sk !== null ? skb.sk : nf_sk_lookup_slow_v4(par.state.net, skb, par.thoff, par.state.in!);
	if (e === null) return false;
	const sk = full_sock(e);
	// A listener on every address tells nothing of this flow.
	if ((flags & XT_SOCKET_NOWILDCARD) === 0 && sk !== null && sk.inet!.inet_rcv_saddr === 0) return false;
	const transparent = inet_sk_transparent(e);
	if ((flags & XT_SOCKET_TRANSPARENT) !== 0 && !transparent) return false;
	if ((flags & XT_SOCKET_RESTORESKMARK) !== 0 && sk !== null) skb.mark = sk.sk_mark;
	return true;
}

function socket_mt_check(par: xt_mtchk_param): number {
	return nf_defrag_ipv4_enable(par.net);
}

function socket_mt_destroy(net: net, _info: unknown): void {
	nf_defrag_ipv4_disable(net);
}

export function socket_mt_init(machine: Machine): number {
	const one: Omit<xt_match_ops, 'revision' | 'parse'> = {
		name: 'socket',
		family: NFPROTO_IPV4,
		matchsize: xt_socket_mtinfo1.sizeof,
		hooks: (1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_LOCAL_IN),
		match: socket_mt4,
		checkentry: socket_mt_check,
		destroy: socket_mt_destroy,
	};
	return xt_register_matches(machine, [
		{ ...one, revision: 1, parse: parse1 },
		{ ...one, revision: 2, parse: parse2 },
		{ ...one, revision: 3, parse: parse3 },
	]);
}
