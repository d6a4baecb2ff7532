/*
 * lab/host.ts: one machine of a world: its kernel, NICs, disk, shell and programs.
 */
import { start_kernel } from '../boot/start_kernel.ts';
import type { Cable, CablePort } from '../drivers/net/cable.ts';
import { vnic_create, vnic_plug } from '../drivers/net/vnic.ts';
import { Machine } from '../kernel/machine.ts';
import { send_sig } from '../kernel/sched.ts';
import { sysctl_find } from '../kernel/sysctl.ts';
import { dev_open } from '../net/core/dev.ts';
import { drop_reason_name } from '../net/core/dropreason.ts';
import type { net } from '../net/core/net_namespace.ts';
import type { net_device } from '../net/core/netdevice.ts';
import { programs } from '../user/index.ts';
import { type Process, type Programs, SIGKILL, utf8 } from '../user/libc.ts';
import { Disk } from './disk.ts';
import { Job, Shell, type ShellOptions, type ShellResult } from './shell.ts';
import type { World } from './world.ts';

export interface HostOptions {
	/** Files on its disk, by path. */
	files?: Record<string, string>;
	/** Sysctls to set after boot, with dots: `{ 'net.ipv4.ip_forward': 1 }`. */
	sysctl?: Record<string, string | number>;
	/** Programs beside linnet's own. */
	programs?: Programs;
}

export interface NicOptions {
	/** `02:00:00:00:00:01`; default 02:00:00:<host>:<NIC>:01, both counted from 0. */
	mac?: string;
	/** Default 1500. */
	mtu?: number;
	/** Rx and tx queues. Default 1. */
	queues?: number;
	/** Interface index; default the next. */
	ifindex?: number;
}

/** A packet that a machine dropped. */
export interface Drop {
	/** As the kernel names it, without SKB_DROP_REASON_. */
	reason: string;
	/** Kernel function. */
	location: string;
	/** ns of the world's clock. */
	time: number;
}

/** A network card. */
export class Nic {
	readonly host: Host;
	readonly dev: net_device;

	constructor(host: Host, dev: net_device) {
		this.host = host;
		this.dev = dev;
	}

	get name(): string {
		return this.dev.name;
	}

	/** @internal */
	plug(cable: Cable): CablePort {
		return vnic_plug(this.dev, cable);
	}

	toString(): string {
		return `${this.host.name}:${this.dev.name}`;
	}
}

/** `02:00:00:00:00:01` as bytes. Throws where it is no address. */
export function parseMac(text: string): Uint8Array {
	if (!/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text))
		throw new Error(`mac: '${text}' is no Ethernet address; expected six hex bytes, as 02:00:00:00:00:01`);
	return Uint8Array.from(text.split(':'), (b) => parseInt(b, 16));
}

export class Host {
	readonly world: World;
	readonly name: string;
	readonly machine: Machine;
	readonly disk: Disk;
	readonly programs: Programs;
	readonly nics: Map<string, Nic> = new Map();
	private index: number;
	private shell: Shell;
	private dropListeners: ((drop: Drop) => void)[] = [];

	constructor(world: World, name: string, index: number, options: HostOptions) {
		this.world = world;
		this.name = name;
		this.index = index;
		this.machine = new Machine(name, world.clock, world.seed, world);
		this.disk = new Disk({ '/etc/hostname': name + '\n', '/etc/hosts': '127.0.0.1\tlocalhost\n', ...options.files });
		this.machine.rootfs = this.disk;
		this.programs = options.programs === undefined ? programs : new Map([...programs, ...options.programs]);
		start_kernel(this.machine);
		// As every init system does.
		dev_open(this.machine.init_net.loopback_dev);
		this.shell = new Shell(this);
		for (const [key, value] of Object.entries(options.sysctl ?? {})) this.sysctl(key, value);
	}

	/** Sets a sysctl by its dotted (or slashed) name. */
	sysctl(name: string, value: string | number): void {
		const path = name.includes('/') ? name : name.replaceAll('.', '/');
		const err = this.setSysctl(path, String(value));
		if (err < 0) throw new Error(`${this.name}: sysctl ${name} = ${value}: error ${-err}`);
	}

	private setSysctl(path: string, value: string): number {
		const t = sysctl_find(this.machine.init_net, path);
		return t === undefined ? -2 : t.write(t, this.machine.init_net, value);
	}

	/** The NIC of that name; it is put in on first use. */
	nic(name: string, options: NicOptions = {}): Nic {
		const old = this.nics.get(name);
		if (old !== undefined) return old;
		const mac =
			options.mac !== undefined
				? parseMac(options.mac)
				: Uint8Array.of(2, 0, 0, this.index & 255, this.nics.size & 255, 1);
		const dev = vnic_create(this.machine.init_net, name, {
			mac,
			mtu: options.mtu ?? 1500,
			queues: options.queues ?? 1,
			ifindex: options.ifindex ?? 0,
		});
		if (typeof dev === 'number') throw new Error(`${this.name}: cannot make NIC ${name}: error ${-dev}`);
		const nic = new Nic(this, dev);
		this.nics.set(name, nic);
		return nic;
	}

