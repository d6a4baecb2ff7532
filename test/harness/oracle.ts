/*
 * test/harness/oracle.ts: the Linux side of a scenario, over oracle.py.
 * Walk: openOracle (one agent process) -> run steps -> finish -> close. The agent removes everything when its stdin closes.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Observation, type Output, type Side, SideError } from './run.ts';
import type { Scenario, SocketOp } from './scenario.ts';

type Answer = { ok: boolean; error?: string } & Record<string, unknown>;

/** Why the Linux side cannot run here, or null when it can. */
export function oracleMissing(): string | null {
	if (process.platform !== 'linux') return 'the live kernel is the oracle: this needs Linux';
	if (process.getuid?.() !== 0) return 'the Linux side makes network namespaces: this needs root';
	if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun: NICs are TAP devices';
	for (const tool of ['python3', 'ip', 'bash'])
		if (!['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((d) => existsSync(`${d}/${tool}`)))
			return `${tool} is not installed`;
	return null;
}

/** Versions of the kernel and of the tools, as kept in recordings. */
export function oracleVersions(): Record<string, string> {
	const ask = (cmd: string, args: string[], re: RegExp) => {
		try {
			const text = execFileSync(cmd, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
			return re.exec(text)?.[1] ?? 'unknown';
		} catch {
			return 'none';
		}
	};
	return {
		linux: ask('uname', ['-r'], /^([\d.]+)/),
		iproute2: ask('ip', ['-V'], /iproute2-([\d.]+)/),
		iptables: ask('/usr/sbin/iptables-legacy', ['-V'], /v([\d.]+)/),
		iputils: ask('ping', ['-V'], /iputils (\S+)/),
		tcpdump: ask('sh', ['-c', 'tcpdump --version 2>&1'], /tcpdump version ([\d.]+)/),
		'conntrack-tools': ask('conntrack', ['-V'], /v([\d.]+)/),
		ethtool: ask('ethtool', ['--version'], /version ([\d.]+)/),
		traceroute: ask('sh', ['-c', 'traceroute --version 2>&1'], /version ([\d.]+)/),
		procps: ask('sysctl', ['-V'], /([\d.]+)\s*$/),
	};
}

const open = new Set<Oracle>();

/** Ends every agent at once; what they made goes with them. */
export function closeAll(): void {
	for (const oracle of open) oracle.kill();
}

export class Oracle implements Side {
	#child: ChildProcess;
	#answers: AsyncIterator<string>;
	#errors = '';
	#exited: Promise<void>;

	constructor(log: boolean) {
		const script = resolve(import.meta.dirname, 'oracle.py');
		// Its own session: Ctrl-C reaches us only, and we close its stdin.
		this.#child = spawn('python3', [script, ...(log ? ['--log'] : [])], {
			stdio: ['pipe', 'pipe', 'pipe'],
			detached: true,
		});
		this.#child.stdin!.on('error', () => {});
		this.#child.stderr!.on('data', (d) => (this.#errors += d));
		this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
		this.#exited = new Promise((done) => this.#child.on('close', () => done()));
		open.add(this);
	}

	async #ask(op: string, args: object = {}): Promise<Answer> {
		this.#child.stdin!.write(`${JSON.stringify({ op, ...args })}\n`);
		const { value, done } = await this.#answers.next();
		if (done) throw new SideError(`the oracle ended: ${this.#errors.trim() || 'no message'}`);
		const answer = JSON.parse(value) as Answer;
		if (!answer.ok) throw new SideError(answer.error!);
		return answer;
	}

	async start(s: Scenario): Promise<void> {
		await this.#ask('start', {
			hosts: s.hosts,
			nics: s.nics,
			links: s.links.map((l) => ({ ends: l.ends, switch: l.isSwitch })),
			kmsg: s.log !== undefined,
		});
	}

	async run(host: string, script: string, timeout: number): Promise<Output> {
		return (await this.#ask('run', { host, script, timeout })) as unknown as Output;
	}

	async background(host: string, script: string, as: string, until?: string): Promise<void> {
		await this.#ask('background', { host, script, as, until });
	}

	async join(as: string, signal: string | undefined, timeout: number): Promise<Output> {
		return (await this.#ask('join', { as, signal, timeout })) as unknown as Output;
	}

	async send(from: string, frames: Uint8Array[], burst: boolean): Promise<void> {
		await this.#ask('send', { from, burst, frames: frames.map((f) => Buffer.from(f).toString('hex')) });
	}

	async socket(host: string, op: SocketOp): Promise<Output> {
		return (await this.#ask('socket', { host, ...op })) as unknown as Output;
	}

	async wait(seconds: number): Promise<void> {
		await this.#ask('wait', { seconds });
	}

	async mark(): Promise<void> {
		await this.#ask('mark');
	}

	async finish(): Promise<Observation> {
		const a = (await this.#ask('finish')) as unknown as {
			frames: [number, string, string[], string][];
			drops: { reason: string; at: string }[];
			counters: Observation['counters'];
			log?: string[];
		};
		return {
			frames: a.frames.map(([, from, to, hex]) => ({ from, to, bytes: new Uint8Array(Buffer.from(hex, 'hex')) })),
			drops: a.drops,
			counters: a.counters,
			log: a.log ?? [],
		};
	}

	async close(): Promise<void> {
		this.#child.stdin!.end();
		await this.#exited;
		open.delete(this);
	}

	kill(): void {
		this.#child.stdin!.destroy();
		try {
			this.#child.kill('SIGTERM');
		} catch {}
	}
}
