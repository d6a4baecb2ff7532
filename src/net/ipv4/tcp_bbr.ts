/*
 * net/ipv4/tcp_bbr.ts: BBR (version 1): sends at the rate that the path was seen to deliver.      Linux: net/ipv4/tcp_bbr.c
 *
 * Walk: bbr_main (each ACK) -> bbr_update_model: bbr_update_bw, bbr_update_ack_aggregation, bbr_update_cycle_phase,
 *       bbr_check_full_bw_reached, bbr_check_drain, bbr_update_min_rtt -> bbr_set_pacing_rate -> bbr_set_cwnd
 * draft-cardwell-iccrg-bbr-congestion-control-00: 4.1 (the model: BtlBw, RTprop), 4.2 (control: pacing, quantum, cwnd), 4.3 (Startup, Drain,
 * ProbeBW, ProbeRTT), draft-cardwell-iccrg-bbr-congestion-control-00 4.2.3.2 (loss); policers: "long-term" bandwidth.
 * Rates are segments per us << 24, gains << 8.
 */
import { HZ, msecs_to_jiffies } from '../../kernel/time.ts';
import { put_unaligned_le32 } from '../../lib/byteorder.ts';
import { minmax_reset, minmax_running_max } from '../../lib/win_minmax.ts';
import { TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery } from '../../uapi/linux/tcp.ts';
import type { sock } from '../core/sock.ts';
import {
	before,
	CA_EVENT_TX_START,
	MAX_TCP_HEADER,
	type rate_sample,
	SK_PACING_NEEDED,
	SK_PACING_NONE,
	TCP_INFINITE_SSTHRESH,
	TCP_INIT_CWND,
	type tcp_congestion_ops,
	tcp_jiffies32,
	tcp_min_rtt,
	tcp_packets_in_flight,
	tcp_sk,
	type tcp_sock,
	tcp_stamp_us_delta,
} from './tcp_sock.ts';

const BW_UNIT = 1 << 24;
const BBR_UNIT = 1 << 8;

const BBR_STARTUP = 0;
const BBR_DRAIN = 1;
const BBR_PROBE_BW = 2;
const BBR_PROBE_RTT = 3;

/** Rounds that the greatest delivery rate is remembered. */
const bbr_bw_rtts = 10;
const bbr_min_rtt_win = 10 * HZ;
const bbr_probe_rtt_mode_ms = 200;
/** bit/s below which a segment is sent by itself. */
const bbr_min_tso_rate = 1200000;
/** Paces a little below the estimate, so that no queue builds up. */
const bbr_pacing_margin_percent = 1;
/** 2 / ln 2: doubles the rate each round. */
const bbr_high_gain = 739;
const bbr_drain_gain = 88;
const bbr_cwnd_gain = 2 * BBR_UNIT;
const bbr_pacing_gain: readonly number[] = [320, 192, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT];
const CYCLE_LEN = 8;
const bbr_cycle_rand = 7;
const bbr_cwnd_min_target = 4;
/** The pipe is full when the rate did not grow by a quarter for three rounds. */
const bbr_full_bw_thresh = 320;
const bbr_full_bw_cnt = 3;
// A policer: two intervals of at least four rounds with a fifth lost, at nearly the same rate.
const bbr_lt_intvl_min_rtts = 4;
const bbr_lt_loss_thresh = 50;
const bbr_lt_bw_ratio = 32;
const bbr_lt_bw_diff = 500;
const bbr_lt_bw_max_rtts = 48;
// ACKs that come in bunches.
const bbr_extra_acked_gain = BBR_UNIT;
const bbr_extra_acked_win_rtts = 5;
const bbr_ack_epoch_acked_reset_thresh = 1 << 20;
const bbr_extra_acked_max_us = 100000;

const NO_RTT = 0xffffffff;
const GSO_LEGACY_MAX_SIZE = 65536;
const INET_DIAG_BBRINFO = 16;

