/*
 * net/ipv4/tcp_output.ts: segments go out.                         Linux: net/ipv4/tcp_output.c
 *
 * Walk: tcp_transmit_skb puts a header on a clone of a queued segment (or on a segment without data) and hands it to IP: the window that it offers
 *       (tcp_select_window), options, ECN. Around it: MSS and MTU (tcp_sync_mss, tcp_current_mss), ACKs at once and delayed, FIN, RST.
 * Cut here as the kernel's sections are: tcp_output_options.ts (options, ECN), tcp_output_xmit.ts (what may be sent now: windows, Nagle, TSO, pacing,
 *       TSQ, loss probes), tcp_output_rtx.ts (again: retransmissions, zero-window probes), tcp_output_probe.ts (MTU probing), tcp_output_syn.ts (handshake).
 *       All of it is exported from here.
 *
 * A segment's payload lies in frags over pages (net/core/skbuff_frags.ts), its headers in the linear part of the clone that is sent, in front.
 * While a clone is still under way (in a device's queue, or unread at a receiver of this machine) a retransmission gets a linear part of its own.
 *
 * RFC 9293 3.8 (data, SWS avoidance 3.8.6.2, delayed ACKs 3.8.6.3), 3.7.1 (MSS), RFC 7323 2 (windows), RFC 2861 (idle), RFC 1191.
 */
import { local_bh_enable } from '../../kernel/softirq.ts';
import { hrtimer_cancel, mod_timer, timer_pending, usecs_to_jiffies } from '../../kernel/time.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import {
	LINUX_MIB_TCPABORTFAILED,
	LINUX_MIB_TCPACKCOMPRESSED,
	LINUX_MIB_TCPFROMZEROWINDOWADV,
	LINUX_MIB_TCPTOZEROWINDOWADV,
	LINUX_MIB_TCPWANTZEROWINDOWADV,
	TCP_MIB_OUTRSTS,
	TCP_MIB_OUTSEGS,
} from '../../uapi/linux/snmp.ts';
import { TCPHDR_ACK, TCPHDR_FIN, TCPHDR_PSH, TCPHDR_RST, TCPHDR_SYN } from '../../uapi/linux/tcp.ts';
import { dst_mtu } from '../core/dst.ts';
import {
	__skb_header_release,
	alloc_skb,
	CHECKSUM_PARTIAL,
	pskb_copy,
	SKB_GSO_TCPV4,
	type sk_buff,
	skb_clone,
	skb_cloned,
	skb_orphan,
	skb_push,
	skb_reserve,
} from '../core/skbuff.ts';
import { __skb_queue_tail } from '../core/skbuff_queue.ts';
import { NET_INC_STATS, TCP_INC_STATS } from '../core/snmp.ts';
import { type sock, TCP_CLOSE } from '../core/sock.ts';
import { sk_forced_mem_schedule, sk_mem_charge, sk_under_memory_pressure } from '../core/sock_mem.ts';
import { sk_wmem_queued_add } from '../core/stream.ts';
import { inet_sk } from './af_inet.ts';
import { inet_csk_clear_xmit_timer, inet_csk_delack_timer } from './inet_connection_sock.ts';
import { tcp_chrono_start } from './tcp_chrono.ts';
import { tcp_enter_cwr, tcp_init_cwnd } from './tcp_input_loss.ts';
import { tcp_v4_md5_hash_skb } from './tcp_ipv4_md5.ts';
import {
	tcp_ecn_send,
	tcp_established_options,
	tcp_options_write,
	type tcp_out_options,
	tcp_syn_options,
} from './tcp_output_options.ts';
import { __tcp_push_pending_frames, tcp_out, tcp_update_skb_after_send, tcp_wfree } from './tcp_output_xmit.ts';
import { tcp_rate_skb_sent } from './tcp_rate.ts';
import {
	after,
	before,
	CA_EVENT_CWND_RESTART,
	CA_EVENT_TX_START,
	ICSK_ACK_NOMEM,
	ICSK_ACK_PUSHED,
	ICSK_ACK_SCHED,
	ICSK_ACK_TIMER,
	ICSK_TIME_DACK,
	inet_csk_ack_scheduled,
	inet_csk_in_pingpong_mode,
	inet_csk_inc_pingpong_cnt,
	MAX_TCP_HEADER,
	MAX_TCP_WINDOW,
	SK_PACING_FQ,
	TCP_ATO_MIN,
	TCP_CHRONO_BUSY,
	TCP_DELACK_MAX,
	TCP_DELACK_MIN,
	TCP_MAX_WSCALE,
	TCP_NAGLE_OFF,
	TCP_SKB_CB,
	tcp_ca_event,
	tcp_current_ssthresh,
	tcp_full_space,
	tcp_mstamp_refresh,
	tcp_packets_in_flight,
	tcp_receive_window,
	tcp_rto_min,
	tcp_rtx_queue_tail,
	tcp_sk,
	type tcp_sock,
	tcp_space,
	tcp_wnd_end,
	tcp_write_queue_tail,
} from './tcp_sock.ts';

