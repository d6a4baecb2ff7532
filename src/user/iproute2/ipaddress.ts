/*
 * user/iproute2/ipaddress.ts: `ip address`, and the lists of `ip link`.   Original: ip/ipaddress.c
 * Not here yet: save, restore, showdump (refused by name).
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	nla_data,
	nla_get_string,
	nla_get_u32,
	nla_nest_end,
	nla_nest_start_noflag,
	nla_put,
	nla_put_string,
	nla_put_u32,
	nla_reserve,
	type nlattr_table,
	nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	IFA_ADDRESS,
	IFA_ANYCAST,
	IFA_BROADCAST,
	IFA_CACHEINFO,
	IFA_F_DADFAILED,
	IFA_F_DEPRECATED,
	IFA_F_HOMEADDRESS,
	IFA_F_MANAGETEMPADDR,
	IFA_F_MCAUTOJOIN,
	IFA_F_NODAD,
	IFA_F_NOPREFIXROUTE,
	IFA_F_OPTIMISTIC,
	IFA_F_PERMANENT,
	IFA_F_SECONDARY,
	IFA_F_STABLE_PRIVACY,
	IFA_F_TENTATIVE,
	IFA_FLAGS,
	IFA_LABEL,
	IFA_LOCAL,
	IFA_MAX,
	IFA_RT_PRIORITY,
} from '../../uapi/linux/if_addr.ts';
import {
	IFLA_EXT_MASK,
	IFLA_INFO_KIND,
	IFLA_INFO_SLAVE_KIND,
	IFLA_LINK_NETNSID,
	IFLA_LINKINFO,
	IFLA_MASTER,
	IFLA_MAX,
	IFLA_NEW_NETNSID,
} from '../../uapi/linux/if_link.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import {
	RT_SCOPE_HOST,
	RTEXT_FILTER_SKIP_STATS,
	RTEXT_FILTER_VF,
	RTM_DELADDR,
	RTM_GETADDR,
	RTM_GETLINK,
	RTM_NEWADDR,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, AF_INET6, AF_PACKET, AF_UNSPEC } from '../../uapi/linux/socket.ts';
import { ADDR_USAGE } from './help.ts';
import { netns_map_init } from './ipnetns_map.ts';
import { COLOR_INET, COLOR_INET6, COLOR_NONE } from './json_print.ts';
import { msg_attrs, request, rtnl_dump, rtnl_talk } from './libnetlink.ts';
import { ifi_index, link_filter, print_link_stats, print_linkinfo } from './link_print.ts';
import {
	type args,
	duparg,
	duparg2,
	exit,
	family_name,
	fnmatch,
	format_host,
	get_addr,
	get_prefix,
	get_u32,
	inet_addr_match,
	type inet_prefix,
	invarg,
	type ip_globals,
	matches,
	nodev,
	PREFIXLEN_SPECIFIED,
	rt_addr_n2a,
	unsupported,
} from './utils.ts';

export function addr_usage(g: ip_globals): never {
	g.err(ADDR_USAGE);
	exit(-1);
}

// ---- flags ----

interface ifa_flag {
	name: string;
	mask: number;
	/** Userland may set it. */
	settable: boolean;
	v6only: boolean;
}

const IFA_FLAG_NAMES: readonly ifa_flag[] = [
	{ name: 'secondary', mask: IFA_F_SECONDARY, settable: true, v6only: false },
	{ name: 'temporary', mask: IFA_F_SECONDARY, settable: false, v6only: false },
	{ name: 'nodad', mask: IFA_F_NODAD, settable: false, v6only: true },
	{ name: 'optimistic', mask: IFA_F_OPTIMISTIC, settable: false, v6only: true },
	{ name: 'dadfailed', mask: IFA_F_DADFAILED, settable: true, v6only: true },
	{ name: 'home', mask: IFA_F_HOMEADDRESS, settable: false, v6only: true },
	{ name: 'deprecated', mask: IFA_F_DEPRECATED, settable: true, v6only: true },
	{ name: 'tentative', mask: IFA_F_TENTATIVE, settable: true, v6only: true },
	{ name: 'permanent', mask: IFA_F_PERMANENT, settable: true, v6only: true },
	{ name: 'mngtmpaddr', mask: IFA_F_MANAGETEMPADDR, settable: false, v6only: true },
	{ name: 'noprefixroute', mask: IFA_F_NOPREFIXROUTE, settable: false, v6only: false },
	{ name: 'autojoin', mask: IFA_F_MCAUTOJOIN, settable: false, v6only: false },
	{ name: 'stable-privacy', mask: IFA_F_STABLE_PRIVACY, settable: true, v6only: true },
];

