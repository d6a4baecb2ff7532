/*
 * net/ipv4/tcp_input_request.ts: a SYN to a listener; the SYN-ACK's Fast Open side.        Linux: net/ipv4/tcp_input.c (tcp_conn_request)
 */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type {
	request_sock_ops,
	tcp_fastopen_cookie,
	tcp_options_received,
	tcp_request_sock,
	tcp_request_sock_ops,
} from './tcp_sock.ts';

/** A SYN came to a listener. Borrows skb, or takes a share of it. Return: 0. */
export function tcp_conn_request(
	_rsk_ops: request_sock_ops,
	_af_ops: tcp_request_sock_ops,
	_sk: sock,
	_skb: sk_buff,
): number {
	return 0;
}
export function tcp_openreq_init(
	_req: tcp_request_sock,
	_rx_opt: tcp_options_received,
	_skb: sk_buff,
	_sk: sock,
): void {}
export function tcp_get_syncookie_mss(
	_rsk_ops: request_sock_ops,
	_af_ops: tcp_request_sock_ops,
	_sk: sock,
	_skb: sk_buff,
): number {
	return 0;
}
export function tcp_syn_flood_action(_sk: sock, _proto: string): boolean {
	return false;
}
export function tcp_reqsk_record_syn(_sk: sock, _req: tcp_request_sock, _skb: sk_buff): void {}
/** Return: true when data in our SYN were not taken and are sent again. */
export function tcp_rcv_fastopen_synack(_sk: sock, _synack: sk_buff, _cookie: tcp_fastopen_cookie): boolean {
	return false;
}
