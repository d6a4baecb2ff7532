/*
 * net/ipv4/tcp_sockopt.ts: options of a TCP socket.                Linux: net/ipv4/tcp.c (do_tcp_setsockopt, do_tcp_getsockopt)
 * tcp(7). TCP_REPAIR takes a connection's state out and puts it in again (CRIU). Not here: TCP_ULP (kTLS), TCP_ZEROCOPY_RECEIVE, TCP_AO_*.
 */
import { HZ, msecs_to_jiffies, usecs_to_jiffies } from '../../kernel/time.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL, ENOENT, ENOPROTOOPT, EOPNOTSUPP, EPERM } from '../../uapi/asm-generic/errno.ts';
import { SOL_TCP } from '../../uapi/linux/socket.ts';
import {
	TCP_CC_INFO,
	TCP_CONGESTION,
	TCP_CORK,
	TCP_DEFER_ACCEPT,
	TCP_DELACK_MAX_US,
	TCP_FASTOPEN,
	TCP_FASTOPEN_CONNECT,
	TCP_FASTOPEN_KEY,
	TCP_FASTOPEN_NO_COOKIE,
	TCP_INFO,
	TCP_INQ,
	TCP_IS_MPTCP,
	TCP_KEEPCNT,
	TCP_KEEPIDLE,
	TCP_KEEPINTVL,
	TCP_LINGER2,
	TCP_MAXSEG,
	TCP_MD5SIG,
	TCP_MD5SIG_EXT,
	TCP_NO_QUEUE,
	TCP_NODELAY,
	TCP_NOTSENT_LOWAT,
	TCP_QUEUE_SEQ,
	TCP_QUICKACK,
	TCP_RECV_QUEUE,
	TCP_REPAIR,
	TCP_REPAIR_OFF,
	TCP_REPAIR_OFF_NO_WP,
	TCP_REPAIR_ON,
	TCP_REPAIR_OPTIONS,
	TCP_REPAIR_QUEUE,
	TCP_REPAIR_WINDOW,
	TCP_RTO_MAX_MS,
	TCP_RTO_MIN_US,
	TCP_SAVE_SYN,
	TCP_SAVED_SYN,
	TCP_SEND_QUEUE,
	TCP_SYNCNT,
	TCP_THIN_DUPACK,
	TCP_THIN_LINEAR_TIMEOUTS,
	TCP_TIMESTAMP,
	TCP_TX_DELAY,
	TCP_ULP,
	TCP_USER_TIMEOUT,
	TCP_WINDOW_CLAMP,
	TCPOPT_MSS,
	TCPOPT_SACK_PERM,
	TCPOPT_TIMESTAMP,
	TCPOPT_WINDOW,
} from '../../uapi/linux/tcp.ts';
import {
	SOCK_KEEPOPEN,
	type sock,
	sock_flag,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_ESTABLISHED,
	TCP_LISTEN,
} from '../core/sock.ts';
import { inet_csk_reset_keepalive_timer } from './inet_connection_sock.ts';
import { ip_getsockopt, ip_setsockopt } from './ip_sockglue.ts';
import { retrans_to_secs, secs_to_retrans } from './tcp.ts';
import { tcp_set_congestion_control } from './tcp_cong.ts';
import {
	fastopen_init_queue,
	TFO_CLIENT_ENABLE,
	tcp_fastopen_get_cipher,
	tcp_fastopen_init_key_once,
	tcp_fastopen_reset_cipher,
} from './tcp_fastopen.ts';
import { TCP_INFO_LEN, tcp_get_info } from './tcp_info.ts';
import { tcp_v4_parse_md5_keys } from './tcp_ipv4_md5.ts';
import { tcp_mtup_init, tcp_push_pending_frames, tcp_send_window_probe } from './tcp_output.ts';
import { tcp_cleanup_rbuf, tcp_set_window_clamp } from './tcp_recvmsg.ts';
import {
	after,
	ICSK_ACK_PUSHED,
	inet_csk_ack_scheduled,
	inet_csk_enter_pingpong_mode,
	inet_csk_exit_pingpong_mode,
	inet_csk_in_pingpong_mode,
	MAX_TCP_KEEPCNT,
	MAX_TCP_KEEPIDLE,
	MAX_TCP_KEEPINTVL,
	MAX_TCP_SYNCNT,
	MAX_TCP_WINDOW,
	TCP_DELACK_MAX,
	TCP_MIN_MSS,
	TCP_NAGLE_CORK,
	TCP_NAGLE_OFF,
	TCP_NAGLE_PUSH,
	TCP_RTO_MAX,
	TCP_RTO_MIN,
	TCP_SACK_SEEN,
	TCP_TIMEOUT_INIT,
	TCP_TIMEOUT_MIN,
	tcp_clock_us,
	tcp_rtx_queue_empty,
	tcp_sk,
	type tcp_sock,
} from './tcp_sock.ts';

