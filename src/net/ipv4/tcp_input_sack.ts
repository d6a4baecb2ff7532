/*
 * net/ipv4/tcp_input_sack.ts: the scoreboard: what SACK blocks, and duplicate ACKs without them, say of the retransmission queue.
 *                                                                  Linux: net/ipv4/tcp_input.c (tcp_sacktag_write_queue and what it calls)
 *
 * Walk: tcp_sacktag_write_queue: tcp_check_dsack (the first block may be a duplicate) -> blocks that are valid, sorted -> what the last ACK said
 *       already is skipped -> tcp_sacktag_walk: segments of a block are tagged (tcp_sacktag_one), those next to a tagged one are
 *       merged into it (tcp_shift_skb_data), those that a block covers in part are cut (tcp_match_skb_to_sack)
 *       -> tcp_check_sack_reordering
 *       Without SACK: tcp_add_reno_sack, tcp_remove_reno_sacks.
 * RFC 2018 5 (sender), 8 (reneging); RFC 2883 4 (D-SACK); RFC 6675 2 (terms).
 */
import {
	LINUX_MIB_TCPDSACKIGNOREDDUBIOUS,
	LINUX_MIB_TCPDSACKIGNOREDNOUNDO,
	LINUX_MIB_TCPDSACKIGNOREDOLD,
	LINUX_MIB_TCPDSACKOFORECV,
	LINUX_MIB_TCPDSACKRECV,
	LINUX_MIB_TCPDSACKRECVSEGS,
	LINUX_MIB_TCPRENOREORDER,
	LINUX_MIB_TCPSACKDISCARD,
	LINUX_MIB_TCPSACKMERGED,
	LINUX_MIB_TCPSACKREORDER,
	LINUX_MIB_TCPSACKSHIFTED,
	LINUX_MIB_TCPSACKSHIFTFALLBACK,
	LINUX_MIB_TCPTSREORDER,
} from '../../uapi/linux/snmp.ts';
import { TCP_CA_Loss, TCPHDR_FIN } from '../../uapi/linux/tcp.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { skb_shift } from '../core/skbuff_frags.ts';
import { NET_ADD_STATS, NET_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import {
	FLAG_DATA_SACKED,
	FLAG_DSACK_TLP,
	FLAG_DSACKING_ACK,
	FLAG_ORIG_SACK_ACKED,
	tcp_count_delivered,
} from './tcp_input_ack.ts';
import { tcp_current_mss } from './tcp_output.ts';
import { tcp_rtx_queue_unlink_and_free, tcp_skb_can_collapse, tcp_skb_collapse_tstamp } from './tcp_output_rtx.ts';
import { TCP_FRAG_IN_RTX_QUEUE, tcp_fragment } from './tcp_output_xmit.ts';
import { tcp_rate_skb_delivered } from './tcp_rate.ts';
import { tcp_rack_advance } from './tcp_recovery.ts';
import {
	after,
	before,
	rate_sample,
	TCP_DSACK_SEEN,
	TCP_MIN_GSO_SIZE,
	TCP_NUM_SACKS,
	TCP_SKB_CB,
	TCPCB_EVER_RETRANS,
	TCPCB_LOST,
	TCPCB_RETRANS,
	TCPCB_SACKED_ACKED,
	TCPCB_SACKED_RETRANS,
	TCPCB_TAGBITS,
	tcp_recv_sack_cache,
	type tcp_sack_block,
	tcp_sk,
	tcp_skb_seglen,
	tcp_skb_timestamp_us,
	type tcp_sock,
	tcp_tsorted_del,
} from './tcp_sock.ts';

/** What one call of tcp_ack() works in: one for the machine, as acknowledgements are dealt with one by one. */
export class tcp_sacktag_state {
	/** us when the first and the last sent of the segments newly sacked, and never retransmitted, were sent; -1 for none. */
	first_sackt = -1;
	last_sackt = -1;
	/** Lowest sequence number of what arrived out of order. */
	reord = 0;
	/** Segments newly sacked. */
	sack_delivered = 0;
	/** FLAG_* of the SACK blocks. */
	flag = 0;
	mss_now = 0;
	rate: rate_sample = new rate_sample();
	/** FLAG_* of the whole ACK, while tcp_fastretrans_alert looks at it. */
	ack_flag = 0;
	/** REXMIT_*: what to send when the ACK is done. */
	rexmit = 0;
	/** The blocks as they came: at most one D-SACK more than fit otherwise. */
	sp_wire: tcp_sack_block[] = [];
	/** Those that are valid, sorted. */
	sp: tcp_sack_block[] = [];

	constructor() {
		for (let i = 0; i < TCP_NUM_SACKS; i++) {
			this.sp_wire.push({ start_seq: 0, end_seq: 0 });
			this.sp.push({ start_seq: 0, end_seq: 0 });
		}
	}
}

// ---- the highest sacked segment ----------------------------------------------------------------------------------------------------

/** Where what was never sacked begins: the sequence number after the highest sacked segment. Valid while something is sacked. */
export function tcp_highest_sack_seq(tp: tcp_sock): number {
	if (tp.sacked_out === 0) return tp.snd_una;
	return tp.highest_sack === null ? tp.snd_nxt : TCP_SKB_CB(tp.highest_sack).seq;
}

/** `skb` is the highest sacked segment now. */
export function tcp_advance_highest_sack(sk: sock, skb: sk_buff): void {
	tcp_sk(sk).highest_sack = skb.next;
}

export function tcp_highest_sack(sk: sock): sk_buff | null {
	return tcp_sk(sk).highest_sack;
}

export function tcp_highest_sack_reset(sk: sock): void {
	const tp = tcp_sk(sk);
	tp.highest_sack = tp.tcp_rtx_queue.first;
}

/** `old` goes, `new_` stands in its place. */
export function tcp_highest_sack_replace(sk: sock, old: sk_buff, new_: sk_buff | null): void {
	const tp = tcp_sk(sk);
	if (old === tp.highest_sack) tp.highest_sack = new_;
}

// ---- reordering, duplicates --------------------------------------------------------------------------------------------------------

/** Something at `low_seq` arrived after what lies above it: takes the distance for the degree of reordering. `ts`: time stamps told. */
export function tcp_check_sack_reordering(sk: sock, low_seq: number, ts: boolean): void {
	const tp = tcp_sk(sk);
	const mss = tp.mss_cache;
	const fack = tcp_highest_sack_seq(tp);
	if (!before(low_seq, fack)) return;
	const metric = (fack - low_seq) | 0;
	if (metric > tp.reordering * mss && mss > 0)
		tp.reordering = Math.min(Math.floor((metric + mss - 1) / mss), sk.net.ipv4.sysctl_tcp_max_reordering);
	tp.reord_seen++;
	NET_INC_STATS(sk.net, ts ? LINUX_MIB_TCPTSREORDER : LINUX_MIB_TCPSACKREORDER);
}

/** A D-SACK of that range (RFC 2883). Return: segments that arrived twice; 0 when it tells nothing of our retransmissions. */
function tcp_dsack_seen(tp: tcp_sock, start_seq: number, end_seq: number, state: tcp_sacktag_state): number {
	const seq_len = (end_seq - start_seq) >>> 0;
	let dup_segs = 1;
	// More than the peer ever let us send: not to be believed.
	if (seq_len > tp.max_window) return 0;
	if (seq_len > tp.mss_cache) dup_segs = Math.ceil(seq_len / tp.mss_cache);
	else if (tp.tlp_high_seq !== 0 && tp.tlp_high_seq === end_seq) state.flag |= FLAG_DSACK_TLP;
	tp.dsack_dups += dup_segs;
	// More than we ever retransmitted: the network, or the peer, doubles.
	if (tp.dsack_dups > tp.total_retrans) return 0;
	tp.rx_opt.sack_ok |= TCP_DSACK_SEEN;
	// RFC 8985 6.2.1: a reason for a greater reordering window, unless a tail loss probe was what came twice.
	if (tp.reord_seen !== 0 && (state.flag & FLAG_DSACK_TLP) === 0) tp.rack_dsack_seen = true;
	state.flag |= FLAG_DSACKING_ACK;
	state.sack_delivered += dup_segs;
	return dup_segs;
}

/** Whether the first block is a D-SACK (RFC 2883 4: below the ACK, or within the second block), and one that counts. */
function tcp_check_dsack(
	sk: sock,
	ack_seq: number,
	num_sacks: number,
	prior_snd_una: number,
	state: tcp_sacktag_state,
): boolean {
	const tp = tcp_sk(sk);
	const first = state.sp_wire[0];
	if (before(first.start_seq, ack_seq)) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPDSACKRECV);
	} else {
		const second = state.sp_wire[1];
		if (num_sacks < 2 || after(first.end_seq, second.end_seq) || before(first.start_seq, second.start_seq))
			return false;
		NET_INC_STATS(sk.net, LINUX_MIB_TCPDSACKOFORECV);
	}
	const dup_segs = tcp_dsack_seen(tp, first.start_seq, first.end_seq, state);
	if (dup_segs === 0) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPDSACKIGNOREDDUBIOUS);
		return false;
	}
	NET_ADD_STATS(sk.net, LINUX_MIB_TCPDSACKRECVSEGS, dup_segs);
	// Of what is acknowledged and gone already nothing but the number is known.
	if (
		tp.undo_marker !== 0 &&
		tp.undo_retrans > 0 &&
		!after(first.end_seq, prior_snd_una) &&
		after(first.end_seq, tp.undo_marker)
	)
		tp.undo_retrans = Math.max(0, tp.undo_retrans - dup_segs);
	return true;
}

