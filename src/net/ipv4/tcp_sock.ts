/*
 * net/ipv4/tcp_sock.ts: what TCP keeps: of a connection, of a segment, of a handshake, of TIME_WAIT.
 *                                                       Linux: linux/tcp.h, net/tcp.h, net/inet_connection_sock.h, net/request_sock.h
 *
 * Sequence numbers are int32 here (`x | 0`), so that V8 keeps them as small integers; compare them only with before(), after(),
 * between(); print them with `>>> 0`. Times: `*_mstamp` in us (tcp_mstamp too), `*_ns` in ns, everything else in jiffies (HZ = 250).
 * SRTT and its like are us << 3 (mdev: << 2) as in Linux. Windows, MSS, queue sizes: bytes; cwnd and its like: segments.
 */
import { HZ, type hrtimer, msecs_to_jiffies, type timer_list } from '../../kernel/time.ts';
import type { rb_node, rb_root } from '../../lib/rbtree.ts';
import { RTAX_LOCK, RTAX_RTO_MIN } from '../../uapi/linux/rtnetlink.ts';
import { LINUX_MIB_LISTENDROPS } from '../../uapi/linux/snmp.ts';
import type { dst_entry } from '../core/dst.ts';
import type { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { sk_buff_head } from '../core/skbuff_queue.ts';
import type { ubuf_info } from '../core/skbuff_zerocopy.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import type { inet_bind_bucket, inet_hash_node } from './inet_hashtables.ts';
import type { ip_options } from './ip_options.ts';

export const MAX_TCP_HEADER = 192;
export const MAX_TCP_OPTION_SPACE = 40;
export const TCP_MIN_SND_MSS = 48;
export const TCP_MIN_GSO_SIZE = TCP_MIN_SND_MSS - MAX_TCP_OPTION_SPACE;
export const MAX_TCP_WINDOW = 32767;
export const TCP_MIN_MSS = 88;
export const TCP_BASE_MSS = 1024;
export const TCP_PROBE_INTERVAL = 600;
export const TCP_PROBE_THRESHOLD = 8;
export const TCP_FASTRETRANS_THRESH = 3;
export const TCP_MAX_QUICKACKS = 16;
export const TCP_MAX_WSCALE = 14;
export const TCP_URG_VALID = 0x0100;
export const TCP_URG_NOTYET = 0x0200;
export const TCP_URG_READ = 0x0400;
export const TCP_RETR1 = 3;
export const TCP_RETR2 = 15;
export const TCP_SYN_RETRIES = 6;
export const TCP_SYNACK_RETRIES = 5;
export const TCP_TIMEWAIT_LEN = 60 * HZ;
export const TCP_FIN_TIMEOUT = TCP_TIMEWAIT_LEN;
export const TCP_DELACK_MAX = HZ / 5;
export const TCP_DELACK_MIN = HZ / 25;
export const TCP_ATO_MIN = HZ / 25;
export const TCP_RTO_MAX = 120 * HZ;
export const TCP_RTO_MIN = HZ / 5;
export const TCP_TIMEOUT_MIN = 2;
export const TCP_TIMEOUT_MIN_US = (2 * 1e6) / HZ;
export const TCP_TIMEOUT_INIT = HZ;
export const TCP_TIMEOUT_FALLBACK = 3 * HZ;
export const TCP_RESOURCE_PROBE_INTERVAL = HZ / 2;
export const MAX_TCP_KEEPIDLE = 32767;
export const MAX_TCP_KEEPINTVL = 32767;
export const MAX_TCP_KEEPCNT = 127;
export const MAX_TCP_SYNCNT = 127;
/** Seconds after which a time stamp may have wrapped (us resolution). */
export const TCP_PAWS_WRAP = 2147;
export const TCP_PAWS_MSL = 60;
export const TCP_PAWS_WINDOW = 1;
export const TCP_INIT_CWND = 10;
export const TCP_INFINITE_SSTHRESH = 0x7fffffff;
export const TCP_NUM_SACKS = 4;
export const TCP_RACK_RECOVERY_THRESH = 16;
export const TCP_RMEM_TO_WIN_SCALE = 8;
export const TCP_DEFAULT_SCALING_RATIO = 1 << (TCP_RMEM_TO_WIN_SCALE - 1);

/** icsk_pending. */
export const ICSK_TIME_RETRANS = 1;
/** For inet_csk_reset_xmit_timer: the delayed ACK. */
export const ICSK_TIME_DACK = 2;
export const ICSK_TIME_PROBE0 = 3;
export const ICSK_TIME_LOSS_PROBE = 5;
export const ICSK_TIME_REO_TIMEOUT = 6;

/** icsk_ack.pending. */
export const ICSK_ACK_SCHED = 1;
export const ICSK_ACK_TIMER = 2;
export const ICSK_ACK_PUSHED = 4;
export const ICSK_ACK_PUSHED2 = 8;
export const ICSK_ACK_NOW = 16;
export const ICSK_ACK_NOMEM = 32;

/** tp.nonagle. */
export const TCP_NAGLE_OFF = 1;
export const TCP_NAGLE_CORK = 2;
export const TCP_NAGLE_PUSH = 4;

/** tp.ecn_flags. */
export const TCP_ECN_MODE_RFC3168 = 1;
export const TCP_ECN_QUEUE_CWR = 2;
export const TCP_ECN_DEMAND_CWR = 4;
export const TCP_ECN_SEEN = 8;
export const TCP_ECN_OK = TCP_ECN_MODE_RFC3168;

/** tp.rx_opt.sack_ok. */
export const TCP_SACK_SEEN = 1;
export const TCP_DSACK_SEEN = 4;

/** TCP_SKB_CB(skb).sacked. */
export const TCPCB_SACKED_ACKED = 0x01;
export const TCPCB_SACKED_RETRANS = 0x02;
export const TCPCB_LOST = 0x04;
export const TCPCB_TAGBITS = 0x07;
export const TCPCB_REPAIRED = 0x10;
export const TCPCB_EVER_RETRANS = 0x80;
export const TCPCB_RETRANS = TCPCB_SACKED_RETRANS | TCPCB_EVER_RETRANS | TCPCB_REPAIRED;

/** sk_pacing_status. */
export const SK_PACING_NONE = 0;
export const SK_PACING_NEEDED = 1;
export const SK_PACING_FQ = 2;

/** tp.tsq_flags (bits). */
export const TSQ_THROTTLED = 0;
export const TSQ_QUEUED = 1;
export const TCP_TSQ_DEFERRED = 2;
export const TCP_ACK_DEFERRED = 6;

/** tp.chrono_type. */
export const TCP_CHRONO_UNSPEC = 0;
export const TCP_CHRONO_BUSY = 1;
export const TCP_CHRONO_RWND_LIMITED = 2;
export const TCP_CHRONO_SNDBUF_LIMITED = 3;

/** Events of congestion control (tcp_ca_event). */
export const CA_EVENT_TX_START = 0;
export const CA_EVENT_CWND_RESTART = 1;
export const CA_EVENT_COMPLETE_CWR = 2;
export const CA_EVENT_LOSS = 3;
export const CA_EVENT_ECN_NO_CE = 4;
export const CA_EVENT_ECN_IS_CE = 5;

export const CA_ACK_SLOWPATH = 1;
export const CA_ACK_WIN_UPDATE = 2;
export const CA_ACK_ECE = 4;

export const TCP_CONG_NON_RESTRICTED = 1;
export const TCP_CONG_NEEDS_ECN = 2;

export const TCPF_ESTABLISHED = 1 << 1;
export const TCPF_SYN_SENT = 1 << 2;
export const TCPF_SYN_RECV = 1 << 3;
export const TCPF_FIN_WAIT1 = 1 << 4;
export const TCPF_FIN_WAIT2 = 1 << 5;
export const TCPF_TIME_WAIT = 1 << 6;
export const TCPF_CLOSE = 1 << 7;
export const TCPF_CLOSE_WAIT = 1 << 8;
export const TCPF_LAST_ACK = 1 << 9;
export const TCPF_LISTEN = 1 << 10;
export const TCPF_CLOSING = 1 << 11;
export const TCPF_NEW_SYN_RECV = 1 << 12;

export const TCP_ACTION_FIN = 1 << 7;

/** Whether a comes before b (RFC 9293 3.4). */
export function before(seq1: number, seq2: number): boolean {
	return ((seq1 - seq2) | 0) < 0;
}

export function after(seq2: number, seq1: number): boolean {
	return ((seq1 - seq2) | 0) < 0;
}

/** Whether seq2 <= seq1 <= seq3. */
export function between(seq1: number, seq2: number, seq3: number): boolean {
	return (seq3 - seq2) >>> 0 >= (seq1 - seq2) >>> 0;
}

// ---- a segment -------------------------------------------------------------------------------------------------------------------

/** TCP's part of skb->cb. Stays with its (pooled) sk_buff: whoever takes a segment in sets every field that it uses. Clones have their own, unset. */
export class tcp_skb_cb {
	seq = 0;
	/** seq + data + SYN + FIN. */
	end_seq = 0;
	/** Received: the ISN to answer with (TIME_WAIT reuse), 0 for any. */
	tcp_tw_isn = 0;
	/** Sent: segments and their size when cut (tcp_gso_segs, tcp_gso_size). */
	tcp_gso_segs = 0;
	tcp_gso_size = 0;
	/** TCPHDR_* (16 bits: AE too). */
	tcp_flags = 0;
	/** TCPCB_*. */
	sacked = 0;
	/** The TOS byte of the IP header that it came with. */
	ip_dsfield = 0;
	/** A software transmit time stamp is wanted. */
	txstamp_ack = false;
	/** PSH may not be merged over. */
	eor = false;
	has_rxtstamp = false;
	unsent = 0;
	ack_seq = 0;

	// Sent: for rate samples (draft-cheng-iccrg-delivery-rate-estimation).
	is_app_limited = false;
	delivered_ce = 0;
	/** Delivered when this was sent. */
	delivered = 0;
	first_tx_mstamp = 0;
	delivered_mstamp = 0;
	in_flight = 0;

	/** ns of the machine's clock of the last transmission (skb_mstamp_ns). */
	skb_mstamp_ns = 0;
	/** Order of transmission: tp.tsorted_sent_queue. null, null and not `tsorted`: on no list. */
	tsorted_prev: sk_buff | null = null;
	tsorted_next: sk_buff | null = null;
	tsorted = false;
	/** Sent: the last clone that went out. Still under way while it has our socket and data (skb_still_in_host_queue); may be another's by then. */
	fclone: sk_buff | null = null;
	/** Received: interface index (inet_iif). */
	iif = 0;
	/** Received out of order: its node of tp.ofo_root. Stays with the sk_buff. */
	rbnode: rb_node<sk_buff> | null = null;
}

/** Return: the segment's TCP part, made on first use. */
export function TCP_SKB_CB(skb: sk_buff): tcp_skb_cb {
	const cb = skb.tcpcb;
	if (cb !== null) return cb;
	const made = new tcp_skb_cb();
	skb.tcpcb = made;
	return made;
}

export function tcp_skb_pcount(skb: sk_buff): number {
	return TCP_SKB_CB(skb).tcp_gso_segs;
}

export function tcp_skb_pcount_set(skb: sk_buff, segs: number): void {
	TCP_SKB_CB(skb).tcp_gso_segs = segs;
}

export function tcp_skb_mss(skb: sk_buff): number {
	return TCP_SKB_CB(skb).tcp_gso_size;
}

/** us when the segment was last sent. */
export function tcp_skb_timestamp_us(skb: sk_buff): number {
	return Math.floor(TCP_SKB_CB(skb).skb_mstamp_ns / 1000);
}

// ---- order of transmission (RACK) --------------------------------------------------------------------------------------------------

export function tcp_tsorted_add_tail(tp: tcp_sock, skb: sk_buff): void {
	const cb = TCP_SKB_CB(skb);
	cb.tsorted = true;
	cb.tsorted_prev = tp.tsorted_last;
	cb.tsorted_next = null;
	if (tp.tsorted_last === null) tp.tsorted_first = skb;
	else TCP_SKB_CB(tp.tsorted_last).tsorted_next = skb;
	tp.tsorted_last = skb;
}

/** Puts `skb` right after `prev`, which is on the list (tcp_fragment). */
export function tcp_tsorted_add_after(tp: tcp_sock, prev: sk_buff, skb: sk_buff): void {
	const p = TCP_SKB_CB(prev);
	if (p.tsorted_next === null) {
		tcp_tsorted_add_tail(tp, skb);
		return;
	}
	const cb = TCP_SKB_CB(skb);
	cb.tsorted = true;
	cb.tsorted_prev = prev;
	cb.tsorted_next = p.tsorted_next;
	TCP_SKB_CB(p.tsorted_next).tsorted_prev = skb;
	p.tsorted_next = skb;
}

export function tcp_tsorted_del(tp: tcp_sock, skb: sk_buff): void {
	const cb = TCP_SKB_CB(skb);
	if (!cb.tsorted) return;
	if (cb.tsorted_prev === null) tp.tsorted_first = cb.tsorted_next;
	else TCP_SKB_CB(cb.tsorted_prev).tsorted_next = cb.tsorted_next;
	if (cb.tsorted_next === null) tp.tsorted_last = cb.tsorted_prev;
	else TCP_SKB_CB(cb.tsorted_next).tsorted_prev = cb.tsorted_prev;
	cb.tsorted = false;
	cb.tsorted_prev = null;
	cb.tsorted_next = null;
}

// ---- options of a segment ----------------------------------------------------------------------------------------------------------

export interface tcp_sack_block {
	start_seq: number;
	end_seq: number;
}

export class tcp_options_received {
	/** Seconds when ts_recent was set; 0 for never. */
	ts_recent_stamp = 0;
	/** int32 time stamps. */
	ts_recent = 0;
	rcv_tsval = 0;
	rcv_tsecr = 0;
	saw_tstamp = false;
	tstamp_ok = false;
	dsack = false;
	wscale_ok = false;
	/** TCP_SACK_SEEN, TCP_DSACK_SEEN. */
	sack_ok = 0;
	smc_ok = false;
	snd_wscale = 0;
	rcv_wscale = 0;
	num_sacks = 0;
	user_mss = 0;
	mss_clamp = 0;
}

export class tcp_fastopen_cookie {
	val: Uint8Array = new Uint8Array(16);
	len = -1;
	exp = false;
}

// ---- congestion control ------------------------------------------------------------------------------------------------------------

export class rate_sample {
	prior_mstamp = 0;
	prior_delivered = 0;
	prior_delivered_ce = 0;
	delivered = 0;
	delivered_ce = 0;
	interval_us = 0;
	snd_interval_us = 0;
	rcv_interval_us = 0;
	rtt_us = 0;
	losses = 0;
	acked_sacked = 0;
	prior_in_flight = 0;
	last_end_seq = 0;
	is_app_limited = false;
	is_retrans = false;
	is_ack_delayed = false;
}

/** What a segment's acknowledgement tells a module; pkts_acked. */
export interface ack_sample {
	pkts_acked: number;
	rtt_us: number;
	in_flight: number;
}

/** A congestion control module (tcp_congestion_ops). Each keeps its state in tp.icsk_ca_priv. */
export interface tcp_congestion_ops {
	name: string;
	/** TCP_CONG_*. */
	flags: number;
	init: ((sk: sock) => void) | null;
	release: ((sk: sock) => void) | null;
	ssthresh: (sk: sock) => number;
	cong_avoid: ((sk: sock, ack: number, acked: number) => void) | null;
	set_state: ((sk: sock, new_state: number) => void) | null;
	cwnd_event: ((sk: sock, ev: number) => void) | null;
	in_ack_event: ((sk: sock, flags: number) => void) | null;
	pkts_acked: ((sk: sock, sample: ack_sample) => void) | null;
	min_tso_segs: ((sk: sock) => number) | null;
	cong_control: ((sk: sock, ack: number, flag: number, rs: rate_sample) => void) | null;
	undo_cwnd: (sk: sock) => number;
	sndbuf_expand: ((sk: sock) => number) | null;
	/** Whether `ss -i` has more to say, by INET_DIAG_VEGASINFO, _BBRINFO; writes its struct. Return: the attribute and its length in `info`, or 0. */
	get_info: ((sk: sock, info: Uint8Array) => { attr: number; len: number } | null) | null;
}

// ---- a connection ------------------------------------------------------------------------------------------------------------------

/** Functions that depend on the family below (inet_connection_sock_af_ops). */
export interface inet_connection_sock_af_ops {
	queue_xmit: (sk: sock, skb: sk_buff) => number;
	send_check: (sk: sock, skb: sk_buff) => void;
	rebuild_header: (sk: sock) => number;
	conn_request: (sk: sock, skb: sk_buff) => number;
	syn_recv_sock: (
		sk: sock,
		skb: sk_buff,
		req: tcp_request_sock,
		dst: dst_entry | null,
		req_unhash: tcp_request_sock | null,
		own_req: { v: boolean },
	) => sock | null;
	net_header_len: number;
	mtu_reduced: (sk: sock) => void;
}

export class inet_connection_sock {
	/** icsk_accept_queue once something of it was asked for: few sockets listen. */
	accept_queue: request_sock_queue | null = null;
	/** The port's bucket; null while it has no port. */
	icsk_bind_hash: inet_bind_bucket | null = null;
	/** Its place in the tables of connections and of the port's owners. */
	icsk_node: inet_hash_node | null = null;
	/** jiffies when icsk_retransmit_timer is due. */
	icsk_timeout = 0;
	icsk_retransmit_timer!: timer_list;
	/** Whom inet_csk_init_xmit_timers named. */
	icsk_retransmit_handler: ((timer: timer_list) => void) | null = null;
	icsk_keepalive_handler: ((timer: timer_list) => void) | null = null;
	icsk_delack_handler: ((t: timer_list) => void) | null = null;
	/** Made when an ACK is delayed first. */
	icsk_delack_timer: timer_list | null = null;
	icsk_rto = TCP_TIMEOUT_INIT;
	icsk_rto_min = TCP_RTO_MIN;
	icsk_rto_max = TCP_RTO_MAX;
	icsk_delack_max = TCP_DELACK_MAX;
	icsk_pmtu_cookie = 0;
	icsk_ca_ops!: tcp_congestion_ops;
	icsk_ca_priv: unknown = null;
	icsk_af_ops!: inet_connection_sock_af_ops;
	icsk_ca_state = 0;
	icsk_ca_initialized = false;
	icsk_ca_setsockopt = false;
	icsk_ca_dst_locked = false;
	icsk_retransmits = 0;
	/** ICSK_TIME_*, 0 for none. */
	icsk_pending = 0;
	icsk_backoff = 0;
	icsk_syn_retries = 0;
	icsk_probes_out = 0;
	icsk_ext_hdr_len = 0;
	// icsk_ack
	icsk_ack_pending = 0;
	icsk_ack_quick = 0;
	icsk_ack_pingpong = 0;
	icsk_ack_retry = 0;
	icsk_ack_ato = 0;
	icsk_ack_dst_quick_ack = 0;
	icsk_ack_lrcvtime = 0;
	icsk_ack_lrcv_flowlabel = 0;
	icsk_ack_last_seg_size = 0;
	icsk_ack_rcv_mss = 0;
	// icsk_mtup
	icsk_mtup_search_high = 0;
	icsk_mtup_search_low = 0;
	icsk_mtup_enabled = false;
	icsk_mtup_probe_size = 0;
	icsk_mtup_probe_timestamp = 0;
	icsk_probes_tstamp = 0;
	/** ms; 0 for none. */
	icsk_user_timeout = 0;

	get icsk_accept_queue(): request_sock_queue {
		this.accept_queue ??= new request_sock_queue();
		return this.accept_queue;
	}
}

export class tcp_sock extends inet_connection_sock {
	/** The socket this belongs to. */
	sk: sock;

	// ---- sending
	tcp_header_len = 20;
	gso_segs = 0;
	/** Header prediction, as the word at offset 12 of the header (int32). */
	pred_flags = 0;
	bytes_received = 0;
	segs_in = 0;
	data_segs_in = 0;
	rcv_nxt = 0;
	copied_seq = 0;
	rcv_wup = 0;
	snd_nxt = 0;
	segs_out = 0;
	data_segs_out = 0;
	bytes_sent = 0;
	bytes_acked = 0;
	dsack_dups = 0;
	snd_una = 0;
	snd_sml = 0;
	rcv_tstamp = 0;
	lsndtime = 0;
	last_oow_ack_time = 0;
	compressed_ack_rcv_nxt = 0;
	/** Bit field of TSQ_*. */
	sk_tsq_flags = 0;
	/** Sent and not acknowledged, in order of sequence. */
	tcp_rtx_queue: sk_buff_head = new sk_buff_head();
	/** The same in order of (re)transmission: tcp_tsorted_*. */
	tsorted_first: sk_buff | null = null;
	tsorted_last: sk_buff | null = null;
	snd_wl1 = 0;
	snd_wnd = 0;
	max_window = 0;
	mss_cache = 0;
	window_clamp = 0;
	rcv_ssthresh = 0;
	scaling_ratio = TCP_DEFAULT_SCALING_RATIO;
	advmss = 0;
	compressed_ack = 0;
	dup_ack_counter = 0;
	tlp_retrans = false;
	tcp_usec_ts = false;
	chrono_start = 0;
	/** jiffies by type, index TCP_CHRONO_* - 1. */
	chrono_stat: number[] = [0, 0, 0];
	chrono_type = 0;
	rate_app_limited = false;
	fastopen_connect = false;
	fastopen_no_cookie = false;
	fastopen_client_fail = 0;
	is_sack_reneg = false;
	nonagle = 0;
	thin_lto = false;
	recvmsg_inq = false;
	repair = false;
	/** TCP_NO_QUEUE, ... */
	repair_queue = 0;
	frto = false;
	/** TCP_SAVE_SYN and what it saved. */
	save_syn = 0;
	saved_syn: Uint8Array | null = null;
	syn_data = false;
	syn_fastopen = false;
	syn_fastopen_exp = false;
	syn_fastopen_ch = false;
	syn_data_acked = false;
	is_cwnd_limited = false;
	tlp_high_seq = 0;
	tcp_tx_delay = 0;
	tcp_wstamp_ns = 0;
	tcp_clock_cache = 0;
	/** us: the machine's clock when tcp_mstamp_refresh was last said. */
	tcp_mstamp = 0;
	srtt_us = 0;
	mdev_us = 0;
	mdev_max_us = 0;
	rttvar_us = 0;
	rtt_seq = 0;
	/** Windowed minimum (minmax) of RTT in us: three samples of time and value. */
	rtt_min_t: number[] = [0, 0, 0];
	rtt_min_v: number[] = [0xffffffff, 0xffffffff, 0xffffffff];
	packets_out = 0;
	retrans_out = 0;
	max_packets_out = 0;
	cwnd_usage_seq = 0;
	ecn_flags = 0;
	/** Segments that came with CE; bytes that came with ECT(1), ECT(0), CE. */
	received_ce = 0;
	received_e1_bytes = 0;
	received_e0_bytes = 0;
	received_ce_bytes = 0;
	reordering = 3;
	reord_seen = 0;
	keepalive_probes = 0;
	snd_up = 0;
	rx_opt: tcp_options_received = new tcp_options_received();

	// ---- congestion
	snd_ssthresh = TCP_INFINITE_SSTHRESH;
	snd_cwnd = TCP_INIT_CWND;
	snd_cwnd_cnt = 0;
	snd_cwnd_clamp = 0x7fffffff;
	snd_cwnd_used = 0;
	snd_cwnd_stamp = 0;
	prior_cwnd = 0;
	prr_delivered = 0;
	prr_out = 0;
	delivered = 0;
	delivered_ce = 0;
	lost = 0;
	app_limited = 0;
	first_tx_mstamp = 0;
	delivered_mstamp = 0;
	rate_delivered = 0;
	rate_interval_us = 0;
	rcv_wnd = 0;
	write_seq = 0;
	notsent_lowat = 0;
	pushed_seq = 0;
	lost_out = 0;
	sacked_out = 0;
	/** Made when first needed: tcp_pacing_timer, tcp_compressed_ack_timer. */
	pacing_timer: hrtimer | null = null;
	compressed_ack_timer: hrtimer | null = null;
	lost_skb_hint: sk_buff | null = null;
	retransmit_skb_hint: sk_buff | null = null;
	/** Received out of order, sorted by sequence (tcp_input_data's own way to find places in it). */
	out_of_order_queue: sk_buff_head = new sk_buff_head();
	ooo_last_skb: sk_buff | null = null;
	/** The same as a tree (tcp_input_data), whose shape says what an overlap is taken for, as in Linux. */
	ofo_root: rb_root<sk_buff> | null = null;
	/** These three are made when first needed: tcp_duplicate_sack, tcp_selective_acks, tcp_recv_sack_cache. */
	duplicate_sack: tcp_sack_block | null = null;
	selective_acks: tcp_sack_block[] | null = null;
	recv_sack_cache: tcp_sack_block[] | null = null;
	highest_sack: sk_buff | null = null;
	prior_ssthresh = 0;
	high_seq = 0;
	retrans_stamp = 0;
	undo_marker = 0;
	undo_retrans = 0;
	bytes_retrans = 0;
	total_retrans = 0;
	rto_stamp = 0;
	total_rto = 0;
	total_rto_recoveries = 0;
	total_rto_time = 0;
	reord_bytes = 0;

	// ---- urgent data, keepalive, closing
	urg_seq = 0;
	urg_data = 0;
	keepalive_time = 0;
	keepalive_intvl = 0;
	linger2 = 0;

	// ---- RACK
	rack_mstamp = 0;
	rack_rtt_us = 0;
	rack_end_seq = 0;
	rack_last_delivered = 0;
	rack_reo_wnd_steps = 1;
	rack_reo_wnd_persist = 0;
	rack_dsack_seen = false;
	rack_advanced = false;

	// ---- receive buffer autotuning
	rcvq_space_seq = 0;
	rcvq_space_space = 0;
	rcvq_space_time = 0;
	rcv_rtt_last_tsecr = 0;
	rcv_rtt_est_rtt_us = 0;
	rcv_rtt_est_seq = 0;
	rcv_rtt_est_time = 0;
	rcv_ooopack = 0;

	// ---- MTU probing
	mtu_probe_seq_start = 0;
	mtu_probe_seq_end = 0;
	mtu_info = 0;

	// ---- handshake
	/** Time stamp offset (ms or us), per connection. */
	tsoffset = 0;
	fastopen_req: tcp_fastopen_request | null = null;
	/** A passive Fast Open child's request while in SYN_RECV. */
	fastopen_rsk: tcp_request_sock | null = null;
	md5sig_info: tcp_md5sig_key[] | null = null;
	last_oow: number = 0;
	timeout_rehash = 0;
	rcv_wnd_growth: number = 0;
	bytes_rcv_wnd_max: number = 0;

	constructor(sk: sock) {
		super();
		this.sk = sk;
	}
}

/** TCP's part of a TCP socket. */
export function tcp_sk(sk: sock): tcp_sock {
	return sk.priv as tcp_sock;
}

export function inet_csk(sk: sock): tcp_sock {
	return sk.priv as tcp_sock;
}

export interface tcp_fastopen_request {
	cookie: tcp_fastopen_cookie;
	data: Uint8Array | null;
	size: number;
	copied: number;
	/** What accounts for the data's memory (MSG_ZEROCOPY). */
	uarg: ubuf_info | null;
}

/** An MD5 key of RFC 2385: for peers in addr/prefixlen, on interface l3index (0: any). */
export interface tcp_md5sig_key {
	addr: number;
	prefixlen: number;
	l3index: number;
	flags: number;
	key: Uint8Array;
}

// ---- a handshake under way -----------------------------------------------------------------------------------------------------------

export interface request_sock_ops {
	family: number;
	rtx_syn_ack: (sk: sock, req: tcp_request_sock) => number;
	send_ack: (sk: sock, skb: sk_buff, req: tcp_request_sock) => void;
	send_reset: (sk: sock, skb: sk_buff, err: number) => void;
	syn_ack_timeout: (req: tcp_request_sock) => void;
}

/** tcp_request_sock_ops.send_synack: synack_type. */
export const TCP_SYNACK_NORMAL = 0;
export const TCP_SYNACK_FASTOPEN = 1;
export const TCP_SYNACK_COOKIE = 2;

/** What a handshake asks of the family below (struct tcp_request_sock_ops). */
export interface tcp_request_sock_ops {
	/** Largest MSS that the family can mean when a SYN says none larger. */
	mss_clamp: number;
	/** The key to sign with what goes from `sk` to `addr_sk`'s peer. */
	req_md5_lookup: (sk: sock, addr_sk: sock) => tcp_md5sig_key | null;
	/** An ISN that holds what a request would; `mss` is rounded to what it can say. */
	cookie_init_seq: (skb: sk_buff, mss: { v: number }) => number;
	/** Fills in the request's addresses and options and routes the answer. Return: the route, or null. */
	route_req: (sk: sock, skb: sk_buff, fl: flowi4, req: tcp_request_sock, tw_isn: number) => dst_entry | null;
	init_seq: (skb: sk_buff) => number;
	init_ts_off: (net: net, skb: sk_buff) => number;
	send_synack: (
		sk: sock,
		dst: dst_entry | null,
		fl: flowi4 | null,
		req: tcp_request_sock,
		foc: tcp_fastopen_cookie | null,
		synack_type: number,
		syn_skb: sk_buff | null,
	) => number;
}

/** A SYN that was answered (struct tcp_request_sock with inet_request_sock and request_sock in one). Addresses and ports in host order. */
export class tcp_request_sock {
	net: net;
	rsk_listener: sock | null;
	rsk_ops: request_sock_ops;
	/** For lookups that give a sock or this: TCP_NEW_SYN_RECV. */
	sk_state = 12;
	dl_next: tcp_request_sock | null = null;
	/** The child that was made, while in the accept queue. */
	sk: sock | null = null;
	mss = 0;
	num_retrans = 0;
	syncookie = false;
	num_timeout = 0;
	/** What was asked for (jiffies): TCP_TIMEOUT_INIT, ... */
	timeout = 0;
	ts_recent = 0;
	rsk_timer: timer_list | null = null;
	rsk_rcv_wnd = 0;
	rsk_window_clamp = 0;
	secid = 0;
	sk_cookie = 0;
	saved_syn: Uint8Array | null = null;
	hashed = false;
	// inet_request_sock
	ir_loc_addr = 0;
	ir_rmt_addr = 0;
	ir_num = 0;
	ir_rmt_port = 0;
	ir_iif = 0;
	ir_mark = 0;
	snd_wscale = 0;
	rcv_wscale = 0;
	tstamp_ok = false;
	sack_ok = false;
	wscale_ok = false;
	ecn_ok = false;
	acked = false;
	no_srccheck = false;
	smc_ok = false;
	ireq_opt: ip_options | null = null;
	// tcp_request_sock
	tfo_listener = false;
	is_mptcp = false;
	req_usec_ts = false;
	accecn_ok = false;
	/** us when the SYN-ACK was sent first; -1 when not known (cookies). */
	snt_synack = -1;
	last_oow_ack_time = 0;
	txhash = 0;
	rcv_isn = 0;
	snt_isn = 0;
	ts_off = 0;
	snt_tsval_first = 0;
	snt_tsval_last = 0;
	rcv_nxt = 0;
	syn_tos = 0;
	/** Of the family: set by inet_reqsk_alloc's caller. */
	af_specific!: tcp_request_sock_ops;
	/** Node of the table of connections (inet_hashtables). */
	node: inet_hash_node | null = null;

	constructor(net: net, listener: sock | null, ops: request_sock_ops) {
		this.net = net;
		this.rsk_listener = listener;
		this.rsk_ops = ops;
	}
}

/** A listener's queues. */
export class request_sock_queue {
	/** SYNs answered and not completed. */
	qlen = 0;
	/** Of these, not yet retransmitted (young). */
	young = 0;
	synflood_warned = 0;
	rskq_defer_accept = 0;
	/** Complete, waiting for accept: linked by dl_next. */
	rskq_accept_head: tcp_request_sock | null = null;
	rskq_accept_tail: tcp_request_sock | null = null;
	fastopenq: fastopen_queue = new fastopen_queue();
}

export class fastopen_queue {
	rskq_rst_head: tcp_request_sock | null = null;
	rskq_rst_tail: tcp_request_sock | null = null;
	qlen = 0;
	max_qlen = 0;
	ctx: tcp_fastopen_context | null = null;
}

/** Keys of Fast Open cookies: 16 bytes each, the second the one before. */
export interface tcp_fastopen_context {
	key: Uint8Array[];
}

// ---- after the end -------------------------------------------------------------------------------------------------------------------

/** A closed connection that waits (struct tcp_timewait_sock with inet_timewait_sock). */
export class tcp_timewait_sock {
	net: net;
	/** For lookups: TCP_TIME_WAIT. */
	sk_state = 6;
	/** TCP_FIN_WAIT2 or TCP_TIME_WAIT. */
	tw_substate = 6;
	tw_daddr = 0;
	tw_rcv_saddr = 0;
	tw_dport = 0;
	tw_num = 0;
	tw_bound_dev_if = 0;
	tw_mark = 0;
	tw_priority = 0;
	tw_tos = 0;
	tw_rcv_wscale = 0;
	tw_transparent = false;
	tw_usec_ts = false;
	tw_timer: timer_list | null = null;
	tw_tb: inet_bind_bucket | null = null;
	tw_txhash = 0;
	tw_ino = 0;
	tw_uid = 0;
	sk_cookie = 0;
	tw_reuse = 0;
	tw_reuseport = false;
	// tcp_timewait_sock
	tw_rcv_nxt = 0;
	tw_snd_nxt = 0;
	tw_rcv_wnd = 0;
	tw_ts_offset = 0;
	tw_ts_recent = 0;
	last_oow_ack_time = 0;
	/** Seconds. */
	tw_ts_recent_stamp = 0;
	tw_entry_stamp = 0;
	tw_tx_delay = 0;
	tw_md5_key: tcp_md5sig_key | null = null;
	node: inet_hash_node | null = null;

	constructor(net: net) {
		this.net = net;
	}
}

/** tcp_timewait_state_process says. */
export const TCP_TW_SUCCESS = 0;
export const TCP_TW_RST = 1;
export const TCP_TW_ACK = 2;
export const TCP_TW_SYN = 3;
export const TCP_TW_ACK_OOW = 4;

// ---- small words of net/tcp.h ---------------------------------------------------------------------------------------------------------

export function tcp_in_cwnd_reduction(sk: sock): boolean {
	// TCPF_CA_CWR | TCPF_CA_Recovery
	return (((1 << 2) | (1 << 3)) & (1 << tcp_sk(sk).icsk_ca_state)) !== 0;
}

/** Sent and neither acknowledged, nor sacked, nor lost; plus retransmitted. */
export function tcp_packets_in_flight(tp: tcp_sock): number {
	return tp.packets_out - (tp.sacked_out + tp.lost_out) + tp.retrans_out;
}

export function tcp_left_out(tp: tcp_sock): number {
	return tp.sacked_out + tp.lost_out;
}

export function tcp_in_slow_start(tp: tcp_sock): boolean {
	return tp.snd_cwnd < tp.snd_ssthresh;
}

export function tcp_in_initial_slowstart(tp: tcp_sock): boolean {
	return tp.snd_ssthresh >= TCP_INFINITE_SSTHRESH;
}

export function tcp_current_ssthresh(sk: sock): number {
	const tp = tcp_sk(sk);
	return tcp_in_cwnd_reduction(sk)
		? tp.snd_ssthresh
		: Math.max(tp.snd_ssthresh, (tp.snd_cwnd >> 1) + (tp.snd_cwnd >> 2));
}

export function tcp_is_sack(tp: tcp_sock): boolean {
	return tp.rx_opt.sack_ok !== 0;
}

export function tcp_is_reno(tp: tcp_sock): boolean {
	return tp.rx_opt.sack_ok === 0;
}

/** End of the window that the peer gave. */
export function tcp_wnd_end(tp: tcp_sock): number {
	return (tp.snd_una + tp.snd_wnd) | 0;
}

/** What is left of the window that we gave. */
export function tcp_receive_window(tp: tcp_sock): number {
	const win = (tp.rcv_wup + tp.rcv_wnd - tp.rcv_nxt) | 0;
	return win < 0 ? 0 : win;
}

/** Bytes of payload that `space` bytes of buffer hold. */
export function tcp_win_from_space(tp: tcp_sock, space: number): number {
	return Math.floor((space * tp.scaling_ratio) / (1 << TCP_RMEM_TO_WIN_SCALE));
}

export function tcp_space_from_win(tp: tcp_sock, win: number): number {
	return Math.floor((win * (1 << TCP_RMEM_TO_WIN_SCALE)) / tp.scaling_ratio);
}

/** Room in the receive buffer, in bytes of payload. */
export function tcp_space(sk: sock): number {
	return tcp_win_from_space(tcp_sk(sk), sk.sk_rcvbuf - sk.sk_rmem_alloc);
}

export function tcp_full_space(sk: sock): number {
	return tcp_win_from_space(tcp_sk(sk), sk.sk_rcvbuf);
}

/** The least RTO, in jiffies: the route's (rto_min), or the socket's. */
export function tcp_rto_min(sk: sock): number {
	const dst = sk.sk_dst_cache;
	if (dst !== null && dst._metrics !== null && (dst._metrics[RTAX_LOCK] & (1 << RTAX_RTO_MIN)) !== 0)
		return msecs_to_jiffies(dst._metrics[RTAX_RTO_MIN]);
	return tcp_sk(sk).icsk_rto_min;
}

export function tcp_rto_min_us(sk: sock): number {
	return (tcp_rto_min(sk) * 1e6) / HZ;
}

export function inet_csk_in_pingpong_mode(sk: sock): boolean {
	return tcp_sk(sk).icsk_ack_pingpong >= sk.net.ipv4.sysctl_tcp_pingpong_thresh;
}

export function inet_csk_enter_pingpong_mode(sk: sock): void {
	tcp_sk(sk).icsk_ack_pingpong = sk.net.ipv4.sysctl_tcp_pingpong_thresh;
}

export function inet_csk_exit_pingpong_mode(sk: sock): void {
	tcp_sk(sk).icsk_ack_pingpong = 0;
}

export function inet_csk_inc_pingpong_cnt(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.icsk_ack_pingpong < 255) tp.icsk_ack_pingpong++;
}

