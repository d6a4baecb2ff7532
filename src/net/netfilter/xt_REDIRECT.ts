/*
 * net/netfilter/xt_REDIRECT.ts: target REDIRECT: DNAT to this machine.      Linux: net/netfilter/xt_REDIRECT.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { nf_nat_ipv4_multi_range_compat } from '../../uapi/linux/netfilter/nf_nat.ts';
import { NF_INET_LOCAL_OUT, NF_INET_PRE_ROUTING, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { nf_nat_redirect_ipv4 } from './nf_nat_redirect.ts';
import { type xt_action_param, xt_register_target, type xt_tgchk_param } from './x_tables.ts';
import { nat_checkentry_single, type nat_info_v0, nat_parse_v0, xt_nat_destroy } from './xt_nat.ts';

function redirect_tg4_check(par: xt_tgchk_param): number {
	return nat_checkentry_single(par, false);
}

function redirect_tg4(skb: sk_buff, par: xt_action_param): number {
	return nf_nat_redirect_ipv4(skb, (par.targinfo as nat_info_v0).range, par.state.hook);
}

export function redirect_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'REDIRECT',
		revision: 0,
		family: NFPROTO_IPV4,
		targetsize: nf_nat_ipv4_multi_range_compat.sizeof,
		table: 'nat',
		hooks: (1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_LOCAL_OUT),
		parse: nat_parse_v0,
		target: redirect_tg4,
		checkentry: redirect_tg4_check,
		destroy: xt_nat_destroy,
	});
}
