/*
 * net/core/rtnl_nsid.ts: numbers that one namespace has for others.   Linux: net/core/net_namespace.c (the rtnetlink half)
 * RTM_NEWNSID, RTM_GETNSID; and how a message names a namespace: by process, by descriptor, by id.
 */
import type { Machine } from '../../kernel/machine.ts';
import type { task_struct } from '../../kernel/sched.ts';
import {
	NL_SET_BAD_ATTR,
	NL_SET_ERR_MSG,
	NL_SET_ERR_MSG_ATTR,
	NLA_S32,
	NLA_U32,
	type netlink_ext_ack,
	nla_get_s32,
	nla_get_u32,
	type nla_policy_table,
	nla_put_s32,
	type nlattr_table,
	nlmsg_end,
	nlmsg_parse_deprecated,
	nlmsg_parse_deprecated_strict,
	nlmsg_put,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { EBADF, EEXIST, EINVAL, EMSGSIZE, ENOSPC, ESRCH } from '../../uapi/asm-generic/errno.ts';
import { NLM_F_DUMP_FILTERED, NLM_F_MULTI } from '../../uapi/linux/netlink.ts';
import { RTM_DELNSID, RTM_GETNSID, RTM_NEWNSID, RTNLGRP_NSID } from '../../uapi/linux/rtnetlink.ts';
import { netlink_strict_get_check } from '../netlink/af_netlink.ts';
import { type netlink_callback, type netlink_skb, nl_dump_check_consistent, nlmsg_new } from '../netlink/netlink.ts';
import { socket } from '../socket.ts';
import { type net, register_pernet_subsys } from './net_namespace.ts';
import { rtnl_notify, rtnl_register, rtnl_unicast } from './rtnetlink.ts';

export const NETNSA_NSID = 1;
export const NETNSA_PID = 2;
export const NETNSA_FD = 3;
export const NETNSA_TARGET_NSID = 4;
export const NETNSA_CURRENT_NSID = 5;
export const NETNSA_MAX = 5;
export const NETNSA_NSID_NOT_ASSIGNED = -1;

const rtnl_net_policy: nla_policy_table = {
	[NETNSA_NSID]: { type: NLA_S32 },
	[NETNSA_PID]: { type: NLA_U32 },
	[NETNSA_FD]: { type: NLA_U32 },
	[NETNSA_TARGET_NSID]: { type: NLA_S32 },
};

// ---- finding namespaces ----

/** The namespace of a process. Return: it, or -ESRCH. */
export function get_net_ns_by_pid(machine: Machine, pid: number): net | number {
	for (const t of machine.tasks) if (t.pid === pid) return t.nsproxy.net_ns;
	return pid === 1 ? machine.init_net : -ESRCH;
}

/** The namespace behind an open file of `task`. Return: it, -EBADF, or -EINVAL when the file is no namespace. */
export function get_net_ns_by_fd(task: task_struct | null, fd: number): net | number {
	const f = task === null ? undefined : task.files[fd];
	if (f === undefined || f === null) return -EBADF;
	if (f instanceof socket || !('net' in f)) return -EINVAL;
	return f.net as net;
}

/** The namespace that `net` knows as `id`; null: none. */
export function get_net_ns_by_id(net: net, id: number): net | null {
	for (const [peer, nsid] of net.netns_ids) if (nsid === id && !peer.dead) return peer;
	return null;
}

/** The id of `peer` in `net`, or -1. */
export function peernet2id(net: net, peer: net): number {
	return net.netns_ids.get(peer) ?? NETNSA_NSID_NOT_ASSIGNED;
}

/** Gives `peer` an id in `net`: `reqid`, or the lowest free one when that is negative. Return: it, or -ENOSPC. */
function alloc_netid(net: net, peer: net, reqid: number): number {
	let id = reqid;
	if (reqid >= 0) {
		if (get_net_ns_by_id(net, reqid) !== null) return -ENOSPC;
	} else {
		for (id = 0; get_net_ns_by_id(net, id) !== null; id++);
	}
	net.netns_ids.set(peer, id);
	return id;
}

/** The id of `peer` in `net`, given now when it has none. Return: it, or -1 for a namespace that is going. */
export function peernet2id_alloc(net: net, peer: net, portid = 0, nlh: nlmsghdr | null = null): number {
	if (net.dead || peer.dead) return NETNSA_NSID_NOT_ASSIGNED;
	const id = peernet2id(net, peer);
	if (id >= 0) return id;
	const fresh = alloc_netid(net, peer, -1);
	rtnl_net_notifyid(net, RTM_NEWNSID, fresh, portid, nlh);
	return fresh;
}

// ---- messages ----

function rtnl_net_fill(
	skb: netlink_skb,
	portid: number,
	seq: number,
	flags: number,
	cmd: number,
	nsid: number,
	ref_nsid: number | null,
): number {
	const nlh = nlmsg_put(skb, portid, seq, cmd, 1, flags);
	if (nlh < 0) return -EMSGSIZE;
	if (nla_put_s32(skb, NETNSA_NSID, nsid) < 0) return -EMSGSIZE;
	if (ref_nsid !== null && nla_put_s32(skb, NETNSA_CURRENT_NSID, ref_nsid) < 0) return -EMSGSIZE;
	nlmsg_end(skb, nlh);
	return 0;
}

function rtnl_net_notifyid(net: net, cmd: number, id: number, portid: number, nlh: nlmsghdr | null): void {
	const skb = nlmsg_new(net);
	rtnl_net_fill(skb, portid, nlh === null ? 0 : nlh.nlmsg_seq, 0, cmd, id, null);
	rtnl_notify(skb, net, portid, RTNLGRP_NSID, nlh);
}

/** The namespace that NETNSA_PID or NETNSA_FD names. */
function peer_of(skb: netlink_skb, tb: nlattr_table, extack: netlink_ext_ack): net | number {
	const pid = tb[NETNSA_PID];
	const fd = tb[NETNSA_FD];
	if (pid === null && fd === null) {
		NL_SET_ERR_MSG(extack, 'Peer netns reference is missing');
		return -EINVAL;
	}
	const peer =
		pid !== null
			? get_net_ns_by_pid(skb.net.machine, nla_get_u32(pid))
			: get_net_ns_by_fd(skb.sk?.sk_socket?.task ?? null, nla_get_u32(fd!));
	if (typeof peer === 'number') {
		NL_SET_BAD_ATTR(extack, pid ?? fd);
		NL_SET_ERR_MSG(extack, 'Peer netns reference is invalid');
	}
	return peer;
}

function rtnl_net_newid(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const tb: nlattr_table = [];
	const err = nlmsg_parse_deprecated(nlh, 1, tb, NETNSA_MAX, rtnl_net_policy, extack);
	if (err < 0) return err;
	if (tb[NETNSA_NSID] === null) {
		NL_SET_ERR_MSG(extack, 'nsid is missing');
		return -EINVAL;
	}
	const nsid = nla_get_s32(tb[NETNSA_NSID]);
	const peer = peer_of(skb, tb, extack);
	if (typeof peer === 'number') return peer;
	if (peernet2id(net, peer) >= 0) {
		NL_SET_BAD_ATTR(extack, tb[NETNSA_PID] ?? tb[NETNSA_FD]);
		NL_SET_ERR_MSG(extack, 'Peer netns already has a nsid assigned');
		return -EEXIST;
	}
	const id = alloc_netid(net, peer, nsid);
	if (id === -ENOSPC) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NETNSA_NSID], 'The specified nsid is already used');
		return -EEXIST;
	}
	rtnl_net_notifyid(net, RTM_NEWNSID, id, skb.portid, nlh);
	return 0;
}

