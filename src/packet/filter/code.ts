/*
 * packet/filter/code.ts: conditions and the classic BPF that decides them.
 * Walk: Cond (and, or, not, a comparison) -> emit (jumps to labels) -> resolve (labels to offsets, far jumps by way of ja)
 * -> canAccept (is there any packet that passes?).
 */

import {
	BPF_ABS,
	BPF_ALU,
	BPF_AND,
	BPF_IMM,
	BPF_JA,
	BPF_JEQ,
	BPF_JGE,
	BPF_JGT,
	BPF_JMP,
	BPF_JSET,
	BPF_K,
	BPF_LD,
	BPF_RET,
	BPF_X,
	type sock_filter,
} from '../../lib/bpf.ts';
import { FilterError } from './lexer.ts';

/** An instruction that does not jump. */
export interface Step {
	readonly code: number;
	readonly k: number;
}

export type Cond =
	| { readonly op: 'and' | 'or'; readonly a: Cond; readonly b: Cond }
	| { readonly op: 'not'; readonly a: Cond }
	| { readonly op: 'const'; readonly value: boolean }
	/** After the steps, does the accumulator compare so with k (or with X)? */
	| {
			readonly op: 'test';
			readonly steps: readonly Step[];
			readonly jump: number;
			readonly k: number;
			readonly x: boolean;
	  };

export function and(a: Cond, b: Cond): Cond {
	return { op: 'and', a, b };
}
export function or(a: Cond, b: Cond): Cond {
	return { op: 'or', a, b };
}
export function not(a: Cond): Cond {
	return { op: 'not', a };
}
export function all(...conds: Cond[]): Cond {
	return conds.reduce(and);
}
export function any(...conds: Cond[]): Cond {
	return conds.reduce(or);
}
export function always(value: boolean): Cond {
	return { op: 'const', value };
}
export function test(steps: readonly Step[], jump: number, k: number): Cond {
	return { op: 'test', steps, jump, k: k >>> 0, x: false };
}
export function testX(steps: readonly Step[], jump: number): Cond {
	return { op: 'test', steps, jump, k: 0, x: true };
}

/** Loads size bits (a BPF_W, BPF_H or BPF_B) at a fixed offset. */
export function at(size: number, k: number): Step {
	return { code: BPF_LD | size | BPF_ABS, k: k >>> 0 };
}
export function mask(k: number): Step {
	return { code: BPF_ALU | BPF_AND | BPF_K, k: k >>> 0 };
}

/** A jump to labels, before they have places. */
interface Line {
	readonly code: number;
	readonly k: number;
	readonly t: number;
	readonly f: number;
}

class Emitter {
	readonly lines: Line[] = [];
	/** Where each label stands. */
	readonly labels: number[] = [];

	label(): number {
		this.labels.push(-1);
		return this.labels.length - 1;
	}

	place(label: number): void {
		this.labels[label] = this.lines.length;
	}

	emit(c: Cond, t: number, f: number, depth = 0): void {
		if (depth > 2000) throw new FilterError('filter expression is nested too deeply');
		if (c.op === 'not') this.emit(c.a, f, t, depth + 1);
		else if (c.op === 'const') this.lines.push({ code: BPF_JMP | BPF_JA, k: 0, t: c.value ? t : f, f: -1 });
		else if (c.op === 'test') {
			for (const s of c.steps) this.lines.push({ code: s.code, k: s.k, t: -1, f: -1 });
			this.lines.push({ code: BPF_JMP | c.jump | (c.x ? BPF_X : BPF_K), k: c.k, t, f });
		} else {
			const middle = this.label();
			if (c.op === 'and') this.emit(c.a, middle, f, depth + 1);
			else this.emit(c.a, t, middle, depth + 1);
			this.place(middle);
			this.emit(c.b, t, f, depth + 1);
		}
	}
}

/**
 * The program that returns snaplen for packets that meet the condition, and 0 for others. It is not optimised, and may be longer than what
 * a kernel takes (BPF_MAXINSNS).
 */
export function program(c: Cond | null, snaplen: number): sock_filter[] {
	if (c === null) return [{ code: BPF_RET | BPF_K, jt: 0, jf: 0, k: snaplen }];
	const e = new Emitter();
	const accept = e.label();
	const reject = e.label();
	e.emit(c, accept, reject);
	e.place(accept);
	e.lines.push({ code: BPF_RET | BPF_K, k: snaplen, t: -1, f: -1 });
	e.place(reject);
	e.lines.push({ code: BPF_RET | BPF_K, k: 0, t: -1, f: -1 });
	const out = resolve(e.lines, e.labels);
	if (!canAccept(out)) throw new FilterError('expression rejects all packets');
	return out;
}

