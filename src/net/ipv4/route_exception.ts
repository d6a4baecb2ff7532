/*
 * net/ipv4/route_exception.ts: what is learned of single destinations, and what is told when there is no way.   Linux: net/ipv4/route.c
 *
 * A fib_nh_exception holds a path MTU (RFC 1191) or a better gateway (RFC 792 redirect) for one destination over one nexthop; routes
 * to it are made from it (rt_bind_exception) until it expires. ip_error and ip_rt_send_redirect tell senders, at a limited rate.
 * RFC 1191 6.3 (aging), RFC 1122 3.2.2.2 (which redirects a host believes), RFC 1812 4.3.2.8 and 5.2.7 (rate limits, redirects).
 */
import { KERN_INFO, KERN_WARNING, net_ratelimit, printk } from '../../kernel/printk.ts';
import { trace_event } from '../../kernel/trace.ts';
import { get_unaligned_be32 } from '../../lib/byteorder.ts';
import { EACCES, EHOSTUNREACH, ENETUNREACH } from '../../uapi/asm-generic/errno.ts';
import {
	ICMP_DEST_UNREACH,
	ICMP_HOST_UNREACH,
	ICMP_NET_UNREACH,
	ICMP_PKT_FILTERED,
	ICMP_REDIR_HOST,
	ICMP_REDIR_HOSTTOS,
	ICMP_REDIR_NET,
	ICMP_REDIR_NETTOS,
	ICMP_REDIRECT,
} from '../../uapi/linux/icmp.ts';
import {
	NUD_DELAY,
	NUD_NOARP,
	NUD_PERMANENT,
	NUD_PROBE,
	NUD_REACHABLE,
	NUD_STALE,
} from '../../uapi/linux/neighbour.ts';
import { RT_SCOPE_UNIVERSE, RTN_UNICAST } from '../../uapi/linux/rtnetlink.ts';
import { IPSTATS_MIB_INADDRERRORS, IPSTATS_MIB_INNOROUTES } from '../../uapi/linux/snmp.ts';
import { AF_INET } from '../../uapi/linux/socket.ts';
import {
	SKB_DROP_REASON_IP_INADDRERRORS,
	SKB_DROP_REASON_IP_INNOROUTES,
	SKB_DROP_REASON_NOT_SPECIFIED,
} from '../core/dropreason.ts';
import type { dst_entry } from '../core/dst.ts';
import { flowi4 } from '../core/flow.ts';
import { neigh_event_send } from '../core/neighbour.ts';
import type { net } from '../core/net_namespace.ts';
import { kfree_skb_reason, type sk_buff } from '../core/skbuff.ts';
import { IP_INC_STATS } from '../core/snmp.ts';
import type { sock } from '../core/sock.ts';
import { inet_addr_onlink } from './devinet.ts';
import { fib_lookup, inet_addr_type, ip_fib_check_default } from './fib_frontend.ts';
import { type fib_nh, fib_nh_exception, fib_result } from './fib_lookup.ts';
import { fib_select_path } from './fib_semantics.ts';
import { icmp_send } from './icmp.ts';
import {
	IN_DEV_FORWARD,
	IN_DEV_LOG_MARTIANS,
	IN_DEV_RX_REDIRECTS,
	IN_DEV_SEC_REDIRECTS,
	IN_DEV_SHARED_MEDIA,
	IN_DEV_TX_REDIRECTS,
} from './inetdevice.ts';
import { inet_getpeer_v4 } from './inetpeer.ts';
import { ip_dst_mtu_maybe_forward, ip_hdr_daddr, ip_hdr_saddr, ip_mtu_locked, ip_ntop } from './ip.ts';
import {
	__ip_route_output_key,
	DST_OBSOLETE_KILL,
	ip_neigh_gw4,
	ipv4_is_lbcast,
	ipv4_is_multicast,
	RTCF_REDIRECTED,
	rt_is_expired,
	rt_nexthop,
	type rtable,
} from './route.ts';

/** Exceptions that one nexthop holds at most: Linux's 2048 chains of five or so. */
const FNHE_MAX = 2048 * 5;
const NUD_VALID = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

