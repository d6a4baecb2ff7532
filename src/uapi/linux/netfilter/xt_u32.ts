/*
 * uapi/linux/netfilter/xt_u32.ts: match u32.   Linux: uapi/linux/netfilter/xt_u32.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_U32_MAXSIZE = 10;
export const XT_U32_AND = 0;
export const XT_U32_LEFTSH = 1;
export const XT_U32_RIGHTSH = 2;
export const XT_U32_AT = 3;

export const xt_u32_location_element = {
	sizeof: 8,
	number: 0,
	nextop: 4,
};

export const xt_u32_value_element = {
	sizeof: 8,
	min: 0,
	max: 4,
};

export const xt_u32_test = {
	sizeof: 180,
	location: 0,
	value: 88,
	nnums: 176,
	nvalues: 177,
};

export const xt_u32 = {
	sizeof: 1984,
	tests: 0,
	ntests: 1980,
	invert: 1981,
};
