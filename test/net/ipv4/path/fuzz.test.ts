/*
 * Random bytes and damaged packets into a booted router: never an exception, every buffer comes back, counters add up.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packet } from '../../../../src/packet/build.ts';
import {
	IPSTATS_MIB_INADDRERRORS,
	IPSTATS_MIB_INHDRERRORS,
	IPSTATS_MIB_INPKTS,
	IPSTATS_MIB_OUTOCTETS,
	IPSTATS_MIB_OUTPKTS,
} from '../../../../src/uapi/linux/snmp.ts';
import { boot, pass, type Rig, receive, take, take_drops } from './rig.ts';

const SETUP = [
	'link set lo up',
	'link set eth0 up',
	'link set eth1 up',
	'addr add 10.0.1.1/24 dev eth0',
	'addr add 10.0.2.1/24 dev eth1',
	'neigh add 10.0.1.2 lladdr 02:00:00:00:09:01 dev eth0',
	'neigh add 10.0.2.2 lladdr 02:00:00:00:09:02 dev eth1',
	'net.ipv4.ip_forward=1',
	'net.ipv4.conf.all.accept_source_route=1',
	'net.ipv4.icmp_ratelimit=0',
];

const ETH = [2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 9, 1, 8, 0];

/** IP header fields that lead somewhere, with anything behind. */
const arb_ip = fc
	.record({
		ihl: fc.oneof(fc.constant(5), fc.integer({ min: 0, max: 15 })),
		tos: fc.nat(255),
		len: fc.oneof(fc.constant(-1), fc.nat(65535)),
		id: fc.nat(3),
		frag: fc.oneof(fc.constant(0), fc.constant(0x2000), fc.constant(0x4000), fc.nat(0xffff), fc.nat(40)),
		ttl: fc.oneof(fc.constant(64), fc.nat(255)),
		proto: fc.oneof(fc.constantFrom(1, 2, 6, 17), fc.nat(255)),
		src: fc.oneof(fc.constant(0x0a000102), fc.constantFrom(0, 0x7f000001, 0xe0000001, 0xffffffff), fc.nat(0x7fffffff)),
		dst: fc.constantFrom(
			0x0a000101,
			0x0a000202,
			0x0a0001ff,
			0xe0000001,
			0xffffffff,
			0x7f000001,
			0x0a000209,
			0x08080808,
		),
		body: fc.uint8Array({ maxLength: 200 }),
		checked: fc.boolean(),
		padding: fc.nat(20),
	})
	.map((f) => {
		const n = 20 + f.body.length;
		const b = new Uint8Array(14 + n + f.padding);
		b.set(ETH);
		const v = new DataView(b.buffer);
		v.setUint8(14, 0x40 | f.ihl);
		v.setUint8(15, f.tos);
		v.setUint16(16, f.len < 0 ? n : f.len);
		v.setUint16(18, f.id);
		v.setUint16(20, f.frag);
		v.setUint8(22, f.ttl);
		v.setUint8(23, f.proto);
		v.setUint32(26, f.src);
		v.setUint32(30, f.dst);
		b.set(f.body, 34);
		if (f.checked) {
			let s = 0;
			for (let o = 14; o < 14 + Math.min(f.ihl * 4, n - 1); o += 2) s += v.getUint16(o);
			while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
			v.setUint16(24, ~s & 0xffff);
		}
		return b;
	});

/** Damage to a good packet: a byte changed, or the end cut off. */
const arb_damaged = fc
	.record({
		which: fc.constantFrom(
			'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.1.1")/ICMP(id=1,seq=1)/"abcdefgh"',
			'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.1.1")/ICMP(type=3,code=4)/IP(src="10.0.1.1",dst="10.0.2.2")/UDP(sport=5,dport=6)',
			'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.2.2",options=[IPOption_RR(),IPOption_Timestamp()])/UDP(sport=7,dport=9)/"x"',
			'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.1.1")/TCP(sport=7,dport=9,flags="S")',
		),
		at: fc.nat(200),
		to: fc.nat(255),
		cut: fc.oneof(fc.constant(0), fc.nat(60)),
	})
	.map((d) => {
		const b = packet(d.which).slice();
		b[14 + (d.at % (b.length - 14))] = d.to;
		return b.slice(0, Math.max(14, b.length - d.cut));
	});

function settled(r: Rig): void {
	const mib = r.net.mib.ip_statistics;
	const sent = r.sent.filter((s) => s.frame[12] === 8 && s.frame[13] === 0);
	let octets = 0;
	for (const s of sent) octets += s.frame.length - 14;
	// What left by Ethernet was counted (what was looped back or waits for ARP as well).
	expect(mib[IPSTATS_MIB_OUTPKTS]).toBeGreaterThanOrEqual(sent.length);
	expect(mib[IPSTATS_MIB_OUTOCTETS]).toBeGreaterThanOrEqual(octets);
	expect(mib[IPSTATS_MIB_INHDRERRORS] + mib[IPSTATS_MIB_INADDRERRORS]).toBeLessThanOrEqual(mib[IPSTATS_MIB_INPKTS]);
}

for (const [name, arb] of [
	['made-up headers', arb_ip],
	['damaged packets', arb_damaged],
	['anything', fc.uint8Array({ minLength: 0, maxLength: 120 }).map((b) => Uint8Array.from([...ETH, ...b]))],
] as const) {
	test(`${name}: nothing is thrown, nothing leaks`, async () => {
		const r = await boot(['eth0', 'eth1'], SETUP);
		fc.assert(
			fc.property(fc.array(arb, { minLength: 1, maxLength: 30 }), (frames) => {
				r.sent.length = 0;
				for (const f of frames) receive(r, 'eth0', f);
				settled(r);
				// Fragments and unresolved packets end with their timers.
				pass(r, 40);
				take(r);
				take_drops(r);
				expect(r.machine.skb_pool.live).toBe(0);
				expect(r.net.ipv4.fqdir.mem).toBe(0);
				expect(r.net.ipv4.fqdir.count).toBe(0);
			}),
			{ numRuns: 150, seed: 7 },
		);
	});
}
