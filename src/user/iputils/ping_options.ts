/*
 * user/iputils/ping_options.ts: ping's command line.               Original: iputils 20221126, ping/ping.c: main
 * Not here: -6, -F, -N and loose source routes (which this version of the original cannot set either: it drops the right to).
 */
import { strerror } from '../../uapi/asm-generic/errno.ts';
import { IP_PMTUDISC_DO, IP_PMTUDISC_DONT, IP_PMTUDISC_WANT } from '../../uapi/linux/socket.ts';
import { getopt, getopt_message } from '../getopt.ts';
import { INT_MAX, LONG_MAX, strtod, strtol_or_err } from './iputils_common.ts';

export const PING_USAGE = `
Usage
  ping [options] <destination>

Options:
  <destination>      dns name or ip address
  -a                 use audible ping
  -A                 use adaptive ping
  -B                 sticky source address
  -c <count>         stop after <count> replies
  -C                 call connect() syscall on socket creation
  -D                 print timestamps
  -d                 use SO_DEBUG socket option
  -e <identifier>    define identifier for ping session, default is random for
                     SOCK_RAW and kernel defined for SOCK_DGRAM
                     Imply using SOCK_RAW (for IPv4 only for identifier 0)
  -f                 flood ping
  -h                 print help and exit
  -I <interface>     either interface name or address
  -i <interval>      seconds between sending each packet
  -L                 suppress loopback of multicast packets
  -l <preload>       send <preload> number of packages while waiting replies
  -m <mark>          tag the packets going out
  -M <pmtud opt>     define mtu discovery, can be one of <do|dont|want>
  -n                 no dns name resolution
  -O                 report outstanding replies
  -p <pattern>       contents of padding byte
  -q                 quiet output
  -Q <tclass>        use quality of service <tclass> bits
  -s <size>          use <size> as number of data bytes to be sent
  -S <size>          use <size> as SO_SNDBUF socket option value
  -t <ttl>           define time to live
  -U                 print user-to-user latency
  -v                 verbose output
  -V                 print version and exit
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response

IPv4 options:
  -4                 use IPv4
  -b                 allow pinging broadcast
  -R                 record route
  -T <timestamp>     define timestamp, can be one of <tsonly|tsandaddr|tsprespec>

IPv6 options:
  -6                 use IPv6
  -F <flowlabel>     define flow label, default is random
  -N <nodeinfo opt>  use icmp6 node info query, try <help> as argument

For more details see ping(8).
`;

const VERSION =
	'ping from iputils 20221126\nlibcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes\n';

/** IP timestamp option's flags (RFC 791). */
export const IPOPT_TS_TSONLY = 0;
export const IPOPT_TS_TSANDADDR = 1;
export const IPOPT_TS_PRESPEC = 3;

export class ping_options {
	adaptive = false;
	audible = false;
	broadcast = false;
	connect = false;
	debug = false;
	flood = false;
	noloop = false;
	numeric = false;
	outstanding = false;
	ptimeofday = false;
	quiet = false;
	rroute = false;
	so_dontroute = false;
	strictsource = false;
	verbose = false;
	ipv6 = false;
	/** IPOPT_TS_*, or -1. */
	timestamp = -1;
	/** 0: until stopped. */
	npackets = 0;
	/** Seconds, 0 for none. */
	deadline = 0;
	/** ms between probes. */
	interval = 1000;
	/** ms that the last reply is waited for. */
	linger = 10000;
	preload = 1;
	datalen = 56;
	/** -1: the process id. */
	ident = -1;
	/** -1: not set. */
	mark = -1;
	pmtudisc = -1;
	sndbuf = 0;
	tos = 0;
	ttl = -1;
	pattern: number[] = [];
	/** -I: a device's name, an address. */
	device: string | null = null;
	source = -1;
	/** Hops, and last the destination. */
	targets: string[] = [];
}

/** What the program prints before it ends. */
export interface early_end {
	status: number;
	out: string;
	err: string;
}

