/*
 * user/iproute2/iproute.ts: `ip route`.                            Original: ip/iproute.c
 * Not here yet: encap, save, restore, showdump, vrf, MPLS (refused by name).
 */
import { put_unaligned_le16 } from '../../lib/byteorder.ts';
import {
	nla_nest_end,
	nla_nest_start_noflag,
	nla_put,
	nla_put_be16,
	nla_put_string,
	nla_put_u8,
	nla_put_u32,
	nlbuf,
	nlbuf_put,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import {
	RT_SCOPE_HOST,
	RT_SCOPE_LINK,
	RT_SCOPE_NOWHERE,
	RT_SCOPE_UNIVERSE,
	RT_TABLE_LOCAL,
	RT_TABLE_MAIN,
	RT_TABLE_UNSPEC,
	RTA_DPORT,
	RTA_DST,
	RTA_EXPIRES,
	RTA_FLOW,
	RTA_GATEWAY,
	RTA_IIF,
	RTA_IP_PROTO,
	RTA_MARK,
	RTA_MAX,
	RTA_METRICS,
	RTA_MULTIPATH,
	RTA_NH_ID,
	RTA_OIF,
	RTA_PREF,
	RTA_PREFSRC,
	RTA_PRIORITY,
	RTA_SPORT,
	RTA_SRC,
	RTA_TABLE,
	RTA_UID,
	RTA_VIA,
	RTAX_ADVMSS,
	RTAX_CC_ALGO,
	RTAX_CWND,
	RTAX_FASTOPEN_NO_COOKIE,
	RTAX_FEATURES,
	RTAX_HOPLIMIT,
	RTAX_INITCWND,
	RTAX_INITRWND,
	RTAX_LOCK,
	RTAX_MTU,
	RTAX_QUICKACK,
	RTAX_REORDERING,
	RTAX_RTO_MIN,
	RTAX_RTT,
	RTAX_RTTVAR,
	RTAX_SSTHRESH,
	RTAX_WINDOW,
	RTM_DELROUTE,
	RTM_F_CLONED,
	RTM_F_FIB_MATCH,
	RTM_F_LOOKUP_TABLE,
	RTM_F_NOTIFY,
	RTM_GETROUTE,
	RTM_NEWROUTE,
	RTN_ANYCAST,
	RTN_BROADCAST,
	RTN_LOCAL,
	RTN_MULTICAST,
	RTN_NAT,
	RTN_UNICAST,
	RTN_UNREACHABLE,
	RTN_UNSPEC,
	RTNH_F_ONLINK,
	RTNH_F_PERVASIVE,
	RTPROT_BOOT,
	RTPROT_REDIRECT,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../uapi/linux/socket.ts';
import { ROUTE_USAGE } from './help.ts';
import { print_route, route_filter, rtmsg } from './iproute_print.ts';
import { msg_attrs, request, rtnl_dump, rtnl_talk } from './libnetlink.ts';
import {
	type args,
	duparg2,
	exit,
	get_addr,
	get_prefix,
	get_time_rtt,
	get_u8,
	get_u16,
	get_u32,
	get_unsigned,
	type inet_prefix,
	invarg,
	type ip_globals,
	matches,
	nodev,
	read_family,
	unsupported,
} from './utils.ts';

function usage(g: ip_globals): never {
	g.err(ROUTE_USAGE);
	exit(-1);
}

/** A realm, or `from/to`. Return: both in one number, or null. */
export function get_rt_realms(g: ip_globals, arg: string): number | null {
	const slash = arg.indexOf('/');
	let realm = 0;
	if (slash >= 0) {
		const from = g.names.rtrealm_a2n(arg.slice(0, slash));
		if (from === null) return null;
		realm = (from << 16) >>> 0;
		arg = arg.slice(slash + 1);
	}
	if (arg !== '') {
		const to = g.names.rtrealm_a2n(arg);
		if (to === null) return null;
		realm = (realm | to) >>> 0;
	}
	return realm;
}

/** Puts a gateway: RTA_VIA when its family is another than the route's. */
function put_gateway(req: nlbuf, family: number, addr: inet_prefix): void {
	if (family === addr.family || family === AF_UNSPEC) {
		nla_put(req, RTA_GATEWAY, addr.data);
		return;
	}
	const b = new Uint8Array(2 + addr.data.length);
	put_unaligned_le16(b, 0, addr.family);
	b.set(addr.data, 2);
	nla_put(req, RTA_VIA, b);
}

/** `via [FAMILY] ADDRESS`, the word being the one behind `via`. */
function get_via(g: ip_globals, a: args, family: number): inet_prefix {
	const fam = read_family(a.word);
	if (fam === AF_UNSPEC) return get_addr(g, a.word, family);
	a.next();
	return get_addr(g, a.word, fam);
}

interface nh_state {
	family: number;
}

/** The words of one `nexthop`. */
async function parse_one_nh(g: ip_globals, req: nlbuf, a: args, st: nh_state): Promise<boolean> {
	const at = nlbuf_put(req, 8);
	while (a.peek() !== null) {
		a.shift();
		if (a.is('via')) {
			a.next();
			const gw = get_via(g, a, st.family);
			if (st.family === AF_UNSPEC) st.family = gw.family;
			put_gateway(req, st.family, gw);
		} else if (a.is('dev')) {
			const w = a.next();
			const idx = await g.ll.name_to_index(w);
			if (idx === 0) {
				nodev(g, w);
				return false;
			}
			req.data[at + 4] = idx;
			req.data[at + 5] = idx >>> 8;
			req.data[at + 6] = idx >>> 16;
			req.data[at + 7] = idx >>> 24;
		} else if (a.is('weight')) {
			const w = a.next();
			const v = get_unsigned(w, 0xffffffff);
			if (v === null || v === 0 || v > 256) invarg(g, '"weight" is invalid\n', w);
			req.data[at + 3] = v - 1;
		} else if (a.is('onlink')) {
			req.data[at + 2] |= RTNH_F_ONLINK;
		} else if (a.matches('realms')) {
			const w = a.next();
			const v = get_rt_realms(g, w);
			if (v === null) invarg(g, '"realm" value is invalid\n', w);
			nla_put_u32(req, RTA_FLOW, v);
		} else if (a.is('encap', 'as')) {
			unsupported(g, a.word);
		} else {
			a.i--;
			break;
		}
	}
	put_unaligned_le16(req.data, at, req.len - at);
	return true;
}

async function parse_nexthops(g: ip_globals, req: request, a: args, st: nh_state): Promise<boolean> {
	const nest = nla_nest_start_noflag(req, RTA_MULTIPATH);
	for (;;) {
		if (!a.is('nexthop')) {
			g.err(`Error: "nexthop" or end of line is expected instead of "${a.word}"\n`);
			exit(-1);
		}
		if (a.peek() === null) {
			g.err('Error: unexpected end of line after "nexthop"\n');
			exit(-1);
		}
		if (!(await parse_one_nh(g, req, a, st))) return false;
		if (a.peek() === null) break;
		a.shift();
	}
	nla_nest_end(req, nest);
	return true;
}

/** Numeric metrics by their words. */
const METRICS: readonly (readonly [string, number, string, boolean])[] = [
	['mtu', RTAX_MTU, '"mtu" value is invalid\n', true],
	['hoplimit', RTAX_HOPLIMIT, '"hoplimit" value is invalid\n', true],
	['advmss', RTAX_ADVMSS, '"mss" value is invalid\n', true],
	['reordering', RTAX_REORDERING, '"reordering" value is invalid\n', true],
	['window', RTAX_WINDOW, '"window" value is invalid\n', true],
	['cwnd', RTAX_CWND, '"cwnd" value is invalid\n', true],
	['initcwnd', RTAX_INITCWND, '"initcwnd" value is invalid\n', true],
	['initrwnd', RTAX_INITRWND, '"initrwnd" value is invalid\n', true],
	['ssthresh', RTAX_SSTHRESH, '"ssthresh" value is invalid\n', true],
	['quickack', RTAX_QUICKACK, '"quickack" value should be 0 or 1\n', false],
	['fastopen_no_cookie', RTAX_FASTOPEN_NO_COOKIE, '"fastopen_no_cookie" value is invalid\n', false],
];

/** Metrics that may be abbreviated. */
const ABBREVIATED = [
	'hoplimit',
	'advmss',
	'reordering',
	'window',
	'cwnd',
	'initcwnd',
	'initrwnd',
	'ssthresh',
	'quickack',
];

async function iproute_modify(g: ip_globals, cmd: number, flags: number, a: args): Promise<number> {
	const req = new request(cmd, flags, 12);
	let family = g.preferred_family;
	let table = RT_TABLE_MAIN;
	let scope = RT_SCOPE_NOWHERE;
	let protocol = 0;
	let type = RTN_UNSPEC;
	let rtm_flags = 0;
	let dst: inet_prefix | null = null;
	let gw_ok = false;
	let dst_ok = false;
	let nhs_ok = false;
	let scope_ok = false;
	let table_ok = false;
	let type_ok = false;
	let nhid_ok = false;
	let raw = false;
	let mxlock = 0;
	let dev: string | null = null;
	const mx = new nlbuf(4096);
	const st: nh_state = { family: 0 };
	if (cmd !== RTM_DELROUTE) {
		protocol = RTPROT_BOOT;
		scope = RT_SCOPE_UNIVERSE;
		type = RTN_UNICAST;
	}
	const locked = (w: string, bit: number): string => {
		if (w !== 'lock') return w;
		mxlock |= 1 << bit;
		return a.next();
	};
	const time_metric = (key: string, attr: number, scale: number): void => {
		const w = locked(a.next(), attr);
		const t = get_time_rtt(w);
		if (t === null) invarg(g, `"${key}" value is invalid\n`, w);
		raw = t[1];
		nla_put_u32(mx, attr, raw ? t[0] : t[0] * scale);
	};
	for (; a.more; a.shift()) {
		const metric =
			METRICS.find((m) => a.word === m[0]) ?? METRICS.find((m) => ABBREVIATED.includes(m[0]) && a.matches(m[0]));
		if (a.is('src')) {
			const p = get_addr(g, a.next(), family);
			if (family === AF_UNSPEC) family = p.family;
			nla_put(req, RTA_PREFSRC, p.data);
		} else if (a.is('as', 'encap', 'vrf', 'ttl-propagate')) {
			unsupported(g, a.word);
		} else if (a.is('via')) {
			gw_ok = true;
			a.next();
			const gw = get_via(g, a, family);
			if (family === AF_UNSPEC) family = gw.family;
			put_gateway(req, family, gw);
		} else if (a.is('from')) {
			const p = get_prefix(g, a.next(), family);
			if (family === AF_UNSPEC) family = p.family;
			if (p.bytelen > 0) nla_put(req, RTA_SRC, p.data);
			req.u8(2, p.bitlen);
		} else if (a.is('tos', 'dsfield') || a.matches('dsfield')) {
			const w = a.next();
			const v = g.names.dsfield_a2n(w);
			if (v === null) invarg(g, '"tos" value is invalid\n', w);
			req.u8(3, v);
		} else if (a.is('expires')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, '"expires" value is invalid\n', w);
			nla_put_u32(req, RTA_EXPIRES, v);
		} else if (a.matches('metric') || a.matches('priority') || a.is('preference')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, '"metric" value is invalid\n', w);
			nla_put_u32(req, RTA_PRIORITY, v);
		} else if (a.is('scope')) {
			const w = a.next();
			const v = g.names.rtscope_a2n(w);
			if (v === null) invarg(g, 'invalid "scope" value\n', w);
			scope = v;
			scope_ok = true;
		} else if (a.is('rtt')) {
			time_metric('rtt', RTAX_RTT, 8);
		} else if (a.is('rto_min')) {
			mxlock |= 1 << RTAX_RTO_MIN;
			time_metric('rto_min', RTAX_RTO_MIN, 1);
		} else if (a.matches('rttvar')) {
			time_metric('rttvar', RTAX_RTTVAR, 4);
		} else if (a.matches('congctl')) {
			const w = locked(a.next(), RTAX_CC_ALGO);
			nla_put_string(mx, RTAX_CC_ALGO, w);
		} else if (a.matches('features')) {
			let features = 0;
			a.next();
			for (;;) {
				if (!a.is('ecn')) invarg(g, '"features" value not valid\n', a.word);
				features |= 1;
				if (a.peek() !== 'ecn') break;
				a.shift();
			}
			nla_put_u32(mx, RTAX_FEATURES, features);
		} else if (metric !== undefined) {
			const [name, attr, message, lockable] = metric;
			const w = lockable && name !== 'quickack' ? locked(a.next(), attr) : a.next();
			const v = get_u32(w);
			if (v === null || (name === 'hoplimit' && v > 255)) invarg(g, message, w);
			if (name === 'quickack' && v !== 0 && v !== 1) invarg(g, message, w);
			nla_put_u32(mx, attr, v);
		} else if (a.matches('realms')) {
			const w = a.next();
			const v = get_rt_realms(g, w);
			if (v === null) invarg(g, '"realm" value is invalid\n', w);
			nla_put_u32(req, RTA_FLOW, v);
		} else if (a.is('onlink')) {
			rtm_flags |= RTNH_F_ONLINK;
		} else if (a.is('nexthop')) {
			nhs_ok = true;
			break;
		} else if (a.is('nhid')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, '"id" value is invalid\n', w);
			nhid_ok = true;
			nla_put_u32(req, RTA_NH_ID, v);
		} else if (a.matches('protocol')) {
			const w = a.next();
			const v = g.names.rtprot_a2n(w);
			if (v === null) invarg(g, '"protocol" value is invalid\n', w);
			protocol = v;
		} else if (a.matches('table')) {
			const w = a.next();
			const v = g.names.rttable_a2n(w);
			if (v === null) invarg(g, '"table" value is invalid\n', w);
			table = v;
			table_ok = true;
		} else if (a.is('dev', 'oif')) {
			dev = a.next();
		} else if (a.is('pervasive')) {
			rtm_flags |= RTNH_F_PERVASIVE;
		} else if (a.is('pref')) {
			const w = a.next();
			const named = { low: 3, medium: 0, high: 1 }[w];
			const v = named ?? get_u8(w);
			if (v === null) invarg(g, '"pref" value is invalid\n', w);
			nla_put_u8(req, RTA_PREF, v);
		} else {
			if (a.is('to')) a.next();
			if (/^[a-z]/.test(a.word) || /^\d+$/.test(a.word)) {
				const t = /^\d+$/.test(a.word) && a.peek() === null ? null : g.names.rtntype_a2n(a.word);
				if (t !== null && !/^\d/.test(a.word)) {
					a.next();
					type = t;
					type_ok = true;
				}
			}
			if (matches(a.word, 'help')) usage(g);
			if (dst_ok) duparg2(g, 'to', a.word);
			dst = get_prefix(g, a.word, family);
			if (family === AF_UNSPEC) family = dst.family;
			req.u8(1, dst.bitlen);
			dst_ok = true;
			if (dst.bytelen > 0) nla_put(req, RTA_DST, dst.data);
		}
	}
	if (!dst_ok) usage(g);
	if (dev !== null) {
		const idx = await g.ll.name_to_index(dev);
		if (idx === 0) return nodev(g, dev);
		nla_put_u32(req, RTA_OIF, idx);
	}
	if (mxlock !== 0 || mx.len > 0) {
		const nest = nla_nest_start_noflag(req, RTA_METRICS);
		if (mxlock !== 0) nla_put_u32(req, RTAX_LOCK, mxlock);
		const at = nlbuf_put(req, mx.len);
		req.data.set(mx.data.subarray(0, mx.len), at);
		nla_nest_end(req, nest);
	}
	st.family = family;
	if (nhs_ok && !(await parse_nexthops(g, req, a, st))) return -1;
	if (family === AF_UNSPEC) family = st.family;
	if (!table_ok && (type === RTN_LOCAL || type === RTN_BROADCAST || type === RTN_NAT || type === RTN_ANYCAST)) {
		table = RT_TABLE_LOCAL;
	}
	if (!scope_ok) {
		if (family === AF_INET6 || family === 28) scope = RT_SCOPE_UNIVERSE;
		else if (type === RTN_LOCAL || type === RTN_NAT) scope = RT_SCOPE_HOST;
		else if (type === RTN_BROADCAST || type === RTN_MULTICAST || type === RTN_ANYCAST) scope = RT_SCOPE_LINK;
		else if (type === RTN_UNICAST || type === RTN_UNSPEC) {
			if (cmd === RTM_DELROUTE) scope = RT_SCOPE_NOWHERE;
			else if (!gw_ok && !nhs_ok && !nhid_ok) scope = RT_SCOPE_LINK;
		}
	}
	if (!type_ok && family === 28) type = RTN_UNICAST;
	if (family === AF_UNSPEC) family = AF_INET;
	req.u8(0, family);
	if (table < 256) req.u8(4, table);
	else {
		req.u8(4, RT_TABLE_UNSPEC);
		nla_put_u32(req, RTA_TABLE, table);
	}
	req.u8(5, protocol);
	req.u8(6, scope);
	req.u8(7, type);
	req.u32(8, rtm_flags);
	const r = await rtnl_talk(g, req, false);
	return r.ret < 0 ? -2 : 0;
}

