/*
 * net/ipv4/tcp_input_rcvbuf.ts: how much the peer may send, how soon it is answered, ECN's receiving side.      Linux: net/ipv4/tcp_input.c
 *
 * Walk: a segment with data -> tcp_event_data_recv: the peer's MSS (tcp_measure_rcv_mss), the round trip seen from here
 * (tcp_rcv_rtt_measure*), the delay of ACKs (ato), ECN, and rcv_ssthresh, up to which the window may open (tcp_grow_window).
 * The process reads -> tcp_rcv_space_adjust: what it read in a round trip says how large the buffer ought to be (tcp_rcvbuf_grow).
 * RFC 9293 3.8.6 (windows), RFC 5681 4.2 (delayed ACKs), RFC 3168 6.1 (ECN). Not here: AccECN (tcp_ecn >= 3).
 */
import { TCPHDR_CWR, TCPHDR_ECE, TCPHDR_FIN, TCPHDR_PSH, TCPHDR_SYN, TCPHDR_URG } from '../../uapi/linux/tcp.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { SOCK_RCVBUF_LOCK, SOCK_SNDBUF_LOCK, type sock } from '../core/sock.ts';
import { sk_memory_allocated, sk_prot_mem_limits, sk_under_memory_pressure } from '../core/sock_mem.ts';
import { tcp_sndbuf_expand } from './tcp_input_ack.ts';
import { tcp_set_window_clamp } from './tcp_recvmsg.ts';
import {
	before,
	CA_EVENT_ECN_IS_CE,
	CA_EVENT_ECN_NO_CE,
	ICSK_ACK_NOW,
	ICSK_ACK_PUSHED,
	ICSK_ACK_PUSHED2,
	inet_csk_exit_pingpong_mode,
	inet_csk_in_pingpong_mode,
	inet_csk_schedule_ack,
	TCP_ATO_MIN,
	TCP_CONG_NEEDS_ECN,
	TCP_ECN_DEMAND_CWR,
	TCP_ECN_MODE_RFC3168,
	TCP_ECN_QUEUE_CWR,
	TCP_ECN_SEEN,
	TCP_INIT_CWND,
	TCP_MAX_QUICKACKS,
	TCP_MIN_MSS,
	TCP_RMEM_TO_WIN_SCALE,
	TCP_SKB_CB,
	tcp_ca_event,
	tcp_full_space,
	tcp_jiffies32,
	tcp_mstamp_refresh,
	tcp_sk,
	type tcp_sock,
	tcp_space,
	tcp_space_from_win,
	tcp_stamp_us_delta,
	tcp_time_stamp_ts,
	tcp_win_from_space,
} from './tcp_sock.ts';

/** What a peer that says no MSS may be sent (RFC 9293 3.7.1). */
const TCP_MSS_DEFAULT = 536;

// ---- the peer's segments ---------------------------------------------------------------------------------------------------------

/** Payload of the segments that the packet is made of. */
function segment_len(skb: sk_buff): number {
	const gso = skb.shinfo.gso_size;
	return gso !== 0 ? gso : skb.len;
}

/** Learns the peer's MSS from a segment (header pulled), and what part of the buffer's memory is payload. Borrows skb. */
export function tcp_measure_rcv_mss(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const lss = tp.icsk_ack_last_seg_size;
	tp.icsk_ack_last_seg_size = 0;
	let len = segment_len(skb);
	if (len >= tp.icsk_ack_rcv_mss) {
		if (len !== tp.icsk_ack_rcv_mss) update_scaling_ratio(sk, tp, skb);
		tp.icsk_ack_rcv_mss = Math.min(len, tp.advmss);
		// A full segment with PSH ends what the peer's process wrote: it may be waiting.
		if ((TCP_SKB_CB(skb).tcp_flags & TCPHDR_PSH) !== 0) tp.icsk_ack_pending |= ICSK_ACK_PUSHED;
		return;
	}
	// Options come and go (SACK), header and data together do not.
	len += skb.data - skb.transport_header;
	const flags = TCP_SKB_CB(skb).tcp_flags;
	if (
		len >= TCP_MSS_DEFAULT + 20 ||
		// A segment that ends nothing is full-sized, however small.
		(len >= TCP_MIN_MSS + 20 && (flags & (TCPHDR_FIN | TCPHDR_URG | TCPHDR_SYN | TCPHDR_PSH)) === 0)
	) {
		len -= tp.tcp_header_len;
		tp.icsk_ack_last_seg_size = len;
		if (len === lss) {
			tp.icsk_ack_rcv_mss = len;
			return;
		}
	}
	if ((tp.icsk_ack_pending & ICSK_ACK_PUSHED) !== 0) tp.icsk_ack_pending |= ICSK_ACK_PUSHED2;
	tp.icsk_ack_pending |= ICSK_ACK_PUSHED;
}

