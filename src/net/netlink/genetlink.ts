/*
 * net/netlink/genetlink.ts: generic netlink: families by name.     Linux: net/netlink/genetlink.c
 * Walk: genl_rcv -> genl_rcv_msg -> a family's op; the family `nlctrl` tells which families there are (CTRL_CMD_GETFAMILY).
 * Not here yet: CTRL_CMD_GETPOLICY, per-operation checks of rights, split operations.
 */
import type { Machine } from '../../kernel/machine.ts';
import {
	NL_SET_ERR_MSG,
	NLA_NUL_STRING,
	NLA_U16,
	type netlink_ext_ack,
	nla_get_string,
	nla_get_u16,
	nla_nest_end,
	nla_nest_start_noflag,
	type nla_policy_table,
	nla_put_string,
	nla_put_u16,
	nla_put_u32,
	type nlattr_table,
	nlmsg_end,
	nlmsg_len,
	nlmsg_parse_deprecated,
	nlmsg_put,
	nlmsg_put_data,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { EEXIST, EINVAL, EMSGSIZE, ENOENT, EOPNOTSUPP, EPERM } from '../../uapi/asm-generic/errno.ts';
import { NETLINK_GENERIC, NLM_F_DUMP, NLM_F_MULTI } from '../../uapi/linux/netlink.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import {
	NL_CFG_F_NONROOT_RECV,
	netlink_dump_start,
	netlink_kernel_create,
	netlink_kernel_release,
	netlink_kernel_sock,
	netlink_net_capable,
	netlink_rcv_skb,
	nlmsg_multicast,
	nlmsg_unicast,
} from './af_netlink.ts';
import { type netlink_callback, type netlink_skb, nlmsg_new } from './netlink.ts';

export const GENL_HDRLEN = 4;
export const GENL_ID_CTRL = 16;
const GENL_MAX_ID = 1023;

export const CTRL_CMD_NEWFAMILY = 1;
export const CTRL_CMD_GETFAMILY = 3;
export const CTRL_ATTR_FAMILY_ID = 1;
export const CTRL_ATTR_FAMILY_NAME = 2;
export const CTRL_ATTR_VERSION = 3;
export const CTRL_ATTR_HDRSIZE = 4;
export const CTRL_ATTR_MAXATTR = 5;
export const CTRL_ATTR_OPS = 6;
export const CTRL_ATTR_MCAST_GROUPS = 7;
const CTRL_ATTR_MAX = 10;
const CTRL_ATTR_OP_ID = 1;
const CTRL_ATTR_OP_FLAGS = 2;
const CTRL_ATTR_MCAST_GRP_NAME = 1;
const CTRL_ATTR_MCAST_GRP_ID = 2;

export const GENL_ADMIN_PERM = 1;
export const GENL_CMD_CAP_DO = 2;
export const GENL_CMD_CAP_DUMP = 4;
export const GENL_CMD_CAP_HASPOL = 8;

/** What an operation sees of its request. */
export interface genl_info {
	snd_portid: number;
	snd_seq: number;
	nlhdr: nlmsghdr;
	family: genl_family;
	cmd: number;
	attrs: nlattr_table;
	net: net;
	extack: netlink_ext_ack;
}

export interface genl_ops {
	cmd: number;
	/** GENL_ADMIN_PERM. */
	flags: number;
	doit: ((skb: netlink_skb, info: genl_info) => number) | null;
	dumpit: ((skb: netlink_skb, cb: netlink_callback) => number) | null;
}

export class genl_family {
	/** Given at registration. */
	id = 0;
	/** Number of the first group. */
	mcgrp_offset = 0;
	name: string;
	version: number;
	maxattr: number;
	policy: nla_policy_table | null;
	ops: readonly genl_ops[];
	mcgrps: readonly string[];

	constructor(
		name: string,
		version: number,
		maxattr: number,
		policy: nla_policy_table | null,
		ops: readonly genl_ops[],
		mcgrps: readonly string[] = [],
	) {
		this.name = name;
		this.version = version;
		this.maxattr = maxattr;
		this.policy = policy;
		this.ops = ops;
		this.mcgrps = mcgrps;
	}
}

export class genl_global {
	families: genl_family[] = [];
	/** Group numbers given out; 1 to 15 are left to the old fixed ids. */
	last_group = 15;
}

