/*
 * user/iproute2/ss_options.ts: the command line of ss.                Original: misc/ss.c of iproute2 6.1
 */
import { ss_error } from './ss_filter.ts';

export const VERSION = 'ss utility, iproute2-6.1.0\n';
export const USAGE = `Usage: ss [ OPTIONS ]
       ss [ OPTIONS ] [ FILTER ]
   -h, --help          this message
   -V, --version       output version information
   -n, --numeric       don't resolve service names
   -r, --resolve       resolve host names
   -a, --all           display all sockets
   -l, --listening     display listening sockets
   -o, --options       show timer information
   -e, --extended      show detailed socket information
   -m, --memory        show socket memory usage
   -p, --processes     show process using socket
   -T, --threads       show thread using socket
   -i, --info          show internal TCP information
       --tipcinfo      show internal tipc socket information
   -s, --summary       show socket usage summary
       --tos           show tos and priority information
       --cgroup        show cgroup information
   -b, --bpf           show bpf filter socket information
   -E, --events        continually display sockets as they are destroyed
   -Z, --context       display task SELinux security contexts
   -z, --contexts      display task and socket SELinux security contexts
   -N, --net           switch to the specified network namespace name

   -4, --ipv4          display only IP version 4 sockets
   -6, --ipv6          display only IP version 6 sockets
   -0, --packet        display PACKET sockets
   -t, --tcp           display only TCP sockets
   -M, --mptcp         display only MPTCP sockets
   -S, --sctp          display only SCTP sockets
   -u, --udp           display only UDP sockets
   -d, --dccp          display only DCCP sockets
   -w, --raw           display only RAW sockets
   -x, --unix          display only Unix domain sockets
       --tipc          display only TIPC sockets
       --vsock         display only vsock sockets
       --xdp           display only XDP sockets
   -f, --family=FAMILY display sockets of type FAMILY
       FAMILY := {inet|inet6|link|unix|netlink|vsock|tipc|xdp|help}

   -K, --kill          forcibly close sockets, display what was closed
   -H, --no-header     Suppress header line
   -O, --oneline       socket's data printed on a single line
       --inet-sockopt  show various inet socket options

   -A, --query=QUERY, --socket=QUERY
       QUERY := {all|inet|tcp|mptcp|udp|raw|unix|unix_dgram|unix_stream|unix_seqpacket|packet|packet_raw|packet_dgram|netlink|dccp|sctp|vsock_stream|vsock_dgram|tipc|xdp}[,QUERY]

   -D, --diag=FILE     Dump raw information about TCP sockets to FILE
   -F, --filter=FILE   read filter information from FILE
       FILTER := [ state STATE-FILTER ] [ EXPRESSION ]
       STATE-FILTER := {all|connected|synchronized|bucket|big|TCP-STATES}
         TCP-STATES := {established|syn-sent|syn-recv|fin-wait-{1,2}|time-wait|closed|close-wait|last-ack|listening|closing}
          connected := {established|syn-sent|syn-recv|fin-wait-{1,2}|time-wait|close-wait|last-ack|closing}
       synchronized := {established|syn-recv|fin-wait-{1,2}|time-wait|close-wait|last-ack|closing}
             bucket := {syn-recv|time-wait}
                big := {established|syn-sent|fin-wait-{1,2}|closed|close-wait|last-ack|listening|closing}
`;

const LONG: Readonly<Record<string, string>> = {
	help: 'h',
	version: 'V',
	numeric: 'n',
	resolve: 'r',
	all: 'a',
	listening: 'l',
	options: 'o',
	extended: 'e',
	memory: 'm',
	processes: 'p',
	threads: 'T',
	info: 'i',
	summary: 's',
	bpf: 'b',
	events: 'E',
	context: 'Z',
	contexts: 'z',
	net: 'N',
	ipv4: '4',
	ipv6: '6',
	packet: '0',
	tcp: 't',
	mptcp: 'M',
	sctp: 'S',
	udp: 'u',
	dccp: 'd',
	raw: 'w',
	unix: 'x',
	family: 'f',
	kill: 'K',
	'no-header': 'H',
	oneline: 'O',
	query: 'A',
	socket: 'A',
	diag: 'D',
	filter: 'F',
	// Without letters.
	tos: '\u0001',
	cgroup: '\u0002',
	'inet-sockopt': '\u0003',
	tipcinfo: '\u0004',
	tipc: '\u0005',
	vsock: '\u0006',
	xdp: '\u0007',
};
const WITH_ARG = 'fADFN';
const LETTERS = 'haletuowxnr460spTbEfmMiADFvVzZNKHSOd';

export interface ss_options {
	opts: { opt: string; arg: string }[];
	words: string[];
}

/** getopt_long(3): options may stand behind words. */
export function parse_options(argv: readonly string[]): ss_options {
	const out: ss_options = { opts: [], words: [] };
	for (let i = 1; i < argv.length; i++) {
		const w = argv[i];
		if (w === '--') {
			out.words.push(...argv.slice(i + 1));
			break;
		}
		if (w.startsWith('--')) {
			const eq = w.indexOf('=');
			const name = eq < 0 ? w.slice(2) : w.slice(2, eq);
			const exact = LONG[name] !== undefined ? [name] : Object.keys(LONG).filter((k) => k.startsWith(name));
			if (exact.length === 0) throw new ss_error(`ss: unrecognized option '${w}'\n`, 255, true);
			if (exact.length > 1) throw new ss_error(`ss: option '${w}' is ambiguous\n`, 255, true);
			const opt = LONG[exact[0]];
			let arg = eq < 0 ? '' : w.slice(eq + 1);
			if (WITH_ARG.includes(opt) && eq < 0) {
				if (i + 1 >= argv.length) throw new ss_error(`ss: option '${w}' requires an argument\n`, 255, true);
				arg = argv[++i];
			}
			out.opts.push({ opt, arg });
		} else if (w[0] === '-' && w.length > 1) {
			for (let k = 1; k < w.length; k++) {
				const opt = w[k];
				if (!LETTERS.includes(opt)) throw new ss_error(`ss: invalid option -- '${opt}'\n`, 255, true);
				if (!WITH_ARG.includes(opt)) {
					out.opts.push({ opt, arg: '' });
					continue;
				}
				let arg = w.slice(k + 1);
				if (arg === '') {
					if (i + 1 >= argv.length) throw new ss_error(`ss: option requires an argument -- '${opt}'\n`, 255, true);
					arg = argv[++i];
				}
				out.opts.push({ opt, arg });
				break;
			}
		} else out.words.push(w);
	}
	return out;
}
