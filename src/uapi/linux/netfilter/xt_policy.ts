/*
 * uapi/linux/netfilter/xt_policy.ts: match policy.   Linux: uapi/linux/netfilter/xt_policy.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_POLICY_MAX_ELEM = 4;
export const XT_POLICY_MATCH_IN = 1;
export const XT_POLICY_MATCH_OUT = 2;
export const XT_POLICY_MATCH_NONE = 4;
export const XT_POLICY_MATCH_STRICT = 8;
export const XT_POLICY_MODE_TRANSPORT = 0;
export const XT_POLICY_MODE_TUNNEL = 1;

export const xt_policy_elem = {
	sizeof: 76,
	saddr: 0,
	smask: 16,
	daddr: 32,
	dmask: 48,
	spi: 64,
	reqid: 68,
	proto: 72,
	mode: 73,
	match: 74,
	invert: 75,
};

export const xt_policy_info = {
	sizeof: 308,
	pol: 0,
	flags: 304,
	len: 306,
};
