/*
 * net/ipv4/af_inet.ts: the door of the Internet family.            Linux: net/ipv4/af_inet.c, net/inet_sock.h, net/protocol.h
 * inet_add_protocol says who takes a packet by its protocol number; inet_register_protosw says which sockets there are.
 */
import type { Machine } from '../../kernel/machine.ts';
import {
	EACCES,
	EADDRINUSE,
	EADDRNOTAVAIL,
	EAFNOSUPPORT,
	EAGAIN,
	EINVAL,
	ENOTCONN,
	ENOTTY,
	EOPNOTSUPP,
	EPROTONOSUPPORT,
	ESOCKTNOSUPPORT,
} from '../../uapi/asm-generic/errno.ts';
import { RT_TABLE_LOCAL, RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST } from '../../uapi/linux/rtnetlink.ts';
import {
	AF_INET,
	AF_UNSPEC,
	INADDR_ANY,
	IP_PMTUDISC_DONT,
	IP_PMTUDISC_WANT,
	IPPROTO_ICMP,
	IPPROTO_IP,
	IPPROTO_RAW,
	type msghdr,
	POLLERR,
	POLLHUP,
	POLLIN,
	POLLOUT,
	SHUT_RD,
	SHUT_RDWR,
	SHUT_WR,
	SOCK_RAW,
	SOCK_STREAM,
	type sockaddr,
} from '../../uapi/linux/socket.ts';
import {
	SIOCADDRT,
	SIOCDARP,
	SIOCDELRT,
	SIOCGARP,
	SIOCGIFADDR,
	SIOCGIFBRDADDR,
	SIOCGIFDSTADDR,
	SIOCGIFNETMASK,
	SIOCGIFPFLAGS,
	SIOCSARP,
	SIOCSIFADDR,
	SIOCSIFBRDADDR,
	SIOCSIFDSTADDR,
	SIOCSIFFLAGS,
	SIOCSIFNETMASK,
} from '../../uapi/linux/sockios.ts';
import { dev_ioctl } from '../core/dev_ioctl.ts';
import type { net } from '../core/net_namespace.ts';
import type { sk_buff } from '../core/skbuff.ts';
import {
	type proto,
	RCV_SHUTDOWN,
	SHUTDOWN_MASK,
	SOCK_DEAD,
	sk_alloc,
	type sock,
	sock_init_data,
	sock_set_flag,
	sock_writeable,
	TCP_CLOSE,
	TCP_LISTEN,
	TCP_SYN_RECV,
	TCP_SYN_SENT,
} from '../core/sock.ts';
import {
	type proto_ops,
	SS_CONNECTED,
	SS_CONNECTING,
	SS_DISCONNECTING,
	SS_UNCONNECTED,
	sock_register,
	type socket,
} from '../socket.ts';

export {
	__inet_stream_connect,
	inet_accept,
	inet_listen,
	inet_stream_connect,
	inet_stream_ops,
} from './af_inet_stream.ts';

import { arp_ioctl } from './arp.ts';
import { devinet_ioctl } from './devinet.ts';
import { inet_addr_type_table, ip_rt_ioctl, l3mdev_fib_table_by_index } from './fib_frontend.ts';
import type { ip_mc_socklist } from './igmp.ts';
import type { ip_options } from './ip_options.ts';
import type { tcp_out_global } from './tcp_output_xmit.ts';

/** Who takes packets of one IP protocol number. */
export interface net_protocol {
	name: string;
	/** Consumes skb. Return: 0, or a positive protocol number to resubmit it as. */
	handler: (skb: sk_buff) => number;
	/** An ICMP error came about a packet of ours; borrows skb (at the quoted header). `info`: the MTU or pointer. */
	err_handler: ((skb: sk_buff, info: number) => number) | null;
	/** Takes a packet's route from its socket before routing; null when it does not. Borrows skb. */
	early_demux: ((skb: sk_buff) => number) | null;
	no_policy: boolean;
	/** An ICMP error must carry the whole tag to be believed. */
	icmp_strict_tag_validation: boolean;
}

