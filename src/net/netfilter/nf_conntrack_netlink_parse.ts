/*
 * net/netfilter/nf_conntrack_netlink_parse.ts: what userland says of entries: tuples, filters, new and changed entries.
 *                                                                  Linux: net/netfilter/nf_conntrack_netlink.c (its other half)
 */
import { HZ, msecs_to_jiffies } from '../../kernel/time.ts';
import {
	__nla_parse,
	NL_VALIDATE_LIBERAL,
	nla_get_be16,
	nla_get_be32,
	nla_get_string,
	nla_get_u8,
	nla_get_u32,
	type nlattr,
	type nlattr_table,
} from '../../lib/nlattr.ts';
import { EBUSY, EEXIST, EINVAL, ENOMEM, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import {
	IPS_ASSURED,
	IPS_CONFIRMED,
	IPS_DYING,
	IPS_EXPECTED,
	IPS_SEEN_REPLY,
	IPS_UNCHANGEABLE_MASK,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { TCP_CONNTRACK_MAX } from '../../uapi/linux/netfilter/nf_conntrack_tcp.ts';
import { NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED } from '../../uapi/linux/netfilter/nf_nat.ts';
import {
	CTA_FILTER,
	CTA_FILTER_MAX,
	CTA_FILTER_ORIG_FLAGS,
	CTA_FILTER_REPLY_FLAGS,
	CTA_HELP,
	CTA_HELP_MAX,
	CTA_HELP_NAME,
	CTA_IP_MAX,
	CTA_IP_V4_DST,
	CTA_IP_V4_SRC,
	CTA_LABELS,
	CTA_LABELS_MASK,
	CTA_MARK,
	CTA_MARK_MASK,
	CTA_NAT_DST,
	CTA_NAT_MAX,
	CTA_NAT_PROTO,
	CTA_NAT_SRC,
	CTA_NAT_V4_MAXIP,
	CTA_NAT_V4_MINIP,
	CTA_PROTO_DST_PORT,
	CTA_PROTO_ICMP_CODE,
	CTA_PROTO_ICMP_ID,
	CTA_PROTO_ICMP_TYPE,
	CTA_PROTO_MAX,
	CTA_PROTO_NUM,
	CTA_PROTO_SRC_PORT,
	CTA_PROTOINFO,
	CTA_PROTOINFO_MAX,
	CTA_PROTOINFO_TCP,
	CTA_PROTOINFO_TCP_FLAGS_ORIGINAL,
	CTA_PROTOINFO_TCP_FLAGS_REPLY,
	CTA_PROTOINFO_TCP_MAX,
	CTA_PROTOINFO_TCP_STATE,
	CTA_PROTOINFO_TCP_WSCALE_ORIGINAL,
	CTA_PROTOINFO_TCP_WSCALE_REPLY,
	CTA_PROTONAT_MAX,
	CTA_PROTONAT_PORT_MAX,
	CTA_PROTONAT_PORT_MIN,
	CTA_STATUS,
	CTA_STATUS_MASK,
	CTA_TIMEOUT,
	CTA_TUPLE_IP,
	CTA_TUPLE_MASTER,
	CTA_TUPLE_ORIG,
	CTA_TUPLE_PROTO,
	CTA_TUPLE_REPLY,
	CTA_ZONE,
} from '../../uapi/linux/netfilter/nfnetlink_conntrack.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import {
	__nf_ct_change_timeout,
	IPPROTO_GRE,
	type nf_conn,
	nf_conntrack_alloc,
	nf_conntrack_find_get,
	nf_conntrack_hash_check_insert,
	nf_conntrack_tuple,
	nf_ct_ext_add,
	nf_ct_new_ext,
} from './nf_conntrack_core.ts';
import { __nf_conntrack_helper_find, nf_ct_helper_ext_add } from './nf_conntrack_helper.ts';
import { ip_ct_tcp, type ip_ct_tcp_state } from './nf_conntrack_proto_tcp.ts';
import {
	NF_NAT_MANIP_DST,
	NF_NAT_MANIP_SRC,
	nf_nat_alloc_null_binding,
	nf_nat_range2,
	nf_nat_setup_info,
} from './nf_nat_core.ts';
import type { nfnl_info } from './nfnetlink.ts';

const AF_UNSPEC = 0;
const AF_INET = 2;

/** The attributes of a nest by type. Return: them, or -errno. */
export function nested(nla: nlattr, max: number): nlattr_table | number {
	const tb: nlattr_table = new Array(max + 1).fill(null);
	const err = __nla_parse(tb, max, nla.buf, nla.off, nla.off + nla.len, null, NL_VALIDATE_LIBERAL, null);
	return err < 0 ? err : tb;
}

// What a filter looks at: CTA_FILTER_ORIG_FLAGS, _REPLY_FLAGS.
const F_IP_SRC = 1 << 0;
const F_IP_DST = 1 << 1;
const F_PROTO_NUM = 1 << 3;
const F_SRC_PORT = 1 << 4;
const F_DST_PORT = 1 << 5;
const F_ICMP_TYPE = 1 << 6;
const F_ICMP_CODE = 1 << 7;
const F_ICMP_ID = 1 << 8;
const F_ALL = 0x1fff;

/** Reads what `flags` ask for of a tuple in family `l3num`. Return: 0 or -errno. */
function ctnetlink_parse_tuple_filter(attr: nlattr, tuple: nf_conntrack_tuple, l3num: number, flags: number): number {
	tuple.src_ip = 0;
	tuple.dst_ip = 0;
	tuple.src_u = 0;
	tuple.dst_u = 0;
	tuple.protonum = 0;
	const tb = nested(attr, 3);
	if (typeof tb === 'number') return tb;
	if ((flags & (F_IP_SRC | F_IP_DST)) !== 0) {
		const ip = tb[CTA_TUPLE_IP];
		if (ip === null) return -EINVAL;
		if (l3num !== AF_INET) return -EOPNOTSUPP;
		const it = nested(ip, CTA_IP_MAX);
		if (typeof it === 'number') return it;
		const src = it[CTA_IP_V4_SRC];
		const dst = it[CTA_IP_V4_DST];
		if ((flags & F_IP_SRC) !== 0) {
			if (src === null || src.len < 4) return -EINVAL;
			tuple.src_ip = nla_get_be32(src) | 0;
		}
		if ((flags & F_IP_DST) !== 0) {
			if (dst === null || dst.len < 4) return -EINVAL;
			tuple.dst_ip = nla_get_be32(dst) | 0;
		}
	}
	if ((flags & F_PROTO_NUM) === 0) return 0;
	const proto = tb[CTA_TUPLE_PROTO];
	if (proto === null) return -EINVAL;
	const pt = nested(proto, CTA_PROTO_MAX);
	if (typeof pt === 'number') return pt;
	const num = pt[CTA_PROTO_NUM];
	if (num === null || num.len < 1) return -EINVAL;
	tuple.protonum = nla_get_u8(num);
	switch (tuple.protonum) {
		case IPPROTO_TCP:
		case IPPROTO_UDP:
		case IPPROTO_GRE:
		case 132:
		case 136: {
			const sp = pt[CTA_PROTO_SRC_PORT];
			const dp = pt[CTA_PROTO_DST_PORT];
			if ((flags & F_SRC_PORT) !== 0) {
				if (sp === null || sp.len < 2) return -EINVAL;
				tuple.src_u = nla_get_be16(sp);
			}
			if ((flags & F_DST_PORT) !== 0) {
				if (dp === null || dp.len < 2) return -EINVAL;
				tuple.dst_u = nla_get_be16(dp);
			}
			return 0;
		}
		case IPPROTO_ICMP: {
			const type = pt[CTA_PROTO_ICMP_TYPE];
			const code = pt[CTA_PROTO_ICMP_CODE];
			const id = pt[CTA_PROTO_ICMP_ID];
			let t = 0;
			let c = 0;
			if ((flags & F_ICMP_TYPE) !== 0) {
				if (type === null) return -EINVAL;
				t = nla_get_u8(type);
			}
			if ((flags & F_ICMP_CODE) !== 0) {
				if (code === null) return -EINVAL;
				c = nla_get_u8(code);
			}
			if ((flags & F_ICMP_ID) !== 0) {
				if (id === null || id.len < 2) return -EINVAL;
				tuple.src_u = nla_get_be16(id);
			}
			tuple.dst_u = (t << 8) | c;
			return 0;
		}
		default:
			return 0;
	}
}

/** Reads a whole tuple. Return: 0 or -errno. */
export function ctnetlink_parse_tuple(attr: nlattr, tuple: nf_conntrack_tuple, l3num: number): number {
	return ctnetlink_parse_tuple_filter(attr, tuple, l3num, F_ALL);
}

// ---- filters -------------------------------------------------------------------------------------------------------------------

/** Which entries a dump or a flush is about. */
export interface ctnetlink_filter {
	family: number;
	mark: number;
	mark_mask: number;
	has_mark: boolean;
	status: number;
	status_mask: number;
	zone: number;
	orig: nf_conntrack_tuple;
	orig_flags: number;
	reply: nf_conntrack_tuple;
	reply_flags: number;
}

/** Return: null when everything is wanted, or -errno. */
export function ctnetlink_parse_filter(family: number, cda: nlattr_table): ctnetlink_filter | null | number {
	const mark = cda[CTA_MARK];
	const mask = cda[CTA_MARK_MASK];
	const status = cda[CTA_STATUS];
	const status_mask = cda[CTA_STATUS_MASK];
	const zone = cda[CTA_ZONE];
	const filter = cda[CTA_FILTER];
	// The mask alone says nothing.
	if (mask !== null && mark === null) return -EINVAL;
	if (status_mask !== null && status === null) return -EINVAL;
	if (family === AF_UNSPEC && mark === null && status === null && zone === null && filter === null) return null;
	const f: ctnetlink_filter = {
		family,
		has_mark: mark !== null,
		mark: mark !== null ? nla_get_be32(mark) : 0,
		mark_mask: mask !== null ? nla_get_be32(mask) : 0xffffffff,
		status: status !== null ? nla_get_be32(status) : 0,
		status_mask: status_mask !== null ? nla_get_be32(status_mask) : status !== null ? nla_get_be32(status) : 0,
		zone: zone !== null ? nla_get_be16(zone) : -1,
		orig: new nf_conntrack_tuple(),
		orig_flags: 0,
		reply: new nf_conntrack_tuple(),
		reply_flags: 0,
	};
	if (status !== null && f.status_mask === 0) return -EINVAL;
	if (filter !== null) {
		if (family !== AF_INET) return -EOPNOTSUPP;
		const tb = nested(filter, CTA_FILTER_MAX);
		if (typeof tb === 'number') return tb;
		const of = tb[CTA_FILTER_ORIG_FLAGS];
		const rf = tb[CTA_FILTER_REPLY_FLAGS];
		f.orig_flags = of !== null ? nla_get_u32(of) : 0;
		f.reply_flags = rf !== null ? nla_get_u32(rf) : 0;
		if (((f.orig_flags | f.reply_flags) & ~F_ALL) !== 0) return -EOPNOTSUPP;
		for (const [flags, type, tuple] of [
			[f.orig_flags, CTA_TUPLE_ORIG, f.orig],
			[f.reply_flags, CTA_TUPLE_REPLY, f.reply],
		] as const) {
			if (flags === 0) continue;
			const attr = cda[type];
			if (attr === null) return -EINVAL;
			const err = ctnetlink_parse_tuple_filter(attr, tuple, family, flags);
			if (err < 0) return err;
		}
	}
	return f;
}

function tuple_filter_match(want: nf_conntrack_tuple, flags: number, t: nf_conntrack_tuple): boolean {
	if ((flags & F_IP_SRC) !== 0 && want.src_ip !== t.src_ip) return false;
	if ((flags & F_IP_DST) !== 0 && want.dst_ip !== t.dst_ip) return false;
	if ((flags & F_PROTO_NUM) === 0) return true;
	if (want.protonum !== t.protonum) return false;
	if (t.protonum === IPPROTO_ICMP) {
		if ((flags & F_ICMP_TYPE) !== 0 && want.dst_u >> 8 !== t.dst_u >> 8) return false;
		if ((flags & F_ICMP_CODE) !== 0 && (want.dst_u & 255) !== (t.dst_u & 255)) return false;
		return (flags & F_ICMP_ID) === 0 || want.src_u === t.src_u;
	}
	if ((flags & F_SRC_PORT) !== 0 && want.src_u !== t.src_u) return false;
	return (flags & F_DST_PORT) === 0 || want.dst_u === t.dst_u;
}

export function ctnetlink_filter_match(f: ctnetlink_filter, ct: nf_conn): boolean {
	if (f.family !== AF_UNSPEC && f.family !== AF_INET) return false;
	if (f.zone >= 0 && ct.zone !== f.zone) return false;
	if (f.has_mark && (ct.mark & f.mark_mask) >>> 0 !== f.mark) return false;
	if (f.status_mask !== 0 && (ct.status & f.status_mask) !== f.status) return false;
	return tuple_filter_match(f.orig, f.orig_flags, ct.orig) && tuple_filter_match(f.reply, f.reply_flags, ct.reply);
}

// ---- changes -------------------------------------------------------------------------------------------------------------------

/** Userland may say that a flow has been answered or is assured, never the contrary, and nothing of what the kernel alone knows. */
function ctnetlink_change_status(ct: nf_conn, cda: nlattr_table): number {
	const attr = cda[CTA_STATUS];
	if (attr === null) return 0;
	const status = nla_get_be32(attr);
	const d = ct.status ^ status;
	if ((d & (IPS_EXPECTED | IPS_CONFIRMED | IPS_DYING)) !== 0) return -EBUSY;
	if ((d & IPS_SEEN_REPLY) !== 0 && (status & IPS_SEEN_REPLY) === 0) return -EBUSY;
	if ((d & IPS_ASSURED) !== 0 && (status & IPS_ASSURED) === 0) return -EBUSY;
	ct.status |= status & ~IPS_UNCHANGEABLE_MASK;
	return 0;
}

function set_tcp_flags(s: ip_ct_tcp_state, attr: nlattr | null): void {
	if (attr === null || attr.len < 2) return;
	const flags = attr.buf[attr.off];
	const mask = attr.buf[attr.off + 1];
	s.flags = (s.flags & ~mask) | (flags & mask);
}

/** TCP's state, flags and window scales. */
function ctnetlink_change_protoinfo(ct: nf_conn, attr: nlattr): number {
	const tb = nested(attr, CTA_PROTOINFO_MAX);
	if (typeof tb === 'number') return tb;
	const t = tb[CTA_PROTOINFO_TCP];
	if (ct.orig.protonum !== IPPROTO_TCP || t === null) return 0;
	const pt = nested(t, CTA_PROTOINFO_TCP_MAX);
	if (typeof pt === 'number') return pt;
	if (ct.tcp === null) ct.tcp = new ip_ct_tcp();
	const tcp = ct.tcp;
	const state = pt[CTA_PROTOINFO_TCP_STATE];
	if (state !== null) {
		const v = nla_get_u8(state);
		if (v >= TCP_CONNTRACK_MAX) return -EINVAL;
		tcp.state = v;
	}
	set_tcp_flags(tcp.orig, pt[CTA_PROTOINFO_TCP_FLAGS_ORIGINAL]);
	set_tcp_flags(tcp.reply, pt[CTA_PROTOINFO_TCP_FLAGS_REPLY]);
	const so = pt[CTA_PROTOINFO_TCP_WSCALE_ORIGINAL];
	const sr = pt[CTA_PROTOINFO_TCP_WSCALE_REPLY];
	// RFC 7323 2.2: both sides or none.
	if (so !== null && sr !== null && (tcp.orig.flags & tcp.reply.flags & 1) !== 0) {
		tcp.orig.td_scale = nla_get_u8(so);
		tcp.reply.td_scale = nla_get_u8(sr);
	}
	return 0;
}

function ctnetlink_change_mark(ct: nf_conn, cda: nlattr_table): void {
	const mark = cda[CTA_MARK];
	if (mark === null) return;
	const mask = cda[CTA_MARK_MASK];
	const keep = mask !== null ? ~nla_get_be32(mask) : 0;
	ct.mark = ((ct.mark & keep) ^ nla_get_be32(mark)) >>> 0;
}

function ctnetlink_change_labels(ct: nf_conn, cda: nlattr_table): number {
	const attr = cda[CTA_LABELS];
	if (attr === null) return 0;
	if (attr.len > 16 || attr.len % 4 !== 0 || attr.len === 0) return -EINVAL;
	const mask = cda[CTA_LABELS_MASK];
	if (mask !== null && mask.len !== attr.len) return -EINVAL;
	const ext = nf_ct_ext_add(ct);
	if (ext.labels === null) ext.labels = new Uint8Array(16);
	for (let i = 0; i < attr.len; i++) {
		const m = mask !== null ? mask.buf[mask.off + i] : 255;
		ext.labels[i] = (ext.labels[i] & ~m) | (attr.buf[attr.off + i] & m);
	}
	return 0;
}

/** A timeout in seconds, as jiffies that cannot overflow. */
function parse_timeout(attr: nlattr): number {
	return Math.min(nla_get_be32(attr) * HZ, 0x3fffffff);
}

/** Changes what may be changed of an entry. Return: 0 or -errno. */
export function ctnetlink_change_conntrack(ct: nf_conn, cda: nlattr_table): number {
	// NAT and master are settled when the flow begins.
	if (cda[CTA_NAT_SRC] !== null || cda[CTA_NAT_DST] !== null || cda[CTA_TUPLE_MASTER] !== null) return -EOPNOTSUPP;
	const help = cda[CTA_HELP];
	if (help !== null) {
		const tb = nested(help, CTA_HELP_MAX);
		if (typeof tb === 'number') return tb;
		const name = tb[CTA_HELP_NAME];
		if (name === null) return -EINVAL;
		const old = ct.ext !== null && ct.ext.help !== null ? ct.ext.help.helper.name : '';
		if (nla_get_string(name) !== old) return old !== '' ? -EBUSY : -EOPNOTSUPP;
	}
	const timeout = cda[CTA_TIMEOUT];
	if (timeout !== null) __nf_ct_change_timeout(ct, parse_timeout(timeout));
	let err = ctnetlink_change_status(ct, cda);
	if (err < 0) return err;
	const info = cda[CTA_PROTOINFO];
	if (info !== null) {
		err = ctnetlink_change_protoinfo(ct, info);
		if (err < 0) return err;
	}
	ctnetlink_change_mark(ct, cda);
	return ctnetlink_change_labels(ct, cda);
}

/** Binds one side of a new entry: to what CTA_NAT_* say, or to what it is. Return: 0 or -errno. */
function ctnetlink_parse_nat_setup(ct: nf_conn, manip: number, attr: nlattr | null): number {
	if (attr === null) {
		nf_nat_alloc_null_binding(ct, manip === NF_NAT_MANIP_SRC ? 4 : 0);
		return 0;
	}
	const tb = nested(attr, CTA_NAT_MAX);
	if (typeof tb === 'number') return tb;
	const range = new nf_nat_range2();
	const min = tb[CTA_NAT_V4_MINIP];
	const max = tb[CTA_NAT_V4_MAXIP];
	if (min !== null) {
		range.flags |= NF_NAT_RANGE_MAP_IPS;
		range.min_addr = nla_get_be32(min);
		range.max_addr = max !== null ? nla_get_be32(max) : range.min_addr;
	}
	const proto = tb[CTA_NAT_PROTO];
	if (proto !== null) {
		const pt = nested(proto, CTA_PROTONAT_MAX);
		if (typeof pt === 'number') return pt;
		const pmin = pt[CTA_PROTONAT_PORT_MIN];
		const pmax = pt[CTA_PROTONAT_PORT_MAX];
		if (pmin !== null) {
			range.min_proto = nla_get_be16(pmin);
			range.max_proto = range.min_proto;
			range.flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
		}
		if (pmax !== null) {
			range.max_proto = nla_get_be16(pmax);
			range.flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
		}
	}
	return nf_nat_setup_info(ct, range, manip) === 0 ? -ENOMEM : 0;
}

/** Makes an entry that userland describes. Return: it, or -errno. */
export function ctnetlink_create_conntrack(info: nfnl_info, cda: nlattr_table): nf_conn | number {
	const net = info.net;
	const otuple = new nf_conntrack_tuple();
	const rtuple = new nf_conntrack_tuple();
	const oattr = cda[CTA_TUPLE_ORIG];
	const rattr = cda[CTA_TUPLE_REPLY];
	if (oattr === null || rattr === null) return -EINVAL;
	let err = ctnetlink_parse_tuple(oattr, otuple, info.nfgen_family);
	if (err < 0) return err;
	err = ctnetlink_parse_tuple(rattr, rtuple, info.nfgen_family);
	if (err < 0) return err;
	const timeout = cda[CTA_TIMEOUT];
	if (timeout === null) return -EINVAL;
	const zattr = cda[CTA_ZONE];
	const zone = zattr !== null ? nla_get_be16(zattr) : 0;
	const ct = nf_conntrack_alloc(net, zone, otuple, rtuple);
	if (ct === null) return -ENOMEM;
	ct.timeout = parse_timeout(timeout);
	nf_ct_new_ext(ct);
	const help = cda[CTA_HELP];
	if (help !== null) {
		const tb = nested(help, CTA_HELP_MAX);
		if (typeof tb === 'number') return tb;
		const name = tb[CTA_HELP_NAME];
		if (name === null) return -EINVAL;
		const helper = __nf_conntrack_helper_find(net.machine, nla_get_string(name), AF_INET, otuple.protonum);
		if (helper === null) return -EOPNOTSUPP;
		nf_ct_helper_ext_add(ct, helper);
	}
	if (cda[CTA_NAT_SRC] !== null || cda[CTA_NAT_DST] !== null) {
		err = ctnetlink_parse_nat_setup(ct, NF_NAT_MANIP_DST, cda[CTA_NAT_DST]);
		if (err < 0) return err;
		err = ctnetlink_parse_nat_setup(ct, NF_NAT_MANIP_SRC, cda[CTA_NAT_SRC]);
		if (err < 0) return err;
	}
	if (ct.orig.protonum === IPPROTO_TCP) ct.tcp = new ip_ct_tcp();
	if (ct.orig.protonum === IPPROTO_UDP) ct.udp_stream_ts = net.machine.jiffies + msecs_to_jiffies(2000);
	ct.status |= IPS_CONFIRMED;
	const status = cda[CTA_STATUS];
	if (status !== null) {
		ct.status |= nla_get_be32(status) & ~IPS_UNCHANGEABLE_MASK;
	}
	const protoinfo = cda[CTA_PROTOINFO];
	if (protoinfo !== null) {
		err = ctnetlink_change_protoinfo(ct, protoinfo);
		if (err < 0) return err;
	}
	const mattr = cda[CTA_TUPLE_MASTER];
	if (mattr !== null) {
		const mt = new nf_conntrack_tuple();
		err = ctnetlink_parse_tuple(mattr, mt, info.nfgen_family);
		if (err < 0) return err;
		const h = nf_conntrack_find_get(net, zone, mt);
		if (h === null) return -2;
		ct.master = h.ct;
		ct.status |= IPS_EXPECTED;
	}
	ctnetlink_change_mark(ct, cda);
	err = ctnetlink_change_labels(ct, cda);
	if (err < 0) return err;
	if (ct.ext !== null && ct.ext.tstamp_start !== 0)
		ct.ext.tstamp_start = net.machine.clock.epoch * 1e9 + net.machine.clock.now;
	return nf_conntrack_hash_check_insert(ct) < 0 ? -EEXIST : ct;
}
