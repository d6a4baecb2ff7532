/*
 * test/sockets/browser_streams.ts: two hosts talk by linnet/streams: what browser.test.ts bundles, and a page runs. Knows nothing of Node; needs no shell.
 */
import { type Host, World } from '../../src/lab/index.ts';
import { type SocketError, withStreams } from '../../src/sockets/streams.ts';

async function ip(host: Host, ...lines: string[]): Promise<void> {
	for (const line of lines) {
		const r = await host.exec(['ip', ...line.split(' ')]);
		if (r.exitCode !== 0) throw new Error(r.stderr);
	}
}

/** Two hosts on a cable. */
export async function hosts(seed = 3): Promise<{ world: World; a: Host; b: Host }> {
	const world = new World({ seed });
	const a = world.host('a');
	const b = world.host('b');
	world.link(a.nic('eth0'), b.nic('eth0'), { delay: 10, loss: 0.02 });
	await ip(a, 'addr add 10.0.0.1/24 dev eth0', 'link set eth0 up');
	await ip(b, 'addr add 10.0.0.2/24 dev eth0', 'link set eth0 up');
	return { world, a, b };
}

export async function talk(seed = 3): Promise<Record<string, unknown>> {
	const pair = await hosts(seed);
	const a = withStreams(pair.a);
	const b = withStreams(pair.b);
	const listener = b.listenTcp({ port: 80 });
	const server = (async () => {
		for await (const c of listener) {
			const shout = new TransformStream<Uint8Array, Uint8Array>({
				transform: (d, out) => out.enqueue(d.map((x) => (x >= 97 && x <= 122 ? x - 32 : x))),
			});
			await c.readable.pipeThrough(shout).pipeTo(c.writable);
		}
	})();
	const c = await a.connectTcp({ hostname: '10.0.0.2', port: 80 });
	const sent = new Blob(['hello from a page. '.repeat(20_000)]).stream().pipeTo(c.writable);
	const answer = await new Response(c.readable).text();
	await sent;
	listener.close();
	await server;
	const refused = (await a.connectTcp({ hostname: '10.0.0.2', port: 81 }).catch((e) => e)) as SocketError;
	return {
		length: answer.length,
		begins: answer.slice(0, 18),
		code: refused.code,
		reason: refused.cause?.reason,
		machine: refused.cause?.machine,
	};
}
