/*
 * net/ipv4/tcp_input_loss.ts: losses: how they are found, recovered from, and taken back; the window meanwhile.      Linux: net/ipv4/tcp_input.c
 *
 * States (tp.icsk_ca_state): Open -> Disorder (something is sacked) -> Recovery (something is lost) or Loss (RTO) -> Open; CWR: the window shrinks
 *       without a loss (ECN, local congestion).
 * Walk: tcp_fastretrans_alert (each ACK that is not plain): leaves a state that is over, undoes what was for nothing (time stamps: Eifel; D-SACK),
 *       tcp_identify_packet_loss (RACK) -> tcp_enter_recovery; tcp_enter_loss (from the timer) -> tcp_process_loss (F-RTO)
 *       tcp_cwnd_reduction: proportional rate reduction
 * RFC 5681 3.2, RFC 6582, RFC 6675 5; RFC 6937 (PRR); RFC 5682 2 (F-RTO); RFC 3522 and 4015 (Eifel); RFC 3708 (undo by D-SACK);
 * RFC 3168 6.1.2 (CWR); RFC 4821 7.6 (MTU probes).
 */
import { msecs_to_jiffies, usecs_to_jiffies } from '../../kernel/time.ts';
import { RTAX_INITCWND } from '../../uapi/linux/rtnetlink.ts';
import {
	LINUX_MIB_TCPDSACKUNDO,
	LINUX_MIB_TCPFULLUNDO,
	LINUX_MIB_TCPLOSSUNDO,
	LINUX_MIB_TCPLOSTRETRANSMIT,
	LINUX_MIB_TCPMTUPFAIL,
	LINUX_MIB_TCPMTUPSUCCESS,
	LINUX_MIB_TCPPARTIALUNDO,
	LINUX_MIB_TCPRENORECOVERY,
	LINUX_MIB_TCPSACKRECOVERY,
	LINUX_MIB_TCPSACKRENEGING,
	LINUX_MIB_TCPSPURIOUSRTOS,
} from '../../uapi/linux/snmp.ts';
import { TCP_CA_CWR, TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery } from '../../uapi/linux/tcp.ts';
import { type dst_entry, dst_metric } from '../core/dst.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { NET_ADD_STATS, NET_INC_STATS } from '../core/snmp.ts';
import { type sock, TCP_SYN_SENT } from '../core/sock.ts';
import { inet_csk_reset_xmit_timer } from './inet_connection_sock.ts';
import { tcp_set_ca_state } from './tcp_cong.ts';
import {
	FLAG_DATA_SACKED,
	FLAG_ECE,
	FLAG_LOST_RETRANS,
	FLAG_ORIG_SACK_ACKED,
	FLAG_SACK_RENEGING,
	FLAG_SET_XMIT_TIMER,
	FLAG_SND_UNA_ADVANCED,
	REXMIT_LOST,
	REXMIT_NEW,
} from './tcp_input_ack.ts';
import { tcp_ecn_queue_cwr, tcp_ecn_withdraw_cwr } from './tcp_input_rcvbuf.ts';
import {
	tcp_add_reno_sack,
	tcp_check_sack_reordering,
	tcp_limit_reno_sacked,
	tcp_reset_reno_sack,
	type tcp_sacktag_state,
} from './tcp_input_sack.ts';
import { tcp_current_mss, tcp_mss_to_mtu, tcp_sync_mss } from './tcp_output.ts';
import { tcp_xmit_retransmit_queue } from './tcp_output_rtx.ts';
import { tcp_newreno_mark_lost, tcp_rack_mark_lost, tcp_rack_skb_timeout } from './tcp_recovery.ts';
import {
	after,
	before,
	CA_EVENT_COMPLETE_CWR,
	CA_EVENT_LOSS,
	ICSK_TIME_RETRANS,
	TCP_INFINITE_SSTHRESH,
	TCP_INIT_CWND,
	TCP_RACK_RECOVERY_THRESH,
	TCP_SKB_CB,
	TCPCB_EVER_RETRANS,
	TCPCB_LOST,
	TCPCB_RETRANS,
	TCPCB_SACKED_ACKED,
	TCPCB_SACKED_RETRANS,
	tcp_ca_event,
	tcp_clear_all_retrans_hints,
	tcp_current_ssthresh,
	tcp_in_cwnd_reduction,
	tcp_is_reno,
	tcp_is_sack,
	tcp_jiffies32,
	tcp_left_out,
	tcp_packets_in_flight,
	tcp_rto_max,
	tcp_sk,
	tcp_skb_seglen,
	tcp_skb_timestamp_ts,
	type tcp_sock,
	tcp_time_stamp_ms,
	tcp_wnd_end,
	tcp_write_queue_empty,
} from './tcp_sock.ts';

