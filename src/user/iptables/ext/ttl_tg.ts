/*
 * user/iptables/ext/ttl_tg.ts: -j TTL.                             Original: extensions/libipt_TTL.c
 */
import {
	IPT_TTL_DEC,
	IPT_TTL_INC,
	IPT_TTL_SET,
	ipt_TTL_info as info,
} from '../../../uapi/linux/netfilter_ipv4/ipt_ttl.ts';
import { PARAMETER_PROBLEM, type xt_extension } from '../xtables.ts';

const ANY = 7;
/** By mode: option, and what -L says. */
const WORDS: readonly (readonly [string, string])[] = [
	['set', 'set to'],
	['inc', 'increment by'],
	['dec', 'decrement by'],
];

export const ttl_tg_reg: xt_extension = {
	kind: 'target',
	name: 'TTL',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'ttl-set', id: IPT_TTL_SET, type: 'uint8', excl: ANY, put: info.ttl },
		{ name: 'ttl-dec', id: IPT_TTL_DEC, type: 'uint8', excl: ANY, put: info.ttl, min: 1 },
		{ name: 'ttl-inc', id: IPT_TTL_INC, type: 'uint8', excl: ANY, put: info.ttl, min: 1 },
	],
	help: ['--ttl-set value', '--ttl-dec value', '--ttl-inc value'],
	parse(cb) {
		cb.data[info.mode] = cb.entry.id;
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'TTL: You must specify an action');
	},
	print: (d) => ` TTL ${WORDS[d[info.mode]]?.[1] ?? ''} ${d[info.ttl]}`,
	save: (d) => ` --ttl-${WORDS[d[info.mode]]?.[0] ?? ''} ${d[info.ttl]}`,
};
