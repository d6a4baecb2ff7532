/*
 * user/iptables/ext/tcpmss.ts: -m tcpmss.                          Original: extensions/libxt_tcpmss.c
 */
import { get_unaligned_le16 } from '../../../lib/byteorder.ts';
import { xt_tcpmss_match_info as info } from '../../../uapi/linux/netfilter/xt_tcpmss.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';

function range(d: Uint8Array): string {
	const min = get_unaligned_le16(d, info.mss_min);
	const max = get_unaligned_le16(d, info.mss_max);
	return min === max ? String(min) : `${min}:${max}`;
}

export const tcpmss_mt_reg: xt_extension = {
	kind: 'match',
	name: 'tcpmss',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'mss', id: 0, type: 'uint16rc', flags: XTOPT_MAND | XTOPT_INVERT, put: info.mss_min }],
	help: ['[!] --mss value[:value]'],
	parse(cb) {
		if (cb.invert) cb.data[info.invert] = 1;
	},
	print: (d) => ` tcpmss match ${d[info.invert] !== 0 ? '!' : ''}${range(d)}`,
	save: (d) => `${d[info.invert] !== 0 ? ' !' : ''} --mss ${range(d)}`,
};
