/*
 * uapi/linux/netfilter/xt_NFQUEUE.ts: target NFQUEUE.   Linux: uapi/linux/netfilter/xt_NFQUEUE.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const NFQ_FLAG_BYPASS = 1;
export const NFQ_FLAG_CPU_FANOUT = 2;
export const NFQ_FLAG_MASK = 3;

export const xt_NFQ_info = {
	sizeof: 2,
	queuenum: 0,
};

export const xt_NFQ_info_v1 = {
	sizeof: 4,
	queuenum: 0,
	queues_total: 2,
};

export const xt_NFQ_info_v2 = {
	sizeof: 6,
	queuenum: 0,
	queues_total: 2,
	bypass: 4,
};

export const xt_NFQ_info_v3 = {
	sizeof: 6,
	queuenum: 0,
	queues_total: 2,
	flags: 4,
};
