/*
 * net/ipv4/tcp_recvmsg.ts: received bytes go to the process.       Linux: net/ipv4/tcp.c (tcp_recvmsg_locked, tcp_cleanup_rbuf, tcp_read_sock)
 *
 * Walk: tcp_recvmsg -> receive queue -> skb_copy_bits -> tcp_rcv_space_adjust -> tcp_eat_recv_skb -> tcp_cleanup_rbuf (window update).
 * Nothing waits: with fewer bytes than asked for, what there is is returned, or -EAGAIN; the system call layer waits for the rest.
 * RFC 9293 3.9.1.3 (RECEIVE), 3.8.6.2.2 (receiver's silly window), 3.8.5 (urgent data). Not here: TCP_ZEROCOPY_RECEIVE.
 */
import { EAGAIN, EINVAL, ENOTCONN, EPERM } from '../../uapi/asm-generic/errno.ts';
import { MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, type msghdr, SOL_TCP } from '../../uapi/linux/socket.ts';
import { TCP_CM_INQ, TCP_NO_QUEUE, TCP_SEND_QUEUE, TCPHDR_FIN, TCPHDR_SYN } from '../../uapi/linux/tcp.ts';
import { put_cmsg_int, sock_recv_timestamp } from '../core/datagram.ts';
import { consume_skb, type sk_buff, skb_copy_bits } from '../core/skbuff.ts';
import { __skb_unlink } from '../core/skbuff_queue.ts';
import {
	RCV_SHUTDOWN,
	SOCK_DONE,
	SOCK_MIN_RCVBUF,
	SOCK_RCVBUF_LOCK,
	SOCK_URGINLINE,
	type sock,
	sock_error,
	sock_flag,
	TCP_CLOSE,
	TCP_LISTEN,
} from '../core/sock.ts';
import { sk_under_memory_pressure } from '../core/sock_mem.ts';
import { tcp_fast_path_check } from './tcp_input.ts';
import { tcp_data_ready } from './tcp_input_data.ts';
import { tcp_rcv_space_adjust } from './tcp_input_rcvbuf.ts';
import { __tcp_select_window, tcp_send_ack } from './tcp_output.ts';
import {
	after,
	before,
	ICSK_ACK_PUSHED,
	ICSK_ACK_PUSHED2,
	inet_csk_ack_scheduled,
	inet_csk_in_pingpong_mode,
	TCP_SKB_CB,
	TCP_URG_READ,
	TCP_URG_VALID,
	TCPF_SYN_RECV,
	TCPF_SYN_SENT,
	tcp_mstamp_refresh,
	tcp_receive_window,
	tcp_sk,
	type tcp_sock,
	tcp_space_from_win,
} from './tcp_sock.ts';

/** How many bytes a read waits for. */
export function sock_rcvlowat(sk: sock, waitall: boolean, len: number): number {
	const v = waitall ? len : Math.min(sk.sk_rcvlowat, len);
	return v !== 0 ? v : 1;
}

