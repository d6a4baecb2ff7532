/*
 * net/core/dev_output.ts: from a packet with a link header to the driver.     Linux: net/core/dev.c, the transmit half
 *
 * Walk: dev_queue_xmit (net/core/dev.ts) -> the queue's qdisc (net/sched/sch_generic.ts) -> validate_xmit_skb -> dev_hard_start_xmit ->
 *       taps -> ndo_start_xmit.
 */

import { trace_event } from '../../kernel/trace.ts';
import { csum_fold } from '../../lib/checksum.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { PACKET_OUTGOING } from '../../uapi/linux/if_packet.ts';
import type { packet_type } from './dev_input.ts';
import { dev_nit_active } from './dev_input.ts';
import { SKB_DROP_REASON_NOT_SPECIFIED, SKB_DROP_REASON_SKB_CSUM } from './dropreason.ts';
import { skb_gso_segment } from './gso.ts';
import {
	NETDEV_TX_OK,
	NETIF_F_FRAGLIST,
	NETIF_F_GSO_UDP_L4,
	NETIF_F_HW_CSUM,
	NETIF_F_IP_CSUM,
	NETIF_F_SG,
	NETIF_F_TSO,
	NETIF_F_TSO6,
	type net_device,
	type netdev_queue,
} from './netdevice.ts';
import {
	CHECKSUM_NONE,
	CHECKSUM_PARTIAL,
	consume_skb,
	kfree_skb,
	kfree_skb_reason,
	pskb_expand_head,
	pskb_may_pull,
	SKB_GSO_TCPV4,
	SKB_GSO_TCPV6,
	SKB_GSO_UDP_L4,
	type sk_buff,
	skb_checksum,
	skb_clone,
	skb_header_cloned,
	skb_linearize,
} from './skbuff.ts';
import { skb_orphan_frags_rx } from './skbuff_zerocopy.ts';

export const NET_XMIT_SUCCESS = 0x00;
export const NET_XMIT_DROP = 0x01;
export const NET_XMIT_CN = 0x02;
export const NET_XMIT_MASK = 0x0f;

/** Whether the driver took it: a qdisc error or an -errno says that it is gone as well. */
export function dev_xmit_complete(rc: number): boolean {
	return rc < NET_XMIT_MASK;
}

export function netif_xmit_stopped(txq: netdev_queue): boolean {
	return txq.stopped;
}

/** Shows an outgoing packet to the taps. Borrows skb. */
export function dev_queue_xmit_nit(skb: sk_buff, dev: net_device): void {
	let skb2: sk_buff | null = null;
	let prev: packet_type | null = null;
	const machine = skb.machine;
	for (let l = 0; l < 3; l++) {
		const list = l === 0 ? machine.net.ptype_all : l === 1 ? dev.net.ptype_all : dev.ptype_all;
		for (let i = 0; i < list.length; i++) {
			const pt = list[i];
			if (pt.ignore_outgoing || skb_loop_sk(pt, skb)) continue;
			if (skb2 === null) {
				skb2 = skb_clone(skb);
				if (skb2.shinfo.destructor_arg !== null) skb_orphan_frags_rx(skb2);
				if (skb2.tstamp < 0) skb2.tstamp = machine.clock.now;
				skb2.mac_header = skb2.data;
				if (skb2.network_header < skb2.data || skb2.network_header > skb2.tail) skb2.network_header = skb2.data;
				skb2.transport_header = skb2.network_header;
				skb2.pkt_type = PACKET_OUTGOING;
			}
			if (prev !== null) {
				skb2.users++;
				prev.func(skb2, skb.dev!, prev, skb.dev!);
			}
			prev = pt;
		}
	}
	if (skb2 !== null && prev !== null) prev.func(skb2, skb.dev!, prev, skb.dev!);
}

function skb_loop_sk(pt: packet_type, skb: sk_buff): boolean {
	if (pt.af_packet_priv === null || skb.sk === null) return false;
	if (pt.id_match !== null) return pt.id_match(pt, skb.sk);
	return pt.af_packet_priv === skb.sk;
}

/**
 * Hands packets (linked by next) to the driver. Consumes those that it took. Return: null when all are gone, else the rest, which the
 * caller keeps; the driver's answer is left in `softnet_data.xmit_ret`.
 */
export function dev_hard_start_xmit(first: sk_buff, dev: net_device, txq: netdev_queue): sk_buff | null {
	const sd = dev.net.machine.net.softnet_data[0];
	let skb: sk_buff | null = first;
	let rc = NETDEV_TX_OK;
	while (skb !== null) {
		const next: sk_buff | null = skb.next;
		skb.next = null;
		rc = xmit_one(skb, dev, txq);
		if (!dev_xmit_complete(rc)) {
			skb.next = next;
			break;
		}
		skb = next;
		if (txq.stopped && skb !== null) {
			rc = 0x10; // NETDEV_TX_BUSY
			break;
		}
	}
	sd.xmit_ret = rc;
	return skb;
}

