/*
 * test/net/ipv4/tcp/lab.ts: two hosts on a link, and processes that speak TCP.
 */

import { proc_net_read } from '../../../../src/fs/proc_net.ts';
import { type Host, World } from '../../../../src/lab/index.ts';
import type { LinkOptions } from '../../../../src/lab/link.ts';
import { ip_pton } from '../../../../src/net/ipv4/ip.ts';
import { AF_INET, msghdr, SOCK_STREAM, type sockaddr, sockaddr_in } from '../../../../src/uapi/linux/socket.ts';
import type { Process } from '../../../../src/user/libc.ts';

export interface Pair {
	world: World;
	a: Host;
	b: Host;
}

export const A = '10.0.0.1';
export const B = '10.0.0.2';

export async function pair(options: LinkOptions = {}, seed = 1): Promise<Pair> {
	const world = new World({ seed });
	const a = world.host('a');
	const b = world.host('b');
	world.link(a.nic('eth0'), b.nic('eth0'), options);
	await a.must(`ip addr add ${A}/24 dev eth0; ip link set eth0 up`);
	await b.must(`ip addr add ${B}/24 dev eth0; ip link set eth0 up`);
	return { world, a, b };
}

export function at(text: string, port: number): sockaddr {
	return sockaddr_in(ip_pton(text), port);
}

/** A listening socket. Throws when it cannot be had. */
export function listen(p: Process, address: string, port: number, backlog = 128): number {
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0) throw new Error(`socket: ${fd}`);
	let r = p.bind(fd, at(address, port));
	if (r < 0) throw new Error(`bind: ${r}`);
	r = p.listen(fd, backlog);
	if (r < 0) throw new Error(`listen: ${r}`);
	return fd;
}

/** A connected socket, or -errno. */
export async function connect(p: Process, address: string, port: number): Promise<number> {
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0) return fd;
	const r = await p.connect(fd, at(address, port));
	return r < 0 ? r : fd;
}

export function send(p: Process, fd: number, data: string | Uint8Array, flags = 0): Promise<number> {
	return p.sendmsg(fd, new msghdr(typeof data === 'string' ? new TextEncoder().encode(data) : data), flags);
}

/** What comes next: at most `room` bytes, or -errno. */
export async function recv(p: Process, fd: number, room = 65536, flags = 0): Promise<Uint8Array | number> {
	const m = new msghdr(new Uint8Array(room));
	const n = await p.recvmsg(fd, m, flags);
	return n < 0 ? n : m.msg_iov.subarray(0, n);
}

export async function recv_text(p: Process, fd: number, room = 65536, flags = 0): Promise<string | number> {
	const b = await recv(p, fd, room, flags);
	return typeof b === 'number' ? b : new TextDecoder('latin1').decode(b);
}

/** All up to the end of the stream, or -errno. */
export async function recv_all(p: Process, fd: number): Promise<Uint8Array | number> {
	const parts: Uint8Array[] = [];
	let len = 0;
	for (;;) {
		const b = await recv(p, fd);
		if (typeof b === 'number') return b;
		if (b.length === 0) break;
		parts.push(b);
		len += b.length;
	}
	const all = new Uint8Array(len);
	let o = 0;
	for (const part of parts) {
		all.set(part, o);
		o += part.length;
	}
	return all;
}

/** Bytes that tell where they belong. */
export function pattern(len: number, seed = 1): Uint8Array {
	const b = new Uint8Array(len);
	let x = seed;
	for (let i = 0; i < len; i++) {
		x = (Math.imul(x, 1103515245) + 12345) | 0;
		b[i] = x >>> 16;
	}
	return b;
}

/** A field of /proc/net/snmp or netstat: 'Tcp', 'CurrEstab'. */
export function counter(h: Host, proto: string, field: string): number {
	for (const file of ['snmp', 'netstat']) {
		const text = proc_net_read(h.machine.init_net, file);
		const lines = String(text).split('\n');
		for (let i = 0; i + 1 < lines.length; i += 2) {
			if (!lines[i].startsWith(proto + ':')) continue;
			const k = lines[i].split(' ').indexOf(field);
			if (k > 0) return Number(lines[i + 1].split(' ')[k]);
		}
	}
	throw new Error(`no counter ${proto}${field}`);
}

/** Whether the bytes are the same: expect().toEqual takes seconds for a MB. */
export function same(got: Uint8Array | number, want: Uint8Array): boolean {
	if (typeof got === 'number' || got.length !== want.length) return false;
	for (let i = 0; i < want.length; i++) if (got[i] !== want[i]) return false;
	return true;
}
