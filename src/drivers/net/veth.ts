/*
 * drivers/net/veth.ts: two devices that are the ends of one wire, each in any namespace.   Linux: drivers/net/veth.c
 * Walk: veth_xmit -> __dev_forward_skb (scrubbed as it changes namespace) -> netif_rx of the peer -> backlog.
 * An end has a carrier while both are up. Not here yet: XDP and the NAPI that goes with it.
 */

import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { NL_SET_ERR_MSG, type netlink_ext_ack, nla_data, nla_get_string, type nlattr_table } from '../../lib/nlattr.ts';
import {
	__dev_forward_skb,
	NET_RX_SUCCESS,
	netif_carrier_off,
	netif_carrier_on,
	netif_rx,
	register_netdevice,
	unregister_netdevice_many,
} from '../../net/core/dev.ts';
import { netdev_update_features } from '../../net/core/dev_features.ts';
import { SKB_DROP_REASON_NOT_SPECIFIED } from '../../net/core/dropreason.ts';
import type { net } from '../../net/core/net_namespace.ts';
import {
	IFF_LIVE_ADDR_CHANGE,
	IFF_NO_QUEUE,
	IFF_PHONY_HEADROOM,
	IFF_TX_SKB_SHARING,
	NETDEV_TX_OK,
	NETIF_F_FRAGLIST,
	NETIF_F_GRO,
	NETIF_F_GSO_ACCECN,
	NETIF_F_GSO_FRAGLIST,
	NETIF_F_GSO_GRE_IPXIP,
	NETIF_F_GSO_SCTP,
	NETIF_F_GSO_UDP_L4,
	NETIF_F_GSO_UDP_TUNNEL,
	NETIF_F_HIGHDMA,
	NETIF_F_HW_CSUM,
	NETIF_F_HW_VLAN_CTAG_RX,
	NETIF_F_HW_VLAN_CTAG_TX,
	NETIF_F_HW_VLAN_STAG_RX,
	NETIF_F_HW_VLAN_STAG_TX,
	NETIF_F_RXCSUM,
	NETIF_F_SCTP_CRC,
	NETIF_F_SG,
	NETIF_F_TSO,
	NETIF_F_TSO_ECN,
	NETIF_F_TSO_MANGLEID,
	NETIF_F_TSO6,
	type net_device,
	net_device_ops,
	netdev_priv,
	type rtnl_link_stats64,
} from '../../net/core/netdevice.ts';
import {
	RTNL_LINK_OPS_NONE,
	type rtnl_link_ops,
	rtnl_link_register,
	type rtnl_newlink_params,
} from '../../net/core/rtnetlink.ts';
import { rtnl_configure_link, rtnl_create_link, rtnl_nla_parse_ifinfomsg } from '../../net/core/rtnl_link.ts';
import { kfree_skb_reason, type sk_buff, skb_headlen } from '../../net/core/skbuff.ts';
import { eth_hw_addr_random, eth_mac_addr, ether_setup, is_valid_ether_addr } from '../../net/ethernet/eth.ts';
import {
	DUPLEX_FULL,
	ETH_SS_STATS,
	type ethtool_drvinfo,
	type ethtool_link_ksettings,
	ethtool_op_get_link,
	ethtool_ops,
} from '../../net/ethtool/ethtool.ts';
import { EADDRNOTAVAIL, EINVAL, ENOTCONN } from '../../uapi/asm-generic/errno.ts';
import { IFF_UP } from '../../uapi/linux/if.ts';
import { ETH_HLEN } from '../../uapi/linux/if_ether.ts';
import { IFLA_ADDRESS, IFLA_IFNAME } from '../../uapi/linux/if_link.ts';
import { VETH_INFO_MAX, VETH_INFO_PEER } from '../../uapi/linux/veth.ts';

const DRV_NAME = 'veth';
const ETH_MAX_MTU = 65535;

const VETH_FEATURES: number =
	NETIF_F_SG |
	NETIF_F_FRAGLIST |
	NETIF_F_HW_CSUM |
	NETIF_F_RXCSUM |
	NETIF_F_SCTP_CRC |
	NETIF_F_HIGHDMA |
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
	NETIF_F_HW_VLAN_CTAG_TX |
	NETIF_F_HW_VLAN_CTAG_RX |
	NETIF_F_HW_VLAN_STAG_TX |
	NETIF_F_HW_VLAN_STAG_RX;

export class veth_priv {
	peer: net_device | null = null;
	dropped = 0;
	tx_packets = 0;
	tx_bytes = 0;
}

/** The other end, or null when it is gone. */
export function veth_peer(dev: net_device): net_device | null {
	return netdev_priv<veth_priv>(dev).peer;
}

