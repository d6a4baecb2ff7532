/*
 * net/netfilter/nf_conntrack_netlink.ts: ctnetlink: conntrack's table over netlink.   Linux: net/netfilter/nf_conntrack_netlink.c
 * Walk: ctnetlink_fill_info writes an entry; ctnetlink_{get,del,new}_conntrack answer; ctnetlink_conntrack_event reports.
 * Parsing is in nf_conntrack_netlink_parse.ts, expectations are in nf_conntrack_netlink_exp.ts.
 * Not here yet: CTA_SEQ_ADJ_*, CTA_SYNPROXY, CTA_SECCTX.
 */
import type { Machine } from '../../kernel/machine.ts';
import { HZ } from '../../kernel/time.ts';
import {
	NLA_BE16,
	NLA_BE32,
	NLA_BINARY,
	NLA_NESTED,
	nla_get_be16,
	nla_get_be32,
	nla_nest_end,
	nla_nest_start,
	type nla_policy_table,
	nla_put,
	nla_put_be16,
	nla_put_be32,
	nla_put_be64,
	nla_put_string,
	nla_put_u8,
	type nlattr_table,
	type nlbuf,
	nlmsg_cancel,
	nlmsg_end,
} from '../../lib/nlattr.ts';
import { EEXIST, EINVAL, ENOENT } from '../../uapi/asm-generic/errno.ts';
import { IPCT_DESTROY, IPCT_MARK, IPCT_NEW, IPCT_RELATED } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	NFNL_SUBSYS_CTNETLINK,
	NFNLGRP_CONNTRACK_DESTROY,
	NFNLGRP_CONNTRACK_NEW,
	NFNLGRP_CONNTRACK_UPDATE,
} from '../../uapi/linux/netfilter/nfnetlink.ts';
import {
	CTA_COUNTERS_BYTES,
	CTA_COUNTERS_ORIG,
	CTA_COUNTERS_PACKETS,
	CTA_COUNTERS_REPLY,
	CTA_HELP,
	CTA_HELP_NAME,
	CTA_ID,
	CTA_IP_V4_DST,
	CTA_IP_V4_SRC,
	CTA_LABELS,
	CTA_LABELS_MASK,
	CTA_MARK,
	CTA_MARK_MASK,
	CTA_MAX,
	CTA_PROTO_DST_PORT,
	CTA_PROTO_ICMP_CODE,
	CTA_PROTO_ICMP_ID,
	CTA_PROTO_ICMP_TYPE,
	CTA_PROTO_NUM,
	CTA_PROTO_SRC_PORT,
	CTA_PROTOINFO,
	CTA_PROTOINFO_TCP,
	CTA_PROTOINFO_TCP_FLAGS_ORIGINAL,
	CTA_PROTOINFO_TCP_FLAGS_REPLY,
	CTA_PROTOINFO_TCP_STATE,
	CTA_PROTOINFO_TCP_WSCALE_ORIGINAL,
	CTA_PROTOINFO_TCP_WSCALE_REPLY,
	CTA_STATS_CHAIN_TOOLONG,
	CTA_STATS_CLASH_RESOLVE,
	CTA_STATS_DROP,
	CTA_STATS_EARLY_DROP,
	CTA_STATS_ERROR,
	CTA_STATS_FOUND,
	CTA_STATS_GLOBAL_ENTRIES,
	CTA_STATS_GLOBAL_MAX_ENTRIES,
	CTA_STATS_INSERT,
	CTA_STATS_INSERT_FAILED,
	CTA_STATS_INVALID,
	CTA_STATS_SEARCH_RESTART,
	CTA_STATUS,
	CTA_STATUS_MASK,
	CTA_TIMEOUT,
	CTA_TIMESTAMP,
	CTA_TIMESTAMP_START,
	CTA_TIMESTAMP_STOP,
	CTA_TUPLE_IP,
	CTA_TUPLE_MASTER,
	CTA_TUPLE_ORIG,
	CTA_TUPLE_PROTO,
	CTA_TUPLE_REPLY,
	CTA_USE,
	CTA_ZONE,
	IPCTNL_MSG_CT_DELETE,
	IPCTNL_MSG_CT_GET_CTRZERO,
	IPCTNL_MSG_CT_GET_STATS,
	IPCTNL_MSG_CT_GET_STATS_CPU,
	IPCTNL_MSG_CT_NEW,
} from '../../uapi/linux/netfilter/nfnetlink_conntrack.ts';
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_MULTI } from '../../uapi/linux/netlink.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import { netlink_dump_start, netlink_kernel_sock } from '../netlink/af_netlink.ts';
import { type netlink_callback, type netlink_skb, nlmsg_new } from '../netlink/netlink.ts';
import {
	IPPROTO_GRE,
	type nf_conn,
	nf_conntrack_find_get,
	type nf_conntrack_tuple,
	nf_ct_delete,
	nf_ct_entries,
	nf_ct_expires,
	nf_ct_get_id,
	nf_ct_is_dying,
	nf_ct_iterate_cleanup,
} from './nf_conntrack_core.ts';
import { ctnetlink_exp_event, ctnl_exp_subsys } from './nf_conntrack_netlink_exp.ts';
import {
	ctnetlink_change_conntrack,
	ctnetlink_create_conntrack,
	type ctnetlink_filter,
	ctnetlink_filter_match,
	ctnetlink_parse_filter,
	ctnetlink_parse_tuple,
} from './nf_conntrack_netlink_parse.ts';
import {
	nfnetlink_has_listeners,
	nfnetlink_send,
	nfnetlink_subsys_register,
	type nfnetlink_subsystem,
	nfnetlink_unicast,
	type nfnl_info,
	nfnl_msg_put,
	nfnl_msg_type,
} from './nfnetlink.ts';

