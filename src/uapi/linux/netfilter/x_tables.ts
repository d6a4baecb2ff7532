/*
 * uapi/linux/netfilter/x_tables.ts: what every table, match and target shares with userland.   Linux: uapi/linux/netfilter/x_tables.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_FUNCTION_MAXNAMELEN = 30;
export const XT_EXTENSION_MAXNAMELEN = 29;
export const XT_TABLE_MAXNAMELEN = 32;
export const XT_RETURN = -5;
export const XT_STANDARD_TARGET = '';
export const XT_ERROR_TARGET = 'ERROR';
export const XT_INV_PROTO = 64;

export const xt_entry_match = {
	sizeof: 32,
	match_size: 0,
	name: 2,
	revision: 31,
	data: 32,
};

export const xt_entry_target = {
	sizeof: 32,
	target_size: 0,
	name: 2,
	revision: 31,
	data: 32,
};

export const xt_standard_target = {
	sizeof: 40,
	target: 0,
	verdict: 32,
};

export const xt_error_target = {
	sizeof: 64,
	target: 0,
	errorname: 32,
};

export const xt_get_revision = {
	sizeof: 30,
	name: 0,
	revision: 29,
};

export const xt_counters = {
	sizeof: 16,
	pcnt: 0,
	bcnt: 8,
};

export const xt_counters_info = {
	sizeof: 40,
	name: 0,
	num_counters: 32,
	counters: 40,
};

/** Rounds a struct's size up to the alignment that rules are laid out by. */
export function XT_ALIGN(size: number): number {
	return (size + 7) & ~7;
}
