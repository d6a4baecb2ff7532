/*
 * net/core/stream.ts: what stream sockets share: room in the send buffer, errors, the end.   Linux: net/core/stream.c, net/sock.h
 * Nothing waits here: what Linux waits for (sk_stream_wait_memory, sk_stream_wait_close) the system call layer asks again.
 */
import { wake_up } from '../../kernel/wait.ts';
import { EPIPE } from '../../uapi/asm-generic/errno.ts';
import { POLLOUT, POLLWRNORM } from '../../uapi/linux/socket.ts';
import { SKB_DROP_REASON_QUEUE_PURGE } from './dropreason.ts';
import { __skb_queue_purge } from './skbuff_queue.ts';
import { type sock, sock_error } from './sock.ts';
import { sk_mem_reclaim } from './sock_mem.ts';

/** A writer is woken when this much is free. */
export function sk_stream_min_wspace(sk: sock): number {
	return sk.sk_wmem_queued >> 1;
}

export function sk_stream_wspace(sk: sock): number {
	return sk.sk_sndbuf - sk.sk_wmem_queued;
}

export function sk_wmem_queued_add(sk: sock, val: number): void {
	sk.sk_wmem_queued += val;
}

/** Whether data may be queued: the buffer is not full and little of it is unsent. `wake`: 1 asks for twice the room, before waking somebody. */
export function __sk_stream_memory_free(sk: sock, wake: number): boolean {
	if (sk.sk_wmem_queued >= sk.sk_sndbuf) return false;
	return sk.sk_prot.stream_memory_free == null || sk.sk_prot.stream_memory_free(sk, wake);
}

export function sk_stream_memory_free(sk: sock): boolean {
	return __sk_stream_memory_free(sk, 0);
}

/** Whether poll says POLLOUT. */
export function __sk_stream_is_writeable(sk: sock, wake: number): boolean {
	return sk_stream_wspace(sk) >= sk_stream_min_wspace(sk) && __sk_stream_memory_free(sk, wake);
}

export function sk_stream_is_writeable(sk: sock): boolean {
	return __sk_stream_is_writeable(sk, 0);
}

/** Wakes who waits for room, when there is enough. */
export function sk_stream_write_space(sk: sock): void {
	const s = sk.sk_socket;
	if (s === null || !__sk_stream_is_writeable(sk, 1)) return;
	s.nospace = false;
	wake_up(s.wait, POLLOUT | POLLWRNORM);
}

/** What sending says when `err` came up: the pending error in place of EPIPE. */
export function sk_stream_error(sk: sock, _flags: number, err: number): number {
	if (err === -EPIPE) {
		const pending = sock_error(sk);
		return pending !== 0 ? pending : -EPIPE;
	}
	return err;
}

/** Throws away what is queued at the end of a stream socket's life. */
export function sk_stream_kill_queues(sk: sock): void {
	__skb_queue_purge(sk.sk_receive_queue, SKB_DROP_REASON_QUEUE_PURGE, 'sk_stream_kill_queues');
	__skb_queue_purge(sk.sk_error_queue, SKB_DROP_REASON_QUEUE_PURGE, 'sk_stream_kill_queues');
	sk_mem_reclaim(sk);
}
