/*
 * test/twin.test.ts: linnet against what real Linux was recorded to do (test/twin). Needs neither root nor Linux.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compare } from './harness/compare.ts';
import { linnetMissing, openLinnet } from './harness/linnet.ts';
import { readRecording } from './harness/recording.ts';
import { showDifferences } from './harness/report.ts';
import { runScenario } from './harness/run.ts';
import { loadScenario } from './harness/scenario.ts';

const root = join(import.meta.dirname, 'twin');

const missing = linnetMissing();
if (missing) it(`cannot run yet: ${missing}`, () => expect(missing).not.toBe(''));
for (const folder of missing ? [] : readdirSync(root, { withFileTypes: true }).filter((e) => e.isDirectory()))
	describe(folder.name, () => {
		for (const file of readdirSync(join(root, folder.name)).filter((f) => f.endsWith('.yaml')))
			it(file.replace('.yaml', ''), async () => {
				const s = loadScenario(join(root, folder.name, file), `test/twin/${folder.name}/${file}`);
				const recorded = readRecording(s);
				if (!recorded) throw new Error(`${s.name}: there is no recording`);
				const side = openLinnet();
				try {
					const differences = compare(s, recorded, await runScenario(s, side));
					if (s.differs) expect(differences, s.differs).not.toEqual([]);
					else expect(showDifferences(differences)).toBe('');
				} finally {
					await side.close();
				}
			});
	});
