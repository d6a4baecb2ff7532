/*
 * net/ipv4/tcp_input_ack.ts: what an acknowledgement does.          Linux: net/ipv4/tcp_input.c (tcp_ack and what it calls)
 *
 * Walk: tcp_ack: is it within what is out (RFC 5961 5) -> the peer's window -> tcp_sacktag_write_queue (SACK) -> tcp_clean_rtx_queue (frees what
 *       is acknowledged, measures RTT) -> tail loss probe -> tcp_fastretrans_alert, when something is odd -> timers
 *       -> tcp_rate_gen -> tcp_cong_control (the window) -> tcp_xmit_recovery (retransmissions)
 *       tcp_check_space: room in the send buffer for a writer that waits.
 * RFC 9293 3.10.7.4 (fifth: check the ACK field), RFC 5681, RFC 6298 2 and 3 (RTT, Karn), RFC 7323 4 (RTTM), RFC 8985 7.4 (end of a tail loss
 * probe), RFC 5961 5.2 (how old an ACK may be).
 * Not here yet: time stamps of transmission (SO_TIMESTAMPING), accurate ECN, TCP-AO's sequence extension.
 */
import { HZ, jiffies_to_usecs, usecs_to_jiffies } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { minmax_running_min } from '../../lib/win_minmax.ts';
import {
	LINUX_MIB_TCPDELIVERED,
	LINUX_MIB_TCPDELIVEREDCE,
	LINUX_MIB_TCPHPACKS,
	LINUX_MIB_TCPLOSSPROBERECOVERY,
	LINUX_MIB_TCPPUREACKS,
} from '../../uapi/linux/snmp.ts';
import { TCP_CA_CWR, TCP_CA_Open, TCPHDR_SYN } from '../../uapi/linux/tcp.ts';
import { SKB_DROP_REASON_TCP_ACK_UNSENT_DATA, SKB_DROP_REASON_TCP_TOO_OLD_ACK } from '../core/dropreason.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { NET_ADD_STATS, NET_INC_STATS } from '../core/snmp.ts';
import { SOCK_SNDBUF_LOCK, sk_dst_confirm, type sock, TCP_SYN_SENT } from '../core/sock.ts';
import { sk_memory_allocated, sk_prot_mem_limits, sk_under_memory_pressure } from '../core/sock_mem.ts';
import { inet_csk_clear_xmit_timer, inet_csk_reset_xmit_timer } from './inet_connection_sock.ts';
import { tcp_chrono_stop } from './tcp_chrono.ts';
import { tcp_set_ca_state } from './tcp_cong.ts';
import { tcp_hdr_window } from './tcp_hdr.ts';
import { tcp_fast_path_check, tcp_send_challenge_ack } from './tcp_input.ts';
import {
	tcp_cwnd_reduction,
	tcp_end_cwnd_reduction,
	tcp_fastretrans_alert,
	tcp_init_cwnd_reduction,
	tcp_mtup_probe_success,
	tcp_skb_spurious_retrans,
	tcp_try_keep_open,
	tcp_update_pacing_rate,
} from './tcp_input_loss.ts';
import { tcp_may_update_window, tcp_paws_check, tcp_store_ts_recent } from './tcp_input_options.ts';
import { tcp_ecn_accept_cwr, tcp_ecn_rcv_ecn_echo } from './tcp_input_rcvbuf.ts';
import {
	tcp_check_sack_reordering,
	tcp_highest_sack_replace,
	tcp_highest_sack_seq,
	tcp_remove_reno_sacks,
	type tcp_sacktag_state,
	tcp_sacktag_write_queue,
} from './tcp_input_sack.ts';
import { tcp_current_mss, tcp_sync_mss } from './tcp_output.ts';
import { tcp_rtx_queue_unlink_and_free, tcp_xmit_retransmit_queue } from './tcp_output_rtx.ts';
import { __tcp_push_pending_frames, tcp_schedule_loss_probe, tcp_trim_head } from './tcp_output_xmit.ts';
import { tcp_rate_gen, tcp_rate_skb_delivered } from './tcp_rate.ts';
import { tcp_rack_advance, tcp_rack_update_reo_wnd } from './tcp_recovery.ts';
import { tcp_slow_start_after_idle_check } from './tcp_sendmsg.ts';
import {
	after,
	before,
	between,
	CA_ACK_ECE,
	CA_ACK_SLOWPATH,
	CA_ACK_WIN_UPDATE,
	ICSK_TIME_LOSS_PROBE,
	ICSK_TIME_PROBE0,
	ICSK_TIME_REO_TIMEOUT,
	ICSK_TIME_RETRANS,
	MAX_TCP_HEADER,
	type rate_sample,
	TCP_CHRONO_BUSY,
	TCP_CHRONO_SNDBUF_LIMITED,
	TCP_INIT_CWND,
	TCP_NAGLE_OFF,
	TCP_SKB_CB,
	TCPCB_LOST,
	TCPCB_RETRANS,
	TCPCB_SACKED_ACKED,
	TCPCB_SACKED_RETRANS,
	tcp_clock_us,
	tcp_in_cwnd_reduction,
	tcp_is_reno,
	tcp_is_sack,
	tcp_jiffies32,
	tcp_min_rtt,
	tcp_pacing_delay,
	tcp_packets_in_flight,
	tcp_probe0_when,
	type tcp_request_sock,
	tcp_rto_delta_us,
	tcp_rto_max,
	tcp_rto_min_us,
	tcp_sk,
	tcp_skb_timestamp_us,
	type tcp_sock,
	tcp_stamp_us_delta,
	tcp_time_stamp_ts,
	tcp_wnd_end,
	tcp_write_queue_empty,
} from './tcp_sock.ts';
import { tcp_clamp_probe0_to_user_timeout } from './tcp_timer.ts';

