/*
 * net/ipv4/tcp_input_request.ts: a SYN to a listener; Fast Open's side of a SYN-ACK.     Linux: net/ipv4/tcp_input.c (tcp_conn_request)
 *
 * Walk: tcp_v4_conn_request -> tcp_conn_request: is there room (or cookies), the SYN's options (tcp_openreq_init), the route, the ISN, ECN,
 *       Fast Open (the child is made at once), the request into the table with its timer, the SYN-ACK.
 *       tcp_rcv_synsent_state_process -> tcp_rcv_fastopen_synack: the cookie is kept, data that the server did not take go out again.
 * RFC 9293 3.10.7.2, RFC 4987 (SYN floods, cookies), RFC 7413 4 (Fast Open), RFC 3168 6.1.1 (ECN). Not here: AccECN (tcp_ecn >= 3).
 */
import { net_info_ratelimited } from '../../kernel/printk.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { RTAX_FEATURES } from '../../uapi/linux/rtnetlink.ts';
import {
	LINUX_MIB_LISTENOVERFLOWS,
	LINUX_MIB_SYNCOOKIESSENT,
	LINUX_MIB_TCPFASTOPENACTIVE,
	LINUX_MIB_TCPFASTOPENACTIVEFAIL,
	LINUX_MIB_TCPREQQFULLDOCOOKIES,
	LINUX_MIB_TCPREQQFULLDROP,
} from '../../uapi/linux/snmp.ts';
import { TCPHDR_AE, TCPHDR_CWR, TCPHDR_ECE, TFO_DATA_NOT_ACKED, TFO_SYN_RETRANSMITTED } from '../../uapi/linux/tcp.ts';
import { type dst_entry, dst_metric } from '../core/dst.ts';
import { flowi4 } from '../core/flow.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import {
	inet_csk_reqsk_queue_add,
	inet_csk_reqsk_queue_hash_add,
	inet_csk_reqsk_queue_is_full,
	inet_csk_reqsk_queue_len,
	inet_reqsk_alloc,
	sk_acceptq_is_full,
} from './inet_connection_sock.ts';
import { tcp_synq_overflow } from './syncookies.ts';
import { tcp_fastopen_add_skb, tcp_try_fastopen } from './tcp_fastopen.ts';
import { tcp_hdr_dest, tcp_hdr_source, tcp_hdrlen } from './tcp_hdr.ts';
import { tcp_mark_skb_lost, tcp_non_congestion_loss_retransmit } from './tcp_input_loss.ts';
import { tcp_clear_options, tcp_parse_mss_option, tcp_parse_options } from './tcp_input_options.ts';
import { tcp_fastopen_cache_set, tcp_peer_is_proven } from './tcp_metrics.ts';
import { tcp_openreq_init_rwin } from './tcp_minisocks.ts';
import {
	type request_sock_ops,
	TCP_CONG_NEEDS_ECN,
	TCP_SKB_CB,
	TCP_SYNACK_COOKIE,
	TCP_SYNACK_FASTOPEN,
	TCP_SYNACK_NORMAL,
	TCP_TIMEOUT_INIT,
	tcp_fastopen_cookie,
	tcp_listendrop,
	tcp_options_received,
	type tcp_request_sock,
	type tcp_request_sock_ops,
	tcp_rtx_queue_head,
	tcp_sk,
} from './tcp_sock.ts';

/** The slab that requests are allocated from: Linux's message of a flood names it. */
const SLAB_NAME = 'request_sock_TCP';
/** RTAX_FEATURE_ECN. */
const DST_FEATURE_ECN = 1;

