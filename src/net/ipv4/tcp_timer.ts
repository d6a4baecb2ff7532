/* net/ipv4/tcp_timer.ts: what happens when nothing happens.  Linux: net/ipv4/tcp_timer.c */
import type { sock } from '../core/sock.ts';
import type { tcp_request_sock } from './tcp_sock.ts';

export function tcp_init_xmit_timers(_sk: sock): void {}
export function tcp_set_keepalive(_sk: sock, _val: number): void {}
export function tcp_syn_ack_timeout(_req: tcp_request_sock): void {}
/** `when`: jiffies. Return: less when the user's time out comes first. */
export function tcp_clamp_probe0_to_user_timeout(_sk: sock, _when: number): number {
	return _when;
}
export function tcp_retransmit_timer(_sk: sock): void {}
export function tcp_delack_timer_handler(_sk: sock): void {}
export function tcp_write_timer_handler(_sk: sock): void {}
export function tcp_clear_xmit_timers(_sk: sock): void {}
