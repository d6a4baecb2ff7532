/*
 * net/ipv4/syncookies.ts: a listener that keeps nothing of a SYN.      Linux: net/ipv4/syncookies.c
 */
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_options_received, tcp_request_sock } from './tcp_sock.ts';

/** ns to use as the SYN-ACK's time, whose time stamp says what the SYN offered. */
export function cookie_init_timestamp(req: tcp_request_sock, now: number): number {
	return now;
}
/** Whether a time stamp that comes back says that options were agreed, which it writes to `opt`. */
export function cookie_timestamp_decode(net: net, opt: tcp_options_received): boolean {
	return false;
}
export function cookie_v4_init_sequence(skb: sk_buff, mssp: { v: number }): number {
	return 0;
}
/** An ACK to a listener: the child when it completes a cookie's handshake, `sk` when it is no ACK of a cookie, null when it is to be dropped. */
export function cookie_v4_check(sk: sock, skb: sk_buff): sock | null {
	return sk;
}
/** Remembers that cookies were sent (tcp_synq_overflow). */
export function tcp_synq_overflow(sk: sock): void {}
export function tcp_synq_no_recent_overflow(sk: sock): boolean {
	return true;
}
