/*
 * net/core/dev_addr_lists.ts: which frames a device lets in.       Linux: net/core/dev_addr_lists.c, dev.c (promiscuity)
 * Lists of further unicast and multicast addresses, each counted; counters of those who want all multicast, or everything.
 */

import { KERN_INFO, printk } from '../../kernel/printk.ts';
import { EEXIST, ENOENT } from '../../uapi/asm-generic/errno.ts';
import { IFF_ALLMULTI, IFF_PROMISC, IFF_UP } from '../../uapi/linux/if.ts';
import { __dev_notify_flags } from './dev.ts';
import type { net_device, netdev_hw_addr } from './netdevice.ts';

/** dev->priv_flags: the driver filters unicast addresses itself. */
export const IFF_UNICAST_FLT = 1 << 12;

function find(list: netdev_hw_addr[], addr: Uint8Array, len: number): number {
	for (let i = 0; i < list.length; i++) {
		let b = 0;
		while (b < len && list[i].addr[b] === addr[b]) b++;
		if (b === len) return i;
	}
	return -1;
}

function addr_add(dev: net_device, list: netdev_hw_addr[], addr: Uint8Array, exclusive: boolean): number {
	const at = find(list, addr, dev.addr_len);
	if (at >= 0) {
		if (exclusive) return -EEXIST;
		list[at].refcount++;
		return 0;
	}
	list.push({ addr: addr.slice(0, dev.addr_len), refcount: 1 });
	return 0;
}

function addr_del(dev: net_device, list: netdev_hw_addr[], addr: Uint8Array): number {
	const at = find(list, addr, dev.addr_len);
	if (at < 0) return -ENOENT;
	if (--list[at].refcount === 0) list.splice(at, 1);
	return 0;
}

/** One more wants frames to this multicast address. Return: 0 or -errno. */
export function dev_mc_add(dev: net_device, addr: Uint8Array): number {
	const err = addr_add(dev, dev.mc, addr, false);
	if (err === 0) dev_set_rx_mode(dev);
	return err;
}

export function dev_mc_add_excl(dev: net_device, addr: Uint8Array): number {
	const err = addr_add(dev, dev.mc, addr, true);
	if (err === 0) dev_set_rx_mode(dev);
	return err;
}

export function dev_mc_del(dev: net_device, addr: Uint8Array): number {
	const err = addr_del(dev, dev.mc, addr);
	if (err === 0) dev_set_rx_mode(dev);
	return err;
}

/** One more wants frames to this unicast address. Return: 0 or -errno. */
export function dev_uc_add(dev: net_device, addr: Uint8Array): number {
	const err = addr_add(dev, dev.uc, addr, false);
	if (err === 0) dev_set_rx_mode(dev);
	return err;
}

export function dev_uc_add_excl(dev: net_device, addr: Uint8Array): number {
	const err = addr_add(dev, dev.uc, addr, true);
	if (err === 0) dev_set_rx_mode(dev);
	return err;
}

export function dev_uc_del(dev: net_device, addr: Uint8Array): number {
	const err = addr_del(dev, dev.uc, addr);
	if (err === 0) dev_set_rx_mode(dev);
	return err;
}

export function dev_addr_flush(dev: net_device): void {
	dev.uc = [];
	dev.mc = [];
}

/** The lists or counters changed: the driver programs its filter. */
export function dev_set_rx_mode(dev: net_device): void {
	if (!(dev.flags & IFF_UP)) return;
	if (!(dev.priv_flags & IFF_UNICAST_FLT)) {
		// A driver without a unicast filter must take everything while the list has entries.
		if (dev.uc.length > 0 && !dev.uc_promisc) {
			__dev_set_promiscuity(dev, 1);
			dev.uc_promisc = true;
		} else if (dev.uc.length === 0 && dev.uc_promisc) {
			__dev_set_promiscuity(dev, -1);
			dev.uc_promisc = false;
		}
	}
	if (dev.netdev_ops.ndo_set_rx_mode !== null) dev.netdev_ops.ndo_set_rx_mode(dev);
}

/** Changes the promiscuity counter; IFF_PROMISC follows it. Return: 0. */
export function __dev_set_promiscuity(dev: net_device, inc: number): number {
	const old = dev.flags;
	dev.promiscuity += inc;
	if (dev.promiscuity <= 0) {
		dev.promiscuity = 0;
		dev.flags &= ~IFF_PROMISC;
	} else dev.flags |= IFF_PROMISC;
	if (dev.flags !== old) {
		const what = dev.flags & IFF_PROMISC ? 'entered' : 'left';
		printk(dev.net.machine, KERN_INFO, `${dev.name}: ${what} promiscuous mode`);
	}
	return 0;
}

/** One more (or less) wants every frame: packet sockets, bridges. Return: 0 or -errno. */
export function dev_set_promiscuity(dev: net_device, inc: number): number {
	const old = dev.flags;
	__dev_set_promiscuity(dev, inc);
	if (dev.flags !== old) {
		dev_set_rx_mode(dev);
		__dev_notify_flags(dev, old, IFF_PROMISC);
	}
	return 0;
}

export function __dev_set_allmulti(dev: net_device, inc: number): number {
	const old = dev.flags;
	dev.allmulti += inc;
	if (dev.allmulti <= 0) {
		dev.allmulti = 0;
		dev.flags &= ~IFF_ALLMULTI;
	} else dev.flags |= IFF_ALLMULTI;
	if (dev.flags !== old) {
		const what = dev.flags & IFF_ALLMULTI ? 'entered' : 'left';
		printk(dev.net.machine, KERN_INFO, `${dev.name}: ${what} allmulticast mode`);
		dev_set_rx_mode(dev);
	}
	return 0;
}

/** One more (or less) wants all multicast frames. */
export function dev_set_allmulti(dev: net_device, inc: number): number {
	const old = dev.flags;
	__dev_set_allmulti(dev, inc);
	if (dev.flags !== old) __dev_notify_flags(dev, old, IFF_ALLMULTI);
	return 0;
}
