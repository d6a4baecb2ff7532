/*
 * net/ipv4/tcp_output_rtx.ts: segments go again; probes of a closed window.      Linux: net/ipv4/tcp_output.c
 *
 * Walk: tcp_xmit_retransmit_queue (what is marked lost, as cwnd allows), the RTO and the loss probe -> tcp_retransmit_skb -> __tcp_retransmit_skb:
 *       what was acknowledged meanwhile is cut off, small neighbours are joined (tcp_retrans_try_collapse), tcp_transmit_skb.
 *       tcp_send_probe0 -> tcp_write_wakeup -> tcp_xmit_probe_skb: the peer's window is closed and nothing is in flight.
 * RFC 9293 3.8.1, 3.8.6.1 (probes); RFC 6675 5 (what to send next); RFC 3168 6.1.1.1.
 */
import { trace_event } from '../../kernel/trace.ts';
import { EAGAIN, EBUSY, EHOSTUNREACH, EINVAL, ENOMEM } from '../../uapi/asm-generic/errno.ts';
import {
	LINUX_MIB_TCPFASTRETRANS,
	LINUX_MIB_TCPRETRANSFAIL,
	LINUX_MIB_TCPSLOWSTARTRETRANS,
	LINUX_MIB_TCPSPURIOUSRTXHOSTQUEUES,
	LINUX_MIB_TCPSYNRETRANS,
	LINUX_MIB_TCPWINPROBE,
	TCP_MIB_RETRANSSEGS,
} from '../../uapi/linux/snmp.ts';
import { TCP_CA_Loss, TCPHDR_ACK, TCPHDR_PSH, TCPHDR_SYN, TCPHDR_SYN_ECN } from '../../uapi/linux/tcp.ts';
import { consume_skb, type sk_buff, skb_cloned } from '../core/skbuff.ts';
import { skb_shift, skb_unclone } from '../core/skbuff_frags.ts';
import { __skb_unlink } from '../core/skbuff_queue.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import { type sock, TCP_CLOSE, TCP_ESTABLISHED } from '../core/sock.ts';
import { sk_mem_uncharge } from '../core/sock_mem.ts';
import { sk_wmem_queued_add } from '../core/stream.ts';
import { tcp_highest_sack_replace } from './tcp_input_sack.ts';
import { tcp_alloc_nondata, tcp_current_mss, tcp_init_nondata_skb, tcp_transmit_skb } from './tcp_output.ts';
import { tcp_ecn_clear_syn } from './tcp_output_options.ts';
import {
	TCP_FRAG_IN_RTX_QUEUE,
	TCP_FRAG_IN_WRITE_QUEUE,
	tcp_adjust_pcount,
	tcp_event_new_data_sent,
	tcp_fragment,
	tcp_pacing_check,
	tcp_reset_xmit_timer,
	tcp_set_skb_tso_segs,
	tcp_small_queue_check,
	tcp_trim_head,
	tcp_tso_segs,
} from './tcp_output_xmit.ts';
import {
	after,
	before,
	between,
	ICSK_TIME_PROBE0,
	ICSK_TIME_REO_TIMEOUT,
	ICSK_TIME_RETRANS,
	TCP_RESOURCE_PROBE_INTERVAL,
	TCP_SKB_CB,
	TCPCB_EVER_RETRANS,
	TCPCB_LOST,
	TCPCB_RETRANS,
	TCPCB_SACKED_ACKED,
	TCPCB_SACKED_RETRANS,
	TSQ_THROTTLED,
	tcp_in_cwnd_reduction,
	tcp_mstamp_refresh,
	tcp_packets_in_flight,
	tcp_probe0_when,
	tcp_rto_max,
	tcp_send_head,
	tcp_sk,
	tcp_skb_timestamp_ts,
	tcp_tsorted_del,
	tcp_wnd_end,
	tcp_write_queue_empty,
} from './tcp_sock.ts';
import { tcp_clamp_probe0_to_user_timeout } from './tcp_timer.ts';

