/*
 * kernel/printk.ts: the kernel log that dmesg reads.               Linux: kernel/printk/printk.c
 */
import type { Machine } from './machine.ts';

export const KERN_EMERG = 0;
export const KERN_CRIT = 2;
export const KERN_ERR = 3;
export const KERN_WARNING = 4;
export const KERN_NOTICE = 5;
export const KERN_INFO = 6;
export const KERN_DEBUG = 7;

/** One record of the log. `ts` in ns of the world's clock. */
export interface printk_record {
	ts: number;
	level: number;
	text: string;
}

const LOG_MAX = 4096;

/** Appends a line to the machine's log; the oldest go when it is full. */
export function printk(machine: Machine, level: number, text: string): void {
	machine.log_buf.push({ ts: machine.clock.now, level, text });
	if (machine.log_buf.length > LOG_MAX) machine.log_buf.splice(0, LOG_MAX / 4);
}

/** A line at KERN_INFO, at most 10 in 5 s. */
export function net_info_ratelimited(machine: Machine, text: string): void {
	if (net_ratelimit(machine)) printk(machine, KERN_INFO, text);
}

/** Linux's `net_ratelimit()`: 10 messages in 5 s. Return: whether this one may be printed. */
export function net_ratelimit(machine: Machine): boolean {
	const now = machine.clock.now;
	if (now - machine.net_ratelimit_begin >= 5e9) {
		machine.net_ratelimit_begin = now;
		machine.net_ratelimit_printed = 0;
	}
	return machine.net_ratelimit_printed++ < 10;
}
