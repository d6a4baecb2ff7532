/*
 * net/netfilter/utils.ts: what the parts of netfilter share.       Linux: net/netfilter/utils.c
 */
import { csum_fold, csum_tcpudp_nofold } from '../../lib/checksum.ts';
import { NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import {
	CHECKSUM_COMPLETE,
	CHECKSUM_NONE,
	CHECKSUM_PARTIAL,
	CHECKSUM_UNNECESSARY,
	type sk_buff,
	skb_checksum,
} from '../core/skbuff.ts';

/** Checks the transport checksum of an IPv4 packet; `dataoff`: where that header lies from skb.data. Return: 0 when it is good. */
export function nf_ip_checksum(skb: sk_buff, hook: number, dataoff: number, protocol: number): number {
	const summed = skb.ip_summed;
	if (summed === CHECKSUM_UNNECESSARY || summed === CHECKSUM_PARTIAL) return 0;
	if (summed === CHECKSUM_COMPLETE && hook !== NF_INET_PRE_ROUTING && hook !== NF_INET_LOCAL_IN) return 0;
	const b = skb.head;
	const n = skb.network_header;
	// Without a pseudo header Linux sums the IP header too, whose own sum is all ones: so zeros alone pass.
	let sum = 0xffff;
	if (protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) {
		const saddr = ((b[n + 12] << 24) | (b[n + 13] << 16) | (b[n + 14] << 8) | b[n + 15]) >>> 0;
		const daddr = ((b[n + 16] << 24) | (b[n + 17] << 16) | (b[n + 18] << 8) | b[n + 19]) >>> 0;
		sum = csum_tcpudp_nofold(saddr, daddr, skb.len - dataoff, protocol, 0);
	}
	const bad = csum_fold(skb_checksum(skb, dataoff, skb.len - dataoff, sum));
	if (bad === 0 && (summed === CHECKSUM_NONE || summed === CHECKSUM_COMPLETE)) skb.ip_summed = CHECKSUM_UNNECESSARY;
	return bad;
}
