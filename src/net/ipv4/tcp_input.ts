/*
 * net/ipv4/tcp_input.ts: a segment arrives for a connection: is it valid, and what does its state make of it.      Linux: net/ipv4/tcp_input.c
 *
 * Walk: tcp_v4_do_rcv -> tcp_rcv_established: header prediction (what a bulk transfer looks like goes the short way), else
 *                        tcp_validate_incoming (PAWS, sequence, RST, SYN) -> tcp_ack -> tcp_urg -> tcp_data_queue
 *                     -> tcp_rcv_state_process: all other states; SYN-SENT by tcp_rcv_synsent_state_process.
 * What a socket answers at once, and what later: tcp_data_snd_check, tcp_ack_snd_check. Options: tcp_input_options.ts; data: _data;
 * acknowledgements: _ack, _sack, _loss; windows: _rcvbuf; a listener's SYNs: _request.
 * RFC 9293 3.10.7 (SEGMENT ARRIVES), RFC 5961 3 to 5 (blind attacks), RFC 7323 5 (PAWS), RFC 7413 (Fast Open). Not here: BPF, MPTCP, AO.
 */
import { HZ, hrtimer_start } from '../../kernel/time.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { ECONNREFUSED, ECONNRESET, EPIPE } from '../../uapi/asm-generic/errno.ts';
import {
	LINUX_MIB_BEYONDWINDOW,
	LINUX_MIB_PAWSESTAB,
	LINUX_MIB_PAWSOLDACK,
	LINUX_MIB_TCPACKSKIPPEDCHALLENGE,
	LINUX_MIB_TCPACKSKIPPEDPAWS,
	LINUX_MIB_TCPACKSKIPPEDSEQ,
	LINUX_MIB_TCPCHALLENGEACK,
	LINUX_MIB_TCPHPHITS,
	LINUX_MIB_TCPSYNCHALLENGE,
	TCP_MIB_INERRS,
} from '../../uapi/linux/snmp.ts';
import {
	TCPHDR_ACK,
	TCPHDR_FIN,
	TCPHDR_RST,
	TCPHDR_SYN,
	TCPHDR_URG,
	TCPOLEN_TSTAMP_ALIGNED,
} from '../../uapi/linux/tcp.ts';
import {
	SKB_DROP_REASON_PKT_TOO_SMALL,
	SKB_DROP_REASON_TCP_FLAGS,
	SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE,
	SKB_DROP_REASON_TCP_INVALID_SEQUENCE,
	SKB_DROP_REASON_TCP_INVALID_SYN,
	SKB_DROP_REASON_TCP_OLD_SEQUENCE,
	SKB_DROP_REASON_TCP_RESET,
	SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK,
	SKB_NOT_DROPPED_YET,
} from '../core/dropreason.ts';
import type { net } from '../core/net_namespace.ts';
import { consume_skb, type sk_buff, skb_copy_bits, skb_pull } from '../core/skbuff.ts';
import { __skb_unlink } from '../core/skbuff_queue.ts';
import { NET_INC_STATS, TCP_INC_STATS } from '../core/snmp.ts';
import {
	RCV_SHUTDOWN,
	SOCK_DEAD,
	SOCK_DONE,
	SOCK_URGINLINE,
	type sock,
	sock_flag,
	sock_set_flag,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_SYN_RECV,
	TCP_SYN_SENT,
	TCP_TIME_WAIT,
} from '../core/sock.ts';
import { tcp_done, tcp_set_state, tcp_write_queue_purge } from './tcp.ts';
import { tcp_fastopen_active_disable } from './tcp_fastopen.ts';
import { tcp_flag_word, tcp_hdr_urg_ptr, tcp_hdrlen } from './tcp_hdr.ts';
import {
	FLAG_DATA,
	FLAG_SLOWPATH,
	FLAG_TS_PROGRESS,
	FLAG_UPDATE_TS_RECENT,
	tcp_ack,
	tcp_check_space,
} from './tcp_input_ack.ts';
import {
	tcp_cleanup_skb,
	tcp_data_queue,
	tcp_data_ready,
	tcp_drop_reason,
	tcp_ofo_purge,
	tcp_queue_rcv,
	tcp_sack_reset,
	tcp_send_dupack,
} from './tcp_input_data.ts';
import {
	tcp_disordered_ack_check,
	tcp_fast_parse_options,
	tcp_parse_aligned_timestamp,
	tcp_paws_check,
	tcp_store_ts_recent,
} from './tcp_input_options.ts';
import {
	tcp_ecn_received_counters,
	tcp_event_data_recv,
	tcp_in_quickack_mode,
	tcp_rcv_rtt_measure_ts,
} from './tcp_input_rcvbuf.ts';
import { tcp_time_wait } from './tcp_minisocks.ts';
import { __tcp_select_window, __tcp_send_ack, tcp_send_ack, tcp_send_delayed_ack } from './tcp_output.ts';
import { tcp_push_pending_frames } from './tcp_output_xmit.ts';
import {
	after,
	before,
	ICSK_ACK_NOW,
	inet_csk_ack_scheduled,
	inet_csk_enter_pingpong_mode,
	inet_csk_schedule_ack,
	TCP_ACK_DEFERRED,
	TCP_FASTRETRANS_THRESH,
	TCP_PAWS_WINDOW,
	TCP_SKB_CB,
	TCP_URG_NOTYET,
	TCP_URG_VALID,
	TCPF_CLOSE_WAIT,
	TCPF_CLOSING,
	TCPF_LAST_ACK,
	tcp_mstamp_refresh,
	tcp_receive_window,
	tcp_selective_acks,
	tcp_sk,
	type tcp_sock,
} from './tcp_sock.ts';
import { tcp_compressed_ack_timer } from './tcp_timer.ts';

