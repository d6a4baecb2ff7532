/*
 * user/iproute2/utils.ts: words into numbers and addresses, and the ways to complain.   Original: lib/utils.c
 * A program that gives up ends as exit(3) does: `exit` throws ip_exit, which ip() catches.
 */

import { AF_INET, AF_INET6, AF_PACKET, AF_UNSPEC } from '../../uapi/linux/socket.ts';
import type { Process } from '../libc.ts';
import { Printer } from './json_print.ts';
import type { rtnl_handle } from './libnetlink.ts';
import type { ll_map } from './ll_map.ts';
import type { rt_names } from './rt_names.ts';

export const AF_BRIDGE = 7;
export const AF_MPLS = 28;

/** exit(3). */
export class ip_exit {
	status: number;

	constructor(status: number) {
		this.status = status & 0xff;
	}
}

export function exit(status: number): never {
	throw new ip_exit(status);
}

/** One run of the program: what is global in the original. */
export class ip_globals {
	proc: Process;
	out: Printer = new Printer();
	rth!: rtnl_handle;
	ll!: ll_map;
	names!: rt_names;
	preferred_family = AF_UNSPEC;
	human_readable = false;
	use_iec = false;
	show_stats = 0;
	show_details = 0;
	oneline = false;
	brief = false;
	json = 0;
	timestamp = 0;
	force = false;
	max_flush_loops = 10;
	batch_mode = false;
	/** A list of links was shown. */
	do_link = false;
	do_all = false;
	numeric = false;
	rcvbuf = 1024 * 1024;
	/** Names of the namespaces that ours has ids for; null until read (netns_map_init). */
	nsids: Map<number, string> | null = null;

	constructor(proc: Process) {
		this.proc = proc;
	}

	/** The line break within an entry: a backslash with -o. */
	get nl(): string {
		return this.oneline ? '\\' : '\n';
	}

	err(text: string): void {
		this.flush();
		this.proc.stderr.write(text);
	}

	flush(): void {
		const t = this.out.take();
		if (t !== '') this.proc.stdout.write(t);
	}
}

/** Words still to be read. */
export class args {
	g: ip_globals;
	argv: readonly string[];
	i: number;

	constructor(g: ip_globals, argv: readonly string[], i = 0) {
		this.g = g;
		this.argv = argv;
		this.i = i;
	}

	get left(): number {
		return this.argv.length - this.i;
	}

	get more(): boolean {
		return this.i < this.argv.length;
	}

	get word(): string {
		return this.argv[this.i] ?? '';
	}

	/** Moves on; it is an error when nothing is there (NEXT_ARG). */
	next(): string {
		this.i++;
		if (this.i >= this.argv.length) incomplete_command(this.g);
		return this.argv[this.i];
	}

	/** The word after this one, or null (NEXT_ARG_OK, NEXT_ARG_FWD). */
	peek(): string | null {
		return this.i + 1 < this.argv.length ? this.argv[this.i + 1] : null;
	}

	shift(): void {
		this.i++;
	}

	is(...words: string[]): boolean {
		return words.includes(this.word);
	}

	/** Whether the word is a beginning of `word`. */
	matches(word: string): boolean {
		return matches(this.word, word);
	}
}

/** Whether `arg` abbreviates `word`. */
export function matches(arg: string, word: string): boolean {
	return arg !== '' && word.startsWith(arg);
}

// ---- complaints ----

export function incomplete_command(g: ip_globals): never {
	g.err('Command line is not complete. Try option "help"\n');
	exit(-1);
}

export function missarg(g: ip_globals, key: string): never {
	g.err(`Error: argument "${key}" is required\n`);
	exit(-1);
}

export function invarg(g: ip_globals, msg: string, arg: string): never {
	g.err(`Error: argument "${arg}" is wrong: ${msg}\n`);
	exit(-1);
}

export function duparg(g: ip_globals, key: string, arg: string): never {
	g.err(`Error: duplicate "${key}": "${arg}" is the second value.\n`);
	exit(-1);
}

