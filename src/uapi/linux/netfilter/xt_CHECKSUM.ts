/*
 * uapi/linux/netfilter/xt_CHECKSUM.ts: target CHECKSUM.   Linux: uapi/linux/netfilter/xt_CHECKSUM.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_CHECKSUM_OP_FILL = 1;

export const xt_CHECKSUM_info = {
	sizeof: 1,
	operation: 0,
};
