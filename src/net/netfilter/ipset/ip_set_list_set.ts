/*
 * net/netfilter/ipset/ip_set_list_set.ts: list:set: sets asked in a row.            Linux: net/netfilter/ipset/ip_set_list_set.c
 */
import { nla_get_string, nla_put_string, type nlattr_table, type nlbuf, str_to_bytes } from '../../../lib/nlattr.ts';
import { EMSGSIZE } from '../../../uapi/asm-generic/errno.ts';
import {
	IPSET_ATTR_CADT_FLAGS,
	IPSET_ATTR_NAME,
	IPSET_ATTR_NAMEREF,
	IPSET_ATTR_SIZE,
	IPSET_ERR_BEFORE,
	IPSET_ERR_EXIST,
	IPSET_ERR_LOOP,
	IPSET_ERR_NAME,
	IPSET_ERR_NAMEREF,
	IPSET_ERR_PROTOCOL,
	IPSET_ERR_REF_EXIST,
	IPSET_FLAG_BEFORE,
	IPSET_FLAG_EXIST,
	IPSET_FLAG_MATCH_COUNTERS,
	IPSET_FLAG_SKIP_COUNTER_UPDATE,
	IPSET_FLAG_SKIP_SUBCOUNTER_UPDATE,
	IPSET_INVALID_ID,
} from '../../../uapi/linux/netfilter/ipset/ip_set.ts';
import type { sk_buff } from '../../core/skbuff.ts';
import type { xt_action_param } from '../x_tables.ts';
import {
	IPSET_ADD,
	IPSET_DUMP_LAST,
	IPSET_ELEM_PERMANENT,
	IPSET_NO_TIMEOUT,
	IPSET_TEST,
	IPSET_TYPE_NAME,
	type ip_set,
	type ip_set_adt_opt,
	ip_set_elem,
	ip_set_get_h32,
	ip_set_match_counters,
	ip_set_pernet,
	ip_set_timeout_get,
	ip_set_timeout_set,
	type ip_set_type,
	type ip_set_variant,
	nla_put_net32,
	with_comment,
	with_counter,
	with_skbinfo,
	with_timeout,
} from './ip_set.ts';
import {
	ip_set_add,
	ip_set_del,
	ip_set_get_byname,
	ip_set_get_extensions,
	ip_set_put_byindex,
	ip_set_put_extensions,
	ip_set_put_head,
	ip_set_test,
} from './ip_set_kernel.ts';

const IP_SET_LIST_DEFAULT_SIZE = 8;
const IP_SET_LIST_MIN_SIZE = 4;
const IP_SET_LIST_MAX_SIZE = 65536;
const COMMENT_RCU = 17;

class member {
	/** Index of the set. */
	id: number;
	end = IPSET_ELEM_PERMANENT;
	counters: Float64Array | null = null;
	comment: string | null = null;
	skbmark = 0;
	skbmarkmask = 0;
	skbprio = 0;
	skbqueue = 0;

	constructor(id: number) {
		this.id = id;
	}
}

class list_set {
	size: number;
	members: member[] = [];

	constructor(size: number) {
		this.size = size;
	}
}

function remove(set: ip_set, m: list_set, at: number): void {
	const e = m.members[at];
	if (e.comment !== null) set.ext_size -= str_to_bytes(e.comment).length + COMMENT_RCU;
	ip_set_put_byindex(set.net, e.id);
	m.members.splice(at, 1);
}

function expire(set: ip_set, m: list_set): void {
	if (!with_timeout(set)) return;
	const now = set.net.machine.jiffies;
	for (let i = m.members.length - 1; i >= 0; i--) {
		const { end } = m.members[i];
		if (end !== IPSET_ELEM_PERMANENT && end <= now) remove(set, m, i);
	}
}

