/*
 * net/ipv4/fib_semantics.ts: what a route means: checks, sharing, nexthops.   Linux: net/ipv4/fib_semantics.c
 * Walk: fib_create_info (is the request sound? fib_check_nh: can the gateway be reached?) -> fib_find_info (share it) ->
 *       fib_select_path (which nexthop) -> fib_sync_down_dev, fib_sync_down_addr, fib_sync_up (devices and addresses come and go).
 * Netlink encoding of routes: fib_dump.ts. RFC 1122 3.3.1.5 (dead gateways), RFC 2992 (choice among nexthops by hash threshold).
 * Not here yet: nexthop objects, encapsulation, IPv6 gateways.
 */
import { jhash_3words } from '../../lib/jhash.ts';
import {
	NL_SET_ERR_MSG,
	NL_SET_ERR_MSG_ATTR,
	type netlink_ext_ack,
	nla_get_be32,
	nla_get_string,
	nla_get_u32,
	nla_list,
	nla_nested,
	type nlattr,
} from '../../lib/nlattr.ts';
import { EINVAL, ENETDOWN, ENODEV, EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOWER_UP, IFF_RUNNING, IFF_UP } from '../../uapi/linux/if.ts';
import {
	NUD_DELAY,
	NUD_INCOMPLETE,
	NUD_NOARP,
	NUD_PERMANENT,
	NUD_PROBE,
	NUD_REACHABLE,
	NUD_STALE,
} from '../../uapi/linux/neighbour.ts';
import {
	RT_SCOPE_HOST,
	RT_SCOPE_LINK,
	RT_SCOPE_NOWHERE,
	RTA_ENCAP,
	RTA_FLOW,
	RTA_GATEWAY,
	RTA_VIA,
	RTAX_ADVMSS,
	RTAX_CC_ALGO,
	RTAX_FEATURES,
	RTAX_HOPLIMIT,
	RTAX_MAX,
	RTAX_MTU,
	RTN_ANYCAST,
	RTN_BROADCAST,
	RTN_LOCAL,
	RTN_MAX,
	RTN_MULTICAST,
	RTN_UNICAST,
	RTNH_F_DEAD,
	RTNH_F_LINKDOWN,
	RTNH_F_OFFLOAD,
	RTNH_F_ONLINK,
	RTNH_F_PERVASIVE,
	RTNH_F_TRAP,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import { dev_get_flags, NETDEV_CHANGE, NETDEV_DOWN, NETDEV_UNREGISTER } from '../core/dev.ts';
import { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { __ipv4_neigh_lookup_noref } from './arp.ts';
import { inet_select_addr, inetdev_by_index } from './devinet.ts';
import { fib_get_table, fib_lookup, inet_addr_type_dev_table, inet_addr_type_table } from './fib_frontend.ts';
import {
	FIB_LOOKUP_IGNORE_LINKSTATE,
	FIB_LOOKUP_NOREF,
	type fib_config,
	fib_info,
	fib_nh,
	fib_props_error,
	fib_props_scope,
	fib_result,
} from './fib_lookup.ts';
import {
	fa_dscp,
	fa_info,
	fa_next,
	fa_slen,
	fa_tb_id,
	fa_type,
	fib_dscp_masked_match,
	fib_result_head,
	fib_table_lookup,
	RT_TABLE_LOCAL,
	RT_TABLE_MAIN,
} from './fib_trie.ts';
import { IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN } from './inetdevice.ts';
import { fib_multipath_hash } from './route_multipath.ts';

export * from './fib_dump.ts';

/** Flags that do not make two routes differ: they come and go with devices. */
const RTNH_COMPARE_MASK = RTNH_F_DEAD | RTNH_F_LINKDOWN | RTNH_F_OFFLOAD | RTNH_F_TRAP;
const RTAX_FEATURE_MASK = 0x1f;
const NUD_VALID = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
/** Congestion controls that a route may name. */
const TCP_CA_NAMES: readonly string[] = ['reno', 'cubic', 'bbr'];

// ---- metrics ---------------------------------------------------------------------------------------------------------------------

/** RTA_METRICS into values by RTAX_*. Return: 0 or -errno. */
function ip_metrics_convert(fc_mx: nlattr, fi: fib_info, extack: netlink_ext_ack | null): number {
	const metrics = new Uint32Array(RTAX_MAX + 1);
	for (const nla of nla_nested(fc_mx)) {
		const type = nla.type;
		if (type === 0) continue;
		if (type > RTAX_MAX) {
			NL_SET_ERR_MSG(extack, 'Invalid metric type');
			return -EINVAL;
		}
		let val: number;
		if (type === RTAX_CC_ALGO) {
			const name = nla_get_string(nla);
			val = TCP_CA_NAMES.indexOf(name) + 1;
			if (val === 0) {
				NL_SET_ERR_MSG(extack, 'Unknown tcp congestion algorithm');
				return -EINVAL;
			}
			fi.fib_mx_cc = name;
		} else {
			if (nla.len !== 4) {
				NL_SET_ERR_MSG_ATTR(extack, nla, 'Invalid attribute in metrics');
				return -EINVAL;
			}
			val = nla_get_u32(nla);
		}
		if (type === RTAX_ADVMSS && val > 65535 - 40) val = 65535 - 40;
		if (type === RTAX_MTU && val > 65535 - 15) val = 65535 - 15;
		if (type === RTAX_HOPLIMIT && val > 255) val = 255;
		if (type === RTAX_FEATURES && (val & ~RTAX_FEATURE_MASK) !== 0) {
			NL_SET_ERR_MSG(extack, 'Unknown flag set in feature mask in metrics attribute');
			return -EINVAL;
		}
		metrics[type] = val;
	}
	fi.fib_metrics = metrics;
	return 0;
}

/** Whether a route has the metrics that a request to delete names. */
export function fib_metrics_match(cfg: fib_config, fi: fib_info): boolean {
	if (cfg.fc_mx === null) return true;
	for (const nla of nla_nested(cfg.fc_mx)) {
		if (nla.type === 0) continue;
		if (nla.type > RTAX_MAX) return false;
		if (nla.type === RTAX_CC_ALGO) {
			if (nla_get_string(nla) !== fi.fib_mx_cc) return false;
		} else if (nla.len !== 4 || (fi.fib_metrics === null ? 0 : fi.fib_metrics[nla.type]) !== nla_get_u32(nla))
			return false;
	}
	return true;
}

// ---- nexthops of a request -------------------------------------------------------------------------------------------------------

/** One rtnexthop of RTA_MULTIPATH: where it is, and its attributes. */
interface rtnexthop {
	flags: number;
	hops: number;
	ifindex: number;
	attrs: nlattr[];
}

/** Return: the hops, or null when they are malformed. */
function rtnh_parse(mp: nlattr): rtnexthop[] | null {
	const out: rtnexthop[] = [];
	const b = mp.buf;
	let at = mp.off;
	let left = mp.len;
	while (left >= 8) {
		const len = b[at] | (b[at + 1] << 8);
		if (len < 8 || len > left) break;
		const ifindex = b[at + 4] | (b[at + 5] << 8) | (b[at + 6] << 16) | (b[at + 7] << 24);
		out.push({ flags: b[at + 2], hops: b[at + 3], ifindex, attrs: nla_list(b, at + 8, at + len) });
		const step = (len + 3) & ~3;
		left -= step;
		at += step;
	}
	return left > 0 ? null : out;
}

function rtnh_attr(nh: rtnexthop, type: number): nlattr | null {
	for (const a of nh.attrs) if (a.type === type) return a;
	return null;
}

/** Reads RTA_VIA. Return: 0 with cfg's gateway set, or -errno. */
export function fib_gw_from_via(
	nla: nlattr,
	out: { family: number; gw4: number },
	extack: netlink_ext_ack | null,
): number {
	if (nla.len < 2) {
		NL_SET_ERR_MSG(extack, 'Invalid attribute length for RTA_VIA');
		return -EINVAL;
	}
	const family = nla.buf[nla.off] | (nla.buf[nla.off + 1] << 8);
	if (family === AF_INET) {
		if (nla.len - 2 !== 4) {
			NL_SET_ERR_MSG(extack, 'Invalid IPv4 address in RTA_VIA');
			return -EINVAL;
		}
		const b = nla.buf;
		const o = nla.off + 2;
		out.family = AF_INET;
		out.gw4 = ((b[o] << 24) | (b[o + 1] << 16) | (b[o + 2] << 8) | b[o + 3]) >>> 0;
		return 0;
	}
	if (family === 10) {
		NL_SET_ERR_MSG(extack, 'IPv6 support not enabled in kernel');
		return -EINVAL;
	}
	NL_SET_ERR_MSG(extack, 'Unsupported address family in RTA_VIA');
	return -EINVAL;
}

function fib_get_nhs(fi: fib_info, hops: rtnexthop[], cfg: fib_config, extack: netlink_ext_ack | null): number {
	for (let i = 0; i < hops.length; i++) {
		const h = hops[i];
		const nh = fi.fib_nh[i];
		if ((h.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) !== 0) {
			NL_SET_ERR_MSG(extack, 'Invalid flags for nexthop - can not contain DEAD or LINKDOWN');
			return -EINVAL;
		}
		const gw = rtnh_attr(h, RTA_GATEWAY);
		const via = rtnh_attr(h, RTA_VIA);
		if (gw !== null && via !== null) {
			NL_SET_ERR_MSG(extack, 'Nexthop configuration can not contain both GATEWAY and VIA');
			return -EINVAL;
		}
		const out = { family: 0, gw4: 0 };
		if (gw !== null) {
			out.gw4 = nla_get_be32(gw);
			if (out.gw4 !== 0) out.family = AF_INET;
		} else if (via !== null) {
			const err = fib_gw_from_via(via, out, extack);
			if (err < 0) return err;
		}
		if (rtnh_attr(h, RTA_ENCAP) !== null) {
			NL_SET_ERR_MSG(extack, 'CONFIG_LWTUNNEL is not enabled in this kernel');
			return -EOPNOTSUPP;
		}
		nh.nhc_oif = h.ifindex;
		nh.nhc_gw_family = out.family;
		nh.nhc_gw = out.gw4;
		nh.nhc_flags = (cfg.fc_flags & ~0xff) | h.flags;
		nh.nhc_weight = h.hops + 1;
		const flow = rtnh_attr(h, RTA_FLOW);
		nh.fib_nh_tclassid = flow !== null ? nla_get_u32(flow) : 0;
	}
	const first = fi.fib_nh[0];
	if (cfg.fc_oif !== 0 && first.nhc_oif !== cfg.fc_oif) {
		NL_SET_ERR_MSG(extack, 'Nexthop device index does not match RTA_OIF');
		return -EINVAL;
	}
	if (cfg.fc_gw_family !== 0 && (cfg.fc_gw_family !== first.nhc_gw_family || cfg.fc_gw4 !== first.nhc_gw)) {
		NL_SET_ERR_MSG(extack, 'Nexthop gateway does not match RTA_GATEWAY or RTA_VIA');
		return -EINVAL;
	}
	if (cfg.fc_flow !== 0 && first.fib_nh_tclassid !== cfg.fc_flow) {
		NL_SET_ERR_MSG(extack, 'Nexthop class id does not match RTA_FLOW');
		return -EINVAL;
	}
	return 0;
}

/** Whether `fi` has the nexthops that a request names. Return: 0: yes; 1: no; -errno. */
export function fib_nh_match(_net: net, cfg: fib_config, fi: fib_info, extack: netlink_ext_ack | null): number {
	if (cfg.fc_priority !== 0 && cfg.fc_priority !== fi.fib_priority) return 1;
	if (cfg.fc_nh_id !== 0) return 1;
	if (cfg.fc_oif !== 0 || cfg.fc_gw_family !== 0) {
		const nh = fi.fib_nh[0];
		if (cfg.fc_oif !== 0 && cfg.fc_oif !== nh.nhc_oif) return 1;
		if (cfg.fc_gw_family !== 0 && (cfg.fc_gw_family !== nh.nhc_gw_family || cfg.fc_gw4 !== nh.nhc_gw)) return 1;
		return 0;
	}
	if (cfg.fc_mp === null) return 0;
	const hops = rtnh_parse(cfg.fc_mp);
	if (hops === null) return -EINVAL;
	for (let i = 0; i < fi.fib_nh.length; i++) {
		if (i >= hops.length) return -EINVAL;
		const h = hops[i];
		const nh = fi.fib_nh[i];
		if (h.ifindex !== 0 && h.ifindex !== nh.nhc_oif) return 1;
		const out = { family: 0, gw4: 0 };
		const gw = rtnh_attr(h, RTA_GATEWAY);
		const via = rtnh_attr(h, RTA_VIA);
		if (gw !== null) {
			out.family = AF_INET;
			out.gw4 = nla_get_be32(gw);
		} else if (via !== null) {
			const err = fib_gw_from_via(via, out, extack);
			if (err < 0) return err;
		}
		if (out.family !== 0 && (out.family !== nh.nhc_gw_family || out.gw4 !== nh.nhc_gw)) return 1;
		const flow = rtnh_attr(h, RTA_FLOW);
		if (flow !== null && nla_get_u32(flow) !== nh.fib_nh_tclassid) return 1;
	}
	return 0;
}

/**
 * Whether the gateway of a new route can be spoken to directly, and over which device; fills in the hop's device and scope.
 * A gateway must be found by a route of narrower scope than the one that names it. Return: 0 or -errno.
 */
function fib_check_nh(net: net, nh: fib_nh, table: number, scope: number, extack: netlink_ext_ack | null): number {
	if (nh.nhc_gw_family === 0) return fib_check_nh_nongw(net, nh, extack);
	let dev: net_device | null;
	if ((nh.nhc_flags & RTNH_F_ONLINK) !== 0) {
		if (scope >= RT_SCOPE_LINK) {
			NL_SET_ERR_MSG(extack, 'Nexthop has invalid scope');
			return -EINVAL;
		}
		dev = net.dev_index_head.get(nh.nhc_oif) ?? null;
		if (dev === null) {
			NL_SET_ERR_MSG(extack, 'Nexthop device required for onlink');
			return -ENODEV;
		}
		if ((dev.flags & IFF_UP) === 0) {
			NL_SET_ERR_MSG(extack, 'Nexthop device is not up');
			return -ENETDOWN;
		}
		if (inet_addr_type_dev_table(net, dev, nh.nhc_gw) !== RTN_UNICAST) {
			NL_SET_ERR_MSG(extack, 'Nexthop has invalid gateway');
			return -EINVAL;
		}
		if (!dev.carrier) nh.nhc_flags |= RTNH_F_LINKDOWN;
		nh.nhc_dev = dev;
		nh.nhc_scope = RT_SCOPE_LINK;
		return 0;
	}
	const fl4 = new flowi4();
	const res = new fib_result();
	fl4.daddr = nh.nhc_gw;
	fl4.flowi4_scope = Math.max(scope + 1, RT_SCOPE_LINK);
	fl4.flowi4_oif = nh.nhc_oif;
	fl4.flowi4_iif = 1;
	const flags = FIB_LOOKUP_IGNORE_LINKSTATE | FIB_LOOKUP_NOREF;
	const tbl = table !== 0 && table !== RT_TABLE_MAIN ? fib_get_table(net, table) : null;
	let err = tbl !== null ? fib_table_lookup(tbl, fl4, res, flags) : 1;
	if (err !== 0) err = fib_lookup(net, fl4, res, FIB_LOOKUP_IGNORE_LINKSTATE);
	if (err !== 0) {
		NL_SET_ERR_MSG(extack, 'Nexthop has invalid gateway');
		return err;
	}
	if (res.type !== RTN_UNICAST && res.type !== RTN_LOCAL) {
		NL_SET_ERR_MSG(extack, 'Nexthop has invalid gateway');
		return -EINVAL;
	}
	nh.nhc_scope = res.scope;
	nh.nhc_oif = res.nhc!.nhc_oif;
	dev = res.nhc!.nhc_dev;
	nh.nhc_dev = dev;
	if (dev === null) {
		NL_SET_ERR_MSG(extack, 'No egress device for nexthop gateway');
		return -EINVAL;
	}
	if (!dev.carrier) nh.nhc_flags |= RTNH_F_LINKDOWN;
	return (dev.flags & IFF_UP) !== 0 ? 0 : -ENETDOWN;
}

function fib_check_nh_nongw(net: net, nh: fib_nh, extack: netlink_ext_ack | null): number {
	if ((nh.nhc_flags & (RTNH_F_PERVASIVE | RTNH_F_ONLINK)) !== 0) {
		NL_SET_ERR_MSG(extack, 'Invalid flags for nexthop - PERVASIVE and ONLINK can not be set');
		return -EINVAL;
	}
	const in_dev = inetdev_by_index(net, nh.nhc_oif);
	if (in_dev === null) return -ENODEV;
	if ((in_dev.dev.flags & IFF_UP) === 0) {
		NL_SET_ERR_MSG(extack, 'Device for nexthop is not up');
		return -ENETDOWN;
	}
	nh.nhc_dev = in_dev.dev;
	nh.nhc_scope = RT_SCOPE_HOST;
	if (!in_dev.dev.carrier) nh.nhc_flags |= RTNH_F_LINKDOWN;
	return 0;
}

/** Whether a route may name `prefsrc` as its source: it must be ours, or what a local route makes ours. */
function fib_valid_prefsrc(net: net, cfg: fib_config): boolean {
	if (cfg.fc_type === RTN_LOCAL && cfg.fc_dst !== 0 && cfg.fc_prefsrc === cfg.fc_dst) return true;
	const tb_id = cfg.fc_table === RT_TABLE_MAIN ? RT_TABLE_LOCAL : cfg.fc_table;
	if (inet_addr_type_table(net, cfg.fc_prefsrc, tb_id) === RTN_LOCAL) return true;
	return tb_id !== RT_TABLE_LOCAL && inet_addr_type_table(net, cfg.fc_prefsrc, RT_TABLE_LOCAL) === RTN_LOCAL;
}

// ---- fib_info --------------------------------------------------------------------------------------------------------------------

function fib_info_hashfn(fi: fib_info): number {
	let h = jhash_3words(
		(fi.fib_protocol << 16) | (fi.fib_scope << 8) | fi.fib_type,
		fi.fib_prefsrc,
		fi.fib_priority,
		fi.fib_tb_id,
	);
	for (const nh of fi.fib_nh) h = jhash_3words(nh.nhc_oif, nh.nhc_gw, nh.nhc_weight, h);
	return h;
}

function metrics_equal(a: Uint32Array | null, b: Uint32Array | null): boolean {
	for (let i = 0; i <= RTAX_MAX; i++) if ((a === null ? 0 : a[i]) !== (b === null ? 0 : b[i])) return false;
	return true;
}

function nh_comp(a: fib_info, b: fib_info): boolean {
	for (let i = 0; i < a.fib_nh.length; i++) {
		const x = a.fib_nh[i];
		const y = b.fib_nh[i];
		if (
			x.nhc_oif !== y.nhc_oif ||
			x.nhc_gw_family !== y.nhc_gw_family ||
			x.nhc_scope !== y.nhc_scope ||
			x.nhc_weight !== y.nhc_weight ||
			x.fib_nh_tclassid !== y.fib_nh_tclassid ||
			x.nhc_gw !== y.nhc_gw ||
			((x.nhc_flags ^ y.nhc_flags) & ~RTNH_COMPARE_MASK) !== 0
		)
			return false;
	}
	return true;
}

/** A fib_info in use that says the same, or null. */
function fib_find_info(net: net, nfi: fib_info): fib_info | null {
	const list = net.ipv4.fib_info_hash.get(nfi.fib_hash);
	if (list === undefined) return null;
	for (const fi of list) {
		if (
			fi.fib_nhs === nfi.fib_nhs &&
			fi.fib_protocol === nfi.fib_protocol &&
			fi.fib_scope === nfi.fib_scope &&
			fi.fib_prefsrc === nfi.fib_prefsrc &&
			fi.fib_priority === nfi.fib_priority &&
			fi.fib_type === nfi.fib_type &&
			fi.fib_tb_id === nfi.fib_tb_id &&
			metrics_equal(fi.fib_metrics, nfi.fib_metrics) &&
			fi.fib_mx_cc === nfi.fib_mx_cc &&
			((nfi.fib_flags ^ fi.fib_flags) & ~RTNH_COMPARE_MASK) === 0 &&
			nh_comp(fi, nfi)
		)
			return fi;
	}
	return null;
}

function fib_info_link(net: net, fi: fib_info): void {
	const v4 = net.ipv4;
	fi.fib_id = v4.fib_info_free.length > 0 ? v4.fib_info_free.pop()! : v4.fib_infos.length;
	v4.fib_infos[fi.fib_id] = fi;
	const list = v4.fib_info_hash.get(fi.fib_hash);
	if (list === undefined) v4.fib_info_hash.set(fi.fib_hash, [fi]);
	else list.push(fi);
	for (const nh of fi.fib_nh) {
		if (nh.nhc_dev === null) continue;
		const set = v4.fib_info_devhash.get(nh.nhc_dev.ifindex);
		if (set === undefined) v4.fib_info_devhash.set(nh.nhc_dev.ifindex, new Set([fi]));
		else set.add(fi);
	}
}

function fib_info_unlink(net: net, fi: fib_info): void {
	const v4 = net.ipv4;
	v4.fib_infos[fi.fib_id] = null;
	v4.fib_info_free.push(fi.fib_id);
	const list = v4.fib_info_hash.get(fi.fib_hash)!;
	list.splice(list.indexOf(fi), 1);
	if (list.length === 0) v4.fib_info_hash.delete(fi.fib_hash);
	for (const nh of fi.fib_nh) {
		if (nh.nhc_dev === null) continue;
		const set = v4.fib_info_devhash.get(nh.nhc_dev.ifindex);
		if (set?.delete(fi) && set.size === 0) v4.fib_info_devhash.delete(nh.nhc_dev.ifindex);
	}
}

/** An alias lets go of `fi`; with the last one it is gone. */
export function fib_release_info(fi: fib_info): void {
	if (--fi.fib_treeref > 0) return;
	fib_info_unlink(fi.fib_net, fi);
	fi.fib_dead = true;
	for (const nh of fi.fib_nh) {
		nh.nhc_pcpu_rth_output = null;
		nh.nhc_rth_input = null;
		nh.nhc_exceptions = null;
	}
}

function einval(extack: netlink_ext_ack | null, msg: string): number {
	NL_SET_ERR_MSG(extack, msg);
	return -EINVAL;
}

/** What `cfg` asks for, checked, and shared with routes that say the same. Return: it, with one more reference, or -errno. */
export function fib_create_info(net: net, cfg: fib_config, extack: netlink_ext_ack | null): fib_info | number {
	if (cfg.fc_type > RTN_MAX) return -EINVAL;
	if (fib_props_scope[cfg.fc_type] > cfg.fc_scope) return einval(extack, 'Invalid scope');
	if ((cfg.fc_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) !== 0) {
		return einval(extack, 'Invalid rtm_flags - can not contain DEAD or LINKDOWN');
	}
	if (cfg.fc_nh_id !== 0) return einval(extack, 'Nexthop id does not exist');
	const fi = new fib_info(net);
	let hops: rtnexthop[] | null = null;
	if (cfg.fc_mp !== null) {
		hops = rtnh_parse(cfg.fc_mp);
		if (hops === null || hops.length === 0) {
			return einval(extack, 'Invalid nexthop configuration - extra data after nexthop');
		}
	}
	if (cfg.fc_mx !== null) {
		const err = ip_metrics_convert(cfg.fc_mx, fi, extack);
		if (err < 0) return err;
	}
	fi.fib_protocol = cfg.fc_protocol;
	fi.fib_scope = cfg.fc_scope;
	fi.fib_flags = cfg.fc_flags;
	fi.fib_priority = cfg.fc_priority;
	fi.fib_prefsrc = cfg.fc_prefsrc;
	fi.fib_type = cfg.fc_type;
	fi.fib_tb_id = cfg.fc_table;
	fi.fib_nhs = hops !== null ? hops.length : 1;
	for (let i = 0; i < fi.fib_nhs; i++) {
		const nh = new fib_nh();
		nh.nh_parent = fi;
		fi.fib_nh.push(nh);
	}
	let err = 0;
	if (hops !== null) {
		err = fib_get_nhs(fi, hops, cfg, extack);
	} else {
		const nh = fi.fib_nh[0];
		nh.nhc_oif = cfg.fc_oif;
		nh.nhc_gw_family = cfg.fc_gw_family;
		nh.nhc_gw = cfg.fc_gw4;
		nh.nhc_flags = cfg.fc_flags;
		nh.fib_nh_tclassid = cfg.fc_flow;
	}
	if (err < 0) return err;
	if (fib_props_error[cfg.fc_type] !== 0) {
		if (cfg.fc_gw_family !== 0 || cfg.fc_oif !== 0 || cfg.fc_mp !== null) {
			return einval(extack, 'Gateway, device and multipath can not be specified for this route type');
		}
	} else {
		err = fib_check_nexthops(net, cfg, fi, extack);
		if (err < 0) return err;
	}
	fi.fib_hash = fib_info_hashfn(fi);
	const ofi = fib_find_info(net, fi);
	if (ofi !== null) {
		ofi.fib_treeref++;
		return ofi;
	}
	fi.fib_treeref = 1;
	fib_info_link(net, fi);
	return fi;
}

function fib_check_nexthops(net: net, cfg: fib_config, fi: fib_info, extack: netlink_ext_ack | null): number {
	switch (cfg.fc_type) {
		case RTN_UNICAST:
		case RTN_LOCAL:
		case RTN_BROADCAST:
		case RTN_ANYCAST:
		case RTN_MULTICAST:
			break;
		default:
			return einval(extack, 'Invalid route type');
	}
	if (cfg.fc_scope > RT_SCOPE_HOST) return einval(extack, 'Invalid scope');
	if (cfg.fc_scope === RT_SCOPE_HOST) {
		const nh = fi.fib_nh[0];
		if (fi.fib_nhs !== 1) return einval(extack, 'Route with host scope can not have multiple nexthops');
		if (nh.nhc_gw_family !== 0) return einval(extack, 'Route with host scope can not have a gateway');
		nh.nhc_scope = RT_SCOPE_NOWHERE;
		nh.nhc_dev = net.dev_index_head.get(nh.nhc_oif) ?? null;
		if (nh.nhc_dev === null) return -ENODEV;
	} else {
		let linkdown = 0;
		for (const nh of fi.fib_nh) {
			const err = fib_check_nh(net, nh, cfg.fc_table, cfg.fc_scope, extack);
			if (err < 0) return err;
			if ((nh.nhc_flags & RTNH_F_LINKDOWN) !== 0) linkdown++;
		}
		if (linkdown === fi.fib_nhs) fi.fib_flags |= RTNH_F_LINKDOWN;
	}
	if (fi.fib_prefsrc !== 0 && !fib_valid_prefsrc(net, cfg)) return einval(extack, 'Invalid prefsrc address');
	for (const nh of fi.fib_nh) fib_info_update_nhc_saddr(net, nh, fi.fib_scope);
	fib_rebalance(fi);
	return 0;
}

// ---- source addresses ------------------------------------------------------------------------------------------------------------

/** Chooses the address that packets over this hop are sent from, and remembers it. */
export function fib_info_update_nhc_saddr(net: net, nh: fib_nh, scope: number): number {
	if (nh.nhc_dev === null) return 0;
	nh.nh_saddr = inet_select_addr(nh.nhc_dev, nh.nhc_gw_family === AF_INET ? nh.nhc_gw : 0, scope);
	nh.nh_saddr_genid = net.ipv4.dev_addr_genid;
	return nh.nh_saddr;
}

/** The source address that a route gives. */
export function fib_result_prefsrc(net: net, res: fib_result): number {
	const fi = res.fi!;
	if (fi.fib_prefsrc !== 0) return fi.fib_prefsrc;
	const nh = res.nhc!;
	if (nh.nh_saddr_genid === net.ipv4.dev_addr_genid) return nh.nh_saddr;
	return fib_info_update_nhc_saddr(net, nh, fi.fib_scope);
}

// ---- choosing a nexthop ----------------------------------------------------------------------------------------------------------

/** Divides the range of hashes (31 bits) among the living hops by weight. */
function fib_rebalance(fi: fib_info): void {
	if (fi.fib_nhs < 2) return;
	let total = 0;
	for (const nh of fi.fib_nh) if (fib_nh_counts(nh)) total += nh.nhc_weight;
	let w = 0;
	for (const nh of fi.fib_nh) {
		if (!fib_nh_counts(nh)) nh.nhc_upper_bound = -1;
		else {
			w += nh.nhc_weight;
			nh.nhc_upper_bound = Math.floor((w * 0x80000000 + total / 2) / total) - 1;
		}
	}
}

function fib_nh_counts(nh: fib_nh): boolean {
	if ((nh.nhc_flags & RTNH_F_DEAD) !== 0) return false;
	if ((nh.nhc_flags & RTNH_F_LINKDOWN) === 0) return true;
	const in_dev = nh.nhc_dev !== null ? nh.nhc_dev.ip_ptr : null;
	return in_dev === null || !IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN(in_dev);
}

/** For fib_multipath_use_neigh: no neighbour is known to be dead there. */
function fib_good_nh(nh: fib_nh): boolean {
	if (nh.nhc_scope !== RT_SCOPE_LINK || nh.nhc_gw_family !== AF_INET) return true;
	const n = __ipv4_neigh_lookup_noref(nh.nhc_dev!, nh.nhc_gw);
	return n === null || (n.nud_state & NUD_VALID) !== 0;
}

/** Chooses among several hops by the flow's hash; a hop that has the flow's source address comes first. */
export function fib_select_multipath(res: fib_result, hash: number, fl4: flowi4 | null): void {
	const fi = res.fi!;
	const use_neigh = fi.fib_net.ipv4.sysctl_fib_multipath_use_neigh !== 0;
	const saddr = fl4 !== null ? fl4.saddr : 0;
	let best = -1;
	for (let i = 0; i < fi.fib_nhs; i++) {
		const nh = fi.fib_nh[i];
		if (nh.nhc_upper_bound === -1 || (use_neigh && !fib_good_nh(nh))) continue;
		const score = (saddr !== 0 && nh.nh_saddr === saddr ? 2 : 0) + (hash <= nh.nhc_upper_bound ? 1 : 0);
		if (score <= best) continue;
		best = score;
		res.nh_sel = i;
		res.nhc = nh;
		if (score === 3 || (saddr === 0 && score === 1)) return;
	}
}

/** What the neighbour of a default route's gateway says: 0 alive; 1 dead; 2 dead, but good as a last resort. */
function fib_detect_death(fi: fib_info, order: number, have_last: boolean, dflt: number): number {
	const nh = fi.fib_nh[0];
	const n = __ipv4_neigh_lookup_noref(nh.nhc_dev!, nh.nhc_gw);
	if (n === null || n.nud_state === NUD_REACHABLE) return 0;
	const valid = (n.nud_state & NUD_VALID) !== 0;
	if (valid && order !== dflt) return 0;
	return valid || (!have_last && order > dflt && n.nud_state !== NUD_INCOMPLETE) ? 2 : 1;
}

/** Among default routes of the same TOS and priority: the first whose gateway seems alive (RFC 1122 3.3.1.6). */
function fib_select_default(flp: flowi4, res: fib_result): void {
	const tb = res.table!;
	const t = tb.tb_data;
	const slen = 32 - res.prefixlen;
	let fi: fib_info | null = null;
	let fa1 = 0;
	let order = -1;
	let last: fib_info | null = null;
	let last_idx = -1;
	let last_dscp = -1;
	let last_prio = -1;
	let chosen: fib_info | null = null;
	for (let fa = fib_result_head(res); fa !== 0; fa = fa_next(t, fa)) {
		if (fa_slen(t, fa) !== slen || fa_tb_id(t, fa) !== tb.tb_id) continue;
		const dscp = fa_dscp(t, fa);
		if (dscp !== 0 && !fib_dscp_masked_match(dscp, flp)) continue;
		const next = fa_info(t, fa);
		if (dscp === last_dscp && next.fib_priority > last_prio && last_prio >= 0 && fi !== null) break;
		if ((next.fib_flags & RTNH_F_DEAD) !== 0) continue;
		last_dscp = dscp;
		last_prio = next.fib_priority;
		if (next.fib_scope !== res.scope || fa_type(t, fa) !== RTN_UNICAST) continue;
		const nh = next.fib_nh[0];
		if (nh.nhc_gw_family === 0 || nh.nhc_scope !== RT_SCOPE_LINK) continue;
		if (fi === null) {
			if (next !== res.fi) break;
			fa1 = fa;
		} else {
			const dead = fib_detect_death(fi, order, last !== null, t.fa_default.get(fa1) ?? -1);
			if (dead === 0) {
				chosen = fi;
				break;
			}
			if (dead === 2) {
				last = fi;
				last_idx = order;
			}
		}
		fi = next;
		order++;
	}
	if (chosen === null) {
		if (order <= 0 || fi === null) {
			if (fa1 !== 0) t.fa_default.set(fa1, -1);
			return;
		}
		const dead = fib_detect_death(fi, order, last !== null, t.fa_default.get(fa1) ?? -1);
		if (dead === 2) {
			last = fi;
			last_idx = order;
		}
		if (dead === 0) chosen = fi;
		else if (last !== null) {
			chosen = last;
			order = last_idx;
		} else return;
	}
	res.fi = chosen;
	res.nhc = chosen.fib_nh[0];
	res.nh_sel = 0;
	t.fa_default.set(fa1, order);
}

/** Settles which hop a found route uses, and the source address when the flow has none. `skb`: the packet, if there is one. */
export function fib_select_path(net: net, res: fib_result, fl4: flowi4, skb: sk_buff | null): void {
	if (fl4.flowi4_oif === 0) {
		if (res.fi!.fib_nhs > 1) {
			fib_select_multipath(res, fib_multipath_hash(net, fl4, skb), fl4);
		} else if (res.prefixlen === 0 && res.table!.tb_num_default > 1 && res.type === RTN_UNICAST) {
			fib_select_default(fl4, res);
		}
	}
	if (fl4.saddr === 0) fl4.saddr = fib_result_prefsrc(net, res);
}

// ---- what comes and goes ---------------------------------------------------------------------------------------------------------

/** Routes whose preferred source was `local` die. Return: how many fib_infos did. */
export function fib_sync_down_addr(dev: net_device, local: number): number {
	if (local === 0) return 0;
	let ret = 0;
	for (const fi of dev.net.ipv4.fib_infos) {
		if (fi === null || fi.fib_prefsrc !== local || fi.fib_tb_id !== RT_TABLE_MAIN) continue;
		fi.fib_flags |= RTNH_F_DEAD;
		fi.pfsrc_removed = true;
		ret++;
	}
	return ret;
}

/** The device went down, lost its carrier or is going: its hops die. `force`: those of local routes too. Return: how many routes' infos died. */
export function fib_sync_down_dev(dev: net_device, event: number, force: boolean): number {
	const infos = dev.net.ipv4.fib_info_devhash.get(dev.ifindex);
	if (infos === undefined) return 0;
	let ret = 0;
	for (const fi of infos) {
		let dead = 0;
		for (const nh of fi.fib_nh) {
			if ((nh.nhc_flags & RTNH_F_DEAD) !== 0) dead++;
			else if (nh.nhc_dev === dev && (force || nh.nhc_scope !== RT_SCOPE_NOWHERE)) {
				if (event === NETDEV_DOWN || event === NETDEV_UNREGISTER) nh.nhc_flags |= RTNH_F_DEAD;
				if (event === NETDEV_DOWN || event === NETDEV_UNREGISTER || event === NETDEV_CHANGE) {
					nh.nhc_flags |= RTNH_F_LINKDOWN;
				}
				dead++;
			}
			if (event === NETDEV_UNREGISTER && nh.nhc_dev === dev) {
				dead = fi.fib_nhs;
				break;
			}
		}
		if (dead === fi.fib_nhs) {
			if (event === NETDEV_DOWN || event === NETDEV_UNREGISTER) fi.fib_flags |= RTNH_F_DEAD;
			fi.fib_flags |= RTNH_F_LINKDOWN;
			ret++;
		}
		fib_rebalance(fi);
	}
	return ret;
}

/** The device is up (RTNH_F_DEAD) or has its carrier again (RTNH_F_LINKDOWN): its hops live. Return: how many routes' infos do. */
export function fib_sync_up(dev: net_device, nh_flags: number): number {
	if ((dev.flags & IFF_UP) === 0) return 0;
	if ((nh_flags & RTNH_F_DEAD) !== 0 && (dev_get_flags(dev) & (IFF_RUNNING | IFF_LOWER_UP)) !== 0)
		nh_flags |= RTNH_F_LINKDOWN;
	const infos = dev.net.ipv4.fib_info_devhash.get(dev.ifindex);
	if (infos === undefined) return 0;
	let ret = 0;
	for (const fi of infos) {
		let alive = 0;
		for (const nh of fi.fib_nh) {
			if ((nh.nhc_flags & nh_flags) === 0) {
				alive++;
				continue;
			}
			if (nh.nhc_dev === null || (nh.nhc_dev.flags & IFF_UP) === 0) continue;
			if (nh.nhc_dev !== dev || dev.ip_ptr === null) continue;
			alive++;
			nh.nhc_flags &= ~nh_flags;
		}
		if (alive > 0) {
			fi.fib_flags &= ~nh_flags;
			ret++;
		}
		fib_rebalance(fi);
	}
	return ret;
}

/** The device's MTU changed: path MTUs learned over it follow (RFC 1191 6.3). */
export function fib_sync_mtu(dev: net_device, orig_mtu: number): void {
	const infos = dev.net.ipv4.fib_info_devhash.get(dev.ifindex);
	if (infos === undefined) return;
	for (const fi of infos) {
		for (const nh of fi.fib_nh) {
			if (nh.nhc_dev !== dev || nh.nhc_exceptions === null) continue;
			for (const fnhe of nh.nhc_exceptions.values()) {
				if (fnhe.fnhe_mtu_locked) {
					if (dev.mtu <= fnhe.fnhe_pmtu) {
						fnhe.fnhe_pmtu = dev.mtu;
						fnhe.fnhe_mtu_locked = false;
					}
				} else if (dev.mtu < fnhe.fnhe_pmtu || orig_mtu === fnhe.fnhe_pmtu) fnhe.fnhe_pmtu = dev.mtu;
			}
		}
	}
}
