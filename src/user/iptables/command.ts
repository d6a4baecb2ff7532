/*
 * user/iptables/command.ts: one command line of iptables, or one line of a file that is restored.      Original: iptables/xshared.c, iptables.c
 *
 * Walk: do_parse (options to a command and a rule) -> check_command (what may not stand together) -> do_command (on the table's handle).
 */
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { IFNAMSIZ } from '../../uapi/linux/if.ts';
import { XT_EXTENSION_MAXNAMELEN } from '../../uapi/linux/netfilter/x_tables.ts';
import {
	IPT_F_FRAG,
	IPT_F_GOTO,
	IPT_INV_DSTIP,
	IPT_INV_FRAG,
	IPT_INV_PROTO,
	IPT_INV_SRCIP,
	IPT_INV_VIA_IN,
	IPT_INV_VIA_OUT,
} from '../../uapi/linux/netfilter_ipv4/ip_tables.ts';
import { getopt, type long_option } from './getopt.ts';
import {
	type ipt_chain,
	iptc_append_entry,
	type iptc_call,
	iptc_create_chain,
	iptc_delete_chain,
	iptc_delete_entry,
	iptc_delete_num_entry,
	iptc_find_chain,
	iptc_flush_entries,
	type iptc_handle,
	iptc_init,
	iptc_insert_entry,
	iptc_is_chain,
	iptc_rename_chain,
	iptc_replace_entry,
	iptc_set_policy,
	iptc_strerror,
	iptc_zero_counter,
	iptc_zero_entries,
	verdict_of,
} from './libiptc.ts';
import { getprotobynumber, parse_uint, strtoul, xtables_parse_protocol } from './netdb.ts';
import {
	FMT_KILOMEGAGIGA,
	FMT_LINENUMBERS,
	FMT_NOCOUNTS,
	FMT_NOTABLE,
	FMT_NUMERIC,
	FMT_VIA,
	print_header,
	print_rule,
	save_rule,
} from './print.ts';
import { ipt_rule, type rule_ext } from './rule.ts';
import {
	ext_instance,
	find_extension,
	inet_aton,
	option_call,
	options_fcheck,
	PACKAGE_VERSION,
	PARAMETER_PROBLEM,
	parse_hostmask,
	program_exit,
	VERSION_PROBLEM,
	xt_option_call,
	type xtables_globals,
} from './xtables.ts';

const SHORTS = 'A:C:D:E:F::I:L::M:N:P:VX::Z::c:d:i:j:o:p:s:t:R:S::W::46bfg:h::m:nvw::x';

const LONGS: readonly long_option[] = (
	[
		['append', 'required', 'A'],
		['delete', 'required', 'D'],
		['check', 'required', 'C'],
		['insert', 'required', 'I'],
		['replace', 'required', 'R'],
		['list', 'optional', 'L'],
		['list-rules', 'optional', 'S'],
		['flush', 'optional', 'F'],
		['zero', 'optional', 'Z'],
		['new-chain', 'required', 'N'],
		['delete-chain', 'optional', 'X'],
		['rename-chain', 'required', 'E'],
		['policy', 'required', 'P'],
		['source', 'required', 's'],
		['destination', 'required', 'd'],
		['src', 'required', 's'],
		['dst', 'required', 'd'],
		['protocol', 'required', 'p'],
		['in-interface', 'required', 'i'],
		['jump', 'required', 'j'],
		['table', 'required', 't'],
		['match', 'required', 'm'],
		['numeric', 'no', 'n'],
		['out-interface', 'required', 'o'],
		['verbose', 'no', 'v'],
		['wait', 'optional', 'w'],
		['wait-interval', 'optional', 'W'],
		['exact', 'no', 'x'],
		['fragments', 'no', 'f'],
		['version', 'no', 'V'],
		['help', 'optional', 'h'],
		['line-numbers', 'no', '0'],
		['modprobe', 'required', 'M'],
		['set-counters', 'required', 'c'],
		['goto', 'required', 'g'],
		['ipv4', 'no', '4'],
		['ipv6', 'no', '6'],
	] as const
).map(([name, has_arg, val]) => ({ name, has_arg, val }));