export { tcp_parse_md5sig_option, tcp_parse_mss_option, tcp_parse_options } from './tcp_input_options.ts';
export { tcp_finish_connect, tcp_init_transfer, tcp_rcv_state_process } from './tcp_input_state.ts';

/** Bits of the word at offset 12 that prediction looks at: all but reserved bits and PSH. */
const TCP_HP_BITS = ~(0x0e000000 | 0x00080000);
const HDR_TS = 20 + TCPOLEN_TSTAMP_ALIGNED;

/** One byte of urgent data on its way. */
const urg_byte = new Uint8Array(1);

// ---- header prediction ---------------------------------------------------------------------------------------------------------

/** What the next segment's word at offset 12 will be when nothing special happens. */
export function __tcp_fast_path_on(tp: tcp_sock, snd_wnd: number): void {
	tp.pred_flags = (tp.tcp_header_len << 26) | (TCPHDR_ACK << 16) | snd_wnd;
}

export function tcp_fast_path_on(tp: tcp_sock): void {
	__tcp_fast_path_on(tp, tp.snd_wnd >>> tp.rx_opt.snd_wscale);
}

/** Predicts again when nothing is out of order, urgent or full. */
export function tcp_fast_path_check(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.out_of_order_queue.first === null && tp.rcv_wnd !== 0 && sk.sk_rmem_alloc < sk.sk_rcvbuf && tp.urg_data === 0)
		tcp_fast_path_on(tp);
}

// ---- what is answered, and when ------------------------------------------------------------------------------------------------

/** Sends what the segment made room for. */
export function tcp_data_snd_check(sk: sock): void {
	tcp_push_pending_frames(sk);
	tcp_check_space(sk);
}

