/*
 * net/ipv4/icmp.ts: the Internet Control Message Protocol.         Linux: net/ipv4/icmp.c
 *
 * Walk: icmp_rcv -> a handler by type: icmp_echo, icmp_timestamp -> icmp_reply; icmp_unreach, icmp_redirect -> icmp_socket_deliver ->
 *       the quoted protocol's err_handler. icmp_send makes errors: may it be said at all? -> source address, route, rate limits ->
 *       icmp_push_reply.
 * RFC 792; RFC 1122 3.2.2 (hosts); RFC 1812 4.3 (routers: quoting 576 bytes, rate limits); RFC 1191 (MTU); RFC 8335 (PROBE: not here yet).
 */

import type { Machine } from '../../kernel/machine.ts';
import { net_ratelimit, printk } from '../../kernel/printk.ts';
import { HZ, jiffies_to_msecs } from '../../kernel/time.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { put_unaligned_be32 } from '../../lib/byteorder.ts';
import { csum_fold, csum_partial } from '../../lib/checksum.ts';
import {
	ICMP_ADDRESS,
	ICMP_ADDRESSREPLY,
	ICMP_DEST_UNREACH,
	ICMP_ECHO,
	ICMP_ECHOREPLY,
	ICMP_EXC_FRAGTIME,
	ICMP_EXT_ECHO,
	ICMP_EXT_ECHOREPLY,
	ICMP_FRAG_NEEDED,
	ICMP_PARAMETERPROB,
	ICMP_REDIRECT,
	ICMP_TIME_EXCEEDED,
	ICMP_TIMESTAMP,
	ICMP_TIMESTAMPREPLY,
} from '../../uapi/linux/icmp.ts';
import { IFF_LOOPBACK } from '../../uapi/linux/if.ts';
import { PACKET_HOST } from '../../uapi/linux/if_packet.ts';
import { RT_SCOPE_LINK, RTN_BROADCAST } from '../../uapi/linux/rtnetlink.ts';
import {
	ICMP_MIB_INCSUMERRORS,
	ICMP_MIB_INERRORS,
	ICMP_MIB_INMSGS,
	ICMP_MIB_OUTERRORS,
	ICMP_MIB_OUTMSGS,
	ICMP_MIB_OUTRATELIMITGLOBAL,
	ICMP_MIB_OUTRATELIMITHOST,
} from '../../uapi/linux/snmp.ts';
import { AF_INET, IP_PMTUDISC_DONT, IPPROTO_ICMP, SOCK_RAW } from '../../uapi/linux/socket.ts';
import {
	SKB_DROP_REASON_ICMP_CSUM,
	SKB_DROP_REASON_INVALID_PROTO,
	SKB_DROP_REASON_NOMEM,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_PKT_TOO_SMALL,
	SKB_DROP_REASON_UNHANDLED_PROTO,
	SKB_NOT_DROPPED_YET,
} from '../core/dropreason.ts';
import { dst_mtu } from '../core/dst.ts';
import { flowi4 } from '../core/flow.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import {
	CHECKSUM_COMPLETE,
	CHECKSUM_UNNECESSARY,
	consume_skb,
	kfree_skb_reason,
	pskb_may_pull,
	pskb_pull,
	type sk_buff,
	skb_checksum,
	skb_copy_bits,
} from '../core/skbuff.ts';
import { ICMP_INC_STATS } from '../core/snmp.ts';
import { type proto, sk_alloc, type sock } from '../core/sock.ts';
import { nf_ct_attach } from '../netfilter/nf_conntrack_core.ts';
import { inet_add_protocol, inet_sk, inet_sock, type net_protocol } from './af_inet.ts';
import { inet_select_addr } from './devinet.ts';
import { fib_compute_spec_dst, inet_addr_type } from './fib_frontend.ts';
import { inet_getpeer_v4, inet_peer_xrlim_allow } from './inetpeer.ts';
import {
	INADDR_DUMMY,
	IP_OFFSET,
	ip_hdr_daddr,
	ip_hdr_frag_off,
	ip_hdr_protocol,
	ip_hdr_saddr,
	ip_hdr_tos,
	ip_hdrlen,
	ip_ntop,
} from './ip.ts';
import {
	IP4_REPLY_MARK,
	inet_cork_of,
	ip_append_data,
	ip_flush_pending_frames,
	ip_push_pending_frames,
	ipcm_cookie,
	ipcm_init,
} from './ip_append.ts';
import { __ip_options_echo, inet_current_timestamp, ip_options, ip_options_echo } from './ip_options.ts';
import { ping_err, ping_rcv } from './ping.ts';
import { raw_icmp_error } from './raw.ts';
import {
	ip_route_output_flow,
	ip_route_output_key_hash,
	ipv4_redirect,
	ipv4_update_pmtu,
	RTCF_BROADCAST,
	RTCF_LOCAL,
	RTCF_MULTICAST,
	rt_is_input_route,
	type rtable,
} from './route.ts';

