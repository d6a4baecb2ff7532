/*
 * net/ipv4/tcp.ts: the socket's side of TCP: its birth, states and end; poll and ioctl.        Linux: net/ipv4/tcp.c
 *
 * Walk: tcp_init_sock -> tcp_set_state (every change of state) -> tcp_shutdown, __tcp_close -> tcp_disconnect, tcp_done.
 * Writing is in tcp_sendmsg.ts, reading in tcp_recvmsg.ts, options in tcp_sockopt.ts, TCP_INFO in tcp_info.ts.
 * RFC 9293 3.3.2 (states), 3.9.1.4 (CLOSE), 3.9.1.5 (ABORT), 3.6 (closing); RFC 2525 2.17 (a close with unread data resets).
 */

import type { Machine } from '../../kernel/machine.ts';
import { net_info_ratelimited } from '../../kernel/printk.ts';
import { HZ, jiffies_to_msecs } from '../../kernel/time.ts';
import { put_unaligned_le32 } from '../../lib/byteorder.ts';
import { ECONNABORTED, ECONNRESET, EINVAL, ENOENT, ENOTTY } from '../../uapi/asm-generic/errno.ts';
import {
	LINUX_MIB_TCPABORTONCLOSE,
	LINUX_MIB_TCPABORTONDATA,
	LINUX_MIB_TCPABORTONLINGER,
	LINUX_MIB_TCPABORTONMEMORY,
	LINUX_MIB_TCPMEMORYPRESSURES,
	LINUX_MIB_TCPMEMORYPRESSURESCHRONO,
	TCP_MIB_ATTEMPTFAILS,
	TCP_MIB_CURRESTAB,
	TCP_MIB_ESTABRESETS,
} from '../../uapi/linux/snmp.ts';
import {
	POLLERR,
	POLLHUP,
	POLLIN,
	POLLOUT,
	POLLPRI,
	POLLRDHUP,
	POLLRDNORM,
	POLLWRNORM,
} from '../../uapi/linux/socket.ts';
import { SIOCATMARK, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD } from '../../uapi/linux/sockios.ts';
import { TCP_CA_Open, TCPHDR_FIN } from '../../uapi/linux/tcp.ts';
import { consume_skb } from '../core/skbuff.ts';
import { __skb_dequeue } from '../core/skbuff_queue.ts';
import { NET_ADD_STATS, NET_INC_STATS, TCP_DEC_STATS, TCP_INC_STATS } from '../core/snmp.ts';
import {
	__release_sock,
	lock_sock,
	RCV_SHUTDOWN,
	release_sock,
	SEND_SHUTDOWN,
	SHUTDOWN_MASK,
	SOCK_BINDADDR_LOCK,
	SOCK_BINDPORT_LOCK,
	SOCK_DEAD,
	SOCK_DONE,
	SOCK_LINGER,
	SOCK_MIN_SNDBUF,
	SOCK_URGINLINE,
	type sock,
	sock_flag,
	sock_orphan,
	sock_reset_flag,
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
} from '../core/sock.ts';
import { sk_memory_allocated, sk_prot_mem_limits, sk_sockets_allocated_inc } from '../core/sock_mem.ts';
import { __sk_stream_is_writeable, sk_stream_write_space } from '../core/stream.ts';
import { inet_sk } from './af_inet.ts';
import { inet_csk_destroy_sock, inet_csk_listen_stop, inet_csk_reset_keepalive_timer } from './inet_connection_sock.ts';
import { inet_put_port } from './inet_hashtables.ts';
import { tcp_assign_congestion_control, tcp_cleanup_congestion_control, tcp_set_ca_state } from './tcp_cong.ts';
import { reqsk_fastopen_remove, tcp_fastopen_active_disable_ofo_check } from './tcp_fastopen.ts';
import { tcp_done_with_error } from './tcp_input.ts';
import { tcp_clear_retrans } from './tcp_input_loss.ts';
import { tcp_time_wait } from './tcp_minisocks.ts';
import { tcp_chrono_stop, tcp_send_active_reset, tcp_send_fin, tcp_wmem_free_skb } from './tcp_output.ts';
import { sock_rcvlowat, tcp_eat_recv_skb, tcp_epollin_ready, tcp_inq } from './tcp_recvmsg.ts';
import {
	after,
	inet_csk,
	TCP_ACTION_FIN,
	TCP_CHRONO_BUSY,
	TCP_DEFAULT_SCALING_RATIO,
	TCP_DELACK_MAX,
	TCP_INFINITE_SSTHRESH,
	TCP_INIT_CWND,
	TCP_MIN_MSS,
	TCP_RTO_MIN,
	TCP_SKB_CB,
	TCP_TIMEOUT_INIT,
	TCP_TIMEWAIT_LEN,
	TCP_URG_VALID,
	TCPF_CLOSE_WAIT,
	TCPF_CLOSING,
	TCPF_ESTABLISHED,
	TCPF_FIN_WAIT1,
	TCPF_FIN_WAIT2,
	TCPF_LAST_ACK,
	TCPF_SYN_RECV,
	TCPF_SYN_SENT,
	tcp_clear_all_retrans_hints,
	tcp_options_received,
	tcp_sk,
	tcp_sock,
} from './tcp_sock.ts';
import { tcp_clear_xmit_timers, tcp_init_xmit_timers } from './tcp_timer.ts';