function update_scaling_ratio(sk: sock, tp: tcp_sock, skb: sk_buff): void {
	const ratio = Math.floor((skb.len << TCP_RMEM_TO_WIN_SCALE) / skb.truesize);
	const old = tp.scaling_ratio;
	tp.scaling_ratio = ratio === 0 ? 1 : Math.min(ratio, 255);
	if (tp.scaling_ratio === old) return;
	tcp_set_window_clamp(sk, tcp_win_from_space(tp, sk.sk_rcvbuf));
	if (tp.window_clamp < tp.rcvq_space_space) tp.rcvq_space_space = tp.window_clamp;
}

/** A first guess of the peer's MSS. */
export function tcp_initialize_rcv_mss(sk: sock): void {
	const tp = tcp_sk(sk);
	const hint = Math.min(tp.advmss, tp.mss_cache, Math.floor(tp.rcv_wnd / 2), TCP_MSS_DEFAULT);
	tp.icsk_ack_rcv_mss = Math.max(hint, TCP_MIN_MSS);
}

// ---- quick ACKs --------------------------------------------------------------------------------------------------------------------

/** As many quick ACKs as half the window has segments, at most `max_quickacks`. */
function tcp_incr_quickack(tp: tcp_sock, max_quickacks: number): void {
	let quickacks = Math.floor(tp.rcv_wnd / (2 * tp.icsk_ack_rcv_mss));
	if (quickacks === 0) quickacks = 2;
	if (quickacks > max_quickacks) quickacks = max_quickacks;
	if (quickacks > tp.icsk_ack_quick) tp.icsk_ack_quick = quickacks;
}

export function tcp_enter_quickack_mode(sk: sock, max_quickacks: number): void {
	const tp = tcp_sk(sk);
	tcp_incr_quickack(tp, max_quickacks);
	inet_csk_exit_pingpong_mode(sk);
	tp.icsk_ack_ato = TCP_ATO_MIN;
}

/** Whether each segment is acknowledged at once: the route says so, or quick ACKs are left and the process does not answer. */
export function tcp_in_quickack_mode(sk: sock): boolean {
	const tp = tcp_sk(sk);
	return tp.icsk_ack_dst_quick_ack !== 0 || (tp.icsk_ack_quick !== 0 && !inet_csk_in_pingpong_mode(sk));
}

// ---- ECN ---------------------------------------------------------------------------------------------------------------------------

/** The peer is to be told that the window was halved. */
export function tcp_ecn_queue_cwr(tp: tcp_sock): void {
	if ((tp.ecn_flags & TCP_ECN_MODE_RFC3168) !== 0) tp.ecn_flags |= TCP_ECN_QUEUE_CWR;
}

/** The peer slowed down: no more echoes. Its window may be one segment, so the ACK may not wait. */
export function tcp_ecn_accept_cwr(sk: sock, skb: sk_buff): void {
	const cb = TCP_SKB_CB(skb);
	const tp = tcp_sk(sk);
	if ((cb.tcp_flags & TCPHDR_CWR) === 0 || (tp.ecn_flags & TCP_ECN_MODE_RFC3168) === 0) return;
	tp.ecn_flags &= ~TCP_ECN_DEMAND_CWR;
	if (cb.seq !== cb.end_seq) tp.icsk_ack_pending |= ICSK_ACK_NOW;
}

export function tcp_ecn_withdraw_cwr(tp: tcp_sock): void {
	tp.ecn_flags &= ~TCP_ECN_QUEUE_CWR;
}

/** What the routers wrote on a segment with data (RFC 3168 6.1.3). */
export function tcp_data_ecn_check(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	if ((tp.ecn_flags & TCP_ECN_MODE_RFC3168) === 0) return;
	const ecn = TCP_SKB_CB(skb).ip_dsfield & 3;
	if (ecn === 0) {
		// Retransmissions bear no ECT: an ACK was lost, or worse.
		if ((tp.ecn_flags & TCP_ECN_SEEN) !== 0) tcp_enter_quickack_mode(sk, 2);
		return;
	}
	const tell = (tp.icsk_ca_ops.flags & TCP_CONG_NEEDS_ECN) !== 0;
	if (ecn === 3) {
		if (tell) tcp_ca_event(sk, CA_EVENT_ECN_IS_CE);
		if ((tp.ecn_flags & TCP_ECN_DEMAND_CWR) === 0) {
			tcp_enter_quickack_mode(sk, 2);
			tp.ecn_flags |= TCP_ECN_DEMAND_CWR;
		}
	} else if (tell) tcp_ca_event(sk, CA_EVENT_ECN_NO_CE);
	tp.ecn_flags |= TCP_ECN_SEEN;
}

