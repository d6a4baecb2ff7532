/*
 * user/iproute2/ipneigh.ts: `ip neigh`.                            Original: ip/ipneigh.c
 */
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	nla_data,
	nla_get_u8,
	nla_get_u32,
	nla_put,
	nla_put_u8,
	nla_put_u32,
	type nlattr_table,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	NDA_CACHEINFO,
	NDA_DST,
	NDA_FLAGS_EXT,
	NDA_IFINDEX,
	NDA_LLADDR,
	NDA_MASTER,
	NDA_MAX,
	NDA_PROBES,
	NDA_PROTOCOL,
	NTF_EXT_LEARNED,
	NTF_EXT_MANAGED,
	NTF_OFFLOADED,
	NTF_PROXY,
	NTF_ROUTER,
	NTF_USE,
	NUD_DELAY,
	NUD_FAILED,
	NUD_INCOMPLETE,
	NUD_NOARP,
	NUD_NONE,
	NUD_PERMANENT,
	NUD_PROBE,
	NUD_REACHABLE,
	NUD_STALE,
} from '../../uapi/linux/neighbour.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import { RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../uapi/linux/socket.ts';
import { NEIGH_USAGE } from './help.ts';
import { COLOR_IFNAME, COLOR_INET, COLOR_INET6, COLOR_MAC, COLOR_NONE } from './json_print.ts';
import { msg_attrs, request, rtnl_dump, rtnl_talk } from './libnetlink.ts';
import {
	type args,
	duparg,
	duparg2,
	exit,
	format_host,
	get_addr,
	get_prefix,
	get_u8,
	inet_addr_match,
	type inet_prefix,
	invarg,
	type ip_globals,
	ll_addr_a2n,
	ll_addr_n2a,
	matches,
	nodev,
	unsupported,
} from './utils.ts';

const STATES: readonly (readonly [string, number])[] = [
	['permanent', NUD_PERMANENT],
	['reachable', NUD_REACHABLE],
	['noarp', NUD_NOARP],
	['none', NUD_NONE],
	['stale', NUD_STALE],
	['incomplete', NUD_INCOMPLETE],
	['delay', NUD_DELAY],
	['probe', NUD_PROBE],
	['failed', NUD_FAILED],
];
const SHOWN: readonly (readonly [number, string])[] = [
	[NUD_INCOMPLETE, 'INCOMPLETE'],
	[NUD_REACHABLE, 'REACHABLE'],
	[NUD_STALE, 'STALE'],
	[NUD_DELAY, 'DELAY'],
	[NUD_PROBE, 'PROBE'],
	[NUD_FAILED, 'FAILED'],
	[NUD_NOARP, 'NOARP'],
	[NUD_PERMANENT, 'PERMANENT'],
];
const HZ = 100;

function usage(g: ip_globals): never {
	g.err(NEIGH_USAGE);
	exit(-1);
}

class neigh_filter {
	family = AF_UNSPEC;
	index = 0;
	state = 0;
	unused_only = false;
	pfx: inet_prefix | null = null;
	ndm_flags = 0;
	protocol = 0;
	master = 0;
	nomaster = false;
}

function nud_state_a2n(arg: string): number | null {
	const s = STATES.find((x) => matches(arg, x[0]));
	if (s !== undefined) return s[1];
	const v = get_u8(arg);
	return v;
}

