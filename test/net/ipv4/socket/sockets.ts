/*
 * test/net/ipv4/socket/sockets.ts: sockets without waiting: a call that would sleep says -EAGAIN.
 */

import type { task_struct } from '../../../../src/kernel/sched.ts';
import { ip_pton } from '../../../../src/net/ipv4/ip.ts';
import {
	type socket,
	sockfd_lookup,
	sys_bind,
	sys_close,
	sys_getsockopt,
	sys_setsockopt,
	sys_socket,
} from '../../../../src/net/socket.ts';
import { type cmsghdr, msghdr, type sockaddr, sockaddr_in } from '../../../../src/uapi/linux/socket.ts';

/** Whose sockets. */
export interface Owner {
	task: task_struct;
}

export function addr(text: string, port = 0): sockaddr {
	return sockaddr_in(ip_pton(text), port);
}

export function int(v: number): Uint8Array {
	return Uint8Array.of(v, v >>> 8, v >>> 16, v >>> 24);
}

export interface Received {
	n: number;
	text: string;
	from: sockaddr | null;
	control: cmsghdr[];
	flags: number;
}

/** One descriptor. */
export class Sock {
	r: Owner;
	fd: number;

	constructor(r: Owner, family: number, type: number, protocol = 0) {
		this.r = r;
		this.fd = sys_socket(r.task, family, type, protocol);
	}

	private get socket(): socket {
		const s = sockfd_lookup(this.r.task, this.fd);
		if (typeof s === 'number') throw new Error(`descriptor ${this.fd}: ${s}`);
		return s;
	}

	bind(a: sockaddr): number {
		return sys_bind(this.r.task, this.fd, a);
	}

	connect(a: sockaddr): number {
		return this.socket.ops.connect(this.socket, a, 0);
	}

	send(data: string | Uint8Array, to: sockaddr | null = null, flags = 0, control: cmsghdr[] = []): number {
		const m = new msghdr(typeof data === 'string' ? new TextEncoder().encode(data) : data, to);
		m.msg_control = control;
		return this.socket.ops.sendmsg(this.socket, m, flags);
	}

	recv(flags = 0, room = 2000): Received {
		const m = new msghdr(new Uint8Array(room));
		const n = this.socket.ops.recvmsg(this.socket, m, flags);
		const text = n > 0 ? new TextDecoder('latin1').decode(m.msg_iov.subarray(0, Math.min(n, room))) : '';
		return { n, text, from: m.msg_name, control: m.msg_control, flags: m.msg_flags };
	}

	set(level: number, name: number, v: number | Uint8Array): number {
		return sys_setsockopt(this.r.task, this.fd, level, name, typeof v === 'number' ? int(v) : v);
	}

	get(level: number, name: number, size = 4): number {
		const v = new Uint8Array(size);
		const n = sys_getsockopt(this.r.task, this.fd, level, name, v);
		return n < 0 ? n : v[0] | (v[1] << 8) | (v[2] << 16) | (v[3] << 24);
	}

	poll(): number {
		return this.socket.ops.poll(this.socket);
	}

	close(): void {
		sys_close(this.r.task, this.fd);
	}
}
