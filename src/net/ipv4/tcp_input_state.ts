/*
 * net/ipv4/tcp_input_state.ts: a segment in a state other than ESTABLISHED: connections that begin and end.     Linux: net/ipv4/tcp_input.c
 *
 * Walk: tcp_rcv_state_process -> LISTEN: conn_request   -> SYN-SENT: tcp_rcv_synsent_state_process -> tcp_finish_connect -> tcp_init_transfer
 *                             -> the others: tcp_validate_incoming, tcp_ack, what the acknowledgement changes of the state, urgent data, text.
 * A function that returns a reason other than 0 has not consumed the segment: the caller sends a reset and drops it with that reason.
 * RFC 9293 3.10.7.2 (LISTEN), 3.10.7.3 (SYN-SENT), 3.10.7.4 (the others), RFC 1122 4.2.2.13 (data after close), RFC 7413 4.2 (Fast Open).
 */
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { LINUX_MIB_PAWSACTIVE, LINUX_MIB_TCPABORTONDATA } from '../../uapi/linux/snmp.ts';
import {
	TCP_CA_Loss,
	TCPHDR_ACK,
	TCPHDR_FIN,
	TCPHDR_RST,
	TCPHDR_SYN,
	TCPOLEN_TSTAMP_ALIGNED,
} from '../../uapi/linux/tcp.ts';
import {
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_TCP_ABORT_ON_DATA,
	SKB_DROP_REASON_TCP_CLOSE,
	SKB_DROP_REASON_TCP_FASTOPEN,
	SKB_DROP_REASON_TCP_FLAGS,
	SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE,
	SKB_DROP_REASON_TCP_OLD_ACK,
	SKB_DROP_REASON_TCP_RESET,
	SKB_DROP_REASON_TCP_RFC7323_PAWS,
} from '../core/dropreason.ts';
import { consume_skb, type sk_buff } from '../core/skbuff.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import {
	RCV_SHUTDOWN,
	SEND_SHUTDOWN,
	SOCK_DEAD,
	SOCK_KEEPOPEN,
	type sock,
	sock_flag,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_SYN_RECV,
	TCP_SYN_SENT,
	TCP_TIME_WAIT,
} from '../core/sock.ts';
import { inet_csk_reset_keepalive_timer, inet_csk_reset_xmit_timer } from './inet_connection_sock.ts';
import { tcp_done, tcp_fin_time, tcp_set_state, tcp_shutdown } from './tcp.ts';
import { tcp_init_congestion_control } from './tcp_cong.ts';
import { reqsk_fastopen_remove, tcp_fastopen_active_disable } from './tcp_fastopen.ts';
import { tcp_hdr_window } from './tcp_hdr.ts';
import {
	__tcp_fast_path_on,
	tcp_ack_snd_check,
	tcp_data_snd_check,
	tcp_fast_path_on,
	tcp_reset,
	tcp_send_challenge_ack,
	tcp_urg,
	tcp_validate_incoming,
} from './tcp_input.ts';
import {
	FLAG_NO_CHALLENGE_ACK,
	FLAG_SLOWPATH,
	FLAG_UPDATE_TS_RECENT,
	tcp_ack,
	tcp_rearm_rto,
	tcp_synack_rtt_meas,
} from './tcp_input_ack.ts';
import { tcp_data_queue, tcp_drop_reason } from './tcp_input_data.ts';
import {
	tcp_any_retrans_done,
	tcp_init_cwnd,
	tcp_try_undo_recovery,
	tcp_update_pacing_rate,
	tcp_update_rto_time,
} from './tcp_input_loss.ts';
import { tcp_clear_options, tcp_parse_options, tcp_paws_reject, tcp_store_ts_recent } from './tcp_input_options.ts';
import {
	tcp_ecn_rcv_syn,
	tcp_ecn_rcv_synack,
	tcp_enter_quickack_mode,
	tcp_init_buffer_space,
	tcp_initialize_rcv_mss,
} from './tcp_input_rcvbuf.ts';
import { tcp_rcv_fastopen_synack } from './tcp_input_request.ts';
import { tcp_init_metrics, tcp_update_metrics } from './tcp_metrics.ts';
import { tcp_check_req, tcp_time_wait } from './tcp_minisocks.ts';
import { tcp_mtup_init, tcp_send_ack, tcp_sync_mss } from './tcp_output.ts';
import { tcp_send_synack } from './tcp_output_syn.ts';
import {
	after,
	before,
	between,
	ICSK_TIME_DACK,
	ICSK_TIME_RETRANS,
	inet_csk_in_pingpong_mode,
	inet_csk_schedule_ack,
	TCP_DELACK_MAX,
	TCP_MAX_QUICKACKS,
	TCP_RTO_MAX,
	TCP_SKB_CB,
	TCP_TIMEOUT_MIN,
	TCP_TIMEWAIT_LEN,
	tcp_fastopen_cookie,
	tcp_jiffies32,
	tcp_mstamp_refresh,
	type tcp_request_sock,
	tcp_sk,
	type tcp_sock,
	tcp_time_stamp_ts,
} from './tcp_sock.ts';

