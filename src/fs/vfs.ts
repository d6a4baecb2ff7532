/*
 * fs/vfs.ts: what a path leads to: the kernel's own files, or the host's disk.
 * /proc/net, /proc/sys, /proc/self and /sys/class/net are made here when read; everything else is the disk, which the lab provides.
 */
import type { task_struct } from '../kernel/sched.ts';
import { sysctl_paths, sysctl_read, sysctl_write } from '../kernel/sysctl.ts';
import { EACCES, EINVAL, EISDIR, ENOENT } from '../uapi/asm-generic/errno.ts';
import { proc_net_read, proc_net_readdir, proc_net_write } from './proc_net.ts';
import { sysfs_read, sysfs_readdir, sysfs_write } from './sysfs.ts';

/** The host's disk. Paths are absolute; results are -errno on failure. */
export interface rootfs {
	read(path: string): Promise<Uint8Array | number>;
	write(path: string, data: Uint8Array, append: boolean): Promise<number>;
	readdir(path: string): Promise<string[] | number>;
	mkdir(path: string): Promise<number>;
	unlink(path: string): Promise<number>;
}

/** `/a/./b/../c` as `/a/c`. */
export function normalize_path(path: string): string {
	const out: string[] = [];
	for (const part of path.split('/')) {
		if (part === '' || part === '.') continue;
		if (part === '..') out.pop();
		else out.push(part);
	}
	return '/' + out.join('/');
}

/** /proc/self, /proc/thread-self and the task's own number are one; everything else as it stands. */
function proc_path(task: task_struct, path: string): string {
	return path.replace(/^\/proc\/(self|thread-self|\d+)\/net(?=\/|$)/, (all, who: string) =>
		/^\d/.test(who) && Number(who) !== task.pid ? all : '/proc/net',
	);
}

/** The task that /proc/PID… is of, and the rest of the path; null when there is none. */
function proc_task(task: task_struct, p: string): { of: task_struct; rest: string } | null {
	const m = /^\/proc\/(self|thread-self|\d+)(\/.*)?$/.exec(p);
	if (m === null) return null;
	const rest = m[2] ?? '';
	if (!/^\d/.test(m[1])) return { of: task, rest };
	for (const t of task.machine.tasks) if (t.pid === Number(m[1])) return { of: t, rest };
	return null;
}

/** What a symbolic link of the kernel's says. Return: it, or -errno. */
export function kernel_readlink(task: task_struct, path: string): string | number {
	const p = normalize_path(path);
	if (p === '/proc/self') return String(task.pid);
	const who = proc_task(task, p);
	const m = who === null ? null : /^\/fd\/(\d+)$/.exec(who.rest);
	if (who === null || m === null) return typeof kernel_readdir(task, p) === 'number' ? -ENOENT : -EINVAL;
	const f = who.of.files[Number(m[1])];
	if (f === undefined || f === null) return -ENOENT;
	return f.link === undefined ? 'anon_inode:[file]' : f.link();
}

/** Whether the kernel makes this path itself. */
export function is_kernel_path(path: string): boolean {
	return /^\/(proc|sys)(\/|$)/.test(path);
}

/** Reads a kernel file. Return: text, or -errno. */
export function kernel_read(task: task_struct, path: string): string | number {
	const p = proc_path(task, normalize_path(path));
	const net = task.nsproxy.net_ns;
	if (p.startsWith('/proc/net/')) return proc_net_read(net, p.slice(10));
	if (p.startsWith('/proc/sys/')) {
		const v = sysctl_read(net, p.slice(10));
		if (v === -ENOENT && typeof kernel_readdir(task, p) !== 'number') return -EISDIR;
		return typeof v === 'string' ? v + '\n' : v;
	}
	if (p.startsWith('/sys/class/net/')) return sysfs_read(net, p.slice(15));
	const m = task.machine;
	switch (p) {
		case '/proc/uptime':
			return `${(m.clock.now / 1e9).toFixed(2)} ${(m.clock.now / 1e9).toFixed(2)}\n`;
		case '/proc/version':
			return 'Linux version 6.18.0 (linnet)\n';
		case '/proc/kmsg':
			return m.log_buf.map((r) => `<${r.level}>[${(r.ts / 1e9).toFixed(6).padStart(12)}] ${r.text}\n`).join('');
	}
	const who = proc_task(task, p);
	if (who !== null && who.rest === '/comm') return who.of.comm + '\n';
	return typeof kernel_readdir(task, p) === 'number' ? -ENOENT : -EISDIR;
}

/** Writes a kernel file. Return: 0 or -errno. */
export function kernel_write(task: task_struct, path: string, text: string): number {
	const p = proc_path(task, normalize_path(path));
	const net = task.nsproxy.net_ns;
	if (p.startsWith('/proc/sys/')) return sysctl_write(net, p.slice(10), text);
	if (p.startsWith('/proc/net/')) return proc_net_write(net, p.slice(10), text);
	if (p.startsWith('/sys/class/net/')) return sysfs_write(net, p.slice(15), text);
	return typeof kernel_read(task, p) === 'number' ? -ENOENT : -EACCES;
}

/** Names in a kernel folder. Return: sorted names, or -errno. */
export function kernel_readdir(task: task_struct, path: string): string[] | number {
	const p = proc_path(task, normalize_path(path));
	const net = task.nsproxy.net_ns;
	switch (p) {
		case '/proc':
			return [
				...[...task.machine.tasks].map((t) => String(t.pid)).sort((a, b) => Number(a) - Number(b)),
				...['kmsg', 'net', 'self', 'sys', 'uptime', 'version'],
			];
		case '/sys':
			return ['class'];
		case '/sys/class':
			return ['net'];
	}
	const who = proc_task(task, p);
	if (who !== null && who.rest === '') return ['comm', 'fd', 'net'];
	if (who !== null && who.rest === '/fd') {
		const fds: string[] = [];
		for (let i = 0; i < who.of.files.length; i++) if (who.of.files[i] !== null) fds.push(String(i));
		return fds;
	}
	if (p === '/proc/net') return proc_net_readdir(net, '');
	if (p.startsWith('/proc/net/')) return proc_net_readdir(net, p.slice(10));
	if (p === '/sys/class/net') return sysfs_readdir(net, '');
	if (p.startsWith('/sys/class/net/')) return sysfs_readdir(net, p.slice(15));
	if (p === '/proc/sys' || p.startsWith('/proc/sys/')) {
		const prefix = p === '/proc/sys' ? '' : p.slice(10) + '/';
		const names = new Set<string>();
		for (const name of sysctl_paths(net))
			if (name.startsWith(prefix)) names.add(name.slice(prefix.length).split('/')[0]);
		return names.size === 0 ? -ENOENT : [...names].sort();
	}
	return -ENOENT;
}
