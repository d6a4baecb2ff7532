/*
 * user/iptables/ext/recent.ts: -m recent.                          Original: extensions/libxt_recent.c
 */
import { get_unaligned_be32, get_unaligned_le32, put_unaligned_be32 } from '../../../lib/byteorder.ts';
import {
	xt_recent_mtinfo_v1 as info,
	XT_RECENT_CHECK,
	XT_RECENT_DEST,
	XT_RECENT_NAME_LEN,
	XT_RECENT_REAP,
	XT_RECENT_REMOVE,
	XT_RECENT_SET,
	XT_RECENT_SOURCE,
	XT_RECENT_TTL,
	XT_RECENT_UPDATE,
} from '../../../uapi/linux/netfilter/xt_recent.ts';
import { cstring, put_cstring, utf8_encode } from '../rule.ts';
import { ip_str, PARAMETER_PROBLEM, XTOPT_INVERT, type xt_extension } from '../xtables.ts';

const O_SET = 0;
const O_RCHECK = 1;
const O_UPDATE = 2;
const O_REMOVE = 3;
const O_SECONDS = 4;
const O_REAP = 5;
const O_HITCOUNT = 6;
const O_RTTL = 7;
const O_NAME = 8;
const O_RSOURCE = 9;
const O_RDEST = 10;
const O_MASK = 11;
const ANY_OP = 0xf;

const OPS: readonly (readonly [number, string, string])[] = [
	[XT_RECENT_SET, 'SET', '--set'],
	[XT_RECENT_CHECK, 'CHECK', '--rcheck'],
	[XT_RECENT_UPDATE, 'UPDATE', '--update'],
	[XT_RECENT_REMOVE, 'REMOVE', '--remove'],
];

export const recent_mt_reg: xt_extension = {
	kind: 'match',
	name: 'recent',
	revision: 1,
	size: info.sizeof,
	options: [
		{ name: 'set', id: O_SET, type: 'none', flags: XTOPT_INVERT, excl: ANY_OP },
		{ name: 'rcheck', id: O_RCHECK, type: 'none', flags: XTOPT_INVERT, excl: ANY_OP },
		{ name: 'update', id: O_UPDATE, type: 'none', flags: XTOPT_INVERT, excl: ANY_OP },
		{ name: 'remove', id: O_REMOVE, type: 'none', flags: XTOPT_INVERT, excl: ANY_OP },
		{ name: 'seconds', id: O_SECONDS, type: 'uint32', put: info.seconds, min: 1, max: 0xffffffff },
		{ name: 'reap', id: O_REAP, type: 'none', also: 1 << O_SECONDS },
		{ name: 'hitcount', id: O_HITCOUNT, type: 'uint32', put: info.hit_count },
		{ name: 'rttl', id: O_RTTL, type: 'none' },
		{ name: 'name', id: O_NAME, type: 'string' },
		{ name: 'rsource', id: O_RSOURCE, type: 'none' },
		{ name: 'rdest', id: O_RDEST, type: 'none' },
		{ name: 'mask', id: O_MASK, type: 'host' },
	],
	help: [
		'[!] --set | --rcheck | --update | --remove',
		'--seconds seconds  --reap  --hitcount hits  --rttl',
		'--name name  --rsource | --rdest  --mask netmask',
	],
	init(d) {
		put_cstring(d, info.name, XT_RECENT_NAME_LEN, 'DEFAULT');
		d[info.side] = XT_RECENT_SOURCE;
		d.fill(0xff, info.mask, info.mask + 16);
	},
	parse(cb) {
		const d = cb.data;
		const id = cb.entry.id;
		if (id <= O_REMOVE) {
			d[info.check_set] |= OPS[id][0];
			if (cb.invert) d[info.invert] = 1;
		} else if (id === O_REAP) d[info.check_set] |= XT_RECENT_REAP;
		else if (id === O_RTTL) d[info.check_set] |= XT_RECENT_TTL;
		else if (id === O_NAME) {
			const bytes = utf8_encode(cb.arg).subarray(0, XT_RECENT_NAME_LEN - 1);
			d.set(bytes, info.name);
			d[info.name + bytes.length] = 0;
		} else if (id === O_RSOURCE) d[info.side] = XT_RECENT_SOURCE;
		else if (id === O_RDEST) d[info.side] = XT_RECENT_DEST;
		else if (id === O_MASK) {
			d.fill(0, info.mask, info.mask + 16);
			put_unaligned_be32(d, info.mask, cb.addr);
		}
	},
	final_check(cb) {
		if ((cb.xflags & ANY_OP) === 0)
			cb.x.error(PARAMETER_PROBLEM, "recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'");
	},
	print(d) {
		const set = d[info.check_set];
		let s = d[info.invert] !== 0 ? ' !' : '';
		s += ' recent:';
		for (const [bit, name] of OPS) if ((set & bit) !== 0) s += ` ${name}`;
		const seconds = get_unaligned_le32(d, info.seconds);
		const hits = get_unaligned_le32(d, info.hit_count);
		if (seconds !== 0) s += ` seconds: ${seconds}`;
		if ((set & XT_RECENT_REAP) !== 0) s += ' reap';
		if (hits !== 0) s += ` hit_count: ${hits}`;
		if ((set & XT_RECENT_TTL) !== 0) s += ' TTL-Match';
		s += ` name: ${cstring(d, info.name, XT_RECENT_NAME_LEN)}`;
		s += d[info.side] === XT_RECENT_SOURCE ? ' side: source' : ' side: dest';
		return s + ` mask: ${ip_str(get_unaligned_be32(d, info.mask))}`;
	},
	save(d) {
		const set = d[info.check_set];
		let s = d[info.invert] !== 0 ? ' !' : '';
		for (const [bit, , option] of OPS) if ((set & bit) !== 0) s += ` ${option}`;
		const seconds = get_unaligned_le32(d, info.seconds);
		const hits = get_unaligned_le32(d, info.hit_count);
		if (seconds !== 0) s += ` --seconds ${seconds}`;
		if ((set & XT_RECENT_REAP) !== 0) s += ' --reap';
		if (hits !== 0) s += ` --hitcount ${hits}`;
		if ((set & XT_RECENT_TTL) !== 0) s += ' --rttl';
		s += ` --name ${cstring(d, info.name, XT_RECENT_NAME_LEN)}`;
		s += ` --mask ${ip_str(get_unaligned_be32(d, info.mask))}`;
		return s + (d[info.side] === XT_RECENT_SOURCE ? ' --rsource' : ' --rdest');
	},
};
