/*
 * net/ipv4/arp.ts: from IPv4 address to Ethernet address.          Linux: net/ipv4/arp.c
 *
 * Walk: in: arp_rcv -> NF_ARP_IN -> arp_process: answer for ourselves or by proxy, learn the sender.
 *       out: arp_solicit -> arp_send_dst -> arp_create, arp_xmit -> NF_ARP_OUT -> dev_queue_xmit.
 * RFC 826; RFC 5227 2.1 (probes from 0.0.0.0); RFC 1027 (proxies). The settings arp_* are in inetdevice.ts.
 * The ioctls are in arp_ioctl.ts. Not here yet: AX.25, FDDI and IEEE 1394 hardware, tunnel replies.
 */

import { proc_create_net } from '../../fs/proc_net.ts';
import type { Machine } from '../../kernel/machine.ts';
import { HZ } from '../../kernel/time.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { get_unaligned_be32, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { EINVAL, ENXIO } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOOPBACK, IFF_NOARP, IFF_POINTOPOINT } from '../../uapi/linux/if.ts';
import { ARPHRD_ETHER, ARPHRD_IEEE802, ARPOP_REPLY, ARPOP_REQUEST } from '../../uapi/linux/if_arp.ts';
import { ETH_P_ARP, ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import { PACKET_HOST, PACKET_LOOPBACK, PACKET_OTHERHOST } from '../../uapi/linux/if_packet.ts';
import { NUD_FAILED, NUD_NOARP, NUD_REACHABLE, NUD_STALE } from '../../uapi/linux/neighbour.ts';
import { NFPROTO_ARP } from '../../uapi/linux/netfilter.ts';
import {
	RT_SCOPE_HOST,
	RT_SCOPE_LINK,
	RT_SCOPE_UNIVERSE,
	RTN_BROADCAST,
	RTN_LOCAL,
	RTN_MULTICAST,
	RTN_UNICAST,
} from '../../uapi/linux/rtnetlink.ts';
import { LINUX_MIB_ARPFILTER } from '../../uapi/linux/snmp.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import {
	dev_add_pack,
	dev_hard_header,
	dev_queue_xmit,
	LL_RESERVED_SPACE,
	NET_RX_DROP,
	NET_RX_SUCCESS,
	NETDEV_CHANGE,
	NETDEV_CHANGEADDR,
	NETDEV_CHANGENAME,
	type netdev_notifier_info,
	packet_type,
	register_netdevice_notifier,
} from '../core/dev.ts';
import {
	SKB_DROP_REASON_NEIGH_FAILED,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_PKT_TOO_SMALL,
} from '../core/dropreason.ts';
import type { dst_entry } from '../core/dst.ts';
import { neigh_stat_seq_show, neigh_sysctl_register, neigh_sysctl_unregister } from '../core/neigh_sysctl.ts';
import {
	__neigh_lookup,
	__neigh_lookup_noref,
	NEIGH_UPDATE_F_ADMIN,
	NEIGH_UPDATE_F_OVERRIDE,
	NEIGH_VAR,
	NEIGH_VAR_APP_PROBES,
	NEIGH_VAR_LOCKTIME,
	NEIGH_VAR_PROXY_DELAY,
	NEIGH_VAR_UCAST_PROBES,
	NUD_VALID,
	neigh_carrier_down,
	neigh_changeaddr,
	neigh_connected_output,
	neigh_direct_output,
	neigh_event_ns,
	neigh_ifdown,
	neigh_lookup,
	type neigh_ops,
	neigh_remove_one,
	neigh_resolve_output,
	neigh_table,
	neigh_table_init,
	neigh_update,
	type neighbour,
	neighbour_cb,
	pneigh_enqueue,
	pneigh_lookup,
} from '../core/neighbour.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import {
	alloc_skb,
	consume_skb,
	kfree_skb_reason,
	pskb_may_pull,
	type sk_buff,
	skb_put,
	skb_reserve,
	skb_reset_network_header,
	skb_share_check,
} from '../core/skbuff.ts';
import { NET_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import { nf_hook } from '../netfilter/core.ts';
import { arp_seq_show } from './arp_ioctl.ts';
import { inet_addr_onlink, inet_confirm_addr, inet_select_addr } from './devinet.ts';
import { inet_addr_type_dev_table } from './fib_frontend.ts';
import {
	__in_dev_get_rcu,
	IN_DEV_ARP_ACCEPT,
	IN_DEV_ARP_ANNOUNCE,
	IN_DEV_ARP_EVICT_NOCARRIER,
	IN_DEV_ARP_IGNORE,
	IN_DEV_ARPFILTER,
	IN_DEV_DROP_GRATUITOUS_ARP,
	IN_DEV_FORWARD,
	IN_DEV_MEDIUM_ID,
	IN_DEV_PROXY_ARP,
	IN_DEV_PROXY_ARP_PVLAN,
	IN_DEV_ROUTE_LOCALNET,
	type in_device,
} from './inetdevice.ts';
import { ip_route_input_noref, ip_route_output, rt_cache_flush, type rtable } from './route.ts';

export { arp_ioctl } from './arp_ioctl.ts';

export const NEIGH_ARP_TABLE = 0;
/** arphdr without addresses. */
const ARP_HDRLEN = 8;
const NF_ARP_IN = 0;
const NF_ARP_OUT = 1;
const SK_WMEM_DEFAULT = 212992;

/** By NEIGH_VAR_*. */
const ARP_DEFAULTS = [3, 3, 0, 0, HZ, 30 * HZ, 5 * HZ, 5 * HZ, 60 * HZ, SK_WMEM_DEFAULT, 64, HZ, (8 * HZ) / 10, HZ];

/** The machine's ARP table. */
export function arp_tbl(machine: Machine): neigh_table {
	return machine.neigh.tables[NEIGH_ARP_TABLE];
}

/** The entry for `key` on `dev`, or null: the packet path's way. */
export function __ipv4_neigh_lookup_noref(dev: net_device, key: number): neighbour | null {
	if (dev.flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) key = 0;
	return __neigh_lookup_noref(dev.net.machine.neigh.tables[NEIGH_ARP_TABLE], key, dev);
}

export function __ipv4_neigh_lookup(dev: net_device, key: number): neighbour | null {
	return __ipv4_neigh_lookup_noref(dev, key);
}

/** A higher layer heard from it: it is there. */
export function __ipv4_confirm_neigh(dev: net_device, key: number): void {
	const n = __ipv4_neigh_lookup_noref(dev, key);
	if (n !== null) n.confirmed = dev.net.machine.jiffies;
}

function ipv4_is_multicast(addr: number): boolean {
	return addr >>> 28 === 14;
}

// ---- entries ---------------------------------------------------------------------------------------------------------------------

const arp_ops: neigh_ops = {
	family: AF_INET,
	solicit: arp_solicit,
	error_report: arp_error_report,
	output: neigh_resolve_output,
	connected_output: neigh_connected_output,
};

const arp_direct_ops: neigh_ops = {
	family: AF_INET,
	solicit: arp_solicit,
	error_report: arp_error_report,
	output: neigh_direct_output,
	connected_output: neigh_direct_output,
};

/** Fills in a new entry: what has no need of ARP is NOARP from the start. Return: 0 or -errno. */
function arp_constructor(n: neighbour): number {
	const dev = n.dev;
	const in_dev = __in_dev_get_rcu(dev);
	if (in_dev === null) return -EINVAL;
	if (dev.flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) n.primary_key = 0;
	const addr = n.primary_key;
	n.type = inet_addr_type_dev_table(dev.net, dev, addr);
	n.parms = in_dev.arp_parms;
	if (dev.header_ops === null) {
		n.nud_state = NUD_NOARP;
		n.ops = arp_direct_ops;
		n.output = neigh_direct_output;
		return 0;
	}
	if (n.type === RTN_MULTICAST) {
		n.nud_state = NUD_NOARP;
		arp_mc_map(addr, n.ha, dev);
	} else if (dev.flags & (IFF_NOARP | IFF_LOOPBACK)) {
		n.nud_state = NUD_NOARP;
		n.ha.set(dev.dev_addr);
	} else if (n.type === RTN_BROADCAST || dev.flags & IFF_POINTOPOINT) {
		n.nud_state = NUD_NOARP;
		n.ha.set(dev.broadcast);
	}
	n.ops = arp_ops;
	n.output = n.nud_state & NUD_VALID ? n.ops.connected_output : n.ops.output;
	return 0;
}

/** The Ethernet group address of an IPv4 group (RFC 1112 6.4). Return: 0 or -EINVAL. */
export function arp_mc_map(addr: number, haddr: Uint8Array, dev: net_device): number {
	if (dev.type !== ARPHRD_ETHER && dev.type !== ARPHRD_IEEE802) {
		haddr.set(dev.broadcast);
		return 0;
	}
	haddr[0] = 0x01;
	haddr[1] = 0x00;
	haddr[2] = 0x5e;
	haddr[3] = (addr >>> 16) & 0x7f;
	haddr[4] = addr >>> 8;
	haddr[5] = addr;
	return 0;
}

/** Nobody answered for a packet: its sender is told, and it is gone. */
function arp_error_report(_n: neighbour, skb: sk_buff): void {
	const dst = skb._skb_refdst;
	if (dst !== null) dst.ops.link_failure(skb);
	kfree_skb_reason(skb, SKB_DROP_REASON_NEIGH_FAILED, 'neigh_invalidate');
}

/** Asks for a neighbour: the first times whom we knew, then everybody. Borrows skb. */
function arp_solicit(n: neighbour, skb: sk_buff | null): void {
	const dev = n.dev;
	const target = n.primary_key;
	const in_dev = __in_dev_get_rcu(dev);
	if (in_dev === null) return;
	let saddr = 0;
	const ip_saddr = skb !== null ? get_unaligned_be32(skb.head, skb.network_header + 12) : 0;
	switch (IN_DEV_ARP_ANNOUNCE(in_dev)) {
		case 1: // Restrict: only an address that the target could answer to directly.
			if (skb !== null && inet_addr_type_dev_table(dev.net, dev, ip_saddr) === RTN_LOCAL) {
				if (inet_addr_onlink(in_dev, target, ip_saddr)) saddr = ip_saddr;
			}
			break;
		case 2: // Never the packet's own.
			break;
		default:
			if (skb !== null && inet_addr_type_dev_table(dev.net, dev, ip_saddr) === RTN_LOCAL) saddr = ip_saddr;
	}
	if (saddr === 0) saddr = inet_select_addr(dev, target, RT_SCOPE_LINK);
	let probes = n.probes - NEIGH_VAR(n.parms, NEIGH_VAR_UCAST_PROBES);
	let dst_ha: Uint8Array | null = null;
	if (probes < 0) dst_ha = n.ha;
	else {
		probes -= NEIGH_VAR(n.parms, NEIGH_VAR_APP_PROBES);
		// Userland (arpd) is asked first: nobody there listens.
		if (probes < 0) return;
	}
	arp_send_dst(ARPOP_REQUEST, ETH_P_ARP, target, dev, saddr, dst_ha, dev.dev_addr, null, null, skb);
}

// ---- sending ---------------------------------------------------------------------------------------------------------------------

/**
 * An ARP packet with its link header. `dest_hw` null: to everybody; `src_hw` null: from the device; `target_hw` null: zeros.
 * `parent`: the packet that it is made because of.
 */
export function arp_create(
	type: number,
	ptype: number,
	dest_ip: number,
	dev: net_device,
	src_ip: number,
	dest_hw: Uint8Array | null,
	src_hw: Uint8Array | null,
	target_hw: Uint8Array | null,
	parent: sk_buff | null = null,
): sk_buff | null {
	const alen = dev.addr_len;
	const len = ARP_HDRLEN + 2 * (alen + 4);
	const skb = alloc_skb(dev.net.machine, LL_RESERVED_SPACE(dev) + len + dev.needed_tailroom, parent);
	skb_reserve(skb, LL_RESERVED_SPACE(dev));
	skb_reset_network_header(skb);
	let o = skb_put(skb, len);
	const b = skb.head;
	skb.dev = dev;
	skb.protocol = ETH_P_ARP;
	const hw = src_hw !== null ? src_hw : dev.dev_addr;
	b[o] = dev.type >>> 8;
	b[o + 1] = dev.type;
	b[o + 2] = ETH_P_IP >>> 8;
	b[o + 3] = ETH_P_IP & 255;
	b[o + 4] = alen;
	b[o + 5] = 4;
	b[o + 6] = type >>> 8;
	b[o + 7] = type;
	o += ARP_HDRLEN;
	for (let i = 0; i < alen; i++) b[o + i] = hw[i];
	put_unaligned_be32(b, o + alen, src_ip);
	o += alen + 4;
	for (let i = 0; i < alen; i++) b[o + i] = target_hw !== null ? target_hw[i] : 0;
	put_unaligned_be32(b, o + alen, dest_ip);
	if (dev_hard_header(skb, dev, ptype, dest_hw !== null ? dest_hw : dev.broadcast, hw, skb.len) < 0) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'arp_create');
		return null;
	}
	return skb;
}

