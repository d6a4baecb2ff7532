/*
 * net/ipv4/tcp_input_data.ts: data that arrived: in order, out of order, twice, too much of it.        Linux: net/ipv4/tcp_input.c
 *
 * Walk: tcp_data_queue -> in order: tcp_queue_rcv, then what waited for it (tcp_ofo_queue)
 *                      -> old: D-SACK   -> beyond a gap: tcp_data_queue_ofo, a SACK block   -> no room: tcp_prune_queue, tcp_collapse.
 * The queue of what is out of order is a list by sequence and a red-black tree over it; its entries may overlap. Which overlaps are seen, and
 * what is joined to what, depends on the way down the tree: hence a tree of Linux's shape.
 * RFC 9293 3.10.7.4 (seventh), RFC 2018 (SACK), RFC 2883 (D-SACK), RFC 5681 4.2 (when to acknowledge at once).
 */
import { hrtimer_cancel } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { rb_erase, rb_insert_color, rb_link_node, rb_node, rb_root } from '../../lib/rbtree.ts';
import { ENOMEM } from '../../uapi/asm-generic/errno.ts';
import {
	LINUX_MIB_DELAYEDACKLOST,
	LINUX_MIB_OFOPRUNED,
	LINUX_MIB_PRUNECALLED,
	LINUX_MIB_RCVPRUNED,
	LINUX_MIB_TCPACKCOMPRESSED,
	LINUX_MIB_TCPDSACKOFOSENT,
	LINUX_MIB_TCPDSACKOLDSENT,
	LINUX_MIB_TCPOFODROP,
	LINUX_MIB_TCPOFOMERGE,
	LINUX_MIB_TCPOFOQUEUE,
	LINUX_MIB_TCPRCVCOALESCE,
	LINUX_MIB_TCPRCVCOLLAPSED,
	LINUX_MIB_TCPRCVQDROP,
	LINUX_MIB_TCPZEROWINDOWDROP,
} from '../../uapi/linux/snmp.ts';
import { TCPHDR_FIN, TCPHDR_SYN } from '../../uapi/linux/tcp.ts';
import {
	SKB_DROP_REASON_PROTO_MEM,
	SKB_DROP_REASON_TCP_OFO_DROP,
	SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE,
	SKB_DROP_REASON_TCP_OFOMERGE,
	SKB_DROP_REASON_TCP_OLD_DATA,
	SKB_DROP_REASON_TCP_OVERWINDOW,
	SKB_DROP_REASON_TCP_ZEROWINDOW,
} from '../core/dropreason.ts';
import { linear_size, linear_truesize, SKB_MAX_ORDER_0 } from '../core/skb_truesize.ts';
import {
	alloc_skb,
	consume_skb,
	kfree_skb,
	kfree_skb_reason,
	type sk_buff,
	skb_copy_bits,
	skb_dst_drop,
	skb_pull,
	skb_put,
} from '../core/skbuff.ts';
import { type coalesce_result, skb_try_coalesce } from '../core/skbuff_frags.ts';
import { __skb_queue_head, __skb_queue_tail, __skb_unlink, type sk_buff_head } from '../core/skbuff_queue.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import { SOCK_DEAD, SOCK_DONE, skb_set_owner_r, type sock, sock_flag } from '../core/sock.ts';
import { sk_forced_mem_schedule, sk_mem_charge, sk_rmem_schedule, sk_under_memory_pressure } from '../core/sock_mem.ts';
import { tcp_hdrlen } from './tcp_hdr.ts';
import { tcp_fast_path_check, tcp_fin } from './tcp_input.ts';
import {
	tcp_adjust_rcv_ssthresh,
	tcp_clamp_window,
	tcp_data_ecn_check,
	tcp_enter_quickack_mode,
	tcp_event_data_recv,
	tcp_grow_window,
	tcp_measure_rcv_mss,
	tcp_rcvbuf_grow,
} from './tcp_input_rcvbuf.ts';
import { tcp_send_ack } from './tcp_output.ts';
import { tcp_epollin_ready } from './tcp_recvmsg.ts';
import {
	after,
	before,
	ICSK_ACK_NOMEM,
	ICSK_ACK_NOW,
	inet_csk_schedule_ack,
	TCP_MAX_QUICKACKS,
	TCP_NUM_SACKS,
	TCP_SKB_CB,
	tcp_duplicate_sack,
	type tcp_options_received,
	tcp_receive_window,
	type tcp_sack_block,
	tcp_selective_acks,
	tcp_sk,
	type tcp_sock,
	tcp_win_from_space,
} from './tcp_sock.ts';

