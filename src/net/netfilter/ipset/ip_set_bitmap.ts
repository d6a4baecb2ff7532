/*
 * net/netfilter/ipset/ip_set_bitmap.ts: the bitmap:* types: a row of addresses or ports.    Linux: net/netfilter/ipset/ip_set_bitmap_{ip,ipmac,port}.c
 * An element is a place in the row; the places in use are kept with their extensions in a Map by place.
 */
import { get_unaligned_be16, get_unaligned_be32 } from '../../../lib/byteorder.ts';
import {
	nla_data,
	nla_get_u8,
	nla_put,
	nla_put_be16,
	nla_put_u8,
	type nlattr_table,
	type nlbuf,
	str_to_bytes,
} from '../../../lib/nlattr.ts';
import { EAGAIN, EINVAL, EMSGSIZE } from '../../../uapi/asm-generic/errno.ts';
import {
	IPSET_ATTR_CIDR,
	IPSET_ATTR_ETHER,
	IPSET_ATTR_IP,
	IPSET_ATTR_IP_TO,
	IPSET_ATTR_NETMASK,
	IPSET_ATTR_PORT,
	IPSET_ATTR_PORT_TO,
	IPSET_ERR_BITMAP_RANGE,
	IPSET_ERR_BITMAP_RANGE_SIZE,
	IPSET_ERR_EXIST,
	IPSET_ERR_INVALID_CIDR,
	IPSET_ERR_INVALID_NETMASK,
	IPSET_ERR_PROTOCOL,
	IPSET_FLAG_EXIST,
} from '../../../uapi/linux/netfilter/ipset/ip_set.ts';
import { NLA_F_NET_BYTEORDER } from '../../../uapi/linux/netlink.ts';
import type { sk_buff } from '../../core/skbuff.ts';
import type { xt_action_param } from '../x_tables.ts';
import {
	IPSET_ADD,
	IPSET_ELEM_PERMANENT,
	IPSET_NO_TIMEOUT,
	IPSET_TEST,
	type ip_set,
	type ip_set_adt_opt,
	ip_set_attr_netorder,
	ip_set_elem,
	ip_set_get_h16,
	ip_set_get_ipaddr4,
	ip_set_match_counters,
	ip_set_proto_with_ports,
	ip_set_range_to_cidr,
	ip_set_timeout_get,
	ip_set_timeout_set,
	type ip_set_type,
	type ip_set_variant,
	nla_put_ipaddr4,
	prefix_mask,
	with_comment,
	with_counter,
	with_skbinfo,
	with_timeout,
} from './ip_set.ts';
import { ip_set_get_ip4_port } from './ip_set_getport.ts';
import { ip_set_get_extensions, ip_set_put_extensions, ip_set_put_head } from './ip_set_kernel.ts';

const IPSET_BITMAP_MAX_RANGE = 0xffff;
const COMMENT_RCU = 17;

class place {
	/** In jiffies. */
	end = IPSET_ELEM_PERMANENT;
	counters: Float64Array | null = null;
	comment: string | null = null;
	skbmark = 0;
	skbmarkmask = 0;
	skbprio = 0;
	skbqueue = 0;
	mac: Uint8Array | null = null;
}

class bitmap {
	ports: boolean;
	macs: boolean;
	first: number;
	last: number;
	netmask: number;
	/** Addresses to a place. */
	step: number;
	places: Map<number, place> = new Map();

	constructor(ports: boolean, macs: boolean, first: number, last: number, netmask: number) {
		this.ports = ports;
		this.macs = macs;
		this.first = first;
		this.last = last;
		this.netmask = netmask;
		this.step = 2 ** (32 - netmask);
	}
}

function places_of(m: bitmap): number {
	return Math.floor((m.last - m.first) / m.step) + 1;
}

function live(set: ip_set, m: bitmap, id: number): place | null {
	const p = m.places.get(id);
	if (p === undefined) return null;
	if (p.end !== IPSET_ELEM_PERMANENT && p.end <= set.net.machine.jiffies) {
		drop(set, m, id);
		return null;
	}
	return p;
}

