/*
 * test/packetdrill/linux.ts: runs packetdrill scripts on the real kernel, as root: node scripts/run.mjs test/packetdrill/linux.ts FILE|DIR…
 * The same interpreter, in real time, over kernel.py.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Call, CallResult, Kernel } from '../../src/packetdrill/kernel.ts';
import { parseScript } from '../../src/packetdrill/parse.ts';
import { runScript } from '../../src/packetdrill/run.ts';
import { ScriptError } from '../../src/packetdrill/script.ts';

type Reply = Record<string, unknown> & { id?: number };

export class LinuxKernel implements Kernel {
	private child: ChildProcessWithoutNullStreams;
	private waiting: Map<number, (r: Reply) => void> = new Map();
	private packets: { time: number; packet: Uint8Array }[] = [];
	private arrived: (() => void)[] = [];
	private next = 1;
	private start = performance.now();
	/** us that the script's clock stood still. */
	private slip = 0;
	private cwd: string;
	private stderr = '';

	constructor(cwd: string) {
		this.cwd = cwd;
		const agent = resolve(
			import.meta.dirname.includes('test/packetdrill') ? import.meta.dirname : 'test/packetdrill',
			'kernel.py',
		);
		this.child = spawn('python3', [agent], { stdio: 'pipe' });
		this.child.stderr.on('data', (d: Buffer) => {
			this.stderr += d.toString();
		});
		this.child.on('exit', () => {
			for (const done of this.waiting.values()) done({ ret: -5, status: 1, output: this.stderr, time: this.now() });
			this.waiting.clear();
		});
		createInterface({ input: this.child.stdout }).on('line', (line) => {
			const m = JSON.parse(line) as Reply;
			if (m.packet !== undefined) {
				this.packets.push({
					time: (m.time as number) - this.slip,
					packet: Uint8Array.from(Buffer.from(m.packet as string, 'hex')),
				});
				for (const f of this.arrived.splice(0)) f();
				return;
			}
			this.waiting.get(m.id!)?.(m);
			this.waiting.delete(m.id!);
		});
	}

	ask(message: Record<string, unknown>): Promise<Reply> {
		const id = this.next++;
		this.child.stdin.write(`${JSON.stringify({ id, ...message })}\n`);
		return new Promise((done) => this.waiting.set(id, done));
	}

	async setup(): Promise<void> {
		await this.ask({ op: 'setup', mtu: 1500, local_ip: '192.168.0.1', prefix: 16, remote_ip: '192.0.2.1' });
		if (this.stderr !== '') throw new Error(this.stderr);
		await this.ask({ op: 'begin' });
		this.start = performance.now();
	}

	now(): number {
		return (performance.now() - this.start) * 1000 - this.slip;
	}

	async sleepUntil(us: number): Promise<void> {
		// Late (a busy machine, a slow pipe): the script's clock waits for us.
		if (this.now() > us) this.slip += this.now() - us;
		for (let left = us - this.now(); left > 0; left = us - this.now()) {
			if (left > 3000) await new Promise((r) => setTimeout(r, (left - 2500) / 1000));
			else await new Promise((r) => setImmediate(r));
		}
		// And when we wake late.
		if (this.now() > us) this.slip += this.now() - us;
	}

	async inject(packet: Uint8Array): Promise<void> {
		await this.ask({ op: 'inject', packet: Buffer.from(packet).toString('hex') });
	}

	async receive(deadline: number): Promise<{ time: number; packet: Uint8Array } | null> {
		for (;;) {
			const got = this.packets.shift();
			if (got !== undefined) return got;
			// What left just before the deadline is still on its way through the pipe.
			const left = deadline + 20000 - this.now();
			if (left <= 0) return null;
			await new Promise<void>((done) => {
				const t = setTimeout(done, left / 1000);
				this.arrived.push(() => {
					clearTimeout(t);
					done();
				});
			});
		}
	}

	async syscall(call: Call): Promise<CallResult> {
		const blocking = !['socket', 'bind', 'listen', 'setsockopt', 'getsockopt', 'fcntl', 'ioctl', 'shutdown'].includes(
			call.call,
		);
		const r = (await this.ask({ op: 'syscall', blocking, syscall: call })) as unknown as CallResult;
		return { ...r, time: r.time - this.slip };
	}

	async settled(p: Promise<unknown>, deadline: number): Promise<boolean> {
		let done = false;
		const end = (): void => {
			done = true;
		};
		const both = p.then(end, end);
		const left = Math.max(1, (deadline + 20000 - this.now()) / 1000);
		let timer: ReturnType<typeof setTimeout> | undefined;
		await Promise.race([both, new Promise((r) => (timer = setTimeout(r, left)))]);
		clearTimeout(timer);
		return done;
	}

	async command(script: string): Promise<{ status: number; output: string }> {
		const r = await this.ask({ op: 'command', script, cwd: this.cwd });
		return { status: r.status as number, output: r.output as string };
	}

	async localPort(fd: number): Promise<number> {
		return (await this.ask({ op: 'port', fd })).port as number;
	}

	async close(): Promise<void> {
		this.child.stdin.end();
		this.child.kill('SIGKILL');
	}
}

