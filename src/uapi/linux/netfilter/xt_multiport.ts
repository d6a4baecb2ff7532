/*
 * uapi/linux/netfilter/xt_multiport.ts: match multiport.   Linux: uapi/linux/netfilter/xt_multiport.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_MULTI_PORTS = 15;
export const XT_MULTIPORT_SOURCE = 0;
export const XT_MULTIPORT_DESTINATION = 1;
export const XT_MULTIPORT_EITHER = 2;

export const xt_multiport = {
	sizeof: 32,
	flags: 0,
	count: 1,
	ports: 2,
};

export const xt_multiport_v1 = {
	sizeof: 48,
	flags: 0,
	count: 1,
	ports: 2,
	pflags: 32,
	invert: 47,
};
