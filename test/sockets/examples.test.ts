/*
 * test/sockets/examples.test.ts: software that others wrote, on linnet's sockets: a laptop behind a NAT router, a server 20 ms away, 1 % loss.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

async function run(name: string, options: { seed?: number; pace?: number } = {}): Promise<Record<string, unknown>> {
	const file = resolve(import.meta.dirname, `../../examples/sockets/${name}.mjs`);
	const { example } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as {
		example(o: object): Promise<Record<string, unknown>>;
	};
	return example(options);
}

const expected: Record<string, Record<string, unknown>> = {
	http: {
		hello: 'GET /hello from 203.0.113.1: ',
		posted: 'POST /things from 203.0.113.1: one thing',
		big: true,
		oneConnection: true,
	},
	undici: {
		answers: Array.from({ length: 12 }, (_, i) => ({ path: `/${i}`, bytes: i * 1000 })),
		refused: 'ECONNREFUSED',
		where: 'NO_SOCKET in tcp_v4_rcv (nobody listens) on server',
	},
	ws: { echoes: ['hello', 'over', 'linnet'], big: 300_000, code: 1000, reason: 'bye' },
	pg: { rows: 2000, last: { n: '2000', square: '4000000' }, echo: 'a parameter', wrong: '42601', denied: '28P01' },
	ssh2: { output: 'you said: uname -a\n', code: 3, forwarded: 'only for hosts inside\n' },
	mqtt: { heard: ['birds/linnet qos 0', 'birds/linnet qos 1', 'birds/linnet qos 2', 'birds/sensor gone'] },
};

describe.each(Object.keys(expected))('%s', (name) => {
	test.each([1, 2, 3])(
		'seed %i',
		async (seed) => {
			expect(await run(name, { seed })).toEqual(expected[name]);
		},
		20_000,
	);

	test('in real time', async () => {
		expect(await run(name, { pace: 1 })).toEqual(expected[name]);
	}, 20_000);
});