export const NR_ICMP_TYPES = 18;
export const NR_ICMP_UNREACH = 15;
const ICMPHDR = 8;

/** Types that tell of an error: never answered by another error. */
const icmp_is_error: readonly boolean[] = [
	false,
	true,
	true,
	true,
	true,
	true,
	true,
	true,
	false,
	true,
	true,
	true,
	true,
	false,
	false,
	false,
	false,
	false,
	false,
];

export function icmp_out_count(n: net, type: number): void {
	n.mib.icmpmsg_statistics[256 + type]++;
	ICMP_INC_STATS(n, ICMP_MIB_OUTMSGS);
}

// ---- rate limits -----------------------------------------------------------------------------------------------------------------

/** Types that net.ipv4.icmp_ratemask leaves alone; path MTU messages always are. */
function icmpv4_mask_allow(n: net, type: number, code: number): boolean {
	if (type > NR_ICMP_TYPES) return true;
	if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) return true;
	return ((1 << type) & n.ipv4.sysctl_icmp_ratemask) === 0;
}

/** The namespace's token bucket: icmp_msgs_per_sec, up to icmp_msgs_burst at once. */
function icmp_global_allow(n: net): boolean {
	const v4 = n.ipv4;
	if (v4.icmp_global_credit > 0) return true;
	const now = n.machine.jiffies;
	const delta = Math.min(now - v4.icmp_global_stamp, HZ);
	if (delta < HZ / 50) return false;
	const incr = Math.floor((v4.sysctl_icmp_msgs_per_sec * delta) / HZ);
	if (incr === 0) return false;
	v4.icmp_global_stamp = now;
	v4.icmp_global_credit = Math.min(v4.icmp_global_credit + incr, v4.sysctl_icmp_msgs_burst);
	return true;
}

/** Return: 0 not allowed, 1 allowed, 2 allowed but the receiver's own limit counts too. */
function icmpv4_global_allow(n: net, type: number, code: number): number {
	if (icmpv4_mask_allow(n, type, code)) return 1;
	if (icmp_global_allow(n)) return 2;
	ICMP_INC_STATS(n, ICMP_MIB_OUTRATELIMITGLOBAL);
	return 0;
}

/** The limit per receiver: one in icmp_ratelimit, with a small burst. */
function icmpv4_xrlim_allow(n: net, rt: rtable, fl4: flowi4, allowed: number): boolean {
	if (allowed !== 2) return true;
	let ok = true;
	if ((rt.dev.flags & IFF_LOOPBACK) === 0) {
		const peer = inet_getpeer_v4(n.ipv4.peers, fl4.daddr, 0, n.machine);
		ok = inet_peer_xrlim_allow(peer, n.ipv4.sysctl_icmp_ratelimit, n.machine);
	}
	if (!ok) ICMP_INC_STATS(n, ICMP_MIB_OUTRATELIMITHOST);
	// A random share of the tokens is taken, so that nobody can count what others were sent.
	else n.ipv4.icmp_global_credit -= n.machine.random.below(3);
	return ok;
}

