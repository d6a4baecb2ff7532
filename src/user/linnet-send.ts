/*
 * user/linnet-send.ts: sends the IPv4 packet on its standard input by a raw socket: how `linnet trace … out` makes a host send.
 */

import { get_unaligned_be32 } from '../lib/byteorder.ts';
import { EINVAL, strerror } from '../uapi/asm-generic/errno.ts';
import { AF_INET, IPPROTO_RAW, msghdr, SO_MARK, SOCK_RAW, SOL_SOCKET, sockaddr_in } from '../uapi/linux/socket.ts';
import type { Process } from './libc.ts';

/** `linnet-send [MARK]`. Exit status 0, or 1 with the system's error. */
export async function linnet_send(proc: Process): Promise<number> {
	const packet = proc.stdin;
	let err: number;
	if (packet.length < 20) err = -EINVAL;
	else {
		const fd = proc.socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
		err = fd;
		if (fd >= 0) {
			if (proc.argv[1] !== undefined) proc.setsockopt(fd, SOL_SOCKET, SO_MARK, Number(proc.argv[1]));
			err = await proc.sendmsg(fd, new msghdr(packet, sockaddr_in(get_unaligned_be32(packet, 16), 0)));
			proc.close(fd);
		}
	}
	if (err >= 0) return 0;
	proc.stderr.write(`linnet-send: ${strerror(-err)}\n`);
	return 1;
}
