/*
 * sockets/streams.ts: sockets as web streams, for Node and for browsers: what `import … from 'linnet/streams'` gives.
 *
 *     const a = withStreams(world.host('a'));
 *     const conn = await a.connectTcp({ hostname: '10.0.0.2', port: 80 });
 *     for await (const c of b.listenTcp({ port: 80 })) c.readable.pipeTo(c.writable);
 *
 * Back-pressure reaches the peer: bytes leave the kernel's receive buffer only as somebody reads them, and the window closes when nobody does; a
 * write is over when the kernel has taken it. How time passes: see loop.ts.
 */
import type { Host } from '../lab/index.ts';
import { ENOTCONN } from '../uapi/asm-generic/errno.ts';
import type { ConnectTracer, JourneyEnd } from './cause.ts';
import { abortError, errnoException, exceptionWithHostPort, notFound, type SocketError } from './errors.ts';
import { Loop } from './loop.ts';
import { isIPv4, lookupName } from './names.ts';
import { type Endpoint, TcpHandle } from './tcp.ts';
import { UdpHandle } from './udp.ts';

export type { JourneyEnd, SocketError };

export interface Address {
	transport: 'tcp' | 'udp';
	hostname: string;
	port: number;
}

export interface ConnectOptions {
	/** An IPv4 address, or a name in the host's /etc/hosts. Default 127.0.0.1. */
	hostname?: string;
	port: number;
	/** Where to connect from. */
	localAddress?: string;
	localPort?: number;
	/** Sends small writes at once (TCP_NODELAY). Default true, as Deno has it. */
	noDelay?: boolean;
	keepAlive?: boolean;
	signal?: AbortSignal;
}

export interface ListenOptions {
	/** 0: any free one. */
	port: number;
	/** Default 0.0.0.0. */
	hostname?: string;
	/** Default 511. */
	backlog?: number;
}

/** A TCP connection. */
export class TcpConn {
	readonly readable: ReadableStream<Uint8Array>;
	readonly writable: WritableStream<Uint8Array>;
	readonly localAddr: Address;
	readonly remoteAddr: Address;
	private handle: TcpHandle;
	private input!: ReadableByteStreamController;
	private output!: WritableStreamDefaultController;
	private pulled: (() => void) | null = null;
	private ended = false;
	private finished = false;

	/** @internal */
	constructor(handle: TcpHandle) {
		this.handle = handle;
		this.localAddr = address('tcp', handle.local());
		this.remoteAddr = address('tcp', handle.remote());
		handle.onread = (chunk, err) => this.got(chunk, err);
		this.readable = new ReadableStream(
			{
				type: 'bytes',
				start: (c) => {
					this.input = c;
				},
				pull: () => this.pull(),
				cancel: () => this.end(),
			},
			{ highWaterMark: 0 },
		) as ReadableStream<Uint8Array>;
		this.writable = new WritableStream(
			{
				start: (c) => {
					this.output = c;
				},
				write: (chunk) => this.put(chunk),
				close: () => this.finish(),
				abort: () => this.reset(),
			},
			{ highWaterMark: 1 },
		);
	}

	/** Ends the connection: what was written is still sent, both streams are over. */
	close(): void {
		if (this.handle.closed) return;
		this.handle.close();
		this.wakeReader();
		const gone = errnoException(-ENOTCONN, 'read');
		if (!this.ended) this.input.error(gone);
		if (!this.finished) this.output.error(gone);
		this.ended = true;
		this.finished = true;
	}

	/** Ends our side (FIN): the peer may still send. */
	async closeWrite(): Promise<void> {
		await this.writable.close();
	}

	setNoDelay(on = true): void {
		this.handle.setNoDelay(on);
	}

	setKeepAlive(on = true): void {
		this.handle.setKeepAlive(on, 0);
	}

	/** Keeps the process alive while it is open (as it does from the start). */
	ref(): void {
		this.handle.ref();
	}

	unref(): void {
		this.handle.unref();
	}

	[Symbol.dispose](): void {
		this.close();
	}

	private pull(): Promise<void> {
		return new Promise((resolve) => {
			this.pulled = resolve;
			this.handle.readStart();
		});
	}

	private wakeReader(): void {
		const { pulled } = this;
		this.pulled = null;
		pulled?.();
	}

	private got(chunk: Uint8Array | null, err: number): void {
		if (this.ended) return;
		this.handle.readStop();
		if (chunk !== null) this.input.enqueue(chunk as Uint8Array<ArrayBuffer>);
		else if (err === 0) {
			this.ended = true;
			this.input.close();
			// Somebody who brought a buffer of his own gets it back.
			this.input.byobRequest?.respond(0);
			this.over();
		} else this.fail(errnoException(err, 'read'));
		this.wakeReader();
	}

