/*
 * uapi/linux/netfilter/xt_DSCP.ts: targets DSCP and TOS.   Linux: uapi/linux/netfilter/xt_DSCP.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_DSCP_info = {
	sizeof: 1,
	dscp: 0,
};

export const xt_tos_target_info = {
	sizeof: 2,
	tos_value: 0,
	tos_mask: 1,
};
