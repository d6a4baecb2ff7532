/*
 * net/core/dev_ioctl.ts: the ioctls of devices, as ifconfig(8) and ethtool(8) use them.   Linux: net/core/dev_ioctl.c
 * `arg` is struct ifreq (40 bytes: ifr_name 16, union 24); what a pointer in it points to (SIOCETHTOOL's ifr_data) follows it.
 */

import { get_unaligned_le16, get_unaligned_le32, put_unaligned_le16, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { bytes_to_str, str_to_bytes } from '../../lib/nlattr.ts';
import { EINVAL, ENODEV, ENOTTY, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import { IFNAMSIZ } from '../../uapi/linux/if.ts';
import { AF_UNSPEC } from '../../uapi/linux/socket.ts';
import {
	SIOCADDMULTI,
	SIOCDELMULTI,
	SIOCETHTOOL,
	SIOCGIFFLAGS,
	SIOCGIFHWADDR,
	SIOCGIFINDEX,
	SIOCGIFMAP,
	SIOCGIFMETRIC,
	SIOCGIFMTU,
	SIOCGIFNAME,
	SIOCGIFSLAVE,
	SIOCGIFTXQLEN,
	SIOCSIFFLAGS,
	SIOCSIFHWADDR,
	SIOCSIFHWBROADCAST,
	SIOCSIFMAP,
	SIOCSIFMETRIC,
	SIOCSIFMTU,
	SIOCSIFNAME,
	SIOCSIFTXQLEN,
} from '../../uapi/linux/sockios.ts';
import { dev_ethtool } from '../ethtool/ioctl.ts';
import {
	__dev_get_by_index,
	__dev_get_by_name,
	call_netdevice_notifiers,
	dev_change_flags,
	dev_change_name,
	dev_change_tx_queue_len,
	dev_get_flags,
	dev_set_mac_address,
	dev_set_mtu,
	NETDEV_CHANGEADDR,
} from './dev.ts';
import { dev_mc_add, dev_mc_del } from './dev_addr_lists.ts';
import type { net } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';

/** Where the union begins, and where what ifr_data points to does. */
const IFR = 16;
export const IFREQ_LEN = 40;

/** ifr_name: up to the NUL; an alias's colon and what follows are not part of the device's name. */
export function ifr_name(arg: Uint8Array): string {
	let end = 0;
	while (end < IFNAMSIZ - 1 && arg[end] !== 0) end++;
	return bytes_to_str(arg, 0, end);
}

function dev_ifname(net: net, arg: Uint8Array): number {
	const dev = __dev_get_by_index(net, get_unaligned_le32(arg, IFR) | 0);
	if (dev === null) return -ENODEV;
	arg.fill(0, 0, IFNAMSIZ);
	arg.set(str_to_bytes(dev.name).subarray(0, IFNAMSIZ - 1));
	return 0;
}

/** What only reads. */
function dev_ifsioc_locked(dev: net_device, cmd: number, arg: Uint8Array): number {
	switch (cmd) {
		case SIOCGIFFLAGS:
			put_unaligned_le16(arg, IFR, dev_get_flags(dev));
			return 0;
		case SIOCGIFMETRIC:
			put_unaligned_le32(arg, IFR, 0);
			return 0;
		case SIOCGIFMTU:
			put_unaligned_le32(arg, IFR, dev.mtu);
			return 0;
		case SIOCGIFHWADDR:
			arg.fill(0, IFR, IFREQ_LEN);
			put_unaligned_le16(arg, IFR, dev.type);
			arg.set(dev.dev_addr.subarray(0, Math.min(14, dev.addr_len)), IFR + 2);
			return 0;
		case SIOCGIFSLAVE:
			return -EINVAL;
		case SIOCGIFMAP:
			arg.fill(0, IFR, IFREQ_LEN);
			put_unaligned_le16(arg, IFR + 20, 0);
			arg[IFR + 18] = dev.irq;
			return 0;
		case SIOCGIFINDEX:
			put_unaligned_le32(arg, IFR, dev.ifindex);
			return 0;
		default:
			put_unaligned_le32(arg, IFR, dev.tx_queue_len);
			return 0;
	}
}

/** What changes something. */
function dev_ifsioc(dev: net_device, cmd: number, arg: Uint8Array): number {
	switch (cmd) {
		case SIOCSIFFLAGS:
			return dev_change_flags(dev, get_unaligned_le16(arg, IFR));
		case SIOCSIFMTU:
			return dev_set_mtu(dev, get_unaligned_le32(arg, IFR) | 0);
		case SIOCSIFHWADDR:
			if (get_unaligned_le16(arg, IFR) !== dev.type) return -EINVAL;
			return dev_set_mac_address(dev, arg.subarray(IFR + 2, IFR + 2 + dev.addr_len));
		case SIOCSIFHWBROADCAST:
			if (get_unaligned_le16(arg, IFR) !== dev.type) return -EINVAL;
			dev.broadcast.set(arg.subarray(IFR + 2, IFR + 2 + dev.addr_len));
			call_netdevice_notifiers(NETDEV_CHANGEADDR, dev);
			return 0;
		case SIOCADDMULTI:
		case SIOCDELMULTI: {
			if (dev.netdev_ops.ndo_set_rx_mode === null || get_unaligned_le16(arg, IFR) !== AF_UNSPEC) return -EINVAL;
			if (!dev.present) return -ENODEV;
			const addr = arg.subarray(IFR + 2, IFR + 2 + dev.addr_len);
			return cmd === SIOCADDMULTI ? dev_mc_add(dev, addr) : dev_mc_del(dev, addr);
		}
		case SIOCSIFTXQLEN: {
			const len = get_unaligned_le32(arg, IFR) | 0;
			return len < 0 ? -EINVAL : dev_change_tx_queue_len(dev, len);
		}
		default: {
			const end = arg.indexOf(0, IFR);
			return dev_change_name(dev, bytes_to_str(arg, IFR, end < 0 || end > IFR + 15 ? IFR + 15 : end));
		}
	}
}

/** ioctl(2) of a socket on a device. Return: 0 or -errno; -ENOTTY when it is none of ours. */
export function dev_ioctl(net: net, cmd: number, arg: Uint8Array): number {
	if (arg.length < IFREQ_LEN) return cmd >= 0x8900 && cmd <= 0x89ff ? -EINVAL : -ENOTTY;
	if (cmd === SIOCGIFNAME) return dev_ifname(net, arg);
	const name = ifr_name(arg);
	const colon = name.indexOf(':');
	const dev = __dev_get_by_name(net, colon < 0 ? name : name.slice(0, colon));
	switch (cmd) {
		case SIOCGIFFLAGS:
		case SIOCGIFMETRIC:
		case SIOCGIFMTU:
		case SIOCGIFHWADDR:
		case SIOCGIFSLAVE:
		case SIOCGIFMAP:
		case SIOCGIFINDEX:
		case SIOCGIFTXQLEN:
			return dev === null ? -ENODEV : dev_ifsioc_locked(dev, cmd, arg);
		case SIOCETHTOOL:
			return dev === null ? -ENODEV : dev_ethtool(dev, arg.subarray(IFREQ_LEN));
		case SIOCSIFFLAGS:
		case SIOCSIFMTU:
		case SIOCSIFHWADDR:
		case SIOCSIFHWBROADCAST:
		case SIOCADDMULTI:
		case SIOCDELMULTI:
		case SIOCSIFTXQLEN:
		case SIOCSIFNAME:
			return dev === null ? -ENODEV : dev_ifsioc(dev, cmd, arg);
		case SIOCSIFMETRIC:
		case SIOCSIFMAP:
			return dev === null ? -ENODEV : -EOPNOTSUPP;
		default:
			return -ENOTTY;
	}
}
