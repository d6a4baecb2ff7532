/*
 * test/harness/known.ts: test/twin/known-failures.txt, the scenarios that linnet does not pass yet, by name and with what is missing.
 * They run like all others. One that passes must leave the list: then it is an error to find it there.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

/** The folder of the scenarios that belong to the repository, and of the list. */
export const TWINS = resolve(import.meta.dirname, '../twin');
export const KNOWN_FILE = join(TWINS, 'known-failures.txt');

const HEAD = `# Scenarios that linnet does not pass yet: PATH: what is missing. One that passes must be taken out.
# Rewritten by: npm run twin -- --recorded --write-known
`;

/** A list that does not say what it must. */
export class KnownError extends Error {}

/** Absolute path of each scenario in the list, and its reason. Throws KnownError with file and line. */
export function readKnown(file = KNOWN_FILE): Map<string, string> {
	const known = new Map<string, string>();
	if (!existsSync(file)) return known;
	readFileSync(file, 'utf8')
		.split('\n')
		.forEach((text, i) => {
			const line = text.trim();
			if (line === '' || line.startsWith('#')) return;
			const colon = line.indexOf(': ');
			if (colon < 0) throw new KnownError(`${file}:${i + 1}: expected 'PATH: what is missing', found '${line}'`);
			const path = resolve(file, '..', line.slice(0, colon));
			if (!existsSync(path)) throw new KnownError(`${file}:${i + 1}: there is no ${line.slice(0, colon)}`);
			if (known.has(path)) throw new KnownError(`${file}:${i + 1}: ${line.slice(0, colon)} is there twice`);
			known.set(path, line.slice(colon + 2).trim());
		});
	return known;
}

export function writeKnown(known: Map<string, string>, file = KNOWN_FILE): void {
	const lines = [...known].map(
		([path, why]) => `${relative(resolve(file, '..'), path)}: ${why.replace(/\s+/g, ' ')}\n`,
	);
	writeFileSync(file, HEAD + lines.sort().join(''));
}