/** Runs one script on the real kernel. Return: null, or what differs. */
export async function runOnLinux(
	file: string,
	defines: Map<string, string>,
	tolerance: number,
): Promise<string | null> {
	const kernel = new LinuxKernel(dirname(resolve(file)));
	try {
		const script = parseScript(file, readFileSync(file, 'utf8'), defines);
		await kernel.setup();
		const own = script.options.find((o) => o.name === 'tolerance_usecs');
		await runScript(script, kernel, {
			local_ip: 0xc0a80001,
			remote_ip: 0xc0000201,
			bind_port: 8080,
			connect_port: 8080,
			tolerance_usecs: Math.max(tolerance, Number(own?.value ?? 0)),
			tcp_ts_tick_usecs: 0,
			strict_segments: false,
			non_fatal: new Set(),
			verbose: process.env.VERBOSE ? (line) => console.log(line) : null,
			print: (text) => process.stdout.write(text),
			warn: (text) => console.error(text),
		});
		return null;
	} catch (e) {
		if (e instanceof ScriptError) return e.message;
		throw e;
	} finally {
		await kernel.close();
	}
}

/** Runs `files`, `jobs` at a time. Return: what differs, by file. */
async function runAll(files: string[], jobs: number, tolerance: number): Promise<Map<string, string>> {
	const failed = new Map<string, string>();
	const left = [...files];
	const worker = async (): Promise<void> => {
		for (let file = left.shift(); file !== undefined; file = left.shift()) {
			const error = await runOnLinux(file, DEFINES, tolerance);
			if (error !== null) failed.set(file, error);
		}
	};
	await Promise.all(Array.from({ length: jobs }, worker));
	return failed;
}

const DEFINES = new Map([
	['CMSG_LEVEL_IP', 'SOL_IP'],
	['CMSG_TYPE_RECVERR', 'IP_RECVERR'],
]);

async function main(): Promise<void> {
	const files = process.argv.slice(2).flatMap((p) =>
		statSync(p).isDirectory()
			? (readdirSync(p, { recursive: true }) as string[])
					.filter((f) => f.endsWith('.pkt'))
					.sort()
					.map((f) => join(p, f))
			: [p],
	);
	let failed = await runAll(files, 3, 10000);
	// A busy machine wakes late: what failed runs alone, with more patience, before it counts.
	for (let i = 0; i < 3 && failed.size > 0; i++) failed = await runAll([...failed.keys()], 1, 20000);
	for (const file of files) console.log(`${failed.has(file) ? 'FAIL' : 'ok  '} ${file}`);
	for (const error of failed.values()) console.error(error);
	console.log(`${files.length - failed.size} passed, ${failed.size} failed on the real kernel`);
	process.exitCode = failed.size > 0 ? 1 : 0;
}

if (process.argv[1]?.includes('linux') && process.argv.length > 2) await main();