async function ipneigh_modify(g: ip_globals, cmd: number, flags: number, a: args): Promise<number> {
	const req = new request(cmd, flags, 12);
	req.u8(0, g.preferred_family);
	let state = NUD_PERMANENT;
	let ndm_flags = 0;
	let ext = 0;
	let dev: string | null = null;
	let dst: inet_prefix | null = null;
	let lladdr: string | null = null;
	for (; a.more; a.shift()) {
		if (a.matches('lladdr')) {
			const w = a.next();
			if (lladdr !== null) duparg(g, 'lladdr', w);
			lladdr = w;
		} else if (a.is('nud')) {
			const w = a.next();
			const s = nud_state_a2n(w);
			if (s === null) invarg(g, 'nud state is bad', w);
			state = s;
		} else if (a.matches('proxy')) {
			const w = a.next();
			if (matches(w, 'help')) usage(g);
			if (dst !== null) duparg(g, 'address', w);
			dst = get_addr(g, w, g.preferred_family);
			ndm_flags |= NTF_PROXY;
		} else if (a.is('router')) {
			ndm_flags |= NTF_ROUTER;
		} else if (a.is('use')) {
			ndm_flags |= NTF_USE;
		} else if (a.is('managed')) {
			ext |= NTF_EXT_MANAGED;
		} else if (a.matches('extern_learn')) {
			ndm_flags |= NTF_EXT_LEARNED;
		} else if (a.is('dev')) {
			const w = a.next();
			if (dev !== null) duparg(g, 'dev', w);
			dev = w;
		} else if (a.matches('protocol')) {
			const w = a.next();
			const p = g.names.rtprot_a2n(w);
			if (p === null) invarg(g, '"protocol" value is invalid\n', w);
			nla_put_u8(req, NDA_PROTOCOL, p);
		} else {
			if (a.is('to')) a.next();
			if (a.is('help')) usage(g);
			if (dst !== null) duparg2(g, 'to', a.word);
			dst = get_addr(g, a.word, g.preferred_family);
		}
	}
	if (dev === null || dst === null || dst.family === AF_UNSPEC) {
		g.err('Device and destination are required arguments.\n');
		exit(-1);
	}
	req.u8(0, dst.family);
	req.u16(8, state);
	nla_put(req, NDA_DST, dst.data);
	if (lladdr !== null && lladdr !== 'null') {
		const b = ll_addr_a2n(g, lladdr);
		if (b === null) return -1;
		nla_put(req, NDA_LLADDR, b);
	}
	const idx = await g.ll.name_to_index(dev);
	if (idx === 0) return nodev(g, dev);
	req.u32(4, idx);
	req.u8(10, ndm_flags);
	if (ext !== 0) nla_put_u32(req, NDA_FLAGS_EXT, ext);
	const r = await rtnl_talk(g, req, false);
	return r.ret < 0 ? exit(2) : 0;
}

function print_state(g: ip_globals, state: number): void {
	g.out.open_json_array('state', null);
	let any = false;
	for (const [bit, name] of SHOWN) {
		if ((state & bit) === 0) continue;
		g.out.any(null, name, `${name} `);
		any = true;
	}
	if (!any && state === 0) g.out.any(null, 'NONE', 'NONE ');
	g.out.close_json_array(null);
}

/** -br: address, device, link-layer address in columns. */
function print_brief(g: ip_globals, n: nlmsghdr, tb: nlattr_table, family: number, index: number): number {
	const { out } = g;
	out.open_json_object(null);
	if (n.nlmsg_type === RTM_DELNEIGH) out.any('deleted', true, 'Deleted ');
	else if (n.nlmsg_type === RTM_GETNEIGH) out.null('miss', 'miss ');
	if (tb[NDA_DST] !== null) {
		const dst = format_host(family, nla_data(tb[NDA_DST]));
		const color = family === AF_INET ? COLOR_INET : family === AF_INET6 ? COLOR_INET6 : COLOR_NONE;
		out.colored(color, 'dst', dst, '', dst.padEnd(39), ' ');
	}
	const name = g.ll.index_to_name(index);
	out.colored(COLOR_IFNAME, 'dev', name, '', name.padEnd(16), ' ');
	if (tb[NDA_LLADDR] !== null) {
		const ll = ll_addr_n2a(nla_data(tb[NDA_LLADDR]), g.ll.index_to_type(index));
		out.colored(COLOR_MAC, 'lladdr', ll, '', ll, '');
	}
	out.fp('\n');
	out.close_json_object();
	return 0;
}

