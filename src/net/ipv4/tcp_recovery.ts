/*
 * net/ipv4/tcp_recovery.ts: RACK: what was sent long enough before something delivered is lost.     Linux: net/ipv4/tcp_recovery.c
 */
import type { sock } from '../core/sock.ts';
import type { rate_sample, tcp_sock } from './tcp_sock.ts';

/** Return: whether a timer was set for what may be lost soon. */
export function tcp_rack_mark_lost(_sk: sock): boolean {
	return false;
}
export function tcp_rack_advance(_tp: tcp_sock, _sacked: number, _end_seq: number, _xmit_time: number): void {}
export function tcp_rack_reo_timeout(_sk: sock): void {}
export function tcp_rack_update_reo_wnd(_sk: sock, _rs: rate_sample): void {}
export function tcp_newreno_mark_lost(_sk: sock, _snd_una_advanced: boolean): void {}
