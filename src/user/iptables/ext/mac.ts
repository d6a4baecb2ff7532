/*
 * user/iptables/ext/mac.ts: -m mac.                                Original: extensions/libxt_mac.c
 */
import { xt_mac_info as info } from '../../../uapi/linux/netfilter/xt_mac.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';

function text(d: Uint8Array): string {
	return [...d.subarray(info.srcaddr, info.srcaddr + 6)].map((b) => b.toString(16).padStart(2, '0')).join(':');
}

export const mac_mt_reg: xt_extension = {
	kind: 'match',
	name: 'mac',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'mac-source', id: 0, type: 'ethermac', flags: XTOPT_MAND | XTOPT_INVERT, put: info.srcaddr }],
	help: ['[!] --mac-source XX:XX:XX:XX:XX:XX'],
	parse(cb) {
		if (cb.invert) cb.data[info.invert] = 1;
	},
	print: (d) => ` MAC${d[info.invert] !== 0 ? ' !' : ''} ${text(d)}`,
	save: (d) => `${d[info.invert] !== 0 ? ' !' : ''} --mac-source ${text(d)}`,
};
