/*
 * uapi/linux/netfilter/xt_mac.ts: match mac.   Linux: uapi/linux/netfilter/xt_mac.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_mac_info = {
	sizeof: 12,
	srcaddr: 0,
	invert: 8,
};
