/*
 * net/netfilter/ipset/ip_set.ts: what the core of ipset and the set types share.    Linux: linux/netfilter/ipset/ip_set.h
 * One element has one shape whatever the type (ip_set_elem): requests are read into it, packets too, listings written from it.
 */
import type { Machine } from '../../../kernel/machine.ts';
import { HZ } from '../../../kernel/time.ts';
import {
	__nla_parse,
	NL_VALIDATE_LIBERAL,
	nla_get_be16,
	nla_get_be32,
	nla_nest_end,
	nla_nest_start,
	nla_put_be32,
	type nlattr,
	type nlattr_table,
	type nlbuf,
} from '../../../lib/nlattr.ts';
import {
	IPSET_ATTR_IPADDR_IPV4,
	IPSET_ATTR_IPADDR_IPV6,
	IPSET_COUNTER_EQ,
	IPSET_COUNTER_GT,
	IPSET_COUNTER_LT,
	IPSET_COUNTER_NE,
	IPSET_COUNTER_NONE,
	IPSET_ERR_IPADDR_IPV4,
	IPSET_ERR_PROTOCOL,
	IPSET_FLAG_MATCH_COUNTERS,
	IPSET_FLAG_SKIP_COUNTER_UPDATE,
} from '../../../uapi/linux/netfilter/ipset/ip_set.ts';
import { NLA_F_NET_BYTEORDER } from '../../../uapi/linux/netlink.ts';
import type { net } from '../../core/net_namespace.ts';
import type { sk_buff } from '../../core/skbuff.ts';
import type { xt_action_param } from '../x_tables.ts';

export const IPSET_ADD = 0;
export const IPSET_DEL = 1;
export const IPSET_TEST = 2;

/** A set's extensions. */
export const IPSET_EXT_COUNTER = 1;
export const IPSET_EXT_COMMENT = 2;
export const IPSET_EXT_SKBINFO = 4;
export const IPSET_EXT_TIMEOUT = 8;

/** In jiffies: an element that stays. */
export const IPSET_ELEM_PERMANENT = 0;
/** In seconds: the set has no timeouts. */
export const IPSET_NO_TIMEOUT = -1;
export const IPSET_MAX_TIMEOUT = 2147483;

/** One element: its key, and its extensions. Reused by the caller. */
export class ip_set_elem {
	ip = 0;
	cidr = 32;
	ip2 = 0;
	cidr2 = 32;
	port = 0;
	proto = 0;
	/** Upper 16 and lower 32 bits. */
	mac_hi = 0;
	mac_lo = 0;
	has_mac = false;
	iface = '';
	physdev = false;
	wildcard = false;
	nomatch = false;

	/** In seconds. */
	timeout = IPSET_NO_TIMEOUT;
	packets = 0;
	bytes = 0;
	comment: string | null = null;
	skbmark = 0;
	skbmarkmask = 0;
	skbprio = 0;
	skbqueue = 0;
}

/** What a rule asks of a set. Linux: struct ip_set_adt_opt with struct ip_set_ext. */
export class ip_set_adt_opt {
	family = 0;
	dim = 0;
	/** Bit n: dimension n is of the packet's source. Bit 0: inverted (the rule's own matter). */
	flags = 0;
	/** IPSET_FLAG_* */
	cmdflags = 0;
	/** Of an element to be added, in seconds; IPSET_NO_TIMEOUT for the set's own. */
	timeout = IPSET_NO_TIMEOUT;
	packets = 0;
	packets_op = IPSET_COUNTER_NONE;
	bytes = 0;
	bytes_op = IPSET_COUNTER_NONE;
	/** Of the packet: what counters grow by. */
	skb_len = 0;
	/** Found: what the element says of the packet (SET --map-set). */
	found: ip_set_elem = new ip_set_elem();
}

