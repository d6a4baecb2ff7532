/*
 * net/core/dev.ts: network devices: their life and their settings.   Linux: net/core/dev.c, linux/netdevice.h
 *
 * Walk: register_netdevice -> dev_open -> (dev_queue_xmit, netif_receive_skb) -> dev_close -> unregister_netdevice; each step tells the
 *       netdevice notifiers. The receive half is dev_input.ts, the transmit half dev_output.ts; both can be imported from here.
 * Not here yet: upper/lower adjacency, XDP, several CPUs.
 */

import type { Machine } from '../../kernel/machine.ts';
import { NOTIFY_DONE, NOTIFY_STOP_MASK, notifier_to_errno } from '../../kernel/notifier.ts';
import { KERN_INFO, printk } from '../../kernel/printk.ts';
import { NET_RX_SOFTIRQ, NET_TX_SOFTIRQ, open_softirq } from '../../kernel/softirq.ts';
import { NL_SET_ERR_MSG, type netlink_ext_ack, str_to_bytes } from '../../lib/nlattr.ts';
import { EBUSY, EEXIST, EINVAL, ENFILE, ENODEV, EOPNOTSUPP, ERANGE } from '../../uapi/asm-generic/errno.ts';
import {
	IFALIASZ,
	IFF_ALLMULTI,
	IFF_AUTOMEDIA,
	IFF_BROADCAST,
	IFF_DEBUG,
	IFF_DORMANT,
	IFF_DYNAMIC,
	IFF_ECHO,
	IFF_LOOPBACK,
	IFF_LOWER_UP,
	IFF_MASTER,
	IFF_MULTICAST,
	IFF_NOARP,
	IFF_NOTRAILERS,
	IFF_POINTOPOINT,
	IFF_PORTSEL,
	IFF_PROMISC,
	IFF_RUNNING,
	IFF_SLAVE,
	IFF_UP,
	IFNAMSIZ,
} from '../../uapi/linux/if.ts';
import { RTM_DELLINK, RTM_NEWLINK } from '../../uapi/linux/rtnetlink.ts';
import {
	dev_activate,
	dev_deactivate,
	dev_init_scheduler,
	dev_qdisc_change_tx_queue_len,
	dev_shutdown,
	net_tx_action,
	pktsched_init,
	type Qdisc_ops,
} from '../sched/sch_generic.ts';
import { __dev_set_allmulti, __dev_set_promiscuity, dev_addr_flush, dev_set_rx_mode } from './dev_addr_lists.ts';
import { netdev_init_features, netdev_update_features } from './dev_features.ts';
import { flush_backlog, net_rx_action, type packet_type, ptype_lists, softnet_data } from './dev_input.ts';
import type { packet_offload } from './gso.ts';
import { linkwatch_forget_dev, linkwatch_global, linkwatch_init_dev, netif_oper_up } from './link_watch.ts';
import type { neighbour } from './neighbour.ts';
import { type net, register_pernet_subsys } from './net_namespace.ts';
import {
	NETIF_F_LRO,
	NETIF_F_NETNS_IMMUTABLE,
	NETREG_REGISTERED,
	NETREG_UNREGISTERING,
	type net_device,
	rtnl_link_stats64,
} from './netdevice.ts';

export { dev_set_allmulti, dev_set_promiscuity, dev_set_rx_mode } from './dev_addr_lists.ts';
export * from './dev_input.ts';
export * from './dev_output.ts';
export * from './dev_xmit.ts';
export {
	netif_carrier_off,
	netif_carrier_ok,
	netif_carrier_on,
	netif_dormant_off,
	netif_dormant_on,
	netif_oper_up,
} from './link_watch.ts';

// ---- notifiers -------------------------------------------------------------------------------------------------------------------

export const NETDEV_UP = 1;
export const NETDEV_DOWN = 2;
export const NETDEV_REBOOT = 3;
export const NETDEV_CHANGE = 4;
export const NETDEV_REGISTER = 5;
export const NETDEV_UNREGISTER = 6;
export const NETDEV_CHANGEMTU = 7;
export const NETDEV_CHANGEADDR = 8;
export const NETDEV_PRE_CHANGEADDR = 9;
export const NETDEV_GOING_DOWN = 10;
export const NETDEV_CHANGENAME = 11;
export const NETDEV_FEAT_CHANGE = 12;
export const NETDEV_PRE_UP = 14;
export const NETDEV_POST_INIT = 17;
export const NETDEV_PRE_UNINIT = 18;
export const NETDEV_NOTIFY_PEERS = 20;
export const NETDEV_CHANGEUPPER = 22;
export const NETDEV_PRECHANGEMTU = 24;
export const NETDEV_CHANGE_TX_QUEUE_LEN = 29;

