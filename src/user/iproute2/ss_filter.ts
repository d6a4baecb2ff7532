/*
 * user/iproute2/ss_filter.ts: the filters of ss: words to a tree, and that to the kernel's bytecode.   Original: misc/ss.c, ssfilter.y of iproute2 6.1
 *
 * or and and (which may be left out) bind alike, from the left; not binds most; conditions stand after src, dst, sport, dport, dev, fwmark, cgroup, or alone
 * (autobound). Code: each operation says how far to go on when it holds and when not; what is refused runs 4 bytes past the end.
 */
import { put_unaligned_le16, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	INET_DIAG_BC_AUTO,
	INET_DIAG_BC_CGROUP_COND,
	INET_DIAG_BC_D_COND,
	INET_DIAG_BC_D_GE,
	INET_DIAG_BC_D_LE,
	INET_DIAG_BC_DEV_COND,
	INET_DIAG_BC_JMP,
	INET_DIAG_BC_MARK_COND,
	INET_DIAG_BC_S_COND,
	INET_DIAG_BC_S_GE,
	INET_DIAG_BC_S_LE,
} from '../../uapi/linux/inet_diag.ts';
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../uapi/linux/socket.ts';
import { getservbyname } from '../iptables/netdb.ts';
import { get_unsigned, inet_pton6 } from './utils.ts';

/** An address and a port to compare with. */
export interface hostcond {
	family: number;
	addr: Uint8Array;
	bits: number;
	/** -1: any. */
	port: number;
}

export type ssfilter =
	| { op: 'and' | 'or'; a: ssfilter; b: ssfilter }
	| { op: 'not'; a: ssfilter }
	| { op: 'scond' | 'dcond'; conds: hostcond[] }
	| { op: 's_ge' | 's_le' | 'd_ge' | 'd_le'; port: number }
	| { op: 'dev'; ifindex: number }
	| { op: 'mark'; mark: number; mask: number }
	| { op: 'cgroup'; id: number }
	| { op: 'auto' };

/** The filter cannot be read. `usage`: the original shows its usage too. */
export class ss_error {
	text: string;
	status: number;
	usage: boolean;

	constructor(text: string, status: number, usage = false) {
		this.text = text;
		this.status = status;
		this.usage = usage;
	}
}

/** What a filter's words mean, outside of the words. */
export interface ss_names {
	/** Return: 0 when there is none. */
	ifindex: (name: string) => number;
	/** Names of hosts; null when unknown. */
	host: (name: string) => Uint8Array | null;
	preferred_family: number;
}

const SYNTAX = 'ss: bison bellows (while parsing filter): "syntax error!" Sorry.\n';

// ---- words -----------------------------------------------------------------------------------------------------------------------

const KEYWORDS: Readonly<Record<string, string>> = {
	'!': 'not',
	not: 'not',
	'(': '(',
	')': ')',
	'|': 'or',
	'||': 'or',
	or: 'or',
	'&': 'and',
	'&&': 'and',
	and: 'and',
	src: 'src',
	saddr: 'src',
	dst: 'dst',
	daddr: 'dst',
	sport: 'sport',
	dport: 'dport',
	dev: 'dev',
	fwmark: 'fwmark',
	cgroup: 'cgroup',
	autobound: 'auto',
	'>=': 'ge',
	ge: 'ge',
	geq: 'ge',
	'<=': 'le',
	le: 'le',
	leq: 'le',
	'!=': 'ne',
	ne: 'ne',
	neq: 'ne',
	'=': 'eq',
	'==': 'eq',
	eq: 'eq',
	'>': 'gt',
	gt: 'gt',
	'<': 'lt',
	lt: 'lt',
};

function parse_port(text: string): number {
	const n = get_unsigned(text, 0xffffffff, 0);
	if (n !== null) return n & 0xffff;
	const s = getservbyname(text, 'tcp');
	if (s >= 0) return s;
	throw new ss_error(`Error: "${text}" does not look like a port.\nCannot parse dst/src address.\n`, 1);
}

