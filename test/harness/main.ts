/*
 * test/harness/main.ts: npm run twin -- [options] [PATH...]
 * Runs scenarios on real Linux and on linnet, and shows where they differ.
 * Exit status: 0 all same, 1 something differs or failed, 2 it can't run here.
 */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { compare, type Difference } from './compare.ts';
import { linnetMissing, openLinnet } from './linnet.ts';
import { closeAll, Oracle, oracleMissing, oracleVersions } from './oracle.ts';
import { readRecording, writeRecording } from './recording.ts';
import { showDifferences } from './report.ts';
import { runScenario, type Seen, type Side, SideError } from './run.ts';
import { loadScenario, type Scenario, ScenarioError } from './scenario.ts';
import { type Result, summarise } from './summary.ts';

interface Options {
	record?: boolean;
	recorded?: boolean;
	only?: 'linux' | 'linnet';
	jobs: number;
	quiet?: boolean;
	summary?: string;
}

type Verdict = {
	kind: 'passed' | 'failed' | 'skipped' | 'differs';
	note?: string;
	detail?: string;
	differences?: Difference[];
};

const program = new Command('npm run twin --')
	.description('Runs twin scenarios on real Linux and on linnet, and shows where they differ.')
	.argument('[paths...]', 'scenario files or folders', [])
	.option('--record', 'write what real Linux shows beside each scenario (NAME.linux.json); linnet does not run')
	.option('--recorded', 'compare linnet with the recordings; needs neither root nor Linux')
	.addOption(
		new Option(
			'--only <side>',
			'run one side: linux (compared with the recording, where there is one) or linnet (only shown to run)',
		).choices(['linux', 'linnet']),
	)
	.option(
		'-j, --jobs <n>',
		'scenarios at a time',
		(v) => {
			const n = Number(v);
			if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('expected a whole number of at least 1');
			return n;
		},
		2,
	)
	.option('-q, --quiet', 'only the line of each scenario that did not pass')
	.option('--summary <file>', 'write the failures to a file, grouped by symptom')
	.exitOverride();