// ---- sending ---------------------------------------------------------------------------------------------------------------------

/** Sends `msg` (a whole ICMP message with a zero checksum) by the namespace's ICMP socket. */
function icmp_push_reply(sk: sock, msg: Uint8Array, fl4: flowi4, ipc: ipcm_cookie, rt: rtable): void {
	const check = csum_fold(csum_partial(msg, 0, msg.length, 0));
	msg[2] = check >>> 8;
	msg[3] = check;
	if (ip_append_data(sk, fl4, msg, 0, ipc, rt, true) < 0) {
		ICMP_INC_STATS(sk.net, ICMP_MIB_OUTERRORS);
		ip_flush_pending_frames(sk);
		return;
	}
	const skb = inet_cork_of(sk).skb;
	if (skb === null) return;
	// An error belongs to the flow that it is about: NAT makes it tell of addresses that its receiver knows.
	if (ipc.parent !== null && msg[0] <= NR_ICMP_TYPES && icmp_is_error[msg[0]]) nf_ct_attach(skb, ipc.parent);
	ip_push_pending_frames(sk, fl4);
}

/** Answers the query `skb` with `msg`. Borrows skb. */
function icmp_reply(skb: sk_buff, msg: Uint8Array): void {
	const rt_in = skb._skb_refdst as rtable;
	const n = rt_in.dev.net;
	const type = msg[0];
	let opt: ip_options | null = null;
	if (skb.ipcb.opt !== null && skb.ipcb.opt.optlen > 0) {
		opt = new ip_options();
		if (ip_options_echo(n, opt, skb) < 0) return;
	}
	const allowed = icmpv4_global_allow(n, type, msg[1]);
	if (allowed === 0) return;
	const sk = n.ipv4.icmp_sk;
	const ipc = new ipcm_cookie();
	ipcm_init(ipc);
	ipc.parent = skb;
	inet_sk(sk).tos = ip_hdr_tos(skb);
	const mark = IP4_REPLY_MARK(n, skb.mark);
	ipc.mark = mark;
	let daddr = ip_hdr_saddr(skb);
	ipc.addr = daddr;
	// RFC 1122 3.2.2.6: the source is the request's specific destination.
	const saddr = fib_compute_spec_dst(skb);
	if (opt !== null && opt.optlen > 0) {
		ipc.opt = opt;
		if (opt.srr !== 0) daddr = opt.faddr;
	}
	const fl4 = new flowi4();
	fl4.daddr = daddr;
	fl4.saddr = saddr;
	fl4.flowi4_mark = mark;
	fl4.flowi4_dscp = ip_hdr_tos(skb) & 0xfc;
	fl4.flowi4_proto = IPPROTO_ICMP;
	fl4.flowi4_iif = 1;
	const rt = ip_route_output_flow(n, fl4, sk);
	if (typeof rt === 'number') {
		if (skb.journey !== null) trace_event(skb, 'note', 'icmp_reply', { errno: rt, to: ip_ntop(daddr) });
		return;
	}
	if (!icmpv4_xrlim_allow(n, rt, fl4, allowed)) return;
	if (skb.journey !== null)
		trace_event(skb, 'icmp', 'icmp_reply', {
			type,
			code: msg[1],
			from: ip_ntop(fl4.saddr),
			to: ip_ntop(fl4.daddr),
		});
	icmp_push_reply(sk, msg, fl4, ipc, rt);
}

function icmp_send_not(skb: sk_buff, type: number, code: number, why: string): void {
	if (skb.journey !== null) trace_event(skb, 'note', 'icmp_send', { type, code, sent: false, why });
}

/**
 * Tells the sender of `skb_in` of an error, if it may be told. Borrows skb_in, whose route is set and network_header stands.
 * `info`: the message's second word (MTU, pointer, gateway). `opt`: compiled options of skb_in.
 */
