/*
 * outside/syscalls.ts: the few system calls that Node has not, by koffi (an optional package with prebuilt binaries; docs/adr/0008).
 */
import { createRequire } from 'node:module';

/** What is asked of the real host cannot be done; the message is for people. */
export class OutsideError extends Error {}

/** koffi, as far as it is used here. */
export interface Koffi {
	load(path: string | null): { func(prototype: string): (...args: unknown[]) => number };
	errno(): number;
}

const require = createRequire(import.meta.url);

/** Where koffi's entry is. Throws OutsideError when it is not installed. */
export function koffiPath(): string {
	if (process.platform !== 'linux') throw new OutsideError(`TAP and TUN: Linux only, this is ${process.platform}`);
	try {
		return require.resolve('koffi');
	} catch {
		throw new OutsideError("TAP and TUN need the package 'koffi' (optional, with binaries inside): npm install koffi");
	}
}

const ERRNO: Record<number, string> = {
	1: 'not permitted (root, or CAP_NET_ADMIN, is needed; or a device made by `ip tuntap add NAME mode tap user $USER`)',
	2: 'there is no /dev/net/tun here (modprobe tun)',
	13: 'not permitted (root, or CAP_NET_ADMIN, is needed)',
	16: 'it is in use by another program',
	19: 'there is no /dev/net/tun driver in this kernel (modprobe tun)',
	22: 'there is a device of this name already, of another kind',
	77: 'the device is gone',
};

/** What an errno of opening or using a device means to its user. */
export function errnoText(errno: number): string {
	return ERRNO[errno] ?? `error ${errno}`;
}

export interface Syscalls {
	open(path: string, flags: number): number;
	close(fd: number): number;
	ioctl(fd: number, request: number, arg: Uint8Array | number): number;
	setns(fd: number, kind: number): number;
	socket(family: number, type: number, protocol: number): number;
	bind(fd: number, addr: Uint8Array, len: number): number;
	eventfd(initial: number, flags: number): number;
	write(fd: number, bytes: Uint8Array, len: number): number;
	/** Of the call before. */
	errno(): number;
}

let loaded: Syscalls | null = null;

export function syscalls(): Syscalls {
	if (loaded !== null) return loaded;
	const path = koffiPath();
	let koffi: Koffi;
	try {
		koffi = require(path) as Koffi;
	} catch (e) {
		throw new OutsideError(`TAP and TUN: koffi is installed, but cannot be loaded: ${(e as Error).message}`);
	}
	const c = koffi.load(null);
	const ioctl = c.func('int ioctl(int fd, unsigned long request, void *arg)');
	const ioctl_n = c.func('int ioctl(int fd, unsigned long request, unsigned long arg)');
	loaded = {
		open: c.func('int open(const char *path, int flags)'),
		close: c.func('int close(int fd)'),
		ioctl: (fd, request, arg) => (typeof arg === 'number' ? ioctl_n(fd, request, arg) : ioctl(fd, request, arg)),
		setns: c.func('int setns(int fd, int kind)'),
		socket: c.func('int socket(int family, int type, int protocol)'),
		bind: c.func('int bind(int fd, const void *addr, unsigned int len)'),
		eventfd: c.func('int eventfd(unsigned int initial, int flags)'),
		write: c.func('long write(int fd, const void *bytes, size_t len)'),
		errno: () => koffi.errno(),
	};
	return loaded;
}
