/*
 * net/ipv4/tcp_minisocks.ts: TIME_WAIT, and a request that becomes a connection.        Linux: net/ipv4/tcp_minisocks.c
 */
import type { dst_entry } from '../core/dst.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_request_sock, tcp_timewait_sock } from './tcp_sock.ts';

/** Return: TCP_TW_*. */
export function tcp_timewait_state_process(
	tw: tcp_timewait_sock,
	skb: sk_buff,
	tw_isn: { v: number },
	drop_reason: { v: number },
): number {
	return 0;
}
/** The socket leaves a TIME_WAIT entry behind and is done. `state`: TCP_FIN_WAIT2 or TCP_TIME_WAIT; `timeo` in jiffies. */
export function tcp_time_wait(sk: sock, state: number, timeo: number): void {}
export function tcp_openreq_init_rwin(req: tcp_request_sock, sk_listener: sock, dst: dst_entry): void {}
export function tcp_ca_openreq_child(sk: sock, dst: dst_entry | null): void {}
export function tcp_create_openreq_child(sk: sock, req: tcp_request_sock, skb: sk_buff): sock {
	throw new Error('not yet');
}
/** Return: the child, `sk` itself when the segment is for it (Fast Open), or null when it was dealt with or is to be dropped. */
export function tcp_check_req(
	sk: sock,
	skb: sk_buff,
	req: tcp_request_sock,
	fastopen: boolean,
	lost_race: { v: boolean },
	drop_reason: { v: number },
): sock | null {
	return null;
}
/** Return: a drop reason, SKB_NOT_DROPPED_YET when the child took the segment. */
export function tcp_child_process(parent: sock, child: sock, skb: sk_buff): number {
	return 0;
}