/** SACK blocks beyond this are worth an ACK of their own when they appear while ACKs are held back. */
const TCP_SACK_BLOCKS_EXPECTED = 2;
/** skb_try_coalesce's answer: nobody keeps it. */
const coalesced: coalesce_result = { delta_truesize: 0, stolen: false };

/** Drops a segment that came for the socket. */
export function tcp_drop_reason(sk: sock, skb: sk_buff, reason: number, location: string): void {
	sk.sk_drops += Math.max(1, skb.shinfo.gso_segs);
	kfree_skb_reason(skb, reason, location);
}

/** Nothing of the way here is needed in a queue. */
export function tcp_cleanup_skb(skb: sk_buff): void {
	skb_dst_drop(skb);
}

export function tcp_sack_reset(opt: tcp_options_received): void {
	opt.dsack = false;
	opt.num_sacks = 0;
}

export function tcp_rcv_nxt_update(tp: tcp_sock, seq: number): void {
	tp.bytes_received += (seq - tp.rcv_nxt) >>> 0;
	tp.rcv_nxt = seq;
}

// ---- SACK blocks that we send --------------------------------------------------------------------------------------------------

/** Lets the block cover [seq, end_seq) too when they touch. Return: whether they do. */
function tcp_sack_extend(sp: tcp_sack_block, seq: number, end_seq: number): boolean {
	if (after(seq, sp.end_seq) || after(sp.start_seq, end_seq)) return false;
	if (before(seq, sp.start_seq)) sp.start_seq = seq;
	if (after(end_seq, sp.end_seq)) sp.end_seq = end_seq;
	return true;
}

/** The next ACK says that [seq, end_seq) came twice. */
function tcp_dsack_set(sk: sock, seq: number, end_seq: number): void {
	const tp = tcp_sk(sk);
	if (tp.rx_opt.sack_ok === 0 || sk.net.ipv4.sysctl_tcp_dsack === 0) return;
	NET_INC_STATS(sk.net, before(seq, tp.rcv_nxt) ? LINUX_MIB_TCPDSACKOLDSENT : LINUX_MIB_TCPDSACKOFOSENT);
	tp.rx_opt.dsack = true;
	const sp = tcp_duplicate_sack(tp);
	sp.start_seq = seq;
	sp.end_seq = end_seq;
}

function tcp_dsack_extend(sk: sock, seq: number, end_seq: number): void {
	const tp = tcp_sk(sk);
	if (!tp.rx_opt.dsack) tcp_dsack_set(sk, seq, end_seq);
	else tcp_sack_extend(tcp_duplicate_sack(tp), seq, end_seq);
}

/** The peer sends again what we have: a new path may help (IPv6's flow labels; nothing to do for IPv4). */
export function tcp_rcv_spurious_retrans(_sk: sock, _skb: sk_buff): void {}

/** Answers a segment that is out of the window, with a D-SACK where it is old. Borrows skb. */
export function tcp_send_dupack(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	if (cb.end_seq !== cb.seq && before(cb.seq, tp.rcv_nxt)) {
		NET_INC_STATS(sk.net, LINUX_MIB_DELAYEDACKLOST);
		tcp_enter_quickack_mode(sk, TCP_MAX_QUICKACKS);
		if (tp.rx_opt.sack_ok !== 0 && sk.net.ipv4.sysctl_tcp_dsack !== 0) {
			tcp_rcv_spurious_retrans(sk, skb);
			tcp_dsack_set(sk, cb.seq, after(cb.end_seq, tp.rcv_nxt) ? tp.rcv_nxt : cb.end_seq);
		}
	}
	tcp_send_ack(sk);
}

/** The first block grew: takes in those that it touches now. */
function tcp_sack_maybe_coalesce(tp: tcp_sock): void {
	const sacks = tcp_selective_acks(tp);
	let i = 1;
	while (i < tp.rx_opt.num_sacks) {
		if (tcp_sack_extend(sacks[0], sacks[i].start_seq, sacks[i].end_seq)) sack_delete(tp, i);
		else i++;
	}
}

/** Takes block `i` out; its object goes behind the others. */
function sack_delete(tp: tcp_sock, i: number): void {
	const sacks = tcp_selective_acks(tp);
	const gone = sacks[i];
	const last = --tp.rx_opt.num_sacks;
	for (; i < last; i++) sacks[i] = sacks[i + 1];
	sacks[last] = gone;
}

/** Sends the ACK that was being held back. */
export function tcp_sack_compress_send_ack(sk: sock): void {
	const tp = tcp_sk(sk);
	if (tp.compressed_ack === 0) return;
	if (tp.compressed_ack_timer !== null) hrtimer_cancel(tp.compressed_ack_timer);
	// One of them goes out after all.
	sk.net.mib.net_statistics[LINUX_MIB_TCPACKCOMPRESSED] += tp.compressed_ack - 1;
	tp.compressed_ack = 0;
	tcp_send_ack(sk);
}