// ---- the window, the rate ----------------------------------------------------------------------------------------------------------

/** The initial window: the route's, or ten segments (RFC 6928). */
export function tcp_init_cwnd(tp: tcp_sock, dst: dst_entry | null): number {
	const cwnd = dst === null ? 0 : dst_metric(dst, RTAX_INITCWND);
	return Math.min(cwnd !== 0 ? cwnd : TCP_INIT_CWND, tp.snd_cwnd_clamp);
}

/** A window per RTT, times a ratio that leaves room to grow. */
export function tcp_update_pacing_rate(sk: sock): void {
	const tp = tcp_sk(sk);
	const ipv4 = sk.net.ipv4;
	// percent / 100, srtt is us << 3: 1e6 * 8 / 100.
	let rate = tp.mss_cache * 80000;
	rate *= tp.snd_cwnd < tp.snd_ssthresh >> 1 ? ipv4.sysctl_tcp_pacing_ss_ratio : ipv4.sysctl_tcp_pacing_ca_ratio;
	rate *= Math.max(tp.snd_cwnd, tp.packets_out);
	if (tp.srtt_us !== 0) rate = Math.floor(rate / tp.srtt_us);
	sk.sk_pacing_rate = Math.min(rate, sk.sk_max_pacing_rate);
}

function tcp_init_cwnd_reduction_ssthresh(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.snd_ssthresh = tp.icsk_ca_ops.ssthresh(sk);
}

/** The window begins to shrink to ssthresh. */
export function tcp_init_cwnd_reduction(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.high_seq = tp.snd_nxt;
	tp.tlp_high_seq = 0;
	tp.snd_cwnd_cnt = 0;
	tp.prior_cwnd = tp.snd_cwnd;
	tp.prr_delivered = 0;
	tp.prr_out = 0;
	tcp_init_cwnd_reduction_ssthresh(sk);
	tcp_ecn_queue_cwr(tp);
}

/**
 * Proportional rate reduction (RFC 6937 3): what may be sent on this ACK keeps pace with what was delivered, so that the window is ssthresh at
 * the end of recovery; below ssthresh it grows back as in slow start while things go well, else by what was delivered.
 */
export function tcp_cwnd_reduction(sk: sock, newly_acked_sacked: number, newly_lost: number, flag: number): void {
	const tp = tcp_sk(sk);
	if (newly_acked_sacked <= 0 || tp.prior_cwnd === 0) return;
	const in_flight = tcp_packets_in_flight(tp);
	const delta = tp.snd_ssthresh - in_flight;
	let sndcnt: number;
	tp.prr_delivered += newly_acked_sacked;
	if (delta < 0) {
		sndcnt = Math.floor((tp.snd_ssthresh * tp.prr_delivered + tp.prior_cwnd - 1) / tp.prior_cwnd) - tp.prr_out;
	} else {
		sndcnt = Math.max(tp.prr_delivered - tp.prr_out, newly_acked_sacked);
		if ((flag & FLAG_SND_UNA_ADVANCED) !== 0 && newly_lost === 0) sndcnt++;
		sndcnt = Math.min(delta, sndcnt);
	}
	// The first retransmission goes in any case.
	sndcnt = Math.max(sndcnt, tp.prr_out !== 0 ? 0 : 1);
	tp.snd_cwnd = in_flight + sndcnt;
}

