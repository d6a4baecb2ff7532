/*
 * test/harness/linnet_lab.ts: the linnet side of a scenario: a World with its hosts, cables and switches.
 * Walk: start -> run, background, join, send, socket, wait -> mark ... finish (frames from the taps, drops, counters from /proc/net, log).
 */
import { constants } from 'node:os';
import { type Host, type Job, type Nic, World } from '../../src/lab/index.ts';
import * as uapi from '../../src/uapi/linux/socket.ts';
import { type cmsghdr, msghdr, type sockaddr, sockaddr_in, sockaddr_ll } from '../../src/uapi/linux/socket.ts';
import { new_process, type Process } from '../../src/user/libc.ts';
import { type Frame, type Observation, type Output, type Side, SideError } from './run.ts';
import type { Scenario, SocketOp } from './scenario.ts';

const { AF_INET, AF_PACKET, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOL_IP, SOL_SOCKET, MSG_DONTWAIT, MSG_ERRQUEUE } = uapi;
const EAGAIN = 11;
const EINPROGRESS = 115;
const SIGNALS: Record<string, number> = { INT: 2, QUIT: 3, KILL: 9, TERM: 15 };

/** How long the wires must be quiet for a step to be over; on the live kernel starting a program takes about as long. */
const QUIET_MS = 10;

class LinnetSide implements Side {
	#world = new World({ seed: 1 });
	#hosts = new Map<string, Host>();
	#nics = new Map<string, Nic>();
	#frames: Frame[] = [];
	#drops: Observation['drops'] = [];
	#base: Observation['counters'] = {};
	#jobs = new Map<string, Job>();
	#senders = new Map<string, { proc: Process; fd: number }>();
	#logged = new Map<string, number>();
	#sockets = new Map<string, { proc: Process; fd: number }>();

