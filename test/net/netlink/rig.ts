/*
 * test/net/netlink/rig.ts: a booted machine and a process that speaks netlink to it, message by message.
 */
import { start_kernel } from '../../../src/boot/start_kernel.ts';
import { Machine } from '../../../src/kernel/machine.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../../src/lib/byteorder.ts';
import { EventQueue } from '../../../src/lib/event_queue.ts';
import {
	NLMSG_ALIGN,
	nla_get_string,
	nla_list,
	type nlattr,
	type nlbuf,
	nlbuf_bytes,
	nlmsg_ok,
	nlmsghdr,
} from '../../../src/lib/nlattr.ts';
import { NETLINK_EXT_ACK, NETLINK_ROUTE } from '../../../src/uapi/linux/netlink.ts';
import {
	AF_NETLINK,
	MSG_DONTWAIT,
	msghdr,
	SOCK_RAW,
	SOL_NETLINK,
	sockaddr_nl,
} from '../../../src/uapi/linux/socket.ts';
import { ip } from '../../../src/user/iproute2/ip.ts';
import { request } from '../../../src/user/iproute2/libnetlink.ts';
import { exit_process, new_process, type Process } from '../../../src/user/libc.ts';

/** No file is there. */
const no_disk: Machine['rootfs'] = {
	read: async () => -2,
	write: async () => -2,
	readdir: async () => -2,
	mkdir: async () => -2,
	unlink: async () => -2,
};

export function machine(): Machine {
	const clock = new EventQueue();
	const m = new Machine('m', clock, 1, { sleep() {}, wake() {}, fork() {}, exit() {} });
	m.rootfs = no_disk;
	start_kernel(m);
	return m;
}

export function process(m: Machine, argv: string[] = ['test']): Process {
	return new_process(m, argv, new Map(), m.init_net, 'm');
}

/** Lets what is due happen, up to `ms` from now. */
export function pass(m: Machine, ms = 1): void {
	const clock = m.clock as EventQueue;
	const until = clock.now + ms * 1e6;
	while (clock.step(until));
	clock.now = Math.max(clock.now, until);
}

/** Runs `ip ARGS`. Return: what it printed, errors behind. */
export async function run_ip(m: Machine, args: string, parent: Process | null = null): Promise<string> {
	const proc = process(m, ['ip', ...args.split(' ')]);
	if (parent !== null) proc.task.nsproxy = parent.task.nsproxy;
	await ip(proc);
	exit_process(proc);
	pass(m);
	return proc.stdout.text() + proc.stderr.text();
}

/** A netlink socket of a process. */
export class NlSocket {
	proc: Process;
	fd: number;
	private seq = 0;

	constructor(proc: Process, protocol = NETLINK_ROUTE, groups = 0) {
		this.proc = proc;
		this.fd = proc.socket(AF_NETLINK, SOCK_RAW, protocol);
		if (this.fd >= 0) proc.bind(this.fd, sockaddr_nl(0, groups));
	}

	opt(name: number, value = 1): number {
		return this.proc.setsockopt(this.fd, SOL_NETLINK, name, value);
	}

	get ext_ack(): this {
		this.opt(NETLINK_EXT_ACK);
		return this;
	}

	send(req: nlbuf): Promise<number> {
		put_unaligned_le32(req.data, 0, req.len);
		put_unaligned_le32(req.data, 8, ++this.seq);
		return this.proc.sendmsg(this.fd, new msghdr(nlbuf_bytes(req).slice()), 0);
	}

	raw(bytes: Uint8Array): Promise<number> {
		return this.proc.sendmsg(this.fd, new msghdr(bytes), 0);
	}

	/** One datagram's messages, or -errno. */
	async recv(size = 32768): Promise<nlmsghdr[] | number> {
		const msg = new msghdr(new Uint8Array(size), sockaddr_nl(0, 0));
		const n = await this.proc.recvmsg(this.fd, msg, MSG_DONTWAIT);
		if (n < 0) return n;
		const b = msg.msg_iov.subarray(0, n);
		const out: nlmsghdr[] = [];
		for (let off = 0; nlmsg_ok(b, off, b.length); off += NLMSG_ALIGN(out[out.length - 1].nlmsg_len)) {
			out.push(new nlmsghdr(b, off));
		}
		return out;
	}

	/** Sends, and reads one datagram. */
	async talk(req: nlbuf): Promise<nlmsghdr[]> {
		const sent = await this.send(req);
		if (sent < 0) throw new Error(`sendmsg: ${sent}`);
		const r = await this.recv();
		if (typeof r === 'number') throw new Error(`recvmsg: ${r}`);
		return r;
	}

	/** A dump's datagrams, a list of messages each, the last with NLMSG_DONE. */
	async dump(req: nlbuf, size = 32768): Promise<nlmsghdr[][]> {
		await this.send(req);
		const parts: nlmsghdr[][] = [];
		for (;;) {
			const r = await this.recv(size);
			if (typeof r === 'number') throw new Error(`recvmsg: ${r}`);
			parts.push(r);
			if (r.some((n) => n.nlmsg_type === 3 || n.nlmsg_type === 2)) return parts;
		}
	}
}

export { request };

/** An NLMSG_ERROR: the errno, and what the extended ack says. */
export function ack(n: nlmsghdr): { errno: number; msg: string | null; offs: number | null } {
	const errno = 0 - (get_unaligned_le32(n.buf, n.data) | 0);
	const inner = get_unaligned_le32(n.buf, n.data + 4);
	const at = n.data + 4 + ((n.nlmsg_flags & 0x100) !== 0 ? 16 : NLMSG_ALIGN(inner));
	let msg: string | null = null;
	let offs: number | null = null;
	if ((n.nlmsg_flags & 0x200) !== 0) {
		for (const a of nla_list(n.buf, at, n.end)) {
			if (a.type === 1) msg = nla_get_string(a);
			if (a.type === 2) offs = get_unaligned_le32(a.buf, a.off);
		}
	}
	return { errno, msg, offs };
}

export function attrs(n: nlmsghdr, hdrlen: number): nlattr[] {
	return nla_list(n.buf, n.data + NLMSG_ALIGN(hdrlen), n.end);
}