/** What is asked for: the letter of its option; D and Z by number are 'd' and 'z'. */
type command = '' | 'A' | 'C' | 'D' | 'd' | 'I' | 'R' | 'L' | 'S' | 'F' | 'Z' | 'z' | 'N' | 'X' | 'E' | 'P';

const RULE_COMMANDS = 'ACDIR';

/** Options that a command cannot have, by letter; 0 stands for --line-numbers. */
const ILLEGAL: Record<string, string> = {
	I: 'nx0',
	D: 'nx0c',
	d: 'nsdpjxio0cf',
	R: 'nx0',
	A: 'nx0',
	L: 'sdpjiocf',
	F: 'nsdpjxio0cf',
	Z: 'nsdpjxio0cf',
	z: 'nsdpjxio0cf',
	N: 'nsdpjxio0cf',
	X: 'nsdpjxio0cf',
	P: 'nsdpjxio0f',
	E: 'nsdpjxio0cf',
	S: 'nsdpjxio0cf',
	C: 'nx0c',
};

export interface parsed_command {
	command: command;
	zero: command;
	chain: string | null;
	newname: string;
	policy: string;
	rulenum: number;
	table: string;
	options: Set<string>;
	verbose: number;
	numeric: boolean;
	expanded: boolean;
	linenumbers: boolean;
	jumpto: string;
	target: ext_instance | null;
	matches: ext_instance[];
	rule: ipt_rule;
	src: { addr: number; mask: number }[];
	dst: { addr: number; mask: number }[];
	/** -6 in a file: the line is for ip6tables. */
	ignored: boolean;
}

function chain_name(x: xtables_globals, s: string): void {
	if (s === '') x.error(PARAMETER_PROBLEM, 'chain name may not clash with target name');
	if (s[0] === '-' || s[0] === '!') x.error(PARAMETER_PROBLEM, `chain name not allowed to start with \`${s[0]}'`);
	if (s.length >= XT_EXTENSION_MAXNAMELEN)
		x.error(PARAMETER_PROBLEM, `chain name \`${s}' too long (must be under ${XT_EXTENSION_MAXNAMELEN} chars)`);
	if (verdict_of(s) !== null || x.extensions.some((e) => e.kind === 'target' && e.name === s))
		x.error(PARAMETER_PROBLEM, 'chain name may not clash with target name');
	if (/\s/.test(s)) x.error(PARAMETER_PROBLEM, 'Invalid chain name `' + s + "'");
}

function rule_number(x: xtables_globals, s: string): number {
	const n = parse_uint(s, 0x7fffffff);
	if (n < 1) x.error(PARAMETER_PROBLEM, `Invalid rule number \`${s}'`);
	return n;
}

function interface_name(x: xtables_globals, s: string): string {
	if (s === '') x.error(PARAMETER_PROBLEM, 'Empty interface is likely to be undesired');
	if (s.length >= IFNAMSIZ)
		x.error(PARAMETER_PROBLEM, `interface name \`${s}' must be shorter than IFNAMSIZ (${IFNAMSIZ - 1})`);
	if (/[/ ]/.test(s))
		x.eprint(`Warning: weird character in interface \`${s}' ('/' and ' ' are not allowed by the kernel).\n`);
	return s;
}

function print_help(x: xtables_globals, p: parsed_command): never {
	const prog = x.program_name;
	x.print(`iptables v${PACKAGE_VERSION} (legacy)

Usage: ${prog} -[ACD] chain rule-specification [options]
       ${prog} -I chain [rulenum] rule-specification [options]
       ${prog} -R chain rulenum rule-specification [options]
       ${prog} -D chain rulenum [options]
       ${prog} -[LS] [chain [rulenum]] [options]
       ${prog} -[FZ] [chain] [options]
       ${prog} -[NX] chain
       ${prog} -E old-chain-name new-chain-name
       ${prog} -P chain target [options]
       ${prog} -h (print this help information)

Rule: [!] -s, -d address[/mask][,...]  [!] -i, -o name[+]  [!] -p proto  [!] -f
      -m match  -j target  -g chain  -c packets bytes
Options: -t table  -n  -v  -x  --line-numbers  -w [seconds]  -V
`);
	for (const inst of p.target !== null ? [p.target, ...p.matches] : p.matches) {
		x.print(`\n${inst.ext.name} ${inst.ext.kind} options:\n`);
		if (inst.ext.help !== undefined) for (const l of inst.ext.help) x.print(l + '\n');
	}
	throw new program_exit(0);
}

