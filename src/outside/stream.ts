/*
 * outside/stream.ts: a stream socket as a cable: `-netdev stream` of QEMU (7.2 and later), and passt, over unix and TCP sockets.
 *
 *     const vm = listenStream(world, 'unix:/tmp/vm.sock');       // qemu-system-x86_64 … -netdev stream,id=n,addr.type=unix,addr.path=/tmp/vm.sock
 *     const net = connectStream(world, 'unix:/tmp/passt.sock');  // passt -f --socket /tmp/passt.sock: the outside world, and no root
 *
 * Each frame has its length before it (lab/cables/framing.ts). Who listens serves one peer at a time: the link is up while there is one.
 */
import { existsSync, lstatSync, rmSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import type { frame_offload } from '../drivers/net/cable.ts';
import { FrameReader, FrameWriter } from '../lab/cables/framing.ts';
import { Outside } from '../lab/cables/outside.ts';
import type { World } from '../lab/world.ts';
import { OutsideError } from './syscalls.ts';

/** So much may wait in the socket before the NIC has to. */
const BUFFER_MAX = 1 << 20;
const BUSY_NS = 200000;

export type StreamAddress = { path: string } | { host: string; port: number };

/** `unix:PATH`, `tcp:HOST:PORT` (`tcp:PORT`: this machine). Throws OutsideError. */
export function streamAddress(text: string): StreamAddress {
	if (text.startsWith('unix:') && text.length > 5) return { path: text.slice(5) };
	const m = /^tcp:(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d+)$/.exec(text);
	if (m === null || Number(m[3]) > 65535)
		throw new OutsideError(`'${text}': expected unix:PATH, tcp:HOST:PORT or tcp:PORT`);
	return { host: m[1] ?? (m[2] || '127.0.0.1'), port: Number(m[3]) };
}

export class StreamCable extends Outside {
	private peer: Socket | null = null;
	private server: Server | null;
	private writer: FrameWriter = new FrameWriter();
	private flushing = false;
	private path: string | null = null;

	constructor(world: World, name: string, server: Server | null) {
		super(world, name, false);
		this.server = server;
	}

	/** As a cable: a peer that is slow holds the NIC's frames. */
	get busy_until(): number {
		return this.peer !== null && this.peer.writableLength > BUFFER_MAX ? this.world.clock.now + BUSY_NS : 0;
	}

	/** Of a listener on TCP: the port. */
	get localPort(): number {
		return (this.server?.address() as AddressInfo | null)?.port ?? 0;
	}

	/** @internal The listener listens. */
	listening(path: string | null): void {
		this.path = path;
	}

	/** @internal A peer is there. */
	connected(socket: Socket): void {
		const reader = new FrameReader((bytes, start, len) => this.arrived(bytes, start, len, null));
		this.peer = socket;
		socket.setNoDelay(true);
		socket.on('data', (chunk: Buffer) => {
			this.world.enter();
			try {
				reader.push(chunk);
			} catch (e) {
				socket.destroy();
				if (this.server === null) this.close(`${this.name}: ${(e as Error).message}`);
			}
		});
		socket.on('error', () => {});
		socket.on('close', () => {
			this.peer = null;
			this.linked(false);
			if (this.server === null) this.close(`${this.name}: the other side closed`);
		});
		this.linked(true);
	}

	/** @internal */
	get taken(): boolean {
		return this.peer !== null;
	}

	protected transmit(frame: Uint8Array, start: number, len: number, _offload: frame_offload | null): boolean {
		const { peer } = this;
		if (peer === null || peer.writableLength > 8 * BUFFER_MAX) return false;
		this.writer.add(frame, start, len);
		if (!this.flushing) {
			this.flushing = true;
			// What is sent at this instant goes out in one piece.
			queueMicrotask(() => this.flush());
		}
		return true;
	}

	private flush(): void {
		this.flushing = false;
		const all = this.writer.take();
		if (this.peer !== null && all.length > 0) this.peer.write(all);
	}

	protected shut(): void {
		this.flush();
		this.server?.close();
		this.peer?.destroySoon();
		if (this.path !== null) rmSync(this.path, { force: true });
	}
}

/** Connects to whoever listens at `address`. Resolves when the link is up; throws OutsideError. */
export function connectStream(world: World, address: string): Promise<StreamCable> {
	const to = streamAddress(address);
	return new Promise((resolve, reject) => {
		const socket = createConnection(to);
		const failed = (e: Error): void => reject(new OutsideError(`${address}: ${e.message}`));
		socket.once('error', failed);
		socket.once('connect', () => {
			socket.off('error', failed);
			const cable = new StreamCable(world, address, null);
			cable.connected(socket);
			resolve(cable);
		});
	});
}

/** Listens at `address`. Resolves when a peer could connect; throws OutsideError. */
export function listenStream(world: World, address: string): Promise<StreamCable> {
	const at = streamAddress(address);
	const server = createServer();
	// What a listener before us left behind.
	if ('path' in at && existsSync(at.path) && lstatSync(at.path).isSocket()) rmSync(at.path);
	return new Promise((resolve, reject) => {
		server.once('error', (e: Error) => reject(new OutsideError(`${address}: ${e.message}`)));
		server.listen(at, () => {
			const cable = new StreamCable(world, address, server);
			cable.listening('path' in at ? at.path : null);
			server.on('connection', (socket) => {
				if (cable.taken) socket.destroy();
				else cable.connected(socket);
			});
			resolve(cable);
		});
	});
}
