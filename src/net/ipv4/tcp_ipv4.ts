/*
 * net/ipv4/tcp_ipv4.ts: TCP over IPv4: whom a segment is for.       Linux: net/ipv4/tcp_ipv4.c
 *
 * Walk: tcp_v4_rcv (header, checksum) -> __inet_lookup_skb -> a connection or listener: tcp_v4_do_rcv -> tcp_rcv_established or
 *       tcp_rcv_state_process; a request: tcp_check_req -> tcp_v4_syn_recv_sock makes the child; TIME_WAIT: tcp_timewait_state_process;
 *       nobody: tcp_v4_send_reset. tcp_v4_conn_request: a SYN to a listener.
 *       Cut: tcp_ipv4_connect.ts (connect, ICMP), tcp_ipv4_reply.ts (resets, ACKs, SYN-ACKs), tcp_ipv4_md5.ts, tcp_ipv4_proc.ts.
 * RFC 9293 3.10.7.1 (CLOSED), 3.10.7.2 (LISTEN); RFC 5082 3 (IP_MINTTL).
 */

import type { Machine } from '../../kernel/machine.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { get_unaligned_be32 } from '../../lib/byteorder.ts';
import { csum_fold, csum_tcpudp_nofold } from '../../lib/checksum.ts';
import { PACKET_HOST } from '../../uapi/linux/if_packet.ts';
import {
	LINUX_MIB_LISTENOVERFLOWS,
	LINUX_MIB_TCPMINTTLDROP,
	TCP_MIB_INCSUMERRORS,
	TCP_MIB_INERRS,
	TCP_MIB_INSEGS,
} from '../../uapi/linux/snmp.ts';
import { IP_PMTUDISC_DO, IPPROTO_TCP, SOCK_RAW, SOCK_STREAM } from '../../uapi/linux/socket.ts';
import {
	SKB_DROP_REASON_NO_SOCKET,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_PKT_TOO_SMALL,
	SKB_DROP_REASON_SOCKET_FILTER,
	SKB_DROP_REASON_TCP_CSUM,
	SKB_DROP_REASON_TCP_MINTTL,
	SKB_NOT_DROPPED_YET,
} from '../core/dropreason.ts';
import { type dst_entry, dst_mtu } from '../core/dst.ts';
import { bpf_prog_run_clear_cb } from '../core/filter.ts';
import type { flowi4 } from '../core/flow.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import { secure_tcp_seq, secure_tcp_ts_off } from '../core/secure_seq.ts';
import {
	CHECKSUM_PARTIAL,
	CHECKSUM_UNNECESSARY,
	kfree_skb_reason,
	nf_reset_ct,
	pskb_may_pull,
	pskb_trim,
	type sk_buff,
	skb_checksum,
} from '../core/skbuff.ts';
import { NET_INC_STATS, TCP_INC_STATS } from '../core/snmp.ts';
import {
	type proto,
	sk_setup_caps,
	type sock,
	TCP_ESTABLISHED,
	TCP_LISTEN,
	TCP_NEW_SYN_RECV,
	TCP_TIME_WAIT,
} from '../core/sock.ts';
import { sk_sockets_allocated_dec } from '../core/sock_mem.ts';
import { inet_add_protocol, inet_register_protosw, inet_sk, inet_stream_ops, type net_protocol } from './af_inet.ts';
import { inet_ctl_sock_create } from './icmp.ts';
import {
	inet_csk_get_port,
	inet_csk_prepare_forced_close,
	inet_csk_reqsk_queue_drop,
	inet_csk_route_child_sock,
	inet_csk_route_req,
	sk_acceptq_is_full,
} from './inet_connection_sock.ts';
import {
	__inet_inherit_port,
	__inet_lookup_listener,
	__inet_lookup_skb,
	type inet_ehash_entry,
	inet_ehash_nolisten,
	inet_hash,
	inet_hashinfo,
	inet_put_port,
	inet_unhash,
	is_request,
	is_timewait,
} from './inet_hashtables.ts';
import { inet_twsk_deschedule_put, inet_twsk_purge } from './inet_timewait_sock.ts';
import { ip_hdr_daddr, ip_hdr_saddr, ip_hdr_tos, ip_hdr_ttl, ip_ntop } from './ip.ts';
import { ip_options, ip_options_echo } from './ip_options.ts';
import { ip_queue_xmit } from './ip_output.ts';
import { inet_iif } from './ip_sockglue.ts';
import { dst_metric_advmss, RTCF_BROADCAST, RTCF_MULTICAST, type rtable } from './route.ts';
import { cookie_v4_check, cookie_v4_init_sequence } from './syncookies.ts';
import {
	tcp_close,
	tcp_disconnect,
	tcp_done,
	tcp_init_mem,
	tcp_init_sock,
	tcp_ioctl,
	tcp_poll,
	tcp_recvmsg,
	tcp_sendmsg,
	tcp_set_rcvlowat,
	tcp_shutdown,
	tcp_stream_memory_free,
	tcp_write_queue_purge,
} from './tcp.ts';
import { tcp_add_backlog, tcp_release_cb } from './tcp_backlog.ts';
import { tcp_cleanup_congestion_control, tcp_cong_init } from './tcp_cong.ts';
import { tcp_fastopen_active_disable_ofo_check, tcp_fastopen_destroy_cipher } from './tcp_fastopen.ts';
import { tcp_rcv_established, tcp_rcv_state_process } from './tcp_input.ts';
import { tcp_initialize_rcv_mss } from './tcp_input_rcvbuf.ts';
import { tcp_conn_request } from './tcp_input_request.ts';
import { inet_sk_rebuild_header, tcp_v4_connect, tcp_v4_err, tcp_v4_mtu_reduced } from './tcp_ipv4_connect.ts';
import { tcp_inbound_hash, tcp_md5_do_add, tcp_md5_do_lookup, tcp_v4_md5_lookup } from './tcp_ipv4_md5.ts';
import { tcp4_proc_init } from './tcp_ipv4_proc.ts';
import {
	tcp_v4_reqsk_send_ack,
	tcp_v4_reqsk_send_reset,
	tcp_v4_send_check,
	tcp_v4_send_reset,
	tcp_v4_send_synack,
	tcp_v4_timewait_ack,
} from './tcp_ipv4_reply.ts';
import { tcp_metrics_init } from './tcp_metrics.ts';
import {
	tcp_ca_openreq_child,
	tcp_check_req,
	tcp_child_process,
	tcp_create_openreq_child,
	tcp_timewait_state_process,
} from './tcp_minisocks.ts';
import { tcp_mss_clamp, tcp_rtx_synack, tcp_sync_mss, tcp_tsq_work_init } from './tcp_output.ts';
import {
	type inet_connection_sock_af_ops,
	type request_sock_ops,
	TCP_SKB_CB,
	TCP_TW_ACK,
	TCP_TW_ACK_OOW,
	TCP_TW_RST,
	TCP_TW_SYN,
	tcp_listendrop,
	type tcp_request_sock,
	type tcp_request_sock_ops,
	tcp_segs_in,
	tcp_sk,
	type tcp_timewait_sock,
} from './tcp_sock.ts';
import { tcp_getsockopt, tcp_setsockopt } from './tcp_sockopt.ts';
import { tcp_clear_xmit_timers, tcp_set_keepalive, tcp_syn_ack_timeout } from './tcp_timer.ts';