/** The longest that FIN_WAIT2 can be asked to last: 2 minutes. */
const TCP_FIN_TIMEOUT_MAX = 120 * HZ;

/** struct tcp_repair_window: snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup. */
const REPAIR_WINDOW_LEN = 20;

/** CAP_NET_ADMIN of who made the socket. */
function capable(sk: sock): boolean {
	return sk.sk_uid === 0;
}

/** Turns Nagle's algorithm off, and pushes what it held. */
export function __tcp_sock_set_nodelay(sk: sock, on: boolean): void {
	const tp = tcp_sk(sk);
	if (on) {
		tp.nonagle |= TCP_NAGLE_OFF | TCP_NAGLE_PUSH;
		tcp_push_pending_frames(sk);
	} else tp.nonagle &= ~TCP_NAGLE_OFF;
}

/** While corked only full segments leave. */
export function __tcp_sock_set_cork(sk: sock, on: boolean): void {
	const tp = tcp_sk(sk);
	if (on) tp.nonagle |= TCP_NAGLE_CORK;
	else {
		tp.nonagle &= ~TCP_NAGLE_CORK;
		if ((tp.nonagle & TCP_NAGLE_OFF) !== 0) tp.nonagle |= TCP_NAGLE_PUSH;
		tcp_push_pending_frames(sk);
	}
}

function __tcp_sock_set_quickack(sk: sock, val: number): void {
	if (val === 0) {
		inet_csk_enter_pingpong_mode(sk);
		return;
	}
	inet_csk_exit_pingpong_mode(sk);
	if ((sk.sk_state === TCP_ESTABLISHED || sk.sk_state === TCP_CLOSE_WAIT) && inet_csk_ack_scheduled(sk)) {
		tcp_sk(sk).icsk_ack_pending |= ICSK_ACK_PUSHED;
		tcp_cleanup_rbuf(sk, 1);
		if ((val & 1) === 0) inet_csk_enter_pingpong_mode(sk);
	}
}

function tcp_sock_set_keepidle(sk: sock, val: number): number {
	const tp = tcp_sk(sk);
	if (val < 1 || val > MAX_TCP_KEEPIDLE) return -EINVAL;
	tp.keepalive_time = val * HZ;
	if (sock_flag(sk, SOCK_KEEPOPEN) && sk.sk_state !== TCP_CLOSE && sk.sk_state !== TCP_LISTEN) {
		const now = sk.net.machine.jiffies;
		const elapsed = Math.min(now - tp.icsk_ack_lrcvtime, now - tp.rcv_tstamp);
		inet_csk_reset_keepalive_timer(sk, tp.keepalive_time > elapsed ? tp.keepalive_time - elapsed : 0);
	}
	return 0;
}

// ---- repair ----------------------------------------------------------------------------------------------------------------------

function tcp_set_repair(sk: sock, val: number): number {
	const tp = tcp_sk(sk);
	if (!capable(sk) || sk.sk_state === TCP_LISTEN) return -EPERM;
	if (val === TCP_REPAIR_ON) {
		tp.repair = true;
		// SK_FORCE_REUSE: the address is taken whoever has it.
		sk.sk_reuse = 2;
		tp.repair_queue = TCP_NO_QUEUE;
	} else if (val === TCP_REPAIR_OFF) {
		tp.repair = false;
		sk.sk_reuse = 0;
		tcp_send_window_probe(sk);
	} else if (val === TCP_REPAIR_OFF_NO_WP) {
		tp.repair = false;
		sk.sk_reuse = 0;
	} else return -EINVAL;
	return 0;
}

