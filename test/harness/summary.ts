/*
 * test/harness/summary.ts: failures of many scenarios grouped by what they have in common, for whoever hands out the work.
 */
import type { Difference } from './compare.ts';
import { dissect } from './linnet.ts';

export interface Result {
	name: string;
	kind: string;
	note?: string;
	differences: Difference[];
}

/** Markdown: how many passed by folder, then each symptom with the scenarios that show it, the most frequent first. */
export function summarise(results: Result[]): string {
	const folders = new Map<string, { passed: number; failed: number }>();
	const symptoms = new Map<string, Set<string>>();
	for (const r of results) {
		const folder = r.name.split('/').at(-2) ?? '.';
		const count = folders.get(folder) ?? { passed: 0, failed: 0 };
		folders.set(folder, count);
		if (r.kind === 'passed') count.passed++;
		if (r.kind !== 'failed') continue;
		count.failed++;
		for (const s of symptomsOfResult(r)) {
			const names = symptoms.get(s) ?? new Set();
			names.add(r.name.split('/').slice(-2).join('/'));
			symptoms.set(s, names);
		}
	}
	const out = ['# Twins that fail', '', '| folder | passed | failed |', '|---|---|---|'];
	for (const [name, c] of [...folders].sort()) out.push(`| ${name} | ${c.passed} | ${c.failed} |`);
	out.push('', '## Symptoms', '');
	for (const [symptom, names] of [...symptoms].sort((a, b) => b[1].size - a[1].size || (a[0] < b[0] ? -1 : 1))) {
		const list = [...names].sort();
		const more = list.length > 8 ? `, … ${list.length - 8} more` : '';
		out.push(`- **${list.length}** ${symptom}`, `  ${list.slice(0, 8).join(', ')}${more}`);
	}
	return out.join('\n') + '\n';
}

function symptomsOfResult(r: Result): string[] {
	// What follows from another difference says nothing of its own: counters and drops where the packets differ already.
	const direct = r.differences.filter((d) => d.facet === 'output' || d.facet === 'frames' || d.facet === 'log');
	const told = direct.length > 0 ? direct : r.differences;
	return told.length > 0 ? told.flatMap(symptomsOf) : [plain(r.note ?? 'failed')];
}

/** The first thing that went wrong, in one line. */
export function mainSymptom(r: Result): string {
	return symptomsOfResult(r)[0].slice(0, 240);
}

/** What went wrong without what only this scenario has. */
function plain(note: string): string {
	const [head, ...rest] = note.split('\n');
	const error = rest.find((l) => l.trim() !== '')?.trim();
	if (/setup failed/.test(head)) return `setup fails: ${error ?? head}`;
	return (
		head.replace(/^linnet: (line \d+: )?/, '').slice(0, 160) +
		(error?.startsWith('at ') ? ` (${error.split(' ')[1]})` : '')
	);
}

function symptomsOf(d: Difference): string[] {
	if (d.facet === 'drops' || d.facet === 'counters')
		return d.expected.flatMap((line, i) => {
			if (line.startsWith('  at')) return [];
			const [key, expected] = line.split(' ');
			const found = d.found[i]?.split(' ')[1] ?? '0';
			return [`${d.facet}: ${key} ${Number(found) < Number(expected) ? 'too few' : 'too many'}`];
		});
	const at = d.expected.findIndex((line, i) => line !== d.found[i]);
	const e = d.expected[at] ?? '(nothing)';
	const f = d.found[at < 0 ? d.expected.length : at] ?? '(nothing)';
	if (d.facet === 'frames') {
		if (!e.includes(' > ') || !f.includes(' > ')) return [`frames: ${e.includes(' > ') ? 'missing' : 'too many'}`];
		const fields = (text: string) => dissect(Buffer.from(text.split(' ')[3], 'hex'));
		const b = fields(f);
		const differ = fields(e).find((line, i) => line !== b[i]);
		return [`frames: differ in ${differ?.split(' ').slice(0, 2).join(' ') ?? 'order'}`];
	}
	if (/command not found/.test(f)) return [`no such program: ${f.split(': ')[1]}`];
	const program = /of (?:join )?(?:\w+: )?(?:sudo )?([\w-]+)/.exec(d.where)?.[1] ?? '?';
	return [`output of ${program}: expected \`${e.trim().slice(0, 90)}\`, found \`${f.trim().slice(0, 90)}\``];
}
