/*
 * net/ipv4/fib_frontend.ts: routing tables: which there are, what addresses are, whether a source is right.   Linux: net/ipv4/fib_frontend.c
 * Walk: fib_lookup (rules, or the shortcut without them) -> fib_table_lookup; fib_validate_source (rp_filter);
 *       fib_inetaddr_event, fib_netdev_event -> fib_add_ifaddr, fib_del_ifaddr: the routes that addresses bring.
 * Requests: fib_netlink.ts (rtnetlink, SIOCADDRT). RFC 3704 (reverse path), RFC 1812 5.3.8.
 */
import type { Machine } from '../../kernel/machine.ts';
import { trace_event } from '../../kernel/trace.ts';
import { EAGAIN, ENETUNREACH } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOOPBACK, IFF_LOWER_UP, IFF_RUNNING, IFF_UP } from '../../uapi/linux/if.ts';
import { IFA_F_NOPREFIXROUTE, IFA_F_SECONDARY } from '../../uapi/linux/if_addr.ts';
import { NLM_F_APPEND, NLM_F_CREATE } from '../../uapi/linux/netlink.ts';
import {
	RT_SCOPE_HOST,
	RT_SCOPE_LINK,
	RT_SCOPE_UNIVERSE,
	RTM_DELROUTE,
	RTM_NEWROUTE,
	RTN_BROADCAST,
	RTN_LOCAL,
	RTN_MULTICAST,
	RTN_UNICAST,
	RTNH_F_DEAD,
	RTNH_F_LINKDOWN,
	RTPROT_KERNEL,
} from '../../uapi/linux/rtnetlink.ts';
import {
	dev_get_flags,
	NETDEV_CHANGE,
	NETDEV_CHANGEMTU,
	NETDEV_DOWN,
	NETDEV_UNREGISTER,
	NETDEV_UP,
	type netdev_notifier_info,
	register_netdevice_notifier,
} from '../core/dev.ts';
import {
	SKB_DROP_REASON_IP_INVALID_SOURCE,
	SKB_DROP_REASON_IP_LOCAL_SOURCE,
	SKB_DROP_REASON_IP_RPFILTER,
} from '../core/dropreason.ts';
import { fib_rules_init } from '../core/fib_rules.ts';
import { flowi4 } from '../core/flow.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { arp_ifdown } from './arp.ts';
import { inet_ifa_byprefix, inet_lookup_ifaddr_rcu, inet_select_addr, register_inetaddr_notifier } from './devinet.ts';
import {
	FIB_LOOKUP_IGNORE_LINKSTATE,
	FIB_LOOKUP_NOREF,
	fib_config,
	type fib_info,
	fib_result,
	type fib_table,
} from './fib_lookup.ts';
import { fib_netlink_init } from './fib_netlink.ts';
import { __fib_lookup, fib4_rules_early_flow_dissect, fib4_rules_init_net } from './fib_rules.ts';
import {
	fib_result_prefsrc,
	fib_sync_down_addr,
	fib_sync_down_dev,
	fib_sync_mtu,
	fib_sync_up,
} from './fib_semantics.ts';
import {
	fib_table_delete,
	fib_table_flush,
	fib_table_flush_external,
	fib_table_insert,
	fib_table_lookup,
	fib_trie_table,
	fib_trie_unmerge,
	RT_TABLE_LOCAL,
	RT_TABLE_MAIN,
} from './fib_trie.ts';
import { fib_proc_init } from './fib_trie_proc.ts';
import {
	IN_DEV_ACCEPT_LOCAL,
	IN_DEV_RPFILTER,
	IN_DEV_SRC_VMARK,
	IN_DEV_TX_REDIRECTS,
	type in_device,
	type in_ifaddr,
	inet_ifa_match,
} from './inetdevice.ts';
import { ip_hdr_daddr, ip_hdr_saddr, ip_hdr_tos, ip_ntop } from './ip.ts';
import {
	ipv4_is_lbcast,
	ipv4_is_multicast,
	ipv4_is_zeronet,
	RTCF_BROADCAST,
	RTCF_LOCAL,
	RTCF_MULTICAST,
	rt_cache_flush,
	rt_flush_dev,
	type rtable,
} from './route.ts';
import { route_detail } from './route_trace.ts';