/** One kind of Internet socket. */
export interface inet_protosw {
	type: number;
	protocol: number;
	prot: proto;
	ops: proto_ops;
	/** The protocol number may be any. */
	reuse: boolean;
	/** Ports are bound on first use. */
	autobind: boolean;
}

export class inet_global {
	inet_protos: (net_protocol | null)[] = new Array(256).fill(null);
	inetsw: inet_protosw[] = [];
	/** What TCP's output keeps (tcp_output_xmit). */
	tcp_out!: tcp_out_global;
	/** Some socket asked for UDP_GRO once. */
	udp_encap_needed = false;
}

/** The Internet part of a sock. Addresses and ports in host order. */
export class inet_sock {
	inet_daddr = 0;
	inet_rcv_saddr = 0;
	inet_saddr = 0;
	inet_dport = 0;
	/** Local port, or a raw socket's protocol. */
	inet_num = 0;
	inet_sport = 0;
	/** -1: the namespace's default. */
	uc_ttl = -1;
	tos = 0;
	inet_opt: ip_options | null = null;
	inet_id = 0;
	mc_ttl = 1;
	mc_loop = true;
	mc_all = true;
	mc_index = 0;
	mc_addr = 0;
	mc_list: ip_mc_socklist[] = [];
	uc_index = 0;
	pmtudisc: number;
	recverr = false;
	recverr_rfc4884 = false;
	hdrincl = false;
	freebind = false;
	transparent = false;
	nodefrag = false;
	bind_address_no_port = false;
	is_icsk = false;
	min_ttl = 0;
	rcv_tos = 0;
	local_port_range_lo = 0;
	local_port_range_hi = 0;
	/** TCP_FASTOPEN_CONNECT: the SYN waits for the first data. */
	defer_connect = false;
	/** IP_CMSG_* that recvmsg gives. */
	cmsg_flags = 0;
	/** Data under way of corked sends (ip_output's). */
	cork: unknown = null;

	constructor(net: net) {
		this.pmtudisc = net.ipv4.sysctl_ip_no_pmtu_disc ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
	}
}

export function inet_sk(sk: sock): inet_sock {
	return sk.inet!;
}

/** Return: 0, or -EAGAIN when the number is taken (as inet_add_protocol's -1). */
export function inet_add_protocol(machine: Machine, prot: net_protocol, protocol: number): number {
	if (machine.inet.inet_protos[protocol] !== null) return -EAGAIN;
	machine.inet.inet_protos[protocol] = prot;
	return 0;
}

export function inet_del_protocol(machine: Machine, prot: net_protocol, protocol: number): number {
	if (machine.inet.inet_protos[protocol] !== prot) return -EAGAIN;
	machine.inet.inet_protos[protocol] = null;
	return 0;
}

export function inet_register_protosw(machine: Machine, p: inet_protosw): void {
	machine.inet.inetsw.push(p);
}

/** First of the room: `af_inet_init`, then the protocols register, then the family's door opens (`inet_init`). */
export function af_inet_init(machine: Machine): void {
	machine.inet = new inet_global();
	sock_register(machine, { family: AF_INET, create: inet_create });
}

/** One more than the last protocol that a socket can name (IPPROTO_MPTCP is 262). */
const IPPROTO_MAX = 263;

