/*
 * net/ipv4/ping.ts: ICMP echo sockets that need no privilege.      Linux: net/ipv4/ping.c       man 7 icmp: net.ipv4.ping_group_range
 * The socket's local "port" is the ICMP identifier; the kernel writes it and the checksum.
 */

import type { Machine } from '../../kernel/machine.ts';
import { trace_event } from '../../kernel/trace.ts';
import { csum_fold, csum_partial } from '../../lib/checksum.ts';
import {
	EACCES,
	EADDRINUSE,
	EADDRNOTAVAIL,
	EAFNOSUPPORT,
	EDESTADDRREQ,
	EHOSTUNREACH,
	EINVAL,
	EMSGSIZE,
	ENETUNREACH,
	EOPNOTSUPP,
	EPROTO,
} from '../../uapi/asm-generic/errno.ts';
import {
	ICMP_DEST_UNREACH,
	ICMP_ECHO,
	ICMP_FRAG_NEEDED,
	ICMP_PARAMETERPROB,
	ICMP_REDIRECT,
	ICMP_SOURCE_QUENCH,
} from '../../uapi/linux/icmp.ts';
import { RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST } from '../../uapi/linux/rtnetlink.ts';
import { IPSTATS_MIB_OUTNOROUTES } from '../../uapi/linux/snmp.ts';
import {
	AF_INET,
	AF_UNSPEC,
	IP_PMTUDISC_DONT,
	IPPROTO_ICMP,
	MSG_ERRQUEUE,
	MSG_OOB,
	MSG_TRUNC,
	type msghdr,
	SOCK_DGRAM,
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
import { SKB_DROP_REASON_NO_SOCKET, SKB_NOT_DROPPED_YET } from '../core/dropreason.ts';
import { flowi4, flowi4_init_output } from '../core/flow.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import { kfree_skb_reason, type sk_buff, skb_clone } from '../core/skbuff.ts';
import { __skb_queue_purge } from '../core/skbuff_queue.ts';
import { IP_INC_STATS } from '../core/snmp.ts';
import {
	type proto,
	SOCK_BROADCAST,
	type sock,
	sock_flag,
	sock_queue_rcv_skb_reason,
	TCP_CLOSE,
	TCP_ESTABLISHED,
} from '../core/sock.ts';
import {
	__udp_disconnect,
	inet_addr_valid_or_nonlocal,
	inet_dgram_ops,
	inet_register_protosw,
	inet_sk,
} from './af_inet.ts';
import {
	icmp_err_convert_errno,
	icmp_err_convert_fatal,
	ip_icmp_error,
	ip_recv_error,
	ip4_datagram_connect,
} from './datagram.ts';
import { inet_addr_type } from './fib_frontend.ts';
import { ip_mc_drop_socket } from './igmp.ts';
import { ip_hdr_daddr, ip_hdr_saddr, ipv4_is_multicast } from './ip.ts';
import {
	inet_cork_of,
	ip_append_data,
	ip_flush_pending_frames,
	ip_push_pending_frames,
	ipcm_cookie,
	ipcm_init_sk,
} from './ip_append.ts';
import {
	inet_iif,
	ip_cmsg_recv,
	ip_cmsg_send,
	ip_getsockopt,
	ip_setsockopt,
	ipv4_pktinfo_prepare,
} from './ip_sockglue.ts';
import { inet_sk_flowi_flags, ip_sendmsg_scope } from './raw.ts';
import { ip_route_output_flow, ipv4_sk_redirect, ipv4_sk_update_pmtu, RTCF_BROADCAST } from './route.ts';

const NR_ICMP_UNREACH = 15;

/** Ping sockets of a namespace by identifier. */
export class ping_table {
	hash: Map<number, sock[]> = new Map();
	rover = 0;
}

function ping_get_port(sk: sock, ident: number): number {
	const t = sk.net.ipv4.ping_table;
	if (ident === 0) {
		for (let i = 0; i < 65536; i++) {
			t.rover = (t.rover + 1) & 0xffff;
			if (t.rover !== 0 && !t.hash.has(t.rover)) {
				ident = t.rover;
				break;
			}
		}
		if (ident === 0) return -EADDRINUSE;
	} else {
		for (const sk2 of t.hash.get(ident) ?? []) {
			// A second socket on an identifier needs SO_REUSEADDR on both.
			if (sk2 !== sk && (sk2.sk_reuse === 0 || sk.sk_reuse === 0)) return -EADDRINUSE;
		}
	}
	inet_sk(sk).inet_num = ident;
	t.hash.set(ident, [sk, ...(t.hash.get(ident) ?? []).filter((s) => s !== sk)]);
	return 0;
}

function ping_unhash(sk: sock): void {
	const t = sk.net.ipv4.ping_table;
	const ident = inet_sk(sk).inet_num;
	const rest = (t.hash.get(ident) ?? []).filter((s) => s !== sk);
	if (rest.length > 0) t.hash.set(ident, rest);
	else t.hash.delete(ident);
	inet_sk(sk).inet_num = 0;
	inet_sk(sk).inet_sport = 0;
}

function ping_lookup(n: net, local: number, ident: number, dif: number): sock | null {
	for (const sk of n.ipv4.ping_table.hash.get(ident) ?? []) {
		const inet = inet_sk(sk);
		if (inet.inet_rcv_saddr !== 0 && inet.inet_rcv_saddr !== local) continue;
		if (sk.sk_bound_dev_if !== 0 && sk.sk_bound_dev_if !== dif) continue;
		return sk;
	}
	return null;
}

/** Only the groups of net.ipv4.ping_group_range may have one. */
function ping_init_sock(sk: sock): number {
	const [lo, hi] = sk.net.ipv4.ping_group_range;
	const gid = sk.sk_socket?.task?.gid ?? 0;
	return gid >= lo && gid <= hi ? 0 : -EACCES;
}

function ping_close(sk: sock): void {
	ip_mc_drop_socket(sk);
	ping_unhash(sk);
	__skb_queue_purge(sk.sk_receive_queue, 104, 'inet_sock_destruct');
	__skb_queue_purge(sk.sk_error_queue, 104, 'inet_sock_destruct');
}

function ping_bind(sk: sock, addr: sockaddr): number {
	const inet = inet_sk(sk);
	if (addr.sa_family !== AF_INET && !(addr.sa_family === AF_UNSPEC && addr.sin_addr === 0)) return -EAFNOSUPPORT;
	if (addr.sin_addr !== 0) {
		const type = inet_addr_type(sk.net, addr.sin_addr);
		if (type === RTN_MULTICAST || type === RTN_BROADCAST) return -EADDRNOTAVAIL;
		if (type !== RTN_LOCAL && !inet_addr_valid_or_nonlocal(sk.net, inet, addr.sin_addr, type)) return -EADDRNOTAVAIL;
	}
	if (inet.inet_num !== 0 || sk.sk_state !== TCP_CLOSE) return -EINVAL;
	inet.inet_rcv_saddr = addr.sin_addr;
	inet.inet_saddr = addr.sin_addr;
	const err = ping_get_port(sk, addr.sin_port);
	if (err < 0) {
		inet.inet_rcv_saddr = 0;
		inet.inet_saddr = 0;
		return err;
	}
	inet.inet_sport = inet.inet_num;
	inet.inet_daddr = 0;
	inet.inet_dport = 0;
	return 0;
}

/** An echo reply came: for which socket? Borrows skb (data behind the ICMP header). Return: a drop reason. */
export function ping_rcv(skb: sk_buff): number {
	const h = skb.transport_header;
	const ident = (skb.head[h + 4] << 8) | skb.head[h + 5];
	const n = skb.dev!.net;
	const sk = ping_lookup(n, ip_hdr_daddr(skb), ident, inet_iif(skb));
	if (sk === null) {
		if (skb.journey !== null) trace_event(skb, 'socket', 'ping_rcv', { found: false, id: ident });
		return SKB_DROP_REASON_NO_SOCKET;
	}
	const copy = skb_clone(skb);
	copy.len += copy.data - copy.transport_header;
	copy.data = copy.transport_header;
	ipv4_pktinfo_prepare(sk, copy);
	const reason = sock_queue_rcv_skb_reason(sk, copy);
	if (reason !== SKB_NOT_DROPPED_YET) kfree_skb_reason(copy, reason, '__ping_queue_rcv_skb');
	return SKB_NOT_DROPPED_YET;
}

/** An ICMP error came about an echo of ours. Borrows skb; the quoted ICMP header is `offset` behind its data. */
export function ping_err(skb: sk_buff, offset: number, info: number): void {
	const b = skb.head;
	const q = skb.data;
	const i = q + offset;
	// Only echo requests are ours.
	if (b[i] !== ICMP_ECHO) return;
	const type = b[skb.transport_header];
	const code = b[skb.transport_header + 1];
	const ident = (b[i + 4] << 8) | b[i + 5];
	const local = ((b[q + 12] << 24) | (b[q + 13] << 16) | (b[q + 14] << 8) | b[q + 15]) >>> 0;
	const sk = ping_lookup(skb.dev!.net, local, ident, skb.dev!.ifindex);
	if (sk === null) return;
	const inet = inet_sk(sk);
	let err = EHOSTUNREACH;
	let hard = false;
	switch (type) {
		case ICMP_SOURCE_QUENCH:
			return;
		case ICMP_PARAMETERPROB:
			err = EPROTO;
			hard = true;
			break;
		case ICMP_DEST_UNREACH:
			if (code === ICMP_FRAG_NEEDED) {
				ipv4_sk_update_pmtu(skb, sk, info);
				if (inet.pmtudisc === IP_PMTUDISC_DONT) return;
				err = EMSGSIZE;
				hard = true;
			} else if (code <= NR_ICMP_UNREACH) {
				err = icmp_err_convert_errno[code];
				hard = icmp_err_convert_fatal[code];
			}
			break;
		case ICMP_REDIRECT:
			ipv4_sk_redirect(skb, sk);
			err = 121; // EREMOTEIO
			break;
		default:
			break;
	}
	if (!inet.recverr) {
		if (!hard || sk.sk_state !== TCP_ESTABLISHED) return;
	} else ip_icmp_error(sk, skb, err, 0, info, i);
	sk.sk_err = err;
	sk.sk_error_report(sk);
}

function ping_sendmsg(sk: sock, msg: msghdr, flags: number): number {
	const data = msg.msg_iov;
	const inet = inet_sk(sk);
	if (data.length > 0xffff) return -EMSGSIZE;
	if (data.length < 8) return -EINVAL;
	if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
	if (data[0] !== ICMP_ECHO || data[1] !== 0) return -EINVAL;
	let daddr: number;
	if (msg.msg_name !== null) {
		if (msg.msg_name.sa_family !== AF_INET) return -EAFNOSUPPORT;
		daddr = msg.msg_name.sin_addr;
	} else {
		if (sk.sk_state !== TCP_ESTABLISHED) return -EDESTADDRREQ;
		daddr = inet.inet_daddr;
	}
	const ipc = new ipcm_cookie();
	ipcm_init_sk(ipc, inet, sk);
	if (msg.msg_control.length > 0) {
		const err = ip_cmsg_send(sk, msg, ipc);
		if (err < 0) return err;
	}
	if (ipc.opt === null) ipc.opt = inet.inet_opt;
	let saddr = ipc.addr;
	ipc.addr = daddr;
	let faddr = daddr;
	if (ipc.opt !== null && ipc.opt.srr !== 0) {
		if (daddr === 0) return -EINVAL;
		faddr = ipc.opt.faddr;
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
		sk.sk_protocol,
		inet_sk_flowi_flags(sk),
		faddr,
		saddr,
		0,
		0,
		sk.sk_uid,
	);
	fl4.fl4_icmp_type = data[0];
	fl4.fl4_icmp_code = data[1];
	const rt = ip_route_output_flow(sk.net, fl4, sk);
	if (typeof rt === 'number') {
		if (rt === -ENETUNREACH) IP_INC_STATS(sk.net, IPSTATS_MIB_OUTNOROUTES);
		return rt;
	}
	if ((rt.rt_flags & RTCF_BROADCAST) !== 0 && !sock_flag(sk, SOCK_BROADCAST)) return -EACCES;
	if (ipc.addr === 0) ipc.addr = fl4.daddr;
	const err = ip_append_data(sk, fl4, data, 0, ipc, rt);
	if (err < 0) {
		ip_flush_pending_frames(sk);
		return err;
	}
	const skb = inet_cork_of(sk).skb!;
	const b = skb.head;
	const h = skb.data;
	b[h + 4] = inet.inet_sport >>> 8;
	b[h + 5] = inet.inet_sport;
	b[h + 2] = 0;
	b[h + 3] = 0;
	const check = csum_fold(csum_partial(b, h, skb.len, 0));
	b[h + 2] = check >>> 8;
	b[h + 3] = check;
	const sent = ip_push_pending_frames(sk, fl4);
	return sent < 0 ? sent : data.length;
}

function ping_recvmsg(sk: sock, msg: msghdr, flags: number): number {
	if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
	if ((flags & MSG_ERRQUEUE) !== 0) return ip_recv_error(sk, msg);
	const skb = skb_recv_datagram(sk, flags);
	if (typeof skb === 'number') return skb;
	const len = skb.len;
	const copied = Math.min(len, msg.msg_iov.length);
	if (copied < len) msg.msg_flags |= MSG_TRUNC;
	skb_copy_datagram_msg(skb, 0, msg, copied);
	sock_recv_cmsgs(msg, sk, skb);
	msg.msg_name = sockaddr_in(ip_hdr_saddr(skb), 0);
	if (inet_sk(sk).cmsg_flags !== 0) ip_cmsg_recv(msg, skb, sk);
	skb_free_datagram(sk, skb);
	return (flags & MSG_TRUNC) !== 0 ? len : copied;
}

function ping_disconnect(sk: sock, _flags: number): number {
	return __udp_disconnect(sk);
}

export const ping_prot: proto = {
	name: 'PING',
	init: ping_init_sock,
	close: ping_close,
	connect: ip4_datagram_connect,
	disconnect: ping_disconnect,
	bind: ping_bind,
	ioctl: datagram_ioctl,
	setsockopt: ip_setsockopt,
	getsockopt: ip_getsockopt,
	sendmsg: ping_sendmsg,
	recvmsg: ping_recvmsg,
	hash: null,
	unhash: ping_unhash,
	get_port: ping_get_port,
	backlog_rcv: null,
	poll: null,
};

function ping_net_init(n: net): number {
	n.ipv4.ping_table = new ping_table();
	n.ipv4.ping_table.rover = n.machine.random.below(65536);
	return 0;
}

function ping_net_exit(_n: net): void {}

export function ping_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'ping', init: ping_net_init, exit: ping_net_exit });
	inet_register_protosw(machine, {
		type: SOCK_DGRAM,
		protocol: IPPROTO_ICMP,
		prot: ping_prot,
		ops: inet_dgram_ops,
		reuse: true,
		autobind: true,
	});
}