function arp_xmit_finish(_net: net, _sk: sock | null, skb: sk_buff): number {
	return dev_queue_xmit(skb);
}

/** Sends an ARP packet. Consumes skb. */
export function arp_xmit(skb: sk_buff): void {
	if (skb.journey !== null) trace_fn(skb, 'arp_xmit');
	const net = skb.dev!.net;
	if (nf_hook(NFPROTO_ARP, NF_ARP_OUT, net, null, skb, null, skb.dev, arp_xmit_finish) === 1) dev_queue_xmit(skb);
}

function arp_send_dst(
	type: number,
	ptype: number,
	dest_ip: number,
	dev: net_device,
	src_ip: number,
	dest_hw: Uint8Array | null,
	src_hw: Uint8Array | null,
	target_hw: Uint8Array | null,
	_dst: dst_entry | null,
	parent: sk_buff | null,
): void {
	if (dev.flags & IFF_NOARP) return;
	const skb = arp_create(type, ptype, dest_ip, dev, src_ip, dest_hw, src_hw, target_hw, parent);
	if (skb !== null) arp_xmit(skb);
}

/** Makes and sends an ARP packet. */
export function arp_send(
	type: number,
	ptype: number,
	dest_ip: number,
	dev: net_device,
	src_ip: number,
	dest_hw: Uint8Array | null,
	src_hw: Uint8Array | null,
	target_hw: Uint8Array | null,
): void {
	arp_send_dst(type, ptype, dest_ip, dev, src_ip, dest_hw, src_hw, target_hw, null, null);
}

