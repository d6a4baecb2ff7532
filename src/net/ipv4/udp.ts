/*
 * net/ipv4/udp.ts: the User Datagram Protocol: sockets and input.  Linux: net/ipv4/udp.c        man 7 udp
 *
 * Walk: udp_rcv -> __udp4_lib_rcv (length, checksum) -> __udp4_lib_lookup (best score) -> udp_queue_rcv_one_skb ->
 *       __udp_enqueue_schedule_skb; nobody there: Port Unreachable. __udp4_lib_err: ICMP errors. Output is in udp_output.ts.
 * RFC 768; RFC 1122 4.1. Not here yet: encapsulation sockets, GRO, UDP-Lite, early demux.
 */

import type { Machine } from '../../kernel/machine.ts';
import { trace_event, trace_fn } from '../../kernel/trace.ts';
import { csum_fold, csum_tcpudp_nofold } from '../../lib/checksum.ts';
import { jhash_3words } from '../../lib/jhash.ts';
import { EADDRINUSE, EHOSTUNREACH, EMSGSIZE, ENOENT, EPROTO } from '../../uapi/asm-generic/errno.ts';
import {
	ICMP_DEST_UNREACH,
	ICMP_FRAG_NEEDED,
	ICMP_PARAMETERPROB,
	ICMP_PORT_UNREACH,
	ICMP_REDIRECT,
	ICMP_SOURCE_QUENCH,
} from '../../uapi/linux/icmp.ts';
import {
	ICMP_MIB_INERRORS,
	UDP_MIB_IGNOREDMULTI,
	UDP_MIB_INCSUMERRORS,
	UDP_MIB_INDATAGRAMS,
	UDP_MIB_INERRORS,
	UDP_MIB_NOPORTS,
	UDP_MIB_RCVBUFERRORS,
} from '../../uapi/linux/snmp.ts';
import {
	IP_PMTUDISC_DONT,
	IPPROTO_UDP,
	MSG_ERRQUEUE,
	MSG_PEEK,
	MSG_TRUNC,
	type msghdr,
	SOL_UDP,
	type sockaddr,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import {
	put_cmsg_int,
	skb_copy_datagram_msg,
	skb_free_datagram,
	skb_recv_datagram,
	sock_recv_cmsgs,
} from '../core/datagram.ts';
import {
	SKB_DROP_REASON_NO_SOCKET,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_PKT_TOO_SMALL,
	SKB_DROP_REASON_SOCKET_FILTER,
	SKB_DROP_REASON_SOCKET_RCVBUFF,
	SKB_DROP_REASON_UDP_CSUM,
} from '../core/dropreason.ts';
import { sk_filter } from '../core/filter.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import {
	CHECKSUM_COMPLETE,
	CHECKSUM_PARTIAL,
	CHECKSUM_UNNECESSARY,
	consume_skb,
	kfree_skb_reason,
	nf_reset_ct,
	pskb_may_pull,
	pskb_trim_rcsum,
	SKB_GSO_UDP_L4,
	type sk_buff,
	skb_checksum,
	skb_clone,
	skb_dst_drop,
} from '../core/skbuff.ts';
import { __skb_queue_tail } from '../core/skbuff_queue.ts';
import { ICMP_INC_STATS, UDP_INC_STATS } from '../core/snmp.ts';
import { SOCK_DEAD, skb_set_owner_r, type sock, sock_flag, TCP_ESTABLISHED } from '../core/sock.ts';
import { __udp_disconnect, inet_sk, type inet_sock, type net_protocol } from './af_inet.ts';
import {
	icmp_err_convert_errno,
	icmp_err_convert_fatal,
	ip_icmp_error,
	ip_recv_error,
	ip4_datagram_connect,
} from './datagram.ts';
import { icmp_send, NR_ICMP_UNREACH } from './icmp.ts';
import { ip_mc_sf_allow } from './igmp.ts';
import { ip_hdr_daddr, ip_hdr_saddr, ip_ntop } from './ip.ts';
import { inet_iif, ip_cmsg_recv, ipv4_pktinfo_prepare } from './ip_sockglue.ts';
import { ipv4_sk_redirect, ipv4_sk_update_pmtu, RTCF_BROADCAST, RTCF_MULTICAST, type rtable } from './route.ts';
import { __udp_gso_segment } from './udp_offload.ts';

/** setsockopt at SOL_UDP, and the control message that says into what size a received packet falls. */
export const UDP_GRO = 104;