/** Bytes that SIOCINQ says: what can be read before the urgent byte, or at all. */
export function tcp_inq(sk: sock): number {
	const tp = tcp_sk(sk);
	if (((1 << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0) return 0;
	if (
		sock_flag(sk, SOCK_URGINLINE) ||
		tp.urg_data === 0 ||
		before(tp.urg_seq, tp.copied_seq) ||
		!before(tp.urg_seq, tp.rcv_nxt)
	) {
		const answ = (tp.rcv_nxt - tp.copied_seq) | 0;
		// The FIN takes a number and is no byte.
		return answ !== 0 && sock_flag(sk, SOCK_DONE) ? answ - 1 : answ;
	}
	return (tp.urg_seq - tp.copied_seq) | 0;
}

export function tcp_peek_len(sk: sock): number {
	return tcp_inq(sk);
}

/** For TCP_INQ: bytes, or 1 when only an end or an error is there. */
function tcp_inq_hint(sk: sock): number {
	const tp = tcp_sk(sk);
	const inq = (tp.rcv_nxt - tp.copied_seq) | 0;
	return inq === 0 && sock_flag(sk, SOCK_DONE) ? 1 : inq;
}

/** The process took `copied` bytes: tells the peer of the room at once when that is worth a segment, or an ACK is due. */
export function tcp_cleanup_rbuf(sk: sock, copied: number): void {
	const tp = tcp_sk(sk);
	let time_to_ack = false;
	if (inet_csk_ack_scheduled(sk)) {
		if (
			((tp.rcv_nxt - tp.rcv_wup) | 0) > tp.icsk_ack_rcv_mss ||
			(copied > 0 &&
				((tp.icsk_ack_pending & ICSK_ACK_PUSHED2) !== 0 ||
					((tp.icsk_ack_pending & ICSK_ACK_PUSHED) !== 0 && !inet_csk_in_pingpong_mode(sk))) &&
				sk.sk_rmem_alloc === 0)
		)
			time_to_ack = true;
	}
	// RFC 9293 3.8.6.2.2: a window that at least doubles is worth telling.
	if (copied > 0 && !time_to_ack && (sk.sk_shutdown & RCV_SHUTDOWN) === 0) {
		const rcv_window_now = tcp_receive_window(tp);
		if (2 * rcv_window_now <= tp.window_clamp) {
			const new_window = __tcp_select_window(sk);
			if (new_window !== 0 && new_window >= 2 * rcv_window_now) time_to_ack = true;
		}
	}
	if (time_to_ack) {
		tcp_mstamp_refresh(tp);
		tcp_send_ack(sk);
	}
}

/** A segment was read to its end. Consumes skb. */
export function tcp_eat_recv_skb(sk: sock, skb: sk_buff): void {
	__skb_unlink(skb, sk.sk_receive_queue);
	consume_skb(skb);
}

/** What a reader of tcp_read_sock does with `len` bytes at `offset` of a borrowed segment. Return: how many it took; fewer stops. */
export type sk_read_actor = (arg: unknown, skb: sk_buff, offset: number, len: number) => number;

/** Hands what was received to a reader in the kernel, without a copy. Return: bytes taken, or -errno. */
export function tcp_read_sock(sk: sock, arg: unknown, recv_actor: sk_read_actor): number {
	const tp = tcp_sk(sk);
	if (sk.sk_state === TCP_LISTEN) return -ENOTCONN;
	let copied = 0;
	for (let skb = sk.sk_receive_queue.first; skb !== null; ) {
		const next: sk_buff | null = skb.next;
		const cb = TCP_SKB_CB(skb);
		let offset = (tp.copied_seq - cb.seq) | 0;
		if ((cb.tcp_flags & TCPHDR_SYN) !== 0) offset--;
		if (offset < skb.len) {
			let len = skb.len - offset;
			if (tp.urg_data !== 0) {
				const urg_offset = (tp.urg_seq - tp.copied_seq) | 0;
				if (urg_offset >= 0 && urg_offset < len) len = urg_offset;
				if (len === 0) break;
			}
			const used = recv_actor(arg, skb, offset, len);
			if (used <= 0) {
				if (copied === 0) copied = used;
				break;
			}
			tp.copied_seq = (tp.copied_seq + used) | 0;
			copied += used;
			if (used < len || offset + used !== skb.len) break;
		}
		const fin = (cb.tcp_flags & TCPHDR_FIN) !== 0;
		tcp_eat_recv_skb(sk, skb);
		if (fin) {
			tp.copied_seq = (tp.copied_seq + 1) | 0;
			break;
		}
		skb = next;
	}
	tcp_rcv_space_adjust(sk);
	if (copied > 0) tcp_cleanup_rbuf(sk, copied);
	return copied;
}

/** MSG_OOB. Return: 1 with the byte, 0 at the end, or -errno. */
function tcp_recv_urg(sk: sock, msg: msghdr, flags: number): number {
	const tp = tcp_sk(sk);
	if (sock_flag(sk, SOCK_URGINLINE) || tp.urg_data === 0 || tp.urg_data === TCP_URG_READ) return -EINVAL;
	if (sk.sk_state === TCP_CLOSE && !sock_flag(sk, SOCK_DONE)) return -ENOTCONN;
	if ((tp.urg_data & TCP_URG_VALID) !== 0) {
		const c = tp.urg_data & 0xff;
		if ((flags & MSG_PEEK) === 0) tp.urg_data = TCP_URG_READ;
		msg.msg_flags |= MSG_OOB;
		if (msg.msg_iov.length === 0) {
			msg.msg_flags |= MSG_TRUNC;
			return 0;
		}
		if ((flags & MSG_TRUNC) === 0) msg.msg_iov[0] = c;
		return 1;
	}
	if (sk.sk_state === TCP_CLOSE || (sk.sk_shutdown & RCV_SHUTDOWN) !== 0) return 0;
	return -EAGAIN;
}

/** TCP_REPAIR: what was written and not yet acknowledged, unread by anybody. */
function tcp_peek_sndq(sk: sock, msg: msghdr): number {
	const tp = tcp_sk(sk);
	let copied = 0;
	for (let q = 0; q < 2; q++) {
		const list = q === 0 ? tp.tcp_rtx_queue : sk.sk_write_queue;
		for (let skb = list.first; skb !== null; skb = skb.next) {
			const n = Math.min(skb.len, msg.msg_iov.length - copied);
			skb_copy_bits(skb, 0, msg.msg_iov, copied, n);
			copied += n;
		}
	}
	return copied;
}

/**
 * Gives a process what was received. Context: process; never waits.
 * Return: bytes (fewer than asked for when there are no more now), 0 at the end, -EAGAIN when there is nothing, else -errno.
 */
export function tcp_recvmsg(sk: sock, msg: msghdr, flags: number): number {
	const tp = tcp_sk(sk);
	if (sk.sk_state === TCP_LISTEN) return -ENOTCONN;
	if ((flags & MSG_OOB) !== 0) return tcp_recv_urg(sk, msg, flags);
	const peek = (flags & MSG_PEEK) !== 0;
	if (tp.repair) {
		if (!peek) return -EPERM;
		if (tp.repair_queue === TCP_SEND_QUEUE) return tcp_peek_sndq(sk, msg);
		if (tp.repair_queue === TCP_NO_QUEUE) return -EINVAL;
	}
	const to = msg.msg_iov;
	let len = to.length;
	let copied = 0;
	let seq = tp.copied_seq;
	if (peek && sk.sk_peek_off >= 0) seq = (seq + sk.sk_peek_off) | 0;
	let stamp = -1;
	let fin = false;
	let skb = sk.sk_receive_queue.first;
	while (len > 0) {
		// The urgent byte ends a read.
		if (tp.urg_data !== 0 && tp.urg_seq === seq && copied > 0) break;
		let offset = 0;
		while (skb !== null) {
			const cb = TCP_SKB_CB(skb);
			offset = (seq - cb.seq) | 0;
			if ((cb.tcp_flags & TCPHDR_SYN) !== 0) offset--;
			if (offset < skb.len || (cb.tcp_flags & TCPHDR_FIN) !== 0) break;
			skb = skb.next;
		}
		if (skb === null) break;
		const next: sk_buff | null = skb.next;
		const cb = TCP_SKB_CB(skb);
		if (offset < skb.len) {
			let used = Math.min(skb.len - offset, len);
			let skip = false;
			if (tp.urg_data !== 0) {
				const urg_offset = (tp.urg_seq - seq) >>> 0;
				if (urg_offset < used) {
					if (urg_offset !== 0) used = urg_offset;
					else if (!sock_flag(sk, SOCK_URGINLINE)) {
						seq = (seq + 1) | 0;
						if (!peek) tp.copied_seq = seq;
						offset++;
						used--;
						skip = used === 0;
					}
				}
			}
			if (!skip) {
				if ((flags & MSG_TRUNC) === 0) skb_copy_bits(skb, offset, to, copied, used);
				seq = (seq + used) | 0;
				copied += used;
				len -= used;
				if (peek) {
					if (sk.sk_peek_off >= 0) sk.sk_peek_off += used;
				} else {
					tp.copied_seq = seq;
					if (sk.sk_peek_off > 0) sk.sk_peek_off = Math.max(0, sk.sk_peek_off - used);
				}
				tcp_rcv_space_adjust(sk);
			}
			if (tp.urg_data !== 0 && after(tp.copied_seq, tp.urg_seq)) {
				tp.urg_data = 0;
				tcp_fast_path_check(sk);
			}
			if (cb.has_rxtstamp) stamp = skb.tstamp;
			if (used + offset < skb.len) continue;
			if ((cb.tcp_flags & TCPHDR_FIN) === 0) {
				if (!peek) tcp_eat_recv_skb(sk, skb);
				skb = next;
				continue;
			}
		}
		// The FIN: nothing comes after it.
		seq = (seq + 1) | 0;
		if (!peek) {
			tp.copied_seq = seq;
			tcp_eat_recv_skb(sk, skb);
		}
		fin = true;
		break;
	}
	const r = copied > 0 || fin || (len === 0 && tcp_inq(sk) > 0) ? 0 : tcp_recv_nothing(sk);
	tcp_cleanup_rbuf(sk, copied);
	if (r < 0) return r;
	if (stamp >= 0) sock_recv_timestamp(msg, sk, stamp);
	if (tp.recvmsg_inq) put_cmsg_int(msg, SOL_TCP, TCP_CM_INQ, tcp_inq_hint(sk));
	return copied;
}

/** Why there is nothing. Return: 0 at the end of the stream, -EAGAIN, or -errno. */
function tcp_recv_nothing(sk: sock): number {
	if (sock_flag(sk, SOCK_DONE)) return 0;
	if (sk.sk_err !== 0) return sock_error(sk);
	if ((sk.sk_shutdown & RCV_SHUTDOWN) !== 0) return 0;
	// Never connected.
	if (sk.sk_state === TCP_CLOSE) return -ENOTCONN;
	return -EAGAIN;
}

/** What a read that waits for more than there is waits for. `copied`: what it has. Return: whether it goes on waiting. */
export function tcp_recv_more(sk: sock, copied: number, len: number, flags: number): boolean {
	if (copied >= sock_rcvlowat(sk, (flags & MSG_WAITALL) !== 0, len)) return false;
	const tp = tcp_sk(sk);
	if (tp.urg_data !== 0 && tp.urg_seq === tp.copied_seq) return false;
	return (
		sk.sk_err === 0 && sk.sk_state !== TCP_CLOSE && (sk.sk_shutdown & RCV_SHUTDOWN) === 0 && !sock_flag(sk, SOCK_DONE)
	);
}

/** The receive buffer is nearly full. */
function tcp_rmem_pressure(sk: sock): boolean {
	if (sk_under_memory_pressure(sk)) return true;
	return sk.sk_rmem_alloc > sk.sk_rcvbuf - (sk.sk_rcvbuf >> 3);
}

/** Whether a poll for `target` bytes says POLLIN. */
export function tcp_epollin_ready(sk: sock, target: number): boolean {
	const tp = tcp_sk(sk);
	const avail = (tp.rcv_nxt - tp.copied_seq) | 0;
	if (avail <= 0) return false;
	return avail >= target || tcp_rmem_pressure(sk) || tcp_receive_window(tp) <= tp.icsk_ack_rcv_mss;
}

/** SO_RCVLOWAT: the window must hold what is waited for. Return: 0. */
export function tcp_set_rcvlowat(sk: sock, val: number): number {
	const tp = tcp_sk(sk);
	const cap = (sk.sk_userlocks & SOCK_RCVBUF_LOCK) !== 0 ? sk.sk_rcvbuf >> 1 : sk.net.ipv4.sysctl_tcp_rmem[2] >> 1;
	val = Math.min(val, cap);
	sk.sk_rcvlowat = val !== 0 ? val : 1;
	tcp_data_ready(sk);
	if ((sk.sk_userlocks & SOCK_RCVBUF_LOCK) !== 0) return 0;
	const space = tcp_space_from_win(tp, val);
	if (space > sk.sk_rcvbuf) {
		sk.sk_rcvbuf = space;
		if (tp.window_clamp !== 0 && tp.window_clamp < val) tcp_set_window_clamp(sk, val);
	}
	return 0;
}

/** TCP_WINDOW_CLAMP. Return: 0 or -errno. */
export function tcp_set_window_clamp(sk: sock, val: number): number {
	const tp: tcp_sock = tcp_sk(sk);
	if (val === 0) {
		if (sk.sk_state !== TCP_CLOSE) return -EINVAL;
		tp.window_clamp = 0;
		return 0;
	}
	const old = tp.window_clamp;
	const clamp = Math.max(SOCK_MIN_RCVBUF / 2, val);
	if (clamp === old) return 0;
	tp.window_clamp = clamp;
	if (clamp < old) tp.rcv_ssthresh = Math.min(tp.rcv_ssthresh, clamp);
	else tp.rcv_ssthresh = Math.max(Math.min(tp.rcv_wnd, clamp), tp.rcv_ssthresh);
	return 0;
}
