/*
 * outside/fd_worker.ts: the two threads of a descriptor: one reads frames into a ring, one writes frames out of one.
 *
 * Each function is the whole program of a worker thread: it is handed over as text (so that it runs from a bundle too) and therefore names
 * nothing outside of itself. Numbers of the rings: ring.ts.
 */
import type { MessagePort } from 'node:worker_threads';
import type { RingMemory } from './ring.ts';
import type { Koffi } from './syscalls.ts';

export interface FdWorkerData {
	/** Path of koffi's entry. */
	koffi: string;
	fd: number;
	/** An eventfd that ends the reader's waiting. */
	wake: number;
	ring: RingMemory;
	slotSize: number;
	slotFrame: number;
	/** Bytes of virtio's header before each frame: 0 or 10. */
	vnet: number;
	/** struct sockaddr to send to; null: write(2). */
	to: Uint8Array | null;
}

/** Frames from the device into the ring. Tells 'frames' when the other side sleeps, and { error } (an errno) when the device is gone. */
export function fdReader(port: MessagePort, data: FdWorkerData, koffi: Koffi): void {
	const EINTR = 4;
	const EIO = 5;
	const EAGAIN = 11;
	const POLLIN = 1;
	const [HEAD, TAIL, READER_IDLE, WRITER_IDLE, STOP] = [0, 1, 2, 3, 4];
	const words = new Int32Array(data.ring.words);
	const mask = data.ring.slots - 1;
	const start = data.slotFrame - data.vnet;
	const max = data.slotSize - start;
	const lengths: Int32Array[] = [];
	const frames: Uint8Array[] = [];
	for (let i = 0; i < data.ring.slots; i++) {
		lengths.push(new Int32Array(data.ring.bytes, i * data.slotSize, 1));
		frames.push(new Uint8Array(data.ring.bytes, i * data.slotSize + start, max));
	}
	const c = koffi.load(null);
	const read = c.func('long read(int fd, void *buf, size_t n)');
	const poll = c.func('int poll(void *fds, unsigned long n, int timeout)');
	// struct pollfd[2]
	const fds = new Int32Array([data.fd, POLLIN, data.wake, POLLIN]);
	let head = 0;
	const tell = (): void => {
		if (Atomics.exchange(words, READER_IDLE, 0) === 1) port.postMessage('frames');
	};
	while (Atomics.load(words, STOP) === 0) {
		if (((head - Atomics.load(words, TAIL)) | 0) > mask) {
			tell();
			Atomics.store(words, WRITER_IDLE, 1);
			const tail = Atomics.load(words, TAIL);
			if (((head - tail) | 0) > mask) Atomics.wait(words, TAIL, tail);
			Atomics.store(words, WRITER_IDLE, 0);
			continue;
		}
		const slot = head & mask;
		const n = read(data.fd, frames[slot], max);
		if (n > data.vnet) {
			lengths[slot][0] = n - data.vnet;
			head = (head + 1) | 0;
			Atomics.store(words, HEAD, head);
			tell();
			continue;
		}
		const error = n < 0 ? koffi.errno() : 0;
		if (error === EAGAIN || error === EIO) {
			// EIO: the device is down, which is not the end of it.
			poll(fds, 2, error === EIO ? 100 : -1);
		} else if (n < 0 && error !== EINTR) {
			port.postMessage({ error });
			break;
		}
	}
	port.close();
}

/** Frames out of the ring to the device. Tells 'room' when the other side waits for some. */
export function fdWriter(port: MessagePort, data: FdWorkerData, koffi: Koffi): void {
	const EAGAIN = 11;
	const POLLOUT = 4;
	const [HEAD, TAIL, READER_IDLE, WRITER_IDLE, STOP] = [0, 1, 2, 3, 4];
	const words = new Int32Array(data.ring.words);
	const mask = data.ring.slots - 1;
	const start = data.slotFrame - data.vnet;
	const lengths: Int32Array[] = [];
	const frames: Uint8Array[] = [];
	for (let i = 0; i < data.ring.slots; i++) {
		lengths.push(new Int32Array(data.ring.bytes, i * data.slotSize, 1));
		frames.push(new Uint8Array(data.ring.bytes, i * data.slotSize + start, data.slotSize - start));
	}
	const c = koffi.load(null);
	const write = c.func('long write(int fd, const void *buf, size_t n)');
	const sendto = c.func('long sendto(int fd, const void *buf, size_t n, int flags, const void *to, unsigned int len)');
	const poll = c.func('int poll(void *fds, unsigned long n, int timeout)');
	const fds = new Int32Array([data.fd, POLLOUT]);
	let tail = 0;
	while (Atomics.load(words, STOP) === 0) {
		const head = Atomics.load(words, HEAD);
		if (head === tail) {
			Atomics.store(words, READER_IDLE, 1);
			Atomics.wait(words, HEAD, head);
			Atomics.store(words, READER_IDLE, 0);
			continue;
		}
		const slot = tail & mask;
		// What the device refuses (it is down, the frame is wrong) is lost, as on any wire.
		const n = lengths[slot][0] + data.vnet;
		const { fd, to } = data;
		const sent = to === null ? write(fd, frames[slot], n) : sendto(fd, frames[slot], n, 0, to, to.length);
		if (sent < 0 && koffi.errno() === EAGAIN) {
			poll(fds, 1, 100);
			continue;
		}
		tail = (tail + 1) | 0;
		Atomics.store(words, TAIL, tail);
		if (Atomics.exchange(words, WRITER_IDLE, 0) === 1) port.postMessage('room');
	}
	port.close();
}
