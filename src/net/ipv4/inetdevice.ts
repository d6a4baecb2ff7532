/*
 * net/ipv4/inetdevice.ts: IPv4's part of a device: in_device, in_ifaddr, and the settings of net.ipv4.conf.   Linux: linux/inetdevice.h
 * A setting counts as its accessor IN_DEV_* says: some only for the device, some when `all` or the device has it, some when both, some
 * the larger of both.                                              Linux: Documentation/networking/ip-sysctl.rst
 */
import type { timer_list } from '../../kernel/time.ts';
import {
	IPV4_DEVCONF_ACCEPT_LOCAL,
	IPV4_DEVCONF_ACCEPT_REDIRECTS,
	IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE,
	IPV4_DEVCONF_ARP_ACCEPT,
	IPV4_DEVCONF_ARP_ANNOUNCE,
	IPV4_DEVCONF_ARP_EVICT_NOCARRIER,
	IPV4_DEVCONF_ARP_IGNORE,
	IPV4_DEVCONF_ARP_NOTIFY,
	IPV4_DEVCONF_ARPFILTER,
	IPV4_DEVCONF_BC_FORWARDING,
	IPV4_DEVCONF_BOOTP_RELAY,
	IPV4_DEVCONF_DROP_GRATUITOUS_ARP,
	IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST,
	IPV4_DEVCONF_FORWARDING,
	IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN,
	IPV4_DEVCONF_LOG_MARTIANS,
	IPV4_DEVCONF_MAX,
	IPV4_DEVCONF_MC_FORWARDING,
	IPV4_DEVCONF_MEDIUM_ID,
	IPV4_DEVCONF_NOPOLICY,
	IPV4_DEVCONF_NOXFRM,
	IPV4_DEVCONF_PROMOTE_SECONDARIES,
	IPV4_DEVCONF_PROXY_ARP,
	IPV4_DEVCONF_PROXY_ARP_PVLAN,
	IPV4_DEVCONF_ROUTE_LOCALNET,
	IPV4_DEVCONF_RP_FILTER,
	IPV4_DEVCONF_SECURE_REDIRECTS,
	IPV4_DEVCONF_SEND_REDIRECTS,
	IPV4_DEVCONF_SHARED_MEDIA,
	IPV4_DEVCONF_SRC_VMARK,
	IPV4_DEVCONF_TAG,
} from '../../uapi/linux/ip.ts';
import type { neigh_parms } from '../core/neighbour.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import type { group_record, ip_mc_list } from './igmp.ts';

export class ipv4_devconf {
	/** By IPV4_DEVCONF_*. */
	data: Int32Array = new Int32Array(IPV4_DEVCONF_MAX + 1);
	/** 1 where the value was set for this device: writing `default` leaves it alone. */
	state: Uint8Array = new Uint8Array(IPV4_DEVCONF_MAX + 1);
}

/** One address of a device. Addresses are host order. */
export class in_ifaddr {
	/** Chain of net.ipv4.inet_addr_lst. */
	addr_lst: in_ifaddr | null = null;
	ifa_next: in_ifaddr | null = null;
	ifa_dev: in_device;
	/** Our address. */
	ifa_local = 0;
	/** The prefix's address: our own, or the peer's. */
	ifa_address = 0;
	ifa_mask = 0;
	ifa_rt_priority = 0;
	/** 0 for none. */
	ifa_broadcast = 0;
	ifa_scope = 0;
	ifa_prefixlen = 0;
	ifa_flags = 0;
	ifa_proto = 0;
	ifa_label = '';
	/** In seconds; INFINITY_LIFE_TIME for ever. */
	ifa_valid_lft = 0xffffffff;
	ifa_preferred_lft = 0xffffffff;
	/** jiffies */
	ifa_cstamp = 0;
	ifa_tstamp = 0;

	constructor(in_dev: in_device) {
		this.ifa_dev = in_dev;
	}
}

export class in_device {
	dev: net_device;
	dead = false;
	/** Primary addresses first, widest scope first, then secondary ones. */
	ifa_list: in_ifaddr | null = null;
	cnf: ipv4_devconf;
	arp_parms!: neigh_parms;
	/** Under which name net.ipv4.conf has it; '' for none. */
	sysctl_name = '';