function inet_create(net: net, sock: socket, protocol: number): number {
	if (protocol < 0 || protocol >= IPPROTO_MAX) return -EINVAL;
	let found: inet_protosw | null = null;
	let type_known = false;
	for (const p of net.machine.inet.inetsw) {
		if (p.type !== sock.type) continue;
		type_known = true;
		if (p.protocol === protocol && protocol !== IPPROTO_IP) found = p;
		else if (protocol === IPPROTO_IP && p.protocol !== IPPROTO_IP) {
			protocol = p.protocol;
			found = p;
		} else if (p.protocol === IPPROTO_IP && found === null) found = p;
		if (found === p) break;
	}
	if (found === null) return type_known ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
	if (found.type === SOCK_RAW && protocol === IPPROTO_IP) return -EPROTONOSUPPORT;
	const sk = sk_alloc(net, AF_INET, sock.type, protocol, found.prot);
	const inet = new inet_sock(net);
	sk.inet = inet;
	sock.ops = found.ops;
	sock_init_data(sock, sk, sock.task);
	// INET_PROTOSW_REUSE: those without ports.
	if (found.type === SOCK_RAW || found.protocol === IPPROTO_ICMP) sk.sk_reuse = 1;
	if (found.type === SOCK_RAW) {
		inet.inet_num = protocol;
		if (protocol === IPPROTO_RAW) inet.hdrincl = true;
		inet.inet_sport = protocol;
		if (sk.sk_prot.hash !== null) {
			const err = sk.sk_prot.hash(sk);
			if (err < 0) return err;
		}
	}
	return sk.sk_prot.init !== null ? sk.sk_prot.init(sk) : 0;
}

export function inet_release(sock: socket): number {
	const sk = sock.sk;
	if (sk === null) return 0;
	sock.sk = null;
	// A connection goes on without its process: its close says when nobody waits for it any more.
	if (sk.sk_type === SOCK_STREAM) {
		sk.sk_prot.close(sk);
		return 0;
	}
	sk.sk_socket = null;
	sock_set_flag(sk, SOCK_DEAD);
	sk.sk_prot.close(sk);
	return 0;
}

/** Gives an unbound socket a port. Return: 0 or -errno. */
export function inet_autobind(sk: sock): number {
	const inet = inet_sk(sk);
	if (inet.inet_num === 0) {
		if (sk.sk_prot.get_port === null || sk.sk_prot.get_port(sk, 0) !== 0) return -EAGAIN;
		inet.inet_sport = inet.inet_num;
	}
	return 0;
}

/** Whether an address of this kind may be bound to. */
export function inet_addr_valid_or_nonlocal(net: net, inet: inet_sock, addr: number, addr_type: number): boolean {
	return (
		net.ipv4.sysctl_ip_nonlocal_bind !== 0 ||
		inet.freebind ||
		inet.transparent ||
		addr === INADDR_ANY ||
		addr_type === RTN_LOCAL ||
		addr_type === RTN_MULTICAST ||
		addr_type === RTN_BROADCAST
	);
}

export function inet_bind(sock: socket, addr: sockaddr): number {
	const sk = sock.sk!;
	if (sk.sk_prot.bind !== null) return sk.sk_prot.bind(sk, addr);
	return __inet_bind(sk, addr);
}

export function __inet_bind(sk: sock, addr: sockaddr): number {
	const inet = inet_sk(sk);
	const net = sk.net;
	if (addr.sa_family !== AF_INET) {
		// An unspecified family with the wildcard address is taken for AF_INET.
		if (addr.sa_family !== AF_UNSPEC || addr.sin_addr !== INADDR_ANY) return -EAFNOSUPPORT;
	}
	const tb_id = l3mdev_fib_table_by_index(net, sk.sk_bound_dev_if) || RT_TABLE_LOCAL;
	const chk = inet_addr_type_table(net, addr.sin_addr, tb_id);
	if (!inet_addr_valid_or_nonlocal(net, inet, addr.sin_addr, chk)) return -EADDRNOTAVAIL;
	const snum = addr.sin_port;
	if (snum !== 0 && snum < net.ipv4.sysctl_ip_prot_sock && sk.sk_uid !== 0) return -EACCES;
	if (sk.sk_state !== TCP_CLOSE || inet.inet_num !== 0) return -EINVAL;
	inet.inet_rcv_saddr = addr.sin_addr;
	inet.inet_saddr = addr.sin_addr;
	if (chk === RTN_MULTICAST || chk === RTN_BROADCAST) inet.inet_saddr = 0;
	if (snum !== 0 || !inet.bind_address_no_port) {
		if (sk.sk_prot.get_port !== null && sk.sk_prot.get_port(sk, snum) !== 0) {
			inet.inet_saddr = 0;
			inet.inet_rcv_saddr = 0;
			return -EADDRINUSE;
		}
	}
	if (inet.inet_rcv_saddr !== 0) sk.sk_userlocks |= 4;
	if (snum !== 0) sk.sk_userlocks |= 8;
	inet.inet_sport = inet.inet_num;
	inet.inet_daddr = 0;
	inet.inet_dport = 0;
	sk.sk_dst_cache = null;
	return 0;
}

