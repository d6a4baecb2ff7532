/*
 * net/netfilter/ipset/ip_set_hash.ts: the hash:* types.            Linux: net/netfilter/ipset/ip_set_hash_{ip,net,ipport,netport,ipportip,ipportnet,netiface}.c
 *
 * One engine for all: a type says which fields its key has (`hash_kind`), the store keeps keys of that many words. A packet meets a type
 * with networks once per prefix length that the set has, the longest first; the first that is there decides, and may say nomatch.
 * Not here yet: IPv6; the types that the reference kernel has not either (ip,mark mac ip,mac net,net net,port,net).
 */

import { get_unaligned_be32 } from '../../../lib/byteorder.ts';
import { jhash2 } from '../../../lib/jhash.ts';
import {
	nla_get_string,
	nla_get_u8,
	nla_put_be16,
	nla_put_string,
	nla_put_u8,
	type nlattr_table,
	type nlbuf,
	str_to_bytes,
} from '../../../lib/nlattr.ts';
import { EINVAL, EMSGSIZE, ENOTEMPTY } from '../../../uapi/asm-generic/errno.ts';
import {
	IPSET_ATTR_BUCKETSIZE,
	IPSET_ATTR_CADT_FLAGS,
	IPSET_ATTR_CIDR,
	IPSET_ATTR_CIDR2,
	IPSET_ATTR_HASHSIZE,
	IPSET_ATTR_IFACE,
	IPSET_ATTR_INITVAL,
	IPSET_ATTR_IP,
	IPSET_ATTR_IP_TO,
	IPSET_ATTR_IP2,
	IPSET_ATTR_IP2_TO,
	IPSET_ATTR_MAXELEM,
	IPSET_ATTR_NETMASK,
	IPSET_ATTR_PORT,
	IPSET_ATTR_PORT_TO,
	IPSET_ATTR_PROTO,
	IPSET_ERR_EXIST,
	IPSET_ERR_HASH_ELEM,
	IPSET_ERR_HASH_FULL,
	IPSET_ERR_HASH_RANGE,
	IPSET_ERR_INVALID_CIDR,
	IPSET_ERR_INVALID_FAMILY,
	IPSET_ERR_INVALID_NETMASK,
	IPSET_ERR_INVALID_PROTO,
	IPSET_ERR_MISSING_PROTO,
	IPSET_ERR_PROTOCOL,
	IPSET_FLAG_EXIST,
	IPSET_FLAG_IFACE_WILDCARD,
	IPSET_FLAG_NOMATCH,
	IPSET_FLAG_PHYSDEV,
} from '../../../uapi/linux/netfilter/ipset/ip_set.ts';
import { NLA_F_NET_BYTEORDER } from '../../../uapi/linux/netlink.ts';
import type { sk_buff } from '../../core/skbuff.ts';
import type { xt_action_param } from '../x_tables.ts';
import {
	IPSET_ADD,
	IPSET_ELEM_PERMANENT,
	IPSET_NO_TIMEOUT,
	IPSET_TEST,
	IPSET_TYPE_NOMATCH,
	type ip_set,
	type ip_set_adt_opt,
	ip_set_attr_netorder,
	ip_set_elem,
	ip_set_get_h16,
	ip_set_get_h32,
	ip_set_get_ipaddr4,
	ip_set_match_counters,
	ip_set_optattr_netorder,
	ip_set_proto_with_ports,
	ip_set_range_to_cidr,
	ip_set_timeout_get,
	ip_set_timeout_set,
	type ip_set_type,
	type ip_set_variant,
	nla_put_ipaddr4,
	nla_put_net32,
	prefix_mask,
} from './ip_set.ts';
import { ip_set_get_ip4_port } from './ip_set_getport.ts';
import { hash_clear, hash_expired, hash_find, hash_insert, hash_remove, hash_store } from './ip_set_hash_gen.ts';
import { ip_set_get_extensions, ip_set_put_extensions, ip_set_put_head } from './ip_set_kernel.ts';

const AF_INET = 2;
const IPPROTO_ICMP = 1;
const IFNAMSIZ = 16;
const IPSET_DEFAULT_HASHSIZE = 1024;
const IPSET_MIMINAL_HASHSIZE = 64;
const IPSET_DEFAULT_MAXELEM = 65536;
const AHASH_INIT_SIZE = 2;
const AHASH_MAX_SIZE = 12;
const HBUCKET_SIZE = 32;