	private fail(error: SocketError): void {
		if (!this.ended) this.input.error(error);
		if (!this.finished) this.output.error(error);
		this.ended = true;
		this.finished = true;
		this.handle.close();
	}

	private put(chunk: Uint8Array): Promise<void> {
		if (!(chunk instanceof Uint8Array)) return Promise.reject(new TypeError('a TCP connection takes Uint8Array'));
		return new Promise((resolve, reject) => {
			this.handle.write([chunk], (err) => {
				if (err === 0) resolve();
				else {
					const error = errnoException(err, 'write');
					reject(error);
					this.finished = true;
					this.fail(error);
				}
			});
		});
	}

	private finish(): Promise<void> {
		return new Promise((resolve, reject) => {
			this.handle.shutdown((err) => {
				this.finished = true;
				if (err < 0 && err !== -ENOTCONN) reject(errnoException(err, 'shutdown'));
				else resolve();
				this.over();
			});
		});
	}

	private reset(): void {
		this.finished = true;
		if (!this.ended) this.input.error(errnoException(-ENOTCONN, 'read'));
		this.ended = true;
		this.handle.reset(null);
		this.wakeReader();
	}

	/** Nobody reads any more. */
	private end(): void {
		this.ended = true;
		this.handle.readStop();
		this.over();
	}

	private over(): void {
		if (this.ended && this.finished) this.handle.close();
	}
}

/** A listening socket: connections, one after the other. */
export class TcpListener implements AsyncIterable<TcpConn> {
	readonly addr: Address;
	private handle: TcpHandle;
	private waiting: ((c: TcpConn | null) => void)[] = [];
	private arrived: TcpHandle[] = [];

	/** @internal */
	constructor(handle: TcpHandle) {
		this.handle = handle;
		this.addr = address('tcp', handle.local());
		handle.onconnection = (h) => {
			const first = this.waiting.shift();
			if (first !== undefined) first(new TcpConn(h));
			else this.arrived.push(h);
		};
	}

	/** The next connection; null when the listener is closed. */
	accept(): Promise<TcpConn | null> {
		const h = this.arrived.shift();
		if (h !== undefined) return Promise.resolve(new TcpConn(h));
		if (this.handle.closed) return Promise.resolve(null);
		return new Promise((resolve) => {
			this.waiting.push(resolve);
		});
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<TcpConn, void> {
		try {
			for (let c = await this.accept(); c !== null; c = await this.accept()) yield c;
		} finally {
			this.close();
		}
	}

	close(): void {
		if (this.handle.closed) return;
		for (const h of this.arrived.splice(0)) h.reset(null);
		this.handle.close();
		for (const w of this.waiting.splice(0)) w(null);
	}

	ref(): void {
		this.handle.ref();
	}

	unref(): void {
		this.handle.unref();
	}

	[Symbol.dispose](): void {
		this.close();
	}
}

export interface Datagram {
	hostname: string;
	port: number;
	data: Uint8Array;
}

export interface UdpOptions {
	/** Default 0: any free one. */
	port?: number;
	/** Default 0.0.0.0. */
	hostname?: string;
	/** Several sockets may take the port (SO_REUSEADDR). */
	reuseAddress?: boolean;
}

/** Datagrams that nobody has read yet, at most: then the kernel's buffer fills, and the kernel drops. */
const DATAGRAMS = 16;

/** A UDP socket. */
export class UdpConn implements AsyncIterable<Datagram> {
	readonly readable: ReadableStream<Datagram>;
	readonly writable: WritableStream<Datagram>;
	readonly localAddr: Address;
	private handle: UdpHandle;
	private input!: ReadableStreamDefaultController<Datagram>;

	/** @internal */
	constructor(handle: UdpHandle) {
		this.handle = handle;
		const at = handle.local();
		this.localAddr = address('udp', typeof at === 'number' ? null : at);
		handle.onmessage = (data, from, err) => {
			if (err < 0) return;
			this.input.enqueue({ hostname: from.address, port: from.port, data });
			if ((this.input.desiredSize ?? 0) <= 0) handle.receive(false);
		};
		this.readable = new ReadableStream<Datagram>(
			{
				start: (c) => {
					this.input = c;
				},
				pull: () => handle.receive(true),
				cancel: () => this.close(),
			},
			{ highWaterMark: DATAGRAMS },
		);
		this.writable = new WritableStream<Datagram>({
			write: ({ hostname, port, data }) =>
				new Promise<void>((resolve, reject) => {
					handle.send(data, { address: hostname, port }, (err) => {
						if (err === 0) resolve();
						else reject(exceptionWithHostPort(err, 'send', hostname, port));
					});
				}),
		});
	}

