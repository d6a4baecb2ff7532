/*
 * net/ipv4/fib_trie.ts: a routing table: prefixes in an LC trie.   Linux: net/ipv4/fib_trie.c
 *
 * The trie (lib/lc_trie.ts) has a leaf per address; a leaf holds its aliases: the routes to prefixes that begin with that address, longest
 * prefix first, then by TOS and priority. Aliases are four words each in one Int32Array, so that a full Internet table is two arrays:
 *
 *      [ next alias | fib_info's id | slen, type << 8, dscp << 16 | table id ]
 *
 * A leaf with one alias and no TOS has what a lookup needs in its slot already: the fib_info's id + 1 (16 bits) and the type.
 *
 * What lookups in a large table find is kept in fewer cache lines (fib_dir.ts).
 *
 * Walk: fib_table_lookup (longest match, going back to shorter prefixes); fib_table_insert, fib_table_delete, fib_table_flush.
 * The local and main tables share one trie until a rule is added (fib_trie_unmerge). /proc files: fib_trie_proc.ts.
 */
import { LC_KEY, LC_POS, LC_ROOT, LC_SLOT, lc_trie } from '../../lib/lc_trie.ts';
import { NL_SET_ERR_MSG, type netlink_ext_ack } from '../../lib/nlattr.ts';
import { EAGAIN, EEXIST, EINVAL, ENOENT, ESRCH } from '../../uapi/asm-generic/errno.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import {
	RT_SCOPE_NOWHERE,
	RTM_DELROUTE,
	RTM_NEWROUTE,
	RTNH_F_DEAD,
	RTNH_F_LINKDOWN,
} from '../../uapi/linux/rtnetlink.ts';
import type { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import { DIR_NONE, fib_dir } from './fib_dir.ts';
import {
	FIB_LOOKUP_IGNORE_LINKSTATE,
	type fib_config,
	type fib_info,
	type fib_nh,
	fib_props_error,
	type fib_result,
	fib_table,
} from './fib_lookup.ts';
import { fib_create_info, fib_metrics_match, fib_nh_match, fib_release_info, rtmsg_fib } from './fib_semantics.ts';
import { IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN } from './inetdevice.ts';
import { rt_cache_flush } from './route.ts';

const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
/** A throw route was hit: this table has no answer. Inside a lookup it must differ from a leaf that does not fit. */
const FIB_THROW = -4095;
/** The bits of TOS that a lookup compares. */
export const INET_DSCP_LEGACY_TOS_MASK = 0x1c;

// Words of an alias.
const A = 4;
const A_INFO = 1;
const A_WORD = 2;
const A_TB = 3;

/** From so many routes on a table has a large fib_dir, and with less than half of that none. */
const DIR_MIN = 4096;
/** A small table has one from so many lookups on. */
const DIR_LOOKUPS = 4096;

export class fib_trie {
	lc: lc_trie = new lc_trie();
	/** Of a table that is large or much asked: what lookups found. */
	dir: fib_dir | null = null;
	/** Lookups without it. */
	lookups = 0;
	/** Aliases; 0 is none. */
	a: Int32Array = new Int32Array(64 * A);
	private a_top = 1;
	private a_free = 0;
	/** net.ipv4.fib_infos, which aliases index. */
	infos: (fib_info | null)[];
	/** How many aliases there are. */
	num_aliases = 0;
	/** Per leaf with several default routes: which one fib_select_default is at. By alias. */
	fa_default: Map<number, number> = new Map();

	constructor(net: net) {
		this.infos = net.ipv4.fib_infos;
	}

	/** Bytes that the routes take. */
	get bytes(): number {
		return this.lc.bytes + this.a.byteLength + (this.dir !== null ? this.dir.bytes : 0);
	}

	alloc_alias(info: number, slen: number, type: number, dscp: number, tb_id: number): number {
		let fa = this.a_free;
		if (fa !== 0) this.a_free = this.a[fa * A];
		else {
			fa = this.a_top++;
			if (this.a_top * A > this.a.length) {
				const a = new Int32Array(Math.ceil(this.a.length * (this.a.length > 1 << 20 ? 1.25 : 2)) & ~3);
				a.set(this.a);
				this.a = a;
			}
		}
		const o = fa * A;
		this.a[o] = 0;
		this.a[o + A_INFO] = info;
		this.a[o + A_WORD] = slen | (type << 8) | (dscp << 16);
		this.a[o + A_TB] = tb_id;
		if (++this.num_aliases >= DIR_MIN && !this.dir?.large) this.dir = new fib_dir(true);
		return fa;
	}

	free_alias(fa: number): void {
		this.a[fa * A] = this.a_free;
		this.a_free = fa;
		this.fa_default.delete(fa);
		if (--this.num_aliases < DIR_MIN >> 1 && this.dir?.large) this.dir = null;
	}
}

export function fa_next(t: fib_trie, fa: number): number {
	return t.a[fa * A];
}

export function fa_info(t: fib_trie, fa: number): fib_info {
	return t.infos[t.a[fa * A + A_INFO]]!;
}

export function fa_slen(t: fib_trie, fa: number): number {
	return t.a[fa * A + A_WORD] & 0xff;
}

export function fa_type(t: fib_trie, fa: number): number {
	return (t.a[fa * A + A_WORD] >>> 8) & 0xff;
}

export function fa_dscp(t: fib_trie, fa: number): number {
	return (t.a[fa * A + A_WORD] >>> 16) & 0xff;
}

export function fa_tb_id(t: fib_trie, fa: number): number {
	return t.a[fa * A + A_TB] >>> 0;
}

/** Whether a route for this TOS is meant by the flow's. */
export function fib_dscp_masked_match(dscp: number, flp: flowi4): boolean {
	return dscp === (flp.flowi4_dscp & INET_DSCP_LEGACY_TOS_MASK);
}

// ---- lookup ----------------------------------------------------------------------------------------------------------------------

/** Whether the flow may use this nexthop. */
export function fib_lookup_good_nhc(nhc: fib_nh, fib_flags: number, flp: flowi4): boolean {
	if ((nhc.nhc_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) !== 0) {
		if ((nhc.nhc_flags & RTNH_F_DEAD) !== 0) return false;
		if ((fib_flags & FIB_LOOKUP_IGNORE_LINKSTATE) === 0) {
			const in_dev = nhc.nhc_dev !== null ? nhc.nhc_dev.ip_ptr : null;
			if (in_dev !== null && IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN(in_dev)) return false;
		}
	}
	return flp.flowi4_oif === 0 || flp.flowi4_oif === nhc.nhc_oif;
}

/**
 * The route in `tb` with the longest prefix that holds flp.daddr and that suits the flow's TOS, scope and device.
 * Return: 0 with `res` filled in; -EAGAIN: none here; another -errno: the route's type says no (res is filled in).
 */
export function fib_table_lookup(tb: fib_table, flp: flowi4, res: fib_result, fib_flags: number): number {
	const dir = tb.tb_data.dir;
	if (dir === null) {
		if (++tb.tb_data.lookups === DIR_LOOKUPS) tb.tb_data.dir = new fib_dir(false);
		return fib_trie_lookup(tb, flp, res, fib_flags);
	}
	const e = dir.get(flp.daddr);
	if (e === DIR_NONE) return -EAGAIN;
	const id = e & 0xffff;
	if (id !== 0) {
		const fi = tb.tb_data.infos[id - 1]!;
		const err = fib_alias_lookup(tb, fi, (e >>> 16) & 0x3f, e >>> 22, 0, flp.daddr, flp, res, fib_flags);
		if (err !== -EAGAIN) return err === FIB_THROW ? -EAGAIN : err;
	} else if (e === 0) dir.learn(flp.daddr, tb.tb_data.lc, tb.tb_data.a);
	return fib_trie_lookup(tb, flp, res, fib_flags);
}

/** As fib_table_lookup, from the trie. */
function fib_trie_lookup(tb: fib_table, flp: flowi4, res: fib_result, fib_flags: number): number {
	const trie = tb.tb_data;
	const t = trie.lc.t;
	const key = flp.daddr | 0;
	let s = LC_ROOT;
	// Where to go back to: a node on the way, and which of its children we took.
	let ps = -1;
	let cindex = 0;
	let exact = true;
	for (;;) {
		const ref = t[s];
		if (ref > 0) {
			const k = t[s + LC_KEY];
			const w = t[s + LC_POS];
			if (exact) {
				const index = (key ^ k) >>> (w & 31);
				if (index >>> ((w >>> 8) & 31) === 0) {
					// Worth coming back to only when something below has a prefix shorter than what it tests.
					if (w >>> 16 > (w & 0xff)) {
						ps = s;
						cindex = index;
					}
					s = ref + index * LC_SLOT;
					continue;
				}
				exact = false;
			}
			// What follows is not on the key's way; its first leaf may have a prefix that covers the key nevertheless.
			if (((key ^ k) & (k | -k)) === 0 && w >>> 16 !== (w & 0xff)) {
				s = ref;
				if (t[s] !== 0) continue;
			}
		} else if (ref < 0) {
			const k = t[s + LC_KEY];
			const w = t[s + LC_POS];
			// The longest suffix of the leaf says whether any of its prefixes can hold the key.
			const slen = (w >>> 16) & 0x3f;
			if (slen === 32 || (key ^ k) >>> slen === 0) {
				const err = fib_leaf_lookup(tb, trie, -ref, key, k, w, flp, res, fib_flags);
				if (err !== -EAGAIN) return err === FIB_THROW ? -EAGAIN : err;
			}
		}
		exact = false;
		for (;;) {
			if (cindex !== 0) {
				// Giving up this bit of the key helps only a prefix that ends above it.
				const w = t[ps + LC_POS];
				if ((w & 31) + 31 - Math.clz32(cindex & -cindex) < w >>> 16) break;
			}
			if (ps <= LC_ROOT) return -EAGAIN;
			// Up: a header in front of a node's children says where the node stands, and in which node.
			const parent = t[t[ps] - 3];
			cindex = (ps - parent) / LC_SLOT;
			ps = t[parent - 4];
			if (ps < 0) return -EAGAIN;
		}
		cindex &= cindex - 1;
		s = t[ps] + cindex * LC_SLOT;
	}
}

/** Tries a leaf's aliases. `w`: the leaf's word. Return: as fib_table_lookup. */
function fib_leaf_lookup(
	tb: fib_table,
	trie: fib_trie,
	head: number,
	key: number,
	leaf_key: number,
	w: number,
	flp: flowi4,
	res: fib_result,
	fib_flags: number,
): number {
	const inline = w & 0xffff;
	if (inline !== 0) {
		return fib_alias_lookup(tb, trie.infos[inline - 1]!, (w >>> 16) & 0x3f, w >>> 22, 0, leaf_key, flp, res, fib_flags);
	}
	const a = trie.a;
	const diff = key ^ leaf_key;
	for (let fa = head; fa !== 0; fa = a[fa * A]) {
		const o = fa * A;
		const word = a[o + A_WORD];
		const slen = word & 0xff;
		if (slen < 32 && diff >>> slen !== 0) continue;
		const dscp = (word >>> 16) & 0xff;
		if (dscp !== 0 && dscp !== (flp.flowi4_dscp & INET_DSCP_LEGACY_TOS_MASK)) continue;
		const fi = trie.infos[a[o + A_INFO]]!;
		const err = fib_alias_lookup(tb, fi, slen, (word >>> 8) & 0xff, dscp, leaf_key, flp, res, fib_flags);
		if (err !== -EAGAIN) return err;
	}
	return -EAGAIN;
}

/** Tries a route's hops. `key`: any address of its prefix. */
function fib_alias_lookup(
	tb: fib_table,
	fi: fib_info,
	slen: number,
	type: number,
	dscp: number,
	key: number,
	flp: flowi4,
	res: fib_result,
	fib_flags: number,
): number {
	if (fi.fib_dead || fi.fib_scope < flp.flowi4_scope) return -EAGAIN;
	res.prefix = slen === 32 ? 0 : (key & (-1 << slen)) >>> 0;
	res.prefixlen = 32 - slen;
	res.type = type;
	res.scope = fi.fib_scope;
	res.dscp = dscp;
	res.fi = fi;
	res.table = tb;
	const err = fib_props_error[type];
	if (err < 0) {
		// throw is "look elsewhere": the next rule goes on.
		res.nh_sel = 0;
		res.nhc = null;
		return err === -EAGAIN ? FIB_THROW : err;
	}
	if ((fi.fib_flags & RTNH_F_DEAD) !== 0) return -EAGAIN;
	for (let nhsel = 0; nhsel < fi.fib_nhs; nhsel++) {
		const nhc = fi.fib_nh[nhsel];
		if (
			nhc.nhc_flags === 0
				? flp.flowi4_oif !== 0 && flp.flowi4_oif !== nhc.nhc_oif
				: !fib_lookup_good_nhc(nhc, fib_flags, flp)
		)
			continue;
		res.nh_sel = nhsel;
		res.nhc = nhc;
		return 0;
	}
	return -EAGAIN;
}

// ---- change ----------------------------------------------------------------------------------------------------------------------

/** The leaf's first alias of prefix length 32 - slen that comes at or after (dscp, prio) in order, of table tb_id. 0: none. */
function fib_find_alias(t: fib_trie, head: number, slen: number, dscp: number, prio: number, tb_id: number): number {
	for (let fa = head; fa !== 0; fa = fa_next(t, fa)) {
		const fslen = fa_slen(t, fa);
		if (fslen < slen) continue;
		if (fslen !== slen) break;
		const ftb = fa_tb_id(t, fa);
		if (ftb > tb_id) continue;
		if (ftb !== tb_id) break;
		const fdscp = fa_dscp(t, fa);
		if (fdscp > dscp) continue;
		if (fa_info(t, fa).fib_priority >= prio || fdscp < dscp) return fa;
	}
	return 0;
}

/** A leaf's own bits: its only alias, when that is plain. */
function leaf_user(t: fib_trie, head: number): number {
	const o = head * A;
	const info = t.a[o + A_INFO];
	if (t.a[o] !== 0 || fa_dscp(t, head) !== 0 || info >= 0xffff) return 0;
	return (info + 1) | (fa_type(t, head) << 22);
}

/** The leaf's aliases changed. */
function leaf_sync(t: fib_trie, slot: number, head: number): void {
	let last = head;
	while (t.a[last * A] !== 0) last = t.a[last * A];
	t.lc.set_leaf(slot, head, fa_slen(t, last), leaf_user(t, head));
}

/** Where the leaf's aliases begin that a lookup's answer came from. */
export function fib_result_head(res: fib_result): number {
	const t = res.table!.tb_data;
	const slot = t.lc.find(res.prefix);
	return slot !== 0 ? -t.lc.t[slot] : 0;
}

/** Puts `fa` into the leaf at its place: before `before`, or (0) where its prefix length and table belong. */
function fib_insert_alias(t: fib_trie, slot: number, key: number, fa: number, before: number): void {
	const slen = fa_slen(t, fa);
	if (t.dir !== null) t.dir.forget(key, slen);
	if (slot === 0) {
		t.lc.insert(key, fa, slen, leaf_user(t, fa));
		return;
	}
	const a = t.a;
	const head = -t.lc.t[slot];
	let prev = 0;
	let at = head;
	if (before !== 0) {
		while (at !== before) {
			prev = at;
			at = a[at * A];
		}
	} else {
		const tb_id = fa_tb_id(t, fa);
		while (at !== 0) {
			const l = fa_slen(t, at);
			if (slen < l) break;
			if (slen === l && tb_id > fa_tb_id(t, at)) break;
			prev = at;
			at = a[at * A];
		}
	}
	a[fa * A] = at;
	if (prev !== 0) a[prev * A] = fa;
	leaf_sync(t, slot, prev !== 0 ? head : fa);
}

function fib_remove_alias(t: fib_trie, slot: number, fa: number): void {
	const a = t.a;
	const head = -t.lc.t[slot];
	if (t.dir !== null) t.dir.forget(t.lc.t[slot + LC_KEY], fa_slen(t, fa));
	let prev = 0;
	for (let at = head; at !== fa; at = a[at * A]) prev = at;
	const next = a[fa * A];
	if (prev === 0 && next === 0) t.lc.remove(slot);
	else {
		if (prev !== 0) a[prev * A] = next;
		leaf_sync(t, slot, prev !== 0 ? head : next);
	}
	t.free_alias(fa);
}

function fib_valid_key_len(key: number, plen: number, extack: netlink_ext_ack | null): boolean {
	if (plen > 32) {
		NL_SET_ERR_MSG(extack, 'Invalid prefix length');
		return false;
	}
	if (plen < 32 && key << plen !== 0) {
		NL_SET_ERR_MSG(extack, 'Invalid prefix for given prefix length');
		return false;
	}
	return true;
}

/** Adds, replaces or appends a route as cfg.fc_nlflags say. Return: 0 or -errno. */
export function fib_table_insert(net: net, tb: fib_table, cfg: fib_config, extack: netlink_ext_ack | null): number {
	const t = tb.tb_data;
	const plen = cfg.fc_dst_len;
	const slen = 32 - plen;
	const key = cfg.fc_dst;
	let nlflags = NLM_F_EXCL;
	if (!fib_valid_key_len(key, plen, extack)) return -EINVAL;
	const fi = fib_create_info(net, cfg, extack);
	if (typeof fi === 'number') return fi;

	const slot = t.lc.find(key);
	const head = slot !== 0 ? -t.lc.t[slot] : 0;
	let fa = head !== 0 ? fib_find_alias(t, head, slen, cfg.fc_dscp, fi.fib_priority, tb.tb_id) : 0;

	// A route with the same prefix, TOS and priority: what to do is in the flags.
	if (fa !== 0 && fa_dscp(t, fa) === cfg.fc_dscp && fa_info(t, fa).fib_priority === fi.fib_priority) {
		if ((cfg.fc_nlflags & NLM_F_EXCL) !== 0) {
			fib_release_info(fi);
			return -EEXIST;
		}
		nlflags &= ~NLM_F_EXCL;
		const fa_first = fa;
		let fa_match = 0;
		for (; fa !== 0; fa = fa_next(t, fa)) {
			if (fa_slen(t, fa) !== slen || fa_tb_id(t, fa) !== tb.tb_id || fa_dscp(t, fa) !== cfg.fc_dscp) break;
			const other = fa_info(t, fa);
			if (other.fib_priority !== fi.fib_priority) break;
			if (fa_type(t, fa) === cfg.fc_type && other === fi) {
				fa_match = fa;
				break;
			}
		}
		if ((cfg.fc_nlflags & NLM_F_REPLACE) !== 0) {
			if (fa_match !== 0) {
				const same = fa_first === fa_match;
				fib_release_info(fi);
				return same ? 0 : -EEXIST;
			}
			const o = fa_first * A;
			const old = fa_info(t, fa_first);
			t.a[o + A_INFO] = fi.fib_id;
			t.a[o + A_WORD] = slen | (cfg.fc_type << 8) | (cfg.fc_dscp << 16);
			t.fa_default.delete(fa_first);
			if (t.dir !== null) t.dir.forget(key, slen);
			leaf_sync(t, slot, head);
			fib_release_info(old);
			rt_cache_flush(net);
			rtmsg_fib(net, RTM_NEWROUTE, key, t, fa_first, plen, tb.tb_id, cfg, NLM_F_REPLACE);
			return 0;
		}
		if (fa_match !== 0) {
			fib_release_info(fi);
			return -EEXIST;
		}
		if ((cfg.fc_nlflags & NLM_F_APPEND) !== 0) {
			nlflags |= NLM_F_APPEND;
			// `fa` is where the run of equals ended.
		} else fa = fa_first;
	}
	if ((cfg.fc_nlflags & NLM_F_CREATE) === 0) {
		fib_release_info(fi);
		return -ENOENT;
	}
	nlflags |= NLM_F_CREATE;
	const new_fa = t.alloc_alias(fi.fib_id, slen, cfg.fc_type, cfg.fc_dscp, tb.tb_id);
	// An alias found as the end of a run may be of another prefix length: it is a fine place all the same.
	fib_insert_alias(t, slot, key, new_fa, fa);
	if (plen === 0) tb.tb_num_default++;
	rt_cache_flush(net);
	rtmsg_fib(net, RTM_NEWROUTE, key, t, new_fa, plen, tb.tb_id, cfg, nlflags);
	return 0;
}

/** Removes the first route that fits what cfg says. Return: 0 or -ESRCH. */
export function fib_table_delete(net: net, tb: fib_table, cfg: fib_config, extack: netlink_ext_ack | null): number {
	const t = tb.tb_data;
	const plen = cfg.fc_dst_len;
	const slen = 32 - plen;
	if (!fib_valid_key_len(cfg.fc_dst, plen, extack)) return -EINVAL;
	const slot = t.lc.find(cfg.fc_dst);
	if (slot === 0) return -ESRCH;
	let fa = fib_find_alias(t, -t.lc.t[slot], slen, cfg.fc_dscp, 0, tb.tb_id);
	for (; fa !== 0; fa = fa_next(t, fa)) {
		if (fa_slen(t, fa) !== slen || fa_tb_id(t, fa) !== tb.tb_id || fa_dscp(t, fa) !== cfg.fc_dscp) return -ESRCH;
		const fi = fa_info(t, fa);
		if (
			(cfg.fc_type === 0 || fa_type(t, fa) === cfg.fc_type) &&
			(cfg.fc_scope === RT_SCOPE_NOWHERE || fi.fib_scope === cfg.fc_scope) &&
			(cfg.fc_prefsrc === 0 || fi.fib_prefsrc === cfg.fc_prefsrc) &&
			(cfg.fc_protocol === 0 || fi.fib_protocol === cfg.fc_protocol) &&
			fib_nh_match(net, cfg, fi, extack) === 0 &&
			fib_metrics_match(cfg, fi)
		) {
			rtmsg_fib(net, RTM_DELROUTE, cfg.fc_dst, t, fa, plen, tb.tb_id, cfg, 0);
			if (plen === 0) tb.tb_num_default--;
			fib_remove_alias(t, slot, fa);
			rt_cache_flush(net);
			fib_release_info(fi);
			return 0;
		}
	}
	return -ESRCH;
}

/** Takes out the routes of dead fib_infos (or all with `flush_all`). Return: how many. */
export function fib_table_flush(net: net, tb: fib_table, flush_all: boolean): number {
	const t = tb.tb_data;
	let found = 0;
	let key = 0;
	for (;;) {
		const slot = t.lc.next(key);
		if (slot === 0) break;
		const leaf_key = t.lc.t[slot + LC_KEY] >>> 0;
		found += fib_leaf_flush(net, tb, t, leaf_key, flush_all);
		if (leaf_key === 0xffffffff) break;
		key = leaf_key + 1;
	}
	return found;
}

function fib_leaf_flush(net: net, tb: fib_table, t: fib_trie, key: number, flush_all: boolean): number {
	let found = 0;
	const slot = t.lc.find(key);
	for (let fa = -t.lc.t[slot]; fa !== 0; ) {
		const next = fa_next(t, fa);
		const fi = fa_info(t, fa);
		const gone = flush_all || (fi.fib_flags & RTNH_F_DEAD) !== 0 || fi.fib_dead ? fa_tb_id(t, fa) === tb.tb_id : false;
		if (gone) {
			if (fi.pfsrc_removed) rtmsg_fib(net, RTM_DELROUTE, key, t, fa, 32 - fa_slen(t, fa), tb.tb_id, null, 0);
			if (fa_slen(t, fa) === 32) tb.tb_num_default--;
			fib_remove_alias(t, t.lc.find(key), fa);
			fib_release_info(fi);
			found++;
		}
		fa = next;
	}
	return found;
}

/** Drops what belongs to other tables from a trie that was shared (the main table's, when the local one left). */
export function fib_table_flush_external(tb: fib_table): void {
	const t = tb.tb_data;
	let key = 0;
	for (;;) {
		const slot = t.lc.next(key);
		if (slot === 0) break;
		const leaf_key = t.lc.t[slot + LC_KEY] >>> 0;
		for (let fa = -t.lc.t[slot]; fa !== 0; ) {
			const next = fa_next(t, fa);
			if (fa_tb_id(t, fa) !== tb.tb_id) fib_remove_alias(t, t.lc.find(leaf_key), fa);
			fa = next;
		}
		if (leaf_key === 0xffffffff) break;
		key = leaf_key + 1;
	}
}

/** A table for `id`; with `alias`, one that shares alias' routes. */
export function fib_trie_table(net: net, id: number, alias: fib_table | null): fib_table {
	return new fib_table(id, alias !== null ? alias.tb_data : new fib_trie(net));
}

/** The local table with a trie of its own, holding the routes that were in the shared one. */
export function fib_trie_unmerge(net: net, main_tb: fib_table): fib_table {
	const from = main_tb.tb_data;
	const local = fib_trie_table(net, RT_TABLE_LOCAL, null);
	const t = local.tb_data;
	let key = 0;
	for (;;) {
		const slot = from.lc.next(key);
		if (slot === 0) break;
		const leaf_key = from.lc.t[slot + LC_KEY] >>> 0;
		for (let fa = -from.lc.t[slot]; fa !== 0; fa = fa_next(from, fa)) {
			if (fa_tb_id(from, fa) !== RT_TABLE_LOCAL) continue;
			const copy = t.alloc_alias(
				from.a[fa * A + A_INFO],
				fa_slen(from, fa),
				fa_type(from, fa),
				fa_dscp(from, fa),
				RT_TABLE_LOCAL,
			);
			fib_insert_alias(t, t.lc.find(leaf_key), leaf_key, copy, 0);
		}
		if (leaf_key === 0xffffffff) break;
		key = leaf_key + 1;
	}
	return local;
}

/** Calls back for each route of `tb` from `key` on, in order. Stops when `fn` says so. */
export function fib_table_walk(
	tb: fib_table,
	from: number,
	fn: (arg: unknown, t: fib_trie, key: number, fa: number, index: number) => boolean,
	arg: unknown,
): void {
	const t = tb.tb_data;
	let key = from;
	for (;;) {
		const slot = t.lc.next(key);
		if (slot === 0) return;
		const leaf_key = t.lc.t[slot + LC_KEY] >>> 0;
		let index = 0;
		for (let fa = -t.lc.t[slot]; fa !== 0; fa = fa_next(t, fa)) {
			if (fa_tb_id(t, fa) === tb.tb_id) {
				if (!fn(arg, t, leaf_key, fa, index)) return;
			}
			index++;
		}
		if (leaf_key === 0xffffffff) return;
		key = leaf_key + 1;
	}
}

export { RT_TABLE_LOCAL, RT_TABLE_MAIN };