const NETLINK_NETFILTER = 12;
const AF_INET = 2;
/** Linux 6.15. */
const CTA_TIMESTAMP_EVENT = 27;

// ---- writing -------------------------------------------------------------------------------------------------------------------

/** A tuple under attribute `type`. Return: < 0 when it does not fit. */
export function ctnetlink_dump_tuples(skb: nlbuf, type: number, t: nf_conntrack_tuple): number {
	const nest = nla_nest_start(skb, type);
	if (nest < 0) return nest;
	const ip = nla_nest_start(skb, CTA_TUPLE_IP);
	if (ip < 0) return ip;
	nla_put_be32(skb, CTA_IP_V4_SRC, t.src_ip >>> 0);
	if (nla_put_be32(skb, CTA_IP_V4_DST, t.dst_ip >>> 0) < 0) return -1;
	nla_nest_end(skb, ip);
	const proto = nla_nest_start(skb, CTA_TUPLE_PROTO);
	if (proto < 0) return proto;
	let err = nla_put_u8(skb, CTA_PROTO_NUM, t.protonum);
	switch (t.protonum) {
		case IPPROTO_TCP:
		case IPPROTO_UDP:
		case IPPROTO_GRE:
		case 132:
		case 136:
			err = Math.min(err, nla_put_be16(skb, CTA_PROTO_SRC_PORT, t.src_u));
			err = Math.min(err, nla_put_be16(skb, CTA_PROTO_DST_PORT, t.dst_u));
			break;
		case IPPROTO_ICMP:
			err = Math.min(err, nla_put_be16(skb, CTA_PROTO_ICMP_ID, t.src_u));
			err = Math.min(err, nla_put_u8(skb, CTA_PROTO_ICMP_TYPE, t.dst_u >> 8));
			err = Math.min(err, nla_put_u8(skb, CTA_PROTO_ICMP_CODE, t.dst_u & 255));
			break;
		default:
			break;
	}
	if (err < 0) return err;
	nla_nest_end(skb, proto);
	nla_nest_end(skb, nest);
	return 0;
}

function put_tcp_flags(skb: nlbuf, type: number, flags: number): number {
	return nla_put(skb, type, Uint8Array.of(flags, 0));
}

function ctnetlink_dump_protoinfo(skb: nlbuf, ct: nf_conn, destroy: boolean): number {
	const tcp = ct.tcp;
	if (tcp === null) return 0;
	const nest = nla_nest_start(skb, CTA_PROTOINFO);
	if (nest < 0) return nest;
	const t = nla_nest_start(skb, CTA_PROTOINFO_TCP);
	if (t < 0) return t;
	let err = nla_put_u8(skb, CTA_PROTOINFO_TCP_STATE, tcp.state);
	if (!destroy) {
		err = Math.min(err, nla_put_u8(skb, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, tcp.orig.td_scale));
		err = Math.min(err, nla_put_u8(skb, CTA_PROTOINFO_TCP_WSCALE_REPLY, tcp.reply.td_scale));
		err = Math.min(err, put_tcp_flags(skb, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, tcp.orig.flags));
		err = Math.min(err, put_tcp_flags(skb, CTA_PROTOINFO_TCP_FLAGS_REPLY, tcp.reply.flags));
	}
	if (err < 0) return err;
	nla_nest_end(skb, t);
	nla_nest_end(skb, nest);
	return 0;
}

