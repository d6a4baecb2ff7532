/*
 * net/core/flow.ts: what a route is looked up by.                  Linux: net/flow.h
 */

export const FLOWI_FLAG_ANYSRC = 0x01;
export const FLOWI_FLAG_KNOWN_NH = 0x02;
export const FLOWI_FLAG_L3MDEV_OIF = 0x04;

/** Caller-owned; every field is set before a lookup, and the lookup fills in saddr, daddr, oif. Addresses and ports in host order. */
export class flowi4 {
	flowi4_oif = 0;
	flowi4_iif = 0;
	flowi4_mark = 0;
	/** The DSCP bits in their place in the TOS byte. */
	flowi4_dscp = 0;
	flowi4_scope = 0;
	flowi4_proto = 0;
	flowi4_flags = 0;
	flowi4_uid = 0;
	flowi4_tun_key = 0;
	flowi4_multipath_hash = 0;
	saddr = 0;
	daddr = 0;
	fl4_sport = 0;
	fl4_dport = 0;
	fl4_icmp_type = 0;
	fl4_icmp_code = 0;
}

/** Fills in a flow for output, as flowi4_init_output(). */
export function flowi4_init_output(
	fl4: flowi4,
	oif: number,
	mark: number,
	dscp: number,
	scope: number,
	proto: number,
	flags: number,
	daddr: number,
	saddr: number,
	dport: number,
	sport: number,
	uid: number,
): void {
	fl4.flowi4_oif = oif;
	fl4.flowi4_iif = 1; // LOOPBACK_IFINDEX
	fl4.flowi4_mark = mark;
	fl4.flowi4_dscp = dscp;
	fl4.flowi4_scope = scope;
	fl4.flowi4_proto = proto;
	fl4.flowi4_flags = flags;
	fl4.flowi4_uid = uid;
	fl4.flowi4_tun_key = 0;
	fl4.flowi4_multipath_hash = 0;
	fl4.saddr = saddr;
	fl4.daddr = daddr;
	fl4.fl4_sport = sport;
	fl4.fl4_dport = dport;
	fl4.fl4_icmp_type = 0;
	fl4.fl4_icmp_code = 0;
}
