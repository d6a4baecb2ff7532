/*
 * lab/shell.ts: a host's shell: just-bash, with linnet's programs as its commands and the host's files under it.
 */
import type { Bash, CustomCommand } from 'just-bash';
import { nsproxy, send_sig, task_struct } from '../kernel/sched.ts';
import type { net } from '../net/core/net_namespace.ts';
import { EACCES, ENOENT, EPERM, strerror } from '../uapi/asm-generic/errno.ts';
import {
	exit_process,
	new_process,
	type OutStream,
	type Process,
	type Program,
	SIGKILL,
	utf8_decode,
} from '../user/libc.ts';
import { fromByteString, loadBash, shellFileSystem, toByteString } from './disk.ts';
import type { Host } from './host.ts';
import type { World } from './world.ts';

/** What a script did. */
export interface ShellResult {
	stdout: string;
	stderr: string;
	exitCode: number;
}

export interface ShellOptions {
	/** Standard input. */
	stdin?: string | Uint8Array;
	env?: Record<string, string>;
	/** Named network namespace to run in; default the host's first. */
	netns?: string;
	cwd?: string;
}

const SHELL_ENV = {
	PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
	HOME: '/root',
	USER: 'root',
	SHELL: '/bin/bash',
	LC_ALL: 'C',
	TZ: 'UTC',
};
const FOREVER_MS = 2 ** 31 - 1;

/** The shells of one host: one for each network namespace that scripts ran in. */
export class Shell {
	private host: Host;
	private shells: Map<net, Promise<Bash>> = new Map();
	/** What the kernel refused to have written since the script began, in bash's words. */
	private refused: string[] = [];

	constructor(host: Host) {
		this.host = host;
		host.machine.spawn = (parent, argv) => this.exec(parent, argv);
	}

	/** Runs a script in namespace `n`. */
	async run(script: string, n: net, options: ShellOptions = {}): Promise<ShellResult> {
		const bash = await this.bash(n);
		const r = await bash.exec(script, {
			rawScript: true,
			stdin:
				typeof options.stdin === 'string' || options.stdin === undefined ? options.stdin : utf8_decode(options.stdin),
			env: options.env,
			cwd: options.cwd,
		});
		const refused = this.refused.splice(0).join('');
		// A redirection cannot fail in this shell: what was refused is told at the end, and is the status where it was all there was to do.
		const alone = refused !== '' && !/[;&|\n]/.test(script.trim());
		return { stdout: r.stdout, stderr: r.stderr + refused, exitCode: alone && r.exitCode === 0 ? 1 : r.exitCode };
	}

	private bash(n: net): Promise<Bash> {
		let b = this.shells.get(n);
		if (b === undefined) {
			b = this.make(n);
			this.shells.set(n, b);
		}
		return b;
	}

	private async make(n: net): Promise<Bash> {
		const { Bash, defineCommand } = await loadBash();
		const host = this.host;
		const task = new task_struct(host.machine, 'bash', new nsproxy(n, host.name));
		const commands: CustomCommand[] = [];
		for (const [name, program] of host.programs) {
			commands.push(
				defineCommand(name, async (args, ctx) => {
					const proc = this.process([name, ...args], n);
					proc.cwd = ctx.cwd;
					for (const [k, v] of ctx.env) proc.env.set(k, v);
					proc.stdin = fromByteString(ctx.stdin);
					const exitCode = await this.start(program, proc);
					const out = proc.stdout.bytes();
					// Text goes as text; what is not UTF-8 (a pcap on a pipe) as bytes.
					const text = utf8_decode(out);
					const binary = text.includes('\ufffd');
					const stdout = binary
						? { stdout: toByteString(out) as unknown as string, stdoutKind: 'bytes' as const }
						: { stdout: text, stdoutKind: 'text' as const };
					return { ...stdout, stderr: proc.stderr.text(), exitCode };
				}),
			);
		}
		const sleeper = this.process(['sleep'], n);
		return new Bash({
			fs: await shellFileSystem(host.disk, task, (path, errno) => {
				const opening = errno === ENOENT || errno === EPERM;
				const why = strerror(errno === EPERM ? EACCES : errno);
				this.refused.push(`bash: line 1: ${opening ? path : 'echo: write error'}: ${why}\n`);
			}),
			cwd: '/root',
			env: { ...SHELL_ENV, HOSTNAME: host.name },
			customCommands: commands,
			defenseInDepth: false,
			sleep: async (ms) => {
				await sleeper.sleep(ms);
			},
			executionLimits: { maxExecutionTimeMs: FOREVER_MS, maxCommandCount: 1e9, maxLoopIterations: 1e9 },
		});
	}

	/** A new process of the host. */
	process(argv: string[], n: net): Process {
		return new_process(this.host.machine, argv, this.host.programs, n, this.host.name);
	}

	/** Runs a program to its end. */
	async start(program: Program, proc: Process): Promise<number> {
		// What the machine has to do at this instant (a link that came up, packets on lo) is done before a program looks, and after it.
		this.host.world.instant();
		try {
			const status = await program(proc);
			// What a signal ended has the status that a shell shows for it.
			return proc.task.exit_signal !== 0 ? 128 + proc.task.exit_signal : status;
		} finally {
			exit_process(proc);
			this.host.world.instant();
		}
	}

	/** Runs another command for a process: a program of ours, or whatever the shell knows. Return: exit status, 127 when unknown. */
	private async exec(parent: Process, argv: string[]): Promise<number> {
		const n = parent.task.nsproxy.net_ns;
		const name = argv[0].slice(argv[0].lastIndexOf('/') + 1);
		const program = this.host.programs.get(name);
		if (program !== undefined) {
			const child = this.process(argv, n);
			child.env = parent.env;
			child.cwd = parent.cwd;
			child.stdin = parent.stdin;
			child.stdout = parent.stdout;
			child.stderr = parent.stderr;
			parent.task.signal_handler = (signo) => send_sig(signo, child.task);
			return this.start(program, child);
		}
		const quoted = argv.map((a) => `'${a.replaceAll("'", "'\\''")}'`).join(' ');
		const r = await this.run(quoted, n, { cwd: parent.cwd, stdin: utf8_decode(parent.stdin) });
		parent.stdout.write(r.stdout);
		parent.stderr.write(r.stderr);
		return r.exitCode;
	}
}

/** A command that goes on while the caller does other things. */
export class Job {
	private world: World;
	private proc: Process;
	private ended: Promise<number>;

	constructor(world: World, proc: Process, ended: Promise<number>) {
		this.world = world;
		this.proc = proc;
		this.ended = ended;
	}

	/** Ends with the exit status; virtual time passes for who waits for it. */
	get done(): Promise<number> {
		return this.world.waiting(this.ended);
	}

	get stdout(): OutStream {
		return this.proc.stdout;
	}

	get stderr(): OutStream {
		return this.proc.stderr;
	}

	/** Sends a signal: 2 is Ctrl-C. */
	kill(signo = SIGKILL): void {
		send_sig(signo, this.proc.task);
	}
}