	// Multicast: net/ipv4/igmp.
	mc_list: ip_mc_list | null = null;
	mc_tomb: ip_mc_list | null = null;
	mc_count = 0;
	/** jiffies */
	mr_v1_seen = 0;
	mr_v2_seen = 0;
	mr_maxdelay = 0;
	mr_qi = 0;
	mr_qri = 0;
	mr_qrv = 0;
	mr_gq_running = 0;
	mr_ifc_count = 0;
	mr_gq_timer: timer_list | null = null;
	mr_ifc_timer: timer_list | null = null;
	/** Changes of membership still to be told. */
	mr_pending: group_record[] = [];

	constructor(dev: net_device, cnf: ipv4_devconf) {
		this.dev = dev;
		this.cnf = cnf;
	}
}

/** The device's IPv4 part, or null. Both names are as in Linux, where they differ in locking. */
export function __in_dev_get_rcu(dev: net_device): in_device | null {
	return dev.ip_ptr;
}

export function __in_dev_get_rtnl(dev: net_device): in_device | null {
	return dev.ip_ptr;
}

export function in_dev_get(dev: net_device): in_device | null {
	return dev.ip_ptr;
}

/** Whether two addresses lie in the prefix of `ifa`. */
export function inet_ifa_match(addr: number, ifa: in_ifaddr): boolean {
	return ((addr ^ ifa.ifa_address) & ifa.ifa_mask) === 0;
}

/** Netmask with `logmask` ones. */
export function inet_make_mask(logmask: number): number {
	return logmask === 0 ? 0 : (-1 << (32 - logmask)) >>> 0;
}

export function inet_mask_len(mask: number): number {
	return mask === 0 ? 0 : 32 - (31 - Math.clz32(mask & -mask));
}

/** Whether `mask` has a hole, or `addr` has bits outside it. */
export function bad_mask(mask: number, addr: number): boolean {
	if ((addr & ~mask) !== 0) return true;
	const host = ~mask >>> 0;
	return (host & (host + 1)) >>> 0 !== 0;
}

export function IPV4_DEVCONF(cnf: ipv4_devconf, attr: number): number {
	return cnf.data[attr];
}

export function IPV4_DEVCONF_ALL(net: net, attr: number): number {
	return net.ipv4.devconf_all.data[attr];
}

export function IPV4_DEVCONF_DFLT(net: net, attr: number): number {
	return net.ipv4.devconf_dflt.data[attr];
}

export function IN_DEV_CONF_GET(in_dev: in_device, attr: number): number {
	return in_dev.cnf.data[attr];
}

export function IN_DEV_CONF_SET(in_dev: in_device, attr: number, val: number): void {
	in_dev.cnf.state[attr] = 1;
	in_dev.cnf.data[attr] = val;
}

function all(in_dev: in_device, attr: number): number {
	return in_dev.dev.net.ipv4.devconf_all.data[attr];
}

/** Set for `all` and for the device. */
export function IN_DEV_ANDCONF(in_dev: in_device, attr: number): boolean {
	return in_dev.cnf.data[attr] !== 0 && all(in_dev, attr) !== 0;
}

/** Set for `all` or for the device. */
export function IN_DEV_ORCONF(in_dev: in_device, attr: number): boolean {
	return in_dev.cnf.data[attr] !== 0 || all(in_dev, attr) !== 0;
}

export function IN_DEV_NET_ORCONF(in_dev: in_device, net: net, attr: number): boolean {
	return in_dev.cnf.data[attr] !== 0 || net.ipv4.devconf_all.data[attr] !== 0;
}

/** The larger of `all`'s and the device's value. */
export function IN_DEV_MAXCONF(in_dev: in_device, attr: number): number {
	const a = all(in_dev, attr);
	const d = in_dev.cnf.data[attr];
	return Math.max(a, d);
}

export function IN_DEV_FORWARD(in_dev: in_device): boolean {
	return in_dev.cnf.data[IPV4_DEVCONF_FORWARDING] !== 0;
}

export function IN_DEV_MFORWARD(in_dev: in_device): boolean {
	return IN_DEV_ANDCONF(in_dev, IPV4_DEVCONF_MC_FORWARDING);
}

export function IN_DEV_BFORWARD(in_dev: in_device): boolean {
	return IN_DEV_ANDCONF(in_dev, IPV4_DEVCONF_BC_FORWARDING);
}

/** 0 off, 1 strict, 2 loose (RFC 3704). */
export function IN_DEV_RPFILTER(in_dev: in_device): number {
	return IN_DEV_MAXCONF(in_dev, IPV4_DEVCONF_RP_FILTER);
}

