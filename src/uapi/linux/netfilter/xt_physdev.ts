/*
 * uapi/linux/netfilter/xt_physdev.ts: match physdev.   Linux: uapi/linux/netfilter/xt_physdev.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_PHYSDEV_OP_IN = 1;
export const XT_PHYSDEV_OP_OUT = 2;
export const XT_PHYSDEV_OP_BRIDGED = 4;
export const XT_PHYSDEV_OP_ISIN = 8;
export const XT_PHYSDEV_OP_ISOUT = 16;
export const XT_PHYSDEV_OP_MASK = 31;

export const xt_physdev_info = {
	sizeof: 66,
	physindev: 0,
	in_mask: 16,
	physoutdev: 32,
	out_mask: 48,
	invert: 64,
	bitmask: 65,
};