export function inet_csk_ack_scheduled(sk: sock): boolean {
	return (tcp_sk(sk).icsk_ack_pending & ICSK_ACK_SCHED) !== 0;
}

export function inet_csk_schedule_ack(sk: sock): void {
	tcp_sk(sk).icsk_ack_pending |= ICSK_ACK_SCHED;
}

/** us of the machine's clock, as tp.tcp_mstamp counts. */
export function tcp_clock_us(sk: sock): number {
	return Math.floor(sk.net.machine.clock.now / 1000);
}

export function tcp_jiffies32(sk: sock): number {
	return sk.net.machine.jiffies;
}

/** Sets the time that the rest of this call works with. */
export function tcp_mstamp_refresh(tp: tcp_sock): void {
	const ns = tp.sk.net.machine.clock.now;
	tp.tcp_clock_cache = ns;
	tp.tcp_mstamp = Math.floor(ns / 1000);
}

/** a - b in us, not below 0. */
export function tcp_stamp_us_delta(t1: number, t0: number): number {
	return t1 > t0 ? t1 - t0 : 0;
}

/** The clock of time stamps (ms, or us when both asked), int32, without the offset. */
export function tcp_time_stamp_ts(tp: tcp_sock): number {
	return (tp.tcp_usec_ts ? tp.tcp_mstamp : Math.floor(tp.tcp_mstamp / 1000)) | 0;
}