export function IN_DEV_SRC_VMARK(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_SRC_VMARK);
}

export function IN_DEV_SOURCE_ROUTE(in_dev: in_device): boolean {
	return IN_DEV_ANDCONF(in_dev, IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE);
}

export function IN_DEV_ACCEPT_LOCAL(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_ACCEPT_LOCAL);
}

export function IN_DEV_BOOTP_RELAY(in_dev: in_device): boolean {
	return IN_DEV_ANDCONF(in_dev, IPV4_DEVCONF_BOOTP_RELAY);
}

export function IN_DEV_LOG_MARTIANS(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_LOG_MARTIANS);
}

export function IN_DEV_PROXY_ARP(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_PROXY_ARP);
}

export function IN_DEV_PROXY_ARP_PVLAN(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_PROXY_ARP_PVLAN);
}

export function IN_DEV_SHARED_MEDIA(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_SHARED_MEDIA);
}

export function IN_DEV_TX_REDIRECTS(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_SEND_REDIRECTS);
}

export function IN_DEV_SEC_REDIRECTS(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_SECURE_REDIRECTS);
}

/** A host takes redirects when `all` or the device says so, a router only when both do. */
export function IN_DEV_RX_REDIRECTS(in_dev: in_device): boolean {
	return IN_DEV_FORWARD(in_dev)
		? IN_DEV_ANDCONF(in_dev, IPV4_DEVCONF_ACCEPT_REDIRECTS)
		: IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_ACCEPT_REDIRECTS);
}

export function IN_DEV_IDTAG(in_dev: in_device): number {
	return in_dev.cnf.data[IPV4_DEVCONF_TAG];
}

export function IN_DEV_MEDIUM_ID(in_dev: in_device): number {
	return in_dev.cnf.data[IPV4_DEVCONF_MEDIUM_ID];
}

export function IN_DEV_PROMOTE_SECONDARIES(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_PROMOTE_SECONDARIES);
}

export function IN_DEV_ROUTE_LOCALNET(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_ROUTE_LOCALNET);
}

export function IN_DEV_NET_ROUTE_LOCALNET(in_dev: in_device, net: net): boolean {
	return IN_DEV_NET_ORCONF(in_dev, net, IPV4_DEVCONF_ROUTE_LOCALNET);
}

export function IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN);
}

export function IN_DEV_ARPFILTER(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_ARPFILTER);
}

export function IN_DEV_ARP_ACCEPT(in_dev: in_device): number {
	return IN_DEV_MAXCONF(in_dev, IPV4_DEVCONF_ARP_ACCEPT);
}

export function IN_DEV_ARP_ANNOUNCE(in_dev: in_device): number {
	return IN_DEV_MAXCONF(in_dev, IPV4_DEVCONF_ARP_ANNOUNCE);
}

export function IN_DEV_ARP_IGNORE(in_dev: in_device): number {
	return IN_DEV_MAXCONF(in_dev, IPV4_DEVCONF_ARP_IGNORE);
}

export function IN_DEV_ARP_NOTIFY(in_dev: in_device): number {
	return IN_DEV_MAXCONF(in_dev, IPV4_DEVCONF_ARP_NOTIFY);
}

export function IN_DEV_ARP_EVICT_NOCARRIER(in_dev: in_device): boolean {
	return IN_DEV_ANDCONF(in_dev, IPV4_DEVCONF_ARP_EVICT_NOCARRIER);
}

export function IN_DEV_DROP_GRATUITOUS_ARP(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_DROP_GRATUITOUS_ARP);
}

export function IN_DEV_DROP_UNICAST_IN_L2_MULTICAST(in_dev: in_device): boolean {
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST);
}

export function IN_DEV_NOPOLICY(in_dev: in_device): boolean {
	return in_dev.cnf.data[IPV4_DEVCONF_NOPOLICY] !== 0;
}

export function IN_DEV_NOXFRM(in_dev: in_device): boolean {
	return in_dev.cnf.data[IPV4_DEVCONF_NOXFRM] !== 0;
}

/** An address came: from now on the device keeps the settings that it has, whatever becomes of `default`. */
export function ipv4_devconf_setall(in_dev: in_device): void {
	in_dev.cnf.state.fill(1);
	in_dev.arp_parms.data_state.fill(1);
}