function tcp_set_queue_seq(sk: sock, val: number): number {
	const tp = tcp_sk(sk);
	if (sk.sk_state !== TCP_CLOSE) return -EPERM;
	if (tp.repair_queue === TCP_SEND_QUEUE) {
		if (!tcp_rtx_queue_empty(sk)) return -EPERM;
		tp.write_seq = val | 0;
		return 0;
	}
	if (tp.repair_queue === TCP_RECV_QUEUE) {
		if (tp.rcv_nxt !== tp.copied_seq) return -EPERM;
		tp.rcv_nxt = val | 0;
		tp.copied_seq = val | 0;
		return 0;
	}
	return -EINVAL;
}

/** Options that were agreed on: struct tcp_repair_opt { code, value } each. */
function tcp_repair_options_est(sk: sock, optval: Uint8Array): number {
	const tp = tcp_sk(sk);
	for (let at = 0; at + 8 <= optval.length; at += 8) {
		const val = get_unaligned_le32(optval, at + 4);
		switch (get_unaligned_le32(optval, at)) {
			case TCPOPT_MSS:
				tp.rx_opt.mss_clamp = val & 0xffff;
				tcp_mtup_init(sk);
				break;
			case TCPOPT_WINDOW: {
				const snd = val & 0xffff;
				const rcv = val >>> 16;
				if (snd > 14 || rcv > 14) return -0x1b;
				tp.rx_opt.snd_wscale = snd;
				tp.rx_opt.rcv_wscale = rcv;
				tp.rx_opt.wscale_ok = true;
				break;
			}
			case TCPOPT_SACK_PERM:
				if (val !== 0) return -EINVAL;
				tp.rx_opt.sack_ok |= TCP_SACK_SEEN;
				break;
			case TCPOPT_TIMESTAMP:
				if (val !== 0) return -EINVAL;
				tp.rx_opt.tstamp_ok = true;
				break;
		}
	}
	return 0;
}

function tcp_repair_set_window(tp: tcp_sock, optval: Uint8Array): number {
	if (!tp.repair) return -EPERM;
	if (optval.length !== REPAIR_WINDOW_LEN) return -EINVAL;
	const snd_wl1 = get_unaligned_le32(optval, 0) | 0;
	const snd_wnd = get_unaligned_le32(optval, 4) >>> 0;
	const max_window = get_unaligned_le32(optval, 8) >>> 0;
	const rcv_wnd = get_unaligned_le32(optval, 12) >>> 0;
	const rcv_wup = get_unaligned_le32(optval, 16) | 0;
	if (max_window < snd_wnd) return -EINVAL;
	if (after(snd_wl1, (tp.rcv_nxt + rcv_wnd) | 0)) return -EINVAL;
	if (after(rcv_wup, tp.rcv_nxt)) return -EINVAL;
	tp.snd_wl1 = snd_wl1;
	tp.snd_wnd = snd_wnd;
	tp.max_window = max_window;
	tp.rcv_wnd = rcv_wnd;
	tp.rcv_wup = rcv_wup;
	return 0;
}

// ---- setsockopt ------------------------------------------------------------------------------------------------------------------

function cstr(b: Uint8Array, max: number): string {
	let s = '';
	for (let i = 0; i < b.length && i < max && b[i] !== 0; i++) s += String.fromCharCode(b[i]);
	return s;
}

function tcp_clock_ts(sk: sock, usec: boolean): number {
	const us = tcp_clock_us(sk);
	return (usec ? us : Math.floor(us / 1000)) | 0;
}

/** setsockopt(2) at SOL_TCP; IP's options at SOL_IP. Return: 0 or -errno. */
export function tcp_setsockopt(sk: sock, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_TCP) return ip_setsockopt(sk, level, optname, optval);
	switch (optname) {
		case TCP_CONGESTION:
			if (optval.length < 1) return -EINVAL;
			return tcp_set_congestion_control(sk, cstr(optval, 15), true, capable(sk));
		case TCP_ULP:
			return optval.length < 1 ? -EINVAL : -ENOENT;
		case TCP_FASTOPEN_KEY:
			if (optval.length !== 16 && optval.length !== 32) return -EINVAL;
			return tcp_fastopen_reset_cipher(sk.net, sk, optval.slice(0, 16), optval.length === 32 ? optval.slice(16) : null);
	}
	if (optval.length < 4) return -EINVAL;
	const val = get_unaligned_le32(optval, 0) | 0;
	const err = tcp_set_plain(sk, optname, val);
	return err !== NOT_PLAIN ? err : tcp_set_other(sk, optname, val, optval);
}

const NOT_PLAIN = 1;

