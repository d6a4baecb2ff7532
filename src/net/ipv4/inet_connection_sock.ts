/*
 * net/ipv4/inet_connection_sock.ts: ports, listeners' queues, handshakes' timers.
 *                                        Linux: net/inet_connection_sock.h, net/request_sock.h, net/ipv4/inet_connection_sock.c
 *
 * Walk: bind and listen take a port (inet_csk_get_port: who may share it with whom). A SYN that was answered is a request
 *       (inet_reqsk_alloc) in the table of connections with a timer of its own (reqsk_timer_handler sends the SYN-ACK again);
 *       complete, its child waits in the accept queue (inet_csk_complete_hashdance) for inet_csk_accept.
 * RFC 9293 3.10.1 (passive OPEN); socket(7): SO_REUSEADDR, SO_REUSEPORT; listen(2); tcp(7): TCP_DEFER_ACCEPT.
 * Not here yet: migration of requests between listeners (tcp_migrate_req), l3mdev, ULPs.
 */

import { mod_timer, timer_delete, timer_list, timer_pending } from '../../kernel/time.ts';
import { EADDRINUSE, EAGAIN, EINVAL } from '../../uapi/asm-generic/errno.ts';
import { RT_SCOPE_LINK } from '../../uapi/linux/rtnetlink.ts';
import { IPSTATS_MIB_OUTNOROUTES } from '../../uapi/linux/snmp.ts';
import type { dst_entry } from '../core/dst.ts';
import { FLOWI_FLAG_ANYSRC, flowi4, flowi4_init_output } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import { IP_INC_STATS } from '../core/snmp.ts';
import {
	__sk_dst_check,
	SOCK_DEAD,
	SOCK_DONE,
	SOCK_LOCALROUTE,
	sk_setup_caps,
	sock,
	sock_flag,
	sock_orphan,
	sock_set_flag,
	TCP_CLOSE,
	TCP_LISTEN,
	TCP_NEW_SYN_RECV,
	TCP_SYN_RECV,
} from '../core/sock.ts';
import { sk_sockets_allocated_inc } from '../core/sock_mem.ts';
import { sk_stream_kill_queues } from '../core/stream.ts';
import { inet_sk, inet_sock } from './af_inet.ts';
import {
	FASTREUSEPORT_ANY,
	FASTREUSEPORT_STRICT,
	type inet_bind_bucket,
	inet_bind_bucket_create,
	inet_bind_bucket_find,
	inet_bind_hash,
	inet_ehash_insert,
	inet_ehash_remove,
	inet_hash,
	inet_is_local_reserved_port,
	inet_sk_get_local_port_range,
	is_timewait,
} from './inet_hashtables.ts';
import { ip_route_output_flow } from './route.ts';
import {
	type fastopen_queue,
	ICSK_ACK_TIMER,
	ICSK_TIME_DACK,
	inet_csk,
	type request_sock_ops,
	type request_sock_queue,
	TCP_RTO_MAX,
	TCP_TIMEOUT_INIT,
	tcp_request_sock,
	tcp_rto_max,
	tcp_sock,
} from './tcp_sock.ts';

/** net.ipv4.tcp_*: what a request waits for the first time (jiffies). */
const REQSK_QUEUE_YOUNG_MIN = 8;

// ---- ports -----------------------------------------------------------------------------------------------------------------------

function rcv_saddr_equal(a: number, b: number): boolean {
	return a === 0 || b === 0 || a === b;
}

/**
 * Whether another owner of the port excludes `sk`. `relax`: SO_REUSEADDR on both sides is enough unless one listens;
 * `reuseport_ok`: SO_REUSEPORT of the same user is.
 */