function rtnl_net_getid(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const tb: nlattr_table = [];
	const parse = netlink_strict_get_check(skb) ? nlmsg_parse_deprecated_strict : nlmsg_parse_deprecated;
	const err = parse(nlh, 1, tb, NETNSA_MAX, rtnl_net_policy, extack);
	if (err < 0) return err;
	let peer: net | number | null;
	const nsid = tb[NETNSA_NSID];
	if (tb[NETNSA_PID] === null && tb[NETNSA_FD] === null && nsid !== null) {
		peer = get_net_ns_by_id(net, nla_get_s32(nsid));
		if (peer === null) {
			NL_SET_BAD_ATTR(extack, nsid);
			NL_SET_ERR_MSG(extack, 'Peer netns reference is invalid');
			return -ESRCH;
		}
	} else {
		peer = peer_of(skb, tb, extack);
	}
	if (typeof peer === 'number') return peer;
	let target = net;
	const tgt = tb[NETNSA_TARGET_NSID];
	if (tgt !== null) {
		const t = get_net_ns_by_id(net, nla_get_s32(tgt));
		if (t === null) {
			NL_SET_ERR_MSG_ATTR(extack, tgt, 'Target netns reference is invalid');
			return -EINVAL;
		}
		target = t;
	}
	const msg = nlmsg_new(net);
	const ref = tgt === null ? null : peernet2id(net, peer);
	rtnl_net_fill(msg, skb.portid, nlh.nlmsg_seq, 0, RTM_NEWNSID, peernet2id(target, peer), ref);
	return rtnl_unicast(msg, net, skb.portid);
}

