/*
 * test/harness/recording.ts: <name>.linux.json, what real Linux showed, written so that a diff reads well.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Seen, SeenStep } from './run.ts';
import { type Scenario, ScenarioError } from './scenario.ts';

export function recordingPath(s: Scenario): string {
	return s.file.replace(/\.ya?ml$/, '') + '.linux.json';
}

type Stored = Omit<Seen, 'steps'> & {
	versions: Record<string, string>;
	steps: (Omit<SeenStep, 'stdout' | 'stderr'> & { stdout?: string[]; stderr?: string[] })[];
};

/** Texts are kept as lists of lines (a last newline is an empty last line); empty texts are left out. */
export function writeRecording(s: Scenario, seen: Seen, versions: Record<string, string>): void {
	const stored: Stored = {
		versions,
		steps: seen.steps.map((t) => ({
			...t,
			stdout: t.stdout ? t.stdout.split('\n') : undefined,
			stderr: t.stderr ? t.stderr.split('\n') : undefined,
		})),
		frames: seen.frames,
		drops: seen.drops,
		droppedAt: seen.droppedAt,
		counters: seen.counters,
		log: seen.log,
	};
	writeFileSync(recordingPath(s), pretty(stored) + '\n');
}

export function readRecording(s: Scenario): Seen | null {
	const path = recordingPath(s);
	if (!existsSync(path)) return null;
	let stored: Stored;
	try {
		stored = JSON.parse(readFileSync(path, 'utf8'));
	} catch (e) {
		throw new ScenarioError(`${path}: not a recording: ${(e as Error).message}`);
	}
	return {
		...stored,
		steps: stored.steps.map((t, i) => {
			const step = s.steps[i];
			const shows = (key: 'stdout' | 'stderr') =>
				step && 'ignore' in step && !step.ignore.includes(key) ? (t[key]?.join('\n') ?? '') : undefined;
			return { ...t, stdout: shows('stdout'), stderr: shows('stderr') };
		}),
	};
}

/** JSON with one line for each object or list that holds only numbers and short texts. */
function pretty(value: unknown, indent = ''): string {
	if (value === null || typeof value !== 'object') return JSON.stringify(value);
	const entries = Array.isArray(value)
		? value.map((v) => [null, v] as const)
		: Object.entries(value).filter(([, v]) => v !== undefined);
	const [open, close] = Array.isArray(value) ? '[]' : '{}';
	if (entries.length === 0) return open + close;
	const flat = JSON.stringify(value);
	const deep = entries.some(([, v]) => v !== null && typeof v === 'object');
	if (!deep && flat.length + indent.length < 100) return flat;
	const inner = indent + '\t';
	const lines = entries.map(([k, v]) => inner + (k === null ? '' : JSON.stringify(k) + ': ') + pretty(v, inner));
	return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}
