/*
 * net/netfilter/xt_connlimit.ts: match connlimit: flows that an address or network has open.
 *                                                                  Linux: net/netfilter/xt_connlimit.c, nf_conncount.c
 * Each rule keeps a list of flows by masked address; those that ended are forgotten when the list is next looked at.
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be32, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { XT_CONNLIMIT_DADDR, XT_CONNLIMIT_INVERT, xt_connlimit_info } from '../../uapi/linux/netfilter/xt_connlimit.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_TCP } from '../../uapi/linux/socket.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type nf_conn, nf_ct_is_confirmed, nf_ct_is_dying, nf_ct_is_expired } from './nf_conntrack_core.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';
import { conntrack_mt_check, conntrack_mt_destroy } from './xt_conntrack.ts';

interface connlimit_info {
	mask: number;
	limit: number;
	flags: number;
	flows: Map<number, nf_conn[]>;
}

function connlimit_parse(b: Uint8Array): connlimit_info {
	return {
		mask: get_unaligned_be32(b, xt_connlimit_info.mask) | 0,
		limit: get_unaligned_le32(b, xt_connlimit_info.limit),
		flags: get_unaligned_le32(b, xt_connlimit_info.flags),
		flows: new Map(),
	};
}

const TCP_CONNTRACK_TIME_WAIT = 7;
const TCP_CONNTRACK_CLOSE = 8;

function already_closed(ct: nf_conn): boolean {
	if (ct.orig.protonum !== IPPROTO_TCP || ct.tcp === null) return false;
	return ct.tcp.state === TCP_CONNTRACK_TIME_WAIT || ct.tcp.state === TCP_CONNTRACK_CLOSE;
}

/** Flows under `key` that are still open, `ct` among them from now on. */
function count(info: connlimit_info, key: number, ct: nf_conn): number {
	const list = info.flows.get(key);
	if (list === undefined) {
		info.flows.set(key, [ct]);
		return 1;
	}
	let n = 0;
	let there = false;
	for (let i = 0; i < list.length; i++) {
		const c = list[i];
		if (c !== ct) {
			// One that was never confirmed was dropped on its way.
			if (!nf_ct_is_confirmed(c) || nf_ct_is_dying(c) || nf_ct_is_expired(c) || already_closed(c)) continue;
		} else there = true;
		list[n++] = c;
	}
	list.length = n;
	if (!there) list.push(ct);
	return list.length;
}

function connlimit_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as connlimit_info;
	const ct = skb._nfct;
	if (ct === null) {
		par.hotdrop = true;
		return false;
	}
	const addr = (info.flags & XT_CONNLIMIT_DADDR) !== 0 ? ct.orig.dst_ip : ct.orig.src_ip;
	const n = count(info, addr & info.mask, ct);
	return n > info.limit !== ((info.flags & XT_CONNLIMIT_INVERT) !== 0);
}

export function connlimit_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'connlimit',
		revision: 1,
		family: NFPROTO_IPV4,
		matchsize: xt_connlimit_info.sizeof,
		usersize: 24,
		parse: connlimit_parse,
		match: connlimit_mt,
		checkentry: conntrack_mt_check,
		destroy: conntrack_mt_destroy,
	});
}
