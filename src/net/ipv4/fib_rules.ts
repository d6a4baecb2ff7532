/*
 * net/ipv4/fib_rules.ts: IPv4's part of policy routing.            Linux: net/ipv4/fib_rules.c
 * Walk: __fib_lookup -> fib_rules_lookup -> fib4_rule_match, fib4_rule_action (asks the rule's table), fib4_rule_suppress.
 */
import {
	NL_SET_ERR_MSG,
	type netlink_ext_ack,
	nla_get_be32,
	nla_get_u8,
	nla_get_u32,
	nla_put_in_addr,
	nla_put_u8,
	nla_put_u32,
	type nlattr_table,
} from '../../lib/nlattr.ts';
import { EACCES, EAGAIN, EINVAL, ENETUNREACH, ESRCH } from '../../uapi/asm-generic/errno.ts';
import {
	FR_ACT_PROHIBIT,
	FR_ACT_TO_TBL,
	FR_ACT_UNREACHABLE,
	FRA_DST,
	FRA_FLOW,
	FRA_SRC,
} from '../../uapi/linux/fib_rules.ts';
import { RTNLGRP_IPV4_RULE } from '../../uapi/linux/rtnetlink.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import {
	FRA_DSCP,
	FRA_DSCP_MASK,
	fib_default_rule_add,
	fib_lookup_arg,
	type fib_rule,
	type fib_rule_hdr,
	fib_rule_port_match,
	type fib_rules_family,
	fib_rules_lookup,
	fib_rules_ops,
	fib_rules_register,
} from '../core/fib_rules.ts';
import type { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { netlink_skb } from '../netlink/netlink.ts';
import { fib_get_table, fib_new_table, fib_unmerge } from './fib_frontend.ts';
import type { fib_result } from './fib_lookup.ts';
import { fib_dscp_masked_match, fib_table_lookup } from './fib_trie.ts';
import { inet_make_mask } from './inetdevice.ts';
import { ip_hdr_frag_off, ip_hdr_protocol, ip_hdrlen, ip_proto_has_ports } from './ip.ts';
import { rt_cache_flush } from './route.ts';

const IPTOS_RT_MASK = 0x1e;

export function fib4_has_custom_rules(net: net): boolean {
	return net.ipv4.fib_has_custom_rules;
}

/** Routes by the rules. Return: 0, or -errno. */
export function __fib_lookup(net: net, flp: flowi4, res: fib_result, flags: number): number {
	const arg = net.ipv4.rules_arg!;
	arg.result = res;
	arg.rule = null;
	let err = fib_rules_lookup(net.ipv4.rules_ops!, flp, flags, arg);
	res.r_pref = arg.rule !== null ? (arg.rule as fib_rule).pref : -1;
	if (arg.rule !== null) res.tclassid = (arg.rule as fib_rule).tclassid;
	if (err === -ESRCH) err = -ENETUNREACH;
	return err;
}

/** Protocol and ports of a packet, for rules that ask for them, before netfilter saw it. Return: whether some rule does. */
export function fib4_rules_early_flow_dissect(net: net, skb: sk_buff, fl4: flowi4): boolean {
	if (net.ipv4.fib_rules_require_fldissect === 0) return false;
	const proto = ip_hdr_protocol(skb);
	fl4.flowi4_proto = proto;
	fl4.fl4_sport = 0;
	fl4.fl4_dport = 0;
	if ((ip_hdr_frag_off(skb) & 0x1fff) !== 0 || !ip_proto_has_ports(proto)) return true;
	const at = skb.network_header + ip_hdrlen(skb);
	if (at + 4 > skb.tail) return true;
	const b = skb.head;
	fl4.fl4_sport = (b[at] << 8) | b[at + 1];
	fl4.fl4_dport = (b[at + 2] << 8) | b[at + 3];
	return true;
}

function fib4_rule_action(rule: fib_rule, flp: flowi4, flags: number, arg: fib_lookup_arg): number {
	switch (rule.action) {
		case FR_ACT_TO_TBL:
			break;
		case FR_ACT_UNREACHABLE:
			return -ENETUNREACH;
		case FR_ACT_PROHIBIT:
			return -EACCES;
		default:
			return -EINVAL;
	}
	const tbl = fib_get_table(rule.net, rule.table);
	return tbl !== null ? fib_table_lookup(tbl, flp, arg.result as fib_result, flags) : -EAGAIN;
}

function fib4_rule_suppress(rule: fib_rule, _flags: number, arg: fib_lookup_arg): boolean {
	const res = arg.result as fib_result;
	const dev = res.nhc !== null ? res.nhc.nhc_dev : null;
	return (
		res.prefixlen <= rule.suppress_prefixlen ||
		(rule.suppress_ifgroup !== -1 && dev !== null && dev.group === rule.suppress_ifgroup)
	);
}

function fib4_rule_match(rule: fib_rule, fl4: flowi4, _flags: number): boolean {
	if (((fl4.saddr ^ rule.src) & rule.srcmask) !== 0 || ((fl4.daddr ^ rule.dst) & rule.dstmask) !== 0) return false;
	if (rule.dscp_full) {
		if (((rule.dscp ^ fl4.flowi4_dscp) & rule.dscp_mask) !== 0) return false;
	} else if (rule.dscp !== 0 && !fib_dscp_masked_match(rule.dscp, fl4)) return false;
	if (rule.ip_proto !== 0 && rule.ip_proto !== fl4.flowi4_proto) return false;
	if (rule.sport_start !== 0 && !fib_rule_port_match(rule.sport_start, rule.sport_end, rule.sport_mask, fl4.fl4_sport))
		return false;
	if (rule.dport_start !== 0 && !fib_rule_port_match(rule.dport_start, rule.dport_end, rule.dport_mask, fl4.fl4_dport))
		return false;
	return true;
}

function needs_dissect(rule: fib_rule): boolean {
	return rule.ip_proto !== 0 || rule.sport_start !== 0 || rule.dport_start !== 0;
}

/** The lowest table id from 1 on that nobody uses, for a rule that names none. */
function fib_empty_table(net: net): number {
	for (let id = 1; id < 0xffffffff; id++) if (fib_get_table(net, id) === null) return id;
	return 0;
}

function fib4_rule_configure(
	rule: fib_rule,
	frh: fib_rule_hdr,
	tb: nlattr_table,
	extack: netlink_ext_ack | null,
): number {
	const net = rule.net;
	const ecn = frh.tos & ~0xfc;
	if (tb[FRA_DSCP] === null || frh.tos !== 0) {
		if (ecn !== 0) {
			NL_SET_ERR_MSG(extack, 'Invalid dsfield (tos): ECN bits must be 0');
			return -EINVAL;
		}
		// Rules compare the old TOS bits only.
		if ((frh.tos & ~IPTOS_RT_MASK & 0xfc) !== 0) {
			NL_SET_ERR_MSG(extack, 'Invalid tos');
			return -EINVAL;
		}
		rule.dscp = frh.tos & 0xfc;
	}
	if (tb[FRA_DSCP] !== null) {
		if (frh.tos !== 0) {
			NL_SET_ERR_MSG(extack, 'Cannot specify both TOS and DSCP');
			return -EINVAL;
		}
		rule.dscp = nla_get_u8(tb[FRA_DSCP]!) << 2;
		rule.dscp_mask = 0xfc;
		rule.dscp_full = true;
	}
	if (tb[FRA_DSCP_MASK] !== null) {
		if (!rule.dscp_full) {
			NL_SET_ERR_MSG(extack, 'Cannot specify DSCP mask without DSCP value');
			return -EINVAL;
		}
		const mask = nla_get_u8(tb[FRA_DSCP_MASK]!) << 2;
		if ((rule.dscp & ~mask) !== 0) {
			NL_SET_ERR_MSG(extack, 'Invalid DSCP mask');
			return -EINVAL;
		}
		rule.dscp_mask = mask;
	}
	// From now on the local table is asked by its own rule.
	fib_unmerge(net);
	if (rule.table === 0 && rule.l3mdev === 0 && rule.action === FR_ACT_TO_TBL) {
		rule.table = fib_new_table(net, fib_empty_table(net)).tb_id;
	}
	if (frh.src_len !== 0) rule.src = nla_get_be32(tb[FRA_SRC]!);
	if (frh.dst_len !== 0) rule.dst = nla_get_be32(tb[FRA_DST]!);
	if (tb[FRA_FLOW] !== null) {
		rule.tclassid = nla_get_u32(tb[FRA_FLOW]!);
		if (rule.tclassid !== 0) net.ipv4.fib_num_tclassid_users++;
	}
	if (needs_dissect(rule)) net.ipv4.fib_rules_require_fldissect++;
	rule.src_len = frh.src_len;
	rule.srcmask = inet_make_mask(frh.src_len);
	rule.dst_len = frh.dst_len;
	rule.dstmask = inet_make_mask(frh.dst_len);
	net.ipv4.fib_has_custom_rules = true;
	return 0;
}

function fib4_rule_delete(rule: fib_rule): number {
	const net = rule.net;
	fib_unmerge(net);
	if (rule.tclassid !== 0) net.ipv4.fib_num_tclassid_users--;
	if (net.ipv4.fib_rules_require_fldissect > 0 && needs_dissect(rule)) net.ipv4.fib_rules_require_fldissect--;
	net.ipv4.fib_has_custom_rules = true;
	return 0;
}

function fib4_rule_compare(rule: fib_rule, frh: fib_rule_hdr, tb: nlattr_table): boolean {
	if (frh.src_len !== 0 && (rule.src_len !== frh.src_len || rule.src !== nla_get_be32(tb[FRA_SRC]!))) return false;
	if (frh.dst_len !== 0 && (rule.dst_len !== frh.dst_len || rule.dst !== nla_get_be32(tb[FRA_DST]!))) return false;
	if (frh.tos !== 0 && (rule.dscp_full || rule.dscp !== frh.tos)) return false;
	if (tb[FRA_DSCP] !== null && (!rule.dscp_full || rule.dscp >> 2 !== nla_get_u8(tb[FRA_DSCP]!))) return false;
	if (tb[FRA_DSCP_MASK] !== null && (!rule.dscp_full || rule.dscp_mask >> 2 !== nla_get_u8(tb[FRA_DSCP_MASK]!)))
		return false;
	if (tb[FRA_FLOW] !== null && rule.tclassid !== nla_get_u32(tb[FRA_FLOW]!)) return false;
	return true;
}

function fib4_rule_fill(rule: fib_rule, skb: netlink_skb, hdr: number): number {
	skb.data[hdr + 1] = rule.dst_len;
	skb.data[hdr + 2] = rule.src_len;
	let err = 0;
	if (rule.dscp_full) {
		err |= nla_put_u8(skb, FRA_DSCP, rule.dscp >> 2);
		err |= nla_put_u8(skb, FRA_DSCP_MASK, rule.dscp_mask >> 2);
	} else skb.data[hdr + 3] = rule.dscp;
	if (rule.dst_len !== 0) err |= nla_put_in_addr(skb, FRA_DST, rule.dst);
	if (rule.src_len !== 0) err |= nla_put_in_addr(skb, FRA_SRC, rule.src);
	if (rule.tclassid !== 0) err |= nla_put_u32(skb, FRA_FLOW, rule.tclassid);
	return err;
}

function fib4_rule_flush_cache(ops: fib_rules_ops): void {
	rt_cache_flush(ops.net);
}

const fib4_rules_family: fib_rules_family = {
	action: fib4_rule_action,
	suppress: fib4_rule_suppress,
	match: fib4_rule_match,
	configure: fib4_rule_configure,
	delete: fib4_rule_delete,
	compare: fib4_rule_compare,
	fill: fib4_rule_fill,
	flush_cache: fib4_rule_flush_cache,
};

export function fib4_rules_init_net(net: net): void {
	const ops = new fib_rules_ops(AF_INET, RTNLGRP_IPV4_RULE, net, fib4_rules_family);
	fib_default_rule_add(ops, 0, 255);
	fib_default_rule_add(ops, 0x7ffe, 254);
	fib_default_rule_add(ops, 0x7fff, 253);
	fib_rules_register(net, ops);
	net.ipv4.rules_ops = ops;
	net.ipv4.rules_arg = new fib_lookup_arg();
}
