/*
 * net/netfilter/xt_cpu.ts: match cpu.                              Linux: net/netfilter/xt_cpu.c
 * A machine has one CPU here: number 0.
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { xt_cpu_info } from '../../uapi/linux/netfilter/xt_cpu.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface cpu_info {
	matches: boolean;
}

function cpu_parse(b: Uint8Array): cpu_info | number {
	const invert = get_unaligned_le32(b, xt_cpu_info.invert);
	if ((invert & ~1) !== 0) return -EINVAL;
	return { matches: (get_unaligned_le32(b, xt_cpu_info.cpu) === 0) !== (invert !== 0) };
}

function cpu_mt(_skb: sk_buff, par: xt_action_param): boolean {
	return (par.matchinfo as cpu_info).matches;
}

export function cpu_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'cpu',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_cpu_info.sizeof,
		parse: cpu_parse,
		match: cpu_mt,
	});
}
