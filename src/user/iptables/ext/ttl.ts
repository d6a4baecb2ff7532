/*
 * user/iptables/ext/ttl.ts: -m ttl.                                Original: extensions/libipt_ttl.c
 */
import {
	IPT_TTL_EQ,
	IPT_TTL_GT,
	IPT_TTL_LT,
	IPT_TTL_NE,
	ipt_ttl_info as info,
} from '../../../uapi/linux/netfilter_ipv4/ipt_ttl.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, type xt_extension } from '../xtables.ts';

const ANY = 7;
const SIGNS: Record<number, string> = { [IPT_TTL_EQ]: '==', [IPT_TTL_NE]: '!=', [IPT_TTL_LT]: '<', [IPT_TTL_GT]: '>' };
const OPTIONS: Record<number, string> = {
	[IPT_TTL_EQ]: ' --ttl-eq',
	[IPT_TTL_NE]: ' ! --ttl-eq',
	[IPT_TTL_LT]: ' --ttl-lt',
	[IPT_TTL_GT]: ' --ttl-gt',
};

export const ttl_mt_reg: xt_extension = {
	kind: 'match',
	name: 'ttl',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'ttl-lt', id: 1, type: 'uint8', excl: ANY, put: info.ttl },
		{ name: 'ttl-gt', id: 2, type: 'uint8', excl: ANY, put: info.ttl },
		{ name: 'ttl-eq', id: 0, type: 'uint8', flags: XTOPT_INVERT, excl: ANY, put: info.ttl },
		{ name: 'ttl', id: 0, type: 'uint8', flags: XTOPT_INVERT, put: info.ttl },
	],
	help: ['[!] --ttl-eq value', '    --ttl-lt value', '    --ttl-gt value'],
	parse(cb) {
		if (cb.entry.id === 0) cb.data[info.mode] = cb.invert ? IPT_TTL_NE : IPT_TTL_EQ;
		else cb.data[info.mode] = cb.entry.id === 1 ? IPT_TTL_LT : IPT_TTL_GT;
	},
	final_check(cb) {
		if (cb.xflags === 0)
			cb.x.error(PARAMETER_PROBLEM, "TTL match: You must specify one of `--ttl-eq', `--ttl-lt', `--ttl-gt");
	},
	print: (d) => ` TTL match TTL ${SIGNS[d[info.mode]] ?? ''} ${d[info.ttl]}`,
	save: (d) => `${OPTIONS[d[info.mode]] ?? ''} ${d[info.ttl]}`,
};
