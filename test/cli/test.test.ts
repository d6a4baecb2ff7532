/*
 * `linnet test` as people and CI servers see it: exit statuses, what is printed, JUnit, TAP, JSON, and that no row sees another.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadSnapshot } from '../../src/cli/load.ts';
import { changed, type TestFlags, test } from '../../src/cli/test.ts';
import { readSuites } from '../../src/cli/test_run.ts';
import { importFresh } from '../../src/firewall/host.ts';
import { Runner, statefulRules } from '../../src/firewall/runner.ts';

const examples = join(import.meta.dirname, '../../examples');
const office = join(examples, 'office/tests.yaml');
const host = join(examples, 'office/host');
const tmp = mkdtempSync(join(tmpdir(), 'linnet-test-'));
afterAll(() => rmSync(tmp, { recursive: true }));

/** Runs the command. */
async function run(files: string[], flags: TestFlags = {}): Promise<{ status: number; out: string; err: string }> {
	let out = '';
	let err = '';
	const write = [process.stdout.write, process.stderr.write];
	process.stdout.write = ((chunk: string) => {
		out += chunk;
		return true;
	}) as typeof process.stdout.write;
	process.stderr.write = ((chunk: string) => {
		err += chunk;
		return true;
	}) as typeof process.stderr.write;
	try {
		return { status: await test(files, flags), out, err };
	} finally {
		[process.stdout.write, process.stderr.write] = write;
	}
}

let files = 0;
function file(text: string): string {
	const path = join(tmp, `t${files++}.yaml`);
	writeFileSync(path, text);
	return path;
}

/** One row on the office's router. */
const row = (text: string): string => file(`host: ${host}\ntests:\n  - { name: it, ${text} }\n`);
const web = "in: eth0, packet: 'tcp 198.51.100.7:40000 203.0.113.5:443'";

describe('shipped tests', () => {
	it('of the office and of kube-proxy pass', async () => {
		const r = await run([office, join(examples, 'kube-proxy/tests.yaml')]);
		expect(r.out).not.toContain('✗');
		expect(r).toMatchObject({ status: 0, out: expect.stringMatching(/\n22 passed in [\d.]+ s\n$/) });
	});

	it('fail when a rule is taken away', async () => {
		cpSync(host, join(tmp, 'changed'), { recursive: true });
		const rules = join(tmp, 'changed/iptables-legacy-save');
		writeFileSync(rules, readFileSync(rules, 'utf8').replace(/^.*no direct mail.*\n/m, ''));
		const r = await run([office], { host: [join(tmp, 'changed')] });
		expect(r.status).toBe(1);
		expect(r.out).toContain('✗ no direct mail');
		expect(r.out).toMatch(/1 failed, 9 passed/);
	});
});

describe('a row that is not as expected', () => {
	it.each([
		[`${web}, expect: drop`, 'expected  drop', 'actual    forward out eth2 to 10.20.0.10:8443 from 198.51.100.7:40000'],
		[`${web}, to: 10.20.0.11`, 'expected  to 10.20.0.11', 'actual    to 10.20.0.10:8443'],
		[`${web}, src: 203.0.113.5`, 'expected  src 203.0.113.5', 'actual    src 198.51.100.7:40000'],
		[`${web}, expect: accept, out: eth1`, 'expected  out eth1', 'actual    out eth2'],
		[`${web}, mark: 3`, 'expected  mark 0x3', 'actual    mark 0x0'],
		[`${web}, rule: filter/DMZ_IN 2`, 'expected  rule filter/DMZ_IN 2', 'filter/FORWARD 5, filter/DMZ_IN 1'],
		[
			`${web}, masquerade: true`,
			'expected  masquerade true',
			'actual    masquerade false: it leaves from 198.51.100.7',
		],
		[`${web}, reason: IP_RPFILTER`, 'expected  reason IP_RPFILTER', 'actual    reason none: forward'],
		[
			"packet: 'icmp 192.168.10.99 203.0.113.5', in: eth0, expect: accept, to: 203.0.113.5",
			'expected  accept',
			'actual    drop: IP_RPFILTER in',
		],
	])('%s', async (text, expected, actual) => {
		const r = await run([row(text)]);
		expect(r.status).toBe(1);
		expect(r.out).toContain(expected);
		expect(r.out).toContain(actual);
		expect(r.out).toContain('Action: ');
	});

	it('an answer to what went nowhere fails, and says why', async () => {
		const r = await run([
			file(
				`host: ${host}\ntests:\n  - { name: a, in: eth0, packet: 'tcp 1.2.3.4:1 203.0.113.5:23', expect: drop }\n  - { name: b, after: a, expect: forward }\n`,
			),
		]);
		expect(r.status).toBe(1);
		expect(r.out).toContain(
			'actual    packet the packet before it went nowhere: drop: NETFILTER_DROP at filter/LOGDROP rule 2',
		);
	});

	it('a closed port is not what drop means, but what accept does, and NO_SOCKET', async () => {
		const listeners = join(tmp, 'listeners');
		writeFileSync(listeners, 'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n');
		const paths = ['link.json', 'addr.json', 'route.json', 'sysctl'].map((f) => join(host, f));
		const of = (rest: string): string => row(`in: eth1, packet: 'tcp 192.168.10.20:5555 192.168.10.1:99', ${rest}`);
		const flags = { host: [...paths, listeners], quiet: true };
		expect((await run([of('expect: drop')], flags)).status).toBe(1);
		expect((await run([of('expect: accept')], flags)).status).toBe(0);
		expect((await run([of('expect: drop, reason: NO_SOCKET')], flags)).status).toBe(0);
	});
});