/** RFC 2018 4: the block with the newest segment comes first. */
function tcp_sack_new_ofo_skb(sk: sock, seq: number, end_seq: number): void {
	const tp = tcp_sk(sk);
	const sacks = tcp_selective_acks(tp);
	const n = tp.rx_opt.num_sacks;
	for (let i = 0; i < n; i++) {
		if (!tcp_sack_extend(sacks[i], seq, end_seq)) continue;
		if (i >= TCP_SACK_BLOCKS_EXPECTED) tcp_sack_compress_send_ack(sk);
		const sp = sacks[i];
		for (let j = i; j > 0; j--) sacks[j] = sacks[j - 1];
		sacks[0] = sp;
		if (n > 1) tcp_sack_maybe_coalesce(tp);
		return;
	}
	if (n >= TCP_SACK_BLOCKS_EXPECTED) tcp_sack_compress_send_ack(sk);
	// The oldest falls out of a full array.
	let at = n;
	if (at >= TCP_NUM_SACKS) at = TCP_NUM_SACKS - 1;
	else tp.rx_opt.num_sacks++;
	const sp = sacks[at];
	for (; at > 0; at--) sacks[at] = sacks[at - 1];
	sacks[0] = sp;
	sp.start_seq = seq;
	sp.end_seq = end_seq;
}

/** rcv_nxt moved on: drops blocks that it has reached. */
function tcp_sack_remove(tp: tcp_sock): void {
	if (tp.out_of_order_queue.first === null) {
		tp.rx_opt.num_sacks = 0;
		return;
	}
	let i = 0;
	while (i < tp.rx_opt.num_sacks) {
		if (before(tp.rcv_nxt, tcp_selective_acks(tp)[i].start_seq)) i++;
		else sack_delete(tp, i);
	}
}

// ---- the queue of what is out of order -------------------------------------------------------------------------------------------

function ofo_tree(tp: tcp_sock): rb_root<sk_buff> {
	let root = tp.ofo_root;
	if (root === null) {
		root = new rb_root();
		tp.ofo_root = root;
	}
	return root;
}

/** Enters skb as a child of `parent` (null: the queue is empty). */
function ofo_link(tp: tcp_sock, skb: sk_buff, parent: sk_buff | null, left: boolean): void {
	const list = tp.out_of_order_queue;
	const root = ofo_tree(tp);
	const cb = TCP_SKB_CB(skb);
	const node = (cb.rbnode ??= new rb_node(skb));
	rb_link_node(root, node, parent === null ? null : TCP_SKB_CB(parent).rbnode, left);
	rb_insert_color(root, node);
	if (parent === null) __skb_queue_tail(list, skb);
	else list_insert_after(list, left ? parent.prev : parent, skb);
	tp.ooo_last_skb = list.last;
}

function ofo_unlink(tp: tcp_sock, skb: sk_buff): void {
	const list = tp.out_of_order_queue;
	rb_erase(ofo_tree(tp), TCP_SKB_CB(skb).rbnode!);
	__skb_unlink(skb, list);
	tp.ooo_last_skb = list.last;
}

/** `skb` takes the place of `old`. */
function ofo_replace(tp: tcp_sock, old: sk_buff, skb: sk_buff): void {
	const list = tp.out_of_order_queue;
	const node = TCP_SKB_CB(old).rbnode!;
	const spare = TCP_SKB_CB(skb).rbnode;
	if (spare !== null) spare.value = old;
	TCP_SKB_CB(old).rbnode = spare;
	node.value = skb;
	TCP_SKB_CB(skb).rbnode = node;
	list_insert_after(list, old, skb);
	__skb_unlink(old, list);
	tp.ooo_last_skb = list.last;
}

/** Enters a segment that stands in the list already into the tree. */
function ofo_tree_insert(tp: tcp_sock, skb: sk_buff): void {
	const root = ofo_tree(tp);
	const cb = TCP_SKB_CB(skb);
	let parent: rb_node<sk_buff> | null = null;
	let left = false;
	for (let at = root.rb_node; at !== null; at = left ? at.left : at.right) {
		parent = at;
		left = before(cb.seq, TCP_SKB_CB(at.value).seq);
	}
	const node = (cb.rbnode ??= new rb_node(skb));
	rb_link_node(root, node, parent, left);
	rb_insert_color(root, node);
}

function list_insert_after(list: sk_buff_head, prev: sk_buff | null, skb: sk_buff): void {
	if (prev === null) __skb_queue_head(list, skb);
	else if (prev.next === null) __skb_queue_tail(list, skb);
	else {
		skb.prev = prev;
		skb.next = prev.next;
		prev.next.prev = skb;
		prev.next = skb;
		list.qlen++;
	}
}

