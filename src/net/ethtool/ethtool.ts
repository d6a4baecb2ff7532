/*
 * net/ethtool/ethtool.ts: what drivers tell of themselves.         Linux: linux/ethtool.h, net/ethtool/common.c
 * Requests come by SIOCETHTOOL (ioctl.ts). Not here yet: the ethtool netlink family.
 */

import {
	AUTONEG_DISABLE,
	DUPLEX_UNKNOWN,
	ETH_SS_FEATURES,
	ETH_SS_PRIV_FLAGS,
	ETH_SS_STATS,
	ETH_SS_TEST,
	PORT_TP,
	SPEED_UNKNOWN,
} from '../../uapi/linux/ethtool.ts';
import { linkwatch_sync_dev, netif_carrier_ok } from '../core/link_watch.ts';
import {
	NETIF_F_FRAGLIST,
	NETIF_F_GRO,
	NETIF_F_GRO_FRAGLIST,
	NETIF_F_GRO_UDP_FWD,
	NETIF_F_GSO,
	NETIF_F_GSO_ACCECN,
	NETIF_F_GSO_FRAGLIST,
	NETIF_F_GSO_GRE_IPXIP,
	NETIF_F_GSO_SCTP,
	NETIF_F_GSO_UDP_L4,
	NETIF_F_GSO_UDP_TUNNEL,
	NETIF_F_HIGHDMA,
	NETIF_F_HW_CSUM,
	NETIF_F_HW_VLAN_CTAG_RX,
	NETIF_F_HW_VLAN_CTAG_TX,
	NETIF_F_HW_VLAN_STAG_RX,
	NETIF_F_HW_VLAN_STAG_TX,
	NETIF_F_IP_CSUM,
	NETIF_F_LOOPBACK,
	NETIF_F_LRO,
	NETIF_F_NOCACHE_COPY,
	NETIF_F_RXCSUM,
	NETIF_F_SCTP_CRC,
	NETIF_F_SG,
	NETIF_F_TSO,
	NETIF_F_TSO_ECN,
	NETIF_F_TSO_MANGLEID,
	NETIF_F_TSO6,
	NETIF_F_VLAN_CHALLENGED,
	type net_device,
} from '../core/netdevice.ts';

export { DUPLEX_FULL, DUPLEX_UNKNOWN, ETH_SS_STATS } from '../../uapi/linux/ethtool.ts';

export class ethtool_drvinfo {
	driver = '';
	version = '';
	fw_version = '';
	bus_info = '';
}

export class ethtool_ringparam {
	rx_max_pending = 0;
	rx_mini_max_pending = 0;
	rx_jumbo_max_pending = 0;
	tx_max_pending = 0;
	rx_pending = 0;
	rx_mini_pending = 0;
	rx_jumbo_pending = 0;
	tx_pending = 0;
}

export class ethtool_channels {
	max_rx = 0;
	max_tx = 0;
	max_other = 0;
	max_combined = 0;
	rx_count = 0;
	tx_count = 0;
	other_count = 0;
	combined_count = 0;
}

/** The fields of struct ethtool_coalesce in order. */
export class ethtool_coalesce {
	rx_coalesce_usecs = 0;
	rx_max_coalesced_frames = 0;
	rx_coalesce_usecs_irq = 0;
	rx_max_coalesced_frames_irq = 0;
	tx_coalesce_usecs = 0;
	tx_max_coalesced_frames = 0;
	tx_coalesce_usecs_irq = 0;
	tx_max_coalesced_frames_irq = 0;
	stats_block_coalesce_usecs = 0;
	use_adaptive_rx_coalesce = 0;
	use_adaptive_tx_coalesce = 0;
	pkt_rate_low = 0;
	rx_coalesce_usecs_low = 0;
	rx_max_coalesced_frames_low = 0;
	tx_coalesce_usecs_low = 0;
	tx_max_coalesced_frames_low = 0;
	pkt_rate_high = 0;
	rx_coalesce_usecs_high = 0;
	rx_max_coalesced_frames_high = 0;
	tx_coalesce_usecs_high = 0;
	tx_max_coalesced_frames_high = 0;
	rate_sample_interval = 0;
}