/** 1.2.3.4, and fewer octets than four. */
function parse_v4(text: string): Uint8Array | null {
	if (!/^\d+(\.\d+){0,3}$/.test(text)) return null;
	const b = new Uint8Array(4);
	const parts = text.split('.').map(Number);
	if (parts.some((p) => p > 255)) return null;
	b.set(parts);
	return b;
}

/** The length of a netmask in dots; null when it is none. */
function netmask_bits(text: string): number | null {
	const b = /^\d+\.\d+\.\d+\.\d+$/.test(text) ? parse_v4(text) : null;
	if (b === null) return null;
	const mask = ((b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3]) >>> 0;
	const bits = Math.clz32(~mask);
	return mask === (bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0) ? bits : null;
}

function bad_prefix(text: string): never {
	throw new ss_error(`Error: an inet prefix is expected rather than "${text}".\nCannot parse dst/src address.\n`, 1);
}

/** HOST[:PORT], :PORT, *:PORT; where a port is wanted the word may be the port alone. */
export function parse_hostcond(word: string, is_port: boolean, names: ss_names): hostcond {
	const c: hostcond = { family: AF_UNSPEC, addr: new Uint8Array(0), bits: 0, port: -1 };
	let family = names.preferred_family;
	let text = word;
	if (text.startsWith('inet:')) {
		family = AF_INET;
		text = text.slice(5);
	} else if (text.startsWith('inet6:')) {
		family = AF_INET6;
		text = text.slice(6);
	} else if (/^(unix|link|netlink|vsock):/.test(text)) {
		// Of sockets that are not shown here: nothing fits.
		c.family = 255;
		c.bits = 1;
		return c;
	}
	let host = text;
	let port = '';
	if (is_port) {
		host = '*';
		port = text.replace(/^\*?:/, '');
	} else if (text[0] === '[') {
		const v6 = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
		if (v6 === null) throw new ss_error('Cannot parse dst/src address.\n', 1);
		host = v6[1];
		port = v6[2] ?? '';
		family = AF_INET6;
	} else {
		const colon = text.lastIndexOf(':');
		if (colon >= 0) {
			host = text.slice(0, colon);
			port = text.slice(colon + 1);
		}
	}
	if (port !== '' && port !== '*') c.port = parse_port(port);
	if (/^(\*?|any|all|default)$/.test(host)) {
		c.family = family === AF_UNSPEC ? AF_INET : family;
		c.addr = new Uint8Array(c.family === AF_INET6 ? 16 : 4);
		return c;
	}
	const slash = host.indexOf('/');
	const base = slash < 0 ? host : host.slice(0, slash);
	const b = family === AF_INET6 ? inet_pton6(base) : (parse_v4(base) ?? names.host(base));
	if (b === null) bad_prefix(host);
	c.addr = b;
	c.family = b.length === 16 ? AF_INET6 : AF_INET;
	c.bits = b.length * 8;
	if (slash >= 0) {
		const n = get_unsigned(host.slice(slash + 1), c.bits, 10) ?? netmask_bits(host.slice(slash + 1));
		if (n === null) bad_prefix(host);
		c.bits = n;
	}
	return c;
}

class parser {
	words: readonly string[];
	at = 0;
	names: ss_names;

	constructor(words: readonly string[], names: ss_names) {
		this.words = words;
		this.names = names;
	}

	peek(): string {
		if (this.at >= this.words.length) return 'end';
		return KEYWORDS[this.words[this.at]] ?? 'word';
	}

	/** A value, which may look like anything but a keyword. */
	value(): string {
		if (this.peek() !== 'word') throw new ss_error(SYNTAX, 255, true);
		return this.words[this.at++];
	}

	/** Conditions joined by or, and, or nothing (and): all bind alike, from the left. */
	list(): ssfilter {
		let left = this.not();
		while (this.peek() !== 'end' && this.peek() !== ')') {
			const op = this.peek() === 'or' ? 'or' : 'and';
			if (this.peek() === 'or' || this.peek() === 'and') this.at++;
			left = { op, a: left, b: this.not() };
		}
		return left;
	}

