/*
 * net/core/rtnetlink.ts: who answers which routing message.        Linux: net/core/rtnetlink.c, net/rtnetlink.h
 * Walk: netlink_sendmsg -> rtnetlink_rcv -> rtnetlink_rcv_msg -> a family's doit or dumpit (rtnl_register); news: rtnl_notify.
 * The links' own messages are cut off: rtnl_fill.ts (what a link looks like), rtnl_link.ts (set, new, delete, get, dump),
 * rtnl_nsid.ts (ids of namespaces).
 * RFC 3549 3. Not here yet: bridge fdb and mdb messages, RTM_GETSTATS, RTM_NEWLINKPROP (altname), VFs, XDP.
 */
import type { Machine } from '../../kernel/machine.ts';
import type { netlink_ext_ack, nla_policy_table, nlattr, nlattr_table, nlmsghdr } from '../../lib/nlattr.ts';
import { NL_SET_ERR_MSG, nlmsg_len } from '../../lib/nlattr.ts';
import { EEXIST, EINTR, EOPNOTSUPP, EPERM } from '../../uapi/asm-generic/errno.ts';
import { NETLINK_ROUTE, NLM_F_BULK, NLM_F_DUMP } from '../../uapi/linux/netlink.ts';
import {
	RTM_BASE,
	RTM_GETADDR,
	RTM_GETROUTE,
	RTM_GETTUNNEL,
	RTM_NEWLINK,
	RTNL_FAMILY_MAX,
	RTNLGRP_LINK,
	RTNLGRP_MAX,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_PACKET } from '../../uapi/linux/socket.ts';
import {
	NL_CFG_F_NONROOT_RECV,
	netlink_dump_start,
	netlink_kernel_create,
	netlink_kernel_release,
	netlink_kernel_sock,
	netlink_net_capable,
	netlink_rcv_skb,
	netlink_set_err,
	nlmsg_notify,
	nlmsg_report,
	nlmsg_unicast,
} from '../netlink/af_netlink.ts';
import { type netlink_callback, type netlink_skb, nlmsg_new } from '../netlink/netlink.ts';
import {
	NETDEV_CHANGE_TX_QUEUE_LEN,
	NETDEV_CHANGEADDR,
	NETDEV_CHANGEMTU,
	NETDEV_CHANGENAME,
	NETDEV_CHANGEUPPER,
	NETDEV_FEAT_CHANGE,
	NETDEV_NOTIFY_PEERS,
	NETDEV_REBOOT,
	type netdev_notifier,
	register_netdevice_notifier,
} from './dev.ts';
import { type net, register_pernet_subsys } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';
import { rtnl_fill_ifinfo } from './rtnl_fill.ts';
import { rtnl_link_init } from './rtnl_link.ts';
import { peernet2id_alloc, rtnl_net_init } from './rtnl_nsid.ts';
import type { sock } from './sock.ts';

/**
 * Acts on one message. The family header stands at nlh.data in nlh.buf; the namespace is skb.net, who asks skb.portid.
 * Return: 0 (acked when asked for) or -errno, with `extack` saying why.
 */
export type rtnl_doit_func = (skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack) => number;

/**
 * Fills one buffer of a dump: messages with NLM_F_MULTI, portid cb.skb.portid and seq cb.nlh.nlmsg_seq; stops at -EMSGSIZE
 * with its place in cb.args or cb.ctx.
 * Return: skb.len (or -EMSGSIZE): more to come, called again with an empty buffer; 0: all said (the last buffer may return 0 too).
 */
export type rtnl_dumpit_func = (skb: netlink_skb, cb: netlink_callback) => number;

/** Kept for the reader: there are no locks here. */
export const RTNL_FLAG_DOIT_UNLOCKED = 1;
/** NLM_F_BULK deletes all that match. */
export const RTNL_FLAG_BULK_DEL_SUPPORTED = 2;
export const RTNL_FLAG_DUMP_UNLOCKED = 4;
/** NLMSG_DONE comes in a buffer of its own, as old readers expect. */
export const RTNL_FLAG_DUMP_SPLIT_NLM_DONE = 8;

export interface rtnl_link {
	doit: rtnl_doit_func | null;
	dumpit: rtnl_dumpit_func | null;
	flags: number;
}

/** What a new link is made of. */
export interface rtnl_newlink_params {
	/** The asker's namespace. */
	src_net: net;
	/** IFLA_LINK_NETNSID's; where IFLA_LINK is looked up. */
	link_net: net | null;
	/** Where the peer goes, for drivers with a peer_type. */
	peer_net: net | null;
	/** The message's IFLA_*. */
	tb: nlattr_table;
	/** IFLA_INFO_DATA's, by the driver's policy. */
	data: nlattr_table | null;
}

