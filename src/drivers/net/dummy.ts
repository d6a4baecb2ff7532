/*
 * drivers/net/dummy.ts: takes every packet and sends none.         Linux: drivers/net/dummy.c
 */

import type { Machine } from '../../kernel/machine.ts';
import { NL_SET_ERR_MSG, type netlink_ext_ack, nla_data, type nlattr_table } from '../../lib/nlattr.ts';
import { netif_carrier_off, netif_carrier_on, unregister_netdevice } from '../../net/core/dev.ts';
import {
	IFF_LIVE_ADDR_CHANGE,
	IFF_NO_QUEUE,
	IFF_TX_SKB_SHARING,
	NETDEV_TX_OK,
	NETIF_F_FRAGLIST,
	NETIF_F_GSO_ACCECN,
	NETIF_F_GSO_FRAGLIST,
	NETIF_F_GSO_GRE_IPXIP,
	NETIF_F_GSO_SCTP,
	NETIF_F_GSO_UDP_L4,
	NETIF_F_GSO_UDP_TUNNEL,
	NETIF_F_HIGHDMA,
	NETIF_F_HW_CSUM,
	NETIF_F_SG,
	NETIF_F_TSO,
	NETIF_F_TSO_ECN,
	NETIF_F_TSO_MANGLEID,
	NETIF_F_TSO6,
	type net_device,
	net_device_ops,
} from '../../net/core/netdevice.ts';
import { RTNL_LINK_OPS_NONE, type rtnl_link_ops, rtnl_link_register } from '../../net/core/rtnetlink.ts';
import { consume_skb, type sk_buff } from '../../net/core/skbuff.ts';
import { eth_hw_addr_random, eth_mac_addr, ether_setup, is_valid_ether_addr } from '../../net/ethernet/eth.ts';
import { type ethtool_drvinfo, ethtool_op_get_link, ethtool_ops } from '../../net/ethtool/ethtool.ts';
import { EADDRNOTAVAIL, EINVAL } from '../../uapi/asm-generic/errno.ts';
import { IFF_MULTICAST, IFF_NOARP } from '../../uapi/linux/if.ts';
import { IFLA_ADDRESS } from '../../uapi/linux/if_link.ts';

const DUMMY_FEATURES: number =
	NETIF_F_SG |
	NETIF_F_FRAGLIST |
	NETIF_F_TSO |
	NETIF_F_TSO6 |
	NETIF_F_TSO_ECN |
	NETIF_F_TSO_MANGLEID |
	NETIF_F_GSO_ACCECN |
	NETIF_F_GSO_SCTP |
	NETIF_F_GSO_UDP_L4 |
	NETIF_F_GSO_FRAGLIST |
	NETIF_F_GSO_GRE_IPXIP |
	NETIF_F_GSO_UDP_TUNNEL |
	NETIF_F_HW_CSUM |
	NETIF_F_HIGHDMA;

/** Context: process or softirq; consumes skb. */
function dummy_xmit(skb: sk_buff, dev: net_device): number {
	dev.stats.tx_packets++;
	dev.stats.tx_bytes += skb.len;
	consume_skb(skb);
	return NETDEV_TX_OK;
}

function dummy_change_carrier(dev: net_device, carrier: boolean): number {
	if (carrier) netif_carrier_on(dev);
	else netif_carrier_off(dev);
	return 0;
}

function set_multicast_list(_dev: net_device): void {}

const dummy_netdev_ops: net_device_ops = new net_device_ops();
dummy_netdev_ops.ndo_start_xmit = dummy_xmit;
dummy_netdev_ops.ndo_set_rx_mode = set_multicast_list;
dummy_netdev_ops.ndo_set_mac_address = eth_mac_addr;
dummy_netdev_ops.ndo_change_carrier = dummy_change_carrier;

function dummy_get_drvinfo(_dev: net_device, info: ethtool_drvinfo): void {
	info.driver = 'dummy';
}

const dummy_ethtool_ops: ethtool_ops = new ethtool_ops();
dummy_ethtool_ops.get_drvinfo = dummy_get_drvinfo;
dummy_ethtool_ops.get_link = ethtool_op_get_link;

function dummy_setup(dev: net_device): void {
	ether_setup(dev);
	dev.netdev_ops = dummy_netdev_ops;
	dev.ethtool_ops = dummy_ethtool_ops;
	dev.flags |= IFF_NOARP;
	dev.flags &= ~IFF_MULTICAST;
	dev.priv_flags &= ~IFF_TX_SKB_SHARING;
	dev.priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE;
	dev.lltx = true;
	dev.features = DUMMY_FEATURES;
	dev.hw_features = DUMMY_FEATURES;
	dev.kind = 'dummy';
	dev.min_mtu = 0;
	dev.max_mtu = 0;
	eth_hw_addr_random(dev);
}

function dummy_validate(tb: nlattr_table, _data: nlattr_table | null, extack: netlink_ext_ack | null): number {
	const addr = tb[IFLA_ADDRESS];
	if (addr === null || addr === undefined) return 0;
	if (addr.len !== 6) {
		NL_SET_ERR_MSG(extack, 'Invalid Ethernet address length');
		return -EINVAL;
	}
	return is_valid_ether_addr(nla_data(addr)) ? 0 : -EADDRNOTAVAIL;
}

const dummy_link_ops: rtnl_link_ops = {
	...RTNL_LINK_OPS_NONE,
	kind: 'dummy',
	setup: dummy_setup,
	validate: dummy_validate,
	dellink: unregister_netdevice,
};

/** Boot: after rtnetlink_init. */
export function dummy_init(machine: Machine): void {
	rtnl_link_register(machine, dummy_link_ops);
}
