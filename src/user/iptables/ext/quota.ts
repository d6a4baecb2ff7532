/*
 * user/iptables/ext/quota.ts: -m quota.                            Original: extensions/libxt_quota.c
 */
import { xt_quota_info as info, XT_QUOTA_INVERT } from '../../../uapi/linux/netfilter/xt_quota.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';
import { exact_u64, get_u64, put_u64 } from './u64.ts';

export const quota_mt_reg: xt_extension = {
	kind: 'match',
	name: 'quota',
	revision: 0,
	size: info.sizeof,
	userspacesize: info.quota,
	options: [{ name: 'quota', id: 0, type: 'uint64', flags: XTOPT_MAND | XTOPT_INVERT }],
	help: ['[!] --quota bytes'],
	parse(cb) {
		put_u64(cb.data, info.quota, exact_u64(cb.arg));
		if (cb.invert) cb.data[info.flags] |= XT_QUOTA_INVERT;
	},
	print: (d) => ` quota: ${get_u64(d, info.quota)} bytes`,
	save: (d) => `${(d[info.flags] & XT_QUOTA_INVERT) !== 0 ? ' !' : ''} --quota ${get_u64(d, info.quota)}`,
};
