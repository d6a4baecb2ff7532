/*
 * test/sockets/net.test.ts: what same.test.ts cannot compare: text to addresses, TLS on top, multicast between hosts, streams over bad cables.
 */
import * as nodeNet from 'node:net';
import { pipeline } from 'node:stream/promises';
import * as tls from 'node:tls';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { World } from '../../src/lab/index.ts';
import { createDgram } from '../../src/sockets/dgram.ts';
import { createNet } from '../../src/sockets/net.ts';
import { leftovers, routed, SERVER } from './worlds.ts';

test('isIP says what Node says', () => {
	const net = createNet(new World().host('a'));
	const group = fc.oneof(fc.constant(''), fc.stringMatching(/^[0-9a-f]{1,5}$/), fc.ipV4());
	const almost = fc.array(group, { maxLength: 10 }).map((g) => g.join(':'));
	const text = fc.oneof(
		fc.ipV4(),
		fc.ipV4Extended(),
		fc.ipV6(),
		almost,
		fc.string(),
		almost.map((s) => `${s}%eth0`),
	);
	fc.assert(
		fc.property(text, (s) => {
			expect([net.isIP(s), net.isIPv4(s), net.isIPv6(s)]).toEqual([
				nodeNet.isIP(s),
				nodeNet.isIPv4(s),
				nodeNet.isIPv6(s),
			]);
		}),
		{ numRuns: 3000 },
	);
});

test('node:tls over it, both ends', async () => {
	const { client, server } = await routed({ loss: 0.01, delay: 5 });
	// A shared key: no certificates to grow old.
	const psk = Buffer.alloc(32, 'key');
	const options = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;
	const secure = tls.createServer({ ...options, pskCallback: () => psk }, (s) => s.pipe(s));
	const listener = createNet(server).createServer((socket) => secure.emit('connection', socket));
	listener.listen(443);
	const c = tls.connect({
		...options,
		socket: createNet(client).connect(443, SERVER),
		pskCallback: () => ({ psk, identity: 'robin' }),
		checkServerIdentity: () => undefined,
	});
	await new Promise<void>((resolve, reject) => c.once('secureConnect', () => resolve()).once('error', reject));
	expect(c.getCipher().name).toBe('PSK-AES128-GCM-SHA256');
	let got = 0;
	c.on('data', (d: Buffer) => {
		got += d.length;
	});
	c.end(Buffer.alloc(500_000, 'secret'));
	await new Promise<void>((resolve) => c.once('end', () => resolve()));
	expect(got).toBe(500_000);
	listener.close();
});

test('multicast: who has joined hears, who has not does not', async () => {
	const world = new World({ seed: 1 });
	const [a, b, c] = ['a', 'b', 'c'].map((name) => world.host(name));
	world.switch('s', [a.nic('eth0'), b.nic('eth0'), c.nic('eth0')], { delay: 1 });
	for (const [i, h] of [a, b, c].entries())
		await h.must(`ip addr add 10.0.0.${i + 1}/24 dev eth0; ip link set eth0 up; ip route add 224.0.0.0/4 dev eth0`);
	const heard: string[] = [];
	const sockets = await Promise.all(
		[b, c].map(async (h) => {
			const s = createDgram(h).createSocket({ type: 'udp4', reuseAddr: true });
			s.on('message', (m, from) => heard.push(`${h.name} ${m} ${from.address}`));
			await new Promise<void>((resolve) => s.bind(5353, () => resolve()));
			return s;
		}),
	);
	sockets[0].addMembership('224.0.0.251');
	const sender = createDgram(a).createSocket('udp4');
	const send = (text: string) =>
		new Promise<void>((resolve) => sender.send(text, 5353, '224.0.0.251', () => resolve()));
	await send('one');
	await world.run('50ms');
	await new Promise((r) => setTimeout(r, 5));
	sockets[1].addMembership('224.0.0.251');
	sockets[0].dropMembership('224.0.0.251');
	await send('two');
	await world.run('50ms');
	await new Promise((r) => setTimeout(r, 5));
	expect(heard).toEqual(['b one 10.0.0.1', 'c two 10.0.0.1']);
	sender.setBroadcast(true);
	sender.send('three', 5353, '10.0.0.255');
	await world.run('50ms');
	await new Promise((r) => setTimeout(r, 5));
	expect(heard.slice(2).sort()).toEqual(['b three 10.0.0.1', 'c three 10.0.0.1']);
	for (const s of [sender, ...sockets]) s.close();
});

test('streams arrive whole and in order, whatever the cable does, and nothing is left behind', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.record({
				seed: fc.integer({ min: 1, max: 1e6 }),
				loss: fc.double({ min: 0, max: 0.05, noNaN: true }),
				duplicate: fc.double({ min: 0, max: 0.05, noNaN: true }),
				corrupt: fc.double({ min: 0, max: 0.02, noNaN: true }),
				jitter: fc.integer({ min: 0, max: 10 }),
				delay: fc.integer({ min: 0, max: 30 }),
				sizes: fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 8 }),
			}),
			async ({ seed, sizes, ...link }) => {
				const world = new World({ seed });
				const [a, b] = ['a', 'b'].map((name) => world.host(name));
				world.link(a.nic('eth0'), b.nic('eth0'), link);
				await a.must('ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up');
				await b.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up');
				const data = sizes.map((n, i) => Buffer.alloc(n, `${i} of it, `));
				const listener = createNet(b).createServer((s) => void pipeline(s, s).catch(() => {}));
				await new Promise<void>((resolve) => listener.listen(7, () => resolve()));
				const s = createNet(a).connect(7, '10.0.0.2');
				const back: Buffer[] = [];
				s.on('data', (d) => back.push(d));
				for (const d of data) s.write(d);
				s.end();
				await new Promise<void>((resolve, reject) => s.once('close', () => resolve()).once('error', reject));
				expect(Buffer.concat(back).equals(Buffer.concat(data))).toBe(true);
				listener.close();
				await world.run('300s');
				expect(leftovers(world)).toEqual({});
			},
		),
		{ numRuns: 40, endOnFailure: true },
	);
}, 60_000);
