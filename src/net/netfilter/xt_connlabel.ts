/*
 * net/netfilter/xt_connlabel.ts: match connlabel: bits that a flow wears.    Linux: net/netfilter/xt_connlabel.c
 * Flows have room for labels from when a rule on them exists; older ones have none.
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { get_unaligned_le16 } from '../../lib/byteorder.ts';
import { EINVAL, ERANGE } from '../../uapi/asm-generic/errno.ts';
import { IPCT_LABEL } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	XT_CONNLABEL_MAXBIT,
	XT_CONNLABEL_OP_INVERT,
	XT_CONNLABEL_OP_SET,
	xt_connlabel_mtinfo,
} from '../../uapi/linux/netfilter/xt_connlabel.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { nf_conntrack_event_cache } from './nf_conntrack_core.ts';
import { nf_ct_netns_get } from './nf_conntrack_proto.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';
import { conntrack_mt_destroy } from './xt_conntrack.ts';

interface connlabel_info {
	bit: number;
	options: number;
}

function connlabel_parse(b: Uint8Array): connlabel_info | number {
	const info = {
		bit: get_unaligned_le16(b, xt_connlabel_mtinfo.bit),
		options: get_unaligned_le16(b, xt_connlabel_mtinfo.options),
	};
	return (info.options & ~(XT_CONNLABEL_OP_INVERT | XT_CONNLABEL_OP_SET)) !== 0 ? -EINVAL : info;
}

function connlabel_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as connlabel_info;
	const ct = skb._nfct;
	const invert = (info.options & XT_CONNLABEL_OP_INVERT) !== 0;
	const labels = ct === null || ct.ext === null ? null : ct.ext.labels;
	if (ct === null || labels === null) return invert;
	const at = info.bit >> 3;
	const bit = 1 << (info.bit & 7);
	if ((labels[at] & bit) !== 0) return !invert;
	if ((info.options & XT_CONNLABEL_OP_SET) === 0) return invert;
	labels[at] |= bit;
	nf_conntrack_event_cache(IPCT_LABEL, ct);
	return !invert;
}

function connlabel_mt_check(par: xt_mtchk_param): number {
	const info = par.matchinfo as connlabel_info;
	if (info.bit > XT_CONNLABEL_MAXBIT) return -ERANGE;
	const err = nf_ct_netns_get(par.net, par.family);
	if (err < 0) {
		printk(par.net.machine, 6, `xt_connlabel: cannot load conntrack support for proto=${par.family}`);
		return err;
	}
	par.net.ct.labels_used++;
	return 0;
}

function connlabel_mt_destroy(net: net, info: unknown): void {
	net.ct.labels_used--;
	conntrack_mt_destroy(net, info);
}

export function connlabel_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'connlabel',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_connlabel_mtinfo.sizeof,
		parse: connlabel_parse,
		match: connlabel_mt,
		checkentry: connlabel_mt_check,
		destroy: connlabel_mt_destroy,
	});
}