/** Whether the range lies in what we sent and wait for, or, as a D-SACK, in what was sent since recovery began. */
function tcp_is_sackblock_valid(tp: tcp_sock, is_dsack: boolean, start_seq: number, end_seq: number): boolean {
	if (after(end_seq, tp.snd_nxt) || !before(start_seq, end_seq)) return false;
	if (!before(start_seq, tp.snd_nxt)) return false;
	if (after(start_seq, tp.snd_una)) return true;
	if (!is_dsack || tp.undo_marker === 0) return false;
	// A D-SACK's range is below snd_una as a whole.
	if (after(end_seq, tp.snd_una)) return false;
	if (!before(start_seq, tp.undo_marker)) return true;
	if (!after(end_seq, tp.undo_marker)) return false;
	// Begins before recovery did: by no more than a window.
	return !before(start_seq, (end_seq - tp.max_window) | 0);
}

// ---- tagging -----------------------------------------------------------------------------------------------------------------------

/**
 * The part of a segment that lies in start_seq to end_seq becomes a segment of its own, cut at multiples of the MSS.
 * Return: 1 when `skb` (what is left of it) lies within, 0 when not, -errno.
 */
function tcp_match_skb_to_sack(sk: sock, skb: sk_buff, start_seq: number, end_seq: number): number {
	const cb = TCP_SKB_CB(skb);
	let in_sack = !after(start_seq, cb.seq) && !before(end_seq, cb.end_seq);
	if (in_sack || cb.tcp_gso_segs <= 1 || !after(cb.end_seq, start_seq)) return in_sack ? 1 : 0;
	const mss = cb.tcp_gso_size;
	in_sack = !after(start_seq, cb.seq);
	let pkt_len: number;
	if (!in_sack) {
		// Up to the block: at least a whole packet is left out.
		pkt_len = Math.max((start_seq - cb.seq) | 0, mss);
	} else {
		pkt_len = (end_seq - cb.seq) | 0;
		if (pkt_len < mss) return -1;
	}
	if (pkt_len > mss) {
		let new_len = pkt_len - (pkt_len % mss);
		if (!in_sack && new_len < pkt_len) new_len += mss;
		pkt_len = new_len;
	}
	if (pkt_len >= skb.len && !in_sack) return 0;
	const err = tcp_fragment(sk, TCP_FRAG_IN_RTX_QUEUE, skb, pkt_len, mss);
	if (err < 0) return err;
	return in_sack ? 1 : 0;
}

