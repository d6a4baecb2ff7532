/*
 * user/iproute2/iprule.ts: `ip rule`.                              Original: ip/iprule.c
 * Not here yet: save, restore (refused by name).
 */
import { get_unaligned_le16, get_unaligned_le32, put_unaligned_le16, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	nla_data,
	nla_get_be64,
	nla_get_string,
	nla_get_u8,
	nla_get_u32,
	nla_put,
	nla_put_be64,
	nla_put_string,
	nla_put_u8,
	nla_put_u32,
	nla_reserve,
	type nlattr,
	type nlattr_table,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	FIB_RULE_IIF_DETACHED,
	FIB_RULE_INVERT,
	FIB_RULE_OIF_DETACHED,
	FIB_RULE_UNRESOLVED,
	FR_ACT_GOTO,
	FR_ACT_NOP,
	FR_ACT_TO_TBL,
	FRA_DPORT_RANGE,
	FRA_DST,
	FRA_FLOW,
	FRA_FWMARK,
	FRA_FWMASK,
	FRA_GOTO,
	FRA_IIFNAME,
	FRA_IP_PROTO,
	FRA_L3MDEV,
	FRA_MAX,
	FRA_OIFNAME,
	FRA_PRIORITY,
	FRA_PROTOCOL,
	FRA_SPORT_RANGE,
	FRA_SRC,
	FRA_SUPPRESS_IFGROUP,
	FRA_SUPPRESS_PREFIXLEN,
	FRA_TABLE,
	FRA_TUN_ID,
	FRA_UID_RANGE,
} from '../../uapi/linux/fib_rules.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../../uapi/linux/netlink.ts';
import {
	RT_TABLE_MAIN,
	RT_TABLE_UNSPEC,
	RTM_DELRULE,
	RTM_GETRULE,
	RTM_NEWRULE,
	RTN_NAT,
	RTPROT_KERNEL,
} from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, AF_INET6, AF_PACKET, AF_UNSPEC } from '../../uapi/linux/socket.ts';
import { RULE_USAGE } from './help.ts';
import { get_rt_realms } from './iproute.ts';
import { COLOR_IFNAME, COLOR_INET, COLOR_INET6, COLOR_NONE } from './json_print.ts';
import { msg_attrs, request, rtnl_dump, rtnl_talk } from './libnetlink.ts';
import {
	af_bit_len,
	type args,
	check_ifname,
	exit,
	format_host,
	get_addr32,
	get_integer,
	get_prefix,
	get_u16,
	get_u32,
	inet_addr_match,
	type inet_prefix,
	invarg,
	type ip_globals,
	matches,
	rt_addr_n2a,
	unsupported,
} from './utils.ts';

function usage(g: ip_globals): never {
	g.err(RULE_USAGE);
	exit(-1);
}

/** A range of ports or uids. */
interface range {
	start: number;
	end: number;
}

/** What a list or flush is limited to. */
class rule_filter {
	not = false;
	l3mdev = false;
	pref: range | null = null;
	tos: number | null = null;
	fwmark: number | null = null;
	fwmask: number | null = null;
	iif: string | null = null;
	oif: string | null = null;
	uid: range | null = null;
	tun_id: number | null = null;
	tb = 0;
	protocol: number | null = null;
	ipproto: number | null = null;
	sport: range | null = null;
	dport: range | null = null;
	src: inet_prefix | null = null;
	dst: inet_prefix | null = null;
}

function ports_of(a: nlattr): range {
	return { start: get_unaligned_le16(a.buf, a.off), end: get_unaligned_le16(a.buf, a.off + 2) };
}

function uids_of(a: nlattr): range {
	return { start: get_unaligned_le32(a.buf, a.off), end: get_unaligned_le32(a.buf, a.off + 4) };
}

function same_range(a: nlattr | null, want: range | null, read: (a: nlattr) => range): boolean {
	if (want === null) return true;
	if (a === null) return false;
	const r = read(a);
	return r.start === want.start && r.end === want.end;
}

