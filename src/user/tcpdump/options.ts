/*
 * user/tcpdump/options.ts: tcpdump's command line.                 Original: tcpdump(8) 4.99.3
 * An option that tcpdump has and we do not is refused by name; so is one that nobody has.
 */

import type { PrintOptions } from '../../packet/print.ts';

export const VERSION = `tcpdump version 4.99.3
libpcap version 1.10.3 (with TPACKET_V3)
OpenSSL 3.0.19 27 Jan 2026
`;

export const USAGE = `${VERSION}Usage: tcpdump [-AbdDefhHIJKlLnNOpqStuUvxX#] [ -B size ] [ -c count ] [--count]
		[ -C file_size ] [ -E algo:secret ] [ -F file ] [ -G seconds ]
		[ -i interface ] [ --immediate-mode ] [ -j tstamptype ]
		[ -M secret ] [ --number ] [ --print ] [ -Q in|out|inout ]
		[ -r file ] [ -s snaplen ] [ -T type ] [ --version ]
		[ -V file ] [ -w file ] [ -W filecount ] [ -y datalinktype ]
		[ --time-stamp-precision precision ] [ --micro ] [ --nano ]
		[ -z postrotate-command ] [ -Z user ] [ expression ]
`;

const MAX_SNAPLEN = 262144;

export interface Options {
	device: string | null;
	read: string | null;
	write: string | null;
	count: number;
	snaplen: number;
	/** Take only packets that come in, or that go out. */
	direction: 'in' | 'out' | null;
	promiscuous: boolean;
	/** Write each packet at once. */
	unbuffered: boolean;
	/** Print packets even though they are written to a file. */
	print: boolean;
	/** Say only how many packets there were. */
	countOnly: boolean;
	list: 'devices' | 'linktypes' | null;
	linktype: string | null;
	filterFile: string | null;
	filter: string;
	show: { -readonly [k in keyof PrintOptions]: PrintOptions[k] };
}

/** Why the program ends at once: what it says, where, and its exit status. */
export interface Stop {
	readonly out: string;
	readonly err: string;
	readonly status: number;
}

const WITH_VALUE = 'BcCEFGijMQrsTVwWyzZ';
const KNOWN = 'AbdDefhHIJKlLnNOpqStuUvxX#';
const LONG: { readonly [name: string]: string } = {
	'--buffer-size': 'B',
	'--list-interfaces': 'D',
	'--help': 'h',
	'--interface': 'i',
	'--monitor-mode': 'I',
	'--time-stamp-type': 'j',
	'--list-time-stamp-types': 'J',
	'--dont-verify-checksums': 'K',
	'--list-data-link-types': 'L',
	'--no-optimize': 'O',
	'--no-promiscuous-mode': 'p',
	'--direction': 'Q',
	'--snapshot-length': 's',
	'--absolute-tcp-sequence-numbers': 'S',
	'--packet-buffered': 'U',
	'--linktype': 'y',
	'--relinquish-privileges': 'Z',
	'--number': '#',
	'--print': 'print',
	'--version': 'version',
	'--count': 'count',
	'--micro': 'micro',
	'--nano': 'nano',
	'--immediate-mode': 'immediate-mode',
	'--time-stamp-precision': 'time-stamp-precision',
};
const LONG_VALUES = ['time-stamp-precision'];

function stop(message: string, status = 1): Stop {
	return { out: '', err: `tcpdump: ${message}\n`, status };
}

