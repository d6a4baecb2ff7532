/*
 * net/ipv4/devinet.ts: the addresses of devices.                   Linux: net/ipv4/devinet.c
 * Walk: inetdev_event (a device comes, goes, changes) -> inetdev_init; inet_insert_ifa and inet_del_ifa change addresses and tell the
 * inetaddr chain, by which fib_frontend adds and takes routes; inet_select_addr and inet_confirm_addr choose among them.
 * Requests come by rtnetlink (devinet_netlink.ts) and ioctl (devinet_ioctl.ts); net.ipv4.conf is in devinet_sysctl.ts.
 * Not here yet: MCAUTOJOIN groups, netconf messages.
 */
import type { Machine } from '../../kernel/machine.ts';
import { HZ, mod_timer, timer_delete, timer_list } from '../../kernel/time.ts';
import { NL_SET_ERR_MSG, type netlink_ext_ack, type nlmsghdr } from '../../lib/nlattr.ts';
import { EEXIST, EINVAL } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOOPBACK, IFF_UP } from '../../uapi/linux/if.ts';
import {
	IFA_F_DADFAILED,
	IFA_F_DEPRECATED,
	IFA_F_HOMEADDRESS,
	IFA_F_MANAGETEMPADDR,
	IFA_F_NODAD,
	IFA_F_OPTIMISTIC,
	IFA_F_PERMANENT,
	IFA_F_SECONDARY,
	IFA_F_STABLE_PRIVACY,
	IFA_F_TENTATIVE,
	IFAPROT_KERNEL_LO,
} from '../../uapi/linux/if_addr.ts';
import {
	IPV4_DEVCONF_ACCEPT_REDIRECTS,
	IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE,
	IPV4_DEVCONF_ARP_EVICT_NOCARRIER,
	IPV4_DEVCONF_FORWARDING,
	IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL,
	IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL,
	IPV4_DEVCONF_NOPOLICY,
	IPV4_DEVCONF_NOXFRM,
	IPV4_DEVCONF_RP_FILTER,
	IPV4_DEVCONF_SECURE_REDIRECTS,
	IPV4_DEVCONF_SEND_REDIRECTS,
	IPV4_DEVCONF_SHARED_MEDIA,
} from '../../uapi/linux/ip.ts';
import { RT_SCOPE_HOST, RT_SCOPE_LINK, RTM_DELADDR, RTM_NEWADDR } from '../../uapi/linux/rtnetlink.ts';
import {
	dev_disable_lro,
	NETDEV_CHANGEADDR,
	NETDEV_CHANGEMTU,
	NETDEV_CHANGENAME,
	NETDEV_DOWN,
	NETDEV_NOTIFY_PEERS,
	NETDEV_REGISTER,
	NETDEV_UNREGISTER,
	NETDEV_UP,
	register_netdevice_notifier,
} from '../core/dev.ts';
import { neigh_parms_alloc, neigh_parms_release } from '../core/neighbour.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import { arp_ifdown, arp_send, arp_tbl } from './arp.ts';
import { devinet_netlink_init, rtmsg_ifa } from './devinet_netlink.ts';
import { devinet_sysctl_init_net, devinet_sysctl_register, devinet_sysctl_unregister } from './devinet_sysctl.ts';
import { fib_add_ifaddr, fib_del_ifaddr } from './fib_frontend.ts';
import { ip_mc_destroy_dev, ip_mc_down, ip_mc_init_dev, ip_mc_up } from './igmp.ts';
import {
	IN_DEV_ARP_NOTIFY,
	IN_DEV_CONF_SET,
	IN_DEV_PROMOTE_SECONDARIES,
	IN_DEV_ROUTE_LOCALNET,
	in_device,
	in_ifaddr,
	inet_ifa_match,
	inet_make_mask,
	ipv4_devconf,
} from './inetdevice.ts';

export * from './devinet_ioctl.ts';
export { __ip_dev_find, ip_dev_find } from './fib_frontend.ts';
export * from './inetdevice.ts';

