/*
 * user/iptables/xtables.ts: what the extensions and the command line share.        Original: libxtables (guided option parser)
 *
 * An extension is one file in ext/: a table of its options (type, bounds, what excludes what) and functions that write and print its
 * binary info. Values are parsed here by type. An error ends the program, as exit(3) does: `xtables_error` throws `program_exit`, which
 * only the program's main catches.
 */
import { put_unaligned_be16, put_unaligned_be32, put_unaligned_le16, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { XT_ALIGN, xt_get_revision } from '../../uapi/linux/netfilter/x_tables.ts';
import { IPT_SO_GET_REVISION_MATCH, IPT_SO_GET_REVISION_TARGET } from '../../uapi/linux/netfilter_ipv4/ip_tables.ts';
import type { iptc_socket } from './libiptc.ts';
import {
	type address_names,
	gethostornet,
	gethostornetbyname,
	getservbyname,
	NO_NAMES,
	parse_uint,
	strtoul,
	xtables_parse_protocol,
} from './netdb.ts';
import { type ipt_rule, put_cstring, utf8_encode } from './rule.ts';

export const PACKAGE_VERSION = '1.8.9';

export const OTHER_PROBLEM = 1;
export const PARAMETER_PROBLEM = 2;
export const VERSION_PROBLEM = 3;
export const RESOURCE_PROBLEM = 4;

/** The end of the program with an exit status. */
export class program_exit {
	status: number;

	constructor(status: number) {
		this.status = status;
	}
}

/** One run of a program of the package. */
export class xtables_globals {
	program_name: string;
	sock: iptc_socket;
	out: string[] = [];
	err: string[] = [];
	/** Line of the file being restored; -1 else. */
	line = -1;
	extensions: readonly xt_extension[];
	/** Restore keeps what it does not know as linnet_unknown. */
	keep_unknown = false;
	/** What the machine's files say of addresses. */
	names: address_names = NO_NAMES;

	constructor(program_name: string, sock: iptc_socket, extensions: readonly xt_extension[]) {
		this.program_name = program_name;
		this.sock = sock;
		this.extensions = extensions;
	}

	print(s: string): void {
		this.out.push(s);
	}

	eprint(s: string): void {
		this.err.push(s);
	}

	/** Says what is wrong and ends the program. */
	error(status: number, msg: string): never {
		const prog = this.program_name;
		this.eprint(`${prog} v${PACKAGE_VERSION} (legacy): ${msg}\n`);
		if (status === PARAMETER_PROBLEM) this.try_help();
		if (status === VERSION_PROBLEM)
			this.eprint(`Perhaps ${prog.replace(/-(save|restore)$/, '')} or your kernel needs to be upgraded.\n`);
		throw new program_exit(status);
	}

	try_help(): never {
		const prog = this.program_name;
		if (this.line >= 0) this.eprint(`Error occurred at line: ${this.line}\n`);
		this.eprint(`Try \`${prog} -h' or '${prog} --help' for more information.\n`);
		throw new program_exit(PARAMETER_PROBLEM);
	}
}

// ---- options ---------------------------------------------------------------------------------------------------------------------

export const XTOPT_INVERT = 1;
export const XTOPT_MAND = 2;
export const XTOPT_MULTI = 4;

/** What an option's argument is. `raw`: the extension parses it itself. */
export type xt_option_type =
	| 'none'
	| 'raw'
	| 'string'
	| 'uint8'
	| 'uint16'
	| 'uint32'
	| 'uint64'
	| 'uint8rc'
	| 'uint16rc'
	| 'uint32rc'
	| 'uint64rc'
	| 'double'
	| 'sysloglevel'
	| 'protocol'
	| 'port'
	| 'portrc'
	| 'host'
	| 'hostmask'
	| 'plen'
	| 'plenmask'
	| 'ethermac'
	| 'markmask32'
	| 'tosmask';

export interface xt_option {
	name: string;
	/** Bit number in xflags. */
	id: number;
	type: xt_option_type;
	flags?: number;
	/** Bits of options that it cannot stand beside, and of those that it needs. */
	excl?: number;
	also?: number;
	min?: number;
	max?: number;
	/** Where the value goes in the info by itself: offset, and the byte order of ports and addresses is network order. */
	put?: number;
	/** Bytes that a string may fill. */
	size?: number;
}

/** One option as it was given; handed to the extension's `parse`. */
export class xt_option_call {
	x: xtables_globals;
	ext: xt_extension;
	entry: xt_option;
	arg: string;
	invert: boolean;
	data: Uint8Array;
	/** The rule so far: its protocol. */
	rule: ipt_rule;
	/** Options of this extension given so far (this one not). */
	xflags: number;
	/** Number, or both ends of a range. */
	num = 0;
	range: [number, number] = [0, 0];
	nvals = 1;
	addr = 0;
	mask = 0xffffffff;
	/** All 16 bytes of a mask are set, as the original fills them when there is no prefix length. */
	whole_mask = false;
	value = 0;
	mac: Uint8Array = new Uint8Array(0);
	/** Further words of the command line, for options that take two. */
	next_word: () => string | null;

	constructor(
		x: xtables_globals,
		inst: ext_instance,
		entry: xt_option,
		arg: string,
		invert: boolean,
		rule: ipt_rule,
		next_word: () => string | null,
	) {
		this.x = x;
		this.ext = inst.ext;
		this.entry = entry;
		this.arg = arg;
		this.invert = invert;
		this.data = inst.data;
		this.xflags = inst.xflags;
		this.rule = rule;
		this.next_word = next_word;
	}

	bad(msg: string): never {
		this.x.error(PARAMETER_PROBLEM, msg);
	}
}

export interface xt_final_call {
	x: xtables_globals;
	ext: xt_extension;
	data: Uint8Array;
	xflags: number;
	rule: ipt_rule;
}

/** A match or target as userland knows it. */
export interface xt_extension {
	kind: 'match' | 'target';
	/** As the command line says it. */
	name: string;
	/** As the kernel says it, where that differs (state, NOTRACK). */
	kernel_name?: string;
	revision: number;
	/** Size of the binary info before alignment. */
	size: number;
	/** Bytes of it that tell two rules apart. Default: all. */
	userspacesize?: number;
	options: readonly xt_option[];
	help?: readonly string[];
	init?: (data: Uint8Array) => void;
	/** One option was given and its value parsed. */
	parse?: (cb: xt_option_call) => void;
	final_check?: (cb: xt_final_call) => void;
	/** What -L shows behind the addresses; begins with a space. */
	print: (data: Uint8Array, rule: ipt_rule, numeric: boolean) => string;
	/** Options for -S and iptables-save; begins with a space. */
	save: (data: Uint8Array, rule: ipt_rule) => string;
	/** Whether this one speaks for the info, where two share a kernel extension. */
	alias?: (data: Uint8Array) => boolean;
}

/** An extension in use in one rule. */
export class ext_instance {
	ext: xt_extension;
	data: Uint8Array;
	xflags = 0;

	constructor(ext: xt_extension) {
		this.ext = ext;
		this.data = new Uint8Array(XT_ALIGN(ext.size));
		if (ext.init !== undefined) ext.init(this.data);
	}
}

const UINT_MAX: Record<string, number> = {
	uint8: 0xff,
	uint16: 0xffff,
	uint32: 0xffffffff,
	uint64: 2 ** 64,
	uint8rc: 0xff,
	uint16rc: 0xffff,
	uint32rc: 0xffffffff,
	uint64rc: 2 ** 64,
};

function type_max_text(type: string): string {
	return type.startsWith('uint64') ? '18446744073709551615' : String(UINT_MAX[type]);
}

const SYSLOG_LEVELS: Record<string, number> = {
	alert: 1,
	crit: 2,
	debug: 7,
	emerg: 0,
	error: 3,
	info: 6,
	notice: 5,
	panic: 0,
	warning: 4,
};

/** One address, as -s takes it without a mask. Return: the address, or -1. */
export function parse_address(x: xtables_globals, s: string): number {
	const a = inet_aton(s);
	if (a >= 0) return a;
	const n = gethostornetbyname(x.names, s);
	if (n >= 0) return n;
	return x.error(PARAMETER_PROBLEM, `host/network \`${s}' not found`);
}

/** Dotted quad; each part may be hex or octal, missing ones are 0. Return: -1 when it is none. */
export function inet_aton(s: string): number {
	const parts = s.replace(/^\s+/, '').split('.');
	if (parts.length > 4) return -1;
	let a = 0;
	for (let i = 0; i < 4; i++) {
		const v = i < parts.length ? parse_uint(parts[i], 255) : 0;
		if (v < 0 || (i < parts.length && !/^[0-9]/.test(parts[i]))) return -1;
		a = a * 256 + v;
	}
	return a;
}

/** Four decimal parts. Return: -1 when it is none. */
export function numeric_to_ipaddr(s: string): number {
	const parts = s.split('.');
	if (parts.length !== 4) return -1;
	let a = 0;
	for (const p of parts) {
		if (!/^[0-9]{1,3}$/.test(p) || Number(p) > 255) return -1;
		a = a * 256 + Number(p);
	}
	return a;
}

export function plen_to_mask(plen: number): number {
	return plen === 0 ? 0 : (0xffffffff << (32 - plen)) >>> 0;
}

/** What stands behind the slash. */
export function parse_mask(x: xtables_globals, s: string | null): number {
	if (s === null) return 0xffffffff;
	const quad = numeric_to_ipaddr(s);
	if (quad >= 0) return quad;
	const n = strtoul(s.replace(/^\+/, ''));
	if (n === null || n.rest !== '' || n.value > 32) x.error(PARAMETER_PROBLEM, `invalid mask \`${s}' specified`);
	return plen_to_mask(n.value);
}

/** `a/mask`. Return: address (masked) and mask. */
export function parse_hostmask(x: xtables_globals, s: string): { addr: number; mask: number } {
	const at = s.lastIndexOf('/');
	const mask = parse_mask(x, at < 0 ? null : s.slice(at + 1));
	const host = at < 0 ? s : s.slice(0, at);
	// A name that means nothing under an empty mask is still looked up.
	const addr = parse_address(x, host);
	return { addr: (addr & mask) >>> 0, mask };
}

/** A port by number or name. */
export function xtables_parse_port(x: xtables_globals, s: string, proto: string): number {
	const n = parse_uint(s, 65535);
	if (n >= 0) return n;
	const p = getservbyname(s, proto);
	if (p >= 0) return p;
	return x.error(PARAMETER_PROBLEM, `invalid port/service \`${s}' specified`);
}

/** 32-bit prefix length of a mask; -1 when its bits are not in one row. */
export function ipmask_to_cidr(mask: number): number {
	let n = 0;
	while (n < 32 && (mask & (0x80000000 >>> n)) !== 0) n++;
	return plen_to_mask(n) === mask >>> 0 ? n : -1;
}

export function ip_str(a: number): string {
	return `${a >>> 24}.${(a >>> 16) & 255}.${(a >>> 8) & 255}.${a & 255}`;
}

/** What follows an address: nothing for a host, /24, or /255.0.255.0. */
export function ipmask_to_numeric(mask: number): string {
	const n = ipmask_to_cidr(mask);
	if (n < 0) return '/' + ip_str(mask);
	return n === 32 ? '' : '/' + n;
}

/** A name of the address where there is one. */
export function ipaddr_to_anyname(names: address_names, a: number): string {
	const name = gethostornet(names, a);
	return name !== '' ? name : ip_str(a);
}

/** Reads a whole number with strtoul's rules within bounds; null when it is none. */
function read_uint(s: string, min: number, max: number): { value: number; rest: string } | null {
	const n = strtoul(s);
	if (n === null || n.value < min || n.value > max) return null;
	return n;
}

function parse_int(cb: xt_option_call): void {
	const e = cb.entry;
	const min = e.min ?? 0;
	const max = e.max ?? UINT_MAX[e.type];
	const n = read_uint(cb.arg, min, max);
	if (n === null || n.rest !== '') {
		const upper = e.max !== undefined ? String(e.max) : type_max_text(e.type);
		cb.bad(`${cb.ext.name}: bad value for option "--${e.name}", or out of range (${min}-${upper}).\n`);
	}
	cb.num = n.value;
}

function parse_range(cb: xt_option_call): void {
	const e = cb.entry;
	const max = UINT_MAX[e.type];
	const max_text = type_max_text(e.type);
	let s = cb.arg;
	const vals: number[] = [];
	for (;;) {
		if (vals.length >= 2) cb.bad(`${cb.ext.name}: Too many components for option "--${e.name}" (max: 2)\n`);
		let n = { value: vals.length === 0 ? 0 : max, rest: s };
		if (s !== '' && s[0] !== ':') {
			const got = read_uint(s, 0, max);
			if (got === null)
				cb.bad(`${cb.ext.name}: bad value for option "--${e.name}" near "${s}", or out of range (0-${max_text}).\n`);
			n = got;
			if (n.rest !== '' && n.rest[0] !== ':')
				cb.bad(`${cb.ext.name}: Argument to "--${e.name}" has unexpected characters near "${n.rest}".\n`);
		}
		vals.push(n.value);
		if (n.rest === '') break;
		s = n.rest.slice(1);
	}
	cb.nvals = vals.length;
	cb.range = [vals[0], vals.length > 1 ? vals[1] : vals[0]];
	cb.num = vals[0];
}

function service_port(cb: xt_option_call, s: string): number {
	const n = parse_uint(s, Number.MAX_SAFE_INTEGER);
	if (n >= 0) {
		// The original takes the low 16 bits of any number.
		return n % 65536;
	}
	const p = getservbyname(s, '');
	if (p < 0) cb.bad(`Port "${s}" does not resolve to anything.\n`);
	return p;
}

function parse_ports(cb: xt_option_call): void {
	const e = cb.entry;
	const parts = cb.arg.split(':');
	if (e.type === 'port') {
		cb.num = service_port(cb, cb.arg);
		return;
	}
	if (parts.length > 2) cb.bad(`${cb.ext.name}: Too many components for option "--${e.name}" (max: 2)\n`);
	const lo = parts[0] === '' ? 0 : service_port(cb, parts[0]);
	let hi = lo;
	if (parts.length > 1) hi = parts[1] === '' ? 65535 : service_port(cb, parts[1]);
	cb.nvals = parts.length;
	cb.range = [lo, hi];
}

function parse_markmask(cb: xt_option_call): void {
	const name = cb.ext.name;
	const bad = `${name}: bad integer value for option "--${cb.entry.name}", or out of range.\n`;
	const v = read_uint(cb.arg, 0, 0xffffffff);
	if (v === null) cb.bad(bad);
	let mask = 0xffffffff;
	let rest = v.rest;
	if (rest[0] === '/') {
		const m = read_uint(rest.slice(1), 0, 0xffffffff);
		if (m === null) cb.bad(bad);
		mask = m.value;
		rest = m.rest;
	}
	if (rest !== '') cb.bad(`${name}: trailing garbage after value for option "--${cb.entry.name}".\n`);
	cb.value = v.value;
	cb.mask = mask;
}

const TOS_NAMES: readonly (readonly [string, number])[] = [
	['Minimize-Delay', 0x10],
	['Maximize-Throughput', 0x08],
	['Maximize-Reliability', 0x04],
	['Minimize-Cost', 0x02],
	['Normal-Service', 0x00],
];

export function tos_name(value: number, mask: number): string {
	if (mask !== 0x3f) return '';
	for (const [n, v] of TOS_NAMES) if (v === value) return n;
	return '';
}

function parse_tosmask(cb: xt_option_call): void {
	const s = cb.arg;
	const v = strtoul(s);
	if (v === null || v.value > 255) {
		const want = s.toLowerCase();
		for (const [n, value] of TOS_NAMES) {
			if (n.toLowerCase() === want) {
				cb.value = value;
				cb.mask = 0x3f;
				return;
			}
		}
		cb.bad(`Symbolic name "${s}" is unknown`);
	}
	cb.value = v.value;
	cb.mask = 0xff;
	if (v.rest[0] === '/') {
		const m = strtoul(v.rest.slice(1));
		if (m === null || m.rest !== '' || m.value > 255) cb.bad(`Illegal value: "${s}"`);
		cb.mask = m.value;
	} else if (v.rest !== '') cb.bad(`Illegal value: "${s}"`);
}

export function parse_mac(s: string): Uint8Array | null {
	const m =
		/^([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2})$/.exec(
			s,
		);
	return m === null ? null : Uint8Array.from(m.slice(1).map((h) => parseInt(h, 16)));
}

function parse_value(cb: xt_option_call): void {
	const e = cb.entry;
	switch (e.type) {
		case 'none':
		case 'raw':
			return;
		case 'string': {
			const n = utf8_encode(cb.arg).length;
			if (e.min !== undefined && n < e.min) cb.bad(`Argument must have a minimum length of ${e.min} characters\n`);
			if (e.max !== undefined && n > e.max) cb.bad(`Argument must have a maximum length of ${e.max} characters\n`);
			return;
		}
		case 'uint8':
		case 'uint16':
		case 'uint32':
		case 'uint64':
			parse_int(cb);
			return;
		case 'uint8rc':
		case 'uint16rc':
		case 'uint32rc':
		case 'uint64rc':
			parse_range(cb);
			return;
		case 'double': {
			const min = e.min ?? 0;
			const max = e.max ?? Infinity;
			if (
				!/^\d*\.?\d*(e[-+]?\d+)?$/i.test(cb.arg) ||
				cb.arg === '' ||
				Number.isNaN(Number(cb.arg)) ||
				Number(cb.arg) < min ||
				Number(cb.arg) > max
			)
				cb.bad(
					`${cb.ext.name}: bad value for option "--${e.name}", or out of range (${min.toFixed(6).replace(/\.?0+$/, '')}-${max}).\n`,
				);
			cb.num = Number(cb.arg);
			return;
		}
		case 'sysloglevel': {
			const n = parse_uint(cb.arg, 7);
			const level = n >= 0 ? n : SYSLOG_LEVELS[cb.arg];
			if (level === undefined) cb.bad(`log level "${cb.arg}" unknown\n`);
			cb.num = level;
			return;
		}
		case 'protocol': {
			const p = xtables_parse_protocol(cb.arg);
			if (p < 0) cb.bad(`unknown protocol "${cb.arg}" specified`);
			cb.num = p;
			return;
		}
		case 'port':
		case 'portrc':
			parse_ports(cb);
			return;
		case 'host':
			cb.addr = resolve_host(cb, cb.arg);
			cb.mask = 0xffffffff;
			cb.whole_mask = true;
			return;
		case 'hostmask': {
			const at = cb.arg.indexOf('/');
			cb.mask = 0xffffffff;
			cb.whole_mask = true;
			if (at >= 0) {
				const v = parse_plenmask(cb, cb.arg.slice(at + 1), 128);
				// A mask with holes counts as none: the original's way.
				if (ipmask_to_cidr(v) >= 0) {
					cb.mask = v;
					cb.whole_mask = false;
				}
			}
			cb.addr = resolve_host(cb, at < 0 ? cb.arg : cb.arg.slice(0, at));
			return;
		}
		case 'plen': {
			const n = read_uint(cb.arg, 0, 32);
			if (n === null || n.rest !== '')
				cb.bad(`${cb.ext.name}: bad value for option "--${e.name}", or out of range (0-32).\n`);
			cb.num = n.value;
			return;
		}
		case 'plenmask':
			cb.mask = parse_plenmask(cb, cb.arg, 32);
			return;
		case 'ethermac': {
			const mac = parse_mac(cb.arg);
			if (mac === null) cb.bad('Invalid MAC address specified.');
			cb.mac = mac;
			return;
		}
		case 'markmask32':
			parse_markmask(cb);
			return;
		case 'tosmask':
			parse_tosmask(cb);
			return;
	}
}

/** inet_aton(3): 1 to 4 parts, the last one filling what is left. Return: -1 when it is none. */
function classic_aton(s: string): number {
	const parts = s.split('.');
	if (parts.length > 4) return -1;
	let a = 0;
	for (let i = 0; i < parts.length; i++) {
		const last = i === parts.length - 1;
		const v = /^[0-9]/.test(parts[i]) ? parse_uint(parts[i], last ? 256 ** (4 - i) - 1 : 255) : -1;
		if (v < 0) return -1;
		a += last ? v : v * 256 ** (3 - i);
	}
	return a;
}

function resolve_host(cb: xt_option_call, s: string): number {
	const a = classic_aton(s);
	if (a >= 0) return a;
	for (const [n, addr] of cb.x.names.hosts) if (n === s) return addr;
	if (/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(s)) cb.bad('getaddrinfo: Address family for hostname not supported\n');
	return cb.bad('getaddrinfo: Temporary failure in name resolution\n');
}

function parse_plenmask(cb: xt_option_call, s: string, most: number): number {
	const quad = numeric_to_ipaddr(s);
	if (quad >= 0) return quad;
	const n = read_uint(s, 0, most);
	if (n === null || n.rest !== '')
		cb.bad(
			`${cb.ext.name}: bad value for option "--${cb.entry.name}", neither a valid network mask nor valid CIDR (0-32).\n`,
		);
	return plen_to_mask(Math.min(n.value, 32));
}

function put_value(cb: xt_option_call): void {
	const at = cb.entry.put;
	if (at === undefined) return;
	const d = cb.data;
	switch (cb.entry.type) {
		case 'uint8':
		case 'sysloglevel':
		case 'protocol':
		case 'plen':
			d[at] = cb.num;
			break;
		case 'uint16':
			put_unaligned_le16(d, at, cb.num);
			break;
		case 'uint32':
			put_unaligned_le32(d, at, cb.num);
			break;
		case 'uint64':
			put_unaligned_le32(d, at, cb.num % 0x100000000);
			put_unaligned_le32(d, at + 4, Math.floor(cb.num / 0x100000000));
			break;
		case 'uint8rc':
			d[at] = cb.range[0];
			d[at + 1] = cb.range[1];
			break;
		case 'uint16rc':
		case 'portrc':
			put_unaligned_le16(d, at, cb.range[0]);
			put_unaligned_le16(d, at + 2, cb.range[1]);
			break;
		case 'uint32rc':
			put_unaligned_le32(d, at, cb.range[0]);
			put_unaligned_le32(d, at + 4, cb.range[1]);
			break;
		case 'port':
			put_unaligned_be16(d, at, cb.num);
			break;
		case 'host':
			put_unaligned_be32(d, at, cb.addr);
			break;
		case 'string':
			d.fill(0, at, at + (cb.entry.size ?? 0));
			put_cstring(d, at, cb.entry.size ?? 0, cb.arg);
			break;
		case 'ethermac':
			d.set(cb.mac, at);
			break;
		default:
			break;
	}
}

/** An extension's option was given: checks, reads and hands on its value. */
export function option_call(cb: xt_option_call, inst: ext_instance): void {
	// Errors name an option by the first of its names.
	const first = cb.ext.options.find((o) => o.id === cb.entry.id);
	if (first !== undefined) cb.entry = first;
	const e = cb.entry;
	const bit = 1 << e.id;
	const flags = e.flags ?? 0;
	if (e.type !== 'raw' || (flags & XTOPT_MULTI) === 0) {
		if ((inst.xflags & bit) !== 0 && (flags & XTOPT_MULTI) === 0)
			cb.bad(`${cb.ext.name}: option "--${e.name}" can only be used once.\n`);
		if (cb.invert && (flags & XTOPT_INVERT) === 0) cb.bad(`${cb.ext.name}: option "--${e.name}" cannot be inverted.\n`);
	}
	parse_value(cb);
	put_value(cb);
	if (cb.ext.parse !== undefined) cb.ext.parse(cb);
	inst.xflags |= bit;
}

/** After the last option: what must be there, what excludes what, and the extension's own last word. */
export function options_fcheck(x: xtables_globals, inst: ext_instance, rule: ipt_rule): void {
	const ext = inst.ext;
	if (ext.final_check !== undefined) ext.final_check({ x, ext, data: inst.data, xflags: inst.xflags, rule });
	for (const e of ext.options) {
		const bit = 1 << e.id;
		if (((e.flags ?? 0) & XTOPT_MAND) !== 0 && (inst.xflags & bit) === 0)
			x.error(PARAMETER_PROBLEM, `${ext.name}: option "--${e.name}" must be specified\n`);
		if ((inst.xflags & bit) === 0) continue;
		for (const o of ext.options) {
			const other = 1 << o.id;
			if (o.id === e.id) continue;
			if (((e.also ?? 0) & other) !== 0 && (inst.xflags & other) === 0)
				x.error(PARAMETER_PROBLEM, `${ext.name}: option "--${e.name}" also requires "--${o.name}".\n`);
			if (((e.excl ?? 0) & other) !== 0 && (inst.xflags & other) !== 0)
				x.error(PARAMETER_PROBLEM, `${ext.name}: option "--${e.name}" cannot be used together with "--${o.name}".\n`);
		}
	}
}

/** Whether the kernel knows the extension (IPT_SO_GET_REVISION_*). */
function compatible(x: xtables_globals, ext: xt_extension): boolean {
	const rev = new Uint8Array(xt_get_revision.sizeof);
	put_cstring(rev, 0, xt_get_revision.revision, ext.kernel_name ?? ext.name);
	rev[xt_get_revision.revision] = ext.revision;
	const opt = ext.kind === 'target' ? IPT_SO_GET_REVISION_TARGET : IPT_SO_GET_REVISION_MATCH;
	return x.sock.getsockopt(opt, rev) >= 0;
}

/** The extension by the name that the command line says; null when there is none, or the kernel has none. */
export function find_extension(x: xtables_globals, kind: 'match' | 'target', name: string): xt_extension | null {
	for (const e of x.extensions) if (e.kind === kind && e.name === name) return compatible(x, e) ? e : null;
	return null;
}

/** The extension that speaks for an info that the kernel gave out; null when none does. */
export function extension_of(
	extensions: readonly xt_extension[],
	kind: 'match' | 'target',
	name: string,
	revision: number,
	data: Uint8Array,
): xt_extension | null {
	for (const e of extensions) {
		if (e.kind !== kind || (e.kernel_name ?? e.name) !== name || e.revision !== revision) continue;
		if (data.length < e.size) continue;
		if (e.alias === undefined || e.alias(data)) return e;
	}
	return null;
}

/** Puts quotes and backslashes round a string as iptables-save does. */
export function xtables_save_string(s: string): string {
	if (s !== '' && /^[A-Za-z0-9_-]*$/.test(s)) return ' ' + s;
	return ' "' + s.replace(/["\\']/g, (c) => '\\' + c) + '"';
}