/** What tcp_ack() was told and found out. */
export const FLAG_DATA = 0x01;
export const FLAG_WIN_UPDATE = 0x02;
export const FLAG_DATA_ACKED = 0x04;
export const FLAG_RETRANS_DATA_ACKED = 0x08;
export const FLAG_SYN_ACKED = 0x10;
export const FLAG_DATA_SACKED = 0x20;
export const FLAG_ECE = 0x40;
export const FLAG_LOST_RETRANS = 0x80;
export const FLAG_SLOWPATH = 0x100;
export const FLAG_ORIG_SACK_ACKED = 0x200;
export const FLAG_SND_UNA_ADVANCED = 0x400;
export const FLAG_DSACKING_ACK = 0x800;
export const FLAG_SET_XMIT_TIMER = 0x1000;
export const FLAG_SACK_RENEGING = 0x2000;
export const FLAG_UPDATE_TS_RECENT = 0x4000;
export const FLAG_NO_CHALLENGE_ACK = 0x8000;
export const FLAG_ACK_MAYBE_DELAYED = 0x10000;
export const FLAG_DSACK_TLP = 0x20000;
export const FLAG_TS_PROGRESS = 0x40000;
export const FLAG_ACKED = FLAG_DATA_ACKED | FLAG_SYN_ACKED;
export const FLAG_NOT_DUP = FLAG_DATA | FLAG_WIN_UPDATE | FLAG_ACKED;
export const FLAG_CA_ALERT = FLAG_DATA_SACKED | FLAG_ECE | FLAG_DSACKING_ACK;
export const FLAG_FORWARD_PROGRESS = FLAG_ACKED | FLAG_DATA_SACKED;

/** What to send when the ACK is done: nothing more, what is lost, new data first. */
export const REXMIT_NONE = 0;
export const REXMIT_LOST = 1;
export const REXMIT_NEW = 2;

/** Linux's sizes: struct sk_buff and skb_shared_info, aligned. */
const SIZEOF_SK_BUFF = 256;
const SIZEOF_SHARED_INFO = 320;

// ---- timers ------------------------------------------------------------------------------------------------------------------------

/** The retransmission timer starts again: from now, or from when the first segment was sent while another timer had its place (RFC 6298 5). */
export function tcp_rearm_rto(sk: sock): void {
	const tp = tcp_sk(sk);
	// A SYN-ACK with Fast Open has the timer.
	if (tp.fastopen_rsk !== null) return;
	if (tp.packets_out === 0) {
		inet_csk_clear_xmit_timer(sk, ICSK_TIME_RETRANS);
		return;
	}
	let rto = tp.icsk_rto;
	if (tp.icsk_pending === ICSK_TIME_REO_TIMEOUT || tp.icsk_pending === ICSK_TIME_LOSS_PROBE)
		rto = usecs_to_jiffies(Math.max(tcp_rto_delta_us(sk), 1));
	tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, rto, true);
}

/** Sets a timer of transmission, later by what pacing holds the next segment back. */
export function tcp_reset_xmit_timer(sk: sock, what: number, when: number, pace_delay: boolean): void {
	inet_csk_reset_xmit_timer(sk, what, pace_delay ? when + tcp_pacing_delay(sk) : when, tcp_rto_max(sk));
}

/** A tail loss probe, or the RTO. */
function tcp_set_xmit_timer(sk: sock): void {
	if (!tcp_schedule_loss_probe(sk, true)) tcp_rearm_rto(sk);
}

