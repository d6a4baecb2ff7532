/*
 * uapi/linux/netfilter/xt_bpf.ts: match bpf.   Linux: uapi/linux/netfilter/xt_bpf.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_BPF_MAX_NUM_INSTR = 64;
export const XT_BPF_MODE_BYTECODE = 0;

export const xt_bpf_info_v1 = {
	sizeof: 528,
	mode: 0,
	elem_num: 2,
	fd: 4,
	program: 8,
	filter: 520,
};
