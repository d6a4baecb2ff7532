/*
 * net/ipv4/tcp_minisocks.ts: what is less than a connection: TIME_WAIT, and a request until it is one.      Linux: net/ipv4/tcp_minisocks.c
 *
 * Walk: tcp_time_wait leaves an entry behind, tcp_timewait_state_process answers for it. A request gets its segments by tcp_check_req,
 *       which makes the connection (tcp_create_openreq_child) when the last ACK is right; tcp_child_process hands it that segment.
 * RFC 9293 3.10.7.4 (SYN-RECEIVED, TIME-WAIT), 3.6.1; RFC 1122 4.2.2.13; RFC 6191; RFC 1337; RFC 7323 5 (PAWS).
 */

import { jiffies_to_msecs, ktime_get_seconds } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { minmax_reset } from '../../lib/win_minmax.ts';
import { RTAX_INITRWND, RTAX_WINDOW } from '../../uapi/linux/rtnetlink.ts';
import {
	LINUX_MIB_EMBRYONICRSTS,
	LINUX_MIB_PAWSESTAB,
	LINUX_MIB_PAWSTIMEWAIT,
	LINUX_MIB_TCPACKSKIPPEDFINWAIT2,
	LINUX_MIB_TCPACKSKIPPEDSYNRECV,
	LINUX_MIB_TCPACKSKIPPEDTIMEWAIT,
	LINUX_MIB_TCPDEFERACCEPTDROP,
	LINUX_MIB_TCPTIMEWAITOVERFLOW,
	LINUX_MIB_TSECRREJECTED,
	TCP_MIB_ATTEMPTFAILS,
	TCP_MIB_PASSIVEOPENS,
} from '../../uapi/linux/snmp.ts';
import { TCP_CA_Open, TCPHDR_ACK, TCPHDR_FIN, TCPHDR_RST, TCPHDR_SYN } from '../../uapi/linux/tcp.ts';
import {
	SKB_DROP_REASON_TCP_LISTEN_OVERFLOW,
	SKB_DROP_REASON_TCP_OVERWINDOW,
	SKB_DROP_REASON_TCP_RFC7323_PAWS,
	SKB_DROP_REASON_TCP_RFC7323_TSECR,
	SKB_DROP_REASON_TCP_RFC7323_TW_PAWS,
} from '../core/dropreason.ts';
import { type dst_entry, dst_metric } from '../core/dst.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { NET_INC_STATS, TCP_INC_STATS } from '../core/snmp.ts';
import {
	SOCK_KEEPOPEN,
	SOCK_RCVBUF_LOCK,
	type sock,
	sock_flag,
	TCP_FIN_WAIT2,
	TCP_SYN_RECV,
	TCP_TIME_WAIT,
} from '../core/sock.ts';
import {
	inet_csk_clone_lock,
	inet_csk_complete_hashdance,
	inet_csk_reqsk_queue_drop,
	inet_csk_reset_keepalive_timer,
	inet_rtx_syn_ack,
	reqsk_rearm,
	reqsk_timeout,
} from './inet_connection_sock.ts';
import {
	inet_twsk_alloc,
	inet_twsk_deschedule_put,
	inet_twsk_hashdance_schedule,
	inet_twsk_reschedule,
} from './inet_timewait_sock.ts';
import { dst_metric_advmss } from './route.ts';
import { tcp_done } from './tcp.ts';
import { tcp_assign_congestion_control, tcp_set_ca_state } from './tcp_cong.ts';
import { reqsk_fastopen_remove } from './tcp_fastopen.ts';
import { tcp_challenge_ack_allowed, tcp_oow_rate_limited, tcp_rcv_state_process, tcp_reset } from './tcp_input.ts';
import { tcp_synack_rtt_meas } from './tcp_input_ack.ts';
import { tcp_parse_options, tcp_paws_reject } from './tcp_input_options.ts';
import { tcp_md5_do_lookup } from './tcp_ipv4_md5.ts';
import { tcp_update_metrics } from './tcp_metrics.ts';
import { initial_window, tcp_mss_clamp, tcp_select_initial_window } from './tcp_output.ts';
import {
	after,
	before,
	between,
	TCP_ECN_MODE_RFC3168,
	TCP_SKB_CB,
	TCP_TIMEWAIT_LEN,
	TCP_TW_ACK,
	TCP_TW_ACK_OOW,
	TCP_TW_RST,
	TCP_TW_SUCCESS,
	TCP_TW_SYN,
	tcp_clock_ms,
	tcp_full_space,
	tcp_options_received,
	tcp_receive_window,
	type tcp_request_sock,
	tcp_rto_max,
	tcp_segs_in,
	tcp_sk,
	type tcp_sock,
	tcp_synack_window,
	tcp_time_stamp_ms,
	type tcp_timewait_sock,
} from './tcp_sock.ts';
import { keepalive_time_when, tcp_init_xmit_timers } from './tcp_timer.ts';