/** Counts what routers wrote on any segment; `len`: bytes of payload. Without ECN of RFC 3168 it is seen here. */
export function tcp_ecn_received_counters(tp: tcp_sock, skb: sk_buff, len: number): void {
	const ecn = TCP_SKB_CB(skb).ip_dsfield & 3;
	if (ecn === 0) return;
	if ((tp.ecn_flags & TCP_ECN_MODE_RFC3168) === 0) tp.ecn_flags |= TCP_ECN_SEEN;
	if (ecn === 3) tp.received_ce = (tp.received_ce + Math.max(1, skb.shinfo.gso_segs)) >>> 0;
	if (ecn === 1) tp.received_e1_bytes = (tp.received_e1_bytes + len) >>> 0;
	else if (ecn === 2) tp.received_e0_bytes = (tp.received_e0_bytes + len) >>> 0;
	else tp.received_ce_bytes = (tp.received_ce_bytes + len) >>> 0;
}

/** A SYN-ACK agrees to ECN by ECE without CWR (RFC 3168 6.1.1). */
export function tcp_ecn_rcv_synack(tp: tcp_sock, tcp_flags: number): void {
	if ((tcp_flags & (TCPHDR_ECE | TCPHDR_CWR)) !== TCPHDR_ECE) tp.ecn_flags &= ~TCP_ECN_MODE_RFC3168;
}

/** A crossing SYN asks for ECN by both. */
export function tcp_ecn_rcv_syn(tp: tcp_sock, tcp_flags: number): void {
	if ((tcp_flags & (TCPHDR_ECE | TCPHDR_CWR)) !== (TCPHDR_ECE | TCPHDR_CWR)) tp.ecn_flags &= ~TCP_ECN_MODE_RFC3168;
}

/** Whether the ACK echoes congestion (ECE without SYN, ECN agreed). */
export function tcp_ecn_rcv_ecn_echo(tp: tcp_sock, tcp_flags: number): boolean {
	return (tcp_flags & (TCPHDR_ECE | TCPHDR_SYN)) === TCPHDR_ECE && (tp.ecn_flags & TCP_ECN_MODE_RFC3168) !== 0;
}

// ---- the window --------------------------------------------------------------------------------------------------------------------

/** Memory that the segment is charged, without its head where its data can be moved to another (`adjust`). */
function truesize_adjust(adjust: boolean, skb: sk_buff): number {
	if (!adjust || skb.len !== skb.data_len) return skb.truesize;
	const truesize = skb.truesize - Math.max(0, skb.truesize - skb.data_len);
	return truesize < skb.len ? skb.truesize : truesize;
}

/** A segment bad in proportion of payload: grows while even a share of the largest buffer would hold such. */
function __tcp_grow_window(sk: sock, tp: tcp_sock, skb: sk_buff, skbtruesize: number): number {
	let truesize = tcp_win_from_space(tp, skbtruesize) >> 1;
	let window = tcp_win_from_space(tp, sk.net.ipv4.sysctl_tcp_rmem[2]) >> 1;
	while (tp.rcv_ssthresh <= window) {
		if (truesize <= skb.len) return 2 * tp.icsk_ack_rcv_mss;
		truesize >>= 1;
		window >>= 1;
	}
	return 0;
}

/** Under memory pressure the window stays at four segments. */
export function tcp_adjust_rcv_ssthresh(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.rcv_ssthresh = Math.min(tp.rcv_ssthresh, 4 * tp.advmss);
}

/** Lets the window open further, as far as segments like this one will fit into the buffer. */
export function tcp_grow_window(sk: sock, skb: sk_buff, adjust: boolean): void {
	const tp = tcp_sk(sk);
	const room = Math.min(tp.window_clamp, tcp_space(sk)) - tp.rcv_ssthresh;
	if (room <= 0) return;
	if (sk_under_memory_pressure(sk)) {
		tcp_adjust_rcv_ssthresh(sk);
		return;
	}
	const truesize = truesize_adjust(adjust, skb);
	let incr = tcp_win_from_space(tp, truesize) <= skb.len ? 2 * tp.advmss : __tcp_grow_window(sk, tp, skb, truesize);
	if (incr === 0) return;
	if (incr < 2 * skb.len) incr = 2 * skb.len;
	tp.rcv_ssthresh += Math.min(room, incr);
	tp.icsk_ack_quick |= 1;
}

