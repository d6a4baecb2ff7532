/*
 * user/iptables/ext/connmark.ts: -m connmark.                      Original: extensions/libxt_connmark.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_connmark_mtinfo1 as info } from '../../../uapi/linux/netfilter/xt_connmark.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';
import { mark_text } from './mark.ts';

const text = (d: Uint8Array): string => mark_text(get_unaligned_le32(d, info.mark), get_unaligned_le32(d, info.mask));

export const connmark_mt_reg: xt_extension = {
	kind: 'match',
	name: 'connmark',
	revision: 1,
	size: info.sizeof,
	options: [{ name: 'mark', id: 0, type: 'markmask32', flags: XTOPT_MAND | XTOPT_INVERT }],
	help: ['[!] --mark value[/mask]'],
	parse(cb) {
		put_unaligned_le32(cb.data, info.mark, cb.value);
		put_unaligned_le32(cb.data, info.mask, cb.mask);
		if (cb.invert) cb.data[info.invert] = 1;
	},
	print: (d) => ` connmark match ${d[info.invert] !== 0 ? '!' : ''} ${text(d)}`,
	save: (d) => `${d[info.invert] !== 0 ? ' !' : ''} --mark ${text(d)}`,
};
