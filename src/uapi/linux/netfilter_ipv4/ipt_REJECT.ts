/*
 * uapi/linux/netfilter_ipv4/ipt_REJECT.ts: target REJECT.   Linux: uapi/linux/netfilter_ipv4/ipt_REJECT.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const IPT_ICMP_NET_UNREACHABLE = 0;
export const IPT_ICMP_HOST_UNREACHABLE = 1;
export const IPT_ICMP_PROT_UNREACHABLE = 2;
export const IPT_ICMP_PORT_UNREACHABLE = 3;
export const IPT_ICMP_ECHOREPLY = 4;
export const IPT_ICMP_NET_PROHIBITED = 5;
export const IPT_ICMP_HOST_PROHIBITED = 6;
export const IPT_TCP_RESET = 7;
export const IPT_ICMP_ADMIN_PROHIBITED = 8;

export const ipt_reject_info = {
	sizeof: 4,
	with: 0,
};
