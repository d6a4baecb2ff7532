/*
 * user/conntrack/options.ts: conntrack's command line.             Original: conntrack-tools, conntrack(8)
 */
import { has_ports, IPPROTO_GRE, IPPROTO_ICMP, IPPROTO_TCP, proto_by_name, TCP_STATES } from './nfct.ts';

/** A fault of the command line: said, with a hint at --help, and exit status 2. */
export class ParameterProblem extends Error {
	/** false: a failure of another kind, without the hint. */
	hint: boolean;

	constructor(text: string, hint = true) {
		super(text);
		this.hint = hint;
	}
}

export type Command = 'L' | 'I' | 'A' | 'U' | 'D' | 'G' | 'F' | 'E' | 'C' | 'S' | 'R' | 'V' | 'h';

export interface Options {
	command: Command;
	table: 'conntrack' | 'expect' | 'dying' | 'unconfirmed';
	/** By long name. */
	opt: Map<string, string>;
	proto: number;
	/** -R's file. */
	file: string;
}

/** Long name, short letter ('' for none), whether it takes a value ('?': may). */
const OPTIONS: readonly (readonly [string, string, '' | ':' | '?'])[] = [
	['src', 's', ':'],
	['orig-src', 's', ':'],
	['dst', 'd', ':'],
	['orig-dst', 'd', ':'],
	['reply-src', 'r', ':'],
	['reply-dst', 'q', ':'],
	['protonum', 'p', ':'],
	['timeout', 't', ':'],
	['status', 'u', ':'],
	['zero', 'z', ''],
	['event-mask', 'e', ':'],
	['tuple-src', '', ':'],
	['tuple-dst', '', ':'],
	['mask-src', '', ':'],
	['mask-dst', '', ':'],
	['nat-range', 'a', ':'],
	['mark', 'm', ':'],
	['secmark', 'c', ':'],
	['family', 'f', ':'],
	['src-nat', 'n', '?'],
	['dst-nat', 'g', '?'],
	['any-nat', 'j', '?'],
	['zone', 'w', ':'],
	['orig-zone', '', ':'],
	['reply-zone', '', ':'],
	['label', 'l', ':'],
	['label-add', '', ':'],
	['label-del', '', '?'],
	['buffer-size', 'b', ':'],
	['output', 'o', ':'],
];

const CANONICAL: Record<string, string> = { 'orig-src': 'src', 'orig-dst': 'dst', proto: 'protonum' };

const COMMANDS: readonly (readonly [string, Command])[] = [
	['dump', 'L'],
	['create', 'I'],
	['add', 'A'],
	['update', 'U'],
	['delete', 'D'],
	['get', 'G'],
	['flush', 'F'],
	['event', 'E'],
	['count', 'C'],
	['stats', 'S'],
	['load-file', 'R'],
	['version', 'V'],
	['help', 'h'],
];

/** Options of each protocol: its long names and what they are called in `opt`. */
const PORTS: Record<string, string> = {
	'orig-port-src': 'sport',
	sport: 'sport',
	'orig-port-dst': 'dport',
	dport: 'dport',
	'reply-port-src': 'reply-port-src',
	'reply-port-dst': 'reply-port-dst',
};
const KEYS: Record<string, string> = {
	srckey: 'sport',
	'orig-key-src': 'sport',
	dstkey: 'dport',
	'orig-key-dst': 'dport',
	'reply-key-src': 'reply-port-src',
	'reply-key-dst': 'reply-port-dst',
};
const ICMP: Record<string, string> = { 'icmp-type': 'icmp-type', 'icmp-code': 'icmp-code', 'icmp-id': 'icmp-id' };

function proto_option(proto: number, name: string): string | undefined {
	if (has_ports(proto)) return name === 'state' && proto === IPPROTO_TCP ? 'state' : PORTS[name];
	if (proto === IPPROTO_GRE) return KEYS[name];
	return proto === IPPROTO_ICMP ? ICMP[name] : undefined;
}

/** What the original has and we have not. */
const UNSUPPORTED: readonly string[] = ['secmark', 'orig-zone', 'reply-zone', 'nat-range', 'tuple-src', 'tuple-dst'];

const FILTER = [
	'src',
	'dst',
	'reply-src',
	'reply-dst',
	'protonum',
	'family',
	'output',
	'zone',
	'orig-zone',
	'reply-zone',
	'mark',
];
const SELECT = [...FILTER, 'status', 'src-nat', 'dst-nat', 'any-nat', 'label', 'mask-src', 'mask-dst', 'secmark'];

