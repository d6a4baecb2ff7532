/*
 * net/ipv4/tcp_fastopen.ts: data in the SYN.                           Linux: net/ipv4/tcp_fastopen.c, net/core/request_sock.c
 *
 * Walk: a client has a cookie (tcp_fastopen_cookie_check) or asks for one; the server (tcp_try_fastopen) checks it, makes the connection from
 *       the SYN alone (tcp_fastopen_create_child) and gives it the data. Until the handshake is done the child keeps its request
 *       (tp.fastopen_rsk), which reqsk_fastopen_remove ends.
 * RFC 7413 4.1 (cookies), 4.2 (data in the SYN), 5.1 (limits of resources); 7.1 (middleboxes).
 */

import { HZ, timer_list } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { siphash_key, siphash_u32 } from '../../lib/siphash.ts';
import { IFF_LOOPBACK } from '../../uapi/linux/if.ts';
import { RTAX_FASTOPEN_NO_COOKIE } from '../../uapi/linux/rtnetlink.ts';
import {
	LINUX_MIB_TCPFASTOPENBLACKHOLE,
	LINUX_MIB_TCPFASTOPENCOOKIEREQD,
	LINUX_MIB_TCPFASTOPENLISTENOVERFLOW,
	LINUX_MIB_TCPFASTOPENPASSIVE,
	LINUX_MIB_TCPFASTOPENPASSIVEALTKEY,
	LINUX_MIB_TCPFASTOPENPASSIVEFAIL,
} from '../../uapi/linux/snmp.ts';
import { TCPHDR_FIN, TCPHDR_SYN, TFO_COOKIE_UNAVAILABLE } from '../../uapi/linux/tcp.ts';
import { type dst_entry, dst_metric } from '../core/dst.ts';
import type { net } from '../core/net_namespace.ts';
import { type sk_buff, skb_clone, skb_dst_drop, skb_pull } from '../core/skbuff.ts';
import { __skb_queue_tail } from '../core/skbuff_queue.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import { skb_set_owner_r, type sock, TCP_LISTEN } from '../core/sock.ts';
import { sk_forced_mem_schedule } from '../core/sock_mem.ts';
import { inet_sk } from './af_inet.ts';
import { inet_csk_reset_xmit_timer } from './inet_connection_sock.ts';
import { ip_hdr_daddr, ip_hdr_saddr } from './ip.ts';
import { tcp_fin } from './tcp_input.ts';
import { tcp_init_transfer } from './tcp_input_state.ts';
import { tcp_fastopen_cache_get } from './tcp_metrics.ts';
import {
	ICSK_TIME_RETRANS,
	inet_csk,
	TCP_SKB_CB,
	TCP_TIMEOUT_INIT,
	tcp_fastopen_cookie,
	tcp_mstamp_refresh,
	type tcp_request_sock,
	tcp_rto_max,
	tcp_segs_in,
	tcp_sk,
} from './tcp_sock.ts';

/** sysctl_tcp_fastopen. */
export const TFO_CLIENT_ENABLE = 1;
export const TFO_SERVER_ENABLE = 2;
export const TFO_CLIENT_NO_COOKIE = 4;
export const TFO_SERVER_COOKIE_NOT_REQD = 0x200;
export const TFO_SERVER_WO_SOCKOPT1 = 0x400;

const TCP_FASTOPEN_KEY_LENGTH = 16;
const TCP_FASTOPEN_COOKIE_SIZE = 8;
const BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB = 5;

// ---- keys ----------------------------------------------------------------------------------------------------------------------------

/** A namespace's key, at random, unless it has one. */
export function tcp_fastopen_init_key_once(n: net): void {
	if (n.ipv4.tcp_fastopen_ctx !== null) return;
	const key = new Uint8Array(TCP_FASTOPEN_KEY_LENGTH);
	for (let i = 0; i < key.length; i++) key[i] = n.machine.random.below(256);
	tcp_fastopen_reset_cipher(n, null, key, null);
}

