/*
 * net/netfilter/xt_connbytes.ts: match connbytes: how much a flow has carried.    Linux: net/netfilter/xt_connbytes.c
 * A rule turns the flows' counters on (net.netfilter.nf_conntrack_acct); flows from before have none and do not match.
 */
import type { Machine } from '../../kernel/machine.ts';
import { KERN_WARNING, printk } from '../../kernel/printk.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_CONNBYTES_AVGPKT,
	XT_CONNBYTES_BYTES,
	XT_CONNBYTES_DIR_BOTH,
	XT_CONNBYTES_DIR_ORIGINAL,
	xt_connbytes_info,
} from '../../uapi/linux/netfilter/xt_connbytes.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { nf_ct_netns_get } from './nf_conntrack_proto.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';
import { conntrack_mt_destroy } from './xt_conntrack.ts';

interface connbytes_info {
	/** Above `to` when inverted. Beyond 2^53 not exact. */
	from: number;
	to: number;
	what: number;
	direction: number;
}

function le64(b: Uint8Array, o: number): number {
	return get_unaligned_le32(b, o) + get_unaligned_le32(b, o + 4) * 0x100000000;
}

function connbytes_parse(b: Uint8Array): connbytes_info | number {
	const o = xt_connbytes_info;
	const info = { from: le64(b, o.from), to: le64(b, o.to), what: b[o.what], direction: b[o.direction] };
	return info.what > XT_CONNBYTES_AVGPKT || info.direction > XT_CONNBYTES_DIR_BOTH ? -EINVAL : info;
}

/** Of a flow's counters: packets (0) or bytes (1) of a direction. */
function sum(acct: Float64Array, direction: number, k: number): number {
	if (direction === XT_CONNBYTES_DIR_BOTH) return acct[k] + acct[2 + k];
	return direction === XT_CONNBYTES_DIR_ORIGINAL ? acct[k] : acct[2 + k];
}

function connbytes_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as connbytes_info;
	const ct = skb._nfct;
	if (ct === null || ct.ext === null || ct.ext.acct === null) return false;
	const packets = sum(ct.ext.acct, info.direction, 0);
	const bytes = sum(ct.ext.acct, info.direction, 1);
	let what = info.what === XT_CONNBYTES_BYTES ? bytes : packets;
	if (info.what === XT_CONNBYTES_AVGPKT) what = packets === 0 ? 0 : Math.floor(bytes / packets);
	return info.to >= info.from ? what <= info.to && what >= info.from : what < info.to || what > info.from;
}

function connbytes_mt_check(par: xt_mtchk_param): number {
	const err = nf_ct_netns_get(par.net, par.family);
	if (err < 0) return err;
	if (par.net.ct.sysctl_acct === 0) {
		printk(par.net.machine, KERN_WARNING, 'xt_connbytes: Forcing CT accounting to be enabled');
		par.net.ct.sysctl_acct = 1;
	}
	return 0;
}

export function connbytes_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'connbytes',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_connbytes_info.sizeof,
		parse: connbytes_parse,
		match: connbytes_mt,
		checkentry: connbytes_mt_check,
		destroy: conntrack_mt_destroy,
	});
}
