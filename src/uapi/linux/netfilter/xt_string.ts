/*
 * uapi/linux/netfilter/xt_string.ts: match string.   Linux: uapi/linux/netfilter/xt_string.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_STRING_MAX_PATTERN_SIZE = 128;
export const XT_STRING_MAX_ALGO_NAME_SIZE = 16;
export const XT_STRING_FLAG_INVERT = 1;
export const XT_STRING_FLAG_IGNORECASE = 2;

export const xt_string_info = {
	sizeof: 160,
	from_offset: 0,
	to_offset: 2,
	algo: 4,
	pattern: 20,
	patlen: 148,
	v1_flags: 149,
	config: 152,
};