/** When the segment was last sent, in the clock of time stamps (tcp_time_stamp_ts). */
export function tcp_skb_timestamp_ts(usec_ts: boolean, skb: sk_buff): number {
	return Math.floor(TCP_SKB_CB(skb).skb_mstamp_ns / (usec_ts ? 1e3 : 1e6)) | 0;
}

/** Whether what was sent at t1 (us) and ends at seq1 was sent after what was sent at t2 and ends at seq2. */
export function tcp_skb_sent_after(t1: number, t2: number, seq1: number, seq2: number): boolean {
	return t1 > t2 || (t1 === t2 && after(seq1, seq2));
}

/** ms of the connection's clock. */
export function tcp_time_stamp_ms(tp: tcp_sock): number {
	return Math.floor(tp.tcp_mstamp / 1000);
}

/** The most that a retransmission waits, in jiffies. */
export function tcp_rto_max(sk: sock): number {
	return tcp_sk(sk).icsk_rto_max;
}

/** us until the first segment of the retransmission queue has waited its RTO. */
export function tcp_rto_delta_us(sk: sock): number {
	const tp = tcp_sk(sk);
	const rto_us = tp.icsk_rto * (1e6 / HZ);
	const skb = tp.tcp_rtx_queue.first;
	return skb === null ? rto_us : tcp_skb_timestamp_us(skb) + rto_us - tp.tcp_mstamp;
}

