/*
 * net/ipv4/fib_netlink.ts: requests for routes: RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE dumps, SIOCADDRT, SIOCDELRT.
 *                                                                  Linux: net/ipv4/fib_frontend.c
 * Walk: inet_rtm_newroute -> rtm_to_fib_config -> fib_table_insert; inet_dump_fib -> fib_table_dump.
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be32, get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	bytes_to_str,
	NL_SET_ERR_MSG,
	NLA_BINARY,
	NLA_NESTED,
	NLA_S32,
	NLA_U8,
	NLA_U16,
	NLA_U32,
	NLA_UNSPEC,
	type netlink_ext_ack,
	nla_get_be32,
	nla_get_u32,
	type nla_policy_table,
	type nlattr_table,
	nlmsg_len,
	nlmsg_parse_deprecated,
	nlmsg_parse_deprecated_strict,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { EAFNOSUPPORT, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, ESRCH } from '../../uapi/asm-generic/errno.ts';
import { NLM_F_CREATE, NLM_F_DUMP_FILTERED, NLM_F_MULTI } from '../../uapi/linux/netlink.ts';
import {
	RT_SCOPE_HOST,
	RT_SCOPE_LINK,
	RT_SCOPE_NOWHERE,
	RT_SCOPE_UNIVERSE,
	RTA_DST,
	RTA_ENCAP,
	RTA_ENCAP_TYPE,
	RTA_FLOW,
	RTA_GATEWAY,
	RTA_IIF,
	RTA_MARK,
	RTA_MAX,
	RTA_METRICS,
	RTA_MULTIPATH,
	RTA_NH_ID,
	RTA_OIF,
	RTA_PREFSRC,
	RTA_PRIORITY,
	RTA_SRC,
	RTA_TABLE,
	RTA_UID,
	RTA_VIA,
	RTM_DELROUTE,
	RTM_F_CLONED,
	RTM_F_PREFIX,
	RTM_GETROUTE,
	RTM_NEWROUTE,
	RTN_LOCAL,
	RTN_MAX,
	RTN_UNICAST,
	RTN_UNREACHABLE,
	RTPROT_BOOT,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import { SIOCADDRT, SIOCDELRT } from '../../uapi/linux/sockios.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import { rtnl_register } from '../core/rtnetlink.ts';
import type { netlink_callback, netlink_skb } from '../netlink/netlink.ts';
import { fib_get_table, fib_info_nh_uses_dev, fib_new_table, inet_addr_type_table } from './fib_frontend.ts';
import { fib_config, type fib_table } from './fib_lookup.ts';
import { fib_dump_info, fib_gw_from_via } from './fib_semantics.ts';
import {
	fa_dscp,
	fa_info,
	fa_slen,
	fa_type,
	fib_table_delete,
	fib_table_insert,
	fib_table_walk,
	type fib_trie,
	RT_TABLE_MAIN,
} from './fib_trie.ts';
import { bad_mask, inet_mask_len } from './inetdevice.ts';
import { fib_dump_info_fnhe, inet_rtm_getroute } from './route_netlink.ts';

const RTMSG_LEN = 12;

export const rtm_ipv4_policy: nla_policy_table = {
	[RTA_DST]: { type: NLA_U32 },
	[RTA_SRC]: { type: NLA_U32 },
	[RTA_IIF]: { type: NLA_U32 },
	[RTA_OIF]: { type: NLA_U32 },
	[RTA_GATEWAY]: { type: NLA_U32 },
	[RTA_PRIORITY]: { type: NLA_U32 },
	[RTA_PREFSRC]: { type: NLA_U32 },
	[RTA_METRICS]: { type: NLA_NESTED },
	[RTA_MULTIPATH]: { type: NLA_UNSPEC, len: 8 },
	[RTA_FLOW]: { type: NLA_U32 },
	[RTA_TABLE]: { type: NLA_U32 },
	[RTA_MARK]: { type: NLA_U32 },
	[RTA_VIA]: { type: NLA_BINARY },
	[RTA_ENCAP_TYPE]: { type: NLA_U16 },
	[RTA_ENCAP]: { type: NLA_UNSPEC },
	[RTA_UID]: { type: NLA_U32 },
	27: { type: NLA_U8 },
	28: { type: NLA_U16 },
	29: { type: NLA_U16 },
	[RTA_NH_ID]: { type: NLA_S32 },
};

function fail(extack: netlink_ext_ack | null, err: number, msg: string): number {
	NL_SET_ERR_MSG(extack, msg);
	return -err;
}

/** Decodes a request. Return: 0 or -errno. */
function rtm_to_fib_config(skb: netlink_skb, nlh: nlmsghdr, cfg: fib_config, extack: netlink_ext_ack | null): number {
	const tb: nlattr_table = [];
	const err = nlmsg_parse_deprecated(nlh, RTMSG_LEN, tb, RTA_MAX, rtm_ipv4_policy, extack);
	if (err < 0) return err;
	const b = nlh.buf;
	const h = nlh.data;
	if ((b[h + 3] & 3) !== 0) return fail(extack, EINVAL, 'Invalid dsfield (tos): ECN bits must be 0');
	cfg.fc_dst_len = b[h + 1];
	cfg.fc_dscp = b[h + 3];
	cfg.fc_table = b[h + 4];
	cfg.fc_protocol = b[h + 5];
	cfg.fc_scope = b[h + 6];
	cfg.fc_type = b[h + 7];
	cfg.fc_flags = get_unaligned_le32(b, h + 8) | 0;
	cfg.fc_nlflags = nlh.nlmsg_flags;
	cfg.fc_nl_portid = skb.portid;
	cfg.fc_nlh = nlh;
	if (cfg.fc_type > RTN_MAX) return fail(extack, EINVAL, 'Invalid route type');
	if (tb[RTA_DST] !== null) cfg.fc_dst = nla_get_be32(tb[RTA_DST]!);
	if (tb[RTA_OIF] !== null) cfg.fc_oif = nla_get_u32(tb[RTA_OIF]!) | 0;
	if (tb[RTA_GATEWAY] !== null) {
		cfg.fc_gw4 = nla_get_be32(tb[RTA_GATEWAY]!);
		if (cfg.fc_gw4 !== 0) cfg.fc_gw_family = AF_INET;
	}
	if (tb[RTA_VIA] !== null) {
		const out = { family: 0, gw4: 0 };
		const e = fib_gw_from_via(tb[RTA_VIA]!, out, extack);
		if (e < 0) return e;
		cfg.fc_gw_family = out.family;
		cfg.fc_gw4 = out.gw4;
	}
	if (tb[RTA_PRIORITY] !== null) cfg.fc_priority = nla_get_u32(tb[RTA_PRIORITY]!);
	if (tb[RTA_PREFSRC] !== null) cfg.fc_prefsrc = nla_get_be32(tb[RTA_PREFSRC]!);
	cfg.fc_mx = tb[RTA_METRICS];
	cfg.fc_mp = tb[RTA_MULTIPATH];
	if (tb[RTA_FLOW] !== null) cfg.fc_flow = nla_get_u32(tb[RTA_FLOW]!);
	if (tb[RTA_TABLE] !== null) cfg.fc_table = nla_get_u32(tb[RTA_TABLE]!);
	if (tb[RTA_ENCAP_TYPE] !== null || tb[RTA_ENCAP] !== null) {
		return fail(extack, EOPNOTSUPP, 'CONFIG_LWTUNNEL is not enabled in this kernel');
	}
	if (tb[RTA_NH_ID] !== null) cfg.fc_nh_id = nla_get_u32(tb[RTA_NH_ID]!);
	if (cfg.fc_dst_len > 32) return fail(extack, EINVAL, 'Invalid prefix length');
	if (cfg.fc_dst_len < 32 && cfg.fc_dst << cfg.fc_dst_len !== 0) {
		return fail(extack, EINVAL, 'Invalid prefix for given prefix length');
	}
	if (cfg.fc_nh_id !== 0) {
		if (cfg.fc_oif !== 0 || cfg.fc_gw_family !== 0 || cfg.fc_mp !== null) {
			return fail(extack, EINVAL, 'Nexthop specification and nexthop id are mutually exclusive');
		}
	}
	if (tb[RTA_GATEWAY] !== null && tb[RTA_VIA] !== null) {
		return fail(extack, EINVAL, 'Nexthop configuration can not contain both GATEWAY and VIA');
	}
	if (cfg.fc_table === 0) cfg.fc_table = RT_TABLE_MAIN;
	return 0;
}

