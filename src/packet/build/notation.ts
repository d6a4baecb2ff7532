/*
 * packet/build/notation.ts: reads scapy's notation, which is Python's, into layers.
 * Walk: Lexer (tokens with their position) -> Parser (Python's precedence: | ^ & << + * / unary) -> apply (layers over layers).
 * Not here yet: sets of packets (dst="10.0.0.0/24", ttl=(1,5)), random values, names of hosts, subscripts.
 */

import { concat, fromHex, utf8 } from '../bytes.ts';

/** What a field can hold. Lists and tuples are both arrays; a packet in a field is an array of layers. */
export type Value = number | string | boolean | null | Uint8Array | Layer | readonly Value[];

/** One header with the fields that were given; the others are filled in when it is assembled. */
export interface Layer {
	readonly layer: string;
	readonly fields: { readonly [name: string]: Value | undefined };
	/** Bytes that stand for the whole header, as in IP(b"\x45..."). */
	readonly raw?: Uint8Array;
	/** Where each field and the layer itself (under '') was written: an offset into the text. */
	readonly at?: { readonly [name: string]: number };
}

/** An error in what was written: says where, what came and what was expected. */
export class PacketError extends Error {
	readonly column: number;
	constructor(message: string, column = 0) {
		super(message);
		this.name = 'PacketError';
		this.column = column;
	}
}

/** Where an offset is: a column, with the line where there are several. */
export function place(text: string, at: number): string {
	const lines = text.slice(0, at).split('\n');
	const column = `column ${lines[lines.length - 1].length + 1}`;
	return text.includes('\n') ? `line ${lines.length} ${column}` : column;
}

/** The candidate nearest to a misspelt word, or null when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
	let best: string | null = null;
	let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
	for (const c of candidates) {
		const d = distance(word.toLowerCase(), c.toLowerCase());
		if (d < bestDistance) {
			best = c;
			bestDistance = d;
		}
	}
	return best;
}

function distance(a: string, b: string): number {
	if (Math.abs(a.length - b.length) > 8) return 99;
	let row = Array.from({ length: b.length + 1 }, (_, i) => i);
	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++)
			next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
		row = next;
	}
	return row[b.length];
}

/** How an error message shows what came. */
export function show(v: Value | undefined): string {
	if (v === null || v === undefined) return 'None';
	if (typeof v === 'string') return JSON.stringify(v.length > 40 ? `${v.slice(0, 40)}…` : v);
	if (typeof v === 'number') return String(v);
	if (typeof v === 'boolean') return v ? 'True' : 'False';
	if (v instanceof Uint8Array) return `${v.length} bytes`;
	if (Array.isArray(v)) return isStack(v) ? 'a packet' : `a list of ${(v as readonly Value[]).length}`;
	return `${(v as Layer).layer}()`;
}

export function isLayer(v: Value | undefined): v is Layer {
	return typeof v === 'object' && v !== null && !Array.isArray(v) && !(v instanceof Uint8Array);
}

export function isStack(v: Value | undefined): v is readonly Layer[] {
	return Array.isArray(v) && v.length > 0 && v.every((x) => isLayer(x));
}

/** What the parser must know about layers: their names, and how bytes come of them for raw(). */
export interface Grammar {
	layers(): Iterable<string>;
	has(layer: string): boolean;
	fields(layer: string): readonly string[];
	/** The field that a positional string fills (Raw and Padding), or null. */
	positional(layer: string): string | null;
	bytes(layers: readonly Layer[]): Uint8Array;
}

type TokenKind = 'name' | 'int' | 'str' | 'bytes' | 'op' | 'end';

interface Token {
	readonly kind: TokenKind;
	readonly text: string;
	readonly at: number;
	readonly value: number | string | Uint8Array;
}

const MAX_BYTES = 1 << 20;
const MAX_DEPTH = 64;
const MAX_LAYERS = 256;

class Lexer {
	readonly text: string;
	private pos = 0;

	constructor(text: string) {
		this.text = text;
	}

	fail(at: number, message: string): never {
		throw new PacketError(`packet: ${place(this.text, at)}: ${message}`, at + 1);
	}

