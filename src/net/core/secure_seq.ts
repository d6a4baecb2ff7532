/*
 * net/core/secure_seq.ts: numbers that a stranger cannot guess.    Linux: net/core/secure_seq.c
 * RFC 6528 (initial sequence numbers), RFC 7323 7.1 and 5.4 (time stamps' offset), RFC 6056 3.3.3 (ports).
 */
import { siphash_u32 } from '../../lib/siphash.ts';
import type { net } from './net_namespace.ts';

/** ISN of a connection: a clock of 64 ns ticks on a secret offset of its own. Return: int32. */
export function secure_tcp_seq(n: net, saddr: number, daddr: number, sport: number, dport: number): number {
	const hash = siphash_u32(n.ipv4.tcp_hashinfo.net_secret, saddr, daddr, (sport << 16) | dport, 0, 3);
	return (hash + Math.floor(n.machine.clock.now / 64)) | 0;
}

/** Offset of a connection's time stamps (ports count, as 6.18 is seen to do); none unless net.ipv4.tcp_timestamps is 1. Return: int32. */
export function secure_tcp_ts_off(n: net, saddr: number, daddr: number, sport: number, dport: number): number {
	if (n.ipv4.sysctl_tcp_timestamps !== 1) return 0;
	return siphash_u32(n.ipv4.tcp_hashinfo.ts_secret, saddr, daddr, (sport << 16) | dport, 0, 3);
}

/** Where to begin looking for a local port to a destination. Return: 42 bits of hash. */
export function secure_ipv4_port_ephemeral(n: net, saddr: number, daddr: number, dport: number): number {
	const key = n.ipv4.tcp_hashinfo.net_secret;
	const lo = siphash_u32(key, saddr, daddr, dport, 0, 4);
	return (lo & 0x3ff) + (key.hi >>> 0) * 0x400;
}