/** The queue of SYNs is full: counts and says so. Return: whether cookies are sent. */
export function tcp_syn_flood_action(sk: sock, proto: string): boolean {
	const n = sk.net;
	const syncookies = n.ipv4.sysctl_tcp_syncookies;
	const queue = tcp_sk(sk).icsk_accept_queue;
	NET_INC_STATS(n, syncookies !== 0 ? LINUX_MIB_TCPREQQFULLDOCOOKIES : LINUX_MIB_TCPREQQFULLDROP);
	if (syncookies !== 2 && queue.synflood_warned === 0) {
		queue.synflood_warned = 1;
		const inet = inet_sk(sk);
		const a = inet.inet_rcv_saddr;
		net_info_ratelimited(
			n.machine,
			`TCP: ${proto}: Possible SYN flooding on port ${a >>> 24}.${(a >>> 16) & 255}.${(a >>> 8) & 255}.${a & 255}:${inet.inet_num}. ` +
				`${syncookies !== 0 ? 'Sending cookies' : 'Dropping request'}.`,
		);
	}
	return syncookies !== 0;
}

/** For SYN cookies from elsewhere (XDP, netfilter). Return: the MSS that a cookie for this SYN would say, 0 when none is sent now. Borrows skb. */
export function tcp_get_syncookie_mss(
	_rsk_ops: request_sock_ops,
	af_ops: tcp_request_sock_ops,
	sk: sock,
	skb: sk_buff,
): number {
	if (sk.net.ipv4.sysctl_tcp_syncookies !== 2 && !inet_csk_reqsk_queue_is_full(sk)) return 0;
	if (!tcp_syn_flood_action(sk, SLAB_NAME)) return 0;
	if (sk_acceptq_is_full(sk)) {
		NET_INC_STATS(sk.net, LINUX_MIB_LISTENOVERFLOWS);
		return 0;
	}
	const mss = tcp_parse_mss_option(skb.head, skb.transport_header, tcp_sk(sk).rx_opt.user_mss);
	return mss !== 0 ? mss : af_ops.mss_clamp;
}

/** What a SYN says goes into its request. Borrows skb. */
export function tcp_openreq_init(req: tcp_request_sock, rx_opt: tcp_options_received, skb: sk_buff, sk: sock): void {
	const cb = TCP_SKB_CB(skb);
	req.rsk_rcv_wnd = 0;
	req.rcv_isn = cb.seq;
	req.rcv_nxt = (cb.seq + 1) | 0;
	req.snt_synack = 0;
	req.snt_tsval_first = 0;
	req.last_oow_ack_time = 0;
	req.accecn_ok = false;
	req.mss = rx_opt.mss_clamp;
	req.ts_recent = rx_opt.saw_tstamp ? rx_opt.rcv_tsval : 0;
	req.tstamp_ok = rx_opt.tstamp_ok;
	req.sack_ok = rx_opt.sack_ok !== 0;
	req.snd_wscale = rx_opt.snd_wscale;
	req.wscale_ok = rx_opt.wscale_ok;
	req.acked = false;
	req.ecn_ok = false;
	req.ir_rmt_port = tcp_hdr_source(skb);
	req.ir_num = tcp_hdr_dest(skb);
	req.ir_mark = sk.sk_mark === 0 && sk.net.ipv4.sysctl_tcp_fwmark_accept !== 0 ? skb.mark : sk.sk_mark;
}

/** Whether the connection will use ECN: the SYN asks for it (ECE and CWR, itself not ECT), and we, the route or the module will. */
function tcp_ecn_create_request(req: tcp_request_sock, skb: sk_buff, listen_sk: sock, dst: dst_entry): void {
	const cb = TCP_SKB_CB(skb);
	if ((cb.tcp_flags & (TCPHDR_ECE | TCPHDR_CWR)) !== (TCPHDR_ECE | TCPHDR_CWR)) return;
	const ect = (cb.ip_dsfield & 3) !== 0;
	// Reserved bits in use say that ECT on a SYN means something.
	const reserved = (skb.head[skb.transport_header + 12] & 0x0e) !== 0 || (cb.tcp_flags & TCPHDR_AE) !== 0;
	const ecn_ok = listen_sk.net.ipv4.sysctl_tcp_ecn !== 0 || (dst_metric(dst, RTAX_FEATURES) & DST_FEATURE_ECN) !== 0;
	if (((!ect || reserved) && ecn_ok) || (tcp_sk(listen_sk).icsk_ca_ops.flags & TCP_CONG_NEEDS_ECN) !== 0)
		req.ecn_ok = true;
}