// ---- exceptions ------------------------------------------------------------------------------------------------------------------

/** What is known of `daddr` over this hop, and has not expired; else null. */
export function find_exception(nhc: fib_nh, daddr: number): fib_nh_exception | null {
	const hash = nhc.nhc_exceptions;
	if (hash === null) return null;
	const fnhe = hash.get(daddr);
	if (fnhe === undefined) return null;
	if (fnhe.fnhe_expires !== 0 && nhc.nhc_dev!.net.machine.jiffies > fnhe.fnhe_expires) {
		fnhe_flush_routes(fnhe);
		hash.delete(daddr);
		if (hash.size === 0) nhc.nhc_exceptions = null;
		return null;
	}
	return fnhe;
}

function fnhe_flush_routes(fnhe: fib_nh_exception): void {
	if (fnhe.fnhe_rth_input !== null) fnhe.fnhe_rth_input.obsolete = DST_OBSOLETE_KILL;
	if (fnhe.fnhe_rth_output !== null) fnhe.fnhe_rth_output.obsolete = DST_OBSOLETE_KILL;
	fnhe.fnhe_rth_input = null;
	fnhe.fnhe_rth_output = null;
}

function fill_route_from_fnhe(rt: rtable, fnhe: fib_nh_exception): void {
	rt.rt_pmtu = fnhe.fnhe_pmtu;
	rt.rt_mtu_locked = fnhe.fnhe_mtu_locked;
	rt.expires = fnhe.fnhe_expires;
	if (fnhe.fnhe_gw !== 0) {
		rt.rt_flags |= RTCF_REDIRECTED;
		rt.rt_uses_gateway = true;
		rt.rt_gw_family = AF_INET;
		rt.rt_gw4 = fnhe.fnhe_gw;
	}
}

/** Learns a gateway or a path MTU (0: leave as is) for `daddr` over this hop. `expires` in jiffies. */
export function update_or_create_fnhe(
	nhc: fib_nh,
	daddr: number,
	gw: number,
	pmtu: number,
	lock: boolean,
	expires: number,
): void {
	const net = nhc.nhc_dev!.net;
	const genid = net.ipv4.fnhe_genid;
	let hash = nhc.nhc_exceptions;
	if (hash === null) hash = nhc.nhc_exceptions = new Map();
	const known = hash.get(daddr);
	if (known !== undefined) {
		known.fnhe_genid = genid;
		if (gw !== 0) known.fnhe_gw = gw;
		if (pmtu !== 0) {
			known.fnhe_pmtu = pmtu;
			known.fnhe_mtu_locked = lock;
		}
		known.fnhe_expires = Math.max(1, expires);
		if (known.fnhe_rth_input !== null) fill_route_from_fnhe(known.fnhe_rth_input, known);
		if (known.fnhe_rth_output !== null) fill_route_from_fnhe(known.fnhe_rth_output, known);
		known.fnhe_stamp = net.machine.jiffies;
		return;
	}
	if (hash.size >= FNHE_MAX) {
		let oldest: fib_nh_exception | null = null;
		let seen = 0;
		for (const e of hash.values()) {
			if (oldest === null || e.fnhe_stamp < oldest.fnhe_stamp) oldest = e;
			if (++seen === 16) break;
		}
		if (oldest !== null) {
			fnhe_flush_routes(oldest);
			hash.delete(oldest.fnhe_daddr);
		}
	}
	const fnhe = new fib_nh_exception(daddr);
	fnhe.fnhe_genid = genid;
	fnhe.fnhe_gw = gw;
	fnhe.fnhe_pmtu = pmtu;
	fnhe.fnhe_mtu_locked = lock;
	fnhe.fnhe_expires = Math.max(1, expires);
	fnhe.fnhe_stamp = net.machine.jiffies;
	hash.set(daddr, fnhe);
	// Whoever holds the hop's common route asks again, and finds the exception.
	if (nhc.nhc_rth_input !== null) nhc.nhc_rth_input.obsolete = DST_OBSOLETE_KILL;
	if (nhc.nhc_pcpu_rth_output !== null) nhc.nhc_pcpu_rth_output.obsolete = DST_OBSOLETE_KILL;
}

