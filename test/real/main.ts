/*
 * test/real/main.ts: `npm run real`: linnet and software that we did not write, at the two ends of a cable: ping, curl, iperf3, nmap, tcpdump and
 * the kernel behind a TAP or TUN; passt and QEMU behind a socket. Root and Linux. Leaves nothing behind.
 *
 *     npm run real [-- NAME…]        a part of a check's name
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');
const CLI = join(ROOT, `node_modules/.cache/linnet/real-${process.pid}.mjs`);
const dir = mkdtempSync(join(tmpdir(), 'linnet-real-'));
const id = `lnr${process.pid}`;
/** The namespace in which linnet's devices are, and another one that real peers are in. */
const [NS, PEER] = [`${id}a`, `${id}b`];
const children: Set<ChildProcess> = new Set();

function sh(script: string): string {
	return execFileSync('sh', ['-ec', script], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], timeout: 60000 });
}

function assert(ok: boolean, why: string): asserts ok {
	if (!ok) throw new Error(why);
}

function sleep(ms: number): Promise<void> {
	return new Promise((r) => setTimeout(r, ms));
}

/** A program in the background; `text` grows. */
class Run {
	text = '';
	status: number | null = null;
	readonly done: Promise<number>;
	private child: ChildProcess;

	constructor(netns: string, argv: string[]) {
		this.child = spawn('ip', ['netns', 'exec', netns, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
		children.add(this.child);
		for (const s of [this.child.stdout, this.child.stderr])
			s?.on('data', (b: Buffer) => {
				this.text += b.toString();
			});
		this.done = new Promise((r) =>
			this.child.on('close', (code, signal) => {
				this.status = code ?? (signal === null ? 255 : 128);
				children.delete(this.child);
				r(this.status);
			}),
		);
	}

	async until(what: string | RegExp, ms = 20000): Promise<void> {
		const end = Date.now() + ms;
		while (typeof what === 'string' ? !this.text.includes(what) : !what.test(this.text)) {
			assert(this.status === null, `it ended: ${this.text}`);
			assert(Date.now() < end, `no '${what}' came: ${this.text}`);
			await sleep(20);
		}
	}

	kill(signal: NodeJS.Signals = 'SIGTERM'): void {
		this.child.kill(signal);
	}

	async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
		if (this.status === null) this.kill(signal);
		await this.done;
	}
}

function linnet(...args: string[]): Run {
	return new Run(NS, [process.execPath, CLI, 'up', ...args]);
}

/** linnet on a TAP (or TUN) of NS, whose end is 10.9.0.1, its own 10.9.0.2. */
async function onTap(words: string[] = [], kind = 'tap'): Promise<Run> {
	const l = linnet(`--${kind}`, `${kind}9`, '--addr', '10.9.0.2/24', ...words);
	await l.until(`<-> ${kind}9`);
	sh(`ip -n ${NS} addr add 10.9.0.1/24 dev ${kind}9; ip -n ${NS} link set ${kind}9 up`);
	if (!words.includes('--run')) await l.until('Ctrl-C ends it');
	return l;
}

function inNs(command: string, netns = NS): string {
	return sh(`ip netns exec ${netns} ${command}`);
}

function sha(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex');
}

const big = randomBytes(100_000_000);

async function curl(kind: string): Promise<void> {
	const l = await onTap(['--http', dir], kind);
	const speed = inNs(`curl -s -m 40 -o ${dir}/got -w '%{speed_download}' http://10.9.0.2/big`);
	assert(sha(readFileSync(join(dir, 'got'))) === sha(big), 'the file differs');
	await l.end();
	console.log(`     ${((Number(speed) * 8) / 1e9).toFixed(2)} Gbit/s`);
}

/** The parts of nmap's fingerprint. */
function fingerprint(netns: string, addr: string): Map<string, Map<string, string>> {
	const text = inNs(`nmap -O -n -Pn -p 80,81 -d --max-retries 2 ${addr} 2>&1`, netns);
	const all = [...text.matchAll(/^OS:(.*)$/gm)].map((m) => m[1]).join('');
	const parts = new Map<string, Map<string, string>>();
	for (const m of all.matchAll(/([A-Z0-9]+)\(([^)]*)\)/g))
		parts.set(m[1], new Map(m[2].split('%').map((kv) => kv.split('=') as [string, string])));
	assert(parts.has('T7') && parts.has('SEQ'), `nmap gave no fingerprint: ${text}`);
	return parts;
}

function iperf(text: string): number {
	const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
	return end.sum_received.bits_per_second;
}

