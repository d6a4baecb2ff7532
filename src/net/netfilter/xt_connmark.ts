/*
 * net/netfilter/xt_connmark.ts: match connmark: the flow's mark.   Linux: net/netfilter/xt_connmark.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { xt_connmark_mtinfo1 } from '../../uapi/linux/netfilter/xt_connmark.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';
import { conntrack_mt_check, conntrack_mt_destroy } from './xt_conntrack.ts';

interface connmark_info {
	mark: number;
	mask: number;
	invert: boolean;
}

function connmark_parse(b: Uint8Array): connmark_info {
	return {
		mark: get_unaligned_le32(b, xt_connmark_mtinfo1.mark),
		mask: get_unaligned_le32(b, xt_connmark_mtinfo1.mask),
		invert: b[xt_connmark_mtinfo1.invert] !== 0,
	};
}

function connmark_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as connmark_info;
	const ct = skb._nfct;
	if (ct === null) return false;
	return ((ct.mark & info.mask) >>> 0 === info.mark) !== info.invert;
}

export function connmark_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'connmark',
		revision: 1,
		family: NFPROTO_UNSPEC,
		matchsize: xt_connmark_mtinfo1.sizeof,
		parse: connmark_parse,
		match: connmark_mt,
		checkentry: conntrack_mt_check,
		destroy: conntrack_mt_destroy,
	});
}
