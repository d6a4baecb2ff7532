/*
 * user/ethtool/messages.ts: what ethtool says when the kernel says no.     Original: ethtool 6.1, netlink/nlsock.c
 */
import { ENODEV, strerror } from '../../uapi/asm-generic/errno.ts';
import type { Process } from '../libc.ts';

export function netlink_error(proc: Process, text: string): void {
	proc.stderr.write(`netlink error: ${text}\n`);
}

/** An error as the kernel's ethtool netlink would word it. Return: `status`. */
export function no_device(proc: Process, err: number, status: number): number {
	if (err === -ENODEV) netlink_error(proc, 'no device matches name (offset 24)');
	netlink_error(proc, strerror(-err));
	return status;
}

/** Where the first parameter stands in a request about `name`: behind both headers and the device's name. */
export function offset_of_first(name: string): number {
	return 24 + ((4 + name.length + 1 + 3) & ~3);
}