export const INFINITY_LIFE_TIME = 0xffffffff;
const IN4_ADDR_HSIZE = 256;

/** Flags that only IPv6 has. */
const IPV6ONLY_FLAGS =
	IFA_F_NODAD |
	IFA_F_OPTIMISTIC |
	IFA_F_DADFAILED |
	IFA_F_HOMEADDRESS |
	IFA_F_TENTATIVE |
	IFA_F_MANAGETEMPADDR |
	IFA_F_STABLE_PRIVACY;

/** Told of addresses that come (NETDEV_UP) and go (NETDEV_DOWN). */
export type inetaddr_notifier = (net: net, event: number, ifa: in_ifaddr) => void;

export function register_inetaddr_notifier(machine: Machine, nb: inetaddr_notifier): number {
	machine.init_net.ipv4.rt_global.inetaddr_chain.push(nb);
	return 0;
}

export function unregister_inetaddr_notifier(machine: Machine, nb: inetaddr_notifier): number {
	const chain = machine.init_net.ipv4.rt_global.inetaddr_chain;
	const at = chain.indexOf(nb);
	if (at >= 0) chain.splice(at, 1);
	return 0;
}

function call_inetaddr_chain(net: net, event: number, ifa: in_ifaddr): void {
	const chain = net.ipv4.rt_global.inetaddr_chain;
	for (let i = 0; i < chain.length; i++) chain[i](net, event, ifa);
}

// ---- the hash of local addresses -------------------------------------------------------------------------------------------------

function inet_addr_hash(addr: number): number {
	return (Math.imul(addr, 0x61c88647) >>> 24) & (IN4_ADDR_HSIZE - 1);
}

function inet_hash_insert(net: net, ifa: in_ifaddr): void {
	const h = inet_addr_hash(ifa.ifa_local);
	ifa.addr_lst = net.ipv4.inet_addr_lst[h];
	net.ipv4.inet_addr_lst[h] = ifa;
	net.ipv4.dev_addr_genid++;
}

function inet_hash_remove(net: net, ifa: in_ifaddr): void {
	const h = inet_addr_hash(ifa.ifa_local);
	const lst = net.ipv4.inet_addr_lst;
	if (lst[h] === ifa) lst[h] = ifa.addr_lst;
	else {
		for (let p = lst[h]; p !== null; p = p.addr_lst) {
			if (p.addr_lst === ifa) {
				p.addr_lst = ifa.addr_lst;
				break;
			}
		}
	}
	ifa.addr_lst = null;
	net.ipv4.dev_addr_genid++;
}

/** Our own address `addr`, on whatever device, or null. */
export function inet_lookup_ifaddr_rcu(net: net, addr: number): in_ifaddr | null {
	let ifa = net.ipv4.inet_addr_lst[inet_addr_hash(addr)];
	while (ifa !== null && ifa.ifa_local !== addr) ifa = ifa.addr_lst;
	return ifa;
}

export function inetdev_by_index(net: net, ifindex: number): in_device | null {
	const dev = net.dev_index_head.get(ifindex);
	return dev === undefined ? null : dev.ip_ptr;
}

/** The first address of the device with exactly this prefix. */
export function inet_ifa_byprefix(in_dev: in_device, prefix: number, mask: number): in_ifaddr | null {
	for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) {
		if (ifa.ifa_mask === mask && inet_ifa_match(prefix, ifa)) return ifa;
	}
	return null;
}

// ---- choosing addresses ----------------------------------------------------------------------------------------------------------

/** Whether `a` (and `b`, unless 0) lie in one prefix of the device. */
export function inet_addr_onlink(in_dev: in_device, a: number, b: number): boolean {
	for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) {
		if (inet_ifa_match(a, ifa) && (b === 0 || inet_ifa_match(b, ifa))) return true;
	}
	return false;
}