export function duparg2(g: ip_globals, key: string, arg: string): never {
	g.err(`Error: either "${key}" is duplicate, or "${arg}" is a garbage.\n`);
	exit(-1);
}

export function nodev(g: ip_globals, dev: string): number {
	g.err(`Cannot find device "${dev}"\n`);
	return -1;
}

/** What the original has and linnet has not is refused by name. */
export function unsupported(g: ip_globals, what: string): never {
	g.err(`ip: "${what}" is not supported by linnet\n`);
	exit(-1);
}

// ---- numbers ----

/** strtoul with base 0, the whole word. Return: NaN when it is none. */
export function strtoul(s: string): number {
	const m = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(s);
	if (m === null) return NaN;
	const digits = m[2];
	const v = /^0[0-7]+$/.test(digits) ? parseInt(digits, 8) : Number(digits);
	return m[1] === '-' ? -v : v;
}

/** A number of base 10, or hex when `base` is 16; NaN when the word is none. */
export function strtoul_base(s: string, base: number): number {
	const ok = base === 16 ? /^(0[xX])?[0-9a-fA-F]+$/.test(s) : base === 10 ? /^[0-9]+$/.test(s) : false;
	return ok ? parseInt(s, base) : NaN;
}

/** A number in 0 … `max`, or null. */
export function get_unsigned(s: string, max = 0xffffffff, base = 0): number | null {
	const v = base === 0 ? strtoul(s) : strtoul_base(s, base);
	return Number.isNaN(v) || v < 0 || v > max ? null : v;
}

export function get_u32(s: string, base = 0): number | null {
	return get_unsigned(s, 0xffffffff, base);
}

export function get_u16(s: string, base = 0): number | null {
	return get_unsigned(s, 0xffff, base);
}

export function get_u8(s: string, base = 0): number | null {
	return get_unsigned(s, 0xff, base);
}

export function get_integer(s: string): number | null {
	const v = strtoul(s);
	return Number.isNaN(v) || v < -0x80000000 || v > 0x7fffffff ? null : v;
}

/** Time of a metric: bare numbers are raw, `s` and `ms` milliseconds. Return: [value, raw] or null. */
export function get_time_rtt(s: string): [number, boolean] | null {
	const m = /^(\d*\.?\d+(?:[eE][-+]?\d+)?)([a-zA-Z]*)$/.exec(s);
	if (m === null) return null;
	const v = Number(m[1]);
	const unit = m[2].toLowerCase();
	if (unit === '') return /[.eE]/.test(m[1]) ? [v * 1000, false] : [v, true];
	if (unit === 's' || unit === 'sec' || unit === 'secs') return [Math.ceil(v * 1000), false];
	if (unit === 'ms' || unit === 'msec' || unit === 'msecs') return [Math.ceil(v), false];
	return null;
}

// ---- addresses ----

/** An address or a prefix, in network order. */
export class inet_prefix {
	family = AF_UNSPEC;
	bytelen = 0;
	/** -1: as long as the address, not said. */
	bitlen = -1;
	data: Uint8Array = new Uint8Array(0);
	/** PREFIXLEN_SPECIFIED, ADDRTYPE_INET_UNSPEC, … */
	flags = 0;
}

export const PREFIXLEN_SPECIFIED = 1;
export const ADDRTYPE_INET = 1 << 1;
export const ADDRTYPE_UNSPEC = 1 << 2;
export const ADDRTYPE_MULTI = 1 << 3;

/** Dotted quads; fewer parts are the first ones (`10.1` is 10.1.0.0). Return: null when it is none. */
export function get_addr_ipv4(s: string): Uint8Array | null {
	const parts = s.split('.');
	if (parts.length > 4) return null;
	const out = new Uint8Array(4);
	for (let i = 0; i < parts.length; i++) {
		const v = strtoul(parts[i]);
		if (Number.isNaN(v) || v < 0 || v > 255) return null;
		out[i] = v;
	}
	return out;
}

