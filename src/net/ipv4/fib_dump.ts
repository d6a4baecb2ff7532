/*
 * net/ipv4/fib_dump.ts: routes as netlink messages.                Linux: net/ipv4/fib_semantics.c: fib_dump_info, rtmsg_fib
 */

import { put_unaligned_le16, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	nla_nest_cancel,
	nla_nest_end,
	nla_nest_start_noflag,
	nla_put_in_addr,
	nla_put_string,
	nla_put_u32,
	type nlbuf,
	nlbuf_put,
	nlmsg_cancel,
	nlmsg_end,
	nlmsg_put,
	nlmsg_put_data,
} from '../../lib/nlattr.ts';
import { EMSGSIZE } from '../../uapi/asm-generic/errno.ts';
import {
	RTA_DST,
	RTA_FLOW,
	RTA_GATEWAY,
	RTA_METRICS,
	RTA_MULTIPATH,
	RTA_OIF,
	RTA_PREFSRC,
	RTA_PRIORITY,
	RTA_TABLE,
	RTAX_CC_ALGO,
	RTAX_FEATURES,
	RTAX_MAX,
	RTNH_F_DEAD,
	RTNH_F_LINKDOWN,
	RTNH_F_OFFLOAD,
	RTNH_F_ONLINK,
	RTNH_F_TRAP,
	RTNLGRP_IPV4_ROUTE,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import { rtnl_notify } from '../core/rtnetlink.ts';
import { nlmsg_new } from '../netlink/netlink.ts';
import type { fib_config, fib_info, fib_nh } from './fib_lookup.ts';
import { fa_dscp, fa_info, fa_type, type fib_trie } from './fib_trie.ts';
import { IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN } from './inetdevice.ts';

const RTMSG_LEN = 12;
const RT_TABLE_COMPAT = 252;

/** RTA_METRICS of the values by RTAX_*. Return: 0 or -EMSGSIZE. */
export function rtnetlink_put_metrics(skb: nlbuf, metrics: Uint32Array | null, cc_name: string): number {
	if (metrics === null) return 0;
	const nest = nla_nest_start_noflag(skb, RTA_METRICS);
	if (nest < 0) return nest;
	let valid = 0;
	let err = 0;
	for (let i = 1; i <= RTAX_MAX; i++) {
		if (metrics[i] === 0) continue;
		valid++;
		if (i === RTAX_CC_ALGO) err |= nla_put_string(skb, i, cc_name);
		else if (i === RTAX_FEATURES) err |= nla_put_u32(skb, i, metrics[i] & 0x1f);
		else err |= nla_put_u32(skb, i, metrics[i]);
	}
	if (valid === 0) nla_nest_cancel(skb, nest);
	else nla_nest_end(skb, nest);
	return err;
}

/** RTNH_F_* of a hop as users see it. */
function nexthop_flags(nhc: fib_nh): number {
	let flags = nhc.nhc_flags & (RTNH_F_ONLINK | RTNH_F_OFFLOAD | RTNH_F_TRAP);
	if ((nhc.nhc_flags & RTNH_F_DEAD) !== 0) flags |= RTNH_F_DEAD;
	if ((nhc.nhc_flags & RTNH_F_LINKDOWN) !== 0) {
		flags |= RTNH_F_LINKDOWN;
		const in_dev = nhc.nhc_dev !== null ? nhc.nhc_dev.ip_ptr : null;
		if (in_dev !== null && IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN(in_dev)) flags |= RTNH_F_DEAD;
	}
	return flags;
}

function fib_add_multipath(skb: nlbuf, fi: fib_info): number {
	const mp = nla_nest_start_noflag(skb, RTA_MULTIPATH);
	if (mp < 0) return mp;
	let err = 0;
	for (const nh of fi.fib_nh) {
		const at = nlbuf_put(skb, 8);
		if (at < 0) return at;
		skb.data[at + 2] = nexthop_flags(nh);
		skb.data[at + 3] = nh.nhc_weight - 1;
		put_unaligned_le32(skb.data, at + 4, nh.nhc_dev !== null ? nh.nhc_dev.ifindex : 0);
		if (nh.nhc_gw_family === AF_INET) err |= nla_put_in_addr(skb, RTA_GATEWAY, nh.nhc_gw);
		if (nh.fib_nh_tclassid !== 0) err |= nla_put_u32(skb, RTA_FLOW, nh.fib_nh_tclassid);
		put_unaligned_le16(skb.data, at, skb.len - at);
	}
	nla_nest_end(skb, mp);
	return err;
}

/** One route as RTM_NEWROUTE or RTM_DELROUTE. Return: 0 or -EMSGSIZE, with nothing written. */
export function fib_dump_info(
	skb: nlbuf,
	portid: number,
	seq: number,
	event: number,
	fi: fib_info,
	tb_id: number,
	dst: number,
	dst_len: number,
	dscp: number,
	type: number,
	flags: number,
): number {
	const nlh = nlmsg_put(skb, portid, seq, event, RTMSG_LEN, flags);
	if (nlh < 0) return -EMSGSIZE;
	const h = nlmsg_put_data(nlh);
	skb.data[h] = AF_INET;
	skb.data[h + 1] = dst_len;
	skb.data[h + 3] = dscp;
	skb.data[h + 4] = tb_id < 256 ? tb_id : RT_TABLE_COMPAT;
	skb.data[h + 5] = fi.fib_protocol;
	skb.data[h + 6] = fi.fib_scope;
	skb.data[h + 7] = type;
	let rtm_flags = fi.fib_flags;
	let err = nla_put_u32(skb, RTA_TABLE, tb_id);
	if (dst_len !== 0) err |= nla_put_in_addr(skb, RTA_DST, dst);
	if (fi.fib_priority !== 0) err |= nla_put_u32(skb, RTA_PRIORITY, fi.fib_priority);
	err |= rtnetlink_put_metrics(skb, fi.fib_metrics, fi.fib_mx_cc);
	if (fi.fib_prefsrc !== 0) err |= nla_put_in_addr(skb, RTA_PREFSRC, fi.fib_prefsrc);
	if (fi.fib_nhs === 1) {
		const nh = fi.fib_nh[0];
		if (nh.nhc_gw_family === AF_INET) err |= nla_put_in_addr(skb, RTA_GATEWAY, nh.nhc_gw);
		if (nh.nhc_dev !== null) err |= nla_put_u32(skb, RTA_OIF, nh.nhc_dev.ifindex);
		rtm_flags = nexthop_flags(nh);
		if (nh.fib_nh_tclassid !== 0) err |= nla_put_u32(skb, RTA_FLOW, nh.fib_nh_tclassid);
	} else if (err >= 0) {
		err |= fib_add_multipath(skb, fi);
	}
	put_unaligned_le32(skb.data, h + 8, rtm_flags >>> 0);
	if (err < 0) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/** Tells RTNLGRP_IPV4_ROUTE of a route that came or went. `cfg`: the request, or null. */
export function rtmsg_fib(
	net: net,
	event: number,
	key: number,
	t: fib_trie,
	fa: number,
	dst_len: number,
	tb_id: number,
	cfg: fib_config | null,
	nlm_flags: number,
): void {
	const nlh = cfg !== null ? cfg.fc_nlh : null;
	const portid = cfg !== null ? cfg.fc_nl_portid : 0;
	const skb = nlmsg_new(net);
	const seq = nlh !== null ? nlh.nlmsg_seq : 0;
	const dst = key >>> 0;
	fib_dump_info(
		skb,
		portid,
		seq,
		event,
		fa_info(t, fa),
		tb_id,
		dst,
		dst_len,
		fa_dscp(t, fa),
		fa_type(t, fa),
		nlm_flags,
	);
	rtnl_notify(skb, net, portid, RTNLGRP_IPV4_ROUTE, nlh);
}