/** Gives a new route what the exception knows. Return: whether it is kept there. */
export function rt_bind_exception(rt: rtable, fnhe: fib_nh_exception, daddr: number, do_cache: boolean): boolean {
	if (fnhe.fnhe_daddr !== daddr) return false;
	const net = rt.dev.net;
	if (fnhe.fnhe_genid !== net.ipv4.fnhe_genid) {
		fnhe.fnhe_genid = net.ipv4.fnhe_genid;
		fnhe.fnhe_gw = 0;
		fnhe.fnhe_pmtu = 0;
		fnhe.fnhe_expires = 0;
		fnhe.fnhe_mtu_locked = false;
		fnhe_flush_routes(fnhe);
	}
	fill_route_from_fnhe(rt, fnhe);
	if (rt.rt_gw_family === 0) {
		rt.rt_gw_family = AF_INET;
		rt.rt_gw4 = daddr;
	}
	if (do_cache) {
		if (rt.rt_is_input) fnhe.fnhe_rth_input = rt;
		else fnhe.fnhe_rth_output = rt;
	}
	fnhe.fnhe_stamp = net.machine.jiffies;
	return do_cache;
}

// ---- flows of packets that ICMP speaks of ----------------------------------------------------------------------------------------

/** The flow of the header at `at` in skb.head, sent from here. */
function flow_of_header(
	fl4: flowi4,
	skb: sk_buff,
	at: number,
	oif: number,
	prot: number,
	mark: number,
	sk: sock | null,
): void {
	const b = skb.head;
	fl4.flowi4_oif = oif;
	fl4.flowi4_iif = 1;
	fl4.flowi4_mark = mark;
	fl4.flowi4_dscp = b[at + 1] & 0xfc;
	fl4.flowi4_scope = RT_SCOPE_UNIVERSE;
	fl4.flowi4_proto = prot;
	fl4.flowi4_uid = sk !== null ? sk.sk_uid : 0;
	fl4.saddr = get_unaligned_be32(b, at + 12);
	fl4.daddr = get_unaligned_be32(b, at + 16);
	if (sk !== null) {
		if (sk.sk_bound_dev_if !== 0) fl4.flowi4_oif = sk.sk_bound_dev_if;
		fl4.flowi4_mark = sk.sk_mark;
	}
}

function reply_mark(net: net, mark: number): number {
	return net.ipv4.sysctl_fwmark_reflect !== 0 ? mark : 0;
}

// ---- path MTU --------------------------------------------------------------------------------------------------------------------

/** A router on the way of `fl4` said that `mtu` is what fits (RFC 1191 6.2). */
function __ip_rt_update_pmtu(rt: rtable, fl4: flowi4, mtu: number): void {
	const net = rt.dev.net;
	if (ip_mtu_locked(rt)) return;
	const old_mtu = ip_dst_mtu_maybe_forward(rt, false);
	if (old_mtu < mtu) return;
	let lock = false;
	if (mtu < net.ipv4.sysctl_ip_rt_min_pmtu) {
		lock = true;
		mtu = Math.min(old_mtu, net.ipv4.sysctl_ip_rt_min_pmtu);
	}
	const now = net.machine.jiffies;
	const life = net.ipv4.sysctl_ip_rt_mtu_expires;
	if (rt.rt_pmtu === mtu && !lock && now < rt.expires - life / 2) return;
	const res = new fib_result();
	if (fib_lookup(net, fl4, res, 0) !== 0 || res.fi === null || res.nhc === null) return;
	if (res.fi.fib_nhs > 1) {
		// Any of the hops may be the one.
		for (const nh of res.fi.fib_nh)
			if (nh.nhc_dev !== null) update_or_create_fnhe(nh, fl4.daddr, 0, mtu, lock, now + life);
		return;
	}
	fib_select_path(net, res, fl4, null);
	if (res.nhc.nhc_dev !== null) update_or_create_fnhe(res.nhc, fl4.daddr, 0, mtu, lock, now + life);
}