export function tcp_end_cwnd_reduction(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.icsk_ca_ops.cong_control !== null) return;
	if (tp.snd_ssthresh < TCP_INFINITE_SSTHRESH && (tp.icsk_ca_state === TCP_CA_CWR || tp.undo_marker !== 0)) {
		tp.snd_cwnd = tp.snd_ssthresh;
		tp.snd_cwnd_stamp = tcp_jiffies32(sk);
	}
	tcp_ca_event(sk, CA_EVENT_COMPLETE_CWR);
}

/** Congestion without a loss: ECN, or a queue of our own that is full. */
export function tcp_enter_cwr(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.prior_ssthresh = 0;
	if (tp.icsk_ca_state >= TCP_CA_CWR) return;
	tp.undo_marker = 0;
	tcp_init_cwnd_reduction(sk);
	tcp_set_ca_state(sk, TCP_CA_CWR);
}

// ---- marks -------------------------------------------------------------------------------------------------------------------------

/** Whether something was retransmitted and is not acknowledged yet. */
export function tcp_any_retrans_done(sk: sock): boolean {
	const tp = tcp_sk(sk);
	if (tp.retrans_out !== 0) return true;
	const skb = tp.tcp_rtx_queue.first;
	return skb !== null && (TCP_SKB_CB(skb).sacked & TCPCB_EVER_RETRANS) !== 0;
}

/** When nothing retransmitted is out any more, the time of the first retransmission is of no use. */
function tcp_retrans_stamp_cleanup(sk: sock): void {
	if (!tcp_any_retrans_done(sk)) tcp_sk(sk).retrans_stamp = 0;
}

/** The segment is lost (once more, when it was retransmitted). */
export function tcp_mark_skb_lost(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const pcount = cb.tcp_gso_segs;
	if ((cb.sacked & TCPCB_SACKED_ACKED) !== 0) return;
	// tcp_xmit_retransmit_queue() begins here when it lies before the place where it stopped.
	const hint = tp.retransmit_skb_hint;
	if (hint === null ? tp.retrans_out >= tp.lost_out : before(cb.seq, TCP_SKB_CB(hint).seq))
		tp.retransmit_skb_hint = skb;
	if ((cb.sacked & TCPCB_LOST) === 0) {
		tp.lost_out += pcount;
		cb.sacked |= TCPCB_LOST;
	} else {
		if ((cb.sacked & TCPCB_SACKED_RETRANS) === 0) return;
		cb.sacked &= ~TCPCB_SACKED_RETRANS;
		tp.retrans_out -= pcount;
		NET_ADD_STATS(sk.net, LINUX_MIB_TCPLOSTRETRANSMIT, pcount);
	}
	tp.lost += pcount;
}

export function tcp_clear_retrans(tp: tcp_sock): void {
	tp.retrans_out = 0;
	tp.lost_out = 0;
	tp.undo_marker = 0;
	tp.undo_retrans = -1;
	tp.sacked_out = 0;
	tp.rto_stamp = 0;
	tp.total_rto = 0;
	tp.total_rto_recoveries = 0;
	tp.total_rto_time = 0;
}

/** From here on duplicates are counted: when every retransmission arrived twice, none was needed. */
export function tcp_init_undo(tp: tcp_sock): void {
	tp.undo_marker = tp.snd_una;
	tp.undo_retrans = tp.retrans_out;
	// A tail loss probe that is out counts too.
	if (tp.tlp_high_seq !== 0 && tp.tlp_retrans) tp.undo_retrans++;
	// 0 would say "all were for nothing".
	if (tp.undo_retrans === 0) tp.undo_retrans = -1;
}

// ---- undo --------------------------------------------------------------------------------------------------------------------------

/** Whether the peer echoes a time stamp from before `when` (RFC 3522: the ACK is for the original). */
function tcp_tsopt_ecr_before(tp: tcp_sock, when: number): boolean {
	return tp.rx_opt.saw_tstamp && tp.rx_opt.rcv_tsecr !== 0 && before(tp.rx_opt.rcv_tsecr, when);
}

