/*
 * kernel/wait.ts: where processes sleep.                           Linux: kernel/sched/wait.c
 * A sleeping process counts as not runnable, so the world's clock moves on; a woken one runs before it moves again.
 */
import { clock_event } from '../lib/event_queue.ts';
import { EINTR, ETIMEDOUT } from '../uapi/asm-generic/errno.ts';
import type { task_struct } from './sched.ts';

export class wait_queue_entry {
	task: task_struct;
	queue: wait_queue_head | null;
	resolve: ((result: number) => void) | null = null;
	timeout: clock_event | null = null;
	/** Of those that wait so, a wake-up wakes the first only (WQ_FLAG_EXCLUSIVE). */
	exclusive = false;

	constructor(task: task_struct, queue: wait_queue_head | null) {
		this.task = task;
		this.queue = queue;
	}
}

/** Who is told of wake-ups without sleeping (epoll). */
export interface wait_watcher {
	/** `key`: POLL* of what happened; 0 when the waker does not say. */
	wake(key: number): void;
}

export class wait_queue_head {
	entries: wait_queue_entry[] = [];
	watchers: wait_watcher[] | null = null;
}

/** Wakes who sleeps on `queue`: all, but of exclusive sleepers one. `key`: POLL* of what happened, 0 for anything. */
export function wake_up(queue: wait_queue_head, key = 0): void {
	__wake_up(queue, key, false);
}

/** Wakes exclusive sleepers too. */
export function wake_up_all(queue: wait_queue_head, key = 0): void {
	__wake_up(queue, key, true);
}

function __wake_up(queue: wait_queue_head, key: number, all: boolean): void {
	const entries = queue.entries;
	if (entries.length > 0) {
		queue.entries = [];
		let woken = all;
		for (const e of entries) {
			if (e.exclusive && !all) {
				if (woken) {
					queue.entries.push(e);
					continue;
				}
				woken = true;
			}
			finish_wait(e, 0);
		}
	}
	if (queue.watchers !== null) for (const w of queue.watchers) w.wake(key);
}

/**
 * Sleeps on `queue` (null: only for the time). `exclusive`: one of several is enough for what comes (accept). Context: process.
 * Return: 0 when woken, -ETIMEDOUT at `deadline` (ns of the world's clock; Infinity for none), -EINTR when a signal came.
 */
export function wait_event(
	task: task_struct,
	queue: wait_queue_head | null,
	deadline: number,
	exclusive = false,
): Promise<number> {
	if (task.signal_pending) return Promise.resolve(-EINTR);
	const entry = new wait_queue_entry(task, queue);
	entry.exclusive = exclusive;
	if (queue !== null) queue.entries.push(entry);
	task.sleeping.push(entry);
	if (deadline !== Infinity) {
		entry.timeout = new clock_event(wait_timed_out, entry);
		task.machine.clock.schedule(entry.timeout, deadline);
	}
	task.machine.sched.sleep(task);
	return new Promise((resolve) => {
		entry.resolve = resolve;
	});
}

/** Ends one sleep with `result`. */
export function finish_wait(entry: wait_queue_entry, result: number): void {
	const { task, queue, timeout, resolve } = entry;
	if (queue !== null) {
		const i = queue.entries.indexOf(entry);
		if (i >= 0) queue.entries.splice(i, 1);
	}
	const s = task.sleeping.indexOf(entry);
	if (s >= 0) task.sleeping.splice(s, 1);
	if (timeout !== null) task.machine.clock.cancel(timeout);
	if (resolve !== null) {
		entry.resolve = null;
		task.machine.sched.wake(task);
		resolve(result);
	}
}

function wait_timed_out(ev: clock_event): void {
	finish_wait(ev.owner as wait_queue_entry, -ETIMEDOUT);
}