function note_state(sk: sock, skb: sk_buff, to: number): void {
	if (skb.journey !== null)
		trace_event(skb, 'note', 'tcp_set_state', { ino: sk.sk_ino, oldstate: sk.sk_state, newstate: to });
}

// ---- a connection begins -----------------------------------------------------------------------------------------------------------

/** Windows, buffers and congestion control of a connection whose handshake is done. `bpf_op`: who opened it (nobody asks). */
export function tcp_init_transfer(sk: sock, _bpf_op: number, _skb: sk_buff | null): void {
	const tp = tcp_sk(sk);
	tcp_mtup_init(sk);
	tp.icsk_af_ops.rebuild_header(sk);
	tcp_init_metrics(sk);
	// RFC 5681 3.1: after more than one lost SYN or SYN-ACK, one segment.
	tp.snd_cwnd = tp.total_retrans > 1 && tp.undo_marker !== 0 ? 1 : tcp_init_cwnd(tp, sk.sk_dst_cache);
	tp.snd_cwnd_stamp = tcp_jiffies32(sk);
	if (!tp.icsk_ca_initialized) tcp_init_congestion_control(sk);
	tcp_init_buffer_space(sk);
}

/** Our SYN was answered. Borrows skb (null: TCP_REPAIR). */
export function tcp_finish_connect(sk: sock, skb: sk_buff | null): void {
	const tp = tcp_sk(sk);
	if (skb !== null) note_state(sk, skb, TCP_ESTABLISHED);
	tcp_set_state(sk, TCP_ESTABLISHED);
	tp.icsk_ack_lrcvtime = tcp_jiffies32(sk);
	tcp_init_transfer(sk, 0, skb);
	tp.lsndtime = tcp_jiffies32(sk);
	if (sock_flag(sk, SOCK_KEEPOPEN))
		inet_csk_reset_keepalive_timer(
			sk,
			tp.keepalive_time !== 0 ? tp.keepalive_time : sk.net.ipv4.sysctl_tcp_keepalive_time,
		);
	if (tp.rx_opt.snd_wscale === 0) __tcp_fast_path_on(tp, tp.snd_wnd);
	else tp.pred_flags = 0;
}

/** The first SYN (or SYN-ACK) was answered after all, the second was in vain: no loss then. */
function tcp_try_undo_spurious_syn(tp: tcp_sock): void {
	const stamp = tp.retrans_stamp;
	if (tp.undo_marker !== 0 && stamp !== 0 && tp.rx_opt.saw_tstamp && stamp === tp.rx_opt.rcv_tsecr) tp.undo_marker = 0;
}

/** A Fast Open child's handshake is complete. */
function tcp_rcv_synrecv_state_fastopen(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.icsk_ca_state === TCP_CA_Loss && tp.packets_out === 0) tcp_try_undo_recovery(sk);
	tcp_update_rto_time(tp);
	tp.icsk_retransmits = 0;
	if (!tcp_any_retrans_done(sk)) tp.retrans_stamp = 0;
	const req = tp.fastopen_rsk;
	if (req !== null) reqsk_fastopen_remove(sk, req, false);
	tcp_rearm_rto(sk);
}

// ---- SYN-SENT ----------------------------------------------------------------------------------------------------------------------

/** tcp_rcv_synsent_state_process: connected; the caller goes on with urgent data and what is to be sent. */
const SYNSENT_CONNECTED = -1;