const TCPOLEN_TSTAMP_ALIGNED = 12;
const TCP_MSS_DEFAULT = 536;
const SK_RST_REASON_INVALID_SYN = 22;

/** RFC 9293 3.4: whether a segment has a part in the window [s_win, e_win). */
function tcp_in_window(seq: number, end_seq: number, s_win: number, e_win: number): boolean {
	if (seq === s_win) return true;
	if (after(end_seq, s_win) && before(seq, e_win)) return true;
	return seq === e_win && seq === end_seq;
}

// ---- TIME_WAIT -----------------------------------------------------------------------------------------------------------------------

function tcp_timewait_check_oow_rate_limit(tw: tcp_timewait_sock, skb: sk_buff, mib: number): number {
	return tcp_oow_rate_limited(tw.net, skb, mib, tw) ? TCP_TW_SUCCESS : TCP_TW_ACK_OOW;
}

/**
 * A segment for an entry in FIN_WAIT2 or TIME_WAIT. Borrows skb. Return: what the caller does: TCP_TW_SUCCESS: drop it;
 * TCP_TW_ACK, _ACK_OOW: acknowledge; TCP_TW_RST: reset and end the entry; TCP_TW_SYN: a new connection may begin, with `tw_isn`.
 */
export function tcp_timewait_state_process(
	tw: tcp_timewait_sock,
	skb: sk_buff,
	tw_isn: { v: number },
	drop_reason: { v: number },
): number {
	const m = tw.net.machine;
	const cb = TCP_SKB_CB(skb);
	const flags = cb.tcp_flags;
	const rst = (flags & TCPHDR_RST) !== 0;
	const rcv_nxt = tw.tw_rcv_nxt;
	let opt: tcp_options_received | null = null;
	let paws_reject = false;
	if (skb.head[skb.transport_header + 12] >> 4 > 5 && tw.tw_ts_recent_stamp !== 0) {
		const o = new tcp_options_received();
		tcp_parse_options(tw.net, skb, o, false, null);
		if (o.saw_tstamp) {
			if (o.rcv_tsecr !== 0) o.rcv_tsecr = (o.rcv_tsecr - tw.tw_ts_offset) | 0;
			o.ts_recent = tw.tw_ts_recent;
			o.ts_recent_stamp = tw.tw_ts_recent_stamp;
			paws_reject = tcp_paws_reject(o, rst, m);
			opt = o;
		}
	}

	if (tw.tw_substate === TCP_FIN_WAIT2) {
		// The same checks as a connection's, with less to say.
		if (paws_reject || !tcp_in_window(cb.seq, cb.end_seq, rcv_nxt, (rcv_nxt + tw.tw_rcv_wnd) | 0))
			return tcp_timewait_check_oow_rate_limit(tw, skb, LINUX_MIB_TCPACKSKIPPEDFINWAIT2);
		if (rst) {
			inet_twsk_deschedule_put(tw);
			return TCP_TW_SUCCESS;
		}
		if ((flags & TCPHDR_SYN) !== 0 && !before(cb.seq, rcv_nxt)) return TCP_TW_RST;
		if ((flags & TCPHDR_ACK) === 0 || !after(cb.end_seq, rcv_nxt) || cb.end_seq === cb.seq) return TCP_TW_SUCCESS;
		// RFC 1122 4.2.2.13: data that nobody is there to read any more.
		if ((flags & TCPHDR_FIN) === 0 || cb.end_seq !== ((rcv_nxt + 1) | 0)) return TCP_TW_RST;
		tw.tw_substate = TCP_TIME_WAIT;
		tw.tw_rcv_nxt = cb.end_seq;
		if (opt !== null) {
			tw.tw_entry_stamp = tcp_clock_ms(tw.net);
			tw.tw_ts_recent_stamp = ktime_get_seconds(m);
			tw.tw_ts_recent = opt.rcv_tsval;
		}
		inet_twsk_reschedule(tw, TCP_TIMEWAIT_LEN);
		return TCP_TW_ACK;
	}

	// In the window there can only be a reset, or an ACK that says nothing.
	if (!paws_reject && cb.seq === rcv_nxt && (cb.seq === cb.end_seq || rst)) {
		if (rst) {
			// RFC 1337: a reset could be an old one, and end the wait too early.
			if (tw.net.ipv4.sysctl_tcp_rfc1337 === 0) {
				inet_twsk_deschedule_put(tw);
				return TCP_TW_SUCCESS;
			}
		} else inet_twsk_reschedule(tw, TCP_TIMEWAIT_LEN);
		if (opt !== null) {
			tw.tw_ts_recent = opt.rcv_tsval;
			tw.tw_ts_recent_stamp = ktime_get_seconds(m);
		}
		return TCP_TW_SUCCESS;
	}

	// RFC 6191, RFC 1122 4.2.2.13: a SYN that is surely new may begin anew.
	if ((flags & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_ACK)) === TCPHDR_SYN && !paws_reject) {
		if (after(cb.seq, rcv_nxt) || (opt !== null && ((tw.tw_ts_recent - opt.rcv_tsval) | 0) < 0)) {
			const isn = (tw.tw_snd_nxt + 65535 + 2) | 0;
			tw_isn.v = isn === 0 ? 1 : isn;
			return TCP_TW_SYN;
		}
	}
	if (paws_reject) {
		drop_reason.v = SKB_DROP_REASON_TCP_RFC7323_TW_PAWS;
		NET_INC_STATS(tw.net, LINUX_MIB_PAWSTIMEWAIT);
		if (skb.journey !== null) trace_event(skb, 'note', 'tcp_timewait_state_process', { counter: 'TcpExtPAWSTimewait' });
	}
	if (rst) return TCP_TW_SUCCESS;
	// What may be the peer's old SYN does not keep the entry alive.
	if (paws_reject || (flags & TCPHDR_ACK) !== 0) inet_twsk_reschedule(tw, TCP_TIMEWAIT_LEN);
	return tcp_timewait_check_oow_rate_limit(tw, skb, LINUX_MIB_TCPACKSKIPPEDTIMEWAIT);
}

