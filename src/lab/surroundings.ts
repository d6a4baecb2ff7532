/*
 * lab/surroundings.ts: the network around a host that was imported alone: it answers ARP for everybody and notes what the host sends.
 */
import { type Cable, type CablePort, frame_offload } from '../drivers/net/cable.ts';
import { get_unaligned_be16, get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../lib/byteorder.ts';
import { clock_event } from '../lib/event_queue.ts';
import type { Nic } from './host.ts';

export { frame_offload };

/** A frame that the host sent into its surroundings. */
export interface SentFrame {
	nic: Nic;
	/** ns of the world's clock. */
	time: number;
	bytes: Uint8Array;
}

const ETH_P_ARP = 0x0806;

/** One NIC's cable. Every IPv4 address answers ARP there: with the neighbour table's address where that is known, else with one made from the IP. */
export class Surroundings implements Cable {
	/** What the host sends is looked at, not carried: nothing needs to be done for it. */
	readonly offload = true;
	readonly nic: Nic;
	/** Link-layer addresses by IPv4 address, as the host's neighbour table had them. */
	readonly known: Map<number, Uint8Array> = new Map();
	/** Told of each frame that the host sends, ARP included. */
	onFrame: ((frame: SentFrame) => void) | null = null;
	/** Neighbours that were asked for and are not in the table: they were assumed to be there. */
	readonly assumed: Set<number> = new Set();
	private port: CablePort;

	constructor(nic: Nic) {
		this.nic = nic;
		this.port = nic.plug(this);
	}

	setUp(up: boolean): void {
		this.port.set_link(up, 10000);
	}

	/** A frame arrives at the host. */
	inject(frame: Uint8Array, offload: frame_offload | null = null): void {
		this.port.receive(frame, 0, frame.length, offload);
	}

	send(frame: Uint8Array, start: number, len: number, _offload: frame_offload | null): void {
		const clock = this.nic.host.world.clock;
		if (len >= 42 && get_unaligned_be16(frame, start + 12) === ETH_P_ARP) this.answer(frame, start);
		if (this.onFrame !== null) this.onFrame({ nic: this.nic, time: clock.now, bytes: frame.slice(start, start + len) });
	}

	/** The link-layer address of a neighbour. */
	lladdr(ip: number): Uint8Array {
		return this.known.get(ip) ?? Uint8Array.of(0x02, 0xff, ip >>> 24, ip >>> 16, ip >>> 8, ip);
	}

	private answer(frame: Uint8Array, start: number): void {
		const arp = start + 14;
		const sender = get_unaligned_be32(frame, arp + 14);
		const target = get_unaligned_be32(frame, arp + 24);
		// Not its own announcements and probes.
		if (get_unaligned_be16(frame, arp + 6) !== 1 || sender === target || sender === 0) return;
		if (!this.known.has(target)) this.assumed.add(target);
		const mac = this.lladdr(target);
		const reply = new Uint8Array(42);
		reply.set(frame.subarray(start + 6, start + 12), 0);
		reply.set(mac, 6);
		put_unaligned_be16(reply, 12, ETH_P_ARP);
		reply.set(frame.subarray(arp, arp + 6), 14);
		put_unaligned_be16(reply, 20, 2);
		reply.set(mac, 22);
		put_unaligned_be32(reply, 28, target);
		reply.set(frame.subarray(arp + 8, arp + 14), 32);
		put_unaligned_be32(reply, 38, sender);
		const clock = this.nic.host.world.clock;
		clock.schedule(new clock_event(deliver, { port: this.port, reply }), clock.now);
	}
}

function deliver(ev: clock_event): void {
	const { port, reply } = ev.owner as { port: CablePort; reply: Uint8Array };
	port.receive(reply, 0, reply.length, null);
}