/** Reads one command line. `restoring`: it is a line of a file, whose table is given. */
export function do_parse(x: xtables_globals, argv: readonly string[], restoring: string | null): parsed_command {
	const p: parsed_command = {
		command: '',
		zero: '',
		chain: null,
		newname: '',
		policy: '',
		rulenum: 0,
		table: restoring ?? 'filter',
		options: new Set(),
		verbose: 0,
		numeric: false,
		expanded: false,
		linenumbers: false,
		jumpto: '',
		target: null,
		matches: [],
		rule: new ipt_rule(),
		src: [],
		dst: [],
		ignored: false,
	};
	const rule = p.rule;
	const opts = new getopt(argv, SHORTS, LONGS);
	/** The extensions' options, the newest extension's first. */
	let extra: { name: string; has_arg: boolean; inst: ext_instance; option: number }[] = [];
	let invert = false;
	let protocol = '';
	let proto_used = false;
	let shost: string | null = null;
	let dhost: string | null = null;
	let table_seen = false;
	let waits = false;
	let wait_interval = false;

	const add = (inst: ext_instance): void => {
		extra = [
			...inst.ext.options.map((o, i) => ({ name: o.name, has_arg: o.type !== 'none', inst, option: i })),
			...extra,
		];
	};
	/** The next word when it is an argument and no option. */
	const optional_word = (): string | null => {
		const w = argv[opts.optind];
		if (w === undefined || w === '' || w[0] === '-' || w[0] === '!') return null;
		opts.optind++;
		return w;
	};
	const any_word = (): string | null => (opts.optind < argv.length ? argv[opts.optind++] : null);
	const set_command = (c: command): void => {
		if (invert) x.error(PARAMETER_PROBLEM, "unexpected '!' flag");
		if (c === 'Z' && (p.command === 'L' || p.command === 'S')) {
			p.zero = 'Z';
			return;
		}
		if ((c === 'L' || c === 'S') && (p.command === 'Z' || p.command === 'z')) {
			p.zero = p.command;
			p.command = c;
			return;
		}
		if (p.command !== '')
			x.error(
				PARAMETER_PROBLEM,
				`Cannot use -${c} with -${p.command === 'd' ? 'D' : p.command === 'z' ? 'Z' : p.command}`,
			);
		p.command = c;
	};
	const set_option = (o: string, inv: number): void => {
		if (p.options.has(o)) x.error(PARAMETER_PROBLEM, `multiple -${o} flags not allowed`);
		p.options.add(o);
		if (invert) {
			if (inv === 0) x.error(PARAMETER_PROBLEM, `cannot have ! before -${o}`);
			rule.invflags |= inv;
		}
	};
	const jump = (name: string): string => {
		if (name.length < 1) x.error(PARAMETER_PROBLEM, 'Invalid target name (too short)');
		if (name.length >= XT_EXTENSION_MAXNAMELEN)
			x.error(PARAMETER_PROBLEM, `Invalid target name \`${name}' (${XT_EXTENSION_MAXNAMELEN - 1} chars max)`);
		if (/\s/.test(name)) x.error(PARAMETER_PROBLEM, `Invalid target name \`${name}'`);
		return name;
	};
	/** The match named like the protocol, loaded when an option of its is seen. */
	const load_proto = (): boolean => {
		if (protocol === '' || proto_used) return false;
		const n = parse_uint(protocol, 255);
		let name = protocol.toLowerCase();
		if (n >= 0) {
			name = getprotobynumber(n);
			if (name === '') return false;
		}
		const ext = find_extension(x, 'match', name);
		if (ext === null) return false;
		proto_used = true;
		const inst = new ext_instance(ext);
		p.matches.push(inst);
		add(inst);
		return true;
	};

	for (;;) {
		const at = opts.optind;
		const o = opts.next(extra);
		if (o.kind === 'end') break;
		if (o.kind === 'word') {
			if (o.arg === '!') {
				if (invert) x.error(PARAMETER_PROBLEM, 'multiple consecutive ! not allowed');
				invert = true;
				continue;
			}
			x.eprint(`Bad argument \`${o.arg}'\n`);
			x.try_help();
		}
		if (o.kind === 'unknown' || o.kind === 'missing') {
			if (load_proto()) {
				opts.optind = at;
				continue;
			}
			if (o.kind === 'missing') x.error(PARAMETER_PROBLEM, `option "${opts.last}" requires an argument`);
			x.error(PARAMETER_PROBLEM, `unknown option "${opts.last}"`);
		}
		if (o.kind === 'extra') {
			const e = extra[o.index];
			const entry = e.inst.ext.options[e.option];
			option_call(new xt_option_call(x, e.inst, entry, o.arg ?? '', invert, rule, any_word), e.inst);
			invert = false;
			continue;
		}
		// These read the whole word, so `-ptcp` is a protocol named -ptcp: the original's way.
		const arg = 'psdiojg'.includes(o.val) ? opts.last : (o.arg ?? '');
		switch (o.val) {
			case 'A':
			case 'C':
				set_command(o.val);
				p.chain = arg;
				break;
			case 'D':
				set_command('D');
				p.chain = arg;
				{
					const w = optional_word();
					if (w !== null) {
						p.rulenum = rule_number(x, w);
						p.command = 'd';
					}
				}
				break;
			case 'R': {
				set_command('R');
				p.chain = arg;
				const w = optional_word();
				if (w === null) x.error(PARAMETER_PROBLEM, '-R requires a rule number');
				p.rulenum = rule_number(x, w);
				break;
			}
			case 'I': {
				set_command('I');
				p.chain = arg;
				const w = optional_word();
				p.rulenum = w !== null ? rule_number(x, w) : 1;
				break;
			}
			case 'L':
			case 'S': {
				set_command(o.val);
				const w = o.arg ?? optional_word();
				if (w !== null) p.chain = w;
				if (w !== null) {
					const n = optional_word();
					if (n !== null) p.rulenum = rule_number(x, n);
				}
				break;
			}
			case 'F': {
				set_command('F');
				const w = o.arg ?? optional_word();
				if (w !== null) p.chain = w;
				break;
			}
			case 'Z': {
				set_command('Z');
				const w = o.arg ?? optional_word();
				if (w !== null) {
					p.chain = w;
					const n = optional_word();
					if (n !== null) {
						p.rulenum = rule_number(x, n);
						if (p.zero !== '') p.zero = 'z';
						else p.command = 'z';
					}
				}
				break;
			}
			case 'N':
				chain_name(x, arg);
				set_command('N');
				p.chain = arg;
				break;
			case 'X': {
				set_command('X');
				const w = o.arg ?? optional_word();
				if (w !== null) p.chain = w;
				break;
			}
			case 'E': {
				set_command('E');
				p.chain = arg;
				const w = optional_word();
				if (w === null) x.error(PARAMETER_PROBLEM, '-E requires old-chain-name and new-chain-name');
				p.newname = w;
				break;
			}
			case 'P': {
				set_command('P');
				p.chain = arg;
				const w = optional_word();
				if (w === null) x.error(PARAMETER_PROBLEM, '-P requires a chain and a policy');
				p.policy = w;
				break;
			}
			case 'h':
				if (p.matches.length === 0 && protocol !== '') load_proto();
				print_help(x, p);
				break;
			case 'p':
				set_option('p', IPT_INV_PROTO);
				protocol = arg.toLowerCase();
				rule.proto = xtables_parse_protocol(arg);
				if (rule.proto < 0) x.error(PARAMETER_PROBLEM, `unknown protocol "${arg}" specified`);
				if (rule.proto === 0 && (rule.invflags & IPT_INV_PROTO) !== 0)
					x.error(PARAMETER_PROBLEM, 'rule would never match protocol');
				break;
			case 's':
				set_option('s', IPT_INV_SRCIP);
				shost = arg;
				break;
			case 'd':
				set_option('d', IPT_INV_DSTIP);
				dhost = arg;
				break;
			case 'g':
				set_option('j', 0);
				rule.flags |= IPT_F_GOTO;
				p.jumpto = jump(arg);
				break;
			case 'j': {
				set_option('j', 0);
				p.jumpto = jump(arg);
				if (verdict_of(p.jumpto) === null) {
					const ext = find_extension(x, 'target', p.jumpto);
					if (ext !== null) {
						p.target = new ext_instance(ext);
						add(p.target);
					}
				}
				break;
			}
			case 'i':
				if (arg === '') x.error(PARAMETER_PROBLEM, 'Empty interface is likely to be undesired');
				set_option('i', IPT_INV_VIA_IN);
				rule.iniface = interface_name(x, arg);
				break;
			case 'o':
				if (arg === '') x.error(PARAMETER_PROBLEM, 'Empty interface is likely to be undesired');
				set_option('o', IPT_INV_VIA_OUT);
				rule.outiface = interface_name(x, arg);
				break;
			case 'f':
				set_option('f', IPT_INV_FRAG);
				rule.flags |= IPT_F_FRAG;
				break;
			case 'v':
				p.options.add('v');
				p.verbose++;
				break;
			case 'm': {
				if (invert) x.error(PARAMETER_PROBLEM, 'unexpected ! flag before --match');
				if (arg.length >= XT_EXTENSION_MAXNAMELEN)
					x.error(PARAMETER_PROBLEM, `Invalid match name "${arg}" (${XT_EXTENSION_MAXNAMELEN - 1} chars max)`);
				const ext = find_extension(x, 'match', arg);
				if (ext === null) x.error(PARAMETER_PROBLEM, `Couldn't load match \`${arg}':No such file or directory\n`);
				const inst = new ext_instance(ext);
				p.matches.push(inst);
				add(inst);
				break;
			}
			case 'n':
				set_option('n', 0);
				p.numeric = true;
				break;
			case 't':
				if (invert) x.error(PARAMETER_PROBLEM, 'unexpected ! flag before --table');
				if (restoring !== null && table_seen)
					x.error(PARAMETER_PROBLEM, `The -t option cannot be used in ${x.program_name}.\n`);
				table_seen = true;
				p.table = arg;
				break;
			case 'x':
				set_option('x', 0);
				p.expanded = true;
				break;
			case 'V':
				if (invert) x.eprint('Not implemented\n');
				x.print(`iptables v${PACKAGE_VERSION} (legacy)\n`);
				throw new program_exit(0);
			case 'w':
			case 'W': {
				if (restoring !== null) x.error(PARAMETER_PROBLEM, `You cannot use \`-${o.val}' from iptables-restore`);
				const w = o.arg ?? optional_word();
				if (o.val === 'W') {
					x.eprint('Ignoring deprecated --wait-interval option.\n');
					wait_interval = true;
				} else waits = true;
				if (w !== null && strtoul(w)?.rest !== '')
					x.error(PARAMETER_PROBLEM, o.val === 'w' ? 'wait seconds not numeric' : 'wait interval not numeric');
				break;
			}
			case '0':
				set_option('0', 0);
				p.linenumbers = true;
				break;
			case 'M':
				break;
			case 'c': {
				set_option('c', 0);
				const comma = arg.indexOf(',');
				const bytes = comma >= 0 ? arg.slice(comma + 1) : optional_word();
				if (bytes === null) x.error(PARAMETER_PROBLEM, '-c requires packet and byte counter');
				const pcnt = strtoul(comma >= 0 ? arg.slice(0, comma) : arg, 10);
				if (pcnt === null || pcnt.rest !== '') x.error(PARAMETER_PROBLEM, '-c packet counter not numeric');
				const bcnt = strtoul(bytes, 10);
				if (bcnt === null || bcnt.rest !== '') x.error(PARAMETER_PROBLEM, '-c byte counter not numeric');
				rule.pcnt = pcnt.value;
				rule.bcnt = bcnt.value;
				break;
			}
			case '4':
				break;
			case '6':
				if (restoring !== null) {
					p.ignored = true;
					return p;
				}
				x.try_help();
				break;
			default:
				x.error(PARAMETER_PROBLEM, `unknown option "${opts.last}"`);
		}
		invert = false;
	}

	if (wait_interval && !waits) x.error(PARAMETER_PROBLEM, '--wait-interval only makes sense with --wait\n');
	if (p.table === 'nat' && (p.policy === 'DROP' || p.jumpto === 'DROP'))
		x.error(
			PARAMETER_PROBLEM,
			'\nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n',
		);
	for (const m of p.matches) options_fcheck(x, m, rule);
	if (p.target !== null) options_fcheck(x, p.target, rule);
	if (opts.optind < argv.length) x.error(PARAMETER_PROBLEM, 'unknown arguments found on commandline');
	if (p.command === '') x.error(PARAMETER_PROBLEM, 'no command specified');
	if (invert) x.error(PARAMETER_PROBLEM, 'nothing appropriate following !');

	if (RULE_COMMANDS.includes(p.command)) {
		p.src = addresses(x, shost);
		p.dst = addresses(x, dhost);
		if ((p.src.length > 1 || p.dst.length > 1) && (rule.invflags & (IPT_INV_SRCIP | IPT_INV_DSTIP)) !== 0)
			x.error(PARAMETER_PROBLEM, '! not allowed with multiple source or destination IP addresses');
		if (p.command === 'R' && (p.src.length > 1 || p.dst.length > 1))
			x.error(PARAMETER_PROBLEM, 'Replacement rule does not specify a unique address');
	}
	check_options(x, p);
	return p;
}