/** What BBR keeps of a connection. */
export class bbr {
	min_rtt_us = NO_RTT;
	/** jiffies. */
	min_rtt_stamp = 0;
	/** jiffies; -1 for not set. */
	probe_rtt_done_stamp = -1;
	/** Windowed maximum of the delivery rate, over rounds. */
	bw_t: number[] = [0, 0, 0];
	bw_v: number[] = [0, 0, 0];
	rtt_cnt = 0;
	/** tp.delivered at the end of this round. */
	next_rtt_delivered = 0;
	/** us when this phase of the cycle began. */
	cycle_mstamp = 0;
	mode = BBR_STARTUP;
	prev_ca_state = TCP_CA_Open;
	packet_conservation = false;
	round_start = false;
	idle_restart = false;
	probe_rtt_round_done = false;
	lt_is_sampling = false;
	lt_rtt_cnt = 0;
	lt_use_bw = false;
	lt_bw = 0;
	lt_last_delivered = 0;
	/** ms. */
	lt_last_stamp = 0;
	lt_last_lost = 0;
	pacing_gain = bbr_high_gain;
	cwnd_gain = bbr_high_gain;
	full_bw_reached = false;
	full_bw_cnt = 0;
	cycle_idx = 0;
	has_seen_rtt = false;
	prior_cwnd = 0;
	full_bw = 0;
	/** us. */
	ack_epoch_mstamp = 0;
	extra_acked: number[] = [0, 0];
	ack_epoch_acked = 0;
	extra_acked_win_rtts = 0;
	extra_acked_win_idx = 0;
}

/** The module's part: there before its init too (a SYN's time out). */
function bbr_ca(tp: tcp_sock): bbr {
	if (tp.icsk_ca_priv === null) tp.icsk_ca_priv = new bbr();
	return tp.icsk_ca_priv as bbr;
}

function bbr_max_bw(b: bbr): number {
	return b.bw_v[0];
}

function bbr_bw(b: bbr): number {
	return b.lt_use_bw ? b.lt_bw : b.bw_v[0];
}

// ---- pacing ------------------------------------------------------------------------------------------------------------------------

function bbr_rate_bytes_per_sec(tp: tcp_sock, rate: number, gain: number): number {
	const r = Math.floor((rate * tp.mss_cache * gain) / BBR_UNIT);
	return Math.floor((r * ((1e6 / 100) * (100 - bbr_pacing_margin_percent))) / BW_UNIT);
}

function bbr_bw_to_pacing_rate(sk: sock, tp: tcp_sock, bw: number, gain: number): number {
	return Math.min(bbr_rate_bytes_per_sec(tp, bw, gain), sk.sk_max_pacing_rate);
}

/** No rate is known yet: high_gain times the initial window per RTT (of 1 ms while that is not known either). */
function bbr_init_pacing_rate_from_rtt(sk: sock, tp: tcp_sock, b: bbr): void {
	let rtt_us = 1000;
	if (tp.srtt_us !== 0) {
		rtt_us = Math.max(tp.srtt_us >> 3, 1);
		b.has_seen_rtt = true;
	}
	const bw = Math.floor((tp.snd_cwnd * BW_UNIT) / rtt_us);
	sk.sk_pacing_rate = bbr_bw_to_pacing_rate(sk, tp, bw, bbr_high_gain);
}

/** Before the pipe is full the rate only grows. */
function bbr_set_pacing_rate(sk: sock, tp: tcp_sock, b: bbr, bw: number, gain: number): void {
	const rate = bbr_bw_to_pacing_rate(sk, tp, bw, gain);
	if (!b.has_seen_rtt && tp.srtt_us !== 0) bbr_init_pacing_rate_from_rtt(sk, tp, b);
	if (b.full_bw_reached || rate > sk.sk_pacing_rate) sk.sk_pacing_rate = rate;
}

function bbr_min_tso_segs(sk: sock): number {
	return sk.sk_pacing_rate < bbr_min_tso_rate >> 3 ? 1 : 2;
}

/** Segments in one packet as it goes to the device (draft 4.2.2). */
function bbr_tso_segs_goal(sk: sock, tp: tcp_sock): number {
	const bytes = Math.min(
		Math.floor(sk.sk_pacing_rate / 2 ** sk.sk_pacing_shift),
		GSO_LEGACY_MAX_SIZE - 1 - MAX_TCP_HEADER,
	);
	return Math.min(Math.max(Math.floor(bytes / tp.mss_cache), bbr_min_tso_segs(sk)), 0x7f);
}

// ---- windows -----------------------------------------------------------------------------------------------------------------------

