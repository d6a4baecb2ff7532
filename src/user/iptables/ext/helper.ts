/*
 * user/iptables/ext/helper.ts: -m helper.                          Original: extensions/libxt_helper.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_helper_info as info } from '../../../uapi/linux/netfilter/xt_helper.ts';
import { cstring } from '../rule.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension, xtables_save_string } from '../xtables.ts';

const NAME_SIZE = 30;

const bang = (d: Uint8Array): string => (get_unaligned_le32(d, info.invert) !== 0 ? '! ' : '');

export const helper_mt_reg: xt_extension = {
	kind: 'match',
	name: 'helper',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'helper', id: 0, type: 'string', flags: XTOPT_MAND | XTOPT_INVERT, put: info.name, size: NAME_SIZE },
	],
	help: ['[!] --helper name'],
	parse(cb) {
		if (cb.invert) put_unaligned_le32(cb.data, info.invert, 1);
	},
	print: (d) => ` helper match ${bang(d)}"${cstring(d, info.name, NAME_SIZE)}"`,
	save: (d) => `${bang(d) !== '' ? ' !' : ''} --helper${xtables_save_string(cstring(d, info.name, NAME_SIZE))}`,
};