/** The buffers of a connection that begins. */
export function tcp_init_buffer_space(sk: sock): void {
	const tp = tcp_sk(sk);
	const app_win = sk.net.ipv4.sysctl_tcp_app_win;
	if ((sk.sk_userlocks & SOCK_SNDBUF_LOCK) === 0) tcp_sndbuf_expand(sk);
	tcp_mstamp_refresh(tp);
	tp.rcvq_space_time = tp.tcp_mstamp;
	tp.rcvq_space_seq = tp.copied_seq;
	const maxwin = tcp_full_space(sk);
	if (tp.window_clamp >= maxwin) {
		tp.window_clamp = maxwin;
		if (app_win !== 0 && maxwin > 4 * tp.advmss) {
			tp.window_clamp = Math.max(maxwin - (maxwin >>> app_win), 4 * tp.advmss);
		}
	}
	// One segment stays in hand.
	if (app_win !== 0 && tp.window_clamp > 2 * tp.advmss && tp.window_clamp + tp.advmss > maxwin)
		tp.window_clamp = Math.max(2 * tp.advmss, maxwin - tp.advmss);
	tp.rcv_ssthresh = Math.min(tp.rcv_ssthresh, tp.window_clamp);
	tp.snd_cwnd_stamp = tcp_jiffies32(sk);
	tp.rcvq_space_space = Math.min(tp.rcv_ssthresh, tp.rcv_wnd, TCP_INIT_CWND * tp.advmss);
}

/** The buffer is full: it grows as far as it may, or the window shrinks to two segments. */
export function tcp_clamp_window(sk: sock): void {
	const tp = tcp_sk(sk);
	const rmem2 = sk.net.ipv4.sysctl_tcp_rmem[2];
	tp.icsk_ack_quick = 0;
	if (
		sk.sk_rcvbuf < rmem2 &&
		(sk.sk_userlocks & SOCK_RCVBUF_LOCK) === 0 &&
		!sk_under_memory_pressure(sk) &&
		sk_memory_allocated(sk) < sk_prot_mem_limits(sk, 0)
	)
		sk.sk_rcvbuf = Math.min(sk.sk_rmem_alloc, rmem2);
	if (sk.sk_rmem_alloc > sk.sk_rcvbuf) tp.rcv_ssthresh = Math.min(tp.window_clamp, 2 * tp.advmss);
}

// ---- the receiver's round trip -------------------------------------------------------------------------------------------------------

/** `sample`: us. `win_dep`: measured by a window's worth of data, which is at most an upper bound. */
function tcp_rcv_rtt_update(tp: tcp_sock, sample: number, win_dep: boolean): void {
	const old = tp.rcv_rtt_est_rtt_us;
	const m = sample * 8;
	if (old === 0 || m < old) {
		tp.rcv_rtt_est_rtt_us = m;
		return;
	}
	if (win_dep) return;
	// A process that has not read everything holds the window, and the round trip with it.
	if (tp.rcv_nxt !== tp.copied_seq) return;
	tp.rcv_rtt_est_rtt_us = old - Math.floor(old / 8) + sample;
}

/** Without time stamps: how long a window takes to arrive. */
export function tcp_rcv_rtt_measure(tp: tcp_sock): void {
	if (tp.rcv_rtt_est_time !== 0) {
		if (before(tp.rcv_nxt, tp.rcv_rtt_est_seq)) return;
		const delta_us = tcp_stamp_us_delta(tp.tcp_mstamp, tp.rcv_rtt_est_time);
		tcp_rcv_rtt_update(tp, delta_us === 0 ? 1 : delta_us, true);
	}
	tp.rcv_rtt_est_seq = (tp.rcv_nxt + tp.rcv_wnd) | 0;
	tp.rcv_rtt_est_time = tp.tcp_mstamp;
}

/** us since what the peer echoes was sent, -1 when that cannot be. `min_delta`: us for no time at all. */
export function tcp_rtt_tsopt_us(tp: tcp_sock, min_delta: number): number {
	const delta = (tcp_time_stamp_ts(tp) - tp.rx_opt.rcv_tsecr) | 0;
	if (tp.tcp_usec_ts) return delta;
	if (delta >>> 0 >= 2147483) return -1;
	return (delta === 0 ? min_delta : delta) * 1000;
}