export * from './fib_netlink.ts';

const RT_TABLE_DEFAULT = 253;
const RT_TABLE_UNSPEC = 0;
const FIB_TABLE_HASHSZ = 256;
const LOOPBACK_IFINDEX = 1;

// ---- tables ----------------------------------------------------------------------------------------------------------------------

/** The table with this id, or null. 0 means main. */
export function fib_get_table(net: net, id: number): fib_table | null {
	if (id === RT_TABLE_UNSPEC) id = RT_TABLE_MAIN;
	const list = net.ipv4.fib_table_hash[id & (FIB_TABLE_HASHSZ - 1)];
	for (let i = 0; i < list.length; i++) if (list[i].tb_id === id) return list[i];
	return null;
}

/** The same, made when there is none. */
export function fib_new_table(net: net, id: number): fib_table {
	if (id === RT_TABLE_UNSPEC) id = RT_TABLE_MAIN;
	const old = fib_get_table(net, id);
	if (old !== null) return old;
	const alias = id === RT_TABLE_LOCAL && !net.ipv4.fib_has_custom_rules ? fib_new_table(net, RT_TABLE_MAIN) : null;
	const tb = fib_trie_table(net, id, alias);
	if (id === RT_TABLE_MAIN) net.ipv4.fib_main = tb;
	else if (id === RT_TABLE_DEFAULT) net.ipv4.fib_default = tb;
	net.ipv4.fib_table_hash[id & (FIB_TABLE_HASHSZ - 1)].unshift(tb);
	return tb;
}

/** Before the first rule: the local table gets routes of its own, apart from main's. */
export function fib_unmerge(net: net): void {
	const old = fib_get_table(net, RT_TABLE_LOCAL);
	const main = fib_get_table(net, RT_TABLE_MAIN);
	if (old === null || main === null || old.tb_data !== main.tb_data) return;
	const local = fib_trie_unmerge(net, main);
	const list = net.ipv4.fib_table_hash[RT_TABLE_LOCAL & (FIB_TABLE_HASHSZ - 1)];
	list[list.indexOf(old)] = local;
	fib_table_flush_external(main);
}

/** Takes out of all tables what has died. */
export function fib_flush(net: net): void {
	let flushed = 0;
	for (const list of net.ipv4.fib_table_hash) for (const tb of list) flushed += fib_table_flush(net, tb, false);
	if (flushed > 0) rt_cache_flush(net);
}

// ---- lookup ----------------------------------------------------------------------------------------------------------------------

/** Routes `flp` by the rules. Return: 0 with res filled in, or -errno (then res says which route said so, if one did). */
export function fib_lookup(net: net, flp: flowi4, res: fib_result, flags: number): number {
	flags |= FIB_LOOKUP_NOREF;
	const v4 = net.ipv4;
	res.r_pref = -1;
	if (v4.fib_has_custom_rules) return __fib_lookup(net, flp, res, flags);
	// Without rules of one's own: the local and main tables are one.
	let err = -ENETUNREACH;
	if (v4.fib_main !== null) {
		err = fib_table_lookup(v4.fib_main, flp, res, flags);
		if (err === 0) {
			res.r_pref = res.fi!.fib_tb_id === RT_TABLE_LOCAL ? 0 : 32766;
			return 0;
		}
	}
	if (v4.fib_default !== null) {
		err = fib_table_lookup(v4.fib_default, flp, res, flags);
		if (err === 0) res.r_pref = 32767;
	}
	return err === -EAGAIN ? -ENETUNREACH : err;
}

/** The device that has `addr`, or that a local route gives it to; null when it is not ours. */
export function __ip_dev_find(net: net, addr: number): net_device | null {
	const ifa = inet_lookup_ifaddr_rcu(net, addr);
	if (ifa !== null) return ifa.ifa_dev.dev;
	const local = fib_get_table(net, RT_TABLE_LOCAL);
	if (local === null) return null;
	const fl4 = new flowi4();
	const res = new fib_result();
	fl4.daddr = addr;
	if (fib_table_lookup(local, fl4, res, FIB_LOOKUP_NOREF) === 0 && res.type === RTN_LOCAL) return res.nhc!.nhc_dev;
	return null;
}