export { tcp_chrono_start, tcp_chrono_stop } from './tcp_chrono.ts';
export * from './tcp_output_options.ts';
export * from './tcp_output_probe.ts';
export * from './tcp_output_rtx.ts';
export * from './tcp_output_syn.ts';
export * from './tcp_output_xmit.ts';
export { tcp_mstamp_refresh } from './tcp_sock.ts';

/** HZ / 2: the longest that an ACK is delayed when nothing else bounds it. */
const DELACK_BOUND = 125;

// ---- segments without data -------------------------------------------------------------------------------------------------------

/** What Linux charges for a segment without payload. */
export const TCP_NONDATA_TRUESIZE = 832;

/** An empty buffer with room for all headers. `parent`: the packet that it answers, for its journey. */
export function tcp_alloc_nondata(sk: sock, parent: sk_buff | null = null): sk_buff {
	const skb = alloc_skb(sk.net.machine, MAX_TCP_HEADER, parent);
	skb.truesize = TCP_NONDATA_TRUESIZE;
	skb_reserve(skb, MAX_TCP_HEADER);
	return skb;
}

/** A segment that carries flags only. SYN and FIN take a sequence number each. */
export function tcp_init_nondata_skb(skb: sk_buff, _sk: sock, seq: number, flags: number): void {
	skb.ip_summed = CHECKSUM_PARTIAL;
	const cb = TCP_SKB_CB(skb);
	cb.tcp_flags = flags;
	cb.tcp_gso_segs = 1;
	cb.tcp_gso_size = 0;
	cb.sacked = 0;
	cb.eor = false;
	cb.txstamp_ack = false;
	cb.tsorted = false;
	cb.seq = seq;
	cb.end_seq = (flags & (TCPHDR_SYN | TCPHDR_FIN)) !== 0 ? (seq + 1) | 0 : seq;
}

/** The sequence number of a segment without data: never beyond the peer's window, so that it is not refused (RFC 9293 3.10.7.4). */
function tcp_acceptable_seq(sk: sock): number {
	const tp = tcp_sk(sk);
	const end = tcp_wnd_end(tp);
	if (!before(end, tp.snd_nxt)) return tp.snd_nxt;
	// The peer's window is known in steps of its scale only.
	if (tp.rx_opt.wscale_ok && ((tp.snd_nxt - end) | 0) < 1 << tp.rx_opt.rcv_wscale) return tp.snd_nxt;
	return end;
}

/** Adds a segment to what waits. */
export function tcp_queue_skb(sk: sock, skb: sk_buff): void {
	tcp_sk(sk).write_seq = TCP_SKB_CB(skb).end_seq;
	__skb_queue_tail(sk.sk_write_queue, skb);
	if (sk.sk_write_queue.first === skb) tcp_chrono_start(sk, TCP_CHRONO_BUSY);
	sk_wmem_queued_add(sk, skb.truesize);
	sk_mem_charge(sk, skb.truesize);
}

// ---- the window that we offer ----------------------------------------------------------------------------------------------------

