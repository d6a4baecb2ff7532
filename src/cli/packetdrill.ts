/*
 * cli/packetdrill.ts: `linnet packetdrill FILE|DIR…`: packetdrill's scripts on linnet's kernel, with packetdrill's own flags.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import pc from 'picocolors';
import { withLinnetKernel } from '../packetdrill/linnet.ts';
import { parseScript } from '../packetdrill/parse.ts';
import { type RunConfig, runScript } from '../packetdrill/run.ts';
import { type Script, ScriptError } from '../packetdrill/script.ts';
import { UserError } from './load.ts';

/** packetdrill's flags, as given (underscores kept) or their defaults. */
export interface Flags {
	ip_version: string;
	local_ip: string;
	remote_ip: string;
	gateway_ip: string;
	netmask_ip: string;
	bind_port: number;
	connect_port: number;
	mtu: number;
	tolerance_usecs: number;
	tcp_ts_tick_usecs: number;
	strict_segments: boolean;
	non_fatal: string;
	init_scripts: string;
	define: Map<string, string>;
	verbose: boolean;
	dry_run: boolean;
	seed: number;
}

const DEFAULTS: Flags = {
	ip_version: 'ipv4',
	local_ip: '192.168.0.1',
	remote_ip: '192.0.2.1',
	gateway_ip: '192.168.0.2',
	netmask_ip: '255.255.0.0',
	bind_port: 8080,
	connect_port: 8080,
	mtu: 1500,
	tolerance_usecs: 4000,
	tcp_ts_tick_usecs: 0,
	strict_segments: false,
	non_fatal: '',
	init_scripts: '',
	define: new Map(),
	verbose: false,
	dry_run: false,
	seed: 1,
};

/** Flags of packetdrill that set what a virtual world has not: taken, and without effect. */
const WITHOUT_EFFECT = new Set([
	'speed',
	'debug',
	'no_cleanup',
	'send_omit_free',
	'code_command',
	'code_format',
	'code_sockopt',
	'persistent_tun_dev',
	'use_expect',
	'udp_encaps',
]);

function ip(text: string, flag: string): number {
	const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
	if (m === null || m.slice(1).some((b) => Number(b) > 255))
		throw new UserError(`--${flag}: '${text}' is no IPv4 address`);
	return m.slice(1).reduce((n, b) => n * 256 + Number(b), 0);
}

function prefixOf(mask: string): number {
	const n = ip(mask, 'netmask_ip');
	const bits = n.toString(2).padStart(32, '0');
	if (!/^1*0*$/.test(bits)) throw new UserError(`--netmask_ip: '${mask}' is no netmask`);
	return bits.indexOf('0') < 0 ? 32 : bits.indexOf('0');
}

/** Sets one flag. Throws UserError where it is unknown or bad. */
export function setFlag(flags: Flags, name: string, value: string): void {
	const known = name as keyof Flags;
	if (WITHOUT_EFFECT.has(name)) return;
	if (name === 'tolerance_percent' || name === 'wire_server' || name === 'wire_client' || name === 'wire_client_dev')
		throw new UserError(`--${name} is not there`);
	if (!(name in DEFAULTS) || name === 'define')
		throw new UserError(`--${name}: packetdrill has no such flag, or it is not there yet`);
	if (known === 'ip_version' && value !== 'ipv4')
		throw new UserError(`--ip_version=${value}: only ipv4 is there; IPv6 and mapped addresses are not yet`);
	const old = flags[known];
	if (typeof old === 'number') {
		const n = Number(value);
		if (!Number.isFinite(n) || value === '') throw new UserError(`--${name}: '${value}' is no number`);
		(flags[known] as number) = n;
	} else if (typeof old === 'boolean') (flags[known] as boolean) = value !== '0' && value !== 'false';
	else (flags[known] as string) = value;
}

/** packetdrill's command line: flags with one or two dashes, `=` or a space, -D NAME=VALUE, files and folders. */
export function parseArguments(args: string[]): { flags: Flags; files: string[]; json: boolean } {
	const flags: Flags = { ...DEFAULTS, define: new Map() };
	const files: string[] = [];
	let json = false;
	let gateway = false;
	for (let i = 0; i < args.length; i++) {
		const a = args[i];
		if (!a.startsWith('-') || a === '-') {
			files.push(a);
			continue;
		}
		if (a === '--json') {
			json = true;
			continue;
		}
		const define = /^-D(.*)$/.exec(a);
		if (define !== null || a === '--define') {
			const text = define !== null && define[1] !== '' ? define[1] : (args[++i] ?? '');
			const m = /^\s*(\w+)=([\s\S]*?)\s*$/.exec(text);
			if (m === null) throw new UserError(`-D: '${text}' is not NAME=VALUE`);
			flags.define.set(m[1], m[2]);
			continue;
		}
		const m = /^--?(\w+)(?:=([\s\S]*?))?\s*$/.exec(a);
		if (m === null) throw new UserError(`${a} is no flag of packetdrill`);
		const name = m[1] === 'v' ? 'verbose' : m[1];
		const bool = typeof DEFAULTS[name as keyof Flags] === 'boolean';
		const value = m[2] ?? (bool || WITHOUT_EFFECT.has(name) ? '1' : args[++i]);
		if (value === undefined) throw new UserError(`--${name}: a value is missing`);
		if (name === 'gateway_ip') gateway = true;
		setFlag(flags, name, value);
	}
	if (!gateway) flags.gateway_ip = flags.local_ip;
	return { flags, files, json };
}

