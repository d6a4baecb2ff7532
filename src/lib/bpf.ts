/*
 * lib/bpf.ts: classic BPF.                                         Linux: net/core/filter.c, uapi/linux/filter.h
 * Walk: the instruction's parts -> bpf_check_classic (may it be attached?) -> bpf_run (over one packet).
 * McCanne and Jacobson 1993; Documentation/networking/filter.rst. Not here: extended BPF.
 */

/** One instruction: struct sock_filter. */
export interface sock_filter {
	readonly code: number;
	/** How many instructions to skip when the jump is taken, or not. */
	readonly jt: number;
	readonly jf: number;
	readonly k: number;
}

export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_RET = 0x06;
export const BPF_MISC = 0x07;

export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;

export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;
export const BPF_MSH = 0xa0;

export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;

export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;

export const BPF_K = 0x00;
export const BPF_X = 0x08;
export const BPF_A = 0x10;

export const BPF_TAX = 0x00;
export const BPF_TXA = 0x80;

export const BPF_MEMWORDS = 16;
export const BPF_MAXINSNS = 4096;

/** Loads from here up are not from the packet but about it. */
export const SKF_AD_OFF = -0x1000;
export const SKF_AD_PROTOCOL = 0;
export const SKF_AD_PKTTYPE = 4;
export const SKF_AD_IFINDEX = 8;

const VALID: ReadonlySet<number> = new Set([
	BPF_RET | BPF_K,
	BPF_RET | BPF_A,
	BPF_LD | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_H | BPF_ABS,
	BPF_LD | BPF_B | BPF_ABS,
	BPF_LD | BPF_W | BPF_IND,
	BPF_LD | BPF_H | BPF_IND,
	BPF_LD | BPF_B | BPF_IND,
	BPF_LDX | BPF_IMM,
	BPF_LDX | BPF_MEM,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LDX | BPF_B | BPF_MSH,
	BPF_ST,
	BPF_STX,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
	BPF_ALU | BPF_NEG,
	BPF_JMP | BPF_JA,
	...[BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR].flatMap((op) => [
		BPF_ALU | op | BPF_K,
		BPF_ALU | op | BPF_X,
	]),
	...[BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET].flatMap((op) => [BPF_JMP | op | BPF_K, BPF_JMP | op | BPF_X]),
]);

/** May this program be attached? Jumps go forward and stay inside, and it ends in a return. Return: false for -EINVAL. */
export function bpf_check_classic(insns: readonly sock_filter[]): boolean {
	const n = insns.length;
	if (n === 0 || n > BPF_MAXINSNS) return false;
	for (let pc = 0; pc < n; pc++) {
		const f = insns[pc];
		if (!VALID.has(f.code)) return false;
		switch (f.code) {
			case BPF_ALU | BPF_DIV | BPF_K:
			case BPF_ALU | BPF_MOD | BPF_K:
				if (f.k === 0) return false;
				break;
			case BPF_ALU | BPF_LSH | BPF_K:
			case BPF_ALU | BPF_RSH | BPF_K:
				if (f.k >>> 0 >= 32) return false;
				break;
			case BPF_LD | BPF_MEM:
			case BPF_LDX | BPF_MEM:
			case BPF_ST:
			case BPF_STX:
				if (f.k >>> 0 >= BPF_MEMWORDS) return false;
				break;
			case BPF_JMP | BPF_JA:
				if (f.k >>> 0 >= n - pc - 1) return false;
				break;
			default:
				if ((f.code & 7) === BPF_JMP && (pc + f.jt + 1 >= n || pc + f.jf + 1 >= n)) return false;
		}
	}
	return (insns[n - 1].code & 7) === BPF_RET;
}

/** What an ancillary load (SKF_AD_*) gives. */
export type bpf_ancillary = (k: number) => number;

/**
 * Runs a checked program over a packet of which caplen bytes are in pkt and which was len bytes long. A load past the end ends it with 0.
 * Return: how many bytes to keep; 0 to drop.
 */