/** Counters of both directions; `zero`: and sets them to 0. */
function ctnetlink_dump_acct(skb: nlbuf, ct: nf_conn, zero: boolean): number {
	const acct = ct.ext === null ? null : ct.ext.acct;
	if (acct === null) return 0;
	for (let dir = 0; dir < 2; dir++) {
		const nest = nla_nest_start(skb, dir === 0 ? CTA_COUNTERS_ORIG : CTA_COUNTERS_REPLY);
		if (nest < 0) return nest;
		nla_put_be64(skb, CTA_COUNTERS_PACKETS, acct[dir * 2]);
		if (nla_put_be64(skb, CTA_COUNTERS_BYTES, acct[dir * 2 + 1]) < 0) return -1;
		nla_nest_end(skb, nest);
		if (zero) acct.fill(0, dir * 2, dir * 2 + 2);
	}
	return 0;
}

function ctnetlink_dump_timestamp(skb: nlbuf, ct: nf_conn): number {
	const ext = ct.ext;
	if (ext === null || ext.tstamp_start === 0) return 0;
	const nest = nla_nest_start(skb, CTA_TIMESTAMP);
	if (nest < 0) return nest;
	let err = nla_put_be64(skb, CTA_TIMESTAMP_START, ext.tstamp_start);
	if (ext.tstamp_stop !== 0) err = Math.min(err, nla_put_be64(skb, CTA_TIMESTAMP_STOP, ext.tstamp_stop));
	if (err < 0) return err;
	nla_nest_end(skb, nest);
	return 0;
}

function ctnetlink_dump_help(skb: nlbuf, ct: nf_conn): number {
	const help = ct.ext === null ? null : ct.ext.help;
	if (help === null) return 0;
	const nest = nla_nest_start(skb, CTA_HELP);
	if (nest < 0) return nest;
	const err = nla_put_string(skb, CTA_HELP_NAME, help.helper.name);
	if (err < 0) return err;
	nla_nest_end(skb, nest);
	return 0;
}

function ctnetlink_dump_labels(skb: nlbuf, ct: nf_conn): number {
	const labels = ct.ext === null ? null : ct.ext.labels;
	return labels === null ? 0 : nla_put(skb, CTA_LABELS, labels);
}

function ctnetlink_dump_master(skb: nlbuf, ct: nf_conn): number {
	return ct.master === null ? 0 : ctnetlink_dump_tuples(skb, CTA_TUPLE_MASTER, ct.master.orig);
}

function ctnetlink_dump_timeout(skb: nlbuf, ct: nf_conn): number {
	return nla_put_be32(skb, CTA_TIMEOUT, Math.floor(nf_ct_expires(ct) / HZ));
}

/** One entry as a message. Return: < 0 when it does not fit (nothing is written then). */
function ctnetlink_fill_info(
	skb: nlbuf,
	portid: number,
	seq: number,
	ct: nf_conn,
	flags: number,
	zero: boolean,
	use: number,
): number {
	const nlh = nfnl_msg_put(
		skb,
		portid,
		seq,
		nfnl_msg_type(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW),
		flags,
		AF_INET,
		0,
		0,
	);
	if (nlh < 0) return nlh;
	if (
		ctnetlink_dump_tuples(skb, CTA_TUPLE_ORIG, ct.orig) < 0 ||
		ctnetlink_dump_tuples(skb, CTA_TUPLE_REPLY, ct.reply) < 0 ||
		(ct.zone !== 0 && nla_put_be16(skb, CTA_ZONE, ct.zone) < 0) ||
		nla_put_be32(skb, CTA_STATUS, ct.status) < 0 ||
		nla_put_be32(skb, CTA_MARK, ct.mark) < 0 ||
		nla_put_be32(skb, CTA_ID, nf_ct_get_id(ct)) < 0 ||
		nla_put_be32(skb, CTA_USE, use) < 0 ||
		ctnetlink_dump_master(skb, ct) < 0 ||
		(!nf_ct_is_dying(ct) && ctnetlink_dump_timeout(skb, ct) < 0) ||
		ctnetlink_dump_protoinfo(skb, ct, false) < 0 ||
		ctnetlink_dump_acct(skb, ct, false) < 0 ||
		ctnetlink_dump_timestamp(skb, ct) < 0 ||
		ctnetlink_dump_help(skb, ct) < 0 ||
		ctnetlink_dump_labels(skb, ct) < 0
	) {
		nlmsg_cancel(skb, nlh);
		return -1;
	}
	nlmsg_end(skb, nlh);
	if (zero && ct.ext !== null && ct.ext.acct !== null) ct.ext.acct.fill(0);
	return skb.len;
}