/** What an element of a type is made of. */
interface hash_kind {
	name: string;
	dimension: number;
	revision_max: number;
	port: boolean;
	/** A second address. */
	ip2: boolean;
	/** Which address is a network: 0 none, 1 the first, 2 the second. */
	net: number;
	iface: boolean;
	/** --netmask may be given. */
	netmask: boolean;
	/** Bytes of an empty set, and of one element without extensions. */
	base: number;
	dsize: number;
}

const plain = { port: false, ip2: false, net: 0, iface: false, netmask: false };
const KINDS: readonly hash_kind[] = [
	{ ...plain, name: 'hash:ip', dimension: 1, revision_max: 6, netmask: true, base: 216, dsize: 4 },
	{ ...plain, name: 'hash:net', dimension: 1, revision_max: 7, net: 1, base: 456, dsize: 8 },
	{ ...plain, name: 'hash:ip,port', dimension: 2, revision_max: 7, port: true, netmask: true, base: 216, dsize: 8 },
	{ ...plain, name: 'hash:net,port', dimension: 2, revision_max: 8, port: true, net: 1, base: 456, dsize: 8 },
	{ ...plain, name: 'hash:ip,port,ip', dimension: 3, revision_max: 6, port: true, ip2: true, base: 208, dsize: 12 },
	{
		...plain,
		name: 'hash:ip,port,net',
		dimension: 3,
		revision_max: 8,
		port: true,
		ip2: true,
		net: 2,
		base: 464,
		dsize: 12,
	},
	{ ...plain, name: 'hash:net,iface', dimension: 2, revision_max: 8, net: 1, iface: true, base: 488, dsize: 28 },
];

/** A set's own part. */
class htype {
	kind: hash_kind;
	store: hash_store;
	key: Uint32Array;
	maxelem: number;
	netmask: number;
	bucketsize: number;
	initval: number;
	htable_bits: number;
	/** How many elements have each prefix length, and the lengths that there are, longest first. */
	nets: Uint32Array = new Uint32Array(33);
	cidrs: number[] = [];
	/** Interface names by number and back; those that stand for all that begin so. */
	iface_ids: Map<string, number> = new Map();
	ifaces: string[] = [];

	constructor(set: ip_set, kind: hash_kind, initval: number) {
		const words = 1 + Number(kind.port) + Number(kind.ip2) + Number(kind.net !== 0) + Number(kind.iface);
		this.kind = kind;
		this.initval = initval;
		this.store = new hash_store(set, words, set.net.machine.random.u32());
		this.key = new Uint32Array(words);
		this.maxelem = IPSET_DEFAULT_MAXELEM;
		this.netmask = 32;
		this.bucketsize = AHASH_MAX_SIZE;
		this.htable_bits = 10;
	}
}

// ---- keys ------------------------------------------------------------------------------------------------------------------------

function iface_word(h: htype, name: string, physdev: boolean, wildcard: boolean, make: boolean): number {
	const k = (wildcard ? '+' : ' ') + name;
	let id = h.iface_ids.get(k);
	if (id === undefined) {
		if (!make) return -1;
		id = h.ifaces.length;
		h.ifaces.push(k);
		h.iface_ids.set(k, id);
	}
	return id * 2 + (physdev ? 1 : 0);
}

/** The element's key into h.key. Return: false when an interface name is in no element. */
function hash_key(h: htype, e: ip_set_elem, make: boolean): boolean {
	const { kind, key } = h;
	let i = 0;
	key[i++] = kind.net === 1 ? e.ip & prefix_mask(e.cidr) : e.ip;
	if (kind.port) key[i++] = (e.proto << 16) | e.port;
	if (kind.ip2) key[i++] = kind.net === 2 ? e.ip2 & prefix_mask(e.cidr2) : e.ip2;
	if (kind.net !== 0) key[i++] = kind.net === 1 ? e.cidr : e.cidr2;
	if (kind.iface) {
		const w = iface_word(h, e.iface, e.physdev, e.wildcard, make);
		if (w < 0) return false;
		key[i++] = w;
	}
	return true;
}

