/*
 * user/iptables/ext/time.ts: -m time.                              Original: extensions/libxt_time.c
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../../lib/byteorder.ts';
import {
	xt_time_info as info,
	XT_TIME_ALL_MONTHDAYS,
	XT_TIME_ALL_WEEKDAYS,
	XT_TIME_CONTIGUOUS,
	XT_TIME_LOCAL_TZ,
	XT_TIME_MAX_DAYTIME,
} from '../../../uapi/linux/netfilter/xt_time.ts';
import { PARAMETER_PROBLEM, XTOPT_INVERT, type xt_extension, type xt_option_call } from '../xtables.ts';

const O_DATE_START = 0;
const O_DATE_STOP = 1;
const O_TIME_START = 2;
const O_TIME_STOP = 3;
const O_MONTHDAYS = 4;
const O_WEEKDAYS = 5;
const O_LOCAL_TZ = 6;
const O_UTC = 7;
const O_KERNEL_TZ = 8;
const O_CONTIGUOUS = 9;

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const NO_STOP = 0x7fffffff;

function parse_clock(cb: xt_option_call): number {
	const bad = (what: string): never =>
		cb.bad(`invalid time "${what}" specified, should be hh:mm[:ss] format and within the boundaries`);
	const parts = cb.arg.split(':');
	if (parts.length < 2 || parts.length > 3) bad(cb.arg);
	const most = [23, 59, 59];
	let t = 0;
	for (let i = 0; i < 3; i++) {
		const p = parts[i] ?? '0';
		// The original names what is left from the seconds on, else all of it.
		if (!/^\d{1,2}$/.test(p) || Number(p) > most[i]) bad(i === 2 ? p : cb.arg);
		t = t * 60 + Number(p);
	}
	return t;
}

/** Days since 1970 of a date. */
function days_of(year: number, month: number, day: number): number {
	const y = month <= 2 ? year - 1 : year;
	const era = Math.floor(y / 400);
	const yoe = y - era * 400;
	const doy = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
	return era * 146097 + yoe * 365 + Math.floor(yoe / 4) - Math.floor(yoe / 100) + doy - 719468;
}

function parse_date(cb: xt_option_call): number {
	const m = /^(\d+)(?:-(\d+)(?:-(\d+)(?:T(\d+)(?::(\d+)(?::(\d+))?)?)?)?)?$/.exec(cb.arg);
	const bad = (): never => cb.bad(`Invalid date "${cb.arg}" specified. Should be YYYY[-MM[-DD[Thh[:mm[:ss]]]]]`);
	if (m === null) return bad();
	const [year, month, day, h, min, s] = m.slice(1).map((x, i) => (x === undefined ? (i < 3 ? 1 : 0) : Number(x)));
	if (year < 1970 || year > 2038 || month < 1 || month > 12 || day < 1 || day > 31 || h > 23 || min > 59 || s > 59)
		bad();
	const t = days_of(year, month, day) * 86400 + h * 3600 + min * 60 + s;
	return Math.min(t, NO_STOP);
}

function parse_monthdays(cb: xt_option_call): number {
	let mask = 0;
	for (const word of cb.arg.split(',')) {
		const n = /^\d+$/.test(word) ? Number(word) : 0;
		if (n < 1 || n > 31) cb.bad(`${word} is not a valid day for --monthdays`);
		mask |= 1 << n;
	}
	return mask >>> 0;
}

function parse_weekdays(cb: xt_option_call): number {
	let mask = 0;
	for (const word of cb.arg.split(',')) {
		if (/^\d+$/.test(word)) {
			const n = Number(word);
			if (n < 1 || n > 7) cb.bad(`${word} is not a valid day specifier`);
			mask |= 1 << n;
			continue;
		}
		const w = word.toLowerCase();
		const i =
			w.length < 2
				? -1
				: DAYS.findIndex((d) => d.toLowerCase().startsWith(w.slice(0, 3)) || w.startsWith(d.toLowerCase()));
		if (i < 0) cb.bad(`${word} is not a valid day specifier`);
		mask |= 1 << (i + 1);
	}
	return mask;
}

const two = (n: number): string => String(n).padStart(2, '0');

function clock_text(t: number): string {
	return `${two(Math.floor(t / 3600))}:${two(Math.floor(t / 60) % 60)}:${two(t % 60)}`;
}

function date_text(t: number, between: string): string {
	const days = Math.floor(t / 86400);
	const z = days + 719468;
	const era = Math.floor(z / 146097);
	const doe = z - era * 146097;
	const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36524) - Math.floor(doe / 146096)) / 365);
	const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
	const mp = Math.floor((5 * doy + 2) / 153);
	const month = mp < 10 ? mp + 3 : mp - 9;
	const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
	const day = doy - Math.floor((153 * mp + 2) / 5) + 1;
	return `${year}-${two(month)}-${two(day)}${between}${clock_text(t % 86400)}`;
}

function monthdays(mask: number): number[] {
	const out: number[] = [];
	for (let i = 1; i <= 31; i++) if ((mask & (1 << i)) !== 0) out.push(i);
	return out;
}

function weekdays(mask: number): string {
	return DAYS.filter((_, i) => (mask & (1 << (i + 1))) !== 0).join(',');
}

/** 1st, 2nd, 3rd: by the last digit alone, as the original has it. */
function ordinal(n: number): string {
	const d = n % 10;
	return n + (d === 1 ? 'st' : d === 2 ? 'nd' : d === 3 ? 'rd' : 'th');
}

