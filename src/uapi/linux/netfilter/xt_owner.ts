/*
 * uapi/linux/netfilter/xt_owner.ts: match owner.   Linux: uapi/linux/netfilter/xt_owner.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_OWNER_MASK = 15;
export const XT_OWNER_UID = 1;
export const XT_OWNER_GID = 2;
export const XT_OWNER_SOCKET = 4;
export const XT_OWNER_SUPPL_GROUPS = 8;

export const xt_owner_match_info = {
	sizeof: 20,
	uid_min: 0,
	uid_max: 4,
	gid_min: 8,
	gid_max: 12,
	match: 16,
	invert: 17,
};
