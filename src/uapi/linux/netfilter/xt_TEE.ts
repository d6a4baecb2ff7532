/*
 * uapi/linux/netfilter/xt_TEE.ts: target TEE.   Linux: uapi/linux/netfilter/xt_TEE.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_tee_tginfo = {
	sizeof: 40,
	gw: 0,
	oif: 16,
	priv: 32,
};
