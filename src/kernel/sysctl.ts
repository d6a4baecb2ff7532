/*
 * kernel/sysctl.ts: /proc/sys.                                     Linux: kernel/sysctl.c, fs/proc/proc_sysctl.c
 * A table names where a value lives (an object and its field) and how it is read and checked; the path uses slashes.
 */

import type { net } from '../net/core/net_namespace.ts';
import { EINVAL, ENOENT, EPERM } from '../uapi/asm-generic/errno.ts';

/** Reads the value as the file shows it, without the newline. */
export type proc_read = (table: ctl_table, net: net) => string;
/** Parses and stores what was written. Return: 0 or -errno. */
export type proc_write = (table: ctl_table, net: net, text: string) => number;

export interface ctl_table {
	/** Path under /proc/sys with slashes: `net/ipv4/ip_forward`. */
	procname: string;
	mode: number;
	/** The object that holds the value, and the field's name. */
	data: Record<string, unknown> | null;
	field: string;
	min: number;
	max: number;
	read: proc_read;
	write: proc_write;
	/** Anything the handlers need. */
	extra: unknown;
}

/** Files that nobody looked at yet: below `path`, of `owner`. */
interface ctl_dir {
	path: string;
	make: (owner: unknown) => ctl_table[];
	owner: unknown;
}

/** The tables of one kernel (global ones) or of one namespace (`net.sysctls`). */
export class sysctl_root {
	tables: Map<string, ctl_table> = new Map();
	dirs: ctl_dir[] = [];
}

export const INT_MIN = -0x80000000;
export const INT_MAX = 0x7fffffff;

/** A plain int: `[min, max]`, out of range is EINVAL. */
export function ctl_int(procname: string, data: object, field: string, min = INT_MIN, max = INT_MAX): ctl_table {
	return {
		procname,
		mode: 0o644,
		data: data as Record<string, unknown>,
		field,
		min,
		max,
		read: proc_read_value,
		write: proc_dointvec_minmax,
		extra: null,
	};
}

export function proc_read_value(table: ctl_table): string {
	const v = table.data![table.field];
	return Array.isArray(v) ? v.join('\t') : String(v);
}

/** Whole numbers (decimal, 0x hex, 0 octal), as many as the value has, within the table's bounds. */
export function proc_dointvec_minmax(table: ctl_table, _net: net, text: string): number {
	const words = text.trim().split(/\s+/);
	const cur = table.data![table.field];
	const n = Array.isArray(cur) ? cur.length : 1;
	if (text === '') return 0;
	if (text.trim() === '') return -EINVAL;
	const out = Array.isArray(cur) ? cur.slice() : [cur as number];
	for (let i = 0; i < words.length && i < n; i++) {
		if (!/^-?(0x[0-9a-f]+|[0-9]+)$/i.test(words[i])) return -EINVAL;
		const neg = words[i][0] === '-';
		const digits = neg ? words[i].slice(1) : words[i];
		const v = (neg ? -1 : 1) * (/^0[0-7]+$/.test(digits) ? parseInt(digits, 8) : Number(digits));
		if (!(v >= table.min && v <= table.max)) return -EINVAL;
		out[i] = v;
	}
	table.data![table.field] = Array.isArray(cur) ? out : out[0];
	return 0;
}

export function register_sysctl(root: sysctl_root, tables: readonly ctl_table[]): void {
	for (const t of tables) root.tables.set(t.procname, t);
}

/** As register_sysctl for what `make` (a function of a module) gives: all below `path`, and made when somebody looks. */
export function register_sysctl_dir<T>(
	root: sysctl_root,
	path: string,
	make: (owner: T) => ctl_table[],
	owner: T,
): void {
	root.dirs.push({ path: path + '/', make: make as (owner: unknown) => ctl_table[], owner });
}

/** Makes the tables of which one may be at `path`; '' is all. */
function make_tables(root: sysctl_root, path: string): void {
	let waiting = 0;
	for (const d of root.dirs) {
		if (path !== '' && !path.startsWith(d.path)) root.dirs[waiting++] = d;
		else register_sysctl(root, d.make(d.owner));
	}
	root.dirs.length = waiting;
}

/** Takes out every table at or below `path`. */
export function unregister_sysctl(root: sysctl_root, path: string): void {
	// What is below and was not looked at need not be made.
	root.dirs = root.dirs.filter((d) => !d.path.startsWith(path + '/'));
	make_tables(root, path);
	for (const name of [...root.tables.keys()]) {
		if (name === path || name.startsWith(path + '/')) root.tables.delete(name);
	}
}

function root_find(root: sysctl_root, path: string): ctl_table | undefined {
	const t = root.tables.get(path);
	if (t !== undefined || root.dirs.length === 0) return t;
	make_tables(root, path);
	return root.tables.get(path);
}

/** The table of /proc/sys/`path` as seen from `net`. */
export function sysctl_find(net: net, path: string): ctl_table | undefined {
	return root_find(net.sysctls, path) ?? root_find(net.machine.sysctl, path);
}

/** Reads /proc/sys/`path` as seen from `net`. Return: the text without newline, or -errno. */
export function sysctl_read(net: net, path: string): string | number {
	const t = sysctl_find(net, path);
	if (t === undefined) return -ENOENT;
	if ((t.mode & 0o444) === 0) return -EPERM;
	return t.read(t, net);
}

/** Writes /proc/sys/`path` from `net`. Return: 0 or -errno. */
export function sysctl_write(net: net, path: string, text: string): number {
	const t = sysctl_find(net, path);
	if (t === undefined) return -ENOENT;
	if ((t.mode & 0o222) === 0) return -EPERM;
	return t.write(t, net, text);
}

/** All paths that `net` sees, sorted. */
export function sysctl_paths(net: net): string[] {
	make_tables(net.machine.sysctl, '');
	make_tables(net.sysctls, '');
	return [...new Set([...net.machine.sysctl.tables.keys(), ...net.sysctls.tables.keys()])].sort();
}
