/*
 * drivers/net/vnic_ethtool.ts: what ethtool can ask of a vnic, and set.
 */

import { type net_device, netdev_priv } from '../../net/core/netdevice.ts';
import {
	type ethtool_channels,
	type ethtool_coalesce,
	type ethtool_drvinfo,
	type ethtool_link_ksettings,
	ethtool_op_get_link,
	ethtool_ops,
	type ethtool_pauseparam,
	type ethtool_ringparam,
} from '../../net/ethtool/ethtool.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	AUTONEG_ENABLE,
	ETH_SS_STATS,
	ETHTOOL_LINK_MODE_10baseT_Full_BIT,
	ETHTOOL_LINK_MODE_100baseT_Full_BIT,
	ETHTOOL_LINK_MODE_1000baseT_Full_BIT,
	ETHTOOL_LINK_MODE_10000baseT_Full_BIT,
	ETHTOOL_LINK_MODE_Autoneg_BIT,
	ETHTOOL_LINK_MODE_TP_BIT,
} from '../../uapi/linux/ethtool.ts';
import { VNIC_MAX_RING, VNIC_MIN_RING, vnic_open, type vnic_priv, vnic_stop } from './vnic.ts';

const MODES: number[] = [
	ETHTOOL_LINK_MODE_10baseT_Full_BIT,
	ETHTOOL_LINK_MODE_100baseT_Full_BIT,
	ETHTOOL_LINK_MODE_1000baseT_Full_BIT,
	ETHTOOL_LINK_MODE_Autoneg_BIT,
	ETHTOOL_LINK_MODE_TP_BIT,
	ETHTOOL_LINK_MODE_10000baseT_Full_BIT,
];

function get_drvinfo(dev: net_device, info: ethtool_drvinfo): void {
	info.driver = 'vnic';
	info.bus_info = dev.name;
}

function get_link_ksettings(dev: net_device, cmd: ethtool_link_ksettings): number {
	const priv = netdev_priv<vnic_priv>(dev);
	cmd.speed = priv.speed;
	cmd.duplex = priv.duplex;
	cmd.autoneg = AUTONEG_ENABLE;
	cmd.supported = MODES;
	cmd.advertising = MODES;
	return 0;
}

function get_ringparam(dev: net_device, ring: ethtool_ringparam): void {
	const priv = netdev_priv<vnic_priv>(dev);
	ring.rx_max_pending = VNIC_MAX_RING;
	ring.tx_max_pending = VNIC_MAX_RING;
	ring.rx_pending = priv.rx_ring_size;
	ring.tx_pending = priv.tx_ring_size;
}

/** New rings: what lay in the old ones is lost, as with real NICs. */
function set_ringparam(dev: net_device, ring: ethtool_ringparam): number {
	if (ring.rx_pending < VNIC_MIN_RING || ring.tx_pending < VNIC_MIN_RING) return -EINVAL;
	const priv = netdev_priv<vnic_priv>(dev);
	if (dev.running) vnic_stop(dev);
	priv.rx_ring_size = ring.rx_pending;
	priv.tx_ring_size = ring.tx_pending;
	return dev.running ? vnic_open(dev) : 0;
}

function get_channels(dev: net_device, ch: ethtool_channels): void {
	ch.max_combined = netdev_priv<vnic_priv>(dev).queues.length;
	ch.combined_count = dev.real_num_rx_queues;
}

function set_channels(dev: net_device, ch: ethtool_channels): number {
	if (ch.combined_count === 0) return -EINVAL;
	dev.real_num_rx_queues = ch.combined_count;
	dev.real_num_tx_queues = ch.combined_count;
	return 0;
}

function get_coalesce(dev: net_device, c: ethtool_coalesce): number {
	const priv = netdev_priv<vnic_priv>(dev);
	c.rx_coalesce_usecs = priv.rx_coalesce_usecs;
	c.rx_max_coalesced_frames = priv.rx_max_coalesced_frames;
	return 0;
}

/** No time and no number of frames would mean no interrupt ever: that is refused. */
function set_coalesce(dev: net_device, c: ethtool_coalesce): number {
	if (c.rx_coalesce_usecs === 0 && c.rx_max_coalesced_frames === 0) return -EINVAL;
	const priv = netdev_priv<vnic_priv>(dev);
	priv.rx_coalesce_usecs = c.rx_coalesce_usecs;
	priv.rx_max_coalesced_frames = c.rx_max_coalesced_frames;
	return 0;
}

function get_pauseparam(_dev: net_device, _p: ethtool_pauseparam): void {}

const RX_STRINGS = ['packets', 'bytes', 'missed', 'interrupts', 'polls'];
const TX_STRINGS = ['packets', 'bytes', 'stop', 'wake'];

function get_strings(dev: net_device, sset: number): string[] {
	if (sset !== ETH_SS_STATS) return [];
	const out = ['rx_length_errors', 'tx_no_cable'];
	for (let i = 0; i < netdev_priv<vnic_priv>(dev).queues.length; i++) {
		for (const s of RX_STRINGS) out.push(`rx_queue_${i}_${s}`);
		for (const s of TX_STRINGS) out.push(`tx_queue_${i}_${s}`);
	}
	return out;
}

function get_ethtool_stats(dev: net_device): number[] {
	const priv = netdev_priv<vnic_priv>(dev);
	const out = [priv.rx_length_errors, priv.tx_no_cable];
	for (const q of priv.queues) {
		out.push(q.rx_packets, q.rx_bytes, q.rx_missed, q.interrupts, q.polls);
		out.push(q.tx_packets, q.tx_bytes, q.tx_stopped, q.tx_wake);
	}
	return out;
}

function get_msglevel(dev: net_device): number {
	return netdev_priv<vnic_priv>(dev).msg_enable;
}

function set_msglevel(dev: net_device, level: number): void {
	netdev_priv<vnic_priv>(dev).msg_enable = level;
}

/** The vnic's ethtool_ops. */
export function vnic_ethtool_ops(): ethtool_ops {
	const ops = new ethtool_ops();
	ops.get_drvinfo = get_drvinfo;
	ops.get_link = ethtool_op_get_link;
	ops.get_link_ksettings = get_link_ksettings;
	ops.get_ringparam = get_ringparam;
	ops.set_ringparam = set_ringparam;
	ops.get_channels = get_channels;
	ops.set_channels = set_channels;
	ops.get_coalesce = get_coalesce;
	ops.set_coalesce = set_coalesce;
	ops.supported_coalesce_params = ['rx_coalesce_usecs', 'rx_max_coalesced_frames'];
	ops.get_pauseparam = get_pauseparam;
	ops.get_strings = get_strings;
	ops.get_ethtool_stats = get_ethtool_stats;
	ops.get_msglevel = get_msglevel;
	ops.set_msglevel = set_msglevel;
	return ops;
}
