/*
 * drivers/net/vnic.ts: our Ethernet NIC: descriptor rings, an interrupt line, NAPI, coalescing, a PHY.     No Linux twin.
 *
 * Rx: cable -> vnic_port.receive -> rx ring -> irq (coalesced) -> napi_schedule -> vnic_poll -> eth_type_trans -> napi_gro_receive.
 *     The irq is masked while NAPI polls: one interrupt per packet when idle, none under load. A full ring loses the frame (rx_missed_errors).
 * Tx: vnic_xmit -> tx ring -> cable. The ring fills only while the cable is busy (Cable.busy_until); then the queue stops, and wakes at 1/4.
 *
 * To userland it is a plain NIC, like a TAP device: it lets every frame in, whatever its address, and pads nothing.
 * ethtool's side is vnic_ethtool.ts.
 */

import { hrtimer, hrtimer_cancel, hrtimer_start, type hrtimer as hrtimer_t } from '../../kernel/time.ts';
import type { journey } from '../../kernel/trace.ts';
import {
	NAPI_STATE_SCHED,
	napi_complete_done,
	napi_disable,
	napi_enable,
	napi_schedule,
	type napi_struct,
	netif_carrier_off,
	netif_carrier_on,
	netif_napi_add,
	register_netdevice,
} from '../../net/core/dev.ts';
import { netdev_update_features } from '../../net/core/dev_features.ts';
import {
	SKB_DROP_REASON_DEV_READY,
	SKB_DROP_REASON_FULL_RING,
	SKB_DROP_REASON_QUEUE_PURGE,
} from '../../net/core/dropreason.ts';
import { napi_gro_receive } from '../../net/core/gro.ts';
import type { net } from '../../net/core/net_namespace.ts';
import {
	IFF_LIVE_ADDR_CHANGE,
	NETDEV_TX_BUSY,
	NETDEV_TX_OK,
	NETIF_F_FRAGLIST,
	NETIF_F_GSO_UDP_L4,
	NETIF_F_GSO_UDP_TUNNEL,
	NETIF_F_HW_CSUM,
	NETIF_F_HW_VLAN_CTAG_TX,
	NETIF_F_HW_VLAN_STAG_TX,
	NETIF_F_SG,
	NETIF_F_TSO,
	NETIF_F_TSO_ECN,
	NETIF_F_TSO6,
	net_device,
	net_device_ops,
	netdev_priv,
	type netdev_queue,
	type rtnl_link_stats64,
} from '../../net/core/netdevice.ts';
import {
	CHECKSUM_NONE,
	CHECKSUM_PARTIAL,
	CHECKSUM_UNNECESSARY,
	consume_skb,
	kfree_skb_reason,
	netdev_alloc_skb,
	type sk_buff,
	skb_begin_journey,
	skb_copy_bits,
	skb_put,
} from '../../net/core/skbuff.ts';
import { skb_append_data } from '../../net/core/skbuff_frags.ts';
import { eth_hw_addr_random, eth_mac_addr, eth_type_trans, ether_setup } from '../../net/ethernet/eth.ts';
import {
	netif_tx_start_all_queues,
	netif_tx_stop_all_queues,
	netif_tx_wake_queue,
} from '../../net/sched/sch_generic.ts';
import { ETH_HLEN } from '../../uapi/linux/if_ether.ts';
import { type Cable, type CablePort, frame_offload } from './cable.ts';
import { vnic_ethtool_ops } from './vnic_ethtool.ts';

export const VNIC_DEFAULT_RING = 256;
export const VNIC_MIN_RING = 64;
export const VNIC_MAX_RING = 4096;
export const VNIC_MAX_QUEUES = 16;
/** As large as a frame of Ethernet's length field can be said to be: no device of Linux has more but lo. */
const VNIC_MAX_MTU = 65521;

const DUPLEX_FULL = 1;
const DUPLEX_UNKNOWN = 0xff;
const SPEED_UNKNOWN = -1;

const NO_SKB: (sk_buff | null)[] = [];

/** One pair of rings with their interrupt. */
export class vnic_queue {
	priv: vnic_priv;
	index: number;
	napi: napi_struct;
	/** Frames that arrived: a circle of `rx_ring.length`, `rx_count` of them from `rx_head`. */
	rx_ring: (sk_buff | null)[] = NO_SKB;
	rx_head = 0;
	rx_count = 0;
	/** Frames that wait for the cable. */
	tx_ring: (sk_buff | null)[] = NO_SKB;
	tx_head = 0;
	tx_count = 0;
	/** Frames since the last interrupt. */
	rx_pending = 0;
	irq_timer: hrtimer_t;
	tx_timer: hrtimer_t;
	rx_packets = 0;
	rx_bytes = 0;
	tx_packets = 0;
	tx_bytes = 0;
	interrupts = 0;
	polls = 0;
	rx_missed = 0;
	tx_stopped = 0;
	tx_wake = 0;

