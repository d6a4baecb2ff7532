/*
 * net/core/neigh_netlink.ts: neighbours by message: RTM_NEWNEIGH, DELNEIGH, GETNEIGH, GETNEIGHTBL, SETNEIGHTBL.
 *                                                                  Linux: net/core/neighbour.c (the netlink half)
 * struct ndmsg (12 bytes): family 1, pad 3, ifindex 4, state 2, flags 1, type 1.
 * Not here yet: NTF_EXT_MANAGED, NDA_MASTER other than none, RTM_GETNEIGH of AF_BRIDGE.
 */

import type { Machine } from '../../kernel/machine.ts';
import { HZ, msecs_to_jiffies } from '../../kernel/time.ts';
import {
	get_unaligned_be32,
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_be32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../lib/byteorder.ts';
import {
	NL_SET_ERR_MSG,
	NLA_BINARY,
	NLA_NESTED,
	NLA_STRING,
	NLA_U8,
	NLA_U16,
	NLA_U32,
	NLA_U64,
	type netlink_ext_ack,
	nla_data,
	nla_get_string,
	nla_get_u8,
	nla_get_u32,
	nla_get_u64,
	nla_nest_cancel,
	nla_nest_end,
	nla_nest_start_noflag,
	nla_parse_nested_deprecated,
	type nla_policy_table,
	nla_put,
	nla_put_string,
	nla_put_u8,
	nla_put_u32,
	nla_put_u64,
	nla_reserve,
	nla_unsupported,
	type nlattr_table,
	nlmsg_cancel,
	nlmsg_end,
	nlmsg_len,
	nlmsg_parse_deprecated,
	nlmsg_parse_deprecated_strict,
	nlmsg_put,
	nlmsg_put_data,
	type nlmsghdr,
	put_unaligned_le64,
} from '../../lib/nlattr.ts';
import { EAFNOSUPPORT, EEXIST, EINVAL, EMSGSIZE, ENOBUFS, ENODEV, ENOENT } from '../../uapi/asm-generic/errno.ts';
import {
	NDA_CACHEINFO,
	NDA_DST,
	NDA_FLAGS_EXT,
	NDA_IFINDEX,
	NDA_LLADDR,
	NDA_MASTER,
	NDA_MAX,
	NDA_PROBES,
	NDA_PROTOCOL,
	NDTA_CONFIG,
	NDTA_GC_INTERVAL,
	NDTA_MAX,
	NDTA_NAME,
	NDTA_PARMS,
	NDTA_STATS,
	NDTA_THRESH1,
	NDTA_THRESH2,
	NDTA_THRESH3,
	NDTPA_ANYCAST_DELAY,
	NDTPA_APP_PROBES,
	NDTPA_BASE_REACHABLE_TIME,
	NDTPA_DELAY_PROBE_TIME,
	NDTPA_GC_STALETIME,
	NDTPA_IFINDEX,
	NDTPA_INTERVAL_PROBE_TIME_MS,
	NDTPA_LOCKTIME,
	NDTPA_MAX,
	NDTPA_MCAST_PROBES,
	NDTPA_MCAST_REPROBES,
	NDTPA_PROXY_DELAY,
	NDTPA_PROXY_QLEN,
	NDTPA_QUEUE_LEN,
	NDTPA_QUEUE_LENBYTES,
	NDTPA_REACHABLE_TIME,
	NDTPA_REFCNT,
	NDTPA_RETRANS_TIME,
	NDTPA_UCAST_PROBES,
	NTF_EXT_LEARNED,
	NTF_EXT_MANAGED,
	NTF_PROXY,
	NTF_ROUTER,
	NTF_USE,
	NUD_FAILED,
	NUD_NONE,
	NUD_PERMANENT,
} from '../../uapi/linux/neighbour.ts';
import { NLM_F_CREATE, NLM_F_DUMP_FILTERED, NLM_F_EXCL, NLM_F_MULTI, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import {
	RTM_DELNEIGH,
	RTM_GETNEIGH,
	RTM_GETNEIGHTBL,
	RTM_NEWNEIGH,
	RTM_NEWNEIGHTBL,
	RTM_SETNEIGHTBL,
	RTN_UNICAST,
	RTNLGRP_NEIGH,
} from '../../uapi/linux/rtnetlink.ts';
import { type netlink_callback, type netlink_skb, nlmsg_new } from '../netlink/netlink.ts';
import { __dev_get_by_index } from './dev.ts';
import { neigh_parms_set } from './neigh_sysctl.ts';
import {
	___neigh_create,
	__neigh_update,
	NEIGH_UPDATE_F_ADMIN,
	NEIGH_UPDATE_F_EXT_LEARNED,
	NEIGH_UPDATE_F_ISROUTER,
	NEIGH_UPDATE_F_OVERRIDE,
	NEIGH_UPDATE_F_OVERRIDE_ISROUTER,
	NEIGH_UPDATE_F_USE,
	NEIGH_VAR,
	NEIGH_VAR_ANYCAST_DELAY,
	NEIGH_VAR_APP_PROBES,
	NEIGH_VAR_BASE_REACHABLE_TIME,
	NEIGH_VAR_DELAY_PROBE_TIME,
	NEIGH_VAR_GC_STALETIME,
	NEIGH_VAR_INTERVAL_PROBE_TIME_MS,
	NEIGH_VAR_LOCKTIME,
	NEIGH_VAR_MCAST_PROBES,
	NEIGH_VAR_MCAST_REPROBES,
	NEIGH_VAR_PROXY_DELAY,
	NEIGH_VAR_PROXY_QLEN,
	NEIGH_VAR_QUEUE_LEN_BYTES,
	NEIGH_VAR_RETRANS_TIME,
	NEIGH_VAR_UCAST_PROBES,
	NUD_VALID,
	neigh_event_send,
	neigh_find_table,
	neigh_lookup,
	type neigh_parms,
	neigh_remove_one,
	type neigh_table,
	type neighbour,
	pneigh_create,
	pneigh_delete,
	type pneigh_entry,
	pneigh_lookup,
} from './neighbour.ts';
import type { net } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';
import { rtnl_notify, rtnl_register, rtnl_unicast } from './rtnetlink.ts';

const NDMSG_LEN = 12;
const NDTMSG_LEN = 4;
const CACHEINFO_LEN = 16;
const USER_HZ = 100;

const nda_policy: nla_policy_table = {
	strict_start_type: 14, // NDA_FLAGS_EXT and later
	[NDA_DST]: { type: NLA_BINARY, len: 32 },
	[NDA_LLADDR]: { type: NLA_BINARY, len: 32 },
	[NDA_CACHEINFO]: { type: 0, len: CACHEINFO_LEN },
	[NDA_PROBES]: { type: NLA_U32 },
	5: { type: NLA_U16 }, // NDA_VLAN
	6: { type: NLA_U16 }, // NDA_PORT
	7: { type: NLA_U32 }, // NDA_VNI
	[NDA_IFINDEX]: { type: NLA_U32 },
	[NDA_MASTER]: { type: NLA_U32 },
	[NDA_PROTOCOL]: { type: NLA_U8 },
	13: { type: NLA_U32 }, // NDA_NH_ID
	14: { type: NLA_NESTED }, // NDA_FDB_EXT_ATTRS
	[NDA_FLAGS_EXT]: { type: NLA_U32, mask: NTF_EXT_MANAGED },
};

function fail(extack: netlink_ext_ack | null, err: number, msg: string): number {
	NL_SET_ERR_MSG(extack, msg);
	return -err;
}

function clock_t(jiffies: number): number {
	return Math.max(0, Math.floor((jiffies * USER_HZ) / HZ));
}

// ---- one neighbour -----------------------------------------------------------------------------------------------------------------

/** One entry. Return: 0 or -EMSGSIZE. */
function neigh_fill_info(
	skb: netlink_skb,
	n: neighbour,
	pid: number,
	seq: number,
	type: number,
	flags: number,
): number {
	const nlh = nlmsg_put(skb, pid, seq, type, NDMSG_LEN, flags);
	if (nlh < 0) return -EMSGSIZE;
	const h = nlmsg_put_data(nlh);
	skb.data[h] = n.ops.family;
	put_unaligned_le32(skb.data, h + 4, n.dev.ifindex);
	put_unaligned_le16(skb.data, h + 8, n.nud_state);
	skb.data[h + 10] = n.flags;
	skb.data[h + 11] = n.type;
	const dst = nla_reserve(skb, NDA_DST, n.tbl.key_len);
	if (dst < 0) return cancel(skb, nlh);
	put_unaligned_be32(skb.data, dst, n.primary_key);
	if (n.nud_state & NUD_VALID && nla_put(skb, NDA_LLADDR, n.ha.subarray(0, n.dev.addr_len)) < 0)
		return cancel(skb, nlh);
	if (nla_put_u32(skb, NDA_PROBES, n.probes) < 0) return cancel(skb, nlh);
	const ci = nla_reserve(skb, NDA_CACHEINFO, CACHEINFO_LEN);
	if (ci < 0) return cancel(skb, nlh);
	const now = n.tbl.machine.jiffies;
	put_unaligned_le32(skb.data, ci, clock_t(now - n.confirmed));
	put_unaligned_le32(skb.data, ci + 4, clock_t(now - n.used));
	put_unaligned_le32(skb.data, ci + 8, clock_t(now - n.updated));
	put_unaligned_le32(skb.data, ci + 12, n.timer.slot >= 0 ? 1 : 0);
	if (n.protocol !== 0 && nla_put_u8(skb, NDA_PROTOCOL, n.protocol) < 0) return cancel(skb, nlh);
	nlmsg_end(skb, nlh);
	return 0;
}

function pneigh_fill_info(
	skb: netlink_skb,
	p: pneigh_entry,
	pid: number,
	seq: number,
	type: number,
	flags: number,
): number {
	const nlh = nlmsg_put(skb, pid, seq, type, NDMSG_LEN, flags);
	if (nlh < 0) return -EMSGSIZE;
	const h = nlmsg_put_data(nlh);
	skb.data[h] = p.tbl.family;
	put_unaligned_le32(skb.data, h + 4, p.dev !== null ? p.dev.ifindex : 0);
	put_unaligned_le16(skb.data, h + 8, NUD_NONE);
	skb.data[h + 10] = p.flags | NTF_PROXY;
	skb.data[h + 11] = RTN_UNICAST;
	const dst = nla_reserve(skb, NDA_DST, p.tbl.key_len);
	if (dst < 0) return cancel(skb, nlh);
	put_unaligned_be32(skb.data, dst, p.key);
	if (p.protocol !== 0 && nla_put_u8(skb, NDA_PROTOCOL, p.protocol) < 0) return cancel(skb, nlh);
	nlmsg_end(skb, nlh);
	return 0;
}

function cancel(skb: netlink_skb, nlh: number): number {
	nlmsg_cancel(skb, nlh);
	return -EMSGSIZE;
}

/** Tells the listeners of RTNLGRP_NEIGH. */
function neigh_notify(n: neighbour, type: number, flags: number, pid: number): void {
	const skb = nlmsg_new(n.dev.net);
	neigh_fill_info(skb, n, pid, 0, type, flags);
	rtnl_notify(skb, n.dev.net, 0, RTNLGRP_NEIGH, null);
}

/** A request's ndmsg and attributes, checked as far as all need it. */
class neigh_request {
	family = 0;
	ifindex = 0;
	state = 0;
	flags = 0;
	dev: net_device | null = null;
	tbl!: neigh_table;
	dst = 0;
	tb: nlattr_table = [];
}

/** Reads what RTM_NEWNEIGH and RTM_DELNEIGH have in common. Return: 0 or -errno. */
function neigh_parse(skb: netlink_skb, nlh: nlmsghdr, req: neigh_request, extack: netlink_ext_ack): number {
	const net = skb.net;
	const err = nlmsg_parse_deprecated(nlh, NDMSG_LEN, req.tb, NDA_MAX, nda_policy, extack);
	if (err < 0) return err;
	const h = nlh.data;
	const b = nlh.buf;
	req.family = b[h];
	req.ifindex = get_unaligned_le32(b, h + 4) | 0;
	req.state = get_unaligned_le16(b, h + 8);
	req.flags = b[h + 10];
	const dst = req.tb[NDA_DST];
	if (dst === null) return fail(extack, EINVAL, 'Network address not specified');
	if (req.ifindex !== 0) {
		req.dev = __dev_get_by_index(net, req.ifindex);
		if (req.dev === null) return -ENODEV;
	}
	const lladdr = req.tb[NDA_LLADDR];
	if (nlh.nlmsg_type === RTM_NEWNEIGH && req.dev !== null && lladdr !== null && lladdr.len < req.dev.addr_len) {
		return fail(extack, EINVAL, 'Invalid link address');
	}
	const tbl = neigh_find_table(net.machine, req.family);
	if (tbl === null) return -EAFNOSUPPORT;
	req.tbl = tbl;
	if (dst.len < tbl.key_len) return fail(extack, EINVAL, 'Invalid network address');
	req.dst = get_unaligned_be32(dst.buf, dst.off);
	return 0;
}

/** RTM_NEWNEIGH. */
function neigh_add(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const req = new neigh_request();
	const err = neigh_parse(skb, nlh, req, extack);
	if (err < 0) return err;
	const { tb, tbl, dev } = req;
	const ext = tb[NDA_FLAGS_EXT];
	if (ext !== null && nla_get_u32(ext) !== 0) {
		return nla_unsupported(extack, ext, 'linnet: neighbours that the kernel keeps fresh (managed) are not here yet');
	}
	const protocol = tb[NDA_PROTOCOL] !== null ? nla_get_u8(tb[NDA_PROTOCOL]!) : 0;
	if (req.flags & NTF_PROXY) {
		pneigh_create(tbl, skb.net, req.dst, dev, req.flags & ~NTF_PROXY, protocol, (req.state & NUD_PERMANENT) !== 0);
		return 0;
	}
	if (dev === null) return fail(extack, EINVAL, 'Device not specified');
	const lladdr = tb[NDA_LLADDR] !== null ? nla_data(tb[NDA_LLADDR]!) : null;
	let flags = NEIGH_UPDATE_F_ADMIN | NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_OVERRIDE_ISROUTER;
	let n = neigh_lookup(tbl, req.dst, dev);
	if (n === null) {
		if (!(nlh.nlmsg_flags & NLM_F_CREATE)) return -ENOENT;
		const exempt = (req.state & NUD_PERMANENT) !== 0 || (req.flags & NTF_EXT_LEARNED) !== 0;
		n = ___neigh_create(tbl, req.dst, dev, req.flags & NTF_EXT_LEARNED, exempt, true);
		if (n === null) return dev.ip_ptr === null ? -EINVAL : -ENOBUFS;
	} else {
		if (nlh.nlmsg_flags & NLM_F_EXCL) return -EEXIST;
		if (!(nlh.nlmsg_flags & NLM_F_REPLACE)) flags &= ~(NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_OVERRIDE_ISROUTER);
	}
	if (protocol !== 0) n.protocol = protocol;
	if (req.flags & NTF_EXT_LEARNED) flags |= NEIGH_UPDATE_F_EXT_LEARNED;
	if (req.flags & NTF_ROUTER) flags |= NEIGH_UPDATE_F_ISROUTER;
	if (req.flags & NTF_USE) flags |= NEIGH_UPDATE_F_USE;
	const ret = __neigh_update(n, lladdr, req.state, flags, skb.portid, extack);
	if (ret === 0 && req.flags & NTF_USE) neigh_event_send(n, null);
	return ret;
}

/** RTM_DELNEIGH. */
function neigh_delete(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const req = new neigh_request();
	const err = neigh_parse(skb, nlh, req, extack);
	if (err < 0) return err;
	const { tbl, dev } = req;
	if (req.flags & NTF_PROXY) return pneigh_delete(tbl, skb.net, req.dst, dev) ? 0 : -ENOENT;
	if (dev === null) return -EINVAL;
	const n = neigh_lookup(tbl, req.dst, dev);
	if (n === null) return -ENOENT;
	const ret = __neigh_update(n, null, NUD_FAILED, NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN, skb.portid, extack);
	if (!n.dead) neigh_remove_one(n);
	return ret;
}

/** RTM_GETNEIGH of one entry. */
function neigh_get(in_skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = in_skb.net;
	if (nlmsg_len(nlh) < NDMSG_LEN) return fail(extack, EINVAL, 'Invalid header for neighbor get request');
	const b = nlh.buf;
	const h = nlh.data;
	if (b[h + 1] || b[h + 2] || b[h + 3] || get_unaligned_le16(b, h + 8) !== 0 || b[h + 11] !== 0) {
		return fail(extack, EINVAL, 'Invalid values in header for neighbor get request');
	}
	if (b[h + 10] & ~NTF_PROXY) return fail(extack, EINVAL, 'Invalid flags in header for neighbor get request');
	const tb: nlattr_table = [];
	const err = nlmsg_parse_deprecated_strict(nlh, NDMSG_LEN, tb, NDA_MAX, nda_policy, extack);
	if (err < 0) return err;
	const tbl = neigh_find_table(net.machine, b[h]);
	if (tbl === null) return fail(extack, EAFNOSUPPORT, 'Unsupported family in header for neighbor get request');
	for (let i = 0; i <= NDA_MAX; i++) {
		if (tb[i] === null || tb[i] === undefined) continue;
		if (i !== NDA_DST) return fail(extack, EINVAL, 'Unsupported attribute in neighbor get request');
		if (tb[i]!.len !== tbl.key_len) return fail(extack, EINVAL, 'Invalid network address in neighbor get request');
	}
	const ifindex = get_unaligned_le32(b, h + 4) | 0;
	const dev = ifindex !== 0 ? __dev_get_by_index(net, ifindex) : null;
	if (ifindex !== 0 && dev === null) return fail(extack, ENODEV, 'Unknown device ifindex');
	const dst = tb[NDA_DST];
	if (dst === null) return fail(extack, EINVAL, 'Network address not specified');
	const key = get_unaligned_be32(dst.buf, dst.off);
	const skb = nlmsg_new(net);
	if (b[h + 10] & NTF_PROXY) {
		const p = pneigh_lookup(tbl, net, key, dev);
		if (p === null) return fail(extack, ENOENT, 'Proxy neighbour entry not found');
		pneigh_fill_info(skb, p, in_skb.portid, nlh.nlmsg_seq, RTM_NEWNEIGH, 0);
	} else {
		if (dev === null) return fail(extack, EINVAL, 'No device specified');
		const n = neigh_lookup(tbl, key, dev);
		if (n === null) return fail(extack, ENOENT, 'Neighbour entry not found');
		neigh_fill_info(skb, n, in_skb.portid, nlh.nlmsg_seq, RTM_NEWNEIGH, 0);
	}
	return rtnl_unicast(skb, net, in_skb.portid);
}

// ---- all of them -------------------------------------------------------------------------------------------------------------------

/** Reads the filter of a dump. Return: 0 or -errno; filter[0] is the device's index, filter[1] its master's. */
function neigh_valid_dump_req(cb: netlink_callback, filter: number[]): number {
	const { nlh, extack } = cb;
	const tb: nlattr_table = [];
	if (cb.strict_check) {
		if (nlmsg_len(nlh) < NDMSG_LEN) return fail(extack, EINVAL, 'Invalid header for neighbor dump request');
		const b = nlh.buf;
		const h = nlh.data;
		const set =
			b[h + 1] | b[h + 2] | b[h + 3] | get_unaligned_le32(b, h + 4) | get_unaligned_le16(b, h + 8) | b[h + 11];
		if (set !== 0) return fail(extack, EINVAL, 'Invalid values in header for neighbor dump request');
		if (b[h + 10] & ~NTF_PROXY) return fail(extack, EINVAL, 'Invalid flags in header for neighbor dump request');
		const err = nlmsg_parse_deprecated_strict(nlh, NDMSG_LEN, tb, NDA_MAX, nda_policy, extack);
		if (err < 0) return err;
	} else {
		const err = nlmsg_parse_deprecated(nlh, NDMSG_LEN, tb, NDA_MAX, nda_policy, extack);
		if (err < 0) return err;
	}
	for (let i = 0; i <= NDA_MAX; i++) {
		const a = tb[i];
		if (a === null || a === undefined) continue;
		if (i === NDA_IFINDEX) filter[0] = nla_get_u32(a);
		else if (i === NDA_MASTER) filter[1] = nla_get_u32(a);
		else if (cb.strict_check) return fail(extack, EINVAL, 'Unsupported attribute in neighbor dump request');
	}
	return 0;
}

/** Whether the filter leaves the device out. */
function filtered(dev: net_device | null, filter: readonly number[]): boolean {
	if (filter[0] !== 0 && (dev === null || dev.ifindex !== filter[0])) return true;
	return filter[1] !== 0 && (dev === null || dev.master === null || dev.master.ifindex !== filter[1]);
}

/** RTM_GETNEIGH of all: entries, or proxies when the header's flags say NTF_PROXY. */
function neigh_dump_info(skb: netlink_skb, cb: netlink_callback): number {
	const nlh = cb.nlh;
	const family = nlmsg_len(nlh) > 0 ? nlh.buf[nlh.data] : 0;
	const proxy = nlmsg_len(nlh) >= NDMSG_LEN && nlh.buf[nlh.data + 10] === NTF_PROXY;
	const filter = [0, 0];
	const err = neigh_valid_dump_req(cb, filter);
	if (err < 0 && cb.strict_check) return err;
	const flags = NLM_F_MULTI | (filter[0] !== 0 || filter[1] !== 0 ? NLM_F_DUMP_FILTERED : 0);
	let i = 0;
	for (const tbl of cb.net.machine.neigh.tables) {
		if (family !== 0 && tbl.family !== family) continue;
		if (proxy) {
			for (const p of tbl.phash) {
				if (p.net !== cb.net || filtered(p.dev, filter)) continue;
				if (i++ < cb.args[0]) continue;
				if (pneigh_fill_info(skb, p, cb.skb.portid, nlh.nlmsg_seq, RTM_NEWNEIGH, flags) < 0) return skb.len;
				cb.args[0] = i;
			}
			continue;
		}
		for (let n = tbl.all_first; n !== null; n = n.all_next) {
			if (n.dev.net !== cb.net || filtered(n.dev, filter)) continue;
			if (i++ < cb.args[0]) continue;
			if (neigh_fill_info(skb, n, cb.skb.portid, nlh.nlmsg_seq, RTM_NEWNEIGH, flags) < 0) return skb.len;
			cb.args[0] = i;
		}
	}
	return skb.len;
}

// ---- tables ------------------------------------------------------------------------------------------------------------------------

function ms(jiffies: number): number {
	return (jiffies * 1000) / HZ;
}

/** struct ndt_config, struct ndt_stats. */
const NDT_CONFIG_LEN = 32;
const NDT_STATS_LEN = 88;
const FRAME_TRUESIZE = 2090;

/** Attribute, setting, whether a number or a time in ms. */
const PARMS: readonly (readonly [number, number, boolean])[] = [
	[NDTPA_PROXY_QLEN, NEIGH_VAR_PROXY_QLEN, false],
	[NDTPA_APP_PROBES, NEIGH_VAR_APP_PROBES, false],
	[NDTPA_UCAST_PROBES, NEIGH_VAR_UCAST_PROBES, false],
	[NDTPA_MCAST_PROBES, NEIGH_VAR_MCAST_PROBES, false],
	[NDTPA_MCAST_REPROBES, NEIGH_VAR_MCAST_REPROBES, false],
];
const TIMES: readonly (readonly [number, number])[] = [
	[NDTPA_BASE_REACHABLE_TIME, NEIGH_VAR_BASE_REACHABLE_TIME],
	[NDTPA_GC_STALETIME, NEIGH_VAR_GC_STALETIME],
	[NDTPA_DELAY_PROBE_TIME, NEIGH_VAR_DELAY_PROBE_TIME],
	[NDTPA_RETRANS_TIME, NEIGH_VAR_RETRANS_TIME],
	[NDTPA_ANYCAST_DELAY, NEIGH_VAR_ANYCAST_DELAY],
	[NDTPA_PROXY_DELAY, NEIGH_VAR_PROXY_DELAY],
	[NDTPA_LOCKTIME, NEIGH_VAR_LOCKTIME],
	[NDTPA_INTERVAL_PROBE_TIME_MS, NEIGH_VAR_INTERVAL_PROBE_TIME_MS],
];

function neightbl_fill_parms(skb: netlink_skb, p: neigh_parms): number {
	const nest = nla_nest_start_noflag(skb, NDTA_PARMS);
	if (nest < 0) return nest;
	let err = 0;
	if (p.dev !== null) err |= nla_put_u32(skb, NDTPA_IFINDEX, p.dev.ifindex);
	err |= nla_put_u32(skb, NDTPA_REFCNT, 1);
	err |= nla_put_u32(skb, NDTPA_QUEUE_LENBYTES, NEIGH_VAR(p, NEIGH_VAR_QUEUE_LEN_BYTES));
	err |= nla_put_u32(skb, NDTPA_QUEUE_LEN, Math.floor(NEIGH_VAR(p, NEIGH_VAR_QUEUE_LEN_BYTES) / FRAME_TRUESIZE));
	for (const [attr, v] of PARMS) err |= nla_put_u32(skb, attr, NEIGH_VAR(p, v));
	err |= nla_put_u64(skb, NDTPA_REACHABLE_TIME, ms(p.reachable_time));
	for (const [attr, v] of TIMES) err |= nla_put_u64(skb, attr, ms(NEIGH_VAR(p, v)));
	if (err < 0) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

function neightbl_fill_info(skb: netlink_skb, tbl: neigh_table, pid: number, seq: number): number {
	const nlh = nlmsg_put(skb, pid, seq, RTM_NEWNEIGHTBL, NDTMSG_LEN, NLM_F_MULTI);
	if (nlh < 0) return -EMSGSIZE;
	skb.data[nlmsg_put_data(nlh)] = tbl.family;
	let err = nla_put_string(skb, NDTA_NAME, tbl.id);
	err |= nla_put_u64(skb, NDTA_GC_INTERVAL, ms(tbl.gc_interval));
	err |= nla_put_u32(skb, NDTA_THRESH1, tbl.gc_thresh1);
	err |= nla_put_u32(skb, NDTA_THRESH2, tbl.gc_thresh2);
	err |= nla_put_u32(skb, NDTA_THRESH3, tbl.gc_thresh3);
	const c = nla_reserve(skb, NDTA_CONFIG, NDT_CONFIG_LEN);
	if (err < 0 || c < 0) return cancel(skb, nlh);
	const now = tbl.machine.jiffies;
	put_unaligned_le16(skb.data, c, tbl.key_len);
	put_unaligned_le16(skb.data, c + 2, 336);
	put_unaligned_le32(skb.data, c + 4, tbl.entries);
	put_unaligned_le32(skb.data, c + 8, ms(now - tbl.last_flush));
	put_unaligned_le32(skb.data, c + 12, ms(now - tbl.last_rand));
	put_unaligned_le32(skb.data, c + 16, tbl.hash_rnd);
	put_unaligned_le32(skb.data, c + 20, tbl.hash_buckets.length - 1);
	put_unaligned_le32(skb.data, c + 28, tbl.proxy_queue.qlen);
	const at = nla_reserve(skb, NDTA_STATS, NDT_STATS_LEN);
	if (at < 0) return cancel(skb, nlh);
	const s = tbl.stats;
	const list = [
		s.allocs,
		s.destroys,
		s.hash_grows,
		s.res_failed,
		s.lookups,
		s.hits,
		s.rcv_probes_mcast,
		s.rcv_probes_ucast,
		s.periodic_gc_runs,
		s.forced_gc_runs,
		s.table_fulls,
	];
	for (let i = 0; i < list.length; i++) put_unaligned_le64(skb.data, at + 8 * i, list[i]);
	if (neightbl_fill_parms(skb, tbl.parms) < 0) return cancel(skb, nlh);
	nlmsg_end(skb, nlh);
	return 0;
}

function neightbl_fill_param_info(
	skb: netlink_skb,
	tbl: neigh_table,
	p: neigh_parms,
	pid: number,
	seq: number,
): number {
	const nlh = nlmsg_put(skb, pid, seq, RTM_NEWNEIGHTBL, NDTMSG_LEN, NLM_F_MULTI);
	if (nlh < 0) return -EMSGSIZE;
	skb.data[nlmsg_put_data(nlh)] = tbl.family;
	if (nla_put_string(skb, NDTA_NAME, tbl.id) < 0 || neightbl_fill_parms(skb, p) < 0) return cancel(skb, nlh);
	nlmsg_end(skb, nlh);
	return 0;
}

/** RTM_GETNEIGHTBL. */
function neightbl_dump_info(skb: netlink_skb, cb: netlink_callback): number {
	const nlh = cb.nlh;
	const family = nlmsg_len(nlh) > 0 ? nlh.buf[nlh.data] : 0;
	let i = 0;
	for (const tbl of cb.net.machine.neigh.tables) {
		if (family !== 0 && tbl.family !== family) continue;
		if (i++ >= cb.args[0]) {
			if (neightbl_fill_info(skb, tbl, cb.skb.portid, nlh.nlmsg_seq) < 0) return skb.len;
			cb.args[0] = i;
		}
		for (const p of tbl.parms_list) {
			if (p.dev === null || p.dev.net !== cb.net) continue;
			if (i++ < cb.args[0]) continue;
			if (neightbl_fill_param_info(skb, tbl, p, cb.skb.portid, nlh.nlmsg_seq) < 0) return skb.len;
			cb.args[0] = i;
		}
	}
	return skb.len;
}

const nl_neightbl_policy: nla_policy_table = {
	[NDTA_NAME]: { type: NLA_STRING },
	[NDTA_THRESH1]: { type: NLA_U32 },
	[NDTA_THRESH2]: { type: NLA_U32 },
	[NDTA_THRESH3]: { type: NLA_U32 },
	[NDTA_GC_INTERVAL]: { type: NLA_U64 },
	[NDTA_PARMS]: { type: NLA_NESTED },
};

const nl_ntbl_parm_policy: nla_policy_table = {
	[NDTPA_IFINDEX]: { type: NLA_U32 },
	[NDTPA_QUEUE_LEN]: { type: NLA_U32 },
	[NDTPA_QUEUE_LENBYTES]: { type: NLA_U32 },
	[NDTPA_PROXY_QLEN]: { type: NLA_U32 },
	[NDTPA_APP_PROBES]: { type: NLA_U32 },
	[NDTPA_UCAST_PROBES]: { type: NLA_U32 },
	[NDTPA_MCAST_PROBES]: { type: NLA_U32 },
	[NDTPA_MCAST_REPROBES]: { type: NLA_U32 },
	[NDTPA_BASE_REACHABLE_TIME]: { type: NLA_U64 },
	[NDTPA_GC_STALETIME]: { type: NLA_U64 },
	[NDTPA_DELAY_PROBE_TIME]: { type: NLA_U64 },
	[NDTPA_RETRANS_TIME]: { type: NLA_U64 },
	[NDTPA_ANYCAST_DELAY]: { type: NLA_U64 },
	[NDTPA_PROXY_DELAY]: { type: NLA_U64 },
	[NDTPA_LOCKTIME]: { type: NLA_U64 },
	[NDTPA_INTERVAL_PROBE_TIME_MS]: { type: NLA_U64, min: 1 },
};

/** RTM_SETNEIGHTBL: `ip ntable change`. */
function neightbl_set(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net: net = skb.net;
	const tb: nlattr_table = [];
	let err = nlmsg_parse_deprecated(nlh, NDTMSG_LEN, tb, NDTA_MAX, nl_neightbl_policy, extack);
	if (err < 0) return err;
	if (tb[NDTA_NAME] === null) return -EINVAL;
	const family = nlh.buf[nlh.data];
	const name = nla_get_string(tb[NDTA_NAME]!);
	const tbl = net.machine.neigh.tables.find((t) => (family === 0 || t.family === family) && t.id === name);
	if (tbl === undefined) return -ENOENT;
	if (tb[NDTA_PARMS] !== null) {
		const tbp: nlattr_table = [];
		err = nla_parse_nested_deprecated(tbp, NDTPA_MAX, tb[NDTA_PARMS]!, nl_ntbl_parm_policy, extack);
		if (err < 0) return err;
		const ifindex = tbp[NDTPA_IFINDEX] !== null ? nla_get_u32(tbp[NDTPA_IFINDEX]!) : 0;
		const p = tbl.parms_list.find((x) =>
			ifindex === 0 ? x.dev === null : x.dev?.ifindex === ifindex && x.dev.net === net,
		);
		if (p === undefined || (ifindex === 0 && net !== net.machine.init_net)) return -ENOENT;
		const qlen = tbp[NDTPA_QUEUE_LEN];
		if (qlen !== null) neigh_parms_set(net, p, NEIGH_VAR_QUEUE_LEN_BYTES, nla_get_u32(qlen) * FRAME_TRUESIZE);
		const bytes = tbp[NDTPA_QUEUE_LENBYTES];
		if (bytes !== null) neigh_parms_set(net, p, NEIGH_VAR_QUEUE_LEN_BYTES, nla_get_u32(bytes));
		for (const [attr, v] of PARMS) if (tbp[attr] !== null) neigh_parms_set(net, p, v, nla_get_u32(tbp[attr]!));
		for (const [attr, v] of TIMES) {
			if (tbp[attr] !== null) neigh_parms_set(net, p, v, msecs_to_jiffies(nla_get_u64(tbp[attr]!)));
		}
	}
	const gc = [NDTA_THRESH1, NDTA_THRESH2, NDTA_THRESH3, NDTA_GC_INTERVAL].some((a) => tb[a] !== null);
	if (gc && net !== net.machine.init_net) return -ENOENT;
	if (tb[NDTA_THRESH1] !== null) tbl.gc_thresh1 = nla_get_u32(tb[NDTA_THRESH1]!);
	if (tb[NDTA_THRESH2] !== null) tbl.gc_thresh2 = nla_get_u32(tb[NDTA_THRESH2]!);
	if (tb[NDTA_THRESH3] !== null) tbl.gc_thresh3 = nla_get_u32(tb[NDTA_THRESH3]!);
	if (tb[NDTA_GC_INTERVAL] !== null) tbl.gc_interval = msecs_to_jiffies(nla_get_u64(tb[NDTA_GC_INTERVAL]!));
	return 0;
}

/** Answers rtnetlink for all families. Boot: after rtnetlink_init and neigh_init. */
export function neigh_netlink_init(machine: Machine): void {
	machine.net.neigh_notify = neigh_notify;
	rtnl_register(machine, 0, RTM_NEWNEIGH, neigh_add, null);
	rtnl_register(machine, 0, RTM_DELNEIGH, neigh_delete, null);
	rtnl_register(machine, 0, RTM_GETNEIGH, neigh_get, neigh_dump_info);
	rtnl_register(machine, 0, RTM_GETNEIGHTBL, null, neightbl_dump_info);
	rtnl_register(machine, 0, RTM_SETNEIGHTBL, neightbl_set, null);
}
