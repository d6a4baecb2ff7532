/*
 * user/netcat/options.ts: what `nc` is told.                                                        Original: nc(1), OpenBSD's, Debian 1.219-1
 */
import { getopt, getopt_message } from '../getopt.ts';

export const USAGE = `usage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]
	  [-m minttl] [-O length] [-P proxy_username] [-p source_port]
	  [-q seconds] [-s sourceaddr] [-T keyword] [-V rtable] [-W recvlimit]
	  [-w timeout] [-X proxy_protocol] [-x proxy_address[:port]]
	  [destination] [port]
`;

const HELP = `OpenBSD netcat (linnet)
${USAGE}	Command Summary:
		-4		Use IPv4
		-b		Allow broadcast
		-C		Send CRLF as line-ending
		-D		Enable the debug socket option
		-d		Detach from stdin
		-h		This help text
		-I length	TCP receive buffer length
		-i interval	Delay interval for lines sent, ports scanned
		-k		Keep inbound sockets open for multiple connects
		-l		Listen mode, for inbound connects
		-M ttl		Outgoing TTL / Hop Limit
		-m minttl	Minimum incoming TTL / Hop Limit
		-N		Shutdown the network socket after EOF on stdin
		-n		Suppress name/port resolutions
		-O length	TCP send buffer length
		-p port		Specify local port for remote connects
		-q secs		quit after EOF on stdin and delay of secs
		-r		Randomize remote ports
		-s sourceaddr	Local source address
		-T keyword	TOS value
		-u		UDP mode
		-v		Verbose
		-W recvlimit	Terminate after receiving a number of packets
		-w timeout	Timeout for connects and final net reads
		-z		Zero-I/O mode [used for scanning]
	Port numbers can be individual or ranges: lo-hi [inclusive]
`;

const TOS: ReadonlyMap<string, number> = new Map([
	['critical', 0xa0],
	['inetcontrol', 0xc0],
	['netcontrol', 0xe0],
	['lowcost', 2],
	['lowdelay', 0x10],
	['throughput', 8],
	['reliability', 4],
	['ef', 0xb8],
	...[0, 1, 2, 3, 4, 5, 6, 7].map((n): [string, number] => [`cs${n}`, n << 5]),
	...[1, 2, 3, 4].flatMap((c) => [1, 2, 3].map((d): [string, number] => [`af${c}${d}`, (c << 5) | (d << 3)])),
]);

/** Ends the program: one line, or the usage where there is nothing to say. */
export class Failure extends Error {
	readonly text: string;

	constructor(message: string) {
		super(message);
		this.text = message === '' ? USAGE : `nc: ${message}\n`;
	}
}

export interface Options {
	listen: boolean;
	keep: boolean;
	udp: boolean;
	verbose: boolean;
	scan: boolean;
	numeric: boolean;
	shut: boolean;
	crlf: boolean;
	detach: boolean;
	debug: boolean;
	broadcast: boolean;
	random: boolean;
	/** Seconds; -1: none. */
	timeout: number;
	interval: number;
	quit: number;
	recvlimit: number;
	ttl: number;
	minttl: number;
	tos: number;
	rcvbuf: number;
	sndbuf: number;
	source: string;
	sport: string;
	words: string[];
}

/** A number between bounds, as strtonum(3) reads it. */
function number(text: string, min: number, max: number, what: string): number {
	if (!/^\s*[-+]?\d+$/.test(text)) throw new Failure(`${what} invalid: ${text}`);
	const n = Number(text);
	if (n < min) throw new Failure(`${what} too small: ${text}`);
	if (n > max) throw new Failure(`${what} too large: ${text}`);
	return n;
}

export function port_number(text: string): number {
	return number(text, 1, 65535, 'port number');
}

/** strtol(3) with any base, whole. Return: NaN where it is none. */
function ttl(text: string, what: string): number {
	const n = /^\d+$/.test(text) ? Number(text) : NaN;
	if (!(n <= 255)) throw new Failure(Number.isNaN(n) ? `${what} is invalid` : `${what} is too large`);
	return n;
}

/** The command line. */
export function parse(argv: readonly string[]): Options | { text: string; status: number } {
	const o: Options = {
		listen: false,
		keep: false,
		udp: false,
		verbose: false,
		scan: false,
		numeric: false,
		shut: false,
		crlf: false,
		detach: false,
		debug: false,
		broadcast: false,
		random: false,
		timeout: -1,
		interval: 0,
		quit: -1,
		recvlimit: 0,
		ttl: -1,
		minttl: -1,
		tos: -1,
		rcvbuf: -1,
		sndbuf: -1,
		source: '',
		sport: '',
		words: [],
	};
	const g = new getopt(argv, '46bCDdFhI:i:kM:m:lNnO:P:p:q:rSs:T:tUuV:vW:w:X:x:Zz');
	for (;;) {
		const s = g.next();
		if (s.kind === 'end') break;
		if (s.kind !== 'opt') return { text: getopt_message('nc', s) + USAGE, status: 1 };
		switch (s.opt) {
			case '4':
				break;
			case 'b':
				o.broadcast = true;
				break;
			case 'C':
				o.crlf = true;
				break;
			case 'D':
				o.debug = true;
				break;
			case 'd':
				o.detach = true;
				break;
			case 'h':
				return { text: HELP, status: 0 };
			case 'I':
				o.rcvbuf = number(s.arg, 1, 0x40000000, 'TCP receive window');
				break;
			case 'i':
				o.interval = number(s.arg, 0, 0xffffffff, 'interval');
				break;
			case 'k':
				o.keep = true;
				break;
			case 'l':
				o.listen = true;
				break;
			case 'M':
				o.ttl = ttl(s.arg, 'ttl');
				break;
			case 'm':
				o.minttl = ttl(s.arg, 'minttl');
				break;
			case 'N':
				o.shut = true;
				break;
			case 'n':
				o.numeric = true;
				break;
			case 'O':
				o.sndbuf = number(s.arg, 1, 0x40000000, 'TCP send window');
				break;
			case 'p':
				o.sport = s.arg;
				break;
			case 'q':
				o.quit = number(s.arg, -0x80000000, 0x7fffffff, 'quit timer');
				break;
			case 'r':
				o.random = true;
				break;
			case 's':
				o.source = s.arg;
				break;
			case 'T': {
				const n = TOS.get(s.arg) ?? (/^(0x[\da-f]+|\d+)$/i.test(s.arg) ? Number(s.arg) : -1);
				if (n < 0 || n > 255) throw new Failure(`illegal tos value ${s.arg}`);
				o.tos = n;
				break;
			}
			case 'u':
				o.udp = true;
				break;
			case 'V':
				throw new Failure('no alternate routing table support available');
			case 'v':
				o.verbose = true;
				break;
			case 'W':
				o.recvlimit = number(s.arg, 1, 0x7fffffff, 'receive limit');
				break;
			case 'w':
				o.timeout = number(s.arg, 0, 2147483, 'timeout');
				break;
			case 'z':
				o.scan = true;
				break;
			default:
				throw new Failure(`option -${s.opt} is not supported by linnet`);
		}
	}
	o.words = g.words;
	if (o.listen && o.scan) throw new Failure('cannot use -z and -l');
	if (o.keep && !o.listen) throw new Failure('must use -l with -k');
	if (!o.listen && o.words.length === 0) return { text: USAGE, status: 1 };
	return o;
}