/** Entry `n` back into an element. */
function hash_elem(h: htype, n: number, e: ip_set_elem): void {
	const { kind, store } = h;
	const k = store.keys;
	let at = n * store.kw;
	e.ip = k[at++];
	if (kind.port) {
		e.proto = k[at] >>> 16;
		e.port = k[at++] & 0xffff;
	}
	if (kind.ip2) e.ip2 = k[at++];
	if (kind.net === 1) e.cidr = k[at++];
	if (kind.net === 2) e.cidr2 = k[at++];
	if (kind.iface) {
		const name = h.ifaces[k[at] >>> 1];
		e.iface = name.slice(1);
		e.wildcard = name[0] === '+';
		e.physdev = (k[at] & 1) !== 0;
	}
	e.nomatch = (store.state[n] & 2) !== 0;
	e.timeout = store.timeout !== null ? ip_set_timeout_get(store.machine, store.timeout[n]) : IPSET_NO_TIMEOUT;
	if (store.counters !== null) {
		e.packets = store.counters[2 * n];
		e.bytes = store.counters[2 * n + 1];
	}
	e.comment = store.comment !== null ? store.comment[n] : null;
	if (store.skbinfo !== null) {
		e.skbmark = store.skbinfo[4 * n];
		e.skbmarkmask = store.skbinfo[4 * n + 1];
		e.skbprio = store.skbinfo[4 * n + 2];
		e.skbqueue = store.skbinfo[4 * n + 3];
	}
}

function net_count(h: htype, cidr: number, by: number): void {
	h.nets[cidr] += by;
	if (h.nets[cidr] === (by > 0 ? 1 : 0)) {
		h.cidrs = [];
		for (let c = 32; c >= 0; c--) if (h.nets[c] > 0) h.cidrs.push(c);
	}
}

function cidr_of(h: htype, n: number): number {
	const { kind, store } = h;
	return store.keys[n * store.kw + 1 + Number(kind.port) + Number(kind.ip2)];
}

const COMMENT_RCU = 17;

function comment_size(s: string | null): number {
	return s === null ? 0 : str_to_bytes(s).length + COMMENT_RCU;
}

function hash_drop(set: ip_set, h: htype, n: number): void {
	if (h.kind.net !== 0) net_count(h, cidr_of(h, n), -1);
	if (h.store.comment !== null) set.ext_size -= comment_size(h.store.comment[n]);
	hash_remove(h.store, n);
}

/** Takes out whose time is over. */
function hash_expire(set: ip_set, h: htype): void {
	const { store } = h;
	const t = store.timeout;
	if (t === null || store.next_end > store.machine.jiffies) return;
	let next = Infinity;
	for (let n = 0; n < store.top; n++) {
		if (store.state[n] === 0 || t[n] === IPSET_ELEM_PERMANENT) continue;
		if (hash_expired(store, n)) hash_drop(set, h, n);
		else if (t[n] < next) next = t[n];
	}
	store.next_end = next;
}

// ---- Linux's buckets, reckoned ---------------------------------------------------------------------------------------------------

function swab32(x: number): number {
	return (x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24);
}

/** Linux's hash of entry `n`: of its element struct as it lies in memory. */
function linux_hash(h: htype, n: number, e: ip_set_elem): number {
	const { kind } = h;
	hash_elem(h, n, e);
	const words = [swab32(e.ip)];
	const port = ((e.port & 255) << 8) | (e.port >>> 8);
	if (kind.ip2) {
		words.push(swab32(e.ip2));
		words.push(kind.net === 2 ? port | ((e.cidr2 - 1) << 16) | (e.proto << 24) : port | (e.proto << 16));
	} else if (kind.port) words.push(port | (e.proto << 16) | (kind.net === 1 ? (e.cidr - 1) << 24 : 0));
	else if (kind.iface) words.push(Number(e.physdev) | (e.cidr << 8) | (1 << 24));
	else if (kind.net === 1) words.push(e.cidr << 24);
	return jhash2(words, h.initval);
}

interface hash_order {
	entries: Int32Array;
	/** Bytes of its buckets. */
	memsize: number;
}

function elem_size(set: ip_set, h: htype): number {
	let n = h.kind.dsize;
	const s = h.store;
	const align = (to: number): void => {
		n = Math.ceil(n / to) * to;
	};
	if (s.skbinfo !== null) {
		align(4);
		n += 16;
	}
	if (s.counters !== null) {
		align(8);
		n += 16;
	}
	if (s.timeout !== null) {
		align(8);
		n += 8;
	}
	if (s.comment !== null) {
		align(8);
		n += 8;
	}
	align(set.extensions > 4 || (set.extensions & 3) !== 0 ? 8 : 4);
	return n;
}

