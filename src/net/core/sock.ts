/*
 * net/core/sock.ts: the network side of a socket.                  Linux: net/sock.h, net/core/sock.c
 * One class for every protocol: the Internet part stands in `sk.inet`, a protocol's own in `sk.priv` (tcp_sk(sk), packet_sk(sk), …).
 */
import type { Machine } from '../../kernel/machine.ts';
import type { task_struct } from '../../kernel/sched.ts';
import type { timer_list } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import type { wait_queue_head } from '../../kernel/wait.ts';
import { wake_up, wake_up_all } from '../../kernel/wait.ts';
import { ENOBUFS, ENOMEM } from '../../uapi/asm-generic/errno.ts';
import {
	IPPROTO_TCP,
	type msghdr,
	POLLERR,
	POLLIN,
	POLLOUT,
	POLLPRI,
	POLLRDNORM,
	POLLWRNORM,
	SOCK_STREAM,
	type sockaddr,
} from '../../uapi/linux/socket.ts';
import type { inet_sock } from '../ipv4/af_inet.ts';
import type { socket } from '../socket.ts';
import { SKB_DROP_REASON_SOCKET_FILTER, SKB_DROP_REASON_SOCKET_RCVBUFF, SKB_NOT_DROPPED_YET } from './dropreason.ts';
import type { dst_entry } from './dst.ts';
import { sk_filter, type sk_filter_prog } from './filter.ts';
import type { net } from './net_namespace.ts';
import { NETIF_F_GSO, NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_TSO, NETIF_F_TSO_ECN } from './netdevice.ts';
import { alloc_skb, kfree_skb_reason, type sk_buff, skb_dst_drop, skb_orphan } from './skbuff.ts';
import { __skb_dequeue, __skb_queue_tail, sk_buff_head } from './skbuff_queue.ts';
import type { sock_diag_handler } from './sock_diag.ts';
import { proto_memory, sk_mem_charge, sk_mem_uncharge } from './sock_mem.ts';

export const SOCK_MIN_SNDBUF = 4608;
/** The largest IPv4 packet that segmentation makes, and the room that TCP leaves for headers. */
const GSO_LEGACY_MAX_SIZE = 65536;
const MAX_TCP_HEADER = 192;
export const SOCK_MIN_RCVBUF = 2304;

/** sk_userlocks: what the process set itself. */
export const SOCK_SNDBUF_LOCK = 1;
export const SOCK_RCVBUF_LOCK = 2;
export const SOCK_BINDADDR_LOCK = 4;
export const SOCK_BINDPORT_LOCK = 8;
export const SOCK_CONNECT_BIND = 16;

export const SOCK_DEAD = 0;
export const SOCK_DONE = 1;
export const SOCK_URGINLINE = 2;
export const SOCK_KEEPOPEN = 3;
export const SOCK_LINGER = 4;
export const SOCK_DESTROY = 5;
export const SOCK_BROADCAST = 6;
export const SOCK_TIMESTAMP = 7;
export const SOCK_RCVTSTAMP = 8;
export const SOCK_RCVTSTAMPNS = 9;
export const SOCK_LOCALROUTE = 10;
export const SOCK_RXQ_OVFL = 11;
export const SOCK_DBG = 12;
export const SOCK_NO_CHECK_TX = 13;
export const SOCK_FILTER_LOCKED = 14;
export const SOCK_ZEROCOPY = 15;

export const RCV_SHUTDOWN = 1;
export const SEND_SHUTDOWN = 2;
export const SHUTDOWN_MASK = 3;

/** Socket states as TCP names them; other protocols use CLOSE and ESTABLISHED. */
export const TCP_ESTABLISHED = 1;
export const TCP_SYN_SENT = 2;
export const TCP_SYN_RECV = 3;
export const TCP_FIN_WAIT1 = 4;
export const TCP_FIN_WAIT2 = 5;
export const TCP_TIME_WAIT = 6;
export const TCP_CLOSE = 7;
export const TCP_CLOSE_WAIT = 8;
export const TCP_LAST_ACK = 9;
export const TCP_LISTEN = 10;
export const TCP_CLOSING = 11;
export const TCP_NEW_SYN_RECV = 12;