/** Shows one neighbour. Return: 0 also when the filter hides it. */
export function print_neigh(g: ip_globals, n: nlmsghdr, f: neigh_filter): number {
	const { out } = g;
	if (n.nlmsg_type !== RTM_NEWNEIGH && n.nlmsg_type !== RTM_DELNEIGH && n.nlmsg_type !== RTM_GETNEIGH) return 0;
	const family = n.buf[n.data];
	const index = get_unaligned_le32(n.buf, n.data + 4);
	const state = get_unaligned_le16(n.buf, n.data + 8);
	const flags = n.buf[n.data + 10];
	const tb = msg_attrs(n, 12, NDA_MAX);
	if (!neigh_passes(f, family, index, state, flags, n)) return 0;
	if (g.brief) return print_brief(g, n, tb, family, index);
	out.open_json_object(null);
	if (n.nlmsg_type === RTM_DELNEIGH) out.any('deleted', true, 'Deleted ');
	else if (n.nlmsg_type === RTM_GETNEIGH) out.null('miss', 'miss ');
	if (tb[NDA_DST] !== null) {
		const dst = format_host(family, nla_data(tb[NDA_DST]));
		const color = family === AF_INET ? COLOR_INET : family === AF_INET6 ? COLOR_INET6 : COLOR_NONE;
		out.colored(color, 'dst', dst, '', dst, ' ');
	}
	if (f.index === 0 && index !== 0) {
		const name = g.ll.index_to_name(index);
		if (!out.json) out.fp('dev ');
		out.colored(COLOR_IFNAME, 'dev', name, '', name, ' ');
	}
	if (tb[NDA_LLADDR] !== null) {
		const ll = ll_addr_n2a(nla_data(tb[NDA_LLADDR]), g.ll.index_to_type(index));
		out.fp('lladdr ');
		out.colored(COLOR_MAC, 'lladdr', ll, '', ll, ' ');
	}
	if ((flags & NTF_ROUTER) !== 0) out.null('router', 'router ');
	if ((flags & NTF_PROXY) !== 0) out.null('proxy', 'proxy ');
	if ((flags & NTF_EXT_LEARNED) !== 0) out.null('extern_learn', 'extern_learn ');
	if ((flags & NTF_OFFLOADED) !== 0) out.null('offload', 'offload ');
	if (tb[NDA_FLAGS_EXT] !== null && (nla_get_u32(tb[NDA_FLAGS_EXT]) & NTF_EXT_MANAGED) !== 0)
		out.null('managed', 'managed ');
	if (g.show_stats > 0) {
		const ci = tb[NDA_CACHEINFO];
		if (ci !== null && ci.len >= 16) {
			const [confirmed, used, updated, refcnt] = [0, 4, 8, 12].map((o) => get_unaligned_le32(ci.buf, ci.off + o));
			if (refcnt !== 0) out.any('refcnt', refcnt, ` ref ${refcnt}`);
			const s = (v: number): number => Math.floor(v / HZ);
			out.any('used', s(used), ` used ${s(used)}/`);
			out.any('confirmed', s(confirmed), `${s(confirmed)}/`);
			out.any('updated', s(updated), `${s(updated)}`);
		}
		if (tb[NDA_PROBES] !== null) {
			const p = nla_get_u32(tb[NDA_PROBES]);
			out.any('probes', p, `probes ${p} `);
		}
	}
	if (state !== 0) print_state(g, state);
	if (tb[NDA_PROTOCOL] !== null) {
		const p = g.names.rtprot_n2a(nla_get_u8(tb[NDA_PROTOCOL]));
		out.any('protocol', p, `proto ${p} `);
	}
	out.fp('\n');
	out.close_json_object();
	return 0;
}

function neigh_passes(
	f: neigh_filter,
	family: number,
	index: number,
	state: number,
	flags: number,
	n: nlmsghdr,
): boolean {
	const tb = msg_attrs(n, 12, NDA_MAX);
	if (f.family !== 0 && f.family !== family) return false;
	if (f.index !== 0 && f.index !== index) return false;
	if (
		(f.state & state) === 0 &&
		(flags & NTF_PROXY) === 0 &&
		(flags & NTF_EXT_LEARNED) === 0 &&
		(state !== 0 || (f.state & 0x100) === 0)
	) {
		return false;
	}
	if (f.pfx !== null && f.pfx.family !== 0) {
		const dst = tb[NDA_DST];
		if (dst !== null && !inet_addr_match(nla_data(dst), f.pfx.data, f.pfx.bitlen)) return false;
	}
	if (f.unused_only && tb[NDA_CACHEINFO] !== null) {
		const ci = tb[NDA_CACHEINFO];
		if (ci.len >= 16 && get_unaligned_le32(ci.buf, ci.off + 12) !== 0) return false;
	}
	if (f.protocol !== 0 && (tb[NDA_PROTOCOL] === null || nla_get_u8(tb[NDA_PROTOCOL]) !== f.protocol)) return false;
	return true;
}

