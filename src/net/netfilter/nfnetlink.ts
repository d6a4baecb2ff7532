/*
 * net/netfilter/nfnetlink.ts: netfilter's part of netlink, shared out among subsystems.   Linux: net/netfilter/nfnetlink.c
 * A message's type is subsystem << 8 | message; behind its header stand four bytes: family, version, resource id.
 * Not here yet: batches (nf_tables).
 */
import type { Machine } from '../../kernel/machine.ts';
import {
	__nla_parse,
	NL_VALIDATE_LIBERAL,
	NLMSG_HDRLEN,
	type netlink_ext_ack,
	type nla_policy_table,
	type nlattr_table,
	type nlbuf,
	nlmsg_put,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { EBUSY, EINVAL, EPERM } from '../../uapi/asm-generic/errno.ts';
import {
	NFNL_SUBSYS_COUNT,
	NFNLGRP_CONNTRACK_DESTROY,
	NFNLGRP_CONNTRACK_NEW,
	NFNLGRP_CONNTRACK_UPDATE,
	NFNLGRP_MAX,
} from '../../uapi/linux/netfilter/nfnetlink.ts';
import { NETLINK_NETFILTER } from '../../uapi/linux/netlink.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import {
	NL_CFG_F_NONROOT_RECV,
	netlink_has_listeners,
	netlink_kernel_create,
	netlink_kernel_release,
	netlink_kernel_sock,
	netlink_net_capable,
	netlink_rcv_skb,
	nlmsg_notify,
	nlmsg_unicast,
} from '../netlink/af_netlink.ts';
import type { netlink_skb } from '../netlink/netlink.ts';

/** What a handler is told beside the message. */
export interface nfnl_info {
	net: net;
	skb: netlink_skb;
	nlh: nlmsghdr;
	nfgen_family: number;
	res_id: number;
	extack: netlink_ext_ack;
}

export interface nfnl_callback {
	/** Return: 0 or -errno (-EINTR after a dump was begun). */
	call: (info: nfnl_info, cda: nlattr_table) => number;
	attr_count: number;
	policy: nla_policy_table | null;
}

export interface nfnetlink_subsystem {
	name: string;
	subsys_id: number;
	/** By message number; null where there is none. */
	cb: readonly (nfnl_callback | null)[];
}

export const NFGENMSG_LEN = 4;

/** Return: 0, or -EBUSY when the subsystem is there already. */
export function nfnetlink_subsys_register(machine: Machine, n: nfnetlink_subsystem): number {
	const table = machine.ct.nfnl_subsys;
	if (table[n.subsys_id] !== null) return -EBUSY;
	table[n.subsys_id] = n;
	return 0;
}

export function nfnetlink_subsys_unregister(machine: Machine, n: nfnetlink_subsystem): void {
	machine.ct.nfnl_subsys[n.subsys_id] = null;
}

/** Begins a message with its netfilter header. Return: the message's offset, or -EMSGSIZE. */
export function nfnl_msg_put(
	skb: nlbuf,
	portid: number,
	seq: number,
	type: number,
	flags: number,
	family: number,
	version: number,
	res_id: number,
): number {
	const at = nlmsg_put(skb, portid, seq, type, NFGENMSG_LEN, flags);
	if (at < 0) return at;
	const d = skb.data;
	d[at + NLMSG_HDRLEN] = family;
	d[at + NLMSG_HDRLEN + 1] = version;
	d[at + NLMSG_HDRLEN + 2] = res_id >>> 8;
	d[at + NLMSG_HDRLEN + 3] = res_id;
	return at;
}

export function nfnl_msg_type(subsys: number, msg_type: number): number {
	return (subsys << 8) | msg_type;
}

export function nfnetlink_has_listeners(net: net, group: number): boolean {
	const sk = netlink_kernel_sock(net, NETLINK_NETFILTER);
	return sk !== null && netlink_has_listeners(sk, group);
}

/** To a group's listeners, and to the asker where he wants it (`report`). */
export function nfnetlink_send(skb: netlink_skb, net: net, portid: number, group: number, report: boolean): number {
	const sk = netlink_kernel_sock(net, NETLINK_NETFILTER);
	return sk === null ? 0 : nlmsg_notify(sk, skb, portid, group, report);
}

export function nfnetlink_unicast(skb: netlink_skb, net: net, portid: number): number {
	const sk = netlink_kernel_sock(net, NETLINK_NETFILTER);
	return sk === null ? 0 : nlmsg_unicast(sk, skb, portid);
}

function nfnetlink_rcv_msg(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	// All netlink of netfilter is for those who administer the namespace.
	if (!netlink_net_capable(skb)) return -EPERM;
	if (nlh.nlmsg_len < NLMSG_HDRLEN + NFGENMSG_LEN) return 0;
	const ss = net.machine.ct.nfnl_subsys[nlh.nlmsg_type >> 8] ?? null;
	if (ss === null) return -EINVAL;
	const nc = ss.cb[nlh.nlmsg_type & 255] ?? null;
	if (nc === null) return -EINVAL;
	const cda: nlattr_table = new Array(nc.attr_count + 1).fill(null);
	const at = nlh.data;
	const err = __nla_parse(
		cda,
		nc.attr_count,
		nlh.buf,
		at + NFGENMSG_LEN,
		nlh.end,
		nc.policy,
		NL_VALIDATE_LIBERAL,
		extack,
	);
	if (err < 0) return err;
	return nc.call(
		{
			net,
			skb,
			nlh,
			nfgen_family: nlh.buf[at],
			res_id: (nlh.buf[at + 2] << 8) | nlh.buf[at + 3],
			extack,
		},
		cda,
	);
}

function nfnetlink_rcv(skb: netlink_skb): void {
	netlink_rcv_skb(skb, nfnetlink_rcv_msg);
}

function is_conntrack_group(group: number): boolean {
	return group === NFNLGRP_CONNTRACK_NEW || group === NFNLGRP_CONNTRACK_UPDATE || group === NFNLGRP_CONNTRACK_DESTROY;
}

/** Entries made from now on report their events. */
function nfnetlink_bind(net: net, group: number): number {
	if (is_conntrack_group(group)) net.ct.ctnetlink_has_listener = true;
	return 0;
}

function nfnetlink_unbind(net: net, group: number): void {
	if (!is_conntrack_group(group)) return;
	net.ct.ctnetlink_has_listener =
		nfnetlink_has_listeners(net, NFNLGRP_CONNTRACK_NEW) ||
		nfnetlink_has_listeners(net, NFNLGRP_CONNTRACK_UPDATE) ||
		nfnetlink_has_listeners(net, NFNLGRP_CONNTRACK_DESTROY);
}

function nfnetlink_net_init(net: net): number {
	netlink_kernel_create(net, NETLINK_NETFILTER, {
		groups: NFNLGRP_MAX,
		flags: NL_CFG_F_NONROOT_RECV,
		input: nfnetlink_rcv,
		bind: nfnetlink_bind,
		unbind: nfnetlink_unbind,
	});
	return 0;
}

function nfnetlink_net_exit(net: net): void {
	const sk = netlink_kernel_sock(net, NETLINK_NETFILTER);
	if (sk !== null) netlink_kernel_release(sk);
}

/** Opens NETLINK_NETFILTER. Boot: after netlink_proto_init and nf_conntrack_standalone_init. */
export function nfnetlink_init(machine: Machine): void {
	machine.ct.nfnl_subsys = new Array(NFNL_SUBSYS_COUNT).fill(null);
	register_pernet_subsys(machine, { name: 'nfnetlink', init: nfnetlink_net_init, exit: nfnetlink_net_exit });
}
