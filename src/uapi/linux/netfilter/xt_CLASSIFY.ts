/*
 * uapi/linux/netfilter/xt_CLASSIFY.ts: target CLASSIFY.   Linux: uapi/linux/netfilter/xt_CLASSIFY.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_classify_target_info = {
	sizeof: 4,
	priority: 0,
};