/** Reads the command line; `aton` tells whether -I names an address. Warnings go to `warn`. */
export function ping_parse(
	argv: readonly string[],
	aton: (text: string) => number,
	warn: (text: string) => void,
): ping_options | early_end {
	const o = new ping_options();
	const fail = (status: number, text: string): early_end => ({ status, out: '', err: `ping: ${text}\n` });
	const usage = (first: string): early_end => ({ status: 2, out: '', err: first + PING_USAGE });
	const g = new getopt(argv, 'h?4bRT:6F:N:aABc:CdDe:fi:I:l:Lm:M:nOp:qQ:rs:S:t:UvVw:W:');
	let interval_set = false;
	let family = '';
	for (let s = g.next(); s.kind !== 'end'; s = g.next()) {
		if (s.kind !== 'opt') return usage(getopt_message('ping', s));
		const arg = s.arg;
		let n: number | string = 0;
		switch (s.opt) {
			case '4':
			case '6':
				if (family !== '' && family !== s.opt) return fail(2, 'only one -4 or -6 option may be specified');
				family = s.opt;
				o.ipv6 = s.opt === '6';
				break;
			case 'b':
				o.broadcast = true;
				break;
			case 'R':
			case 'T': {
				if (s.opt === 'R' ? o.timestamp >= 0 : o.rroute) return fail(2, 'only one of -T or -R may be used');
				if (s.opt === 'R') {
					o.rroute = true;
					break;
				}
				const flags = { tsonly: IPOPT_TS_TSONLY, tsandaddr: IPOPT_TS_TSANDADDR, tsprespec: IPOPT_TS_PRESPEC }[arg];
				if (flags === undefined) return fail(2, `invalid timestamp type: ${arg}`);
				o.timestamp = flags;
				break;
			}
			case 'F':
			case 'N':
				return fail(2, `-${s.opt}: there is no IPv6 here`);
			case 'a':
				o.audible = true;
				break;
			case 'A':
				o.adaptive = true;
				break;
			case 'B':
				o.strictsource = true;
				break;
			case 'c':
				n = strtol_or_err(arg, 1, LONG_MAX);
				if (typeof n === 'number') o.npackets = n;
				break;
			case 'C':
				o.connect = true;
				break;
			case 'd':
				o.debug = true;
				break;
			case 'D':
				o.ptimeofday = true;
				break;
			case 'e':
				n = strtol_or_err(arg, 0, 65535);
				if (typeof n === 'number') o.ident = n;
				break;
			case 'f':
				o.flood = true;
				if (!interval_set) o.interval = 0;
				break;
			case 'i':
			case 'W': {
				const d = strtod(arg);
				if (d.rest !== '' || arg === '') {
					warn(`ping: option argument contains garbage: ${d.rest}\nping: this will become fatal error in the future\n`);
				}
				const what = s.opt === 'i' ? 'timing interval' : 'linger time';
				if (!Number.isFinite(d.value)) return fail(2, `bad ${what}: ${arg}: ${strerror(34)}`);
				if (d.value < 0 || d.value >= Math.floor(INT_MAX / 1000)) return fail(2, `bad ${what}: ${arg}`);
				const ms = Math.trunc(d.value * 1000);
				if (s.opt === 'W') o.linger = ms;
				else {
					o.interval = ms;
					interval_set = true;
				}
				break;
			}
			case 'I': {
				const addr = aton(arg);
				if (addr >= 0) {
					o.source = addr;
					o.strictsource = true;
				} else o.device = arg;
				break;
			}
			case 'l':
				n = strtol_or_err(arg, 1, 65536);
				if (typeof n === 'number') o.preload = n;
				break;
			case 'L':
				o.noloop = true;
				break;
			case 'm':
				n = strtol_or_err(arg, 0, 0xffffffff);
				if (typeof n === 'number') o.mark = n;
				break;
			case 'M': {
				const v = { do: IP_PMTUDISC_DO, dont: IP_PMTUDISC_DONT, want: IP_PMTUDISC_WANT }[arg];
				if (v === undefined) return fail(2, `invalid -M argument: ${arg}`);
				o.pmtudisc = v;
				break;
			}
			case 'n':
				o.numeric = true;
				break;
			case 'O':
				o.outstanding = true;
				break;
			case 'p': {
				const bad = arg.search(/[^0-9a-fA-F]/);
				if (bad >= 0) return fail(2, `patterns must be specified as hex digits: ${arg.slice(bad)}`);
				o.pattern = (arg.match(/../g) ?? []).slice(0, 16).map((h) => parseInt(h, 16));
				if (arg.length % 2 === 1 && o.pattern.length < 16) o.pattern.push(parseInt(arg[arg.length - 1], 16));
				break;
			}
			case 'q':
				o.quiet = true;
				break;
			case 'Q': {
				if (!/^\s*[-+]?(0[xX][0-9a-fA-F]+|\d+)$/.test(arg)) return fail(2, `bad TOS value: ${arg}`);
				const tos = Number(arg);
				if (tos > 255) return fail(2, `the decimal value of TOS bits must be in range 0-255: ${tos}`);
				o.tos = tos & 255;
				break;
			}
			case 'r':
				o.so_dontroute = true;
				break;
			case 's':
				n = strtol_or_err(arg, 0, INT_MAX);
				if (typeof n === 'number') o.datalen = n;
				break;
			case 'S':
				n = strtol_or_err(arg, 1, INT_MAX);
				if (typeof n === 'number') o.sndbuf = n;
				break;
			case 't':
				n = strtol_or_err(arg, 0, 255);
				if (typeof n === 'number') o.ttl = n;
				break;
			case 'U':
				break;
			case 'v':
				o.verbose = true;
				break;
			case 'V':
				return { status: 0, out: VERSION, err: '' };
			case 'w':
				n = strtol_or_err(arg, 0, INT_MAX);
				if (typeof n === 'number') o.deadline = n;
				break;
			default:
				return usage('');
		}
		if (typeof n === 'string') return fail(1, n);
	}
	o.targets = g.words;
	if (o.targets.length === 0) return fail(1, 'usage error: Destination address required');
	return o;
}
