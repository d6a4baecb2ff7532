/*
 * test/sockets/streams.test.ts: linnet/streams: bytes, ends, back-pressure, datagrams.
 */
import { expect, test } from 'vitest';
import { type Datagram, type SocketError, type TcpConn, withStreams } from '../../src/sockets/streams.ts';
import { leftovers, routed, SERVER } from './worlds.ts';

const utf8 = new TextEncoder();
const text = (c: TcpConn) => new Response(c.readable).text();

function pattern(len: number): Uint8Array<ArrayBuffer> {
	const b = new Uint8Array(len);
	for (let i = 0, x = 1; i < len; i++) {
		x = (Math.imul(x, 1103515245) + 12345) | 0;
		b[i] = x >>> 16;
	}
	return b;
}

const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((x, i) => x === b[i]);

test('echo by pipeTo; a name of /etc/hosts; nothing is left behind', async () => {
	const { world, client, server } = await routed();
	client.disk.write('/etc/hosts', utf8.encode(`${SERVER} server.example server\n`), false);
	const l = server.listenTcp({ port: 7 });
	expect(l.addr).toEqual({ transport: 'tcp', hostname: '0.0.0.0', port: 7 });
	const served = (async () => {
		for await (const c of l) await c.readable.pipeTo(c.writable);
	})();
	const c = await client.connectTcp({ hostname: 'server', port: 7 });
	expect(c.remoteAddr).toEqual({ transport: 'tcp', hostname: SERVER, port: 7 });
	expect(c.localAddr.hostname).toBe('10.1.0.2');
	const w = c.writable.getWriter();
	await w.write(utf8.encode('hello'));
	await w.close();
	expect(await text(c)).toBe('hello');
	l.close();
	await served;
	await world.run('200s');
	expect(leftovers(world)).toEqual({});
});

test('4 MB over a cable that loses 1 %, 20 ms away', async () => {
	const { client, server } = await routed({ loss: 0.01, delay: 10, seed: 5 });
	const data = pattern(4 << 20);
	const l = server.listenTcp({ port: 80 });
	const up = (async () => {
		const c = (await l.accept())!;
		return new Uint8Array(await new Response(c.readable).arrayBuffer());
	})();
	const c = await client.connectTcp({ hostname: SERVER, port: 80 });
	await new Blob([data]).stream().pipeTo(c.writable);
	expect(same(await up, data)).toBe(true);
	c.close();
	l.close();
});

test('nobody reads: the window closes and writes wait; then all of it comes', async () => {
	const { client, server } = await routed();
	const l = server.listenTcp({ port: 80 });
	const accepted = l.accept();
	const c = await client.connectTcp({ hostname: SERVER, port: 80 });
	const s = (await accepted)!;
	const w = c.writable.getWriter();
	const block = new Uint8Array(1 << 16).fill(7);
	let written = 0;
	let stuck = false;
	while (!stuck) {
		const went = w.write(block).then(() => true);
		stuck = !(await Promise.race([went, new Promise<boolean>((r) => setTimeout(() => r(false), 150))]));
		written += block.length;
		expect(written).toBeLessThan(64 << 20);
	}
	const ss = await server.must('cat /proc/net/snmp');
	expect(ss).toContain('Tcp:');
	let got = 0;
	const all = (async () => {
		for await (const d of s.readable as unknown as AsyncIterable<Uint8Array>) got += d.length;
	})();
	await w.close();
	await all;
	expect(got).toBe(written);
	s.close();
	c.close();
	l.close();
});

test('a reader that brings its own buffer', async () => {
	const { client, server } = await routed();
	const l = server.listenTcp({ port: 80 });
	void (async () => {
		const c = (await l.accept())!;
		const w = c.writable.getWriter();
		await w.write(utf8.encode('0123456789'));
		await w.close();
	})();
	const c = await client.connectTcp({ hostname: SERVER, port: 80 });
	const r = c.readable.getReader({ mode: 'byob' } as never) as unknown as ReadableStreamBYOBReader;
	let out = '';
	for (;;) {
		const { value, done } = await r.read(new Uint8Array(4));
		if (done) break;
		expect(value!.length).toBeLessThanOrEqual(4);
		out += new TextDecoder().decode(value);
	}
	expect(out).toBe('0123456789');
	c.close();
	l.close();
});