/** An ACK while nothing is out: the window may have opened, so that probes end, or the next one is due. */
function tcp_ack_probe(sk: sock): void {
	const tp = tcp_sk(sk);
	const head = sk.sk_write_queue.first;
	if (head === null) return;
	if (!after(TCP_SKB_CB(head).end_seq, tcp_wnd_end(tp))) {
		tp.icsk_backoff = 0;
		tp.icsk_probes_tstamp = 0;
		inet_csk_clear_xmit_timer(sk, ICSK_TIME_PROBE0);
		return;
	}
	const when = tcp_clamp_probe0_to_user_timeout(sk, tcp_probe0_when(sk, tcp_rto_max(sk)));
	tcp_reset_xmit_timer(sk, ICSK_TIME_PROBE0, when, true);
}

// ---- RTT ---------------------------------------------------------------------------------------------------------------------------

/**
 * RFC 6298 2: srtt and the deviation. The deviation is the greatest of a window of data, goes down by a quarter a window, and not below
 * the least RTO; a fall of the RTT raises it by little only.
 */
function tcp_rtt_estimator(sk: sock, mrtt_us: number): void {
	const tp = tcp_sk(sk);
	let srtt = tp.srtt_us;
	if (srtt === 0) {
		srtt = mrtt_us << 3;
		tp.mdev_us = mrtt_us << 1;
		tp.rttvar_us = Math.max(tp.mdev_us, tcp_rto_min_us(sk));
		tp.mdev_max_us = tp.rttvar_us;
		tp.rtt_seq = tp.snd_nxt;
	} else {
		let m = mrtt_us - (srtt >> 3);
		srtt += m;
		if (m < 0) {
			m = -m - (tp.mdev_us >> 2);
			if (m > 0) m >>= 3;
		} else m -= tp.mdev_us >> 2;
		tp.mdev_us += m;
		if (tp.mdev_us > tp.mdev_max_us) {
			tp.mdev_max_us = tp.mdev_us;
			if (tp.mdev_max_us > tp.rttvar_us) tp.rttvar_us = tp.mdev_max_us;
		}
		if (after(tp.snd_una, tp.rtt_seq)) {
			if (tp.mdev_max_us < tp.rttvar_us) tp.rttvar_us -= (tp.rttvar_us - tp.mdev_max_us) >> 2;
			tp.rtt_seq = tp.snd_nxt;
			tp.mdev_max_us = tcp_rto_min_us(sk);
		}
	}
	tp.srtt_us = Math.max(1, srtt);
}

/** RFC 6298 2.3: RTO = srtt + 4 * rttvar (which is kept times four), at most rto_max. */
export function tcp_set_rto(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.icsk_rto = Math.min(usecs_to_jiffies((tp.srtt_us >> 3) + tp.rttvar_us), tcp_rto_max(sk));
}

function tcp_update_rtt_min(sk: sock, rtt_us: number, flag: number): void {
	const tp = tcp_sk(sk);
	// The peer may have waited for a second segment: no least RTT of the path.
	if ((flag & FLAG_ACK_MAYBE_DELAYED) !== 0 && rtt_us > tcp_min_rtt(tp)) return;
	minmax_running_min(
		tp.rtt_min_t,
		tp.rtt_min_v,
		sk.net.ipv4.sysctl_tcp_min_rtt_wlen * HZ,
		tcp_jiffies32(sk),
		rtt_us !== 0 ? rtt_us : jiffies_to_usecs(1),
	);
}

/** us since our time stamp that the peer echoes (RFC 7323 4.1); -1 when it is out of range. */
export function tcp_rtt_tsopt_us(tp: tcp_sock, min_delta: number): number {
	const delta = (tcp_time_stamp_ts(tp) - tp.rx_opt.rcv_tsecr) >>> 0;
	if (tp.tcp_usec_ts) return delta;
	if (delta >= 2147483) return -1;
	return (delta === 0 ? min_delta : delta) * 1000;
}

/** Takes an RTT: by when the segment was sent, else (Karn: it was retransmitted) by the echoed time stamp. Return: whether there was one. */
function tcp_ack_update_rtt(
	sk: sock,
	flag: number,
	seq_rtt_us: number,
	sack_rtt_us: number,
	ca_rtt_us: number,
	rs: rate_sample,
): boolean {
	const tp = tcp_sk(sk);
	const opt = tp.rx_opt;
	if (seq_rtt_us < 0) seq_rtt_us = sack_rtt_us;
	// RFC 7323 4.1: only when something new is acknowledged.
	if (seq_rtt_us < 0 && opt.saw_tstamp && opt.rcv_tsecr !== 0 && (flag & FLAG_ACKED) !== 0) {
		seq_rtt_us = tcp_rtt_tsopt_us(tp, 1);
		ca_rtt_us = seq_rtt_us;
	}
	rs.rtt_us = ca_rtt_us;
	if (seq_rtt_us < 0) return false;
	tcp_update_rtt_min(sk, ca_rtt_us, flag);
	tcp_rtt_estimator(sk, seq_rtt_us);
	tcp_set_rto(sk);
	// RFC 6298 5.7: a sample ends the backoff.
	tp.icsk_backoff = 0;
	return true;
}

