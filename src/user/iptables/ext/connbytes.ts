/*
 * user/iptables/ext/connbytes.ts: -m connbytes.                    Original: extensions/libxt_connbytes.c
 */
import { xt_connbytes_info as info } from '../../../uapi/linux/netfilter/xt_connbytes.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';
import { exact_u64, get_u64, put_u64, U64_MAX } from './u64.ts';

const O_BYTES = 0;
const O_DIR = 1;
const O_MODE = 2;
/** In the order of XT_CONNBYTES_*. */
const MODES = ['packets', 'bytes', 'avgpkt'];
const DIRS = ['original', 'reply', 'both'];

/** An inverted range is kept the wrong way round. */
function range(d: Uint8Array, word: string): string {
	const from = get_u64(d, info.from);
	const to = get_u64(d, info.to);
	const [lo, hi, bang] = from > to ? [to, from, ' !'] : [from, to, ''];
	return `${bang} ${word} ${lo}${hi !== U64_MAX ? `:${hi}` : ''}`;
}

export const connbytes_mt_reg: xt_extension = {
	kind: 'match',
	name: 'connbytes',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'connbytes', id: O_BYTES, type: 'uint64rc', flags: XTOPT_MAND | XTOPT_INVERT },
		{ name: 'connbytes-dir', id: O_DIR, type: 'string', flags: XTOPT_MAND },
		{ name: 'connbytes-mode', id: O_MODE, type: 'string', flags: XTOPT_MAND },
	],
	help: [
		'[!] --connbytes from:[to]',
		'    --connbytes-dir [original, reply, both]',
		'    --connbytes-mode [packets, bytes, avgpkt]',
	],
	parse(cb) {
		const d = cb.data;
		switch (cb.entry.id) {
			case O_BYTES: {
				const [a, b] = cb.arg.split(':');
				const lo = a === '' ? 0n : exact_u64(a);
				const hi = b === undefined || b === '' ? U64_MAX : exact_u64(b);
				if (hi < lo) cb.bad(`${lo} should be less than ${hi}`);
				put_u64(d, info.from, cb.invert ? hi : lo);
				put_u64(d, info.to, cb.invert ? lo : hi);
				break;
			}
			case O_DIR:
				d[info.direction] = DIRS.indexOf(cb.arg);
				if (!DIRS.includes(cb.arg)) cb.bad(`Unknown --connbytes-dir \`${cb.arg}'`);
				break;
			default:
				d[info.what] = MODES.indexOf(cb.arg);
				if (!MODES.includes(cb.arg)) cb.bad(`Unknown --connbytes-mode \`${cb.arg}'`);
		}
	},
	print: (d) =>
		`${range(d, 'connbytes')} connbytes mode ${MODES[d[info.what]]} connbytes direction ${DIRS[d[info.direction]]}`,
	save: (d) =>
		`${range(d, '--connbytes')} --connbytes-mode ${MODES[d[info.what]]} --connbytes-dir ${DIRS[d[info.direction]]}`,
};
