/*
 * sockets/net.ts: `linnet/net`: what node:net is, on a linnet host.
 *
 *     const net = createNet(world.host('a'));
 *     net.createServer((socket) => socket.pipe(socket)).listen(7);
 *
 * The world runs while a socket is open, as a process does: hurrying while something is under way, in real time while all only wait; with
 * `new World({ pace: 1 })` always in real time. Sockets' timeouts go by the world's time. loop.ts says it in full.
 * Names are looked up in the host's /etc/hosts, then by its DNS servers. A connection that fails says in `error.cause` where in the world its packet ended.
 * Not here yet: IPv6, Unix sockets, descriptors and handles of other processes, cluster.
 */
import type * as nodeNet from 'node:net';
import type { Host } from '../lab/index.ts';
import type { JourneyEnd } from './cause.ts';
import type { SocketError } from './errors.ts';
import { Loop } from './loop.ts';
import { isIP, isIPv4, isIPv6 } from './names.ts';
import { Server, type ServerOptions } from './net_server.ts';
import { type ConnectOptions, connectArguments, type Home, Socket, type SocketOptions } from './net_socket.ts';
import { BlockList, SocketAddress } from './platform.ts';
import { TcpHandle } from './tcp.ts';

export type { JourneyEnd, SocketError };

/** The shape of node:net. */
export type Net = Pick<
	typeof nodeNet,
	| 'createServer'
	| 'connect'
	| 'createConnection'
	| 'Socket'
	| 'Server'
	| 'isIP'
	| 'isIPv4'
	| 'isIPv6'
	| 'BlockList'
	| 'SocketAddress'
	| 'getDefaultAutoSelectFamily'
	| 'setDefaultAutoSelectFamily'
>;

/** node:net, with `host`'s kernel under it. */
export function createNet(host: Host): Net {
	const loop = new Loop(host);
	const tracer = TcpHandle.tracerOf(loop);
	const home: Home = { loop, newHandle: () => new TcpHandle(loop, tracer) };

	class HostSocket extends Socket {
		constructor(options?: SocketOptions) {
			super(home, options);
		}
	}
	Object.defineProperty(HostSocket, 'name', { value: 'Socket' });

	class HostServer extends Server {
		constructor(options?: ServerOptions | ((socket: Socket) => void), listener?: (socket: Socket) => void) {
			super(home, (o) => new HostSocket(o), options, listener);
		}
	}
	Object.defineProperty(HostServer, 'name', { value: 'Server' });

	const connect = (...args: unknown[]): Socket => {
		const [options] = connectArguments(args);
		const { timeout, ...rest }: ConnectOptions = options;
		const socket = new HostSocket(rest);
		if (timeout) socket.setTimeout(timeout);
		return socket.connect(...args);
	};
	let autoSelectFamily = false;
	const net = {
		createServer: (options?: ServerOptions, listener?: (socket: Socket) => void) => new HostServer(options, listener),
		connect,
		createConnection: connect,
		Socket: HostSocket,
		Stream: HostSocket,
		Server: HostServer,
		isIP,
		isIPv4,
		isIPv6,
		BlockList,
		SocketAddress,
		// There is one family only.
		getDefaultAutoSelectFamily: () => autoSelectFamily,
		setDefaultAutoSelectFamily: (on: boolean) => {
			autoSelectFamily = on;
		},
	};
	return net as unknown as Net;
}
