/*
 * net/ipv4/netfilter.ts: a route for a packet that netfilter has changed.   Linux: net/ipv4/netfilter.c
 */
import { ENOBUFS } from '../../uapi/asm-generic/errno.ts';
import { RTN_LOCAL, RTN_UNICAST, RTN_UNSPEC } from '../../uapi/linux/rtnetlink.ts';
import type { dst_entry } from '../core/dst.ts';
import { FLOWI_FLAG_ANYSRC, flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import { pskb_expand_head, type sk_buff, skb_headroom } from '../core/skbuff.ts';
import type { sock } from '../core/sock.ts';
import { inet_addr_type_dev_table } from './fib_frontend.ts';
import { ip_hdr_daddr, ip_hdr_saddr, ip_hdr_tos } from './ip.ts';
import { ip_route_output_flow } from './route.ts';
import { trace_output_route } from './route_trace.ts';

/**
 * Routes a packet of ours anew by its header and mark; `addr_type`: of its source, RTN_UNSPEC to look. Borrows skb.
 * Return: 0 or -errno.
 */
export function ip_route_me_harder(net: net, sk: sock | null, skb: sk_buff, addr_type: number): number {
	const old = skb._skb_refdst as dst_entry;
	const dev = old.dev;
	let saddr = ip_hdr_saddr(skb);
	const type = addr_type === RTN_UNSPEC ? inet_addr_type_dev_table(net, dev, saddr) : addr_type;
	const fl4 = new flowi4();
	// A source that is not ours is only right when the socket may lie; a broadcast one never is.
	if (type !== RTN_LOCAL && type !== RTN_UNICAST) saddr = 0;
	if (type !== RTN_LOCAL) fl4.flowi4_flags = FLOWI_FLAG_ANYSRC;
	fl4.daddr = ip_hdr_daddr(skb);
	fl4.saddr = saddr;
	fl4.flowi4_dscp = ip_hdr_tos(skb) & 0xfc;
	fl4.flowi4_oif = sk !== null ? sk.sk_bound_dev_if : 0;
	fl4.flowi4_iif = 1;
	fl4.flowi4_mark = skb.mark;
	const rt = ip_route_output_flow(net, fl4, sk);
	if (typeof rt === 'number') return rt;
	skb._skb_refdst = rt;
	if (skb.journey !== null) trace_output_route(skb, 'ip_route_me_harder');
	if (rt.error !== 0) return rt.error;
	const hh_len = rt.dev.hard_header_len;
	if (skb_headroom(skb) < hh_len && pskb_expand_head(skb, (hh_len - skb_headroom(skb) + 31) & ~31, 0) < 0)
		return -ENOBUFS;
	return 0;
}