/** dst_ops.update_pmtu: the packet (or, without one, the socket's flow) does not fit `mtu`. */
export function ip_rt_update_pmtu(
	dst: dst_entry,
	sk: sock | null,
	skb: sk_buff | null,
	mtu: number,
	_confirm_neigh: boolean,
): void {
	const fl4 = new flowi4();
	if (skb !== null) {
		const h = skb.network_header;
		flow_of_header(fl4, skb, h, skb.dev !== null ? skb.dev.ifindex : 0, skb.head[h + 9], skb.mark, sk);
	} else if (sk !== null && sk.inet !== null) {
		fl4.flowi4_oif = sk.sk_bound_dev_if;
		fl4.flowi4_mark = sk.sk_mark;
		fl4.flowi4_dscp = sk.inet.tos & 0xfc;
		fl4.flowi4_uid = sk.sk_uid;
		fl4.flowi4_proto = sk.sk_protocol;
		fl4.daddr = sk.inet.inet_daddr;
		fl4.saddr = sk.inet.inet_saddr;
	} else return;
	__ip_rt_update_pmtu(dst as rtable, fl4, mtu);
}

/** "Fragmentation needed" came for a packet whose header starts at skb.data. */
export function ipv4_update_pmtu(skb: sk_buff, net: net, mtu: number, oif: number, protocol: number): void {
	const fl4 = new flowi4();
	flow_of_header(fl4, skb, skb.data, oif, protocol, reply_mark(net, skb.mark), null);
	const rt = __ip_route_output_key(net, fl4);
	if (typeof rt !== 'number') __ip_rt_update_pmtu(rt, fl4, mtu);
}

/** The same for a socket's packet: the socket's own route is renewed. */
export function ipv4_sk_update_pmtu(skb: sk_buff, sk: sock, mtu: number): void {
	const net = skb.dev!.net;
	const fl4 = new flowi4();
	const b = skb.head;
	flow_of_header(fl4, skb, skb.data, 0, b[skb.data + 9], reply_mark(net, skb.mark), sk);
	const rt = __ip_route_output_key(net, fl4);
	if (typeof rt === 'number') return;
	__ip_rt_update_pmtu(rt, fl4, mtu);
	sk.sk_dst_cache = null;
}

// ---- redirects -------------------------------------------------------------------------------------------------------------------

/** A redirect came: is it to be believed? `skb`: the ICMP message, transport_header at ICMP, network_header at its IP header. */
function __ip_do_redirect(rt: rtable, skb: sk_buff, fl4: flowi4, kill_route: boolean): void {
	const b = skb.head;
	const icmp = skb.transport_header;
	const new_gw = get_unaligned_be32(b, icmp + 4);
	const old_gw = ip_hdr_saddr(skb);
	switch (b[icmp + 1] & 7) {
		case ICMP_REDIR_NET:
		case ICMP_REDIR_NETTOS:
		case ICMP_REDIR_HOST:
		case ICMP_REDIR_HOSTTOS:
			break;
		default:
			return;
	}
	if (rt.rt_gw_family !== AF_INET || rt.rt_gw4 !== old_gw) return;
	const dev = rt.dev;
	const in_dev = dev.ip_ptr;
	if (in_dev === null) return;
	const net = dev.net;
	// RFC 1122 3.2.2.2: only from the gateway in use, and only to one on our link.
	let reject =
		new_gw === old_gw ||
		!IN_DEV_RX_REDIRECTS(in_dev) ||
		ipv4_is_multicast(new_gw) ||
		ipv4_is_lbcast(new_gw) ||
		new_gw === 0;
	if (!reject) {
		if (!IN_DEV_SHARED_MEDIA(in_dev)) {
			reject =
				!inet_addr_onlink(in_dev, new_gw, old_gw) ||
				(IN_DEV_SEC_REDIRECTS(in_dev) && ip_fib_check_default(new_gw, dev) !== 0);
		} else reject = inet_addr_type(net, new_gw) !== RTN_UNICAST;
	}
	if (reject) {
		if (IN_DEV_LOG_MARTIANS(in_dev) && net_ratelimit(net.machine)) {
			printk(
				net.machine,
				KERN_INFO,
				`Redirect from ${ip_ntop(old_gw)} on ${dev.name} about ${ip_ntop(new_gw)} ignored\n  Advised path = ${ip_ntop(fl4.saddr)} -> ${ip_ntop(fl4.daddr)}`,
			);
		}
		if (skb.journey !== null)
			trace_event(skb, 'note', '__ip_do_redirect', { redirect: ip_ntop(new_gw), accepted: false });
		return;
	}
	const n = ip_neigh_gw4(dev, new_gw);
	if (n === null) return;
	if ((n.nud_state & NUD_VALID) === 0) {
		// Nobody there as far as we know: ask, and believe the next one.
		neigh_event_send(n, null);
		return;
	}
	const res = new fib_result();
	if (fib_lookup(net, fl4, res, 0) === 0 && res.nhc !== null) {
		fib_select_path(net, res, fl4, null);
		update_or_create_fnhe(
			res.nhc,
			fl4.daddr,
			new_gw,
			0,
			false,
			net.machine.jiffies + net.ipv4.rt_global.ip_rt_gc_timeout,
		);
	}
	if (kill_route) rt.obsolete = DST_OBSOLETE_KILL;
	if (skb.journey !== null) trace_event(skb, 'note', '__ip_do_redirect', { redirect: ip_ntop(new_gw), accepted: true });
}

