/*
 * net/ipv4/tcp_metrics.ts: what is remembered of the paths to peers.      Linux: net/ipv4/tcp_metrics.c
 *
 * By pair of addresses: RTT, its deviation, ssthresh, cwnd, degree of reordering, and what Fast Open needs.
 * Walk: tcp_init_metrics (a connection begins) -> tcp_update_metrics (it ends) ; tcp_peer_is_proven (a SYN flood) ; tcp_fastopen_cache_*
 *       generic netlink `tcp_metrics`: `ip tcp_metrics`.
 * RFC 9040 (sharing of control blocks), RFC 6298 5.7, RFC 7413 4.1.3 (cookie cache).
 * Here: one table per namespace; Linux has one for all, with chains that keep the five youngest.
 */
import type { Machine } from '../../kernel/machine.ts';
import { HZ, jiffies_to_msecs, jiffies_to_usecs } from '../../kernel/time.ts';
import {
	NLA_BINARY,
	NLA_U32,
	nla_get_be32,
	nla_nest_end,
	nla_nest_start_noflag,
	type nla_policy_table,
	nla_put,
	nla_put_be32,
	nla_put_u16,
	nla_put_u32,
	nla_put_u64,
	type nlattr_table,
	nlmsg_end,
} from '../../lib/nlattr.ts';
import { EAFNOSUPPORT, EINVAL, EMSGSIZE, ESRCH } from '../../uapi/asm-generic/errno.ts';
import { NLM_F_MULTI } from '../../uapi/linux/netlink.ts';
import {
	RTAX_CWND,
	RTAX_LOCK,
	RTAX_REORDERING,
	RTAX_RTT,
	RTAX_RTTVAR,
	RTAX_SSTHRESH,
} from '../../uapi/linux/rtnetlink.ts';
import { TCP_CA_Open } from '../../uapi/linux/tcp.ts';
import {
	TCP_METRIC_CWND,
	TCP_METRIC_MAX_KERNEL,
	TCP_METRIC_REORDERING,
	TCP_METRIC_RTT,
	TCP_METRIC_RTT_US,
	TCP_METRIC_RTTVAR,
	TCP_METRIC_RTTVAR_US,
	TCP_METRIC_SSTHRESH,
	TCP_METRICS_ATTR_ADDR_IPV4,
	TCP_METRICS_ATTR_ADDR_IPV6,
	TCP_METRICS_ATTR_AGE,
	TCP_METRICS_ATTR_FOPEN_COOKIE,
	TCP_METRICS_ATTR_FOPEN_MSS,
	TCP_METRICS_ATTR_FOPEN_SYN_DROP_TS,
	TCP_METRICS_ATTR_FOPEN_SYN_DROPS,
	TCP_METRICS_ATTR_MAX,
	TCP_METRICS_ATTR_SADDR_IPV4,
	TCP_METRICS_ATTR_SADDR_IPV6,
	TCP_METRICS_ATTR_VALS,
	TCP_METRICS_CMD_DEL,
	TCP_METRICS_CMD_GET,
	TCP_METRICS_GENL_NAME,
	TCP_METRICS_GENL_VERSION,
} from '../../uapi/linux/tcp_metrics.ts';
import { type dst_entry, dst_metric } from '../core/dst.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import { sk_dst_confirm, type sock } from '../core/sock.ts';
import {
	GENL_ADMIN_PERM,
	genl_family,
	type genl_info,
	type genl_ops,
	genl_register_family,
	genlmsg_put,
	genlmsg_reply,
} from '../netlink/genetlink.ts';
import { type netlink_callback, type netlink_skb, nlmsg_new } from '../netlink/netlink.ts';
import { inet_sk } from './af_inet.ts';
import {
	TCP_INFINITE_SSTHRESH,
	TCP_TIMEOUT_FALLBACK,
	tcp_fastopen_cookie,
	tcp_in_initial_slowstart,
	tcp_in_slow_start,
	tcp_jiffies32,
	type tcp_request_sock,
	tcp_rto_min,
	tcp_sk,
} from './tcp_sock.ts';

/** What the route says replaces what is older than this. */
const TCP_METRICS_TIMEOUT = 60 * 60 * HZ;
/** Entries of a namespace; the one that was made first goes for a new one. */
const TCP_METRICS_MAX = 65536;