export function ip_dev_find(net: net, addr: number): net_device | null {
	return __ip_dev_find(net, addr);
}

/** VRFs are not here yet: no table is theirs. */
export function l3mdev_fib_table_by_index(_net: net, _ifindex: number): number {
	return 0;
}

export function l3mdev_fib_table(_dev: net_device | null): number {
	return 0;
}

// ---- what an address is ----------------------------------------------------------------------------------------------------------

function __inet_dev_addr_type(net: net, dev: net_device | null, addr: number, tb_id: number): number {
	if (ipv4_is_zeronet(addr) || ipv4_is_lbcast(addr)) return RTN_BROADCAST;
	if (ipv4_is_multicast(addr)) return RTN_MULTICAST;
	const table = fib_get_table(net, tb_id);
	let ret = RTN_BROADCAST;
	if (table !== null) {
		const fl4 = new flowi4();
		const res = new fib_result();
		fl4.daddr = addr;
		ret = RTN_UNICAST;
		if (fib_table_lookup(table, fl4, res, FIB_LOOKUP_NOREF) === 0) {
			if (dev === null || dev === res.nhc!.nhc_dev) ret = res.type;
		}
	}
	return ret;
}

/** RTN_*: what `addr` is as table `tb_id` sees it. */
export function inet_addr_type_table(net: net, addr: number, tb_id: number): number {
	return __inet_dev_addr_type(net, null, addr, tb_id);
}

/** RTN_*: ours (RTN_LOCAL), a broadcast, a multicast, or another's (RTN_UNICAST). */
export function inet_addr_type(net: net, addr: number): number {
	return __inet_dev_addr_type(net, null, addr, RT_TABLE_LOCAL);
}

export function inet_dev_addr_type(net: net, dev: net_device, addr: number): number {
	return __inet_dev_addr_type(net, dev, addr, RT_TABLE_LOCAL);
}

/** The same, in the table of the VRF that `dev` is in. */
export function inet_addr_type_dev_table(net: net, _dev: net_device | null, addr: number): number {
	return __inet_dev_addr_type(net, null, addr, RT_TABLE_LOCAL);
}

/** The address of ours that a received packet's sender meant: its destination, or for broadcasts one of the device. */
export function fib_compute_spec_dst(skb: sk_buff): number {
	const rt = skb._skb_refdst as rtable | null;
	if (rt !== null && (rt.rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST | RTCF_LOCAL)) === (RTCF_LOCAL | 0)) {
		return ip_hdr_daddr(skb);
	}
	const dev = skb.dev!;
	const in_dev = dev.ip_ptr;
	let scope = RT_SCOPE_UNIVERSE;
	if (!ipv4_is_zeronet(ip_hdr_saddr(skb))) {
		const fl4 = new flowi4();
		const res = new fib_result();
		fl4.flowi4_iif = LOOPBACK_IFINDEX;
		fl4.daddr = ip_hdr_saddr(skb);
		fl4.flowi4_dscp = ip_hdr_tos(skb) & 0xfc;
		fl4.flowi4_mark = in_dev !== null && IN_DEV_SRC_VMARK(in_dev) ? skb.mark : 0;
		if (fib_lookup(dev.net, fl4, res, 0) === 0) {
			return fib_result_prefsrc(dev.net, res);
		}
	} else scope = RT_SCOPE_LINK;
	return inet_select_addr(dev, ip_hdr_saddr(skb), scope);
}

// ---- source validation -----------------------------------------------------------------------------------------------------------

/** Whether one of the route's hops leaves by `dev`. */
export function fib_info_nh_uses_dev(fi: fib_info, dev: net_device): boolean {
	for (let i = 0; i < fi.fib_nhs; i++) if (fi.fib_nh[i].nhc_dev === dev) return true;
	return false;
}

/**
 * Whether a packet from `src` may come in by `dev`: the way back is looked up (RFC 3704). `oif`: where it would go on, 0 for here.
 * Return: 1 when the sender is on the link itself, 0 when it is fine, or minus a drop reason.
 */
