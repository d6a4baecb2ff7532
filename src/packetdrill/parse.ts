/*
 * packetdrill/parse.ts: text to a Script. Every error says line, what came and what was expected.
 */
import type {
	CallEvent,
	Event,
	Expr,
	IcmpSpec,
	PacketEvent,
	Script,
	TcpOption,
	TcpSpec,
	UdpSpec,
	When,
} from './script.ts';
import { ScriptError } from './script.ts';

const SPACE = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const FLOAT = /-?\d*\.\d+|-?\d+/y;
const INT = /0x[0-9a-fA-F]+|-?\d+/y;
const WORD = /[A-Za-z0-9_]+/y;
const STRING = /"((?:\\[\s\S]|[^"\\])*)"/y;
const BACKQUOTED = /`((?:\\[\s\S]|[^`\\])*)`/y;
const CODE = /%\{([\s\S]*?)\}%/y;
const OPTION = /--([A-Za-z0-9_]+)(?:=("[^"\n]*"|[^\s]+))?/y;
const MAX_DEPTH = 50;
const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', 0: '\0' };

function plain(text: string): string {
	return text.replace(/\\([\s\S])/g, (_, c: string) => ESCAPES[c] ?? c);
}

class Parser {
	private text: string;
	private file: string;
	private at = 0;
	private depth = 0;
	private defines: Map<string, string>;

	constructor(file: string, text: string, defines: Map<string, string>) {
		this.file = file;
		this.text = text;
		this.defines = defines;
	}

	private line(at = this.at): number {
		let n = 1;
		for (let i = this.text.indexOf('\n'); i >= 0 && i < at; i = this.text.indexOf('\n', i + 1)) n++;
		return n;
	}

	private fail(expected: string): never {
		this.space();
		const rest = this.text.slice(this.at, this.at + 24).split('\n')[0];
		const got = this.at >= this.text.length ? 'the end of the script' : `'${rest}'`;
		throw new ScriptError(this.file, this.line(), `expected ${expected}, not ${got}`);
	}

	private space(): void {
		SPACE.lastIndex = this.at;
		if (SPACE.test(this.text)) this.at = SPACE.lastIndex;
	}

	private take(re: RegExp): RegExpExecArray | null {
		this.space();
		re.lastIndex = this.at;
		const m = re.exec(this.text);
		if (m !== null) this.at = re.lastIndex;
		return m;
	}

	private peek(literal: string): boolean {
		this.space();
		return this.text.startsWith(literal, this.at);
	}

	private eat(literal: string): boolean {
		if (!this.peek(literal)) return false;
		this.at += literal.length;
		return true;
	}

	private need(literal: string): void {
		if (!this.eat(literal)) this.fail(`'${literal}'`);
	}

	/** The word that comes next, which is not taken. */
	private ahead(): string {
		const at = this.at;
		const m = this.take(WORD);
		this.at = at;
		return m === null ? '' : m[0];
	}

	private eatWord(word: string): boolean {
		if (this.ahead() !== word) return false;
		this.take(WORD);
		return true;
	}

	/** -D NAME=VALUE stands for NAME wherever a word may stand. */
	private word(what: string): string {
		const m = this.take(WORD);
		if (m === null) this.fail(what);
		return this.defines.get(m[0]) ?? m[0];
	}

	private int(what: string): number {
		const at = this.at;
		const name = this.ahead();
		const value = this.defines.get(name);
		if (value !== undefined && /^(0x[0-9a-f]+|-?\d+)$/i.test(value)) {
			this.take(WORD);
			return Number(value);
		}
		const m = this.take(INT);
		if (m === null) {
			this.at = at;
			this.fail(what);
		}
		return Number(m[0]);
	}

	private usecs(): number {
		const m = this.take(FLOAT);
		if (m === null) this.fail('a time in seconds');
		return Math.round(Number(m[0]) * 1e6);
	}

	parse(): Script {
		const script: Script = { file: this.file, options: [], init: null, events: [], cleanup: null };
		for (let m = this.take(OPTION); m !== null; m = this.take(OPTION)) {
			if (m[2] === undefined) this.fail(`'=' and a value after --${m[1]}`);
			script.options.push({ name: m[1], value: m[2].replace(/^"|"$/g, ''), line: this.line(m.index) });
		}
		this.space();
		const line = this.line();
		const init = this.take(BACKQUOTED);
		if (init !== null) script.init = { script: init[1], line };
		for (this.space(); this.at < this.text.length; this.space()) {
			if (this.peek('`') && script.cleanup === null) {
				const at = this.line();
				const m = this.take(BACKQUOTED);
				if (m === null) this.fail("a closing '`'");
				script.cleanup = { script: m[1], line: at };
			} else if (script.cleanup !== null) this.fail('the end of the script after a command without a time');
			else script.events.push(this.event());
		}
		return script;
	}

	private when(): When {
		if (this.eat('*')) return { kind: 'any', at: 0, end: null };
		const relative = this.eat('+');
		const at = this.usecs();
		let end: number | null = null;
		if (this.eat('~')) {
			this.eat('+');
			end = this.usecs();
		}
		return { kind: relative ? 'relative' : 'absolute', at, end };
	}

	private event(): Event {
		const line = this.line();
		if (!/[-+*.\d]/.test(this.text[this.at])) this.fail('a time (+0, 0.1, *)');
		const when = this.when();
		if (this.eat('...')) when.end = this.usecs();
		const start = this.at;
		if (this.peek('<') || this.peek('>')) return { line, when, what: this.packet() };
		const command = this.take(BACKQUOTED);
		if (command !== null) return { line, when, what: { action: 'command', script: command[1] } };
		const code = this.take(CODE);
		if (code !== null) return { line, when, what: { action: 'code', code: code[1] } };
		this.at = start;
		return { line, when, what: this.call() };
	}

	// ---- packets -------------------------------------------------------------------------------------------------------------

	private packet(): PacketEvent {
		this.space();
		const start = this.at;
		const inbound = this.eat('<');
		if (!inbound) this.need('>');
		const p: PacketEvent = {
			action: 'packet',
			inbound,
			ecn: null,
			tos: null,
			ttl: null,
			spec: null as never,
			text: '',
		};
		for (;;) {
			if (this.peek('[') && /^\[\s*(noecn|ect01|ect0|ect1|ce)\b/.test(this.text.slice(this.at))) {
				this.need('[');
				p.ecn = this.word('noecn, ect0, ect1, ect01 or ce') as PacketEvent['ecn'];
				this.need(']');
			} else if (this.peek('(')) {
				this.need('(');
				do {
					const name = this.word('tos, ttl or flowlabel');
					if (name === 'tos') p.tos = this.int('a TOS');
					else if (name === 'ttl') p.ttl = this.int('a TTL');
					else if (name === 'flowlabel') this.int('a flow label');
					else this.fail(`tos, ttl or flowlabel instead of '${name}'`);
				} while (this.eat(','));
				this.need(')');
			} else if (this.peek('[')) {
				p.spec = this.icmp();
				break;
			} else {
				const word = this.ahead();
				if (word === 'icmp') p.spec = this.icmp();
				else if (word === 'udp') p.spec = this.udp();
				else if (word === 'ipv4' || word === 'ipv6' || word === 'gre' || word === 'mpls' || word === 'psp')
					this.fail(`a TCP, UDP or ICMP packet (${word} encapsulation is not there yet)`);
				else p.spec = this.tcp(inbound);
				break;
			}
		}
		p.text = this.text.slice(start, this.at).replace(/\s+/g, ' ').trim();
		return p;
	}

	private udp(): UdpSpec {
		this.word('udp');
		this.need('(');
		const len = this.int('a length');
		this.need(')');
		return { kind: 'udp', len };
	}

	private echoed(): IcmpSpec['echoed'] {
		if (!this.eat('[')) return null;
		let e: IcmpSpec['echoed'];
		if (this.ahead() === 'udp') e = { udp: this.udp().len };
		else e = this.range();
		this.need(']');
		return e;
	}

	private icmp(): IcmpSpec {
		let echoed = this.echoed();
		if (this.word('icmp') !== 'icmp') this.fail("'icmp'");
		const type = this.word('an ICMP type');
		let code: string | null = null;
		let mtu: number | null = null;
		for (;;) {
			if (this.eatWord('mtu')) {
				mtu = this.int('an MTU');
				continue;
			}
			// Another event begins with a time; a code never does.
			const next = this.ahead();
			if (code === null && /^[a-z_]/.test(next)) {
				code = this.word('a code');
				continue;
			}
			break;
		}
		if (echoed === null) echoed = this.echoed();
		return { kind: 'icmp', type, code, mtu, echoed };
	}

	private range(): { seq: number; end: number; len: number } {
		const seq = this.int('a sequence number');
		this.need(':');
		const end = this.int('the sequence number of its end');
		this.need('(');
		const len = this.int('its length in bytes');
		this.need(')');
		return { seq, end, len };
	}

	private tcp(inbound: boolean): TcpSpec {
		const m = this.take(/(?:[A-Z]+\.?|\.|-)(?=\s)/y);
		if (m === null) this.fail("TCP flags (S, S., P., F., R, '.' …), udp or icmp");
		const flags = m[0];
		const bad = /[^SFRPUEWA.-]/.exec(flags);
		if (bad !== null) this.fail(`TCP flags of S F R P U E W A and '.', not '${flags}'`);
		const line = this.line();
		const { seq, end, len } = this.range();
		if ((seq + len - end) | 0) {
			throw new ScriptError(this.file, line, `bad packet: ${seq} and ${len} bytes end at ${seq + len}, not at ${end}`);
		}
		const spec: TcpSpec = { kind: 'tcp', flags, seq, end, len, ack: null, win: null, urg: null, options: [] };
		for (;;) {
			if (this.eatWord('ack')) spec.ack = this.int('an acknowledgement number');
			else if (this.eatWord('win')) spec.win = this.int('a window');
			else if (this.eatWord('urg')) spec.urg = this.int('an urgent pointer');
			else break;
		}
		if (inbound && spec.win === null && !flags.includes('R'))
			throw new ScriptError(this.file, line, 'inbound TCP packet needs a window: win N');
		if (this.eat('<')) {
			if (this.eat('...')) spec.options = null;
			else if (!this.peek('>')) {
				do spec.options!.push(this.option());
				while (this.eat(','));
			}
			this.need('>');
		}
		return spec;
	}

	private option(): TcpOption {
		const name = this.word('a TCP option');
		const o: TcpOption = { kind: 'nop', value: 0, ecr: 0, blocks: [], hex: null };
		switch (name) {
			case 'nop':
			case 'eol':
			case 'sackOK':
				o.kind = name;
				break;
			case 'mss':
			case 'wscale':
				o.kind = name;
				o.value = this.int(`the value of ${name}`);
				break;
			case 'sack':
				o.kind = 'sack';
				do {
					const a = this.int('the start of a SACK block');
					this.need(':');
					o.blocks.push([a, this.int('the end of a SACK block')]);
					this.space();
				} while (/^-?\d/.test(this.text.slice(this.at, this.at + 2)));
				break;
			case 'TS':
				o.kind = 'TS';
				if (!this.eatWord('val')) this.fail("'val'");
				o.value = this.int('a time stamp');
				if (!this.eatWord('ecr')) this.fail("'ecr'");
				o.ecr = this.int('an echoed time stamp');
				break;
			case 'FO':
			case 'FOEXP':
				o.kind = name;
				o.hex = this.peek(',') || this.peek('>') ? '' : this.word('a cookie');
				if (!/^([0-9a-fA-F]{2})*$/.test(o.hex)) this.fail(`a cookie in hex instead of '${o.hex}'`);
				break;
			case 'md5':
				o.kind = 'md5';
				o.hex = this.word('16 bytes in hex');
				if (!/^[0-9a-fA-F]{32}$/.test(o.hex)) this.fail(`16 bytes in hex instead of '${o.hex}'`);
				break;
			default:
				this.fail(`a TCP option of nop, eol, mss, wscale, sackOK, sack, TS, FO, FOEXP, md5 instead of '${name}'`);
		}
		return o;
	}

	// ---- calls ---------------------------------------------------------------------------------------------------------------

	private call(): CallEvent {
		this.space();
		const start = this.at;
		const name = this.word('a packet (< or >), a system call, a `command` or %{ code }%');
		this.need('(');
		const args: Expr[] = [];
		if (!this.peek(')')) {
			do args.push(this.expr());
			while (this.eat(','));
		}
		this.need(')');
		this.need('=');
		const result = this.expr();
		let errno: string | null = null;
		this.space();
		if (/^E[A-Z0-9]+\b/.test(this.text.slice(this.at, this.at + 20))) errno = this.word('an error');
		if (this.eat('(')) {
			const close = this.text.indexOf(')', this.at);
			if (close < 0) this.fail("')'");
			this.at = close + 1;
		}
		return { action: 'call', name, args, result, errno, text: this.text.slice(start, this.at).replace(/\s+/g, ' ') };
	}

	private expr(): Expr {
		if (++this.depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} brackets within each other`);
		let e = this.primary();
		while (this.eat('|')) e = { e: 'or', a: e, b: this.primary() };
		this.depth--;
		return e;
	}

	private primary(): Expr {
		if (this.eat('...')) return { e: 'any' };
		if (this.eat('[')) {
			const v: Expr[] = [];
			if (!this.peek(']')) {
				do v.push(this.expr());
				while (this.eat(','));
			}
			this.need(']');
			return { e: 'array', v };
		}
		if (this.eat('{')) return this.braces();
		const s = this.take(STRING);
		if (s !== null) return { e: 'string', v: plain(s[1]), more: this.eat('...') };
		this.space();
		if (/^[-\d]/.test(this.text.slice(this.at))) return { e: 'int', v: this.int('a number') };
		const raw = this.ahead();
		const name = this.word('a value');
		if (this.defines.has(raw) && /^(0x[0-9a-f]+|-?\d+)$/i.test(name)) return { e: 'int', v: Number(name) };
		if (this.eat('(')) {
			const args: Expr[] = [];
			if (!this.peek(')')) {
				do args.push(this.expr());
				while (this.eat(','));
			}
			this.need(')');
			return { e: 'call', name, args };
		}
		return { e: 'name', v: name };
	}

	/** A struct ({a=1, b(2)=[…]}) or an iovec ({..., 1000}). */
	private braces(): Expr {
		const fields = new Map<string, Expr>();
		const tuple: Expr[] = [];
		do {
			if (this.peek('}')) break;
			const at = this.at;
			const name = this.take(/[A-Za-z_][A-Za-z0-9_]*/y);
			if (name !== null) {
				// name=…, or name(n)=…
				if (this.eat('(')) {
					const close = this.text.indexOf(')', this.at);
					if (close < 0) this.fail("')'");
					this.at = close + 1;
				}
				if (this.eat('=')) {
					fields.set(name[0], this.expr());
					continue;
				}
				this.at = at;
			}
			tuple.push(this.expr());
		} while (this.eat(','));
		this.need('}');
		return fields.size > 0 ? { e: 'struct', v: fields } : { e: 'tuple', v: tuple };
	}
}

/** Reads a script. `defines`: what -D gave. Throws ScriptError. */
export function parseScript(file: string, text: string, defines: Map<string, string> = new Map()): Script {
	return new Parser(file, text, defines).parse();
}