/** What a type has of its own for one set. */
export interface ip_set_variant {
	/** A packet. Return: > 0 yes, 0 no, < 0: -errno, -ENOTEMPTY for an element that says nomatch. */
	kadt: (set: ip_set, skb: sk_buff, par: xt_action_param, adt: number, opt: ip_set_adt_opt) => number;
	/** A request. `lineno_done` says how far it came. Return: as kadt. */
	uadt: (set: ip_set, tb: nlattr_table, adt: number, flags: number) => number;
	flush: (set: ip_set) => void;
	destroy: (set: ip_set) => void;
	/** Writes the header's attributes. */
	head: (set: ip_set, skb: nlbuf) => void;
	/** How many entries a listing has, and the n-th of them written into `skb`. Return: 0 or -EMSGSIZE. */
	list_begin: (set: ip_set) => unknown;
	list: (set: ip_set, skb: nlbuf, order: unknown, at: number) => number;
	list_length: (order: unknown) => number;
	same_set: (a: ip_set, b: ip_set) => boolean;
}

export interface ip_set_type {
	name: string;
	/** 0: any. */
	family: number;
	dimension: number;
	revision_min: number;
	revision_max: number;
	/** IPSET_TYPE_* */
	features: number;
	/** Fills in set.variant and set.data. Return: 0 or -errno. */
	create: (set: ip_set, tb: nlattr_table, flags: number) => number;
}

export const IPSET_TYPE_NOMATCH = 1;
/** Sets of such types are listed after the others: they name them. */
export const IPSET_DUMP_LAST = 2;
export const IPSET_TYPE_NAME = 4;

export class ip_set {
	name: string;
	net: net;
	type: ip_set_type;
	family: number;
	revision: number;
	/** Rules and lists that name it. */
	ref = 0;
	extensions = 0;
	forceadd = false;
	/** Default of its elements, in seconds. */
	timeout = IPSET_NO_TIMEOUT;
	/** Bytes of comments. */
	ext_size = 0;
	variant!: ip_set_variant;
	data: unknown = null;

	constructor(net: net, name: string, type: ip_set_type, family: number, revision: number) {
		this.net = net;
		this.name = name;
		this.type = type;
		this.family = family;
		this.revision = revision;
	}
}

export const IP_SET_MAX = 256;

/** A namespace's sets by index. */
export class ip_set_net {
	list: (ip_set | null)[] = new Array(IP_SET_MAX).fill(null);
}

export class ip_set_global {
	types: ip_set_type[] = [];
}

const PRIV = 'ipset';

export function ip_set_pernet(net: net): ip_set_net {
	let n = net.xt.priv.get(PRIV) as ip_set_net | undefined;
	if (n === undefined) {
		n = new ip_set_net();
		net.xt.priv.set(PRIV, n);
	}
	return n;
}

export function with_timeout(set: ip_set): boolean {
	return (set.extensions & IPSET_EXT_TIMEOUT) !== 0;
}

export function with_counter(set: ip_set): boolean {
	return (set.extensions & IPSET_EXT_COUNTER) !== 0;
}

export function with_comment(set: ip_set): boolean {
	return (set.extensions & IPSET_EXT_COMMENT) !== 0;
}

export function with_skbinfo(set: ip_set): boolean {
	return (set.extensions & IPSET_EXT_SKBINFO) !== 0;
}

/** Seconds from now to the jiffy at which an element ends. */
export function ip_set_timeout_set(machine: Machine, seconds: number): number {
	if (seconds === 0) return IPSET_ELEM_PERMANENT;
	const t = machine.jiffies + seconds * HZ;
	return t === IPSET_ELEM_PERMANENT ? 1 : t;
}

/** Seconds left; an element that stays: 0. */
export function ip_set_timeout_get(machine: Machine, timeout: number): number {
	if (timeout === IPSET_ELEM_PERMANENT) return 0;
	const t = Math.floor((timeout - machine.jiffies) / HZ);
	// 0 would say that it stays.
	return t === 0 ? 1 : t;
}