export function fib_validate_source(
	skb: sk_buff,
	src: number,
	dst: number,
	dscp: number,
	oif: number,
	dev: net_device,
	idev: in_device,
): number {
	const rpf = IN_DEV_RPFILTER(idev);
	const net = dev.net;
	if (rpf === 0 && (dev.ifindex !== oif || !IN_DEV_TX_REDIRECTS(idev))) {
		if (IN_DEV_ACCEPT_LOCAL(idev)) return 0;
		if (!net.ipv4.fib_has_custom_local_routes && !net.ipv4.fib_has_custom_rules) {
			if (inet_lookup_ifaddr_rcu(net, src) === null) return 0;
			if (skb.journey !== null) trace_local_source(skb, src, dev);
			return -SKB_DROP_REASON_IP_LOCAL_SOURCE;
		}
	}
	return __fib_validate_source(skb, src, dst, dscp, oif, dev, rpf, idev);
}

function trace_local_source(skb: sk_buff, src: number, dev: net_device): void {
	trace_event(skb, 'note', 'fib_validate_source', {
		why: `${ip_ntop(src)} is an address of this host`,
		sysctl: `net.ipv4.conf.${dev.name}.accept_local`,
		value: 0,
	});
}

function __fib_validate_source(
	skb: sk_buff,
	src: number,
	dst: number,
	dscp: number,
	oif: number,
	dev: net_device,
	rpf: number,
	idev: in_device,
): number {
	const net = dev.net;
	const fl4 = net.ipv4.scratch.rpf_fl4;
	const res = net.ipv4.scratch.rpf_res;
	fl4.flowi4_oif = 0;
	fl4.flowi4_iif = oif !== 0 ? oif : LOOPBACK_IFINDEX;
	fl4.daddr = src;
	fl4.saddr = dst;
	fl4.flowi4_dscp = dscp;
	fl4.flowi4_scope = RT_SCOPE_UNIVERSE;
	fl4.flowi4_tun_key = 0;
	fl4.flowi4_flags = 0;
	fl4.flowi4_uid = 0;
	fl4.flowi4_multipath_hash = 0;
	fl4.flowi4_mark = IN_DEV_SRC_VMARK(idev) ? skb.mark : 0;
	fl4.flowi4_proto = 0;
	fl4.fl4_sport = 0;
	fl4.fl4_dport = 0;
	if (net.ipv4.fib_rules_require_fldissect !== 0 && fib4_rules_early_flow_dissect(net, skb, fl4)) {
		const p = fl4.fl4_sport;
		fl4.fl4_sport = fl4.fl4_dport;
		fl4.fl4_dport = p;
		fl4.daddr = src;
		fl4.saddr = dst;
	}
	const no_addr = idev.ifa_list === null;
	const err = fib_lookup(net, fl4, res, 0);
	if (err === 0) {
		if (res.type !== RTN_UNICAST) {
			if (res.type !== RTN_LOCAL) return -SKB_DROP_REASON_IP_INVALID_SOURCE;
			if (!IN_DEV_ACCEPT_LOCAL(idev)) {
				if (skb.journey !== null) trace_local_source(skb, src, dev);
				return -SKB_DROP_REASON_IP_LOCAL_SOURCE;
			}
		}
		if (fib_info_nh_uses_dev(res.fi!, dev) || (res.type === RTN_LOCAL && dev === net.loopback_dev)) {
			return res.nhc!.nhc_scope >= RT_SCOPE_HOST ? 1 : 0;
		}
	}
	if (err !== 0 || no_addr) {
		if (rpf !== 0) return rpf_failed(skb, dev, idev, rpf, res, err);
		return 0;
	}
	if (rpf === 1) return rpf_failed(skb, dev, idev, rpf, res, 0);
	// Loose, or off: on this link, by a route that the tables would not choose?
	fl4.flowi4_oif = dev.ifindex;
	if (fib_lookup(net, fl4, res, FIB_LOOKUP_IGNORE_LINKSTATE) === 0 && res.type === RTN_UNICAST) {
		return res.nhc!.nhc_scope >= RT_SCOPE_HOST ? 1 : 0;
	}
	return 0;
}