/** A segment (or `pcount` packets of one) was sacked: does all the accounts. Return: its new TCPCB_* bits. */
function tcp_sacktag_one(
	sk: sock,
	state: tcp_sacktag_state,
	sacked: number,
	start_seq: number,
	end_seq: number,
	dup_sack: boolean,
	pcount: number,
	xmit_time: number,
): number {
	const tp = tcp_sk(sk);
	if (dup_sack && (sacked & TCPCB_RETRANS) !== 0) {
		if (tp.undo_marker !== 0 && tp.undo_retrans > 0 && after(end_seq, tp.undo_marker))
			tp.undo_retrans = Math.max(0, tp.undo_retrans - pcount);
		if ((sacked & TCPCB_SACKED_ACKED) !== 0 && before(start_seq, state.reord)) state.reord = start_seq;
	}
	// About to be dropped: it is acknowledged.
	if (!after(end_seq, tp.snd_una)) return sacked;
	if ((sacked & TCPCB_SACKED_ACKED) === 0) {
		tcp_rack_advance(tp, sacked, end_seq, xmit_time);
		if ((sacked & TCPCB_SACKED_RETRANS) !== 0) {
			// Lost, then sent again: which one arrived is not known. Not lost: the retransmission is still under way.
			if ((sacked & TCPCB_LOST) !== 0) {
				sacked &= ~(TCPCB_LOST | TCPCB_SACKED_RETRANS);
				tp.lost_out -= pcount;
				tp.retrans_out -= pcount;
			}
		} else {
			if ((sacked & TCPCB_RETRANS) === 0) {
				// Never retransmitted, and below what was sacked before: it was overtaken.
				if (before(start_seq, tcp_highest_sack_seq(tp)) && before(start_seq, state.reord)) state.reord = start_seq;
				if (!after(end_seq, tp.high_seq)) state.flag |= FLAG_ORIG_SACK_ACKED;
				if (state.first_sackt < 0) state.first_sackt = xmit_time;
				state.last_sackt = xmit_time;
			}
			if ((sacked & TCPCB_LOST) !== 0) {
				sacked &= ~TCPCB_LOST;
				tp.lost_out -= pcount;
			}
		}
		sacked |= TCPCB_SACKED_ACKED;
		state.flag |= FLAG_DATA_SACKED;
		tp.sacked_out += pcount;
		state.sack_delivered += pcount;
	}
	// A duplicate of what is sacked: the retransmission is no longer in the network.
	if (dup_sack && (sacked & TCPCB_SACKED_RETRANS) !== 0) {
		sacked &= ~TCPCB_SACKED_RETRANS;
		tp.retrans_out -= pcount;
	}
	return sacked;
}