/** The socket leaves an entry behind and is done. `state`: TCP_FIN_WAIT2 or TCP_TIME_WAIT; `timeo` in jiffies (at least 3.5 RTO). */
export function tcp_time_wait(sk: sock, state: number, timeo: number): void {
	const tp = tcp_sk(sk);
	const tw = inet_twsk_alloc(sk, state);
	if (tw !== null) {
		tw.tw_mark = sk.sk_mark;
		tw.tw_priority = sk.sk_priority;
		tw.tw_rcv_wscale = tp.rx_opt.rcv_wscale;
		tw.tw_entry_stamp = tcp_time_stamp_ms(tp);
		tw.tw_rcv_nxt = tp.rcv_nxt;
		tw.tw_snd_nxt = tp.snd_nxt;
		tw.tw_rcv_wnd = tcp_receive_window(tp);
		tw.tw_ts_recent = tp.rx_opt.ts_recent;
		tw.tw_ts_recent_stamp = tp.rx_opt.ts_recent_stamp;
		tw.tw_ts_offset = tp.tsoffset;
		tw.tw_usec_ts = tp.tcp_usec_ts;
		tw.tw_tx_delay = tp.tcp_tx_delay;
		tw.tw_txhash = sk.sk_txhash;
		if (tp.md5sig_info !== null) {
			const key = tcp_md5_do_lookup(sk, 0, tw.tw_daddr);
			if (key !== null) tw.tw_md5_key = { ...key, key: key.key.slice() };
		}
		const rto = tp.icsk_rto * 4 - (tp.icsk_rto >> 1);
		inet_twsk_hashdance_schedule(tw, sk, state === TCP_TIME_WAIT ? TCP_TIMEWAIT_LEN : Math.max(timeo, rto));
	} else {
		// Too many: the connection just ends.
		NET_INC_STATS(sk.net, LINUX_MIB_TCPTIMEWAITOVERFLOW);
	}
	tcp_update_metrics(sk);
	tcp_done(sk);
}