/** With time stamps: what a full segment echoes. */
export function tcp_rcv_rtt_measure_ts(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	if (tp.rx_opt.rcv_tsecr === tp.rcv_rtt_last_tsecr) return;
	tp.rcv_rtt_last_tsecr = tp.rx_opt.rcv_tsecr;
	const cb = TCP_SKB_CB(skb);
	if (((cb.end_seq - cb.seq) | 0) < tp.icsk_ack_rcv_mss) return;
	const delta = tcp_rtt_tsopt_us(tp, 0);
	if (delta > 0) tcp_rcv_rtt_update(tp, delta, false);
}

// ---- the buffer ----------------------------------------------------------------------------------------------------------------------

/** `newval`: bytes that the process read in a round trip. Return: whether the buffer grew. */
export function tcp_rcvbuf_grow(sk: sock, newval: number): boolean {
	const tp = tcp_sk(sk);
	const oldval = tp.rcvq_space_space;
	tp.rcvq_space_space = newval;
	const ipv4 = sk.net.ipv4;
	if (ipv4.sysctl_tcp_moderate_rcvbuf === 0 || (sk.sk_userlocks & SOCK_RCVBUF_LOCK) !== 0) return false;
	// The measure is a round trip old, and the sender may be doubling.
	let rcvwin = newval * 2;
	if (oldval !== 0) rcvwin += Math.floor((rcvwin * (newval - oldval)) / oldval) * 2;
	const ooo_last = tp.out_of_order_queue.last;
	if (ooo_last !== null) rcvwin += (TCP_SKB_CB(ooo_last).end_seq - tp.rcv_nxt) | 0;
	const rcvbuf = Math.min(tcp_space_from_win(tp, rcvwin), ipv4.sysctl_tcp_rmem[2]);
	if (rcvbuf <= sk.sk_rcvbuf) return false;
	sk.sk_rcvbuf = rcvbuf;
	tp.window_clamp = tcp_win_from_space(tp, rcvbuf);
	return true;
}

/** The process read (copied_seq moved): once a round trip, whether its appetite asks for more room. */
export function tcp_rcv_space_adjust(sk: sock): void {
	const tp = tcp_sk(sk);
	tcp_mstamp_refresh(tp);
	const time = tcp_stamp_us_delta(tp.tcp_mstamp, tp.rcvq_space_time);
	const rtt_us = tp.rcv_rtt_est_rtt_us;
	if (rtt_us === 0 || time < Math.floor(rtt_us / 8)) return;
	const copied = (tp.copied_seq - tp.rcvq_space_seq) | 0;
	const inq = (tp.rcv_nxt - tp.copied_seq) | 0;
	if (copied - inq > tp.rcvq_space_space) tcp_rcvbuf_grow(sk, copied - inq);
	tp.rcvq_space_seq = tp.copied_seq;
	tp.rcvq_space_time = tp.tcp_mstamp;
}

// ---- data arrived ----------------------------------------------------------------------------------------------------------------------

/** What each segment with data tells of the peer and the path. skb: header pulled; borrowed. */
export function tcp_event_data_recv(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	inet_csk_schedule_ack(sk);
	tcp_measure_rcv_mss(sk, skb);
	tcp_rcv_rtt_measure(tp);
	const now = tcp_jiffies32(sk);
	if (tp.icsk_ack_ato === 0) {
		// The first of them: the peer is in slow start and wants to hear of each.
		tcp_incr_quickack(tp, TCP_MAX_QUICKACKS);
		tp.icsk_ack_ato = TCP_ATO_MIN;
	} else {
		const m = now - tp.icsk_ack_lrcvtime;
		if (m <= TCP_ATO_MIN / 2) tp.icsk_ack_ato = (tp.icsk_ack_ato >> 1) + TCP_ATO_MIN / 2;
		else if (m < tp.icsk_ack_ato) tp.icsk_ack_ato = Math.min((tp.icsk_ack_ato >> 1) + m, tp.icsk_rto);
		// After a pause the peer's window is small again.
		else if (m > tp.icsk_rto) tcp_incr_quickack(tp, TCP_MAX_QUICKACKS);
	}
	tp.icsk_ack_lrcvtime = now;
	tcp_data_ecn_check(sk, skb);
	if (skb.len >= 128) tcp_grow_window(sk, skb, true);
}