/** TCP_SAVE_SYN: keeps the SYN's headers for the child. Borrows skb. */
export function tcp_reqsk_record_syn(sk: sock, req: tcp_request_sock, skb: sk_buff): void {
	const save_syn = tcp_sk(sk).save_syn;
	if (save_syn === 0) return;
	const from = save_syn === 2 && skb.mac_header >= 0 ? skb.mac_header : skb.network_header;
	req.saved_syn = skb.head.slice(from, skb.transport_header + tcp_hdrlen(skb));
}

function listen_drop(sk: sock, skb: sk_buff, why: string): number {
	if (skb.journey !== null)
		trace_event(skb, 'note', 'tcp_conn_request', { why, counter: 'ListenDrops', backlog: sk.sk_max_ack_backlog });
	tcp_listendrop(sk);
	return 0;
}

/** A SYN came to a listener. Context: softirq; borrows skb. Return: 0. */
export function tcp_conn_request(
	rsk_ops: request_sock_ops,
	af_ops: tcp_request_sock_ops,
	sk: sock,
	skb: sk_buff,
): number {
	if (skb.journey !== null) trace_fn(skb, 'tcp_conn_request');
	const n = sk.net;
	const ipv4 = n.ipv4;
	const cb = TCP_SKB_CB(skb);
	// In place of a connection in TIME-WAIT: its ISN must lie above the old one's numbers, and its peer is real.
	let isn = cb.tcp_tw_isn;
	cb.tcp_tw_isn = 0;
	const reuse = isn !== 0;
	let want_cookie = false;
	if (!reuse && (ipv4.sysctl_tcp_syncookies === 2 || inet_csk_reqsk_queue_is_full(sk))) {
		want_cookie = tcp_syn_flood_action(sk, SLAB_NAME);
		if (!want_cookie) return listen_drop(sk, skb, 'SYN queue full');
	}
	if (sk_acceptq_is_full(sk)) {
		NET_INC_STATS(n, LINUX_MIB_LISTENOVERFLOWS);
		return listen_drop(sk, skb, 'accept queue full');
	}

	const req = inet_reqsk_alloc(rsk_ops, sk, !want_cookie);
	req.syncookie = want_cookie;
	req.af_specific = af_ops;
	req.ts_off = 0;
	const opt = new tcp_options_received();
	opt.mss_clamp = af_ops.mss_clamp;
	opt.user_mss = tcp_sk(sk).rx_opt.user_mss;
	const foc = new tcp_fastopen_cookie();
	tcp_parse_options(n, skb, opt, false, want_cookie ? null : foc);
	// A cookie keeps options in the time stamp: without one, none.
	if (want_cookie && !opt.saw_tstamp) tcp_clear_options(opt);
	opt.tstamp_ok = opt.saw_tstamp;
	tcp_openreq_init(req, opt, skb, sk);
	req.no_srccheck = inet_sk(sk).transparent;
	req.ir_iif = sk.sk_bound_dev_if;

	const fl = new flowi4();
	const dst = af_ops.route_req(sk, skb, fl, req, isn);
	if (dst === null) return listen_drop(sk, skb, 'no route back');
	if (opt.tstamp_ok) req.ts_off = af_ops.init_ts_off(n, skb);
	if (!want_cookie && !reuse) {
		// Without cookies the last quarter of the queue is for peers that have been seen alive.
		const max = ipv4.sysctl_tcp_max_syn_backlog;
		if (
			ipv4.sysctl_tcp_syncookies === 0 &&
			max - inet_csk_reqsk_queue_len(sk) < max >> 2 &&
			!tcp_peer_is_proven(req, dst)
		)
			return listen_drop(sk, skb, 'SYN queue nearly full');
		isn = af_ops.init_seq(skb);
	}
	tcp_ecn_create_request(req, skb, sk, dst);
	if (want_cookie) {
		tcp_synq_overflow(sk);
		NET_INC_STATS(n, LINUX_MIB_SYNCOOKIESSENT);
		const mss = { v: req.mss };
		isn = af_ops.cookie_init_seq(skb, mss);
		req.mss = mss.v;
		if (!opt.tstamp_ok) req.ecn_ok = false;
	}
	req.snt_isn = isn;
	req.txhash = n.machine.random.u32() || 1;
	req.syn_tos = cb.ip_dsfield;
	tcp_openreq_init_rwin(req, sk, dst);

	let fastopen_sk: sock | null = null;
	if (!want_cookie) {
		tcp_reqsk_record_syn(sk, req, skb);
		fastopen_sk = tcp_try_fastopen(sk, skb, req, foc, dst);
	}
	if (fastopen_sk !== null) {
		af_ops.send_synack(fastopen_sk, dst, fl, req, foc, TCP_SYNACK_FASTOPEN, skb);
		// The child is accepted before its handshake is done.
		if (inet_csk_reqsk_queue_add(sk, req, fastopen_sk) === null) return listen_drop(sk, skb, 'not listening');
		sk.sk_data_ready(sk);
		return 0;
	}
	req.tfo_listener = false;
	if (!want_cookie) {
		req.timeout = TCP_TIMEOUT_INIT;
		if (!inet_csk_reqsk_queue_hash_add(sk, req)) return 0;
	}
	af_ops.send_synack(sk, dst, fl, req, foc, want_cookie ? TCP_SYNACK_COOKIE : TCP_SYNACK_NORMAL, skb);
	return 0;
}