/** What Fast Open remembers of a server. */
class tcp_fastopen_metrics {
	mss = 0;
	/** SYNs with data lost in a row. */
	syn_loss = 0;
	/** 1: the experimental option is worth a try, 2: it was tried. */
	try_exp = 0;
	/** jiffies. */
	last_syn_loss = 0;
	cookie: tcp_fastopen_cookie = new tcp_fastopen_cookie();
}

class tcp_metrics_block {
	tcpm_saddr: number;
	tcpm_daddr: number;
	/** jiffies of the last update. */
	tcpm_stamp = 0;
	/** Bits of TCP_METRIC_*: the route says so, whatever connections see. */
	tcpm_lock = 0;
	tcpm_vals: number[] = [0, 0, 0, 0, 0];
	tcpm_fastopen: tcp_fastopen_metrics | null = null;
	/** Another local address, the same peer. */
	tcpm_next: tcp_metrics_block | null = null;

	constructor(saddr: number, daddr: number) {
		this.tcpm_saddr = saddr;
		this.tcpm_daddr = daddr;
	}
}

/** Entries of one namespace. */
export class tcp_metrics_table {
	/** By the peer's address, chained. */
	hash: Map<number, tcp_metrics_block> = new Map();
	count = 0;
}

// ---- entries -----------------------------------------------------------------------------------------------------------------------

function tcp_metric_locked(tm: tcp_metrics_block, idx: number): boolean {
	return (tm.tcpm_lock & (1 << idx)) !== 0;
}

/** The route's metrics into an entry; a route's RTT is in ms. */
function tcpm_suck_dst(tm: tcp_metrics_block, dst: dst_entry, now: number): void {
	const lock = dst_metric(dst, RTAX_LOCK);
	tm.tcpm_stamp = now;
	tm.tcpm_lock = 0;
	if ((lock & (1 << RTAX_RTT)) !== 0) tm.tcpm_lock |= 1 << TCP_METRIC_RTT;
	if ((lock & (1 << RTAX_RTTVAR)) !== 0) tm.tcpm_lock |= 1 << TCP_METRIC_RTTVAR;
	if ((lock & (1 << RTAX_SSTHRESH)) !== 0) tm.tcpm_lock |= 1 << TCP_METRIC_SSTHRESH;
	if ((lock & (1 << RTAX_CWND)) !== 0) tm.tcpm_lock |= 1 << TCP_METRIC_CWND;
	if ((lock & (1 << RTAX_REORDERING)) !== 0) tm.tcpm_lock |= 1 << TCP_METRIC_REORDERING;
	tm.tcpm_vals[TCP_METRIC_RTT] = dst_metric(dst, RTAX_RTT) * 1000;
	tm.tcpm_vals[TCP_METRIC_RTTVAR] = dst_metric(dst, RTAX_RTTVAR) * 1000;
	tm.tcpm_vals[TCP_METRIC_SSTHRESH] = dst_metric(dst, RTAX_SSTHRESH);
	tm.tcpm_vals[TCP_METRIC_CWND] = dst_metric(dst, RTAX_CWND);
	tm.tcpm_vals[TCP_METRIC_REORDERING] = dst_metric(dst, RTAX_REORDERING);
	tm.tcpm_fastopen = null;
}

function tcp_get_metrics_addr(n: net, saddr: number, daddr: number): tcp_metrics_block | null {
	let tm = n.ipv4.tcp_metrics.hash.get(daddr) ?? null;
	while (tm !== null && tm.tcpm_saddr !== saddr) tm = tm.tcpm_next;
	return tm;
}

function tcpm_new(n: net, dst: dst_entry, saddr: number, daddr: number): tcp_metrics_block {
	const t = n.ipv4.tcp_metrics;
	if (t.count >= TCP_METRICS_MAX) {
		for (const [key, first] of t.hash) {
			for (let tm: tcp_metrics_block | null = first; tm !== null; tm = tm.tcpm_next) t.count--;
			t.hash.delete(key);
			break;
		}
	}
	const tm = new tcp_metrics_block(saddr, daddr);
	tcpm_suck_dst(tm, dst, n.machine.jiffies);
	tm.tcpm_next = t.hash.get(daddr) ?? null;
	t.hash.set(daddr, tm);
	t.count++;
	return tm;
}