/** RFC 9293 3.8.6.3, RFC 5681 4.2: acknowledges now, later, or (RFC 5690-like) once for several out of order. */
export function __tcp_ack_snd_check(sk: sock, ofo_possible: boolean): void {
	const tp = tcp_sk(sk);
	if (
		// More than a full segment is not acknowledged, and the window moves enough to say so.
		(((tp.rcv_nxt - tp.rcv_wup) | 0) > tp.icsk_ack_rcv_mss &&
			(((tp.rcv_nxt - tp.copied_seq) | 0) < sk.sk_rcvlowat || __tcp_select_window(sk) >= tp.rcv_wnd)) ||
		tcp_in_quickack_mode(sk) ||
		(tp.icsk_ack_pending & ICSK_ACK_NOW) !== 0
	) {
		// What waited for a system call is acknowledged once, when it lets go of the socket.
		if (sk.sk_lock_owned && sk.net.ipv4.sysctl_tcp_backlog_ack_defer !== 0) tp.sk_tsq_flags |= 1 << TCP_ACK_DEFERRED;
		else tcp_send_ack(sk);
		return;
	}
	if (!ofo_possible || tp.out_of_order_queue.first === null) {
		tcp_send_delayed_ack(sk);
		return;
	}
	const ipv4 = sk.net.ipv4;
	if (tp.rx_opt.sack_ok === 0 || tp.compressed_ack >= ipv4.sysctl_tcp_comp_sack_nr) {
		tcp_send_ack(sk);
		return;
	}
	if (tp.compressed_ack_rcv_nxt !== tp.rcv_nxt) {
		tp.compressed_ack_rcv_nxt = tp.rcv_nxt;
		tp.dup_ack_counter = 0;
	}
	// The first ones make the peer retransmit: they may not wait.
	if (tp.dup_ack_counter < TCP_FASTRETRANS_THRESH) {
		tp.dup_ack_counter++;
		tcp_send_ack(sk);
		return;
	}
	tp.compressed_ack++;
	const timer = tcp_compressed_ack_timer(tp);
	if (timer.slot >= 0) return;
	// A twentieth of the round trip (stored << 3), at most tcp_comp_sack_delay_ns.
	let rtt = tp.rcv_rtt_est_rtt_us;
	if (tp.srtt_us !== 0 && tp.srtt_us < rtt) rtt = tp.srtt_us;
	const delay = Math.min(ipv4.sysctl_tcp_comp_sack_delay_ns, Math.floor((rtt * 125) / 20));
	hrtimer_start(timer, sk.net.machine.clock.now + delay);
}

export function tcp_ack_snd_check(sk: sock): void {
	if (inet_csk_ack_scheduled(sk)) __tcp_ack_snd_check(sk, true);
}

// ---- answers to what is not in the window ----------------------------------------------------------------------------------------

/** Whether an ACK for what is out of the window must wait (tcp_invalid_ratelimit). `owner`: where the time of the last is kept. */
export function __tcp_oow_rate_limited(n: net, mib_idx: number, owner: { last_oow_ack_time: number }): boolean {
	const now = n.machine.jiffies;
	const last = owner.last_oow_ack_time;
	if (last !== 0 && now - last < n.ipv4.sysctl_tcp_invalid_ratelimit) {
		NET_INC_STATS(n, mib_idx);
		return true;
	}
	owner.last_oow_ack_time = now;
	return false;
}

/** The same, for pure ACKs and SYNs only: data are no part of a loop of ACKs. Borrows skb. */
export function tcp_oow_rate_limited(
	n: net,
	skb: sk_buff,
	mib_idx: number,
	owner: { last_oow_ack_time: number },
): boolean {
	const cb = TCP_SKB_CB(skb);
	if (cb.seq !== cb.end_seq && (cb.tcp_flags & TCPHDR_SYN) === 0) return false;
	return __tcp_oow_rate_limited(n, mib_idx, owner);
}

/** RFC 5961 7: whether a challenge may be sent to `owner` now, which counts it: limited per connection and per host. */
export function tcp_challenge_ack_allowed(n: net, owner: { last_oow_ack_time: number }): boolean {
	const { ipv4 } = n;
	if (__tcp_oow_rate_limited(n, LINUX_MIB_TCPACKSKIPPEDCHALLENGE, owner)) return false;
	const limit = ipv4.sysctl_tcp_challenge_ack_limit;
	if (limit !== 0x7fffffff) {
		const now = Math.floor(n.machine.jiffies / HZ);
		if (now !== ipv4.tcp_challenge_timestamp) {
			// How many are left this second is not for others to count (CVE-2016-5696).
			const half = (limit + 1) >> 1;
			ipv4.tcp_challenge_timestamp = now;
			ipv4.tcp_challenge_count = half + n.machine.random.below(limit);
		}
		if (ipv4.tcp_challenge_count <= 0) return false;
		ipv4.tcp_challenge_count--;
	}
	NET_INC_STATS(n, LINUX_MIB_TCPCHALLENGEACK);
	return true;
}