// ---- from request to connection --------------------------------------------------------------------------------------------------------

/** What window the SYN-ACK offers, by the listener's buffer and the route. */
export function tcp_openreq_init_rwin(req: tcp_request_sock, sk_listener: sock, dst: dst_entry): void {
	const tp = tcp_sk(sk_listener);
	const full_space = tcp_full_space(sk_listener);
	const mss = tcp_mss_clamp(tp, dst_metric_advmss(dst));
	let clamp = tp.window_clamp !== 0 ? tp.window_clamp : dst_metric(dst, RTAX_WINDOW);
	if ((sk_listener.sk_userlocks & SOCK_RCVBUF_LOCK) !== 0 && (clamp > full_space || clamp === 0)) clamp = full_space;
	const out = new initial_window();
	out.window_clamp = clamp;
	tcp_select_initial_window(
		sk_listener,
		full_space,
		mss - (req.tstamp_ok ? TCPOLEN_TSTAMP_ALIGNED : 0),
		req.wscale_ok,
		dst_metric(dst, RTAX_INITRWND),
		out,
	);
	req.rsk_rcv_wnd = out.rcv_wnd;
	req.rsk_window_clamp = out.window_clamp;
	req.rcv_wscale = out.rcv_wscale;
}

/** The child's congestion control: what the listener was told to use, else the namespace's default of now. */
export function tcp_ca_openreq_child(sk: sock, _dst: dst_entry | null): void {
	if (!tcp_sk(sk).icsk_ca_setsockopt) tcp_assign_congestion_control(sk);
	tcp_set_ca_state(sk, TCP_CA_Open);
}

/** What a listener's options say to its children. */
function tcp_inherit(newtp: tcp_sock, oldtp: tcp_sock): void {
	newtp.nonagle = oldtp.nonagle;
	newtp.thin_lto = oldtp.thin_lto;
	newtp.recvmsg_inq = oldtp.recvmsg_inq;
	newtp.save_syn = oldtp.save_syn;
	newtp.keepalive_time = oldtp.keepalive_time;
	newtp.keepalive_intvl = oldtp.keepalive_intvl;
	newtp.keepalive_probes = oldtp.keepalive_probes;
	newtp.linger2 = oldtp.linger2;
	newtp.notsent_lowat = oldtp.notsent_lowat;
	newtp.tcp_tx_delay = oldtp.tcp_tx_delay;
	newtp.rx_opt.user_mss = oldtp.rx_opt.user_mss;
	newtp.mdev_us = oldtp.mdev_us;
	newtp.mss_cache = oldtp.mss_cache;
	newtp.reordering = oldtp.reordering;
	newtp.scaling_ratio = oldtp.scaling_ratio;
	newtp.app_limited = oldtp.app_limited;
	newtp.rate_app_limited = oldtp.rate_app_limited;
	newtp.snd_cwnd = oldtp.snd_cwnd;
	newtp.snd_cwnd_clamp = oldtp.snd_cwnd_clamp;
	newtp.snd_ssthresh = oldtp.snd_ssthresh;
	newtp.icsk_rto = oldtp.icsk_rto;
}

