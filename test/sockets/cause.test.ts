/*
 * test/sockets/cause.test.ts: a connection that is not made says where in the world its packet ended, in all of the APIs.
 */
import { expect, test } from 'vitest';
import { createNet } from '../../src/sockets/net.ts';
import type { JourneyEnd, SocketError } from '../../src/sockets/streams.ts';
import { leftovers, type Routed, routed, SERVER } from './worlds.ts';

async function failure(r: Routed, port = 80, hostname = SERVER): Promise<{ error: SocketError; end: JourneyEnd }> {
	const error = (await r.client.connectTcp({ hostname, port }).then(
		() => new Error('it connected'),
		(e) => e,
	)) as SocketError;
	return { error, end: error.cause as JourneyEnd };
}

test('nobody listens', async () => {
	const r = await routed();
	const { error, end } = await failure(r);
	expect(error).toMatchObject({
		code: 'ECONNREFUSED',
		errno: -111,
		syscall: 'connect',
		address: SERVER,
		port: 80,
		message: `connect ECONNREFUSED ${SERVER}:80`,
	});
	expect(end).toMatchObject({ reason: 'NO_SOCKET', machine: 'server', location: 'tcp_v4_rcv', action: 'drop' });
	expect(end.packet).toContain(`> ${SERVER}:80 TCP S`);
	expect(leftovers(r.world)).toEqual({});
});

test('a rule on the way drops: ETIMEDOUT, after the SYN was sent seven times, in no real time', async () => {
	const r = await routed();
	await r.router.must('iptables -A FORWARD -p icmp -j ACCEPT; iptables -A FORWARD -p tcp --dport 80 -j DROP');
	const began = performance.now();
	const { error, end } = await failure(r);
	expect(performance.now() - began).toBeLessThan(5000);
	expect(r.world.now).toBeGreaterThan(120_000);
	expect(error.code).toBe('ETIMEDOUT');
	expect(end).toMatchObject({
		reason: 'NETFILTER_DROP',
		machine: 'router',
		action: 'drop',
		rule: { table: 'filter', chain: 'FORWARD', num: 2, text: '-A FORWARD -p tcp -m tcp --dport 80 -j DROP' },
	});
	expect(end.message).toBe(
		'NETFILTER_DROP at filter/FORWARD rule 2: -A FORWARD -p tcp -m tcp --dport 80 -j DROP on router',
	);
	expect(end.time).toBeGreaterThan(60_000);
	expect(leftovers(r.world)).toEqual({});
});

test('rules that reject', async () => {
	const r = await routed();
	await r.router.must(
		'iptables -A FORWARD -p tcp --dport 80 -j REJECT; iptables -A FORWARD -p tcp --dport 81 -j REJECT --reject-with tcp-reset',
	);
	const by_icmp = await failure(r);
	expect(by_icmp.error.code).toBe('ECONNREFUSED');
	expect(by_icmp.end).toMatchObject({ action: 'reject', machine: 'router', rule: { chain: 'FORWARD', num: 1 } });
	const by_reset = await failure(r, 81);
	expect(by_reset.error.code).toBe('ECONNREFUSED');
	expect(by_reset.end).toMatchObject({ action: 'reject', machine: 'router', rule: { chain: 'FORWARD', num: 2 } });
});

test('a policy, and the answer that is dropped on its way back', async () => {
	const r = await routed();
	r.server.listenTcp({ port: 80 });
	await r.router.must('iptables -P FORWARD DROP; iptables -A FORWARD -s 10.1.0.0/24 -j ACCEPT');
	const { error, end } = await failure(r);
	expect(error.code).toBe('ETIMEDOUT');
	expect(end).toMatchObject({ reason: 'NETFILTER_DROP', machine: 'router', rule: { chain: 'FORWARD', num: 0 } });
	expect(end.packet).toContain(`${SERVER}:80 >`);
});

test("the host's own rules", async () => {
	const r = await routed();
	await r.client.must('iptables -A OUTPUT -p tcp --dport 80 -j DROP');
	const { error, end } = await failure(r);
	expect(error.code).toBe('ETIMEDOUT');
	expect(end).toMatchObject({ reason: 'NETFILTER_DROP', machine: 'client', rule: { chain: 'OUTPUT', num: 1 } });
});

test('nobody has the address: the router says so', async () => {
	const r = await routed();
	const { error, end } = await failure(r, 80, '10.2.0.99');
	expect(error.code).toBe('EHOSTUNREACH');
	expect(end).toMatchObject({ machine: 'router', reason: 'NEIGH_FAILED' });
});

test('nobody on the own network has the address', async () => {
	const r = await routed();
	const { error, end } = await failure(r, 80, '10.1.0.99');
	expect(error.code).toBe('EHOSTUNREACH');
	expect(end).toMatchObject({ machine: 'client' });
});

test('no route', async () => {
	const r = await routed();
	const { error, end } = await failure(r, 80, '192.0.2.1');
	expect(error.code).toBe('ENETUNREACH');
	expect(error.message).toBe('connect ENETUNREACH 192.0.2.1:80');
	expect(end).toMatchObject({ machine: 'client', reason: 'IP_OUTNOROUTES', why: 'no route to 192.0.2.1' });
});

test('a sysctl', async () => {
	const r = await routed();
	r.server.listenTcp({ port: 80 });
	await r.server.must('ip route del default; ip route add 192.0.2.0/24 via 10.2.0.1');
	r.server.sysctl('net.ipv4.conf.eth0.rp_filter', 1);
	const { error, end } = await failure(r);
	expect(error.code).toBe('ETIMEDOUT');
	expect(end).toMatchObject({ machine: 'server', reason: 'IP_RPFILTER' });
	expect(end.sysctl?.name).toBe('net.ipv4.conf.eth0.rp_filter');
});

test('a cable that loses everything', async () => {
	const r = await routed();
	r.world.links[1].options.loss = 1;
	(r.world.links[1] as unknown as { plain: boolean }).plain = false;
	// Both ends know each other: what is lost is the SYN.
	await r.router.must('ip neigh replace 10.2.0.2 lladdr 02:00:00:02:00:01 dev eth1');
	const { error, end } = await failure(r);
	expect(error.code).toBe('ETIMEDOUT');
	expect(end).toMatchObject({ reason: 'LINK_LOST', action: 'lost', machine: 'router' });
	expect(end.location).toContain('link');
});

test('linnet/net tells too', async () => {
	const r = await routed();
	await r.router.must('iptables -A FORWARD -p tcp --dport 80 -j DROP');
	const s = createNet(r.client).connect(80, SERVER);
	const error = await new Promise<SocketError>((resolve) => s.once('error', resolve));
	expect(error.code).toBe('ETIMEDOUT');
	expect(error.cause).toMatchObject({ machine: 'router', rule: { chain: 'FORWARD', num: 1 } });
});

test('where the world is traced already, tracing goes on and the error has no cause', async () => {
	const r = await routed();
	let got: SocketError | undefined;
	const journeys = await r.world.trace(async () => {
		got = (await r.client.connectTcp({ hostname: SERVER, port: 80 }).catch((e) => e)) as SocketError;
	});
	expect(got?.code).toBe('ECONNREFUSED');
	expect(got?.cause).toBeUndefined();
	expect(journeys.length).toBeGreaterThan(0);
});
