/*
 * bench/trace.ts: what tracepoints cost while nobody traces, and how fast captures are traced.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { trace } from '../src/cli/trace.ts';
import { readCapture } from '../src/packet/capture.ts';
import { writePcap } from '../src/packet/pcap.ts';
import { type Bench, cpuNanoseconds, median, nanoseconds, type Side } from './bench.ts';
import type { forwarding } from './forward.ts';

const ROOT = resolve(import.meta.dirname, '..');

/** The forwarding bench as a module of its own; `stripped`: without its tracepoints. */
async function bundle(stripped: boolean): Promise<{ forwarding: typeof forwarding }> {
	const dir = join(ROOT, 'node_modules/.cache/linnet');
	mkdirSync(dir, { recursive: true });
	const outfile = join(dir, `trace-off-cost-${stripped ? 'stripped' : 'whole'}.mjs`);
	let removed = 0;
	await build({
		entryPoints: [join(ROOT, 'bench/forward.ts')],
		outfile,
		bundle: true,
		platform: 'node',
		format: 'esm',
		target: 'node20',
		packages: 'external',
		logLevel: 'warning',
		define: { 'import.meta.dirname': JSON.stringify(join(ROOT, 'bench')) },
		plugins: [
			{
				name: 'strip-tracepoints',
				setup(b) {
					b.onLoad({ filter: /src[\\/](net|drivers)[\\/].*\.ts$/ }, (args) => {
						let contents = readFileSync(args.path, 'utf8');
						if (stripped) {
							contents = contents.replace(/[\w.!]+\.(?:journey|tracer) !== null/g, () => {
								removed++;
								return 'false';
							});
						}
						return { contents, loader: 'ts' };
					});
				},
			},
		],
	});
	if (stripped && removed < 10) throw new Error(`only ${removed} tracepoints were found to strip`);
	return import(`${pathToFileURL(outfile).href}?${Date.now()}`) as Promise<{ forwarding: typeof forwarding }>;
}

export const traceOffCost: Bench = {
	name: 'trace-off-cost',
	unit: 'percent',
	target: '< 3',
	ok: (v) => v < 3,
	rounds: 5,
	more: false,
	ours: async (quick) => {
		const n = quick ? 160000 : 320000;
		return {
			async round() {
				// V8 compiles each copy of the code anew, and not always alike: so new copies for each round.
				const whole = await (await bundle(false)).forwarding('', n, cpuNanoseconds);
				const stripped = await (await bundle(true)).forwarding('', n, cpuNanoseconds);
				const costs: number[] = [];
				for (let i = 0; i < 12; i++) {
					const first = i % 2 === 0 ? whole : stripped;
					const a = await first.round();
					const b = await (first === whole ? stripped : whole).round();
					if (i > 2) costs.push(((first === whole ? b / a : a / b) - 1) * 100);
				}
				return median(costs);
			},
		};
	},
	peers: [],
};

const COPIES = { whole: 700, quick: 250 };

/** The office's captures again and again, later each time, as one file for each device. */
function captures(dir: string, copies: number): { words: string[]; packets: number } {
	const devs = ['eth0', 'eth1', 'eth2'];
	const read = devs.map((d) => readCapture(readFileSync(join(ROOT, `examples/office/${d}.pcap`))).packets);
	const times = read.flat().map((p) => p.sec);
	const span = Math.max(...times) - Math.min(...times) + 5;
	const words: string[] = [];
	let packets = 0;
	devs.forEach((dev, i) => {
		const all = [];
		for (let c = 0; c < copies; c++) for (const p of read[i]) all.push({ ...p, sec: p.sec + c * span });
		packets += all.length;
		const file = join(dir, `${dev}.pcap`);
		writeFileSync(file, writePcap(all, { linktype: read[i][0].linktype }));
		words.push('in', dev, 'pcap', file);
	});
	return { words, packets };
}

export const tracePcap: Bench = {
	name: 'trace-pcap',
	unit: 'pps',
	target: '≥ 50k',
	ok: (v) => v >= 50e3,
	rounds: 5,
	more: true,
	ours: async (quick): Promise<Side> => {
		const dir = mkdtempSync(join(tmpdir(), 'linnet-bench-'));
		const { words, packets } = captures(dir, quick ? COPIES.quick : COPIES.whole);
		const round = async (): Promise<number> => {
			const { write } = process.stdout;
			let bytes = 0;
			process.stdout.write = ((s: string) => {
				bytes += s.length;
				return true;
			}) as typeof write;
			try {
				const t = nanoseconds();
				await trace(words, { host: [join(ROOT, 'examples/office/host')], quiet: true });
				const ns = nanoseconds() - t;
				if (bytes < packets * 20) throw new Error(`trace printed only ${bytes} bytes`);
				return (packets * 1e9) / ns;
			} finally {
				process.stdout.write = write;
			}
		};
		await round();
		return { round, close: () => rmSync(dir, { recursive: true }) };
	},
	peers: [],
};
