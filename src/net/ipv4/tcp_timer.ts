/*
 * net/ipv4/tcp_timer.ts: what happens when nothing happens.        Linux: net/ipv4/tcp_timer.c
 *
 * Walk: tcp_write_timer (one timer for four events: retransmission, zero-window probe, loss probe, RACK's reordering) -> tcp_retransmit_timer,
 *       tcp_probe_timer, …; tcp_delack_timer (ACKs); tcp_keepalive_timer (keepalives, and orphans in FIN_WAIT2); when to give up.
 * RFC 6298 5 (RTO), RFC 9293 3.8.3 (R1, R2), 3.8.4 (keepalives), 3.8.6.1, RFC 5482 (user timeout), tcp(7).
 */
import {
	hrtimer,
	hrtimer_cancel,
	jiffies_to_msecs,
	jiffies_to_usecs,
	mod_timer,
	msecs_to_jiffies,
	type timer_list,
	usecs_to_jiffies,
} from '../../kernel/time.ts';
import { ETIMEDOUT } from '../../uapi/asm-generic/errno.ts';
import {
	LINUX_MIB_DELAYEDACKS,
	LINUX_MIB_TCPABORTONMEMORY,
	LINUX_MIB_TCPABORTONTIMEOUT,
	LINUX_MIB_TCPKEEPALIVE,
	LINUX_MIB_TCPLOSSFAILURES,
	LINUX_MIB_TCPRENOFAILURES,
	LINUX_MIB_TCPRENORECOVERYFAIL,
	LINUX_MIB_TCPSACKFAILURES,
	LINUX_MIB_TCPSACKRECOVERYFAIL,
	LINUX_MIB_TCPTIMEOUTREHASH,
	LINUX_MIB_TCPTIMEOUTS,
} from '../../uapi/linux/snmp.ts';
import { TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Recovery } from '../../uapi/linux/tcp.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import {
	SOCK_DEAD,
	SOCK_KEEPOPEN,
	type sock,
	sock_flag,
	TCP_CLOSE,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT2,
	TCP_LISTEN,
	TCP_SYN_SENT,
} from '../core/sock.ts';
import {
	inet_csk_clear_xmit_timers,
	inet_csk_delack_timer,
	inet_csk_delete_keepalive_timer,
	inet_csk_init_xmit_timers,
	inet_csk_reset_keepalive_timer,
	inet_rtx_syn_ack,
} from './inet_connection_sock.ts';
import { tcp_check_oom, tcp_done } from './tcp.ts';
import { tcp_fastopen_active_detect_blackhole } from './tcp_fastopen.ts';
import { tcp_done_with_error } from './tcp_input.ts';
import { tcp_sack_compress_send_ack } from './tcp_input_data.ts';
import { tcp_enter_loss } from './tcp_input_loss.ts';
import { tcp_time_wait } from './tcp_minisocks.ts';
import {
	tcp_mss_to_mtu,
	tcp_mtu_to_mss,
	tcp_pace_kick,
	tcp_reset_xmit_timer,
	tcp_retransmit_skb,
	tcp_send_ack,
	tcp_send_active_reset,
	tcp_send_loss_probe,
	tcp_send_probe0,
	tcp_sync_mss,
	tcp_write_wakeup,
} from './tcp_output.ts';
import { tcp_rack_reo_timeout } from './tcp_recovery.ts';
import {
	ICSK_ACK_TIMER,
	ICSK_TIME_LOSS_PROBE,
	ICSK_TIME_PROBE0,
	ICSK_TIME_REO_TIMEOUT,
	ICSK_TIME_RETRANS,
	inet_csk_ack_scheduled,
	inet_csk_exit_pingpong_mode,
	inet_csk_in_pingpong_mode,
	TCP_ATO_MIN,
	TCP_RESOURCE_PROBE_INTERVAL,
	TCP_RTO_MIN,
	TCP_TIMEOUT_INIT,
	TCP_TIMEOUT_MIN,
	TCP_TIMEWAIT_LEN,
	TCPF_CLOSE,
	TCPF_LISTEN,
	TCPF_SYN_RECV,
	TCPF_SYN_SENT,
	tcp_in_initial_slowstart,
	tcp_is_sack,
	tcp_mstamp_refresh,
	type tcp_request_sock,
	tcp_rto_max,
	tcp_rto_min,
	tcp_rtx_queue_head,
	tcp_send_head,
	tcp_sk,
	tcp_skb_timestamp_ts,
	type tcp_sock,
	tcp_time_stamp_ms,
	tcp_time_stamp_ts,
	tcp_write_queue_empty,
} from './tcp_sock.ts';