/** Says what the way back would have been, and which setting asks for it. */
function rpf_failed(skb: sk_buff, dev: net_device, idev: in_device, rpf: number, res: fib_result, err: number): number {
	if (skb.journey !== null) {
		const name = idev.cnf.data[8] >= rpf ? dev.name : 'all';
		trace_event(skb, 'note', 'fib_validate_source', {
			why: err !== 0 ? 'no route back to the source' : 'the route back to the source leaves by another device',
			sysctl: `net.ipv4.conf.${name}.rp_filter`,
			value: rpf,
			reverse: err !== 0 ? { errno: err } : route_detail(res, 0),
			counter: 'TcpExtIPReversePathFilter',
		});
	}
	return -SKB_DROP_REASON_IP_RPFILTER;
}

/** For secure redirects: 0 when some route's gateway over `dev` is `gw`. */
export function ip_fib_check_default(gw: number, dev: net_device): number {
	const infos = dev.net.ipv4.fib_info_devhash.get(dev.ifindex);
	if (infos !== undefined) {
		for (const fi of infos) {
			for (const nh of fi.fib_nh) {
				if (nh.nhc_dev === dev && nh.nhc_gw_family !== 0 && nh.nhc_gw === gw && (nh.nhc_flags & RTNH_F_DEAD) === 0)
					return 0;
			}
		}
	}
	return -1;
}

// ---- routes that addresses bring -------------------------------------------------------------------------------------------------

/** Adds or removes a route of the kernel's own. */
function fib_magic(cmd: number, type: number, dst: number, dst_len: number, ifa: in_ifaddr, rt_priority: number): void {
	const net = ifa.ifa_dev.dev.net;
	const tb_id = type === RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
	const tb = fib_new_table(net, tb_id);
	const cfg = new fib_config();
	cfg.fc_protocol = RTPROT_KERNEL;
	cfg.fc_type = type;
	cfg.fc_dst = dst >>> 0;
	cfg.fc_dst_len = dst_len;
	cfg.fc_priority = rt_priority;
	cfg.fc_prefsrc = ifa.ifa_local;
	cfg.fc_oif = ifa.ifa_dev.dev.ifindex;
	cfg.fc_nlflags = NLM_F_CREATE | NLM_F_APPEND;
	cfg.fc_table = tb_id;
	cfg.fc_scope = type !== RTN_LOCAL ? RT_SCOPE_LINK : RT_SCOPE_HOST;
	if (cmd === RTM_NEWROUTE) fib_table_insert(net, tb, cfg, null);
	else fib_table_delete(net, tb, cfg, null);
}

/** Local, broadcast and connected routes for a new address (or, its device having come up, for an old one). */
export function fib_add_ifaddr(ifa: in_ifaddr): void {
	const in_dev = ifa.ifa_dev;
	const dev = in_dev.dev;
	const mask = ifa.ifa_mask;
	const addr = ifa.ifa_local;
	const prefix = (ifa.ifa_address & mask) >>> 0;
	let prim: in_ifaddr | null = ifa;
	if ((ifa.ifa_flags & IFA_F_SECONDARY) !== 0) {
		prim = inet_ifa_byprefix(in_dev, prefix, mask);
		if (prim === null) return;
	}
	fib_magic(RTM_NEWROUTE, RTN_LOCAL, addr, 32, prim, 0);
	if ((dev.flags & IFF_UP) === 0) return;
	if (ifa.ifa_broadcast !== 0 && ifa.ifa_broadcast !== 0xffffffff) {
		fib_magic(RTM_NEWROUTE, RTN_BROADCAST, ifa.ifa_broadcast, 32, prim, 0);
	}
	if (
		!ipv4_is_zeronet(prefix) &&
		(ifa.ifa_flags & IFA_F_SECONDARY) === 0 &&
		(prefix !== addr || ifa.ifa_prefixlen < 32)
	) {
		if ((ifa.ifa_flags & IFA_F_NOPREFIXROUTE) === 0) {
			fib_magic(
				RTM_NEWROUTE,
				(dev.flags & IFF_LOOPBACK) !== 0 ? RTN_LOCAL : RTN_UNICAST,
				prefix,
				ifa.ifa_prefixlen,
				prim,
				ifa.ifa_rt_priority,
			);
		}
		// The prefix's last address is a broadcast, whatever the address says (RFC 1812 5.3.5.1), where there is room for one.
		if (ifa.ifa_prefixlen < 31) {
			fib_magic(RTM_NEWROUTE, RTN_BROADCAST, prefix | ~mask, 32, prim, 0);
		}
	}
}

