/*
 * net/ipv4/netfilter/ip_tables_entry.ts: a ruleset, checked and compiled.           Linux: net/ipv4/netfilter/ip_tables.c (translate_table)
 *
 * Walk: translate_table -> check_entry_size_and_hooks (every offset of the blob) -> mark_source_chains (which hooks reach a rule, loops)
 *       -> find_check_entry (matches and targets by name and revision) -> the flat arrays that ipt_do_table runs over.
 *
 * The blob comes from userland and may be anything: it is refused with an errno, never read out of bounds. It is kept as it was, because
 * IPT_SO_GET_ENTRIES hands it back with the counters of the moment.
 */
import {
	get_unaligned_be32,
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import { EINVAL, ELOOP, ENAMETOOLONG, ENOENT } from '../../../uapi/asm-generic/errno.ts';
import { IFNAMSIZ } from '../../../uapi/linux/if.ts';
import {
	XT_ALIGN,
	XT_ERROR_TARGET,
	XT_EXTENSION_MAXNAMELEN,
	XT_FUNCTION_MAXNAMELEN,
	XT_RETURN,
	xt_entry_match,
	xt_entry_target,
	xt_error_target,
	xt_standard_target,
} from '../../../uapi/linux/netfilter/x_tables.ts';
import { NF_ACCEPT, NF_DROP, NF_INET_NUMHOOKS, NFPROTO_IPV4 } from '../../../uapi/linux/netfilter.ts';
import {
	IPT_F_FRAG,
	IPT_F_GOTO,
	IPT_F_MASK,
	IPT_INV_DSTIP,
	IPT_INV_MASK,
	IPT_INV_PROTO,
	IPT_INV_SRCIP,
	IPT_INV_VIA_IN,
	IPT_INV_VIA_OUT,
	ipt_entry,
	ipt_ip,
} from '../../../uapi/linux/netfilter_ipv4/ip_tables.ts';
import type { net } from '../../core/net_namespace.ts';
import {
	xt_check_match,
	xt_check_target,
	type xt_ematch,
	xt_ematch as xt_ematch_class,
	xt_etarget,
	xt_find_match,
	xt_find_target,
} from '../../netfilter/x_tables.ts';

/** Words of one rule in `ipt_table_info.rules`. */
export const R_SRC = 0;
export const R_SMSK = 1;
export const R_DST = 2;
export const R_DMSK = 3;
/** Interface patterns: in in the low half, out in the high. */
export const R_IFACE = 4;
/** Protocol 0-15, IPT_F_* 16-23, IPT_INV_* (without interfaces) 24-31. */
export const R_PROTO = 5;
/** Standard target: rule to jump to, or -verdict-1; unused when the target is an extension. */
export const R_VERDICT = 6;
/** 1 when there are matches, 2 when the target is an extension. */
export const R_KIND = 7;
export const R_WORDS_SHIFT = 3;

export const RULE_HAS_MATCHES = 1;
export const RULE_HAS_TARGET = 2;

/** Which names an interface pattern takes, found once per name. */
interface iface_bits {
	name: string;
	bits: Uint8Array;
}

/** One table's rules, as the kernel runs them and as userland wrote them. */
export class ipt_table_info {
	/** Of the blob, in bytes. */
	size = 0;
	/** Rules in it, the chains' heads and the end included. */
	number = 0;
	initial_entries = 0;
	/** Offsets into the blob; -1 where the hook is not the table's. */
	hook_entry = new Int32Array(NF_INET_NUMHOOKS).fill(-1);
	underflow = new Int32Array(NF_INET_NUMHOOKS).fill(-1);
	/** The same as rule numbers. */
	hook_index = new Int32Array(NF_INET_NUMHOOKS).fill(-1);
	underflow_index = new Int32Array(NF_INET_NUMHOOKS).fill(-1);
	/** Chains that a packet can be in at once. */
	stacksize = 0;
	entries: Uint8Array;
	/** Offset of each rule in the blob. */
	offsets = new Int32Array(0);

	rules = new Int32Array(0);
	/** The rules' addresses and masks as userland gave them; in `rules`, an inverted one is 0/0 so that the first look passes it on. */
	addrs = new Int32Array(0);
	ematches: (xt_ematch[] | null)[] = [];
	targets: (xt_etarget | null)[] = [];
	pcnt = new Float64Array(0);
	bcnt = new Float64Array(0);

	/** For traces: the chain that a rule stands in, and its number there from 1; 0 for a chain's head and for a policy. */
	chain_names: string[] = [];
	chain_of = new Int32Array(0);
	rulenum = new Int32Array(0);

	/** Interface patterns; 0 takes any name. A name ending in + stands for all that begin so; ! before it inverts. */
	patterns: string[] = [''];
	iface_cache: iface_bits[] = [];

	constructor(entries: Uint8Array) {
		this.entries = entries;
		this.size = entries.length;
	}
}

/** For each pattern, whether `name` fits it. */
export function ipt_iface_bits(info: ipt_table_info, name: string): Uint8Array {
	const cache = info.iface_cache;
	for (let i = 0; i < cache.length; i++) if (cache[i].name === name) return cache[i].bits;
	const bits = new Uint8Array(info.patterns.length);
	for (let i = 0; i < bits.length; i++) bits[i] = iface_fits(info.patterns[i], name) ? 1 : 0;
	if (cache.length >= 256) cache.length = 0;
	cache.push({ name, bits });
	return bits;
}

function iface_fits(pattern: string, name: string): boolean {
	if (pattern === '') return true;
	if (pattern[0] === '!') return !iface_fits(pattern.slice(1), name);
	// What follows the last compared byte (a wildcard, or a mask that userland cut short) is marked by \u0001.
	if (pattern.endsWith('\u0001')) return name.startsWith(pattern.slice(0, -1));
	return name === pattern;
}

const utf8_from = (b: Uint8Array, o: number, max: number): string => {
	let s = '';
	for (let i = 0; i < max && b[o + i] !== 0; i++) s += String.fromCharCode(b[o + i]);
	return s;
};

/** The pattern that `iface` and its mask stand for: '' any, `eth0` that name, `eth\u0001` all that begin so. */
function iface_pattern(b: Uint8Array, name: number, mask: number): string {
	let n = 0;
	while (n < IFNAMSIZ && b[mask + n] !== 0) n++;
	if (n === 0) return '';
	const s = utf8_from(b, name, n);
	// The mask takes in the closing zero byte when the whole name has to fit.
	return s.length < n ? s : s + '\u0001';
}

function pattern_id(info: ipt_table_info, pattern: string, invert: boolean): number {
	if (pattern === '' && !invert) return 0;
	const p = invert ? '!' + pattern : pattern;
	const at = info.patterns.indexOf(p);
	if (at >= 0) return at;
	info.patterns.push(p);
	return info.patterns.length - 1;
}

/** An entry that takes every packet: nothing in its ipt_ip is set. */
function unconditional(b: Uint8Array, e: number): boolean {
	if (get_unaligned_le16(b, e + ipt_entry.target_offset) !== ipt_entry.sizeof) return false;
	for (let i = 0; i < ipt_ip.sizeof; i++) if (b[e + i] !== 0) return false;
	return true;
}

function target_is_standard(b: Uint8Array, t: number): boolean {
	return b[t + xt_entry_target.name] === 0;
}

function name_at(b: Uint8Array, o: number, max: number): string {
	return utf8_from(b, o, max);
}

/** Checks one entry's own offsets. Return: 0 or -errno. */
function xt_check_entry_offsets(b: Uint8Array, e: number, next: number, target_offset: number): number {
	if (target_offset < ipt_entry.sizeof || target_offset + xt_entry_target.sizeof > next) return -EINVAL;
	const t = e + target_offset;
	const tsize = get_unaligned_le16(b, t + xt_entry_target.target_size);
	if (tsize < xt_entry_target.sizeof || target_offset + tsize > next) return -EINVAL;
	if (target_is_standard(b, t)) {
		if (XT_ALIGN(target_offset + xt_standard_target.sizeof) !== next) return -EINVAL;
		const verdict = get_unaligned_le32(b, t + xt_standard_target.verdict) | 0;
		if (verdict === 0) return -EINVAL;
		if (verdict < 0 && !(verdict === XT_RETURN || (verdict >= -4 && verdict <= -1 && verdict !== -3))) return -EINVAL;
	} else if (name_at(b, t + xt_entry_target.name, XT_EXTENSION_MAXNAMELEN) === XT_ERROR_TARGET) {
		if (XT_ALIGN(target_offset + xt_error_target.sizeof) !== next && target_offset + xt_error_target.sizeof > next)
			return -EINVAL;
		let n = 0;
		while (n < XT_FUNCTION_MAXNAMELEN && b[t + xt_error_target.errorname + n] !== 0) n++;
		if (n === XT_FUNCTION_MAXNAMELEN) return -ENAMETOOLONG;
	}
	let off = ipt_entry.sizeof;
	while (off < target_offset) {
		if (target_offset - off < xt_entry_match.sizeof) return -EINVAL;
		const msize = get_unaligned_le16(b, e + off + xt_entry_match.match_size);
		if (msize < xt_entry_match.sizeof || msize > target_offset - off) return -EINVAL;
		if (((e + off) & 7) !== 0) return -EINVAL;
		off += msize;
	}
	return 0;
}

/** Return: 0 or -errno. */
function check_entry_size_and_hooks(b: Uint8Array, e: number): number {
	if ((e & 7) !== 0 || e + ipt_entry.sizeof >= b.length) return -EINVAL;
	const next = get_unaligned_le16(b, e + ipt_entry.next_offset);
	if (e + next > b.length) return -EINVAL;
	if (next < ipt_entry.sizeof + xt_entry_target.sizeof) return -EINVAL;
	if ((b[e + ipt_ip.flags] & ~IPT_F_MASK) !== 0 || (b[e + ipt_ip.invflags] & ~IPT_INV_MASK) !== 0) return -EINVAL;
	return xt_check_entry_offsets(b, e, next, get_unaligned_le16(b, e + ipt_entry.target_offset));
}

/** A policy takes every packet and says ACCEPT or DROP. */
function check_underflow(b: Uint8Array, e: number): boolean {
	if (!unconditional(b, e)) return false;
	const t = e + get_unaligned_le16(b, e + ipt_entry.target_offset);
	if (!target_is_standard(b, t)) return false;
	const v = -(get_unaligned_le32(b, t + xt_standard_target.verdict) | 0) - 1;
	return v === NF_DROP || v === NF_ACCEPT;
}

/** The rule that begins at `offset`; -1 when none does. */
function find_jump_target(info: ipt_table_info, offset: number): number {
	const o = info.offsets;
	let lo = 0;
	let hi = info.number - 1;
	while (lo <= hi) {
		const mid = (lo + hi) >> 1;
		if (o[mid] === offset) return mid;
		if (o[mid] < offset) lo = mid + 1;
		else hi = mid - 1;
	}
	return -1;
}

/**
 * Finds out from which hooks each rule can be reached, into `comefrom`. Return: whether all chains end and none loops.
 */
function mark_source_chains(info: ipt_table_info, valid_hooks: number, comefrom: Uint8Array): boolean {
	const b = info.entries;
	const n = info.number;
	const ON_PATH = 1;
	const DONE = 2;
	const state = new Uint8Array(n);
	const path: number[] = [];
	/** Where in `path` the calling chains end. */
	const frames: number[] = [];
	for (let hook = 0; hook < NF_INET_NUMHOOKS; hook++) {
		if ((valid_hooks & (1 << hook)) === 0) continue;
		state.fill(0);
		path.length = 0;
		frames.length = 0;
		let base = 0;
		let i = info.hook_index[hook];
		for (;;) {
			let end = false;
			if (i >= n) return false;
			if (state[i] === ON_PATH) return false;
			if (state[i] === DONE) end = true;
			else {
				state[i] = ON_PATH;
				comefrom[i] |= 1 << hook;
				path.push(i);
				const e = info.offsets[i];
				const t = e + get_unaligned_le16(b, e + ipt_entry.target_offset);
				if (target_is_standard(b, t)) {
					const verdict = get_unaligned_le32(b, t + xt_standard_target.verdict) | 0;
					if (verdict < 0) end = unconditional(b, e);
					else {
						const to = find_jump_target(info, verdict);
						if (to < 0) return false;
						if (to !== i + 1) {
							frames.push(base);
							base = path.length;
							i = to;
							continue;
						}
					}
				}
			}
			if (!end) {
				i++;
				continue;
			}
			// The chain's end: back to the rule after the jump.
			while (path.length > base) state[path.pop()!] = DONE;
			if (frames.length === 0) break;
			i = path[base - 1] + 1;
			base = frames.pop()!;
		}
	}
	return true;
}

/** Undoes the checkentry of the rules before `count`. */
export function ipt_cleanup_entries(net: net, info: ipt_table_info, count: number): void {
	for (let i = 0; i < count; i++) {
		const ms = info.ematches[i];
		if (ms !== null && ms !== undefined) for (const m of ms) if (m.match.destroy !== null) m.match.destroy(net, m.info);
		const t = info.targets[i];
		if (t !== null && t !== undefined && t.target.destroy !== null) t.target.destroy(net, t.info);
	}
}

/** Bytes behind what userland may see read as zero. */
function hide(b: Uint8Array, data: number, size: number, usersize: number): void {
	if (usersize !== 0 && usersize < size) b.fill(0, data + usersize, data + size);
}

/** Looks up and checks one rule's matches and target, and compiles it. Return: 0 or -errno. */
function find_check_entry(net: net, info: ipt_table_info, i: number, table: string, hook_mask: number): number {
	const b = info.entries;
	const machine = net.machine;
	const e = info.offsets[i];
	const target_offset = get_unaligned_le16(b, e + ipt_entry.target_offset);
	const proto = get_unaligned_le16(b, e + ipt_ip.proto);
	const invflags = b[e + ipt_ip.invflags];
	const flags = b[e + ipt_ip.flags];
	const invproto = (invflags & IPT_INV_PROTO) !== 0;
	let kind = 0;

	let ms: xt_ematch[] | null = null;
	info.ematches[i] = null;
	info.targets[i] = null;
	for (let off = ipt_entry.sizeof; off < target_offset; ) {
		const m = e + off;
		const msize = get_unaligned_le16(b, m + xt_entry_match.match_size);
		const name = name_at(b, m + xt_entry_match.name, XT_EXTENSION_MAXNAMELEN);
		const match = xt_find_match(machine, NFPROTO_IPV4, name, b[m + xt_entry_match.revision]);
		if (match === null) return -ENOENT;
		const data = m + xt_entry_match.sizeof;
		const size = msize - xt_entry_match.sizeof;
		// Some extensions have fields that are the kernel's: what userland left there means nothing.
		let parsed: unknown = null;
		if (match.matchsize === -1 || XT_ALIGN(match.matchsize) === size) {
			parsed = match.parse(b.subarray(data, data + size));
			if (typeof parsed === 'number') return parsed;
		}
		const err = xt_check_match(
			{ net, table, match, matchinfo: parsed, hook_mask, family: NFPROTO_IPV4, proto, invproto },
			size,
		);
		if (err < 0) return err;
		hide(b, data, size, match.usersize);
		if (ms === null) {
			ms = [];
			info.ematches[i] = ms;
			kind |= RULE_HAS_MATCHES;
		}
		// What nobody can answer is asked last: the others may say no.
		const ematch = new xt_ematch_class(match, parsed);
		if (match.name !== 'linnet_unknown') {
			let k = ms.length;
			while (k > 0 && ms[k - 1].match.name === 'linnet_unknown') k--;
			ms.splice(k, 0, ematch);
		} else ms.push(ematch);
		off += msize;
	}

	const t = e + target_offset;
	const tsize = get_unaligned_le16(b, t + xt_entry_target.target_size) - xt_entry_target.sizeof;
	const o = i << R_WORDS_SHIFT;
	const r = info.rules;
	if (target_is_standard(b, t)) {
		const verdict = get_unaligned_le32(b, t + xt_standard_target.verdict) | 0;
		if (b[t + xt_entry_target.revision] !== 0) return -ENOENT;
		if (verdict >= 0) {
			const to = find_jump_target(info, verdict);
			if (to < 0) return -EINVAL;
			r[o + R_VERDICT] = to;
		} else r[o + R_VERDICT] = verdict;
	} else {
		const name = name_at(b, t + xt_entry_target.name, XT_EXTENSION_MAXNAMELEN);
		const target = xt_find_target(machine, NFPROTO_IPV4, name, b[t + xt_entry_target.revision]);
		if (target === null) return -ENOENT;
		const data = t + xt_entry_target.sizeof;
		let parsed: unknown = null;
		if (target.targetsize === -1 || XT_ALIGN(target.targetsize) === tsize) {
			parsed = target.parse(b.subarray(data, data + tsize));
			if (typeof parsed === 'number') return parsed;
		}
		const err = xt_check_target(
			{ net, table, target, targinfo: parsed, hook_mask, family: NFPROTO_IPV4, proto, invproto, ematches: ms ?? [] },
			tsize,
		);
		if (err < 0) return err;
		hide(b, data, tsize, target.usersize);
		info.targets[i] = new xt_etarget(target, parsed);
		kind |= RULE_HAS_TARGET;
	}

	const a = info.addrs;
	a[4 * i + R_SRC] = get_unaligned_be32(b, e + ipt_ip.src) | 0;
	a[4 * i + R_SMSK] = get_unaligned_be32(b, e + ipt_ip.smsk) | 0;
	a[4 * i + R_DST] = get_unaligned_be32(b, e + ipt_ip.dst) | 0;
	a[4 * i + R_DMSK] = get_unaligned_be32(b, e + ipt_ip.dmsk) | 0;
	if ((invflags & IPT_INV_SRCIP) === 0) {
		r[o + R_SRC] = a[4 * i + R_SRC];
		r[o + R_SMSK] = a[4 * i + R_SMSK];
	}
	if ((invflags & IPT_INV_DSTIP) === 0) {
		r[o + R_DST] = a[4 * i + R_DST];
		r[o + R_DMSK] = a[4 * i + R_DMSK];
	}
	const inpat = pattern_id(
		info,
		iface_pattern(b, e + ipt_ip.iniface, e + ipt_ip.iniface_mask),
		(invflags & IPT_INV_VIA_IN) !== 0,
	);
	const outpat = pattern_id(
		info,
		iface_pattern(b, e + ipt_ip.outiface, e + ipt_ip.outiface_mask),
		(invflags & IPT_INV_VIA_OUT) !== 0,
	);
	r[o + R_IFACE] = inpat | (outpat << 16);
	const inv = invflags & ~(IPT_INV_VIA_IN | IPT_INV_VIA_OUT);
	r[o + R_PROTO] = proto | ((flags & (IPT_F_FRAG | IPT_F_GOTO)) << 16) | (inv << 24);
	r[o + R_KIND] = kind;
	return 0;
}

/** Names the chain of each rule and its number there. */
function number_rules(info: ipt_table_info): void {
	const b = info.entries;
	const HOOKS = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];
	let chain = -1;
	let num = 0;
	for (let i = 0; i < info.number; i++) {
		for (let h = 0; h < NF_INET_NUMHOOKS; h++) {
			if (info.hook_index[h] === i) {
				chain = info.chain_names.push(HOOKS[h]) - 1;
				num = 0;
			}
		}
		const e = info.offsets[i];
		const t = e + get_unaligned_le16(b, e + ipt_entry.target_offset);
		info.chain_of[i] = chain;
		if (name_at(b, t + xt_entry_target.name, XT_EXTENSION_MAXNAMELEN) === XT_ERROR_TARGET) {
			chain = info.chain_names.push(name_at(b, t + xt_error_target.errorname, XT_FUNCTION_MAXNAMELEN)) - 1;
			info.chain_of[i] = chain;
			num = 0;
		} else {
			num++;
			if (!info.underflow_index.includes(i)) info.rulenum[i] = num;
		}
	}
}

