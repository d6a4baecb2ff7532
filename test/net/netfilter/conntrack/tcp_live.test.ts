/*
 * Connection tracking and NAT with real connections: client (10.0.0.2) — router — server (192.0.2.80). The states are those that three
 * namespaces of Linux 6.18 showed.
 */
import { expect, test } from 'vitest';
import { type Host, World } from '../../../../src/lab/index.ts';
import { ECONNREFUSED, ECONNRESET } from '../../../../src/uapi/asm-generic/errno.ts';
import { SO_LINGER, SOL_SOCKET } from '../../../../src/uapi/linux/socket.ts';
import { connect, listen, recv_text, send } from '../../ipv4/tcp/lab.ts';

interface Lab {
	world: World;
	client: Host;
	router: Host;
	server: Host;
}

async function lab(rules: string): Promise<Lab> {
	const world = new World({ seed: 5 });
	const client = world.host('client');
	const router = world.host('router');
	const server = world.host('server');
	world.link(client.nic('eth0'), router.nic('eth0'), { delay: 2 });
	world.link(router.nic('eth1'), server.nic('eth0'), { delay: 2 });
	await client.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.0.1');
	await server.must('ip addr add 192.0.2.80/24 dev eth0; ip link set eth0 up');
	await router.must(
		`ip addr add 10.0.0.1/24 dev eth0; ip addr add 192.0.2.1/24 dev eth1; ip link set eth0 up; ip link set eth1 up
		 sysctl -qw net.ipv4.ip_forward=1\n${rules}`,
	);
	return { world, client, router, server };
}

const MASQUERADE = `iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE
iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP
iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables -A FORWARD -i eth0 -j ACCEPT
iptables -P FORWARD DROP`;

async function states(router: Host): Promise<string[]> {
	const r = await router.sh('conntrack -L -p tcp 2>/dev/null');
	return r.stdout
		.trim()
		.split('\n')
		.filter((l) => l !== '')
		.map((l) =>
			l.replace(/^tcp +6 \d+ (\w+).*?(\[\w+\])?( mark.*| use.*)?$/, (_, s: string, a?: string) => s + (a ?? '')),
		);
}

test('a connection through MASQUERADE: its states from SYN to TIME_WAIT, and the address that the server sees', async () => {
	const { world, client, router, server } = await lab(MASQUERADE);
	const seen: string[][] = [];
	const s = server.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		const c = await p.accept(l, null);
		expect(await recv_text(p, c)).toBe('hello');
		await send(p, c, 'there');
		expect(await recv_text(p, c)).toBe('');
		p.close(c);
		p.close(l);
	});
	const c = client.process('client', async (p) => {
		const fd = await connect(p, '192.0.2.80', 80);
		expect(fd).toBeGreaterThan(0);
		await send(p, fd, 'hello');
		expect(await recv_text(p, fd)).toBe('there');
		seen.push(await states(router));
		const ss = await router.sh('conntrack -L -n -o extended 2>/dev/null');
		expect(ss.stdout).toMatch(
			/src=10\.0\.0\.2 dst=192\.0\.2\.80 sport=(\d+) dport=80 src=192\.0\.2\.80 dst=192\.0\.2\.1 sport=80 dport=\1 \[ASSURED\]/,
		);
		p.close(fd);
	});
	await Promise.all([s, c]);
	await world.run('1s');
	seen.push(await states(router));
	await world.run('121s');
	seen.push(await states(router));
	expect(seen).toEqual([['ESTABLISHED[ASSURED]'], ['TIME_WAIT[ASSURED]'], []]);
});

test('a reset ends the entry in CLOSE; a refused connection leaves no entry of its own', async () => {
	const { world, client, router, server } = await lab(MASQUERADE);
	const s = server.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		const c = await p.accept(l, null);
		await recv_text(p, c);
		// Lingering for no time: a reset.
		p.setsockopt(c, SOL_SOCKET, SO_LINGER, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
		p.close(c);
		p.close(l);
	});
	const c = client.process('client', async (p) => {
		const fd = await connect(p, '192.0.2.80', 80);
		await send(p, fd, 'x');
		expect(await recv_text(p, fd)).toBe(-ECONNRESET);
		expect(await connect(p, '192.0.2.80', 81)).toBe(-ECONNREFUSED);
	});
	await Promise.all([s, c]);
	expect(await states(router)).toEqual(['CLOSE[ASSURED]']);
	await world.run('11s');
	expect(await states(router)).toEqual([]);
});

test('a flow whose entry is forgotten is picked up in its middle, unless nf_conntrack_tcp_loose says no', async () => {
	for (const loose of [1, 0]) {
		const { client, router, server } = await lab(`${MASQUERADE.replace(/.*MASQUERADE\n/, '')}
			sysctl -qw net.netfilter.nf_conntrack_tcp_loose=${loose}`);
		await server.must('ip route add default via 192.0.2.1');
		const s = server.process('server', async (p) => {
			const l = listen(p, '0.0.0.0', 80);
			const c = await p.accept(l, null);
			expect(await recv_text(p, c)).toBe('one');
			if (loose === 1) expect(await recv_text(p, c)).toBe('two');
			await p.sleep(10000);
			p.close(c);
			p.close(l);
		});
		const c = client.process('client', async (p) => {
			const fd = await connect(p, '192.0.2.80', 80);
			await send(p, fd, 'one');
			await p.sleep(100);
			await router.must('conntrack -F 2>/dev/null');
			await send(p, fd, 'two');
			await p.sleep(1000);
			expect(await states(router)).toEqual(loose === 1 ? ['ESTABLISHED'] : []);
			p.close(fd);
		});
		await Promise.all([s, c]);
	}
});

test('REJECT --reject-with tcp-reset refuses at once; DNAT leads to the other port', async () => {
	const { client, server } =
		await lab(`iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 8080 -j DNAT --to 192.0.2.80:80
iptables -A FORWARD -p tcp --dport 25 -j REJECT --reject-with tcp-reset`);
	await server.must('ip route add default via 192.0.2.1');
	const s = server.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		const c = await p.accept(l, null);
		await send(p, c, 'by DNAT');
		p.close(c);
		p.close(l);
	});
	const c = client.process('client', async (p) => {
		expect(await connect(p, '192.0.2.80', 25)).toBe(-ECONNREFUSED);
		const fd = await connect(p, '10.0.0.1', 8080);
		expect(fd).toBeGreaterThan(0);
		expect(await recv_text(p, fd)).toBe('by DNAT');
		p.close(fd);
	});
	await Promise.all([s, c]);
});