/** What tcp_select_initial_window says. */
export class initial_window {
	rcv_wnd = 0;
	/** Its value on entry is the limit asked for, 0 for none. */
	window_clamp = 0;
	rcv_wscale = 0;
}

/** The first window and its scale, for `space` bytes of buffer. `init_rcv_wnd`: segments (route's initrwnd), 0 for no limit. */
export function tcp_select_initial_window(
	sk: sock,
	space: number,
	mss: number,
	wscale_ok: boolean,
	init_rcv_wnd: number,
	out: initial_window,
): void {
	const n = sk.net;
	if (space < 0) space = 0;
	if (out.window_clamp === 0) out.window_clamp = 65535 << TCP_MAX_WSCALE;
	space = Math.min(out.window_clamp, space);
	if (space > mss) space -= space % mss;
	out.rcv_wnd = n.ipv4.sysctl_tcp_workaround_signed_windows !== 0 ? Math.min(space, MAX_TCP_WINDOW) : space;
	if (init_rcv_wnd !== 0) out.rcv_wnd = Math.min(out.rcv_wnd, init_rcv_wnd * mss);
	out.rcv_wscale = 0;
	if (wscale_ok) {
		// Whatever the buffer may grow to must fit.
		space = Math.max(space, n.ipv4.sysctl_tcp_rmem[2], n.machine.sock.sysctl_rmem_max);
		space = Math.min(space, out.window_clamp);
		out.rcv_wscale = Math.max(0, Math.min(TCP_MAX_WSCALE, 31 - Math.clz32(space) - 15));
	}
	out.window_clamp = Math.min(65535 * 2 ** out.rcv_wscale, out.window_clamp);
}

function align_up(v: number, wscale: number): number {
	const step = 1 << wscale;
	return Math.ceil(v / step) * step;
}

function align_down(v: number, wscale: number): number {
	return v - (v % (1 << wscale));
}

/** Little memory is left: no window beyond a few segments. */
export function tcp_adjust_rcv_ssthresh(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.rcv_ssthresh = Math.min(tp.rcv_ssthresh, 4 * tp.advmss);
}

/** Whether so little of the buffer is free that the window closes (RFC 9293 3.8.6.2.2: no silly windows). */
function too_little(free: number, allowed: number, mss: number): boolean {
	return free < allowed >> 4 || free < mss;
}

/** The window that the buffer allows now, in bytes. */
export function __tcp_select_window(sk: sock): number {
	const tp = tcp_sk(sk);
	const wscale = tp.rx_opt.rcv_wscale;
	let mss = tp.icsk_ack_rcv_mss;
	let free = tcp_space(sk);
	const allowed = tcp_full_space(sk);
	const full = Math.min(tp.window_clamp, allowed);
	if (mss > full) {
		mss = full;
		if (mss <= 0) return 0;
	}
	const shrink = sk.net.ipv4.sysctl_tcp_shrink_window !== 0 && wscale !== 0;
	if (shrink) free = align_down(Math.max(free, 0), wscale);
	if (free < full >> 1) {
		tp.icsk_ack_quick = 0;
		if (sk_under_memory_pressure(sk)) tcp_adjust_rcv_ssthresh(sk);
		if (!shrink) free = align_down(free, wscale);
		if (too_little(free, allowed, mss)) return 0;
		if (shrink && free < 1 << wscale) return 0;
	}
	if (shrink) return free > tp.rcv_ssthresh ? align_up(tp.rcv_ssthresh, wscale) : free;
	if (free > tp.rcv_ssthresh) free = tp.rcv_ssthresh;
	// With a scale the window moves in its steps; rounded up, since rounding down could close it.
	if (wscale !== 0) return align_up(free, wscale);
	let window = tp.rcv_wnd;
	// Without, it moves by whole segments, unless all of the buffer is one.
	if (window <= free - mss || window > free) window = free - (free % mss);
	else if (mss === full && free > window + (full >> 1)) window = free;
	return window;
}