/** The entries in the order in which Linux lists them; what its buckets take; the hash grows as Linux's would have. */
function hash_reckon(set: ip_set, h: htype): hash_order {
	hash_expire(set, h);
	const { store } = h;
	const count = store.elements;
	const entries = new Int32Array(count);
	const hash = new Uint32Array(store.top);
	const e = new ip_set_elem();
	let i = 0;
	for (let n = 0; n < store.top; n++) {
		if (store.state[n] === 0) continue;
		entries[i++] = n;
		hash[n] = linux_hash(h, n, e);
	}
	let used: Uint16Array;
	let full: boolean;
	do {
		used = new Uint16Array(2 ** h.htable_bits);
		const mask = used.length - 1;
		full = false;
		for (let k = 0; k < count; k++) if (++used[hash[entries[k]] & mask] > h.bucketsize) full = true;
		// Bucket 2^24 is no bucket: elements that collide for good (net,iface) stay where they are.
		if (full && (h.kind.iface || h.htable_bits >= 24)) full = false;
		if (full) h.htable_bits++;
	} while (full);
	const mask = used.length - 1;
	const dsize = elem_size(set, h);
	let memsize = 0;
	for (const u of used) if (u > 0) memsize += HBUCKET_SIZE + Math.ceil(u / AHASH_INIT_SIZE) * AHASH_INIT_SIZE * dsize;
	entries.sort((a, b) => (hash[a] & mask) - (hash[b] & mask) || a - b);
	return { entries, memsize };
}

// ---- adding, deleting, testing ---------------------------------------------------------------------------------------------------

/** Linux: mtype_add. Return: 0 or -errno. */
function hash_add(set: ip_set, h: htype, e: ip_set_elem, flags: number): number {
	const { store, kind } = h;
	hash_key(h, e, true);
	let n = hash_find(store, h.key);
	if (n >= 0) {
		if ((flags & IPSET_FLAG_EXIST) === 0 && !hash_expired(store, n)) return -IPSET_ERR_EXIST;
	} else {
		if (store.elements >= h.maxelem) {
			hash_expire(set, h);
			if (store.elements >= h.maxelem && !(set.forceadd && hash_evict(set, h, e))) return -IPSET_ERR_HASH_FULL;
		}
		hash_key(h, e, true);
		n = hash_insert(store, h.key);
		if (kind.net !== 0) net_count(h, kind.net === 1 ? e.cidr : e.cidr2, 1);
	}
	store.state[n] = e.nomatch ? 3 : 1;
	if (store.timeout !== null) {
		const t = ip_set_timeout_set(store.machine, e.timeout === IPSET_NO_TIMEOUT ? set.timeout : e.timeout);
		store.timeout[n] = t;
		if (t !== IPSET_ELEM_PERMANENT && t < store.next_end) store.next_end = t;
	}
	if (store.counters !== null) {
		store.counters[2 * n] = e.packets;
		store.counters[2 * n + 1] = e.bytes;
	}
	if (store.comment !== null) {
		set.ext_size += comment_size(e.comment) - comment_size(store.comment[n]);
		store.comment[n] = e.comment;
	}
	if (store.skbinfo !== null) {
		store.skbinfo[4 * n] = e.skbmark;
		store.skbinfo[4 * n + 1] = e.skbmarkmask;
		store.skbinfo[4 * n + 2] = e.skbprio;
		store.skbinfo[4 * n + 3] = e.skbqueue;
	}
	return 0;
}

/** --forceadd on a full set: one entry of the new one's bucket goes. Return: whether there was one. */
function hash_evict(set: ip_set, h: htype, e: ip_set_elem): boolean {
	const { store } = h;
	const words = h.key.slice();
	const probe = new ip_set_elem();
	// The hash of the newcomer, by way of a place of its own.
	const n = hash_insert(store, words);
	const want = linux_hash(h, n, probe) & (2 ** h.htable_bits - 1);
	hash_remove(store, n);
	for (let i = 0; i < store.top; i++) {
		if (store.state[i] === 0 || (linux_hash(h, i, probe) & (2 ** h.htable_bits - 1)) !== want) continue;
		hash_drop(set, h, i);
		return hash_key(h, e, true);
	}
	return false;
}

/** Linux: mtype_del. Return: 0 or -errno. */
function hash_del(set: ip_set, h: htype, e: ip_set_elem): number {
	const n = hash_key(h, e, false) ? hash_find(h.store, h.key) : -1;
	if (n < 0 || hash_expired(h.store, n)) return -IPSET_ERR_EXIST;
	hash_drop(set, h, n);
	return 0;
}