/** The metric of an address's connected route changes. */
export function fib_modify_prefix_metric(ifa: in_ifaddr, new_metric: number): void {
	const dev = ifa.ifa_dev.dev;
	const prefix = (ifa.ifa_address & ifa.ifa_mask) >>> 0;
	if (
		(dev.flags & IFF_UP) === 0 ||
		(ifa.ifa_flags & (IFA_F_SECONDARY | IFA_F_NOPREFIXROUTE)) !== 0 ||
		ipv4_is_zeronet(prefix) ||
		(prefix === ifa.ifa_local && ifa.ifa_prefixlen === 32)
	)
		return;
	const type = (dev.flags & IFF_LOOPBACK) !== 0 ? RTN_LOCAL : RTN_UNICAST;
	fib_magic(RTM_NEWROUTE, type, prefix, ifa.ifa_prefixlen, ifa, new_metric);
	fib_magic(RTM_DELROUTE, type, prefix, ifa.ifa_prefixlen, ifa, ifa.ifa_rt_priority);
}

const LOCAL_OK = 1;
const BRD_OK = 2;
const BRD1_OK = 8;

/**
 * Takes the routes of an address that goes, except those that another address still needs. `iprim`: with a secondary address, the
 * primary one that goes with it (its routes name that one), or null.
 */
export function fib_del_ifaddr(ifa: in_ifaddr, iprim: in_ifaddr | null): void {
	const in_dev = ifa.ifa_dev;
	const dev = in_dev.dev;
	const net = dev.net;
	const mask = ifa.ifa_mask;
	const any = (ifa.ifa_address & mask) >>> 0;
	const brd = (ifa.ifa_address | ~mask) >>> 0;
	let subnet = false;
	let gone = true;
	let ok = 0;
	let prim: in_ifaddr = ifa;

	if ((ifa.ifa_flags & IFA_F_SECONDARY) !== 0) {
		const p = inet_ifa_byprefix(in_dev, any, mask);
		if (p === null) {
			// Being deleted together with its primary address: that one's local address is in the routes.
			if (iprim === null || !(iprim.ifa_mask === mask && inet_ifa_match(any, iprim))) return;
			prim = iprim;
		} else prim = p;
	} else if (!ipv4_is_zeronet(any) && (any !== ifa.ifa_local || ifa.ifa_prefixlen < 32)) {
		if ((ifa.ifa_flags & IFA_F_NOPREFIXROUTE) === 0) {
			fib_magic(
				RTM_DELROUTE,
				(dev.flags & IFF_LOOPBACK) !== 0 ? RTN_LOCAL : RTN_UNICAST,
				any,
				ifa.ifa_prefixlen,
				prim,
				ifa.ifa_rt_priority,
			);
		}
		subnet = true;
	}

	// What do the addresses that stay still need?
	for (let ifa1 = in_dev.ifa_list; ifa1 !== null; ifa1 = ifa1.ifa_next) {
		if (ifa1 === ifa) {
			// A promotion: the address stays, its routes are rebuilt.
			gone = false;
			continue;
		}
		if (iprim !== null && ifa1 === iprim) continue;
		if (
			(ifa1.ifa_flags & IFA_F_SECONDARY) !== 0 &&
			iprim !== null &&
			ifa1.ifa_mask === iprim.ifa_mask &&
			inet_ifa_match(ifa1.ifa_address, iprim)
		) {
			continue;
		}
		if (ifa.ifa_local === ifa1.ifa_local) ok |= LOCAL_OK;
		if (ifa.ifa_broadcast === ifa1.ifa_broadcast) ok |= BRD_OK;
		if (brd === ifa1.ifa_broadcast) ok |= BRD1_OK;
		const any1 = (ifa1.ifa_address & ifa1.ifa_mask) >>> 0;
		if (!ipv4_is_zeronet(any1) && ifa1.ifa_prefixlen < 31) {
			const brd1 = (any1 | ~ifa1.ifa_mask) >>> 0;
			if (ifa.ifa_broadcast === brd1) ok |= BRD_OK;
			if (brd === brd1) ok |= BRD1_OK;
		}
	}
	if (subnet && ifa.ifa_prefixlen < 31 && (ok & BRD1_OK) === 0)
		fib_magic(RTM_DELROUTE, RTN_BROADCAST, brd, 32, prim, 0);
	if ((ok & BRD_OK) === 0 && ifa.ifa_broadcast !== 0 && ifa.ifa_broadcast !== 0xffffffff) {
		fib_magic(RTM_DELROUTE, RTN_BROADCAST, ifa.ifa_broadcast, 32, prim, 0);
	}
	if ((ok & LOCAL_OK) === 0) {
		fib_magic(RTM_DELROUTE, RTN_LOCAL, ifa.ifa_local, 32, prim, 0);
		// Is it ours by another way (another device's address)? If not, routes that prefer it as source go.
		if (gone && inet_addr_type(net, ifa.ifa_local) !== RTN_LOCAL) {
			if (fib_sync_down_addr(dev, ifa.ifa_local) > 0) fib_flush(net);
		}
	}
}

