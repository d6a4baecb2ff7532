/*
 * outside/fd_cable.ts: a descriptor of the real host, a frame for each read(2) and write(2), as a cable. TAP, TUN, unix datagrams.
 *
 * In:  worker: poll, read -> ring -> (message, when this thread sleeps) -> poll() -> NIC.
 * Out: NIC -> transmit -> ring -> worker: write. When that ring is full the cable is busy, and the NIC keeps its frames.
 */
import { Worker } from 'node:worker_threads';
import { frame_offload } from '../drivers/net/cable.ts';
import { Outside } from '../lab/cables/outside.ts';
import { getVnetHdr, putVnetHdr, VNET_HDR_LEN } from '../lab/cables/vnet_hdr.ts';
import type { World } from '../lab/world.ts';
import { type FdWorkerData, fdReader, fdWriter } from './fd_worker.ts';
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
import { errnoText, koffiPath, type Syscalls } from './syscalls.ts';

const SLOTS = 64;
/** How long the NIC waits when the ring is full, before it looks again. */
const FULL_NS = 50000;

export interface FdCableOptions {
	/** Whether virtio's header stands before each frame. */
	offload: boolean;
	/** Of a datagram socket: where frames go (struct sockaddr). */
	to: Uint8Array | null;
}

const O_CLOEXEC = 0x80000;

/** A worker whose program is `work` (see fd_worker.ts). */
function start(work: typeof fdReader, data: FdWorkerData): Worker {
	return new Worker(
		`const t = require('node:worker_threads'); (${work})(t.parentPort, t.workerData, require(t.workerData.koffi));`,
		{ eval: true, workerData: data, stdout: false, stderr: false },
	);
}

/** The two rings and threads of an open device. */
export class FdCable extends Outside {
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

	constructor(world: World, name: string, sys: Syscalls, fd: number, { offload, to }: FdCableOptions) {
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
		const data = { koffi: koffiPath(), fd, wake: this.wake, slotSize: SLOT_SIZE, slotFrame: SLOT_FRAME, to };
		const vnet = offload ? VNET_HDR_LEN : 0;
		this.workers = [
			start(fdReader, { ...data, vnet, ring: this.rx.memory }),
			start(fdWriter, { ...data, vnet, ring: this.tx.memory }),
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
		return this.up && this.tx.full ? this.world.clock.now + FULL_NS : 0;
	}

	private told(m: unknown): void {
		if (m === 'frames') this.world.enter();
		else if (typeof m === 'object' && m !== null && 'error' in m)
			this.close(`${this.name}: ${errnoText(Number(m.error))}`);
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
