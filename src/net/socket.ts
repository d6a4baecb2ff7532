/*
 * net/socket.ts: sockets as system calls.                          Linux: net/socket.c
 * Kernel functions never wait; here is where a process sleeps: an operation says -EAGAIN, the system call waits for the socket's wake-up and asks again.
 */
import type { Machine } from '../kernel/machine.ts';
import { fd_install, type file, type task_struct } from '../kernel/sched.ts';
import { do_softirq } from '../kernel/softirq.ts';
import { wait_event, wait_queue_head } from '../kernel/wait.ts';
import {
	EAFNOSUPPORT,
	EAGAIN,
	EALREADY,
	EBADF,
	EINPROGRESS,
	EINVAL,
	ENOPROTOOPT,
	ENOTSOCK,
	EOPNOTSUPP,
} from '../uapi/asm-generic/errno.ts';
import {
	MSG_DONTWAIT,
	type msghdr,
	POLLERR,
	POLLHUP,
	SOCK_NONBLOCK,
	SOCK_TYPE_MASK,
	SOL_SOCKET,
	type sockaddr,
} from '../uapi/linux/socket.ts';
import type { net } from './core/net_namespace.ts';
import { sk_getsockopt, sk_setsockopt, type sock, sock_global } from './core/sock.ts';

/** Socket-level operations of a family. -errno on failure; -EAGAIN means "sleep and ask again". */
export interface proto_ops {
	family: number;
	release: (sock: socket) => number;
	bind: (sock: socket, addr: sockaddr) => number;
	/** -EINPROGRESS when it goes on; ask `connect` again after a wake-up. */
	connect: (sock: socket, addr: sockaddr, flags: number) => number;
	accept: ((sock: socket, newsock: socket) => number) | null;
	/** Fills in `addr`. `peer`: getpeername. */
	getname: (sock: socket, addr: sockaddr, peer: boolean) => number;
	poll: (sock: socket) => number;
	/** `arg` is the struct's bytes, read and written in place. */
	ioctl: (sock: socket, cmd: number, arg: Uint8Array) => number;
	listen: ((sock: socket, backlog: number) => number) | null;
	shutdown: ((sock: socket, how: number) => number) | null;
	setsockopt: ((sock: socket, level: number, optname: number, optval: Uint8Array) => number) | null;
	getsockopt: ((sock: socket, level: number, optname: number, optval: Uint8Array) => number) | null;
	sendmsg: (sock: socket, msg: msghdr, flags: number) => number;
	recvmsg: (sock: socket, msg: msghdr, flags: number) => number;
}

export const SS_UNCONNECTED = 1;
export const SS_CONNECTING = 2;
export const SS_CONNECTED = 3;
export const SS_DISCONNECTING = 4;

/** A process's end of a socket. */
export class socket implements file {
	type: number;
	state = SS_UNCONNECTED;
	ops!: proto_ops;
	sk: sock | null = null;
	nonblock = false;
	/** SOCK_NOSPACE: a writer found the buffer full. */
	nospace = false;
	net: net;
	/** Who made it: sk_uid, netlink port ids. */
	task: task_struct | null;
	readonly wait = new wait_queue_head();

	constructor(net: net, type: number, task: task_struct | null) {
		this.net = net;
		this.type = type;
		this.task = task;
	}

	poll(): number {
		return this.ops.poll(this);
	}

	release(): void {
		this.ops.release(this);
	}
}

/** How a family makes a socket's inside. */
export interface net_proto_family {
	family: number;
	/** Sets `sock.ops` and `sock.sk`. Return: 0 or -errno. */
	create: (net: net, sock: socket, protocol: number) => number;
}

export class net_families {
	families: Map<number, net_proto_family> = new Map();
}

export function sock_init(machine: Machine): void {
	machine.families = new net_families();
	machine.sock = new sock_global();
}

export function sock_register(machine: Machine, ops: net_proto_family): number {
	machine.families.families.set(ops.family, ops);
	return 0;
}