function addresses(x: xtables_globals, list: string | null): { addr: number; mask: number }[] {
	if (list === null) return [{ addr: 0, mask: 0 }];
	return list.split(',').map((one) => parse_hostmask(x, one.replace(/^\s+/, '')));
}

const OPTION_ORDER = 'nsdpjvxio0cf';

function check_options(x: xtables_globals, p: parsed_command): void {
	const illegal = ILLEGAL[p.command] ?? '';
	for (const o of OPTION_ORDER) {
		if (p.options.has(o) && illegal.includes(o))
			x.error(PARAMETER_PROBLEM, `Illegal option \`-${o}' with this command`);
	}
	if (p.chain !== null && p.chain.length >= XT_EXTENSION_MAXNAMELEN)
		x.error(PARAMETER_PROBLEM, `chain name \`${p.chain}' too long (must be under ${XT_EXTENSION_MAXNAMELEN} chars)`);
	if (RULE_COMMANDS.includes(p.command)) {
		const no = (option: string): never => x.error(PARAMETER_PROBLEM, `Can't use -${option} with ${p.chain}\n`);
		if ((p.chain === 'PREROUTING' || p.chain === 'INPUT') && p.options.has('o')) no('o');
		if ((p.chain === 'POSTROUTING' || p.chain === 'OUTPUT') && p.options.has('i')) no('i');
	}
}

