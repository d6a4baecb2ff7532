/*
 * sockets/net_server.ts: net.Server on a linnet host. Walk: listen -> open ('listening') -> accepted ('connection', 'drop') -> close ('close').
 */
import { EAFNOSUPPORT } from '../uapi/asm-generic/errno.ts';
import { nodeError, notFound, uvExceptionWithHostPort } from './errors.ts';
import { isIP, isIPv4, lookupName } from './names.ts';
import {
	type AddressInfo,
	addressInfo,
	type Home,
	type Socket,
	type SocketOptions,
	validatePort,
} from './net_socket.ts';
import { EventEmitter, nextTick } from './platform.ts';
import type { TcpHandle } from './tcp.ts';

export interface ServerOptions {
	allowHalfOpen?: boolean;
	pauseOnConnect?: boolean;
	noDelay?: boolean;
	keepAlive?: boolean;
	keepAliveInitialDelay?: number;
	highWaterMark?: number;
	captureRejections?: boolean;
}

export interface ListenOptions {
	port?: number | string;
	host?: string;
	path?: string;
	backlog?: number;
	signal?: AbortSignal;
}

/** As libuv asks for when nothing is said. */
const BACKLOG = 511;

function listenArguments(args: unknown[]): [ListenOptions, (() => void) | null] {
	const last = args[args.length - 1];
	const cb = typeof last === 'function' ? (last as () => void) : null;
	const rest = cb === null ? args : args.slice(0, -1);
	const [first, second, third] = rest;
	if (typeof first === 'object' && first !== null) return [first as ListenOptions, cb];
	if (typeof first === 'string' && !/^\d+$/.test(first)) return [{ path: first }, cb];
	const options: ListenOptions = { port: (first as number | undefined | null) ?? 0 };
	if (typeof second === 'string') options.host = second;
	const backlog = typeof second === 'number' ? second : third;
	if (typeof backlog === 'number') options.backlog = backlog;
	return [options, cb];
}

export class Server extends EventEmitter {
	/** More are closed as soon as they come. */
	maxConnections: number | undefined = undefined;
	allowHalfOpen: boolean;
	pauseOnConnect: boolean;
	noDelay: boolean;
	keepAlive: boolean;
	keepAliveInitialDelay: number;
	highWaterMark: number | undefined;
	/** @internal */
	_handle: TcpHandle | null = null;
	/** @internal */
	_connections = 0;
	private home: Home;
	private newSocket: (options: SocketOptions) => Socket;
	private looking = false;
	private referenced = true;

	constructor(
		home: Home,
		newSocket: (options: SocketOptions) => Socket,
		options?: ServerOptions | ((socket: Socket) => void),
		listener?: (socket: Socket) => void,
	) {
		const o = typeof options === 'function' || options === undefined || options === null ? {} : options;
		super(o.captureRejections === undefined ? undefined : { captureRejections: o.captureRejections });
		this.home = home;
		this.newSocket = newSocket;
		this.allowHalfOpen = o.allowHalfOpen ?? false;
		this.pauseOnConnect = Boolean(o.pauseOnConnect);
		this.noDelay = Boolean(o.noDelay);
		this.keepAlive = Boolean(o.keepAlive);
		this.keepAliveInitialDelay = o.keepAliveInitialDelay ?? 0;
		this.highWaterMark = o.highWaterMark;
		const on = typeof options === 'function' ? options : listener;
		if (on !== undefined) this.on('connection', on);
	}

	get listening(): boolean {
		return this._handle !== null;
	}

