/*
 * user/libc.ts: what a program sees: its arguments and streams, and the system calls. The only way from userland to the kernel.
 * System calls return 0 or more, or -errno; those that can wait are async. Addresses and numbers are in host order.
 */

import { type epoll_event, sys_epoll_create, sys_epoll_ctl, sys_epoll_wait } from '../fs/eventpoll.ts';
import {
	is_kernel_path,
	kernel_read,
	kernel_readdir,
	kernel_readlink,
	kernel_write,
	normalize_path,
} from '../fs/vfs.ts';
import type { Machine } from '../kernel/machine.ts';
import { do_exit, fd_install, type file, nsproxy, send_sig, task_struct } from '../kernel/sched.ts';
import { wait_event, type wait_watcher } from '../kernel/wait.ts';
import { cleanup_net, copy_net_ns, type net } from '../net/core/net_namespace.ts';
import {
	type pollfd,
	sys_accept,
	sys_accept_nowait,
	sys_bind,
	sys_close,
	sys_close_linger,
	sys_connect,
	sys_connect_nowait,
	sys_get_nonblock,
	sys_getpeername,
	sys_getsockname,
	sys_getsockopt,
	sys_ioctl,
	sys_listen,
	sys_poll,
	sys_recvmsg,
	sys_recvmsg_nowait,
	sys_sendmsg,
	sys_sendmsg_nowait,
	sys_set_nonblock,
	sys_setsockopt,
	sys_shutdown,
	sys_socket,
} from '../net/socket.ts';
import { EBADF, EBUSY, EEXIST, EINVAL, ENOENT, ETIMEDOUT } from '../uapi/asm-generic/errno.ts';
import { type msghdr, POLLNVAL, type sockaddr } from '../uapi/linux/socket.ts';

export type { pollfd } from '../net/socket.ts';

/** A program: `main`. Return: exit status. */
export type Program = (proc: Process) => Promise<number>;

/** Programs by name, as a host's PATH has them. */
export type Programs = Map<string, Program>;

export const SIGINT = 2;
export const SIGKILL = 9;
export const SIGALRM = 14;
export const SIGTERM = 15;

export const CLONE_NEWNET = 0x40000000;

/** An output stream. Text is UTF-8. `sink` sees each write as it happens. */
export class OutStream {
	chunks: Uint8Array[] = [];
	isTTY = false;
	sink: ((chunk: Uint8Array) => void) | null = null;

	write(data: string | Uint8Array): void {
		const bytes = typeof data === 'string' ? utf8(data) : data;
		this.chunks.push(bytes);
		if (this.sink !== null) this.sink(bytes);
	}

	/** All that was written. */
	bytes(): Uint8Array {
		let n = 0;
		for (const c of this.chunks) n += c.length;
		const out = new Uint8Array(n);
		let at = 0;
		for (const c of this.chunks) {
			out.set(c, at);
			at += c.length;
		}
		return out;
	}

	text(): string {
		return utf8_decode(this.bytes());
	}
}

/** A network namespace held open (/proc/PID/ns/net, /run/netns/NAME). */
class netns_file implements file {
	net: net;
	readonly wait = null;

	constructor(net: net) {
		this.net = net;
	}

	poll(): number {
		return 0;
	}

	release(): void {
		netns_put(this.net);
	}
}

/** UTF-8 without TextEncoder, which is no part of the language. */
export function utf8(s: string): Uint8Array {
	const out: number[] = [];
	for (const ch of s) {
		const c = ch.codePointAt(0)!;
		if (c < 0x80) out.push(c);
		else if (c < 0x800) out.push(0xc0 | (c >> 6), 0x80 | (c & 63));
		else if (c < 0x10000) out.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
		else out.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
	}
	return Uint8Array.from(out);
}

