/*
 * net/ipv4/ip_append.ts: sockets' data become IPv4 packets.        Linux: net/ipv4/ip_output.c (ip_append_data and after)
 *
 * Walk: ip_append_data (perhaps several times: MSG_MORE, UDP_CORK) -> ip_push_pending_frames -> __ip_make_skb -> ip_send_skb
 *       ip_make_skb does both in one step; ip_send_unicast_reply answers a segment that has no socket.
 * One linear packet is built; ip_finish_output cuts it when it is larger than the link. Not here yet: MSG_SPLICE_PAGES, zero copy.
 */

import { csum_fold, csum_partial } from '../../lib/checksum.ts';
import { EAGAIN, EMSGSIZE, ENETUNREACH, ENOBUFS, EPIPE } from '../../uapi/asm-generic/errno.ts';
import { RTN_MULTICAST } from '../../uapi/linux/rtnetlink.ts';
import { IPSTATS_MIB_OUTDISCARDS } from '../../uapi/linux/snmp.ts';
import { IP_PMTUDISC_DO, IP_PMTUDISC_PROBE, IPPROTO_ICMP, SOCK_RAW } from '../../uapi/linux/socket.ts';
import { dst_mtu } from '../core/dst.ts';
import { flowi4, flowi4_init_output } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import {
	alloc_skb,
	consume_skb,
	kfree_skb,
	type sk_buff,
	skb_push,
	skb_put,
	skb_reserve,
	skb_reset_network_header,
	skb_tailroom,
} from '../core/skbuff.ts';
import { IP_INC_STATS } from '../core/snmp.ts';
import { SEND_SHUTDOWN, skb_set_owner_w, type sock, sock_error } from '../core/sock.ts';
import { inet_sk, type inet_sock } from './af_inet.ts';
import { ip_local_error } from './datagram.ts';
import { icmp_out_count } from './icmp.ts';
import {
	IP_DF,
	IP_MAX_MTU,
	inetdev_valid_mtu,
	ip_dont_fragment,
	ip_hdr_protocol,
	ip_hdr_set_daddr,
	ip_hdr_set_frag_off,
	ip_hdr_set_saddr,
	ip_select_ttl,
	ip_sk_ignore_df,
	ip_sk_use_pmtu,
} from './ip.ts';
import { ip_options, ip_options_build, ip_options_echo } from './ip_options.ts';
import { ip_select_ident, ip_send_skb } from './ip_output.ts';
import { ip_route_output_flow, type rtable } from './route.ts';

/** What one send says beside the socket's settings (struct ipcm_cookie). */
export class ipcm_cookie {
	addr = 0;
	oif = 0;
	opt: ip_options | null = null;
	protocol = 0;
	/** 0: the socket's. */
	ttl = 0;
	/** -1: the socket's. */
	tos = -1;
	gso_size = 0;
	mark = 0;
	priority = 0;
	/** The packet that is answered, whose journey goes on in the answer. */
	parent: sk_buff | null = null;
}

export function ipcm_init(ipc: ipcm_cookie): void {
	ipc.addr = 0;
	ipc.oif = 0;
	ipc.opt = null;
	ipc.protocol = 0;
	ipc.ttl = 0;
	ipc.tos = -1;
	ipc.gso_size = 0;
	ipc.mark = 0;
	ipc.priority = 0;
	ipc.parent = null;
}

/** Starts from the socket's settings. */
export function ipcm_init_sk(ipc: ipcm_cookie, inet: inet_sock, sk: sock): void {
	ipcm_init(ipc);
	ipc.mark = sk.sk_mark;
	ipc.priority = sk.sk_priority;
	ipc.oif = sk.sk_bound_dev_if;
	ipc.addr = inet.inet_saddr;
	ipc.protocol = inet.inet_num;
}

/** A packet that is being filled (struct inet_cork). */
export class inet_cork {
	addr = 0;
	opt: ip_options | null = null;
	/** The MTU that packets keep to. */
	fragsize = 0;
	/** Bytes behind the IP header so far. */
	length = 0;
	dst: rtable | null = null;
	ttl = 0;
	tos = -1;
	gso_size = 0;
	mark = 0;
	priority = 0;
	parent: sk_buff | null = null;
	/** Data from skb.data on is what follows the IP header. */
	skb: sk_buff | null = null;
}

/** The socket's own cork, made on first use. */
export function inet_cork_of(sk: sock): inet_cork {
	const inet = inet_sk(sk);
	if (inet.cork === null) inet.cork = new inet_cork();
	return inet.cork as inet_cork;
}

export function ip_cork_release(cork: inet_cork): void {
	cork.opt = null;
	cork.dst = null;
	cork.parent = null;
	cork.length = 0;
	cork.skb = null;
}

