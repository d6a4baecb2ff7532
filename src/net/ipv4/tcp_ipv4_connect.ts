/*
 * net/ipv4/tcp_ipv4_connect.ts: connect, and what ICMP says of a connection.      Linux: net/ipv4/tcp_ipv4.c (tcp_v4_connect, tcp_v4_err)
 *
 * Walk: tcp_v4_connect routes, takes a source address and a port (inet_hash_connect), chooses numbers and sends the SYN (tcp_connect).
 *       tcp_v4_err finds the connection that an ICMP error is about; what does not fit its window is not believed.
 * RFC 9293 3.10.1 (active OPEN), 3.9.2.2 (ICMP); RFC 5927 4.1; RFC 6069; RFC 1191 6.4; RFC 6191.
 */

import { usecs_to_jiffies } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { get_unaligned_be32 } from '../../lib/byteorder.ts';
import {
	EAFNOSUPPORT,
	EHOSTUNREACH,
	EINVAL,
	EMSGSIZE,
	ENETUNREACH,
	ENOENT,
	EPROTO,
} from '../../uapi/asm-generic/errno.ts';
import {
	ICMP_DEST_UNREACH,
	ICMP_FRAG_NEEDED,
	ICMP_HOST_UNREACH,
	ICMP_NET_UNREACH,
	ICMP_PARAMETERPROB,
	ICMP_REDIRECT,
	ICMP_SOURCE_QUENCH,
	ICMP_TIME_EXCEEDED,
} from '../../uapi/linux/icmp.ts';
import { RT_SCOPE_LINK } from '../../uapi/linux/rtnetlink.ts';
import {
	ICMP_MIB_INERRORS,
	IPSTATS_MIB_OUTNOROUTES,
	LINUX_MIB_LOCKDROPPEDICMPS,
	LINUX_MIB_OUTOFWINDOWICMPS,
	LINUX_MIB_TCPMINTTLDROP,
} from '../../uapi/linux/snmp.ts';
import { AF_INET, IP_PMTUDISC_DONT, IPPROTO_TCP, type sockaddr } from '../../uapi/linux/socket.ts';
import { dst_mtu } from '../core/dst.ts';
import { FLOWI_FLAG_ANYSRC, flowi4, flowi4_init_output } from '../core/flow.ts';
import { secure_tcp_seq, secure_tcp_ts_off } from '../core/secure_seq.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { ICMP_INC_STATS, IP_INC_STATS, NET_INC_STATS } from '../core/snmp.ts';
import {
	__sk_dst_check,
	SOCK_BINDADDR_LOCK,
	SOCK_LOCALROUTE,
	sk_setup_caps,
	type sock,
	sock_flag,
	TCP_CLOSE,
	TCP_FIN_WAIT2,
	TCP_LISTEN,
	TCP_SYN_RECV,
	TCP_SYN_SENT,
} from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import { icmp_err_convert_errno, ip_icmp_error } from './datagram.ts';
import { NR_ICMP_UNREACH } from './icmp.ts';
import { inet_csk_reqsk_queue_drop, inet_csk_reset_xmit_timer, inet_csk_update_pmtu } from './inet_connection_sock.ts';
import { __inet_lookup_established, inet_hash_connect, is_request, is_timewait } from './inet_hashtables.ts';
import { ip_dont_fragment, ip_hdr_ttl, ip_sk_accept_pmtu, ipv4_is_loopback } from './ip.ts';
import { inet_iif } from './ip_sockglue.ts';
import { ip_route_output_flow, RTCF_BROADCAST, RTCF_MULTICAST, type rtable } from './route.ts';
import { tcp_set_state } from './tcp.ts';
import { TCP_MTU_REDUCED_DEFERRED } from './tcp_backlog.ts';
import { tcp_fastopen_defer_connect } from './tcp_fastopen.ts';
import { tcp_done_with_error } from './tcp_input.ts';
import { tcp_simple_retransmit } from './tcp_input_loss.ts';
import { tcp_connect, tcp_sync_mss } from './tcp_output.ts';
import {
	between,
	ICSK_TIME_RETRANS,
	TCP_TIMEOUT_INIT,
	tcp_clock_ms,
	tcp_listendrop,
	tcp_mstamp_refresh,
	type tcp_request_sock,
	tcp_rto_max,
	tcp_rtx_queue_head,
	tcp_sk,
	tcp_skb_timestamp_us,
	type tcp_timewait_sock,
} from './tcp_sock.ts';
import { tcp_retransmit_timer } from './tcp_timer.ts';

