/*
 * net/ipv4/netfilter/nf_reject_ipv4.ts: says no to a packet: an ICMP error, or a TCP reset.     Linux: net/ipv4/netfilter/nf_reject_ipv4.c
 * RFC 793 3.4 (what a reset looks like), RFC 1122 3.2.2 (when no error may be sent).
 */
import { trace_event } from '../../../kernel/trace.ts';
import {
	get_unaligned_be16,
	get_unaligned_be32,
	put_unaligned_be16,
	put_unaligned_be32,
} from '../../../lib/byteorder.ts';
import { csum_tcpudp_nofold } from '../../../lib/checksum.ts';
import { ICMP_DEST_UNREACH } from '../../../uapi/linux/icmp.ts';
import { RTN_UNSPEC } from '../../../uapi/linux/rtnetlink.ts';
import { IPPROTO_TCP } from '../../../uapi/linux/socket.ts';
import type { net } from '../../core/net_namespace.ts';
import {
	alloc_skb,
	CHECKSUM_PARTIAL,
	consume_skb,
	pskb_may_pull,
	type sk_buff,
	skb_put,
	skb_reserve,
} from '../../core/skbuff.ts';
import type { sock } from '../../core/sock.ts';
import { nf_ct_attach } from '../../netfilter/nf_conntrack_core.ts';
import { nf_ip_checksum } from '../../netfilter/utils.ts';
import { icmp_send } from '../icmp.ts';
import { IP_DF, ip_send_check, ip4_dst_hoplimit } from '../ip.ts';
import { ip_local_out } from '../ip_output.ts';
import { ip_route_me_harder } from '../netfilter.ts';
import { skb_rtable } from '../route.ts';

const TH_FIN = 0x01;
const TH_SYN = 0x02;
const TH_RST = 0x04;
const TH_ACK = 0x10;

const RTCF_BROADCAST = 0x10000000;
const RTCF_MULTICAST = 0x20000000;

/** Room for a link header in front. */
const LL_MAX_HEADER = 128;

/** Sends ICMP destination unreachable with `code` back to the sender. Borrows skb_in. */
export function nf_send_unreach(skb_in: sk_buff, code: number, hook: number): void {
	const h = skb_in.network_header;
	const b = skb_in.head;
	if ((((b[h + 6] & 0x1f) << 8) | b[h + 7]) !== 0) return;
	const dataoff = (b[h] & 15) << 2;
	// A packet with a bad checksum was not meant like that.
	if (nf_ip_checksum(skb_in, hook, dataoff, b[h + 9]) !== 0) return;
	icmp_send(skb_in, ICMP_DEST_UNREACH, code, 0);
}

/** Sends a reset in the name of the packet's destination. Borrows oldskb. */
export function nf_send_reset(net: net, sk: sock | null, oldskb: sk_buff, hook: number): void {
	const oh = oldskb.network_header;
	const ob = oldskb.head;
	if ((((ob[oh + 6] & 0x1f) << 8) | ob[oh + 7]) !== 0) return;
	if (ob[oh + 9] !== IPPROTO_TCP) return;
	const ihl = (ob[oh] & 15) << 2;
	const off = oh - oldskb.data + ihl;
	if (!pskb_may_pull(oldskb, off + 20)) return;
	const b = oldskb.head;
	const t = oldskb.data + off;
	const n = oldskb.network_header;
	const flags = b[t + 13];
	// RFC 793 3.4: never a reset for a reset.
	if ((flags & TH_RST) !== 0) return;
	if (nf_ip_checksum(oldskb, hook, ihl, IPPROTO_TCP) !== 0) return;
	const rt = skb_rtable(oldskb);
	if (rt !== null && (rt.rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) return;

	const nskb = alloc_skb(net.machine, LL_MAX_HEADER + 40, oldskb);
	skb_reserve(nskb, LL_MAX_HEADER);
	nskb._skb_refdst = oldskb._skb_refdst;
	if (net.ipv4.sysctl_fwmark_reflect !== 0) nskb.mark = oldskb.mark;
	const at = skb_put(nskb, 40);
	const h = nskb.head;
	h.fill(0, at, at + 40);
	nskb.network_header = at;
	nskb.transport_header = at + 20;
	nskb.protocol = 0x0800;
	const saddr = get_unaligned_be32(b, n + 16);
	const daddr = get_unaligned_be32(b, n + 12);
	h[at] = 0x45;
	put_unaligned_be16(h, at + 2, 40);
	put_unaligned_be16(h, at + 6, IP_DF);
	h[at + 8] = oldskb._skb_refdst !== null ? ip4_dst_hoplimit(oldskb._skb_refdst) : 64;
	h[at + 9] = IPPROTO_TCP;
	put_unaligned_be32(h, at + 12, saddr);
	put_unaligned_be32(h, at + 16, daddr);

	put_unaligned_be16(h, at + 20, get_unaligned_be16(b, t + 2));
	put_unaligned_be16(h, at + 22, get_unaligned_be16(b, t));
	h[at + 32] = 5 << 4;
	if ((flags & TH_ACK) !== 0) {
		put_unaligned_be32(h, at + 24, get_unaligned_be32(b, t + 8));
		h[at + 33] = TH_RST;
	} else {
		const doff = (b[t + 12] >> 4) * 4;
		const len = oldskb.len - (t - oldskb.data) - doff;
		const extra = ((flags & TH_SYN) !== 0 ? 1 : 0) + ((flags & TH_FIN) !== 0 ? 1 : 0);
		put_unaligned_be32(h, at + 28, (get_unaligned_be32(b, t + 4) + extra + len) >>> 0);
		h[at + 33] = TH_RST | TH_ACK;
	}
	const sum = csum_tcpudp_nofold(saddr, daddr, 20, IPPROTO_TCP, 0);
	let folded = (sum & 0xffff) + (sum >>> 16);
	folded = (folded & 0xffff) + (folded >>> 16);
	put_unaligned_be16(h, at + 36, folded);
	nskb.ip_summed = CHECKSUM_PARTIAL;
	nskb.csum_start = at + 20;
	nskb.csum_offset = 16;

	if (ip_route_me_harder(net, sk, nskb, RTN_UNSPEC) < 0) {
		consume_skb(nskb);
		return;
	}
	nskb.head[nskb.network_header + 8] = ip4_dst_hoplimit(nskb._skb_refdst!);
	ip_send_check(nskb);
	nf_ct_attach(nskb, oldskb);
	if (oldskb.journey !== null) trace_event(oldskb, 'note', 'nf_send_reset', { sent: 'tcp-reset' });
	ip_local_out(net, nskb.sk, nskb);
}