/** The device's first primary address of scope at most `scope`, in the same prefix as `dst` if there is one. */
function in_dev_select_addr(in_dev: in_device, scope: number): number {
	for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) {
		if ((ifa.ifa_flags & IFA_F_SECONDARY) !== 0) continue;
		if (ifa.ifa_scope !== RT_SCOPE_LINK && ifa.ifa_scope <= scope) return ifa.ifa_local;
	}
	return 0;
}

/**
 * The source address for `dst` over `dev`: a primary one of the device, best in dst's prefix; else one of any other device.
 * Return: 0 when there is none.
 */
export function inet_select_addr(dev: net_device, dst: number, scope: number): number {
	const in_dev = dev.ip_ptr;
	let addr = 0;
	if (in_dev !== null) {
		const localnet_scope = IN_DEV_ROUTE_LOCALNET(in_dev) ? RT_SCOPE_LINK : RT_SCOPE_HOST;
		for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) {
			if ((ifa.ifa_flags & IFA_F_SECONDARY) !== 0) continue;
			if (Math.min(ifa.ifa_scope, localnet_scope) > scope) continue;
			if (dst === 0 || inet_ifa_match(dst, ifa)) return ifa.ifa_local;
			if (addr === 0) addr = ifa.ifa_local;
		}
		if (addr !== 0) return addr;
	}
	// A VRF's own address would come first here; then whatever device has one wide enough.
	for (const other of dev.net.dev_base_head) {
		const od = other.ip_ptr;
		if (od === null || other === dev) continue;
		addr = in_dev_select_addr(od, scope);
		if (addr !== 0) return addr;
	}
	return 0;
}

function confirm_addr_indev(in_dev: in_device, dst: number, local: number, scope: number): number {
	let same = false;
	let addr = 0;
	const localnet_scope = IN_DEV_ROUTE_LOCALNET(in_dev) ? RT_SCOPE_LINK : RT_SCOPE_HOST;
	for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) {
		const min_scope = Math.min(ifa.ifa_scope, localnet_scope);
		if (addr === 0 && (local === ifa.ifa_local || local === 0) && min_scope <= scope) {
			addr = ifa.ifa_local;
			if (same) break;
		}
		if (!same) {
			same = (local === 0 || inet_ifa_match(local, ifa)) && (dst === 0 || inet_ifa_match(dst, ifa));
			if (same && addr !== 0) {
				if (local !== 0 || dst === 0) break;
				// The address must be in the prefix of the destination.
				if (inet_ifa_match(addr, ifa)) break;
				if (min_scope <= scope) {
					addr = ifa.ifa_local;
					break;
				}
				same = false;
			}
		}
	}
	return same ? addr : 0;
}

/**
 * Confirms that `local` is ours (or finds one when 0) and shares a prefix with `dst` (unless 0), on `in_dev` or, when null, anywhere.
 * Return: the address, or 0.
 */
export function inet_confirm_addr(
	net: net,
	in_dev: in_device | null,
	dst: number,
	local: number,
	scope: number,
): number {
	if (in_dev !== null) return confirm_addr_indev(in_dev, dst, local, scope);
	for (const dev of net.dev_base_head) {
		if (dev.ip_ptr === null) continue;
		const addr = confirm_addr_indev(dev.ip_ptr, dst, local, scope);
		if (addr !== 0) return addr;
	}
	return 0;
}

/** The smallest MTU that IPv4 works with (RFC 791 3.2). */
export function inetdev_valid_mtu(mtu: number): boolean {
	return mtu >= 68;
}

// ---- a device's IPv4 part --------------------------------------------------------------------------------------------------------

