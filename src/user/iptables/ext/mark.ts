/*
 * user/iptables/ext/mark.ts: -m mark and -j MARK.                  Original: extensions/libxt_mark.c, libxt_MARK.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { xt_mark_mtinfo1, xt_mark_tginfo2 } from '../../../uapi/linux/netfilter/xt_mark.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, XTOPT_MAND, type xt_extension } from '../xtables.ts';

export const hex = (n: number): string => '0x' + (n >>> 0).toString(16);

/** value, or value/mask where the mask is not all ones. */
export function mark_text(mark: number, mask: number): string {
	return mask === 0xffffffff ? hex(mark) : `${hex(mark)}/${hex(mask)}`;
}

export const mark_mt_reg: xt_extension = {
	kind: 'match',
	name: 'mark',
	revision: 1,
	size: xt_mark_mtinfo1.sizeof,
	options: [{ name: 'mark', id: 0, type: 'markmask32', flags: XTOPT_MAND | XTOPT_INVERT }],
	help: ['[!] --mark value[/mask]'],
	parse(cb) {
		put_unaligned_le32(cb.data, xt_mark_mtinfo1.mark, cb.value);
		put_unaligned_le32(cb.data, xt_mark_mtinfo1.mask, cb.mask);
		if (cb.invert) cb.data[xt_mark_mtinfo1.invert] = 1;
	},
	print(d) {
		const m = mark_text(get_unaligned_le32(d, xt_mark_mtinfo1.mark), get_unaligned_le32(d, xt_mark_mtinfo1.mask));
		return ` mark match${d[xt_mark_mtinfo1.invert] !== 0 ? ' !' : ''} ${m}`;
	},
	save(d) {
		const m = mark_text(get_unaligned_le32(d, xt_mark_mtinfo1.mark), get_unaligned_le32(d, xt_mark_mtinfo1.mask));
		return `${d[xt_mark_mtinfo1.invert] !== 0 ? ' !' : ''} --mark ${m}`;
	},
};

const O_SET_MARK = 0;
const O_SET_XMARK = 1;
const O_AND = 2;
const O_OR = 3;
const O_XOR = 4;
const ALL = 0x1f;

/** Mark and mask as the kernel has them (clear the bits of mask, then XOR), from what an option says. */
export function xmark_of(id: number, value: number, mask: number): { mark: number; mask: number } {
	switch (id) {
		case O_SET_MARK:
			return { mark: value, mask: (value | mask) >>> 0 };
		case O_SET_XMARK:
			return { mark: value, mask };
		case O_AND:
			return { mark: 0, mask: ~value >>> 0 };
		case O_OR:
			return { mark: value, mask: value };
		default:
			return { mark: value, mask: 0 };
	}
}

/** What the kernel's mark and mask mean, in the words of -L. */
export function xmark_text(mark: number, mask: number): string {
	if (mark === 0) return `and ${hex(~mask)}`;
	if (mark === mask) return `or ${hex(mark)}`;
	if (mask === 0) return `xor ${hex(mark)}`;
	if (mask === 0xffffffff) return `set ${hex(mark)}`;
	return `xset ${hex(mark)}/${hex(mask)}`;
}

export const mark_tg_reg: xt_extension = {
	kind: 'target',
	name: 'MARK',
	revision: 2,
	size: xt_mark_tginfo2.sizeof,
	options: [
		{ name: 'set-xmark', id: O_SET_XMARK, type: 'markmask32', excl: ALL },
		{ name: 'set-mark', id: O_SET_MARK, type: 'markmask32', excl: ALL },
		{ name: 'and-mark', id: O_AND, type: 'uint32', excl: ALL },
		{ name: 'or-mark', id: O_OR, type: 'uint32', excl: ALL },
		{ name: 'xor-mark', id: O_XOR, type: 'uint32', excl: ALL },
	],
	help: ['--set-xmark|--set-mark value[/mask]', '--and-mark|--or-mark|--xor-mark bits'],
	parse(cb) {
		const raw = cb.entry.type === 'markmask32';
		const m = xmark_of(cb.entry.id, raw ? cb.value : cb.num, cb.mask);
		put_unaligned_le32(cb.data, xt_mark_tginfo2.mark, m.mark);
		put_unaligned_le32(cb.data, xt_mark_tginfo2.mask, m.mask);
	},
	final_check(cb) {
		if (cb.xflags === 0)
			cb.x.error(PARAMETER_PROBLEM, 'MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required');
	},
	print: (d) =>
		' MARK ' + xmark_text(get_unaligned_le32(d, xt_mark_tginfo2.mark), get_unaligned_le32(d, xt_mark_tginfo2.mask)),
	save: (d) =>
		` --set-xmark ${hex(get_unaligned_le32(d, xt_mark_tginfo2.mark))}/${hex(get_unaligned_le32(d, xt_mark_tginfo2.mask))}`,
};