function inet_rtm_newroute(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const cfg = new fib_config();
	let err = rtm_to_fib_config(skb, nlh, cfg, extack);
	if (err < 0) return err;
	const tb = fib_new_table(net, cfg.fc_table);
	err = fib_table_insert(net, tb, cfg, extack);
	if (err === 0 && cfg.fc_type === RTN_LOCAL) net.ipv4.fib_has_custom_local_routes = true;
	return err;
}

function inet_rtm_delroute(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const cfg = new fib_config();
	const err = rtm_to_fib_config(skb, nlh, cfg, extack);
	if (err < 0) return err;
	if (cfg.fc_nh_id !== 0) return fail(extack, EINVAL, 'Nexthop id does not exist');
	const tb = fib_get_table(net, cfg.fc_table);
	if (tb === null) return fail(extack, ESRCH, 'FIB table does not exist');
	return fib_table_delete(net, tb, cfg, extack);
}

// ---- dumps -----------------------------------------------------------------------------------------------------------------------

/** Which routes a dump is to say. */
export class fib_dump_filter {
	table_id = 0;
	filter_set = false;
	dump_routes = true;
	dump_exceptions = true;
	protocol = 0;
	rt_type = 0;
	flags = 0;
	dev: net_device | null = null;
}

/** A strict request says by its header and attributes what it wants. Return: 0 or -errno. */
function ip_valid_fib_dump_req(net: net, nlh: nlmsghdr, filter: fib_dump_filter, cb: netlink_callback): number {
	const extack = cb.extack;
	if (nlmsg_len(nlh) < RTMSG_LEN) return fail(extack, EINVAL, 'Invalid header for FIB dump request');
	const b = nlh.buf;
	const h = nlh.data;
	if (b[h + 1] !== 0 || b[h + 2] !== 0 || b[h + 3] !== 0 || b[h + 6] !== 0) {
		return fail(extack, EINVAL, 'Invalid values in header for FIB dump request');
	}
	const flags = get_unaligned_le32(b, h + 8);
	if ((flags & ~(RTM_F_CLONED | RTM_F_PREFIX)) !== 0) return fail(extack, EINVAL, 'Invalid flags for FIB dump request');
	if ((flags & RTM_F_CLONED) !== 0) filter.dump_routes = false;
	else filter.dump_exceptions = false;
	filter.flags = flags;
	filter.protocol = b[h + 5];
	filter.rt_type = b[h + 7];
	filter.table_id = b[h + 4];
	const tb: nlattr_table = [];
	const err = nlmsg_parse_deprecated_strict(nlh, RTMSG_LEN, tb, RTA_MAX, rtm_ipv4_policy, extack);
	if (err < 0) return err;
	for (let i = 0; i <= RTA_MAX; i++) {
		const a = tb[i];
		if (a === null || a === undefined) continue;
		if (i === RTA_TABLE) filter.table_id = nla_get_u32(a);
		else if (i === RTA_OIF) {
			filter.dev = net.dev_index_head.get(nla_get_u32(a)) ?? null;
			if (filter.dev === null) return -ENODEV;
		} else return fail(extack, EINVAL, 'Unsupported attribute in dump request');
	}
	if (
		filter.flags !== 0 ||
		filter.protocol !== 0 ||
		filter.rt_type !== 0 ||
		filter.table_id !== 0 ||
		filter.dev !== null
	) {
		filter.filter_set = true;
		cb.answer_flags = NLM_F_DUMP_FILTERED;
	}
	return 0;
}