/** Whether a found entry matches. Return: 1, 0, or -ENOTEMPTY for nomatch. */
function hash_match(h: htype, n: number, opt: ip_set_adt_opt | null): number {
	const { store } = h;
	if (store.timeout !== null && hash_expired(store, n)) return 0;
	if (opt !== null) {
		if (store.counters !== null && !ip_set_match_counters(store.counters, n, opt)) return 0;
		if (store.skbinfo !== null) {
			opt.found.skbmark = store.skbinfo[4 * n];
			opt.found.skbmarkmask = store.skbinfo[4 * n + 1];
			opt.found.skbprio = store.skbinfo[4 * n + 2];
			opt.found.skbqueue = store.skbinfo[4 * n + 3];
		}
	}
	return (store.state[n] & 2) !== 0 ? -ENOTEMPTY : 1;
}

/** The key in h.key, for interfaces also under the wildcards that cover the name. */
function hash_probe(h: htype, e: ip_set_elem, opt: ip_set_adt_opt | null): number {
	const { key, store } = h;
	if (!h.kind.iface) {
		const n = hash_find(store, key);
		return n < 0 ? 0 : hash_match(h, n, opt);
	}
	const last = key.length - 1;
	for (let id = 0; id < h.ifaces.length; id++) {
		const name = h.ifaces[id];
		const covers =
			name[0] === '+'
				? e.iface.startsWith(name.slice(1))
				: name.length === e.iface.length + 1 && name.endsWith(e.iface);
		if (!covers) continue;
		key[last] = id * 2 + (e.physdev ? 1 : 0);
		const n = hash_find(store, key);
		const r = n < 0 ? 0 : hash_match(h, n, opt);
		if (r !== 0) return r;
	}
	return 0;
}

/** Linux: mtype_test; `walk` through the prefix lengths for a whole address. Return: 1, 0 or -ENOTEMPTY. */
function hash_test(h: htype, e: ip_set_elem, walk: boolean, opt: ip_set_adt_opt | null): number {
	const { kind } = h;
	if (kind.net === 0 || !walk) {
		if (!kind.iface) hash_key(h, e, false);
		else {
			h.key[0] = e.ip & prefix_mask(e.cidr);
			h.key[1] = e.cidr;
		}
		return hash_probe(h, e, opt);
	}
	const { cidrs } = h;
	if (kind.net === 1 && !kind.port && !kind.iface) {
		for (let i = 0; i < cidrs.length; i++) {
			const c = cidrs[i];
			h.key[0] = e.ip & prefix_mask(c);
			h.key[1] = c;
			const n = hash_find(h.store, h.key);
			const r = n < 0 ? 0 : hash_match(h, n, opt);
			if (r !== 0) return r;
		}
		return 0;
	}
	const ip = e.ip;
	const ip2 = e.ip2;
	let r = 0;
	for (let i = 0; i < cidrs.length && r === 0; i++) {
		const c = cidrs[i];
		if (kind.net === 1) {
			e.ip = (ip & prefix_mask(c)) >>> 0;
			e.cidr = c;
		} else {
			e.ip2 = (ip2 & prefix_mask(c)) >>> 0;
			e.cidr2 = c;
		}
		if (kind.iface) {
			h.key[0] = e.ip;
			h.key[1] = c;
		} else hash_key(h, e, false);
		r = hash_probe(h, e, opt);
	}
	e.ip = ip;
	e.ip2 = ip2;
	return r;
}

function hash_adt(set: ip_set, h: htype, e: ip_set_elem, adt: number, flags: number): number {
	return adt === IPSET_ADD ? hash_add(set, h, e, flags) : hash_del(set, h, e);
}

/** A packet. */
function hash_kadt(set: ip_set, skb: sk_buff, par: xt_action_param, adt: number, opt: ip_set_adt_opt): number {
	const h = set.data as htype;
	const { kind } = h;
	const e = opt.found;
	const at = skb.network_header;
	e.ip = get_unaligned_be32(skb.head, at + ((opt.flags & 2) !== 0 ? 12 : 16));
	if (kind.netmask && h.netmask !== 32) e.ip = (e.ip & prefix_mask(h.netmask)) >>> 0;
	e.nomatch = false;
	let dim = 2;
	if (kind.port && !ip_set_get_ip4_port(skb, (opt.flags & (1 << dim++)) !== 0, e)) return -EINVAL;
	if (kind.ip2) e.ip2 = get_unaligned_be32(skb.head, at + ((opt.flags & (1 << dim)) !== 0 ? 12 : 16));
	if (kind.iface) {
		const dev = (opt.flags & (1 << dim)) !== 0 ? par.state.in : par.state.out;
		if (dev === null) return -EINVAL;
		e.iface = dev.name;
		e.physdev = false;
		e.wildcard = false;
	}
	if (adt === IPSET_TEST) return hash_test(h, e, true, opt);
	if (e.ip === 0 && kind.net === 0) return -EINVAL;
	// A packet's element is of the longest prefix that the set has.
	const cidr = h.cidrs.length > 0 ? h.cidrs[0] : 32;
	if (kind.net === 1) {
		e.cidr = cidr;
		e.ip = (e.ip & prefix_mask(cidr)) >>> 0;
	} else if (kind.net === 2) {
		e.cidr2 = cidr;
		e.ip2 = (e.ip2 & prefix_mask(cidr)) >>> 0;
	}
	e.timeout = opt.timeout;
	e.packets = 0;
	e.bytes = 0;
	e.comment = null;
	e.skbmark = e.skbmarkmask = e.skbprio = e.skbqueue = 0;
	return hash_adt(set, h, e, adt, opt.cmdflags);
}