/** Reads the arguments. Return: the options, or why there is nothing to do. */
export function parseOptions(argv: readonly string[]): Options | Stop {
	const o: Options = {
		device: null,
		read: null,
		write: null,
		count: 0,
		snaplen: MAX_SNAPLEN,
		direction: null,
		promiscuous: true,
		unbuffered: false,
		print: false,
		countOnly: false,
		list: null,
		linktype: null,
		filterFile: null,
		filter: '',
		show: {},
	};
	const words: string[] = [];
	for (let i = 1; i < argv.length; i++) {
		const a = argv[i];
		if (a === '--') {
			words.push(...argv.slice(i + 1));
			break;
		}
		if (a.startsWith('--')) {
			const [name, ...rest] = a.split('=');
			const option = LONG[name];
			if (option === undefined) return { out: '', err: `tcpdump: unrecognized option '${a}'\n${USAGE}`, status: 1 };
			let value: string | null = rest.length > 0 ? rest.join('=') : null;
			const wants = WITH_VALUE.includes(option) || LONG_VALUES.includes(option);
			if (wants && value === null) {
				value = argv[++i] ?? null;
				if (value === null)
					return { out: '', err: `tcpdump: option '${name}' requires an argument\n${USAGE}`, status: 1 };
			}
			const s = apply(o, option, value ?? '', name);
			if (s !== null) return s;
			continue;
		}
		if (!a.startsWith('-') || a === '-') {
			words.push(a);
			continue;
		}
		for (let k = 1; k < a.length; k++) {
			const letter = a[k];
			let value = '';
			if (WITH_VALUE.includes(letter)) {
				value = a.slice(k + 1);
				k = a.length;
				if (value === '') {
					if (i + 1 >= argv.length)
						return { out: '', err: `tcpdump: option requires an argument -- '${letter}'\n${USAGE}`, status: 1 };
					value = argv[++i];
				}
			} else if (!KNOWN.includes(letter))
				return { out: '', err: `tcpdump: invalid option -- '${letter}'\n${USAGE}`, status: 1 };
			const s = apply(o, letter, value, `-${letter}`);
			if (s !== null) return s;
		}
	}
	o.filter = words.join(' ');
	return o;
}

function apply(o: Options, option: string, value: string, name: string): Stop | null {
	const { show } = o;
	switch (option) {
		case 'A':
			show.A = (show.A ?? 0) + 1;
			break;
		case 'D':
			o.list = 'devices';
			break;
		case 'L':
			o.list = 'linktypes';
			break;
		case 'e':
			show.e = true;
			break;
		case 'F':
			o.filterFile = value;
			break;
		case 'h':
			return { out: USAGE, err: '', status: 0 };
		case 'version':
			return { out: VERSION, err: '', status: 0 };
		case 'i':
			o.device = value;
			break;
		case 'n':
			show.n = true;
			break;
		case 'p':
			o.promiscuous = false;
			break;
		case 'q':
			show.q = true;
			break;
		case 'S':
			show.S = true;
			break;
		case 't':
			show.t = (show.t ?? 0) + 1;
			break;
		case 'U':
			o.unbuffered = true;
			break;
		case 'v':
			show.v = (show.v ?? 0) + 1;
			break;
		case 'x':
			show.x = (show.x ?? 0) + 1;
			break;
		case 'X':
			show.X = (show.X ?? 0) + 1;
			break;
		case '#':
			show.number = true;
			break;
		case 'print':
			o.print = true;
			break;
		case 'count':
			o.countOnly = true;
			break;
		case 'nano':
			show.digits = 9;
			break;
		case 'micro':
			show.digits = 6;
			break;
		case 'time-stamp-precision':
			if (value !== 'micro' && value !== 'nano') return stop('unable to parse time stamp precision');
			show.digits = value === 'nano' ? 9 : 6;
			break;
		case 'c':
			o.count = /^\d+$/.test(value) ? Number(value) : 0;
			if (o.count < 1) return stop(`invalid packet count ${value}`);
			break;
		case 's': {
			const n = /^\d+$/.test(value) ? Number(value) : -1;
			if (n < 0 || n > MAX_SNAPLEN) return stop(`invalid snaplen ${value} (must be >= 0 and <= ${MAX_SNAPLEN})`);
			o.snaplen = n === 0 ? MAX_SNAPLEN : n;
			break;
		}
		case 'Q': {
			const d = value.toLowerCase();
			if (d !== 'in' && d !== 'out' && d !== 'inout') return stop(`unknown capture direction \`${value}'`);
			o.direction = d === 'inout' ? null : d;
			break;
		}
		case 'B':
			if (!/^\d+$/.test(value) || Number(value) < 1) return stop(`invalid packet buffer size ${value}`);
			break;
		case 'r':
			o.read = value;
			break;
		case 'w':
			o.write = value;
			break;
		case 'y':
			o.linktype = value;
			break;
		// What changes nothing here: every line is written at once, there is no optimiser and no privilege to give up.
		case 'l':
		case 'O':
		case 'Z':
		case 'immediate-mode':
			break;
		default:
			return stop(`option '${name}' is not supported here`);
	}
	return null;
}