/** Everything out of order goes. */
export function tcp_ofo_purge(tp: tcp_sock): void {
	const list = tp.out_of_order_queue;
	tp.ofo_root = null;
	for (let s = list.first; s !== null; s = list.first) {
		__skb_unlink(s, list);
		kfree_skb(s, 'skb_rbtree_purge');
	}
	tp.ooo_last_skb = null;
}

// ---- joining ---------------------------------------------------------------------------------------------------------------------

/** Joins `from` to the end of `to`, which is in a queue. Return: whether it could; `from` is the caller's to free then. */
function tcp_try_coalesce(sk: sock, to: sk_buff, from: sk_buff): boolean {
	const t = TCP_SKB_CB(to);
	const f = TCP_SKB_CB(from);
	if (f.seq !== t.end_seq || !skb_try_coalesce(to, from, coalesced)) return false;
	sk.sk_rmem_alloc += coalesced.delta_truesize;
	sk_mem_charge(sk, coalesced.delta_truesize);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPRCVCOALESCE);
	t.end_seq = f.end_seq;
	t.ack_seq = f.ack_seq;
	t.tcp_flags |= f.tcp_flags;
	if (f.has_rxtstamp) {
		t.has_rxtstamp = true;
		to.tstamp = from.tstamp;
	}
	return true;
}

function tcp_ooo_try_coalesce(sk: sock, to: sk_buff, from: sk_buff): boolean {
	if (!tcp_try_coalesce(sk, to, from)) return false;
	const segs = Math.max(1, to.shinfo.gso_segs) + Math.max(1, from.shinfo.gso_segs);
	to.shinfo.gso_segs = Math.min(segs, 0xffff);
	return true;
}

// ---- room ------------------------------------------------------------------------------------------------------------------------

/** The buffer may overflow by one segment: what the window allowed is taken. */
function tcp_can_ingest(sk: sock): boolean {
	return sk.sk_rmem_alloc <= sk.sk_rcvbuf;
}

/** Room for `size` bytes of memory, made if need be. Return: 0 or -1. */
function tcp_try_rmem_schedule(sk: sock, skb: sk_buff, size: number): number {
	if (tcp_can_ingest(sk) && sk_rmem_schedule(sk, size)) return 0;
	if (tcp_prune_queue(sk, skb) < 0) return -1;
	while (!sk_rmem_schedule(sk, size)) {
		if (!tcp_prune_ofo_queue(sk, skb)) return -1;
	}
	return 0;
}

/** Drops what is out of order from the end on, until there is room. Return: whether anything went. */
function tcp_prune_ofo_queue(sk: sock, in_skb: sk_buff): boolean {
	const tp = tcp_sk(sk);
	let skb = tp.out_of_order_queue.last;
	let goal = sk.sk_rcvbuf >> 3;
	let pruned = false;
	while (skb !== null) {
		// What would come last itself makes no better use of the room.
		if (after(TCP_SKB_CB(in_skb).seq, TCP_SKB_CB(skb).seq)) break;
		const prev: sk_buff | null = skb.prev;
		pruned = true;
		goal -= skb.truesize;
		ofo_unlink(tp, skb);
		tcp_drop_reason(sk, skb, SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE, 'tcp_prune_ofo_queue');
		if (prev === null || goal <= 0) {
			if (tcp_can_ingest(sk) && !sk_under_memory_pressure(sk)) break;
			goal = sk.sk_rcvbuf >> 3;
		}
		skb = prev;
	}
	if (pruned) {
		NET_INC_STATS(sk.net, LINUX_MIB_OFOPRUNED);
		// RFC 2018 8: we go back on what we said we had.
		if (tp.rx_opt.sack_ok !== 0) tcp_sack_reset(tp.rx_opt);
	}
	return pruned;
}

/** Makes room: a larger buffer, fuller segments, at last fewer. Return: 0, or -1 when in_skb must be dropped. */
export function tcp_prune_queue(sk: sock, in_skb: sk_buff): number {
	const tp = tcp_sk(sk);
	if (sk.sk_rmem_alloc === 0) return 0;
	NET_INC_STATS(sk.net, LINUX_MIB_PRUNECALLED);
	if (!tcp_can_ingest(sk)) tcp_clamp_window(sk);
	else if (sk_under_memory_pressure(sk)) tcp_adjust_rcv_ssthresh(sk);
	if (tcp_can_ingest(sk)) return 0;
	tcp_collapse_ofo_queue(sk);
	tcp_collapse(sk, sk.sk_receive_queue, sk.sk_receive_queue.first, null, tp.copied_seq, tp.rcv_nxt);
	if (tcp_can_ingest(sk)) return 0;
	tcp_prune_ofo_queue(sk, in_skb);
	if (tcp_can_ingest(sk)) return 0;
	NET_INC_STATS(sk.net, LINUX_MIB_RCVPRUNED);
	tp.pred_flags = 0;
	return -1;
}