// ---- merging sacked segments -------------------------------------------------------------------------------------------------------

/** `shifted` bytes went from `skb` to the sacked `prev`: the accounts follow. Return: whether nothing is left of `skb` (it is freed). */
function tcp_shifted_skb(
	sk: sock,
	prev: sk_buff,
	skb: sk_buff,
	state: tcp_sacktag_state,
	pcount: number,
	shifted: number,
	mss: number,
	dup_sack: boolean,
): boolean {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	const pcb = TCP_SKB_CB(prev);
	const start_seq = cb.seq;
	const end_seq = (start_seq + shifted) | 0;
	// First the tags: moving seq moves tcp_highest_sack_seq().
	tcp_sacktag_one(sk, state, cb.sacked, start_seq, end_seq, dup_sack, pcount, tcp_skb_timestamp_us(skb));
	tcp_rate_skb_delivered(sk, skb, state.rate);
	pcb.end_seq = (pcb.end_seq + shifted) | 0;
	cb.seq = end_seq;
	pcb.tcp_gso_segs += pcount;
	cb.tcp_gso_segs -= pcount;
	if (pcb.tcp_gso_size === 0) pcb.tcp_gso_size = mss;
	if (cb.tcp_gso_segs <= 1) cb.tcp_gso_size = 0;
	pcb.sacked |= cb.sacked & TCPCB_EVER_RETRANS;
	if (skb.len > 0) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPSACKSHIFTED);
		return false;
	}
	if (skb === tp.retransmit_skb_hint) tp.retransmit_skb_hint = prev;
	pcb.tcp_flags |= cb.tcp_flags;
	pcb.eor = cb.eor;
	if ((cb.tcp_flags & TCPHDR_FIN) !== 0) pcb.end_seq = (pcb.end_seq + 1) | 0;
	if (skb === tp.highest_sack) tcp_advance_highest_sack(sk, skb);
	tcp_skb_collapse_tstamp(prev, skb);
	// A merged segment is no rate sample.
	pcb.delivered_mstamp = -1;
	tcp_rtx_queue_unlink_and_free(skb, sk);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPSACKMERGED);
	return true;
}