// ---- show, flush ----

type action = 'list' | 'flush';

async function parse_selector(
	g: ip_globals,
	a: args,
	f: route_filter,
): Promise<{ id: string | null; od: string | null }> {
	let family = g.preferred_family;
	let id: string | null = null;
	let od: string | null = null;
	for (; a.more; a.shift()) {
		if (a.matches('table')) {
			const w = a.next();
			const v = g.names.rttable_a2n(w);
			if (v === null) {
				if (w === 'all') f.tb = 0;
				else if (w === 'cache') {
					f.cloned = RTM_F_CLONED;
				} else if (w === 'help') usage(g);
				else invarg(g, 'table id value is invalid\n', w);
			} else f.tb = v;
		} else if (a.is('vrf')) {
			unsupported(g, 'vrf');
		} else if (a.matches('cached') || a.matches('cloned')) {
			f.cloned = RTM_F_CLONED;
		} else if (a.is('tos') || a.matches('dsfield')) {
			const w = a.next();
			const v = g.names.dsfield_a2n(w);
			if (v === null) invarg(g, 'TOS value is invalid\n', w);
			f.tos = v;
			f.tosmask = -1;
		} else if (a.matches('protocol')) {
			const w = a.next();
			f.protocolmask = -1;
			const v = g.names.rtprot_a2n(w);
			if (v === null) {
				if (w !== 'all') invarg(g, 'invalid "protocol"\n', w);
				f.protocol = 0;
				f.protocolmask = 0;
			} else f.protocol = v;
		} else if (a.matches('scope')) {
			const w = a.next();
			f.scopemask = -1;
			const v = g.names.rtscope_a2n(w);
			if (v === null) {
				if (w !== 'all') invarg(g, 'invalid "scope"\n', w);
				f.scope = RT_SCOPE_NOWHERE;
				f.scopemask = 0;
			} else f.scope = v;
		} else if (a.matches('type')) {
			const w = a.next();
			f.typemask = -1;
			const v = g.names.rtntype_a2n(w);
			if (v === null) invarg(g, 'node type value is invalid\n', w);
			f.type = v;
		} else if (a.is('dev', 'oif', 'iif')) {
			const key = a.word;
			const w = a.next();
			if (key === 'iif') id = w;
			else od = w;
			if (key === 'dev') id = w;
		} else if (a.is('mark')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, 'mark value is invalid\n', w);
			f.mark = v;
			f.markmask = -1;
		} else if (a.is('metric', 'priority', 'preference')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, 'metric value is invalid\n', w);
			f.metric = v;
			f.metricmask = -1;
		} else if (a.is('via')) {
			const fam = read_family(a.next());
			const use = fam === AF_UNSPEC ? family : fam;
			if (fam !== AF_UNSPEC) a.next();
			f.rvia = get_prefix(g, a.word, use);
		} else if (a.is('src')) {
			f.rprefsrc = get_prefix(g, a.next(), family);
		} else if (a.matches('realms')) {
			const w = a.next();
			const v = get_rt_realms(g, w);
			if (v === null) invarg(g, 'invalid realms\n', w);
			f.realm = v;
			f.realmmask = ~0;
			if ((v & 0xffff) === 0 && w.endsWith('/')) f.realmmask = ~0xffff;
			if (v >>> 16 === 0 && (w.startsWith('/') || !w.includes('/'))) f.realmmask &= 0xffff;
		} else if (a.is('from')) {
			a.next();
			if (a.matches('root')) f.rsrc = get_prefix(g, a.next(), family);
			else if (a.matches('match')) f.msrc = get_prefix(g, a.next(), family);
			else {
				if (a.matches('exact')) a.next();
				f.msrc = get_prefix(g, a.word, family);
				f.rsrc = f.msrc;
			}
		} else {
			if (a.is('to')) a.next();
			if (a.matches('root')) f.rdst = get_prefix(g, a.next(), family);
			else if (a.matches('match')) f.mdst = get_prefix(g, a.next(), family);
			else {
				if (a.matches('exact')) a.next();
				else if (matches(a.word, 'help')) usage(g);
				f.mdst = get_prefix(g, a.word, family);
				f.rdst = f.mdst;
				if (f.mdst.bitlen < 0) usage(g);
			}
		}
		if (family === AF_UNSPEC) {
			for (const p of [f.rdst, f.mdst, f.rsrc, f.msrc, f.rvia, f.rprefsrc]) if (p.family !== 0) family = p.family;
		}
	}
	g.preferred_family = family;
	return { id, od };
}

