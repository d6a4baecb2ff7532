/*
 * user/iptables/ext/hashlimit.ts: -m hashlimit.                    Original: extensions/libxt_hashlimit.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import {
	hashlimit_cfg3,
	XT_HASHLIMIT_BYTE_SHIFT,
	XT_HASHLIMIT_BYTES,
	XT_HASHLIMIT_HASH_DIP,
	XT_HASHLIMIT_HASH_DPT,
	XT_HASHLIMIT_HASH_SIP,
	XT_HASHLIMIT_HASH_SPT,
	XT_HASHLIMIT_INVERT,
	XT_HASHLIMIT_RATE_MATCH,
	XT_HASHLIMIT_SCALE_v2,
	xt_hashlimit_mtinfo3,
} from '../../../uapi/linux/netfilter/xt_hashlimit.ts';
import { parse_uint } from '../netdb.ts';
import { cstring } from '../rule.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, XTOPT_MAND, type xt_extension, type xt_option_call } from '../xtables.ts';
import { rate_unit } from './limit.ts';

const C = xt_hashlimit_mtinfo3.cfg;
const AVG = C + hashlimit_cfg3.avg;
const BURST = C + hashlimit_cfg3.burst;
const MODE = C + hashlimit_cfg3.mode;
const SIZE = C + hashlimit_cfg3.size;
const MAX = C + hashlimit_cfg3.max;
const GC = C + hashlimit_cfg3.gc_interval;
const EXPIRE = C + hashlimit_cfg3.expire;
const SRCMASK = C + hashlimit_cfg3.srcmask;
const DSTMASK = C + hashlimit_cfg3.dstmask;
const INTERVAL = C + hashlimit_cfg3.interval;
const NAME_SIZE = 255;

const O_UPTO = 0;
const O_ABOVE = 1;
const O_BURST = 2;
const O_MODE = 3;
const O_NAME = 4;
const O_SIZE = 5;
const O_MAX = 6;
const O_GC = 7;
const O_EXPIRE = 8;
const O_SRCMASK = 9;
const O_DSTMASK = 10;
const O_RATEMATCH = 11;
const O_INTERVAL = 12;

const MODES: readonly (readonly [string, number])[] = [
	['srcip', XT_HASHLIMIT_HASH_SIP],
	['srcport', XT_HASHLIMIT_HASH_SPT],
	['dstip', XT_HASHLIMIT_HASH_DIP],
	['dstport', XT_HASHLIMIT_HASH_DPT],
];

const UNITS: readonly (readonly [string, number])[] = [
	['day', 86400],
	['hour', 3600],
	['min', 60],
	['sec', 1],
];

function get64(d: Uint8Array, o: number): number {
	return get_unaligned_le32(d, o) + get_unaligned_le32(d, o + 4) * 0x100000000;
}

function put64(d: Uint8Array, o: number, v: number): void {
	put_unaligned_le32(d, o, v % 0x100000000);
	put_unaligned_le32(d, o + 4, Math.floor(v / 0x100000000));
}

/** Letters before b/s, and bytes. */
const BYTE_UNITS: readonly (readonly [string, number])[] = [
	['m', 1024 * 1024],
	['k', 1024],
	['', 1],
];

/** `512kb` of `512kb/s`, in bytes; -1 when it is no such thing. */
function parse_bytes(s: string): number {
	const m = /^(\d+)([km]?)b$/.exec(s);
	return m === null ? -1 : Number(m[1]) * BYTE_UNITS.find(([u]) => u === m[2])![1];
}

/** A rate in bytes is kept as what 16 bytes cost, of 2^32 a second. */
function bytes_to_cost(bytes: number): number {
	return Math.floor(0xffffffff / (Math.floor(bytes / (1 << XT_HASHLIMIT_BYTE_SHIFT)) + 1));
}

function cost_to_bytes(cost: number): number {
	return ((cost !== 0 ? Math.floor(0xffffffff / cost) : 0xffffffff) - 1) * (1 << XT_HASHLIMIT_BYTE_SHIFT);
}

/** The rate as the kernel has it. Sets the mode's bit for rates in bytes. */
function parse_rate(cb: xt_option_call): number {
	const bad = (): never => cb.bad(`hashlimit: Bad value for "--${cb.entry.name}" option: "${cb.arg}"`);
	if (cb.arg.endsWith('b/s')) {
		const bytes = parse_bytes(cb.arg.slice(0, -2));
		if (!(bytes > 0)) bad();
		cb.data[MODE] |= XT_HASHLIMIT_BYTES;
		return bytes_to_cost(bytes);
	}
	const slash = cb.arg.indexOf('/');
	const mult = slash < 0 ? 1 : rate_unit(cb.arg.slice(slash + 1));
	const r = Number.parseInt(cb.arg, 10);
	if (mult === 0 || !(r > 0)) bad();
	if (r / mult > XT_HASHLIMIT_SCALE_v2) cb.bad(`Rate too fast "${cb.arg}"`);
	return Math.floor((XT_HASHLIMIT_SCALE_v2 * mult) / r);
}