/** Gives the device its IPv4 part, with the settings of `default`. */
export function inetdev_init(dev: net_device): in_device {
	const net = dev.net;
	const cnf = new ipv4_devconf();
	cnf.data.set(net.ipv4.devconf_dflt.data);
	// As Linux 6.18 was seen to do: rp_filter alone never follows a later change of `default`.
	cnf.state[IPV4_DEVCONF_RP_FILTER] = 1;
	const in_dev = new in_device(dev, cnf);
	in_dev.arp_parms = neigh_parms_alloc(dev, arp_tbl(net.machine));
	if (cnf.data[IPV4_DEVCONF_FORWARDING] !== 0) dev_disable_lro(dev);
	devinet_sysctl_register(in_dev);
	ip_mc_init_dev(in_dev);
	dev.ip_ptr = in_dev;
	if ((dev.flags & IFF_UP) !== 0) ip_mc_up(in_dev);
	return in_dev;
}

export function inetdev_destroy(in_dev: in_device): void {
	const dev = in_dev.dev;
	in_dev.dead = true;
	ip_mc_destroy_dev(in_dev);
	while (in_dev.ifa_list !== null) inet_del_ifa(in_dev, in_dev.ifa_list, false, null, 0);
	dev.ip_ptr = null;
	devinet_sysctl_unregister(in_dev);
	neigh_parms_release(arp_tbl(dev.net.machine), in_dev.arp_parms);
	arp_ifdown(dev);
}

// ---- adding and taking addresses -------------------------------------------------------------------------------------------------

/** Takes `ifa` out of its device's list. */
function inet_unlink_ifa(in_dev: in_device, ifa: in_ifaddr): void {
	if (in_dev.ifa_list === ifa) in_dev.ifa_list = ifa.ifa_next;
	else {
		for (let p = in_dev.ifa_list; p !== null; p = p.ifa_next) {
			if (p.ifa_next === ifa) {
				p.ifa_next = ifa.ifa_next;
				break;
			}
		}
	}
}

function inet_link_ifa(in_dev: in_device, after: in_ifaddr | null, ifa: in_ifaddr): void {
	if (after === null) {
		ifa.ifa_next = in_dev.ifa_list;
		in_dev.ifa_list = ifa;
	} else {
		ifa.ifa_next = after.ifa_next;
		after.ifa_next = ifa;
	}
}

/**
 * Takes `ifa1` off the device. With a primary address go the secondary ones of its prefix, unless promote_secondaries makes the
 * first of them primary. `nlh`, `portid`: the request, for the notifications.
 */
export function inet_del_ifa(
	in_dev: in_device,
	ifa1: in_ifaddr,
	_destroy: boolean,
	nlh: nlmsghdr | null,
	portid: number,
): void {
	const net = in_dev.dev.net;
	const do_promote = IN_DEV_PROMOTE_SECONDARIES(in_dev);
	let promote: in_ifaddr | null = null;
	let last_prim: in_ifaddr | null = null;
	for (let p = in_dev.ifa_list; p !== null && p !== ifa1; p = p.ifa_next) {
		if ((p.ifa_flags & IFA_F_SECONDARY) === 0) last_prim = p;
	}
	const same_prefix = (ifa: in_ifaddr): boolean =>
		ifa.ifa_mask === ifa1.ifa_mask && inet_ifa_match(ifa1.ifa_address, ifa);

	if ((ifa1.ifa_flags & IFA_F_SECONDARY) === 0 && !in_dev.dead) {
		for (let ifa = ifa1.ifa_next; ifa !== null; ) {
			const next: in_ifaddr | null = ifa.ifa_next;
			if ((ifa.ifa_flags & IFA_F_SECONDARY) === 0) {
				if (ifa1.ifa_scope <= ifa.ifa_scope) last_prim = ifa;
			} else if (same_prefix(ifa)) {
				if (do_promote) {
					promote = ifa;
					break;
				}
				inet_hash_remove(net, ifa);
				inet_unlink_ifa(in_dev, ifa);
				rtmsg_ifa(RTM_DELADDR, ifa, nlh, portid);
				call_inetaddr_chain(net, NETDEV_DOWN, ifa);
			}
			ifa = next;
		}
	}

	// The secondary addresses' routes name the address that goes as their source: they are added anew below.
	for (let ifa = promote; ifa !== null; ifa = ifa.ifa_next) {
		if (same_prefix(ifa)) fib_del_ifaddr(ifa, ifa1);
	}
	inet_unlink_ifa(in_dev, ifa1);
	inet_hash_remove(net, ifa1);
	rtmsg_ifa(RTM_DELADDR, ifa1, nlh, portid);
	call_inetaddr_chain(net, NETDEV_DOWN, ifa1);

	if (promote !== null) {
		const next_sec = promote.ifa_next;
		const before = ((): in_ifaddr | null => {
			for (let p = in_dev.ifa_list; p !== null; p = p.ifa_next) if (p.ifa_next === promote) return p;
			return null;
		})();
		if (before !== null && before !== last_prim) {
			inet_unlink_ifa(in_dev, promote);
			inet_link_ifa(in_dev, last_prim, promote);
		}
		promote.ifa_flags &= ~IFA_F_SECONDARY;
		rtmsg_ifa(RTM_NEWADDR, promote, nlh, portid);
		call_inetaddr_chain(net, NETDEV_UP, promote);
		for (let ifa = next_sec; ifa !== null; ifa = ifa.ifa_next) {
			if (same_prefix(ifa)) fib_add_ifaddr(ifa);
		}
	}
}

