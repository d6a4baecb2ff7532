/*
 * test/net/ipv4/socket/errno.ts: an errno's name, for messages of tests.
 */
import * as errno from '../../../../src/uapi/asm-generic/errno.ts';

/** `EINVAL` for 22; the first name where there are two. */
export function errno_name(n: number): string {
	for (const [name, value] of Object.entries(errno))
		if (value === n && name !== 'EWOULDBLOCK' && name !== 'ENOTSUP') return name;
	return String(n);
}