/** A UDP socket's own part. */
export class udp_sock {
	/** The port it is hashed under; 0 while it is not. */
	udp_port_hash = 0;
	/** Data are being gathered. */
	pending = false;
	/** UDP_CORK. */
	corkflag = false;
	/** Bytes gathered, with the header. */
	len = 0;
	/** Flow of the datagram that is being gathered. */
	cork_fl4: unknown = null;
	gso_size = 0;
	gro_enabled = false;
	no_check6_tx = false;
	no_check6_rx = false;
	encap_type = 0;
}

export function udp_sk(sk: sock): udp_sock {
	return sk.priv as udp_sock;
}

/** UDP sockets of a namespace by local port: the one bound last stands first. */
export class udp_table {
	ports: Map<number, sock[]> = new Map();
	/** Mixed into the choice among SO_REUSEPORT sockets. */
	secret: number;

	constructor(secret: number) {
		this.secret = secret;
	}
}

// ---- ports -----------------------------------------------------------------------------------------------------------------------

/** Whether two sockets' local addresses exclude each other on one port. */
function inet_rcv_saddr_equal(a: inet_sock, b: inet_sock): boolean {
	return a.inet_rcv_saddr === 0 || b.inet_rcv_saddr === 0 || a.inet_rcv_saddr === b.inet_rcv_saddr;
}

function udp_lib_lport_inuse(sk: sock, list: sock[] | undefined): boolean {
	if (list === undefined) return false;
	for (const sk2 of list) {
		if (sk2 === sk) continue;
		if (sk2.sk_reuse !== 0 && sk.sk_reuse !== 0) continue;
		if (sk2.sk_bound_dev_if !== 0 && sk.sk_bound_dev_if !== 0 && sk2.sk_bound_dev_if !== sk.sk_bound_dev_if) continue;
		if (!inet_rcv_saddr_equal(inet_sk(sk2), inet_sk(sk))) continue;
		if (sk2.sk_reuseport && sk.sk_reuseport && sk2.sk_uid === sk.sk_uid) continue;
		return true;
	}
	return false;
}

/** The range of ephemeral ports for a socket. */
export function inet_sk_get_local_port_range(sk: sock): [number, number] {
	const [lo, hi] = sk.net.ipv4.ip_local_ports;
	const inet = inet_sk(sk);
	const l = inet.local_port_range_lo;
	const h = inet.local_port_range_hi;
	return [l !== 0 && l >= lo && l <= hi ? l : lo, h !== 0 && h >= lo && h <= hi ? h : hi];
}

function is_reserved(n: net, port: number): boolean {
	const bits = n.ipv4.sysctl_local_reserved_ports;
	return bits !== null && (bits[port >> 3] & (1 << (port & 7))) !== 0;
}

/** Takes local port `snum`, or a free one at random. Return: 0 or -EADDRINUSE. */
export function udp_v4_get_port(sk: sock, snum: number): number {
	const n = sk.net;
	const t = n.ipv4.udp_table;
	if (snum === 0) {
		const [lo, hi] = inet_sk_get_local_port_range(sk);
		const span = hi - lo + 1;
		const first = n.machine.random.below(span);
		for (let i = 0; i < span; i++) {
			const port = lo + ((first + i) % span);
			if (is_reserved(n, port) || udp_lib_lport_inuse(sk, t.ports.get(port))) continue;
			snum = port;
			break;
		}
		if (snum === 0) return -EADDRINUSE;
	} else if (udp_lib_lport_inuse(sk, t.ports.get(snum))) return -EADDRINUSE;
	inet_sk(sk).inet_num = snum;
	const up = udp_sk(sk);
	if (up.udp_port_hash === 0) {
		up.udp_port_hash = snum;
		t.ports.set(snum, [sk, ...(t.ports.get(snum) ?? [])]);
	}
	return 0;
}

export function udp_lib_unhash(sk: sock): void {
	const up = udp_sk(sk);
	if (up.udp_port_hash === 0) return;
	const t = sk.net.ipv4.udp_table;
	const rest = (t.ports.get(up.udp_port_hash) ?? []).filter((s) => s !== sk);
	if (rest.length > 0) t.ports.set(up.udp_port_hash, rest);
	else t.ports.delete(up.udp_port_hash);
	up.udp_port_hash = 0;
}

// ---- finding the socket ----------------------------------------------------------------------------------------------------------

