/*
 * uapi/linux/netfilter/xt_limit.ts: match limit.   Linux: uapi/linux/netfilter/xt_limit.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_LIMIT_SCALE = 10000;

export const xt_rateinfo = {
	sizeof: 40,
	avg: 0,
	burst: 4,
	prev: 8,
	credit: 16,
	credit_cap: 20,
	cost: 24,
	master: 32,
};
