/*
 * net/socket.ts: sockets as system calls.                          Linux: net/socket.c
 * Kernel functions never wait; here is where a process sleeps: an operation says -EAGAIN, the system call waits for the socket's wake-up and asks again.
 */
import type { Machine } from '../kernel/machine.ts';
import { fd_install, type file, type task_struct } from '../kernel/sched.ts';
import { local_bh_enable } from '../kernel/softirq.ts';
import { HZ, NSEC_PER_JIFFY } from '../kernel/time.ts';
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
	EPIPE,
	ETIMEDOUT,
} from '../uapi/asm-generic/errno.ts';
import {
	MSG_DONTWAIT,
	MSG_ERRQUEUE,
	MSG_FASTOPEN,
	MSG_OOB,
	MSG_PEEK,
	type msghdr,
	POLLERR,
	POLLHUP,
	SOCK_NONBLOCK,
	SOCK_STREAM,
	SOCK_TYPE_MASK,
	SOL_SOCKET,
	type sockaddr,
} from '../uapi/linux/socket.ts';
import type { net } from './core/net_namespace.ts';
import { msg_zerocopy_done } from './core/skbuff_zerocopy.ts';
import { type sock, sock_global, TCP_CLOSE_WAIT, TCP_ESTABLISHED } from './core/sock.ts';
import { sk_getsockopt, sk_setsockopt } from './core/sock_opt.ts';
import { sk_stream_memory_free } from './core/stream.ts';

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
	/** Streams: the first half of a close that lingers. Return: ns to wait for the peer at most; 0: release it now. */
	linger?: (sock: socket) => number;
	/** Streams: whether a read that has `copied` of `len` bytes waits for more (MSG_WAITALL, SO_RCVLOWAT). */
	recv_more?: (sock: socket, copied: number, len: number, flags: number) => boolean;
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

	link(): string {
		return `socket:[${this.sk === null ? 0 : this.sk.sk_ino}]`;
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

/** What a call put on loopback arrives, and is answered, before the call returns. `runs`: softirq_runs before it. Return: whether any ran. */
function run_softirqs(machine: Machine, runs: number): boolean {
	local_bh_enable(machine);
	return machine.softirq_runs !== runs;
}

/** What a call that slept says: -EAGAIN (or `timeout`) when its time is over, -EINTR on a signal. */
function wait_errno(w: number, timeout: number): number {
	return w === -ETIMEDOUT ? timeout : w;
}

export function sys_connect(task: task_struct, fd: number, addr: sockaddr): Promise<number> {
	const s = sockfd_lookup(task, fd);
	return typeof s === 'number' ? Promise.resolve(s) : connect_wait(task, s, addr);
}

async function connect_wait(task: task_struct, s: socket, addr: sockaddr): Promise<number> {
	const deadline = task.machine.clock.now + (s.sk?.sk_sndtimeo ?? Infinity);
	let first = 0;
	for (;;) {
		const runs = s.net.machine.softirq_runs;
		const r = s.ops.connect(s, addr, 0);
		const ran = run_softirqs(s.net.machine, runs);
		if ((r !== -EINPROGRESS && r !== -EALREADY) || s.nonblock) return r;
		if (first === 0) first = r;
		if (ran) continue;
		const w = await wait_event(task, s.wait, deadline);
		if (w < 0) return wait_errno(w, first);
		if (s.sk === null) return -EBADF;
	}
}

/** Return: the new descriptor, or -errno; `addr` gets the peer's address. */
export async function sys_accept(task: task_struct, fd: number, addr: sockaddr | null): Promise<number> {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	if (s.ops.accept === null) return -EOPNOTSUPP;
	const deadline = task.machine.clock.now + (s.sk?.sk_rcvtimeo ?? Infinity);
	const ns = new socket(s.net, s.type, task);
	ns.ops = s.ops;
	for (;;) {
		const r = s.ops.accept(s, ns);
		if (r >= 0) {
			if (addr !== null) ns.ops.getname(ns, addr, true);
			return fd_install(task, ns);
		}
		if (r !== -EAGAIN || s.nonblock) return r;
		const w = await wait_event(task, s.wait, deadline, true);
		if (w < 0) return wait_errno(w, -EAGAIN);
		if (s.sk === null) return -EBADF;
	}
}

/** Memory, not the socket's buffer, was short: who waits looks again after this long (jiffies, and as many more at random). */
const SENDMSG_MEMORY_WAIT = 2;

/** Return: bytes taken (of a stream that may wait: all), or -errno. */
export async function sys_sendmsg(task: task_struct, fd: number, msg: msghdr, flags: number): Promise<number> {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	const machine = s.net.machine;
	const wait = !s.nonblock && (flags & MSG_DONTWAIT) === 0;
	const whole = msg.msg_iov;
	let deadline = -1;
	let done = 0;
	let r: number;
	for (;;) {
		const runs = machine.softirq_runs;
		r = s.ops.sendmsg(s, msg, flags);
		const ran = run_softirqs(machine, runs);
		if (!wait) break;
		if (r >= 0) {
			done += r;
			if (s.type !== SOCK_STREAM || done >= whole.length || (s.sk !== null && s.sk.sk_err !== 0)) break;
			msg.msg_iov = whole.subarray(done);
			continue;
		}
		if (r === -EINPROGRESS && (flags & MSG_FASTOPEN) !== 0) {
			// The SYN went without data.
			const c = await connect_wait(task, s, msg.msg_name!);
			flags &= ~MSG_FASTOPEN;
			if (c === 0) continue;
			r = c;
		}
		if (r !== -EAGAIN) break;
		if (ran) continue;
		const sk = s.sk!;
		if (deadline < 0) deadline = machine.clock.now + sk.sk_sndtimeo;
		let until = deadline;
		const connected = sk.sk_state === TCP_ESTABLISHED || sk.sk_state === TCP_CLOSE_WAIT;
		if (connected && sk.sk_memory !== null && sk_stream_memory_free(sk))
			until = Math.min(
				deadline,
				machine.clock.now + (SENDMSG_MEMORY_WAIT + machine.random.below(HZ / 5)) * NSEC_PER_JIFFY,
			);
		sk.sk_write_pending++;
		const w = await wait_event(task, s.wait, until);
		sk.sk_write_pending--;
		if (w < 0 && (w !== -ETIMEDOUT || machine.clock.now >= deadline)) {
			r = wait_errno(w, -EAGAIN);
			break;
		}
		if (s.sk === null || (done > 0 && (s.sk as sock).sk_err !== 0)) {
			r = -EPIPE;
			break;
		}
	}
	msg.msg_iov = whole;
	if (msg.msg_ubuf !== null) msg_zerocopy_done(msg, done > 0 || r > 0);
	if (wait && s.state === SS_CONNECTING && done > 0 && (flags & MSG_FASTOPEN) !== 0) {
		const c = await connect_wait(task, s, msg.msg_name!);
		if (c < 0 && c !== -EALREADY) return c;
	}
	return done > 0 ? done : r;
}

/** Return: bytes received (the datagram's whole length with MSG_TRUNC), or -errno. */
export async function sys_recvmsg(task: task_struct, fd: number, msg: msghdr, flags: number): Promise<number> {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	const machine = s.net.machine;
	const wait = !s.nonblock && (flags & MSG_DONTWAIT) === 0;
	const whole = msg.msg_iov;
	let deadline = -1;
	let done = 0;
	let r: number;
	for (;;) {
		const runs = machine.softirq_runs;
		r = s.ops.recvmsg(s, msg, flags);
		const ran = run_softirqs(machine, runs);
		if (!wait) break;
		if (r > 0) {
			done = (flags & MSG_PEEK) !== 0 ? r : done + r;
			if (
				s.ops.recv_more === undefined ||
				(flags & (MSG_OOB | MSG_ERRQUEUE)) !== 0 ||
				!s.ops.recv_more(s, done, whole.length, flags)
			)
				break;
			if ((flags & MSG_PEEK) === 0) msg.msg_iov = whole.subarray(done);
		} else if (r !== -EAGAIN || (flags & (MSG_OOB | MSG_ERRQUEUE)) !== 0) break;
		if (ran) continue;
		if (deadline < 0) deadline = machine.clock.now + (s.sk?.sk_rcvtimeo ?? Infinity);
		const w = await wait_event(task, s.wait, deadline);
		if (w < 0) {
			r = wait_errno(w, -EAGAIN);
			break;
		}
		if (s.sk === null) {
			r = -EBADF;
			break;
		}
		// What came with bytes that were read already is told by the next call.
		if (done > 0 && s.sk.sk_err !== 0) break;
	}
	msg.msg_iov = whole;
	return done > 0 ? done : r;
}

// ---- for event loops: what cannot be done now is -EAGAIN, -EINPROGRESS, and nothing sleeps ----------------------------------------

/** connect(2) of a socket that does not block. What goes out on loopback is answered after the call. Return: 0 or -errno. */
export function sys_connect_nowait(task: task_struct, fd: number, addr: sockaddr): number {
	const s = sockfd_lookup(task, fd);
	return typeof s === 'number' ? s : s.ops.connect(s, addr, 0);
}

/** accept(2) of a socket that does not block. Return: the new descriptor or -errno. */
export function sys_accept_nowait(task: task_struct, fd: number, addr: sockaddr | null): number {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	if (s.ops.accept === null) return -EOPNOTSUPP;
	const ns = new socket(s.net, s.type, task);
	ns.ops = s.ops;
	const r = s.ops.accept(s, ns);
	if (r < 0) return r;
	if (addr !== null) ns.ops.getname(ns, addr, true);
	return fd_install(task, ns);
}

/** sendmsg(2) with MSG_DONTWAIT. Return: bytes taken or -errno. */
export function sys_sendmsg_nowait(task: task_struct, fd: number, msg: msghdr, flags: number): number {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	const r = s.ops.sendmsg(s, msg, flags | MSG_DONTWAIT);
	local_bh_enable(s.net.machine);
	return r;
}

/** recvmsg(2) with MSG_DONTWAIT. Return: bytes received or -errno. */
export function sys_recvmsg_nowait(task: task_struct, fd: number, msg: msghdr, flags: number): number {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	const r = s.ops.recvmsg(s, msg, flags | MSG_DONTWAIT);
	local_bh_enable(s.net.machine);
	return r;
}

export function sys_shutdown(task: task_struct, fd: number, how: number): number {
	const s = sockfd_lookup(task, fd);
	if (typeof s === 'number') return s;
	if (s.ops.shutdown === null) return -EOPNOTSUPP;
	const r = s.ops.shutdown(s, how);
	local_bh_enable(s.net.machine);
	return r;
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
	if (s.ops.setsockopt === null) return -ENOPROTOOPT;
	const r = s.ops.setsockopt(s, level, optname, optval);
	local_bh_enable(s.net.machine);
	return r;
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

/** close(2) that does not wait: SO_LINGER's time is not spent (sys_close_linger does). */
export function sys_close(task: task_struct, fd: number): number {
	const f = task.files[fd];
	if (f === undefined || f === null) return -EBADF;
	task.files[fd] = null;
	if (fd < task.next_fd) task.next_fd = fd;
	f.release();
	local_bh_enable(task.machine);
	return 0;
}

/** close(2), waiting for SO_LINGER's time until the peer has everything. */
export async function sys_close_linger(task: task_struct, fd: number): Promise<number> {
	const f = task.files[fd];
	if (f === undefined || f === null) return -EBADF;
	task.files[fd] = null;
	if (fd < task.next_fd) task.next_fd = fd;
	if (f instanceof socket && f.ops.linger !== undefined) {
		const runs = task.machine.softirq_runs;
		let left = f.ops.linger(f);
		if (left > 0) {
			const deadline = task.machine.clock.now + left;
			do {
				if (!run_softirqs(task.machine, runs) && (await wait_event(task, f.wait, deadline)) < 0) break;
				left = f.ops.linger(f);
			} while (left > 0);
		}
	}
	f.release();
	local_bh_enable(task.machine);
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