function synsent_undo(tp: tcp_sock, saved_clamp: number): void {
	tcp_clear_options(tp.rx_opt);
	tp.rx_opt.mss_clamp = saved_clamp;
}

function synsent_discard(sk: sock, skb: sk_buff, saved_clamp: number, reason: number): number {
	synsent_undo(tcp_sk(sk), saved_clamp);
	tcp_drop_reason(sk, skb, reason, 'tcp_rcv_synsent_state_process');
	return 0;
}

/** A segment with ACK in SYN-SENT: what is wrong with it. Return: a reason to send a reset for, or 0. */
function synsent_bad_ack(sk: sock, tp: tcp_sock, ack_seq: number): number {
	if (!after(ack_seq, tp.snd_una) || after(ack_seq, tp.snd_nxt)) {
		// The reset may get lost, or the ACK be of an old connection that ends now: ask again soon.
		if (tp.icsk_retransmits === 0) inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, TCP_TIMEOUT_MIN, TCP_RTO_MAX);
		return SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE;
	}
	const opt = tp.rx_opt;
	if (opt.saw_tstamp && opt.rcv_tsecr !== 0 && !between(opt.rcv_tsecr, tp.retrans_stamp, tcp_time_stamp_ts(tp))) {
		NET_INC_STATS(sk.net, LINUX_MIB_PAWSACTIVE);
		return SKB_DROP_REASON_TCP_RFC7323_PAWS;
	}
	return 0;
}

/** What both kinds of SYN say about the options that hold from now on. */
function synsent_options(sk: sock, tp: tcp_sock): void {
	if (tp.rx_opt.saw_tstamp) {
		tp.rx_opt.tstamp_ok = true;
		tp.tcp_header_len = 20 + TCPOLEN_TSTAMP_ALIGNED;
		tcp_store_ts_recent(sk);
	} else tp.tcp_header_len = 20;
}

/**
 * A segment for a socket that has sent its SYN. Return: a reason other than 0: send a reset, skb is the caller's; 0: done, skb is consumed;
 * SYNSENT_CONNECTED: connected, skb is the caller's.
 */
function tcp_rcv_synsent_state_process(sk: sock, skb: sk_buff): number {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const flags = cb.tcp_flags;
	const opt = tp.rx_opt;
	const saved_clamp = opt.mss_clamp;
	const foc = tp.syn_fastopen || tp.syn_data ? new tcp_fastopen_cookie() : null;
	tcp_parse_options(sk.net, skb, opt, false, foc);
	if (opt.saw_tstamp && opt.rcv_tsecr !== 0) opt.rcv_tsecr = (opt.rcv_tsecr - tp.tsoffset) | 0;

	if ((flags & TCPHDR_ACK) !== 0) {
		const reason = synsent_bad_ack(sk, tp, cb.ack_seq);
		if (reason !== 0) {
			synsent_undo(tp, saved_clamp);
			return reason;
		}
		if ((flags & TCPHDR_RST) !== 0) {
			tcp_reset(sk, skb);
			consume_skb(skb);
			return 0;
		}
		if ((flags & TCPHDR_SYN) === 0) return synsent_discard(sk, skb, saved_clamp, SKB_DROP_REASON_TCP_FLAGS);
		return synsent_established(sk, tp, skb, foc);
	}

	if ((flags & TCPHDR_RST) !== 0) return synsent_discard(sk, skb, saved_clamp, SKB_DROP_REASON_TCP_RESET);
	if (opt.ts_recent_stamp !== 0 && opt.saw_tstamp && tcp_paws_reject(opt, false, sk.net.machine))
		return synsent_discard(sk, skb, saved_clamp, SKB_DROP_REASON_TCP_RFC7323_PAWS);
	if ((flags & TCPHDR_SYN) === 0) return synsent_discard(sk, skb, saved_clamp, SKB_DROP_REASON_NOT_SPECIFIED);

	// RFC 9293 3.5, figure 8: both opened at once.
	note_state(sk, skb, TCP_SYN_RECV);
	tcp_set_state(sk, TCP_SYN_RECV);
	synsent_options(sk, tp);
	tp.rcv_nxt = (cb.seq + 1) | 0;
	tp.copied_seq = tp.rcv_nxt;
	tp.rcv_wup = tp.rcv_nxt;
	tp.snd_wnd = tcp_hdr_window(skb);
	tp.snd_wl1 = cb.seq;
	tp.max_window = tp.snd_wnd;
	tcp_ecn_rcv_syn(tp, flags);
	tcp_mtup_init(sk);
	tcp_sync_mss(sk, tp.icsk_pmtu_cookie);
	tcp_initialize_rcv_mss(sk);
	tcp_send_synack(sk);
	consume_skb(skb);
	return 0;
}