/** Puts a new address in its place, makes it secondary when its prefix is there already, and tells. Return: 0 or -errno. */
export function inet_insert_ifa(
	ifa: in_ifaddr,
	nlh: nlmsghdr | null,
	portid: number,
	extack: netlink_ext_ack | null,
): number {
	const in_dev = ifa.ifa_dev;
	const net = in_dev.dev.net;
	if (ifa.ifa_local === 0) return 0;
	ifa.ifa_flags &= ~(IFA_F_SECONDARY | IPV6ONLY_FLAGS);
	let last_primary: in_ifaddr | null = null;
	let last: in_ifaddr | null = null;
	for (let ifa1 = in_dev.ifa_list; ifa1 !== null; ifa1 = ifa1.ifa_next) {
		if ((ifa1.ifa_flags & IFA_F_SECONDARY) === 0 && ifa.ifa_scope <= ifa1.ifa_scope) last_primary = ifa1;
		if (ifa1.ifa_mask === ifa.ifa_mask && inet_ifa_match(ifa1.ifa_address, ifa)) {
			if (ifa1.ifa_local === ifa.ifa_local) {
				NL_SET_ERR_MSG(extack, 'ipv4: Address already assigned');
				return -EEXIST;
			}
			if (ifa1.ifa_scope !== ifa.ifa_scope) {
				NL_SET_ERR_MSG(extack, 'ipv4: Invalid scope value');
				return -EINVAL;
			}
			ifa.ifa_flags |= IFA_F_SECONDARY;
		}
		last = ifa1;
	}
	inet_link_ifa(in_dev, (ifa.ifa_flags & IFA_F_SECONDARY) !== 0 ? last : last_primary, ifa);
	inet_hash_insert(net, ifa);
	schedule_check_lifetime(net, 0);
	rtmsg_ifa(RTM_NEWADDR, ifa, nlh, portid);
	call_inetaddr_chain(net, NETDEV_UP, ifa);
	return 0;
}

/** Sets both lifetimes (seconds) and the flags that follow from them. */
export function set_ifa_lifetime(ifa: in_ifaddr, valid_lft: number, prefered_lft: number): void {
	ifa.ifa_flags &= ~(IFA_F_PERMANENT | IFA_F_DEPRECATED);
	if (valid_lft !== INFINITY_LIFE_TIME) ifa.ifa_valid_lft = valid_lft;
	else ifa.ifa_flags |= IFA_F_PERMANENT;
	if (prefered_lft !== INFINITY_LIFE_TIME) {
		if (prefered_lft === 0) ifa.ifa_flags |= IFA_F_DEPRECATED;
		ifa.ifa_preferred_lft = prefered_lft;
	}
	const now = ifa.ifa_dev.dev.net.machine.jiffies;
	ifa.ifa_tstamp = now;
	if (ifa.ifa_cstamp === 0) ifa.ifa_cstamp = now;
}

