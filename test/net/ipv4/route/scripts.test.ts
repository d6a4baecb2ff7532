import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rig, run_line } from '../rig.ts';

/** A link's own lines are another room's: only its addresses are compared. */
function normal(text: string): string {
	return text
		.split('\n')
		.filter((l) => !/^\d*:? ?v\d[@:].*mtu|^ {4}link\/ether/.test(l))
		.map((l) => l.trimEnd())
		.join('\n')
		.trimEnd();
}

for (const dir of [new URL('../route/', import.meta.url), new URL('../devinet/', import.meta.url)]) {
	for (const file of readdirSync(dir).filter((f) => f.endsWith('.linux.txt'))) {
		describe(`${file}: as recorded from Linux`, async () => {
			const r = rig(['v1', 'v0', 'v3', 'v2']);
			const blocks = readFileSync(new URL(file, dir), 'utf8').split(/^\$ /m).slice(1);
			for (const [i, block] of blocks.entries()) {
				const nl = block.indexOf('\n');
				const line = block.slice(0, nl);
				it(`${i}: ${line}`, async () => {
					expect(normal(await run_line(r, line))).toBe(normal(block.slice(nl + 1)));
				});
			}
		});
	}
}
