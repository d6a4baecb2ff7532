/*
 * uapi/linux/netfilter/xt_quota.ts: match quota.   Linux: uapi/linux/netfilter/xt_quota.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_QUOTA_MASK = 1;
export const XT_QUOTA_INVERT = 1;

export const xt_quota_info = {
	sizeof: 24,
	flags: 0,
	pad: 4,
	quota: 8,
	master: 16,
};
