/*
 * net/ipv4/ip_sockglue.ts: socket options and control messages at SOL_IP.     Linux: net/ipv4/ip_sockglue.c
 *
 * Walk: ip_setsockopt, ip_getsockopt; ip_cmsg_send reads what sendmsg brings along, ip_cmsg_recv adds what recvmsg was asked for.
 * Option values are C's bytes: ints little-endian, addresses in network order. man 7 ip.
 * Not here yet: IP_IPSEC_POLICY, IP_XFRM_POLICY, IP_PASSSEC, IP_CHECKSUM, MCAST_MSFILTER.
 */

import {
	get_unaligned_be32,
	get_unaligned_le32,
	put_unaligned_be16,
	put_unaligned_be32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../lib/byteorder.ts';
import { EADDRNOTAVAIL, EINVAL, ENOPROTOOPT, ENOTCONN, EPERM, EPROTO } from '../../uapi/asm-generic/errno.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import {
	AF_INET,
	IP_ADD_MEMBERSHIP,
	IP_ADD_SOURCE_MEMBERSHIP,
	IP_BIND_ADDRESS_NO_PORT,
	IP_BLOCK_SOURCE,
	IP_DROP_MEMBERSHIP,
	IP_DROP_SOURCE_MEMBERSHIP,
	IP_FREEBIND,
	IP_HDRINCL,
	IP_LOCAL_PORT_RANGE,
	IP_MINTTL,
	IP_MSFILTER,
	IP_MTU,
	IP_MTU_DISCOVER,
	IP_MULTICAST_ALL,
	IP_MULTICAST_IF,
	IP_MULTICAST_LOOP,
	IP_MULTICAST_TTL,
	IP_NODEFRAG,
	IP_OPTIONS,
	IP_ORIGDSTADDR,
	IP_PKTINFO,
	IP_PMTUDISC_DONT,
	IP_PMTUDISC_OMIT,
	IP_PROTOCOL,
	IP_RECVERR,
	IP_RECVERR_RFC4884,
	IP_RECVFRAGSIZE,
	IP_RECVOPTS,
	IP_RECVTOS,
	IP_RECVTTL,
	IP_RETOPTS,
	IP_ROUTER_ALERT,
	IP_TOS,
	IP_TRANSPARENT,
	IP_TTL,
	IP_UNBLOCK_SOURCE,
	IP_UNICAST_IF,
	MCAST_BLOCK_SOURCE,
	MCAST_EXCLUDE,
	MCAST_INCLUDE,
	MCAST_JOIN_GROUP,
	MCAST_JOIN_SOURCE_GROUP,
	MCAST_LEAVE_GROUP,
	MCAST_LEAVE_SOURCE_GROUP,
	MCAST_UNBLOCK_SOURCE,
	type msghdr,
	SO_MARK,
	SO_PRIORITY,
	SOCK_RAW,
	SOCK_STREAM,
	SOL_IP,
	SOL_SOCKET,
} from '../../uapi/linux/socket.ts';
import { put_cmsg, put_cmsg_int } from '../core/datagram.ts';
import { dst_mtu } from '../core/dst.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { __skb_queue_purge } from '../core/skbuff_queue.ts';
import { SOCK_RCVTSTAMP, type sock, sock_flag } from '../core/sock.ts';
import { nf_getsockopt, nf_setsockopt } from '../netfilter/nf_sockopt.ts';
import { inet_sk } from './af_inet.ts';
import { ip_dev_find } from './devinet.ts';
import { fib_compute_spec_dst } from './fib_frontend.ts';
import {
	ip_mc_join_group,
	ip_mc_join_group_ssm,
	ip_mc_leave_group,
	ip_mc_msfget,
	ip_mc_msfilter,
	ip_mc_source,
	ip_mreqn,
} from './igmp.ts';
import { ip_hdr_daddr, ip_hdr_tos, ip_hdr_ttl, ip_hdrlen, rt_tos2priority } from './ip.ts';
import type { ipcm_cookie } from './ip_append.ts';
import { __ip_options_echo, ip_options, ip_options_get, ip_options_undo } from './ip_options.ts';
import type { rtable } from './route.ts';