// ---- dumps ---------------------------------------------------------------------------------------------------------------------

interface dump_ctx {
	entries: nf_conn[];
	at: number;
	filter: ctnetlink_filter | null;
	zero: boolean;
}

function ctnetlink_dump_table(skb: netlink_skb, cb: netlink_callback): number {
	const ctx = cb.data as dump_ctx;
	while (ctx.at < ctx.entries.length) {
		const ct = ctx.entries[ctx.at];
		if (!nf_ct_is_dying(ct) && (ctx.filter === null || ctnetlink_filter_match(ctx.filter, ct))) {
			const flags = NLM_F_MULTI | (ctx.filter === null ? 0 : 0x20);
			if (ctnetlink_fill_info(skb, cb.skb.portid, cb.nlh.nlmsg_seq, ct, flags, ctx.zero, 1) < 0) return skb.len;
		}
		ctx.at++;
	}
	return skb.len;
}

function ctnetlink_dump_none(skb: netlink_skb): number {
	return skb.len;
}

function dump(info: nfnl_info, fn: (skb: netlink_skb, cb: netlink_callback) => number, data: unknown): number {
	const ssk = netlink_kernel_sock(info.net, NETLINK_NETFILTER);
	return ssk === null ? -EINVAL : netlink_dump_start(ssk, info.skb, info.nlh, { dump: fn, data });
}

function wants_dump(info: nfnl_info): boolean {
	return (info.nlh.nlmsg_flags & NLM_F_DUMP) !== 0;
}

/** The entry that a request's tuple names. Return: it, or -errno. */
function ctnetlink_find(info: nfnl_info, cda: nlattr_table): nf_conn | number {
	const tuple = info.net.machine.ct.tuple;
	const which = cda[CTA_TUPLE_ORIG] ?? cda[CTA_TUPLE_REPLY];
	if (which === null || which === undefined) return -EINVAL;
	const err = ctnetlink_parse_tuple(which, tuple, info.nfgen_family);
	if (err < 0) return err;
	const zone = cda[CTA_ZONE];
	const h = nf_conntrack_find_get(info.net, zone ? nla_get_be16(zone) : 0, tuple);
	return h === null ? -ENOENT : h.ct!;
}

function ctnetlink_get_conntrack(info: nfnl_info, cda: nlattr_table): number {
	const zero = (info.nlh.nlmsg_type & 255) === IPCTNL_MSG_CT_GET_CTRZERO;
	if (wants_dump(info)) {
		const filter = ctnetlink_parse_filter(info.nfgen_family, cda);
		if (typeof filter === 'number') return filter;
		const ctx: dump_ctx = { entries: nf_ct_entries(info.net.machine.ct, info.net), at: 0, filter, zero };
		return dump(info, ctnetlink_dump_table, ctx);
	}
	const ct = ctnetlink_find(info, cda);
	if (typeof ct === 'number') return ct;
	const skb = nlmsg_new(info.net);
	if (ctnetlink_fill_info(skb, info.skb.portid, info.nlh.nlmsg_seq, ct, 0, false, 2) < 0) return -EINVAL;
	return nfnetlink_unicast(skb, info.net, info.skb.portid);
}

function flush_match(ct: nf_conn, data: unknown): boolean {
	return data === null || ctnetlink_filter_match(data as ctnetlink_filter, ct);
}

function ctnetlink_del_conntrack(info: nfnl_info, cda: nlattr_table): number {
	const report = (info.nlh.nlmsg_flags & 8) !== 0;
	if (cda[CTA_TUPLE_ORIG] === null && cda[CTA_TUPLE_REPLY] === null) {
		// Without a tuple: all that the filter lets through.
		const filter = ctnetlink_parse_filter(info.nfgen_family, cda);
		if (typeof filter === 'number') return filter;
		nf_ct_iterate_cleanup(info.net.machine, info.net, flush_match, filter, info.skb.portid, report);
		return 0;
	}
	const ct = ctnetlink_find(info, cda);
	if (typeof ct === 'number') return ct;
	const id = cda[CTA_ID];
	if (id && nla_get_be32(id) !== nf_ct_get_id(ct)) return -ENOENT;
	nf_ct_delete(ct, info.skb.portid, report);
	return 0;
}