/** A prefix that was said without a length means all below it. */
function default_prefixes(f: route_filter): void {
	for (const p of [f.rdst, f.rsrc]) if (p.bitlen < 0) p.bitlen = 0;
}

async function iproute_list_flush(g: ip_globals, a: args, act: action): Promise<number> {
	const f = new route_filter();
	f.tb = RT_TABLE_MAIN;
	if (act === 'flush' && !a.more) {
		g.err('"ip route flush" requires arguments.\n');
		return -1;
	}
	const saved = g.preferred_family;
	const { id, od } = await parse_selector(g, a, f);
	default_prefixes(f);
	let family = g.preferred_family;
	g.preferred_family = saved;
	if (family === AF_UNSPEC && f.tb !== 0) family = AF_INET;
	await g.ll.init();
	if (id !== null) {
		const idx = await g.ll.name_to_index(id);
		if (idx === 0) return nodev(g, id);
		if (od !== id) {
			f.iif = idx;
			f.iifmask = -1;
		}
	}
	if (od !== null) {
		const idx = await g.ll.name_to_index(od);
		if (idx === 0) return nodev(g, od);
		f.oif = idx;
		f.oifmask = -1;
	}
	if (f.mark !== 0 && f.cloned === 0) f.markmask = -1;
	if (act === 'flush') return iproute_flush(g, family, f);
	const routes = await dump_routes(g, family, f);
	if (routes === null) return -2;
	g.out.new_json_obj(g.json > 0);
	for (const n of routes) print_route(g, n, f);
	g.out.delete_json_obj();
	return 0;
}

