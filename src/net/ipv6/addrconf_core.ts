/*
 * net/ipv6/addrconf_core.ts: what is there of IPv6 while it is not.   Linux: net/ipv6/addrconf_core.c, and what addrconf.c and
 * route.c answer where disable_ipv6 is set
 * Link messages carry an idle IPv6 (address generation mode); dumps of IPv6 are empty, changes are refused in the kernel's words.
 * Not here yet: IPv6.
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	NL_SET_ERR_MSG,
	NL_SET_ERR_MSG_ATTR,
	NLA_U8,
	type netlink_ext_ack,
	nla_get_u8,
	nla_parse_nested_deprecated,
	type nla_policy_table,
	nla_put_u8,
	nla_put_u32,
	nla_reserve,
	type nlattr,
	type nlattr_table,
	nlmsg_end,
	nlmsg_len,
	nlmsg_put,
	nlmsg_put_data,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	EACCES,
	EADDRNOTAVAIL,
	EAFNOSUPPORT,
	EINVAL,
	EMSGSIZE,
	ENETUNREACH,
	ENODATA,
	ENODEV,
	ESRCH,
} from '../../uapi/asm-generic/errno.ts';
import {
	FR_ACT_TO_TBL,
	FRA_PRIORITY,
	FRA_PROTOCOL,
	FRA_SUPPRESS_PREFIXLEN,
	FRA_TABLE,
} from '../../uapi/linux/fib_rules.ts';
import {
	IFLA_INET6_ADDR_GEN_MODE,
	IFLA_INET6_CACHEINFO,
	IFLA_INET6_FLAGS,
	IFLA_INET6_MAX,
	IFLA_INET6_TOKEN,
} from '../../uapi/linux/if_link.ts';
import { NLM_F_MULTI } from '../../uapi/linux/netlink.ts';
import {
	RT_TABLE_LOCAL,
	RT_TABLE_MAIN,
	RTM_DELADDR,
	RTM_DELROUTE,
	RTM_GETADDR,
	RTM_GETROUTE,
	RTM_GETRULE,
	RTM_NEWADDR,
	RTM_NEWROUTE,
	RTM_NEWRULE,
	RTPROT_KERNEL,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET6 } from '../../uapi/linux/socket.ts';
import { __dev_get_by_index } from '../core/dev.ts';
import { NETREG_REGISTERED, type net_device } from '../core/netdevice.ts';
import { rtnl_af_register, rtnl_register } from '../core/rtnetlink.ts';
import type { netlink_callback, netlink_skb } from '../netlink/netlink.ts';

const IPV6_MIN_MTU = 1280;
const IN6_ADDR_GEN_MODE_RANDOM = 3;

// ---- links ----

function inet6_fill_link_af(skb: netlink_skb, dev: net_device, _ext_filter_mask: number): number {
	// RFC 8200 5: a link that cannot carry 1280 octets carries no IPv6.
	if (dev.reg_state !== NETREG_REGISTERED || dev.mtu < IPV6_MIN_MTU) return -ENODATA;
	if (nla_put_u32(skb, IFLA_INET6_FLAGS, 0) < 0) return -EMSGSIZE;
	const at = nla_reserve(skb, IFLA_INET6_CACHEINFO, 16);
	if (at < 0) return -EMSGSIZE;
	// struct ifla_cacheinfo: max_reasm_len, tstamp, reachable_time, retrans_time.
	put_unaligned_le32(skb.data, at, 65535);
	put_unaligned_le32(skb.data, at + 8, 30000);
	put_unaligned_le32(skb.data, at + 12, 1000);
	return nla_put_u8(skb, IFLA_INET6_ADDR_GEN_MODE, dev.addr_gen_mode);
}

const inet6_af_policy: nla_policy_table = {
	[IFLA_INET6_ADDR_GEN_MODE]: { type: NLA_U8 },
	[IFLA_INET6_TOKEN]: { type: 0, len: 16 },
};

function inet6_validate_link_af(_dev: net_device | null, nla: nlattr, extack: netlink_ext_ack | null): number {
	const tb: nlattr_table = [];
	const err = nla_parse_nested_deprecated(tb, IFLA_INET6_MAX, nla, inet6_af_policy, extack);
	if (err < 0) return err;
	if (tb[IFLA_INET6_TOKEN] === null && tb[IFLA_INET6_ADDR_GEN_MODE] === null) return -EINVAL;
	const mode = tb[IFLA_INET6_ADDR_GEN_MODE];
	if (mode !== null && nla_get_u8(mode) > IN6_ADDR_GEN_MODE_RANDOM) {
		NL_SET_ERR_MSG_ATTR(extack, mode, 'Invalid address generation mode');
		return -EINVAL;
	}
	return 0;
}

function inet6_set_link_af(dev: net_device, nla: nlattr, extack: netlink_ext_ack | null): number {
	const tb: nlattr_table = [];
	const err = nla_parse_nested_deprecated(tb, IFLA_INET6_MAX, nla, null, extack);
	if (err < 0) return err;
	if (tb[IFLA_INET6_TOKEN] !== null) {
		NL_SET_ERR_MSG(extack, 'IPv6 tokens are not supported');
		return -EAFNOSUPPORT;
	}
	if (tb[IFLA_INET6_ADDR_GEN_MODE] !== null) dev.addr_gen_mode = nla_get_u8(tb[IFLA_INET6_ADDR_GEN_MODE]);
	return 0;
}

// ---- messages ----

function inet6_dump_nothing(_skb: netlink_skb, _cb: netlink_callback): number {
	return 0;
}

function inet6_rtm_newaddr(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	if (nlmsg_len(nlh) < 8) {
		NL_SET_ERR_MSG(extack, 'Invalid header length');
		return -EINVAL;
	}
	if (__dev_get_by_index(skb.net, get_unaligned_le32(nlh.buf, nlh.data + 4)) === null) {
		NL_SET_ERR_MSG(extack, 'ipv6: Unable to find the interface');
		return -ENODEV;
	}
	NL_SET_ERR_MSG(extack, 'ipv6: IPv6 is disabled on this device');
	return -EACCES;
}

function inet6_rtm_deladdr(_skb: netlink_skb, _nlh: nlmsghdr, extack: netlink_ext_ack): number {
	NL_SET_ERR_MSG(extack, 'ipv6: address not found');
	return -EADDRNOTAVAIL;
}

function inet6_rtm_newroute(_skb: netlink_skb, _nlh: nlmsghdr, extack: netlink_ext_ack): number {
	NL_SET_ERR_MSG(extack, 'IPv6 is disabled on nexthop device');
	return -EACCES;
}

function inet6_rtm_delroute(_skb: netlink_skb, _nlh: nlmsghdr, _extack: netlink_ext_ack): number {
	return -ESRCH;
}

function inet6_rtm_getroute(_skb: netlink_skb, _nlh: nlmsghdr, _extack: netlink_ext_ack): number {
	return -ENETUNREACH;
}

/** The rules that IPv6 is born with: priority, table. */
const RULES: readonly (readonly [number, number])[] = [
	[0, RT_TABLE_LOCAL],
	[32766, RT_TABLE_MAIN],
];