/** New keys of 16 bytes; `sk` null: the namespace's. Cookies are made by the first; the second is good still. Return: 0. */
export function tcp_fastopen_reset_cipher(
	n: net,
	sk: sock | null,
	primary_key: Uint8Array,
	backup_key: Uint8Array | null,
): number {
	const ctx = { key: backup_key === null ? [primary_key] : [primary_key, backup_key] };
	if (sk !== null) inet_csk(sk).icsk_accept_queue.fastopenq.ctx = ctx;
	else n.ipv4.tcp_fastopen_ctx = ctx;
	return 0;
}

export function tcp_fastopen_destroy_cipher(sk: sock): void {
	const queue = inet_csk(sk).accept_queue;
	if (queue !== null) queue.fastopenq.ctx = null;
}

/** Return: the keys (16 bytes each, one after the other) of the socket, else of its namespace; empty for none. */
export function tcp_fastopen_get_cipher(n: net, sk: sock | null): Uint8Array {
	const own = sk === null ? null : inet_csk(sk).icsk_accept_queue.fastopenq.ctx;
	const ctx = own ?? n.ipv4.tcp_fastopen_ctx;
	if (ctx === null) return new Uint8Array(0);
	const out = new Uint8Array(ctx.key.length * TCP_FASTOPEN_KEY_LENGTH);
	for (let i = 0; i < ctx.key.length; i++) out.set(ctx.key[i], i * TCP_FASTOPEN_KEY_LENGTH);
	return out;
}

// ---- the server ----------------------------------------------------------------------------------------------------------------------

/** RFC 7413 4.1.2: the cookie of a pair of addresses. */
function cookie_gen(key: Uint8Array, skb: sk_buff, foc: tcp_fastopen_cookie): void {
	const k = new siphash_key(
		get_unaligned_le32(key, 0),
		get_unaligned_le32(key, 4),
		get_unaligned_le32(key, 8),
		get_unaligned_le32(key, 12),
	);
	siphash_u32(k, bswap(ip_hdr_saddr(skb)), bswap(ip_hdr_daddr(skb)), 0, 0, 2);
	put_unaligned_le32(foc.val, 0, k.lo >>> 0);
	put_unaligned_le32(foc.val, 4, k.hi >>> 0);
	foc.len = TCP_FASTOPEN_COOKIE_SIZE;
}

/** Addresses are hashed as their bytes are in the header, so that servers with the same key know each other's cookies, Linux's too. */
function bswap(a: number): number {
	return ((a & 255) << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24);
}

function cookie_match(a: tcp_fastopen_cookie, b: tcp_fastopen_cookie): boolean {
	if (a.len !== b.len) return false;
	for (let i = 0; i < a.len; i++) if (a.val[i] !== b.val[i]) return false;
	return true;
}

/** Return: 1 when the cookie is of the first key, 2: of the second (`valid`: the one of the first), 0: of none (`valid`: what it should be). */
function cookie_gen_check(
	sk: sock,
	skb: sk_buff,
	orig: tcp_fastopen_cookie | null,
	valid: tcp_fastopen_cookie,
): number {
	const ctx = inet_csk(sk).icsk_accept_queue.fastopenq.ctx ?? sk.net.ipv4.tcp_fastopen_ctx;
	if (ctx === null) return 0;
	cookie_gen(ctx.key[0], skb, valid);
	if (orig === null) return 0;
	if (cookie_match(valid, orig)) return 1;
	if (ctx.key.length > 1) {
		const other = new tcp_fastopen_cookie();
		cookie_gen(ctx.key[1], skb, other);
		if (cookie_match(other, orig)) return 2;
	}
	return 0;
}