export {
	inet_sk_rebuild_header,
	tcp_twsk_unique,
	tcp_v4_connect,
	tcp_v4_err,
	tcp_v4_mtu_reduced,
} from './tcp_ipv4_connect.ts';
export * from './tcp_ipv4_md5.ts';
export * from './tcp_ipv4_reply.ts';

/** enum sk_rst_reason: why a reset is sent. */
export const SK_RST_REASON_NO_SOCKET = 2;
export const SK_RST_REASON_TCP_TIMEWAIT_SOCKET = 16;

const INET_ECN_MASK = 3;

// ---- handshakes --------------------------------------------------------------------------------------------------------------------

/** Fills in what a request is about, from the SYN, and routes its SYN-ACK. Borrows skb. */
function tcp_v4_route_req(
	sk: sock,
	skb: sk_buff,
	fl: flowi4,
	req: tcp_request_sock,
	_tw_isn: number,
): dst_entry | null {
	req.ir_loc_addr = ip_hdr_daddr(skb);
	req.ir_rmt_addr = ip_hdr_saddr(skb);
	req.ireq_opt = tcp_v4_save_options(sk.net, skb);
	return inet_csk_route_req(sk, fl, req);
}

/** The IP options that the answer will bear: the packet's, turned round. */
export function tcp_v4_save_options(n: net, skb: sk_buff): ip_options | null {
	const opt = skb.ipcb.opt;
	if (opt === null || opt.optlen === 0) return null;
	const echo = new ip_options();
	return ip_options_echo(n, echo, skb) < 0 || echo.optlen === 0 ? null : echo;
}