/** Opens a family. Return: 0, or -EEXIST. */
export function genl_register_family(machine: Machine, family: genl_family): number {
	const g = machine.genl;
	if (g.families.some((f) => f.name === family.name)) return -EEXIST;
	if (family.name === 'nlctrl') family.id = GENL_ID_CTRL;
	else {
		// 16, 17 and 18 are fixed.
		let id = 19;
		while (g.families.some((f) => f.id === id)) id++;
		if (id > GENL_MAX_ID) return -EEXIST;
		family.id = id;
	}
	family.mcgrp_offset = family.name === 'nlctrl' ? GENL_ID_CTRL : g.last_group + 2;
	if (family.name !== 'nlctrl') g.last_group += family.mcgrps.length;
	g.families.push(family);
	return 0;
}

/** Begins a message of a family in `skb`. Return: its offset, or -EMSGSIZE. */
export function genlmsg_put(
	skb: netlink_skb,
	portid: number,
	seq: number,
	family: genl_family,
	flags: number,
	cmd: number,
): number {
	const nlh = nlmsg_put(skb, portid, seq, family.id, GENL_HDRLEN, flags);
	if (nlh < 0) return nlh;
	const at = nlmsg_put_data(nlh);
	skb.data[at] = cmd;
	skb.data[at + 1] = family.version;
	return nlh;
}

/** Tells the listeners of a family's group (by its place in `mcgrps`). */
export function genlmsg_multicast_netns(
	family: genl_family,
	net: net,
	skb: netlink_skb,
	portid: number,
	group: number,
): number {
	const sk = netlink_kernel_sock(net, NETLINK_GENERIC);
	return sk === null ? 0 : nlmsg_multicast(sk, skb, portid, family.mcgrp_offset + group);
}

export function genlmsg_reply(skb: netlink_skb, info: genl_info): number {
	const sk = netlink_kernel_sock(info.net, NETLINK_GENERIC);
	return sk === null ? 0 : nlmsg_unicast(sk, skb, info.snd_portid);
}

function genl_rcv_msg(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const { net } = skb;
	const family = net.machine.genl.families.find((f) => f.id === nlh.nlmsg_type);
	if (family === undefined) return -ENOENT;
	if (nlmsg_len(nlh) < GENL_HDRLEN) return -EINVAL;
	const cmd = nlh.buf[nlh.data];
	const op = family.ops.find((o) => o.cmd === cmd);
	if (op === undefined) return -EOPNOTSUPP;
	if ((op.flags & GENL_ADMIN_PERM) !== 0 && !netlink_net_capable(skb)) return -EPERM;
	if ((nlh.nlmsg_flags & NLM_F_DUMP) === NLM_F_DUMP) {
		if (op.dumpit === null) return -EOPNOTSUPP;
		const sk = netlink_kernel_sock(net, NETLINK_GENERIC)!;
		return netlink_dump_start(sk, skb, nlh, { dump: op.dumpit, data: family });
	}
	if (op.doit === null) return -EOPNOTSUPP;
	const attrs: nlattr_table = [];
	const err = nlmsg_parse_deprecated(nlh, GENL_HDRLEN, attrs, family.maxattr, family.policy, extack);
	if (err < 0) return err;
	return op.doit(skb, {
		snd_portid: skb.portid,
		snd_seq: nlh.nlmsg_seq,
		nlhdr: nlh,
		family,
		cmd,
		attrs,
		net,
		extack,
	});
}

function genl_rcv(skb: netlink_skb): void {
	netlink_rcv_skb(skb, genl_rcv_msg);
}

// ---- nlctrl ----

