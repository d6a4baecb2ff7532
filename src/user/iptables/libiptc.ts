/*
 * user/iptables/libiptc.ts: a table in the tool's hands: read, changed, written back as a whole.      Original: libiptc
 *
 * Walk: iptc_init (GET_INFO, GET_ENTRIES) -> chains of rules -> the operations -> iptc_commit (SET_REPLACE, then SET_ADD_COUNTERS, so
 *       that rules that stayed keep what they counted meanwhile). Failure is an errno; iptc_strerror says it in the tool's words.
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	E2BIG,
	EAGAIN,
	EEXIST,
	EINVAL,
	ELOOP,
	EMLINK,
	ENOENT,
	ENOMEM,
	ENOPROTOOPT,
	ENOSYS,
	ENOTEMPTY,
	EPERM,
	strerror,
} from '../../uapi/asm-generic/errno.ts';
import { IP_SET_OP_GET_BYINDEX, IPSET_PROTOCOL, SO_IP_SET } from '../../uapi/linux/netfilter/ipset/ip_set.ts';
import {
	XT_ERROR_TARGET,
	XT_EXTENSION_MAXNAMELEN,
	XT_FUNCTION_MAXNAMELEN,
	XT_RETURN,
	XT_TABLE_MAXNAMELEN,
	xt_counters,
	xt_counters_info,
	xt_entry_target,
	xt_error_target,
	xt_standard_target,
} from '../../uapi/linux/netfilter/x_tables.ts';
import { NF_ACCEPT, NF_DROP, NF_INET_NUMHOOKS, NF_QUEUE } from '../../uapi/linux/netfilter.ts';
import {
	IPT_SO_GET_ENTRIES,
	IPT_SO_GET_INFO,
	IPT_SO_SET_ADD_COUNTERS,
	IPT_SO_SET_REPLACE,
	ipt_entry,
	ipt_get_entries,
	ipt_getinfo,
	ipt_replace,
} from '../../uapi/linux/netfilter_ipv4/ip_tables.ts';
import { type counter_map, cstring, get_rule, ipt_rule, put_cstring, put_rule, rule_size } from './rule.ts';

/** The two system calls that the tool makes on its raw socket; both answer >= 0 or -errno. getsockopt answers in `buf`. */
export interface iptc_socket {
	getsockopt(optname: number, buf: Uint8Array): number;
	setsockopt(optname: number, buf: Uint8Array): number;
}

export const LABEL_ACCEPT = 'ACCEPT';
export const LABEL_DROP = 'DROP';
export const LABEL_QUEUE = 'QUEUE';
export const LABEL_RETURN = 'RETURN';

const HOOK_NAMES = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];

export class ipt_chain {
	name: string;
	/** NF_INET_* of a built-in chain, -1 of a user's. */
	hook: number;
	rules: ipt_rule[] = [];
	/** Verdict of a built-in chain's policy: NF_ACCEPT or NF_DROP. */
	policy = NF_ACCEPT;
	pcnt = 0;
	bcnt = 0;
	counters: counter_map = { map: 'nomap' };

	constructor(name: string, hook: number) {
		this.name = name;
		this.hook = hook;
	}
}

export class iptc_handle {
	table: string;
	sock: iptc_socket;
	valid_hooks = 0;
	/** Entries that the kernel has now: their counters come back with SET_REPLACE. */
	num_entries = 0;
	chains: ipt_chain[] = [];
	changed = false;

	constructor(table: string, sock: iptc_socket) {
		this.table = table;
		this.sock = sock;
	}
}

/** Verdict name of a standard target; '' when it has none. */
export function verdict_name(verdict: number): string {
	if (verdict === XT_RETURN) return LABEL_RETURN;
	if (verdict === -NF_ACCEPT - 1) return LABEL_ACCEPT;
	if (verdict === -NF_DROP - 1) return LABEL_DROP;
	if (verdict === -NF_QUEUE - 1) return LABEL_QUEUE;
	return '';
}

