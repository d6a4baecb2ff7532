/*
 * test/harness/compare.ts: what two sides showed, side by side.
 * Walk: compare -> Difference[] (a facet, where, what was expected, what was found).
 */
import { sameText } from './normalise.ts';
import type { Seen } from './run.ts';
import type { Facet, Scenario } from './scenario.ts';

export interface Difference {
	facet: Facet;
	where: string;
	expected: string[];
	found: string[];
}

/** Everything in which `found` (linnet) is not what `expected` (Linux) is. */
export function compare(s: Scenario, expected: Seen, found: Seen): Difference[] {
	const out: Difference[] = [];
	if (s.compare.includes('output'))
		for (let i = 0; i < expected.steps.length; i++) {
			const e = expected.steps[i];
			const f = found.steps[i] ?? { step: '(not run)' };
			for (const key of ['stdout', 'stderr'] as const)
				if (e[key] !== undefined && !sameText(e[key], f[key] ?? ''))
					out.push({
						facet: 'output',
						where: `${key} of ${e.step}`,
						expected: split(e[key]),
						found: split(f[key] ?? ''),
					});
			if (e.status !== undefined && e.status !== f.status)
				out.push({
					facet: 'output',
					where: `exit status of ${e.step}`,
					expected: [`${e.status}`],
					found: [`${f.status}`],
				});
		}
	if (s.compare.includes('frames'))
		for (const link of s.links) {
			const e = expected.frames[link.name] ?? [];
			const f = found.frames[link.name] ?? [];
			const byEnd = (lines: string[]) =>
				link.ends.map((end) => lines.filter((l) => l.startsWith(`${end} `)).join('\n')).join('\n\n');
			if (byEnd(e) !== byEnd(f)) out.push({ facet: 'frames', where: link.name, expected: e, found: f });
		}
	if (s.compare.includes('drops')) {
		counts(out, 'drops', 'reasons', expected.drops, found.drops);
		// Where they happened is not compared, but tells people where to look.
		const last = out.at(-1);
		if (last?.facet === 'drops') {
			const at = (seen: Seen) => Object.entries(seen.droppedAt).map(([where, n]) => `  at ${where} ${n}`);
			last.expected.push(...at(expected));
			last.found.push(...at(found));
		}
	}
	if (s.compare.includes('counters'))
		for (const host of s.hosts)
			counts(out, 'counters', host.name, expected.counters[host.name] ?? {}, found.counters[host.name] ?? {});
	if (s.compare.includes('log')) {
		const e = expected.log ?? [];
		const f = found.log ?? [];
		if (e.join('\n') !== f.join('\n')) out.push({ facet: 'log', where: 'kernel log', expected: e, found: f });
	}
	return out;
}

function counts(
	out: Difference[],
	facet: Facet,
	where: string,
	expected: Record<string, number>,
	found: Record<string, number>,
): void {
	const keys = [...new Set([...Object.keys(expected), ...Object.keys(found)])]
		.filter((k) => (expected[k] ?? 0) !== (found[k] ?? 0))
		.sort();
	if (keys.length > 0)
		out.push({
			facet,
			where,
			expected: keys.map((k) => `${k} ${expected[k] ?? 0}`),
			found: keys.map((k) => `${k} ${found[k] ?? 0}`),
		});
}

function split(text: string): string[] {
	const lines = text.split('\n');
	if (lines[lines.length - 1] === '') lines.pop();
	return lines;
}