/** The window field of a segment that goes now; what was offered is remembered. */
function tcp_select_window(sk: sock): number {
	const tp = tcp_sk(sk);
	const n = sk.net;
	const old_win = tp.rcv_wnd;
	const wscale = tp.rx_opt.rcv_wscale;
	if ((tp.icsk_ack_pending & ICSK_ACK_NOMEM) !== 0) {
		// A segment had to be dropped for want of memory: close.
		tp.pred_flags = 0;
		tp.rcv_wnd = 0;
		tp.rcv_wup = tp.rcv_nxt;
		return 0;
	}
	const cur_win = tcp_receive_window(tp);
	let new_win = __tcp_select_window(sk);
	if (new_win < cur_win && (n.ipv4.sysctl_tcp_shrink_window === 0 || wscale === 0)) {
		// RFC 9293 3.8.6: what was offered is not taken back.
		if (new_win === 0) NET_INC_STATS(n, LINUX_MIB_TCPWANTZEROWINDOWADV);
		new_win = align_up(cur_win, wscale);
	}
	tp.rcv_wnd = new_win;
	tp.rcv_wup = tp.rcv_nxt;
	if (wscale === 0 && n.ipv4.sysctl_tcp_workaround_signed_windows !== 0) new_win = Math.min(new_win, MAX_TCP_WINDOW);
	else new_win = Math.min(new_win, 65535 << wscale);
	new_win >>>= wscale;
	if (new_win === 0) {
		tp.pred_flags = 0;
		if (old_win !== 0) NET_INC_STATS(n, LINUX_MIB_TCPTOZEROWINDOWADV);
	} else if (old_win === 0) NET_INC_STATS(n, LINUX_MIB_TCPFROMZEROWINDOWADV);
	return new_win;
}

// ---- what a transmission changes -------------------------------------------------------------------------------------------------

/** RFC 2861: the window halves with each RTO of idleness, down to the initial one. `delta`: jiffies idle. */
export function tcp_cwnd_restart(sk: sock, delta: number): void {
	const tp = tcp_sk(sk);
	let cwnd = tp.snd_cwnd;
	const restart_cwnd = Math.min(tcp_init_cwnd(tp, sk.sk_dst_cache), cwnd);
	tcp_ca_event(sk, CA_EVENT_CWND_RESTART);
	tp.snd_ssthresh = tcp_current_ssthresh(sk);
	for (delta -= tp.icsk_rto; delta > 0 && cwnd > restart_cwnd; delta -= tp.icsk_rto) cwnd >>= 1;
	tp.snd_cwnd = Math.max(cwnd, restart_cwnd);
	tp.snd_cwnd_stamp = sk.net.machine.jiffies;
	tp.snd_cwnd_used = 0;
}

function tcp_event_data_sent(tp: tcp_sock, sk: sock): void {
	const now = sk.net.machine.jiffies;
	if (tcp_packets_in_flight(tp) === 0) tcp_ca_event(sk, CA_EVENT_TX_START);
	tp.lsndtime = now;
	// An answer to what came a moment ago: a conversation, so ACKs can wait for the next answer.
	if (now - tp.icsk_ack_lrcvtime < tp.icsk_ack_ato) inet_csk_inc_pingpong_cnt(sk);
}

/** An ACK of all that was received goes: none is owed any more. */
function tcp_event_ack_sent(sk: sock, rcv_nxt: number): void {
	const tp = tcp_sk(sk);
	if (tp.compressed_ack !== 0) {
		sk.net.mib.net_statistics[LINUX_MIB_TCPACKCOMPRESSED] += tp.compressed_ack;
		tp.compressed_ack = 0;
		if (tp.compressed_ack_timer !== null) hrtimer_cancel(tp.compressed_ack_timer);
	}
	if (rcv_nxt !== tp.rcv_nxt) return;
	if (tp.icsk_ack_quick !== 0) {
		const pkts = inet_csk_ack_scheduled(sk) ? 1 : 0;
		if (pkts >= tp.icsk_ack_quick) {
			tp.icsk_ack_quick = 0;
			tp.icsk_ack_ato = TCP_ATO_MIN;
		} else tp.icsk_ack_quick -= pkts;
	}
	inet_csk_clear_xmit_timer(sk, ICSK_TIME_DACK);
}