/** Whether the listener takes another one (RFC 7413 5.1: resets of spoofed SYNs count for a minute). */
function tcp_fastopen_queue_check(sk: sock): boolean {
	const q = inet_csk(sk).icsk_accept_queue.fastopenq;
	if (q.max_qlen === 0) return false;
	if (q.qlen >= q.max_qlen) {
		const req = q.rskq_rst_head;
		if (req === null || req.rsk_timer!.expires > sk.net.machine.jiffies) {
			NET_INC_STATS(sk.net, LINUX_MIB_TCPFASTOPENLISTENOVERFLOW);
			return false;
		}
		q.rskq_rst_head = req.dl_next;
		q.qlen--;
	}
	return true;
}

/** The connection's first data: the SYN's. Borrows skb, of which it queues a clone. */
export function tcp_fastopen_add_skb(sk: sock, skb: sk_buff): void {
	const tp = tcp_sk(sk);
	const from = TCP_SKB_CB(skb);
	if (from.end_seq === tp.rcv_nxt) return;
	const clone = skb_clone(skb);
	skb_dst_drop(clone);
	const cb = TCP_SKB_CB(clone);
	// The SYN was counted when the child was made.
	tp.segs_in = 0;
	tcp_segs_in(tp, clone);
	skb_pull(clone, (clone.head[clone.transport_header + 12] >> 4) * 4);
	sk_forced_mem_schedule(sk, clone.truesize);
	skb_set_owner_r(clone, sk);
	cb.seq = (from.seq + 1) | 0;
	cb.end_seq = from.end_seq;
	cb.ack_seq = from.ack_seq;
	cb.tcp_flags = from.tcp_flags & ~TCPHDR_SYN;
	cb.ip_dsfield = from.ip_dsfield;
	cb.has_rxtstamp = from.has_rxtstamp;
	cb.iif = from.iif;
	cb.sacked = 0;
	tp.rcv_nxt = cb.end_seq;
	const len = clone.len;
	__skb_queue_tail(sk.sk_receive_queue, clone);
	tp.syn_data_acked = true;
	tp.bytes_received = len;
	if ((cb.tcp_flags & TCPHDR_FIN) !== 0) tcp_fin(sk);
}

function tcp_fastopen_create_child(sk: sock, skb: sk_buff, req: tcp_request_sock): sock | null {
	const csk = inet_csk(sk);
	const own_req = { v: false };
	const child = csk.icsk_af_ops.syn_recv_sock(sk, skb, req, null, null, own_req);
	if (child === null) return null;
	csk.icsk_accept_queue.fastopenq.qlen++;
	const tp = tcp_sk(child);
	tp.fastopen_rsk = req;
	req.tfo_listener = true;
	// RFC 7323 2.2: the window of a SYN is never scaled.
	const h = skb.transport_header;
	tp.snd_wnd = (skb.head[h + 14] << 8) | skb.head[h + 15];
	tp.max_window = tp.snd_wnd;
	// The child's own timer sends the SYN-ACK again.
	req.timeout = TCP_TIMEOUT_INIT;
	inet_csk_reset_xmit_timer(child, ICSK_TIME_RETRANS, req.timeout, tcp_rto_max(child));
	tcp_mstamp_refresh(tp);
	tcp_init_transfer(child, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, skb);
	tp.rcv_nxt = (TCP_SKB_CB(skb).seq + 1) | 0;
	tcp_fastopen_add_skb(child, skb);
	req.rcv_nxt = tp.rcv_nxt;
	tp.rcv_wup = tp.rcv_nxt;
	return child;
}

function tcp_fastopen_no_cookie(sk: sock, dst: dst_entry | null, flag: number): boolean {
	return (
		(sk.net.ipv4.sysctl_tcp_fastopen & flag) !== 0 ||
		tcp_sk(sk).fastopen_no_cookie ||
		(dst !== null && dst_metric(dst, RTAX_FASTOPEN_NO_COOKIE) !== 0)
	);
}

function cookie_copy(to: tcp_fastopen_cookie, from: tcp_fastopen_cookie): void {
	to.val.set(from.val);
	to.len = from.len;
}