/** The standard target's verdict; null when `name` is none. */
export function verdict_of(name: string): number | null {
	if (name === LABEL_ACCEPT) return -NF_ACCEPT - 1;
	if (name === LABEL_DROP) return -NF_DROP - 1;
	if (name === LABEL_QUEUE) return -NF_QUEUE - 1;
	if (name === LABEL_RETURN) return XT_RETURN;
	return null;
}

/** What -j printed shows: a verdict, a chain, a module; '' for none. */
export function iptc_get_target(r: ipt_rule): string {
	const t = r.target;
	if (t.kind === 'none') return '';
	if (t.kind === 'chain') return t.chain;
	if (t.kind === 'module') return t.name;
	return verdict_name(t.verdict);
}

/** Reads a table. Return: the handle, or -errno. */
export function iptc_init(sock: iptc_socket, table: string): iptc_handle | number {
	if (table.length >= XT_TABLE_MAXNAMELEN) return -EINVAL;
	for (let tries = 0; ; tries++) {
		const info = new Uint8Array(ipt_getinfo.sizeof);
		put_cstring(info, 0, XT_TABLE_MAXNAMELEN, table);
		const err = sock.getsockopt(IPT_SO_GET_INFO, info);
		if (err < 0) return err;
		const size = get_unaligned_le32(info, ipt_getinfo.size);
		const get = new Uint8Array(ipt_get_entries.sizeof + size);
		put_cstring(get, 0, XT_TABLE_MAXNAMELEN, table);
		put_unaligned_le32(get, ipt_get_entries.size, size);
		const got = sock.getsockopt(IPT_SO_GET_ENTRIES, get);
		if (got === -EAGAIN && tries < 10) continue;
		if (got < 0) return got;
		const h = new iptc_handle(table, sock);
		parse_table(h, info, get.subarray(ipt_get_entries.entrytable));
		name_sets(h, sock);
		return h;
	}
}

/** Asks for the names of the sets that rules know by index. */
function name_sets(h: iptc_handle, sock: iptc_socket): void {
	const names = new Map<number, string>();
	const ask = (index: number): void => {
		if (index === 65535 || names.has(index)) return;
		const req = new Uint8Array(40);
		put_unaligned_le32(req, 0, IP_SET_OP_GET_BYINDEX);
		put_unaligned_le32(req, 4, IPSET_PROTOCOL);
		req[8] = index;
		req[9] = index >>> 8;
		names.set(index, sock.getsockopt(SO_IP_SET, req) < 0 ? '' : cstring(req, 8, 32));
	};
	for (const c of h.chains)
		for (const r of c.rules) {
			for (const m of r.matches) if (m.name === 'set') ask(m.data[0] | (m.data[1] << 8));
			const t = r.target;
			if (t.kind === 'module' && t.name === 'SET') for (const at of [0, 4, 8]) ask(t.data[at] | (t.data[at + 1] << 8));
			r.set_names = names;
		}
}

