/*
 * Bad snapshots: whatever is done to a file that was collected, the import works or says which file is wrong, and what was expected.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importHost } from '../../src/lab/import/import.ts';
import { ImportError, parseSnapshot } from '../../src/lab/import/snapshot.ts';
import { World } from '../../src/lab/world.ts';

const examples = join(import.meta.dirname, '../../examples');

function files(example: string): Map<string, string> {
	const dir = join(examples, example, 'host');
	return new Map(readdirSync(dir).map((f) => [f, readFileSync(join(dir, f), 'utf8')]));
}

const EXAMPLES = ['office', 'docker', 'branch'].map(files);

/** null: it was taken. Throws whatever is no ImportError. */
async function importing(f: Map<string, string>): Promise<string | null> {
	try {
		await importHost(new World(), parseSnapshot(f));
		return null;
	} catch (e) {
		if (e instanceof ImportError) return e.message;
		throw e;
	}
}

const PARTS = ['link.json', 'addr.json', 'route.json', 'rule.json', 'neigh.json', 'nft.json'];
const NAMES = [...PARTS, 'sysctl', 'iptables-legacy-save', 'conntrack', 'listeners', 'host'];
const NASTY = [
	null,
	true,
	-1,
	1e300,
	0.5,
	'',
	'x',
	'999.1.1.1',
	[],
	{},
	[null],
	'10.0.0.1/99',
	'a'.repeat(40),
	'-j',
	'\0',
];

/** Every place of a JSON value: a path of keys. */
function places(v: unknown, path: (string | number)[] = []): (string | number)[][] {
	if (typeof v !== 'object' || v === null) return [path];
	return [path, ...Object.entries(v).flatMap(([k, x]) => places(x, [...path, Array.isArray(v) ? Number(k) : k]))];
}

function replaced(v: unknown, path: (string | number)[], by: unknown): unknown {
	if (path.length === 0) return by;
	const copy = (Array.isArray(v) ? [...v] : { ...(v as object) }) as Record<string | number, unknown>;
	copy[path[0]] = replaced(copy[path[0]], path.slice(1), by);
	return copy;
}

describe('a garbled snapshot', () => {
	it('cut short anywhere', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.nat(2),
				fc.constantFrom(...NAMES),
				fc.double({ min: 0, max: 1, noNaN: true }),
				async (n, name, at) => {
					const f = new Map(EXAMPLES[n]);
					const text = f.get(name);
					if (text === undefined) return;
					f.set(name, text.slice(0, Math.floor(at * text.length)));
					const said = await importing(f);
					if (said !== null) expect(said).toMatch(/^[\w.-]+(:\d+)?: ./);
				},
			),
			{ numRuns: 60, seed: 1 },
		);
	}, 60_000);

	it('with other characters in it', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.nat(2),
				fc.constantFrom(...NAMES),
				fc.array(
					fc.tuple(
						fc.double({ min: 0, max: 1, noNaN: true }),
						fc.constantFrom('', '"', '0', '\n', ' ', '}', '-A', '\u{1f4a9}', ','),
					),
					{
						minLength: 1,
						maxLength: 6,
					},
				),
				async (n, name, edits) => {
					const f = new Map(EXAMPLES[n]);
					let text = f.get(name);
					if (text === undefined) return;
					for (const [at, by] of edits) {
						const o = Math.floor(at * text.length);
						text = text.slice(0, o) + by + text.slice(o + 1);
					}
					f.set(name, text);
					const said = await importing(f);
					if (said !== null) expect(said).toMatch(/^[\w.-]+(:\d+)?: ./);
				},
			),
			{ numRuns: 80, seed: 2 },
		);
	}, 60_000);

	it('whose JSON holds something else at some place', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.nat(2),
				fc.constantFrom(...PARTS),
				fc.nat(),
				fc.constantFrom(...NASTY),
				async (n, name, at, by) => {
					const f = new Map(EXAMPLES[n]);
					const text = f.get(name);
					if (text === undefined) return;
					const root = JSON.parse(text) as unknown;
					const all = places(root);
					f.set(name, JSON.stringify(replaced(root, all[at % all.length], by)));
					const said = await importing(f);
					if (said !== null) expect(said).toMatch(/^[\w.-]+(:\d+)?: ./);
				},
			),
			{ numRuns: 150, seed: 3 },
		);
	}, 60_000);
});
