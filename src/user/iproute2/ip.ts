/*
 * user/iproute2/ip.ts: the program `ip`.                           Original: ip(8) of iproute2 6.1.0, ip/ip.c
 * Walk: options -> do_cmd -> ipaddress, iplink, iproute, iprule, ipneigh, ipnetns, ipmonitor, ipntable, ipmaddr, iptcp_metrics.
 * Not here yet: the other objects, -resolve, -echo (refused by name).
 */
import { strerror } from '../../uapi/asm-generic/errno.ts';
import { AF_INET, AF_INET6, AF_PACKET, AF_UNSPEC } from '../../uapi/linux/socket.ts';
import { type Process, utf8_decode } from '../libc.ts';
import { IP_USAGE } from './help.ts';
import { do_ipaddr } from './ipaddress.ts';
import { do_iplink } from './iplink.ts';
import { do_multiaddr } from './ipmaddr.ts';
import { do_ipmonitor } from './ipmonitor.ts';
import { do_ipneigh } from './ipneigh.ts';
import { do_netns, netns_switch } from './ipnetns.ts';
import { do_ipntable } from './ipntable.ts';
import { do_iproute } from './iproute.ts';
import { do_iprule } from './iprule.ts';
import { do_tcp_metrics } from './iptcp_metrics.ts';
import { rtnl_open, rtnl_set_strict_dump } from './libnetlink.ts';
import { ll_map } from './ll_map.ts';
import { read_rt_names } from './rt_names.ts';
import {
	AF_BRIDGE,
	AF_MPLS,
	args,
	exit,
	get_integer,
	get_unsigned,
	invarg,
	ip_exit,
	ip_globals,
	matches,
	read_family,
	unsupported,
} from './utils.ts';

type command = (g: ip_globals, a: args) => Promise<number> | number;

function usage(g: ip_globals): never {
	g.err(IP_USAGE);
	exit(-1);
}

/** In the order in which an abbreviation is looked for; null: the original has it, linnet has not. */
const CMDS: readonly (readonly [string, command | null])[] = [
	['address', do_ipaddr],
	['addrlabel', null],
	['maddress', do_multiaddr],
	['route', do_iproute],
	['rule', do_iprule],
	['neighbor', do_ipneigh],
	['neighbour', do_ipneigh],
	['ntable', do_ipntable],
	['ntbl', do_ipntable],
	['link', do_iplink],
	['l2tp', null],
	['fou', null],
	['ila', null],
	['macsec', null],
	['tunnel', null],
	['tunl', null],
	['tuntap', null],
	['tap', null],
	['token', null],
	['tcpmetrics', do_tcp_metrics],
	['tcp_metrics', do_tcp_metrics],
	['monitor', do_ipmonitor],
	['xfrm', null],
	['mroute', null],
	['mrule', null],
	['netns', do_netns],
	['netconf', null],
	['vrf', null],
	['sr', null],
	['nexthop', null],
	['mptcp', null],
	['ioam', null],
	['stats', null],
	['help', usage],
];

async function do_cmd(g: ip_globals, words: readonly string[]): Promise<number> {
	const c = CMDS.find(([name]) => matches(words[0], name));
	if (c === undefined) {
		g.err(`Object "${words[0]}" is unknown, try "ip help".\n`);
		return 1;
	}
	if (c[1] === null) unsupported(g, c[0]);
	return -(await c[1](g, new args(g, words, 1)));
}

// ---- batch ----

/** The words of one line: quotes and a backslash at the end as the original reads them. */
function makeargs(line: string): string[] {
	const out: string[] = [];
	let i = 0;
	while (i < line.length) {
		const c = line[i];
		if (/\s/.test(c)) i++;
		else if (c === '"' || c === "'") {
			const end = line.indexOf(c, i + 1);
			const stop = end < 0 ? line.length : end;
			out.push(line.slice(i + 1, stop));
			i = stop + 1;
		} else {
			const m = /^[^\s]+/.exec(line.slice(i))!;
			out.push(m[0]);
			i += m[0].length;
		}
	}
	return out;
}

/** Lines of a batch file: comments gone, continued lines joined. With their numbers. */
function batch_lines(text: string): [number, string][] {
	const out: [number, string][] = [];
	let cur = '';
	let no = 0;
	for (const raw of text.split('\n')) {
		no++;
		const hash = raw.indexOf('#');
		const line = hash >= 0 ? raw.slice(0, hash) : raw;
		if (line.endsWith('\\')) {
			cur += line.slice(0, -1);
			continue;
		}
		out.push([no, cur + line]);
		cur = '';
	}
	return out;
}

async function batch(g: ip_globals, name: string): Promise<number> {
	const { proc } = g;
	g.batch_mode = true;
	let text: string;
	if (name === '-') text = utf8_decode(proc.stdin);
	else {
		const t = await proc.readFile(name);
		if (typeof t === 'number') {
			g.err(`Cannot open file "${name}" for reading: ${strerror(-t)}\n`);
			return 1;
		}
		text = t;
	}
	const family = g.preferred_family;
	let ret = 0;
	for (const [no, line] of batch_lines(text)) {
		const words = makeargs(line);
		if (words.length === 0) continue;
		g.preferred_family = family;
		g.nsids = null;
		const r = await do_cmd(g, words);
		g.flush();
		if (r !== 0) {
			g.err(`Command failed ${name}:${no}\n`);
			ret = 1;
			if (!g.force) break;
		}
	}
	return ret;
}