function frh_table(n: nlmsghdr, tb: nlattr_table): number {
	return tb[FRA_TABLE] !== null ? nla_get_u32(tb[FRA_TABLE]) : n.buf[n.data + 4];
}

function frh_flags(n: nlmsghdr): number {
	return get_unaligned_le32(n.buf, n.data + 8);
}

/** Whether the filter takes a rule. */
function rule_passes(f: rule_filter, n: nlmsghdr, tb: nlattr_table): boolean {
	const family = n.buf[n.data];
	if (f.pref !== null) {
		const p = tb[FRA_PRIORITY] === null ? 0 : nla_get_u32(tb[FRA_PRIORITY]);
		if (p < f.pref.start || p > f.pref.end) return false;
	}
	if (f.not && (frh_flags(n) & FIB_RULE_INVERT) === 0) return false;
	for (const [want, t, len] of [
		[f.src, FRA_SRC, n.buf[n.data + 2]],
		[f.dst, FRA_DST, n.buf[n.data + 1]],
	] as const) {
		if (want === null || want.family === 0) continue;
		if (want.family !== family) return false;
		if (want.bitlen > len) return false;
		const a = tb[t];
		if (a === null) {
			if (want.bitlen > 0) return false;
		} else if (!inet_addr_match(want.data, nla_data(a), want.bitlen)) return false;
	}
	if (f.tos !== null && f.tos !== n.buf[n.data + 3]) return false;
	if (f.fwmark !== null && (tb[FRA_FWMARK] === null ? 0 : nla_get_u32(tb[FRA_FWMARK])) !== f.fwmark) return false;
	if (f.fwmask !== null && (tb[FRA_FWMASK] === null ? 0 : nla_get_u32(tb[FRA_FWMASK])) !== f.fwmask) return false;
	for (const [want, t] of [
		[f.iif, FRA_IIFNAME],
		[f.oif, FRA_OIFNAME],
	] as const) {
		if (want === null) continue;
		const a = tb[t];
		if (a === null || nla_get_string(a) !== want) return false;
	}
	if (f.l3mdev && (tb[FRA_L3MDEV] === null || nla_get_u8(tb[FRA_L3MDEV]) === 0)) return false;
	if (!same_range(tb[FRA_UID_RANGE], f.uid, uids_of)) return false;
	if (f.ipproto !== null && (tb[FRA_IP_PROTO] === null || nla_get_u8(tb[FRA_IP_PROTO]) !== f.ipproto)) return false;
	if (!same_range(tb[FRA_SPORT_RANGE], f.sport, ports_of)) return false;
	if (!same_range(tb[FRA_DPORT_RANGE], f.dport, ports_of)) return false;
	if (f.tun_id !== null && (tb[FRA_TUN_ID] === null || nla_get_be64(tb[FRA_TUN_ID]) !== f.tun_id)) return false;
	const table = frh_table(n, tb);
	if (f.tb > 0 && f.tb !== table) return false;
	return true;
}

function print_selector(
	g: ip_globals,
	family: number,
	a: nlattr | null,
	len: number,
	key: 'src' | 'dst',
	word: string,
): void {
	const { out } = g;
	const color = family === AF_INET ? COLOR_INET : family === AF_INET6 ? COLOR_INET6 : COLOR_NONE;
	if (a !== null) {
		const host = len === af_bit_len(family);
		const text = host ? format_host(family, nla_data(a)) : rt_addr_n2a(family, nla_data(a));
		out.fp(word);
		out.colored(color, key, text, '', text, '');
		if (!host) out.any(`${key}len`, len, `/${len}`);
	} else if (len !== 0) {
		out.any(key, '0', `${word}0`);
		out.any(`${key}len`, len, `/${len}`);
	} else if (key === 'src') out.any('src', 'all', `${word}all`);
}