/**
 * A SYN with data or the option came to listener `sk`. Borrows skb.
 * Return: the child that has the data already, or null; `foc`: the cookie to answer with, len -1 for none.
 */
export function tcp_try_fastopen(
	sk: sock,
	skb: sk_buff,
	req: tcp_request_sock,
	foc: tcp_fastopen_cookie,
	dst: dst_entry | null,
): sock | null {
	const n = sk.net;
	const cb = TCP_SKB_CB(skb);
	const syn_data = cb.end_seq !== ((cb.seq + 1) | 0);
	if (foc.len === 0) NET_INC_STATS(n, LINUX_MIB_TCPFASTOPENCOOKIEREQD);
	const enabled = (n.ipv4.sysctl_tcp_fastopen & TFO_SERVER_ENABLE) !== 0;
	if (!enabled || !(syn_data || foc.len >= 0) || !tcp_fastopen_queue_check(sk)) {
		foc.len = -1;
		return null;
	}
	const valid = new tcp_fastopen_cookie();
	let match = 0;
	let take = tcp_fastopen_no_cookie(sk, dst, TFO_SERVER_COOKIE_NOT_REQD);
	if (!take) {
		if (foc.len === 0) cookie_gen_check(sk, skb, null, valid);
		else if (foc.len > 0) {
			match = cookie_gen_check(sk, skb, foc, valid);
			take = match !== 0;
			if (!take) NET_INC_STATS(n, LINUX_MIB_TCPFASTOPENPASSIVEFAIL);
		}
	}
	if (take) {
		const child = tcp_fastopen_create_child(sk, skb, req);
		if (child !== null) {
			if (match === 2) {
				// A cookie of the second key is replaced.
				cookie_copy(foc, valid);
				NET_INC_STATS(n, LINUX_MIB_TCPFASTOPENPASSIVEALTKEY);
			} else foc.len = -1;
			NET_INC_STATS(n, LINUX_MIB_TCPFASTOPENPASSIVE);
			if (skb.journey !== null)
				trace_event(skb, 'note', 'tcp_try_fastopen', {
					counter: 'TcpExtTCPFastOpenPassive',
					bytes: tcp_sk(child).bytes_received,
				});
			return child;
		}
		NET_INC_STATS(n, LINUX_MIB_TCPFASTOPENPASSIVEFAIL);
	}
	cookie_copy(foc, valid);
	return null;
}

/** A listener takes at most `backlog` of them at a time (TCP_FASTOPEN). */
export function fastopen_init_queue(sk: sock, backlog: number): void {
	inet_csk(sk).icsk_accept_queue.fastopenq.max_qlen = Math.min(backlog >>> 0, sk.net.core_sysctl_somaxconn);
}

/** The handshake of a Fast Open child is complete, or it is gone. `reset`: by a reset, which counts against the limit for a minute. */
export function reqsk_fastopen_remove(sk: sock, req: tcp_request_sock, reset: boolean): void {
	const lsk = req.rsk_listener;
	tcp_sk(sk).fastopen_rsk = null;
	req.tfo_listener = false;
	if (lsk === null) return;
	const q = inet_csk(lsk).icsk_accept_queue.fastopenq;
	q.qlen--;
	// Not accepted yet: the accept queue has it.
	if (req.sk !== null || !reset || lsk.sk_state !== TCP_LISTEN) return;
	req.rsk_timer ??= new timer_list(lsk.net.machine, nothing, req, 'reqsk_timer_handler');
	req.rsk_timer.expires = lsk.net.machine.jiffies + 60 * HZ;
	req.dl_next = null;
	if (q.rskq_rst_head === null) q.rskq_rst_head = req;
	else q.rskq_rst_tail!.dl_next = req;
	q.rskq_rst_tail = req;
	q.qlen++;
}

function nothing(_timer: timer_list): void {}

// ---- the client ----------------------------------------------------------------------------------------------------------------------