/** Context: process or softirq; consumes skb. */
function veth_xmit(skb: sk_buff, dev: net_device): number {
	const priv = netdev_priv<veth_priv>(dev);
	const rcv = priv.peer;
	if (rcv === null || skb_headlen(skb) < ETH_HLEN) {
		priv.dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'veth_xmit');
		return NETDEV_TX_OK;
	}
	const len = skb.len;
	if (__dev_forward_skb(rcv, skb) === NET_RX_SUCCESS && netif_rx(skb) === NET_RX_SUCCESS) {
		priv.tx_packets++;
		priv.tx_bytes += len;
	} else priv.dropped++;
	return NETDEV_TX_OK;
}

function veth_open(dev: net_device): number {
	const peer = veth_peer(dev);
	if (peer === null) return -ENOTCONN;
	if (peer.flags & IFF_UP) {
		netif_carrier_on(dev);
		netif_carrier_on(peer);
	}
	return 0;
}

function veth_close(dev: net_device): number {
	const peer = veth_peer(dev);
	netif_carrier_off(dev);
	if (peer !== null) netif_carrier_off(peer);
	return 0;
}

/** What one end sent is what the other received. */
function veth_get_stats64(dev: net_device, s: rtnl_link_stats64): void {
	const priv = netdev_priv<veth_priv>(dev);
	s.tx_dropped += priv.dropped;
	s.tx_packets += priv.tx_packets;
	s.tx_bytes += priv.tx_bytes;
	if (priv.peer === null) return;
	const other = netdev_priv<veth_priv>(priv.peer);
	s.rx_packets += other.tx_packets;
	s.rx_bytes += other.tx_bytes;
}

function veth_get_iflink(dev: net_device): number {
	const peer = veth_peer(dev);
	return peer !== null ? peer.ifindex : 0;
}

const veth_netdev_ops: net_device_ops = new net_device_ops();
veth_netdev_ops.ndo_open = veth_open;
veth_netdev_ops.ndo_stop = veth_close;
veth_netdev_ops.ndo_start_xmit = veth_xmit;
veth_netdev_ops.ndo_get_stats64 = veth_get_stats64;
veth_netdev_ops.ndo_set_mac_address = eth_mac_addr;
veth_netdev_ops.ndo_get_iflink = veth_get_iflink;
// Nothing to filter; that there is one lets multicast addresses be set.
veth_netdev_ops.ndo_set_rx_mode = veth_set_multicast_list;

function veth_set_multicast_list(_dev: net_device): void {}

// ---- ethtool ---------------------------------------------------------------------------------------------------------------------

const RX_STRINGS = ['xdp_packets', 'xdp_bytes', 'drops', 'xdp_redirect', 'xdp_drops', 'xdp_tx', 'xdp_tx_errors'];
const TX_STRINGS = ['xdp_xmit', 'xdp_xmit_errors'];

function veth_get_drvinfo(_dev: net_device, info: ethtool_drvinfo): void {
	info.driver = DRV_NAME;
	info.version = '1.0';
}

function veth_get_link_ksettings(_dev: net_device, cmd: ethtool_link_ksettings): number {
	cmd.speed = 10000;
	cmd.duplex = DUPLEX_FULL;
	return 0;
}

function veth_get_strings(dev: net_device, sset: number): string[] {
	if (sset !== ETH_SS_STATS) return [];
	const out = ['peer_ifindex'];
	for (let i = 0; i < dev.real_num_rx_queues; i++) for (const s of RX_STRINGS) out.push(`rx_queue_${i}_${s}`);
	for (let i = 0; i < dev.real_num_tx_queues; i++) for (const s of TX_STRINGS) out.push(`tx_queue_${i}_${s}`);
	return out;
}

/** No XDP here: all but the peer's index stay 0. */
function veth_get_ethtool_stats(dev: net_device): number[] {
	const values = veth_get_strings(dev, ETH_SS_STATS).map(() => 0);
	const peer = veth_peer(dev);
	values[0] = peer !== null ? peer.ifindex : 0;
	return values;
}

const veth_ethtool_ops: ethtool_ops = new ethtool_ops();
veth_ethtool_ops.get_drvinfo = veth_get_drvinfo;
veth_ethtool_ops.get_link = ethtool_op_get_link;
veth_ethtool_ops.get_strings = veth_get_strings;
veth_ethtool_ops.get_ethtool_stats = veth_get_ethtool_stats;
veth_ethtool_ops.get_link_ksettings = veth_get_link_ksettings;
veth_ethtool_ops.get_channels = veth_get_channels;

function veth_get_channels(
	dev: net_device,
	ch: { max_rx: number; max_tx: number; rx_count: number; tx_count: number },
): void {
	ch.max_rx = dev.num_rx_queues;
	ch.max_tx = dev.num_tx_queues;
	ch.rx_count = dev.real_num_rx_queues;
	ch.tx_count = dev.real_num_tx_queues;
}

// ---- making pairs ----------------------------------------------------------------------------------------------------------------

