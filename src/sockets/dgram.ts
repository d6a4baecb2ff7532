/*
 * sockets/dgram.ts: `linnet/dgram`: what node:dgram is, on a linnet host.
 *
 *     const dgram = createDgram(world.host('a'));
 *     const socket = dgram.createSocket('udp4', (message, from) => socket.send(message, from.port, from.address));
 *     socket.bind(7);
 *
 * How time passes: loop.ts. Names are looked up in the host's /etc/hosts, then by its DNS servers. Not here yet: udp6, descriptors of other processes, cluster, block lists.
 */
import type * as nodeDgram from 'node:dgram';
import type { Host } from '../lab/index.ts';
import { EINVAL } from '../uapi/asm-generic/errno.ts';
import {
	IP_ADD_MEMBERSHIP,
	IP_ADD_SOURCE_MEMBERSHIP,
	IP_DROP_MEMBERSHIP,
	IP_DROP_SOURCE_MEMBERSHIP,
	IP_MULTICAST_IF,
	IP_MULTICAST_LOOP,
	IP_MULTICAST_TTL,
	IP_TTL,
	SO_BROADCAST,
	SO_RCVBUF,
	SO_SNDBUF,
	SOL_IP,
	SOL_SOCKET,
} from '../uapi/linux/socket.ts';
import { errnoException, exceptionWithHostPort, nodeError, notFound } from './errors.ts';
import { Loop } from './loop.ts';
import { isIPv4, lookupName, parseAddress } from './names.ts';
import { type AddressInfo, addressInfo, type LookupCallback } from './net_socket.ts';
import { Buffer, EventEmitter, nextTick } from './platform.ts';
import type { Endpoint } from './tcp.ts';
import { UdpHandle } from './udp.ts';

export interface SocketOptions {
	type: string;
	reuseAddr?: boolean;
	recvBufferSize?: number;
	sendBufferSize?: number;
	lookup?: (hostname: string, options: Record<string, unknown>, callback: LookupCallback) => void;
	signal?: AbortSignal;
}

export interface RemoteInfo {
	address: string;
	family: 'IPv4';
	port: number;
	size: number;
}

type Sent = (error: Error | null, bytes?: number) => void;

const BIND = { unbound: 0, binding: 1, bound: 2 } as const;
const CONNECT = { no: 0, connecting: 1, yes: 2 } as const;

function badType(name: string, what: string, got: unknown): Error {
	const is = got === null || got === undefined ? `${got}` : `type ${typeof got} (${String(got)})`;
	return nodeError('ERR_INVALID_ARG_TYPE', `The "${name}" argument must be ${what}. Received ${is}`, TypeError);
}

/** A port, or a RangeError as Node has it. */
function portOf(port: unknown, name: string, zero: boolean): number {
	const n = Number(port);
	const fits = (typeof port === 'number' || (typeof port === 'string' && port.trim() !== '')) && n === n >>> 0;
	if (fits && n <= 0xffff && (zero || n > 0)) return n;
	const got =
		typeof port === 'string'
			? `type string ('${port}')`
			: typeof port === 'number'
				? `type number (${port})`
				: `${port}`;
	throw nodeError(
		'ERR_SOCKET_BAD_PORT',
		`${name} should be ${zero ? '>=' : '>'} 0 and < 65536. Received ${got}.`,
		RangeError,
	);
}

/** One datagram of what `send` was given. */
function bytesOf(message: unknown): Uint8Array | null {
	if (typeof message === 'string') return Buffer.from(message);
	if (ArrayBuffer.isView(message)) return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
	return null;
}

function mreq(group: string, third: string | undefined, source?: string): Uint8Array {
	const b = new Uint8Array(source === undefined ? 8 : 12);
	const put = (at: number, text: string) => {
		const a = parseAddress(text);
		b.set([a >>> 24, (a >>> 16) & 255, (a >>> 8) & 255, a & 255], at);
	};
	put(0, group);
	put(4, third ?? '0.0.0.0');
	if (source !== undefined) put(8, source);
	return b;
}

export class Socket extends EventEmitter {
	readonly type: string;
	private handle: UdpHandle;
	private loop: Loop;
	private options: SocketOptions;
	private state: 0 | 1 | 2 = BIND.unbound;
	private connection: 0 | 1 | 2 = CONNECT.no;
	private closed = false;
	/** What waits until the socket is bound. */
	private queue: (() => void)[] = [];

