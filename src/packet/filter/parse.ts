/*
 * packet/filter/parse.ts: reads the pcap filter language into conditions. pcap-filter(7).
 * Walk: Link (where things stand at each link type) -> Parser: expression, primitive, its qualifiers, its id -> arithmetic.
 * "and" and "or" bind alike and to the left; "not" binds tighter. A bare id takes the qualifiers of the primitive before it.
 * Not here: what UNSUPPORTED in lexer.ts lists, and MPLS and PPPoE.
 */

import {
	BPF_ADD,
	BPF_ALU,
	BPF_AND,
	BPF_B,
	BPF_DIV,
	BPF_H,
	BPF_IMM,
	BPF_IND,
	BPF_JEQ,
	BPF_JGE,
	BPF_JGT,
	BPF_JSET,
	BPF_K,
	BPF_LD,
	BPF_LDX,
	BPF_LEN,
	BPF_LSH,
	BPF_MEM,
	BPF_MISC,
	BPF_MOD,
	BPF_MSH,
	BPF_MUL,
	BPF_NEG,
	BPF_OR,
	BPF_RSH,
	BPF_ST,
	BPF_SUB,
	BPF_TAX,
	BPF_W,
	BPF_X,
	BPF_XOR,
} from '../../lib/bpf.ts';
import { be32, parseIp4, parseIp6, parseMac } from '../bytes.ts';
import { all, always, and, any, at, type Cond, mask, not, or, type Step, test, testX } from './code.ts';
import { FilterError, PROTOCOLS, SYNTAX, type Token, UNSUPPORTED, words } from './lexer.ts';
import type { LinkLayer } from './link.ts';
import { ETHER_PROTOCOLS, IP_PROTOCOLS, SERVICES, TRANSPORTS } from './names.ts';

/** What is left of an id when it stands alone: "port 80 or 443". */
interface Qualifiers {
	readonly proto: string | null;
	readonly dir: 'src' | 'dst' | 'or' | 'and' | null;
	readonly type: 'host' | 'net' | 'port' | 'portrange' | 'proto' | null;
}

/** An arithmetic expression: how to get its value into the accumulator, and what must hold for it to be read. */
interface Arith {
	readonly steps: readonly Step[];
	readonly conds: readonly Cond[];
	/** Its value when it is a number. */
	readonly constant: number | null;
}

const LD_MEM = BPF_LD | BPF_MEM;
const TAX: Step = { code: BPF_MISC | BPF_TAX, k: 0 };
const DIRECTIONS: { readonly [k: string]: 'or' | 'and' } = {
	'src or dst': 'or',
	'dst or src': 'or',
	'src and dst': 'and',
	'dst and src': 'and',
};

export class Parser {
	private readonly tokens: readonly Token[];
	private i = 0;
	private depth = 0;
	private registers = 0;
	private readonly link: LinkLayer;

	constructor(text: string, link: LinkLayer) {
		this.tokens = words(text);
		this.link = link;
	}

	/** The whole expression, or null when it is empty. Throws FilterError. */
	parse(): Cond | null {
		if (this.peek().kind === 'end') return null;
		const c = this.expression();
		if (this.peek().kind !== 'end') this.syntax();
		return c;
	}

	private syntax(): never {
		throw new FilterError(SYNTAX);
	}

	private peek(ahead = 0): Token {
		return this.tokens[Math.min(this.i + ahead, this.tokens.length - 1)];
	}

	private take(): Token {
		const t = this.peek();
		if (t.kind !== 'end') this.i++;
		return t;
	}

	private is(text: string, ahead = 0): boolean {
		const t = this.peek(ahead);
		return (t.kind === 'op' || t.kind === 'word') && t.text === text;
	}

	private accept(text: string): boolean {
		if (!this.is(text)) return false;
		this.take();
		return true;
	}

	/** Deep nesting is an error, not a stack overflow. */
	private nested<T>(f: () => T): T {
		if (++this.depth > 400) throw new FilterError('filter expression is nested too deeply');
		const v = f();
		this.depth--;
		return v;
	}

	private last: Qualifiers | null = null;

