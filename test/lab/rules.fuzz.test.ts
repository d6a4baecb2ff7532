/*
 * Random packets through a router with random rules in all its tables, in a world of three hosts: nothing is thrown, every buffer comes back,
 * and the counters add up. Then floods: what is bounded stays in its bounds.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Host, World } from '../../src/lab/index.ts';
import { arp_tbl } from '../../src/net/ipv4/arp.ts';
import { packet } from '../../src/packet/build.ts';
import { AF_PACKET, msghdr, SOCK_RAW, sockaddr_ll } from '../../src/uapi/linux/socket.ts';
import { new_process } from '../../src/user/libc.ts';

const ETH = 'Ether(dst="02:00:00:01:00:01",src="02:00:00:00:00:01")';

async function world(): Promise<{ w: World; a: Host; r: Host; b: Host }> {
	const w = new World({ seed: 7 });
	const [a, r, b] = ['a', 'r', 'b'].map((n) => w.host(n));
	w.link(a.nic('eth0', { mac: '02:00:00:00:00:01' }), r.nic('eth0', { mac: '02:00:00:01:00:01' }));
	w.link(r.nic('eth1', { mac: '02:00:00:01:01:01' }), b.nic('eth0', { mac: '02:00:00:02:00:01' }));
	await a.must('ip link set eth0 up; ip addr add 10.0.1.2/24 dev eth0; ip route add default via 10.0.1.1');
	await r.must(
		'ip link set eth0 up; ip link set eth1 up; ip addr add 10.0.1.1/24 dev eth0; ip addr add 10.0.2.1/24 dev eth1',
	);
	await r.must('sysctl -qw net.ipv4.ip_forward=1');
	await b.must('ip link set eth0 up; ip addr add 10.0.2.2/24 dev eth0; ip route add default via 10.0.2.1');
	return { w, a, r, b };
}

/** Frames leave a's eth0 as they are. */
async function send(a: Host, frames: readonly Uint8Array[]): Promise<void> {
	const nic = a.nics.get('eth0')!;
	const proc = new_process(a.machine, ['sender'], a.programs, nic.dev.net, a.name);
	const fd = proc.socket(AF_PACKET, SOCK_RAW, 0);
	for (const f of frames) await proc.sendmsg(fd, new msghdr(f, sockaddr_ll(0x0800, nic.dev.ifindex)), 0);
	proc.close(fd);
}

const arb_match = fc.constantFrom(
	'',
	'-p udp',
	'-p tcp --syn',
	'-p icmp',
	'-p udp --dport 5:9',
	'! -s 10.0.1.2',
	'-m conntrack --ctstate NEW',
	'-m conntrack --ctstate RELATED,ESTABLISHED',
	'-m conntrack --ctstate INVALID',
	'-m mark --mark 1/1',
	'-m limit --limit 5/s --limit-burst 2',
	'-f',
);
const arb_rule = (targets: readonly string[]) =>
	fc.tuple(arb_match, fc.constantFrom(...targets)).map(([m, t]) => `${m} ${t}`.trim());
const arb_chain = (targets: readonly string[]) => fc.array(arb_rule(targets), { maxLength: 5 });

const FILTER = ['', '-j ACCEPT', '-j DROP', '-j RETURN', '-j REJECT'];
const MANGLE = ['', '-j ACCEPT', '-j MARK --set-mark 1', '-j RETURN', '-j DROP', '-j TTL --ttl-dec 1'];
const RAW = ['', '-j ACCEPT', '-j CT --notrack', '-j RETURN', '-j DROP'];

const arb_rules = fc.record({
	filter: fc.tuple(
		arb_chain([...FILTER, '-j U', '-g U']),
		arb_chain([...FILTER, '-j V']),
		arb_chain(FILTER),
		arb_chain(FILTER),
	),
	mangle: fc.tuple(
		arb_chain([...MANGLE, '-j U', '-g U']),
		arb_chain([...MANGLE, '-j V']),
		arb_chain(MANGLE),
		arb_chain(MANGLE),
	),
	raw: arb_chain(RAW),
	dnat: fc.array(
		fc.constantFrom(
			'-p udp --dport 5 -j DNAT --to-destination 10.0.2.2:7',
			'-p tcp -j REDIRECT --to-ports 9',
			'-j ACCEPT',
		),
		{ maxLength: 2 },
	),
	snat: fc.array(fc.constantFrom('-o eth1 -j MASQUERADE', '-p udp -j SNAT --to-source 10.0.2.9:3-4', '-j RETURN'), {
		maxLength: 2,
	}),
});