	constructor(priv: vnic_priv, index: number) {
		const machine = priv.dev.net.machine;
		this.priv = priv;
		this.index = index;
		this.napi = netif_napi_add(priv.dev, vnic_poll, 64);
		this.napi.priv = this;
		this.irq_timer = new hrtimer(machine, vnic_irq_timeout, this, 'vnic_irq_timeout');
		this.tx_timer = new hrtimer(machine, vnic_tx_ready, this, 'vnic_tx_ready');
	}
}

/** The NIC: what its driver keeps, and what its cable sees. */
export class vnic_priv implements CablePort {
	dev: net_device;
	cable: Cable | null = null;
	queues: vnic_queue[] = [];
	link = false;
	/** Mbit/s; -1 unknown. */
	speed = SPEED_UNKNOWN;
	duplex = DUPLEX_UNKNOWN;
	rx_ring_size = VNIC_DEFAULT_RING;
	tx_ring_size = VNIC_DEFAULT_RING;
	/** Interrupt after so many µs, or so many frames, whichever is first. 0 and 1: at each frame. */
	rx_coalesce_usecs = 0;
	rx_max_coalesced_frames = 1;
	tx_coalesce_usecs = 0;
	tx_max_coalesced_frames = 1;
	msg_enable = 0;
	rx_length_errors = 0;
	tx_no_cable = 0;
	/** What is told to the cable of a frame with offload. */
	offload: frame_offload = new frame_offload();
	/** A frame of several pieces, while it is sent. */
	tx_gather: Uint8Array = new Uint8Array(0);

	constructor(dev: net_device) {
		this.dev = dev;
	}

	/** A frame arrives now. Return: false when it was lost. */
	receive(
		frame: Uint8Array,
		start: number,
		len: number,
		offload: frame_offload | null,
		from: journey | null = null,
	): boolean {
		const dev = this.dev;
		if (!this.link) return false;
		if (len < ETH_HLEN) {
			this.rx_length_errors++;
			return false;
		}
		if (!dev.running) return vnic_rx_lost(dev, frame, start, len, SKB_DROP_REASON_DEV_READY, from);
		const n = this.queues.length;
		const q = n === 1 ? this.queues[0] : this.queues[vnic_rss(frame, start, len, dev.real_num_rx_queues)];
		const ring = q.rx_ring;
		if (q.rx_count === ring.length) {
			q.rx_missed++;
			if (dev.net.machine.tracer !== null) vnic_rx_lost(dev, frame, start, len, SKB_DROP_REASON_FULL_RING, from);
			return false;
		}
		const skb = vnic_rx_skb(dev, frame, start, len, from);
		skb.queue_mapping = q.index + 1;
		if (offload !== null) vnic_rx_offload(skb, offload);
		let slot = q.rx_head + q.rx_count;
		if (slot >= ring.length) slot -= ring.length;
		ring[slot] = skb;
		q.rx_count++;
		if ((q.napi.state & NAPI_STATE_SCHED) === 0) vnic_rx_event(this, q);
		return true;
	}

	/** The signal comes or goes. */
	set_link(up: boolean, speed: number): void {
		this.link = up;
		this.speed = up && speed > 0 ? speed : SPEED_UNKNOWN;
		this.duplex = up ? DUPLEX_FULL : DUPLEX_UNKNOWN;
		if (up && this.dev.running) netif_carrier_on(this.dev);
		else if (!up) netif_carrier_off(this.dev);
	}
}

/** Frames with less payload stay in one piece. */
const VNIC_RX_COPYBREAK = 256;

/** Length of the headers of a TCP segment over IPv4 (header-data split, as `ethtool -G tcp-data-split on`); 0 for any other frame. */
function vnic_tcp_headers(b: Uint8Array, o: number, len: number): number {
	if (b[o + 12] !== 8 || b[o + 13] !== 0 || b[o + 23] !== 6 || ((b[o + 20] & 0x3f) | b[o + 21]) !== 0) return 0;
	const l4 = 14 + (b[o + 14] & 15) * 4;
	const hdr = l4 + (b[o + l4 + 12] >> 4) * 4;
	return hdr < len ? hdr : 0;
}

