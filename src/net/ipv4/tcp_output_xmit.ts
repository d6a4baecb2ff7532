import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_sock } from './tcp_sock.ts';

/** Where a segment is cut: in sk_write_queue, or in tcp_rtx_queue. */
export const TCP_FRAG_IN_WRITE_QUEUE = 0;
export const TCP_FRAG_IN_RTX_QUEUE = 1;

export function tcp_is_cwnd_limited(_sk: sock): boolean {
	return false;
}
/** Sends what may be sent. Return: whether data waits and nothing is in flight (a probe timer is due). */
export function tcp_write_xmit(_sk: sock, _mss_now: number, _nonagle: number, _push_one: number): boolean {
	return false;
}
export function __tcp_push_pending_frames(_sk: sock, _cur_mss: number, _nonagle: number): void {}
export function tcp_push_pending_frames(_sk: sock): void {}
export function tcp_push_one(_sk: sock, _mss_now: number): void {}
export function tcp_schedule_loss_probe(_sk: sock, _advancing_rto: boolean): boolean {
	return false;
}
export function tcp_send_loss_probe(_sk: sock): void {}
export function tcp_fragment(_sk: sock, _tcp_queue: number, _skb: sk_buff, _len: number, _mss_now: number): number {
	return 0;
}
export function tcp_trim_head(_sk: sock, _skb: sk_buff, _len: number): number {
	return 0;
}
export function tcp_set_skb_tso_segs(_skb: sk_buff, _mss_now: number): number {
	return 1;
}
export function tcp_adjust_pcount(_sk: sock, _skb: sk_buff, _decr: number): void {}
export function tcp_pacing_check(_sk: sock): boolean {
	return false;
}
export function tcp_pace_kick(_timer: unknown): number {
	return 0;
}
export function tcp_wfree(_skb: sk_buff): void {}
export function tcp_release_cb(_sk: sock): void {}
export function tcp_tso_segs(_sk: sock, _mss_now: number): number {
	return 1;
}
export function tcp_cwnd_validate(_sk: sock, _is_cwnd_limited: boolean): void {}
/** Part of the window may be used by one segment. */
export function tcp_small_queue_check(_sk: sock, _skb: sk_buff, _factor: number): boolean {
	return false;
}
export function tcp_snd_wnd_test(_tp: tcp_sock, _skb: sk_buff, _cur_mss: number): boolean {
	return true;
}
