/*
 * uapi/linux/netfilter/xt_AUDIT.ts: target AUDIT.   Linux: uapi/linux/netfilter/xt_AUDIT.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_AUDIT_TYPE_MAX = 2;

export const xt_audit_info = {
	sizeof: 1,
	type: 0,
};