/** The handshake's ACK came: RTT of the SYN-ACK, unless it was sent more than once. */
export function tcp_synack_rtt_meas(sk: sock, req: tcp_request_sock | null): void {
	let rtt_us = -1;
	if (req !== null && req.num_retrans === 0 && req.snt_synack >= 0)
		rtt_us = tcp_stamp_us_delta(tcp_clock_us(sk), req.snt_synack);
	tcp_ack_update_rtt(sk, FLAG_SYN_ACKED, rtt_us, -1, rtt_us, sk.net.machine.tcp_cong.sacktag.rate);
}

// ---- accounts ----------------------------------------------------------------------------------------------------------------------

export function tcp_count_delivered(tp: tcp_sock, delivered: number, ece_ack: boolean): void {
	tp.delivered += delivered;
	if (ece_ack) tp.delivered_ce += delivered;
}

/** Counts what an ACK delivered. Return: segments since `prior_delivered`. */
export function tcp_newly_delivered(sk: sock, prior_delivered: number, flag: number): number {
	const delivered = tcp_sk(sk).delivered - prior_delivered;
	NET_ADD_STATS(sk.net, LINUX_MIB_TCPDELIVERED, delivered);
	if ((flag & FLAG_ECE) !== 0) NET_ADD_STATS(sk.net, LINUX_MIB_TCPDELIVEREDCE, delivered);
	return delivered;
}

function tcp_snd_una_update(tp: tcp_sock, ack: number): void {
	tp.bytes_acked += (ack - tp.snd_una) >>> 0;
	tp.snd_una = ack;
}

/** The peer's window, when this segment is newer than the one that told the last (RFC 9293 3.10.7.4). Return: FLAG_WIN_UPDATE or 0. */
function tcp_ack_update_window(sk: sock, skb: sk_buff, ack: number, ack_seq: number): number {
	const tp = tcp_sk(sk);
	let flag = 0;
	let nwin = tcp_hdr_window(skb);
	// RFC 7323 2.2: a SYN's window is not scaled.
	if ((TCP_SKB_CB(skb).tcp_flags & TCPHDR_SYN) === 0) nwin <<= tp.rx_opt.snd_wscale;
	if (tcp_may_update_window(tp, ack, ack_seq, nwin)) {
		flag = FLAG_WIN_UPDATE;
		tp.snd_wl1 = ack_seq;
		if (tp.snd_wnd !== nwin) {
			tp.snd_wnd = nwin;
			// Header prediction expects this window from now on.
			tp.pred_flags = 0;
			tcp_fast_path_check(sk);
			if (!tcp_write_queue_empty(sk)) tcp_slow_start_after_idle_check(sk);
			if (nwin > tp.max_window) {
				tp.max_window = nwin;
				tcp_sync_mss(sk, tp.icsk_pmtu_cookie);
			}
		}
	}
	tcp_snd_una_update(tp, ack);
	return flag;
}

/** RFC 7323 4.3: the time stamp to echo, from the segment that has the byte we acknowledged last. Return: FLAG_TS_PROGRESS when it moved. */
export function tcp_replace_ts_recent(sk: sock, seq: number): number {
	const tp = tcp_sk(sk);
	const opt = tp.rx_opt;
	if (!opt.saw_tstamp || after(seq, tp.rcv_wup)) return 0;
	if (!tcp_paws_check(opt, 0, sk.net.machine)) return 0;
	const delta = (opt.rcv_tsval - opt.ts_recent) | 0;
	tcp_store_ts_recent(sk);
	return delta > 0 ? FLAG_TS_PROGRESS : 0;
}

function tcp_in_ack_event(sk: sock, flags: number): void {
	const ops = tcp_sk(sk).icsk_ca_ops;
	if (ops.in_ack_event !== null) ops.in_ack_event(sk, flags);
}

// ---- the retransmission queue ------------------------------------------------------------------------------------------------------

/** Cuts off what is acknowledged of a segment of several packets. Return: how many packets that is. */
function tcp_tso_acked(sk: sock, skb: sk_buff): number {
	const cb = TCP_SKB_CB(skb);
	const packets = cb.tcp_gso_segs;
	if (tcp_trim_head(sk, skb, (tcp_sk(sk).snd_una - cb.seq) | 0) !== 0) return 0;
	return packets - cb.tcp_gso_segs;
}

