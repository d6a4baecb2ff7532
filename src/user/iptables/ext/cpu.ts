/*
 * user/iptables/ext/cpu.ts: -m cpu.                                Original: extensions/libxt_cpu.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_cpu_info as info } from '../../../uapi/linux/netfilter/xt_cpu.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';

const bang = (d: Uint8Array): string => (get_unaligned_le32(d, info.invert) !== 0 ? ' !' : '');

export const cpu_mt_reg: xt_extension = {
	kind: 'match',
	name: 'cpu',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'cpu', id: 0, type: 'uint32', flags: XTOPT_INVERT | XTOPT_MAND, put: info.cpu }],
	help: ['[!] --cpu number'],
	parse(cb) {
		if (cb.invert) put_unaligned_le32(cb.data, info.invert, 1);
	},
	print: (d) => ` cpu${bang(d)} ${get_unaligned_le32(d, info.cpu)}`,
	save: (d) => `${bang(d)} --cpu ${get_unaligned_le32(d, info.cpu)}`,
};