export function __icmp_send(skb_in: sk_buff, type: number, code: number, info: number, sopt: ip_options | null): void {
	const rt_in = skb_in._skb_refdst as rtable | null;
	if (rt_in === null) return;
	const n = rt_in.dev !== null ? rt_in.dev.net : skb_in.dev!.net;
	if (skb_in.network_header < 0 || skb_in.network_header + 20 > skb_in.tail) return;
	// RFC 1122 3.2.2: no error about what was sent to many, by the link ...
	if (skb_in.pkt_type !== PACKET_HOST) {
		icmp_send_not(skb_in, type, code, 'came as a link-layer broadcast or multicast');
		return;
	}
	// ... or by its address,
	if ((rt_in.rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) {
		icmp_send_not(skb_in, type, code, 'sent to a broadcast or multicast address');
		return;
	}
	// ... about a fragment that is not the first,
	if ((ip_hdr_frag_off(skb_in) & IP_OFFSET) !== 0) {
		icmp_send_not(skb_in, type, code, 'not the first fragment');
		return;
	}
	// ... or about an ICMP error.
	if (type <= NR_ICMP_TYPES && icmp_is_error[type] && ip_hdr_protocol(skb_in) === IPPROTO_ICMP) {
		const at = skb_in.network_header + ip_hdrlen(skb_in);
		let inner: number;
		if (at < skb_in.tail) inner = skb_in.head[at];
		else {
			const one = new Uint8Array(1);
			if (skb_copy_bits(skb_in, at - skb_in.data, one, 0, 1) < 0) return;
			inner = one[0];
		}
		if (inner > NR_ICMP_TYPES || icmp_is_error[inner]) {
			icmp_send_not(skb_in, type, code, 'about an ICMP error');
			return;
		}
	}
	let allowed = 1;
	if (skb_in.dev === null || (skb_in.dev.flags & IFF_LOOPBACK) === 0) {
		allowed = icmpv4_global_allow(n, type, code);
		if (allowed === 0) {
			if (skb_in.journey !== null)
				trace_event(skb_in, 'note', 'icmp_send', {
					type,
					code,
					sent: false,
					sysctl: 'net.ipv4.icmp_msgs_per_sec',
					value: n.ipv4.sysctl_icmp_msgs_per_sec,
					counter: 'IcmpOutRateLimitGlobal',
				});
			return;
		}
	}

	// RFC 1812 4.3.2.4: for us: the address it was sent to; else an address of the interface that the message leaves by (or came by).
	let saddr = ip_hdr_daddr(skb_in);
	if ((rt_in.rt_flags & RTCF_LOCAL) === 0) {
		saddr = 0;
		if (rt_is_input_route(rt_in) && n.ipv4.sysctl_icmp_errors_use_inbound_ifaddr !== 0) {
			const iif = skb_in.ipcb.iif !== 0 ? skb_in.ipcb.iif : skb_in.skb_iif;
			const dev = n.dev_index_head.get(iif);
			if (dev !== undefined) saddr = inet_select_addr(dev, ip_hdr_saddr(skb_in), RT_SCOPE_LINK);
		}
	}
	// RFC 1812 4.3.2.5: errors go with precedence 6.
	const tos = type <= NR_ICMP_TYPES && icmp_is_error[type] ? (ip_hdr_tos(skb_in) & 0x1e) | 0xc0 : ip_hdr_tos(skb_in);
	const mark = IP4_REPLY_MARK(n, skb_in.mark);
	let opt: ip_options | null = null;
	if (sopt !== null && sopt.optlen > 0) {
		opt = new ip_options();
		if (__ip_options_echo(n, opt, skb_in, sopt) < 0) return;
	}
	const sk = n.ipv4.icmp_sk;
	inet_sk(sk).tos = tos;
	const ipc = new ipcm_cookie();
	ipcm_init(ipc);
	ipc.parent = skb_in;
	ipc.addr = ip_hdr_saddr(skb_in);
	ipc.mark = mark;
	const fl4 = new flowi4();
	fl4.daddr = ipc.addr;
	if (opt !== null) {
		ipc.opt = opt;
		if (opt.srr !== 0) fl4.daddr = opt.faddr;
	}
	fl4.saddr = saddr;
	fl4.flowi4_mark = mark;
	fl4.flowi4_dscp = tos & 0xfc;
	fl4.flowi4_proto = IPPROTO_ICMP;
	fl4.flowi4_iif = 1;
	fl4.fl4_icmp_type = type;
	fl4.fl4_icmp_code = code;
	const rt = ip_route_output_key_hash(n, fl4, skb_in);
	if (typeof rt === 'number') {
		if (skb_in.journey !== null)
			trace_event(skb_in, 'note', 'icmp_send', { type, code, sent: false, why: 'no route back', errno: rt });
		return;
	}
	if (!icmpv4_xrlim_allow(n, rt, fl4, allowed)) {
		if (skb_in.journey !== null)
			trace_event(skb_in, 'note', 'icmp_send', {
				type,
				code,
				sent: false,
				sysctl: 'net.ipv4.icmp_ratelimit',
				value: jiffies_to_msecs(n.ipv4.sysctl_icmp_ratelimit),
				counter: 'IcmpOutRateLimitHost',
			});
		return;
	}
	// RFC 1812 4.3.2.3: as much of the packet as fits in 576 bytes.
	let room = dst_mtu(rt);
	if (room > 576) room = 576;
	room -= 20 + (opt !== null ? opt.optlen : 0) + ICMPHDR;
	if (room <= 20) return;
	const offset = skb_in.network_header - skb_in.data;
	let data_len = skb_in.len - offset;
	if (data_len > room) data_len = room;
	// RFC 7600 4.8: who has no address answers from 192.0.0.8.
	if (fl4.saddr === 0) fl4.saddr = INADDR_DUMMY;
	const msg = new Uint8Array(ICMPHDR + data_len);
	msg[0] = type;
	msg[1] = code;
	put_unaligned_be32(msg, 4, info);
	if (offset >= 0) skb_copy_bits(skb_in, offset, msg, ICMPHDR, data_len);
	else {
		msg.set(skb_in.head.subarray(skb_in.network_header, skb_in.data), ICMPHDR);
		if (data_len + offset > 0) skb_copy_bits(skb_in, 0, msg, ICMPHDR - offset, data_len + offset);
	}
	if (skb_in.journey !== null)
		trace_event(skb_in, 'icmp', 'icmp_send', {
			type,
			code,
			info,
			from: ip_ntop(fl4.saddr),
			to: ip_ntop(fl4.daddr),
		});
	icmp_push_reply(sk, msg, fl4, ipc, rt);
}

export function icmp_send(skb_in: sk_buff, type: number, code: number, info: number): void {
	__icmp_send(skb_in, type, code, info, skb_in.ipcb.opt);
}

// ---- receiving -------------------------------------------------------------------------------------------------------------------

/**
 * Hands an error to raw sockets and to the protocol of the packet that it quotes. Borrows skb; its data is at the quoted header.
 */
function icmp_socket_deliver(skb: sk_buff, info: number): void {
	const n = skb.dev!.net;
	const ihl = (skb.head[skb.data] & 15) << 2;
	// RFC 792: eight bytes of the transport header are always quoted; they name the ports.
	if (!pskb_may_pull(skb, ihl + 8)) {
		ICMP_INC_STATS(n, ICMP_MIB_INERRORS);
		return;
	}
	const protocol = skb.head[skb.data + 9];
	raw_icmp_error(skb, protocol, info);
	const ipprot = n.machine.inet.inet_protos[protocol];
	if (ipprot !== null && ipprot.err_handler !== null) ipprot.err_handler(skb, info);
}

/** Destination unreachable, source quench, time exceeded, parameter problem. Return: a drop reason. */
function icmp_unreach(skb: sk_buff): number {
	const n = skb.dev!.net;
	if (!pskb_may_pull(skb, 20)) return icmp_bad(n, SKB_DROP_REASON_NOT_SPECIFIED);
	const b = skb.head;
	const h = skb.transport_header;
	const type = b[h];
	const code = b[h + 1];
	if ((b[skb.data] & 15) < 5) return icmp_bad(n, SKB_DROP_REASON_NOT_SPECIFIED);
	let info = 0;
	if (type === ICMP_DEST_UNREACH) {
		if ((code & 15) === ICMP_FRAG_NEEDED) {
			switch (n.ipv4.sysctl_ip_no_pmtu_disc) {
				case 2:
					return SKB_NOT_DROPPED_YET;
				case 3:
					if (!icmp_tag_validation(n, b[skb.data + 9])) return SKB_NOT_DROPPED_YET;
					info = (b[h + 6] << 8) | b[h + 7];
					break;
				case 0:
					info = (b[h + 6] << 8) | b[h + 7];
					break;
				default:
					break;
			}
		}
		if (code > NR_ICMP_UNREACH) return SKB_NOT_DROPPED_YET;
	} else if (type === ICMP_PARAMETERPROB) {
		info = b[h + 4];
	} else if (type === ICMP_TIME_EXCEEDED && code === ICMP_EXC_FRAGTIME) {
		return SKB_NOT_DROPPED_YET;
	}
	// RFC 1122 3.2.2: an error about a broadcast is against the rules.
	const d = skb.data;
	const daddr = ((b[d + 16] << 24) | (b[d + 17] << 16) | (b[d + 18] << 8) | b[d + 19]) >>> 0;
	if (n.ipv4.sysctl_icmp_ignore_bogus_error_responses === 0 && inet_addr_type(n, daddr) === RTN_BROADCAST) {
		if (net_ratelimit(skb.machine))
			printk(
				skb.machine,
				4,
				`${ip_ntop(ip_hdr_saddr(skb))} sent an invalid ICMP type ${type}, code ${code} error to a broadcast: ${ip_ntop(daddr)} on ${skb.dev!.name}`,
			);
		return SKB_NOT_DROPPED_YET;
	}
	icmp_socket_deliver(skb, info);
	return SKB_NOT_DROPPED_YET;
}

function icmp_bad(n: net, reason: number): number {
	ICMP_INC_STATS(n, ICMP_MIB_INERRORS);
	return reason;
}

/** Whether the protocol checks that an error quotes what it really sent. */
function icmp_tag_validation(n: net, protocol: number): boolean {
	const ipprot = n.machine.inet.inet_protos[protocol];
	return ipprot !== null && ipprot.icmp_strict_tag_validation;
}

function icmp_redirect(skb: sk_buff): number {
	const n = skb.dev!.net;
	if (skb.len < 20) return icmp_bad(n, SKB_DROP_REASON_PKT_TOO_SMALL);
	if (!pskb_may_pull(skb, 20)) return SKB_DROP_REASON_NOMEM;
	const b = skb.head;
	const h = skb.transport_header + 4;
	icmp_socket_deliver(skb, ((b[h] << 24) | (b[h + 1] << 16) | (b[h + 2] << 8) | b[h + 3]) >>> 0);
	return SKB_NOT_DROPPED_YET;
}

/** RFC 1122 3.2.2.6: echo the data back. */
function icmp_echo(skb: sk_buff): number {
	const n = skb.dev!.net;
	if (n.ipv4.sysctl_icmp_echo_ignore_all !== 0) {
		if (skb.journey !== null)
			trace_event(skb, 'note', 'icmp_echo', { sysctl: 'net.ipv4.icmp_echo_ignore_all', value: 1 });
		return SKB_NOT_DROPPED_YET;
	}
	// Extended echo (PROBE) is off by default and not here.
	if (skb.head[skb.transport_header] !== ICMP_ECHO) return SKB_NOT_DROPPED_YET;
	const msg = new Uint8Array(ICMPHDR + skb.len);
	const h = skb.transport_header;
	msg.set(skb.head.subarray(h, h + ICMPHDR));
	msg[0] = ICMP_ECHOREPLY;
	msg[2] = 0;
	msg[3] = 0;
	skb_copy_bits(skb, 0, msg, ICMPHDR, skb.len);
	icmp_reply(skb, msg);
	return SKB_NOT_DROPPED_YET;
}

/** RFC 1122 3.2.2.8: receive and transmit times in milliseconds since midnight. */
function icmp_timestamp(skb: sk_buff): number {
	const n = skb.dev!.net;
	if (skb.len < 4) return icmp_bad(n, SKB_DROP_REASON_PKT_TOO_SMALL);
	const msg = new Uint8Array(ICMPHDR + 12);
	const h = skb.transport_header;
	msg.set(skb.head.subarray(h, h + ICMPHDR));
	msg[0] = ICMP_TIMESTAMPREPLY;
	msg[1] = 0;
	msg[2] = 0;
	msg[3] = 0;
	skb_copy_bits(skb, 0, msg, ICMPHDR, 4);
	const now = inet_current_timestamp(n);
	put_unaligned_be32(msg, ICMPHDR + 4, now);
	put_unaligned_be32(msg, ICMPHDR + 8, now);
	icmp_reply(skb, msg);
	return SKB_NOT_DROPPED_YET;
}

function icmp_handle(skb: sk_buff, type: number): number {
	switch (type) {
		case ICMP_ECHOREPLY:
			return ping_rcv(skb);
		case ICMP_DEST_UNREACH:
		case 4: // source quench
		case ICMP_TIME_EXCEEDED:
		case ICMP_PARAMETERPROB:
			return icmp_unreach(skb);
		case ICMP_REDIRECT:
			return icmp_redirect(skb);
		case ICMP_ECHO:
			return icmp_echo(skb);
		case ICMP_TIMESTAMP:
			return icmp_timestamp(skb);
		default:
			// Types that hosts no longer answer (RFC 6918).
			return SKB_NOT_DROPPED_YET;
	}
}

function icmp_drop(n: net, skb: sk_buff, reason: number, counted: boolean): number {
	if (counted) {
		ICMP_INC_STATS(n, ICMP_MIB_INERRORS);
		if (skb.journey !== null) trace_event(skb, 'note', 'icmp_rcv', { counter: 'IcmpInErrors' });
	}
	kfree_skb_reason(skb, reason, 'icmp_rcv');
	return 0;
}

/** Whether the sum over the whole packet from skb.data is good. */
export function skb_checksum_simple_ok(skb: sk_buff): boolean {
	if (skb.ip_summed === CHECKSUM_UNNECESSARY || skb.csum_valid) return true;
	if (skb.ip_summed === CHECKSUM_COMPLETE && csum_fold(skb.csum) === 0) return true;
	return csum_fold(skb_checksum(skb, 0, skb.len, 0)) === 0;
}

/** ICMP's place in inet_protos. Context: softirq; consumes skb. */
export function icmp_rcv(skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'icmp_rcv');
	const rt = skb._skb_refdst as rtable;
	const n = rt.dev.net;
	ICMP_INC_STATS(n, ICMP_MIB_INMSGS);
	if (!skb_checksum_simple_ok(skb)) {
		ICMP_INC_STATS(n, ICMP_MIB_INCSUMERRORS);
		return icmp_drop(n, skb, SKB_DROP_REASON_ICMP_CSUM, true);
	}
	if (pskb_pull(skb, ICMPHDR) < 0) return icmp_drop(n, skb, SKB_DROP_REASON_NOT_SPECIFIED, true);
	const type = skb.head[skb.transport_header];
	n.mib.icmpmsg_statistics[type]++;
	let reason: number;
	if (type === ICMP_EXT_ECHO) reason = icmp_echo(skb);
	else if (type === ICMP_EXT_ECHOREPLY) reason = ping_rcv(skb);
	else {
		// RFC 1122 3.2.2: unknown types are silently discarded.
		if (type > NR_ICMP_TYPES) return icmp_drop(n, skb, SKB_DROP_REASON_UNHANDLED_PROTO, true);
		if ((rt.rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) {
			if ((type === ICMP_ECHO || type === ICMP_TIMESTAMP) && n.ipv4.sysctl_icmp_echo_ignore_broadcasts !== 0) {
				if (skb.journey !== null)
					trace_event(skb, 'note', 'icmp_rcv', { sysctl: 'net.ipv4.icmp_echo_ignore_broadcasts', value: 1 });
				return icmp_drop(n, skb, SKB_DROP_REASON_INVALID_PROTO, true);
			}
			if (type !== ICMP_ECHO && type !== ICMP_TIMESTAMP && type !== ICMP_ADDRESS && type !== ICMP_ADDRESSREPLY)
				return icmp_drop(n, skb, SKB_DROP_REASON_INVALID_PROTO, true);
		}
		reason = icmp_handle(skb, type);
	}
	if (reason !== SKB_NOT_DROPPED_YET) return icmp_drop(n, skb, reason, false);
	consume_skb(skb);
	return 0;
}

/** An error came about an ICMP message of ours. Borrows skb; data at the quoted IP header. */
export function icmp_err(skb: sk_buff, info: number): number {
	const n = skb.dev!.net;
	const offset = (skb.head[skb.data] & 15) << 2;
	if (skb.head[skb.data + offset] !== ICMP_ECHOREPLY) {
		ping_err(skb, offset, info);
		return 0;
	}
	const type = skb.head[skb.transport_header];
	const code = skb.head[skb.transport_header + 1];
	if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) ipv4_update_pmtu(skb, n, info, 0, IPPROTO_ICMP);
	else if (type === ICMP_REDIRECT) ipv4_redirect(skb, n, 0, IPPROTO_ICMP);
	return 0;
}