function parse_table(h: iptc_handle, info: Uint8Array, b: Uint8Array): void {
	h.valid_hooks = get_unaligned_le32(info, ipt_getinfo.valid_hooks);
	h.num_entries = get_unaligned_le32(info, ipt_getinfo.num_entries);
	const heads = new Map<number, ipt_chain>();
	const underflows = new Set<number>();
	for (let hook = 0; hook < NF_INET_NUMHOOKS; hook++) {
		if ((h.valid_hooks & (1 << hook)) === 0) continue;
		heads.set(get_unaligned_le32(info, ipt_getinfo.hook_entry + 4 * hook), new ipt_chain(HOOK_NAMES[hook], hook));
		underflows.add(get_unaligned_le32(info, ipt_getinfo.underflow + 4 * hook));
	}
	/** Chains by the offset of their first rule: what a jump holds. */
	const starts = new Map<number, ipt_chain>();
	const rules: { rule: ipt_rule; next: number }[] = [];
	let chain: ipt_chain | null = null;
	let index = 0;
	for (let e = 0; e + ipt_entry.sizeof <= b.length; index++) {
		const size = b[e + ipt_entry.next_offset] | (b[e + ipt_entry.next_offset + 1] << 8);
		const toff = b[e + ipt_entry.target_offset] | (b[e + ipt_entry.target_offset + 1] << 8);
		if (size === 0) break;
		const head = heads.get(e);
		if (head !== undefined) {
			chain = head;
			h.chains.push(head);
			starts.set(e, head);
		}
		if (cstring(b, e + toff + xt_entry_target.name, XT_EXTENSION_MAXNAMELEN) === XT_ERROR_TARGET) {
			const name = cstring(b, e + toff + xt_error_target.errorname, XT_FUNCTION_MAXNAMELEN);
			if (e + size < b.length) {
				chain = new ipt_chain(name, -1);
				h.chains.push(chain);
				starts.set(e + size, chain);
			}
		} else if (chain !== null) {
			const rule = get_rule(b, e);
			rule.counters = { map: 'normal', index };
			if (underflows.has(e)) {
				chain.policy = rule.target.kind === 'standard' ? -rule.target.verdict - 1 : NF_DROP;
				chain.pcnt = rule.pcnt;
				chain.bcnt = rule.bcnt;
				// Policies' counts do not outlive a change of the table: the original's way.
				chain.counters = { map: 'nomap' };
			} else if (!is_chain_end(b, e + size)) {
				chain.rules.push(rule);
				rules.push({ rule, next: e + size });
			}
		}
		e += size;
	}
	for (const { rule, next } of rules) {
		if (rule.target.kind !== 'standard' || rule.target.verdict < 0) continue;
		const to = starts.get(rule.target.verdict);
		if (rule.target.verdict === next) rule.target = { kind: 'none' };
		else if (to !== undefined) rule.target = { kind: 'chain', chain: to.name };
	}
	sort_chains(h);
}

/** Whether the entry at `next` begins another chain: then the rule before it is a user chain's closing RETURN. */
function is_chain_end(b: Uint8Array, next: number): boolean {
	if (next + ipt_entry.sizeof > b.length) return true;
	const toff = b[next + ipt_entry.target_offset] | (b[next + ipt_entry.target_offset + 1] << 8);
	return cstring(b, next + toff + xt_entry_target.name, XT_EXTENSION_MAXNAMELEN) === XT_ERROR_TARGET;
}