function tcp_v4_init_seq(skb: sk_buff): number {
	const b = skb.head;
	const h = skb.transport_header;
	const sport = (b[h] << 8) | b[h + 1];
	const dport = (b[h + 2] << 8) | b[h + 3];
	return secure_tcp_seq(skb.dev!.net, ip_hdr_daddr(skb), ip_hdr_saddr(skb), dport, sport);
}

function tcp_v4_init_ts_off(n: net, skb: sk_buff): number {
	const b = skb.head;
	const h = skb.transport_header;
	const sport = (b[h] << 8) | b[h + 1];
	const dport = (b[h + 2] << 8) | b[h + 3];
	return secure_tcp_ts_off(n, ip_hdr_daddr(skb), ip_hdr_saddr(skb), dport, sport);
}

export const tcp4_request_sock_ops: request_sock_ops = {
	family: 2,
	rtx_syn_ack: tcp_rtx_synack,
	send_ack: tcp_v4_reqsk_send_ack,
	send_reset: tcp_v4_reqsk_send_reset,
	syn_ack_timeout: tcp_syn_ack_timeout,
};

export const tcp_request_sock_ipv4_ops: tcp_request_sock_ops = {
	mss_clamp: 536,
	req_md5_lookup: tcp_v4_md5_lookup,
	cookie_init_seq: cookie_v4_init_sequence,
	route_req: tcp_v4_route_req,
	init_seq: tcp_v4_init_seq,
	init_ts_off: tcp_v4_init_ts_off,
	send_synack: tcp_v4_send_synack,
};

