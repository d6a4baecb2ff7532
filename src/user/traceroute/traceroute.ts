/*
 * user/traceroute/traceroute.ts: traceroute.                       Original: Modern traceroute for Linux 2.1.2
 * Walk: clif_parse reads the words, apply sets what they say, the method opens its socket, trace.run does the rest.
 * Not here, and refused by name: -6, -g, -e, -A, -D, -P, -UL.
 */
import { EINTR } from '../../uapi/asm-generic/errno.ts';
import { sockaddr_in } from '../../uapi/linux/socket.ts';
import { gethostbyname, inet_ntoa } from '../hosts.ts';
import type { Process } from '../libc.ts';
import { clif_float, type clif_hit, clif_int, clif_parse, TRACEROUTE_USAGE } from './clif.ts';
import { icmp_method, type method, TCP_FLAGS, tcp_method, tcp_options, udp_method } from './methods.ts';
import { trace } from './trace.ts';

const VERSION =
	'Modern traceroute for Linux, version 2.1.2\nCopyright (c) 2016  Dmitry Butskoy,   License: GPL v2 or any later\n';

const MODULES = ['default', 'icmp', 'tcp', 'udp'];

const TCP_HELP = `  syn                         Set tcp flag SYN (default if no other tcp flags
                              specified)
  ack                         Set tcp flag ACK,
  fin                         FIN,
  rst                         RST,
  psh                         PSH,
  urg                         URG,
  ece                         ECE,
  cwr                         CWR
  flags=NUM                   Set tcp flags exactly to value NUM
  ecn                         Send syn packet with tcp flags ECE and CWR (for
                              Explicit Congestion Notification, rfc3168)
  sack                        Use sack,
  timestamps                  timestamps,
  window_scaling              window_scaling option for tcp
  sysctl                      Use current sysctl (/proc/sys/net/*) setting for
                              the tcp options and ecn. Always set by default
                              (with "syn") if nothing else specified
  reuse                       Allow to reuse local port numbers for the huge
                              workloads (SO_REUSEADDR)
  mss=NUM                     Use value of NUM for maxseg tcp option (when syn)
  info                        Print tcp flags of final tcp replies when target
                              host is reached. Useful to determine whether an
                              application listens the port etc.
`;

interface settings {
	module: string;
	port: number;
	/** -w as it was understood, for the message. */
	wait: number[];
	tcp: tcp_options;
	icmp: 'raw' | 'dgram' | '';
	/** Whether -O said anything of TCP's flags, of its options. */
	flags_set: boolean;
	options_set: boolean;
}

/** -O for the module chosen so far. Return: '' or what to print; `help` prints without failing. */
function module_option(s: settings, word: string): { help: string } | string {
	const { tcp } = s;
	if (word === 'help') return { help: s.module === 'tcp' ? TCP_HELP : `No options for module \`${s.module}'\n` };
	if (s.module === 'icmp' && (word === 'raw' || word === 'dgram')) {
		s.icmp = word;
		return '';
	}
	if (s.module !== 'tcp') return 'unknown';
	const flag = TCP_FLAGS.indexOf(word);
	const [name, value] = word.split('=');
	const number = value === undefined ? null : clif_int(value);
	if (flag >= 0) {
		tcp.flags = (s.flags_set ? tcp.flags : 0) | (1 << flag);
		s.flags_set = true;
	} else if (name === 'flags' && number !== null) {
		tcp.flags = number & 255;
		s.flags_set = true;
	} else if (name === 'mss' && number !== null) tcp.mss = number;
	else if (word === 'ecn') {
		tcp.flags |= 0xc0;
		s.options_set = true;
	} else if (word === 'sack' || word === 'timestamps' || word === 'window_scaling') {
		tcp[word] = true;
		s.options_set = true;
	} else if (word === 'info') tcp.info = true;
	else if (word !== 'sysctl' && word !== 'reuse') return 'unknown';
	return '';
}

/** Sets what one option says. Return: '' or what is wrong with it. */
async function apply(proc: Process, t: trace, s: settings, h: clif_hit): Promise<string> {
	switch (h.name) {
		case 'd':
			t.debug = true;
			break;
		case 'F':
			t.dontfrag = true;
			break;
		case 'f':
			t.first_hop = h.value;
			break;
		case 'I':
			s.module = 'icmp';
			break;
		case 'T':
			s.module = 'tcp';
			break;
		case 'U':
			s.module = 'udp';
			break;
		case 'M':
			if (!MODULES.includes(h.arg)) return `Unknown traceroute module ${h.arg}`;
			s.module = h.arg;
			break;
		case 'i':
			t.device = h.arg;
			break;
		case 'm':
			t.max_hops = h.value;
			break;
		case 'N':
			t.sim_probes = h.value;
			break;
		case 'n':
			t.noresolve = true;
			break;
		case 'p':
			s.port = h.value & 0xffff;
			break;
		case 't':
			t.tos = h.value & 255;
			break;
		case 'w': {
			const values = h.arg.split(/[,/]/).map(clif_float);
			if (values.length > 3 || values.some((v) => v === null))
				return `Cannot handle \`${h.shown}' option with arg \`${h.arg}' (argc ${h.argc})`;
			s.wait = [values[0] ?? 0, values[1] ?? 0, values[2] ?? 0];
			[t.wait_secs, t.here_factor, t.near_factor] = s.wait;
			break;
		}
		case 'q':
			t.probes_per_hop = h.value;
			break;
		case 'r':
			t.noroute = true;
			break;
		case 's': {
			const a = await gethostbyname(proc, h.arg);
			if (a === null)
				return `${h.arg}: Name or service not known\nCannot handle \`${h.shown}' option with arg \`${h.arg}' (argc ${h.argc})`;
			t.source = a.addr;
			break;
		}
		case 'z':
			t.send_secs = h.value > 10 ? h.value : h.value * 1000;
			break;
		case 'sport':
			t.sport = h.value & 0xffff;
			t.sim_probes = 1;
			[t.wait_secs, t.here_factor, t.near_factor] = [5, 0, 0];
			break;
		case 'fwmark':
			t.mark = h.value;
			break;
		case 'mtu':
			t.mtudisc = true;
			t.dontfrag = true;
			t.sim_probes = 1;
			break;
		case 'back':
			t.backward = true;
			break;
	}
	return '';
}