export function inet_dgram_connect(sock: socket, addr: sockaddr, flags: number): number {
	const sk = sock.sk!;
	if (addr.sa_family === AF_UNSPEC)
		return sk.sk_prot.disconnect !== null ? sk.sk_prot.disconnect(sk, flags) : -EOPNOTSUPP;
	if (inet_sk(sk).inet_num === 0) {
		const err = inet_autobind(sk);
		if (err < 0) return err;
	}
	if (sk.sk_prot.connect === null) return -EOPNOTSUPP;
	const err = sk.sk_prot.connect(sk, addr, flags);
	if (err === 0) sock.state = SS_CONNECTED;
	return err;
}

export function inet_getname(sock: socket, addr: sockaddr, peer: boolean): number {
	const sk = sock.sk!;
	const inet = inet_sk(sk);
	addr.sa_family = AF_INET;
	if (peer) {
		if (inet.inet_dport === 0) return -ENOTCONN;
		addr.sin_port = inet.inet_dport;
		addr.sin_addr = inet.inet_daddr;
	} else {
		addr.sin_addr = inet.inet_rcv_saddr !== 0 ? inet.inet_rcv_saddr : inet.inet_saddr;
		addr.sin_port = inet.inet_sport;
	}
	return 0;
}

/** Readiness of a datagram socket. */
export function datagram_poll(sock: socket): number {
	const sk = sock.sk;
	if (sk === null) return POLLHUP;
	let mask = 0;
	if (sk.sk_err !== 0 || sk.sk_error_queue.first !== null) mask |= POLLERR;
	if ((sk.sk_shutdown & RCV_SHUTDOWN) !== 0) mask |= POLLIN;
	if (sk.sk_shutdown === SHUTDOWN_MASK) mask |= POLLHUP;
	if (sk.sk_receive_queue.first !== null) mask |= POLLIN;
	if (sock_writeable(sk)) mask |= POLLOUT;
	if (sk.sk_prot.poll !== null) mask |= sk.sk_prot.poll(sk);
	return mask;
}

export function inet_send_prepare(sk: sock): number {
	const inet = inet_sk(sk);
	if (inet.inet_num === 0 && sk.sk_prot.get_port !== null) return inet_autobind(sk);
	return 0;
}

export function inet_sendmsg(sock: socket, msg: msghdr, flags: number): number {
	const sk = sock.sk!;
	const err = inet_send_prepare(sk);
	if (err < 0) return err;
	return sk.sk_prot.sendmsg === null ? -EOPNOTSUPP : sk.sk_prot.sendmsg(sk, msg, flags);
}

export function inet_recvmsg(sock: socket, msg: msghdr, flags: number): number {
	const sk = sock.sk!;
	return sk.sk_prot.recvmsg === null ? -EOPNOTSUPP : sk.sk_prot.recvmsg(sk, msg, flags);
}

export function inet_shutdown(sock: socket, how: number): number {
	const sk = sock.sk!;
	if (how !== SHUT_RD && how !== SHUT_WR && how !== SHUT_RDWR) return -EINVAL;
	const bits = how + 1;
	if (sock.state === SS_CONNECTING)
		sock.state =
			sk.sk_state === TCP_SYN_SENT || sk.sk_state === TCP_SYN_RECV || sk.sk_state === TCP_CLOSE
				? SS_DISCONNECTING
				: SS_CONNECTED;
	let err = 0;
	if (sk.sk_state === TCP_SYN_SENT || (sk.sk_state === TCP_LISTEN && (bits & RCV_SHUTDOWN) !== 0)) {
		err = sk.sk_prot.disconnect!(sk, 0);
		sock.state = err !== 0 ? SS_DISCONNECTING : SS_UNCONNECTED;
	} else if (sk.sk_state !== TCP_LISTEN) {
		// Not connected: ENOTCONN, but the shutdown is done (as Linux does).
		if (sk.sk_state === TCP_CLOSE) err = -ENOTCONN;
		sk.sk_shutdown |= bits;
		if (sk.sk_prot.shutdown) sk.sk_prot.shutdown(sk, bits);
	}
	sk.sk_state_change(sk);
	return err;
}