export {
	tcp_cleanup_rbuf,
	tcp_eat_recv_skb,
	tcp_epollin_ready,
	tcp_inq,
	tcp_peek_len,
	tcp_read_sock,
	tcp_recv_more,
	tcp_recvmsg,
	tcp_set_rcvlowat,
	tcp_set_window_clamp,
} from './tcp_recvmsg.ts';
export {
	tcp_add_write_queue_tail,
	tcp_free_fastopen_req,
	tcp_mark_push,
	tcp_push,
	tcp_remove_empty_skb,
	tcp_send_mss,
	tcp_sendmsg,
	tcp_skb_entail,
	tcp_slow_start_after_idle_check,
	tcp_stream_alloc_skb,
	tcp_wmem_schedule,
} from './tcp_sendmsg.ts';

/** Why a reset is sent (enum sk_rst_reason), for tracepoints. */
export const SK_RST_REASON_TCP_ABORT_ON_CLOSE = 17;
export const SK_RST_REASON_TCP_ABORT_ON_LINGER = 18;
export const SK_RST_REASON_TCP_ABORT_ON_MEMORY = 19;
export const SK_RST_REASON_TCP_STATE = 20;
export const SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT = 21;
export const SK_RST_REASON_TCP_DISCONNECT_WITH_DATA = 22;

function tcp_enter_memory_pressure(sk: sock): void {
	NET_INC_STATS(sk.net, LINUX_MIB_TCPMEMORYPRESSURES);
}

function tcp_leave_memory_pressure(sk: sock): void {
	const since = sk.sk_memory!.memory_pressure;
	NET_ADD_STATS(sk.net, LINUX_MIB_TCPMEMORYPRESSURESCHRONO, jiffies_to_msecs(sk.net.machine.jiffies - since));
}

/** TCP's memory tells of pressure. Called by tcp_init. */
export function tcp_init_mem(machine: Machine): void {
	const m = machine.sock.tcp_memory;
	m.enter_memory_pressure = tcp_enter_memory_pressure;
	m.leave_memory_pressure = tcp_leave_memory_pressure;
}

/** Makes a new socket a TCP socket. Return: 0. */
export function tcp_init_sock(sk: sock): number {
	const n = sk.net.ipv4;
	const tp = new tcp_sock(sk);
	sk.priv = tp;
	inet_sk(sk).is_icsk = true;
	tcp_init_xmit_timers(sk);
	tp.icsk_rto = TCP_TIMEOUT_INIT;
	tp.icsk_rto_max = Math.ceil((n.sysctl_tcp_rto_max_ms * HZ) / 1000);
	tp.icsk_rto_min = Math.ceil((n.sysctl_tcp_rto_min_us * HZ) / 1e6);
	tp.icsk_delack_max = TCP_DELACK_MAX;
	tp.mdev_us = TCP_TIMEOUT_INIT * (1e6 / HZ);
	tp.rtt_min_t[0] = tp.rtt_min_t[1] = tp.rtt_min_t[2] = sk.net.machine.jiffies;
	tp.snd_cwnd = TCP_INIT_CWND;
	// Until something was sent, the application limits the rate.
	tp.app_limited = 0xffffffff;
	tp.rate_app_limited = true;
	tp.snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp.mss_cache = 536;
	tp.reordering = n.sysctl_tcp_reordering;
	tcp_assign_congestion_control(sk);
	tp.rack_reo_wnd_steps = 1;
	tp.scaling_ratio = TCP_DEFAULT_SCALING_RATIO;
	sk.sk_write_space = sk_stream_write_space;
	sk.sk_sndbuf = n.sysctl_tcp_wmem[1];
	sk.sk_rcvbuf = n.sysctl_tcp_rmem[1];
	sk_sockets_allocated_inc(sk);
	return 0;
}

