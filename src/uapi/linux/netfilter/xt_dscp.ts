/*
 * uapi/linux/netfilter/xt_dscp.ts: matches dscp and tos.   Linux: uapi/linux/netfilter/xt_dscp.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_DSCP_MASK = 252;
export const XT_DSCP_SHIFT = 2;
export const XT_DSCP_MAX = 63;

export const xt_dscp_info = {
	sizeof: 2,
	dscp: 0,
	invert: 1,
};

export const xt_tos_match_info = {
	sizeof: 3,
	tos_mask: 0,
	tos_value: 1,
	invert: 2,
};

export const xt_DSCP_info = {
	sizeof: 1,
	dscp: 0,
};

export const xt_tos_target_info = {
	sizeof: 2,
	tos_value: 0,
	tos_mask: 1,
};
