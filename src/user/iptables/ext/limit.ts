/*
 * user/iptables/ext/limit.ts: -m limit.                            Original: extensions/libxt_limit.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import { XT_LIMIT_SCALE, xt_rateinfo } from '../../../uapi/linux/netfilter/xt_limit.ts';
import type { xt_extension, xt_option_call } from '../xtables.ts';

/** Seconds by the beginning of a unit's name. */
export function rate_unit(s: string): number {
	const unit = s.toLowerCase();
	if (unit === '') return 0;
	if ('second'.startsWith(unit)) return 1;
	if ('minute'.startsWith(unit)) return 60;
	if ('hour'.startsWith(unit)) return 3600;
	if ('day'.startsWith(unit)) return 86400;
	return 0;
}

function parse_rate(cb: xt_option_call): number {
	const bad = (): never => cb.bad(`bad rate "${cb.arg}"'`);
	const slash = cb.arg.indexOf('/');
	let mult = 1;
	if (slash >= 0) {
		mult = rate_unit(cb.arg.slice(slash + 1));
		if (mult === 0) bad();
	}
	const r = Number.parseInt(cb.arg, 10);
	if (!(r > 0)) bad();
	const val = Math.floor((XT_LIMIT_SCALE * mult) / r);
	if (val === 0) cb.bad(`Rate too fast "${cb.arg}"`);
	if (r / mult > XT_LIMIT_SCALE) cb.bad(`Rate too fast "${cb.arg}"`);
	return val;
}

const RATES: readonly (readonly [string, number])[] = [
	['day', XT_LIMIT_SCALE * 24 * 60 * 60],
	['hour', XT_LIMIT_SCALE * 60 * 60],
	['min', XT_LIMIT_SCALE * 60],
	['sec', XT_LIMIT_SCALE],
];

/** The largest unit that the period still divides well. */
function rate_text(period: number): string {
	if (period === 0) return ' inf';
	let i = 1;
	for (; i < RATES.length; i++) {
		if (period > RATES[i][1] || Math.floor(RATES[i][1] / period) < RATES[i][1] % period) break;
	}
	return ` ${Math.floor(RATES[i - 1][1] / period)}/${RATES[i - 1][0]}`;
}

export const limit_mt_reg: xt_extension = {
	kind: 'match',
	name: 'limit',
	revision: 0,
	size: xt_rateinfo.sizeof,
	userspacesize: xt_rateinfo.prev,
	options: [
		{ name: 'limit', id: 0, type: 'string' },
		{ name: 'limit-burst', id: 1, type: 'uint32', put: xt_rateinfo.burst, min: 0, max: 10000 },
	],
	help: ['--limit rate[/second|/minute|/hour|/day]	default 3/hour', '--limit-burst number	default 5'],
	init(d) {
		put_unaligned_le32(d, xt_rateinfo.avg, XT_LIMIT_SCALE * 1200);
		put_unaligned_le32(d, xt_rateinfo.burst, 5);
	},
	parse(cb) {
		if (cb.entry.id === 0) put_unaligned_le32(cb.data, xt_rateinfo.avg, parse_rate(cb));
	},
	print: (d) =>
		` limit: avg${rate_text(get_unaligned_le32(d, xt_rateinfo.avg))} burst ${get_unaligned_le32(d, xt_rateinfo.burst)}`,
	save(d) {
		const burst = get_unaligned_le32(d, xt_rateinfo.burst);
		return ` --limit${rate_text(get_unaligned_le32(d, xt_rateinfo.avg))}${burst !== 5 ? ` --limit-burst ${burst}` : ''}`;
	},
};