/** Sets when the namespace's address lifetimes are looked at next, in jiffies from now. */
export function schedule_check_lifetime(net: net, delay: number): void {
	const timer = net.ipv4.addr_chk_work;
	if (timer !== null) mod_timer(timer, net.machine.jiffies + delay);
}

/** Removes addresses whose time is over, marks deprecated ones, and sleeps until the next is due. */
function check_lifetime(timer: timer_list): void {
	const net = timer.owner as net;
	const now = net.machine.jiffies;
	let next = Infinity;
	for (const dev of net.dev_base_head) {
		const in_dev = dev.ip_ptr;
		if (in_dev === null) continue;
		for (let ifa = in_dev.ifa_list; ifa !== null; ) {
			const following = ifa.ifa_next;
			if ((ifa.ifa_flags & IFA_F_PERMANENT) === 0) {
				const end = ifa.ifa_tstamp + ifa.ifa_valid_lft * HZ;
				const depr = ifa.ifa_tstamp + ifa.ifa_preferred_lft * HZ;
				if (ifa.ifa_valid_lft !== INFINITY_LIFE_TIME && end <= now) {
					inet_del_ifa(in_dev, ifa, true, null, 0);
					// A primary takes others with it: begin again.
					ifa = in_dev.ifa_list;
					continue;
				}
				if (ifa.ifa_valid_lft !== INFINITY_LIFE_TIME) next = Math.min(next, end);
				if (ifa.ifa_preferred_lft !== INFINITY_LIFE_TIME && (ifa.ifa_flags & IFA_F_DEPRECATED) === 0) {
					if (depr <= now) {
						ifa.ifa_flags |= IFA_F_DEPRECATED;
						rtmsg_ifa(RTM_NEWADDR, ifa, null, 0);
					} else next = Math.min(next, depr);
				}
			}
			ifa = following;
		}
	}
	if (next !== Infinity) mod_timer(timer, Math.max(next, now + 1));
}

// ---- device events ---------------------------------------------------------------------------------------------------------------

/** Announces the device's addresses: an ARP request for oneself (RFC 5227 2.3). */
function inetdev_send_gratuitous_arp(dev: net_device, in_dev: in_device): void {
	for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) {
		arp_send(1, 0x0806, ifa.ifa_local, dev, ifa.ifa_local, null, dev.dev_addr, null);
	}
}

/** Labels follow the new name, keeping what stands behind a colon. */
function inetdev_changename(dev: net_device, in_dev: in_device): void {
	let named = 0;
	for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) {
		const colon = ifa.ifa_label.indexOf(':');
		if (named++ > 0) {
			const tail = colon >= 0 ? ifa.ifa_label.slice(colon) : `:${named}`;
			ifa.ifa_label = dev.name.slice(0, 15 - tail.length) + tail;
		} else ifa.ifa_label = dev.name;
		rtmsg_ifa(RTM_NEWADDR, ifa, null, 0);
	}
}

