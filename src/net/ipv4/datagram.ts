/*
 * net/ipv4/datagram.ts: connected datagram sockets, and the error queue.      Linux: net/ipv4/datagram.c, parts of net/ipv4/ip_sockglue.c
 *
 * Walk: ip4_datagram_connect routes and remembers; ip_icmp_error and ip_local_error queue a struct sock_extended_err,
 *       ip_recv_error (MSG_ERRQUEUE) gives it to the process.       man 7 ip: IP_RECVERR
 */

import { put_unaligned_be16, put_unaligned_be32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	EACCES,
	EAFNOSUPPORT,
	EAGAIN,
	ECONNREFUSED,
	EHOSTDOWN,
	EHOSTUNREACH,
	EMSGSIZE,
	ENETUNREACH,
	ENONET,
	ENOPROTOOPT,
	EOPNOTSUPP,
} from '../../uapi/asm-generic/errno.ts';
import { SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_ZEROCOPY } from '../../uapi/linux/errqueue.ts';
import { RT_SCOPE_LINK } from '../../uapi/linux/rtnetlink.ts';
import { IPSTATS_MIB_OUTNOROUTES } from '../../uapi/linux/snmp.ts';
import {
	AF_INET,
	IP_RECVERR,
	MSG_ERRQUEUE,
	MSG_TRUNC,
	type msghdr,
	SOL_IP,
	sockaddr,
} from '../../uapi/linux/socket.ts';
import { put_cmsg, skb_copy_datagram_msg, sock_recv_cmsgs } from '../core/datagram.ts';
import { sock_exterr } from '../core/errqueue.ts';
import { flowi4, flowi4_init_output } from '../core/flow.ts';
import {
	alloc_skb,
	consume_skb,
	kfree_skb,
	type sk_buff,
	skb_clone,
	skb_put,
	skb_reset_network_header,
} from '../core/skbuff.ts';
import { __skb_dequeue } from '../core/skbuff_queue.ts';
import { IP_INC_STATS } from '../core/snmp.ts';
import {
	SOCK_BROADCAST,
	SOCK_LOCALROUTE,
	type sock,
	sock_flag,
	sock_queue_err_skb,
	TCP_ESTABLISHED,
} from '../core/sock.ts';
import { inet_sk } from './af_inet.ts';
import { ip_hdr_saddr, ip_hdr_set_daddr, ipv4_is_multicast } from './ip.ts';
import { ip_cmsg_recv } from './ip_sockglue.ts';
import { ip_route_output_flow, RTCF_BROADCAST } from './route.ts';

/** Errno, and whether it is hard, by the code of a Destination Unreachable (RFC 1122 4.2.3.9). */
export const icmp_err_convert_errno: readonly number[] = [
	ENETUNREACH,
	EHOSTUNREACH,
	ENOPROTOOPT,
	ECONNREFUSED,
	EMSGSIZE,
	EOPNOTSUPP,
	ENETUNREACH,
	EHOSTDOWN,
	ENONET,
	ENETUNREACH,
	EHOSTUNREACH,
	ENETUNREACH,
	EHOSTUNREACH,
	EHOSTUNREACH,
	EHOSTUNREACH,
	EHOSTUNREACH,
];
export const icmp_err_convert_fatal: readonly boolean[] = [
	false,
	false,
	true,
	true,
	false,
	false,
	true,
	true,
	true,
	true,
	true,
	false,
	false,
	true,
	true,
	true,
];

/** Connects: routes once, takes source address and peer. Return: 0 or -errno. */
export function ip4_datagram_connect(sk: sock, addr: sockaddr, _flags: number): number {
	if (addr.sa_family !== AF_INET) return -EAFNOSUPPORT;
	const inet = inet_sk(sk);
	sk.sk_dst_cache = null;
	let oif = sk.sk_bound_dev_if;
	let saddr = inet.inet_saddr;
	if (ipv4_is_multicast(addr.sin_addr)) {
		if (oif === 0) oif = inet.mc_index;
		if (saddr === 0) saddr = inet.mc_addr;
	} else if (oif === 0) oif = inet.uc_index;
	const fl4 = new flowi4();
	flowi4_init_output(
		fl4,
		oif,
		sk.sk_mark,
		inet.tos & 0xfc,
		sock_flag(sk, SOCK_LOCALROUTE) ? RT_SCOPE_LINK : 0,
		sk.sk_protocol,
		0,
		addr.sin_addr,
		saddr,
		addr.sin_port,
		inet.inet_sport,
		sk.sk_uid,
	);
	const rt = ip_route_output_flow(sk.net, fl4, sk);
	if (typeof rt === 'number') {
		if (rt === -ENETUNREACH) IP_INC_STATS(sk.net, IPSTATS_MIB_OUTNOROUTES);
		return rt;
	}
	if ((rt.rt_flags & RTCF_BROADCAST) !== 0 && !sock_flag(sk, SOCK_BROADCAST)) return -EACCES;
	if (inet.inet_saddr === 0) inet.inet_saddr = fl4.saddr;
	if (inet.inet_rcv_saddr === 0) inet.inet_rcv_saddr = fl4.saddr;
	inet.inet_daddr = fl4.daddr;
	inet.inet_dport = addr.sin_port;
	sk.sk_state = TCP_ESTABLISHED;
	inet.inet_id = sk.net.machine.random.below(65536);
	sk.sk_dst_cache = rt;
	return 0;
}

