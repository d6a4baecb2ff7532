/*
 * net/ipv4/tcp_sendmsg.ts: what a process writes becomes segments.      Linux: net/ipv4/tcp.c (tcp_sendmsg_locked, tcp_push and what they use)
 *
 * Walk: tcp_sendmsg -> tcp_send_mss (how large a segment) -> tcp_stream_alloc_skb, tcp_skb_entail -> skb_append_data -> tcp_push -> tcp_output.
 * A segment is filled up to `size_goal` (as many MSS as TSO takes at once); tcp_write_xmit cuts it to what window and congestion allow.
 * Nothing waits: when the buffer is full, what was taken is returned, or -EAGAIN; the system call layer sleeps and asks again.
 * RFC 9293 3.9.1.2 (SEND), RFC 7413 (data in the SYN). Not here: MSG_SPLICE_PAGES.
 */
import { EAGAIN, EALREADY, EINPROGRESS, EINVAL, ENOBUFS, EOPNOTSUPP, EPIPE } from '../../uapi/asm-generic/errno.ts';
import { LINUX_MIB_TCPAUTOCORKING } from '../../uapi/linux/snmp.ts';
import {
	AF_UNSPEC,
	MSG_DONTWAIT,
	MSG_EOR,
	MSG_FASTOPEN,
	MSG_MORE,
	MSG_OOB,
	MSG_ZEROCOPY,
	type msghdr,
} from '../../uapi/linux/socket.ts';
import { TCP_NO_QUEUE, TCP_RECV_QUEUE, TCPHDR_ACK, TCPHDR_PSH } from '../../uapi/linux/tcp.ts';
import { NETIF_F_SG } from '../core/netdevice.ts';
import { alloc_skb, CHECKSUM_PARTIAL, kfree_skb, type sk_buff, skb_reserve } from '../core/skbuff.ts';
import { skb_append_data } from '../core/skbuff_frags.ts';
import { __skb_queue_tail } from '../core/skbuff_queue.ts';
import { msg_zerocopy_realloc, skb_zcopy, skb_zerocopy_iter_stream, type ubuf_info } from '../core/skbuff_zerocopy.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import { SEND_SHUTDOWN, SOCK_ZEROCOPY, sk_flush_backlog, type sock, sock_error, sock_flag } from '../core/sock.ts';
import {
	sk_enter_memory_pressure,
	sk_forced_mem_schedule,
	sk_mem_charge,
	sk_stream_moderate_sndbuf,
	sk_wmem_schedule,
} from '../core/sock_mem.ts';
import { sk_stream_error, sk_stream_memory_free, sk_wmem_queued_add } from '../core/stream.ts';
import { SS_UNCONNECTED } from '../socket.ts';
import { __inet_stream_connect, inet_sk } from './af_inet.ts';
import { TFO_CLIENT_ENABLE } from './tcp_fastopen.ts';
import { tcp_send_rcvq } from './tcp_input_data.ts';
import {
	__tcp_push_pending_frames,
	tcp_bound_to_half_wnd,
	tcp_chrono_start,
	tcp_chrono_stop,
	tcp_connect,
	tcp_current_mss,
	tcp_cwnd_restart,
	tcp_push_one,
	tcp_unlink_write_queue,
	tcp_wmem_free_skb,
} from './tcp_output.ts';
import { tcp_rate_check_app_limited } from './tcp_rate.ts';
import {
	after,
	MAX_TCP_HEADER,
	TCP_CHRONO_BUSY,
	TCP_CHRONO_SNDBUF_LIMITED,
	TCP_NAGLE_CORK,
	TCP_NAGLE_PUSH,
	TCP_SKB_CB,
	TCPCB_REPAIRED,
	TCPF_CLOSE_WAIT,
	TCPF_ESTABLISHED,
	TCPF_SYN_RECV,
	TCPF_SYN_SENT,
	TSQ_THROTTLED,
	tcp_fastopen_cookie,
	tcp_rtx_and_write_queues_empty,
	tcp_rtx_queue_empty,
	tcp_send_head,
	tcp_sk,
	tcp_skb_pcount_set,
	type tcp_sock,
	tcp_write_queue_tail,
} from './tcp_sock.ts';