/** Thin streams (fewer than 4 packets out) retransmit this often without backing off, where that is asked for. */
const TCP_THIN_LINEAR_RETRIES = 6;

// ---- limits ----------------------------------------------------------------------------------------------------------------------

/** RTO, but not beyond TCP_USER_TIMEOUT. Return: jiffies. */
function tcp_clamp_rto_to_user_timeout(sk: sock): number {
	const tp = tcp_sk(sk);
	if (tp.icsk_user_timeout === 0) return tp.icsk_rto;
	let elapsed = (tcp_time_stamp_ts(tp) - tp.retrans_stamp) | 0;
	if (tp.tcp_usec_ts) elapsed = Math.floor(elapsed / 1000);
	const remaining = tp.icsk_user_timeout - elapsed;
	return remaining <= 0 ? 1 : Math.min(tp.icsk_rto, msecs_to_jiffies(remaining));
}

/** `when` (jiffies) or what is left of TCP_USER_TIMEOUT. */
export function tcp_clamp_probe0_to_user_timeout(sk: sock, when: number): number {
	const tp = tcp_sk(sk);
	if (tp.icsk_user_timeout === 0 || tp.icsk_probes_tstamp === 0) return when;
	const elapsed = Math.max(0, sk.net.machine.jiffies - tp.icsk_probes_tstamp);
	const remaining = Math.max(msecs_to_jiffies(tp.icsk_user_timeout) - elapsed, TCP_TIMEOUT_MIN);
	return Math.min(remaining, when);
}

/** The connection is given up. */
function tcp_write_err(sk: sock): void {
	tcp_done_with_error(sk, sk.sk_err_soft !== 0 ? sk.sk_err_soft : ETIMEDOUT);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPABORTONTIMEOUT);
}

/** Whether an orphan had to go, since there are too many or too little memory. */
function tcp_out_of_resources(sk: sock, do_reset: boolean): boolean {
	const tp = tcp_sk(sk);
	const idle = sk.net.machine.jiffies - tp.lsndtime;
	let shift = 0;
	// One that has not sent for long is dearer than others, and one that met errors.
	if (idle > 2 * tcp_rto_max(sk) || !do_reset) shift++;
	if (sk.sk_err_soft !== 0) shift++;
	if (!tcp_check_oom(sk, shift)) return false;
	// The peer is told if it is likely to be there.
	if (idle <= TCP_TIMEWAIT_LEN || (tp.snd_wnd === 0 && tp.packets_out === 0)) do_reset = true;
	if (do_reset) tcp_send_active_reset(sk, 0);
	tcp_done(sk);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPABORTONMEMORY);
	return true;
}

/** How often an orphan tries. */
function tcp_orphan_retries(sk: sock, alive: boolean): number {
	let retries = sk.net.ipv4.sysctl_tcp_orphan_retries;
	if (sk.sk_err_soft !== 0 && !alive) retries = 0;
	// 8 tries with an RTO of 200 ms or more: over 100 s, what RFC 1122 4.2.3.5 asks for.
	if (retries === 0 && alive) retries = 8;
	return retries;
}

/** RFC 4821 7.7: nothing gets through; perhaps packets are too large and nobody says so. */
function tcp_mtu_probing(sk: sock): void {
	const tp = tcp_sk(sk);
	const n = sk.net.ipv4;
	if (n.sysctl_tcp_mtu_probing === 0) return;
	if (!tp.icsk_mtup_enabled) {
		tp.icsk_mtup_enabled = true;
		tp.icsk_mtup_probe_timestamp = sk.net.machine.jiffies;
	} else {
		let mss = tcp_mtu_to_mss(sk, tp.icsk_mtup_search_low) >> 1;
		mss = Math.min(n.sysctl_tcp_base_mss, mss);
		mss = Math.max(mss, n.sysctl_tcp_mtu_probe_floor, n.sysctl_tcp_min_snd_mss);
		tp.icsk_mtup_search_low = tcp_mss_to_mtu(sk, mss);
	}
	tcp_sync_mss(sk, tp.icsk_pmtu_cookie);
}

