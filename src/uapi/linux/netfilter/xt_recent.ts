/*
 * uapi/linux/netfilter/xt_recent.ts: match recent.   Linux: uapi/linux/netfilter/xt_recent.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_RECENT_MODIFIERS = 48;
export const XT_RECENT_VALID_FLAGS = 63;
export const XT_RECENT_CHECK = 1;
export const XT_RECENT_SET = 2;
export const XT_RECENT_UPDATE = 4;
export const XT_RECENT_REMOVE = 8;
export const XT_RECENT_TTL = 16;
export const XT_RECENT_REAP = 32;
export const XT_RECENT_SOURCE = 0;
export const XT_RECENT_DEST = 1;
export const XT_RECENT_NAME_LEN = 200;

export const xt_recent_mtinfo = {
	sizeof: 212,
	seconds: 0,
	hit_count: 4,
	check_set: 8,
	invert: 9,
	name: 10,
	side: 210,
};

export const xt_recent_mtinfo_v1 = {
	sizeof: 228,
	seconds: 0,
	hit_count: 4,
	check_set: 8,
	invert: 9,
	name: 10,
	side: 210,
	mask: 212,
};
