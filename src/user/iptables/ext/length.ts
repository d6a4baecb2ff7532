/*
 * user/iptables/ext/length.ts: -m length.                          Original: extensions/libxt_length.c
 */
import { get_unaligned_le16 } from '../../../lib/byteorder.ts';
import { xt_length_info as info } from '../../../uapi/linux/netfilter/xt_length.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';

function range(d: Uint8Array): string {
	const min = get_unaligned_le16(d, info.min);
	const max = get_unaligned_le16(d, info.max);
	return min === max ? String(min) : `${min}:${max}`;
}

export const length_mt_reg: xt_extension = {
	kind: 'match',
	name: 'length',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'length', id: 0, type: 'uint16rc', flags: XTOPT_MAND | XTOPT_INVERT, put: info.min }],
	help: ['[!] --length length[:length]'],
	parse(cb) {
		if (cb.invert) cb.data[info.invert] = 1;
	},
	print: (d) => ` length ${d[info.invert] !== 0 ? '!' : ''}${range(d)}`,
	save: (d) => `${d[info.invert] !== 0 ? ' !' : ''} --length ${range(d)}`,
};