/** What a transport protocol does. Functions return 0, a length or -errno and never wait: -EAGAIN says "ask again when woken". */
export interface proto {
	name: string;
	init: ((sk: sock) => number) | null;
	/** Last close: leaves the tables, frees what is queued. */
	close: (sk: sock) => void;
	connect: ((sk: sock, addr: sockaddr, flags: number) => number) | null;
	disconnect: ((sk: sock, flags: number) => number) | null;
	bind: ((sk: sock, addr: sockaddr) => number) | null;
	ioctl: ((sk: sock, cmd: number, arg: Uint8Array) => number) | null;
	setsockopt: ((sk: sock, level: number, optname: number, optval: Uint8Array) => number) | null;
	/** Writes the value. Return: its length or -errno. */
	getsockopt: ((sk: sock, level: number, optname: number, optval: Uint8Array) => number) | null;
	sendmsg: ((sk: sock, msg: msghdr, flags: number) => number) | null;
	recvmsg: ((sk: sock, msg: msghdr, flags: number) => number) | null;
	hash: ((sk: sock) => number) | null;
	unhash: ((sk: sock) => void) | null;
	/** Takes a local port (0: any). Return: 0 or -errno. */
	get_port: ((sk: sock, snum: number) => number) | null;
	backlog_rcv: ((sk: sock, skb: sk_buff) => number) | null;
	/** Extra readiness beside the receive queue's; null for none. */
	poll: ((sk: sock) => number) | null;
	/** Connections: the end, after the tables were left. */
	destroy?: ((sk: sock) => void) | null;
	/** Stream protocols: SO_KEEPALIVE was changed. */
	keepalive?: ((sk: sock, valbool: number) => void) | null;
	/** Stream protocols: SO_RCVLOWAT. */
	set_rcvlowat?: ((sk: sock, val: number) => number) | null;
	/** shutdown(2), after sk_shutdown is set. `how`: RCV_SHUTDOWN, SEND_SHUTDOWN. */
	shutdown?: ((sk: sock, how: number) => void) | null;
	/** release_sock is about to let go. */
	release_cb?: ((sk: sock) => void) | null;
	/** Stream protocols: whether more may be queued to send. */
	stream_memory_free?: ((sk: sock, wake: number) => boolean) | null;
}

export class sock {
	net: net;
	sk_family: number;
	sk_type: number;
	sk_protocol: number;
	sk_prot: proto;
	sk_socket: socket | null = null;
	sk_state = TCP_CLOSE;
	sk_shutdown = 0;
	/** SOCK_* bits. */
	sk_flags = 0;
	/** SO_REUSEADDR. */
	sk_reuse = 0;
	sk_reuseport = false;
	/** SO_BINDTODEVICE's interface index, 0 for any. */
	sk_bound_dev_if = 0;
	sk_mark = 0;
	sk_priority = 0;
	sk_uid = 0;
	sk_err = 0;
	sk_err_soft = 0;
	sk_no_check_tx = false;
	sk_no_check_rx = false;
	sk_ino = 0;
	/** Its number for sock_diag; 0 until somebody asks. */
	sk_cookie = 0;

	sk_rcvbuf: number;
	sk_sndbuf: number;
	/** Bytes (truesize) in the receive queue and under way. */
	sk_rmem_alloc = 0;
	sk_wmem_alloc = 0;
	/** Bytes of options. */
	sk_omem_alloc = 0;
	/** Next id of a MSG_ZEROCOPY send. */
	sk_zckey = 0;
	sk_userlocks = 0;
	sk_rcvlowat = 1;
	/** SO_PEEK_OFF: where MSG_PEEK goes on; -1 for the start. */
	sk_peek_off = -1;
	/** ns; Infinity for none. */
	sk_rcvtimeo = Infinity;
	sk_sndtimeo = Infinity;
	sk_lingertime = 0;
	sk_drops = 0;
	sk_receive_queue: sk_buff_head = new sk_buff_head();
	sk_write_queue: sk_buff_head = new sk_buff_head();
	sk_error_queue: sk_buff_head = new sk_buff_head();
	sk_ack_backlog = 0;
	sk_max_ack_backlog = 0;
	sk_filter: sk_filter_prog | null = null;
	sk_dst_cache: dst_entry | null = null;
	/** The peer answers: the next packet out says so to its neighbour. */
	sk_dst_pending_confirm = false;
	sk_txhash = 0;
	/** Bytes a second; Infinity for no limit. */
	sk_pacing_rate = Infinity;
	sk_max_pacing_rate = Infinity;
	/** SK_PACING_*. */
	sk_pacing_status = 0;
	sk_pacing_shift = 10;
	/** Stream sockets: truesize in the write queue, and what is reserved of the protocol's memory. */
	sk_wmem_queued = 0;
	sk_forward_alloc = 0;
	/** close(2) has begun and lingers. */
	sk_closing = false;
	/** Options that are only kept: by number. */
	sk_kept: Map<number, number> | null = null;
	/** A system call works on it (lock_sock, release_sock): what arrives meanwhile waits in sk_backlog, made when first needed. */
	sk_lock_owned = false;
	sk_backlog: sk_buff_head | null = null;
	sk_backlog_len = 0;
	/** How many processes wait to write. */
	sk_write_pending = 0;
	/** Its protocol's memory and limits; null for protocols that count none. */
	sk_memory: proto_memory | null;
	/** What the device of the route takes in one piece; 0 when it segments nothing. */
	sk_gso_max_size = 0;
	sk_gso_max_segs = 0;
	/** The route's device features (NETIF_F_*), as far as they matter to TCP. */
	sk_route_caps = 0;
	/** Stream sockets' keepalive (and FIN_WAIT2, SYN-ACK) timer. */
	sk_timer: timer_list | null = null;
	/** ns of the world's clock of the last packet received. */
	sk_stamp = -1;
	/** Whoever wants to know at once that something arrived (kernel users); beside waking sleepers. */
	sk_data_ready: (sk: sock) => void = sock_def_readable;
	sk_error_report: (sk: sock) => void = sock_def_error_report;
	sk_write_space: (sk: sock) => void = sock_def_write_space;
	sk_state_change: (sk: sock) => void = sock_def_wakeup;
	sk_destruct: ((sk: sock) => void) | null = null;
	sk_user_data: unknown = null;

