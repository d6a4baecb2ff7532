/*
 * uapi/linux/netfilter_ipv4/ipt_ECN.ts: target ECN.   Linux: uapi/linux/netfilter_ipv4/ipt_ECN.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const IPT_ECN_OP_SET_IP = 0x01;
export const IPT_ECN_OP_SET_ECE = 0x10;
export const IPT_ECN_OP_SET_CWR = 0x20;
export const IPT_ECN_OP_MASK = 0xce;

export const ipt_ECN_info = {
	sizeof: 3,
	operation: 0,
	ip_ect: 1,
	/** Bit 0: ECE, bit 1: CWR. */
	tcp: 2,
};