// ---- receiving -------------------------------------------------------------------------------------------------------------------

/** net.ipv4.conf.*.arp_ignore: whether a request for an address of ours is let go by. */
function arp_ignore(in_dev: in_device, sip: number, tip: number): boolean {
	const mode = IN_DEV_ARP_IGNORE(in_dev);
	switch (mode) {
		case 1: // Only addresses of the device that was asked.
			return inet_confirm_addr(in_dev.dev.net, in_dev, 0, tip, RT_SCOPE_HOST) === 0;
		case 2: // And the sender must be in the same prefix.
			return inet_confirm_addr(in_dev.dev.net, in_dev, sip, tip, RT_SCOPE_HOST) === 0;
		case 3: // Not addresses of scope host.
			return inet_confirm_addr(in_dev.dev.net, null, 0, tip, RT_SCOPE_LINK) === 0;
		case 8:
			return true;
		default:
			return false;
	}
}

/** net.ipv4.conf.*.arp_accept: whether a sender that we did not ask makes an entry. */
function arp_accept(in_dev: in_device, sip: number): boolean {
	switch (IN_DEV_ARP_ACCEPT(in_dev)) {
		case 1:
			return true;
		case 2:
			return inet_confirm_addr(in_dev.dev.net, in_dev, sip, 0, RT_SCOPE_LINK) !== 0;
		default:
			return false;
	}
}

