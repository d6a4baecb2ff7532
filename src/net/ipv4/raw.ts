/*
 * net/ipv4/raw.ts: raw sockets.                                    Linux: net/ipv4/raw.c          man 7 raw
 *
 * Walk: ip_protocol_deliver_rcu -> raw_local_deliver -> raw_rcv: a copy for each socket that listens to the protocol, header and all.
 *       raw_sendmsg -> ip_append_data, or raw_send_hdrinc when the process writes the IP header itself.
 *       icmp_socket_deliver -> raw_icmp_error -> raw_err.
 */

import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { ip_fast_csum } from '../../lib/checksum.ts';
import {
	EACCES,
	EADDRNOTAVAIL,
	EAFNOSUPPORT,
	EDESTADDRREQ,
	EHOSTUNREACH,
	EINVAL,
	EMSGSIZE,
	ENOBUFS,
	ENOPROTOOPT,
	EOPNOTSUPP,
	EPROTO,
} from '../../uapi/asm-generic/errno.ts';
import {
	ICMP_DEST_UNREACH,
	ICMP_FILTER,
	ICMP_FRAG_NEEDED,
	ICMP_PARAMETERPROB,
	ICMP_REDIRECT,
	ICMP_SOURCE_QUENCH,
} from '../../uapi/linux/icmp.ts';
import { NF_INET_LOCAL_OUT, NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { RT_SCOPE_LINK, RTN_BROADCAST, RTN_MULTICAST } from '../../uapi/linux/rtnetlink.ts';
import { IPSTATS_MIB_OUTDISCARDS } from '../../uapi/linux/snmp.ts';
import {
	AF_INET,
	IP_PMTUDISC_DONT,
	IPPROTO_ICMP,
	IPPROTO_IP,
	IPPROTO_RAW,
	MSG_DONTROUTE,
	MSG_ERRQUEUE,
	MSG_MORE,
	MSG_OOB,
	MSG_TRUNC,
	type msghdr,
	SOCK_RAW,
	SOL_RAW,
	type sockaddr,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import {
	datagram_ioctl,
	skb_copy_datagram_msg,
	skb_free_datagram,
	skb_recv_datagram,
	sock_recv_cmsgs,
} from '../core/datagram.ts';
import { SKB_NOT_DROPPED_YET } from '../core/dropreason.ts';
import { dst_output } from '../core/dst.ts';
import { FLOWI_FLAG_ANYSRC, FLOWI_FLAG_KNOWN_NH, flowi4, flowi4_init_output } from '../core/flow.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import {
	alloc_skb,
	kfree_skb,
	kfree_skb_reason,
	nf_reset_ct,
	type sk_buff,
	skb_clone,
	skb_put,
	skb_reserve,
	skb_reset_network_header,
} from '../core/skbuff.ts';
import { __skb_queue_purge } from '../core/skbuff_queue.ts';
import { IP_INC_STATS } from '../core/snmp.ts';
import {
	type proto,
	SOCK_BROADCAST,
	SOCK_LOCALROUTE,
	skb_set_owner_w,
	type sock,
	sock_flag,
	sock_queue_rcv_skb_reason,
	TCP_CLOSE,
	TCP_ESTABLISHED,
} from '../core/sock.ts';
import { NF_HOOK } from '../netfilter/core.ts';
import {
	__udp_disconnect,
	inet_addr_valid_or_nonlocal,
	inet_register_protosw,
	inet_sk,
	type inet_sock,
	inet_sockraw_ops,
} from './af_inet.ts';
import {
	icmp_err_convert_errno,
	icmp_err_convert_fatal,
	ip_icmp_error,
	ip_local_error,
	ip_recv_error,
	ip4_datagram_connect,
} from './datagram.ts';
import { inet_addr_type } from './fib_frontend.ts';
import { icmp_out_count, NR_ICMP_UNREACH } from './icmp.ts';
import { ip_mc_drop_socket, ip_mc_sf_allow } from './igmp.ts';
import { ip_hdr_saddr, ip_hdr_set_saddr, ip_hdr_set_tot_len, ipv4_is_multicast } from './ip.ts';
import {
	ip_append_data,
	ip_flush_pending_frames,
	ip_push_pending_frames,
	ipcm_cookie,
	ipcm_init_sk,
	sock_send_error,
} from './ip_append.ts';
import { ip_select_ident } from './ip_output.ts';
import {
	inet_iif,
	ip_cmsg_recv,
	ip_cmsg_send,
	ip_getsockopt,
	ip_ra_release,
	ip_setsockopt,
	ipv4_pktinfo_prepare,
} from './ip_sockglue.ts';
import { ip_route_output_flow, ipv4_sk_redirect, ipv4_sk_update_pmtu, RTCF_BROADCAST, type rtable } from './route.ts';
import { trace_output_route } from './route_trace.ts';

/** A raw socket's own part. */
class raw_sock {
	/** ICMP_FILTER: types that are not wanted, one bit each. */
	filter = 0;
}

/** Raw sockets of a namespace by protocol number. */
export class raw_hashinfo {
	ht: (sock[] | null)[] = new Array(256).fill(null);
}

function raw_hash_sk(sk: sock): number {
	const ht = sk.net.ipv4.raw_hash.ht;
	const num = inet_sk(sk).inet_num & 255;
	ht[num] = [sk, ...(ht[num] ?? [])];
	return 0;
}

function raw_unhash_sk(sk: sock): void {
	const ht = sk.net.ipv4.raw_hash.ht;
	const num = inet_sk(sk).inet_num & 255;
	const rest = (ht[num] ?? []).filter((s) => s !== sk);
	ht[num] = rest.length > 0 ? rest : null;
}

/** Whether the socket listens to packets of that flow. */
function raw_v4_match(sk: sock, raddr: number, laddr: number, dif: number): boolean {
	const inet: inet_sock = sk.inet!;
	return (
		(inet.inet_daddr === 0 || inet.inet_daddr === raddr) &&
		(inet.inet_rcv_saddr === 0 || inet.inet_rcv_saddr === laddr) &&
		(sk.sk_bound_dev_if === 0 || sk.sk_bound_dev_if === dif)
	);
}

/** Whether ICMP_FILTER keeps the message from the socket. */
function icmp_filter(sk: sock, skb: sk_buff): boolean {
	const f = (sk.priv as raw_sock).filter;
	if (f === 0 || skb.len < 1) return f !== 0;
	const type = skb.head[skb.data];
	return type < 32 && (f & (1 << type)) !== 0;
}

/** Gives copies to the raw sockets of that protocol. Borrows skb (data at the transport header). Return: whether there was one. */
export function raw_local_deliver(skb: sk_buff, protocol: number): boolean {
	const n = skb.dev!.net;
	const list = n.ipv4.raw_hash.ht[protocol];
	if (list === null) return false;
	let delivered = false;
	const dif = inet_iif(skb);
	const b = skb.head;
	const h = skb.network_header;
	const saddr = ip_hdr_saddr(skb);
	const daddr = ((b[h + 16] << 24) | (b[h + 17] << 16) | (b[h + 18] << 8) | b[h + 19]) >>> 0;
	for (let i = 0; i < list.length; i++) {
		const sk = list[i];
		if (!raw_v4_match(sk, saddr, daddr, dif)) continue;
		delivered = true;
		if (sk.sk_rmem_alloc >= sk.sk_rcvbuf) {
			sk.sk_drops++;
			continue;
		}
		if (protocol === IPPROTO_ICMP && icmp_filter(sk, skb)) continue;
		if (!ip_mc_sf_allow(sk, daddr, saddr, skb.dev!.ifindex)) continue;
		raw_rcv(sk, skb_clone(skb));
	}
	return delivered;
}

/** Queues a packet, from its IP header on. Consumes skb. */
export function raw_rcv(sk: sock, skb: sk_buff): number {
	nf_reset_ct(skb);
	skb.len += skb.data - skb.network_header;
	skb.data = skb.network_header;
	ipv4_pktinfo_prepare(sk, skb);
	const reason = sock_queue_rcv_skb_reason(sk, skb);
	if (reason !== SKB_NOT_DROPPED_YET) kfree_skb_reason(skb, reason, 'raw_rcv_skb');
	return 0;
}

/** An ICMP error came about a packet of that protocol. Borrows skb (data at the quoted header). */
export function raw_icmp_error(skb: sk_buff, protocol: number, info: number): void {
	const n = skb.dev!.net;
	const list = n.ipv4.raw_hash.ht[protocol];
	if (list === null) return;
	const b = skb.head;
	const q = skb.data;
	const laddr = ((b[q + 12] << 24) | (b[q + 13] << 16) | (b[q + 14] << 8) | b[q + 15]) >>> 0;
	const raddr = ((b[q + 16] << 24) | (b[q + 17] << 16) | (b[q + 18] << 8) | b[q + 19]) >>> 0;
	for (let i = 0; i < list.length; i++) {
		if (raw_v4_match(list[i], raddr, laddr, skb.dev!.ifindex)) raw_err(list[i], skb, info);
	}
}

function raw_err(sk: sock, skb: sk_buff, info: number): void {
	const inet = inet_sk(sk);
	const type = skb.head[skb.transport_header];
	const code = skb.head[skb.transport_header + 1];
	if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) ipv4_sk_update_pmtu(skb, sk, info);
	else if (type === ICMP_REDIRECT) {
		ipv4_sk_redirect(skb, sk);
		return;
	}
	// An unconnected socket that did not ask cannot tell which of its packets failed.
	if (!inet.recverr && sk.sk_state !== TCP_ESTABLISHED) return;
	let err = EHOSTUNREACH;
	let hard = false;
	if (type === ICMP_SOURCE_QUENCH) return;
	if (type === ICMP_PARAMETERPROB) {
		err = EPROTO;
		hard = true;
	} else if (type === ICMP_DEST_UNREACH && code <= NR_ICMP_UNREACH) {
		if (code === ICMP_FRAG_NEEDED) {
			hard = inet.pmtudisc !== IP_PMTUDISC_DONT;
			err = EMSGSIZE;
		} else {
			err = icmp_err_convert_errno[code];
			hard = icmp_err_convert_fatal[code];
		}
	}
	if (inet.recverr)
		ip_icmp_error(sk, skb, err, 0, info, inet.hdrincl ? skb.data : skb.data + ((skb.head[skb.data] & 15) << 2));
	if (inet.recverr || hard) {
		sk.sk_err = err;
		sk.sk_error_report(sk);
	}
}