// ---- events ----------------------------------------------------------------------------------------------------------------------

function fib_disable_ip(dev: net_device, event: number, force: boolean): void {
	if (fib_sync_down_dev(dev, event, force) > 0) fib_flush(dev.net);
	else rt_cache_flush(dev.net);
	arp_ifdown(dev);
}

function fib_inetaddr_event(net: net, event: number, ifa: in_ifaddr): void {
	const dev = ifa.ifa_dev.dev;
	if (event === NETDEV_UP) {
		fib_add_ifaddr(ifa);
		fib_sync_up(dev, RTNH_F_DEAD);
		rt_cache_flush(net);
	} else if (event === NETDEV_DOWN) {
		fib_del_ifaddr(ifa, null);
		// The last address gone: IPv4 is off on the device.
		if (ifa.ifa_dev.ifa_list === null) fib_disable_ip(dev, event, true);
		else rt_cache_flush(net);
	}
}

function fib_netdev_event(_machine: Machine, event: number, dev: net_device, info: netdev_notifier_info): number {
	const net = dev.net;
	if (event === NETDEV_UNREGISTER) {
		fib_disable_ip(dev, event, true);
		rt_flush_dev(dev);
		return 0;
	}
	const in_dev = dev.ip_ptr;
	if (in_dev === null) return 0;
	switch (event) {
		case NETDEV_UP:
			for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) fib_add_ifaddr(ifa);
			fib_sync_up(dev, RTNH_F_DEAD);
			rt_cache_flush(net);
			break;
		case NETDEV_DOWN:
			fib_disable_ip(dev, event, false);
			break;
		case NETDEV_CHANGE:
			if ((dev_get_flags(dev) & (IFF_RUNNING | IFF_LOWER_UP)) !== 0) fib_sync_up(dev, RTNH_F_LINKDOWN);
			else fib_sync_down_dev(dev, event, false);
			rt_cache_flush(net);
			break;
		case NETDEV_CHANGEMTU:
			fib_sync_mtu(dev, info.mtu);
			rt_cache_flush(net);
			break;
		default:
	}
	return 0;
}

// ---- namespaces ------------------------------------------------------------------------------------------------------------------

function fib_net_init(net: net): number {
	net.ipv4.fib_table_hash = [];
	for (let i = 0; i < FIB_TABLE_HASHSZ; i++) net.ipv4.fib_table_hash.push([]);
	fib4_rules_init_net(net);
	fib_proc_init(net);
	return 0;
}

function fib_net_exit(net: net): void {
	for (const list of net.ipv4.fib_table_hash) {
		for (const tb of list) fib_table_flush(net, tb, true);
		list.length = 0;
	}
	net.ipv4.fib_main = null;
	net.ipv4.fib_default = null;
}

/** Needs ip_rt_init and devinet's notifier registered (devinet_init) before, so that a new device has its in_device first. */
export function ip_fib_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'fib', init: fib_net_init, exit: fib_net_exit });
	fib_rules_init(machine);
	register_netdevice_notifier(machine, { notifier_call: fib_netdev_event, priority: 0 });
	register_inetaddr_notifier(machine, fib_inetaddr_event);
	fib_netlink_init(machine);
}