/** A filter that lets all through, for news. */
export function neigh_filter_all(): neigh_filter {
	const f = new neigh_filter();
	f.state = ~0;
	return f;
}

async function do_show_or_flush(g: ip_globals, a: args, flush: boolean): Promise<number> {
	const f = new neigh_filter();
	f.family = g.preferred_family;
	let dev: string | null = null;
	let state_given = false;
	if (flush && !a.more) {
		g.err('Flush requires arguments.\n');
		return -1;
	}
	f.state = flush ? ~(NUD_PERMANENT | NUD_NOARP) : 0xff & ~NUD_NOARP;
	for (; a.more; a.shift()) {
		if (a.is('dev')) {
			const w = a.next();
			if (dev !== null) duparg(g, 'dev', w);
			dev = w;
		} else if (a.is('master')) {
			const w = a.next();
			const idx = await g.ll.name_to_index(w);
			if (idx === 0) invarg(g, 'Device does not exist\n', w);
			f.master = idx;
		} else if (a.is('vrf')) {
			unsupported(g, 'vrf');
		} else if (a.is('nomaster')) {
			f.nomaster = true;
		} else if (a.is('unused')) {
			f.unused_only = true;
		} else if (a.is('nud')) {
			const w = a.next();
			if (!state_given) {
				state_given = true;
				f.state = 0;
			}
			let s: number | null;
			if (w === 'all') s = ~0;
			else s = nud_state_a2n(w);
			if (s === null) invarg(g, 'nud state is bad', w);
			if (s === 0) s = 0x100;
			f.state |= s;
		} else if (a.is('proxy')) {
			f.ndm_flags = NTF_PROXY;
		} else if (a.is('extern_learn')) {
			f.ndm_flags |= NTF_EXT_LEARNED;
		} else if (a.is('offload')) {
			f.ndm_flags |= NTF_OFFLOADED;
		} else if (a.matches('protocol')) {
			const w = a.next();
			const p = g.names.rtprot_a2n(w);
			if (p === null) {
				if (w !== 'all') invarg(g, 'invalid protocol\n', w);
				f.protocol = 0;
			} else f.protocol = p;
		} else {
			if (a.is('to')) a.next();
			if (matches(a.word, 'help')) usage(g);
			const p = get_prefix(g, a.word, f.family);
			f.pfx = p;
			if (f.family === AF_UNSPEC) f.family = p.family;
		}
	}
	await g.ll.init();
	if (dev !== null) {
		f.index = await g.ll.name_to_index(dev);
		if (f.index === 0) return nodev(g, dev);
	}
	if (flush) return neigh_flush(g, f);
	const list = await dump_neigh(g, f);
	if (list === null) exit(1);
	g.out.new_json_obj(g.json > 0);
	for (const n of list) print_neigh(g, n, f);
	g.out.delete_json_obj();
	return 0;
}

async function dump_neigh(g: ip_globals, f: neigh_filter): Promise<nlmsghdr[] | null> {
	const req = new request(RTM_GETNEIGH, 0, 12);
	req.u8(0, f.family);
	req.u8(10, f.ndm_flags);
	if (f.index !== 0) nla_put_u32(req, NDA_IFINDEX, f.index);
	if (f.nomaster) nla_put_u32(req, NDA_MASTER, 0);
	else if (f.master !== 0) nla_put_u32(req, NDA_MASTER, f.master);
	return rtnl_dump(g, req, 'Dump terminated\n');
}

