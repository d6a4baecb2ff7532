/*
 * lab/link.ts: cables and switches. They carry frames and time, nothing else.
 * Each end is a `Cable` for its NIC (drivers/net/cable.ts). A frame that a NIC sends is copied, travels, and is copied into the other NIC.
 */
import { type Cable, type CablePort, frame_offload } from '../drivers/net/cable.ts';
import type { journey } from '../kernel/trace.ts';
import { clock_event, type EventQueue } from '../lib/event_queue.ts';
import { Random } from '../lib/random.ts';

/** What a link does to frames, the same in both directions. */
export interface LinkOptions {
	/** One-way delay in ms. Default 0. */
	delay?: number;
	/** Each frame's delay varies by up to this many ms either way; frames may overtake each other then. Default 0. */
	jitter?: number;
	/** Bits per second; frames queue behind each other. Default unlimited. */
	rate?: number;
	/** How many frames may wait for the rate before more are lost. Default 1000. */
	queue?: number;
	/** Chance 0…1 that a frame is lost. Default 0. */
	loss?: number;
	/** Chance 0…1 that a frame comes twice. Default 0. */
	duplicate?: number;
	/** Chance 0…1 that one bit of a frame is flipped. Default 0. */
	corrupt?: number;
	/** Whether frames may cross with checksum and segmentation left undone. Default false: whole frames, as on a wire. */
	offload?: boolean;
}

/** What a cable is plugged into: a NIC of a host, or something outside of the world (cables/outside.ts). */
export interface Plug {
	readonly name: string;
	/** Whose it is. */
	readonly host: { readonly name: string };
	/** @internal Return: itself, as the cable sees it. */
	plug(cable: Cable): CablePort;
	toString(): string;
}

/** A frame seen at an end of a link. `time` in ns of the world's clock. */
export interface SeenFrame {
	nic: Plug;
	/** 'out': the NIC sent it; 'in': it arrived there. */
	direction: 'in' | 'out';
	time: number;
	/** A copy. */
	bytes: Uint8Array;
}

/** A frame under way: bytes in a reused buffer. */
class Flight {
	bytes: Uint8Array = new Uint8Array(2048);
	/** The frame's part of `bytes`: most frames are as long as the last. */
	frame: Uint8Array = this.bytes;
	/** `hint`, or null for none. */
	offload: frame_offload | null = null;
	hint: frame_offload = new frame_offload();
	arrives = 0;
	from: End | null = null;
	/** Of a traced packet: the machine at the other end continues it. */
	journey: journey | null = null;
}

const FREE_MAX = 1024;

/** What carries frames between several ends: a link has two, a switch as many as it likes. */
abstract class Medium {
	readonly clock: EventQueue;
	readonly options: Required<LinkOptions>;
	/** As journeys name it. */
	readonly title: string;
	protected ends: End[] = [];
	private random: Random;
	private free: Flight[] = [];
	private monitors: ((frame: SeenFrame) => void)[] = [];
	private delayNs: number;
	/** Nothing but time happens to frames: no dice are thrown. */
	private plain: boolean;

	constructor(clock: EventQueue, seed: number, name: string, options: LinkOptions) {
		this.clock = clock;
		this.title = name;
		this.random = new Random(seed, name);
		this.options = {
			delay: 0,
			jitter: 0,
			rate: 0,
			queue: 1000,
			loss: 0,
			duplicate: 0,
			corrupt: 0,
			offload: false,
			...options,
		};
		for (const [k, v] of Object.entries(this.options)) {
			if (typeof v === 'number' && !(v >= 0))
				throw new RangeError(`link: ${k} is ${v}, expected a number of at least 0`);
		}
		for (const k of ['loss', 'duplicate', 'corrupt'] as const) {
			if (this.options[k] > 1) throw new RangeError(`link: ${k} is ${this.options[k]}, expected a chance from 0 to 1`);
		}
		this.delayNs = Math.round(this.options.delay * 1e6);
		const o = this.options;
		this.plain = o.jitter === 0 && o.rate === 0 && o.loss === 0 && o.duplicate === 0 && o.corrupt === 0;
	}

	/** Calls `see` for each frame at each end. Return: a function that stops it. */
	tap(see: (frame: SeenFrame) => void): () => void {
		this.monitors.push(see);
		return () => {
			this.monitors = this.monitors.filter((m) => m !== see);
		};
	}

	/** Pulls the plug of every end (false) or puts it back (true). */
	setUp(up: boolean): void {
		for (const end of this.ends) end.setUp(up);
	}

	/** Frames that were lost to chance or a full queue. */
	lost = 0;

