/*
 * net/ipv4/devinet_netlink.ts: RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR, and IPv4's part of a link.   Linux: net/ipv4/devinet.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { HZ } from '../../kernel/time.ts';
import { put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	NL_SET_ERR_MSG,
	NLA_STRING,
	NLA_U8,
	NLA_U32,
	NLA_UNSPEC,
	type netlink_ext_ack,
	nla_get_be32,
	nla_get_string,
	nla_get_u8,
	nla_get_u32,
	nla_nested,
	nla_parse_nested_deprecated,
	type nla_policy_table,
	nla_put_in_addr,
	nla_put_string,
	nla_put_u8,
	nla_put_u32,
	nla_reserve,
	type nlattr,
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
import {
	EADDRNOTAVAIL,
	EAFNOSUPPORT,
	EEXIST,
	EINVAL,
	EMSGSIZE,
	ENOBUFS,
	ENODATA,
	ENODEV,
} from '../../uapi/asm-generic/errno.ts';
import {
	IFA_ADDRESS,
	IFA_BROADCAST,
	IFA_CACHEINFO,
	IFA_F_MCAUTOJOIN,
	IFA_F_PERMANENT,
	IFA_FLAGS,
	IFA_LABEL,
	IFA_LOCAL,
	IFA_MAX,
	IFA_PROTO,
	IFA_RT_PRIORITY,
	IFA_TARGET_NETNSID,
} from '../../uapi/linux/if_addr.ts';
import { IFLA_INET_CONF } from '../../uapi/linux/if_link.ts';
import { IPV4_DEVCONF_MAX } from '../../uapi/linux/ip.ts';
import { NLM_F_DUMP_FILTERED, NLM_F_EXCL, NLM_F_MULTI, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import { RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR, RTNLGRP_IPV4_IFADDR } from '../../uapi/linux/rtnetlink.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import { rtnl_af_register, rtnl_notify, rtnl_register } from '../core/rtnetlink.ts';
import { type netlink_callback, type netlink_skb, nl_dump_check_consistent, nlmsg_new } from '../netlink/netlink.ts';
import {
	INFINITY_LIFE_TIME,
	inet_del_ifa,
	inet_insert_ifa,
	inetdev_by_index,
	schedule_check_lifetime,
	set_ifa_lifetime,
} from './devinet.ts';
import { fib_modify_prefix_metric } from './fib_frontend.ts';
import { ip_mc_config_autojoin } from './igmp.ts';
import { IN_DEV_CONF_SET, in_ifaddr, inet_ifa_match, inet_make_mask, ipv4_devconf_setall } from './inetdevice.ts';

const IFADDRMSG_LEN = 8;

const ifa_ipv4_policy: nla_policy_table = {
	[IFA_LOCAL]: { type: NLA_U32 },
	[IFA_ADDRESS]: { type: NLA_U32 },
	[IFA_BROADCAST]: { type: NLA_U32 },
	[IFA_LABEL]: { type: NLA_STRING, len: 15 },
	[IFA_CACHEINFO]: { type: NLA_UNSPEC, len: 16 },
	[IFA_FLAGS]: { type: NLA_U32 },
	[IFA_RT_PRIORITY]: { type: NLA_U32 },
	[IFA_TARGET_NETNSID]: { type: NLA_U32 },
	[IFA_PROTO]: { type: NLA_U8 },
};

function fail(extack: netlink_ext_ack | null, err: number, msg: string): number {
	NL_SET_ERR_MSG(extack, msg);
	return -err;
}

// ---- messages --------------------------------------------------------------------------------------------------------------------

/** One address. Return: 0 or -EMSGSIZE. */
function inet_fill_ifaddr(
	skb: nlbuf,
	ifa: in_ifaddr,
	portid: number,
	seq: number,
	event: number,
	flags: number,
	netnsid: number,
): number {
	const machine = ifa.ifa_dev.dev.net.machine;
	const nlh = nlmsg_put(skb, portid, seq, event, IFADDRMSG_LEN, flags);
	if (nlh < 0) return -EMSGSIZE;
	const h = nlmsg_put_data(nlh);
	const d = skb.data;
	d[h] = AF_INET;
	d[h + 1] = ifa.ifa_prefixlen;
	d[h + 2] = ifa.ifa_flags;
	d[h + 3] = ifa.ifa_scope;
	put_unaligned_le32(d, h + 4, ifa.ifa_dev.dev.ifindex);
	let err = 0;
	if (netnsid >= 0) err |= nla_put_u32(skb, IFA_TARGET_NETNSID, netnsid);
	let preferred = INFINITY_LIFE_TIME;
	let valid = INFINITY_LIFE_TIME;
	if ((ifa.ifa_flags & IFA_F_PERMANENT) === 0) {
		preferred = ifa.ifa_preferred_lft;
		valid = ifa.ifa_valid_lft;
		if (preferred !== INFINITY_LIFE_TIME) {
			const age = Math.floor((machine.jiffies - ifa.ifa_tstamp) / HZ);
			preferred = Math.max(0, preferred - age);
			if (valid !== INFINITY_LIFE_TIME) valid = Math.max(0, valid - age);
		}
	}
	if (ifa.ifa_address !== 0) err |= nla_put_in_addr(skb, IFA_ADDRESS, ifa.ifa_address);
	if (ifa.ifa_local !== 0) err |= nla_put_in_addr(skb, IFA_LOCAL, ifa.ifa_local);
	if (ifa.ifa_broadcast !== 0) err |= nla_put_in_addr(skb, IFA_BROADCAST, ifa.ifa_broadcast);
	if (ifa.ifa_label !== '') err |= nla_put_string(skb, IFA_LABEL, ifa.ifa_label);
	if (ifa.ifa_proto !== 0) err |= nla_put_u8(skb, IFA_PROTO, ifa.ifa_proto);
	err |= nla_put_u32(skb, IFA_FLAGS, ifa.ifa_flags >>> 0);
	if (ifa.ifa_rt_priority !== 0) err |= nla_put_u32(skb, IFA_RT_PRIORITY, ifa.ifa_rt_priority);
	const ci = nla_reserve(skb, IFA_CACHEINFO, 16);
	if (ci < 0) err |= ci;
	else {
		put_unaligned_le32(skb.data, ci, preferred);
		put_unaligned_le32(skb.data, ci + 4, valid);
		put_unaligned_le32(skb.data, ci + 8, Math.floor((ifa.ifa_cstamp * 100) / HZ));
		put_unaligned_le32(skb.data, ci + 12, Math.floor((ifa.ifa_tstamp * 100) / HZ));
	}
	if (err < 0) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

/** Tells RTNLGRP_IPV4_IFADDR. */
export function rtmsg_ifa(event: number, ifa: in_ifaddr, nlh: nlmsghdr | null, portid: number): void {
	const net = ifa.ifa_dev.dev.net;
	const skb = nlmsg_new(net);
	inet_fill_ifaddr(skb, ifa, portid, nlh !== null ? nlh.nlmsg_seq : 0, event, 0, -1);
	rtnl_notify(skb, net, portid, RTNLGRP_IPV4_IFADDR, nlh);
}

/** RTM_GETADDR with NLM_F_DUMP. */
function inet_dump_ifaddr(skb: netlink_skb, cb: netlink_callback): number {
	const net = cb.net;
	const nlh = cb.nlh;
	let ifindex = 0;
	let flags = NLM_F_MULTI;
	if (cb.strict_check) {
		if (nlmsg_len(nlh) < IFADDRMSG_LEN) return fail(cb.extack, EINVAL, 'ipv4: Invalid header for address dump request');
		const b = nlh.buf;
		const h = nlh.data;
		if (b[h + 1] !== 0 || b[h + 2] !== 0 || b[h + 3] !== 0) {
			return fail(cb.extack, EINVAL, 'ipv4: Invalid values in header for address dump request');
		}
		ifindex = b[h + 4] | (b[h + 5] << 8) | (b[h + 6] << 16) | (b[h + 7] << 24);
		if (ifindex !== 0) {
			cb.answer_flags |= NLM_F_DUMP_FILTERED;
			flags |= NLM_F_DUMP_FILTERED;
		}
		const tb: nlattr_table = [];
		const err = nlmsg_parse_deprecated_strict(nlh, IFADDRMSG_LEN, tb, IFA_MAX, ifa_ipv4_policy, cb.extack);
		if (err < 0) return err;
		for (let i = 0; i <= IFA_MAX; i++) {
			if (tb[i] !== null && tb[i] !== undefined)
				return fail(cb.extack, EINVAL, 'ipv4: Unsupported attribute in dump request');
		}
	}
	cb.seq = net.ipv4.dev_addr_genid ^ net.dev_base_seq || 1;
	if (ifindex !== 0) {
		const dev = net.dev_index_head.get(ifindex);
		if (dev === undefined) return -ENODEV;
		const err = dump_dev(skb, cb, dev, flags);
		return err < 0 && skb.len === 0 ? err : skb.len;
	}
	// By interface index, so that a dump in parts finds its place.
	const devs = net.dev_base_head.slice().sort((a, b) => a.ifindex - b.ifindex);
	for (const dev of devs) {
		if (dev.ifindex < cb.args[0]) continue;
		if (dev.ifindex > cb.args[0]) {
			cb.args[0] = dev.ifindex;
			cb.args[1] = 0;
		}
		const err = dump_dev(skb, cb, dev, flags);
		if (err < 0) return skb.len > 0 ? skb.len : err;
	}
	cb.args[0] = 0x7fffffff;
	return skb.len;
}

function dump_dev(skb: netlink_skb, cb: netlink_callback, dev: net_device, flags: number): number {
	if (dev.ip_ptr === null) return 0;
	let i = 0;
	for (let ifa = dev.ip_ptr.ifa_list; ifa !== null; ifa = ifa.ifa_next, i++) {
		if (i < cb.args[1]) continue;
		const at = skb.len;
		const err = inet_fill_ifaddr(skb, ifa, cb.skb.portid, cb.nlh.nlmsg_seq, RTM_NEWADDR, flags, -1);
		if (err < 0) {
			cb.args[1] = i;
			return err;
		}
		nl_dump_check_consistent(cb, skb, at);
	}
	cb.args[1] = i;
	return 0;
}

// ---- requests --------------------------------------------------------------------------------------------------------------------

interface new_ifa {
	ifa: in_ifaddr;
	valid_lft: number;
	preferred_lft: number;
}

/** Decodes RTM_NEWADDR. Return: the address, or -errno. */
function rtm_to_ifaddr(net: net, nlh: nlmsghdr, extack: netlink_ext_ack | null): new_ifa | number {
	const tb: nlattr_table = [];
	const err = nlmsg_parse_deprecated(nlh, IFADDRMSG_LEN, tb, IFA_MAX, ifa_ipv4_policy, extack);
	if (err < 0) return err;
	const b = nlh.buf;
	const h = nlh.data;
	const prefixlen = b[h + 1];
	const ifindex = b[h + 4] | (b[h + 5] << 8) | (b[h + 6] << 16) | (b[h + 7] << 24);
	if (prefixlen > 32) return fail(extack, EINVAL, 'ipv4: Invalid prefix length');
	if (tb[IFA_LOCAL] === null) return fail(extack, EINVAL, 'ipv4: Local address is not supplied');
	const dev = net.dev_index_head.get(ifindex);
	if (dev === undefined) return fail(extack, ENODEV, 'ipv4: Device not found');
	const in_dev = dev.ip_ptr;
	if (in_dev === null) return -ENOBUFS;
	let valid_lft = INFINITY_LIFE_TIME;
	let preferred_lft = INFINITY_LIFE_TIME;
	const ci = tb[IFA_CACHEINFO];
	if (ci !== null) {
		preferred_lft =
			(ci.buf[ci.off] | (ci.buf[ci.off + 1] << 8) | (ci.buf[ci.off + 2] << 16) | (ci.buf[ci.off + 3] << 24)) >>> 0;
		valid_lft =
			(ci.buf[ci.off + 4] | (ci.buf[ci.off + 5] << 8) | (ci.buf[ci.off + 6] << 16) | (ci.buf[ci.off + 7] << 24)) >>> 0;
		if (valid_lft === 0 || preferred_lft > valid_lft) return fail(extack, EINVAL, 'ipv4: address lifetime invalid');
	}
	ipv4_devconf_setall(in_dev);
	const ifa = new in_ifaddr(in_dev);
	ifa.ifa_prefixlen = prefixlen;
	ifa.ifa_mask = inet_make_mask(prefixlen);
	ifa.ifa_flags = tb[IFA_FLAGS] !== null ? nla_get_u32(tb[IFA_FLAGS]!) : b[h + 2];
	ifa.ifa_scope = b[h + 3];
	ifa.ifa_local = nla_get_be32(tb[IFA_LOCAL]!);
	ifa.ifa_address = tb[IFA_ADDRESS] !== null ? nla_get_be32(tb[IFA_ADDRESS]!) : ifa.ifa_local;
	if (tb[IFA_BROADCAST] !== null) ifa.ifa_broadcast = nla_get_be32(tb[IFA_BROADCAST]!);
	ifa.ifa_label = tb[IFA_LABEL] !== null ? nla_get_string(tb[IFA_LABEL]!) : dev.name;
	if (tb[IFA_RT_PRIORITY] !== null) ifa.ifa_rt_priority = nla_get_u32(tb[IFA_RT_PRIORITY]!);
	if (tb[IFA_PROTO] !== null) ifa.ifa_proto = nla_get_u8(tb[IFA_PROTO]!);
	return { ifa, valid_lft, preferred_lft };
}

function find_matching_ifa(ifa: in_ifaddr): in_ifaddr | null {
	for (let ifa1 = ifa.ifa_dev.ifa_list; ifa1 !== null; ifa1 = ifa1.ifa_next) {
		if (ifa1.ifa_mask === ifa.ifa_mask && inet_ifa_match(ifa1.ifa_address, ifa) && ifa1.ifa_local === ifa.ifa_local)
			return ifa1;
	}
	return null;
}

function inet_rtm_newaddr(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const r = rtm_to_ifaddr(net, nlh, extack);
	if (typeof r === 'number') return r;
	const ifa = find_matching_ifa(r.ifa);
	if (ifa === null) {
		set_ifa_lifetime(r.ifa, r.valid_lft, r.preferred_lft);
		if ((r.ifa.ifa_flags & IFA_F_MCAUTOJOIN) !== 0) {
			const err = ip_mc_config_autojoin(net, true, r.ifa);
			if (err < 0) return fail(extack, -err, 'ipv4: Multicast auto join failed');
		}
		return inet_insert_ifa(r.ifa, nlh, skb.portid, extack);
	}
	if ((nlh.nlmsg_flags & NLM_F_EXCL) !== 0 || (nlh.nlmsg_flags & NLM_F_REPLACE) === 0) {
		return fail(extack, EEXIST, 'ipv4: Address already assigned');
	}
	if (ifa.ifa_rt_priority !== r.ifa.ifa_rt_priority) {
		fib_modify_prefix_metric(ifa, r.ifa.ifa_rt_priority);
		ifa.ifa_rt_priority = r.ifa.ifa_rt_priority;
	}
	ifa.ifa_proto = r.ifa.ifa_proto;
	set_ifa_lifetime(ifa, r.valid_lft, r.preferred_lft);
	schedule_check_lifetime(net, 0);
	rtmsg_ifa(RTM_NEWADDR, ifa, nlh, skb.portid);
	return 0;
}

function inet_rtm_deladdr(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const tb: nlattr_table = [];
	const err = nlmsg_parse_deprecated(nlh, IFADDRMSG_LEN, tb, IFA_MAX, ifa_ipv4_policy, extack);
	if (err < 0) return err;
	const b = nlh.buf;
	const h = nlh.data;
	const ifindex = b[h + 4] | (b[h + 5] << 8) | (b[h + 6] << 16) | (b[h + 7] << 24);
	const in_dev = inetdev_by_index(net, ifindex);
	if (in_dev === null) return fail(extack, ENODEV, 'ipv4: Device not found');
	for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) {
		if (tb[IFA_LOCAL] !== null && ifa.ifa_local !== nla_get_be32(tb[IFA_LOCAL]!)) continue;
		if (tb[IFA_LABEL] !== null && nla_get_string(tb[IFA_LABEL]!) !== ifa.ifa_label) continue;
		if (
			tb[IFA_ADDRESS] !== null &&
			(b[h + 1] !== ifa.ifa_prefixlen || !inet_ifa_match(nla_get_be32(tb[IFA_ADDRESS]!), ifa))
		)
			continue;
		if (ifa.ifa_local >>> 28 === 14) ip_mc_config_autojoin(net, false, ifa);
		inet_del_ifa(in_dev, ifa, true, nlh, skb.portid);
		return 0;
	}
	return fail(extack, EADDRNOTAVAIL, 'ipv4: Address not found');
}