/** Frees what is acknowledged, with all accounts; takes the RTT. Return: FLAG_* found. */
function tcp_clean_rtx_queue(
	sk: sock,
	prior_fack: number,
	prior_snd_una: number,
	state: tcp_sacktag_state,
	ece_ack: boolean,
): number {
	const tp = tcp_sk(sk);
	const prior_sacked = tp.sacked_out;
	let flag = 0;
	let reord = tp.snd_nxt;
	let first_ackt = -1;
	let last_ackt = -1;
	let pkts_acked = 0;
	let fully_acked = true;
	let skb = tp.tcp_rtx_queue.first;
	while (skb !== null) {
		const cb = TCP_SKB_CB(skb);
		const start_seq = cb.seq;
		const sacked = cb.sacked;
		let acked_pcount: number;
		if (after(cb.end_seq, tp.snd_una)) {
			if (cb.tcp_gso_segs === 1 || !after(tp.snd_una, cb.seq)) break;
			acked_pcount = tcp_tso_acked(sk, skb);
			if (acked_pcount === 0) break;
			fully_acked = false;
		} else acked_pcount = cb.tcp_gso_segs;

		if ((sacked & TCPCB_RETRANS) !== 0) {
			if ((sacked & TCPCB_SACKED_RETRANS) !== 0) tp.retrans_out -= acked_pcount;
			flag |= FLAG_RETRANS_DATA_ACKED;
		} else if ((sacked & TCPCB_SACKED_ACKED) === 0) {
			last_ackt = tcp_skb_timestamp_us(skb);
			if (first_ackt < 0) first_ackt = last_ackt;
			if (before(start_seq, reord)) reord = start_seq;
			if (!after(cb.end_seq, tp.high_seq)) flag |= FLAG_ORIG_SACK_ACKED;
		}
		if ((sacked & TCPCB_SACKED_ACKED) !== 0) tp.sacked_out -= acked_pcount;
		else if (tcp_is_sack(tp)) {
			tcp_count_delivered(tp, acked_pcount, ece_ack);
			if (!tcp_skb_spurious_retrans(tp, skb)) tcp_rack_advance(tp, sacked, cb.end_seq, tcp_skb_timestamp_us(skb));
		}
		if ((sacked & TCPCB_LOST) !== 0) tp.lost_out -= acked_pcount;
		tp.packets_out -= acked_pcount;
		pkts_acked += acked_pcount;
		tcp_rate_skb_delivered(sk, skb, state.rate);
		if ((cb.tcp_flags & TCPHDR_SYN) === 0) flag |= FLAG_DATA_ACKED;
		else {
			flag |= FLAG_SYN_ACKED;
			tp.retrans_stamp = 0;
		}
		if (!fully_acked) break;
		const next: sk_buff | null = skb.next;
		if (skb === tp.retransmit_skb_hint) tp.retransmit_skb_hint = null;
		tcp_highest_sack_replace(sk, skb, next);
		tcp_rtx_queue_unlink_and_free(skb, sk);
		skb = next;
	}
	if (skb === null) tcp_chrono_stop(sk, TCP_CHRONO_BUSY);
	// The urgent pointer moves along, or it would point into another half of the sequence space one day.
	if (between(tp.snd_up, prior_snd_una, tp.snd_una)) tp.snd_up = tp.snd_una;
	if (skb !== null && (TCP_SKB_CB(skb).sacked & TCPCB_SACKED_ACKED) !== 0) flag |= FLAG_SACK_RENEGING;

	let seq_rtt_us = -1;
	let ca_rtt_us = -1;
	if (first_ackt >= 0 && (flag & FLAG_RETRANS_DATA_ACKED) === 0) {
		seq_rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, first_ackt);
		ca_rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, last_ackt);
		// A single short segment: perhaps the peer waited for more before it answered.
		if (
			pkts_acked === 1 &&
			fully_acked &&
			prior_sacked === 0 &&
			(tp.snd_una - prior_snd_una) >>> 0 < tp.mss_cache &&
			state.rate.prior_delivered + 1 === tp.delivered &&
			(flag & (FLAG_CA_ALERT | FLAG_SYN_ACKED)) === 0
		)
			flag |= FLAG_ACK_MAYBE_DELAYED;
	}
	let sack_rtt_us = -1;
	if (state.first_sackt >= 0) {
		sack_rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, state.first_sackt);
		ca_rtt_us = tcp_stamp_us_delta(tp.tcp_mstamp, state.last_sackt);
	}
	const rtt_update = tcp_ack_update_rtt(sk, flag, seq_rtt_us, sack_rtt_us, ca_rtt_us, state.rate);

	if ((flag & FLAG_ACKED) !== 0) {
		flag |= FLAG_SET_XMIT_TIMER;
		if (tp.icsk_mtup_probe_size !== 0 && !after(tp.mtu_probe_seq_end, tp.snd_una)) tcp_mtup_probe_success(sk);
		if (tcp_is_reno(tp)) {
			tcp_remove_reno_sacks(sk, pkts_acked, ece_ack);
			// Without SACK nobody knows whether the original or its copy arrived.
			if ((flag & FLAG_RETRANS_DATA_ACKED) !== 0) flag &= ~FLAG_ORIG_SACK_ACKED;
		} else if (before(reord, prior_fack)) {
			// A hole was filled that was never retransmitted: reordering.
			tcp_check_sack_reordering(sk, reord, false);
		}
	} else if (
		skb !== null &&
		rtt_update &&
		sack_rtt_us >= 0 &&
		sack_rtt_us > tcp_stamp_us_delta(tp.tcp_mstamp, tcp_skb_timestamp_us(skb))
	) {
		// What was sacked left before the first segment was sent (again): the timer starts anew for it.
		flag |= FLAG_SET_XMIT_TIMER;
	}
	const ops = tp.icsk_ca_ops;
	if (ops.pkts_acked !== null) {
		const sample = sk.net.machine.tcp_cong.sample;
		sample.pkts_acked = pkts_acked;
		sample.rtt_us = state.rate.rtt_us;
		ops.pkts_acked(sk, sample);
	}
	return flag;
}