/** The SYN-ACK is good. Return: as the caller. */
function synsent_established(sk: sock, tp: tcp_sock, skb: sk_buff, foc: tcp_fastopen_cookie | null): number {
	const cb = TCP_SKB_CB(skb);
	const opt = tp.rx_opt;
	tcp_ecn_rcv_synack(tp, cb.tcp_flags);
	tp.snd_wl1 = cb.seq;
	tcp_try_undo_spurious_syn(tp);
	tcp_ack(sk, skb, FLAG_SLOWPATH);
	tp.rcv_nxt = (cb.seq + 1) | 0;
	tp.rcv_wup = tp.rcv_nxt;
	// RFC 7323 2.2: the window of a SYN is never scaled.
	tp.snd_wnd = tcp_hdr_window(skb);
	if (!opt.wscale_ok) {
		opt.snd_wscale = 0;
		opt.rcv_wscale = 0;
		tp.window_clamp = Math.min(tp.window_clamp, 65535);
	}
	synsent_options(sk, tp);
	if (opt.tstamp_ok) tp.advmss -= TCPOLEN_TSTAMP_ALIGNED;
	tcp_sync_mss(sk, tp.icsk_pmtu_cookie);
	tcp_initialize_rcv_mss(sk);
	tp.copied_seq = tp.rcv_nxt;
	tcp_finish_connect(sk, skb);
	const fastopen_fail = foc !== null && tcp_rcv_fastopen_synack(sk, skb, foc);
	if (!sock_flag(sk, SOCK_DEAD)) sk.sk_state_change(sk);
	if (fastopen_fail) return SYNSENT_CONNECTED;
	if (
		sk.sk_write_pending > 0 ||
		(tp.accept_queue !== null && tp.accept_queue.rskq_defer_accept !== 0) ||
		inet_csk_in_pingpong_mode(sk)
	) {
		// The process will say something soon, which carries the ACK.
		inet_csk_schedule_ack(sk);
		tcp_enter_quickack_mode(sk, TCP_MAX_QUICKACKS);
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_DACK, TCP_DELACK_MAX, TCP_RTO_MAX);
		consume_skb(skb);
		return 0;
	}
	tcp_send_ack(sk);
	return SYNSENT_CONNECTED;
}

// ---- all states but ESTABLISHED and TIME-WAIT ----------------------------------------------------------------------------------------

function discard(sk: sock, skb: sk_buff, reason: number): number {
	tcp_drop_reason(sk, skb, reason, 'tcp_rcv_state_process');
	return 0;
}

function consumed(skb: sk_buff): number {
	consume_skb(skb);
	return 0;
}

/** RFC 9293 3.10.7.2. */
function tcp_rcv_listen(sk: sock, skb: sk_buff, flags: number): number {
	if ((flags & TCPHDR_ACK) !== 0) return SKB_DROP_REASON_TCP_FLAGS;
	if ((flags & TCPHDR_RST) !== 0) return discard(sk, skb, SKB_DROP_REASON_TCP_RESET);
	// A SYN that ends what it begins is nobody's honest segment.
	if ((flags & (TCPHDR_SYN | TCPHDR_FIN)) !== TCPHDR_SYN) return discard(sk, skb, SKB_DROP_REASON_TCP_FLAGS);
	tcp_sk(sk).icsk_af_ops.conn_request(sk, skb);
	return consumed(skb);
}