/** Puts offsets for labels. A conditional jump reaches 255 instructions: for more it jumps to a ja. */
function resolve(lines: readonly Line[], labels: readonly number[]): sock_filter[] {
	const far = new Set<number>();
	for (;;) {
		const place: number[] = [];
		let n = 0;
		for (let i = 0; i < lines.length; i++) {
			place.push(n);
			n += far.has(i) ? 3 : 1;
		}
		place.push(n);
		const target = (label: number) => place[labels[label]];
		let grew = false;
		for (let i = 0; i < lines.length; i++) {
			const l = lines[i];
			if (l.f < 0 || far.has(i)) continue;
			if (target(l.t) - place[i] - 1 > 255 || target(l.f) - place[i] - 1 > 255) {
				far.add(i);
				grew = true;
			}
		}
		if (grew) continue;
		const out: sock_filter[] = [];
		for (let i = 0; i < lines.length; i++) {
			const { code, k, t, f } = lines[i];
			if (t < 0) out.push({ code, jt: 0, jf: 0, k });
			else if (f < 0) out.push({ code, jt: 0, jf: 0, k: target(t) - place[i] - 1 });
			else if (far.has(i)) {
				out.push({ code, jt: 0, jf: 1, k });
				out.push({ code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: target(t) - place[i] - 2 });
				out.push({ code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: target(f) - place[i] - 3 });
			} else out.push({ code, jt: target(t) - place[i] - 1, jf: target(f) - place[i] - 1, k });
		}
		return out;
	}
}

/** What is known on one path: values that a load has, or has not. */
interface Facts {
	readonly key: string;
	readonly k: number;
	readonly equal: boolean;
	readonly rest: Facts | null;
}

/**
 * Is there a path to an accepting return on which no load has two values? Follows at most so many steps and then says yes: a filter
 * like "ip and ip6" is found, and a long one costs nothing.
 */
function canAccept(insns: readonly sock_filter[]): boolean {
	let budget = 50000;
	const stack: { pc: number; a: string; value: number; facts: Facts | null }[] = [
		{ pc: 0, a: '', value: -1, facts: null },
	];
	while (stack.length > 0) {
		let { pc, a, value, facts } = stack.pop()!;
		for (;;) {
			if (--budget < 0) return true;
			const i = insns[pc];
			if ((i.code & 7) === BPF_RET) {
				if (i.k !== 0) return true;
				break;
			}
			if (i.code === (BPF_JMP | BPF_JA)) {
				pc += 1 + i.k;
				continue;
			}
			if ((i.code & 7) === BPF_JMP) {
				const taken = decide(i, a, value, facts);
				if (taken === null) {
					const key = `${a}`;
					const learn = i.code === (BPF_JMP | BPF_JEQ | BPF_K) && key !== '';
					const no: Facts | null = learn ? { key, k: i.k, equal: false, rest: facts } : facts;
					stack.push({ pc: pc + 1 + i.jf, a, value, facts: no });
					if (learn) facts = { key, k: i.k, equal: true, rest: facts };
					pc += 1 + i.jt;
				} else pc += 1 + (taken ? i.jt : i.jf);
				continue;
			}
			const cls = i.code & 7;
			if (cls === BPF_LD && (i.code & 0xe0) === BPF_ABS) {
				a = `${i.code}@${i.k}`;
				value = -1;
			} else if (i.code === (BPF_LD | BPF_IMM)) {
				a = '';
				value = i.k;
			} else if (i.code === (BPF_LD | 0x80)) {
				a = 'len';
				value = -1;
			} else if (i.code === (BPF_ALU | BPF_AND | BPF_K)) {
				if (a !== '') a = `${a}&${i.k}`;
				if (value >= 0) value = (value & i.k) >>> 0;
			} else if (cls === BPF_LD || cls === BPF_ALU || cls === 7) {
				a = '';
				value = -1;
			}
			pc++;
		}
	}
	return false;
}

/** Which way a jump goes, when the facts say so; null when both are possible. */
function decide(i: sock_filter, a: string, value: number, facts: Facts | null): boolean | null {
	if (i.code & BPF_X) return null;
	let v = value;
	if (v < 0 && a !== '') {
		for (let f = facts; f !== null; f = f.rest) {
			if (f.key !== a) continue;
			if (f.equal) {
				v = f.k;
				break;
			}
			if (f.k === i.k && (i.code & 0xf0) === BPF_JEQ) return false;
		}
	}
	if (v < 0) return null;
	switch (i.code & 0xf0) {
		case BPF_JEQ:
			return v === i.k;
		case BPF_JGT:
			return v > i.k;
		case BPF_JGE:
			return v >= i.k;
		case BPF_JSET:
			return (v & i.k) !== 0;
		default:
			return null;
	}
}