/** Flags that `ip addr add` takes. */
const CONFFLAGS: readonly (readonly [string, number, boolean])[] = [
	['nodad', IFA_F_NODAD, true],
	['optimistic', IFA_F_OPTIMISTIC, true],
	['home', IFA_F_HOMEADDRESS, true],
	['mngtmpaddr', IFA_F_MANAGETEMPADDR, true],
	['noprefixroute', IFA_F_NOPREFIXROUTE, false],
	['autojoin', IFA_F_MCAUTOJOIN, false],
];

function print_ifa_flags(g: ip_globals, family: number, flags: number): void {
	const { out } = g;
	for (const f of IFA_FLAG_NAMES) {
		if (f.mask === IFA_F_PERMANENT) {
			if ((flags & f.mask) === 0) out.any('dynamic', true, 'dynamic ');
		} else if ((flags & f.mask) !== 0) {
			if (f.mask === IFA_F_SECONDARY && family === AF_INET6) out.any('temporary', true, 'temporary ');
			else out.any(f.name, true, `${f.name} `);
		}
		flags &= ~f.mask;
	}
	if (flags !== 0) {
		const hex = (flags >>> 0).toString(16).padStart(2, '0');
		out.any('ifa_flags', out.json ? `${hex}` : '', `flags ${hex} `);
	}
}

/** A word of FLAG-LIST in a filter. Return: whether it was one. */
function filter_flag(f: link_filter, word: string): boolean {
	let w = word;
	let inv = false;
	if (w === 'dynamic') {
		inv = true;
		w = 'permanent';
	} else if (w === 'primary') {
		inv = true;
		w = 'secondary';
	} else if (w.startsWith('-')) {
		inv = true;
		w = w.slice(1);
	}
	const found = IFA_FLAG_NAMES.find((x) => x.name === w);
	if (found === undefined) return false;
	if (inv) f.flags &= ~found.mask;
	else f.flags |= found.mask;
	f.flagmask |= found.mask;
	return true;
}

// ---- one address ----

interface ifaddrmsg {
	family: number;
	prefixlen: number;
	flags: number;
	scope: number;
	index: number;
}

function read_ifa(n: nlmsghdr, tb: nlattr_table): ifaddrmsg {
	return {
		family: n.buf[n.data],
		prefixlen: n.buf[n.data + 1],
		flags: tb[IFA_FLAGS] !== null ? nla_get_u32(tb[IFA_FLAGS]) : n.buf[n.data + 2],
		scope: n.buf[n.data + 3],
		index: get_unaligned_le32(n.buf, n.data + 4),
	};
}

function family_color(family: number): number {
	return family === AF_INET ? COLOR_INET : family === AF_INET6 ? COLOR_INET6 : COLOR_NONE;
}

function addr_passes(g: ip_globals, f: link_filter, ifa: ifaddrmsg, tb: nlattr_table): boolean {
	if (f.ifindex !== 0 && f.ifindex !== ifa.index) return false;
	if (((f.scope ^ ifa.scope) & f.scopemask) !== 0) return false;
	if (((f.flags ^ ifa.flags) & f.flagmask) !== 0) return false;
	if (f.label !== null) {
		const label = tb[IFA_LABEL] !== null ? nla_get_string(tb[IFA_LABEL]) : g.ll.index_to_name(ifa.index);
		if (!fnmatch(f.label, label)) return false;
	}
	if (f.pfx !== null && f.pfx.family !== 0 && tb[IFA_LOCAL] !== null) {
		if (f.pfx.family !== ifa.family) return false;
		if (f.pfx.bitlen > 0 && !inet_addr_match(nla_data(tb[IFA_LOCAL]), f.pfx.data, f.pfx.bitlen)) return false;
	}
	return f.family === 0 || f.family === ifa.family;
}