/** RFC 5961 7: an ACK that asks the peer whether it meant that. */
export function tcp_send_challenge_ack(sk: sock, _accecn_reflector = false): void {
	if (tcp_challenge_ack_allowed(sk.net, tcp_sk(sk))) __tcp_send_ack(sk, tcp_sk(sk).rcv_nxt, 0);
}

// ---- the end of a connection -------------------------------------------------------------------------------------------------------

/** The connection is over: `err` (positive) for the process. */
export function tcp_done_with_error(sk: sock, err: number): void {
	sk.sk_err = err;
	tcp_write_queue_purge(sk);
	tcp_done(sk);
	if (!sock_flag(sk, SOCK_DEAD)) sk.sk_error_report(sk);
}

/** A valid reset came. Borrows skb. */
export function tcp_reset(sk: sock, skb: sk_buff | null): void {
	let err: number;
	switch (sk.sk_state) {
		case TCP_SYN_SENT:
			err = ECONNREFUSED;
			break;
		case TCP_CLOSE_WAIT:
			err = EPIPE;
			break;
		case TCP_CLOSE:
			return;
		default:
			err = ECONNRESET;
	}
	if (skb !== null && skb.journey !== null)
		trace_event(skb, 'note', 'tcp_reset', { ino: sk.sk_ino, state: sk.sk_state, err });
	tcp_done_with_error(sk, err);
}

/** RFC 9293 3.10.7.4, eighth: the peer's FIN is in order. */
export function tcp_fin(sk: sock): void {
	const tp = tcp_sk(sk);
	inet_csk_schedule_ack(sk);
	sk.sk_shutdown |= RCV_SHUTDOWN;
	sock_set_flag(sk, SOCK_DONE);
	switch (sk.sk_state) {
		case TCP_SYN_RECV:
		case TCP_ESTABLISHED:
			tcp_set_state(sk, TCP_CLOSE_WAIT);
			inet_csk_enter_pingpong_mode(sk);
			break;
		case TCP_FIN_WAIT1:
			// Both closed at once.
			tcp_send_ack(sk);
			tcp_set_state(sk, TCP_CLOSING);
			break;
		case TCP_FIN_WAIT2:
			tcp_send_ack(sk);
			tcp_time_wait(sk, TCP_TIME_WAIT, 0);
			break;
	}
	// What came for after the end never will be read.
	tcp_ofo_purge(tp);
	if (tp.rx_opt.sack_ok !== 0) tcp_sack_reset(tp.rx_opt);
	if (!sock_flag(sk, SOCK_DEAD)) sk.sk_state_change(sk);
}

// ---- urgent data -----------------------------------------------------------------------------------------------------------------

/** A segment with URG: where the urgent byte is (RFC 6093: the pointer is taken to point behind it, unless tcp_stdurg). Borrows skb. */
function tcp_check_urg(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	let ptr = tcp_hdr_urg_ptr(skb);
	if (ptr !== 0 && sk.net.ipv4.sysctl_tcp_stdurg === 0) ptr--;
	ptr = (ptr + TCP_SKB_CB(skb).seq) | 0;
	if (after(tp.copied_seq, ptr) || before(ptr, tp.rcv_nxt)) return;
	if (tp.urg_data !== 0 && !after(ptr, tp.urg_seq)) return;
	// The process stands at an urgent byte that it has had, and another comes: the mark moves over the old byte, which is not data.
	if (
		tp.urg_seq === tp.copied_seq &&
		tp.urg_data !== 0 &&
		!sock_flag(sk, SOCK_URGINLINE) &&
		tp.copied_seq !== tp.rcv_nxt
	) {
		const first = sk.sk_receive_queue.first;
		tp.copied_seq = (tp.copied_seq + 1) | 0;
		if (first !== null && !before(tp.copied_seq, TCP_SKB_CB(first).end_seq)) {
			__skb_unlink(first, sk.sk_receive_queue);
			consume_skb(first);
		}
	}
	tp.urg_data = TCP_URG_NOTYET;
	tp.urg_seq = ptr;
	tp.pred_flags = 0;
}