/** Whether the ACK that came is older than the segment's retransmission. */
export function tcp_skb_spurious_retrans(tp: tcp_sock, skb: sk_buff): boolean {
	return (
		(TCP_SKB_CB(skb).sacked & TCPCB_RETRANS) !== 0 &&
		tcp_tsopt_ecr_before(tp, tcp_skb_timestamp_ts(tp.tcp_usec_ts, skb))
	);
}

/** Nothing was retransmitted, or what was acknowledged was sent before it. */
function tcp_packet_delayed(tp: tcp_sock): boolean {
	if (tp.retrans_stamp !== 0) return tcp_tsopt_ecr_before(tp, tp.retrans_stamp);
	// The SYN's ACK clears the stamp though it was retransmitted; so does the end of a recovery without SACK, while the state stays.
	return tp.sk.sk_state !== TCP_SYN_SENT && (tcp_is_sack(tp) || before(tp.snd_una, tp.high_seq));
}

function tcp_may_undo(tp: tcp_sock): boolean {
	return tp.undo_marker !== 0 && (tp.undo_retrans === 0 || tcp_packet_delayed(tp));
}

/** The window as it was before. `unmark_loss`: nothing is lost. */
function tcp_undo_cwnd_reduction(sk: sock, unmark_loss: boolean): void {
	const tp = tcp_sk(sk);
	if (unmark_loss) {
		for (let skb = tp.tcp_rtx_queue.first; skb !== null; skb = skb.next) TCP_SKB_CB(skb).sacked &= ~TCPCB_LOST;
		tp.lost_out = 0;
		tcp_clear_all_retrans_hints(tp);
	}
	if (tp.prior_ssthresh !== 0) {
		tp.snd_cwnd = tp.icsk_ca_ops.undo_cwnd(sk);
		if (tp.prior_ssthresh > tp.snd_ssthresh) {
			tp.snd_ssthresh = tp.prior_ssthresh;
			tcp_ecn_withdraw_cwr(tp);
		}
	}
	tp.snd_cwnd_stamp = tcp_jiffies32(sk);
	tp.undo_marker = 0;
	tp.rack_advanced = true;
}

/** Without SACK the state stays until more than high_seq is acknowledged, or late duplicate ACKs would begin it anew (RFC 6582 4). */
function tcp_is_non_sack_preventing_reopen(sk: sock): boolean {
	const tp = tcp_sk(sk);
	if (tp.snd_una !== tp.high_seq || !tcp_is_reno(tp)) return false;
	tcp_retrans_stamp_cleanup(sk);
	return true;
}

/** Recovery is over: was it for nothing? Return: whether the state stays. */
export function tcp_try_undo_recovery(sk: sock): boolean {
	const tp = tcp_sk(sk);
	if (tcp_may_undo(tp)) {
		const mib = tp.icsk_ca_state === TCP_CA_Loss ? LINUX_MIB_TCPLOSSUNDO : LINUX_MIB_TCPFULLUNDO;
		tcp_undo_cwnd_reduction(sk, false);
		NET_INC_STATS(sk.net, mib);
	} else if (tp.rack_reo_wnd_persist > 0) tp.rack_reo_wnd_persist--;
	if (tcp_is_non_sack_preventing_reopen(sk)) return true;
	tcp_set_ca_state(sk, TCP_CA_Open);
	tp.is_sack_reneg = false;
	return false;
}

/** Every retransmission was a duplicate. */
function tcp_try_undo_dsack(sk: sock): boolean {
	const tp = tcp_sk(sk);
	if (tp.undo_marker === 0 || tp.undo_retrans !== 0) return false;
	tp.rack_reo_wnd_persist = Math.min(TCP_RACK_RECOVERY_THRESH, tp.rack_reo_wnd_persist + 1);
	tcp_undo_cwnd_reduction(sk, false);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPDSACKUNDO);
	return true;
}

