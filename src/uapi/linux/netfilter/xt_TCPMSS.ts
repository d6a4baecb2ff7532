/*
 * uapi/linux/netfilter/xt_TCPMSS.ts: target TCPMSS.   Linux: uapi/linux/netfilter/xt_TCPMSS.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_TCPMSS_CLAMP_PMTU = 65535;

export const xt_tcpmss_info = {
	sizeof: 2,
	mss: 0,
};
