/*
 * uapi/linux/netfilter/xt_SECMARK.ts: targets SECMARK and CONNSECMARK.   Linux: uapi/linux/netfilter/xt_SECMARK.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const SECMARK_MODE_SEL = 1;
export const SECMARK_SECCTX_MAX = 256;
export const CONNSECMARK_SAVE = 1;
export const CONNSECMARK_RESTORE = 2;

export const xt_secmark_target_info_v1 = {
	sizeof: 264,
	mode: 0,
	secctx: 1,
	secid: 260,
};

/** One byte, as it is sent. */
export const xt_connsecmark_target_info = {
	sizeof: 1,
	mode: 0,
};