/** The RTO was for nothing (`frto_undo`: F-RTO proved it). Return: whether it was taken back. */
export function tcp_try_undo_loss(sk: sock, frto_undo: boolean): boolean {
	const tp = tcp_sk(sk);
	if (!frto_undo && !tcp_may_undo(tp)) return false;
	tcp_undo_cwnd_reduction(sk, true);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPLOSSUNDO);
	if (frto_undo) NET_INC_STATS(sk.net, LINUX_MIB_TCPSPURIOUSRTOS);
	tp.icsk_retransmits = 0;
	if (tcp_is_non_sack_preventing_reopen(sk)) return true;
	if (frto_undo || tcp_is_sack(tp)) {
		tcp_set_ca_state(sk, TCP_CA_Open);
		tp.is_sack_reneg = false;
	}
	return true;
}

/** A partial ACK in recovery was for the original: reordering, not loss. Return: whether to send nothing for now. */
function tcp_try_undo_partial(sk: sock, prior_snd_una: number): boolean {
	const tp = tcp_sk(sk);
	if (tp.undo_marker === 0 || !tcp_packet_delayed(tp)) return false;
	tcp_check_sack_reordering(sk, prior_snd_una, true);
	// Retransmissions are still out: wait for what becomes of them.
	if (tp.retrans_out !== 0) return true;
	tcp_retrans_stamp_cleanup(sk);
	tcp_undo_cwnd_reduction(sk, true);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPPARTIALUNDO);
	tcp_try_keep_open(sk);
	return false;
}

/** Open, or Disorder while something is sacked, lost or retransmitted. */
export function tcp_try_keep_open(sk: sock): void {
	const tp = tcp_sk(sk);
	const state = tcp_left_out(tp) !== 0 || tcp_any_retrans_done(sk) ? TCP_CA_Disorder : TCP_CA_Open;
	if (tp.icsk_ca_state === state) return;
	tcp_set_ca_state(sk, state);
	tp.high_seq = tp.snd_nxt;
}

function tcp_try_to_open(sk: sock, flag: number): void {
	tcp_retrans_stamp_cleanup(sk);
	if ((flag & FLAG_ECE) !== 0) tcp_enter_cwr(sk);
	if (tcp_sk(sk).icsk_ca_state !== TCP_CA_CWR) tcp_try_keep_open(sk);
}

// ---- Recovery ----------------------------------------------------------------------------------------------------------------------

/** Something is lost: fast retransmit, and the window shrinks until what is out now is acknowledged. */
export function tcp_enter_recovery(sk: sock, ece_ack: boolean): void {
	const tp = tcp_sk(sk);
	// The clock of the retransmissions starts with the first of this recovery, unless older ones are still out.
	tcp_retrans_stamp_cleanup(sk);
	NET_INC_STATS(sk.net, tcp_is_reno(tp) ? LINUX_MIB_TCPRENORECOVERY : LINUX_MIB_TCPSACKRECOVERY);
	tp.prior_ssthresh = 0;
	tcp_init_undo(tp);
	if (!tcp_in_cwnd_reduction(sk)) {
		if (!ece_ack) tp.prior_ssthresh = tcp_current_ssthresh(sk);
		tcp_init_cwnd_reduction(sk);
	}
	tcp_set_ca_state(sk, TCP_CA_Recovery);
}

/** Marks what this ACK proves lost. */
function tcp_identify_packet_loss(sk: sock, state: tcp_sacktag_state): void {
	const tp = tcp_sk(sk);
	if (tp.tcp_rtx_queue.first === null) return;
	if (tcp_is_reno(tp)) {
		tcp_newreno_mark_lost(sk, (state.ack_flag & FLAG_SND_UNA_ADVANCED) !== 0);
		return;
	}
	const prior_retrans = tp.retrans_out;
	// The reordering timer is set: not the RTO's turn.
	if (tcp_rack_mark_lost(sk)) state.ack_flag &= ~FLAG_SET_XMIT_TIMER;
	if (prior_retrans > tp.retrans_out) state.ack_flag |= FLAG_LOST_RETRANS;
}

/** The ACK reaches what the peer had sacked already and has thrown away since (RFC 2018 8): a short while of grace, then an RTO. */
function tcp_check_sack_reneging(sk: sock, state: tcp_sacktag_state): boolean {
	const both = FLAG_SACK_RENEGING | FLAG_SND_UNA_ADVANCED;
	if ((state.ack_flag & both) !== both) return false;
	const tp = tcp_sk(sk);
	const delay = Math.max(usecs_to_jiffies(tp.srtt_us >> 4), msecs_to_jiffies(10));
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, delay, tcp_rto_max(sk));
	state.ack_flag &= ~FLAG_SET_XMIT_TIMER;
	return true;
}

