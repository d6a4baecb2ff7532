/*
 * net/ipv4/tcp_metrics.ts: what is remembered of the paths to peers.      Linux: net/ipv4/tcp_metrics.c
 */

/** Entries of one namespace by address pair. */
export class tcp_metrics_table {
	entries: Map<number, unknown> = new Map();
}