// ---- queues ----------------------------------------------------------------------------------------------------------------------

/** Pays the segment's memory back and frees it. */
export function tcp_wmem_free_skb(sk: sock, skb: sk_buff): void {
	sk_wmem_queued_add(sk, -skb.truesize);
	sk_mem_uncharge(sk, skb.truesize);
	TCP_SKB_CB(skb).fclone = null;
	consume_skb(skb);
}

/** Takes a segment out of the retransmission queue, and of the order of transmission. */
export function tcp_rtx_queue_unlink(skb: sk_buff, sk: sock): void {
	const tp = tcp_sk(sk);
	tcp_tsorted_del(tp, skb);
	__skb_unlink(skb, tp.tcp_rtx_queue);
}

export function tcp_rtx_queue_unlink_and_free(skb: sk_buff, sk: sock): void {
	tcp_rtx_queue_unlink(skb, sk);
	tcp_wmem_free_skb(sk, skb);
}

export function tcp_unlink_write_queue(skb: sk_buff, sk: sock): void {
	__skb_unlink(skb, sk.sk_write_queue);
}

/** Whether the segment's last transmission has not left this host yet. Then it need not go again; its end wakes the sender. */
export function skb_still_in_host_queue(sk: sock, skb: sk_buff): boolean {
	const f = TCP_SKB_CB(skb).fclone;
	if (f === null || f.sk !== sk || f.shinfo !== skb.shinfo || f === skb) return false;
	tcp_sk(sk).sk_tsq_flags |= 1 << TSQ_THROTTLED;
	NET_INC_STATS(sk.net, LINUX_MIB_TCPSPURIOUSRTXHOSTQUEUES);
	return true;
}

// ---- joining ---------------------------------------------------------------------------------------------------------------------

/** Whether `from`'s data may follow `to`'s in one segment. */
export function tcp_skb_can_collapse(to: sk_buff, _from: sk_buff): boolean {
	return !TCP_SKB_CB(to).eor;
}

/** `next` becomes part of `skb`: whoever waits for its time stamp waits for skb's. */
export function tcp_skb_collapse_tstamp(skb: sk_buff, next: sk_buff): void {
	if (TCP_SKB_CB(next).txstamp_ack) TCP_SKB_CB(skb).txstamp_ack = true;
}

/** Joins `skb` with the one behind it. Return: false when its data cannot be moved. */
function tcp_collapse_retrans(sk: sock, skb: sk_buff): boolean {
	const tp = tcp_sk(sk);
	const next = skb.next!;
	const cb = TCP_SKB_CB(skb);
	const n = TCP_SKB_CB(next);
	const next_size = next.len;
	const pcount = n.tcp_gso_segs;
	if (next_size > 0 && skb_shift(skb, next, next_size) === 0) return false;
	// skb_shift moved what next was charged for its bytes.
	tcp_highest_sack_replace(sk, next, skb);
	cb.end_seq = n.end_seq;
	cb.tcp_flags |= n.tcp_flags;
	cb.sacked |= n.sacked & TCPCB_EVER_RETRANS;
	cb.eor = n.eor;
	if (tp.retransmit_skb_hint === next) tp.retransmit_skb_hint = skb;
	if (tp.lost_skb_hint === next) tp.lost_skb_hint = skb;
	tcp_adjust_pcount(sk, next, pcount);
	tcp_skb_collapse_tstamp(skb, next);
	tcp_rtx_queue_unlink_and_free(next, sk);
	return true;
}

function tcp_can_collapse(skb: sk_buff): boolean {
	const cb = TCP_SKB_CB(skb);
	return cb.tcp_gso_segs <= 1 && !skb_cloned(skb) && (cb.sacked & TCPCB_SACKED_ACKED) === 0;
}