/** The frame in a buffer of the ring: what DMA does. A TCP segment's payload goes to pages, where GRO and sockets join it without copying. */
function vnic_rx_skb(dev: net_device, frame: Uint8Array, start: number, len: number, from: journey | null): sk_buff {
	const hdr = len > VNIC_RX_COPYBREAK ? vnic_tcp_headers(frame, start, len) : 0;
	const linear = hdr > 0 ? hdr : len;
	const skb = netdev_alloc_skb(dev, linear);
	const at = skb_put(skb, linear);
	// 60 bytes: set of a whole array 16 ns, of a subarray 45, a loop 77.
	skb.head.set(start === 0 && linear === frame.length ? frame : frame.subarray(start, start + linear), at);
	if (hdr > 0) skb_append_data(skb, frame, start + hdr, len - hdr);
	if (skb.machine.tracer !== null) skb_begin_journey(skb, from, from !== null ? 'link' : 'rx');
	return skb;
}

/** A frame that the NIC cannot take: real hardware would say nothing, here it is told why. Return: false. */
function vnic_rx_lost(
	dev: net_device,
	frame: Uint8Array,
	start: number,
	len: number,
	reason: number,
	from: journey | null,
): boolean {
	const skb = vnic_rx_skb(dev, frame, start, len, from);
	skb.protocol = eth_type_trans(skb, dev);
	skb.network_header = skb.data;
	kfree_skb_reason(skb, reason, 'vnic_receive');
	return false;
}

/** RSS: the queue of a flow, by its addresses and ports. */
function vnic_rss(b: Uint8Array, o: number, len: number, n: number): number {
	if (n <= 1 || len < 34 || b[o + 12] !== 8 || b[o + 13] !== 0) return 0;
	let h = 0;
	for (let i = 26; i < 34; i += 2) h = Math.imul(h ^ ((b[o + i] << 8) | b[o + i + 1]), 0x9e3779b1);
	const proto = b[o + 23];
	const l4 = 14 + (b[o + 14] & 15) * 4;
	const frag = ((b[o + 20] & 0x3f) << 8) | b[o + 21];
	if ((proto === 6 || proto === 17) && frag === 0 && len >= l4 + 4) {
		h = Math.imul(h ^ ((b[o + l4] << 8) | b[o + l4 + 1]), 0x9e3779b1);
		h = Math.imul(h ^ ((b[o + l4 + 2] << 8) | b[o + l4 + 3]), 0x9e3779b1);
	}
	h ^= h >>> 15;
	return (h >>> 0) % n;
}

function vnic_rx_offload(skb: sk_buff, offload: frame_offload): void {
	if (offload.csum_start > 0 && offload.csum_start + offload.csum_offset + 2 <= skb.len) {
		skb.ip_summed = CHECKSUM_PARTIAL;
		skb.csum_start = skb.data + offload.csum_start;
		skb.csum_offset = offload.csum_offset;
	} else if (offload.csum_valid) skb.ip_summed = CHECKSUM_UNNECESSARY;
	if (offload.gso_size > 0) {
		skb.shinfo.gso_size = offload.gso_size;
		skb.shinfo.gso_type = offload.gso_type;
		skb.shinfo.gso_segs = Math.ceil(skb.len / offload.gso_size);
	}
}

/** A frame waits and nobody polls: interrupt, now or soon. */
function vnic_rx_event(priv: vnic_priv, q: vnic_queue): void {
	q.rx_pending++;
	const usecs = priv.rx_coalesce_usecs;
	if (q.rx_pending >= priv.rx_max_coalesced_frames && priv.rx_max_coalesced_frames > 0) vnic_interrupt(q);
	else if (usecs > 0 && q.irq_timer.slot < 0) {
		hrtimer_start(q.irq_timer, q.irq_timer.machine.clock.now + usecs * 1000);
	}
}

function vnic_irq_timeout(timer: hrtimer_t): void {
	const q = timer.owner as vnic_queue;
	if (q.rx_count > 0) vnic_interrupt(q);
}

/** The interrupt handler: polling takes over, the line is masked meanwhile. Context: interrupt. */
function vnic_interrupt(q: vnic_queue): void {
	q.rx_pending = 0;
	if (q.irq_timer.slot >= 0) hrtimer_cancel(q.irq_timer);
	q.interrupts++;
	napi_schedule(q.napi);
}

/** NAPI's poll. Context: softirq. Return: frames taken. */
function vnic_poll(napi: napi_struct, budget: number): number {
	const q = napi.priv as vnic_queue;
	const dev = napi.dev!;
	const ring = q.rx_ring;
	let work = 0;
	q.polls++;
	while (work < budget && q.rx_count > 0) {
		const skb = ring[q.rx_head]!;
		ring[q.rx_head] = null;
		if (++q.rx_head === ring.length) q.rx_head = 0;
		q.rx_count--;
		q.rx_packets++;
		q.rx_bytes += skb.len;
		skb.protocol = eth_type_trans(skb, dev);
		napi_gro_receive(napi, skb);
		work++;
	}
	if (work > 0) dev.last_rx = dev.net.machine.clock.now;
	if (work < budget) napi_complete_done(napi, work);
	return work;
}

