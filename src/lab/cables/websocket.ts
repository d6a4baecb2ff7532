/*
 * lab/cables/websocket.ts: a WebSocket as a cable: one frame in each binary message. Browsers' own WebSocket, Node's (22 and later), or that of
 * the package ws; a client's or a server's end alike.
 *
 *     const cable = webSocketCable(world, new WebSocket('wss://lab.example/eth'));
 *     world.link(host.nic('eth0'), cable);
 */
import type { frame_offload } from '../../drivers/net/cable.ts';
import type { World } from '../world.ts';
import { Outside } from './outside.ts';

/** What of a WebSocket is used: all of them have it. */
export interface WebSocketLike {
	binaryType: string;
	readonly readyState: number;
	readonly bufferedAmount: number;
	send(data: Uint8Array<ArrayBuffer>): void;
	close(): void;
	onopen: ((event: never) => unknown) | null;
	onclose: ((event: never) => unknown) | null;
	onerror: ((event: never) => unknown) | null;
	onmessage: ((event: never) => unknown) | null;
}

const OPEN = 1;
/** So much may wait in the socket; what comes on top is lost, as in any queue. */
const BUFFER_MAX = 4 << 20;

class WebSocketCable extends Outside {
	private socket: WebSocketLike;

	constructor(world: World, socket: WebSocketLike, name: string) {
		super(world, name, false);
		this.socket = socket;
		socket.binaryType = 'arraybuffer';
		socket.onopen = () => this.linked(true);
		socket.onmessage = (event: { data: unknown }) => this.message(event.data);
		socket.onclose = (event: { code?: number; reason?: unknown }) => {
			const reason = typeof event.reason === 'string' && event.reason !== '' ? `: ${event.reason}` : '';
			this.close(`${name}: the other side closed (${event.code ?? 'no code'}${reason})`);
		};
		socket.onerror = (event: { message?: unknown }) => {
			this.close(`${name}: ${typeof event.message === 'string' && event.message !== '' ? event.message : 'it failed'}`);
		};
		if (socket.readyState === OPEN) this.linked(true);
	}

	/** As a cable: a socket that is slow holds the NIC's frames. */
	get busy_until(): number {
		return this.up && this.socket.bufferedAmount > BUFFER_MAX ? this.world.clock.now + 1e6 : 0;
	}

	private message(data: unknown): void {
		// Text is nothing that a cable carries.
		if (!(data instanceof ArrayBuffer)) return;
		const bytes = new Uint8Array(data);
		this.world.enter();
		this.arrived(bytes, 0, bytes.length, null);
	}

	protected transmit(frame: Uint8Array, start: number, len: number, _offload: frame_offload | null): boolean {
		if (this.socket.readyState !== OPEN || this.socket.bufferedAmount > BUFFER_MAX + (1 << 20)) return false;
		this.socket.send(new Uint8Array(frame.subarray(start, start + len)));
		return true;
	}

	protected shut(): void {
		const { socket } = this;
		socket.onopen = null;
		socket.onmessage = null;
		socket.onclose = null;
		// What fails from now on is nobody's concern.
		socket.onerror = () => {};
		socket.close();
	}
}

/** A cable of `socket`, open or about to be. */
export function webSocketCable(world: World, socket: WebSocketLike, name = 'websocket'): Outside {
	return new WebSocketCable(world, socket, name);
}