/** A handle on the table, read now unless `open` is one. */
export function open_table(x: xtables_globals, table: string): iptc_handle {
	const h = iptc_init(x.sock, table);
	if (typeof h === 'number')
		x.error(VERSION_PROBLEM, `can't initialize iptables table \`${table}': ${iptc_strerror('init', -h)}`);
	return h;
}

/** Result of one command: 0, or an errno and the call that gave it. */
export interface command_result {
	errno: number;
	call: iptc_call;
}

const OK: command_result = { errno: 0, call: '' };

function result(err: number, call: iptc_call): command_result {
	return err < 0 ? { errno: -err, call } : OK;
}

/** Whether two infos mean the same to userland: its bytes apart from what is the kernel's. */
function same_ext(x: xtables_globals) {
	return (kind: 'match' | 'target', name: string, revision: number, a: Uint8Array, b: Uint8Array): boolean => {
		if (a.length !== b.length) return false;
		let n = a.length;
		for (const e of x.extensions) {
			if (e.kind === kind && (e.kernel_name ?? e.name) === name && e.revision === revision)
				n = e.userspacesize ?? e.size;
		}
		for (let i = 0; i < Math.min(n, a.length); i++) if (a[i] !== b[i]) return false;
		return true;
	};
}

/** The rules that a command line stands for: one for each pair of addresses. */
function build_rules(x: xtables_globals, p: parsed_command, h: iptc_handle): ipt_rule[] {
	const base = p.rule;
	if (p.target !== null && iptc_is_chain(h, p.jumpto)) {
		x.eprint(`Warning: using chain ${p.jumpto}, not extension\n`);
		p.target = null;
	}
	if (p.target === null && p.jumpto !== '' && verdict_of(p.jumpto) === null && !iptc_is_chain(h, p.jumpto)) {
		if ((base.flags & IPT_F_GOTO) !== 0) x.error(PARAMETER_PROBLEM, `goto '${p.jumpto}' is not a chain`);
		x.error(PARAMETER_PROBLEM, `Couldn't load target \`${p.jumpto}':No such file or directory\n`);
	}
	const ext = (i: ext_instance): rule_ext => ({
		name: i.ext.kernel_name ?? i.ext.name,
		revision: i.ext.revision,
		data: i.data.slice(),
	});
	const rules: ipt_rule[] = [];
	for (const s of p.src) {
		for (const d of p.dst) {
			const r = new ipt_rule();
			if (x.line >= 0) r.origin = String(x.line);
			r.src = s.addr;
			r.smsk = s.mask;
			r.dst = d.addr;
			r.dmsk = d.mask;
			r.iniface = base.iniface;
			r.outiface = base.outiface;
			r.proto = base.proto;
			r.flags = base.flags;
			r.invflags = base.invflags;
			r.pcnt = base.pcnt;
			r.bcnt = base.bcnt;
			r.matches = p.matches.map(ext);
			if (p.target !== null) r.target = { kind: 'module', ...ext(p.target) };
			else if (p.jumpto !== '') {
				const verdict = verdict_of(p.jumpto);
				r.target = verdict !== null ? { kind: 'standard', verdict } : { kind: 'chain', chain: p.jumpto };
			}
			rules.push(r);
		}
	}
	return rules;
}

