/*
 * user/iptables/iptables-restore.ts: iptables-restore(8): loads what iptables-save printed.     Original: iptables 1.8.9 (legacy)
 * The header of iptables-nft's files and their tables read just the same.
 */
import { strerror } from '../../uapi/asm-generic/errno.ts';
import { XT_EXTENSION_MAXNAMELEN } from '../../uapi/linux/netfilter/x_tables.ts';
import type { Process } from '../libc.ts';
import { do_command, do_parse } from './command.ts';
import { run_program } from './iptables.ts';
import {
	iptc_commit,
	iptc_create_chain,
	iptc_delete_chain,
	iptc_find_chain,
	iptc_flush_entries,
	type iptc_handle,
	iptc_init,
	iptc_is_chain,
	iptc_set_policy,
	iptc_strerror,
} from './libiptc.ts';
import { keep_unknown } from './unknown.ts';
import { OTHER_PROBLEM, PACKAGE_VERSION, PARAMETER_PROBLEM, program_exit, type xtables_globals } from './xtables.ts';

export interface restore_options {
	counters: boolean;
	noflush: boolean;
	test: boolean;
	verbose: boolean;
	/** Only this table; null for all. */
	table: string | null;
	/** `keep`: what the extensions don't know is loaded as linnet_unknown, and told in the report. */
	unknown?: 'keep';
}

/** Something of a file that is not understood, kept as it is. */
export interface unknown_report {
	/** From 1. */
	line: number;
	text: string;
	why: string;
}

/** Where each rule of the loaded tables came from: `lines[table][chain][rulenum - 1]` is a line of the file. */
export interface restore_report {
	unknown: unknown_report[];
	lines: Record<string, Record<string, number[]>>;
}

/** Splits a rule into words. A closing quote ends a word; backslashes count only within quotes. */
export function split_words(line: string): string[] {
	const words: string[] = [];
	let word = '';
	let open = false;
	let quoted = false;
	for (let i = 0; i < line.length; i++) {
		const c = line[i];
		if (quoted) {
			if (c === '\\' && i + 1 < line.length) {
				word += line[++i];
				continue;
			}
			if (c !== '"') {
				word += c;
				continue;
			}
			quoted = false;
		} else if (c === '"') {
			quoted = true;
			open = true;
			continue;
		} else if (c !== ' ' && c !== '\t' && c !== '\n') {
			word += c;
			open = true;
			continue;
		}
		if (open) words.push(word);
		word = '';
		open = false;
	}
	if (open) words.push(word);
	return words;
}

function counters_of(s: string): { pcnt: number; bcnt: number } | null {
	const m = /^\[(\d+):(\d+)\]$/.exec(s);
	return m === null ? null : { pcnt: Number(m[1]), bcnt: Number(m[2]) };
}

/** Loads a file's text. Return: exit status; what was kept is added to `report`. */
export function restore_text(
	x: xtables_globals,
	text: string,
	o: restore_options,
	report: restore_report | null = null,
): number {
	const prog = x.program_name;
	let h: iptc_handle | null = null;
	let table = '';
	let skip = false;
	const lines = text.split('\n');
	const last = lines.length > 0 && lines[lines.length - 1] === '' ? lines.length - 1 : lines.length;
	for (let n = 0; n < last; n++) {
		const raw = lines[n];
		x.line = n + 1;
		const complete = n < lines.length - 1;
		if (raw === '' && complete) continue;
		if (raw[0] === '#') {
			if (o.verbose) x.print(raw + (complete ? '\n' : ''));
			continue;
		}
		let ok = false;
		if (raw === 'COMMIT' && complete && h !== null) {
			if (o.test) {
				ok = true;
			} else {
				const err = skip ? 0 : iptc_commit(h);
				ok = err >= 0;
				if (ok && !skip && report !== null) note_lines(report, h);
			}
			h = null;
			skip = false;
		} else if (raw[0] === '*' && h === null) {
			const name = raw
				.slice(1)
				.split(/[ \t]/)
				.filter((w) => w !== '')[0];
			if (name === undefined) x.error(PARAMETER_PROBLEM, `${prog}: line ${x.line} table name invalid`);
			table = name;
			skip = o.table !== null && o.table !== name;
			h = skip ? ({ chains: [] } as unknown as iptc_handle) : open_restore(x, name);
			if (!skip && !o.noflush) {
				for (const c of h.chains) {
					if (o.verbose) x.print(`Flushing chain \`${c.name}'\n`);
					iptc_flush_entries(h, c.name);
				}
				for (const c of h.chains.filter((c) => c.hook < 0)) {
					if (o.verbose) x.print(`Deleting chain \`${c.name}'\n`);
					iptc_delete_chain(h, c.name);
				}
			}
			ok = true;
		} else if (raw[0] === ':' && h !== null) {
			ok = true;
			if (!skip) restore_chain(x, raw, h, o);
		} else if (h !== null) {
			if (skip) ok = true;
			else {
				ok = restore_rule(x, raw, h, table, o, report);
			}
		}
		if (!ok) {
			x.eprint(`${prog}: line ${x.line} failed\n`);
			return 1;
		}
	}
	if (h !== null) {
		x.eprint(`${prog}: COMMIT expected at line ${x.line + 1}\n`);
		return 1;
	}
	return 0;
}

