/*
 * uapi/linux/netfilter/xt_statistic.ts: match statistic.   Linux: uapi/linux/netfilter/xt_statistic.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_STATISTIC_MODE_MAX = 1;
export const XT_STATISTIC_MASK = 1;
export const XT_STATISTIC_MODE_RANDOM = 0;
export const XT_STATISTIC_MODE_NTH = 1;
export const XT_STATISTIC_INVERT = 1;

export const xt_statistic_info = {
	sizeof: 24,
	mode: 0,
	flags: 2,
	probability: 4,
	every: 4,
	packet: 8,
	count: 12,
	master: 16,
};