/** Options that only set a value. Return: NOT_PLAIN for others. */
function tcp_set_plain(sk: sock, optname: number, val: number): number {
	const tp = tcp_sk(sk);
	switch (optname) {
		case TCP_SYNCNT:
			if (val < 1 || val > MAX_TCP_SYNCNT) return -EINVAL;
			tp.icsk_syn_retries = val;
			return 0;
		case TCP_USER_TIMEOUT:
			if (val < 0) return -EINVAL;
			tp.icsk_user_timeout = val;
			return 0;
		case TCP_KEEPINTVL:
			if (val < 1 || val > MAX_TCP_KEEPINTVL) return -EINVAL;
			tp.keepalive_intvl = val * HZ;
			return 0;
		case TCP_KEEPCNT:
			if (val < 1 || val > MAX_TCP_KEEPCNT) return -EINVAL;
			tp.keepalive_probes = val;
			return 0;
		case TCP_LINGER2:
			if (val < 0) tp.linger2 = -1;
			else tp.linger2 = val > TCP_FIN_TIMEOUT_MAX / HZ ? TCP_FIN_TIMEOUT_MAX : val * HZ;
			return 0;
		case TCP_DEFER_ACCEPT:
			tp.icsk_accept_queue.rskq_defer_accept = secs_to_retrans(val, TCP_TIMEOUT_INIT / HZ, TCP_RTO_MAX / HZ);
			return 0;
		case TCP_RTO_MAX_MS:
			if (val < 1000 || val > 120000) return -EINVAL;
			tp.icsk_rto_max = msecs_to_jiffies(val);
			return 0;
		case TCP_RTO_MIN_US: {
			const j = usecs_to_jiffies(val >>> 0);
			if (j > TCP_RTO_MIN || j < TCP_TIMEOUT_MIN) return -EINVAL;
			tp.icsk_rto_min = j;
			return 0;
		}
		case TCP_DELACK_MAX_US: {
			const j = usecs_to_jiffies(val >>> 0);
			if (j > TCP_DELACK_MAX || j < TCP_TIMEOUT_MIN) return -EINVAL;
			tp.icsk_delack_max = j;
			return 0;
		}
		case TCP_MAXSEG:
			if (val !== 0 && (val < TCP_MIN_MSS || val > MAX_TCP_WINDOW)) return -EINVAL;
			tp.rx_opt.user_mss = val;
			return 0;
		case TCP_THIN_LINEAR_TIMEOUTS:
			if (val < 0 || val > 1) return -EINVAL;
			tp.thin_lto = val !== 0;
			return 0;
		case TCP_THIN_DUPACK:
			return val < 0 || val > 1 ? -EINVAL : 0;
		case TCP_SAVE_SYN:
			if (val < 0 || val > 2) return -EINVAL;
			tp.save_syn = val;
			return 0;
		case TCP_INQ:
			if (val < 0 || val > 1) return -EINVAL;
			tp.recvmsg_inq = val !== 0;
			return 0;
		case TCP_TX_DELAY:
			if (val < 0) return -EINVAL;
			tp.tcp_tx_delay = val;
			return 0;
		case TCP_NOTSENT_LOWAT:
			tp.notsent_lowat = val >>> 0;
			sk.sk_write_space(sk);
			return 0;
	}
	return NOT_PLAIN;
}

