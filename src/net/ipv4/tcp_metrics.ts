/*
 * net/ipv4/tcp_metrics.ts: what is remembered of the paths to peers.      Linux: net/ipv4/tcp_metrics.c
 */
import type { Machine } from '../../kernel/machine.ts';
import type { dst_entry } from '../core/dst.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_fastopen_cookie, tcp_request_sock } from './tcp_sock.ts';

/** Entries of one namespace by address pair. */
export class tcp_metrics_table {
	entries: Map<number, unknown> = new Map();
}
export function tcp_update_metrics(_sk: sock): void {}
export function tcp_init_metrics(_sk: sock): void {}
export function tcp_peer_is_proven(_req: tcp_request_sock, _dst: dst_entry | null): boolean {
	return false;
}
/** Fills in the cookie and `mss.v` (left alone when nothing is known). */
export function tcp_fastopen_cache_get(_sk: sock, _mss: { v: number }, _cookie: tcp_fastopen_cookie): void {}
export function tcp_fastopen_cache_set(
	_sk: sock,
	_mss: number,
	_cookie: tcp_fastopen_cookie | null,
	_syn_lost: boolean,
	_try_exp: number,
): void {}
/** The tables of each namespace and the generic netlink family `tcp_metrics`. Called by tcp_init. */
export function tcp_metrics_init(_machine: Machine): void {}