/** How long `boundary` retransmissions take that begin at `rto_base` and double up to the maximum. Return: ms. */
function tcp_model_timeout(sk: sock, boundary: number, rto_base: number): number {
	const rto_max = tcp_rto_max(sk);
	const linear_from = 31 - Math.clz32(Math.floor(rto_max / rto_base));
	let timeout: number;
	if (boundary <= linear_from) timeout = (2 ** (boundary + 1) - 1) * rto_base;
	else timeout = (2 ** (linear_from + 1) - 1) * rto_base + (boundary - linear_from) * rto_max;
	return jiffies_to_msecs(timeout);
}

/**
 * Whether retransmissions have gone on for as long as `boundary` of them would take from the smallest RTO, or for `timeout` ms if that is not 0.
 */
function retransmits_timed_out(sk: sock, boundary: number, timeout: number): boolean {
	const tp = tcp_sk(sk);
	if (tp.icsk_retransmits === 0) return false;
	if (timeout === 0) {
		const syn = ((1 << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0;
		timeout = tcp_model_timeout(sk, boundary, syn ? TCP_TIMEOUT_INIT : TCP_RTO_MIN);
	}
	if (tp.tcp_usec_ts) {
		// delta may be off by up to a jiffy due to timer granularity.
		const delta = (tp.tcp_mstamp - (tp.retrans_stamp >>> 0) + jiffies_to_usecs(1)) | 0;
		return ((delta - timeout * 1000) | 0) >= 0;
	}
	return ((tcp_time_stamp_ts(tp) - tp.retrans_stamp - timeout) | 0) >= 0;
}

/** Another path, where flows are spread by hash. Return: whether there was a hash. */
function sk_rethink_txhash(sk: sock): boolean {
	if (sk.sk_txhash === 0) return false;
	sk.sk_txhash = sk.net.machine.random.u32() || 1;
	return true;
}

/** The route does not seem to work: it may be looked up again. */
function __dst_negative_advice(sk: sock): void {
	const dst = sk.sk_dst_cache;
	sk_rethink_txhash(sk);
	if (dst !== null) dst.ops.negative_advice(sk, dst);
}

/** The RTO came again: whether that is enough. Return: whether the connection was given up. */
function tcp_write_timeout(sk: sock): boolean {
	const tp = tcp_sk(sk);
	const n = sk.net;
	let retry_until: number;
	let expired = false;
	if (((1 << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0) {
		if (tp.icsk_retransmits !== 0) __dst_negative_advice(sk);
		retry_until = tp.icsk_syn_retries !== 0 ? tp.icsk_syn_retries : n.ipv4.sysctl_tcp_syn_retries;
		let max = retry_until;
		if (sk.sk_state === TCP_SYN_SENT) max += n.ipv4.sysctl_tcp_syn_linear_timeouts;
		expired = tp.icsk_retransmits >= max;
	} else {
		// R1 of RFC 9293 3.8.3: something is wrong with the way.
		if (retransmits_timed_out(sk, n.ipv4.sysctl_tcp_retries1, 0)) {
			tcp_mtu_probing(sk);
			__dst_negative_advice(sk);
		}
		retry_until = n.ipv4.sysctl_tcp_retries2;
		if (sock_flag(sk, SOCK_DEAD)) {
			const alive = tp.icsk_rto < tcp_rto_max(sk);
			retry_until = tcp_orphan_retries(sk, alive);
			const do_reset = alive || !retransmits_timed_out(sk, retry_until, 0);
			if (tcp_out_of_resources(sk, do_reset)) return true;
		}
	}
	if (!expired) expired = retransmits_timed_out(sk, retry_until, tp.icsk_user_timeout);
	tcp_fastopen_active_detect_blackhole(sk, expired);
	if (expired) {
		tcp_write_err(sk);
		return true;
	}
	if (sk_rethink_txhash(sk)) {
		tp.timeout_rehash++;
		NET_INC_STATS(n, LINUX_MIB_TCPTIMEOUTREHASH);
	}
	return false;
}

// ---- delayed ACKs ----------------------------------------------------------------------------------------------------------------

export function tcp_delack_timer_handler(sk: sock): void {
	const tp = tcp_sk(sk);
	if (((1 << sk.sk_state) & (TCPF_CLOSE | TCPF_LISTEN)) !== 0) return;
	if (tp.compressed_ack !== 0) {
		tcp_mstamp_refresh(tp);
		tcp_sack_compress_send_ack(sk);
		return;
	}
	if ((tp.icsk_ack_pending & ICSK_ACK_TIMER) === 0) return;
	const timer = inet_csk_delack_timer(sk);
	if (timer.expires > sk.net.machine.jiffies) {
		mod_timer(timer, timer.expires);
		return;
	}
	tp.icsk_ack_pending &= ~ICSK_ACK_TIMER;
	if (!inet_csk_ack_scheduled(sk)) return;
	if (!inet_csk_in_pingpong_mode(sk)) {
		// Nothing came that would have carried it: arrivals are further apart than thought.
		tp.icsk_ack_ato = Math.min(tp.icsk_ack_ato << 1, tp.icsk_rto);
	} else {
		// Nor did the application answer: no conversation.
		inet_csk_exit_pingpong_mode(sk);
		tp.icsk_ack_ato = TCP_ATO_MIN;
	}
	tcp_mstamp_refresh(tp);
	tcp_send_ack(sk);
	NET_INC_STATS(sk.net, LINUX_MIB_DELAYEDACKS);
}

function tcp_delack_timer(t: timer_list): void {
	tcp_delack_timer_handler(t.owner as sock);
}

// ---- zero-window probes ----------------------------------------------------------------------------------------------------------

/** RTO after so many probes. */
function inet_csk_rto_backoff(tp: tcp_sock, max_when: number): number {
	return Math.min(tp.icsk_rto * 2 ** tp.icsk_backoff, max_when);
}

function tcp_probe_timer(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.packets_out !== 0 || tcp_send_head(sk) === null) {
		tp.icsk_probes_out = 0;
		tp.icsk_probes_tstamp = 0;
		return;
	}
	const now = sk.net.machine.jiffies;
	// RFC 9293 3.8.6.1: as long as probes are answered the connection stays; probes_out counts those that are not.
	if (tp.icsk_probes_tstamp === 0) tp.icsk_probes_tstamp = now;
	else if (tp.icsk_user_timeout !== 0 && now - tp.icsk_probes_tstamp >= msecs_to_jiffies(tp.icsk_user_timeout)) {
		tcp_write_err(sk);
		return;
	}
	let max_probes = sk.net.ipv4.sysctl_tcp_retries2;
	if (sock_flag(sk, SOCK_DEAD)) {
		const rto_max = tcp_rto_max(sk);
		const alive = inet_csk_rto_backoff(tp, rto_max) < rto_max;
		max_probes = tcp_orphan_retries(sk, alive);
		if (!alive && tp.icsk_backoff >= max_probes) {
			tcp_write_err(sk);
			return;
		}
		if (tcp_out_of_resources(sk, true)) return;
	}
	if (tp.icsk_probes_out >= max_probes) tcp_write_err(sk);
	else tcp_send_probe0(sk);
}

// ---- retransmission --------------------------------------------------------------------------------------------------------------

/** A Fast Open child whose SYN-ACK is not acknowledged. */
function tcp_fastopen_synack_timer(sk: sock, req: tcp_request_sock): void {
	const tp = tcp_sk(sk);
	req.rsk_ops.syn_ack_timeout(req);
	// One more than others get: data may have been answered already.
	const max_retries = (tp.icsk_syn_retries !== 0 ? tp.icsk_syn_retries : sk.net.ipv4.sysctl_tcp_synack_retries) + 1;
	if (req.num_timeout >= max_retries) {
		tcp_write_err(sk);
		return;
	}
	if (tp.icsk_retransmits === 1) tcp_enter_loss(sk);
	inet_rtx_syn_ack(sk, req);
	req.num_timeout++;
	tcp_update_rto_stats(sk);
	if (tp.retrans_stamp === 0) tp.retrans_stamp = tcp_time_stamp_ts(tp);
	tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, req.timeout * 2 ** req.num_timeout, false);
}

function tcp_update_rto_stats(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.icsk_retransmits === 0) {
		tp.total_rto_recoveries++;
		tp.rto_stamp = tcp_time_stamp_ms(tp);
	}
	tp.icsk_retransmits++;
	tp.total_rto++;
}

/** The peer closed its window on data in flight and does not answer. `rtx_delta`: ms since the first retransmission. */
function tcp_rtx_probe0_timed_out(sk: sock, rtx_delta: number): boolean {
	const tp = tcp_sk(sk);
	let timeout = tcp_rto_max(sk) * 2;
	if (tp.icsk_user_timeout !== 0) {
		if (rtx_delta > tp.icsk_user_timeout) return true;
		timeout = Math.min(timeout, msecs_to_jiffies(tp.icsk_user_timeout));
	}
	if (tp.icsk_timeout - tp.rcv_tstamp <= timeout) return false;
	return msecs_to_jiffies(rtx_delta) > timeout;
}

/** The counter of what the RTO interrupted; -1 for none. */
function recovery_failure_mib(tp: tcp_sock): number {
	const sack = tcp_is_sack(tp);
	if (tp.icsk_ca_state === TCP_CA_Recovery) return sack ? LINUX_MIB_TCPSACKRECOVERYFAIL : LINUX_MIB_TCPRENORECOVERYFAIL;
	if (tp.icsk_ca_state === TCP_CA_Loss) return LINUX_MIB_TCPLOSSFAILURES;
	if (tp.icsk_ca_state === TCP_CA_Disorder || tp.sacked_out !== 0)
		return sack ? LINUX_MIB_TCPSACKFAILURES : LINUX_MIB_TCPRENOFAILURES;
	return -1;
}

/** The next RTO: doubled (RFC 6298 5.5), except of thin streams that asked and of the first SYNs. */
function backoff(sk: sock): void {
	const tp = tcp_sk(sk);
	const n = sk.net.ipv4;
	const thin = tp.packets_out < 4 && !tcp_in_initial_slowstart(tp);
	if (
		sk.sk_state === TCP_ESTABLISHED &&
		(tp.thin_lto || n.sysctl_tcp_thin_linear_timeouts !== 0) &&
		thin &&
		tp.icsk_retransmits <= TCP_THIN_LINEAR_RETRIES
	) {
		tp.icsk_backoff = 0;
		const rto = usecs_to_jiffies((tp.srtt_us >> 3) + tp.rttvar_us);
		tp.icsk_rto = Math.min(Math.max(rto, tcp_rto_min(sk)), tcp_rto_max(sk));
	} else if (sk.sk_state !== TCP_SYN_SENT || tp.total_rto > n.sysctl_tcp_syn_linear_timeouts) {
		tp.icsk_backoff++;
		tp.icsk_rto = Math.min(tp.icsk_rto << 1, tcp_rto_max(sk));
	}
}

/** The RTO passed (RFC 6298 5.4 to 5.6): the first segment again, all others are taken for lost. Context: softirq. */
export function tcp_retransmit_timer(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.fastopen_rsk !== null) {
		tcp_fastopen_synack_timer(sk, tp.fastopen_rsk);
		return;
	}
	const skb = tcp_rtx_queue_head(sk);
	if (tp.packets_out === 0 || skb === null) return;
	const n = sk.net;
	const syn = ((1 << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0;
	if (tp.snd_wnd === 0 && !sock_flag(sk, SOCK_DEAD) && !syn) {
		// The window was taken back: retransmissions serve as probes, which a peer may leave unserved for long.
		const stamp = tp.retrans_stamp !== 0 ? tp.retrans_stamp : tcp_skb_timestamp_ts(tp.tcp_usec_ts, skb);
		let rtx_delta = (tcp_time_stamp_ts(tp) - stamp) >>> 0;
		if (tp.tcp_usec_ts) rtx_delta = Math.floor(rtx_delta / 1000);
		if (tcp_rtx_probe0_timed_out(sk, rtx_delta)) {
			tcp_write_err(sk);
			return;
		}
		tcp_enter_loss(sk);
		tcp_retransmit_skb(sk, skb, 1);
		sk.sk_dst_cache = null;
	} else {
		NET_INC_STATS(n, LINUX_MIB_TCPTIMEOUTS);
		if (tcp_write_timeout(sk)) return;
		if (tp.icsk_retransmits === 0) {
			const mib = recovery_failure_mib(tp);
			if (mib >= 0) NET_INC_STATS(n, mib);
		}
		tcp_enter_loss(sk);
		tcp_update_rto_stats(sk);
		const head = tcp_rtx_queue_head(sk);
		if (head !== null && tcp_retransmit_skb(sk, head, 1) > 0) {
			// A queue of this host is full: soon again, without backing off.
			tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, TCP_RESOURCE_PROBE_INTERVAL, false);
			return;
		}
	}
	backoff(sk);
	tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, tcp_clamp_rto_to_user_timeout(sk), false);
	if (retransmits_timed_out(sk, n.ipv4.sysctl_tcp_retries1 + 1, 0)) sk.sk_dst_cache = null;
}