export class ethtool_pauseparam {
	autoneg = 0;
	rx_pause = 0;
	tx_pause = 0;
}

export class ethtool_link_ksettings {
	/** Mbit/s; SPEED_UNKNOWN. */
	speed: number = SPEED_UNKNOWN;
	duplex: number = DUPLEX_UNKNOWN;
	port: number = PORT_TP;
	phy_address = 0;
	autoneg: number = AUTONEG_DISABLE;
	/** ETHTOOL_LINK_MODE_*_BIT. */
	supported: number[] = [];
	advertising: number[] = [];
	lp_advertising: number[] = [];
}

/** What a driver answers to ethtool; null where it has nothing. Setters return 0 or -errno. */
export class ethtool_ops {
	get_drvinfo: ((dev: net_device, info: ethtool_drvinfo) => void) | null = null;
	get_link: ((dev: net_device) => boolean) | null = null;
	get_link_ksettings: ((dev: net_device, cmd: ethtool_link_ksettings) => number) | null = null;
	set_link_ksettings: ((dev: net_device, cmd: ethtool_link_ksettings) => number) | null = null;
	get_ringparam: ((dev: net_device, ring: ethtool_ringparam) => void) | null = null;
	set_ringparam: ((dev: net_device, ring: ethtool_ringparam) => number) | null = null;
	get_channels: ((dev: net_device, ch: ethtool_channels) => void) | null = null;
	set_channels: ((dev: net_device, ch: ethtool_channels) => number) | null = null;
	get_coalesce: ((dev: net_device, c: ethtool_coalesce) => number) | null = null;
	set_coalesce: ((dev: net_device, c: ethtool_coalesce) => number) | null = null;
	/** Fields of ethtool_coalesce that may be set. */
	supported_coalesce_params: readonly (keyof ethtool_coalesce)[] = [];
	get_pauseparam: ((dev: net_device, p: ethtool_pauseparam) => void) | null = null;
	get_strings: ((dev: net_device, sset: number) => string[]) | null = null;
	/** In the order of the strings of ETH_SS_STATS. */
	get_ethtool_stats: ((dev: net_device) => number[]) | null = null;
	get_msglevel: ((dev: net_device) => number) | null = null;
	set_msglevel: ((dev: net_device, level: number) => void) | null = null;
}

/** get_link of most. */
export function ethtool_op_get_link(dev: net_device): boolean {
	linkwatch_sync_dev(dev);
	return netif_carrier_ok(dev);
}