/** inet_pton(AF_INET6). */
export function inet_pton6(s: string): Uint8Array | null {
	const halves = s.split('::');
	if (halves.length > 2) return null;
	const words = (part: string): number[] | null => {
		if (part === '') return [];
		const out: number[] = [];
		const items = part.split(':');
		for (let i = 0; i < items.length; i++) {
			if (i === items.length - 1 && items[i].includes('.')) {
				if (!/^\d+\.\d+\.\d+\.\d+$/.test(items[i])) return null;
				const v4 = get_addr_ipv4(items[i]);
				if (v4 === null) return null;
				out.push((v4[0] << 8) | v4[1], (v4[2] << 8) | v4[3]);
			} else {
				if (!/^[0-9a-fA-F]{1,4}$/.test(items[i])) return null;
				out.push(parseInt(items[i], 16));
			}
		}
		return out;
	};
	const head = words(halves[0]);
	const tail = halves.length === 2 ? words(halves[1]) : [];
	if (head === null || tail === null) return null;
	const n = head.length + tail.length;
	if (halves.length === 2 ? n > 7 : n !== 8) return null;
	const all = [...head, ...new Array<number>(8 - n).fill(0), ...tail];
	const out = new Uint8Array(16);
	all.forEach((w, i) => {
		out[2 * i] = w >> 8;
		out[2 * i + 1] = w;
	});
	return out;
}

/** inet_ntop(AF_INET6). */
export function inet_ntop6(b: Uint8Array): string {
	const w: number[] = [];
	for (let i = 0; i < 8; i++) w.push((b[2 * i] << 8) | b[2 * i + 1]);
	let best = -1;
	let bestLen = 1;
	for (let i = 0; i < 8; i++) {
		let n = 0;
		while (i + n < 8 && w[i + n] === 0) n++;
		if (n > bestLen) {
			best = i;
			bestLen = n;
		}
	}
	const v4 = best === 0 && (bestLen === 6 || (bestLen === 5 && w[5] === 0xffff));
	const hex = (list: number[]): string => list.map((x) => x.toString(16)).join(':');
	if (v4) return `::${w[5] === 0xffff ? 'ffff:' : ''}${b[12]}.${b[13]}.${b[14]}.${b[15]}`;
	if (best < 0) return hex(w);
	return `${hex(w.slice(0, best))}::${hex(w.slice(best + bestLen))}`;
}

/** Hardware addresses as `aa:bb:…`, each part read as far as it is hex. Return: null with a complaint. */
export function ll_addr_a2n(g: ip_globals, s: string): Uint8Array | null {
	if (s.includes('.')) {
		const v4 = get_addr_ipv4(s);
		if (v4 === null) {
			g.err(`"${s}" is invalid lladdr.\n`);
			return null;
		}
		return v4;
	}
	const out: number[] = [];
	for (const part of s.split(':')) {
		// As sscanf("%x") reads: what follows the first digits does not matter.
		const m = /^\s*([+-]?)(?:0[xX])?([0-9a-fA-F]+)/.exec(part);
		const v = m === null ? -1 : parseInt(m[2], 16);
		if (m === null || v > 255 || (m[1] === '-' && v !== 0)) {
			g.err(`"${part}" is invalid lladdr.\n`);
			return null;
		}
		out.push(v);
	}
	return Uint8Array.from(out.slice(0, 20));
}

export function ll_addr_n2a(b: Uint8Array, type: number): string {
	// ARPHRD_TUNNEL, SIT, IPGRE show their ends as addresses.
	if (b.length === 4 && (type === 768 || type === 776 || type === 778)) return b.join('.');
	if (b.length === 16 && (type === 769 || type === 823)) return inet_ntop6(b);
	return Array.from(b, (x) => x.toString(16).padStart(2, '0')).join(':');
}

export function family_name(family: number): string {
	switch (family) {
		case AF_INET:
			return 'inet';
		case AF_INET6:
			return 'inet6';
		case AF_PACKET:
			return 'link';
		case AF_MPLS:
			return 'mpls';
		case AF_BRIDGE:
			return 'bridge';
		default:
			return '???';
	}
}