function inet6_dump_rules(skb: netlink_skb, cb: netlink_callback): number {
	for (; cb.args[0] < RULES.length; cb.args[0]++) {
		const [priority, table] = RULES[cb.args[0]];
		const nlh = nlmsg_put(skb, cb.skb.portid, cb.nlh.nlmsg_seq, RTM_NEWRULE, 12, NLM_F_MULTI);
		if (nlh < 0) return -EMSGSIZE;
		const frh = nlmsg_put_data(nlh);
		skb.data[frh] = AF_INET6;
		skb.data[frh + 4] = table;
		skb.data[frh + 7] = FR_ACT_TO_TBL;
		nla_put_u32(skb, FRA_TABLE, table);
		nla_put_u32(skb, FRA_SUPPRESS_PREFIXLEN, 0xffffffff);
		nla_put_u8(skb, FRA_PROTOCOL, RTPROT_KERNEL);
		if (priority !== 0) nla_put_u32(skb, FRA_PRIORITY, priority);
		nlmsg_end(skb, nlh);
	}
	return 0;
}

/** Boot: after rtnetlink_init. */
export function addrconf_core_init(machine: Machine): void {
	rtnl_af_register(machine, {
		family: AF_INET6,
		fill_link_af: inet6_fill_link_af,
		validate_link_af: inet6_validate_link_af,
		set_link_af: inet6_set_link_af,
	});
	rtnl_register(machine, AF_INET6, RTM_NEWADDR, inet6_rtm_newaddr, null);
	rtnl_register(machine, AF_INET6, RTM_DELADDR, inet6_rtm_deladdr, null);
	rtnl_register(machine, AF_INET6, RTM_GETADDR, null, inet6_dump_nothing);
	rtnl_register(machine, AF_INET6, RTM_NEWROUTE, inet6_rtm_newroute, null);
	rtnl_register(machine, AF_INET6, RTM_DELROUTE, inet6_rtm_delroute, null);
	rtnl_register(machine, AF_INET6, RTM_GETROUTE, inet6_rtm_getroute, inet6_dump_nothing);
	rtnl_register(machine, AF_INET6, RTM_GETRULE, null, inet6_dump_rules);
}