/** Whether `value` passes a rule's condition on a counter. */
export function ip_set_match_counter(counter: number, value: number, op: number): boolean {
	switch (op) {
		case IPSET_COUNTER_NONE:
			return true;
		case IPSET_COUNTER_EQ:
			return counter === value;
		case IPSET_COUNTER_NE:
			return counter !== value;
		case IPSET_COUNTER_LT:
			return counter < value;
		case IPSET_COUNTER_GT:
			return counter > value;
		default:
			return false;
	}
}

/** Whether the rule's counter conditions hold; counts the packet where it should. `c`: packets and bytes at 2n, 2n + 1. */
export function ip_set_match_counters(c: Float64Array, n: number, opt: ip_set_adt_opt): boolean {
	if (
		(opt.cmdflags & IPSET_FLAG_MATCH_COUNTERS) !== 0 &&
		!(
			ip_set_match_counter(c[2 * n], opt.packets, opt.packets_op) &&
			ip_set_match_counter(c[2 * n + 1], opt.bytes, opt.bytes_op)
		)
	)
		return false;
	if ((opt.cmdflags & IPSET_FLAG_SKIP_COUNTER_UPDATE) === 0) {
		c[2 * n]++;
		c[2 * n + 1] += opt.skb_len;
	}
	return true;
}

// ---- attributes ------------------------------------------------------------------------------------------------------------------

/** IPv4 address in a nest; -1 when it is none, in `ip_set_bad`. Return: the address, or -errno. */
export function ip_set_get_ipaddr4(nla: nlattr | null): number {
	if (nla === null) return -IPSET_ERR_PROTOCOL;
	const tb: nlattr_table = [null, null, null];
	if (__nla_parse(tb, IPSET_ATTR_IPADDR_IPV6, nla.buf, nla.off, nla.off + nla.len, null, NL_VALIDATE_LIBERAL, null) < 0)
		return -IPSET_ERR_PROTOCOL;
	const a = tb[IPSET_ATTR_IPADDR_IPV4];
	if (a === null || a.len < 4 || (a.flags & NLA_F_NET_BYTEORDER) === 0) return -IPSET_ERR_IPADDR_IPV4;
	return nla_get_be32(a);
}

export function ip_set_attr_netorder(tb: nlattr_table, type: number): boolean {
	const a = tb[type];
	return a !== null && (a.flags & NLA_F_NET_BYTEORDER) !== 0;
}

/** Whether it is absent, or in network order. */
export function ip_set_optattr_netorder(tb: nlattr_table, type: number): boolean {
	return tb[type] === null || ip_set_attr_netorder(tb, type);
}

export function ip_set_get_h32(nla: nlattr): number {
	return nla_get_be32(nla);
}

export function ip_set_get_h16(nla: nlattr): number {
	return nla_get_be16(nla);
}

export function nla_put_ipaddr4(skb: nlbuf, type: number, ip: number): number {
	const nest = nla_nest_start(skb, type);
	if (nest < 0) return nest;
	const err = nla_put_be32(skb, IPSET_ATTR_IPADDR_IPV4, ip);
	if (err < 0) return err;
	nla_nest_end(skb, nest);
	return 0;
}

export function nla_put_net32(skb: nlbuf, type: number, v: number): number {
	return nla_put_be32(skb, type | NLA_F_NET_BYTEORDER, v);
}

export function prefix_mask(cidr: number): number {
	return cidr === 0 ? 0 : (0xffffffff << (32 - cidr)) >>> 0;
}

/** The largest block that begins at `from` and ends at `to` or before. Return: its prefix length. */
export function ip_set_range_to_cidr(from: number, to: number): number {
	for (let cidr = 0; cidr < 32; cidr++) {
		const size = 2 ** (32 - cidr);
		if (from % size === 0 && from + size - 1 <= to) return cidr;
	}
	return 32;
}

/** Protocols whose elements have ports of their own. */
export function ip_set_proto_with_ports(proto: number): boolean {
	return proto === 6 || proto === 17 || proto === 132 || proto === 136;
}