const event_names: Record<number, string> = {
	[NETDEV_UP]: 'NETDEV_UP',
	[NETDEV_DOWN]: 'NETDEV_DOWN',
	[NETDEV_REBOOT]: 'NETDEV_REBOOT',
	[NETDEV_CHANGE]: 'NETDEV_CHANGE',
	[NETDEV_REGISTER]: 'NETDEV_REGISTER',
	[NETDEV_UNREGISTER]: 'NETDEV_UNREGISTER',
	[NETDEV_CHANGEMTU]: 'NETDEV_CHANGEMTU',
	[NETDEV_CHANGEADDR]: 'NETDEV_CHANGEADDR',
	[NETDEV_PRE_CHANGEADDR]: 'NETDEV_PRE_CHANGEADDR',
	[NETDEV_GOING_DOWN]: 'NETDEV_GOING_DOWN',
	[NETDEV_CHANGENAME]: 'NETDEV_CHANGENAME',
	[NETDEV_FEAT_CHANGE]: 'NETDEV_FEAT_CHANGE',
	[NETDEV_PRE_UP]: 'NETDEV_PRE_UP',
	[NETDEV_POST_INIT]: 'NETDEV_POST_INIT',
	[NETDEV_PRE_UNINIT]: 'NETDEV_PRE_UNINIT',
	[NETDEV_NOTIFY_PEERS]: 'NETDEV_NOTIFY_PEERS',
	[NETDEV_CHANGEUPPER]: 'NETDEV_CHANGEUPPER',
	[NETDEV_PRECHANGEMTU]: 'NETDEV_PRECHANGEMTU',
	[NETDEV_CHANGE_TX_QUEUE_LEN]: 'NETDEV_CHANGE_TX_QUEUE_LEN',
};

export function netdev_cmd_to_name(event: number): string {
	return event_names[event] ?? 'UNKNOWN_NETDEV_EVENT';
}

export interface netdev_notifier_info {
	dev: net_device;
	extack: netlink_ext_ack | null;
	/** NETDEV_CHANGE: the flags that changed. */
	flags_changed: number;
	/** NETDEV_PRECHANGEMTU: the new MTU; NETDEV_CHANGEMTU: the old one. */
	mtu: number;
	/** NETDEV_PRE_CHANGEADDR: the new address. */
	dev_addr: Uint8Array | null;
}

/** One listener: a module-level function. Return: NOTIFY_*, or notifier_from_errno(). */
export interface netdev_notifier {
	notifier_call: (machine: Machine, event: number, dev: net_device, info: netdev_notifier_info) => number;
	/** Higher is told first. */
	priority: number;
}

/** Adds a listener and tells it of the devices that are there already. Return: 0 or -errno. */
export function register_netdevice_notifier(machine: Machine, nb: netdev_notifier): number {
	const chain = machine.net.netdev_chain.slice();
	let at = chain.length;
	while (at > 0 && chain[at - 1].priority < nb.priority) at--;
	chain.splice(at, 0, nb);
	machine.net.netdev_chain = chain;
	for (const net of machine.net_namespaces) {
		for (const dev of net.dev_base_head) {
			const info = notifier_info(dev, null);
			const err = notifier_to_errno(nb.notifier_call(machine, NETDEV_REGISTER, dev, info));
			if (err < 0) return err;
			if (dev.flags & IFF_UP) nb.notifier_call(machine, NETDEV_UP, dev, info);
		}
	}
	return 0;
}

export function unregister_netdevice_notifier(machine: Machine, nb: netdev_notifier): void {
	machine.net.netdev_chain = machine.net.netdev_chain.filter((n) => n !== nb);
}

function notifier_info(dev: net_device, extack: netlink_ext_ack | null): netdev_notifier_info {
	return { dev, extack, flags_changed: 0, mtu: 0, dev_addr: null };
}