/** What the options may not be. Return: '' or the message. */
function check(t: trace, s: settings): string {
	if (t.first_hop < 1 || (t.max_hops >= 0 && t.first_hop > t.max_hops)) return 'first hop out of range';
	if (t.max_hops > 255 || t.max_hops < 0) return 'max hops cannot be more than 255';
	if (t.probes_per_hop < 1 || t.probes_per_hop > 10) return 'no more than 10 probes per hop';
	if (t.wait_secs < 0 || t.here_factor < 0 || t.near_factor < 0)
		return `bad wait specifications \`${s.wait.join(',')}' used`;
	if (t.packet_len > 65000) return `too big packetlen ${t.packet_len} specified`;
	return '';
}

function make_method(s: settings): method {
	switch (s.module) {
		case 'icmp':
			return new icmp_method(s.port > 0 ? s.port : 1, s.icmp);
		case 'tcp':
			s.tcp.sysctl = !s.flags_set && !s.options_set;
			return new tcp_method(s.port > 0 ? s.port : 80, s.tcp);
		case 'udp':
			return new udp_method(s.port > 0 ? s.port : 53, 0);
		default:
			return new udp_method(s.port > 0 ? s.port : 33434, 1);
	}
}

/** traceroute(8). */
export async function traceroute(proc: Process): Promise<number> {
	const fail = (text: string, status = 2): number => {
		proc.stderr.write(text.endsWith('\n') ? text : `${text}\n`);
		return status;
	};
	if (proc.argv.length < 2) return fail(TRACEROUTE_USAGE, 0);
	const parsed = clif_parse(proc.argv);
	if ('error' in parsed) return fail(parsed.error);
	const t = new trace(proc, sockaddr_in(0, 0));
	const s: settings = {
		module: 'default',
		port: 0,
		wait: [5, 3, 10],
		tcp: new tcp_options(),
		icmp: '',
		flags_set: false,
		options_set: false,
	};
	for (const h of parsed.hits) {
		if (h.name === 'V') return fail(VERSION, 0);
		if (h.name === 'help') return fail(TRACEROUTE_USAGE, 0);
		if (h.name !== 'O') {
			const err = await apply(proc, t, s, h);
			if (err !== '') return fail(err);
		} else if (h.arg.split(',').includes('help')) {
			const help = module_option(s, 'help');
			return typeof help === 'string' ? 0 : fail(help.help, 0);
		}
	}
	const [host_word, len_word, extra] = parsed.words;
	if (host_word === undefined) return fail('Specify "host" missing argument.');
	const host = await gethostbyname(proc, host_word.text);
	if (host === null)
		return fail(
			`${host_word.text}: Name or service not known\nCannot handle "host" cmdline arg \`${host_word.text}' on position 1 (argc ${host_word.argc})`,
		);
	t.dst.sin_addr = host.addr;
	if (len_word !== undefined) {
		const n = clif_int(len_word.text);
		if (n === null)
			return fail(`Cannot handle "packetlen" cmdline arg \`${len_word.text}' on position 2 (argc ${len_word.argc})`);
		t.packet_len = n;
	}
	if (extra !== undefined) return fail(`Extra arg \`${extra.text}' (position 3, argc ${extra.argc})`);
	for (const h of parsed.hits.filter((x) => x.name === 'O')) {
		for (const word of h.arg.split(','))
			if (module_option(s, word) !== '') return fail(`\`${word}' (argc 1): arguments are not allowed`);
	}
	const wrong = check(t, s);
	if (wrong !== '') return fail(wrong);
	if (t.sim_probes < 1) t.sim_probes = 1;

	t.method = make_method(s);
	let err = await t.method.init(t);
	if (err < 0) return fail(t.message(err), 1);
	const least = 20 + t.method.header_len;
	if (t.packet_len < 0) t.packet_len = t.mtudisc ? 65000 : 60;
	if (s.module === 'tcp' || t.packet_len < least) t.packet_len = least;
	proc.stdout.write(
		`traceroute to ${host_word.text} (${inet_ntoa(host.addr)}), ${t.max_hops} hops max, ${t.packet_len} byte packets`,
	);
	err = await t.run();
	if (err === -EINTR) return 130;
	return err < 0 ? fail(t.message(err), 1) : 0;
}
