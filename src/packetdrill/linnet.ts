/*
 * packetdrill/linnet.ts: a script's kernel is a machine of ours, with a TUN device, in virtual time.
 */
import { tun_create, tun_do_read, type tun_file, tun_get_user } from '../drivers/net/tun.ts';
import { do_softirq } from '../kernel/softirq.ts';
import { wait_event, wait_queue_head, type wait_watcher, wake_up } from '../kernel/wait.ts';
import type { Host } from '../lab/host.ts';
import { World } from '../lab/world.ts';
import { EBADF, EINVAL } from '../uapi/asm-generic/errno.ts';
import { AF_INET, AF_UNSPEC, MSG_CTRUNC, msghdr, SOCK_NONBLOCK, sockaddr, sockaddr_in } from '../uapi/linux/socket.ts';
import { exit_process, new_process, type Process } from '../user/libc.ts';
import type { Call, CallResult, Kernel } from './kernel.ts';
import { set_sysctls } from './set_sysctls.ts';

export interface MachineConfig {
	local_ip: string;
	remote_ip: string;
	gateway_ip: string;
	prefix: number;
	mtu: number;
	/** Files that its commands may run, by path from the script's folder. */
	files: Map<string, string>;
	seed: number;
}

/** Where scripts' commands run: deep enough for ../../common/x.sh. */
const CWD = '/root/suite/topic/case';

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const O_RDWR = 2;

/** The machine of one script. Make it with `linnetKernel`. */
class LinnetKernel implements Kernel, wait_watcher {
	private world: World;
	private host: Host;
	private proc: Process;
	private tun: tun_file;
	private start = 0;
	/** What left, read as it left: what a device still holds, TCP sends again in another way. */
	private packets: { time: number; packet: Uint8Array }[] = [];
	private arrived = new wait_queue_head();

	constructor(world: World, host: Host, tun: tun_file) {
		this.world = world;
		this.host = host;
		this.tun = tun;
		tun.wait.watchers = [this];
		this.proc = new_process(host.machine, ['packetdrill'], host.programs, host.machine.init_net, host.name);
		// Descriptors 0, 1, 2 are taken, as in any process.
		for (let i = 0; i < 3; i++) this.proc.task.files[i] = { wait: null, poll: () => 0, release: () => {} };
	}

	/** A packet is in the device's queue. */
	wake(): void {
		for (let got = tun_do_read(this.tun); got !== null; got = tun_do_read(this.tun)) this.packets.push(got);
		wake_up(this.arrived);
	}

	begin(): void {
		this.start = this.world.clock.now;
	}

	now(): number {
		return (this.world.clock.now - this.start) / 1000;
	}

	private ns(us: number): number {
		return this.start + Math.round(us * 1000);
	}

	async sleepUntil(us: number): Promise<void> {
		if (this.ns(us) > this.world.clock.now) await wait_event(this.proc.task, null, this.ns(us));
		this.world.instant();
	}

	async inject(packet: Uint8Array): Promise<void> {
		tun_get_user(this.tun, packet);
		do_softirq(this.host.machine);
		this.world.instant();
	}

	async receive(deadline: number): Promise<{ time: number; packet: Uint8Array } | null> {
		for (;;) {
			const got = this.packets.shift();
			if (got !== undefined) return { time: (got.time - this.start) / 1000, packet: got.packet };
			if (this.world.clock.now >= this.ns(deadline)) return null;
			await wait_event(this.proc.task, this.arrived, this.ns(deadline));
		}
	}

	async settled(p: Promise<unknown>, deadline: number): Promise<boolean> {
		let done = false;
		const queue = new wait_queue_head();
		const end = (): void => {
			done = true;
			wake_up(queue);
		};
		p.then(end, end);
		// What needs no time of the world's is over after these turns.
		for (let i = 0; i < 8 && !done; i++) await null;
		while (!done && this.world.clock.now <= this.ns(deadline)) {
			const r = await wait_event(this.proc.task, queue, this.ns(deadline));
			if (r < 0 && !done) {
				for (let i = 0; i < 8 && !done; i++) await null;
				break;
			}
		}
		return done;
	}

	async syscall(call: Call): Promise<CallResult> {
		// A process of its own, with the same files, so that it may sleep beside the script.
		const child = this.proc.fork('packetdrill');
		child.task.files = this.proc.task.files;
		child.task.uid = this.proc.task.uid;
		try {
			const r = await this.run(child, call);
			return { ...r, time: this.now() };
		} finally {
			child.task.files = [];
			child.exit();
		}
	}

