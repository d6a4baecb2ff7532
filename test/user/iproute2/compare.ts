/*
 * test/user/iproute2/compare.ts: runs our `ip` and the real one over the real kernel and compares what they print and what they do.
 * Root and Linux only: `node scripts/run.mjs test/user/iproute2/compare.ts [FILE…]`. Two namespaces of the same shape: the real program
 * acts in one, ours (its system calls relayed by relay.py) in the other; after each command the state of both is compared too.
 * A case file: a line is a command for both; `! cmd` runs only as preparation, by the real program in both.
 * `--linnet` runs ours over linnet's own kernel instead: that compares the kernels too (not their state).
 * `--record FILE.gz` writes what our program asked and heard, and what the real one printed: ip.test.ts replays it without root.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { veth_init } from '../../../src/drivers/net/veth.ts';
import { type Host, World } from '../../../src/lab/index.ts';
import { ip } from '../../../src/user/iproute2/ip.ts';
import { type Json, relay_process } from './relay.ts';

const PREFIX = `lnip${process.pid}`;
const HERE = 'test/user/iproute2';

/** System calls of one namespace, answered by relay.py. */
class Relay {
	private dir = mkdtempSync(join(tmpdir(), 'relay-'));
	private out: number;
	private inp: number;
	private rest = '';
	private child;
	log: [string, Json, Json][] = [];

	constructor(ns: string) {
		const a = join(this.dir, 'req');
		const b = join(this.dir, 'ans');
		execFileSync('mkfifo', [a, b]);
		this.child = spawn('ip', ['netns', 'exec', ns, 'python3', `${HERE}/relay.py`, a, b], { stdio: ['ignore', 2, 2] });
		this.out = openSync(a, 'w');
		this.inp = openSync(b, 'r');
	}

	call(op: string, args: Json[]): Json {
		writeSync(this.out, JSON.stringify([op, args]) + '\n');
		const buf = Buffer.alloc(1 << 16);
		while (!this.rest.includes('\n')) {
			const n = readSync(this.inp, buf, 0, buf.length, null);
			if (n === 0) throw new Error('relay ended');
			this.rest += buf.toString('latin1', 0, n);
		}
		const at = this.rest.indexOf('\n');
		const line = this.rest.slice(0, at);
		this.rest = this.rest.slice(at + 1);
		const r = JSON.parse(line) as Json;
		this.log.push([op, args, r]);
		return r;
	}

	close(): void {
		closeSync(this.out);
		closeSync(this.inp);
		this.child.kill();
		rmSync(this.dir, { recursive: true });
	}
}

interface Shown {
	stdout: string;
	stderr: string;
	status: number;
}

