/*
 * test/sockets/same.test.ts: the same program on node:net of this machine and on linnet/net: the same events, in the same order, with the same words.
 */
import * as nodeNet from 'node:net';
import { describe, expect, test } from 'vitest';
import { World } from '../../src/lab/index.ts';
import { createNet } from '../../src/sockets/net.ts';
import { behaviours } from './same.ts';

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

describe.each(Object.keys(behaviours))('%s', (name) => {
	let node: Record<string, string[]>;

	test('on node:net', async () => {
		const lines: string[] = [];
		await behaviours[name]({ client: nodeNet, server: nodeNet, address: '127.0.0.1' }, (l) => lines.push(l));
		expect(lines.length).toBeGreaterThan(0);
		node = bySide(lines);
	}, 20_000);

	test.each([
		['as fast as possible', 0],
		['in real time', 1],
	])(
		'on linnet, %s',
		async (_, pace) => {
			const { a, b } = await hosts(pace);
			const lines: string[] = [];
			await behaviours[name]({ client: createNet(a), server: createNet(b), address: '10.0.0.2' }, (l) => lines.push(l));
			expect(bySide(lines)).toEqual(node);
		},
		20_000,
	);

	test('on linnet, over loopback', async () => {
		const { a } = await hosts();
		const net = createNet(a);
		const lines: string[] = [];
		await behaviours[name]({ client: net, server: net, address: '127.0.0.1' }, (l) => lines.push(l));
		expect(bySide(lines)).toEqual(node);
	}, 20_000);
});