/** Whether connect may put data in the SYN; fills in what is known of the peer (mss left alone when nothing is). */
export function tcp_fastopen_cookie_check(sk: sock, mss: { v: number }, cookie: tcp_fastopen_cookie): boolean {
	tcp_fastopen_cache_get(sk, mss, cookie);
	if (tcp_fastopen_active_should_disable(sk)) {
		cookie.len = -1;
		return false;
	}
	if (tcp_fastopen_no_cookie(sk, sk.sk_dst_cache, TFO_CLIENT_NO_COOKIE)) {
		cookie.len = -1;
		return true;
	}
	if (cookie.len > 0) return true;
	tcp_sk(sk).fastopen_client_fail = TFO_COOKIE_UNAVAILABLE;
	return false;
}

/** TCP_FASTOPEN_CONNECT: whether connect waits for the first write. */
export function tcp_fastopen_defer_connect(sk: sock, _err: { v: number }): boolean {
	const tp = tcp_sk(sk);
	if (!tp.fastopen_connect || tp.fastopen_req !== null) return false;
	const cookie = new tcp_fastopen_cookie();
	cookie.len = 0;
	if (tcp_fastopen_cookie_check(sk, { v: 0 }, cookie)) {
		inet_sk(sk).defer_connect = true;
		return true;
	}
	// The SYN asks for a cookie.
	tp.fastopen_req = { cookie, data: null, size: 0, copied: 0, uarg: null };
	return false;
}

// ---- middleboxes that swallow what they do not know (RFC 7413 7.1) ---------------------------------------------------------------------

/** Fast Open is left alone for a while (tcp_fastopen_blackhole_timeout_sec, doubled each time). */
export function tcp_fastopen_active_disable(sk: sock): void {
	const n = sk.net;
	if (n.ipv4.sysctl_tcp_fastopen_blackhole_timeout === 0) return;
	n.ipv4.tfo_active_disable_stamp = n.machine.jiffies;
	n.ipv4.tfo_active_disable_times++;
	NET_INC_STATS(n, LINUX_MIB_TCPFASTOPENBLACKHOLE);
}

export function tcp_fastopen_active_should_disable(sk: sock): boolean {
	const n = sk.net;
	const timeout = n.ipv4.sysctl_tcp_fastopen_blackhole_timeout;
	const times = n.ipv4.tfo_active_disable_times;
	if (timeout === 0 || times === 0) return false;
	const multiplier = 2 ** Math.min(times - 1, 6);
	if (n.machine.jiffies < n.ipv4.tfo_active_disable_stamp + multiplier * timeout * HZ) return true;
	// This one is the test: when it goes well, the count begins anew.
	tcp_sk(sk).syn_fastopen_ch = true;
	return false;
}

/** At the end of a Fast Open connection: did nothing but a FIN out of order come back? Then something swallowed the rest. */
export function tcp_fastopen_active_disable_ofo_check(sk: sock): void {
	const tp = tcp_sk(sk);
	if (!tp.syn_fastopen) return;
	if (tp.data_segs_in === 0) {
		const skb = tp.out_of_order_queue.first;
		if (skb !== null && skb === tp.out_of_order_queue.last && (TCP_SKB_CB(skb).tcp_flags & TCPHDR_FIN) !== 0)
			tcp_fastopen_active_disable(sk);
	} else if (tp.syn_fastopen_ch && sk.net.ipv4.tfo_active_disable_times !== 0) {
		const dst = sk.sk_dst_cache;
		if (dst === null || (dst.dev.flags & IFF_LOOPBACK) === 0) sk.net.ipv4.tfo_active_disable_times = 0;
	}
}

/** Time outs of a Fast Open connection. */
export function tcp_fastopen_active_detect_blackhole(sk: sock, expired: boolean): void {
	const tp = tcp_sk(sk);
	const timeouts = tp.icsk_retransmits;
	if ((tp.syn_fastopen || tp.syn_data || tp.syn_data_acked) && (timeouts === 2 || (timeouts < 2 && expired)))
		tcp_fastopen_active_disable(sk);
}
