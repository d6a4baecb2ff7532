/*
 * net/netfilter/xt_rpfilter.ts: match rpfilter: would an answer leave by the device the packet came by?    Linux: net/ipv4/netfilter/ipt_rpfilter.c
 * RFC 3704 2.2, 2.3 (strict and loose reverse path tests).
 */
import type { Machine } from '../../kernel/machine.ts';
import { printk } from '../../kernel/printk.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOOPBACK } from '../../uapi/linux/if.ts';
import { PACKET_LOOPBACK } from '../../uapi/linux/if_packet.ts';
import {
	XT_RPFILTER_ACCEPT_LOCAL,
	XT_RPFILTER_INVERT,
	XT_RPFILTER_LOOSE,
	XT_RPFILTER_VALID_MARK,
	xt_rpfilter_info,
} from '../../uapi/linux/netfilter/xt_rpfilter.ts';
import { NF_INET_PRE_ROUTING, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { RT_SCOPE_UNIVERSE, RTN_LOCAL, RTN_UNICAST } from '../../uapi/linux/rtnetlink.ts';
import { flowi4 } from '../core/flow.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { fib_info_nh_uses_dev, fib_lookup } from '../ipv4/fib_frontend.ts';
import { fib_result } from '../ipv4/fib_lookup.ts';
import { ip_hdr_daddr, ip_hdr_saddr, ip_hdr_tos } from '../ipv4/ip.ts';
import { ipv4_is_lbcast, ipv4_is_local_multicast, ipv4_is_multicast, ipv4_is_zeronet } from '../ipv4/route.ts';
import { type xt_action_param, type xt_mtchk_param, xt_register_match } from './x_tables.ts';

interface rpfilter_info {
	flags: number;
}

function rpfilter_parse(b: Uint8Array): rpfilter_info {
	return { flags: b[xt_rpfilter_info.flags] };
}

function rpfilter_lookup_reverse(skb: sk_buff, flags: number): boolean {
	const dev = skb.dev!;
	const fl4 = new flowi4();
	const res = new fib_result();
	const daddr = ip_hdr_daddr(skb);
	fl4.flowi4_iif = 1; // LOOPBACK_IFINDEX
	fl4.daddr = ip_hdr_saddr(skb);
	// No address of ours to answer from.
	fl4.saddr = ipv4_is_multicast(daddr) || ipv4_is_lbcast(daddr) || ipv4_is_zeronet(daddr) ? 0 : daddr;
	fl4.flowi4_mark = (flags & XT_RPFILTER_VALID_MARK) !== 0 ? skb.mark : 0;
	fl4.flowi4_dscp = ip_hdr_tos(skb) & 0xfc;
	fl4.flowi4_scope = RT_SCOPE_UNIVERSE;
	if (fib_lookup(dev.net, fl4, res, 0) !== 0) return false;
	if (res.type !== RTN_UNICAST && (res.type !== RTN_LOCAL || (flags & XT_RPFILTER_ACCEPT_LOCAL) === 0)) return false;
	return fib_info_nh_uses_dev(res.fi!, dev) || (flags & XT_RPFILTER_LOOSE) !== 0;
}

function rpfilter_mt(skb: sk_buff, par: xt_action_param): boolean {
	const { flags } = par.matchinfo as rpfilter_info;
	const invert = (flags & XT_RPFILTER_INVERT) !== 0;
	if (skb.pkt_type === PACKET_LOOPBACK || (skb.dev!.flags & IFF_LOOPBACK) !== 0) return !invert;
	// A host that has no address yet asks for one, or speaks to a group of its link (RFC 2131 4.1, RFC 5771 4).
	const daddr = ip_hdr_daddr(skb);
	if (ipv4_is_zeronet(ip_hdr_saddr(skb)) && (ipv4_is_lbcast(daddr) || ipv4_is_local_multicast(daddr))) return !invert;
	return rpfilter_lookup_reverse(skb, flags) !== invert;
}

function rpfilter_check(par: xt_mtchk_param): number {
	const { flags } = par.matchinfo as rpfilter_info;
	if ((flags & ~0xf) !== 0) {
		printk(par.net.machine, 6, 'ipt_rpfilter: unknown options');
		return -EINVAL;
	}
	if (par.table !== 'mangle' && par.table !== 'raw') {
		printk(par.net.machine, 6, `ipt_rpfilter: only valid in 'raw' or 'mangle' table, not '${par.table}'`);
		return -EINVAL;
	}
	return 0;
}

export function rpfilter_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'rpfilter',
		revision: 0,
		family: NFPROTO_IPV4,
		matchsize: xt_rpfilter_info.sizeof,
		hooks: 1 << NF_INET_PRE_ROUTING,
		parse: rpfilter_parse,
		match: rpfilter_mt,
		checkentry: rpfilter_check,
	});
}
