/*
 * uapi/linux/netfilter/xt_tcpudp.ts: matches tcp and udp.   Linux: uapi/linux/netfilter/xt_tcpudp.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_TCP_INV_SRCPT = 1;
export const XT_TCP_INV_DSTPT = 2;
export const XT_TCP_INV_FLAGS = 4;
export const XT_TCP_INV_OPTION = 8;
export const XT_TCP_INV_MASK = 15;
export const XT_UDP_INV_SRCPT = 1;
export const XT_UDP_INV_DSTPT = 2;
export const XT_UDP_INV_MASK = 3;

export const xt_tcp = {
	sizeof: 12,
	spts: 0,
	dpts: 4,
	option: 8,
	flg_mask: 9,
	flg_cmp: 10,
	invflags: 11,
};

export const xt_udp = {
	sizeof: 10,
	spts: 0,
	dpts: 4,
	invflags: 8,
};