// ---- states ----------------------------------------------------------------------------------------------------------------------

/** Changes the state, and what depends on it: counters, tables, the port. */
export function tcp_set_state(sk: sock, state: number): void {
	const old = sk.sk_state;
	switch (state) {
		case TCP_ESTABLISHED:
			if (old !== TCP_ESTABLISHED) TCP_INC_STATS(sk.net, TCP_MIB_CURRESTAB);
			break;
		case TCP_CLOSE_WAIT:
			if (old === TCP_SYN_RECV) TCP_INC_STATS(sk.net, TCP_MIB_CURRESTAB);
			break;
		case TCP_CLOSE:
			if (old === TCP_CLOSE_WAIT || old === TCP_ESTABLISHED) TCP_INC_STATS(sk.net, TCP_MIB_ESTABRESETS);
			sk.sk_prot.unhash!(sk);
			if (tcp_sk(sk).icsk_bind_hash !== null && (sk.sk_userlocks & SOCK_BINDPORT_LOCK) === 0) inet_put_port(sk);
			break;
	}
	if (state !== TCP_ESTABLISHED && state !== TCP_CLOSE_WAIT && (old === TCP_ESTABLISHED || old === TCP_CLOSE_WAIT))
		TCP_DEC_STATS(sk.net, TCP_MIB_CURRESTAB);
	sk.sk_state = state;
}

/** What closing makes of each state; TCP_ACTION_FIN: a FIN is to be sent. RFC 9293 3.10.4. */
const new_state: readonly number[] = [
	TCP_CLOSE,
	TCP_FIN_WAIT1 | TCP_ACTION_FIN, // ESTABLISHED
	TCP_CLOSE, // SYN_SENT
	TCP_FIN_WAIT1 | TCP_ACTION_FIN, // SYN_RECV
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_CLOSE, // TIME_WAIT
	TCP_CLOSE,
	TCP_LAST_ACK | TCP_ACTION_FIN, // CLOSE_WAIT
	TCP_LAST_ACK,
	TCP_CLOSE, // LISTEN
	TCP_CLOSING,
	TCP_CLOSE, // NEW_SYN_RECV
];

/** Takes the state that closing leads to. Return: whether a FIN is to be sent. */
function tcp_close_state(sk: sock): boolean {
	const next = new_state[sk.sk_state];
	tcp_set_state(sk, next & 15);
	return (next & TCP_ACTION_FIN) !== 0;
}

/** shutdown(2): nothing more will be written. */
export function tcp_shutdown(sk: sock, how: number): void {
	if ((how & SEND_SHUTDOWN) === 0) return;
	if (((1 << sk.sk_state) & (TCPF_ESTABLISHED | TCPF_SYN_SENT | TCPF_CLOSE_WAIT)) === 0) return;
	if (tcp_close_state(sk)) tcp_send_fin(sk);
}

/** The connection has ended: leaves the tables; tells the process, or frees an orphan. */
export function tcp_done(sk: sock): void {
	const req = tcp_sk(sk).fastopen_rsk;
	if (sk.sk_state === TCP_SYN_SENT || sk.sk_state === TCP_SYN_RECV) TCP_INC_STATS(sk.net, TCP_MIB_ATTEMPTFAILS);
	tcp_set_state(sk, TCP_CLOSE);
	tcp_clear_xmit_timers(sk);
	if (req !== null) reqsk_fastopen_remove(sk, req, false);
	sk.sk_shutdown = SHUTDOWN_MASK;
	if (!sock_flag(sk, SOCK_DEAD)) sk.sk_state_change(sk);
	else inet_csk_destroy_sock(sk);
}

// ---- orphans and memory ----------------------------------------------------------------------------------------------------------

function tcp_too_many_orphans(sk: sock, shift: number): boolean {
	const m = sk.sk_memory!;
	return m.orphan_count * 2 ** shift > m.sysctl_max_orphans;
}

