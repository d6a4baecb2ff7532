/*
 * user/iproute2/ss.ts: `ss`: sockets.                                Original: misc/ss.c of iproute2 6.1
 *
 * Walk: options and filter (ss_filter.ts) -> inet_show_netlink asks sock_diag for AF_INET and AF_INET6 -> inet_show_sock makes a line
 *       (ss_print.ts). Raw sockets are read from /proc/net/raw, as the reference kernel has no raw_diag.
 * Not here: unix, packet, netlink, vsock, tipc and xdp sockets (there are none, or nobody tells of them); -E, -D, -Z, -z, -b's programs.
 */
import { get_unaligned_be16, get_unaligned_be32, get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { nla_put, type nlattr_table, type nlmsghdr, nlmsghdr as nlmsghdr_class } from '../../lib/nlattr.ts';
import { EINVAL, ENOENT, EOPNOTSUPP, strerror } from '../../uapi/asm-generic/errno.ts';
import {
	INET_DIAG_CONG,
	INET_DIAG_INFO,
	INET_DIAG_MAX,
	INET_DIAG_MEMINFO,
	INET_DIAG_MSG_LEN,
	INET_DIAG_REQ_BYTECODE,
	INET_DIAG_REQ_LEN,
	INET_DIAG_REQ_V2_LEN,
	INET_DIAG_SKMEMINFO,
	INET_DIAG_TCLASS,
	INET_DIAG_TOS,
	INET_DIAG_VEGASINFO,
	SOCK_DESTROY,
	SOCK_DIAG_BY_FAMILY,
	TCPDIAG_GETSOCK,
} from '../../uapi/linux/inet_diag.ts';
import {
	NETLINK_ROUTE,
	NETLINK_SOCK_DIAG,
	NLM_F_ACK,
	NLM_F_DUMP,
	NLMSG_DONE,
	NLMSG_ERROR,
} from '../../uapi/linux/netlink.ts';
import {
	AF_INET,
	AF_INET6,
	AF_UNSPEC,
	IPPROTO_TCP,
	IPPROTO_UDP,
	msghdr,
	sockaddr_nl,
} from '../../uapi/linux/socket.ts';
import { getprotobynumber, getservbyport } from '../iptables/netdb.ts';
import { type Process, utf8_decode } from '../libc.ts';
import { netns_switch } from './ipnetns.ts';
import { msg_attrs, request, type rtnl_handle, rtnl_open, rtnl_recvmsg } from './libnetlink.ts';
import { ll_map } from './ll_map.ts';
import {
	run_ssfilter,
	ss_error,
	type ss_names,
	type ssfilter,
	ssfilter_bytecompile,
	ssfilter_parse,
} from './ss_filter.ts';
import { parse_options, USAGE, VERSION } from './ss_options.ts';
import {
	COL_NETID,
	COL_STATE,
	cgroup_print,
	print_ms_timer,
	shutdown_print,
	sock_details_print,
	sockopt_print,
	type ss_show,
	ss_table,
	tcp_show_info,
	tos_print,
} from './ss_print.ts';
import { inet_ntop6, ip_exit, ip_globals } from './utils.ts';

// ---- what is to be shown ---------------------------------------------------------------------------------------------------------

const TCP_DB = 1;
const UDP_DB = 2;
const RAW_DB = 4;
const MPTCP_DB = 8;
const DCCP_DB = 16;
const SCTP_DB = 32;
const UNIX_DGRAM_DB = 64;
const UNIX_STREAM_DB = 8192;
const UNIX_SEQPACKET_DB = 16384;
const UNIX_DB = UNIX_DGRAM_DB | UNIX_STREAM_DB | UNIX_SEQPACKET_DB;
const PACKET_DB = 128 + 256;
const NETLINK_DB = 512;
const VSOCK_DB = 1024;
const TIPC_DB = 2048;
const XDP_DB = 4096;
const INET_DBM = TCP_DB | UDP_DB | RAW_DB | MPTCP_DB | DCCP_DB | SCTP_DB;
const ALL_DB = 32767;

const DB_NAMES: Readonly<Record<string, number>> = {
	all: ALL_DB,
	inet: INET_DBM,
	tcp: TCP_DB,
	mptcp: MPTCP_DB,
	udp: UDP_DB,
	raw: RAW_DB,
	dccp: DCCP_DB,
	sctp: SCTP_DB,
	unix: UNIX_DB,
	unix_dgram: UNIX_DGRAM_DB,
	unix_stream: UNIX_STREAM_DB,
	unix_seqpacket: UNIX_SEQPACKET_DB,
	packet: PACKET_DB,
	packet_raw: 128,
	packet_dgram: 256,
	netlink: NETLINK_DB,
	vsock: VSOCK_DB,
	vsock_stream: VSOCK_DB,
	vsock_dgram: VSOCK_DB,
	tipc: TIPC_DB,
	xdp: XDP_DB,
};

const IPPROTO_DCCP = 33;
const IPPROTO_RAW = 255;

const SS_ESTABLISHED = 1;
const SS_SYN_RECV = 3;
const SS_TIME_WAIT = 6;
const SS_CLOSE = 7;
const SS_LISTEN = 10;
const SS_ALL = (1 << 12) - 1;
const SS_CONN = SS_ALL & ~((1 << SS_LISTEN) | (1 << SS_CLOSE) | (1 << SS_TIME_WAIT) | (1 << SS_SYN_RECV));

const STATE_NAMES: readonly string[] = [
	'UNKNOWN',
	'ESTAB',
	'SYN-SENT',
	'SYN-RECV',
	'FIN-WAIT-1',
	'FIN-WAIT-2',
	'TIME-WAIT',
	'UNCONN',
	'CLOSE-WAIT',
	'LAST-ACK',
	'LISTEN',
	'CLOSING',
];
const STATE_WORDS: readonly string[] = [
	'unknown',
	'established',
	'syn-sent',
	'syn-recv',
	'fin-wait-1',
	'fin-wait-2',
	'time-wait',
	'unconnected',
	'close-wait',
	'last-ack',
	'listening',
	'closing',
];

/** The states that a word means; null when it is none. */
function scan_state(word: string): number | null {
	switch (word.toLowerCase()) {
		case 'close':
		case 'closed':
			return 1 << SS_CLOSE;
		case 'syn-rcv':
			return 1 << SS_SYN_RECV;
		case 'all':
			return SS_ALL;
		case 'connected':
			return SS_ALL & ~((1 << SS_CLOSE) | (1 << SS_LISTEN));
		case 'synchronized':
			return SS_ALL & ~((1 << SS_CLOSE) | (1 << SS_LISTEN) | (1 << 2));
		case 'bucket':
			return (1 << SS_SYN_RECV) | (1 << SS_TIME_WAIT);
		case 'big':
			return SS_ALL & ~((1 << SS_SYN_RECV) | (1 << SS_TIME_WAIT));
		default: {
			const i = STATE_WORDS.indexOf(word.toLowerCase());
			return i < 0 ? null : 1 << i;
		}
	}
}

/** States that a kind of socket is shown in when nothing is said. */
function default_states(db: number): number {
	return (db & (TCP_DB | MPTCP_DB | DCCP_DB | SCTP_DB | UNIX_DB)) !== 0 ? SS_CONN : 1 << SS_ESTABLISHED;
}

class ss_globals {
	proc: Process;
	/** What the libraries of ip want. */
	g: ip_globals;
	table: ss_table = new ss_table();
	show: ss_show = {
		options: false,
		details: false,
		mem: false,
		tcpinfo: false,
		tos: false,
		cgroup: false,
		sockopt: false,
		oneline: false,
		numeric: false,
	};
	resolve_hosts = false;
	processes = false;
	threads = false;
	kill = false;
	dbs = 0;
	states = 0;
	families = 0;
	filter: ssfilter | null = null;
	/** Owners by inode: `("name",pid=1,fd=3)`, the last found first. */
	users: Map<number, string[]> = new Map();
	hosts: Map<string, string> = new Map();
	ports_low = 32768;
	ports_high = 60999;
	kill_fd: rtnl_handle | null = null;
	cgroup_told = false;

	constructor(proc: Process) {
		this.proc = proc;
		this.g = new ip_globals(proc);
	}

	err(text: string): void {
		this.proc.stderr.write(text);
	}
}

// ---- names -----------------------------------------------------------------------------------------------------------------------

async function read_names(s: ss_globals): Promise<void> {
	const hosts = await s.proc.readFile('/etc/hosts');
	if (typeof hosts === 'string') {
		for (const line of hosts.split('\n')) {
			const [addr, name] = line.replace(/#.*/, '').trim().split(/\s+/);
			if (name !== undefined && !s.hosts.has(addr)) s.hosts.set(addr, name);
		}
	}
	if (!s.hosts.has('127.0.0.1')) s.hosts.set('127.0.0.1', 'localhost');
	const range = await s.proc.readFile('/proc/sys/net/ipv4/ip_local_port_range');
	if (typeof range === 'string') {
		const [low, high] = range.trim().split(/\s+/).map(Number);
		s.ports_low = low;
		s.ports_high = high;
	}
}

function host_name(s: ss_globals, addr: string): string {
	return s.resolve_hosts ? (s.hosts.get(addr) ?? addr) : addr;
}

function service(s: ss_globals, port: number, proto: string): string {
	if (port === 0) return '*';
	if (s.show.numeric) return String(port);
	if (proto === 'raw') return getprotobynumber(port) || `ipproto-${port}`;
	if (port >= s.ports_low && port <= s.ports_high) return String(port);
	return getservbyport(port, proto) || String(port);
}

function ip4(a: number): string {
	return `${a >>> 24}.${(a >>> 16) & 255}.${(a >>> 8) & 255}.${a & 255}`;
}

/** Who has which socket open: /proc/PID/fd. */
async function user_ent_hash_build(s: ss_globals): Promise<void> {
	const names = await s.proc.readdir('/proc');
	if (typeof names === 'number') return;
	for (const pid of names) {
		if (!/^\d+$/.test(pid)) continue;
		const fds = await s.proc.readdir(`/proc/${pid}/fd`);
		if (typeof fds === 'number') continue;
		const comm = await s.proc.readFile(`/proc/${pid}/comm`);
		for (const fd of fds) {
			const link = s.proc.readlink(`/proc/${pid}/fd/${fd}`);
			const m = typeof link === 'string' ? /^socket:\[(\d+)\]$/.exec(link) : null;
			if (m === null) continue;
			const who = typeof comm === 'string' ? comm.trimEnd().slice(0, 15) : '';
			const text = `("${who}",pid=${pid},${s.threads ? `tid=${pid},` : ''}fd=${fd})`;
			const ino = Number(m[1]);
			const list = s.users.get(ino);
			if (list === undefined) s.users.set(ino, [text]);
			else list.unshift(text);
		}
	}
}

// ---- one line --------------------------------------------------------------------------------------------------------------------

interface sockstat {
	netid: string;
	state: number;
	rq: number;
	wq: number;
	local: string;
	lport: number;
	remote: string;
	rport: number;
	ino: number;
}

function stats_print(s: ss_globals, st: sockstat, rest: string): void {
	let users = '';
	if (s.processes || s.threads) {
		const who = s.users.get(st.ino);
		if (who !== undefined) users = ` users:(${who.join(',')})`;
	}
	s.table.rows.push([
		st.netid,
		STATE_NAMES[st.state] ?? 'UNKNOWN',
		String(st.rq).padEnd(6),
		String(st.wq).padEnd(6),
		st.local,
		service(s, st.lport, st.netid),
		st.remote,
		service(s, st.rport, st.netid),
		users + rest,
	]);
}

const TIMERS: readonly string[] = ['off', 'on', 'keepalive', 'timewait', 'persist', 'unknown'];

/** Said for each socket, and once more for the first. */
function no_cgroup2(s: ss_globals): () => void {
	return () => {
		s.err('Failed to find cgroup2 mount\n'.repeat(s.cgroup_told ? 1 : 2));
		s.cgroup_told = true;
	};
}

function inet_show_sock(s: ss_globals, n: nlmsghdr, netid: string): void {
	const b = n.buf;
	const at = n.data;
	const tb: nlattr_table = msg_attrs(n, INET_DIAG_MSG_LEN, INET_DIAG_MAX);
	const v6 = b[at] === AF_INET6;
	const ifindex = get_unaligned_le32(b, at + 40);
	const dev = ifindex !== 0 ? `%${s.g.ll.index_to_name(ifindex)}` : '';
	const addr = (o: number): string =>
		v6 ? `[${inet_ntop6(b.subarray(o, o + 16))}]` : host_name(s, ip4(get_unaligned_be32(b, o)));
	const show = s.show;
	const state = b[at + 1];
	let rest = '';
	const timer = Math.min(b[at + 2], 5);
	if (show.options && timer !== 0)
		rest += ` timer:(${TIMERS[timer]},${print_ms_timer(get_unaligned_le32(b, at + 52))},${b[at + 3]})`;
	const ino = get_unaligned_le32(b, at + 68);
	if (show.details) {
		const sk = get_unaligned_le32(b, at + 44) + get_unaligned_le32(b, at + 48) * 0x100000000;
		rest += sock_details_print(tb, get_unaligned_le32(b, at + 64), ino, sk, no_cgroup2(s));
		rest += shutdown_print(tb);
	} else if (show.cgroup) rest += cgroup_print(tb, no_cgroup2(s));
	if (show.tos) rest += tos_print(tb);
	if (show.sockopt) rest += sockopt_print(tb, show.oneline);
	if (show.mem || (show.tcpinfo && netid !== 'udp')) rest += tcp_show_info(tb, show, state);
	stats_print(
		s,
		{
			netid,
			state,
			rq: get_unaligned_le32(b, at + 56),
			wq: get_unaligned_le32(b, at + 60),
			local: `${addr(at + 8)}${dev}:`,
			lport: get_unaligned_be16(b, at + 4),
			remote: `${addr(at + 24)}:`,
			rport: get_unaligned_be16(b, at + 6),
			ino,
		},
		rest,
	);
}

// ---- questions -------------------------------------------------------------------------------------------------------------------

function ext_of(s: ss_globals): number {
	let ext = 0;
	const ask = (attr: number): void => {
		ext |= 1 << (attr - 1);
	};
	if (s.show.mem) {
		ask(INET_DIAG_MEMINFO);
		ask(INET_DIAG_SKMEMINFO);
	}
	if (s.show.tcpinfo) {
		ask(INET_DIAG_INFO);
		ask(INET_DIAG_VEGASINFO);
		ask(INET_DIAG_CONG);
	}
	if (s.show.tos) {
		ask(INET_DIAG_TOS);
		ask(INET_DIAG_TCLASS);
	}
	return ext;
}

function sockdiag_request(s: ss_globals, family: number, proto: number): request {
	const req = new request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, INET_DIAG_REQ_V2_LEN);
	req.u8(0, family);
	req.u8(1, proto & 255);
	req.u8(2, ext_of(s));
	req.u32(4, s.states);
	if (s.filter !== null) nla_put(req, INET_DIAG_REQ_BYTECODE, ssfilter_bytecompile(s.filter));
	return req;
}

/** The old question, without families. */
function tcpdiag_request(s: ss_globals, type: number): request {
	const req = new request(type, NLM_F_DUMP, INET_DIAG_REQ_LEN);
	req.u8(0, AF_INET);
	req.u8(3, ext_of(s));
	req.u32(52, s.states);
	return req;
}

/** Sends a dump's request and hands each message to `each`. Return: 0 or the answer's -errno. */
async function dump(rth: rtnl_handle, req: request, each: (n: nlmsghdr) => Promise<void>): Promise<number> {
	put_unaligned_le32(req.data, 0, req.len);
	put_unaligned_le32(req.data, 8, ++rth.seq);
	const sent = await rth.proc.sendmsg(rth.fd, new msghdr(req.data.slice(0, req.len), sockaddr_nl(0, 0)), 0);
	if (sent < 0) return sent;
	for (;;) {
		const r = await rtnl_recvmsg(rth);
		if (typeof r === 'number') return r;
		for (let off = 0; off + 16 <= r.bytes.length; ) {
			const n = new nlmsghdr_class(r.bytes, off);
			off += (n.nlmsg_len + 3) & ~3;
			if (n.nlmsg_type === NLMSG_DONE) return 0;
			if (n.nlmsg_type === NLMSG_ERROR) return get_unaligned_le32(n.buf, n.data) | 0;
			await each(n);
		}
	}
}

/** Ends one socket (-K). Return: 0 or -errno. */
async function kill_inet_sock(s: ss_globals, n: nlmsghdr, proto: number): Promise<number> {
	const rth = s.kill_fd!;
	const req = new request(SOCK_DESTROY, NLM_F_ACK, INET_DIAG_REQ_V2_LEN);
	req.u8(0, n.buf[n.data]);
	req.u8(1, proto);
	req.data.set(n.buf.subarray(n.data + 4, n.data + 52), req.body + 8);
	return dump(rth, req, async () => {});
}

/** Return: whether the kernel could be asked. */
async function inet_show_netlink(s: ss_globals, proto: number, netid: string): Promise<boolean> {
	const rth = rtnl_open(s.g, 0, NETLINK_SOCK_DIAG);
	if (rth === null) return false;
	const each = async (n: nlmsghdr): Promise<void> => {
		if (s.families !== 0 && (s.families & (1 << n.buf[n.data])) === 0) return;
		if (s.kill) {
			const err = await kill_inet_sock(s, n, proto);
			if (err === -EOPNOTSUPP || err === -ENOENT) return;
			if (err < 0) {
				s.err(`SOCK_DESTROY answers: ${strerror(-err)}\n`);
				return;
			}
		}
		inet_show_sock(s, n, netid);
	};
	let ok = true;
	for (const family of [AF_INET, AF_INET6]) {
		const err = await dump(rth, sockdiag_request(s, family, proto), each);
		if (err === -ENOENT) {
			ok = false;
			// A kernel from before there were families?
			const old = proto === IPPROTO_TCP ? TCPDIAG_GETSOCK : proto === IPPROTO_DCCP ? TCPDIAG_GETSOCK + 1 : 0;
			if (old !== 0) {
				const e = await dump(rth, tcpdiag_request(s, old), each);
				if (e === -EINVAL) s.err(`RTNETLINK answers: ${strerror(EINVAL)}\n`);
				ok = e === 0;
			}
			break;
		}
		if (s.families === 1 << AF_INET) break;
	}
	rth.close();
	return ok;
}

function le_addr(hex: string): number {
	const v = Number.parseInt(hex, 16);
	return (((v & 255) << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0;
}

async function raw_show(s: ss_globals): Promise<void> {
	if (await inet_show_netlink(s, IPPROTO_RAW, 'raw')) return;
	if (s.families !== 0 && (s.families & (1 << AF_INET)) === 0) return;
	const text = await s.proc.readFile('/proc/net/raw');
	if (typeof text !== 'string') return;
	for (const line of text.split('\n').slice(1)) {
		const f = line.trim().split(/[\s:]+/);
		if (f.length < 13) continue;
		const state = Number.parseInt(f[5], 16);
		if ((s.states & (1 << state)) === 0) continue;
		const saddr = le_addr(f[1]);
		const daddr = le_addr(f[3]);
		const sport = Number.parseInt(f[2], 16);
		const dport = Number.parseInt(f[4], 16);
		if (!run_ssfilter(s.filter, saddr, sport, daddr, dport)) continue;
		stats_print(
			s,
			{
				netid: 'raw',
				state,
				rq: Number.parseInt(f[7], 16),
				wq: Number.parseInt(f[6], 16),
				local: `${host_name(s, ip4(saddr))}:`,
				lport: sport,
				remote: `${host_name(s, ip4(daddr))}:`,
				rport: dport,
				ino: Number(f[13]),
			},
			'',
		);
	}
}

// ---- -s --------------------------------------------------------------------------------------------------------------------------

async function print_summary(s: ss_globals): Promise<void> {
	const stat = new Map<string, number>();
	for (const file of ['sockstat', 'sockstat6']) {
		const text = await s.proc.readFile(`/proc/net/${file}`);
		if (typeof text !== 'string') continue;
		for (const line of text.split('\n')) {
			const [head, ...w] = line.split(/\s+/);
			for (let i = 0; i + 1 < w.length; i += 2) stat.set(`${head}${w[i]}`, Number(w[i + 1]));
		}
	}
	const of = (key: string): number => stat.get(key) ?? 0;
	let estab = 0;
	const snmp = await s.proc.readFile('/proc/net/snmp');
	if (typeof snmp === 'string') {
		const lines = snmp.split('\n').filter((l) => l.startsWith('Tcp:'));
		const k = (lines[0] ?? '').split(' ').indexOf('CurrEstab');
		if (k > 0) estab = Number(lines[1].split(' ')[k]);
	}
	const tw = of('TCP:tw');
	const alloc = of('TCP:alloc');
	const hashed = of('TCP:inuse') + of('TCP6:inuse');
	let out = `Total: ${of('sockets:used')}\n`;
	out += `TCP:   ${alloc + tw} (estab ${estab}, closed ${alloc - (hashed - tw)}, orphaned ${of('TCP:orphan')}, timewait ${tw})\n\n`;
	out += 'Transport Total     IP        IPv6\n';
	const row = (name: string, v4: number, v6: number): void => {
		const cell = (v: number): string => String(v).padEnd(9);
		out += `${name}\t  ${cell(v4 + v6)} ${cell(v4)} ${cell(v6)}\n`;
	};
	const raw = [of('RAW:inuse'), of('RAW6:inuse')];
	const udp = [of('UDP:inuse'), of('UDP6:inuse')];
	const tcp = [of('TCP:inuse'), of('TCP6:inuse')];
	row('RAW', raw[0], raw[1]);
	row('UDP', udp[0], udp[1]);
	row('TCP', tcp[0], tcp[1]);
	row('INET', raw[0] + udp[0] + tcp[0], raw[1] + udp[1] + tcp[1]);
	row('FRAG', of('FRAG:inuse'), of('FRAG6:inuse'));
	s.proc.stdout.write(`${out}\n`);
}

// ---- options ---------------------------------------------------------------------------------------------------------------------

const FAMILIES: Readonly<Record<string, number>> = {
	inet: INET_DBM,
	inet6: INET_DBM,
	link: PACKET_DB,
	unix: UNIX_DB,
	netlink: NETLINK_DB,
	vsock: VSOCK_DB,
	tipc: TIPC_DB,
	xdp: XDP_DB,
};

/** What one option says. Return: whether it chooses sockets (do_default off). */
function option(s: ss_globals, c: choice, opt: string, arg: string): void {
	const db = ONE_DB[opt];
	if (db !== undefined) {
		s.dbs |= db;
		c.default = false;
		return;
	}
	const show = s.show;
	switch (opt) {
		case 'a':
			c.states = SS_ALL;
			break;
		case 'l':
			c.states = (1 << SS_LISTEN) | (1 << SS_CLOSE);
			break;
		case '4':
			set_family(s, c, 'inet');
			break;
		case '6':
			set_family(s, c, 'inet6');
			break;
		case 'f':
			set_family(s, c, arg);
			break;
		case 'A':
			query(s, c, arg);
			break;
		case 'n':
			show.numeric = true;
			break;
		case 'r':
			s.resolve_hosts = true;
			break;
		case 'o':
		case 'b':
			show.options = true;
			break;
		case 'e':
			show.options = true;
			show.details = true;
			break;
		case 'm':
			show.mem = true;
			break;
		case 'p':
			s.processes = true;
			break;
		case 'T':
			s.threads = true;
			break;
		case 'i':
			show.tcpinfo = true;
			break;
		case 's':
			c.summary = true;
			break;
		case 'H':
			c.header = false;
			break;
		case 'O':
			show.oneline = true;
			break;
		case 'K':
			s.kill = true;
			break;
		case 'F':
			c.filter_file = arg;
			break;
		case 'N':
			if (netns_switch(s.g, arg) < 0) throw new ss_error('', 1);
			break;
		case 'Z':
		case 'z':
			throw new ss_error('ss: SELinux is not enabled.\n', 1);
		case '\u0001':
			show.tos = true;
			break;
		case '\u0002':
			show.cgroup = true;
			break;
		case '\u0003':
			show.sockopt = true;
			break;
		case 'E':
		case 'D':
			throw new ss_error(`ss: -${opt} is not there in linnet yet\n`, 1);
		case 'h':
			s.proc.stdout.write(USAGE);
			throw new ss_error('', 0);
		case 'v':
		case 'V':
			s.proc.stdout.write(VERSION);
			throw new ss_error('', 0);
		default:
			break;
	}
}

/** What the command line chose. */
class choice {
	default = true;
	states = 0;
	summary = false;
	header = true;
	filter_file = '';
	/** Sockets of the families named; counts when no kind is. */
	family_dbs = 0;
}

const ONE_DB: Readonly<Record<string, number>> = {
	t: TCP_DB,
	u: UDP_DB,
	w: RAW_DB,
	M: MPTCP_DB,
	d: DCCP_DB,
	S: SCTP_DB,
	x: UNIX_DB,
	'0': PACKET_DB,
	'\u0005': TIPC_DB,
	'\u0006': VSOCK_DB,
	'\u0007': XDP_DB,
};

function set_family(s: ss_globals, c: choice, name: string): void {
	const dbs = FAMILIES[name];
	if (dbs === undefined) throw new ss_error(`ss: "${name}" is invalid family\n`, 255, true);
	if (name === 'inet') s.families |= 1 << AF_INET;
	if (name === 'inet6') s.families |= 1 << AF_INET6;
	c.family_dbs |= dbs;
	c.default = false;
	s.g.preferred_family = name === 'inet6' ? AF_INET6 : name === 'inet' ? AF_INET : AF_UNSPEC;
}

function query(s: ss_globals, c: choice, list: string): void {
	c.default = false;
	for (const word of list.split(',')) {
		const off = word.startsWith('!');
		const db = DB_NAMES[off ? word.slice(1) : word];
		if (db === undefined) throw new ss_error(`ss: "${word}" is illegal socket table id\n`, 255, true);
		if (off) s.dbs = (s.dbs === 0 ? ALL_DB : s.dbs) & ~db;
		else s.dbs |= db;
	}
}

/** `state X`, `exclude X` in front of the filter. Return: the words that are left. */
function state_words(s: ss_globals, words: readonly string[]): readonly string[] {
	let i = 0;
	let saw = false;
	for (; i < words.length; i++) {
		const exclude = words[i] === 'exclude' || words[i] === 'excl';
		if (words[i] !== 'state' && !exclude) break;
		if (i + 1 >= words.length) throw new ss_error('Command line is not complete. Try option "help"\n', 255);
		const mask = scan_state(words[++i]);
		if (mask === null) throw new ss_error(`ss: wrong state name: ${words[i]}\n`, 255);
		if (!saw) s.states = exclude ? SS_ALL : 0;
		saw = true;
		if (exclude) s.states &= ~mask;
		else s.states |= mask;
	}
	return words.slice(i);
}

async function read_filter(s: ss_globals, words: readonly string[], file: string): Promise<void> {
	let all = words.flatMap((w) => w.split(/\s+/)).filter((w) => w !== '');
	if (file !== '') {
		const text = file === '-' ? read_stdin(s.proc) : await s.proc.readFile(file);
		if (typeof text !== 'string') throw new ss_error('fopen filter file: No such file or directory\n', 255);
		all = [...all, ...text.split(/\s+/).filter((w) => w !== '')];
	}
	if (all.length === 0) return;
	const devices = new Map<string, number>();
	for (let i = 0; i < all.length; i++) {
		if (all[i] !== 'dev') continue;
		const name = ['=', '==', 'eq', '!=', 'ne', 'neq'].includes(all[i + 1]) ? all[i + 2] : all[i + 1];
		if (name !== undefined) devices.set(name, await s.g.ll.name_to_index(name));
	}
	const names: ss_names = {
		ifindex: (name) => devices.get(name) ?? 0,
		host: (name) => {
			for (const [addr, n] of s.hosts)
				if (n === name && !addr.includes(':')) return new Uint8Array(addr.split('.').map(Number));
			return null;
		},
		preferred_family: s.g.preferred_family,
	};
	s.filter = ssfilter_parse(all, names);
}

function read_stdin(proc: Process): string {
	return utf8_decode(proc.stdin);
}

async function show_all(s: ss_globals): Promise<void> {
	if ((s.dbs & RAW_DB) !== 0) await raw_show(s);
	if ((s.dbs & UDP_DB) !== 0) await inet_show_netlink(s, IPPROTO_UDP, 'udp');
	if ((s.dbs & TCP_DB) !== 0) await inet_show_netlink(s, IPPROTO_TCP, 'tcp');
	if ((s.dbs & DCCP_DB) !== 0) await inet_show_netlink(s, IPPROTO_DCCP, 'dccp');
}

async function run(s: ss_globals): Promise<number> {
	const { opts, words } = parse_options(s.proc.argv);
	const c = new choice();
	for (const o of opts) option(s, c, o.opt, o.arg);
	const rth = rtnl_open(s.g, 0, NETLINK_ROUTE);
	if (rth === null) return 1;
	s.g.rth = rth;
	s.g.ll = new ll_map(s.g);
	await s.g.ll.init();
	await read_names(s);
	if (c.summary) {
		await print_summary(s);
		if (c.default && words.length === 0) return 0;
	}
	if (s.dbs === 0) s.dbs = c.family_dbs !== 0 ? c.family_dbs : ALL_DB;
	s.states = c.states;
	if (s.states === 0) for (let db = 1; db < ALL_DB; db <<= 1) if ((s.dbs & db) !== 0) s.states |= default_states(db);
	await read_filter(s, state_words(s, words), c.filter_file);
	if (s.processes || s.threads) await user_ent_hash_build(s);
	if (s.kill) s.kill_fd = rtnl_open(s.g, 0, NETLINK_SOCK_DIAG);
	if ((s.dbs & (s.dbs - 1)) === 0) s.table.hidden.add(COL_NETID);
	if ((s.states & (s.states - 1)) === 0) s.table.hidden.add(COL_STATE);
	if (c.header) s.table.header();
	await show_all(s);
	s.proc.stdout.write(s.table.render());
	return 0;
}

/** `ss`. Return: exit status. */
export async function ss(proc: Process): Promise<number> {
	const s = new ss_globals(proc);
	try {
		return await run(s);
	} catch (e) {
		if (e instanceof ss_error) {
			s.err(e.text);
			if (e.usage) s.err(USAGE);
			return e.status;
		}
		if (e instanceof ip_exit) return e.status;
		throw e;
	} finally {
		s.kill_fd?.close();
		s.g.rth?.close();
	}
}