/** SYN-RECEIVED of a simultaneous open, a Fast Open child, or a new connection's child: the handshake is complete. */
function tcp_rcv_synrecv(sk: sock, tp: tcp_sock, skb: sk_buff, req: tcp_request_sock | null): void {
	const cb = TCP_SKB_CB(skb);
	tp.delivered++;
	if (tp.rx_opt.tstamp_ok) tp.advmss -= TCPOLEN_TSTAMP_ALIGNED;
	if (tp.srtt_us === 0) tcp_synack_rtt_meas(sk, req);
	if (req !== null) tcp_rcv_synrecv_state_fastopen(sk);
	else {
		tcp_try_undo_spurious_syn(tp);
		tp.retrans_stamp = 0;
		tcp_init_transfer(sk, 0, skb);
		tp.copied_seq = tp.rcv_nxt;
	}
	note_state(sk, skb, TCP_ESTABLISHED);
	tcp_set_state(sk, TCP_ESTABLISHED);
	sk.sk_state_change(sk);
	tp.snd_una = cb.ack_seq;
	tp.snd_wnd = tcp_hdr_window(skb) * 2 ** tp.rx_opt.snd_wscale;
	tp.snd_wl1 = cb.seq;
	if (tp.icsk_ca_ops.cong_control === null) tcp_update_pacing_rate(sk);
	tp.lsndtime = tcp_jiffies32(sk);
	tcp_initialize_rcv_mss(sk);
	tcp_fast_path_on(tp);
	if ((sk.sk_shutdown & SEND_SHUTDOWN) !== 0) tcp_shutdown(sk, SEND_SHUTDOWN);
}

/** How a step of tcp_rcv_state_process ended: go on with the segment's text, or it is consumed; else a drop reason. */
const GO_ON = -1;

/** Data (more than a FIN) beyond what we have. */
function has_new_data(tp: tcp_sock, skb: sk_buff): boolean {
	const cb = TCP_SKB_CB(skb);
	const fin = (cb.tcp_flags & TCPHDR_FIN) !== 0 ? 1 : 0;
	return cb.end_seq !== cb.seq && after((cb.end_seq - fin) | 0, tp.rcv_nxt);
}

/** FIN-WAIT-1: was our FIN acknowledged? Return: GO_ON, 0 (skb consumed), or a reason. */
function tcp_rcv_fin_wait1(sk: sock, tp: tcp_sock, skb: sk_buff, req: tcp_request_sock | null): number {
	if (req !== null) tcp_rcv_synrecv_state_fastopen(sk);
	if (tp.snd_una !== tp.write_seq) return GO_ON;
	note_state(sk, skb, TCP_FIN_WAIT2);
	tcp_set_state(sk, TCP_FIN_WAIT2);
	sk.sk_shutdown |= SEND_SHUTDOWN;
	if (!sock_flag(sk, SOCK_DEAD)) {
		// A close that lingers waits for this.
		sk.sk_state_change(sk);
		return GO_ON;
	}
	const fin = (TCP_SKB_CB(skb).tcp_flags & TCPHDR_FIN) !== 0;
	// TCP_LINGER2 below 0: no FIN-WAIT-2 for orphans. Data for nobody: RFC 1122 4.2.2.13, a reset.
	if (tp.linger2 < 0 || has_new_data(tp, skb)) {
		if (tp.linger2 >= 0 && tp.syn_fastopen && fin) tcp_fastopen_active_disable(sk);
		tcp_done(sk);
		NET_INC_STATS(sk.net, LINUX_MIB_TCPABORTONDATA);
		return SKB_DROP_REASON_TCP_ABORT_ON_DATA;
	}
	const tmo = tcp_fin_time(sk);
	if (tmo > TCP_TIMEWAIT_LEN) {
		inet_csk_reset_keepalive_timer(sk, tmo - TCP_TIMEWAIT_LEN);
		return GO_ON;
	}
	if (fin || sk.sk_lock_owned) {
		inet_csk_reset_keepalive_timer(sk, tmo);
		return GO_ON;
	}
	tcp_time_wait(sk, TCP_FIN_WAIT2, tmo);
	return consumed(skb);
}

/**
 * A segment for a socket in any state but ESTABLISHED and TIME-WAIT. Context: softirq; skb: data at the TCP header.
 * Return: 0 and skb is consumed, or the reason why the caller is to send a reset and drop it.
 */
