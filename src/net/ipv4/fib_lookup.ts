/*
 * net/ipv4/fib_lookup.ts: what routes are made of.                 Linux: net/ip_fib.h, net/ipv4/fib_lookup.h
 *
 * A route is an alias (prefix, TOS, type; fib_trie.ts) of a fib_info (protocol, scope, preferred source, metrics, nexthops), which all
 * routes share that say the same. A nexthop (fib_nh) caches the rtable that its packets use, so that forwarding allocates nothing.
 */
import type { nlattr, nlmsghdr } from '../../lib/nlattr.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import type { fib_trie } from './fib_trie.ts';
import type { rtable } from './route.ts';

/** What a user (or an address) asks for, decoded. */
export class fib_config {
	fc_dst_len = 0;
	/** DSCP in its place in the TOS byte. */
	fc_dscp = 0;
	fc_protocol = 0;
	fc_scope = 0;
	fc_type = 0;
	/** AF_INET, AF_INET6 or 0. */
	fc_gw_family = 0;
	fc_table = 0;
	fc_dst = 0;
	fc_gw4 = 0;
	fc_oif = 0;
	fc_flags = 0;
	fc_priority = 0;
	fc_prefsrc = 0;
	fc_nh_id = 0;
	/** RTA_METRICS as sent, or null. */
	fc_mx: nlattr | null = null;
	/** RTA_MULTIPATH as sent, or null. */
	fc_mp: nlattr | null = null;
	fc_flow = 0;
	fc_nlflags = 0;
	/** Who asked: for the notification. */
	fc_nl_portid = 0;
	fc_nlh: nlmsghdr | null = null;
}

/** A learned exception for one destination: a path MTU or a redirect (RFC 1191, RFC 792). */
export class fib_nh_exception {
	fnhe_daddr: number;
	fnhe_genid = 0;
	fnhe_pmtu = 0;
	fnhe_mtu_locked = false;
	fnhe_gw = 0;
	/** jiffies; 0: for ever */
	fnhe_expires = 0;
	fnhe_rth_input: rtable | null = null;
	fnhe_rth_output: rtable | null = null;
	/** jiffies of its last change */
	fnhe_stamp = 0;

	constructor(daddr: number) {
		this.fnhe_daddr = daddr;
	}
}

export class fib_nh {
	nh_parent: fib_info | null = null;
	nhc_dev: net_device | null = null;
	nhc_oif = 0;
	nhc_scope = 0;
	nhc_family = 2;
	/** AF_INET, or 0 for none. */
	nhc_gw_family = 0;
	/** RTNH_F_* */
	nhc_flags = 0;
	nhc_gw = 0;
	nhc_weight = 1;
	/** Hashes up to this go here; -1: none. */
	nhc_upper_bound = 0;
	nhc_pcpu_rth_output: rtable | null = null;
	nhc_rth_input: rtable | null = null;
	/** By destination. */
	nhc_exceptions: Map<number, fib_nh_exception> | null = null;
	fib_nh_tclassid = 0;
	/** Cached source address, good while nh_saddr_genid is the namespace's. */
	nh_saddr = 0;
	nh_saddr_genid = -1;
}

/** Linux's base of fib_nh and fib6_nh. */
export type fib_nh_common = fib_nh;

export class fib_info {
	/** Its index in net.ipv4.fib_infos, as aliases name it. */
	fib_id = 0;
	fib_net: net;
	/** How many aliases use it. */
	fib_treeref = 0;
	fib_flags = 0;
	fib_dead = false;
	fib_protocol = 0;
	fib_scope = 0;
	fib_type = 0;
	fib_prefsrc = 0;
	fib_tb_id = 0;
	fib_priority = 0;
	/** RTAX_* by index, or null: then a packet's path MTU is the device's. */
	fib_metrics: Uint32Array | null = null;
	fib_mx_cc = '';
	fib_nhs = 0;
	fib_nh_is_v6 = false;
	nh_updated = false;
	pfsrc_removed = false;
	fib_nh: fib_nh[] = [];
	fib_hash = 0;

	constructor(net: net) {
		this.fib_net = net;
	}
}

/** Caller-owned: what a lookup found. */
export class fib_result {
	prefix = 0;
	prefixlen = 0;
	nh_sel = 0;
	type = 0;
	scope = 0;
	tclassid = 0;
	dscp = 0;
	nhc: fib_nh | null = null;
	fi: fib_info | null = null;
	table: fib_table | null = null;
	/** Priority of the rule that led to the table; -1: no rules were walked. For traces. */
	r_pref = -1;
}

export class fib_table {
	tb_id: number;
	tb_num_default = 0;
	/** The routes. The local and main tables share one until a rule is added. */
	tb_data: fib_trie;

	constructor(id: number, data: fib_trie) {
		this.tb_id = id;
		this.tb_data = data;
	}
}

/** What each route type (RTN_*) does: the error of a lookup that hits it, and its widest scope. */
export const fib_props_error: Int32Array = Int32Array.of(0, 0, 0, 0, 0, 0, -22, -113, -13, -11, -22, -22);
export const fib_props_scope: Uint8Array = Uint8Array.of(255, 0, 254, 253, 253, 0, 0, 0, 0, 0, 255, 255);

export const FIB_LOOKUP_NOREF = 1;
export const FIB_LOOKUP_IGNORE_LINKSTATE = 2;

/** The hop that a result chose. */
export function FIB_RES_NHC(res: fib_result): fib_nh {
	return res.nhc!;
}

export function FIB_RES_DEV(res: fib_result): net_device {
	return res.nhc!.nhc_dev!;
}

export function FIB_RES_OIF(res: fib_result): number {
	return res.nhc!.nhc_oif;
}

export function fib_info_nh(fi: fib_info, nhsel: number): fib_nh {
	return fi.fib_nh[nhsel];
}

export function fib_info_nhc(fi: fib_info, nhsel: number): fib_nh {
	return fi.fib_nh[nhsel];
}

export function fib_info_num_path(fi: fib_info): number {
	return fi.fib_nhs;
}