function tcp_set_other(sk: sock, optname: number, val: number, optval: Uint8Array): number {
	const tp = tcp_sk(sk);
	const state = sk.sk_state;
	switch (optname) {
		case TCP_NODELAY:
			__tcp_sock_set_nodelay(sk, val !== 0);
			return 0;
		case TCP_CORK:
			__tcp_sock_set_cork(sk, val !== 0);
			return 0;
		case TCP_KEEPIDLE:
			return tcp_sock_set_keepidle(sk, val);
		case TCP_WINDOW_CLAMP:
			return tcp_set_window_clamp(sk, val);
		case TCP_QUICKACK:
			__tcp_sock_set_quickack(sk, val);
			return 0;
		case TCP_MD5SIG:
		case TCP_MD5SIG_EXT:
			return tcp_v4_parse_md5_keys(sk, optname, optval);
		case TCP_FASTOPEN:
			if (val < 0 || (state !== TCP_CLOSE && state !== TCP_LISTEN)) return -EINVAL;
			tcp_fastopen_init_key_once(sk.net);
			fastopen_init_queue(sk, val);
			return 0;
		case TCP_FASTOPEN_CONNECT:
			if (val < 0 || val > 1) return -EINVAL;
			if ((sk.net.ipv4.sysctl_tcp_fastopen & TFO_CLIENT_ENABLE) === 0) return -EOPNOTSUPP;
			if (state !== TCP_CLOSE) return -EINVAL;
			tp.fastopen_connect = val !== 0;
			return 0;
		case TCP_FASTOPEN_NO_COOKIE:
			if (val < 0 || val > 1 || (state !== TCP_CLOSE && state !== TCP_LISTEN)) return -EINVAL;
			tp.fastopen_no_cookie = val !== 0;
			return 0;
		case TCP_REPAIR:
			return tcp_set_repair(sk, val);
		case TCP_REPAIR_QUEUE:
			if (!tp.repair) return -EPERM;
			if (val < TCP_NO_QUEUE || val > TCP_SEND_QUEUE) return -EINVAL;
			tp.repair_queue = val;
			return 0;
		case TCP_QUEUE_SEQ:
			return tcp_set_queue_seq(sk, val);
		case TCP_REPAIR_OPTIONS:
			if (!tp.repair) return -EINVAL;
			return state === TCP_ESTABLISHED && tp.bytes_sent === 0 ? tcp_repair_options_est(sk, optval) : -EPERM;
		case TCP_REPAIR_WINDOW:
			return tcp_repair_set_window(tp, optval);
		case TCP_TIMESTAMP:
			if (!tp.repair) return -EPERM;
			tp.tcp_usec_ts = (val & 1) !== 0;
			tp.tsoffset = (val - tcp_clock_ts(sk, tp.tcp_usec_ts)) | 0;
			return 0;
	}
	return -ENOPROTOOPT;
}

// ---- getsockopt ------------------------------------------------------------------------------------------------------------------

/** getsockopt(2) at SOL_TCP; IP's options at SOL_IP. Return: the value's length in `optval`, or -errno. */
export function tcp_getsockopt(sk: sock, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_TCP) return ip_getsockopt(sk, level, optname, optval);
	const tp = tcp_sk(sk);
	switch (optname) {
		case TCP_INFO: {
			const info = new Uint8Array(TCP_INFO_LEN);
			tcp_get_info(sk, info, 0);
			return copy_out(optval, info, TCP_INFO_LEN);
		}
		case TCP_CC_INFO: {
			const info = new Uint8Array(64);
			const r = tp.icsk_ca_ops.get_info !== null ? tp.icsk_ca_ops.get_info(sk, info) : null;
			return r === null ? 0 : copy_out(optval, info, r.len);
		}
		case TCP_CONGESTION: {
			const name = new Uint8Array(16);
			for (let i = 0; i < tp.icsk_ca_ops.name.length; i++) name[i] = tp.icsk_ca_ops.name.charCodeAt(i);
			return copy_out(optval, name, 16);
		}
		case TCP_ULP:
			return 0;
		case TCP_FASTOPEN_KEY: {
			const keys = tcp_fastopen_get_cipher(sk.net, sk);
			return copy_out(optval, keys, keys.length);
		}
		case TCP_REPAIR_WINDOW:
			return tcp_get_repair_window(tp, optval);
		case TCP_SAVED_SYN: {
			const syn = tp.saved_syn;
			if (syn === null) return 0;
			if (optval.length < syn.length) return -EINVAL;
			tp.saved_syn = null;
			return copy_out(optval, syn, syn.length);
		}
	}
	const val = tcp_get_int(sk, tp, optname);
	if (val === null) return -ENOPROTOOPT;
	if (typeof val !== 'number') return -EINVAL;
	const four = new Uint8Array(4);
	put_unaligned_le32(four, 0, val);
	return copy_out(optval, four, 4);
}

function copy_out(optval: Uint8Array, from: Uint8Array, len: number): number {
	const n = Math.min(len, optval.length);
	optval.set(from.subarray(0, n));
	return n;
}

function tcp_get_repair_window(tp: tcp_sock, optval: Uint8Array): number {
	if (optval.length !== REPAIR_WINDOW_LEN) return -EINVAL;
	if (!tp.repair) return -EPERM;
	put_unaligned_le32(optval, 0, tp.snd_wl1);
	put_unaligned_le32(optval, 4, tp.snd_wnd);
	put_unaligned_le32(optval, 8, tp.max_window);
	put_unaligned_le32(optval, 12, tp.rcv_wnd);
	put_unaligned_le32(optval, 16, tp.rcv_wup);
	return REPAIR_WINDOW_LEN;
}