async function dump_routes(g: ip_globals, family: number, f: route_filter): Promise<nlmsghdr[] | null> {
	const req = new request(RTM_GETROUTE, 0, 12);
	req.u8(0, family);
	if (f.cloned !== 0) req.u32(8, RTM_F_CLONED);
	if (f.protocol !== 0) req.u8(5, f.protocol);
	if (f.type !== 0) req.u8(7, f.type);
	if (f.tb !== 0) nla_put_u32(req, RTA_TABLE, f.tb);
	if (f.oif !== 0) nla_put_u32(req, RTA_OIF, f.oif);
	return rtnl_dump(g, req, 'Dump terminated\n');
}

/** Whether the filter takes the route, and it may be flushed. */
function flushable(f: route_filter, n: nlmsghdr, hidden: ip_globals): boolean {
	const before = hidden.out.text;
	const r = print_route(hidden, n, f);
	const shown = hidden.out.text !== before;
	hidden.out.text = before;
	return r === 0 && shown;
}

async function iproute_flush(g: ip_globals, family: number, f: route_filter): Promise<number> {
	if (f.cloned !== 0) {
		// IPv4 has had no route cache to flush since Linux 3.6.
		if (family !== AF_INET6) {
			await g.proc.writeFile('/proc/sys/net/ipv4/route/flush', '-1');
			if (g.show_stats > 0) g.out.fp('*** IPv4 routing cache is flushed.\n');
			if (family === AF_INET) return 0;
		}
	}
	for (let round = 0; g.max_flush_loops === 0 || round < g.max_flush_loops; round++) {
		const routes = await dump_routes(g, family, f);
		if (routes === null) {
			g.err('Flush terminated\n');
			return -2;
		}
		let flushed = 0;
		for (const n of routes) {
			if (!flushable(f, n, g)) continue;
			const r = new rtmsg(n);
			if (r.family === AF_INET6 && r.dst_len === 0 && r.type === RTN_UNREACHABLE) continue;
			if (f.cloned === 0 && f.protocolmask === 0 && r.protocol === RTPROT_REDIRECT) continue;
			const body = n.buf.slice(n.data, n.end);
			const req = new request(RTM_DELROUTE, 0, body.length);
			req.data.set(body, 16);
			const t = await rtnl_talk(g, req, false, true);
			if (t.ret === 0) flushed++;
			if (g.show_stats > 1) {
				print_route(g, n, f);
			}
		}
		if (flushed === 0) {
			if (g.show_stats > 0) {
				if (round === 0 && (f.cloned === 0 || family === AF_INET6)) g.out.fp('Nothing to flush.\n');
				else g.out.fp(`*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`);
			}
			return 0;
		}
		if (g.show_stats > 0) g.out.fp(`\n*** Round ${round + 1}, deleting ${flushed} entries ***\n`);
	}
	g.err(`*** Flush remains incomplete after ${g.max_flush_loops} rounds. ***\n`);
	return 1;
}

