/*
 * uapi/linux/netfilter/xt_hashlimit.ts: match hashlimit.   Linux: uapi/linux/netfilter/xt_hashlimit.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_HASHLIMIT_SCALE = 10000;
export const XT_HASHLIMIT_SCALE_v2 = 1000000;
export const XT_HASHLIMIT_BYTE_SHIFT = 4;
export const XT_HASHLIMIT_HASH_DIP = 1;
export const XT_HASHLIMIT_HASH_DPT = 2;
export const XT_HASHLIMIT_HASH_SIP = 4;
export const XT_HASHLIMIT_HASH_SPT = 8;
export const XT_HASHLIMIT_INVERT = 16;
export const XT_HASHLIMIT_BYTES = 32;
export const XT_HASHLIMIT_RATE_MATCH = 64;

export const hashlimit_cfg = {
	sizeof: 28,
	mode: 0,
	avg: 4,
	burst: 8,
	size: 12,
	max: 16,
	gc_interval: 20,
	expire: 24,
};

export const hashlimit_cfg1 = {
	sizeof: 32,
	mode: 0,
	avg: 4,
	burst: 8,
	size: 12,
	max: 16,
	gc_interval: 20,
	expire: 24,
	srcmask: 28,
	dstmask: 29,
};

export const hashlimit_cfg2 = {
	sizeof: 40,
	avg: 0,
	burst: 8,
	mode: 16,
	size: 20,
	max: 24,
	gc_interval: 28,
	expire: 32,
	srcmask: 36,
	dstmask: 37,
};

export const hashlimit_cfg3 = {
	sizeof: 48,
	avg: 0,
	burst: 8,
	mode: 16,
	size: 20,
	max: 24,
	gc_interval: 28,
	expire: 32,
	interval: 36,
	srcmask: 40,
	dstmask: 41,
};

export const xt_hashlimit_mtinfo1 = {
	sizeof: 56,
	name: 0,
	cfg: 16,
	hinfo: 48,
};

export const xt_hashlimit_mtinfo2 = {
	sizeof: 304,
	name: 0,
	cfg: 256,
	hinfo: 296,
};

export const xt_hashlimit_mtinfo3 = {
	sizeof: 312,
	name: 0,
	cfg: 256,
	hinfo: 304,
};