/** Queues an ICMP error for the process. Borrows skb (data at the quoted IP header); `payload`: where in head the quoted data begins. */
export function ip_icmp_error(sk: sock, skb: sk_buff, err: number, port: number, info: number, payload: number): void {
	const s = skb_clone(skb);
	const b = s.head;
	const e = new sock_exterr();
	e.ee_errno = err;
	e.ee_origin = SO_EE_ORIGIN_ICMP;
	e.ee_type = b[s.transport_header];
	e.ee_code = b[s.transport_header + 1];
	e.ee_info = info;
	const q = s.data;
	e.addr = ((b[q + 16] << 24) | (b[q + 17] << 16) | (b[q + 18] << 8) | b[q + 19]) >>> 0;
	e.port = port;
	s.cb = e;
	s.len -= payload - s.data;
	s.data = payload;
	if (s.len < s.data_len || sock_queue_err_skb(sk, s) < 0) kfree_skb(s, 'ip_icmp_error');
}

/** Queues an error that was found here (EMSGSIZE). */
export function ip_local_error(sk: sock, err: number, daddr: number, port: number, info: number): void {
	if (!inet_sk(sk).recverr) return;
	const s = alloc_skb(sk.net.machine, 20);
	skb_put(s, 20);
	skb_reset_network_header(s);
	s.head.fill(0, s.data, s.tail);
	ip_hdr_set_daddr(s, daddr);
	s.transport_header = s.tail;
	s.data = s.tail;
	s.len = 0;
	const e = new sock_exterr();
	e.ee_errno = err;
	e.ee_origin = SO_EE_ORIGIN_LOCAL;
	e.ee_info = info;
	e.addr = daddr;
	e.port = port;
	s.cb = e;
	if (sock_queue_err_skb(sk, s) < 0) kfree_skb(s, 'ip_local_error');
}

/** recvmsg(MSG_ERRQUEUE): the quoted data, the address it was for, and IP_RECVERR's control message. Return: length or -EAGAIN. */
export function ip_recv_error(sk: sock, msg: msghdr): number {
	const skb = __skb_dequeue(sk.sk_error_queue);
	if (skb === null) return -EAGAIN;
	const e = skb.cb as sock_exterr;
	const next = sk.sk_error_queue.first;
	const next_icmp = next !== null && (next.cb as sock_exterr).ee_origin === SO_EE_ORIGIN_ICMP;
	if (next_icmp) sk.sk_err = (next.cb as sock_exterr).ee_errno;
	else if (e.ee_origin === SO_EE_ORIGIN_ICMP) sk.sk_err = 0;

	const copied = Math.min(skb.len, msg.msg_iov.length);
	if (copied < skb.len) msg.msg_flags |= MSG_TRUNC;
	skb_copy_datagram_msg(skb, 0, msg, copied);
	sock_recv_cmsgs(msg, sk, skb);
	if (e.ee_origin !== SO_EE_ORIGIN_ZEROCOPY) {
		const name = new sockaddr(AF_INET);
		name.sin_addr = e.addr;
		name.sin_port = e.port;
		msg.msg_name = name;
	}

	// struct sock_extended_err and the offender's sockaddr_in.
	const data = new Uint8Array(32);
	put_unaligned_le32(data, 0, e.ee_errno);
	data[4] = e.ee_origin;
	data[5] = e.ee_type;
	data[6] = e.ee_code;
	put_unaligned_le32(data, 8, e.ee_info);
	put_unaligned_le32(data, 12, e.ee_data);
	if (e.ee_origin === SO_EE_ORIGIN_ICMP) {
		data[16] = AF_INET;
		put_unaligned_be16(data, 18, 0);
		put_unaligned_be32(data, 20, ip_hdr_saddr(skb));
		if (inet_sk(sk).cmsg_flags !== 0) ip_cmsg_recv(msg, skb, sk);
	}
	put_cmsg(msg, SOL_IP, IP_RECVERR, data);
	msg.msg_flags |= MSG_ERRQUEUE;
	consume_skb(skb);
	return copied;
}
