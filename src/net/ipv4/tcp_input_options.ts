/*
 * net/ipv4/tcp_input_options.ts: options of segments that arrive, and what time stamps prove (PAWS).     Linux: net/ipv4/tcp_input.c (tcp_*parse*)
 *
 * Walk: tcp_rcv_established -> tcp_parse_aligned_timestamp (the common layout) -> tcp_fast_parse_options -> tcp_parse_options (any layout).
 * A malformed option ends the reading; those before it hold. RFC 9293 3.2, RFC 7323 (window scale, time stamps, PAWS), RFC 2018 2, 3
 * (SACK), RFC 7413 2 (Fast Open), RFC 6994 (experimental options), RFC 2385 3 (MD5). Not here: AccECN's, MPTCP's and AO's options.
 */
import type { Machine } from '../../kernel/machine.ts';
import { HZ, ktime_get_seconds } from '../../kernel/time.ts';
import {
	TCPHDR_ACK,
	TCPHDR_SYN,
	TCPOLEN_EXP_FASTOPEN_BASE,
	TCPOLEN_FASTOPEN_BASE,
	TCPOLEN_MD5SIG,
	TCPOLEN_MSS,
	TCPOLEN_SACK_BASE,
	TCPOLEN_SACK_PERBLOCK,
	TCPOLEN_SACK_PERM,
	TCPOLEN_TIMESTAMP,
	TCPOLEN_WINDOW,
	TCPOPT_EOL,
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
import {
	SKB_DROP_REASON_TCP_RFC7323_PAWS,
	SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK,
	SKB_NOT_DROPPED_YET,
} from '../core/dropreason.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import { tcp_hdr_window } from './tcp_hdr.ts';
import {
	after,
	before,
	TCP_MAX_WSCALE,
	TCP_PAWS_MSL,
	TCP_PAWS_WRAP,
	TCP_SACK_SEEN,
	TCP_SKB_CB,
	type tcp_fastopen_cookie,
	type tcp_options_received,
	tcp_sk,
	type tcp_sock,
} from './tcp_sock.ts';

const TCP_FASTOPEN_COOKIE_MIN = 4;
const TCP_FASTOPEN_COOKIE_MAX = 16;
/** NOP NOP TIMESTAMP 10. */
const ALIGNED_TIMESTAMP = 0x0101080a;

function be32(b: Uint8Array, o: number): number {
	return (b[o] << 24) | (b[o + 1] << 16) | (b[o + 2] << 8) | b[o + 3];
}

function parse_fastopen(
	head: Uint8Array,
	at: number,
	len: number,
	syn: boolean,
	foc: tcp_fastopen_cookie | null,
	exp: boolean,
): void {
	// RFC 7413 4.1.1: only SYNs bear it; a cookie has 4 to 16 bytes, an even number.
	if (foc === null || !syn || len < 0 || (len & 1) !== 0) return;
	if (len >= TCP_FASTOPEN_COOKIE_MIN && len <= TCP_FASTOPEN_COOKIE_MAX) {
		for (let i = 0; i < len; i++) foc.val[i] = head[at + i];
		foc.len = len;
	} else foc.len = len === 0 ? 0 : -1;
	foc.exp = exp;
}

/**
 * Reads the options of a segment into `opt_rx`; where its SACK blocks are goes to TCP_SKB_CB(skb).sacked (offset from the header). `estab`:
 * false for those that only SYNs bear, too. `foc`: Fast Open's cookie, null when not asked for. Borrows skb.
 */
export function tcp_parse_options(
	n: net,
	skb: sk_buff,
	opt_rx: tcp_options_received,
	estab: boolean,
	foc: tcp_fastopen_cookie | null,
): void {
	const b = skb.head;
	const th = skb.transport_header;
	const syn = (b[th + 13] & TCPHDR_SYN) !== 0;
	const end = th + ((b[th + 12] >> 4) << 2);
	let at = th + 20;
	opt_rx.saw_tstamp = false;
	while (at < end) {
		const opcode = b[at];
		if (opcode === TCPOPT_EOL) return;
		if (opcode === TCPOPT_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= end) return;
		const size = b[at + 1];
		if (size < 2 || at + size > end) return;
		const val = at + 2;
		switch (opcode) {
			case TCPOPT_MSS:
				if (size === TCPOLEN_MSS && syn && !estab) {
					let mss = (b[val] << 8) | b[val + 1];
					if (mss !== 0) {
						if (opt_rx.user_mss !== 0 && opt_rx.user_mss < mss) mss = opt_rx.user_mss;
						opt_rx.mss_clamp = mss;
					}
				}
				break;
			case TCPOPT_WINDOW:
				if (size === TCPOLEN_WINDOW && syn && !estab && n.ipv4.sysctl_tcp_window_scaling !== 0) {
					opt_rx.wscale_ok = true;
					// RFC 7323 2.3: a larger shift counts as 14.
					opt_rx.snd_wscale = b[val] > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : b[val];
				}
				break;
			case TCPOPT_TIMESTAMP:
				if (size === TCPOLEN_TIMESTAMP && (estab ? opt_rx.tstamp_ok : n.ipv4.sysctl_tcp_timestamps !== 0)) {
					opt_rx.saw_tstamp = true;
					opt_rx.rcv_tsval = be32(b, val);
					opt_rx.rcv_tsecr = be32(b, val + 4);
				}
				break;
			case TCPOPT_SACK_PERM:
				if (size === TCPOLEN_SACK_PERM && syn && !estab && n.ipv4.sysctl_tcp_sack !== 0) {
					opt_rx.sack_ok = TCP_SACK_SEEN;
					opt_rx.dsack = false;
					opt_rx.num_sacks = 0;
				}
				break;
			case TCPOPT_SACK:
				if (
					size >= TCPOLEN_SACK_BASE + TCPOLEN_SACK_PERBLOCK &&
					(size - TCPOLEN_SACK_BASE) % TCPOLEN_SACK_PERBLOCK === 0 &&
					opt_rx.sack_ok !== 0
				)
					TCP_SKB_CB(skb).sacked = at - th;
				break;
			case TCPOPT_FASTOPEN:
				parse_fastopen(b, val, size - TCPOLEN_FASTOPEN_BASE, syn, foc, false);
				break;
			case TCPOPT_EXP:
				if (size >= TCPOLEN_EXP_FASTOPEN_BASE && ((b[val] << 8) | b[val + 1]) === TCPOPT_FASTOPEN_MAGIC)
					parse_fastopen(b, val + 2, size - TCPOLEN_EXP_FASTOPEN_BASE, syn, foc, true);
				break;
		}
		at += size;
	}
}

/** Where option `kind` of `len` bytes (0: any) is in `head`, -1 when there is none. `th`: where the TCP header is. */
function find_option(head: Uint8Array, th: number, kind: number, len: number): number {
	const end = th + ((head[th + 12] >> 4) << 2);
	let at = th + 20;
	while (at < end) {
		const opcode = head[at];
		if (opcode === TCPOPT_EOL) return -1;
		if (opcode === TCPOPT_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= end) return -1;
		const size = head[at + 1];
		if (size < 2 || at + size > end) return -1;
		if (opcode === kind && (len === 0 || size === len)) return at;
		at += size;
	}
	return -1;
}

/** Return: the MSS option of the header at `th`, at most `user_mss` (0: no limit); 0 for none. */
export function tcp_parse_mss_option(head: Uint8Array, th: number, user_mss: number): number {
	const at = find_option(head, th, TCPOPT_MSS, TCPOLEN_MSS);
	if (at < 0) return 0;
	const mss = (head[at + 2] << 8) | head[at + 3];
	return mss !== 0 && user_mss !== 0 && user_mss < mss ? user_mss : mss;
}

/** Return: where the MD5 option's 16 bytes are in `head`, -1 for none. */
export function tcp_parse_md5sig_option(head: Uint8Array, th: number): number {
	const at = find_option(head, th, TCPOPT_MD5SIG, TCPOLEN_MD5SIG);
	return at < 0 ? -1 : at + 2;
}

/** Time stamps as everybody lays them out: NOP NOP TIMESTAMP first. Return: whether they are there. */
export function tcp_parse_aligned_timestamp(tp: tcp_sock, head: Uint8Array, th: number): boolean {
	if (be32(head, th + 20) !== ALIGNED_TIMESTAMP) return false;
	const opt = tp.rx_opt;
	opt.saw_tstamp = true;
	opt.rcv_tsval = be32(head, th + 24);
	const tsecr = be32(head, th + 28);
	opt.rcv_tsecr = tsecr === 0 ? 0 : (tsecr - tp.tsoffset) | 0;
	return true;
}

/** The options of a segment of a connection. Return: whether it has any. */
export function tcp_fast_parse_options(n: net, skb: sk_buff, tp: tcp_sock): boolean {
	const th = skb.transport_header;
	const doff = skb.head[th + 12] >> 4;
	const opt = tp.rx_opt;
	if (doff === 5) {
		opt.saw_tstamp = false;
		return false;
	}
	if (doff === 8 && opt.tstamp_ok && tcp_parse_aligned_timestamp(tp, skb.head, th)) return true;
	tcp_parse_options(n, skb, opt, true, null);
	if (opt.saw_tstamp && opt.rcv_tsecr !== 0) opt.rcv_tsecr = (opt.rcv_tsecr - tp.tsoffset) | 0;
	return true;
}

export function tcp_clear_options(opt: tcp_options_received): void {
	opt.tstamp_ok = false;
	opt.sack_ok = 0;
	opt.wscale_ok = false;
	opt.snd_wscale = 0;
	opt.smc_ok = false;
}

// ---- PAWS --------------------------------------------------------------------------------------------------------------------------

/** The peer's clock, to be echoed. */
export function tcp_store_ts_recent(sk: sock): void {
	const opt = tcp_sk(sk).rx_opt;
	opt.ts_recent = opt.rcv_tsval;
	opt.ts_recent_stamp = ktime_get_seconds(sk.net.machine);
}

/** RFC 7323 5.3: whether the time stamp is no older than what was seen, by `paws_win` ticks of grace. */
export function tcp_paws_check(rx_opt: tcp_options_received, paws_win: number, machine: Machine): boolean {
	if (((rx_opt.ts_recent - rx_opt.rcv_tsval) | 0) <= paws_win) return true;
	// RFC 7323 5.5: after so long a pause the clock may have wrapped.
	if (ktime_get_seconds(machine) >= rx_opt.ts_recent_stamp + TCP_PAWS_WRAP) return true;
	// Some systems say 0 in their SYN, and begin to count after.
	return rx_opt.ts_recent === 0;
}

/** Whether PAWS refuses the segment; a reset only soon after the last segment (RFC 7323 5.2: it may come from a host that forgot all). */
export function tcp_paws_reject(rx_opt: tcp_options_received, rst: boolean, machine: Machine): boolean {
	if (tcp_paws_check(rx_opt, 0, machine)) return false;
	return !(rst && ktime_get_seconds(machine) >= rx_opt.ts_recent_stamp + TCP_PAWS_MSL);
}

/** How far back, in ticks of the peer's clock, a reordered ACK may come from. */
function tcp_tsval_replay(tp: tcp_sock): number {
	// RFC 7323 5.4 wants ticks of 1 ms to 1 s; some tick at 1,200 Hz.
	return tp.tcp_usec_ts ? tp.icsk_rto * (1e6 / HZ) : Math.floor((tp.icsk_rto * 1200) / HZ);
}

/** RFC 9293 3.10.7.4: whether an ACK's window is newer than what is known. */
export function tcp_may_update_window(tp: tcp_sock, ack: number, ack_seq: number, nwin: number): boolean {
	return (
		after(ack, tp.snd_una) ||
		after(ack_seq, tp.snd_wl1) ||
		(ack_seq === tp.snd_wl1 && (nwin > tp.snd_wnd || nwin === 0))
	);
}

/**
 * A segment that failed PAWS: a pure ACK that says nothing new, reordered on its way, is harmless.
 * Return: SKB_NOT_DROPPED_YET for such, else why to drop it.
 */
export function tcp_disordered_ack_check(sk: sock, skb: sk_buff): number {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const seq = cb.seq;
	const ack_seq = cb.ack_seq;
	if ((cb.tcp_flags & TCPHDR_ACK) === 0 || seq !== cb.end_seq) return SKB_DROP_REASON_TCP_RFC7323_PAWS;
	if (seq !== tp.rcv_nxt)
		return before(seq, tp.rcv_nxt) ? SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK : SKB_DROP_REASON_TCP_RFC7323_PAWS;
	if (ack_seq !== tp.snd_una) return SKB_DROP_REASON_TCP_RFC7323_PAWS;
	if (tcp_may_update_window(tp, ack_seq, seq, tcp_hdr_window(skb) * 2 ** tp.rx_opt.snd_wscale))
		return SKB_DROP_REASON_TCP_RFC7323_PAWS;
	if (((tp.rx_opt.ts_recent - tp.rx_opt.rcv_tsval) | 0) > tcp_tsval_replay(tp)) return SKB_DROP_REASON_TCP_RFC7323_PAWS;
	return SKB_NOT_DROPPED_YET;
}
