/*
 * uapi/linux/netfilter/xt_CT.ts: target CT.   Linux: uapi/linux/netfilter/xt_CT.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_CT_NOTRACK = 1;
export const XT_CT_NOTRACK_ALIAS = 2;
export const XT_CT_ZONE_DIR_ORIG = 4;
export const XT_CT_ZONE_DIR_REPL = 8;
export const XT_CT_ZONE_MARK = 16;
export const XT_CT_MASK = 31;

export const xt_ct_target_info = {
	sizeof: 40,
	flags: 0,
	zone: 2,
	ct_events: 4,
	exp_events: 8,
	helper: 12,
	ct: 32,
};

export const xt_ct_target_info_v1 = {
	sizeof: 72,
	flags: 0,
	zone: 2,
	ct_events: 4,
	exp_events: 8,
	helper: 12,
	timeout: 28,
	ct: 64,
};