const CHECKS: Record<string, () => Promise<void>> = {
	'ping, both ways': async () => {
		const l = await onTap();
		assert(/5 received, 0% packet loss/.test(inNs('ping -c 5 -i 0.1 10.9.0.2')), 'the kernel pings linnet');
		assert(/ 0% packet loss/.test(inNs('ping -f -q -c 2000 -s 1400 10.9.0.2')), 'flood');
		assert(/3 received/.test(inNs('ping -c 3 -i 0.1 -s 20000 10.9.0.2')), 'in fragments');
		await l.end();
		const back = await onTap(['--run', 'sleep 1; ping -c 3 -i 0.1 10.9.0.1']);
		assert((await back.done) === 0 && back.text.includes('3 received'), `linnet pings the kernel: ${back.text}`);
	},
	'a SIGTERM, a SIGINT: linnet ends with status 0, its device goes': async () => {
		for (const signal of ['SIGTERM', 'SIGINT'] as const) {
			const l = await onTap();
			assert(existsSync('/proc/self') && inNs('ls /sys/class/net').includes('tap9'), 'the device is there');
			await l.end(signal);
			assert(l.status === 0, `status ${l.status}: ${l.text}`);
			assert(!inNs('ls /sys/class/net').includes('tap9'), 'the device is still there');
		}
	},
	'a TAP that is deleted ends linnet, which says so': async () => {
		const l = await onTap();
		sh(`ip -n ${NS} link del tap9`);
		assert((await l.done) === 2 && l.text.includes('the device is gone'), l.text);
	},
	'curl: 100 MB over TAP': () => curl('tap'),
	'curl: 100 MB over TUN': () => curl('tun'),
	'curl: HEAD, a range, two on one connection, 404, 405': async () => {
		const l = await onTap(['--http', `${dir}:8080`]);
		const at = 'http://10.9.0.2:8080';
		assert(inNs(`curl -sI ${at}/big`).includes('Content-Length: 100000000'), 'HEAD');
		assert(
			inNs(`curl -s -r 5-14 ${at}/big | od -An -v -tx1`).replace(/\s/g, '') === big.subarray(5, 15).toString('hex'),
			'range',
		);
		assert(inNs(`curl -sv ${at}/small ${at}/small 2>&1`).includes('Re-using existing connection'), 'keep-alive');
		assert(inNs(`curl -s -o /dev/null -w '%{http_code}' ${at}/none`) === '404', '404');
		assert(inNs(`curl -s -o /dev/null -w '%{http_code}' -X PUT ${at}/small`) === '405', '405');
		assert(inNs(`curl -s ${at}/`).includes('<a href="./small">'), 'a list of the folder');
		await l.end();
	},
	'iperf3: a real client, linnet serves, both ways': async () => {
		const l = await onTap(['--run', 'iperf3 -s']);
		await sleep(1500);
		const upward = iperf(inNs('timeout 30 iperf3 -c 10.9.0.2 -t 2 -J'));
		const downward = iperf(inNs('timeout 30 iperf3 -c 10.9.0.2 -t 2 -R -J'));
		const four = iperf(inNs('timeout 30 iperf3 -c 10.9.0.2 -t 1 -P 4 -J'));
		console.log(
			`     to linnet ${(upward / 1e9).toFixed(2)}, from it ${(downward / 1e9).toFixed(2)}, four flows ${(four / 1e9).toFixed(2)} Gbit/s`,
		);
		const udp = inNs('timeout 30 iperf3 -c 10.9.0.2 -u -b 20M -t 1 -J');
		assert(JSON.parse(udp).end.sum.lost_percent < 5, `UDP: ${udp}`);
		await l.end();
	},
	'iperf3: a real server, linnet is the client': async () => {
		const server = new Run(NS, ['iperf3', '-s']);
		const l = await onTap(['--run', 'sleep 1; iperf3 -c 10.9.0.1 -t 1; iperf3 -c 10.9.0.1 -t 1 -R']);
		assert((await l.done) === 0, l.text);
		assert((l.text.match(/receiver/g) ?? []).length === 2, l.text);
		await server.end();
	},
	"nmap's fingerprint of linnet is that of the kernel": async () => {
		const l = await onTap(['--gateway', '10.9.0.1', '--http', dir]);
		sh(`ip -n ${NS} link add v type veth peer name v netns ${PEER}
			ip -n ${NS} addr add 10.8.0.1/24 dev v; ip -n ${NS} link set v up
			ip -n ${PEER} addr add 10.8.0.2/24 dev v; ip -n ${PEER} link set v up`);
		const server = new Run(PEER, ['python3', '-m', 'http.server', '80']);
		await sleep(1000);
		try {
			const ours = fingerprint(NS, '10.9.0.2');
			const theirs = fingerprint(NS, '10.8.0.2');
			const wrong: string[] = [];
			for (const [test, fields] of theirs) {
				if (test === 'SCAN') continue;
				for (const [k, v] of fields) {
					// How random the sequence numbers are is an estimate of six, and so is what they have in common; TS: no clock shows in random offsets.
					if (test === 'SEQ' && ['SP', 'ISR', 'TS', 'GCD'].includes(k)) continue;
					const own = ours.get(test)?.get(k);
					if (own !== v) wrong.push(`${test} ${k}: kernel ${v}, linnet ${own}`);
				}
				for (const k of ours.get(test)?.keys() ?? [])
					if (!fields.has(k)) wrong.push(`${test} ${k}: only linnet has it`);
			}
			const sp = Number.parseInt(ours.get('SEQ')!.get('SP')!, 16);
			if (sp < 0xe0) wrong.push(`SEQ SP: ${sp}`);
			// nmap-os-db has 1 to 6 for Linux: the greatest common divisor of five random differences.
			for (const [name, f] of [
				['linnet', ours],
				['the kernel', theirs],
			] as const) {
				const gcd = Number.parseInt(f.get('SEQ')!.get('GCD')!, 16);
				if (!(gcd >= 1 && gcd <= 6)) wrong.push(`SEQ GCD of ${name}: ${gcd}`);
			}
			assert(wrong.length === 0, wrong.join('\n'));
		} finally {
			await server.end();
			await l.end();
			sh(`ip -n ${NS} link del v`);
		}
	},
	'tcpdump on the TAP and tcpdump in linnet print the same': async () => {
		const l = await onTap(['--run', 'tcpdump -nt -i eth0 -c 14 icmp or tcp', '--http', dir, '--no-offload']);
		const t = new Run(NS, ['tcpdump', '-nt', '-i', 'tap9', '-c', '14', 'icmp or tcp']);
		await t.until('listening on');
		await sleep(800);
		inNs('ping -c 2 -i 0.1 10.9.0.2');
		inNs('curl -s http://10.9.0.2/small');
		await t.done;
		await l.until(/14 packets captured/);
		await l.end();
		const lines = (text: string): string[] => text.split('\n').filter((x) => x.startsWith('IP '));
		const [ours, theirs] = [lines(l.text), lines(t.text)];
		assert(theirs.length === 14, t.text);
		for (const [i, line] of theirs.entries()) assert(ours[i] === line, `line ${i}:\n${line}\n${ours[i]}`);
	},
	'passt (stream socket): TCP to the world behind it': async () => {
		sh(`ip -n ${NS} link add v type veth peer name v netns ${PEER}
			ip -n ${NS} addr add 10.8.0.1/24 dev v; ip -n ${NS} link set v up
			ip -n ${PEER} addr add 10.8.0.2/24 dev v; ip -n ${PEER} link set v up; ip -n ${PEER} route add default via 10.8.0.1`);
		// The socket's folder must be passt's user's.
		sh(`mkdir ${dir}/p; chmod 755 ${dir}; chmod 777 ${dir}/p`);
		const passt = new Run(PEER, ['passt', '-f', '--socket', `${dir}/p/s`]);
		// What is sent to the gateway goes to the loopback of passt's namespace.
		const server = new Run(PEER, ['iperf3', '-s']);
		try {
			for (let i = 0; i < 100 && !existsSync(`${dir}/p/s`); i++) await sleep(50);
			const l = linnet(
				...['--stream', `unix:${dir}/p/s`, '--addr', '10.8.0.2/24', '--gateway', '10.8.0.1'],
				...['--run', 'iperf3 -c 10.8.0.1 -t 1; iperf3 -c 10.8.0.1 -t 1 -R'],
			);
			setTimeout(() => l.kill(), 20000).unref();
			assert((await l.done) === 0 && (l.text.match(/receiver/g) ?? []).length === 2, l.text);
			console.log(`     ${[...l.text.matchAll(/([\d.]+ [MG]bits\/sec) +receiver/g)].map((m) => m[1]).join(', back ')}`);
		} finally {
			await server.end();
			await passt.end();
			sh(`ip -n ${NS} link del v`);
		}
	},
};