test('an abort is a reset at the other end; close tells both streams', async () => {
	const { client, server } = await routed();
	const l = server.listenTcp({ port: 80 });
	const accepted = l.accept();
	const c = await client.connectTcp({ hostname: SERVER, port: 80 });
	const s = (await accepted)!;
	const read = s.readable.getReader().read();
	await c.writable.abort();
	await expect(read).rejects.toMatchObject({ code: 'ECONNRESET', message: 'read ECONNRESET' });
	await expect(c.readable.getReader().read()).rejects.toMatchObject({ code: 'ENOTCONN' });
	const again = l.accept();
	const d = await client.connectTcp({ hostname: SERVER, port: 80 });
	const e = (await again)!;
	d.close();
	d.close();
	expect(await text(e)).toBe('');
	await expect(d.writable.getWriter().write(utf8.encode('x'))).rejects.toMatchObject({ code: 'ENOTCONN' });
	e.close();
	l.close();
});

test('half-closed: the answer comes after our end', async () => {
	const { client, server } = await routed();
	const l = server.listenTcp({ port: 80 });
	void (async () => {
		const c = (await l.accept())!;
		const asked = await text(c);
		const w = c.writable.getWriter();
		await w.write(utf8.encode(`you asked ${asked}`));
		await w.close();
	})();
	const c = await client.connectTcp({ hostname: SERVER, port: 80, localPort: 4000 });
	expect(c.localAddr.port).toBe(4000);
	const w = c.writable.getWriter();
	await w.write(utf8.encode('why'));
	await w.close();
	expect(await text(c)).toBe('you asked why');
	l.close();
});

test('signals, names that are unknown, ports that are taken', async () => {
	const { client, server } = await routed();
	const ac = new AbortController();
	const connecting = client.connectTcp({ hostname: '10.1.0.77', port: 80, signal: ac.signal });
	ac.abort();
	await expect(connecting).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
	await expect(client.connectTcp({ hostname: 'nowhere', port: 80 })).rejects.toMatchObject({
		code: 'ENOTFOUND',
		message: 'getaddrinfo ENOTFOUND nowhere',
	});
	const l = server.listenTcp({ port: 80 });
	expect(() => server.listenTcp({ port: 80 })).toThrow('listen EADDRINUSE 0.0.0.0:80');
	let failed: SocketError | undefined;
	try {
		server.listenTcp({ port: 81, hostname: '10.9.9.9' });
	} catch (e) {
		failed = e as SocketError;
	}
	expect(failed?.code).toBe('EADDRNOTAVAIL');
	const waiting = l.accept();
	l.close();
	expect(await waiting).toBeNull();
	expect(await l.accept()).toBeNull();
});

test('a thousand connections at a time', async () => {
	const { client, server } = await routed();
	const l = server.listenTcp({ port: 80, backlog: 2000 });
	void (async () => {
		for await (const c of l) void c.readable.pipeTo(c.writable);
	})();
	const answers = await Promise.all(
		Array.from({ length: 1000 }, async (_, i) => {
			const c = await client.connectTcp({ hostname: SERVER, port: 80 });
			const w = c.writable.getWriter();
			await w.write(utf8.encode(`number ${i}`));
			await w.close();
			return text(c);
		}),
	);
	expect(answers).toEqual(Array.from({ length: 1000 }, (_, i) => `number ${i}`));
	l.close();
});

test('datagrams', async () => {
	const { client, server } = await routed();
	const echo = server.openUdp({ port: 7 });
	void (async () => {
		const w = echo.writable.getWriter();
		for await (const d of echo) await w.write(d);
	})();
	const u = client.openUdp();
	const w = u.writable.getWriter();
	const r = u.readable.getReader();
	for (const word of ['one', 'two', '']) {
		await w.write({ hostname: SERVER, port: 7, data: utf8.encode(word) });
		const { value } = (await r.read()) as { value: Datagram };
		expect(value).toEqual({ hostname: SERVER, port: 7, data: utf8.encode(word) });
	}
	await expect(w.write({ hostname: SERVER, port: 7, data: new Uint8Array(65508) })).rejects.toMatchObject({
		code: 'EMSGSIZE',
	});
	u.close();
	echo.close();
	expect((await r.read()).done).toBe(true);
});

test('a program of the host and code outside of it, on one connection', async () => {
	const { world, client, server } = await routed();
	const web = withStreams(server).listenTcp({ port: 80 });
	void (async () => {
		for await (const c of web) {
			const w = c.writable.getWriter();
			await w.write(utf8.encode('from outside'));
			await w.close();
			await c.readable.cancel();
		}
	})();
	// The host's own programs run meanwhile, and time hurries for them.
	const before = world.now;
	const r = await client.sh(`sleep 3600; ping -c 2 ${SERVER}`);
	expect(r.stdout).toContain('2 received');
	expect(world.now - before).toBeGreaterThan(3_600_000);
	const c = await client.connectTcp({ hostname: SERVER, port: 80 });
	expect(await text(c)).toBe('from outside');
	c.close();
	web.close();
});