/** Tells everybody. Return: NOTIFY_*; notifier_to_errno() makes an errno of it. */
export function call_netdevice_notifiers(
	event: number,
	dev: net_device,
	extack: netlink_ext_ack | null = null,
): number {
	return call_notifiers_info(event, notifier_info(dev, extack));
}

function call_notifiers_info(event: number, info: netdev_notifier_info): number {
	const machine = info.dev.net.machine;
	let ret = NOTIFY_DONE;
	for (const nb of machine.net.netdev_chain) {
		ret = nb.notifier_call(machine, event, info.dev, info);
		if (ret & NOTIFY_STOP_MASK) break;
	}
	return ret;
}

// ---- the machine's part ----------------------------------------------------------------------------------------------------------

/** What net/core keeps for the whole machine. */
export class net_core {
	/** Protocols by ethertype, and taps on everything. */
	ptype_base: (readonly packet_type[])[] = ptype_lists();
	ptype_all: readonly packet_type[] = [];
	softnet_data: softnet_data[];
	/** Replaced, never changed: a listener may leave while it is told. */
	netdev_chain: readonly netdev_notifier[] = [];
	offload_base: packet_offload[] = [];
	qdisc_base: Qdisc_ops[] = [];
	/** The last major number that a qdisc without a handle was given. */
	qdisc_autohandle = 0x8000;
	linkwatch: linkwatch_global;
	napi_gen_id = 0;
	netstamp_needed = 0;
	/** What a packet costs the CPU in ns of the world's clock; 0: nothing. A lab sets it to show load. */
	cpu_cost_ns = 0;
	/** Last irq number given to a device. */
	irq = 23;
	/** Tells rtnetlink's listeners of a link: rtmsg_ifinfo, put here by rtnetlink_init; null before. */
	rtmsg_ifinfo:
		| ((type: number, dev: net_device, change: number, new_net?: net | null, new_ifindex?: number) => void)
		| null = null;

	/** Tells rtnetlink's listeners of a neighbour: put here by neigh_netlink_init; null before. */
	neigh_notify: ((n: neighbour, type: number, flags: number, pid: number) => void) | null = null;

	// net.core.*
	sysctl_netdev_max_backlog = 1000;
	sysctl_netdev_budget = 300;
	sysctl_netdev_budget_usecs = 8000;
	weight_p = 64;
	dev_weight_rx_bias = 1;
	dev_weight_tx_bias = 1;
	dev_tx_weight = 64;
	default_qdisc = 'pfifo_fast';
	message_cost = 5;
	message_burst = 10;
	netdev_tstamp_prequeue = 1;
	gro_normal_batch = 8;
	max_skb_frags = 17;
	busy_poll = 0;
	busy_read = 0;
	sysctl_txrehash = 1;
	sysctl_tstamp_allow_data = 1;
	warnings = 0;

	constructor(machine: Machine) {
		this.softnet_data = [new softnet_data(machine, 0)];
		this.linkwatch = new linkwatch_global(machine);
	}
}

function netdev_net_init(_net: net): number {
	return 0;
}

/** The namespace goes: hardware returns to the first one, software devices end. */
function netdev_net_exit(net: net): void {
	const init = net.machine.init_net;
	for (const dev of [...net.dev_base_head]) {
		if (dev.features & NETIF_F_NETNS_IMMUTABLE || net === init) continue;
		if (!net.dev_base_head.includes(dev)) continue;
		if (dev.kind !== '') {
			const dellink = net.machine.rtnl?.link_ops.get(dev.kind)?.dellink ?? unregister_netdevice;
			dellink(dev);
			continue;
		}
		if (dev_change_net_namespace(dev, init, 'dev%d') < 0) unregister_netdevice(dev);
	}
	if (net.loopback_dev !== undefined) unregister_netdevice(net.loopback_dev);
}

/** First of net/core: makes `machine.net` and opens the softirqs. */
export function net_dev_init(machine: Machine): void {
	machine.net = new net_core(machine);
	pktsched_init(machine);
	open_softirq(machine, NET_TX_SOFTIRQ, net_tx_action);
	open_softirq(machine, NET_RX_SOFTIRQ, net_rx_action);
	register_pernet_subsys(machine, { name: 'netdev', init: netdev_net_init, exit: netdev_net_exit });
}