/** Whether all of its data may be moved by reference. */
function skb_can_shift(skb: sk_buff): boolean {
	return skb.data_len !== 0 && skb.len === skb.data_len;
}

function tcp_skb_shift(to: sk_buff, from: sk_buff, pcount: number, shiftlen: number): number {
	// gso_segs has 16 bits.
	if (to.len + shiftlen >= 65535 * TCP_MIN_GSO_SIZE) return 0;
	if (TCP_SKB_CB(to).tcp_gso_segs + pcount > 65535) return 0;
	return skb_shift(to, from, shiftlen);
}

function tcp_shift_fallback(sk: sock): null {
	NET_INC_STATS(sk.net, LINUX_MIB_TCPSACKSHIFTFALLBACK);
	return null;
}

/**
 * Merges what the block covers of `skb` into the sacked segment before it, so that a long run of sacked segments is one.
 * Return: the segment to go on after (`skb` itself when there was nothing to do), null when it has to be tagged the usual way.
 */
function tcp_shift_skb_data(
	sk: sock,
	skb: sk_buff,
	state: tcp_sacktag_state,
	start_seq: number,
	end_seq: number,
	dup_sack: boolean,
): sk_buff | null {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	// Sent again and not lost: which copy was sacked matters to the accounts.
	if (!dup_sack && (cb.sacked & (TCPCB_LOST | TCPCB_SACKED_RETRANS)) === TCPCB_SACKED_RETRANS)
		return tcp_shift_fallback(sk);
	if (!skb_can_shift(skb) || !after(cb.end_seq, tp.snd_una)) return tcp_shift_fallback(sk);
	const prev = skb.prev;
	if (prev === null || (TCP_SKB_CB(prev).sacked & TCPCB_TAGBITS) !== TCPCB_SACKED_ACKED) return tcp_shift_fallback(sk);
	if (!tcp_skb_can_collapse(prev, skb)) return tcp_shift_fallback(sk);
	let len: number;
	let pcount: number;
	let mss: number;
	if (!after(start_seq, cb.seq) && !before(end_seq, cb.end_seq)) {
		len = skb.len;
		pcount = cb.tcp_gso_segs;
		mss = tcp_skb_seglen(skb);
		if (mss !== tcp_skb_seglen(prev)) return tcp_shift_fallback(sk);
	} else {
		if (!after(cb.end_seq, start_seq)) return skb;
		// A single packet is sacked as a whole or not at all.
		if (cb.tcp_gso_segs <= 1) return skb;
		if (after(start_seq, cb.seq)) return tcp_shift_fallback(sk);
		len = (end_seq - cb.seq) | 0;
		mss = cb.tcp_gso_size;
		if (mss !== tcp_skb_seglen(prev)) return tcp_shift_fallback(sk);
		if (len === mss) pcount = 1;
		else if (len < mss) return skb;
		else {
			pcount = Math.floor(len / mss);
			len = pcount * mss;
		}
	}
	// What is acknowledged is not tagged.
	if (!after((cb.seq + len) | 0, tp.snd_una)) return tcp_shift_fallback(sk);
	if (tcp_skb_shift(prev, skb, pcount, len) === 0) return tcp_shift_fallback(sk);
	if (!tcp_shifted_skb(sk, prev, skb, state, pcount, len, mss, dup_sack)) return prev;
	// The hole is filled: what follows may be sacked too.
	const next = prev.next;
	if (
		next === null ||
		!skb_can_shift(next) ||
		(TCP_SKB_CB(next).sacked & TCPCB_TAGBITS) !== TCPCB_SACKED_ACKED ||
		mss !== tcp_skb_seglen(next) ||
		!tcp_skb_can_collapse(prev, next)
	)
		return prev;
	len = next.len;
	pcount = TCP_SKB_CB(next).tcp_gso_segs;
	if (tcp_skb_shift(prev, next, pcount, len) !== 0) tcp_shifted_skb(sk, prev, next, state, pcount, len, mss, false);
	return prev;
}

