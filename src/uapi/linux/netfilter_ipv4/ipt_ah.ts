/*
 * uapi/linux/netfilter_ipv4/ipt_ah.ts: match ah.   Linux: uapi/linux/netfilter_ipv4/ipt_ah.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const IPT_AH_INV_SPI = 1;
export const IPT_AH_INV_MASK = 1;

export const ipt_ah = {
	sizeof: 12,
	spis: 0,
	invflags: 8,
};