	/** Whether any frame is on its way. */
	get carries(): boolean {
		for (const end of this.ends) if (end.carries) return true;
		return false;
	}

	/** @internal A NIC sends. */
	send(
		from: End,
		frame: Uint8Array,
		start: number,
		len: number,
		offload: frame_offload | null,
		journey: journey | null,
	): void {
		if (this.monitors.length > 0) this.see(from, 'out', frame, start, len);
		if (!from.up) {
			if (journey !== null) this.tell(from, journey, 'lost', 'the cable is unplugged');
			return;
		}
		if (this.plain) {
			this.launch(from, frame, start, len, offload, this.clock.now + this.delayNs, journey);
			return;
		}
		const o = this.options;
		if (o.loss > 0 && this.random.float() < o.loss) {
			this.lost++;
			if (journey !== null) this.tell(from, journey, 'lost', `by chance, ${o.loss * 100} % are`);
			return;
		}
		let at = this.clock.now;
		if (o.rate > 0) {
			const ns = ((len + 24) * 8 * 1e9) / o.rate; // preamble, FCS and gap as on Ethernet
			if ((from.busy - at) / ns >= o.queue) {
				this.lost++;
				if (journey !== null) this.tell(from, journey, 'lost', `its queue of ${o.queue} frames is full`);
				return;
			}
			from.busy = Math.max(from.busy, at) + ns;
			at = Math.round(from.busy);
		}
		at += this.delayNs;
		if (o.jitter > 0) at = Math.max(this.clock.now, at + Math.round((this.random.float() * 2 - 1) * o.jitter * 1e6));
		const flight = this.launch(from, frame, start, len, offload, at, journey);
		if (o.corrupt > 0 && this.random.float() < o.corrupt) {
			const bit = this.random.below(len * 8);
			flight.bytes[bit >> 3] ^= 1 << (bit & 7);
			if (journey !== null) this.tell(from, journey, 'corrupted', `bit ${bit} was flipped`);
		}
		if (o.duplicate > 0 && this.random.float() < o.duplicate) {
			this.launch(from, frame, start, len, offload, at, journey);
			if (journey !== null) this.tell(from, journey, 'duplicated', 'it comes twice');
		}
	}

	/** Tells a journey what happens to its frame here. */
	private tell(from: End, journey: journey, event: string, why?: string): void {
		journey.records.push({
			ts: this.clock.now,
			kind: 'link',
			machine: from.nic.host.name,
			netns: '',
			dev: from.nic.name,
			fn: 'link',
			detail: why === undefined ? { link: this.title, event } : { link: this.title, event, why },
			header: null,
			mark: 0,
		});
	}

	private launch(
		from: End,
		frame: Uint8Array,
		start: number,
		len: number,
		offload: frame_offload | null,
		at: number,
		journey: journey | null,
	): Flight {
		const flight = this.free.pop() ?? new Flight();
		if (flight.bytes.length < len) flight.frame = flight.bytes = new Uint8Array(len);
		else if (flight.frame.length !== len) flight.frame = flight.bytes.subarray(0, len);
		flight.frame.set(start === 0 && len === frame.length ? frame : frame.subarray(start, start + len));
		if (offload !== null) {
			const hint = flight.hint;
			hint.csum_start = offload.csum_start;
			hint.csum_offset = offload.csum_offset;
			hint.gso_size = offload.gso_size;
			hint.gso_type = offload.gso_type;
			hint.csum_valid = offload.csum_valid;
			flight.offload = hint;
		}
		flight.arrives = at;
		flight.from = from;
		flight.journey = journey;
		if (journey !== null) this.tell(from, journey, 'carried', `${(at - this.clock.now) / 1e6} ms`);
		from.enqueue(flight);
		return flight;
	}

	/** @internal A frame has arrived. */
	land(flight: Flight): void {
		this.deliver(flight.from!, flight);
		flight.offload = null;
		flight.journey = null;
		flight.from = null;
		if (this.free.length < FREE_MAX) this.free.push(flight);
	}

	protected abstract deliver(from: End, flight: Flight): void;

	protected hand(to: End, flight: Flight): void {
		if (!to.up || to.port === null) return;
		if (this.monitors.length > 0) this.see(to, 'in', flight.frame, 0, flight.frame.length);
		to.port.receive(flight.frame, 0, flight.frame.length, flight.offload, flight.journey);
	}

	private see(end: End, direction: 'in' | 'out', frame: Uint8Array, start: number, len: number): void {
		const seen: SeenFrame = { nic: end.nic, direction, time: this.clock.now, bytes: frame.slice(start, start + len) };
		for (const m of this.monitors) m(seen);
	}

