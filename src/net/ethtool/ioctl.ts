/*
 * net/ethtool/ioctl.ts: SIOCETHTOOL: the structs of ethtool(8), byte for byte.      Linux: net/ethtool/ioctl.c
 * `data` is what ifr_data points to; it begins with the command. Arrays (strings, statistics, features) fill what room there is.
 * Not here yet: EEPROM, registers, self test, flow steering, RSS keys, private flags, EEE, tunables, FEC.
 */

import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { put_unaligned_le64, str_to_bytes } from '../../lib/nlattr.ts';
import { EFAULT, EINVAL, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import {
	ETH_FLAG_LRO,
	ETH_FLAG_RXVLAN,
	ETH_FLAG_TXVLAN,
	ETH_GSTRING_LEN,
	ETH_SS_STATS,
	ETHTOOL_F_UNSUPPORTED,
	ETHTOOL_F_WISH,
	ETHTOOL_GCHANNELS,
	ETHTOOL_GCOALESCE,
	ETHTOOL_GDRVINFO,
	ETHTOOL_GET_TS_INFO,
	ETHTOOL_GFEATURES,
	ETHTOOL_GFLAGS,
	ETHTOOL_GGRO,
	ETHTOOL_GGSO,
	ETHTOOL_GLINK,
	ETHTOOL_GLINKSETTINGS,
	ETHTOOL_GMSGLVL,
	ETHTOOL_GPAUSEPARAM,
	ETHTOOL_GPERMADDR,
	ETHTOOL_GRINGPARAM,
	ETHTOOL_GRXCSUM,
	ETHTOOL_GSET,
	ETHTOOL_GSG,
	ETHTOOL_GSSET_INFO,
	ETHTOOL_GSTATS,
	ETHTOOL_GSTRINGS,
	ETHTOOL_GTSO,
	ETHTOOL_GTXCSUM,
	ETHTOOL_GUFO,
	ETHTOOL_SCHANNELS,
	ETHTOOL_SCOALESCE,
	ETHTOOL_SFEATURES,
	ETHTOOL_SFLAGS,
	ETHTOOL_SGRO,
	ETHTOOL_SGSO,
	ETHTOOL_SMSGLVL,
	ETHTOOL_SRINGPARAM,
	ETHTOOL_SRXCSUM,
	ETHTOOL_SSG,
	ETHTOOL_STSO,
	ETHTOOL_STXCSUM,
	ETHTOOL_SUFO,
} from '../../uapi/linux/ethtool.ts';
import { __netdev_update_features, NETIF_F_ALL_TSO, netdev_features_change } from '../core/dev_features.ts';
import {
	NETIF_F_FRAGLIST,
	NETIF_F_GRO,
	NETIF_F_GSO,
	NETIF_F_HW_CSUM,
	NETIF_F_HW_VLAN_CTAG_RX,
	NETIF_F_HW_VLAN_CTAG_TX,
	NETIF_F_IP_CSUM,
	NETIF_F_LRO,
	NETIF_F_RXCSUM,
	NETIF_F_SCTP_CRC,
	NETIF_F_SG,
	NETIF_F_VLAN_CHALLENGED,
	type net_device,
} from '../core/netdevice.ts';
import {
	__ethtool_get_link_ksettings,
	__ethtool_get_strings,
	ethtool_channels,
	ethtool_coalesce,
	ethtool_drvinfo,
	type ethtool_ops,
	ethtool_pauseparam,
	ethtool_ringparam,
	netdev_features_strings,
} from './ethtool.ts';

const UTS_RELEASE = '6.18.0';
const DRVINFO_LEN = 196;
const LINK_MODE_WORDS = 4;
/** Of the kernel alone: not in errno.h. */
const ETOOSMALL = 525;

/** Whether `len` bytes are there. */
function room(data: Uint8Array, len: number): boolean {
	return data.length >= len;
}

function put_str(data: Uint8Array, at: number, s: string, len: number): void {
	data.fill(0, at, at + len);
	data.set(str_to_bytes(s).subarray(0, len - 1), at);
}

/** A struct of 32-bit numbers behind the command. */
function put_fields(data: Uint8Array, values: readonly number[]): number {
	if (!room(data, 4 + 4 * values.length)) return -EFAULT;
	for (let i = 0; i < values.length; i++) put_unaligned_le32(data, 4 + 4 * i, values[i]);
	return 0;
}

function get_drvinfo(dev: net_device, ops: ethtool_ops | null, data: Uint8Array): number {
	if (ops === null || ops.get_drvinfo === null) return -EOPNOTSUPP;
	if (!room(data, DRVINFO_LEN)) return -EFAULT;
	const info = new ethtool_drvinfo();
	info.version = UTS_RELEASE;
	ops.get_drvinfo(dev, info);
	data.fill(0, 4, DRVINFO_LEN);
	put_str(data, 4, info.driver, 32);
	put_str(data, 36, info.version, 32);
	put_str(data, 68, info.fw_version, 32);
	put_str(data, 100, info.bus_info, 32);
	const stats = __ethtool_get_strings(dev, ETH_SS_STATS);
	put_unaligned_le32(data, 180, stats === null ? 0 : stats.length);
	return 0;
}

/** ETHTOOL_GLINKSETTINGS: the caller first learns how many words a mask has (as a negative number), then asks again. */
function get_link_settings(dev: net_device, data: Uint8Array): number {
	const cmd = __ethtool_get_link_ksettings(dev);
	if (cmd === null) return -EOPNOTSUPP;
	if (!room(data, 48)) return -EFAULT;
	const words = (data[15] << 24) >> 24;
	if (words !== LINK_MODE_WORDS) {
		data.fill(0, 4, 48);
		data[15] = -LINK_MODE_WORDS;
		return 0;
	}
	if (!room(data, 48 + 12 * LINK_MODE_WORDS)) return -EFAULT;
	data.fill(0, 4, 48 + 12 * LINK_MODE_WORDS);
	put_unaligned_le32(data, 4, cmd.speed);
	data[8] = cmd.duplex;
	data[9] = cmd.port;
	data[10] = cmd.phy_address;
	data[11] = cmd.autoneg;
	data[15] = LINK_MODE_WORDS;
	const masks = [cmd.supported, cmd.advertising, cmd.lp_advertising];
	for (let m = 0; m < 3; m++) {
		for (const bit of masks[m]) data[48 + 4 * LINK_MODE_WORDS * m + (bit >> 3)] |= 1 << (bit & 7);
	}
	return 0;
}

/** ETHTOOL_GSET, the older way: modes are the first 32 bits. */
function get_settings(dev: net_device, data: Uint8Array): number {
	const cmd = __ethtool_get_link_ksettings(dev);
	if (cmd === null) return -EOPNOTSUPP;
	if (!room(data, 44)) return -EFAULT;
	data.fill(0, 4, 44);
	for (const bit of cmd.supported) if (bit < 32) data[4 + (bit >> 3)] |= 1 << (bit & 7);
	for (const bit of cmd.advertising) if (bit < 32) data[8 + (bit >> 3)] |= 1 << (bit & 7);
	data[12] = cmd.speed;
	data[13] = cmd.speed >> 8;
	data[14] = cmd.duplex;
	data[15] = cmd.port;
	data[16] = cmd.phy_address;
	data[18] = cmd.autoneg;
	data[28] = cmd.speed >> 16;
	data[29] = cmd.speed >> 24;
	return 0;
}

function get_strings(dev: net_device, data: Uint8Array): number {
	if (!room(data, 12)) return -EFAULT;
	const set = __ethtool_get_strings(dev, get_unaligned_le32(data, 4));
	if (set === null) return -EOPNOTSUPP;
	put_unaligned_le32(data, 8, set.length);
	if (!room(data, 12 + set.length * ETH_GSTRING_LEN)) return -EFAULT;
	for (let i = 0; i < set.length; i++) put_str(data, 12 + i * ETH_GSTRING_LEN, set[i], ETH_GSTRING_LEN);
	return 0;
}

function get_sset_info(dev: net_device, data: Uint8Array): number {
	if (!room(data, 16)) return -EFAULT;
	const mask = get_unaligned_le32(data, 8);
	data.fill(0, 8, 16);
	let at = 16;
	for (let i = 0; i < 32; i++) {
		if (((mask >>> i) & 1) === 0) continue;
		const set = __ethtool_get_strings(dev, i);
		if (set === null) continue;
		if (!room(data, at + 4)) return -EFAULT;
		data[8 + (i >> 3)] |= 1 << (i & 7);
		put_unaligned_le32(data, at, set.length);
		at += 4;
	}
	return 0;
}

function get_stats(dev: net_device, ops: ethtool_ops | null, data: Uint8Array): number {
	if (ops === null || ops.get_ethtool_stats === null) return -EOPNOTSUPP;
	const values = ops.get_ethtool_stats(dev);
	if (!room(data, 8 + 8 * values.length)) return -EFAULT;
	put_unaligned_le32(data, 4, values.length);
	for (let i = 0; i < values.length; i++) put_unaligned_le64(data, 8 + 8 * i, values[i]);
	return 0;
}

// ---- features --------------------------------------------------------------------------------------------------------------------

/** One 32-bit word of a feature set as Linux numbers its bits. */
function features_word(features: number, word: number): number {
	let v = 0;
	for (let i = 0; i < 32; i++) {
		const f = netdev_features_strings[word * 32 + i];
		if (f !== undefined && f[1] !== 0 && (features & f[1]) !== 0) v |= 1 << i;
	}
	return v >>> 0;
}

function get_features(dev: net_device, data: Uint8Array): number {
	if (!room(data, 8)) return -EFAULT;
	const size = get_unaligned_le32(data, 4);
	put_unaligned_le32(data, 4, 2);
	const n = Math.min(size, 2);
	if (!room(data, 8 + 16 * n)) return -EFAULT;
	for (let w = 0; w < n; w++) {
		put_unaligned_le32(data, 8 + 16 * w, features_word(dev.hw_features, w));
		put_unaligned_le32(data, 12 + 16 * w, features_word(dev.wanted_features, w));
		put_unaligned_le32(data, 16 + 16 * w, features_word(dev.features, w));
		put_unaligned_le32(data, 20 + 16 * w, features_word(NETIF_F_VLAN_CHALLENGED, w));
	}
	return 0;
}

/** Return: ETHTOOL_F_*: what could not be done, or -errno. */
function set_features(dev: net_device, data: Uint8Array): number {
	if (!room(data, 24) || get_unaligned_le32(data, 4) !== 2) return -EINVAL;
	let valid = 0;
	let requested = 0;
	let ret = 0;
	for (let i = 0; i < 64; i++) {
		const at = 8 + 8 * (i >> 5);
		if (((get_unaligned_le32(data, at) >>> (i & 31)) & 1) === 0) continue;
		const bit = netdev_features_strings[i][1];
		if ((dev.hw_features & bit) === 0) {
			ret |= ETHTOOL_F_UNSUPPORTED;
			continue;
		}
		valid |= bit;
		if ((get_unaligned_le32(data, at + 4) >>> (i & 31)) & 1) requested |= bit;
	}
	dev.wanted_features = (dev.wanted_features & ~valid) | requested;
	if (__netdev_update_features(dev) !== 0) netdev_features_change(dev);
	if ((dev.wanted_features ^ dev.features) & valid) ret |= ETHTOOL_F_WISH;
	return ret;
}

/** The features behind the older commands. */
function feature_mask(cmd: number): number {
	switch (cmd) {
		case ETHTOOL_GTXCSUM:
		case ETHTOOL_STXCSUM:
			return NETIF_F_HW_CSUM | NETIF_F_IP_CSUM | NETIF_F_SCTP_CRC;
		case ETHTOOL_GRXCSUM:
		case ETHTOOL_SRXCSUM:
			return NETIF_F_RXCSUM;
		case ETHTOOL_GSG:
		case ETHTOOL_SSG:
			return NETIF_F_SG | NETIF_F_FRAGLIST;
		case ETHTOOL_GTSO:
		case ETHTOOL_STSO:
			return NETIF_F_ALL_TSO;
		case ETHTOOL_GGSO:
		case ETHTOOL_SGSO:
			return NETIF_F_GSO;
		case ETHTOOL_GGRO:
		case ETHTOOL_SGRO:
			return NETIF_F_GRO;
		default:
			return 0;
	}
}

function set_one_feature(dev: net_device, cmd: number, data: Uint8Array): number {
	if (!room(data, 8)) return -EFAULT;
	const mask = feature_mask(cmd) & dev.hw_features;
	if (mask === 0) return -EOPNOTSUPP;
	if (get_unaligned_le32(data, 4) !== 0) dev.wanted_features |= mask;
	else dev.wanted_features &= ~mask;
	if (__netdev_update_features(dev) !== 0) netdev_features_change(dev);
	return 0;
}

function get_flags(dev: net_device): number {
	let flags = 0;
	if (dev.features & NETIF_F_LRO) flags |= ETH_FLAG_LRO;
	if (dev.features & NETIF_F_HW_VLAN_CTAG_RX) flags |= ETH_FLAG_RXVLAN;
	if (dev.features & NETIF_F_HW_VLAN_CTAG_TX) flags |= ETH_FLAG_TXVLAN;
	return flags;
}

function set_flags(dev: net_device, data: Uint8Array): number {
	if (!room(data, 8)) return -EFAULT;
	const flags = get_unaligned_le32(data, 4);
	if (flags & ~(ETH_FLAG_LRO | ETH_FLAG_RXVLAN | ETH_FLAG_TXVLAN)) return -EINVAL;
	let features = 0;
	if (flags & ETH_FLAG_LRO) features |= NETIF_F_LRO;
	if (flags & ETH_FLAG_RXVLAN) features |= NETIF_F_HW_VLAN_CTAG_RX;
	if (flags & ETH_FLAG_TXVLAN) features |= NETIF_F_HW_VLAN_CTAG_TX;
	const all = NETIF_F_LRO | NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_CTAG_TX;
	const changed = (features ^ dev.features) & all;
	if (changed & ~dev.hw_features) return changed & dev.hw_features ? -EINVAL : -EOPNOTSUPP;
	dev.wanted_features = (dev.wanted_features & ~changed) | (features & changed);
	if (__netdev_update_features(dev) !== 0) netdev_features_change(dev);
	return 0;
}

// ---- rings, channels, coalescing -------------------------------------------------------------------------------------------------

function set_ringparam(dev: net_device, ops: ethtool_ops | null, data: Uint8Array): number {
	if (ops === null || ops.set_ringparam === null || ops.get_ringparam === null) return -EOPNOTSUPP;
	if (!room(data, 36)) return -EFAULT;
	const max = new ethtool_ringparam();
	ops.get_ringparam(dev, max);
	const ring = new ethtool_ringparam();
	ring.rx_pending = get_unaligned_le32(data, 20);
	ring.rx_mini_pending = get_unaligned_le32(data, 24);
	ring.rx_jumbo_pending = get_unaligned_le32(data, 28);
	ring.tx_pending = get_unaligned_le32(data, 32);
	if (
		ring.rx_pending > max.rx_max_pending ||
		ring.rx_mini_pending > max.rx_mini_max_pending ||
		ring.rx_jumbo_pending > max.rx_jumbo_max_pending ||
		ring.tx_pending > max.tx_max_pending
	) {
		return -EINVAL;
	}
	return ops.set_ringparam(dev, ring);
}

function set_channels(dev: net_device, ops: ethtool_ops | null, data: Uint8Array): number {
	if (ops === null || ops.set_channels === null || ops.get_channels === null) return -EOPNOTSUPP;
	if (!room(data, 36)) return -EFAULT;
	const cur = new ethtool_channels();
	ops.get_channels(dev, cur);
	const ch = new ethtool_channels();
	ch.rx_count = get_unaligned_le32(data, 20);
	ch.tx_count = get_unaligned_le32(data, 24);
	ch.other_count = get_unaligned_le32(data, 28);
	ch.combined_count = get_unaligned_le32(data, 32);
	if (
		ch.rx_count === cur.rx_count &&
		ch.tx_count === cur.tx_count &&
		ch.other_count === cur.other_count &&
		ch.combined_count === cur.combined_count
	) {
		return 0;
	}
	if (ch.rx_count > cur.max_rx || ch.tx_count > cur.max_tx || ch.other_count > cur.max_other) return -EINVAL;
	if (ch.combined_count > cur.max_combined) return -EINVAL;
	if (ch.combined_count === 0 && (ch.rx_count === 0 || ch.tx_count === 0)) return -EINVAL;
	return ops.set_channels(dev, ch);
}

function get_coalesce(dev: net_device, ops: ethtool_ops | null, data: Uint8Array): number {
	if (ops === null || ops.get_coalesce === null) return -EOPNOTSUPP;
	const c = new ethtool_coalesce();
	const err = ops.get_coalesce(dev, c);
	return err < 0 ? err : put_fields(data, Object.values(c) as number[]);
}

function set_coalesce(dev: net_device, ops: ethtool_ops | null, data: Uint8Array): number {
	if (ops === null || ops.set_coalesce === null || ops.get_coalesce === null) return -EOPNOTSUPP;
	const c = new ethtool_coalesce();
	const fields = Object.keys(c) as (keyof ethtool_coalesce)[];
	if (!room(data, 4 + 4 * fields.length)) return -EFAULT;
	for (let i = 0; i < fields.length; i++) {
		c[fields[i]] = get_unaligned_le32(data, 4 + 4 * i);
		if (c[fields[i]] !== 0 && !ops.supported_coalesce_params.includes(fields[i])) return -EOPNOTSUPP;
	}
	return ops.set_coalesce(dev, c);
}

/** ETHTOOL_GET_TS_INFO: stamps are taken by the stack. */
function get_ts_info(data: Uint8Array): number {
	if (!room(data, 44)) return -EFAULT;
	data.fill(0, 4, 44);
	put_unaligned_le32(data, 4, 0x1a); // SOF_TIMESTAMPING_TX_SOFTWARE, RX_SOFTWARE, SOFTWARE
	put_unaligned_le32(data, 8, 0xffffffff);
	return 0;
}

/** Answers one ethtool command. Return: 0 (ETHTOOL_F_* for SFEATURES) or -errno. */
export function dev_ethtool(dev: net_device, data: Uint8Array): number {
	if (!room(data, 8)) return -EFAULT;
	const ops = dev.ethtool_ops;
	const cmd = get_unaligned_le32(data, 0);
	switch (cmd) {
		case ETHTOOL_GSET:
			return get_settings(dev, data);
		case ETHTOOL_GLINKSETTINGS:
			return get_link_settings(dev, data);
		case ETHTOOL_GDRVINFO:
			return get_drvinfo(dev, ops, data);
		case ETHTOOL_GMSGLVL:
			return ops === null || ops.get_msglevel === null ? -EOPNOTSUPP : put_fields(data, [ops.get_msglevel(dev)]);
		case ETHTOOL_SMSGLVL:
			if (ops === null || ops.set_msglevel === null) return -EOPNOTSUPP;
			ops.set_msglevel(dev, get_unaligned_le32(data, 4));
			return 0;
		case ETHTOOL_GLINK:
			if (ops === null || ops.get_link === null) return -EOPNOTSUPP;
			return put_fields(data, [dev.running && ops.get_link(dev) ? 1 : 0]);
		case ETHTOOL_GCOALESCE:
			return get_coalesce(dev, ops, data);
		case ETHTOOL_SCOALESCE:
			return set_coalesce(dev, ops, data);
		case ETHTOOL_GRINGPARAM: {
			if (ops === null || ops.get_ringparam === null) return -EOPNOTSUPP;
			const ring = new ethtool_ringparam();
			ops.get_ringparam(dev, ring);
			return put_fields(data, Object.values(ring) as number[]);
		}
		case ETHTOOL_SRINGPARAM:
			return set_ringparam(dev, ops, data);
		case ETHTOOL_GCHANNELS: {
			if (ops === null || ops.get_channels === null) return -EOPNOTSUPP;
			const ch = new ethtool_channels();
			ops.get_channels(dev, ch);
			return put_fields(data, Object.values(ch) as number[]);
		}
		case ETHTOOL_SCHANNELS:
			return set_channels(dev, ops, data);
		case ETHTOOL_GPAUSEPARAM: {
			if (ops === null || ops.get_pauseparam === null) return -EOPNOTSUPP;
			const p = new ethtool_pauseparam();
			ops.get_pauseparam(dev, p);
			return put_fields(data, Object.values(p) as number[]);
		}
		case ETHTOOL_GSTRINGS:
			return get_strings(dev, data);
		case ETHTOOL_GSSET_INFO:
			return get_sset_info(dev, data);
		case ETHTOOL_GSTATS:
			return get_stats(dev, ops, data);
		case ETHTOOL_GPERMADDR: {
			const size = get_unaligned_le32(data, 4);
			if (size < dev.addr_len) return -ETOOSMALL;
			put_unaligned_le32(data, 4, dev.addr_len);
			if (!room(data, 8 + dev.addr_len)) return -EFAULT;
			data.set(dev.perm_addr.subarray(0, dev.addr_len), 8);
			return 0;
		}
		case ETHTOOL_GFEATURES:
			return get_features(dev, data);
		case ETHTOOL_SFEATURES:
			return set_features(dev, data);
		case ETHTOOL_GTXCSUM:
		case ETHTOOL_GRXCSUM:
		case ETHTOOL_GSG:
		case ETHTOOL_GTSO:
		case ETHTOOL_GGSO:
		case ETHTOOL_GGRO:
		case ETHTOOL_GUFO:
			return put_fields(data, [(dev.features & feature_mask(cmd)) !== 0 ? 1 : 0]);
		case ETHTOOL_STXCSUM:
		case ETHTOOL_SRXCSUM:
		case ETHTOOL_SSG:
		case ETHTOOL_STSO:
		case ETHTOOL_SGSO:
		case ETHTOOL_SGRO:
		case ETHTOOL_SUFO:
			return set_one_feature(dev, cmd, data);
		case ETHTOOL_GFLAGS:
			return put_fields(data, [get_flags(dev)]);
		case ETHTOOL_SFLAGS:
			return set_flags(dev, data);
		case ETHTOOL_GET_TS_INFO:
			return get_ts_info(data);
		default:
			return -EOPNOTSUPP;
	}
}
