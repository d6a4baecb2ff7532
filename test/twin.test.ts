/*
 * test/twin.test.ts: linnet against what real Linux was recorded to do (test/twin). Needs neither root nor Linux.
 * A scenario of test/twin/known-failures.txt runs too, and must fail: one that passes has to leave the list.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compare } from './harness/compare.ts';
import { readKnown, TWINS } from './harness/known.ts';
import { openLinnet } from './harness/linnet.ts';
import { readRecording } from './harness/recording.ts';
import { showDifferences } from './harness/report.ts';
import { runScenario } from './harness/run.ts';
import { loadScenario } from './harness/scenario.ts';

const known = readKnown();

/** What differs between linnet and the recording, for people; '' when nothing does. */
async function twin(file: string, name: string): Promise<string> {
	const s = loadScenario(file, name);
	const recorded = readRecording(s);
	if (!recorded) throw new Error(`${s.name}: there is no recording`);
	const side = openLinnet();
	try {
		const differences = compare(s, recorded, await runScenario(s, side));
		if (!s.differs) return showDifferences(differences);
		return differences.length > 0 ? '' : "nothing differs any more: take out 'differs'";
	} finally {
		await side.close();
	}
}

for (const folder of readdirSync(TWINS, { withFileTypes: true }).filter((e) => e.isDirectory()))
	describe(folder.name, () => {
		for (const base of readdirSync(join(TWINS, folder.name)).filter((f) => f.endsWith('.yaml'))) {
			const file = join(TWINS, folder.name, base);
			const name = `test/twin/${folder.name}/${base}`;
			const reason = known.get(file);
			if (reason === undefined) it(base.replace('.yaml', ''), async () => expect(await twin(file, name)).toBe(''));
			else
				it(`${base.replace('.yaml', '')} (known to fail: ${reason})`, async () => {
					const differs = await twin(file, name).catch((e: Error) => e.message);
					expect(differs, `${name} passes: remove it from test/twin/known-failures.txt`).not.toBe('');
				});
		}
	});