function inet_csk_bind_conflict(sk: sock, tb: inet_bind_bucket, relax: boolean, reuseport_ok: boolean): boolean {
	const saddr = inet_sk(sk).inet_rcv_saddr;
	const dev = sk.sk_bound_dev_if;
	for (let node = tb.owners; node !== null; node = node.tb_next) {
		const o = node.owner;
		if (o === sk || o.sk_state === TCP_NEW_SYN_RECV) continue;
		const tw = is_timewait(o);
		const sk2 = o as sock;
		const dev2 = tw ? o.tw_bound_dev_if : sk2.sk_bound_dev_if;
		if (dev !== 0 && dev2 !== 0 && dev !== dev2) continue;
		if (!rcv_saddr_equal(saddr, tw ? o.tw_rcv_saddr : inet_sk(sk2).inet_rcv_saddr)) continue;
		const reuse2 = tw ? o.tw_reuse : sk2.sk_reuse;
		const reuseport2 = tw ? o.tw_reuseport : sk2.sk_reuseport;
		const both_port = sk.sk_reuseport && reuseport2 && (tw || sk2.sk_uid === sk.sk_uid);
		if (sk.sk_reuse !== 0 && reuse2 !== 0 && o.sk_state !== TCP_LISTEN) {
			if (!relax || (!reuseport_ok && both_port)) return true;
		} else if (!reuseport_ok || !both_port) return true;
	}
	return false;
}

function sk_reuseport_match(tb: inet_bind_bucket, sk: sock): boolean {
	if (tb.fastreuseport <= 0 || !sk.sk_reuseport || tb.fastuid !== sk.sk_uid) return false;
	return tb.fastreuseport === FASTREUSEPORT_ANY || rcv_saddr_equal(tb.fast_rcv_saddr, inet_sk(sk).inet_rcv_saddr);
}

/** Notes in the bucket what a new owner allows. */
function inet_csk_update_fastreuse(tb: inet_bind_bucket, sk: sock): void {
	const reuse = sk.sk_reuse !== 0 && sk.sk_state !== TCP_LISTEN;
	if (tb.owners === null) {
		tb.fastreuse = reuse ? 1 : 0;
		tb.fastreuseport = sk.sk_reuseport ? FASTREUSEPORT_ANY : 0;
	} else {
		if (!reuse) tb.fastreuse = 0;
		if (!sk.sk_reuseport) tb.fastreuseport = 0;
		else if (sk_reuseport_match(tb, sk)) return;
		else tb.fastreuseport = FASTREUSEPORT_STRICT;
	}
	if (sk.sk_reuseport) {
		tb.fastuid = sk.sk_uid;
		tb.fast_rcv_saddr = inet_sk(sk).inet_rcv_saddr;
	}
}

/** A free port for bind without one, at random, odd places first. With SO_REUSEADDR the lower half of the range first. */
function inet_csk_find_open_port(sk: sock): number {
	const n = sk.net;
	const h = n.ipv4.tcp_hashinfo;
	const range = { low: 0, high: 0 };
	for (let relax = false; ; relax = true) {
		let half = sk.sk_reuse !== 0 ? 1 : 0;
		for (;;) {
			inet_sk_get_local_port_range(sk, range);
			let low = range.low;
			let high = range.high + 1;
			if (high - low < 4) half = 0;
			if (half !== 0) {
				const middle = low + (((high - low) >> 2) << 1);
				if (half === 1) high = middle;
				else low = middle;
			}
			let remaining = high - low;
			if (remaining > 1) remaining &= ~1;
			let offset = n.machine.random.below(remaining) | 1;
			for (let pass = 0; pass < 2; pass++, offset--) {
				for (let i = 0; i < remaining; i += 2) {
					let port = low + offset + i;
					if (port >= high) port -= remaining;
					if (inet_is_local_reserved_port(n, port)) continue;
					const tb = inet_bind_bucket_find(h, port);
					if (tb === null || !inet_csk_bind_conflict(sk, tb, relax, false)) return port;
				}
			}
			if (half !== 1) break;
			half = 2;
		}
		if (n.ipv4.sysctl_ip_autobind_reuse === 0 || relax) return 0;
	}
}

