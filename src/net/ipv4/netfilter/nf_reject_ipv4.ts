/*
 * net/ipv4/netfilter/nf_reject_ipv4.ts: refusing a packet: an ICMP error, or a TCP reset.      Linux: net/ipv4/netfilter/nf_reject_ipv4.c
 *
 * RFC 1122 3.2.2 (ICMP errors), RFC 9293 3.10.7.1 (resets to what has no connection). A packet whose own checksum is bad is not
 * answered: its addresses may be wrong.
 * Not here yet: rejecting on bridges and devices (no route), REJECT from PREROUTING (nf_tables only).
 */
import { trace_event } from '../../../kernel/trace.ts';
import {
	get_unaligned_be16,
	get_unaligned_be32,
	put_unaligned_be16,
	put_unaligned_be32,
} from '../../../lib/byteorder.ts';
import { csum_tcpudp_magic } from '../../../lib/checksum.ts';
import { ICMP_DEST_UNREACH } from '../../../uapi/linux/icmp.ts';
import { ETH_P_IP } from '../../../uapi/linux/if_ether.ts';
import { IPCT_PROTOINFO, IPS_FIXED_TIMEOUT } from '../../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { TCP_CONNTRACK_CLOSE } from '../../../uapi/linux/netfilter/nf_conntrack_tcp.ts';
import { RTN_UNSPEC } from '../../../uapi/linux/rtnetlink.ts';
import {
	IPPROTO_AH,
	IPPROTO_ESP,
	IPPROTO_GRE,
	IPPROTO_SCTP,
	IPPROTO_TCP,
	IPPROTO_UDP,
	IPPROTO_UDPLITE,
} from '../../../uapi/linux/socket.ts';
import { dst_mtu } from '../../core/dst.ts';
import type { net } from '../../core/net_namespace.ts';
import {
	alloc_skb,
	CHECKSUM_PARTIAL,
	CHECKSUM_UNNECESSARY,
	kfree_skb,
	type sk_buff,
	skb_copy_bits,
	skb_put,
	skb_reserve,
	skb_reset_network_header,
	skb_reset_transport_header,
} from '../../core/skbuff.ts';
import type { sock } from '../../core/sock.ts';
import { nf_conntrack_event_cache, nf_ct_attach, nf_ct_refresh } from '../../netfilter/nf_conntrack_core.ts';
import { nf_ip_checksum } from '../../netfilter/utils.ts';
import { icmp_send } from '../icmp.ts';
import {
	IP_DF,
	IP_OFFSET,
	ip_hdr_daddr,
	ip_hdr_frag_off,
	ip_hdr_protocol,
	ip_hdr_saddr,
	ip_hdrlen,
	ip_ntop,
	ip4_dst_hoplimit,
} from '../ip.ts';
import { IP4_REPLY_MARK } from '../ip_append.ts';
import { ip_local_out } from '../ip_output.ts';
import { ip_route_me_harder } from '../netfilter.ts';
import { RTCF_BROADCAST, RTCF_MULTICAST, skb_rtable } from '../route.ts';

/** Room for the link layer's header. */
const LL_MAX_HEADER = 128;
const TCP_HDR = 20;
const TH_FIN = 0x01;
const TH_SYN = 0x02;
const TH_RST = 0x04;
const TH_ACK = 0x10;

function reject_not(skb: sk_buff, why: string): void {
	if (skb.journey !== null) trace_event(skb, 'note', 'nf_reject', { sent: false, why });
}

/** Whether the packet's protocol has a checksum over all of its payload that can be looked at. `dataoff`: from skb.data. */
function nf_reject_verify_csum(skb: sk_buff, dataoff: number, proto: number): boolean {
	switch (proto) {
		case IPPROTO_UDP: {
			// RFC 768: 0 is none.
			const h = new Uint8Array(8);
			return skb_copy_bits(skb, dataoff, h, 0, 8) < 0 || h[6] !== 0 || h[7] !== 0;
		}
		case IPPROTO_GRE:
		case IPPROTO_AH:
		case IPPROTO_ESP:
		case IPPROTO_SCTP:
		case IPPROTO_UDPLITE:
			return false;
		default:
			return true;
	}
}

/** Answers the packet with destination unreachable. Borrows skb_in. Context: LOCAL_IN, FORWARD, LOCAL_OUT. */
export function nf_send_unreach(skb_in: sk_buff, code: number, hook: number): void {
	if ((ip_hdr_frag_off(skb_in) & IP_OFFSET) !== 0) {
		reject_not(skb_in, 'not the first fragment');
		return;
	}
	const dataoff = skb_in.network_header - skb_in.data + ip_hdrlen(skb_in);
	const proto = ip_hdr_protocol(skb_in);
	const unneeded = skb_in.ip_summed === CHECKSUM_UNNECESSARY || skb_in.ip_summed === CHECKSUM_PARTIAL;
	if (
		!unneeded &&
		nf_reject_verify_csum(skb_in, dataoff, proto) &&
		nf_ip_checksum(skb_in, hook, dataoff, proto) !== 0
	) {
		reject_not(skb_in, 'its checksum is bad');
		return;
	}
	icmp_send(skb_in, ICMP_DEST_UNREACH, code, 0);
}

