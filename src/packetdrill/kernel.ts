/*
 * packetdrill/kernel.ts: what a script is run on: linnet's kernel in virtual time, or the real one (test/packetdrill) behind the same words.
 */
import type { End } from './wire.ts';

/** A system call with its arguments as bytes and numbers. `fd`s are the kernel's own. */
export type Call =
	| { call: 'socket'; family: number; type: number; protocol: number }
	| { call: 'bind'; fd: number; addr: End }
	| { call: 'listen'; fd: number; backlog: number }
	| { call: 'accept'; fd: number; flags: number }
	/** `addr` null: AF_UNSPEC. */
	| { call: 'connect'; fd: number; addr: End | null }
	/** `name`: as the script says it (read, recvmsg, …): read(2) and write(2) are recvmsg and sendmsg without flags. */
	| { call: 'recv'; fd: number; len: number; flags: number; control: boolean }
	| { call: 'send'; fd: number; iov: number[]; data: number[] | null; flags: number; addr: End | null }
	| { call: 'setsockopt'; fd: number; level: number; optname: number; value: number[] }
	| { call: 'getsockopt'; fd: number; level: number; optname: number; len: number }
	| { call: 'poll'; fds: { fd: number; events: number }[]; timeout: number }
	| { call: 'shutdown'; fd: number; how: number }
	| { call: 'close'; fd: number }
	| { call: 'fcntl'; fd: number; cmd: number; arg: number }
	| { call: 'ioctl'; fd: number; cmd: number }
	| { call: 'epoll_create' }
	| { call: 'epoll_ctl'; epfd: number; op: number; fd: number; events: number }
	| { call: 'epoll_wait'; epfd: number; maxevents: number; timeout: number };

export interface Control {
	level: number;
	type: number;
	data: number[];
}

export interface CallResult {
	/** The call's result, or -errno. */
	ret: number;
	/** getsockopt's and ioctl's value, recv's bytes. */
	value?: number[];
	/** recvmsg's. */
	control?: Control[];
	msg_flags?: number;
	/** poll's, in order; epoll_wait's events with their descriptors. */
	revents?: number[];
	events?: { events: number; fd: number }[];
	/** us when it returned. */
	time: number;
}

export interface Kernel {
	/** us since the script began. */
	now(): number;
	sleepUntil(us: number): Promise<void>;
	/** A packet comes in by the test's device. */
	inject(packet: Uint8Array): Promise<void>;
	/** The next packet that left, with its time in us; null when none came by `deadline`. */
	receive(deadline: number): Promise<{ time: number; packet: Uint8Array } | null>;
	/** Starts a call; the promise ends when it returns. */
	syscall(call: Call): Promise<CallResult>;
	/** Waits until `p` is done, at most until `deadline`. Return: whether it is. */
	settled(p: Promise<unknown>, deadline: number): Promise<boolean>;
	/** Runs shell commands. Return: exit status and all they printed. */
	command(script: string): Promise<{ status: number; output: string }>;
	/** The local port that a socket has. */
	localPort(fd: number): Promise<number>;
	close(): Promise<void>;
}
