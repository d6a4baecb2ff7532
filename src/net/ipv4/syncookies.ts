/*
 * net/ipv4/syncookies.ts: a listener that keeps nothing of a SYN.      Linux: net/ipv4/syncookies.c
 *
 * When the queue of requests is full, the SYN-ACK's sequence number itself says (signed by a secret, with the minute) which MSS was agreed,
 * and the low bits of its time stamp say the rest: window scale, SACK, ECN. An ACK of such a number makes the connection.
 * Walk: cookie_v4_init_sequence, cookie_init_timestamp; then cookie_v4_check -> tcp_get_cookie_sock.
 * RFC 4987 3.6; D. J. Bernstein, "SYN cookies" (cr.yp.to/syncookies.html). Not here: BPF's own cookies.
 */

import { HZ } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { siphash_u32 } from '../../lib/siphash.ts';
import { RTAX_INITRWND, RTAX_WINDOW } from '../../uapi/linux/rtnetlink.ts';
import { LINUX_MIB_SYNCOOKIESFAILED, LINUX_MIB_SYNCOOKIESRECV } from '../../uapi/linux/snmp.ts';
import { TCPHDR_ACK, TCPHDR_RST } from '../../uapi/linux/tcp.ts';
import { SKB_DROP_REASON_IP_OUTNOROUTES, SKB_DROP_REASON_NO_SOCKET } from '../core/dropreason.ts';
import { type dst_entry, dst_metric } from '../core/dst.ts';
import { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import { secure_tcp_ts_off } from '../core/secure_seq.ts';
import { kfree_skb_reason, type sk_buff } from '../core/skbuff.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import { SOCK_RCVBUF_LOCK, type sock } from '../core/sock.ts';
import { inet_csk_reqsk_queue_add, inet_csk_route_req, inet_reqsk_alloc } from './inet_connection_sock.ts';
import { ip_hdr_daddr, ip_hdr_saddr } from './ip.ts';
import { tcp_parse_options } from './tcp_input_options.ts';
import { tcp_request_sock_ipv4_ops, tcp_v4_save_options, tcp4_request_sock_ops } from './tcp_ipv4.ts';
import { initial_window, tcp_select_initial_window } from './tcp_output.ts';
import {
	TCP_SACK_SEEN,
	TCP_SKB_CB,
	tcp_full_space,
	tcp_options_received,
	type tcp_request_sock,
	tcp_sk,
} from './tcp_sock.ts';

const COOKIEBITS = 24;
const COOKIEMASK = (1 << COOKIEBITS) - 1;

/** Low bits of the time stamp: window scale (0xf: none), SACK, ECN. */
const TSBITS = 6;
const TS_OPT_WSCALE_MASK = 0xf;
const TS_OPT_SACK = 1 << 4;
const TS_OPT_ECN = 1 << 5;

/** A cookie is good in its own minute and in the next. */
const MAX_SYNCOOKIE_AGE = 2;
const TCP_SYNCOOKIE_PERIOD = 60 * HZ;
const TCP_SYNCOOKIE_VALID = MAX_SYNCOOKIE_AGE * TCP_SYNCOOKIE_PERIOD;

/** The MSS that a cookie can say: four that nearly all have. */
const msstab: readonly number[] = [536, 1300, 1440, 1460];

// ---- the number ----------------------------------------------------------------------------------------------------------------------

function cookie_hash(n: net, saddr: number, daddr: number, ports: number, count: number, c: number): number {
	return siphash_u32(n.ipv4.tcp_hashinfo.syncookie_secret[c], saddr, daddr, ports, count, 4);
}

function tcp_cookie_time(n: net): number {
	return Math.floor(n.machine.jiffies / TCP_SYNCOOKIE_PERIOD);
}

/** 8 bits of the minute and 24 of hash and data, on top of the peer's number. Return: int32. */
function secure_tcp_syn_cookie(
	n: net,
	saddr: number,
	daddr: number,
	ports: number,
	sseq: number,
	data: number,
): number {
	const count = tcp_cookie_time(n);
	const low = (cookie_hash(n, saddr, daddr, ports, count, 1) + data) & COOKIEMASK;
	return (cookie_hash(n, saddr, daddr, ports, 0, 0) + sseq + (count << COOKIEBITS) + low) | 0;
}

/** Return: the data, or -1 when it is no cookie of ours, or too old. */
function check_tcp_syn_cookie(
	n: net,
	cookie: number,
	saddr: number,
	daddr: number,
	ports: number,
	sseq: number,
): number {
	const count = tcp_cookie_time(n);
	const c = (cookie - cookie_hash(n, saddr, daddr, ports, 0, 0) - sseq) | 0;
	const diff = (count - (c >>> COOKIEBITS)) & 0xff;
	if (diff >= MAX_SYNCOOKIE_AGE) return -1;
	return (c - cookie_hash(n, saddr, daddr, ports, count - diff, 1)) & COOKIEMASK;
}

function ports_of(skb: sk_buff): number {
	const b = skb.head;
	const h = skb.transport_header;
	return (b[h] << 24) | (b[h + 1] << 16) | (b[h + 2] << 8) | b[h + 3];
}

/** The number for a SYN's answer; `mssp` is rounded down to what it says. Return: int32. */
export function cookie_v4_init_sequence(skb: sk_buff, mssp: { v: number }): number {
	let ind = msstab.length - 1;
	while (ind > 0 && mssp.v < msstab[ind]) ind--;
	mssp.v = msstab[ind];
	return secure_tcp_syn_cookie(
		skb.dev!.net,
		ip_hdr_saddr(skb),
		ip_hdr_daddr(skb),
		ports_of(skb),
		TCP_SKB_CB(skb).seq,
		ind,
	);
}

/** Return: the MSS that an ACK's cookie says, 0 when it is none. */
function __cookie_v4_check(n: net, skb: sk_buff): number {
	const cb = TCP_SKB_CB(skb);
	const ind = check_tcp_syn_cookie(
		n,
		(cb.ack_seq - 1) | 0,
		ip_hdr_saddr(skb),
		ip_hdr_daddr(skb),
		ports_of(skb),
		(cb.seq - 1) | 0,
	);
	return ind >= 0 && ind < msstab.length ? msstab[ind] : 0;
}

// ---- the time stamp ------------------------------------------------------------------------------------------------------------------

/** ns to take for the SYN-ACK's time: not after `now`, and its time stamp's low bits say what was agreed. */
export function cookie_init_timestamp(req: tcp_request_sock, now: number): number {
	let options = req.wscale_ok ? req.snd_wscale : TS_OPT_WSCALE_MASK;
	if (req.sack_ok) options |= TS_OPT_SACK;
	if (req.ecn_ok) options |= TS_OPT_ECN;
	const ts_now = Math.floor(now / 1e6);
	let ts = ts_now - (ts_now % (1 << TSBITS)) + options;
	if (ts > ts_now) ts -= 1 << TSBITS;
	return ts * 1e6;
}

/** Reads what was agreed from the time stamp that came back (offset taken off). Return: false when it cannot have been. */
export function cookie_timestamp_decode(n: net, opt: tcp_options_received): boolean {
	const options = opt.rcv_tsecr;
	if (!opt.saw_tstamp) {
		opt.tstamp_ok = false;
		opt.sack_ok = 0;
		opt.wscale_ok = false;
		opt.snd_wscale = 0;
		return true;
	}
	if (n.ipv4.sysctl_tcp_timestamps === 0) return false;
	opt.sack_ok = (options & TS_OPT_SACK) !== 0 ? TCP_SACK_SEEN : 0;
	if (opt.sack_ok !== 0 && n.ipv4.sysctl_tcp_sack === 0) return false;
	if ((options & TS_OPT_WSCALE_MASK) === TS_OPT_WSCALE_MASK) return true;
	opt.wscale_ok = true;
	opt.snd_wscale = options & TS_OPT_WSCALE_MASK;
	return n.ipv4.sysctl_tcp_window_scaling !== 0;
}

// ---- the listener --------------------------------------------------------------------------------------------------------------------

/** Notes that the listener's queue was full: only then its cookies are looked at. Its ts_recent_stamp holds jiffies + 1; 0: never. */
export function tcp_synq_overflow(sk: sock): void {
	tcp_sk(sk).rx_opt.ts_recent_stamp = sk.net.machine.jiffies + 1;
}

export function tcp_synq_no_recent_overflow(sk: sock): boolean {
	const last = tcp_sk(sk).rx_opt.ts_recent_stamp;
	return last === 0 || sk.net.machine.jiffies > last - 1 + TCP_SYNCOOKIE_VALID;
}

/** The child of a cookie's request, in the accept queue. Return: it, or null. */
export function tcp_get_cookie_sock(sk: sock, skb: sk_buff, req: tcp_request_sock, dst: dst_entry): sock | null {
	const own_req = { v: false };
	const child = tcp_sk(sk).icsk_af_ops.syn_recv_sock(sk, skb, req, dst, null, own_req);
	return child === null ? null : inet_csk_reqsk_queue_add(sk, req, child);
}

function cookie_tcp_reqsk(
	sk: sock,
	skb: sk_buff,
	opt: tcp_options_received,
	mss: number,
	tsoff: number,
): tcp_request_sock {
	const req = inet_reqsk_alloc(tcp4_request_sock_ops, sk, false);
	const cb = TCP_SKB_CB(skb);
	const ports = ports_of(skb);
	req.af_specific = tcp_request_sock_ipv4_ops;
	req.syncookie = true;
	req.ir_num = ports & 0xffff;
	req.ir_rmt_port = ports >>> 16;
	req.ir_loc_addr = ip_hdr_daddr(skb);
	req.ir_rmt_addr = ip_hdr_saddr(skb);
	req.ir_iif = sk.sk_bound_dev_if;
	req.ir_mark = sk.sk_mark === 0 && sk.net.ipv4.sysctl_tcp_fwmark_accept !== 0 ? skb.mark : sk.sk_mark;
	req.mss = mss;
	req.tstamp_ok = opt.saw_tstamp;
	req.ts_recent = opt.saw_tstamp ? opt.rcv_tsval : 0;
	req.snd_wscale = opt.snd_wscale;
	req.wscale_ok = opt.wscale_ok;
	req.sack_ok = opt.sack_ok !== 0;
	req.ecn_ok = opt.saw_tstamp && (opt.rcv_tsecr & TS_OPT_ECN) !== 0;
	// Nobody knows when the SYN-ACK went.
	req.snt_synack = -1;
	req.txhash = sk.net.machine.random.u32();
	req.rcv_isn = (cb.seq - 1) | 0;
	req.snt_isn = (cb.ack_seq - 1) | 0;
	req.rcv_nxt = cb.seq;
	req.ts_off = tsoff;
	req.syn_tos = cb.ip_dsfield;
	return req;
}

/**
 * A segment without SYN to a listener. Return: the child when it completes a cookie's handshake; `sk` when it is no cookie's ACK and the
 * listener deals with it; null when skb was dropped.
 */
export function cookie_v4_check(sk: sock, skb: sk_buff): sock | null {
	const n = sk.net;
	const flags = TCP_SKB_CB(skb).tcp_flags;
	if (n.ipv4.sysctl_tcp_syncookies === 0 || (flags & (TCPHDR_ACK | TCPHDR_RST)) !== TCPHDR_ACK) return sk;
	if (tcp_synq_no_recent_overflow(sk)) return sk;
	const mss = __cookie_v4_check(n, skb);
	if (mss === 0) {
		NET_INC_STATS(n, LINUX_MIB_SYNCOOKIESFAILED);
		return sk;
	}
	NET_INC_STATS(n, LINUX_MIB_SYNCOOKIESRECV);
	if (skb.journey !== null) trace_event(skb, 'note', 'cookie_v4_check', { counter: 'TcpExtSyncookiesRecv', mss });
	const opt = new tcp_options_received();
	tcp_parse_options(n, skb, opt, false, null);
	let tsoff = 0;
	if (opt.saw_tstamp && opt.rcv_tsecr !== 0) {
		const ports = ports_of(skb);
		tsoff = secure_tcp_ts_off(n, ip_hdr_daddr(skb), ip_hdr_saddr(skb), ports & 0xffff, ports >>> 16);
		opt.rcv_tsecr = (opt.rcv_tsecr - tsoff) | 0;
	}
	if (!cookie_timestamp_decode(n, opt)) return sk;
	const req = cookie_tcp_reqsk(sk, skb, opt, mss, tsoff);
	// The SYN's options are gone; the ACK may bear the same (RFC 1122 4.2.3.8).
	req.ireq_opt = tcp_v4_save_options(n, skb);
	const dst = inet_csk_route_req(sk, new flowi4(), req);
	if (dst === null) {
		kfree_skb_reason(skb, SKB_DROP_REASON_IP_OUTNOROUTES, 'cookie_v4_check');
		return null;
	}
	// The same window as the SYN-ACK's, one hopes.
	const full_space = tcp_full_space(sk);
	const clamp = tcp_sk(sk).window_clamp;
	const out = new initial_window();
	out.window_clamp = clamp !== 0 ? clamp : dst_metric(dst, RTAX_WINDOW);
	if ((sk.sk_userlocks & SOCK_RCVBUF_LOCK) !== 0 && (out.window_clamp > full_space || out.window_clamp === 0))
		out.window_clamp = full_space;
	tcp_select_initial_window(sk, full_space, req.mss, req.wscale_ok, dst_metric(dst, RTAX_INITRWND), out);
	req.rsk_rcv_wnd = out.rcv_wnd;
	req.rsk_window_clamp = out.window_clamp;
	req.rcv_wscale = out.rcv_wscale;
	req.ecn_ok = req.ecn_ok && n.ipv4.sysctl_tcp_ecn !== 0;
	const child = tcp_get_cookie_sock(sk, skb, req, dst);
	if (child === null) kfree_skb_reason(skb, SKB_DROP_REASON_NO_SOCKET, 'cookie_v4_check');
	return child;
}