	protected attach(nic: Plug): End {
		const end = new End(this, nic);
		this.ends.push(end);
		end.port = nic.plug(end);
		end.setUp(true);
		return end;
	}
}

/** One end: the cable as its NIC sees it. Frames that leave it wait here until they arrive. */
class End implements Cable {
	readonly nic: Plug;
	readonly offload: boolean;
	port: CablePort | null = null;
	up = false;
	/** When the wire is free again. */
	busy = 0;
	private medium: Medium;
	private event: clock_event;
	private queue: Flight[] = [];
	private head = 0;

	constructor(medium: Medium, nic: Plug) {
		this.medium = medium;
		this.nic = nic;
		this.offload = medium.options.offload;
		this.event = new clock_event(arrive, this);
	}

	send(
		frame: Uint8Array,
		start: number,
		len: number,
		offload: frame_offload | null,
		journey: journey | null = null,
	): void {
		this.medium.send(this, frame, start, len, offload, journey);
	}

	setUp(up: boolean): void {
		if (up === this.up) return;
		this.up = up;
		this.port?.set_link(up, this.medium.options.rate > 0 ? Math.round(this.medium.options.rate / 1e6) : 10000);
	}

	get carries(): boolean {
		return this.head < this.queue.length;
	}

	enqueue(flight: Flight): void {
		const q = this.queue;
		let i = q.length;
		q.push(flight);
		// Jitter lets a later frame arrive earlier.
		while (i > this.head && q[i - 1].arrives > flight.arrives) {
			q[i] = q[i - 1];
			i--;
		}
		q[i] = flight;
		if (i === this.head) this.medium.clock.schedule(this.event, flight.arrives);
	}

	/** Lands every frame that is due. */
	arrived(): void {
		const now = this.medium.clock.now;
		const q = this.queue;
		while (this.head < q.length && q[this.head].arrives <= now) this.medium.land(q[this.head++]);
		if (this.head === q.length) {
			q.length = 0;
			this.head = 0;
		} else {
			if (this.head > 1024) {
				q.splice(0, this.head);
				this.head = 0;
			}
			this.medium.clock.schedule(this.event, q[this.head].arrives);
		}
	}
}

function arrive(ev: clock_event): void {
	(ev.owner as End).arrived();
}

/** A cable between two NICs. */
export class Link extends Medium {
	constructor(clock: EventQueue, seed: number, a: Plug, b: Plug, options: LinkOptions) {
		super(clock, seed, `link ${a} ${b}`, options);
		this.attach(a);
		this.attach(b);
	}

	protected deliver(from: End, flight: Flight): void {
		this.hand(from === this.ends[0] ? this.ends[1] : this.ends[0], flight);
	}
}

function mac48(b: Uint8Array, o: number): number {
	return (
		((b[o] << 8) | b[o + 1]) * 0x100000000 + (((b[o + 2] << 24) | (b[o + 3] << 16) | (b[o + 4] << 8) | b[o + 5]) >>> 0)
	);
}

const MAC_MAX = 8192;

/** A plain learning switch: no VLANs, no spanning tree, no ageing. */
export class Switch extends Medium {
	readonly name: string;
	private table: Map<number, End> = new Map();

	constructor(clock: EventQueue, seed: number, name: string, options: LinkOptions) {
		super(clock, seed, `switch ${name}`, options);
		this.name = name;
	}

	/** Plugs another NIC in. */
	plug(nic: Plug): void {
		this.attach(nic);
	}

	/** Takes its plug out again. */
	unplug(nic: Plug): void {
		for (const end of this.ends) if (end.nic === nic) end.setUp(false);
		this.ends = this.ends.filter((end) => end.nic !== nic);
		for (const [mac, end] of this.table) if (end.nic === nic) this.table.delete(mac);
	}

	protected deliver(from: End, flight: Flight): void {
		if (flight.frame.length < 14) return;
		const bytes = flight.bytes;
		if ((bytes[6] & 1) === 0) {
			const src = mac48(bytes, 6);
			if (this.table.get(src) !== from) {
				if (this.table.size >= MAC_MAX) this.table.clear();
				this.table.set(src, from);
			}
		}
		if ((bytes[0] & 1) === 0) {
			const to = this.table.get(mac48(bytes, 0));
			if (to !== undefined) {
				if (to !== from) this.hand(to, flight);
				return;
			}
		}
		for (const end of this.ends) if (end !== from) this.hand(end, flight);
	}
}
