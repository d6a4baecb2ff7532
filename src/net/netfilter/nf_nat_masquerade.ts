/*
 * net/netfilter/nf_nat_masquerade.ts: MASQUERADE: to the address of the device that the packet leaves by.
 *                                                                  Linux: net/netfilter/nf_nat_masquerade.c
 * When the device goes down or loses the address, the flows that use it are forgotten.
 */
import type { Machine } from '../../kernel/machine.ts';
import { KERN_INFO, printk } from '../../kernel/printk.ts';
import { trace_event } from '../../kernel/trace.ts';
import { NF_NAT_RANGE_MAP_IPS } from '../../uapi/linux/netfilter/nf_nat.ts';
import { NF_ACCEPT, NF_DROP } from '../../uapi/linux/netfilter.ts';
import { RT_SCOPE_UNIVERSE } from '../../uapi/linux/rtnetlink.ts';
import { NETDEV_DOWN, register_netdevice_notifier } from '../core/dev.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type in_ifaddr, inet_select_addr, register_inetaddr_notifier } from '../ipv4/devinet.ts';
import { ip_hdr_daddr } from '../ipv4/ip.ts';
import { rt_nexthop, skb_rtable } from '../ipv4/route.ts';
import { type nf_conn, nf_ct_iterate_cleanup } from './nf_conntrack_core.ts';
import { NF_NAT_MANIP_SRC, nf_nat_range2, nf_nat_setup_info } from './nf_nat_core.ts';

/** Gives the packet's flow the address that `out` has towards the next hop. Context: POST_ROUTING; borrows skb. Return: a verdict. */
export function nf_nat_masquerade_ipv4(skb: sk_buff, _hooknum: number, range: nf_nat_range2, out: net_device): number {
	const ct = skb._nfct;
	if (ct === null) return NF_ACCEPT;
	// Sent before it had an address (DHCP).
	if (ct.orig.src_ip === 0) return NF_ACCEPT;
	const rt = skb_rtable(skb);
	const nh = rt !== null ? rt_nexthop(rt, ip_hdr_daddr(skb)) : ip_hdr_daddr(skb);
	const newsrc = inet_select_addr(out, nh, RT_SCOPE_UNIVERSE);
	if (newsrc === 0) {
		printk(skb.machine, KERN_INFO, `${out.name} ate my IP address`);
		if (skb.journey !== null)
			trace_event(skb, 'note', 'nf_nat_masquerade_ipv4', { why: `${out.name} has no address to masquerade as` });
		return NF_DROP;
	}
	ct.masq_index = out.ifindex;
	const r = new nf_nat_range2();
	r.flags = range.flags | NF_NAT_RANGE_MAP_IPS;
	r.min_addr = newsrc;
	r.max_addr = newsrc;
	r.min_proto = range.min_proto;
	r.max_proto = range.max_proto;
	return nf_nat_setup_info(ct, r, NF_NAT_MANIP_SRC);
}

// ---- what ends them ------------------------------------------------------------------------------------------------------------

function device_cmp(ct: nf_conn, data: unknown): boolean {
	return ct.masq_index === data;
}

function inet_cmp(ct: nf_conn, data: unknown): boolean {
	const ifa = data as in_ifaddr;
	return ct.masq_index === ifa.ifa_dev.dev.ifindex && ct.reply.dst_ip >>> 0 === ifa.ifa_address;
}

function masq_device_event(_machine: Machine, event: number, dev: net_device): number {
	if (event === NETDEV_DOWN) nf_ct_iterate_cleanup(dev.net.machine, dev.net, device_cmp, dev.ifindex);
	return 0;
}

function masq_inet_event(net: net, event: number, ifa: in_ifaddr): void {
	if (event === NETDEV_DOWN) nf_ct_iterate_cleanup(net.machine, net, inet_cmp, ifa);
}

export function nf_nat_masquerade_init(machine: Machine): void {
	register_netdevice_notifier(machine, { notifier_call: masq_device_event, priority: 0 });
	register_inetaddr_notifier(machine, masq_inet_event);
}
