/*
 * test/net/ipv4/tcp/sysctl.test.ts: net.ipv4.tcp_*: names, defaults, modes, what they take, as recorded from Linux (sysctl.py).
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { sysctl_find, sysctl_paths, sysctl_read, sysctl_write } from '../../../../src/kernel/sysctl.ts';
import { World } from '../../../../src/lab/index.ts';
import { copy_net_ns } from '../../../../src/net/core/net_namespace.ts';

interface Row {
	default: string;
	mode: string;
	takes: Record<string, string>;
}

const recording = JSON.parse(readFileSync(resolve(import.meta.dirname, 'sysctl.linux.json'), 'utf8')) as {
	rows: Record<string, Row>;
};
const rows = Object.entries(recording.rows);

/** What differs for a reason: the reference kernel's default congestion control, and what it was allowed meanwhile. */
const OWN: Record<string, string> = {
	tcp_congestion_control: 'cubic',
	tcp_allowed_congestion_control: 'reno cubic',
};

const first = new World().host('h').machine.init_net;
const net = copy_net_ns(first.machine);

test('a fresh namespace has what Linux has, and nothing else', () => {
	const names = sysctl_paths(net)
		.filter((p) => p.startsWith('net/ipv4/tcp_'))
		.map((p) => p.slice('net/ipv4/'.length));
	// The machine's own are found through the first namespace.
	const machines = ['tcp_available_ulp', 'tcp_max_orphans', 'tcp_mem'];
	expect(names.filter((n) => !machines.includes(n))).toEqual(rows.map(([n]) => n));
	expect(sysctl_paths(first).filter((p) => machines.includes(p.slice('net/ipv4/'.length)))).toHaveLength(3);
});

test.each(rows)('%s', (name, row) => {
	const path = `net/ipv4/${name}`;
	expect(sysctl_read(net, path)).toBe(OWN[name] ?? row.default);
	expect(`0o${sysctl_find(net, path)!.mode.toString(8)}`).toBe(row.mode);
	if (Object.keys(row.takes).length === 0) return;
	const takes: Record<string, string> = {};
	// As in the recording: all that were tried.
	const tried = readFileSync(resolve(import.meta.dirname, 'sysctl.py'), 'utf8').match(
		/^WRITES = \[([\s\S]*?)\]\n/m,
	)![1];
	for (const m of tried.matchAll(/'([^']*)'/g)) {
		if (sysctl_write(net, path, m[1]) === 0) takes[m[1]] = String(sysctl_read(net, path));
		sysctl_write(net, path, row.default);
	}
	expect(takes).toEqual(row.takes);
});