/** Scripts of a file or folder (all .pkt below it), sorted. */
function scriptsOf(path: string): string[] {
	if (!existsSync(path)) throw new UserError(`${path}: there is no such file or folder`);
	if (!statSync(path).isDirectory()) return [path];
	return (readdirSync(path, { recursive: true }) as string[])
		.filter((f) => f.endsWith('.pkt'))
		.sort()
		.map((f) => join(path, f));
}

/** The files that commands of a test may run: those that it names (./defaults.sh, ../common/defaults.sh), and those that these name. */
export function filesNamed(path: string, text: string): Map<string, string> {
	const files = new Map<string, string>();
	const dir = dirname(path);
	const look = (t: string): void => {
		for (const [name] of t.matchAll(/\.{1,2}\/[\w./-]*\w/g)) {
			const file = join(dir, name);
			if (files.has(name) || !existsSync(file) || !statSync(file).isFile()) continue;
			const content = readFileSync(file, 'utf8');
			files.set(name, content);
			look(content);
		}
	};
	look(text);
	return files;
}

export interface Outcome {
	file: string;
	/** null: it passed. */
	error: string | null;
	ms: number;
	warnings: string[];
	output: string;
}

/** Flags as a script's own `--name=value` lines change them. */
function flagsOf(script: Script, flags: Flags): Flags {
	const own = { ...flags };
	for (const o of script.options) {
		try {
			setFlag(own, o.name, o.value);
		} catch (e) {
			throw new ScriptError(script.file, o.line, (e as Error).message);
		}
	}
	return own;
}

/** Runs one script in a fresh machine. */
export async function runFile(file: string, given: Flags): Promise<Outcome> {
	const started = performance.now();
	const outcome: Outcome = { file, error: null, ms: 0, warnings: [], output: '' };
	try {
		const text = readFileSync(file, 'utf8');
		const script = parseScript(file, text, given.define);
		const flags = flagsOf(script, given);
		if (!flags.dry_run) {
			const config: RunConfig = {
				local_ip: ip(flags.local_ip, 'local_ip'),
				remote_ip: ip(flags.remote_ip, 'remote_ip'),
				bind_port: flags.bind_port,
				connect_port: flags.connect_port,
				tolerance_usecs: flags.tolerance_usecs,
				tcp_ts_tick_usecs: flags.tcp_ts_tick_usecs,
				strict_segments: flags.strict_segments,
				non_fatal: new Set(flags.non_fatal.split(',').filter((x) => x !== '')),
				verbose: flags.verbose ? (line) => process.stdout.write(`${line}\n`) : null,
				print: (text) => {
					outcome.output += text;
				},
				warn: (text) => outcome.warnings.push(text),
			};
			await withLinnetKernel(
				{
					local_ip: flags.local_ip,
					remote_ip: flags.remote_ip,
					gateway_ip: flags.gateway_ip,
					prefix: prefixOf(flags.netmask_ip),
					mtu: flags.mtu,
					files: filesNamed(file, text),
					seed: flags.seed,
				},
				async (kernel) => {
					for (const init of flags.init_scripts.split(',').filter((x) => x !== '')) {
						const { status, output } = await kernel.command(readFileSync(init, 'utf8'));
						if (status !== 0) throw new UserError(`${init}: exit status ${status}\n${output}`);
					}
					await runScript(script, kernel, config);
				},
			);
		}
	} catch (e) {
		if (!(e instanceof ScriptError) && !(e instanceof UserError)) throw e;
		outcome.error = e.message;
	}
	outcome.ms = performance.now() - started;
	return outcome;
}

/** Return: exit status, 0 when every script passed. */
export async function packetdrill(args: string[]): Promise<number> {
	const { flags, files, json } = parseArguments(args);
	if (files.length === 0) throw new UserError('packetdrill: name a script or a folder of scripts');
	const all = files.flatMap(scriptsOf);
	let failed = 0;
	for (const file of all) {
		const o = await runFile(file, flags);
		if (o.error !== null) failed++;
		if (json) {
			process.stdout.write(`${JSON.stringify({ ...o, ms: Math.round(o.ms * 10) / 10 })}\n`);
			continue;
		}
		if (o.output !== '') process.stdout.write(o.output);
		for (const w of o.warnings) process.stderr.write(`${w}\n`);
		if (o.error !== null) process.stderr.write(`${o.error}\n`);
		// One script: silence is success, as with packetdrill.
		if (all.length > 1)
			process.stdout.write(`${o.error === null ? pc.green('ok  ') : pc.red('FAIL')} ${basename(file)}\n`);
	}
	if (all.length > 1 && !json) process.stdout.write(`${all.length - failed} passed, ${failed} failed\n`);
	return failed === 0 ? 0 : 1;
}
