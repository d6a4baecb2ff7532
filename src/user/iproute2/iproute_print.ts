/*
 * user/iproute2/iproute_print.ts: how `ip route` shows a route.    Original: ip/iproute.c (print_route and around it)
 */
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	nla_data,
	nla_get_string,
	nla_get_u8,
	nla_get_u32,
	type nlattr,
	type nlattr_table,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	RT_SCOPE_UNIVERSE,
	RT_TABLE_MAIN,
	RTA_CACHEINFO,
	RTA_DST,
	RTA_ENCAP,
	RTA_EXPIRES,
	RTA_FLOW,
	RTA_GATEWAY,
	RTA_IIF,
	RTA_MARK,
	RTA_MAX,
	RTA_METRICS,
	RTA_MULTIPATH,
	RTA_NH_ID,
	RTA_OIF,
	RTA_PREF,
	RTA_PREFSRC,
	RTA_PRIORITY,
	RTA_SRC,
	RTA_TABLE,
	RTA_UID,
	RTA_VIA,
	RTAX_CC_ALGO,
	RTAX_FEATURES,
	RTAX_HOPLIMIT,
	RTAX_LOCK,
	RTAX_MAX,
	RTAX_RTO_MIN,
	RTAX_RTT,
	RTAX_RTTVAR,
	RTM_DELROUTE,
	RTM_F_CLONED,
	RTM_F_NOTIFY,
	RTM_F_OFFLOAD,
	RTM_F_OFFLOAD_FAILED,
	RTM_F_TRAP,
	RTM_NEWROUTE,
	RTN_UNICAST,
	RTNH_F_DEAD,
	RTNH_F_LINKDOWN,
	RTNH_F_OFFLOAD,
	RTNH_F_ONLINK,
	RTNH_F_PERVASIVE,
	RTNH_F_TRAP,
	RTNH_F_UNRESOLVED,
	RTPROT_BOOT,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../../uapi/linux/socket.ts';
import { COLOR_IFNAME, COLOR_INET, COLOR_INET6, COLOR_NONE } from './json_print.ts';
import { msg_attrs, parse_rtattr, parse_rtattr_nested } from './libnetlink.ts';
import {
	af_bit_len,
	family_name,
	format_host,
	inet_addr_match,
	inet_prefix,
	type ip_globals,
	PREFIXLEN_SPECIFIED,
	rt_addr_n2a,
} from './utils.ts';

/** struct rtmsg. */
export class rtmsg {
	family: number;
	dst_len: number;
	src_len: number;
	tos: number;
	table: number;
	protocol: number;
	scope: number;
	type: number;
	flags: number;

	constructor(n: nlmsghdr) {
		const b = n.buf;
		const o = n.data;
		this.family = b[o];
		this.dst_len = b[o + 1];
		this.src_len = b[o + 2];
		this.tos = b[o + 3];
		this.table = b[o + 4];
		this.protocol = b[o + 5];
		this.scope = b[o + 6];
		this.type = b[o + 7];
		this.flags = get_unaligned_le32(b, o + 8);
	}
}

function prefix_all(): inet_prefix {
	const p = new inet_prefix();
	p.bitlen = 0;
	return p;
}

/** SELECTOR of show and flush; masks say what was asked for. */
export class route_filter {
	/** Table; 0: all; -1: the cache. */
	tb = 0;
	cloned = 0;
	protocol = 0;
	protocolmask = 0;
	scope = 0;
	scopemask = 0;
	type = 0;
	typemask = 0;
	tos = 0;
	tosmask = 0;
	iif = 0;
	iifmask = 0;
	oif = 0;
	oifmask = 0;
	mark = 0;
	markmask = 0;
	metric = 0;
	metricmask = 0;
	realm = 0;
	realmmask = 0;
	rprefsrc = prefix_all();
	rvia = prefix_all();
	rdst = prefix_all();
	mdst = prefix_all();
	rsrc = prefix_all();
	msrc = prefix_all();
}