	private expression(): Cond {
		let c = this.term();
		for (;;) {
			const join = this.accept('and') || this.accept('&&') ? and : this.accept('or') || this.accept('||') ? or : null;
			if (join === null) return c;
			c = join(c, this.idAhead() ? this.bareId() : this.term());
		}
	}

	/** Is what follows an id without qualifiers, such as the 443 of "port 80 or 443"? */
	private idAhead(): boolean {
		let n = 0;
		while (this.is('not', n) || this.is('!', n) || this.is('(', n)) n++;
		const t = this.peek(n);
		if (t.kind === 'num') {
			const next = this.peek(n + 1);
			return (
				next.kind === 'end' ||
				next.kind === 'word' ||
				['and', 'or', '&&', '||', ')'].includes(next.text) ||
				(next.text === '/' && this.last?.type === 'net')
			);
		}
		return t.kind === 'id' || t.kind === 'hid' || t.kind === 'hid6' || t.kind === 'eid';
	}

	private bareId(): Cond {
		return this.nested(() => {
			if (this.accept('not') || this.accept('!')) return not(this.bareId());
			if (this.accept('(')) {
				let c = this.bareId();
				for (;;) {
					const join =
						this.accept('and') || this.accept('&&') ? and : this.accept('or') || this.accept('||') ? or : null;
					if (join === null) break;
					c = join(c, this.idAhead() ? this.bareId() : this.term());
				}
				if (!this.accept(')')) this.syntax();
				return c;
			}
			if (this.last === null) throw new FilterError('syntax error in filter expression');
			return this.id(this.last);
		});
	}

	private term(): Cond {
		return this.nested(() => {
			if (this.accept('not') || this.accept('!')) return not(this.term());
			const relation = this.relation();
			if (relation !== null) return relation;
			if (this.accept('(')) {
				const c = this.expression();
				if (!this.accept(')')) this.syntax();
				return c;
			}
			return this.primitive();
		});
	}

	private primitive(): Cond {
		const t = this.peek();
		if (t.kind !== 'word') this.syntax();
		if (UNSUPPORTED.has(t.text)) {
			if (t.text === 'gateway') throw new FilterError("'gateway' not supported in this configuration");
			throw new FilterError(`'${t.text}' not supported in this configuration`);
		}
		const single = this.single(t.text);
		if (single !== null) return single;
		let proto: string | null = null;
		if (PROTOCOLS.has(t.text)) {
			proto = this.take().text;
			if (
				proto === 'link' ||
				proto === 'fddi' ||
				proto === 'tr' ||
				proto === 'wlan' ||
				proto === 'ppp' ||
				proto === 'slip'
			)
				proto = 'ether';
			if (this.is('broadcast') || this.is('multicast')) {
				this.last = null;
				return this.cast(this.take().text, proto);
			}
		}
		const dir = this.direction();
		const type = this.type();
		if (proto !== null && dir === null && type === null) {
			this.last = null;
			return this.protocol(proto);
		}
		if (dir === null && type === null) this.syntax();
		const q: Qualifiers = { proto, dir, type };
		this.last = q;
		if (this.is('(')) {
			// "host (a or b)"
			return this.bareId();
		}
		return this.id(q);
	}

	/** Primitives of a single word, perhaps with a number. */
	private single(word: string): Cond | null {
		if (word === 'broadcast' || word === 'multicast') {
			this.take();
			this.last = null;
			return this.cast(word, null);
		}
		if (word === 'inbound' || word === 'outbound') {
			this.take();
			this.last = null;
			return this.link.direction(word === 'inbound');
		}
		if (word === 'less' || word === 'greater') {
			this.take();
			const n = this.take();
			if (n.kind !== 'num') this.syntax();
			this.last = null;
			const len = [{ code: BPF_LD | BPF_LEN, k: 0 }];
			return word === 'less' ? not(test(len, BPF_JGT, n.value)) : test(len, BPF_JGE, n.value);
		}
		if (word === 'vlan') {
			this.take();
			this.last = null;
			let id: number | null = null;
			if (this.peek().kind === 'num') id = this.take().value;
			if (id !== null && id > 4095) throw new FilterError(`VLAN tag ${id} greater than maximum 4095`);
			return this.link.vlan(id);
		}
		return null;
	}