/** Return: the value; false when the option does not apply now (EINVAL); null for no such option. */
function tcp_get_int(sk: sock, tp: tcp_sock, optname: number): number | boolean | null {
	const n = sk.net.ipv4;
	switch (optname) {
		case TCP_MAXSEG:
			if (tp.rx_opt.user_mss !== 0 && (sk.sk_state === TCP_CLOSE || sk.sk_state === TCP_LISTEN))
				return tp.rx_opt.user_mss;
			return tp.repair ? tp.rx_opt.mss_clamp : tp.mss_cache;
		case TCP_NODELAY:
			return Number((tp.nonagle & TCP_NAGLE_OFF) !== 0);
		case TCP_CORK:
			return Number((tp.nonagle & TCP_NAGLE_CORK) !== 0);
		case TCP_KEEPIDLE:
			return Math.trunc((tp.keepalive_time !== 0 ? tp.keepalive_time : n.sysctl_tcp_keepalive_time) / HZ);
		case TCP_KEEPINTVL:
			return Math.trunc((tp.keepalive_intvl !== 0 ? tp.keepalive_intvl : n.sysctl_tcp_keepalive_intvl) / HZ);
		case TCP_KEEPCNT:
			return tp.keepalive_probes !== 0 ? tp.keepalive_probes : n.sysctl_tcp_keepalive_probes;
		case TCP_SYNCNT:
			return tp.icsk_syn_retries !== 0 ? tp.icsk_syn_retries : n.sysctl_tcp_syn_retries;
		case TCP_LINGER2:
			if (tp.linger2 < 0) return tp.linger2;
			return Math.trunc((tp.linger2 !== 0 ? tp.linger2 : n.sysctl_tcp_fin_timeout) / HZ);
		case TCP_DEFER_ACCEPT:
			return retrans_to_secs(tp.icsk_accept_queue.rskq_defer_accept, TCP_TIMEOUT_INIT / HZ, TCP_RTO_MAX / HZ);
		case TCP_WINDOW_CLAMP:
			return tp.window_clamp;
		case TCP_QUICKACK:
			return Number(!inet_csk_in_pingpong_mode(sk));
		case TCP_THIN_LINEAR_TIMEOUTS:
			return Number(tp.thin_lto);
		case TCP_THIN_DUPACK:
			return 0;
		case TCP_REPAIR:
			return Number(tp.repair);
		case TCP_REPAIR_QUEUE:
			return tp.repair ? tp.repair_queue : false;
		case TCP_QUEUE_SEQ:
			if (tp.repair_queue === TCP_SEND_QUEUE) return tp.write_seq;
			return tp.repair_queue === TCP_RECV_QUEUE ? tp.rcv_nxt : false;
		case TCP_USER_TIMEOUT:
			return tp.icsk_user_timeout;
		case TCP_FASTOPEN:
			return tp.icsk_accept_queue.fastopenq.max_qlen;
		case TCP_FASTOPEN_CONNECT:
			return Number(tp.fastopen_connect);
		case TCP_FASTOPEN_NO_COOKIE:
			return Number(tp.fastopen_no_cookie);
		case TCP_TX_DELAY:
			return tp.tcp_tx_delay;
		case TCP_TIMESTAMP: {
			const ts = (tcp_clock_ts(sk, tp.tcp_usec_ts) + tp.tsoffset) | 0;
			return tp.tcp_usec_ts ? ts | 1 : ts & ~1;
		}
		case TCP_NOTSENT_LOWAT:
			return tp.notsent_lowat;
		case TCP_INQ:
			return Number(tp.recvmsg_inq);
		case TCP_SAVE_SYN:
			return tp.save_syn;
		case TCP_IS_MPTCP:
			return 0;
		case TCP_RTO_MAX_MS:
			return (tp.icsk_rto_max * 1000) / HZ;
		case TCP_RTO_MIN_US:
			return (tp.icsk_rto_min * 1e6) / HZ;
		case TCP_DELACK_MAX_US:
			return (tp.icsk_delack_max * 1e6) / HZ;
	}
	return null;
}