/**
 * Checks and compiles a ruleset. `entries` becomes the info's own.
 * Return: the compiled rules, or -errno (EINVAL, ELOOP, ENOENT for an extension that is not there).
 */
export function translate_table(
	net: net,
	table: string,
	valid_hooks: number,
	entries: Uint8Array,
	num_entries: number,
	hook_entry: Int32Array,
	underflow: Int32Array,
): ipt_table_info | number {
	const info = new ipt_table_info(entries);
	const b = entries;
	const offsets: number[] = [];
	for (let e = 0; e < b.length; ) {
		const err = check_entry_size_and_hooks(b, e);
		if (err < 0) return err;
		for (let h = 0; h < NF_INET_NUMHOOKS; h++) {
			if ((valid_hooks & (1 << h)) === 0) continue;
			if (hook_entry[h] === e) {
				info.hook_entry[h] = e;
				info.hook_index[h] = offsets.length;
			}
			if (underflow[h] === e) {
				if (!check_underflow(b, e)) return -EINVAL;
				info.underflow[h] = e;
				info.underflow_index[h] = offsets.length;
			}
		}
		const t = e + get_unaligned_le16(b, e + ipt_entry.target_offset);
		if (name_at(b, t + xt_entry_target.name, XT_EXTENSION_MAXNAMELEN) === XT_ERROR_TARGET) info.stacksize++;
		b.fill(0, e + ipt_entry.counters, e + ipt_entry.counters + 16);
		offsets.push(e);
		e += get_unaligned_le16(b, e + ipt_entry.next_offset);
	}
	const n = offsets.length;
	if (n !== num_entries) return -EINVAL;
	for (let h = 0; h < NF_INET_NUMHOOKS; h++) {
		if ((valid_hooks & (1 << h)) !== 0 && (info.hook_entry[h] < 0 || info.underflow[h] < 0)) return -EINVAL;
	}
	info.number = n;
	info.offsets = Int32Array.from(offsets);
	const comefrom = new Uint8Array(n);
	if (!mark_source_chains(info, valid_hooks, comefrom)) return -ELOOP;
	info.rules = new Int32Array(n << R_WORDS_SHIFT);
	info.addrs = new Int32Array(n * 4);
	info.ematches = new Array(n).fill(null);
	info.targets = new Array(n).fill(null);
	info.pcnt = new Float64Array(n);
	info.bcnt = new Float64Array(n);
	info.chain_of = new Int32Array(n);
	info.rulenum = new Int32Array(n);
	for (let i = 0; i < n; i++) {
		const err = find_check_entry(net, info, i, table, comefrom[i]);
		if (err < 0) {
			ipt_cleanup_entries(net, info, i);
			return err;
		}
		put_unaligned_le32(b, offsets[i] + ipt_entry.comefrom, comefrom[i]);
	}
	number_rules(info);
	return info;
}