/** A SYN came to listener `sk`. Borrows skb. Return: 0. */
export function tcp_v4_conn_request(sk: sock, skb: sk_buff): number {
	// RFC 1122 4.2.3.10: not from or to many.
	if (((skb._skb_refdst as rtable).rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) {
		tcp_listendrop(sk);
		return 0;
	}
	return tcp_conn_request(tcp4_request_sock_ops, tcp_request_sock_ipv4_ops, sk, skb);
}

function syn_recv_sock_fail(sk: sock, newsk: sock): null {
	inet_sk(newsk).inet_opt = null;
	inet_csk_prepare_forced_close(newsk);
	tcp_done(newsk);
	tcp_listendrop(sk);
	return null;
}

/**
 * Makes the connection that a request becomes, and enters it in the place of `req_unhash` (null: a cookie's, of which nothing was kept).
 * Return: the child, or null.
 */
export function tcp_v4_syn_recv_sock(
	sk: sock,
	skb: sk_buff,
	req: tcp_request_sock,
	dst: dst_entry | null,
	req_unhash: tcp_request_sock | null,
	own_req: { v: boolean },
): sock | null {
	const n = sk.net;
	if (sk_acceptq_is_full(sk)) {
		NET_INC_STATS(n, LINUX_MIB_LISTENOVERFLOWS);
		tcp_listendrop(sk);
		return null;
	}
	const newsk = tcp_create_openreq_child(sk, req, skb);
	const newtp = tcp_sk(newsk);
	const newinet = inet_sk(newsk);
	newinet.inet_saddr = req.ir_loc_addr;
	newinet.inet_opt = req.ireq_opt;
	newinet.mc_index = inet_iif(skb);
	newinet.mc_ttl = ip_hdr_ttl(skb);
	newinet.rcv_tos = ip_hdr_tos(skb);
	newtp.icsk_ext_hdr_len = req.ireq_opt !== null ? req.ireq_opt.optlen : 0;
	newinet.inet_id = n.machine.random.below(65536);
	if (n.ipv4.sysctl_tcp_reflect_tos !== 0) newinet.tos = req.syn_tos & ~INET_ECN_MASK;
	if (dst === null) {
		dst = inet_csk_route_child_sock(sk, newsk, req);
		if (dst === null) return syn_recv_sock_fail(sk, newsk);
	}
	sk_setup_caps(newsk, dst);
	tcp_ca_openreq_child(newsk, dst);
	tcp_sync_mss(newsk, dst_mtu(dst));
	newtp.advmss = tcp_mss_clamp(tcp_sk(sk), dst_metric_advmss(dst));
	tcp_initialize_rcv_mss(newsk);
	const key = tcp_md5_do_lookup(sk, 0, newinet.inet_daddr);
	if (key !== null) tcp_md5_do_add(newsk, { ...key, addr: newinet.inet_daddr, prefixlen: 32 });
	if (__inet_inherit_port(sk, newsk) < 0) return syn_recv_sock_fail(sk, newsk);
	const found_dup: { v: inet_ehash_entry | null } = { v: null };
	own_req.v = inet_ehash_nolisten(newsk, req_unhash, found_dup);
	if (own_req.v) {
		newtp.saved_syn = req.saved_syn;
		req.saved_syn = null;
		req.ireq_opt = null;
	} else {
		newinet.inet_opt = null;
		// Two ACKs with the same cookie: the first one's connection is there.
		if (req_unhash === null && found_dup.v !== null) return null;
	}
	return newsk;
}

function tcp_v4_cookie_check(sk: sock, skb: sk_buff): sock | null {
	// SYNs are not answers to a cookie.
	return (skb.head[skb.transport_header + 13] & 2) !== 0 ? sk : cookie_v4_check(sk, skb);
}

// ---- receive -----------------------------------------------------------------------------------------------------------------------

/** Takes a segment for `sk` (a connection or a listener). Context: softirq; consumes skb. */
export function tcp_v4_do_rcv(sk: sock, skb: sk_buff): number {
	if (sk.sk_state === TCP_ESTABLISHED) {
		tcp_rcv_established(sk, skb);
		return 0;
	}
	let rsk = sk;
	let reason: number;
	if (sk.sk_state === TCP_LISTEN) {
		const nsk = tcp_v4_cookie_check(sk, skb);
		if (nsk === null) return 0;
		if (nsk !== sk) {
			reason = tcp_child_process(sk, nsk, skb);
			if (reason === SKB_NOT_DROPPED_YET) return 0;
			rsk = nsk;
		} else reason = tcp_rcv_state_process(sk, skb);
	} else reason = tcp_rcv_state_process(sk, skb);
	if (reason === SKB_NOT_DROPPED_YET) return 0;
	tcp_v4_send_reset(rsk, skb, reason);
	kfree_skb_reason(skb, reason, 'tcp_v4_do_rcv');
	return 0;
}

/** Whether the segment's sum is good. */
function tcp_checksum_ok(skb: sk_buff): boolean {
	if (skb.csum_valid || skb.ip_summed === CHECKSUM_UNNECESSARY || skb.ip_summed === CHECKSUM_PARTIAL) return true;
	const pseudo = csum_tcpudp_nofold(ip_hdr_saddr(skb), ip_hdr_daddr(skb), skb.len, IPPROTO_TCP, 0);
	skb.csum_valid = csum_fold(skb_checksum(skb, 0, skb.len, pseudo)) === 0;
	return skb.csum_valid;
}

/** Runs the socket's filter, which may shorten the payload. Return: whether the segment goes on. */
export function tcp_filter(sk: sock, skb: sk_buff): boolean {
	if (sk.sk_filter === null) return true;
	const len = bpf_prog_run_clear_cb(sk.sk_filter, skb);
	if (len <= 0) return false;
	return pskb_trim(skb, Math.max((skb.head[skb.transport_header + 12] >> 4) * 4, len)) === 0;
}

function tcp_v4_fill_cb(skb: sk_buff): void {
	const b = skb.head;
	const h = skb.transport_header;
	const flags = b[h + 13];
	const cb = TCP_SKB_CB(skb);
	cb.seq = get_unaligned_be32(b, h + 4) | 0;
	cb.end_seq = (cb.seq + ((flags >> 1) & 1) + (flags & 1) + skb.len - (b[h + 12] >> 4) * 4) | 0;
	cb.ack_seq = get_unaligned_be32(b, h + 8) | 0;
	cb.tcp_flags = flags | ((b[h + 12] & 1) << 8);
	cb.ip_dsfield = ip_hdr_tos(skb);
	cb.sacked = 0;
	cb.tcp_tw_isn = 0;
	cb.has_rxtstamp = skb.tstamp >= 0;
	cb.iif = inet_iif(skb);
	cb.tcp_gso_segs = skb.shinfo.gso_segs;
	cb.tcp_gso_size = skb.shinfo.gso_size;
	cb.txstamp_ack = false;
	cb.eor = false;
	cb.unsent = 0;
}

function tcp_drop(skb: sk_buff, reason: number): number {
	kfree_skb_reason(skb, reason, 'tcp_v4_rcv');
	return 0;
}

function tcp_drop_sk(sk: sock, skb: sk_buff, reason: number): number {
	sk.sk_drops += Math.max(1, skb.shinfo.gso_segs);
	return tcp_drop(skb, reason);
}

function tcp_bad(n: net, skb: sk_buff, reason: number): number {
	if (reason === SKB_DROP_REASON_TCP_CSUM) TCP_INC_STATS(n, TCP_MIB_INCSUMERRORS);
	TCP_INC_STATS(n, TCP_MIB_INERRS);
	if (skb.journey !== null) trace_event(skb, 'note', 'tcp_v4_rcv', { counter: 'TcpInErrs' });
	return tcp_drop(skb, reason);
}

const state_names: readonly string[] = [
	'',
	'ESTABLISHED',
	'SYN_SENT',
	'SYN_RECV',
	'FIN_WAIT1',
	'FIN_WAIT2',
	'TIME_WAIT',
	'CLOSE',
	'CLOSE_WAIT',
	'LAST_ACK',
	'LISTEN',
	'CLOSING',
	'NEW_SYN_RECV',
];

function trace_lookup(skb: sk_buff, sk: inet_ehash_entry | null, dport: number): void {
	if (sk === null) {
		trace_event(skb, 'socket', '__inet_lookup_skb', { found: false, port: dport });
		return;
	}
	const local = is_request(sk) ? sk.ir_loc_addr : is_timewait(sk) ? sk.tw_rcv_saddr : inet_sk(sk).inet_rcv_saddr;
	trace_event(skb, 'socket', '__inet_lookup_skb', {
		found: true,
		protocol: 'TCP',
		state: state_names[sk.sk_state],
		local: `${ip_ntop(local)}:${dport}`,
		ino: is_request(sk) || is_timewait(sk) ? 0 : sk.sk_ino,
	});
}

/** A segment for a request. Return: 0 when it was dealt with; -1: its listener is gone, look again. */
function tcp_v4_rcv_request(req: tcp_request_sock, skb: sk_buff, saddr: number): number {
	const sk = req.rsk_listener!;
	const hash = tcp_inbound_hash(sk, skb, saddr);
	if (hash !== SKB_NOT_DROPPED_YET) return tcp_drop_sk(sk, skb, hash);
	if (!tcp_checksum_ok(skb)) return tcp_bad(sk.net, skb, SKB_DROP_REASON_TCP_CSUM);
	if (sk.sk_state !== TCP_LISTEN) {
		inet_csk_reqsk_queue_drop(sk, req);
		return -1;
	}
	if (!tcp_filter(sk, skb)) return tcp_drop_sk(sk, skb, SKB_DROP_REASON_SOCKET_FILTER);
	tcp_v4_fill_cb(skb);
	const stolen = { v: false };
	const reason = { v: SKB_DROP_REASON_NOT_SPECIFIED };
	const nsk = tcp_check_req(sk, skb, req, false, stolen, reason);
	if (nsk === null) return stolen.v ? -1 : tcp_drop_sk(sk, skb, reason.v);
	nf_reset_ct(skb);
	if (nsk === sk) return -2;
	const why = tcp_child_process(sk, nsk, skb);
	if (why === SKB_NOT_DROPPED_YET) return 0;
	tcp_v4_send_reset(nsk, skb, why);
	return tcp_drop_sk(sk, skb, why);
}

/** TCP's place in inet_protos. Context: softirq; consumes skb (data at the TCP header). */
export function tcp_v4_rcv(skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'tcp_v4_rcv');
	const n = skb.dev!.net;
	if (skb.pkt_type !== PACKET_HOST) return tcp_drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	TCP_INC_STATS(n, TCP_MIB_INSEGS);
	if (!pskb_may_pull(skb, 20)) return tcp_drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	const doff = skb.head[skb.transport_header + 12] >> 4;
	if (doff < 5) return tcp_bad(n, skb, SKB_DROP_REASON_PKT_TOO_SMALL);
	if (!pskb_may_pull(skb, doff * 4)) return tcp_drop(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	if (!tcp_checksum_ok(skb)) return tcp_bad(n, skb, SKB_DROP_REASON_TCP_CSUM);
	const b = skb.head;
	const h = skb.transport_header;
	const sport = (b[h] << 8) | b[h + 1];
	const dport = (b[h + 2] << 8) | b[h + 3];
	const saddr = ip_hdr_saddr(skb);
	let isn = 0;
	for (;;) {
		let found = __inet_lookup_skb(skb, sport, dport, 0);
		if (skb.journey !== null) trace_lookup(skb, found, dport);
		if (found === null) {
			nf_reset_ct(skb);
			tcp_v4_send_reset(null, skb, SK_RST_REASON_NO_SOCKET);
			return tcp_drop(skb, SKB_DROP_REASON_NO_SOCKET);
		}
		if (found.sk_state === TCP_TIME_WAIT) {
			nf_reset_ct(skb);
			tcp_v4_fill_cb(skb);
			const tw_isn = { v: 0 };
			const listener = tcp_v4_rcv_timewait(found as tcp_timewait_sock, skb, saddr, sport, dport, tw_isn);
			if (listener === null) return 0;
			isn = tw_isn.v;
			found = listener;
		} else if (found.sk_state === TCP_NEW_SYN_RECV) {
			const r = tcp_v4_rcv_request(found as tcp_request_sock, skb, saddr);
			if (r === 0) return 0;
			if (r === -1) continue;
			found = (found as tcp_request_sock).rsk_listener!;
		}
		return tcp_v4_rcv_sk(found as sock, skb, saddr, isn);
	}
}

/** A segment for a connection or a listener. `isn`: what to answer a SYN with, 0 for any. */
function tcp_v4_rcv_sk(sk: sock, skb: sk_buff, saddr: number, isn: number): number {
	// RFC 5082: what comes from farther away than it may.
	if (inet_sk(sk).min_ttl !== 0 && ip_hdr_ttl(skb) < inet_sk(sk).min_ttl) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPMINTTLDROP);
		if (skb.journey !== null) trace_event(skb, 'note', 'tcp_v4_rcv', { counter: 'TcpExtTCPMinTTLDrop' });
		return tcp_drop_sk(sk, skb, SKB_DROP_REASON_TCP_MINTTL);
	}
	const hash = tcp_inbound_hash(sk, skb, saddr);
	if (hash !== SKB_NOT_DROPPED_YET) return tcp_drop_sk(sk, skb, hash);
	nf_reset_ct(skb);
	if (!tcp_filter(sk, skb)) return tcp_drop_sk(sk, skb, SKB_DROP_REASON_SOCKET_FILTER);
	tcp_v4_fill_cb(skb);
	TCP_SKB_CB(skb).tcp_tw_isn = isn;
	if (sk.sk_state !== TCP_LISTEN) tcp_segs_in(tcp_sk(sk), skb);
	if (sk.sk_lock_owned) {
		const reason = tcp_add_backlog(sk, skb);
		return reason === SKB_NOT_DROPPED_YET ? 0 : tcp_drop_sk(sk, skb, reason);
	}
	return tcp_v4_do_rcv(sk, skb);
}

