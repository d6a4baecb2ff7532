/*
 * kernel/sched.ts: processes.                                      Linux: linux/sched.h, kernel/fork.c, nsproxy.c
 * A process is an async function of userland with a task_struct. The kernel knows of it: its name, namespaces, open files, signals.
 */
import type { net } from '../net/core/net_namespace.ts';
import { EINTR } from '../uapi/asm-generic/errno.ts';
import type { Machine } from './machine.ts';
import { finish_wait, type wait_queue_entry, type wait_queue_head } from './wait.ts';

/** How the world learns who can run. */
export interface Scheduler {
	/** A process went to sleep in a system call. */
	sleep(task: task_struct): void;
	/** A sleeping process can run again. */
	wake(task: task_struct): void;
	/** One more thing runs beside what runs already. */
	fork(): void;
	/** What `fork` began has ended. */
	exit(): void;
}

/** An open file. Sockets are the files this kernel mostly has. */
export interface file {
	/** Poll mask (POLLIN, …) of what is ready now. */
	poll(): number;
	/** What wakes a poll on it; null for files that are always ready. */
	readonly wait: wait_queue_head | null;
	/** Last close. */
	release(): void;
	/** What the link in /proc/PID/fd says ('socket:[12]'). */
	link?: () => string;
}

export class nsproxy {
	net_ns: net;
	/** Host name of the UTS namespace. */
	uts_nodename: string;

	constructor(net_ns: net, uts_nodename: string) {
		this.net_ns = net_ns;
		this.uts_nodename = uts_nodename;
	}
}

export class task_struct {
	machine: Machine;
	pid: number;
	comm: string;
	uid = 0;
	gid = 0;
	nsproxy: nsproxy;
	/** Open files by descriptor; 0, 1, 2 are the shell's. */
	files: (file | null)[] = [null, null, null];
	/** No lower descriptor is free. */
	next_fd = 3;
	sleeping: wait_queue_entry[] = [];
	signal_pending = false;
	/** The signal that it has no handler for and dies of; 0: none. */
	exit_signal = 0;
	/** Called on a signal that the process handles (SIGINT, SIGTERM, …). */
	signal_handler: ((signo: number) => void) | null = null;

	constructor(machine: Machine, comm: string, ns: nsproxy) {
		this.machine = machine;
		this.pid = machine.next_pid++;
		this.comm = comm;
		this.nsproxy = ns;
		machine.tasks.add(this);
	}
}

/** Puts `f` at the lowest free descriptor from 3. */
export function fd_install(task: task_struct, f: file): number {
	let fd = task.next_fd;
	while (fd < task.files.length && task.files[fd] !== null) fd++;
	task.files[fd] = f;
	task.next_fd = fd + 1;
	return fd;
}

/** Sends a signal: interrupts its sleeps; its handler, or its own checks of `signal_pending`, end it. */
export function send_sig(signo: number, task: task_struct): void {
	if (task.signal_handler !== null) task.signal_handler(signo);
	else {
		task.signal_pending = true;
		task.exit_signal = signo;
	}
	while (task.sleeping.length > 0) finish_wait(task.sleeping[0], -EINTR);
}

/** Closes what the process left open. */
export function do_exit(task: task_struct): void {
	const files = task.files;
	task.files = [];
	for (const f of files) if (f !== null && f !== undefined) f.release();
	task.machine.tasks.delete(task);
}
