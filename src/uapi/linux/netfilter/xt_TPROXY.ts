/*
 * uapi/linux/netfilter/xt_TPROXY.ts: target TPROXY.   Linux: uapi/linux/netfilter/xt_TPROXY.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_tproxy_target_info = {
	sizeof: 16,
	mark_mask: 0,
	mark_value: 4,
	laddr: 8,
	lport: 12,
};

export const xt_tproxy_target_info_v1 = {
	sizeof: 28,
	mark_mask: 0,
	mark_value: 4,
	laddr: 8,
	lport: 24,
};