/** A segment for an entry in TIME_WAIT. Return: null when it was dealt with, or the listener that a new SYN goes to (with `isn`). */
function tcp_v4_rcv_timewait(
	tw: tcp_timewait_sock,
	skb: sk_buff,
	saddr: number,
	sport: number,
	dport: number,
	isn: { v: number },
): sock | null {
	const reason = { v: SKB_DROP_REASON_NOT_SPECIFIED };
	const status = tcp_timewait_state_process(tw, skb, isn, reason);
	switch (status) {
		case TCP_TW_SYN: {
			const sk = __inet_lookup_listener(tw.net, saddr, sport, ip_hdr_daddr(skb), dport, inet_iif(skb), 0);
			if (sk !== null) {
				inet_twsk_deschedule_put(tw);
				return sk;
			}
			tcp_v4_timewait_ack(tw, skb, status);
			break;
		}
		case TCP_TW_ACK:
		case TCP_TW_ACK_OOW:
			tcp_v4_timewait_ack(tw, skb, status);
			break;
		case TCP_TW_RST:
			tcp_v4_send_reset(tw, skb, SK_RST_REASON_TCP_TIMEWAIT_SOCKET);
			inet_twsk_deschedule_put(tw);
			break;
		default:
			break;
	}
	kfree_skb_reason(skb, reason.v, 'tcp_v4_rcv');
	return null;
}