// ---- get ----

async function iproute_get(g: ip_globals, a: args): Promise<number> {
	const req = new request(RTM_GETROUTE, 0, 12);
	let family = g.preferred_family;
	let idev: string | null = null;
	let odev: string | null = null;
	let connected = false;
	let fib_match = false;
	let from_ok = false;
	let address_found = false;
	let flags = 0;
	for (; a.more; a.shift()) {
		if (a.is('tos') || a.matches('dsfield')) {
			const w = a.next();
			const v = g.names.dsfield_a2n(w);
			if (v === null) invarg(g, 'TOS value is invalid\n', w);
			req.u8(3, v);
		} else if (a.matches('from')) {
			a.next();
			if (matches(a.word, 'help')) usage(g);
			from_ok = true;
			const p = get_prefix(g, a.word, family);
			if (family === AF_UNSPEC) family = p.family;
			if (p.bytelen > 0) nla_put(req, RTA_SRC, p.data);
			req.u8(2, p.bitlen);
		} else if (a.matches('iif')) {
			idev = a.next();
		} else if (a.matches('mark')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, 'invalid mark value', w);
			nla_put_u32(req, RTA_MARK, v);
		} else if (a.matches('oif') || a.is('dev')) {
			odev = a.next();
		} else if (a.matches('notify')) {
			flags |= RTM_F_NOTIFY;
		} else if (a.matches('connected')) {
			connected = true;
		} else if (a.is('vrf')) {
			unsupported(g, 'vrf');
		} else if (a.matches('uid')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, 'invalid UID\n', w);
			nla_put_u32(req, RTA_UID, v);
		} else if (a.matches('fibmatch')) {
			fib_match = true;
		} else if (a.is('as')) {
			unsupported(g, 'as');
		} else if (a.is('sport')) {
			const w = a.next();
			const v = get_u16(w);
			if (v === null) invarg(g, 'invalid sport\n', w);
			nla_put_be16(req, RTA_SPORT, v);
		} else if (a.is('dport')) {
			const w = a.next();
			const v = get_u16(w);
			if (v === null) invarg(g, 'invalid dport\n', w);
			nla_put_be16(req, RTA_DPORT, v);
		} else if (a.is('ipproto')) {
			const w = a.next();
			const v = g.names.inet_proto_a2n(w);
			if (v === null) invarg(g, 'Invalid "ipproto" value\n', w);
			nla_put_u8(req, RTA_IP_PROTO, v);
		} else {
			if (a.is('to')) a.next();
			if (matches(a.word, 'help')) usage(g);
			const p = get_prefix(g, a.word, family);
			if (family === AF_UNSPEC) family = p.family;
			if (p.bytelen > 0) nla_put(req, RTA_DST, p.data);
			if (p.family === AF_INET && p.bitlen !== 32) {
				g.err(`Warning: /${p.bitlen} as prefix is invalid, only /32 (or none) is supported.\n`);
				req.u8(1, 32);
			} else if (p.family === AF_INET6 && p.bitlen !== 128) {
				g.err(`Warning: /${p.bitlen} as prefix is invalid, only /128 (or none) is supported.\n`);
				req.u8(1, 128);
			} else req.u8(1, p.bitlen);
			address_found = true;
		}
	}
	if (!address_found) {
		g.err('need at least a destination address\n');
		return -1;
	}
	req.u8(0, family === AF_UNSPEC ? AF_INET : family);
	await g.ll.init();
	for (const [name, attr] of [
		[idev, RTA_IIF],
		[odev, RTA_OIF],
	] as const) {
		if (name === null) continue;
		const idx = await g.ll.name_to_index(name);
		if (idx === 0) return nodev(g, name);
		nla_put_u32(req, attr, idx);
	}
	// Only IPv4 knows this flag.
	if (family === AF_INET || family === AF_UNSPEC) flags |= RTM_F_LOOKUP_TABLE;
	if (fib_match) flags |= RTM_F_FIB_MATCH;
	req.u32(8, flags);
	const r = await rtnl_talk(g, req, true);
	if (r.ret < 0 || r.answer === null) return -2;
	let answer = r.answer;
	const f = new route_filter();
	f.cloned = 2;
	if (connected && !from_ok) {
		const n = answer;
		const tb = msg_attrs(n, 12, RTA_MAX);
		print_get(g, n, f);
		if (tb[RTA_PREFSRC] === null && tb[RTA_SRC] === null) {
			g.err('Failed to connect the route\n');
			return -1;
		}
		// The original writes the source into the answer, and asks the same question again.
		const r2 = await rtnl_talk(g, req, true);
		if (r2.ret < 0 || r2.answer === null) return -2;
		answer = r2.answer;
	}
	print_get(g, answer, f);
	return 0;
}