/** Runs a command on the table's handle. */
export function do_command(x: xtables_globals, p: parsed_command, h: iptc_handle): command_result {
	const chain = p.chain ?? '';
	switch (p.command) {
		case 'A':
		case 'C':
		case 'D':
		case 'I':
		case 'R':
			return rule_command(x, p, h, chain);
		case 'd':
			return result(iptc_delete_num_entry(h, chain, p.rulenum - 1), 'delete_num_entry');
		case 'L':
		case 'S': {
			const r = p.command === 'L' ? list_entries(x, p, h) : list_rules(x, p, h);
			if (r.errno !== 0) return r;
			if (p.zero === 'Z') {
				return each_chain(h, p.chain, (c) => {
					if (p.verbose > 0) x.print(`Zeroing chain \`${c.name}'\n`);
					return iptc_zero_entries(h, c.name);
				});
			}
			if (p.zero === 'z') return result(iptc_zero_counter(h, chain, p.rulenum), 'zero_counter');
			return r;
		}
		case 'F':
			return each_chain(h, p.chain, (c) => {
				if (p.verbose > 0) x.print(`Flushing chain \`${c.name}'\n`);
				return iptc_flush_entries(h, c.name);
			});
		case 'Z':
			return each_chain(h, p.chain, (c) => {
				if (p.verbose > 0) x.print(`Zeroing chain \`${c.name}'\n`);
				return iptc_zero_entries(h, c.name);
			});
		case 'z':
			return result(iptc_zero_counter(h, chain, p.rulenum), 'zero_counter');
		case 'N':
			return result(iptc_create_chain(h, chain), 'create_chain');
		case 'X': {
			if (p.chain !== null) return result(iptc_delete_chain(h, chain), '');
			let err = 0;
			for (const c of h.chains.filter((c) => c.hook < 0)) {
				if (p.verbose > 0) x.print(`Deleting chain \`${c.name}'\n`);
				const r = iptc_delete_chain(h, c.name);
				if (r < 0) err = r;
			}
			return result(err, '');
		}
		case 'E':
			return result(iptc_rename_chain(h, chain, p.newname), '');
		case 'P':
			return result(iptc_set_policy(h, chain, p.policy, p.options.has('c') ? p.rule : null), 'set_policy');
		default:
			return { errno: EINVAL, call: '' };
	}
}

