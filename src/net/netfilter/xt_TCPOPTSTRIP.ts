/*
 * net/netfilter/xt_TCPOPTSTRIP.ts: target TCPOPTSTRIP: TCP options to no-ops.    Linux: net/netfilter/xt_TCPOPTSTRIP.c
 * RFC 9293 3.1 (kinds 0 and 1 are single bytes, all others have a length).
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be16, put_unaligned_be16 } from '../../lib/byteorder.ts';
import { csum_replace2 } from '../../lib/checksum.ts';
import { xt_tcpoptstrip_target_info } from '../../uapi/linux/netfilter/xt_TCPOPTSTRIP.ts';
import { NF_DROP, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_TCP } from '../../uapi/linux/socket.ts';
import { CHECKSUM_PARTIAL, type sk_buff, skb_ensure_writable } from '../core/skbuff.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_target } from './x_tables.ts';

const TCPOPT_NOP = 1;

function tcpoptstrip_parse(b: Uint8Array): Uint8Array {
	return b.slice(0, xt_tcpoptstrip_target_info.sizeof);
}

function tcpoptstrip_tg4(skb: sk_buff, par: xt_action_param): number {
	const bmap = par.targinfo as Uint8Array;
	// The options are in the first fragment.
	if (par.fragoff !== 0) return XT_CONTINUE;
	if (skb_ensure_writable(skb, skb.len) < 0) return NF_DROP;
	const off = skb.network_header - skb.data + par.thoff;
	const len = skb.len - off;
	if (len < 20) return NF_DROP;
	const b = skb.head;
	const t = skb.data + off;
	const tcp_hdrlen = (b[t + 12] >> 4) * 4;
	if (len < tcp_hdrlen || tcp_hdrlen < 20) return NF_DROP;
	for (let i = 20; i < tcp_hdrlen - 1; ) {
		const kind = b[t + i];
		const optl = kind <= TCPOPT_NOP || b[t + i + 1] === 0 ? 1 : b[t + i + 1];
		if (i + optl > tcp_hdrlen) break;
		if ((bmap[kind >> 3] & (1 << (kind & 7))) !== 0) {
			for (let j = i; j < i + optl; j++) {
				const shift = j % 2 === 0 ? 8 : 0;
				// With the sum left to the device, the field holds the pseudo header's alone.
				if (skb.ip_summed !== CHECKSUM_PARTIAL)
					put_unaligned_be16(
						b,
						t + 16,
						csum_replace2(get_unaligned_be16(b, t + 16), b[t + j] << shift, TCPOPT_NOP << shift),
					);
				b[t + j] = TCPOPT_NOP;
			}
		}
		i += optl;
	}
	return XT_CONTINUE;
}

export function tcpoptstrip_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'TCPOPTSTRIP',
		revision: 0,
		family: NFPROTO_IPV4,
		targetsize: xt_tcpoptstrip_target_info.sizeof,
		table: 'mangle',
		proto: IPPROTO_TCP,
		parse: tcpoptstrip_parse,
		target: tcpoptstrip_tg4,
	});
}
