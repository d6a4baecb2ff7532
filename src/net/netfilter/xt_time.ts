/*
 * net/netfilter/xt_time.ts: match time: of day, day of the week or month, and date.    Linux: net/netfilter/xt_time.c
 * The machine's wall clock; its time zone is UTC.
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EDOM, EINVAL } from '../../uapi/asm-generic/errno.ts';
import {
	XT_TIME_ALL_FLAGS,
	XT_TIME_ALL_MONTHDAYS,
	XT_TIME_CONTIGUOUS,
	XT_TIME_MAX_DAYTIME,
	xt_time_info,
} from '../../uapi/linux/netfilter/xt_time.ts';
import { NFPROTO_UNSPEC } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_match } from './x_tables.ts';

interface time_info {
	date_start: number;
	date_stop: number;
	daytime_start: number;
	daytime_stop: number;
	monthdays: number;
	weekdays: number;
	flags: number;
}

function time_parse(b: Uint8Array): time_info | number {
	const o = xt_time_info;
	const info = {
		date_start: get_unaligned_le32(b, o.date_start),
		date_stop: get_unaligned_le32(b, o.date_stop),
		daytime_start: get_unaligned_le32(b, o.daytime_start),
		daytime_stop: get_unaligned_le32(b, o.daytime_stop),
		monthdays: get_unaligned_le32(b, o.monthdays_match),
		weekdays: b[o.weekdays_match],
		flags: b[o.flags],
	};
	if (info.daytime_start > XT_TIME_MAX_DAYTIME || info.daytime_stop > XT_TIME_MAX_DAYTIME) return -EDOM;
	if ((info.flags & ~XT_TIME_ALL_FLAGS) !== 0) return -EINVAL;
	if ((info.flags & XT_TIME_CONTIGUOUS) !== 0 && info.daytime_start < info.daytime_stop) return -EINVAL;
	return info;
}

const DAY = 86400;

/** Day of the month of a day since 1970. */
function monthday(days: number): number {
	// Civil date from days, with years that begin in March.
	const z = days + 719468;
	const era = Math.floor(z / 146097);
	const doe = z - era * 146097;
	const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36524) - Math.floor(doe / 146096)) / 365);
	const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
	const mp = Math.floor((5 * doy + 2) / 153);
	return doy - Math.floor((153 * mp + 2) / 5) + 1;
}

function time_mt(skb: sk_buff, par: xt_action_param): boolean {
	const info = par.matchinfo as time_info;
	const clock = skb.machine.clock;
	let stamp = clock.epoch + Math.floor(clock.now / 1e9);
	if (stamp < info.date_start || stamp > info.date_stop) return false;
	const now = stamp % DAY;
	if (info.daytime_start < info.daytime_stop) {
		if (now < info.daytime_start || now > info.daytime_stop) return false;
	} else {
		if (now < info.daytime_start && now > info.daytime_stop) return false;
		// After midnight the day before still counts.
		if ((info.flags & XT_TIME_CONTIGUOUS) !== 0 && now <= info.daytime_stop) stamp -= DAY;
	}
	const days = Math.floor(stamp / DAY);
	// Monday is 1, Sunday 7; 1 January 1970 was a Thursday.
	const weekday = ((days + 3) % 7) + 1;
	if ((info.weekdays & (1 << weekday)) === 0) return false;
	return info.monthdays === XT_TIME_ALL_MONTHDAYS || (info.monthdays & (1 << monthday(days))) !== 0;
}

export function time_mt_init(machine: Machine): number {
	return xt_register_match(machine, {
		name: 'time',
		revision: 0,
		family: NFPROTO_UNSPEC,
		matchsize: xt_time_info.sizeof,
		parse: time_parse,
		match: time_mt,
	});
}
