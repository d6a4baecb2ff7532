/*
 * net/netfilter/xt_TPROXY.ts: target TPROXY: hands a flow to a local socket, its addresses unchanged.    Linux: net/netfilter/xt_TPROXY.c
 * The proxy's socket is transparent (IP_TRANSPARENT), and a rule on the mark routes the packet here.
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { trace_event } from '../../kernel/trace.ts';
import { get_unaligned_be16, get_unaligned_be32, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { xt_tproxy_target_info_v1 } from '../../uapi/linux/netfilter/xt_TPROXY.ts';
import { NF_ACCEPT, NF_DROP, NF_INET_PRE_ROUTING, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/linux/socket.ts';
import type { net } from '../core/net_namespace.ts';
import { type sk_buff, skb_copy_bits, skb_orphan } from '../core/skbuff.ts';
import { type inet_ehash_entry, is_timewait } from '../ipv4/inet_hashtables.ts';
import { ip_hdr_daddr, ip_hdr_protocol, ip_hdr_saddr, ip_ntop } from '../ipv4/ip.ts';
import { nf_defrag_ipv4_disable, nf_defrag_ipv4_enable } from '../ipv4/netfilter/nf_defrag_ipv4.ts';
import {
	full_sock,
	inet_sk_transparent,
	NF_TPROXY_LOOKUP_ESTABLISHED,
	NF_TPROXY_LOOKUP_LISTENER,
	nf_tproxy_get_sock_v4,
} from './nf_socket_ipv4.ts';
import { type xt_action_param, xt_register_target, type xt_tgchk_param } from './x_tables.ts';

interface tproxy_info {
	mark_mask: number;
	mark_value: number;
	laddr: number;
	lport: number;
}

function tproxy_parse(b: Uint8Array): tproxy_info {
	const o = xt_tproxy_target_info_v1;
	return {
		mark_mask: get_unaligned_le32(b, o.mark_mask),
		mark_value: get_unaligned_le32(b, o.mark_value),
		laddr: get_unaligned_be32(b, o.laddr),
		lport: get_unaligned_be16(b, o.lport),
	};
}

/** Where the proxy listens: as the rule says, else on the device's first address. */
function nf_tproxy_laddr4(skb: sk_buff, user_laddr: number, daddr: number): number {
	if (user_laddr !== 0) return user_laddr;
	const in_dev = skb.dev!.ip_ptr;
	const ifa = in_dev === null ? null : in_dev.ifa_list;
	return ifa !== null ? ifa.ifa_local : daddr;
}

const TH_SYN = 2;
const TH_RST = 4;
const TH_ACK = 16;

function tproxy_tg4(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as tproxy_info;
	const n = par.state.net;
	const proto = ip_hdr_protocol(skb);
	const hdr = new Uint8Array(proto === IPPROTO_TCP ? 20 : 8);
	if (skb_copy_bits(skb, skb.network_header - skb.data + par.thoff, hdr, 0, hdr.length) < 0) return NF_DROP;
	const saddr = ip_hdr_saddr(skb);
	const daddr = ip_hdr_daddr(skb);
	const sport = get_unaligned_be16(hdr, 0);
	const dport = get_unaligned_be16(hdr, 2);
	const dev = skb.dev!;
	const laddr = nf_tproxy_laddr4(skb, info.laddr, daddr);
	const lport = info.lport !== 0 ? info.lport : dport;
	let sk: inet_ehash_entry | null = nf_tproxy_get_sock_v4(
		n,
		proto,
		saddr,
		daddr,
		sport,
		dport,
		dev,
		NF_TPROXY_LOOKUP_ESTABLISHED,
	);
	// RFC 9293 3.6.1: a SYN may open anew what is in TIME-WAIT: then it is the listener's.
	const reopens = proto === IPPROTO_TCP && (hdr[13] & (TH_SYN | TH_RST | TH_ACK)) === TH_SYN;
	if (sk === null || (is_timewait(sk) && reopens)) {
		const listener = nf_tproxy_get_sock_v4(n, proto, saddr, laddr, sport, lport, dev, NF_TPROXY_LOOKUP_LISTENER);
		if (listener !== null) sk = listener;
	}
	if (sk === null || !inet_sk_transparent(sk)) {
		if (skb.journey !== null)
			trace_event(skb, 'note', 'tproxy_tg4', { why: `no transparent socket at ${ip_ntop(laddr)}:${lport}` });
		return NF_DROP;
	}
	skb.mark = ((skb.mark & ~info.mark_mask) ^ info.mark_value) >>> 0;
	const full = full_sock(sk);
	skb_orphan(skb);
	// What is no socket proper (a request, TIME-WAIT) the receiving side finds again by the packet's own addresses.
	if (full !== null) skb.sk = full;
	if (skb.journey !== null)
		trace_event(skb, 'note', 'tproxy_tg4', { to: `${ip_ntop(laddr)}:${lport}`, mark: skb.mark });
	return NF_ACCEPT;
}

function tproxy_tg4_check(par: xt_tgchk_param): number {
	if ((par.proto !== IPPROTO_TCP && par.proto !== IPPROTO_UDP) || par.invproto) {
		printk(par.net.machine, 6, 'xt_TPROXY: Can be used only with -p tcp or -p udp');
		return -EINVAL;
	}
	return nf_defrag_ipv4_enable(par.net);
}

function tproxy_tg4_destroy(net: net, _info: unknown): void {
	nf_defrag_ipv4_disable(net);
}

export function tproxy_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'TPROXY',
		revision: 1,
		family: NFPROTO_IPV4,
		targetsize: xt_tproxy_target_info_v1.sizeof,
		table: 'mangle',
		hooks: 1 << NF_INET_PRE_ROUTING,
		parse: tproxy_parse,
		target: tproxy_tg4,
		checkentry: tproxy_tg4_check,
		destroy: tproxy_tg4_destroy,
	});
}
