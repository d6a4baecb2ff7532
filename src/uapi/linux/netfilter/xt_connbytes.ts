/*
 * uapi/linux/netfilter/xt_connbytes.ts: match connbytes.   Linux: uapi/linux/netfilter/xt_connbytes.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_CONNBYTES_PKTS = 0;
export const XT_CONNBYTES_BYTES = 1;
export const XT_CONNBYTES_AVGPKT = 2;
export const XT_CONNBYTES_DIR_ORIGINAL = 0;
export const XT_CONNBYTES_DIR_REPLY = 1;
export const XT_CONNBYTES_DIR_BOTH = 2;

export const xt_connbytes_info = {
	sizeof: 24,
	from: 0,
	to: 8,
	what: 16,
	direction: 17,
};
