/*
 * fs/sysfs.ts: /sys/class/net.                                     Linux: fs/sysfs/, net/core/net-sysfs.c
 * net-sysfs registers one provider; it says what a device's folder holds.
 */

import type { net } from '../net/core/net_namespace.ts';
import type { net_device } from '../net/core/netdevice.ts';
import { ENOENT, EPERM } from '../uapi/asm-generic/errno.ts';

export interface sysfs_attribute {
	/** Path below /sys/class/net/DEV: `mtu`, `statistics/rx_packets`. */
	name: string;
	/** The text without newline, or -errno. */
	show: (dev: net_device) => string | number;
	/** null when it cannot be written. */
	store: ((dev: net_device, text: string) => number) | null;
}

/** The attributes of every device of a machine. */
export class sysfs_class_net {
	attributes: Map<string, sysfs_attribute> = new Map();
}

export function sysfs_register(cls: sysfs_class_net, attributes: readonly sysfs_attribute[]): void {
	for (const a of attributes) cls.attributes.set(a.name, a);
}

/** Reads /sys/class/net/`path`. Return: text with newline, or -errno. */
export function sysfs_read(net: net, path: string): string | number {
	const slash = path.indexOf('/');
	const dev = net.dev_name_head.get(slash < 0 ? path : path.slice(0, slash));
	const attr = slash < 0 ? undefined : net.machine.sysfs.attributes.get(path.slice(slash + 1));
	if (dev === undefined || attr === undefined) return -ENOENT;
	const text = attr.show(dev);
	return typeof text === 'number' ? text : text + '\n';
}

export function sysfs_write(net: net, path: string, text: string): number {
	const slash = path.indexOf('/');
	const dev = net.dev_name_head.get(slash < 0 ? path : path.slice(0, slash));
	const attr = slash < 0 ? undefined : net.machine.sysfs.attributes.get(path.slice(slash + 1));
	if (dev === undefined || attr === undefined) return -ENOENT;
	return attr.store === null ? -EPERM : attr.store(dev, text);
}

export function sysfs_readdir(net: net, path: string): string[] | number {
	if (path === '') return [...net.dev_name_head.keys()].sort();
	const slash = path.indexOf('/');
	const dev = net.dev_name_head.get(slash < 0 ? path : path.slice(0, slash));
	if (dev === undefined) return -ENOENT;
	const prefix = slash < 0 ? '' : path.slice(slash + 1) + '/';
	const names = new Set<string>();
	for (const name of net.machine.sysfs.attributes.keys()) {
		if (name.startsWith(prefix)) names.add(name.slice(prefix.length).split('/')[0]);
	}
	return names.size === 0 ? -ENOENT : [...names].sort();
}