// ---- sockets -----------------------------------------------------------------------------------------------------------------------

/** Sends a connection's segment. */
function tcp_v4_queue_xmit(sk: sock, skb: sk_buff): number {
	const inet = inet_sk(sk);
	const fl4 = sk.net.ipv4.tcp_hashinfo.fl4;
	const opt = inet.inet_opt;
	fl4.saddr = inet.inet_saddr;
	fl4.daddr = opt !== null && opt.srr !== 0 ? opt.faddr : inet.inet_daddr;
	return ip_queue_xmit(sk, skb, fl4);
}

export const ipv4_specific: inet_connection_sock_af_ops = {
	queue_xmit: tcp_v4_queue_xmit,
	send_check: tcp_v4_send_check,
	rebuild_header: inet_sk_rebuild_header,
	conn_request: tcp_v4_conn_request,
	syn_recv_sock: tcp_v4_syn_recv_sock,
	net_header_len: 20,
	mtu_reduced: tcp_v4_mtu_reduced,
};

/** proto.init. Return: 0 or -errno. */
export function tcp_v4_init_sock(sk: sock): number {
	const err = tcp_init_sock(sk);
	if (err < 0) return err;
	inet_sk(sk).is_icsk = true;
	tcp_sk(sk).icsk_af_ops = ipv4_specific;
	return 0;
}

