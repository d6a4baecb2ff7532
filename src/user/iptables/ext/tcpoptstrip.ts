/*
 * user/iptables/ext/tcpoptstrip.ts: -j TCPOPTSTRIP.                Original: extensions/libxt_TCPOPTSTRIP.c
 */
import { xt_tcpoptstrip_target_info as info } from '../../../uapi/linux/netfilter/xt_TCPOPTSTRIP.ts';
import { parse_uint } from '../netdb.ts';
import type { xt_extension } from '../xtables.ts';

const NAMES: readonly (readonly [string, number])[] = [
	['mss', 2],
	['wscale', 3],
	['sack-permitted', 4],
	['sack', 5],
	['timestamp', 8],
	['md5', 19],
];

function list(d: Uint8Array, numeric: boolean): string {
	const out: string[] = [];
	for (let i = 0; i < 256; i++) {
		if ((d[info.strip_bmap + (i >> 3)] & (1 << (i & 7))) === 0) continue;
		const name = numeric ? undefined : NAMES.find(([, n]) => n === i);
		out.push(name !== undefined ? name[0] : String(i));
	}
	return out.join(',');
}

export const tcpoptstrip_tg_reg: xt_extension = {
	kind: 'target',
	name: 'TCPOPTSTRIP',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'strip-options', id: 0, type: 'string' }],
	help: [`--strip-options value[,...]	(numbers, or ${NAMES.map(([n]) => n).join(' ')})`],
	parse(cb) {
		for (const word of cb.arg.split(',')) {
			const name = NAMES.find(([n]) => n === word);
			const n = name !== undefined ? name[1] : parse_uint(word, 255);
			if (n < 0) cb.bad(`Bad TCP option value "${word}"`);
			if (n < 2) cb.bad('Option value may not be 0 or 1');
			cb.data[info.strip_bmap + (n >> 3)] |= 1 << (n & 7);
		}
	},
	print(d, _rule, numeric) {
		const s = list(d, numeric);
		return s !== '' ? ` TCPOPTSTRIP options ${s}` : '';
	},
	save(d) {
		const s = list(d, true);
		return s !== '' ? ` --strip-options ${s}` : '';
	},
};
