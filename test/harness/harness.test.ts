/*
 * test/harness/harness.test.ts: the harness's own judgement: what it normalises and what it does not, what it compares, what it refuses to read.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packet } from '../../src/packet/build.ts';
import { dissect } from '../../src/packet/dissect.ts';
import { compare } from './compare.ts';
import { KNOWN_FILE, readKnown, TWINS, writeKnown } from './known.ts';
import { Normaliser, sameText } from './normalise.ts';
import type { Seen } from './run.ts';
import { parseScenario, ScenarioError } from './scenario.ts';

const HEAD = 'about: x\nhosts: [a, b]\nlinks:\n  - [a:eth0, b:eth0]\n';
const scenario = (rest = 'steps: []\n') => parseScenario(HEAD + rest, '/x/y.yaml', 'y.yaml');
const hex = (b: Uint8Array) => Buffer.from(b).toString('hex');
const E = 'Ether(src="02:00:00:00:00:01",dst="02:00:00:01:00:01")/';

describe('frames', () => {
	it('gives drawn values stand-ins by order of appearance, and keeps checksums right', () => {
		const n = new Normaliser(scenario());
		const ping = (id: number, echo: number) =>
			n.frame(packet(`${E}IP(src="10.0.0.1",dst="10.0.0.2",id=${id})/ICMP(id=${echo},seq=1)/("t"*16+"data")`));
		const first = ping(0x1234, 0x777);
		const again = ping(0x1234, 0x777);
		const other = ping(0x4321, 0x778);
		expect(hex(again)).toBe(hex(first));
		expect(hex(other)).not.toBe(hex(first));
		expect(dissect(first).problems).toEqual([]);
		expect(hex(first)).toContain('a001');
		expect(hex(first)).toContain('e001');
		// The time that ping wrote is gone, its data are not.
		expect(hex(first).endsWith('00'.repeat(16) + '64617461')).toBe(true);
	});

	it('leaves an IP id of 0 alone', () => {
		const frame = packet(`${E}IP(src="10.0.0.1",dst="10.0.0.2",id=0,flags="DF")/UDP(sport=1,dport=2)`);
		expect(hex(new Normaliser(scenario()).frame(frame))).toBe(hex(frame));
	});

	it('does not touch what the scenario itself sends', () => {
		const n = new Normaliser(scenario());
		const frame = packet(
			`${E}IP(src="10.0.0.1",dst="10.0.0.2",id=0x1234)/TCP(sport=40000,dport=50000,seq=77,flags="S",options=[("Timestamp",(5,6))])`,
		);
		n.literal(frame);
		expect(hex(n.frame(frame))).toBe(hex(frame));
	});

	it('keeps wrong checksums wrong, by the same difference', () => {
		const n = new Normaliser(scenario());
		const good = packet(`${E}IP(src="10.0.0.1",dst="10.0.0.2",id=9)/UDP(sport=40000,dport=2)/"hi"`);
		const bad = packet(`${E}IP(src="10.0.0.1",dst="10.0.0.2",id=9)/UDP(sport=40000,dport=2,chksum=0x1111)/"hi"`);
		expect(dissect(n.frame(good)).problems).toEqual([]);
		expect(dissect(n.frame(bad)).problems).toHaveLength(1);
	});

	it('follows drawn ids and ports into what ICMP errors quote', () => {
		const n = new Normaliser(scenario());
		const sent = n.frame(packet(`${E}IP(src="10.0.0.1",dst="10.0.0.2",id=0x2222)/UDP(sport=45678,dport=99)/"hi"`));
		const error = n.frame(
			packet(
				`${E}IP(src="10.0.0.2",dst="10.0.0.1",id=0x3333)/ICMP(type=3,code=3)/IP(src="10.0.0.1",dst="10.0.0.2",id=0x2222)/UDP(sport=45678,dport=99)/"hi"`,
			),
		);
		expect(dissect(error).problems).toEqual([]);
		expect(hex(error)).toContain(hex(sent).slice(28));
	});

	it('does not take a number of the scenario for a drawn port', () => {
		const frame = packet(`${E}IP(src="10.0.0.1",dst="10.0.0.2",id=0)/UDP(sport=40000,dport=2)`);
		expect(hex(new Normaliser(scenario('steps:\n  - a: nc -p 40000\n')).frame(frame))).toBe(hex(frame));
		expect(hex(new Normaliser(scenario()).frame(frame))).not.toBe(hex(frame));
	});

	it('survives any bytes', () => {
		const n = new Normaliser(scenario());
		let seed = 1;
		for (let i = 0; i < 3000; i++) {
			const frame = Uint8Array.from({ length: i % 90 }, () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 16);
			if (frame.length > 20) frame.set([8, 0, 0x45 + (i % 3)], 12);
			expect(n.frame(frame)).toHaveLength(frame.length);
			n.literal(frame);
		}
	});
});

describe('text', () => {
	const n = new Normaliser(scenario());
	it.each([
		['64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.051 ms', '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=T ms'],
		['rtt min/avg/max/mdev = 0.1/0.2/0.3/0.0 ms', 'rtt min/avg/max/mdev = T ms'],
		['# Completed on Tue Nov  4 00:01:02 2026', '# Completed on DATE'],
		['12:34:56.789012 IP 10.0.0.1.99 > 10.0.0.2.99: UDP, length 0', 'TIME IP 10.0.0.1.99 > 10.0.0.2.99: UDP, length 0'],
		['    cache expires 599sec mtu 1400', '    cache expires «599»sec mtu 1400'],
		['inet 10.0.0.1/24 scope global eth0', 'inet 10.0.0.1/24 scope global eth0'],
	])('%s', (from, to) => expect(n.text(from)).toBe(to));

	it('allows a second, no more', () => {
		expect(sameText('udp 17 «29» x', 'udp 17 «30» x')).toBe(true);
		expect(sameText('udp 17 «29» x', 'udp 17 «31» x')).toBe(false);
		expect(sameText('udp 17 «29» x', 'udp 17 «29» y')).toBe(false);
	});
});

describe('comparison', () => {
	const seen = (change: Partial<Seen> = {}): Seen => ({
		steps: [{ step: 'a: x', stdout: 'one\ntwo\n', stderr: '', status: 0 }],
		frames: { 'a:eth0 - b:eth0': ['a:eth0 > b:eth0 00', 'b:eth0 > a:eth0 01'] },
		drops: { NO_SOCKET: 1 },
		droppedAt: {},
		counters: { a: { 'Ip.InReceives': 1 } },
		...change,
	});
	const facets = (change: Partial<Seen>) =>
		compare(scenario('steps:\n  - a: x\n'), seen(), seen(change)).map((d) => d.facet);

	it('finds nothing between two of a kind, nor in which direction of a cable was ahead', () => {
		expect(facets({})).toEqual([]);
		expect(facets({ frames: { 'a:eth0 - b:eth0': ['b:eth0 > a:eth0 01', 'a:eth0 > b:eth0 00'] } })).toEqual([]);
	});

	it('finds each kind of difference', () => {
		expect(facets({ steps: [{ step: 'a: x', stdout: 'one\n', stderr: '', status: 0 }] })).toEqual(['output']);
		expect(facets({ steps: [{ step: 'a: x', stdout: 'one\ntwo\n', stderr: '', status: 1 }] })).toEqual(['output']);
		expect(facets({ frames: { 'a:eth0 - b:eth0': ['a:eth0 > b:eth0 00'] } })).toEqual(['frames']);
		expect(facets({ drops: {} })).toEqual(['drops']);
		expect(facets({ counters: { a: {} } })).toEqual(['counters']);
	});
});

describe('bad scenarios are refused with file, line and what was expected', () => {
	it.each([
		['steps:\n  - c: ip link\n', "y.yaml:6: step: expected one of a, b (a host), send, wait or join, found 'c'"],
		['steps:\n  - wait: soon\n', "y.yaml:6: wait: expected a time such as 2s or 500ms, found 'soon'"],
		['steps: none\n', 'y.yaml:5: steps: expected a list, found "none"'],
		['steps: []\nbogus: 1\n', "y.yaml:6: scenario: unknown key 'bogus'"],
		[
			'steps:\n  - send: { from: a:eth9, hex: ["00"] }\n',
			"y.yaml:6: send from: 'a:eth9' is not known, expected one of a:eth0, b:eth0",
		],
		['steps:\n  - send: { from: a:eth0, hex: ["0"] }\n', 'y.yaml:6: send hex: expected pairs of hex digits'],
		['steps:\n  - join: nothing\n', "y.yaml:6: join: nothing runs in the background as 'nothing'"],
		['steps: [\n', 'y.yaml:6: not valid YAML'],
	])('%j', (rest, message) => {
		expect(() => scenario(rest)).toThrow(ScenarioError);
		expect(() => scenario(rest)).toThrow(message);
	});
});

it('gives MAC addresses by host and device', () => {
	const s = parseScenario(
		'about: x\nhosts: [a, r]\nlinks:\n  - [a:wan, r:eth3]\n  - { ends: [a:lan, r:eth0], mac: ["02:00:00:00:00:77", "02:00:00:00:00:78"], mtu: 1400 }\nsteps: []\n',
		'x.yaml',
	);
	expect(s.nics.map((n) => `${n.host}:${n.name} ${n.mac} ${n.mtu}`)).toEqual([
		'a:wan 02:00:00:00:00:01 1500',
		'r:eth3 02:00:00:01:03:01 1500',
		'a:lan 02:00:00:00:00:77 1400',
		'r:eth0 02:00:00:00:00:78 1400',
	]);
});

describe('the list of known failures', () => {
	const inFolder = (text: string, see: (file: string) => void) => {
		const dir = mkdtempSync(join(tmpdir(), 'linnet-known-'));
		try {
			mkdirSync(join(dir, 'nat'));
			for (const name of ['a', 'b']) writeFileSync(join(dir, 'nat', `${name}.yaml`), '');
			writeFileSync(join(dir, 'known.txt'), text);
			see(join(dir, 'known.txt'));
		} finally {
			rmSync(dir, { recursive: true });
		}
	};

	it('is read, and written in order', () => {
		inFolder('# why\n\nnat/b.yaml: no NAT: yet\n', (file) => {
			const known = readKnown(file);
			expect([...known]).toEqual([[join(file, '../nat/b.yaml'), 'no NAT: yet']]);
			known.set(join(file, '../nat/a.yaml'), 'two\nlines');
			writeKnown(known, file);
			const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
			expect(lines.filter((l) => !l.startsWith('#'))).toEqual(['nat/a.yaml: two lines', 'nat/b.yaml: no NAT: yet']);
		});
	});

	it.each([
		['nat/a.yaml\n', "known.txt:1: expected 'PATH: what is missing'"],
		['\nnat/c.yaml: gone\n', 'known.txt:2: there is no nat/c.yaml'],
		['nat/a.yaml: x\nnat/a.yaml: y\n', 'known.txt:2: nat/a.yaml is there twice'],
	])('%j is refused', (text, message) => {
		inFolder(text, (file) => expect(() => readKnown(file)).toThrow(message));
	});

	it('is sound as it stands', () => {
		for (const path of readKnown(KNOWN_FILE).keys()) expect(path.startsWith(TWINS)).toBe(true);
	});
});