// ---- a link's IPv4 settings ------------------------------------------------------------------------------------------------------

function inet_fill_link_af(skb: netlink_skb, dev: net_device, _ext_filter_mask: number): number {
	if (dev.ip_ptr === null) return -ENODATA;
	const at = nla_reserve(skb, IFLA_INET_CONF, IPV4_DEVCONF_MAX * 4);
	if (at < 0) return -EMSGSIZE;
	const data = dev.ip_ptr.cnf.data;
	for (let i = 1; i <= IPV4_DEVCONF_MAX; i++) put_unaligned_le32(skb.data, at + (i - 1) * 4, data[i] >>> 0);
	return 0;
}

function inet_validate_link_af(dev: net_device | null, nla: nlattr, extack: netlink_ext_ack | null): number {
	if (dev !== null && dev.ip_ptr === null) return -EAFNOSUPPORT;
	const tb: nlattr_table = [];
	const err = nla_parse_nested_deprecated(tb, IFLA_INET_CONF, nla, null, extack);
	if (err < 0) return err;
	const conf = tb[IFLA_INET_CONF];
	if (conf !== null) {
		for (const a of nla_nested(conf)) if (a.len < 4 || a.type === 0 || a.type > IPV4_DEVCONF_MAX) return -EINVAL;
	}
	return 0;
}

function inet_set_link_af(dev: net_device, nla: nlattr, extack: netlink_ext_ack | null): number {
	if (dev.ip_ptr === null) return -EAFNOSUPPORT;
	const tb: nlattr_table = [];
	if (nla_parse_nested_deprecated(tb, IFLA_INET_CONF, nla, null, extack) < 0) return -EINVAL;
	const conf = tb[IFLA_INET_CONF];
	if (conf !== null) for (const a of nla_nested(conf)) IN_DEV_CONF_SET(dev.ip_ptr, a.type, nla_get_u32(a) | 0);
	return 0;
}

export function devinet_netlink_init(machine: Machine): void {
	rtnl_register(machine, AF_INET, RTM_NEWADDR, inet_rtm_newaddr, null);
	rtnl_register(machine, AF_INET, RTM_DELADDR, inet_rtm_deladdr, null);
	rtnl_register(machine, AF_INET, RTM_GETADDR, null, inet_dump_ifaddr);
	rtnl_af_register(machine, {
		family: AF_INET,
		fill_link_af: inet_fill_link_af,
		validate_link_af: inet_validate_link_af,
		set_link_af: inet_set_link_af,
	});
}