export function tcp_rcv_state_process(sk: sock, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'tcp_rcv_state_process');
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const flags = cb.tcp_flags;
	switch (sk.sk_state) {
		case TCP_CLOSE:
			return discard(sk, skb, SKB_DROP_REASON_TCP_CLOSE);
		case TCP_LISTEN:
			return tcp_rcv_listen(sk, skb, flags);
		case TCP_SYN_SENT: {
			tp.rx_opt.saw_tstamp = false;
			tcp_mstamp_refresh(tp);
			const queued = tcp_rcv_synsent_state_process(sk, skb);
			if (queued !== SYNSENT_CONNECTED) return queued;
			tcp_urg(sk, skb);
			consume_skb(skb);
			tcp_data_snd_check(sk);
			return 0;
		}
	}
	tcp_mstamp_refresh(tp);
	tp.rx_opt.saw_tstamp = false;
	const req = tp.fastopen_rsk;
	if (req !== null) {
		const drop_reason = { v: SKB_DROP_REASON_TCP_FASTOPEN };
		if (tcp_check_req(sk, skb, req, true, { v: false }, drop_reason) === null) return discard(sk, skb, drop_reason.v);
	}
	if ((flags & (TCPHDR_ACK | TCPHDR_RST | TCPHDR_SYN)) === 0) return discard(sk, skb, SKB_DROP_REASON_TCP_FLAGS);
	if (!tcp_validate_incoming(sk, skb, false)) return 0;

	const acceptable = tcp_ack(sk, skb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT | FLAG_NO_CHALLENGE_ACK);
	if (acceptable <= 0) {
		if (sk.sk_state === TCP_SYN_RECV) return acceptable === 0 ? SKB_DROP_REASON_TCP_OLD_ACK : -acceptable;
		if (acceptable < 0) {
			tcp_send_challenge_ack(sk, false);
			return discard(sk, skb, -acceptable);
		}
	}

	switch (sk.sk_state) {
		case TCP_SYN_RECV:
			tcp_rcv_synrecv(sk, tp, skb, req);
			break;
		case TCP_FIN_WAIT1: {
			const r = tcp_rcv_fin_wait1(sk, tp, skb, req);
			if (r !== GO_ON) return r;
			break;
		}
		case TCP_CLOSING:
			if (tp.snd_una === tp.write_seq) {
				note_state(sk, skb, TCP_TIME_WAIT);
				tcp_time_wait(sk, TCP_TIME_WAIT, 0);
				return consumed(skb);
			}
			break;
		case TCP_LAST_ACK:
			if (tp.snd_una === tp.write_seq) {
				note_state(sk, skb, TCP_CLOSE);
				tcp_update_metrics(sk);
				tcp_done(sk);
				return consumed(skb);
			}
			break;
	}
	tcp_urg(sk, skb);
	return tcp_rcv_text(sk, tp, skb);
}

/** RFC 9293 3.10.7.4, seventh: the text, as far as the state wants any. Return: as tcp_rcv_state_process. */
function tcp_rcv_text(sk: sock, tp: tcp_sock, skb: sk_buff): number {
	const cb = TCP_SKB_CB(skb);
	let queue = false;
	switch (sk.sk_state) {
		case TCP_ESTABLISHED:
			queue = true;
			break;
		case TCP_CLOSE_WAIT:
		case TCP_CLOSING:
		case TCP_LAST_ACK:
			// The peer sends again what it sent before its FIN.
			queue = before(cb.seq, tp.rcv_nxt);
			break;
		case TCP_FIN_WAIT1:
		case TCP_FIN_WAIT2:
			queue = true;
			break;
	}
	if (queue && sk.sk_state !== TCP_ESTABLISHED) {
		// RFC 1122 4.2.2.13: nobody will read this.
		if ((sk.sk_shutdown & RCV_SHUTDOWN) !== 0 && has_new_data(tp, skb)) {
			NET_INC_STATS(sk.net, LINUX_MIB_TCPABORTONDATA);
			tcp_reset(sk, skb);
			return SKB_DROP_REASON_TCP_ABORT_ON_DATA;
		}
	}
	if (queue) tcp_data_queue(sk, skb);
	// It may be in TIME-WAIT by now.
	if (sk.sk_state !== TCP_CLOSE) {
		tcp_data_snd_check(sk);
		tcp_ack_snd_check(sk);
	}
	if (!queue) tcp_drop_reason(sk, skb, SKB_DROP_REASON_NOT_SPECIFIED, 'tcp_rcv_state_process');
	return 0;
}
