/*
 * uapi/linux/netfilter/xt_iprange.ts: match iprange.   Linux: uapi/linux/netfilter/xt_iprange.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const IPRANGE_SRC = 1;
export const IPRANGE_DST = 2;
export const IPRANGE_SRC_INV = 16;
export const IPRANGE_DST_INV = 32;

export const xt_iprange_mtinfo = {
	sizeof: 68,
	src_min: 0,
	src_max: 16,
	dst_min: 32,
	dst_max: 48,
	flags: 64,
};