/** The connection that `req` becomes by segment `skb`, in SYN_RECV, in no table yet. Borrows skb. */
export function tcp_create_openreq_child(sk: sock, req: tcp_request_sock, skb: sk_buff): sock {
	const newsk = inet_csk_clone_lock(sk, req);
	const n = sk.net;
	const now = n.machine.jiffies;
	const newtp = tcp_sk(newsk);
	tcp_inherit(newtp, tcp_sk(sk));
	const rcv = (req.rcv_isn + 1) | 0;
	newtp.rcv_wup = rcv;
	newtp.copied_seq = rcv;
	newtp.rcv_nxt = rcv;
	newtp.segs_in = 1;
	const snd = (req.snt_isn + 1) | 0;
	newtp.snd_sml = snd;
	newtp.snd_una = snd;
	newtp.snd_nxt = snd;
	newtp.snd_up = snd;
	newtp.write_seq = snd;
	newtp.pushed_seq = snd;
	newtp.snd_wl1 = req.rcv_isn;
	minmax_reset(newtp.rtt_min_t, newtp.rtt_min_v, now, 0xffffffff);
	newtp.icsk_ack_lrcvtime = now;
	newtp.lsndtime = now;
	newsk.sk_txhash = req.txhash;
	newtp.total_retrans = req.num_retrans;
	tcp_init_xmit_timers(newsk);
	if (sock_flag(newsk, SOCK_KEEPOPEN)) inet_csk_reset_keepalive_timer(newsk, keepalive_time_when(newtp));

	const opt = newtp.rx_opt;
	opt.tstamp_ok = req.tstamp_ok;
	opt.sack_ok = req.sack_ok ? 1 : 0;
	opt.wscale_ok = req.wscale_ok;
	newtp.window_clamp = req.rsk_window_clamp;
	newtp.rcv_ssthresh = req.rsk_rcv_wnd;
	newtp.rcv_wnd = req.rsk_rcv_wnd;
	if (req.wscale_ok) {
		opt.snd_wscale = req.snd_wscale;
		opt.rcv_wscale = req.rcv_wscale;
	} else newtp.window_clamp = Math.min(newtp.window_clamp, 65535);
	const h = skb.transport_header;
	newtp.snd_wnd = ((skb.head[h + 14] << 8) | skb.head[h + 15]) << opt.snd_wscale;
	newtp.max_window = newtp.snd_wnd;
	if (opt.tstamp_ok) {
		newtp.tcp_usec_ts = req.req_usec_ts;
		opt.ts_recent = req.ts_recent;
		opt.ts_recent_stamp = ktime_get_seconds(n.machine);
		newtp.tcp_header_len = 20 + TCPOLEN_TSTAMP_ALIGNED;
	} else newtp.tcp_header_len = 20;
	if (req.num_timeout > 0) {
		// The SYN-ACK was sent again: should the first one have been answered, the time out was not called for.
		newtp.total_rto = req.num_timeout;
		newtp.undo_marker = req.snt_isn;
		const now_us = Math.floor(n.machine.clock.now / 1e3);
		newtp.retrans_stamp = (newtp.tcp_usec_ts ? req.snt_synack : Math.floor(req.snt_synack / 1e3)) | 0;
		newtp.total_rto_time = Math.floor(now_us / 1e3) - Math.floor(req.snt_synack / 1e3);
		newtp.total_rto_recoveries = 1;
	}
	newtp.tsoffset = req.ts_off;
	if (skb.len >= TCP_MSS_DEFAULT + newtp.tcp_header_len) newtp.icsk_ack_last_seg_size = skb.len - newtp.tcp_header_len;
	opt.mss_clamp = req.mss;
	newtp.ecn_flags = req.ecn_ok ? TCP_ECN_MODE_RFC3168 : 0;
	TCP_INC_STATS(n, TCP_MIB_PASSIVEOPENS);
	return newsk;
}

