/*
 * net/ipv4/tcp_output_xmit.ts: which segments may be sent now.     Linux: net/ipv4/tcp_output.c (tcp_write_xmit and what it asks)
 *
 * Walk: tcp_write_xmit takes segments from sk_write_queue while pacing, cwnd (tcp_cwnd_test), the peer's window (tcp_snd_wnd_test), Nagle
 *       (tcp_nagle_test), the hope to send more at once (tcp_tso_should_defer) and the devices' queues (tcp_small_queue_check) allow;
 *       cuts them (tcp_fragment) and moves them to tcp_rtx_queue (tcp_event_new_data_sent). A loss probe is scheduled behind the last.
 *       What was held back goes on with ACKs, with tcp_pace_kick, or when the devices have sent what they had (tcp_wfree -> tcp_tsq_workfn).
 * RFC 9293 3.7.4 (Nagle), 3.8.6.2.1 (sender's SWS avoidance), RFC 8985 7 (TLP), RFC 2861.
 */
import type { Machine } from '../../kernel/machine.ts';
import { open_softirq, raise_softirq, TASKLET_SOFTIRQ } from '../../kernel/softirq.ts';
import { type hrtimer, hrtimer_start, jiffies_to_usecs, usecs_to_jiffies } from '../../kernel/time.ts';
import { EINVAL, ENOMEM } from '../../uapi/asm-generic/errno.ts';
import {
	LINUX_MIB_TCPLOSSPROBES,
	LINUX_MIB_TCPORIGDATASENT,
	LINUX_MIB_TCPWQUEUETOOBIG,
} from '../../uapi/linux/snmp.ts';
import {
	TCP_CA_CWR,
	TCP_CA_Open,
	TCP_CA_Recovery,
	TCP_SEND_QUEUE,
	TCPHDR_FIN,
	TCPHDR_PSH,
} from '../../uapi/linux/tcp.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { skb_frags_pull, skb_shift, skb_split, skb_unclone } from '../core/skbuff_frags.ts';
import { __skb_queue_after, __skb_queue_tail, __skb_unlink } from '../core/skbuff_queue.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import { type sock, TCP_CLOSE } from '../core/sock.ts';
import { sk_mem_charge, sk_mem_uncharge } from '../core/sock_mem.ts';
import { sk_wmem_queued_add } from '../core/stream.ts';
import { inet_csk_reset_xmit_timer } from './inet_connection_sock.ts';
import { tcp_stream_alloc_skb } from './tcp.ts';
import { tcp_chrono_start, tcp_chrono_stop } from './tcp_chrono.ts';
import { tcp_check_space, tcp_rearm_rto } from './tcp_input_ack.ts';
import { tcp_init_cwnd } from './tcp_input_loss.ts';
import { tcp_current_mss, tcp_transmit_skb, tcp_urg_mode } from './tcp_output.ts';
import { tcp_out_options } from './tcp_output_options.ts';
import { tcp_mtu_probe } from './tcp_output_probe.ts';
import {
	__tcp_retransmit_skb,
	skb_still_in_host_queue,
	tcp_skb_can_collapse,
	tcp_skb_collapse_tstamp,
	tcp_unlink_write_queue,
	tcp_wmem_free_skb,
	tcp_xmit_retransmit_queue,
} from './tcp_output_rtx.ts';
import {
	after,
	ICSK_TIME_LOSS_PROBE,
	ICSK_TIME_PROBE0,
	SK_PACING_NEEDED,
	SK_PACING_NONE,
	TCP_CHRONO_RWND_LIMITED,
	TCP_CHRONO_SNDBUF_LIMITED,
	TCP_INIT_CWND,
	TCP_NAGLE_CORK,
	TCP_NAGLE_OFF,
	TCP_NAGLE_PUSH,
	TCP_SKB_CB,
	TCP_TIMEOUT_INIT,
	TCP_TIMEOUT_MIN_US,
	TCP_TSQ_DEFERRED,
	TCPCB_LOST,
	TCPCB_SACKED_ACKED,
	TCPCB_SACKED_RETRANS,
	TCPF_CLOSE_WAIT,
	TCPF_CLOSING,
	TCPF_ESTABLISHED,
	TCPF_FIN_WAIT1,
	TCPF_LAST_ACK,
	TSQ_QUEUED,
	TSQ_THROTTLED,
	tcp_current_ssthresh,
	tcp_in_cwnd_reduction,
	tcp_in_slow_start,
	tcp_is_reno,
	tcp_is_sack,
	tcp_min_rtt,
	tcp_mstamp_refresh,
	tcp_pacing_delay,
	tcp_packets_in_flight,
	tcp_probe0_base,
	tcp_rto_delta_us,
	tcp_rto_max,
	tcp_rto_min_us,
	tcp_send_head,
	tcp_sk,
	tcp_skb_is_last,
	type tcp_sock,
	tcp_tsorted_add_after,
	tcp_tsorted_add_tail,
	tcp_tsorted_del,
	tcp_wnd_end,
	tcp_write_queue_empty,
	tcp_write_queue_tail,
} from './tcp_sock.ts';