/** `new_net` and `new_ifindex`: where a device goes that leaves its namespace. */
function rtmsg_ifinfo(
	type: number,
	dev: net_device,
	change: number,
	new_net: net | null = null,
	new_ifindex = 0,
): void {
	const fn = dev.net.machine.net.rtmsg_ifinfo;
	if (fn !== null) fn(type, dev, change, new_net, new_ifindex);
}

// ---- finding devices -------------------------------------------------------------------------------------------------------------

export function __dev_get_by_name(net: net, name: string): net_device | null {
	return net.dev_name_head.get(name) ?? null;
}

export function dev_get_by_name(net: net, name: string): net_device | null {
	return __dev_get_by_name(net, name);
}

export function __dev_get_by_index(net: net, ifindex: number): net_device | null {
	return net.dev_index_head.get(ifindex) ?? null;
}

export function dev_get_by_index(net: net, ifindex: number): net_device | null {
	return __dev_get_by_index(net, ifindex);
}

export function dev_get_by_index_rcu(net: net, ifindex: number): net_device | null {
	return __dev_get_by_index(net, ifindex);
}

export function dev_getbyhwaddr(net: net, type: number, ha: Uint8Array): net_device | null {
	for (const dev of net.dev_base_head) {
		if (dev.type !== type) continue;
		let i = 0;
		while (i < dev.addr_len && dev.dev_addr[i] === ha[i]) i++;
		if (i === dev.addr_len) return dev;
	}
	return null;
}

export function dev_net(dev: net_device): net {
	return dev.net;
}

/** Index of the device below or at the other end; the device's own when there is none. */
export function dev_get_iflink(dev: net_device): number {
	if (dev.netdev_ops.ndo_get_iflink !== null) return dev.netdev_ops.ndo_get_iflink(dev);
	return dev.iflink !== 0 ? dev.iflink : dev.ifindex;
}

// ---- names -----------------------------------------------------------------------------------------------------------------------

/** 1 to 15 bytes, no slash, colon or white space, not . or .. */
export function dev_valid_name(name: string): boolean {
	if (name === '' || name === '.' || name === '..') return false;
	return str_to_bytes(name).length < IFNAMSIZ && !/[/:\s]/.test(name);
}

/** Fills in the %d of `pattern` with the lowest number that is free. Return: the name, or -errno. */
export function dev_prep_valid_name(net: net, pattern: string): string | number {
	if (!dev_valid_name(pattern)) return -EINVAL;
	const at = pattern.indexOf('%');
	if (at < 0) return pattern;
	if (pattern[at + 1] !== 'd' || pattern.indexOf('%', at + 2) >= 0) return -EINVAL;
	for (let i = 0; i < 32768; i++) {
		const name = pattern.slice(0, at) + i + pattern.slice(at + 2);
		if (name.length >= IFNAMSIZ) break;
		if (!net.dev_name_head.has(name)) return name;
	}
	return -ENFILE;
}

/** Gives `dev` a name by pattern. Return: 0 or -errno. */
export function dev_alloc_name(dev: net_device, pattern: string): number {
	const name = dev_prep_valid_name(dev.net, pattern);
	if (typeof name === 'number') return name;
	if (dev.net.dev_name_head.has(name)) return -EEXIST;
	dev.name = name;
	return 0;
}

/** Renames. Return: 0 or -errno. */
export function dev_change_name(dev: net_device, newname: string): number {
	const net = dev.net;
	if (newname === dev.name) return 0;
	const name = dev_prep_valid_name(net, newname);
	if (typeof name === 'number') return name;
	if (net.dev_name_head.has(name)) return -EEXIST;
	const oldname = dev.name;
	net.dev_name_head.delete(oldname);
	dev.name = name;
	net.dev_name_head.set(name, dev);
	net.dev_base_seq++;
	if (!/%/.test(oldname)) {
		printk(net.machine, KERN_INFO, `${name}: renamed from ${oldname}${dev.flags & IFF_UP ? ' (while UP)' : ''}`);
	}
	const ret = notifier_to_errno(call_netdevice_notifiers(NETDEV_CHANGENAME, dev));
	if (ret < 0) {
		net.dev_name_head.delete(name);
		dev.name = oldname;
		net.dev_name_head.set(oldname, dev);
		call_netdevice_notifiers(NETDEV_CHANGENAME, dev);
	}
	return ret;
}