/** proto.destroy: frees what the connection holds. */
export function tcp_v4_destroy_sock(sk: sock): void {
	const tp = tcp_sk(sk);
	tcp_clear_xmit_timers(sk);
	tcp_cleanup_congestion_control(sk);
	tcp_write_queue_purge(sk);
	tcp_fastopen_active_disable_ofo_check(sk);
	let skb = tp.out_of_order_queue.first;
	if (skb !== null) {
		tp.out_of_order_queue.first = null;
		tp.out_of_order_queue.last = null;
		tp.out_of_order_queue.qlen = 0;
		while (skb !== null) {
			const next: sk_buff | null = skb.next;
			skb.next = null;
			skb.prev = null;
			kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'tcp_v4_destroy_sock');
			skb = next;
		}
	}
	tp.ooo_last_skb = null;
	tp.md5sig_info = null;
	if (tp.icsk_bind_hash !== null) inet_put_port(sk);
	tp.fastopen_req = null;
	tcp_fastopen_destroy_cipher(sk);
	tp.saved_syn = null;
	sk_sockets_allocated_dec(sk);
}

export const tcp_prot: proto = {
	name: 'TCP',
	init: tcp_v4_init_sock,
	close: tcp_close,
	connect: tcp_v4_connect,
	disconnect: tcp_disconnect,
	bind: null,
	ioctl: tcp_ioctl,
	setsockopt: tcp_setsockopt,
	getsockopt: tcp_getsockopt,
	sendmsg: tcp_sendmsg,
	recvmsg: tcp_recvmsg,
	hash: inet_hash,
	unhash: inet_unhash,
	get_port: inet_csk_get_port,
	backlog_rcv: tcp_v4_do_rcv,
	poll: tcp_poll,
	destroy: tcp_v4_destroy_sock,
	keepalive: tcp_set_keepalive,
	shutdown: tcp_shutdown,
	set_rcvlowat: tcp_set_rcvlowat,
	release_cb: tcp_release_cb,
	stream_memory_free: tcp_stream_memory_free,
};

