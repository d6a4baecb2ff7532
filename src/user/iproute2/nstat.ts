/*
 * user/iproute2/nstat.ts: `nstat`: the MIB counters, and what they grew since it was last asked.     Original: misc/nstat.c of iproute2 6.1
 * History stands in /tmp/.nstat.uUID, or in $NSTAT_HISTORY. -d and -t (a daemon's averages) are refused.
 */
import type { Process } from '../libc.ts';
import { Printer } from './json_print.ts';
import { fnmatch, matches } from './utils.ts';

const USAGE = `Usage: nstat [OPTION] [ PATTERN [ PATTERN ] ]
   -h, --help          this message
   -a, --ignore        ignore history
   -d, --scan=SECS     sample every statistics every SECS
   -j, --json          format output in JSON
   -n, --nooutput      do history only
   -p, --pretty        pretty print
   -r, --reset         reset history
   -s, --noupdate      don't update history
   -t, --interval=SECS report average over the last SECS
   -V, --version       output version information
   -z, --zeros         show entries with zero activity
`;

/** What is no counter. */
const USELESS = new Set([
	'IpForwarding',
	'IpDefaultTTL',
	'TcpRtoAlgorithm',
	'TcpRtoMin',
	'TcpRtoMax',
	'TcpMaxConn',
	'TcpCurrEstab',
]);

/** Pairs of lines: names, values. */
function ugly(text: string, into: Map<string, number>): void {
	const lines = text.split('\n');
	for (let i = 0; i + 1 < lines.length; i += 2) {
		const [head, ...names] = lines[i].trim().split(/\s+/);
		const values = lines[i + 1].trim().split(/\s+/).slice(1);
		const prefix = head.replace(':', '');
		names.forEach((n, k) => {
			into.set(prefix + n, Number(values[k]));
		});
	}
}

/** Name and value a line. */
function good(text: string, into: Map<string, number>): void {
	for (const line of text.split('\n')) {
		const m = /^(\S+)\s+(\S+)/.exec(line);
		if (m !== null) into.set(m[1], Number(m[2]));
	}
}

async function counters(proc: Process): Promise<Map<string, number>> {
	const out = new Map<string, number>();
	const snmp = await proc.readFile('/proc/net/snmp');
	if (typeof snmp === 'string') ugly(snmp, out);
	const snmp6 = await proc.readFile('/proc/net/snmp6');
	if (typeof snmp6 === 'string') good(snmp6, out);
	const netstat = await proc.readFile('/proc/net/netstat');
	if (typeof netstat === 'string') ugly(netstat, out);
	for (const name of USELESS) out.delete(name);
	return out;
}

const LONG: Record<string, string> = {
	help: 'h',
	ignore: 'a',
	scan: 'd',
	json: 'j',
	nooutput: 'n',
	pretty: 'p',
	reset: 'r',
	noupdate: 's',
	interval: 't',
	version: 'V',
	zeros: 'z',
};

/** `nstat`. Return: exit status. */
export async function nstat(proc: Process): Promise<number> {
	const set = new Set<string>();
	const patterns: string[] = [];
	for (const arg of proc.argv.slice(1)) {
		let letters = '';
		if (arg.startsWith('--') && arg.length > 2) {
			const name = Object.keys(LONG).find((l) => matches(arg.slice(2).split('=')[0], l));
			if (name === undefined) {
				proc.stderr.write(`nstat: unrecognized option '${arg}'\n${USAGE}`);
				return 255;
			}
			letters = LONG[name];
		} else if (arg.startsWith('-') && arg.length > 1) letters = arg.slice(1);
		else patterns.push(arg);
		for (const c of letters) {
			if (c === 'd' || c === 't') {
				proc.stderr.write(`nstat: "-${c}" is not supported by linnet\n`);
				return 1;
			}
			if (!'hajnprsVz'.includes(c)) {
				proc.stderr.write(`nstat: invalid option -- '${c}'\n${USAGE}`);
				return 255;
			}
			set.add(c);
		}
	}
	if (set.has('h')) {
		proc.stderr.write(USAGE);
		return 0;
	}
	if (set.has('V')) {
		proc.stdout.write('nstat utility, iproute2-6.1.0\n');
		return 0;
	}
	const path = proc.env.get('NSTAT_HISTORY') ?? `/tmp/.nstat.u${proc.task.uid}`;
	const history = new Map<string, number>();
	const old = await proc.readFile(path);
	if (typeof old === 'string' && !set.has('r')) good(old, history);
	const now = await counters(proc);
	const p = new Printer();
	if (!set.has('n')) {
		p.pretty = set.has('p');
		if (set.has('j')) {
			p.start_object();
			p.json = true;
			p.open_json_object('kernel');
		} else p.fp('#kernel\n');
		for (const [name, value] of now) {
			const v = set.has('a') ? value : value - (history.get(name) ?? 0);
			if (v === 0 && !set.has('z')) continue;
			if (patterns.length > 0 && !patterns.some((x) => fnmatch(x, name))) continue;
			p.js(name, v);
			p.fp(`${name.padEnd(32)}${String(v).padEnd(16)}   0.0\n`);
		}
		if (set.has('j')) {
			p.close_json_object();
			p.end_object();
			p.text += '\n';
		}
		proc.stdout.write(p.take());
	}
	if (!set.has('s')) {
		let text = '#kernel\n';
		for (const [name, value] of now) if (value !== 0) text += `${name.padEnd(32)}${String(value).padEnd(16)}   0.0\n`;
		await proc.writeFile(path, text);
	}
	return 0;
}
