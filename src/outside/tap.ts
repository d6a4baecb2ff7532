/*
 * outside/tap.ts: a TAP or TUN device of the real host as a cable: its kernel is the other end.     Linux: Documentation/networking/tuntap.rst
 *
 *     const tap = openTap(world, 'tap0');
 *     world.link(host.nic('eth0'), tap, { offload: true });
 *
 * How frames come and go: fd_cable.ts.
 * With virtio's header (IFF_VNET_HDR, TUNSETOFFLOAD) 64 KB segments cross in both directions, their checksums left undone.
 * Needs CAP_NET_ADMIN, or a device that was made for this user: `ip tuntap add tap0 mode tap user $USER`.
 */
import { closeSync, openSync } from 'node:fs';
import { VNET_HDR_LEN } from '../lab/cables/vnet_hdr.ts';
import type { World } from '../lab/world.ts';
import { FdCable } from './fd_cable.ts';
import { errnoText, OutsideError, type Syscalls, syscalls } from './syscalls.ts';

export interface TapOptions {
	/** A namespace of `ip netns` in which the device is. Default: this process's. */
	netns?: string;
	/** Whether 64 KB segments and checksums left undone may cross. Default true. */
	offload?: boolean;
}

const O_RDWR = 2;
const O_NONBLOCK = 0x800;
const O_CLOEXEC = 0x80000;
const CLONE_NEWNET = 0x40000000;

const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const IFF_TUN = 1;
const IFF_TAP = 2;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFNAMSIZ = 16;

const TUN_F_CSUM = 1;
const TUN_F_TSO4 = 2;
const TUN_F_TSO_ECN = 8;

/** Opens the device, making it when it is not there (then it goes when we do). Return: the descriptor. Throws OutsideError. */
function openDevice(sys: Syscalls, name: string, flags: number, netns: string | undefined): number {
	if (!/^[^\s/:]{1,15}$/.test(name)) throw new OutsideError(`'${name}' is no name of a device`);
	let back = -1;
	if (netns !== undefined) {
		let there: number;
		try {
			there = openSync(`/run/netns/${netns}`, 'r');
		} catch {
			throw new OutsideError(`there is no network namespace '${netns}' (ip netns add ${netns})`);
		}
		back = openSync('/proc/thread-self/ns/net', 'r');
		const err = sys.setns(there, CLONE_NEWNET) < 0 ? sys.errno() : 0;
		closeSync(there);
		if (err !== 0) {
			closeSync(back);
			throw new OutsideError(`network namespace '${netns}': ${errnoText(err)}`);
		}
	}
	try {
		const fd = sys.open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0) throw new OutsideError(`${name}: ${errnoText(sys.errno())}`);
		// struct ifreq
		const ifr = new Uint8Array(40);
		ifr.set(new TextEncoder().encode(name));
		ifr[IFNAMSIZ] = flags & 255;
		ifr[IFNAMSIZ + 1] = flags >> 8;
		if (sys.ioctl(fd, TUNSETIFF, ifr) < 0) {
			const err = sys.errno();
			sys.close(fd);
			throw new OutsideError(`${name}: ${errnoText(err)}`);
		}
		return fd;
	} finally {
		if (back >= 0) {
			sys.setns(back, CLONE_NEWNET);
			closeSync(back);
		}
	}
}

/** Opens a TAP of the real host. Throws OutsideError. */
export function openTap(world: World, name: string, options: TapOptions = {}): FdCable {
	const sys = syscalls();
	const offload = options.offload ?? true;
	const fd = openDevice(sys, name, IFF_TAP | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0), options.netns);
	if (offload) {
		const size = new Uint8Array([VNET_HDR_LEN, 0, 0, 0]);
		sys.ioctl(fd, TUNSETVNETHDRSZ, size);
		if (sys.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN) < 0) {
			const err = sys.errno();
			sys.close(fd);
			throw new OutsideError(`${name}: no segmentation offload: ${errnoText(err)}`);
		}
	}
	return new FdCable(world, name, sys, fd, { offload, to: null });
}

/** Opens a TUN of the real host: IP packets. For lab/cables/tun.ts. Throws OutsideError. */
export function openTun(world: World, name: string, options: Omit<TapOptions, 'offload'> = {}): FdCable {
	const sys = syscalls();
	return new FdCable(world, name, sys, openDevice(sys, name, IFF_TUN | IFF_NO_PI, options.netns), {
		offload: false,
		to: null,
	});
}
