/*
 * Two worlds of one host each, to be joined by a cable from outside to outside.
 */
import { type Host, World } from '../../../src/lab/index.ts';

export const A = '10.7.0.1';
export const B = '10.7.0.2';

export function worldWith(name: string): { world: World; host: Host } {
	const world = new World({ pace: 1 });
	return { world, host: world.host(name, {}) };
}

export async function address(host: Host, addr: string): Promise<void> {
	await host.must(`ip addr add ${addr}/24 dev eth0; ip link set eth0 up`);
}

/** MACs of two worlds' first NICs must differ. */
export const MAC = ['02:00:00:00:0a:01', '02:00:00:00:0b:01'];

/** Pings over the cable. Return: how many answers came. */
export async function pings(host: Host, to: string): Promise<number> {
	const r = await host.sh(`ping -c 3 -i 0.05 -W 2 ${to}`);
	return Number(/(\d+) received/.exec(r.stdout)?.[1] ?? 0);
}