function tcp_out_of_memory(sk: sock): boolean {
	return sk.sk_wmem_queued > SOCK_MIN_SNDBUF && sk_memory_allocated(sk) > sk_prot_mem_limits(sk, 2);
}

/** Whether an orphan must go since there are too many, or no memory. `shift`: by how many powers of two it counts more. */
export function tcp_check_oom(sk: sock, shift: number): boolean {
	const too_many = tcp_too_many_orphans(sk, shift);
	const out = tcp_out_of_memory(sk);
	if (too_many) net_info_ratelimited(sk.net.machine, 'TCP: too many orphaned sockets');
	if (out) net_info_ratelimited(sk.net.machine, 'TCP: out of memory -- consider tuning tcp_mem');
	return too_many || out;
}

/** Drops all that waits to be sent or acknowledged. */
export function tcp_write_queue_purge(sk: sock): void {
	const tp = tcp_sk(sk);
	tcp_chrono_stop(sk, TCP_CHRONO_BUSY);
	for (let q = 0; q < 2; q++) {
		const list = q === 0 ? sk.sk_write_queue : tp.tcp_rtx_queue;
		for (let skb = __skb_dequeue(list); skb !== null; skb = __skb_dequeue(list)) {
			const cb = TCP_SKB_CB(skb);
			cb.tsorted = false;
			cb.tsorted_prev = null;
			cb.tsorted_next = null;
			tcp_wmem_free_skb(sk, skb);
		}
	}
	tp.tsorted_first = null;
	tp.tsorted_last = null;
	tp.highest_sack = null;
	tcp_clear_all_retrans_hints(tp);
	tp.packets_out = 0;
	tp.icsk_backoff = 0;
}

/** Drops what was received out of order. */
function tcp_ofo_queue_purge(sk: sock): void {
	const tp = tcp_sk(sk);
	const list = tp.out_of_order_queue;
	for (let skb = __skb_dequeue(list); skb !== null; skb = __skb_dequeue(list)) consume_skb(skb);
	tp.ooo_last_skb = null;
}

// ---- the end ---------------------------------------------------------------------------------------------------------------------

/** jiffies that an orphan stays in FIN_WAIT2. */
export function tcp_fin_time(sk: sock): number {
	const tp = tcp_sk(sk);
	const timeout = tp.linger2 !== 0 ? tp.linger2 : sk.net.ipv4.sysctl_tcp_fin_timeout;
	return Math.max(timeout, (tp.icsk_rto << 2) - (tp.icsk_rto >> 1));
}

/** First half of close: what was not read is thrown away, the peer is told (FIN, or RST when data was lost). */
export function tcp_close_begin(sk: sock): void {
	const tp = tcp_sk(sk);
	sk.sk_shutdown = SHUTDOWN_MASK;
	if (sk.sk_state === TCP_LISTEN) {
		tcp_set_state(sk, TCP_CLOSE);
		inet_csk_listen_stop(sk);
		return;
	}
	let data_was_unread = false;
	for (let skb = sk.sk_receive_queue.first; skb !== null; skb = sk.sk_receive_queue.first) {
		const cb = TCP_SKB_CB(skb);
		const end_seq = (cb.tcp_flags & TCPHDR_FIN) !== 0 ? (cb.end_seq - 1) | 0 : cb.end_seq;
		if (after(end_seq, tp.copied_seq)) data_was_unread = true;
		tcp_eat_recv_skb(sk, skb);
	}
	if (sk.sk_state === TCP_CLOSE) return;
	if (tp.repair) tcp_disconnect(sk, 0);
	else if (data_was_unread) {
		// RFC 2525 2.17: a FIN would tell the peer that all was taken.
		NET_INC_STATS(sk.net, LINUX_MIB_TCPABORTONCLOSE);
		tcp_set_state(sk, TCP_CLOSE);
		tcp_send_active_reset(sk, SK_RST_REASON_TCP_ABORT_ON_CLOSE);
	} else if (sock_flag(sk, SOCK_LINGER) && sk.sk_lingertime === 0) {
		// SO_LINGER of no time: an abort.
		tcp_disconnect(sk, 0);
		NET_INC_STATS(sk.net, LINUX_MIB_TCPABORTONDATA);
	} else if (tcp_close_state(sk)) tcp_send_fin(sk);
}

/** Whether a lingering close still waits: our FIN is not acknowledged. */
export function sk_stream_closing(sk: sock): boolean {
	return ((1 << sk.sk_state) & (TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_LAST_ACK)) !== 0;
}