/** A kind of link that userland can make: `ip link add … type KIND`. */
export interface rtnl_link_ops {
	kind: string;
	/** Of IFLA_INFO_DATA. */
	maxtype: number;
	policy: nla_policy_table | null;
	/** Attribute of IFLA_INFO_DATA that describes the peer (VETH_INFO_PEER); 0: no peer. */
	peer_type: number;
	/** Makes a bare net_device one of this kind: netdev_ops, type, flags, mtu, priv. */
	setup: (dev: net_device) => void;
	validate: ((tb: nlattr_table, data: nlattr_table | null, extack: netlink_ext_ack | null) => number) | null;
	/** Registers it; null: register_netdevice(). */
	newlink: ((dev: net_device, params: rtnl_newlink_params, extack: netlink_ext_ack | null) => number) | null;
	changelink:
		| ((dev: net_device, tb: nlattr_table, data: nlattr_table | null, extack: netlink_ext_ack | null) => number)
		| null;
	/** Unregisters it (and its peer). null: cannot be deleted. */
	dellink: ((dev: net_device) => void) | null;
	/** Puts IFLA_INFO_DATA's attributes. Return: 0 or -EMSGSIZE. */
	fill_info: ((skb: netlink_skb, dev: net_device) => number) | null;
	get_num_tx_queues: (() => number) | null;
	get_num_rx_queues: (() => number) | null;
	/** Namespace of IFLA_LINK when it is another. */
	get_link_net: ((dev: net_device) => net | null) | null;
	/** Puts IFLA_INFO_SLAVE_DATA's attributes of a port of `dev`. */
	fill_slave_info: ((skb: netlink_skb, dev: net_device, slave: net_device) => number) | null;
}

/** All null: spread it into a driver's own ops. */
export const RTNL_LINK_OPS_NONE: Omit<rtnl_link_ops, 'kind' | 'setup'> = {
	maxtype: 0,
	policy: null,
	peer_type: 0,
	validate: null,
	newlink: null,
	changelink: null,
	dellink: null,
	fill_info: null,
	get_num_tx_queues: null,
	get_num_rx_queues: null,
	get_link_net: null,
	fill_slave_info: null,
};

/** What a family keeps of each link (IFLA_AF_SPEC). */
export interface rtnl_af_ops {
	family: number;
	/** Puts the family's attributes. Return: 0, -EMSGSIZE, or -ENODATA when it has none. */
	fill_link_af: ((skb: netlink_skb, dev: net_device, ext_filter_mask: number) => number) | null;
	validate_link_af: ((dev: net_device | null, attr: nlattr, extack: netlink_ext_ack | null) => number) | null;
	set_link_af: ((dev: net_device, attr: nlattr, extack: netlink_ext_ack | null) => number) | null;
}

export class rtnl_global {
	/** [family][msgtype - RTM_BASE] */
	handlers: (rtnl_link | undefined)[][] = [];
	link_ops: Map<string, rtnl_link_ops> = new Map();
	/** In order of family. */
	af_ops: rtnl_af_ops[] = [];
	notifier: netdev_notifier | null = null;
}

/** Says who answers `msgtype` (RTM_*) of `family` (PF_*; 0 for all that have none of their own). */
export function rtnl_register(
	machine: Machine,
	family: number,
	msgtype: number,
	doit: rtnl_doit_func | null,
	dumpit: rtnl_dumpit_func | null,
	flags = 0,
): void {
	const tab = (machine.rtnl.handlers[family] ??= []);
	const old = tab[msgtype - RTM_BASE];
	tab[msgtype - RTM_BASE] = {
		doit: doit ?? old?.doit ?? null,
		dumpit: dumpit ?? old?.dumpit ?? null,
		flags: flags | (old?.flags ?? 0),
	};
}

export function rtnl_unregister(machine: Machine, family: number, msgtype: number): void {
	const tab = machine.rtnl.handlers[family];
	if (tab !== undefined) tab[msgtype - RTM_BASE] = undefined;
}

/** Lets userland make links of a kind. Return: 0, or -EEXIST. */
export function rtnl_link_register(machine: Machine, ops: rtnl_link_ops): number {
	if (machine.rtnl.link_ops.has(ops.kind)) return -EEXIST;
	machine.rtnl.link_ops.set(ops.kind, ops);
	return 0;
}

export function rtnl_link_unregister(machine: Machine, ops: rtnl_link_ops): void {
	machine.rtnl.link_ops.delete(ops.kind);
}