// ---- walking the queue -------------------------------------------------------------------------------------------------------------

/** Tags what lies in start_seq to end_seq, from `skb` on. `next_dup`: a D-SACK block that lies in this one. Return: where it stopped. */
function tcp_sacktag_walk(
	skb: sk_buff | null,
	sk: sock,
	next_dup: tcp_sack_block | null,
	state: tcp_sacktag_state,
	start_seq: number,
	end_seq: number,
	dup_sack_in: boolean,
): sk_buff | null {
	const tp = tcp_sk(sk);
	for (; skb !== null; skb = skb.next) {
		let in_sack = 0;
		let dup_sack = dup_sack_in;
		if (!before(TCP_SKB_CB(skb).seq, end_seq)) break;
		if (next_dup !== null && before(TCP_SKB_CB(skb).seq, next_dup.end_seq)) {
			in_sack = tcp_match_skb_to_sack(sk, skb, next_dup.start_seq, next_dup.end_seq);
			if (in_sack > 0) dup_sack = true;
		}
		if (in_sack <= 0) {
			const to = tcp_shift_skb_data(sk, skb, state, start_seq, end_seq, dup_sack);
			if (to !== null) {
				if (to !== skb) {
					skb = to;
					continue;
				}
				in_sack = 0;
			} else in_sack = tcp_match_skb_to_sack(sk, skb, start_seq, end_seq);
		}
		if (in_sack < 0) break;
		if (in_sack > 0) {
			const cb = TCP_SKB_CB(skb);
			cb.sacked = tcp_sacktag_one(
				sk,
				state,
				cb.sacked,
				cb.seq,
				cb.end_seq,
				dup_sack,
				cb.tcp_gso_segs,
				tcp_skb_timestamp_us(skb),
			);
			tcp_rate_skb_delivered(sk, skb, state.rate);
			if ((cb.sacked & TCPCB_SACKED_ACKED) !== 0) tcp_tsorted_del(tp, skb);
			if (!before(cb.seq, tcp_highest_sack_seq(tp))) tcp_advance_highest_sack(sk, skb);
		}
	}
	return skb;
}

/** The segment that has byte `seq`, or null: looks from `skb`, which lies before it or not at all, or from the queue's nearer end. */
function tcp_sacktag_skip(skb: sk_buff | null, sk: sock, seq: number): sk_buff | null {
	if (skb !== null && after(TCP_SKB_CB(skb).seq, seq)) return skb;
	const q = tcp_sk(sk).tcp_rtx_queue;
	let a = skb !== null ? skb : q.first;
	let b = q.last;
	if (a === null || b === null) return null;
	if ((seq - TCP_SKB_CB(a).seq) >>> 0 <= (TCP_SKB_CB(b).end_seq - seq) >>> 0) {
		while (a !== null && !before(seq, TCP_SKB_CB(a).end_seq)) a = a.next;
		return a !== null && !before(seq, TCP_SKB_CB(a).seq) ? a : null;
	}
	while (b !== null && before(seq, TCP_SKB_CB(b).seq)) b = b.prev;
	return b !== null && before(seq, TCP_SKB_CB(b).end_seq) ? b : null;
}

/** A D-SACK block that lies in a part which need not be walked otherwise. */
function tcp_maybe_skipping_dsack(
	skb: sk_buff | null,
	sk: sock,
	next_dup: tcp_sack_block | null,
	state: tcp_sacktag_state,
	skip_to_seq: number,
): sk_buff | null {
	if (next_dup === null || !before(next_dup.start_seq, skip_to_seq)) return skb;
	skb = tcp_sacktag_skip(skb, sk, next_dup.start_seq);
	return tcp_sacktag_walk(skb, sk, null, state, next_dup.start_seq, next_dup.end_seq, true);
}

/** Reads the option's blocks into state.sp_wire. `at`: of the option in head. Return: how many. */
function tcp_read_sack_blocks(head: Uint8Array, at: number, state: tcp_sacktag_state): number {
	const n = Math.min(TCP_NUM_SACKS, (head[at + 1] - 2) >> 3);
	for (let i = 0, p = at + 2; i < n; i++, p += 8) {
		const b = state.sp_wire[i];
		b.start_seq = (head[p] << 24) | (head[p + 1] << 16) | (head[p + 2] << 8) | head[p + 3];
		b.end_seq = (head[p + 4] << 24) | (head[p + 5] << 16) | (head[p + 6] << 8) | head[p + 7];
	}
	return n;
}