/** jiffies that pacing holds the next segment back. */
export function tcp_pacing_delay(sk: sock): number {
	const tp = tcp_sk(sk);
	const ns = tp.tcp_wstamp_ns - tp.tcp_clock_cache;
	return ns > 0 ? Math.ceil(ns / (1e9 / HZ)) : 0;
}

/** The interval of zero-window probes begins here (jiffies). */
export function tcp_probe0_base(sk: sock): number {
	return Math.max(tcp_sk(sk).icsk_rto, TCP_RTO_MIN);
}

/** jiffies to the next zero-window probe. */
export function tcp_probe0_when(sk: sock, max_when: number): number {
	const tp = tcp_sk(sk);
	const backoff = Math.min(Math.ceil(Math.log2(TCP_RTO_MAX / TCP_RTO_MIN)), tp.icsk_backoff);
	return Math.min(tcp_probe0_base(sk) * 2 ** backoff, max_when);
}

export function tcp_clear_all_retrans_hints(tp: tcp_sock): void {
	tp.lost_skb_hint = null;
	tp.retransmit_skb_hint = null;
}

/** Bytes of payload in each packet that the segment is cut into. */
export function tcp_skb_seglen(skb: sk_buff): number {
	const cb = TCP_SKB_CB(skb);
	return cb.tcp_gso_segs === 1 ? skb.len : cb.tcp_gso_size;
}

