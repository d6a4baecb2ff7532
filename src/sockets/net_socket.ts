/*
 * sockets/net_socket.ts: net.Socket on a linnet host. Events, their order, codes and messages are Node's (test/sockets/same.test.ts compares).
 *
 * Walk: connect -> lookup -> begin -> made ('connect', 'ready') -> _read and got (push, and the window closes when push says enough) -> _write ->
 * _final (FIN) -> _destroy ('close').
 */
import type { DuplexOptions } from 'node:stream';
import { EAFNOSUPPORT, ENOTCONN } from '../uapi/asm-generic/errno.ts';
import type { JourneyEnd } from './cause.ts';
import { errnoException, exceptionWithHostPort, nodeError, notFound, type SocketError } from './errors.ts';
import { type Loop, LoopTimer } from './loop.ts';
import { isIP, isIPv4, lookupName } from './names.ts';
import type { Server } from './net_server.ts';
import { Buffer, Duplex, nextTick } from './platform.ts';
import type { Endpoint, TcpHandle } from './tcp.ts';

type Done = (error?: Error | null) => void;

/** Reads into a buffer of the caller's, without a stream. */
export interface OnRead {
	buffer: Uint8Array | (() => Uint8Array);
	/** Return: false to pause. */
	callback: (bytes: number, buffer: Uint8Array) => boolean;
}

export interface SocketOptions {
	allowHalfOpen?: boolean;
	readable?: boolean;
	writable?: boolean;
	signal?: AbortSignal;
	onread?: OnRead;
	noDelay?: boolean;
	keepAlive?: boolean;
	keepAliveInitialDelay?: number;
	highWaterMark?: number;
	pauseOnCreate?: boolean;
	timeout?: number;
	fd?: number;
	/** @internal */
	handle?: TcpHandle;
}

export type LookupCallback = (error: Error | null, address: string | { address: string }[], family?: number) => void;

export interface ConnectOptions extends SocketOptions {
	port?: number | string;
	host?: string;
	path?: string;
	localAddress?: string;
	localPort?: number;
	family?: number;
	hints?: number;
	lookup?: (hostname: string, options: Record<string, unknown>, callback: LookupCallback) => void;
	autoSelectFamily?: boolean;
}

export interface AddressInfo {
	address: string;
	family: 'IPv4';
	port: number;
}

/** Where sockets of one `createNet` live. */
export interface Home {
	loop: Loop;
	newHandle(): TcpHandle;
}

export function addressInfo(e: Endpoint | null): AddressInfo | Record<string, never> {
	return e === null ? {} : { address: e.address, family: 'IPv4', port: e.port };
}

/** A port, or a RangeError as Node has it. */
export function validatePort(port: unknown, name: string): number {
	const bad =
		(typeof port !== 'number' && typeof port !== 'string') ||
		(typeof port === 'string' && port.trim().length === 0) ||
		+port !== +port >>> 0 ||
		+port > 0xffff;
	if (!bad) return +(port as number) | 0;
	const got =
		typeof port === 'string'
			? `type string ('${port}')`
			: typeof port === 'number'
				? `type number (${port})`
				: port === undefined || port === null
					? `${port}`
					: `type ${typeof port}`;
	throw nodeError('ERR_SOCKET_BAD_PORT', `${name} should be >= 0 and < 65536. Received ${got}.`, RangeError);
}

/** connect(port, host?, cb?), connect(options, cb?), connect(path, cb?) as options. */
export function connectArguments(args: unknown[]): [ConnectOptions, (() => void) | null] {
	const last = args[args.length - 1];
	const cb = typeof last === 'function' ? (last as () => void) : null;
	const [first, second] = args;
	if (Array.isArray(first)) return connectArguments(first);
	if (typeof first === 'object' && first !== null) return [first as ConnectOptions, cb];
	if (typeof first === 'string' && !/^\d+$/.test(first)) return [{ path: first }, cb];
	const options: ConnectOptions = {};
	if (typeof first !== 'function') options.port = first as number;
	if (typeof second === 'string') options.host = second;
	return [options, cb];
}

