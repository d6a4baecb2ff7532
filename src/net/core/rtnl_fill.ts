/*
 * net/core/rtnl_fill.ts: what a link looks like in a message.      Linux: net/core/rtnetlink.c: rtnl_fill_ifinfo()
 * The attributes stand in the order in which Linux 6.18 sends them, so that the bytes are the same.
 * Not here yet: VFs, physical port and switch ids, XDP programs, parent devices.
 */
import { put_unaligned_le16, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	nla_nest_cancel,
	nla_nest_end,
	nla_nest_start,
	nla_nest_start_noflag,
	nla_put,
	nla_put_s32,
	nla_put_string,
	nla_put_u8,
	nla_put_u32,
	nla_reserve,
	nlmsg_cancel,
	nlmsg_end,
	nlmsg_put,
	nlmsg_put_data,
	put_unaligned_le64,
} from '../../lib/nlattr.ts';
import { EMSGSIZE, ENODATA } from '../../uapi/asm-generic/errno.ts';
import {
	IFLA_ADDRESS,
	IFLA_AF_SPEC,
	IFLA_ALLMULTI,
	IFLA_BROADCAST,
	IFLA_CARRIER,
	IFLA_CARRIER_CHANGES,
	IFLA_CARRIER_DOWN_COUNT,
	IFLA_CARRIER_UP_COUNT,
	IFLA_DEVLINK_PORT,
	IFLA_DPLL_PIN,
	IFLA_EVENT,
	IFLA_GRO_IPV4_MAX_SIZE,
	IFLA_GRO_MAX_SIZE,
	IFLA_GROUP,
	IFLA_GSO_IPV4_MAX_SIZE,
	IFLA_GSO_MAX_SEGS,
	IFLA_GSO_MAX_SIZE,
	IFLA_HEADROOM,
	IFLA_IFALIAS,
	IFLA_IFNAME,
	IFLA_INFO_DATA,
	IFLA_INFO_KIND,
	IFLA_INFO_SLAVE_DATA,
	IFLA_INFO_SLAVE_KIND,
	IFLA_LINK,
	IFLA_LINK_NETNSID,
	IFLA_LINKINFO,
	IFLA_LINKMODE,
	IFLA_MAP,
	IFLA_MASTER,
	IFLA_MAX_MTU,
	IFLA_MAX_PACING_OFFLOAD_HORIZON,
	IFLA_MIN_MTU,
	IFLA_MTU,
	IFLA_NETNS_IMMUTABLE,
	IFLA_NEW_IFINDEX,
	IFLA_NEW_NETNSID,
	IFLA_NUM_RX_QUEUES,
	IFLA_NUM_TX_QUEUES,
	IFLA_OPERSTATE,
	IFLA_PERM_ADDRESS,
	IFLA_PROMISCUITY,
	IFLA_PROTO_DOWN,
	IFLA_QDISC,
	IFLA_STATS,
	IFLA_STATS64,
	IFLA_TAILROOM,
	IFLA_TARGET_NETNSID,
	IFLA_TSO_MAX_SEGS,
	IFLA_TSO_MAX_SIZE,
	IFLA_TXQLEN,
	IFLA_XDP,
	IFLA_XDP_ATTACHED,
} from '../../uapi/linux/if_link.ts';
import type { netlink_skb } from '../netlink/netlink.ts';
import { dev_get_flags, dev_get_iflink, dev_get_stats, netif_carrier_ok } from './dev.ts';
import { NETIF_F_NETNS_IMMUTABLE, type net_device } from './netdevice.ts';
import { dev_rtnl_link_ops } from './rtnetlink.ts';
import { peernet2id_alloc } from './rtnl_nsid.ts';

/** The counters of struct rtnl_link_stats and rtnl_link_stats64, in order; the last only in the wide one. */
const STATS = [
	'rx_packets',
	'tx_packets',
	'rx_bytes',
	'tx_bytes',
	'rx_errors',
	'tx_errors',
	'rx_dropped',
	'tx_dropped',
	'multicast',
	'collisions',
	'rx_length_errors',
	'rx_over_errors',
	'rx_crc_errors',
	'rx_frame_errors',
	'rx_fifo_errors',
	'rx_missed_errors',
	'tx_aborted_errors',
	'tx_carrier_errors',
	'tx_fifo_errors',
	'tx_heartbeat_errors',
	'tx_window_errors',
	'rx_compressed',
	'tx_compressed',
	'rx_nohandler',
	'rx_otherhost_dropped',
] as const;

/** Sizes that a software device may aggregate to; a driver of hardware says less. */
const TSO_MAX_SIZE = 524280;
const TSO_LEGACY_MAX_SIZE = 65536;
const GRO_MAX_SIZE = 65536;

