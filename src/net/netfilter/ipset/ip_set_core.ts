/*
 * net/netfilter/ipset/ip_set_core.ts: named sets of addresses, ports, interfaces.   Linux: net/netfilter/ipset/ip_set_core.c
 *
 * Walk: ipset(8) speaks nfnetlink (ip_set_netlink_subsys): ip_set_create, ip_set_uadd … -> call_ad -> the type's uadt; a rule's match or
 * target asks ip_set_test, ip_set_add, ip_set_del -> kadt. A rule knows its set by index; swap exchanges what two indices stand for.
 */
import type { Machine } from '../../../kernel/machine.ts';
import {
	get_unaligned_le32,
	put_unaligned_be32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import {
	__nla_parse,
	bytes_to_str,
	NL_VALIDATE_LIBERAL,
	NLA_BINARY,
	NLA_NESTED,
	NLA_NUL_STRING,
	NLA_U8,
	NLA_U16,
	NLA_U32,
	NLA_U64,
	nla_get_be16,
	nla_get_string,
	nla_get_u8,
	nla_nest_cancel,
	nla_nest_end,
	nla_nest_start,
	nla_nested,
	type nla_policy_table,
	nla_put_be16,
	nla_put_string,
	nla_put_u8,
	type nlattr,
	type nlattr_table,
	nlmsg_cancel,
	nlmsg_end,
	str_to_bytes,
} from '../../../lib/nlattr.ts';
import {
	EAGAIN,
	EBADMSG,
	EEXIST,
	EFAULT,
	EINVAL,
	EMSGSIZE,
	ENOENT,
	ENOTEMPTY,
} from '../../../uapi/asm-generic/errno.ts';
import * as U from '../../../uapi/linux/netfilter/ipset/ip_set.ts';
import { NFNL_SUBSYS_IPSET } from '../../../uapi/linux/netfilter/nfnetlink.ts';
import { NETLINK_NETFILTER, NLA_F_NET_BYTEORDER, NLM_F_EXCL, NLM_F_MULTI } from '../../../uapi/linux/netlink.ts';
import type { net } from '../../core/net_namespace.ts';
import type { sock } from '../../core/sock.ts';
import { netlink_dump_start, netlink_kernel_sock } from '../../netlink/af_netlink.ts';
import { type netlink_callback, type netlink_skb, nlmsg_new } from '../../netlink/netlink.ts';
import { nf_register_sockopt } from '../nf_sockopt.ts';
import {
	nfnetlink_subsys_register,
	nfnetlink_unicast,
	type nfnl_callback,
	type nfnl_info,
	nfnl_msg_put,
	nfnl_msg_type,
} from '../nfnetlink.ts';
import {
	IP_SET_MAX,
	IPSET_ADD,
	IPSET_DEL,
	IPSET_DUMP_LAST,
	IPSET_EXT_COMMENT,
	IPSET_EXT_COUNTER,
	IPSET_EXT_SKBINFO,
	IPSET_EXT_TIMEOUT,
	IPSET_TEST,
	ip_set,
	ip_set_get_h32,
	ip_set_pernet,
	type ip_set_type,
} from './ip_set.ts';
import { bitmap_types } from './ip_set_bitmap.ts';
import { hash_types } from './ip_set_hash.ts';
import { clamp_timeout } from './ip_set_kernel.ts';
import { list_set_type } from './ip_set_list_set.ts';

const AF_INET = 2;
const NFPROTO_IPV4 = 2;
const TYPES: readonly ip_set_type[] = [...hash_types, ...bitmap_types, list_set_type];

// ---- extensions ------------------------------------------------------------------------------------------------------------------

/** Linux: ip_set_elem_len: which extensions a new set has. */
function ip_set_extensions_of(set: ip_set, tb: nlattr_table): number {
	const cf = tb[U.IPSET_ATTR_CADT_FLAGS];
	const flags = cf === null ? 0 : ip_set_get_h32(cf);
	if ((flags & U.IPSET_FLAG_WITH_FORCEADD) !== 0) set.forceadd = true;
	if ((flags & U.IPSET_FLAG_WITH_COUNTERS) !== 0) set.extensions |= IPSET_EXT_COUNTER;
	if ((flags & U.IPSET_FLAG_WITH_COMMENT) !== 0) set.extensions |= IPSET_EXT_COMMENT;
	if ((flags & U.IPSET_FLAG_WITH_SKBINFO) !== 0) set.extensions |= IPSET_EXT_SKBINFO;
	const t = tb[U.IPSET_ATTR_TIMEOUT];
	if (t !== null) {
		if ((t.flags & NLA_F_NET_BYTEORDER) === 0) return -U.IPSET_ERR_PROTOCOL;
		set.extensions |= IPSET_EXT_TIMEOUT;
		set.timeout = clamp_timeout(ip_set_get_h32(t));
	}
	return 0;
}

// ---- netlink ---------------------------------------------------------------------------------------------------------------------

function protocol_failed(tb: nlattr_table): boolean {
	const p = tb[U.IPSET_ATTR_PROTOCOL];
	if (p === null) return true;
	const v = nla_get_u8(p);
	return v < U.IPSET_PROTOCOL_MIN || v > U.IPSET_PROTOCOL;
}

function find_set(net: net, name: string): number {
	return ip_set_pernet(net).list.findIndex((s) => s !== null && s.name === name);
}

function setname(tb: nlattr_table, type: number = U.IPSET_ATTR_SETNAME): string {
	return nla_get_string(tb[type]!);
}

const IP_POLICY = { type: NLA_NESTED };
const create_data_policy: nla_policy_table = {
	[U.IPSET_ATTR_IP]: IP_POLICY,
	[U.IPSET_ATTR_IP_TO]: IP_POLICY,
	[U.IPSET_ATTR_CIDR]: { type: NLA_U8 },
	[U.IPSET_ATTR_PORT]: { type: NLA_U16 },
	[U.IPSET_ATTR_PORT_TO]: { type: NLA_U16 },
	[U.IPSET_ATTR_TIMEOUT]: { type: NLA_U32 },
	[U.IPSET_ATTR_PROTO]: { type: NLA_U8 },
	[U.IPSET_ATTR_CADT_FLAGS]: { type: NLA_U32 },
	[U.IPSET_ATTR_INITVAL]: { type: NLA_U32 },
	[U.IPSET_ATTR_HASHSIZE]: { type: NLA_U32 },
	[U.IPSET_ATTR_MAXELEM]: { type: NLA_U32 },
	[U.IPSET_ATTR_NETMASK]: { type: NLA_U8 },
	[U.IPSET_ATTR_BUCKETSIZE]: { type: NLA_U8 },
	[U.IPSET_ATTR_RESIZE]: { type: NLA_U8 },
	[U.IPSET_ATTR_SIZE]: { type: NLA_U32 },
};
const adt_data_policy: nla_policy_table = {
	[U.IPSET_ATTR_IP]: IP_POLICY,
	[U.IPSET_ATTR_IP_TO]: IP_POLICY,
	[U.IPSET_ATTR_CIDR]: { type: NLA_U8 },
	[U.IPSET_ATTR_PORT]: { type: NLA_U16 },
	[U.IPSET_ATTR_PORT_TO]: { type: NLA_U16 },
	[U.IPSET_ATTR_TIMEOUT]: { type: NLA_U32 },
	[U.IPSET_ATTR_PROTO]: { type: NLA_U8 },
	[U.IPSET_ATTR_CADT_FLAGS]: { type: NLA_U32 },
	[U.IPSET_ATTR_CADT_LINENO]: { type: NLA_U32 },
	[U.IPSET_ATTR_MARK]: { type: NLA_U32 },
	[U.IPSET_ATTR_ETHER]: { type: NLA_BINARY, len: 6 },
	[U.IPSET_ATTR_NAME]: { type: NLA_NUL_STRING, len: U.IPSET_MAXNAMELEN - 1 },
	[U.IPSET_ATTR_NAMEREF]: { type: NLA_NUL_STRING, len: U.IPSET_MAXNAMELEN - 1 },
	[U.IPSET_ATTR_IP2]: IP_POLICY,
	[U.IPSET_ATTR_CIDR2]: { type: NLA_U8 },
	[U.IPSET_ATTR_IP2_TO]: IP_POLICY,
	[U.IPSET_ATTR_IFACE]: { type: NLA_NUL_STRING, len: 15 },
	[U.IPSET_ATTR_BYTES]: { type: NLA_U64 },
	[U.IPSET_ATTR_PACKETS]: { type: NLA_U64 },
	[U.IPSET_ATTR_COMMENT]: { type: NLA_NUL_STRING, len: U.IPSET_MAX_COMMENT_SIZE },
	[U.IPSET_ATTR_SKBMARK]: { type: NLA_U64 },
	[U.IPSET_ATTR_SKBPRIO]: { type: NLA_U32 },
	[U.IPSET_ATTR_SKBQUEUE]: { type: NLA_U16 },
};

function parse_data(nla: nlattr, policy: nla_policy_table): nlattr_table | null {
	const tb: nlattr_table = new Array(U.IPSET_ATTR_DATA_MAX + 1).fill(null);
	const err = __nla_parse(
		tb,
		U.IPSET_ATTR_DATA_MAX,
		nla.buf,
		nla.off,
		nla.off + nla.len,
		policy,
		NL_VALIDATE_LIBERAL,
		null,
	);
	return err < 0 ? null : tb;
}

function find_type(name: string, family: number, revision: number): ip_set_type | number {
	let seen = false;
	for (const t of TYPES) {
		if (t.name !== name || !(t.family === 0 || t.family === family)) continue;
		seen = true;
		if (revision >= t.revision_min && revision <= t.revision_max) return t;
	}
	return seen ? -U.IPSET_ERR_PROTOCOL : -U.IPSET_ERR_FIND_TYPE;
}

function ip_set_create(info: nfnl_info, tb: nlattr_table): number {
	if (
		protocol_failed(tb) ||
		tb[U.IPSET_ATTR_SETNAME] === null ||
		tb[U.IPSET_ATTR_TYPENAME] === null ||
		tb[U.IPSET_ATTR_REVISION] === null ||
		tb[U.IPSET_ATTR_FAMILY] === null
	)
		return -U.IPSET_ERR_PROTOCOL;
	const family = nla_get_u8(tb[U.IPSET_ATTR_FAMILY]!);
	const revision = nla_get_u8(tb[U.IPSET_ATTR_REVISION]!);
	const type = find_type(setname(tb, U.IPSET_ATTR_TYPENAME), family, revision);
	if (typeof type === 'number') return type;
	const data = tb[U.IPSET_ATTR_DATA];
	const dt = data === null ? new Array(U.IPSET_ATTR_DATA_MAX + 1).fill(null) : parse_data(data, create_data_policy);
	if (dt === null) return -U.IPSET_ERR_PROTOCOL;
	const set = new ip_set(info.net, setname(tb), type, family, revision);
	let err = ip_set_extensions_of(set, dt);
	if (err < 0) return err;
	err = type.create(set, dt, info.nlh.nlmsg_flags);
	if (err < 0) return err;
	const list = ip_set_pernet(info.net).list;
	const there = list.find((s) => s !== null && s.name === set.name);
	if (there !== undefined && there !== null) {
		const same =
			(info.nlh.nlmsg_flags & NLM_F_EXCL) === 0 &&
			there.type === type &&
			there.family === family &&
			there.revision === revision &&
			there.variant === set.variant &&
			there.variant.same_set(set, there);
		return same ? 0 : -EEXIST;
	}
	let index = list.indexOf(null);
	if (index < 0) {
		if (list.length + 64 > U.IPSET_INVALID_ID) return -U.IPSET_ERR_MAX_SETS;
		index = list.length;
		for (let i = 0; i < 64; i++) list.push(null);
	}
	list[index] = set;
	return 0;
}

function ip_set_destroy(info: nfnl_info, tb: nlattr_table): number {
	if (protocol_failed(tb)) return -U.IPSET_ERR_PROTOCOL;
	const list = ip_set_pernet(info.net).list;
	if (tb[U.IPSET_ATTR_SETNAME] === null) {
		for (const s of list) if (s !== null && s.ref > 0) return -U.IPSET_ERR_BUSY;
		for (let i = 0; i < list.length; i++) {
			list[i]?.variant.destroy(list[i]!);
			list[i] = null;
		}
		list.length = IP_SET_MAX;
		return 0;
	}
	const i = find_set(info.net, setname(tb));
	if (i < 0) return (info.nlh.nlmsg_flags & NLM_F_EXCL) === 0 ? 0 : -ENOENT;
	const set = list[i]!;
	if (set.ref > 0) return -U.IPSET_ERR_BUSY;
	set.variant.destroy(set);
	list[i] = null;
	return 0;
}

function ip_set_flush(info: nfnl_info, tb: nlattr_table): number {
	if (protocol_failed(tb)) return -U.IPSET_ERR_PROTOCOL;
	const list = ip_set_pernet(info.net).list;
	if (tb[U.IPSET_ATTR_SETNAME] === null) {
		for (const s of list) s?.variant.flush(s);
		return 0;
	}
	const i = find_set(info.net, setname(tb));
	if (i < 0) return -ENOENT;
	list[i]!.variant.flush(list[i]!);
	return 0;
}

function ip_set_rename(info: nfnl_info, tb: nlattr_table): number {
	if (protocol_failed(tb) || tb[U.IPSET_ATTR_SETNAME] === null || tb[U.IPSET_ATTR_SETNAME2] === null)
		return -U.IPSET_ERR_PROTOCOL;
	const i = find_set(info.net, setname(tb));
	if (i < 0) return -ENOENT;
	const set = ip_set_pernet(info.net).list[i]!;
	if (set.ref !== 0) return -U.IPSET_ERR_REFERENCED;
	const to = setname(tb, U.IPSET_ATTR_SETNAME2);
	if (find_set(info.net, to) >= 0) return -U.IPSET_ERR_EXIST_SETNAME2;
	set.name = to;
	return 0;
}

function ip_set_swap(info: nfnl_info, tb: nlattr_table): number {
	if (protocol_failed(tb) || tb[U.IPSET_ATTR_SETNAME] === null || tb[U.IPSET_ATTR_SETNAME2] === null)
		return -U.IPSET_ERR_PROTOCOL;
	const list = ip_set_pernet(info.net).list;
	const i = find_set(info.net, setname(tb));
	if (i < 0) return -ENOENT;
	const j = find_set(info.net, setname(tb, U.IPSET_ATTR_SETNAME2));
	if (j < 0) return -U.IPSET_ERR_EXIST_SETNAME2;
	const from = list[i]!;
	const to = list[j]!;
	if (from.type.features !== to.type.features || from.family !== to.family || from.type.name !== to.type.name)
		return -U.IPSET_ERR_TYPE_MISMATCH;
	const { name, ref } = from;
	from.name = to.name;
	from.ref = to.ref;
	to.name = name;
	to.ref = ref;
	list[i] = to;
	list[j] = from;
	return 0;
}

/** Hands a request's elements to the type. Return: 0 or -errno, the line of a restore in the message where it failed. */
function ip_set_ad(info: nfnl_info, tb: nlattr_table, adt: number): number {
	const data = tb[U.IPSET_ATTR_DATA];
	const many = tb[U.IPSET_ATTR_ADT];
	const lineno = tb[U.IPSET_ATTR_LINENO];
	if (
		protocol_failed(tb) ||
		tb[U.IPSET_ATTR_SETNAME] === null ||
		(data !== null) === (many !== null) ||
		(many !== null && lineno === null)
	)
		return -U.IPSET_ERR_PROTOCOL;
	const i = find_set(info.net, setname(tb));
	if (i < 0) return -ENOENT;
	const set = ip_set_pernet(info.net).list[i]!;
	const flags = (info.nlh.nlmsg_flags & NLM_F_EXCL) !== 0 ? 0 : U.IPSET_FLAG_EXIST;
	const one = (nla: nlattr): number => {
		const dt = parse_data(nla, adt_data_policy);
		if (dt === null) return -U.IPSET_ERR_PROTOCOL;
		const ret = set.variant.uadt(set, dt, adt, flags);
		// What is there (or not) already is no failure with -exist.
		if (ret === -U.IPSET_ERR_EXIST && (flags & U.IPSET_FLAG_EXIST) !== 0) return 0;
		if (ret < 0 && lineno !== null) {
			const line = dt[U.IPSET_ATTR_CADT_LINENO];
			if (line !== null) put_unaligned_be32(lineno.buf, lineno.off, ip_set_get_h32(line));
		}
		return ret;
	};
	if (data !== null) return one(data);
	for (const nla of nla_nested(many!)) {
		if (nla.type !== U.IPSET_ATTR_DATA) return -U.IPSET_ERR_PROTOCOL;
		const ret = one(nla);
		if (ret < 0) return ret;
	}
	return 0;
}

function ip_set_uadd(info: nfnl_info, tb: nlattr_table): number {
	return ip_set_ad(info, tb, IPSET_ADD);
}

function ip_set_udel(info: nfnl_info, tb: nlattr_table): number {
	return ip_set_ad(info, tb, IPSET_DEL);
}

function ip_set_utest(info: nfnl_info, tb: nlattr_table): number {
	const data = tb[U.IPSET_ATTR_DATA];
	if (protocol_failed(tb) || tb[U.IPSET_ATTR_SETNAME] === null || data === null) return -U.IPSET_ERR_PROTOCOL;
	const i = find_set(info.net, setname(tb));
	if (i < 0) return -ENOENT;
	const set = ip_set_pernet(info.net).list[i]!;
	const dt = parse_data(data, adt_data_policy);
	if (dt === null) return -U.IPSET_ERR_PROTOCOL;
	const ret = set.variant.uadt(set, dt, IPSET_TEST, 0);
	if (ret > 0 || ret === -EAGAIN) return 0;
	return ret === 0 || ret === -ENOTEMPTY ? -U.IPSET_ERR_EXIST : ret;
}

function answer(info: nfnl_info, cmd: number, fill: (skb: netlink_skb) => void): number {
	const skb = nlmsg_new(info.net);
	const type = nfnl_msg_type(NFNL_SUBSYS_IPSET, cmd);
	const at = nfnl_msg_put(skb, info.skb.portid, info.nlh.nlmsg_seq, type, 0, NFPROTO_IPV4, 0, 0);
	if (at < 0) return -EMSGSIZE;
	nla_put_u8(skb, U.IPSET_ATTR_PROTOCOL, U.IPSET_PROTOCOL);
	fill(skb);
	nlmsg_end(skb, at);
	return nfnetlink_unicast(skb, info.net, info.skb.portid);
}

function ip_set_protocol(info: nfnl_info, tb: nlattr_table): number {
	if (tb[U.IPSET_ATTR_PROTOCOL] === null) return -U.IPSET_ERR_PROTOCOL;
	return answer(info, U.IPSET_CMD_PROTOCOL, (skb) => {
		nla_put_u8(skb, U.IPSET_ATTR_PROTOCOL_MIN, U.IPSET_PROTOCOL_MIN);
	});
}

function ip_set_header(info: nfnl_info, tb: nlattr_table): number {
	if (protocol_failed(tb) || tb[U.IPSET_ATTR_SETNAME] === null) return -U.IPSET_ERR_PROTOCOL;
	const i = find_set(info.net, setname(tb));
	if (i < 0) return -ENOENT;
	const set = ip_set_pernet(info.net).list[i]!;
	return answer(info, U.IPSET_CMD_HEADER, (skb) => {
		nla_put_string(skb, U.IPSET_ATTR_SETNAME, set.name);
		nla_put_string(skb, U.IPSET_ATTR_TYPENAME, set.type.name);
		nla_put_u8(skb, U.IPSET_ATTR_FAMILY, set.family);
		nla_put_u8(skb, U.IPSET_ATTR_REVISION, set.revision);
	});
}

function ip_set_type_cmd(info: nfnl_info, tb: nlattr_table): number {
	if (protocol_failed(tb) || tb[U.IPSET_ATTR_TYPENAME] === null || tb[U.IPSET_ATTR_FAMILY] === null)
		return -U.IPSET_ERR_PROTOCOL;
	const family = nla_get_u8(tb[U.IPSET_ATTR_FAMILY]!);
	const name = setname(tb, U.IPSET_ATTR_TYPENAME);
	const type = TYPES.find((t) => t.name === name && (t.family === 0 || t.family === family));
	if (type === undefined) return -EEXIST;
	return answer(info, U.IPSET_CMD_TYPE, (skb) => {
		nla_put_string(skb, U.IPSET_ATTR_TYPENAME, type.name);
		nla_put_u8(skb, U.IPSET_ATTR_FAMILY, family);
		nla_put_u8(skb, U.IPSET_ATTR_REVISION, type.revision_max);
		nla_put_u8(skb, U.IPSET_ATTR_REVISION_MIN, type.revision_min);
	});
}

function ip_set_byname(info: nfnl_info, tb: nlattr_table): number {
	if (protocol_failed(tb) || tb[U.IPSET_ATTR_SETNAME] === null) return -U.IPSET_ERR_PROTOCOL;
	const i = find_set(info.net, setname(tb));
	if (i < 0) return -ENOENT;
	return answer(info, U.IPSET_CMD_GET_BYNAME, (skb) => {
		nla_put_u8(skb, U.IPSET_ATTR_FAMILY, ip_set_pernet(info.net).list[i]!.family);
		nla_put_be16(skb, U.IPSET_ATTR_INDEX | NLA_F_NET_BYTEORDER, i);
	});
}

function ip_set_byindex(info: nfnl_info, tb: nlattr_table): number {
	const at = tb[U.IPSET_ATTR_INDEX];
	if (protocol_failed(tb) || at === null) return -U.IPSET_ERR_PROTOCOL;
	const set = ip_set_pernet(info.net).list[nla_get_be16(at)] ?? null;
	if (set === null) return -ENOENT;
	return answer(info, U.IPSET_CMD_GET_BYINDEX, (skb) => {
		nla_put_string(skb, U.IPSET_ATTR_SETNAME, set.name);
	});
}

// ---- dumps -----------------------------------------------------------------------------------------------------------------------

interface dump_ctx {
	sets: { set: ip_set; index: number }[];
	/** Which set, and which of its entries is next. */
	at: number;
	order: unknown;
	entry: number;
	flags: number;
}

function ip_set_dump_do(skb: netlink_skb, cb: netlink_callback): number {
	const ctx = cb.data as dump_ctx;
	const type = nfnl_msg_type(NFNL_SUBSYS_IPSET, U.IPSET_CMD_LIST);
	for (; ctx.at < ctx.sets.length; ctx.at++, ctx.order = null, ctx.entry = 0) {
		const { set, index } = ctx.sets[ctx.at];
		const v = set.variant;
		const nlh = nfnl_msg_put(skb, cb.skb.portid, cb.nlh.nlmsg_seq, type, NLM_F_MULTI, NFPROTO_IPV4, 0, 0);
		if (nlh < 0) return skb.len;
		let err = nla_put_u8(skb, U.IPSET_ATTR_PROTOCOL, U.IPSET_PROTOCOL);
		err |= nla_put_string(skb, U.IPSET_ATTR_SETNAME, set.name);
		if ((ctx.flags & U.IPSET_FLAG_LIST_SETNAME) === 0 && ctx.order === null) {
			err |= nla_put_string(skb, U.IPSET_ATTR_TYPENAME, set.type.name);
			err |= nla_put_u8(skb, U.IPSET_ATTR_FAMILY, set.family);
			err |= nla_put_u8(skb, U.IPSET_ATTR_REVISION, set.revision);
			err |= nla_put_be16(skb, U.IPSET_ATTR_INDEX | NLA_F_NET_BYTEORDER, index);
			const nest = nla_nest_start(skb, U.IPSET_ATTR_DATA);
			if (err < 0 || nest < 0) {
				nlmsg_cancel(skb, nlh);
				return skb.len;
			}
			v.head(set, skb);
			nla_nest_end(skb, nest);
		}
		if (err < 0) {
			nlmsg_cancel(skb, nlh);
			return skb.len;
		}
		if ((ctx.flags & (U.IPSET_FLAG_LIST_SETNAME | U.IPSET_FLAG_LIST_HEADER)) === 0) {
			if (ctx.order === null) ctx.order = v.list_begin(set);
			const adt = nla_nest_start(skb, U.IPSET_ATTR_ADT);
			if (adt < 0) {
				nlmsg_cancel(skb, nlh);
				return skb.len;
			}
			const n = v.list_length(ctx.order);
			for (; ctx.entry < n; ctx.entry++) {
				const nest = nla_nest_start(skb, U.IPSET_ATTR_DATA);
				const before = skb.len;
				if (nest < 0 || v.list(set, skb, ctx.order, ctx.entry) < 0) {
					if (nest >= 0) nla_nest_cancel(skb, nest);
					nla_nest_end(skb, adt);
					nlmsg_end(skb, nlh);
					return skb.len;
				}
				if (skb.len === before) nla_nest_cancel(skb, nest);
				else nla_nest_end(skb, nest);
			}
			nla_nest_end(skb, adt);
		}
		nlmsg_end(skb, nlh);
	}
	return skb.len;
}

function ip_set_dump(info: nfnl_info, tb: nlattr_table): number {
	if (protocol_failed(tb)) return -U.IPSET_ERR_PROTOCOL;
	const ssk = netlink_kernel_sock(info.net, NETLINK_NETFILTER);
	if (ssk === null) return -EINVAL;
	const sets: dump_ctx['sets'] = [];
	const list = ip_set_pernet(info.net).list;
	if (tb[U.IPSET_ATTR_SETNAME] !== null) {
		const i = find_set(info.net, setname(tb));
		if (i < 0) return -ENOENT;
		sets.push({ set: list[i]!, index: i });
	} else {
		for (const last of [false, true])
			for (const [index, set] of list.entries())
				if (set !== null && ((set.type.features & IPSET_DUMP_LAST) !== 0) === last) sets.push({ set, index });
	}
	const f = tb[U.IPSET_ATTR_FLAGS];
	const data: dump_ctx = { sets, at: 0, order: null, entry: 0, flags: f === null ? 0 : ip_set_get_h32(f) };
	return netlink_dump_start(ssk, info.skb, info.nlh, { dump: ip_set_dump_do, data });
}

const NAME = { type: NLA_NUL_STRING, len: U.IPSET_MAXNAMELEN - 1 };
const policy: nla_policy_table = {
	[U.IPSET_ATTR_PROTOCOL]: { type: NLA_U8 },
	[U.IPSET_ATTR_SETNAME]: NAME,
	[U.IPSET_ATTR_TYPENAME]: NAME,
	[U.IPSET_ATTR_REVISION]: { type: NLA_U8 },
	[U.IPSET_ATTR_FAMILY]: { type: NLA_U8 },
	[U.IPSET_ATTR_FLAGS]: { type: NLA_U32 },
	[U.IPSET_ATTR_DATA]: { type: NLA_NESTED },
	[U.IPSET_ATTR_ADT]: { type: NLA_NESTED },
	[U.IPSET_ATTR_LINENO]: { type: NLA_U32 },
	[U.IPSET_ATTR_INDEX]: { type: NLA_U16 },
};

function cb(call: nfnl_callback['call']): nfnl_callback {
	return { call, attr_count: U.IPSET_ATTR_CMD_MAX, policy };
}

// ---- getsockopt: how iptables learns an index -------------------------------------------------------------------------------------

const NAME_AT = 8;

/** SO_IP_SET: a set's index by name, its name by index. Return: the answer's length, or -errno. */
function ip_set_sockfn_get(sk: sock, optval: number, user: Uint8Array): number {
	if (optval !== U.SO_IP_SET) return -EBADMSG;
	if (user.length < 8) return -EINVAL;
	const op = get_unaligned_le32(user, 0);
	if (op < U.IP_SET_OP_VERSION) {
		const version = get_unaligned_le32(user, 4);
		if (version < U.IPSET_PROTOCOL_MIN || version > U.IPSET_PROTOCOL) return -71;
	}
	const list = ip_set_pernet(sk.net).list;
	switch (op) {
		case U.IP_SET_OP_VERSION:
			if (user.length !== 8) return -EINVAL;
			put_unaligned_le32(user, 4, U.IPSET_PROTOCOL);
			return 8;
		case U.IP_SET_OP_GET_BYNAME:
		case U.IP_SET_OP_GET_FNAME: {
			const fname = op === U.IP_SET_OP_GET_FNAME;
			if (user.length !== (fname ? 44 : 40)) return -EINVAL;
			// Linux: union ip_set_name_index in front (BYNAME), behind (FNAME) the family.
			let end = NAME_AT;
			while (end < NAME_AT + U.IPSET_MAXNAMELEN && user[end] !== 0) end++;
			const at = fname ? find_set_fname(list, user) : find_set(sk.net, bytes_to_str(user, NAME_AT, end));
			if (!fname) put_unaligned_le16(user, NAME_AT, at < 0 ? U.IPSET_INVALID_ID : at);
			return user.length;
		}
		case U.IP_SET_OP_GET_BYINDEX: {
			if (user.length !== 40) return -EINVAL;
			const set = list[user[NAME_AT] | (user[NAME_AT + 1] << 8)] ?? null;
			user.fill(0, NAME_AT);
			if (set !== null) user.set(str_to_bytes(set.name), NAME_AT);
			return 40;
		}
		default:
			return -EBADMSG;
	}
}

/** GET_FNAME: family at 8, name or index behind it. */
function find_set_fname(list: (ip_set | null)[], user: Uint8Array): number {
	let end = 12;
	while (end < 44 && user[end] !== 0) end++;
	const name = bytes_to_str(user, 12, end);
	const i = list.findIndex((s) => s !== null && s.name === name);
	user[8] = i < 0 ? 0 : list[i]!.family;
	put_unaligned_le16(user, 12, i < 0 ? U.IPSET_INVALID_ID : i);
	return i;
}

function ip_set_sockfn_set(): number {
	return -EFAULT;
}

/** Boot: after nfnetlink_init and xt_init. */
export function ip_set_init(machine: Machine): void {
	nfnetlink_subsys_register(machine, {
		name: 'ip_set',
		subsys_id: NFNL_SUBSYS_IPSET,
		cb: [
			null,
			cb(ip_set_protocol),
			cb(ip_set_create),
			cb(ip_set_destroy),
			cb(ip_set_flush),
			cb(ip_set_rename),
			cb(ip_set_swap),
			cb(ip_set_dump),
			cb(ip_set_dump),
			cb(ip_set_uadd),
			cb(ip_set_udel),
			cb(ip_set_utest),
			cb(ip_set_header),
			cb(ip_set_type_cmd),
			cb(ip_set_byname),
			cb(ip_set_byindex),
		],
	});
	nf_register_sockopt(machine.nf.sockopts, {
		pf: AF_INET,
		set_optmin: 0,
		set_optmax: 0,
		set: ip_set_sockfn_set,
		get_optmin: U.SO_IP_SET,
		get_optmax: U.SO_IP_SET + 1,
		get: ip_set_sockfn_get,
	});
}
