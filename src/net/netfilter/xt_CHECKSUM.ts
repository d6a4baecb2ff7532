/*
 * net/netfilter/xt_CHECKSUM.ts: target CHECKSUM: sums up now what was left to the device.      Linux: net/netfilter/xt_CHECKSUM.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { KERN_INFO, printk } from '../../kernel/printk.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { XT_CHECKSUM_OP_FILL, xt_CHECKSUM_info } from '../../uapi/linux/netfilter/xt_CHECKSUM.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import { skb_checksum_help } from '../core/dev_output.ts';
import { CHECKSUM_PARTIAL, type sk_buff, skb_is_gso } from '../core/skbuff.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_target, type xt_tgchk_param } from './x_tables.ts';

interface checksum_info {
	operation: number;
}

function checksum_parse(b: Uint8Array): checksum_info {
	return { operation: b[xt_CHECKSUM_info.operation] };
}

function checksum_tg(skb: sk_buff, _par: xt_action_param): number {
	if (skb.ip_summed === CHECKSUM_PARTIAL && !skb_is_gso(skb)) skb_checksum_help(skb);
	return XT_CONTINUE;
}

function checksum_tg_check(par: xt_tgchk_param): number {
	const { operation } = par.targinfo as checksum_info;
	if ((operation & ~XT_CHECKSUM_OP_FILL) !== 0) {
		printk(par.net.machine, KERN_INFO, `xt_CHECKSUM: unsupported CHECKSUM operation ${operation.toString(16)}`);
		return -EINVAL;
	}
	if (operation === 0) {
		printk(par.net.machine, KERN_INFO, 'xt_CHECKSUM: no CHECKSUM operation enabled');
		return -EINVAL;
	}
	return 0;
}

export function checksum_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'CHECKSUM',
		revision: 0,
		family: NFPROTO_UNSPEC,
		targetsize: xt_CHECKSUM_info.sizeof,
		table: 'mangle',
		parse: checksum_parse,
		target: checksum_tg,
		checkentry: checksum_tg_check,
	});
}