	/** The Internet part; null for other families. */
	inet: inet_sock | null = null;
	/** The protocol's own state. */
	priv: unknown = null;
	/** Links of hash chains. */
	sk_next: sock | null = null;

	constructor(net: net, family: number, type: number, protocol: number, prot: proto) {
		this.net = net;
		this.sk_family = family;
		this.sk_type = type;
		this.sk_protocol = protocol;
		this.sk_prot = prot;
		this.sk_rcvbuf = net.machine.sock.sysctl_rmem_default;
		this.sk_sndbuf = net.machine.sock.sysctl_wmem_default;
		this.sk_memory = type === SOCK_STREAM && protocol === IPPROTO_TCP ? net.machine.sock.tcp_memory : null;
	}
}

/** Global limits (net.core.*). */
export class sock_global {
	sysctl_rmem_default = 212992;
	sysctl_rmem_max = 4194304;
	sysctl_wmem_default = 212992;
	sysctl_wmem_max = 4194304;
	sysctl_optmem_max = 131072;
	/** How many sockets are held by a system call: 0 or 1, mostly. */
	locked = 0;
	/** Last socket inode number. */
	ino = 1000;
	/** Who answers for a family's sockets (sock_diag). */
	diag_handlers: Map<number, sock_diag_handler> = new Map();
	/** Last socket cookie. */
	cookie = 0;
	/** TCP's memory: the limits of a machine of 24 GiB. */
	tcp_memory: proto_memory = new proto_memory([287898, 383867, 575796]);
}

export function sk_alloc(net: net, family: number, type: number, protocol: number, prot: proto): sock {
	const sk = new sock(net, family, type, protocol, prot);
	sk.sk_ino = ++net.machine.sock.ino;
	return sk;
}

// ---- the lock of system calls ------------------------------------------------------------------------------------------------------

/** A system call takes the socket: what arrives while it works waits. Context: process. */
export function lock_sock(sk: sock): void {
	sk.sk_lock_owned = true;
	sk.net.machine.sock.locked++;
}

export function sock_owned_by_user(sk: sock): boolean {
	return sk.sk_lock_owned;
}

/** Takes in what waited; the socket stays the caller's. */
export function __release_sock(sk: sock): void {
	const list = sk.sk_backlog;
	if (list === null) return;
	for (let skb = __skb_dequeue(list); skb !== null; skb = __skb_dequeue(list)) sk.sk_prot.backlog_rcv!(sk, skb);
	sk.sk_backlog_len = 0;
}

/** Lets go of the socket, after taking in what waited. */
export function release_sock(sk: sock): void {
	if (sk.sk_backlog !== null) __release_sock(sk);
	if (sk.sk_prot.release_cb) sk.sk_prot.release_cb(sk);
	sk.sk_lock_owned = false;
	sk.net.machine.sock.locked--;
}

/** A long call takes in what waits. Return: whether there was any. */
export function sk_flush_backlog(sk: sock): boolean {
	if (sk.sk_backlog === null || sk.sk_backlog.first === null) return false;
	__release_sock(sk);
	return true;
}

