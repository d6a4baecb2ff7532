/*
 * cli/test.ts: `linnet test FILES…`: tests of a firewall.
 * Walk: files -> documents (firewall/spec.ts) -> rows on hosts (cli/test_run.ts: here, or in threads when they are many) -> text, TAP, JSON, JUnit.
 */
import { existsSync, readdirSync, statSync, watch, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { junit, rowLines, tapLines } from '../firewall/report.ts';
import type { RowResult } from '../firewall/runner.ts';
import { problemText, SpecError, type Suite } from '../firewall/spec.ts';
import { ImportError } from '../lab/import/error.ts';
import type { ImportedHost } from '../lab/import/import.ts';
import { UserError } from './load.ts';
import { palette } from './paint.ts';
import { forgetSnapshots, hostPaths, readSuites, runSuite, runSuiteParallel } from './test_run.ts';

export interface TestFlags {
	host?: string[];
	junit?: string;
	tap?: boolean;
	json?: boolean;
	detailed?: boolean;
	verbose?: boolean;
	watch?: boolean;
	jobs?: string;
	grep?: string;
	quiet?: boolean;
}

/** So many rows are worth another thread, which has to warm up: 660 rows took 3 s in one and in two. */
const ROWS_A_JOB = 400;

/** Files as they are named; of folders the YAML files in them. Throws UserError. */
export function testFiles(paths: readonly string[]): string[] {
	const out: string[] = [];
	for (const p of paths) {
		if (!existsSync(p)) throw new UserError(`${p}: no such file or folder`);
		if (!statSync(p).isDirectory()) out.push(p);
		else {
			const names = readdirSync(p)
				.filter((n) => /\.ya?ml$/.test(n))
				.sort();
			if (names.length === 0) throw new UserError(`${p}: there are no .yaml files in this folder`);
			out.push(...names.map((n) => join(p, n)));
		}
	}
	return out;
}

function checkFlags(flags: TestFlags): number {
	if (flags.tap === true && flags.json === true) throw new UserError('--tap and --json: one of them');
	if (flags.jobs === undefined) return 0;
	const n = Number(flags.jobs);
	if (!Number.isInteger(n) || n < 1 || n > 256)
		throw new UserError(`--jobs ${flags.jobs}: expected a number from 1 to 256`);
	return n;
}

/** What is printed while rows run, and after. */
class Report {
	private flags: TestFlags;
	private c = palette();
	private err = palette(process.stderr);
	private said = new Set<string>();
	private shown = 0;
	private next = 0;
	private waiting: (RowResult | undefined)[] = [];
	readonly results: RowResult[] = [];
	private total: number;
	private progress: boolean;

	constructor(flags: TestFlags, total: number) {
		this.flags = flags;
		this.total = total;
		this.progress = process.stderr.isTTY === true && flags.quiet !== true;
		if (flags.tap === true) process.stdout.write(`TAP version 14\n1..${total}\n`);
	}

	/** What was not taken over of a host, once. */
	notes(imp: ImportedHost): void {
		for (const n of imp.notes) {
			if (n.kind !== 'warning' && (this.flags.quiet === true || this.flags.json === true || this.flags.tap === true))
				continue;
			const line = `${n.kind}: ${n.where}: ${n.text}`;
			if (this.said.has(line)) continue;
			this.said.add(line);
			process.stderr.write(`${n.kind === 'warning' ? this.err.yellow(line) : this.err.dim(line)}\n`);
		}
	}

	/** The row number `index` of all has run; they are told in order. */
	add(index: number, r: RowResult): void {
		this.waiting[index] = r;
		for (let w = this.waiting[this.next]; w !== undefined; w = this.waiting[this.next]) {
			this.waiting[this.next++] = undefined;
			this.tell(w);
		}
		this.shown++;
		if (this.progress && this.total >= 100 && this.shown % 10 === 0)
			process.stderr.write(`\r${this.shown} of ${this.total} tests${this.shown === this.total ? '\r\x1b[K' : ''}`);
	}

	/** A document could not be run to its end: what waits for its rows is told. */
	gap(upTo: number): void {
		for (; this.next < upTo; this.next++) {
			const w = this.waiting[this.next];
			if (w !== undefined) this.tell(w);
		}
	}

	private tell(r: RowResult): void {
		this.results.push(r);
		const put = (lines: string[]): void => {
			if (this.progress && this.total >= 100) process.stderr.write('\r\x1b[K');
			process.stdout.write(`${lines.join('\n')}\n`);
		};
		if (this.flags.json === true) put([JSON.stringify(r)]);
		else if (this.flags.tap === true) put(tapLines(r, this.results.length));
		else if (!r.ok || this.flags.verbose === true || (this.total <= 50 && this.flags.quiet !== true))
			put([...rowLines(r, this.c, this.flags.detailed), ...(r.ok ? [] : [''])]);
	}

	end(ms: number): number {
		const failed = this.results.filter((r) => !r.ok).length;
		const passed = this.results.length - failed;
		if (this.flags.json !== true && this.flags.tap !== true)
			process.stdout.write(
				`${failed > 0 ? `${this.c.red(`${failed} failed`)}, ` : ''}${this.c.green(`${passed} passed`)} in ${(ms / 1000).toFixed(1)} s\n`,
			);
		if (this.flags.junit !== undefined) {
			try {
				writeFileSync(this.flags.junit, junit(this.results));
			} catch (e) {
				throw new UserError(`${this.flags.junit}: ${e instanceof Error ? e.message : e}`);
			}
		}
		return failed > 0 ? 1 : 0;
	}
}

/** Rows of a document that are to be run. */
function chosen(suite: Suite, grep: RegExp | null): number[] {
	return [...suite.rows.keys()].filter((i) => grep === null || grep.test(suite.rows[i].name));
}

/** Runs all once. Return: exit status 0 or 1. Throws SpecError, UserError, ImportError. */
async function runOnce(
	files: readonly string[],
	flags: TestFlags,
	jobs: number,
): Promise<{ status: number; suites: Suite[] }> {
	const began = performance.now();
	const host = flags.host ?? [];
	let grep: RegExp | null = null;
	try {
		grep = flags.grep === undefined ? null : new RegExp(flags.grep);
	} catch (e) {
		throw new UserError(`--grep ${flags.grep}: ${e instanceof Error ? e.message : e}`);
	}
	const suites = readSuites(files);
	const work = suites.map((suite) => ({ suite, rows: chosen(suite, grep) }));
	const total = work.reduce((n, w) => n + w.rows.length, 0);
	if (total === 0)
		throw new UserError(
			flags.grep === undefined ? 'there are no tests in these files' : `--grep ${flags.grep}: no test has such a name`,
		);
	const report = new Report(flags, total);
	const problems: SpecError['problems'][number][] = [];
	// Threads are made of files as they are built: what runs from source has none.
	const threads = import.meta.url.endsWith('/cli/test.js');
	let base = 0;
	for (const { suite, rows } of work) {
		if (rows.length === 0) continue;
		const start = base;
		const place = new Map(rows.map((r, i) => [r, i]));
		const told = (index: number, r: RowResult): void => report.add(start + place.get(index)!, r);
		const n = !threads
			? 1
			: jobs > 0
				? Math.min(jobs, rows.length)
				: Math.min(availableParallelism(), Math.max(1, Math.floor(rows.length / ROWS_A_JOB)));
		try {
			if (n > 1) await runSuiteParallel(suite, host, rows, n, told);
			else await runSuite(suite, host, rows, told, (imp) => report.notes(imp));
		} catch (e) {
			if (!(e instanceof SpecError)) throw e;
			problems.push(...e.problems);
		}
		base += rows.length;
		report.gap(base);
	}
	const status = report.end(performance.now() - began);
	if (problems.length > 0) throw new SpecError(problems);
	return { status, suites };
}

/** Says what cannot be done. Return: 2, or rethrows what is nobody's fault but ours. */
function refuse(e: unknown): number {
	if (e instanceof SpecError) {
		const all = e.problems.map(problemText);
		process.stderr.write(`${[...new Set(all)].map((p) => `linnet: ${p}`).join('\n')}\n`);
	} else if (e instanceof UserError || e instanceof ImportError) process.stderr.write(`linnet: ${e.message}\n`);
	else throw e;
	return 2;
}

/** `linnet test`. Return: exit status: 0 all passed, 1 some failed, 2 it cannot be done. */
export async function test(paths: string[], flags: TestFlags): Promise<number> {
	const jobs = checkFlags(flags);
	const run = async (): Promise<{ status: number; suites: Suite[] }> => {
		try {
			return await runOnce(testFiles(paths), flags, jobs);
		} catch (e) {
			return { status: refuse(e), suites: [] };
		}
	};
	const first = await run();
	if (flags.watch !== true) return first.status;
	let { suites } = first;
	for (;;) {
		const names = [
			...testFiles(paths),
			...(flags.host ?? []),
			...suites.flatMap((s) => hostPaths(s, flags.host ?? [])),
		];
		process.stderr.write(palette(process.stderr).dim('watching; Ctrl-C ends\n'));
		await changed(names.filter((n) => existsSync(n)));
		forgetSnapshots();
		const again = await run();
		if (again.suites.length > 0) suites = again.suites;
	}
}

/** Until one of the files (or a file in one of the folders) changes, and has stopped changing. */
export function changed(names: readonly string[]): Promise<void> {
	return new Promise((resolve) => {
		let timer: NodeJS.Timeout | null = null;
		const watchers = [...new Set(names)].map((name) => {
			const folder = statSync(name).isDirectory();
			// Editors put a new file in the old one's place: the folder tells.
			return watch(folder ? name : dirname(name), (_event, file) => {
				if (!folder && file !== null && file !== basename(name)) return;
				if (timer !== null) clearTimeout(timer);
				timer = setTimeout(() => {
					for (const w of watchers) w.close();
					resolve();
				}, 100);
			});
		});
	});
}