/** A feature as userland knows it: its name and the NETIF_F_* bit (0: nothing here has it). By Linux's bit number. */
export const netdev_features_strings: readonly (readonly [string, number])[] = [
	['tx-scatter-gather', NETIF_F_SG],
	['tx-checksum-ipv4', NETIF_F_IP_CSUM],
	['', 0],
	['tx-checksum-ip-generic', NETIF_F_HW_CSUM],
	['tx-checksum-ipv6', 0],
	['highdma', NETIF_F_HIGHDMA],
	['tx-scatter-gather-fraglist', NETIF_F_FRAGLIST],
	['tx-vlan-hw-insert', NETIF_F_HW_VLAN_CTAG_TX],
	['rx-vlan-hw-parse', NETIF_F_HW_VLAN_CTAG_RX],
	['rx-vlan-filter', 0],
	['vlan-challenged', NETIF_F_VLAN_CHALLENGED],
	['tx-generic-segmentation', NETIF_F_GSO],
	['', 0],
	['', 0],
	['rx-gro', NETIF_F_GRO],
	['rx-lro', NETIF_F_LRO],
	['tx-tcp-segmentation', NETIF_F_TSO],
	['tx-gso-robust', 0],
	['tx-tcp-ecn-segmentation', NETIF_F_TSO_ECN],
	['tx-tcp-mangleid-segmentation', NETIF_F_TSO_MANGLEID],
	['tx-tcp6-segmentation', NETIF_F_TSO6],
	['tx-fcoe-segmentation', 0],
	['tx-gre-segmentation', NETIF_F_GSO_GRE_IPXIP],
	['tx-gre-csum-segmentation', NETIF_F_GSO_GRE_IPXIP],
	['tx-ipxip4-segmentation', NETIF_F_GSO_GRE_IPXIP],
	['tx-ipxip6-segmentation', NETIF_F_GSO_GRE_IPXIP],
	['tx-udp_tnl-segmentation', NETIF_F_GSO_UDP_TUNNEL],
	['tx-udp_tnl-csum-segmentation', NETIF_F_GSO_UDP_TUNNEL],
	['tx-gso-partial', 0],
	['tx-tunnel-remcsum-segmentation', 0],
	['tx-sctp-segmentation', NETIF_F_GSO_SCTP],
	['tx-esp-segmentation', 0],
	['', 0],
	['tx-udp-segmentation', NETIF_F_GSO_UDP_L4],
	['tx-gso-list', NETIF_F_GSO_FRAGLIST],
	['tx-tcp-accecn-segmentation', NETIF_F_GSO_ACCECN],
	['tx-checksum-fcoe-crc', 0],
	['tx-checksum-sctp', NETIF_F_SCTP_CRC],
	['rx-ntuple-filter', 0],
	['rx-hashing', 0],
	['rx-checksum', NETIF_F_RXCSUM],
	['tx-nocache-copy', NETIF_F_NOCACHE_COPY],
	['loopback', NETIF_F_LOOPBACK],
	['rx-fcs', 0],
	['rx-all', 0],
	['tx-vlan-stag-hw-insert', NETIF_F_HW_VLAN_STAG_TX],
	['rx-vlan-stag-hw-parse', NETIF_F_HW_VLAN_STAG_RX],
	['rx-vlan-stag-filter', 0],
	['l2-fwd-offload', 0],
	['hw-tc-offload', 0],
	['esp-hw-offload', 0],
	['esp-tx-csum-hw-offload', 0],
	['rx-udp_tunnel-port-offload', 0],
	['tls-hw-tx-offload', 0],
	['tls-hw-rx-offload', 0],
	['rx-gro-hw', 0],
	['tls-hw-record', 0],
	['rx-gro-list', NETIF_F_GRO_FRAGLIST],
	['macsec-hw-offload', 0],
	['rx-udp-gro-forwarding', NETIF_F_GRO_UDP_FWD],
	['hsr-tag-ins-offload', 0],
	['hsr-tag-rm-offload', 0],
	['hsr-fwd-offload', 0],
	['hsr-dup-offload', 0],
];

/** Names of a string set; null when the device has no such set. */
export function __ethtool_get_strings(dev: net_device, sset: number): string[] | null {
	if (sset === ETH_SS_FEATURES) return netdev_features_strings.map((f) => f[0]);
	const ops = dev.ethtool_ops;
	if (ops === null || ops.get_strings === null) return null;
	if (sset !== ETH_SS_STATS && sset !== ETH_SS_PRIV_FLAGS && sset !== ETH_SS_TEST) return null;
	const s = ops.get_strings(dev, sset);
	return s.length > 0 ? s : null;
}

/** Speed, duplex and the rest. Return: null when the driver does not know. */
export function __ethtool_get_link_ksettings(dev: net_device): ethtool_link_ksettings | null {
	const get = dev.ethtool_ops?.get_link_ksettings ?? null;
	if (get === null) return null;
	const cmd = new ethtool_link_ksettings();
	return get(dev, cmd) < 0 ? null : cmd;
}
