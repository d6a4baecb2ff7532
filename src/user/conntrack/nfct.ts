/*
 * user/conntrack/nfct.ts: flows as ctnetlink tells of them, and as text.   Original: libnetfilter_conntrack
 * Walk: nfct_parse reads a message, nfct_snprintf writes a line (or XML, or a command that would make the flow again), nfct_build_tuple
 * and friends write requests.
 */
import {
	__nla_parse,
	NL_VALIDATE_LIBERAL,
	nla_get_be16,
	nla_get_be32,
	nla_get_be64,
	nla_get_string,
	nla_get_u8,
	nla_memdup,
	nla_nest_end,
	nla_nest_start,
	nla_put,
	nla_put_be16,
	nla_put_be32,
	nla_put_u8,
	type nlattr,
	type nlattr_table,
	type nlbuf,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import {
	IPS_ASSURED,
	IPS_DST_NAT,
	IPS_HW_OFFLOAD,
	IPS_OFFLOAD,
	IPS_SEEN_REPLY,
	IPS_SRC_NAT,
} from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import {
	CTA_COUNTERS_BYTES,
	CTA_COUNTERS_ORIG,
	CTA_COUNTERS_PACKETS,
	CTA_COUNTERS_PAD,
	CTA_COUNTERS_REPLY,
	CTA_HELP,
	CTA_HELP_MAX,
	CTA_HELP_NAME,
	CTA_ID,
	CTA_IP_MAX,
	CTA_IP_V4_DST,
	CTA_IP_V4_SRC,
	CTA_LABELS,
	CTA_MARK,
	CTA_MAX,
	CTA_PROTO_DST_PORT,
	CTA_PROTO_ICMP_CODE,
	CTA_PROTO_ICMP_ID,
	CTA_PROTO_ICMP_TYPE,
	CTA_PROTO_MAX,
	CTA_PROTO_NUM,
	CTA_PROTO_SRC_PORT,
	CTA_PROTOINFO,
	CTA_PROTOINFO_MAX,
	CTA_PROTOINFO_TCP,
	CTA_PROTOINFO_TCP_FLAGS_ORIGINAL,
	CTA_PROTOINFO_TCP_FLAGS_REPLY,
	CTA_PROTOINFO_TCP_MAX,
	CTA_PROTOINFO_TCP_STATE,
	CTA_STATUS,
	CTA_TIMEOUT,
	CTA_TIMESTAMP,
	CTA_TIMESTAMP_MAX,
	CTA_TIMESTAMP_START,
	CTA_TIMESTAMP_STOP,
	CTA_TUPLE_IP,
	CTA_TUPLE_ORIG,
	CTA_TUPLE_PROTO,
	CTA_TUPLE_REPLY,
	CTA_USE,
	CTA_ZONE,
} from '../../uapi/linux/netfilter/nfnetlink_conntrack.ts';

export const TCP_STATES: readonly string[] = [
	'NONE',
	'SYN_SENT',
	'SYN_RECV',
	'ESTABLISHED',
	'FIN_WAIT',
	'CLOSE_WAIT',
	'LAST_ACK',
	'TIME_WAIT',
	'CLOSE',
	'SYN_SENT2',
];

export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_GRE = 47;

const PROTO_NAMES: Record<number, string> = {
	1: 'icmp',
	6: 'tcp',
	17: 'udp',
	47: 'gre',
	58: 'icmpv6',
	132: 'sctp',
	136: 'udplite',
};

/** The number of a protocol's name, or -1. */
export function proto_by_name(name: string): number {
	for (const [n, s] of Object.entries(PROTO_NAMES)) if (s === name) return Number(n);
	return -1;
}

export function has_ports(proto: number): boolean {
	return proto === 6 || proto === 17 || proto === 132 || proto === 136;
}

/** A tuple; what is undefined was not said. Addresses and ports as numbers. */
export interface nfct_tuple {
	src?: number;
	dst?: number;
	proto?: number;
	sport?: number;
	dport?: number;
	icmp_type?: number;
	icmp_code?: number;
	icmp_id?: number;
}

export interface nf_conntrack {
	family: number;
	orig: nfct_tuple;
	reply: nfct_tuple;
	status?: number;
	timeout?: number;
	mark?: number;
	id?: number;
	use?: number;
	zone?: number;
	tcp_state?: number;
	tcp_flags?: boolean;
	packets?: number[];
	bytes?: number[];
	helper?: string;
	labels?: Uint8Array;
	/** ns since 1970 */
	start?: number;
	stop?: number;
	/** Who caused the event. */
	portid: number;
}

export function ip_text(a: number): string {
	return `${a >>> 24}.${(a >>> 16) & 255}.${(a >>> 8) & 255}.${a & 255}`;
}

// ---- reading -------------------------------------------------------------------------------------------------------------------

function attrs(buf: Uint8Array, start: number, end: number, max: number): nlattr_table {
	const tb: nlattr_table = new Array(max + 1).fill(null);
	__nla_parse(tb, max, buf, start, end, null, NL_VALIDATE_LIBERAL, null);
	return tb;
}

function nested(nla: nlattr, max: number): nlattr_table {
	return attrs(nla.buf, nla.off, nla.off + nla.len, max);
}

function parse_tuple(nla: nlattr | null): nfct_tuple {
	const t: nfct_tuple = {};
	if (nla === null) return t;
	const tb = nested(nla, 3);
	const ip = tb[CTA_TUPLE_IP];
	if (ip !== null) {
		const it = nested(ip, CTA_IP_MAX);
		const src = it[CTA_IP_V4_SRC];
		const dst = it[CTA_IP_V4_DST];
		if (src !== null) t.src = nla_get_be32(src);
		if (dst !== null) t.dst = nla_get_be32(dst);
	}
	const proto = tb[CTA_TUPLE_PROTO];
	if (proto === null) return t;
	const pt = nested(proto, CTA_PROTO_MAX);
	const num = pt[CTA_PROTO_NUM];
	if (num !== null) t.proto = nla_get_u8(num);
	const sp = pt[CTA_PROTO_SRC_PORT];
	const dp = pt[CTA_PROTO_DST_PORT];
	const id = pt[CTA_PROTO_ICMP_ID];
	const type = pt[CTA_PROTO_ICMP_TYPE];
	const code = pt[CTA_PROTO_ICMP_CODE];
	if (sp !== null) t.sport = nla_get_be16(sp);
	if (dp !== null) t.dport = nla_get_be16(dp);
	if (id !== null) t.icmp_id = nla_get_be16(id);
	if (type !== null) t.icmp_type = nla_get_u8(type);
	if (code !== null) t.icmp_code = nla_get_u8(code);
	return t;
}

/** Reads one flow out of a message. */
export function nfct_parse(nlh: nlmsghdr): nf_conntrack {
	const tb = attrs(nlh.buf, nlh.data + 4, nlh.end, CTA_MAX);
	const u32 = (type: number): number | undefined => {
		const a = tb[type];
		return a === null ? undefined : nla_get_be32(a);
	};
	const zone = tb[CTA_ZONE];
	const ct: nf_conntrack = {
		family: nlh.buf[nlh.data],
		orig: parse_tuple(tb[CTA_TUPLE_ORIG]),
		reply: parse_tuple(tb[CTA_TUPLE_REPLY]),
		status: u32(CTA_STATUS),
		timeout: u32(CTA_TIMEOUT),
		mark: u32(CTA_MARK),
		id: u32(CTA_ID),
		use: u32(CTA_USE),
		zone: zone === null ? undefined : nla_get_be16(zone),
		portid: nlh.nlmsg_pid,
	};
	const info = tb[CTA_PROTOINFO];
	if (info !== null) {
		const tcp = nested(info, CTA_PROTOINFO_MAX)[CTA_PROTOINFO_TCP];
		const state = tcp === null ? null : nested(tcp, CTA_PROTOINFO_TCP_MAX)[CTA_PROTOINFO_TCP_STATE];
		if (state !== null) ct.tcp_state = nla_get_u8(state);
	}
	for (const [dir, type] of [CTA_COUNTERS_ORIG, CTA_COUNTERS_REPLY].entries()) {
		const c = tb[type];
		if (c === null) continue;
		const t = nested(c, CTA_COUNTERS_PAD);
		ct.packets ??= [0, 0];
		ct.bytes ??= [0, 0];
		const p = t[CTA_COUNTERS_PACKETS];
		const b = t[CTA_COUNTERS_BYTES];
		if (p !== null) ct.packets[dir] = nla_get_be64(p);
		if (b !== null) ct.bytes[dir] = nla_get_be64(b);
	}
	const stamp = tb[CTA_TIMESTAMP];
	if (stamp !== null) {
		const t = nested(stamp, CTA_TIMESTAMP_MAX);
		const start = t[CTA_TIMESTAMP_START];
		const stop = t[CTA_TIMESTAMP_STOP];
		if (start !== null) ct.start = nla_get_be64(start);
		if (stop !== null) ct.stop = nla_get_be64(stop);
	}
	const help = tb[CTA_HELP];
	if (help !== null) {
		const name = nested(help, CTA_HELP_MAX)[CTA_HELP_NAME];
		if (name !== null) ct.helper = nla_get_string(name);
	}
	const labels = tb[CTA_LABELS];
	if (labels !== null) ct.labels = nla_memdup(labels);
	return ct;
}

// ---- writing requests ----------------------------------------------------------------------------------------------------------

/** Writes a tuple under `type`. */
export function nfct_build_tuple(b: nlbuf, type: number, t: nfct_tuple): void {
	const nest = nla_nest_start(b, type);
	if (t.src !== undefined || t.dst !== undefined) {
		const ip = nla_nest_start(b, CTA_TUPLE_IP);
		if (t.src !== undefined) nla_put_be32(b, CTA_IP_V4_SRC, t.src);
		if (t.dst !== undefined) nla_put_be32(b, CTA_IP_V4_DST, t.dst);
		nla_nest_end(b, ip);
	}
	if (t.proto !== undefined) {
		const proto = nla_nest_start(b, CTA_TUPLE_PROTO);
		nla_put_u8(b, CTA_PROTO_NUM, t.proto);
		if (t.sport !== undefined) nla_put_be16(b, CTA_PROTO_SRC_PORT, t.sport);
		if (t.dport !== undefined) nla_put_be16(b, CTA_PROTO_DST_PORT, t.dport);
		if (t.icmp_code !== undefined) nla_put_u8(b, CTA_PROTO_ICMP_CODE, t.icmp_code);
		if (t.icmp_type !== undefined) nla_put_u8(b, CTA_PROTO_ICMP_TYPE, t.icmp_type);
		if (t.icmp_id !== undefined) nla_put_be16(b, CTA_PROTO_ICMP_ID, t.icmp_id);
		nla_nest_end(b, proto);
	}
	nla_nest_end(b, nest);
}

/** TCP's state, and flags that make the tracker lenient with a connection that it did not see begin. */
export function nfct_build_tcp(b: nlbuf, state: number | undefined, flags: boolean): void {
	const nest = nla_nest_start(b, CTA_PROTOINFO);
	const tcp = nla_nest_start(b, CTA_PROTOINFO_TCP);
	if (state !== undefined) nla_put_u8(b, CTA_PROTOINFO_TCP_STATE, state);
	if (flags) {
		nla_put(b, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, Uint8Array.of(10, 10));
		nla_put(b, CTA_PROTOINFO_TCP_FLAGS_REPLY, Uint8Array.of(10, 10));
	}
	nla_nest_end(b, tcp);
	nla_nest_end(b, nest);
}

// ---- text ----------------------------------------------------------------------------------------------------------------------

export const O_EXTENDED = 1;
export const O_XML = 2;
export const O_ID = 4;
export const O_TIMESTAMP = 8;
export const O_KTIMESTAMP = 16;
export const O_LABELS = 32;
export const O_SAVE = 64;
export const O_USERSPACE = 128;

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A moment as ctime(3) writes it, in UTC. */
function ctime(ns: number): string {
	const sec = Math.floor(ns / 1e9);
	const days = Math.floor(sec / 86400);
	const rest = sec - days * 86400;
	// Civil date of a day number (era of 400 years from 1 March of year 0).
	const z = days + 719468;
	const era = Math.floor(z / 146097);
	const doe = z - era * 146097;
	const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36524) - Math.floor(doe / 146096)) / 365);
	const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
	const mp = Math.floor((5 * doy + 2) / 153);
	const day = doy - Math.floor((153 * mp + 2) / 5) + 1;
	const month = mp < 10 ? mp + 2 : mp - 10;
	const year = yoe + era * 400 + (month < 2 ? 1 : 0);
	const two = (n: number) => String(n).padStart(2, '0');
	const hms = `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
	return `${DAYS[(((days + 4) % 7) + 7) % 7]} ${MONTHS[month]} ${String(day).padStart(2)} ${hms} ${year}`;
}

function tuple_text(t: nfct_tuple): string {
	let s = `src=${ip_text(t.src ?? 0)} dst=${ip_text(t.dst ?? 0)} `;
	const proto = t.proto ?? 0;
	if (has_ports(proto)) s += `sport=${t.sport ?? 0} dport=${t.dport ?? 0} `;
	else if (proto === IPPROTO_GRE)
		s += `srckey=0x${(t.sport ?? 0).toString(16)} dstkey=0x${(t.dport ?? 0).toString(16)} `;
	else if (proto === IPPROTO_ICMP) s += `type=${t.icmp_type ?? 0} code=${t.icmp_code ?? 0} id=${t.icmp_id ?? 0} `;
	return s;
}

function counters_text(ct: nf_conntrack, dir: number): string {
	if (ct.packets === undefined || ct.bytes === undefined) return '';
	return `packets=${ct.packets[dir]} bytes=${ct.bytes[dir]} `;
}

export const NFCT_T_NEW = '[NEW]';
export const NFCT_T_UPDATE = '[UPDATE]';
export const NFCT_T_DESTROY = '[DESTROY]';

/** A flow in one line, as /proc/net/nf_conntrack has it. `now`: seconds since 1970. */
function snprintf_default(ct: nf_conntrack, event: string, flags: number, now: number): string {
	let s = '';
	if (event !== '') s += `${event.padStart(9)} `;
	if ((flags & O_EXTENDED) !== 0) s += 'ipv4     2 ';
	const proto = ct.orig.proto ?? 0;
	s += `${(PROTO_NAMES[proto] ?? 'unknown').padEnd(8)} ${proto} `;
	const status = ct.status ?? 0;
	const offload = (status & (IPS_OFFLOAD | IPS_HW_OFFLOAD)) !== 0;
	if (ct.timeout !== undefined && !offload) s += `${ct.timeout} `;
	if (ct.tcp_state !== undefined && proto === IPPROTO_TCP && !offload) s += `${TCP_STATES[ct.tcp_state]} `;
	s += tuple_text(ct.orig) + counters_text(ct, 0);
	if (ct.status !== undefined && (status & IPS_SEEN_REPLY) === 0) s += '[UNREPLIED] ';
	s += tuple_text(ct.reply) + counters_text(ct, 1);
	if ((status & IPS_HW_OFFLOAD) !== 0) s += '[HW_OFFLOAD] ';
	else if ((status & IPS_OFFLOAD) !== 0) s += '[OFFLOAD] ';
	else if ((status & IPS_ASSURED) !== 0) s += '[ASSURED] ';
	if (ct.mark !== undefined) s += `mark=${ct.mark} `;
	if (ct.zone !== undefined) s += `zone=${ct.zone} `;
	if (ct.start !== undefined) {
		const end = ct.stop !== undefined ? Math.floor(ct.stop / 1e9) : now;
		s += `delta-time=${Math.max(0, end - Math.floor(ct.start / 1e9))} `;
		if ((flags & O_KTIMESTAMP) !== 0) {
			s += `[start=${ctime(ct.start)}] `;
			if (ct.stop !== undefined) s += `[stop=${ctime(ct.stop)}] `;
		}
	}
	if (ct.helper !== undefined) s += `helper=${ct.helper} `;
	if (ct.use !== undefined) s += `use=${ct.use} `;
	if ((flags & O_ID) !== 0 && ct.id !== undefined) s += `id=${ct.id} `;
	return s.trimEnd();
}

function xml_tuple(ct: nf_conntrack, t: nfct_tuple, name: string, dir: number): string {
	const proto = ct.orig.proto ?? 0;
	let s = `<meta direction="${name}"><layer3 protonum="2" protoname="ipv4">`;
	s += `<src>${ip_text(t.src ?? 0)}</src><dst>${ip_text(t.dst ?? 0)}</dst></layer3>`;
	s += `<layer4 protonum="${proto}" protoname="${PROTO_NAMES[proto] ?? 'unknown'}">`;
	if (has_ports(proto)) s += `<sport>${t.sport ?? 0}</sport><dport>${t.dport ?? 0}</dport>`;
	else if (proto === IPPROTO_GRE)
		s += `<srckey>0x${(t.sport ?? 0).toString(16)}</srckey><dstkey>0x${(t.dport ?? 0).toString(16)}</dstkey>`;
	s += '</layer4>';
	if (ct.packets !== undefined && ct.bytes !== undefined)
		s += `<counters><packets>${ct.packets[dir]}</packets><bytes>${ct.bytes[dir]}</bytes></counters>`;
	return `${s}</meta>`;
}

function snprintf_xml(ct: nf_conntrack, event: string, _flags: number, now: number): string {
	const types: Record<string, string> = {
		'[NEW]': ' type="new"',
		'[UPDATE]': ' type="update"',
		'[DESTROY]': ' type="destroy"',
	};
	let s = `<flow${types[event] ?? ''}>`;
	s += xml_tuple(ct, ct.orig, 'original', 0) + xml_tuple(ct, ct.reply, 'reply', 1);
	s += '<meta direction="independent">';
	if (ct.tcp_state !== undefined) s += `<state>${TCP_STATES[ct.tcp_state]}</state>`;
	if (ct.timeout !== undefined) s += `<timeout>${ct.timeout}</timeout>`;
	if (ct.mark !== undefined) s += `<mark>${ct.mark}</mark>`;
	if (ct.zone !== undefined) s += `<zone>${ct.zone}</zone>`;
	if (ct.use !== undefined) s += `<use>${ct.use}</use>`;
	if (ct.id !== undefined) s += `<id>${ct.id}</id>`;
	if (ct.status !== undefined && (ct.status & IPS_ASSURED) !== 0) s += '<assured/>';
	if (ct.status !== undefined && (ct.status & IPS_SEEN_REPLY) === 0) s += '<unreplied/>';
	if (ct.start !== undefined) {
		s += `<timestamp><start>${ct.start}</start>`;
		if (ct.stop !== undefined) s += `<stop>${ct.stop}</stop>`;
		const end = ct.stop !== undefined ? Math.floor(ct.stop / 1e9) : now;
		s += `</timestamp><deltatime>${Math.max(0, end - Math.floor(ct.start / 1e9))}</deltatime>`;
	}
	return `${s}</meta></flow>`;
}

/** The command line that would make the flow again. */
function snprintf_save(ct: nf_conntrack, event: string): string {
	const status = ct.status ?? 0;
	let s = event === NFCT_T_DESTROY ? '-D ' : event === NFCT_T_UPDATE ? '-U ' : '-A ';
	if (ct.timeout !== undefined && event !== NFCT_T_DESTROY) s += `-t ${ct.timeout} `;
	const names: string[] = [];
	if ((status & IPS_SEEN_REPLY) !== 0) names.push('SEEN_REPLY');
	if ((status & IPS_ASSURED) !== 0) names.push('ASSURED');
	if (event !== NFCT_T_DESTROY) s += `-u ${names.length > 0 ? names.join(',') : 'UNSET'} `;
	s += `-s ${ip_text(ct.orig.src ?? 0)} -d ${ip_text(ct.orig.dst ?? 0)} `;
	s += `${(status & IPS_DST_NAT) !== 0 ? '-g' : '-r'} ${ip_text(ct.reply.src ?? 0)} `;
	s += `${(status & IPS_SRC_NAT) !== 0 ? '-n' : '-q'} ${ip_text(ct.reply.dst ?? 0)} `;
	const proto = ct.orig.proto ?? 0;
	s += `-p ${PROTO_NAMES[proto] ?? proto} `;
	if (has_ports(proto)) {
		s += `--sport ${ct.orig.sport} --dport ${ct.orig.dport} `;
		s += `--reply-port-src ${ct.reply.sport} --reply-port-dst ${ct.reply.dport} `;
	} else if (proto === IPPROTO_GRE) {
		s += `--srckey ${ct.orig.sport} --dstkey ${ct.orig.dport} `;
		s += `--reply-key-src ${ct.reply.sport} --reply-key-dst ${ct.reply.dport} `;
	} else if (proto === IPPROTO_ICMP) {
		s += `--icmp-type ${ct.orig.icmp_type} --icmp-code ${ct.orig.icmp_code} --icmp-id ${ct.orig.icmp_id} `;
	}
	if (ct.tcp_state !== undefined) s += `--state ${TCP_STATES[ct.tcp_state]} `;
	if (ct.zone !== undefined) s += `-w ${ct.zone} `;
	return s.trimEnd();
}

/** A flow as text, without the newline. `now`: seconds since 1970. */
export function nfct_snprintf(ct: nf_conntrack, event: string, flags: number, now: number): string {
	if ((flags & O_SAVE) !== 0) return snprintf_save(ct, event);
	if ((flags & O_XML) !== 0) return snprintf_xml(ct, event, flags, now);
	return snprintf_default(ct, event, flags, now);
}