function tcp_collapse_one(sk: sock, skb: sk_buff, list: sk_buff_head): sk_buff | null {
	const next = skb.next;
	const tp = tcp_sk(sk);
	if (list === tp.out_of_order_queue) ofo_unlink(tp, skb);
	else __skb_unlink(skb, list);
	consume_skb(skb);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPRCVCOLLAPSED);
	return next;
}

function has_syn_or_fin(skb: sk_buff): boolean {
	return (TCP_SKB_CB(skb).tcp_flags & (TCPHDR_SYN | TCPHDR_FIN)) !== 0;
}

/**
 * Copies the bytes [start, end) of the segments from `skb` to before `tail` (null: all) into buffers that they fill, which take their
 * places in `list`. Bytes that two of them have stay once.
 */
function tcp_collapse(
	sk: sock,
	list: sk_buff_head,
	skb: sk_buff | null,
	tail: sk_buff | null,
	start: number,
	end: number,
): void {
	const tp = tcp_sk(sk);
	// Where is it worth the copying? At a segment that is mostly air, was read in part, or has a gap or overlap behind it.
	let found = false;
	while (skb !== null && skb !== tail) {
		const cb = TCP_SKB_CB(skb);
		const next: sk_buff | null = skb.next;
		if (!before(start, cb.end_seq)) {
			skb = tcp_collapse_one(sk, skb, list);
			continue;
		}
		if (!has_syn_or_fin(skb) && (tcp_win_from_space(tp, skb.truesize) > skb.len || before(cb.seq, start))) {
			found = true;
			break;
		}
		if (next !== null && next !== tail && cb.end_seq !== TCP_SKB_CB(next).seq) {
			found = true;
			break;
		}
		start = cb.end_seq;
		skb = next;
	}
	if (!found || skb === null || has_syn_or_fin(skb)) return;

	let first: sk_buff | null = null;
	let made = 0;
	copying: while (before(start, end)) {
		let copy = Math.min(SKB_MAX_ORDER_0, (end - start) | 0);
		const nskb = collapsed_skb(sk, skb, copy, start);
		list_insert_after(list, skb.prev, nskb);
		if (made++ === 0) first = nskb;
		const to = TCP_SKB_CB(nskb);
		while (copy > 0) {
			const cb = TCP_SKB_CB(skb);
			let size = (cb.end_seq - start) | 0;
			if (size > 0) {
				if (size > copy) size = copy;
				skb_copy_bits(skb, start - cb.seq, nskb.head, skb_put(nskb, size), size);
				to.end_seq = (to.end_seq + size) | 0;
				copy -= size;
				start = (start + size) | 0;
			}
			if (!before(start, cb.end_seq)) {
				skb = tcp_collapse_one(sk, skb, list);
				if (skb === null || skb === tail || has_syn_or_fin(skb)) break copying;
			}
		}
	}
	if (list !== tp.out_of_order_queue) return;
	for (let s = first; made > 0; made--, s = s!.next) ofo_tree_insert(tp, s!);
}

/** A buffer for `copy` bytes from `seq` on, which stand in `skb` and those after it. */
function collapsed_skb(sk: sock, skb: sk_buff, copy: number, seq: number): sk_buff {
	const room = linear_size(copy);
	const nskb = alloc_skb(sk.net.machine, room, skb);
	nskb.end = room;
	nskb.truesize = linear_truesize(copy);
	const from = TCP_SKB_CB(skb);
	const to = TCP_SKB_CB(nskb);
	to.seq = seq;
	to.end_seq = seq;
	to.ack_seq = from.ack_seq;
	to.tcp_flags = from.tcp_flags;
	to.sacked = from.sacked;
	to.ip_dsfield = from.ip_dsfield;
	to.has_rxtstamp = from.has_rxtstamp;
	nskb.tstamp = skb.tstamp;
	skb_set_owner_r(nskb, sk);
	return nskb;
}