/** How well a socket fits; -1 when it does not. */
function compute_score(sk: sock, saddr: number, sport: number, daddr: number, dif: number): number {
	const inet = sk.inet!;
	if (inet.inet_rcv_saddr !== daddr) return -1;
	let score = 2;
	if (inet.inet_daddr !== 0) {
		if (inet.inet_daddr !== saddr) return -1;
		score += 4;
	}
	if (inet.inet_dport !== 0) {
		if (inet.inet_dport !== sport) return -1;
		score += 4;
	}
	if (sk.sk_bound_dev_if !== 0) {
		if (sk.sk_bound_dev_if !== dif) return -1;
		score += 4;
	}
	return score;
}

/** The socket of a SO_REUSEPORT group that the flow falls to: always the same while the group stays as it is. */
function reuseport_select(list: sock[], sk: sock, hash: number): sock {
	const inet = sk.inet!;
	let count = 0;
	for (let i = 0; i < list.length; i++) if (same_group(list[i], sk, inet)) count++;
	// The group's order is the order of binding: the list has the last bound first.
	let pick = Math.floor((hash / 0x100000000) * count);
	for (let i = list.length - 1; i >= 0; i--) if (same_group(list[i], sk, inet) && pick-- === 0) return list[i];
	return sk;
}

function same_group(s: sock, sk: sock, inet: inet_sock): boolean {
	return (
		s.sk_reuseport &&
		s.sk_uid === sk.sk_uid &&
		s.sk_state !== TCP_ESTABLISHED &&
		s.sk_bound_dev_if === sk.sk_bound_dev_if &&
		s.inet!.inet_rcv_saddr === inet.inet_rcv_saddr
	);
}

function udp4_lib_lookup2(
	t: udp_table,
	list: sock[],
	saddr: number,
	sport: number,
	daddr: number,
	local: number,
	dport: number,
	dif: number,
): sock | null {
	let result: sock | null = null;
	let badness = 0;
	for (let i = 0; i < list.length; i++) {
		const sk = list[i];
		const score = compute_score(sk, saddr, sport, local, dif);
		if (score <= badness) continue;
		badness = score;
		result = sk;
		if (sk.sk_reuseport && sk.sk_state !== TCP_ESTABLISHED) {
			const hash = jhash_3words(saddr, daddr, (sport << 16) | dport, t.secret);
			result = reuseport_select(list, sk, hash);
		}
	}
	return result;
}

/** The socket for a datagram from saddr:sport to daddr:dport that came by device `dif`. Return: it, or null. */
export function __udp4_lib_lookup(
	n: net,
	saddr: number,
	sport: number,
	daddr: number,
	dport: number,
	dif: number,
): sock | null {
	const t = n.ipv4.udp_table;
	const list = t.ports.get(dport);
	if (list === undefined) return null;
	const sk = udp4_lib_lookup2(t, list, saddr, sport, daddr, daddr, dport, dif);
	if (sk !== null) return sk;
	return udp4_lib_lookup2(t, list, saddr, sport, daddr, 0, dport, dif);
}

export function udp4_lib_lookup(
	n: net,
	saddr: number,
	sport: number,
	daddr: number,
	dport: number,
	dif: number,
): sock | null {
	return __udp4_lib_lookup(n, saddr, sport, daddr, dport, dif);
}

// ---- checksum --------------------------------------------------------------------------------------------------------------------

/** Small datagrams are checked at once, larger ones when they are copied to the process. */
const CHECKSUM_BREAK = 76;

/** Whether the datagram's sum is good, computing it. Borrows skb (data at the UDP header). */
function udp_lib_checksum_complete(skb: sk_buff): boolean {
	if (skb.csum_valid || skb.ip_summed === CHECKSUM_UNNECESSARY || skb.ip_summed === CHECKSUM_PARTIAL) return true;
	const pseudo = csum_tcpudp_nofold(ip_hdr_saddr(skb), ip_hdr_daddr(skb), skb.len, IPPROTO_UDP, 0);
	const ok = csum_fold(skb_checksum(skb, 0, skb.len, pseudo)) === 0;
	skb.csum_valid = ok;
	return ok;
}

/** Return: whether it is known to be bad by now. */
function udp4_csum_init(skb: sk_buff): boolean {
	const h = skb.transport_header;
	// RFC 768: zero means that the sender computed none.
	if (skb.head[h + 6] === 0 && skb.head[h + 7] === 0) {
		skb.csum_valid = true;
		return false;
	}
	if (skb.ip_summed === CHECKSUM_COMPLETE) return !udp_lib_checksum_complete(skb);
	return skb.len <= CHECKSUM_BREAK && !udp_lib_checksum_complete(skb);
}

