/*
 * net/ipv4/tcp_input.ts: a segment arrives: its state's business, its validity.            Linux: net/ipv4/tcp_input.c
 */
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_fastopen_cookie, tcp_options_received, tcp_sock } from './tcp_sock.ts';

/** Reads a segment's options. `estab`: 0 for those of a SYN too. */
export function tcp_parse_options(
	_net: net,
	_skb: sk_buff,
	_opt_rx: tcp_options_received,
	_estab: number,
	_foc: tcp_fastopen_cookie | null,
): void {}
/** Return: the MSS option of a header (from user_mss when smaller), 0 for none. */
export function tcp_parse_mss_option(_head: Uint8Array, _th: number, _user_mss: number): number {
	return 0;
}
/** Return: where the MD5 option's 16 bytes are in `head`, -1 for none. */
export function tcp_parse_md5sig_option(_head: Uint8Array, _th: number): number {
	return -1;
}
/** Whether an ACK out of the window may be answered now (RFC 5961-like rate limit). `last`: what it was before. Return: true: skip it. */
export function tcp_oow_rate_limited(
	_net: net,
	_skb: sk_buff,
	_mib_idx: number,
	_owner: { last_oow_ack_time: number },
): boolean {
	return false;
}
export function tcp_send_challenge_ack(_sk: sock, _accecn_reflector = false): void {}
export function tcp_reset(_sk: sock, _skb: sk_buff | null): void {}
export function tcp_fin(_sk: sock): void {}
export function tcp_done_with_error(_sk: sock, _err: number): void {}
export function tcp_init_transfer(_sk: sock, _bpf_op: number, _skb: sk_buff | null): void {}
export function tcp_finish_connect(_sk: sock, _skb: sk_buff | null): void {}
export function tcp_data_snd_check(_sk: sock): void {}
export function tcp_ack_snd_check(_sk: sock): void {}
export function __tcp_ack_snd_check(_sk: sock, _ofo_possible: boolean): void {}
export function tcp_initialize_fast_path(_tp: tcp_sock): void {}
/** ESTABLISHED. Consumes skb. */
export function tcp_rcv_established(_sk: sock, _skb: sk_buff): void {}
/** Every state but ESTABLISHED and TIME_WAIT. Return: 0 and skb is consumed, or the reason why the caller is to send a reset and drop it. */
export function tcp_rcv_state_process(_sk: sock, _skb: sk_buff): number {
	return 0;
}