const LOOPBACK_IFINDEX = 1;
const TCP_MSS_DEFAULT = 536;

/**
 * Whether an entry in TIME_WAIT may give way to a new connection of `sk`; sets where its sequence numbers begin.
 * Time stamps make it safe (RFC 6191). `choosing`: connect looks for a port, and is not held to this one: then tcp_tw_reuse must allow it.
 */
export function tcp_twsk_unique(sk: sock, tw: tcp_timewait_sock, choosing: boolean): boolean {
	const tp = tcp_sk(sk);
	const ns = sk.net.ipv4;
	let reuse = ns.sysctl_tcp_tw_reuse;
	if (tw.tw_substate === TCP_FIN_WAIT2) reuse = 0;
	if (reuse === 2) {
		const loopback =
			tw.tw_bound_dev_if === LOOPBACK_IFINDEX || ipv4_is_loopback(tw.tw_daddr) || ipv4_is_loopback(tw.tw_rcv_saddr);
		if (!loopback) reuse = 0;
	}
	if (tw.tw_ts_recent_stamp === 0) return false;
	if (choosing && (reuse === 0 || tcp_clock_ms(sk.net) < tw.tw_entry_stamp + ns.sysctl_tcp_tw_reuse_delay))
		return false;
	if (!tp.repair) {
		// Beyond any window that the old connection had.
		tp.write_seq = (tw.tw_snd_nxt + 65535 + 2) | 0;
		if (tp.write_seq === 0) tp.write_seq = 1;
		tp.rx_opt.ts_recent = tw.tw_ts_recent;
		tp.rx_opt.ts_recent_stamp = tw.tw_ts_recent_stamp;
	}
	return true;
}

// ---- connect ---------------------------------------------------------------------------------------------------------------------

function flow(sk: sock, fl4: flowi4, daddr: number, saddr: number, dport: number, sport: number): void {
	const inet = inet_sk(sk);
	flowi4_init_output(
		fl4,
		sk.sk_bound_dev_if,
		sk.sk_mark,
		inet.tos & 0xfc,
		sock_flag(sk, SOCK_LOCALROUTE) ? RT_SCOPE_LINK : 0,
		IPPROTO_TCP,
		inet.transparent ? FLOWI_FLAG_ANYSRC : 0,
		daddr,
		saddr,
		dport,
		sport,
		sk.sk_uid,
	);
}

/** The route of a connection to be: when the source is not known yet, a first lookup says it. Return: it, or -errno. */
function ip_route_connect(
	sk: sock,
	fl4: flowi4,
	daddr: number,
	saddr: number,
	dport: number,
	sport: number,
): rtable | number {
	flow(sk, fl4, daddr, saddr, dport, sport);
	const rt = ip_route_output_flow(sk.net, fl4, sk);
	if (typeof rt === 'number' || (daddr !== 0 && saddr !== 0)) return rt;
	// What depends on the source is looked up with it.
	flow(sk, fl4, fl4.daddr, fl4.saddr, dport, sport);
	return ip_route_output_flow(sk.net, fl4, sk);
}