	constructor(loop: Loop, options: string | SocketOptions, listener?: (message: Buffer, from: RemoteInfo) => void) {
		super();
		const o = typeof options === 'string' ? { type: options } : options;
		if (o?.type !== 'udp4') {
			if (o?.type === 'udp6') throw nodeError('EAFNOSUPPORT', 'linnet/dgram: there is no IPv6 yet: udp4 only');
			throw nodeError('ERR_SOCKET_BAD_TYPE', 'Bad socket type specified. Valid types are: udp4, udp6', TypeError);
		}
		this.type = o.type;
		this.options = o;
		this.loop = loop;
		this.handle = new UdpHandle(loop);
		this.handle.onmessage = (data, from, err) => this.got(data, from, err);
		if (listener !== undefined) this.on('message', listener);
		const { signal } = o;
		if (signal !== undefined) {
			const abort = () => {
				if (!this.closed) this.close();
			};
			if (signal.aborted) abort();
			else {
				signal.addEventListener('abort', abort, { once: true });
				this.once('close', () => signal.removeEventListener('abort', abort));
			}
		}
	}

	private got(data: Uint8Array, from: Endpoint, err: number): void {
		if (this.closed) return;
		if (err < 0) {
			this.emit('error', errnoException(err, 'recvmsg'));
			return;
		}
		const info: RemoteInfo = { address: from.address, family: 'IPv4', port: from.port, size: data.length };
		this.emit('message', Buffer.from(data.buffer, data.byteOffset, data.length), info);
	}

	private running(): void {
		if (this.closed) throw nodeError('ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running');
	}

	private find(host: string, done: (error: Error | null, address: string) => void): void {
		if (isIPv4(host)) {
			nextTick(() => done(null, host));
			return;
		}
		if (this.options.lookup !== undefined) {
			this.options.lookup(host, { family: 4, all: false }, (e, a) =>
				done(e, typeof a === 'string' ? a : (a?.[0]?.address ?? '')),
			);
			return;
		}
		void lookupName(this.loop, host).then((a) => {
			const address = a ?? (host === 'localhost' ? '127.0.0.1' : null);
			nextTick(() => (address === null ? done(notFound(host), '') : done(null, address)));
		});
	}

	// ---- bind and connect ----------------------------------------------------------------------------------------------------

	bind(...args: unknown[]): this {
		this.running();
		if (this.state !== BIND.unbound) throw nodeError('ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound');
		const last = args[args.length - 1];
		if (typeof last === 'function') this.once('listening', last as () => void);
		let [port, address] = args as [unknown, unknown];
		if (typeof port === 'object' && port !== null) {
			const o = port as { port?: number; address?: string };
			port = o.port;
			address = o.address;
		}
		const at = typeof port === 'number' || typeof port === 'string' ? portOf(port, 'Port', true) : 0;
		this.state = BIND.binding;
		const host = typeof address === 'string' && address !== '' ? address : '0.0.0.0';
		this.find(host, (error, ip) => {
			if (this.closed) return;
			if (error !== null) {
				this.state = BIND.unbound;
				this.emit('error', error);
				return;
			}
			const r = this.handle.bind(ip, at, this.options.reuseAddr ?? false);
			if (r < 0) {
				this.state = BIND.unbound;
				this.handle.close();
				this.emit('error', exceptionWithHostPort(r, 'bind', ip, at));
				return;
			}
			this.bound();
		});
		return this;
	}

	private bound(): void {
		this.state = BIND.bound;
		const { recvBufferSize, sendBufferSize } = this.options;
		if (recvBufferSize !== undefined) this.handle.option(SOL_SOCKET, SO_RCVBUF, recvBufferSize);
		if (sendBufferSize !== undefined) this.handle.option(SOL_SOCKET, SO_SNDBUF, sendBufferSize);
		this.handle.receive(true);
		this.emit('listening');
		const { queue } = this;
		this.queue = [];
		for (const work of queue) work();
	}

	/** Does `work` once the socket is bound: to any port, where nobody has said one. */
	private whenBound(work: () => void): void {
		if (this.state === BIND.bound) {
			work();
			return;
		}
		this.queue.push(work);
		if (this.state === BIND.unbound) this.bind(0);
	}

	connect(port: unknown, address?: unknown, callback?: unknown): void {
		const to = portOf(port, 'Port', false);
		const cb = (typeof address === 'function' ? address : callback) as ((error?: Error) => void) | undefined;
		const host = typeof address === 'string' && address !== '' ? address : '127.0.0.1';
		if (this.connection !== CONNECT.no) throw nodeError('ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected');
		this.running();
		this.connection = CONNECT.connecting;
		this.whenBound(() =>
			this.find(host, (error, ip) => {
				if (this.closed) return;
				let failed = error;
				if (failed === null) {
					const r = this.handle.connect(ip, to);
					if (r < 0) failed = exceptionWithHostPort(r, 'connect', ip, to);
				}
				if (failed !== null) {
					this.connection = CONNECT.no;
					const e = failed;
					nextTick(() => {
						if (cb !== undefined) cb(e);
						else this.emit('error', e);
					});
					return;
				}
				this.connection = CONNECT.yes;
				if (cb !== undefined) this.once('connect', cb);
				nextTick(() => this.emit('connect'));
			}),
		);
	}