/** What Linux charges for an empty segment: its sk_buff and its place for headers. */
export const TCP_SKB_TRUESIZE = 832;

/**
 * An empty segment with room for headers, paid for. `force_schedule`: whatever memory is left (nothing else is queued).
 * Return: null when there is no memory.
 */
export function tcp_stream_alloc_skb(sk: sock, force_schedule: boolean): sk_buff | null {
	const skb = alloc_skb(sk.net.machine, MAX_TCP_HEADER);
	skb.truesize = TCP_SKB_TRUESIZE;
	if (force_schedule) sk_forced_mem_schedule(sk, TCP_SKB_TRUESIZE);
	else if (!sk_wmem_schedule(sk, TCP_SKB_TRUESIZE)) {
		kfree_skb(skb, 'tcp_stream_alloc_skb');
		sk_enter_memory_pressure(sk);
		sk_stream_moderate_sndbuf(sk);
		return null;
	}
	skb_reserve(skb, MAX_TCP_HEADER);
	skb.ip_summed = CHECKSUM_PARTIAL;
	const cb = TCP_SKB_CB(skb);
	cb.tcp_gso_segs = 0;
	cb.tcp_gso_size = 0;
	cb.sacked = 0;
	cb.eor = false;
	cb.txstamp_ack = false;
	cb.skb_mstamp_ns = 0;
	cb.tsorted = false;
	return skb;
}

export function tcp_mark_push(tp: tcp_sock, skb: sk_buff): void {
	TCP_SKB_CB(skb).tcp_flags |= TCPHDR_PSH;
	tp.pushed_seq = tp.write_seq;
}

/** More than half of the largest window ever seen waits unpushed. */
function forced_push(tp: tcp_sock): boolean {
	return after(tp.write_seq, (tp.pushed_seq + (tp.max_window >>> 1)) | 0);
}

/** Congestion window validation (RFC 2861): after an idle time the window is no longer known to fit. */
export function tcp_slow_start_after_idle_check(sk: sock): void {
	const tp = tcp_sk(sk);
	if (
		sk.net.ipv4.sysctl_tcp_slow_start_after_idle === 0 ||
		tp.packets_out !== 0 ||
		tp.icsk_ca_ops.cong_control !== null
	)
		return;
	const delta = sk.net.machine.jiffies - tp.lsndtime;
	if (delta > tp.icsk_rto) tcp_cwnd_restart(sk, delta);
}

export function tcp_add_write_queue_tail(sk: sock, skb: sk_buff): void {
	__skb_queue_tail(sk.sk_write_queue, skb);
	// First of the queue: there is something to send again.
	if (sk.sk_write_queue.first === skb) tcp_chrono_start(sk, TCP_CHRONO_BUSY);
}

/** Puts a new segment, still without data, at the end of the write queue. */
export function tcp_skb_entail(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	cb.seq = tp.write_seq;
	cb.end_seq = tp.write_seq;
	cb.tcp_flags = TCPHDR_ACK;
	tcp_add_write_queue_tail(sk, skb);
	sk_wmem_queued_add(sk, skb.truesize);
	sk_mem_charge(sk, skb.truesize);
	if ((tp.nonagle & TCP_NAGLE_PUSH) !== 0) tp.nonagle &= ~TCP_NAGLE_PUSH;
	tcp_slow_start_after_idle_check(sk);
}

/** Rather than send a short segment now, wait for what is still in the device's queue: more may be written meanwhile. */
function tcp_should_autocork(sk: sock, skb: sk_buff, size_goal: number): boolean {
	return (
		skb.len < size_goal &&
		sk.net.ipv4.sysctl_tcp_autocorking !== 0 &&
		!tcp_rtx_queue_empty(sk) &&
		sk.sk_wmem_alloc >= skb.truesize &&
		!TCP_SKB_CB(skb).eor
	);
}