describe('what cannot be done is 2', () => {
	it.each([
		[
			`host: ${host}\ntests:\n  - { ${web.replace('eth0', 'eth9')}, expect: drop }`,
			/t\d+\.yaml:3:11: in: there is no device 'eth9' on gw; expected one of eth0/,
		],
		[`host: nowhere\ntests:\n  - { ${web}, expect: drop }`, /t\d+\.yaml:1:7: host: .*nowhere: no such file or folder/],
		[`tests:\n  - { ${web}, expect: drop }`, /t\d+\.yaml:1:1: there is no 'host', and no --host/],
		[
			`host: ${host}\ntests:\n  - { ${web}, expct: drop }`,
			/t\d+\.yaml:3:\d+: 'expct' is no key of a row; expected 'expect'\?/,
		],
		[`host: ${host}\ntests: []`, /there are no tests in these files/],
		[
			`host: ${host}\ntests:\n  - { in: host, packet: 'Ether()/IP(src="1.2.3.5",dst="1.2.3.4")', expect: drop }`,
			/t\d+\.yaml:3:\d+: packet: an Ethernet frame came/,
		],
	])('%j', async (text, message) => {
		const r = await run([file(text)]);
		expect(r.status).toBe(2);
		expect(r.err).toMatch(message);
	});

	it('no such file, no such names, wrong flags', async () => {
		expect(await run([join(tmp, 'none.yaml')])).toMatchObject({
			status: 2,
			err: expect.stringContaining('none.yaml: no such file'),
		});
		expect((await run([office], { grep: 'nothing like it' })).status).toBe(2);
		await expect(run([office], { jobs: '0' })).rejects.toThrow('--jobs 0: expected a number from 1 to 256');
		await expect(run([office], { tap: true, json: true })).rejects.toThrow('one of them');
	});
});

describe('for programs', () => {
	const red = () =>
		file(
			`host: ${host}\ntests:\n  - { name: 'a <b> & "c"', ${web}, expect: drop }\n  - { name: green, ${web}, expect: forward }\n`,
		);

	it('JUnit', async () => {
		const xml = join(tmp, 'out.xml');
		expect((await run([red()], { junit: xml, quiet: true })).status).toBe(1);
		const text = readFileSync(xml, 'utf8');
		expect(text).toMatch(
			/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites name="linnet" tests="2" failures="1" errors="0" time="[\d.]+">/,
		);
		expect(text).toContain('name="a &#60;b&#62; &#38; &#34;c&#34;"');
		expect(text).toContain('<failure message="expect: expected drop, actual forward out eth2');
		expect(text.match(/<testcase /g)).toHaveLength(2);
		expect(text.match(/<failure /g)).toHaveLength(1);
	});

	it('TAP, whose YAML blocks are YAML', async () => {
		const { out } = await run([red()], { tap: true });
		const lines = out.split('\n');
		expect(lines.slice(0, 3)).toEqual(['TAP version 14', '1..2', 'not ok 1 - a <b> & "c"']);
		expect(lines).toContain('ok 2 - green');
		const block = parse(lines.slice(lines.indexOf('  ---') + 1, lines.indexOf('  ...')).join('\n'));
		expect(block.mismatches[0]).toMatchObject({ what: 'expect', expected: 'drop' });
		expect(block.journey).toContain('Action: forward');
	});

	it('JSON, a line each', async () => {
		const { out } = await run([red()], { json: true });
		const [a, b] = out
			.trim()
			.split('\n')
			.map((l) => JSON.parse(l));
		expect(a).toMatchObject({ ok: false, mismatches: [{ what: 'expect' }], journey: { action: 'forward' } });
		expect(b).toMatchObject({ name: 'green', ok: true, mismatches: [] });
	});
});

describe('rows do not see each other', () => {
	it('whether a host is used again or not: the same results', async () => {
		const snapshot = await loadSnapshot([host]);
		const [suite] = readSuites([office]);
		const all = [...suite.rows, ...suite.rows].map((r, i) => ({
			...r,
			name: i < suite.rows.length ? r.name : `${r.name} again`,
		}));
		const results = async (stateful: Set<string> | null) => {
			const runner = new Runner(all, () => importFresh(snapshot), stateful);
			const out: unknown[] = [];
			for (const r of all) {
				const { ms: _ms, ...rest } = await runner.run({ ...r, to: ['9.9.9.9'] });
				out.push(rest);
			}
			return { out, imports: runner.pool.imports };
		};
		const fresh = await results(null);
		const reused = await results(statefulRules(snapshot));
		expect(fresh.imports).toBe(all.length);
		expect(reused.imports).toBeLessThan(all.length);
		expect(reused.out).toEqual(fresh.out);
	});

	it('rules that keep something are told from those that do not', async () => {
		const keys = [...statefulRules(await loadSnapshot([host]))];
		expect(keys).toEqual(['filter/INPUT/4', 'filter/LOGDROP/1']);
	});
});

it('--watch sees a file that changes, and one that an editor puts in its place', async () => {
	const path = file('a');
	const first = changed([path]);
	setTimeout(() => writeFileSync(path, 'b'), 50);
	await first;
	const second = changed([tmp]);
	setTimeout(() => writeFileSync(join(tmp, 'new'), 'b'), 50);
	await second;
});