	disconnect(): void {
		this.connectedOnly();
		const r = this.handle.disconnect();
		if (r < 0) throw errnoException(r, 'connect');
		this.connection = CONNECT.no;
	}

	private connectedOnly(): void {
		if (this.connection !== CONNECT.yes) throw nodeError('ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected');
	}

	// ---- send ----------------------------------------------------------------------------------------------------------------

	/** send(message[, offset, length][, port][, address][, callback]) */
	send(message: unknown, ...rest: unknown[]): void {
		const connected = this.connection !== CONNECT.no;
		let data: Uint8Array | null;
		const list = Array.isArray(message) ? message : null;
		if (list !== null) {
			const parts = list.map(bytesOf);
			data = parts.includes(null) ? null : Buffer.concat(parts as Uint8Array[]);
		} else data = bytesOf(message);
		const callback = rest.find((a) => typeof a === 'function') as Sent | undefined;
		const words = rest.filter((a) => typeof a !== 'function');
		if (data === null)
			throw badType(
				list === null ? 'buffer' : 'buffer list arguments',
				'of type string or an instance of Buffer, TypedArray, or DataView',
				message,
			);
		// offset and length stand before the port; of a connected socket they are all there is.
		const sliced =
			list === null &&
			typeof words[0] === 'number' &&
			typeof words[1] === 'number' &&
			(connected || words.length > 2 || rest.length > 3);
		let at = 0;
		if (sliced) {
			const [offset, length] = words as number[];
			if (offset > data.length)
				throw nodeError('ERR_BUFFER_OUT_OF_BOUNDS', '"offset" is outside of buffer bounds', RangeError);
			if (offset + length > data.length)
				throw nodeError('ERR_BUFFER_OUT_OF_BOUNDS', '"length" is outside of buffer bounds', RangeError);
			data = data.subarray(offset, offset + length);
			at = 2;
		}
		const port = words[at];
		const address = words[at + 1];
		if (connected && sliced && port !== undefined && port !== null)
			throw nodeError('ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected');
		const to = connected ? 0 : portOf(port, 'Port', false);
		if (address !== undefined && address !== null && typeof address !== 'string' && address !== false)
			throw badType('address', 'of type string', address);
		this.running();
		const host = typeof address === 'string' && address !== '' ? address : '127.0.0.1';
		// The caller may change its buffer before the socket is bound.
		const bytes = data;
		this.whenBound(() => {
			if (connected) this.put(bytes, null, callback);
			else
				this.find(host, (error, ip) => {
					if (error === null) this.put(bytes, { address: ip, port: to }, callback);
					else if (callback !== undefined) callback(error);
					else this.emit('error', error);
				});
		});
	}

	private put(data: Uint8Array, to: Endpoint | null, callback: Sent | undefined): void {
		if (this.closed) return;
		const peer = to ?? this.handle.remote();
		this.handle.send(data, to, (err) => {
			if (err === 0) {
				if (callback !== undefined) nextTick(() => callback(null, data.length));
				return;
			}
			const e =
				typeof peer === 'number'
					? errnoException(err, 'send')
					: exceptionWithHostPort(err, 'send', peer.address, peer.port);
			if (callback !== undefined) nextTick(() => callback(e));
			else nextTick(() => this.emit('error', e));
		});
	}

	sendto(message: unknown, offset: number, length: number, port: number, address: string, callback?: Sent): void {
		this.send(message, offset, length, port, address, callback);
	}

	getSendQueueSize(): number {
		return this.handle.queue.size;
	}

	getSendQueueCount(): number {
		return this.handle.queue.count;
	}

	// ---- close, addresses ----------------------------------------------------------------------------------------------------

