/*
 * user/iproute2/ss_print.ts: the columns of ss, and what it says of a TCP connection.   Original: misc/ss.c of iproute2 6.1
 * Columns are as wide as what stands in them, as ss prints to a pipe.
 */
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { get_unaligned_le64, type nlattr, type nlattr_table } from '../../lib/nlattr.ts';
import {
	INET_DIAG_BBRINFO,
	INET_DIAG_CGROUP_ID,
	INET_DIAG_CLASS_ID,
	INET_DIAG_CONG,
	INET_DIAG_INFO,
	INET_DIAG_MARK,
	INET_DIAG_SHUTDOWN,
	INET_DIAG_SKMEMINFO,
	INET_DIAG_SOCKOPT,
	INET_DIAG_TCLASS,
	INET_DIAG_TOS,
} from '../../uapi/linux/inet_diag.ts';
import {
	TCPI_OPT_ECN,
	TCPI_OPT_ECN_SEEN,
	TCPI_OPT_SACK,
	TCPI_OPT_SYN_DATA,
	TCPI_OPT_TIMESTAMPS,
	TCPI_OPT_WSCALE,
} from '../../uapi/linux/tcp.ts';

// ---- columns ---------------------------------------------------------------------------------------------------------------------

export const COL_NETID = 0;
export const COL_STATE = 1;
export const COL_RECVQ = 2;
export const COL_SENDQ = 3;
export const COL_ADDR = 4;
export const COL_SERV = 5;
export const COL_RADDR = 6;
export const COL_RSERV = 7;
export const COL_PROC = 8;

const HEADERS: readonly string[] = [
	'Netid',
	'State',
	'Recv-Q',
	'Send-Q',
	'Local Address:',
	'Port',
	'Peer Address:',
	'Port',
	'Process',
];
const DELIMITERS: readonly string[] = ['', ' ', ' ', ' ', ' ', '', ' ', '', ''];

/** Lines of cells. */
export class ss_table {
	rows: string[][] = [];
	/** COL_* that are not shown. */
	hidden: Set<number> = new Set();

	header(): void {
		this.rows.push([...HEADERS]);
	}

	/** All of it as text. */
	render(): string {
		const width = HEADERS.map((_, i) => Math.max(0, ...this.rows.map((r) => r[i].length)));
		let out = '';
		for (const r of this.rows) {
			let first = true;
			for (let i = 0; i < HEADERS.length; i++) {
				if (this.hidden.has(i)) continue;
				if (!first && width[i] > 0) out += DELIMITERS[i];
				out += i === COL_ADDR || i === COL_RADDR ? r[i].padStart(width[i]) : r[i].padEnd(width[i]);
				if (width[i] > 0) first = false;
			}
			out += '\n';
		}
		return out;
	}
}

// ---- numbers ---------------------------------------------------------------------------------------------------------------------

/** printf's %g with `precision` digits. */
export function fmt_g(x: number, precision = 6): string {
	if (x === 0) return '0';
	const exp = Number(x.toExponential(precision - 1).split('e')[1]);
	if (exp < -4 || exp >= precision) {
		const [m, e] = x.toExponential(precision - 1).split('e');
		const mant = m.includes('.') ? m.replace(/\.?0+$/, '') : m;
		const n = Number(e);
		return `${mant}e${n < 0 ? '-' : '+'}${String(Math.abs(n)).padStart(2, '0')}`;
	}
	const s = x.toFixed(Math.max(0, precision - 1 - exp));
	return s.includes('.') ? s.replace(/\.?0+$/, '') : s;
}

/** Bits a second. */
function sprint_bw(bw: number, numeric: boolean): string {
	if (numeric) return bw.toFixed(0);
	let unit = 0;
	while (bw >= 1000 && unit < 4) {
		bw /= 1000;
		unit++;
	}
	return fmt_g(bw, 3) + ['', 'k', 'M', 'G', 'T'][unit];
}

/** A timer's rest: 9min, 4.200ms, 59sec, 092ms. */
export function print_ms_timer(timeout: number): string {
	let secs = Math.floor(timeout / 1000);
	const minutes = Math.floor(secs / 60);
	secs %= 60;
	let msecs = timeout % 1000;
	let out = '';
	if (minutes > 0) {
		msecs = 0;
		out = `${minutes}min`;
		if (minutes > 9) secs = 0;
	}
	if (secs > 0) {
		if (secs > 9) msecs = 0;
		out += `${secs}${msecs > 0 ? '.' : 'sec'}`;
	}
	if (msecs > 0) out += `${String(msecs).padStart(3, '0')}ms`;
	return out;
}

// ---- what a message says ---------------------------------------------------------------------------------------------------------

export interface ss_show {
	options: boolean;
	details: boolean;
	mem: boolean;
	tcpinfo: boolean;
	tos: boolean;
	cgroup: boolean;
	sockopt: boolean;
	oneline: boolean;
	numeric: boolean;
}