/** RFC 9293 3.10.7.4, sixth. Borrows skb (data at the TCP header). */
export function tcp_urg(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	if ((cb.tcp_flags & TCPHDR_URG) !== 0) tcp_check_urg(sk, skb);
	if (tp.urg_data !== TCP_URG_NOTYET) return;
	const at = ((tp.urg_seq - cb.seq) | 0) + tcp_hdrlen(skb) - ((cb.tcp_flags & TCPHDR_SYN) !== 0 ? 1 : 0);
	if (at < 0 || at >= skb.len) return;
	skb_copy_bits(skb, at, urg_byte, 0, 1);
	tp.urg_data = TCP_URG_VALID | urg_byte[0];
	if (!sock_flag(sk, SOCK_DEAD)) sk.sk_data_ready(sk);
}

// ---- is it valid -------------------------------------------------------------------------------------------------------------------

/** RFC 9293 3.10.7.4, first: whether the segment touches the window. Return: SKB_NOT_DROPPED_YET or why not. */
function tcp_sequence(sk: sock, seq: number, end_seq: number, fin: number): number {
	const tp = tcp_sk(sk);
	if (before(end_seq, tp.rcv_wup)) return SKB_DROP_REASON_TCP_OLD_SEQUENCE;
	const wnd_end = (tp.rcv_nxt + tcp_receive_window(tp)) | 0;
	if (after(end_seq, wnd_end)) {
		// The FIN itself needs no room.
		if (!after((end_seq - fin) | 0, wnd_end)) return SKB_NOT_DROPPED_YET;
		if (after(seq, wnd_end)) return SKB_DROP_REASON_TCP_INVALID_SEQUENCE;
		// Reaching out of the window is forgiven while nothing waits to be read.
		if (sk.sk_receive_queue.first !== null) return SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE;
	}
	return SKB_NOT_DROPPED_YET;
}

/** A reset one below rcv_nxt after a FIN: of a peer that does not count its FIN. */
function tcp_reset_check(sk: sock, skb: sk_buff): boolean {
	const tp = tcp_sk(sk);
	return (
		TCP_SKB_CB(skb).seq === ((tp.rcv_nxt - 1) | 0) &&
		((1 << sk.sk_state) & (TCPF_CLOSE_WAIT | TCPF_LAST_ACK | TCPF_CLOSING)) !== 0
	);
}

/** RFC 5961 3.2: a reset counts at rcv_nxt; or where the last of what we said we have ends. */
function reset_is_exact(sk: sock, skb: sk_buff): boolean {
	const tp = tcp_sk(sk);
	const seq = TCP_SKB_CB(skb).seq;
	if (seq === tp.rcv_nxt || tcp_reset_check(sk, skb)) return true;
	if (tp.rx_opt.sack_ok === 0 || tp.rx_opt.num_sacks === 0) return false;
	const sacks = tcp_selective_acks(tp);
	let max_sack = sacks[0].end_seq;
	for (let i = 1; i < tp.rx_opt.num_sacks; i++) {
		const end = sacks[i].end_seq;
		if (after(end, max_sack)) max_sack = end;
	}
	return seq === max_sack;
}

function invalid(sk: sock, skb: sk_buff, reason: number): boolean {
	tcp_drop_reason(sk, skb, reason, 'tcp_validate_incoming');
	return false;
}

function note_counter(skb: sk_buff, counter: string): void {
	if (skb.journey !== null) trace_event(skb, 'note', 'tcp_validate_incoming', { counter });
}

/** RFC 5961 4.2: a SYN within a connection is answered with a challenge, never with a reset. */
function syn_challenge(sk: sock, skb: sk_buff, syn_inerr: boolean): boolean {
	if (syn_inerr) TCP_INC_STATS(sk.net, TCP_MIB_INERRS);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPSYNCHALLENGE);
	note_counter(skb, 'TCPSYNChallenge');
	tcp_send_challenge_ack(sk, false);
	return invalid(sk, skb, SKB_DROP_REASON_TCP_INVALID_SYN);
}