	close(callback?: () => void): this {
		if (typeof callback === 'function') this.on('close', callback);
		this.running();
		this.closed = true;
		this.queue = [];
		this.handle.close();
		nextTick(() => this.emit('close'));
		return this;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.closed) return;
		await new Promise<void>((resolve) => this.close(() => resolve()));
	}

	address(): AddressInfo {
		this.running();
		const e = this.handle.local();
		if (typeof e === 'number') throw errnoException(e, 'getsockname');
		return addressInfo(e) as AddressInfo;
	}

	remoteAddress(): AddressInfo {
		this.running();
		this.connectedOnly();
		const e = this.handle.remote();
		if (typeof e === 'number') throw errnoException(e, 'getpeername');
		return addressInfo(e) as AddressInfo;
	}

	// ---- options -------------------------------------------------------------------------------------------------------------

	private set(syscall: string, level: number, name: number, value: number | Uint8Array): void {
		this.running();
		const r = this.handle.option(level, name, value);
		if (r < 0) throw errnoException(r, syscall);
	}

	setBroadcast(on: boolean): void {
		this.set('setBroadcast', SOL_SOCKET, SO_BROADCAST, Number(Boolean(on)));
	}

	setTTL(ttl: number): number {
		if (typeof ttl !== 'number') throw badType('ttl', 'of type number', ttl);
		if (ttl < 1 || ttl > 255) throw errnoException(-EINVAL, 'setTTL');
		this.set('setTTL', SOL_IP, IP_TTL, ttl);
		return ttl;
	}

	setMulticastTTL(ttl: number): number {
		if (typeof ttl !== 'number') throw badType('ttl', 'of type number', ttl);
		if (ttl < 0 || ttl > 255) throw errnoException(-EINVAL, 'setMulticastTTL');
		this.set('setMulticastTTL', SOL_IP, IP_MULTICAST_TTL, ttl);
		return ttl;
	}

	setMulticastLoopback(on: boolean): boolean {
		this.set('setMulticastLoopback', SOL_IP, IP_MULTICAST_LOOP, Number(Boolean(on)));
		return on;
	}

	setMulticastInterface(address: string): void {
		if (typeof address !== 'string') throw badType('interfaceAddress', 'of type string', address);
		if (!isIPv4(address)) throw errnoException(-EINVAL, 'setMulticastInterface');
		this.set('setMulticastInterface', SOL_IP, IP_MULTICAST_IF, mreq('0.0.0.0', address));
	}

	private membership(syscall: string, name: number, group: unknown, local: string | undefined, source?: string): void {
		if (group === undefined || group === null || group === '')
			throw nodeError('ERR_MISSING_ARGS', 'The "multicastAddress" argument must be specified', TypeError);
		if (!isIPv4(group) || (local !== undefined && !isIPv4(local))) throw errnoException(-EINVAL, syscall);
		this.running();
		// As Node: a socket of which nobody has said otherwise is bound first.
		if (this.state === BIND.unbound) {
			const r = this.handle.bind('0.0.0.0', 0, this.options.reuseAddr ?? false);
			if (r < 0) throw errnoException(r, 'bind');
			this.bound();
		}
		this.set(syscall, SOL_IP, name, mreq(String(group), local, source));
	}

	addMembership(group: string, local?: string): void {
		this.membership('addMembership', IP_ADD_MEMBERSHIP, group, local);
	}

	dropMembership(group: string, local?: string): void {
		this.membership('dropMembership', IP_DROP_MEMBERSHIP, group, local);
	}

	addSourceSpecificMembership(source: string, group: string, local?: string): void {
		this.membership('addSourceSpecificMembership', IP_ADD_SOURCE_MEMBERSHIP, group, local, source);
	}

	dropSourceSpecificMembership(source: string, group: string, local?: string): void {
		this.membership('dropSourceSpecificMembership', IP_DROP_SOURCE_MEMBERSHIP, group, local, source);
	}

	setRecvBufferSize(size: number): void {
		this.set('uv_recv_buffer_size', SOL_SOCKET, SO_RCVBUF, size);
	}

	setSendBufferSize(size: number): void {
		this.set('uv_send_buffer_size', SOL_SOCKET, SO_SNDBUF, size);
	}

	getRecvBufferSize(): number {
		this.running();
		return this.handle.readOption(SOL_SOCKET, SO_RCVBUF);
	}

	getSendBufferSize(): number {
		this.running();
		return this.handle.readOption(SOL_SOCKET, SO_SNDBUF);
	}

	ref(): this {
		if (!this.closed) this.handle.ref();
		return this;
	}

	unref(): this {
		if (!this.closed) this.handle.unref();
		return this;
	}
}

/** The shape of node:dgram. */
export type Dgram = Pick<typeof nodeDgram, 'createSocket' | 'Socket'>;

/** node:dgram, with `host`'s kernel under it. */
export function createDgram(host: Host): Dgram {
	const loop = new Loop(host);
	class HostSocket extends Socket {
		constructor(options: string | SocketOptions, listener?: (message: Buffer, from: RemoteInfo) => void) {
			super(loop, options, listener);
		}
	}
	Object.defineProperty(HostSocket, 'name', { value: 'Socket' });
	const dgram = {
		createSocket: (options: string | SocketOptions, listener?: (message: Buffer, from: RemoteInfo) => void) =>
			new HostSocket(options, listener),
		Socket: HostSocket,
	};
	return dgram as unknown as Dgram;
}
