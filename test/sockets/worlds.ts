/*
 * test/sockets/worlds.ts: a client, a router and a server, with the sockets of all APIs.
 */
import { type Host, World } from '../../src/lab/index.ts';
import { type HostStreams, withStreams } from '../../src/sockets/streams.ts';

export type StreamHost = Host & HostStreams;

export interface Routed {
	world: World;
	client: StreamHost;
	router: Host;
	server: StreamHost;
}

export const SERVER = '10.2.0.2';

/** client 10.1.0.2 - router - server 10.2.0.2 */
export async function routed(
	options: { seed?: number; pace?: number; delay?: number; loss?: number } = {},
): Promise<Routed> {
	const world = new World({ seed: options.seed ?? 1, pace: options.pace ?? 0 });
	const client = withStreams(world.host('client'));
	const router = world.host('router', { sysctl: { 'net.ipv4.ip_forward': 1 } });
	const server = withStreams(world.host('server'));
	const link = { delay: options.delay ?? 1, loss: options.loss ?? 0 };
	world.link(client.nic('eth0'), router.nic('eth0'), link);
	world.link(router.nic('eth1'), server.nic('eth0'), link);
	await client.must('ip addr add 10.1.0.2/24 dev eth0; ip link set eth0 up; ip route add 10.0.0.0/8 via 10.1.0.1');
	await router.must(
		'ip addr add 10.1.0.1/24 dev eth0; ip link set eth0 up; ip addr add 10.2.0.1/24 dev eth1; ip link set eth1 up',
	);
	await server.must(`ip addr add ${SERVER}/24 dev eth0; ip link set eth0 up; ip route add default via 10.2.0.1`);
	return { world, client, router, server };
}

/** All packets are freed and no socket is left behind. */
export function leftovers(world: World): Record<string, number> {
	const left: Record<string, number> = {};
	for (const h of world.hosts.values()) {
		left[`${h.name} packets`] = h.machine.skb_pool.live;
		left[`${h.name} sockets`] = h.machine.sock.tcp_memory.sockets_allocated;
		left[`${h.name} traced`] = h.machine.tracer === null ? 0 : 1;
	}
	return Object.fromEntries(Object.entries(left).filter(([, n]) => n !== 0));
}
