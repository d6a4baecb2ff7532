/*
 * sockets/tcp.ts: a TCP socket of an event loop: listens, connects, reads while it is asked to, writes in turn.
 * What net.ts and streams.ts have in common. Errors are -errno.
 */
import { EAGAIN, EINPROGRESS, EISCONN, ENETUNREACH } from '../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	MSG_MORE,
	msghdr,
	POLLERR,
	POLLHUP,
	POLLIN,
	POLLOUT,
	POLLRDHUP,
	SHUT_WR,
	SO_ERROR,
	SO_KEEPALIVE,
	SO_LINGER,
	SO_REUSEADDR,
	SOCK_STREAM,
	SOL_IP,
	SOL_SOCKET,
	SOL_TCP,
	sockaddr,
	sockaddr_in,
} from '../uapi/linux/socket.ts';
import { TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY } from '../uapi/linux/tcp.ts';
import { type Attempt, ConnectTracer, type JourneyEnd, journeyEnd, noRoute } from './cause.ts';
import { Handle, type Loop } from './loop.ts';
import { formatAddress, parseAddress } from './names.ts';

/** An address and its port. */
export interface Endpoint {
	address: string;
	port: number;
}

interface Write {
	parts: Uint8Array[];
	/** Bytes of parts[0] that are gone. */
	at: number;
	done: (err: number) => void;
}

function nothing(): void {}

export class TcpHandle extends Handle {
	/** Bytes; null at the end of the stream; or -errno, and no more comes. */
	onread: (chunk: Uint8Array | null, err: number) => void = nothing;
	/** The connection is made (0) or not (-errno, and where its packet ended). */
	onconnect: (err: number, end: JourneyEnd | undefined) => void = nothing;
	/** Somebody has connected. */
	onconnection: (handle: TcpHandle) => void = nothing;
	/** Bytes read and written so far. */
	bytesRead = 0;
	bytesWritten = 0;
	private reading = false;
	private listening = false;
	private connecting = false;
	private writes: Write[] = [];
	private shutting: ((err: number) => void) | null = null;
	private tracer: ConnectTracer;
	private attempt: Attempt | null = null;

	constructor(loop: Loop, tracer: ConnectTracer) {
		super(loop);
		this.tracer = tracer;
	}

	/** Of the loop's host. */
	static tracerOf(loop: Loop): ConnectTracer {
		return new ConnectTracer(loop.host);
	}

	/** node:http asks `socket._handle` for it: async_hooks' id of the program's start. */
	getAsyncId(): number {
		return 1;
	}

	/** Bytes that the kernel has not taken yet. */
	get writeQueueSize(): number {
		let n = 0;
		for (const w of this.writes) for (const p of w.parts) n += p.length;
		return n - (this.writes[0]?.at ?? 0);
	}