/** Tells the congestion control module. */
export function tcp_ca_event(sk: sock, event: number): void {
	const ops = tcp_sk(sk).icsk_ca_ops;
	if (ops.cwnd_event !== null) ops.cwnd_event(sk, event);
}

function sack_blocks(): tcp_sack_block[] {
	return [
		{ start_seq: 0, end_seq: 0 },
		{ start_seq: 0, end_seq: 0 },
		{ start_seq: 0, end_seq: 0 },
		{ start_seq: 0, end_seq: 0 },
	];
}

/** What the next ACK tells that it came twice. */
export function tcp_duplicate_sack(tp: tcp_sock): tcp_sack_block {
	tp.duplicate_sack ??= { start_seq: 0, end_seq: 0 };
	return tp.duplicate_sack;
}

/** The blocks that ACKs tell: rx_opt.num_sacks of them. */
export function tcp_selective_acks(tp: tcp_sock): tcp_sack_block[] {
	tp.selective_acks ??= sack_blocks();
	return tp.selective_acks;
}

/** The blocks that the last ACK told. */
export function tcp_recv_sack_cache(tp: tcp_sock): tcp_sack_block[] {
	tp.recv_sack_cache ??= sack_blocks();
	return tp.recv_sack_cache;
}

/** us; 0xffffffff when not measured. */
export function tcp_min_rtt(tp: tcp_sock): number {
	return tp.rtt_min_v[0];
}