function each_chain(h: iptc_handle, only: string | null, fn: (c: ipt_chain) => number): command_result {
	if (only !== null) {
		const c = iptc_find_chain(h, only);
		return result(c === null ? -2 : fn(c), '');
	}
	let err = 0;
	for (const c of h.chains) {
		const r = fn(c);
		if (r < 0) err = r;
	}
	return result(err, '');
}

function rule_command(x: xtables_globals, p: parsed_command, h: iptc_handle, chain: string): command_result {
	const rules = build_rules(x, p, h);
	for (const r of rules) {
		if (p.verbose > 0) x.print(print_rule(x, r, 0, FMT_NOCOUNTS | FMT_VIA | FMT_NUMERIC | FMT_NOTABLE));
		let res: command_result;
		if (p.command === 'A') res = result(iptc_append_entry(h, chain, r), 'append_entry');
		else if (p.command === 'I') res = result(iptc_insert_entry(h, chain, r, p.rulenum - 1), 'insert_entry');
		else if (p.command === 'R') res = result(iptc_replace_entry(h, chain, r, p.rulenum - 1), 'replace_entry');
		else {
			// Only for verdicts does the original say that no rule is like this one.
			const call = r.target.kind === 'module' || (r.target.kind === 'chain' && verdict_of(r.target.chain) === null);
			res = result(iptc_delete_entry(h, chain, r, same_ext(x), p.command === 'C'), call ? '' : 'delete_entry');
		}
		if (res.errno !== 0) return res;
	}
	return OK;
}

