/*
 * kernel/time.ts: jiffies, timers.                                 Linux: kernel/time/timer.c, hrtimer.c
 * A timer_list fires at a jiffy (HZ = 250, as Debian's and this project's reference kernels), an hrtimer at a nanosecond.
 * A timer names a module-level function and an owner, never a closure.
 */
import { clock_event } from '../lib/event_queue.ts';
import type { Machine } from './machine.ts';

export const HZ = 250;
export const NSEC_PER_SEC = 1e9;
export const NSEC_PER_MSEC = 1e6;
export const NSEC_PER_JIFFY = NSEC_PER_SEC / HZ;

export class timer_list extends clock_event {
	machine: Machine;
	/** For `ss`, traces and people: the function's name in Linux. */
	name: string;
	function: (timer: timer_list) => void;
	/** In jiffies. */
	expires = 0;

	constructor(machine: Machine, fn: (timer: timer_list) => void, owner: unknown, name: string) {
		super(run_timer, owner);
		this.machine = machine;
		this.function = fn;
		this.name = name;
	}
}

function run_timer(ev: clock_event): void {
	const timer = ev as timer_list;
	timer.function(timer);
}

export function timer_pending(timer: timer_list): boolean {
	return timer.slot >= 0;
}

/**
 * (Re)arms the timer for `expires` jiffies. Return: whether it was pending.
 * As on Linux a timer is never early: what is armed in the middle of a tick for `jiffies + n` waits n whole ticks.
 */
export function mod_timer(timer: timer_list, expires: number): boolean {
	const pending = timer.slot >= 0;
	timer.expires = expires;
	const clock = timer.machine.clock;
	clock.schedule(timer, expires * NSEC_PER_JIFFY + (clock.now % NSEC_PER_JIFFY));
	return pending;
}

/** Disarms the timer. Return: whether it was pending. */
export function timer_delete(timer: timer_list): boolean {
	return timer.machine.clock.cancel(timer);
}

export class hrtimer extends clock_event {
	machine: Machine;
	name: string;
	function: (timer: hrtimer) => void;

	constructor(machine: Machine, fn: (timer: hrtimer) => void, owner: unknown, name: string) {
		super(run_hrtimer, owner);
		this.machine = machine;
		this.function = fn;
		this.name = name;
	}
}

function run_hrtimer(ev: clock_event): void {
	const timer = ev as hrtimer;
	timer.function(timer);
}

/** Arms the timer for `time` ns of the world's clock. */
export function hrtimer_start(timer: hrtimer, time: number): void {
	timer.machine.clock.schedule(timer, time);
}

export function hrtimer_cancel(timer: hrtimer): boolean {
	return timer.machine.clock.cancel(timer);
}

/** Whole jiffies that have begun by `ms` milliseconds, rounded up as Linux rounds. */
export function msecs_to_jiffies(ms: number): number {
	return Math.ceil((ms * HZ) / 1000);
}

export function jiffies_to_msecs(j: number): number {
	return (j * 1000) / HZ;
}

/** Rounded up. */
export function usecs_to_jiffies(us: number): number {
	return Math.ceil(us / (1e6 / HZ));
}

export function jiffies_to_usecs(j: number): number {
	return j * (1e6 / HZ);
}

/** Seconds of the machine's clock. Never 0, which many a stamp has for "not set": no kernel opens connections in its first second. */
export function ktime_get_seconds(machine: Machine): number {
	return Math.floor(machine.clock.now / NSEC_PER_SEC) + 1;
}