/** Lets a packet wait for release_sock. Return: 0, or -ENOBUFS and the skb is still the caller's. */
export function sk_add_backlog(sk: sock, skb: sk_buff, limit: number): number {
	if (sk.sk_backlog_len + sk.sk_rmem_alloc > limit) return -ENOBUFS;
	if (sk.sk_backlog === null) sk.sk_backlog = new sk_buff_head();
	__skb_queue_tail(sk.sk_backlog, skb);
	sk.sk_backlog_len += skb.truesize;
	return 0;
}

export function sock_net(sk: sock): net {
	return sk.net;
}

/** Forward progress: the way to the peer works. */
export function sk_dst_confirm(sk: sock): void {
	sk.sk_dst_pending_confirm = true;
}

export function sk_machine(sk: sock): Machine {
	return sk.net.machine;
}

export function sock_flag(sk: sock, flag: number): boolean {
	return (sk.sk_flags & (1 << flag)) !== 0;
}

export function sock_set_flag(sk: sock, flag: number): void {
	sk.sk_flags |= 1 << flag;
}

export function sock_reset_flag(sk: sock, flag: number): void {
	sk.sk_flags &= ~(1 << flag);
}

/** The socket of `parent`, a process's end, gets this sock. */
export function sock_graft(sk: sock, parent: socket): void {
	sk.sk_socket = parent;
	parent.sk = sk;
	sk.sk_uid = parent.task === null ? 0 : parent.task.uid;
}

export function sock_valbool_flag(sk: sock, flag: number, on: boolean): void {
	if (on) sock_set_flag(sk, flag);
	else sock_reset_flag(sk, flag);
}

/** Where processes sleep for this socket; null once the process closed it. */
export function sk_sleep(sk: sock): wait_queue_head | null {
	return sk.sk_socket === null ? null : sk.sk_socket.wait;
}

export function sock_def_wakeup(sk: sock): void {
	if (sk.sk_socket !== null) wake_up_all(sk.sk_socket.wait);
}

export function sock_def_readable(sk: sock): void {
	if (sk.sk_socket !== null) wake_up(sk.sk_socket.wait, POLLIN | POLLPRI | POLLRDNORM);
}

export function sock_def_error_report(sk: sock): void {
	if (sk.sk_socket !== null) wake_up(sk.sk_socket.wait, POLLERR);
}

export function sock_def_write_space(sk: sock): void {
	if (sk.sk_socket !== null) wake_up(sk.sk_socket.wait, POLLOUT | POLLWRNORM);
}

/** The socket's pending error, which is cleared. Return: 0 or -errno. */
export function sock_error(sk: sock): number {
	const err = sk.sk_err;
	sk.sk_err = 0;
	return err === 0 ? 0 : -err;
}

// ---- route -----------------------------------------------------------------------------------------------------------------------

/** The socket's route, while it holds. */
export function __sk_dst_check(sk: sock, cookie: number): dst_entry | null {
	const dst = sk.sk_dst_cache;
	if (dst !== null && dst.obsolete !== 0 && dst.ops.check(dst, cookie) === null) {
		sk.sk_dst_cache = null;
		return null;
	}
	return dst;
}

/** Takes the route, and what its device can do. */
export function sk_setup_caps(sk: sock, dst: dst_entry): void {
	sk.sk_dst_cache = dst;
	const dev = dst.dev;
	let caps = dev.features;
	// Generic segmentation stands in for a device that has none; TCP makes large segments whatever the device says.
	if (sk.sk_protocol === IPPROTO_TCP) caps |= NETIF_F_GSO;
	if ((caps & NETIF_F_GSO) !== 0) caps |= NETIF_F_TSO | NETIF_F_TSO_ECN;
	let max_segs = 1;
	if ((caps & NETIF_F_TSO) !== 0) {
		if (dst.header_len === 0) {
			caps |= NETIF_F_SG | NETIF_F_HW_CSUM;
			sk.sk_gso_max_size = Math.min(dev.gso_max_size, GSO_LEGACY_MAX_SIZE) - (MAX_TCP_HEADER + 1);
			max_segs = Math.max(dev.gso_max_segs, 1);
		} else caps &= ~(NETIF_F_TSO | NETIF_F_TSO_ECN | NETIF_F_GSO);
	}
	sk.sk_route_caps = caps;
	sk.sk_gso_max_segs = max_segs;
}

/** No process holds the socket any more. */
export function sock_orphan(sk: sock): void {
	sock_set_flag(sk, SOCK_DEAD);
	sk.sk_socket = null;
}

