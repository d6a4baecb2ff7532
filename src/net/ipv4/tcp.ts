/*
 * net/ipv4/tcp.ts: the socket's side of TCP: its birth, states and end; poll and ioctl.        Linux: net/ipv4/tcp.c
 * Writing is in tcp_sendmsg.ts, reading in tcp_recvmsg.ts, options in tcp_sockopt.ts, TCP_INFO in tcp_info.ts.
 */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';

export { tcp_cleanup_rbuf, tcp_peek_len, tcp_read_sock, tcp_recvmsg, tcp_set_rcvlowat } from './tcp_recvmsg.ts';
export { tcp_push, tcp_send_mss, tcp_sendmsg, tcp_skb_entail } from './tcp_sendmsg.ts';

/** Makes a new socket a TCP socket. Return: 0 or -errno. */
export function tcp_init_sock(_sk: sock): number {
	return 0;
}
/** An empty segment with room for MAX_TCP_HEADER, its truesize as Linux's (832), paid for; null when memory or buffer do not allow. */
export function tcp_stream_alloc_skb(_sk: sock, _force_schedule: boolean): sk_buff | null {
	return null;
}
/** Gives a sent (or never sent) segment's memory back. Consumes skb. */
export function tcp_wmem_free_skb(_sk: sock, _skb: sk_buff): void {}
/** Drops all that is queued to send or unacknowledged. */
export function tcp_write_queue_purge(_sk: sock): void {}
export function tcp_set_state(_sk: sock, _state: number): void {}
/** Ends the connection: CLOSE, out of the tables; an orphan is destroyed. */
export function tcp_done(_sk: sock): void {}
export function tcp_close(_sk: sock): void {}
export function __tcp_close(_sk: sock): void {}
export function tcp_shutdown(_sk: sock, _how: number): void {}
export function tcp_disconnect(_sk: sock, _flags: number): number {
	return 0;
}
/** Kills the connection with `err` (ss -K). */
export function tcp_abort(_sk: sock, _err: number): number {
	return 0;
}
/** Whether an orphan must go since there are too many, or no memory. `shift`: how much worse it is than others. */
export function tcp_check_oom(_sk: sock, _shift: number): boolean {
	return false;
}
export function tcp_poll(_sk: sock): number {
	return 0;
}
export function tcp_ioctl(_sk: sock, _cmd: number, _arg: Uint8Array): number {
	return 0;
}
export function tcp_free_fastopen_req(_tp: unknown): void {}
/** Seconds to retransmissions and back (TCP_DEFER_ACCEPT). */
export function secs_to_retrans(_seconds: number, _timeout: number, _rto_max: number): number {
	return 0;
}
