/*
 * net/ipv4/route_netlink.ts: `ip route get` and `ip route show cache`.   Linux: net/ipv4/route.c: inet_rtm_getroute, rt_fill_info
 * A request is routed as a packet would be: as one that begins here, or (with RTA_IIF) as one that comes in.
 */
import { put_unaligned_be16, put_unaligned_be32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	NL_SET_ERR_MSG,
	type netlink_ext_ack,
	nla_get_be16,
	nla_get_be32,
	nla_get_u8,
	nla_get_u32,
	nla_put_in_addr,
	nla_put_u32,
	nla_reserve,
	type nlattr_table,
	type nlbuf,
	nlmsg_cancel,
	nlmsg_end,
	nlmsg_len,
	nlmsg_parse_deprecated,
	nlmsg_parse_deprecated_strict,
	nlmsg_put,
	nlmsg_put_data,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { EHOSTUNREACH, EINVAL, EMSGSIZE, ENODEV, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import { ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import {
	RT_SCOPE_UNIVERSE,
	RTA_CACHEINFO,
	RTA_DPORT,
	RTA_DST,
	RTA_FLOW,
	RTA_GATEWAY,
	RTA_IIF,
	RTA_IP_PROTO,
	RTA_MARK,
	RTA_MAX,
	RTA_OIF,
	RTA_PREFSRC,
	RTA_SPORT,
	RTA_SRC,
	RTA_TABLE,
	RTA_UID,
	RTAX_LOCK,
	RTAX_MAX,
	RTAX_MTU,
	RTM_F_CLONED,
	RTM_F_FIB_MATCH,
	RTM_F_LOOKUP_TABLE,
	RTM_F_NOTIFY,
	RTM_NEWROUTE,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import { rtnl_unicast } from '../core/rtnetlink.ts';
import {
	alloc_skb,
	consume_skb,
	IPSKB_DOREDIRECT,
	type sk_buff,
	skb_put,
	skb_reset_mac_header,
	skb_reset_network_header,
	skb_set_transport_header,
} from '../core/skbuff.ts';
import { netlink_strict_get_check } from '../netlink/af_netlink.ts';
import { type netlink_callback, type netlink_skb, nlmsg_new } from '../netlink/netlink.ts';
import { type fib_info, fib_props_error, fib_result } from './fib_lookup.ts';
import { rtm_ipv4_policy } from './fib_netlink.ts';
import { fib_dump_info, rtnetlink_put_metrics } from './fib_semantics.ts';
import {
	ip_route_input_noref,
	ip_route_input_slow,
	ip_route_output_key_hash_rcu,
	RTCF_DOREDIRECT,
	RTCF_NOTIFY,
	rt_is_expired,
	type rtable,
} from './route.ts';

const RTMSG_LEN = 12;
const RT_TABLE_COMPAT = 252;
const RT_TABLE_MAIN = 254;
const INVALID_UID = 0xffffffff;

function fail(extack: netlink_ext_ack | null, err: number, msg: string): number {
	NL_SET_ERR_MSG(extack, msg);
	return -err;
}

/** A cached route as RTM_NEWROUTE. `fl4`: the flow it was found for, or null. Return: 0 or -EMSGSIZE. */
export function rt_fill_info(
	skb: nlbuf,
	dst: number,
	src: number,
	rt: rtable,
	table_id: number,
	dscp: number,
	fl4: flowi4 | null,
	skb_flags: number,
	cc_name: string,
	portid: number,
	seq: number,
	flags: number,
): number {
	const machine = rt.dev.net.machine;
	const nlh = nlmsg_put(skb, portid, seq, RTM_NEWROUTE, RTMSG_LEN, flags);
	if (nlh < 0) return -EMSGSIZE;
	const h = nlmsg_put_data(nlh);
	const d = skb.data;
	d[h] = AF_INET;
	d[h + 1] = 32;
	d[h + 2] = src !== 0 ? 32 : 0;
	d[h + 3] = dscp;
	d[h + 4] = table_id < 256 ? table_id : RT_TABLE_COMPAT;
	d[h + 6] = RT_SCOPE_UNIVERSE;
	d[h + 7] = rt.rt_type;
	let rtm_flags = (rt.rt_flags & ~0xffff) | RTM_F_CLONED;
	if ((rt.rt_flags & RTCF_NOTIFY) !== 0) rtm_flags |= RTM_F_NOTIFY;
	if ((skb_flags & IPSKB_DOREDIRECT) !== 0) rtm_flags |= RTCF_DOREDIRECT;
	put_unaligned_le32(d, h + 8, rtm_flags >>> 0);
	let err = nla_put_u32(skb, RTA_TABLE, table_id);
	err |= nla_put_in_addr(skb, RTA_DST, dst);
	if (src !== 0) err |= nla_put_in_addr(skb, RTA_SRC, src);
	err |= nla_put_u32(skb, RTA_OIF, rt.dev.ifindex);
	if (rt.tclassid !== 0) err |= nla_put_u32(skb, RTA_FLOW, rt.tclassid);
	if (fl4 !== null && !rt.rt_is_input && fl4.saddr !== src) err |= nla_put_in_addr(skb, RTA_PREFSRC, fl4.saddr);
	if (rt.rt_uses_gateway) err |= nla_put_in_addr(skb, RTA_GATEWAY, rt.rt_gw4);
	const expires = rt.expires !== 0 ? Math.max(0, rt.expires - machine.jiffies) : 0;
	let metrics = rt._metrics;
	if (expires !== 0 && (rt.rt_pmtu !== 0 || rt.rt_mtu_locked)) {
		const m = new Uint32Array(RTAX_MAX + 1);
		if (metrics !== null) m.set(metrics);
		if (rt.rt_pmtu !== 0) m[RTAX_MTU] = rt.rt_pmtu;
		if (rt.rt_mtu_locked) m[RTAX_LOCK] |= 1 << RTAX_MTU;
		metrics = m;
	}
	err |= rtnetlink_put_metrics(skb, metrics, cc_name);
	if (fl4 !== null) {
		if (fl4.flowi4_mark !== 0) err |= nla_put_u32(skb, RTA_MARK, fl4.flowi4_mark);
		if (fl4.flowi4_uid !== INVALID_UID) err |= nla_put_u32(skb, RTA_UID, fl4.flowi4_uid);
		if (rt.rt_is_input) err |= nla_put_u32(skb, RTA_IIF, fl4.flowi4_iif);
	}
	// struct rta_cacheinfo: clntref, lastuse, expires (1/100 s), error, used, id, ts, tsage.
	const ci = nla_reserve(skb, RTA_CACHEINFO, 32);
	if (ci < 0) err = ci;
	else {
		put_unaligned_le32(skb.data, ci + 8, Math.min(0x7fffffff, Math.floor((expires * 100) / 250)));
		put_unaligned_le32(skb.data, ci + 12, -rt.error >>> 0);
	}
	if (err < 0) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/** The learned exceptions of a route's hops, as cached routes. Return: 0 or -EMSGSIZE. */
export function fib_dump_info_fnhe(
	skb: netlink_skb,
	cb: netlink_callback,
	table_id: number,
	fi: fib_info,
	flags: number,
): number {
	for (const nh of fi.fib_nh) {
		if (nh.nhc_exceptions === null || nh.nhc_dev === null) continue;
		const net = nh.nhc_dev.net;
		for (const fnhe of nh.nhc_exceptions.values()) {
			if (fnhe.fnhe_genid !== net.ipv4.fnhe_genid) continue;
			if (fnhe.fnhe_expires !== 0 && net.machine.jiffies > fnhe.fnhe_expires) continue;
			const rt = fnhe.fnhe_rth_input ?? fnhe.fnhe_rth_output;
			if (rt === null || rt_is_expired(rt)) continue;
			const err = rt_fill_info(
				skb,
				fnhe.fnhe_daddr,
				0,
				rt,
				table_id,
				0,
				null,
				0,
				fi.fib_mx_cc,
				cb.skb.portid,
				cb.nlh.nlmsg_seq,
				flags,
			);
			if (err < 0) return err;
		}
	}
	return 0;
}

/** Parses the request. Return: 0 or -errno. */
function inet_rtm_valid_getroute_req(
	skb: netlink_skb,
	nlh: nlmsghdr,
	tb: nlattr_table,
	extack: netlink_ext_ack | null,
): number {
	if (nlmsg_len(nlh) < RTMSG_LEN) return fail(extack, EINVAL, 'ipv4: Invalid header for route get request');
	if (!netlink_strict_get_check(skb))
		return nlmsg_parse_deprecated(nlh, RTMSG_LEN, tb, RTA_MAX, rtm_ipv4_policy, extack);
	const b = nlh.buf;
	const h = nlh.data;
	const dst_len = b[h + 1];
	const src_len = b[h + 2];
	if (
		(src_len !== 0 && src_len !== 32) ||
		(dst_len !== 0 && dst_len !== 32) ||
		b[h + 4] !== 0 ||
		b[h + 5] !== 0 ||
		b[h + 6] !== 0 ||
		b[h + 7] !== 0
	) {
		return fail(extack, EINVAL, 'ipv4: Invalid values in header for route get request');
	}
	const flags = b[h + 8] | (b[h + 9] << 8) | (b[h + 10] << 16) | (b[h + 11] << 24);
	if ((flags & ~(RTM_F_NOTIFY | RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH)) !== 0) {
		return fail(extack, EINVAL, 'ipv4: Unsupported rtm_flags for route get request');
	}
	const err = nlmsg_parse_deprecated_strict(nlh, RTMSG_LEN, tb, RTA_MAX, rtm_ipv4_policy, extack);
	if (err < 0) return err;
	if ((tb[RTA_SRC] !== null && src_len === 0) || (tb[RTA_DST] !== null && dst_len === 0)) {
		return fail(extack, EINVAL, 'ipv4: rtm_src_len and rtm_dst_len must be 32 for IPv4');
	}
	for (let i = 0; i <= RTA_MAX; i++) {
		if (tb[i] === null) continue;
		switch (i) {
			case RTA_IIF:
			case RTA_OIF:
			case RTA_SRC:
			case RTA_DST:
			case RTA_IP_PROTO:
			case RTA_SPORT:
			case RTA_DPORT:
			case RTA_MARK:
			case RTA_UID:
				break;
			default:
				return fail(extack, EINVAL, 'ipv4: Unsupported attribute in route get request');
		}
	}
	return 0;
}

/** A packet as the request describes it. */
function inet_rtm_getroute_build_skb(
	net: net,
	src: number,
	dst: number,
	tos: number,
	ip_proto: number,
	sport: number,
	dport: number,
): sk_buff {
	const skb = alloc_skb(net.machine, 128);
	// Nobody follows this one.
	skb.journey = null;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	const at = skb_put(skb, 28);
	const b = skb.head;
	b.fill(0, at, at + 28);
	b[at] = 0x45;
	b[at + 1] = tos;
	b[at + 3] = 28;
	b[at + 8] = 64;
	b[at + 9] = ip_proto;
	put_unaligned_be32(b, at + 12, src);
	put_unaligned_be32(b, at + 16, dst);
	skb_set_transport_header(skb, 20);
	if (ip_proto === IPPROTO_ICMP) b[at + 20] = 8;
	else {
		put_unaligned_be16(b, at + 20, sport);
		put_unaligned_be16(b, at + 22, dport);
	}
	return skb;
}

/** RTM_GETROUTE without NLM_F_DUMP. Return: 0 or -errno. */
export function inet_rtm_getroute(in_skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = in_skb.net;
	const tb: nlattr_table = [];
	let err = inet_rtm_valid_getroute_req(in_skb, nlh, tb, extack);
	if (err < 0) return err;
	const b = nlh.buf;
	const h = nlh.data;
	const tos = b[h + 3];
	if ((tos & 3) !== 0) return fail(extack, EINVAL, 'Invalid dsfield (tos): ECN bits must be 0');
	const rtm_flags = b[h + 8] | (b[h + 9] << 8) | (b[h + 10] << 16) | (b[h + 11] << 24);
	const src = tb[RTA_SRC] !== null ? nla_get_be32(tb[RTA_SRC]!) : 0;
	const dst = tb[RTA_DST] !== null ? nla_get_be32(tb[RTA_DST]!) : 0;
	const iif = tb[RTA_IIF] !== null ? nla_get_u32(tb[RTA_IIF]!) : 0;
	let ip_proto = IPPROTO_UDP;
	if (tb[RTA_IP_PROTO] !== null) {
		ip_proto = nla_get_u8(tb[RTA_IP_PROTO]!);
		if (ip_proto !== IPPROTO_TCP && ip_proto !== IPPROTO_UDP && ip_proto !== IPPROTO_ICMP) {
			return fail(extack, EOPNOTSUPP, 'Unsupported ip proto');
		}
	}
	const fl4 = new flowi4();
	fl4.daddr = dst;
	fl4.saddr = src;
	fl4.flowi4_dscp = tos & 0xfc;
	fl4.flowi4_oif = tb[RTA_OIF] !== null ? nla_get_u32(tb[RTA_OIF]!) : 0;
	fl4.flowi4_mark = tb[RTA_MARK] !== null ? nla_get_u32(tb[RTA_MARK]!) : 0;
	fl4.flowi4_uid =
		tb[RTA_UID] !== null
			? nla_get_u32(tb[RTA_UID]!)
			: iif !== 0
				? INVALID_UID
				: in_skb.sk !== null
					? in_skb.sk.sk_uid
					: 0;
	fl4.fl4_sport = tb[RTA_SPORT] !== null ? nla_get_be16(tb[RTA_SPORT]!) : 0;
	fl4.fl4_dport = tb[RTA_DPORT] !== null ? nla_get_be16(tb[RTA_DPORT]!) : 0;
	fl4.flowi4_proto = ip_proto;

	const res = new fib_result();
	const skb = inet_rtm_getroute_build_skb(net, src, dst, tos, ip_proto, fl4.fl4_sport, fl4.fl4_dport);
	let rt: rtable | null = null;
	if (iif !== 0) {
		const dev = net.dev_index_head.get(iif);
		if (dev === undefined) {
			consume_skb(skb);
			return -ENODEV;
		}
		fl4.flowi4_iif = iif;
		skb.protocol = ETH_P_IP;
		skb.dev = dev;
		skb.mark = fl4.flowi4_mark;
		const reason =
			dst >>> 28 === 14
				? ip_route_input_noref(skb, dst, src, tos & 0xfc, dev)
				: ip_route_input_slow(skb, dst, src, tos & 0xfc, dev, res);
		rt = skb._skb_refdst as rtable | null;
		err = reason !== 0 ? -EINVAL : rt !== null ? rt.error : -EINVAL;
	} else {
		fl4.flowi4_iif = 1;
		skb.dev = net.loopback_dev;
		const r = ip_route_output_key_hash_rcu(net, fl4, res, skb);
		if (typeof r === 'number') err = r;
		else rt = r;
	}
	const skb_flags = skb.ipcb.flags;
	skb._skb_refdst = null;
	consume_skb(skb);
	if (err < 0 || rt === null) return err < 0 ? err : -EINVAL;

	const answer = nlmsg_new(net);
	const table_id = (rtm_flags & RTM_F_LOOKUP_TABLE) !== 0 ? (res.table !== null ? res.table.tb_id : 0) : RT_TABLE_MAIN;
	if ((rtm_flags & RTM_F_FIB_MATCH) !== 0) {
		if (res.fi === null) {
			err = fib_props_error[res.type];
			return err !== 0 ? err : -EHOSTUNREACH;
		}
		err = fib_dump_info(
			answer,
			in_skb.portid,
			nlh.nlmsg_seq,
			RTM_NEWROUTE,
			res.fi,
			table_id,
			res.prefix,
			res.prefixlen,
			res.dscp,
			rt.rt_type,
			0,
		);
	} else {
		err = rt_fill_info(
			answer,
			dst,
			src,
			rt,
			table_id,
			res.dscp,
			fl4,
			skb_flags,
			res.fi !== null ? res.fi.fib_mx_cc : '',
			in_skb.portid,
			nlh.nlmsg_seq,
			0,
		);
	}
	if (err < 0) return err;
	return Math.min(0, rtnl_unicast(answer, net, in_skb.portid));
}
