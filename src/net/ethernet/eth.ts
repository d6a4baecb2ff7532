/*
 * net/ethernet/eth.ts: the Ethernet header.                        Linux: net/ethernet/eth.c, linux/etherdevice.h
 * IEEE 802.3: destination, source, then a length (below 0x600) or an ethertype.
 */

import type { Random } from '../../lib/random.ts';
import { EADDRNOTAVAIL, EBUSY } from '../../uapi/asm-generic/errno.ts';
import { IFF_BROADCAST, IFF_MULTICAST } from '../../uapi/linux/if.ts';
import { ARPHRD_ETHER } from '../../uapi/linux/if_arp.ts';
import {
	ETH_ALEN,
	ETH_DATA_LEN,
	ETH_HLEN,
	ETH_MIN_MTU,
	ETH_P_802_2,
	ETH_P_802_3,
	ETH_P_802_3_MIN,
} from '../../uapi/linux/if_ether.ts';
import { PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST, PACKET_OTHERHOST } from '../../uapi/linux/if_packet.ts';
import { type header_ops, IFF_LIVE_ADDR_CHANGE, IFF_TX_SKB_SHARING, type net_device } from '../core/netdevice.ts';
import { type sk_buff, skb_push } from '../core/skbuff.ts';

export function is_multicast_ether_addr(addr: Uint8Array, o = 0): boolean {
	return (addr[o] & 1) !== 0;
}

export function is_zero_ether_addr(a: Uint8Array, o = 0): boolean {
	return (a[o] | a[o + 1] | a[o + 2] | a[o + 3] | a[o + 4] | a[o + 5]) === 0;
}

export function is_broadcast_ether_addr(a: Uint8Array, o = 0): boolean {
	return (a[o] & a[o + 1] & a[o + 2] & a[o + 3] & a[o + 4] & a[o + 5]) === 0xff;
}

/** Neither multicast nor all zeros. */
export function is_valid_ether_addr(addr: Uint8Array): boolean {
	return !is_multicast_ether_addr(addr) && !is_zero_ether_addr(addr);
}

export function ether_addr_equal(a: Uint8Array, b: Uint8Array): boolean {
	for (let i = 0; i < ETH_ALEN; i++) if (a[i] !== b[i]) return false;
	return true;
}

/** A locally administered unicast address. */
export function eth_random_addr(random: Random): Uint8Array {
	const addr = new Uint8Array(ETH_ALEN);
	for (let i = 0; i < ETH_ALEN; i++) addr[i] = random.below(256);
	addr[0] = (addr[0] & 0xfe) | 0x02;
	return addr;
}

export function eth_hw_addr_random(dev: net_device): void {
	eth_hw_addr_set(dev, eth_random_addr(dev.net.machine.random));
	dev.addr_assign_type = 1; // NET_ADDR_RANDOM
}

export function eth_hw_addr_set(dev: net_device, addr: Uint8Array): void {
	dev.dev_addr.set(addr.subarray(0, ETH_ALEN));
}

/**
 * Takes the Ethernet header off: sets mac_header and pkt_type. The header must be linear. Borrows skb.
 * Return: the protocol, for skb.protocol.
 */
export function eth_type_trans(skb: sk_buff, dev: net_device): number {
	const b = skb.head;
	const o = skb.data;
	skb.dev = dev;
	skb.mac_header = o;
	skb.data = o + ETH_HLEN;
	skb.len -= ETH_HLEN;
	const own = dev.dev_addr;
	if (
		b[o + 5] === own[5] &&
		b[o + 4] === own[4] &&
		b[o + 3] === own[3] &&
		b[o + 2] === own[2] &&
		b[o + 1] === own[1] &&
		b[o] === own[0]
	) {
		skb.pkt_type = PACKET_HOST;
	} else if (b[o] & 1) {
		skb.pkt_type = is_broadcast_ether_addr(b, o) ? PACKET_BROADCAST : PACKET_MULTICAST;
	} else {
		skb.pkt_type = PACKET_OTHERHOST;
	}
	const proto = (b[o + 12] << 8) | b[o + 13];
	if (proto >= ETH_P_802_3_MIN) return proto;
	// A length: Novell's raw 802.3 begins with ones, all others with an LLC header (IEEE 802.2).
	if (skb.len >= 2 && b[o + 14] === 0xff && b[o + 15] === 0xff) return ETH_P_802_3;
	return ETH_P_802_2;
}

/** Puts an Ethernet header in front. header_ops.create: see there. `type` ETH_P_802_3 and ETH_P_802_2 write `len` instead. */
export function eth_header(
	skb: sk_buff,
	dev: net_device,
	type: number,
	daddr: Uint8Array | null,
	saddr: Uint8Array | null,
	len: number,
): number {
	const o = skb_push(skb, ETH_HLEN);
	const b = skb.head;
	const proto = type !== ETH_P_802_3 && type !== ETH_P_802_2 ? type : len;
	b[o + 12] = proto >>> 8;
	b[o + 13] = proto;
	const s = saddr !== null ? saddr : dev.dev_addr;
	for (let i = 0; i < ETH_ALEN; i++) b[o + 6 + i] = s[i];
	if (daddr !== null) {
		for (let i = 0; i < ETH_ALEN; i++) b[o + i] = daddr[i];
		return ETH_HLEN;
	}
	if (dev.flags & (0x8 | 0x80)) {
		// IFF_LOOPBACK | IFF_NOARP: nobody to tell apart
		b.fill(0, o, o + ETH_ALEN);
		return ETH_HLEN;
	}
	return -ETH_HLEN;
}

/** The sender's address. Return: its length. */
export function eth_header_parse(skb: sk_buff, haddr: Uint8Array): number {
	const o = skb.mac_header;
	for (let i = 0; i < ETH_ALEN; i++) haddr[i] = skb.head[o + 6 + i];
	return ETH_ALEN;
}

export const eth_header_ops: header_ops = { create: eth_header, parse: eth_header_parse };

/** What every Ethernet device starts from. */
export function ether_setup(dev: net_device): void {
	dev.header_ops = eth_header_ops;
	dev.type = ARPHRD_ETHER;
	dev.hard_header_len = ETH_HLEN;
	dev.min_header_len = ETH_HLEN;
	dev.mtu = ETH_DATA_LEN;
	dev.min_mtu = ETH_MIN_MTU;
	dev.max_mtu = ETH_DATA_LEN;
	dev.addr_len = ETH_ALEN;
	dev.tx_queue_len = 1000;
	dev.flags = IFF_BROADCAST | IFF_MULTICAST;
	dev.priv_flags |= IFF_TX_SKB_SHARING;
	dev.broadcast.fill(0xff);
}

/** ndo_set_mac_address of most: a running device refuses unless IFF_LIVE_ADDR_CHANGE. Return: 0 or -errno. */
export function eth_mac_addr(dev: net_device, addr: Uint8Array): number {
	const ret = eth_prepare_mac_addr_change(dev, addr);
	if (ret < 0) return ret;
	eth_hw_addr_set(dev, addr);
	return 0;
}

export function eth_prepare_mac_addr_change(dev: net_device, addr: Uint8Array): number {
	if (!(dev.priv_flags & IFF_LIVE_ADDR_CHANGE) && dev.running) return -EBUSY;
	if (!is_valid_ether_addr(addr)) return -EADDRNOTAVAIL;
	return 0;
}

export function eth_validate_addr(dev: net_device): number {
	return is_valid_ether_addr(dev.dev_addr) ? 0 : -EADDRNOTAVAIL;
}
