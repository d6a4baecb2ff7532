/*
 * net/netfilter/xt_helper.ts: match helper: flows that a helper expected.    Linux: net/netfilter/xt_helper.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { xt_helper_info } from '../../uapi/linux/netfilter/xt_helper.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';
import { conntrack_mt_check, conntrack_mt_destroy } from './xt_conntrack.ts';

interface helper_info {
	invert: boolean;
	name: string;
}

function helper_parse(b: Uint8Array): helper_info {
	let name = '';
	for (let i = xt_helper_info.name; i < xt_helper_info.name + 29 && b[i] !== 0; i++) name += String.fromCharCode(b[i]);
	return { invert: get_unaligned_le32(b, xt_helper_info.invert) !== 0, name };
}

function helper_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as helper_info;
	const ct = skb._nfct;
	if (ct === null || ct.master === null) return info.invert;
	const help = ct.master.ext !== null ? ct.master.ext.help : null;
	if (help === null) return info.invert;
	return (info.name === '' || info.name.startsWith(help.helper.name)) !== info.invert;
}

export function helper_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'helper',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_helper_info.sizeof,
		parse: helper_parse,
		match: helper_mt,
		checkentry: conntrack_mt_check,
		destroy: conntrack_mt_destroy,
	});
}
