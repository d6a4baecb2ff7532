/*
 * net/ipv4/tcp_input_data.ts: data that arrived: in order, out of order, twice.           Linux: net/ipv4/tcp_input.c (tcp_data_queue and what it calls)
 */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';

export function tcp_data_queue(_sk: sock, _skb: sk_buff): void {}
/** Puts skb (len bytes at data, header pulled) at the end of the receive queue. Return: whether it was merged into the tail (the caller frees it). */
export function tcp_queue_rcv(_sk: sock, _skb: sk_buff, _fragstolen: { v: boolean }): boolean {
	return false;
}
/** TCP_REPAIR: bytes put into the receive queue. Return: bytes or -errno. */
export function tcp_send_rcvq(_sk: sock, _data: Uint8Array): number {
	return 0;
}
export function tcp_data_ready(_sk: sock): void {}
export function tcp_ofo_queue(_sk: sock): void {}
export function tcp_sack_compress_send_ack(_sk: sock): void {}
export function tcp_rcv_spurious_retrans(_sk: sock, _skb: sk_buff): void {}
/** Makes room in the receive queues. Return: 0, or -1 when there is none. */
export function tcp_prune_queue(_sk: sock, _in_skb: sk_buff): number {
	return 0;
}
