/*
 * bench/forward.ts: packets a second through a router: vnic, NAPI, ip_rcv … dev_queue_xmit, vnic.
 */
import { type Bench, nanoseconds, type Side } from './bench.ts';
import { linuxForward } from './linux.ts';
import { ETH0_MAC, ETH1_MAC, feed, LEFT_MAC, RIGHT_MAC, type Router, router, udpFrame } from './router.ts';

const FLOWS = 256;
const HOST = 0x0a000002;
const FAR = 0x0a010000;

function outbound(): Uint8Array[] {
	return Array.from({ length: FLOWS }, (_, i) => udpFrame(ETH0_MAC, LEFT_MAC, HOST, FAR + 1 + i, 5000 + i, 9));
}

function pps(r: Router, n: number, work: () => void, clock = nanoseconds): number {
	const before = r.left.frames + r.right.frames;
	const t = clock();
	work();
	const ns = clock() - t;
	const got = r.left.frames + r.right.frames - before;
	if (got !== n) throw new Error(`the router forwarded ${got} of ${n} frames`);
	return (n * 1e9) / ns;
}

/** Rounds of plain forwarding with these commands before, timed by `clock`. */
export async function forwarding(script: string, n: number, clock = nanoseconds): Promise<Side> {
	const r = await router(script);
	const frames = outbound();
	feed(r, r.left, frames, n / 2);
	return { round: () => pps(r, n, () => feed(r, r.left, frames, n), clock) };
}

export const forward64: Bench = {
	name: 'forward-64B',
	unit: 'pps',
	target: '≥ 2M, ≥ 5× linux-veth',
	ok: (v) => v >= 2e6,
	rounds: 7,
	more: true,
	ours: (quick) => forwarding('', quick ? 320000 : 1280000),
	peers: [
		{ name: 'linux-veth', side: () => linuxForward('') },
		{ name: 'linux-xdp', side: () => linuxForward('', '', 'xdp') },
	],
};

const NAT = 'iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE';

export const forwardNat: Bench = {
	name: 'forward-64B-nat',
	unit: 'pps',
	target: '≥ 1M',
	ok: (v) => v >= 1e6,
	rounds: 7,
	more: true,
	ours: async (quick) => {
		const r = await router(NAT);
		const n = quick ? 320000 : 1280000;
		const out = outbound();
		r.right.keep = [];
		feed(r, r.left, out, FLOWS);
		const sent = r.right.keep;
		r.right.keep = null;
		if (sent.length !== FLOWS) throw new Error(`the router forwarded ${sent.length} of ${FLOWS} new flows`);
		// The answer to each translated packet.
		const back = sent.map((f) => {
			const u32 = (o: number): number => ((f[o] << 24) | (f[o + 1] << 16) | (f[o + 2] << 8) | f[o + 3]) >>> 0;
			if (u32(26) !== 0x0a000101) throw new Error('a packet was not masqueraded');
			return udpFrame(ETH1_MAC, RIGHT_MAC, u32(30), u32(26), (f[36] << 8) | f[37], (f[34] << 8) | f[35]);
		});
		const both = (m: number): void => {
			for (let i = 0; i < m; i += 2 * FLOWS) {
				feed(r, r.left, out, FLOWS);
				feed(r, r.right, back, FLOWS);
			}
		};
		both(n / 2);
		return { round: () => pps(r, n, () => both(n)) };
	},
	peers: [
		{ name: 'linux-veth', side: () => linuxForward('iptables-legacy -t nat -A POSTROUTING -o out -j MASQUERADE') },
	],
};

/** `n` rules in FORWARD that match nothing that comes. */
export function ruleset(n: number): string {
	const lines = ['*filter', ':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]'];
	for (let i = 0; i < n; i++)
		lines.push(`-A FORWARD -s 172.${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32 -p udp -j DROP`);
	lines.push('COMMIT', '');
	return lines.join('\n');
}

export function rules(n: number): Bench {
	return {
		name: `rules-${n}`,
		unit: 'pps',
		target: '',
		ok: () => true,
		rounds: 5,
		more: true,
		ours: async (quick) => {
			const r = await router();
			const done = await r.host.exec(['iptables-restore'], { stdin: ruleset(n) });
			if (done.exitCode !== 0) throw new Error(`iptables-restore: ${done.stderr}`);
			const frames = outbound();
			const m = Math.ceil((quick ? 2e5 : 8e5) / (1 + n / 20) / FLOWS) * FLOWS;
			feed(r, r.left, frames, Math.max(m, 20480));
			return { round: () => pps(r, m, () => feed(r, r.left, frames, m)) };
		},
		peers: ['iptables-legacy', 'iptables-nft'].map((name) => ({
			name,
			side: () => linuxForward(`${name}-restore`, ruleset(n)),
		})),
	};
}