	not(): ssfilter {
		if (this.peek() === 'not') {
			this.at++;
			return { op: 'not', a: this.not() };
		}
		if (this.peek() === '(') {
			this.at++;
			const inner = this.list();
			if (this.peek() !== ')') throw new ss_error(SYNTAX, 255, true);
			this.at++;
			return inner;
		}
		return this.condition();
	}

	condition(): ssfilter {
		const what = this.peek();
		// A word that stands alone is taken for an address, which it then cannot be.
		if (what === 'word') {
			parse_hostcond(this.words[this.at], false, this.names);
			throw new ss_error(SYNTAX, 255, true);
		}
		this.at++;
		switch (what) {
			case 'auto':
				return { op: 'auto' };
			case 'src':
			case 'dst':
				if (this.peek() === 'eq') this.at++;
				return { op: what === 'src' ? 'scond' : 'dcond', conds: [parse_hostcond(this.value(), false, this.names)] };
			case 'sport':
			case 'dport':
				return this.port(what === 'sport');
			case 'dev':
			case 'fwmark':
			case 'cgroup': {
				const negate = this.peek() === 'ne';
				if (negate || this.peek() === 'eq') this.at++;
				const f = this.other(what, this.value());
				return negate ? { op: 'not', a: f } : f;
			}
			default:
				throw new ss_error(SYNTAX, 255, true);
		}
	}

	port(source: boolean): ssfilter {
		let rel = this.peek();
		if (rel === 'word') rel = 'eq';
		else if (['ge', 'le', 'ne', 'eq', 'gt', 'lt'].includes(rel)) this.at++;
		else throw new ss_error(SYNTAX, 255, true);
		const c = parse_hostcond(this.value(), true, this.names);
		const eq: ssfilter = { op: source ? 'scond' : 'dcond', conds: [c] };
		const ge: ssfilter = { op: source ? 's_ge' : 'd_ge', port: c.port };
		const le: ssfilter = { op: source ? 's_le' : 'd_le', port: c.port };
		switch (rel) {
			case 'eq':
				return eq;
			case 'ne':
				return { op: 'not', a: eq };
			case 'ge':
				return ge;
			case 'le':
				return le;
			case 'gt':
				return { op: 'not', a: le };
			default:
				return { op: 'not', a: ge };
		}
	}

	other(what: string, word: string): ssfilter {
		if (what === 'dev') {
			const ifindex = this.names.ifindex(word) || (get_unsigned(word, 0x7fffffff, 0) ?? 0);
			if (ifindex === 0) throw new ss_error('Cannot parse device.\n', 1);
			return { op: 'dev', ifindex };
		}
		if (what === 'fwmark') {
			const [m, k] = word.split('/');
			const mark = get_unsigned(m, 0xffffffff, 0);
			const mask = k === undefined ? 0xffffffff : get_unsigned(k, 0xffffffff, 0);
			if (mark === null || mask === null) throw new ss_error(`Cannot parse mark ${word}.\n`, 1);
			return { op: 'mark', mark, mask };
		}
		return { op: 'cgroup', id: 1 };
	}
}

/** Reads a filter's words. Throws ss_error. Return: null when there are none. */
export function ssfilter_parse(words: readonly string[], names: ss_names): ssfilter | null {
	// An argument may hold several words.
	const all = words.flatMap((w) => w.split(/\s+/)).filter((w) => w !== '');
	if (all.length === 0) return null;
	const p = new parser(all, names);
	const f = p.list();
	if (p.peek() !== 'end') throw new ss_error(SYNTAX, 255, true);
	return f;
}

// ---- code ------------------------------------------------------------------------------------------------------------------------

function op(code: number, yes: number, no: number, extra = 0): Uint8Array {
	const b = new Uint8Array(4 + extra);
	b[0] = code;
	b[1] = yes;
	put_unaligned_le16(b, 2, no);
	return b;
}

function concat(...parts: Uint8Array[]): Uint8Array {
	const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
	let at = 0;
	for (const p of parts) {
		out.set(p, at);
		at += p.length;
	}
	return out;
}

/** What went past the end of `code` goes `by` bytes farther. */
function patch(code: Uint8Array, by: number): void {
	for (let at = 0; at < code.length; ) {
		const no = code[at + 2] | (code[at + 3] << 8);
		if (at + no === code.length + 4) put_unaligned_le16(code, at + 2, no + by);
		at += code[at + 1];
	}
}