function fill_stats(skb: netlink_skb, dev: net_device): number {
	const s = dev_get_stats(dev);
	const at64 = nla_reserve(skb, IFLA_STATS64, STATS.length * 8);
	if (at64 < 0) return at64;
	for (let i = 0; i < STATS.length; i++) put_unaligned_le64(skb.data, at64 + 8 * i, s[STATS[i]]);
	const at32 = nla_reserve(skb, IFLA_STATS, (STATS.length - 1) * 4);
	if (at32 < 0) return at32;
	for (let i = 0; i < STATS.length - 1; i++) put_unaligned_le32(skb.data, at32 + 4 * i, s[STATS[i]] % 0x100000000);
	return 0;
}

function fill_linkinfo(skb: netlink_skb, dev: net_device): number {
	const ops = dev_rtnl_link_ops(dev);
	const master_ops = dev.master === null ? null : dev_rtnl_link_ops(dev.master);
	if (dev.kind === '' && master_ops === null) return 0;
	const nest = nla_nest_start_noflag(skb, IFLA_LINKINFO);
	if (nest < 0) return nest;
	let err = 0;
	if (dev.kind !== '') {
		err |= nla_put_string(skb, IFLA_INFO_KIND, dev.kind);
		if (ops !== null && ops.fill_info !== null) {
			const data = nla_nest_start_noflag(skb, IFLA_INFO_DATA);
			if (data < 0 || ops.fill_info(skb, dev) < 0) return -EMSGSIZE;
			nla_nest_end(skb, data);
		}
	}
	if (master_ops !== null) {
		err |= nla_put_string(skb, IFLA_INFO_SLAVE_KIND, master_ops.kind);
		if (master_ops.fill_slave_info !== null) {
			const data = nla_nest_start_noflag(skb, IFLA_INFO_SLAVE_DATA);
			if (data < 0 || master_ops.fill_slave_info(skb, dev.master!, dev) < 0) return -EMSGSIZE;
			nla_nest_end(skb, data);
		}
	}
	nla_nest_end(skb, nest);
	return err;
}

function fill_link_af(skb: netlink_skb, dev: net_device, ext_filter_mask: number): number {
	const af_spec = nla_nest_start_noflag(skb, IFLA_AF_SPEC);
	if (af_spec < 0) return af_spec;
	for (const ops of dev.net.machine.rtnl.af_ops) {
		if (ops.fill_link_af === null) continue;
		const af = nla_nest_start_noflag(skb, ops.family);
		if (af < 0) return af;
		const err = ops.fill_link_af(skb, dev, ext_filter_mask);
		if (err === -ENODATA) nla_nest_cancel(skb, af);
		else if (err < 0) return -EMSGSIZE;
		else nla_nest_end(skb, af);
	}
	nla_nest_end(skb, af_spec);
	return 0;
}

function fill_xdp(skb: netlink_skb): number {
	const xdp = nla_nest_start_noflag(skb, IFLA_XDP);
	if (xdp < 0) return xdp;
	const err = nla_put_u8(skb, IFLA_XDP_ATTACHED, 0);
	nla_nest_end(skb, xdp);
	return err;
}

