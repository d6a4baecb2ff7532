// Compares our printer with the real tcpdump over captures: node scripts/run.mjs test/packet/compare-tcpdump.ts [-v…flags] -- FILE...
// Prints the first differences of each file. A tool for development: the recorded expectations are in print.json.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { readCapture } from '../../src/packet/capture.ts';
import { Printer } from '../../src/packet/print.ts';
import { printOptions } from './print-options.ts';

const cut = process.argv.indexOf('--');
const flags = process.argv.slice(2, cut);
const files = process.argv.slice(cut + 1);
const show = Number(process.env['SHOW'] ?? 6);
for (const file of files) {
	const real = spawnSync('tcpdump', ['-r', file, ...flags], {
		maxBuffer: 1 << 28,
		env: { ...process.env, TZ: 'UTC' },
	}).stdout.toString('latin1');
	const expected = real.split(/^(?=\d\d:\d\d:\d\d\.\d{6} )/m);
	const printer = new Printer(printOptions(flags));
	const ours = readCapture(readFileSync(file)).packets.map((p) => `${printer.packet(p)}\n`);
	let same = 0;
	let shown = 0;
	for (const [i, one] of ours.entries()) {
		if (expected[i] === one) same++;
		else if (shown++ < show)
			console.log(
				`--- ${basename(file)} packet ${i + 1}\n  real: ${JSON.stringify(expected[i])}\n  ours: ${JSON.stringify(one)}`,
			);
	}
	console.log(`${basename(file)} ${flags.join(' ')}: ${same} of ${ours.length} packets alike`);
}