/** proto.get_port: takes local port `snum` (0: any). A listener asks again for the one it has. Return: 0 or -EADDRINUSE. */
export function inet_csk_get_port(sk: sock, snum: number): number {
	const h = sk.net.ipv4.tcp_hashinfo;
	const any = snum === 0;
	const port = any ? inet_csk_find_open_port(sk) : snum;
	if (port === 0) return -EADDRINUSE;
	let tb = inet_bind_bucket_find(h, port);
	if (tb === null) tb = inet_bind_bucket_create(h, port);
	else if (!any && tb.owners !== null) {
		const reuse = sk.sk_reuse !== 0 && sk.sk_state !== TCP_LISTEN;
		const fast = (tb.fastreuse > 0 && reuse) || sk_reuseport_match(tb, sk);
		if (!fast && inet_csk_bind_conflict(sk, tb, true, true)) return -EADDRINUSE;
	}
	inet_csk_update_fastreuse(tb, sk);
	if (inet_csk(sk).icsk_bind_hash === null) inet_bind_hash(sk, tb, port);
	return 0;
}

// ---- timers of a connection --------------------------------------------------------------------------------------------------------

/** The retransmission timer is moved lazily: later times only change icsk_timeout, which is looked at when the old one comes. */
function inet_csk_retransmit_timer(timer: timer_list): void {
	const sk = timer.owner as sock;
	const csk = inet_csk(sk);
	if (csk.icsk_pending === 0) return;
	if (csk.icsk_timeout > sk.net.machine.jiffies) mod_timer(timer, csk.icsk_timeout);
	else csk.icsk_retransmit_handler!(timer);
}

/** A new connection's timers, and who is called when they are due: each timer's owner is the socket. */
export function inet_csk_init_xmit_timers(
	sk: sock,
	retransmit_handler: (t: timer_list) => void,
	delack_handler: (t: timer_list) => void,
	keepalive_handler: (t: timer_list) => void,
): void {
	const csk = inet_csk(sk);
	const m = sk.net.machine;
	csk.icsk_retransmit_handler = retransmit_handler;
	csk.icsk_keepalive_handler = keepalive_handler;
	csk.icsk_retransmit_timer = new timer_list(m, inet_csk_retransmit_timer, sk, 'tcp_write_timer');
	csk.icsk_delack_handler = delack_handler;
	csk.icsk_delack_timer = null;
	csk.icsk_pending = 0;
	csk.icsk_ack_pending = 0;
}

/** The timer of delayed ACKs. */
export function inet_csk_delack_timer(sk: sock): timer_list {
	const csk = inet_csk(sk);
	csk.icsk_delack_timer ??= new timer_list(sk.net.machine, csk.icsk_delack_handler!, sk, 'tcp_delack_timer');
	return csk.icsk_delack_timer;
}

export function inet_csk_clear_xmit_timers(sk: sock): void {
	const csk = inet_csk(sk);
	csk.icsk_pending = 0;
	csk.icsk_ack_pending = 0;
	timer_delete(csk.icsk_retransmit_timer);
	if (csk.icsk_delack_timer !== null) timer_delete(csk.icsk_delack_timer);
	if (sk.sk_timer !== null) timer_delete(sk.sk_timer);
}

/** `what`: ICSK_TIME_RETRANS and the like, or ICSK_TIME_DACK. The timer itself may still come, and finds nothing to do. */
export function inet_csk_clear_xmit_timer(sk: sock, what: number): void {
	const csk = inet_csk(sk);
	if (what === ICSK_TIME_DACK) {
		csk.icsk_ack_pending = 0;
		csk.icsk_ack_retry = 0;
	} else csk.icsk_pending = 0;
}