function send_syn_ack_again(sk: sock, skb: sk_buff, req: tcp_request_sock, fastopen: boolean): void {
	if (tcp_oow_rate_limited(sk.net, skb, LINUX_MIB_TCPACKSKIPPEDSYNRECV, req)) return;
	if (inet_rtx_syn_ack(sk, req) !== 0) return;
	reqsk_rearm(req, reqsk_timeout(req, tcp_rto_max(sk)), fastopen);
}

/**
 * A segment for a request of listener `sk` (`fastopen`: `sk` is the child that exists already). Borrows skb.
 * Return: the child; `sk` itself when the segment is for it; null when it was dealt with or is to be dropped (`drop_reason`);
 * `lost_race`: the request is gone, the caller looks the socket up again.
 */
export function tcp_check_req(
	sk: sock,
	skb: sk_buff,
	req: tcp_request_sock,
	fastopen: boolean,
	lost_race: { v: boolean },
	drop_reason: { v: number },
): sock | null {
	const n = sk.net;
	const cb = TCP_SKB_CB(skb);
	let flg = cb.tcp_flags & (TCPHDR_RST | TCPHDR_SYN | TCPHDR_ACK);
	let paws_reject = false;
	let tsecr_reject = false;
	let tsval = 0;
	let saw_tstamp = false;
	if (skb.head[skb.transport_header + 12] >> 4 > 5) {
		const o = new tcp_options_received();
		tcp_parse_options(n, skb, o, false, null);
		if (o.saw_tstamp) {
			saw_tstamp = true;
			tsval = o.rcv_tsval;
			o.ts_recent = req.ts_recent;
			if (o.rcv_tsecr !== 0) {
				if (req.tstamp_ok && !fastopen) tsecr_reject = !between(o.rcv_tsecr, req.snt_tsval_first, req.snt_tsval_last);
				o.rcv_tsecr = (o.rcv_tsecr - req.ts_off) | 0;
			}
			// When ts_recent was set is not kept; this is near enough.
			const waited = Math.floor(jiffies_to_msecs(reqsk_timeout(req, tcp_rto_max(sk))) / 1e3);
			o.ts_recent_stamp = ktime_get_seconds(n.machine) - waited;
			paws_reject = tcp_paws_reject(o, (flg & TCPHDR_RST) !== 0, n.machine);
		}
	}

	// The SYN again: the SYN-ACK was lost.
	if (cb.seq === req.rcv_isn && flg === TCPHDR_SYN && !paws_reject) {
		send_syn_ack_again(sk, skb, req, fastopen);
		return null;
	}

	// RFC 9293 3.10.7.4: an ACK of what was never sent: the listener answers with a reset. A Fast Open child looks for itself.
	if ((flg & TCPHDR_ACK) !== 0 && !fastopen && cb.ack_seq !== ((req.snt_isn + 1) | 0)) return sk;

	const window = (req.rcv_nxt + tcp_synack_window(req)) | 0;
	if (paws_reject || tsecr_reject || !tcp_in_window(cb.seq, cb.end_seq, req.rcv_nxt, window)) {
		if ((flg & TCPHDR_RST) === 0 && !tcp_oow_rate_limited(n, skb, LINUX_MIB_TCPACKSKIPPEDSYNRECV, req))
			req.rsk_ops.send_ack(sk, skb, req);
		if (paws_reject) {
			drop_reason.v = SKB_DROP_REASON_TCP_RFC7323_PAWS;
			NET_INC_STATS(n, LINUX_MIB_PAWSESTAB);
		} else if (tsecr_reject) {
			drop_reason.v = SKB_DROP_REASON_TCP_RFC7323_TSECR;
			NET_INC_STATS(n, LINUX_MIB_TSECRREJECTED);
		} else {
			drop_reason.v = SKB_DROP_REASON_TCP_OVERWINDOW;
		}
		return null;
	}

	// RFC 5961 3.2: a reset that is not exactly in its place may be a stranger's.
	if ((flg & TCPHDR_RST) !== 0 && !fastopen && cb.seq !== req.rcv_nxt) {
		if (tcp_challenge_ack_allowed(n, req)) req.rsk_ops.send_ack(sk, skb, req);
		return null;
	}

	// A SYN at the place of the first one lies before the window.
	if (cb.seq === req.rcv_isn) flg &= ~TCPHDR_SYN;
	if ((flg & (TCPHDR_RST | TCPHDR_SYN)) !== 0) {
		TCP_INC_STATS(n, TCP_MIB_ATTEMPTFAILS);
		return embryonic_reset(sk, skb, req, flg, fastopen, lost_race);
	}
	if ((flg & TCPHDR_ACK) === 0) return null;
	if (fastopen) return sk;

	// TCP_DEFER_ACCEPT: the bare ACK does not count, data will come.
	const defer = tcp_sk(sk).icsk_accept_queue.rskq_defer_accept;
	if (req.num_timeout < defer && cb.end_seq === ((req.rcv_isn + 1) | 0)) {
		req.acked = true;
		NET_INC_STATS(n, LINUX_MIB_TCPDEFERACCEPTDROP);
		return null;
	}

	const own_req = { v: false };
	const child = tcp_sk(sk).icsk_af_ops.syn_recv_sock(sk, skb, req, null, req, own_req);
	if (child === null) {
		drop_reason.v = SKB_DROP_REASON_TCP_LISTEN_OVERFLOW;
		if (skb.journey !== null)
			trace_event(skb, 'note', 'tcp_check_req', { counter: 'TcpExtListenOverflows', backlog: sk.sk_max_ack_backlog });
		if (n.ipv4.sysctl_tcp_abort_on_overflow === 0) {
			// The peer believes that it is connected: the SYN-ACK, sent again by the timer, gives it another chance.
			req.acked = true;
			return null;
		}
		return embryonic_reset(sk, skb, req, flg, fastopen, lost_race);
	}
	if (own_req.v && saw_tstamp && !after(cb.seq, req.rcv_nxt)) tcp_sk(child).rx_opt.ts_recent = tsval;
	tcp_synack_rtt_meas(child, req);
	lost_race.v = !own_req.v;
	return inet_csk_complete_hashdance(sk, child, req, own_req.v);
}