function drop(set: ip_set, m: bitmap, id: number): void {
	const p = m.places.get(id);
	if (p !== undefined && p.comment !== null) set.ext_size -= str_to_bytes(p.comment).length + COMMENT_RCU;
	m.places.delete(id);
}

function same_mac(a: Uint8Array, b: Uint8Array): boolean {
	for (let i = 0; i < 6; i++) if (a[i] !== b[i]) return false;
	return true;
}

function bitmap_adt(
	set: ip_set,
	m: bitmap,
	id: number,
	mac: Uint8Array | null,
	e: ip_set_elem,
	adt: number,
	flags: number,
	opt: ip_set_adt_opt | null,
): number {
	const there = live(set, m, id);
	if (adt === IPSET_TEST) {
		if (there === null) return 0;
		if (m.macs) {
			if (there.mac === null) return opt === null ? 1 : -EAGAIN;
			if (mac !== null && !same_mac(there.mac, mac)) return 0;
		}
		if (opt !== null) {
			if (there.counters !== null && !ip_set_match_counters(there.counters, 0, opt)) return 0;
			opt.found.skbmark = there.skbmark;
			opt.found.skbmarkmask = there.skbmarkmask;
			opt.found.skbprio = there.skbprio;
			opt.found.skbqueue = there.skbqueue;
		}
		return 1;
	}
	if (adt !== IPSET_ADD) {
		if (there === null) return -IPSET_ERR_EXIST;
		drop(set, m, id);
		return 0;
	}
	const fills = there !== null && m.macs && there.mac === null && mac !== null;
	if (there !== null && !fills && (flags & IPSET_FLAG_EXIST) === 0) return -IPSET_ERR_EXIST;
	drop(set, m, id);
	const p = new place();
	m.places.set(id, p);
	p.mac = mac === null ? null : mac.slice();
	if (with_timeout(set))
		p.end = ip_set_timeout_set(set.net.machine, e.timeout === IPSET_NO_TIMEOUT ? set.timeout : e.timeout);
	if (with_counter(set)) p.counters = Float64Array.of(e.packets, e.bytes);
	if (with_comment(set)) p.comment = e.comment;
	if (p.comment !== null) set.ext_size += str_to_bytes(p.comment).length + COMMENT_RCU;
	p.skbmark = e.skbmark;
	p.skbmarkmask = e.skbmarkmask;
	p.skbprio = e.skbprio;
	p.skbqueue = e.skbqueue;
	return 0;
}

function bitmap_kadt(set: ip_set, skb: sk_buff, _par: xt_action_param, adt: number, opt: ip_set_adt_opt): number {
	const m = set.data as bitmap;
	const e = new ip_set_elem();
	const src = (opt.flags & 2) !== 0;
	let mac: Uint8Array | null = null;
	let v: number;
	if (m.ports) {
		if (!ip_set_get_ip4_port(skb, src, e) || !ip_set_proto_with_ports(e.proto)) return -EINVAL;
		v = e.port;
	} else v = get_unaligned_be32(skb.head, skb.network_header + (src ? 12 : 16));
	if (v < m.first || v > m.last) return m.macs || m.ports ? 0 : -IPSET_ERR_BITMAP_RANGE;
	if (m.macs) {
		if (skb.mac_header < 0 || skb.network_header - skb.mac_header < 14) return -EINVAL;
		const at = skb.mac_header + ((opt.flags & 4) !== 0 ? 6 : 0);
		mac = skb.head.slice(at, at + 6);
		if (mac.every((b) => b === 0)) return -EINVAL;
	}
	e.timeout = opt.timeout;
	return bitmap_adt(set, m, Math.floor((v - m.first) / m.step), mac, e, adt, opt.cmdflags, opt);
}

