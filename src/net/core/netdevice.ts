/*
 * net/core/netdevice.ts: struct net_device and what drivers implement.   Linux: linux/netdevice.h
 */

import type { netlink_ext_ack } from '../../lib/nlattr.ts';
import type { ethtool_ops } from '../ethtool/ethtool.ts';
import type { in_device } from '../ipv4/devinet.ts';
import type { inet6_dev } from '../ipv6/addrconf.ts';
import type { Qdisc } from '../sched/sch_generic.ts';
import type { napi_struct, packet_type } from './dev.ts';
import type { neigh_parms } from './neighbour.ts';
import type { net } from './net_namespace.ts';
import type { sk_buff } from './skbuff.ts';

export type netdev_tx_t = number;
export const NETDEV_TX_OK = 0;
export const NETDEV_TX_BUSY = 0x10;

/** dev->priv_flags */
export const IFF_LIVE_ADDR_CHANGE = 1 << 15;
export const IFF_TX_SKB_SHARING = 1 << 11;
export const IFF_NO_QUEUE = 1 << 21;
export const IFF_PHONY_HEADROOM = 1 << 24;

// Features (one bit each). Linux: linux/netdev_features.h; order is ours, names in net/ethtool.
export const NETIF_F_SG = 1 << 0;
export const NETIF_F_IP_CSUM = 1 << 1;
export const NETIF_F_HW_CSUM = 1 << 2;
export const NETIF_F_RXCSUM = 1 << 3;
export const NETIF_F_TSO = 1 << 4;
export const NETIF_F_TSO6 = 1 << 5;
export const NETIF_F_GSO = 1 << 6;
export const NETIF_F_GRO = 1 << 7;
export const NETIF_F_LRO = 1 << 8;
export const NETIF_F_GSO_FRAGLIST = 1 << 9;
export const NETIF_F_HIGHDMA = 1 << 10;
export const NETIF_F_FRAGLIST = 1 << 11;
export const NETIF_F_GSO_UDP_L4 = 1 << 12;
export const NETIF_F_LOOPBACK = 1 << 13;
/** UDP tunnels, with and without outer checksum. */
export const NETIF_F_GSO_UDP_TUNNEL = 1 << 14;
/** GRE and IP-in-IP of every kind. */
export const NETIF_F_GSO_GRE_IPXIP = 1 << 15;
export const NETIF_F_HW_VLAN_CTAG_TX = 1 << 16;
export const NETIF_F_HW_VLAN_CTAG_RX = 1 << 17;
export const NETIF_F_VLAN_CHALLENGED = 1 << 18;
export const NETIF_F_HW_VLAN_STAG_TX = 1 << 19;
/** dev->netns_immutable. */
export const NETIF_F_NETNS_IMMUTABLE = 1 << 20;
export const NETIF_F_TSO_ECN = 1 << 21;
export const NETIF_F_TSO_MANGLEID = 1 << 22;
export const NETIF_F_HW_VLAN_STAG_RX = 1 << 23;
export const NETIF_F_SCTP_CRC = 1 << 24;
export const NETIF_F_GSO_SCTP = 1 << 25;
export const NETIF_F_NOCACHE_COPY = 1 << 26;
export const NETIF_F_GRO_FRAGLIST = 1 << 27;
export const NETIF_F_GRO_UDP_FWD = 1 << 28;
export const NETIF_F_GSO_ACCECN = 1 << 29;

export const NETREG_UNINITIALIZED = 0;
export const NETREG_REGISTERED = 1;
export const NETREG_UNREGISTERING = 2;

/** Counters as /proc/net/dev and IFLA_STATS64 show them. */
export class rtnl_link_stats64 {
	rx_packets = 0;
	tx_packets = 0;
	rx_bytes = 0;
	tx_bytes = 0;
	rx_errors = 0;
	tx_errors = 0;
	rx_dropped = 0;
	tx_dropped = 0;
	multicast = 0;
	collisions = 0;
	rx_length_errors = 0;
	rx_over_errors = 0;
	rx_crc_errors = 0;
	rx_frame_errors = 0;
	rx_fifo_errors = 0;
	rx_missed_errors = 0;
	tx_aborted_errors = 0;
	tx_carrier_errors = 0;
	tx_fifo_errors = 0;
	tx_heartbeat_errors = 0;
	tx_window_errors = 0;
	rx_compressed = 0;
	tx_compressed = 0;
	rx_nohandler = 0;
	rx_otherhost_dropped = 0;
}

/** What a driver can do. null where it has nothing to do. `netdev_priv(dev)` is the driver's own state. */
export class net_device_ops {
	ndo_init: ((dev: net_device) => number) | null = null;
	ndo_uninit: ((dev: net_device) => void) | null = null;
	ndo_open: ((dev: net_device) => number) | null = null;
	ndo_stop: ((dev: net_device) => number) | null = null;
	/** Takes the packet, or says NETDEV_TX_BUSY and takes nothing. */
	ndo_start_xmit: ((skb: sk_buff, dev: net_device) => netdev_tx_t) | null = null;
	ndo_select_queue: ((dev: net_device, skb: sk_buff) => number) | null = null;
	ndo_set_rx_mode: ((dev: net_device) => void) | null = null;
	ndo_set_mac_address: ((dev: net_device, addr: Uint8Array) => number) | null = null;
	ndo_change_mtu: ((dev: net_device, mtu: number) => number) | null = null;
	ndo_change_carrier: ((dev: net_device, carrier: boolean) => number) | null = null;
	/** Adds the driver's own counters to `stats`. */
	ndo_get_stats64: ((dev: net_device, stats: rtnl_link_stats64) => void) | null = null;
	ndo_set_features: ((dev: net_device, features: number) => number) | null = null;
	ndo_fix_features: ((dev: net_device, features: number) => number) | null = null;
	ndo_get_iflink: ((dev: net_device) => number) | null = null;
	/** Makes `slave` a port of `dev` (bridge, bond), or lets it go. */
	ndo_add_slave: ((dev: net_device, slave: net_device, extack: netlink_ext_ack | null) => number) | null = null;
	ndo_del_slave: ((dev: net_device, slave: net_device) => number) | null = null;
}

