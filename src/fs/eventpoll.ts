/*
 * fs/eventpoll.ts: epoll: many files watched, those that are ready told.      Linux: fs/eventpoll.c
 *
 * Walk: wake_up(file.wait, key) -> epitem.wake -> ready list -> sys_epoll_wait asks each file's poll() again. epoll(7).
 * Level-triggered entries stay on the list while poll() says something; edge-triggered ones (EPOLLET) come back with the next wake-up.
 * Not here: nested epoll, EPOLLWAKEUP.
 */
import { fd_install, type file, type task_struct } from '../kernel/sched.ts';
import { wait_event, wait_queue_head, type wait_watcher, wake_up } from '../kernel/wait.ts';
import { EBADF, EEXIST, EINVAL, ENOENT, EPERM } from '../uapi/asm-generic/errno.ts';
import {
	EPOLL_CTL_ADD,
	EPOLL_CTL_DEL,
	EPOLL_CTL_MOD,
	EPOLLERR,
	EPOLLET,
	EPOLLEXCLUSIVE,
	EPOLLHUP,
	EPOLLIN,
	EPOLLONESHOT,
	EPOLLOUT,
	EPOLLRDNORM,
	EPOLLWAKEUP,
	EPOLLWRNORM,
} from '../uapi/linux/eventpoll.ts';

const EP_PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | (EPOLLET | 0) | EPOLLEXCLUSIVE;

export interface epoll_event {
	events: number;
	/** Whatever the caller gave (epoll_data). */
	data: number;
}

/** One watched file. */
class epitem implements wait_watcher {
	ep: eventpoll;
	fd: number;
	file: file;
	/** int32: EPOLLET is its sign. */
	events: number;
	data: number;
	ready = false;

	constructor(ep: eventpoll, fd: number, f: file, events: number, data: number) {
		this.ep = ep;
		this.fd = fd;
		this.file = f;
		this.events = events | 0;
		this.data = data;
	}

	/** What the file is ready for, of what is asked for. */
	revents(): number {
		let mask = this.file.poll();
		if (mask & EPOLLIN) mask |= EPOLLRDNORM;
		if (mask & EPOLLOUT) mask |= EPOLLWRNORM;
		return mask & this.events;
	}

	/** ep_poll_callback() */
	wake(key: number): void {
		// Disarmed by EPOLLONESHOT.
		if ((this.events & ~EP_PRIVATE_BITS) === 0) return;
		if (key !== 0 && (key & this.events) === 0) return;
		this.ep.add_ready(this);
	}
}

/** An epoll instance. */
export class eventpoll implements file {
	items: Map<number, epitem> = new Map();
	rdllist: epitem[] = [];
	readonly wait = new wait_queue_head();

	add_ready(item: epitem): void {
		if (!item.ready) {
			item.ready = true;
			this.rdllist.push(item);
		}
		wake_up(this.wait, EPOLLIN);
	}

	remove(item: epitem): void {
		const w = item.file.wait?.watchers;
		if (w !== null && w !== undefined) {
			const i = w.indexOf(item);
			if (i >= 0) w.splice(i, 1);
		}
		this.items.delete(item.fd);
		item.ready = false;
		this.rdllist = this.rdllist.filter((x) => x !== item);
	}

	poll(): number {
		for (const item of this.rdllist) if (item.revents() !== 0) return EPOLLIN | EPOLLRDNORM;
		return 0;
	}

	release(): void {
		for (const item of [...this.items.values()]) this.remove(item);
	}
}

function eventpoll_of(task: task_struct, epfd: number): eventpoll | number {
	const f = task.files[epfd];
	if (f === undefined || f === null) return -EBADF;
	return f instanceof eventpoll ? f : -EINVAL;
}

/** epoll_create1(2). Return: descriptor. */
export function sys_epoll_create(task: task_struct): number {
	return fd_install(task, new eventpoll());
}

/** epoll_ctl(2). Return: 0 or -errno. */
export function sys_epoll_ctl(task: task_struct, epfd: number, op: number, fd: number, event: epoll_event): number {
	const f = task.files[fd];
	if (f === undefined || f === null) return -EBADF;
	const ep = eventpoll_of(task, epfd);
	if (typeof ep === 'number') return ep;
	if (f.wait === null) return -EPERM;
	if (f === ep) return -EINVAL;
	const events = event.events | EPOLLERR | EPOLLHUP | 0;
	const old = ep.items.get(fd);
	const item = old !== undefined && old.file === f ? old : undefined;
	if ((event.events & EPOLLEXCLUSIVE) !== 0 && op === EPOLL_CTL_MOD) return -EINVAL;
	switch (op) {
		case EPOLL_CTL_ADD: {
			if (item !== undefined) return -EEXIST;
			const added = new epitem(ep, fd, f, events, event.data);
			ep.items.set(fd, added);
			f.wait.watchers ??= [];
			f.wait.watchers.push(added);
			if (added.revents() !== 0) ep.add_ready(added);
			return 0;
		}
		case EPOLL_CTL_DEL:
			if (item === undefined) return -ENOENT;
			ep.remove(item);
			return 0;
		case EPOLL_CTL_MOD:
			if (item === undefined) return -ENOENT;
			if ((item.events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
			item.events = events;
			item.data = event.data;
			if (item.revents() !== 0) ep.add_ready(item);
			return 0;
		default:
			return -EINVAL;
	}
}

/** Takes what is ready, at most `maxevents`. */
function ep_send_events(ep: eventpoll, maxevents: number, out: epoll_event[]): void {
	const list = ep.rdllist;
	ep.rdllist = [];
	for (let i = 0; i < list.length; i++) {
		const item = list[i];
		if (!item.ready) continue;
		if (out.length >= maxevents) {
			ep.rdllist.push(item);
			continue;
		}
		item.ready = false;
		// A file that was closed is watched no more.
		const revents = item.revents();
		if (revents === 0) continue;
		out.push({ events: revents, data: item.data });
		if (item.events & EPOLLONESHOT) item.events &= EP_PRIVATE_BITS;
		else if ((item.events & (EPOLLET | 0)) === 0) {
			item.ready = true;
			ep.rdllist.push(item);
		}
	}
}

/** epoll_wait(2). `timeout` in ms, negative for none. Return: how many are in `out`, or -errno. */
export async function sys_epoll_wait(
	task: task_struct,
	epfd: number,
	out: epoll_event[],
	maxevents: number,
	timeout: number,
): Promise<number> {
	const ep = eventpoll_of(task, epfd);
	if (typeof ep === 'number') return ep;
	if (maxevents <= 0) return -EINVAL;
	const deadline = timeout < 0 ? Infinity : task.machine.clock.now + timeout * 1e6;
	for (;;) {
		ep_send_events(ep, maxevents, out);
		if (out.length > 0 || timeout === 0) return out.length;
		if (task.machine.clock.now >= deadline) return 0;
		const w = await wait_event(task, ep.wait, deadline);
		if (w < 0 && task.machine.clock.now < deadline) return w;
	}
}
