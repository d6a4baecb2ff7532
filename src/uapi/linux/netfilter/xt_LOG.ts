/*
 * uapi/linux/netfilter/xt_LOG.ts: target LOG.   Linux: uapi/linux/netfilter/xt_LOG.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_LOG_TCPSEQ = 1;
export const XT_LOG_TCPOPT = 2;
export const XT_LOG_IPOPT = 4;
export const XT_LOG_UID = 8;
export const XT_LOG_NFLOG = 16;
export const XT_LOG_MACDECODE = 32;
export const XT_LOG_MASK = 47;

export const xt_log_info = {
	sizeof: 32,
	level: 0,
	logflags: 1,
	prefix: 2,
};