// ---- input -----------------------------------------------------------------------------------------------------------------------

function udp_drop(n: net, skb: sk_buff, reason: number): number {
	if (reason === SKB_DROP_REASON_UDP_CSUM) UDP_INC_STATS(n, UDP_MIB_INCSUMERRORS);
	UDP_INC_STATS(n, UDP_MIB_INERRORS);
	if (skb.journey !== null) trace_event(skb, 'note', '__udp4_lib_rcv', { counter: 'UdpInErrors' });
	kfree_skb_reason(skb, reason, '__udp4_lib_rcv');
	return 0;
}

/** Queues a datagram, from its UDP header on, within the receive buffer's bound. Return: whether there was room. */
function __udp_enqueue_schedule_skb(sk: sock, skb: sk_buff): boolean {
	const rmem = sk.sk_rmem_alloc;
	// One datagram is always taken by an empty queue.
	if (rmem > 0 && rmem + skb.truesize > sk.sk_rcvbuf) {
		sk.sk_drops++;
		return false;
	}
	skb.dev = null;
	skb_set_owner_r(skb, sk);
	skb_dst_drop(skb);
	__skb_queue_tail(sk.sk_receive_queue, skb);
	if (!sock_flag(sk, SOCK_DEAD)) sk.sk_data_ready(sk);
	return true;
}

/** What GRO or UDP_SEGMENT joined goes whole to a socket that asked, else in its pieces. Consumes skb. */
function udp_queue_rcv_skb(sk: sock, skb: sk_buff): void {
	if ((skb.shinfo.gso_type & SKB_GSO_UDP_L4) === 0 || udp_sk(sk).gro_enabled) {
		udp_queue_rcv_one_skb(sk, skb);
		return;
	}
	let seg: sk_buff | number | null = __udp_gso_segment(skb);
	if (typeof seg === 'number') {
		udp_drop(sk.net, skb, SKB_DROP_REASON_NOT_SPECIFIED);
		return;
	}
	while (seg !== null) {
		const next: sk_buff | null = seg.next;
		seg.next = null;
		// What came unchecked or good as a whole is so in parts.
		seg.ip_summed = CHECKSUM_UNNECESSARY;
		seg.ipcb.iif = skb.ipcb.iif;
		seg.ipcb.flags = skb.ipcb.flags;
		seg.ipcb.opt = skb.ipcb.opt;
		udp_queue_rcv_one_skb(sk, seg);
		seg = next;
	}
	consume_skb(skb);
}

/** One datagram for one socket. Consumes skb. */
function udp_queue_rcv_one_skb(sk: sock, skb: sk_buff): void {
	const n = sk.net;
	nf_reset_ct(skb);
	if (sk.sk_filter !== null) {
		if (!udp_lib_checksum_complete(skb)) {
			sk.sk_drops++;
			udp_drop(n, skb, SKB_DROP_REASON_UDP_CSUM);
			return;
		}
		if (sk_filter(sk, skb) < 0) {
			sk.sk_drops++;
			udp_drop(n, skb, SKB_DROP_REASON_SOCKET_FILTER);
			return;
		}
	}
	ipv4_pktinfo_prepare(sk, skb);
	if (skb.journey !== null)
		trace_event(skb, 'socket', '__udp_enqueue_schedule_skb', {
			protocol: 'UDP',
			local: `${ip_ntop(inet_sk(sk).inet_rcv_saddr)}:${inet_sk(sk).inet_num}`,
			ino: sk.sk_ino,
			rmem: sk.sk_rmem_alloc,
			rcvbuf: sk.sk_rcvbuf,
		});
	if (!__udp_enqueue_schedule_skb(sk, skb)) {
		UDP_INC_STATS(n, UDP_MIB_RCVBUFERRORS);
		UDP_INC_STATS(n, UDP_MIB_INERRORS);
		if (skb.journey !== null) trace_event(skb, 'note', '__udp_queue_rcv_skb', { counter: 'UdpRcvbufErrors' });
		kfree_skb_reason(skb, SKB_DROP_REASON_SOCKET_RCVBUFF, '__udp_queue_rcv_skb');
	}
}

