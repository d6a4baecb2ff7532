/*
 * fs/proc_net.ts: /proc/net of one network namespace.              Linux: fs/proc/proc_net.c
 * A file is a function that makes its text when it is read.
 */

import type { net } from '../net/core/net_namespace.ts';
import { EINVAL, ENOENT, EPERM } from '../uapi/asm-generic/errno.ts';

export type proc_show = (net: net) => string;
export type proc_store = (net: net, text: string) => number;

interface proc_entry {
	show: proc_show;
	store: proc_store | null;
}

export class proc_net {
	/** By path below /proc/net: `arp`, `stat/arp_cache`. */
	files: Map<string, proc_entry> = new Map();
}

/** Makes /proc/net/`name` (which may hold a slash). `store` takes what is written to it. */
export function proc_create_net(net: net, name: string, show: proc_show, store: proc_store | null = null): void {
	if (net.proc_net === undefined) net.proc_net = new proc_net();
	net.proc_net.files.set(name, { show, store });
}

export function remove_proc_entry(net: net, name: string): void {
	net.proc_net?.files.delete(name);
}

/** Return: the text, or -errno. */
export function proc_net_read(net: net, name: string): string | number {
	const f = net.proc_net?.files.get(name);
	return f === undefined ? -ENOENT : f.show(net);
}

export function proc_net_write(net: net, name: string, text: string): number {
	const f = net.proc_net?.files.get(name);
	if (f === undefined) return -ENOENT;
	return f.store === null ? -EPERM : f.store(net, text);
}

/** Names of all files below `dir` ('' for the top). Return: names of files and folders, or -errno. */
export function proc_net_readdir(net: net, dir: string): string[] | number {
	const names = new Set<string>();
	const prefix = dir === '' ? '' : dir + '/';
	for (const path of net.proc_net?.files.keys() ?? []) {
		if (path.startsWith(prefix)) names.add(path.slice(prefix.length).split('/')[0]);
	}
	if (names.size === 0) return -(dir === '' ? EINVAL : ENOENT);
	return [...names].sort();
}
