/*
 * net/netfilter/xt_policy.ts: match policy: was it, or will it be, protected by IPsec?        Linux: net/netfilter/xt_policy.c
 * Not here yet: IPsec. No packet has a policy, so `--pol none` matches and `--pol ipsec` does not.
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { get_unaligned_le16 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_POLICY_MATCH_IN,
	XT_POLICY_MATCH_NONE,
	XT_POLICY_MATCH_OUT,
	XT_POLICY_MAX_ELEM,
	xt_policy_info,
} from '../../uapi/linux/netfilter/xt_policy.ts';
import {
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NF_INET_PRE_ROUTING,
	NFPROTO_IPV4,
} from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';

interface policy_info {
	flags: number;
	len: number;
}

function policy_parse(b: Uint8Array): policy_info {
	return { flags: get_unaligned_le16(b, xt_policy_info.flags), len: get_unaligned_le16(b, xt_policy_info.len) };
}

function policy_mt(_skb: sk_buff, par: xt_action_param): boolean {
	return ((par.matchinfo as policy_info).flags & XT_POLICY_MATCH_NONE) !== 0;
}

function policy_mt_check(par: xt_mtchk_param): number {
	const info = par.matchinfo as policy_info;
	const refuse = (why: string): number => {
		printk(par.net.machine, 6, `xt_policy: ${why}`);
		return -EINVAL;
	};
	if ((info.flags & (XT_POLICY_MATCH_IN | XT_POLICY_MATCH_OUT)) === 0)
		return refuse('neither incoming nor outgoing policy selected');
	if (
		(par.hook_mask & ((1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_LOCAL_IN))) !== 0 &&
		(info.flags & XT_POLICY_MATCH_OUT) !== 0
	)
		return refuse('output policy not valid in PREROUTING and INPUT');
	if (
		(par.hook_mask & ((1 << NF_INET_POST_ROUTING) | (1 << NF_INET_LOCAL_OUT))) !== 0 &&
		(info.flags & XT_POLICY_MATCH_IN) !== 0
	)
		return refuse('input policy not valid in POSTROUTING and OUTPUT');
	if (info.len > XT_POLICY_MAX_ELEM) return refuse('too many policy elements');
	return 0;
}

export function policy_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'policy',
		revision: 0,
		family: NFPROTO_IPV4,
		matchsize: xt_policy_info.sizeof,
		parse: policy_parse,
		match: policy_mt,
		checkentry: policy_mt_check,
	});
}
