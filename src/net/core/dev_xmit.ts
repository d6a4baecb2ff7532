/*
 * net/core/dev_xmit.ts: a packet with its link header leaves, or goes to another device.   Linux: net/core/dev.c (__dev_queue_xmit)
 * Walk: dev_queue_xmit -> netdev_core_pick_tx -> __dev_xmit_skb (a qdisc) or dev_hard_start_xmit (software devices without).
 */

import { KERN_CRIT, net_ratelimit, printk } from '../../kernel/printk.ts';
import { trace_fn } from '../../kernel/trace.ts';
import { get_unaligned_be32 } from '../../lib/byteorder.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import { ENETDOWN, ENOMEM } from '../../uapi/asm-generic/errno.ts';
import { IFF_UP } from '../../uapi/linux/if.ts';
import { ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import { PACKET_HOST, PACKET_LOOPBACK } from '../../uapi/linux/if_packet.ts';
import { eth_type_trans } from '../ethernet/eth.ts';
import { __dev_xmit_skb } from '../sched/sch_generic.ts';
import { NET_RX_DROP, NET_RX_SUCCESS, netif_rx } from './dev_input.ts';
import { dev_hard_start_xmit, dev_xmit_complete, NET_XMIT_DROP, validate_xmit_skb } from './dev_output.ts';
import {
	SKB_DROP_REASON_DEV_READY,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_RECURSION_LIMIT,
} from './dropreason.ts';
import type { net } from './net_namespace.ts';
import type { net_device, netdev_queue } from './netdevice.ts';
import {
	CHECKSUM_NONE,
	CHECKSUM_UNNECESSARY,
	kfree_skb_list_reason,
	kfree_skb_reason,
	type sk_buff,
	skb_is_gso,
	skb_orphan,
	skb_pull,
} from './skbuff.ts';
import type { sock } from './sock.ts';

const XMIT_RECURSION_LIMIT = 8;

/** Which transmit queue a packet takes: the driver's choice, or by the flow's hash. Return: the queue. */
export function netdev_core_pick_tx(dev: net_device, skb: sk_buff): netdev_queue {
	let index = 0;
	if (dev.real_num_tx_queues !== 1) {
		index =
			dev.netdev_ops.ndo_select_queue !== null ? dev.netdev_ops.ndo_select_queue(dev, skb) : netdev_pick_tx(dev, skb);
		if (index >= dev.real_num_tx_queues) index = 0;
	}
	skb.queue_mapping = index;
	return dev._tx[index];
}

/** A queue by the packet's flow: a forwarded packet keeps the queue that it came in by. */
export function netdev_pick_tx(dev: net_device, skb: sk_buff): number {
	const n = dev.real_num_tx_queues;
	if (skb.sk === null && skb.queue_mapping > 0) return (skb.queue_mapping - 1) % n;
	return skb_tx_hash(skb, n);
}

/** A number below `n`, the same for all packets of a flow: from addresses, protocol and ports. */
function skb_tx_hash(skb: sk_buff, n: number): number {
	let hash = skb.hash;
	if (hash === 0 && skb.protocol === ETH_P_IP && skb.tail - skb.network_header >= 20) {
		const b = skb.head;
		const o = skb.network_header;
		const proto = b[o + 9];
		const l4 = o + (b[o] & 15) * 4;
		const frag = ((b[o + 6] & 0x3f) << 8) | b[o + 7];
		const ports = (proto === 6 || proto === 17) && frag === 0 && l4 + 4 <= skb.tail ? get_unaligned_be32(b, l4) : 0;
		hash = jhash_3words(get_unaligned_be32(b, o + 12), get_unaligned_be32(b, o + 16), ports ^ proto, 0x6c696e6e);
	}
	return Math.floor((hash * n) / 0x100000000);
}

/**
 * Sends a packet that has its link header and its device. Context: process or softirq. Consumes skb.
 * Return: NET_XMIT_*, or -errno.
 */
export function dev_queue_xmit(skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'dev_queue_xmit');
	const dev = skb.dev!;
	skb.mac_header = skb.data;
	const txq = dev._tx.length === 1 ? dev._tx[0] : netdev_core_pick_tx(dev, skb);
	const q = txq.qdisc!;
	if (q.enqueue !== null) return __dev_xmit_skb(skb, q, dev, txq);
	// No queue: software devices. They call each other, so somebody must count.
	if (!(dev.flags & IFF_UP)) {
		dev.stats.tx_dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_DEV_READY, '__dev_queue_xmit');
		return -ENETDOWN;
	}
	const sd = dev.net.machine.net.softnet_data[0];
	if (sd.xmit_recursion > XMIT_RECURSION_LIMIT) {
		if (net_ratelimit(dev.net.machine)) {
			printk(dev.net.machine, KERN_CRIT, `Dead loop on virtual device ${dev.name}, fix it urgently!`);
		}
		dev.stats.tx_dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_RECURSION_LIMIT, '__dev_queue_xmit');
		return -ENETDOWN;
	}
	const out = validate_xmit_skb(skb, dev);
	if (out === null) return -ENOMEM;
	if (!txq.stopped) {
		sd.xmit_recursion++;
		const left = dev_hard_start_xmit(out, dev, txq);
		sd.xmit_recursion--;
		if (dev_xmit_complete(sd.xmit_ret)) return sd.xmit_ret;
		if (left !== null) {
			dev.stats.tx_dropped++;
			kfree_skb_list_reason(left, SKB_DROP_REASON_NOT_SPECIFIED, '__dev_queue_xmit');
		}
		return -ENETDOWN;
	}
	if (net_ratelimit(dev.net.machine)) {
		printk(dev.net.machine, KERN_CRIT, `Virtual device ${dev.name} asks to queue packet!`);
	}
	dev.stats.tx_dropped++;
	kfree_skb_list_reason(out, SKB_DROP_REASON_NOT_SPECIFIED, '__dev_queue_xmit');
	return -ENETDOWN;
}