function writeAfterFin(this: Socket, _chunk: unknown, encoding?: unknown, cb?: unknown): boolean {
	const done = typeof encoding === 'function' ? encoding : cb;
	const error = nodeError('EPIPE', 'This socket has been ended by the other party');
	if (typeof done === 'function') nextTick(() => done(error));
	this.destroy(error);
	return false;
}

export class Socket extends Duplex {
	connecting = false;
	/** ms without traffic until 'timeout'; 0: none. */
	timeout: number | undefined = undefined;
	/** @internal */
	_handle: TcpHandle | null = null;
	server: Server | null = null;
	/** @internal */
	_server: Server | null = null;
	/** @internal Of TLS and the like on top. */
	_parent: Socket | null = null;
	_host: string | null = null;
	autoSelectFamilyAttemptedAddresses: string[] | undefined = undefined;
	private home: Home;
	private timer: LoopTimer | null = null;
	private lastQueue = 0;
	private sockname: Endpoint | null = null;
	private peername: Endpoint | null = null;
	private wantsNoDelay: boolean | null = null;
	private wantsKeepAlive: number | null = null;
	private dispatched = 0;
	private inflight = 0;
	private readBefore = 0;
	private resetting = false;
	private onread: OnRead | null = null;

	constructor(home: Home, options: SocketOptions = {}) {
		if (options.fd !== undefined)
			throw nodeError('ERR_INVALID_FD_TYPE', 'linnet/net: descriptors of the real host are no sockets of this one');
		const duplex: DuplexOptions & { readable: boolean; writable: boolean } = {
			allowHalfOpen: Boolean(options.allowHalfOpen),
			emitClose: false,
			autoDestroy: true,
			readable: options.readable ?? true,
			writable: options.writable ?? true,
			...(options.signal === undefined ? {} : { signal: options.signal }),
			...(options.highWaterMark === undefined ? {} : { highWaterMark: options.highWaterMark }),
		};
		super(duplex);
		this.home = home;
		if (options.onread !== undefined && typeof options.onread === 'object') this.onread = options.onread;
		if (options.noDelay) this.wantsNoDelay = true;
		if (options.keepAlive) this.wantsKeepAlive = Math.trunc((options.keepAliveInitialDelay ?? 0) / 1000);
		this.on('end', () => {
			if (!this.allowHalfOpen) this.write = writeAfterFin as typeof this.write;
		});
		if (options.handle !== undefined) {
			this.hold(options.handle);
			this.applyOptions();
			if (options.pauseOnCreate) this.pause();
			else this.read(0);
		}
	}

	private hold(handle: TcpHandle): void {
		this._handle = handle;
		handle.onread = (chunk, err) => this.got(handle, chunk, err);
	}

	private applyOptions(): void {
		if (this.wantsNoDelay !== null) this._handle?.setNoDelay(this.wantsNoDelay);
		if (this.wantsKeepAlive !== null) this._handle?.setKeepAlive(true, this.wantsKeepAlive);
	}

	// ---- connecting ----------------------------------------------------------------------------------------------------------

