/*
 * test/user/iproute2/relay.ts: a process whose system calls somebody else answers: the real kernel (compare.ts) or a recording (ip.test.ts).
 */
import type { msghdr, sockaddr } from '../../../src/uapi/linux/socket.ts';
import { OutStream, type Process, utf8_decode } from '../../../src/user/libc.ts';

export type Json = string | number | null | Json[] | { [k: string]: Json };

function num(r: Json): number {
	return typeof r === 'number' ? r : -((r as { errno: number }).errno ?? 22);
}

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');

/** What a program sees, over a relay. */
export function relay_process(call: (op: string, args: Json[]) => Json, argv: string[]): Process {
	const proc = {
		argv,
		env: new Map<string, string>(),
		cwd: '/',
		stdin: new Uint8Array(0),
		stdout: new OutStream(),
		stderr: new OutStream(),
		task: { signal_pending: false },
		socket: (f: number, t: number, p: number) => num(call('socket', [f, t, p])),
		bind: (fd: number, a: sockaddr) => num(call('bind', [fd, a.nl_pid, a.nl_groups])),
		getsockname: (fd: number, a: sockaddr) => {
			const r = call('getsockname', [fd]);
			if (!Array.isArray(r)) return num(r);
			a.nl_pid = (r[0] as number) >>> 0;
			a.nl_groups = r[1] as number;
			return 0;
		},
		setsockopt: (fd: number, l: number, o: number, v: number | Uint8Array) => {
			const b = typeof v === 'number' ? Uint8Array.of(v, v >>> 8, v >>> 16, v >>> 24) : v;
			return num(call('setsockopt', [fd, l, o, hex(b)]));
		},
		sendmsg: async (fd: number, m: msghdr) => num(call('send', [fd, hex(m.msg_iov)])),
		recvmsg: async (fd: number, m: msghdr, flags: number) => {
			const r = call('recv', [fd, m.msg_iov.length, flags]);
			const ok = r as { len?: number; data: string; pid: number; groups: number };
			if (ok.len === undefined) return num(r);
			m.msg_iov.set(Buffer.from(ok.data, 'hex').subarray(0, m.msg_iov.length));
			if (m.msg_name !== null) {
				m.msg_name.nl_pid = ok.pid;
				m.msg_name.nl_groups = ok.groups;
			}
			return ok.len;
		},
		close: (fd: number) => num(call('close', [fd])),
		open_netns: (p: string) => num(call('open', [p])),
		setns: (fd: number) => num(call('setns', [fd])),
		netns_ino: (fd: number) => num(call('ino', [fd])),
		readFile: async (p: string) => {
			const r = call('read', [p]);
			return typeof r === 'string' ? utf8_decode(Buffer.from(r, 'hex')) : num(r);
		},
		readFileBytes: async (p: string) => {
			const r = call('read', [p]);
			return typeof r === 'string' ? new Uint8Array(Buffer.from(r, 'hex')) : num(r);
		},
		ioctl: (fd: number, cmd: number, arg: Uint8Array) => num(call('ioctl', [fd, cmd, hex(arg)])),
		netns_umount: () => -2,
		readdir: async (p: string) => {
			const r = call('readdir', [p]);
			return Array.isArray(r) ? (r as string[]) : num(r);
		},
		writeFile: async () => 0,
		realtime: () => ({ sec: 1_700_000_000, nsec: 0 }),
		monotonic: () => 0,
		random: () => 4,
		on_signal: () => {},
	};
	return proc as unknown as Process;
}