/** Second half of close: the process lets go; what is left of the connection goes on without it. */
export function tcp_close_finish(sk: sock): void {
	const tp = tcp_sk(sk);
	const state = sk.sk_state;
	sock_orphan(sk);
	// The last that waits for this socket.
	__release_sock(sk);
	sk.sk_memory!.orphan_count++;
	if (state !== TCP_CLOSE && sk.sk_state === TCP_CLOSE) return;
	if (sk.sk_state === TCP_FIN_WAIT2) {
		if (tp.linger2 < 0) {
			tcp_set_state(sk, TCP_CLOSE);
			tcp_send_active_reset(sk, SK_RST_REASON_TCP_ABORT_ON_LINGER);
			NET_INC_STATS(sk.net, LINUX_MIB_TCPABORTONLINGER);
		} else {
			const tmo = tcp_fin_time(sk);
			if (tmo > TCP_TIMEWAIT_LEN) inet_csk_reset_keepalive_timer(sk, tmo - TCP_TIMEWAIT_LEN);
			else {
				tcp_time_wait(sk, TCP_FIN_WAIT2, tmo);
				return;
			}
		}
	}
	if (sk.sk_state !== TCP_CLOSE) {
		if (tcp_check_oom(sk, 0)) {
			tcp_set_state(sk, TCP_CLOSE);
			tcp_send_active_reset(sk, SK_RST_REASON_TCP_ABORT_ON_MEMORY);
			NET_INC_STATS(sk.net, LINUX_MIB_TCPABORTONMEMORY);
		} else if (sk.net.dead) tcp_set_state(sk, TCP_CLOSE);
	}
	if (sk.sk_state === TCP_CLOSE) {
		const req = tp.fastopen_rsk;
		if (req !== null) reqsk_fastopen_remove(sk, req, false);
		inet_csk_destroy_sock(sk);
	}
}

/** close(2) of the last descriptor. Context: process; does not linger (sys_close_linger does, between the halves). */
export function tcp_close(sk: sock): void {
	lock_sock(sk);
	if (!sk.sk_closing) tcp_close_begin(sk);
	tcp_close_finish(sk);
	release_sock(sk);
}

/** Whether closing in this state is told with a reset. */
export function tcp_need_reset(state: number): boolean {
	return ((1 << state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_SYN_RECV)) !== 0;
}

/** Makes a connected socket a fresh one (connect to AF_UNSPEC, aborts). Return: 0. */
export function tcp_disconnect(sk: sock, _flags: number): number {
	const tp = tcp_sk(sk);
	const inet = inet_sk(sk);
	const old = sk.sk_state;
	if (old !== TCP_CLOSE) tcp_set_state(sk, TCP_CLOSE);
	if (old === TCP_LISTEN) inet_csk_listen_stop(sk);
	else if (tp.repair) sk.sk_err = ECONNABORTED;
	else if (tcp_need_reset(old)) {
		tcp_send_active_reset(sk, SK_RST_REASON_TCP_STATE);
		sk.sk_err = ECONNRESET;
	} else if (tp.snd_nxt !== tp.write_seq && ((1 << old) & (TCPF_CLOSING | TCPF_LAST_ACK)) !== 0) {
		tcp_send_active_reset(sk, SK_RST_REASON_TCP_DISCONNECT_WITH_DATA);
		sk.sk_err = ECONNRESET;
	} else if (old === TCP_SYN_SENT) sk.sk_err = ECONNRESET;
	tcp_clear_xmit_timers(sk);
	for (let skb = __skb_dequeue(sk.sk_receive_queue); skb !== null; skb = __skb_dequeue(sk.sk_receive_queue))
		consume_skb(skb);
	tp.copied_seq = tp.rcv_nxt;
	tp.urg_data = 0;
	sk.sk_peek_off = sk.sk_peek_off < 0 ? -1 : 0;
	tcp_write_queue_purge(sk);
	tcp_fastopen_active_disable_ofo_check(sk);
	tcp_ofo_queue_purge(sk);
	inet.inet_dport = 0;
	inet.inet_daddr = 0;
	if ((sk.sk_userlocks & SOCK_BINDADDR_LOCK) === 0) {
		inet.inet_rcv_saddr = 0;
		inet.inet_saddr = 0;
	}
	sk.sk_shutdown = 0;
	sock_reset_flag(sk, SOCK_DONE);
	tcp_forget(sk, tp);
	inet.defer_connect = false;
	tp.fastopen_client_fail = 0;
	tp.fastopen_req = null;
	sk.sk_dst_cache = null;
	tp.saved_syn = null;
	sk.sk_error_report(sk);
	return 0;
}