import { tcp_pacing_timer } from './tcp_timer.ts';

/** Where a segment that is cut stands: in sk_write_queue, or in tcp_rtx_queue. */
export const TCP_FRAG_IN_WRITE_QUEUE = 0;
export const TCP_FRAG_IN_RTX_QUEUE = 1;

/** Two empty segments and all the data that GSO takes at once: what a cut may go beyond the send buffer. */
const FRAGMENT_SLACK = 2 * (65536 + 832);

/** What TCP's output keeps per machine. */
export class tcp_out_global {
	/** Options of the segment at hand. */
	opts: tcp_out_options = new tcp_out_options();
	/** Sockets that may send again: the devices' queues have room. */
	tsq: sock[] = [];
	/** What tcp_tso_should_defer says beside its answer. */
	is_cwnd_limited = false;
	is_rwnd_limited = false;
}

export function tcp_out(machine: Machine): tcp_out_global {
	return machine.inet.tcp_out;
}

/** Boot: with tcp_init. */
export function tcp_tsq_work_init(machine: Machine): void {
	machine.inet.tcp_out = new tcp_out_global();
	open_softirq(machine, TASKLET_SOFTIRQ, tcp_tsq_workfn);
}

// ---- timers ----------------------------------------------------------------------------------------------------------------------

/** (Re)arms the retransmission timer for `what`. `when`: jiffies; `pace_delay`: counted from when pacing lets the segment go. */
export function tcp_reset_xmit_timer(sk: sock, what: number, when: number, pace_delay: boolean): void {
	if (pace_delay) when += tcp_pacing_delay(sk);
	inet_csk_reset_xmit_timer(sk, what, when, tcp_rto_max(sk));
}

// ---- segments and their counts ---------------------------------------------------------------------------------------------------

/** How many packets a segment makes at `mss_now`. Return: the number. */
export function tcp_set_skb_tso_segs(skb: sk_buff, mss_now: number): number {
	const cb = TCP_SKB_CB(skb);
	if (skb.len <= mss_now) {
		cb.tcp_gso_size = 0;
		cb.tcp_gso_segs = 1;
		return 1;
	}
	const segs = Math.ceil(skb.len / mss_now);
	cb.tcp_gso_size = mss_now;
	cb.tcp_gso_segs = segs;
	return segs;
}

/** A segment that was sent makes `decr` packets less than before. */
export function tcp_adjust_pcount(sk: sock, skb: sk_buff, decr: number): void {
	const tp = tcp_sk(sk);
	const sacked = TCP_SKB_CB(skb).sacked;
	tp.packets_out -= decr;
	if ((sacked & TCPCB_SACKED_ACKED) !== 0) tp.sacked_out -= decr;
	if ((sacked & TCPCB_SACKED_RETRANS) !== 0) tp.retrans_out -= decr;
	if ((sacked & TCPCB_LOST) !== 0) tp.lost_out -= decr;
	// Reno's sacked_out only counts duplicate ACKs.
	if (tcp_is_reno(tp) && decr > 0) tp.sacked_out -= Math.min(tp.sacked_out, decr);
}

/**
 * Cuts a segment: the first `len` bytes stay in `skb`, the rest becomes a new one behind it. Return: 0 or -errno.
 */