function lifetime(v: number): string {
	return v === 0xffffffff ? 'forever' : `${v}sec`;
}

/** Shows one address. Return: 0, or -1 when the filter hides it. */
export function print_addrinfo(g: ip_globals, n: nlmsghdr, f: link_filter): number {
	const { out } = g;
	if (n.nlmsg_type !== RTM_NEWADDR && n.nlmsg_type !== RTM_DELADDR) return 0;
	const tb = msg_attrs(n, 8, IFA_MAX);
	const ifa = read_ifa(n, tb);
	if (tb[IFA_LOCAL] === null) tb[IFA_LOCAL] = tb[IFA_ADDRESS];
	if (tb[IFA_ADDRESS] === null) tb[IFA_ADDRESS] = tb[IFA_LOCAL];
	if (!addr_passes(g, f, ifa, tb)) return -1;
	if (n.nlmsg_type === RTM_DELADDR) out.any('deleted', true, 'Deleted ');
	if (!g.brief) {
		if (f.oneline) {
			const name = g.ll.index_to_name(ifa.index);
			out.js('index', ifa.index);
			out.js('dev', name);
			out.fp(`${ifa.index}: ${name}`);
		}
		const known = ifa.family === AF_INET || ifa.family === AF_INET6;
		if (known) out.any('family', family_name(ifa.family), `    ${family_name(ifa.family)} `);
		else out.any('family_index', ifa.family, `    family ${ifa.family} `);
	}
	if (tb[IFA_LOCAL] !== null) {
		const color = family_color(ifa.family);
		const local = format_host(ifa.family, nla_data(tb[IFA_LOCAL]));
		out.colored(color, 'local', local, '', local, '');
		const a = tb[IFA_ADDRESS];
		const l = tb[IFA_LOCAL];
		const same = a === null || (a.len >= 4 && nla_data(a).every((b, i) => b === nla_data(l)[i]));
		if (same) out.any('prefixlen', ifa.prefixlen, `/${ifa.prefixlen} `);
		else {
			const peer = format_host(ifa.family, nla_data(a));
			out.colored(color, 'address', peer, ' peer ', peer, '');
			out.any('prefixlen', ifa.prefixlen, `/${ifa.prefixlen} `);
		}
		if (tb[IFA_RT_PRIORITY] !== null) {
			const m = nla_get_u32(tb[IFA_RT_PRIORITY]);
			out.any('metric', m, `metric ${m} `);
		}
	}
	if (!g.brief) {
		for (const [t, key, word] of [
			[IFA_BROADCAST, 'broadcast', 'brd'],
			[IFA_ANYCAST, 'anycast', 'any'],
		] as const) {
			const a = tb[t];
			if (a === null) continue;
			const text = format_host(ifa.family, nla_data(a));
			out.colored(family_color(ifa.family), key, text, `${word} `, text, ' ');
		}
		const scope = g.names.rtscope_n2a(ifa.scope);
		out.any('scope', scope, `scope ${scope} `);
		print_ifa_flags(g, ifa.family, ifa.flags);
		if (tb[IFA_LABEL] !== null) out.any('label', nla_get_string(tb[IFA_LABEL]), nla_get_string(tb[IFA_LABEL]));
		const ci = tb[IFA_CACHEINFO];
		if (ci !== null && ci.len >= 8) {
			const preferred = get_unaligned_le32(ci.buf, ci.off);
			const valid = get_unaligned_le32(ci.buf, ci.off + 4);
			out.fp(g.nl);
			out.any('valid_life_time', valid, `       valid_lft ${lifetime(valid)}`);
			out.any('preferred_life_time', preferred, ` preferred_lft ${lifetime(preferred)}`);
		}
		out.fp('\n');
	}
	return 0;
}

