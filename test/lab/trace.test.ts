/*
 * One packet's journey over several machines: the cable, the router with its NAT, loss and delay, all in one.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Host, type LinkOptions, type PacketJourney, render, World, wholeWay } from '../../src/lab/index.ts';

let world: World;
let client: Host;
let router: Host;
let server: Host;

async function build(toServer: LinkOptions = {}): Promise<void> {
	world = new World({ seed: 7 });
	client = world.host('client');
	router = world.host('r1', { sysctl: { 'net.ipv4.ip_forward': 1 } });
	server = world.host('server');
	world.link(client.nic('eth0'), router.nic('eth0'), { delay: 2 });
	world.link(router.nic('eth1'), server.nic('eth0'), toServer);
	await client.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.0.1');
	await router.must(
		'ip addr add 10.0.0.1/24 dev eth0; ip addr add 192.0.2.1/24 dev eth1; ip link set eth0 up; ip link set eth1 up',
	);
	await router.must('iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE');
	await server.must('ip addr add 192.0.2.80/24 dev eth0; ip link set eth0 up');
	await client.must('ping -c 1 -W 1 192.0.2.80 || true');
}

/** The journey of the client's echo request. */
function request(journeys: PacketJourney[]): PacketJourney {
	const j = journeys.find((x) => x.machine === 'client' && x.packet.includes('ICMP echo request'));
	if (j === undefined) throw new Error('no echo request in the journeys');
	return j;
}

describe('world.trace', () => {
	beforeEach(() => build({ delay: 3 }));

	it('joins what one packet does on three machines', async () => {
		const j = request(await world.trace(() => client.sh('ping -c 1 192.0.2.80')));
		const way = wholeWay(j);
		expect(way.map((p) => p.machine)).toEqual(['client', 'r1', 'server']);
		expect(way.map((p) => p.action)).toEqual(['send', 'forward', 'answer']);
		expect(way[0].steps.find((s) => s.phase === 'link')?.text).toBe('client:eth0 r1:eth0: carried (2 ms)');
		expect(way[1].steps.filter((s) => s.phase === 'nat').map((s) => s.text)).toContain(
			'POSTROUTING rule 1: -A POSTROUTING -o eth1 -j MASQUERADE',
		);
		expect(way[1].steps.some((s) => /^source 10\.0\.0\.2 id \d+ → 192\.0\.2\.1 id \d+$/.test(s.text))).toBe(true);
		expect(way[2].packet).toContain('192.0.2.1 > 192.0.2.80 ICMP echo request');
		// Time goes on from machine to machine: 2 ms and 3 ms of cable.
		const times = way.map((p) => p.steps[0].time);
		expect([times[1] - times[0], times[2] - times[1]]).toEqual([2e6, 3e6]);
	});

	it('follows the answer as what the packet caused, all the way back', async () => {
		const j = request(await world.trace(() => client.sh('ping -c 1 192.0.2.80')));
		const answer = wholeWay(j)[2].caused[0];
		expect(wholeWay(answer).map((p) => [p.machine, p.action])).toEqual([
			['server', 'send'],
			['r1', 'forward'],
			['client', 'deliver'],
		]);
	});

	it('is written machine by machine', async () => {
		const lines = render(request(await world.trace(() => client.sh('ping -c 1 192.0.2.80'))));
		const heads = lines.filter((l) => /^\w+:$/.test(l));
		expect(heads).toEqual(['client:', 'r1:', 'server:']);
		expect(lines.some((l) => l.startsWith('Action: answer with 192.0.2.80 > 192.0.2.1 ICMP echo reply'))).toBe(true);
		// Steps are numbered through.
		const numbers = lines
			.map((l) => /^ {2} {0,2}(\d+) {2}\S/.exec(l)?.[1])
			.filter((n) => n !== undefined)
			.map(Number);
		expect(numbers.slice(0, 12)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
	});

	it('says where on the way a packet is dropped, and by which rule', async () => {
		await server.must('iptables -A INPUT -p icmp -s 192.0.2.0/24 -j DROP');
		const j = request(await world.trace(() => client.sh('ping -c 1 -W 1 192.0.2.80')));
		const end = wholeWay(j)[2];
		expect(end).toMatchObject({
			machine: 'server',
			action: 'drop',
			reason: 'NETFILTER_DROP',
			rule: { table: 'filter', chain: 'INPUT', num: 1, text: '-A INPUT -s 192.0.2.0/24 -p icmp -j DROP' },
		});
		expect(render(j).some((l) => l === 'Action: drop at server')).toBe(true);
	});

	it('stops following when the work is done', async () => {
		await world.trace(() => client.sh('ping -c 1 192.0.2.80'));
		expect([client, router, server].every((h) => h.machine.tracer === null)).toBe(true);
		await expect(world.trace(() => Promise.reject(new Error('x')))).rejects.toThrow('x');
		expect(client.machine.tracer).toBe(null);
	});
});

it('a packet that the cable loses ends there, and why is said', async () => {
	const lossy = new World({ seed: 1 });
	const a = lossy.host('a');
	const b = lossy.host('b');
	lossy.link(a.nic('eth0'), b.nic('eth0'), { loss: 1 });
	await a.must(
		'ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up; ip neigh add 10.0.0.2 lladdr 02:00:00:01:00:01 dev eth0',
	);
	const journeys = await lossy.trace(() => a.sh('ping -c 1 -W 1 10.0.0.2'));
	const j = journeys.find((x) => x.packet.includes('echo request'))!;
	expect(j).toMatchObject({ action: 'lost', why: 'link a:eth0 b:eth0: by chance, 100 % are' });
	expect(j.continued).toEqual([]);
	expect(render(j).slice(-2)).toEqual(['Action: lost on the way', 'Note: link a:eth0 b:eth0: by chance, 100 % are']);
});

it('a switch shows a frame to everybody: the way goes on where it was taken', async () => {
	const w = new World({ seed: 1 });
	const hosts = ['a', 'b', 'c'].map((n) => w.host(n));
	w.switch(
		'lan',
		hosts.map((h) => h.nic('eth0')),
	);
	for (const [i, h] of hosts.entries()) await h.must(`ip addr add 10.0.0.${i + 1}/24 dev eth0; ip link set eth0 up`);
	await hosts[0].must('ip neigh add 10.0.0.3 lladdr 02:00:00:02:00:01 dev eth0');
	const journeys = await w.trace(() => hosts[0].sh('ping -c 1 10.0.0.3'));
	const j = journeys.find((x) => x.packet.includes('echo request'))!;
	expect(j.continued.map((c) => [c.machine, c.action, c.reason])).toEqual([
		['b', 'drop', 'OTHERHOST'],
		['c', 'answer', undefined],
	]);
	expect(wholeWay(j).map((p) => p.machine)).toEqual(['a', 'c']);
});