function print_get(g: ip_globals, n: nlmsghdr, f: route_filter): void {
	g.out.new_json_obj(g.json > 0);
	print_route(g, n, f);
	g.out.delete_json_obj();
}

export async function do_iproute(g: ip_globals, a: args): Promise<number> {
	if (!a.more) return iproute_list_flush(g, a, 'list');
	const w = a.word;
	const rest = (): args => {
		a.shift();
		return a;
	};
	if (matches(w, 'add')) return iproute_modify(g, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, rest());
	if (matches(w, 'change') || w === 'chg') return iproute_modify(g, RTM_NEWROUTE, NLM_F_REPLACE, rest());
	if (matches(w, 'replace')) return iproute_modify(g, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, rest());
	if (matches(w, 'prepend')) return iproute_modify(g, RTM_NEWROUTE, NLM_F_CREATE, rest());
	if (matches(w, 'append')) return iproute_modify(g, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, rest());
	if (matches(w, 'test')) return iproute_modify(g, RTM_NEWROUTE, NLM_F_EXCL, rest());
	if (matches(w, 'delete')) return iproute_modify(g, RTM_DELROUTE, 0, rest());
	if (matches(w, 'list') || matches(w, 'show') || matches(w, 'lst')) return iproute_list_flush(g, rest(), 'list');
	if (matches(w, 'get')) return iproute_get(g, rest());
	if (matches(w, 'flush')) return iproute_list_flush(g, rest(), 'flush');
	if (matches(w, 'save')) unsupported(g, 'route save');
	if (matches(w, 'restore')) unsupported(g, 'route restore');
	if (matches(w, 'showdump')) unsupported(g, 'route showdump');
	if (matches(w, 'help')) usage(g);
	g.err(`Command "${w}" is unknown, try "ip route help".\n`);
	exit(-1);
}