export function rtnl_link_ops_get(machine: Machine, kind: string): rtnl_link_ops | null {
	return machine.rtnl.link_ops.get(kind) ?? null;
}

/** dev->rtnl_link_ops: found by the device's kind. */
export function dev_rtnl_link_ops(dev: net_device): rtnl_link_ops | null {
	return dev.kind === '' ? null : rtnl_link_ops_get(dev.net.machine, dev.kind);
}

export function rtnl_af_register(machine: Machine, ops: rtnl_af_ops): number {
	const list = machine.rtnl.af_ops;
	list.push(ops);
	list.sort((a, b) => a.family - b.family);
	return 0;
}

// ---- news and answers ----

/** The kernel's rtnetlink socket of a namespace (net->rtnl). */
export function rtnl_sock(net: net): sock | null {
	return netlink_kernel_sock(net, NETLINK_ROUTE);
}

/** Sends an answer to one port id. Return: 0 or -errno. */
export function rtnl_unicast(skb: netlink_skb, net: net, pid: number): number {
	const rtnl = rtnl_sock(net);
	return rtnl === null ? 0 : nlmsg_unicast(rtnl, skb, pid);
}

/** Tells the listeners of `group`, and the asker once more when his request `nlh` has NLM_F_ECHO. */
export function rtnl_notify(skb: netlink_skb, net: net, pid: number, group: number, nlh: nlmsghdr | null): void {
	const rtnl = rtnl_sock(net);
	if (rtnl !== null) nlmsg_notify(rtnl, skb, pid, group, nlmsg_report(nlh));
}

/** Something could not be told: listeners of `group` get `error`. */
export function rtnl_set_sk_err(net: net, group: number, error: number): void {
	const rtnl = rtnl_sock(net);
	if (rtnl !== null) netlink_set_err(rtnl, 0, group, error);
}

// ---- requests ----

const RTNL_KIND_DEL = 1;
const RTNL_KIND_GET = 2;
/** RTM_MAX of 6.18: the last whole group of four. */
const RTM_MAX = ((RTM_GETTUNNEL + 4) & ~3) - 1;

function rtnl_get_link(machine: Machine, family: number, type: number): rtnl_link | null {
	return machine.rtnl.handlers[family]?.[type - RTM_BASE] ?? null;
}

/** Marks the callback's own dump function, so that a split NLMSG_DONE can stand around it. */
function rtnl_dumpit(skb: netlink_skb, cb: netlink_callback): number {
	const link = cb.data as rtnl_link;
	const err = link.dumpit!(skb, cb);
	// Old readers take the end of the dump only from a buffer of its own.
	return err >= 0 && skb.len > 0 && (link.flags & RTNL_FLAG_DUMP_SPLIT_NLM_DONE) !== 0 ? skb.len : err;
}

/** A dump for all families (AF_UNSPEC): each that dumps messages of this type says its own, one after another. */
function rtnl_dump_all(skb: netlink_skb, cb: netlink_callback): number {
	const type = cb.nlh.nlmsg_type;
	const place = (cb.family_ctx ??= { family: 1 });
	for (; place.family <= RTNL_FAMILY_MAX; place.family++) {
		if (place.family === AF_PACKET) continue;
		const link = rtnl_get_link(cb.net.machine, place.family, type);
		if (link?.dumpit == null) continue;
		const ret = link.dumpit(skb, cb);
		if (ret !== 0) return ret;
		cb.args.fill(0);
		cb.ctx = null;
		cb.prev_seq = 0;
		cb.seq = 0;
	}
	return skb.len;
}

function rtnetlink_rcv_msg(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const machine = net.machine;
	const type = nlh.nlmsg_type;
	if (type > RTM_MAX) return -EOPNOTSUPP;
	if (nlmsg_len(nlh) < 1) return 0;
	let family = nlh.buf[nlh.data];
	const kind = type & 3;
	if (kind !== RTNL_KIND_GET && !netlink_net_capable(skb)) return -EPERM;
	if (kind === RTNL_KIND_GET && (nlh.nlmsg_flags & NLM_F_DUMP) !== 0) {
		let link = rtnl_get_link(machine, family, type);
		if (link?.dumpit == null) link = rtnl_get_link(machine, 0, type);
		if (link?.dumpit == null) return -EOPNOTSUPP;
		const rtnl = rtnl_sock(net);
		if (rtnl === null) return -EINTR;
		return netlink_dump_start(rtnl, skb, nlh, { dump: rtnl_dumpit, data: link });
	}
	if (family > RTNL_FAMILY_MAX) family = 0;
	let link = rtnl_get_link(machine, family, type);
	if (link?.doit == null) link = rtnl_get_link(machine, 0, type);
	if (link?.doit == null) return -EOPNOTSUPP;
	const bulk = kind === RTNL_KIND_DEL && (nlh.nlmsg_flags & NLM_F_BULK) !== 0;
	if (bulk && (link.flags & RTNL_FLAG_BULK_DEL_SUPPORTED) === 0) {
		NL_SET_ERR_MSG(extack, 'Bulk delete is not supported');
		return -EOPNOTSUPP;
	}
	return link.doit(skb, nlh, extack);
}

