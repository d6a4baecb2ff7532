/*
 * net/ipv6/ip6_input.ts: the door of IPv6, which is closed.         Linux: net/ipv6/ip6_input.c
 * Walk: ipv6_rcv -> ip6_rcv_core: counts, and drops as where disable_ipv6 is set.
 * Not here yet: IPv6.
 */
import type { Machine } from '../../kernel/machine.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { ETH_P_IPV6 } from '../../uapi/linux/if_ether.ts';
import { PACKET_OTHERHOST } from '../../uapi/linux/if_packet.ts';
import { IPSTATS_MIB_INDISCARDS, IPSTATS_MIB_INOCTETS, IPSTATS_MIB_INPKTS } from '../../uapi/linux/snmp.ts';
import { dev_add_pack, NET_RX_DROP, packet_type } from '../core/dev.ts';
import { SKB_DROP_REASON_IPV6DISABLED, SKB_DROP_REASON_OTHERHOST } from '../core/dropreason.ts';
import type { net_device } from '../core/netdevice.ts';
import { kfree_skb_reason, type sk_buff } from '../core/skbuff.ts';

/** What the device layer calls for ETH_P_IPV6. Context: softirq; consumes skb. */
export function ipv6_rcv(skb: sk_buff, dev: net_device, _pt: packet_type, _orig_dev: net_device): number {
	if (skb.journey !== null) trace_fn(skb, 'ipv6_rcv');
	if (skb.pkt_type === PACKET_OTHERHOST) {
		dev.stats.rx_otherhost_dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_OTHERHOST, 'ip6_rcv_core');
		return NET_RX_DROP;
	}
	const stats = dev.net.mib.ipv6_statistics;
	stats[IPSTATS_MIB_INPKTS]++;
	stats[IPSTATS_MIB_INOCTETS] += skb.len;
	stats[IPSTATS_MIB_INDISCARDS]++;
	if (skb.journey !== null) {
		trace_event(skb, 'note', 'ip6_rcv_core', { sysctl: `net.ipv6.conf.${dev.name}.disable_ipv6`, value: 1 });
		trace_event(skb, 'note', 'ip6_rcv_core', { counter: 'Ip6InDiscards' });
	}
	kfree_skb_reason(skb, SKB_DROP_REASON_IPV6DISABLED, 'ip6_rcv_core');
	return NET_RX_DROP;
}

/** Opens the door. */
export function ipv6_packet_init(machine: Machine): void {
	dev_add_pack(machine, new packet_type(ETH_P_IPV6, ipv6_rcv));
}