/** Does what the timer was set for, or waits on when it was moved. Context: softirq. */
export function tcp_write_timer_handler(sk: sock): void {
	const tp = tcp_sk(sk);
	if (((1 << sk.sk_state) & (TCPF_CLOSE | TCPF_LISTEN)) !== 0 || tp.icsk_pending === 0) return;
	if (tp.icsk_timeout > sk.net.machine.jiffies) {
		mod_timer(tp.icsk_retransmit_timer, tp.icsk_timeout);
		return;
	}
	tcp_mstamp_refresh(tp);
	switch (tp.icsk_pending) {
		case ICSK_TIME_REO_TIMEOUT:
			tcp_rack_reo_timeout(sk);
			break;
		case ICSK_TIME_LOSS_PROBE:
			tcp_send_loss_probe(sk);
			break;
		case ICSK_TIME_RETRANS:
			tp.icsk_pending = 0;
			tcp_retransmit_timer(sk);
			break;
		case ICSK_TIME_PROBE0:
			tp.icsk_pending = 0;
			tcp_probe_timer(sk);
			break;
	}
}

function tcp_write_timer(t: timer_list): void {
	tcp_write_timer_handler(t.owner as sock);
}

/** A SYN-ACK's time out. */
export function tcp_syn_ack_timeout(req: tcp_request_sock): void {
	NET_INC_STATS(req.net, LINUX_MIB_TCPTIMEOUTS);
}

