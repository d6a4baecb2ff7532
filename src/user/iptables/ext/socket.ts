/*
 * user/iptables/ext/socket.ts: -m socket.                          Original: extensions/libxt_socket.c
 */
import {
	xt_socket_mtinfo3 as info,
	XT_SOCKET_NOWILDCARD,
	XT_SOCKET_RESTORESKMARK,
	XT_SOCKET_TRANSPARENT,
} from '../../../uapi/linux/netfilter/xt_socket.ts';
import type { xt_extension } from '../xtables.ts';

const FLAGS: readonly (readonly [string, number])[] = [
	['transparent', XT_SOCKET_TRANSPARENT],
	['nowildcard', XT_SOCKET_NOWILDCARD],
	['restore-skmark', XT_SOCKET_RESTORESKMARK],
];

function dump(d: Uint8Array): string {
	let s = '';
	for (const [name, bit] of FLAGS) if ((d[info.flags] & bit) !== 0) s += ` --${name}`;
	return s;
}

export const socket_mt_reg: xt_extension = {
	kind: 'match',
	name: 'socket',
	revision: 3,
	size: info.sizeof,
	options: FLAGS.map(([name], id) => ({ name, id, type: 'none' })),
	help: ['--nowildcard', '--transparent', '--restore-skmark'],
	parse(cb) {
		cb.data[info.flags] |= FLAGS[cb.entry.id][1];
	},
	print: (d) => ' socket' + dump(d),
	save: dump,
};