function open_restore(x: xtables_globals, name: string): iptc_handle {
	const h = iptc_init(x.sock, name);
	if (typeof h === 'number') x.error(PARAMETER_PROBLEM, `${x.program_name}: unable to initialize table '${name}'`);
	return h;
}

function restore_chain(x: xtables_globals, raw: string, h: iptc_handle, o: restore_options): void {
	const prog = x.program_name;
	const words = raw
		.slice(1)
		.split(/[ \t]/)
		.filter((w) => w !== '');
	const name = words[0];
	if (name === undefined) x.error(PARAMETER_PROBLEM, `${prog}: line ${x.line} chain name invalid`);
	if (name.length >= XT_EXTENSION_MAXNAMELEN)
		x.error(PARAMETER_PROBLEM, `Invalid chain name \`${name}' (${XT_EXTENSION_MAXNAMELEN - 1} chars max)`);
	const there = iptc_find_chain(h, name);
	const builtin = there !== null && there.hook >= 0;
	if (!builtin) {
		if (o.noflush && iptc_is_chain(h, name)) iptc_flush_entries(h, name);
		else {
			const err = iptc_create_chain(h, name);
			if (err < 0) x.error(PARAMETER_PROBLEM, `error creating chain '${name}':${strerror(-err)}`);
		}
	}
	const policy = words[1];
	if (policy === undefined) x.error(PARAMETER_PROBLEM, `${prog}: line ${x.line} policy invalid`);
	if (policy === '-') return;
	let counters: { pcnt: number; bcnt: number } | null = null;
	if (o.counters) {
		counters = words[2] !== undefined ? counters_of(words[2]) : null;
		if (counters === null) x.error(PARAMETER_PROBLEM, `invalid policy counters for chain '${name}'`);
	}
	const err = iptc_set_policy(h, name, policy, counters ?? { pcnt: 0, bcnt: 0 });
	if (err < 0)
		x.error(
			OTHER_PROBLEM,
			`Can't set policy \`${policy}' on \`${name}' line ${x.line}: ${iptc_strerror('set_policy', -err)}`,
		);
}

/** Return: whether it went well. Of what went wrong with a whole rule the original says nothing. */
function restore_rule(
	x: xtables_globals,
	raw: string,
	h: iptc_handle,
	table: string,
	o: restore_options,
	report: restore_report | null,
): boolean {
	let rest = raw;
	let counters: { pcnt: number; bcnt: number } | null = null;
	if (rest[0] === '[') {
		const close = rest.indexOf(']');
		if (close < 0) x.error(PARAMETER_PROBLEM, `Bad line ${x.line}: need ]`);
		const inner = rest.slice(1, close);
		if (!inner.includes(':')) x.error(PARAMETER_PROBLEM, `Bad line ${x.line}: need ]`);
		const [p, b] = inner.split(':');
		counters = { pcnt: Number.parseInt(p, 10) || 0, bcnt: Number.parseInt(b, 10) || 0 };
		rest = rest.slice(close + 1);
	}
	const words = split_words(rest);
	const front = [x.program_name, '-t', table];
	if (o.counters && counters !== null) front.push('--set-counters', String(counters.pcnt), String(counters.bcnt));
	let argv = [...front, ...words];
	let kept: string[] = [];
	if (o.unknown === 'keep') {
		const k = keep_unknown(x, argv, h);
		argv = k.argv;
		kept = k.why;
	}
	const p = do_parse(x, argv, table);
	if (o.verbose) p.verbose++;
	if (p.ignored) return true;
	const res = do_command(x, p, h);
	if (res.errno !== 0) return false;
	if (report !== null) {
		for (const why of kept) report.unknown.push({ line: x.line, text: raw, why });
	}
	return true;
}

/** Tells where the rules of a table that was loaded came from. */
function note_lines(report: restore_report, h: iptc_handle): void {
	const chains: Record<string, number[]> = {};
	for (const c of h.chains) chains[c.name] = c.rules.map((r) => Number(r.origin));
	report.lines[h.table] = chains;
}