/** The connection's entry; null when there is none and none is to be made. */
function tcp_get_metrics(sk: sock, dst: dst_entry, create: boolean): tcp_metrics_block | null {
	const inet = inet_sk(sk);
	const tm = tcp_get_metrics_addr(sk.net, inet.inet_saddr, inet.inet_daddr);
	if (tm === null) return create ? tcpm_new(sk.net, dst, inet.inet_saddr, inet.inet_daddr) : null;
	const now = sk.net.machine.jiffies;
	if (now > tm.tcpm_stamp + TCP_METRICS_TIMEOUT) tcpm_suck_dst(tm, dst, now);
	return tm;
}

// ---- a connection ------------------------------------------------------------------------------------------------------------------

/** A connection ends (or goes to FIN_WAIT2): remembers what it learned. */
export function tcp_update_metrics(sk: sock): void {
	const tp = tcp_sk(sk);
	const ipv4 = sk.net.ipv4;
	const dst = sk.sk_dst_cache;
	sk_dst_confirm(sk);
	if (ipv4.sysctl_tcp_nometrics_save !== 0 || dst === null) return;
	if (tp.icsk_backoff !== 0 || tp.srtt_us === 0) {
		// It ends in the middle of a backoff: what was known of the RTT does not hold.
		const old = tcp_get_metrics(sk, dst, false);
		if (old !== null && !tcp_metric_locked(old, TCP_METRIC_RTT)) old.tcpm_vals[TCP_METRIC_RTT] = 0;
		return;
	}
	const tm = tcp_get_metrics(sk, dst, true)!;
	const v = tm.tcpm_vals;
	let m = v[TCP_METRIC_RTT] - tp.srtt_us;
	// A longer RTT is believed at once, a shorter one by and by.
	if (!tcp_metric_locked(tm, TCP_METRIC_RTT)) {
		if (m <= 0) v[TCP_METRIC_RTT] = tp.srtt_us;
		else v[TCP_METRIC_RTT] -= m >> 3;
	}
	if (!tcp_metric_locked(tm, TCP_METRIC_RTTVAR)) {
		m = Math.max(Math.abs(m) >> 1, tp.mdev_us);
		const dev = v[TCP_METRIC_RTTVAR];
		v[TCP_METRIC_RTTVAR] = m >= dev ? m : dev - ((dev - m) >> 2);
	}
	const ssthresh = ipv4.sysctl_tcp_no_ssthresh_metrics_save === 0 && !tcp_metric_locked(tm, TCP_METRIC_SSTHRESH);
	const cwnd = !tcp_metric_locked(tm, TCP_METRIC_CWND);
	const half = tp.snd_cwnd >> 1;
	if (tcp_in_initial_slowstart(tp)) {
		// Slow start did not end.
		if (ssthresh && v[TCP_METRIC_SSTHRESH] !== 0 && half > v[TCP_METRIC_SSTHRESH]) v[TCP_METRIC_SSTHRESH] = half;
		if (cwnd && tp.snd_cwnd > v[TCP_METRIC_CWND]) v[TCP_METRIC_CWND] = tp.snd_cwnd;
	} else if (!tcp_in_slow_start(tp) && tp.icsk_ca_state === TCP_CA_Open) {
		// Congestion avoidance: cwnd is known.
		if (ssthresh) v[TCP_METRIC_SSTHRESH] = Math.max(half, tp.snd_ssthresh);
		if (cwnd) v[TCP_METRIC_CWND] = (v[TCP_METRIC_CWND] + tp.snd_cwnd) >> 1;
	} else {
		// In a recovery, or slow start after one: ssthresh is the better guess.
		if (cwnd) v[TCP_METRIC_CWND] = (v[TCP_METRIC_CWND] + tp.snd_ssthresh) >> 1;
		if (ssthresh && v[TCP_METRIC_SSTHRESH] !== 0 && tp.snd_ssthresh > v[TCP_METRIC_SSTHRESH])
			v[TCP_METRIC_SSTHRESH] = tp.snd_ssthresh;
	}
	if (
		!tcp_metric_locked(tm, TCP_METRIC_REORDERING) &&
		v[TCP_METRIC_REORDERING] < tp.reordering &&
		tp.reordering !== ipv4.sysctl_tcp_reordering
	)
		v[TCP_METRIC_REORDERING] = tp.reordering;
	tm.tcpm_stamp = tcp_jiffies32(sk);
}