/** Where a dump of one table is. */
interface dump_walk {
	skb: netlink_skb;
	cb: netlink_callback;
	tb: fib_table;
	filter: fib_dump_filter;
	/** Aliases of the leaf at cb.args[2] that were said already. */
	skip: number;
	err: number;
}

function dump_one(arg: unknown, t: fib_trie, key: number, fa: number, index: number): boolean {
	const w = arg as dump_walk;
	const cb = w.cb;
	if (key !== cb.args[2]) {
		cb.args[2] = key;
		w.skip = 0;
	}
	if (index < w.skip) return true;
	const fi = fa_info(t, fa);
	const f = w.filter;
	let flags = NLM_F_MULTI;
	if (f.filter_set) {
		if (f.rt_type !== 0 && fa_type(t, fa) !== f.rt_type) return true;
		if (f.protocol !== 0 && fi.fib_protocol !== f.protocol) return true;
		if (f.dev !== null && !fib_info_nh_uses_dev(fi, f.dev)) return true;
		flags |= NLM_F_DUMP_FILTERED;
	}
	if (f.dump_routes) {
		w.err = fib_dump_info(
			w.skb,
			cb.skb.portid,
			cb.nlh.nlmsg_seq,
			RTM_NEWROUTE,
			fi,
			w.tb.tb_id,
			key,
			32 - fa_slen(t, fa),
			fa_dscp(t, fa),
			fa_type(t, fa),
			flags,
		);
	}
	if (w.err === 0 && f.dump_exceptions) w.err = fib_dump_info_fnhe(w.skb, cb, w.tb.tb_id, fi, flags);
	if (w.err < 0) {
		cb.args[3] = index;
		return false;
	}
	return true;
}

