/*
 * uapi/linux/tcp_metrics.ts: the generic netlink family of what TCP remembers of paths.    Linux: uapi/linux/tcp_metrics.h
 * ip-tcp_metrics(8).
 */

export const TCP_METRICS_GENL_NAME = 'tcp_metrics';
export const TCP_METRICS_GENL_VERSION = 1;

/** Index of a value. The first five are kept; RTT is us << 3 and its deviation us << 2, told in ms and in us. */
export const TCP_METRIC_RTT = 0;
export const TCP_METRIC_RTTVAR = 1;
export const TCP_METRIC_SSTHRESH = 2;
export const TCP_METRIC_CWND = 3;
export const TCP_METRIC_REORDERING = 4;
export const TCP_METRIC_RTT_US = 5;
export const TCP_METRIC_RTTVAR_US = 6;
export const TCP_METRIC_MAX_KERNEL = TCP_METRIC_REORDERING;
export const TCP_METRIC_MAX = TCP_METRIC_RTTVAR_US;

export const TCP_METRICS_ATTR_UNSPEC = 0;
/** In network order. */
export const TCP_METRICS_ATTR_ADDR_IPV4 = 1;
export const TCP_METRICS_ATTR_ADDR_IPV6 = 2;
/** ms, 64 bits. */
export const TCP_METRICS_ATTR_AGE = 3;
/** Values: attributes of index + 1, 32 bits. */
export const TCP_METRICS_ATTR_VALS = 6;
export const TCP_METRICS_ATTR_FOPEN_MSS = 7;
export const TCP_METRICS_ATTR_FOPEN_SYN_DROPS = 8;
export const TCP_METRICS_ATTR_FOPEN_SYN_DROP_TS = 9;
export const TCP_METRICS_ATTR_FOPEN_COOKIE = 10;
export const TCP_METRICS_ATTR_SADDR_IPV4 = 11;
export const TCP_METRICS_ATTR_SADDR_IPV6 = 12;
export const TCP_METRICS_ATTR_PAD = 13;
export const TCP_METRICS_ATTR_MAX = 13;

export const TCP_METRICS_CMD_GET = 1;
export const TCP_METRICS_CMD_DEL = 2;
