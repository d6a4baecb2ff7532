/*
 * uapi/linux/netfilter_ipv4/ipt_ttl.ts: match ttl.   Linux: uapi/linux/netfilter_ipv4/ipt_ttl.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const IPT_TTL_EQ = 0;
export const IPT_TTL_NE = 1;
export const IPT_TTL_LT = 2;
export const IPT_TTL_GT = 3;

export const ipt_ttl_info = {
	sizeof: 2,
	mode: 0,
	ttl: 1,
};
export const IPT_TTL_MAXMODE = 2;
export const IPT_TTL_SET = 0;
export const IPT_TTL_INC = 1;
export const IPT_TTL_DEC = 2;

export const ipt_TTL_info = {
	sizeof: 2,
	mode: 0,
	ttl: 1,
};