/** `when`: jiffies from now, at most `max_when`. */
export function inet_csk_reset_xmit_timer(sk: sock, what: number, when: number, max_when: number): void {
	const csk = inet_csk(sk);
	const due = sk.net.machine.jiffies + Math.min(when, max_when);
	if (what === ICSK_TIME_DACK) {
		csk.icsk_ack_pending |= ICSK_ACK_TIMER;
		mod_timer(inet_csk_delack_timer(sk), due);
		return;
	}
	csk.icsk_pending = what;
	csk.icsk_timeout = due;
	const timer = csk.icsk_retransmit_timer;
	if (timer.slot < 0 || timer.expires > due) mod_timer(timer, due);
}

export function inet_csk_delete_keepalive_timer(sk: sock): void {
	if (sk.sk_timer !== null) timer_delete(sk.sk_timer);
}

/** `len`: jiffies from now. */
export function inet_csk_reset_keepalive_timer(sk: sock, len: number): void {
	if (sk.sk_timer === null)
		sk.sk_timer = new timer_list(sk.net.machine, inet_csk(sk).icsk_keepalive_handler!, sk, 'tcp_keepalive_timer');
	mod_timer(sk.sk_timer, sk.net.machine.jiffies + Math.floor(len));
}

// ---- routes ------------------------------------------------------------------------------------------------------------------------

function inet_sk_flowi_flags(sk: sock): number {
	const inet = inet_sk(sk);
	return inet.transparent || inet.hdrincl ? FLOWI_FLAG_ANYSRC : 0;
}

function route_req(sk: sock, fl4: flowi4, req: tcp_request_sock): dst_entry | null {
	const opt = req.ireq_opt;
	flowi4_init_output(
		fl4,
		req.ir_iif,
		req.ir_mark,
		inet_sk(sk).tos & 0xfc,
		sock_flag(sk, SOCK_LOCALROUTE) ? RT_SCOPE_LINK : 0,
		sk.sk_protocol,
		inet_sk_flowi_flags(sk),
		opt !== null && opt.srr !== 0 ? opt.faddr : req.ir_rmt_addr,
		req.ir_loc_addr,
		req.ir_rmt_port,
		req.ir_num,
		sk.sk_uid,
	);
	const rt = ip_route_output_flow(sk.net, fl4, sk);
	if (typeof rt === 'number' || (opt !== null && opt.is_strictroute && rt.rt_uses_gateway)) {
		IP_INC_STATS(sk.net, IPSTATS_MIB_OUTNOROUTES);
		return null;
	}
	return rt;
}

/** The route that a request's SYN-ACK takes; null when there is none. */
export function inet_csk_route_req(sk: sock, fl4: flowi4, req: tcp_request_sock): dst_entry | null {
	return route_req(sk, fl4, req);
}

/** The route of the connection that a request becomes. */
export function inet_csk_route_child_sock(sk: sock, _newsk: sock, req: tcp_request_sock): dst_entry | null {
	return route_req(sk, new flowi4(), req);
}

function inet_csk_rebuild_route(sk: sock): dst_entry | null {
	const inet = inet_sk(sk);
	const opt = inet.inet_opt;
	const fl4 = new flowi4();
	flowi4_init_output(
		fl4,
		sk.sk_bound_dev_if,
		sk.sk_mark,
		inet.tos & 0xfc,
		sock_flag(sk, SOCK_LOCALROUTE) ? RT_SCOPE_LINK : 0,
		sk.sk_protocol,
		inet_sk_flowi_flags(sk),
		opt !== null && opt.srr !== 0 ? opt.faddr : inet.inet_daddr,
		inet.inet_saddr,
		inet.inet_dport,
		inet.inet_sport,
		sk.sk_uid,
	);
	const rt = ip_route_output_flow(sk.net, fl4, sk);
	if (typeof rt === 'number') return null;
	sk_setup_caps(sk, rt);
	return rt;
}

/** A lower path MTU was learned: the route is told. Return: the route then, or null when there is none. */
export function inet_csk_update_pmtu(sk: sock, mtu: number): dst_entry | null {
	const dst = __sk_dst_check(sk, 0) ?? inet_csk_rebuild_route(sk);
	if (dst === null) return null;
	dst.ops.update_pmtu(dst, sk, null, mtu, true);
	return __sk_dst_check(sk, 0) ?? inet_csk_rebuild_route(sk);
}

