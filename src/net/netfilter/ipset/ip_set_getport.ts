/*
 * net/netfilter/ipset/ip_set_getport.ts: a packet's port, as sets know it.          Linux: net/netfilter/ipset/ip_set_getport.c
 */
import { get_unaligned_be16 } from '../../../lib/byteorder.ts';
import { pskb_may_pull, type sk_buff } from '../../core/skbuff.ts';
import { type ip_set_elem, ip_set_proto_with_ports } from './ip_set.ts';

const IPPROTO_ICMP = 1;

/** Fills in proto and port: of TCP, UDP, SCTP and UDP-Lite a port, of ICMP type and code, of others 0. Return: whether there is one. */
export function ip_set_get_ip4_port(skb: sk_buff, src: boolean, e: ip_set_elem): boolean {
	const h = skb.network_header;
	const proto = skb.head[h + 9];
	const off = h - skb.data + (skb.head[h] & 15) * 4;
	e.proto = proto;
	e.port = 0;
	const ports = ip_set_proto_with_ports(proto);
	if ((get_unaligned_be16(skb.head, h + 6) & 0x1fff) !== 0) return !ports && proto !== IPPROTO_ICMP;
	if (ports) {
		if (!pskb_may_pull(skb, off + 4)) return false;
		e.port = get_unaligned_be16(skb.head, skb.data + off + (src ? 0 : 2));
	} else if (proto === IPPROTO_ICMP) {
		if (!pskb_may_pull(skb, off + 2)) return false;
		e.port = get_unaligned_be16(skb.head, skb.data + off);
	}
	return true;
}
