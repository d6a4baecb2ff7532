/*
 * test/harness/report.ts: what the twin run says to people.
 */
import pc from 'picocolors';
import type { Difference } from './compare.ts';
import { dissect, summary } from './linnet.ts';

const WIDTH = Math.min(Math.max(process.stdout.columns ?? 160, 100), 220);

/** The differences, expected on the left and found on the right. */
export function showDifferences(differences: Difference[], names = ['Linux', 'linnet']): string {
	const out: string[] = [];
	for (const d of differences) {
		out.push(`    ${pc.bold(d.facet)}: ${d.where.split('\n').join('\n      ')}`);
		if (d.facet === 'frames') out.push(...showFrames(d, names));
		else out.push(...columns(d.expected, d.found, names));
	}
	return out.join('\n');
}

/** Two columns of lines, aligned on the lines that are the same. */
function columns(left: string[], right: string[], names: string[]): string[] {
	const pairs = align(left, right);
	const room = Math.floor((WIDTH - 10) / 2);
	const widest = Math.max(...left.map((l) => l.length), ...right.map((l) => l.length), names[0].length);
	const out: string[] = [];
	if (widest > room) {
		// Too wide for two columns: one above the other.
		for (const [a, b] of pairs)
			if (a === b) out.push(`        ${a}`);
			else {
				if (a !== null) out.push(pc.red(`      - ${a}`));
				if (b !== null) out.push(pc.green(`      + ${b}`));
			}
		return [`      ${pc.dim(`- ${names[0]}, + ${names[1]}`)}`, ...out];
	}
	out.push(pc.dim(`        ${names[0].padEnd(widest)}   ${names[1]}`));
	for (const [a, b] of pairs) {
		const line = `${(a ?? '').padEnd(widest)} ${a === b ? ' ' : '|'} ${b ?? ''}`.trimEnd();
		out.push(a === b ? `        ${line}` : pc.red(`      ! ${line}`));
	}
	return out;
}

function showFrames(d: Difference, names: string[]): string[] {
	const line = (text: string) => {
		const [from, , to, hex] = text.split(' ');
		return `${from} > ${to}  ${summary(Buffer.from(hex, 'hex'))}`;
	};
	const out: string[] = [];
	let shown = 0;
	for (const [a, b] of align(d.expected, d.found)) {
		if (a === b) {
			out.push(`        ${line(a!)}`);
			continue;
		}
		if (a !== null) out.push(pc.red(`      - ${line(a)}`));
		if (b !== null) out.push(pc.green(`      + ${line(b)}`));
		if (a !== null && b !== null && shown++ < 2) {
			const fields = (text: string) => dissect(Buffer.from(text.split(' ')[3], 'hex'));
			const fa = fields(a);
			const fb = fields(b);
			const differ = align(fa, fb).filter(([x, y]) => x !== y);
			if (differ.length > 0)
				out.push(
					...columns(
						differ.map(([x]) => x ?? ''),
						differ.map(([, y]) => y ?? ''),
						names,
					).map((l) => `    ${l}`),
				);
		}
	}
	return [`      ${pc.dim(`- ${names[0]}, + ${names[1]}`)}`, ...out];
}

/** Pairs up two lists by their longest common subsequence; what differs between two anchors is paired in order. */
function align(a: string[], b: string[]): [string | null, string | null][] {
	const n = a.length;
	const m = b.length;
	if (n * m > 4_000_000) return a.map((x, i) => [x, b[i] ?? null]);
	const length = Array.from({ length: n + 1 }, () => new Uint32Array(m + 1));
	for (let i = n - 1; i >= 0; i--)
		for (let j = m - 1; j >= 0; j--)
			length[i][j] = a[i] === b[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
	const out: [string | null, string | null][] = [];
	let left: string[] = [];
	let right: string[] = [];
	const flush = () => {
		for (let k = 0; k < Math.max(left.length, right.length); k++) out.push([left[k] ?? null, right[k] ?? null]);
		left = [];
		right = [];
	};
	let i = 0;
	let j = 0;
	while (i < n || j < m) {
		if (i < n && j < m && a[i] === b[j]) {
			flush();
			out.push([a[i++], b[j++]]);
		} else if (j >= m || (i < n && length[i + 1][j] >= length[i][j + 1])) left.push(a[i++]);
		else right.push(b[j++]);
	}
	flush();
	return out;
}