function ctnetlink_new_conntrack(info: nfnl_info, cda: nlattr_table): number {
	const found = ctnetlink_find(info, cda);
	if (typeof found === 'number' && found !== -ENOENT) return found;
	const flags = info.nlh.nlmsg_flags;
	const report = (flags & 8) !== 0;
	if (typeof found === 'number') {
		if ((flags & NLM_F_CREATE) === 0) return -ENOENT;
		const ct = ctnetlink_create_conntrack(info, cda);
		if (typeof ct === 'number') return ct;
		const events = ct.master !== null ? 1 << IPCT_RELATED : 1 << IPCT_NEW;
		ctnetlink_conntrack_event(events, ct, info.skb.portid, report);
		return 0;
	}
	if ((flags & NLM_F_EXCL) !== 0) return -EEXIST;
	const err = ctnetlink_change_conntrack(found, cda);
	if (err < 0) return err;
	ctnetlink_conntrack_event(1 << IPCT_MARK, found, info.skb.portid, report);
	return 0;
}

// ---- statistics ----------------------------------------------------------------------------------------------------------------

function ctnetlink_ct_stat_cpu_dump(skb: netlink_skb, cb: netlink_callback): number {
	if (cb.args[0] !== 0) return 0;
	const s = cb.net.ct.stat;
	const nlh = nfnl_msg_put(
		skb,
		cb.skb.portid,
		cb.nlh.nlmsg_seq,
		nfnl_msg_type(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS_CPU),
		NLM_F_MULTI,
		0,
		0,
		0,
	);
	if (nlh < 0) return skb.len;
	nla_put_be32(skb, CTA_STATS_FOUND, s.found);
	nla_put_be32(skb, CTA_STATS_INVALID, s.invalid);
	nla_put_be32(skb, CTA_STATS_INSERT, s.insert);
	nla_put_be32(skb, CTA_STATS_INSERT_FAILED, s.insert_failed);
	nla_put_be32(skb, CTA_STATS_DROP, s.drop);
	nla_put_be32(skb, CTA_STATS_EARLY_DROP, s.early_drop);
	nla_put_be32(skb, CTA_STATS_ERROR, s.error);
	nla_put_be32(skb, CTA_STATS_SEARCH_RESTART, s.search_restart);
	nla_put_be32(skb, CTA_STATS_CLASH_RESOLVE, s.clash_resolve);
	nla_put_be32(skb, CTA_STATS_CHAIN_TOOLONG, s.chaintoolong);
	nlmsg_end(skb, nlh);
	cb.args[0] = 1;
	return skb.len;
}

function ctnetlink_stat_ct_cpu(info: nfnl_info): number {
	return wants_dump(info) ? dump(info, ctnetlink_ct_stat_cpu_dump, null) : 0;
}

function ctnetlink_stat_ct(info: nfnl_info): number {
	const skb = nlmsg_new(info.net);
	const nlh = nfnl_msg_put(
		skb,
		info.skb.portid,
		info.nlh.nlmsg_seq,
		nfnl_msg_type(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS),
		0,
		0,
		0,
		0,
	);
	nla_put_be32(skb, CTA_STATS_GLOBAL_ENTRIES, info.net.ct.count);
	nla_put_be32(skb, CTA_STATS_GLOBAL_MAX_ENTRIES, info.net.machine.ct.nf_conntrack_max);
	nlmsg_end(skb, nlh);
	return nfnetlink_unicast(skb, info.net, info.skb.portid);
}

/** Dying and unconfirmed entries are on no list here (nor any more on Linux's, but for those whose event could not be sent). */
function ctnetlink_get_ct_dying(info: nfnl_info): number {
	return wants_dump(info) ? dump(info, ctnetlink_dump_none, null) : -95;
}

// ---- events --------------------------------------------------------------------------------------------------------------------