/** PAWS, sequence, RST, SYN. Return: whether to go on; if not, skb is consumed. */
export function tcp_validate_incoming(sk: sock, skb: sk_buff, syn_inerr: boolean): boolean {
	const tp = tcp_sk(sk);
	const n = sk.net;
	const cb = TCP_SKB_CB(skb);
	const flags = cb.tcp_flags;
	const opt = tp.rx_opt;
	if (tcp_fast_parse_options(n, skb, tp) && opt.saw_tstamp && !tcp_paws_check(opt, TCP_PAWS_WINDOW, sk.net.machine)) {
		const reason = tcp_disordered_ack_check(sk, skb);
		// RFC 7323 5.2: resets are not held to PAWS.
		if (reason !== SKB_NOT_DROPPED_YET && (flags & TCPHDR_RST) === 0) {
			if ((flags & TCPHDR_SYN) !== 0) return syn_challenge(sk, skb, syn_inerr);
			if (reason === SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK) {
				NET_INC_STATS(n, LINUX_MIB_PAWSOLDACK);
				note_counter(skb, 'PAWSOldAck');
				return invalid(sk, skb, reason);
			}
			NET_INC_STATS(n, LINUX_MIB_PAWSESTAB);
			note_counter(skb, 'PAWSEstab');
			if (!tcp_oow_rate_limited(n, skb, LINUX_MIB_TCPACKSKIPPEDPAWS, tp)) tcp_send_dupack(sk, skb);
			return invalid(sk, skb, reason);
		}
	}

	const reason = tcp_sequence(sk, cb.seq, cb.end_seq, flags & TCPHDR_FIN);
	if (reason !== SKB_NOT_DROPPED_YET) {
		if ((flags & TCPHDR_RST) !== 0) {
			if (!tcp_reset_check(sk, skb)) return invalid(sk, skb, reason);
			tcp_reset(sk, skb);
			consume_skb(skb);
			return false;
		}
		if ((flags & TCPHDR_SYN) !== 0) return syn_challenge(sk, skb, syn_inerr);
		if (reason !== SKB_DROP_REASON_TCP_OLD_SEQUENCE) {
			NET_INC_STATS(n, LINUX_MIB_BEYONDWINDOW);
			note_counter(skb, 'BeyondWindow');
		}
		if (!tcp_oow_rate_limited(n, skb, LINUX_MIB_TCPACKSKIPPEDSEQ, tp)) tcp_send_dupack(sk, skb);
		return invalid(sk, skb, reason);
	}

	if ((flags & TCPHDR_RST) !== 0) {
		if (reset_is_exact(sk, skb)) {
			tcp_reset(sk, skb);
			consume_skb(skb);
			return false;
		}
		// A reset somewhere in the window instead of data: something on the path does not like Fast Open.
		if (tp.syn_fastopen && tp.data_segs_in === 0 && sk.sk_state === TCP_ESTABLISHED) tcp_fastopen_active_disable(sk);
		tcp_send_challenge_ack(sk, false);
		return invalid(sk, skb, SKB_DROP_REASON_TCP_RESET);
	}

	if ((flags & TCPHDR_SYN) !== 0) {
		// The SYN-ACK of a simultaneous open, which crossed ours.
		if (
			sk.sk_state === TCP_SYN_RECV &&
			sk.sk_socket !== null &&
			(flags & TCPHDR_ACK) !== 0 &&
			((cb.seq + 1) | 0) === cb.end_seq &&
			((cb.seq + 1) | 0) === tp.rcv_nxt &&
			cb.ack_seq === tp.snd_nxt
		)
			return true;
		return syn_challenge(sk, skb, syn_inerr);
	}
	return true;
}

// ---- ESTABLISHED -----------------------------------------------------------------------------------------------------------------

