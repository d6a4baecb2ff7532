/*
 * net/ipv4/tcp_ipv4_md5.ts: signed segments.                Linux: net/ipv4/tcp_ipv4.c (tcp_md5_*, tcp_v4_md5_*), net/ipv4/tcp.c (tcp_inbound_md5_hash)
 *
 * A signature is MD5 over pseudo header, header without options and with checksum 0, payload, and the key. A socket has keys for
 * peers (setsockopt TCP_MD5SIG, and _EXT with prefix and interface); a segment from such a peer must bear one, from others must not.
 * RFC 2385 2.0, 4.3. Not here yet: TCP-AO (RFC 5925).
 */
import { get_unaligned_be32, get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { md5_ctx, md5_final, md5_init, md5_update } from '../../lib/md5.ts';
import { EINVAL, ENOENT } from '../../uapi/asm-generic/errno.ts';
import {
	LINUX_MIB_TCPMD5FAILURE,
	LINUX_MIB_TCPMD5NOTFOUND,
	LINUX_MIB_TCPMD5UNEXPECTED,
} from '../../uapi/linux/snmp.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import { TCP_MD5SIG_EXT, TCPOPT_EOL, TCPOPT_MD5SIG, TCPOPT_NOP } from '../../uapi/linux/tcp.ts';
import {
	SKB_DROP_REASON_TCP_AUTH_HDR,
	SKB_DROP_REASON_TCP_MD5FAILURE,
	SKB_DROP_REASON_TCP_MD5NOTFOUND,
	SKB_DROP_REASON_TCP_MD5UNEXPECTED,
	SKB_NOT_DROPPED_YET,
} from '../core/dropreason.ts';
import { type sk_buff, skb_copy_bits } from '../core/skbuff.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import { ip_hdr_daddr, ip_hdr_saddr } from './ip.ts';
import { type tcp_md5sig_key, type tcp_request_sock, tcp_sk } from './tcp_sock.ts';

export const TCP_MD5SIG_FLAG_PREFIX = 1;
export const TCP_MD5SIG_FLAG_IFINDEX = 2;
const TCP_MD5SIG_MAXKEYLEN = 80;

// ---- keys ------------------------------------------------------------------------------------------------------------------------

function prefix_match(a: number, b: number, prefixlen: number): boolean {
	return prefixlen === 0 || (a ^ b) >>> (32 - prefixlen) === 0;
}

/** The key for a peer at `addr`, by its longest prefix; null when there is none. */
export function tcp_md5_do_lookup(sk: sock, l3index: number, addr: number): tcp_md5sig_key | null {
	const keys = tcp_sk(sk).md5sig_info;
	if (keys === null) return null;
	let best: tcp_md5sig_key | null = null;
	for (const key of keys) {
		if ((key.flags & TCP_MD5SIG_FLAG_IFINDEX) !== 0 && key.l3index !== l3index) continue;
		if (!prefix_match(key.addr, addr, key.prefixlen)) continue;
		if (best === null || better(key, best)) best = key;
	}
	return best;
}

/** Linux's order: a key for an interface before one for none, then the longer prefix. */
function better(a: tcp_md5sig_key, b: tcp_md5sig_key): boolean {
	const ai = (a.flags & TCP_MD5SIG_FLAG_IFINDEX) !== 0;
	const bi = (b.flags & TCP_MD5SIG_FLAG_IFINDEX) !== 0;
	return ai !== bi ? ai : a.prefixlen > b.prefixlen;
}

/** The key of `sk` for the peer of `addr_sk`. */
export function tcp_v4_md5_lookup(sk: sock, addr_sk: sock): tcp_md5sig_key | null {
	return tcp_sk(sk).md5sig_info === null ? null : tcp_md5_do_lookup(sk, 0, inet_sk(addr_sk).inet_daddr);
}

/** Gives `sk` a key (a copy), in the place of the same peer's. Return: 0. */
export function tcp_md5_do_add(sk: sock, key: tcp_md5sig_key): number {
	const tp = tcp_sk(sk);
	const keys = tp.md5sig_info === null ? [] : tp.md5sig_info.filter((k) => !same_key(k, key));
	keys.push({ ...key, key: key.key.slice() });
	tp.md5sig_info = keys;
	return 0;
}

function same_key(a: tcp_md5sig_key, b: tcp_md5sig_key): boolean {
	return a.addr === b.addr && a.prefixlen === b.prefixlen && a.l3index === b.l3index && a.flags === b.flags;
}

function tcp_md5_do_del(sk: sock, key: tcp_md5sig_key): number {
	const keys = tcp_sk(sk).md5sig_info;
	const at = keys === null ? -1 : keys.findIndex((k) => same_key(k, key));
	if (keys === null || at < 0) return -ENOENT;
	keys.splice(at, 1);
	return 0;
}

/**
 * setsockopt TCP_MD5SIG, TCP_MD5SIG_EXT: struct tcp_md5sig: sockaddr_storage (128 bytes), flags, prefixlen (a byte each), keylen (16 bits),
 * ifindex (32 bits), key (80 bytes). Return: 0 or -errno.
 */
export function tcp_v4_parse_md5_keys(sk: sock, optname: number, optval: Uint8Array): number {
	if (optval.length < 216) return -EINVAL;
	if (get_unaligned_le16(optval, 0) !== AF_INET) return -EINVAL;
	const flags = optval[128];
	const keylen = get_unaligned_le16(optval, 130);
	const key: tcp_md5sig_key = {
		addr: get_unaligned_be32(optval, 4),
		prefixlen: 32,
		l3index: 0,
		flags: 0,
		key: new Uint8Array(0),
	};
	if (optname === TCP_MD5SIG_EXT) {
		if ((flags & TCP_MD5SIG_FLAG_PREFIX) !== 0) {
			key.prefixlen = optval[129];
			if (key.prefixlen > 32) return -EINVAL;
			key.addr = key.prefixlen === 0 ? 0 : (key.addr & (-1 << (32 - key.prefixlen))) >>> 0;
		}
		if ((flags & TCP_MD5SIG_FLAG_IFINDEX) !== 0) {
			const ifindex = get_unaligned_le32(optval, 132);
			if (ifindex !== 0) {
				// Only a master device (VRF) will do, and there are none yet.
				return -EINVAL;
			}
			key.flags = TCP_MD5SIG_FLAG_IFINDEX;
		}
	}
	if (keylen === 0) return tcp_md5_do_del(sk, key);
	if (keylen > TCP_MD5SIG_MAXKEYLEN) return -EINVAL;
	key.key = optval.slice(136, 136 + keylen);
	return tcp_md5_do_add(sk, key);
}

// ---- signatures ------------------------------------------------------------------------------------------------------------------

/** Writes the signature of a segment whose TCP header is at `th` of `head`, 16 bytes at `at` of `out`. `payload`: what follows the header. */
export function tcp_md5_hash(
	out: Uint8Array,
	at: number,
	key: tcp_md5sig_key,
	saddr: number,
	daddr: number,
	head: Uint8Array,
	th: number,
	payload: Uint8Array,
): void {
	const doff = (head[th + 12] >> 4) * 4;
	const b = new Uint8Array(32);
	b[0] = saddr >>> 24;
	b[1] = saddr >>> 16;
	b[2] = saddr >>> 8;
	b[3] = saddr;
	b[4] = daddr >>> 24;
	b[5] = daddr >>> 16;
	b[6] = daddr >>> 8;
	b[7] = daddr;
	b[9] = 6;
	const len = doff + payload.length;
	b[10] = len >>> 8;
	b[11] = len;
	b.set(head.subarray(th, th + 20), 12);
	b[28] = 0;
	b[29] = 0;
	const ctx = new md5_ctx();
	md5_init(ctx);
	md5_update(ctx, b);
	md5_update(ctx, payload);
	md5_update(ctx, key.key);
	out.set(md5_final(ctx), at);
}

/** Writes the signature of a whole segment: `sk`'s, else `req`'s answer, both null: by skb's own addresses. */
export function tcp_v4_md5_hash_skb(
	out: Uint8Array,
	at: number,
	key: tcp_md5sig_key,
	sk: sock | null,
	req: tcp_request_sock | null,
	skb: sk_buff,
): void {
	let saddr: number;
	let daddr: number;
	if (sk !== null) {
		saddr = inet_sk(sk).inet_saddr;
		daddr = inet_sk(sk).inet_daddr;
	} else if (req !== null) {
		saddr = req.ir_loc_addr;
		daddr = req.ir_rmt_addr;
	} else {
		saddr = ip_hdr_saddr(skb);
		daddr = ip_hdr_daddr(skb);
	}
	const th = skb.transport_header;
	const skip = (skb.head[th + 12] >> 4) * 4 + (th - skb.data);
	const payload = new Uint8Array(Math.max(skb.len - skip, 0));
	skb_copy_bits(skb, skip, payload, 0, payload.length);
	tcp_md5_hash(out, at, key, saddr, daddr, skb.head, th, payload);
}

/** Return: where the option's 16 bytes are in `head`; -1 for none, -2 for a header that says it twice. */
export function tcp_md5sig_option(head: Uint8Array, th: number): number {
	const end = th + (head[th + 12] >> 4) * 4;
	let found = -1;
	for (let p = th + 20; p < end; ) {
		const kind = head[p];
		if (kind === TCPOPT_EOL) break;
		if (kind === TCPOPT_NOP) {
			p++;
			continue;
		}
		if (p + 1 >= end) break;
		const len = head[p + 1];
		if (len < 2 || p + len > end) break;
		if (kind === TCPOPT_MD5SIG && len === 18) {
			if (found >= 0) return -2;
			found = p + 2;
		}
		p += len;
	}
	return found;
}

/**
 * Whether a segment bears the signature that it must, or none. `sk`: connection or listener. Borrows skb (data at the TCP header).
 * Return: SKB_NOT_DROPPED_YET, or why it is to be dropped.
 */
export function tcp_inbound_hash(sk: sock | null, skb: sk_buff, saddr: number): number {
	const head = skb.head;
	const th = skb.transport_header;
	// The usual case: no options but time stamps, no keys.
	const key = sk === null ? null : tcp_md5_do_lookup(sk, 0, saddr);
	const at = head[th + 12] === 0x50 ? -1 : tcp_md5sig_option(head, th);
	if (at === -2) return SKB_DROP_REASON_TCP_AUTH_HDR;
	if (at === -1) {
		if (key === null) return SKB_NOT_DROPPED_YET;
		NET_INC_STATS(sk!.net, LINUX_MIB_TCPMD5NOTFOUND);
		return SKB_DROP_REASON_TCP_MD5NOTFOUND;
	}
	if (sk === null) return SKB_NOT_DROPPED_YET;
	if (key === null) {
		NET_INC_STATS(sk.net, LINUX_MIB_TCPMD5UNEXPECTED);
		return SKB_DROP_REASON_TCP_MD5UNEXPECTED;
	}
	const want = new Uint8Array(16);
	tcp_v4_md5_hash_skb(want, 0, key, null, null, skb);
	for (let i = 0; i < 16; i++) {
		if (want[i] !== head[at + i]) {
			NET_INC_STATS(sk.net, LINUX_MIB_TCPMD5FAILURE);
			return SKB_DROP_REASON_TCP_MD5FAILURE;
		}
	}
	return SKB_NOT_DROPPED_YET;
}