function tcp_v4_connect_failed(sk: sock, err: number): number {
	const inet = inet_sk(sk);
	tcp_set_state(sk, TCP_CLOSE);
	if ((sk.sk_userlocks & SOCK_BINDADDR_LOCK) === 0) {
		inet.inet_saddr = 0;
		inet.inet_rcv_saddr = 0;
	}
	sk.sk_route_caps = 0;
	inet.inet_dport = 0;
	return err;
}

/** connect(2) of an unconnected socket: sends the SYN. Return: 0 or -errno. */
export function tcp_v4_connect(sk: sock, addr: sockaddr, _flags: number): number {
	const inet = inet_sk(sk);
	const tp = tcp_sk(sk);
	const n = sk.net;
	if (addr.sa_family !== AF_INET) return -EAFNOSUPPORT;
	let daddr = addr.sin_addr;
	let nexthop = daddr;
	const opt = inet.inet_opt;
	if (opt !== null && opt.srr !== 0) {
		if (daddr === 0) return -EINVAL;
		nexthop = opt.faddr;
	}
	const orig_sport = inet.inet_sport;
	const dport = addr.sin_port;
	const fl4 = new flowi4();
	let rt = ip_route_connect(sk, fl4, nexthop, inet.inet_saddr, dport, orig_sport);
	if (typeof rt === 'number') {
		if (rt === -ENETUNREACH) IP_INC_STATS(n, IPSTATS_MIB_OUTNOROUTES);
		return rt;
	}
	if ((rt.rt_flags & (RTCF_MULTICAST | RTCF_BROADCAST)) !== 0) return -ENETUNREACH;
	if (opt === null || opt.srr === 0) daddr = fl4.daddr;
	if (inet.inet_saddr === 0) inet.inet_saddr = fl4.saddr;
	inet.inet_rcv_saddr = inet.inet_saddr;
	if (tp.rx_opt.ts_recent_stamp !== 0 && inet.inet_daddr !== daddr) {
		// What was known of another peer is worth nothing.
		tp.rx_opt.ts_recent = 0;
		tp.rx_opt.ts_recent_stamp = 0;
		if (!tp.repair) tp.write_seq = 0;
	}
	inet.inet_dport = dport;
	inet.inet_daddr = daddr;
	tp.icsk_ext_hdr_len = opt !== null ? opt.optlen : 0;
	tp.rx_opt.mss_clamp = TCP_MSS_DEFAULT;
	tcp_set_state(sk, TCP_SYN_SENT);
	let err = inet_hash_connect(sk);
	if (err < 0) return tcp_v4_connect_failed(sk, err);
	sk.sk_txhash = n.machine.random.u32() | 1;
	if (inet.inet_sport !== orig_sport) {
		// The route may depend on the port.
		flow(sk, fl4, nexthop, inet.inet_saddr, dport, inet.inet_sport);
		rt = ip_route_output_flow(n, fl4, sk);
		if (typeof rt === 'number') return tcp_v4_connect_failed(sk, rt);
	}
	sk_setup_caps(sk, rt);
	if (!tp.repair) {
		if (tp.write_seq === 0) tp.write_seq = secure_tcp_seq(n, inet.inet_saddr, inet.inet_daddr, inet.inet_sport, dport);
		tp.tsoffset = secure_tcp_ts_off(n, inet.inet_saddr, inet.inet_daddr, inet.inet_sport, dport);
	}
	inet.inet_id = n.machine.random.below(65536);
	const deferred = { v: 0 };
	if (tcp_fastopen_defer_connect(sk, deferred)) return deferred.v;
	err = deferred.v;
	if (err === 0) err = tcp_connect(sk);
	return err < 0 ? tcp_v4_connect_failed(sk, err) : 0;
}

