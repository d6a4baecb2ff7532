/*
 * uapi/linux/netfilter/xt_sctp.ts: match sctp.   Linux: uapi/linux/netfilter/xt_sctp.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_SCTP_SRC_PORTS = 1;
export const XT_SCTP_DEST_PORTS = 2;
export const XT_SCTP_CHUNK_TYPES = 4;
export const XT_SCTP_VALID_FLAGS = 7;
export const XT_NUM_SCTP_FLAGS = 4;
export const SCTP_CHUNK_MATCH_ANY = 1;
export const SCTP_CHUNK_MATCH_ALL = 2;
export const SCTP_CHUNK_MATCH_ONLY = 4;

export const xt_sctp_flag_info = {
	sizeof: 3,
	chunktype: 0,
	flag: 1,
	flag_mask: 2,
};

export const xt_sctp_info = {
	sizeof: 292,
	dpts: 0,
	spts: 4,
	chunkmap: 8,
	chunk_match_type: 264,
	flag_info: 268,
	flag_count: 280,
	flags: 284,
	invflags: 288,
};