const icmp_protocol: net_protocol = {
	name: 'ICMP',
	handler: icmp_rcv,
	err_handler: icmp_err,
	early_demux: null,
	no_policy: true,
	icmp_strict_tag_validation: false,
};

/** A kernel's own socket has no process: nothing but its settings counts. */
const icmp_sk_prot: proto = {
	name: 'RAW',
	init: null,
	close: () => {},
	connect: null,
	disconnect: null,
	bind: null,
	ioctl: null,
	setsockopt: null,
	getsockopt: null,
	sendmsg: null,
	recvmsg: null,
	hash: null,
	unhash: null,
	get_port: null,
	backlog_rcv: null,
	poll: null,
};

/** A socket that only the kernel sends by (inet_ctl_sock_create). */
export function inet_ctl_sock_create(n: net, type: number, protocol: number, pmtudisc: number): sock {
	const sk = sk_alloc(n, AF_INET, type, protocol, icmp_sk_prot);
	sk.inet = new inet_sock(n);
	sk.inet.pmtudisc = pmtudisc;
	return sk;
}

function icmp_sk_init(n: net): number {
	const sk = inet_ctl_sock_create(n, SOCK_RAW, IPPROTO_ICMP, IP_PMTUDISC_DONT);
	// Enough for two full packets under way.
	sk.sk_sndbuf = 2 * (64 * 1024 + 256);
	n.ipv4.icmp_sk = sk;
	return 0;
}

export function icmp_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'icmp', init: icmp_sk_init, exit: icmp_sk_exit });
	inet_add_protocol(machine, icmp_protocol, IPPROTO_ICMP);
}

function icmp_sk_exit(_n: net): void {}
