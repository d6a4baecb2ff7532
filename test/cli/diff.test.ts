/*
 * `linnet diff` and `linnet coverage` on the office's router.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { captureOf, coverage, diff } from '../../src/cli/diff.ts';

const office = join(import.meta.dirname, '../../examples/office');
const host = [join(office, 'host')];
const tmp = mkdtempSync(join(tmpdir(), 'linnet-test-'));
afterAll(() => rmSync(tmp, { recursive: true }));
const pcap = ['eth0', 'eth1', 'eth2'].map((d) => `${d}=${join(office, `${d}.pcap`)}`);

async function output(work: () => Promise<number>): Promise<{ status: number; lines: string[] }> {
	let text = '';
	const write = process.stdout.write;
	process.stdout.write = ((chunk: string) => {
		text += chunk;
		return true;
	}) as typeof process.stdout.write;
	try {
		return { status: await work(), lines: text.trimEnd().split('\n') };
	} finally {
		process.stdout.write = write;
	}
}

function rules(change: (text: string) => string): string {
	const path = join(tmp, 'new.v4');
	writeFileSync(path, change(readFileSync(join(host[0], 'iptables-legacy-save'), 'utf8')));
	return path;
}

describe('linnet diff', () => {
	it('of the same rules is nothing, and 0', async () => {
		const r = await output(() => diff({ host, rules: rules((t) => t), pcap, quiet: true }));
		expect(r.status).toBe(0);
		expect(r.lines).toEqual([expect.stringMatching(/^0 flows changed: 0 of \d\d+ packets/)]);
	});

	it('names flows whose verdict, translation or path changed, and is 1', async () => {
		const file = rules((t) =>
			t
				.replace(/^.*no direct mail.*\n/m, '')
				.replaceAll('10.20.0.10:8443', '10.20.0.12:8443')
				.replace('-A FORWARD -j LOGDROP', '-A FORWARD -j ACCEPT'),
		);
		const r = await output(() => diff({ host, rules: file, pcap, json: true, quiet: true }));
		expect(r.status).toBe(1);
		const flows = r.lines.map((l) => JSON.parse(l));
		expect(flows).toContainEqual(
			expect.objectContaining({
				dev: 'eth1',
				what: ['verdict'],
				old: expect.stringMatching(/^reject: .*rule 3/),
				new: expect.stringMatching(/^forward out eth0/),
			}),
		);
		expect(flows).toContainEqual(
			expect.objectContaining({
				dev: 'eth0',
				what: ['nat'],
				old: expect.stringContaining('to 10.20.0.10:8443'),
				new: expect.stringContaining('to 10.20.0.12:8443'),
			}),
		);
	});

	it('refuses what is no ruleset, and two new ones', async () => {
		const file = join(tmp, 'no.v4');
		writeFileSync(file, 'nothing');
		await expect(diff({ host, rules: file, pcap })).rejects.toThrow(
			"this is not what iptables-save prints: expected lines such as '*filter'",
		);
		await expect(diff({ host, pcap })).rejects.toThrow('expected the new configuration: --rules FILE');
		await expect(diff({ host, rules: rules((t) => t), pcap: ['eth9=x'], quiet: true })).rejects.toThrow(
			"no device 'eth9'",
		);
	});
});

describe('linnet coverage', () => {
	const kinds = (lines: string[]) =>
		lines
			.map((l) => JSON.parse(l))
			.map(
				(d) => `${d.kind} ${d.rule.table}/${d.rule.chain} ${d.rule.num}${d.by === undefined ? '' : ` by ${d.by.num}`}`,
			);

	it('of the captures: what they hit is what the real counters say', async () => {
		const r = await output(() => coverage({ host, pcap, json: true, quiet: true }));
		const never = kinds(r.lines);
		// What the real router counted while they were taken.
		expect(never).toContain('never hit filter/DMZ_IN 3');
		expect(never).toContain('never hit nat/PREROUTING 2');
		for (const hit of [
			'filter/FORWARD 1',
			'filter/FORWARD 3',
			'filter/DMZ_IN 1',
			'nat/PREROUTING 1',
			'nat/POSTROUTING 1',
			'filter/LOGDROP 2',
		])
			expect(never).not.toContain(`never hit ${hit}`);
	});

	it('of tests, and the rules that are shadowed', async () => {
		const file = rules((t) =>
			t.replace(
				'[4:312] -A FORWARD -i eth1 -j ACCEPT\n',
				'$&[0:0] -A FORWARD -i eth1 -p tcp -m tcp --dport 23 -j DROP\n',
			),
		);
		const files = ['link.json', 'addr.json', 'route.json', 'rule.json', 'neigh.json', 'sysctl'].map((f) =>
			join(host[0], f),
		);
		const r = await output(() =>
			coverage({ host: [...files, file], tests: [join(office, 'tests.yaml')], json: true, quiet: true }),
		);
		const said = kinds(r.lines);
		expect(said[0]).toBe('shadowed filter/FORWARD 5 by 4');
		expect(said).toContain('never hit filter/INPUT 5');
		expect(said).not.toContain('never hit filter/FORWARD 3');
	});
});

it('a capture is FILE or DEV=FILE', () => {
	expect(captureOf('eth0=a.pcap')).toEqual({ dev: 'eth0', file: 'a.pcap' });
	expect(captureOf('dir/x=a.pcap')).toEqual({ dev: 'any', file: 'dir/x=a.pcap' });
	expect(captureOf('a.pcap')).toEqual({ dev: 'any', file: 'a.pcap' });
});
