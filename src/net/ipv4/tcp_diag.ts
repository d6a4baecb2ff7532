/*
 * net/ipv4/tcp_diag.ts: what inet_diag says of TCP.                  Linux: net/ipv4/tcp_diag.c
 */
import { put_unaligned_le32 } from '../../lib/byteorder.ts';
import { ECONNABORTED, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import { IPPROTO_TCP } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import { type sock, TCP_LISTEN } from '../core/sock.ts';
import { sock_diag_check_cookie } from '../core/sock_diag.ts';
import { inet_csk_reqsk_queue_drop } from './inet_connection_sock.ts';
import type { inet_diag_handler, inet_diag_req } from './inet_diag.ts';
import { __inet_lookup, type inet_ehash_entry, is_request, is_timewait } from './inet_hashtables.ts';
import { inet_twsk_deschedule_put } from './inet_timewait_sock.ts';
import { tcp_abort } from './tcp.ts';
import { TCP_INFO_LEN, tcp_get_info } from './tcp_info.ts';
import { tcp_for_each } from './tcp_ipv4_proc.ts';
import { tcp_sk } from './tcp_sock.ts';

function tcp_diag_get_info(sk: sock, data: Uint8Array, at: number, info: number): void {
	const tp = tcp_sk(sk);
	const listen = sk.sk_state === TCP_LISTEN;
	put_unaligned_le32(data, at, listen ? sk.sk_ack_backlog : Math.max((tp.rcv_nxt - tp.copied_seq) | 0, 0));
	put_unaligned_le32(data, at + 4, listen ? sk.sk_max_ack_backlog : (tp.write_seq - tp.snd_una) >>> 0);
	if (info >= 0) tcp_get_info(sk, data, info);
}

function tcp_diag_each(n: net, _r: inet_diag_req, fn: (e: inet_ehash_entry) => boolean): void {
	tcp_for_each(n, fn, fn);
}

function tcp_diag_lookup(n: net, r: inet_diag_req): inet_ehash_entry | null {
	const e = __inet_lookup(n, r.dst, r.dport, r.src, r.sport, r.ifindex, 0);
	return e !== null && sock_diag_check_cookie(n, e, r.cookie_lo, r.cookie_hi) ? e : null;
}

function tcp_diag_destroy(e: inet_ehash_entry): number {
	if (is_timewait(e)) {
		inet_twsk_deschedule_put(e);
		return 0;
	}
	if (is_request(e)) {
		if (e.rsk_listener === null) return -EOPNOTSUPP;
		inet_csk_reqsk_queue_drop(e.rsk_listener, e);
		return 0;
	}
	return tcp_abort(e, ECONNABORTED);
}

export const tcp_diag_handler: inet_diag_handler = {
	protocol: IPPROTO_TCP,
	each: tcp_diag_each,
	lookup: tcp_diag_lookup,
	get_info: tcp_diag_get_info,
	info_size: TCP_INFO_LEN,
	destroy: tcp_diag_destroy,
};