/** Sets the alias that people know it by. Return: its length, or -errno. */
export function dev_set_alias(dev: net_device, alias: string): number {
	if (alias.length >= IFALIASZ) return -EINVAL;
	dev.ifalias = alias;
	return alias.length;
}

// ---- registration ----------------------------------------------------------------------------------------------------------------

/** A free index, or the one asked for. Return: it, or -errno. */
function dev_index_reserve(net: net, ifindex: number): number {
	if (ifindex < 0) return -EINVAL;
	if (ifindex > 0) {
		if (net.dev_index_head.has(ifindex)) return -EBUSY;
		if (ifindex > net.ifindex) net.ifindex = ifindex;
		return ifindex;
	}
	do net.ifindex++;
	while (net.dev_index_head.has(net.ifindex));
	return net.ifindex;
}

function list_netdevice(dev: net_device): void {
	const net = dev.net;
	net.dev_base_head.push(dev);
	net.dev_name_head.set(dev.name, dev);
	net.dev_index_head.set(dev.ifindex, dev);
	net.dev_base_seq++;
}

function unlist_netdevice(dev: net_device): void {
	const net = dev.net;
	const at = net.dev_base_head.indexOf(dev);
	if (at >= 0) net.dev_base_head.splice(at, 1);
	net.dev_name_head.delete(dev.name);
	net.dev_index_head.delete(dev.ifindex);
	net.dev_base_seq++;
}

/** Adds a device that a driver made; its name may be a pattern (`veth%d`), its ifindex 0 for the next. Return: 0 or -errno. */
export function register_netdevice(dev: net_device): number {
	const net = dev.net;
	let ret = dev_alloc_name(dev, dev.name);
	if (ret < 0) return ret;
	if (dev.netdev_ops.ndo_init !== null) {
		ret = dev.netdev_ops.ndo_init(dev);
		if (ret !== 0) return ret > 0 ? -EINVAL : ret;
	}
	ret = dev_index_reserve(net, dev.ifindex);
	if (ret < 0) {
		dev.netdev_ops.ndo_uninit?.(dev);
		return ret;
	}
	dev.ifindex = ret;
	netdev_init_features(dev);
	ret = notifier_to_errno(call_netdevice_notifiers(NETDEV_POST_INIT, dev));
	if (ret < 0) {
		dev.netdev_ops.ndo_uninit?.(dev);
		return ret;
	}
	dev.reg_state = NETREG_REGISTERED;
	dev.present = true;
	linkwatch_init_dev(dev);
	dev_init_scheduler(dev);
	list_netdevice(dev);
	if (dev.addr_assign_type === 0) dev.perm_addr = dev.dev_addr.slice();
	ret = notifier_to_errno(call_netdevice_notifiers(NETDEV_REGISTER, dev));
	if (ret < 0) {
		unregister_netdevice(dev);
		return ret;
	}
	// What rtnetlink makes it tells of itself, when it is whole (rtnl_configure_link).
	if (!dev.rtnl_link_initializing) rtmsg_ifinfo(RTM_NEWLINK, dev, 0xffffffff);
	return 0;
}

export function register_netdev(dev: net_device): number {
	return register_netdevice(dev);
}

/** Ends a device: down, out of the lists, and everybody told. */
export function unregister_netdevice(dev: net_device): void {
	if (dev.reg_state !== NETREG_REGISTERED) return;
	dev_close(dev);
	unlist_netdevice(dev);
	dev.reg_state = NETREG_UNREGISTERING;
	linkwatch_forget_dev(dev);
	flush_backlog(dev.net.machine.net, dev);
	dev_shutdown(dev);
	call_netdevice_notifiers(NETDEV_UNREGISTER, dev);
	rtmsg_ifinfo(RTM_DELLINK, dev, 0xffffffff);
	dev_addr_flush(dev);
	if (dev.netdev_ops.ndo_uninit !== null) dev.netdev_ops.ndo_uninit(dev);
}

export function unregister_netdev(dev: net_device): void {
	unregister_netdevice(dev);
}

/** Ends several at once (the two ends of a veth). */
export function unregister_netdevice_many(devs: readonly net_device[]): void {
	for (const dev of devs) if (dev.reg_state === NETREG_REGISTERED) dev_close(dev);
	for (const dev of devs) unregister_netdevice(dev);
}