export function rtm_get_table(r: rtmsg, tb: nlattr_table): number {
	const t = tb[RTA_TABLE];
	return t === null ? r.table : nla_get_u32(t);
}

function addr_of(a: nlattr | null, len: number): Uint8Array {
	const out = new Uint8Array(len);
	if (a !== null) out.set(nla_data(a).subarray(0, len));
	return out;
}

/** Whether the filter lets a route through. */
export function filter_route(f: route_filter, n: nlmsghdr, tb: nlattr_table): boolean {
	const r = new rtmsg(n);
	const table = rtm_get_table(r, tb);
	if (f.cloned === 0 && (r.flags & RTM_F_CLONED) !== 0) {
		return false;
	}
	if (f.cloned !== 0 && f.cloned !== 2 && (r.flags & RTM_F_CLONED) === 0) return false;
	if (f.tb > 0 && f.tb !== table) return false;
	if (((f.protocol ^ r.protocol) & f.protocolmask) !== 0) return false;
	if (((f.scope ^ r.scope) & f.scopemask) !== 0) return false;
	if (f.typemask !== 0 && ((f.type ^ r.type) & f.typemask) !== 0) return false;
	if (((f.tos ^ r.tos) & f.tosmask) !== 0) return false;
	const bits = af_bit_len(r.family);
	const bytes = bits / 8;
	for (const [p, len] of [
		[f.rdst, r.dst_len],
		[f.rsrc, r.src_len],
	] as const) {
		if (p.family !== 0 && (r.family !== p.family || p.bitlen > len)) return false;
	}
	for (const [p, len] of [
		[f.mdst, r.dst_len],
		[f.msrc, r.src_len],
	] as const) {
		if (p.family !== 0 && (r.family !== p.family || (p.bitlen >= 0 && p.bitlen < len))) return false;
	}
	// `default` says no family: what has no prefix.
	if (f.mdst.family === 0 && (f.mdst.flags & PREFIXLEN_SPECIFIED) !== 0 && r.dst_len !== 0) return false;
	if (f.rvia.family !== 0) {
		const family = tb[RTA_VIA] !== null ? get_unaligned_le16(tb[RTA_VIA].buf, tb[RTA_VIA].off) : r.family;
		if (family !== f.rvia.family) return false;
	}
	if (f.rprefsrc.family !== 0 && r.family !== f.rprefsrc.family) return false;
	const dst = addr_of(tb[RTA_DST], bytes);
	const src = addr_of(tb[RTA_SRC], bytes);
	if (f.rdst.family !== 0 && !inet_addr_match(dst, f.rdst.data, f.rdst.bitlen)) return false;
	if (f.mdst.family !== 0 && f.mdst.bitlen >= 0 && !inet_addr_match(dst, f.mdst.data, r.dst_len)) return false;
	if (f.rsrc.family !== 0 && !inet_addr_match(src, f.rsrc.data, f.rsrc.bitlen)) return false;
	if (f.msrc.family !== 0 && f.msrc.bitlen >= 0 && !inet_addr_match(src, f.msrc.data, r.src_len)) return false;
	if (f.rvia.family !== 0) {
		const via =
			tb[RTA_VIA] !== null
				? nla_data(tb[RTA_VIA]).subarray(2)
				: tb[RTA_GATEWAY] !== null
					? nla_data(tb[RTA_GATEWAY])
					: new Uint8Array(16);
		if (!inet_addr_match(via, f.rvia.data, f.rvia.bitlen)) return false;
	}
	if (f.rprefsrc.family !== 0) {
		if (!inet_addr_match(addr_of(tb[RTA_PREFSRC], bytes), f.rprefsrc.data, f.rprefsrc.bitlen)) return false;
	}
	if (f.realmmask !== 0) {
		const realms = tb[RTA_FLOW] === null ? 0 : nla_get_u32(tb[RTA_FLOW]);
		if (((realms ^ f.realm) & f.realmmask) !== 0) return false;
	}
	for (const [mask, want, t] of [
		[f.iifmask, f.iif, RTA_IIF],
		[f.oifmask, f.oif, RTA_OIF],
		[f.markmask, f.mark, RTA_MARK],
		[f.metricmask, f.metric, RTA_PRIORITY],
	] as const) {
		if (mask === 0) continue;
		const a = tb[t];
		if (((want ^ (a === null ? 0 : nla_get_u32(a))) & mask) !== 0) return false;
	}
	return true;
}