export function tcp_fragment(sk: sock, tcp_queue: number, skb: sk_buff, len: number, mss_now: number): number {
	const tp = tcp_sk(sk);
	if (len > skb.len) return -EINVAL;
	// A peer that acknowledges byte by byte could have us fill all memory with segments of a byte.
	if (
		sk.sk_wmem_queued >> 1 > sk.sk_sndbuf + FRAGMENT_SLACK &&
		tcp_queue !== TCP_FRAG_IN_WRITE_QUEUE &&
		skb !== tp.tcp_rtx_queue.first &&
		skb !== tp.tcp_rtx_queue.last
	) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPWQUEUETOOBIG);
		return -ENOMEM;
	}
	if (skb_unclone(skb) < 0) return -ENOMEM;
	const buff = tcp_stream_alloc_skb(sk, true);
	if (buff === null) return -ENOMEM;
	sk_wmem_queued_add(sk, buff.truesize);
	sk_mem_charge(sk, buff.truesize);
	const nlen = skb.len - len;
	buff.truesize += nlen;
	skb.truesize -= nlen;
	const cb = TCP_SKB_CB(skb);
	const b = TCP_SKB_CB(buff);
	b.seq = (cb.seq + len) | 0;
	b.end_seq = cb.end_seq;
	cb.end_seq = b.seq;
	// FIN and PSH go with the end.
	b.tcp_flags = cb.tcp_flags;
	cb.tcp_flags &= ~(TCPHDR_FIN | TCPHDR_PSH);
	b.sacked = cb.sacked;
	b.eor = cb.eor;
	cb.eor = false;
	b.txstamp_ack = cb.txstamp_ack;
	cb.txstamp_ack = false;
	skb_split(skb, buff, len);
	b.skb_mstamp_ns = cb.skb_mstamp_ns;
	b.is_app_limited = cb.is_app_limited;
	b.delivered = cb.delivered;
	b.delivered_ce = cb.delivered_ce;
	b.first_tx_mstamp = cb.first_tx_mstamp;
	b.delivered_mstamp = cb.delivered_mstamp;
	b.in_flight = cb.in_flight;
	const old_factor = cb.tcp_gso_segs;
	tcp_set_skb_tso_segs(skb, mss_now);
	tcp_set_skb_tso_segs(buff, mss_now);
	if (tcp_queue === TCP_FRAG_IN_RTX_QUEUE || !after(b.end_seq, tp.snd_nxt)) {
		const diff = old_factor - cb.tcp_gso_segs - b.tcp_gso_segs;
		if (diff !== 0) tcp_adjust_pcount(sk, skb, diff);
	}
	if (tcp_queue === TCP_FRAG_IN_RTX_QUEUE) {
		__skb_queue_after(tp.tcp_rtx_queue, skb, buff);
		if (cb.tsorted) tcp_tsorted_add_after(tp, skb, buff);
	} else __skb_queue_after(sk.sk_write_queue, skb, buff);
	return 0;
}

/** Takes `len` acknowledged bytes off the front of a segment. Return: 0 or -ENOMEM. */
export function tcp_trim_head(sk: sock, skb: sk_buff, len: number): number {
	if (skb_unclone(skb) < 0) return -ENOMEM;
	const cb = TCP_SKB_CB(skb);
	skb_frags_pull(skb.machine, skb.shinfo, len);
	skb.len -= len;
	skb.data_len -= len;
	cb.seq = (cb.seq + len) | 0;
	skb.truesize -= len;
	sk_wmem_queued_add(sk, -len);
	sk_mem_uncharge(sk, len);
	// At least one packet is left.
	if (cb.tcp_gso_segs > 1) tcp_set_skb_tso_segs(skb, cb.tcp_gso_size);
	return 0;
}

// ---- congestion window -----------------------------------------------------------------------------------------------------------

/** Whether the last flight was held back by cwnd: else there is no reason to let it grow. */
export function tcp_is_cwnd_limited(sk: sock): boolean {
	const tp = tcp_sk(sk);
	if (tp.is_cwnd_limited) return true;
	// Slow start may go on until the window is twice what was needed.
	return tcp_in_slow_start(tp) && tp.snd_cwnd < 2 * tp.max_packets_out;
}

/** RFC 2861 3: an application that does not use its window keeps half of what it does not use. */
function tcp_cwnd_application_limited(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.icsk_ca_state === TCP_CA_Open && sk.sk_socket !== null && !sk.sk_socket.nospace) {
		const win_used = Math.max(tp.snd_cwnd_used, tcp_init_cwnd(tp, sk.sk_dst_cache));
		if (win_used < tp.snd_cwnd) {
			tp.snd_ssthresh = tcp_current_ssthresh(sk);
			tp.snd_cwnd = (tp.snd_cwnd + win_used) >> 1;
		}
		tp.snd_cwnd_used = 0;
	}
	tp.snd_cwnd_stamp = sk.net.machine.jiffies;
}

