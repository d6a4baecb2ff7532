/*
 * test/user/iproute2/ip.test.ts: `ip` over recorded answers of real Linux: it must ask the same and print what the real program printed.
 * recorded.gz comes from compare.ts, which had compared both with the live kernel.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ip } from '../../../src/user/iproute2/ip.ts';
import { type Json, relay_process } from './relay.ts';

interface Recorded {
	cmd: string[];
	stdout: string;
	stderr: string;
	status: number;
	log: [string, Json, Json][];
}

const recorded = gunzipSync(readFileSync(join(import.meta.dirname, 'recorded.gz')))
	.toString('utf8')
	.trimEnd()
	.split('\n')
	.map((line) => JSON.parse(line) as Recorded);

describe('ip, as recorded from iproute2 6.1.0 on Linux 6.18', () => {
	test('has the recordings', () => expect(recorded.length).toBeGreaterThan(500));
	test.each(recorded.map((r) => [r.cmd.join(' '), r] as const))('%s', async (_name, r) => {
		let at = 0;
		const proc = relay_process((op, args) => {
			const entry = r.log[at++];
			expect([op, args]).toEqual(entry === undefined ? undefined : [entry[0], entry[1]]);
			return entry[2];
		}, r.cmd);
		const status = await ip(proc);
		expect({ stdout: proc.stdout.text(), stderr: proc.stderr.text(), status }).toEqual({
			stdout: r.stdout,
			stderr: r.stderr,
			status: r.status,
		});
		expect(at).toBe(r.log.length);
	});
});