/** dst_ops.redirect: skb is the ICMP message, its data at the header of the packet that it is about. */
export function ip_do_redirect(dst: dst_entry, sk: sock | null, skb: sk_buff): void {
	const fl4 = new flowi4();
	flow_of_header(fl4, skb, skb.data, skb.dev!.ifindex, skb.head[skb.data + 9], skb.mark, sk);
	__ip_do_redirect(dst as rtable, skb, fl4, true);
}

/** A redirect for a packet of no socket that we know. */
export function ipv4_redirect(skb: sk_buff, net: net, oif: number, protocol: number): void {
	const fl4 = new flowi4();
	flow_of_header(fl4, skb, skb.data, oif, protocol, 0, null);
	const rt = __ip_route_output_key(net, fl4);
	if (typeof rt !== 'number') __ip_do_redirect(rt, skb, fl4, false);
}

export function ipv4_sk_redirect(skb: sk_buff, sk: sock): void {
	const net = skb.dev!.net;
	const fl4 = new flowi4();
	flow_of_header(fl4, skb, skb.data, sk.sk_bound_dev_if, skb.head[skb.data + 9], 0, sk);
	const rt = __ip_route_output_key(net, fl4);
	if (typeof rt !== 'number') __ip_do_redirect(rt, skb, fl4, false);
}

/** Tells a sender on our own link of the better gateway, fewer and fewer times (RFC 1812 5.2.7.2). Borrows skb. */
export function ip_rt_send_redirect(skb: sk_buff): void {
	const rt = skb._skb_refdst as rtable;
	const in_dev = rt.dev.ip_ptr;
	if (in_dev === null || !IN_DEV_TX_REDIRECTS(in_dev)) return;
	const net = rt.dev.net;
	const g = net.ipv4.rt_global;
	const peer = inet_getpeer_v4(net.ipv4.peers, ip_hdr_saddr(skb), 0, net.machine);
	const now = net.machine.jiffies;
	if (now > peer.rate_last + g.ip_rt_redirect_silence) {
		peer.rate_tokens = 0;
		peer.n_redirects = 0;
	}
	// It does not listen: no more until it has been silent for a while.
	if (peer.n_redirects >= g.ip_rt_redirect_number) {
		peer.rate_last = now;
		return;
	}
	if (peer.n_redirects !== 0 && now <= peer.rate_last + g.ip_rt_redirect_load * 2 ** peer.n_redirects) return;
	const gw = rt_nexthop(rt, ip_hdr_daddr(skb));
	icmp_send(skb, ICMP_REDIRECT, ICMP_REDIR_HOST, gw);
	peer.rate_last = now;
	peer.n_redirects++;
	if (IN_DEV_LOG_MARTIANS(in_dev) && peer.n_redirects === g.ip_rt_redirect_number && net_ratelimit(net.machine)) {
		printk(
			net.machine,
			KERN_WARNING,
			`host ${ip_ntop(ip_hdr_saddr(skb))}/if${skb.skb_iif} ignores redirects for ${ip_ntop(ip_hdr_daddr(skb))} to ${ip_ntop(gw)}`,
		);
	}
}