/** A connection begins: ssthresh and reordering as they were, and a first RTO. */
export function tcp_init_metrics(sk: sock): void {
	const tp = tcp_sk(sk);
	const dst = sk.sk_dst_cache;
	sk_dst_confirm(sk);
	tp.snd_ssthresh = TCP_INFINITE_SSTHRESH;
	let crtt = 0;
	const tm = dst === null ? null : tcp_get_metrics(sk, dst, false);
	if (tm !== null) {
		const v = tm.tcpm_vals;
		if (tcp_metric_locked(tm, TCP_METRIC_CWND)) tp.snd_cwnd_clamp = v[TCP_METRIC_CWND];
		const ssthresh = sk.net.ipv4.sysctl_tcp_no_ssthresh_metrics_save !== 0 ? 0 : v[TCP_METRIC_SSTHRESH];
		if (ssthresh !== 0) tp.snd_ssthresh = Math.min(ssthresh, tp.snd_cwnd_clamp);
		if (v[TCP_METRIC_REORDERING] !== 0) tp.reordering = v[TCP_METRIC_REORDERING];
		crtt = v[TCP_METRIC_RTT];
	}
	if (crtt > tp.srtt_us) {
		// The SYN was short: data may take as long as they did. The estimator begins with the first of them all the same.
		const rtt = Math.floor(crtt / ((8 * 1e6) / HZ));
		tp.icsk_rto = rtt + Math.max(2 * rtt, tcp_rto_min(sk));
	} else if (tp.srtt_us === 0) {
		// RFC 6298 5.7: the SYN was retransmitted: no sample, 3 s.
		tp.rttvar_us = jiffies_to_usecs(TCP_TIMEOUT_FALLBACK);
		tp.mdev_us = tp.rttvar_us;
		tp.mdev_max_us = tp.rttvar_us;
		tp.icsk_rto = TCP_TIMEOUT_FALLBACK;
	}
}

/** Whether a connection with that peer was ever so far that its RTT is known: no spoofed address then. */
export function tcp_peer_is_proven(req: tcp_request_sock, dst: dst_entry | null): boolean {
	if (dst === null) return false;
	const tm = tcp_get_metrics_addr(req.net, req.ir_loc_addr, req.ir_rmt_addr);
	return tm !== null && tm.tcpm_vals[TCP_METRIC_RTT] !== 0;
}

// ---- Fast Open ---------------------------------------------------------------------------------------------------------------------

function cookie_copy(to: tcp_fastopen_cookie, from: tcp_fastopen_cookie): void {
	to.len = from.len;
	to.exp = from.exp;
	if (from.len > 0) to.val.set(from.val.subarray(0, from.len));
}

/** Fills in the cookie and `mss.v` (left alone when nothing is known). */
export function tcp_fastopen_cache_get(sk: sock, mss: { v: number }, cookie: tcp_fastopen_cookie): void {
	const dst = sk.sk_dst_cache;
	const tm = dst === null ? null : tcp_get_metrics(sk, dst, false);
	const tfom = tm === null ? null : tm.tcpm_fastopen;
	if (tfom === null) return;
	if (tfom.mss !== 0) mss.v = tfom.mss;
	cookie_copy(cookie, tfom.cookie);
	if (cookie.len <= 0 && tfom.try_exp === 1) cookie.exp = true;
}

export function tcp_fastopen_cache_set(
	sk: sock,
	mss: number,
	cookie: tcp_fastopen_cookie | null,
	syn_lost: boolean,
	try_exp: number,
): void {
	const dst = sk.sk_dst_cache;
	if (dst === null) return;
	const tm = tcp_get_metrics(sk, dst, true)!;
	let tfom = tm.tcpm_fastopen;
	if (tfom === null) {
		tfom = new tcp_fastopen_metrics();
		tm.tcpm_fastopen = tfom;
	}
	if (mss !== 0) tfom.mss = mss;
	if (cookie !== null && cookie.len > 0) cookie_copy(tfom.cookie, cookie);
	else if (try_exp > tfom.try_exp && tfom.cookie.len <= 0 && !tfom.cookie.exp) tfom.try_exp = try_exp;
	if (syn_lost) {
		tfom.syn_loss++;
		tfom.last_syn_loss = tcp_jiffies32(sk);
	} else tfom.syn_loss = 0;
}

