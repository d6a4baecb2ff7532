/*
 * net/ipv4/tcp_input_loss.ts: losses: recovery, its undoing, the window meanwhile.       Linux: net/ipv4/tcp_input.c
 */
import type { dst_entry } from '../core/dst.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_sock } from './tcp_sock.ts';

export function tcp_init_cwnd(_tp: tcp_sock, _dst: dst_entry | null): number {
	return 10;
}
export function tcp_update_pacing_rate(_sk: sock): void {}
export function tcp_enter_loss(_sk: sock): void {}
export function tcp_enter_cwr(_sk: sock): void {}
export function tcp_enter_recovery(_sk: sock, _ece_ack: boolean): void {}
export function tcp_cwnd_reduction(_sk: sock, _newly_acked_sacked: number, _newly_lost: number, _flag: number): void {}
export function tcp_simple_retransmit(_sk: sock): void {}
export function tcp_clear_retrans(_tp: tcp_sock): void {}
export function tcp_mark_skb_lost(_sk: sock, _skb: sk_buff): void {}
export function tcp_try_undo_recovery(_sk: sock): boolean {
	return false;
}
export function tcp_try_undo_loss(_sk: sock, _frto_undo: boolean): boolean {
	return false;
}
export function tcp_try_keep_open(_sk: sock): void {}
