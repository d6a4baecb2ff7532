/*
 * uapi/linux/netfilter/nf_nat.ts: NAT ranges.   Linux: uapi/linux/netfilter/nf_nat.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const NF_NAT_RANGE_MAP_IPS = 1;
export const NF_NAT_RANGE_PROTO_SPECIFIED = 2;
export const NF_NAT_RANGE_PROTO_RANDOM = 4;
export const NF_NAT_RANGE_PERSISTENT = 8;
export const NF_NAT_RANGE_PROTO_RANDOM_FULLY = 16;
export const NF_NAT_RANGE_PROTO_OFFSET = 32;
export const NF_NAT_RANGE_NETMAP = 64;
export const NF_NAT_RANGE_PROTO_RANDOM_ALL = 20;
export const NF_NAT_RANGE_MASK = 127;

export const nf_nat_ipv4_range = {
	sizeof: 16,
	flags: 0,
	min_ip: 4,
	max_ip: 8,
	min: 12,
	max: 14,
};

export const nf_nat_ipv4_multi_range_compat = {
	sizeof: 20,
	rangesize: 0,
	range: 4,
};

export const nf_nat_range = {
	sizeof: 40,
	flags: 0,
	min_addr: 4,
	max_addr: 20,
	min_proto: 36,
	max_proto: 38,
};

export const nf_nat_range2 = {
	sizeof: 44,
	flags: 0,
	min_addr: 4,
	max_addr: 20,
	min_proto: 36,
	max_proto: 38,
	base_proto: 40,
};