	private direction(): Qualifiers['dir'] {
		if (!this.is('src') && !this.is('dst')) return null;
		const first = this.take().text;
		const join = this.is('and') || this.is('or') ? this.peek().text : '';
		const both = DIRECTIONS[`${first} ${join} ${this.peek(1).text}`];
		if (join === '' || both === undefined || this.peek(1).kind !== 'word') return first as 'src' | 'dst';
		this.take();
		this.take();
		return both;
	}

	private type(): Qualifiers['type'] {
		const t = this.peek();
		if (t.kind !== 'word' || !['host', 'net', 'port', 'portrange', 'proto', 'gateway', 'protochain'].includes(t.text))
			return null;
		if (t.text === 'gateway' || t.text === 'protochain')
			throw new FilterError(`'${t.text}' not supported in this configuration`);
		this.take();
		return t.text as Qualifiers['type'];
	}

	private cast(word: string, proto: string | null): Cond {
		if (proto === null || proto === 'ether') {
			if (word === 'broadcast')
				return this.link.mac('dst', Uint8Array.of(255, 255, 255, 255, 255, 255), 'not a broadcast link');
			return this.link.multicast();
		}
		if (word === 'broadcast') {
			if (proto !== 'ip') throw new FilterError('only link-layer/IP broadcast filters supported');
			return and(this.link.ethertype(0x0800), this.link.broadcast());
		}
		const nl = this.link.network;
		if (proto === 'ip') return and(this.link.ethertype(0x0800), test([at(BPF_B, nl + 16)], BPF_JGE, 224));
		if (proto === 'ip6') return and(this.link.ethertype(0x86dd), test([at(BPF_B, nl + 24)], BPF_JEQ, 255));
		throw new FilterError(
			'link-layer multicast filters supported only on ethernet/FDDI/token ring/ARCNET/802.11/ATM LANE/Fibre Channel',
		);
	}

	/** A protocol's name alone: "tcp". */
	private protocol(name: string): Cond {
		const t = TRANSPORTS[name];
		if (t !== undefined) return this.transport(t[0], t[1]);
		const e = ETHER_PROTOCOLS[name];
		if (e !== undefined) return this.link.ethertype(e);
		const next = this.peek();
		const ends = next.kind === 'end' || next.kind === 'word' || ['&&', '||', ')'].includes(next.text);
		if (name === 'ether' && ends) throw new FilterError('link layer applied in wrong context');
		return this.syntax();
	}

	private transport(n: number, family: 4 | 6 | 46): Cond {
		const v4 = this.ip4Protocol(n);
		const v6 = this.ip6Protocol(n);
		return family === 4 ? v4 : family === 6 ? v6 : or(v4, v6);
	}

	private ip4Protocol(n: number): Cond {
		return and(this.link.ethertype(0x0800), test([at(BPF_B, this.link.network + 9)], BPF_JEQ, n));
	}

	private ip6Protocol(n: number): Cond {
		const nl = this.link.network;
		const next = (o: number, v: number) => test([at(BPF_B, nl + o)], BPF_JEQ, v);
		return and(this.link.ethertype(0x86dd), or(next(6, n), and(next(6, 44), next(40, n))));
	}

	private id(q: Qualifiers): Cond {
		const t = this.take();
		if (q.type === 'proto') return this.protoId(q, t);
		if (q.type === 'port' || q.type === 'portrange') return this.portId(q, t);
		if (t.kind === 'eid') {
			if (q.proto !== 'ether' || q.type === 'net')
				throw new FilterError('ethernet address used in non-ether expression');
			return this.link.mac(q.dir ?? 'or', parseMac(t.text.replaceAll('.', ':').replaceAll('-', ':'))!);
		}
		if (t.kind === 'hid6') return this.v6(q, t.text);
		if (t.kind === 'hid' || t.kind === 'num') return this.v4(q, t);
		if (t.kind !== 'id') this.syntax();
		if (q.proto === 'ether') throw new FilterError(`unknown ether host '${t.text}'`);
		if (q.type === 'net') throw new FilterError(`unknown network '${t.text}'`);
		throw new FilterError(`unknown host '${t.text}'`);
	}