function bitmap_uadt(set: ip_set, tb: nlattr_table, adt: number, flags: number): number {
	const m = set.data as bitmap;
	const e = new ip_set_elem();
	let from: number;
	let to: number;
	if (m.ports) {
		if (!ip_set_attr_netorder(tb, IPSET_ATTR_PORT)) return -IPSET_ERR_PROTOCOL;
		from = to = ip_set_get_h16(tb[IPSET_ATTR_PORT]!);
		const p = tb[IPSET_ATTR_PORT_TO];
		if (p !== null && adt !== IPSET_TEST) to = ip_set_get_h16(p);
	} else {
		from = to = ip_set_get_ipaddr4(tb[IPSET_ATTR_IP]);
		if (from < 0) return from;
	}
	if (from < m.first || from > m.last) return -IPSET_ERR_BITMAP_RANGE;
	const err = ip_set_get_extensions(set, tb, e);
	if (err < 0) return err;
	if (!m.ports && !m.macs && adt !== IPSET_TEST) {
		const t = tb[IPSET_ATTR_IP_TO];
		const c = tb[IPSET_ATTR_CIDR];
		if (t !== null) {
			to = ip_set_get_ipaddr4(t);
			if (to < 0) return to;
		} else if (c !== null) {
			const cidr = nla_get_u8(c);
			if (cidr === 0 || cidr > 32) return -IPSET_ERR_INVALID_CIDR;
			from = (from & prefix_mask(cidr)) >>> 0;
			to = from + 2 ** (32 - cidr) - 1;
		}
	}
	if (to < from) {
		const t = to;
		to = from;
		from = t;
	}
	if (from < m.first || to > m.last) return -IPSET_ERR_BITMAP_RANGE;
	const ether = tb[IPSET_ATTR_ETHER];
	const mac = m.macs && ether !== null && ether.len >= 6 ? nla_data(ether) : null;
	const last = Math.floor((to - m.first) / m.step);
	for (let id = Math.floor((from - m.first) / m.step); id <= last; id++) {
		const ret = bitmap_adt(set, m, id, mac, e, adt, flags, null);
		if (adt === IPSET_TEST) return ret;
		if (ret < 0 && !(ret === -IPSET_ERR_EXIST && (flags & IPSET_FLAG_EXIST) !== 0)) return ret;
	}
	return 0;
}

function bitmap_memsize(set: ip_set, m: bitmap): number {
	const n = places_of(m);
	let size = m.macs ? 8 : 0;
	if (with_counter(set)) size += 16;
	if (with_timeout(set)) size += 8;
	if (with_comment(set)) size += 8;
	if (with_skbinfo(set)) size += 16;
	return (m.ports ? 72 : m.macs ? 80 : 88) + Math.ceil(n / 64) * 8 + n * size + set.ext_size;
}

function bitmap_head(set: ip_set, skb: nlbuf): void {
	const m = set.data as bitmap;
	if (m.ports) {
		nla_put_be16(skb, IPSET_ATTR_PORT | NLA_F_NET_BYTEORDER, m.first);
		nla_put_be16(skb, IPSET_ATTR_PORT_TO | NLA_F_NET_BYTEORDER, m.last);
	} else {
		nla_put_ipaddr4(skb, IPSET_ATTR_IP, m.first);
		nla_put_ipaddr4(skb, IPSET_ATTR_IP_TO, m.last);
		if (m.netmask !== 32) nla_put_u8(skb, IPSET_ATTR_NETMASK, m.netmask);
	}
	const n = bitmap_list_begin(set) as number[];
	ip_set_put_head(set, skb, bitmap_memsize(set, m), n.length);
}

function bitmap_list_begin(set: ip_set): unknown {
	const m = set.data as bitmap;
	return [...m.places.keys()].filter((id) => live(set, m, id) !== null).sort((a, b) => a - b);
}

function bitmap_list_length(order: unknown): number {
	return (order as number[]).length;
}

function bitmap_list(set: ip_set, skb: nlbuf, order: unknown, at: number): number {
	const m = set.data as bitmap;
	const id = (order as number[])[at];
	const p = live(set, m, id);
	if (p === null) return 0;
	const v = m.first + id * m.step;
	let err: number;
	if (m.ports) err = nla_put_be16(skb, IPSET_ATTR_PORT | NLA_F_NET_BYTEORDER, v);
	else err = nla_put_ipaddr4(skb, IPSET_ATTR_IP, v);
	if (p.mac !== null) err |= nla_put(skb, IPSET_ATTR_ETHER, p.mac);
	const e = new ip_set_elem();
	e.timeout = ip_set_timeout_get(set.net.machine, p.end);
	if (p.counters !== null) {
		e.packets = p.counters[0];
		e.bytes = p.counters[1];
	}
	e.comment = p.comment;
	e.skbmark = p.skbmark;
	e.skbmarkmask = p.skbmarkmask;
	e.skbprio = p.skbprio;
	e.skbqueue = p.skbqueue;
	err |= ip_set_put_extensions(set, skb, e);
	return err < 0 ? -EMSGSIZE : 0;
}