/** Collapses each run of what is out of order that is more than one small segment. */
function tcp_collapse_ofo_queue(sk: sock): void {
	const tp = tcp_sk(sk);
	const list = tp.out_of_order_queue;
	let sum_tiny = 0;
	let skb = list.first;
	while (skb !== null) {
		const head: sk_buff = skb;
		let start = TCP_SKB_CB(head).seq;
		let end = TCP_SKB_CB(head).end_seq;
		let range_truesize = head.truesize;
		for (skb = head.next; skb !== null; skb = skb.next) {
			const cb = TCP_SKB_CB(skb);
			if (after(cb.seq, end) || before(cb.end_seq, start)) break;
			range_truesize += skb.truesize;
			if (before(cb.seq, start)) start = cb.seq;
			if (after(cb.end_seq, end)) end = cb.end_seq;
		}
		if (range_truesize !== head.truesize || ((end - start) | 0) >= SKB_MAX_ORDER_0) {
			tcp_collapse(sk, list, head, skb, start, end);
		} else {
			sum_tiny += range_truesize;
			if (sum_tiny > sk.sk_rcvbuf >> 3) break;
		}
	}
	tp.ooo_last_skb = list.last;
}

// ---- in order --------------------------------------------------------------------------------------------------------------------

/** Puts skb (data at the payload) at the end of the receive queue. Return: whether it was joined to the last: the caller frees it. */
export function tcp_queue_rcv(sk: sock, skb: sk_buff): boolean {
	const list = sk.sk_receive_queue;
	const tail = list.last;
	const eaten = tail !== null && tcp_try_coalesce(sk, tail, skb);
	tcp_rcv_nxt_update(tcp_sk(sk), TCP_SKB_CB(skb).end_seq);
	if (!eaten) {
		__skb_queue_tail(list, skb);
		skb_set_owner_r(skb, sk);
	}
	if (skb.journey !== null)
		trace_event(skb, 'socket', 'tcp_queue_rcv', { protocol: 'TCP', ino: sk.sk_ino, len: skb.len });
	return eaten;
}

/** TCP_REPAIR: bytes put into the receive queue. Return: bytes or -errno. */
export function tcp_send_rcvq(sk: sock, data: Uint8Array): number {
	const size = data.length;
	if (size === 0) return 0;
	const tp = tcp_sk(sk);
	const skb = alloc_skb(sk.net.machine, size);
	skb.head.set(data, skb_put(skb, size));
	skb.truesize = linear_truesize(size);
	if (tcp_try_rmem_schedule(sk, skb, skb.truesize) < 0) {
		consume_skb(skb);
		return -ENOMEM;
	}
	const cb = TCP_SKB_CB(skb);
	cb.seq = tp.rcv_nxt;
	cb.end_seq = (tp.rcv_nxt + size) | 0;
	cb.ack_seq = (tp.snd_una - 1) | 0;
	cb.tcp_flags = 0;
	cb.sacked = 0;
	cb.has_rxtstamp = false;
	if (tcp_queue_rcv(sk, skb)) consume_skb(skb);
	return size;
}

/** Wakes the reader when there is as much as it waits for. */
export function tcp_data_ready(sk: sock): void {
	if (tcp_epollin_ready(sk, sk.sk_rcvlowat) || sock_flag(sk, SOCK_DONE)) sk.sk_data_ready(sk);
}

/** A gap was filled: what waited behind it moves to the receive queue. */
export function tcp_ofo_queue(sk: sock): void {
	const tp = tcp_sk(sk);
	const list = tp.out_of_order_queue;
	const dsack_high = tp.rcv_nxt;
	for (let skb = list.first; skb !== null; skb = list.first) {
		const cb = TCP_SKB_CB(skb);
		if (after(cb.seq, tp.rcv_nxt)) break;
		if (before(cb.seq, dsack_high))
			tcp_dsack_extend(sk, cb.seq, before(cb.end_seq, dsack_high) ? cb.end_seq : dsack_high);
		ofo_unlink(tp, skb);
		if (!after(cb.end_seq, tp.rcv_nxt)) {
			tcp_drop_reason(sk, skb, SKB_DROP_REASON_TCP_OFO_DROP, 'tcp_ofo_queue');
			continue;
		}
		const tail = sk.sk_receive_queue.last;
		const eaten = tail !== null && tcp_try_coalesce(sk, tail, skb);
		const fin = (cb.tcp_flags & TCPHDR_FIN) !== 0;
		tcp_rcv_nxt_update(tp, cb.end_seq);
		if (eaten) consume_skb(skb);
		else __skb_queue_tail(sk.sk_receive_queue, skb);
		if (fin) {
			// It has thrown away what was left here.
			tcp_fin(sk);
			break;
		}
	}
}

// ---- out of order ----------------------------------------------------------------------------------------------------------------

