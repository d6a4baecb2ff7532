/*
 * bench/main.ts: npm run bench [-- --json] [--only NAME,…] [--quick] [--list]
 */
import { type Bench, measure, short } from './bench.ts';
import { boot1000, bootChild } from './boot.ts';
import { conntrackChild, conntrackMemory, conntrackNew } from './conntrack.ts';
import { fib1M, fibChild } from './fib.ts';
import { forward64, forwardNat, rules } from './forward.ts';
import { tapDown, tapUp, tcpLoss } from './tap.ts';
import { tcp1500, tcpChurn, tcpConnections, tcpConnectionsChild, tcpGso, tcpRequest } from './tcp.ts';
import { traceOffCost, tracePcap } from './trace.ts';

const BENCHES: Bench[] = [
	forward64,
	forwardNat,
	conntrackNew,
	conntrackMemory,
	traceOffCost,
	tracePcap,
	boot1000,
	fib1M,
	rules(10),
	rules(100),
	rules(1000),
	tcpGso,
	tcp1500,
	tcpRequest,
	tcpChurn,
	tcpConnections,
	tapUp,
	tapDown,
	tcpLoss,
];

const CHILDREN: Record<string, () => Promise<Record<string, number>>> = {
	'boot-1000-hosts': bootChild,
	'conntrack-memory': conntrackChild,
	'fib-lookup-1M': fibChild,
	'tcp-connections': tcpConnectionsChild,
};

function usage(problem: string): never {
	console.error(`bench: ${problem}\nusage: npm run bench -- [--json] [--quick] [--only NAME,…] [--list]`);
	process.exit(2);
}

let json = false;
let quick = false;
let only: string[] | null = null;
const args = process.argv.slice(2);
if (args[0] === '--child') {
	console.log(JSON.stringify(await CHILDREN[args[1]]()));
	process.exit(0);
}
for (let i = 0; i < args.length; i++) {
	const a = args[i];
	if (a === '--json') json = true;
	else if (a === '--quick') quick = true;
	else if (a === '--list') {
		for (const b of BENCHES) console.log(b.name);
		process.exit(0);
	} else if (a === '--only' || a.startsWith('--only='))
		only = (a === '--only' ? (args[++i] ?? '') : a.slice(7)).split(',');
	else usage(`unknown option ${a}`);
}
for (const name of only ?? [])
	if (!BENCHES.some((b) => b.name === name)) usage(`there is no bench '${name}'; --list names them`);

let failed = false;
if (!json)
	console.log(
		`${'bench'.padEnd(18)}${'linnet'.padStart(10)}  ${'unit'.padEnd(9)}${'peer'.padEnd(17)}${'peer has'.padStart(9)}${'ratio'.padStart(8)}  target`,
	);
for (const bench of BENCHES) {
	if (only !== null && !only.includes(bench.name)) continue;
	try {
		for (const r of await measure(bench, quick)) {
			if (json) console.log(JSON.stringify(r));
			else {
				const busy = r.cpu > 0 && r.cpu < 0.9 ? `the machine was busy: ${Math.round(r.cpu * 100)}% of a CPU` : '';
				const note = [bench.note?.() ?? '', busy].filter((x) => x !== '').join('; ');
				console.log(
					`${r.bench.padEnd(18)}${short(r.value).padStart(10)}  ${r.unit.padEnd(9)}${(r.peer ?? '-').padEnd(17)}${(r.peerValue === null ? '' : short(r.peerValue)).padStart(9)}${(r.ratio === null ? '' : `${r.ratio}×`).padStart(8)}  ${bench.target === '' ? '' : `${bench.target}${bench.ok(r.value) ? '' : '  MISSED'}`}${note === '' ? '' : `  (${note})`}`,
				);
			}
		}
	} catch (e) {
		failed = true;
		console.error(`${bench.name}: ${e instanceof Error ? (e.stack ?? e.message) : e}`);
	}
}
process.exit(failed ? 1 : 0);