/** Context: softirq or process; consumes skb unless NETDEV_TX_BUSY. */
function vnic_xmit(skb: sk_buff, dev: net_device): number {
	const priv = netdev_priv<vnic_priv>(dev);
	const cable = priv.cable;
	const q = priv.queues.length === 1 ? priv.queues[0] : priv.queues[skb.queue_mapping];
	if (cable === null || !priv.link) {
		priv.tx_no_cable++;
		kfree_skb_reason(skb, SKB_DROP_REASON_DEV_READY, 'vnic_xmit');
		return NETDEV_TX_OK;
	}
	if (q.tx_count === 0 && (cable.busy_until === undefined || cable.busy_until <= skb.machine.clock.now)) {
		vnic_tx_frame(priv, q, cable, skb);
		return NETDEV_TX_OK;
	}
	const ring = q.tx_ring;
	if (q.tx_count === ring.length) return NETDEV_TX_BUSY;
	let slot = q.tx_head + q.tx_count;
	if (slot >= ring.length) slot -= ring.length;
	ring[slot] = skb;
	q.tx_count++;
	if (q.tx_timer.slot < 0) hrtimer_start(q.tx_timer, cable.busy_until ?? 0);
	if (q.tx_count === ring.length) {
		dev._tx[q.index].stopped = true;
		q.tx_stopped++;
	}
	return NETDEV_TX_OK;
}

/** Puts one frame on the cable. Consumes skb. */
function vnic_tx_frame(priv: vnic_priv, q: vnic_queue, cable: Cable, skb: sk_buff): void {
	const len = skb.len;
	let frame = skb.head;
	let start = skb.data;
	if (skb.data_len > 0) {
		// Scatter-gather: the pieces meet on the wire.
		if (priv.tx_gather.length < len) priv.tx_gather = new Uint8Array(len > 4096 ? 65536 + 256 : 4096);
		frame = priv.tx_gather;
		start = 0;
		skb_copy_bits(skb, 0, frame, 0, len);
	}
	q.tx_packets++;
	q.tx_bytes += len;
	if (skb.ip_summed !== CHECKSUM_NONE && cable.offload) {
		const o = priv.offload;
		const partial = skb.ip_summed === CHECKSUM_PARTIAL;
		o.csum_start = partial ? skb.csum_start - skb.data : 0;
		o.csum_offset = partial ? skb.csum_offset : 0;
		o.gso_size = skb.shinfo.gso_size;
		o.gso_type = skb.shinfo.gso_type;
		o.csum_valid = !partial && skb.ip_summed === CHECKSUM_UNNECESSARY;
		cable.send(frame, start, len, o, skb.journey);
	} else cable.send(frame, start, len, null, skb.journey);
	consume_skb(skb);
}

/** The cable is free again. */
function vnic_tx_ready(timer: hrtimer_t): void {
	const q = timer.owner as vnic_queue;
	const priv = q.priv;
	const cable = priv.cable;
	const ring = q.tx_ring;
	const now = timer.machine.clock.now;
	if (cable === null) return;
	while (q.tx_count > 0) {
		if (cable.busy_until !== undefined && cable.busy_until > now) {
			hrtimer_start(timer, cable.busy_until);
			break;
		}
		const skb = ring[q.tx_head]!;
		ring[q.tx_head] = null;
		if (++q.tx_head === ring.length) q.tx_head = 0;
		q.tx_count--;
		vnic_tx_frame(priv, q, cable, skb);
	}
	const txq: netdev_queue = priv.dev._tx[q.index];
	if (txq.stopped && ring.length - q.tx_count >= ring.length >> 2) {
		q.tx_wake++;
		netif_tx_wake_queue(txq);
	}
}

function vnic_free_rings(q: vnic_queue): void {
	for (; q.rx_count > 0; q.rx_count--) {
		kfree_skb_reason(q.rx_ring[q.rx_head]!, SKB_DROP_REASON_QUEUE_PURGE, 'vnic_close');
		if (++q.rx_head === q.rx_ring.length) q.rx_head = 0;
	}
	for (; q.tx_count > 0; q.tx_count--) {
		kfree_skb_reason(q.tx_ring[q.tx_head]!, SKB_DROP_REASON_QUEUE_PURGE, 'vnic_close');
		if (++q.tx_head === q.tx_ring.length) q.tx_head = 0;
	}
	q.rx_ring = NO_SKB;
	q.tx_ring = NO_SKB;
}

