/*
 * net/core/dev_features.ts: what a device can do, and what is asked of it.    Linux: net/core/dev.c, linux/netdev_features.h
 * Walk: wanted_features -> netdev_get_wanted_features -> ndo_fix_features, netdev_fix_features -> ndo_set_features -> NETDEV_FEAT_CHANGE.
 */

import { IFF_LOOPBACK } from '../../uapi/linux/if.ts';
import { call_netdevice_notifiers, NETDEV_FEAT_CHANGE } from './dev.ts';
import {
	NETIF_F_GRO,
	NETIF_F_GRO_FRAGLIST,
	NETIF_F_GRO_UDP_FWD,
	NETIF_F_GSO,
	NETIF_F_GSO_UDP_L4,
	NETIF_F_HW_CSUM,
	NETIF_F_IP_CSUM,
	NETIF_F_LRO,
	NETIF_F_NOCACHE_COPY,
	NETIF_F_RXCSUM,
	NETIF_F_SG,
	NETIF_F_TSO,
	NETIF_F_TSO_ECN,
	NETIF_F_TSO_MANGLEID,
	NETIF_F_TSO6,
	type net_device,
} from './netdevice.ts';

/** What the stack does itself for any device. */
export const NETIF_F_SOFT_FEATURES = NETIF_F_GSO | NETIF_F_GRO;
/** Likewise, but off until asked for. */
export const NETIF_F_SOFT_FEATURES_OFF = NETIF_F_GRO_FRAGLIST | NETIF_F_GRO_UDP_FWD;
export const NETIF_F_ALL_TSO = NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | NETIF_F_TSO_MANGLEID;
const NETIF_F_CSUM_MASK = NETIF_F_HW_CSUM | NETIF_F_IP_CSUM;

/** At registration: the stack's own features are on, and all that the driver turned on is wanted. */
export function netdev_init_features(dev: net_device): void {
	dev.hw_features |= NETIF_F_SOFT_FEATURES | NETIF_F_SOFT_FEATURES_OFF;
	dev.features |= NETIF_F_SOFT_FEATURES;
	dev.wanted_features = dev.features & dev.hw_features;
	if (!(dev.flags & IFF_LOOPBACK)) dev.hw_features |= NETIF_F_NOCACHE_COPY;
	// Rewriting IP ids for TSO must be asked for.
	if (dev.hw_features & NETIF_F_TSO) dev.hw_features |= NETIF_F_TSO_MANGLEID;
	__netdev_update_features(dev);
}

/** Takes out what cannot be without something else. */
function netdev_fix_features(features: number): number {
	if (!(features & NETIF_F_CSUM_MASK)) {
		features &= ~NETIF_F_ALL_TSO;
		features &= ~NETIF_F_GSO_UDP_L4;
	}
	if (features & NETIF_F_ALL_TSO && !(features & NETIF_F_SG)) {
		features &= ~NETIF_F_ALL_TSO;
	}
	if (!(features & NETIF_F_TSO)) features &= ~NETIF_F_TSO_MANGLEID;
	if (features & NETIF_F_TSO_ECN && !(features & (NETIF_F_TSO | NETIF_F_TSO6))) features &= ~NETIF_F_TSO_ECN;
	if (features & NETIF_F_GSO && !(features & NETIF_F_SG)) {
		features &= ~NETIF_F_GSO;
	}
	if (!(features & NETIF_F_RXCSUM)) features &= ~NETIF_F_LRO;
	return features;
}

/** Works out the features anew. Return: -1 when the driver refused, 1 when something changed, else 0. */
export function __netdev_update_features(dev: net_device): number {
	let features = (dev.features & ~dev.hw_features) | dev.wanted_features;
	if (dev.netdev_ops.ndo_fix_features !== null) features = dev.netdev_ops.ndo_fix_features(dev, features);
	features = netdev_fix_features(features);
	if (features === dev.features) return 0;
	if (dev.netdev_ops.ndo_set_features !== null) {
		const err = dev.netdev_ops.ndo_set_features(dev, features);
		if (err < 0) return -1;
	}
	dev.features = features;
	return 1;
}

export function netdev_features_change(dev: net_device): void {
	call_netdevice_notifiers(NETDEV_FEAT_CHANGE, dev);
}

/** Works out the features and tells of a change. */
export function netdev_update_features(dev: net_device): void {
	if (__netdev_update_features(dev) !== 0) netdev_features_change(dev);
}