/** Fills a small segment up with those behind it, to `space` bytes: fewer packets bring the same. */
function tcp_retrans_try_collapse(sk: sock, to: sk_buff, space: number): void {
	const tp = tcp_sk(sk);
	if (sk.net.ipv4.sysctl_tcp_retrans_collapse === 0) return;
	if ((TCP_SKB_CB(to).tcp_flags & TCPHDR_SYN) !== 0) return;
	if (!tcp_can_collapse(to)) return;
	space -= to.len;
	for (let skb = to.next; skb !== null; skb = to.next) {
		if (!tcp_can_collapse(skb) || !tcp_skb_can_collapse(to, skb)) return;
		space -= skb.len;
		if (space < 0 || after(TCP_SKB_CB(skb).end_seq, tcp_wnd_end(tp))) return;
		if (!tcp_collapse_retrans(sk, to)) return;
	}
}

// ---- retransmission --------------------------------------------------------------------------------------------------------------

/** Takes off what was acknowledged: a whole SYN, or bytes. Return: 0 or -errno. */
function trim_acknowledged(sk: sock, skb: sk_buff): number {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	if (!before(cb.seq, tp.snd_una)) return 0;
	if ((cb.tcp_flags & TCPHDR_SYN) !== 0) {
		cb.tcp_flags &= ~TCPHDR_SYN;
		cb.seq = (cb.seq + 1) | 0;
		if (!before(cb.seq, tp.snd_una)) return 0;
	}
	if (before(cb.end_seq, tp.snd_una)) return -EINVAL;
	return tcp_trim_head(sk, skb, (tp.snd_una - cb.seq) | 0) < 0 ? -ENOMEM : 0;
}

/** Sends a segment again, at most `segs` packets of it. Return: 0, positive for congestion of this host, or -errno. */
export function __tcp_retransmit_skb(sk: sock, skb: sk_buff, segs: number): number {
	const tp = tcp_sk(sk);
	const n = sk.net;
	const cb = TCP_SKB_CB(skb);
	// RFC 4821 7.6.3: a loss now tells nothing of the probe.
	tp.icsk_mtup_probe_size = 0;
	if (skb_still_in_host_queue(sk, skb)) return -EBUSY;
	let err = trim_acknowledged(sk, skb);
	if (err < 0) return err;
	if (tp.icsk_af_ops.rebuild_header(sk) !== 0) return -EHOSTUNREACH;
	const cur_mss = tcp_current_mss(sk);
	let avail_wnd = (tcp_wnd_end(tp) - cb.seq) | 0;
	if (avail_wnd <= 0) {
		// The peer shrank its window; the first segment goes all the same, as a probe of it.
		if (cb.seq !== tp.snd_una) return -EAGAIN;
		avail_wnd = cur_mss;
	}
	let len = cur_mss * segs;
	if (len > avail_wnd) {
		len = avail_wnd - (avail_wnd % cur_mss);
		if (len === 0) len = avail_wnd;
	}
	if (skb.len > len) {
		if (tcp_fragment(sk, TCP_FRAG_IN_RTX_QUEUE, skb, len, cur_mss) < 0) return -ENOMEM;
	} else {
		if (skb_unclone(skb) < 0) return -ENOMEM;
		const old = cb.tcp_gso_segs;
		const diff = old - tcp_set_skb_tso_segs(skb, cur_mss);
		if (diff !== 0) tcp_adjust_pcount(sk, skb, diff);
		avail_wnd = Math.min(avail_wnd, cur_mss);
		if (skb.len < avail_wnd) tcp_retrans_try_collapse(sk, skb, avail_wnd);
	}
	if ((cb.tcp_flags & TCPHDR_SYN_ECN) === TCPHDR_SYN_ECN) tcp_ecn_clear_syn(sk, skb);
	segs = cb.tcp_gso_segs;
	n.mib.tcp_statistics[TCP_MIB_RETRANSSEGS] += segs;
	if ((cb.tcp_flags & TCPHDR_SYN) !== 0) NET_INC_STATS(n, LINUX_MIB_TCPSYNRETRANS);
	tp.total_retrans += segs;
	tp.bytes_retrans += skb.len;
	if (skb.journey !== null) tcp_trace_retransmit(sk, skb);
	err = tcp_transmit_skb(sk, skb, true);
	if (err !== 0 && err !== -EBUSY) n.mib.net_statistics[LINUX_MIB_TCPRETRANSFAIL] += segs;
	// Whether it went or not: no RTT may be taken from it (Karn).
	cb.sacked |= TCPCB_EVER_RETRANS;
	return err;
}

