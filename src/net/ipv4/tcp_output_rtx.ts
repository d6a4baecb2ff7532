import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';

export function __tcp_retransmit_skb(_sk: sock, _skb: sk_buff, _segs: number): number {
	return 0;
}
export function tcp_retransmit_skb(_sk: sock, _skb: sk_buff, _segs: number): number {
	return 0;
}
export function tcp_xmit_retransmit_queue(_sk: sock): void {}
export function skb_still_in_host_queue(_sk: sock, _skb: sk_buff): boolean {
	return false;
}
export function tcp_skb_collapse_tstamp(_skb: sk_buff, _next_skb: sk_buff): void {}
export function tcp_send_window_probe(_sk: sock): void {}
export function tcp_write_wakeup(_sk: sock, _mib: number): number {
	return 0;
}
export function tcp_send_probe0(_sk: sock): void {}
/** Moves the segment from the write queue to the retransmit queue: it was sent. */
export function tcp_event_new_data_sent(_sk: sock, _skb: sk_buff): void {}
export function tcp_rtx_queue_unlink(_skb: sk_buff, _sk: sock): void {}
export function tcp_rtx_queue_unlink_and_free(_skb: sk_buff, _sk: sock): void {}
export function tcp_unlink_write_queue(_skb: sk_buff, _sk: sock): void {}
/** Pays the segment's truesize back and frees it. */
export function tcp_wmem_free_skb(_sk: sock, _skb: sk_buff): void {}