/** Keeps a segment beyond a gap. Consumes skb (data at the payload). */
function tcp_data_queue_ofo(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const sack = tp.rx_opt.sack_ok !== 0;
	tcp_data_ecn_check(sk, skb);
	if (tcp_try_rmem_schedule(sk, skb, skb.truesize) < 0) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPOFODROP);
		sk.sk_data_ready(sk);
		if (skb.journey !== null) trace_event(skb, 'note', 'tcp_data_queue_ofo', { counter: 'TCPOFODrop' });
		tcp_drop_reason(sk, skb, SKB_DROP_REASON_PROTO_MEM, 'tcp_data_queue_ofo');
		return;
	}
	tcp_measure_rcv_mss(sk, skb);
	tp.pred_flags = 0;
	inet_csk_schedule_ack(sk);
	tp.rcv_ooopack += Math.max(1, skb.shinfo.gso_segs);
	NET_INC_STATS(sk.net, LINUX_MIB_TCPOFOQUEUE);
	const cb = TCP_SKB_CB(skb);
	const seq = cb.seq;
	const end_seq = cb.end_seq;
	if (skb.journey !== null)
		trace_event(skb, 'socket', 'tcp_data_queue_ofo', {
			protocol: 'TCP',
			ino: sk.sk_ino,
			len: skb.len,
			ahead: (seq - tp.rcv_nxt) | 0,
		});
	let kept = true;
	if (tp.out_of_order_queue.first === null) {
		if (sack) {
			tp.rx_opt.num_sacks = 1;
			const sp = tcp_selective_acks(tp)[0];
			sp.start_seq = seq;
			sp.end_seq = end_seq;
		}
		ofo_tree(tp).rb_node = null;
		ofo_link(tp, skb, null, false);
	} else {
		kept = ofo_add(sk, tp, skb);
		if (sack) tcp_sack_new_ofo_skb(sk, seq, end_seq);
	}
	if (kept) {
		// Without SACK the window must stay, or the ACKs would not count as duplicates.
		if (sack) tcp_grow_window(sk, skb, false);
		skb_set_owner_r(skb, sk);
	}
	if (sk.sk_socket !== null) tcp_rcvbuf_grow(sk, tp.rcvq_space_space);
}

/** Finds the segment's place, or joins it to what it continues. Return: whether it is in the queue; if not it has been freed. */
function ofo_add(sk: sock, tp: tcp_sock, skb: sk_buff): boolean {
	const cb = TCP_SKB_CB(skb);
	const seq = cb.seq;
	const end_seq = cb.end_seq;
	const last = tp.out_of_order_queue.last!;
	// Nearly always it continues the last one.
	if (tcp_ooo_try_coalesce(sk, last, skb)) return ofo_joined(sk, tp, skb);
	let parent: sk_buff = last;
	let left = false;
	let placed = false;
	if (before(seq, TCP_SKB_CB(last).end_seq)) {
		// On the way down: overlaps with those that begin before it.
		for (let at = ofo_tree(tp).rb_node; at !== null; at = left ? at.left : at.right) {
			parent = at.value;
			const p = TCP_SKB_CB(parent);
			left = before(seq, p.seq);
			if (left) continue;
			if (before(seq, p.end_seq)) {
				if (!after(end_seq, p.end_seq)) {
					NET_INC_STATS(sk.net, LINUX_MIB_TCPOFOMERGE);
					tcp_drop_reason(sk, skb, SKB_DROP_REASON_TCP_OFOMERGE, 'tcp_data_queue_ofo');
					tcp_dsack_set(sk, seq, end_seq);
					return false;
				}
				if (after(seq, p.seq)) tcp_dsack_set(sk, seq, p.end_seq);
				else {
					// The same start and longer: takes its place.
					ofo_replace(tp, parent, skb);
					tcp_dsack_extend(sk, p.seq, p.end_seq);
					NET_INC_STATS(sk.net, LINUX_MIB_TCPOFOMERGE);
					tcp_drop_reason(sk, parent, SKB_DROP_REASON_TCP_OFOMERGE, 'tcp_data_queue_ofo');
					placed = true;
					break;
				}
			} else if (tcp_ooo_try_coalesce(sk, parent, skb)) return ofo_joined(sk, tp, skb);
		}
	}
	if (!placed) ofo_link(tp, skb, parent, left);
	for (let next = skb.next; next !== null; next = skb.next) {
		const n = TCP_SKB_CB(next);
		if (!after(end_seq, n.seq)) break;
		if (before(end_seq, n.end_seq)) {
			tcp_dsack_extend(sk, n.seq, end_seq);
			break;
		}
		ofo_unlink(tp, next);
		tcp_dsack_extend(sk, n.seq, n.end_seq);
		NET_INC_STATS(sk.net, LINUX_MIB_TCPOFOMERGE);
		tcp_drop_reason(sk, next, SKB_DROP_REASON_TCP_OFOMERGE, 'tcp_data_queue_ofo');
	}
	return true;
}