// ---- generic netlink ---------------------------------------------------------------------------------------------------------------

function tcp_metrics_fill_info(msg: netlink_skb, tm: tcp_metrics_block, now: number): number {
	let err = nla_put_be32(msg, TCP_METRICS_ATTR_ADDR_IPV4, tm.tcpm_daddr);
	err |= nla_put_be32(msg, TCP_METRICS_ATTR_SADDR_IPV4, tm.tcpm_saddr);
	err |= nla_put_u64(msg, TCP_METRICS_ATTR_AGE, jiffies_to_msecs(now - tm.tcpm_stamp));
	const nest = nla_nest_start_noflag(msg, TCP_METRICS_ATTR_VALS);
	if (nest < 0) return -EMSGSIZE;
	let n = 0;
	for (let i = 0; i <= TCP_METRIC_MAX_KERNEL; i++) {
		let val = tm.tcpm_vals[i];
		if (val === 0) continue;
		// Both are told in us too, first.
		if (i === TCP_METRIC_RTT || i === TCP_METRIC_RTTVAR) {
			err |= nla_put_u32(msg, (i === TCP_METRIC_RTT ? TCP_METRIC_RTT_US : TCP_METRIC_RTTVAR_US) + 1, val);
			n++;
			val = Math.max(Math.floor(val / 1000), 1);
		}
		err |= nla_put_u32(msg, i + 1, val);
		n++;
	}
	if (n > 0) nla_nest_end(msg, nest);
	else msg.len = nest;
	const tfom = tm.tcpm_fastopen;
	if (tfom !== null) {
		if (tfom.mss !== 0) err |= nla_put_u16(msg, TCP_METRICS_ATTR_FOPEN_MSS, tfom.mss);
		if (tfom.syn_loss !== 0) {
			err |= nla_put_u16(msg, TCP_METRICS_ATTR_FOPEN_SYN_DROPS, tfom.syn_loss);
			err |= nla_put_u64(msg, TCP_METRICS_ATTR_FOPEN_SYN_DROP_TS, jiffies_to_msecs(now - tfom.last_syn_loss));
		}
		if (tfom.cookie.len > 0)
			err |= nla_put(msg, TCP_METRICS_ATTR_FOPEN_COOKIE, tfom.cookie.val.subarray(0, tfom.cookie.len));
	}
	return err < 0 ? -EMSGSIZE : 0;
}

function tcp_metrics_nl_dump(skb: netlink_skb, cb: netlink_callback): number {
	const n = skb.net;
	const family = tcp_metrics_family(n.machine);
	if (family === null) return 0;
	let at = 0;
	for (const first of n.ipv4.tcp_metrics.hash.values()) {
		for (let tm: tcp_metrics_block | null = first; tm !== null; tm = tm.tcpm_next, at++) {
			if (at < cb.args[0]) continue;
			const nlh = genlmsg_put(skb, cb.skb.portid, cb.nlh.nlmsg_seq, family, NLM_F_MULTI, TCP_METRICS_CMD_GET);
			if (nlh < 0) return -EMSGSIZE;
			if (tcp_metrics_fill_info(skb, tm, n.machine.jiffies) < 0) {
				skb.len = nlh;
				return -EMSGSIZE;
			}
			nlmsg_end(skb, nlh);
			cb.args[0] = at + 1;
		}
	}
	return 0;
}

/** Return: 1 with an address in `addr.v`, 0 when there may be none and is none, -errno. */
function parse_nl_addr(attrs: nlattr_table, a4: number, a6: number, optional: number, addr: { v: number }): number {
	const v4 = attrs[a4];
	if (v4 !== null && v4 !== undefined) {
		addr.v = nla_get_be32(v4);
		return 1;
	}
	const v6 = attrs[a6];
	if (v6 !== null && v6 !== undefined) return v6.len !== 16 ? -EINVAL : -ESRCH;
	return optional !== 0 ? 0 : -EAFNOSUPPORT;
}

