/*
 * user/iptables/ext/rpfilter.ts: -m rpfilter.                      Original: extensions/libxt_rpfilter.c
 */
import {
	xt_rpfilter_info as info,
	XT_RPFILTER_ACCEPT_LOCAL,
	XT_RPFILTER_INVERT,
	XT_RPFILTER_LOOSE,
	XT_RPFILTER_VALID_MARK,
} from '../../../uapi/linux/netfilter/xt_rpfilter.ts';
import type { xt_extension } from '../xtables.ts';

const FLAGS: readonly (readonly [string, number])[] = [
	['loose', XT_RPFILTER_LOOSE],
	['validmark', XT_RPFILTER_VALID_MARK],
	['accept-local', XT_RPFILTER_ACCEPT_LOCAL],
	['invert', XT_RPFILTER_INVERT],
];

function dump(d: Uint8Array, prefix: string): string {
	let s = '';
	for (const [name, bit] of FLAGS) if ((d[info.flags] & bit) !== 0) s += ` ${prefix}${name}`;
	return s;
}

export const rpfilter_mt_reg: xt_extension = {
	kind: 'match',
	name: 'rpfilter',
	revision: 0,
	size: info.sizeof,
	options: FLAGS.map(([name], id) => ({ name, id, type: 'none' })),
	help: ['--loose', '--validmark', '--accept-local', '--invert'],
	parse(cb) {
		cb.data[info.flags] |= FLAGS[cb.entry.id][1];
	},
	print: (d) => ' rpfilter' + dump(d, ''),
	save: (d) => dump(d, '--'),
};