/** Copies for every socket that wants the broadcast or multicast. Consumes skb. */
function __udp4_lib_mcast_deliver(
	n: net,
	skb: sk_buff,
	saddr: number,
	daddr: number,
	sport: number,
	dport: number,
): number {
	const list = n.ipv4.udp_table.ports.get(dport);
	const dif = inet_iif(skb);
	const mcdif = skb.dev!.ifindex;
	let first: sock | null = null;
	if (list !== undefined) {
		for (let i = 0; i < list.length; i++) {
			const sk = list[i];
			const inet = sk.inet!;
			if (
				(inet.inet_daddr !== 0 && inet.inet_daddr !== saddr) ||
				(inet.inet_dport !== 0 && inet.inet_dport !== sport) ||
				(inet.inet_rcv_saddr !== 0 && inet.inet_rcv_saddr !== daddr) ||
				(sk.sk_bound_dev_if !== 0 && sk.sk_bound_dev_if !== dif && sk.sk_bound_dev_if !== mcdif) ||
				!ip_mc_sf_allow(sk, daddr, saddr, mcdif)
			)
				continue;
			if (first === null) first = sk;
			else udp_queue_rcv_skb(sk, skb_clone(skb));
		}
	}
	if (first !== null) {
		udp_queue_rcv_skb(first, skb);
		return 0;
	}
	UDP_INC_STATS(n, UDP_MIB_IGNOREDMULTI);
	if (skb.journey !== null) trace_event(skb, 'note', '__udp4_lib_mcast_deliver', { counter: 'UdpIgnoredMulti' });
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, '__udp4_lib_mcast_deliver');
	return 0;
}

