/*
 * uapi/linux/netfilter/xt_mark.ts: match mark and target MARK.   Linux: uapi/linux/netfilter/xt_mark.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_mark_tginfo2 = {
	sizeof: 8,
	mark: 0,
	mask: 4,
};

export const xt_mark_mtinfo1 = {
	sizeof: 12,
	mark: 0,
	mask: 4,
	invert: 8,
};