/** A request: all elements that its ranges span. */
function hash_uadt(set: ip_set, tb: nlattr_table, adt: number, flags: number): number {
	const h = set.data as htype;
	const { kind } = h;
	if (tb[IPSET_ATTR_IP] === null) return -IPSET_ERR_PROTOCOL;
	if (kind.port && !(ip_set_attr_netorder(tb, IPSET_ATTR_PORT) && ip_set_optattr_netorder(tb, IPSET_ATTR_PORT_TO)))
		return -IPSET_ERR_PROTOCOL;
	if (kind.ip2 && tb[IPSET_ATTR_IP2] === null) return -IPSET_ERR_PROTOCOL;
	if (kind.iface && tb[IPSET_ATTR_IFACE] === null) return -IPSET_ERR_PROTOCOL;
	const e = new ip_set_elem();
	const from = ip_set_get_ipaddr4(tb[IPSET_ATTR_IP]);
	if (from < 0) return from;
	e.ip = from;
	const err = ip_set_get_extensions(set, tb, e);
	if (err < 0) return err;
	const cidr_attr = tb[IPSET_ATTR_CIDR];
	let cidr = cidr_attr === null ? 32 : nla_get_u8(cidr_attr);
	if (cidr > 32 || (cidr === 0 && !kind.iface)) return -IPSET_ERR_INVALID_CIDR;
	if (kind.net === 1) e.cidr = cidr;
	let cadt_flags = 0;
	const cf = tb[IPSET_ATTR_CADT_FLAGS];
	if (cf !== null) cadt_flags = ip_set_get_h32(cf);
	const nomatch = kind.net !== 0 && (cadt_flags & IPSET_FLAG_NOMATCH) !== 0;
	e.nomatch = nomatch;
	if (kind.iface) {
		const name = nla_get_string(tb[IPSET_ATTR_IFACE]!);
		if (name.length >= IFNAMSIZ) return -IPSET_ERR_PROTOCOL;
		e.iface = name;
		e.physdev = (cadt_flags & IPSET_FLAG_PHYSDEV) !== 0;
		e.wildcard = (cadt_flags & IPSET_FLAG_IFACE_WILDCARD) !== 0;
	}
	let port_to = 0;
	if (kind.port) {
		e.port = ip_set_get_h16(tb[IPSET_ATTR_PORT]!);
		const proto = tb[IPSET_ATTR_PROTO];
		if (proto === null) return -IPSET_ERR_MISSING_PROTO;
		e.proto = nla_get_u8(proto);
		if (e.proto === 0) return -IPSET_ERR_INVALID_PROTO;
		const ports = ip_set_proto_with_ports(e.proto);
		if (!ports && e.proto !== IPPROTO_ICMP) e.port = 0;
		port_to = e.port;
		const to = tb[IPSET_ATTR_PORT_TO];
		if (ports && to !== null && adt !== IPSET_TEST) {
			port_to = ip_set_get_h16(to);
			if (port_to < e.port) {
				const p = port_to;
				port_to = e.port;
				e.port = p;
			}
		}
	}
	let ip2_to = 0;
	if (kind.ip2) {
		const a = ip_set_get_ipaddr4(tb[IPSET_ATTR_IP2]);
		if (a < 0) return a;
		e.ip2 = ip2_to = a;
		const c = tb[IPSET_ATTR_CIDR2];
		if (c !== null) e.cidr2 = nla_get_u8(c);
		if (e.cidr2 === 0 || e.cidr2 > 32) return -IPSET_ERR_INVALID_CIDR;
	}
	if (adt === IPSET_TEST) {
		if (kind.netmask) e.ip = (e.ip & prefix_mask(h.netmask)) >>> 0;
		if (kind.net === 0 && e.ip === 0 && !kind.port) return -IPSET_ERR_HASH_ELEM;
		const r = hash_test(h, e, (kind.net === 2 ? e.cidr2 : e.cidr) === 32, null);
		// Whoever asks for a nomatch element by that word has found it.
		return r === -ENOTEMPTY && nomatch ? 1 : r;
	}
	// Ranges: addresses, ports, second addresses.
	let to = from;
	const ip_to = tb[IPSET_ATTR_IP_TO];
	let first = from;
	if (ip_to !== null) {
		to = ip_set_get_ipaddr4(ip_to);
		if (to < 0) return to;
		if (to < first) {
			const t = to;
			to = first;
			first = t;
		}
		if (kind.net === 1 && first === 0 && to === 0xffffffff) return -IPSET_ERR_HASH_RANGE;
	} else {
		first = (from & prefix_mask(cidr)) >>> 0;
		to = first + 2 ** (32 - cidr) - 1;
	}
	let first2 = e.ip2;
	const ip2_to_attr = tb[IPSET_ATTR_IP2_TO];
	if (kind.net === 2) {
		if (ip2_to_attr !== null) {
			ip2_to = ip_set_get_ipaddr4(ip2_to_attr);
			if (ip2_to < 0) return ip2_to;
			if (ip2_to < first2) {
				const t = ip2_to;
				ip2_to = first2;
				first2 = t;
			}
			if (first2 === 0 && ip2_to === 0xffffffff) return -IPSET_ERR_HASH_RANGE;
		} else {
			first2 = (first2 & prefix_mask(e.cidr2)) >>> 0;
			ip2_to = first2 + 2 ** (32 - e.cidr2) - 1;
		}
	}
	const mask = kind.netmask ? h.netmask : 32;
	const port_from = e.port;
	for (let ip = kind.netmask ? (first & prefix_mask(mask)) >>> 0 : first; ip <= to; ) {
		e.ip = ip;
		if (kind.net === 1) {
			cidr = ip_to === null ? cidr : ip_set_range_to_cidr(ip, to);
			e.cidr = cidr;
		} else if (ip === 0 && !kind.port) return -IPSET_ERR_HASH_ELEM;
		for (let port = port_from; port <= port_to; port++) {
			e.port = port;
			for (let ip2 = first2; ip2 <= ip2_to; ) {
				e.ip2 = ip2;
				if (kind.net === 2) e.cidr2 = ip2_to_attr === null ? e.cidr2 : ip_set_range_to_cidr(ip2, ip2_to);
				const r = hash_adt(set, h, e, adt, flags);
				if (r < 0 && !(r === -IPSET_ERR_EXIST && (flags & IPSET_FLAG_EXIST) !== 0)) return r;
				if (kind.net !== 2) break;
				ip2 += 2 ** (32 - e.cidr2);
			}
		}
		ip += 2 ** (32 - (kind.net === 1 ? cidr : mask));
	}
	return 0;
}