function fib_table_dump(tb: fib_table, skb: netlink_skb, cb: netlink_callback, filter: fib_dump_filter): number {
	// args[4] is 1 when the table has been said.
	if (cb.args[4] === 1) return 0;
	const w: dump_walk = { skb, cb, tb, filter, skip: cb.args[3], err: 0 };
	fib_table_walk(tb, cb.args[2], dump_one, w);
	if (w.err < 0) return w.err;
	cb.args[4] = 1;
	return 0;
}

/** RTM_GETROUTE with NLM_F_DUMP. */
export function inet_dump_fib(skb: netlink_skb, cb: netlink_callback): number {
	const net = cb.net;
	const nlh = cb.nlh;
	const filter = new fib_dump_filter();
	if (cb.strict_check) {
		const err = ip_valid_fib_dump_req(net, nlh, filter, cb);
		if (err < 0) return err;
	} else if (nlmsg_len(nlh) >= RTMSG_LEN) {
		filter.flags = get_unaligned_le32(nlh.buf, nlh.data + 8) & (RTM_F_PREFIX | RTM_F_CLONED);
	}
	if ((filter.flags & RTM_F_PREFIX) !== 0) return skb.len;

	if (filter.table_id !== 0) {
		const tb = fib_get_table(net, filter.table_id);
		if (tb === null) {
			if (nlh.buf[nlh.data] !== AF_INET) return skb.len;
			// Seen on 6.18: the main table of a namespace that never had a route lists as empty.
			if (filter.table_id === RT_TABLE_MAIN) return 0;
			return fail(cb.extack, ENOENT, 'ipv4: FIB table does not exist');
		}
		const err = fib_table_dump(tb, skb, cb, filter);
		return err < 0 && skb.len === 0 ? err : skb.len;
	}
	const hash = net.ipv4.fib_table_hash;
	for (let h = cb.args[0]; h < hash.length; h++, cb.args[1] = 0) {
		cb.args[0] = h;
		for (let e = cb.args[1]; e < hash[h].length; e++) {
			cb.args[1] = e;
			const err = fib_table_dump(hash[h][e], skb, cb, filter);
			if (err < 0) return skb.len > 0 ? skb.len : err;
			cb.args[2] = 0;
			cb.args[3] = 0;
			cb.args[4] = 0;
		}
	}
	cb.args[0] = hash.length;
	return skb.len;
}

// ---- the old ioctls --------------------------------------------------------------------------------------------------------------

const RTF_GATEWAY = 0x0002;
const RTF_HOST = 0x0004;
const RTF_REJECT = 0x0200;

/** Size of struct rtentry on 64 bits; the device's name, where rt_dev points to, follows at its end. */
export const RTENTRY_LEN = 120;

/**
 * SIOCADDRT, SIOCDELRT: `arg` is a struct rtentry. A device name cannot be behind a pointer here: when rt_dev is not 0 it stands, with
 * its NUL, right behind the struct. Return: 0 or -errno.
 */
