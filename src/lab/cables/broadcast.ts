/*
 * lab/cables/broadcast.ts: a BroadcastChannel as a cable: all that have opened it, in tabs and workers of one origin, are on one Ethernet.
 * Each message is a frame, a Uint8Array: as v86's `relay_url: 'inbrowser'` has it too (its channel is called 'v86-inbrowser-0').
 */
import type { frame_offload } from '../../drivers/net/cable.ts';
import type { World } from '../world.ts';
import { Outside } from './outside.ts';

class BroadcastCable extends Outside {
	private channel: BroadcastChannel;

	constructor(world: World, name: string) {
		super(world, name, false);
		this.channel = new BroadcastChannel(name);
		this.channel.onmessage = (event: { data: unknown }) => {
			const { data } = event;
			const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
			if (!(bytes instanceof Uint8Array)) return;
			this.world.enter();
			this.arrived(bytes, 0, bytes.length, null);
		};
		this.linked(true);
	}

	protected transmit(frame: Uint8Array, start: number, len: number, _offload: frame_offload | null): boolean {
		this.channel.postMessage(frame.slice(start, start + len));
		return true;
	}

	protected shut(): void {
		this.channel.onmessage = null;
		this.channel.close();
	}
}

/** A cable into the channel `name`. */
export function broadcastCable(world: World, name: string): Outside {
	return new BroadcastCable(world, name);
}
