/*
 * sockets/udp.ts: a UDP socket of an event loop. What dgram.ts and streams.ts have in common. Errors are -errno.
 */
import { EAGAIN } from '../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	AF_UNSPEC,
	msghdr,
	POLLERR,
	POLLIN,
	POLLOUT,
	SO_REUSEADDR,
	SOCK_DGRAM,
	SOL_SOCKET,
	sockaddr,
	sockaddr_in,
} from '../uapi/linux/socket.ts';
import { Handle } from './loop.ts';
import { formatAddress, parseAddress } from './names.ts';
import type { Endpoint } from './tcp.ts';

interface Send {
	data: Uint8Array;
	to: sockaddr | null;
	done: (err: number) => void;
}

export class UdpHandle extends Handle {
	/** A datagram came, or -errno. */
	onmessage: (data: Uint8Array, from: Endpoint, err: number) => void = () => {};
	private receiving = false;
	private sends: Send[] = [];

	private create(): number {
		if (this.fd >= 0) return 0;
		const fd = this.loop.proc.socket(AF_INET, SOCK_DGRAM, 0);
		if (fd < 0) return fd;
		this.open(fd);
		return 0;
	}

	/** Return: 0 or -errno. */
	bind(address: string, port: number, reuse: boolean): number {
		this.loop.enter();
		const r = this.create();
		if (r < 0) return r;
		if (reuse) this.loop.proc.setsockopt(this.fd, SOL_SOCKET, SO_REUSEADDR, 1);
		return this.loop.proc.bind(this.fd, sockaddr_in(parseAddress(address), port));
	}

	receive(on: boolean): void {
		this.receiving = on;
		if (!on) return;
		this.loop.enter();
		this.wake();
	}

	connect(address: string, port: number): number {
		this.loop.enter();
		return this.loop.proc.connect_nowait(this.fd, sockaddr_in(parseAddress(address), port));
	}

	disconnect(): number {
		this.loop.enter();
		return this.loop.proc.connect_nowait(this.fd, new sockaddr(AF_UNSPEC));
	}

	/** `to`: null: the peer that it is connected to. `done` may be called before this returns. */
	send(data: Uint8Array, to: Endpoint | null, done: (err: number) => void): void {
		this.loop.enter();
		this.sends.push({ data, to: to === null ? null : sockaddr_in(parseAddress(to.address), to.port), done });
		if (this.sends.length === 1) this.flush();
	}

	/** Datagrams, and their bytes, that the kernel has not taken yet. */
	get queue(): { count: number; size: number } {
		let size = 0;
		for (const s of this.sends) size += s.data.length;
		return { count: this.sends.length, size };
	}

	local(): Endpoint | number {
		return this.name(false);
	}

	remote(): Endpoint | number {
		return this.name(true);
	}

	private name(peer: boolean): Endpoint | number {
		const sa = new sockaddr(AF_INET);
		const { proc } = this.loop;
		const r = peer ? proc.getpeername(this.fd, sa) : proc.getsockname(this.fd, sa);
		return r < 0 ? r : { address: formatAddress(sa.sin_addr), port: sa.sin_port };
	}

	option(level: number, name: number, value: number | Uint8Array): number {
		this.loop.enter();
		return this.loop.proc.setsockopt(this.fd, level, name, value);
	}

	/** An int option, or -errno. */
	readOption(level: number, name: number): number {
		const v = new Uint8Array(4);
		const r = this.loop.proc.getsockopt(this.fd, level, name, v);
		return r < 0 ? r : v[0] | (v[1] << 8) | (v[2] << 16) | (v[3] << 24);
	}

	override close(done: (() => void) | null = null): void {
		this.receiving = false;
		this.sends = [];
		super.close(done);
	}

	protected dispatch(): void {
		const mask = this.loop.proc.ready(this.fd);
		if (this.receiving && (mask & (POLLIN | POLLERR)) !== 0) {
			const msg = new msghdr(this.loop.scratch, new sockaddr(AF_INET));
			const n = this.loop.proc.recvmsg_nowait(this.fd, msg, 0);
			if (n !== -EAGAIN) {
				this.wake();
				const from = msg.msg_name!;
				const peer = { address: formatAddress(from.sin_addr), port: from.sin_port };
				this.onmessage(n < 0 ? new Uint8Array(0) : this.loop.scratch.slice(0, n), peer, Math.min(n, 0));
			}
		}
		if (this.fd >= 0 && this.sends.length > 0 && (mask & (POLLOUT | POLLERR)) !== 0) this.flush();
	}

	private flush(): void {
		while (this.fd >= 0 && this.sends.length > 0) {
			const s = this.sends[0];
			const n = this.loop.proc.sendmsg_nowait(this.fd, new msghdr(s.data, s.to), 0);
			if (n === -EAGAIN) return;
			this.sends.shift();
			s.done(Math.min(n, 0));
		}
	}
}