const tcp_protocol: net_protocol = {
	name: 'TCP',
	handler: tcp_v4_rcv,
	err_handler: tcp_v4_err,
	early_demux: null,
	no_policy: true,
	icmp_strict_tag_validation: true,
};

function tcp_sk_init(n: net): number {
	n.ipv4.tcp_hashinfo = new inet_hashinfo(n.machine.random);
	// Resets go with DF and id 0.
	n.ipv4.tcp_sk = inet_ctl_sock_create(n, SOCK_RAW, IPPROTO_TCP, IP_PMTUDISC_DO);
	return 0;
}

function tcp_sk_exit(n: net): void {
	inet_twsk_purge(n);
}

function tcp_v4_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'tcp_sk', init: tcp_sk_init, exit: tcp_sk_exit });
	inet_add_protocol(machine, tcp_protocol, IPPROTO_TCP);
	inet_register_protosw(machine, {
		type: SOCK_STREAM,
		protocol: IPPROTO_TCP,
		prot: tcp_prot,
		ops: inet_stream_ops,
		reuse: false,
		autobind: true,
	});
	tcp4_proc_init(machine);
}

/** TCP, whole: its memory, congestion control, the protocol and its sockets, what is remembered of paths. */
export function tcp_init(machine: Machine): void {
	tcp_init_mem(machine);
	tcp_cong_init(machine);
	tcp_v4_init(machine);
	tcp_tsq_work_init(machine);
	tcp_metrics_init(machine);
}
