/*
 * user/iptables/ext/set.ts: -m set and -j SET.                     Original: extensions/libxt_set.c, libxt_SET.c
 * A set's index is asked of the kernel by name when the rule is read, its name by index when it is shown.
 */
import {
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import * as U from '../../../uapi/linux/netfilter/ipset/ip_set.ts';
import {
	xt_set_info_match_v4 as mi,
	xt_set_info_target_v3 as ti,
	xt_set_info,
} from '../../../uapi/linux/netfilter/xt_set.ts';
import { type ipt_rule, put_cstring } from '../rule.ts';
import {
	PARAMETER_PROBLEM,
	XTOPT_INVERT,
	XTOPT_MAND,
	type xt_extension,
	type xt_option_call,
	type xtables_globals,
} from '../xtables.ts';

const O_MATCH = 0;
const O_NOMATCH = 1;
const O_UPDATE = 2;
const O_SUBUPDATE = 3;
const O_PACKETS = 4;
const O_BYTES = 7;
const OPS = ['eq', 'lt', 'gt'];
const OP_CODES = [U.IPSET_COUNTER_EQ, U.IPSET_COUNTER_LT, U.IPSET_COUNTER_GT];

const request_fname = 44;

function get_set_byname(x: xtables_globals, name: string): number {
	const req = new Uint8Array(request_fname);
	put_unaligned_le32(req, 0, U.IP_SET_OP_GET_FNAME);
	put_unaligned_le32(req, 4, U.IPSET_PROTOCOL);
	put_cstring(req, 12, U.IPSET_MAXNAMELEN, name);
	const err = x.sock.getsockopt(U.SO_IP_SET, req);
	if (err < 0) x.error(1, `Problem when communicating with ipset, errno=${-err}.\n`);
	const index = get_unaligned_le16(req, 12);
	if (index === U.IPSET_INVALID_ID) x.error(PARAMETER_PROBLEM, `Set ${name} doesn't exist.\n`);
	return index;
}

/** `src,dst,…` into dim and flags. */
function parse_dirs(cb: xt_option_call, at: number, s: string): void {
	const d = cb.data;
	let dim = 0;
	for (const w of s.split(',')) {
		if (dim >= 6) break;
		dim++;
		if (w === 'src') d[at + xt_set_info.flags] |= 1 << dim;
		else if (w !== 'dst') cb.bad("You must specify (the comma separated list of) `src' or `dst'.");
	}
	d[at + xt_set_info.dim] = dim;
}

function parse_set(cb: xt_option_call, at: number): void {
	const name = cb.arg;
	const dirs = cb.next_word();
	const option = `--${cb.entry.name}`;
	if (dirs === null || dirs.startsWith('-')) cb.bad(`${option} requires two args.`);
	if (name.length > U.IPSET_MAXNAMELEN - 1)
		cb.bad(`setname \`${name}' too long, max ${U.IPSET_MAXNAMELEN - 1} characters.`);
	put_unaligned_le16(cb.data, at + xt_set_info.index, get_set_byname(cb.x, name));
	parse_dirs(cb, at, dirs);
}

function dirs_text(d: Uint8Array, at: number): string {
	const out: string[] = [];
	for (let i = 1; i <= d[at + xt_set_info.dim]; i++)
		out.push((d[at + xt_set_info.flags] & (1 << i)) !== 0 ? 'src' : 'dst');
	return out.join(',');
}

function counter_text(d: Uint8Array, at: number, name: string, sep: string): string {
	const op = d[at + 8];
	const v = get_unaligned_le32(d, at) + get_unaligned_le32(d, at + 4) * 0x100000000;
	if (op === U.IPSET_COUNTER_EQ) return ` ${sep}${name}-eq ${v}`;
	if (op === U.IPSET_COUNTER_NE) return ` ! ${sep}${name}-eq ${v}`;
	if (op === U.IPSET_COUNTER_LT) return ` ${sep}${name}-lt ${v}`;
	if (op === U.IPSET_COUNTER_GT) return ` ${sep}${name}-gt ${v}`;
	return '';
}

function match_text(d: Uint8Array, sep: string, name: string): string {
	const flags = get_unaligned_le32(d, mi.flags);
	let s = (d[mi.match_set + xt_set_info.flags] & 1) !== 0 ? ' !' : '';
	s += ` ${sep}match-set ${name} ${dirs_text(d, mi.match_set)}`;
	if ((flags & U.IPSET_FLAG_RETURN_NOMATCH) !== 0) s += ` ${sep}return-nomatch`;
	if ((flags & U.IPSET_FLAG_SKIP_COUNTER_UPDATE) !== 0) s += ` ! ${sep}update-counters`;
	if ((flags & U.IPSET_FLAG_SKIP_SUBCOUNTER_UPDATE) !== 0) s += ` ! ${sep}update-subcounters`;
	return s + counter_text(d, mi.packets, 'packets', sep) + counter_text(d, mi.bytes, 'bytes', sep);
}

function name_of(rule: ipt_rule, d: Uint8Array, at: number): string {
	return rule.set_names?.get(get_unaligned_le16(d, at + xt_set_info.index)) ?? '';
}

export const set_mt_reg: xt_extension = {
	kind: 'match',
	name: 'set',
	revision: 4,
	size: mi.sizeof,
	options: [
		{ name: 'match-set', id: O_MATCH, type: 'raw', flags: XTOPT_INVERT | XTOPT_MAND },
		{ name: 'return-nomatch', id: O_NOMATCH, type: 'none' },
		{ name: 'update-counters', id: O_UPDATE, type: 'none', flags: XTOPT_INVERT },
		{ name: 'update-subcounters', id: O_SUBUPDATE, type: 'none', flags: XTOPT_INVERT },
		...OPS.map((op, i) => ({
			name: `packets-${op}`,
			id: O_PACKETS + i,
			type: 'uint64' as const,
			flags: op === 'eq' ? XTOPT_INVERT : 0,
		})),
		...OPS.map((op, i) => ({
			name: `bytes-${op}`,
			id: O_BYTES + i,
			type: 'uint64' as const,
			flags: op === 'eq' ? XTOPT_INVERT : 0,
		})),
	],
	parse(cb) {
		const d = cb.data;
		const { id } = cb.entry;
		if (id === O_MATCH) {
			if (cb.invert) d[mi.match_set + xt_set_info.flags] |= 1;
			parse_set(cb, mi.match_set);
			return;
		}
		let flags = get_unaligned_le32(d, mi.flags);
		if (id === O_NOMATCH) flags |= U.IPSET_FLAG_RETURN_NOMATCH;
		else if (id === O_UPDATE && cb.invert) flags |= U.IPSET_FLAG_SKIP_COUNTER_UPDATE;
		else if (id === O_SUBUPDATE && cb.invert) flags |= U.IPSET_FLAG_SKIP_SUBCOUNTER_UPDATE;
		put_unaligned_le32(d, mi.flags, flags);
		if (id < O_PACKETS) return;
		const at = id < O_BYTES ? mi.packets : mi.bytes;
		put_unaligned_le32(d, at, cb.num % 0x100000000);
		put_unaligned_le32(d, at + 4, Math.floor(cb.num / 0x100000000));
		d[at + 8] = cb.invert ? U.IPSET_COUNTER_NE : OP_CODES[(id - O_PACKETS) % 3];
	},
	print: (d, rule) => match_text(d, '', name_of(rule, d, mi.match_set)),
	save: (d, rule) => match_text(d, '--', name_of(rule, d, mi.match_set)),
};

function target_text(d: Uint8Array, rule: ipt_rule, sep: string): string {
	let s = '';
	const flags = get_unaligned_le32(d, ti.flags);
	for (const [at, name] of [
		[ti.add_set, 'add'],
		[ti.del_set, 'del'],
		[ti.map_set, 'map'],
	] as const) {
		if (get_unaligned_le16(d, at) === U.IPSET_INVALID_ID) continue;
		s += ` ${sep}${name}-set ${name_of(rule, d, at)} ${dirs_text(d, at)}`;
		if (name !== 'add') continue;
		if ((flags & U.IPSET_FLAG_EXIST) !== 0) s += ` ${sep}exist`;
		if (get_unaligned_le32(d, ti.timeout) !== 0xffffffff) s += ` ${sep}timeout ${get_unaligned_le32(d, ti.timeout)}`;
	}
	if ((flags & U.IPSET_FLAG_MAP_SKBMARK) !== 0) s += ` ${sep}map-mark`;
	if ((flags & U.IPSET_FLAG_MAP_SKBPRIO) !== 0) s += ` ${sep}map-prio`;
	if ((flags & U.IPSET_FLAG_MAP_SKBQUEUE) !== 0) s += ` ${sep}map-queue`;
	return s;
}

export const set_tg_reg: xt_extension = {
	kind: 'target',
	name: 'SET',
	revision: 3,
	size: ti.sizeof,
	options: [
		{ name: 'add-set', id: 0, type: 'raw' },
		{ name: 'del-set', id: 1, type: 'raw' },
		{ name: 'map-set', id: 2, type: 'raw' },
		{ name: 'exist', id: 3, type: 'none' },
		{ name: 'timeout', id: 4, type: 'uint32', put: ti.timeout },
		{ name: 'map-mark', id: 5, type: 'none' },
		{ name: 'map-prio', id: 6, type: 'none' },
		{ name: 'map-queue', id: 7, type: 'none' },
	],
	init(d) {
		for (const at of [ti.add_set, ti.del_set, ti.map_set]) put_unaligned_le16(d, at, U.IPSET_INVALID_ID);
		put_unaligned_le32(d, ti.timeout, 0xffffffff);
	},
	parse(cb) {
		const { id } = cb.entry;
		if (id <= 2) return parse_set(cb, [ti.add_set, ti.del_set, ti.map_set][id]);
		const bit = [
			0,
			0,
			0,
			U.IPSET_FLAG_EXIST,
			0,
			U.IPSET_FLAG_MAP_SKBMARK,
			U.IPSET_FLAG_MAP_SKBPRIO,
			U.IPSET_FLAG_MAP_SKBQUEUE,
		][id];
		put_unaligned_le32(cb.data, ti.flags, get_unaligned_le32(cb.data, ti.flags) | bit);
	},
	final_check(cb) {
		if ((cb.xflags & 7) === 0)
			cb.x.error(PARAMETER_PROBLEM, "You must specify either `--add-set' or `--del-set' or `--map-set'");
	},
	print: (d, rule) => target_text(d, rule, ''),
	save: (d, rule) => target_text(d, rule, '--'),
};