export function inet_setsockopt(sock: socket, level: number, optname: number, optval: Uint8Array): number {
	const sk = sock.sk!;
	return sk.sk_prot.setsockopt === null ? -EOPNOTSUPP : sk.sk_prot.setsockopt(sk, level, optname, optval);
}

export function inet_getsockopt(sock: socket, level: number, optname: number, optval: Uint8Array): number {
	const sk = sock.sk!;
	return sk.sk_prot.getsockopt === null ? -EOPNOTSUPP : sk.sk_prot.getsockopt(sk, level, optname, optval);
}

/**
 * ioctl(2). `arg` holds the C struct's bytes. Where the struct holds a pointer (SIOCETHTOOL's ifr_data), what it points to follows the
 * 40 bytes of struct ifreq in the same array.
 */
export function inet_ioctl(sock: socket, cmd: number, arg: Uint8Array): number {
	const sk = sock.sk!;
	const net = sk.net;
	switch (cmd) {
		case SIOCADDRT:
		case SIOCDELRT:
			return ip_rt_ioctl(net, cmd, arg);
		case SIOCDARP:
		case SIOCGARP:
		case SIOCSARP:
			return arp_ioctl(net, cmd, arg);
		case SIOCGIFADDR:
		case SIOCGIFBRDADDR:
		case SIOCGIFNETMASK:
		case SIOCGIFDSTADDR:
		case SIOCGIFPFLAGS:
		case SIOCSIFADDR:
		case SIOCSIFBRDADDR:
		case SIOCSIFNETMASK:
		case SIOCSIFDSTADDR:
		case SIOCSIFFLAGS:
			return devinet_ioctl(net, cmd, arg);
		default: {
			const err = sk.sk_prot.ioctl !== null ? sk.sk_prot.ioctl(sk, cmd, arg) : -ENOTTY;
			return err === -ENOTTY ? dev_ioctl(net, cmd, arg) : err;
		}
	}
}

function no_listen(): number {
	return -EOPNOTSUPP;
}

export const inet_dgram_ops: proto_ops = {
	family: AF_INET,
	release: inet_release,
	bind: inet_bind,
	connect: inet_dgram_connect,
	accept: null,
	getname: inet_getname,
	poll: datagram_poll,
	ioctl: inet_ioctl,
	listen: no_listen,
	shutdown: inet_shutdown,
	setsockopt: inet_setsockopt,
	getsockopt: inet_getsockopt,
	sendmsg: inet_sendmsg,
	recvmsg: inet_recvmsg,
};

/** Raw and ping sockets: as datagram sockets. */
export const inet_sockraw_ops: proto_ops = { ...inet_dgram_ops };

/** A connected datagram socket that is told to forget its peer. */
export function __udp_disconnect(sk: sock): number {
	const inet = inet_sk(sk);
	sk.sk_state = TCP_CLOSE;
	inet.inet_daddr = 0;
	inet.inet_dport = 0;
	if ((sk.sk_userlocks & 4) === 0) {
		inet.inet_rcv_saddr = 0;
		inet.inet_saddr = 0;
	}
	if ((sk.sk_userlocks & 8) === 0) {
		if (sk.sk_prot.unhash !== null) sk.sk_prot.unhash(sk);
		inet.inet_num = 0;
		inet.inet_sport = 0;
	}
	sk.sk_dst_cache = null;
	if (sk.sk_socket !== null) sk.sk_socket.state = SS_UNCONNECTED;
	return 0;
}
