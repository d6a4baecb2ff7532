/*
 * net/ipv4/udp_diag.ts: what inet_diag says of UDP.                  Linux: net/ipv4/udp_diag.c
 */
import { put_unaligned_le32 } from '../../lib/byteorder.ts';
import { ECONNABORTED } from '../../uapi/asm-generic/errno.ts';
import { IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import type { sock } from '../core/sock.ts';
import { sock_diag_check_cookie } from '../core/sock_diag.ts';
import { __udp_disconnect } from './af_inet.ts';
import type { inet_diag_handler, inet_diag_req } from './inet_diag.ts';
import type { inet_ehash_entry } from './inet_hashtables.ts';
import { __udp4_lib_lookup } from './udp.ts';

const IPPROTO_UDPLITE = 136;

function udp_diag_get_info(sk: sock, data: Uint8Array, at: number, _info: number): void {
	put_unaligned_le32(data, at, sk.sk_rmem_alloc);
	put_unaligned_le32(data, at + 4, sk.sk_wmem_alloc);
}

function udp_diag_each(n: net, _r: inet_diag_req, fn: (e: inet_ehash_entry) => boolean): void {
	for (const list of n.ipv4.udp_table.ports.values()) for (const sk of list) if (!fn(sk)) return;
}

function udp_diag_lookup(n: net, r: inet_diag_req): inet_ehash_entry | null {
	const sk = __udp4_lib_lookup(n, r.dst, r.dport, r.src, r.sport, r.ifindex);
	return sk !== null && sock_diag_check_cookie(n, sk, r.cookie_lo, r.cookie_hi) ? sk : null;
}

function udp_diag_destroy(e: inet_ehash_entry): number {
	const sk = e as sock;
	sk.sk_err = ECONNABORTED;
	sk.sk_error_report(sk);
	return __udp_disconnect(sk);
}

export const udp_diag_handler: inet_diag_handler = {
	protocol: IPPROTO_UDP,
	each: udp_diag_each,
	lookup: udp_diag_lookup,
	get_info: udp_diag_get_info,
	info_size: 0,
	destroy: udp_diag_destroy,
};

function none(): void {}

/** UDP-Lite has no sockets yet. */
export const udplite_diag_handler: inet_diag_handler = {
	...udp_diag_handler,
	protocol: IPPROTO_UDPLITE,
	each: none,
	lookup: () => null,
};
