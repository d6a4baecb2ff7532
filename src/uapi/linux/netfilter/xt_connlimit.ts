/*
 * uapi/linux/netfilter/xt_connlimit.ts: match connlimit.   Linux: uapi/linux/netfilter/xt_connlimit.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_CONNLIMIT_INVERT = 1;
export const XT_CONNLIMIT_DADDR = 2;

export const xt_connlimit_info = {
	sizeof: 32,
	mask: 0,
	limit: 16,
	flags: 20,
};
