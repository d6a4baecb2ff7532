import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLinnetKernel } from '../../../../../src/packetdrill/linnet.ts';
import { type Recording, replay } from './recording.ts';

const folder = join(import.meta.dirname, 'recorded');
const machine = {
	local_ip: '192.168.0.1',
	remote_ip: '192.0.2.1',
	gateway_ip: '192.168.0.1',
	prefix: 16,
	mtu: 1500,
	files: new Map<string, string>(),
	seed: 1,
};

for (const name of readdirSync(folder).sort()) {
	test(`a peer that loses, delays and doubles sees the segments, TCP_INFO and counters of real Linux: ${name}`, async () => {
		const r = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Recording;
		await withLinnetKernel(machine, async (k) => {
			expect(await replay(k, r)).toBeNull();
		});
	});
}

test('a recording that is not what happens is told', async () => {
	const r = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]), 'utf8')) as Recording;
	r.sent[r.sent.length >> 1][1] = 'P. 1:2(1) ack 1 win 1 <> tos 0';
	await withLinnetKernel(machine, async (k) => {
		expect(await replay(k, r)).toContain('P. 1:2(1)');
	});
	const i = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]), 'utf8')) as Recording;
	i.acts.find((a) => a.info !== undefined)!.info!.snd_cwnd += 1;
	await withLinnetKernel(machine, async (k) => {
		expect(await replay(k, i)).toContain('snd_cwnd');
	});
});
