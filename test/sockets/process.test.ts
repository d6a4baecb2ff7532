/*
 * test/sockets/process.test.ts: programs as Node runs them: they end when all sockets are closed, stay while one is open, and cost nothing while all wait.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
let dir = '';
let program = '';

beforeAll(async () => {
	// Inside of the repository, where node finds just-bash.
	await mkdir(join(ROOT, '.cache'), { recursive: true });
	dir = await mkdtemp(join(ROOT, '.cache/sockets-'));
	program = join(dir, 'program.mjs');
	await build({
		entryPoints: [resolve(import.meta.dirname, 'process_program.ts')],
		outfile: program,
		bundle: true,
		platform: 'node',
		format: 'esm',
		target: 'node20',
		// just-bash is CommonJS inside.
		external: ['just-bash'],
		logLevel: 'error',
	});
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs a scenario. `code` is null when it was still running after `limit` ms. */
function run(name: string, limit = 20_000): Promise<{ code: number | null; out: string; err: string }> {
	return new Promise((done) => {
		const child = spawn(process.execPath, [program, name]);
		let out = '';
		let err = '';
		child.stdout.on('data', (d) => (out += d));
		child.stderr.on('data', (d) => (err += d));
		const timer = setTimeout(() => child.kill('SIGKILL'), limit);
		child.on('close', (code) => {
			clearTimeout(timer);
			done({ code, out, err });
		});
	});
}

test.each(['closed', 'unref', 'udp unref', 'streams', 'destroyed in flight', 'paced'])(
	'%s: the program ends',
	async (name) => {
		const r = await run(name);
		expect(r.err).toBe('');
		expect(r).toMatchObject({ code: 0, out: 'done\n' });
	},
	30_000,
);

test.each(['listening', 'connected', 'udp'])(
	'%s: the program goes on, and idles',
	async (name) => {
		const r = await run(name);
		expect(r.err).toBe('');
		expect(r.code).toBe(7);
		// Of a second.
		expect(Number(/cpu (\d+) ms/.exec(r.out)?.[1])).toBeLessThan(250);
		// Real time, not years.
		const passed = Number(/passed (\d+) ms/.exec(r.out)?.[1]);
		expect(passed).toBeGreaterThan(900);
		expect(passed).toBeLessThan(3000);
	},
	30_000,
);

test('what a listener throws ends the program, as elsewhere', async () => {
	const r = await run('throws');
	expect(r.code).toBe(1);
	expect(r.err).toContain('Error: thrown by a listener');
}, 30_000);