function list_set_kadt(set: ip_set, skb: sk_buff, par: xt_action_param, adt: number, opt: ip_set_adt_opt): number {
	const m = set.data as list_set;
	expire(set, m);
	const flags = opt.cmdflags;
	// The members' own counters are left alone where the rule says so; its conditions are on the list's.
	let sub = flags & ~IPSET_FLAG_MATCH_COUNTERS;
	if ((flags & IPSET_FLAG_SKIP_SUBCOUNTER_UPDATE) !== 0) sub |= IPSET_FLAG_SKIP_COUNTER_UPDATE;
	else sub &= ~IPSET_FLAG_SKIP_COUNTER_UPDATE;
	for (const e of m.members) {
		let ret: number;
		opt.cmdflags = sub;
		if (adt === IPSET_TEST) ret = ip_set_test(e.id, skb, par, opt);
		else if (adt === IPSET_ADD) ret = ip_set_add(e.id, skb, par, opt) === 0 ? 1 : 0;
		else ret = ip_set_del(e.id, skb, par, opt) === 0 ? 1 : 0;
		opt.cmdflags = flags;
		if (ret <= 0) continue;
		if (adt !== IPSET_TEST) return 0;
		if (e.counters !== null && !ip_set_match_counters(e.counters, 0, opt)) continue;
		return 1;
	}
	return adt === IPSET_TEST ? 0 : -1;
}

function list_set_uadt(set: ip_set, tb: nlattr_table, adt: number, flags: number): number {
	const m = set.data as list_set;
	const name = tb[IPSET_ATTR_NAME];
	if (name === null) return -IPSET_ERR_PROTOCOL;
	const x = new ip_set_elem();
	const err = ip_set_get_extensions(set, tb, x);
	if (err < 0) return err;
	const id = ip_set_get_byname(set.net, nla_get_string(name));
	if (id === IPSET_INVALID_ID) return -IPSET_ERR_NAME;
	let refid = IPSET_INVALID_ID;
	let held = true;
	let ret: number;
	const other = ip_set_pernet(set.net).list[id]!;
	const cf = tb[IPSET_ATTR_CADT_FLAGS];
	const before = cf !== null && (ip_set_get_h32(cf) & IPSET_FLAG_BEFORE) !== 0;
	const nameref = tb[IPSET_ATTR_NAMEREF];
	if ((other.type.features & IPSET_TYPE_NAME) !== 0) ret = -IPSET_ERR_LOOP;
	else if (before && nameref === null) ret = -IPSET_ERR_BEFORE;
	else {
		ret = 0;
		if (nameref !== null) {
			refid = ip_set_get_byname(set.net, nla_get_string(nameref));
			if (refid === IPSET_INVALID_ID) ret = -IPSET_ERR_NAMEREF;
		}
		if (ret === 0) {
			if (adt !== IPSET_TEST) expire(set, m);
			ret = list_set_do(set, m, adt, id, refid, before, x, flags);
			if (adt === IPSET_ADD && ret === 1) {
				held = false;
				ret = 0;
			}
		}
	}
	if (refid !== IPSET_INVALID_ID) ip_set_put_byindex(set.net, refid);
	if (held) ip_set_put_byindex(set.net, id);
	return ret;
}

/** Return: -errno, 0; 1: the test is passed, or the added member holds its set. */
function list_set_do(
	set: ip_set,
	m: list_set,
	adt: number,
	id: number,
	refid: number,
	before: boolean,
	x: ip_set_elem,
	flags: number,
): number {
	const at = m.members.findIndex((e) => e.id === id);
	const ref = refid === IPSET_INVALID_ID ? -1 : m.members.findIndex((e) => e.id === refid);
	const placed = refid === IPSET_INVALID_ID || (before ? at >= 0 && ref === at + 1 : ref >= 0 && at === ref + 1);
	if (adt === IPSET_TEST) return at >= 0 && placed ? 1 : 0;
	if (adt !== IPSET_ADD) {
		if (at < 0) return -IPSET_ERR_EXIST;
		if (!placed) return -IPSET_ERR_REF_EXIST;
		remove(set, m, at);
		return 0;
	}
	if (at >= 0 && (flags & IPSET_FLAG_EXIST) === 0) return -IPSET_ERR_EXIST;
	if (refid !== IPSET_INVALID_ID && ref < 0) return -IPSET_ERR_REF_EXIST;
	const e = at >= 0 ? m.members[at] : new member(id);
	if (e.comment !== null) set.ext_size -= str_to_bytes(e.comment).length + COMMENT_RCU;
	e.comment = with_comment(set) ? x.comment : null;
	if (e.comment !== null) set.ext_size += str_to_bytes(e.comment).length + COMMENT_RCU;
	if (with_timeout(set))
		e.end = ip_set_timeout_set(set.net.machine, x.timeout === IPSET_NO_TIMEOUT ? set.timeout : x.timeout);
	if (with_counter(set)) e.counters = Float64Array.of(x.packets, x.bytes);
	e.skbmark = x.skbmark;
	e.skbmarkmask = x.skbmarkmask;
	e.skbprio = x.skbprio;
	e.skbqueue = x.skbqueue;
	if (at >= 0) return 0;
	if (ref < 0) m.members.push(e);
	else m.members.splice(before ? ref : ref + 1, 0, e);
	return 1;
}