/** The MTU probe was lost, and it alone: no congestion. */
function tcp_mtup_probe_failed(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.icsk_mtup_search_high = tp.icsk_mtup_probe_size - 1;
	tp.icsk_mtup_probe_size = 0;
	NET_INC_STATS(sk.net, LINUX_MIB_TCPMTUPFAIL);
}

/** The MTU probe arrived: larger segments from now on, fewer of them in the window. */
export function tcp_mtup_probe_success(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.prior_ssthresh = tcp_current_ssthresh(sk);
	const val = Math.floor((tp.snd_cwnd * tcp_mss_to_mtu(sk, tp.mss_cache)) / tp.icsk_mtup_probe_size);
	tp.snd_cwnd = Math.max(1, val);
	tp.snd_cwnd_cnt = 0;
	tp.snd_cwnd_stamp = tcp_jiffies32(sk);
	tp.snd_ssthresh = tcp_current_ssthresh(sk);
	tp.icsk_mtup_search_low = tp.icsk_mtup_probe_size;
	tp.icsk_mtup_probe_size = 0;
	tcp_sync_mss(sk, tp.icsk_pmtu_cookie);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPMTUPSUCCESS);
}

/** Segments must go again, in another size perhaps, though nothing says congestion: the window stays. */
export function tcp_non_congestion_loss_retransmit(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.icsk_ca_state !== TCP_CA_Loss) {
		tp.high_seq = tp.snd_nxt;
		tp.snd_ssthresh = tcp_current_ssthresh(sk);
		tp.prior_ssthresh = 0;
		tp.undo_marker = 0;
		tcp_set_ca_state(sk, TCP_CA_Loss);
	}
	tcp_xmit_retransmit_queue(sk);
}

/** The path MTU went down: what is larger than a segment may be now is sent again at once. */
export function tcp_simple_retransmit(sk: sock): void {
	const tp = tcp_sk(sk);
	// The data of a Fast Open SYN stand behind it as a segment of their own: both go again.
	const mss = sk.sk_state === TCP_SYN_SENT ? -1 : tcp_current_mss(sk);
	for (let skb = tp.tcp_rtx_queue.first; skb !== null; skb = skb.next)
		if (tcp_skb_seglen(skb) > mss) tcp_mark_skb_lost(sk, skb);
	if (tp.lost_out === 0) return;
	if (tcp_is_reno(tp)) tcp_limit_reno_sacked(tp);
	tcp_non_congestion_loss_retransmit(sk);
}

// ---- Loss --------------------------------------------------------------------------------------------------------------------------

/** The RTO fired: all that is out is lost, but for what left a moment ago. */
function tcp_timeout_mark_lost(sk: sock): void {
	const tp = tcp_sk(sk);
	const head = tp.tcp_rtx_queue.first;
	const is_reneg = head !== null && (TCP_SKB_CB(head).sacked & TCPCB_SACKED_ACKED) !== 0;
	if (is_reneg) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPSACKRENEGING);
		tp.sacked_out = 0;
		tp.is_sack_reneg = true;
	} else if (tcp_is_reno(tp)) tcp_reset_reno_sack(tp);
	for (let skb = head; skb !== null; skb = skb.next) {
		if (is_reneg) TCP_SKB_CB(skb).sacked &= ~TCPCB_SACKED_ACKED;
		else if (skb !== head && tcp_rack_skb_timeout(tp, skb, 0) > 0) continue;
		tcp_mark_skb_lost(sk, skb);
	}
	tcp_clear_all_retrans_hints(tp);
}

