/*
 * uapi/linux/netfilter/xt_helper.ts: match helper.   Linux: uapi/linux/netfilter/xt_helper.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_helper_info = {
	sizeof: 36,
	invert: 0,
	name: 4,
};
