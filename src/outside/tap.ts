/*
 * outside/tap.ts: a TAP or TUN device of the real host as a cable: its kernel is the other end.     Linux: Documentation/networking/tuntap.rst
 *
 *     const tap = openTap(world, 'tap0');
 *     world.link(host.nic('eth0'), tap, { offload: true });
 *
 * In:  worker: poll, read -> ring -> (message, when this thread sleeps) -> take -> NIC.
 * Out: NIC -> transmit -> ring -> worker: write. When that ring is full the cable is busy, and the NIC keeps its frames.
 * With virtio's header (IFF_VNET_HDR, TUNSETOFFLOAD) 64 KB segments cross in both directions, their checksums left undone.
 * Needs CAP_NET_ADMIN, or a device that was made for this user: `ip tuntap add tap0 mode tap user $USER`.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { frame_offload } from '../drivers/net/cable.ts';
import { Outside } from '../lab/cables/outside.ts';
import { getVnetHdr, putVnetHdr, VNET_HDR_LEN } from '../lab/cables/vnet_hdr.ts';
import type { World } from '../lab/world.ts';
import {
	RING_HEAD,
	RING_READER_IDLE,
	RING_TAIL,
	RING_WRITER_IDLE,
	Ring,
	ringMemory,
	SLOT_FRAME,
	SLOT_SIZE,
} from './ring.ts';
import { koffiPath, OutsideError, type Syscalls, syscalls } from './syscalls.ts';
import { type TapWorkerData, tapReader, tapWriter } from './tap_worker.ts';

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

const SLOTS = 64;
/** How long the NIC waits when the ring is full, before it looks again. */
const FULL_NS = 50000;

const ERRNO: Record<number, string> = {
	1: 'not permitted (root, or CAP_NET_ADMIN, is needed; or a device made by `ip tuntap add NAME mode tap user $USER`)',
	2: 'there is no /dev/net/tun here (modprobe tun)',
	13: 'not permitted (root, or CAP_NET_ADMIN, is needed)',
	16: 'it is in use by another program',
	19: 'there is no /dev/net/tun driver in this kernel (modprobe tun)',
	22: 'there is a device of this name already, of another kind',
	77: 'the device is gone',
};

function said(errno: number): string {
	return ERRNO[errno] ?? `error ${errno}`;
}

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
			throw new OutsideError(`network namespace '${netns}': ${said(err)}`);
		}
	}
	try {
		const fd = sys.open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0) throw new OutsideError(`${name}: ${said(sys.errno())}`);
		// struct ifreq
		const ifr = new Uint8Array(40);
		ifr.set(new TextEncoder().encode(name));
		ifr[IFNAMSIZ] = flags & 255;
		ifr[IFNAMSIZ + 1] = flags >> 8;
		if (sys.ioctl(fd, TUNSETIFF, ifr) < 0) {
			const err = sys.errno();
			sys.close(fd);
			throw new OutsideError(`${name}: ${said(err)}`);
		}
		return fd;
	} finally {
		if (back >= 0) {
			sys.setns(back, CLONE_NEWNET);
			closeSync(back);
		}
	}
}

/** A worker whose program is `work` (see tap_worker.ts). */
function start(work: typeof tapReader, data: TapWorkerData): Worker {
	return new Worker(
		`const t = require('node:worker_threads'); (${work})(t.parentPort, t.workerData, require(t.workerData.koffi));`,
		{ eval: true, workerData: data, stdout: false, stderr: false },
	);
}

/** The two rings and threads of an open device. */
export class Tap extends Outside {
	private sys: Syscalls;
	private fd: number;
	private wake: number;
	private rx: Ring;
	private tx: Ring;
	private lengths: Int32Array[];
	private txLengths: Int32Array[];
	private workers: Worker[];
	private ended = 0;
	private vnet: boolean;
	private said: frame_offload = new frame_offload();

