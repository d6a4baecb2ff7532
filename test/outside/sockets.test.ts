/*
 * Cables over sockets of this machine, each between two worlds of this process: stream and datagrams, unix, TCP and UDP. No root needed.
 */
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { World } from '../../src/lab/index.ts';
import { dgramAddress, openDgram } from '../../src/outside/dgram.ts';
import { connectStream, listenStream, streamAddress } from '../../src/outside/stream.ts';
import { A, address, B, MAC, pings, worldWith } from '../lab/cables/worlds.ts';

function path(name: string): string {
	return join(tmpdir(), `linnet-${process.pid}-${name}`);
}

test('addresses', () => {
	expect(streamAddress('unix:/a b')).toEqual({ path: '/a b' });
	expect(streamAddress('tcp:80')).toEqual({ host: '127.0.0.1', port: 80 });
	expect(streamAddress('tcp:[::1]:80')).toEqual({ host: '::1', port: 80 });
	expect(dgramAddress('udp:h:80')).toEqual({ host: 'h', port: 80 });
	for (const bad of ['unix:', 'tcp:', 'tcp:h:', 'tcp:h:65536', '/a', 'udp:1'])
		expect(() => streamAddress(bad)).toThrow('expected unix:PATH');
	expect(() => dgramAddress('tcp:1')).toThrow('expected udp:');
});

for (const kind of ['unix', 'tcp'])
	test(`stream over ${kind}: two worlds ping each other; the link goes when the peer does, and comes back`, async () => {
		const a = worldWith('a');
		const b = worldWith('b');
		const at = kind === 'unix' ? `unix:${path('s')}` : 'tcp:0';
		const listener = await listenStream(a.world, at);
		listener.plugInto(a.host.nic('eth0', { mac: MAC[0] }));
		await address(a.host, A);
		const to = kind === 'unix' ? at : `tcp:${listener.localPort}`;
		for (let i = 0; i < 2; i++) {
			const cable = await connectStream(b.world, to);
			cable.plugInto(b.host.nic('eth0', { mac: MAC[1] }));
			if (i === 0) await address(b.host, B);
			expect(await pings(b.host, A)).toBe(3);
			expect((await a.host.sh('sleep 1.1; ip -br link show eth0')).stdout).toContain('UP');
			cable.close();
			for (let k = 0; k < 50 && listener.taken; k++) await new Promise((r) => setTimeout(r, 20));
			expect((await a.host.sh('sleep 1.1; ip link show eth0')).stdout).toContain('NO-CARRIER');
		}
		listener.close();
	});

test('a peer that does not speak the framing is hung up on; the next one is served', async () => {
	const a = worldWith('a');
	const at = `unix:${path('bad')}`;
	const listener = await listenStream(a.world, at);
	const bad = createConnection(at.slice(5));
	await new Promise((done) => {
		bad.on('connect', () => bad.write('GET / HTTP/1.1\r\n\r\n'));
		bad.on('close', done);
	});
	const b = worldWith('b');
	const cable = await connectStream(b.world, at);
	for (let k = 0; k < 50 && !listener.taken; k++) await new Promise((r) => setTimeout(r, 20));
	expect(listener.taken).toBe(true);
	listener.close();
	expect(await cable.closed).toContain('the other side closed');
});

test('nobody there: an error that says so', async () => {
	await expect(connectStream(new World(), `unix:${path('none')}`)).rejects.toThrow('ENOENT');
	await expect(openDgram(new World(), 'udp:1', `unix:${path('x')}`)).rejects.toThrow('two kinds');
});

const DGRAM: [string, string, string][] = [['udp', 'udp:39217', 'udp:39218']];
// Unix datagrams go through koffi's system calls: Linux.
if (process.platform === 'linux') DGRAM.push(['unix', `unix:${path('d1')}`, `unix:${path('d2')}`]);

for (const [kind, one, two] of DGRAM)
	test(`dgram over ${kind}: two worlds ping each other`, async () => {
		const a = worldWith('a');
		const b = worldWith('b');
		const ca = await openDgram(a.world, one, two);
		const cb = await openDgram(b.world, two, one);
		ca.plugInto(a.host.nic('eth0', { mac: MAC[0] }));
		cb.plugInto(b.host.nic('eth0', { mac: MAC[1] }));
		await address(a.host, A);
		await address(b.host, B);
		expect(await pings(a.host, B)).toBe(3);
		expect(cb.counters.rxDropped).toBe(0);
		ca.close();
		cb.close();
	});
