/*
 * net/ipv4/tcp_rate.ts: how fast data are delivered.               Linux: net/ipv4/tcp_rate.c
 *
 * Walk: tcp_rate_skb_sent (a segment leaves: notes what is delivered so far) -> tcp_rate_skb_delivered (it is acknowledged: the most recently
 *       sent one makes the sample) -> tcp_rate_gen (the ACK is done: delivered over the longer of send and ACK time)
 *       tcp_rate_check_app_limited: the process, not the network, is what limits.
 * draft-cheng-iccrg-delivery-rate-estimation-02 3.1 to 3.5.
 */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import {
	after,
	type rate_sample,
	TCP_SKB_CB,
	TCPCB_RETRANS,
	TCPCB_SACKED_ACKED,
	tcp_min_rtt,
	tcp_packets_in_flight,
	tcp_sk,
	tcp_skb_sent_after,
	tcp_skb_timestamp_us,
	tcp_stamp_us_delta,
} from './tcp_sock.ts';

/** What an empty packet takes of memory in Linux: SKB_TRUESIZE(1). */
const SKB_TRUESIZE_1 = 577;

/** A segment leaves. */
export function tcp_rate_skb_sent(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	// With nothing in flight the sample begins now, else with the last ACK.
	if (tp.packets_out === 0) {
		const us = tcp_skb_timestamp_us(skb);
		tp.first_tx_mstamp = us;
		tp.delivered_mstamp = us;
	}
	cb.first_tx_mstamp = tp.first_tx_mstamp;
	cb.delivered_mstamp = tp.delivered_mstamp;
	cb.delivered = tp.delivered;
	cb.delivered_ce = tp.delivered_ce;
	cb.is_app_limited = tp.app_limited !== 0;
}

/** A segment was acknowledged or sacked: the one sent last says where this ACK's sample begins. */
export function tcp_rate_skb_delivered(sk: sock, skb: sk_buff, rs: rate_sample): void {
	const cb = TCP_SKB_CB(skb);
	if (cb.delivered_mstamp < 0) return;
	const tp = tcp_sk(sk);
	const tx = tcp_skb_timestamp_us(skb);
	if (rs.prior_delivered === 0 || tcp_skb_sent_after(tx, tp.first_tx_mstamp, cb.end_seq, rs.last_end_seq)) {
		rs.prior_delivered_ce = cb.delivered_ce;
		rs.prior_delivered = cb.delivered;
		rs.prior_mstamp = cb.delivered_mstamp;
		rs.is_app_limited = cb.is_app_limited;
		rs.is_retrans = (cb.sacked & TCPCB_RETRANS) !== 0;
		rs.last_end_seq = cb.end_seq;
		tp.first_tx_mstamp = tx;
		rs.interval_us = tcp_stamp_us_delta(tx, cb.first_tx_mstamp);
	}
	// A sacked segment counts once, not again when the cumulative ACK reaches it.
	if ((cb.sacked & TCPCB_SACKED_ACKED) !== 0) cb.delivered_mstamp = -1;
}

/** The ACK is done: completes the sample. `delivered` and `lost`: segments by this ACK. */
export function tcp_rate_gen(sk: sock, delivered: number, lost: number, is_sack_reneg: boolean, rs: rate_sample): void {
	const tp = tcp_sk(sk);
	if (tp.app_limited !== 0 && after(tp.delivered, tp.app_limited)) tp.app_limited = 0;
	if (delivered !== 0) tp.delivered_mstamp = tp.tcp_mstamp;
	rs.acked_sacked = delivered;
	rs.losses = lost;
	if (rs.prior_mstamp < 0 || is_sack_reneg) {
		rs.delivered = -1;
		rs.interval_us = -1;
		return;
	}
	rs.delivered = tp.delivered - rs.prior_delivered;
	rs.delivered_ce = tp.delivered_ce - rs.prior_delivered_ce;
	// 3.1.3: the slower of both phases, so that neither ACK nor send compression makes the rate too high.
	const snd_us = rs.interval_us;
	const ack_us = tcp_stamp_us_delta(tp.tcp_mstamp, rs.prior_mstamp);
	rs.interval_us = Math.max(snd_us, ack_us);
	rs.snd_interval_us = snd_us;
	rs.rcv_interval_us = ack_us;
	// Nothing is delivered in less than the least RTT: such a sample is of a retransmission taken for the original.
	if (rs.interval_us < tcp_min_rtt(tp)) {
		rs.interval_us = -1;
		return;
	}
	if (!rs.is_app_limited || rs.delivered * tp.rate_interval_us >= tp.rate_delivered * rs.interval_us) {
		tp.rate_delivered = rs.delivered;
		tp.rate_interval_us = rs.interval_us;
		tp.rate_app_limited = rs.is_app_limited;
	}
}

/** The process has nothing more to send, nothing waits in the host, and the window is open: samples say less from here on. */
export function tcp_rate_check_app_limited(sk: sock): void {
	const tp = tcp_sk(sk);
	if (
		((tp.write_seq - tp.snd_nxt) | 0) < tp.mss_cache &&
		sk.sk_wmem_alloc < SKB_TRUESIZE_1 &&
		tcp_packets_in_flight(tp) < tp.snd_cwnd &&
		tp.lost_out <= tp.retrans_out
	)
		tp.app_limited = tp.delivered + tcp_packets_in_flight(tp) || 1;
}
