/*
 * firewall/report.ts: results of tests as text, TAP and JUnit's XML.
 */
import { noColour, type Palette, render } from '../trace/render.ts';
import type { RowResult } from './runner.ts';

/** What is not as expected, a line each. */
export function mismatchLines(r: RowResult): string[] {
	const lines: string[] = [];
	for (const m of r.mismatches) {
		const what = m.what === 'expect' ? '' : `${m.what} `;
		lines.push(`expected  ${what}${m.expected}`, `actual    ${what}${m.actual}`);
	}
	return lines;
}

export function placeText(r: RowResult): string {
	return `${r.place.file}:${r.place.line}`;
}

/** A row as people read it; of one that failed all that is known. */
export function rowLines(r: RowResult, c: Palette = noColour, detailed = false): string[] {
	if (r.ok) return [`${c.green('✓')} ${r.name}`];
	const lines = [`${c.red('✗')} ${c.bold(r.name)}  ${c.dim(placeText(r))}`];
	for (const [i, l] of mismatchLines(r).entries()) lines.push(`    ${i % 2 === 0 ? c.green(l) : c.red(l)}`);
	lines.push(`    ${c.dim(r.sent)}`);
	if (r.journey !== undefined)
		lines.push(...render(r.journey, { colour: c, detailed }).map((l) => (l === '' ? '' : `    ${l}`)));
	return lines;
}

/** A TAP line and its YAML block. */
export function tapLines(r: RowResult, number: number): string[] {
	const name = r.name.replace(/[#\\]/g, '\\$&').replaceAll('\n', ' ');
	const lines = [`${r.ok ? 'ok' : 'not ok'} ${number} - ${name}`];
	if (r.ok) return lines;
	lines.push('  ---', `  at: ${JSON.stringify(placeText(r))}`, `  sent: ${JSON.stringify(r.sent)}`, '  mismatches:');
	for (const m of r.mismatches)
		lines.push(
			`    - {what: ${JSON.stringify(m.what)}, expected: ${JSON.stringify(m.expected)}, actual: ${JSON.stringify(m.actual)}}`,
		);
	if (r.journey !== undefined) lines.push('  journey: |2', ...render(r.journey).map((l) => `    ${l}`));
	lines.push('  ...');
	return lines;
}

/** Text as XML may hold it: five characters escaped, those that it forbids left out. */
function xml(text: string): string {
	return text
		.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
		.replace(/[&<>"']/g, (ch) => `&#${ch.charCodeAt(0)};`);
}

/** JUnit's XML, as CI servers read it: a suite for each file. */
export function junit(results: readonly RowResult[]): string {
	const files = new Map<string, RowResult[]>();
	for (const r of results) {
		const list = files.get(r.place.file);
		if (list === undefined) files.set(r.place.file, [r]);
		else list.push(r);
	}
	const seconds = (list: readonly RowResult[]): string => (list.reduce((a, r) => a + r.ms, 0) / 1000).toFixed(3);
	const counts = (list: readonly RowResult[]): string =>
		`tests="${list.length}" failures="${list.filter((r) => !r.ok).length}" errors="0" time="${seconds(list)}"`;
	const lines = ['<?xml version="1.0" encoding="UTF-8"?>', `<testsuites name="linnet" ${counts(results)}>`];
	for (const [file, list] of files) {
		lines.push(`  <testsuite name="${xml(file)}" ${counts(list)}>`);
		for (const r of list) {
			const head = `    <testcase classname="${xml(file)}" name="${xml(r.name)}" file="${xml(file)}" line="${r.place.line}" time="${(r.ms / 1000).toFixed(3)}"`;
			if (r.ok) lines.push(`${head}/>`);
			else {
				const first = r.mismatches[0];
				const message = first === undefined ? '' : `${first.what}: expected ${first.expected}, actual ${first.actual}`;
				lines.push(
					`${head}>`,
					`      <failure message="${xml(message)}">${xml(rowLines(r).join('\n'))}</failure>`,
					'    </testcase>',
				);
			}
		}
		lines.push('  </testsuite>');
	}
	lines.push('</testsuites>', '');
	return lines.join('\n');
}
