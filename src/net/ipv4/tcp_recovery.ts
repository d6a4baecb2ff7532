/*
 * net/ipv4/tcp_recovery.ts: RACK: what was sent long enough before something delivered is lost.     Linux: net/ipv4/tcp_recovery.c
 *
 * Walk: tcp_rack_advance (a segment was delivered: the one sent last counts) -> tcp_rack_mark_lost -> tcp_rack_detect_loss: segments in order of
 *       transmission, each lost when the RTT and the reordering window are over; the rest by a timer: tcp_rack_reo_timeout
 *       tcp_rack_update_reo_wnd: the reordering window grows while the peer sees duplicates (D-SACK)
 *       tcp_newreno_mark_lost: for a peer without SACK.
 * RFC 8985 6.2 (RACK), 6.2.1 (reordering window), 6.3 (its timer); RFC 6582 3.2 (NewReno).
 */
import { usecs_to_jiffies } from '../../kernel/time.ts';
import { TCP_CA_Recovery } from '../../uapi/linux/tcp.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import { inet_csk_reset_xmit_timer } from './inet_connection_sock.ts';
import { tcp_rearm_rto } from './tcp_input_ack.ts';
import { tcp_cwnd_reduction, tcp_enter_recovery, tcp_mark_skb_lost } from './tcp_input_loss.ts';
import { tcp_xmit_retransmit_queue } from './tcp_output_rtx.ts';
import { TCP_FRAG_IN_RTX_QUEUE, tcp_fragment } from './tcp_output_xmit.ts';
import {
	before,
	ICSK_TIME_REO_TIMEOUT,
	ICSK_TIME_RETRANS,
	type rate_sample,
	TCP_RACK_RECOVERY_THRESH,
	TCP_SKB_CB,
	TCP_TIMEOUT_MIN_US,
	TCPCB_LOST,
	TCPCB_RETRANS,
	TCPCB_SACKED_RETRANS,
	tcp_min_rtt,
	tcp_packets_in_flight,
	tcp_sk,
	tcp_skb_sent_after,
	tcp_skb_timestamp_us,
	type tcp_sock,
	tcp_stamp_us_delta,
	tcp_tsorted_del,
} from './tcp_sock.ts';

/** sysctl tcp_recovery. */
export const TCP_RACK_LOSS_DETECTION = 1;
export const TCP_RACK_STATIC_REO_WND = 2;
export const TCP_RACK_NO_DUPTHRESH = 4;

/** us that a segment may be late by reordering (RFC 8985 6.2.1). */
function tcp_rack_reo_wnd(sk: sock): number {
	const tp = tcp_sk(sk);
	if (tp.reord_seen === 0) {
		// No reordering was ever seen: three duplicate ACKs, or a recovery under way, are proof enough.
		if (tp.icsk_ca_state >= TCP_CA_Recovery) return 0;
		if (tp.sacked_out >= tp.reordering && (sk.net.ipv4.sysctl_tcp_recovery & TCP_RACK_NO_DUPTHRESH) === 0) return 0;
	}
	return Math.min(Math.floor(tcp_min_rtt(tp) / 4) * tp.rack_reo_wnd_steps, tp.srtt_us >> 3);
}

/** us until the segment is taken for lost; 0 or less: it is. */
export function tcp_rack_skb_timeout(tp: tcp_sock, skb: sk_buff, reo_wnd: number): number {
	return tp.rack_rtt_us + reo_wnd - tcp_stamp_us_delta(tp.tcp_mstamp, tcp_skb_timestamp_us(skb));
}

/** Marks what is lost. Return: us until the last of those that may still arrive is, 0 when there is none. */
function tcp_rack_detect_loss(sk: sock): number {
	const tp = tcp_sk(sk);
	const reo_wnd = tcp_rack_reo_wnd(sk);
	let reo_timeout = 0;
	let skb = tp.tsorted_first;
	while (skb !== null) {
		const cb = TCP_SKB_CB(skb);
		const next = cb.tsorted_next;
		// Known to be lost, not sent again yet.
		if ((cb.sacked & (TCPCB_LOST | TCPCB_SACKED_RETRANS)) !== TCPCB_LOST) {
			if (!tcp_skb_sent_after(tp.rack_mstamp, tcp_skb_timestamp_us(skb), tp.rack_end_seq, cb.end_seq)) break;
			const remaining = tcp_rack_skb_timeout(tp, skb, reo_wnd);
			if (remaining <= 0) {
				tcp_mark_skb_lost(sk, skb);
				tcp_tsorted_del(tp, skb);
			} else if (remaining > reo_timeout) reo_timeout = remaining;
		}
		skb = next;
	}
	return reo_timeout;
}