/**
 * Moves a device to another namespace; `pat` names it there when its own name is taken (null: then it fails), `new_ifindex` 0 keeps the
 * old one where it is free. Return: 0 or -errno.
 */
export function dev_change_net_namespace(
	dev: net_device,
	net: net,
	pat: string | null,
	new_ifindex = 0,
	extack: netlink_ext_ack | null = null,
): number {
	if (dev.features & NETIF_F_NETNS_IMMUTABLE) {
		NL_SET_ERR_MSG(extack, 'The interface netns is immutable');
		return -EINVAL;
	}
	if (dev.reg_state !== NETREG_REGISTERED) {
		NL_SET_ERR_MSG(extack, "The interface isn't registered yet");
		return -EINVAL;
	}
	if (dev.net === net) return 0;
	let name = dev.name;
	if (net.dev_name_head.has(name)) {
		if (pat === null) {
			NL_SET_ERR_MSG(extack, 'An interface with the same name exists in the target netns');
			return -EEXIST;
		}
		const fresh = dev_prep_valid_name(net, pat);
		if (typeof fresh === 'number') {
			NL_SET_ERR_MSG(extack, 'Unable to use the new interface name in the target netns');
			return fresh;
		}
		name = fresh;
	}
	if (new_ifindex > 0 && net.dev_index_head.has(new_ifindex)) {
		NL_SET_ERR_MSG(extack, 'The ifindex is not available in the target netns');
		return -EBUSY;
	}
	const ifindex = dev_index_reserve(
		net,
		new_ifindex > 0 ? new_ifindex : net.dev_index_head.has(dev.ifindex) ? 0 : dev.ifindex,
	);
	if (ifindex < 0) return ifindex;
	dev_close(dev);
	unlist_netdevice(dev);
	flush_backlog(net.machine.net, dev);
	dev_shutdown(dev);
	call_netdevice_notifiers(NETDEV_UNREGISTER, dev);
	rtmsg_ifinfo(RTM_DELLINK, dev, 0xffffffff, net, ifindex);
	dev_addr_flush(dev);
	dev.net = net;
	dev.ifindex = ifindex;
	dev.name = name;
	list_netdevice(dev);
	call_netdevice_notifiers(NETDEV_REGISTER, dev);
	rtmsg_ifinfo(RTM_NEWLINK, dev, 0xffffffff);
	return 0;
}

// ---- up and down -----------------------------------------------------------------------------------------------------------------

function __dev_open(dev: net_device, extack: netlink_ext_ack | null): number {
	if (!dev.present) return -ENODEV;
	let ret = notifier_to_errno(call_netdevice_notifiers(NETDEV_PRE_UP, dev, extack));
	if (ret < 0) return ret;
	dev.running = true;
	if (dev.netdev_ops.ndo_open !== null) ret = dev.netdev_ops.ndo_open(dev);
	if (ret < 0) {
		dev.running = false;
		return ret;
	}
	dev.flags |= IFF_UP;
	dev_set_rx_mode(dev);
	dev_activate(dev);
	return 0;
}

function __dev_close(dev: net_device): void {
	call_netdevice_notifiers(NETDEV_GOING_DOWN, dev);
	dev.running = false;
	dev_deactivate(dev);
	if (dev.netdev_ops.ndo_stop !== null) dev.netdev_ops.ndo_stop(dev);
	dev.flags &= ~IFF_UP;
}

/** Sets the device up. Return: 0 or -errno. */
export function dev_open(dev: net_device, extack: netlink_ext_ack | null = null): number {
	if (dev.flags & IFF_UP) return 0;
	const ret = __dev_open(dev, extack);
	if (ret < 0) return ret;
	rtmsg_ifinfo(RTM_NEWLINK, dev, IFF_UP | IFF_RUNNING);
	call_netdevice_notifiers(NETDEV_UP, dev);
	return ret;
}

/** Sets the device down. */
export function dev_close(dev: net_device): void {
	if (!(dev.flags & IFF_UP)) return;
	__dev_close(dev);
	rtmsg_ifinfo(RTM_NEWLINK, dev, IFF_UP | IFF_RUNNING);
	call_netdevice_notifiers(NETDEV_DOWN, dev);
}

const IFF_VOLATILE =
	IFF_LOOPBACK |
	IFF_POINTOPOINT |
	IFF_BROADCAST |
	IFF_ECHO |
	IFF_MASTER |
	IFF_SLAVE |
	IFF_RUNNING |
	IFF_LOWER_UP |
	IFF_DORMANT;

