/*
 * net/ipv4/tcp_output_syn.ts: SYN and SYN-ACK.                     Linux: net/ipv4/tcp_output.c (tcp_connect, tcp_make_synack, …)
 *
 * Walk: tcp_connect -> tcp_connect_init (MSS, window, sequence numbers) -> tcp_transmit_skb, or tcp_send_syn_data (Fast Open).
 *       A listener answers with tcp_make_synack, again with tcp_rtx_synack; a simultaneous open with tcp_send_synack.
 * RFC 9293 3.5, 3.10.1; RFC 7323 2.2; RFC 7413 4; RFC 3168 6.1.1.
 */
import { EBUSY, ECONNREFUSED, EFAULT, EHOSTUNREACH } from '../../uapi/asm-generic/errno.ts';
import { RTAX_INITRWND, RTAX_WINDOW } from '../../uapi/linux/rtnetlink.ts';
import {
	LINUX_MIB_TCPORIGDATASENT,
	LINUX_MIB_TCPSYNRETRANS,
	TCP_MIB_ACTIVEOPENS,
	TCP_MIB_OUTSEGS,
	TCP_MIB_RETRANSSEGS,
} from '../../uapi/linux/snmp.ts';
import { TCPHDR_ACK, TCPHDR_ECE, TCPHDR_PSH, TCPHDR_SYN } from '../../uapi/linux/tcp.ts';
import { type dst_entry, dst_metric, dst_mtu } from '../core/dst.ts';
import { CHECKSUM_PARTIAL, type sk_buff, skb_cloned, skb_push, skb_reset_transport_header } from '../core/skbuff.ts';
import { skb_append_data, skb_unclone } from '../core/skbuff_frags.ts';
import { __skb_queue_tail } from '../core/skbuff_queue.ts';
import { skb_zcopy_set } from '../core/skbuff_zerocopy.ts';
import { NET_INC_STATS, TCP_INC_STATS } from '../core/snmp.ts';
import { SOCK_DONE, SOCK_RCVBUF_LOCK, skb_set_owner_w, type sock, sock_reset_flag } from '../core/sock.ts';
import { sk_mem_charge } from '../core/sock_mem.ts';
import { sk_wmem_queued_add } from '../core/stream.ts';
import { dst_metric_advmss } from './route.ts';
import { cookie_init_timestamp } from './syncookies.ts';
import { tcp_stream_alloc_skb, tcp_write_queue_purge } from './tcp.ts';
import { tcp_chrono_start } from './tcp_chrono.ts';
import { tcp_fastopen_cookie_check } from './tcp_fastopen.ts';
import { tcp_finish_connect } from './tcp_input.ts';
import { tcp_clear_retrans } from './tcp_input_loss.ts';
import { tcp_initialize_rcv_mss } from './tcp_input_rcvbuf.ts';
import { tcp_v4_send_synack } from './tcp_ipv4.ts';
import { tcp_md5_do_lookup, tcp_v4_md5_hash_skb } from './tcp_ipv4_md5.ts';
import {
	__tcp_mtu_to_mss,
	initial_window,
	tcp_alloc_nondata,
	tcp_init_nondata_skb,
	tcp_mss_clamp,
	tcp_mtup_init,
	tcp_select_initial_window,
	tcp_sync_mss,
	tcp_transmit_skb,
} from './tcp_output.ts';
import { tcp_ecn_send_syn, tcp_ecn_send_synack, tcp_options_write, tcp_synack_options } from './tcp_output_options.ts';
import { tcp_out, tcp_reset_xmit_timer } from './tcp_output_xmit.ts';
import {
	ICSK_TIME_RETRANS,
	MAX_TCP_OPTION_SPACE,
	TCP_CHRONO_BUSY,
	TCP_SKB_CB,
	TCP_SYNACK_COOKIE,
	TCP_SYNACK_FASTOPEN,
	TCP_SYNACK_NORMAL,
	TCP_TIMEOUT_INIT,
	type tcp_fastopen_cookie,
	tcp_full_space,
	tcp_mstamp_refresh,
	type tcp_request_sock,
	tcp_rtx_queue_head,
	tcp_send_head,
	tcp_sk,
	tcp_time_stamp_ts,
} from './tcp_sock.ts';