/** Why a segment goes again, on its journey. */
function tcp_trace_retransmit(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const why = tp.icsk_ca_state === TCP_CA_Loss ? 'rto' : (cb.sacked & TCPCB_LOST) !== 0 ? 'fast' : 'tlp';
	trace_event(skb, 'note', 'tcp_retransmit_skb', {
		why: (cb.tcp_flags & TCPHDR_SYN) !== 0 ? 'syn' : why,
		seq: cb.seq >>> 0,
		len: skb.len,
		rto_ms: tp.icsk_rto * 4,
		retransmits: tp.icsk_retransmits,
	});
}

/** __tcp_retransmit_skb, and what recovery counts. */
export function tcp_retransmit_skb(sk: sock, skb: sk_buff, segs: number): number {
	const tp = tcp_sk(sk);
	const err = __tcp_retransmit_skb(sk, skb, segs);
	const cb = TCP_SKB_CB(skb);
	if (err === 0) {
		cb.sacked |= TCPCB_RETRANS;
		tp.retrans_out += cb.tcp_gso_segs;
	}
	// When it began, for time outs and to see whether it was needless.
	if (tp.retrans_stamp === 0) tp.retrans_stamp = tcp_skb_timestamp_ts(tp.tcp_usec_ts, skb);
	if (tp.undo_retrans < 0) tp.undo_retrans = 0;
	tp.undo_retrans += cb.tcp_gso_segs;
	return err;
}

/** Sends what is marked lost, from the front, as much as cwnd allows. */
export function tcp_xmit_retransmit_queue(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.packets_out === 0) return;
	const mib = sk.net.mib.net_statistics;
	const head = tp.tcp_rtx_queue.first;
	const max_segs = tcp_tso_segs(sk, tcp_current_mss(sk));
	let rearm_timer = false;
	let hole: sk_buff | null = null;
	for (let skb = tp.retransmit_skb_hint ?? head; skb !== null; skb = skb.next) {
		if (tcp_pacing_check(sk)) break;
		if (hole === null) tp.retransmit_skb_hint = skb;
		const cb = TCP_SKB_CB(skb);
		const segs = Math.min(tp.snd_cwnd - tcp_packets_in_flight(tp), max_segs);
		if (segs <= 0) break;
		const sacked = cb.sacked;
		if (tp.retrans_out >= tp.lost_out) break;
		if ((sacked & TCPCB_LOST) === 0) {
			if (hole === null && (sacked & (TCPCB_SACKED_RETRANS | TCPCB_SACKED_ACKED)) === 0) hole = skb;
			continue;
		}
		if ((sacked & (TCPCB_SACKED_ACKED | TCPCB_SACKED_RETRANS)) !== 0) continue;
		if (tcp_small_queue_check(sk, skb, 1)) break;
		if (tcp_retransmit_skb(sk, skb, segs) !== 0) break;
		mib[tp.icsk_ca_state !== TCP_CA_Loss ? LINUX_MIB_TCPFASTRETRANS : LINUX_MIB_TCPSLOWSTARTRETRANS] += cb.tcp_gso_segs;
		if (tcp_in_cwnd_reduction(sk)) tp.prr_out += cb.tcp_gso_segs;
		if (skb === head && tp.icsk_pending !== ICSK_TIME_REO_TIMEOUT) rearm_timer = true;
	}
	if (rearm_timer) tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, tp.icsk_rto, true);
}

