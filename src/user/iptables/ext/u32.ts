/*
 * user/iptables/ext/u32.ts: -m u32.                                Original: extensions/libxt_u32.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import {
	xt_u32 as info,
	xt_u32_test as test,
	XT_U32_AND,
	XT_U32_AT,
	XT_U32_LEFTSH,
	XT_U32_MAXSIZE,
	XT_U32_RIGHTSH,
} from '../../../uapi/linux/netfilter/xt_u32.ts';
import { strtoul } from '../netdb.ts';
import { XTOPT_INVERT, XTOPT_MAND, type xt_extension, type xt_option_call } from '../xtables.ts';

const OPS: readonly (readonly [string, number])[] = [
	['&', XT_U32_AND],
	['<<', XT_U32_LEFTSH],
	['>>', XT_U32_RIGHTSH],
	['@', XT_U32_AT],
];

class u32_reader {
	s: string;
	at = 0;
	cb: xt_option_call;

	constructor(cb: xt_option_call) {
		this.cb = cb;
		this.s = cb.arg;
	}

	blanks(): void {
		while (/\s/.test(this.s.charAt(this.at))) this.at++;
	}

	number(): number {
		const rest = this.s.slice(this.at);
		const n = strtoul(rest);
		if (n === null || n.value > 0xffffffff) this.cb.bad(`u32: at char ${this.at}: not a number or out of range`);
		this.at += rest.length - n.rest.length;
		return n.value;
	}

	take(word: string): boolean {
		if (!this.s.startsWith(word, this.at)) return false;
		this.at += word.length;
		return true;
	}
}

/** location "=" value, from the first number of the location on. */
function parse_location(r: u32_reader, d: Uint8Array, t: number): void {
	let n = 0;
	for (;;) {
		r.blanks();
		if (r.at >= r.s.length) r.cb.bad('u32: abrupt end of input after location specifier');
		put_unaligned_le32(d, t + test.location + n * 8, r.number());
		n++;
		d[t + test.nnums] = n;
		if (n > XT_U32_MAXSIZE) r.cb.bad(`u32: at char ${r.at}: too many operators`);
		r.blanks();
		if (r.at >= r.s.length) r.cb.bad('u32: abrupt end of input after location specifier');
		if (r.take('=')) return;
		const op = OPS.find(([w]) => r.take(w));
		if (op === undefined) r.cb.bad(`u32: at char ${r.at}: operator expected`);
		put_unaligned_le32(d, t + test.location + n * 8 + 4, op[1]);
	}
}

/** Ranges behind the "=". Return: whether another test follows. */
function parse_values(r: u32_reader, d: Uint8Array, t: number): boolean {
	let n = 0;
	for (;;) {
		r.blanks();
		if (r.at >= r.s.length) r.cb.bad('u32: test ended with no value specified');
		const min = r.number();
		let max = min;
		r.blanks();
		if (r.take(':')) {
			r.blanks();
			max = r.number();
			r.blanks();
		}
		put_unaligned_le32(d, t + test.value + n * 8, min);
		put_unaligned_le32(d, t + test.value + n * 8 + 4, max);
		n++;
		if (n > XT_U32_MAXSIZE) r.cb.bad(`u32: at char ${r.at}: too many ","s`);
		d[t + test.nvalues] = n;
		if (r.at >= r.s.length) return false;
		if (r.take(',')) continue;
		if (r.take('&')) {
			if (!r.take('&')) r.cb.bad(`u32: at char ${r.at}: a second '&' was expected`);
			return true;
		}
		r.cb.bad(`u32: at char ${r.at}: "," or "&&" expected`);
	}
}

const hex = (n: number): string => `0x${n.toString(16)}`;

function dump(d: Uint8Array): string {
	const tests: string[] = [];
	for (let i = 0; i < d[info.ntests]; i++) {
		const t = info.tests + i * test.sizeof;
		let s = '';
		for (let k = 0; k < d[t + test.nnums]; k++) {
			const o = t + test.location + k * 8;
			if (k > 0) s += OPS[get_unaligned_le32(d, o + 4)][0];
			s += hex(get_unaligned_le32(d, o));
		}
		const values: string[] = [];
		for (let k = 0; k < d[t + test.nvalues]; k++) {
			const min = get_unaligned_le32(d, t + test.value + k * 8);
			const max = get_unaligned_le32(d, t + test.value + k * 8 + 4);
			values.push(min === max ? hex(min) : `${hex(min)}:${hex(max)}`);
		}
		tests.push(`${s}=${values.join(',')}`);
	}
	return `"${tests.join('&&')}"`;
}

export const u32_mt_reg: xt_extension = {
	kind: 'match',
	name: 'u32',
	revision: 0,
	size: info.sizeof,
	options: [{ name: 'u32', id: 0, type: 'string', flags: XTOPT_MAND | XTOPT_INVERT }],
	help: [
		'[!] --u32 tests',
		'tests := location "=" value | tests "&&" location "=" value',
		'value := range | value "," range; range := number | number ":" number',
		'location := number | location operator number; operator := "&" | "<<" | ">>" | "@"',
	],
	parse(cb) {
		const d = cb.data;
		if (cb.invert) d[info.invert] = 1;
		const r = new u32_reader(cb);
		for (let more = true; more; ) {
			const t = info.tests + d[info.ntests] * test.sizeof;
			parse_location(r, d, t);
			more = parse_values(r, d, t);
			if (++d[info.ntests] > XT_U32_MAXSIZE) cb.bad(`u32: at char ${r.at}: too many "&&"s`);
		}
	},
	print: (d) => ` u32${d[info.invert] !== 0 ? ' !' : ''} ${dump(d)}`,
	save: (d) => `${d[info.invert] !== 0 ? ' !' : ''} --u32 ${dump(d)}`,
};
