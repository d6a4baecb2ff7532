/*
 * net/netfilter/xt_nat.ts: targets SNAT and DNAT, and what MASQUERADE, REDIRECT and NETMAP share with them.
 *                                                                  Linux: net/netfilter/xt_nat.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, get_unaligned_be32, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	nf_nat_ipv4_multi_range_compat as compat,
	NF_NAT_RANGE_MAP_IPS,
	nf_nat_range as range1,
	nf_nat_range2 as range2,
	nf_nat_ipv4_range as range4,
} from '../../uapi/linux/netfilter/nf_nat.ts';
import {
	NF_ACCEPT,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NF_INET_PRE_ROUTING,
	NFPROTO_IPV4,
	NFPROTO_UNSPEC,
} from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { nf_ct_netns_get, nf_ct_netns_put } from './nf_conntrack_proto.ts';
import { NF_NAT_MANIP_DST, NF_NAT_MANIP_SRC, nf_nat_range2, nf_nat_setup_info } from './nf_nat_core.ts';
import { type xt_action_param, xt_register_targets, type xt_tgchk_param } from './x_tables.ts';

/** Revision 0: a count, which must be 1, and one range. */
export interface nat_info_v0 {
	range: nf_nat_range2;
	rangesize: number;
}

export function nat_parse_v0(b: Uint8Array): nat_info_v0 {
	const o = compat.range;
	const range = new nf_nat_range2();
	range.flags = get_unaligned_le32(b, o + range4.flags);
	range.min_addr = get_unaligned_be32(b, o + range4.min_ip);
	range.max_addr = get_unaligned_be32(b, o + range4.max_ip);
	range.min_proto = get_unaligned_be16(b, o + range4.min);
	range.max_proto = get_unaligned_be16(b, o + range4.max);
	return { range, rangesize: get_unaligned_le32(b, compat.rangesize) };
}

function nat_parse_v1(b: Uint8Array): nf_nat_range2 {
	const r = new nf_nat_range2();
	r.flags = get_unaligned_le32(b, range1.flags);
	r.min_addr = get_unaligned_be32(b, range1.min_addr);
	r.max_addr = get_unaligned_be32(b, range1.max_addr);
	r.min_proto = get_unaligned_be16(b, range1.min_proto);
	r.max_proto = get_unaligned_be16(b, range1.max_proto);
	return r;
}

function nat_parse_v2(b: Uint8Array): nf_nat_range2 {
	const r = nat_parse_v1(b);
	r.base_proto = get_unaligned_be16(b, range2.base_proto);
	return r;
}

/** Of a target with one range of revision 0: whether it names addresses as it must or must not. Turns tracking on. */
export function nat_checkentry_single(par: xt_tgchk_param, addresses: boolean): number {
	const info = par.targinfo as nat_info_v0;
	if (info.rangesize !== 1) return -EINVAL;
	if (((info.range.flags & NF_NAT_RANGE_MAP_IPS) !== 0) !== addresses) return -EINVAL;
	return nf_ct_netns_get(par.net, par.family);
}

function xt_nat_checkentry_v0(par: xt_tgchk_param): number {
	if ((par.targinfo as nat_info_v0).rangesize !== 1) return -EINVAL;
	return nf_ct_netns_get(par.net, par.family);
}

function xt_nat_checkentry(par: xt_tgchk_param): number {
	return nf_ct_netns_get(par.net, par.family);
}

export function xt_nat_destroy(net: net, _info: unknown): void {
	nf_ct_netns_put(net, NFPROTO_IPV4);
}

function setup(skb: sk_buff, range: nf_nat_range2, manip: number): number {
	const ct = skb._nfct;
	return ct === null ? NF_ACCEPT : nf_nat_setup_info(ct, range, manip);
}

function xt_snat_target_v0(skb: sk_buff, par: xt_action_param): number {
	return setup(skb, (par.targinfo as nat_info_v0).range, NF_NAT_MANIP_SRC);
}

function xt_dnat_target_v0(skb: sk_buff, par: xt_action_param): number {
	return setup(skb, (par.targinfo as nat_info_v0).range, NF_NAT_MANIP_DST);
}

function xt_snat_target(skb: sk_buff, par: xt_action_param): number {
	return setup(skb, par.targinfo as nf_nat_range2, NF_NAT_MANIP_SRC);
}

function xt_dnat_target(skb: sk_buff, par: xt_action_param): number {
	return setup(skb, par.targinfo as nf_nat_range2, NF_NAT_MANIP_DST);
}

const SRC_HOOKS = (1 << NF_INET_POST_ROUTING) | (1 << NF_INET_LOCAL_IN);
const DST_HOOKS = (1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_LOCAL_OUT);

const V0 = {
	revision: 0,
	family: NFPROTO_IPV4,
	targetsize: compat.sizeof,
	parse: nat_parse_v0,
	checkentry: xt_nat_checkentry_v0,
	destroy: xt_nat_destroy,
	table: 'nat',
};
const V1 = {
	...V0,
	revision: 1,
	family: NFPROTO_UNSPEC,
	targetsize: range1.sizeof,
	parse: nat_parse_v1,
	checkentry: xt_nat_checkentry,
};
const V2 = { ...V1, revision: 2, targetsize: range2.sizeof, parse: nat_parse_v2 };

export function xt_nat_init(machine: Machine): number {
	return xt_register_targets(machine, [
		{ ...V0, name: 'SNAT', hooks: SRC_HOOKS, target: xt_snat_target_v0 },
		{ ...V0, name: 'DNAT', hooks: DST_HOOKS, target: xt_dnat_target_v0 },
		{ ...V1, name: 'SNAT', hooks: SRC_HOOKS, target: xt_snat_target },
		{ ...V1, name: 'DNAT', hooks: DST_HOOKS, target: xt_dnat_target },
		{ ...V2, name: 'SNAT', hooks: SRC_HOOKS, target: xt_snat_target },
		{ ...V2, name: 'DNAT', hooks: DST_HOOKS, target: xt_dnat_target },
	]);
}