export function tcp_skb_is_last(sk: sock, skb: sk_buff): boolean {
	return sk.sk_write_queue.last === skb;
}

export function tcp_send_head(sk: sock): sk_buff | null {
	return sk.sk_write_queue.first;
}

export function tcp_write_queue_tail(sk: sock): sk_buff | null {
	return sk.sk_write_queue.last;
}

export function tcp_write_queue_empty(sk: sock): boolean {
	return tcp_sk(sk).write_seq === tcp_sk(sk).snd_nxt;
}

export function tcp_rtx_queue_head(sk: sock): sk_buff | null {
	return tcp_sk(sk).tcp_rtx_queue.first;
}

export function tcp_rtx_queue_tail(sk: sock): sk_buff | null {
	return tcp_sk(sk).tcp_rtx_queue.last;
}

export function tcp_rtx_queue_empty(sk: sock): boolean {
	return tcp_sk(sk).tcp_rtx_queue.first === null;
}

export function tcp_rtx_and_write_queues_empty(sk: sock): boolean {
	return tcp_rtx_queue_empty(sk) && tcp_write_queue_empty(sk);
}

/** A SYN that a listener could not take. */
export function tcp_listendrop(sk: sock): void {
	sk.sk_drops++;
	NET_INC_STATS(sk.net, LINUX_MIB_LISTENDROPS);
}

/** A segment came for the connection. */
export function tcp_segs_in(tp: tcp_sock, skb: sk_buff): void {
	const segs = Math.max(1, skb.shinfo.gso_segs);
	tp.segs_in = (tp.segs_in + segs) >>> 0;
	if (skb.len > (skb.head[skb.transport_header + 12] >> 4) * 4) tp.data_segs_in = (tp.data_segs_in + segs) >>> 0;
}

/** What was announced to whom a request is about: its window as in the SYN-ACK. */
export function tcp_synack_window(req: tcp_request_sock): number {
	return Math.min(req.rsk_rcv_wnd, 65535);
}

/** ms of the machine's clock. */
export function tcp_clock_ms(n: net): number {
	return Math.floor(n.machine.clock.now / 1e6);
}

/** Our time stamp in answers about a request: int32. */
export function tcp_rsk_tsval(req: tcp_request_sock): number {
	return (Math.floor(req.net.machine.clock.now / (req.req_usec_ts ? 1e3 : 1e6)) + req.ts_off) | 0;
}