function xmit_one(skb: sk_buff, dev: net_device, txq: netdev_queue): number {
	if (dev_nit_active(dev)) dev_queue_xmit_nit(skb, dev);
	if (skb.journey !== null) {
		trace_event(skb, 'tx', 'dev_hard_start_xmit', { dev: dev.name, queue: txq.index, len: skb.len });
	}
	const rc = dev.netdev_ops.ndo_start_xmit!(skb, dev);
	if (rc === NETDEV_TX_OK) txq.trans_start = dev.net.machine.clock.now;
	return rc;
}

/** Sets the software checksum that a CHECKSUM_PARTIAL packet still needs. Borrows skb. Return: 0 or -errno. */
export function skb_checksum_help(skb: sk_buff): number {
	if (skb.ip_summed !== CHECKSUM_PARTIAL) {
		skb.ip_summed = CHECKSUM_NONE;
		return 0;
	}
	const offset = skb.csum_start - skb.data;
	if (offset < 0 || offset + skb.csum_offset + 2 > skb.len) return -EINVAL;
	if (!pskb_may_pull(skb, offset + skb.csum_offset + 2)) return -EINVAL;
	if (skb_header_cloned(skb)) pskb_expand_head(skb, 0, 0);
	const sum = csum_fold(skb_checksum(skb, offset, skb.len - offset, 0));
	const at = skb.csum_start + skb.csum_offset;
	// RFC 768: a sum of zero is sent as all ones. Harmless for the others.
	const check = sum === 0 ? 0xffff : sum;
	skb.head[at] = check >>> 8;
	skb.head[at + 1] = check;
	skb.ip_summed = CHECKSUM_NONE;
	return 0;
}

/** Whether the device can send the large packet as it is. */
export function netif_needs_gso(skb: sk_buff, features: number): boolean {
	const type = skb.shinfo.gso_type;
	if (skb.shinfo.gso_size === 0) return false;
	const dev = skb.dev!;
	if (skb.len >= dev.gso_max_size || skb.shinfo.gso_segs > dev.gso_max_segs) return true;
	let need = 0;
	if (type & SKB_GSO_TCPV4) need |= NETIF_F_TSO;
	if (type & SKB_GSO_TCPV6) need |= NETIF_F_TSO6;
	if (type & SKB_GSO_UDP_L4) need |= NETIF_F_GSO_UDP_L4;
	if (need === 0 || (features & need) !== need) return true;
	return skb.ip_summed !== CHECKSUM_PARTIAL;
}

/** Makes a packet fit what the driver can do. Consumes skb. Return: one or more packets linked by next, or null when it is gone. */
export function validate_xmit_skb(skb: sk_buff, dev: net_device): sk_buff | null {
	if (skb.ip_summed !== CHECKSUM_PARTIAL && skb.shinfo.gso_size === 0 && skb.data_len === 0) return skb;
	const features = dev.features;
	if (netif_needs_gso(skb, features)) {
		const segs = skb_gso_segment(skb, features);
		if (typeof segs === 'number') {
			kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'validate_xmit_skb');
			dev.stats.tx_dropped++;
			return null;
		}
		if (segs !== null) {
			consume_skb(skb);
			for (let s: sk_buff | null = segs; s !== null; s = s.next) {
				if (s.data_len > 0 && (features & NETIF_F_SG) === 0) skb_linearize(s);
				if (s.ip_summed === CHECKSUM_PARTIAL && (features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM)) === 0)
					skb_checksum_help(s);
			}
			return segs;
		}
	}
	const sg = skb.shinfo.frag_list !== null ? NETIF_F_SG | NETIF_F_FRAGLIST : NETIF_F_SG;
	if (skb.data_len > 0 && (features & sg) !== sg && skb_linearize(skb) < 0) {
		kfree_skb(skb, 'validate_xmit_skb');
		dev.stats.tx_dropped++;
		return null;
	}
	if (skb.ip_summed === CHECKSUM_PARTIAL && (features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM)) === 0) {
		skb.transport_header = skb.csum_start;
		if (skb_checksum_help(skb) < 0) {
			kfree_skb_reason(skb, SKB_DROP_REASON_SKB_CSUM, 'validate_xmit_skb');
			dev.stats.tx_dropped++;
			return null;
		}
	}
	return skb;
}

/** validate_xmit_skb for each packet of a list. */
export function validate_xmit_skb_list(head: sk_buff, dev: net_device): sk_buff | null {
	let first: sk_buff | null = null;
	let last: sk_buff | null = null;
	let skb: sk_buff | null = head;
	while (skb !== null) {
		const next: sk_buff | null = skb.next;
		skb.next = null;
		let out = validate_xmit_skb(skb, dev);
		if (out !== null) {
			if (last === null) first = out;
			else last.next = out;
			while (out.next !== null) out = out.next;
			last = out;
		}
		skb = next;
	}
	return first;
}