function u32(a: nlattr, o = 0): number {
	return o + 4 <= a.len ? get_unaligned_le32(a.buf, a.off + o) : 0;
}

function u64(a: nlattr, o: number): number {
	return o + 8 <= a.len ? get_unaligned_le64(a.buf, a.off + o) : 0;
}

function hex_alt(v: number): string {
	return v === 0 ? '0' : `0x${v.toString(16)}`;
}

export function print_skmeminfo(a: nlattr): string {
	const m = (i: number): number => u32(a, i * 4);
	return ` skmem:(r${m(0)},rb${m(1)},t${m(2)},tb${m(3)},f${m(4)},w${m(5)},o${m(6)},bl${m(7)},d${m(8)})`;
}

/** uid, inode, cookie, mark, cgroup. `told`: called when the cgroup's path cannot be found. */
export function sock_details_print(tb: nlattr_table, uid: number, ino: number, sk: number, told: () => void): string {
	let out = uid !== 0 ? ` uid:${uid}` : '';
	out += ` ino:${ino} sk:${sk.toString(16)}`;
	const mark = tb[INET_DIAG_MARK];
	if (mark !== null && u32(mark) !== 0) out += ` fwmark:0x${u32(mark).toString(16)}`;
	return out + cgroup_print(tb, told);
}

/** No cgroup2 is mounted here, so that no cgroup has a path. */
export function cgroup_print(tb: nlattr_table, told: () => void): string {
	const id = tb[INET_DIAG_CGROUP_ID];
	if (id === null) return '';
	told();
	return ` cgroup:unreachable:${u64(id, 0).toString(16)}`;
}

export function shutdown_print(tb: nlattr_table): string {
	const a = tb[INET_DIAG_SHUTDOWN];
	if (a === null) return '';
	const mask = a.buf[a.off];
	return ` ${(mask & 1) !== 0 ? '-' : '<'}-${(mask & 2) !== 0 ? '-' : '>'}`;
}

export function tos_print(tb: nlattr_table): string {
	let out = '';
	const tos = tb[INET_DIAG_TOS];
	const tclass = tb[INET_DIAG_TCLASS];
	const class_id = tb[INET_DIAG_CLASS_ID];
	if (tos !== null) out += ` tos:${hex_alt(tos.buf[tos.off])}`;
	if (tclass !== null) out += ` tclass:${hex_alt(tclass.buf[tclass.off])}`;
	if (class_id !== null) out += ` class_id:${hex_alt(u32(class_id))}`;
	return out;
}

const SOCKOPTS: readonly string[] = [
	'recverr',
	'is_icsk',
	'freebind',
	'hdrincl',
	'mc_loop',
	'transparent',
	'mc_all',
	'nodefrag',
	'bind_addr_no_port',
	'recverr_rfc4884',
	'defer_connect',
];

export function sockopt_print(tb: nlattr_table, oneline: boolean): string {
	const a = tb[INET_DIAG_SOCKOPT];
	if (a === null) return '';
	const bits = get_unaligned_le16(a.buf, a.off);
	const set = SOCKOPTS.filter((_, i) => (bits & (1 << i)) !== 0);
	return `${oneline ? ' ' : '\n\t'}inet-sockopt: (${set.map((s) => ` ${s}`).join('')})`;
}

function bbr_print(a: nlattr, numeric: boolean): string {
	const bw = u32(a, 0) + u32(a, 4) * 0x100000000;
	let out = ` bbr:(bw:${sprint_bw(bw * 8, numeric)}bps,mrtt:${fmt_g(u32(a, 8) / 1000)}`;
	if (u32(a, 12) !== 0) out += `,pacing_gain:${fmt_g(u32(a, 12) / 256)}`;
	if (u32(a, 16) !== 0) out += `,cwnd_gain:${fmt_g(u32(a, 16) / 256)}`;
	return `${out})`;
}

function limited(name: string, us: number, busy: number): string {
	return us === 0 ? '' : ` ${name}:${Math.floor(us / 1000)}ms(${((100 * us) / busy).toFixed(1)}%)`;
}

