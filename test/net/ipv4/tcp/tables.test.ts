/*
 * test/net/ipv4/tcp/tables.test.ts: connections, listeners and ports: who is found, what is left.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { World } from '../../../../src/lab/index.ts';
import {
	__inet_lookup,
	__inet_lookup_established,
	type inet_hashinfo,
	is_timewait,
} from '../../../../src/net/ipv4/inet_hashtables.ts';
import { ip_pton } from '../../../../src/net/ipv4/ip.ts';
import { EADDRINUSE, EADDRNOTAVAIL } from '../../../../src/uapi/asm-generic/errno.ts';
import {
	AF_INET,
	SO_BINDTODEVICE,
	SO_REUSEADDR,
	SO_REUSEPORT,
	SOCK_NONBLOCK,
	SOCK_STREAM,
	SOL_SOCKET,
} from '../../../../src/uapi/linux/socket.ts';
import type { Process } from '../../../../src/user/libc.ts';
import { A, at, B, connect, listen, pair, recv_text, send } from './lab.ts';

const ONE = new Uint8Array([1, 0, 0, 0]);

function owners(h: inet_hashinfo): number {
	let n = 0;
	for (const page of h.bhash)
		for (const tb of page ?? []) for (let o = tb?.owners ?? null; o !== null; o = o.tb_next) n++;
	return n;
}

function entries(h: inet_hashinfo): number {
	let n = 0;
	for (let i = 0; i < h.ehash.length; i++) for (let node = h.ehash[i]; node !== null; node = node.next) n++;
	return n;
}

async function one(script: string): Promise<{ world: World; h: ReturnType<World['host']> }> {
	const world = new World({ seed: 3 });
	const h = world.host('h');
	await h.must(`ip link set lo up; ${script}`);
	return { world, h };
}

function ephemeral(p: Process, options: (fd: number) => void = () => {}): number {
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	options(fd);
	const r = p.bind(fd, at('127.0.0.1', 0));
	if (r < 0) return r;
	const name = at('0.0.0.0', 0);
	p.getsockname(fd, name);
	return name.sin_port;
}

test('connections open and close at random: the tables hold just them, and nothing in the end', async () => {
	const { world, a, b } = await pair();
	await a.must('sysctl -qw net.ipv4.tcp_max_tw_buckets=1000');
	const ha = a.machine.init_net.ipv4.tcp_hashinfo;
	const hb = b.machine.init_net.ipv4.tcp_hashinfo;
	const server = b.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		for (let i = 0; i < 300; i++) {
			const c = await p.accept(l, null);
			void recv_text(p, c).then(() => p.close(c));
		}
		p.close(l);
	});
	await a.process('client', async (p) => {
		const open: number[] = [];
		for (let i = 0; i < 300; i++) {
			open.push(await connect(p, B, 80));
			if (i % 3 !== 0) p.close(open.splice((i * 7) % open.length, 1)[0]);
			if (i % 50 === 0) {
				await p.sleep(50);
				expect(ha.inuse).toBe(open.length);
				expect(ha.ehash_count).toBe(entries(ha));
				expect(ha.ehash_count).toBe(open.length + a.machine.init_net.ipv4.tw_refcount);
				expect(owners(ha)).toBe(ha.ehash_count);
			}
		}
		for (const fd of open) p.close(fd);
	});
	await server;
	await world.run('70s');
	for (const h of [ha, hb]) {
		expect(h.inuse).toBe(0);
		expect(entries(h)).toBe(0);
		expect(owners(h)).toBe(0);
		expect(h.lhash2.size).toBe(0);
	}
	expect(a.machine.init_net.ipv4.tw_refcount).toBe(0);
});

test('lookup: a connection before a listener, an exact address before any, a device before none', async () => {
	const { h } = await one('ip addr add 10.9.9.1/24 dev lo');
	const n = h.machine.init_net;
	await h.process('p', async (p) => {
		const mk = (addr: string, dev = ''): number => {
			const fd = p.socket(AF_INET, SOCK_STREAM, 0);
			p.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ONE);
			if (dev !== '') p.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, new TextEncoder().encode(`${dev}\0`));
			p.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, ONE);
			expect(p.bind(fd, at(addr, 80))).toBe(0);
			expect(p.listen(fd, 5)).toBe(0);
			return fd;
		};
		const who = (daddr: string, dif = 1): unknown =>
			__inet_lookup(n, ip_pton('1.2.3.4'), 5000, ip_pton(daddr), 80, dif, 0);
		const sk = (fd: number): unknown => (p.task.files[fd] as unknown as { sk: unknown }).sk;
		const any = mk('0.0.0.0');
		expect(who('10.9.9.1')).toBe(sk(any));
		const exact = mk('10.9.9.1');
		expect(who('10.9.9.1')).toBe(sk(exact));
		expect(who('127.0.0.1')).toBe(sk(any));
		const dev = mk('0.0.0.0', 'lo');
		expect(who('127.0.0.1')).toBe(sk(dev));
		expect(who('127.0.0.1', 7)).toBe(sk(any));
		p.close(exact);
		expect(who('10.9.9.1')).toBe(sk(dev));
		p.close(any);
		p.close(dev);
		expect(who('10.9.9.1')).toBe(null);
	});
});

test('SO_REUSEPORT: a flow stays with its listener, flows spread', async () => {
	const { h } = await one('');
	const n = h.machine.init_net;
	await h.process('p', async (p) => {
		for (let i = 0; i < 4; i++) {
			const fd = p.socket(AF_INET, SOCK_STREAM, 0);
			p.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, ONE);
			p.bind(fd, at('0.0.0.0', 80));
			p.listen(fd, 5);
		}
		const count = new Map<unknown, number>();
		for (let port = 1; port <= 4000; port++) {
			const sk = __inet_lookup(n, 1, port, 2, 80, 1, 0);
			expect(__inet_lookup(n, 1, port, 2, 80, 1, 0)).toBe(sk);
			count.set(sk, (count.get(sk) ?? 0) + 1);
		}
		expect(count.size).toBe(4);
		for (const c of count.values()) expect(Math.abs(c - 1000)).toBeLessThan(200);
	});
});

test('ports: bind takes odd ones, connect even ones; ranges and reservations hold; none left is an error', async () => {
	const { h } = await one(
		'sysctl -qw net.ipv4.ip_local_port_range="4000 4019" net.ipv4.ip_local_reserved_ports=4001,4002',
	);
	await h.process('p', async (p) => {
		const bound: number[] = [];
		for (let i = 0; i < 9; i++) bound.push(ephemeral(p));
		expect([...bound].sort()).toEqual([4003, 4005, 4007, 4009, 4011, 4013, 4015, 4017, 4019]);
		const l = listen(p, '127.0.0.1', 80);
		const used: number[] = [];
		for (let i = 0; i < 9; i++) {
			const fd = await connect(p, '127.0.0.1', 80);
			expect(fd).toBeGreaterThan(0);
			const name = at('0.0.0.0', 0);
			p.getsockname(fd, name);
			used.push(name.sin_port);
		}
		expect(used.sort()).toEqual([4000, 4004, 4006, 4008, 4010, 4012, 4014, 4016, 4018]);
		expect(await connect(p, '127.0.0.1', 80)).toBe(-EADDRNOTAVAIL);
		expect(ephemeral(p)).toBe(-EADDRINUSE);
		// To another peer the same ports will do.
		p.close(l);
		const other = listen(p, '127.0.0.1', 81);
		expect(other).toBeGreaterThan(0);
		expect(await connect(p, '127.0.0.1', 81)).toBeGreaterThan(0);
	});
});

test('connect takes the place of a TIME_WAIT entry on loopback after a second', async () => {
	const { world, h } = await one('sysctl -qw net.ipv4.ip_local_port_range="4000 4000"');
	const n = h.machine.init_net;
	await h.process('p', async (p) => {
		const l = listen(p, '127.0.0.1', 80);
		const c = await connect(p, '127.0.0.1', 80);
		const s = await p.accept(l, null);
		p.close(c);
		await p.sleep(10);
		p.close(s);
		await p.sleep(10);
		const e = __inet_lookup_established(n, ip_pton('127.0.0.1'), 80, ip_pton('127.0.0.1'), 4000, 1, 0);
		expect(e !== null && is_timewait(e)).toBe(true);
		expect(await connect(p, '127.0.0.1', 80)).toBe(-EADDRNOTAVAIL);
		await p.sleep(1100);
		const again = await connect(p, '127.0.0.1', 80);
		expect(again).toBeGreaterThan(0);
		expect(await send(p, again, 'x')).toBe(1);
		expect(n.ipv4.tw_refcount).toBe(0);
	});
	await world.run('1s');
});

test('the accept queue: one more than the backlog; who waits is served in order; a closed listener resets them', async () => {
	const { world, a, b } = await pair();
	const got: string[] = [];
	const clients: Promise<void>[] = [];
	await b.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80, 2);
		for (let i = 0; i < 3; i++) {
			clients.push(
				a.process(`c${i}`, async (q) => {
					const fd = await connect(q, B, 80);
					await send(q, fd, String(i));
					got.push(String(await recv_text(q, fd)));
				}),
			);
			await p.sleep(20);
		}
		const sk = (p.task.files[l] as unknown as { sk: { sk_ack_backlog: number } }).sk;
		expect(sk.sk_ack_backlog).toBe(3);
		const first = await p.accept(l, null);
		expect(await recv_text(p, first)).toBe('0');
		await send(p, first, 'ok');
		p.close(l);
		await p.sleep(50);
		p.close(first);
	});
	await Promise.all(clients);
	await world.run('1s');
	expect(got.sort()).toEqual(['-104', '-104', 'ok']);
	expect(A).toBe('10.0.0.1');
});

test('ports and queues: nothing is left after random use', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.tuple(fc.nat(5), fc.nat(3), fc.boolean(), fc.boolean()), { maxLength: 40 }),
			async (ops) => {
				const { h } = await one('');
				const info = h.machine.init_net.ipv4.tcp_hashinfo;
				await h.process('p', async (p) => {
					const fds: number[] = [];
					for (const [what, port, reuse, reuseport] of ops) {
						const k = fds.length === 0 ? -1 : fds[(port * 31 + what) % fds.length];
						if (what <= 1 || k < 0) {
							const fd = p.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
							if (reuse) p.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ONE);
							if (reuseport) p.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, ONE);
							p.bind(fd, at(reuse ? '127.0.0.1' : '0.0.0.0', port === 0 ? 0 : 6000 + port));
							fds.push(fd);
						} else if (what === 2) p.listen(k, 2);
						else if (what === 3) await p.connect(k, at('127.0.0.1', 6000 + port));
						else {
							p.close(k);
							fds.splice(fds.indexOf(k), 1);
						}
						await p.sleep(1);
					}
					for (const fd of fds) p.close(fd);
					await p.sleep(130000);
				});
				expect(info.inuse).toBe(0);
				expect(entries(info)).toBe(0);
				expect(owners(info)).toBe(0);
				expect(h.machine.sock.tcp_memory.sockets_allocated).toBe(0);
				expect(h.machine.sock.tcp_memory.orphan_count).toBe(0);
				expect(h.machine.skb_pool.live).toBe(0);
			},
		),
		{ numRuns: 30 },
	);
});
