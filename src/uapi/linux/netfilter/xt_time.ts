/*
 * uapi/linux/netfilter/xt_time.ts: match time.   Linux: uapi/linux/netfilter/xt_time.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_TIME_ALL_FLAGS = 3;
export const XT_TIME_LOCAL_TZ = 1;
export const XT_TIME_CONTIGUOUS = 2;
export const XT_TIME_ALL_MONTHDAYS = 4294967294;
export const XT_TIME_ALL_WEEKDAYS = 254;
export const XT_TIME_MIN_DAYTIME = 0;
export const XT_TIME_MAX_DAYTIME = 86399;

export const xt_time_info = {
	sizeof: 24,
	date_start: 0,
	date_stop: 4,
	daytime_start: 8,
	daytime_stop: 12,
	monthdays_match: 16,
	weekdays_match: 20,
	flags: 21,
};