/** The RTO fired (RFC 5681 3.1: one segment, then slow start; RFC 5682 2 step 1). */
export function tcp_enter_loss(sk: sock): void {
	const tp = tcp_sk(sk);
	const ipv4 = sk.net.ipv4;
	const new_recovery = tp.icsk_ca_state < TCP_CA_Recovery;
	tcp_timeout_mark_lost(sk);
	// Once a window.
	if (
		tp.icsk_ca_state <= TCP_CA_Disorder ||
		!after(tp.high_seq, tp.snd_una) ||
		(tp.icsk_ca_state === TCP_CA_Loss && tp.icsk_retransmits === 0)
	) {
		tp.prior_ssthresh = tcp_current_ssthresh(sk);
		tp.prior_cwnd = tp.snd_cwnd;
		tcp_init_cwnd_reduction_ssthresh(sk);
		tcp_ca_event(sk, CA_EVENT_LOSS);
		tcp_init_undo(tp);
	}
	tp.snd_cwnd = tcp_packets_in_flight(tp) + 1;
	tp.snd_cwnd_cnt = 0;
	tp.snd_cwnd_stamp = tcp_jiffies32(sk);
	// So many came out of order, and yet it was a loss: the degree of reordering was taken for too high.
	if (tp.icsk_ca_state <= TCP_CA_Disorder && tp.sacked_out >= ipv4.sysctl_tcp_reordering)
		tp.reordering = Math.min(tp.reordering, ipv4.sysctl_tcp_reordering);
	tcp_set_ca_state(sk, TCP_CA_Loss);
	tp.high_seq = tp.snd_nxt;
	tp.tlp_high_seq = 0;
	tcp_ecn_queue_cwr(tp);
	// RFC 5682 2: not while another recovery goes on; an MTU probe is lost for reasons of its own.
	tp.frto = ipv4.sysctl_tcp_frto !== 0 && (new_recovery || tp.icsk_retransmits !== 0) && tp.icsk_mtup_probe_size === 0;
}

/** An ACK after an RTO: F-RTO (RFC 5682 2), or slow start through what is lost. */
function tcp_process_loss(sk: sock, flag: number, num_dupack: number, state: tcp_sacktag_state): void {
	const tp = tcp_sk(sk);
	const recovered = !before(tp.snd_una, tp.high_seq);
	if (((flag & FLAG_SND_UNA_ADVANCED) !== 0 || tp.fastopen_rsk !== null) && tcp_try_undo_loss(sk, false)) return;
	if (tp.frto) {
		// Step 3b: something that was never retransmitted arrived, so not all was lost.
		if ((flag & FLAG_ORIG_SACK_ACKED) !== 0 && tcp_try_undo_loss(sk, true)) return;
		if (after(tp.snd_nxt, tp.high_seq)) {
			// Step 3a: duplicate ACKs for the new data: the loss was real.
			if ((flag & FLAG_DATA_SACKED) !== 0 || num_dupack !== 0) tp.frto = false;
		} else if ((flag & FLAG_SND_UNA_ADVANCED) !== 0 && !recovered) {
			tp.high_seq = tp.snd_nxt;
			// Step 2b: new data instead of the retransmission, when there is some and the window allows.
			if (!tcp_write_queue_empty(sk) && after(tcp_wnd_end(tp), tp.snd_nxt)) {
				state.rexmit = REXMIT_NEW;
				return;
			}
			tp.frto = false;
		}
	}
	if (recovered) {
		tcp_try_undo_recovery(sk);
		return;
	}
	if (tcp_is_reno(tp)) {
		// New data of step 2b arrived: they leave the network.
		if (after(tp.snd_nxt, tp.high_seq) && num_dupack !== 0) tcp_add_reno_sack(sk, num_dupack, (flag & FLAG_ECE) !== 0);
		else if ((flag & FLAG_SND_UNA_ADVANCED) !== 0) tcp_reset_reno_sack(tp);
	}
	state.rexmit = REXMIT_LOST;
}

/** How long recovery from RTOs took in all (tcpi_total_rto_time). */
export function tcp_update_rto_time(tp: tcp_sock): void {
	if (tp.rto_stamp === 0) return;
	tp.total_rto_time += tcp_time_stamp_ms(tp) - tp.rto_stamp;
	tp.rto_stamp = 0;
}

// ---- each ACK that is not plain ----------------------------------------------------------------------------------------------------

