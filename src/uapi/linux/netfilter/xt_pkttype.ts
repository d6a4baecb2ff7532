/*
 * uapi/linux/netfilter/xt_pkttype.ts: match pkttype.   Linux: uapi/linux/netfilter/xt_pkttype.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_pkttype_info = {
	sizeof: 8,
	pkttype: 0,
	invert: 4,
};
