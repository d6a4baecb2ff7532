/*
 * bench/fib.ts: a lookup among a million prefixes, and what the table weighs.
 */
import { Random } from '../src/lib/random.ts';
import { flowi4 } from '../src/net/core/flow.ts';
import type { net } from '../src/net/core/net_namespace.ts';
import { fib_lookup, fib_new_table } from '../src/net/ipv4/fib_frontend.ts';
import { fib_config, fib_result } from '../src/net/ipv4/fib_lookup.ts';
import { fib_table_insert } from '../src/net/ipv4/fib_trie.ts';
import { type Bench, heapUsed, median, nanoseconds } from './bench.ts';
import { inChild } from './child.ts';
import { router } from './router.ts';

const PREFIXES = 1e6;
/** How many of a hundred prefixes are this long: about what the Internet's table has. */
const SHARES: [number, number][] = [
	[24, 60],
	[23, 10],
	[22, 11],
	[21, 5],
	[20, 5],
	[19, 3],
	[18, 2],
	[17, 1],
	[16, 2],
	[32, 1],
];

/** Context: a process of its own. Return: ns of a lookup (of traffic with favourites; of any destination), bytes of the table. */
export async function fibChild(): Promise<Record<string, number>> {
	const r = await router();
	const net = r.host.machine.init_net;
	const random = new Random(1, 'fib');
	const lengths: number[] = [];
	for (const [len, share] of SHARES) for (let i = 0; i < share; i++) lengths.push(len);
	const addrs = new Uint32Array(1 << 20);
	const before = heapUsed();
	const main = fib_new_table(net, 254);
	const dev = r.host.nic('eth1').dev;
	let n = 0;
	const t0 = nanoseconds();
	while (n < PREFIXES) {
		const len = lengths[random.below(lengths.length)];
		// 16.0.0.0 to 223.255.255.255.
		const addr = (0x10000000 + random.below(0xd0000000)) >>> 0;
		const cfg = new fib_config();
		cfg.fc_dst = len === 32 ? addr : (addr & ~(2 ** (32 - len) - 1)) >>> 0;
		cfg.fc_dst_len = len;
		cfg.fc_table = 254;
		cfg.fc_protocol = 186;
		cfg.fc_type = 1;
		cfg.fc_oif = dev.ifindex;
		cfg.fc_gw_family = 2;
		cfg.fc_gw4 = 0x0a000102 + (n & 7);
		// NLM_F_CREATE | NLM_F_EXCL: what is there already does not count.
		cfg.fc_nlflags = 0x600;
		const err = fib_table_insert(net, main, cfg, null);
		if (err === -17) continue;
		if (err < 0) throw new Error(`fib_table_insert: ${err}`);
		if (n < addrs.length) addrs[n] = (cfg.fc_dst + random.below(2 ** (32 - len))) >>> 0;
		n++;
	}
	const insert = (nanoseconds() - t0) / n;
	for (let i = n; i < addrs.length; i++) addrs[i] = addrs[i - n];
	// In no order.
	for (let i = addrs.length - 1; i > 0; i--) {
		const j = random.below(i + 1);
		const a = addrs[i];
		addrs[i] = addrs[j];
		addrs[j] = a;
	}
	// Traffic's favourites: the k-th most wanted destination comes 1/k as often (Zipf).
	const zipf = new Uint32Array(addrs.length);
	for (let i = 0; i < zipf.length; i++) zipf[i] = addrs[Math.floor(Math.exp(random.float() * Math.log(PREFIXES))) - 1];
	lookups(net, zipf);
	lookups(net, addrs);
	// What lookups left behind is part of the table.
	const bytes = heapUsed() - before - zipf.byteLength;
	const times: number[][] = [[], []];
	for (let round = 0; round < 7; round++) {
		times[0].push(lookups(net, zipf));
		times[1].push(lookups(net, addrs));
	}
	return { ns: median(times[0]), uniform: median(times[1]), bytes, insert };
}

/** Looks each address up once. Return: ns each. */
function lookups(net: net, addrs: Uint32Array): number {
	const flow = new flowi4();
	const res = new fib_result();
	let found = 0;
	const t = nanoseconds();
	for (let i = 0; i < addrs.length; i++) {
		flow.daddr = addrs[i];
		if (fib_lookup(net, flow, res, 0) === 0) found++;
	}
	const ns = (nanoseconds() - t) / addrs.length;
	if (found !== addrs.length) throw new Error(`${addrs.length - found} lookups found nothing`);
	return ns;
}

let bytes = 0;
let insert = 0;
let uniform = 0;

export const fib1M: Bench = {
	name: 'fib-lookup-1M',
	unit: 'ns',
	target: '< 100 ns, < 150 MB',
	ok: (v) => v < 100 && bytes < 150e6,
	rounds: 3,
	more: false,
	ours: async () => ({
		round() {
			const r = inChild('fib-lookup-1M');
			bytes = r.bytes;
			insert = r.insert;
			uniform = r.uniform;
			return r.ns;
		},
	}),
	peers: [],
	note: () =>
		`${(bytes / 1e6).toFixed(0)} MB; ${uniform.toFixed(0)} ns when all destinations are as likely; ${insert.toFixed(0)} ns to add one`,
};