async function neigh_flush(g: ip_globals, f: neigh_filter): Promise<number> {
	for (let round = 0; g.max_flush_loops === 0 || round < g.max_flush_loops; round++) {
		const list = await dump_neigh(g, f);
		if (list === null) {
			g.err('Flush terminated\n');
			exit(1);
		}
		let flushed = 0;
		for (const n of list) {
			const family = n.buf[n.data];
			const state = get_unaligned_le16(n.buf, n.data + 8);
			const flags = n.buf[n.data + 10];
			if (!neigh_passes(f, family, get_unaligned_le32(n.buf, n.data + 4), state, flags, n)) continue;
			const body = n.buf.slice(n.data, n.end);
			const req = new request(RTM_DELNEIGH, 0, body.length);
			req.data.set(body, 16);
			const r = await rtnl_talk(g, req, false, true);
			if (r.ret === 0) flushed++;
			if (g.show_stats > 1) print_neigh(g, n, f);
		}
		if (flushed === 0) {
			if (g.show_stats > 0) {
				if (round === 0) g.out.fp('Nothing to flush.\n');
				else g.out.fp(`*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`);
			}
			return 0;
		}
		if (g.show_stats > 0) g.out.fp(`\n*** Round ${round + 1}, deleting ${flushed} entries ***\n`);
		f.state &= ~NUD_FAILED;
	}
	g.out.fp(`*** Flush not complete bailing out after ${g.max_flush_loops} rounds\n`);
	return 1;
}

async function ipneigh_get(g: ip_globals, a: args): Promise<number> {
	const req = new request(RTM_GETNEIGH, 0, 12);
	let dst: inet_prefix | null = null;
	let dev: string | null = null;
	let ndm_flags = 0;
	for (; a.more; a.shift()) {
		if (a.is('dev')) {
			dev = a.next();
		} else if (a.matches('proxy')) {
			const w = a.next();
			if (matches(w, 'help')) usage(g);
			if (dst !== null) duparg(g, 'address', w);
			dst = get_addr(g, w, g.preferred_family);
			ndm_flags |= NTF_PROXY;
		} else {
			if (a.is('to')) a.next();
			if (matches(a.word, 'help')) usage(g);
			if (dst !== null) duparg2(g, 'to', a.word);
			dst = get_addr(g, a.word, g.preferred_family);
		}
	}
	if (dst === null || dev === null || dst.family === AF_UNSPEC) {
		g.err('Device and address are required arguments.\n');
		return -1;
	}
	req.u8(0, dst.family);
	req.u8(10, ndm_flags);
	nla_put(req, NDA_DST, dst.data);
	const idx = await g.ll.name_to_index(dev);
	if (idx === 0) return nodev(g, dev);
	req.u32(4, idx);
	const r = await rtnl_talk(g, req, true);
	if (r.ret < 0 || r.answer === null) return -2;
	await g.ll.init();
	g.out.new_json_obj(g.json > 0);
	print_neigh(g, r.answer, neigh_filter_all());
	g.out.delete_json_obj();
	return 0;
}

export async function do_ipneigh(g: ip_globals, a: args): Promise<number> {
	if (!a.more) return do_show_or_flush(g, a, false);
	const w = a.word;
	const rest = (): args => {
		a.shift();
		return a;
	};
	if (matches(w, 'add')) return ipneigh_modify(g, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, rest());
	if (matches(w, 'change') || w === 'chg') return ipneigh_modify(g, RTM_NEWNEIGH, NLM_F_REPLACE, rest());
	if (matches(w, 'replace')) return ipneigh_modify(g, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, rest());
	if (matches(w, 'delete')) return ipneigh_modify(g, RTM_DELNEIGH, 0, rest());
	if (matches(w, 'get')) return ipneigh_get(g, rest());
	if (matches(w, 'show') || matches(w, 'lst') || matches(w, 'list')) return do_show_or_flush(g, rest(), false);
	if (matches(w, 'flush')) return do_show_or_flush(g, rest(), true);
	if (matches(w, 'help')) usage(g);
	g.err(`Command "${w}" is unknown, try "ip neigh help".\n`);
	exit(-1);
}
