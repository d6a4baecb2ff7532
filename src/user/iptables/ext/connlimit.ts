/*
 * user/iptables/ext/connlimit.ts: -m connlimit.                    Original: extensions/libxt_connlimit.c
 */
import {
	get_unaligned_be32,
	get_unaligned_le32,
	put_unaligned_be32,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import {
	xt_connlimit_info as info,
	XT_CONNLIMIT_DADDR,
	XT_CONNLIMIT_INVERT,
} from '../../../uapi/linux/netfilter/xt_connlimit.ts';
import { ipmask_to_cidr, PARAMETER_PROBLEM, plen_to_mask, XTOPT_INVERT, type xt_extension } from '../xtables.ts';

const O_UPTO = 0;
const O_ABOVE = 1;
const O_MASK = 2;
const O_SADDR = 3;
const O_DADDR = 4;

function dump(d: Uint8Array): { upto: boolean; limit: number; plen: number; dst: boolean } {
	const flags = get_unaligned_le32(d, info.flags);
	return {
		upto: (flags & XT_CONNLIMIT_INVERT) !== 0,
		limit: get_unaligned_le32(d, info.limit),
		plen: ipmask_to_cidr(get_unaligned_be32(d, info.mask)),
		dst: (flags & XT_CONNLIMIT_DADDR) !== 0,
	};
}

export const connlimit_mt_reg: xt_extension = {
	kind: 'match',
	name: 'connlimit',
	revision: 1,
	size: info.sizeof,
	userspacesize: 24,
	options: [
		{ name: 'connlimit-upto', id: O_UPTO, type: 'uint32', flags: XTOPT_INVERT, excl: 1 << O_ABOVE, put: info.limit },
		{ name: 'connlimit-above', id: O_ABOVE, type: 'uint32', flags: XTOPT_INVERT, excl: 1 << O_UPTO, put: info.limit },
		{ name: 'connlimit-mask', id: O_MASK, type: 'uint32' },
		{ name: 'connlimit-saddr', id: O_SADDR, type: 'none', excl: 1 << O_DADDR },
		{ name: 'connlimit-daddr', id: O_DADDR, type: 'none', excl: 1 << O_SADDR },
	],
	help: ['--connlimit-upto n | --connlimit-above n', '--connlimit-mask n', '--connlimit-saddr | --connlimit-daddr'],
	init(d) {
		d.fill(0xff, info.mask, info.mask + 16);
	},
	parse(cb) {
		const d = cb.data;
		const flags = get_unaligned_le32(d, info.flags);
		switch (cb.entry.id) {
			case O_UPTO:
				if (!cb.invert) put_unaligned_le32(d, info.flags, flags | XT_CONNLIMIT_INVERT);
				break;
			case O_ABOVE:
				if (cb.invert) put_unaligned_le32(d, info.flags, flags | XT_CONNLIMIT_INVERT);
				break;
			case O_MASK:
				d.fill(cb.num > 32 ? 0xff : 0, info.mask, info.mask + 16);
				put_unaligned_be32(d, info.mask, plen_to_mask(Math.min(cb.num, 32)));
				break;
			case O_DADDR:
				put_unaligned_le32(d, info.flags, flags | XT_CONNLIMIT_DADDR);
				break;
			default:
				break;
		}
	},
	final_check(cb) {
		if ((cb.xflags & ((1 << O_UPTO) | (1 << O_ABOVE))) === 0)
			cb.x.error(PARAMETER_PROBLEM, 'You must specify "--connlimit-above" or "--connlimit-upto".');
	},
	print(d) {
		const c = dump(d);
		return ` #conn ${c.dst ? 'dst' : 'src'}/${c.plen} ${c.upto ? '<=' : '>'} ${c.limit}`;
	},
	save(d) {
		const c = dump(d);
		return ` --connlimit-${c.upto ? 'upto' : 'above'} ${c.limit} --connlimit-mask ${c.plen} --connlimit-${c.dst ? 'daddr' : 'saddr'}`;
	},
};
