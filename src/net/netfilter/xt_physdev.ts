/*
 * net/netfilter/xt_physdev.ts: match physdev: ports of a bridge.   Linux: net/netfilter/xt_physdev.c
 * Not here yet: bridges. No packet comes from a port, so what asks for one does not match and what is inverted does.
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_PHYSDEV_OP_BRIDGED,
	XT_PHYSDEV_OP_ISOUT,
	XT_PHYSDEV_OP_MASK,
	XT_PHYSDEV_OP_OUT,
	xt_physdev_info,
} from '../../uapi/linux/netfilter/xt_physdev.ts';
import { NF_INET_LOCAL_OUT, NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';

interface physdev_info {
	bitmask: number;
	invert: number;
}

function physdev_parse(b: Uint8Array): physdev_info | number {
	const bitmask = b[xt_physdev_info.bitmask];
	if ((bitmask & XT_PHYSDEV_OP_MASK) === 0 || (bitmask & ~XT_PHYSDEV_OP_MASK) !== 0) return -EINVAL;
	return { bitmask, invert: b[xt_physdev_info.invert] };
}

function physdev_mt(_skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as physdev_info;
	return (info.bitmask & ~info.invert) === 0;
}

function physdev_mt_check(par: xt_mtchk_param): number {
	const info = par.matchinfo as physdev_info;
	const out = (info.bitmask & (XT_PHYSDEV_OP_OUT | XT_PHYSDEV_OP_ISOUT)) !== 0;
	const bridged = (info.bitmask & ~info.invert & XT_PHYSDEV_OP_BRIDGED) !== 0;
	if (out && !bridged && (par.hook_mask & (1 << NF_INET_LOCAL_OUT)) !== 0) {
		printk(
			par.net.machine,
			6,
			'xt_physdev: --physdev-out and --physdev-is-out only supported in the FORWARD and POSTROUTING chains with bridged traffic',
		);
		return -EINVAL;
	}
	return 0;
}

export function physdev_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'physdev',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_physdev_info.sizeof,
		parse: physdev_parse,
		match: physdev_mt,
		checkentry: physdev_mt_check,
	});
}
