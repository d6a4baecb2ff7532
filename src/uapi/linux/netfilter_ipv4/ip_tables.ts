/*
 * uapi/linux/netfilter_ipv4/ip_tables.ts: the tables of IPv4: rules, socket options.   Linux: uapi/linux/netfilter_ipv4/ip_tables.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const IPT_FUNCTION_MAXNAMELEN = 30;
export const IPT_TABLE_MAXNAMELEN = 32;
export const IPT_CONTINUE = 4294967295;
export const IPT_RETURN = -5;
export const IPT_TCP_INV_SRCPT = 1;
export const IPT_TCP_INV_DSTPT = 2;
export const IPT_TCP_INV_FLAGS = 4;
export const IPT_TCP_INV_OPTION = 8;
export const IPT_TCP_INV_MASK = 15;
export const IPT_UDP_INV_SRCPT = 1;
export const IPT_UDP_INV_DSTPT = 2;
export const IPT_UDP_INV_MASK = 3;
export const IPT_F_FRAG = 1;
export const IPT_F_GOTO = 2;
export const IPT_F_MASK = 3;
export const IPT_INV_VIA_IN = 1;
export const IPT_INV_VIA_OUT = 2;
export const IPT_INV_TOS = 4;
export const IPT_INV_SRCIP = 8;
export const IPT_INV_DSTIP = 16;
export const IPT_INV_FRAG = 32;
export const IPT_INV_PROTO = 64;
export const IPT_INV_MASK = 127;
export const IPT_BASE_CTL = 64;
export const IPT_SO_SET_REPLACE = 64;
export const IPT_SO_SET_ADD_COUNTERS = 65;
export const IPT_SO_SET_MAX = 65;
export const IPT_SO_GET_INFO = 64;
export const IPT_SO_GET_ENTRIES = 65;
export const IPT_SO_GET_REVISION_MATCH = 66;
export const IPT_SO_GET_REVISION_TARGET = 67;
export const IPT_SO_GET_MAX = 67;
export const IPT_ICMP_INV = 1;

export const ipt_ip = {
	sizeof: 84,
	src: 0,
	dst: 4,
	smsk: 8,
	dmsk: 12,
	iniface: 16,
	outiface: 32,
	iniface_mask: 48,
	outiface_mask: 64,
	proto: 80,
	flags: 82,
	invflags: 83,
};

export const ipt_entry = {
	sizeof: 112,
	ip: 0,
	nfcache: 84,
	target_offset: 88,
	next_offset: 90,
	comefrom: 92,
	counters: 96,
	elems: 112,
};

export const ipt_icmp = {
	sizeof: 4,
	type: 0,
	code: 1,
	invflags: 3,
};

export const ipt_getinfo = {
	sizeof: 84,
	name: 0,
	valid_hooks: 32,
	hook_entry: 36,
	underflow: 56,
	num_entries: 76,
	size: 80,
};

export const ipt_replace = {
	sizeof: 96,
	name: 0,
	valid_hooks: 32,
	num_entries: 36,
	size: 40,
	hook_entry: 44,
	underflow: 64,
	num_counters: 84,
	counters: 88,
	entries: 96,
};

export const ipt_get_entries = {
	sizeof: 40,
	name: 0,
	size: 32,
	entrytable: 40,
};