// ---- zero-window probes and keepalives -------------------------------------------------------------------------------------------

/**
 * A segment that the peer must answer: without data, one before what it expects (`urgent`: right there, to tell of urgent data).
 */
function tcp_xmit_probe_skb(sk: sock, urgent: boolean, mib: number): number {
	const tp = tcp_sk(sk);
	const skb = tcp_alloc_nondata(sk);
	tcp_init_nondata_skb(skb, sk, (tp.snd_una - (urgent ? 0 : 1)) | 0, TCPHDR_ACK);
	NET_INC_STATS(sk.net, mib);
	return tcp_transmit_skb(sk, skb, false);
}

/** TCP_REPAIR is over: the peer is asked for its window. */
export function tcp_send_window_probe(sk: sock): void {
	const tp = tcp_sk(sk);
	if (sk.sk_state !== TCP_ESTABLISHED) return;
	tp.snd_wl1 = (tp.rcv_nxt - 1) | 0;
	tcp_mstamp_refresh(tp);
	tcp_xmit_probe_skb(sk, false, LINUX_MIB_TCPWINPROBE);
}

/** Asks the peer for an ACK: with what of the data its window takes, else without data. Return: 0, positive, or -errno. */
export function tcp_write_wakeup(sk: sock, mib: number): number {
	const tp = tcp_sk(sk);
	if (sk.sk_state === TCP_CLOSE) return -1;
	const skb = tcp_send_head(sk);
	if (skb !== null && before(TCP_SKB_CB(skb).seq, tcp_wnd_end(tp))) {
		const cb = TCP_SKB_CB(skb);
		const mss = tcp_current_mss(sk);
		let seg_size = (tcp_wnd_end(tp) - cb.seq) | 0;
		if (before(tp.pushed_seq, cb.end_seq)) tp.pushed_seq = cb.end_seq;
		// There is a window, only too small to have been used.
		if (seg_size < ((cb.end_seq - cb.seq) | 0) || skb.len > mss) {
			seg_size = Math.min(seg_size, mss);
			cb.tcp_flags |= TCPHDR_PSH;
			if (tcp_fragment(sk, TCP_FRAG_IN_WRITE_QUEUE, skb, seg_size, mss) < 0) return -1;
		} else if (cb.tcp_gso_segs === 0) tcp_set_skb_tso_segs(skb, mss);
		cb.tcp_flags |= TCPHDR_PSH;
		const err = tcp_transmit_skb(sk, skb, true);
		if (err === 0) tcp_event_new_data_sent(sk, skb);
		return err;
	}
	if (between(tp.snd_up, (tp.snd_una + 1) | 0, (tp.snd_una + 0xffff) | 0)) tcp_xmit_probe_skb(sk, true, mib);
	return tcp_xmit_probe_skb(sk, false, mib);
}

/** The zero-window probe's timer came: probe, and arm it again with a longer interval. */
export function tcp_send_probe0(sk: sock): void {
	const tp = tcp_sk(sk);
	const err = tcp_write_wakeup(sk, LINUX_MIB_TCPWINPROBE);
	if (tp.packets_out !== 0 || tcp_write_queue_empty(sk)) {
		// There was a window; the retransmission timer has it now.
		tp.icsk_probes_out = 0;
		tp.icsk_backoff = 0;
		tp.icsk_probes_tstamp = 0;
		return;
	}
	tp.icsk_probes_out++;
	let timeout = TCP_RESOURCE_PROBE_INTERVAL;
	if (err <= 0) {
		if (tp.icsk_backoff < sk.net.ipv4.sysctl_tcp_retries2) tp.icsk_backoff++;
		timeout = tcp_probe0_when(sk, tcp_rto_max(sk));
	}
	timeout = tcp_clamp_probe0_to_user_timeout(sk, timeout);
	tcp_reset_xmit_timer(sk, ICSK_TIME_PROBE0, timeout, true);
}