function print_range(g: ip_globals, key: string, word: string, r: range): void {
	if (r.start === r.end) g.out.any(key, r.start, ` ${word} ${r.start}`);
	else {
		g.out.any(`${key}_start`, r.start, ` ${word} ${r.start}`);
		g.out.any(`${key}_end`, r.end, `-${r.end}`);
	}
}

/** Shows one rule. Return: 0 also when the filter hides it. */
export function print_rule(g: ip_globals, n: nlmsghdr, f: rule_filter): number {
	const { out } = g;
	if (n.nlmsg_type !== RTM_NEWRULE && n.nlmsg_type !== RTM_DELRULE) return 0;
	const family = n.buf[n.data];
	const action = n.buf[n.data + 7];
	const tos = n.buf[n.data + 3];
	const flags = frh_flags(n);
	const tb = msg_attrs(n, 12, FRA_MAX);
	if (!rule_passes(f, n, tb)) return 0;
	out.open_json_object(null);
	if (n.nlmsg_type === RTM_DELRULE) out.any('deleted', true, 'Deleted ');
	const prio = tb[FRA_PRIORITY] === null ? 0 : nla_get_u32(tb[FRA_PRIORITY]);
	out.any('priority', prio, `${prio}:\t`);
	if ((flags & FIB_RULE_INVERT) !== 0) out.null('not', 'not ');
	print_selector(g, family, tb[FRA_SRC], n.buf[n.data + 2], 'src', 'from ');
	print_selector(g, family, tb[FRA_DST], n.buf[n.data + 1], 'dst', ' to ');
	if (tos !== 0) {
		const text = g.names.dsfield_n2a(tos);
		out.any('tos', text, ` tos ${text}`);
	}
	if (tb[FRA_FWMARK] !== null || tb[FRA_FWMASK] !== null) {
		const mark = tb[FRA_FWMARK] === null ? 0 : nla_get_u32(tb[FRA_FWMARK]);
		const mask = tb[FRA_FWMASK] === null ? 0xffffffff : nla_get_u32(tb[FRA_FWMASK]);
		const m = `0x${mark.toString(16)}`;
		if (mask !== 0xffffffff) {
			out.any('fwmark', m, ` fwmark ${m}`);
			out.any('fwmask', `0x${mask.toString(16)}`, `/0x${mask.toString(16)}`);
		} else out.any('fwmark', m, ` fwmark ${m}`);
	}
	for (const [t, key, bit] of [
		[FRA_IIFNAME, 'iif', FIB_RULE_IIF_DETACHED],
		[FRA_OIFNAME, 'oif', FIB_RULE_OIF_DETACHED],
	] as const) {
		const a = tb[t];
		if (a === null) continue;
		out.fp(` ${key} `);
		out.colored(COLOR_IFNAME, key, nla_get_string(a), '', nla_get_string(a), '');
		if ((flags & bit) !== 0) out.null(`${key}_detached`, ' [detached]');
	}
	if (tb[FRA_L3MDEV] !== null && nla_get_u8(tb[FRA_L3MDEV]) !== 0) out.null('l3mdev', ' lookup [l3mdev-table]');
	if (tb[FRA_UID_RANGE] !== null) {
		const r = uids_of(tb[FRA_UID_RANGE]);
		out.any('uid_start', r.start, ` uidrange ${r.start}`);
		out.any('uid_end', r.end, `-${r.end}`);
	}
	if (tb[FRA_IP_PROTO] !== null) {
		const p = g.names.inet_proto_n2a(nla_get_u8(tb[FRA_IP_PROTO]));
		out.any('ipproto', p, ` ipproto ${p}`);
	}
	if (tb[FRA_SPORT_RANGE] !== null) print_range(g, 'sport', 'sport', ports_of(tb[FRA_SPORT_RANGE]));
	if (tb[FRA_DPORT_RANGE] !== null) print_range(g, 'dport', 'dport', ports_of(tb[FRA_DPORT_RANGE]));
	if (tb[FRA_TUN_ID] !== null) {
		const id = nla_get_be64(tb[FRA_TUN_ID]);
		out.any('tun_id', id, ` tun_id ${id}`);
	}
	const table = frh_table(n, tb);
	if (table !== 0) {
		const name = g.names.rttable_n2a(table);
		out.any('table', name, ` lookup ${name}`);
		const pl = tb[FRA_SUPPRESS_PREFIXLEN];
		if (pl !== null && (nla_get_u32(pl) | 0) !== -1) {
			out.any('suppress_prefixlen', nla_get_u32(pl) | 0, ` suppress_prefixlength ${nla_get_u32(pl) | 0}`);
		}
		const grp = tb[FRA_SUPPRESS_IFGROUP];
		if (grp !== null && (nla_get_u32(grp) | 0) !== -1) {
			const gname = g.names.group_n2a(nla_get_u32(grp));
			out.any('suppress_ifgroup', gname, ` suppress_ifgroup ${gname}`);
		}
	}
	if (tb[FRA_FLOW] !== null) {
		const v = nla_get_u32(tb[FRA_FLOW]);
		const from = v >>> 16;
		const to = g.names.rtrealm_n2a(v & 0xffff);
		if (from !== 0) {
			const fname = g.names.rtrealm_n2a(from);
			out.any('flow_from', fname, ` realms ${fname}/`);
			out.any('flow_to', to, to);
		} else out.any('flow_to', to, ` realms ${to}`);
	}
	print_action(g, action, flags, tb);
	const proto = tb[FRA_PROTOCOL] === null ? 0 : nla_get_u8(tb[FRA_PROTOCOL]);
	if (tb[FRA_PROTOCOL] !== null && ((proto !== RTPROT_KERNEL && proto !== 0) || g.show_details > 0)) {
		const name = g.names.rtprot_n2a(proto);
		out.any('protocol', name, ` proto ${name}`);
	}
	out.fp('\n');
	out.close_json_object();
	return 0;
}

