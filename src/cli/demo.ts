/*
 * cli/demo.ts: `npm start`: the main job on an office router and a branch's, captured from real Linux (examples/).
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from './load.ts';
import { palette } from './paint.ts';
import { trace } from './trace.ts';

/** The folder of shipped examples: beside dist/ in a package, at the top of a checkout. */
function examples(): string {
	for (const up of ['../..', '../../..']) {
		const dir = join(import.meta.dirname, up, 'examples');
		if (existsSync(dir)) return dir;
	}
	throw new UserError('the examples are not installed');
}

export async function demo(): Promise<number> {
	const dir = examples();
	const host = [join(dir, 'office/host')];
	const c = palette();
	const say = (text: string): void => {
		process.stdout.write(`\n${c.bold(text)}\n`);
	};
	say('$ linnet trace --host examples/office/host in eth0 tcp 198.51.100.7:40000 203.0.113.5:443');
	await trace(['in', 'eth0', 'tcp', '198.51.100.7:40000', '203.0.113.5:443'], { host });
	say('$ linnet trace --host examples/office/host in eth0 tcp 198.51.100.7:40001 203.0.113.5:23');
	await trace(['in', 'eth0', 'tcp', '198.51.100.7:40001', '203.0.113.5:23'], { host, quiet: true });
	say(
		'$ linnet trace --host examples/office/host in eth0 pcap examples/office/eth0.pcap in eth1 pcap … in eth2 pcap … --only-drops',
	);
	const captures = ['eth0', 'eth1', 'eth2'].flatMap((d) => ['in', d, 'pcap', join(dir, `office/${d}.pcap`)]);
	await trace(captures, { host, quiet: true, onlyDrops: true });
	say('$ linnet trace --host examples/branch/host in any pcap examples/branch/any.pcap --only-drops');
	return trace(['in', 'any', 'pcap', join(dir, 'branch/any.pcap')], {
		host: [join(dir, 'branch/host')],
		quiet: true,
		onlyDrops: true,
	});
}
