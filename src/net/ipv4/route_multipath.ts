/*
 * net/ipv4/route_multipath.ts: the hash that spreads flows over nexthops.   Linux: net/ipv4/route.c: fib_multipath_hash
 * net.ipv4.fib_multipath_hash_policy: 0 addresses; 1 addresses, protocol, ports; 2 as 0 of what is inside a tunnel; 3 the fields of
 * fib_multipath_hash_fields. An ICMP error is hashed as the packet that it is about, so that it takes the same way (RFC 7690).
 * Hash values differ from Linux's (another function, another seed): which flow takes which way is not comparable, how many is.
 * Not here yet: tunnels' inner headers (policy 2 and the inner fields of 3 see the outer header).
 */
import { get_unaligned_be32 } from '../../lib/byteorder.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import { IPPROTO_ICMP } from '../../uapi/linux/socket.ts';
import type { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import { ip_proto_has_ports } from './ip.ts';

const FIELD_SRC_IP = 1 << 0;
const FIELD_DST_IP = 1 << 1;
const FIELD_IP_PROTO = 1 << 2;
const FIELD_SRC_PORT = 1 << 4;
const FIELD_DST_PORT = 1 << 5;

/** ICMP types that quote a packet. */
function is_icmp_error(type: number): boolean {
	return type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
}

/** Where the header is whose addresses count: the packet's own, or the one that an ICMP error quotes. */
function hash_header(skb: sk_buff): number {
	const h = skb.network_header;
	const b = skb.head;
	if (b[h + 9] !== IPPROTO_ICMP || ((b[h + 6] << 8) | b[h + 7]) & 0x1fff) return h;
	const icmp = h + (b[h] & 15) * 4;
	if (!pskb_may_pull(skb, icmp + 8 + 20 - skb.data)) return h;
	// Pulling may have moved the packet to another buffer.
	const h2 = skb.network_header;
	const icmp2 = h2 + (skb.head[h2] & 15) * 4;
	return is_icmp_error(skb.head[icmp2]) ? icmp2 + 8 : h2;
}

function keys_hash(net: net, src: number, dst: number, proto: number, sport: number, dport: number): number {
	const secret = net.ipv4.fib_multipath_hash_secret;
	return jhash_3words(src, dst, jhash_3words(proto, (sport << 16) | dport, 0, secret), secret);
}

/** A flow's hash in 31 bits. `fl4`: for what begins here; `skb`: for what is on its way (then fl4 may be null). */
export function fib_multipath_hash(net: net, fl4: flowi4 | null, skb: sk_buff | null): number {
	const policy = net.ipv4.sysctl_fib_multipath_hash_policy;
	let src = 0;
	let dst = 0;
	let proto = 0;
	let sport = 0;
	let dport = 0;
	if (skb !== null && skb.network_header >= 0 && skb.head[skb.network_header] >> 4 === 4) {
		const h = policy === 1 || policy === 3 ? skb.network_header : hash_header(skb);
		const b = skb.head;
		src = get_unaligned_be32(b, h + 12);
		dst = get_unaligned_be32(b, h + 16);
		if (policy === 1 || policy === 3) {
			proto = b[h + 9];
			const t = h + (b[h] & 15) * 4;
			if ((((b[h + 6] << 8) | b[h + 7]) & 0x3fff) === 0 && ip_proto_has_ports(proto) && t + 4 <= skb.tail) {
				sport = (b[t] << 8) | b[t + 1];
				dport = (b[t + 2] << 8) | b[t + 3];
			}
		}
	} else if (fl4 !== null) {
		src = fl4.saddr;
		dst = fl4.daddr;
		if (policy === 1 || policy === 3) {
			proto = fl4.flowi4_proto;
			sport = fl4.fl4_sport;
			dport = fl4.fl4_dport;
		}
	}
	if (policy === 3) {
		const fields = net.ipv4.sysctl_fib_multipath_hash_fields;
		if ((fields & FIELD_SRC_IP) === 0) src = 0;
		if ((fields & FIELD_DST_IP) === 0) dst = 0;
		if ((fields & FIELD_IP_PROTO) === 0) proto = 0;
		if ((fields & FIELD_SRC_PORT) === 0) sport = 0;
		if ((fields & FIELD_DST_PORT) === 0) dport = 0;
	}
	let h = keys_hash(net, src, dst, proto, sport, dport);
	if (fl4 !== null && fl4.flowi4_multipath_hash !== 0) h = jhash_3words(h, fl4.flowi4_multipath_hash, 0, 0);
	return h >>> 1;
}