/** What to return to after a recovery or a probe of the RTT. */
function bbr_save_cwnd(tp: tcp_sock, b: bbr): void {
	b.prior_cwnd =
		b.prev_ca_state < TCP_CA_Recovery && b.mode !== BBR_PROBE_RTT ? tp.snd_cwnd : Math.max(b.prior_cwnd, tp.snd_cwnd);
}

/** Bandwidth times least RTT, times gain, in segments. */
function bbr_bdp(b: bbr, bw: number, gain: number): number {
	if (b.min_rtt_us === NO_RTT) return TCP_INIT_CWND;
	return Math.floor((Math.floor((bw * b.min_rtt_us * gain) / BBR_UNIT) + BW_UNIT - 1) / BW_UNIT);
}

/** Room for three packets on their way through the hosts, and for delayed ACKs. */
function bbr_quantization_budget(sk: sock, tp: tcp_sock, b: bbr, cwnd: number): number {
	cwnd += 3 * bbr_tso_segs_goal(sk, tp);
	cwnd = (cwnd + 1) & ~1;
	if (b.mode === BBR_PROBE_BW && b.cycle_idx === 0) cwnd += 2;
	return cwnd;
}

function bbr_inflight(sk: sock, tp: tcp_sock, b: bbr, bw: number, gain: number): number {
	return bbr_quantization_budget(sk, tp, b, bbr_bdp(b, bw, gain));
}

/** What will be in the network when pacing lets the next packet go. */
function bbr_packets_in_net_at_edt(sk: sock, tp: tcp_sock, b: bbr, inflight_now: number): number {
	const now = tp.tcp_clock_cache;
	const interval_us = Math.floor((Math.max(tp.tcp_wstamp_ns, now) - now) / 1000);
	const delivered = Math.floor((bbr_bw(b) * interval_us) / BW_UNIT);
	let inflight = inflight_now;
	if (b.pacing_gain > BBR_UNIT) inflight += bbr_tso_segs_goal(sk, tp);
	return delivered >= inflight ? 0 : inflight - delivered;
}

/** More window for what ACKs were seen to come in bunches. */
function bbr_ack_aggregation_cwnd(b: bbr): number {
	if (!b.full_bw_reached) return 0;
	const max = Math.floor((bbr_bw(b) * bbr_extra_acked_max_us) / BW_UNIT);
	const extra = (bbr_extra_acked_gain * Math.max(b.extra_acked[0], b.extra_acked[1])) >> 8;
	return Math.min(extra, max);
}

/**
 * Recovery: for its first round what leaves equals what arrives, then the window is given back (draft 4.2.3.4). Return: the window,
 * negative (-window) when it is not to grow further.
 */
function bbr_set_cwnd_to_recover_or_restore(tp: tcp_sock, b: bbr, rs: rate_sample, acked: number): number {
	const prev_state = b.prev_ca_state;
	const state = tp.icsk_ca_state;
	let cwnd = tp.snd_cwnd;
	if (rs.losses > 0) cwnd = Math.max(cwnd - rs.losses, 1);
	if (state === TCP_CA_Recovery && prev_state !== TCP_CA_Recovery) {
		b.packet_conservation = true;
		b.next_rtt_delivered = tp.delivered;
		cwnd = tcp_packets_in_flight(tp) + acked;
	} else if (prev_state >= TCP_CA_Recovery && state < TCP_CA_Recovery) {
		cwnd = Math.max(cwnd, b.prior_cwnd);
		b.packet_conservation = false;
	}
	b.prev_ca_state = state;
	return b.packet_conservation ? -Math.max(cwnd, tcp_packets_in_flight(tp) + acked) : cwnd;
}

function bbr_set_cwnd(sk: sock, tp: tcp_sock, b: bbr, rs: rate_sample, acked: number, bw: number, gain: number): void {
	let cwnd = tp.snd_cwnd;
	if (acked > 0) {
		cwnd = bbr_set_cwnd_to_recover_or_restore(tp, b, rs, acked);
		if (cwnd < 0) cwnd = -cwnd;
		else {
			const target = bbr_quantization_budget(sk, tp, b, bbr_bdp(b, bw, gain) + bbr_ack_aggregation_cwnd(b));
			if (b.full_bw_reached) cwnd = Math.min(cwnd + acked, target);
			else if (cwnd < target || tp.delivered < TCP_INIT_CWND) cwnd += acked;
			cwnd = Math.max(cwnd, bbr_cwnd_min_target);
		}
	}
	tp.snd_cwnd = Math.min(cwnd, tp.snd_cwnd_clamp);
	if (b.mode === BBR_PROBE_RTT) tp.snd_cwnd = Math.min(tp.snd_cwnd, bbr_cwnd_min_target);
}