/** Bytes as text; what is not UTF-8 becomes U+FFFD. */
export function utf8_decode(b: Uint8Array): string {
	let out = '';
	for (let i = 0; i < b.length; ) {
		const c = b[i++];
		const extra = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : -1;
		let cp = extra === 0 ? c : extra === 1 ? c & 31 : extra === 2 ? c & 15 : c & 7;
		let ok = extra >= 0;
		for (let k = 0; ok && k < extra; k++) {
			if (i < b.length && (b[i] & 0xc0) === 0x80) cp = (cp << 6) | (b[i++] & 63);
			else ok = false;
		}
		out += ok ? String.fromCodePoint(cp) : '\ufffd';
	}
	return out;
}

/** Whether anything still holds the namespace; if not it ends. */
function netns_put(n: net): void {
	const m = n.machine;
	if (n === m.init_net || n.dead) return;
	for (const held of m.netns_mounts.values()) if (held === n) return;
	for (const t of m.tasks) {
		if (t.nsproxy.net_ns === n) return;
		for (const f of t.files) if (f instanceof netns_file && f.net === n) return;
	}
	cleanup_net(n);
}

export class Process {
	task: task_struct;
	/** argv[0] is the program's name. */
	argv: string[];
	env: Map<string, string>;
	cwd: string;
	stdin: Uint8Array;
	stdout = new OutStream();
	stderr = new OutStream();
	programs: Programs;

	constructor(
		task: task_struct,
		argv: string[],
		programs: Programs,
		env: Map<string, string> = new Map(),
		cwd = '/',
		stdin: Uint8Array = new Uint8Array(0),
	) {
		this.task = task;
		this.argv = argv;
		this.programs = programs;
		this.env = env;
		this.cwd = cwd;
		this.stdin = stdin;
	}

	get pid(): number {
		return this.task.pid;
	}

	// ---- sockets -------------------------------------------------------------------------------------------------------------

	socket(family: number, type: number, protocol: number): number {
		return sys_socket(this.task, family, type, protocol);
	}

	bind(fd: number, addr: sockaddr): number {
		return sys_bind(this.task, fd, addr);
	}

	listen(fd: number, backlog: number): number {
		return sys_listen(this.task, fd, backlog);
	}

	connect(fd: number, addr: sockaddr): Promise<number> {
		return sys_connect(this.task, fd, addr);
	}

	accept(fd: number, addr: sockaddr | null): Promise<number> {
		return sys_accept(this.task, fd, addr);
	}

	sendmsg(fd: number, msg: msghdr, flags = 0): Promise<number> {
		return sys_sendmsg(this.task, fd, msg, flags);
	}

	recvmsg(fd: number, msg: msghdr, flags = 0): Promise<number> {
		return sys_recvmsg(this.task, fd, msg, flags);
	}

	shutdown(fd: number, how: number): number {
		return sys_shutdown(this.task, fd, how);
	}

	getsockname(fd: number, addr: sockaddr): number {
		return sys_getsockname(this.task, fd, addr);
	}

	getpeername(fd: number, addr: sockaddr): number {
		return sys_getpeername(this.task, fd, addr);
	}

	/** An int option is given as a number, anything else as its bytes. */
	setsockopt(fd: number, level: number, optname: number, optval: number | Uint8Array): number {
		const bytes =
			typeof optval === 'number' ? Uint8Array.of(optval, optval >>> 8, optval >>> 16, optval >>> 24) : optval;
		return sys_setsockopt(this.task, fd, level, optname, bytes);
	}

	/** Fills in `optval`. Return: the value's length, or -errno. */
	getsockopt(fd: number, level: number, optname: number, optval: Uint8Array): number {
		return sys_getsockopt(this.task, fd, level, optname, optval);
	}

	/** `arg`: the C struct's bytes; what a pointer in it (SIOCETHTOOL's ifr_data) leads to follows the 40 bytes of struct ifreq. */
	ioctl(fd: number, cmd: number, arg: Uint8Array): number {
		return sys_ioctl(this.task, fd, cmd, arg);
	}

	close(fd: number): number {
		return sys_close(this.task, fd);
	}

