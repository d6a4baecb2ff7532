/*
 * uapi/linux/netfilter/xt_NFLOG.ts: target NFLOG.   Linux: uapi/linux/netfilter/xt_NFLOG.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_NFLOG_DEFAULT_GROUP = 1;
export const XT_NFLOG_DEFAULT_THRESHOLD = 0;
export const XT_NFLOG_MASK = 1;
export const XT_NFLOG_F_COPY_LEN = 1;

export const xt_nflog_info = {
	sizeof: 76,
	len: 0,
	group: 4,
	threshold: 6,
	flags: 8,
	pad: 10,
	prefix: 12,
};
