/*
 * What runs in the page of page.test.ts.
 */
import { broadcastCable } from '../../../src/lab/cables/broadcast.ts';
import { webSocketCable } from '../../../src/lab/cables/websocket.ts';
import { A, address, B, MAC, pings, worldWith } from './worlds.ts';

/** A host of this page pings one behind the browser's own WebSocket. Return: how many answers came. */
export async function overWebSocket(url: string): Promise<number> {
	const { world, host } = worldWith('page');
	const cable = webSocketCable(world, new WebSocket(url));
	cable.plugInto(host.nic('eth0', { mac: MAC[0] }));
	await address(host, A);
	// Before the link is up nothing crosses.
	for (let i = 0; i < 100 && cable.counters.tx === 0; i++) await pings(host, B);
	const got = await pings(host, B);
	cable.close();
	return got;
}

/** Two worlds of this page on one BroadcastChannel. Return: how many answers came. */
export async function overBroadcast(): Promise<number> {
	const [a, b] = [worldWith('a'), worldWith('b')];
	const cables = [a, b].map(({ world }) => broadcastCable(world, 'linnet-page'));
	for (const [i, { host }] of [a, b].entries()) {
		cables[i].plugInto(host.nic('eth0', { mac: MAC[i] }));
		await address(host, [A, B][i]);
	}
	const got = await pings(a.host, B);
	for (const c of cables) c.close();
	return got;
}
