/*
 * net/ipv4/af_inet_stream.ts: connection-oriented Internet sockets as files.      Linux: net/ipv4/af_inet.c (inet_stream_ops)
 * Walk: inet_listen -> inet_accept; inet_stream_connect (asked again after a wake-up) -> inet_sendmsg, inet_recvmsg -> inet_shutdown.
 */
import { EALREADY, ECONNABORTED, EINPROGRESS, EINVAL, EISCONN } from '../../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	AF_UNSPEC,
	MSG_ERRQUEUE,
	type msghdr,
	POLLHUP,
	SOCK_STREAM,
	type sockaddr,
} from '../../uapi/linux/socket.ts';
import {
	lock_sock,
	release_sock,
	SOCK_LINGER,
	type sock,
	sock_error,
	sock_flag,
	sock_graft,
	TCP_CLOSE,
	TCP_LISTEN,
} from '../core/sock.ts';
import {
	type proto_ops,
	SS_CONNECTED,
	SS_CONNECTING,
	SS_DISCONNECTING,
	SS_UNCONNECTED,
	type socket,
} from '../socket.ts';
import {
	inet_bind,
	inet_getname,
	inet_getsockopt,
	inet_ioctl,
	inet_release,
	inet_setsockopt,
	inet_shutdown,
	inet_sk,
} from './af_inet.ts';
import { ip_recv_error } from './datagram.ts';
import { inet_csk_accept, inet_csk_listen_start } from './inet_connection_sock.ts';
import { sk_stream_closing, tcp_close_begin, tcp_poll, tcp_recv_more } from './tcp.ts';
import {
	fastopen_init_queue,
	TFO_SERVER_ENABLE,
	TFO_SERVER_WO_SOCKOPT1,
	tcp_fastopen_init_key_once,
} from './tcp_fastopen.ts';
import { TCPF_SYN_RECV, TCPF_SYN_SENT, tcp_sk } from './tcp_sock.ts';

/** listen(2): the socket takes connections, or its backlog changes. Return: 0 or -errno. */
export function inet_listen(sock: socket, backlog: number): number {
	const sk = sock.sk!;
	lock_sock(sk);
	const err = __inet_listen(sock, sk, backlog);
	release_sock(sk);
	return err;
}

function __inet_listen(sock: socket, sk: sock, backlog: number): number {
	if (sock.state !== SS_UNCONNECTED || sock.type !== SOCK_STREAM) return -EINVAL;
	const old = sk.sk_state;
	if (old !== TCP_CLOSE && old !== TCP_LISTEN) return -EINVAL;
	sk.sk_max_ack_backlog = backlog;
	if (old === TCP_LISTEN) return 0;
	const tfo = sk.net.ipv4.sysctl_tcp_fastopen;
	if (
		(tfo & TFO_SERVER_WO_SOCKOPT1) !== 0 &&
		(tfo & TFO_SERVER_ENABLE) !== 0 &&
		tcp_sk(sk).icsk_accept_queue.fastopenq.max_qlen === 0
	) {
		fastopen_init_queue(sk, backlog);
		tcp_fastopen_init_key_once(sk.net);
	}
	return inet_csk_listen_start(sk);
}

/** accept(2). Return: 0, -EAGAIN while nobody has connected, or -errno. */
export function inet_accept(sock: socket, newsock: socket): number {
	const sk = sock.sk!;
	lock_sock(sk);
	const child = inet_csk_accept(sk);
	release_sock(sk);
	if (typeof child === 'number') return child;
	sock_graft(child, newsock);
	newsock.state = SS_CONNECTED;
	return 0;
}