	private protoId(q: Qualifiers, t: Token): Cond {
		if (t.kind !== 'num' && t.kind !== 'id') this.syntax();
		if (q.dir !== null) throw new FilterError(`'proto' cannot be qualified with 'src' or 'dst'`);
		if (q.proto === 'ether') {
			const n = t.kind === 'num' ? t.value : ETHER_PROTOCOLS[t.text];
			if (n === undefined) throw new FilterError(`unknown ether proto '${t.text}'`);
			return this.link.ethertype(n);
		}
		const n = t.kind === 'num' ? t.value : IP_PROTOCOLS[t.text];
		if (n === undefined) throw new FilterError(`unknown ip proto '${t.text}'`);
		if (q.proto === null) return this.transport(n, 46);
		if (q.proto === 'ip') return this.transport(n, 4);
		if (q.proto === 'ip6') return this.transport(n, 6);
		throw new FilterError(`'${q.proto} proto' is bogus`);
	}

	private portId(q: Qualifiers, t: Token): Cond {
		const carriers: { readonly [p: string]: readonly number[] } = { tcp: [6], udp: [17], sctp: [132] };
		const protos = q.proto === null ? [132, 6, 17] : carriers[q.proto];
		if (protos === undefined) throw new FilterError(`illegal qualifier of '${q.type}'`);
		let list: readonly number[] = protos;
		let lo: number;
		let hi: number;
		if (q.type === 'portrange') {
			const m = /^([^-]+)-([^-]+)$/.exec(t.text);
			const first = this.portNumber(m === null ? t.text : m[1]);
			const last = m === null ? first : this.portNumber(m[2]);
			if (t.kind !== 'num' && t.kind !== 'id') this.syntax();
			if (first === null || last === null) throw new FilterError(`unknown port in range '${t.text}'`);
			lo = Math.min(first, last);
			hi = Math.max(first, last);
		} else if (t.kind === 'num') lo = hi = t.value;
		else if (t.kind === 'id' && SERVICES[t.text] !== undefined) {
			const [port, over] = SERVICES[t.text];
			lo = hi = port;
			if (q.proto === 'tcp' && over === 2) throw new FilterError(`port '${t.text}' is udp`);
			if (q.proto === 'udp' && over === 1) throw new FilterError(`port '${t.text}' is tcp`);
			if (q.proto === null && over !== 3) list = over === 1 ? [6] : [17];
		} else if (t.kind === 'id') throw new FilterError(`unknown port '${t.text}'`);
		else this.syntax();
		if (hi > 65535) throw new FilterError(`illegal port number ${hi} > 65535`);
		const nl = this.link.network;
		const ports = (load: (o: number) => Step[]) => {
			const match = (o: number) =>
				lo === hi ? test(load(o), BPF_JEQ, lo) : and(test(load(o), BPF_JGE, lo), not(test(load(o), BPF_JGT, hi)));
			return q.dir === 'src'
				? match(0)
				: q.dir === 'dst'
					? match(2)
					: q.dir === 'and'
						? and(match(0), match(2))
						: or(match(0), match(2));
		};
		const over = (o: number) => any(...list.map((n) => test([at(BPF_B, nl + o)], BPF_JEQ, n)));
		const v6 = all(
			this.link.ethertype(0x86dd),
			over(6),
			ports((o) => [at(BPF_H, nl + 40 + o)]),
		);
		const v4 = all(
			this.link.ethertype(0x0800),
			over(9),
			this.whole(),
			ports((o) => [this.headerLength(), { code: BPF_LD | BPF_H | BPF_IND, k: nl + o }]),
		);
		return or(v6, v4);
	}