function color_of(family: number): number {
	return family === AF_INET ? COLOR_INET : family === AF_INET6 ? COLOR_INET6 : COLOR_NONE;
}

const FLAG_NAMES: readonly (readonly [number, string])[] = [
	[RTNH_F_DEAD, 'dead'],
	[RTNH_F_ONLINK, 'onlink'],
	[RTNH_F_PERVASIVE, 'pervasive'],
	[RTNH_F_OFFLOAD, 'offload'],
	[RTNH_F_TRAP, 'trap'],
	[RTM_F_NOTIFY, 'notify'],
	[RTNH_F_LINKDOWN, 'linkdown'],
	[RTNH_F_UNRESOLVED, 'unresolved'],
	[RTM_F_OFFLOAD, 'rt_offload'],
	[RTM_F_TRAP, 'rt_trap'],
	[RTM_F_OFFLOAD_FAILED, 'rt_offload_failed'],
];

export function print_rt_flags(g: ip_globals, flags: number): void {
	g.out.open_json_array('flags', null);
	for (const [bit, name] of FLAG_NAMES) if ((flags & bit) !== 0) g.out.any(null, name, `${name} `);
	g.out.close_json_array(null);
}

const RTAX_NAMES = [
	'',
	'lock',
	'mtu',
	'window',
	'rtt',
	'rttvar',
	'ssthresh',
	'cwnd',
	'advmss',
	'reordering',
	'hoplimit',
	'initcwnd',
	'features',
	'rto_min',
	'initrwnd',
	'quickack',
	'congctl',
	'fastopen_no_cookie',
];

function print_metrics(g: ip_globals, metrics: nlattr): void {
	const { out } = g;
	const tb = parse_rtattr_nested(RTAX_MAX, metrics);
	const lock = tb[RTAX_LOCK] === null ? 0 : nla_get_u32(tb[RTAX_LOCK]);
	out.open_json_array('metrics', null);
	out.open_json_object(null);
	for (let i = 2; i <= RTAX_MAX; i++) {
		const a = tb[i];
		if (a === null) continue;
		const locked = (lock & (1 << i)) !== 0;
		const name = RTAX_NAMES[i];
		out.fp(`${name} `);
		if (locked) out.fp('lock ');
		if (i === RTAX_CC_ALGO) {
			out.any('congestion', nla_get_string(a), `${nla_get_string(a)} `);
			continue;
		}
		let v = nla_get_u32(a);
		switch (i) {
			case RTAX_FEATURES:
				print_features(g, v);
				break;
			case RTAX_HOPLIMIT:
				if ((v | 0) === -1) {
					// -1 is the kernel's default.
					out.any('hoplimit', -1, '-1 ');
				} else out.any(name, v, `${v} `);
				break;
			case RTAX_RTT:
			case RTAX_RTTVAR:
			case RTAX_RTO_MIN:
				if (i === RTAX_RTT) v /= 8;
				else if (i === RTAX_RTTVAR) v /= 4;
				v = Math.floor(v);
				if (v >= 1000) out.any(name, v, `${sixg(v / 1000)}s `);
				else out.any(name, v, `${v}ms `);
				break;
			default:
				out.any(name, v, `${v} `);
		}
	}
	out.close_json_object();
	out.close_json_array(null);
}

/** A float as %g prints it. */
function sixg(v: number): string {
	return String(Number(v.toPrecision(6)));
}

function print_features(g: ip_globals, features: number): void {
	const { out } = g;
	let left = features;
	if ((left & 1) !== 0) {
		out.null('ecn', 'ecn ');
		left &= ~1;
	}
	if (left !== 0) out.any('features', left, `0x${(left >>> 0).toString(16)} `);
}