/** A socket with no process (kernel users). Return: it, or -errno. */
export function sock_create_kern(
	net: net,
	family: number,
	type: number,
	protocol: number,
	task: task_struct | null = null,
): socket | number {
	const fam = net.machine.families.families.get(family);
	if (fam === undefined) return -EAFNOSUPPORT;
	if (type < 1 || type > 10) return -EINVAL;
	const s = new socket(net, type, task);
	const err = fam.create(net, s, protocol);
	return err < 0 ? err : s;
}

// ---- system calls ----------------------------------------------------------------------------------------------------------------

/** The socket behind a descriptor. Return: it, or -EBADF, -ENOTSOCK. */
export function sockfd_lookup(task: task_struct, fd: number): socket | number {
	const f = task.files[fd];
	if (f === undefined || f === null) return -EBADF;
	return f instanceof socket ? f : -ENOTSOCK;
}

export function sys_socket(task: task_struct, family: number, type: number, protocol: number): number {
	const s = sock_create_kern(task.nsproxy.net_ns, family, type & SOCK_TYPE_MASK, protocol, task);
	if (typeof s === 'number') return s;
	s.nonblock = (type & SOCK_NONBLOCK) !== 0;
	return fd_install(task, s);
}

export function sys_bind(task: task_struct, fd: number, addr: sockaddr): number {
	const s = sockfd_lookup(task, fd);
	return typeof s === 'number' ? s : s.ops.bind(s, addr);
}

export function sys_listen(task: task_struct, fd: number, backlog: number): number {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	return s.ops.listen === null ? -EOPNOTSUPP : s.ops.listen(s, Math.min(backlog >>> 0, s.net.core_sysctl_somaxconn));
}

export async function sys_connect(task: task_struct, fd: number, addr: sockaddr): Promise<number> {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	const deadline = task.machine.clock.now + (s.sk?.sk_sndtimeo ?? Infinity);
	for (;;) {
		const r = s.ops.connect(s, addr, 0);
		if ((r !== -EINPROGRESS && r !== -EALREADY) || s.nonblock) return r;
		const w = await wait_event(task, s.wait, deadline);
		if (w < 0) return s.sk?.sk_sndtimeo !== Infinity ? -EINPROGRESS : w;
	}
}

/** Return: the new descriptor, or -errno; `addr` gets the peer's address. */
export async function sys_accept(task: task_struct, fd: number, addr: sockaddr | null): Promise<number> {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	if (s.ops.accept === null) return -EOPNOTSUPP;
	const deadline = task.machine.clock.now + (s.sk?.sk_rcvtimeo ?? Infinity);
	for (;;) {
		const ns = new socket(s.net, s.type, task);
		ns.ops = s.ops;
		const r = s.ops.accept(s, ns);
		if (r >= 0) {
			if (addr !== null) ns.ops.getname(ns, addr, true);
			return fd_install(task, ns);
		}
		if (r !== -EAGAIN || s.nonblock) return r;
		const w = await wait_event(task, s.wait, deadline);
		if (w < 0) return -EAGAIN;
	}
}

/** Return: bytes taken, or -errno. */
export async function sys_sendmsg(task: task_struct, fd: number, msg: msghdr, flags: number): Promise<number> {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	const deadline = task.machine.clock.now + (s.sk?.sk_sndtimeo ?? Infinity);
	for (;;) {
		const r = s.ops.sendmsg(s, msg, flags);
		// What it put on loopback arrives before the call returns.
		if (s.net.machine.softirq_pending !== 0 && !s.net.machine.in_softirq) do_softirq(s.net.machine);
		if (r !== -EAGAIN || s.nonblock || (flags & MSG_DONTWAIT) !== 0) return r;
		const w = await wait_event(task, s.wait, deadline);
		if (w < 0) return s.sk?.sk_sndtimeo !== Infinity ? -EAGAIN : w;
	}
}

/** Return: bytes received (the datagram's whole length with MSG_TRUNC), or -errno. */
export async function sys_recvmsg(task: task_struct, fd: number, msg: msghdr, flags: number): Promise<number> {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	const deadline = task.machine.clock.now + (s.sk?.sk_rcvtimeo ?? Infinity);
	for (;;) {
		const r = s.ops.recvmsg(s, msg, flags);
		if (r !== -EAGAIN || s.nonblock || (flags & MSG_DONTWAIT) !== 0) return r;
		const w = await wait_event(task, s.wait, deadline);
		if (w < 0) return s.sk?.sk_rcvtimeo !== Infinity ? -EAGAIN : w;
	}
}

