/*
 * docs/firewall-testing.md says what happens; threads give the same results as one.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');
const built = join(root, 'node_modules/.cache/linnet', `test-threads-${process.pid}/cli`);
const tmp = mkdtempSync(join(tmpdir(), 'linnet-test-'));
afterAll(() => {
	rmSync(tmp, { recursive: true });
	rmSync(join(built, '..'), { recursive: true, force: true });
});

mkdirSync(built, { recursive: true });
writeFileSync(join(built, '../package.json'), '{"type":"module"}');
await build({
	entryPoints: [join(root, 'src/cli/test.ts'), join(root, 'src/cli/test_worker.ts')],
	outdir: built,
	bundle: true,
	platform: 'node',
	format: 'esm',
	target: 'node20',
	packages: 'external',
});
writeFileSync(
	join(built, 'run.mjs'),
	`import { test } from './test.js';\nconst [flags, ...files] = process.argv.slice(2);\nprocess.exitCode = await test(files, JSON.parse(flags));\n`,
);

function run(files: string[], flags: object): { status: number | null; out: string; err: string } {
	const r = spawnSync(process.execPath, [join(built, 'run.mjs'), JSON.stringify(flags), ...files], {
		cwd: tmp,
		encoding: 'utf8',
	});
	return { status: r.status, out: r.stdout, err: r.stderr };
}

const doc = readFileSync(join(root, 'docs/firewall-testing.md'), 'utf8');
symlinkSync(join(root, 'examples/office/host'), join(tmp, 'web1'));

describe('docs/firewall-testing.md', () => {
	const yaml = /`firewall\.yaml`:\n\n```yaml\n([\s\S]*?)```/.exec(doc)![1];
	/** The indented block after a command, up to `…`. */
	const shown = (nth: number): string[] =>
		doc
			.split('    $ npx linnet test firewall.yaml\n')
			[nth].split('\n\n')[0]
			.split('\n')
			.map((l) => l.slice(4));

	it('its red test is red as shown, its green one green', () => {
		writeFileSync(join(tmp, 'firewall.yaml'), yaml);
		const red = run(['firewall.yaml'], { quiet: false });
		expect(red.status).toBe(1);
		const lines = shown(1);
		const cut = lines.findIndex((l) => l.includes('…'));
		expect(red.out.split('\n').slice(0, cut)).toEqual(lines.slice(0, cut));
		expect(red.out).toMatch(/\n1 failed, 1 passed in [\d.]+ s\n$/);
		writeFileSync(join(tmp, 'firewall.yaml'), yaml.replace('expect: drop', 'expect: reject'));
		const green = run(['firewall.yaml'], {});
		expect(green.status).toBe(0);
		expect(green.out.split('\n').slice(0, 2)).toEqual(shown(2).slice(0, 2));
	});

	it('names every key that rows have', () => {
		const { properties } = JSON.parse(readFileSync(join(root, 'schema/linnet-test.schema.json'), 'utf8')).$defs.row;
		for (const key of Object.keys(properties)) expect(doc).toContain(`\`${key}\``);
	});
});

describe('threads', () => {
	it('give the same results in the same order as one', () => {
		const file = join(root, 'examples/office/tests.yaml');
		const strip = (text: string) => text.replace(/"ms":[\d.]+/g, '');
		const one = run([file], { json: true, jobs: '1' });
		const three = run([file], { json: true, jobs: '3' });
		expect(three.status).toBe(0);
		expect(one.out.split('\n')).toHaveLength(11);
		expect(strip(three.out)).toBe(strip(one.out));
	});

	it('tell of what cannot be run', () => {
		const file = join(tmp, 'bad.yaml');
		writeFileSync(
			file,
			'host: web1\ntests:\n  - { in: eth9, packet: icmp 1.1.1.1 2.2.2.2, expect: drop }\n  - { name: b, in: eth8, packet: icmp 1.1.1.1 2.2.2.2, expect: drop }\n',
		);
		const r = run(['bad.yaml'], { jobs: '2' });
		expect(r.status).toBe(2);
		expect(r.err).toMatch(
			/bad\.yaml:3:11: in: there is no device 'eth9'[\s\S]*bad\.yaml:4:20: in: there is no device 'eth8'/,
		);
	});
});

it('action.yml runs a file that is built, with inputs that it declares', () => {
	const action = parse(readFileSync(join(root, 'action.yml'), 'utf8'));
	const step = action.runs.steps.at(-1);
	const used = Object.values(step.env as Record<string, string>)
		.map((v) => /inputs\.([\w-]+)/.exec(v)?.[1])
		.filter((v) => v !== undefined);
	expect(Object.keys(action.inputs)).toEqual(expect.arrayContaining(used));
	expect(step.run).toContain('dist/cli/main.js');
	expect(step.run).not.toContain('${{');
	// The script itself, with a program in the place of linnet that says its arguments.
	mkdirSync(join(tmp, 'action/dist/cli'), { recursive: true });
	writeFileSync(join(tmp, 'action/dist/cli/main.js'), 'console.log(JSON.stringify(process.argv.slice(2)))');
	writeFileSync(join(tmp, 'action/package.json'), '{}');
	const env = {
		PATH: process.env.PATH,
		LINNET_ACTION: join(tmp, 'action'),
		LINNET_FILES: 'a.yaml b.yaml',
		LINNET_HOST: 'x y',
		LINNET_JUNIT: '',
		LINNET_ARGS: '--detailed',
	};
	const r = spawnSync('bash', ['-e', '-c', step.run], { cwd: tmp, env, encoding: 'utf8' });
	expect(JSON.parse(r.stdout)).toEqual(['test', '--host', 'x y', '--detailed', 'a.yaml', 'b.yaml']);
});