// ---- keepalive -------------------------------------------------------------------------------------------------------------------

export function keepalive_time_when(tp: tcp_sock): number {
	return tp.keepalive_time !== 0 ? tp.keepalive_time : tp.sk.net.ipv4.sysctl_tcp_keepalive_time;
}

export function keepalive_intvl_when(tp: tcp_sock): number {
	return tp.keepalive_intvl !== 0 ? tp.keepalive_intvl : tp.sk.net.ipv4.sysctl_tcp_keepalive_intvl;
}

export function keepalive_probes(tp: tcp_sock): number {
	return tp.keepalive_probes !== 0 ? tp.keepalive_probes : tp.sk.net.ipv4.sysctl_tcp_keepalive_probes;
}

/** jiffies since the peer was last heard. */
export function keepalive_time_elapsed(tp: tcp_sock): number {
	const now = tp.sk.net.machine.jiffies;
	return Math.min(now - tp.icsk_ack_lrcvtime, now - tp.rcv_tstamp);
}

/** How long an orphan stays in FIN_WAIT2, in jiffies. */
export function tcp_fin_time(sk: sock): number {
	const tp = tcp_sk(sk);
	const fin_timeout = tp.linger2 !== 0 ? tp.linger2 : sk.net.ipv4.sysctl_tcp_fin_timeout;
	// Long enough for a retransmission of the peer's FIN.
	const rto = tp.icsk_rto;
	return Math.max(fin_timeout, (rto << 2) - (rto >> 1));
}