function inetdev_event(_machine: Machine, event: number, dev: net_device): number {
	let in_dev = dev.ip_ptr;
	if (in_dev === null) {
		if (event === NETDEV_REGISTER) {
			in_dev = inetdev_init(dev);
			if ((dev.flags & IFF_LOOPBACK) !== 0) {
				IN_DEV_CONF_SET(in_dev, IPV4_DEVCONF_NOXFRM, 1);
				IN_DEV_CONF_SET(in_dev, IPV4_DEVCONF_NOPOLICY, 1);
			}
		} else if (event === NETDEV_CHANGEMTU && inetdev_valid_mtu(dev.mtu)) {
			inetdev_init(dev);
		}
		return 0;
	}
	switch (event) {
		case NETDEV_UP:
			if (!inetdev_valid_mtu(dev.mtu)) break;
			if ((dev.flags & IFF_LOOPBACK) !== 0 && in_dev.ifa_list === null) {
				const ifa = new in_ifaddr(in_dev);
				ifa.ifa_local = ifa.ifa_address = 0x7f000001;
				ifa.ifa_prefixlen = 8;
				ifa.ifa_mask = inet_make_mask(8);
				ifa.ifa_scope = RT_SCOPE_HOST;
				ifa.ifa_label = dev.name;
				ifa.ifa_proto = IFAPROT_KERNEL_LO;
				set_ifa_lifetime(ifa, INFINITY_LIFE_TIME, INFINITY_LIFE_TIME);
				inet_insert_ifa(ifa, null, 0, null);
			}
			ip_mc_up(in_dev);
			if (IN_DEV_ARP_NOTIFY(in_dev) !== 0) inetdev_send_gratuitous_arp(dev, in_dev);
			break;
		case NETDEV_CHANGEADDR:
			if (IN_DEV_ARP_NOTIFY(in_dev) !== 0) inetdev_send_gratuitous_arp(dev, in_dev);
			break;
		case NETDEV_NOTIFY_PEERS:
			inetdev_send_gratuitous_arp(dev, in_dev);
			break;
		case NETDEV_DOWN:
			ip_mc_down(in_dev);
			break;
		case NETDEV_CHANGEMTU:
			if (!inetdev_valid_mtu(dev.mtu)) inetdev_destroy(in_dev);
			break;
		case NETDEV_UNREGISTER:
			inetdev_destroy(in_dev);
			break;
		case NETDEV_CHANGENAME:
			inetdev_changename(dev, in_dev);
			devinet_sysctl_unregister(in_dev);
			devinet_sysctl_register(in_dev);
			break;
		default:
	}
	return 0;
}

// ---- namespaces ------------------------------------------------------------------------------------------------------------------

function devconf_defaults(cnf: ipv4_devconf): void {
	const d = cnf.data;
	d[IPV4_DEVCONF_ACCEPT_REDIRECTS] = 1;
	d[IPV4_DEVCONF_SEND_REDIRECTS] = 1;
	d[IPV4_DEVCONF_SECURE_REDIRECTS] = 1;
	d[IPV4_DEVCONF_SHARED_MEDIA] = 1;
	d[IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL] = 10000;
	d[IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL] = 1000;
	d[IPV4_DEVCONF_ARP_EVICT_NOCARRIER] = 1;
}

function devinet_init_net(net: net): number {
	const v4 = net.ipv4;
	v4.inet_addr_lst = new Array(IN4_ADDR_HSIZE).fill(null);
	v4.devconf_all = new ipv4_devconf();
	v4.devconf_dflt = new ipv4_devconf();
	devconf_defaults(v4.devconf_all);
	devconf_defaults(v4.devconf_dflt);
	v4.devconf_dflt.data[IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE] = 1;
	// net.core.devconf_inherit_init_net is 0: IPv4 begins with what the first namespace has now.
	const first = net.machine.init_net;
	if (net !== first) {
		v4.devconf_all.data.set(first.ipv4.devconf_all.data);
		v4.devconf_dflt.data.set(first.ipv4.devconf_dflt.data);
	}
	v4.addr_chk_work = new timer_list(net.machine, check_lifetime, net, 'check_lifetime');
	return devinet_sysctl_init_net(net);
}

function devinet_exit_net(net: net): void {
	if (net.ipv4.addr_chk_work !== null) timer_delete(net.ipv4.addr_chk_work);
}

/** Needs netns_ipv4_init, the devices' and the neighbours' rooms; before any device is registered. */
export function devinet_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'devinet', init: devinet_init_net, exit: devinet_exit_net });
	register_netdevice_notifier(machine, { notifier_call: inetdev_event, priority: 0 });
	devinet_netlink_init(machine);
}