/** Sends a packet whose header the process wrote; what it left out is filled in (man 7 raw: IP_HDRINCL). */
function raw_send_hdrinc(sk: sock, fl4: flowi4, data: Uint8Array, rt: rtable, ipc: ipcm_cookie): number {
	const n = sk.net;
	const length = data.length;
	if (length > rt.dev.mtu) {
		ip_local_error(sk, EMSGSIZE, fl4.daddr, inet_sk(sk).inet_dport, rt.dev.mtu);
		return -EMSGSIZE;
	}
	if (length < 20) return -EINVAL;
	const iphlen = (data[0] & 15) << 2;
	const busy = sock_send_error(sk);
	if (busy < 0) {
		IP_INC_STATS(n, IPSTATS_MIB_OUTDISCARDS);
		return busy;
	}
	const room = (rt.dev.hard_header_len + 31) & ~15;
	const skb = alloc_skb(n.machine, length + room);
	skb_reserve(skb, room);
	skb_set_owner_w(skb, sk);
	skb.priority = ipc.priority;
	skb.mark = ipc.mark;
	skb._skb_refdst = rt;
	skb.dev = null;
	skb.protocol = 0x0800;
	skb_put(skb, length);
	skb_reset_network_header(skb);
	skb.transport_header = skb.network_header;
	skb.head.set(data, skb.data);
	if (iphlen > length) {
		IP_INC_STATS(n, IPSTATS_MIB_OUTDISCARDS);
		kfree_skb(skb, 'raw_send_hdrinc');
		return -EINVAL;
	}
	if (iphlen >= 20) {
		const b = skb.head;
		const h = skb.network_header;
		if (ip_hdr_saddr(skb) === 0) ip_hdr_set_saddr(skb, fl4.saddr);
		b[h + 10] = 0;
		b[h + 11] = 0;
		ip_hdr_set_tot_len(skb, length);
		if (b[h + 4] === 0 && b[h + 5] === 0) ip_select_ident(n, skb, null);
		const check = ip_fast_csum(b, h, iphlen >> 2);
		b[h + 10] = check >>> 8;
		b[h + 11] = check;
		skb.transport_header += iphlen;
		if (b[h + 9] === IPPROTO_ICMP && length >= iphlen + 8) icmp_out_count(n, b[skb.transport_header]);
	}
	if (skb.journey !== null) trace_output_route(skb, 'raw_send_hdrinc');
	let err = NF_HOOK(NFPROTO_IPV4, NF_INET_LOCAL_OUT, n, sk, skb, null, rt.dev, dst_output);
	if (err > 0) err = err === 2 ? 0 : -ENOBUFS;
	if (err < 0) {
		IP_INC_STATS(n, IPSTATS_MIB_OUTDISCARDS);
		if (err === -ENOBUFS && !inet_sk(sk).recverr) err = 0;
	}
	return err;
}