// ---- after the ACK -----------------------------------------------------------------------------------------------------------------

/** RFC 8985 7.4: what became of a tail loss probe. */
function tcp_process_tlp_ack(sk: sock, ack: number, flag: number): void {
	const tp = tcp_sk(sk);
	if (before(ack, tp.tlp_high_seq)) return;
	if (!tp.tlp_retrans || (flag & FLAG_DSACK_TLP) !== 0) {
		// It was new data, or the original arrived as well: nothing was lost.
		tp.tlp_high_seq = 0;
	} else if (after(ack, tp.tlp_high_seq)) {
		// The probe repaired a loss that nobody else noticed: that was congestion.
		tcp_init_cwnd_reduction(sk);
		tcp_set_ca_state(sk, TCP_CA_CWR);
		tcp_end_cwnd_reduction(sk);
		tcp_try_keep_open(sk);
		NET_INC_STATS(sk.net, LINUX_MIB_TCPLOSSPROBERECOVERY);
	} else if ((flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DATA_SACKED)) === 0) {
		// A duplicate ACK for the probe.
		tp.tlp_high_seq = 0;
	}
}

function tcp_ack_is_dubious(tp: tcp_sock, flag: number): boolean {
	return (flag & FLAG_NOT_DUP) === 0 || (flag & FLAG_CA_ALERT) !== 0 || tp.icsk_ca_state !== TCP_CA_Open;
}

/** Whether the window may grow: data arrived in order, or in any order where reordering is usual. */
function tcp_may_raise_cwnd(sk: sock, flag: number): boolean {
	if (tcp_sk(sk).reordering > sk.net.ipv4.sysctl_tcp_reordering) return (flag & FLAG_FORWARD_PROGRESS) !== 0;
	return (flag & FLAG_DATA_ACKED) !== 0;
}

/** The window and the rate, by the module or by the state of recovery. */
export function tcp_cong_control(sk: sock, ack: number, acked_sacked: number, flag: number, rs: rate_sample): void {
	const tp = tcp_sk(sk);
	const ops = tp.icsk_ca_ops;
	if (ops.cong_control !== null) {
		ops.cong_control(sk, ack, flag, rs);
		return;
	}
	if (tcp_in_cwnd_reduction(sk)) tcp_cwnd_reduction(sk, acked_sacked, rs.losses, flag);
	else if (tcp_may_raise_cwnd(sk, flag)) {
		if (ops.cong_avoid !== null) ops.cong_avoid(sk, ack, acked_sacked);
		tp.snd_cwnd_stamp = tcp_jiffies32(sk);
	}
	tcp_update_pacing_rate(sk);
}

/** Sends what tcp_fastretrans_alert() decided. */
export function tcp_xmit_recovery(sk: sock, rexmit: number): void {
	const tp = tcp_sk(sk);
	if (rexmit === REXMIT_NONE || sk.sk_state === TCP_SYN_SENT) return;
	if (rexmit === REXMIT_NEW) {
		__tcp_push_pending_frames(sk, tcp_current_mss(sk), TCP_NAGLE_OFF);
		// RFC 5682 2: something new went out, its ACK will tell.
		if (after(tp.snd_nxt, tp.high_seq)) return;
		tp.frto = false;
	}
	tcp_xmit_retransmit_queue(sk);
}

/** An ACK for what was acknowledged before: only its SACK blocks count. */
function tcp_ack_old(sk: sock, skb: sk_buff, state: tcp_sacktag_state, flag: number, delivered: number): number {
	if (TCP_SKB_CB(skb).sacked === 0) return 0;
	const tp = tcp_sk(sk);
	const prior_snd_una = tp.snd_una;
	flag |= tcp_sacktag_write_queue(sk, skb, prior_snd_una, state);
	state.ack_flag = flag;
	tcp_fastretrans_alert(sk, prior_snd_una, 0, state);
	tcp_newly_delivered(sk, delivered, state.ack_flag);
	tcp_xmit_recovery(sk, state.rexmit);
	return 0;
}