	[Symbol.asyncIterator](): AsyncIterableIterator<Datagram> {
		return (this.readable as unknown as AsyncIterable<Datagram>)[
			Symbol.asyncIterator
		]() as AsyncIterableIterator<Datagram>;
	}

	close(): void {
		if (this.handle.closed) return;
		this.handle.close();
		try {
			this.input.close();
		} catch {
			// It was cancelled.
		}
	}

	[Symbol.dispose](): void {
		this.close();
	}
}

function address(transport: 'tcp' | 'udp', e: Endpoint | null): Address {
	return { transport, hostname: e?.address ?? '0.0.0.0', port: e?.port ?? 0 };
}

/** What `withStreams` gives a host. */
export interface HostStreams {
	/** Connects. Rejects with a SocketError: `code`, and in `cause` where in the world the packet ended. */
	connectTcp(options: ConnectOptions): Promise<TcpConn>;
	/** Listens at once. Throws a SocketError where it cannot. */
	listenTcp(options: ListenOptions): TcpListener;
	/** A bound UDP socket. Throws a SocketError where it cannot be bound. */
	openUdp(options?: UdpOptions): UdpConn;
}

async function resolveName(loop: Loop, hostname: string): Promise<string> {
	if (isIPv4(hostname)) return hostname;
	const found = await lookupName(loop, hostname);
	if (found === null) throw notFound(hostname);
	return found;
}

async function connectTcp(loop: Loop, tracer: ConnectTracer, options: ConnectOptions): Promise<TcpConn> {
	const { port, signal } = options;
	const to = await resolveName(loop, options.hostname ?? '127.0.0.1');
	if (signal?.aborted) throw abortError(signal.reason);
	const handle = new TcpHandle(loop, tracer);
	if (options.localAddress !== undefined || options.localPort !== undefined) {
		const from = options.localAddress ?? '0.0.0.0';
		const r = handle.bind(from, options.localPort ?? 0);
		if (r < 0) {
			handle.close();
			throw exceptionWithHostPort(r, 'bind', from, options.localPort);
		}
	}
	await new Promise<void>((resolve, reject) => {
		const abort = () => {
			handle.reset(null);
			reject(abortError(signal?.reason));
		};
		const over = (err: number, end: JourneyEnd | undefined) => {
			signal?.removeEventListener('abort', abort);
			if (err === 0) {
				resolve();
				return;
			}
			handle.close();
			const error = exceptionWithHostPort(err, 'connect', to, port);
			if (end !== undefined) error.cause = end;
			reject(error);
		};
		handle.onconnect = over;
		signal?.addEventListener('abort', abort, { once: true });
		const r = handle.connect(to, port);
		if (r < 0) over(r, handle.endAtOnce(to, r));
	});
	if (options.noDelay ?? true) handle.setNoDelay(true);
	if (options.keepAlive) handle.setKeepAlive(true, 0);
	return new TcpConn(handle);
}

function listenTcp(loop: Loop, tracer: ConnectTracer, options: ListenOptions): TcpListener {
	const hostname = options.hostname ?? '0.0.0.0';
	const handle = new TcpHandle(loop, tracer);
	let r = handle.bind(hostname, options.port);
	if (r >= 0) r = handle.listen(options.backlog ?? 511);
	if (r < 0) {
		handle.close();
		throw exceptionWithHostPort(r, 'listen', hostname, options.port);
	}
	return new TcpListener(handle);
}

function openUdp(loop: Loop, options: UdpOptions): UdpConn {
	const hostname = options.hostname ?? '0.0.0.0';
	const handle = new UdpHandle(loop);
	const r = handle.bind(hostname, options.port ?? 0, options.reuseAddress ?? false);
	if (r < 0) {
		handle.close();
		throw exceptionWithHostPort(r, 'bind', hostname, options.port);
	}
	return new UdpConn(handle);
}

/** Gives a host `connectTcp`, `listenTcp` and `openUdp`. Return: the host itself. */
export function withStreams<H extends Host>(host: H): H & HostStreams {
	const loop = new Loop(host);
	const tracer = TcpHandle.tracerOf(loop);
	const streams: HostStreams = {
		connectTcp: (options) => connectTcp(loop, tracer, options),
		listenTcp: (options) => listenTcp(loop, tracer, options),
		openUdp: (options = {}) => openUdp(loop, options),
	};
	return Object.assign(host, streams);
}
