// Records what real tcpdump says: node scripts/run.mjs test/packet/record-tcpdump.ts (needs tcpdump 4.99.3 with libpcap 1.10.3).

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readCapture } from '../../src/packet/capture.ts';
import { writePcap } from '../../src/packet/pcap.ts';
import { FILTERS } from './filter-cases.ts';
import { frames } from './frames.ts';
import { PRINT_RUNS, printPackets, splitPackets } from './print-cases.ts';

const here = import.meta.dirname;
const dir = mkdtempSync(join(tmpdir(), 'linnet-'));
const out: { linktype: number; text: string; error?: string; accepted?: number[] }[] = [];
for (const [key, texts] of Object.entries(FILTERS)) {
	const linktype = Number(key);
	const file = join(dir, `${linktype}.pcap`);
	writeFileSync(
		file,
		writePcap(
			frames(linktype).map((data, sec) => ({ sec, nsec: 0, data })),
			{ linktype },
		),
	);
	for (const text of texts) {
		const r = spawnSync('tcpdump', ['-r', file, '-w', '-', text], { maxBuffer: 1 << 26 });
		const errors = r.stderr
			.toString()
			.split('\n')
			.filter((l) => l.startsWith('tcpdump: '));
		if (r.status !== 0) out.push({ linktype, text, error: errors.join('\n').replace(/^tcpdump: /, '') });
		else out.push({ linktype, text, accepted: readCapture(r.stdout).packets.map((p) => p.sec) });
	}
}

const printed: { linktype: number; set: string; flags: string; lines: string[] }[] = [];
for (const { set, linktype, flags } of PRINT_RUNS) {
	const file = join(dir, 'print.pcap');
	const packets = printPackets(set, linktype);
	writeFileSync(file, writePcap(packets, { linktype }));
	// The names that this machine has for interfaces are not what we want to record.
	const run = (more: string[]) => {
		const r = spawnSync('tcpdump', ['-r', file, ...more], { maxBuffer: 1 << 26, env: { ...process.env, TZ: 'UTC' } });
		return r.stdout.toString('latin1');
	};
	const text = run([flags]);
	printed.push({ linktype, set, flags, lines: splitPackets(text, flags, packets.length) });
}
rmSync(dir, { recursive: true });
writeFileSync(resolve(here, 'print.json'), `[\n${printed.map((o) => `\t${JSON.stringify(o)}`).join(',\n')}\n]\n`);
writeFileSync(resolve(here, 'filter.json'), `[\n${out.map((o) => `\t${JSON.stringify(o)}`).join(',\n')}\n]\n`);
console.log(out.length, 'filters');