function ctrl_fill_info(family: genl_family, portid: number, seq: number, flags: number, skb: netlink_skb): number {
	const ctrl = skb.net.machine.genl.families[0];
	const nlh = genlmsg_put(skb, portid, seq, ctrl, flags, CTRL_CMD_NEWFAMILY);
	if (nlh < 0) return -EMSGSIZE;
	let err = nla_put_string(skb, CTRL_ATTR_FAMILY_NAME, family.name);
	err |= nla_put_u16(skb, CTRL_ATTR_FAMILY_ID, family.id);
	err |= nla_put_u32(skb, CTRL_ATTR_VERSION, family.version);
	err |= nla_put_u32(skb, CTRL_ATTR_HDRSIZE, 0);
	err |= nla_put_u32(skb, CTRL_ATTR_MAXATTR, family.maxattr);
	if (family.ops.length > 0) {
		const ops = nla_nest_start_noflag(skb, CTRL_ATTR_OPS);
		family.ops.forEach((op, i) => {
			const nest = nla_nest_start_noflag(skb, i + 1);
			let f = op.flags;
			if (op.doit !== null) f |= GENL_CMD_CAP_DO;
			if (op.dumpit !== null) f |= GENL_CMD_CAP_DUMP;
			if (family.policy !== null) f |= GENL_CMD_CAP_HASPOL;
			err |= nla_put_u32(skb, CTRL_ATTR_OP_ID, op.cmd);
			err |= nla_put_u32(skb, CTRL_ATTR_OP_FLAGS, f);
			if (nest >= 0) nla_nest_end(skb, nest);
		});
		if (ops < 0) err = ops;
		else nla_nest_end(skb, ops);
	}
	if (family.mcgrps.length > 0) {
		const grps = nla_nest_start_noflag(skb, CTRL_ATTR_MCAST_GROUPS);
		family.mcgrps.forEach((name, i) => {
			const nest = nla_nest_start_noflag(skb, i + 1);
			err |= nla_put_u32(skb, CTRL_ATTR_MCAST_GRP_ID, family.mcgrp_offset + i);
			err |= nla_put_string(skb, CTRL_ATTR_MCAST_GRP_NAME, name);
			if (nest >= 0) nla_nest_end(skb, nest);
		});
		if (grps < 0) err = grps;
		else nla_nest_end(skb, grps);
	}
	if (err < 0) {
		skb.len = nlh;
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

function ctrl_getfamily(_skb: netlink_skb, info: genl_info): number {
	const { families } = info.net.machine.genl;
	const id = info.attrs[CTRL_ATTR_FAMILY_ID];
	const name = info.attrs[CTRL_ATTR_FAMILY_NAME];
	if (id === null && name === null) {
		NL_SET_ERR_MSG(info.extack, 'Missing family id or name');
		return -EINVAL;
	}
	const found = families.find((f) => (name !== null ? f.name === nla_get_string(name) : f.id === nla_get_u16(id!)));
	if (found === undefined) return -ENOENT;
	const msg = nlmsg_new(info.net);
	ctrl_fill_info(found, info.snd_portid, info.snd_seq, 0, msg);
	return genlmsg_reply(msg, info);
}

function ctrl_dumpfamily(skb: netlink_skb, cb: netlink_callback): number {
	const { families } = skb.net.machine.genl;
	for (; cb.args[0] < families.length; cb.args[0]++) {
		const f = families[cb.args[0]];
		if (ctrl_fill_info(f, cb.skb.portid, cb.nlh.nlmsg_seq, NLM_F_MULTI, skb) < 0) return -EMSGSIZE;
	}
	return 0;
}

const ctrl_policy: nla_policy_table = {
	[CTRL_ATTR_FAMILY_ID]: { type: NLA_U16 },
	[CTRL_ATTR_FAMILY_NAME]: { type: NLA_NUL_STRING, len: 15 },
};

function genl_pernet_init(net: net): number {
	netlink_kernel_create(net, NETLINK_GENERIC, { groups: 32, flags: NL_CFG_F_NONROOT_RECV, input: genl_rcv });
	return 0;
}

function genl_pernet_exit(net: net): void {
	const sk = netlink_kernel_sock(net, NETLINK_GENERIC);
	if (sk !== null) netlink_kernel_release(sk);
}

/** Opens NETLINK_GENERIC with its family `nlctrl`. Boot: after netlink_proto_init, before families register. */
export function genl_init(machine: Machine): void {
	machine.genl = new genl_global();
	const ops: genl_ops[] = [{ cmd: CTRL_CMD_GETFAMILY, flags: 0, doit: ctrl_getfamily, dumpit: ctrl_dumpfamily }];
	genl_register_family(machine, new genl_family('nlctrl', 2, CTRL_ATTR_MAX, ctrl_policy, ops, ['notify']));
	register_pernet_subsys(machine, { name: 'genl', init: genl_pernet_init, exit: genl_pernet_exit });
}