// ---- modes -------------------------------------------------------------------------------------------------------------------------

/** Whether this phase of ProbeBW has done its work (draft 4.3.4). */
function bbr_is_next_cycle_phase(sk: sock, tp: tcp_sock, b: bbr, rs: rate_sample): boolean {
	const full_length = tcp_stamp_us_delta(tp.delivered_mstamp, b.cycle_mstamp) > b.min_rtt_us;
	if (b.pacing_gain === BBR_UNIT) return full_length;
	const inflight = bbr_packets_in_net_at_edt(sk, tp, b, rs.prior_in_flight);
	const bw = bbr_max_bw(b);
	if (b.pacing_gain > BBR_UNIT)
		return full_length && (rs.losses > 0 || inflight >= bbr_inflight(sk, tp, b, bw, b.pacing_gain));
	return full_length || inflight <= bbr_inflight(sk, tp, b, bw, BBR_UNIT);
}

function bbr_advance_cycle_phase(tp: tcp_sock, b: bbr): void {
	b.cycle_idx = (b.cycle_idx + 1) & (CYCLE_LEN - 1);
	b.cycle_mstamp = tp.delivered_mstamp;
}

function bbr_reset_probe_bw_mode(sk: sock, tp: tcp_sock, b: bbr): void {
	b.mode = BBR_PROBE_BW;
	// Begins anywhere but where the draining phase would come next, so that flows do not move in step.
	b.cycle_idx = CYCLE_LEN - 1 - sk.net.machine.random.below(bbr_cycle_rand);
	bbr_advance_cycle_phase(tp, b);
}

function bbr_reset_mode(sk: sock, tp: tcp_sock, b: bbr): void {
	if (b.full_bw_reached) bbr_reset_probe_bw_mode(sk, tp, b);
	else b.mode = BBR_STARTUP;
}

// ---- long-term bandwidth: policers -------------------------------------------------------------------------------------------------

function bbr_reset_lt_bw_sampling_interval(tp: tcp_sock, b: bbr): void {
	b.lt_last_stamp = Math.floor(tp.delivered_mstamp / 1000);
	b.lt_last_delivered = tp.delivered;
	b.lt_last_lost = tp.lost;
	b.lt_rtt_cnt = 0;
}

function bbr_reset_lt_bw_sampling(tp: tcp_sock, b: bbr): void {
	b.lt_bw = 0;
	b.lt_use_bw = false;
	b.lt_is_sampling = false;
	bbr_reset_lt_bw_sampling_interval(tp, b);
}

/** Two intervals with nearly the same rate: that is the policer's. */
function bbr_lt_bw_interval_done(tp: tcp_sock, b: bbr, bw: number): void {
	if (b.lt_bw !== 0) {
		const diff = Math.abs(bw - b.lt_bw);
		if (diff * BBR_UNIT <= bbr_lt_bw_ratio * b.lt_bw || bbr_rate_bytes_per_sec(tp, diff, BBR_UNIT) <= bbr_lt_bw_diff) {
			b.lt_bw = Math.floor((bw + b.lt_bw) / 2);
			b.lt_use_bw = true;
			b.pacing_gain = BBR_UNIT;
			b.lt_rtt_cnt = 0;
			return;
		}
	}
	b.lt_bw = bw;
	bbr_reset_lt_bw_sampling_interval(tp, b);
}

