/*
 * bench/router.ts: a machine of ours with two NICs, and cables that feed and count.
 *
 *     left cable → eth0 (10.0.0.1/24) → router → eth1 (10.0.1.1/24) → right cable
 */
import type { Cable, CablePort, frame_offload } from '../src/drivers/net/cable.ts';
import type { Host, Nic } from '../src/lab/host.ts';
import { World } from '../src/lab/index.ts';
import { csum_fold, csum_partial, csum_tcpudp_nofold, ip_fast_csum } from '../src/lib/checksum.ts';

/** Counts what the NIC sends; keeps the last frames when asked to. */
export class CountingCable implements Cable {
	readonly offload = false;
	frames = 0;
	bytes = 0;
	keep: Uint8Array[] | null = null;
	port: CablePort;

	constructor(nic: Nic) {
		this.port = nic.plug(this);
		this.port.set_link(true, 10000);
	}

	send(frame: Uint8Array, start: number, len: number, _offload: frame_offload | null): void {
		this.frames++;
		this.bytes += len;
		if (this.keep !== null) this.keep.push(frame.slice(start, start + len));
	}
}

export interface Router {
	world: World;
	host: Host;
	left: CountingCable;
	right: CountingCable;
}

export const LEFT_MAC = Uint8Array.of(2, 0, 0, 0, 1, 2);
export const RIGHT_MAC = Uint8Array.of(2, 0, 0, 0, 2, 2);
/** The NIC's own addresses. */
export const ETH0_MAC = Uint8Array.of(2, 0, 0, 0, 1, 1);
export const ETH1_MAC = Uint8Array.of(2, 0, 0, 0, 2, 1);

/** Boots the router; `script` comes after its addresses, routes and neighbours. */
export async function router(script = ''): Promise<Router> {
	const world = new World({ seed: 1 });
	const host = world.host('router');
	const eth0 = host.nic('eth0', { mac: '02:00:00:00:01:01' });
	const eth1 = host.nic('eth1', { mac: '02:00:00:00:02:01' });
	const left = new CountingCable(eth0);
	const right = new CountingCable(eth1);
	await host.must(`
		sysctl -qw net.ipv4.ip_forward=1
		ip addr add 10.0.0.1/24 dev eth0
		ip link set eth0 up
		ip addr add 10.0.1.1/24 dev eth1
		ip link set eth1 up
		ip route add 10.1.0.0/16 via 10.0.1.2
		ip route add 10.2.0.0/16 via 10.0.0.2
		ip neigh replace 10.0.0.2 lladdr 02:00:00:00:01:02 dev eth0 nud permanent
		ip neigh replace 10.0.1.2 lladdr 02:00:00:00:02:02 dev eth1 nud permanent
		${script}
	`);
	await world.run(1000);
	return { world, host, left, right };
}

/** An Ethernet frame of 64 bytes (with FCS; 60 without) with a UDP datagram. */
export function udpFrame(
	to: Uint8Array,
	from: Uint8Array,
	src: number,
	dst: number,
	sport: number,
	dport: number,
	len = 60,
): Uint8Array {
	const f = new Uint8Array(len);
	f.set(to, 0);
	f.set(from, 6);
	f[12] = 8;
	const udp = len - 34;
	f.set(
		[
			0x45,
			0,
			(len - 14) >> 8,
			len - 14,
			0,
			0,
			0x40,
			0,
			64,
			17,
			0,
			0,
			src >>> 24,
			src >>> 16,
			src >>> 8,
			src,
			dst >>> 24,
			dst >>> 16,
			dst >>> 8,
			dst,
		],
		14,
	);
	f.set([sport >> 8, sport, dport >> 8, dport, udp >> 8, udp, 0, 0], 34);
	const ip = ip_fast_csum(f, 14, 5);
	f[24] = ip >> 8;
	f[25] = ip;
	const sum = csum_fold(csum_tcpudp_nofold(src, dst, udp, 17, csum_partial(f, 34, udp, 0)));
	f[40] = sum >> 8;
	f[41] = sum;
	return f;
}

const BURST = 64;

/** Feeds `n` frames, cycling through `frames`, in bursts that arrive at the same instant. Time moves on by 20 µs after each. */
export function feed(r: Router, cable: CountingCable, frames: Uint8Array[], n: number): void {
	const { world } = r;
	const port = cable.port;
	let k = 0;
	for (let sent = 0; sent < n; sent += BURST) {
		for (let i = 0; i < BURST; i++) {
			const f = frames[k];
			if (++k === frames.length) k = 0;
			port.receive(f, 0, f.length, null);
		}
		world.advanceTo(world.clock.now + 20000);
	}
}
