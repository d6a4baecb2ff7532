/*
 * user/iproute2/ipntable.ts: `ip ntable`.                          Original: ip/ipntable.c
 */
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	get_unaligned_le64,
	nla_get_string,
	nla_get_u32,
	nla_get_u64,
	nla_nest_end,
	nla_nest_start_noflag,
	nla_put_string,
	nla_put_u32,
	nla_put_u64,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	NDTA_CONFIG,
	NDTA_GC_INTERVAL,
	NDTA_MAX,
	NDTA_NAME,
	NDTA_PARMS,
	NDTA_STATS,
	NDTA_THRESH1,
	NDTA_THRESH2,
	NDTA_THRESH3,
	NDTPA_ANYCAST_DELAY,
	NDTPA_APP_PROBES,
	NDTPA_BASE_REACHABLE_TIME,
	NDTPA_DELAY_PROBE_TIME,
	NDTPA_GC_STALETIME,
	NDTPA_IFINDEX,
	NDTPA_LOCKTIME,
	NDTPA_MAX,
	NDTPA_MCAST_PROBES,
	NDTPA_PROXY_DELAY,
	NDTPA_PROXY_QLEN,
	NDTPA_QUEUE_LEN,
	NDTPA_REACHABLE_TIME,
	NDTPA_REFCNT,
	NDTPA_RETRANS_TIME,
	NDTPA_UCAST_PROBES,
} from '../../uapi/linux/neighbour.ts';
import { NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import { RTM_GETNEIGHTBL, RTM_NEWNEIGHTBL, RTM_SETNEIGHTBL } from '../../uapi/linux/rtnetlink.ts';
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../uapi/linux/socket.ts';
import { NTABLE_USAGE } from './help.ts';
import { COLOR_IFNAME } from './json_print.ts';
import { msg_attrs, parse_rtattr_nested, request, rtnl_dump, rtnl_talk } from './libnetlink.ts';
import {
	type args,
	civil,
	duparg,
	exit,
	family_name,
	get_u32,
	invarg,
	type ip_globals,
	matches,
	missarg,
	nodev,
} from './utils.ts';

function usage(g: ip_globals): never {
	g.err(NTABLE_USAGE);
	exit(-1);
}

interface word_of {
	word: string;
	attr: number;
	/** Milliseconds in 64 bits. */
	wide: boolean;
}

const PARMS: readonly word_of[] = [
	{ word: 'base_reachable', attr: NDTPA_BASE_REACHABLE_TIME, wide: true },
	{ word: 'retrans', attr: NDTPA_RETRANS_TIME, wide: true },
	{ word: 'gc_stale', attr: NDTPA_GC_STALETIME, wide: true },
	{ word: 'delay_probe', attr: NDTPA_DELAY_PROBE_TIME, wide: true },
	{ word: 'queue', attr: NDTPA_QUEUE_LEN, wide: false },
	{ word: 'app_probes', attr: NDTPA_APP_PROBES, wide: false },
	{ word: 'ucast_probes', attr: NDTPA_UCAST_PROBES, wide: false },
	{ word: 'mcast_probes', attr: NDTPA_MCAST_PROBES, wide: false },
	{ word: 'anycast_delay', attr: NDTPA_ANYCAST_DELAY, wide: true },
	{ word: 'proxy_delay', attr: NDTPA_PROXY_DELAY, wide: true },
	{ word: 'proxy_queue', attr: NDTPA_PROXY_QLEN, wide: false },
	{ word: 'locktime', attr: NDTPA_LOCKTIME, wide: true },
];
const THRESH: readonly (readonly [string, number])[] = [
	['thresh1', NDTA_THRESH1],
	['thresh2', NDTA_THRESH2],
	['thresh3', NDTA_THRESH3],
];

async function ipntable_modify(g: ip_globals, a: args): Promise<number> {
	const req = new request(RTM_SETNEIGHTBL, NLM_F_REPLACE, 4);
	req.u8(0, g.preferred_family);
	const seen: Set<string> = new Set();
	const tbl: [number, number, boolean][] = [];
	const parms: [number, number, boolean][] = [];
	let name: string | null = null;
	const value = (key: string): number => {
		const w = a.next();
		if (seen.has(key)) duparg(g, key, w);
		seen.add(key);
		const v = get_u32(w);
		if (v === null) invarg(g, `"${key}" value is invalid`, w);
		return v;
	};
	for (; a.more; a.shift()) {
		const p = PARMS.find((x) => x.word === a.word);
		const t = THRESH.find((x) => x[0] === a.word);
		if (a.is('name')) {
			const w = a.next();
			if (name !== null) duparg(g, 'NAME', w);
			name = w;
		} else if (t !== undefined) tbl.push([t[1], value(t[0]), false]);
		else if (a.is('gc_int')) tbl.push([NDTA_GC_INTERVAL, value('gc_int'), true]);
		else if (a.is('dev')) {
			const w = a.next();
			const idx = await g.ll.name_to_index(w);
			if (idx === 0) return nodev(g, w);
			parms.push([NDTPA_IFINDEX, idx, false]);
		} else if (p !== undefined) parms.push([p.attr, value(p.word), p.wide]);
		else invarg(g, 'unknown', a.word);
	}
	if (name === null) missarg(g, 'NAME');
	const changes = tbl.length + parms.filter((x) => x[0] !== NDTPA_IFINDEX).length;
	if (changes === 0) {
		g.err('Not enough information: changeable attributes required.\n');
		exit(-1);
	}
	nla_put_string(req, NDTA_NAME, name);
	for (const [attr, v, wide] of tbl) {
		if (wide) nla_put_u64(req, attr, v);
		else nla_put_u32(req, attr, v);
	}
	if (parms.length > 0) {
		const nest = nla_nest_start_noflag(req, NDTA_PARMS);
		for (const [attr, v, wide] of parms) {
			if (wide) nla_put_u64(req, attr, v);
			else nla_put_u32(req, attr, v);
		}
		nla_nest_end(req, nest);
	}
	const r = await rtnl_talk(g, req, false);
	return r.ret < 0 ? exit(2) : 0;
}

function print_ntable(g: ip_globals, n: nlmsghdr, want_name: string | null, want_dev: number): void {
	const { out } = g;
	if (n.nlmsg_type !== RTM_NEWNEIGHTBL) return;
	const family = n.buf[n.data];
	if (g.preferred_family !== 0 && g.preferred_family !== family) return;
	const tb = msg_attrs(n, 4, NDTA_MAX);
	const name = tb[NDTA_NAME] === null ? '' : nla_get_string(tb[NDTA_NAME]);
	if (want_name !== null && name !== want_name) return;
	const tpb = tb[NDTA_PARMS] === null ? null : parse_rtattr_nested(NDTPA_MAX, tb[NDTA_PARMS]);
	const ifindex = tpb?.[NDTPA_IFINDEX] == null ? 0 : nla_get_u32(tpb[NDTPA_IFINDEX]);
	if (want_dev !== 0 && want_dev !== ifindex) return;
	out.open_json_object(null);
	out.any('family', family_name(family), `${family_name(family)} `);
	out.any('name', name, `${name} `);
	out.fp(g.nl);
	if (ifindex !== 0) {
		const dev = g.ll.has(ifindex) ? g.ll.index_to_name(ifindex) : '*';
		out.fp('    ');
		out.colored(COLOR_IFNAME, 'dev', dev, 'dev ', dev, ' ');
		out.fp(g.nl);
	}
	const head = [NDTA_THRESH1, NDTA_THRESH2, NDTA_THRESH3, NDTA_GC_INTERVAL].some((t) => tb[t] !== null);
	if (head) {
		out.fp('    ');
		for (const [word, t] of THRESH) {
			const a = tb[t];
			if (a !== null) out.any(word, nla_get_u32(a), `${word} ${nla_get_u32(a)} `);
		}
		const gc = tb[NDTA_GC_INTERVAL];
		if (gc !== null) out.any('gc_interval', nla_get_u64(gc), `gc_int ${nla_get_u64(gc)} `);
		out.fp(g.nl);
	}
	const cfg = tb[NDTA_CONFIG];
	if (cfg !== null && g.show_stats > 0) {
		const u16 = (o: number): number => get_unaligned_le16(cfg.buf, cfg.off + o);
		const u32 = (o: number): number => get_unaligned_le32(cfg.buf, cfg.off + o);
		out.fp('    config ');
		out.any('key_length', u16(0), `key_len ${u16(0)} `);
		out.any('entry_size', u16(2), `entry_size ${u16(2)} `);
		out.any('entries', u32(4), `entries ${u32(4)} `);
		out.fp(g.nl);
		const now = g.proc.realtime().sec;
		const at = (ms: number): string => iso(now - Math.trunc(ms / 1000));
		out.any('last_flush', at(u32(8)), `        last_flush ${at(u32(8))} `);
		out.any('last_rand', at(u32(12)), `last_rand ${at(u32(12))} `);
		out.fp(g.nl);
		const mask = u32(20).toString(16).padStart(8, '0');
		out.any('hash_rnd', u32(16), `        hash_rnd ${u32(16)} `);
		out.any('hash_mask', out.json ? u32(20) : mask, `hash_mask ${mask} `);
		out.any('hash_chain_gc', u32(24), `hash_chain_gc ${u32(24)} `);
		out.any('proxy_qlen', u32(28), `proxy_qlen ${u32(28)} `);
		out.fp(g.nl);
	}
	if (tpb !== null) print_parms(g, tpb);
	const st = tb[NDTA_STATS];
	if (st !== null && g.show_stats > 0) {
		const u64 = (i: number): number => get_unaligned_le64(st.buf, st.off + 8 * i);
		out.fp('    stats ');
		const word = (i: number, key: string, always: boolean): void => {
			if (always || u64(i) !== 0 || out.json) out.any(key, u64(i), `${key} ${u64(i)} `);
		};
		word(0, 'allocs', true);
		word(1, 'destroys', true);
		word(2, 'hash_grows', true);
		out.fp(g.nl);
	}
	out.fp('\n');
	out.close_json_object();
}

function iso(sec: number): string {
	const c = civil(sec);
	const two = (v: number): string => String(v).padStart(2, '0');
	return `${c.y}-${two(c.m + 1)}-${two(c.d)} ${c.hms}`;
}

function print_parms(g: ip_globals, tpb: ReturnType<typeof parse_rtattr_nested>): void {
	const { out } = g;
	const u32 = (t: number, key: string, word: string): void => {
		const a = tpb[t];
		if (a !== null) out.any(key, nla_get_u32(a), `${word} ${nla_get_u32(a)} `);
	};
	const u64 = (t: number, key: string, word: string): void => {
		const a = tpb[t];
		if (a !== null) out.any(key, nla_get_u64(a), `${word} ${nla_get_u64(a)} `);
	};
	out.fp('    ');
	u32(NDTPA_REFCNT, 'refcnt', 'refcnt');
	u64(NDTPA_REACHABLE_TIME, 'reachable', 'reachable');
	u64(NDTPA_BASE_REACHABLE_TIME, 'base_reachable', 'base_reachable');
	u64(NDTPA_RETRANS_TIME, 'retrans', 'retrans');
	out.fp(`${g.nl}    `);
	u64(NDTPA_GC_STALETIME, 'gc_stale', 'gc_stale');
	u64(NDTPA_DELAY_PROBE_TIME, 'delay_probe', 'delay_probe');
	u32(NDTPA_QUEUE_LEN, 'queue', 'queue');
	out.fp(`${g.nl}    `);
	u32(NDTPA_APP_PROBES, 'app_probes', 'app_probes');
	u32(NDTPA_UCAST_PROBES, 'ucast_probes', 'ucast_probes');
	u32(NDTPA_MCAST_PROBES, 'mcast_probes', 'mcast_probes');
	out.fp(`${g.nl}    `);
	u64(NDTPA_ANYCAST_DELAY, 'anycast_delay', 'anycast_delay');
	u64(NDTPA_PROXY_DELAY, 'proxy_delay', 'proxy_delay');
	u32(NDTPA_PROXY_QLEN, 'proxy_queue', 'proxy_queue');
	u64(NDTPA_LOCKTIME, 'locktime', 'locktime');
	out.fp(g.nl);
}

async function ipntable_show(g: ip_globals, a: args): Promise<number> {
	let name: string | null = null;
	let dev = 0;
	for (; a.more; a.shift()) {
		if (a.is('dev')) {
			const w = a.next();
			if (w === 'none') dev = 0;
			else {
				dev = await g.ll.name_to_index(w);
				if (dev === 0) invarg(g, '"DEV" is invalid', w);
			}
		} else if (a.is('name')) name = a.next();
		else invarg(g, 'unknown', a.word);
	}
	const req = new request(RTM_GETNEIGHTBL, 0, 4);
	const family = g.preferred_family;
	req.u8(0, family === AF_INET || family === AF_INET6 ? family : AF_UNSPEC);
	const list = await rtnl_dump(g, req, 'Dump terminated\n');
	if (list === null) exit(1);
	await g.ll.init();
	g.out.new_json_obj(g.json > 0);
	for (const n of list) print_ntable(g, n, name, dev);
	g.out.delete_json_obj();
	return 0;
}

export async function do_ipntable(g: ip_globals, a: args): Promise<number> {
	if (!a.more) return ipntable_show(g, a);
	const w = a.word;
	a.shift();
	if (matches(w, 'change') || matches(w, 'chg')) return ipntable_modify(g, a);
	if (matches(w, 'show') || matches(w, 'lst') || matches(w, 'list')) return ipntable_show(g, a);
	if (matches(w, 'help')) usage(g);
	g.err(`Command "${w}" is unknown, try "ip ntable help".\n`);
	exit(-1);
}