/** Flags as userland sees them: PROMISC and ALLMULTI only when userland itself asked for them. */
export function dev_get_flags(dev: net_device): number {
	let flags =
		(dev.flags & ~(IFF_PROMISC | IFF_ALLMULTI | IFF_RUNNING | IFF_LOWER_UP | IFF_DORMANT)) |
		(dev.gflags & (IFF_PROMISC | IFF_ALLMULTI));
	if (dev.running) {
		if (netif_oper_up(dev)) flags |= IFF_RUNNING;
		if (dev.carrier) flags |= IFF_LOWER_UP;
		if (dev.dormant) flags |= IFF_DORMANT;
	}
	return flags;
}

/** Sets the flags that userland may set, without telling anybody. Return: 0 or -errno. */
export function __dev_change_flags(dev: net_device, flags: number, extack: netlink_ext_ack | null): number {
	const old = dev.flags;
	dev.flags =
		(flags & (IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC | IFF_MULTICAST | IFF_PORTSEL | IFF_AUTOMEDIA)) |
		(old & (IFF_UP | IFF_VOLATILE | IFF_PROMISC | IFF_ALLMULTI));
	let ret = 0;
	dev_set_rx_mode(dev);
	if ((old ^ flags) & IFF_UP) {
		if (old & IFF_UP) __dev_close(dev);
		else ret = __dev_open(dev, extack);
	}
	if ((flags ^ dev.gflags) & IFF_PROMISC) {
		dev.gflags ^= IFF_PROMISC;
		const before = dev.flags;
		__dev_set_promiscuity(dev, flags & IFF_PROMISC ? 1 : -1);
		if (dev.flags !== before) dev_set_rx_mode(dev);
	}
	if ((flags ^ dev.gflags) & IFF_ALLMULTI) {
		dev.gflags ^= IFF_ALLMULTI;
		__dev_set_allmulti(dev, flags & IFF_ALLMULTI ? 1 : -1);
	}
	return ret;
}

/** Sets the flags that userland may set. Return: 0 or -errno. */
export function dev_change_flags(dev: net_device, flags: number, extack: netlink_ext_ack | null = null): number {
	const old_flags = dev.flags;
	const old_gflags = dev.gflags;
	const ret = __dev_change_flags(dev, flags, extack);
	if (ret < 0) return ret;
	__dev_notify_flags(dev, old_flags, (old_flags ^ dev.flags) | (old_gflags ^ dev.gflags));
	return ret;
}

/** Tells of changed flags. `gchanges` is what userland is told. */
export function __dev_notify_flags(dev: net_device, old_flags: number, gchanges: number): void {
	const changes = dev.flags ^ old_flags;
	if (gchanges !== 0) rtmsg_ifinfo(RTM_NEWLINK, dev, gchanges);
	if (changes & IFF_UP) call_netdevice_notifiers(dev.flags & IFF_UP ? NETDEV_UP : NETDEV_DOWN, dev);
	if (dev.flags & IFF_UP && changes & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_VOLATILE)) {
		const info = notifier_info(dev, null);
		info.flags_changed = changes;
		call_notifiers_info(NETDEV_CHANGE, info);
	}
}

/** Carrier or operational state changed. */
export function netdev_state_change(dev: net_device): void {
	if (!(dev.flags & IFF_UP)) return;
	call_netdevice_notifiers(NETDEV_CHANGE, dev);
	rtmsg_ifinfo(RTM_NEWLINK, dev, 0);
}

/** Asks those above to announce their addresses. */
export function netdev_notify_peers(dev: net_device): void {
	call_netdevice_notifiers(NETDEV_NOTIFY_PEERS, dev);
}

// ---- settings --------------------------------------------------------------------------------------------------------------------

export function dev_validate_mtu(dev: net_device, mtu: number, extack: netlink_ext_ack | null): number {
	if (mtu < 0 || mtu < dev.min_mtu) {
		NL_SET_ERR_MSG(extack, 'mtu less than device minimum');
		return -EINVAL;
	}
	if (dev.max_mtu > 0 && mtu > dev.max_mtu) {
		NL_SET_ERR_MSG(extack, 'mtu greater than device maximum');
		return -EINVAL;
	}
	return 0;
}