function print_selected_addrinfo(g: ip_globals, index: number, addrs: nlmsghdr[], f: link_filter): void {
	g.out.open_json_array('addr_info', null);
	for (const n of addrs) {
		if (get_unaligned_le32(n.buf, n.data + 4) !== index) continue;
		if (f.family !== 0 && f.family !== n.buf[n.data]) continue;
		// As in the original, an address that the filter hides leaves an empty object.
		g.out.open_json_object(null);
		print_addrinfo(g, n, f);
		g.out.close_json_object();
	}
	g.out.close_json_array(null);
	if (g.brief) g.out.fp('\n');
}

/** Links that stay when addresses are asked for (ipaddr_filter). */
function filter_links(g: ip_globals, links: nlmsghdr[], addrs: nlmsghdr[], f: link_filter): nlmsghdr[] {
	return links.filter((l) => {
		let missing = true;
		let ok = false;
		for (const n of addrs) {
			const tb = msg_attrs(n, 8, IFA_MAX);
			const ifa = read_ifa(n, tb);
			if (ifa.index !== ifi_index(l)) continue;
			missing = false;
			if (f.family !== 0 && f.family !== ifa.family) continue;
			if (((f.scope ^ ifa.scope) & f.scopemask) !== 0) continue;
			if (((f.flags ^ ifa.flags) & f.flagmask) !== 0) continue;
			if (f.pfx !== null || f.label !== null) {
				if (tb[IFA_LOCAL] === null) tb[IFA_LOCAL] = tb[IFA_ADDRESS];
				if (f.pfx !== null && tb[IFA_LOCAL] !== null) {
					const bits = Math.max(f.pfx.bitlen, 0);
					if (!inet_addr_match(nla_data(tb[IFA_LOCAL]), f.pfx.data, bits)) continue;
				}
				if (f.label !== null) {
					const label = tb[IFA_LABEL] !== null ? nla_get_string(tb[IFA_LABEL]) : g.ll.index_to_name(ifa.index);
					if (!fnmatch(f.label, label)) continue;
				}
			}
			ok = true;
			break;
		}
		if (missing && (f.family === AF_UNSPEC || f.family === AF_PACKET)) ok = true;
		return ok;
	});
}

// ---- lists ----

const SLAVE = '_slave';

/** Words of SELECTOR, for show and flush. */
async function parse_filter(g: ip_globals, a: args, f: link_filter): Promise<string | null> {
	let dev: string | null = null;
	for (; a.more; a.shift()) {
		if (a.is('to')) {
			const p = get_prefix(g, a.next(), f.family);
			f.pfx = { family: p.family, bitlen: p.bitlen, data: p.data };
			if (f.family === AF_UNSPEC) f.family = p.family;
		} else if (a.is('scope')) {
			const w = a.next();
			f.scopemask = -1;
			const s = g.names.rtscope_a2n(w);
			if (s === null) {
				if (w !== 'all') invarg(g, 'invalid "scope"\n', w);
				f.scope = 255;
				f.scopemask = 0;
			} else f.scope = s;
		} else if (a.is('up')) {
			f.up = true;
		} else if (filter_flag(f, a.word)) {
			// Taken.
		} else if (a.is('label')) {
			f.label = a.next();
		} else if (a.is('group')) {
			const w = a.next();
			const id = g.names.group_a2n(w);
			if (id === null) invarg(g, 'Invalid "group" value\n', w);
			f.group = id;
		} else if (a.is('master')) {
			const w = a.next();
			const idx = await g.ll.name_to_index(w);
			if (idx === 0) invarg(g, 'Device does not exist\n', w);
			f.master = idx;
		} else if (a.is('vrf')) {
			const w = a.next();
			const idx = await g.ll.name_to_index(w);
			if (idx === 0) invarg(g, 'Not a valid VRF name\n', w);
			unsupported(g, 'vrf');
		} else if (a.is('nomaster')) {
			f.nomaster = true;
		} else if (a.is('type')) {
			const w = a.next();
			if (w.endsWith(SLAVE)) f.slave_kind = w.slice(0, -SLAVE.length);
			else f.kind = w;
		} else {
			if (a.is('dev')) a.next();
			else if (matches(a.word, 'help')) addr_usage(g);
			if (dev !== null) duparg2(g, 'dev', a.word);
			dev = a.word;
		}
	}
	return dev;
}