export function read_family(name: string): number {
	switch (name) {
		case 'inet':
			return AF_INET;
		case 'inet6':
			return AF_INET6;
		case 'link':
			return AF_PACKET;
		case 'mpls':
			return AF_MPLS;
		case 'bridge':
			return AF_BRIDGE;
		default:
			return AF_UNSPEC;
	}
}

export function af_bit_len(family: number): number {
	return family === AF_INET6 ? 128 : family === AF_INET ? 32 : family === AF_MPLS ? 20 : 0;
}

/** An address of `family` (0: as it looks); `any`, `all` and `default` are the one of zeros. Return: null when it is none. */
function get_addr_1(name: string, family: number): inet_prefix | null {
	const a = new inet_prefix();
	if (name === 'default') {
		if (family === AF_MPLS) return null;
		a.family = family;
		a.bytelen = af_bit_len(family) / 8;
		a.data = new Uint8Array(a.bytelen);
		a.bitlen = -2;
		a.flags |= PREFIXLEN_SPECIFIED | ADDRTYPE_UNSPEC;
		return a;
	}
	if (name === 'all' || name === 'any') {
		if (family === AF_MPLS) return null;
		a.family = family;
		a.bytelen = 0;
		a.bitlen = -2;
		a.flags |= ADDRTYPE_UNSPEC;
		return a;
	}
	if (family === AF_PACKET || family === AF_MPLS) return null;
	if (name.includes(':')) {
		if (family !== AF_UNSPEC && family !== AF_INET6) return null;
		const b = inet_pton6(name);
		if (b === null) return null;
		a.family = AF_INET6;
		a.bytelen = 16;
		a.data = b;
	} else {
		if (family !== AF_UNSPEC && family !== AF_INET) return null;
		const b = get_addr_ipv4(name);
		if (b === null) return null;
		a.family = AF_INET;
		a.bytelen = 4;
		a.data = b;
	}
	a.bitlen = -1;
	const unspec = a.data.every((x) => x === 0);
	const multi = a.family === AF_INET ? (a.data[0] & 0xf0) === 0xe0 : a.data[0] === 0xff;
	a.flags |= (unspec ? ADDRTYPE_UNSPEC : 0) | (multi ? ADDRTYPE_MULTI : 0) | ADDRTYPE_INET;
	return a;
}

function family_name_verbose(family: number): string {
	return family === AF_UNSPEC ? 'any valid' : family_name(family);
}

/** An address, or the end of the program. */
export function get_addr(g: ip_globals, arg: string, family: number): inet_prefix {
	const a = get_addr_1(arg, family);
	if (a === null) {
		g.err(`Error: ${family_name_verbose(family)} address is expected rather than "${arg}".\n`);
		exit(1);
	}
	return a;
}

/** The length of a mask in network order, or -1. */
function mask2bits(b: Uint8Array): number {
	let bits = 0;
	let ended = false;
	for (const x of b) {
		for (let i = 7; i >= 0; i--) {
			if ((x >> i) & 1) {
				if (ended) return -1;
				bits++;
			} else ended = true;
		}
	}
	return bits;
}

function get_netmask(s: string): number | null {
	const v = get_unsigned(s);
	if (v !== null) return v;
	const m = get_addr_1(s, AF_INET);
	if (m === null || m.bytelen !== 4) return null;
	const bits = mask2bits(m.data);
	return bits < 0 ? null : bits;
}

/** ADDRESS[/LENGTH], or the end of the program. */
export function get_prefix(g: ip_globals, arg: string, family: number): inet_prefix {
	if (family === AF_PACKET) {
		g.err(`Error: "${arg}" may be inet prefix, but it is not allowed in this context.\n`);
		exit(1);
	}
	const a = get_prefix_1(arg, family);
	if (a === null) {
		g.err(`Error: ${family_name_verbose(family)} prefix is expected rather than "${arg}".\n`);
		exit(1);
	}
	return a;
}

