/*
 * Cables that browsers have too, each between two worlds of this process: WebSocket, BroadcastChannel, v86's bus.
 */
import { expect, test } from 'vitest';
import { broadcastCable } from '../../../src/lab/cables/broadcast.ts';
import { type V86Like, v86Cable } from '../../../src/lab/cables/v86.ts';
import { connectWebSocket, listenWebSocket } from '../../../src/outside/websocket.ts';
import { A, address, B, MAC, pings, worldWith } from './worlds.ts';

test('BroadcastChannel: two worlds ping each other; closed, time is virtual again', async () => {
	const a = worldWith('a');
	const b = worldWith('b');
	const name = `linnet-test-${process.pid}`;
	const ca = broadcastCable(a.world, name);
	const cb = broadcastCable(b.world, name);
	ca.plugInto(a.host.nic('eth0', { mac: MAC[0] }));
	b.world.link(b.host.nic('eth0', { mac: MAC[1] }), cb, { delay: 1 });
	await address(a.host, A);
	await address(b.host, B);
	expect(await pings(a.host, B)).toBe(3);
	expect(cb.counters.rx).toBeGreaterThanOrEqual(4);
	ca.close();
	cb.close();
	expect(await ca.closed).toBe(null);
	expect((await a.host.sh('sleep 1.1; ip link show eth0')).stdout).toContain('NO-CARRIER');
});

test('WebSocket: clients on a switch behind a server; a client that goes is unplugged', async () => {
	const s = worldWith('s');
	const sw = s.world.switch('lan', [s.host.nic('eth0', { mac: '02:00:00:00:0c:01' })]);
	await address(s.host, '10.7.0.3');
	let here = 0;
	const listener = await listenWebSocket(s.world, 0, (cable) => {
		here++;
		sw.plug(cable);
		void cable.closed.then(() => {
			here--;
			sw.unplug(cable);
		});
	});
	const a = worldWith('a');
	const b = worldWith('b');
	const cables = [];
	for (const [i, { world, host }] of [a, b].entries()) {
		const cable = await connectWebSocket(world, `ws://127.0.0.1:${listener.port}/`);
		cable.plugInto(host.nic('eth0', { mac: MAC[i] }));
		await address(host, [A, B][i]);
		cables.push(cable);
	}
	expect(await pings(a.host, B)).toBe(3);
	expect(await pings(b.host, '10.7.0.3')).toBe(3);
	expect(here).toBe(2);
	cables[1].close();
	for (let i = 0; i < 50 && here > 1; i++) await new Promise((r) => setTimeout(r, 20));
	expect(here).toBe(1);
	expect(await pings(a.host, B)).toBe(0);
	listener.close();
	expect(await cables[0].closed).toContain('closed');
});

test('a WebSocket that nobody listens for is an error that says so', async () => {
	const { world } = worldWith('a');
	await expect(connectWebSocket(world, 'ws://127.0.0.1:1/')).rejects.toThrow('ECONNREFUSED');
	await expect(connectWebSocket(world, 'http://127.0.0.1:1/')).rejects.toThrow('expected ws://');
});

/** v86's bus, with another machine of ours where the emulated one would be. */
class Bus implements V86Like {
	private listeners: Map<string, ((frame: Uint8Array) => void)[]> = new Map();
	other: Bus | null = null;

	add_listener(event: string, listener: (frame: Uint8Array) => void): void {
		this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
	}

	remove_listener(event: string, listener: (frame: Uint8Array) => void): void {
		this.listeners.set(
			event,
			(this.listeners.get(event) ?? []).filter((l) => l !== listener),
		);
	}

	readonly bus = {
		// What one card is handed is what the other's sends.
		send: (event: string, frame: Uint8Array): void => {
			const sent = event.replace('-receive', '-send');
			setTimeout(() => {
				for (const l of this.other?.listeners.get(sent) ?? []) l(frame);
			}, 0);
		},
	};

	count(event: string): number {
		return this.listeners.get(event)?.length ?? 0;
	}
}

test("v86: the card's events", async () => {
	const a = worldWith('a');
	const b = worldWith('b');
	const [va, vb] = [new Bus(), new Bus()];
	va.other = vb;
	vb.other = va;
	const ca = v86Cable(a.world, va);
	const cb = v86Cable(b.world, vb);
	ca.plugInto(a.host.nic('eth0', { mac: MAC[0] }));
	cb.plugInto(b.host.nic('eth0', { mac: MAC[1] }));
	await address(a.host, A);
	await address(b.host, B);
	expect(await pings(b.host, A)).toBe(3);
	expect(va.count('net0-send')).toBe(1);
	ca.close();
	cb.close();
	expect(va.count('net0-send')).toBe(0);
});
