/*
 * cli/packetdrill.ts: `linnet packetdrill FILE|DIR…`: packetdrill's scripts on linnet's kernel, with packetdrill's own flags.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

/** Flags of packetdrill that linnet has not. */
const NOT_HERE = new Set([
	'tolerance_percent',
	'wire_server',
	'wire_client',
	'wire_client_dev',
	'wire_server_dev',
	'wire_server_ip',
	'wire_server_port',
	'so_filename',
	'so_flags',
]);

const HELP = `Usage: linnet packetdrill [flags] FILE|DIR…

Runs packetdrill scripts on linnet's kernel, each on a machine of its own, in virtual time. A folder stands for all .pkt files in it and below.
The files that a script's commands name (./defaults.sh, ../common/defaults.sh) are put on the machine; commands run in its shell.

  -D NAME=VALUE               NAME stands for VALUE in scripts
  --ip_version=ipv4           the only one there is
  --local_ip=192.168.0.1      the machine's address
  --remote_ip=192.0.2.1       the address beyond the TUN device
  --gateway_ip, --netmask_ip  the machine's own and 255.255.0.0
  --bind_port=8080            what bind(…) means by '...'
  --connect_port=8080         what connect(…) means by '...'
  --mtu=1500                  of the TUN device
  --tolerance_usecs=4000      by how much a time may be missed
  --tcp_ts_tick_usecs=0       of a tick of TCP time stamps; 0: their values are not compared
  --strict_segments           a packet is just what the script says, not a part of it
  --non_fatal=packet,syscall  what differs there is told and passed over
  --init_scripts=FILE,…       shell scripts to run first
  --verbose, -v               tells each packet and call
  --dry_run                   only reads the scripts
  --seed=1                    of the machine's random numbers
  --json                      one JSON object a script: file, error (null: passed), ms, warnings, output

A script may begin with such flags, one a line. Those of packetdrill that mean nothing here (--speed, --debug, …) are taken and ignored.

Exit status: 0 when every script passed, 1 when one did not, 2 when it cannot be done.
`;

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

function checkName(name: string): void {
	if (WITHOUT_EFFECT.has(name)) return;
	if (NOT_HERE.has(name))
		throw new UserError(`--${name} is not there: linnet's scripts run on one machine, over a TUN device`);
	if (!Object.hasOwn(DEFAULTS, name) || name === 'define')
		throw new UserError(`--${name}: packetdrill has no such flag, or it is not there yet (linnet packetdrill --help)`);
}

/** Sets one flag. Throws UserError where it is unknown or bad. */
export function setFlag(flags: Flags, name: string, value: string): void {
	const known = name as keyof Flags;
	if (WITHOUT_EFFECT.has(name)) return;
	checkName(name);
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
		checkName(name);
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
	const scripts = (readdirSync(path, { recursive: true }) as string[]).filter((f) => f.endsWith('.pkt')).sort();
	if (scripts.length === 0) throw new UserError(`${path}: there is no script (.pkt) in this folder`);
	return scripts.map((f) => join(path, f));
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
						if (!existsSync(init)) throw new UserError(`--init_scripts: ${init}: there is no such file`);
						const { status, output } = await kernel.command(readFileSync(init, 'utf8'));
						if (status !== 0) throw new UserError(`${init}: exit status ${status}\n${output}`);
					}
					await runScript(script, kernel, config);
				},
			);
		}
	} catch (e) {
		if (!(e instanceof ScriptError) && !(e instanceof UserError)) throw e;
		outcome.error = e instanceof UserError ? `${file}: ${e.message}` : e.message;
	}
	outcome.ms = performance.now() - started;
	return outcome;
}

/** Return: exit status, 0 when every script passed. */
export async function packetdrill(args: string[]): Promise<number> {
	if (args.includes('--help') || args.includes('-h')) {
		process.stdout.write(HELP);
		return 0;
	}
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
		if (all.length > 1) process.stdout.write(`${o.error === null ? pc.green('ok  ') : pc.red('FAIL')} ${file}\n`);
	}
	if (all.length > 1 && !json) process.stdout.write(`${all.length - failed} passed, ${failed} failed\n`);
	return failed === 0 ? 0 : 1;
}