/** What one call works in, as new. */
function tcp_sacktag_begin(sk: sock): tcp_sacktag_state {
	const s = sk.net.machine.tcp_cong.sacktag;
	s.first_sackt = -1;
	s.last_sackt = -1;
	s.sack_delivered = 0;
	s.flag = 0;
	s.ack_flag = 0;
	s.rexmit = REXMIT_NONE;
	const rs = s.rate;
	rs.prior_mstamp = -1;
	rs.prior_delivered = 0;
	rs.prior_delivered_ce = 0;
	rs.delivered = 0;
	rs.delivered_ce = 0;
	rs.interval_us = 0;
	rs.snd_interval_us = 0;
	rs.rcv_interval_us = 0;
	rs.rtt_us = 0;
	rs.losses = 0;
	rs.acked_sacked = 0;
	rs.prior_in_flight = 0;
	rs.last_end_seq = 0;
	rs.is_app_limited = false;
	rs.is_retrans = false;
	rs.is_ack_delayed = false;
	return s;
}

/**
 * The segment's acknowledgement. Borrows skb. Return: 1 when it was taken, 0 when it is old, -SKB_DROP_REASON_* when the segment must go.
 */
export function tcp_ack(sk: sock, skb: sk_buff, flag: number): number {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const ack_seq = cb.seq;
	const ack = cb.ack_seq;
	const prior_snd_una = tp.snd_una;
	const prior_packets = tp.packets_out;
	const is_sack_reneg = tp.is_sack_reneg;
	const prior_delivered = tp.delivered;
	const prior_lost = tp.lost;

	if (before(ack, prior_snd_una)) {
		// RFC 5961 5.2: not older than a window, nor than the connection.
		const max_window = Math.min(tp.max_window, tp.bytes_acked);
		if (before(ack, (prior_snd_una - max_window) | 0)) {
			if ((flag & FLAG_NO_CHALLENGE_ACK) === 0) tcp_send_challenge_ack(sk);
			return -SKB_DROP_REASON_TCP_TOO_OLD_ACK;
		}
		return tcp_ack_old(sk, skb, tcp_sacktag_begin(sk), flag, prior_delivered);
	}
	if (after(ack, tp.snd_nxt)) {
		if ((flag & FLAG_NO_CHALLENGE_ACK) === 0) tcp_send_challenge_ack(sk);
		return -SKB_DROP_REASON_TCP_ACK_UNSENT_DATA;
	}

	if (after(ack, prior_snd_una)) {
		flag |= FLAG_SND_UNA_ADVANCED;
		tp.icsk_retransmits = 0;
	}
	const state = tcp_sacktag_begin(sk);
	const rs = state.rate;
	const prior_fack = tcp_is_sack(tp) ? tcp_highest_sack_seq(tp) : tp.snd_una;
	rs.prior_in_flight = tcp_packets_in_flight(tp);
	if ((flag & FLAG_UPDATE_TS_RECENT) !== 0) flag |= tcp_replace_ts_recent(sk, ack_seq);

	if ((flag & (FLAG_SLOWPATH | FLAG_SND_UNA_ADVANCED)) === FLAG_SND_UNA_ADVANCED) {
		// Header prediction: the window is the same, the ACK moves on.
		tp.snd_wl1 = ack_seq;
		tcp_snd_una_update(tp, ack);
		flag |= FLAG_WIN_UPDATE;
		tcp_in_ack_event(sk, CA_ACK_WIN_UPDATE);
		NET_INC_STATS(sk.net, LINUX_MIB_TCPHPACKS);
	} else {
		let ack_ev_flags = CA_ACK_SLOWPATH;
		if (ack_seq !== cb.end_seq) flag |= FLAG_DATA;
		else NET_INC_STATS(sk.net, LINUX_MIB_TCPPUREACKS);
		flag |= tcp_ack_update_window(sk, skb, ack, ack_seq);
		if (cb.sacked !== 0) flag |= tcp_sacktag_write_queue(sk, skb, prior_snd_una, state);
		if (tcp_ecn_rcv_ecn_echo(tp, cb.tcp_flags)) {
			flag |= FLAG_ECE;
			ack_ev_flags |= CA_ACK_ECE;
		}
		if (state.sack_delivered > 0) tcp_count_delivered(tp, state.sack_delivered, (flag & FLAG_ECE) !== 0);
		if ((flag & FLAG_WIN_UPDATE) !== 0) ack_ev_flags |= CA_ACK_WIN_UPDATE;
		tcp_in_ack_event(sk, ack_ev_flags);
	}
	tcp_ecn_accept_cwr(sk, skb);
	// Whatever ICMP said meanwhile: the peer is there.
	sk.sk_err_soft = 0;
	tp.icsk_probes_out = 0;
	tp.rcv_tstamp = tcp_jiffies32(sk);

	if (prior_packets === 0) {
		if ((flag & FLAG_DSACKING_ACK) !== 0) {
			state.ack_flag = flag;
			tcp_fastretrans_alert(sk, prior_snd_una, 0, state);
			flag = state.ack_flag;
			tcp_newly_delivered(sk, prior_delivered, flag);
		}
		tcp_ack_probe(sk);
		if (tp.tlp_high_seq !== 0) tcp_process_tlp_ack(sk, ack, flag);
		return 1;
	}

	flag |= tcp_clean_rtx_queue(sk, prior_fack, prior_snd_una, state, (flag & FLAG_ECE) !== 0);
	tcp_rack_update_reo_wnd(sk, rs);
	if (tp.tlp_high_seq !== 0) tcp_process_tlp_ack(sk, ack, flag);
	if (tcp_ack_is_dubious(tp, flag)) {
		let num_dupack = 0;
		if ((flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DSACKING_ACK)) === 0) {
			num_dupack = 1;
			// Several pure ACKs may have been merged into one.
			if ((flag & FLAG_DATA) === 0) num_dupack = Math.max(1, skb.shinfo.gso_segs);
		}
		state.ack_flag = flag;
		tcp_fastretrans_alert(sk, prior_snd_una, num_dupack, state);
		flag = state.ack_flag;
		if (skb.journey !== null && num_dupack > 0)
			trace_event(skb, 'note', 'tcp_ack', { duplicate_ack: ack >>> 0, ca_state: tp.icsk_ca_state });
	}
	if ((flag & FLAG_SET_XMIT_TIMER) !== 0) tcp_set_xmit_timer(sk);
	if ((flag & FLAG_FORWARD_PROGRESS) !== 0 || (flag & FLAG_NOT_DUP) === 0) sk_dst_confirm(sk);

	const delivered = tcp_newly_delivered(sk, prior_delivered, flag);
	rs.is_ack_delayed = (flag & FLAG_ACK_MAYBE_DELAYED) !== 0;
	tcp_rate_gen(sk, delivered, tp.lost - prior_lost, is_sack_reneg, rs);
	tcp_cong_control(sk, ack, delivered, flag, rs);
	tcp_xmit_recovery(sk, state.rexmit);
	return 1;
}