/** SO_KEEPALIVE changes. */
export function tcp_set_keepalive(sk: sock, val: number): void {
	if (((1 << sk.sk_state) & (TCPF_CLOSE | TCPF_LISTEN)) !== 0) return;
	if (val !== 0 && !sock_flag(sk, SOCK_KEEPOPEN)) inet_csk_reset_keepalive_timer(sk, keepalive_time_when(tcp_sk(sk)));
	else if (val === 0) inet_csk_delete_keepalive_timer(sk);
}

function tcp_keepalive_timer(t: timer_list): void {
	const sk = t.owner as sock;
	const tp = tcp_sk(sk);
	if (sk.sk_state === TCP_LISTEN) return;
	tcp_mstamp_refresh(tp);
	if (sk.sk_state === TCP_FIN_WAIT2 && sock_flag(sk, SOCK_DEAD)) {
		if (tp.linger2 >= 0) {
			const tmo = tcp_fin_time(sk) - TCP_TIMEWAIT_LEN;
			if (tmo > 0) {
				tcp_time_wait(sk, TCP_FIN_WAIT2, tmo);
				return;
			}
		}
		tcp_send_active_reset(sk, 0);
		tcp_done(sk);
		return;
	}
	if (!sock_flag(sk, SOCK_KEEPOPEN) || sk.sk_state === TCP_CLOSE || sk.sk_state === TCP_SYN_SENT) return;
	const time = keepalive_time_when(tp);
	let next = time;
	// Data under way finds out by itself.
	if (tp.packets_out === 0 && tcp_write_queue_empty(sk)) {
		const elapsed = keepalive_time_elapsed(tp);
		if (elapsed >= time) {
			const user_timeout = tp.icsk_user_timeout;
			if (
				user_timeout !== 0
					? elapsed >= msecs_to_jiffies(user_timeout) && tp.icsk_probes_out > 0
					: tp.icsk_probes_out >= keepalive_probes(tp)
			) {
				tcp_send_active_reset(sk, 0);
				tcp_write_err(sk);
				return;
			}
			if (tcp_write_wakeup(sk, LINUX_MIB_TCPKEEPALIVE) <= 0) {
				tp.icsk_probes_out++;
				next = keepalive_intvl_when(tp);
			} else next = TCP_RESOURCE_PROBE_INTERVAL;
		} else next = time - elapsed;
	}
	inet_csk_reset_keepalive_timer(sk, next);
}

