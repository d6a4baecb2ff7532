/*
 * net/ipv4/inet_timewait_sock.ts: entries of closed connections.       Linux: net/inet_timewait_sock.h, net/ipv4/inet_timewait_sock.c
 *
 * Walk: tcp_time_wait makes an entry (inet_twsk_alloc) that takes over the socket's place among connections and owners of the port
 *       (inet_twsk_hashdance_schedule); tw_timer_handler ends it.
 * RFC 9293 3.4.2: an entry lives for 2 MSL. At most tcp_max_tw_buckets.
 */
import { HZ, mod_timer, timer_delete, timer_list } from '../../kernel/time.ts';
import { LINUX_MIB_TW, LINUX_MIB_TWKILLED } from '../../uapi/linux/snmp.ts';
import type { net } from '../core/net_namespace.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import { SOCK_BINDPORT_LOCK, type sock } from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import { ehash_unlink, inet_bind_hash, inet_bind_unlink, inet_csk_node } from './inet_hashtables.ts';
import { inet_csk, tcp_timewait_sock } from './tcp_sock.ts';

/** An entry for what `sk` leaves behind; null when there are too many. `state`: TCP_FIN_WAIT2 or TCP_TIME_WAIT. */
export function inet_twsk_alloc(sk: sock, state: number): tcp_timewait_sock | null {
	const n = sk.net;
	if (n.ipv4.tw_refcount >= n.ipv4.sysctl_max_tw_buckets) return null;
	const inet = inet_sk(sk);
	const tw = new tcp_timewait_sock(n);
	tw.tw_substate = state;
	tw.tw_daddr = inet.inet_daddr;
	tw.tw_rcv_saddr = inet.inet_rcv_saddr;
	tw.tw_dport = inet.inet_dport;
	tw.tw_num = inet.inet_num;
	tw.tw_bound_dev_if = sk.sk_bound_dev_if;
	tw.tw_tos = inet.tos;
	tw.tw_transparent = inet.transparent;
	tw.tw_reuse = sk.sk_reuse;
	tw.tw_reuseport = sk.sk_reuseport;
	tw.tw_uid = sk.sk_uid;
	return tw;
}

/** Takes the entry out of both tables. */
function inet_twsk_kill(tw: tcp_timewait_sock): void {
	const h = tw.net.ipv4.tcp_hashinfo;
	const node = tw.node;
	if (node === null) return;
	ehash_unlink(h, node);
	inet_bind_unlink(h, node);
	tw.node = null;
	tw.tw_tb = null;
	tw.net.ipv4.tw_refcount--;
}

/** The port is no longer held by the entry. */
export function inet_twsk_bind_unhash(tw: tcp_timewait_sock): void {
	if (tw.node !== null) inet_bind_unlink(tw.net.ipv4.tcp_hashinfo, tw.node);
	tw.tw_tb = null;
}

function tw_timer_handler(timer: timer_list): void {
	inet_twsk_kill(timer.owner as tcp_timewait_sock);
}

/** Puts the entry in the socket's place in the tables and starts its time (jiffies). */
export function inet_twsk_hashdance_schedule(tw: tcp_timewait_sock, sk: sock, timeo: number): void {
	const n = sk.net;
	const csk = inet_csk(sk);
	const node = inet_csk_node(sk);
	tw.tw_tb = csk.icsk_bind_hash;
	tw.node = node;
	node.owner = tw;
	csk.icsk_node = null;
	csk.icsk_bind_hash = null;
	// From here on the entry owns the place: the socket's unhash finds nothing. What the process bound itself stays its own, too.
	if (node.hashed) n.ipv4.tcp_hashinfo.inuse--;
	if (tw.tw_tb !== null && (sk.sk_userlocks & SOCK_BINDPORT_LOCK) !== 0) inet_bind_hash(sk, tw.tw_tb, tw.tw_num);
	n.ipv4.tw_refcount++;
	tw.tw_timer = new timer_list(n.machine, tw_timer_handler, tw, 'tw_timer_handler');
	__inet_twsk_schedule(tw, timeo, false);
}

/** Starts (or with `rearm`, restarts) the entry's time. */
export function __inet_twsk_schedule(tw: tcp_timewait_sock, timeo: number, rearm: boolean): void {
	if (!rearm) NET_INC_STATS(tw.net, timeo <= 4 * HZ ? LINUX_MIB_TWKILLED : LINUX_MIB_TW);
	mod_timer(tw.tw_timer!, tw.net.machine.jiffies + timeo);
}

export function inet_twsk_reschedule(tw: tcp_timewait_sock, timeo: number): void {
	__inet_twsk_schedule(tw, timeo, true);
}

/** Ends the entry. */
export function inet_twsk_deschedule_put(tw: tcp_timewait_sock): void {
	if (tw.tw_timer !== null) timer_delete(tw.tw_timer);
	inet_twsk_kill(tw);
}

/** Ends all entries of a namespace that goes. */
export function inet_twsk_purge(n: net): void {
	const h = n.ipv4.tcp_hashinfo;
	for (let i = 0; i < h.ehash.length; i++) {
		let node = h.ehash[i];
		while (node !== null) {
			const next = node.next;
			if (node.owner instanceof tcp_timewait_sock) inet_twsk_deschedule_put(node.owner);
			node = next;
		}
	}
}