	async start(s: Scenario): Promise<void> {
		for (const h of s.hosts) {
			const host = this.#world.host(h.name);
			this.#hosts.set(h.name, host);
			host.onDrop((d) => this.#drops.push({ reason: d.reason, at: d.location }));
		}
		for (const n of s.nics)
			this.#nics.set(`${n.host}:${n.name}`, this.#hosts.get(n.host)!.nic(n.name, { mac: n.mac, mtu: n.mtu }));
		for (const l of s.links) {
			const nics = l.ends.map((e) => this.#nics.get(e)!);
			const medium = l.isSwitch ? this.#world.switch(l.name, nics) : this.#world.link(nics[0], nics[1]);
			/** Frames that the switch has taken and perhaps not handed on to all. */
			const under: Frame[] = [];
			medium.tap(({ nic, direction, bytes }) => {
				const end = `${nic}`;
				if (direction === 'out') {
					const frame: Frame = { from: end, to: l.isSwitch ? [] : l.ends.filter((e) => e !== end), bytes };
					this.#frames.push(frame);
					if (l.isSwitch) under.push(frame);
				} else if (l.isSwitch) {
					const same = under.find((f) => f.from !== end && !f.to.includes(end) && Buffer.compare(f.bytes, bytes) === 0);
					same?.to.push(end);
				}
			});
		}
		for (const h of s.hosts) {
			const own = s.nics.filter((n) => n.host === h.name);
			const up = ['lo', ...own.map((n) => n.name)].map((d) => `ip link set ${d} up`);
			const done = await this.run(h.name, up.join(' && '), 20);
			if (done.status !== 0) throw new SideError(`${h.name} cannot set its devices up: ${done.stderr.trim()}`);
		}
	}

	/** Waits for a promise while virtual time passes, for at most so many virtual seconds (and 20 real ones). */
	async #within<T>(work: Promise<T>, seconds: number): Promise<T> {
		const virtual = this.#world.now;
		const real = performance.now();
		let timer: NodeJS.Timeout | undefined;
		// Not world.run(seconds): a goal that is left over would let time pass between the steps.
		const late = new Promise<never>((_, reject) => {
			timer = setInterval(() => {
				if (this.#world.now - virtual > seconds * 1000) reject(new SideError(`still running after ${seconds} s`));
				else if (performance.now() - real > 20_000) reject(new SideError('stuck: 20 s of real time have passed'));
			}, 20);
		});
		try {
			return await Promise.race([work, late]);
		} finally {
			clearInterval(timer);
		}
	}

	async #settle(): Promise<void> {
		await this.#world.run(QUIET_MS);
	}

	async run(host: string, script: string, timeout: number): Promise<Output> {
		const r = await this.#within(this.#hosts.get(host)!.sh(script), timeout);
		await this.#settle();
		return { stdout: r.stdout, stderr: r.stderr, status: r.exitCode };
	}

	async background(host: string, script: string, as: string, until?: string): Promise<void> {
		const job = this.#hosts.get(host)!.spawn(script);
		this.#jobs.set(as, job);
		const said = () => job.stdout.text() + job.stderr.text();
		for (let ms = 0; until ? !said().includes(until) : ms < 50; ms += 10) {
			if (ms > 5000) throw new SideError(`did not say '${until}' within 5 s; it said '${said()}'`);
			await this.#world.run(10);
		}
		await this.#settle();
	}

	async join(as: string, signal: string | undefined, timeout: number): Promise<Output> {
		const job = this.#jobs.get(as)!;
		if (signal) job.kill(SIGNALS[signal]);
		const status = await this.#within(job.done, timeout);
		await this.#settle();
		// Python's way to say that a signal ended a process.
		const killed = signal !== undefined && status === 128 + SIGNALS[signal];
		return { stdout: job.stdout.text(), stderr: job.stderr.text(), status: killed ? -SIGNALS[signal] : status };
	}

	async send(from: string, frames: Uint8Array[], burst: boolean): Promise<void> {
		const nic = this.#nics.get(from)!;
		let s = this.#senders.get(from);
		if (!s) {
			const host = nic.host;
			const proc = new_process(host.machine, ['sender'], host.programs, nic.dev.net, host.name);
			const fd = proc.socket(AF_PACKET, SOCK_RAW, 0);
			if (fd < 0) throw new SideError(`${from}: no packet socket: error ${-fd}`);
			const bound = proc.bind(fd, sockaddr_ll(0, nic.dev.ifindex));
			if (bound < 0) throw new SideError(`${from}: packet socket cannot be bound: error ${-bound}`);
			this.#senders.set(from, (s = { proc, fd }));
		}
		for (const frame of frames) {
			const sent = await s.proc.sendmsg(s.fd, new msghdr(frame));
			if (sent < 0) throw new SideError(`${from} cannot send ${frame.length} bytes: error ${-sent}`);
			if (!burst) await this.#world.run(3);
		}
		await this.#settle();
	}

	async socket(host: string, op: SocketOp): Promise<Output> {
		const stdout = await this.#within(this.#socketOp(this.#hosts.get(host)!, op), 5);
		await this.#settle();
		return { stdout, stderr: '', status: 0 };
	}

	async #socketOp(host: Host, op: SocketOp): Promise<string> {
		if (op.do === 'open') {
			const proc = new_process(host.machine, ['socket'], host.programs, host.machine.init_net, host.name);
			const type = { udp: SOCK_DGRAM, tcp: SOCK_STREAM, raw: SOCK_RAW, ping: SOCK_DGRAM }[op.type!];
			const fd = proc.socket(AF_INET, type, op.type === 'raw' ? (op.protocol ?? 1) : op.type === 'ping' ? 1 : 0);
			if (fd < 0) return `${errorName(fd)}\n`;
			for (const [name, value] of Object.entries(op.set ?? {})) {
				const number = (uapi as unknown as Record<string, number>)[name];
				if (number === undefined) throw new SideError(`linnet has no option ${name}`);
				const err = proc.setsockopt(
					fd,
					name.startsWith('SO_') ? SOL_SOCKET : SOL_IP,
					number,
					optionValue(host, name, value),
				);
				if (err < 0) return `${errorName(err)} at ${name}\n`;
			}
			if (op.bind) {
				const err = proc.bind(fd, address(op.bind));
				if (err < 0) return `${errorName(err)} at bind\n`;
			}
			if (op.connect) {
				const err = await proc.connect(fd, address(op.connect));
				if (err < 0 && err !== -EINPROGRESS) return `${errorName(err)} at connect\n`;
			}
			this.#sockets.set(op.name, { proc, fd });
			if (op.type === 'raw' || op.type === 'ping') return 'ok\n';
			const name = sockaddr_in(0, 0);
			proc.getsockname(fd, name);
			return `ok ${endpoint(name)}\n`;
		}
		const s = this.#sockets.get(op.name);
		if (!s) return 'EBADF\n';
		const { proc, fd } = s;
		if (op.do === 'close') {
			proc.close(fd);
			this.#sockets.delete(op.name);
			return 'ok\n';
		}
		if (op.do === 'sendto') {
			const data = Uint8Array.from(op.data!, (c) => c.charCodeAt(0));
			const sent = await proc.sendmsg(fd, new msghdr(data, op.to ? address(op.to) : null), MSG_DONTWAIT);
			return sent < 0 ? `${errorName(sent)}\n` : `sent ${sent}\n`;
		}
		let out = '';
		for (;;) {
			const msg = new msghdr(new Uint8Array(65536), sockaddr_in(0, 0));
			const n = await proc.recvmsg(fd, msg, MSG_DONTWAIT | (op.errqueue ? MSG_ERRQUEUE : 0));
			if (n === -EAGAIN) return out || 'nothing\n';
			if (n < 0) {
				out += `${errorName(n)}\n`;
				continue;
			}
			const data = JSON.stringify(String.fromCharCode(...msg.msg_iov.subarray(0, n)));
			out += `${endpoint(msg.msg_name!)} ${data}${msg.msg_control.map((c) => describeControl(host, c)).join('')}\n`;
		}
	}

