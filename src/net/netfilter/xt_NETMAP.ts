/*
 * net/netfilter/xt_NETMAP.ts: target NETMAP: one network onto another, host by host.        Linux: net/netfilter/xt_NETMAP.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be32 } from '../../lib/byteorder.ts';
import { NF_NAT_RANGE_MAP_IPS, nf_nat_ipv4_multi_range_compat } from '../../uapi/linux/netfilter/nf_nat.ts';
import {
	NF_ACCEPT,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NF_INET_PRE_ROUTING,
	NFPROTO_IPV4,
} from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { HOOK2MANIP, NF_NAT_MANIP_SRC, nf_nat_range2, nf_nat_setup_info } from './nf_nat_core.ts';
import { type xt_action_param, xt_register_target, type xt_tgchk_param } from './x_tables.ts';
import { nat_checkentry_single, type nat_info_v0, nat_parse_v0, xt_nat_destroy } from './xt_nat.ts';

function netmap_tg4_check(par: xt_tgchk_param): number {
	return nat_checkentry_single(par, true);
}

function netmap_tg4(skb: sk_buff, par: xt_action_param): number {
	const ct = skb._nfct;
	if (ct === null) return NF_ACCEPT;
	const range = (par.targinfo as nat_info_v0).range;
	const manip = HOOK2MANIP(par.state.hook);
	const netmask = ~(range.min_addr ^ range.max_addr);
	const old = get_unaligned_be32(skb.head, skb.network_header + (manip === NF_NAT_MANIP_SRC ? 12 : 16));
	const fresh = ((old & ~netmask) | (range.min_addr & netmask)) >>> 0;
	const r = new nf_nat_range2();
	r.flags = range.flags | NF_NAT_RANGE_MAP_IPS;
	r.min_addr = fresh;
	r.max_addr = fresh;
	r.min_proto = range.min_proto;
	r.max_proto = range.max_proto;
	return nf_nat_setup_info(ct, r, manip);
}

export function netmap_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'NETMAP',
		revision: 0,
		family: NFPROTO_IPV4,
		targetsize: nf_nat_ipv4_multi_range_compat.sizeof,
		table: 'nat',
		hooks:
			(1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_POST_ROUTING) | (1 << NF_INET_LOCAL_OUT) | (1 << NF_INET_LOCAL_IN),
		parse: nat_parse_v0,
		target: netmap_tg4,
		checkentry: netmap_tg4_check,
		destroy: xt_nat_destroy,
	});
}