// ---- requests ----------------------------------------------------------------------------------------------------------------------

/** A request for a SYN to `sk_listener`; not `attach_listener`: nothing is kept of it (cookies). The caller fills in addresses. */
export function inet_reqsk_alloc(ops: request_sock_ops, sk_listener: sock, attach_listener: boolean): tcp_request_sock {
	const req = new tcp_request_sock(sk_listener.net, attach_listener ? sk_listener : null, ops);
	req.timeout = TCP_TIMEOUT_INIT;
	return req;
}

export function inet_csk_reqsk_queue_len(sk: sock): number {
	return inet_csk(sk).icsk_accept_queue.qlen;
}

export function inet_csk_reqsk_queue_is_full(sk: sock): boolean {
	return inet_csk(sk).icsk_accept_queue.qlen > sk.sk_max_ack_backlog;
}

export function sk_acceptq_is_full(sk: sock): boolean {
	return sk.sk_ack_backlog > sk.sk_max_ack_backlog;
}

export function reqsk_timeout(req: tcp_request_sock, max_timeout: number): number {
	return Math.min(req.timeout * 2 ** req.num_timeout, max_timeout);
}

function req_rto_max(req: tcp_request_sock): number {
	return req.rsk_listener !== null ? tcp_rto_max(req.rsk_listener) : TCP_RTO_MAX;
}

/** Sends a request's SYN-ACK again. Return: 0 or -errno. */
export function inet_rtx_syn_ack(parent: sock, req: tcp_request_sock): number {
	const err = req.rsk_ops.rtx_syn_ack(parent, req);
	if (err === 0) req.num_retrans++;
	return err;
}

/** The SYN-ACK was not answered: again, or (with TCP_DEFER_ACCEPT) no data came: wait, or give up. */
function reqsk_timer_handler(timer: timer_list): void {
	const req = timer.owner as tcp_request_sock;
	const sk = req.rsk_listener;
	if (sk === null || sk.sk_state !== TCP_LISTEN) {
		reqsk_queue_unlink(req);
		return;
	}
	const csk = inet_csk(sk);
	const queue = csk.icsk_accept_queue;
	let max = csk.icsk_syn_retries !== 0 ? csk.icsk_syn_retries : sk.net.ipv4.sysctl_tcp_synack_retries;
	// When the queue is more than half full, those that have waited longest get fewer tries: the more so, the fewer young ones there are.
	if (queue.qlen * 2 > Math.max(REQSK_QUEUE_YOUNG_MIN, sk.sk_max_ack_backlog)) {
		let young = queue.young * 2;
		while (max > 2 && queue.qlen >= young) {
			max--;
			young *= 2;
		}
	}
	const defer = queue.rskq_defer_accept;
	let expire = req.num_timeout >= max;
	let resend = true;
	if (defer !== 0) {
		expire = expire && (!req.acked || req.num_timeout >= defer);
		// Nothing is said while data are waited for, but for a last time at the end.
		resend = !req.acked || req.num_timeout >= defer - 1;
	}
	req.rsk_ops.syn_ack_timeout(req);
	if (!expire && (!resend || inet_rtx_syn_ack(sk, req) === 0 || req.acked)) {
		if (req.num_timeout++ === 0) queue.young--;
		mod_timer(timer, sk.net.machine.jiffies + reqsk_timeout(req, req_rto_max(req)));
		return;
	}
	inet_csk_reqsk_queue_drop(sk, req);
}

/** The SYN-ACK was sent again before its time: the timer begins anew. `keep`: only its time is noted (the child's own timer runs). */
export function reqsk_rearm(req: tcp_request_sock, timeout: number, keep: boolean): void {
	const timer = req.rsk_timer;
	if (timer === null) return;
	if (keep) timer.expires = req.net.machine.jiffies + timeout;
	else if (timer_pending(timer)) mod_timer(timer, req.net.machine.jiffies + timeout);
}

