/*
 * A host that was collected on real Linux (examples/) and set up here says of itself what the real one said.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importHost } from '../../src/lab/import/import.ts';
import { ImportError, parseSnapshot, ruleLines, sniff } from '../../src/lab/import/snapshot.ts';
import { World } from '../../src/lab/world.ts';

const examples = join(import.meta.dirname, '../../examples');

function files(example: string): Map<string, string> {
	const dir = join(examples, example, 'host');
	return new Map(readdirSync(dir).map((f) => [f, readFileSync(join(dir, f), 'utf8')]));
}

const rows = (text: string): string[] =>
	(JSON.parse(text) as Record<string, unknown>[])
		.map((r) => JSON.stringify(Object.fromEntries(Object.entries(r).sort())))
		.sort();

/** Rules without counters and comments. */
const rules = (text: string): string[] =>
	text
		.split('\n')
		.filter((l) => !l.startsWith('#'))
		.map((l) => l.replace(/ \[\d+:\d+\]$/, ''));

describe.each(['office', 'docker'])('%s', (example) => {
	it('has the routes, policy rules and sysctls of the real host', async () => {
		const f = files(example);
		const { host } = await importHost(new World(), parseSnapshot(f));
		const route = await host.sh('ip -4 -j -d route show table all');
		expect(rows(route.stdout)).toEqual(rows(f.get('route.json')!));
		expect(rows((await host.sh('ip -4 -j -d rule show')).stdout)).toEqual(rows(f.get('rule.json')!));
		const want = f.get('sysctl')!.match(/^net\.ipv4\.conf\.\S+ = .*$/gm)!;
		const got = new Set((await host.sh('sysctl -a')).stdout.split('\n'));
		expect(want.filter((l) => !got.has(l))).toEqual([]);
	});

	it('has its addresses', async () => {
		const f = files(example);
		const { host } = await importHost(new World(), parseSnapshot(f));
		const real = JSON.parse(f.get('addr.json')!) as { ifname: string; addr_info?: unknown[] }[];
		const ours = JSON.parse((await host.sh('ip -j -d addr show')).stdout) as typeof real;
		for (const l of real) expect(ours.find((o) => o.ifname === l.ifname)?.addr_info, l.ifname).toEqual(l.addr_info);
	});

	it('has its rules, with their counters', async () => {
		const f = files(example);
		const { host } = await importHost(new World(), parseSnapshot(f));
		const saved = (await host.sh('iptables-save -c')).stdout;
		const tables = (text: string): string[] =>
			text
				.split(/^(?=\*)/m)
				.filter((t) => t.startsWith('*'))
				.map((t) => rules(t).join('\n'))
				.sort();
		expect(tables(saved)).toEqual(tables(f.get('iptables-legacy-save')!));
	});

	it('has its connections', async () => {
		const f = files(example);
		const { host, notes } = await importHost(new World(), parseSnapshot(f));
		const entry = (l: string): string => l.replace(/^(ipv4\s+\d+\s+\S+\s+\d+) \d+/, '$1 T').replace(/ use=\d+/, '');
		const lines = (text: string): string[] =>
			text
				.split('\n')
				.filter((l) => l.startsWith('ipv4'))
				.map(entry)
				.sort();
		// Of a protocol without a tracker only the number is known to the real tool, too: it is left out, and said.
		const real = lines(f.get('conntrack')!);
		expect(lines((await host.sh('conntrack -L -o extended')).stdout)).toEqual(
			real.filter((l) => !l.includes(' unknown ')),
		);
		expect(notes.filter((n) => n.where === 'conntrack').length).toBe(real.some((l) => l.includes(' unknown ')) ? 1 : 0);
	});
});

describe('bad files', () => {
	const bad = (name: string, text: string): string => {
		try {
			parseSnapshot(new Map([[name, text]]));
		} catch (e) {
			if (e instanceof ImportError) return e.message;
			throw e;
		}
		return '';
	};

	it('are refused with file, place and what was expected', () => {
		expect(bad('link.json', '[{"ifname": "eth0"')).toMatch(/^link\.json(:\d+)?: not JSON/);
		expect(bad('link.json', '{}')).toBe("link.json: expected a JSON array, as 'ip -j' prints it");
		expect(bad('link.json', '[{"ifname": "eth0", "flags": []}]')).toBe(
			"link.json: entry 1: 'mtu' is missing, expected a whole number",
		);
		expect(bad('sysctl', 'net.ipv4.ip_forward = 1\nrubbish here\n')).toMatch(
			/^sysctl:2: 'rubbish here' is not 'name = value'/,
		);
	});

	it('say the line of a rule that cannot be read', async () => {
		const snapshot = parseSnapshot(
			new Map([['iptables-save', '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport x -j DROP\nCOMMIT\n']]),
		);
		await expect(importHost(new World(), snapshot)).rejects.toThrow(/iptables-save:3: /);
	});
});

it('numbers rules as iptables -L does', () => {
	const r = ruleLines(
		'rules.v4',
		'*filter\n:INPUT DROP [0:0]\n-A INPUT -j ACCEPT\n[5:6] -A INPUT -j DROP\nCOMMIT\n*nat\n-A INPUT -j ACCEPT\nCOMMIT\n',
	);
	expect(r.map((x) => [x.table, x.chain, x.num, x.line])).toEqual([
		['filter', 'INPUT', 1, 3],
		['filter', 'INPUT', 2, 4],
		['nat', 'INPUT', 1, 7],
	]);
});

it('knows files by their looks', () => {
	for (const example of ['office', 'docker']) {
		for (const [name, text] of files(example)) {
			if (['host', 'notes', 'rt_tables', 'iptables-legacy-save'].includes(name)) continue;
			expect(sniff(text), `${example}/${name}`).toBe(name);
		}
	}
});

it('takes an iptables-save alone, and says what it assumed', async () => {
	const text =
		'*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -s 10.1.0.0/16 -i lan0 -o wan0 -j ACCEPT\nCOMMIT\n';
	const imp = await importHost(new World(), parseSnapshot(new Map([['iptables-save', text]])));
	expect([...imp.surroundings.keys()].sort()).toEqual(['lan0', 'wan0']);
	expect(imp.notes.map((n) => n.where)).toEqual(expect.arrayContaining(['link.json', 'route.json', 'sysctl']));
	expect((await imp.host.sh('ip route get 10.1.2.3')).stdout).toContain('dev lan0');
});