function by_name(a: ipt_chain, b: ipt_chain): number {
	return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Built-in chains by hook, then the user's by name. */
function sort_chains(h: iptc_handle): void {
	const builtin = h.chains.filter((c) => c.hook >= 0).sort((a, b) => a.hook - b.hook);
	const user = h.chains.filter((c) => c.hook < 0).sort(by_name);
	h.chains = [...builtin, ...user];
}

export function iptc_find_chain(h: iptc_handle, name: string): ipt_chain | null {
	for (const c of h.chains) if (c.name === name) return c;
	return null;
}

export function iptc_is_chain(h: iptc_handle, name: string): boolean {
	return iptc_find_chain(h, name) !== null;
}

/** How many rules jump to the chain. */
export function iptc_get_references(h: iptc_handle, chain: ipt_chain): number {
	let n = 0;
	for (const c of h.chains)
		for (const r of c.rules) if (r.target.kind === 'chain' && r.target.chain === chain.name) n++;
	return n;
}

// ---- operations: each returns 0 or -errno -------------------------------------------------------------------------------------------

/** A rule's -j is resolved: a verdict, a chain, or a module. */
function map_target(h: iptc_handle, r: ipt_rule): number {
	const t = r.target;
	if (t.kind !== 'chain') return 0;
	const verdict = verdict_of(t.chain);
	if (verdict !== null) {
		r.target = { kind: 'standard', verdict };
		return 0;
	}
	const c = iptc_find_chain(h, t.chain);
	if (c === null) return -ENOENT;
	// The kernel would refuse it: a jump to a built-in chain.
	return c.hook >= 0 ? -EINVAL : 0;
}

export function iptc_append_entry(h: iptc_handle, chain: string, r: ipt_rule): number {
	const c = iptc_find_chain(h, chain);
	if (c === null) return -ENOENT;
	const err = map_target(h, r);
	if (err < 0) return err;
	r.counters = { map: 'set' };
	c.rules.push(r);
	h.changed = true;
	return 0;
}

/** `rulenum` from 0. */
export function iptc_insert_entry(h: iptc_handle, chain: string, r: ipt_rule, rulenum: number): number {
	const c = iptc_find_chain(h, chain);
	if (c === null) return -ENOENT;
	if (rulenum > c.rules.length) return -E2BIG;
	const err = map_target(h, r);
	if (err < 0) return err;
	r.counters = { map: 'set' };
	c.rules.splice(rulenum, 0, r);
	h.changed = true;
	return 0;
}

export function iptc_replace_entry(h: iptc_handle, chain: string, r: ipt_rule, rulenum: number): number {
	const c = iptc_find_chain(h, chain);
	if (c === null) return -ENOENT;
	if (rulenum >= c.rules.length) return -E2BIG;
	const err = map_target(h, r);
	if (err < 0) return err;
	r.counters = { map: 'set' };
	c.rules[rulenum] = r;
	h.changed = true;
	return 0;
}

/** `same(a, b)`: whether two infos of a match or target mean the same (its kernel-only bytes apart). */
export type ext_equal = (
	kind: 'match' | 'target',
	name: string,
	revision: number,
	a: Uint8Array,
	b: Uint8Array,
) => boolean;

export function same_rule(a: ipt_rule, b: ipt_rule, same: ext_equal): boolean {
	if (a.src !== b.src || a.dst !== b.dst || a.smsk !== b.smsk || a.dmsk !== b.dmsk) return false;
	if (a.iniface !== b.iniface || a.outiface !== b.outiface || a.proto !== b.proto) return false;
	if (a.flags !== b.flags || a.invflags !== b.invflags || a.matches.length !== b.matches.length) return false;
	for (let i = 0; i < a.matches.length; i++) {
		const x = a.matches[i];
		const y = b.matches[i];
		if (x.name !== y.name || x.revision !== y.revision) return false;
		if (!same('match', x.name, x.revision, x.data, y.data)) return false;
	}
	const s = a.target;
	const t = b.target;
	if (s.kind === 'module' && t.kind === 'module') {
		return s.name === t.name && s.revision === t.revision && same('target', s.name, s.revision, s.data, t.data);
	}
	return s.kind === t.kind && iptc_get_target(a) === iptc_get_target(b);
}

/** Deletes the first rule like `r`, or with `dry` only looks for it. */
export function iptc_delete_entry(h: iptc_handle, chain: string, r: ipt_rule, same: ext_equal, dry: boolean): number {
	const c = iptc_find_chain(h, chain);
	if (c === null) return -ENOENT;
	const err = map_target(h, r);
	if (err < 0) return err;
	for (let i = 0; i < c.rules.length; i++) {
		if (!same_rule(c.rules[i], r, same)) continue;
		if (!dry) {
			c.rules.splice(i, 1);
			h.changed = true;
		}
		return 0;
	}
	return -ENOENT;
}

export function iptc_delete_num_entry(h: iptc_handle, chain: string, rulenum: number): number {
	const c = iptc_find_chain(h, chain);
	if (c === null) return -ENOENT;
	if (rulenum >= c.rules.length) return -E2BIG;
	c.rules.splice(rulenum, 1);
	h.changed = true;
	return 0;
}

export function iptc_flush_entries(h: iptc_handle, chain: string): number {
	const c = iptc_find_chain(h, chain);
	if (c === null) return -ENOENT;
	c.rules = [];
	h.changed = true;
	return 0;
}

function zero(r: { counters: counter_map; pcnt: number; bcnt: number }): void {
	if (r.counters.map === 'normal') r.counters = { map: 'zeroed', index: r.counters.index, pcnt: r.pcnt, bcnt: r.bcnt };
	else if (r.counters.map === 'set') {
		r.pcnt = 0;
		r.bcnt = 0;
	}
}

export function iptc_zero_entries(h: iptc_handle, chain: string): number {
	const c = iptc_find_chain(h, chain);
	if (c === null) return -ENOENT;
	zero(c);
	for (const r of c.rules) zero(r);
	h.changed = true;
	return 0;
}

/** `rulenum` from 1. */
export function iptc_zero_counter(h: iptc_handle, chain: string, rulenum: number): number {
	const c = iptc_find_chain(h, chain);
	if (c === null) return -ENOENT;
	if (rulenum > c.rules.length) return -E2BIG;
	zero(c.rules[rulenum - 1]);
	h.changed = true;
	return 0;
}

export function iptc_create_chain(h: iptc_handle, name: string): number {
	if (iptc_is_chain(h, name) || verdict_of(name) !== null) return -EEXIST;
	if (name.length >= XT_EXTENSION_MAXNAMELEN) return -EINVAL;
	h.chains.push(new ipt_chain(name, -1));
	sort_chains(h);
	h.changed = true;
	return 0;
}

export function iptc_delete_chain(h: iptc_handle, name: string): number {
	const c = iptc_find_chain(h, name);
	if (c === null) return -ENOENT;
	if (c.hook >= 0) return -EINVAL;
	if (iptc_get_references(h, c) > 0) return -EMLINK;
	if (c.rules.length > 0) return -ENOTEMPTY;
	h.chains.splice(h.chains.indexOf(c), 1);
	h.changed = true;
	return 0;
}

export function iptc_rename_chain(h: iptc_handle, from: string, to: string): number {
	if (iptc_is_chain(h, to) || verdict_of(to) !== null) return -EEXIST;
	const c = iptc_find_chain(h, from);
	if (c === null || c.hook >= 0) return -ENOENT;
	if (to.length >= XT_EXTENSION_MAXNAMELEN) return -EINVAL;
	for (const d of h.chains) {
		for (const r of d.rules)
			if (r.target.kind === 'chain' && r.target.chain === from) r.target = { kind: 'chain', chain: to };
	}
	c.name = to;
	sort_chains(h);
	h.changed = true;
	return 0;
}

export function iptc_set_policy(
	h: iptc_handle,
	chain: string,
	policy: string,
	counters: { pcnt: number; bcnt: number } | null,
): number {
	const c = iptc_find_chain(h, chain);
	if (c === null || c.hook < 0) return -ENOENT;
	if (policy === LABEL_ACCEPT) c.policy = NF_ACCEPT;
	else if (policy === LABEL_DROP) c.policy = NF_DROP;
	else return -EINVAL;
	c.counters = { map: 'nomap' };
	if (counters !== null) {
		c.pcnt = counters.pcnt;
		c.bcnt = counters.bcnt;
		c.counters = { map: 'set' };
	}
	h.changed = true;
	return 0;
}

// ---- commit ----------------------------------------------------------------------------------------------------------------------

interface blob {
	bytes: Uint8Array;
	num_entries: number;
	hook_entry: number[];
	underflow: number[];
	/** Counter source of each entry, in order. */
	maps: { counters: counter_map; pcnt: number; bcnt: number }[];
}

const NO_COUNTER: { counters: counter_map; pcnt: number; bcnt: number } = {
	counters: { map: 'nomap' },
	pcnt: 0,
	bcnt: 0,
};
const POLICY_SIZE = ipt_entry.sizeof + xt_standard_target.sizeof;
const ERROR_SIZE = ipt_entry.sizeof + xt_error_target.sizeof;

function put_error(b: Uint8Array, e: number, name: string): void {
	b[e + ipt_entry.target_offset] = ipt_entry.sizeof;
	b[e + ipt_entry.next_offset] = ERROR_SIZE;
	b[e + ipt_entry.sizeof + xt_entry_target.target_size] = xt_error_target.sizeof;
	put_cstring(b, e + ipt_entry.sizeof + xt_entry_target.name, XT_EXTENSION_MAXNAMELEN, XT_ERROR_TARGET);
	put_cstring(b, e + ipt_entry.sizeof + xt_error_target.errorname, XT_FUNCTION_MAXNAMELEN, name);
}

/** Lays the table out as the kernel takes it: each chain's rules, then its policy or RETURN; user chains begin with their name. */
export function compile_table(h: iptc_handle): blob {
	const starts = new Map<string, number>();
	let size = 0;
	for (const c of h.chains) {
		if (c.hook < 0) size += ERROR_SIZE;
		starts.set(c.name, size);
		for (const r of c.rules) size += rule_size(r);
		size += POLICY_SIZE;
	}
	const b = new Uint8Array(size + ERROR_SIZE);
	const out: blob = {
		bytes: b,
		num_entries: 0,
		hook_entry: new Array(NF_INET_NUMHOOKS).fill(0),
		underflow: new Array(NF_INET_NUMHOOKS).fill(0),
		maps: [],
	};
	const end_rule = new ipt_rule();
	let e = 0;
	for (const c of h.chains) {
		if (c.hook < 0) {
			put_error(b, e, c.name);
			e += ERROR_SIZE;
			out.maps.push(NO_COUNTER);
		} else out.hook_entry[c.hook] = e;
		for (const r of c.rules) {
			const t = r.target;
			let verdict = 0;
			if (t.kind === 'standard') verdict = t.verdict;
			else if (t.kind === 'chain') verdict = starts.get(t.chain) ?? 0;
			else if (t.kind === 'none') verdict = e + rule_size(r);
			e += put_rule(b, e, r, verdict);
			out.maps.push(r);
		}
		if (c.hook >= 0) out.underflow[c.hook] = e;
		e += put_rule(b, e, end_rule, c.hook >= 0 ? -c.policy - 1 : XT_RETURN);
		out.maps.push(c.hook >= 0 ? c : NO_COUNTER);
	}
	put_error(b, e, XT_ERROR_TARGET);
	out.maps.push(NO_COUNTER);
	out.num_entries = out.maps.length;
	return out;
}

function get_counter(b: Uint8Array, o: number): number {
	return get_unaligned_le32(b, o) + get_unaligned_le32(b, o + 4) * 0x100000000;
}

function put_counter(b: Uint8Array, o: number, v: number): void {
	put_unaligned_le32(b, o, v % 0x100000000);
	put_unaligned_le32(b, o + 4, Math.floor(v / 0x100000000));
}

/** Writes the table back when it was changed. Return: 0 or -errno. */
export function iptc_commit(h: iptc_handle): number {
	if (!h.changed) return 0;
	const out = compile_table(h);
	const counters_at = ipt_replace.sizeof + out.bytes.length;
	const repl = new Uint8Array(counters_at + h.num_entries * xt_counters.sizeof);
	put_cstring(repl, 0, XT_TABLE_MAXNAMELEN, h.table);
	put_unaligned_le32(repl, ipt_replace.valid_hooks, h.valid_hooks);
	put_unaligned_le32(repl, ipt_replace.num_entries, out.num_entries);
	put_unaligned_le32(repl, ipt_replace.size, out.bytes.length);
	for (let i = 0; i < NF_INET_NUMHOOKS; i++) {
		put_unaligned_le32(repl, ipt_replace.hook_entry + 4 * i, out.hook_entry[i]);
		put_unaligned_le32(repl, ipt_replace.underflow + 4 * i, out.underflow[i]);
	}
	put_unaligned_le32(repl, ipt_replace.num_counters, h.num_entries);
	put_unaligned_le32(repl, ipt_replace.counters, counters_at);
	repl.set(out.bytes, ipt_replace.entries);
	const err = h.sock.setsockopt(IPT_SO_SET_REPLACE, repl);
	if (err < 0) return err;

	const add = new Uint8Array(xt_counters_info.sizeof + out.num_entries * xt_counters.sizeof);
	put_cstring(add, 0, XT_TABLE_MAXNAMELEN, h.table);
	put_unaligned_le32(add, xt_counters_info.num_counters, out.num_entries);
	for (let i = 0; i < out.num_entries; i++) {
		const m = out.maps[i];
		let pcnt = 0;
		let bcnt = 0;
		const c = m.counters;
		if (c.map === 'set') {
			pcnt = m.pcnt;
			bcnt = m.bcnt;
		} else if (c.map !== 'nomap') {
			const old = counters_at + c.index * xt_counters.sizeof;
			pcnt = get_counter(repl, old + xt_counters.pcnt);
			bcnt = get_counter(repl, old + xt_counters.bcnt);
			if (c.map === 'zeroed') {
				pcnt -= c.pcnt;
				bcnt -= c.bcnt;
			}
		}
		put_counter(add, xt_counters_info.counters + i * xt_counters.sizeof, pcnt);
		put_counter(add, xt_counters_info.counters + i * xt_counters.sizeof + xt_counters.bcnt, bcnt);
	}
	return h.sock.setsockopt(IPT_SO_SET_ADD_COUNTERS, add);
}

/** What the last call was, for the error's words. */
export type iptc_call =
	| 'init'
	| 'delete_chain'
	| 'create_chain'
	| 'insert_entry'
	| 'append_entry'
	| 'replace_entry'
	| 'delete_entry'
	| 'delete_num_entry'
	| 'check_entry'
	| 'zero_counter'
	| 'set_policy'
	| 'commit'
	| '';

const MESSAGES: readonly (readonly [iptc_call, number, string])[] = [
	['init', EPERM, 'Permission denied (you must be root)'],
	['init', EINVAL, 'Module is wrong version'],
	['init', ENOENT, 'Table does not exist (do you need to insmod?)'],
	['delete_chain', ENOTEMPTY, 'Chain is not empty'],
	['delete_chain', EINVAL, "Can't delete built-in chain"],
	['delete_chain', EMLINK, "Can't delete chain with references left"],
	['create_chain', EEXIST, 'Chain already exists'],
	['insert_entry', E2BIG, 'Index of insertion too big'],
	['replace_entry', E2BIG, 'Index of replacement too big'],
	['delete_num_entry', E2BIG, 'Index of deletion too big'],
	['zero_counter', E2BIG, 'Index of counter too big'],
	['insert_entry', ELOOP, 'Loop found in table'],
	['insert_entry', EINVAL, 'Target problem'],
	['delete_entry', ENOENT, 'Bad rule (does a matching rule exist in that chain?)'],
	['check_entry', ENOENT, 'Bad rule (does a matching rule exist in that chain?)'],
	['set_policy', ENOENT, 'Bad built-in chain name'],
	['set_policy', EINVAL, 'Bad policy name'],
	['', 0, 'Incompatible with this kernel'],
	['', ENOPROTOOPT, 'iptables who? (do you need to insmod?)'],
	['', ENOSYS, 'Will be implemented real soon.  I promise ;)'],
	['', ENOMEM, 'Memory allocation problem'],
	['', ENOENT, 'No chain/target/match by that name'],
];

/** `errno` > 0. */
export function iptc_strerror(call: iptc_call, errno: number): string {
	for (const [c, e, text] of MESSAGES) if ((c === '' || c === call) && e === errno) return text;
	return strerror(errno);
}
