/*
 * trace/local_output.ts: a packet of a host's own, as its IP layer sends it: routed, then through NF_INET_LOCAL_OUT, without any socket.
 */
import type { frame_offload } from '../lab/surroundings.ts';
import { get_unaligned_be16, get_unaligned_be32 } from '../lib/byteorder.ts';
import { dst_output } from '../net/core/dst.ts';
import { FLOWI_FLAG_ANYSRC, flowi4 } from '../net/core/flow.ts';
import type { net } from '../net/core/net_namespace.ts';
import { alloc_skb, CHECKSUM_PARTIAL, skb_put, skb_reserve, skb_reset_network_header } from '../net/core/skbuff.ts';
import { ip_route_output_key } from '../net/ipv4/route.ts';
import { trace_output_route } from '../net/ipv4/route_trace.ts';
import { NF_HOOK } from '../net/netfilter/core.ts';
import { EINVAL } from '../uapi/asm-generic/errno.ts';
import { NF_INET_LOCAL_OUT, NFPROTO_IPV4 } from '../uapi/linux/netfilter.ts';

const ROOM = 64;

/** Sends `packet`, from its IP header on. `offload`: as of a frame with 14 bytes before it. Return: 0, or -errno. */
export function local_output(n: net, packet: Uint8Array, offload: frame_offload | null): number {
	const ihl = packet.length >= 20 ? (packet[0] & 15) << 2 : 0;
	if (ihl < 20 || packet[0] >> 4 !== 4 || ihl > packet.length) return -EINVAL;
	const len = Math.min(packet.length, get_unaligned_be16(packet, 2));
	if (len < ihl) return -EINVAL;
	const fl4 = new flowi4();
	fl4.saddr = get_unaligned_be32(packet, 12);
	fl4.daddr = get_unaligned_be32(packet, 16);
	fl4.flowi4_dscp = packet[1] & 0xfc;
	fl4.flowi4_proto = packet[9];
	fl4.flowi4_flags = FLOWI_FLAG_ANYSRC;
	if ((packet[9] === 6 || packet[9] === 17) && len >= ihl + 4) {
		fl4.fl4_sport = get_unaligned_be16(packet, ihl);
		fl4.fl4_dport = get_unaligned_be16(packet, ihl + 2);
	}
	const rt = ip_route_output_key(n, fl4);
	if (typeof rt === 'number') return rt;
	const skb = alloc_skb(n.machine, len + ROOM);
	skb_reserve(skb, ROOM);
	skb_put(skb, len);
	skb_reset_network_header(skb);
	skb.transport_header = skb.network_header + ihl;
	skb.head.set(packet.subarray(0, len), skb.data);
	skb.protocol = 0x0800;
	skb._skb_refdst = rt;
	if (offload !== null && offload.csum_start > 0) {
		skb.ip_summed = CHECKSUM_PARTIAL;
		skb.csum_start = skb.transport_header;
		skb.csum_offset = offload.csum_offset;
		if (offload.gso_size > 0) {
			skb.shinfo.gso_size = offload.gso_size;
			skb.shinfo.gso_type = offload.gso_type;
			skb.shinfo.gso_segs = Math.ceil(len / offload.gso_size);
		}
	}
	if (skb.journey !== null) trace_output_route(skb, 'local_output');
	const err = NF_HOOK(NFPROTO_IPV4, NF_INET_LOCAL_OUT, n, null, skb, null, rt.dev, dst_output);
	return err > 0 ? 0 : err;
}
