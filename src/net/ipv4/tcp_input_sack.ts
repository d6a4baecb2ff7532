/*
 * net/ipv4/tcp_input_sack.ts: the scoreboard: what SACK blocks say of the retransmission queue.     Linux: net/ipv4/tcp_input.c
 */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_sock } from './tcp_sock.ts';

export function tcp_highest_sack_seq(tp: tcp_sock): number {
	return tp.snd_una;
}
export function tcp_advance_highest_sack(_sk: sock, _skb: sk_buff): void {}
export function tcp_highest_sack_reset(_sk: sock): void {}
export function tcp_highest_sack_replace(_sk: sock, _old: sk_buff, _new: sk_buff): void {}
export function tcp_reset_reno_sack(_tp: tcp_sock): void {}
