/*
 * uapi/linux/netfilter/xt_set.ts: match set.   Linux: uapi/linux/netfilter/xt_set.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const IPSET_SRC = 1;
export const IPSET_DST = 2;
export const IPSET_MATCH_INV = 4;

export const xt_set_info = {
	sizeof: 4,
	index: 0,
	dim: 2,
	flags: 3,
};

export const xt_set_info_match_v1 = {
	sizeof: 4,
	match_set: 0,
};

export const xt_set_info_target_v1 = {
	sizeof: 8,
	add_set: 0,
	del_set: 4,
};

export const xt_set_info_target_v2 = {
	sizeof: 16,
	add_set: 0,
	del_set: 4,
	flags: 8,
	timeout: 12,
};

export const xt_set_info_match_v3 = {
	sizeof: 48,
	match_set: 0,
	packets: 8,
	bytes: 24,
	flags: 40,
};

export const xt_set_info_target_v3 = {
	sizeof: 20,
	add_set: 0,
	del_set: 4,
	map_set: 8,
	flags: 12,
	timeout: 16,
};

export const xt_set_info_match_v4 = {
	sizeof: 48,
	match_set: 0,
	packets: 8,
	bytes: 24,
	flags: 40,
};