// ---- birth -----------------------------------------------------------------------------------------------------------------------

/** ACKs were held back since SACKs came thick; now one goes for all. */
function tcp_compressed_ack_kick(timer: hrtimer): void {
	const sk = timer.owner as sock;
	const tp = tcp_sk(sk);
	if (tp.compressed_ack === 0) return;
	// The one that goes is not one that was spared.
	tp.compressed_ack--;
	tcp_mstamp_refresh(tp);
	tcp_send_ack(sk);
}

/** All of a connection's timers but the keepalive's and the handshake's stop. */
export function tcp_clear_xmit_timers(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.pacing_timer !== null) hrtimer_cancel(tp.pacing_timer);
	if (tp.compressed_ack_timer !== null && hrtimer_cancel(tp.compressed_ack_timer)) tp.compressed_ack = 0;
	inet_csk_clear_xmit_timers(sk);
}

export function tcp_init_xmit_timers(sk: sock): void {
	const tp = tcp_sk(sk);
	inet_csk_init_xmit_timers(sk, tcp_write_timer, tcp_delack_timer, tcp_keepalive_timer);
	tp.pacing_timer = null;
	tp.compressed_ack_timer = null;
}

/** The timer of pacing: most connections never need it. */
export function tcp_pacing_timer(tp: tcp_sock): hrtimer {
	tp.pacing_timer ??= new hrtimer(tp.sk.net.machine, tcp_pace_kick, tp.sk, 'tcp_pace_kick');
	return tp.pacing_timer;
}

/** The timer of ACKs that are held back. */
export function tcp_compressed_ack_timer(tp: tcp_sock): hrtimer {
	tp.compressed_ack_timer ??= new hrtimer(tp.sk.net.machine, tcp_compressed_ack_kick, tp.sk, 'tcp_compressed_ack_kick');
	return tp.compressed_ack_timer;
}
