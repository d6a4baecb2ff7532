import { expect, test } from 'vitest';
import { World } from '../../src/lab/index.ts';
import { type SocketError, withStreams } from '../../src/sockets/streams.ts';

async function two(delay = 5) {
	const world = new World({ seed: 1 });
	const a = withStreams(world.host('a'));
	const b = withStreams(world.host('b'));
	world.link(a.nic('eth0'), b.nic('eth0'), { delay });
	await a.must('ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up');
	await b.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up');
	return { world, a, b };
}

test('echo', async () => {
	const { a, b } = await two();
	const l = b.listenTcp({ port: 7 });
	const served = (async () => {
		for await (const c of l) await c.readable.pipeTo(c.writable);
	})();
	const c = await a.connectTcp({ hostname: '10.0.0.2', port: 7 });
	expect(c.remoteAddr).toEqual({ transport: 'tcp', hostname: '10.0.0.2', port: 7 });
	const w = c.writable.getWriter();
	await w.write(new TextEncoder().encode('hello'));
	await w.close();
	expect(await new Response(c.readable).text()).toBe('hello');
	l.close();
	await served;
});

test('refused: the cause tells where', async () => {
	const { a } = await two();
	const e = (await a.connectTcp({ hostname: '10.0.0.2', port: 81 }).catch((e) => e)) as SocketError;
	console.log(e, e.cause);
	expect(e.code).toBe('ECONNREFUSED');
	expect(e.cause).toMatchObject({ reason: 'NO_SOCKET', machine: 'b' });
});
