/*
 * uapi/linux/netfilter/xt_realm.ts: match realm.   Linux: uapi/linux/netfilter/xt_realm.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_realm_info = {
	sizeof: 12,
	id: 0,
	mask: 4,
	invert: 8,
};