function print_gateway(g: ip_globals, r: rtmsg, a: nlattr): void {
	const gw = format_host(r.family, nla_data(a));
	if (g.out.json) g.out.js('gateway', gw);
	else g.out.colored(color_of(r.family), null, '', 'via ', gw, ' ');
}

function print_via(g: ip_globals, a: nlattr): void {
	const family = get_unaligned_le16(a.buf, a.off);
	const host = format_host(family, nla_data(a).subarray(2));
	if (g.out.json) {
		g.out.open_json_object('via');
		g.out.js('family', family_name(family));
		g.out.js('host', host);
		g.out.close_json_object();
	} else g.out.fp(`via ${family_name(family)} ${g.out.paint(color_of(family), host)} `);
}

function print_flow(g: ip_globals, a: nlattr): void {
	const v = nla_get_u32(a);
	const from = v >>> 16;
	const to = g.names.rtrealm_n2a(v & 0xffff);
	g.out.open_json_object('flow');
	if (from !== 0) {
		const name = g.names.rtrealm_n2a(from);
		g.out.any('from', name, `realms ${name}/`);
		g.out.any('to', to, `${to} `);
	} else g.out.any('to', to, `realm ${to} `);
	g.out.close_json_object();
}

function print_multipath(g: ip_globals, r: rtmsg, mp: nlattr): void {
	const { out } = g;
	const end = mp.off + mp.len;
	out.open_json_array('nexthops', null);
	let first = true;
	for (let at = mp.off; end - at >= 8; ) {
		const len = get_unaligned_le16(mp.buf, at);
		if (len < 8 || len > end - at) break;
		const flags = mp.buf[at + 2];
		const hops = mp.buf[at + 3];
		const ifindex = get_unaligned_le32(mp.buf, at + 4);
		out.open_json_object(null);
		const cloned = (r.flags & RTM_F_CLONED) !== 0 && r.type === 5;
		if (cloned) {
			out.fp(first ? 'Oifs: ' : ' ');
		} else out.fp(`${g.nl}\tnexthop `);
		const tb = parse_rtattr(RTA_MAX, mp.buf, at + 8, at + len);
		if (tb[RTA_GATEWAY] !== null) print_gateway(g, r, tb[RTA_GATEWAY]);
		if (tb[RTA_VIA] !== null) print_via(g, tb[RTA_VIA]);
		if (tb[RTA_FLOW] !== null) print_flow(g, tb[RTA_FLOW]);
		const name = g.ll.index_to_name(ifindex);
		if (cloned) {
			out.colored(COLOR_IFNAME, 'dev', name, '', name, '');
			if (hops !== 1) out.any('ttl', hops, `(ttl>${hops})`);
		} else {
			out.colored(COLOR_IFNAME, 'dev', name, 'dev ', name, ' ');
			if (r.family !== 28) out.any('weight', hops + 1, `weight ${hops + 1} `);
		}
		print_rt_flags(g, flags);
		out.close_json_object();
		first = false;
		at += (len + 3) & ~3;
	}
	out.close_json_array(null);
}

function print_cache_flags(g: ip_globals, flags: number): void {
	const { out } = g;
	let left = (flags & ~0xffff) >>> 0;
	out.open_json_array('cache', 'cache ');
	if (left === 0) {
		out.close_json_array(null);
		return;
	}
	let sep = '<';
	// In the original's order, the direct and redirect flags after broadcast's.
	const order = [
		[0x80000000, 'local'],
		[0x40000000, 'reject'],
		[0x20000000, 'mc'],
		[0x10000000, 'brd'],
		[0x08000000, 'dst-nat'],
		[0x00800000, 'src-nat'],
		[0x00400000, 'masq'],
		[0x00020000, 'dst-direct'],
		[0x04000000, 'src-direct'],
		[0x00040000, 'redirected'],
		[0x01000000, 'redirect'],
		[0x00200000, 'fastroute'],
		[0x00010000, 'notify'],
		[0x00080000, 'proxy'],
	] as const;
	for (const [bit, name] of order) {
		if ((left & bit) === 0) continue;
		left = (left & ~bit) >>> 0;
		out.any(null, name, sep + name);
		sep = ',';
	}
	if (left !== 0) out.any(null, `0x${left.toString(16)}`, `${sep}${left.toString(16)}`);
	out.close_json_array('> ');
}