export function words(line: string): string[] {
	return (line.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map((w) => w.replace(/^(['"])(.*)\1$/s, '$2'));
}

function real(ns: string, argv: string[]): Shown {
	const r = spawnSync('ip', ['netns', 'exec', ns, ...argv], { encoding: 'utf8', timeout: 5000 });
	return { stdout: r.stdout, stderr: r.stderr, status: r.status ?? -1 };
}

const STATE = [
	['ip', '-d', '-j', 'addr'],
	['ip', '-d', '-j', 'route', 'show', 'table', 'all'],
	['ip', '-d', '-j', '-6', 'route', 'show', 'table', 'all'],
	['ip', '-d', '-j', 'rule'],
	['ip', '-j', 'neigh', 'show', 'nud', 'all'],
	['ip', '-j', 'neigh', 'show', 'proxy'],
];

/** Numbers that differ between two twins: ages, hash order. */
function same_state(s: string): string {
	return s.replace(/"(valid_life_time|preferred_life_time|expires|used|confirmed|updated)":\d+/g, '"$1":0');
}

function state(ns: string): string {
	return STATE.map((c) => {
		const out = same_state(real(ns, c).stdout);
		if (!c.includes('neigh') || out === '') return out;
		return JSON.stringify((JSON.parse(out) as Json[]).map((x) => JSON.stringify(x)).sort());
	}).join('');
}

async function over_relay(relay: Relay, cmd: string[]): Promise<Shown> {
	const proc = relay_process((op, args) => relay.call(op, args), cmd);
	let status: number;
	try {
		status = await ip(proc);
	} catch (e) {
		status = -1;
		proc.stderr.write(`${e instanceof Error ? e.stack : e}\n`);
	}
	return { stdout: proc.stdout.text(), stderr: proc.stderr.text(), status };
}

let host: Host | null = null;

/** A command on a host of linnet's. */
async function over_linnet(cmd: string[]): Promise<Shown> {
	if (host === null) {
		host = new World({ seed: 1 }).host('h');
		if (!host.machine.rtnl.link_ops.has('veth')) veth_init(host.machine);
		for (const f of ['group', 'rt_dsfield', 'rt_protos', 'rt_realms', 'rt_scopes', 'rt_tables']) {
			await host.disk.write(`/etc/iproute2/${f}`, readFileSync(`/etc/iproute2/${f}`), false);
		}
	}
	try {
		const r = await host.exec(cmd);
		return { stdout: r.stdout, stderr: r.stderr, status: r.exitCode };
	} catch (e) {
		return { stdout: '', stderr: `${e instanceof Error ? e.stack : e}`, status: -1 };
	}
}

async function main(): Promise<number> {
	const argv = process.argv.slice(2);
	let record: string | null = null;
	let linnet = false;
	const files: string[] = [];
	for (let i = 0; i < argv.length; i++) {
		if (argv[i] === '--record') record = argv[++i];
		else if (argv[i] === '--linnet') linnet = true;
		else files.push(argv[i]);
	}
	if (files.length === 0) files.push(`${HERE}/cases.txt`);
	const a = `${PREFIX}a`;
	const b = `${PREFIX}b`;
	let failed = 0;
	let apart = false;
	let passed = 0;
	const recorded: Json[] = [];
	const lines = files.flatMap((f) => readFileSync(f, 'utf8').split('\n'));
	for (const ns of [a, b]) {
		execFileSync('ip', ['netns', 'add', ns]);
		execFileSync('ip', [
			'netns',
			'exec',
			ns,
			'sh',
			'-c',
			'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6',
		]);
	}
	try {
		for (const raw of lines) {
			const line = raw.trim();
			if (line === '' || line.startsWith('#')) continue;
			if (line.startsWith('!')) {
				for (const ns of [a, b]) {
					const r = real(ns, ['sh', '-c', line.slice(1)]);
					if (r.status !== 0) process.stdout.write(`PREPARE ${line}: ${r.stderr}\n`);
				}
				if (linnet) await over_linnet(words(line.slice(1)));
				continue;
			}
			const cmd = words(line);
			const want = real(a, cmd);
			const relay = linnet ? null : new Relay(b);
			const got = relay === null ? await over_linnet(cmd) : await over_relay(relay, cmd);
			relay?.close();
			// Neighbours come in the order of a hash that is random.
			const sorted = (s: string): string => {
				if (!/ n(ei|$| )/.test(line)) return s;
				const items = s.split(/\n|\},\{/).map((x) => x.replace(/^\[?\{|\}\]?$/g, ''));
				return items.sort().join('\n');
			};
			const norm = (s: string): string =>
				sorted(
					s
						.replaceAll(a, 'NS')
						.replaceAll(b, 'NS')
						.replace(/valid_lft \d+sec preferred_lft \d+sec/g, 'LFT'),
				);
			let diff = '';
			for (const k of ['stdout', 'stderr', 'status'] as const) {
				const w = norm(String(want[k]));
				const f = norm(String(got[k]));
				if (w === f) continue;
				let i = 0;
				while (i < w.length && w[i] === f[i]) i++;
				const from = Math.max(0, i - 60);
				diff += `  ${k} expected: ${JSON.stringify(w.slice(from, i + 100))}\n  ${k}    found: ${JSON.stringify(f.slice(from, i + 100))}\n`;
			}
			const sa = linnet ? '' : state(a);
			const sb = linnet ? '' : state(b);
			if (sa !== sb && !apart) {
				let i = 0;
				while (sa[i] === sb[i]) i++;
				diff += `  state expected: …${sa.slice(Math.max(0, i - 80), i + 80)}\n  state    found: …${sb.slice(Math.max(0, i - 80), i + 80)}\n`;
			}
			// What went apart is told once.
			apart = sa !== sb;
			if (diff === '') {
				passed++;
				if (record !== null && relay !== null && relay.log.length < 200)
					recorded.push({ cmd, ...got, log: relay.log as Json });
			} else {
				failed++;
				process.stdout.write(`FAIL ${line}\n${diff}`);
			}
		}
	} finally {
		for (const ns of [a, b]) spawnSync('ip', ['netns', 'del', ns]);
	}
	if (record !== null)
		writeFileSync(record, gzipSync(recorded.map((r) => JSON.stringify(r)).join('\n') + '\n', { level: 9 }));
	process.stdout.write(`${passed} passed, ${failed} failed\n`);
	return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