/** The scope a socket's packets are routed with: link only when asked not to route. */
export function ip_sendmsg_scope(sk: sock, ipc: ipcm_cookie, flags: number): number {
	const local = sock_flag(sk, SOCK_LOCALROUTE) || (flags & MSG_DONTROUTE) !== 0;
	return local || (ipc.opt !== null && ipc.opt.is_strictroute) ? RT_SCOPE_LINK : 0;
}

/** Flow flags of a socket's packets. */
export function inet_sk_flowi_flags(sk: sock): number {
	return sk.inet!.hdrincl || sk.inet!.transparent ? FLOWI_FLAG_ANYSRC : 0;
}

function raw_sendmsg(sk: sock, msg: msghdr, flags: number): number {
	const inet = inet_sk(sk);
	const data = msg.msg_iov;
	if (data.length > 0xffff) return -EMSGSIZE;
	if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
	let daddr: number;
	if (msg.msg_name !== null) {
		if (msg.msg_name.sa_family !== AF_INET && msg.msg_name.sa_family !== 0) return -EAFNOSUPPORT;
		daddr = msg.msg_name.sin_addr;
	} else {
		if (sk.sk_state !== TCP_ESTABLISHED) return -EDESTADDRREQ;
		daddr = inet.inet_daddr;
	}
	const ipc = new ipcm_cookie();
	ipcm_init_sk(ipc, inet, sk);
	if (inet.hdrincl) ipc.protocol = IPPROTO_RAW;
	if (msg.msg_control.length > 0) {
		const err = ip_cmsg_send(sk, msg, ipc);
		if (err < 0) return err;
	}
	let saddr = ipc.addr;
	ipc.addr = daddr;
	if (ipc.opt === null) ipc.opt = inet.inet_opt;
	if (ipc.opt !== null) {
		// Options and a header of the process's own exclude each other.
		if (inet.hdrincl) return -EINVAL;
		if (ipc.opt.srr !== 0) {
			if (daddr === 0) return -EINVAL;
			daddr = ipc.opt.faddr;
		}
	}
	if (ipv4_is_multicast(daddr)) {
		if (ipc.oif === 0) ipc.oif = inet.mc_index;
		if (saddr === 0) saddr = inet.mc_addr;
	} else if (ipc.oif === 0) ipc.oif = inet.uc_index;
	const tos = ipc.tos !== -1 ? ipc.tos : inet.tos;
	const fl4 = new flowi4();
	flowi4_init_output(
		fl4,
		ipc.oif,
		ipc.mark,
		tos & 0xfc,
		ip_sendmsg_scope(sk, ipc, flags),
		inet.hdrincl ? ipc.protocol : sk.sk_protocol,
		inet_sk_flowi_flags(sk) | (inet.hdrincl ? FLOWI_FLAG_KNOWN_NH : 0),
		daddr,
		saddr,
		0,
		0,
		sk.sk_uid,
	);
	if (!inet.hdrincl && sk.sk_protocol === IPPROTO_ICMP && data.length >= 2) {
		fl4.fl4_icmp_type = data[0];
		fl4.fl4_icmp_code = data[1];
	}
	const rt = ip_route_output_flow(sk.net, fl4, sk);
	if (typeof rt === 'number') return rt;
	if ((rt.rt_flags & RTCF_BROADCAST) !== 0 && !sock_flag(sk, SOCK_BROADCAST)) return -EACCES;
	if (inet.hdrincl) {
		const err = raw_send_hdrinc(sk, fl4, data, rt, ipc);
		return err < 0 ? err : data.length;
	}
	if (ipc.addr === 0) ipc.addr = fl4.daddr;
	let err = ip_append_data(sk, fl4, data, 0, ipc, rt, true);
	if (err < 0) ip_flush_pending_frames(sk);
	else if ((flags & MSG_MORE) === 0) {
		err = ip_push_pending_frames(sk, fl4);
		if (err === -ENOBUFS && !inet.recverr) err = 0;
	}
	return err < 0 ? err : data.length;
}