function bitmap_flush(set: ip_set): void {
	(set.data as bitmap).places.clear();
	set.ext_size = 0;
}

function bitmap_destroy(_set: ip_set): void {}

function bitmap_same_set(a: ip_set, b: ip_set): boolean {
	const x = a.data as bitmap;
	const y = b.data as bitmap;
	return (
		x.first === y.first &&
		x.last === y.last &&
		x.netmask === y.netmask &&
		a.timeout === b.timeout &&
		a.extensions === b.extensions
	);
}

const bitmap_variant: ip_set_variant = {
	kadt: bitmap_kadt,
	uadt: bitmap_uadt,
	flush: bitmap_flush,
	destroy: bitmap_destroy,
	head: bitmap_head,
	list_begin: bitmap_list_begin,
	list: bitmap_list,
	list_length: bitmap_list_length,
	same_set: bitmap_same_set,
};

function bitmap_ip_create(set: ip_set, tb: nlattr_table): number {
	let first = ip_set_get_ipaddr4(tb[IPSET_ATTR_IP]);
	if (first < 0) return first;
	let last: number;
	const t = tb[IPSET_ATTR_IP_TO];
	const c = tb[IPSET_ATTR_CIDR];
	if (t !== null) {
		last = ip_set_get_ipaddr4(t);
		if (last < 0) return last;
		if (first > last) {
			const x = first;
			first = last;
			last = x;
		}
	} else if (c !== null) {
		const cidr = nla_get_u8(c);
		if (cidr >= 32) return -IPSET_ERR_INVALID_CIDR;
		first = (first & prefix_mask(cidr)) >>> 0;
		last = first + 2 ** (32 - cidr) - 1;
	} else return -IPSET_ERR_PROTOCOL;
	const macs = set.type.name === 'bitmap:ip,mac';
	let netmask = 32;
	const nm = tb[IPSET_ATTR_NETMASK];
	if (nm !== null && !macs) {
		netmask = nla_get_u8(nm);
		if (netmask > 32) return -IPSET_ERR_INVALID_NETMASK;
		first = (first & prefix_mask(netmask)) >>> 0;
		// The row is whole blocks of that size.
		const whole = ip_set_range_to_cidr(first, last);
		if (netmask < whole) return -IPSET_ERR_BITMAP_RANGE;
	}
	const m = new bitmap(false, macs, first, last, netmask);
	if (places_of(m) > IPSET_BITMAP_MAX_RANGE + 1) return -IPSET_ERR_BITMAP_RANGE_SIZE;
	set.data = m;
	set.variant = bitmap_variant;
	return 0;
}

function bitmap_port_create(set: ip_set, tb: nlattr_table): number {
	if (!ip_set_attr_netorder(tb, IPSET_ATTR_PORT) || !ip_set_attr_netorder(tb, IPSET_ATTR_PORT_TO))
		return -IPSET_ERR_PROTOCOL;
	const a = get_unaligned_be16(tb[IPSET_ATTR_PORT]!.buf, tb[IPSET_ATTR_PORT]!.off);
	const b = get_unaligned_be16(tb[IPSET_ATTR_PORT_TO]!.buf, tb[IPSET_ATTR_PORT_TO]!.off);
	set.data = new bitmap(true, false, Math.min(a, b), Math.max(a, b), 32);
	set.variant = bitmap_variant;
	return 0;
}

const AF_INET = 2;
const common = { revision_min: 0, revision_max: 3, features: 0 };

export const bitmap_types: readonly ip_set_type[] = [
	{ ...common, name: 'bitmap:ip', family: AF_INET, dimension: 1, create: bitmap_ip_create },
	{ ...common, name: 'bitmap:ip,mac', family: AF_INET, dimension: 2, create: bitmap_ip_create },
	{ ...common, name: 'bitmap:port', family: 0, dimension: 1, create: bitmap_port_create },
];