function ip_setup_cork(sk: sock, cork: inet_cork, ipc: ipcm_cookie, rt: rtable): number {
	cork.fragsize = ip_sk_use_pmtu(sk) ? dst_mtu(rt) : rt.dev.mtu;
	if (!inetdev_valid_mtu(cork.fragsize)) return -ENETUNREACH;
	cork.addr = ipc.addr;
	cork.opt = ipc.opt !== null && ipc.opt.optlen > 0 ? ipc.opt : null;
	cork.gso_size = ipc.gso_size;
	cork.dst = rt;
	cork.length = 0;
	cork.ttl = ipc.ttl;
	cork.tos = ipc.tos;
	cork.mark = ipc.mark;
	cork.priority = ipc.priority;
	cork.parent = ipc.parent;
	return 0;
}

/** Why the socket cannot send now: a pending error, its shutdown, a full buffer. Return: 0 or -errno. */
export function sock_send_error(sk: sock): number {
	const err = sock_error(sk);
	if (err !== 0) return err;
	if ((sk.sk_shutdown & SEND_SHUTDOWN) !== 0) return -EPIPE;
	return sk.sk_wmem_alloc >= sk.sk_sndbuf ? -EAGAIN : 0;
}

/** Adds `transhdrlen` blank bytes (a transport header to be filled in) and `from`. */
function __ip_append_data(
	sk: sock,
	fl4: flowi4,
	cork: inet_cork,
	from: Uint8Array,
	transhdrlen: number,
	atomic: boolean,
): number {
	const length = from.length + transhdrlen;
	const optlen = cork.opt !== null ? cork.opt.optlen : 0;
	const mtu = cork.gso_size !== 0 ? IP_MAX_MTU : cork.fragsize;
	const max = ip_sk_ignore_df(sk) ? IP_MAX_MTU : mtu;
	if (cork.length + length > max - 20 - optlen) {
		ip_local_error(sk, EMSGSIZE, fl4.daddr, inet_sk(sk).inet_dport, mtu - optlen);
		return -EMSGSIZE;
	}
	let skb = cork.skb;
	if (skb === null || skb_tailroom(skb) < length) {
		if (skb === null) {
			const err = atomic ? (sk.sk_wmem_alloc > 2 * sk.sk_sndbuf ? -ENOBUFS : 0) : sock_send_error(sk);
			if (err < 0) {
				IP_INC_STATS(sk.net, IPSTATS_MIB_OUTDISCARDS);
				return err;
			}
		}
		const room = ((cork.dst!.dev.hard_header_len + 15) & ~15) + 20 + optlen;
		const had = skb === null ? 0 : skb.len;
		const n = alloc_skb(sk.net.machine, room + had + length, cork.parent);
		skb_reserve(n, room);
		if (skb !== null) {
			n.head.set(skb.head.subarray(skb.data, skb.tail), skb_put(n, had));
			n.journey = skb.journey;
			consume_skb(skb);
		}
		skb_set_owner_w(n, sk);
		skb = n;
		cork.skb = n;
	}
	if (transhdrlen > 0) {
		const at = skb_put(skb, transhdrlen);
		skb.head.fill(0, at, at + transhdrlen);
		skb.transport_header = skb.data;
	} else if (cork.length === 0) skb.transport_header = skb.data;
	skb.head.set(from, skb_put(skb, from.length));
	cork.length += length;
	return 0;
}

/**
 * Adds data to the packet that the socket is building. `rt` and `ipc` count for the first piece only. `atomic`: minds neither the socket's
 * errors nor, up to twice its size, its buffer (raw sockets, the kernel's own).
 * Return: 0 or -errno (-EAGAIN: the send buffer is full).
 */
export function ip_append_data(
	sk: sock,
	fl4: flowi4,
	from: Uint8Array,
	transhdrlen: number,
	ipc: ipcm_cookie,
	rt: rtable,
	atomic = false,
): number {
	const cork = inet_cork_of(sk);
	if (cork.skb === null) {
		const err = ip_setup_cork(sk, cork, ipc, rt);
		if (err < 0) return err;
	} else transhdrlen = 0;
	return __ip_append_data(sk, fl4, cork, from, transhdrlen, atomic);
}

/** Puts the IP header in front of what was gathered. Return: the packet, or null when there is none. */
export function __ip_make_skb(sk: sock, fl4: flowi4, cork: inet_cork): sk_buff | null {
	const skb = cork.skb;
	if (skb === null) return null;
	const inet = inet_sk(sk);
	const n = sk.net;
	const rt = cork.dst!;
	const opt = cork.opt;
	skb.transport_header = skb.data;
	// Unless path MTU discovery is asked for, what is too large may be cut here, DF or not.
	skb.ignore_df = ip_sk_ignore_df(sk);
	let df = 0;
	const hlen = 20 + (opt !== null ? opt.optlen : 0);
	if (
		inet.pmtudisc === IP_PMTUDISC_DO ||
		inet.pmtudisc === IP_PMTUDISC_PROBE ||
		(skb.len + hlen <= dst_mtu(rt) && ip_dont_fragment(sk, rt))
	)
		df = IP_DF;
	const ttl = cork.ttl !== 0 ? cork.ttl : rt.rt_type === RTN_MULTICAST ? inet.mc_ttl : ip_select_ttl(inet, rt);
	const protocol = sk.sk_protocol;
	if (protocol === IPPROTO_ICMP) {
		// As Linux counts: by the flow's type, which a reply of the kernel's leaves at 0 (so a timestamp reply counts as an echo reply).
		icmp_out_count(n, sk.sk_type === SOCK_RAW && !inet.hdrincl ? fl4.fl4_icmp_type : skb.head[skb.data]);
	}
	const h = skb_push(skb, hlen);
	skb_reset_network_header(skb);
	const b = skb.head;
	b[h] = 0x40 | (hlen >> 2);
	b[h + 1] = cork.tos !== -1 ? cork.tos : inet.tos;
	b[h + 4] = 0;
	b[h + 5] = 0;
	ip_hdr_set_frag_off(skb, df);
	b[h + 8] = ttl;
	b[h + 9] = protocol;
	ip_hdr_set_saddr(skb, fl4.saddr);
	ip_hdr_set_daddr(skb, fl4.daddr);
	ip_select_ident(n, skb, sk);
	if (opt !== null) ip_options_build(skb, opt, cork.addr, rt);
	skb.priority = cork.priority;
	skb.mark = cork.mark;
	skb._skb_refdst = rt;
	if (skb.shinfo.gso_size === 0 && cork.gso_size !== 0) skb.shinfo.gso_size = 0;
	ip_cork_release(cork);
	return skb;
}

