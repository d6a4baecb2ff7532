/*
 * user/iptables/ext/connlabel.ts: -m connlabel.                    Original: extensions/libxt_connlabel.c
 * Not here yet: names of labels (/etc/xtables/connlabel.conf): numbers only.
 */
import { get_unaligned_le16, put_unaligned_le16 } from '../../../lib/byteorder.ts';
import {
	xt_connlabel_mtinfo as info,
	XT_CONNLABEL_OP_INVERT,
	XT_CONNLABEL_OP_SET,
} from '../../../uapi/linux/netfilter/xt_connlabel.ts';
import { parse_uint } from '../netdb.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';

const bang = (d: Uint8Array): string =>
	(get_unaligned_le16(d, info.options) & XT_CONNLABEL_OP_INVERT) !== 0 ? ' !' : '';
const set = (d: Uint8Array): boolean => (get_unaligned_le16(d, info.options) & XT_CONNLABEL_OP_SET) !== 0;

export const connlabel_mt_reg: xt_extension = {
	kind: 'match',
	name: 'connlabel',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'label', id: 0, type: 'string', min: 1, flags: XTOPT_MAND | XTOPT_INVERT },
		{ name: 'set', id: 1, type: 'none' },
	],
	help: ['[!] --label name', '--set'],
	parse(cb) {
		const d = cb.data;
		const options = get_unaligned_le16(d, info.options);
		if (cb.entry.id === 1) {
			put_unaligned_le16(d, info.options, options | XT_CONNLABEL_OP_SET);
			return;
		}
		const n = parse_uint(cb.arg, 0xffff);
		if (n < 0) {
			cb.x.eprint('Warning: cannot open /etc/xtables/connlabel.conf: No such file or directory\n');
			cb.bad(`label '${cb.arg}' not found or invalid value`);
		}
		put_unaligned_le16(d, info.bit, n);
		if (cb.invert) put_unaligned_le16(d, info.options, options | XT_CONNLABEL_OP_INVERT);
	},
	print: (d) => ` connlabel${bang(d)} ${get_unaligned_le16(d, info.bit)}${set(d) ? ' set' : ''}`,
	save: (d) => `${bang(d)} --label "${get_unaligned_le16(d, info.bit)}"${set(d) ? ' --set' : ''}`,
};