	private portNumber(text: string): number | null {
		if (/^(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) return Number(text);
		return SERVICES[text]?.[0] ?? null;
	}

	/** Not a later fragment: only the first has the ports. */
	private whole(): Cond {
		return not(test([at(BPF_H, this.link.network + 6)], BPF_JSET, 0x1fff));
	}

	private headerLength(): Step {
		return { code: BPF_LDX | BPF_B | BPF_MSH, k: this.link.network };
	}

	private v4(q: Qualifiers, t: Token): Cond {
		const [value, bits] = this.dotted(t);
		if (q.proto === 'ether') throw new FilterError('illegal link layer address');
		if (bits > 32) throw new FilterError('mask length must be <= 32');
		let address = value;
		let netmask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
		if (t.kind === 'num' && q.type !== 'net') netmask = 0xffffffff;
		if (this.is('/') && this.peek(1).kind === 'num') {
			this.take();
			const n = this.take().value;
			if (n > 32) throw new FilterError('mask length must be <= 32');
			netmask = n === 0 ? 0 : (0xffffffff << (32 - n)) >>> 0;
			if ((address & ~netmask) >>> 0 !== 0) throw new FilterError(`non-network bits set in "${t.text}/${n}"`);
		} else if (this.is('mask')) {
			this.take();
			const m = this.take();
			if (m.kind !== 'hid') this.syntax();
			netmask = this.dotted(m)[0];
			if ((address & ~netmask) >>> 0 !== 0) throw new FilterError(`non-network bits set in "${t.text} mask ${m.text}"`);
		}
		address = (address & netmask) >>> 0;
		const one = (type: number, src: number, dst: number): Cond => {
			const nl = this.link.network;
			const match = (o: number) => {
				if (netmask === 0) return always(true);
				const load = at(BPF_W, nl + o);
				return test(netmask === 0xffffffff ? [load] : [load, mask(netmask)], BPF_JEQ, address);
			};
			return and(this.link.ethertype(type), this.directed(q, match(src), match(dst)));
		};
		if (q.proto === 'ip') return one(0x0800, 12, 16);
		if (q.proto === 'arp') return one(0x0806, 14, 24);
		if (q.proto === 'rarp') return one(0x8035, 14, 24);
		if (q.proto === null) return any(one(0x0800, 12, 16), one(0x0806, 14, 24), one(0x8035, 14, 24));
		if (q.proto === 'ip6') throw new FilterError("'ip6' modifier applied to ip host");
		throw new FilterError(`'${q.proto}' modifier applied to ${q.type === 'net' ? 'net' : 'host'}`);
	}

	private directed(q: Qualifiers, src: Cond, dst: Cond): Cond {
		return q.dir === 'src' ? src : q.dir === 'dst' ? dst : q.dir === 'and' ? and(src, dst) : or(src, dst);
	}

	/** One to four numbers with dots, moved to the top of 32 bits. Return: the address and how many bits were written. */
	private dotted(t: Token): [number, number] {
		if (t.kind === 'num') {
			// "net 10" is 10.0.0.0/8; "host 0x01020304" an address.
			let v = t.value;
			let bits = 32;
			while (v !== 0 && v < 0x1000000) {
				v *= 256;
				bits -= 8;
			}
			return this.peek().text === '/' || this.lastIsNet() ? [v, v === 0 ? 32 : bits] : [t.value, 32];
		}
		const parts = t.text.split('.').map(Number);
		if (parts.some((p) => p > 255)) throw new FilterError(`invalid IPv4 address '${t.text}'`);
		const whole = parseIp4([...parts, 0, 0, 0].slice(0, 4).join('.'));
		return [whole ?? 0, parts.length * 8];
	}

	private lastIsNet(): boolean {
		return this.last?.type === 'net';
	}

	private v6(q: Qualifiers, text: string): Cond {
		const a = parseIp6(text);
		if (a === null) throw new FilterError(`invalid ip6 address ${text}`);
		let bits = 128;
		let suffix = '';
		if (this.is('/') && this.peek(1).kind === 'num') {
			this.take();
			bits = this.take().value;
			suffix = `/${bits}`;
			if (bits > 128) throw new FilterError('mask length must be <= 128');
		}
		if (q.proto !== null && q.proto !== 'ip6') {
			if (q.proto === 'ip' || q.proto === 'arp' || q.proto === 'rarp')
				throw new FilterError(`'${q.proto}' modifier applied to ip6 host`);
			throw new FilterError(`'${q.proto}' modifier applied to ip6 host`);
		}
		const masks = [0, 1, 2, 3].map((i) => {
			const n = Math.max(0, Math.min(32, bits - 32 * i));
			return n === 0 ? 0 : (0xffffffff << (32 - n)) >>> 0;
		});
		for (let i = 0; i < 4; i++)
			if ((be32(a, 4 * i) & ~masks[i]) >>> 0 !== 0) throw new FilterError(`non-network bits set in "${text}${suffix}"`);
		const nl = this.link.network;
		const match = (o: number) => {
			const tests: Cond[] = [];
			for (let i = 0; i < 4; i++) {
				if (masks[i] === 0) continue;
				const load = at(BPF_W, nl + o + 4 * i);
				tests.push(test(masks[i] === 0xffffffff ? [load] : [load, mask(masks[i])], BPF_JEQ, be32(a, 4 * i)));
			}
			return tests.length === 0 ? always(true) : all(...tests);
		};
		return and(this.link.ethertype(0x86dd), this.directed(q, match(8), match(24)));
	}

	/** "expr relop expr", or null (and nothing read) when no such thing stands here. */
	private relation(): Cond | null {
		const start = this.i;
		const depth = this.depth;
		this.registers = 0;
		const left = this.arithAhead() ? this.sum(0) : null;
		const op = this.peek();
		if (left === null || op.kind !== 'op' || !['>', '<', '>=', '<=', '=', '==', '!='].includes(op.text)) {
			this.i = start;
			this.depth = depth;
			return null;
		}
		this.take();
		const right = this.sum(0);
		if (right === null) this.syntax();
		this.last = null;
		const conds = [...left.conds, ...right.conds];
		const jump =
			op.text === '>' || op.text === '<=' ? BPF_JGT : op.text === '>=' || op.text === '<' ? BPF_JGE : BPF_JEQ;
		let c: Cond;
		if (right.constant !== null) c = test(left.steps, jump, right.constant);
		else {
			const r = this.register();
			c = testX([...left.steps, { code: BPF_ST, k: r }, ...right.steps, TAX, { code: LD_MEM, k: r }], jump);
		}
		if (op.text === '<' || op.text === '<=' || op.text === '!=') c = not(c);
		return conds.length === 0 ? c : and(all(...conds), c);
	}

	private register(): number {
		if (this.registers >= 16) throw new FilterError('out of registers needed to evaluate expression');
		return this.registers++;
	}

	private arithAhead(): boolean {
		const t = this.peek();
		if (t.kind === 'num') return true;
		if (t.kind === 'op') return t.text === '(' || t.text === '-';
		return t.kind === 'word' && (t.text === 'len' || t.text === 'length' || (PROTOCOLS.has(t.text) && this.is('[', 1)));
	}

	/** Binary operators, loosest first. Return: null where no expression stands. */
	private sum(level: number): Arith | null {
		if (level === OPERATORS.length) return this.factor();
		let a = this.sum(level + 1);
		while (a !== null && this.peek().kind === 'op' && OPERATORS[level][this.peek().text] !== undefined) {
			const op = OPERATORS[level][this.take().text];
			const b = this.sum(level + 1);
			if (b === null) return null;
			a = this.binary(op, a, b);
		}
		return a;
	}

	private binary(op: number, a: Arith, b: Arith): Arith {
		const k = b.constant;
		if (k === 0 && op === BPF_DIV) throw new FilterError('division by zero');
		if (k === 0 && op === BPF_MOD) throw new FilterError('modulus by zero');
		if (k !== null && k > 31 && (op === BPF_LSH || op === BPF_RSH)) throw new FilterError('shift by more than 31 bits');
		const conds = [...a.conds, ...b.conds];
		if (k !== null && a.constant !== null) {
			const v = fold(op, a.constant, k);
			return { steps: [{ code: BPF_LD | BPF_IMM, k: v }], conds, constant: v };
		}
		if (k !== null) return { steps: [...a.steps, { code: BPF_ALU | op | BPF_K, k }], conds, constant: null };
		const r = this.register();
		return {
			steps: [
				...a.steps,
				{ code: BPF_ST, k: r },
				...b.steps,
				TAX,
				{ code: LD_MEM, k: r },
				{ code: BPF_ALU | op | BPF_X, k: 0 },
			],
			conds,
			constant: null,
		};
	}

	private factor(): Arith | null {
		return this.nested(() => {
			const t = this.peek();
			if (t.kind === 'num') {
				this.take();
				return { steps: [{ code: BPF_LD | BPF_IMM, k: t.value }], conds: [], constant: t.value };
			}
			if (this.accept('-')) {
				const v = this.factor();
				if (v === null) return null;
				const constant = v.constant === null ? null : -v.constant >>> 0;
				if (constant !== null) return { steps: [{ code: BPF_LD | BPF_IMM, k: constant }], conds: v.conds, constant };
				return { steps: [...v.steps, { code: BPF_ALU | BPF_NEG, k: 0 }], conds: v.conds, constant: null };
			}
			if (this.accept('(')) {
				const v = this.sum(0);
				return v !== null && this.accept(')') ? v : null;
			}
			if (this.accept('len') || this.accept('length'))
				return { steps: [{ code: BPF_LD | BPF_LEN, k: 0 }], conds: [], constant: null };
			if (t.kind === 'word' && PROTOCOLS.has(t.text) && this.is('[', 1)) return this.access();
			return null;
		});
	}

	/** proto[index:size] */
	private access(): Arith {
		const proto = this.take().text;
		this.take();
		const index = this.sum(0);
		if (index === null) this.syntax();
		let size = BPF_B;
		if (this.accept(':')) {
			const n = this.take();
			if (n.kind !== 'num') this.syntax();
			if (n.value !== 1 && n.value !== 2 && n.value !== 4) throw new FilterError('data size must be 1, 2, or 4');
			size = n.value === 1 ? BPF_B : n.value === 2 ? BPF_H : BPF_W;
		}
		if (!this.accept(']')) this.syntax();
		const nl = this.link.network;
		const k = index.constant;
		const indexed = (base: number, conds: readonly Cond[]): Arith => ({
			steps: k !== null ? [at(size, base + k)] : [...index.steps, TAX, { code: BPF_LD | size | BPF_IND, k: base }],
			conds: [...index.conds, ...conds],
			constant: null,
		});
		if (
			proto === 'ether' ||
			proto === 'link' ||
			proto === 'ppp' ||
			proto === 'slip' ||
			proto === 'fddi' ||
			proto === 'tr' ||
			proto === 'wlan'
		)
			return indexed(0, []);
		const e = ETHER_PROTOCOLS[proto];
		if (e !== undefined && proto !== 'stp') return indexed(nl, [this.link.ethertype(e)]);
		if (proto === 'icmp6')
			return indexed(nl + 40, [this.link.ethertype(0x86dd), test([at(BPF_B, nl + 6)], BPF_JEQ, 58)]);
		const t = TRANSPORTS[proto];
		if (t === undefined) throw new FilterError(`unsupported index operation`);
		const conds = [...index.conds, this.ip4Protocol(t[0]), this.whole()];
		if (k !== null)
			return {
				steps: [this.headerLength(), { code: BPF_LD | size | BPF_IND, k: (nl + k) >>> 0 }],
				conds,
				constant: null,
			};
		return {
			steps: [
				...index.steps,
				this.headerLength(),
				{ code: BPF_ALU | BPF_ADD | BPF_X, k: 0 },
				TAX,
				{ code: BPF_LD | size | BPF_IND, k: nl },
			],
			conds,
			constant: null,
		};
	}
}

const OPERATORS: readonly { readonly [op: string]: number }[] = [
	{ '|': BPF_OR, '&': BPF_AND, '^': BPF_XOR },
	{ '<<': BPF_LSH, '>>': BPF_RSH },
	{ '+': BPF_ADD, '-': BPF_SUB },
	{ '*': BPF_MUL, '/': BPF_DIV, '%': BPF_MOD },
];

function fold(op: number, a: number, b: number): number {
	switch (op) {
		case BPF_ADD:
			return (a + b) >>> 0;
		case BPF_SUB:
			return (a - b) >>> 0;
		case BPF_MUL:
			return Math.imul(a, b) >>> 0;
		case BPF_DIV:
			return Math.floor(a / b);
		case BPF_MOD:
			return a % b;
		case BPF_OR:
			return (a | b) >>> 0;
		case BPF_AND:
			return (a & b) >>> 0;
		case BPF_XOR:
			return (a ^ b) >>> 0;
		case BPF_LSH:
			return (a << b) >>> 0;
		default:
			return a >>> b;
	}
}