/** Everything for now was written: sends what may go. `nonagle`: TCP_NAGLE_*. */
export function tcp_push(sk: sock, flags: number, mss_now: number, nonagle: number, size_goal: number): void {
	const tp = tcp_sk(sk);
	const skb = tcp_write_queue_tail(sk);
	if (skb === null) return;
	if ((flags & MSG_MORE) === 0 || forced_push(tp)) tcp_mark_push(tp, skb);
	if ((flags & MSG_OOB) !== 0) tp.snd_up = tp.write_seq;
	if (tcp_should_autocork(sk, skb, size_goal)) {
		if ((tp.sk_tsq_flags & (1 << TSQ_THROTTLED)) === 0) {
			NET_INC_STATS(sk.net, LINUX_MIB_TCPAUTOCORKING);
			tp.sk_tsq_flags |= 1 << TSQ_THROTTLED;
		}
		return;
	}
	__tcp_push_pending_frames(sk, mss_now, (flags & MSG_MORE) !== 0 ? TCP_NAGLE_CORK : nonagle);
}

/** How many bytes one segment takes: whole MSS, as many as the device cuts at once and half the window holds. */
function tcp_xmit_size_goal(sk: sock, mss_now: number, large_allowed: boolean): number {
	if (!large_allowed) return mss_now;
	const tp = tcp_sk(sk);
	const limit = tcp_bound_to_half_wnd(tp, sk.sk_gso_max_size);
	let size_goal = tp.gso_segs * mss_now;
	if (limit < size_goal || limit >= size_goal + mss_now) {
		tp.gso_segs = Math.min(Math.floor(limit / mss_now), sk.sk_gso_max_segs);
		size_goal = tp.gso_segs * mss_now;
	}
	return Math.max(size_goal, mss_now);
}

/** Return: the MSS now; the size of segments to `size_goal`. */
export function tcp_send_mss(sk: sock, size_goal: { v: number }, flags: number): number {
	const mss_now = tcp_current_mss(sk);
	size_goal.v = tcp_xmit_size_goal(sk, mss_now, (flags & MSG_OOB) === 0);
	return mss_now;
}

/** A segment that got no data goes again. */
export function tcp_remove_empty_skb(sk: sock): void {
	const skb = tcp_write_queue_tail(sk);
	if (skb === null) return;
	const cb = TCP_SKB_CB(skb);
	if (cb.seq !== cb.end_seq) return;
	tcp_unlink_write_queue(skb, sk);
	if (sk.sk_write_queue.first === null) tcp_chrono_stop(sk, TCP_CHRONO_BUSY);
	tcp_wmem_free_skb(sk, skb);
}

/** Return: how many of `copy` bytes can be paid for: at least what keeps the socket at its minimum. */
export function tcp_wmem_schedule(sk: sock, copy: number): number {
	if (sk_wmem_schedule(sk, copy)) return copy;
	const left = sk.net.ipv4.sysctl_tcp_wmem[0] - sk.sk_wmem_queued;
	if (left > 0) sk_forced_mem_schedule(sk, Math.min(left, copy));
	return Math.min(copy, sk.sk_forward_alloc);
}

export function tcp_free_fastopen_req(tp: tcp_sock): void {
	tp.fastopen_req = null;
}

/** Linux's MSG_FASTOPEN: connects, with data in the SYN when a cookie is known. `copied` gets the bytes that went. Return: 0 or -errno. */
export function tcp_sendmsg_fastopen(sk: sock, msg: msghdr, flags: number, copied: { v: number }): number {
	const tp = tcp_sk(sk);
	const inet = inet_sk(sk);
	if ((sk.net.ipv4.sysctl_tcp_fastopen & TFO_CLIENT_ENABLE) === 0) return -EOPNOTSUPP;
	if (msg.msg_name !== null && msg.msg_name.sa_family === AF_UNSPEC) return -EOPNOTSUPP;
	if (tp.fastopen_req !== null) return -EALREADY;
	const req = {
		cookie: new tcp_fastopen_cookie(),
		data: msg.msg_iov,
		size: msg.msg_iov.length,
		copied: 0,
		uarg: msg.msg_ubuf as ubuf_info | null,
	};
	// Ask for one, unless it is known.
	req.cookie.len = 0;
	tp.fastopen_req = req;
	if (inet.defer_connect) {
		const err = tcp_connect(sk);
		// As a connect that failed.
		if (err !== 0) {
			sk.sk_prot.disconnect!(sk, 0);
			inet.inet_dport = 0;
			sk.sk_route_caps = 0;
			sk.sk_err = 0;
			if (sk.sk_socket !== null) sk.sk_socket.state = SS_UNCONNECTED;
		}
	}
	const err = __inet_stream_connect(sk.sk_socket!, msg.msg_name, flags & MSG_DONTWAIT, true);
	copied.v = req.copied;
	if (tp.fastopen_req !== null) {
		tcp_free_fastopen_req(tp);
		inet.defer_connect = false;
	}
	return err;
}