function rtnl_net_dumpid(skb: netlink_skb, cb: netlink_callback): number {
	const net = cb.net;
	let target = net;
	let ref = false;
	if (cb.strict_check) {
		const tb: nlattr_table = [];
		const err = nlmsg_parse_deprecated_strict(cb.nlh, 1, tb, NETNSA_MAX, rtnl_net_policy, cb.extack);
		if (err < 0) return err;
		for (let i = 0; i <= NETNSA_MAX; i++) {
			const a = tb[i];
			if (a === null || a === undefined) continue;
			if (i !== NETNSA_TARGET_NSID) {
				NL_SET_ERR_MSG_ATTR(cb.extack, a, 'Unsupported attribute in dump request');
				return -EINVAL;
			}
			const t = get_net_ns_by_id(net, nla_get_s32(a));
			if (t === null) {
				NL_SET_ERR_MSG_ATTR(cb.extack, a, 'Invalid target network namespace id');
				return -EINVAL;
			}
			target = t;
			ref = true;
			cb.answer_flags |= NLM_F_DUMP_FILTERED;
		}
	}
	const ids = [...target.netns_ids].filter(([peer]) => !peer.dead).sort((a, b) => a[1] - b[1]);
	while (cb.args[0] < ids.length) {
		const [peer, id] = ids[cb.args[0]];
		const at = skb.len;
		const flags = NLM_F_MULTI;
		const r = ref ? peernet2id(net, peer) : null;
		if (rtnl_net_fill(skb, cb.skb.portid, cb.nlh.nlmsg_seq, flags, RTM_NEWNSID, id, r) < 0) {
			skb.len = at;
			return -EMSGSIZE;
		}
		nl_dump_check_consistent(cb, skb, at);
		cb.args[0]++;
	}
	return skb.len;
}

function nsid_net_init(_net: net): number {
	return 0;
}

/** A namespace goes: others forget its id, and tell. */
function nsid_net_exit(gone: net): void {
	for (const n of gone.machine.net_namespaces) {
		const id = n.netns_ids.get(gone);
		if (id === undefined) continue;
		if (n !== gone) rtnl_net_notifyid(n, RTM_DELNSID, id, 0, null);
		n.netns_ids.delete(gone);
	}
}

export function rtnl_net_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'nsid', init: nsid_net_init, exit: nsid_net_exit });
	rtnl_register(machine, 0, RTM_NEWNSID, rtnl_net_newid, null);
	rtnl_register(machine, 0, RTM_GETNSID, rtnl_net_getid, rtnl_net_dumpid);
}
