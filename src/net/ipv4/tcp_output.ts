/* net/ipv4/tcp_output.ts: segments go out.  Linux: net/ipv4/tcp_output.c. Cut: tcp_output_options, _xmit, _rtx, _syn; all exported from here. */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_sock } from './tcp_sock.ts';

export * from './tcp_output_options.ts';
export * from './tcp_output_rtx.ts';
export * from './tcp_output_syn.ts';
export * from './tcp_output_xmit.ts';

/** What tcp_select_initial_window says. */
export class initial_window {
	rcv_wnd = 0;
	window_clamp = 0;
	rcv_wscale = 0;
}
export function tcp_mstamp_refresh(_tp: tcp_sock): void {}
export function tcp_select_initial_window(
	_sk: sock,
	_space: number,
	_mss: number,
	_wscale_ok: boolean,
	_init_rcv_wnd: number,
	_out: initial_window,
): void {}
export function __tcp_select_window(_sk: sock): number {
	return 0;
}
export function tcp_cwnd_restart(_sk: sock, _delta: number): void {}
export function tcp_queue_skb(_sk: sock, _skb: sk_buff): void {}
export function tcp_transmit_skb(_sk: sock, _skb: sk_buff, _clone_it: boolean): number {
	return 0;
}
export function tcp_mtu_to_mss(_sk: sock, _pmtu: number): number {
	return 0;
}
export function tcp_mss_to_mtu(_sk: sock, _mss: number): number {
	return 0;
}
export function tcp_mtup_init(_sk: sock): void {}
export function tcp_bound_to_half_wnd(_tp: tcp_sock, _pktsize: number): number {
	return 0;
}
export function tcp_sync_mss(_sk: sock, _pmtu: number): number {
	return 0;
}
export function tcp_current_mss(_sk: sock): number {
	return 0;
}
export function tcp_chrono_start(_sk: sock, _type: number): void {}
export function tcp_chrono_stop(_sk: sock, _type: number): void {}
export function tcp_send_fin(_sk: sock): void {}
export function tcp_send_active_reset(_sk: sock, _reason: number): void {}
export function __tcp_send_ack(_sk: sock, _rcv_nxt: number, _flags: number): void {}
export function tcp_send_ack(_sk: sock): void {}
export function tcp_send_delayed_ack(_sk: sock): void {}
export function tcp_delack_max(_sk: sock): number {
	return 0;
}
export function tcp_rbtree_insert(): void {}
