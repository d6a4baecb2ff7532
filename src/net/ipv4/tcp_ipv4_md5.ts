/*
 * net/ipv4/tcp_ipv4_md5.ts: signatures of segments.                 Linux: net/ipv4/tcp_ipv4.c (tcp_md5_*), net/ipv4/tcp.c
 * RFC 2385.
 */
import type { sk_buff } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import type { tcp_md5sig_key, tcp_request_sock } from './tcp_sock.ts';

/** The key for a peer at `addr`; null when there is none. */
export function tcp_md5_do_lookup(sk: sock, l3index: number, addr: number): tcp_md5sig_key | null {
	return null;
}
/** The key of `sk` for the peer of `addr_sk`. */
export function tcp_v4_md5_lookup(sk: sock, addr_sk: sock): tcp_md5sig_key | null {
	return null;
}
/** Writes the signature (16 bytes at `at` of `out`) of a whole segment: `sk` a connection, `req` a request, both null: of skb's own addresses. */
export function tcp_v4_md5_hash_skb(
	out: Uint8Array,
	at: number,
	key: tcp_md5sig_key,
	sk: sock | null,
	req: tcp_request_sock | null,
	skb: sk_buff,
): void {}
/** setsockopt TCP_MD5SIG, TCP_MD5SIG_EXT. Return: 0 or -errno. */
export function tcp_v4_parse_md5_keys(sk: sock, optname: number, optval: Uint8Array): number {
	return 0;
}