export function tcp_urg_mode(tp: tcp_sock): boolean {
	return tp.snd_una !== tp.snd_up;
}

// ---- transmission ----------------------------------------------------------------------------------------------------------------

/** The header's fixed part at `th`; window and checksum come later. */
function tcp_build_header(
	b: Uint8Array,
	th: number,
	sport: number,
	dport: number,
	seq: number,
	ack: number,
	header_size: number,
	flags: number,
): void {
	b[th] = sport >>> 8;
	b[th + 1] = sport;
	b[th + 2] = dport >>> 8;
	b[th + 3] = dport;
	b[th + 4] = seq >>> 24;
	b[th + 5] = seq >>> 16;
	b[th + 6] = seq >>> 8;
	b[th + 7] = seq;
	b[th + 8] = ack >>> 24;
	b[th + 9] = ack >>> 16;
	b[th + 10] = ack >>> 8;
	b[th + 11] = ack;
	b[th + 12] = (header_size << 2) | ((flags >> 8) & 1);
	b[th + 13] = flags;
	b[th + 16] = 0;
	b[th + 17] = 0;
	b[th + 18] = 0;
	b[th + 19] = 0;
}

/** RFC 9293 3.8.5: while urgent data lies ahead within reach of the pointer, segments say where. */
function tcp_urgent_pointer(b: Uint8Array, th: number, tp: tcp_sock, seq: number): void {
	if (!before(seq, tp.snd_up)) return;
	let ptr: number;
	if (before(tp.snd_up, (seq + 0x10000) | 0)) ptr = (tp.snd_up - seq) & 0xffff;
	else if (after((seq + 0xffff) | 0, tp.snd_nxt)) ptr = 0xffff;
	else return;
	b[th + 13] |= 0x20;
	b[th + 18] = ptr >>> 8;
	b[th + 19] = ptr;
}

/**
 * Sends a segment: `clone_it` for one that stays in a queue (borrowed then), else it is consumed. `rcv_nxt`: what it acknowledges.
 * Return: 0, a positive NET_XMIT_* that was not a loss, or -errno.
 */