export const time_mt_reg: xt_extension = {
	kind: 'match',
	name: 'time',
	revision: 0,
	size: info.sizeof,
	options: [
		{ name: 'datestart', id: O_DATE_START, type: 'string' },
		{ name: 'datestop', id: O_DATE_STOP, type: 'string' },
		{ name: 'timestart', id: O_TIME_START, type: 'string' },
		{ name: 'timestop', id: O_TIME_STOP, type: 'string' },
		{ name: 'weekdays', id: O_WEEKDAYS, type: 'string', flags: XTOPT_INVERT },
		{ name: 'monthdays', id: O_MONTHDAYS, type: 'string', flags: XTOPT_INVERT },
		{ name: 'localtz', id: O_LOCAL_TZ, type: 'none', excl: 1 << O_UTC },
		{ name: 'utc', id: O_UTC, type: 'none', excl: 1 << O_LOCAL_TZ },
		{ name: 'kerneltz', id: O_KERNEL_TZ, type: 'none', excl: 1 << O_UTC },
		{ name: 'contiguous', id: O_CONTIGUOUS, type: 'none' },
	],
	help: [
		'--datestart|--datestop YYYY[-MM[-DD[Thh[:mm[:ss]]]]]',
		'--timestart|--timestop hh:mm[:ss]',
		'[!] --monthdays day[,day...]  [!] --weekdays day[,day...]',
		'--kerneltz  --contiguous',
	],
	init(d) {
		put_unaligned_le32(d, info.date_stop, NO_STOP);
		put_unaligned_le32(d, info.daytime_stop, XT_TIME_MAX_DAYTIME);
		put_unaligned_le32(d, info.monthdays_match, XT_TIME_ALL_MONTHDAYS);
		d[info.weekdays_match] = XT_TIME_ALL_WEEKDAYS;
	},
	parse(cb) {
		const d = cb.data;
		switch (cb.entry.id) {
			case O_DATE_START:
				put_unaligned_le32(d, info.date_start, parse_date(cb));
				break;
			case O_DATE_STOP:
				put_unaligned_le32(d, info.date_stop, parse_date(cb));
				break;
			case O_TIME_START:
				put_unaligned_le32(d, info.daytime_start, parse_clock(cb));
				break;
			case O_TIME_STOP:
				put_unaligned_le32(d, info.daytime_stop, parse_clock(cb));
				break;
			case O_MONTHDAYS: {
				const m = parse_monthdays(cb);
				put_unaligned_le32(d, info.monthdays_match, cb.invert ? (m ^ XT_TIME_ALL_MONTHDAYS) >>> 0 : m);
				break;
			}
			case O_WEEKDAYS: {
				const m = parse_weekdays(cb);
				d[info.weekdays_match] = cb.invert ? m ^ XT_TIME_ALL_WEEKDAYS : m;
				break;
			}
			case O_LOCAL_TZ:
			case O_KERNEL_TZ:
				d[info.flags] |= XT_TIME_LOCAL_TZ;
				break;
			case O_CONTIGUOUS:
				d[info.flags] |= XT_TIME_CONTIGUOUS;
				break;
			default:
				break;
		}
	},
	final_check(cb) {
		const d = cb.data;
		if (
			(d[info.flags] & XT_TIME_CONTIGUOUS) !== 0 &&
			get_unaligned_le32(d, info.daytime_start) < get_unaligned_le32(d, info.daytime_stop)
		)
			cb.x.error(PARAMETER_PROBLEM, 'time: --contiguous only makes sense when stoptime is smaller than starttime');
	},
	print(d) {
		const start = get_unaligned_le32(d, info.daytime_start);
		const stop = get_unaligned_le32(d, info.daytime_stop);
		const mdays = get_unaligned_le32(d, info.monthdays_match);
		const from = get_unaligned_le32(d, info.date_start);
		const until = get_unaligned_le32(d, info.date_stop);
		let s = ' TIME';
		if (start !== 0 || stop !== XT_TIME_MAX_DAYTIME) s += ` from ${clock_text(start)} to ${clock_text(stop)}`;
		if (d[info.weekdays_match] !== XT_TIME_ALL_WEEKDAYS) s += ` on ${weekdays(d[info.weekdays_match])}`;
		if (mdays !== XT_TIME_ALL_MONTHDAYS) s += ` on ${monthdays(mdays).map(ordinal).join(',')}`;
		if (from !== 0) s += ` starting from ${date_text(from, ' ')}`;
		if (until !== NO_STOP) s += ` until date ${date_text(until, ' ')}`;
		if ((d[info.flags] & XT_TIME_LOCAL_TZ) === 0) s += ' UTC';
		return (d[info.flags] & XT_TIME_CONTIGUOUS) !== 0 ? s + ' contiguous' : s;
	},
	save(d) {
		const start = get_unaligned_le32(d, info.daytime_start);
		const stop = get_unaligned_le32(d, info.daytime_stop);
		const mdays = get_unaligned_le32(d, info.monthdays_match);
		const from = get_unaligned_le32(d, info.date_start);
		let s = '';
		if (start !== 0 || stop !== XT_TIME_MAX_DAYTIME)
			s += ` --timestart ${clock_text(start)} --timestop ${clock_text(stop)}`;
		if (mdays !== XT_TIME_ALL_MONTHDAYS) s += ` --monthdays ${monthdays(mdays).join(',')}`;
		if (d[info.weekdays_match] !== XT_TIME_ALL_WEEKDAYS) s += ` --weekdays ${weekdays(d[info.weekdays_match])}`;
		if (from !== 0) s += ` --datestart ${date_text(from, 'T')}`;
		s += ` --datestop ${date_text(get_unaligned_le32(d, info.date_stop), 'T')}`;
		if ((d[info.flags] & XT_TIME_LOCAL_TZ) !== 0) s += ' --kerneltz';
		return (d[info.flags] & XT_TIME_CONTIGUOUS) !== 0 ? s + ' --contiguous' : s;
	},
};