export const IP_CMSG_PKTINFO = 1;
export const IP_CMSG_TTL = 2;
export const IP_CMSG_TOS = 4;
export const IP_CMSG_RECVOPTS = 8;
export const IP_CMSG_RETOPTS = 16;
export const IP_CMSG_ORIGDSTADDR = 64;
export const IP_CMSG_RECVFRAGSIZE = 256;

/** The option's flag among cmsg_flags; 0 when it is none of these. */
function cmsg_flag_of(optname: number): number {
	switch (optname) {
		case IP_PKTINFO:
			return IP_CMSG_PKTINFO;
		case IP_RECVTTL:
			return IP_CMSG_TTL;
		case IP_RECVTOS:
			return IP_CMSG_TOS;
		case IP_RECVOPTS:
			return IP_CMSG_RECVOPTS;
		case IP_RETOPTS:
			return IP_CMSG_RETOPTS;
		case IP_ORIGDSTADDR:
			return IP_CMSG_ORIGDSTADDR;
		case IP_RECVFRAGSIZE:
			return IP_CMSG_RECVFRAGSIZE;
		default:
			return 0;
	}
}

/** The interface index that a packet came in by, as sockets see it. */
export function inet_iif(skb: sk_buff): number {
	const rt = skb._skb_refdst as rtable | null;
	return rt !== null && rt.rt_iif !== 0 ? rt.rt_iif : skb.skb_iif;
}

/** Remembers in skb what IP_PKTINFO will say, before the route goes. Borrows skb. */
export function ipv4_pktinfo_prepare(sk: sock, skb: sk_buff): void {
	const inet = inet_sk(sk);
	if (skb.tstamp < 0 && sock_flag(sk, SOCK_RCVTSTAMP)) skb.tstamp = skb.machine.clock.now;
	if ((inet.cmsg_flags & (IP_CMSG_PKTINFO | IP_CMSG_ORIGDSTADDR)) !== 0) {
		skb.ipcb.iif = inet_iif(skb);
		skb.cb = fib_compute_spec_dst(skb);
	} else {
		skb.ipcb.iif = 0;
		skb.cb = 0;
	}
}

/** Appends the control messages that the socket asked for (IP_PKTINFO, IP_RECVTTL, …). Borrows skb. */
export function ip_cmsg_recv(msg: msghdr, skb: sk_buff, sk: sock): void {
	const inet = inet_sk(sk);
	const flags = inet.cmsg_flags;
	if ((flags & IP_CMSG_PKTINFO) !== 0) {
		// struct in_pktinfo: interface, local address, header destination.
		const data = new Uint8Array(12);
		put_unaligned_le32(data, 0, skb.ipcb.iif);
		put_unaligned_be32(data, 4, typeof skb.cb === 'number' ? skb.cb : 0);
		put_unaligned_be32(data, 8, ip_hdr_daddr(skb));
		put_cmsg(msg, SOL_IP, IP_PKTINFO, data);
	}
	if ((flags & IP_CMSG_TTL) !== 0) put_cmsg_int(msg, SOL_IP, IP_TTL, ip_hdr_ttl(skb));
	if ((flags & IP_CMSG_TOS) !== 0) put_cmsg(msg, SOL_IP, IP_TOS, new Uint8Array([ip_hdr_tos(skb)]));
	const opt = skb.ipcb.opt;
	if (opt !== null && opt.optlen > 0) {
		if ((flags & IP_CMSG_RECVOPTS) !== 0)
			put_cmsg(msg, SOL_IP, IP_RECVOPTS, skb.head.slice(skb.network_header + 20, skb.network_header + ip_hdrlen(skb)));
		if ((flags & IP_CMSG_RETOPTS) !== 0) {
			const d = new ip_options();
			if (__ip_options_echo(sk.net, d, skb, opt) === 0) {
				ip_options_undo(d);
				put_cmsg(msg, SOL_IP, IP_RETOPTS, d.__data!.slice(0, d.optlen));
			}
		}
	}
	if ((flags & IP_CMSG_ORIGDSTADDR) !== 0 && skb.transport_header >= 0 && skb.transport_header + 4 <= skb.tail) {
		const data = new Uint8Array(16);
		put_unaligned_le16(data, 0, AF_INET);
		put_unaligned_be16(data, 2, (skb.head[skb.transport_header + 2] << 8) | skb.head[skb.transport_header + 3]);
		put_unaligned_be32(data, 4, ip_hdr_daddr(skb));
		put_cmsg(msg, SOL_IP, IP_ORIGDSTADDR, data);
	}
	if ((flags & IP_CMSG_RECVFRAGSIZE) !== 0 && skb.ipcb.frag_max_size !== 0)
		put_cmsg_int(msg, SOL_IP, IP_RECVFRAGSIZE, skb.ipcb.frag_max_size);
}