/** TCP_INFO in the words of ss: only what is not zero. */
export function tcp_stats_print(tb: nlattr_table, show: ss_show, state: number): string {
	const i = tb[INET_DIAG_INFO];
	if (i === null) return '';
	const opts = i.buf[i.off + 5];
	const has = (bit: number): boolean => (opts & bit) !== 0;
	let out = '';
	const say = (name: string, v: number): void => {
		if (v !== 0) out += ` ${name}:${v}`;
	};
	const say_g = (name: string, v: number): void => {
		if (v !== 0) out += ` ${name}:${fmt_g(v)}`;
	};
	if (show.options) {
		if (has(TCPI_OPT_TIMESTAMPS)) out += ' ts';
		if (has(TCPI_OPT_SACK)) out += ' sack';
		if (has(TCPI_OPT_ECN)) out += ' ecn';
		if (has(TCPI_OPT_ECN_SEEN)) out += ' ecnseen';
		if (has(TCPI_OPT_SYN_DATA)) out += ' fastopen';
	}
	const cong = tb[INET_DIAG_CONG];
	if (cong !== null) {
		let name = '';
		for (let k = 0; k < cong.len && cong.buf[cong.off + k] !== 0; k++)
			name += String.fromCharCode(cong.buf[cong.off + k]);
		out += ` ${name}`;
	}
	const wscale = i.buf[i.off + 6];
	if (has(TCPI_OPT_WSCALE)) out += ` wscale:${wscale & 15},${wscale >> 4}`;
	const rto = u32(i, 8);
	if (rto !== 3000000) say_g('rto', rto / 1000);
	say('backoff', i.buf[i.off + 4]);
	const rtt = u32(i, 68);
	if (rtt !== 0) out += ` rtt:${fmt_g(rtt / 1000)}/${fmt_g(u32(i, 72) / 1000)}`;
	say_g('ato', u32(i, 12) / 1000);
	const mss = u32(i, 16);
	const cwnd = u32(i, 80);
	say('mss', mss);
	say('pmtu', u32(i, 60));
	say('rcvmss', u32(i, 20));
	say('advmss', u32(i, 84));
	say('cwnd', cwnd);
	if (u32(i, 76) < 0xffff) say('ssthresh', u32(i, 76));
	say('bytes_sent', u64(i, 200));
	say('bytes_retrans', u64(i, 208));
	say('bytes_acked', u64(i, 120));
	say('bytes_received', u64(i, 128));
	say('segs_out', u32(i, 136));
	say('segs_in', u32(i, 140));
	say('data_segs_out', u32(i, 156));
	say('data_segs_in', u32(i, 152));
	const bbr = tb[INET_DIAG_BBRINFO];
	if (bbr !== null) out += bbr_print(bbr, show.numeric);
	if (rtt !== 0 && mss !== 0 && cwnd !== 0) out += ` send ${sprint_bw((cwnd * mss * 8e6) / rtt, show.numeric)}bps`;
	say('lastsnd', u32(i, 44));
	say('lastrcv', u32(i, 52));
	say('lastack', u32(i, 56));
	const none = 2 ** 64;
	const pacing = u64(i, 104);
	if (pacing !== 0 && pacing < none) {
		out += ` pacing_rate ${sprint_bw(pacing * 8, show.numeric)}bps`;
		const max = u64(i, 112);
		if (max !== 0 && max < none) out += `/${sprint_bw(max * 8, show.numeric)}bps`;
	}
	if (u64(i, 160) !== 0) out += ` delivery_rate ${sprint_bw(u64(i, 160) * 8, show.numeric)}bps`;
	say('delivered', u32(i, 192));
	say('delivered_ce', u32(i, 196));
	if ((i.buf[i.off + 7] & 1) !== 0) out += ' app_limited';
	const busy = u64(i, 168);
	if (busy !== 0) {
		out += ` busy:${Math.floor(busy / 1000)}ms`;
		out += limited('rwnd_limited', u64(i, 176), busy);
		out += limited('sndbuf_limited', u64(i, 184), busy);
	}
	say('unacked', u32(i, 24));
	if (u32(i, 36) !== 0 || u32(i, 100) !== 0) out += ` retrans:${u32(i, 36)}/${u32(i, 100)}`;
	say('lost', u32(i, 32));
	if (state !== 10) say('sacked', u32(i, 28));
	say('dsack_dups', u32(i, 216));
	say('fackets', u32(i, 40));
	if (u32(i, 88) !== 3) out += ` reordering:${u32(i, 88)}`;
	say('reord_seen', u32(i, 220));
	say_g('rcv_rtt', u32(i, 92) / 1000);
	say('rcv_space', u32(i, 96));
	say('rcv_ssthresh', u32(i, 64));
	say('notsent', u32(i, 144));
	const min_rtt = u32(i, 148);
	if (min_rtt !== 0 && min_rtt !== 0xffffffff) say_g('minrtt', min_rtt / 1000);
	say('rcv_ooopack', u32(i, 224));
	say('snd_wnd', u32(i, 228));
	return out;
}

/** Memory and TCP's own, behind a line break unless -O. */
export function tcp_show_info(tb: nlattr_table, show: ss_show, state: number): string {
	let out = show.oneline ? '' : '\n\t';
	const mem = tb[INET_DIAG_SKMEMINFO];
	if (mem !== null) out += print_skmeminfo(mem);
	return out + tcp_stats_print(tb, show, state);
}
