/*
 * net/netfilter/nf_conntrack_netlink_exp.ts: expectations over netlink.   Linux: net/netfilter/nf_conntrack_netlink.c (its third part)
 */
import { HZ } from '../../kernel/time.ts';
import {
	nla_get_be32,
	nla_get_string,
	nla_put_be32,
	nla_put_string,
	type nlattr_table,
	type nlbuf,
	nlmsg_cancel,
	nlmsg_end,
} from '../../lib/nlattr.ts';
import { EEXIST, EINVAL, ENOENT } from '../../uapi/asm-generic/errno.ts';
import { IPEXP_DESTROY, NF_CT_EXPECT_USERSPACE } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	NFNL_SUBSYS_CTNETLINK_EXP,
	NFNLGRP_CONNTRACK_EXP_DESTROY,
	NFNLGRP_CONNTRACK_EXP_NEW,
} from '../../uapi/linux/netfilter/nfnetlink.ts';
import {
	CTA_EXPECT_CLASS,
	CTA_EXPECT_FLAGS,
	CTA_EXPECT_FN,
	CTA_EXPECT_HELP_NAME,
	CTA_EXPECT_ID,
	CTA_EXPECT_MASK,
	CTA_EXPECT_MASTER,
	CTA_EXPECT_MAX,
	CTA_EXPECT_TIMEOUT,
	CTA_EXPECT_TUPLE,
	CTA_STATS_EXP_CREATE,
	CTA_STATS_EXP_DELETE,
	CTA_STATS_EXP_NEW,
	IPCTNL_MSG_EXP_DELETE,
	IPCTNL_MSG_EXP_GET_STATS_CPU,
	IPCTNL_MSG_EXP_NEW,
} from '../../uapi/linux/netfilter/nfnetlink_conntrack.ts';
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_MULTI } from '../../uapi/linux/netlink.ts';
import { netlink_dump_start, netlink_kernel_sock } from '../netlink/af_netlink.ts';
import { type netlink_callback, type netlink_skb, nlmsg_new } from '../netlink/netlink.ts';
import { nf_conntrack_find_get, nf_conntrack_tuple } from './nf_conntrack_core.ts';
import {
	__nf_ct_expect_find,
	type nf_conntrack_expect,
	nf_ct_expect_alloc,
	nf_ct_expect_iterate_net,
	nf_ct_expect_related_report,
	nf_ct_expectations,
	nf_ct_unlink_expect_report,
} from './nf_conntrack_expect.ts';
import { nf_ct_expect_helper } from './nf_conntrack_helper.ts';
import { ctnetlink_dump_tuples } from './nf_conntrack_netlink.ts';
import { ctnetlink_parse_tuple } from './nf_conntrack_netlink_parse.ts';
import {
	nfnetlink_has_listeners,
	nfnetlink_send,
	type nfnetlink_subsystem,
	nfnetlink_unicast,
	type nfnl_info,
	nfnl_msg_put,
	nfnl_msg_type,
} from './nfnetlink.ts';

const AF_INET = 2;
const NETLINK_NETFILTER = 12;

function ctnetlink_exp_fill_info(
	skb: nlbuf,
	portid: number,
	seq: number,
	type: number,
	flags: number,
	exp: nf_conntrack_expect,
): number {
	const nlh = nfnl_msg_put(skb, portid, seq, nfnl_msg_type(NFNL_SUBSYS_CTNETLINK_EXP, type), flags, AF_INET, 0, 0);
	if (nlh < 0) return nlh;
	const mask = new nf_conntrack_tuple();
	mask.src_ip = exp.mask_src_ip;
	mask.src_u = exp.mask_src_u;
	mask.dst_ip = -1;
	mask.dst_u = 0xffff;
	mask.protonum = exp.tuple.protonum;
	const left = Math.max(0, Math.floor((exp.timeout.expires - exp.master.net.machine.jiffies) / HZ));
	const helper = nf_ct_expect_helper(exp);
	const ok =
		ctnetlink_dump_tuples(skb, CTA_EXPECT_TUPLE, exp.tuple) >= 0 &&
		ctnetlink_dump_tuples(skb, CTA_EXPECT_MASK, mask) >= 0 &&
		ctnetlink_dump_tuples(skb, CTA_EXPECT_MASTER, exp.master.orig) >= 0 &&
		nla_put_be32(skb, CTA_EXPECT_TIMEOUT, left) >= 0 &&
		nla_put_be32(skb, CTA_EXPECT_ID, exp.id) >= 0 &&
		nla_put_be32(skb, CTA_EXPECT_FLAGS, exp.flags) >= 0 &&
		nla_put_be32(skb, CTA_EXPECT_CLASS, exp.class) >= 0 &&
		(helper === null || nla_put_string(skb, CTA_EXPECT_HELP_NAME, helper.name) >= 0) &&
		(exp.expectfn === null || nla_put_string(skb, CTA_EXPECT_FN, exp.expectfn.name) >= 0);
	if (!ok) {
		nlmsg_cancel(skb, nlh);
		return -1;
	}
	nlmsg_end(skb, nlh);
	return skb.len;
}