/** Learns the names of namespaces when a link is at home elsewhere. */
async function need_nsids(g: ip_globals, links: nlmsghdr[]): Promise<void> {
	for (const n of links) {
		const tb = msg_attrs(n, 16, IFLA_MAX);
		if (tb[IFLA_LINK_NETNSID] !== null || tb[IFLA_NEW_NETNSID] !== null) {
			await netns_map_init(g);
			return;
		}
	}
}

export async function link_nsids(g: ip_globals, n: nlmsghdr): Promise<void> {
	await need_nsids(g, [n]);
}

function ext_mask(g: ip_globals): number {
	return RTEXT_FILTER_VF | (g.show_stats > 0 ? 0 : RTEXT_FILTER_SKIP_STATS);
}

/** The links of a show command, as the kernel filters them. Return: null with a complaint. */
async function get_links(g: ip_globals, f: link_filter): Promise<nlmsghdr[] | null> {
	if (f.ifindex !== 0) {
		const req = new request(RTM_GETLINK, 0, 16);
		req.u8(0, f.family === AF_PACKET ? f.family : 0);
		req.u32(4, f.ifindex);
		nla_put_u32(req, IFLA_EXT_MASK, ext_mask(g));
		const r = await rtnl_talk(g, req, true);
		return r.answer === null ? null : [r.answer];
	}
	const req = new request(RTM_GETLINK, 0, 16);
	req.u8(0, f.family === AF_INET || f.family === AF_INET6 ? 0 : f.family);
	nla_put_u32(req, IFLA_EXT_MASK, ext_mask(g));
	if (f.master > 0) nla_put_u32(req, IFLA_MASTER, f.master);
	if (f.kind !== null || f.slave_kind !== null) {
		const nest = nla_nest_start_noflag(req, IFLA_LINKINFO);
		if (f.kind !== null)
			nla_put(
				req,
				IFLA_INFO_KIND,
				Uint8Array.from(f.kind, (c) => c.charCodeAt(0)),
			);
		else
			nla_put(
				req,
				IFLA_INFO_SLAVE_KIND,
				Uint8Array.from(f.slave_kind!, (c) => c.charCodeAt(0)),
			);
		nla_nest_end(req, nest);
	}
	return rtnl_dump(g, req, 'Dump terminated\n');
}

async function get_addrs(g: ip_globals, f: link_filter): Promise<nlmsghdr[] | null> {
	const req = new request(RTM_GETADDR, 0, 8);
	req.u8(0, f.family);
	req.u32(4, f.ifindex);
	return rtnl_dump(g, req, 'Dump terminated\n');
}