function print_cacheinfo(g: ip_globals, a: nlattr): void {
	const { out } = g;
	const f = (i: number): number => (a.len >= 4 * i + 4 ? get_unaligned_le32(a.buf, a.off + 4 * i) : 0);
	const [clntref, lastuse, expires, error, used, id, ts, tsage] = [0, 1, 2, 3, 4, 5, 6, 7].map(f);
	const hz = 100;
	if (expires !== 0) {
		const s = Math.trunc((expires | 0) / hz);
		out.any('expires', s, `expires ${s}sec `);
	}
	if (error !== 0) out.any('error', error, `error ${error | 0} `);
	if (g.show_stats > 0) {
		if (clntref !== 0) out.any('users', clntref, `users ${clntref} `);
		if (used !== 0) out.any('used', used, `used ${used} `);
		if (lastuse !== 0) out.any('age', Math.floor(lastuse / hz), `age ${Math.floor(lastuse / hz)}sec `);
	}
	if (id !== 0) out.any('ipid', id, `ipid 0x${id.toString(16).padStart(4, '0')} `);
	if (ts !== 0 || tsage !== 0) {
		out.any('ts', ts, `ts 0x${ts.toString(16)} `);
		out.any('tsage', tsage, `tsage ${tsage}sec `);
	}
}

const PREFS: readonly (readonly [number, string])[] = [
	[0, 'medium'],
	[1, 'high'],
	[3, 'low'],
];

