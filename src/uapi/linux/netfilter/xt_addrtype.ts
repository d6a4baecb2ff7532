/*
 * uapi/linux/netfilter/xt_addrtype.ts: match addrtype.   Linux: uapi/linux/netfilter/xt_addrtype.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_ADDRTYPE_INVERT_SOURCE = 1;
export const XT_ADDRTYPE_INVERT_DEST = 2;
export const XT_ADDRTYPE_LIMIT_IFACE_IN = 4;
export const XT_ADDRTYPE_LIMIT_IFACE_OUT = 8;
export const XT_ADDRTYPE_UNSPEC = 1;
export const XT_ADDRTYPE_UNICAST = 2;
export const XT_ADDRTYPE_LOCAL = 4;
export const XT_ADDRTYPE_BROADCAST = 8;
export const XT_ADDRTYPE_ANYCAST = 16;
export const XT_ADDRTYPE_MULTICAST = 32;
export const XT_ADDRTYPE_BLACKHOLE = 64;
export const XT_ADDRTYPE_UNREACHABLE = 128;
export const XT_ADDRTYPE_PROHIBIT = 256;
export const XT_ADDRTYPE_THROW = 512;
export const XT_ADDRTYPE_NAT = 1024;
export const XT_ADDRTYPE_XRESOLVE = 2048;

export const xt_addrtype_info_v1 = {
	sizeof: 8,
	source: 0,
	dest: 2,
	flags: 4,
};

export const xt_addrtype_info = {
	sizeof: 12,
	source: 0,
	dest: 2,
	invert_source: 4,
	invert_dest: 8,
};