	constructor(world: World, name: string, sys: Syscalls, fd: number, offload: boolean) {
		super(world, name, offload);
		this.sys = sys;
		this.fd = fd;
		this.vnet = offload;
		this.wake = sys.eventfd(0, O_CLOEXEC);
		this.rx = new Ring(ringMemory(SLOTS));
		this.tx = new Ring(ringMemory(SLOTS));
		this.lengths = this.rx.slots.map((s) => new Int32Array(s.buffer, s.byteOffset, 1));
		this.txLengths = this.tx.slots.map((s) => new Int32Array(s.buffer, s.byteOffset, 1));
		Atomics.store(this.rx.words, RING_READER_IDLE, 1);
		const data = { koffi: koffiPath(), fd, wake: this.wake, slotSize: SLOT_SIZE, slotFrame: SLOT_FRAME };
		const vnet = offload ? VNET_HDR_LEN : 0;
		this.workers = [
			start(tapReader, { ...data, vnet, ring: this.rx.memory }),
			start(tapWriter, { ...data, vnet, ring: this.tx.memory }),
		];
		for (const w of this.workers) {
			w.on('message', (m: unknown) => this.told(m));
			w.on('error', (e) => this.close(`${name}: ${e.message}`));
			w.on('exit', () => this.finish());
		}
		this.linked(true);
	}

	/** As a cable: until when it takes no other frame. */
	get busy_until(): number {
		return this.tx.full ? this.world.clock.now + FULL_NS : 0;
	}

	private told(m: unknown): void {
		if (m === 'frames') this.world.enter();
		else if (typeof m === 'object' && m !== null && 'error' in m) this.close(`${this.name}: ${said(Number(m.error))}`);
	}

	/** @internal Takes what has come. */
	poll(): void {
		const { words, slots, mask } = this.rx;
		let tail = words[RING_TAIL];
		let head = Atomics.load(words, RING_HEAD);
		if (head === tail) {
			// The other side wakes us from now on; it may have put something there just before.
			if (Atomics.load(words, RING_READER_IDLE) === 1) return;
			Atomics.store(words, RING_READER_IDLE, 1);
			head = Atomics.load(words, RING_HEAD);
			if (head === tail) return;
		}
		Atomics.store(words, RING_READER_IDLE, 0);
		this.world.enter();
		const { said } = this;
		while (head !== tail) {
			const slot = slots[tail & mask];
			const len = this.lengths[tail & mask][0];
			const what = this.vnet ? getVnetHdr(slot, SLOT_FRAME - VNET_HDR_LEN, len, said) : 0;
			if (what < 0) this.counters.rxDropped++;
			else this.arrived(slot, SLOT_FRAME, len, what > 0 ? said : null);
			tail = (tail + 1) | 0;
			Atomics.store(words, RING_TAIL, tail);
			if (Atomics.load(words, RING_WRITER_IDLE) === 1) Atomics.notify(words, RING_TAIL);
		}
	}

	protected transmit(frame: Uint8Array, start: number, len: number, offload: frame_offload | null): boolean {
		const { words, slots, mask } = this.tx;
		const head = words[RING_HEAD];
		if (((head - Atomics.load(words, RING_TAIL)) | 0) > mask || len > SLOT_SIZE - SLOT_FRAME) return false;
		const slot = slots[head & mask];
		this.txLengths[head & mask][0] = len;
		slot.set(start === 0 && len === frame.length ? frame : frame.subarray(start, start + len), SLOT_FRAME);
		if (this.vnet) putVnetHdr(slot, SLOT_FRAME - VNET_HDR_LEN, offload, frame, start);
		Atomics.store(words, RING_HEAD, (head + 1) | 0);
		if (Atomics.load(words, RING_READER_IDLE) === 1) Atomics.notify(words, RING_HEAD);
		return true;
	}

	protected shut(): void {
		this.rx.stop();
		this.tx.stop();
		const one = new Uint8Array(8);
		one[0] = 1;
		this.sys.write(this.wake, one, 8);
	}

	/** The descriptors are closed when no thread uses them any more. */
	private finish(): void {
		if (++this.ended < this.workers.length) return;
		this.close(`${this.name}: its threads ended`);
		this.sys.close(this.fd);
		this.sys.close(this.wake);
	}
}

/** Opens a TAP of the real host. Throws OutsideError. */
export function openTap(world: World, name: string, options: TapOptions = {}): Tap {
	const sys = syscalls();
	const offload = options.offload ?? true;
	const fd = openDevice(sys, name, IFF_TAP | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0), options.netns);
	if (offload) {
		const size = new Uint8Array([VNET_HDR_LEN, 0, 0, 0]);
		sys.ioctl(fd, TUNSETVNETHDRSZ, size);
		if (sys.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN) < 0) {
			const err = sys.errno();
			sys.close(fd);
			throw new OutsideError(`${name}: no segmentation offload: ${said(err)}`);
		}
	}
	return new Tap(world, name, sys, fd, offload);
}
void IFF_TUN;
void readFileSync;
