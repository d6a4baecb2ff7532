/*
 * test/harness/main.ts: npm run twin -- [options] [PATH...]
 * Runs scenarios on real Linux and on linnet, and shows where they differ.
 * Exit status: 0 all same, 1 something differs or failed, 2 it can't run here.
 */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { compare, type Difference } from './compare.ts';
import { KNOWN_FILE, KnownError, readKnown, TWINS, writeKnown } from './known.ts';
import { linnetMissing, openLinnet } from './linnet.ts';
import { closeAll, Oracle, oracleMissing, oracleVersions } from './oracle.ts';
import { readRecording, writeRecording } from './recording.ts';
import { showDifferences } from './report.ts';
import { runScenario, type Seen, type Side, SideError } from './run.ts';
import { loadScenario, type Scenario, ScenarioError } from './scenario.ts';
import { mainSymptom, type Result, summarise } from './summary.ts';

interface Options {
	record?: boolean;
	recorded?: boolean;
	only?: 'linux' | 'linnet';
	jobs: number;
	quiet?: boolean;
	summary?: string;
	writeKnown?: boolean;
}

type Verdict = {
	/** known: it fails, and is in the list of known failures. */
	kind: 'passed' | 'failed' | 'skipped' | 'differs' | 'known';
	note?: string;
	detail?: string;
	differences?: Difference[];
	/** It failed for another reason than what linnet did. */
	notLinnet?: boolean;
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
	.addOption(
		new Option(
			'--write-known',
			'rewrite test/twin/known-failures.txt from what fails in this run; the failing ones keep the reason that they had',
		).conflicts(['record', 'only']),
	)
	.exitOverride();

async function main(): Promise<number> {
	try {
		program.parse();
	} catch (e) {
		const code = (e as { exitCode?: number }).exitCode ?? 1;
		return code === 0 ? 0 : 2;
	}
	const options = program.opts<Options>();
	const paths = program.args.length > 0 ? program.args : [TWINS];
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
	// What linnet does not pass is known only where linnet is compared.
	let known = new Map<string, string>();
	try {
		if (!options.record && !options.only) known = readKnown();
	} catch (e) {
		if (!(e instanceof KnownError)) throw e;
		console.error(`twin: ${e.message}`);
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
	const count = { passed: 0, failed: 0, skipped: 0, differs: 0, known: 0 };
	const knownNames: string[] = [];
	const results: Result[] = [];
	const live = needsLinux && needsLinnet;
	let next = 0;
	const worker = async () => {
		while (next < files.length) {
			const file = files[next++];
			const shown = relative(process.cwd(), file).startsWith('..') ? file : relative(process.cwd(), file);
			const began = performance.now();
			let verdict: Verdict;
			try {
				const s = loadScenario(file, shown);
				try {
					verdict = await judge(s, options, versions);
				} catch (e) {
					if (!(live && e instanceof SideError && e.message.endsWith('too busy'))) throw e;
					verdict = { kind: 'failed', note: e.message };
				}
				// The live kernel draws at random and shares its machine: what is a difference shows again.
				if (verdict.kind === 'failed' && live && !known.has(file)) {
					const first = verdict.note;
					verdict = await judge(s, options, versions);
					if (verdict.kind === 'passed') verdict.note = `on the second try; on the first differed: ${first}`;
				}
			} catch (e) {
				verdict = { kind: 'failed', note: message(e), notLinnet: !isLinnets(e) };
			}
			const reason = known.get(file);
			if (options.writeKnown) {
				const symptom = mainSymptom({ name: shown, ...verdict, differences: verdict.differences ?? [] });
				if (verdict.kind === 'failed' && !verdict.notLinnet && file.startsWith(TWINS))
					known.set(file, reason ?? symptom);
				else known.delete(file);
			} else if (reason !== undefined) verdict = expectedToFail(verdict, reason);
			if (verdict.kind === 'known') knownNames.push(`${shown}: ${reason}`);
			count[verdict.kind]++;
			results.push({ name: shown, kind: verdict.kind, note: verdict.note, differences: verdict.differences ?? [] });
			if (options.quiet && verdict.kind !== 'failed' && !(verdict.kind === 'passed' && verdict.note)) continue;
			const color = { passed: pc.green, failed: pc.red, skipped: pc.yellow, differs: pc.yellow, known: pc.yellow }[
				verdict.kind
			];
			const time = pc.dim(`${((performance.now() - began) / 1000).toFixed(1)}s`);
			const name = shown.replace(/\.ya?ml$/, '');
			console.log(`${color(verdict.kind.padEnd(7))} ${name} ${time}${verdict.note ? `: ${verdict.note}` : ''}`);
			if (verdict.detail) console.log(verdict.detail);
		}
	};
	await Promise.all(Array.from({ length: Math.min(options.jobs, files.length) }, worker));
	if (options.summary) writeFileSync(options.summary, summarise(results));
	if (options.writeKnown) {
		writeKnown(known);
		console.log(`${known.size} known failures written to ${KNOWN_FILE}`);
	}
	if (count.known > 0) {
		console.log(`${count.known} known failures (test/twin/${basename(KNOWN_FILE)}):`);
		for (const name of knownNames.sort()) console.log(`  ${name}`);
	}
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

/** Whether it was linnet that could not run the scenario: neither the live kernel nor the scenario's own text. */
function isLinnets(e: unknown): boolean {
	return !(e instanceof ScenarioError) && !(e instanceof SideError && e.message.startsWith('Linux: '));
}

/** The verdict on a scenario in the list of known failures. */
function expectedToFail(v: Verdict, reason: string): Verdict {
	if (v.kind === 'failed') return v.notLinnet ? v : { kind: 'known', note: reason };
	if (v.kind === 'skipped') return v;
	return { kind: 'failed', note: `it passes: remove it from test/twin/${basename(KNOWN_FILE)}` };
}

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

// What a scenario left running must not hold the process.
process.exit(await main());
