/*
 * lab/cables/v86.ts: the network card of a v86 virtual machine (a PC in WebAssembly) as a cable.
 *
 *     const vm = new V86({ …, net_device: { type: 'virtio' } });       // no relay_url: the card's frames go to us alone
 *     world.link(host.nic('eth0'), v86Cable(world, vm));
 *
 * v86 hands over what its card sends as the event net<ID>-send, and takes what arrives as net<ID>-receive, a Uint8Array for each frame.
 */
import type { frame_offload } from '../../drivers/net/cable.ts';
import type { World } from '../world.ts';
import { Outside } from './outside.ts';

/** What of a V86 is used. */
export interface V86Like {
	add_listener(event: string, listener: (frame: Uint8Array) => void): void;
	remove_listener(event: string, listener: (frame: Uint8Array) => void): void;
	readonly bus: { send(event: string, frame: Uint8Array): void };
}

class V86Cable extends Outside {
	private vm: V86Like;
	private id: number;
	private listener: (frame: Uint8Array) => void;

	constructor(world: World, vm: V86Like, id: number) {
		super(world, `v86 net${id}`, false);
		this.vm = vm;
		this.id = id;
		this.listener = (frame) => {
			this.world.enter();
			this.arrived(frame, 0, frame.length, null);
		};
		vm.add_listener(`net${id}-send`, this.listener);
		this.linked(true);
	}

	protected transmit(frame: Uint8Array, start: number, len: number, _offload: frame_offload | null): boolean {
		this.vm.bus.send(`net${this.id}-receive`, frame.slice(start, start + len));
		return true;
	}

	protected shut(): void {
		this.vm.remove_listener(`net${this.id}-send`, this.listener);
	}
}

/** A cable into the card number `id` of `vm`. */
export function v86Cable(world: World, vm: V86Like, id = 0): Outside {
	return new V86Cable(world, vm, id);
}
