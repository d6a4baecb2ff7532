import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BPF_MAXINSNS, bpf_check_classic, bpf_run } from '../../src/lib/bpf.ts';
import { packet } from '../../src/packet/build.ts';
import { compileFilter, FilterError } from '../../src/packet/filter.ts';
import { FILTERS } from './filter-cases.ts';
import { frames } from './frames.ts';

interface Recorded {
	linktype: number;
	text: string;
	error?: string;
	accepted?: number[];
}
const recorded = JSON.parse(readFileSync(new URL('./filter.json', import.meta.url), 'utf8')) as Recorded[];

describe('filters take what tcpdump takes', () => {
	for (const linktype of Object.keys(FILTERS).map(Number)) {
		const packets = frames(linktype);
		for (const r of recorded.filter((c) => c.linktype === linktype))
			it(`${linktype}: ${r.text}`, () => {
				if (r.error !== undefined) {
					expect(() => compileFilter(r.text, { linktype })).toThrow(new FilterError(r.error));
					return;
				}
				const filter = compileFilter(r.text, { linktype });
				expect(bpf_check_classic(filter.insns)).toBe(true);
				const accepted: number[] = [];
				for (const [i, p] of packets.entries()) if (filter.match(p)) accepted.push(i);
				expect(accepted).toEqual(r.accepted);
			});
	}
});

describe('the compiler', () => {
	it('makes jumps that reach', () => {
		const text = Array.from({ length: 200 }, (_, i) => `host 10.0.${i}.1`).join(' or ');
		const f = compileFilter(text);
		expect(f.insns.length).toBeGreaterThan(BPF_MAXINSNS);
		expect(bpf_check_classic(compileFilter(text.slice(0, text.indexOf('host 10.0.100.1 or') - 4)).insns)).toBe(true);
		const E = 'Ether(dst="02:00:00:00:00:02",src="02:00:00:00:00:01")';
		expect(f.match(packet(`${E}/IP(src="1.2.3.4",dst="10.0.199.1")/UDP()`))).toBe(true);
		expect(f.match(packet(`${E}/IP(src="10.0.0.1",dst="9.9.9.9")/UDP()`))).toBe(true);
		expect(f.match(packet(`${E}/IP(src="1.2.3.4",dst="10.0.200.1")/UDP()`))).toBe(false);
	});
	it('asks the kernel for the direction of a live capture', () => {
		const { insns } = compileFilter('inbound', { live: true });
		const run = (type: number) => bpf_run(insns, new Uint8Array(60), 60, 60, (k) => (k === 4 ? type : 0));
		expect([run(0), run(4)]).toEqual([262144, 0]);
	});
	it('knows the netmask for "ip broadcast"', () => {
		const p = packet(
			'Ether(dst="ff:ff:ff:ff:ff:ff",src="02:00:00:00:00:01")/IP(src="10.0.0.1",dst="10.0.0.255")/UDP()',
		);
		expect(compileFilter('ip broadcast', { netmask: 0xffffff00 }).match(p)).toBe(true);
		expect(compileFilter('ip broadcast', { netmask: 0xffff0000 }).match(p)).toBe(false);
	});
	it('throws nothing but FilterError', () => {
		const word = fc.constantFrom(
			'tcp',
			'udp',
			'ip',
			'ip6',
			'host',
			'net',
			'port',
			'src',
			'dst',
			'and',
			'or',
			'not',
			'(',
			')',
			'[',
			']',
			':',
			'1',
			'80',
			'10.0.0.1',
			'::1',
			'/',
			'8',
			'&',
			'=',
			'!=',
			'<<',
			'-',
			'len',
			'ether',
			'vlan',
			'proto',
			'portrange',
			'1-2',
			'less',
			'!',
			'broadcast',
			'foo',
			'02:00:00:00:00:01',
			'icmptype',
			'mask',
			'inbound',
			'*',
			'%',
		);
		fc.assert(
			fc.property(
				fc.oneof(
					fc.array(word, { maxLength: 14 }).map((w) => w.join(' ')),
					fc.string({ maxLength: 30 }),
				),
				fc.uint8Array({ maxLength: 80 }),
				fc.constantFrom(1, 101, 113, 276, 0, 108, 228, 229),
				(text, data, linktype) => {
					try {
						const f = compileFilter(text, { linktype });
						expect(bpf_check_classic(f.insns)).toBe(true);
						f.match(data);
					} catch (e) {
						if (!(e instanceof FilterError)) throw e;
					}
				},
			),
			{ numRuns: 5000 },
		);
		for (const deep of [
			'('.repeat(50000),
			'not '.repeat(9000),
			`${'('.repeat(300)}tcp${')'.repeat(300)}`,
			`1 = ${'-'.repeat(9000)}1`,
			`ip[${'('.repeat(5000)}`,
			Array(9000).fill('tcp').join(' or '),
		])
			try {
				compileFilter(deep);
			} catch (e) {
				expect(e).toBeInstanceOf(FilterError);
			}
	});
});

describe('classic BPF', () => {
	it('refuses programs that could run away', () => {
		const ret = { code: 6, jt: 0, jf: 0, k: 0 };
		expect(bpf_check_classic([])).toBe(false);
		expect(bpf_check_classic([ret])).toBe(true);
		expect(bpf_check_classic([{ code: 0x15, jt: 1, jf: 0, k: 0 }, ret])).toBe(false);
		expect(bpf_check_classic([{ code: 0x05, jt: 0, jf: 0, k: 1 }, ret])).toBe(false);
		expect(bpf_check_classic([{ code: 0x05, jt: 0, jf: 0, k: -1 }, ret])).toBe(false);
		expect(bpf_check_classic([{ code: 0x34, jt: 0, jf: 0, k: 0 }, ret])).toBe(false);
		expect(bpf_check_classic([{ code: 0x64, jt: 0, jf: 0, k: 32 }, ret])).toBe(false);
		expect(bpf_check_classic([{ code: 0x02, jt: 0, jf: 0, k: 16 }, ret])).toBe(false);
		expect(bpf_check_classic([{ code: 0xff, jt: 0, jf: 0, k: 0 }, ret])).toBe(false);
		expect(bpf_check_classic([{ code: 0x00, jt: 0, jf: 0, k: 0 }])).toBe(false);
	});
	it('drops a packet that is too short for a load', () => {
		const insns = [
			{ code: 0x20, jt: 0, jf: 0, k: 0xfffffffe },
			{ code: 6, jt: 0, jf: 0, k: 9 },
		];
		expect(bpf_run(insns, new Uint8Array(20), 20, 20)).toBe(0);
	});
});