/** Takes the request out of the table and stops its timer. Return: whether it was in. */
function reqsk_queue_unlink(req: tcp_request_sock): boolean {
	const found = inet_ehash_remove(req);
	req.hashed = false;
	if (req.rsk_timer !== null) timer_delete(req.rsk_timer);
	return found;
}

/** One request less in the queue's count. */
export function reqsk_queue_removed(queue: request_sock_queue, req: tcp_request_sock): void {
	if (req.num_timeout === 0) queue.young--;
	queue.qlen--;
}

/** The listener of `req` is `sk`. Return: whether it was still waiting. */
export function inet_csk_reqsk_queue_drop(sk: sock, req: tcp_request_sock): boolean {
	const unlinked = reqsk_queue_unlink(req);
	if (unlinked) reqsk_queue_removed(inet_csk(sk).icsk_accept_queue, req);
	return unlinked;
}

export function inet_csk_reqsk_queue_drop_and_put(sk: sock, req: tcp_request_sock): void {
	inet_csk_reqsk_queue_drop(sk, req);
}

export function inet_csk_reqsk_queue_added(sk: sock): void {
	const queue = inet_csk(sk).icsk_accept_queue;
	queue.young++;
	queue.qlen++;
}

/** Enters the request and starts its timer. Return: false when the same is there already. */
export function inet_csk_reqsk_queue_hash_add(sk: sock, req: tcp_request_sock): boolean {
	if (!inet_ehash_insert(req, null, { v: null })) return false;
	req.hashed = true;
	req.rsk_timer = new timer_list(sk.net.machine, reqsk_timer_handler, req, 'reqsk_timer_handler');
	mod_timer(req.rsk_timer, sk.net.machine.jiffies + reqsk_timeout(req, tcp_rto_max(sk)));
	inet_csk_reqsk_queue_added(sk);
	return true;
}

/** A child that nobody will accept: reset and gone. */
function inet_child_forget(_sk: sock, req: tcp_request_sock, child: sock): void {
	child.sk_prot.disconnect!(child, 0);
	sock_orphan(child);
	if (child.sk_memory !== null) child.sk_memory.orphan_count++;
	if (req.tfo_listener) inet_csk(child).fastopen_rsk = null;
	inet_csk_destroy_sock(child);
}

/** Puts the complete child into the accept queue. Return: the child, or null when nobody listens any more. */
export function inet_csk_reqsk_queue_add(sk: sock, req: tcp_request_sock, child: sock): sock | null {
	if (sk.sk_state !== TCP_LISTEN) {
		inet_child_forget(sk, req, child);
		return null;
	}
	const queue = inet_csk(sk).icsk_accept_queue;
	req.sk = child;
	req.dl_next = null;
	if (queue.rskq_accept_head === null) queue.rskq_accept_head = req;
	else queue.rskq_accept_tail!.dl_next = req;
	queue.rskq_accept_tail = req;
	sk.sk_ack_backlog++;
	return child;
}

function reqsk_queue_remove(queue: request_sock_queue, parent: sock): tcp_request_sock | null {
	const req = queue.rskq_accept_head;
	if (req === null) return null;
	queue.rskq_accept_head = req.dl_next;
	if (req.dl_next === null) queue.rskq_accept_tail = null;
	req.dl_next = null;
	parent.sk_ack_backlog--;
	return req;
}

export function reqsk_queue_empty(queue: request_sock_queue): boolean {
	return queue.rskq_accept_head === null;
}

/** The handshake is complete: the request gives way to its child (`own_req`: which took its place in the table). Return: the child, or null. */
export function inet_csk_complete_hashdance(
	sk: sock,
	child: sock,
	req: tcp_request_sock,
	own_req: boolean,
): sock | null {
	if (!own_req) return null;
	reqsk_queue_unlink(req);
	reqsk_queue_removed(inet_csk(sk).icsk_accept_queue, req);
	return inet_csk_reqsk_queue_add(sk, req, child);
}