/**
 * The unit that a rate in bytes is shown in: one that it is a multiple of, or that a large rate is near enough to. The bounds are seen, not known.
 */
function byte_unit(rate: number): readonly [string, number] {
	if (rate >= 2 ** 23 && rate < 2 ** 32) return BYTE_UNITS[0];
	if (rate >= 2 ** 22 && rate < 2 ** 23 && rate % BYTE_UNITS[0][1] !== 0) return BYTE_UNITS[1];
	return BYTE_UNITS.find(([, n]) => rate >= n && rate % n === 0) ?? BYTE_UNITS[2];
}

/** Rate and burst of a rate in bytes. */
function bytes_text(avg: number, burst: number, prefix: string): string {
	const rate = cost_to_bytes(avg);
	const unit = byte_unit(rate);
	let s = `${Math.floor(rate / unit[1])}${unit[0]}b/s`;
	if (burst !== 0) {
		const all = rate * burst;
		const [letter, n] = BYTE_UNITS.find(([, u]) => all >= u) ?? BYTE_UNITS[2];
		s += ` ${prefix}burst ${Math.floor(all / n)}${letter}b`;
	}
	return s;
}

/** Seconds after which an entry is forgotten unless a rule says otherwise. */
function quantum(d: Uint8Array): number {
	if ((d[MODE] & XT_HASHLIMIT_BYTES) === 0) return rate_of(get64(d, AVG)).seconds;
	return get64(d, BURST) !== 0 ? 60 : 15;
}

/** Rate and burst. `prefix`: of the burst. */
function limit_text(d: Uint8Array, avg: number, prefix: string): string {
	if ((d[MODE] & XT_HASHLIMIT_BYTES) !== 0) return bytes_text(get64(d, AVG), get64(d, BURST), prefix);
	return `${rate_of(avg).text} ${prefix}burst ${get64(d, BURST)}`;
}

function rate_match_text(d: Uint8Array, prefix: string): string {
	if ((d[MODE] & XT_HASHLIMIT_RATE_MATCH) === 0) return '';
	const interval = get_unaligned_le32(d, INTERVAL);
	return ` ${prefix}rate-match${interval !== 1 ? ` ${prefix}rate-interval ${interval}` : ''}`;
}

/** The rate in the largest unit that divides it well, and that unit in seconds. */
function rate_of(avg: number): { text: string; seconds: number } {
	if (avg === 0) return { text: '0', seconds: 1 };
	let i = 1;
	for (; i < UNITS.length; i++) {
		const unit = XT_HASHLIMIT_SCALE_v2 * UNITS[i][1];
		if (avg > unit || Math.floor(unit / avg) < unit % avg) break;
	}
	const [name, seconds] = UNITS[i - 1];
	return { text: `${Math.floor((XT_HASHLIMIT_SCALE_v2 * seconds) / avg)}/${name}`, seconds };
}

function mode_text(mode: number, between: string): string {
	return MODES.filter(([, bit]) => (mode & bit) !== 0)
		.map(([n]) => n)
		.join(between);
}

function extras(d: Uint8Array, prefix: string): string {
	let s = '';
	const size = get_unaligned_le32(d, SIZE);
	const max = get_unaligned_le32(d, MAX);
	const gc = get_unaligned_le32(d, GC);
	const expire = get_unaligned_le32(d, EXPIRE);
	if (size !== 0) s += ` ${prefix}htable-size ${size}`;
	if (max !== 0) s += ` ${prefix}htable-max ${max}`;
	if (gc !== 1000) s += ` ${prefix}htable-gcinterval ${gc}`;
	if (expire !== quantum(d) * 1000) s += ` ${prefix}htable-expire ${expire}`;
	if (d[SRCMASK] !== 32) s += ` ${prefix}srcmask ${d[SRCMASK]}`;
	if (d[DSTMASK] !== 32) s += ` ${prefix}dstmask ${d[DSTMASK]}`;
	return s + rate_match_text(d, prefix);
}

