/*
 * net/core/secure_seq.ts: numbers that a stranger cannot guess.    Linux: net/core/secure_seq.c
 */
import type { net } from './net_namespace.ts';

/** ISN of a connection (RFC 6528). Return: int32. */
export function secure_tcp_seq(net: net, saddr: number, daddr: number, sport: number, dport: number): number {
	return 0;
}
/** Offset of a pair of hosts' time stamps. */
export function secure_tcp_ts_off(net: net, saddr: number, daddr: number): number {
	return 0;
}
/** Where to begin looking for a local port (RFC 6056 3.3.3). */
export function secure_ipv4_port_ephemeral(net: net, saddr: number, daddr: number, dport: number): number {
	return 0;
}