interface dump_ctx {
	list: nf_conntrack_expect[];
	at: number;
}

function ctnetlink_exp_dump_table(skb: netlink_skb, cb: netlink_callback): number {
	const ctx = cb.data as dump_ctx;
	for (; ctx.at < ctx.list.length; ctx.at++) {
		const exp = ctx.list[ctx.at];
		if (ctnetlink_exp_fill_info(skb, cb.skb.portid, cb.nlh.nlmsg_seq, IPCTNL_MSG_EXP_NEW, NLM_F_MULTI, exp) < 0)
			return skb.len;
	}
	return skb.len;
}

function dump(info: nfnl_info, fn: (skb: netlink_skb, cb: netlink_callback) => number, data: unknown): number {
	const ssk = netlink_kernel_sock(info.net, NETLINK_NETFILTER);
	return ssk === null ? -EINVAL : netlink_dump_start(ssk, info.skb, info.nlh, { dump: fn, data });
}

function ctnetlink_exp_find(info: nfnl_info, cda: nlattr_table): nf_conntrack_expect | number {
	const tuple = new nf_conntrack_tuple();
	const which = cda[CTA_EXPECT_TUPLE] ?? null;
	if (which === null) return -EINVAL;
	const err = ctnetlink_parse_tuple(which, tuple, info.nfgen_family);
	if (err < 0) return err;
	const exp = __nf_ct_expect_find(info.net, 0, tuple);
	if (exp === null) return -ENOENT;
	const id = cda[CTA_EXPECT_ID];
	if (id && nla_get_be32(id) !== exp.id) return -ENOENT;
	return exp;
}

function ctnetlink_get_expect(info: nfnl_info, cda: nlattr_table): number {
	if ((info.nlh.nlmsg_flags & NLM_F_DUMP) !== 0) {
		const ctx: dump_ctx = { list: nf_ct_expectations(info.net), at: 0 };
		return dump(info, ctnetlink_exp_dump_table, ctx);
	}
	const exp = ctnetlink_exp_find(info, cda);
	if (typeof exp === 'number') return exp;
	const skb = nlmsg_new(info.net);
	ctnetlink_exp_fill_info(skb, info.skb.portid, info.nlh.nlmsg_seq, IPCTNL_MSG_EXP_NEW, 0, exp);
	return nfnetlink_unicast(skb, info.net, info.skb.portid);
}

function expect_iter_name(exp: nf_conntrack_expect, data: unknown): boolean {
	return data === null || nf_ct_expect_helper(exp)?.name === data;
}

function ctnetlink_del_expect(info: nfnl_info, cda: nlattr_table): number {
	const report = (info.nlh.nlmsg_flags & 8) !== 0;
	if (cda[CTA_EXPECT_TUPLE] !== null) {
		const exp = ctnetlink_exp_find(info, cda);
		if (typeof exp === 'number') return exp;
		nf_ct_unlink_expect_report(exp, info.skb.portid, report);
		return 0;
	}
	const name = cda[CTA_EXPECT_HELP_NAME];
	nf_ct_expect_iterate_net(info.net, expect_iter_name, name ? nla_get_string(name) : null, info.skb.portid, report);
	return 0;
}

