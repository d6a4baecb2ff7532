/*
 * outside/ring.ts: frames between two threads: slots of one size in shared memory, one thread writes, the other reads.
 *
 * `head` counts frames put in, `tail` frames taken out; each has one writer. Whoever finds nothing to do says so in `idle` before it sleeps, and
 * the other wakes it: so a busy ring costs no wake-up at all.
 * The worker's half is in fd_worker.ts, which knows these numbers from its arguments.
 */

/** Indices into the ring's words. */
export const RING_HEAD = 0;
export const RING_TAIL = 1;
/** The reader sleeps. */
export const RING_READER_IDLE = 2;
/** The writer sleeps, for the ring is full. */
export const RING_WRITER_IDLE = 3;
/** Bit 0: end. */
export const RING_STOP = 4;
const RING_WORDS = 8;

/** Room before the frame: its length (4 bytes), then virtio's header (10), ending where the frame begins. */
export const SLOT_FRAME = 16;
/** A frame of 64 KB with Ethernet header and VLAN tags, and what stands before it. */
export const SLOT_SIZE = 17 * 4096;

/** The memory of one ring, to be handed to a worker. */
export interface RingMemory {
	words: SharedArrayBuffer;
	bytes: SharedArrayBuffer;
	slots: number;
}

/** `slots`: a power of two. */
export function ringMemory(slots: number): RingMemory {
	return {
		words: new SharedArrayBuffer(RING_WORDS * 4),
		bytes: new SharedArrayBuffer(slots * SLOT_SIZE),
		slots,
	};
}

export class Ring {
	readonly memory: RingMemory;
	readonly words: Int32Array;
	/** Each slot's bytes. */
	readonly slots: Uint8Array[] = [];
	readonly mask: number;

	constructor(memory: RingMemory) {
		this.memory = memory;
		this.words = new Int32Array(memory.words);
		this.mask = memory.slots - 1;
		for (let i = 0; i < memory.slots; i++) this.slots.push(new Uint8Array(memory.bytes, i * SLOT_SIZE, SLOT_SIZE));
	}

	/** Frames in it. */
	get used(): number {
		return (Atomics.load(this.words, RING_HEAD) - Atomics.load(this.words, RING_TAIL)) | 0;
	}

	get full(): boolean {
		return this.used > this.mask;
	}

	/** Ends the other side's waiting. */
	stop(): void {
		Atomics.store(this.words, RING_STOP, 1);
		Atomics.notify(this.words, RING_HEAD);
		Atomics.notify(this.words, RING_TAIL);
	}
}