// ---- room to send ------------------------------------------------------------------------------------------------------------------

/** The send buffer: twice the window in full segments, as Linux charges them. */
export function tcp_sndbuf_expand(sk: sock): void {
	const tp = tcp_sk(sk);
	const ops = tp.icsk_ca_ops;
	const bytes = Math.max(tp.rx_opt.mss_clamp, tp.mss_cache) + MAX_TCP_HEADER + SIZEOF_SHARED_INFO;
	const per_mss = 2 ** Math.ceil(Math.log2(bytes)) + SIZEOF_SK_BUFF;
	const nr_segs = Math.max(TCP_INIT_CWND, tp.snd_cwnd, tp.reordering + 1);
	const factor = ops.sndbuf_expand !== null ? ops.sndbuf_expand(sk) : 2;
	const sndmem = factor * nr_segs * per_mss;
	if (sk.sk_sndbuf < sndmem) sk.sk_sndbuf = Math.min(sndmem, sk.net.ipv4.sysctl_tcp_wmem[2]);
}

function tcp_should_expand_sndbuf(sk: sock): boolean {
	// The process said how much it wants.
	if ((sk.sk_userlocks & SOCK_SNDBUF_LOCK) !== 0) return false;
	if (sk_under_memory_pressure(sk)) return false;
	if (sk_memory_allocated(sk) >= sk_prot_mem_limits(sk, 0)) return false;
	// The window is full: a larger buffer would only hold more back.
	const tp = tcp_sk(sk);
	return tcp_packets_in_flight(tp) < tp.snd_cwnd;
}

function tcp_new_space(sk: sock): void {
	if (tcp_should_expand_sndbuf(sk)) {
		tcp_sndbuf_expand(sk);
		tcp_sk(sk).snd_cwnd_stamp = tcp_jiffies32(sk);
	}
	sk.sk_write_space(sk);
}

/** After an ACK: whoever waits for room may go on. */
export function tcp_check_space(sk: sock): void {
	const s = sk.sk_socket;
	if (s === null || !s.nospace) return;
	tcp_new_space(sk);
	if (!s.nospace) tcp_chrono_stop(sk, TCP_CHRONO_SNDBUF_LIMITED);
}