/** accept(2). Return: the child, or -errno (-EAGAIN: none yet). */
export function inet_csk_accept(sk: sock): sock | number {
	if (sk.sk_state !== TCP_LISTEN) return -EINVAL;
	const req = reqsk_queue_remove(inet_csk(sk).icsk_accept_queue, sk);
	if (req === null) return -EAGAIN;
	const newsk = req.sk!;
	// A Fast Open child may be taken before its handshake is done: its request lives on, and knows by this.
	req.sk = null;
	newsk.sk_ino = ++sk.net.machine.sock.ino;
	return newsk;
}

// ---- sockets -----------------------------------------------------------------------------------------------------------------------

/** What a child takes over from its listener at the socket's level. */
function sk_clone_lock(sk: sock): sock {
	const c = new sock(sk.net, sk.sk_family, sk.sk_type, sk.sk_protocol, sk.sk_prot);
	c.sk_shutdown = sk.sk_shutdown;
	c.sk_flags = sk.sk_flags & ~((1 << SOCK_DEAD) | (1 << SOCK_DONE));
	c.sk_reuse = sk.sk_reuse;
	c.sk_reuseport = sk.sk_reuseport;
	c.sk_bound_dev_if = sk.sk_bound_dev_if;
	c.sk_mark = sk.sk_mark;
	c.sk_priority = sk.sk_priority;
	c.sk_uid = sk.sk_uid;
	c.sk_rcvbuf = sk.sk_rcvbuf;
	c.sk_sndbuf = sk.sk_sndbuf;
	c.sk_userlocks = sk.sk_userlocks;
	c.sk_rcvlowat = sk.sk_rcvlowat;
	c.sk_rcvtimeo = sk.sk_rcvtimeo;
	c.sk_sndtimeo = sk.sk_sndtimeo;
	c.sk_lingertime = sk.sk_lingertime;
	c.sk_filter = sk.sk_filter;
	c.sk_pacing_rate = sk.sk_pacing_rate;
	c.sk_max_pacing_rate = sk.sk_max_pacing_rate;
	c.sk_pacing_status = sk.sk_pacing_status;
	c.sk_pacing_shift = sk.sk_pacing_shift;
	c.sk_data_ready = sk.sk_data_ready;
	c.sk_error_report = sk.sk_error_report;
	c.sk_write_space = sk.sk_write_space;
	c.sk_state_change = sk.sk_state_change;
	c.sk_destruct = sk.sk_destruct;
	sk_sockets_allocated_inc(c);
	return c;
}

function inet_clone(from: inet_sock, n: net): inet_sock {
	const inet = new inet_sock(n);
	inet.uc_ttl = from.uc_ttl;
	inet.tos = from.tos;
	inet.mc_ttl = from.mc_ttl;
	inet.mc_loop = from.mc_loop;
	inet.mc_all = from.mc_all;
	inet.mc_index = from.mc_index;
	inet.mc_addr = from.mc_addr;
	inet.uc_index = from.uc_index;
	inet.pmtudisc = from.pmtudisc;
	inet.recverr = from.recverr;
	inet.recverr_rfc4884 = from.recverr_rfc4884;
	inet.freebind = from.freebind;
	inet.transparent = from.transparent;
	inet.nodefrag = from.nodefrag;
	inet.bind_address_no_port = from.bind_address_no_port;
	inet.is_icsk = true;
	inet.min_ttl = from.min_ttl;
	inet.local_port_range_lo = from.local_port_range_lo;
	inet.local_port_range_hi = from.local_port_range_hi;
	inet.cmsg_flags = from.cmsg_flags;
	return inet;
}