async function main(): Promise<number> {
	try {
		program.parse();
	} catch (e) {
		const code = (e as { exitCode?: number }).exitCode ?? 1;
		return code === 0 ? 0 : 2;
	}
	const options = program.opts<Options>();
	const paths = program.args.length > 0 ? program.args : [resolve(import.meta.dirname, '../twin')];
	const needsLinux = !options.recorded && options.only !== 'linnet';
	const needsLinnet = !options.record && options.only !== 'linux';
	const missing = (needsLinux && oracleMissing()) || (needsLinnet && linnetMissing());
	if (missing) {
		console.error(`twin: cannot run here: ${missing}`);
		return 2;
	}
	const files: string[] = [];
	for (const path of paths) {
		try {
			files.push(...find(path));
		} catch (e) {
			console.error(
				`twin: ${path}: ${(e as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file or folder' : (e as Error).message}`,
			);
			return 2;
		}
	}
	if (files.length === 0) {
		console.error(`twin: no scenario (*.yaml) in ${paths.join(', ')}`);
		return 2;
	}
	for (const [name, code] of [
		['SIGINT', 130],
		['SIGTERM', 143],
		['SIGHUP', 129],
	] as const)
		process.on(name, () => {
			closeAll();
			process.exit(code);
		});
	process.on('exit', closeAll);

	const versions = options.record ? oracleVersions() : {};
	const count = { passed: 0, failed: 0, skipped: 0, differs: 0 };
	const results: Result[] = [];
	let next = 0;
	const worker = async () => {
		while (next < files.length) {
			const file = files[next++];
			const shown = relative(process.cwd(), file).startsWith('..') ? file : relative(process.cwd(), file);
			const began = performance.now();
			let verdict: Verdict;
			try {
				const s = loadScenario(file, shown);
				verdict = await judge(s, options, versions);
			} catch (e) {
				verdict = { kind: 'failed', note: message(e) };
			}
			count[verdict.kind]++;
			results.push({ name: shown, kind: verdict.kind, note: verdict.note, differences: verdict.differences ?? [] });
			if (options.quiet && verdict.kind === 'passed') continue;
			const color = { passed: pc.green, failed: pc.red, skipped: pc.yellow, differs: pc.yellow }[verdict.kind];
			const time = pc.dim(`${((performance.now() - began) / 1000).toFixed(1)}s`);
			const name = shown.replace(/\.ya?ml$/, '');
			console.log(`${color(verdict.kind.padEnd(7))} ${name} ${time}${verdict.note ? `: ${verdict.note}` : ''}`);
			if (verdict.detail) console.log(verdict.detail);
		}
	};
	await Promise.all(Array.from({ length: Math.min(options.jobs, files.length) }, worker));
	if (options.summary) writeFileSync(options.summary, summarise(results));
	if (count.differs > 0) console.log(`${count.differs} differ in a way that is understood and accepted ('differs:')`);
	console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped + count.differs} skipped`);
	return count.failed > 0 ? 1 : 0;
}

async function judge(s: Scenario, options: Options, versions: Record<string, string>): Promise<Verdict> {
	if (s.oracle === 'refvm' && !options.recorded) return { kind: 'skipped', note: 'its oracle is the reference VM' };
	if (options.record) {
		writeRecording(s, await onLinux(s), versions);
		return { kind: 'passed', note: 'recorded' };
	}
	if (options.only === 'linux') {
		const seen = await onLinux(s);
		const recorded = readRecording(s);
		return recorded
			? verdict(s, compare(s, recorded, seen), ['recorded', 'now'])
			: { kind: 'passed', note: 'not recorded yet' };
	}
	if (options.only === 'linnet') {
		await onLinnet(s);
		return { kind: 'passed', note: 'ran; not compared' };
	}
	if (options.recorded) {
		const recorded = readRecording(s);
		if (!recorded) return { kind: 'failed', note: 'there is no recording' };
		return verdict(s, compare(s, recorded, await onLinnet(s)));
	}
	const [linux, linnet] = await Promise.allSettled([onLinux(s), onLinnet(s)]);
	if (linux.status === 'rejected') throw linux.reason;
	if (linnet.status === 'rejected') throw linnet.reason;
	return verdict(s, compare(s, linux.value, linnet.value));
}

function verdict(s: Scenario, differences: Difference[], names?: string[]): Verdict {
	if (differences.length === 0)
		return s.differs ? { kind: 'failed', note: "nothing differs any more: take out 'differs'" } : { kind: 'passed' };
	const facets = [...new Set(differences.map((d) => d.facet))].join(', ');
	if (s.differs) return { kind: 'differs', note: `${facets}: ${s.differs}` };
	return { kind: 'failed', note: facets, detail: showDifferences(differences, names), differences };
}

async function on(s: Scenario, side: Side, name: string): Promise<Seen> {
	try {
		return await runScenario(s, side);
	} catch (e) {
		if (e instanceof SideError) throw new SideError(`${name}: ${e.message}`);
		throw e;
	} finally {
		await side.close();
	}
}

const onLinux = (s: Scenario) => on(s, new Oracle(s.log !== undefined), 'Linux');
const onLinnet = (s: Scenario) => on(s, openLinnet(), 'linnet');

function message(e: unknown): string {
	if (e instanceof ScenarioError || e instanceof SideError) return e.message;
	return (e as Error).stack ?? String(e);
}

/** Scenario files under a path, in order. */
function find(path: string): string[] {
	if (!statSync(path).isDirectory()) return [resolve(path)];
	return readdirSync(path, { withFileTypes: true })
		.sort((a, b) => (a.name < b.name ? -1 : 1))
		.flatMap((e) =>
			e.isDirectory() ? find(join(path, e.name)) : /\.ya?ml$/.test(e.name) ? [resolve(path, e.name)] : [],
		);
}

process.exitCode = await main();
