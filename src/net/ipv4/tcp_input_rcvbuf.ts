/*
 * net/ipv4/tcp_input_rcvbuf.ts: how much we let the peer send, how soon we answer, ECN's receiving side.      Linux: net/ipv4/tcp_input.c
 */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_sock } from './tcp_sock.ts';

export function tcp_init_buffer_space(_sk: sock): void {}
/** copied_seq moved: the receive buffer may grow. */
export function tcp_rcv_space_adjust(_sk: sock): void {}
export function tcp_initialize_rcv_mss(_sk: sock): void {}
export function tcp_enter_quickack_mode(_sk: sock, _max_quickacks: number): void {}
export function tcp_in_quickack_mode(_sk: sock): boolean {
	return false;
}
export function tcp_grow_window(_sk: sock, _skb: sk_buff, _adjust: boolean): void {}
export function tcp_clamp_window(_sk: sock): void {}
export function tcp_ecn_queue_cwr(_tp: tcp_sock): void {}
export function tcp_ecn_accept_cwr(_sk: sock, _skb: sk_buff): void {}
export function tcp_ecn_withdraw_cwr(_tp: tcp_sock): void {}
export function tcp_data_ecn_check(_sk: sock, _skb: sk_buff): void {}
/** Whether the ACK echoes congestion (ECE without SYN, ECN agreed). */
export function tcp_ecn_rcv_ecn_echo(_tp: tcp_sock, _tcp_flags: number): boolean {
	return false;
}