function list_set_head(set: ip_set, skb: nlbuf): void {
	const m = set.data as list_set;
	expire(set, m);
	let size = 48;
	if (with_counter(set)) size += 16;
	if (with_timeout(set)) size += 8;
	if (with_comment(set)) size += 8;
	if (with_skbinfo(set)) size += 16;
	nla_put_net32(skb, IPSET_ATTR_SIZE, m.size);
	ip_set_put_head(set, skb, 80 + size * m.members.length + set.ext_size, m.members.length);
}

function list_set_list_begin(set: ip_set): unknown {
	return (set.data as list_set).members.slice();
}

function list_set_list_length(order: unknown): number {
	return (order as member[]).length;
}

function list_set_list(set: ip_set, skb: nlbuf, order: unknown, at: number): number {
	const m = (order as member[])[at];
	const other = ip_set_pernet(set.net).list[m.id];
	if (other === null) return 0;
	let err = nla_put_string(skb, IPSET_ATTR_NAME, other.name);
	const e = new ip_set_elem();
	e.timeout = ip_set_timeout_get(set.net.machine, m.end);
	if (m.counters !== null) {
		e.packets = m.counters[0];
		e.bytes = m.counters[1];
	}
	e.comment = m.comment;
	e.skbmark = m.skbmark;
	e.skbmarkmask = m.skbmarkmask;
	e.skbprio = m.skbprio;
	e.skbqueue = m.skbqueue;
	err |= ip_set_put_extensions(set, skb, e);
	return err < 0 ? -EMSGSIZE : 0;
}

function list_set_flush(set: ip_set): void {
	const m = set.data as list_set;
	for (let i = m.members.length - 1; i >= 0; i--) remove(set, m, i);
}

function list_set_same_set(a: ip_set, b: ip_set): boolean {
	return (
		(a.data as list_set).size === (b.data as list_set).size && a.timeout === b.timeout && a.extensions === b.extensions
	);
}

const list_set_variant: ip_set_variant = {
	kadt: list_set_kadt,
	uadt: list_set_uadt,
	flush: list_set_flush,
	destroy: list_set_flush,
	head: list_set_head,
	list_begin: list_set_list_begin,
	list: list_set_list,
	list_length: list_set_list_length,
	same_set: list_set_same_set,
};

function list_set_create(set: ip_set, tb: nlattr_table): number {
	const s = tb[IPSET_ATTR_SIZE];
	let size = s === null ? IP_SET_LIST_DEFAULT_SIZE : ip_set_get_h32(s);
	size = Math.min(IP_SET_LIST_MAX_SIZE, Math.max(IP_SET_LIST_MIN_SIZE, size));
	set.data = new list_set(size);
	set.variant = list_set_variant;
	return 0;
}

export const list_set_type: ip_set_type = {
	name: 'list:set',
	family: 0,
	dimension: 1,
	revision_min: 0,
	revision_max: 3,
	features: IPSET_TYPE_NAME | IPSET_DUMP_LAST,
	create: list_set_create,
};