export function ip_rt_ioctl(net: net, cmd: number, arg: Uint8Array): number {
	if (cmd !== SIOCADDRT && cmd !== SIOCDELRT) return -EINVAL;
	if (arg.length < RTENTRY_LEN) return -EINVAL;
	const cfg = new fib_config();
	if (get_unaligned_le16(arg, 8) !== AF_INET) return -EAFNOSUPPORT;
	const flags = get_unaligned_le16(arg, 56);
	const addr = get_unaligned_be32(arg, 12);
	let plen = 32;
	if ((flags & RTF_HOST) === 0) {
		const family = get_unaligned_le16(arg, 40);
		const mask = get_unaligned_be32(arg, 44);
		if (family !== AF_INET && (mask !== 0 || family !== 0)) return -EAFNOSUPPORT;
		if (bad_mask(mask, addr)) return -EINVAL;
		plen = inet_mask_len(mask);
	}
	cfg.fc_dst_len = plen;
	cfg.fc_dst = addr;
	if (cmd !== SIOCDELRT) {
		cfg.fc_nlflags = NLM_F_CREATE;
		cfg.fc_protocol = RTPROT_BOOT;
	}
	const metric = get_unaligned_le16(arg, 80);
	if (metric !== 0) cfg.fc_priority = metric - 1;
	if ((flags & RTF_REJECT) !== 0) {
		cfg.fc_scope = RT_SCOPE_HOST;
		cfg.fc_type = RTN_UNREACHABLE;
	} else {
		cfg.fc_scope = RT_SCOPE_NOWHERE;
		cfg.fc_type = RTN_UNICAST;
		if (get_unaligned_le32(arg, 88) !== 0 || get_unaligned_le32(arg, 92) !== 0) {
			let end = RTENTRY_LEN;
			while (end < arg.length && arg[end] !== 0) end++;
			const name = bytes_to_str(arg, RTENTRY_LEN, end);
			const colon = name.indexOf(':');
			const dev = net.dev_name_head.get(colon >= 0 ? name.slice(0, colon) : name);
			if (dev === undefined) return -ENODEV;
			cfg.fc_oif = dev.ifindex;
			cfg.fc_table = RT_TABLE_MAIN;
			if (colon >= 0) {
				let ifa = dev.ip_ptr !== null ? dev.ip_ptr.ifa_list : null;
				while (ifa !== null && ifa.ifa_label !== name) ifa = ifa.ifa_next;
				if (ifa === null) return -ENODEV;
				cfg.fc_prefsrc = ifa.ifa_local;
			}
		}
		const gw = get_unaligned_be32(arg, 28);
		if (get_unaligned_le16(arg, 24) === AF_INET && gw !== 0) {
			cfg.fc_gw4 = gw;
			cfg.fc_gw_family = AF_INET;
			if ((flags & RTF_GATEWAY) !== 0 && inet_addr_type_table(net, gw, RT_TABLE_MAIN) === RTN_UNICAST) {
				cfg.fc_scope = RT_SCOPE_UNIVERSE;
			}
		}
		if (cmd === SIOCADDRT) {
			if ((flags & RTF_GATEWAY) !== 0 && cfg.fc_gw_family === 0) return -EINVAL;
			if (cfg.fc_scope === RT_SCOPE_NOWHERE) cfg.fc_scope = RT_SCOPE_LINK;
		}
	}
	if (cfg.fc_table === 0) cfg.fc_table = RT_TABLE_MAIN;
	if (cmd === SIOCDELRT) {
		const tb = fib_get_table(net, cfg.fc_table);
		if (tb === null) return -ESRCH;
		return fib_table_delete(net, tb, cfg, null);
	}
	return fib_table_insert(net, fib_new_table(net, cfg.fc_table), cfg, null);
}

export function fib_netlink_init(machine: Machine): void {
	rtnl_register(machine, AF_INET, RTM_NEWROUTE, inet_rtm_newroute, null);
	rtnl_register(machine, AF_INET, RTM_DELROUTE, inet_rtm_delroute, null);
	rtnl_register(machine, AF_INET, RTM_GETROUTE, inet_rtm_getroute, inet_dump_fib);
}