/** Whether there can be data now. Return: 0, -EAGAIN while the connection is still being made, else -errno. */
function sk_stream_wait_connect(sk: sock): number {
	const err = sock_error(sk);
	if (err !== 0) return err;
	return ((1 << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) === 0 ? -EPIPE : -EAGAIN;
}

const fastopen_copied = { v: 0 };
const goal = { v: 0 };

/** A MSG_ZEROCOPY send begins, or goes on: msg_ubuf accounts for it until the system call ends (msg_zerocopy_done). Return: 0 or -ENOBUFS. */
function tcp_sendmsg_zerocopy(sk: sock, msg: msghdr): number {
	if (msg.msg_ubuf !== null || !sock_flag(sk, SOCK_ZEROCOPY)) return 0;
	const tail = tcp_write_queue_tail(sk);
	const uarg = msg_zerocopy_realloc(sk, msg.msg_iov.length, tail === null ? null : skb_zcopy(tail));
	if (uarg === null) return -ENOBUFS;
	if ((sk.sk_route_caps & NETIF_F_SG) === 0) uarg.zerocopy = false;
	msg.msg_ubuf = uarg;
	return 0;
}

/** Where the piece of the iovec that holds byte `at` of msg_iov ends. */
function iov_piece_end(msg: msghdr, at: number): number {
	const size = msg.msg_iov.length;
	if (msg.msg_iovlen === null) return size;
	let whole = 0;
	for (const n of msg.msg_iovlen) whole += n;
	// msg_iov may be what is left of it.
	let end = size - whole;
	for (const n of msg.msg_iovlen) {
		end += n;
		if (end > at) return end;
	}
	return size;
}

/**
 * Takes a process's bytes. Context: process; never waits.
 * Return: how many it took; -EAGAIN when there is no room (or no connection yet); else -errno.
 */
export function tcp_sendmsg(sk: sock, msg: msghdr, flags: number): number {
	const tp = tcp_sk(sk);
	let copied_syn = 0;
	let uarg: ubuf_info | null = null;
	if ((flags & MSG_ZEROCOPY) !== 0 && msg.msg_iov.length > 0) {
		const err = tcp_sendmsg_zerocopy(sk, msg);
		if (err !== 0) return err;
		uarg = msg.msg_ubuf as ubuf_info | null;
	}
	if (((flags & MSG_FASTOPEN) !== 0 || inet_sk(sk).defer_connect) && !tp.repair) {
		fastopen_copied.v = 0;
		const err = tcp_sendmsg_fastopen(sk, msg, flags, fastopen_copied);
		copied_syn = fastopen_copied.v;
		if (err === -EINPROGRESS && copied_syn > 0) return copied_syn;
		if (err !== 0) return tcp_sendmsg_err(sk, flags, err);
	}
	tcp_rate_check_app_limited(sk);
	if (((1 << sk.sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) === 0 && tp.fastopen_rsk === null) {
		const err = sk_stream_wait_connect(sk);
		if (err !== 0) return copied_syn > 0 ? copied_syn : tcp_sendmsg_err(sk, flags, err);
	}
	if (tp.repair) {
		if (tp.repair_queue === TCP_RECV_QUEUE) return tcp_send_rcvq(sk, msg.msg_iov);
		if (tp.repair_queue === TCP_NO_QUEUE) return tcp_sendmsg_err(sk, flags, -EINVAL);
	}
	const from = msg.msg_iov;
	const size = from.length;
	// Without scatter-gather the bytes are copied all the same.
	const zerocopy = uarg !== null && (sk.sk_route_caps & NETIF_F_SG) !== 0 ? uarg : null;
	let at = copied_syn;
	let mss_now = tcp_send_mss(sk, goal, flags);
	// The functions below may use `goal` for another socket's call.
	let size_goal = goal.v;
	let process_backlog = 0;
	let err = 0;
	let full = false;
	if (sk.sk_err !== 0 || (sk.sk_shutdown & SEND_SHUTDOWN) !== 0) err = -EPIPE;
	while (err === 0 && at < size) {
		let skb = tcp_write_queue_tail(sk);
		let copy = skb !== null ? size_goal - skb.len : 0;
		if (skb === null || copy <= 0 || full || TCP_SKB_CB(skb).eor) {
			full = false;
			if (process_backlog >= 16) {
				process_backlog = 0;
				if (sk_flush_backlog(sk)) {
					mss_now = tcp_send_mss(sk, goal, flags);
					size_goal = goal.v;
					if (sk.sk_err !== 0 || (sk.sk_shutdown & SEND_SHUTDOWN) !== 0) err = -EPIPE;
					continue;
				}
			}
			skb = sk_stream_memory_free(sk) ? tcp_stream_alloc_skb(sk, tcp_rtx_and_write_queues_empty(sk)) : null;
			if (skb === null) {
				err = -EAGAIN;
				break;
			}
			process_backlog++;
			tcp_skb_entail(sk, skb);
			copy = size_goal;
			// Repaired data was sent by somebody else: its ACK tells nothing of the round trip.
			if (tp.repair) TCP_SKB_CB(skb).sacked |= TCPCB_REPAIRED;
		}
		copy = tcp_wmem_schedule(sk, Math.min(copy, size - at));
		if (copy <= 0) {
			err = -EAGAIN;
			break;
		}
		let charge = skb.truesize;
		copy =
			zerocopy === null
				? skb_append_data(skb, from, at, copy)
				: skb_zerocopy_iter_stream(skb, zerocopy, from, at, iov_piece_end(msg, at), copy);
		charge = skb.truesize - charge;
		const cb = TCP_SKB_CB(skb);
		if (copy === 0) {
			// No frag left: this segment is as large as it gets.
			tcp_mark_push(tp, skb);
			full = true;
			continue;
		}
		sk_wmem_queued_add(sk, charge);
		sk_mem_charge(sk, charge);
		if (at === copied_syn) cb.tcp_flags &= ~TCPHDR_PSH;
		tp.write_seq = (tp.write_seq + copy) | 0;
		cb.end_seq = (cb.end_seq + copy) | 0;
		tcp_skb_pcount_set(skb, 0);
		at += copy;
		if (at === size) {
			if ((flags & MSG_EOR) !== 0) cb.eor = true;
			break;
		}
		if (skb.len < size_goal || (flags & MSG_OOB) !== 0 || tp.repair) continue;
		if (forced_push(tp)) {
			tcp_mark_push(tp, skb);
			__tcp_push_pending_frames(sk, mss_now, TCP_NAGLE_PUSH);
		} else if (skb === tcp_send_head(sk)) tcp_push_one(sk, mss_now);
	}
	if (err === -EAGAIN && sk.sk_socket !== null) sk.sk_socket.nospace = true;
	if (err !== 0) tcp_remove_empty_skb(sk);
	const copied = at - copied_syn;
	if (copied > 0) {
		// Out of room: what is there must go out, however short, or there will never be room.
		if (err === -EAGAIN) tcp_push(sk, flags & ~MSG_MORE, mss_now, TCP_NAGLE_PUSH, size_goal);
		else tcp_push(sk, flags, mss_now, tp.nonagle, size_goal);
	}
	return at > 0 || err === 0 ? at : tcp_sendmsg_err(sk, flags, err);
}

function tcp_sendmsg_err(sk: sock, flags: number, err: number): number {
	err = sk_stream_error(sk, flags, err);
	if (err === -EAGAIN && tcp_rtx_and_write_queues_empty(sk)) {
		// Nothing is under way that could wake the writer.
		sk.sk_write_space(sk);
		tcp_chrono_stop(sk, TCP_CHRONO_SNDBUF_LIMITED);
	}
	return err;
}