/** Builds a packet in one step. Return: it, or -errno. */
export function ip_make_skb(
	sk: sock,
	fl4: flowi4,
	from: Uint8Array,
	transhdrlen: number,
	ipc: ipcm_cookie,
	rt: rtable,
): sk_buff | number {
	const cork = new inet_cork();
	let err = ip_setup_cork(sk, cork, ipc, rt);
	if (err === 0) err = __ip_append_data(sk, fl4, cork, from, transhdrlen, false);
	if (err < 0) {
		if (cork.skb !== null) kfree_skb(cork.skb, '__ip_flush_pending_frames');
		return err;
	}
	return __ip_make_skb(sk, fl4, cork)!;
}

/** Sends what ip_append_data gathered. Return: 0 or -errno. */
export function ip_push_pending_frames(sk: sock, fl4: flowi4): number {
	const skb = __ip_make_skb(sk, fl4, inet_cork_of(sk));
	return skb === null ? 0 : ip_send_skb(sk.net, skb);
}

/** Throws away what ip_append_data gathered. */
export function ip_flush_pending_frames(sk: sock): void {
	const cork = inet_cork_of(sk);
	if (cork.skb !== null) kfree_skb(cork.skb, '__ip_flush_pending_frames');
	ip_cork_release(cork);
}

/** The mark of an answer to a packet with `mark`: net.ipv4.fwmark_reflect. */
export function IP4_REPLY_MARK(n: net, mark: number): number {
	return n.ipv4.sysctl_fwmark_reflect !== 0 ? mark : 0;
}

/** What ip_send_unicast_reply sends. */
export class ip_reply_arg {
	/** The transport segment. */
	data: Uint8Array = EMPTY;
	/** Sum of the pseudo header, and where the checksum field is in `data`. */
	csum = 0;
	csumoffset = 0;
	flags = 0;
	bound_dev_if = 0;
	tos = 0;
	uid = 0;
}

const EMPTY = new Uint8Array(0);

/** Answers `skb`, which has no socket, with a segment of its own protocol. Borrows skb. */
export function ip_send_unicast_reply(
	sk: sock,
	orig: sk_buff,
	daddr: number,
	saddr: number,
	arg: ip_reply_arg,
	sport: number,
	dport: number,
): void {
	const n = sk.net;
	const dopt = new ip_options();
	if (ip_options_echo(n, dopt, orig) < 0) return;
	const ipc = new ipcm_cookie();
	ipc.addr = daddr;
	if (dopt.optlen > 0) {
		ipc.opt = dopt;
		if (dopt.srr !== 0) daddr = dopt.faddr;
	}
	const fl4 = new flowi4();
	const mark = IP4_REPLY_MARK(n, orig.mark) || sk.sk_mark;
	flowi4_init_output(
		fl4,
		arg.bound_dev_if,
		mark,
		arg.tos & 0xfc,
		0,
		ip_hdr_protocol(orig),
		arg.flags,
		daddr,
		saddr,
		dport,
		sport,
		arg.uid,
	);
	const rt = ip_route_output_flow(n, fl4, sk);
	if (typeof rt === 'number') return;
	inet_sk(sk).tos = arg.tos;
	sk.sk_protocol = ip_hdr_protocol(orig);
	sk.sk_bound_dev_if = arg.bound_dev_if;
	ipc.mark = mark;
	ipc.parent = orig;
	const err = ip_append_data(sk, fl4, arg.data, 0, ipc, rt, true);
	if (err < 0) {
		ip_flush_pending_frames(sk);
		return;
	}
	const skb = inet_cork_of(sk).skb!;
	const check = csum_fold(csum_partial(skb.head, skb.data, skb.len, arg.csum));
	skb.head[skb.data + arg.csumoffset] = check >>> 8;
	skb.head[skb.data + arg.csumoffset + 1] = check;
	ip_push_pending_frames(sk, fl4);
}