/** Everything that a SYN needs to say, from the route and the socket's settings. */
function tcp_connect_init(sk: sock): void {
	const tp = tcp_sk(sk);
	const n = sk.net.ipv4;
	const dst = sk.sk_dst_cache!;
	tp.tcp_header_len = 20;
	if (n.sysctl_tcp_timestamps !== 0) tp.tcp_header_len += 12;
	if (tp.rx_opt.user_mss !== 0) tp.rx_opt.mss_clamp = tp.rx_opt.user_mss;
	tp.max_window = 0;
	tcp_mtup_init(sk);
	tcp_sync_mss(sk, dst_mtu(dst));
	if (tp.window_clamp === 0) tp.window_clamp = dst_metric(dst, RTAX_WINDOW);
	tp.advmss = tcp_mss_clamp(tp, dst_metric_advmss(dst));
	tcp_initialize_rcv_mss(sk);
	// A buffer that the user made small bounds the window for good.
	const full = tcp_full_space(sk);
	if ((sk.sk_userlocks & SOCK_RCVBUF_LOCK) !== 0 && (tp.window_clamp > full || tp.window_clamp === 0))
		tp.window_clamp = full;
	const win = new initial_window();
	win.window_clamp = tp.window_clamp;
	const mss = tp.advmss - (tp.rx_opt.ts_recent_stamp !== 0 ? tp.tcp_header_len - 20 : 0);
	tcp_select_initial_window(sk, full, mss, n.sysctl_tcp_window_scaling !== 0, dst_metric(dst, RTAX_INITRWND), win);
	tp.rcv_wnd = win.rcv_wnd;
	tp.window_clamp = win.window_clamp;
	tp.rx_opt.rcv_wscale = win.rcv_wscale;
	tp.rcv_ssthresh = tp.rcv_wnd;
	sk.sk_err = 0;
	sock_reset_flag(sk, SOCK_DONE);
	tp.snd_wnd = 0;
	tp.snd_wl1 = 0;
	tcp_write_queue_purge(sk);
	tp.snd_una = tp.write_seq;
	tp.snd_sml = tp.write_seq;
	tp.snd_up = tp.write_seq;
	tp.snd_nxt = tp.write_seq;
	if (!tp.repair) tp.rcv_nxt = 0;
	else tp.rcv_tstamp = sk.net.machine.jiffies;
	tp.rcv_wup = tp.rcv_nxt;
	tp.copied_seq = tp.rcv_nxt;
	tp.icsk_rto = TCP_TIMEOUT_INIT;
	tp.icsk_retransmits = 0;
	tcp_clear_retrans(tp);
}

/** Counts a segment that goes straight to the retransmission queue. */
function tcp_connect_queue_skb(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	cb.end_seq = (cb.end_seq + skb.len) | 0;
	sk_wmem_queued_add(sk, skb.truesize);
	sk_mem_charge(sk, skb.truesize);
	tp.write_seq = cb.end_seq;
	tp.packets_out += cb.tcp_gso_segs;
}

/** What of the user's data fits the SYN, as a segment whose sequence number is the SYN's. Return: null when there is nothing to send. */
function tcp_syn_data_skb(sk: sock, syn: sk_buff): sk_buff | null {
	const tp = tcp_sk(sk);
	const fo = tp.fastopen_req!;
	// The MSS that the peer said last time; the route's until then.
	const mss = { v: tp.advmss };
	tp.rx_opt.mss_clamp = tp.advmss;
	const ok = tcp_fastopen_cookie_check(sk, mss, fo.cookie);
	tp.rx_opt.mss_clamp = mss.v;
	if (!ok) return null;
	tp.rx_opt.mss_clamp = tcp_mss_clamp(tp, tp.rx_opt.mss_clamp);
	// Middleboxes may add options: room for all that there can be.
	const space = Math.min(__tcp_mtu_to_mss(sk, tp.icsk_pmtu_cookie) - MAX_TCP_OPTION_SPACE, fo.size);
	const skb = tcp_stream_alloc_skb(sk, false);
	if (skb === null) return null;
	const from = TCP_SKB_CB(syn);
	const cb = TCP_SKB_CB(skb);
	cb.seq = from.seq;
	cb.end_seq = from.end_seq;
	cb.tcp_flags = from.tcp_flags;
	cb.tcp_gso_segs = 1;
	cb.tcp_gso_size = 0;
	if (space > 0 && fo.data !== null) skb_append_data(skb, fo.data, 0, space);
	skb_zcopy_set(skb, fo.uarg);
	fo.copied = skb.len;
	if (skb.len === fo.size) fo.data = null;
	return skb;
}

