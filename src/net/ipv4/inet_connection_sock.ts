/*
 * net/ipv4/inet_connection_sock.ts: ports, listeners' queues, handshakes' timers.      Linux: net/ipv4/inet_connection_sock.c
 */
import type { timer_list } from '../../kernel/time.ts';
import type { dst_entry } from '../core/dst.ts';
import type { flowi4 } from '../core/flow.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_request_sock } from './tcp_sock.ts';

export function inet_csk_get_port(sk: sock, snum: number): number {
	return 0;
}
/** Return: the accepted child, or -errno (-EAGAIN: none yet). */
export function inet_csk_accept(sk: sock): sock | number {
	return -11;
}
export function inet_csk_init_xmit_timers(
	sk: sock,
	retransmit_handler: (t: timer_list) => void,
	delack_handler: (t: timer_list) => void,
	keepalive_handler: (t: timer_list) => void,
): void {}
export function inet_csk_clear_xmit_timers(sk: sock): void {}
/** `what`: ICSK_TIME_RETRANS, _PROBE0, … or ICSK_TIME_DACK. */
export function inet_csk_clear_xmit_timer(sk: sock, what: number): void {}
/** `when`: jiffies from now, at most `max_when`. */
export function inet_csk_reset_xmit_timer(sk: sock, what: number, when: number, max_when: number): void {}
export function inet_csk_delete_keepalive_timer(sk: sock): void {}
export function inet_csk_reset_keepalive_timer(sk: sock, len: number): void {}
export function inet_csk_route_req(sk: sock, fl4: flowi4, req: tcp_request_sock): dst_entry | null {
	return null;
}
export function inet_csk_route_child_sock(sk: sock, newsk: sock, req: tcp_request_sock): dst_entry | null {
	return null;
}
export function inet_rtx_syn_ack(parent: sock, req: tcp_request_sock): number {
	return 0;
}
/** A request for a SYN to `sk_listener`. */
export function inet_reqsk_alloc(sk_listener: sock): tcp_request_sock {
	throw new Error('not yet');
}
export function inet_csk_reqsk_queue_len(sk: sock): number {
	return 0;
}
export function inet_csk_reqsk_queue_is_full(sk: sock): boolean {
	return false;
}
export function sk_acceptq_is_full(sk: sock): boolean {
	return false;
}
export function reqsk_timeout(req: tcp_request_sock, max_timeout: number): number {
	return 0;
}
/** Hashes the request and starts its timer. Return: false when the same is there already. */
export function inet_csk_reqsk_queue_hash_add(sk: sock, req: tcp_request_sock): boolean {
	return true;
}
export function inet_csk_reqsk_queue_drop(sk: sock, req: tcp_request_sock): boolean {
	return true;
}
export function inet_csk_reqsk_queue_drop_and_put(sk: sock, req: tcp_request_sock): void {}
export function inet_csk_reqsk_queue_added(sk: sock): void {}
export function inet_csk_reqsk_queue_removed(sk: sock, req: tcp_request_sock): void {}
export function inet_csk_reqsk_queue_add(sk: sock, req: tcp_request_sock, child: sock): sock | null {
	return null;
}
export function inet_csk_complete_hashdance(
	sk: sock,
	child: sock,
	req: tcp_request_sock,
	own_req: boolean,
): sock | null {
	return null;
}
export function inet_csk_clone_lock(sk: sock, req: tcp_request_sock): sock {
	throw new Error('not yet');
}
export function inet_csk_prepare_forced_close(sk: sock): void {}
export function inet_csk_destroy_sock(sk: sock): void {}
export function inet_csk_listen_start(sk: sock): number {
	return 0;
}
export function inet_csk_listen_stop(sk: sock): void {}
/** A lower path MTU was learned. Return: the route, or null. */
export function inet_csk_update_pmtu(sk: sock, mtu: number): dst_entry | null {
	return null;
}