/** UDP's place in inet_protos. Context: softirq; consumes skb (data at the UDP header). */
export function udp_rcv(skb: sk_buff): number {
	if (skb.journey !== null) trace_fn(skb, 'udp_rcv');
	const n = skb.dev!.net;
	if (!pskb_may_pull(skb, 8)) return udp_drop(n, skb, SKB_DROP_REASON_NOT_SPECIFIED);
	const b = skb.head;
	const h = skb.transport_header;
	const ulen = (b[h + 4] << 8) | b[h + 5];
	if (ulen > skb.len || ulen < 8 || pskb_trim_rcsum(skb, ulen) < 0)
		return udp_drop(n, skb, SKB_DROP_REASON_PKT_TOO_SMALL);
	if (udp4_csum_init(skb)) return udp_drop(n, skb, SKB_DROP_REASON_UDP_CSUM);
	const saddr = ip_hdr_saddr(skb);
	const daddr = ip_hdr_daddr(skb);
	const sport = (skb.head[skb.transport_header] << 8) | skb.head[skb.transport_header + 1];
	const dport = (skb.head[skb.transport_header + 2] << 8) | skb.head[skb.transport_header + 3];
	const rt = skb._skb_refdst as rtable;
	if ((rt.rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0)
		return __udp4_lib_mcast_deliver(n, skb, saddr, daddr, sport, dport);
	// A transparent proxy's socket was found before (TPROXY).
	const proxy = skb.sk;
	skb.sk = null;
	const sk = proxy !== null ? proxy : __udp4_lib_lookup(n, saddr, sport, daddr, dport, inet_iif(skb));
	if (sk !== null) {
		udp_queue_rcv_skb(sk, skb);
		return 0;
	}
	nf_reset_ct(skb);
	// RFC 1122 3.2.2.1: Port Unreachable, but not about what may be damaged.
	if (!udp_lib_checksum_complete(skb)) return udp_drop(n, skb, SKB_DROP_REASON_UDP_CSUM);
	UDP_INC_STATS(n, UDP_MIB_NOPORTS);
	if (skb.journey !== null)
		trace_event(skb, 'socket', '__udp4_lib_lookup', { found: false, port: dport, counter: 'UdpNoPorts' });
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	kfree_skb_reason(skb, SKB_DROP_REASON_NO_SOCKET, '__udp4_lib_rcv');
	return 0;
}

/** An ICMP error came about a datagram of ours. Borrows skb (data at the quoted IP header). Return: 0 or -ENOENT. */
export function udp_err(skb: sk_buff, info: number): number {
	const n = skb.dev!.net;
	const b = skb.head;
	const q = skb.data;
	const u = q + ((b[q] & 15) << 2);
	const type = b[skb.transport_header];
	const code = b[skb.transport_header + 1];
	const saddr = ((b[q + 12] << 24) | (b[q + 13] << 16) | (b[q + 14] << 8) | b[q + 15]) >>> 0;
	const daddr = ((b[q + 16] << 24) | (b[q + 17] << 16) | (b[q + 18] << 8) | b[q + 19]) >>> 0;
	const sport = (b[u] << 8) | b[u + 1];
	const dport = (b[u + 2] << 8) | b[u + 3];
	const sk = __udp4_lib_lookup(n, daddr, dport, saddr, sport, skb.dev!.ifindex);
	if (sk === null) {
		ICMP_INC_STATS(n, ICMP_MIB_INERRORS);
		return -ENOENT;
	}
	const inet = inet_sk(sk);
	let err = EHOSTUNREACH;
	let hard = false;
	switch (type) {
		case ICMP_SOURCE_QUENCH:
			return 0;
		case ICMP_PARAMETERPROB:
			err = EPROTO;
			hard = true;
			break;
		case ICMP_DEST_UNREACH:
			if (code === ICMP_FRAG_NEEDED) {
				ipv4_sk_update_pmtu(skb, sk, info);
				if (inet.pmtudisc === IP_PMTUDISC_DONT) return 0;
				err = EMSGSIZE;
				hard = true;
			} else if (code <= NR_ICMP_UNREACH) {
				err = icmp_err_convert_errno[code];
				hard = icmp_err_convert_fatal[code];
			}
			break;
		case ICMP_REDIRECT:
			ipv4_sk_redirect(skb, sk);
			return 0;
		default:
			break;
	}
	// RFC 1122 4.1.3.3: passed on to a connected socket when it is hard, to others when they ask.
	if (!inet.recverr) {
		if (!hard || sk.sk_state !== TCP_ESTABLISHED) return 0;
	} else ip_icmp_error(sk, skb, err, dport, info, u + 8);
	sk.sk_err = err;
	sk.sk_error_report(sk);
	return 0;
}

/** recvmsg(2). Return: length, -errno, or -EAGAIN. */
export function udp_recvmsg(sk: sock, msg: msghdr, flags: number): number {
	if ((flags & MSG_ERRQUEUE) !== 0) return ip_recv_error(sk, msg);
	const n = sk.net;
	for (;;) {
		const skb = skb_recv_datagram(sk, flags);
		if (typeof skb === 'number') return skb;
		if (!udp_lib_checksum_complete(skb)) {
			if ((flags & MSG_PEEK) !== 0) {
				skb_free_datagram(sk, skb);
				const again = skb_recv_datagram(sk, 0);
				if (typeof again !== 'number') udp_drop(n, again, SKB_DROP_REASON_UDP_CSUM);
			} else udp_drop(n, skb, SKB_DROP_REASON_UDP_CSUM);
			continue;
		}
		const ulen = skb.len - 8;
		let copied = ulen;
		if (msg.msg_iov.length < copied) {
			copied = msg.msg_iov.length;
			msg.msg_flags |= MSG_TRUNC;
		}
		skb_copy_datagram_msg(skb, 8, msg, copied);
		if ((flags & MSG_PEEK) === 0) UDP_INC_STATS(n, UDP_MIB_INDATAGRAMS);
		sock_recv_cmsgs(msg, sk, skb);
		const h = skb.transport_header;
		msg.msg_name = sockaddr_in(ip_hdr_saddr(skb), (skb.head[h] << 8) | skb.head[h + 1]);
		if (udp_sk(sk).gro_enabled && skb.shinfo.gso_size !== 0) put_cmsg_int(msg, SOL_UDP, UDP_GRO, skb.shinfo.gso_size);
		if (inet_sk(sk).cmsg_flags !== 0) ip_cmsg_recv(msg, skb, sk);
		skb_free_datagram(sk, skb);
		return (flags & MSG_TRUNC) !== 0 ? ulen : copied;
	}
}

export function udp_connect(sk: sock, addr: sockaddr, flags: number): number {
	return ip4_datagram_connect(sk, addr, flags);
}

export function udp_disconnect(sk: sock, _flags: number): number {
	return __udp_disconnect(sk);
}

export const udp_protocol: net_protocol = {
	name: 'UDP',
	handler: udp_rcv,
	err_handler: udp_err,
	early_demux: null,
	no_policy: true,
	icmp_strict_tag_validation: false,
};

function udp_net_init(n: net): number {
	n.ipv4.udp_table = new udp_table(n.machine.random.u32());
	return 0;
}

function udp_net_exit(_n: net): void {}

export function udp_table_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'udp', init: udp_net_init, exit: udp_net_exit });
}
