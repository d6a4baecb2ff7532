/*
 * sockets/loop.ts: what an event loop is to a program: sockets that tell when they are ready, and timers. A guest of the host's world.
 *
 * Walk: the kernel wakes a socket -> Handle.wake puts it in line -> the world, between two events, asks `next` for it -> Handle.dispatch calls
 * whoever holds the socket, from Node's (or the browser's) own event loop. Calls go the other way at once: `loop.enter()`, then a system call
 * of `loop.proc` that never waits.
 *
 * Time. While something of a socket's is under way (a connection being made, data not yet acknowledged, a frame on a cable) virtual time passes as
 * fast as it can; while all sockets only wait, it keeps to real time, since what they wait for is the program's business. With `new World({ pace: 1 })`
 * it always keeps to real time. Sockets' own timers (setTimeout) go by virtual time. A socket that is open keeps the process alive unless it was
 * `unref`ed; when the last one is closed the world stands still again, and the process may end.
 */
import type { task_struct } from '../kernel/sched.ts';
import type { Guest, Host } from '../lab/index.ts';
import { clock_event } from '../lib/event_queue.ts';
import type { sock } from '../net/core/sock.ts';
import { TCP_CLOSE, TCP_SYN_SENT } from '../net/core/sock.ts';
import { tcp_sk } from '../net/ipv4/tcp_sock.ts';
import { socket } from '../net/socket.ts';
import type { Process } from '../user/libc.ts';

/** What can stand in line. */
interface Turn {
	turn(): void;
}

/** Runs `work` soon, from the surroundings' event loop. */
export function soon(work: () => void): void {
	if (typeof setImmediate === 'function') setImmediate(work);
	else {
		const channel = new MessageChannel();
		channel.port1.onmessage = () => {
			channel.port1.close();
			work();
		};
		channel.port2.postMessage(null);
	}
}

/** States in which a FIN is on its way. */
const CLOSING = (1 << 4) | (1 << 9) | (1 << 11);

/** Whether something that a TCP socket sent is not answered yet. */
function underWay(sk: sock): boolean {
	const state = sk.sk_state;
	if (state === TCP_CLOSE) return false;
	return state === TCP_SYN_SENT || tcp_sk(sk).packets_out > 0 || ((CLOSING >> state) & 1) !== 0;
}

/** A socket that tells when it is ready. */
export abstract class Handle {
	readonly loop: Loop;
	fd = -1;
	/** It keeps the process alive. */
	alive = true;
	private queued = false;

	constructor(loop: Loop) {
		this.loop = loop;
	}

	/** Takes care of `fd` from now on. */
	protected open(fd: number): void {
		this.fd = fd;
		this.loop.proc.set_nonblock(fd, true);
		this.loop.proc.fasync(fd, this);
		this.loop.add(this);
	}

	/** @internal From within the kernel: something has happened to the socket. */
	wake(): void {
		if (this.queued || this.fd < 0) return;
		this.queued = true;
		this.loop.push(this);
	}

	/** @internal Its turn. */
	turn(): void {
		this.queued = false;
		if (this.fd >= 0) this.dispatch();
	}

	/** Tells the holder what there is. Asked again after each wake-up, and after `wake()`. */
	protected abstract dispatch(): void;

	/** The socket's inside. */
	protected get sk(): sock | null {
		const f = (this.loop.proc.task as task_struct).files[this.fd];
		return f instanceof socket ? f.sk : null;
	}

	/** Says that something has been sent that the peer has to answer. */
	protected sent(): void {
		const sk = this.sk;
		if (sk !== null) this.loop.watch(sk);
	}

	get closed(): boolean {
		return this.fd < 0;
	}

	ref(): void {
		this.alive = true;
		this.loop.host.world.notify();
	}

	unref(): void {
		this.alive = false;
		this.loop.host.world.notify();
	}

	/** close(2). `done` is called soon after. */
	close(done: (() => void) | null = null): void {
		const { loop, fd } = this;
		if (fd >= 0) {
			loop.enter();
			const sk = this.sk;
			loop.remove(this);
			loop.proc.close(fd);
			this.fd = -1;
			if (sk !== null && sk.sk_type === 1) loop.watch(sk);
		}
		if (done !== null) soon(done);
	}
}

/** A timer in the world's time. */
export class LoopTimer {
	private loop: Loop;
	private event: clock_event;
	private work: () => void;

	constructor(loop: Loop, work: () => void) {
		this.loop = loop;
		this.work = work;
		this.event = new clock_event(expired, this);
	}

	/** (Re)starts it. */
	start(ms: number): void {
		const { clock } = this.loop.host.world;
		clock.schedule(this.event, clock.now + ms * 1e6);
	}

	stop(): void {
		this.loop.host.world.clock.cancel(this.event);
	}

	/** @internal */
	expire(): void {
		this.loop.push(this);
	}

	turn(): void {
		this.work();
	}
}

function expired(ev: clock_event): void {
	(ev.owner as LoopTimer).expire();
}

/** The event loop of a host's one process that holds all sockets of this kind. */
export class Loop implements Guest {
	readonly host: Host;
	readonly proc: Process;
	/** Where reads go, before they are cut to size. */
	readonly scratch: Uint8Array = new Uint8Array(65536);
	private handles: Set<Handle> = new Set();
	private line: Turn[] = [];
	private head = 0;
	private sending: Set<sock> = new Set();

	constructor(host: Host) {
		this.host = host;
		this.proc = host.daemon('node');
	}

	get alive(): boolean {
		for (const h of this.handles) if (h.alive) return true;
		return false;
	}

	busy(): boolean {
		for (const sk of this.sending) {
			if (underWay(sk)) return true;
			this.sending.delete(sk);
		}
		return false;
	}

	next(): (() => void) | null {
		const { line } = this;
		if (this.head === line.length) return null;
		const first = line[this.head++];
		if (this.head === line.length) {
			line.length = 0;
			this.head = 0;
		} else if (this.head > 1024) {
			line.splice(0, this.head);
			this.head = 0;
		}
		return () => first.turn();
	}

	/** To be said before each system call. */
	enter(): void {
		this.host.world.enter();
	}

	/** @internal */
	push(what: Turn): void {
		this.line.push(what);
		this.host.world.notify();
	}

	/** @internal Calls `work` in its turn. */
	call(work: () => void): void {
		if (this.handles.size > 0) this.push({ turn: work });
		else soon(work);
	}

	/** @internal */
	watch(sk: sock): void {
		this.sending.add(sk);
	}

	/** @internal */
	add(handle: Handle): void {
		this.handles.add(handle);
		if (this.handles.size === 1) this.host.world.attach(this);
	}

	/** @internal */
	remove(handle: Handle): void {
		this.handles.delete(handle);
		if (this.handles.size === 0) this.host.world.detach(this);
	}
}