	connect(...args: unknown[]): this {
		const [options, cb] = connectArguments(args);
		if (Object.hasOwn(this, 'write')) delete (this as { write?: unknown }).write;
		if (this.destroyed) {
			(this as unknown as { _undestroy(): void })._undestroy();
			this._handle = null;
			this.peername = null;
			this.sockname = null;
			this.dispatched = 0;
			this.readBefore = 0;
			this.resetting = false;
		}
		if (this._handle === null) this.hold(this.home.newHandle());
		if (cb !== null) this.once('connect', cb);
		this.connecting = true;
		this._unrefTimer();
		if (options.path) {
			const path = options.path;
			nextTick(() => this.destroy(exceptionWithHostPort(-EAFNOSUPPORT, 'connect', path, undefined)));
			return this;
		}
		if (options.port === undefined || options.port === null)
			throw nodeError(
				'ERR_MISSING_ARGS',
				'The "options" or "port" or "path" argument must be specified',
				TypeError as ErrorConstructor,
			);
		const port = validatePort(options.port, 'Port');
		if (options.onread !== undefined) this.onread = options.onread;
		if (options.noDelay) this.wantsNoDelay = true;
		if (options.keepAlive) this.wantsKeepAlive = Math.trunc((options.keepAliveInitialDelay ?? 0) / 1000);
		const host = options.host || 'localhost';
		if (options.localAddress && isIP(options.localAddress) === 0)
			throw nodeError('ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${options.localAddress}`, TypeError);
		if (isIP(host) !== 0) {
			nextTick(() => {
				if (this.connecting) this.begin(host, port, options);
			});
			return this;
		}
		this._host = host;
		const found = (error: Error | null, address?: string, family?: number) => {
			this.emit('lookup', error, address, family, host);
			if (!this.connecting) return;
			if (error !== null) {
				nextTick(() => this.destroy(error));
			} else if (address === undefined || isIP(address) === 0) {
				nextTick(() => this.destroy(nodeError('ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${address}`, TypeError)));
			} else {
				this._unrefTimer();
				this.begin(address, port, options);
			}
		};
		if (options.lookup) {
			options.lookup(host, { family: options.family ?? 4, hints: options.hints ?? 0, all: false }, (e, a, f) =>
				found(e, typeof a === 'string' || a === undefined ? a : a[0]?.address, f ?? 4),
			);
			return this;
		}
		void lookupName(this.home.loop, host).then((a) => {
			const address = a ?? (host === 'localhost' ? '127.0.0.1' : null);
			nextTick(() => (address === null ? found(notFound(host)) : found(null, address, 4)));
		});
		return this;
	}

	private begin(address: string, port: number, options: ConnectOptions): void {
		const handle = this._handle;
		if (handle === null) return;
		const family = isIPv4(address) ? 4 : 6;
		if (options.localAddress || options.localPort) {
			const r = handle.bind(options.localAddress || '0.0.0.0', options.localPort ?? 0);
			if (r < 0) {
				this.destroy(exceptionWithHostPort(r, 'bind', options.localAddress || '0.0.0.0', options.localPort));
				return;
			}
		}
		this.emit('connectionAttempt', address, port, family);
		handle.onconnect = (err, end) => this.made(handle, address, port, options, err, end);
		const r = family === 6 ? -EAFNOSUPPORT : handle.connect(address, port);
		if (r < 0) {
			const at = handle.local() ?? { address: '0.0.0.0', port: 0 };
			const error = exceptionWithHostPort(r, 'connect', address, port, `${at.address}:${at.port}`);
			const end = handle.endAtOnce(address, r);
			if (end !== undefined) error.cause = end;
			this.destroy(error);
		}
	}

	private made(
		handle: TcpHandle,
		address: string,
		port: number,
		options: ConnectOptions,
		err: number,
		end: JourneyEnd | undefined,
	): void {
		if (this.destroyed || this._handle !== handle) return;
		this.connecting = false;
		this.sockname = null;
		if (err < 0) {
			const from =
				options.localAddress && options.localPort ? `${options.localAddress}:${options.localPort}` : undefined;
			const error = exceptionWithHostPort(err, 'connect', address, port, from);
			if (end !== undefined) error.cause = end;
			this.emit('connectionAttemptFailed', address, port, 4, error);
			this.destroy(error);
			return;
		}
		this.applyOptions();
		this._unrefTimer();
		this.emit('connect');
		this.emit('ready');
		if (this.readable && !this.isPaused()) this.read(0);
	}

	// ---- reading and writing -------------------------------------------------------------------------------------------------

	override _read(size: number): void {
		if (this.connecting || this._handle === null) this.once('connect', () => this._read(size));
		else this._handle.readStart();
	}

	private got(handle: TcpHandle, chunk: Uint8Array | null, err: number): void {
		if (this.destroyed || this._handle !== handle) return;
		this._unrefTimer();
		if (chunk !== null) {
			if (this.onread !== null) this.giveTo(this.onread, handle, chunk);
			else if (!this.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)) && this._handle === handle)
				handle.readStop();
		} else if (err === 0) {
			this.push(null);
			this.read(0);
		} else this.destroy(errnoException(err, 'read'));
	}

	private giveTo(onread: OnRead, handle: TcpHandle, chunk: Uint8Array): void {
		for (let at = 0; at < chunk.length; ) {
			const buffer = typeof onread.buffer === 'function' ? onread.buffer() : onread.buffer;
			const n = Math.min(buffer.length, chunk.length - at);
			buffer.set(chunk.subarray(at, at + n));
			at += n;
			if (onread.callback(n, buffer) === false) handle.readStop();
		}
	}

	override pause(): this {
		if (this.onread !== null && this._handle !== null && !this.connecting) this._handle.readStop();
		return super.pause();
	}

	override resume(): this {
		if (this.onread !== null && this._handle !== null && !this.connecting) this._handle.readStart();
		return super.resume();
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, cb: Done): void {
		this.put([chunk], cb);
	}

	override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], cb: Done): void {
		this.put(
			chunks.map((c) => c.chunk),
			cb,
		);
	}