/** After a flight: how well it used the window. */
export function tcp_cwnd_validate(sk: sock, is_cwnd_limited: boolean): void {
	const tp = tcp_sk(sk);
	// The strongest sign within one window of data counts.
	if (
		((tp.snd_una - tp.cwnd_usage_seq) | 0) >= 0 ||
		is_cwnd_limited ||
		(!tp.is_cwnd_limited && tp.packets_out > tp.max_packets_out)
	) {
		tp.is_cwnd_limited = is_cwnd_limited;
		tp.max_packets_out = tp.packets_out;
		tp.cwnd_usage_seq = tp.snd_nxt;
	}
	if (tcp_is_cwnd_limited(sk)) {
		tp.snd_cwnd_used = 0;
		tp.snd_cwnd_stamp = sk.net.machine.jiffies;
		return;
	}
	if (tp.packets_out > tp.snd_cwnd_used) tp.snd_cwnd_used = tp.packets_out;
	if (
		sk.net.ipv4.sysctl_tcp_slow_start_after_idle !== 0 &&
		sk.net.machine.jiffies - tp.snd_cwnd_stamp >= tp.icsk_rto &&
		tp.icsk_ca_ops.cong_control === null
	)
		tcp_cwnd_application_limited(sk);
	if (
		tcp_write_queue_empty(sk) &&
		sk.sk_socket !== null &&
		sk.sk_socket.nospace &&
		((1 << sk.sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) !== 0
	)
		tcp_chrono_start(sk, TCP_CHRONO_SNDBUF_LIMITED);
}

/** Packets that cwnd lets go now: at most half of it at once, so that not all of it is one burst. */
function tcp_cwnd_test(tp: tcp_sock): number {
	const in_flight = tcp_packets_in_flight(tp);
	const cwnd = tp.snd_cwnd;
	if (in_flight >= cwnd) return 0;
	return Math.min(Math.max(cwnd >> 1, 1), cwnd - in_flight);
}

// ---- Nagle -----------------------------------------------------------------------------------------------------------------------

/** Minshall's change: only a small segment that is not acknowledged holds the next back. */
function tcp_minshall_check(tp: tcp_sock): boolean {
	return after(tp.snd_sml, tp.snd_una) && !after(tp.snd_sml, tp.snd_nxt);
}

function tcp_minshall_update(tp: tcp_sock, mss_now: number, skb: sk_buff): void {
	const cb = TCP_SKB_CB(skb);
	if (skb.len < cb.tcp_gso_segs * mss_now) tp.snd_sml = cb.end_seq;
}

/** Whether a segment that is not full has to wait. */
function tcp_nagle_check(partial: boolean, tp: tcp_sock, nonagle: number): boolean {
	return (
		partial && ((nonagle & TCP_NAGLE_CORK) !== 0 || (nonagle === 0 && tp.packets_out !== 0 && tcp_minshall_check(tp)))
	);
}

/** Whether the segment may go, full or not. */
function tcp_nagle_test(tp: tcp_sock, skb: sk_buff, cur_mss: number, nonagle: number): boolean {
	if ((nonagle & TCP_NAGLE_PUSH) !== 0) return true;
	if (tcp_urg_mode(tp) || (TCP_SKB_CB(skb).tcp_flags & TCPHDR_FIN) !== 0) return true;
	return !tcp_nagle_check(skb.len < cur_mss, tp, nonagle);
}

/** Whether the first packet of the segment fits the peer's window. */
export function tcp_snd_wnd_test(tp: tcp_sock, skb: sk_buff, cur_mss: number): boolean {
	const cb = TCP_SKB_CB(skb);
	const end_seq = skb.len > cur_mss ? (cb.seq + cur_mss) | 0 : cb.end_seq;
	return !after(end_seq, tcp_wnd_end(tp));
}

// ---- TSO -------------------------------------------------------------------------------------------------------------------------

/** How many packets one segment may make: what the pacing rate sends in a millisecond, more on short paths. */
export function tcp_tso_segs(sk: sock, mss_now: number): number {
	const tp = tcp_sk(sk);
	const n = sk.net.ipv4;
	const ops = tp.icsk_ca_ops;
	const min_tso = ops.min_tso_segs !== null ? ops.min_tso_segs(sk) : n.sysctl_tcp_min_tso_segs;
	let bytes = Math.floor(sk.sk_pacing_rate / 2 ** sk.sk_pacing_shift);
	const r = Math.floor(tcp_min_rtt(tp) / 2 ** n.sysctl_tcp_tso_rtt_log);
	if (r < 32) bytes += Math.floor(sk.sk_gso_max_size / 2 ** r);
	bytes = Math.min(bytes, sk.sk_gso_max_size);
	return Math.min(Math.max(Math.floor(bytes / mss_now), min_tso), sk.sk_gso_max_segs);
}

/** How many bytes of the segment go at once: whole packets, what the window holds, and no small rest that Nagle would keep. */
function tcp_mss_split_point(sk: sock, skb: sk_buff, mss_now: number, max_segs: number, nonagle: number): number {
	const tp = tcp_sk(sk);
	const window = (tcp_wnd_end(tp) - TCP_SKB_CB(skb).seq) | 0;
	const max_len = mss_now * max_segs;
	if (max_len <= window && skb !== tcp_write_queue_tail(sk)) return max_len;
	const needed = Math.min(skb.len, window);
	if (max_len <= needed) return max_len;
	const partial = needed % mss_now;
	return tcp_nagle_check(partial !== 0, tp, nonagle) ? needed - partial : needed;
}

/** Whether to wait for an ACK that will soon let more go at once. Says why in `out`. */
function tcp_tso_should_defer(sk: sock, skb: sk_buff, out: tcp_out_global, max_segs: number): boolean {
	const tp = tcp_sk(sk);
	if (tp.icsk_ca_state >= TCP_CA_Recovery) return false;
	// Whoever has not written for a millisecond has nothing to batch.
	if (tp.tcp_clock_cache - tp.tcp_wstamp_ns - 1e6 > 0) return false;
	const in_flight = tcp_packets_in_flight(tp);
	const send_win = (tcp_wnd_end(tp) - TCP_SKB_CB(skb).seq) | 0;
	const cong_win = (tp.snd_cwnd - in_flight) * tp.mss_cache;
	const limit = Math.min(send_win, cong_win);
	if (limit >= max_segs * tp.mss_cache) return false;
	if (skb !== tcp_write_queue_tail(sk) && limit >= skb.len) return false;
	const win_divisor = sk.net.ipv4.sysctl_tcp_tso_win_divisor;
	if (win_divisor !== 0) {
		const chunk = Math.floor(Math.min(tp.snd_wnd, tp.snd_cwnd * tp.mss_cache) / win_divisor);
		if (limit >= chunk) return false;
	} else if (limit > 3 * tp.mss_cache) return false;
	// The next ACK must be near: half a round trip, and no more than a millisecond.
	const head = tp.tcp_rtx_queue.first;
	if (head === null) return false;
	const srtt_ns = tp.srtt_us * 125;
	const how_far = TCP_SKB_CB(head).skb_mstamp_ns + srtt_ns - tp.tcp_clock_cache;
	if (how_far > Math.min(srtt_ns / 2, 1e6)) return false;
	if (cong_win < send_win) {
		if (cong_win <= skb.len) {
			out.is_cwnd_limited = true;
			return true;
		}
	} else if (send_win <= skb.len) {
		out.is_rwnd_limited = true;
		return true;
	}
	const cb = TCP_SKB_CB(skb);
	return (cb.tcp_flags & TCPHDR_FIN) === 0 && !cb.eor;
}

/** Fills the segment up with `amount` bytes of the next one. */
function tcp_grow_skb(sk: sock, skb: sk_buff, amount: number): void {
	const next = skb.next;
	if (next === null || !tcp_skb_can_collapse(skb, next)) return;
	const nlen = Math.min(amount, next.len);
	if (nlen === 0 || skb_shift(skb, next, nlen) === 0) return;
	const cb = TCP_SKB_CB(skb);
	const n = TCP_SKB_CB(next);
	cb.end_seq = (cb.end_seq + nlen) | 0;
	n.seq = (n.seq + nlen) | 0;
	if (next.len === 0) {
		// With what else it had: a FIN takes a number too.
		cb.end_seq = n.end_seq;
		cb.tcp_flags |= n.tcp_flags;
		cb.eor = n.eor;
		tcp_skb_collapse_tstamp(skb, next);
		tcp_unlink_write_queue(next, sk);
		tcp_wmem_free_skb(sk, next);
	}
}

// ---- pacing and the devices' queues ----------------------------------------------------------------------------------------------

/** Whether pacing holds the next segment back; then its timer is armed. */
export function tcp_pacing_check(sk: sock): boolean {
	const tp = tcp_sk(sk);
	if (sk.sk_pacing_status !== SK_PACING_NEEDED || tp.tcp_wstamp_ns <= tp.tcp_clock_cache) return false;
	const timer = tcp_pacing_timer(tp);
	if (timer.slot < 0) hrtimer_start(timer, tp.tcp_wstamp_ns);
	return true;
}

/** A segment has gone: when the next may, and its place in the order of transmission. */
export function tcp_update_skb_after_send(sk: sock, skb: sk_buff, prior_wstamp: number): void {
	const tp = tcp_sk(sk);
	if (sk.sk_pacing_status !== SK_PACING_NONE) {
		const rate = sk.sk_pacing_rate;
		// The first ten packets go as they come.
		if (rate !== Infinity && rate > 0 && tp.data_segs_out >= TCP_INIT_CWND) {
			let len_ns = Math.floor((skb.len * 1e9) / rate);
			// Idle time since the last one is made up for, but not more than half.
			len_ns -= Math.min(Math.floor(len_ns / 2), tp.tcp_wstamp_ns - prior_wstamp);
			tp.tcp_wstamp_ns += len_ns;
		}
	}
	if (tp.tsorted_last !== skb) {
		tcp_tsorted_del(tp, skb);
		tcp_tsorted_add_tail(tp, skb);
	}
}

/** Whether so much of ours waits in queues of this host that more would only wait. `factor`: so many times doubled. */
export function tcp_small_queue_check(sk: sock, skb: sk_buff, factor: number): boolean {
	const tp = tcp_sk(sk);
	let limit = Math.max(2 * skb.truesize, Math.floor(sk.sk_pacing_rate / 2 ** sk.sk_pacing_shift));
	limit = Math.min(limit, sk.net.ipv4.sysctl_tcp_limit_output_bytes) * 2 ** factor;
	if (sk.sk_wmem_alloc <= limit) return false;
	// Never hold back what alone would bring ACKs.
	const first = tp.tcp_rtx_queue.first;
	if (first === null || first.next === null) return false;
	tp.sk_tsq_flags |= 1 << TSQ_THROTTLED;
	return true;
}

/** A segment's clone is freed: the device sent it. Whoever was throttled goes on soon. */
export function tcp_wfree(skb: sk_buff): void {
	const sk = skb.sk!;
	const tp = tcp_sk(sk);
	sk.sk_wmem_alloc -= skb.truesize;
	const flags = tp.sk_tsq_flags;
	if ((flags & (1 << TSQ_THROTTLED)) === 0 || (flags & (1 << TSQ_QUEUED)) !== 0) return;
	tp.sk_tsq_flags = (flags & ~(1 << TSQ_THROTTLED)) | (1 << TSQ_QUEUED);
	const machine = skb.machine;
	tcp_out(machine).tsq.push(sk);
	raise_softirq(machine, TASKLET_SOFTIRQ);
}

/** Sends what a socket has, from a softirq, or when a system call lets go of it. */
export function tcp_tsq_write(sk: sock): void {
	const sending = TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_CLOSE_WAIT | TCPF_LAST_ACK;
	if (((1 << sk.sk_state) & sending) === 0) return;
	const tp = tcp_sk(sk);
	if (tp.lost_out > tp.retrans_out && tp.snd_cwnd > tcp_packets_in_flight(tp)) {
		tcp_mstamp_refresh(tp);
		tcp_xmit_retransmit_queue(sk);
	}
	tcp_write_xmit(sk, tcp_current_mss(sk), tp.nonagle, 0);
}

function tcp_tsq_workfn(machine: Machine): void {
	const out = tcp_out(machine);
	const list = out.tsq;
	out.tsq = [];
	for (let i = 0; i < list.length; i++) {
		const tp = tcp_sk(list[i]);
		tp.sk_tsq_flags &= ~(1 << TSQ_QUEUED);
		if (list[i].sk_lock_owned) tp.sk_tsq_flags |= 1 << TCP_TSQ_DEFERRED;
		else tcp_tsq_write(list[i]);
	}
}

/** The pacing timer: the next segment may go. Context: softirq. */
export function tcp_pace_kick(timer: hrtimer): void {
	tcp_tsq_write(timer.owner as sock);
}

// ---- sending ---------------------------------------------------------------------------------------------------------------------

/** The segment was sent for the first time: from the write queue to the retransmission queue. */
export function tcp_event_new_data_sent(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const prior_packets = tp.packets_out;
	tp.snd_nxt = cb.end_seq;
	__skb_unlink(skb, sk.sk_write_queue);
	__skb_queue_tail(tp.tcp_rtx_queue, skb);
	if (tp.highest_sack === null) tp.highest_sack = skb;
	tp.packets_out += cb.tcp_gso_segs;
	if (prior_packets === 0 || tp.icsk_pending === ICSK_TIME_LOSS_PROBE) tcp_rearm_rto(sk);
	sk.net.mib.net_statistics[LINUX_MIB_TCPORIGDATASENT] += cb.tcp_gso_segs;
	tcp_check_space(sk);
}

/**
 * Sends what may be sent. `push_one`: 0 all, 1 one segment, 2 one segment whatever cwnd says (loss probe).
 * Return: whether there is data that waits for the window alone (nothing is in flight): a zero-window probe is due.
 */
export function tcp_write_xmit(sk: sock, mss_now: number, nonagle: number, push_one: number): boolean {
	const tp = tcp_sk(sk);
	const out = tcp_out(sk.net.machine);
	let sent_pkts = 0;
	let is_cwnd_limited = false;
	let is_rwnd_limited = false;
	tcp_mstamp_refresh(tp);
	if (push_one === 0 && tp.icsk_mtup_enabled) {
		const probe = tcp_mtu_probe(sk);
		if (probe === 0) return false;
		if (probe > 0) sent_pkts = 1;
	}
	const max_segs = tcp_tso_segs(sk, mss_now);
	for (let skb = tcp_send_head(sk); skb !== null; skb = tcp_send_head(sk)) {
		const cb = TCP_SKB_CB(skb);
		if (tp.repair && tp.repair_queue === TCP_SEND_QUEUE) {
			// As if it had been sent.
			tp.tcp_wstamp_ns = tp.tcp_clock_cache;
			cb.skb_mstamp_ns = tp.tcp_wstamp_ns;
			tcp_tsorted_del(tp, skb);
			tcp_tsorted_add_tail(tp, skb);
			tcp_set_skb_tso_segs(skb, mss_now);
		} else {
			if (tcp_pacing_check(sk)) break;
			let quota = tcp_cwnd_test(tp);
			if (quota === 0) {
				if (push_one !== 2) break;
				quota = 1;
			}
			quota = Math.min(quota, max_segs);
			// On lo that is more than a packet can be long: it is cut on its way to the device.
			const missing = quota * mss_now - skb.len;
			if (missing > 0 && skb.next !== null) tcp_grow_skb(sk, skb, missing);
			const tso_segs = tcp_set_skb_tso_segs(skb, mss_now);
			if (!tcp_snd_wnd_test(tp, skb, mss_now)) {
				is_rwnd_limited = true;
				break;
			}
			let limit = mss_now;
			if (tso_segs === 1) {
				if (!tcp_nagle_test(tp, skb, mss_now, tcp_skb_is_last(sk, skb) ? nonagle : TCP_NAGLE_PUSH)) break;
			} else {
				if (push_one === 0) {
					out.is_cwnd_limited = is_cwnd_limited;
					out.is_rwnd_limited = is_rwnd_limited;
					const defer = tcp_tso_should_defer(sk, skb, out, max_segs);
					is_cwnd_limited = out.is_cwnd_limited;
					is_rwnd_limited = out.is_rwnd_limited;
					if (defer) break;
				}
				if (!tcp_urg_mode(tp)) limit = tcp_mss_split_point(sk, skb, mss_now, quota, nonagle);
			}
			if (skb.len > limit && tcp_fragment(sk, TCP_FRAG_IN_WRITE_QUEUE, skb, limit, mss_now) < 0) break;
			if (tcp_small_queue_check(sk, skb, 0)) break;
			// Nothing in it yet: its writer waits for memory.
			if (cb.end_seq === cb.seq) break;
			if (tcp_transmit_skb(sk, skb, true) !== 0) break;
		}
		tcp_event_new_data_sent(sk, skb);
		tcp_minshall_update(tp, mss_now, skb);
		sent_pkts += cb.tcp_gso_segs;
		if (push_one !== 0) break;
	}
	if (is_rwnd_limited) tcp_chrono_start(sk, TCP_CHRONO_RWND_LIMITED);
	else tcp_chrono_stop(sk, TCP_CHRONO_RWND_LIMITED);
	if (tcp_packets_in_flight(tp) >= tp.snd_cwnd) is_cwnd_limited = true;
	if (sent_pkts > 0 || is_cwnd_limited) tcp_cwnd_validate(sk, is_cwnd_limited);
	if (sent_pkts > 0) {
		if (tcp_in_cwnd_reduction(sk)) tp.prr_out += sent_pkts;
		if (push_one !== 2) tcp_schedule_loss_probe(sk, false);
		return false;
	}
	return tp.packets_out === 0 && !tcp_write_queue_empty(sk);
}

/** Nothing in flight and the window closed: somebody must ask (RFC 9293 3.8.6.1). */
function tcp_check_probe_timer(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.packets_out === 0 && tp.icsk_pending === 0)
		tcp_reset_xmit_timer(sk, ICSK_TIME_PROBE0, tcp_probe0_base(sk), true);
}