/** The route of a connection, looked up anew when it holds no more. Return: 0, or -errno and sk_err_soft says so. */
export function inet_sk_rebuild_header(sk: sock): number {
	if (__sk_dst_check(sk, 0) !== null) return 0;
	const inet = inet_sk(sk);
	const opt = inet.inet_opt;
	const daddr = opt !== null && opt.srr !== 0 ? opt.faddr : inet.inet_daddr;
	const fl4 = new flowi4();
	flow(sk, fl4, daddr, inet.inet_saddr, inet.inet_dport, inet.inet_sport);
	const rt = ip_route_output_flow(sk.net, fl4, sk);
	if (typeof rt !== 'number') {
		sk_setup_caps(sk, rt);
		return 0;
	}
	sk.sk_route_caps = 0;
	sk.sk_err_soft = -rt;
	return rt;
}

// ---- ICMP ------------------------------------------------------------------------------------------------------------------------

/** An error about a SYN-ACK of ours. */
function tcp_req_err(req: tcp_request_sock, seq: number, abort: boolean): void {
	if (seq !== req.snt_isn) NET_INC_STATS(req.net, LINUX_MIB_OUTOFWINDOWICMPS);
	else if (abort && req.rsk_listener !== null) {
		// RFC 9293 3.9.2.2: a half-open connection is not worth waiting for.
		inet_csk_reqsk_queue_drop(req.rsk_listener, req);
		tcp_listendrop(req.rsk_listener);
	}
}

/** RFC 6069: unreachability explains the silence, so that the last back-off was not called for. */
function tcp_ld_RTO_revert(sk: sock, seq: number): void {
	const tp = tcp_sk(sk);
	if (seq !== tp.snd_una || tp.icsk_retransmits === 0 || tp.icsk_backoff === 0) return;
	const skb = tcp_rtx_queue_head(sk);
	if (skb === null) return;
	tp.icsk_backoff--;
	const base = tp.srtt_us !== 0 ? usecs_to_jiffies((tp.srtt_us >>> 3) + tp.rttvar_us) : TCP_TIMEOUT_INIT;
	tp.icsk_rto = Math.min(base * 2 ** tp.icsk_backoff, tcp_rto_max(sk));
	tcp_mstamp_refresh(tp);
	const remaining = tp.icsk_rto - usecs_to_jiffies(tp.tcp_mstamp - tcp_skb_timestamp_us(skb));
	if (remaining > 0) inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, remaining, tcp_rto_max(sk));
	else tcp_retransmit_timer(sk);
}

/** A lower path MTU was told of (tp.mtu_info). RFC 1191. */
export function tcp_v4_mtu_reduced(sk: sock): void {
	if (sk.sk_state === TCP_LISTEN || sk.sk_state === TCP_CLOSE) return;
	const tp = tcp_sk(sk);
	const dst = inet_csk_update_pmtu(sk, tp.mtu_info);
	if (dst === null) return;
	const mtu = dst_mtu(dst);
	if (tp.mtu_info < mtu && ip_dont_fragment(sk, dst)) sk.sk_err_soft = EMSGSIZE;
	if (inet_sk(sk).pmtudisc !== IP_PMTUDISC_DONT && ip_sk_accept_pmtu(sk) && tp.icsk_pmtu_cookie > mtu) {
		tcp_sync_mss(sk, mtu);
		// What was lost for its size is sent again at once.
		tcp_simple_retransmit(sk);
	}
}