/** How a link layer makes and reads its header. */
export interface header_ops {
	/** Puts the header in front. Return: its length, or -length when the destination is not known yet. */
	create: (
		skb: sk_buff,
		dev: net_device,
		type: number,
		daddr: Uint8Array | null,
		saddr: Uint8Array | null,
		len: number,
	) => number;
	/** Copies the sender's address. Return: its length. */
	parse: (skb: sk_buff, haddr: Uint8Array) => number;
}

export interface netdev_hw_addr {
	addr: Uint8Array;
	refcount: number;
}

/** One transmit queue. */
export class netdev_queue {
	dev: net_device;
	index: number;
	/** Not null once the device is registered. */
	qdisc: Qdisc | null = null;
	qdisc_sleeping: Qdisc | null = null;
	/** The driver stopped it (ring full). */
	stopped = false;
	/** ns of the world's clock of the last transmit. */
	trans_start = 0;
	tx_packets = 0;
	tx_bytes = 0;

	constructor(dev: net_device, index: number) {
		this.dev = dev;
		this.index = index;
	}
}

export class net_device {
	name: string;
	ifalias = '';
	net: net;
	ifindex = 0;
	group = 0;
	/** ARPHRD_*. */
	type = 1;
	hard_header_len = 14;
	min_header_len = 14;
	needed_headroom = 0;
	needed_tailroom = 0;
	mtu = 1500;
	min_mtu = 68;
	max_mtu = 1500;
	addr_len = 6;
	dev_addr: Uint8Array = new Uint8Array(6);
	perm_addr: Uint8Array = new Uint8Array(6);
	broadcast: Uint8Array = new Uint8Array([255, 255, 255, 255, 255, 255]);
	/** NET_ADDR_PERM 0, RANDOM 1, STOLEN 2, SET 3. */
	addr_assign_type = 0;
	/** IFF_*; IFF_UP means administratively up. */
	flags = 0;
	gflags = 0;
	priv_flags = 0;
	/** How many asked for all frames; IFF_PROMISC follows it. */
	promiscuity = 0;
	allmulti = 0;
	/** Unicast and multicast addresses listened to beside dev_addr. */
	uc: netdev_hw_addr[] = [];
	mc: netdev_hw_addr[] = [];
	/** Promiscuous because `uc` has entries that the driver cannot filter. */
	uc_promisc = false;
	irq = 0;
	operstate = 0;
	link_mode = 0;
	dormant = false;
	/** netif_carrier_ok() */
	carrier = true;
	carrier_up_count = 0;
	carrier_down_count = 0;
	/** __LINK_STATE_START and PRESENT. */
	running = false;
	present = true;
	reg_state = NETREG_UNINITIALIZED;
	features = 0;
	hw_features = 0;
	wanted_features = 0;
	gso_max_size = 65536;
	gso_max_segs = 65535;
	tx_queue_len = 1000;
	num_rx_queues = 1;
	real_num_rx_queues = 1;
	num_tx_queues = 1;
	real_num_tx_queues = 1;
	_tx: netdev_queue[] = [];
	/** The root qdisc as `ip link` shows it. */
	qdisc: Qdisc | null = null;
	proto_down = false;
	lltx = false;
	/** iflink: the lower device's index, or the peer's for veth; 0 when itself. */
	iflink = 0;
	/** Namespace of iflink when it is another. */
	link_net: net | null = null;
	/** rtnetlink is making it: nobody was told of it yet. */
	rtnl_link_initializing = false;
	/** IFLA_INFO_KIND, '' for plain hardware. */
	kind = '';
	netdev_ops: net_device_ops;
	ethtool_ops: ethtool_ops | null = null;
	header_ops: header_ops | null = null;
	/** The driver's own; read by netdev_priv(dev). */
	priv: unknown = null;
	stats: rtnl_link_stats64 = new rtnl_link_stats64();
	/** ns of the world's clock of the last frame received. */
	last_rx = 0;
	napi_list: napi_struct[] = [];
	/** Packet handlers of this device alone (packet sockets). */
	ptype_all: readonly packet_type[] = [];
	ptype_specific: readonly packet_type[] = [];
	/** The bridge's, bond's, macvlan's hand in the receive path; null when none. */
	rx_handler: ((skb: sk_buff) => number) | null = null;
	rx_handler_data: unknown = null;
	/** The device that this one is enslaved to. */
	master: net_device | null = null;

	ip_ptr: in_device | null = null;
	ip6_ptr: inet6_dev | null = null;
	/** IN6_ADDR_GEN_MODE_*: kept for IPv6. */
	addr_gen_mode = 0;
	/** ARP's parameters stand in ip_ptr.arp_parms; others here by family. */
	neigh_parms: neigh_parms | null = null;

	constructor(name: string, net: net, ops: net_device_ops) {
		this.name = name;
		this.net = net;
		this.netdev_ops = ops;
	}
}

export function netdev_priv<T>(dev: net_device): T {
	return dev.priv as T;
}

export function netdev_get_tx_queue(dev: net_device, i: number): netdev_queue {
	return dev._tx[i];
}

export function netif_tx_stop_queue(q: netdev_queue): void {
	q.stopped = true;
}
