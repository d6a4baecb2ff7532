/*
 * uapi/linux/pkt_sched.ts: options of qdiscs.   Linux: uapi/linux/pkt_sched.h
 */

export const TCA_FQ_PLIMIT = 1;
export const TCA_FQ_FLOW_PLIMIT = 2;
export const TCA_FQ_QUANTUM = 3;
export const TCA_FQ_INITIAL_QUANTUM = 4;
export const TCA_FQ_RATE_ENABLE = 5;
export const TCA_FQ_FLOW_MAX_RATE = 7;
export const TCA_FQ_BUCKETS_LOG = 8;
export const TCA_FQ_FLOW_REFILL_DELAY = 9;
export const TCA_FQ_ORPHAN_MASK = 10;
export const TCA_FQ_LOW_RATE_THRESHOLD = 11;
export const TCA_FQ_TIMER_SLACK = 13;
export const TCA_FQ_HORIZON = 14;
export const TCA_FQ_HORIZON_DROP = 15;
export const TCA_FQ_MAX = 17;