/** RFC 7413 4.2.1: a SYN with a cookie and data, when the peer's cookie is known; else a SYN that asks for one. */
function tcp_send_syn_data(sk: sock, syn: sk_buff): number {
	const tp = tcp_sk(sk);
	const fo = tp.fastopen_req!;
	let err = 0;
	const skb = tcp_syn_data_skb(sk, syn);
	if (skb !== null) {
		const cb = TCP_SKB_CB(skb);
		tcp_connect_queue_skb(sk, skb);
		if (skb.len > 0) tcp_chrono_start(sk, TCP_CHRONO_BUSY);
		err = tcp_transmit_skb(sk, skb, true);
		TCP_SKB_CB(syn).skb_mstamp_ns = cb.skb_mstamp_ns;
		// SYN and data went as one; kept are the SYN (in the queue already) and the data.
		cb.seq = (cb.seq + 1) | 0;
		cb.tcp_flags = TCPHDR_ACK | TCPHDR_PSH;
		if (err === 0) {
			tp.syn_data = fo.copied > 0;
			__skb_queue_tail(tp.tcp_rtx_queue, skb);
			NET_INC_STATS(sk.net, LINUX_MIB_TCPORIGDATASENT);
			fo.cookie.len = -1;
			return 0;
		}
		__skb_queue_tail(sk.sk_write_queue, skb);
		tp.packets_out -= cb.tcp_gso_segs;
	}
	if (fo.cookie.len > 0) fo.cookie.len = 0;
	err = tcp_transmit_skb(sk, syn, true);
	if (err !== 0) tp.syn_fastopen = false;
	// Once is enough: a SYN sent again goes without the option.
	fo.cookie.len = -1;
	return err;
}

/** Sends the SYN of a socket whose addresses and route are set (SYN_SENT). Return: 0 or -errno. */
export function tcp_connect(sk: sock): number {
	const tp = tcp_sk(sk);
	if (tp.icsk_af_ops.rebuild_header(sk) !== 0) return -EHOSTUNREACH;
	tcp_connect_init(sk);
	if (tp.repair) {
		tcp_finish_connect(sk, null);
		return 0;
	}
	const buff = tcp_stream_alloc_skb(sk, true)!;
	tcp_init_nondata_skb(buff, sk, tp.write_seq, TCPHDR_SYN);
	tcp_mstamp_refresh(tp);
	tp.retrans_stamp = tcp_time_stamp_ts(tp) || -1; // 0 is never
	tcp_connect_queue_skb(sk, buff);
	tcp_ecn_send_syn(sk, buff);
	__skb_queue_tail(tp.tcp_rtx_queue, buff);
	const err = tp.fastopen_req !== null ? tcp_send_syn_data(sk, buff) : tcp_transmit_skb(sk, buff, true);
	if (err === -ECONNREFUSED) return err;
	// Only now, so that the SYN counts as sent for the first time.
	tp.snd_nxt = tp.write_seq;
	tp.pushed_seq = tp.write_seq;
	const head = tcp_send_head(sk);
	if (head !== null) {
		tp.snd_nxt = TCP_SKB_CB(head).seq;
		tp.pushed_seq = TCP_SKB_CB(head).seq;
	}
	TCP_INC_STATS(sk.net, TCP_MIB_ACTIVEOPENS);
	tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, tp.icsk_rto, false);
	return 0;
}

/** Our SYN crossed the peer's: the same again, with ACK (RFC 9293 3.5, figure 7). Return: 0 or -errno. */
export function tcp_send_synack(sk: sock): number {
	const skb = tcp_rtx_queue_head(sk);
	if (skb === null || (TCP_SKB_CB(skb).tcp_flags & TCPHDR_SYN) === 0) return -EFAULT;
	const cb = TCP_SKB_CB(skb);
	if ((cb.tcp_flags & TCPHDR_ACK) === 0) {
		if (skb_cloned(skb) && skb_unclone(skb) < 0) return -EBUSY;
		cb.tcp_flags |= TCPHDR_ACK;
		tcp_ecn_send_synack(sk, skb);
	}
	return tcp_transmit_skb(sk, skb, true);
}