/** Sends what may go, with the Nagle rule of the caller (TCP_NAGLE_*). */
export function __tcp_push_pending_frames(sk: sock, cur_mss: number, nonagle: number): void {
	if (sk.sk_state === TCP_CLOSE) return;
	if (tcp_write_xmit(sk, cur_mss, nonagle, 0)) tcp_check_probe_timer(sk);
}

export function tcp_push_pending_frames(sk: sock): void {
	if (tcp_send_head(sk) !== null) __tcp_push_pending_frames(sk, tcp_current_mss(sk), tcp_sk(sk).nonagle);
}

/** Sends one segment, Nagle or not. */
export function tcp_push_one(sk: sock, mss_now: number): void {
	tcp_write_xmit(sk, mss_now, TCP_NAGLE_PUSH, 1);
}

// ---- tail loss probe (RFC 8985 7) ------------------------------------------------------------------------------------------------

/** RFC 8985 7.2: PTO = 2 * SRTT, and room for a delayed ACK when one packet is out; not after the RTO. Return: whether one is armed. */
export function tcp_schedule_loss_probe(sk: sock, advancing_rto: boolean): boolean {
	const tp = tcp_sk(sk);
	if (tp.fastopen_rsk !== null) return false;
	const early_retrans = sk.net.ipv4.sysctl_tcp_early_retrans;
	if (
		(early_retrans !== 3 && early_retrans !== 4) ||
		tp.packets_out === 0 ||
		!tcp_is_sack(tp) ||
		(tp.icsk_ca_state !== TCP_CA_Open && tp.icsk_ca_state !== TCP_CA_CWR)
	)
		return false;
	let timeout = TCP_TIMEOUT_INIT;
	if (tp.srtt_us !== 0) {
		const slack = tp.packets_out === 1 ? tcp_rto_min_us(sk) : TCP_TIMEOUT_MIN_US;
		timeout = usecs_to_jiffies((tp.srtt_us >> 2) + slack);
	}
	const rto_delta_us = advancing_rto ? jiffies_to_usecs(tp.icsk_rto) : tcp_rto_delta_us(sk);
	if (rto_delta_us > 0) timeout = Math.min(timeout, usecs_to_jiffies(rto_delta_us));
	tcp_reset_xmit_timer(sk, ICSK_TIME_LOSS_PROBE, timeout, true);
	return true;
}

