/*
 * bench/boot.ts: a thousand hosts on a hundred switches, each configured by its shell.
 */
import { World } from '../src/lab/index.ts';
import { packet } from '../src/packet/build.ts';
import { type Bench, nanoseconds } from './bench.ts';
import { inChild } from './child.ts';

const SWITCHES = 100;
const HOSTS = 10;

/** Context: a process of its own. Return: seconds, and the most memory that the process had. */
export async function bootChild(): Promise<Record<string, number>> {
	const t = nanoseconds();
	const world = new World({ seed: 1 });
	for (let s = 0; s < SWITCHES; s++) {
		const sw = world.switch(`sw${s}`);
		for (let h = 1; h <= HOSTS; h++) {
			const host = world.host(`h${s}-${h}`);
			sw.plug(host.nic('eth0'));
			await host.must(
				`ip addr add 10.0.${s}.${h}/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.${s}.${(h % HOSTS) + 1}`,
			);
		}
	}
	await world.settle();
	const seconds = (nanoseconds() - t) / 1e9;
	const rss = process.resourceUsage().maxRSS * 1024;
	// They are what they are said to be: each finds its neighbour.
	for (let s = 0; s < SWITCHES; s += 33) {
		const host = world.hosts.get(`h${s}-1`)!;
		await host.exec(['linnet-send'], { stdin: packet(`IP(src='10.0.${s}.1', dst='10.0.${s}.${HOSTS}')/ICMP()`) });
		await world.run(100);
		const neigh = await host.must('ip neigh');
		if (!neigh.includes('REACHABLE')) throw new Error(`h${s}-1 cannot reach its neighbour: ${neigh}`);
	}
	return { seconds, rss };
}

let rss = 0;

export const boot1000: Bench = {
	name: 'boot-1000-hosts',
	unit: 's',
	target: '< 5 s, < 500 MB',
	ok: (v) => v < 5 && rss < 500e6,
	rounds: 3,
	more: false,
	ours: async () => ({
		round() {
			const r = inChild('boot-1000-hosts');
			rss = Math.max(rss, r.rss);
			return r.seconds;
		},
	}),
	peers: [],
	note: () => `${(rss / 1e6).toFixed(0)} MB, the whole process`,
};