export const hashlimit_mt_reg: xt_extension = {
	kind: 'match',
	name: 'hashlimit',
	revision: 3,
	size: xt_hashlimit_mtinfo3.sizeof,
	userspacesize: xt_hashlimit_mtinfo3.hinfo,
	options: [
		{ name: 'hashlimit-upto', id: O_UPTO, type: 'string', flags: XTOPT_INVERT, excl: 1 << O_ABOVE },
		{ name: 'hashlimit-above', id: O_ABOVE, type: 'string', flags: XTOPT_INVERT, excl: 1 << O_UPTO },
		{ name: 'hashlimit', id: O_UPTO, type: 'string', flags: XTOPT_INVERT, excl: 1 << O_ABOVE },
		{ name: 'hashlimit-srcmask', id: O_SRCMASK, type: 'uint8', put: SRCMASK },
		{ name: 'hashlimit-dstmask', id: O_DSTMASK, type: 'uint8', put: DSTMASK },
		{ name: 'hashlimit-burst', id: O_BURST, type: 'string' },
		{ name: 'hashlimit-htable-size', id: O_SIZE, type: 'uint32', put: SIZE },
		{ name: 'hashlimit-htable-max', id: O_MAX, type: 'uint32', put: MAX },
		{ name: 'hashlimit-htable-gcinterval', id: O_GC, type: 'uint32', put: GC },
		{ name: 'hashlimit-htable-expire', id: O_EXPIRE, type: 'uint32', put: EXPIRE },
		{ name: 'hashlimit-mode', id: O_MODE, type: 'string' },
		{ name: 'hashlimit-name', id: O_NAME, type: 'string', flags: XTOPT_MAND, put: 0, size: NAME_SIZE, min: 1 },
		{ name: 'hashlimit-rate-match', id: O_RATEMATCH, type: 'none' },
		{ name: 'hashlimit-rate-interval', id: O_INTERVAL, type: 'uint32', put: INTERVAL },
	],
	help: [
		'--hashlimit-upto | --hashlimit-above rate[/second|/minute|/hour|/day]',
		'--hashlimit-burst n  --hashlimit-mode srcip,srcport,dstip,dstport  --hashlimit-name name',
		'--hashlimit-srcmask n  --hashlimit-dstmask n',
		'--hashlimit-htable-size n  --hashlimit-htable-max n  --hashlimit-htable-gcinterval ms  --hashlimit-htable-expire ms',
	],
	init(d) {
		put64(d, BURST, 5);
		put_unaligned_le32(d, GC, 1000);
		d[SRCMASK] = 32;
		d[DSTMASK] = 32;
	},
	parse(cb) {
		const d = cb.data;
		switch (cb.entry.id) {
			case O_UPTO:
			case O_ABOVE:
				put64(d, AVG, parse_rate(cb));
				if ((cb.entry.id === O_ABOVE) !== cb.invert)
					put_unaligned_le32(d, MODE, get_unaligned_le32(d, MODE) | XT_HASHLIMIT_INVERT);
				break;
			case O_BURST: {
				const bytes = parse_bytes(cb.arg);
				const n = bytes > 0 ? bytes : parse_uint(cb.arg, 1000000);
				if (n < 1) cb.bad('bad value for option "--hashlimit-burst", or out of range (1-1000000).');
				put64(d, BURST, n);
				break;
			}
			case O_MODE:
				for (const word of cb.arg.split(',')) {
					const hit = MODES.find(([n]) => n === word);
					if (hit === undefined) return cb.bad(`hashlimit: Bad value for "--hashlimit-mode" option: "${cb.arg}"`);
					put_unaligned_le32(d, MODE, get_unaligned_le32(d, MODE) | hit[1]);
				}
				break;
			case O_RATEMATCH:
				d[MODE] |= XT_HASHLIMIT_RATE_MATCH;
				break;
			default:
				break;
		}
	},
	final_check(cb) {
		const d = cb.data;
		if ((cb.xflags & ((1 << O_UPTO) | (1 << O_ABOVE))) === 0)
			cb.x.error(PARAMETER_PROBLEM, 'You have to specify --hashlimit');
		if ((d[MODE] & XT_HASHLIMIT_BYTES) !== 0) {
			// The burst is kept as how often the rate of a second fits.
			const rate = cost_to_bytes(get64(d, AVG));
			const burst = (cb.xflags & (1 << O_BURST)) !== 0 ? get64(d, BURST) : 0;
			if (burst !== 0 && burst < rate) cb.x.error(PARAMETER_PROBLEM, `burst cannot be smaller than ${rate}b`);
			put64(d, BURST, rate === 0 ? burst : Math.ceil(burst / rate));
		}
		if ((d[MODE] & XT_HASHLIMIT_RATE_MATCH) !== 0 && (cb.xflags & (1 << O_INTERVAL)) === 0)
			put_unaligned_le32(d, INTERVAL, 1);
		if ((cb.xflags & (1 << O_EXPIRE)) === 0) put_unaligned_le32(d, EXPIRE, quantum(d) * 1000);
	},
	print(d) {
		const mode = get_unaligned_le32(d, MODE);
		// The original shows the rate of an interval's length.
		const avg = get64(d, AVG) * Math.max(get_unaligned_le32(d, INTERVAL), 1);
		let s = ` limit: ${(mode & XT_HASHLIMIT_INVERT) !== 0 ? 'above' : 'up to'} ${limit_text(d, avg, '')}`;
		const modes = mode_text(mode, '-');
		if (modes !== '') s += ` mode ${modes}`;
		return s + extras(d, '');
	},
	save(d) {
		const mode = get_unaligned_le32(d, MODE);
		let s = ` --hashlimit-${(mode & XT_HASHLIMIT_INVERT) !== 0 ? 'above' : 'upto'} ${limit_text(d, get64(d, AVG), '--hashlimit-')}`;
		const modes = mode_text(mode, ',');
		if (modes !== '') s += ` --hashlimit-mode ${modes}`;
		return s + ` --hashlimit-name ${cstring(d, 0, NAME_SIZE)}` + extras(d, '--hashlimit-');
	},
};