function bbr_lt_bw_sampling(sk: sock, tp: tcp_sock, b: bbr, losses: number, is_app_limited: boolean): void {
	if (b.lt_use_bw) {
		if (b.mode === BBR_PROBE_BW && b.round_start && ++b.lt_rtt_cnt >= bbr_lt_bw_max_rtts) {
			bbr_reset_lt_bw_sampling(tp, b);
			bbr_reset_probe_bw_mode(sk, tp, b);
		}
		return;
	}
	// An interval begins and ends with a loss, when the policer's tokens are used up.
	if (!b.lt_is_sampling) {
		if (losses === 0) return;
		bbr_reset_lt_bw_sampling_interval(tp, b);
		b.lt_is_sampling = true;
	}
	if (is_app_limited) {
		bbr_reset_lt_bw_sampling(tp, b);
		return;
	}
	if (b.round_start) b.lt_rtt_cnt++;
	if (b.lt_rtt_cnt < bbr_lt_intvl_min_rtts) return;
	if (b.lt_rtt_cnt > 4 * bbr_lt_intvl_min_rtts) {
		bbr_reset_lt_bw_sampling(tp, b);
		return;
	}
	if (losses === 0) return;
	const lost = tp.lost - b.lt_last_lost;
	const delivered = tp.delivered - b.lt_last_delivered;
	if (delivered === 0 || lost * BBR_UNIT < bbr_lt_loss_thresh * delivered) return;
	const ms = Math.floor(tp.delivered_mstamp / 1000) - b.lt_last_stamp;
	if (ms < 1) return;
	bbr_lt_bw_interval_done(tp, b, Math.floor((delivered * BW_UNIT) / (ms * 1000)));
}

// ---- the model ---------------------------------------------------------------------------------------------------------------------

/** Rounds, and the greatest delivery rate of the last ten (draft 4.1.1). */
function bbr_update_bw(sk: sock, tp: tcp_sock, b: bbr, rs: rate_sample): void {
	b.round_start = false;
	if (rs.delivered < 0 || rs.interval_us <= 0) return;
	if (!before(rs.prior_delivered, b.next_rtt_delivered)) {
		b.next_rtt_delivered = tp.delivered;
		b.rtt_cnt++;
		b.round_start = true;
		b.packet_conservation = false;
	}
	bbr_lt_bw_sampling(sk, tp, b, rs.losses, rs.is_app_limited);
	const bw = Math.floor((rs.delivered * BW_UNIT) / rs.interval_us);
	if (!rs.is_app_limited || bw >= bbr_max_bw(b)) minmax_running_max(b.bw_t, b.bw_v, bbr_bw_rtts, b.rtt_cnt, bw);
}

/** How much more was acknowledged within a while than the rate lets expect. */
function bbr_update_ack_aggregation(tp: tcp_sock, b: bbr, rs: rate_sample): void {
	if (rs.acked_sacked <= 0 || rs.delivered < 0 || rs.interval_us <= 0) return;
	if (b.round_start) {
		b.extra_acked_win_rtts = Math.min(0x1f, b.extra_acked_win_rtts + 1);
		if (b.extra_acked_win_rtts >= bbr_extra_acked_win_rtts) {
			b.extra_acked_win_rtts = 0;
			b.extra_acked_win_idx = 1 - b.extra_acked_win_idx;
			b.extra_acked[b.extra_acked_win_idx] = 0;
		}
	}
	const epoch_us = tcp_stamp_us_delta(tp.delivered_mstamp, b.ack_epoch_mstamp);
	let expected = Math.floor((bbr_bw(b) * epoch_us) / BW_UNIT);
	if (b.ack_epoch_acked <= expected || b.ack_epoch_acked + rs.acked_sacked >= bbr_ack_epoch_acked_reset_thresh) {
		b.ack_epoch_acked = 0;
		b.ack_epoch_mstamp = tp.delivered_mstamp;
		expected = 0;
	}
	b.ack_epoch_acked = Math.min(0xfffff, b.ack_epoch_acked + rs.acked_sacked);
	const extra = Math.min(b.ack_epoch_acked - expected, tp.snd_cwnd);
	if (extra > b.extra_acked[b.extra_acked_win_idx]) b.extra_acked[b.extra_acked_win_idx] = extra;
}

/** Startup ends when the rate stops growing (draft 4.3.2.2). */
function bbr_check_full_bw_reached(b: bbr, rs: rate_sample): void {
	if (b.full_bw_reached || !b.round_start || rs.is_app_limited) return;
	if (bbr_max_bw(b) >= Math.floor((b.full_bw * bbr_full_bw_thresh) / BBR_UNIT)) {
		b.full_bw = bbr_max_bw(b);
		b.full_bw_cnt = 0;
		return;
	}
	b.full_bw_cnt++;
	b.full_bw_reached = b.full_bw_cnt >= bbr_full_bw_cnt;
}

