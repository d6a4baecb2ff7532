/*
 * net/ipv4/tcp_chrono.ts: how long a connection was busy, and what held it back.      Linux: net/ipv4/tcp_output.c (tcp_chrono_*)
 * busy, rwnd_limited, sndbuf_limited of `ss -ti`: the strongest that holds counts, in jiffies.
 */
import type { sock } from '../core/sock.ts';
import {
	TCP_CHRONO_BUSY,
	TCP_CHRONO_UNSPEC,
	tcp_rtx_and_write_queues_empty,
	tcp_sk,
	type tcp_sock,
} from './tcp_sock.ts';

function tcp_chrono_set(tp: tcp_sock, type: number): void {
	const now = tp.sk.net.machine.jiffies;
	const old = tp.chrono_type;
	if (old > TCP_CHRONO_UNSPEC) tp.chrono_stat[old - 1] += now - tp.chrono_start;
	tp.chrono_start = now;
	tp.chrono_type = type;
}

/** `type` (TCP_CHRONO_*) holds from now on, unless a stronger one does. */
export function tcp_chrono_start(sk: sock, type: number): void {
	const tp = tcp_sk(sk);
	if (type > tp.chrono_type) tcp_chrono_set(tp, type);
}

/** `type` holds no more: busy, while there is data at all. */
export function tcp_chrono_stop(sk: sock, type: number): void {
	const tp = tcp_sk(sk);
	if (tcp_rtx_and_write_queues_empty(sk)) tcp_chrono_set(tp, TCP_CHRONO_UNSPEC);
	else if (type === tp.chrono_type) tcp_chrono_set(tp, TCP_CHRONO_BUSY);
}
