/*
 * bench/conntrack.ts: new flows a second through the forward path, and what a million entries weigh.
 */
import { nf_ct_netns_get } from '../src/net/netfilter/nf_conntrack_proto.ts';
import { type Bench, heapUsed, nanoseconds } from './bench.ts';
import { inChild } from './child.ts';
import { ETH0_MAC, LEFT_MAC, type Router, router, udpFrame } from './router.ts';

async function tracking(): Promise<Router> {
	const r = await router();
	nf_ct_netns_get(r.host.machine.init_net, 2);
	await r.host.must('sysctl -qw net.netfilter.nf_conntrack_max=4000000');
	return r;
}

const BURST = 64;

/** Sends `n` datagrams, each of a flow of its own; `first` counts on. */
function newFlows(r: Router, first: number, n: number): void {
	const frames = Array.from({ length: BURST }, () => {
		const f = udpFrame(ETH0_MAC, LEFT_MAC, 0x0a000002, 0x0a010001, 0, 0);
		f[40] = 0;
		f[41] = 0;
		return f;
	});
	const before = r.right.frames;
	const { port } = r.left;
	for (let k = first; k < first + n; k += BURST) {
		for (let i = 0; i < BURST; i++) {
			const f = frames[i];
			const flow = k + i;
			f[34] = 0x40 | ((flow >>> 22) & 0x3f);
			f[35] = flow >>> 14;
			f[36] = 0x40 | ((flow >>> 8) & 0x3f);
			f[37] = flow;
			port.receive(f, 0, 60, null);
		}
		r.world.advanceTo(r.world.clock.now + 20000);
	}
	if (r.right.frames - before !== n)
		throw new Error(`the router forwarded ${r.right.frames - before} of ${n} new flows`);
}

export const conntrackNew: Bench = {
	name: 'conntrack-new',
	unit: 'flows/s',
	target: '≥ 200k',
	ok: (v) => v >= 200e3,
	rounds: 5,
	more: true,
	ours: async (quick) => {
		const r = await tracking();
		const n = quick ? 128000 : 512000;
		let first = 0;
		const round = (): number => {
			const t = nanoseconds();
			newFlows(r, first, n);
			const ns = nanoseconds() - t;
			const count = r.host.machine.init_net.ct.count;
			if (count < n) throw new Error(`conntrack has ${count} entries after ${n} new flows`);
			first += n;
			// They all expire.
			r.world.advanceTo(r.world.clock.now + 400e9);
			return (n * 1e9) / ns;
		};
		round();
		return { round };
	},
	peers: [],
};

/** Context: a process of its own. Return: bytes of a million entries. */
export async function conntrackChild(): Promise<Record<string, number>> {
	const r = await tracking();
	newFlows(r, 0, 6400);
	const had = r.host.machine.init_net.ct.count;
	const before = heapUsed();
	newFlows(r, 1 << 20, 1e6);
	const bytes = heapUsed() - before;
	const count = r.host.machine.init_net.ct.count - had;
	if (count !== 1e6) throw new Error(`conntrack has ${count} entries after a million new flows`);
	return { bytes };
}

export const conntrackMemory: Bench = {
	name: 'conntrack-memory',
	unit: 'bytes',
	target: '< 1 GB',
	ok: (v) => v < 1e9,
	rounds: 1,
	more: false,
	ours: async () => ({ round: () => inChild('conntrack-memory').bytes }),
	peers: [],
};