function veth_setup(dev: net_device): void {
	ether_setup(dev);
	dev.priv_flags &= ~IFF_TX_SKB_SHARING;
	dev.priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE | IFF_PHONY_HEADROOM;
	dev.netdev_ops = veth_netdev_ops;
	dev.ethtool_ops = veth_ethtool_ops;
	dev.lltx = true;
	dev.max_mtu = ETH_MAX_MTU;
	dev.features = VETH_FEATURES;
	dev.hw_features = VETH_FEATURES;
	dev.priv = new veth_priv();
	dev.kind = DRV_NAME;
}

function veth_validate(tb: nlattr_table, _data: nlattr_table | null, extack: netlink_ext_ack | null): number {
	const addr = tb[IFLA_ADDRESS];
	if (addr !== null && addr !== undefined) {
		if (addr.len !== 6) {
			NL_SET_ERR_MSG(extack, 'Invalid Ethernet address length');
			return -EINVAL;
		}
		if (!is_valid_ether_addr(nla_data(addr))) {
			NL_SET_ERR_MSG(extack, 'Invalid Ethernet address');
			return -EADDRNOTAVAIL;
		}
	}
	return 0;
}

/** Without GRO at first, as every software device without NAPI. */
function veth_disable_gro(dev: net_device): void {
	dev.features &= ~NETIF_F_GRO;
	dev.wanted_features &= ~NETIF_F_GRO;
	netdev_update_features(dev);
}

/** Registers both ends, the peer first. Return: 0 or -errno. */
function veth_register_pair(dev: net_device, peer: net_device, ifmp: { flags: number; change: number } | null): number {
	let err = register_netdevice(peer);
	if (err < 0) return err;
	veth_disable_gro(peer);
	netif_carrier_off(peer);
	err = rtnl_configure_link(peer, ifmp);
	if (err >= 0) err = register_netdevice(dev);
	if (err < 0) {
		unregister_netdevice_many([peer]);
		return err;
	}
	netif_carrier_off(dev);
	veth_disable_gro(dev);
	netdev_priv<veth_priv>(dev).peer = peer;
	netdev_priv<veth_priv>(peer).peer = dev;
	return 0;
}

/** `ip link add NAME type veth peer name NAME`. */
function veth_newlink(dev: net_device, params: rtnl_newlink_params, extack: netlink_ext_ack | null): number {
	const { tb, data, peer_net } = params;
	const net: net = peer_net ?? dev.net;
	let tbp = tb;
	let ifmp: { flags: number; change: number } | null = null;
	let ifindex = 0;
	const info = data !== null ? (data[VETH_INFO_PEER] ?? null) : null;
	if (info !== null) {
		tbp = [];
		const err = rtnl_nla_parse_ifinfomsg(tbp, info, extack);
		if (err < 0) return err;
		ifindex = get_unaligned_le32(info.buf, info.off + 4) | 0;
		ifmp = { flags: get_unaligned_le32(info.buf, info.off + 8), change: get_unaligned_le32(info.buf, info.off + 12) };
		const invalid = veth_validate(tbp, null, extack);
		if (invalid < 0) return invalid;
	}
	const name = info !== null && tbp[IFLA_IFNAME] !== null ? nla_get_string(tbp[IFLA_IFNAME]!) : DRV_NAME + '%d';
	const peer = rtnl_create_link(net, name, veth_link_ops, tbp, extack);
	if (typeof peer === 'number') return peer;
	if (info === null || tbp[IFLA_ADDRESS] === null) eth_hw_addr_random(peer);
	peer.ifindex = ifindex;
	if (tb[IFLA_ADDRESS] === null) eth_hw_addr_random(dev);
	return veth_register_pair(dev, peer, ifmp);
}

/** Both ends go. */
function veth_dellink(dev: net_device): void {
	const peer = veth_peer(dev);
	netdev_priv<veth_priv>(dev).peer = null;
	if (peer !== null) {
		netdev_priv<veth_priv>(peer).peer = null;
		unregister_netdevice_many([dev, peer]);
	} else unregister_netdevice_many([dev]);
}

function veth_get_link_net(dev: net_device): net {
	const peer = veth_peer(dev);
	return peer !== null ? peer.net : dev.net;
}

const veth_link_ops: rtnl_link_ops = {
	...RTNL_LINK_OPS_NONE,
	kind: DRV_NAME,
	setup: veth_setup,
	validate: veth_validate,
	newlink: veth_newlink,
	dellink: veth_dellink,
	policy: { [VETH_INFO_PEER]: { type: 0, len: 16 } },
	maxtype: VETH_INFO_MAX,
	peer_type: VETH_INFO_PEER,
	get_link_net: veth_get_link_net,
};

/** Boot: after rtnetlink_init. */
export function veth_init(machine: Machine): void {
	rtnl_link_register(machine, veth_link_ops);
}