/** Leaves a state whose end was reached: all that was out when it began is acknowledged. Return: whether the rest is to be left alone. */
function tcp_leave_state(sk: sock, tp: tcp_sock): boolean {
	switch (tp.icsk_ca_state) {
		case TCP_CA_CWR:
			// One ACK beyond: the CWR bit has to arrive.
			if (tp.snd_una !== tp.high_seq) {
				tcp_end_cwnd_reduction(sk);
				tcp_set_ca_state(sk, TCP_CA_Open);
			}
			return false;
		case TCP_CA_Recovery:
			if (tcp_is_reno(tp)) tcp_reset_reno_sack(tp);
			if (tcp_try_undo_recovery(sk)) return true;
			tcp_end_cwnd_reduction(sk);
			return false;
		default:
			return false;
	}
}

/**
 * Decides by what an ACK brought (state.ack_flag, in and out; duplicates; SACK blocks) whether segments are lost, and which state follows.
 * state.rexmit says what to send when tcp_ack() is done.
 */
export function tcp_fastretrans_alert(
	sk: sock,
	prior_snd_una: number,
	num_dupack: number,
	state: tcp_sacktag_state,
): void {
	const tp = tcp_sk(sk);
	const flag = state.ack_flag;
	const ece_ack = (flag & FLAG_ECE) !== 0;
	if (tp.packets_out === 0 && tp.sacked_out !== 0) tp.sacked_out = 0;
	// RFC 3168: told of congestion, there is nothing to take back.
	if (ece_ack) tp.prior_ssthresh = 0;
	if (tcp_check_sack_reneging(sk, state)) return;

	if (tp.icsk_ca_state === TCP_CA_Open) tp.retrans_stamp = 0;
	else if (!before(tp.snd_una, tp.high_seq) && tcp_leave_state(sk, tp)) return;

	if (tp.icsk_ca_state === TCP_CA_Recovery) {
		if ((flag & FLAG_SND_UNA_ADVANCED) === 0) {
			if (tcp_is_reno(tp)) tcp_add_reno_sack(sk, num_dupack, ece_ack);
		} else if (tcp_try_undo_partial(sk, prior_snd_una)) return;
		if (tcp_try_undo_dsack(sk)) tcp_try_to_open(sk, flag);
		tcp_identify_packet_loss(sk, state);
		// Undone, and yet something is lost: a recovery anew.
		if (tp.icsk_ca_state !== TCP_CA_Recovery) {
			if (tp.lost_out === 0) return;
			tcp_enter_recovery(sk, ece_ack);
		}
		state.rexmit = REXMIT_LOST;
		return;
	}

	if (tp.icsk_ca_state === TCP_CA_Loss) {
		tcp_process_loss(sk, flag, num_dupack, state);
		if ((tp.icsk_ca_state as number) !== TCP_CA_Loss) tcp_update_rto_time(tp);
		tcp_identify_packet_loss(sk, state);
		if ((tp.icsk_ca_state as number) !== TCP_CA_Open && (state.ack_flag & FLAG_LOST_RETRANS) === 0) return;
	}

	if (tcp_is_reno(tp)) {
		if ((flag & FLAG_SND_UNA_ADVANCED) !== 0) tcp_reset_reno_sack(tp);
		tcp_add_reno_sack(sk, num_dupack, ece_ack);
	}
	if (tp.icsk_ca_state <= TCP_CA_Disorder) tcp_try_undo_dsack(sk);
	tcp_identify_packet_loss(sk, state);
	if (tp.lost_out === 0) {
		tcp_try_to_open(sk, flag);
		return;
	}
	// RFC 4821 7.6.2: the probe alone is missing.
	if (tp.icsk_ca_state < TCP_CA_CWR && tp.icsk_mtup_probe_size !== 0 && tp.snd_una === tp.mtu_probe_seq_start) {
		tcp_mtup_probe_failed(sk);
		// It was paid for with a segment of the window.
		tp.snd_cwnd++;
		tcp_simple_retransmit(sk);
		return;
	}
	tcp_enter_recovery(sk, ece_ack);
	state.rexmit = REXMIT_LOST;
}