	private put(parts: Uint8Array[], cb: Done): void {
		if (this.connecting) {
			const closed = () => {
				cb(nodeError('ERR_SOCKET_CLOSED_BEFORE_CONNECTION', 'Socket closed before the connection was established'));
			};
			this.once('connect', () => {
				this.off('close', closed);
				this.put(parts, cb);
			});
			this.once('close', closed);
			return;
		}
		if (this._handle === null) {
			cb(nodeError('ERR_SOCKET_CLOSED', 'Socket is closed'));
			return;
		}
		this._unrefTimer();
		let bytes = 0;
		for (const p of parts) bytes += p.length;
		this.dispatched += bytes;
		this.inflight = bytes;
		this._handle.write(parts.length === 1 || bytes > 65536 ? parts : [Buffer.concat(parts)], (err) => {
			this.inflight = 0;
			this._unrefTimer();
			if (err < 0) cb(errnoException(err, 'write'));
			else cb(null);
		});
	}

	override _final(cb: Done): void {
		if (this.connecting) {
			this.once('connect', () => this._final(cb));
			return;
		}
		if (this._handle === null) {
			cb();
			return;
		}
		this._handle.shutdown((err) => {
			if (err < 0 && err !== -ENOTCONN) cb(errnoException(err, 'shutdown'));
			else cb();
		});
	}

	// ---- the end -------------------------------------------------------------------------------------------------------------

	destroySoon(): void {
		if (this.writable) this.end();
		if (this.writableFinished) this.destroy();
		else this.once('finish', () => this.destroy());
	}

	resetAndDestroy(): this {
		if (this._handle === null) this.destroy(nodeError('ERR_SOCKET_CLOSED', 'Socket is closed'));
		else if (this.connecting) this.once('connect', () => this.reset());
		else this.reset();
		return this;
	}

	private reset(): void {
		this.resetting = true;
		this.destroy();
	}

	override _destroy(error: Error | null, cb: Done): void {
		this.connecting = false;
		this.timer?.stop();
		const handle = this._handle;
		const failed = error !== null && error !== undefined;
		if (handle !== null) {
			this.readBefore = handle.bytesRead;
			const closed = () => {
				this.emit('close', failed);
			};
			this._handle = null;
			if (this.resetting) handle.reset(closed);
			else handle.close(closed);
			cb(error);
		} else {
			cb(error);
			nextTick(() => this.emit('close', failed));
		}
		const server = this._server;
		if (server !== null) {
			this._server = null;
			server.connectionEnded();
		}
	}

	// ---- timeouts and options ------------------------------------------------------------------------------------------------