function print_action(g: ip_globals, action: number, flags: number, tb: nlattr_table): void {
	const { out } = g;
	if (action === RTN_NAT) {
		out.null('masquerade', ' masquerade');
	} else if (action === FR_ACT_GOTO) {
		if (tb[FRA_GOTO] !== null) out.any('goto', nla_get_u32(tb[FRA_GOTO]), ` goto ${nla_get_u32(tb[FRA_GOTO])}`);
		else out.any('goto', 'none', ' goto none');
		if ((flags & FIB_RULE_UNRESOLVED) !== 0) out.null('unresolved', ' [unresolved]');
	} else if (action === FR_ACT_NOP) out.null('nop', ' nop');
	else if (action !== FR_ACT_TO_TBL) {
		const name = g.names.rtntype_n2a(action);
		out.any('action', name, ` ${name}`);
	}
}

/** A filter that takes all, for news. */
export function rule_filter_all(): rule_filter {
	return new rule_filter();
}

/** `A-B` or one number. Return: null when it is none. */
function get_range(word: string, one: (w: string) => number | null): range | null {
	const dash = word.indexOf('-');
	const start = one(dash < 0 ? word : word.slice(0, dash));
	const end = dash < 0 ? start : one(word.slice(dash + 1));
	return start === null || end === null ? null : { start, end };
}

/** A mark with a mask behind a slash. */
function get_mark(g: ip_globals, word: string): [number, number | null] {
	const slash = word.indexOf('/');
	const mark = get_u32(slash < 0 ? word : word.slice(0, slash));
	if (mark === null) invarg(g, 'fwmark value is invalid\n', word);
	if (slash < 0) return [mark, null];
	const mask = get_u32(word.slice(slash + 1));
	if (mask === null) invarg(g, 'fwmask value is invalid\n', word.slice(slash + 1));
	return [mark, mask];
}