	next(): Token {
		const s = this.text;
		for (;;) {
			const c = s[this.pos];
			if (c === ' ' || c === '\t' || c === '\n' || c === '\r') this.pos++;
			else if (c === '\\' && s[this.pos + 1] === '\n') this.pos += 2;
			else if (c === '#') while (this.pos < s.length && s[this.pos] !== '\n') this.pos++;
			else break;
		}
		const at = this.pos;
		if (at >= s.length) return { kind: 'end', text: 'the end', at, value: 0 };
		const prefix = /^([bBrRuU]{0,2})("""|'''|"|')/.exec(s.slice(at, at + 5));
		if (prefix !== null) return this.string(at, prefix[1].toLowerCase(), prefix[2]);
		const rest = /[A-Za-z_][A-Za-z0-9_.]*/y;
		rest.lastIndex = at;
		const name = rest.exec(s);
		if (name !== null) {
			this.pos += name[0].length;
			return { kind: 'name', text: name[0], at, value: name[0] };
		}
		if (/[0-9]/.test(s[at])) return this.number(at);
		const two = s.slice(at, at + 2);
		const op = two === '<<' || two === '>>' || two === '**' || two === '//' ? two : s[at];
		if (op.length === 1 && !'()[]{},=/*+-|&^~%:.'.includes(op))
			this.fail(at, `unexpected ${JSON.stringify(String.fromCodePoint(s.codePointAt(at)!))}`);
		this.pos += op.length;
		return { kind: 'op', text: op, at, value: 0 };
	}

	private number(at: number): Token {
		const re = /0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*/y;
		re.lastIndex = at;
		const raw = re.exec(this.text)![0];
		this.pos += raw.length;
		const after = this.text[this.pos] ?? '';
		if (/[A-Za-z_]/.test(after) || (after === '.' && /[0-9]/.test(this.text[this.pos + 1] ?? '')))
			this.fail(
				at,
				`bad number ${JSON.stringify(raw + after)}: expected a whole number (an address is written in quotes)`,
			);
		const value = Number(raw.replaceAll('_', ''));
		if (!Number.isSafeInteger(value)) this.fail(at, `the number ${raw} is too large`);
		return { kind: 'int', text: raw, at, value };
	}

	private string(at: number, prefix: string, quote: string): Token {
		if (prefix !== '' && !['b', 'r', 'u', 'br', 'rb'].includes(prefix))
			this.fail(at, `unknown string prefix ${prefix}`);
		const s = this.text;
		const bytes = prefix.includes('b');
		const raw = prefix.includes('r');
		let out = '';
		let i = at + prefix.length + quote.length;
		for (;;) {
			if (i >= s.length || (quote.length === 1 && s[i] === '\n'))
				this.fail(at, `the string is not closed: expected ${quote}`);
			if (s.startsWith(quote, i)) break;
			if (s[i] !== '\\') {
				const ch = String.fromCodePoint(s.codePointAt(i)!);
				if (bytes && ch > '\x7f') this.fail(i, 'bytes hold only ASCII characters: write \\x..');
				out += ch;
				i += ch.length;
				continue;
			}
			if (raw) {
				out += s[i] + (s[i + 1] ?? '');
				i += 2;
				continue;
			}
			const [ch, length] = this.escape(i, bytes);
			out += ch;
			i += length;
		}
		this.pos = i + quote.length;
		if (!bytes) return { kind: 'str', text: 'a string', at, value: out };
		return { kind: 'bytes', text: 'bytes', at, value: Uint8Array.from(out, (c) => c.charCodeAt(0)) };
	}

	private escape(i: number, bytes: boolean): [string, number] {
		const c = this.text[i + 1] ?? '';
		const simple: Record<string, string> = {
			n: '\n',
			t: '\t',
			r: '\r',
			a: '\x07',
			b: '\b',
			f: '\f',
			v: '\v',
			'\n': '',
		};
		if (c in simple) return [simple[c], 2];
		if (c === '\\' || c === "'" || c === '"') return [c, 2];
		const octal = /^[0-7]{1,3}/.exec(this.text.slice(i + 1, i + 4));
		if (octal !== null) {
			const v = Number.parseInt(octal[0], 8);
			return [String.fromCharCode(bytes ? v & 255 : v), 1 + octal[0].length];
		}
		const width = c === 'x' ? 2 : bytes ? 0 : c === 'u' ? 4 : c === 'U' ? 8 : 0;
		if (width === 0) return [`\\${c}`, 1 + c.length];
		const digits = this.text.slice(i + 2, i + 2 + width);
		const v = Number.parseInt(digits, 16);
		if (digits.length !== width || !/^[0-9a-fA-F]+$/.test(digits) || v > 0x10ffff)
			this.fail(i, `bad escape \\${c}${digits}: expected ${width} hex digits`);
		return [String.fromCodePoint(v), 2 + width];
	}
}

class Parser {
	private readonly lexer: Lexer;
	private readonly grammar: Grammar;
	private token: Token;
	private depth = 0;

	constructor(text: string, grammar: Grammar) {
		this.lexer = new Lexer(text);
		this.grammar = grammar;
		this.token = this.lexer.next();
	}

	whole(): Value {
		const v = this.expression();
		if (this.token.kind !== 'end') this.unexpected('"/" and the next layer, or the end');
		return v;
	}

	private unexpected(expected: string): never {
		const came =
			this.token.kind === 'op' || this.token.kind === 'name' ? JSON.stringify(this.token.text) : this.token.text;
		this.lexer.fail(this.token.at, `unexpected ${came}: expected ${expected}`);
	}

	private take(): Token {
		const t = this.token;
		this.token = this.lexer.next();
		return t;
	}

	private is(op: string): boolean {
		return this.token.kind === 'op' && this.token.text === op;
	}

	private expect(op: string, why: string): void {
		if (!this.is(op)) this.unexpected(`"${op}" ${why}`);
		this.take();
	}

	private expression(level = 0): Value {
		if (++this.depth > MAX_DEPTH * 8) this.lexer.fail(this.token.at, 'nested too deeply');
		let left = level === LEVELS.length ? this.unary() : this.expression(level + 1);
		while (level < LEVELS.length && this.token.kind === 'op' && LEVELS[level].includes(this.token.text)) {
			const op = this.take();
			const right = level === LEVELS.length - 1 ? this.unary() : this.expression(level + 1);
			left = this.apply(op, left, right);
		}
		this.depth--;
		return left;
	}

	private apply(op: Token, a: Value, b: Value): Value {
		const packets = isStack(a) || isStack(b);
		if (op.text === '/') {
			if (packets) {
				const layers = [...this.asLayers(a, op), ...this.asLayers(b, op)];
				if (layers.length > MAX_LAYERS) this.lexer.fail(op.at, `more than ${MAX_LAYERS} layers`);
				return layers;
			}
			if ((typeof a === 'string' || a instanceof Uint8Array) && (typeof b === 'string' || b instanceof Uint8Array))
				this.lexer.fail(op.at, `"/" between two strings: expected a layer on one side`);
			this.lexer.fail(op.at, `"/" between ${show(a)} and ${show(b)}: expected layers`);
		}
		if (packets && op.text === '*')
			this.lexer.fail(op.at, 'this repeats the whole packet, as in Python: write /("A"*10) for a long payload');
		if (typeof a === 'number' && typeof b === 'number') return this.arithmetic(op, a, b);
		if (op.text === '*' && typeof a === 'number') return this.repeat(op, b, a);
		if (op.text === '*' && typeof b === 'number') return this.repeat(op, a, b);
		if (op.text === '+') {
			if (typeof a === 'string' && typeof b === 'string') return a + b;
			if (a instanceof Uint8Array && b instanceof Uint8Array) return concat([a, b]);
			if (Array.isArray(a) && Array.isArray(b) && !packets) return [...a, ...b];
		}
		this.lexer.fail(op.at, `"${op.text}" cannot join ${show(a)} and ${show(b)}`);
	}

	private arithmetic(op: Token, a: number, b: number): number {
		let v: bigint;
		const x = BigInt(a);
		const y = BigInt(b);
		if ((op.text === '<<' || op.text === '>>') && (b < 0 || b > 64)) this.lexer.fail(op.at, `shift by ${b}`);
		if ((op.text === '//' || op.text === '%') && b === 0) this.lexer.fail(op.at, 'division by zero');
		if (op.text === '+') v = x + y;
		else if (op.text === '-') v = x - y;
		else if (op.text === '*') v = x * y;
		else if (op.text === '<<') v = x << y;
		else if (op.text === '>>') v = x >> y;
		else if (op.text === '|') v = x | y;
		else if (op.text === '&') v = x & y;
		else if (op.text === '^') v = x ^ y;
		else if (op.text === '//') v = x / y - (x % y !== 0n && x < 0n !== y < 0n ? 1n : 0n);
		else v = ((x % y) + y) % y;
		const n = Number(v);
		if (!Number.isSafeInteger(n)) this.lexer.fail(op.at, 'the number is too large');
		return n;
	}

	private repeat(op: Token, v: Value, times: number): Value {
		const n = Math.max(0, times);
		const items = Array.isArray(v) && !isStack(v) ? (v as readonly Value[]) : null;
		if (typeof v === 'string' || v instanceof Uint8Array || items !== null) {
			const length = items === null ? (v as string).length : items.length;
			if (length * n > MAX_BYTES) this.lexer.fail(op.at, `${length} * ${n} is more than ${MAX_BYTES} bytes`);
			if (typeof v === 'string') return v.repeat(n);
			if (v instanceof Uint8Array) return concat(new Array<Uint8Array>(v.length === 0 ? 0 : n).fill(v));
			if (items !== null) return length === 0 ? [] : new Array<readonly Value[]>(n).fill(items).flat();
		}
		this.lexer.fail(op.at, `cannot repeat ${show(v)}`);
	}

	private asLayers(v: Value, op: Token): readonly Layer[] {
		if (isStack(v)) return v;
		if (typeof v === 'string' || v instanceof Uint8Array)
			return [{ layer: 'Raw', fields: { load: v }, at: { '': op.at + 1 } }];
		this.lexer.fail(op.at, `"/" beside ${show(v)}: expected a layer or a string`);
	}

	private unary(): Value {
		if (++this.depth > MAX_DEPTH * 8) this.lexer.fail(this.token.at, 'nested too deeply');
		const v = this.signed();
		this.depth--;
		return v;
	}

	private signed(): Value {
		if (this.is('-') || this.is('+') || this.is('~')) {
			const op = this.take();
			const v = this.unary();
			if (typeof v !== 'number') this.lexer.fail(op.at, `"${op.text}" before ${show(v)}: expected a number`);
			return op.text === '-' ? -v : op.text === '~' ? -v - 1 : v;
		}
		const base = this.atom();
		if (!this.is('**')) return base;
		const op = this.take();
		const exponent = this.unary();
		const v = typeof base === 'number' && typeof exponent === 'number' && exponent >= 0 ? base ** exponent : Number.NaN;
		if (!Number.isSafeInteger(v)) this.lexer.fail(op.at, `"**" between ${show(base)} and ${show(exponent)}`);
		return v;
	}

	private atom(): Value {
		const t = this.token;
		if (t.kind === 'int') return this.take().value;
		if (t.kind === 'str' || t.kind === 'bytes') return this.strings();
		if (t.kind === 'name') return this.named();
		if (this.is('(')) return this.sequence(')');
		if (this.is('[')) return this.sequence(']');
		return this.unexpected('a layer such as IP(...), a string, a number or a list');
	}

	/** Strings that stand side by side are one, and may be followed by .encode(). */
	private strings(): Value {
		let v = this.take().value as string | Uint8Array;
		while (this.token.kind === 'str' || this.token.kind === 'bytes') {
			const t = this.take();
			const w = t.value as string | Uint8Array;
			if (typeof v === 'string' && typeof w === 'string') v += w;
			else if (typeof v !== 'string' && typeof w !== 'string') v = concat([v, w]);
			else this.lexer.fail(t.at, 'a string beside bytes: expected two of a kind');
		}
		while (this.is('.')) {
			this.take();
			const name = this.take();
			if (name.text !== 'encode' || typeof v !== 'string')
				this.lexer.fail(name.at, `no method ${JSON.stringify(name.text)} here`);
			this.expect('(', 'after encode');
			while (!this.is(')') && this.token.kind !== 'end') this.take();
			this.expect(')', 'after encode(');
			v = utf8(v);
		}
		return v;
	}

	private sequence(close: string): Value {
		const open = this.take();
		const items: Value[] = [];
		let comma = false;
		while (!this.is(close)) {
			items.push(this.expression());
			comma = this.is(',');
			if (comma) this.take();
			else if (!this.is(close))
				this.unexpected(`"," or "${close}" (of the "${open.text}" at ${place(this.lexer.text, open.at)})`);
		}
		this.take();
		return close === ')' && items.length === 1 && !comma ? items[0] : items;
	}

	private named(): Value {
		const t = this.take();
		if (t.text === 'None') return null;
		if (t.text === 'True') return true;
		if (t.text === 'False') return false;
		if (!this.is('(')) {
			const constant = CONSTANTS[t.text];
			if (Object.hasOwn(CONSTANTS, t.text)) return constant;
			if (this.grammar.has(t.text)) this.lexer.fail(this.token.at, `expected "(" after ${t.text}`);
			return this.unknown(t);
		}
		if (this.grammar.has(t.text)) return this.call(t);
		if (t.text === 'bytes' || t.text === 'bytes.fromhex' || t.text === 'raw' || t.text === 'len' || t.text === 'RawVal')
			return this.builtin(t);
		return this.unknown(t);
	}

	private unknown(t: Token): never {
		if (/^Rand|^Fuzz|^fuzz$/.test(t.text))
			this.lexer.fail(t.at, `${t.text} is drawn at random, and a packet here is the same each time: write a value`);
		const near = nearest(t.text, this.grammar.layers());
		const list = near === null ? 'expected a layer such as Ether, ARP, IP, ICMP, UDP, TCP, Raw, IPv6' : `${near}?`;
		this.lexer.fail(t.at, `unknown layer ${JSON.stringify(t.text)} (${list})`);
	}

	private builtin(name: Token): Value {
		this.take();
		const arg: Value = this.is(')') ? new Uint8Array(0) : this.expression();
		this.expect(')', `after the argument of ${name.text}`);
		if (name.text === 'bytes.fromhex') {
			const b = typeof arg === 'string' ? fromHex(arg) : null;
			if (b === null) this.lexer.fail(name.at, `bytes.fromhex: ${show(arg)} is not pairs of hex digits`);
			return b;
		}
		const b =
			arg instanceof Uint8Array
				? arg
				: isStack(arg)
					? this.grammar.bytes(arg)
					: name.text === 'bytes' && typeof arg === 'number' && arg >= 0 && arg <= MAX_BYTES
						? new Uint8Array(arg)
						: Array.isArray(arg) && arg.every((x) => typeof x === 'number' && x >= 0 && x < 256)
							? Uint8Array.from(arg as readonly number[])
							: typeof arg === 'string' && name.text !== 'bytes'
								? utf8(arg)
								: this.lexer.fail(name.at, `${name.text}(): cannot make bytes of ${show(arg)}`);
		return name.text === 'len' ? b.length : b;
	}

	private call(name: Token): Value {
		const layer = name.text;
		const fields: Record<string, Value> = {};
		const at: Record<string, number> = { '': name.at };
		let raw: Uint8Array | undefined;
		this.take();
		while (!this.is(')')) {
			const start = this.token;
			if (start.kind === 'end') this.unexpected(`")" after the fields of ${layer}`);
			const v = this.expressionOrKeyword();
			if (v.keyword !== null) {
				const known = this.grammar.fields(layer);
				if (!known.includes(v.keyword)) {
					const near = nearest(v.keyword, known);
					const hint = near === null ? `it has ${known.join(', ')}` : `${near}?`;
					this.lexer.fail(start.at, `${layer} has no field ${JSON.stringify(v.keyword)} (${hint})`);
				}
				if (Object.hasOwn(fields, v.keyword)) this.lexer.fail(start.at, `${layer}.${v.keyword} is given twice`);
				fields[v.keyword] = v.value;
				at[v.keyword] = start.at;
			} else {
				if (Object.keys(at).length > 1 || raw !== undefined)
					this.lexer.fail(start.at, `${layer}: expected name=value, came ${show(v.value)}`);
				const b = typeof v.value === 'string' ? utf8(v.value) : v.value;
				if (!(b instanceof Uint8Array))
					this.lexer.fail(start.at, `${layer}: expected name=value or bytes, came ${show(v.value)}`);
				const field = this.grammar.positional(layer);
				if (field !== null) {
					fields[field] = v.value;
					at[field] = start.at;
				} else raw = b;
			}
			if (this.is(',')) this.take();
			else if (!this.is(')')) this.unexpected(`"," or ")" in ${layer}(`);
		}
		this.take();
		return [raw === undefined ? { layer, fields, at } : { layer, fields, at, raw }];
	}

	private expressionOrKeyword(): { keyword: string | null; value: Value } {
		if (this.token.kind === 'name' && /^\s*=/.test(this.lexer.text.slice(this.token.at + this.token.text.length))) {
			const keyword = this.take().text;
			this.take();
			return { keyword, value: this.expression() };
		}
		return { keyword: null, value: this.expression() };
	}
}

// Python's precedence, loosest first; "/" and "*" bind alike, which is why IP()/"A"*3 repeats the whole packet there.
const LEVELS: readonly (readonly string[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '//', '%']];

const CONSTANTS: Record<string, Value> = {
	ETHER_ANY: '00:00:00:00:00:00',
	ETHER_BROADCAST: 'ff:ff:ff:ff:ff:ff',
	ETH_P_IP: 0x0800,
	ETH_P_ARP: 0x0806,
	ETH_P_IPV6: 0x86dd,
	ETH_P_8021Q: 0x8100,
	IPPROTO_ICMP: 1,
	IPPROTO_TCP: 6,
	IPPROTO_UDP: 17,
};

/** Reads one expression. Throws PacketError. */
export function parseExpression(text: string, grammar: Grammar): Value {
	return new Parser(text, grammar).whole();
}