/** Reads sendmsg's control messages into `ipc`. Return: 0 or -EINVAL. */
export function ip_cmsg_send(sk: sock, msg: msghdr, ipc: ipcm_cookie): number {
	for (const c of msg.msg_control) {
		if (c.level === SOL_SOCKET) {
			if (c.data.length < 4) return -EINVAL;
			if (c.type === SO_MARK) ipc.mark = get_unaligned_le32(c.data, 0);
			else if (c.type === SO_PRIORITY) ipc.priority = get_unaligned_le32(c.data, 0);
			else return -EINVAL;
			continue;
		}
		if (c.level !== SOL_IP) continue;
		switch (c.type) {
			case IP_RETOPTS: {
				const opt = ip_options_get(sk.net, c.data.subarray(0, 40));
				if (typeof opt === 'number') return opt;
				ipc.opt = opt;
				break;
			}
			case IP_PKTINFO: {
				if (c.data.length !== 12) return -EINVAL;
				const ifindex = get_unaligned_le32(c.data, 0);
				if (ifindex !== 0) ipc.oif = ifindex;
				ipc.addr = get_unaligned_be32(c.data, 4);
				break;
			}
			case IP_TTL: {
				if (c.data.length !== 4) return -EINVAL;
				const v = get_unaligned_le32(c.data, 0) | 0;
				if (v < 1 || v > 255) return -EINVAL;
				ipc.ttl = v;
				break;
			}
			case IP_TOS: {
				const v = c.data.length === 4 ? get_unaligned_le32(c.data, 0) | 0 : c.data.length === 1 ? c.data[0] : -1;
				if (v < 0 || v > 255) return -EINVAL;
				ipc.tos = v;
				ipc.priority = rt_tos2priority(v);
				break;
			}
			case IP_PROTOCOL: {
				if (c.data.length !== 4) return -EINVAL;
				const v = get_unaligned_le32(c.data, 0) | 0;
				if (v < 1 || v > 255) return -EINVAL;
				ipc.protocol = v;
				break;
			}
			default:
				return -EINVAL;
		}
	}
	return 0;
}

// ---- setsockopt ------------------------------------------------------------------------------------------------------------------

/** Puts the socket on, or takes it off, the list for router-alert packets. */
function ip_ra_control(sk: sock, on: boolean): number {
	const inet = inet_sk(sk);
	if (sk.sk_type !== SOCK_RAW || inet.inet_num === 255) return -EINVAL;
	const chain = sk.net.ipv4.ra_chain;
	const at = chain.indexOf(sk);
	if (on) {
		if (at >= 0) return -98; // EADDRINUSE
		sk.net.ipv4.ra_chain = [...chain, sk];
		return 0;
	}
	if (at < 0) return -EINVAL;
	sk.net.ipv4.ra_chain = chain.filter((s) => s !== sk);
	return 0;
}