function get_prefix_1(arg: string, family: number): inet_prefix | null {
	const slash = arg.indexOf('/');
	const a = get_addr_1(slash < 0 ? arg : arg.slice(0, slash), family);
	if (a === null) return null;
	const bits = af_bit_len(a.family);
	const plen = slash < 0 ? bits : get_netmask(arg.slice(slash + 1));
	if (plen === null || plen > bits) return null;
	if (slash >= 0) a.flags |= PREFIXLEN_SPECIFIED;
	a.bitlen = a.bitlen === -2 ? 0 : plen;
	return a;
}

/** Four bytes of an IPv4 address, or the end of the program. */
export function get_addr32(g: ip_globals, name: string): Uint8Array {
	const a = get_addr_1(name, AF_INET);
	if (a === null) {
		g.err(`Error: an IP address is expected rather than "${name}"\n`);
		exit(1);
	}
	return a.data.length === 4 ? a.data : new Uint8Array(4);
}

/** Whether the first `bits` of both are the same (0), as memcmp says it. */
export function inet_addr_match(a: Uint8Array, b: Uint8Array, bits: number): boolean {
	const bytes = bits >> 3;
	for (let i = 0; i < bytes; i++) if (a[i] !== b[i]) return false;
	const rest = bits & 7;
	if (rest === 0) return true;
	const mask = (0xff00 >> rest) & 0xff;
	return ((a[bytes] ^ b[bytes]) & mask) === 0;
}

/** Text of an address by family. */
export function rt_addr_n2a(family: number, b: Uint8Array): string {
	switch (family) {
		case AF_INET:
			return b.length >= 4 ? `${b[0]}.${b[1]}.${b[2]}.${b[3]}` : '???';
		case AF_INET6:
			return b.length >= 16 ? inet_ntop6(b) : '???';
		case AF_PACKET:
			return ll_addr_n2a(b, 1);
		default:
			return '???';
	}
}

/** The same; with -r names would be looked up, which needs a resolver that linnet has not. */
export const format_host: (family: number, b: Uint8Array) => string = rt_addr_n2a;

/** Device names: 1 to 15 characters, no slash or space. */
export function check_ifname(name: string): boolean {
	return name !== '' && name.length < 16 && !/[/\s]/.test(name);
}

export function check_altifname(name: string): boolean {
	return name !== '' && name.length < 128 && !/[/\s]/.test(name);
}

/** fnmatch(3) with *, ? and [...]. */
export function fnmatch(pattern: string, text: string): boolean {
	let re = '^';
	for (let i = 0; i < pattern.length; i++) {
		const c = pattern[i];
		const close = c === '[' ? pattern.indexOf(']', i + 2) : -1;
		if (c === '*') re += '.*';
		else if (c === '?') re += '.';
		else if (close > 0) {
			re +=
				'[' +
				pattern
					.slice(i + 1, close)
					.replace(/^!/, '^')
					.replace(/\\/g, '\\\\') +
				']';
			i = close;
		} else re += c.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
	}
	return new RegExp(re + '$', 's').test(text);
}

/** Year, month (0 to 11), day, weekday, and the time of a day since 1970, in UTC. */
export function civil(sec: number): { y: number; m: number; d: number; wd: number; hms: string } {
	const days = Math.floor(sec / 86400);
	const rest = sec - days * 86400;
	// Howard Hinnant's days-from-civil, backwards: eras of 400 years, the year beginning in March.
	const z = days + 719468;
	const era = Math.floor(z / 146097);
	const doe = z - era * 146097;
	const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36524) - Math.floor(doe / 146096)) / 365);
	const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
	const mp = Math.floor((5 * doy + 2) / 153);
	const m = mp < 10 ? mp + 2 : mp - 10;
	const two = (v: number): string => String(v).padStart(2, '0');
	return {
		y: yoe + era * 400 + (m < 2 ? 1 : 0),
		m,
		d: doy - Math.floor((153 * mp + 2) / 5) + 1,
		wd: (((days + 4) % 7) + 7) % 7,
		hms: `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`,
	};
}