export function __tcp_transmit_skb(sk: sock, skb: sk_buff, clone_it: boolean, rcv_nxt: number): number {
	const tp = tcp_sk(sk);
	const inet = inet_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const prior_wstamp = tp.tcp_wstamp_ns;
	if (tp.tcp_clock_cache > prior_wstamp) tp.tcp_wstamp_ns = tp.tcp_clock_cache;
	cb.skb_mstamp_ns = tp.tcp_wstamp_ns;
	const oskb = skb;
	if (clone_it) {
		if (skb_cloned(oskb)) skb = pskb_copy(oskb);
		else {
			__skb_header_release(oskb);
			skb = skb_clone(oskb);
		}
		cb.fclone = skb;
	}
	const opts = tcp_out(sk.net.machine).opts;
	const pcount = cb.tcp_gso_segs;
	let flags = cb.tcp_flags;
	const syn = (flags & TCPHDR_SYN) !== 0;
	let options_size: number;
	if (syn) options_size = tcp_syn_options(sk, oskb, opts);
	else {
		options_size = tcp_established_options(sk, oskb, opts);
		// Receivers merge what has no PSH and wait for more.
		if (pcount > 1) flags |= TCPHDR_PSH;
	}
	const header_size = options_size + 20;
	const th = skb_push(skb, header_size);
	skb.transport_header = th;
	skb_orphan(skb);
	skb.sk = sk;
	skb.destructor = tcp_wfree;
	sk.sk_wmem_alloc += skb.truesize;
	// When it may leave at the earliest: fq looks.
	if (sk.sk_pacing_status === SK_PACING_FQ) skb.tstamp = tp.tcp_wstamp_ns;
	skb.hash = sk.sk_txhash;
	skb.l4_hash = sk.sk_txhash !== 0;

	const b = skb.head;
	tcp_build_header(b, th, inet.inet_sport, inet.inet_dport, cb.seq, rcv_nxt, header_size, flags);
	if (tp.snd_una !== tp.snd_up) tcp_urgent_pointer(b, th, tp, cb.seq);
	const sh = skb.shinfo;
	sh.gso_type = SKB_GSO_TCPV4;
	let window: number;
	if (syn) window = Math.min(tp.rcv_wnd, 65535);
	else {
		window = tcp_select_window(sk);
		tcp_ecn_send(sk, skb, cb.seq, th, header_size);
	}
	b[th + 14] = window >>> 8;
	b[th + 15] = window;
	if (options_size > 0) tcp_options_write(b, th + 20, tp, opts);
	if (opts.md5 !== null) tcp_sign(sk, skb, opts);
	tp.icsk_af_ops.send_check(sk, skb);
	if ((flags & TCPHDR_ACK) !== 0) tcp_event_ack_sent(sk, rcv_nxt);
	const len = skb.len - header_size;
	if (len !== 0) {
		tcp_event_data_sent(tp, sk);
		tp.data_segs_out += pcount;
		tp.bytes_sent += len;
	}
	if (after(cb.end_seq, tp.snd_nxt) || cb.seq === cb.end_seq) sk.net.mib.tcp_statistics[TCP_MIB_OUTSEGS] += pcount;
	tp.segs_out += pcount;
	sh.gso_segs = pcount;
	sh.gso_size = cb.tcp_gso_size;
	if (skb.journey !== null) tcp_trace_transmit(skb, sk, cb.seq, len);
	const err = tp.icsk_af_ops.queue_xmit(sk, skb);
	let ret = err;
	if (err > 0) {
		// A queue said that it is congested, or dropped something (of somebody).
		tcp_enter_cwr(sk);
		ret = err === 2 ? 0 : err;
	}
	if (ret === 0 && clone_it) {
		tcp_update_skb_after_send(sk, oskb, prior_wstamp);
		tcp_rate_skb_sent(sk, oskb);
	}
	// What a call put on loopback arrives at once; the answers wait in the backlog.
	if (sk.sk_lock_owned) local_bh_enable(sk.net.machine);
	return ret;
}

/** RFC 2385. Borrows skb. */
function tcp_sign(sk: sock, skb: sk_buff, opts: tcp_out_options): void {
	// One signature covers one segment: none is cut after this.
	sk.sk_gso_max_segs = 1;
	tcp_v4_md5_hash_skb(skb.head, opts.hash_location, opts.md5!, sk, null, skb);
}

function tcp_trace_transmit(skb: sk_buff, sk: sock, seq: number, len: number): void {
	const tp = tcp_sk(sk);
	trace_fn(skb, '__tcp_transmit_skb');
	trace_event(skb, 'note', '__tcp_transmit_skb', {
		seq: seq >>> 0,
		len,
		state: sk.sk_state,
		cwnd: tp.snd_cwnd,
		in_flight: tcp_packets_in_flight(tp),
		ino: sk.sk_ino,
	});
}

export function tcp_transmit_skb(sk: sock, skb: sk_buff, clone_it: boolean): number {
	return __tcp_transmit_skb(sk, skb, clone_it, tcp_sk(sk).rcv_nxt);
}

// ---- MSS and MTU -----------------------------------------------------------------------------------------------------------------

/** The most payload, options not counted, that fits packets of `pmtu` bytes. */
export function __tcp_mtu_to_mss(sk: sock, pmtu: number): number {
	const tp = tcp_sk(sk);
	let mss = pmtu - tp.icsk_af_ops.net_header_len - 20;
	if (mss > tp.rx_opt.mss_clamp) mss = tp.rx_opt.mss_clamp;
	mss -= tp.icsk_ext_hdr_len;
	return Math.max(mss, sk.net.ipv4.sysctl_tcp_min_snd_mss);
}