/** A closed socket leaves the list. */
export function ip_ra_release(sk: sock): void {
	const chain = sk.net.ipv4.ra_chain;
	if (chain.includes(sk)) sk.net.ipv4.ra_chain = chain.filter((s) => s !== sk);
}

/** The TOS byte; the priority follows it. */
function ip_sock_set_tos(sk: sock, val: number): void {
	const inet = inet_sk(sk);
	// ECN's bits belong to TCP.
	if (sk.sk_type === SOCK_STREAM) val = (val & ~3) | (inet.tos & 3);
	if (inet.tos !== (val & 255)) {
		inet.tos = val & 255;
		sk.sk_priority = rt_tos2priority(val & 255);
		sk.sk_dst_cache = null;
	}
}

function set_multicast_if(sk: sock, v: Uint8Array): number {
	const inet = inet_sk(sk);
	if (sk.sk_type === SOCK_STREAM || v.length < 4) return -EINVAL;
	let ifindex = 0;
	let address = 0;
	if (v.length >= 12) {
		address = get_unaligned_be32(v, 4);
		ifindex = get_unaligned_le32(v, 8);
	} else if (v.length >= 8) address = get_unaligned_be32(v, 4);
	else address = get_unaligned_be32(v, 0);
	let dev = ifindex !== 0 ? sk.net.dev_index_head.get(ifindex) : undefined;
	if (ifindex === 0) {
		if (address === 0) {
			inet.mc_index = 0;
			inet.mc_addr = 0;
			return 0;
		}
		dev = ip_dev_find(sk.net, address) ?? undefined;
	}
	if (dev === undefined) return -EADDRNOTAVAIL;
	if (sk.sk_bound_dev_if !== 0 && sk.sk_bound_dev_if !== dev.ifindex) return -EINVAL;
	inet.mc_index = dev.ifindex;
	inet.mc_addr = address;
	return 0;
}

/** struct ip_mreq, ip_mreqn. */
function read_mreq(v: Uint8Array): ip_mreqn | null {
	if (v.length < 8) return null;
	const m = new ip_mreqn();
	m.imr_multiaddr = get_unaligned_be32(v, 0);
	m.imr_address = get_unaligned_be32(v, 4);
	if (v.length >= 12) m.imr_ifindex = get_unaligned_le32(v, 8);
	return m;
}

/** IP_*_SOURCE*: struct ip_mreq_source: group, interface's address, source. */
function set_mreq_source(sk: sock, optname: number, v: Uint8Array): number {
	if (v.length !== 12) return -EINVAL;
	const m = new ip_mreqn();
	m.imr_multiaddr = get_unaligned_be32(v, 0);
	m.imr_address = get_unaligned_be32(v, 4);
	return mc_source(sk, optname, m, get_unaligned_be32(v, 8));
}

function mc_source(sk: sock, optname: number, m: ip_mreqn, source: number): number {
	let omode = MCAST_INCLUDE;
	let add = true;
	switch (optname) {
		case IP_BLOCK_SOURCE:
		case MCAST_BLOCK_SOURCE:
			omode = MCAST_EXCLUDE;
			break;
		case IP_UNBLOCK_SOURCE:
		case MCAST_UNBLOCK_SOURCE:
			omode = MCAST_EXCLUDE;
			add = false;
			break;
		case IP_ADD_SOURCE_MEMBERSHIP:
		case MCAST_JOIN_SOURCE_GROUP: {
			const err = ip_mc_join_group_ssm(sk, m, MCAST_INCLUDE);
			if (err !== 0 && err !== -98) return err; // EADDRINUSE: joined already
			break;
		}
		default:
			add = false;
	}
	return ip_mc_source(add, omode, sk, m, source, m.imr_ifindex);
}