// ---- no way ----------------------------------------------------------------------------------------------------------------------

/** dst.input of a packet that has no route: counts it, tells its sender, and drops it. Context: softirq; consumes skb. */
export function ip_error(skb: sk_buff): number {
	const rt = skb._skb_refdst as rtable;
	const dev = skb.dev!;
	const net = dev.net;
	const in_dev = dev.ip_ptr;
	let reason = SKB_DROP_REASON_NOT_SPECIFIED;
	if (in_dev === null) {
		kfree_skb_reason(skb, reason, 'ip_error');
		return 0;
	}
	if (!IN_DEV_FORWARD(in_dev)) {
		if (rt.error === -EHOSTUNREACH) {
			reason = SKB_DROP_REASON_IP_INADDRERRORS;
			IP_INC_STATS(net, IPSTATS_MIB_INADDRERRORS);
			if (skb.journey !== null) trace_event(skb, 'note', 'ip_error', { counter: 'IpInAddrErrors' });
		} else if (rt.error === -ENETUNREACH) {
			reason = SKB_DROP_REASON_IP_INNOROUTES;
			IP_INC_STATS(net, IPSTATS_MIB_INNOROUTES);
			if (skb.journey !== null) trace_event(skb, 'note', 'ip_error', { counter: 'IpExtInNoRoutes' });
		}
		kfree_skb_reason(skb, reason, 'ip_error');
		return 0;
	}
	let code: number;
	switch (rt.error) {
		case -EHOSTUNREACH:
			code = ICMP_HOST_UNREACH;
			break;
		case -ENETUNREACH:
			code = ICMP_NET_UNREACH;
			reason = SKB_DROP_REASON_IP_INNOROUTES;
			IP_INC_STATS(net, IPSTATS_MIB_INNOROUTES);
			if (skb.journey !== null) trace_event(skb, 'note', 'ip_error', { counter: 'IpExtInNoRoutes' });
			break;
		case -EACCES:
			code = ICMP_PKT_FILTERED;
			break;
		default:
			kfree_skb_reason(skb, reason, 'ip_error');
			return 0;
	}
	const g = net.ipv4.rt_global;
	const peer = inet_getpeer_v4(net.ipv4.peers, ip_hdr_saddr(skb), 0, net.machine);
	const now = net.machine.jiffies;
	peer.rate_tokens = Math.min(peer.rate_tokens + now - peer.rate_last, g.ip_rt_error_burst);
	peer.rate_last = now;
	if (peer.rate_tokens >= g.ip_rt_error_cost) {
		peer.rate_tokens -= g.ip_rt_error_cost;
		icmp_send(skb, ICMP_DEST_UNREACH, code, 0);
	} else if (skb.journey !== null) {
		trace_event(skb, 'note', 'ip_error', {
			why: 'the sender was told often enough',
			sysctl: 'net.ipv4.route.error_cost',
		});
	}
	kfree_skb_reason(skb, reason, 'ip_error');
	return 0;
}

/** dst_ops.link_failure: the neighbour does not answer; whoever sent this hears "host unreachable". Borrows skb. */
export function ipv4_link_failure(skb: sk_buff): void {
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
	const rt = skb._skb_refdst as rtable | null;
	if (rt !== null && rt.rt_pmtu !== 0) rt.expires = 1;
}

/** dst_ops.negative_advice: the socket doubts its route. */
export function ipv4_negative_advice(sk: sock, dst: dst_entry): void {
	const rt = dst as rtable;
	if (rt.obsolete > 0 || (rt.rt_flags & RTCF_REDIRECTED) !== 0 || rt.expires !== 0 || rt_is_expired(rt))
		sk.sk_dst_cache = null;
}