/**
 * Takes the ACK's SACK option (TCP_SKB_CB(ack_skb).sacked says where, from the TCP header) into the scoreboard. Borrows ack_skb.
 * Return: FLAG_*.
 */
export function tcp_sacktag_write_queue(
	sk: sock,
	ack_skb: sk_buff,
	prior_snd_una: number,
	state: tcp_sacktag_state,
): number {
	const tp = tcp_sk(sk);
	const ack_seq = TCP_SKB_CB(ack_skb).ack_seq;
	const wire = state.sp_wire;
	const sp = state.sp;
	const num_sacks = tcp_read_sack_blocks(ack_skb.head, ack_skb.transport_header + TCP_SKB_CB(ack_skb).sacked, state);
	state.flag = 0;
	state.reord = tp.snd_nxt;
	if (tp.sacked_out === 0) tcp_highest_sack_reset(sk);
	const found_dup_sack = num_sacks > 0 && tcp_check_dsack(sk, ack_seq, num_sacks, prior_snd_una, state);
	// An ACK from before the last window says nothing that holds.
	if (before(ack_seq, (prior_snd_una - tp.max_window) | 0)) return 0;
	if (tp.packets_out === 0) return state.flag;

	let used_sacks = 0;
	let first_sack_index = 0;
	for (let i = 0; i < num_sacks; i++) {
		const dup_sack = i === 0 && found_dup_sack;
		const start_seq = wire[i].start_seq;
		const end_seq = wire[i].end_seq;
		if (!tcp_is_sackblock_valid(tp, dup_sack, start_seq, end_seq)) {
			if (dup_sack)
				NET_INC_STATS(sk.net, tp.undo_marker === 0 ? LINUX_MIB_TCPDSACKIGNOREDNOUNDO : LINUX_MIB_TCPDSACKIGNOREDOLD);
			else {
				// An ACK that was overtaken has old blocks: nothing wrong with it.
				if (ack_seq !== tp.snd_una && !after(end_seq, tp.snd_una)) continue;
				NET_INC_STATS(sk.net, LINUX_MIB_TCPSACKDISCARD);
			}
			if (i === 0) first_sack_index = -1;
			continue;
		}
		if (!after(end_seq, prior_snd_una)) {
			if (i === 0) first_sack_index = -1;
			continue;
		}
		// Sorted by where they start; the one that came first may be the D-SACK.
		let at = used_sacks;
		while (at > 0 && after(sp[at - 1].start_seq, start_seq)) at--;
		const free = sp[used_sacks];
		for (let k = used_sacks; k > at; k--) sp[k] = sp[k - 1];
		sp[at] = free;
		free.start_seq = start_seq;
		free.end_seq = end_seq;
		if (i === 0) first_sack_index = at;
		else if (first_sack_index >= at) first_sack_index++;
		used_sacks++;
	}

	state.mss_now = tcp_current_mss(sk);
	tcp_sacktag_blocks(sk, tp, state, used_sacks, found_dup_sack ? first_sack_index : -1);

	// What this ACK said need not be looked at again with the next one.
	const cache = tcp_recv_sack_cache(tp);
	const unused = cache.length - used_sacks;
	for (let i = 0; i < cache.length; i++) {
		cache[i].start_seq = i < unused ? 0 : sp[i - unused].start_seq;
		cache[i].end_seq = i < unused ? 0 : sp[i - unused].end_seq;
	}
	if (tp.icsk_ca_state !== TCP_CA_Loss || tp.undo_marker !== 0) tcp_check_sack_reordering(sk, state.reord, false);
	return state.flag;
}