/** A connection that is being made, or has failed. Return: 0, -EINPROGRESS or -EALREADY while it goes on, or -errno. */
export function __inet_stream_connect(sock: socket, addr: sockaddr | null, flags: number, is_sendmsg: boolean): number {
	const sk = sock.sk!;
	if (addr !== null && addr.sa_family === AF_UNSPEC) {
		const err = sk.sk_prot.disconnect!(sk, flags);
		sock.state = err !== 0 ? SS_DISCONNECTING : SS_UNCONNECTED;
		return err;
	}
	let err: number;
	switch (sock.state) {
		case SS_CONNECTED:
			return -EISCONN;
		case SS_CONNECTING:
			if (inet_sk(sk).defer_connect) err = is_sendmsg ? -EINPROGRESS : -EISCONN;
			else err = -EALREADY;
			break;
		case SS_UNCONNECTED:
			if (sk.sk_state !== TCP_CLOSE) return -EISCONN;
			if (addr === null) return -EINVAL;
			err = sk.sk_prot.connect!(sk, addr, flags);
			if (err < 0) return err;
			sock.state = SS_CONNECTING;
			if (inet_sk(sk).defer_connect) return 0;
			err = -EINPROGRESS;
			break;
		default:
			return -EINVAL;
	}
	if (((1 << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) !== 0) return err;
	if (sk.sk_state === TCP_CLOSE) {
		const failed = sock_error(sk);
		sock.state = SS_UNCONNECTED;
		if (sk.sk_prot.disconnect!(sk, flags) !== 0) sock.state = SS_DISCONNECTING;
		return failed !== 0 ? failed : -ECONNABORTED;
	}
	sock.state = SS_CONNECTED;
	return 0;
}

/** connect(2). Return: as __inet_stream_connect. */
export function inet_stream_connect(sock: socket, addr: sockaddr, flags: number): number {
	const sk = sock.sk!;
	lock_sock(sk);
	const err = __inet_stream_connect(sock, addr, flags, false);
	release_sock(sk);
	return err;
}

function inet_stream_sendmsg(sock: socket, msg: msghdr, flags: number): number {
	// No port is taken: without a connection there is nothing to send.
	const sk = sock.sk!;
	lock_sock(sk);
	const r = sk.sk_prot.sendmsg!(sk, msg, flags);
	release_sock(sk);
	return r;
}

function inet_stream_recvmsg(sock: socket, msg: msghdr, flags: number): number {
	const sk = sock.sk!;
	if ((flags & MSG_ERRQUEUE) !== 0) return ip_recv_error(sk, msg);
	lock_sock(sk);
	const r = sk.sk_prot.recvmsg!(sk, msg, flags);
	release_sock(sk);
	return r;
}

function inet_stream_poll(sock: socket): number {
	const sk: sock | null = sock.sk;
	return sk === null ? POLLHUP : tcp_poll(sk);
}

function inet_stream_shutdown(sock: socket, how: number): number {
	const sk = sock.sk!;
	lock_sock(sk);
	const err = inet_shutdown(sock, how);
	release_sock(sk);
	return err;
}

function inet_stream_setsockopt(sock: socket, level: number, optname: number, optval: Uint8Array): number {
	const sk = sock.sk!;
	lock_sock(sk);
	const err = inet_setsockopt(sock, level, optname, optval);
	release_sock(sk);
	return err;
}

/** First half of a close that lingers. Return: how long to wait (ns) for inet_linger_done, 0 for not at all. */
function inet_linger(sock: socket): number {
	const sk = sock.sk;
	if (sk === null || !sock_flag(sk, SOCK_LINGER) || sk.sk_lingertime === 0) return 0;
	if (!sk.sk_closing) {
		sk.sk_closing = true;
		lock_sock(sk);
		tcp_close_begin(sk);
		release_sock(sk);
	}
	return sk_stream_closing(sk) ? sk.sk_lingertime * 1e9 : 0;
}

/** Whether a read that has `copied` of `len` bytes waits for more. */
function inet_recv_more(sock: socket, copied: number, len: number, flags: number): boolean {
	return sock.sk !== null && tcp_recv_more(sock.sk, copied, len, flags);
}

export const inet_stream_ops: proto_ops = {
	family: AF_INET,
	release: inet_release,
	bind: inet_bind,
	connect: inet_stream_connect,
	accept: inet_accept,
	getname: inet_getname,
	poll: inet_stream_poll,
	ioctl: inet_ioctl,
	listen: inet_listen,
	shutdown: inet_stream_shutdown,
	setsockopt: inet_stream_setsockopt,
	getsockopt: inet_getsockopt,
	sendmsg: inet_stream_sendmsg,
	recvmsg: inet_stream_recvmsg,
	linger: inet_linger,
	recv_more: inet_recv_more,
};