/** net.ipv4.conf.*.arp_filter: only the device that we would reach the asker by answers. Return: whether to keep silent. */
function arp_filter(sip: number, tip: number, dev: net_device): boolean {
	const net = dev.net;
	const rt = ip_route_output(net, sip, tip, 0, 0, RT_SCOPE_UNIVERSE);
	if (typeof rt === 'number') return true;
	if (rt.dev === dev) return false;
	NET_INC_STATS(net, LINUX_MIB_ARPFILTER);
	return true;
}

/** Proxy ARP (RFC 1027): we route to the target by another device and another medium. */
function arp_fwd_proxy(in_dev: in_device, dev: net_device, rt: rtable): boolean {
	if (rt.dev === dev || !IN_DEV_PROXY_ARP(in_dev)) return false;
	const imi = IN_DEV_MEDIUM_ID(in_dev);
	if (imi === 0) return true;
	if (imi === -1) return false;
	const out_dev = __in_dev_get_rcu(rt.dev);
	const omi = out_dev !== null ? IN_DEV_MEDIUM_ID(out_dev) : -1;
	return omi !== imi && omi !== -1;
}

/** Private VLAN (RFC 3069): hosts of one prefix that cannot hear each other; we answer on the very device. */
function arp_fwd_pvlan(in_dev: in_device, dev: net_device, rt: rtable, sip: number, tip: number): boolean {
	return rt.dev === dev && sip !== tip && IN_DEV_PROXY_ARP_PVLAN(in_dev);
}