// ---- listing ---------------------------------------------------------------------------------------------------------------------

function hash_head(set: ip_set, skb: nlbuf): void {
	const h = set.data as htype;
	const order = hash_reckon(set, h);
	nla_put_net32(skb, IPSET_ATTR_HASHSIZE, 2 ** h.htable_bits);
	nla_put_net32(skb, IPSET_ATTR_MAXELEM, h.maxelem);
	if (h.netmask !== 32) nla_put_u8(skb, IPSET_ATTR_NETMASK, h.netmask);
	nla_put_u8(skb, IPSET_ATTR_BUCKETSIZE, h.bucketsize);
	nla_put_net32(skb, IPSET_ATTR_INITVAL, h.initval);
	ip_set_put_head(set, skb, h.kind.base + order.memsize + set.ext_size, h.store.elements);
}

function hash_list_begin(set: ip_set): unknown {
	return hash_reckon(set, set.data as htype).entries;
}

function hash_list_length(order: unknown): number {
	return (order as Int32Array).length;
}

function hash_list(set: ip_set, skb: nlbuf, order: unknown, at: number): number {
	const h = set.data as htype;
	const { kind } = h;
	const n = (order as Int32Array)[at];
	if (n >= h.store.top || h.store.state[n] === 0) return 0;
	const e = new ip_set_elem();
	hash_elem(h, n, e);
	if (nla_put_ipaddr4(skb, IPSET_ATTR_IP, e.ip) < 0) return -EMSGSIZE;
	let err = 0;
	if (kind.ip2) err |= nla_put_ipaddr4(skb, IPSET_ATTR_IP2, e.ip2);
	if (kind.net === 1 && !kind.port) err |= nla_put_u8(skb, IPSET_ATTR_CIDR, e.cidr);
	if (kind.iface) err |= nla_put_string(skb, IPSET_ATTR_IFACE, e.iface);
	if (kind.port) {
		err |= nla_put_be16(skb, IPSET_ATTR_PORT | NLA_F_NET_BYTEORDER, e.port);
		if (kind.net === 1) err |= nla_put_u8(skb, IPSET_ATTR_CIDR, e.cidr);
		if (kind.net === 2) err |= nla_put_u8(skb, IPSET_ATTR_CIDR2, e.cidr2);
		err |= nla_put_u8(skb, IPSET_ATTR_PROTO, e.proto);
	}
	const flags =
		(e.nomatch ? IPSET_FLAG_NOMATCH : 0) |
		(kind.iface && e.physdev ? IPSET_FLAG_PHYSDEV : 0) |
		(kind.iface && e.wildcard ? IPSET_FLAG_IFACE_WILDCARD : 0);
	if (flags !== 0) err |= nla_put_net32(skb, IPSET_ATTR_CADT_FLAGS, flags);
	err |= ip_set_put_extensions(set, skb, e);
	return err < 0 ? -EMSGSIZE : 0;
}