/** The TCP header of a packet that may be reset, or null. */
function nf_reject_ip_tcphdr_get(oldskb: sk_buff, hook: number): Uint8Array | null {
	if ((ip_hdr_frag_off(oldskb) & IP_OFFSET) !== 0) {
		reject_not(oldskb, 'not the first fragment');
		return null;
	}
	const dataoff = oldskb.network_header - oldskb.data + ip_hdrlen(oldskb);
	const oth = new Uint8Array(TCP_HDR);
	if (skb_copy_bits(oldskb, dataoff, oth, 0, TCP_HDR) < 0) {
		reject_not(oldskb, 'too short for a TCP header');
		return null;
	}
	// RFC 9293 3.5.2: a reset is never answered by a reset.
	if ((oth[13] & TH_RST) !== 0) {
		reject_not(oldskb, 'is a reset itself');
		return null;
	}
	if (nf_ip_checksum(oldskb, hook, dataoff, ip_hdr_protocol(oldskb)) !== 0) {
		reject_not(oldskb, 'its checksum is bad');
		return null;
	}
	return oth;
}

/** Writes the reset behind the IP header. */
function nf_reject_ip_tcphdr_put(nskb: sk_buff, oldskb: sk_buff, oth: Uint8Array): void {
	skb_reset_transport_header(nskb);
	const t = skb_put(nskb, TCP_HDR);
	const b = nskb.head;
	b.fill(0, t, t + TCP_HDR);
	put_unaligned_be16(b, t, get_unaligned_be16(oth, 2));
	put_unaligned_be16(b, t + 2, get_unaligned_be16(oth, 0));
	b[t + 12] = 5 << 4;
	if ((oth[13] & TH_ACK) !== 0) {
		put_unaligned_be32(b, t + 4, get_unaligned_be32(oth, 8));
		b[t + 13] = TH_RST;
	} else {
		const flags = ((oth[13] & TH_SYN) !== 0 ? 1 : 0) + ((oth[13] & TH_FIN) !== 0 ? 1 : 0);
		const from = oldskb.network_header - oldskb.data;
		const payload = oldskb.len - from - ip_hdrlen(oldskb) - (oth[12] >> 4) * 4;
		put_unaligned_be32(b, t + 8, (get_unaligned_be32(oth, 4) + flags + payload) >>> 0);
		b[t + 13] = TH_RST | TH_ACK;
	}
	// The device, or dev_queue_xmit, sums the rest.
	const pseudo = ~csum_tcpudp_magic(ip_hdr_saddr(nskb), ip_hdr_daddr(nskb), TCP_HDR, IPPROTO_TCP, 0) & 0xffff;
	put_unaligned_be16(b, t + 16, pseudo);
	nskb.ip_summed = CHECKSUM_PARTIAL;
	nskb.csum_start = t;
	nskb.csum_offset = 16;
}

/** The flow is over for whoever sent the packet. */
function nf_ct_set_closing(skb: sk_buff): void {
	const ct = skb._nfct;
	if (ct === null || ct.tcp === null) return;
	const old = ct.tcp.state;
	ct.tcp.state = TCP_CONNTRACK_CLOSE;
	if (old === TCP_CONNTRACK_CLOSE || (ct.status & IPS_FIXED_TIMEOUT) !== 0) return;
	nf_ct_refresh(ct, ct.net.ct.tcp.timeouts[TCP_CONNTRACK_CLOSE]);
	nf_conntrack_event_cache(IPCT_PROTOINFO, ct);
}

/** Answers a TCP segment with a reset, in the name of its receiver. Borrows oldskb. */
export function nf_send_reset(net: net, sk: sock | null, oldskb: sk_buff, hook: number): void {
	const oth = nf_reject_ip_tcphdr_get(oldskb, hook);
	if (oth === null) return;
	const rt = skb_rtable(oldskb);
	if (rt === null || (rt.rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) {
		reject_not(oldskb, 'sent to a broadcast or multicast address');
		return;
	}
	const nskb = alloc_skb(oldskb.machine, 20 + TCP_HDR + LL_MAX_HEADER, oldskb);
	// ip_route_me_harder asks the old route for the device.
	nskb._skb_refdst = rt;
	nskb.mark = IP4_REPLY_MARK(net, oldskb.mark);
	skb_reserve(nskb, LL_MAX_HEADER);
	skb_reset_network_header(nskb);
	const n = skb_put(nskb, 20);
	const b = nskb.head;
	b.fill(0, n, n + 20);
	b[n] = 0x45;
	put_unaligned_be16(b, n + 6, IP_DF);
	b[n + 8] = ip4_dst_hoplimit(rt);
	b[n + 9] = IPPROTO_TCP;
	put_unaligned_be32(b, n + 12, ip_hdr_daddr(oldskb));
	put_unaligned_be32(b, n + 16, ip_hdr_saddr(oldskb));
	nskb.protocol = ETH_P_IP;
	nf_reject_ip_tcphdr_put(nskb, oldskb, oth);
	if (ip_route_me_harder(net, sk, nskb, RTN_UNSPEC) < 0) {
		reject_not(oldskb, 'no route back');
		kfree_skb(nskb, 'nf_send_reset');
		return;
	}
	if (nskb.len > dst_mtu(nskb._skb_refdst!)) {
		kfree_skb(nskb, 'nf_send_reset');
		return;
	}
	if (oldskb.journey !== null)
		trace_event(oldskb, 'note', 'nf_send_reset', {
			sent: true,
			from: ip_ntop(ip_hdr_saddr(nskb)),
			to: ip_ntop(ip_hdr_daddr(nskb)),
		});
	nf_ct_attach(nskb, oldskb);
	nf_ct_set_closing(oldskb);
	ip_local_out(net, nskb.sk, nskb);
}
