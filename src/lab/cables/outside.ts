/*
 * lab/cables/outside.ts: a cable whose other end is outside of the world: a device of the real host, a socket, another program.
 *
 * It is plugged like a NIC: `world.link(host.nic('eth0'), tap, { offload: true })`, or into a switch with others; or straight into a NIC, with
 * nothing between them: `tap.plugInto(host.nic('eth0'))`. While it is open, the world's time goes by the real clock.
 */
import type { Cable, CablePort, frame_offload } from '../../drivers/net/cable.ts';
import type { journey } from '../../kernel/trace.ts';
import type { Plug } from '../link.ts';
import type { Guest, World } from '../world.ts';

const SPEED_MBITS = 10000;

const OUTSIDE = { name: 'outside' };

/** Frames that crossed, and those that did not. */
export interface OutsideCounters {
	/** From outside. */
	rx: number;
	rxBytes: number;
	/** To outside. */
	tx: number;
	txBytes: number;
	/** From outside, but no NIC was there or it had no room. */
	rxDropped: number;
	/** To outside, but it had no room or was gone. */
	txDropped: number;
}

export abstract class Outside implements Cable, CablePort, Plug, Guest {
	readonly world: World;
	readonly name: string;
	readonly host: { readonly name: string } = OUTSIDE;
	readonly counters: OutsideCounters = { rx: 0, rxBytes: 0, tx: 0, txBytes: 0, rxDropped: 0, txDropped: 0 };
	/** As a cable: whether frames may cross with checksum and segmentation left undone. */
	readonly offload: boolean;
	/** As a guest. */
	readonly outside = true;
	alive = true;
	private port: CablePort | null = null;
	private cable: Cable | null = null;
	private open = true;
	/** Whether the other end is there. */
	protected up = false;
	private closers: ((why: string | null) => void)[] = [];

	constructor(world: World, name: string, offload: boolean) {
		this.world = world;
		this.name = name;
		this.offload = offload;
		world.attach(this);
	}

	toString(): string {
		return `outside:${this.name}`;
	}

	/** Plugs it straight into a NIC: no link between them. */
	plugInto(nic: Plug): void {
		this.port = nic.plug(this);
		this.port.set_link(this.up, SPEED_MBITS);
	}

	/** @internal A link is plugged in. */
	plug(cable: Cable): CablePort {
		this.cable = cable;
		return this;
	}

	/** Resolves when it is closed, from whichever side: null, or why. */
	get closed(): Promise<string | null> {
		return new Promise((resolve) => {
			if (this.open) this.closers.push(resolve);
			else resolve(null);
		});
	}

	/** Closes it: the world's time need not go by the real clock for its sake any more. */
	close(why: string | null = null): void {
		if (!this.open) return;
		this.open = false;
		this.linked(false);
		this.shut();
		this.world.detach(this);
		for (const c of this.closers) c(why);
	}

	/** Gives back what it holds. */
	protected abstract shut(): void;

	/** Sends one frame out. The bytes are the caller's again when this returns. Return: false when it could not. */
	protected abstract transmit(frame: Uint8Array, start: number, len: number, offload: frame_offload | null): boolean;

	/** The other end is there, or is gone. */
	protected linked(up: boolean): void {
		if (this.up === up) return;
		this.up = up;
		this.world.enter();
		this.port?.set_link(up, SPEED_MBITS);
	}

	/** One frame has come from outside. To be called from the event loop, after `world.enter()`. The bytes stay the caller's. */
	protected arrived(frame: Uint8Array, start: number, len: number, offload: frame_offload | null): void {
		const c = this.counters;
		if (this.port !== null) {
			if (!this.port.receive(frame, start, len, offload)) {
				c.rxDropped++;
				return;
			}
		} else if (this.cable !== null) this.cable.send(frame, start, len, offload);
		else {
			c.rxDropped++;
			return;
		}
		c.rx++;
		c.rxBytes += len;
	}

	/** @internal The NIC sends. */
	send(frame: Uint8Array, start: number, len: number, offload: frame_offload | null, _journey?: journey | null): void {
		const c = this.counters;
		if (this.up && this.transmit(frame, start, len, offload)) {
			c.tx++;
			c.txBytes += len;
		} else c.txDropped++;
	}

	/** @internal The link brings a frame. */
	receive(frame: Uint8Array, start: number, len: number, offload: frame_offload | null): boolean {
		const before = this.counters.txDropped;
		this.send(frame, start, len, offload);
		return this.counters.txDropped === before;
	}

	/** @internal The link's other end: nothing to do. */
	set_link(): void {}

	/** @internal */
	busy(): boolean {
		return false;
	}

	/** @internal */
	next(): (() => void) | null {
		return null;
	}
}
