/*
 * uapi/linux/netfilter/xt_rpfilter.ts: match rpfilter.   Linux: uapi/linux/netfilter/xt_rpfilter.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_RPFILTER_LOOSE = 1;
export const XT_RPFILTER_VALID_MARK = 2;
export const XT_RPFILTER_ACCEPT_LOCAL = 4;
export const XT_RPFILTER_INVERT = 8;

export const xt_rpfilter_info = {
	sizeof: 1,
	flags: 0,
};