/** Shows one route. Return: 0, or -1 when the filter hides it. */
export function print_route(g: ip_globals, n: nlmsghdr, f: route_filter): number {
	const { out } = g;
	if (n.nlmsg_type !== RTM_NEWROUTE && n.nlmsg_type !== RTM_DELROUTE) return 0;
	if (f.cloned !== 2 && n.nlmsg_len < 28) return -1;
	const r = new rtmsg(n);
	const tb = msg_attrs(n, 12, RTA_MAX);
	const host = af_bit_len(r.family);
	const table = rtm_get_table(r, tb);
	if (!filter_route(f, n, tb)) return 0;
	out.open_json_object(null);
	if (n.nlmsg_type === RTM_DELROUTE) out.any('deleted', true, 'Deleted ');
	if (r.type !== RTN_UNICAST || g.show_details > 0) {
		const type = g.names.rtntype_n2a(r.type);
		out.any('type', type, `${type} `);
	}
	const color = color_of(r.family);
	if (tb[RTA_DST] !== null) {
		const a = rt_addr_n2a(r.family, nla_data(tb[RTA_DST]));
		const text = r.dst_len !== host ? `${a}/${r.dst_len}` : format_host(r.family, nla_data(tb[RTA_DST]));
		out.colored(color, 'dst', text, '', text, ' ');
	} else if (r.dst_len !== 0) {
		out.any('dst', `0/${r.dst_len}`, `0/${r.dst_len} `);
	} else out.any('dst', 'default', 'default ');
	if (tb[RTA_SRC] !== null) {
		const a = rt_addr_n2a(r.family, nla_data(tb[RTA_SRC]));
		const text = r.src_len !== host ? `${a}/${r.src_len}` : a;
		out.colored(color, 'from', text, 'from ', text, ' ');
	} else if (r.src_len !== 0) out.any('src', `0/${r.src_len}`, `from 0/${r.src_len} `);
	if (tb[RTA_ENCAP] !== null) out.fp('encap ');
	if (r.tos !== 0 && f.tosmask !== -1) {
		const tos = g.names.dsfield_n2a(r.tos);
		out.any('tos', tos, `tos ${tos} `);
	}
	if (tb[RTA_NH_ID] !== null) out.any('nhid', nla_get_u32(tb[RTA_NH_ID]), `nhid ${nla_get_u32(tb[RTA_NH_ID])} `);
	if (tb[RTA_GATEWAY] !== null && f.rvia.bitlen !== host) print_gateway(g, r, tb[RTA_GATEWAY]);
	if (tb[RTA_VIA] !== null && f.rvia.bitlen !== host) print_via(g, tb[RTA_VIA]);
	if (tb[RTA_OIF] !== null && f.oifmask !== -1) {
		const name = g.ll.index_to_name(nla_get_u32(tb[RTA_OIF]));
		out.colored(COLOR_IFNAME, 'dev', name, 'dev ', name, ' ');
	}
	if (table !== 0 && (table !== RT_TABLE_MAIN || g.show_details > 0) && f.tb === 0) {
		const name = g.names.rttable_n2a(table);
		out.any('table', name, `table ${name} `);
	}
	if ((r.flags & RTM_F_CLONED) === 0) {
		if ((r.protocol !== RTPROT_BOOT || g.show_details > 0) && f.protocolmask !== -1) {
			const name = g.names.rtprot_n2a(r.protocol);
			out.any('protocol', name, `proto ${name} `);
		}
		if ((r.scope !== RT_SCOPE_UNIVERSE || g.show_details > 0) && f.scopemask !== -1) {
			const name = g.names.rtscope_n2a(r.scope);
			out.any('scope', name, `scope ${name} `);
		}
	}
	if (tb[RTA_PREFSRC] !== null && f.rprefsrc.bitlen !== host) {
		const a = format_host(r.family, nla_data(tb[RTA_PREFSRC]));
		out.colored(color, 'prefsrc', a, 'src ', a, ' ');
	}
	if (tb[RTA_PRIORITY] !== null && f.metricmask !== -1) {
		const m = nla_get_u32(tb[RTA_PRIORITY]);
		out.any('metric', m, `metric ${m} `);
	}
	print_rt_flags(g, r.flags);
	if (tb[RTA_MARK] !== null) {
		const mark = nla_get_u32(tb[RTA_MARK]);
		if (mark !== 0) {
			if (mark >= 16) out.any('mark', out.json ? mark : 0, `mark 0x${mark.toString(16)} `);
			else out.any('mark', mark, `mark ${mark} `);
		}
	}
	if (tb[RTA_FLOW] !== null && f.realmmask !== -1) print_flow(g, tb[RTA_FLOW]);
	if (tb[RTA_UID] !== null) out.any('uid', nla_get_u32(tb[RTA_UID]), `uid ${nla_get_u32(tb[RTA_UID])} `);
	if (r.family === AF_INET) {
		if ((r.flags & RTM_F_CLONED) !== 0) {
			out.fp(`${g.nl}    `);
			print_cache_flags(g, r.flags);
		}
		if (tb[RTA_CACHEINFO] !== null) print_cacheinfo(g, tb[RTA_CACHEINFO]);
	} else if (r.family === AF_INET6 && tb[RTA_CACHEINFO] !== null) print_cacheinfo(g, tb[RTA_CACHEINFO]);
	if (tb[RTA_EXPIRES] !== null)
		out.any('expires', nla_get_u32(tb[RTA_EXPIRES]), `expires ${nla_get_u32(tb[RTA_EXPIRES])}sec `);
	if (tb[RTA_METRICS] !== null) print_metrics(g, tb[RTA_METRICS]);
	if (tb[RTA_IIF] !== null && f.iifmask !== -1) {
		const name = g.ll.index_to_name(nla_get_u32(tb[RTA_IIF]));
		out.colored(COLOR_IFNAME, 'iif', name, 'iif ', name, ' ');
	}
	if (tb[RTA_PREF] !== null) {
		const v = nla_get_u8(tb[RTA_PREF]);
		const name = PREFS.find((p) => p[0] === v)?.[1] ?? String(v);
		out.any('pref', name, `pref ${name}`);
	}
	if (tb[RTA_MULTIPATH] !== null) print_multipath(g, r, tb[RTA_MULTIPATH]);
	out.close_json_object();
	out.fp('\n');
	return 0;
}
