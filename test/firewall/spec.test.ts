/*
 * Files of firewall tests: what is wrong is said with file, line and column; the schema for editors says what the parser says.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLOW_KEYS, parseSpecs, REASONS, ROW_KEYS, SpecError, SUITE_KEYS, VERDICTS } from '../../src/firewall/spec.ts';

function problems(text: string): string[] {
	try {
		parseSpecs('t.yaml', text);
	} catch (e) {
		if (e instanceof SpecError) return e.message.split('\n');
		throw e;
	}
	return [];
}

const packet = 'tcp 198.51.100.7:1 203.0.113.5:443';

describe('a file of tests', () => {
	it('is read: defaults, lists, marks, spans, several documents', () => {
		const suites = parseSpecs(
			't.yaml',
			`host: [a, b]
defaults: { in: eth0, expect: drop }
tests:
  - { name: one, packet: '${packet}', to: [10.0.0.1, '10.0.0.2:80'], mark: 0x1/0xf }
  - { name: two, after: one, at: +1m30s, in: host, expect: forward }
---
tests:
  - { packet: '${packet}', out: true, mark: 16, reason: SKB_DROP_REASON_IP_RPFILTER }
`,
		);
		expect(suites.map((s) => [s.document, s.host])).toEqual([
			[1, ['a', 'b']],
			[2, []],
		]);
		expect(suites[0].rows[0]).toMatchObject({
			name: 'one',
			in: 'eth0',
			expect: 'drop',
			to: ['10.0.0.1', '10.0.0.2:80'],
			mark: { value: 1, mask: 15 },
			place: { line: 4, column: 5 },
		});
		expect(suites[0].rows[1]).toMatchObject({ packet: 'reply', at: 90e9, in: '', expect: 'forward' });
		expect(suites[1].rows[0]).toMatchObject({ out: '', mark: { value: 16, mask: 0xffffffff }, reason: 'IP_RPFILTER' });
	});

	it.each([
		['', /^t\.yaml:1:1: the file is empty/],
		['- 1', /^t\.yaml:1:1: a list came; expected a map \{host, defaults, tests\}/],
		['tests: 3', /^t\.yaml:1:8: tests: '3' came; expected a list of rows/],
		['host: x', /^t\.yaml:1:1: there are neither 'tests' nor 'flows'/],
		['tests: [\n', /^t\.yaml:\d:\d+: not YAML: /],
		['tests: []\ntests: []', /^t\.yaml:2:1: not YAML: .*unique/],
		[`tests:\n  - { packett: x }`, /^t\.yaml:2:7: 'packett' is no key of a row; expected 'packet'\?$/],
		[`tests:\n  - { expect: drop }`, /^t\.yaml:2:5: the row has no 'packet'/],
		[`tests:\n  - { packet: '${packet}' }`, /^t\.yaml:2:5: the row expects nothing/],
		[
			`tests:\n  - { packet: '${packet}', expect: dorp }`,
			/^t\.yaml:2:61: expect: 'dorp' came; expected one of accept, drop, reject/,
		],
		[
			`tests:\n  - packet: tcp 1.2.3.4 5.6.7.8\n    expect: drop`,
			/^t\.yaml:2:13: packet: word 2: "1\.2\.3\.4" came: expected/,
		],
		[`tests:\n  - packet: IP(srcc="1.2.3.4")\n    expect: drop`, /^t\.yaml:2:13: packet: .*srcc/],
		[
			`tests:\n  - { packet: '${packet}', to: 10.0.0.300 }`,
			/^t\.yaml:2:\d+: to: '10\.0\.0\.300' came; expected ADDRESS/,
		],
		[`tests:\n  - { packet: '${packet}', to: [] }`, /^t\.yaml:2:\d+: to: a list came/],
		[`tests:\n  - { packet: '${packet}', reason: IP_RPFILTR }`, /^t\.yaml:2:\d+: reason: .*'IP_RPFILTER'\?/],
		[
			`tests:\n  - { packet: '${packet}', rule: forward }`,
			/^t\.yaml:2:\d+: rule: 'forward' came; expected 'filter\/FORWARD 7'/,
		],
		[`tests:\n  - { packet: '${packet}', mark: 0x1ffffffff }`, /^t\.yaml:2:\d+: mark: '0x1ffffffff' came/],
		[
			`tests:\n  - { packet: '${packet}', expect: drop, at: 5m }`,
			/^t\.yaml:2:\d+: at: '5m' came; expected a span after '\+'/,
		],
		[
			`tests:\n  - { packet: '${packet}', expect: drop, in: a/b }`,
			/^t\.yaml:2:\d+: in: 'a\/b' came; expected a device's name/,
		],
		[
			`tests:\n  - { packet: '${packet}', masquerade: yes }`,
			/^t\.yaml:2:\d+: masquerade: 'yes' came; expected true or false/,
		],
		[`tests:\n  - { packet: reply, expect: drop }`, /^t\.yaml:2:\d+: packet: 'reply' came without 'after'/],
		[`tests:\n  - { name: a, after: b, expect: drop }`, /^t\.yaml:2:\d+: after: there is no row 'b'/],
		[`tests:\n  - { name: a, after: a, expect: drop }`, /^t\.yaml:2:\d+: after: 'a' would come after itself/],
		[
			`tests:\n  - { name: a, packet: '${packet}', expect: drop }\n  - { name: a, packet: '${packet}', expect: drop }`,
			/^t\.yaml:3:13: name: 'a' is the name of the row in line 2, too/,
		],
		[`flows:\n  - { sourceIP: 1.2.3.4, destIP: x, destPort: 1, output: DROP }`, /^t\.yaml:2:\d+: destIP: 'x' came/],
		[`flows:\n  - { sourceIP: 1.2.3.4, destIP: 1.1.1.1, output: DROP }`, /^t\.yaml:2:5: the flow has no 'destPort'/],
		[`defaults: { name: x }\ntests: []`, /^t\.yaml:1:13: 'name' is no key of defaults/],
	])('%j is refused with its place', (text, message) => {
		expect(problems(text)[0]).toMatch(message);
	});

	it('tells all problems at once', () => {
		expect(problems(`host: []\ntests:\n  - { expect: x }\n  - 7\nmore: 1`)).toHaveLength(4);
	});

	it('of any text ends in tests or in problems with places, never otherwise', () => {
		const key = fc.constantFrom(...ROW_KEYS, ...FLOW_KEYS, ...SUITE_KEYS, 'x');
		const value = fc.oneof(
			fc.string({ maxLength: 12 }),
			fc.constantFrom(
				packet,
				'drop',
				'10.0.0.1:80',
				'reply',
				'+5m',
				'*a',
				'[1, 2]',
				'{a: b}',
				'!!binary x',
				'&a 1',
				'~',
			),
		);
		const row = fc.array(fc.tuple(key, value), { maxLength: 6 });
		fc.assert(
			fc.property(fc.array(row, { maxLength: 4 }), fc.string({ maxLength: 20 }), (rows, head) => {
				const text = `${head}\ntests:\n${rows.map((r) => `  - {${r.map(([k, v]) => `${k}: ${v}`).join(', ')}}`).join('\n')}`;
				for (const p of problems(text)) expect(p).not.toBe('');
			}),
			{ numRuns: 300 },
		);
	});
});

describe('the schema for editors', () => {
	const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../schema/linnet-test.schema.json'), 'utf8'));
	const { row, flow, defaults } = schema.$defs;

	it('knows the keys that the parser knows', () => {
		expect(Object.keys(schema.properties).sort()).toEqual([...SUITE_KEYS].sort());
		expect(Object.keys(row.properties).sort()).toEqual([...ROW_KEYS].sort());
		expect(Object.keys(flow.properties).sort()).toEqual([...FLOW_KEYS].sort());
		expect(Object.keys(defaults.properties).sort()).toEqual(
			ROW_KEYS.filter((k) => k !== 'name' && k !== 'after').sort(),
		);
		for (const part of [schema, row, flow, defaults]) expect(part.additionalProperties).toBe(false);
	});

	it('knows the words that the parser knows', () => {
		expect(schema.$defs.verdict.enum).toEqual([...VERDICTS]);
		expect(schema.$defs.reason.enum).toEqual(REASONS);
	});

	const patterns: [string, string, string[], string[]][] = [
		['endpoint', 'to', ['10.0.0.1', '10.0.0.1:80'], ['10.0.0.300', '10.0.0', '10.0.0.1:', 'x']],
		[
			'rule',
			'rule',
			['filter/FORWARD 7', 'filter/FORWARD rule 7', 'nat/POSTROUTING policy', '-A INPUT -j DROP'],
			['FORWARD', 'filter/', '7'],
		],
		['span', 'at', ['+5m', '+1h30m', '+90s', '+1.5d'], ['5m', '+', '+5x']],
	];
	it.each(patterns)('%s: takes what the parser takes, and nothing else', (def, key, good, wrong) => {
		const { pattern } = schema.$defs[def];
		const ok = (v: string): boolean =>
			problems(`tests:\n  - { packet: '${packet}', expect: drop, ${key}: '${v}' }`).length === 0;
		for (const v of good) expect([v, new RegExp(pattern).test(v), ok(v)]).toEqual([v, true, true]);
		for (const v of wrong) expect([v, new RegExp(pattern).test(v), ok(v)]).toEqual([v, false, false]);
	});
});