/** The queue that Startup built drains, then bandwidth is probed (draft 4.3.3). */
function bbr_check_drain(sk: sock, tp: tcp_sock, b: bbr): void {
	if (b.mode === BBR_STARTUP && b.full_bw_reached) {
		b.mode = BBR_DRAIN;
		tp.snd_ssthresh = bbr_inflight(sk, tp, b, bbr_max_bw(b), BBR_UNIT);
	}
	if (
		b.mode === BBR_DRAIN &&
		bbr_packets_in_net_at_edt(sk, tp, b, tcp_packets_in_flight(tp)) <= bbr_inflight(sk, tp, b, bbr_max_bw(b), BBR_UNIT)
	)
		bbr_reset_probe_bw_mode(sk, tp, b);
}

function bbr_check_probe_rtt_done(sk: sock, tp: tcp_sock, b: bbr): void {
	const now = tcp_jiffies32(sk);
	if (b.probe_rtt_done_stamp < 0 || now <= b.probe_rtt_done_stamp) return;
	b.min_rtt_stamp = now;
	tp.snd_cwnd = Math.max(tp.snd_cwnd, b.prior_cwnd);
	bbr_reset_mode(sk, tp, b);
}

/** The least RTT of ten seconds; when none was seen for so long the queue is emptied to measure it (draft 4.1.2, 4.3.5). */
function bbr_update_min_rtt(sk: sock, tp: tcp_sock, b: bbr, rs: rate_sample): void {
	const now = tcp_jiffies32(sk);
	const expired = now > b.min_rtt_stamp + bbr_min_rtt_win;
	if (rs.rtt_us >= 0 && (rs.rtt_us < b.min_rtt_us || (expired && !rs.is_ack_delayed))) {
		b.min_rtt_us = rs.rtt_us;
		b.min_rtt_stamp = now;
	}
	if (expired && !b.idle_restart && b.mode !== BBR_PROBE_RTT) {
		b.mode = BBR_PROBE_RTT;
		bbr_save_cwnd(tp, b);
		b.probe_rtt_done_stamp = -1;
	}
	if (b.mode === BBR_PROBE_RTT) {
		// The rate is ours to blame now.
		const in_flight = tcp_packets_in_flight(tp);
		tp.app_limited = tp.delivered + in_flight || 1;
		if (b.probe_rtt_done_stamp < 0 && in_flight <= bbr_cwnd_min_target) {
			b.probe_rtt_done_stamp = now + msecs_to_jiffies(bbr_probe_rtt_mode_ms);
			b.probe_rtt_round_done = false;
			b.next_rtt_delivered = tp.delivered;
		} else if (b.probe_rtt_done_stamp >= 0) {
			if (b.round_start) b.probe_rtt_round_done = true;
			if (b.probe_rtt_round_done) bbr_check_probe_rtt_done(sk, tp, b);
		}
	}
	if (rs.delivered > 0) b.idle_restart = false;
}

function bbr_update_gains(b: bbr): void {
	switch (b.mode) {
		case BBR_STARTUP:
			b.pacing_gain = bbr_high_gain;
			b.cwnd_gain = bbr_high_gain;
			return;
		case BBR_DRAIN:
			b.pacing_gain = bbr_drain_gain;
			b.cwnd_gain = bbr_high_gain;
			return;
		case BBR_PROBE_BW:
			b.pacing_gain = b.lt_use_bw ? BBR_UNIT : bbr_pacing_gain[b.cycle_idx];
			b.cwnd_gain = bbr_cwnd_gain;
			return;
		default:
			b.pacing_gain = BBR_UNIT;
			b.cwnd_gain = BBR_UNIT;
	}
}

function bbr_main(sk: sock, _ack: number, _flag: number, rs: rate_sample): void {
	const tp = tcp_sk(sk);
	const b = bbr_ca(tp);
	bbr_update_bw(sk, tp, b, rs);
	bbr_update_ack_aggregation(tp, b, rs);
	if (b.mode === BBR_PROBE_BW && bbr_is_next_cycle_phase(sk, tp, b, rs)) bbr_advance_cycle_phase(tp, b);
	bbr_check_full_bw_reached(b, rs);
	bbr_check_drain(sk, tp, b);
	bbr_update_min_rtt(sk, tp, b, rs);
	bbr_update_gains(b);
	const bw = bbr_bw(b);
	bbr_set_pacing_rate(sk, tp, b, bw, b.pacing_gain);
	bbr_set_cwnd(sk, tp, b, rs, rs.acked_sacked, bw, b.cwnd_gain);
}