function raw_recvmsg(sk: sock, msg: msghdr, flags: number): number {
	if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
	if ((flags & MSG_ERRQUEUE) !== 0) return ip_recv_error(sk, msg);
	const skb = skb_recv_datagram(sk, flags);
	if (typeof skb === 'number') return skb;
	const len = skb.len;
	let copied = len;
	if (msg.msg_iov.length < copied) {
		msg.msg_flags |= MSG_TRUNC;
		copied = msg.msg_iov.length;
	}
	skb_copy_datagram_msg(skb, 0, msg, copied);
	sock_recv_cmsgs(msg, sk, skb);
	msg.msg_name = sockaddr_in(ip_hdr_saddr(skb), 0);
	if (inet_sk(sk).cmsg_flags !== 0) ip_cmsg_recv(msg, skb, sk);
	skb_free_datagram(sk, skb);
	return (flags & MSG_TRUNC) !== 0 ? len : copied;
}

function raw_bind(sk: sock, addr: sockaddr): number {
	const inet = inet_sk(sk);
	if (addr.sa_family !== AF_INET) return -EAFNOSUPPORT;
	if (sk.sk_state !== TCP_CLOSE) return -EINVAL;
	const type = inet_addr_type(sk.net, addr.sin_addr);
	if (!inet_addr_valid_or_nonlocal(sk.net, inet, addr.sin_addr, type)) return -EADDRNOTAVAIL;
	inet.inet_rcv_saddr = addr.sin_addr;
	inet.inet_saddr = type === RTN_MULTICAST || type === RTN_BROADCAST ? 0 : addr.sin_addr;
	sk.sk_dst_cache = null;
	return 0;
}

