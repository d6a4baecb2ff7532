/*
 * boot/start_kernel.ts: boots a machine: every room's init, in the one order that works.   Linux: init/main.c and the initcalls
 * Walk: the bare kernel, net/core, the Internet family, netfilter, drivers last: a device that registers finds everybody listening.
 */
import { dummy_init } from '../drivers/net/dummy.ts';
import { loopback_init } from '../drivers/net/loopback.ts';
import { veth_init } from '../drivers/net/veth.ts';
import type { Machine } from '../kernel/machine.ts';
import { sysctl_root } from '../kernel/sysctl.ts';
import { net_dev_init } from '../net/core/dev.ts';
import { neigh_netlink_init } from '../net/core/neigh_netlink.ts';
import { neigh_init } from '../net/core/neighbour.ts';
import { net_ns_init } from '../net/core/net_namespace.ts';
import { dev_proc_init } from '../net/core/net-procfs.ts';
import { net_sysfs_init } from '../net/core/net-sysfs.ts';
import { rtnetlink_init } from '../net/core/rtnetlink.ts';
import { skb_init } from '../net/core/skbuff.ts';
import { sysctl_core_init } from '../net/core/sysctl_net_core.ts';
import { af_inet_init } from '../net/ipv4/af_inet.ts';
import { arp_init } from '../net/ipv4/arp.ts';
import { devinet_init } from '../net/ipv4/devinet.ts';
import { ip_fib_init } from '../net/ipv4/fib_frontend.ts';
import { icmp_init } from '../net/ipv4/icmp.ts';
import { igmp_init } from '../net/ipv4/igmp.ts';
import { ipfrag_init } from '../net/ipv4/ip_fragment.ts';
import { ip_packet_init } from '../net/ipv4/ip_input.ts';
import { ipv4_offload_init } from '../net/ipv4/ip_offload.ts';
import { iptables_init } from '../net/ipv4/netfilter/iptables_init.ts';
import { netns_ipv4_init } from '../net/ipv4/netns.ts';
import { ping_init } from '../net/ipv4/ping.ts';
import { ip_misc_proc_init } from '../net/ipv4/proc.ts';
import { raw_init } from '../net/ipv4/raw.ts';
import { ip_rt_init } from '../net/ipv4/route.ts';
import { sysctl_ipv4_init } from '../net/ipv4/sysctl_net_ipv4.ts';
import { tcp_init } from '../net/ipv4/tcp_ipv4.ts';
import { udp_init } from '../net/ipv4/udp_output.ts';
import { addrconf_init } from '../net/ipv6/addrconf.ts';
import { addrconf_core_init } from '../net/ipv6/addrconf_core.ts';
import { ipv6_packet_init } from '../net/ipv6/ip6_input.ts';
import { ipv6_misc_proc_init } from '../net/ipv6/proc.ts';
import { llc_init } from '../net/llc/llc_input.ts';
import { netfilter_init } from '../net/netfilter/core.ts';
import { ctnetlink_init } from '../net/netfilter/nf_conntrack_netlink.ts';
import { nf_conntrack_standalone_init } from '../net/netfilter/nf_conntrack_standalone.ts';
import { nf_nat_init } from '../net/netfilter/nf_nat_core.ts';
import { nf_nat_masquerade_init } from '../net/netfilter/nf_nat_masquerade.ts';
import { nfnetlink_init } from '../net/netfilter/nfnetlink.ts';
import { netlink_proto_init } from '../net/netlink/af_netlink.ts';
import { genl_init } from '../net/netlink/genetlink.ts';
import { packet_init } from '../net/packet/af_packet.ts';
import { sch_api_init } from '../net/sched/sch_api.ts';
import { sch_fifo_init } from '../net/sched/sch_fifo.ts';
import { sock_init } from '../net/socket.ts';

export function start_kernel(machine: Machine): void {
	skb_init(machine);
	machine.sysctl = new sysctl_root();
	net_ns_init(machine);
	sock_init(machine);
	netfilter_init(machine);
	netlink_proto_init(machine);
	net_dev_init(machine);
	dev_proc_init(machine);
	net_sysfs_init(machine);
	sysctl_core_init(machine);
	rtnetlink_init(machine);
	genl_init(machine);
	sch_fifo_init(machine);
	sch_api_init(machine);
	addrconf_core_init(machine);
	neigh_init(machine);
	neigh_netlink_init(machine);

	af_inet_init(machine);
	netns_ipv4_init(machine);
	ipv4_offload_init(machine);
	arp_init(machine);
	ip_rt_init(machine);
	devinet_init(machine);
	ip_fib_init(machine);
	sysctl_ipv4_init(machine);
	tcp_init(machine);
	udp_init(machine);
	raw_init(machine);
	ping_init(machine);
	icmp_init(machine);
	igmp_init(machine);
	ipfrag_init(machine);
	ip_misc_proc_init(machine);
	ip_packet_init(machine);
	addrconf_init(machine);
	ipv6_misc_proc_init(machine);
	ipv6_packet_init(machine);
	llc_init(machine);
	packet_init(machine);

	nf_conntrack_standalone_init(machine);
	nf_nat_init(machine);
	nf_nat_masquerade_init(machine);
	nfnetlink_init(machine);
	ctnetlink_init(machine);
	iptables_init(machine);

	veth_init(machine);
	dummy_init(machine);
	loopback_init(machine);
}