/** Straight to the driver's queue, past the qdisc (PACKET_QDISC_BYPASS). Consumes skb. Return: NETDEV_TX_*. */
export function dev_direct_xmit(skb: sk_buff, queue_id: number): number {
	const dev = skb.dev!;
	if (!dev.running || !dev.carrier) {
		dev.stats.tx_dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, '__dev_direct_xmit');
		return NET_XMIT_DROP;
	}
	const txq = dev._tx[queue_id] ?? dev._tx[0];
	const out = validate_xmit_skb(skb, dev);
	if (out === null) return NET_XMIT_DROP;
	const left = txq.stopped ? out : dev_hard_start_xmit(out, dev, txq);
	if (left !== null) {
		dev.stats.tx_dropped++;
		kfree_skb_list_reason(left, SKB_DROP_REASON_NOT_SPECIFIED, '__dev_direct_xmit');
		return NET_XMIT_DROP;
	}
	return 0;
}

/** A copy of an outgoing multicast or broadcast comes back to us. Consumes skb. */
export function dev_loopback_xmit(_net: net, _sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'dev_loopback_xmit');
	skb.mac_header = skb.data;
	const off = skb.network_header - skb.data;
	if (off > 0) skb_pull(skb, off);
	skb.pkt_type = PACKET_LOOPBACK;
	if (skb.ip_summed === CHECKSUM_NONE) skb.ip_summed = CHECKSUM_UNNECESSARY;
	netif_rx(skb);
	return 0;
}

/** Whether a packet may be handed to `dev` as if it had come in there: up, and no longer than its MTU (and a VLAN tag) lets through. */
export function is_skb_forwardable(dev: net_device, skb: sk_buff): boolean {
	if (!(dev.flags & IFF_UP)) return false;
	return skb.len <= dev.mtu + dev.hard_header_len + 4 || skb_is_gso(skb);
}

/** Takes off a packet what only meant something where it was. `xnet`: it goes to another namespace. */
export function skb_scrub_packet(skb: sk_buff, xnet: boolean): void {
	skb.pkt_type = PACKET_HOST;
	skb.skb_iif = 0;
	skb.ignore_df = false;
	skb._skb_refdst = null;
	skb._nfct = null;
	skb._nfctinfo = 0;
	skb.nf_trace = false;
	if (!xnet) return;
	skb.mark = 0;
	skb.tstamp = -1;
}

/** Makes a packet with its link header look as if `dev` had just received it. Return: NET_RX_DROP when it is gone. */
export function __dev_forward_skb(dev: net_device, skb: sk_buff): number {
	skb_orphan(skb);
	if (!is_skb_forwardable(dev, skb)) {
		dev.stats.rx_dropped++;
		kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, '__dev_forward_skb2');
		return NET_RX_DROP;
	}
	skb_scrub_packet(skb, dev.net !== skb.dev!.net);
	skb.priority = 0;
	skb.transport_header = -1;
	skb.hash = 0;
	skb.cb = null;
	skb.protocol = eth_type_trans(skb, dev);
	return NET_RX_SUCCESS;
}

/** Injects a packet into another device's receive path. Consumes skb. Return: NET_RX_*. */
export function dev_forward_skb(dev: net_device, skb: sk_buff): number {
	return __dev_forward_skb(dev, skb) === NET_RX_SUCCESS ? netif_rx(skb) : NET_RX_DROP;
}

/** Puts the link header in front by the device's header_ops. Return: its length; negative when the address is not known; 0 without any. */
export function dev_hard_header(
	skb: sk_buff,
	dev: net_device,
	type: number,
	daddr: Uint8Array | null,
	saddr: Uint8Array | null,
	len: number,
): number {
	if (dev.header_ops === null) return 0;
	return dev.header_ops.create(skb, dev, type, daddr, saddr, len);
}

/** Headroom that a packet for `dev` needs. */
export function LL_RESERVED_SPACE(dev: net_device): number {
	return ((dev.hard_header_len + dev.needed_headroom) & ~15) + 16;
}