const USAGE = "Try `iptables-restore -h' for more information.\n";

/** Reads the command line. Return: options, and the file's name when one is given; or an exit status. */
export function restore_args(
	x: xtables_globals,
	argv: readonly string[],
): { options: restore_options; file: string | null } | number {
	const o: restore_options = { counters: false, noflush: false, test: false, verbose: false, table: null };
	let file: string | null = null;
	for (let i = 1; i < argv.length; i++) {
		const a = argv[i];
		if (a[0] !== '-' || a === '-') {
			if (file !== null) {
				x.eprint('Unknown arguments found on commandline\n');
				return 1;
			}
			file = a;
			continue;
		}
		const long = a.startsWith('--');
		for (const c of long ? [a.split('=')[0]] : a.slice(1).split('')) {
			const value = (): string => (long && a.includes('=') ? a.slice(a.indexOf('=') + 1) : (argv[++i] ?? ''));
			if (c === 'c' || c === '--counters') o.counters = true;
			else if (c === 'n' || c === '--noflush') o.noflush = true;
			else if (c === 't' || c === '--test') o.test = true;
			else if (c === 'v' || c === '--verbose') o.verbose = true;
			else if (c === 'b' || c === '--binary' || c === '4' || c === '6' || c === '--ipv4' || c === '--ipv6') continue;
			else if (c === 'w' || c === 'W' || c === '--wait' || c === '--wait-interval') {
				if (!(long && a.includes('=')) && /^\d/.test(argv[i + 1] ?? '')) i++;
			} else if (c === 'T' || c === '--table') o.table = value();
			else if (c === 'M' || c === '--modprobe') value();
			else if (c === 'V' || c === '--version') {
				x.print(`${x.program_name} v${PACKAGE_VERSION} (legacy)\n`);
				return 0;
			} else if (c === 'h' || c === '--help') {
				x.print(
					`Usage: ${x.program_name} [-c] [-v] [-V] [-t] [-h] [-n] [-w secs] [-W usecs] [-T table] [-M command] [file]\n`,
				);
				return 0;
			} else {
				x.eprint(
					long ? `${x.program_name}: unrecognized option '${a}'\n` : `${x.program_name}: invalid option -- '${c}'\n`,
				);
				x.eprint(USAGE);
				return 1;
			}
		}
	}
	return { options: o, file };
}

export async function iptables_restore(proc: Process): Promise<number> {
	return run_program(proc, 'iptables-restore', async (x) => {
		const args = restore_args(x, proc.argv);
		if (typeof args === 'number') return args;
		let bytes: Uint8Array | number = proc.stdin;
		if (args.file !== null && args.file !== '-') bytes = await proc.readFileBytes(args.file);
		if (typeof bytes === 'number') {
			x.eprint(`Can't open ${args.file}: ${strerror(-bytes)}\n`);
			return 1;
		}
		return restore_text(x, text_of(bytes), args.options);
	});
}

/** Bytes to characters one to one: what is no UTF-8 survives. */
function text_of(b: Uint8Array): string {
	let s = '';
	for (let i = 0; i < b.length; i += 4096) s += String.fromCharCode(...b.subarray(i, i + 4096));
	// UTF-8 in comments is kept as characters.
	try {
		return decodeURIComponent(escape_bytes(s));
	} catch {
		return s;
	}
}

function escape_bytes(s: string): string {
	return s.replace(/[\x80-\xff%]/g, (c) => '%' + c.charCodeAt(0).toString(16).padStart(2, '0'));
}

/**
 * Loads a ruleset through a process's own socket as an importer needs it: nothing is refused that can be kept.
 * Return: exit status, what the program printed, and where each rule came from.
 */
export async function restore(
	proc: Process,
	text: string,
	options: { unknown?: 'keep'; counters?: boolean; table?: string },
): Promise<{ status: number; stderr: string; report: restore_report }> {
	const report: restore_report = { unknown: [], lines: {} };
	let stderr = '';
	const status = await run_program(proc, 'iptables-restore', (x) => {
		x.keep_unknown = options.unknown === 'keep';
		const o: restore_options = {
			counters: options.counters ?? false,
			noflush: false,
			test: false,
			verbose: false,
			table: options.table ?? null,
		};
		if (options.unknown !== undefined) o.unknown = options.unknown;
		let s = 1;
		try {
			s = restore_text(x, text, o, report);
		} catch (e) {
			if (!(e instanceof program_exit)) throw e;
			s = e.status;
		}
		stderr = x.err.join('');
		x.err = [];
		return s;
	});
	return { status, stderr, report };
}