/** Sends the probe, of new data or of the last packet. Return: whether it went. */
function loss_probe(sk: sock): boolean {
	const tp = tcp_sk(sk);
	// At most one per episode.
	if (tp.tlp_high_seq !== 0) return false;
	tp.tlp_retrans = false;
	const mss = tcp_current_mss(sk);
	const head = tcp_send_head(sk);
	if (head !== null && tcp_snd_wnd_test(tp, head, mss)) {
		const packets = tp.packets_out;
		tcp_write_xmit(sk, mss, TCP_NAGLE_OFF, 2);
		return tp.packets_out > packets;
	}
	let skb = tp.tcp_rtx_queue.last;
	if (skb === null || skb_still_in_host_queue(sk, skb)) return false;
	const pcount = TCP_SKB_CB(skb).tcp_gso_segs;
	if (pcount > 1 && skb.len > (pcount - 1) * mss) {
		if (tcp_fragment(sk, TCP_FRAG_IN_RTX_QUEUE, skb, (pcount - 1) * mss, mss) < 0) return false;
		skb = skb.next!;
	}
	if (__tcp_retransmit_skb(sk, skb, 1) !== 0) return false;
	tp.tlp_retrans = true;
	return true;
}

/** RFC 8985 7.3: nothing came back for a while: one packet more, so that an ACK with SACK tells what is missing. */
export function tcp_send_loss_probe(sk: sock): void {
	const tp = tcp_sk(sk);
	if (loss_probe(sk)) {
		tp.tlp_high_seq = tp.snd_nxt;
		NET_INC_STATS(sk.net, LINUX_MIB_TCPLOSSPROBES);
		// The RTO counts from now.
		tp.icsk_pending = 0;
	}
	tcp_rearm_rto(sk);
}