	private create(): number {
		if (this.fd >= 0) return 0;
		const fd = this.loop.proc.socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0) return fd;
		this.open(fd);
		return 0;
	}

	/** Return: 0 or -errno. */
	bind(address: string, port: number): number {
		this.loop.enter();
		let r = this.create();
		if (r < 0) return r;
		this.loop.proc.setsockopt(this.fd, SOL_SOCKET, SO_REUSEADDR, 1);
		r = this.loop.proc.bind(this.fd, sockaddr_in(parseAddress(address), port));
		return r;
	}

	/** Return: 0 or -errno. */
	listen(backlog: number): number {
		this.loop.enter();
		const r = this.loop.proc.listen(this.fd, backlog);
		if (r >= 0) {
			this.listening = true;
			this.wake();
		}
		return r;
	}

	/** Return: 0: `onconnect` will be called; or -errno at once. */
	connect(address: string, port: number): number {
		const { loop } = this;
		loop.enter();
		let r = this.create();
		if (r < 0) return r;
		const to = sockaddr_in(parseAddress(address), port);
		this.attempt = this.tracer.begin_attempt(() => {
			r = loop.proc.connect_nowait(this.fd, to);
		});
		if (r < 0 && r !== -EINPROGRESS) {
			this.endAttempt();
			return r;
		}
		this.connecting = true;
		this.sent();
		if (r >= 0) this.wake();
		return 0;
	}

	/** Where the packet of an attempt that failed at once ended. */
	endAtOnce(address: string, err: number): JourneyEnd | undefined {
		return err === -ENETUNREACH ? noRoute(this.loop.host, address) : undefined;
	}

	private endAttempt(): Attempt | null {
		const { attempt } = this;
		this.attempt = null;
		if (attempt !== null) this.tracer.end_attempt(attempt);
		return attempt;
	}

	readStart(): void {
		if (this.reading) return;
		this.reading = true;
		this.loop.enter();
		this.wake();
	}

	readStop(): void {
		this.reading = false;
	}

	/** Hands bytes to the kernel, in turn. `done` may be called before this returns. */
	write(parts: Uint8Array[], done: (err: number) => void): void {
		this.loop.enter();
		this.writes.push({ parts, at: 0, done });
		if (this.writes.length === 1) this.flush();
	}

	/** A FIN after all that was written. `done` is called after it, before anything else of the event loop. */
	shutdown(done: (err: number) => void): void {
		this.shutting = done;
		if (this.writes.length === 0) this.finish();
	}

	private finish(): void {
		const done = this.shutting!;
		this.shutting = null;
		this.loop.enter();
		const r = this.loop.proc.shutdown(this.fd, SHUT_WR);
		this.sent();
		queueMicrotask(() => done(r));
	}

	/** Closes with a reset. */
	reset(done: (() => void) | null): void {
		if (this.fd >= 0) this.loop.proc.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
		this.close(done);
	}

	override close(done: (() => void) | null = null): void {
		this.reading = false;
		this.writes = [];
		this.shutting = null;
		this.endAttempt();
		super.close(done);
	}

	/** This end's address; null where it has none. */
	local(): Endpoint | null {
		return this.name(false);
	}

	remote(): Endpoint | null {
		return this.name(true);
	}

	private name(peer: boolean): Endpoint | null {
		if (this.fd < 0) return null;
		const sa = new sockaddr(AF_INET);
		const r = peer ? this.loop.proc.getpeername(this.fd, sa) : this.loop.proc.getsockname(this.fd, sa);
		return r < 0 ? null : { address: formatAddress(sa.sin_addr), port: sa.sin_port };
	}

	setNoDelay(on: boolean): number {
		return this.option(SOL_TCP, TCP_NODELAY, Number(on));
	}

	/** `seconds`: how long nothing comes before the first probe; 0: as the kernel has it. */
	setKeepAlive(on: boolean, seconds: number): number {
		const r = this.option(SOL_SOCKET, SO_KEEPALIVE, Number(on));
		if (r < 0 || !on || seconds <= 0) return r;
		// As libuv does: a probe each second, ten of them.
		this.option(SOL_TCP, TCP_KEEPIDLE, seconds);
		this.option(SOL_TCP, TCP_KEEPINTVL, 1);
		return this.option(SOL_TCP, TCP_KEEPCNT, 10);
	}

	setTypeOfService(tos: number): number {
		return this.option(SOL_IP, 1, tos);
	}

	option(level: number, name: number, value: number): number {
		const r = this.create();
		return r < 0 ? r : this.loop.proc.setsockopt(this.fd, level, name, value);
	}

	protected dispatch(): void {
		const mask = this.loop.proc.ready(this.fd);
		if (this.connecting) {
			if ((mask & (POLLOUT | POLLERR | POLLHUP)) !== 0) this.connected();
			return;
		}
		if (this.listening) {
			this.accept();
			return;
		}
		if (this.reading && (mask & (POLLIN | POLLERR | POLLHUP | POLLRDHUP)) !== 0) this.read();
		if (this.fd >= 0 && this.writes.length > 0 && (mask & (POLLOUT | POLLERR | POLLHUP)) !== 0) this.flush();
	}

	private connected(): void {
		this.connecting = false;
		const value = new Uint8Array(4);
		this.loop.proc.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, value);
		const err = -(value[0] | (value[1] << 8));
		const attempt = this.endAttempt();
		if (err === 0) {
			// Linux wants connect(2) to be asked again before it calls the socket connected; -EISCONN when it is already.
			const again = this.loop.proc.connect_nowait(this.fd, new sockaddr(AF_INET));
			const r = again === -EISCONN ? 0 : again;
			if (r === 0) this.wake();
			this.onconnect(r, undefined);
		} else if (attempt === null) this.onconnect(err, undefined);
		else void journeyEnd(this.loop.host.world, attempt).then((end) => this.loop.call(() => this.onconnect(err, end)));
	}

	private accept(): void {
		const fd = this.loop.proc.accept_nowait(this.fd, null);
		if (fd < 0) return;
		const handle = new TcpHandle(this.loop, this.tracer);
		handle.open(fd);
		this.wake();
		this.onconnection(handle);
	}

	private read(): void {
		const { scratch, proc } = this.loop;
		const n = proc.recvmsg_nowait(this.fd, new msghdr(scratch), 0);
		if (n === -EAGAIN) return;
		if (n > 0) {
			this.bytesRead += n;
			this.wake();
			this.onread(scratch.slice(0, n), 0);
			return;
		}
		this.reading = false;
		this.onread(null, n);
	}

	/** Hands on what waits, as far as the kernel takes it. */
	private flush(): void {
		while (this.fd >= 0 && this.writes.length > 0) {
			const w = this.writes[0];
			const r = this.put(w);
			if (r === -EAGAIN) return;
			this.writes.shift();
			w.done(r);
		}
		if (this.fd >= 0 && this.shutting !== null) this.finish();
	}

	/** Return: 0 when the kernel has taken all of it, -EAGAIN, or -errno. */
	private put(w: Write): number {
		while (w.parts.length > 0) {
			const rest = w.at === 0 ? w.parts[0] : w.parts[0].subarray(w.at);
			const more = w.parts.length > 1 ? MSG_MORE : 0;
			const n = rest.length === 0 ? 0 : this.loop.proc.sendmsg_nowait(this.fd, new msghdr(rest), more);
			if (n < 0) return n;
			this.sent();
			this.bytesWritten += n;
			if (n === rest.length) {
				w.parts.shift();
				w.at = 0;
			} else w.at += n;
		}
		return 0;
	}
}
