/*
 * net/netfilter/xt_devgroup.ts: match devgroup: the group of a device (ip link set … group).    Linux: net/netfilter/xt_devgroup.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_DEVGROUP_INVERT_DST,
	XT_DEVGROUP_INVERT_SRC,
	XT_DEVGROUP_MATCH_DST,
	XT_DEVGROUP_MATCH_SRC,
	xt_devgroup_info,
} from '../../uapi/linux/netfilter/xt_devgroup.ts';
import {
	NF_INET_FORWARD,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NF_INET_PRE_ROUTING,
	NFPROTO_UNSPEC,
} from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';

interface devgroup_info {
	flags: number;
	src_group: number;
	src_mask: number;
	dst_group: number;
	dst_mask: number;
}

function devgroup_parse(b: Uint8Array): devgroup_info | number {
	const o = xt_devgroup_info;
	const flags = get_unaligned_le32(b, o.flags);
	if ((flags & ~0xf) !== 0) return -EINVAL;
	return {
		flags,
		src_group: get_unaligned_le32(b, o.src_group),
		src_mask: get_unaligned_le32(b, o.src_mask),
		dst_group: get_unaligned_le32(b, o.dst_group),
		dst_mask: get_unaligned_le32(b, o.dst_mask),
	};
}

function devgroup_mt(_skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as devgroup_info;
	if ((info.flags & XT_DEVGROUP_MATCH_SRC) !== 0) {
		const hit = (par.state.in!.group & info.src_mask) >>> 0 === info.src_group;
		if (hit === ((info.flags & XT_DEVGROUP_INVERT_SRC) !== 0)) return false;
	}
	if ((info.flags & XT_DEVGROUP_MATCH_DST) !== 0) {
		const hit = (par.state.out!.group & info.dst_mask) >>> 0 === info.dst_group;
		if (hit === ((info.flags & XT_DEVGROUP_INVERT_DST) !== 0)) return false;
	}
	return true;
}

const SRC_HOOKS = (1 << NF_INET_PRE_ROUTING) | (1 << NF_INET_LOCAL_IN) | (1 << NF_INET_FORWARD);
const DST_HOOKS = (1 << NF_INET_POST_ROUTING) | (1 << NF_INET_LOCAL_OUT) | (1 << NF_INET_FORWARD);

function devgroup_mt_checkentry(par: xt_mtchk_param): number {
	const { flags } = par.matchinfo as devgroup_info;
	if ((flags & XT_DEVGROUP_MATCH_SRC) !== 0 && (par.hook_mask & ~SRC_HOOKS) !== 0) return -EINVAL;
	if ((flags & XT_DEVGROUP_MATCH_DST) !== 0 && (par.hook_mask & ~DST_HOOKS) !== 0) return -EINVAL;
	return 0;
}

export function devgroup_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'devgroup',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_devgroup_info.sizeof,
		parse: devgroup_parse,
		match: devgroup_mt,
		checkentry: devgroup_mt_checkentry,
	});
}
