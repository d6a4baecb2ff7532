/*
 * user/iptables/ext/connmark_tg.ts: -j CONNMARK.                   Original: extensions/libxt_CONNMARK.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import {
	D_SHIFT_LEFT,
	D_SHIFT_RIGHT,
	xt_connmark_tginfo2 as info,
	XT_CONNMARK_RESTORE,
	XT_CONNMARK_SAVE,
	XT_CONNMARK_SET,
} from '../../../uapi/linux/netfilter/xt_connmark.ts';
import { PARAMETER_PROBLEM, type xt_extension, type xt_option, type xt_option_call } from '../xtables.ts';
import { hex, xmark_of, xmark_text } from './mark.ts';

// The first five are MARK's, in xmark_of's numbers.
const O_SET_MARK = 0;
const O_SET_XMARK = 1;
const O_AND = 2;
const O_OR = 3;
const O_XOR = 4;
const O_SAVE = 5;
const O_RESTORE = 6;
const O_CTMASK = 7;
const O_NFMASK = 8;
const O_MASK = 9;
const O_LEFT = 10;
const O_RIGHT = 11;
/** One of these must be given. */
const OPERATIONS = 0x7f;

const OPTIONS: readonly xt_option[] = [
	{ name: 'set-xmark', id: O_SET_XMARK, type: 'markmask32', excl: OPERATIONS },
	{ name: 'set-mark', id: O_SET_MARK, type: 'markmask32', excl: OPERATIONS },
	{ name: 'and-mark', id: O_AND, type: 'uint32', excl: OPERATIONS },
	{ name: 'or-mark', id: O_OR, type: 'uint32', excl: OPERATIONS },
	{ name: 'xor-mark', id: O_XOR, type: 'uint32', excl: OPERATIONS },
	{ name: 'save-mark', id: O_SAVE, type: 'none', excl: OPERATIONS },
	{ name: 'restore-mark', id: O_RESTORE, type: 'none', excl: OPERATIONS },
	{ name: 'left-shift-mark', id: O_LEFT, type: 'uint8', max: 32 },
	{ name: 'right-shift-mark', id: O_RIGHT, type: 'uint8', max: 32 },
	{ name: 'ctmask', id: O_CTMASK, type: 'uint32', excl: 1 << O_MASK },
	{ name: 'nfmask', id: O_NFMASK, type: 'uint32', excl: 1 << O_MASK },
	{ name: 'mask', id: O_MASK, type: 'uint32', excl: (1 << O_CTMASK) | (1 << O_NFMASK) },
];

function parse(cb: xt_option_call): void {
	const d = cb.data;
	switch (cb.entry.id) {
		case O_SAVE:
			d[info.mode] = XT_CONNMARK_SAVE;
			return;
		case O_RESTORE:
			d[info.mode] = XT_CONNMARK_RESTORE;
			return;
		case O_CTMASK:
			put_unaligned_le32(d, info.ctmask, cb.num);
			return;
		case O_NFMASK:
			put_unaligned_le32(d, info.nfmask, cb.num);
			return;
		case O_MASK:
			put_unaligned_le32(d, info.ctmask, cb.num);
			put_unaligned_le32(d, info.nfmask, cb.num);
			return;
		case O_LEFT:
		case O_RIGHT:
			d[info.shift_dir] = cb.entry.id === O_LEFT ? D_SHIFT_LEFT : D_SHIFT_RIGHT;
			d[info.shift_bits] = cb.num;
			return;
		default: {
			const m = xmark_of(cb.entry.id, cb.entry.type === 'markmask32' ? cb.value : cb.num, cb.mask);
			d[info.mode] = XT_CONNMARK_SET;
			put_unaligned_le32(d, info.ctmark, m.mark);
			put_unaligned_le32(d, info.ctmask, m.mask);
		}
	}
}

function shift_text(d: Uint8Array, prefix: string): string {
	if (d[info.shift_bits] === 0) return '';
	return ` ${prefix}${d[info.shift_dir] === D_SHIFT_LEFT ? 'left' : 'right'}-shift-mark ${d[info.shift_bits]}`;
}

/** What follows save or restore: nothing, one mask for both, or both. */
function masks_text(to: string, to_mask: number, from: string, from_mask: number): string {
	if (to_mask !== from_mask) return ` ${to} ${hex(to_mask)} ${from} ~${hex(from_mask)}`;
	return to_mask === 0xffffffff ? '' : ` mask ${hex(to_mask)}`;
}

function print(d: Uint8Array): string {
	const ctmask = get_unaligned_le32(d, info.ctmask);
	const nfmask = get_unaligned_le32(d, info.nfmask);
	let s = ' CONNMARK';
	if (d[info.mode] === XT_CONNMARK_SET) s += ` ${xmark_text(get_unaligned_le32(d, info.ctmark), ctmask)}`;
	else if (d[info.mode] === XT_CONNMARK_SAVE) s += ` save${masks_text('nfmask', nfmask, 'ctmask', ctmask)}`;
	else if (d[info.mode] === XT_CONNMARK_RESTORE) s += ` restore${masks_text('ctmask', ctmask, 'nfmask', nfmask)}`;
	else return ' ERROR: UNKNOWN CONNMARK MODE';
	return s + shift_text(d, '');
}

function save(d: Uint8Array): string {
	const ctmask = hex(get_unaligned_le32(d, info.ctmask));
	const nfmask = hex(get_unaligned_le32(d, info.nfmask));
	let s = '';
	if (d[info.mode] === XT_CONNMARK_SET) s = ` --set-xmark ${hex(get_unaligned_le32(d, info.ctmark))}/${ctmask}`;
	else if (d[info.mode] === XT_CONNMARK_SAVE) s = ` --save-mark --nfmask ${nfmask} --ctmask ${ctmask}`;
	else if (d[info.mode] === XT_CONNMARK_RESTORE) s = ` --restore-mark --nfmask ${nfmask} --ctmask ${ctmask}`;
	return s + shift_text(d, '--');
}

export const connmark_tg_reg: xt_extension = {
	kind: 'target',
	name: 'CONNMARK',
	revision: 2,
	size: info.sizeof,
	options: OPTIONS,
	help: [
		'--set-xmark|--set-mark value[/ctmask]',
		'--and-mark|--or-mark|--xor-mark value',
		'--save-mark|--restore-mark [--ctmask mask] [--nfmask mask] [--mask mask]',
		'--left-shift-mark|--right-shift-mark bits',
	],
	init(d) {
		put_unaligned_le32(d, info.ctmask, 0xffffffff);
		put_unaligned_le32(d, info.nfmask, 0xffffffff);
	},
	parse,
	final_check(cb) {
		if ((cb.xflags & OPERATIONS) === 0) cb.x.error(PARAMETER_PROBLEM, 'CONNMARK target: No operation specified');
	},
	print,
	save,
};