/** The handshake failed: says so (unless the peer did), and drops the request. Return: null. */
function embryonic_reset(
	sk: sock,
	skb: sk_buff,
	req: tcp_request_sock,
	flg: number,
	fastopen: boolean,
	lost_race: { v: boolean },
): null {
	if ((flg & TCPHDR_RST) === 0) req.rsk_ops.send_reset(sk, skb, SK_RST_REASON_INVALID_SYN);
	else if (fastopen) {
		reqsk_fastopen_remove(sk, req, true);
		tcp_reset(sk, skb);
	}
	if (!fastopen) {
		const unlinked = inet_csk_reqsk_queue_drop(sk, req);
		if (unlinked) NET_INC_STATS(sk.net, LINUX_MIB_EMBRYONICRSTS);
		lost_race.v = !unlinked;
	}
	return null;
}

/** The segment that made the child is its first; whoever waits in accept() is woken. Consumes skb when it returns SKB_NOT_DROPPED_YET. Return: that, or why to reset. */
export function tcp_child_process(parent: sock, child: sock, skb: sk_buff): number {
	const state = child.sk_state;
	tcp_segs_in(tcp_sk(child), skb);
	const reason = tcp_rcv_state_process(child, skb);
	if (state === TCP_SYN_RECV && child.sk_state !== state) parent.sk_data_ready(parent);
	return reason;
}