async function list_or_flush(g: ip_globals, a: args, flush: boolean): Promise<number> {
	const f = new rule_filter();
	let family = g.preferred_family;
	if (family === AF_UNSPEC || family === AF_PACKET) family = AF_INET;
	for (; a.more; a.shift()) {
		if (a.matches('preference') || a.matches('order') || a.matches('priority')) {
			const w = a.next();
			const r = get_range(w, get_u32);
			if (r === null) invarg(g, 'preference value is invalid\n', w);
			f.pref = r;
		} else if (a.is('not')) {
			f.not = true;
		} else if (a.is('tos') || a.is('dsfield')) {
			const w = a.next();
			const v = g.names.dsfield_a2n(w);
			if (v === null) invarg(g, 'TOS value is invalid\n', w);
			f.tos = v;
		} else if (a.is('fwmark')) {
			[f.fwmark, f.fwmask] = get_mark(g, a.next());
		} else if (a.is('dev', 'iif')) {
			const w = a.next();
			if (!check_ifname(w)) invarg(g, '"iif"/"dev" not a valid ifname', w);
			f.iif = w;
		} else if (a.is('oif')) {
			const w = a.next();
			if (!check_ifname(w)) invarg(g, '"oif" not a valid ifname', w);
			f.oif = w;
		} else if (a.is('l3mdev')) {
			f.l3mdev = true;
		} else if (a.is('uidrange')) {
			const w = a.next();
			const r = /^\d+-\d+$/.test(w) ? get_range(w, get_u32) : null;
			if (r === null) invarg(g, 'invalid UID range\n', w);
			f.uid = r;
		} else if (a.matches('tun_id')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, '"tun_id" value is invalid\n', w);
			f.tun_id = v;
		} else if (a.matches('lookup') || a.matches('table')) {
			const w = a.next();
			const v = g.names.rttable_a2n(w);
			if (v === null) invarg(g, 'table id value is invalid\n', w);
			f.tb = v;
		} else if (a.is('from') || a.is('src')) {
			f.src = get_prefix(g, a.next(), g.preferred_family);
		} else if (a.matches('protocol')) {
			const w = a.next();
			const v = g.names.rtprot_a2n(w);
			if (v === null) {
				if (w !== 'all') invarg(g, 'invalid "protocol"\n', w);
				f.protocol = null;
			} else f.protocol = v;
		} else if (a.is('ipproto')) {
			const w = a.next();
			const v = g.names.inet_proto_a2n(w);
			if (v === null) invarg(g, 'Invalid "ipproto" value\n', w);
			f.ipproto = v;
		} else if (a.is('sport', 'dport')) {
			const key = a.word as 'sport' | 'dport';
			const w = a.next();
			const r = get_range(w, get_u16);
			if (r === null) invarg(g, `Invalid "${key}"\n`, w);
			f[key] = r;
		} else {
			if (a.matches('dst') || a.matches('to')) a.next();
			if (matches(a.word, 'help')) usage(g);
			f.dst = get_prefix(g, a.word, g.preferred_family);
		}
	}
	const req = new request(RTM_GETRULE, 0, 12);
	req.u8(0, family);
	const rules = await rtnl_dump(g, req, flush ? 'Flush terminated\n' : 'Dump terminated\n');
	if (rules === null) return 1;
	if (flush) return flush_rules(g, f, rules);
	g.out.new_json_obj(g.json > 0);
	for (const n of rules) print_rule(g, n, f);
	g.out.delete_json_obj();
	return 0;
}

async function flush_rules(g: ip_globals, f: rule_filter, rules: nlmsghdr[]): Promise<number> {
	for (const n of rules) {
		const tb = msg_attrs(n, 12, FRA_MAX);
		if (f.protocol !== null && (tb[FRA_PROTOCOL] === null || nla_get_u8(tb[FRA_PROTOCOL]) !== f.protocol)) continue;
		// Rule 0 stays: without it no local address would be found.
		if (tb[FRA_PRIORITY] === null) continue;
		const body = n.buf.slice(n.data, n.end);
		const req = new request(RTM_DELRULE, 0, body.length);
		req.data.set(body, 16);
		const r = await rtnl_talk(g, req, false);
		if (r.ret < 0) return -2;
	}
	return 0;
}