/** MCAST_*: struct group_req { u32 interface; sockaddr_storage at 8 }, group_source_req with the source at 136. */
function set_mcast(sk: sock, optname: number, v: Uint8Array): number {
	const with_source = optname !== MCAST_JOIN_GROUP && optname !== MCAST_LEAVE_GROUP;
	if (v.length < (with_source ? 264 : 136)) return -EINVAL;
	if (v[8] !== AF_INET) return -EINVAL;
	const m = new ip_mreqn();
	m.imr_ifindex = get_unaligned_le32(v, 0);
	m.imr_multiaddr = get_unaligned_be32(v, 12);
	if (optname === MCAST_JOIN_GROUP) return ip_mc_join_group(sk, m);
	if (optname === MCAST_LEAVE_GROUP) return ip_mc_leave_group(sk, m);
	if (v[136] !== AF_INET) return -EADDRNOTAVAIL;
	return mc_source(sk, optname, m, get_unaligned_be32(v, 140));
}

/** Value of a boolean-like option: an int, or its first byte when there is less. */
function int_of(v: Uint8Array): number {
	return v.length >= 4 ? get_unaligned_le32(v, 0) | 0 : v.length >= 1 ? v[0] : 0;
}

function do_ip_setsockopt(sk: sock, optname: number, v: Uint8Array): number {
	const inet = inet_sk(sk);
	const val = int_of(v);
	const on = val !== 0;
	const flag = cmsg_flag_of(optname);
	if (flag !== 0) {
		if (optname === IP_RECVFRAGSIZE && sk.sk_type !== SOCK_RAW && sk.sk_type !== 2) return -EINVAL;
		inet.cmsg_flags = on ? inet.cmsg_flags | flag : inet.cmsg_flags & ~flag;
		return 0;
	}
	switch (optname) {
		case IP_OPTIONS: {
			if (v.length > 40) return -EINVAL;
			const opt = ip_options_get(sk.net, v);
			if (typeof opt === 'number') return opt;
			inet.inet_opt = opt.optlen > 0 ? opt : null;
			return 0;
		}
		case IP_TOS:
			ip_sock_set_tos(sk, val);
			return 0;
		case IP_TTL:
			if (v.length < 1 || (val !== -1 && (val < 1 || val > 255))) return -EINVAL;
			inet.uc_ttl = val;
			return 0;
		case IP_MINTTL:
			if (v.length < 1 || val < 0 || val > 255) return -EINVAL;
			inet.min_ttl = val;
			return 0;
		case IP_HDRINCL:
			if (sk.sk_type !== SOCK_RAW) return -ENOPROTOOPT;
			inet.hdrincl = on;
			return 0;
		case IP_NODEFRAG:
			if (sk.sk_type !== SOCK_RAW) return -ENOPROTOOPT;
			inet.nodefrag = on;
			return 0;
		case IP_BIND_ADDRESS_NO_PORT:
			inet.bind_address_no_port = on;
			return 0;
		case IP_MTU_DISCOVER:
			if (val < IP_PMTUDISC_DONT || val > IP_PMTUDISC_OMIT) return -EINVAL;
			inet.pmtudisc = val;
			return 0;
		case IP_RECVERR:
			inet.recverr = on;
			if (!on) __skb_queue_purge(sk.sk_error_queue, 104, 'skb_errqueue_purge');
			return 0;
		case IP_RECVERR_RFC4884:
			if (val !== 0 && val !== 1) return -EINVAL;
			inet.recverr_rfc4884 = on;
			return 0;
		case IP_MULTICAST_TTL:
			if (sk.sk_type === SOCK_STREAM || v.length < 1 || val < -1 || val > 255) return -EINVAL;
			inet.mc_ttl = val === -1 ? 1 : val;
			return 0;
		case IP_MULTICAST_LOOP:
			if (v.length < 1) return -EINVAL;
			inet.mc_loop = on;
			return 0;
		case IP_MULTICAST_ALL:
			if (v.length < 1 || (val !== 0 && val !== 1)) return -EINVAL;
			inet.mc_all = on;
			return 0;
		case IP_UNICAST_IF: {
			if (v.length !== 4) return -EINVAL;
			const ifindex = get_unaligned_be32(v, 0);
			if (ifindex === 0) {
				inet.uc_index = 0;
				return 0;
			}
			if (!sk.net.dev_index_head.has(ifindex)) return -EADDRNOTAVAIL;
			if (sk.sk_bound_dev_if !== 0) return -EINVAL;
			inet.uc_index = ifindex;
			return 0;
		}
		case IP_MULTICAST_IF:
			return set_multicast_if(sk, v);
		case IP_ADD_MEMBERSHIP:
		case IP_DROP_MEMBERSHIP: {
			if (inet.is_icsk) return -EPROTO;
			const m = read_mreq(v);
			if (m === null) return -EINVAL;
			return optname === IP_ADD_MEMBERSHIP ? ip_mc_join_group(sk, m) : ip_mc_leave_group(sk, m);
		}
		case IP_BLOCK_SOURCE:
		case IP_UNBLOCK_SOURCE:
		case IP_ADD_SOURCE_MEMBERSHIP:
		case IP_DROP_SOURCE_MEMBERSHIP:
			return set_mreq_source(sk, optname, v);
		case MCAST_JOIN_GROUP:
		case MCAST_LEAVE_GROUP:
		case MCAST_JOIN_SOURCE_GROUP:
		case MCAST_LEAVE_SOURCE_GROUP:
		case MCAST_BLOCK_SOURCE:
		case MCAST_UNBLOCK_SOURCE:
			return set_mcast(sk, optname, v);
		case IP_MSFILTER: {
			// struct ip_msfilter: group, interface's address, mode, count, sources.
			if (v.length < 16) return -EINVAL;
			const count = get_unaligned_le32(v, 12);
			if (count > sk.net.ipv4.sysctl_igmp_max_msf || v.length < 16 + 4 * count) return -EINVAL;
			const sources: number[] = [];
			for (let i = 0; i < count; i++) sources.push(get_unaligned_be32(v, 16 + 4 * i));
			const m = new ip_mreqn();
			m.imr_multiaddr = get_unaligned_be32(v, 0);
			m.imr_address = get_unaligned_be32(v, 4);
			return ip_mc_msfilter(sk, m, get_unaligned_le32(v, 8), sources);
		}
		case IP_FREEBIND:
			if (v.length < 1) return -EINVAL;
			inet.freebind = on;
			return 0;
		case IP_TRANSPARENT:
			if (on && sk.sk_uid !== 0) return -EPERM;
			if (v.length < 1) return -EINVAL;
			inet.transparent = on;
			return 0;
		case IP_ROUTER_ALERT:
			return ip_ra_control(sk, on);
		case IP_LOCAL_PORT_RANGE: {
			if (v.length !== 4) return -EINVAL;
			const lo = val & 0xffff;
			const hi = val >>> 16;
			if (lo !== 0 && hi !== 0 && lo > hi) return -EINVAL;
			inet.local_port_range_lo = lo;
			inet.local_port_range_hi = hi;
			return 0;
		}
		default:
			return -ENOPROTOOPT;
	}
}