	/** close(2) that waits as SO_LINGER says. */
	close_linger(fd: number): Promise<number> {
		return sys_close_linger(this.task, fd);
	}

	/** `timeout` in ms, negative for none. Return: how many are ready, 0 at the timeout, -EINTR on a signal. */
	poll(fds: pollfd[], timeout: number): Promise<number> {
		return sys_poll(this.task, fds, timeout);
	}

	/** O_NONBLOCK by fcntl(2). Return: 0 or -errno. */
	set_nonblock(fd: number, on: boolean): number {
		return sys_set_nonblock(this.task, fd, on);
	}

	/** Return: 1 when the socket does not block, 0 when it does, -errno. */
	get_nonblock(fd: number): number {
		return sys_get_nonblock(this.task, fd);
	}

	/** Return: a descriptor that watches others. */
	epoll_create(): number {
		return sys_epoll_create(this.task);
	}

	/** `op`: EPOLL_CTL_*. Return: 0 or -errno. */
	epoll_ctl(epfd: number, op: number, fd: number, event: epoll_event): number {
		return sys_epoll_ctl(this.task, epfd, op, fd, event);
	}

	/** Puts what is ready into `events`. `timeout` in ms, negative for none. Return: how many, or -errno. */
	epoll_wait(epfd: number, events: epoll_event[], maxevents: number, timeout: number): Promise<number> {
		return sys_epoll_wait(this.task, epfd, events, maxevents, timeout);
	}

	// ---- sockets of event loops: nothing waits -------------------------------------------------------------------------------

	/** connect(2) that does not wait. Return: 0, -EINPROGRESS (poll says POLLOUT or POLLERR at its end) or -errno. */
	connect_nowait(fd: number, addr: sockaddr): number {
		return sys_connect_nowait(this.task, fd, addr);
	}

	/** accept(2) that does not wait. Return: descriptor, -EAGAIN or -errno. */
	accept_nowait(fd: number, addr: sockaddr | null): number {
		return sys_accept_nowait(this.task, fd, addr);
	}

	/** sendmsg(2) that does not wait. Return: bytes taken, -EAGAIN or -errno. */
	sendmsg_nowait(fd: number, msg: msghdr, flags = 0): number {
		return sys_sendmsg_nowait(this.task, fd, msg, flags);
	}

	/** recvmsg(2) that does not wait. Return: bytes received, -EAGAIN or -errno. */
	recvmsg_nowait(fd: number, msg: msghdr, flags = 0): number {
		return sys_recvmsg_nowait(this.task, fd, msg, flags);
	}

	/** What poll(2) would say of the descriptor now: POLL*. */
	ready(fd: number): number {
		const f = this.task.files[fd];
		return f === undefined || f === null ? POLLNVAL : f.poll();
	}

	/** Tells `watcher` of each wake-up of the descriptor, from within the kernel, until it is closed: as SIGIO does. Return: 0 or -EBADF. */
	fasync(fd: number, watcher: wait_watcher): number {
		const f = this.task.files[fd];
		if (f === undefined || f === null || f.wait === null) return -EBADF;
		f.wait.watchers ??= [];
		f.wait.watchers.push(watcher);
		return 0;
	}

	// ---- time and signals ----------------------------------------------------------------------------------------------------

	/** Return: 0, or -EINTR. */
	async sleep(ms: number): Promise<number> {
		const r = await wait_event(this.task, null, this.task.machine.clock.now + ms * 1e6);
		return r === -ETIMEDOUT ? 0 : r;
	}

	/** CLOCK_MONOTONIC in ns. */
	monotonic(): number {
		return this.task.machine.clock.now;
	}

	/** CLOCK_REALTIME. */
	realtime(): { sec: number; nsec: number } {
		const clock = this.task.machine.clock;
		const sec = Math.floor(clock.now / 1e9);
		return { sec: clock.epoch + sec, nsec: clock.now - sec * 1e9 };
	}