	setTimeout(ms: number, cb?: () => void): this {
		if (this.destroyed) return this;
		if (typeof ms !== 'number')
			throw nodeError('ERR_INVALID_ARG_TYPE', `The "msecs" argument must be of type number.`, TypeError);
		if (ms < 0 || !Number.isFinite(ms))
			throw nodeError(
				'ERR_OUT_OF_RANGE',
				`The value of "msecs" is out of range. It must be a non-negative finite number. Received ${ms}`,
				RangeError,
			);
		this.timeout = ms;
		if (ms === 0) {
			this.timer?.stop();
			if (cb !== undefined) this.off('timeout', cb);
			return this;
		}
		this.timer ??= new LoopTimer(this.home.loop, () => this._onTimeout());
		this.home.loop.enter();
		this.timer.start(ms);
		if (cb !== undefined) this.once('timeout', cb);
		return this;
	}

	/** @internal */
	_onTimeout(): void {
		if (this.destroyed || !this.timeout) return;
		const queue = this._handle?.writeQueueSize ?? 0;
		// What was written still goes out.
		if (queue > 0 && queue !== this.lastQueue) {
			this.lastQueue = queue;
			this._unrefTimer();
			return;
		}
		this.emit('timeout');
	}

	/** @internal Something has happened: the timeout begins anew. */
	_unrefTimer(): void {
		for (let s: Socket | null = this; s !== null && s !== undefined; s = s._parent)
			if (s.timeout && s.timer !== null && !s.destroyed) s.timer.start(s.timeout);
	}

	setNoDelay(on = true): this {
		this.wantsNoDelay = on;
		if (this._handle !== null && !this.connecting) this._handle.setNoDelay(on);
		return this;
	}

	setKeepAlive(on = false, initialDelay = 0): this {
		const seconds = Math.trunc(initialDelay / 1000);
		this.wantsKeepAlive = on ? seconds : null;
		if (this._handle !== null && !this.connecting) this._handle.setKeepAlive(on, seconds);
		return this;
	}

	ref(): this {
		if (this._handle === null) this.once('connect', () => this.ref());
		else this._handle.ref();
		return this;
	}

	unref(): this {
		if (this._handle === null) this.once('connect', () => this.unref());
		else this._handle.unref();
		return this;
	}

	// ---- what is known of it -------------------------------------------------------------------------------------------------

	get pending(): boolean {
		return this._handle === null || this.connecting;
	}

	get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
		if (this.connecting) return 'opening';
		if (this.readable && this.writable) return 'open';
		if (this.readable) return 'readOnly';
		return this.writable ? 'writeOnly' : 'closed';
	}

	get bufferSize(): number | undefined {
		return this._handle === null ? undefined : this.writableLength;
	}

	get bytesRead(): number {
		return this._handle === null ? this.readBefore : this._handle.bytesRead;
	}

	get bytesWritten(): number {
		return this.dispatched + Math.max(0, this.writableLength - this.inflight);
	}

	get _bytesDispatched(): number {
		return this.dispatched;
	}

	private local(): Endpoint | null {
		if (this._handle !== null) this.sockname ??= this._handle.local();
		return this.sockname;
	}

	private peer(): Endpoint | null {
		if (this._handle !== null && !this.connecting) this.peername ??= this._handle.remote();
		return this.peername;
	}

	address(): AddressInfo | Record<string, never> {
		return addressInfo(this.local());
	}

	get localAddress(): string | undefined {
		return this.local()?.address;
	}

	get localPort(): number | undefined {
		return this.local()?.port;
	}

	get localFamily(): string | undefined {
		return this.local() === null ? undefined : 'IPv4';
	}

	get remoteAddress(): string | undefined {
		return this.peer()?.address;
	}

	get remotePort(): number | undefined {
		return this.peer()?.port;
	}

	get remoteFamily(): string | undefined {
		return this.peer() === null ? undefined : 'IPv4';
	}
}

export type { SocketError };