type Rules = typeof arb_rules extends fc.Arbitrary<infer T> ? T : never;

/** Each chain begins with a rule that counts who comes; U and V are reached from one base chain alone. */
function text(r: Rules): string {
	const chain = (name: string, rules: readonly string[]) => [`-A ${name}`, ...rules.map((x) => `-A ${name} ${x}`)];
	const table = (
		name: string,
		base: string,
		[b, u, v, o]: readonly (readonly string[])[],
		extra: readonly string[],
	) => [
		`*${name}`,
		':U - [0:0]',
		':V - [0:0]',
		...chain(base, b),
		...chain('U', u),
		...chain('V', v),
		...extra.flatMap((c) => chain(c, o)),
		'COMMIT',
	];
	return [
		...table('filter', 'FORWARD', r.filter, ['INPUT', 'OUTPUT']),
		...table('mangle', 'PREROUTING', r.mangle, ['POSTROUTING']),
		'*raw',
		...chain('PREROUTING', r.raw),
		'COMMIT',
		'*nat',
		...chain('PREROUTING', r.dnat),
		...chain('POSTROUTING', r.snat),
		'COMMIT',
		'',
	].join('\n');
}

const TERMINAL = /-j (ACCEPT|DROP|REJECT|DNAT|SNAT|MASQUERADE|REDIRECT)\b/;