export function vnic_open(dev: net_device): number {
	const priv = netdev_priv<vnic_priv>(dev);
	for (const q of priv.queues) {
		q.rx_ring = new Array(priv.rx_ring_size).fill(null);
		q.tx_ring = new Array(priv.tx_ring_size).fill(null);
		q.rx_head = 0;
		q.tx_head = 0;
		q.rx_pending = 0;
		napi_enable(q.napi);
	}
	netif_tx_start_all_queues(dev);
	if (priv.link) netif_carrier_on(dev);
	return 0;
}

export function vnic_stop(dev: net_device): number {
	const priv = netdev_priv<vnic_priv>(dev);
	netif_tx_stop_all_queues(dev);
	for (const q of priv.queues) {
		napi_disable(q.napi);
		hrtimer_cancel(q.irq_timer);
		hrtimer_cancel(q.tx_timer);
		vnic_free_rings(q);
	}
	return 0;
}

function vnic_fix_features(dev: net_device, features: number): number {
	const cable = netdev_priv<vnic_priv>(dev).cable;
	// What the cable cannot carry undone, the stack must do.
	if (cable !== null && cable.offload) return features;
	return (
		features &
		~(NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | NETIF_F_GSO_UDP_L4 | NETIF_F_GSO_UDP_TUNNEL)
	);
}

function vnic_get_stats64(dev: net_device, s: rtnl_link_stats64): void {
	const priv = netdev_priv<vnic_priv>(dev);
	for (const q of priv.queues) {
		s.rx_packets += q.rx_packets;
		s.rx_bytes += q.rx_bytes;
		s.tx_packets += q.tx_packets;
		s.tx_bytes += q.tx_bytes;
		s.rx_missed_errors += q.rx_missed;
	}
	s.rx_errors += priv.rx_length_errors;
	s.rx_length_errors += priv.rx_length_errors;
	s.tx_errors += priv.tx_no_cable;
	s.tx_carrier_errors += priv.tx_no_cable;
}

const vnic_ops: net_device_ops = new net_device_ops();
vnic_ops.ndo_open = vnic_open;
vnic_ops.ndo_stop = vnic_stop;
vnic_ops.ndo_start_xmit = vnic_xmit;
vnic_ops.ndo_set_mac_address = eth_mac_addr;
vnic_ops.ndo_fix_features = vnic_fix_features;
vnic_ops.ndo_get_stats64 = vnic_get_stats64;

export interface vnic_options {
	/** Random when null. */
	mac: Uint8Array | null;
	mtu: number;
	/** Queues with an interrupt each. */
	queues: number;
	/** 0: the next. */
	ifindex: number;
}

/** Puts a NIC into the machine. Return: its device, registered and down, or -errno. */
export function vnic_create(net: net, name: string, options: vnic_options): net_device | number {
	const dev = new net_device(name, net, vnic_ops);
	ether_setup(dev);
	dev.max_mtu = VNIC_MAX_MTU;
	dev.mtu = options.mtu;
	dev.ifindex = options.ifindex;
	dev.priv_flags |= IFF_LIVE_ADDR_CHANGE;
	const n = Math.max(1, Math.min(VNIC_MAX_QUEUES, options.queues));
	dev.num_tx_queues = n;
	dev.real_num_tx_queues = n;
	dev.num_rx_queues = n;
	dev.real_num_rx_queues = n;
	dev.irq = ++net.machine.net.irq;
	const own =
		NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | NETIF_F_GSO_UDP_L4 | NETIF_F_GSO_UDP_TUNNEL;
	dev.hw_features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_STAG_TX | own;
	dev.features = dev.hw_features;
	dev.ethtool_ops = vnic_ethtool_ops();
	if (options.mac !== null) dev.dev_addr.set(options.mac.subarray(0, 6));
	else eth_hw_addr_random(dev);
	const priv = new vnic_priv(dev);
	dev.priv = priv;
	for (let i = 0; i < n; i++) priv.queues.push(new vnic_queue(priv, i));
	dev.carrier = false;
	const err = register_netdevice(dev);
	return err < 0 ? err : dev;
}

/** Plugs a cable in (null: takes it out). Return: the NIC as the cable sees it. */
export function vnic_plug(dev: net_device, cable: Cable | null): CablePort {
	const priv = netdev_priv<vnic_priv>(dev);
	priv.cable = cable;
	if (cable === null) priv.set_link(false, 0);
	netdev_update_features(dev);
	return priv;
}