async function iprule_modify(g: ip_globals, cmd: number, a: args): Promise<number> {
	const req = new request(cmd, 0, 12);
	let family = g.preferred_family;
	let table = RT_TABLE_UNSPEC;
	let table_ok = false;
	let l3mdev = false;
	let action = 0;
	let flags = 0;
	if (cmd === RTM_NEWRULE) {
		if (!a.more) {
			g.err('"ip rule add" requires arguments.\n');
			return -1;
		}
		req.flags = NLM_F_CREATE | NLM_F_EXCL | 1;
		action = FR_ACT_TO_TBL;
	}
	if (cmd === RTM_DELRULE && !a.more) {
		g.err('"ip rule del" requires arguments.\n');
		return -1;
	}
	for (; a.more; a.shift()) {
		if (a.is('not')) {
			flags |= FIB_RULE_INVERT;
		} else if (a.is('from')) {
			const p = get_prefix(g, a.next(), family);
			req.u8(2, p.bitlen);
			if (p.bytelen > 0) nla_put(req, FRA_SRC, p.data);
			if (family === AF_UNSPEC) family = p.family;
		} else if (a.is('to')) {
			const p = get_prefix(g, a.next(), family);
			req.u8(1, p.bitlen);
			if (p.bytelen > 0) nla_put(req, FRA_DST, p.data);
			if (family === AF_UNSPEC) family = p.family;
		} else if (a.matches('preference') || a.matches('order') || a.matches('priority')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, 'preference value is invalid\n', w);
			nla_put_u32(req, FRA_PRIORITY, v);
		} else if (a.is('tos') || a.matches('dsfield')) {
			const w = a.next();
			const v = g.names.dsfield_a2n(w);
			if (v === null) invarg(g, 'TOS value is invalid\n', w);
			req.u8(3, v);
		} else if (a.is('fwmark')) {
			const [mark, mask] = get_mark(g, a.next());
			nla_put_u32(req, FRA_FWMARK, mark);
			if (mask !== null) nla_put_u32(req, FRA_FWMASK, mask);
		} else if (a.matches('realms')) {
			const w = a.next();
			const v = get_rt_realms(g, w);
			if (v === null) invarg(g, 'invalid realms\n', w);
			nla_put_u32(req, FRA_FLOW, v);
		} else if (a.matches('protocol')) {
			const w = a.next();
			const v = g.names.rtprot_a2n(w);
			if (v === null) invarg(g, '"protocol" value is invalid\n', w);
			nla_put_u8(req, FRA_PROTOCOL, v);
		} else if (a.matches('tun_id')) {
			const w = a.next();
			const v = get_u32(w);
			if (v === null) invarg(g, '"tun_id" value is invalid\n', w);
			nla_put_be64(req, FRA_TUN_ID, v);
		} else if (a.matches('table') || a.is('lookup')) {
			const w = a.next();
			const v = g.names.rttable_a2n(w);
			if (v === null) invarg(g, 'invalid table ID\n', w);
			table = v;
			table_ok = true;
		} else if (a.matches('suppress_prefixlength') || a.is('sup_pl')) {
			const w = a.next();
			const v = get_integer(w);
			if (v === null || v < 0) invarg(g, 'suppress_prefixlength value is invalid\n', w);
			nla_put_u32(req, FRA_SUPPRESS_PREFIXLEN, v);
		} else if (a.matches('suppress_ifgroup') || a.is('sup_group')) {
			const w = a.next();
			const v = g.names.group_a2n(w);
			if (v === null) invarg(g, 'Invalid "suppress_ifgroup" value\n', w);
			nla_put_u32(req, FRA_SUPPRESS_IFGROUP, v);
		} else if (a.is('dev') || a.is('iif')) {
			const w = a.next();
			if (!check_ifname(w)) invarg(g, '"iif"/"dev" not a valid ifname', w);
			nla_put_string(req, FRA_IIFNAME, w);
		} else if (a.is('oif')) {
			const w = a.next();
			if (!check_ifname(w)) invarg(g, '"oif" not a valid ifname', w);
			nla_put_string(req, FRA_OIFNAME, w);
		} else if (a.is('l3mdev')) {
			nla_put_u8(req, FRA_L3MDEV, 1);
			table_ok = true;
			l3mdev = true;
		} else if (a.is('uidrange')) {
			const w = a.next();
			const r = /^\d+-\d+$/.test(w) ? get_range(w, get_u32) : null;
			if (r === null) invarg(g, 'invalid UID range\n', w);
			const at = nla_reserve(req, FRA_UID_RANGE, 8);
			put_unaligned_le32(req.data, at, r.start);
			put_unaligned_le32(req.data, at + 4, r.end);
		} else if (a.is('nat') || a.matches('map-to')) {
			const w = a.next();
			g.err('Warning: route NAT is deprecated\n');
			nla_put(req, 10, get_addr32(g, w));
			action = RTN_NAT;
		} else if (a.is('ipproto')) {
			const w = a.next();
			const v = g.names.inet_proto_a2n(w);
			if (v === null) invarg(g, 'Invalid "ipproto" value\n', w);
			nla_put_u8(req, FRA_IP_PROTO, v);
		} else if (a.is('sport', 'dport')) {
			const key = a.word;
			const w = a.next();
			const r = get_range(w, get_u32);
			if (r === null) invarg(g, 'invalid port range\n', w);
			// As sscanf("%hu") reads.
			r.start &= 0xffff;
			r.end &= 0xffff;
			const at = nla_reserve(req, key === 'sport' ? FRA_SPORT_RANGE : FRA_DPORT_RANGE, 4);
			put_unaligned_le16(req.data, at, r.start);
			put_unaligned_le16(req.data, at + 2, r.end);
		} else {
			if (a.is('type')) a.next();
			if (matches(a.word, 'help')) usage(g);
			if (matches(a.word, 'goto')) {
				const w = a.next();
				const v = get_u32(w);
				if (v === null) invarg(g, 'invalid target\n', w);
				action = FR_ACT_GOTO;
				nla_put_u32(req, FRA_GOTO, v);
			} else if (matches(a.word, 'nop')) action = FR_ACT_NOP;
			else {
				const t = g.names.rtntype_a2n(a.word);
				if (t === null) invarg(g, 'Failed to parse rule type', a.word);
				action = t;
			}
			table_ok = true;
		}
	}
	if (l3mdev && table !== RT_TABLE_UNSPEC) {
		g.err('table can not be specified for l3mdev rules\n');
		return -22;
	}
	if (family === AF_UNSPEC) family = AF_INET;
	if (!table_ok && cmd === RTM_NEWRULE) table = RT_TABLE_MAIN;
	req.u8(0, family);
	if (table < 256) req.u8(4, table);
	else {
		req.u8(4, RT_TABLE_UNSPEC);
		nla_put_u32(req, FRA_TABLE, table);
	}
	req.u8(7, action);
	req.u32(8, flags);
	const r = await rtnl_talk(g, req, false);
	return r.ret < 0 ? -2 : 0;
}

export async function do_iprule(g: ip_globals, a: args): Promise<number> {
	if (!a.more) return list_or_flush(g, a, false);
	const w = a.word;
	const rest = (): args => {
		a.shift();
		return a;
	};
	if (matches(w, 'list') || matches(w, 'lst') || matches(w, 'show')) return list_or_flush(g, rest(), false);
	if (matches(w, 'save')) unsupported(g, 'rule save');
	if (matches(w, 'restore')) unsupported(g, 'rule restore');
	if (matches(w, 'add')) return iprule_modify(g, RTM_NEWRULE, rest());
	if (matches(w, 'delete')) return iprule_modify(g, RTM_DELRULE, rest());
	if (matches(w, 'flush')) return list_or_flush(g, rest(), true);
	if (matches(w, 'help')) usage(g);
	g.err(`Command "${w}" is unknown, try "ip rule help".\n`);
	exit(-1);
}