/** Says to the packet's journey why nobody answers. */
function note_sysctl(skb: sk_buff, name: string, dev: net_device, value: number): void {
	trace_event(skb, 'note', 'arp_process', { sysctl: `net.ipv4.conf.${dev.name}.${name}`, value, answered: false });
}

/** One ARP packet, for us or not. Context: softirq; consumes skb, whose data starts at the ARP header. */
export function arp_process(net: net, _sk: sock | null, skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'arp_process');
	const dev = skb.dev!;
	const in_dev = __in_dev_get_rcu(dev);
	const b = skb.head;
	let o = skb.network_header;
	const hrd = (b[o] << 8) | b[o + 1];
	const pro = (b[o + 2] << 8) | b[o + 3];
	const op = (b[o + 6] << 8) | b[o + 7];
	const ether = dev.type === ARPHRD_ETHER || dev.type === ARPHRD_IEEE802;
	// RFC 826 would look at the type of hardware first; Ethernet may say it is IEEE 802.
	const hrd_ok = ether ? hrd === ARPHRD_ETHER || hrd === ARPHRD_IEEE802 : hrd === dev.type;
	if (in_dev === null || pro !== ETH_P_IP || !hrd_ok || (op !== ARPOP_REPLY && op !== ARPOP_REQUEST)) {
		return arp_drop(skb);
	}
	const alen = dev.addr_len;
	o += ARP_HDRLEN;
	const sha = b.subarray(o, o + alen);
	const sip = get_unaligned_be32(b, o + alen);
	o += alen + 4;
	const tha = b.subarray(o, o + alen);
	const tip = get_unaligned_be32(b, o + alen);
	if (ipv4_is_multicast(tip) || (tip >>> 24 === 127 && !IN_DEV_ROUTE_LOCALNET(in_dev))) return arp_drop(skb);
	if (sip === tip && IN_DEV_DROP_GRATUITOUS_ARP(in_dev)) {
		if (skb.journey !== null) note_sysctl(skb, 'drop_gratuitous_arp', dev, 1);
		return arp_drop(skb);
	}
	const tbl = arp_tbl(net.machine);
	// RFC 5227 2.1.1: someone wants to know whether the address is taken. It is nobody's yet, so nothing is learnt.
	if (sip === 0) {
		if (
			op === ARPOP_REQUEST &&
			inet_addr_type_dev_table(net, dev, tip) === RTN_LOCAL &&
			!arp_ignore(in_dev, sip, tip)
		) {
			arp_send_dst(ARPOP_REPLY, ETH_P_ARP, sip, dev, tip, sha, dev.dev_addr, sha, null, skb);
		}
		return arp_done(skb);
	}
	if (op === ARPOP_REQUEST && ip_route_input_noref(skb, tip, sip, 0, dev) === 0) {
		const rt = skb._skb_refdst as rtable;
		if (rt.rt_type === RTN_LOCAL) {
			let silent = arp_ignore(in_dev, sip, tip);
			if (silent) {
				if (skb.journey !== null) note_sysctl(skb, 'arp_ignore', dev, IN_DEV_ARP_IGNORE(in_dev));
			} else if (IN_DEV_ARPFILTER(in_dev)) {
				silent = arp_filter(sip, tip, dev);
				if (silent && skb.journey !== null) note_sysctl(skb, 'arp_filter', dev, 1);
			}
			if (!silent && neigh_event_ns(tbl, sha, sip, dev) !== null) {
				arp_send_dst(ARPOP_REPLY, ETH_P_ARP, sip, dev, tip, sha, dev.dev_addr, sha, null, skb);
			}
			return arp_done(skb);
		}
		if (IN_DEV_FORWARD(in_dev) && rt.rt_type === RTN_UNICAST && arp_proxied(in_dev, dev, rt, tbl, sip, tip)) {
			neigh_event_ns(tbl, sha, sip, dev);
			const waited = skb.cb instanceof neighbour_cb && skb.cb.locally_enqueued;
			if (waited || skb.pkt_type === PACKET_HOST || NEIGH_VAR(in_dev.arp_parms, NEIGH_VAR_PROXY_DELAY) === 0) {
				arp_send_dst(ARPOP_REPLY, ETH_P_ARP, sip, dev, tip, sha, dev.dev_addr, sha, null, skb);
				return arp_done(skb);
			}
			pneigh_enqueue(tbl, in_dev.arp_parms, skb);
			return NET_RX_SUCCESS;
		}
	}
	arp_learn(in_dev, dev, skb, op, sip, tip, sha, tha);
	return arp_done(skb);
}

