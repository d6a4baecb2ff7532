/*
 * uapi/linux/netfilter/xt_TCPOPTSTRIP.ts: target TCPOPTSTRIP.   Linux: uapi/linux/netfilter/xt_TCPOPTSTRIP.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const xt_tcpoptstrip_target_info = {
	sizeof: 32,
	/** A bit for each kind of option. */
	strip_bmap: 0,
};
