/*
 * drivers/net/loopback.ts: lo: what is sent is received.           Linux: drivers/net/loopback.c
 */

import type { Machine } from '../../kernel/machine.ts';
import { netif_rx, register_netdevice } from '../../net/core/dev.ts';
import { type net, register_pernet_subsys } from '../../net/core/net_namespace.ts';
import {
	IFF_LIVE_ADDR_CHANGE,
	IFF_NO_QUEUE,
	NETDEV_TX_OK,
	NETIF_F_FRAGLIST,
	NETIF_F_GSO_ACCECN,
	NETIF_F_GSO_FRAGLIST,
	NETIF_F_GSO_SCTP,
	NETIF_F_GSO_UDP_L4,
	NETIF_F_HIGHDMA,
	NETIF_F_HW_CSUM,
	NETIF_F_LOOPBACK,
	NETIF_F_NETNS_IMMUTABLE,
	NETIF_F_RXCSUM,
	NETIF_F_SCTP_CRC,
	NETIF_F_SG,
	NETIF_F_TSO,
	NETIF_F_TSO_ECN,
	NETIF_F_TSO_MANGLEID,
	NETIF_F_TSO6,
	NETIF_F_VLAN_CHALLENGED,
	net_device,
	net_device_ops,
} from '../../net/core/netdevice.ts';
import { type sk_buff, skb_orphan } from '../../net/core/skbuff.ts';
import { eth_header_ops, eth_mac_addr, eth_type_trans } from '../../net/ethernet/eth.ts';
import { ethtool_op_get_link, ethtool_ops } from '../../net/ethtool/ethtool.ts';
import { IFF_LOOPBACK } from '../../uapi/linux/if.ts';
import { ARPHRD_LOOPBACK } from '../../uapi/linux/if_arp.ts';

const GSO_SOFTWARE =
	NETIF_F_TSO |
	NETIF_F_TSO6 |
	NETIF_F_TSO_ECN |
	NETIF_F_TSO_MANGLEID |
	NETIF_F_GSO_UDP_L4 |
	NETIF_F_GSO_SCTP |
	NETIF_F_GSO_FRAGLIST |
	NETIF_F_GSO_ACCECN;

/** Context: process or softirq; consumes skb. The route goes along: an output route of lo is an input route too. */
function loopback_xmit(skb: sk_buff, dev: net_device): number {
	skb_orphan(skb);
	skb.protocol = eth_type_trans(skb, dev);
	// Without the header: what lo counts is what it received.
	const len = skb.len;
	if (netif_rx(skb) === 0) {
		dev.stats.tx_packets++;
		dev.stats.tx_bytes += len;
		dev.stats.rx_packets++;
		dev.stats.rx_bytes += len;
	}
	return NETDEV_TX_OK;
}

const loopback_ops: net_device_ops = new net_device_ops();
loopback_ops.ndo_start_xmit = loopback_xmit;
loopback_ops.ndo_set_mac_address = eth_mac_addr;

const loopback_ethtool_ops: ethtool_ops = new ethtool_ops();
loopback_ethtool_ops.get_link = ethtool_op_get_link;

function loopback_net_init(net: net): number {
	const dev = new net_device('lo', net, loopback_ops);
	dev.mtu = 64 * 1024;
	dev.min_mtu = 0;
	dev.max_mtu = 0;
	dev.hard_header_len = 14;
	dev.min_header_len = 14;
	dev.addr_len = 6;
	dev.type = ARPHRD_LOOPBACK;
	dev.flags = IFF_LOOPBACK;
	dev.priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE;
	dev.lltx = true;
	dev.broadcast.fill(0);
	dev.hw_features = GSO_SOFTWARE;
	dev.features =
		NETIF_F_SG |
		NETIF_F_FRAGLIST |
		GSO_SOFTWARE |
		NETIF_F_HW_CSUM |
		NETIF_F_RXCSUM |
		NETIF_F_SCTP_CRC |
		NETIF_F_HIGHDMA |
		NETIF_F_NETNS_IMMUTABLE |
		NETIF_F_VLAN_CHALLENGED |
		NETIF_F_LOOPBACK;
	dev.header_ops = eth_header_ops;
	dev.ethtool_ops = loopback_ethtool_ops;
	net.loopback_dev = dev;
	return register_netdevice(dev);
}

function loopback_net_exit(_net: net): void {}

/** A lo for every namespace, the first device in it. */
export function loopback_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'loopback', init: loopback_net_init, exit: loopback_net_exit });
}