function arp_proxied(
	in_dev: in_device,
	dev: net_device,
	rt: rtable,
	tbl: neigh_table,
	sip: number,
	tip: number,
): boolean {
	if (arp_fwd_proxy(in_dev, dev, rt) || arp_fwd_pvlan(in_dev, dev, rt, sip, tip)) return true;
	return rt.dev !== dev && pneigh_lookup(tbl, dev.net, tip, dev) !== null;
}

/** RFC 826: an entry that is there follows what its owner says; one is made only when arp_accept lets it. */
function arp_learn(
	in_dev: in_device,
	dev: net_device,
	skb: sk_buff,
	op: number,
	sip: number,
	tip: number,
	sha: Uint8Array,
	tha: Uint8Array,
): void {
	const net = dev.net;
	const tbl = arp_tbl(net.machine);
	let n = __neigh_lookup(tbl, sip, dev, 0);
	const accept = arp_accept(in_dev, sip);
	let garp = false;
	if (n !== null || accept) {
		garp = tip === sip;
		if (garp && op === ARPOP_REPLY) for (let i = 0; i < dev.addr_len; i++) garp = garp && tha[i] === sha[i];
		if (garp) garp = inet_addr_type_dev_table(net, dev, sip) === RTN_UNICAST;
	}
	if (accept && n === null) {
		if (garp || (op === ARPOP_REPLY && inet_addr_type_dev_table(net, dev, sip) === RTN_UNICAST)) {
			n = __neigh_lookup(tbl, sip, dev, 1);
		}
	}
	if (n === null) return;
	// Two answers within locktime: the first counts. Proxies and the host may both answer.
	const override = garp || net.machine.jiffies > n.updated + NEIGH_VAR(n.parms, NEIGH_VAR_LOCKTIME);
	const state = op !== ARPOP_REPLY || skb.pkt_type !== PACKET_HOST ? NUD_STALE : NUD_REACHABLE;
	neigh_update(n, sha, state, override ? NEIGH_UPDATE_F_OVERRIDE : 0, 0);
}

function arp_drop(skb: sk_buff): number {
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'arp_process');
	return NET_RX_DROP;
}

function arp_done(skb: sk_buff): number {
	consume_skb(skb);
	return NET_RX_SUCCESS;
}

/** A proxied request waited long enough. Consumes skb. */
function parp_redo(skb: sk_buff): void {
	arp_process(skb.dev!.net, null, skb);
}