/** `ip addr show` and `ip link show` (`f.do_link`). */
export async function ipaddr_list(g: ip_globals, a: args, do_link: boolean): Promise<number> {
	// As in the original, a list of links makes every later list of a batch one of links.
	if (do_link) g.do_link = true;
	else do_link = g.do_link;
	const f = new link_filter();
	f.do_link = do_link;
	f.showqueue = true;
	f.oneline = g.oneline;
	f.family = do_link ? AF_PACKET : g.preferred_family;
	const family = f.family;
	if (do_link) f.family = AF_PACKET;
	const dev = await parse_filter(g, a, f);
	if (do_link) f.family = family;
	if (dev !== null) {
		f.ifindex = await g.ll.name_to_index(dev);
		if (f.ifindex === 0) {
			g.err(`Device "${dev}" does not exist.\n`);
			return -1;
		}
	}
	const links = await get_links(g, f);
	if (links === null) return 1;
	for (const n of links) g.ll.remember(n);
	// What a link stands on may not be among those shown.
	if (f.ifindex !== 0 || f.master !== 0 || f.kind !== null) await g.ll.init();
	await need_nsids(g, links);
	let shown = links;
	let addrs: nlmsghdr[] = [];
	let no_link = false;
	if (f.family !== AF_PACKET) {
		if (g.oneline && !g.brief) no_link = true;
		const r = await get_addrs(g, f);
		if (r === null) return 1;
		addrs = r;
		shown = filter_links(g, links, addrs, f);
	}
	g.out.new_json_obj(g.json > 0);
	for (const n of shown) {
		g.out.open_json_object(null);
		if (no_link || print_linkinfo(g, n, f) >= 0) {
			if (f.family !== AF_PACKET) print_selected_addrinfo(g, ifi_index(n), addrs, f);
		}
		if (!do_link && !no_link && !g.brief && g.show_stats > 0) print_link_stats(g, n);
		g.out.close_json_object();
	}
	g.out.delete_json_obj();
	return 0;
}

// ---- flush ----

async function ipaddr_flush(g: ip_globals, a: args): Promise<number> {
	if (!a.more) {
		g.err('Flush requires arguments.\n');
		return -1;
	}
	const f = new link_filter();
	f.family = g.preferred_family;
	if (f.family === AF_PACKET) {
		g.err('Cannot flush link addresses.\n');
		return -1;
	}
	const dev = await parse_filter(g, a, f);
	await g.ll.init();
	if (dev !== null) {
		f.ifindex = await g.ll.name_to_index(dev);
		if (f.ifindex === 0) {
			g.err(`Device "${dev}" does not exist.\n`);
			return -1;
		}
	}
	for (let round = 0; g.max_flush_loops === 0 || round < g.max_flush_loops; round++) {
		const addrs = await get_addrs(g, f);
		if (addrs === null) exit(1);
		let flushed = 0;
		for (const n of addrs) {
			const tb = msg_attrs(n, 8, IFA_MAX);
			const ifa = read_ifa(n, tb);
			if (tb[IFA_LOCAL] === null) tb[IFA_LOCAL] = tb[IFA_ADDRESS];
			if (!addr_passes(g, f, ifa, tb)) continue;
			if (f.up && (g.ll.index_to_flags(ifa.index) & 1) === 0) continue;
			// Secondaries go with their primary, or were promoted: one by one would fail.
			const body = n.buf.subarray(n.data, n.end);
			const copy = new request(RTM_DELADDR, 0, body.length);
			copy.data.set(body, 16);
			const r = await rtnl_talk(g, copy, false, true);
			if (r.ret === 0) flushed++;
			if (g.show_stats > 1) {
				const t = new link_filter();
				t.oneline = true;
				print_addrinfo(g, with_type(n, RTM_DELADDR), t);
			}
		}
		if (flushed === 0) {
			if (g.show_stats > 0) {
				if (round === 0) g.out.fp('Nothing to flush.\n');
				else g.out.fp(`*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`);
			}
			return 0;
		}
		if (g.show_stats > 0) {
			g.out.fp(`\n*** Round ${round + 1}, deleting ${flushed} addresses ***\n`);
		}
		// Without secondaries left behind, one round is all.
		if ((f.flags & IFA_F_SECONDARY) === 0 && (f.flagmask & IFA_F_SECONDARY) !== 0) {
			if (g.show_stats > 0) g.out.fp('*** Flush is complete after 1 round ***\n');
			return 0;
		}
	}
	g.err(`*** Flush remains incomplete after ${g.max_flush_loops} rounds. ***\n`);
	return 1;
}

/** The message with another type. */
export function with_type(n: nlmsghdr, type: number): nlmsghdr {
	const b = n.buf.slice(n.off, n.end);
	b[4] = type;
	b[5] = type >> 8;
	return new nlmsghdr(b, 0);
}