// ---- options ----

/** -c, -c=MODE. Return: whether the word was that. */
function color_option(g: ip_globals, opt: string): boolean {
	const eq = opt.indexOf('=');
	const word = eq < 0 ? opt : opt.slice(0, eq);
	if (!matches(word, '-color')) return false;
	const mode = eq < 0 ? 'always' : opt.slice(eq + 1);
	if (!['always', 'auto', 'never'].includes(mode)) return false;
	g.out.color = mode === 'always' || (mode === 'auto' && g.proc.stdout.isTTY);
	const bg = g.proc.env.get('COLORFGBG');
	g.out.dark =
		bg !== undefined && /;(\d+)$/.test(bg) && ['0', '1', '2', '3', '4', '5', '6', '8'].includes(bg.split(';').pop()!);
	return true;
}

async function run(g: ip_globals): Promise<number> {
	const { proc } = g;
	let batch_file: string | null = null;
	const words = proc.argv.slice(1);
	// `ip` under the name `ip6` or `ipaddr` would be that object; linnet installs it as `ip` alone.
	let i = 0;
	const value = (): string => {
		i++;
		if (i >= words.length) usage(g);
		return words[i];
	};
	for (; i < words.length; i++) {
		let opt = words[i];
		if (opt === '--') {
			i++;
			break;
		}
		if (opt[0] !== '-') break;
		if (opt[1] === '-') opt = opt.slice(1);
		if (matches(opt, '-loops')) {
			const v = value();
			const n = get_integer(v);
			if (n === null) invarg(g, 'loops', v);
			g.max_flush_loops = n;
		} else if (matches(opt, '-family')) {
			const v = value();
			if (v === 'help') usage(g);
			g.preferred_family = read_family(v);
			if (g.preferred_family === AF_UNSPEC) invarg(g, 'invalid protocol family', v);
		} else if (opt === '-4') g.preferred_family = AF_INET;
		else if (opt === '-6') g.preferred_family = AF_INET6;
		else if (opt === '-0') g.preferred_family = AF_PACKET;
		else if (opt === '-M') g.preferred_family = AF_MPLS;
		else if (opt === '-B') g.preferred_family = AF_BRIDGE;
		else if (matches(opt, '-human') || matches(opt, '-human-readable')) g.human_readable = true;
		else if (matches(opt, '-iec')) g.use_iec = true;
		else if (matches(opt, '-stats') || matches(opt, '-statistics')) g.show_stats++;
		else if (matches(opt, '-details')) g.show_details++;
		else if (matches(opt, '-resolve')) unsupported(g, '-resolve');
		else if (matches(opt, '-oneline')) g.oneline = true;
		else if (matches(opt, '-timestamp')) g.timestamp = Math.max(g.timestamp, 1);
		else if (matches(opt, '-tshort')) g.timestamp = 2;
		else if (matches(opt, '-Version')) {
			g.out.fp('ip utility, iproute2-6.1.0, libbpf 1.1.2\n');
			return 0;
		} else if (matches(opt, '-force')) g.force = true;
		else if (matches(opt, '-batch')) batch_file = value();
		else if (matches(opt, '-brief')) g.brief = true;
		else if (matches(opt, '-json')) g.json++;
		else if (matches(opt, '-pretty')) g.out.pretty = true;
		else if (matches(opt, '-rcvbuf')) {
			const v = value();
			const n = get_unsigned(v);
			if (n === null) {
				g.err(`Invalid rcvbuf size '${v}'\n`);
				exit(-1);
			}
			g.rcvbuf = n;
		} else if (color_option(g, opt)) {
			// Taken.
		} else if (matches(opt, '-help')) usage(g);
		else if (matches(opt, '-netns')) {
			const err = netns_switch(g, value());
			if (err !== 0) exit(-1);
		} else if (matches(opt, '-Numeric')) g.numeric = true;
		else if (matches(opt, '-all')) g.do_all = true;
		else if (matches(opt, '-echo')) {
			unsupported(g, '-echo');
		} else {
			g.err(`Option "${opt}" is unknown, try "ip -help".\n`);
			exit(-1);
		}
	}
	g.names = await read_rt_names(proc);
	g.names.numeric = g.numeric;
	g.ll = new ll_map(g);
	const rth = rtnl_open(g);
	if (rth === null) return 1;
	g.rth = rth;
	rtnl_set_strict_dump(rth);
	if (batch_file !== null) return batch(g, batch_file);
	if (i < words.length) return do_cmd(g, words.slice(i));
	usage(g);
}

/** `ip`. Return: exit status. */
export async function ip(proc: Process): Promise<number> {
	const g = new ip_globals(proc);
	let status: number;
	try {
		status = (await run(g)) & 0xff;
	} catch (e) {
		if (!(e instanceof ip_exit)) throw e;
		status = e.status;
	}
	g.flush();
	if (g.rth !== undefined) g.rth.close();
	return status;
}