	async wait(seconds: number): Promise<void> {
		await this.#world.run(seconds * 1000);
	}

	async mark(): Promise<void> {
		await this.#settle();
		this.#frames = [];
		this.#drops = [];
		for (const [name, host] of this.#hosts) {
			this.#base[name] = await this.#counters(host);
			this.#logged.set(name, host.machine.log_buf.length);
		}
	}

	async #counters(host: Host): Promise<Record<string, number>> {
		const found: Record<string, number> = {};
		const text = async (path: string) => {
			const r = await this.#within(host.sh(`cat ${path}`), 5);
			// A file that is missing shows as counters that did not move.
			return r.exitCode === 0 ? r.stdout.trimEnd().split('\n') : [];
		};
		for (const path of ['/proc/net/snmp', '/proc/net/netstat']) {
			const lines = await text(path);
			for (let i = 0; i + 1 < lines.length; i += 2) {
				const [group, ...keys] = lines[i].split(/\s+/);
				const values = lines[i + 1].split(/\s+/).slice(1);
				keys.forEach((k, j) => {
					found[group.replace(':', '.') + k] = Number(values[j]);
				});
			}
		}
		for (const line of await text('/proc/net/snmp6')) {
			const [key, value] = line.split(/\s+/);
			found[key] = Number(value);
		}
		for (const line of (await text('/proc/net/dev')).slice(2)) {
			const [dev, rest] = line.split(':');
			const values = rest.trim().split(/\s+/);
			DEV_COLUMNS.forEach((k, j) => {
				found[`${dev.trim()}.${k}`] = Number(values[j]);
			});
		}
		return found;
	}

	async finish(): Promise<Observation> {
		await this.#settle();
		const frames = this.#frames;
		const drops = this.#drops;
		const counters: Observation['counters'] = {};
		for (const [name, host] of this.#hosts) {
			const now = await this.#counters(host);
			const base = this.#base[name];
			counters[name] = {};
			for (const key of Object.keys(now))
				if (now[key] !== (base[key] ?? 0)) counters[name][key] = now[key] - (base[key] ?? 0);
		}
		const log = [...this.#hosts.values()]
			.flatMap((h) => h.machine.log_buf.slice(this.#logged.get(h.name)))
			.sort((a, b) => a.ts - b.ts)
			.map((r) => r.text);
		return { frames, drops, counters, log };
	}

	async close(): Promise<void> {}
}

function errorName(err: number): string {
	if (err === -94) return 'ESOCKTNOSUPPORT'; // node has no name for it
	return Object.entries(constants.errno).find(([, n]) => n === -err)?.[0] ?? `error ${-err}`;
}

function ip(text: string): number {
	return text.split('.').reduce((n, part) => n * 256 + Number(part), 0);
}

function dotted(n: number): string {
	return [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.');
}

function address(text: string): sockaddr {
	const [host, port] = text.split(':');
	return sockaddr_in(ip(host), Number(port));
}

function endpoint(sa: sockaddr): string {
	return `${dotted(sa.sin_addr)}:${sa.sin_port}`;
}

function ifindex(host: Host, name: string): number {
	return host.machine.init_net.dev_name_head.get(name)?.ifindex ?? 0;
}

function optionValue(host: Host, name: string, value: number | string): number | Uint8Array {
	if (typeof value === 'number') return value;
	if (name === 'SO_BINDTODEVICE') return Uint8Array.from(`${value}\0`, (c) => c.charCodeAt(0));
	// struct ip_mreqn: group, address, interface.
	const [group, dev] = value.includes(' ') ? value.split(' ') : ['0.0.0.0', value];
	const index = ifindex(host, dev);
	return Uint8Array.of(...group.split('.').map(Number), 0, 0, 0, 0, index & 255, index >> 8, 0, 0);
}

/** As oracle.py describes it. */
function describeControl(host: Host, c: cmsghdr): string {
	if (c.level !== SOL_IP) return '';
	const d = new DataView(c.data.buffer, c.data.byteOffset, c.data.byteLength);
	const quad = (o: number) => dotted(d.getUint32(o));
	switch (c.type) {
		case uapi.IP_TTL:
			return ` ttl ${d.getInt32(0, true)}`;
		case uapi.IP_TOS:
			return ` tos ${d.getUint8(0)}`;
		case uapi.IP_PKTINFO: {
			const dev = [...host.nics.values()].find((n) => n.dev.ifindex === d.getInt32(0, true))?.name ?? 'lo';
			return ` pktinfo ${dev} ${quad(4)} ${quad(8)}`;
		}
		case uapi.IP_RECVERR: {
			const origin = ['none', 'local', 'icmp'][d.getUint8(4)];
			const who = d.getUint16(16, true) === AF_INET ? quad(20) : '-';
			return ` error ${errorName(-d.getUint32(0, true))} ${origin} type ${d.getUint8(5)} code ${d.getUint8(6)} info ${d.getUint32(8, true)} by ${who}`;
		}
		default:
			return ` control ${c.type}`;
	}
}

const DEV_COLUMNS = [
	'rx_bytes',
	'rx_packets',
	'rx_errs',
	'rx_drop',
	'rx_fifo',
	'rx_frame',
	'rx_compressed',
	'rx_multicast',
].concat(['tx_bytes', 'tx_packets', 'tx_errs', 'tx_drop', 'tx_fifo', 'tx_colls', 'tx_carrier', 'tx_compressed']);

/** The side of a scenario that runs in our lab. */
export function openLinnet(): Side {
	return new LinnetSide();
}