/**
 * Fast Open's part of a SYN-ACK to our SYN. `cookie`: what it bears (len -1 for none). Borrows synack.
 * Return: true when data in our SYN were not taken: they have been sent again.
 */
export function tcp_rcv_fastopen_synack(sk: sock, synack: sk_buff, cookie: tcp_fastopen_cookie): boolean {
	const tp = tcp_sk(sk);
	const data = tp.syn_data ? tcp_rtx_queue_head(sk) : null;
	let mss = tp.rx_opt.mss_clamp;
	if (mss === tp.rx_opt.user_mss) {
		// Ours hides what the peer said.
		mss = tcp_parse_mss_option(synack.head, synack.transport_header, 0);
	}
	let syn_drop = false;
	let try_exp = 0;
	if (!tp.syn_fastopen) cookie.len = -1;
	// The server answered a SYN without data: something on the way may not let SYNs with data pass.
	else if (tp.total_retrans !== 0) syn_drop = cookie.len < 0 && data !== null;
	// It did not answer the request: the other form of the option next time, or this one again.
	else if (cookie.len < 0 && !tp.syn_data) try_exp = tp.syn_fastopen_exp ? 2 : 1;
	tcp_fastopen_cache_set(sk, mss, cookie, syn_drop, try_exp);

	if (data !== null) {
		tp.fastopen_client_fail = tp.total_retrans !== 0 ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED;
		for (let skb: sk_buff | null = data; skb !== null; skb = skb.next) tcp_mark_skb_lost(sk, skb);
		tcp_non_congestion_loss_retransmit(sk);
		NET_INC_STATS(sk.net, LINUX_MIB_TCPFASTOPENACTIVEFAIL);
		return true;
	}
	tp.syn_data_acked = tp.syn_data;
	if (tp.syn_data_acked) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPFASTOPENACTIVE);
		// tcp_ack counted the SYN and its data as two.
		if (tp.delivered > 1) tp.delivered--;
	}
	tcp_fastopen_add_skb(sk, synack);
	return false;
}