// ---- add, change, replace, del ----

function lft(arg: string): number | null {
	return matches(arg, 'forever') || arg === 'forever' ? 0xffffffff : get_u32(arg);
}

async function ipaddr_modify(g: ip_globals, cmd: number, flags: number, a: args): Promise<number> {
	const req = new request(cmd, flags, 8);
	let family = g.preferred_family;
	let dev: string | null = null;
	let local: inet_prefix | null = null;
	let peer: inet_prefix | null = null;
	let brd: inet_prefix | '+' | '-' | null = null;
	let anycast = false;
	let scope = -1;
	let ifa_flags = 0;
	let valid: string | null = null;
	let preferred: string | null = null;
	let valid_lft = 0xffffffff;
	let preferred_lft = 0xffffffff;
	for (; a.more; a.shift()) {
		const conf = CONFFLAGS.find((c) => c[0] === a.word);
		if (a.is('peer', 'remote')) {
			const w = a.next();
			if (peer !== null) duparg(g, 'peer', w);
			peer = get_prefix(g, w, family);
			if (family === AF_UNSPEC) family = peer.family;
			nla_put(req, IFA_ADDRESS, peer.data);
		} else if (a.matches('broadcast') || a.is('brd')) {
			const w = a.next();
			if (brd !== null) duparg(g, 'broadcast', w);
			if (w === '+' || w === '-') brd = w;
			else {
				brd = get_addr(g, w, family);
				if (family === AF_UNSPEC) family = brd.family;
				nla_put(req, IFA_BROADCAST, brd.data);
			}
		} else if (a.is('anycast')) {
			const w = a.next();
			if (anycast) duparg(g, 'anycast', w);
			anycast = true;
			const any = get_addr(g, w, family);
			if (family === AF_UNSPEC) family = any.family;
			nla_put(req, IFA_ANYCAST, any.data);
		} else if (a.is('scope')) {
			const w = a.next();
			const s = g.names.rtscope_a2n(w);
			if (s === null) invarg(g, 'invalid scope value.', w);
			scope = s;
		} else if (a.is('dev')) {
			dev = a.next();
		} else if (a.is('label')) {
			nla_put_string(req, IFA_LABEL, a.next());
		} else if (a.is('metric', 'priority', 'preference')) {
			const w = a.next();
			const m = get_u32(w);
			if (m === null) invarg(g, '"metric" value is invalid\n', w);
			nla_put_u32(req, IFA_RT_PRIORITY, m);
		} else if (a.matches('valid_lft')) {
			if (valid !== null) duparg(g, 'valid_lft', a.word);
			const w = a.next();
			valid = w;
			const v = lft(w);
			if (v === null) invarg(g, 'valid_lft value', w);
			valid_lft = v;
		} else if (a.matches('preferred_lft')) {
			if (preferred !== null) duparg(g, 'preferred_lft', a.word);
			const w = a.next();
			preferred = w;
			const v = lft(w);
			if (v === null) invarg(g, 'preferred_lft value', w);
			preferred_lft = v;
		} else if (conf !== undefined) {
			ifa_flags |= conf[1];
			if (conf[2] && family !== AF_INET6) {
				g.err(`Warning: ${conf[0]} option can be set only for IPv6 addresses\n`);
			}
		} else {
			if (a.is('local')) a.next();
			if (matches(a.word, 'help')) addr_usage(g);
			if (local !== null) duparg2(g, 'local', a.word);
			local = get_prefix(g, a.word, family);
			if (family === AF_UNSPEC) family = local.family;
			nla_put(req, IFA_LOCAL, local.data);
		}
	}
	req.u8(0, family);
	if (ifa_flags <= 0xff) req.u8(2, ifa_flags);
	else nla_put_u32(req, IFA_FLAGS, ifa_flags);
	if (dev === null) {
		g.err('Not enough information: "dev" argument is required.\n');
		return -1;
	}
	let prefixlen = 0;
	if (peer === null && local !== null) {
		if (cmd === RTM_DELADDR && local.family === AF_INET && (local.flags & PREFIXLEN_SPECIFIED) === 0) {
			const text = rt_addr_n2a(local.family, local.data);
			g.err(
				'Warning: Executing wildcard deletion to stay compatible with old scripts.\n' +
					`         Explicitly specify the prefix length (${text}/${local.bytelen * 8}) to avoid this warning.\n` +
					'         This special behaviour is likely to disappear in further releases,\n         fix your scripts!\n',
			);
		} else {
			peer = local;
			nla_put(req, IFA_ADDRESS, local.data);
		}
	}
	if (peer !== null) prefixlen = peer.bitlen;
	else if (local !== null) prefixlen = 0;
	req.u8(1, prefixlen);
	if ((brd === '+' || brd === '-') && cmd !== RTM_DELADDR) {
		if (family !== AF_INET || peer === null) {
			g.err('Broadcast can be set only for IPv4 addresses\n');
			return -1;
		}
		if (peer.bitlen <= 30) {
			const b = peer.data.slice();
			for (let i = 31; i >= peer.bitlen; i--) {
				const bit = 0x80 >> (i & 7);
				if (brd === '+') b[i >> 3] |= bit;
				else b[i >> 3] &= ~bit;
			}
			nla_put(req, IFA_BROADCAST, b);
		}
	}
	if (scope >= 0) req.u8(3, scope);
	else if (cmd !== RTM_DELADDR && local !== null) {
		req.u8(3, local.family === AF_INET && local.data[0] === 127 ? RT_SCOPE_HOST : 0);
	}
	const idx = await g.ll.name_to_index(dev);
	if (idx === 0) return nodev(g, dev);
	req.u32(4, idx);
	if (valid !== null || preferred !== null) {
		if (valid_lft === 0) {
			g.err('valid_lft is zero\n');
			return -1;
		}
		if (valid_lft < preferred_lft) {
			g.err('preferred_lft is greater than valid_lft\n');
			return -1;
		}
		const at = nla_reserve(req, IFA_CACHEINFO, 16);
		put_unaligned_le32(req.data, at, preferred_lft);
		put_unaligned_le32(req.data, at + 4, valid_lft);
	}
	if (local !== null && (ifa_flags & IFA_F_MCAUTOJOIN) !== 0 && cmd === RTM_NEWADDR) {
		const multi = local.family === AF_INET ? (local.data[0] & 0xf0) === 0xe0 : local.data[0] === 0xff;
		if (!multi) {
			g.err('autojoin needs multicast address\n');
			return -1;
		}
		return unsupported(g, 'autojoin');
	}
	const r = await rtnl_talk(g, req, false);
	return r.ret < 0 ? -2 : 0;
}

export async function do_ipaddr(g: ip_globals, a: args): Promise<number> {
	if (!a.more) return ipaddr_list(g, a, false);
	const w = a.word;
	const rest = (): args => {
		a.shift();
		return a;
	};
	if (matches(w, 'add')) return ipaddr_modify(g, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, rest());
	if (matches(w, 'change') || w === 'chg') return ipaddr_modify(g, RTM_NEWADDR, NLM_F_REPLACE, rest());
	if (matches(w, 'replace')) return ipaddr_modify(g, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, rest());
	if (matches(w, 'delete')) return ipaddr_modify(g, RTM_DELADDR, 0, rest());
	if (matches(w, 'show') || matches(w, 'lst') || matches(w, 'list')) return ipaddr_list(g, rest(), false);
	if (matches(w, 'flush')) return ipaddr_flush(g, rest());
	if (matches(w, 'save')) unsupported(g, 'address save');
	if (matches(w, 'showdump')) unsupported(g, 'address showdump');
	if (matches(w, 'restore')) unsupported(g, 'address restore');
	if (matches(w, 'help')) addr_usage(g);
	g.err(`Command "${w}" is unknown, try "ip address help".\n`);
	exit(-1);
}