/** The segment's bytes went to another's end. Return: false. */
function ofo_joined(sk: sock, tp: tcp_sock, skb: sk_buff): boolean {
	if (tp.rx_opt.sack_ok !== 0) tcp_grow_window(sk, skb, true);
	consume_skb(skb);
	return false;
}

// ---- all data --------------------------------------------------------------------------------------------------------------------

function out_of_window(sk: sock, skb: sk_buff, reason: number): void {
	tcp_enter_quickack_mode(sk, TCP_MAX_QUICKACKS);
	inet_csk_schedule_ack(sk);
	tcp_drop_reason(sk, skb, reason, 'tcp_data_queue');
}

function zero_window(sk: sock, skb: sk_buff): void {
	NET_INC_STATS(sk.net, LINUX_MIB_TCPZEROWINDOWDROP);
	if (skb.journey !== null) trace_event(skb, 'note', 'tcp_data_queue', { counter: 'TCPZeroWindowDrop' });
	out_of_window(sk, skb, SKB_DROP_REASON_TCP_ZEROWINDOW);
}

/** RFC 9293 3.10.7.4, seventh: the segment's text. Context: softirq; consumes skb (data at the TCP header). */
export function tcp_data_queue(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const cb = TCP_SKB_CB(skb);
	if (cb.seq === cb.end_seq) {
		consume_skb(skb);
		return;
	}
	tcp_cleanup_skb(skb);
	skb_pull(skb, tcp_hdrlen(skb));
	tp.rx_opt.dsack = false;

	if (cb.seq === tp.rcv_nxt) {
		// A FIN alone needs no room.
		if (tcp_receive_window(tp) === 0 && (skb.len > 0 || (cb.tcp_flags & TCPHDR_FIN) === 0)) zero_window(sk, skb);
		else queue_and_out(sk, tp, skb);
		return;
	}
	if (!after(cb.end_seq, tp.rcv_nxt)) {
		tcp_rcv_spurious_retrans(sk, skb);
		NET_INC_STATS(sk.net, LINUX_MIB_DELAYEDACKLOST);
		tcp_dsack_set(sk, cb.seq, cb.end_seq);
		out_of_window(sk, skb, SKB_DROP_REASON_TCP_OLD_DATA);
		return;
	}
	// Wholly past the window: a zero-window probe, say.
	if (!before(cb.seq, (tp.rcv_nxt + tcp_receive_window(tp)) | 0)) {
		out_of_window(sk, skb, SKB_DROP_REASON_TCP_OVERWINDOW);
		return;
	}
	if (before(cb.seq, tp.rcv_nxt)) {
		tcp_dsack_set(sk, cb.seq, tp.rcv_nxt);
		if (tcp_receive_window(tp) === 0) zero_window(sk, skb);
		else queue_and_out(sk, tp, skb);
		return;
	}
	tcp_data_queue_ofo(sk, skb);
}

function queue_and_out(sk: sock, tp: tcp_sock, skb: sk_buff): void {
	const cb = TCP_SKB_CB(skb);
	if (tcp_try_rmem_schedule(sk, skb, skb.truesize) < 0) {
		tp.icsk_ack_pending |= ICSK_ACK_NOMEM | ICSK_ACK_NOW;
		inet_csk_schedule_ack(sk);
		sk.sk_data_ready(sk);
		// One segment fits always, else a connection could stand still for ever.
		if (sk.sk_receive_queue.first !== null && skb.len > 0) {
			NET_INC_STATS(sk.net, LINUX_MIB_TCPRCVQDROP);
			if (skb.journey !== null) trace_event(skb, 'note', 'tcp_data_queue', { counter: 'TCPRcvQDrop' });
			tcp_drop_reason(sk, skb, SKB_DROP_REASON_PROTO_MEM, 'tcp_data_queue');
			return;
		}
		sk_forced_mem_schedule(sk, skb.truesize);
	}
	const fin = (cb.tcp_flags & TCPHDR_FIN) !== 0;
	const eaten = tcp_queue_rcv(sk, skb);
	if (skb.len > 0) tcp_event_data_recv(sk, skb);
	if (fin) tcp_fin(sk);
	if (tp.out_of_order_queue.first !== null) {
		tcp_ofo_queue(sk);
		// RFC 5681 4.2: a gap that is filled is acknowledged at once.
		if (tp.out_of_order_queue.first === null) tp.icsk_ack_pending |= ICSK_ACK_NOW;
	}
	if (tp.rx_opt.num_sacks !== 0) tcp_sack_remove(tp);
	tcp_fast_path_check(sk);
	if (eaten) consume_skb(skb);
	if (!sock_flag(sk, SOCK_DEAD)) tcp_data_ready(sk);
}