function rtnetlink_rcv(skb: netlink_skb): void {
	netlink_rcv_skb(skb, rtnetlink_rcv_msg);
}

// ---- news of links ----

/** IFLA_EVENT_* of a notifier's event; 0: none. */
function rtnl_get_event(event: number): number {
	switch (event) {
		case NETDEV_REBOOT:
			return 1;
		case NETDEV_FEAT_CHANGE:
			return 2;
		case NETDEV_NOTIFY_PEERS:
			return 4;
		default:
			return 0;
	}
}

function rtmsg_ifinfo_event(
	type: number,
	dev: net_device,
	change: number,
	event: number,
	portid: number,
	nlh: nlmsghdr | null,
	new_nsid: number,
	new_ifindex: number,
): void {
	const skb = nlmsg_new(dev.net);
	const seq = nlh === null ? 0 : nlh.nlmsg_seq;
	rtnl_fill_ifinfo(skb, dev, type, portid, seq, change, 0, 0, event, -1, new_nsid, new_ifindex);
	rtnl_notify(skb, dev.net, portid, RTNLGRP_LINK, nlh);
}

/** Tells of a link: RTM_NEWLINK or RTM_DELLINK; `change` are the flags that changed. */
export function rtmsg_ifinfo(
	type: number,
	dev: net_device,
	change: number,
	portid = 0,
	nlh: nlmsghdr | null = null,
): void {
	rtmsg_ifinfo_event(type, dev, change, 0, portid, nlh, -1, 0);
}

/** What dev.ts calls. `new_net`, `new_ifindex`: where a link goes that leaves its namespace. */
function rtmsg_ifinfo_dev(
	type: number,
	dev: net_device,
	change: number,
	new_net?: net | null,
	new_ifindex?: number,
): void {
	const nsid = new_net == null ? -1 : peernet2id_alloc(dev.net, new_net);
	rtmsg_ifinfo_event(type, dev, change, 0, 0, null, nsid, new_ifindex ?? 0);
}

function rtnetlink_event(_machine: Machine, event: number, dev: net_device): number {
	switch (event) {
		case NETDEV_REBOOT:
		case NETDEV_CHANGEMTU:
		case NETDEV_CHANGEADDR:
		case NETDEV_CHANGENAME:
		case NETDEV_FEAT_CHANGE:
		case NETDEV_NOTIFY_PEERS:
		case NETDEV_CHANGEUPPER:
		case NETDEV_CHANGE_TX_QUEUE_LEN:
			rtmsg_ifinfo_event(RTM_NEWLINK, dev, 0, rtnl_get_event(event), 0, null, -1, 0);
			break;
		default:
			break;
	}
	return 0;
}

// ---- boot ----

function rtnetlink_net_init(net: net): number {
	netlink_kernel_create(net, NETLINK_ROUTE, {
		groups: RTNLGRP_MAX,
		flags: NL_CFG_F_NONROOT_RECV,
		input: rtnetlink_rcv,
	});
	return 0;
}

function rtnetlink_net_exit(net: net): void {
	const rtnl = rtnl_sock(net);
	if (rtnl !== null) netlink_kernel_release(rtnl);
}

/** Opens NETLINK_ROUTE. Boot: after netlink_proto_init and net_dev_init, before what registers messages. */
export function rtnetlink_init(machine: Machine): void {
	machine.rtnl = new rtnl_global();
	machine.net.rtmsg_ifinfo = rtmsg_ifinfo_dev;
	register_pernet_subsys(machine, { name: 'rtnetlink', init: rtnetlink_net_init, exit: rtnetlink_net_exit });
	const notifier: netdev_notifier = { notifier_call: rtnetlink_event, priority: 0 };
	machine.rtnl.notifier = notifier;
	register_netdevice_notifier(machine, notifier);
	rtnl_link_init(machine);
	rtnl_net_init(machine);
	rtnl_register(machine, 0, RTM_GETADDR, null, rtnl_dump_all);
	rtnl_register(machine, 0, RTM_GETROUTE, null, rtnl_dump_all);
}
