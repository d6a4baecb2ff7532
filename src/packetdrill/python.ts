/*
 * packetdrill/python.ts: the little of Python that scripts say between %{ and }%: assert, print, assignments, if, and expressions.
 * Everything else is refused by name. Numbers are JavaScript's.
 */

export class CodeError extends Error {
	/** Line within the code, from 0. */
	line: number;

	constructor(line: number, message: string) {
		super(message);
		this.name = 'CodeError';
		this.line = line;
	}
}

type Value = number | string | boolean | null | Value[];
export type Scope = Map<string, Value>;

const TOKEN =
	/\s*(?:(\d+\.\d*|\.\d+|0x[0-9a-fA-F]+|\d+)|('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|([A-Za-z_]\w*)|(\*\*|\/\/|<<|>>|==|!=|<=|>=|[-+*/%()<>=&|^~,[\]]))/y;

function show(v: Value): string {
	if (v === null) return 'None';
	if (typeof v === 'boolean') return v ? 'True' : 'False';
	if (Array.isArray(v)) return `(${v.map((x) => (typeof x === 'string' ? `'${x}'` : show(x))).join(', ')})`;
	return String(v);
}

function truth(v: Value): boolean {
	return Array.isArray(v) ? v.length > 0 : Boolean(v);
}

function format(pattern: string, args: Value[]): string {
	let i = 0;
	return pattern.replace(
		/%(%|0?\d*(?:\.(\d+))?([dsxfuri]))/g,
		(all, p: string, digits: string | undefined, kind: string) => {
			if (p === '%') return '%';
			const v = args[i++];
			const n = Number(v);
			let s = show(v);
			if (kind === 'd' || kind === 'u' || kind === 'i') s = String(Math.trunc(n));
			else if (kind === 'x') s = Math.trunc(n).toString(16);
			else if (kind === 'f') s = n.toFixed(digits === undefined ? 6 : Number(digits));
			const width = /^%(0?)(\d*)/.exec(all)!;
			return width[2] === '' ? s : s.padStart(Number(width[2]), width[1] === '0' ? '0' : ' ');
		},
	);
}

class Expression {
	private tokens: string[] = [];
	private i = 0;
	private depth = 0;
	private scope: Scope;
	private line: number;

	constructor(text: string, scope: Scope, line: number) {
		this.scope = scope;
		this.line = line;
		TOKEN.lastIndex = 0;
		let at = 0;
		while (at < text.length) {
			TOKEN.lastIndex = at;
			const m = TOKEN.exec(text);
			if (m === null) {
				if (text.slice(at).trim() === '') break;
				throw new CodeError(line, `'${text.slice(at).trim()}' is not understood`);
			}
			this.tokens.push(m[1] ?? m[2] ?? m[3] ?? m[4]);
			at = TOKEN.lastIndex;
		}
	}

	private eat(...words: string[]): string | null {
		const t = this.tokens[this.i];
		if (t === undefined || !words.includes(t)) return null;
		this.i++;
		return t;
	}

	/** Comma-separated values up to the end. */
	list(): Value[] {
		const v: Value[] = [];
		if (this.i < this.tokens.length) {
			do v.push(this.or());
			while (this.eat(',') !== null);
		}
		if (this.i < this.tokens.length) throw new CodeError(this.line, `'${this.tokens[this.i]}' is not expected there`);
		return v;
	}

	private or(): Value {
		if (++this.depth > 50) throw new CodeError(this.line, 'at most 50 brackets within each other');
		let v = this.and();
		while (this.eat('or') !== null) {
			const w = this.and();
			v = truth(v) ? v : w;
		}
		this.depth--;
		return v;
	}

	private and(): Value {
		let v = this.not();
		while (this.eat('and') !== null) {
			const w = this.not();
			v = truth(v) ? w : v;
		}
		return v;
	}

	private not(): Value {
		return this.eat('not') !== null ? !truth(this.not()) : this.comparison();
	}

	private comparison(): Value {
		let left = this.binary(0);
		let result: boolean | null = null;
		for (;;) {
			const op = this.eat('==', '!=', '<', '>', '<=', '>=', 'in');
			if (op === null) return result === null ? left : result;
			const right = this.binary(0);
			const l = left as number;
			const r = right as number;
			const ok =
				op === '=='
					? left === right || Number(left) === Number(right)
					: op === '!='
						? !(left === right || Number(left) === Number(right))
						: op === '<'
							? l < r
							: op === '>'
								? l > r
								: op === '<='
									? l <= r
									: op === '>='
										? l >= r
										: Array.isArray(right)
											? right.includes(left)
											: String(right).includes(String(left));
			result = (result ?? true) && ok;
			left = right;
		}
	}

	private static LEVELS: string[][] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '//', '%']];

	private binary(level: number): Value {
		if (level === Expression.LEVELS.length) return this.unary();
		let v = this.binary(level + 1);
		for (;;) {
			const op = this.eat(...Expression.LEVELS[level]);
			if (op === null) return v;
			const w = this.binary(level + 1);
			if (op === '%' && typeof v === 'string') v = format(v, Array.isArray(w) ? w : [w]);
			else if (op === '+' && typeof v === 'string') v = v + show(w);
			else v = this.arithmetic(op, Number(v), Number(w));
		}
	}

	private arithmetic(op: string, a: number, b: number): number {
		if (Number.isNaN(a) || Number.isNaN(b)) throw new CodeError(this.line, `TypeError: '${op}' of what is no number`);
		if ('|^&'.includes(op) && !(Number.isInteger(a) && Number.isInteger(b)))
			throw new CodeError(this.line, `TypeError: '${op}' of what is no integer`);
		switch (op) {
			case '|':
				return Number(BigInt(a) | BigInt(b));
			case '^':
				return Number(BigInt(a) ^ BigInt(b));
			case '&':
				return Number(BigInt(a) & BigInt(b));
			case '<<':
				return a * 2 ** b;
			case '>>':
				return Math.floor(a / 2 ** b);
			case '+':
				return a + b;
			case '-':
				return a - b;
			case '*':
				return a * b;
			default:
				if (b === 0) throw new CodeError(this.line, 'ZeroDivisionError: division by zero');
				return op === '/' ? a / b : op === '//' ? Math.floor(a / b) : a - Math.floor(a / b) * b;
		}
	}

	private unary(): Value {
		if (this.eat('-') !== null) return -Number(this.unary());
		if (this.eat('+') !== null) return Number(this.unary());
		if (this.eat('~') !== null) return -Number(this.unary()) - 1;
		const base = this.atom();
		return this.eat('**') !== null ? Number(base) ** Number(this.unary()) : base;
	}

	private atom(): Value {
		const t = this.tokens[this.i++];
		if (t === undefined) throw new CodeError(this.line, 'a value is missing');
		if (t === '(' || t === '[') {
			const close = t === '(' ? ')' : ']';
			const v: Value[] = [];
			let comma = false;
			while (this.eat(close) === null) {
				if (this.i >= this.tokens.length) throw new CodeError(this.line, `'${close}' is missing`);
				v.push(this.or());
				if (this.eat(',') !== null) comma = true;
			}
			return v.length === 1 && !comma && t === '(' ? v[0] : v;
		}
		if (/^[\d.]/.test(t)) return Number(t);
		if (/^['"]/.test(t))
			return t.slice(1, -1).replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === 't' ? '\t' : c));
		if (t === 'True' || t === 'False') return t === 'True';
		if (t === 'None') return null;
		const CALLS: Record<string, (...v: Value[]) => Value> = {
			abs: (v) => Math.abs(Number(v)),
			int: (v) => Math.trunc(Number(v)),
			float: (v) => Number(v),
			str: (v) => show(v),
			len: (v) => {
				if (typeof v !== 'string' && !Array.isArray(v))
					throw new CodeError(this.line, 'TypeError: len() of what has no length');
				return v.length;
			},
			min: (...v) => Math.min(...v.map(Number)),
			max: (...v) => Math.max(...v.map(Number)),
			round: (v) => Math.round(Number(v)),
		};
		if (this.tokens[this.i] === '(' && Object.hasOwn(CALLS, t)) {
			const v = this.atom();
			const args = Array.isArray(v) ? v : [v];
			if (args.length === 0) throw new CodeError(this.line, `TypeError: ${t}() takes an argument`);
			return CALLS[t](...args);
		}
		const v = this.scope.get(t);
		if (v === undefined) throw new CodeError(this.line, `NameError: name '${t}' is not defined`);
		return v;
	}
}

