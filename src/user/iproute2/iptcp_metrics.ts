/*
 * user/iproute2/iptcp_metrics.ts: `ip tcp_metrics`.                Original: ip-tcp_metrics(8), ip/tcp_metrics.c
 * Walk: do_tcp_metrics -> the family's number (genl_resolve_family) -> a dump, a GET or a DEL -> process_msg prints.
 */
import {
	nla_get_be32,
	nla_get_u16,
	nla_get_u32,
	nla_get_u64,
	nla_put,
	nla_put_string,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { NETLINK_GENERIC } from '../../uapi/linux/netlink.ts';
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../uapi/linux/socket.ts';
import {
	TCP_METRIC_MAX,
	TCP_METRIC_RTT,
	TCP_METRIC_RTT_US,
	TCP_METRIC_RTTVAR,
	TCP_METRIC_RTTVAR_US,
	TCP_METRICS_ATTR_ADDR_IPV4,
	TCP_METRICS_ATTR_ADDR_IPV6,
	TCP_METRICS_ATTR_AGE,
	TCP_METRICS_ATTR_FOPEN_COOKIE,
	TCP_METRICS_ATTR_FOPEN_MSS,
	TCP_METRICS_ATTR_FOPEN_SYN_DROP_TS,
	TCP_METRICS_ATTR_FOPEN_SYN_DROPS,
	TCP_METRICS_ATTR_MAX,
	TCP_METRICS_ATTR_SADDR_IPV4,
	TCP_METRICS_ATTR_VALS,
	TCP_METRICS_CMD_DEL,
	TCP_METRICS_CMD_GET,
	TCP_METRICS_GENL_NAME,
	TCP_METRICS_GENL_VERSION,
} from '../../uapi/linux/tcp_metrics.ts';
import { TCP_METRICS_USAGE } from './help.ts';
import {
	msg_attrs,
	parse_rtattr_nested,
	request,
	rtnl_dump_filter,
	rtnl_dump_request,
	type rtnl_handle,
	rtnl_open,
	rtnl_talk,
} from './libnetlink.ts';
import { type args, duparg2, exit, get_prefix, type inet_prefix, type ip_globals, matches, missarg } from './utils.ts';

const GENL_HDRLEN = 4;
const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const CTRL_ATTR_MAX = 10;

const METRIC_NAME = ['rtt', 'rttvar', 'ssthresh', 'cwnd', 'reordering'];

const CMD_LIST = 1;
const CMD_DEL = 2;
const CMD_FLUSH = 4;

function usage(g: ip_globals): never {
	g.err(TCP_METRICS_USAGE);
	exit(-1);
}

class genl_request extends request {
	constructor(family: number, cmd: number, version: number) {
		super(family, 0, GENL_HDRLEN);
		this.u8(0, cmd);
		this.u8(1, version);
	}
}

/** The number that the kernel gave a family of generic netlink. */
async function genl_resolve_family(g: ip_globals, rth: rtnl_handle, name: string): Promise<number> {
	const req = new genl_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	nla_put_string(req, CTRL_ATTR_FAMILY_NAME, name);
	const r = await rtnl_talk(g, req, true, false, rth);
	const id = r.answer === null ? null : msg_attrs(r.answer, GENL_HDRLEN, CTRL_ATTR_MAX)[CTRL_ATTR_FAMILY_ID];
	if (id === null) {
		g.err('Error talking to the kernel\n');
		exit(1);
	}
	return nla_get_u16(id);
}

function dotted(v: number): string {
	return `${v >>> 24}.${(v >>> 16) & 255}.${(v >>> 8) & 255}.${v & 255}`;
}

/** Whether an address lies in what was asked for. */
function in_prefix(p: inet_prefix | null, addr: number): boolean {
	if (p === null || p.bytelen === 0 || p.bitlen === 0) return true;
	if (p.family !== AF_INET) return false;
	const want = ((p.data[0] << 24) | (p.data[1] << 16) | (p.data[2] << 8) | p.data[3]) >>> 0;
	const shift = 32 - p.bitlen;
	return Math.floor(want / 2 ** shift) === Math.floor((addr >>> 0) / 2 ** shift);
}

class tcpm {
	g: ip_globals;
	rth: rtnl_handle;
	family: number;
	cmd: number;
	daddr: inet_prefix | null = null;
	saddr: inet_prefix | null = null;
	/** Entries that a flush deletes. */
	doomed: number[] = [];

	constructor(g: ip_globals, rth: rtnl_handle, family: number, cmd: number) {
		this.g = g;
		this.rth = rth;
		this.family = family;
		this.cmd = cmd;
	}

	/** One entry of the kernel's answer. */
	process_msg(n: nlmsghdr): number {
		const { out } = this.g;
		if (n.nlmsg_type !== this.family) return 0;
		const tb = msg_attrs(n, GENL_HDRLEN, TCP_METRICS_ATTR_MAX);
		const a = tb[TCP_METRICS_ATTR_ADDR_IPV4];
		if (a === null) return 0;
		const s = tb[TCP_METRICS_ATTR_SADDR_IPV4];
		if (!in_prefix(this.daddr, nla_get_be32(a)) || (s !== null && !in_prefix(this.saddr, nla_get_be32(s)))) return 0;
		if (this.cmd === CMD_FLUSH) {
			this.doomed.push(nla_get_be32(a));
			return 0;
		}
		out.open_json_object(null);
		const dst = dotted(nla_get_be32(a));
		out.any('dst', dst, dst);
		const age = tb[TCP_METRICS_ATTR_AGE];
		if (age !== null) out.any('age', nla_get_u64(age) / 1000, ` age ${(nla_get_u64(age) / 1000).toFixed(3)}sec`);
		this.print_vals(tb[TCP_METRICS_ATTR_VALS]);
		const mss = tb[TCP_METRICS_ATTR_FOPEN_MSS];
		if (mss !== null) out.any('fopen_miss', nla_get_u16(mss), ` fo_mss ${nla_get_u16(mss)}`);
		const drops = tb[TCP_METRICS_ATTR_FOPEN_SYN_DROPS];
		if (drops !== null) {
			const ts = tb[TCP_METRICS_ATTR_FOPEN_SYN_DROP_TS];
			const v = nla_get_u16(drops);
			out.any('fopen_syn_drops', v, ` fo_syn_drops ${v}`);
			if (ts !== null) {
				const sec = nla_get_u64(ts) / 1000;
				out.any('fopen_syn_drop_ts', sec, `/${sec.toFixed(3)}sec ago`);
			}
		}
		const cookie = tb[TCP_METRICS_ATTR_FOPEN_COOKIE];
		if (cookie !== null) {
			const hex = Array.from(cookie.buf.subarray(cookie.off, cookie.off + cookie.len), (x) =>
				x.toString(16).padStart(2, '0'),
			).join('');
			out.any('fo_cookie', hex, ` fo_cookie ${hex}`);
		}
		if (s !== null) {
			const src = dotted(nla_get_be32(s));
			out.any('source', src, ` source ${src}`);
		}
		out.fp('\n');
		out.close_json_object();
		return 0;
	}

	print_vals(vals: ReturnType<typeof msg_attrs>[number]): void {
		if (vals === null || vals === undefined) return;
		const { out } = this.g;
		const m = parse_rtattr_nested(TCP_METRIC_MAX + 1, vals);
		let rtt = 0;
		let rttvar = 0;
		for (let i = 0; i <= TCP_METRIC_MAX; i++) {
			const a = m[i + 1];
			const v = a === null ? 0 : nla_get_u32(a);
			if (v === 0) continue;
			if (i === TCP_METRIC_RTT) rtt = rtt === 0 ? Math.floor((v * 1000) / 8) : rtt;
			else if (i === TCP_METRIC_RTTVAR) rttvar = rttvar === 0 ? Math.floor((v * 1000) / 4) : rttvar;
			else if (i === TCP_METRIC_RTT_US) rtt = v >>> 3;
			else if (i === TCP_METRIC_RTTVAR_US) rttvar = v >>> 2;
			else out.any(METRIC_NAME[i], v, ` ${METRIC_NAME[i]} ${v}`);
		}
		if (rtt !== 0) out.any('rtt', rtt / 1e6, ` rtt ${rtt}us`);
		if (rttvar !== 0) out.any('rttvar', rttvar / 1e6, ` rttvar ${rttvar}us`);
	}

	/** All entries. Return: 0 or an exit status. */
	async dump(): Promise<number> {
		const req = new genl_request(this.family, TCP_METRICS_CMD_GET, TCP_METRICS_GENL_VERSION);
		if ((await rtnl_dump_request(this.rth, req)) < 0) {
			this.g.err('Failed to send dump request\n');
			exit(1);
		}
		if ((await rtnl_dump_filter(this.g, this.rth, (n) => this.process_msg(n))) < 0) {
			this.g.err('Dump terminated\n');
			exit(1);
		}
		return 0;
	}

	/** A request about one address, or (null) about all. Return: the exit status of its failure, or 0. */
	async one(cmd: number, addr: Uint8Array | null): Promise<number> {
		const req = new genl_request(this.family, cmd, TCP_METRICS_GENL_VERSION);
		if (addr !== null) nla_put(req, addr.length === 4 ? TCP_METRICS_ATTR_ADDR_IPV4 : TCP_METRICS_ATTR_ADDR_IPV6, addr);
		const want = cmd === TCP_METRICS_CMD_GET;
		const r = await rtnl_talk(this.g, req, want, false, this.rth);
		if (r.ret < 0) return -2;
		if (r.answer !== null) {
			this.g.out.new_json_obj(this.g.json > 0);
			this.process_msg(r.answer);
			this.g.out.delete_json_obj();
		}
		return 0;
	}
}

/** What the words after the command select. */
function parse_selector(g: ip_globals, a: args, t: tcpm): void {
	for (let first = true; a.more; a.shift()) {
		if (a.is('src', 'source')) {
			const w = a.next();
			if (t.daddr !== null) duparg2(g, 'address', w);
			if (t.saddr === null) t.saddr = get_prefix(g, w, g.preferred_family);
		} else {
			const named = a.is('addr', 'address');
			const w = named ? a.next() : a.word;
			if (matches(w, 'help')) usage(g);
			if (named && t.daddr !== null) duparg2(g, 'address', w);
			// The original looks at the first word only.
			if (!first) continue;
			const p = get_prefix(g, w, g.preferred_family);
			if (t.cmd === CMD_DEL && (p.bytelen === 0 || p.bitlen !== p.bytelen * 8)) {
				g.err(`Error: a specific IP address is expected rather than "${w}"\n`);
				exit(1);
			}
			t.daddr = p;
		}
		first = false;
	}
	if (t.cmd === CMD_DEL && t.daddr === null) missarg(g, 'address');
}

async function tcpm_do_cmd(g: ip_globals, cmd: number, a: args): Promise<number> {
	const rth = await rtnl_open(g, 0, NETLINK_GENERIC);
	if (rth === null) exit(1);
	try {
		const family = await genl_resolve_family(g, rth, TCP_METRICS_GENL_NAME);
		const t = new tcpm(g, rth, family, cmd);
		parse_selector(g, a, t);
		const d = t.daddr;
		const host = d !== null && d.bytelen > 0 && d.bitlen === d.bytelen * 8;
		if (cmd === CMD_DEL) return await t.one(TCP_METRICS_CMD_DEL, d!.data);
		if (cmd === CMD_FLUSH) {
			if (host) return await t.one(TCP_METRICS_CMD_DEL, d!.data);
			if (t.saddr === null && (d === null || d.bytelen === 0 || d.bitlen === 0))
				return await t.one(TCP_METRICS_CMD_DEL, null);
			await t.dump();
			if (t.doomed.length === 0) {
				g.out.fp('Nothing to flush.\n');
				return 0;
			}
			for (const v of t.doomed) {
				const r = await t.one(TCP_METRICS_CMD_DEL, Uint8Array.of(v >>> 24, v >>> 16, v >>> 8, v));
				if (r < 0) return r;
			}
			return 0;
		}
		if (host) return await t.one(TCP_METRICS_CMD_GET, d!.data);
		g.out.new_json_obj(g.json > 0);
		await t.dump();
		g.out.delete_json_obj();
		return 0;
	} finally {
		rth.close();
	}
}

export async function do_tcp_metrics(g: ip_globals, a: args): Promise<number> {
	if (g.preferred_family !== AF_UNSPEC && g.preferred_family !== AF_INET && g.preferred_family !== AF_INET6) {
		g.err(`Unsupported protocol family: ${g.preferred_family}\n`);
		exit(-1);
	}
	if (!a.more) return tcpm_do_cmd(g, CMD_LIST, a);
	const w = a.word;
	a.shift();
	if (matches(w, 'list') || matches(w, 'show') || matches(w, 'lst')) return tcpm_do_cmd(g, CMD_LIST, a);
	if (matches(w, 'delete')) return tcpm_do_cmd(g, CMD_DEL, a);
	if (matches(w, 'flush')) return tcpm_do_cmd(g, CMD_FLUSH, a);
	if (matches(w, 'help')) usage(g);
	g.err(`Command "${w}" is unknown, try "ip tcp_metrics help".\n`);
	exit(-1);
}