/** An ARP packet arrives. Context: softirq; consumes skb. */
export function arp_rcv(skb: sk_buff, dev: net_device, _pt: packet_type, _orig_dev: net_device): number {
	if (skb.journey !== null) trace_fn(skb, 'arp_rcv');
	if (dev.flags & IFF_NOARP || skb.pkt_type === PACKET_OTHERHOST || skb.pkt_type === PACKET_LOOPBACK) {
		consume_skb(skb);
		return NET_RX_SUCCESS;
	}
	skb = skb_share_check(skb);
	if (!pskb_may_pull(skb, ARP_HDRLEN + 2 * (dev.addr_len + 4))) {
		kfree_skb_reason(skb, SKB_DROP_REASON_PKT_TOO_SMALL, 'arp_rcv');
		return NET_RX_DROP;
	}
	const o = skb.network_header;
	if (skb.head[o + 4] !== dev.addr_len || skb.head[o + 5] !== 4) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'arp_rcv');
		return NET_RX_DROP;
	}
	skb.cb = null;
	if (nf_hook(NFPROTO_ARP, NF_ARP_IN, dev.net, null, skb, dev, null, arp_process) !== 1) return NET_RX_DROP;
	return arp_process(dev.net, null, skb);
}

// ---- the rest --------------------------------------------------------------------------------------------------------------------

/** Forgets one entry. `force`: whatever its state. Return: 0 or -ENXIO. */
export function arp_invalidate(dev: net_device, ip: number, force: boolean): number {
	const n = neigh_lookup(arp_tbl(dev.net.machine), ip, dev);
	if (n === null) return -ENXIO;
	if (n.nud_state & NUD_VALID && !force) return 0;
	let err = 0;
	if (n.nud_state & ~NUD_NOARP)
		err = neigh_update(n, null, NUD_FAILED, NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN, 0);
	if (!n.dead) neigh_remove_one(n);
	return err;
}

/** The device goes down. */
export function arp_ifdown(dev: net_device): void {
	neigh_ifdown(arp_tbl(dev.net.machine), dev);
}

function arp_netdev_event(machine: Machine, event: number, dev: net_device, info: netdev_notifier_info): number {
	const in_dev = __in_dev_get_rcu(dev);
	switch (event) {
		case NETDEV_CHANGEADDR:
			neigh_changeaddr(arp_tbl(machine), dev);
			rt_cache_flush(dev.net);
			break;
		case NETDEV_CHANGE:
			if (info.flags_changed & IFF_NOARP) neigh_changeaddr(arp_tbl(machine), dev);
			if (!dev.carrier && (in_dev === null || IN_DEV_ARP_EVICT_NOCARRIER(in_dev))) {
				neigh_carrier_down(arp_tbl(machine), dev);
			}
			break;
		case NETDEV_CHANGENAME:
			if (in_dev !== null) {
				neigh_sysctl_unregister(in_dev.arp_parms);
				neigh_sysctl_register(dev, in_dev.arp_parms);
			}
			break;
	}
	return 0;
}

/** Opens ARP. Boot: after neigh_init and net_dev_init, before devinet_init (whose devices take their settings from the table). */
export function arp_init(machine: Machine): void {
	const tbl = new neigh_table(machine, AF_INET, 'arp_cache', 4, arp_constructor, ARP_DEFAULTS);
	tbl.proxy_redo = parp_redo;
	tbl.is_multicast = ipv4_is_multicast;
	neigh_table_init(machine, tbl);
	dev_add_pack(machine, new packet_type(ETH_P_ARP, arp_rcv));
	register_netdevice_notifier(machine, { notifier_call: arp_netdev_event, priority: 0 });
	register_pernet_subsys(machine, { name: 'arp', init: arp_net_init, exit: arp_net_exit });
}

function arp_net_init(net: net): number {
	proc_create_net(net, 'arp', arp_seq_show);
	if (net === net.machine.init_net) proc_create_net(net, 'stat/arp_cache', arp_stat_show);
	return 0;
}

function arp_net_exit(_net: net): void {}

function arp_stat_show(net: net): string {
	return neigh_stat_seq_show(arp_tbl(net.machine));
}