function __dev_set_mtu(dev: net_device, mtu: number): number {
	if (dev.netdev_ops.ndo_change_mtu !== null) return dev.netdev_ops.ndo_change_mtu(dev, mtu);
	dev.mtu = mtu;
	return 0;
}

/** Sets the MTU, with the reason in words on failure. Return: 0 or -errno. */
export function dev_set_mtu_ext(dev: net_device, new_mtu: number, extack: netlink_ext_ack | null): number {
	if (new_mtu === dev.mtu) return 0;
	let err = dev_validate_mtu(dev, new_mtu, extack);
	if (err < 0) return err;
	if (!dev.present) return -ENODEV;
	const info = notifier_info(dev, extack);
	info.mtu = new_mtu;
	err = notifier_to_errno(call_notifiers_info(NETDEV_PRECHANGEMTU, info));
	if (err < 0) return err;
	const orig = dev.mtu;
	err = __dev_set_mtu(dev, new_mtu);
	if (err < 0) return err;
	info.mtu = orig;
	err = notifier_to_errno(call_notifiers_info(NETDEV_CHANGEMTU, info));
	if (err < 0) {
		__dev_set_mtu(dev, orig);
		info.mtu = new_mtu;
		call_notifiers_info(NETDEV_CHANGEMTU, info);
	}
	return err;
}

export function dev_set_mtu(dev: net_device, new_mtu: number): number {
	return dev_set_mtu_ext(dev, new_mtu, null);
}

/** Sets the link-layer address. Return: 0 or -errno. */
export function dev_set_mac_address(dev: net_device, addr: Uint8Array, extack: netlink_ext_ack | null = null): number {
	if (dev.netdev_ops.ndo_set_mac_address === null) return -EOPNOTSUPP;
	if (addr.length < dev.addr_len) return -EINVAL;
	if (!dev.present) return -ENODEV;
	const info = notifier_info(dev, extack);
	info.dev_addr = addr;
	let err = notifier_to_errno(call_notifiers_info(NETDEV_PRE_CHANGEADDR, info));
	if (err < 0) return err;
	if (!same_addr(dev, addr)) {
		err = dev.netdev_ops.ndo_set_mac_address(dev, addr);
		if (err < 0) return err;
	}
	dev.addr_assign_type = 3; // NET_ADDR_SET
	call_netdevice_notifiers(NETDEV_CHANGEADDR, dev);
	return 0;
}

function same_addr(dev: net_device, addr: Uint8Array): boolean {
	for (let i = 0; i < dev.addr_len; i++) if (dev.dev_addr[i] !== addr[i]) return false;
	return true;
}

/** Sets the length of the transmit queue; qdiscs follow. Return: 0 or -errno. */
export function dev_change_tx_queue_len(dev: net_device, new_len: number): number {
	if (new_len < 0 || new_len > 0xffffffff) return -ERANGE;
	const orig = dev.tx_queue_len;
	if (new_len === orig) return 0;
	dev.tx_queue_len = new_len;
	const err = notifier_to_errno(call_netdevice_notifiers(NETDEV_CHANGE_TX_QUEUE_LEN, dev));
	if (err < 0) {
		dev.tx_queue_len = orig;
		return err;
	}
	dev_qdisc_change_tx_queue_len(dev);
	return 0;
}

export function dev_set_group(dev: net_device, group: number): void {
	dev.group = group;
}

/** Sets the carrier from userland, where the driver allows. Return: 0 or -errno. */
export function dev_change_carrier(dev: net_device, new_carrier: boolean): number {
	if (dev.netdev_ops.ndo_change_carrier === null) return -EOPNOTSUPP;
	if (!dev.present) return -ENODEV;
	return dev.netdev_ops.ndo_change_carrier(dev, new_carrier);
}

/** All counters of a device, the driver's own included. Return: a new object. */
export function dev_get_stats(dev: net_device): rtnl_link_stats64 {
	const s = Object.assign(new rtnl_link_stats64(), dev.stats);
	if (dev.netdev_ops.ndo_get_stats64 !== null) dev.netdev_ops.ndo_get_stats64(dev, s);
	return s;
}

/** Takes what the device cannot forward with: large receive offload. */
export function dev_disable_lro(dev: net_device): void {
	dev.wanted_features &= ~NETIF_F_LRO;
	netdev_update_features(dev);
}