	private async run(p: Process, c: Call): Promise<Omit<CallResult, 'time'>> {
		const address = (end: { ip: number; port: number }): sockaddr => sockaddr_in(end.ip, end.port);
		switch (c.call) {
			case 'socket':
				return { ret: p.socket(c.family, c.type, c.protocol) };
			case 'bind':
				return { ret: p.bind(c.fd, address(c.addr)) };
			case 'listen':
				return { ret: p.listen(c.fd, c.backlog) };
			case 'accept': {
				const ret = await p.accept(c.fd, new sockaddr(AF_INET));
				if (ret >= 0 && (c.flags & SOCK_NONBLOCK) !== 0) p.set_nonblock(ret, true);
				return { ret };
			}
			case 'connect':
				return { ret: await p.connect(c.fd, c.addr === null ? new sockaddr(AF_UNSPEC) : address(c.addr)) };
			case 'recv': {
				const msg = new msghdr(new Uint8Array(c.len), new sockaddr(AF_INET));
				const ret = await p.recvmsg(c.fd, msg, c.flags);
				if (ret < 0) return { ret };
				const control = msg.msg_control.map((m) => ({
					level: m.level,
					type: m.type,
					data: [...m.data],
				}));
				// A caller that gives no room for control messages is told so by MSG_CTRUNC.
				const cut = !c.control && control.length > 0 ? MSG_CTRUNC : 0;
				return { ret, value: [...msg.msg_iov.subarray(0, ret)], control, msg_flags: msg.msg_flags | cut };
			}
			case 'send': {
				const len = c.iov.reduce((a, b) => a + b, 0);
				const msg = new msghdr(
					c.data === null ? new Uint8Array(len) : Uint8Array.from(c.data),
					c.addr === null ? null : address(c.addr),
				);
				if (c.iov.length > 1) msg.msg_iovlen = c.iov;
				return { ret: await p.sendmsg(c.fd, msg, c.flags) };
			}
			case 'setsockopt':
				return { ret: p.setsockopt(c.fd, c.level, c.optname, Uint8Array.from(c.value)) };
			case 'getsockopt': {
				const value = new Uint8Array(c.len);
				const ret = p.getsockopt(c.fd, c.level, c.optname, value);
				return ret < 0 ? { ret } : { ret: 0, value: [...value.subarray(0, ret)] };
			}
			case 'poll': {
				const fds = c.fds.map((f) => ({ fd: f.fd, events: f.events, revents: 0 }));
				const ret = await p.poll(fds, c.timeout);
				return { ret, revents: fds.map((f) => f.revents) };
			}
			case 'shutdown':
				return { ret: p.shutdown(c.fd, c.how) };
			case 'close':
				return { ret: await p.close_linger(c.fd) };
			case 'fcntl':
				return { ret: this.fcntl(p, c.fd, c.cmd, c.arg) };
			case 'ioctl': {
				const arg = new Uint8Array(4);
				const ret = p.ioctl(c.fd, c.cmd, arg);
				return { ret, value: [...arg] };
			}
			case 'epoll_create':
				return { ret: p.epoll_create() };
			case 'epoll_ctl':
				return { ret: p.epoll_ctl(c.epfd, c.op, c.fd, { events: c.events, data: c.fd }) };
			case 'epoll_wait': {
				const out: { events: number; data: number }[] = [];
				const ret = await p.epoll_wait(c.epfd, out, c.maxevents, c.timeout);
				return { ret, events: out.map((e) => ({ events: e.events, fd: e.data })) };
			}
		}
	}

	private fcntl(p: Process, fd: number, cmd: number, arg: number): number {
		const nonblock = p.get_nonblock(fd);
		if (nonblock < 0) return -EBADF;
		if (cmd === F_GETFL) return O_RDWR | (nonblock !== 0 ? O_NONBLOCK : 0);
		if (cmd === F_SETFL) return p.set_nonblock(fd, (arg & O_NONBLOCK) !== 0);
		return -EINVAL;
	}

	async command(script: string): Promise<{ status: number; output: string }> {
		const r = await this.host.sh(script, {
			cwd: CWD,
			// The shell's parent is process 0 ($PPID).
			env: { PACKETDRILL_PID: '0' },
		});
		this.world.instant();
		return { status: r.exitCode, output: r.stdout + r.stderr };
	}

	async localPort(fd: number): Promise<number> {
		const a = new sockaddr(AF_INET);
		return this.proc.getsockname(fd, a) < 0 ? 0 : a.sin_port;
	}

	async close(): Promise<void> {
		exit_process(this.proc);
	}
}

/** `path` from the folder `base`, without its dots. */
function resolve(base: string, path: string): string {
	const parts = base.split('/');
	for (const p of path.split('/')) {
		if (p === '..') parts.pop();
		else if (p !== '.' && p !== '') parts.push(p);
	}
	return parts.join('/');
}

/** Boots a machine as packetdrill sets one up, and runs `work` on it. Throws what `work` throws. */
export async function withLinnetKernel(config: MachineConfig, work: (kernel: Kernel) => Promise<void>): Promise<void> {
	const world = new World({ seed: config.seed });
	const files: Record<string, string> = {};
	files[`${CWD}/.keep`] = '';
	for (const [name, text] of config.files)
		files[resolve(CWD, name)] = /(^|\/)set_sysctls\.py$/.test(name) ? '#!/bin/bash\nset_sysctls.py "$@"\n' : text;
	const host = world.host('packetdrill', { files, programs: new Map([['set_sysctls.py', set_sysctls]]) });
	const tun = tun_create(host.machine.init_net, 'tun0');
	if (typeof tun === 'number') throw new Error(`packetdrill: no TUN device: error ${-tun}`);
	await host.must(
		`${Object.keys(files)
			.map((f) => `chmod +x ${f}\n`)
			.join(
				'',
			)}ip link set dev tun0 mtu ${config.mtu} up\nip addr add ${config.local_ip}/${config.prefix} dev tun0\nip route add ${config.remote_ip}/32 dev tun0${config.gateway_ip === config.local_ip ? '' : ` via ${config.gateway_ip} onlink`}`,
	);
	// A machine that has been up for a while: a time stamp of 0 means "none" to TCP.
	await world.run('10s');
	const kernel = new LinnetKernel(world, host, tun);
	try {
		await world.job(async () => {
			kernel.begin();
			await work(kernel);
		});
	} finally {
		await kernel.close();
	}
}
