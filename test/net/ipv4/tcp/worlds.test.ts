import { expect, test } from 'vitest';
import { run_world } from './worlds.ts';

/** More with TCP_WORLDS=3000, others with TCP_SEED=…. */
const WORLDS = Number(process.env.TCP_WORLDS ?? 150);
const SEED = Number(process.env.TCP_SEED ?? 1);

test(`${WORLDS} worlds: streams arrive whole and in order, nothing is left`, { timeout: 600000 }, async () => {
	const wrong: string[] = [];
	let retrans = 0;
	let failed = 0;
	for (let seed = SEED; seed < SEED + WORLDS; seed++) {
		const o = await run_world(seed);
		if (o.wrong !== '') wrong.push(`${o.wrong}: ${o.drawn}`);
		retrans += o.retrans;
		if (o.failed) failed++;
	}
	expect(wrong).toEqual([]);
	// Worlds in which nothing is lost would show little; worlds in which nothing arrives too.
	expect(retrans).toBeGreaterThan(WORLDS / 10);
	expect(failed).toBeLessThan(5 + WORLDS / 20);
});
