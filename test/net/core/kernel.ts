/*
 * test/net/core/kernel.ts: a machine with devices and nothing above them, for tests.
 */

import type { Cable, CablePort, frame_offload } from '../../../src/drivers/net/cable.ts';
import { loopback_init } from '../../../src/drivers/net/loopback.ts';
import { vnic_create, vnic_plug } from '../../../src/drivers/net/vnic.ts';
import { Machine } from '../../../src/kernel/machine.ts';
import { sysctl_root } from '../../../src/kernel/sysctl.ts';
import { EventQueue } from '../../../src/lib/event_queue.ts';
import { dev_add_pack, dev_open, net_dev_init, packet_type } from '../../../src/net/core/dev.ts';
import { drop_reason_name } from '../../../src/net/core/dropreason.ts';
import { net_ns_init } from '../../../src/net/core/net_namespace.ts';
import type { net_device } from '../../../src/net/core/netdevice.ts';
import { consume_skb, type sk_buff, skb_init } from '../../../src/net/core/skbuff.ts';

export const MAC_A = Uint8Array.of(2, 0, 0, 0, 0, 1);
export const MAC_B = Uint8Array.of(2, 0, 0, 0, 1, 1);

/** Runs all that is due up to `ms` from now. */
export function run(clock: EventQueue, ms = 0): void {
	const until = clock.now + ms * 1e6;
	while (clock.step(until));
	clock.now = Math.max(clock.now, until);
}

export interface Kernel {
	machine: Machine;
	clock: EventQueue;
	/** `REASON location` of each drop. */
	drops: string[];
}

export function kernel(name = 'm', clock = new EventQueue()): Kernel {
	const machine = new Machine(name, clock, 1, { sleep() {}, wake() {}, fork() {}, exit() {} });
	const drops: string[] = [];
	machine.kfree_skb_probe = (_skb, reason, location) => drops.push(`${drop_reason_name(reason)} ${location}`);
	machine.sysctl = new sysctl_root();
	net_ns_init(machine);
	skb_init(machine);
	net_dev_init(machine);
	loopback_init(machine);
	return { machine, clock, drops };
}

/** A cable that keeps what is sent, and can say that it is busy. */
export class TestCable implements Cable {
	readonly offload: boolean;
	port!: CablePort;
	frames: Uint8Array[] = [];
	offloads: (frame_offload | null)[] = [];
	busy_until: number | undefined = undefined;
	/** ns that each frame takes. */
	ns_per_frame = 0;
	clock: EventQueue;

	constructor(clock: EventQueue, offload = false) {
		this.clock = clock;
		this.offload = offload;
	}

	send(frame: Uint8Array, start: number, len: number, offload: frame_offload | null): void {
		this.frames.push(frame.slice(start, start + len));
		this.offloads.push(offload === null ? null : { ...offload });
		if (this.ns_per_frame > 0) this.busy_until = this.clock.now + this.ns_per_frame;
	}
}

/** A NIC with a cable, up. */
export function nic(k: Kernel, name = 'eth0', mac = MAC_A, queues = 1, offload = false): [net_device, TestCable] {
	const dev = vnic_create(k.machine.init_net, name, { mac, mtu: 1500, queues, ifindex: 0 });
	if (typeof dev === 'number') throw new Error(`vnic_create: ${dev}`);
	const cable = new TestCable(k.clock, offload);
	cable.port = vnic_plug(dev, cable);
	cable.port.set_link(true, 1000);
	const err = dev_open(dev);
	if (err < 0) throw new Error(`dev_open: ${err}`);
	run(k.clock);
	return [dev, cable];
}

/** What a protocol got, as `DEV PKT_TYPE LEN`. */
export interface Got {
	dev: string;
	pkt_type: number;
	len: number;
	ip_summed: number;
}

/** Registers a protocol that notes what it gets. */
export function receiver(k: Kernel, type: number): Got[] {
	const got: Got[] = [];
	const func = (skb: sk_buff, dev: net_device): number => {
		got.push({ dev: dev.name, pkt_type: skb.pkt_type, len: skb.len, ip_summed: skb.ip_summed });
		consume_skb(skb);
		return 0;
	};
	dev_add_pack(k.machine, new packet_type(type, func));
	return got;
}

export function frame(dst: Uint8Array, src: Uint8Array, type: number, payload: Uint8Array | number): Uint8Array {
	const body = typeof payload === 'number' ? new Uint8Array(payload) : payload;
	const f = new Uint8Array(14 + body.length);
	f.set(dst, 0);
	f.set(src, 6);
	f[12] = type >> 8;
	f[13] = type;
	f.set(body, 14);
	return f;
}
