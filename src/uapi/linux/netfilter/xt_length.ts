/*
 * uapi/linux/netfilter/xt_length.ts: match length.   Linux: uapi/linux/netfilter/xt_length.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_length_info = {
	sizeof: 6,
	min: 0,
	max: 2,
	invert: 4,
};