	/** Called on SIGINT and the like instead of ending; sleeping calls return -EINTR. */
	on_signal(handler: ((signo: number) => void) | null): void {
		this.task.signal_handler = handler;
	}

	/** A 32-bit random number (getrandom(2)). */
	random(): number {
		return this.task.machine.random.u32();
	}

	/** Sends this process a signal, as another one would with kill(2). */
	kill(signo: number): void {
		send_sig(signo, this.task);
	}

	/** Ends this process's sleeps with -EINTR. */
	interrupt(): void {
		send_sig(SIGINT, this.task);
	}

	/**
	 * A second process of the same program, for what must wait on its own (an alarm beside a command). It shares nothing but code; `exit` ends it.
	 */
	fork(comm: string): Process {
		this.task.machine.sched.fork();
		return new Process(
			new task_struct(this.task.machine, comm, this.task.nsproxy),
			[comm],
			this.programs,
			this.env,
			this.cwd,
		);
	}

	/** waitpid(2): sleeps until what another process of this program does is done. */
	async wait_for<T>(work: Promise<T>): Promise<T> {
		const { sched } = this.task.machine;
		sched.sleep(this.task);
		try {
			return await work;
		} finally {
			sched.wake(this.task);
		}
	}

	/** Ends a process that `fork` made: closes its files, leaves its namespaces. */
	exit(): void {
		exit_process(this);
		this.task.machine.sched.exit();
	}

	// ---- files ---------------------------------------------------------------------------------------------------------------

	private path(path: string): string {
		return normalize_path(path.startsWith('/') ? path : this.cwd + '/' + path);
	}

	/** The file's bytes, or -errno. */
	async readFileBytes(path: string): Promise<Uint8Array | number> {
		const p = this.path(path);
		if (is_kernel_path(p)) {
			const text = kernel_read(this.task, p);
			return typeof text === 'number' ? text : utf8(text);
		}
		return this.task.machine.rootfs.read(p);
	}

	/** The file as text, or -errno. */
	async readFile(path: string): Promise<string | number> {
		const b = await this.readFileBytes(path);
		return typeof b === 'number' ? b : utf8_decode(b);
	}

	/** Return: 0 or -errno. */
	async writeFile(path: string, data: string | Uint8Array, append = false): Promise<number> {
		const p = this.path(path);
		const bytes = typeof data === 'string' ? utf8(data) : data;
		if (is_kernel_path(p)) return kernel_write(this.task, p, utf8_decode(bytes));
		return this.task.machine.rootfs.write(p, bytes, append);
	}

	/** readlink(2) of the kernel's links (/proc/PID/fd/N); the disk's are not known. Return: text, or -errno. */
	readlink(path: string): string | number {
		const p = this.path(path);
		return is_kernel_path(p) ? kernel_readlink(this.task, p) : -EINVAL;
	}

	/** Names in the file system's order, or -errno. */
	async readdir(path: string): Promise<string[] | number> {
		const p = this.path(path);
		if (is_kernel_path(p)) return kernel_readdir(this.task, p);
		if (p === '/run/netns' || p === '/var/run/netns') {
			const names = [...this.task.machine.netns_mounts.keys()];
			// The newest first, as a tmpfs lists them.
			return names.length === 0 ? -ENOENT : names.reverse();
		}
		return this.task.machine.rootfs.readdir(p);
	}

	mkdir(path: string): Promise<number> {
		return this.task.machine.rootfs.mkdir(this.path(path));
	}

	unlink(path: string): Promise<number> {
		return this.task.machine.rootfs.unlink(this.path(path));
	}

	// ---- namespaces ----------------------------------------------------------------------------------------------------------

	/** unshare(2): CLONE_NEWNET gives the process a network namespace of its own. */
	unshare(flags: number): number {
		if (flags & ~CLONE_NEWNET) return -EINVAL;
		const old = this.task.nsproxy;
		if (flags & CLONE_NEWNET) {
			this.task.nsproxy = new nsproxy(copy_net_ns(this.task.machine), old.uts_nodename);
			netns_put(old.net_ns);
		}
		return 0;
	}