export function bpf_run(
	insns: readonly sock_filter[],
	pkt: Uint8Array,
	len: number,
	caplen: number,
	ancillary: bpf_ancillary | null = null,
): number {
	let A = 0;
	let X = 0;
	let mem: Uint32Array | null = null;
	for (let pc = 0; pc < insns.length; pc++) {
		const f = insns[pc];
		const k = f.k >>> 0;
		let o: number;
		switch (f.code) {
			case BPF_RET | BPF_K:
				return k;
			case BPF_RET | BPF_A:
				return A;
			case BPF_LD | BPF_W | BPF_ABS:
			case BPF_LD | BPF_H | BPF_ABS:
			case BPF_LD | BPF_B | BPF_ABS:
				if (k >= 0xfffff000 && ancillary !== null) {
					A = ancillary(k - 0xfffff000) >>> 0;
					break;
				}
				o = k;
				if (!within(f.code, o, caplen)) return 0;
				A = load(f.code, pkt, o);
				break;
			case BPF_LD | BPF_W | BPF_IND:
			case BPF_LD | BPF_H | BPF_IND:
			case BPF_LD | BPF_B | BPF_IND:
				o = (k + X) % 0x100000000;
				if (!within(f.code, o, caplen)) return 0;
				A = load(f.code, pkt, o);
				break;
			case BPF_LD | BPF_W | BPF_LEN:
				A = len;
				break;
			case BPF_LDX | BPF_W | BPF_LEN:
				X = len;
				break;
			case BPF_LDX | BPF_B | BPF_MSH:
				if (k >= caplen) return 0;
				X = (pkt[k] & 15) << 2;
				break;
			case BPF_LD | BPF_IMM:
				A = k;
				break;
			case BPF_LDX | BPF_IMM:
				X = k;
				break;
			case BPF_LD | BPF_MEM:
				A = mem === null ? 0 : mem[k];
				break;
			case BPF_LDX | BPF_MEM:
				X = mem === null ? 0 : mem[k];
				break;
			case BPF_ST:
				mem ??= new Uint32Array(BPF_MEMWORDS);
				mem[k] = A;
				break;
			case BPF_STX:
				mem ??= new Uint32Array(BPF_MEMWORDS);
				mem[k] = X;
				break;
			case BPF_MISC | BPF_TAX:
				X = A;
				break;
			case BPF_MISC | BPF_TXA:
				A = X;
				break;
			case BPF_JMP | BPF_JA:
				pc += k;
				break;
			case BPF_ALU | BPF_NEG:
				A = -A >>> 0;
				break;
			default: {
				const v = f.code & BPF_X ? X : k;
				if ((f.code & 7) === BPF_ALU) {
					const op = f.code & 0xf0;
					if ((op === BPF_DIV || op === BPF_MOD) && v === 0) return 0;
					A = alu(op, A, v);
				} else if ((f.code & 7) === BPF_JMP) pc += jump(f.code & 0xf0, A, v) ? f.jt : f.jf;
				else return 0;
			}
		}
	}
	return 0;
}

function within(code: number, o: number, caplen: number): boolean {
	const size = (code & 0x18) === BPF_W ? 4 : (code & 0x18) === BPF_H ? 2 : 1;
	return o + size <= caplen;
}

function load(code: number, b: Uint8Array, o: number): number {
	if ((code & 0x18) === BPF_W) return ((b[o] << 24) | (b[o + 1] << 16) | (b[o + 2] << 8) | b[o + 3]) >>> 0;
	if ((code & 0x18) === BPF_H) return (b[o] << 8) | b[o + 1];
	return b[o];
}

function alu(op: number, a: number, v: number): number {
	switch (op) {
		case BPF_ADD:
			return (a + v) >>> 0;
		case BPF_SUB:
			return (a - v) >>> 0;
		case BPF_MUL:
			return Math.imul(a, v) >>> 0;
		case BPF_DIV:
			return Math.floor(a / v);
		case BPF_MOD:
			return a % v;
		case BPF_OR:
			return (a | v) >>> 0;
		case BPF_AND:
			return (a & v) >>> 0;
		case BPF_XOR:
			return (a ^ v) >>> 0;
		case BPF_LSH:
			return (a << (v & 31)) >>> 0;
		default:
			return a >>> (v & 31);
	}
}

function jump(op: number, a: number, v: number): boolean {
	switch (op) {
		case BPF_JEQ:
			return a === v;
		case BPF_JGT:
			return a > v;
		case BPF_JGE:
			return a >= v;
		default:
			return (a & v) !== 0;
	}
}