/** An ICMP error came about a segment of ours. Borrows skb (data at the quoted IP header). `info`: the MTU. Return: 0 or -ENOENT. */
export function tcp_v4_err(skb: sk_buff, info: number): number {
	const n = skb.dev!.net;
	const b = skb.head;
	const q = skb.data;
	const th = q + ((b[q] & 15) << 2);
	const type = b[skb.transport_header];
	const code = b[skb.transport_header + 1];
	const saddr = get_unaligned_be32(b, q + 12);
	const daddr = get_unaligned_be32(b, q + 16);
	const sport = (b[th] << 8) | b[th + 1];
	const dport = (b[th + 2] << 8) | b[th + 3];
	const sk = __inet_lookup_established(n, daddr, dport, saddr, sport, inet_iif(skb), 0);
	if (sk === null) {
		ICMP_INC_STATS(n, ICMP_MIB_INERRORS);
		return -ENOENT;
	}
	if (is_timewait(sk)) return 0;
	const seq = get_unaligned_be32(b, th + 4) | 0;
	if (is_request(sk)) {
		const unreachable = type === ICMP_DEST_UNREACH && (code === ICMP_NET_UNREACH || code === ICMP_HOST_UNREACH);
		tcp_req_err(sk, seq, type === ICMP_PARAMETERPROB || type === ICMP_TIME_EXCEEDED || unreachable);
		return 0;
	}
	// What a call works on is left alone, but for a smaller MTU, which release_sock sees to.
	if (sk.sk_lock_owned && !(type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED))
		NET_INC_STATS(n, LINUX_MIB_LOCKDROPPEDICMPS);
	if (sk.sk_state === TCP_CLOSE) return 0;
	const inet = inet_sk(sk);
	if (inet.min_ttl !== 0 && ip_hdr_ttl(skb) < inet.min_ttl) {
		NET_INC_STATS(n, LINUX_MIB_TCPMINTTLDROP);
		return 0;
	}
	const tp = tcp_sk(sk);
	const fastopen = tp.fastopen_rsk;
	const snd_una = fastopen !== null ? fastopen.snt_isn : tp.snd_una;
	if (sk.sk_state !== TCP_LISTEN && !between(seq, snd_una, tp.snd_nxt)) {
		NET_INC_STATS(n, LINUX_MIB_OUTOFWINDOWICMPS);
		if (skb.journey !== null)
			trace_event(skb, 'note', 'tcp_v4_err', { counter: 'TcpExtOutOfWindowIcmps', seq: seq >>> 0 });
		return 0;
	}
	let err: number;
	switch (type) {
		case ICMP_REDIRECT: {
			const dst = __sk_dst_check(sk, 0);
			if (dst !== null && !sk.sk_lock_owned) dst.ops.redirect(dst, sk, skb);
			return 0;
		}
		case ICMP_SOURCE_QUENCH:
			// RFC 6633: ignored.
			return 0;
		case ICMP_PARAMETERPROB:
			err = EPROTO;
			break;
		case ICMP_DEST_UNREACH:
			if (code > NR_ICMP_UNREACH) return 0;
			if (code === ICMP_FRAG_NEEDED) {
				if (sk.sk_state === TCP_LISTEN) return 0;
				tp.mtu_info = info;
				if (skb.journey !== null) trace_event(skb, 'note', 'tcp_v4_mtu_reduced', { mtu: info });
				if (sk.sk_lock_owned) tp.sk_tsq_flags |= 1 << TCP_MTU_REDUCED_DEFERRED;
				else tcp_v4_mtu_reduced(sk);
				return 0;
			}
			err = icmp_err_convert_errno[code];
			if (fastopen === null && (code === ICMP_NET_UNREACH || code === ICMP_HOST_UNREACH)) tcp_ld_RTO_revert(sk, seq);
			break;
		case ICMP_TIME_EXCEEDED:
			err = EHOSTUNREACH;
			break;
		default:
			return 0;
	}
	if (sk.sk_state === TCP_SYN_SENT || sk.sk_state === TCP_SYN_RECV) {
		// A Fast Open child that was accepted is as good as connected.
		if (fastopen === null || fastopen.sk !== null) {
			ip_icmp_error(sk, skb, err, dport, info, th);
			if (sk.sk_lock_owned) sk.sk_err_soft = err;
			else tcp_done_with_error(sk, err);
			return 0;
		}
	}
	// RFC 1122 4.2.3.9: once connected nothing that routers say ends it; it is told to whoever asked for it.
	if (inet.recverr && !sk.sk_lock_owned) {
		sk.sk_err = err;
		sk.sk_error_report(sk);
	} else sk.sk_err_soft = err;
	return 0;
}
