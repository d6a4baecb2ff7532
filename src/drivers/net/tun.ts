/*
 * drivers/net/tun.ts: a network device whose other end is a file.  Linux: drivers/net/tun.c
 *
 * Out: ip_output -> tun_net_xmit -> the file's queue -> read. In: write -> tun_get_user -> netif_receive_skb.
 * TUN (IP packets) only, without packet information; TAP is vnic's part. Not here: several queues, filters, XDP, /dev/net/tun in userland.
 */
import { wait_queue_head, wake_up } from '../../kernel/wait.ts';
import { netif_carrier_on, netif_receive_skb, register_netdevice } from '../../net/core/dev.ts';
import { SKB_DROP_REASON_DEV_READY, SKB_DROP_REASON_FULL_RING } from '../../net/core/dropreason.ts';
import type { net } from '../../net/core/net_namespace.ts';
import {
	NETDEV_TX_OK,
	NETIF_F_FRAGLIST,
	NETIF_F_HW_CSUM,
	NETIF_F_SG,
	NETIF_F_TSO,
	NETIF_F_TSO_ECN,
	NETIF_F_TSO6,
	net_device,
	net_device_ops,
	netdev_priv,
} from '../../net/core/netdevice.ts';
import { linear_size, SKB_MAX_ORDER_0, tun_truesize } from '../../net/core/skb_truesize.ts';
import {
	consume_skb,
	kfree_skb_reason,
	NET_SKB_PAD,
	netdev_alloc_skb,
	type sk_buff,
	skb_begin_journey,
	skb_copy_bits,
	skb_orphan,
	skb_put,
} from '../../net/core/skbuff.ts';
import { skb_append_data } from '../../net/core/skbuff_frags.ts';
import { __skb_dequeue, __skb_queue_tail, sk_buff_head } from '../../net/core/skbuff_queue.ts';
import { skb_orphan_frags_rx } from '../../net/core/skbuff_zerocopy.ts';
import { PAGE_SIZE } from '../../net/core/sock_mem.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { IFF_MULTICAST, IFF_NOARP, IFF_POINTOPOINT } from '../../uapi/linux/if.ts';
import { ARPHRD_NONE } from '../../uapi/linux/if_arp.ts';
import { ETH_P_IP, ETH_P_IPV6 } from '../../uapi/linux/if_ether.ts';
import { POLLIN } from '../../uapi/linux/socket.ts';

const TUN_READQ_SIZE = 500;

/** The device's other end. */
export class tun_file {
	dev: net_device;
	queue: sk_buff_head = new sk_buff_head();
	/** Wakes when a packet waits. */
	readonly wait = new wait_queue_head();

	constructor(dev: net_device) {
		this.dev = dev;
	}
}

/** Context: process or softirq; consumes skb. */
function tun_net_xmit(skb: sk_buff, dev: net_device): number {
	const tfile = netdev_priv<tun_file>(dev);
	if (tfile.queue.qlen >= dev.tx_queue_len) {
		dev.stats.tx_dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_FULL_RING, 'tun_net_xmit');
		return NETDEV_TX_OK;
	}
	skb_orphan_frags_rx(skb);
	skb_orphan(skb);
	skb.tstamp = skb.machine.clock.now;
	__skb_queue_tail(tfile.queue, skb);
	wake_up(tfile.wait, POLLIN);
	return NETDEV_TX_OK;
}

const tun_netdev_ops: net_device_ops = new net_device_ops();
tun_netdev_ops.ndo_start_xmit = tun_net_xmit;

/** Makes a TUN device. Return: its file, or -errno. */
export function tun_create(n: net, name: string): tun_file | number {
	const dev = new net_device(name, n, tun_netdev_ops);
	dev.type = ARPHRD_NONE;
	dev.hard_header_len = 0;
	dev.min_header_len = 0;
	dev.addr_len = 0;
	dev.mtu = 1500;
	dev.min_mtu = 68;
	dev.max_mtu = 65535;
	dev.flags = IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
	dev.tx_queue_len = TUN_READQ_SIZE;
	dev.lltx = true;
	dev.kind = 'tun';
	dev.hw_features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN;
	dev.features = dev.hw_features;
	const tfile = new tun_file(dev);
	dev.priv = tfile;
	const err = register_netdevice(dev);
	if (err < 0) return err;
	netif_carrier_on(dev);
	return tfile;
}

/** write(2): one IP packet comes in. Return: its length, or -errno. */
export function tun_get_user(tfile: tun_file, packet: Uint8Array): number {
	const { dev } = tfile;
	if (packet.length === 0) return -EINVAL;
	const version = packet[0] >> 4;
	if (version !== 4 && version !== 6) {
		dev.stats.rx_dropped++;
		return -EINVAL;
	}
	// As Linux: what is larger than a page lies in pages; short ones have so much room behind them, where queues join segments.
	const paged = packet.length + NET_SKB_PAD >= PAGE_SIZE;
	const linear = paged ? SKB_MAX_ORDER_0 - NET_SKB_PAD : packet.length;
	const room = linear_size(linear + NET_SKB_PAD);
	const skb = netdev_alloc_skb(dev, room - NET_SKB_PAD);
	skb.end = room;
	skb.head.set(paged ? packet.subarray(0, linear) : packet, skb_put(skb, linear));
	if (paged) skb_append_data(skb, packet, linear, packet.length - linear);
	skb.truesize = tun_truesize(packet.length);
	skb.protocol = version === 4 ? ETH_P_IP : ETH_P_IPV6;
	skb.mac_header = skb.data;
	skb.network_header = skb.data;
	skb_begin_journey(skb, null, 'rx');
	if (!dev.running) {
		kfree_skb_reason(skb, SKB_DROP_REASON_DEV_READY, 'tun_get_user');
		return -EINVAL;
	}
	dev.stats.rx_packets++;
	dev.stats.rx_bytes += packet.length;
	netif_receive_skb(skb);
	return packet.length;
}

/** read(2): the next packet that left, with its time in ns; null when none waits. */
export function tun_do_read(tfile: tun_file): { time: number; packet: Uint8Array } | null {
	const skb = __skb_dequeue(tfile.queue);
	if (skb === null) return null;
	const packet = new Uint8Array(skb.len);
	skb_copy_bits(skb, 0, packet, 0, skb.len);
	const time = skb.tstamp;
	tfile.dev.stats.tx_packets++;
	tfile.dev.stats.tx_bytes += skb.len;
	consume_skb(skb);
	return { time, packet };
}
