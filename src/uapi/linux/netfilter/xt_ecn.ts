/*
 * uapi/linux/netfilter/xt_ecn.ts: match ecn.   Linux: uapi/linux/netfilter/xt_ecn.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_ECN_IP_MASK = -253;
export const XT_ECN_OP_MATCH_IP = 1;
export const XT_ECN_OP_MATCH_ECE = 16;
export const XT_ECN_OP_MATCH_CWR = 32;
export const XT_ECN_OP_MATCH_MASK = 206;

export const xt_ecn_info = {
	sizeof: 4,
	operation: 0,
	invert: 1,
	ip_ect: 2,
	tcp_ect: 3,
};