export function sys_shutdown(task: task_struct, fd: number, how: number): number {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	return s.ops.shutdown === null ? -EOPNOTSUPP : s.ops.shutdown(s, how);
}

export function sys_getsockname(task: task_struct, fd: number, addr: sockaddr): number {
	const s = sockfd_lookup(task, fd);
	return typeof s === 'number' ? s : s.ops.getname(s, addr, false);
}

export function sys_getpeername(task: task_struct, fd: number, addr: sockaddr): number {
	const s = sockfd_lookup(task, fd);
	return typeof s === 'number' ? s : s.ops.getname(s, addr, true);
}

export function sys_setsockopt(
	task: task_struct,
	fd: number,
	level: number,
	optname: number,
	optval: Uint8Array,
): number {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	if (level === SOL_SOCKET) return s.sk === null ? -EINVAL : sk_setsockopt(s.sk, optname, optval);
	return s.ops.setsockopt === null ? -ENOPROTOOPT : s.ops.setsockopt(s, level, optname, optval);
}

/** Return: the value's length in `optval`, or -errno. */
export function sys_getsockopt(
	task: task_struct,
	fd: number,
	level: number,
	optname: number,
	optval: Uint8Array,
): number {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	if (level === SOL_SOCKET) return s.sk === null ? -EINVAL : sk_getsockopt(s.sk, optname, optval);
	return s.ops.getsockopt === null ? -ENOPROTOOPT : s.ops.getsockopt(s, level, optname, optval);
}

/** fcntl(2)'s O_NONBLOCK. Return: 0 or -errno. */
export function sys_set_nonblock(task: task_struct, fd: number, on: boolean): number {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	s.nonblock = on;
	return 0;
}

/** Return: whether the descriptor does not block, or -errno. */
export function sys_get_nonblock(task: task_struct, fd: number): number {
	const s = sockfd_lookup(task, fd);
	return typeof s === 'number' ? s : Number(s.nonblock);
}

export function sys_ioctl(task: task_struct, fd: number, cmd: number, arg: Uint8Array): number {
	const s = sockfd_lookup(task, fd);
	return typeof s === 'number' ? s : s.ops.ioctl(s, cmd, arg);
}

export function sys_close(task: task_struct, fd: number): number {
	const f = task.files[fd];
	if (f === undefined || f === null) return -EBADF;
	task.files[fd] = null;
	f.release();
	return 0;
}

export interface pollfd {
	fd: number;
	events: number;
	revents: number;
}

/**
 * poll(2). `timeout` in ms, negative for none. Return: how many descriptors are ready, 0 at the timeout, or -EINTR.
 */
export async function sys_poll(task: task_struct, fds: pollfd[], timeout: number): Promise<number> {
	const deadline = timeout < 0 ? Infinity : task.machine.clock.now + timeout * 1e6;
	const any = new wait_queue_head();
	for (;;) {
		let ready = 0;
		for (const p of fds) {
			const f = task.files[p.fd];
			p.revents = f === undefined || f === null ? 0x20 : f.poll() & (p.events | POLLERR | POLLHUP);
			if (p.revents !== 0) ready++;
		}
		if (ready > 0 || timeout === 0) return ready;
		if (task.machine.clock.now >= deadline) return 0;
		// One sleep that any of the files ends: the entry stands in each file's queue.
		const sleep = wait_event(task, any, deadline);
		const entry = any.entries[0];
		const queues: wait_queue_head[] = [];
		if (entry !== undefined) {
			for (const p of fds) {
				const f = task.files[p.fd];
				if (f !== undefined && f !== null && f.wait !== null) {
					f.wait.entries.push(entry);
					queues.push(f.wait);
				}
			}
		}
		const w = await sleep;
		for (const q of queues) {
			const i = q.entries.indexOf(entry);
			if (i >= 0) q.entries.splice(i, 1);
		}
		if (w < 0 && task.machine.clock.now < deadline) return w;
	}
}