	listen(...args: unknown[]): this {
		const [options, cb] = listenArguments(args);
		if (this._handle !== null || this.looking)
			throw nodeError('ERR_SERVER_ALREADY_LISTEN', 'Listen method has been called more than once without closing.');
		if (cb !== null) this.once('listening', cb);
		const { signal } = options;
		if (signal !== undefined) {
			const close = () => this.close();
			if (signal.aborted) nextTick(close);
			else {
				signal.addEventListener('abort', close, { once: true });
				this.once('close', () => signal.removeEventListener('abort', close));
			}
		}
		const backlog = options.backlog || BACKLOG;
		if (options.path) {
			const path = options.path;
			nextTick(() => this.emit('error', uvExceptionWithHostPort(-EAFNOSUPPORT, 'listen', path)));
			return this;
		}
		const port = validatePort(options.port ?? 0, 'options.port');
		if (!options.host) {
			this.open('0.0.0.0', port, backlog);
			return this;
		}
		const host = options.host;
		this.looking = true;
		const found = (address: string | null) => {
			if (!this.looking) return;
			this.looking = false;
			if (address === null) this.emit('error', notFound(host));
			else this.open(address, port, backlog);
		};
		if (isIP(host) !== 0) nextTick(() => found(host));
		else
			void lookupName(this.home.loop, host).then((a) =>
				nextTick(() => found(a ?? (host === 'localhost' ? '127.0.0.1' : null))),
			);
		return this;
	}

	private open(address: string, port: number, backlog: number): void {
		const handle = this.home.newHandle();
		// Every address of both families is every address here.
		const at = address === '::' ? '0.0.0.0' : address;
		let r = isIPv4(at) ? handle.bind(at, port) : -EAFNOSUPPORT;
		if (r >= 0) r = handle.listen(backlog);
		if (r < 0) {
			handle.close();
			const error = uvExceptionWithHostPort(r, 'listen', address, port);
			nextTick(() => this.emit('error', error));
			return;
		}
		this._handle = handle;
		if (!this.referenced) handle.unref();
		handle.onconnection = (h) => this.accepted(h);
		nextTick(() => {
			if (this._handle !== null) this.emit('listening');
		});
	}

	private accepted(handle: TcpHandle): void {
		if (this.maxConnections && this._connections >= this.maxConnections) {
			const local = handle.local();
			const remote = handle.remote();
			handle.close();
			this.emit('drop', {
				localAddress: local?.address,
				localPort: local?.port,
				localFamily: 'IPv4',
				remoteAddress: remote?.address,
				remotePort: remote?.port,
				remoteFamily: 'IPv4',
			});
			return;
		}
		const socket = this.newSocket({
			handle,
			allowHalfOpen: this.allowHalfOpen,
			pauseOnCreate: this.pauseOnConnect,
			readable: true,
			writable: true,
			noDelay: this.noDelay,
			keepAlive: this.keepAlive,
			keepAliveInitialDelay: this.keepAliveInitialDelay,
			...(this.highWaterMark === undefined ? {} : { highWaterMark: this.highWaterMark }),
		});
		this._connections++;
		socket.server = this;
		socket._server = this;
		this.emit('connection', socket);
	}

	/** @internal */
	connectionEnded(): void {
		this._connections--;
		this.closeIfDrained();
	}

	private closeIfDrained(): void {
		if (this._handle !== null || this._connections > 0) return;
		nextTick(() => this.emit('close'));
	}

	close(cb?: (error?: Error) => void): this {
		if (typeof cb === 'function') {
			if (this._handle === null && !this.looking)
				this.once('close', () => cb(nodeError('ERR_SERVER_NOT_RUNNING', 'Server is not running.')));
			else this.once('close', () => cb());
		}
		this.looking = false;
		this._handle?.close();
		this._handle = null;
		this.closeIfDrained();
		return this;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this._handle === null) return;
		await new Promise<void>((resolve) => this.close(() => resolve()));
	}

	address(): AddressInfo | null {
		return this._handle === null ? null : (addressInfo(this._handle.local()) as AddressInfo);
	}

	getConnections(cb: (error: Error | null, count: number) => void): this {
		const count = this._connections;
		nextTick(() => cb(null, count));
		return this;
	}

	ref(): this {
		this.referenced = true;
		this._handle?.ref();
		return this;
	}

	unref(): this {
		this.referenced = false;
		this._handle?.unref();
		return this;
	}
}