/** A child of listener `sk` for `req`, in SYN_RECV, with what the listener's options say and nothing of its traffic. */
export function inet_csk_clone_lock(sk: sock, req: tcp_request_sock): sock {
	const c = sk_clone_lock(sk);
	const inet = inet_clone(inet_sk(sk), sk.net);
	const from = inet_csk(sk);
	const csk = new tcp_sock(c);
	c.inet = inet;
	c.priv = csk;
	c.sk_state = TCP_SYN_RECV;
	c.sk_bound_dev_if = req.ir_iif;
	inet.inet_dport = req.ir_rmt_port;
	inet.inet_num = req.ir_num;
	inet.inet_sport = req.ir_num;
	inet.inet_daddr = req.ir_rmt_addr;
	inet.inet_rcv_saddr = req.ir_loc_addr;
	c.sk_mark = req.ir_mark;
	csk.icsk_af_ops = from.icsk_af_ops;
	csk.icsk_ca_ops = from.icsk_ca_ops;
	csk.icsk_ca_setsockopt = from.icsk_ca_setsockopt;
	csk.icsk_syn_retries = from.icsk_syn_retries;
	csk.icsk_user_timeout = from.icsk_user_timeout;
	csk.icsk_rto_min = from.icsk_rto_min;
	csk.icsk_rto_max = from.icsk_rto_max;
	csk.icsk_delack_max = from.icsk_delack_max;
	csk.icsk_mtup_enabled = from.icsk_mtup_enabled;
	csk.icsk_ack_pingpong = from.icsk_ack_pingpong;
	return c;
}

/** For a child that failed before anybody saw it. */
export function inet_csk_prepare_for_destroy_sock(sk: sock): void {
	sock_set_flag(sk, SOCK_DEAD);
	if (sk.sk_memory !== null) sk.sk_memory.orphan_count++;
}

export function inet_csk_prepare_forced_close(sk: sock): void {
	inet_csk_prepare_for_destroy_sock(sk);
	inet_sk(sk).inet_num = 0;
}

/** The end of a connection that is out of the table, and that no process holds. */
export function inet_csk_destroy_sock(sk: sock): void {
	if (sk.sk_prot.destroy !== undefined && sk.sk_prot.destroy !== null) sk.sk_prot.destroy(sk);
	sk_stream_kill_queues(sk);
	if (sk.sk_memory !== null) sk.sk_memory.orphan_count--;
}

/** listen(2). Return: 0 or -errno. */
export function inet_csk_listen_start(sk: sock): number {
	const csk = inet_csk(sk);
	const inet = inet_sk(sk);
	const queue = csk.icsk_accept_queue;
	queue.rskq_accept_head = null;
	queue.rskq_accept_tail = null;
	sk.sk_ack_backlog = 0;
	csk.icsk_ack_pending = 0;
	csk.icsk_ack_quick = 0;
	csk.icsk_ack_pingpong = 0;
	csk.icsk_ack_ato = 0;
	csk.icsk_ack_rcv_mss = 0;
	// The port must allow a listener, which it may not have been asked for at bind().
	sk.sk_state = TCP_LISTEN;
	let err = inet_csk_get_port(sk, inet.inet_num);
	if (err === 0) {
		inet.inet_sport = inet.inet_num;
		sk.sk_dst_cache = null;
		err = inet_hash(sk);
		if (err === 0) return 0;
	}
	sk.sk_state = TCP_CLOSE;
	return err;
}

/** The listener goes: connections that nobody accepted are reset. Requests find out by themselves. */
export function inet_csk_listen_stop(sk: sock): void {
	const queue = inet_csk(sk).icsk_accept_queue;
	for (;;) {
		const req = reqsk_queue_remove(queue, sk);
		if (req === null) break;
		inet_child_forget(sk, req, req.sk!);
	}
	fastopen_queue_purge(queue.fastopenq);
}

function fastopen_queue_purge(q: fastopen_queue): void {
	q.rskq_rst_head = null;
	q.rskq_rst_tail = null;
	q.qlen = 0;
}
