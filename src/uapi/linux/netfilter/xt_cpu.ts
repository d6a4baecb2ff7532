/*
 * uapi/linux/netfilter/xt_cpu.ts: match cpu.   Linux: uapi/linux/netfilter/xt_cpu.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_cpu_info = {
	sizeof: 8,
	cpu: 0,
	invert: 4,
};