function raw_sk_init(sk: sock): number {
	sk.priv = new raw_sock();
	return 0;
}

function raw_close(sk: sock): void {
	ip_ra_release(sk);
	ip_mc_drop_socket(sk);
	raw_unhash_sk(sk);
	ip_flush_pending_frames(sk);
	__skb_queue_purge(sk.sk_receive_queue, 104, 'inet_sock_destruct');
	__skb_queue_purge(sk.sk_error_queue, 104, 'inet_sock_destruct');
}

function raw_setsockopt(sk: sock, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_RAW) return ip_setsockopt(sk, level, optname, optval);
	if (optname !== ICMP_FILTER) return -ENOPROTOOPT;
	if (inet_sk(sk).inet_num !== IPPROTO_ICMP) return -EOPNOTSUPP;
	const v = new Uint8Array(4);
	v.set(optval.subarray(0, 4));
	(sk.priv as raw_sock).filter = get_unaligned_le32(v, 0);
	return 0;
}

function raw_getsockopt(sk: sock, level: number, optname: number, optval: Uint8Array): number {
	if (level !== SOL_RAW) return ip_getsockopt(sk, level, optname, optval);
	if (optname !== ICMP_FILTER) return -ENOPROTOOPT;
	if (inet_sk(sk).inet_num !== IPPROTO_ICMP) return -EOPNOTSUPP;
	const v = new Uint8Array(4);
	put_unaligned_le32(v, 0, (sk.priv as raw_sock).filter);
	const len = Math.min(4, optval.length);
	optval.set(v.subarray(0, len));
	return len;
}

export const raw_prot: proto = {
	name: 'RAW',
	init: raw_sk_init,
	close: raw_close,
	connect: ip4_datagram_connect,
	disconnect: __udp_disconnect_raw,
	bind: raw_bind,
	ioctl: datagram_ioctl,
	setsockopt: raw_setsockopt,
	getsockopt: raw_getsockopt,
	sendmsg: raw_sendmsg,
	recvmsg: raw_recvmsg,
	hash: raw_hash_sk,
	unhash: raw_unhash_sk,
	get_port: null,
	backlog_rcv: null,
	poll: null,
};

/** A raw socket forgets its peer but keeps its protocol. */
function __udp_disconnect_raw(sk: sock): number {
	const locks = sk.sk_userlocks;
	sk.sk_userlocks |= 8;
	const err = __udp_disconnect(sk);
	sk.sk_userlocks = locks;
	return err;
}

function raw_net_init(n: net): number {
	n.ipv4.raw_hash = new raw_hashinfo();
	return 0;
}

function raw_net_exit(_n: net): void {}

export function raw_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'raw', init: raw_net_init, exit: raw_net_exit });
	inet_register_protosw(machine, {
		type: SOCK_RAW,
		protocol: IPPROTO_IP,
		prot: raw_prot,
		ops: inet_sockraw_ops,
		reuse: true,
		autobind: false,
	});
}