/** After an ACK that delivered something. Return: whether a timer was set for what may be lost soon. */
export function tcp_rack_mark_lost(sk: sock): boolean {
	const tp = tcp_sk(sk);
	if (!tp.rack_advanced) return false;
	tp.rack_advanced = false;
	const timeout = tcp_rack_detect_loss(sk);
	if (timeout === 0) return false;
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_REO_TIMEOUT, usecs_to_jiffies(timeout + TCP_TIMEOUT_MIN_US), tp.icsk_rto);
	return true;
}

/** A segment was delivered (RFC 8985 6.2 step 2). `xmit_time`: us when it was last sent. */
export function tcp_rack_advance(tp: tcp_sock, sacked: number, end_seq: number, xmit_time: number): void {
	const rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, xmit_time);
	// Sooner than anything ever was: the ACK is for an earlier transmission of it.
	if (rtt_us < tcp_min_rtt(tp) && (sacked & TCPCB_RETRANS) !== 0) return;
	tp.rack_advanced = true;
	tp.rack_rtt_us = rtt_us;
	if (tcp_skb_sent_after(xmit_time, tp.rack_mstamp, end_seq, tp.rack_end_seq)) {
		tp.rack_mstamp = xmit_time;
		tp.rack_end_seq = end_seq;
	}
}

/** The reordering timer: what did not arrive by now is lost. */
export function tcp_rack_reo_timeout(sk: sock): void {
	const tp = tcp_sk(sk);
	const prior_inflight = tcp_packets_in_flight(tp);
	const lost = tp.lost;
	tcp_rack_detect_loss(sk);
	if (prior_inflight !== tcp_packets_in_flight(tp)) {
		if (tp.icsk_ca_state !== TCP_CA_Recovery) {
			tcp_enter_recovery(sk, false);
			if (tp.icsk_ca_ops.cong_control === null) tcp_cwnd_reduction(sk, 1, tp.lost - lost, 0);
		}
		tcp_xmit_retransmit_queue(sk);
	}
	if (tp.icsk_pending !== ICSK_TIME_RETRANS) tcp_rearm_rto(sk);
}

/**
 * D-SACKs say that the reordering window was too small: a quarter of the least RTT more in each round that has one, for sixteen recoveries
 * (RFC 8985 6.2.1).
 */
export function tcp_rack_update_reo_wnd(sk: sock, rs: rate_sample): void {
	const tp = tcp_sk(sk);
	if ((sk.net.ipv4.sysctl_tcp_recovery & TCP_RACK_STATIC_REO_WND) !== 0 || rs.prior_delivered === 0) return;
	// Once a round.
	if (before(rs.prior_delivered, tp.rack_last_delivered)) tp.rack_dsack_seen = false;
	if (tp.rack_dsack_seen) {
		tp.rack_reo_wnd_steps = Math.min(0xff, tp.rack_reo_wnd_steps + 1);
		tp.rack_dsack_seen = false;
		tp.rack_last_delivered = tp.delivered;
		tp.rack_reo_wnd_persist = TCP_RACK_RECOVERY_THRESH;
	} else if (tp.rack_reo_wnd_persist === 0) tp.rack_reo_wnd_steps = 1;
}

/** Without SACK: the first segment is lost after three duplicate ACKs, and after each partial ACK (RFC 6582 3.2). */
export function tcp_newreno_mark_lost(sk: sock, snd_una_advanced: boolean): void {
	const tp = tcp_sk(sk);
	const state = tp.icsk_ca_state;
	const proven =
		(state < TCP_CA_Recovery && tp.sacked_out >= tp.reordering) || (state === TCP_CA_Recovery && snd_una_advanced);
	const skb = tp.tcp_rtx_queue.first;
	if (!proven || skb === null) return;
	const cb = TCP_SKB_CB(skb);
	if ((cb.sacked & TCPCB_LOST) !== 0) return;
	const mss = tp.mss_cache;
	if (cb.tcp_gso_segs > 1 && skb.len > mss) tcp_fragment(sk, TCP_FRAG_IN_RTX_QUEUE, skb, mss, mss);
	tcp_mark_skb_lost(sk, skb);
}