/** The payload of a segment with the connection's usual options in packets of `pmtu` bytes. */
export function tcp_mtu_to_mss(sk: sock, pmtu: number): number {
	return __tcp_mtu_to_mss(sk, pmtu) - (tcp_sk(sk).tcp_header_len - 20);
}

export function tcp_mss_to_mtu(sk: sock, mss: number): number {
	const tp = tcp_sk(sk);
	return mss + tp.tcp_header_len + tp.icsk_ext_hdr_len + tp.icsk_af_ops.net_header_len;
}

/** The search for the path's MTU begins (RFC 4821), when net.ipv4.tcp_mtu_probing is 2. */
export function tcp_mtup_init(sk: sock): void {
	const tp = tcp_sk(sk);
	const n = sk.net.ipv4;
	tp.icsk_mtup_enabled = n.sysctl_tcp_mtu_probing > 1;
	tp.icsk_mtup_search_high = tp.rx_opt.mss_clamp + 20 + tp.icsk_af_ops.net_header_len;
	tp.icsk_mtup_search_low = tcp_mss_to_mtu(sk, n.sysctl_tcp_base_mss);
	tp.icsk_mtup_probe_size = 0;
	if (tp.icsk_mtup_enabled) tp.icsk_mtup_probe_timestamp = sk.net.machine.jiffies;
}

/** No segment takes more than half of the largest window that the peer ever gave, or there would be one in flight at most. */
export function tcp_bound_to_half_wnd(tp: tcp_sock, pktsize: number): number {
	const cutoff = tp.max_window > 536 ? tp.max_window >>> 1 : tp.max_window;
	return cutoff !== 0 && pktsize > cutoff ? Math.max(cutoff, 68 - tp.tcp_header_len) : pktsize;
}

/** Sets mss_cache for a path of `pmtu`. Return: it. */
export function tcp_sync_mss(sk: sock, pmtu: number): number {
	const tp = tcp_sk(sk);
	if (tp.icsk_mtup_search_high > pmtu) tp.icsk_mtup_search_high = pmtu;
	let mss = tcp_bound_to_half_wnd(tp, tcp_mtu_to_mss(sk, pmtu));
	tp.icsk_pmtu_cookie = pmtu;
	if (tp.icsk_mtup_enabled) mss = Math.min(mss, tcp_mtu_to_mss(sk, tp.icsk_mtup_search_low));
	tp.mss_cache = mss;
	return mss;
}

/** The payload that a segment can carry now, with the options that it would have. */
export function tcp_current_mss(sk: sock): number {
	const tp = tcp_sk(sk);
	let mss = tp.mss_cache;
	const dst = sk.sk_dst_cache;
	if (dst !== null) {
		const mtu = dst_mtu(dst);
		if (mtu !== tp.icsk_pmtu_cookie) mss = tcp_sync_mss(sk, mtu);
	}
	const header_len = tcp_established_options(sk, null, tcp_out(sk.net.machine).opts) + 20;
	// mss_cache was made with the options of the handshake in mind; SACK blocks come and go.
	return mss - (header_len - tp.tcp_header_len);
}

/** The MSS that a user or the peer's route allows. */
export function tcp_mss_clamp(tp: tcp_sock, mss: number): number {
	const user_mss = tp.rx_opt.user_mss;
	return user_mss !== 0 && user_mss < mss ? user_mss : mss;
}

// ---- FIN, RST, ACK ---------------------------------------------------------------------------------------------------------------

/** Our side is done: a FIN on the last segment that waits, or one of its own. Context: the state has changed already. */
export function tcp_send_fin(sk: sock): void {
	const tp = tcp_sk(sk);
	let tail = tcp_write_queue_tail(sk);
	if (tail === null && sk_under_memory_pressure(sk)) tail = tcp_rtx_queue_tail(sk);
	if (tail !== null) {
		const cb = TCP_SKB_CB(tail);
		cb.tcp_flags |= TCPHDR_FIN;
		cb.end_seq = (cb.end_seq + 1) | 0;
		tp.write_seq = (tp.write_seq + 1) | 0;
		if (sk.sk_write_queue.first === null) {
			// On a segment that was sent: as if it had been there; a retransmission will bring it.
			tp.snd_nxt = (tp.snd_nxt + 1) | 0;
			return;
		}
	} else {
		const skb = tcp_alloc_nondata(sk);
		sk_forced_mem_schedule(sk, skb.truesize);
		tcp_init_nondata_skb(skb, sk, tp.write_seq, TCPHDR_ACK | TCPHDR_FIN);
		tcp_queue_skb(sk, skb);
	}
	__tcp_push_pending_frames(sk, tcp_current_mss(sk), TCP_NAGLE_OFF);
}