/** setsockopt(2) at SOL_IP; what IP does not know may be netfilter's (iptables). Return: 0 or -errno. */
export function ip_setsockopt(sk: sock, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_IP) return -ENOPROTOOPT;
	const err = do_ip_setsockopt(sk, optname, optval);
	if (err === -ENOPROTOOPT && optname !== IP_HDRINCL) return nf_setsockopt(sk, NFPROTO_IPV4, optname, optval);
	return err;
}

// ---- getsockopt ------------------------------------------------------------------------------------------------------------------

function put_int(optval: Uint8Array, val: number): number {
	// A small buffer gets a byte when the value fits in one.
	if (optval.length < 4 && optval.length > 0 && val >= 0 && val <= 255) {
		optval[0] = val;
		return 1;
	}
	const data = new Uint8Array(4);
	put_unaligned_le32(data, 0, val);
	const len = Math.min(4, optval.length);
	optval.set(data.subarray(0, len));
	return len;
}

function put_bytes(optval: Uint8Array, data: Uint8Array): number {
	const len = Math.min(optval.length, data.length);
	optval.set(data.subarray(0, len));
	return len;
}

function do_ip_getsockopt(sk: sock, optname: number, optval: Uint8Array): number {
	const inet = inet_sk(sk);
	const flag = cmsg_flag_of(optname);
	if (flag !== 0) return put_int(optval, (inet.cmsg_flags & flag) !== 0 ? 1 : 0);
	switch (optname) {
		case IP_OPTIONS: {
			if (inet.inet_opt === null) return 0;
			const o = Object.assign(new ip_options(), inet.inet_opt);
			o.__data = inet.inet_opt.__data!.slice();
			ip_options_undo(o);
			return put_bytes(optval, o.__data.subarray(0, o.optlen));
		}
		case IP_TOS:
			return put_int(optval, inet.tos);
		case IP_TTL:
			return put_int(optval, inet.uc_ttl < 0 ? sk.net.ipv4.sysctl_ip_default_ttl : inet.uc_ttl);
		case IP_MINTTL:
			return put_int(optval, inet.min_ttl);
		case IP_HDRINCL:
			return put_int(optval, inet.hdrincl ? 1 : 0);
		case IP_NODEFRAG:
			return put_int(optval, inet.nodefrag ? 1 : 0);
		case IP_BIND_ADDRESS_NO_PORT:
			return put_int(optval, inet.bind_address_no_port ? 1 : 0);
		case IP_MTU_DISCOVER:
			return put_int(optval, inet.pmtudisc);
		case IP_MTU: {
			const dst = sk.sk_dst_cache;
			if (dst === null) return -ENOTCONN;
			const mtu = dst_mtu(dst);
			return mtu === 0 ? -ENOTCONN : put_int(optval, mtu);
		}
		case IP_RECVERR:
			return put_int(optval, inet.recverr ? 1 : 0);
		case IP_RECVERR_RFC4884:
			return put_int(optval, inet.recverr_rfc4884 ? 1 : 0);
		case IP_MULTICAST_TTL:
			return put_int(optval, inet.mc_ttl);
		case IP_MULTICAST_LOOP:
			return put_int(optval, inet.mc_loop ? 1 : 0);
		case IP_MULTICAST_ALL:
			return put_int(optval, inet.mc_all ? 1 : 0);
		case IP_UNICAST_IF: {
			const data = new Uint8Array(4);
			put_unaligned_be32(data, 0, inet.uc_index);
			return put_bytes(optval, data);
		}
		case IP_MULTICAST_IF: {
			const data = new Uint8Array(4);
			put_unaligned_be32(data, 0, inet.mc_addr);
			return put_bytes(optval, data);
		}
		case IP_MSFILTER: {
			if (optval.length < 16) return -EINVAL;
			const m = new ip_mreqn();
			m.imr_multiaddr = get_unaligned_be32(optval, 0);
			m.imr_address = get_unaligned_be32(optval, 4);
			return ip_mc_msfget(sk, m, optval);
		}
		case IP_FREEBIND:
			return put_int(optval, inet.freebind ? 1 : 0);
		case IP_TRANSPARENT:
			return put_int(optval, inet.transparent ? 1 : 0);
		case IP_LOCAL_PORT_RANGE:
			return put_int(optval, (inet.local_port_range_hi << 16) | inet.local_port_range_lo);
		case IP_PROTOCOL:
			return put_int(optval, inet.inet_num);
		default:
			return -ENOPROTOOPT;
	}
}

/** getsockopt(2) at SOL_IP. Return: the value's length or -errno. */
export function ip_getsockopt(sk: sock, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_IP) return -ENOPROTOOPT;
	const err = do_ip_getsockopt(sk, optname, optval);
	if (err === -ENOPROTOOPT) return nf_getsockopt(sk, NFPROTO_IPV4, optname, optval);
	return err;
}