/**
 * A SYN-ACK without its IP header, routed by `dst`. `foc`: the cookie that the peer asked for; `sk` is the listener (the child for Fast Open).
 * Return: the packet, checksum still to be made; null without memory.
 */
export function tcp_make_synack(
	sk: sock,
	dst: dst_entry,
	req: tcp_request_sock,
	foc: tcp_fastopen_cookie | null,
	synack_type: number,
	syn_skb: sk_buff | null,
): sk_buff | null {
	const tp = tcp_sk(sk);
	const now = sk.net.machine.clock.now;
	const skb = tcp_alloc_nondata(sk, syn_skb);
	if (synack_type === TCP_SYNACK_FASTOPEN) skb_set_owner_w(skb, sk);
	skb._skb_refdst = dst;
	const cb = TCP_SKB_CB(skb);
	cb.skb_mstamp_ns = now;
	if (synack_type === TCP_SYNACK_COOKIE && req.tstamp_ok) cb.skb_mstamp_ns = cookie_init_timestamp(req, now);
	else if (req.snt_synack === 0) req.snt_synack = Math.floor(now / 1000);
	const md5 = tp.md5sig_info !== null ? tcp_md5_do_lookup(sk, req.ir_iif, req.ir_rmt_addr) : null;
	skb.hash = req.txhash;
	skb.l4_hash = req.txhash !== 0;
	const opts = tcp_out(sk.net.machine).opts;
	const mss = tcp_mss_clamp(tp, dst_metric_advmss(dst));
	const header_size = tcp_synack_options(sk, req, mss, skb, opts, md5, foc, synack_type) + 20;
	const th = skb_push(skb, header_size);
	skb_reset_transport_header(skb);
	const b = skb.head;
	const seq = req.snt_isn;
	const ack = req.rcv_nxt;
	const window = Math.min(req.rsk_rcv_wnd, 65535);
	b[th] = req.ir_num >>> 8;
	b[th + 1] = req.ir_num;
	b[th + 2] = req.ir_rmt_port >>> 8;
	b[th + 3] = req.ir_rmt_port;
	for (let i = 0; i < 4; i++) {
		b[th + 4 + i] = seq >>> (24 - 8 * i);
		b[th + 8 + i] = ack >>> (24 - 8 * i);
	}
	b[th + 12] = header_size << 2;
	b[th + 13] = TCPHDR_SYN | TCPHDR_ACK | (req.ecn_ok ? TCPHDR_ECE : 0);
	b[th + 14] = window >>> 8;
	b[th + 15] = window;
	b[th + 16] = 0;
	b[th + 17] = 0;
	b[th + 18] = 0;
	b[th + 19] = 0;
	skb.mark = req.ir_mark;
	skb.ip_summed = CHECKSUM_PARTIAL;
	tcp_options_write(b, th + 20, null, opts);
	TCP_INC_STATS(sk.net, TCP_MIB_OUTSEGS);
	if (md5 !== null) tcp_v4_md5_hash_skb(b, opts.hash_location, md5, null, req, skb);
	cb.skb_mstamp_ns = now;
	return skb;
}

/** The SYN-ACK once more. Return: 0 or -errno. */
export function tcp_rtx_synack(sk: sock, req: tcp_request_sock): number {
	const n = sk.net;
	// Another path may bring it, where flows are spread by their hash.
	req.txhash = n.machine.random.u32() || 1;
	const res = tcp_v4_send_synack(sk, null, null, req, null, TCP_SYNACK_NORMAL, null);
	if (res === 0) {
		TCP_INC_STATS(n, TCP_MIB_RETRANSSEGS);
		NET_INC_STATS(n, LINUX_MIB_TCPSYNRETRANS);
		if (tcp_sk(sk).fastopen_rsk === req) tcp_sk(sk).total_retrans++;
	}
	return res;
}
