/*
 * uapi/linux/netfilter/xt_tcpmss.ts: match tcpmss.   Linux: uapi/linux/netfilter/xt_tcpmss.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_tcpmss_match_info = {
	sizeof: 6,
	mss_min: 0,
	mss_max: 2,
	invert: 4,
};

export const XT_TCPMSS_CLAMP_PMTU = 65535;

export const xt_tcpmss_info = {
	sizeof: 2,
	mss: 0,
};