/** Joins lines that parentheses or a backslash leave open. */
function statements(code: string): { line: number; indent: number; text: string }[] {
	const out: { line: number; indent: number; text: string }[] = [];
	let open = '';
	let first = 0;
	code.split('\n').forEach((raw, n) => {
		const text = raw.replace(/#(?=(?:[^'"]|'[^']*'|"[^"]*")*$).*/, '').trimEnd();
		if (open === '') first = n;
		open += (open === '' ? '' : ' ') + (open === '' ? text : text.trim());
		const plain = open.replace(/'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"/g, '');
		const depth = (plain.match(/[([]/g)?.length ?? 0) - (plain.match(/[)\]]/g)?.length ?? 0);
		if (open.endsWith('\\')) open = open.slice(0, -1);
		else if (depth <= 0) {
			for (const part of open.split(/;(?=(?:[^'"]|'[^']*'|"[^"]*")*$)/))
				if (part.trim() !== '')
					out.push({ line: first, indent: n === 0 ? 0 : /^\s*/.exec(part)![0].length, text: part.trim() });
			open = '';
		}
	});
	if (open.trim() !== '') throw new CodeError(first, `'${open.trim()}' has no end`);
	return out;
}

/** Runs code. `print` gets what it prints. Throws CodeError where it fails or is not understood. */
export function runCode(code: string, scope: Scope, print: (text: string) => void): void {
	const all = statements(code);
	let skip = -1;
	let taken = false;
	for (const { line, indent, text } of all) {
		if (skip >= 0 && indent > skip) continue;
		skip = -1;
		const evaluate = (t: string): Value[] => new Expression(t, scope, line).list();
		const cond = /^(if|elif|else)\b(.*):\s*(.*)$/.exec(text);
		const assign = /^([A-Za-z_]\w*)\s*=(?!=)\s*(.*)$/.exec(text);
		const print_call = /^print\s*\(([\s\S]*)\)$/.exec(text);
		if (cond !== null) {
			const yes: boolean = cond[1] === 'else' ? !taken : (cond[1] === 'if' || !taken) && truth(evaluate(cond[2])[0]);
			if (cond[1] === 'if' || yes) taken = yes;
			if (cond[3] !== '') {
				if (yes) runCode(cond[3], scope, print);
			} else if (!yes) skip = indent;
		} else if (/^assert\b/.test(text)) {
			const [ok, message] = evaluate(text.slice(6));
			if (!truth(ok))
				throw new CodeError(line, `AssertionError${message === undefined ? '' : `: ${show(message)}`} (${text})`);
		} else if (print_call !== null) print(evaluate(print_call[1]).map(show).join(' ') + '\n');
		else if (/^print\b/.test(text)) print(evaluate(text.slice(5)).map(show).join(' ') + '\n');
		else if (assign !== null) scope.set(assign[1], evaluate(assign[2])[0]);
		else if (/^(import|from)\b/.test(text) || text === 'pass') continue;
		else if (/^(def|class|for|while|with|try|return|lambda)\b/.test(text))
			throw new CodeError(
				line,
				`'${text.split(/\s/)[0]}' of Python is not there; assert, print, assignments and if are`,
			);
		else evaluate(text);
	}
}
