import type { dst_entry } from '../core/dst.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_fastopen_cookie, tcp_request_sock } from './tcp_sock.ts';

export const TCP_SYNACK_NORMAL = 0;
export const TCP_SYNACK_FASTOPEN = 1;
export const TCP_SYNACK_COOKIE = 2;
export const TCP_SYNACK_RETRANS = 3;

export function tcp_connect(_sk: sock): number {
	return 0;
}
export function tcp_send_synack(_sk: sock): number {
	return 0;
}
export function tcp_make_synack(
	_sk: sock,
	_dst: dst_entry,
	_req: tcp_request_sock,
	_foc: tcp_fastopen_cookie | null,
	_synack_type: number,
	_syn_skb: sk_buff | null,
): sk_buff | null {
	return null;
}
export function tcp_rtx_synack(_sk: sock, _req: tcp_request_sock): number {
	return 0;
}