/** QEMU without a machine: its own user-mode network (10.0.2.2) on one side of a hub, the socket to us on the other. */
function qemu(netdev: string): Run {
	const hub = [
		'-netdev',
		'user,id=u',
		'-netdev',
		'hubport,id=h0,hubid=0,netdev=u',
		'-netdev',
		'hubport,id=h1,hubid=0,netdev=s',
	];
	return new Run(NS, [
		'qemu-system-x86_64',
		'-M',
		'none',
		'-display',
		'none',
		'-monitor',
		'none',
		'-netdev',
		`${netdev},id=s`,
		...hub,
	]);
}

const PING_QEMU = ['--addr', '10.0.2.15/24', '--run', 'sleep 1; ping -c 3 -i 0.1 -W 5 10.0.2.2'];

async function pingsQemu(l: Run): Promise<void> {
	setTimeout(() => l.kill(), 20000).unref();
	assert((await l.done) === 0 && l.text.includes('3 received'), l.text);
}

CHECKS['QEMU -netdev stream, unix: it connects to us'] = async () => {
	const l = linnet('--stream-listen', `unix:${dir}/q1`, ...PING_QEMU);
	await l.until('<->');
	const q = qemu(`stream,addr.type=unix,addr.path=${dir}/q1`);
	await pingsQemu(l);
	await q.end();
};
CHECKS['QEMU -netdev stream, TCP: we connect to it'] = async () => {
	const q = qemu('stream,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=4444');
	await sleep(1500);
	await pingsQemu(linnet('--stream', 'tcp:4444', ...PING_QEMU));
	await q.end();
};
CHECKS['QEMU -netdev dgram, UDP'] = async () => {
	const q = qemu(
		'dgram,local.type=inet,local.host=127.0.0.1,local.port=4445,remote.type=inet,remote.host=127.0.0.1,remote.port=4446',
	);
	await sleep(1500);
	await pingsQemu(linnet('--dgram', 'udp:4446,udp:4445', ...PING_QEMU));
	await q.end();
};
CHECKS['QEMU -netdev dgram, unix'] = async () => {
	const q = qemu(`dgram,local.type=unix,local.path=${dir}/d1,remote.type=unix,remote.path=${dir}/d2`);
	await sleep(1500);
	await pingsQemu(linnet('--dgram', `unix:${dir}/d2,unix:${dir}/d1`, ...PING_QEMU));
	await q.end();
};

