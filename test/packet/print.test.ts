import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packet } from '../../src/packet/build.ts';
import { fromHex } from '../../src/packet/bytes.ts';
import { Printer } from '../../src/packet/print.ts';
import { printPackets, splitPackets } from './print-cases.ts';
import { printOptions } from './print-options.ts';

interface Recorded {
	linktype: number;
	set: 'frames' | 'cases';
	flags: string;
	lines: string[];
}
const recorded = JSON.parse(readFileSync(new URL('./print.json', import.meta.url), 'utf8')) as Recorded[];

/** What tcpdump knows of packets in these sets and we do not, by what it prints. */
const MISSING = /M3UA\] {2}\(invalid\)|Unknown TLV \(54\)/;

describe('packets are printed as tcpdump prints them', () => {
	for (const r of recorded)
		it(`${r.set} of link type ${r.linktype} with ${r.flags}`, () => {
			const packets = printPackets(r.set, r.linktype);
			const printer = new Printer(printOptions([r.flags]));
			const ours = packets.map((p) => `${printer.packet(p)}\n`);
			const lines = splitPackets(ours.join(''), r.flags, packets.length);
			let missing = 0;
			for (const [i, expected] of r.lines.entries())
				if (MISSING.test(expected)) missing++;
				else expect(lines[i]).toBe(expected);
			expect(missing).toBeLessThanOrEqual(4);
		});
});

describe('the printer', () => {
	const at = { sec: 1_700_000_000, nsec: 123_456_789 };
	const data = packet(
		'Ether(dst="02:00:00:00:00:02",src="02:00:00:00:00:01")/IP(src="1.2.3.4",dst="5.6.7.8")/UDP(sport=123456789>>16,dport=80)/"hi"',
	);
	it('shows names of ports, the local time and nanoseconds when asked', () => {
		expect(new Printer().packet({ ...at, data })).toBe('22:13:20.123456 IP 1.2.3.4.1883 > 5.6.7.8.80: UDP, length 2');
		expect(new Printer({ n: true, t: 4, utcOffset: 120, digits: 9 }).packet({ ...at, data })).toBe(
			'2023-11-15 00:13:20.123456789 IP 1.2.3.4.1883 > 5.6.7.8.80: UDP, length 2',
		);
		const tcp = packet('IP(src="1.2.3.4",dst="5.6.7.8")/TCP(sport=4444,dport=443)');
		expect(new Printer({ t: 1 }).packet({ ...at, data: tcp, linktype: 101 })).toBe(
			'IP 1.2.3.4.4444 > 5.6.7.8.https: Flags [S], seq 0, win 8192, length 0',
		);
	});
	it('names the interfaces of a capture on "any"', () => {
		const any = new Uint8Array([8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0, ...data.subarray(14)]);
		const p = new Printer({ n: true, t: 1, ifname: (i) => (i === 3 ? 'eth1' : null) });
		expect(p.packet({ ...at, data: any, linktype: 276 })).toBe('eth1  Out IP 1.2.3.4.1883 > 5.6.7.8.80: UDP, length 2');
	});
	it('never throws, whatever the bytes', () => {
		const seeds = (JSON.parse(readFileSync(new URL('./scapy.json', import.meta.url), 'utf8')) as { hex: string }[]).map(
			(c) => fromHex(c.hex)!,
		);
		const cases = printPackets('cases', 1).map((p) => p.data);
		fc.assert(
			fc.property(
				fc.oneof(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(...seeds, ...cases)),
				fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
				fc.nat(60),
				fc.constantFrom(0, 1, 101, 108, 113, 228, 276, 9999),
				fc.constantFrom('-n', '-nvvv', '-e', '-nq', '-nA'),
				(seed, damage, cut, linktype, flags) => {
					const b = seed.slice(0, Math.max(0, seed.length - cut));
					for (const [o, v] of damage) if (o < b.length) b[o] = v;
					expect(new Printer(printOptions([flags])).packet({ ...at, data: b, linktype })).toBeTypeOf('string');
				},
			),
			{ numRuns: 5000 },
		);
	});
});
