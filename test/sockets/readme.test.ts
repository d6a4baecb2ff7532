/*
 * test/sockets/readme.test.ts: every JavaScript example of README.md runs as pasted, and prints what it says.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const text = await readFile(join(ROOT, 'README.md'), 'utf8');
const examples = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map((m) => m[1]);

/** Runs it with the linnet that stands in src. */
async function run(code: string): Promise<{ status: number | null; out: string; err: string }> {
	await mkdir(join(ROOT, '.cache'), { recursive: true });
	const dir = await mkdtemp(join(ROOT, '.cache/readme-'));
	try {
		const outfile = join(dir, 'example.mjs');
		await build({
			stdin: { contents: code, resolveDir: ROOT, sourcefile: 'README.js' },
			outfile,
			bundle: true,
			platform: 'node',
			format: 'esm',
			target: 'node20',
			alias: {
				linnet: join(ROOT, 'src/lab/index.ts'),
				'linnet/net': join(ROOT, 'src/sockets/net.ts'),
				'linnet/dgram': join(ROOT, 'src/sockets/dgram.ts'),
				'linnet/streams': join(ROOT, 'src/sockets/streams.ts'),
			},
			external: ['just-bash'],
			logLevel: 'error',
		});
		return await new Promise((done) => {
			const child = spawn(process.execPath, [outfile]);
			let out = '';
			let err = '';
			child.stdout.on('data', (d) => {
				out += d;
			});
			child.stderr.on('data', (d) => {
				err += d;
			});
			const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
			child.on('close', (status) => {
				clearTimeout(timer);
				done({ status, out, err });
			});
		});
	} finally {
		await rm(dir, { recursive: true, force: true });
	}
}

test('there is one of each', () => {
	for (const name of ['linnet', 'linnet/net', 'linnet/dgram', 'linnet/streams'])
		expect(examples.some((e) => e.includes(`from '${name}'`))).toBe(true);
});

describe.each(examples.map((e, i) => [i + 1, e] as const))('example %i', (_, code) => {
	test('runs, ends, and prints what it says', async () => {
		const r = await run(code);
		expect(r.err).toBe('');
		expect(r.status).toBe(0);
		expect(r.out).not.toBe('');
		const said = [...code.matchAll(/\/\/ prints: (.*)$/gm)].map((m) => m[1]);
		if (said.length > 0) expect(r.out).toBe(`${said.join('\n')}\n`);
	}, 30_000);
});
