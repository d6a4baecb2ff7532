/*
 * uapi/linux/netfilter/xt_connmark.ts: match connmark and target CONNMARK.   Linux: uapi/linux/netfilter/xt_connmark.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_CONNMARK_SET = 0;
export const XT_CONNMARK_SAVE = 1;
export const XT_CONNMARK_RESTORE = 2;
export const D_SHIFT_LEFT = 0;
export const D_SHIFT_RIGHT = 1;

export const xt_connmark_tginfo1 = {
	sizeof: 16,
	ctmark: 0,
	ctmask: 4,
	nfmask: 8,
	mode: 12,
};

export const xt_connmark_tginfo2 = {
	sizeof: 16,
	ctmark: 0,
	ctmask: 4,
	nfmask: 8,
	shift_dir: 12,
	shift_bits: 13,
	mode: 14,
};

export const xt_connmark_mtinfo1 = {
	sizeof: 12,
	mark: 0,
	mask: 4,
	invert: 8,
};