function tcp_metrics_nl_cmd_get(_skb: netlink_skb, info: genl_info): number {
	const daddr = { v: 0 };
	const saddr = { v: 0 };
	let ret = parse_nl_addr(info.attrs, TCP_METRICS_ATTR_ADDR_IPV4, TCP_METRICS_ATTR_ADDR_IPV6, 0, daddr);
	if (ret < 0) return ret;
	ret = parse_nl_addr(info.attrs, TCP_METRICS_ATTR_SADDR_IPV4, TCP_METRICS_ATTR_SADDR_IPV6, 1, saddr);
	if (ret < 0) return ret;
	const src = ret > 0;
	for (let tm = info.net.ipv4.tcp_metrics.hash.get(daddr.v) ?? null; tm !== null; tm = tm.tcpm_next) {
		if (src && tm.tcpm_saddr !== saddr.v) continue;
		const msg = nlmsg_new(info.net);
		const nlh = genlmsg_put(msg, info.snd_portid, info.snd_seq, info.family, 0, TCP_METRICS_CMD_GET);
		if (nlh < 0 || tcp_metrics_fill_info(msg, tm, info.net.machine.jiffies) < 0) return -EMSGSIZE;
		nlmsg_end(msg, nlh);
		return genlmsg_reply(msg, info);
	}
	return -ESRCH;
}

function tcp_metrics_flush_all(n: net): void {
	n.ipv4.tcp_metrics.hash.clear();
	n.ipv4.tcp_metrics.count = 0;
}

function tcp_metrics_nl_cmd_del(_skb: netlink_skb, info: genl_info): number {
	const daddr = { v: 0 };
	const saddr = { v: 0 };
	let ret = parse_nl_addr(info.attrs, TCP_METRICS_ATTR_ADDR_IPV4, TCP_METRICS_ATTR_ADDR_IPV6, 1, daddr);
	if (ret < 0) return ret;
	if (ret === 0) {
		tcp_metrics_flush_all(info.net);
		return 0;
	}
	ret = parse_nl_addr(info.attrs, TCP_METRICS_ATTR_SADDR_IPV4, TCP_METRICS_ATTR_SADDR_IPV6, 1, saddr);
	if (ret < 0) return ret;
	const t = info.net.ipv4.tcp_metrics;
	let found = false;
	let keep: tcp_metrics_block | null = null;
	for (let tm = t.hash.get(daddr.v) ?? null; tm !== null; ) {
		const next: tcp_metrics_block | null = tm.tcpm_next;
		if (ret === 0 || tm.tcpm_saddr === saddr.v) {
			found = true;
			t.count--;
		} else {
			tm.tcpm_next = keep;
			keep = tm;
		}
		tm = next;
	}
	if (keep === null) t.hash.delete(daddr.v);
	else t.hash.set(daddr.v, keep);
	return found ? 0 : -ESRCH;
}

const tcp_metrics_nl_policy: nla_policy_table = {
	[TCP_METRICS_ATTR_ADDR_IPV4]: { type: NLA_U32 },
	[TCP_METRICS_ATTR_ADDR_IPV6]: { type: NLA_BINARY, len: 16 },
	[TCP_METRICS_ATTR_SADDR_IPV4]: { type: NLA_U32 },
	[TCP_METRICS_ATTR_SADDR_IPV6]: { type: NLA_BINARY, len: 16 },
};

const tcp_metrics_nl_ops: readonly genl_ops[] = [
	{ cmd: TCP_METRICS_CMD_GET, flags: 0, doit: tcp_metrics_nl_cmd_get, dumpit: tcp_metrics_nl_dump },
	{ cmd: TCP_METRICS_CMD_DEL, flags: GENL_ADMIN_PERM, doit: tcp_metrics_nl_cmd_del, dumpit: null },
];

function tcp_metrics_family(machine: Machine): genl_family | null {
	for (const f of machine.genl.families) if (f.name === TCP_METRICS_GENL_NAME) return f;
	return null;
}

function tcp_net_metrics_init(n: net): number {
	n.ipv4.tcp_metrics = new tcp_metrics_table();
	return 0;
}

function tcp_net_metrics_exit(n: net): void {
	tcp_metrics_flush_all(n);
}

/** The tables of each namespace and the generic netlink family `tcp_metrics`. Called by tcp_init. */
export function tcp_metrics_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'tcp_metrics', init: tcp_net_metrics_init, exit: tcp_net_metrics_exit });
	genl_register_family(
		machine,
		new genl_family(
			TCP_METRICS_GENL_NAME,
			TCP_METRICS_GENL_VERSION,
			TCP_METRICS_ATTR_MAX,
			tcp_metrics_nl_policy,
			tcp_metrics_nl_ops,
		),
	);
}