/** Tags the segments of the sorted blocks, but for those that the last ACK's blocks (recv_sack_cache) covered. `dup`: index of the D-SACK or -1. */
function tcp_sacktag_blocks(sk: sock, tp: tcp_sock, state: tcp_sacktag_state, used_sacks: number, dup: number): void {
	const sp = state.sp;
	const cache = tcp_recv_sack_cache(tp);
	let c = 0;
	// Without anything sacked the cache is of another time.
	if (tp.sacked_out === 0) c = cache.length;
	else while (c < cache.length && cache[c].start_seq === 0 && cache[c].end_seq === 0) c++;
	let skb: sk_buff | null = null;
	let i = 0;
	while (i < used_sacks) {
		const start_seq = sp[i].start_seq;
		const end_seq = sp[i].end_seq;
		const dup_sack = i === dup;
		const next_dup = dup >= 0 && i + 1 === dup ? sp[dup] : null;
		while (c < cache.length && !before(start_seq, cache[c].end_seq)) c++;
		if (c < cache.length && !dup_sack && after(end_seq, cache[c].start_seq)) {
			const known = cache[c];
			if (before(start_seq, known.start_seq)) {
				skb = tcp_sacktag_skip(skb, sk, start_seq);
				skb = tcp_sacktag_walk(skb, sk, next_dup, state, start_seq, known.start_seq, dup_sack);
			}
			if (!after(end_seq, known.end_seq)) {
				i++;
				continue;
			}
			skb = tcp_maybe_skipping_dsack(skb, sk, next_dup, state, known.end_seq);
			c++;
			if (tcp_highest_sack_seq(tp) === known.end_seq) {
				// What is left lies above everything sacked.
				skb = tp.highest_sack;
				if (skb === null) break;
				skb = tcp_sacktag_walk(skb, sk, next_dup, state, start_seq, end_seq, dup_sack);
				i++;
				continue;
			}
			skb = tcp_sacktag_skip(skb, sk, known.end_seq);
			continue;
		}
		if (!before(start_seq, tcp_highest_sack_seq(tp))) {
			skb = tp.highest_sack;
			if (skb === null) break;
		}
		skb = tcp_sacktag_skip(skb, sk, start_seq);
		skb = tcp_sacktag_walk(skb, sk, next_dup, state, start_seq, end_seq, dup_sack);
		i++;
	}
}

// ---- without SACK ------------------------------------------------------------------------------------------------------------------

/** Duplicate ACKs cannot be more than what is out, less what is lost. Return: whether there were too many. */
export function tcp_limit_reno_sacked(tp: tcp_sock): boolean {
	const holes = Math.min(Math.max(tp.lost_out, 1), tp.packets_out);
	if (tp.sacked_out + holes <= tp.packets_out) return false;
	tp.sacked_out = tp.packets_out - holes;
	return true;
}

/** More duplicate ACKs than segments that may have caused them: they were reordered. */
function tcp_check_reno_reordering(sk: sock, addend: number): void {
	const tp = tcp_sk(sk);
	if (!tcp_limit_reno_sacked(tp)) return;
	tp.reordering = Math.min(tp.packets_out + addend, sk.net.ipv4.sysctl_tcp_max_reordering);
	tp.reord_seen++;
	NET_INC_STATS(sk.net, LINUX_MIB_TCPRENOREORDER);
}

/** Each duplicate ACK stands for a segment that arrived out of order. */
export function tcp_add_reno_sack(sk: sock, num_dupack: number, ece_ack: boolean): void {
	if (num_dupack === 0) return;
	const tp = tcp_sk(sk);
	const prior_sacked = tp.sacked_out;
	tp.sacked_out += num_dupack;
	tcp_check_reno_reordering(sk, 0);
	const delivered = tp.sacked_out - prior_sacked;
	if (delivered > 0) tcp_count_delivered(tp, delivered, ece_ack);
}

/** `acked` segments were acknowledged: one was missing, the others had their duplicate ACKs already. */
export function tcp_remove_reno_sacks(sk: sock, acked: number, ece_ack: boolean): void {
	const tp = tcp_sk(sk);
	if (acked > 0) {
		tcp_count_delivered(tp, Math.max(acked - tp.sacked_out, 1), ece_ack);
		tp.sacked_out = acked - 1 >= tp.sacked_out ? 0 : tp.sacked_out - (acked - 1);
	}
	tcp_check_reno_reordering(sk, acked);
}

export function tcp_reset_reno_sack(tp: tcp_sock): void {
	tp.sacked_out = 0;
}