function hash_flush(set: ip_set): void {
	const h = set.data as htype;
	hash_clear(h.store);
	h.nets.fill(0);
	h.cidrs = [];
	h.iface_ids.clear();
	h.ifaces = [];
	set.ext_size = 0;
}

function hash_destroy(_set: ip_set): void {}

function hash_same_set(a: ip_set, b: ip_set): boolean {
	const x = a.data as htype;
	const y = b.data as htype;
	return x.maxelem === y.maxelem && a.timeout === b.timeout && x.netmask === y.netmask && a.extensions === b.extensions;
}

const hash_variant: ip_set_variant = {
	kadt: hash_kadt,
	uadt: hash_uadt,
	flush: hash_flush,
	destroy: hash_destroy,
	head: hash_head,
	list_begin: hash_list_begin,
	list: hash_list,
	list_length: hash_list_length,
	same_set: hash_same_set,
};

function hash_create(set: ip_set, tb: nlattr_table): number {
	const kind = KINDS.find((k) => k.name === set.type.name)!;
	if (set.family !== AF_INET) return -IPSET_ERR_INVALID_FAMILY;
	for (const t of [IPSET_ATTR_HASHSIZE, IPSET_ATTR_MAXELEM, IPSET_ATTR_INITVAL])
		if (!ip_set_optattr_netorder(tb, t)) return -IPSET_ERR_PROTOCOL;
	const nm = tb[IPSET_ATTR_NETMASK];
	let netmask = 32;
	if (nm !== null && kind.netmask) {
		netmask = nla_get_u8(nm);
		if (netmask > 32 || netmask === 0) return -IPSET_ERR_INVALID_NETMASK;
	}
	const iv = tb[IPSET_ATTR_INITVAL];
	const h = new htype(set, kind, iv !== null ? ip_set_get_h32(iv) : set.net.machine.random.u32());
	h.netmask = netmask;
	const me = tb[IPSET_ATTR_MAXELEM];
	if (me !== null) h.maxelem = ip_set_get_h32(me);
	const hs = tb[IPSET_ATTR_HASHSIZE];
	const size = hs === null ? IPSET_DEFAULT_HASHSIZE : Math.max(IPSET_MIMINAL_HASHSIZE, ip_set_get_h32(hs));
	h.htable_bits = Math.min(24, Math.ceil(Math.log2(size)));
	const bs = tb[IPSET_ATTR_BUCKETSIZE];
	if (bs !== null) {
		// Even, 2 to 12.
		const b = Math.max(nla_get_u8(bs), AHASH_INIT_SIZE);
		h.bucketsize = Math.min(b + (b & 1), AHASH_MAX_SIZE);
	}
	set.data = h;
	set.variant = hash_variant;
	return 0;
}

export const hash_types: readonly ip_set_type[] = KINDS.map((k) => ({
	name: k.name,
	family: 0,
	dimension: k.dimension,
	revision_min: 0,
	revision_max: k.revision_max,
	features: k.net !== 0 ? IPSET_TYPE_NOMATCH : 0,
	create: hash_create,
}));