/** In each table: who entered a base chain left it by a rule or by the policy; who entered a user chain was sent there. */
function check_counters(saved: string): void {
	for (const part of saved.split(/^\*/m).slice(1)) {
		const entered = new Map<string, number>();
		const sent = new Map<string, number>();
		const ended = new Map<string, number>();
		const policy = new Map<string, number>();
		const add = (m: Map<string, number>, k: string, n: number) => m.set(k, (m.get(k) ?? 0) + n);
		const home = (chain: string) =>
			/^[UV]$/.test(chain) ? (part.startsWith('filter') ? 'FORWARD' : 'PREROUTING') : chain;
		for (const line of part.split('\n')) {
			const p = /^:(\S+) [A-Z]+ \[(\d+):/.exec(line);
			if (p !== null) policy.set(p[1], Number(p[2]));
			const m = /^\[(\d+):\d+\] -A (\S+) ?(.*)$/.exec(line);
			if (m === null) continue;
			const n = Number(m[1]);
			if (!entered.has(m[2])) entered.set(m[2], n);
			const to = /-[jg] ([UV])$/.exec(m[3]);
			if (to !== null) add(sent, to[1], n);
			if (TERMINAL.test(m[3])) add(ended, home(m[2]), n);
		}
		for (const [chain, n] of entered) {
			if (/^[UV]$/.test(chain)) expect(`${chain} ${n}`).toBe(`${chain} ${sent.get(chain) ?? 0}`);
			else expect(`${chain} ${n}`).toBe(`${chain} ${(ended.get(chain) ?? 0) + (policy.get(chain) ?? 0)}`);
		}
	}
}

const GOOD = [
	'UDP(sport=1,dport=5)/"hi"',
	'UDP(sport=3,dport=99)/("x"*1400)',
	'TCP(sport=5,dport=80,flags="S")',
	'TCP(sport=5,dport=80,flags="A",seq=9,ack=9)/"data"',
	'ICMP(id=1,seq=1)/"ping"',
	'ICMP(type=3,code=3)/IP(src="10.0.2.2",dst="10.0.1.2")/UDP(sport=5,dport=1)',
].flatMap((p) =>
	['10.0.2.2', '10.0.1.1', '10.0.2.77', '192.0.2.1', '255.255.255.255'].map((dst) =>
		packet(`${ETH}/IP(src="10.0.1.2",dst="${dst}",id=7)/${p}`),
	),
);
const arb_frame = fc
	.record({
		which: fc.constantFrom(...GOOD),
		harm: fc.option(fc.record({ at: fc.nat(60), to: fc.nat(255), cut: fc.nat(100) })),
		fragment: fc.constantFrom(0, 0, 0, 0x2000, 0x2001, 1),
	})
	.map(({ which, harm, fragment }) => {
		const f = which.slice();
		if (fragment !== 0) {
			f[20] = fragment >> 8;
			f[21] = fragment;
			let s = 0;
			f[24] = 0;
			f[25] = 0;
			for (let o = 14; o < 34; o += 2) s += (f[o] << 8) | f[o + 1];
			while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
			f[24] = (~s >> 8) & 255;
			f[25] = ~s & 255;
		}
		if (harm === null) return f;
		f[14 + harm.at] = harm.to;
		return harm.cut < 20 ? f.subarray(0, Math.max(14, f.length - harm.cut)) : f;
	});

test('random packets through random rules: nothing thrown, nothing leaks, counters add up', {
	timeout: 60_000,
}, async () => {
	await fc.assert(
		fc.asyncProperty(arb_rules, fc.array(arb_frame, { minLength: 10, maxLength: 60 }), async (rules, frames) => {
			const { w, a, r, b } = await world();
			const loaded = await r.sh(`iptables-restore <<'EOF'\n${text(rules)}EOF`);
			expect(loaded.stderr).toBe('');
			await send(a, frames);
			await w.run(40_000);
			check_counters((await r.sh('iptables-save -c')).stdout);
			await r.must('conntrack -F 2>/dev/null');
			for (const h of [a, r, b]) expect(`${h.name} ${h.machine.skb_pool.live}`).toBe(`${h.name} 0`);
		}),
		{ numRuns: 25, seed: 4711 },
	);
});

test('floods: fragments, conntrack and neighbours keep to their limits', { timeout: 60_000 }, async () => {
	const { w, a, r } = await world();
	await r.must(
		'sysctl -qw net.ipv4.ipfrag_low_thresh=90000 net.ipv4.ipfrag_high_thresh=100000 net.netfilter.nf_conntrack_max=50; iptables -A FORWARD -m conntrack --ctstate NEW',
	);
	const n = r.machine.init_net;
	let most = 0;
	let flows = 0;
	for (let round = 0; round < 10; round++) {
		const frames: Uint8Array[] = [];
		for (let i = 0; i < 100; i++) {
			const id = round * 100 + i;
			frames.push(packet(`${ETH}/IP(src="10.0.1.2",dst="10.0.1.1",id=${id},flags="MF",proto=17)/("A"*800)`));
			frames.push(packet(`${ETH}/IP(src="10.0.1.2",dst="10.0.2.2",id=1)/UDP(sport=${1000 + id},dport=9)`));
		}
		await send(a, frames);
		await w.run(20);
		most = Math.max(most, n.ipv4.fqdir.mem);
		flows = Math.max(flows, Number((await r.sh('sysctl -n net.netfilter.nf_conntrack_count')).stdout));
	}
	expect(most).toBeGreaterThan(50_000);
	expect(most).toBeLessThanOrEqual(100_000 + 4096);
	expect(flows).toBeGreaterThan(40);
	expect(flows).toBeLessThanOrEqual(50);
	await r.must('ip addr add 172.16.0.1/16 dev eth1; sysctl -qw net.netfilter.nf_conntrack_max=100000');
	const strangers: Uint8Array[] = [];
	for (let i = 2; i < 3000; i++)
		strangers.push(packet(`${ETH}/IP(src="10.0.1.2",dst="172.16.${i >> 8}.${i & 255}",id=1)/UDP(sport=1,dport=9)`));
	await send(a, strangers);
	await w.run(10);
	expect(arp_tbl(r.machine).entries).toBeLessThanOrEqual(1024);
	await w.run(60_000);
	expect(n.ipv4.fqdir.mem).toBe(0);
	expect(r.machine.skb_pool.live).toBe(0);
});
