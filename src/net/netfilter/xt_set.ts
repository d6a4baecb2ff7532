/*
 * net/netfilter/xt_set.ts: match set (is the packet in a set?) and target SET (puts it there).     Linux: net/netfilter/xt_set.c
 * Revisions here: match 4, target 3, those of iptables 1.8.9.
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL, ENOENT } from '../../uapi/asm-generic/errno.ts';
import {
	IPSET_COUNTER_NONE,
	IPSET_FLAG_EXIST,
	IPSET_FLAG_MAP_SKBMARK,
	IPSET_FLAG_MAP_SKBPRIO,
	IPSET_FLAG_MAP_SKBQUEUE,
	IPSET_FLAG_MATCH_COUNTERS,
	IPSET_INVALID_ID,
} from '../../uapi/linux/netfilter/ipset/ip_set.ts';
import { xt_set_info, xt_set_info_match_v4, xt_set_info_target_v3 } from '../../uapi/linux/netfilter/xt_set.ts';
import { NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { ip_set_adt_opt } from './ipset/ip_set.ts';
import {
	ip_set_add,
	ip_set_del,
	ip_set_nfnl_get_byindex,
	ip_set_nfnl_put,
	ip_set_opt_timeout,
	ip_set_test,
} from './ipset/ip_set_kernel.ts';
import {
	XT_CONTINUE,
	type xt_action_param,
	type xt_mtchk_param,
	xt_register_match,
	xt_register_target,
	type xt_tgchk_param,
} from './x_tables.ts';

const IPSET_DIM_MAX = 6;
const INV_MATCH = 1;

interface set_ref {
	index: number;
	dim: number;
	flags: number;
}

interface set_match_info {
	set: set_ref;
	opt: ip_set_adt_opt;
}

interface set_target_info {
	add: set_ref;
	del: set_ref;
	map: set_ref;
	flags: number;
	add_opt: ip_set_adt_opt;
	del_opt: ip_set_adt_opt;
	map_opt: ip_set_adt_opt;
}

function ref_parse(b: Uint8Array, at: number): set_ref {
	return {
		index: get_unaligned_le16(b, at + xt_set_info.index),
		dim: b[at + xt_set_info.dim],
		flags: b[at + xt_set_info.flags],
	};
}

function opt_of(ref: set_ref): ip_set_adt_opt {
	const opt = new ip_set_adt_opt();
	opt.family = NFPROTO_IPV4;
	opt.dim = ref.dim;
	opt.flags = ref.flags;
	return opt;
}

function u64(b: Uint8Array, at: number): number {
	return get_unaligned_le32(b, at) + get_unaligned_le32(b, at + 4) * 0x100000000;
}

function set_match_v4_parse(b: Uint8Array): set_match_info {
	const o = xt_set_info_match_v4;
	const set = ref_parse(b, o.match_set);
	const opt = opt_of(set);
	opt.cmdflags = get_unaligned_le32(b, o.flags);
	opt.packets = u64(b, o.packets);
	opt.packets_op = b[o.packets + 8];
	opt.bytes = u64(b, o.bytes);
	opt.bytes_op = b[o.bytes + 8];
	if (opt.packets_op !== IPSET_COUNTER_NONE || opt.bytes_op !== IPSET_COUNTER_NONE)
		opt.cmdflags |= IPSET_FLAG_MATCH_COUNTERS;
	return { set, opt };
}

function set_match_v4(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as set_match_info;
	info.opt.skb_len = skb.len;
	return (ip_set_test(info.set.index, skb, par, info.opt) !== 0) !== ((info.set.flags & INV_MATCH) !== 0);
}

function set_match_checkentry(par: xt_mtchk_param): number {
	const { set } = par.matchinfo as set_match_info;
	if (ip_set_nfnl_get_byindex(par.net, set.index) === IPSET_INVALID_ID) return -ENOENT;
	if (set.dim > IPSET_DIM_MAX) {
		ip_set_nfnl_put(par.net, set.index);
		return -EINVAL;
	}
	return 0;
}

function set_match_destroy(net: net, matchinfo: unknown): void {
	ip_set_nfnl_put(net, (matchinfo as set_match_info).set.index);
}

function set_target_v3_parse(b: Uint8Array): set_target_info {
	const o = xt_set_info_target_v3;
	const add = ref_parse(b, o.add_set);
	const del = ref_parse(b, o.del_set);
	const map = ref_parse(b, o.map_set);
	const flags = get_unaligned_le32(b, o.flags);
	const add_opt = opt_of(add);
	add_opt.cmdflags = flags & IPSET_FLAG_EXIST;
	add_opt.timeout = ip_set_opt_timeout(get_unaligned_le32(b, o.timeout));
	return { add, del, map, flags, add_opt, del_opt: opt_of(del), map_opt: opt_of(map) };
}

function set_target_v3(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as set_target_info;
	if (info.add.index !== IPSET_INVALID_ID) {
		info.add_opt.skb_len = skb.len;
		ip_set_add(info.add.index, skb, par, info.add_opt);
	}
	if (info.del.index !== IPSET_INVALID_ID) ip_set_del(info.del.index, skb, par, info.del_opt);
	if (info.map.index !== IPSET_INVALID_ID) {
		const { map_opt } = info;
		map_opt.cmdflags = info.flags & (IPSET_FLAG_MAP_SKBMARK | IPSET_FLAG_MAP_SKBPRIO | IPSET_FLAG_MAP_SKBQUEUE);
		const f = map_opt.found;
		f.skbmark = f.skbmarkmask = f.skbprio = f.skbqueue = 0;
		map_opt.skb_len = skb.len;
		if (ip_set_test(info.map.index, skb, par, map_opt) === 0) return XT_CONTINUE;
		if ((info.flags & IPSET_FLAG_MAP_SKBMARK) !== 0) skb.mark = ((skb.mark & ~f.skbmarkmask) ^ f.skbmark) >>> 0;
		if ((info.flags & IPSET_FLAG_MAP_SKBPRIO) !== 0) skb.priority = f.skbprio;
		if ((info.flags & IPSET_FLAG_MAP_SKBQUEUE) !== 0) skb.queue_mapping = f.skbqueue;
	}
	return XT_CONTINUE;
}

const LATE_HOOKS = (1 << NF_INET_FORWARD) | (1 << NF_INET_LOCAL_OUT) | (1 << NF_INET_POST_ROUTING);

function set_target_v3_checkentry(par: xt_tgchk_param): number {
	const info = par.targinfo as set_target_info;
	const refs = [info.add, info.del, info.map];
	let err = 0;
	let held = 0;
	for (const r of refs) {
		if (r.index !== IPSET_INVALID_ID) {
			if (ip_set_nfnl_get_byindex(par.net, r.index) === IPSET_INVALID_ID) {
				err = -ENOENT;
				break;
			}
			if (r === info.map) {
				if (par.table !== 'mangle') err = -EINVAL;
				const late = (info.flags & (IPSET_FLAG_MAP_SKBPRIO | IPSET_FLAG_MAP_SKBQUEUE)) !== 0;
				if (late && (par.hook_mask & ~LATE_HOOKS) !== 0) err = -EINVAL;
			}
		}
		held++;
		if (err < 0) break;
	}
	if (err === 0 && refs.some((r) => r.index !== IPSET_INVALID_ID && r.dim > IPSET_DIM_MAX)) err = -EINVAL;
	if (err < 0)
		for (let i = 0; i < held; i++) if (refs[i].index !== IPSET_INVALID_ID) ip_set_nfnl_put(par.net, refs[i].index);
	return err;
}

function set_target_v3_destroy(net: net, targinfo: unknown): void {
	const info = targinfo as set_target_info;
	for (const r of [info.add, info.del, info.map]) if (r.index !== IPSET_INVALID_ID) ip_set_nfnl_put(net, r.index);
}

export function xt_set_init(machine: Machine): void {
	xt_register_match(machine, {
		name: 'set',
		revision: 4,
		family: NFPROTO_IPV4,
		matchsize: xt_set_info_match_v4.sizeof,
		parse: set_match_v4_parse,
		match: set_match_v4,
		checkentry: set_match_checkentry,
		destroy: set_match_destroy,
	});
	xt_register_target(machine, {
		name: 'SET',
		revision: 3,
		family: NFPROTO_IPV4,
		targetsize: xt_set_info_target_v3.sizeof,
		parse: set_target_v3_parse,
		target: set_target_v3,
		checkentry: set_target_v3_checkentry,
		destroy: set_target_v3_destroy,
	});
}
