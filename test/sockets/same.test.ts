/*
 * test/sockets/same.test.ts: the same program on node:net of this machine and on linnet/net: the same events, in the same order, with the same words.
 */
import * as nodeDgram from 'node:dgram';
import * as nodeNet from 'node:net';
import { describe, expect, test } from 'vitest';
import { World } from '../../src/lab/index.ts';
import { createDgram } from '../../src/sockets/dgram.ts';
import { createNet } from '../../src/sockets/net.ts';
import { behaviours, type Sides } from './same.ts';
import { type DgramSides, dgramBehaviours } from './same_dgram.ts';

/** Two hosts on a cable, 2 ms long. */
async function hosts(pace = 0) {
	const world = new World({ seed: 1, pace });
	const a = world.host('a');
	const b = world.host('b');
	world.link(a.nic('eth0'), b.nic('eth0'), { delay: 2 });
	await a.must('ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up');
	await b.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up');
	return { world, a, b };
}

/** What one side does, in order; how the two sides' lines mix is a matter of time. */
function bySide(lines: string[]): Record<string, string[]> {
	const sides: Record<string, string[]> = {};
	for (const l of lines) {
		const side = /^(client|server|late|second) /.exec(l)?.[1] ?? '-';
		(sides[side] ??= []).push(l);
	}
	return sides;
}

/** Runs a behaviour to its end. Return: what was written down. */
async function told(name: string, sides: Sides): Promise<Record<string, string[]>> {
	const lines: string[] = [];
	await behaviours[name](sides, (l) => lines.push(l));
	// What the other side still has to say.
	await new Promise((r) => setTimeout(r, 40));
	expect(lines.length).toBeGreaterThan(0);
	return bySide(lines);
}

async function toldOfDatagrams(name: string, sides: DgramSides): Promise<string[]> {
	const lines: string[] = [];
	await dgramBehaviours[name](sides, (l) => lines.push(l));
	expect(lines.length).toBeGreaterThan(0);
	return lines;
}

describe.each(Object.keys(dgramBehaviours))('dgram: %s', (name) => {
	test('on linnet as on node:dgram', async () => {
		const node = await toldOfDatagrams(name, { client: nodeDgram, server: nodeDgram, address: '127.0.0.1' });
		for (const pace of [0, 1]) {
			const { a, b } = await hosts(pace);
			const [client, server] = [createDgram(a), createDgram(b)];
			expect(await toldOfDatagrams(name, { client, server, address: '10.0.0.2' })).toEqual(node);
		}
		const dgram = createDgram((await hosts()).a);
		expect(await toldOfDatagrams(name, { client: dgram, server: dgram, address: '127.0.0.1' })).toEqual(node);
	}, 20_000);
});

describe.each(Object.keys(behaviours))('%s', (name) => {
	let node: Record<string, string[]>;

	test('on node:net', async () => {
		node = await told(name, { client: nodeNet, server: nodeNet, address: '127.0.0.1' });
	}, 20_000);

	test.each([
		['as fast as possible', 0],
		['in real time', 1],
	])(
		'on linnet, %s',
		async (_, pace) => {
			const { a, b } = await hosts(pace);
			expect(await told(name, { client: createNet(a), server: createNet(b), address: '10.0.0.2' })).toEqual(node);
		},
		20_000,
	);

	test('on linnet, over loopback', async () => {
		const { a } = await hosts();
		const net = createNet(a);
		expect(await told(name, { client: net, server: net, address: '127.0.0.1' })).toEqual(node);
	}, 20_000);
});