function ctnetlink_conntrack_event(events: number, ct: nf_conn, portid: number, report: boolean): void {
	const net = ct.net;
	let type = IPCTNL_MSG_CT_NEW;
	let flags = 0;
	let group: number;
	if ((events & (1 << IPCT_DESTROY)) !== 0) {
		type = IPCTNL_MSG_CT_DELETE;
		group = NFNLGRP_CONNTRACK_DESTROY;
	} else if ((events & ((1 << IPCT_NEW) | (1 << IPCT_RELATED))) !== 0) {
		flags = NLM_F_CREATE | NLM_F_EXCL;
		group = NFNLGRP_CONNTRACK_NEW;
	} else if (events !== 0) {
		group = NFNLGRP_CONNTRACK_UPDATE;
	} else {
		return;
	}
	if (!report && !nfnetlink_has_listeners(net, group)) return;
	const skb = nlmsg_new(net);
	const nlh = nfnl_msg_put(skb, portid, 0, nfnl_msg_type(NFNL_SUBSYS_CTNETLINK, type), flags, AF_INET, 0, 0);
	ctnetlink_dump_tuples(skb, CTA_TUPLE_ORIG, ct.orig);
	ctnetlink_dump_tuples(skb, CTA_TUPLE_REPLY, ct.reply);
	if (ct.zone !== 0) nla_put_be16(skb, CTA_ZONE, ct.zone);
	nla_put_be32(skb, CTA_ID, nf_ct_get_id(ct));
	nla_put_be32(skb, CTA_STATUS, ct.status);
	if (type === IPCTNL_MSG_CT_DELETE) {
		ctnetlink_dump_timeout(skb, ct);
		ctnetlink_dump_acct(skb, ct, false);
		ctnetlink_dump_timestamp(skb, ct);
		ctnetlink_dump_protoinfo(skb, ct, true);
	} else {
		ctnetlink_dump_timeout(skb, ct);
		ctnetlink_dump_protoinfo(skb, ct, false);
		ctnetlink_dump_help(skb, ct);
		ctnetlink_dump_labels(skb, ct);
		if (group === NFNLGRP_CONNTRACK_NEW) ctnetlink_dump_master(skb, ct);
	}
	if ((events & (1 << IPCT_MARK)) !== 0 || ct.mark !== 0) nla_put_be32(skb, CTA_MARK, ct.mark);
	if (ct.ext !== null && ct.ext.tstamp_start !== 0)
		nla_put_be64(skb, CTA_TIMESTAMP_EVENT, net.machine.clock.epoch * 1e9 + net.machine.clock.now);
	nlmsg_end(skb, nlh);
	nfnetlink_send(skb, net, portid, group, report);
}

// ---- registration --------------------------------------------------------------------------------------------------------------

const ct_nla_policy: nla_policy_table = {
	[CTA_TUPLE_ORIG]: { type: NLA_NESTED },
	[CTA_TUPLE_REPLY]: { type: NLA_NESTED },
	[CTA_STATUS]: { type: NLA_BE32 },
	[CTA_PROTOINFO]: { type: NLA_NESTED },
	[CTA_HELP]: { type: NLA_NESTED },
	[CTA_TIMEOUT]: { type: NLA_BE32 },
	[CTA_MARK]: { type: NLA_BE32 },
	[CTA_ID]: { type: NLA_BE32 },
	[CTA_ZONE]: { type: NLA_BE16 },
	[CTA_MARK_MASK]: { type: NLA_BE32 },
	[CTA_LABELS]: { type: NLA_BINARY, len: 16 },
	[CTA_LABELS_MASK]: { type: NLA_BINARY, len: 16 },
	[CTA_STATUS_MASK]: { type: NLA_BE32 },
};

function cb(call: (info: nfnl_info, cda: nlattr_table) => number, attrs: boolean): nfnetlink_subsystem['cb'][number] {
	return attrs ? { call, attr_count: CTA_MAX, policy: ct_nla_policy } : { call, attr_count: 0, policy: null };
}

const ctnl_subsys: nfnetlink_subsystem = {
	name: 'conntrack',
	subsys_id: NFNL_SUBSYS_CTNETLINK,
	cb: [
		cb(ctnetlink_new_conntrack, true),
		cb(ctnetlink_get_conntrack, true),
		cb(ctnetlink_del_conntrack, true),
		cb(ctnetlink_get_conntrack, true),
		cb(ctnetlink_stat_ct_cpu, false),
		cb(ctnetlink_stat_ct, false),
		cb(ctnetlink_get_ct_dying, false),
		cb(ctnetlink_get_ct_dying, false),
	],
};

/** Registers both subsystems and listens to events. Boot: after nfnetlink_init. */
export function ctnetlink_init(machine: Machine): void {
	nfnetlink_subsys_register(machine, ctnl_subsys);
	nfnetlink_subsys_register(machine, ctnl_exp_subsys);
	machine.ct.event_notifier = { ct_event: ctnetlink_conntrack_event, exp_event: ctnetlink_exp_event };
}
