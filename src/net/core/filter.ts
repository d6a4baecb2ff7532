/*
 * net/core/filter.ts: classic BPF programs on sockets.             Linux: net/core/filter.c
 * SO_ATTACH_FILTER hands over the instructions themselves, eight bytes each (struct sock_filter), where C hands over a pointer to them.
 */

import {
	bpf_check_classic,
	bpf_run,
	SKF_AD_IFINDEX,
	SKF_AD_PKTTYPE,
	SKF_AD_PROTOCOL,
	type sock_filter,
} from '../../lib/bpf.ts';
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL, ENOENT, EPERM } from '../../uapi/asm-generic/errno.ts';
import { type sk_buff, skb_copy_bits } from './skbuff.ts';
import { SOCK_FILTER_LOCKED, type sock, sock_flag } from './sock.ts';

/** A checked program. */
export interface sk_filter_prog {
	insns: readonly sock_filter[];
}

/** What a program may ask about the packet, not in it (SKF_AD_*). */
function ancillary(skb: sk_buff, k: number): number {
	switch (k) {
		case SKF_AD_PROTOCOL:
			return skb.protocol;
		case SKF_AD_PKTTYPE:
			return skb.pkt_type;
		case SKF_AD_IFINDEX:
			return skb.dev !== null ? skb.dev.ifindex : 0;
		default:
			return 0;
	}
}

/** Runs a program over the packet from skb.data on. Borrows skb. Return: bytes to keep, 0 to drop. */
export function bpf_prog_run_clear_cb(prog: sk_filter_prog, skb: sk_buff): number {
	let b: Uint8Array;
	if (skb.data_len === 0) b = skb.head.subarray(skb.data, skb.tail);
	else {
		b = new Uint8Array(skb.len);
		skb_copy_bits(skb, 0, b, 0, skb.len);
	}
	return bpf_run(prog.insns, b, skb.len, b.length, (k) => ancillary(skb, k));
}

/** Runs the socket's filter. Borrows skb. Return: 0 when the packet may pass, else -EPERM. */
export function sk_filter(sk: sock, skb: sk_buff): number {
	if (sk.sk_filter === null) return 0;
	return bpf_prog_run_clear_cb(sk.sk_filter, skb) > 0 ? 0 : -EPERM;
}

/** SO_ATTACH_FILTER. Return: 0 or -errno. */
export function sk_attach_filter(sk: sock, code: Uint8Array): number {
	if (sock_flag(sk, SOCK_FILTER_LOCKED)) return -EPERM;
	if (code.length === 0 || code.length % 8 !== 0) return -EINVAL;
	const insns: sock_filter[] = [];
	for (let o = 0; o < code.length; o += 8) {
		insns.push({
			code: get_unaligned_le16(code, o),
			jt: code[o + 2],
			jf: code[o + 3],
			k: get_unaligned_le32(code, o + 4),
		});
	}
	if (!bpf_check_classic(insns)) return -EINVAL;
	sk.sk_filter = { insns };
	return 0;
}

/** SO_DETACH_FILTER. Return: 0 or -errno. */
export function sk_detach_filter(sk: sock): number {
	if (sock_flag(sk, SOCK_FILTER_LOCKED)) return -EPERM;
	if (sk.sk_filter === null) return -ENOENT;
	sk.sk_filter = null;
	return 0;
}
