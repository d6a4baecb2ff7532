/*
 * outside/websocket.ts: WebSockets as cables in Node, client and server, by the package ws (optional). See lab/cables/websocket.ts.
 */
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { Outside } from '../lab/cables/outside.ts';
import { type WebSocketLike, webSocketCable } from '../lab/cables/websocket.ts';
import type { World } from '../lab/world.ts';
import { OutsideError } from './syscalls.ts';

interface WebSocketServer {
	on(
		event: 'connection',
		listener: (socket: WebSocketLike, request: { socket: { remoteAddress?: string } }) => void,
	): void;
	on(event: 'listening', listener: () => void): void;
	on(event: 'error', listener: (e: Error) => void): void;
	address(): AddressInfo;
	close(): void;
}

interface Ws {
	WebSocket: new (url: string, options: { maxPayload: number; perMessageDeflate: boolean }) => WebSocketLike;
	WebSocketServer: new (options: {
		host: string;
		port: number;
		maxPayload: number;
		perMessageDeflate: boolean;
	}) => WebSocketServer;
}

/** The longest message that is taken: a frame. */
const SOCKET = { maxPayload: 65536 + 64, perMessageDeflate: false };

function ws(): Ws {
	try {
		return createRequire(import.meta.url)('ws') as Ws;
	} catch {
		throw new OutsideError("WebSockets in Node need the package 'ws' (optional): npm install ws");
	}
}

/** Connects to `url`. Resolves when the link is up; throws OutsideError. */
export async function connectWebSocket(world: World, url: string): Promise<Outside> {
	if (!/^wss?:\/\//.test(url)) throw new OutsideError(`'${url}': expected ws://… or wss://…`);
	const { WebSocket } = ws();
	const socket = new WebSocket(url, SOCKET);
	await new Promise<void>((resolve, reject) => {
		socket.onopen = () => resolve();
		socket.onerror = (e: { message?: string }) => reject(new OutsideError(`${url}: ${e.message ?? 'it failed'}`));
	});
	return webSocketCable(world, socket, url);
}

export interface WebSocketListener {
	readonly port: number;
	close(): void;
}

/** Listens on `port`; each client that comes is a cable, to be plugged in by `onCable`. Throws OutsideError. */
export async function listenWebSocket(
	world: World,
	port: number,
	onCable: (cable: Outside) => void,
	host = '127.0.0.1',
): Promise<WebSocketListener> {
	const { WebSocketServer } = ws();
	const server = new WebSocketServer({ host, port, ...SOCKET });
	const cables: Set<Outside> = new Set();
	let serial = 0;
	server.on('connection', (socket, request) => {
		const cable = webSocketCable(
			world,
			socket,
			`websocket ${++serial} from ${request.socket.remoteAddress ?? 'somewhere'}`,
		);
		cables.add(cable);
		void cable.closed.then(() => cables.delete(cable));
		onCable(cable);
	});
	await new Promise<void>((resolve, reject) => {
		server.on('listening', resolve);
		server.on('error', (e) => reject(new OutsideError(`port ${port}: ${e.message}`)));
	});
	return {
		port: server.address().port,
		close: () => {
			for (const c of cables) c.close();
			server.close();
		},
	};
}
