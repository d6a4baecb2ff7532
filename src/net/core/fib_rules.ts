/*
 * net/core/fib_rules.ts: policy routing: the list of rules that says which table is asked.   Linux: net/core/fib_rules.c, net/fib_rules.h
 * Walk: fib_rules_lookup tries the rules by priority (fib_rule_match, then the family's match and action);
 *       fib_newrule, fib_delrule, fib_nl_dumprule answer rtnetlink; fib_rules_event follows devices by name.
 * Not here yet: l3mdev rules (VRFs), tunnel ids.
 */
import type { Machine } from '../../kernel/machine.ts';
import {
	NL_SET_ERR_MSG,
	NLA_BINARY,
	NLA_STRING,
	NLA_U8,
	NLA_U32,
	NLA_U64,
	NLA_UNSPEC,
	type netlink_ext_ack,
	nla_get_string,
	nla_get_u8,
	nla_get_u16,
	nla_get_u32,
	type nla_policy_table,
	nla_put_string,
	nla_put_u8,
	nla_put_u16,
	nla_put_u32,
	nla_reserve,
	type nlattr_table,
	nlmsg_attrdata,
	nlmsg_cancel,
	nlmsg_end,
	nlmsg_len,
	nlmsg_parse_deprecated,
	nlmsg_put,
	nlmsg_put_data,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	EAFNOSUPPORT,
	EAGAIN,
	EEXIST,
	EINVAL,
	EMSGSIZE,
	ENOENT,
	EOPNOTSUPP,
	EPERM,
	ESRCH,
} from '../../uapi/asm-generic/errno.ts';
import {
	FIB_RULE_IIF_DETACHED,
	FIB_RULE_INVERT,
	FIB_RULE_OIF_DETACHED,
	FIB_RULE_PERMANENT,
	FIB_RULE_UNRESOLVED,
	FR_ACT_GOTO,
	FR_ACT_NOP,
	FR_ACT_TO_TBL,
	FRA_DPORT_RANGE,
	FRA_DST,
	FRA_FWMARK,
	FRA_FWMASK,
	FRA_GOTO,
	FRA_IIFNAME,
	FRA_IP_PROTO,
	FRA_L3MDEV,
	FRA_OIFNAME,
	FRA_PRIORITY,
	FRA_PROTOCOL,
	FRA_SPORT_RANGE,
	FRA_SRC,
	FRA_SUPPRESS_IFGROUP,
	FRA_SUPPRESS_PREFIXLEN,
	FRA_TABLE,
	FRA_TUN_ID,
	FRA_UID_RANGE,
} from '../../uapi/linux/fib_rules.ts';
import { NLM_F_EXCL, NLM_F_MULTI } from '../../uapi/linux/netlink.ts';
import { RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from '../../uapi/linux/rtnetlink.ts';
import { type netlink_callback, type netlink_skb, nl_dump_check_consistent, nlmsg_new } from '../netlink/netlink.ts';
import { NETDEV_CHANGENAME, NETDEV_REGISTER, NETDEV_UNREGISTER, register_netdevice_notifier } from './dev.ts';
import type { flowi4 } from './flow.ts';
import type { net } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';
import { rtnl_notify, rtnl_register } from './rtnetlink.ts';

// Newer than our copy of the header: Linux 6.18's linux/fib_rules.h.
export const FRA_DSCP = 25;
export const FRA_FLOWLABEL = 26;
export const FRA_FLOWLABEL_MASK = 27;
export const FRA_SPORT_MASK = 28;
export const FRA_DPORT_MASK = 29;
export const FRA_DSCP_MASK = 30;
export const FRA_LAST = 30;

const RT_TABLE_COMPAT = 252;
const RTPROT_KERNEL = 2;

export class fib_rule {
	net: net;
	/** -1: named but not there now; 0: any. */
	iifindex = 0;
	oifindex = 0;
	iifname = '';
	oifname = '';
	mark = 0;
	mark_mask = 0;
	flags = 0;
	table = 0;
	action = 0;
	l3mdev = 0;
	proto = 0;
	ip_proto = 0;
	/** Priority that goto leads to. */
	target = 0;
	ctarget: fib_rule | null = null;
	suppress_ifgroup = -1;
	/** Prefixes of this length or shorter do not count; -1: all do. */
	suppress_prefixlen = -1;
	pref = 0;
	uid_start = 0;
	uid_end = 0xffffffff;
	/** 0, 0: any. */
	sport_start = 0;
	sport_end = 0;
	sport_mask = 0;
	dport_start = 0;
	dport_end = 0;
	dport_mask = 0;
	/** The family's part: fib4_rule's fields. */
	src = 0;
	dst = 0;
	srcmask = 0;
	dstmask = 0;
	src_len = 0;
	dst_len = 0;
	dscp = 0;
	dscp_mask = 0;
	dscp_full = false;
	tclassid = 0;

	constructor(net: net) {
		this.net = net;
	}
}

/** Carries a lookup through the rules. Caller-owned. */
export class fib_lookup_arg {
	result: unknown = null;
	rule: fib_rule | null = null;
	table = 0;
	flags = 0;
}

/** What a family's rules are like. */
export class fib_rules_ops {
	family: number;
	/** Netlink group of its notifications. */
	nlgroup: number;
	net: net;
	rules_list: fib_rule[] = [];
	unresolved_rules = 0;
	nr_goto_rules = 0;
	fib_rules_seq = 0;
	action: (rule: fib_rule, flp: flowi4, flags: number, arg: fib_lookup_arg) => number;
	suppress: (rule: fib_rule, flags: number, arg: fib_lookup_arg) => boolean;
	match: (rule: fib_rule, flp: flowi4, flags: number) => boolean;
	configure: (rule: fib_rule, frh: fib_rule_hdr, tb: nlattr_table, extack: netlink_ext_ack | null) => number;
	delete: (rule: fib_rule) => number;
	compare: (rule: fib_rule, frh: fib_rule_hdr, tb: nlattr_table) => boolean;
	fill: (rule: fib_rule, skb: netlink_skb, hdr: number) => number;
	flush_cache: (ops: fib_rules_ops) => void;

	constructor(family: number, nlgroup: number, net: net, t: fib_rules_family) {
		this.family = family;
		this.nlgroup = nlgroup;
		this.net = net;
		this.action = t.action;
		this.suppress = t.suppress;
		this.match = t.match;
		this.configure = t.configure;
		this.delete = t.delete;
		this.compare = t.compare;
		this.fill = t.fill;
		this.flush_cache = t.flush_cache;
	}
}

/** The functions of a family. */
export type fib_rules_family = Pick<
	fib_rules_ops,
	'action' | 'suppress' | 'match' | 'configure' | 'delete' | 'compare' | 'fill' | 'flush_cache'
>;

/** struct fib_rule_hdr of a request. */
export interface fib_rule_hdr {
	family: number;
	dst_len: number;
	src_len: number;
	tos: number;
	table: number;
	action: number;
	flags: number;
}

export function fib_rules_register(net: net, ops: fib_rules_ops): void {
	net.rules_ops.push(ops);
}

function lookup_rules_ops(net: net, family: number): fib_rules_ops | null {
	for (const ops of net.rules_ops) if (ops.family === family) return ops;
	return null;
}

/** A rule of birth. */
export function fib_default_rule_add(ops: fib_rules_ops, pref: number, table: number): void {
	const r = new fib_rule(ops.net);
	r.action = FR_ACT_TO_TBL;
	r.pref = pref;
	r.table = table;
	r.proto = RTPROT_KERNEL;
	ops.rules_list.push(r);
}

// ---- lookup ----------------------------------------------------------------------------------------------------------------------

function fib_rule_match(rule: fib_rule, ops: fib_rules_ops, fl: flowi4, flags: number): boolean {
	const m =
		(rule.iifindex === 0 || rule.iifindex === fl.flowi4_iif) &&
		(rule.oifindex === 0 || rule.oifindex === fl.flowi4_oif) &&
		((rule.mark ^ fl.flowi4_mark) & rule.mark_mask) === 0 &&
		// No device is in a VRF, so no flow is one's.
		rule.l3mdev === 0 &&
		fl.flowi4_uid >= rule.uid_start &&
		fl.flowi4_uid <= rule.uid_end &&
		ops.match(rule, fl, flags);
	return (rule.flags & FIB_RULE_INVERT) !== 0 ? !m : m;
}

/** Asks the rules in order until one has the answer. Return: what its action said, or -ESRCH; arg.rule is the rule. */
export function fib_rules_lookup(ops: fib_rules_ops, fl: flowi4, flags: number, arg: fib_lookup_arg): number {
	const list = ops.rules_list;
	for (let i = 0; i < list.length; i++) {
		const rule = list[i];
		if (!fib_rule_match(rule, ops, fl, flags)) continue;
		if (rule.action === FR_ACT_GOTO) {
			// Targets lie ahead; the target's own selectors count.
			if (rule.ctarget !== null) i = list.indexOf(rule.ctarget) - 1;
			continue;
		}
		if (rule.action === FR_ACT_NOP) continue;
		const err = ops.action(rule, fl, flags, arg);
		if (err === 0 && ops.suppress(rule, flags, arg)) continue;
		if (err !== -EAGAIN) {
			arg.rule = rule;
			return err;
		}
	}
	return -ESRCH;
}

/** Whether a rule asks for a port that `port` is not. */
export function fib_rule_port_match(start: number, end: number, mask: number, port: number): boolean {
	if (mask !== 0 && mask !== 0xffff) return ((start ^ port) & mask) === 0;
	return port >= start && port <= end;
}

// ---- netlink ---------------------------------------------------------------------------------------------------------------------

const fib_rule_policy: nla_policy_table = {
	[FRA_IIFNAME]: { type: NLA_STRING, len: 15 },
	[FRA_OIFNAME]: { type: NLA_STRING, len: 15 },
	[FRA_PRIORITY]: { type: NLA_U32 },
	[FRA_FWMARK]: { type: NLA_U32 },
	11: { type: NLA_U32 },
	[FRA_TUN_ID]: { type: NLA_U64 },
	[FRA_FWMASK]: { type: NLA_U32 },
	[FRA_TABLE]: { type: NLA_U32 },
	[FRA_SUPPRESS_PREFIXLEN]: { type: NLA_U32 },
	[FRA_SUPPRESS_IFGROUP]: { type: NLA_U32 },
	[FRA_GOTO]: { type: NLA_U32 },
	[FRA_L3MDEV]: { type: NLA_U8 },
	[FRA_UID_RANGE]: { type: NLA_UNSPEC, len: 8 },
	[FRA_PROTOCOL]: { type: NLA_U8 },
	[FRA_IP_PROTO]: { type: NLA_U8 },
	[FRA_SPORT_RANGE]: { type: NLA_UNSPEC, len: 4 },
	[FRA_DPORT_RANGE]: { type: NLA_UNSPEC, len: 4 },
	[FRA_DSCP]: { type: NLA_U8, max: 63 },
	[FRA_SPORT_MASK]: { type: NLA_BINARY, len: 2, min: 2 },
	[FRA_DPORT_MASK]: { type: NLA_BINARY, len: 2, min: 2 },
	[FRA_DSCP_MASK]: { type: NLA_U8, max: 63 },
};

/** Behind the policy: addresses of the wrong length are refused by the family. */
const FRH_LEN = 12;

function fail(extack: netlink_ext_ack | null, err: number, msg: string): number {
	NL_SET_ERR_MSG(extack, msg);
	return -err;
}

function read_hdr(nlh: nlmsghdr): fib_rule_hdr {
	const b = nlh.buf;
	const o = nlh.data;
	return {
		family: b[o],
		dst_len: b[o + 1],
		src_len: b[o + 2],
		tos: b[o + 3],
		table: b[o + 4],
		action: b[o + 7],
		flags: (b[o + 8] | (b[o + 9] << 8) | (b[o + 10] << 16) | (b[o + 11] << 24)) >>> 0,
	};
}

/** The priority of a rule that says none: one less than the second rule's. */
function fib_default_rule_pref(ops: fib_rules_ops): number {
	const list = ops.rules_list;
	if (list.length > 1 && list[1].pref > 0) return list[1].pref - 1;
	return 0;
}

function port_range(
	tb: nlattr_table,
	type: number,
	extack: netlink_ext_ack | null,
): { start: number; end: number } | number {
	const a = tb[type]!;
	const start = a.buf[a.off] | (a.buf[a.off + 1] << 8);
	const end = a.buf[a.off + 2] | (a.buf[a.off + 3] << 8);
	if (start === 0 || end === 0 || end < start || start >= 0xffff || end >= 0xffff) {
		return fail(extack, EINVAL, type === FRA_SPORT_RANGE ? 'Invalid sport range' : 'Invalid dport range');
	}
	return { start, end };
}

/** Reads a request into a rule. Return: the rule (user_pref says whether it named a priority) or -errno. */
function fib_nl2rule(
	net: net,
	ops: fib_rules_ops,
	frh: fib_rule_hdr,
	tb: nlattr_table,
	extack: netlink_ext_ack | null,
): { rule: fib_rule; user_pref: boolean } | number {
	if (frh.src_len !== 0) {
		const a = tb[FRA_SRC];
		if (a === null || frh.src_len > 32 || a.len !== 4) return fail(extack, EINVAL, 'Invalid source address');
	}
	if (frh.dst_len !== 0) {
		const a = tb[FRA_DST];
		if (a === null || frh.dst_len > 32 || a.len !== 4) return fail(extack, EINVAL, 'Invalid dst address');
	}
	const rule = new fib_rule(net);
	let user_pref = false;
	if (tb[FRA_PRIORITY] !== null) {
		rule.pref = nla_get_u32(tb[FRA_PRIORITY]!);
		user_pref = true;
	} else rule.pref = fib_default_rule_pref(ops);
	rule.proto = tb[FRA_PROTOCOL] !== null ? nla_get_u8(tb[FRA_PROTOCOL]!) : 0;
	if (tb[FRA_IIFNAME] !== null) {
		rule.iifindex = -1;
		rule.iifname = nla_get_string(tb[FRA_IIFNAME]!);
		const dev = net.dev_name_head.get(rule.iifname);
		if (dev !== undefined) rule.iifindex = dev.ifindex;
	}
	if (tb[FRA_OIFNAME] !== null) {
		rule.oifindex = -1;
		rule.oifname = nla_get_string(tb[FRA_OIFNAME]!);
		const dev = net.dev_name_head.get(rule.oifname);
		if (dev !== undefined) rule.oifindex = dev.ifindex;
	}
	if (tb[FRA_FWMARK] !== null) {
		rule.mark = nla_get_u32(tb[FRA_FWMARK]!);
		// A mark without a mask means all of it.
		if (rule.mark !== 0) rule.mark_mask = 0xffffffff;
	}
	if (tb[FRA_FWMASK] !== null) rule.mark_mask = nla_get_u32(tb[FRA_FWMASK]!);
	if (tb[FRA_TUN_ID] !== null) return fail(extack, EOPNOTSUPP, 'Tunnel ids in rules are not supported');
	if (tb[FRA_L3MDEV] !== null) {
		// CONFIG_NET_L3_MASTER_DEV: accepted as 1 only; there is no VRF that it could lead to.
		rule.l3mdev = nla_get_u8(tb[FRA_L3MDEV]!);
		if (rule.l3mdev !== 1) return fail(extack, EINVAL, 'Invalid l3mdev attribute');
	}
	rule.action = frh.action;
	rule.flags = frh.flags;
	rule.table = tb[FRA_TABLE] !== null ? nla_get_u32(tb[FRA_TABLE]!) : frh.table;
	if (tb[FRA_SUPPRESS_PREFIXLEN] !== null) rule.suppress_prefixlen = nla_get_u32(tb[FRA_SUPPRESS_PREFIXLEN]!) | 0;
	if (tb[FRA_SUPPRESS_IFGROUP] !== null) rule.suppress_ifgroup = nla_get_u32(tb[FRA_SUPPRESS_IFGROUP]!) | 0;
	if (tb[FRA_GOTO] !== null) {
		if (rule.action !== FR_ACT_GOTO) return fail(extack, EINVAL, 'Unexpected goto');
		rule.target = nla_get_u32(tb[FRA_GOTO]!);
		// Backward jumps are prohibited: they could loop.
		if (rule.target <= rule.pref) return fail(extack, EINVAL, 'Backward goto not supported');
	} else if (rule.action === FR_ACT_GOTO) return fail(extack, EINVAL, 'Missing goto target for action goto');
	if (rule.l3mdev !== 0 && rule.table !== 0) return fail(extack, EINVAL, 'l3mdev and table are mutually exclusive');
	const uid = tb[FRA_UID_RANGE];
	if (uid !== null) {
		const b = uid.buf;
		const o = uid.off;
		rule.uid_start = (b[o] | (b[o + 1] << 8) | (b[o + 2] << 16) | (b[o + 3] << 24)) >>> 0;
		rule.uid_end = (b[o + 4] | (b[o + 5] << 8) | (b[o + 6] << 16) | (b[o + 7] << 24)) >>> 0;
		if (rule.uid_start > rule.uid_end || rule.uid_start === 0xffffffff)
			return fail(extack, EINVAL, 'Invalid uid range');
	}
	if (tb[FRA_IP_PROTO] !== null) rule.ip_proto = nla_get_u8(tb[FRA_IP_PROTO]!);
	if (tb[FRA_SPORT_RANGE] !== null) {
		const r = port_range(tb, FRA_SPORT_RANGE, extack);
		if (typeof r === 'number') return r;
		rule.sport_start = r.start;
		rule.sport_end = r.end;
		if (r.start === r.end) rule.sport_mask = 0xffff;
	}
	if (tb[FRA_SPORT_MASK] !== null) {
		if (rule.sport_mask === 0) return fail(extack, EINVAL, 'Cannot specify port mask when port range is specified');
		rule.sport_mask = nla_get_u16(tb[FRA_SPORT_MASK]!);
	}
	if (tb[FRA_DPORT_RANGE] !== null) {
		const r = port_range(tb, FRA_DPORT_RANGE, extack);
		if (typeof r === 'number') return r;
		rule.dport_start = r.start;
		rule.dport_end = r.end;
		if (r.start === r.end) rule.dport_mask = 0xffff;
	}
	if (tb[FRA_DPORT_MASK] !== null) {
		if (rule.dport_mask === 0) return fail(extack, EINVAL, 'Cannot specify port mask when port range is specified');
		rule.dport_mask = nla_get_u16(tb[FRA_DPORT_MASK]!);
	}
	return { rule, user_pref };
}

/** Whether a rule that says the same is there already. */
function rule_exists(ops: fib_rules_ops, frh: fib_rule_hdr, tb: nlattr_table, rule: fib_rule): boolean {
	for (const r of ops.rules_list) {
		if (
			r.action === rule.action &&
			r.table === rule.table &&
			r.suppress_ifgroup === rule.suppress_ifgroup &&
			r.suppress_prefixlen === rule.suppress_prefixlen &&
			r.pref === rule.pref &&
			r.iifname === rule.iifname &&
			r.oifname === rule.oifname &&
			r.mark === rule.mark &&
			r.mark_mask === rule.mark_mask &&
			r.l3mdev === rule.l3mdev &&
			r.uid_start === rule.uid_start &&
			r.uid_end === rule.uid_end &&
			r.ip_proto === rule.ip_proto &&
			r.proto === rule.proto &&
			same_ports(r, rule) &&
			ops.compare(r, frh, tb)
		)
			return true;
	}
	return false;
}

function same_ports(a: fib_rule, b: fib_rule): boolean {
	return (
		a.sport_start === b.sport_start &&
		a.sport_end === b.sport_end &&
		a.sport_mask === b.sport_mask &&
		a.dport_start === b.dport_start &&
		a.dport_end === b.dport_end &&
		a.dport_mask === b.dport_mask
	);
}

/** The rule that a request to delete means: what it does not say does not matter. */
function rule_find(
	ops: fib_rules_ops,
	frh: fib_rule_hdr,
	tb: nlattr_table,
	rule: fib_rule,
	user_pref: boolean,
): fib_rule | null {
	for (const r of ops.rules_list) {
		if (rule.action !== 0 && r.action !== rule.action) continue;
		if (rule.table !== 0 && r.table !== rule.table) continue;
		if (user_pref && r.pref !== rule.pref) continue;
		if (rule.iifname !== '' && r.iifname !== rule.iifname) continue;
		if (rule.oifname !== '' && r.oifname !== rule.oifname) continue;
		if (rule.mark !== 0 && r.mark !== rule.mark) continue;
		if (rule.suppress_ifgroup !== -1 && r.suppress_ifgroup !== rule.suppress_ifgroup) continue;
		if (rule.suppress_prefixlen !== -1 && r.suppress_prefixlen !== rule.suppress_prefixlen) continue;
		if (rule.mark_mask !== 0 && r.mark_mask !== rule.mark_mask) continue;
		if (rule.l3mdev !== 0 && r.l3mdev !== rule.l3mdev) continue;
		if (
			(rule.uid_start !== 0 || rule.uid_end !== 0xffffffff) &&
			(r.uid_start !== rule.uid_start || r.uid_end !== rule.uid_end)
		)
			continue;
		if (rule.ip_proto !== 0 && r.ip_proto !== rule.ip_proto) continue;
		if (rule.proto !== 0 && r.proto !== rule.proto) continue;
		if (
			rule.sport_start !== 0 &&
			(r.sport_start !== rule.sport_start || r.sport_end !== rule.sport_end || r.sport_mask !== rule.sport_mask)
		)
			continue;
		if (
			rule.dport_start !== 0 &&
			(r.dport_start !== rule.dport_start || r.dport_end !== rule.dport_end || r.dport_mask !== rule.dport_mask)
		)
			continue;
		if (!ops.compare(r, frh, tb)) continue;
		return r;
	}
	return null;
}

function parse(nlh: nlmsghdr, tb: nlattr_table, extack: netlink_ext_ack | null, what: string): number {
	if (nlmsg_len(nlh) < FRH_LEN) return fail(extack, EINVAL, what);
	return nlmsg_parse_deprecated(nlh, FRH_LEN, tb, FRA_LAST, fib_rule_policy, extack);
}

/** RTM_NEWRULE. Return: 0 or -errno. */
export function fib_nl_newrule(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const tb: nlattr_table = [];
	let err = parse(nlh, tb, extack, 'Invalid msg length');
	if (err < 0) return err;
	const frh = read_hdr(nlh);
	const ops = lookup_rules_ops(net, frh.family);
	if (ops === null) return fail(extack, EAFNOSUPPORT, 'Rule family not supported');
	const r = fib_nl2rule(net, ops, frh, tb, extack);
	if (typeof r === 'number') return r;
	const rule = r.rule;
	if ((nlh.nlmsg_flags & NLM_F_EXCL) !== 0 && rule_exists(ops, frh, tb, rule)) return -EEXIST;
	err = ops.configure(rule, frh, tb, extack);
	if (err < 0) return err;
	const list = ops.rules_list.slice();
	let unresolved = false;
	if (rule.action === FR_ACT_GOTO) {
		unresolved = true;
		for (const t of list) {
			if (t.pref === rule.target) {
				rule.ctarget = t;
				unresolved = false;
				break;
			}
		}
	}
	let at = list.length;
	for (let i = 0; i < list.length; i++) {
		if (list[i].pref > rule.pref) {
			at = i;
			break;
		}
	}
	list.splice(at, 0, rule);
	if (ops.unresolved_rules > 0) {
		// Jumps that waited for this priority are resolved.
		for (const j of list) {
			if (j.action === FR_ACT_GOTO && j.target === rule.pref && j.ctarget === null) {
				j.ctarget = rule;
				if (--ops.unresolved_rules === 0) break;
			}
		}
	}
	if (rule.action === FR_ACT_GOTO) ops.nr_goto_rules++;
	if (unresolved) ops.unresolved_rules++;
	ops.rules_list = list;
	ops.fib_rules_seq++;
	notify_rule_change(RTM_NEWRULE, rule, ops, nlh, skb.portid);
	ops.flush_cache(ops);
	return 0;
}

/** RTM_DELRULE. Return: 0 or -errno. */
export function fib_nl_delrule(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const tb: nlattr_table = [];
	let err = parse(nlh, tb, extack, 'Invalid msg length');
	if (err < 0) return err;
	const frh = read_hdr(nlh);
	const ops = lookup_rules_ops(net, frh.family);
	if (ops === null) return fail(extack, EAFNOSUPPORT, 'Rule family not supported');
	const r = fib_nl2rule(net, ops, frh, tb, extack);
	if (typeof r === 'number') return r;
	const rule = rule_find(ops, frh, tb, r.rule, r.user_pref);
	if (rule === null) return -ENOENT;
	if ((rule.flags & FIB_RULE_PERMANENT) !== 0) return -EPERM;
	err = ops.delete(rule);
	if (err < 0) return err;
	const list = ops.rules_list.filter((x) => x !== rule);
	if (rule.action === FR_ACT_GOTO) {
		ops.nr_goto_rules--;
		if (rule.ctarget === null) ops.unresolved_rules--;
	}
	// Jumps to it go to another rule of the same priority, or nowhere.
	if (ops.nr_goto_rules > 0) {
		const n = list.find((x) => x.pref === rule.pref) ?? null;
		for (const x of list) {
			if (x.ctarget !== rule) continue;
			x.ctarget = n;
			if (n === null) ops.unresolved_rules++;
		}
	}
	ops.rules_list = list;
	ops.fib_rules_seq++;
	notify_rule_change(RTM_DELRULE, rule, ops, nlh, skb.portid);
	ops.flush_cache(ops);
	return 0;
}

function put_ports(skb: netlink_skb, type: number, start: number, end: number): number {
	const at = nla_reserve(skb, type, 4);
	if (at < 0) return at;
	skb.data[at] = start;
	skb.data[at + 1] = start >> 8;
	skb.data[at + 2] = end;
	skb.data[at + 3] = end >> 8;
	return 0;
}

function put_u32(b: Uint8Array, o: number, v: number): void {
	b[o] = v;
	b[o + 1] = v >>> 8;
	b[o + 2] = v >>> 16;
	b[o + 3] = v >>> 24;
}

function fib_nl_fill_rule(
	skb: netlink_skb,
	rule: fib_rule,
	pid: number,
	seq: number,
	type: number,
	flags: number,
	ops: fib_rules_ops,
	cb: netlink_callback | null,
): number {
	const nlh = nlmsg_put(skb, pid, seq, type, FRH_LEN, flags);
	if (nlh < 0) return nlh;
	const h = nlmsg_put_data(nlh);
	let rflags = rule.flags;
	if (rule.action === FR_ACT_GOTO && rule.ctarget === null) rflags |= FIB_RULE_UNRESOLVED;
	if (rule.iifname !== '' && rule.iifindex === -1) rflags |= FIB_RULE_IIF_DETACHED;
	if (rule.oifname !== '' && rule.oifindex === -1) rflags |= FIB_RULE_OIF_DETACHED;
	skb.data[h] = ops.family;
	skb.data[h + 4] = rule.table < 256 ? rule.table : RT_TABLE_COMPAT;
	skb.data[h + 7] = rule.action;
	put_u32(skb.data, h + 8, rflags);
	let err = 0;
	err |= nla_put_u32(skb, FRA_TABLE, rule.table);
	err |= nla_put_u32(skb, FRA_SUPPRESS_PREFIXLEN, rule.suppress_prefixlen >>> 0);
	err |= nla_put_u8(skb, FRA_PROTOCOL, rule.proto);
	if (rule.iifname !== '') err |= nla_put_string(skb, FRA_IIFNAME, rule.iifname);
	if (rule.oifname !== '') err |= nla_put_string(skb, FRA_OIFNAME, rule.oifname);
	if (rule.pref !== 0) err |= nla_put_u32(skb, FRA_PRIORITY, rule.pref);
	if (rule.mark !== 0) err |= nla_put_u32(skb, FRA_FWMARK, rule.mark);
	if (rule.mark_mask !== 0 || rule.mark !== 0) err |= nla_put_u32(skb, FRA_FWMASK, rule.mark_mask);
	if (rule.target !== 0) err |= nla_put_u32(skb, FRA_GOTO, rule.target);
	if (rule.l3mdev !== 0) err |= nla_put_u8(skb, FRA_L3MDEV, rule.l3mdev);
	if (rule.uid_start !== 0 || rule.uid_end !== 0xffffffff) {
		const at = nla_reserve(skb, FRA_UID_RANGE, 8);
		err |= Math.min(at, 0);
		if (at >= 0) {
			put_u32(skb.data, at, rule.uid_start);
			put_u32(skb.data, at + 4, rule.uid_end);
		}
	}
	if (rule.sport_start !== 0) err |= put_ports(skb, FRA_SPORT_RANGE, rule.sport_start, rule.sport_end);
	if (rule.sport_mask !== 0) err |= nla_put_u16(skb, FRA_SPORT_MASK, rule.sport_mask);
	if (rule.dport_start !== 0) err |= put_ports(skb, FRA_DPORT_RANGE, rule.dport_start, rule.dport_end);
	if (rule.dport_mask !== 0) err |= nla_put_u16(skb, FRA_DPORT_MASK, rule.dport_mask);
	if (rule.ip_proto !== 0) err |= nla_put_u8(skb, FRA_IP_PROTO, rule.ip_proto);
	if (rule.suppress_ifgroup !== -1) err |= nla_put_u32(skb, FRA_SUPPRESS_IFGROUP, rule.suppress_ifgroup >>> 0);
	err |= ops.fill(rule, skb, h);
	if (err < 0) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	if (cb !== null) nl_dump_check_consistent(cb, skb, nlh);
	return 0;
}

/** RTM_GETRULE with NLM_F_DUMP. */
export function fib_nl_dumprule(skb: netlink_skb, cb: netlink_callback): number {
	const net = cb.net;
	const b = cb.nlh.buf;
	const o = cb.nlh.data;
	let family = nlmsg_len(cb.nlh) >= 1 ? b[o] : 0;
	if (cb.strict_check) {
		if (nlmsg_len(cb.nlh) < FRH_LEN) return fail(cb.extack, EINVAL, 'Invalid header for fib rule dump request');
		family = b[o];
		for (let i = 1; i < FRH_LEN; i++) {
			if (b[o + i] !== 0) return fail(cb.extack, EINVAL, 'Invalid values in header for fib rule dump request');
		}
		if (nlmsg_attrdata(cb.nlh, FRH_LEN) < cb.nlh.end)
			return fail(cb.extack, EINVAL, 'Invalid data after header in fib rule dump request');
	}
	if (family !== 0) {
		const ops = lookup_rules_ops(net, family);
		if (ops === null) return -EAFNOSUPPORT;
		return dump_rules(skb, cb, ops);
	}
	for (let i = cb.args[0]; i < net.rules_ops.length; i++) {
		if (i !== cb.args[0]) cb.args[1] = 0;
		cb.args[0] = i;
		const err = dump_rules(skb, cb, net.rules_ops[i]);
		if (err < 0 || err > 0) return err;
	}
	cb.args[0] = net.rules_ops.length;
	return skb.len;
}

/** Return: 0 when all of ops' rules are in, else what a dump says when there is more. */
function dump_rules(skb: netlink_skb, cb: netlink_callback, ops: fib_rules_ops): number {
	cb.seq = ops.fib_rules_seq;
	for (let i = cb.args[1]; i < ops.rules_list.length; i++) {
		const err = fib_nl_fill_rule(
			skb,
			ops.rules_list[i],
			cb.skb.portid,
			cb.nlh.nlmsg_seq,
			RTM_NEWRULE,
			NLM_F_MULTI,
			ops,
			cb,
		);
		if (err < 0) {
			cb.args[1] = i;
			return skb.len > 0 ? skb.len : err;
		}
	}
	cb.args[1] = ops.rules_list.length;
	return 0;
}

function notify_rule_change(
	event: number,
	rule: fib_rule,
	ops: fib_rules_ops,
	nlh: nlmsghdr | null,
	pid: number,
): void {
	const skb = nlmsg_new(ops.net);
	if (fib_nl_fill_rule(skb, rule, pid, nlh !== null ? nlh.nlmsg_seq : 0, event, 0, ops, null) < 0) return;
	rtnl_notify(skb, ops.net, pid, ops.nlgroup, nlh);
}

// ---- devices ---------------------------------------------------------------------------------------------------------------------

function attach_rules(rules: fib_rule[], dev: net_device): void {
	for (const r of rules) {
		if (r.iifindex === -1 && dev.name === r.iifname) r.iifindex = dev.ifindex;
		if (r.oifindex === -1 && dev.name === r.oifname) r.oifindex = dev.ifindex;
	}
}

function detach_rules(rules: fib_rule[], dev: net_device): void {
	for (const r of rules) {
		if (r.iifindex === dev.ifindex) r.iifindex = -1;
		if (r.oifindex === dev.ifindex) r.oifindex = -1;
	}
}

function fib_rules_event(_machine: Machine, event: number, dev: net_device): number {
	for (const ops of dev.net.rules_ops) {
		if (event === NETDEV_CHANGENAME || event === NETDEV_UNREGISTER) detach_rules(ops.rules_list, dev);
		if (event === NETDEV_REGISTER || event === NETDEV_CHANGENAME) attach_rules(ops.rules_list, dev);
	}
	return 0;
}

/** Once per machine. */
export function fib_rules_init(machine: Machine): void {
	rtnl_register(machine, 0, RTM_NEWRULE, fib_nl_newrule, null);
	rtnl_register(machine, 0, RTM_DELRULE, fib_nl_delrule, null);
	rtnl_register(machine, 0, RTM_GETRULE, null, fib_nl_dumprule);
	register_netdevice_notifier(machine, { notifier_call: fib_rules_event, priority: 0 });
}
