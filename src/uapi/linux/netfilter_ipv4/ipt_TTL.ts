/*
 * uapi/linux/netfilter_ipv4/ipt_TTL.ts: target TTL.   Linux: uapi/linux/netfilter_ipv4/ipt_TTL.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const IPT_TTL_MAXMODE = 2;
export const IPT_TTL_SET = 0;
export const IPT_TTL_INC = 1;
export const IPT_TTL_DEC = 2;

export const ipt_TTL_info = {
	sizeof: 2,
	mode: 0,
	ttl: 1,
};
