/*
 * uapi/linux/netfilter/xt_dccp.ts: match dccp.   Linux: uapi/linux/netfilter/xt_dccp.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_DCCP_SRC_PORTS = 1;
export const XT_DCCP_DEST_PORTS = 2;
export const XT_DCCP_TYPE = 4;
export const XT_DCCP_OPTION = 8;
export const XT_DCCP_VALID_FLAGS = 15;

export const xt_dccp_info = {
	sizeof: 16,
	dpts: 0,
	spts: 4,
	flags: 8,
	invflags: 10,
	typemask: 12,
	option: 14,
};