/** What a connection learned is forgotten; what the process set stays. */
function tcp_forget(sk: sock, tp: tcp_sock): void {
	tp.srtt_us = 0;
	tp.mdev_us = TCP_TIMEOUT_INIT * (1e6 / HZ);
	tp.rcv_rtt_last_tsecr = 0;
	const seq = (tp.write_seq + tp.max_window + 2) | 0;
	tp.write_seq = seq !== 0 ? seq : 1;
	tp.icsk_backoff = 0;
	tp.icsk_probes_out = 0;
	tp.icsk_probes_tstamp = 0;
	tp.icsk_rto = TCP_TIMEOUT_INIT;
	tp.icsk_rto_min = TCP_RTO_MIN;
	tp.icsk_delack_max = TCP_DELACK_MAX;
	tp.snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp.snd_cwnd = TCP_INIT_CWND;
	tp.snd_cwnd_cnt = 0;
	tp.is_cwnd_limited = false;
	tp.max_packets_out = 0;
	tp.window_clamp = 0;
	tp.delivered = 0;
	tp.delivered_ce = 0;
	if (tp.icsk_ca_initialized) tcp_cleanup_congestion_control(sk);
	tp.icsk_ca_priv = null;
	tp.icsk_ca_initialized = false;
	tcp_set_ca_state(sk, TCP_CA_Open);
	tp.is_sack_reneg = false;
	tcp_clear_retrans(tp);
	tp.total_retrans = 0;
	tp.icsk_ack_pending = 0;
	tp.icsk_ack_quick = 0;
	tp.icsk_ack_pingpong = 0;
	tp.icsk_ack_retry = 0;
	tp.icsk_ack_ato = 0;
	tp.icsk_ack_last_seg_size = 0;
	// What a peer's segments are like is not known: as tcp_init_sock leaves it, but not 0.
	tp.icsk_ack_rcv_mss = TCP_MIN_MSS;
	const user_mss = tp.rx_opt.user_mss;
	tp.rx_opt = new tcp_options_received();
	tp.rx_opt.user_mss = user_mss;
	tp.compressed_ack = 0;
	tp.segs_in = 0;
	tp.segs_out = 0;
	tp.bytes_sent = 0;
	tp.bytes_acked = 0;
	tp.bytes_received = 0;
	tp.bytes_retrans = 0;
	tp.data_segs_in = 0;
	tp.data_segs_out = 0;
	tp.duplicate_sack = null;
	tp.dsack_dups = 0;
	tp.reord_seen = 0;
	tp.retrans_out = 0;
	tp.sacked_out = 0;
	tp.lost_out = 0;
	tp.tlp_high_seq = 0;
	tp.last_oow_ack_time = 0;
	tp.app_limited = 0xffffffff;
	tp.rate_app_limited = true;
	tp.rack_mstamp = 0;
	tp.rack_advanced = false;
	tp.rack_reo_wnd_steps = 1;
	tp.rack_last_delivered = 0;
	tp.rack_reo_wnd_persist = 0;
	tp.rack_dsack_seen = false;
	tp.syn_data_acked = false;
	tp.rx_opt.saw_tstamp = false;
	tp.rx_opt.dsack = false;
	tp.rx_opt.num_sacks = 0;
	tp.rcv_ooopack = 0;
	tp.ecn_flags = 0;
	tp.lost = 0;
	tp.prior_cwnd = 0;
	tp.prr_delivered = 0;
	tp.prr_out = 0;
	tp.rtt_min_v.fill(0xffffffff);
	tp.timeout_rehash = 0;
}

/** Kills the connection (ss -K): the process gets `err`. Return: 0 or -errno. */
export function tcp_abort(sk: sock, err: number): number {
	const state = sk.sk_state;
	if (state === TCP_CLOSE) return -ENOENT;
	lock_sock(sk);
	if (state === TCP_LISTEN) {
		tcp_set_state(sk, TCP_CLOSE);
		inet_csk_listen_stop(sk);
	}
	if (tcp_need_reset(state)) tcp_send_active_reset(sk, SK_RST_REASON_TCP_STATE);
	tcp_done_with_error(sk, err);
	release_sock(sk);
	return 0;
}

