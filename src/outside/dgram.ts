/*
 * outside/dgram.ts: datagrams as a cable, a frame in each: `-netdev dgram` of QEMU over UDP and unix sockets.
 *
 *     openDgram(world, 'udp:127.0.0.1:4001', 'udp:127.0.0.1:4000');
 *     // qemu-system-x86_64 … -netdev dgram,id=n,local.type=inet,local.host=127.0.0.1,local.port=4000,remote.type=inet,remote.host=127.0.0.1,remote.port=4001
 *
 * Node has no unix datagrams: those go through the same rings and threads as a TAP's frames, and need koffi.
 */
import { createSocket, type Socket } from 'node:dgram';
import { existsSync, lstatSync, rmSync } from 'node:fs';
import type { frame_offload } from '../drivers/net/cable.ts';
import { Outside } from '../lab/cables/outside.ts';
import type { World } from '../lab/world.ts';
import { FdCable } from './fd_cable.ts';
import { errnoText, OutsideError, syscalls } from './syscalls.ts';

type Address = { path: string } | { host: string; port: number };

/** `udp:HOST:PORT`, `udp:PORT`, `unix:PATH`. Throws OutsideError. */
export function dgramAddress(text: string): Address {
	if (text.startsWith('unix:') && text.length > 5) return { path: text.slice(5) };
	const m = /^udp:(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d+)$/.exec(text);
	if (m === null || Number(m[3]) > 65535)
		throw new OutsideError(`'${text}': expected udp:HOST:PORT, udp:PORT or unix:PATH`);
	return { host: m[1] ?? (m[2] || '127.0.0.1'), port: Number(m[3]) };
}

class UdpCable extends Outside {
	private socket: Socket;
	private to: { host: string; port: number };

	constructor(world: World, name: string, socket: Socket, to: { host: string; port: number }) {
		super(world, name, false);
		this.socket = socket;
		this.to = to;
		socket.on('message', (frame, from) => {
			// Only our peer is at the other end of the cable.
			if (from.port !== to.port) return;
			this.world.enter();
			this.arrived(frame, 0, frame.length, null);
		});
		// The peer is not there yet, or no more: frames are lost, as on any cable.
		socket.on('error', () => {});
		this.linked(true);
	}

	protected transmit(frame: Uint8Array, start: number, len: number, _offload: frame_offload | null): boolean {
		this.socket.send(frame.slice(start, start + len), this.to.port, this.to.host, () => {});
		return true;
	}

	protected shut(): void {
		this.socket.close();
	}
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;

/** struct sockaddr_un. */
function sockaddrUn(path: string): Uint8Array {
	const name = new TextEncoder().encode(path);
	if (name.length > 107)
		throw new OutsideError(`unix:${path}: longer than the 107 bytes that a unix socket's path may have`);
	const sa = new Uint8Array(2 + name.length + 1);
	sa[0] = AF_UNIX;
	sa.set(name, 2);
	return sa;
}

class UnixCable extends FdCable {
	private path: string;

	constructor(world: World, name: string, fd: number, path: string, to: Uint8Array) {
		super(world, name, syscalls(), fd, { offload: false, to });
		this.path = path;
	}

	protected override shut(): void {
		super.shut();
		rmSync(this.path, { force: true });
	}
}

/** Opens the socket `local`, to send to `remote`, which need not be there yet. Throws OutsideError. */
export async function openDgram(world: World, local: string, remote: string): Promise<Outside> {
	const here = dgramAddress(local);
	const there = dgramAddress(remote);
	const name = `${local} ${remote}`;
	if ('path' in here && 'path' in there) {
		const sys = syscalls();
		const to = sockaddrUn(there.path);
		const own = sockaddrUn(here.path);
		if (existsSync(here.path) && lstatSync(here.path).isSocket()) rmSync(here.path);
		const fd = sys.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0 || sys.bind(fd, own, own.length) < 0) throw new OutsideError(`${local}: ${errnoText(sys.errno())}`);
		return new UnixCable(world, name, fd, here.path, to);
	}
	if ('path' in here || 'path' in there) throw new OutsideError(`'${local}' and '${remote}' are of two kinds`);
	const socket = createSocket(here.host.includes(':') ? 'udp6' : 'udp4');
	await new Promise<void>((resolve, reject) => {
		socket.once('error', (e) => reject(new OutsideError(`${local}: ${e.message}`)));
		socket.bind(here.port, here.host, resolve);
	});
	return new UdpCable(world, name, socket, there);
}