	/** Opens /proc/PID/ns/net (PID or `self`) or /run/netns/NAME. Return: descriptor or -errno. */
	open_netns(path: string): number {
		const p = this.path(path);
		const m = this.task.machine;
		const proc = /^\/proc\/(self|\d+)\/ns\/net$/.exec(p);
		let n: net | undefined;
		if (proc !== null) {
			for (const t of m.tasks)
				if (proc[1] === 'self' ? t === this.task : t.pid === Number(proc[1])) n = t.nsproxy.net_ns;
			if (proc[1] === '1') n = m.init_net;
		} else {
			const name = /^(?:\/var)?\/run\/netns\/([^/]+)$/.exec(p);
			n = name === null ? undefined : m.netns_mounts.get(name[1]);
		}
		return n === undefined ? -ENOENT : fd_install(this.task, new netns_file(n));
	}

	/** setns(2) with a descriptor of open_netns. */
	setns(fd: number): number {
		const f = this.task.files[fd];
		if (f === undefined || f === null) return -EBADF;
		if (!(f instanceof netns_file)) return -EINVAL;
		const old = this.task.nsproxy;
		this.task.nsproxy = new nsproxy(f.net, old.uts_nodename);
		if (old.net_ns !== f.net) netns_put(old.net_ns);
		return 0;
	}

	/** mount --bind of the process's own namespace to /run/netns/`name`. */
	netns_mount(name: string): number {
		const m = this.task.machine;
		if (m.netns_mounts.has(name)) return -EEXIST;
		const n = this.task.nsproxy.net_ns;
		if (n.name === '' && n !== m.init_net) n.name = name;
		m.netns_mounts.set(name, n);
		return 0;
	}

	/** umount of /run/netns/`name`; the namespace ends when nothing else holds it. */
	netns_umount(name: string): number {
		const m = this.task.machine;
		const n = m.netns_mounts.get(name);
		if (n === undefined) return -ENOENT;
		m.netns_mounts.delete(name);
		netns_put(n);
		return 0;
	}

	/** Inode number behind a namespace descriptor (stat(2)), to compare namespaces by; -EBADF. */
	netns_ino(fd: number): number {
		const f = this.task.files[fd];
		return f instanceof netns_file ? f.net.inum : -EBADF;
	}

	/** Pids of the processes whose network namespace is that of `fd`. */
	netns_pids(fd: number): number[] | number {
		const f = this.task.files[fd];
		if (!(f instanceof netns_file)) return -EBADF;
		return [...this.task.machine.tasks].filter((t) => t.nsproxy.net_ns === f.net).map((t) => t.pid);
	}

	// ---- processes -----------------------------------------------------------------------------------------------------------

	/** gethostname(2) */
	hostname(): string {
		return this.task.nsproxy.uts_nodename;
	}

	/** setuid(2): programs that drop their rights. */
	setuid(uid: number): number {
		this.task.uid = uid;
		return 0;
	}

	/**
	 * fork, execvp and wait: runs another program with this one's streams and namespaces. Return: its exit status, or -ENOENT.
	 */
	async exec(argv: string[]): Promise<number> {
		const sh = this.task.machine.spawn;
		if (sh === null) return -EBUSY;
		return sh(this, argv);
	}
}

/** A new process of `machine` in namespace `n`. */
export function new_process(machine: Machine, argv: string[], programs: Programs, n: net, nodename: string): Process {
	const base = argv[0].slice(argv[0].lastIndexOf('/') + 1);
	return new Process(new task_struct(machine, base.slice(0, 15), new nsproxy(n, nodename)), argv, programs);
}

/** Ends a process: closes its files, leaves its namespaces. */
export function exit_process(proc: Process): void {
	const n = proc.task.nsproxy.net_ns;
	do_exit(proc.task);
	netns_put(n);
}