function port_op(code: number, port: number): Uint8Array {
	const b = op(code, 8, 12, 4);
	put_unaligned_le16(b, 6, port);
	return b;
}

function cond_op(code: number, c: hostcond): Uint8Array {
	const len = 12 + c.addr.length;
	const b = op(code, len, len + 4, 8 + c.addr.length);
	b[4] = c.family;
	b[5] = c.bits;
	put_unaligned_le32(b, 8, c.port >>> 0);
	b.set(c.addr, 12);
	return b;
}

function either(a: Uint8Array, b: Uint8Array): Uint8Array {
	return concat(a, op(INET_DIAG_BC_JMP, 4, b.length + 4), b);
}

/** The kernel's code for a filter. */
export function ssfilter_bytecompile(f: ssfilter): Uint8Array {
	switch (f.op) {
		case 'and': {
			const a = ssfilter_bytecompile(f.a);
			const b = ssfilter_bytecompile(f.b);
			patch(a, b.length);
			return concat(a, b);
		}
		case 'or':
			return either(ssfilter_bytecompile(f.a), ssfilter_bytecompile(f.b));
		case 'not':
			return concat(ssfilter_bytecompile(f.a), op(INET_DIAG_BC_JMP, 4, 8));
		case 'scond':
		case 'dcond': {
			const code = f.op === 'scond' ? INET_DIAG_BC_S_COND : INET_DIAG_BC_D_COND;
			return f.conds.map((c) => cond_op(code, c)).reduce(either);
		}
		case 's_ge':
			return port_op(INET_DIAG_BC_S_GE, f.port);
		case 's_le':
			return port_op(INET_DIAG_BC_S_LE, f.port);
		case 'd_ge':
			return port_op(INET_DIAG_BC_D_GE, f.port);
		case 'd_le':
			return port_op(INET_DIAG_BC_D_LE, f.port);
		case 'auto':
			return op(INET_DIAG_BC_AUTO, 4, 8);
		case 'dev': {
			const b = op(INET_DIAG_BC_DEV_COND, 8, 12, 4);
			put_unaligned_le32(b, 4, f.ifindex);
			return b;
		}
		case 'mark': {
			const b = op(INET_DIAG_BC_MARK_COND, 12, 16, 8);
			put_unaligned_le32(b, 4, f.mark);
			put_unaligned_le32(b, 8, f.mask);
			return b;
		}
		default: {
			const b = op(INET_DIAG_BC_CGROUP_COND, 12, 16, 8);
			put_unaligned_le32(b, 4, f.id);
			return b;
		}
	}
}

// ---- without the kernel ----------------------------------------------------------------------------------------------------------

/** Whether a socket read from /proc passes. Addresses in host order. */
export function run_ssfilter(f: ssfilter | null, saddr: number, sport: number, daddr: number, dport: number): boolean {
	if (f === null) return true;
	const again = (x: ssfilter): boolean => run_ssfilter(x, saddr, sport, daddr, dport);
	switch (f.op) {
		case 'and':
			return again(f.a) && again(f.b);
		case 'or':
			return again(f.a) || again(f.b);
		case 'not':
			return !again(f.a);
		case 'scond':
			return f.conds.some((c) => fits(c, saddr, sport));
		case 'dcond':
			return f.conds.some((c) => fits(c, daddr, dport));
		case 's_ge':
			return sport >= f.port;
		case 's_le':
			return sport <= f.port;
		case 'd_ge':
			return dport >= f.port;
		case 'd_le':
			return dport <= f.port;
		default:
			return f.op === 'cgroup';
	}
}

function fits(c: hostcond, addr: number, port: number): boolean {
	if (c.port !== -1 && c.port !== port) return false;
	if (c.bits === 0) return true;
	if (c.family !== AF_INET) return false;
	const want = ((c.addr[0] << 24) | (c.addr[1] << 16) | (c.addr[2] << 8) | c.addr[3]) >>> 0;
	return (want ^ addr) >>> (32 - c.bits) === 0;
}
