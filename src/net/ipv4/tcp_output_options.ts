/*
 * net/ipv4/tcp_output_options.ts: options of segments that go out, and their ECN bits.     Linux: net/ipv4/tcp_output.c (tcp_*_options, tcp_ecn_*)
 *
 * Walk: tcp_syn_options, tcp_synack_options or tcp_established_options say what goes and how long it is; tcp_options_write puts it after the header.
 * The order on the wire is Linux's: MD5, MSS, time stamps (with SACK-permitted in the place of their padding), window scale, SACK blocks, Fast Open.
 * RFC 9293 3.1 (MSS), RFC 7323, RFC 2018 and 2883, RFC 2385, RFC 7413, RFC 3168 6.1. Not here: AccECN, TCP-AO, MPTCP, SMC.
 */

import { RTAX_FEATURE_ECN, RTAX_FEATURES } from '../../uapi/linux/rtnetlink.ts';
import {
	TCPHDR_CWR,
	TCPHDR_ECE,
	TCPOLEN_EXP_FASTOPEN_BASE,
	TCPOLEN_FASTOPEN_BASE,
	TCPOLEN_MD5SIG,
	TCPOLEN_MD5SIG_ALIGNED,
	TCPOLEN_MSS,
	TCPOLEN_MSS_ALIGNED,
	TCPOLEN_SACK_BASE,
	TCPOLEN_SACK_BASE_ALIGNED,
	TCPOLEN_SACK_PERBLOCK,
	TCPOLEN_SACK_PERM,
	TCPOLEN_SACKPERM_ALIGNED,
	TCPOLEN_TIMESTAMP,
	TCPOLEN_TSTAMP_ALIGNED,
	TCPOLEN_WINDOW,
	TCPOLEN_WSCALE_ALIGNED,
	TCPOPT_EXP,
	TCPOPT_FASTOPEN,
	TCPOPT_FASTOPEN_MAGIC,
	TCPOPT_MD5SIG,
	TCPOPT_MSS,
	TCPOPT_NOP,
	TCPOPT_SACK,
	TCPOPT_SACK_PERM,
	TCPOPT_TIMESTAMP,
	TCPOPT_WINDOW,
} from '../../uapi/linux/tcp.ts';
import { dst_metric } from '../core/dst.ts';
import { SKB_GSO_TCP_ECN, type sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import { dst_metric_advmss } from './route.ts';
import { tcp_v4_md5_lookup } from './tcp_ipv4_md5.ts';
import {
	before,
	MAX_TCP_OPTION_SPACE,
	TCP_CONG_NEEDS_ECN,
	TCP_ECN_DEMAND_CWR,
	TCP_ECN_OK,
	TCP_ECN_QUEUE_CWR,
	TCP_SKB_CB,
	TCP_SYNACK_COOKIE,
	tcp_duplicate_sack,
	type tcp_fastopen_cookie,
	type tcp_md5sig_key,
	type tcp_request_sock,
	type tcp_sack_block,
	tcp_selective_acks,
	tcp_sk,
	tcp_skb_timestamp_ts,
	type tcp_sock,
} from './tcp_sock.ts';

export const OPTION_SACK_ADVERTISE = 1;
export const OPTION_TS = 2;
export const OPTION_MD5 = 4;
export const OPTION_WSCALE = 8;
export const OPTION_FAST_OPEN_COOKIE = 256;

/** What a segment's options will be. Caller-owned. */
export class tcp_out_options {
	/** OPTION_*. */
	options = 0;
	mss = 0;
	ws = 0;
	num_sack_blocks = 0;
	tsval = 0;
	tsecr = 0;
	fastopen_cookie: tcp_fastopen_cookie | null = null;
	md5: tcp_md5sig_key | null = null;
	/** Where in head tcp_options_write left room for the signature. */
	hash_location = 0;
}

/** Whether the congestion control module wants ECN whatever the sysctl says. */
export function tcp_ca_needs_ecn(sk: sock): boolean {
	return (tcp_sk(sk).icsk_ca_ops.flags & TCP_CONG_NEEDS_ECN) !== 0;
}

/** The MSS to announce: never more than the route allows. */
export function tcp_advertise_mss(sk: sock): number {
	const tp = tcp_sk(sk);
	const dst = sk.sk_dst_cache;
	if (dst !== null) {
		const metric = dst_metric_advmss(dst);
		if (metric < tp.advmss) tp.advmss = metric;
	}
	return tp.advmss;
}

function fastopen_option_len(cookie: tcp_fastopen_cookie): number {
	const need = cookie.len + (cookie.exp ? TCPOLEN_EXP_FASTOPEN_BASE : TCPOLEN_FASTOPEN_BASE);
	return (need + 3) & ~3;
}

/** A SYN's options. Return: their length. */
export function tcp_syn_options(sk: sock, skb: sk_buff, opts: tcp_out_options): number {
	const tp = tcp_sk(sk);
	const n = sk.net.ipv4;
	let remaining = MAX_TCP_OPTION_SPACE;
	opts.options = 0;
	opts.num_sack_blocks = 0;
	opts.md5 = tp.md5sig_info !== null ? tcp_v4_md5_lookup(sk, sk) : null;
	if (opts.md5 !== null) {
		opts.options |= OPTION_MD5;
		remaining -= TCPOLEN_MD5SIG_ALIGNED;
	}
	opts.mss = tcp_advertise_mss(sk);
	remaining -= TCPOLEN_MSS_ALIGNED;
	// Signatures leave no room for both time stamps and what else there is.
	if (n.sysctl_tcp_timestamps !== 0 && opts.md5 === null) {
		opts.options |= OPTION_TS;
		opts.tsval = (tcp_skb_timestamp_ts(tp.tcp_usec_ts, skb) + tp.tsoffset) | 0;
		opts.tsecr = tp.rx_opt.ts_recent;
		remaining -= TCPOLEN_TSTAMP_ALIGNED;
	}
	if (n.sysctl_tcp_window_scaling !== 0) {
		opts.ws = tp.rx_opt.rcv_wscale;
		opts.options |= OPTION_WSCALE;
		remaining -= TCPOLEN_WSCALE_ALIGNED;
	}
	if (n.sysctl_tcp_sack !== 0) {
		opts.options |= OPTION_SACK_ADVERTISE;
		if ((opts.options & OPTION_TS) === 0) remaining -= TCPOLEN_SACKPERM_ALIGNED;
	}
	const fo = tp.fastopen_req;
	if (fo !== null && fo.cookie.len >= 0) {
		const need = fastopen_option_len(fo.cookie);
		if (remaining >= need) {
			opts.options |= OPTION_FAST_OPEN_COOKIE;
			opts.fastopen_cookie = fo.cookie;
			remaining -= need;
			tp.syn_fastopen = true;
			tp.syn_fastopen_exp = fo.cookie.exp;
		}
	}
	return MAX_TCP_OPTION_SPACE - remaining;
}

/** A SYN-ACK's options: what the SYN offered and we want too. Return: their length. */
export function tcp_synack_options(
	_sk: sock,
	req: tcp_request_sock,
	mss: number,
	skb: sk_buff,
	opts: tcp_out_options,
	md5: tcp_md5sig_key | null,
	foc: tcp_fastopen_cookie | null,
	synack_type: number,
): number {
	let remaining = MAX_TCP_OPTION_SPACE;
	opts.options = 0;
	opts.num_sack_blocks = 0;
	opts.md5 = md5;
	if (md5 !== null) {
		opts.options |= OPTION_MD5;
		remaining -= TCPOLEN_MD5SIG_ALIGNED;
		// No room for time stamps beside SACK.
		if (synack_type !== TCP_SYNACK_COOKIE) req.tstamp_ok = req.tstamp_ok && !req.sack_ok;
	}
	opts.mss = mss;
	remaining -= TCPOLEN_MSS_ALIGNED;
	if (req.wscale_ok) {
		opts.ws = req.rcv_wscale;
		opts.options |= OPTION_WSCALE;
		remaining -= TCPOLEN_WSCALE_ALIGNED;
	}
	if (req.tstamp_ok) {
		opts.options |= OPTION_TS;
		opts.tsval = (tcp_skb_timestamp_ts(req.req_usec_ts, skb) + req.ts_off) | 0;
		// 0 would say "none yet".
		if (req.snt_tsval_first === 0) {
			if (opts.tsval === 0) opts.tsval = -1;
			req.snt_tsval_first = opts.tsval;
		}
		req.snt_tsval_last = opts.tsval;
		opts.tsecr = req.ts_recent;
		remaining -= TCPOLEN_TSTAMP_ALIGNED;
	}
	if (req.sack_ok) {
		opts.options |= OPTION_SACK_ADVERTISE;
		if (!req.tstamp_ok) remaining -= TCPOLEN_SACKPERM_ALIGNED;
	}
	if (foc !== null && foc.len >= 0) {
		const need = fastopen_option_len(foc);
		if (remaining >= need) {
			opts.options |= OPTION_FAST_OPEN_COOKIE;
			opts.fastopen_cookie = foc;
			remaining -= need;
		}
	}
	return MAX_TCP_OPTION_SPACE - remaining;
}

/** Options of a connection's segments. `skb`: null when only the length is asked for. Return: their length. */
export function tcp_established_options(sk: sock, skb: sk_buff | null, opts: tcp_out_options): number {
	const tp = tcp_sk(sk);
	let size = 0;
	opts.options = 0;
	opts.mss = 0;
	opts.md5 = null;
	if (tp.md5sig_info !== null) {
		opts.md5 = tcp_v4_md5_lookup(sk, sk);
		if (opts.md5 !== null) {
			opts.options |= OPTION_MD5;
			size += TCPOLEN_MD5SIG_ALIGNED;
		}
	}
	const rx = tp.rx_opt;
	if (rx.tstamp_ok) {
		opts.options |= OPTION_TS;
		opts.tsval = skb !== null ? (tcp_skb_timestamp_ts(tp.tcp_usec_ts, skb) + tp.tsoffset) | 0 : 0;
		opts.tsecr = rx.ts_recent;
		size += TCPOLEN_TSTAMP_ALIGNED;
	}
	opts.num_sack_blocks = 0;
	const eff_sacks = rx.num_sacks + (rx.dsack ? 1 : 0);
	if (eff_sacks > 0) {
		const remaining = MAX_TCP_OPTION_SPACE - size;
		if (remaining < TCPOLEN_SACK_BASE_ALIGNED + TCPOLEN_SACK_PERBLOCK) return size;
		const fit = Math.floor((remaining - TCPOLEN_SACK_BASE_ALIGNED) / TCPOLEN_SACK_PERBLOCK);
		opts.num_sack_blocks = Math.min(eff_sacks, fit);
		size += TCPOLEN_SACK_BASE_ALIGNED + opts.num_sack_blocks * TCPOLEN_SACK_PERBLOCK;
	}
	return size;
}

function put32(b: Uint8Array, at: number, v: number): void {
	b[at] = v >>> 24;
	b[at + 1] = v >>> 16;
	b[at + 2] = v >>> 8;
	b[at + 3] = v;
}

function put_sack_block(b: Uint8Array, p: number, block: tcp_sack_block): void {
	put32(b, p, block.start_seq);
	put32(b, p + 4, block.end_seq);
}

/** Writes what `opts` says at `p` of `b`. `tp`: null for a SYN-ACK of a request. */
export function tcp_options_write(b: Uint8Array, p: number, tp: tcp_sock | null, opts: tcp_out_options): void {
	let options = opts.options;
	if ((options & OPTION_MD5) !== 0) {
		b[p] = TCPOPT_NOP;
		b[p + 1] = TCPOPT_NOP;
		b[p + 2] = TCPOPT_MD5SIG;
		b[p + 3] = TCPOLEN_MD5SIG;
		opts.hash_location = p + 4;
		b.fill(0, p + 4, p + 20);
		p += TCPOLEN_MD5SIG_ALIGNED;
	}
	if (opts.mss !== 0) {
		b[p] = TCPOPT_MSS;
		b[p + 1] = TCPOLEN_MSS;
		b[p + 2] = opts.mss >>> 8;
		b[p + 3] = opts.mss;
		p += TCPOLEN_MSS;
	}
	if ((options & OPTION_TS) !== 0) {
		if ((options & OPTION_SACK_ADVERTISE) !== 0) {
			b[p] = TCPOPT_SACK_PERM;
			b[p + 1] = TCPOLEN_SACK_PERM;
			options &= ~OPTION_SACK_ADVERTISE;
		} else {
			b[p] = TCPOPT_NOP;
			b[p + 1] = TCPOPT_NOP;
		}
		b[p + 2] = TCPOPT_TIMESTAMP;
		b[p + 3] = TCPOLEN_TIMESTAMP;
		put32(b, p + 4, opts.tsval);
		put32(b, p + 8, opts.tsecr);
		p += TCPOLEN_TSTAMP_ALIGNED;
	}
	if ((options & OPTION_SACK_ADVERTISE) !== 0) {
		b[p] = TCPOPT_NOP;
		b[p + 1] = TCPOPT_NOP;
		b[p + 2] = TCPOPT_SACK_PERM;
		b[p + 3] = TCPOLEN_SACK_PERM;
		p += TCPOLEN_SACKPERM_ALIGNED;
	}
	if ((options & OPTION_WSCALE) !== 0) {
		b[p] = TCPOPT_NOP;
		b[p + 1] = TCPOPT_WINDOW;
		b[p + 2] = TCPOLEN_WINDOW;
		b[p + 3] = opts.ws;
		p += TCPOLEN_WSCALE_ALIGNED;
	}
	if (opts.num_sack_blocks > 0 && tp !== null) {
		const n = opts.num_sack_blocks;
		b[p] = TCPOPT_NOP;
		b[p + 1] = TCPOPT_NOP;
		b[p + 2] = TCPOPT_SACK;
		b[p + 3] = TCPOLEN_SACK_BASE + n * TCPOLEN_SACK_PERBLOCK;
		p += TCPOLEN_SACK_BASE_ALIGNED;
		// RFC 2883 4: what came twice is told once, before the rest.
		let i = 0;
		if (tp.rx_opt.dsack) {
			put_sack_block(b, p, tcp_duplicate_sack(tp));
			p += TCPOLEN_SACK_PERBLOCK;
			i = 1;
		}
		for (let s = 0; i < n; i++, s++) {
			put_sack_block(b, p, tcp_selective_acks(tp)[s]);
			p += TCPOLEN_SACK_PERBLOCK;
		}
		tp.rx_opt.dsack = false;
	}
	if ((options & OPTION_FAST_OPEN_COOKIE) !== 0 && opts.fastopen_cookie !== null) {
		const foc = opts.fastopen_cookie;
		let len: number;
		if (foc.exp) {
			len = TCPOLEN_EXP_FASTOPEN_BASE + foc.len;
			b[p] = TCPOPT_EXP;
			b[p + 1] = len;
			b[p + 2] = TCPOPT_FASTOPEN_MAGIC >>> 8;
			b[p + 3] = TCPOPT_FASTOPEN_MAGIC & 0xff;
			p += TCPOLEN_EXP_FASTOPEN_BASE;
		} else {
			len = TCPOLEN_FASTOPEN_BASE + foc.len;
			b[p] = TCPOPT_FASTOPEN;
			b[p + 1] = len;
			p += TCPOLEN_FASTOPEN_BASE;
		}
		for (let i = 0; i < foc.len; i++) b[p + i] = foc.val[i];
		p += foc.len;
		for (; (len & 3) !== 0; len++) b[p++] = TCPOPT_NOP;
	}
}

// ---- ECN -------------------------------------------------------------------------------------------------------------------------

/** From now on the connection's packets bear ECT(0). */
export function INET_ECN_xmit(sk: sock): void {
	const inet = inet_sk(sk);
	inet.tos = (inet.tos & ~3) | 2;
}

/** From now on they bear none. */
export function INET_ECN_dontxmit(sk: sock): void {
	inet_sk(sk).tos &= ~3;
}

/** A SYN-ACK of a simultaneous open says whether ECN was agreed. */
export function tcp_ecn_send_synack(sk: sock, skb: sk_buff): void {
	const cb = TCP_SKB_CB(skb);
	cb.tcp_flags &= ~TCPHDR_CWR;
	if ((tcp_sk(sk).ecn_flags & TCP_ECN_OK) === 0) cb.tcp_flags &= ~TCPHDR_ECE;
	else if (tcp_ca_needs_ecn(sk)) INET_ECN_xmit(sk);
}

/** RFC 3168 6.1.1: a SYN that offers ECN, when the sysctl, the module or the route asks for it. */
export function tcp_ecn_send_syn(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	let use_ecn = sk.net.ipv4.sysctl_tcp_ecn === 1 || tcp_ca_needs_ecn(sk);
	const dst = sk.sk_dst_cache;
	if (!use_ecn && dst !== null) use_ecn = (dst_metric(dst, RTAX_FEATURES) & RTAX_FEATURE_ECN) !== 0;
	tp.ecn_flags = 0;
	if (!use_ecn) return;
	if (tcp_ca_needs_ecn(sk)) INET_ECN_xmit(sk);
	TCP_SKB_CB(skb).tcp_flags |= TCPHDR_ECE | TCPHDR_CWR;
	tp.ecn_flags = TCP_ECN_OK;
}

/** RFC 3168 6.1.1.1: a SYN that was lost may have been lost because of ECN: once more without. */
export function tcp_ecn_clear_syn(sk: sock, skb: sk_buff): void {
	if (sk.net.ipv4.sysctl_tcp_ecn_fallback !== 0) TCP_SKB_CB(skb).tcp_flags &= ~(TCPHDR_ECE | TCPHDR_CWR);
}

/** RFC 3168 6.1.2 and 6.1.3: ECT on new data only; CWR once after a reduction; ECE until the peer's CWR. `th`: the header's place in head. */
export function tcp_ecn_send(sk: sock, skb: sk_buff, seq: number, th: number, hdrlen: number): void {
	const tp = tcp_sk(sk);
	if ((tp.ecn_flags & TCP_ECN_OK) === 0) return;
	if (skb.len !== hdrlen && !before(seq, tp.snd_nxt)) {
		INET_ECN_xmit(sk);
		if ((tp.ecn_flags & TCP_ECN_QUEUE_CWR) !== 0) {
			tp.ecn_flags &= ~TCP_ECN_QUEUE_CWR;
			skb.head[th + 13] |= TCPHDR_CWR;
			skb.shinfo.gso_type |= SKB_GSO_TCP_ECN;
		}
	} else if (!tcp_ca_needs_ecn(sk)) INET_ECN_dontxmit(sk);
	if ((tp.ecn_flags & TCP_ECN_DEMAND_CWR) !== 0) skb.head[th + 13] |= TCPHDR_ECE;
}
