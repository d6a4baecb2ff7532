/*
 * uapi/linux/netfilter/xt_ipcomp.ts: match ipcomp.   Linux: uapi/linux/netfilter/xt_ipcomp.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_IPCOMP_INV_SPI = 1;
export const XT_IPCOMP_INV_MASK = 1;

export const xt_ipcomp = {
	sizeof: 12,
	spis: 0,
	invflags: 8,
	hdrres: 9,
};