	private namespace(name: string | undefined): net {
		if (name === undefined) return this.machine.init_net;
		const n = this.machine.netns_mounts.get(name);
		if (n === undefined) throw new Error(`${this.name}: there is no network namespace '${name}'`);
		return n;
	}

	/** Runs a script in the host's shell; virtual time passes while it waits. */
	sh(script: string, options: ShellOptions = {}): Promise<ShellResult> {
		return this.world.job(() => this.shell.run(script, this.namespace(options.netns), options));
	}

	/** As `sh`, but throws when the script fails: for setting things up. */
	async must(script: string, options: ShellOptions = {}): Promise<string> {
		const r = await this.sh(script, options);
		if (r.exitCode !== 0)
			throw new Error(`${this.name}: '${script.trim()}' ended with ${r.exitCode}: ${(r.stderr || r.stdout).trim()}`);
		return r.stdout;
	}

	/** Runs one program with these arguments, without a shell. */
	exec(argv: string[], options: ShellOptions = {}): Promise<ShellResult> {
		const program = this.programs.get(argv[0]);
		if (program === undefined) throw new Error(`${this.name}: there is no program '${argv[0]}'`);
		return this.world.job(async () => {
			const proc = this.shell.process(argv, this.namespace(options.netns));
			if (options.stdin !== undefined)
				proc.stdin = typeof options.stdin === 'string' ? utf8(options.stdin) : options.stdin;
			const exitCode = await this.shell.start(program, proc);
			return { stdout: proc.stdout.text(), stderr: proc.stderr.text(), exitCode };
		});
	}

	/** Runs `work` as a process of this host: for what talks to its kernel without being a program on its own. */
	process<T>(name: string, work: (proc: Process) => Promise<T>): Promise<T> {
		return this.world.job(async () => {
			const proc = this.shell.process([name], this.machine.init_net);
			let result: T | undefined;
			await this.shell.start(async (p) => {
				result = await work(p);
				return 0;
			}, proc);
			return result as T;
		});
	}

	/** A process that stays until the world ends: for what holds sockets without being a program that runs. */
	daemon(name: string): Process {
		return this.shell.process([name], this.machine.init_net);
	}

	/** Starts a script that goes on in the background. Its output can be read while it runs. */
	spawn(script: string, options: ShellOptions = {}): Job {
		const proc = this.shell.process(['sh', '-c', script], this.namespace(options.netns));
		const words = simpleWords(script);
		const program = words === null ? undefined : this.programs.get(words[0]);
		const done = this.world.background(async () => {
			if (program !== undefined && words !== null) {
				proc.argv = words;
				proc.task.comm = words[0];
				return this.shell.start(program, proc);
			}
			proc.task.signal_handler = (signo) => {
				for (const t of this.machine.tasks) if (t !== proc.task && signo === SIGKILL) send_sig(signo, t);
			};
			const r = await this.shell.run(script, proc.task.nsproxy.net_ns, options);
			proc.stdout.write(r.stdout);
			proc.stderr.write(r.stderr);
			return r.exitCode;
		});
		return new Job(this.world, proc, done);
	}

	/** Calls `see` for each packet the machine drops. */
	onDrop(see: (drop: Drop) => void): void {
		this.dropListeners.push(see);
		this.machine.kfree_skb_probe = (_skb, reason, location) => {
			const drop = { reason: drop_reason_name(reason), location, time: this.world.clock.now };
			for (const l of this.dropListeners) l(drop);
		};
	}

	/** The kernel's log, a line each, as dmesg prints it. */
	dmesg(): string[] {
		return this.machine.log_buf.map((r) => `[${(r.ts / 1e9).toFixed(6).padStart(12)}] ${r.text}`);
	}
}

/** The words of a command without any shell syntax but quotes; null when it has some. */
function simpleWords(script: string): string[] | null {
	const words: string[] = [];
	let word: string | null = null;
	for (const m of script.matchAll(/'([^']*)'|"([^"$`\\]*)"|(\s+)|([^\s'"|&;<>()$`\\*?[\]#~=%!{}]+)|([\s\S])/g)) {
		if (m[5] !== undefined || m[3]?.includes('\n')) return null;
		if (m[3] !== undefined) {
			if (word !== null) words.push(word);
			word = null;
		} else word = (word ?? '') + (m[1] ?? m[2] ?? m[4]);
	}
	if (word !== null) words.push(word);
	return words.length > 0 ? words : null;
}