// ---- the module --------------------------------------------------------------------------------------------------------------------

function bbr_init(sk: sock): void {
	const tp = tcp_sk(sk);
	const b = new bbr();
	tp.icsk_ca_priv = b;
	tp.snd_ssthresh = TCP_INFINITE_SSTHRESH;
	b.next_rtt_delivered = tp.delivered;
	b.min_rtt_us = tcp_min_rtt(tp);
	b.min_rtt_stamp = tcp_jiffies32(sk);
	minmax_reset(b.bw_t, b.bw_v, b.rtt_cnt, 0);
	bbr_init_pacing_rate_from_rtt(sk, tp, b);
	bbr_reset_lt_bw_sampling(tp, b);
	b.ack_epoch_mstamp = tp.tcp_mstamp;
	if (sk.sk_pacing_status === SK_PACING_NONE) sk.sk_pacing_status = SK_PACING_NEEDED;
}

/** Sending begins again after a pause. */
function bbr_cwnd_event(sk: sock, event: number): void {
	const tp = tcp_sk(sk);
	if (event !== CA_EVENT_TX_START || tp.app_limited === 0) return;
	const b = bbr_ca(tp);
	b.idle_restart = true;
	b.ack_epoch_mstamp = tp.tcp_mstamp;
	b.ack_epoch_acked = 0;
	if (b.mode === BBR_PROBE_BW) bbr_set_pacing_rate(sk, tp, b, bbr_bw(b), BBR_UNIT);
	else if (b.mode === BBR_PROBE_RTT) bbr_check_probe_rtt_done(sk, tp, b);
}

function bbr_ssthresh(sk: sock): number {
	const tp = tcp_sk(sk);
	bbr_save_cwnd(tp, bbr_ca(tp));
	return tp.snd_ssthresh;
}

function bbr_undo_cwnd(sk: sock): number {
	const tp = tcp_sk(sk);
	const b = bbr_ca(tp);
	b.full_bw = 0;
	b.full_bw_cnt = 0;
	bbr_reset_lt_bw_sampling(tp, b);
	return tp.snd_cwnd;
}

function bbr_set_state(sk: sock, new_state: number): void {
	if (new_state !== TCP_CA_Loss) return;
	const tp = tcp_sk(sk);
	const b = bbr_ca(tp);
	b.prev_ca_state = TCP_CA_Loss;
	b.full_bw = 0;
	b.round_start = true;
	bbr_lt_bw_sampling(sk, tp, b, 1, false);
}

/** Windows of three RTTs. */
function bbr_sndbuf_expand(_sk: sock): number {
	return 3;
}

/** struct tcp_bbr_info: bandwidth in bytes/s (64 bits), min RTT in us, both gains. */
function bbr_get_info(sk: sock, info: Uint8Array): { attr: number; len: number } | null {
	const tp = tcp_sk(sk);
	const b = bbr_ca(tp);
	const bw = Math.floor((bbr_bw(b) * tp.mss_cache * 1e6) / BW_UNIT);
	put_unaligned_le32(info, 0, bw >>> 0);
	put_unaligned_le32(info, 4, Math.floor(bw / 0x100000000));
	put_unaligned_le32(info, 8, b.min_rtt_us);
	put_unaligned_le32(info, 12, b.pacing_gain);
	put_unaligned_le32(info, 16, b.cwnd_gain);
	return { attr: INET_DIAG_BBRINFO, len: 20 };
}

export const tcp_bbr_cong_ops: tcp_congestion_ops = {
	name: 'bbr',
	flags: 0,
	init: bbr_init,
	release: null,
	ssthresh: bbr_ssthresh,
	cong_avoid: null,
	set_state: bbr_set_state,
	cwnd_event: bbr_cwnd_event,
	in_ack_event: null,
	pkts_acked: null,
	min_tso_segs: bbr_min_tso_segs,
	cong_control: bbr_main,
	undo_cwnd: bbr_undo_cwnd,
	sndbuf_expand: bbr_sndbuf_expand,
	get_info: bbr_get_info,
};
