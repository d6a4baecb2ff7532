/*
 * uapi/linux/netfilter/xt_devgroup.ts: match devgroup.   Linux: uapi/linux/netfilter/xt_devgroup.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_DEVGROUP_MATCH_SRC = 1;
export const XT_DEVGROUP_INVERT_SRC = 2;
export const XT_DEVGROUP_MATCH_DST = 4;
export const XT_DEVGROUP_INVERT_DST = 8;

export const xt_devgroup_info = {
	sizeof: 20,
	flags: 0,
	src_group: 4,
	src_mask: 8,
	dst_group: 12,
	dst_mask: 16,
};
