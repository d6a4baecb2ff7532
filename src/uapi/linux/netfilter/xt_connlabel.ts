/*
 * uapi/linux/netfilter/xt_connlabel.ts: match connlabel.   Linux: uapi/linux/netfilter/xt_connlabel.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_CONNLABEL_OP_INVERT = 1;
export const XT_CONNLABEL_OP_SET = 2;
export const XT_CONNLABEL_MAXBIT = 127;

export const xt_connlabel_mtinfo = {
	sizeof: 4,
	bit: 0,
	options: 2,
};