function ctnetlink_new_expect(info: nfnl_info, cda: nlattr_table): number {
	const tattr = cda[CTA_EXPECT_TUPLE];
	const mattr = cda[CTA_EXPECT_MASK];
	const master = cda[CTA_EXPECT_MASTER];
	if (!tattr || !mattr || !master) return -EINVAL;
	const found = ctnetlink_exp_find(info, cda);
	if (typeof found !== 'number') return (info.nlh.nlmsg_flags & NLM_F_EXCL) !== 0 ? -EEXIST : 0;
	if (found !== -ENOENT) return found;
	if ((info.nlh.nlmsg_flags & NLM_F_CREATE) === 0) return -ENOENT;
	const mt = new nf_conntrack_tuple();
	let err = ctnetlink_parse_tuple(master, mt, info.nfgen_family);
	if (err < 0) return err;
	const h = nf_conntrack_find_get(info.net, 0, mt);
	if (h === null) return -ENOENT;
	const exp = nf_ct_expect_alloc(h.ct!);
	const mask = new nf_conntrack_tuple();
	err = ctnetlink_parse_tuple(tattr, exp.tuple, info.nfgen_family);
	if (err < 0) return err;
	err = ctnetlink_parse_tuple(mattr, mask, info.nfgen_family);
	if (err < 0) return err;
	exp.mask_src_ip = mask.src_ip;
	exp.mask_src_u = mask.src_u;
	const flags = cda[CTA_EXPECT_FLAGS];
	exp.flags = (flags ? nla_get_be32(flags) & ~NF_CT_EXPECT_USERSPACE : 0) | NF_CT_EXPECT_USERSPACE;
	const cls = cda[CTA_EXPECT_CLASS];
	if (cls) exp.class = nla_get_be32(cls);
	const timeout = cda[CTA_EXPECT_TIMEOUT];
	if (timeout) exp.timeout.expires = info.net.machine.jiffies + Math.min(nla_get_be32(timeout), 0x3fffff) * HZ;
	return nf_ct_expect_related_report(exp, info.skb.portid, (info.nlh.nlmsg_flags & 8) !== 0);
}

function ctnetlink_exp_stat_cpu_dump(skb: netlink_skb, cb: netlink_callback): number {
	if (cb.args[0] !== 0) return 0;
	const type = nfnl_msg_type(NFNL_SUBSYS_CTNETLINK_EXP, IPCTNL_MSG_EXP_GET_STATS_CPU);
	const nlh = nfnl_msg_put(skb, cb.skb.portid, cb.nlh.nlmsg_seq, type, NLM_F_MULTI, 0, 0, 0);
	if (nlh < 0) return skb.len;
	const s = cb.net.ct.stat;
	nla_put_be32(skb, CTA_STATS_EXP_NEW, s.expect_new);
	nla_put_be32(skb, CTA_STATS_EXP_CREATE, s.expect_create);
	nla_put_be32(skb, CTA_STATS_EXP_DELETE, s.expect_delete);
	nlmsg_end(skb, nlh);
	cb.args[0] = 1;
	return skb.len;
}

function ctnetlink_stat_exp_cpu(info: nfnl_info): number {
	return (info.nlh.nlmsg_flags & NLM_F_DUMP) !== 0 ? dump(info, ctnetlink_exp_stat_cpu_dump, null) : 0;
}

/** Tells the listeners of an expectation that came or went. */
export function ctnetlink_exp_event(events: number, exp: nf_conntrack_expect, portid: number, report: boolean): void {
	const gone = (events & (1 << IPEXP_DESTROY)) !== 0;
	const group = gone ? NFNLGRP_CONNTRACK_EXP_DESTROY : NFNLGRP_CONNTRACK_EXP_NEW;
	const net = exp.master.net;
	if (!report && !nfnetlink_has_listeners(net, group)) return;
	const skb = nlmsg_new(net);
	const type = gone ? IPCTNL_MSG_EXP_DELETE : IPCTNL_MSG_EXP_NEW;
	ctnetlink_exp_fill_info(skb, portid, 0, type, gone ? 0 : NLM_F_CREATE | NLM_F_EXCL, exp);
	nfnetlink_send(skb, net, portid, group, report);
}

export const ctnl_exp_subsys: nfnetlink_subsystem = {
	name: 'conntrack_expect',
	subsys_id: NFNL_SUBSYS_CTNETLINK_EXP,
	cb: [
		{ call: ctnetlink_new_expect, attr_count: CTA_EXPECT_MAX, policy: null },
		{ call: ctnetlink_get_expect, attr_count: CTA_EXPECT_MAX, policy: null },
		{ call: ctnetlink_del_expect, attr_count: CTA_EXPECT_MAX, policy: null },
		{ call: ctnetlink_stat_exp_cpu, attr_count: 0, policy: null },
	],
};