/** A segment for a connection that is established. Context: softirq; consumes skb (data at the TCP header). */
export function tcp_rcv_established(sk: sock, skb: sk_buff): void {
	if (skb.journey !== null) trace_fn(skb, 'tcp_rcv_established');
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const opt = tp.rx_opt;
	tcp_mstamp_refresh(tp);
	opt.saw_tstamp = false;
	if ((tcp_flag_word(skb) & TCP_HP_BITS) === tp.pred_flags && cb.seq === tp.rcv_nxt && !after(cb.ack_seq, tp.snd_nxt)) {
		const header_len = tp.tcp_header_len;
		let predicted = true;
		let delta = 0;
		if (header_len === HDR_TS) {
			predicted = tcp_parse_aligned_timestamp(tp, skb.head, skb.transport_header);
			delta = (opt.rcv_tsval - opt.ts_recent) | 0;
			if (delta < 0) predicted = false;
		}
		if (predicted) {
			if (skb.len <= header_len) {
				if (skb.len < header_len) {
					TCP_INC_STATS(sk.net, TCP_MIB_INERRS);
					tcp_drop_reason(sk, skb, SKB_DROP_REASON_PKT_TOO_SMALL, 'tcp_rcv_established');
					return;
				}
				// We send, the peer acknowledges.
				let flag = 0;
				if (header_len === HDR_TS && tp.rcv_nxt === tp.rcv_wup) {
					tcp_store_ts_recent(sk);
					if (delta > 0) flag = FLAG_TS_PROGRESS;
				}
				tcp_ecn_received_counters(tp, skb, 0);
				tcp_ack(sk, skb, flag);
				consume_skb(skb);
				tcp_data_snd_check(sk);
				tp.rcv_rtt_last_tsecr = opt.rcv_tsecr;
				return;
			}
			if (!after(cb.end_seq, (tp.rcv_nxt + tcp_receive_window(tp)) | 0)) {
				if (skb.truesize <= sk.sk_forward_alloc) tcp_rcv_predicted_data(sk, tp, skb, header_len, delta);
				else tcp_rcv_step5(sk, skb);
				return;
			}
		}
	}
	if ((cb.tcp_flags & (TCPHDR_ACK | TCPHDR_RST | TCPHDR_SYN)) === 0) {
		tcp_drop_reason(sk, skb, SKB_DROP_REASON_TCP_FLAGS, 'tcp_rcv_established');
		return;
	}
	if (!tcp_validate_incoming(sk, skb, true)) return;
	tcp_rcv_step5(sk, skb);
}

/** We receive: the next data in order, as predicted. Consumes skb. */
function tcp_rcv_predicted_data(sk: sock, tp: tcp_sock, skb: sk_buff, header_len: number, delta: number): void {
	const cb = TCP_SKB_CB(skb);
	let flag = FLAG_DATA;
	if (header_len === HDR_TS && tp.rcv_nxt === tp.rcv_wup) {
		tcp_store_ts_recent(sk);
		if (delta > 0) flag |= FLAG_TS_PROGRESS;
	}
	tcp_rcv_rtt_measure_ts(sk, skb);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPHPHITS);
	tcp_cleanup_skb(skb);
	skb_pull(skb, header_len);
	tcp_ecn_received_counters(tp, skb, skb.len);
	const eaten = tcp_queue_rcv(sk, skb);
	tcp_event_data_recv(sk, skb);
	let ack = true;
	if (cb.ack_seq !== tp.snd_una) {
		tcp_ack(sk, skb, flag);
		tcp_data_snd_check(sk);
		ack = inet_csk_ack_scheduled(sk);
	} else tp.snd_wl1 = cb.seq;
	if (ack) __tcp_ack_snd_check(sk, false);
	if (eaten) consume_skb(skb);
	tcp_data_ready(sk);
}

/** RFC 9293 3.10.7.4 from the ACK on. Consumes skb. */
function tcp_rcv_step5(sk: sock, skb: sk_buff): void {
	tcp_ecn_received_counters(tcp_sk(sk), skb, skb.len - tcp_hdrlen(skb));
	const reason = tcp_ack(sk, skb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT);
	if (reason < 0) {
		tcp_drop_reason(sk, skb, -reason, 'tcp_rcv_established');
		return;
	}
	tcp_rcv_rtt_measure_ts(sk, skb);
	tcp_urg(sk, skb);
	tcp_data_queue(sk, skb);
	tcp_data_snd_check(sk);
	tcp_ack_snd_check(sk);
}