/** Commands that a check needs, by a word of its name. */
const NEEDS: Record<string, string> = {
	curl: 'curl',
	iperf3: 'iperf3',
	nmap: 'nmap',
	tcpdump: 'tcpdump',
	passt: 'passt',
	QEMU: 'qemu-system-x86_64',
};

function has(command: string): boolean {
	try {
		sh(`command -v ${command}`);
		return true;
	} catch {
		return false;
	}
}

function cleanUp(): void {
	for (const c of children) c.kill('SIGKILL');
	for (const n of [NS, PEER]) {
		try {
			sh(`ip netns pids ${n} | xargs -r kill -9 2>/dev/null; ip netns del ${n}`);
		} catch {}
	}
	rmSync(dir, { recursive: true, force: true });
	rmSync(CLI, { force: true });
}

if (process.platform !== 'linux' || process.getuid?.() !== 0) {
	console.error('npm run real: root and Linux are needed: it makes namespaces and TAPs');
	process.exit(2);
}
process.on('exit', cleanUp);
for (const s of ['SIGINT', 'SIGTERM'] as const) process.on(s, () => process.exit(130));
await build({
	entryPoints: [join(ROOT, 'src/cli/main.ts')],
	outfile: CLI,
	bundle: true,
	platform: 'node',
	format: 'esm',
	target: 'node20',
	packages: 'external',
	logLevel: 'error',
});
for (const n of [NS, PEER]) sh(`ip netns add ${n}; ip -n ${n} link set lo up`);
writeFileSync(join(dir, 'big'), big);
writeFileSync(join(dir, 'small'), 'hello\n');
const wanted = process.argv.slice(2);
let passed = 0;
let failed = 0;
for (const [name, check] of Object.entries(CHECKS)) {
	if (wanted.length > 0 && !wanted.some((w) => name.includes(w))) continue;
	const began = Date.now();
	try {
		for (const [word, command] of Object.entries(NEEDS))
			assert(!name.includes(word) || has(command), `${command} is not installed here`);
		await check();
		passed++;
		console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
	} catch (e) {
		failed++;
		console.log(`FAIL ${name}: ${e instanceof Error ? e.message : e}`);
		for (const c of children) c.kill('SIGKILL');
		await sleep(300);
	}
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