/** Tells the peer that the connection is given up. `reason`: sk_rst_reason. */
export function tcp_send_active_reset(sk: sock, reason: number): void {
	const n = sk.net;
	TCP_INC_STATS(n, TCP_MIB_OUTRSTS);
	const skb = tcp_alloc_nondata(sk);
	tcp_init_nondata_skb(skb, sk, tcp_acceptable_seq(sk), TCPHDR_ACK | TCPHDR_RST);
	tcp_mstamp_refresh(tcp_sk(sk));
	if (skb.journey !== null) trace_event(skb, 'note', 'tcp_send_active_reset', { reason });
	if (tcp_transmit_skb(sk, skb, false) !== 0) NET_INC_STATS(n, LINUX_MIB_TCPABORTFAILED);
}

/** An ACK at once, with `flags` beside. */
export function __tcp_send_ack(sk: sock, rcv_nxt: number, flags: number): void {
	if (sk.sk_state === TCP_CLOSE) return;
	const skb = tcp_alloc_nondata(sk);
	tcp_init_nondata_skb(skb, sk, tcp_acceptable_seq(sk), TCPHDR_ACK | flags);
	// A pure ACK is not waited for: nothing of the send buffer is charged but its own.
	skb.truesize = 2;
	__tcp_transmit_skb(sk, skb, false, rcv_nxt);
}

export function tcp_send_ack(sk: sock): void {
	__tcp_send_ack(sk, tcp_sk(sk).rcv_nxt, 0);
}

/** The longest that an ACK may wait, in jiffies: the peer's RTO must not be near. */
export function tcp_delack_max(sk: sock): number {
	const tp = tcp_sk(sk);
	return Math.min(tp.icsk_delack_max, Math.max(tcp_rto_min(sk), 2) - 1);
}

/** An ACK later (RFC 9293 3.8.6.3, RFC 5681 4.2): in ATO, which follows the pace of arrivals; or now, when an earlier one is about to go. */
export function tcp_send_delayed_ack(sk: sock): void {
	const tp = tcp_sk(sk);
	const now = sk.net.machine.jiffies;
	let ato = tp.icsk_ack_ato;
	if (ato > TCP_DELACK_MIN) {
		let max_ato = DELACK_BOUND;
		if (inet_csk_in_pingpong_mode(sk) || (tp.icsk_ack_pending & ICSK_ACK_PUSHED) !== 0) max_ato = TCP_DELACK_MAX;
		if (tp.srtt_us !== 0) {
			const rtt = Math.max(usecs_to_jiffies(tp.srtt_us >> 3), TCP_DELACK_MIN);
			if (rtt < max_ato) max_ato = rtt;
		}
		ato = Math.min(ato, max_ato);
	}
	ato = Math.min(ato, tcp_delack_max(sk));
	let timeout = now + ato;
	const timer = inet_csk_delack_timer(sk);
	if ((tp.icsk_ack_pending & ICSK_ACK_TIMER) !== 0 && timer_pending(timer)) {
		const due = timer.expires;
		if (due <= now + (ato >> 2)) {
			tcp_send_ack(sk);
			return;
		}
		if (timeout >= due) timeout = due;
	}
	tp.icsk_ack_pending |= ICSK_ACK_SCHED | ICSK_ACK_TIMER;
	// No time at all (a FIN before any data) is the next tick; what comes before then finds it due.
	mod_timer(timer, Math.max(timeout, now + 1));
	timer.expires = timeout;
}