function fill_empty_nest(skb: netlink_skb, type: number): number {
	const nest = nla_nest_start(skb, type);
	if (nest < 0) return nest;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * Puts one link. `event` is IFLA_EVENT_* (0: none), `tgt_netnsid` the id that the asker named its namespace by (-1: none),
 * `new_nsid` and `new_ifindex` where it goes to. Return: 0 or -EMSGSIZE.
 */
export function rtnl_fill_ifinfo(
	skb: netlink_skb,
	dev: net_device,
	type: number,
	pid: number,
	seq: number,
	change: number,
	flags: number,
	ext_filter_mask: number,
	event: number,
	tgt_netnsid: number,
	new_nsid: number,
	new_ifindex: number,
): number {
	const nlh = nlmsg_put(skb, pid, seq, type, 16, flags);
	if (nlh < 0) return -EMSGSIZE;
	const ifm = nlmsg_put_data(nlh);
	put_unaligned_le16(skb.data, ifm + 2, dev.type);
	put_unaligned_le32(skb.data, ifm + 4, dev.ifindex);
	put_unaligned_le32(skb.data, ifm + 8, dev_get_flags(dev));
	put_unaligned_le32(skb.data, ifm + 12, change);

	const tso = dev.kind !== '' || dev.ifindex === 1 ? TSO_MAX_SIZE : TSO_LEGACY_MAX_SIZE;
	let err = 0;
	if (tgt_netnsid >= 0) err |= nla_put_s32(skb, IFLA_TARGET_NETNSID, tgt_netnsid);
	err |= nla_put_string(skb, IFLA_IFNAME, dev.name);
	err |= nla_put_u32(skb, IFLA_TXQLEN, dev.tx_queue_len);
	err |= nla_put_u8(skb, IFLA_OPERSTATE, dev.running ? dev.operstate : 2);
	err |= nla_put_u8(skb, IFLA_LINKMODE, dev.link_mode);
	err |= nla_put_u8(skb, IFLA_NETNS_IMMUTABLE, (dev.features & NETIF_F_NETNS_IMMUTABLE) !== 0 ? 1 : 0);
	err |= nla_put_u32(skb, IFLA_MTU, dev.mtu);
	err |= nla_put_u32(skb, IFLA_MIN_MTU, dev.min_mtu);
	err |= nla_put_u32(skb, IFLA_MAX_MTU, dev.max_mtu);
	err |= nla_put_u32(skb, IFLA_GROUP, dev.group);
	err |= nla_put_u32(skb, IFLA_PROMISCUITY, dev.promiscuity);
	err |= nla_put_u32(skb, IFLA_ALLMULTI, dev.allmulti);
	err |= nla_put_u32(skb, IFLA_NUM_TX_QUEUES, dev.num_tx_queues);
	err |= nla_put_u32(skb, IFLA_GSO_MAX_SEGS, dev.gso_max_segs);
	err |= nla_put_u32(skb, IFLA_GSO_MAX_SIZE, dev.gso_max_size);
	err |= nla_put_u32(skb, IFLA_GRO_MAX_SIZE, GRO_MAX_SIZE);
	err |= nla_put_u32(skb, IFLA_GSO_IPV4_MAX_SIZE, Math.min(dev.gso_max_size, 65536));
	err |= nla_put_u32(skb, IFLA_GRO_IPV4_MAX_SIZE, GRO_MAX_SIZE);
	err |= nla_put_u32(skb, IFLA_TSO_MAX_SIZE, tso);
	err |= nla_put_u32(skb, IFLA_TSO_MAX_SEGS, 65535);
	err |= nla_put_u32(skb, IFLA_MAX_PACING_OFFLOAD_HORIZON, 0);
	err |= nla_put_u32(skb, IFLA_NUM_RX_QUEUES, dev.num_rx_queues);
	if (dev.master !== null) err |= nla_put_u32(skb, IFLA_MASTER, dev.master.ifindex);
	err |= nla_put_u8(skb, IFLA_CARRIER, netif_carrier_ok(dev) ? 1 : 0);
	if (dev.ifalias !== '') err |= nla_put_string(skb, IFLA_IFALIAS, dev.ifalias);
	err |= nla_put_u32(skb, IFLA_CARRIER_CHANGES, dev.carrier_up_count + dev.carrier_down_count);
	err |= nla_put_u32(skb, IFLA_CARRIER_UP_COUNT, dev.carrier_up_count);
	err |= nla_put_u32(skb, IFLA_CARRIER_DOWN_COUNT, dev.carrier_down_count);
	for (const [t, v] of [
		[IFLA_HEADROOM, dev.needed_headroom],
		[IFLA_TAILROOM, dev.needed_tailroom],
	]) {
		const at = nla_reserve(skb, t, 2);
		if (at < 0) err |= at;
		else put_unaligned_le16(skb.data, at, v);
	}
	err |= nla_put_u8(skb, IFLA_PROTO_DOWN, dev.proto_down ? 1 : 0);
	if (event !== 0) err |= nla_put_u32(skb, IFLA_EVENT, event);
	if (dev.addr_len > 0) {
		err |= nla_put(skb, IFLA_ADDRESS, dev.dev_addr.subarray(0, dev.addr_len));
		err |= nla_put(skb, IFLA_BROADCAST, dev.broadcast.subarray(0, dev.addr_len));
	}
	err |= fill_stats(skb, dev);
	err |= fill_xdp(skb);
	err |= fill_linkinfo(skb, dev);
	const link_net = dev_rtnl_link_ops(dev)?.get_link_net?.(dev) ?? dev.link_net;
	const far = link_net !== null && link_net !== dev.net;
	if (far) err |= nla_put_s32(skb, IFLA_LINK_NETNSID, peernet2id_alloc(dev.net, link_net));
	if (new_nsid >= 0) err |= nla_put_s32(skb, IFLA_NEW_NETNSID, new_nsid);
	if (new_ifindex !== 0) err |= nla_put_s32(skb, IFLA_NEW_IFINDEX, new_ifindex);
	if (dev.perm_addr.some((b) => b !== 0)) {
		err |= nla_put(skb, IFLA_PERM_ADDRESS, dev.perm_addr.subarray(0, dev.addr_len));
	}
	const iflink = dev_get_iflink(dev);
	if (far || iflink !== dev.ifindex) err |= nla_put_u32(skb, IFLA_LINK, iflink);
	if (dev.qdisc !== null) err |= nla_put_string(skb, IFLA_QDISC, dev.qdisc.ops.id);
	err |= fill_link_af(skb, dev, ext_filter_mask);
	// struct rtnl_link_ifmap: mem_start, mem_end, base_addr, irq, dma, port.
	const map = nla_reserve(skb, IFLA_MAP, 32);
	if (map >= 0) put_unaligned_le16(skb.data, map + 24, dev.irq);
	else err |= map;
	err |= fill_empty_nest(skb, IFLA_DEVLINK_PORT);
	err |= fill_empty_nest(skb, IFLA_DPLL_PIN);
	if (err < 0) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}