/** The options that go with each command. */
const LEGAL: Record<Command, readonly string[]> = {
	L: [...SELECT, 'zero', 'tuple-src', 'tuple-dst'],
	I: [...SELECT, 'timeout', 'label-add', 'tuple-src', 'tuple-dst'],
	A: [...SELECT, 'timeout', 'label-add'],
	U: [...SELECT, 'timeout', 'label-add', 'label-del'],
	D: [...SELECT, 'tuple-src', 'tuple-dst'],
	G: [...FILTER, 'tuple-src', 'tuple-dst'],
	F: ['family', 'output', 'zone'],
	E: [...SELECT, 'event-mask', 'buffer-size'],
	C: ['family'],
	S: [],
	R: [],
	V: [],
	h: [],
};

/** Reads the arguments. Throws ParameterProblem. */
export function parse_command_line(argv: readonly string[]): Options {
	const o: Options = { command: 'h', table: 'conntrack', opt: new Map(), proto: -1, file: '' };
	let given = false;
	let seen = false;
	const command = (c: Command): void => {
		if (given) throw new ParameterProblem('Invalid commands combination');
		given = true;
		o.command = c;
	};
	for (let i = 0; i < argv.length; i++) {
		const arg = argv[i];
		if (arg[0] !== '-' || arg === '-') {
			throw new ParameterProblem(`Bad parameter \`${arg}'`);
		}
		// Long with =value, or short with the value attached.
		const long = arg.startsWith('--');
		const eq = long ? arg.indexOf('=') : -1;
		const name = long ? arg.slice(2, eq < 0 ? undefined : eq) : arg[1];
		let attached: string | null = long ? (eq < 0 ? null : arg.slice(eq + 1)) : arg.length > 2 ? arg.slice(2) : null;
		const value = (): string => {
			if (attached !== null) return attached;
			if (i + 1 >= argv.length) throw new ParameterProblem(`option \`${long ? arg : '-' + name}' requires an argument`);
			return argv[++i];
		};
		const cmd = COMMANDS.find(([l, s]) => (long ? l === name : s === name));
		if (cmd !== undefined) {
			command(cmd[1]);
			if (cmd[1] === 'R') {
				o.file = value();
				continue;
			}
			if (attached === null && i + 1 < argv.length && argv[i + 1][0] !== '-') attached = argv[++i];
			if (attached !== null) {
				if (!['conntrack', 'expect', 'dying', 'unconfirmed'].includes(attached))
					throw new ParameterProblem(`unknown type \`${attached}'`);
				o.table = attached as Options['table'];
			}
			continue;
		}
		const known = OPTIONS.find(([l, s]) => (long ? l === name || (l === 'protonum' && name === 'proto') : s === name));
		if (known !== undefined) {
			const key = CANONICAL[known[0]] ?? known[0];
			seen = true;
			let v = '';
			if (known[2] === ':') v = value();
			else if (known[2] === '?') {
				if (attached !== null) v = attached;
				else if (i + 1 < argv.length && argv[i + 1][0] !== '-') v = argv[++i];
			}
			if (key === 'protonum') {
				o.proto = proto_by_name(v);
				if (o.proto < 0 && /^\d+$/.test(v) && Number(v) < 256) o.proto = Number(v);
				if (o.proto < 0) throw new ParameterProblem(`\`${v}' unsupported protocol`);
			}
			if (key === 'family' && v !== 'ipv4' && v !== 'ipv6' && v !== 'unspec')
				throw new ParameterProblem(`\`${v}' unsupported protocol`);
			if (key.startsWith('label')) throw new ParameterProblem(`unknown label '${v}'`);
			if (UNSUPPORTED.includes(key)) throw new ParameterProblem(`option \`--${key}' is not supported here`, false);
			o.opt.set(key, v);
			continue;
		}
		const mine = long ? proto_option(o.proto, name) : undefined;
		if (mine === undefined) throw new ParameterProblem(`unknown option \`${long ? '--' + name : arg}'`);
		const v = value();
		if (mine === 'state' && !TCP_STATES.includes(v) && v !== 'LISTEN')
			throw new ParameterProblem(`unknown TCP state \`${v}'`);
		o.opt.set(mine, v);
		seen = true;
	}
	if (!given && seen) {
		throw new ParameterProblem(`Illegal option \`--${[...o.opt.keys()][0]}' with this command`);
	}
	if (given) {
		const legal = LEGAL[o.command];
		for (const key of o.opt.keys()) {
			const generic = OPTIONS.some(([l]) => l === key);
			if (generic && !legal.includes(key)) throw new ParameterProblem(`Illegal option \`--${key}' with this command`);
		}
	}
	return o;
}