// ---- poll and ioctl --------------------------------------------------------------------------------------------------------------

/** What poll(2) sees of the socket. Return: POLL*. */
export function tcp_poll(sk: sock): number {
	const tp = tcp_sk(sk);
	const state = sk.sk_state;
	if (state === TCP_LISTEN) return inet_csk(sk).icsk_accept_queue.rskq_accept_head !== null ? POLLIN | POLLRDNORM : 0;
	let mask = 0;
	const shutdown = sk.sk_shutdown;
	if (shutdown === SHUTDOWN_MASK || state === TCP_CLOSE) mask |= POLLHUP;
	if ((shutdown & RCV_SHUTDOWN) !== 0) mask |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (state !== TCP_SYN_SENT && (state !== TCP_SYN_RECV || tp.fastopen_rsk !== null)) {
		let target = sock_rcvlowat(sk, false, 0x7fffffff);
		if (tp.urg_data !== 0 && tp.urg_seq === tp.copied_seq && !sock_flag(sk, SOCK_URGINLINE)) target++;
		if (tcp_epollin_ready(sk, target)) mask |= POLLIN | POLLRDNORM;
		if ((shutdown & SEND_SHUTDOWN) !== 0 || __sk_stream_is_writeable(sk, 1)) mask |= POLLOUT | POLLWRNORM;
		else if (sk.sk_socket !== null) sk.sk_socket.nospace = true;
		if ((tp.urg_data & TCP_URG_VALID) !== 0) mask |= POLLPRI;
	} else if (state === TCP_SYN_SENT && inet_sk(sk).defer_connect) {
		// The SYN waits for the first data.
		mask |= POLLOUT | POLLWRNORM;
	}
	if (sk.sk_err !== 0 || sk.sk_error_queue.first !== null) mask |= POLLERR;
	return mask;
}

/** SIOCINQ, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD: an int in `arg`. Return: 0 or -errno. */
export function tcp_ioctl(sk: sock, cmd: number, arg: Uint8Array): number {
	const tp = tcp_sk(sk);
	let answ: number;
	switch (cmd) {
		case SIOCINQ:
			if (sk.sk_state === TCP_LISTEN) return -EINVAL;
			answ = tcp_inq(sk);
			break;
		case SIOCATMARK:
			answ = tp.urg_data !== 0 && tp.urg_seq === tp.copied_seq ? 1 : 0;
			break;
		case SIOCOUTQ:
		case SIOCOUTQNSD:
			if (sk.sk_state === TCP_LISTEN) return -EINVAL;
			if (((1 << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0) answ = 0;
			else answ = (tp.write_seq - (cmd === SIOCOUTQ ? tp.snd_una : tp.snd_nxt)) | 0;
			break;
		default:
			return -ENOTTY;
	}
	put_unaligned_le32(arg, 0, answ);
	return 0;
}

/** SO_SNDBUF's share of unsent bytes (TCP_NOTSENT_LOWAT). `wake`: 1 asks for twice the room. */
export function tcp_stream_memory_free(sk: sock, wake: number): boolean {
	const tp = tcp_sk(sk);
	const lowat = tp.notsent_lowat !== 0 ? tp.notsent_lowat : sk.net.ipv4.sysctl_tcp_notsent_lowat;
	return (((tp.write_seq - tp.snd_nxt) | 0) << wake) >>> 0 < lowat;
}

/** How many retransmissions, begun at `timeout` seconds and doubling up to `rto_max`, take `seconds`. */
export function secs_to_retrans(seconds: number, timeout: number, rto_max: number): number {
	let res = 0;
	if (seconds > 0) {
		let period = timeout;
		res = 1;
		while (seconds > period && res < 255) {
			res++;
			timeout <<= 1;
			if (timeout > rto_max) timeout = rto_max;
			period += timeout;
		}
	}
	return res;
}

/** The reverse: seconds that `retrans` of them take. */
export function retrans_to_secs(retrans: number, timeout: number, rto_max: number): number {
	let period = 0;
	if (retrans > 0) {
		period = timeout;
		while (--retrans > 0) {
			timeout <<= 1;
			if (timeout > rto_max) timeout = rto_max;
			period += timeout;
		}
	}
	return period;
}