// ---- buffers ---------------------------------------------------------------------------------------------------------------------

export function sock_rfree(skb: sk_buff): void {
	const sk = skb.sk!;
	sk.sk_rmem_alloc -= skb.truesize;
	sk_mem_uncharge(sk, skb.truesize);
}

function sock_wfree(skb: sk_buff): void {
	const sk = skb.sk!;
	sk.sk_wmem_alloc -= skb.truesize;
	if (sk.sk_wmem_alloc * 2 <= sk.sk_sndbuf) sk.sk_write_space(sk);
}

/** Charges the packet to the socket's receive buffer. */
export function skb_set_owner_r(skb: sk_buff, sk: sock): void {
	skb_orphan(skb);
	skb.sk = sk;
	skb.destructor = sock_rfree;
	sk.sk_rmem_alloc += skb.truesize;
	sk_mem_charge(sk, skb.truesize);
}

/** Charges the packet to the socket's send buffer. */
export function skb_set_owner_w(skb: sk_buff, sk: sock): void {
	skb_orphan(skb);
	skb.sk = sk;
	skb.destructor = sock_wfree;
	sk.sk_wmem_alloc += skb.truesize;
}

/** A buffer of `size` bytes charged to the send buffer. Return: null when that is full (-EAGAIN). */
export function sock_alloc_send_skb(sk: sock, size: number): sk_buff | null {
	if (sk.sk_wmem_alloc >= sk.sk_sndbuf) return null;
	const skb = alloc_skb(sk.net.machine, size);
	skb_set_owner_w(skb, sk);
	return skb;
}

/**
 * Queues a packet for the process after the socket's filter had its say. Consumes nothing on failure.
 * Return: SKB_NOT_DROPPED_YET, or why the caller must drop it.
 */
export function sock_queue_rcv_skb_reason(sk: sock, skb: sk_buff): number {
	if (sk.sk_filter !== null && sk_filter(sk, skb) < 0) return SKB_DROP_REASON_SOCKET_FILTER;
	return __sock_queue_rcv_skb(sk, skb) < 0 ? SKB_DROP_REASON_SOCKET_RCVBUFF : SKB_NOT_DROPPED_YET;
}

/** Queues without the filter. Return: 0, or -ENOMEM when the receive buffer is full. */
export function __sock_queue_rcv_skb(sk: sock, skb: sk_buff): number {
	if (sk.sk_rmem_alloc >= sk.sk_rcvbuf) {
		sk.sk_drops++;
		return -ENOMEM;
	}
	skb.dev = null;
	skb_set_owner_r(skb, sk);
	skb_dst_drop(skb);
	if (skb.journey !== null)
		trace_event(skb, 'socket', 'sock_queue_rcv_skb', { protocol: sk.sk_prot.name, ino: sk.sk_ino });
	__skb_queue_tail(sk.sk_receive_queue, skb);
	if (!sock_flag(sk, SOCK_DEAD)) sk.sk_data_ready(sk);
	return 0;
}

/** Filter, then queue, else drop. Consumes skb. Return: 0 or -errno. */
export function sock_queue_rcv_skb(sk: sock, skb: sk_buff): number {
	const reason = sock_queue_rcv_skb_reason(sk, skb);
	if (reason === SKB_NOT_DROPPED_YET) return 0;
	kfree_skb_reason(skb, reason, 'sock_queue_rcv_skb');
	return -ENOMEM;
}

/** Queues a message for MSG_ERRQUEUE. Return: 0, or -ENOMEM and the skb is still the caller's. */
export function sock_queue_err_skb(sk: sock, skb: sk_buff): number {
	if (sk.sk_rmem_alloc + skb.truesize >= sk.sk_rcvbuf) return -ENOMEM;
	skb_set_owner_r(skb, sk);
	skb_dst_drop(skb);
	__skb_queue_tail(sk.sk_error_queue, skb);
	if (!sock_flag(sk, SOCK_DEAD)) sk.sk_error_report(sk);
	return 0;
}

/** Whether the send buffer has room for a poll to say POLLOUT. */
export function sock_writeable(sk: sock): boolean {
	return sk.sk_wmem_alloc < sk.sk_sndbuf / 2;
}

/** The uid that a new socket of `task` bears. */
export function sock_init_data(socket: socket | null, sk: sock, task: task_struct | null): void {
	sk.sk_socket = socket;
	sk.sk_uid = task === null ? 0 : task.uid;
	if (socket !== null) socket.sk = sk;
}
