/*
 * cli/test_run.ts: runs documents of tests: reads the hosts that they name, here or in worker threads.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { importFresh } from '../firewall/host.ts';
import { type RowResult, Runner, statefulRules } from '../firewall/runner.ts';
import { parseSpecs, SpecError, type Suite } from '../firewall/spec.ts';
import type { ImportedHost } from '../lab/import/import.ts';
import type { Snapshot } from '../lab/import/snapshot.ts';
import { loadSnapshot, readText, UserError } from './load.ts';

/** Which rows of which document of which file. */
export interface Batch {
	file: string;
	document: number;
	/** Indices into the document's rows; null: all. */
	rows: number[] | null;
	/** What stands for the host that the document names. */
	host: string[];
}

/** The documents of test files. Throws SpecError with the problems of all of them. */
export function readSuites(files: readonly string[]): Suite[] {
	const suites: Suite[] = [];
	const problems: SpecError['problems'][number][] = [];
	for (const file of files) {
		try {
			suites.push(...parseSpecs(file, readText(file)));
		} catch (e) {
			if (!(e instanceof SpecError)) throw e;
			problems.push(...e.problems);
		}
	}
	if (problems.length > 0) throw new SpecError(problems);
	return suites;
}

/** The paths of a document's host: those of the command line, else its own, from where it stands. */
export function hostPaths(suite: Suite, given: readonly string[]): string[] {
	if (given.length > 0) return [...given];
	return suite.host.map((h) => (isAbsolute(h) ? h : resolve(dirname(suite.file), h)));
}

const snapshots = new Map<string, Promise<Snapshot>>();

/** A snapshot, read once. */
function snapshotOf(paths: string[]): Promise<Snapshot> {
	const key = JSON.stringify(paths);
	let s = snapshots.get(key);
	if (s === undefined) {
		s = loadSnapshot(paths);
		snapshots.set(key, s);
	}
	return s;
}

/** Forgets the snapshots: their files may have changed. */
export function forgetSnapshots(): void {
	snapshots.clear();
}

/** Runs rows of one document; `told` hears of each. Throws SpecError, UserError, ImportError. */
export async function runSuite(
	suite: Suite,
	host: readonly string[],
	rows: readonly number[] | null,
	told: (index: number, result: RowResult) => void,
	noted: (imp: ImportedHost) => void = () => {},
): Promise<void> {
	const paths = hostPaths(suite, host);
	if (paths.length === 0)
		throw new SpecError([
			{
				...suite.place,
				text: "there is no 'host', and no --host on the command line: expected the path of a captured host",
			},
		]);
	let snapshot: Snapshot;
	try {
		snapshot = await snapshotOf(paths);
	} catch (e) {
		if (host.length > 0 || !(e instanceof UserError)) throw e;
		throw new SpecError([{ ...suite.place, text: `host: ${e.message}` }]);
	}
	let first = true;
	const runner = new Runner(
		suite.rows,
		async () => {
			const imp = await importFresh(snapshot);
			if (first) noted(imp);
			first = false;
			return imp;
		},
		statefulRules(snapshot),
	);
	const problems: SpecError['problems'][number][] = [];
	for (const i of rows ?? suite.rows.keys()) {
		try {
			told(i, await runner.run(suite.rows[i]));
		} catch (e) {
			if (!(e instanceof SpecError)) throw e;
			problems.push(...e.problems);
		}
	}
	if (problems.length > 0) throw new SpecError(problems);
}

export type FromWorker =
	| { kind: 'result'; index: number; result: RowResult }
	| { kind: 'done' }
	| { kind: 'spec'; problems: SpecError['problems'] }
	| { kind: 'error'; user: boolean; message: string };

/** Runs rows of one document in `jobs` threads, each its share. */
export async function runSuiteParallel(
	suite: Suite,
	host: readonly string[],
	rows: readonly number[],
	jobs: number,
	told: (index: number, result: RowResult) => void,
): Promise<void> {
	const problems: SpecError['problems'][number][] = [];
	const one = (share: number[]): Promise<void> =>
		new Promise((done, fail) => {
			const batch: Batch = { file: suite.file, document: suite.document, rows: share, host: [...host] };
			const worker = new Worker(new URL('./test_worker.js', import.meta.url), { workerData: batch });
			worker.on('error', fail);
			worker.on('exit', (code) => (code === 0 ? done() : fail(new Error(`a worker ended with ${code}`))));
			worker.on('message', (m: FromWorker) => {
				if (m.kind === 'result') told(m.index, m.result);
				else if (m.kind === 'spec') problems.push(...m.problems);
				else if (m.kind === 'error') fail(m.user ? new UserError(m.message) : new Error(m.message));
			});
		});
	// Neighbours in the file are alike in what they cost: deal them out.
	await Promise.all(Array.from({ length: jobs }, (_, n) => one(rows.filter((_r, i) => i % jobs === n))));
	// Whoever was first: they are told in the order of the file.
	problems.sort((a, b) => a.line - b.line || a.column - b.column);
	if (problems.length > 0) throw new SpecError(problems);
}
