/*
 * net/netfilter/xt_connmark_tg.ts: target CONNMARK: the flow's mark, and copies between it and the packet's.      Linux: net/netfilter/xt_connmark.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { trace_event } from '../../kernel/trace.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { IPCT_MARK } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	D_SHIFT_RIGHT,
	XT_CONNMARK_RESTORE,
	XT_CONNMARK_SAVE,
	XT_CONNMARK_SET,
	xt_connmark_tginfo1,
	xt_connmark_tginfo2,
} from '../../uapi/linux/netfilter/xt_connmark.ts';
import { NFPROTO_IPV4, NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { nf_conntrack_event_cache } from './nf_conntrack_core.ts';
import { nf_ct_netns_get, nf_ct_netns_put } from './nf_conntrack_proto.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_targets, type xt_tgchk_param } from './x_tables.ts';

interface connmark_info {
	ctmark: number;
	ctmask: number;
	nfmask: number;
	shift_dir: number;
	shift_bits: number;
	mode: number;
}

function connmark_parse_v1(b: Uint8Array): connmark_info {
	return {
		ctmark: get_unaligned_le32(b, xt_connmark_tginfo1.ctmark),
		ctmask: get_unaligned_le32(b, xt_connmark_tginfo1.ctmask),
		nfmask: get_unaligned_le32(b, xt_connmark_tginfo1.nfmask),
		shift_dir: 0,
		shift_bits: 0,
		mode: b[xt_connmark_tginfo1.mode],
	};
}

function connmark_parse_v2(b: Uint8Array): connmark_info {
	return {
		ctmark: get_unaligned_le32(b, xt_connmark_tginfo2.ctmark),
		ctmask: get_unaligned_le32(b, xt_connmark_tginfo2.ctmask),
		nfmask: get_unaligned_le32(b, xt_connmark_tginfo2.nfmask),
		shift_dir: b[xt_connmark_tginfo2.shift_dir],
		shift_bits: b[xt_connmark_tginfo2.shift_bits],
		mode: b[xt_connmark_tginfo2.mode],
	};
}

function shifted(v: number, info: connmark_info): number {
	return (info.shift_dir === D_SHIFT_RIGHT ? v >>> info.shift_bits : v << info.shift_bits) >>> 0;
}

function connmark_tg(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as connmark_info;
	const ct = skb._nfct;
	if (ct === null) return XT_CONTINUE;
	const ctmark = ct.mark;
	const nfmark = skb.mark;
	let mark = ctmark;
	switch (info.mode) {
		case XT_CONNMARK_SET:
			mark = shifted(((ctmark & ~info.ctmask) ^ info.ctmark) >>> 0, info);
			break;
		case XT_CONNMARK_SAVE:
			mark = ((ctmark & ~info.ctmask) ^ shifted((nfmark & info.nfmask) >>> 0, info)) >>> 0;
			break;
		case XT_CONNMARK_RESTORE:
			skb.mark = ((nfmark & ~info.nfmask) ^ shifted((ctmark & info.ctmask) >>> 0, info)) >>> 0;
			break;
		default:
			break;
	}
	if (mark !== ctmark) {
		ct.mark = mark;
		nf_conntrack_event_cache(IPCT_MARK, ct);
	}
	if (skb.journey !== null && (mark !== ctmark || skb.mark !== nfmark))
		trace_event(skb, 'note', 'connmark_tg', { connmark: mark, mark: skb.mark });
	return XT_CONTINUE;
}

function connmark_tg_check(par: xt_tgchk_param): number {
	return nf_ct_netns_get(par.net, par.family);
}

function connmark_tg_destroy(net: net, _targinfo: unknown): void {
	nf_ct_netns_put(net, NFPROTO_IPV4);
}

const CONNMARK = {
	name: 'CONNMARK',
	family: NFPROTO_UNSPEC,
	target: connmark_tg,
	checkentry: connmark_tg_check,
	destroy: connmark_tg_destroy,
};

export function connmark_tg_init(machine: Machine): number {
	return xt_register_targets(machine, [
		{ ...CONNMARK, revision: 1, targetsize: xt_connmark_tginfo1.sizeof, parse: connmark_parse_v1 },
		{ ...CONNMARK, revision: 2, targetsize: xt_connmark_tginfo2.sizeof, parse: connmark_parse_v2 },
	]);
}
