import { expect, test } from 'vitest';
import { ECONNREFUSED } from '../../../../src/uapi/asm-generic/errno.ts';
import { AF_INET, SHUT_WR, SOCK_STREAM } from '../../../../src/uapi/linux/socket.ts';
import { A, at, B, connect, counter, listen, pair, pattern, recv, recv_all, recv_text, same, send } from './lab.ts';

const MB = 1 << 20;

test('a connection: hello there and back, closed from one side, TIME_WAIT and its end', async () => {
	const { world, a, b } = await pair();
	const server = b.process('server', async (p) => {
		const l = listen(p, '0.0.0.0', 80);
		const peer = at('0.0.0.0', 0);
		const c = await p.accept(l, peer);
		expect(c).toBeGreaterThan(0);
		expect(peer.sin_addr).toBe(at(A, 0).sin_addr);
		expect(await recv_text(p, c)).toBe('hello');
		expect(await send(p, c, 'there')).toBe(5);
		expect(await recv_text(p, c)).toBe('');
		expect(p.close(c)).toBe(0);
		expect(p.close(l)).toBe(0);
	});
	const client = a.process('client', async (p) => {
		const fd = await connect(p, B, 80);
		expect(fd).toBeGreaterThan(0);
		expect(counter(a, 'Tcp', 'CurrEstab')).toBe(1);
		expect(await send(p, fd, 'hello')).toBe(5);
		expect(await recv_text(p, fd)).toBe('there');
		expect(p.close(fd)).toBe(0);
	});
	await Promise.all([server, client]);
	await world.run('1s');
	expect(counter(a, 'Tcp', 'CurrEstab')).toBe(0);
	expect(counter(b, 'Tcp', 'CurrEstab')).toBe(0);
	expect(a.machine.init_net.ipv4.tw_refcount).toBe(1);
	expect(b.machine.init_net.ipv4.tw_refcount).toBe(0);
	await world.run('61s');
	expect(a.machine.init_net.ipv4.tw_refcount).toBe(0);
	expect(counter(a, 'TcpExt', 'TW')).toBe(1);
	for (const h of [a, b]) {
		expect(h.machine.sock.tcp_memory.sockets_allocated).toBe(0);
		expect(h.machine.sock.tcp_memory.memory_allocated).toBe(0);
		expect(h.machine.sock.tcp_memory.orphan_count).toBe(0);
		expect(h.machine.skb_pool.live).toBe(0);
	}
});

test('1 MB each way at the same time arrives whole', async () => {
	const { world, a, b } = await pair();
	const up = pattern(MB, 1);
	const down = pattern(MB, 2);
	const server = b.process('server', async (p) => {
		const l = listen(p, B, 80);
		const c = await p.accept(l, null);
		const sent = b.process('sender', async (q) => {
			q.task.files[c] = p.task.files[c];
			expect(await send(q, c, down)).toBe(MB);
			expect(q.shutdown(c, SHUT_WR)).toBe(0);
			q.task.files[c] = null;
		});
		const got = await recv_all(p, c);
		expect(same(got, up)).toBe(true);
		await sent;
		p.close(c);
	});
	const client = a.process('client', async (p) => {
		const fd = await connect(p, B, 80);
		expect(fd).toBeGreaterThan(0);
		const sent = a.process('sender', async (q) => {
			q.task.files[fd] = p.task.files[fd];
			expect(await send(q, fd, up)).toBe(MB);
			expect(q.shutdown(fd, SHUT_WR)).toBe(0);
			q.task.files[fd] = null;
		});
		const got = await recv_all(p, fd);
		expect(same(got, down)).toBe(true);
		await sent;
		p.close(fd);
	});
	await Promise.all([server, client]);
	await world.run('130s');
	expect(counter(a, 'Tcp', 'RetransSegs')).toBe(0);
	expect(counter(b, 'Tcp', 'RetransSegs')).toBe(0);
	for (const h of [a, b]) {
		expect(h.machine.sock.tcp_memory.memory_allocated).toBe(0);
		expect(h.machine.skb_pool.live).toBe(0);
	}
});

test('over loopback', async () => {
	const { a } = await pair();
	const data = pattern(MB);
	const server = a.process('server', async (p) => {
		const l = listen(p, '127.0.0.1', 80);
		const c = await p.accept(l, null);
		expect(same(await recv_all(p, c), data)).toBe(true);
		expect(await send(p, c, 'ok')).toBe(2);
		p.close(c);
		p.close(l);
	});
	const client = a.process('client', async (p) => {
		const fd = await connect(p, '127.0.0.1', 80);
		expect(fd).toBeGreaterThan(0);
		expect(await send(p, fd, data)).toBe(MB);
		expect(p.shutdown(fd, SHUT_WR)).toBe(0);
		expect(await recv_text(p, fd)).toBe('ok');
		expect(await recv(p, fd)).toHaveLength(0);
		p.close(fd);
	});
	await Promise.all([server, client]);
});

test('nobody listens: refused', async () => {
	const { a } = await pair();
	await a.process('client', async (p) => {
		expect(await connect(p, B, 81)).toBe(-ECONNREFUSED);
		expect(await connect(p, '127.0.0.1', 81)).toBe(-ECONNREFUSED);
		// The socket can be used again.
		const fd = p.socket(AF_INET, SOCK_STREAM, 0);
		expect(await p.connect(fd, at(B, 81))).toBe(-ECONNREFUSED);
		expect(await p.connect(fd, at(B, 82))).toBe(-ECONNREFUSED);
	});
	expect(counter(a, 'Tcp', 'AttemptFails')).toBe(4);
	expect(a.machine.skb_pool.live).toBe(0);
});