function list_entries(x: xtables_globals, p: parsed_command, h: iptc_handle): command_result {
	let format = 0;
	if (p.verbose === 0) format |= FMT_NOCOUNTS;
	else format |= FMT_VIA;
	if (p.numeric) format |= FMT_NUMERIC;
	if (!p.expanded) format |= FMT_KILOMEGAGIGA;
	if (p.linenumbers) format |= FMT_LINENUMBERS;
	let found = false;
	for (const c of h.chains) {
		if (p.chain !== null && p.chain !== c.name) continue;
		if (found) x.print('\n');
		if (p.rulenum === 0) x.print(print_header(h, c, format));
		c.rules.forEach((r, i) => {
			if (p.rulenum === 0 || p.rulenum === i + 1) x.print(print_rule(x, r, i + 1, format));
		});
		found = true;
	}
	return found ? OK : { errno: 2, call: '' };
}

function list_rules(x: xtables_globals, p: parsed_command, h: iptc_handle): command_result {
	const counters = p.verbose > 0 ? 2 : 0;
	let found = false;
	if (p.rulenum === 0) {
		for (const c of h.chains) {
			if (p.chain !== null && p.chain !== c.name) continue;
			if (c.hook >= 0)
				x.print(
					`-P ${c.name} ${c.policy === 1 ? 'ACCEPT' : 'DROP'}${counters !== 0 ? ` -c ${c.pcnt} ${c.bcnt}` : ''}\n`,
				);
			else x.print(`-N ${c.name}\n`);
		}
	}
	for (const c of h.chains) {
		if (p.chain !== null && p.chain !== c.name) continue;
		c.rules.forEach((r, i) => {
			if (p.rulenum === 0 || p.rulenum === i + 1) x.print(save_rule(x.extensions, c.name, r, counters) + '\n');
		});
		found = true;
	}
	return found ? OK : { errno: 2, call: '' };
}

/** The words in which a failed command ends, with their newline. */
export function failure_text(r: command_result): string {
	const text = iptc_strerror(r.call, r.errno);
	return r.errno === EINVAL ? `iptables: ${text}. Run \`dmesg' for more information.\n` : `iptables: ${text}.\n`;
}

export { inet_aton };
