/*
 * net/ipv4/tcp_cubic.ts: CUBIC, with HyStart.                      Linux: net/ipv4/tcp_cubic.c
 *
 * Walk: cubictcp_acked (delay, HyStart) -> cubictcp_cong_avoid: slow start, or bictcp_update (how many acknowledged segments the next
 *       step up costs) -> tcp_cong_avoid_ai; a loss: cubictcp_recalc_ssthresh.
 * RFC 9438 4.2 (the cubic), 4.3 (Reno-friendly region), 4.6 (multiplicative decrease), 4.7 (fast convergence);
 * S. Ha, I. Rhee, "Taming the elephants: new TCP slow start" (HyStart: ACK trains and delay).
 * The module's parameters are Linux's defaults and fixed. The cube root is the exact one, Linux's is near to it (0.2 %).
 */
import { HZ } from '../../kernel/time.ts';
import {
	LINUX_MIB_TCPHYSTARTDELAYCWND,
	LINUX_MIB_TCPHYSTARTDELAYDETECT,
	LINUX_MIB_TCPHYSTARTTRAINCWND,
	LINUX_MIB_TCPHYSTARTTRAINDETECT,
} from '../../uapi/linux/snmp.ts';
import { TCP_CA_Loss } from '../../uapi/linux/tcp.ts';
import { NET_ADD_STATS, NET_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import { tcp_cong_avoid_ai, tcp_reno_undo_cwnd, tcp_slow_start } from './tcp_cong.ts';
import { tcp_is_cwnd_limited } from './tcp_output_xmit.ts';
import {
	type ack_sample,
	after,
	CA_EVENT_TX_START,
	SK_PACING_NONE,
	type tcp_congestion_ops,
	tcp_in_slow_start,
	tcp_jiffies32,
	tcp_sk,
	type tcp_sock,
} from './tcp_sock.ts';

/** RFC 9438 4.6: after a loss this much of the window is left, in 1024ths (0.7). */
const beta = 717;
const BICTCP_BETA_SCALE = 1024;
/** Time is counted in 1024ths of a second. */
const BICTCP_HZ = 10;
/** RFC 9438 4.2: C = 0.4, here bic_scale * 10 / 1024. */
const bic_scale = 41;
const cube_rtt_scale = bic_scale * 10;
const cube_factor = 2 ** (10 + 3 * BICTCP_HZ) / cube_rtt_scale;
/** RFC 9438 4.3: segments acknowledged for one more in the Reno-friendly region, in 8ths of a window. */
const beta_scale = Math.floor(Math.floor((8 * (BICTCP_BETA_SCALE + beta)) / 3) / (BICTCP_BETA_SCALE - beta));

/** HyStart begins at this window, looks at this many delays a round, and takes this for a rise (us). */
const hystart_low_window = 16;
const HYSTART_MIN_SAMPLES = 8;
const HYSTART_DELAY_MIN = 4000;
const HYSTART_DELAY_MAX = 16000;
/** ACKs closer than this (us) are of one train. */
const hystart_ack_delta_us = 2000;

/** What CUBIC keeps of a connection. */
export class bictcp {
	/** Acknowledged segments for one step up. */
	cnt = 0;
	last_max_cwnd = 0;
	last_cwnd = 0;
	/** jiffies when last_cwnd was taken. */
	last_time = -1;
	bic_origin_point = 0;
	/** Time (1024ths of a second) from the epoch's start to the origin point. */
	bic_K = 0;
	/** Least RTT in us. */
	delay_min = 0;
	/** jiffies; -1 outside of an epoch. */
	epoch_start = -1;
	ack_cnt = 0;
	/** What Reno's window would be. */
	tcp_cwnd = 0;
	// HyStart
	sample_cnt = 0;
	found = false;
	round_start = 0;
	end_seq = 0;
	last_ack = 0;
	curr_rtt = 0xffffffff;
}

/** The module's part: there before its init too (a SYN's RTT, its time out). */
function bictcp_ca(tp: tcp_sock): bictcp {
	if (tp.icsk_ca_priv === null) tp.icsk_ca_priv = new bictcp();
	return tp.icsk_ca_priv as bictcp;
}

function bictcp_reset(ca: bictcp): void {
	ca.cnt = 0;
	ca.last_max_cwnd = 0;
	ca.last_cwnd = 0;
	ca.last_time = -1;
	ca.bic_origin_point = 0;
	ca.bic_K = 0;
	ca.delay_min = 0;
	ca.epoch_start = -1;
	ca.ack_cnt = 0;
	ca.tcp_cwnd = 0;
	ca.found = false;
}

/** A round of HyStart: until what is sent next is acknowledged. */
function bictcp_hystart_reset(tp: tcp_sock, ca: bictcp): void {
	ca.round_start = tp.tcp_mstamp;
	ca.last_ack = tp.tcp_mstamp;
	ca.end_seq = tp.snd_nxt;
	ca.curr_rtt = 0xffffffff;
	ca.sample_cnt = 0;
}

function cubictcp_init(sk: sock): void {
	const tp = tcp_sk(sk);
	const ca = new bictcp();
	tp.icsk_ca_priv = ca;
	bictcp_hystart_reset(tp, ca);
}

function cubictcp_cwnd_event(sk: sock, event: number): void {
	if (event !== CA_EVENT_TX_START) return;
	const tp = tcp_sk(sk);
	const ca = bictcp_ca(tp);
	// RFC 9438 5.8: time without data does not count.
	const now = tcp_jiffies32(sk);
	const idle = now - tp.lsndtime;
	if (ca.epoch_start >= 0 && idle > 0) ca.epoch_start = Math.min(ca.epoch_start + idle, now);
}

/** How many acknowledged segments the next step up costs: ca.cnt. */
function bictcp_update(ca: bictcp, cwnd: number, acked: number, now: number): void {
	ca.ack_cnt += acked;
	if (ca.last_cwnd === cwnd && ca.last_time >= 0 && now - ca.last_time <= HZ >> 5) return;
	if (ca.epoch_start < 0 || now !== ca.last_time) {
		ca.last_cwnd = cwnd;
		ca.last_time = now;
		if (ca.epoch_start < 0) {
			ca.epoch_start = now;
			ca.ack_cnt = acked;
			ca.tcp_cwnd = cwnd;
			if (ca.last_max_cwnd <= cwnd) {
				ca.bic_K = 0;
				ca.bic_origin_point = cwnd;
			} else {
				ca.bic_K = Math.floor(Math.cbrt(cube_factor * (ca.last_max_cwnd - cwnd)));
				ca.bic_origin_point = ca.last_max_cwnd;
			}
		}
		// RFC 9438 4.2: W_cubic one RTT from now.
		const elapsed = now - ca.epoch_start + Math.ceil((ca.delay_min * HZ) / 1e6);
		const t = Math.floor((elapsed * (1 << BICTCP_HZ)) / HZ);
		const offs = Math.abs(t - ca.bic_K);
		const delta = Math.floor((cube_rtt_scale * offs * offs * offs) / 2 ** (10 + 3 * BICTCP_HZ));
		const target = t < ca.bic_K ? ca.bic_origin_point - delta : ca.bic_origin_point + delta;
		ca.cnt = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd;
		// Nothing is known of the path yet: grow at least 5 % a round.
		if (ca.last_max_cwnd === 0 && ca.cnt > 20) ca.cnt = 20;
	}
	// RFC 9438 4.3: not slower than Reno.
	const step = (cwnd * beta_scale) >> 3;
	if (step > 0 && ca.ack_cnt > step) {
		const n = Math.ceil(ca.ack_cnt / step) - 1;
		ca.ack_cnt -= n * step;
		ca.tcp_cwnd += n;
	}
	if (ca.tcp_cwnd > cwnd) {
		const max_cnt = Math.floor(cwnd / (ca.tcp_cwnd - cwnd));
		if (ca.cnt > max_cnt) ca.cnt = max_cnt;
	}
	// Never faster than half as much again in a round.
	ca.cnt = Math.max(ca.cnt, 2);
}

function cubictcp_cong_avoid(sk: sock, _ack: number, acked: number): void {
	const tp = tcp_sk(sk);
	if (!tcp_is_cwnd_limited(sk)) return;
	if (tcp_in_slow_start(tp)) {
		acked = tcp_slow_start(tp, acked);
		if (acked === 0) return;
	}
	const ca = bictcp_ca(tp);
	bictcp_update(ca, tp.snd_cwnd, acked, tcp_jiffies32(sk));
	tcp_cong_avoid_ai(tp, ca.cnt, acked);
}

function cubictcp_recalc_ssthresh(sk: sock): number {
	const tp = tcp_sk(sk);
	const ca = bictcp_ca(tp);
	const cwnd = tp.snd_cwnd;
	ca.epoch_start = -1;
	// RFC 9438 4.7: a window that did not come back to where it was leaves room for others.
	ca.last_max_cwnd =
		cwnd < ca.last_max_cwnd ? Math.floor((cwnd * (BICTCP_BETA_SCALE + beta)) / (2 * BICTCP_BETA_SCALE)) : cwnd;
	return Math.max(Math.floor((cwnd * beta) / BICTCP_BETA_SCALE), 2);
}

function cubictcp_state(sk: sock, new_state: number): void {
	if (new_state !== TCP_CA_Loss) return;
	const tp = tcp_sk(sk);
	const ca = bictcp_ca(tp);
	bictcp_reset(ca);
	bictcp_hystart_reset(tp, ca);
}

/** us that a burst of four full GSO packets takes at the pacing rate: ACKs may come late by that without any queue. */
function hystart_ack_delay(sk: sock): number {
	const rate = sk.sk_pacing_rate;
	if (rate === 0 || rate === Infinity) return 0;
	return Math.min(1000, Math.floor((sk.sk_gso_max_size * 4 * 1e6) / rate));
}

/** Slow start ends before anything is lost: when a round's ACKs stretch over half the path's delay, or delay rises. */
function hystart_update(sk: sock, tp: tcp_sock, ca: bictcp, delay: number): void {
	if (after(tp.snd_una, ca.end_seq)) bictcp_hystart_reset(tp, ca);
	if (tp.snd_cwnd < hystart_low_window) return;
	const net = sk.net;
	const now = tp.tcp_mstamp;
	if (now - ca.last_ack <= hystart_ack_delta_us) {
		ca.last_ack = now;
		let threshold = ca.delay_min + hystart_ack_delay(sk);
		// Pacing spreads a window over half the RTT by itself.
		if (sk.sk_pacing_status === SK_PACING_NONE) threshold >>= 1;
		if (now - ca.round_start > threshold) {
			ca.found = true;
			NET_INC_STATS(net, LINUX_MIB_TCPHYSTARTTRAINDETECT);
			NET_ADD_STATS(net, LINUX_MIB_TCPHYSTARTTRAINCWND, tp.snd_cwnd);
			tp.snd_ssthresh = tp.snd_cwnd;
		}
	}
	if (ca.curr_rtt > delay) ca.curr_rtt = delay;
	if (ca.sample_cnt < HYSTART_MIN_SAMPLES) ca.sample_cnt++;
	else {
		const rise = Math.max(HYSTART_DELAY_MIN, Math.min(ca.delay_min >> 3, HYSTART_DELAY_MAX));
		if (ca.curr_rtt > ca.delay_min + rise) {
			ca.found = true;
			NET_INC_STATS(net, LINUX_MIB_TCPHYSTARTDELAYDETECT);
			NET_ADD_STATS(net, LINUX_MIB_TCPHYSTARTDELAYCWND, tp.snd_cwnd);
			tp.snd_ssthresh = tp.snd_cwnd;
		}
	}
}

function cubictcp_acked(sk: sock, sample: ack_sample): void {
	if (sample.rtt_us < 0) return;
	const tp = tcp_sk(sk);
	const ca = bictcp_ca(tp);
	// Right after a recovery delays say little.
	if (ca.epoch_start >= 0 && tcp_jiffies32(sk) - ca.epoch_start < HZ) return;
	const delay = sample.rtt_us === 0 ? 1 : sample.rtt_us;
	if (ca.delay_min === 0 || ca.delay_min > delay) ca.delay_min = delay;
	if (!ca.found && tcp_in_slow_start(tp)) hystart_update(sk, tp, ca, delay);
}

export const cubictcp: tcp_congestion_ops = {
	name: 'cubic',
	flags: 0,
	init: cubictcp_init,
	release: null,
	ssthresh: cubictcp_recalc_ssthresh,
	cong_avoid: cubictcp_cong_avoid,
	set_state: cubictcp_state,
	cwnd_event: cubictcp_cwnd_event,
	in_ack_event: null,
	pkts_acked: cubictcp_acked,
	min_tso_segs: null,
	cong_control: null,
	undo_cwnd: tcp_reno_undo_cwnd,
	sndbuf_expand: null,
	get_info: null,
};
