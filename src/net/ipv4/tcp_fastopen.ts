/*
 * net/ipv4/tcp_fastopen.ts: data in the SYN.                           Linux: net/ipv4/tcp_fastopen.c
 * RFC 7413.
 */
import type { dst_entry } from '../core/dst.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_fastopen_cookie, tcp_request_sock } from './tcp_sock.ts';

/** sysctl_tcp_fastopen. */
export const TFO_CLIENT_ENABLE = 1;
export const TFO_SERVER_ENABLE = 2;
export const TFO_CLIENT_NO_COOKIE = 4;
export const TFO_SERVER_COOKIE_NOT_REQD = 0x200;
export const TFO_SERVER_WO_SOCKOPT1 = 0x400;

export function tcp_fastopen_init_key_once(net: net): void {}
/** Keys of 16 bytes; `sk` null: the namespace's. Return: 0. */
export function tcp_fastopen_reset_cipher(
	net: net,
	sk: sock | null,
	primary_key: Uint8Array,
	backup_key: Uint8Array | null,
): number {
	return 0;
}
export function tcp_fastopen_destroy_cipher(sk: sock): void {}
/** Return: the keys (16 bytes each, one after the other) of the socket or its namespace. */
export function tcp_fastopen_get_cipher(net: net, sk: sock | null): Uint8Array {
	return new Uint8Array(0);
}
export function tcp_fastopen_add_skb(sk: sock, skb: sk_buff): void {}
/** A SYN with the option came. Return: the child that has the data already, or null (`foc`: the cookie to answer with, len -1 for none). */
export function tcp_try_fastopen(
	sk: sock,
	skb: sk_buff,
	req: tcp_request_sock,
	foc: tcp_fastopen_cookie,
	dst: dst_entry | null,
): sock | null {
	return null;
}
/** Whether connect may put data in the SYN; fills in what is known of the peer. */
export function tcp_fastopen_cookie_check(sk: sock, mss: { v: number }, cookie: tcp_fastopen_cookie): boolean {
	return false;
}
/** TCP_FASTOPEN_CONNECT: whether connect waits for the first write. */
export function tcp_fastopen_defer_connect(sk: sock, err: { v: number }): boolean {
	return false;
}
export function fastopen_init_queue(sk: sock, backlog: number): void {}
export function tcp_fastopen_active_disable(sk: sock): void {}
export function tcp_fastopen_active_should_disable(sk: sock): boolean {
	return false;
}
export function tcp_fastopen_active_disable_ofo_check(sk: sock): void {}
export function tcp_fastopen_active_detect_blackhole(sk: sock, expired: boolean): void {}
/** The child of a Fast Open SYN is completed or gone. */
export function reqsk_fastopen_remove(sk: sock, req: tcp_request_sock, reset: boolean): void {}
