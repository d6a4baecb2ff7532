/*
 * user/traceroute/trace.ts: probes on their way, and what is printed of them.      Original: Modern traceroute for Linux 2.1.2, traceroute.c
 *
 * Walk: run keeps up to sim_probes on the way, polls, reads replies and the error queue, and prints probes in their order as they end.
 * man 8 traceroute: -w MAX,HERE,NEAR.
 */
import { get_unaligned_be32, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EAGAIN, EMSGSIZE, ENOBUFS, strerror } from '../../uapi/asm-generic/errno.ts';
import { SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_LOCAL } from '../../uapi/linux/errqueue.ts';
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_TIME_EXCEEDED } from '../../uapi/linux/icmp.ts';
import {
	AF_INET,
	IP_MTU_DISCOVER,
	IP_PMTUDISC_DONT,
	IP_PMTUDISC_PROBE,
	IP_RECVERR,
	IP_RECVTTL,
	IP_TOS,
	IP_TTL,
	MSG_DONTWAIT,
	MSG_ERRQUEUE,
	msghdr,
	POLLERR,
	POLLIN,
	SCM_TIMESTAMP,
	SO_BINDTODEVICE,
	SO_DEBUG,
	SO_DONTROUTE,
	SO_MARK,
	SO_TIMESTAMP,
	SOL_IP,
	SOL_SOCKET,
	type sockaddr,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import { gethostbyaddr, inet_ntoa } from '../hosts.ts';
import { type Process, utf8 } from '../libc.ts';
import type { method } from './methods.ts';

/** Expiry is looked at with this precision, as the original's poll does. */
const WAIT_PRECISION_US = 1000;

const MARKS = ['!N', '!H', '!P', '', '!F', '!S', '!N', '!H', '!N', '!X', '!X', '!N', '!H', '!X', '!V', '!C'];

export class probe {
	/** The socket it listens on; -1 when it is over. */
	fd = -1;
	/** What its method knows it by. */
	key = -1;
	done = false;
	/** The destination, or an end of the way, answered. */
	final = false;
	/** us of the world's wall clock; -1: not sent, no reply. */
	send_time = -1;
	recv_time = -1;
	/** Who answered; -1: nobody. */
	res = -1;
	err_str = '';
	/** What is printed behind the address, and behind the time. */
	ext = '';
	note = '';
	/** TTL of the reply as it arrived; 0 when not known. */
	recv_ttl = 0;

	start(t: trace): void {
		this.send_time = t.now();
	}
}

/** One run of traceroute. */
export class trace {
	proc: Process;
	method!: method;
	dst: sockaddr;
	first_hop = 1;
	max_hops = 30;
	sim_probes = 16;
	probes_per_hop = 3;
	/** s */
	wait_secs = 5;
	here_factor = 3;
	near_factor = 10;
	/** ms */
	send_secs = 0;
	noresolve = false;
	dontfrag = false;
	mtudisc = false;
	backward = false;
	debug = false;
	noroute = false;
	tos = -1;
	mark = -1;
	device = '';
	source = 0;
	sport = 0;
	packet_len = -1;
	probes: probe[] = [];
	/** What failed, for the message. */
	call = '';
	private last: number = -1;

	constructor(proc: Process, dst: sockaddr) {
		this.proc = proc;
		this.dst = dst;
	}

	now(): number {
		const t = this.proc.realtime();
		return t.sec * 1e6 + Math.floor(t.nsec / 1000);
	}

	fails(call: string, err: number): number {
		this.call = call;
		return err;
	}

	/** A socket with everything set that the command line asks for. Return: descriptor or -errno. */
	open(type: number, protocol: number): number {
		const { proc } = this;
		const fd = proc.socket(AF_INET, type, protocol);
		if (fd < 0) return this.fails('socket', fd);
		const set = (level: number, name: number, value: number | Uint8Array, call: string): number => {
			const err = proc.setsockopt(fd, level, name, value);
			return err < 0 ? this.fails(`setsockopt ${call}`, err) : 0;
		};
		let err = 0;
		if (this.debug) proc.setsockopt(fd, SOL_SOCKET, SO_DEBUG, 1);
		if (err === 0 && this.mark >= 0) err = set(SOL_SOCKET, SO_MARK, this.mark, 'SO_MARK');
		if (err === 0 && this.device !== '')
			err = set(SOL_SOCKET, SO_BINDTODEVICE, utf8(`${this.device}\0`), 'SO_BINDTODEVICE');
		if (err < 0) return err;
		err = proc.bind(fd, sockaddr_in(this.source, type === 2 ? this.sport : 0));
		if (err < 0) return this.fails('bind', err);
		err = set(SOL_IP, IP_MTU_DISCOVER, this.dontfrag ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT, 'IP_MTU_DISCOVER');
		if (err === 0 && this.tos >= 0) err = set(SOL_IP, IP_TOS, this.tos, 'IP_TOS');
		if (err === 0 && this.noroute) err = set(SOL_SOCKET, SO_DONTROUTE, 1, 'SO_DONTROUTE');
		if (err < 0) return err;
		proc.setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, 1);
		proc.setsockopt(fd, SOL_IP, IP_RECVTTL, 1);
		return fd;
	}

	/** Connects, and asks for errors. */
	async connect(fd: number, port: number): Promise<number> {
		const err = await this.proc.connect(fd, sockaddr_in(this.dst.sin_addr, port));
		if (err < 0) return this.fails('connect', err);
		return this.proc.setsockopt(fd, SOL_IP, IP_RECVERR, 1);
	}

	set_ttl(fd: number, ttl: number): number {
		const err = this.proc.setsockopt(fd, SOL_IP, IP_TTL, ttl);
		return err < 0 ? this.fails('setsockopt IP_TTL', err) : 0;
	}

	/** A datagram that is too long is no failure: the error queue has the MTU. */
	async send(fd: number, data: Uint8Array): Promise<number> {
		const err = await this.proc.sendmsg(fd, new msghdr(data));
		if (err >= 0 || err === -EMSGSIZE) return 0;
		return err === -ENOBUFS || err === -EAGAIN ? -EAGAIN : this.fails('send', err);
	}

	/** us that a probe is waited for. `first`: it is the next to be printed. */
	private wait_of(index: number, first: boolean): number {
		const max = this.wait_secs * 1e6;
		if (!first || (this.here_factor === 0 && this.near_factor === 0)) return max;
		const q = this.probes_per_hop;
		const hop = Math.floor(index / q) * q;
		const replied = (p: probe): boolean => p.done && p.recv_time >= 0;
		let factor = this.here_factor;
		let p = factor > 0 ? this.probes.slice(hop, hop + q).find(replied) : undefined;
		if (p === undefined && this.near_factor > 0) {
			factor = this.near_factor;
			p = this.probes.slice(hop + q).find(replied);
		}
		return p === undefined ? max : Math.min(max, (p.recv_time - p.send_time) * factor + WAIT_PRECISION_US);
	}

	/** Sends, listens and prints until the way is known. Return: 0 or -errno. */
	async run(): Promise<number> {
		const { proc, probes_per_hop } = this;
		this.probes = Array.from({ length: this.max_hops * probes_per_hop }, () => new probe());
		let start = (this.first_hop - 1) * probes_per_hop;
		let end = this.probes.length;
		let last_send = -Infinity;
		while (start < end) {
			let outstanding = 0;
			let next = Infinity;
			for (let i = start; i < end; i++) {
				const p = this.probes[i];
				if (!p.done && p.send_time >= 0) {
					const due = p.send_time + this.wait_of(i, i === start);
					if (this.now() >= due) this.finish(p);
					else next = Math.min(next, due);
				}
				if (p.done) {
					if (i === start) {
						await this.print(i);
						start++;
					}
					if (p.final) end = Math.min(end, (Math.floor(i / probes_per_hop) + 1) * probes_per_hop);
					continue;
				}
				if (p.send_time < 0) {
					if (outstanding >= this.sim_probes) break;
					const gap = this.send_secs * 1000;
					if (gap > 0 && this.now() - last_send < gap) {
						next = Math.min(next, last_send + gap);
						break;
					}
					const err = await this.method.send(this, p, Math.floor(i / probes_per_hop) + 1);
					if (err === -EAGAIN) {
						// The queue is full: again in a moment.
						this.method.expire(this, p);
						p.send_time = -1;
						next = Math.min(next, this.now() + WAIT_PRECISION_US);
						break;
					}
					if (err < 0) return err;
					last_send = this.now();
					next = Math.min(next, p.send_time + this.wait_of(i, i === start));
				}
				outstanding++;
				if (outstanding >= this.sim_probes) break;
			}
			if (start >= end) break;
			const fds = new Set<number>();
			for (let i = start; i < end; i++) if (this.probes[i].fd >= 0) fds.add(this.probes[i].fd);
			const polls = [...fds].map((fd) => ({ fd, events: POLLIN | POLLERR, revents: 0 }));
			const wait = next === Infinity ? 0 : Math.max(next - this.now(), 0);
			const r = await proc.poll(polls, Math.ceil(wait) / 1000);
			if (r < 0) return this.fails('poll', r);
			for (const f of polls) if (f.revents !== 0) await this.receive(f.fd);
		}
		proc.stdout.write('\n');
		return 0;
	}

	private finish(p: probe): void {
		p.done = true;
		this.method.expire(this, p);
	}

	/** Reads what a socket has: errors first. */
	private async receive(fd: number): Promise<void> {
		for (const flags of [MSG_DONTWAIT | MSG_ERRQUEUE, MSG_DONTWAIT]) {
			for (;;) {
				if (!this.probes.some((p) => p.fd === fd)) return;
				const msg = new msghdr(new Uint8Array(1280));
				const len = await this.proc.recvmsg(fd, msg, flags);
				if (len < 0) break;
				this.reply(fd, msg, len, (flags & MSG_ERRQUEUE) !== 0);
			}
		}
	}

	private reply(fd: number, msg: msghdr, len: number, error: boolean): void {
		const data = msg.msg_iov.subarray(0, Math.min(len, msg.msg_iov.length));
		let recv_time = this.now();
		let ttl = 0;
		let e: Uint8Array | null = null;
		for (const c of msg.msg_control) {
			if (c.level === SOL_SOCKET && c.type === SCM_TIMESTAMP)
				recv_time =
					(get_unaligned_le32(c.data, 0) + get_unaligned_le32(c.data, 4) * 2 ** 32) * 1e6 +
					get_unaligned_le32(c.data, 8);
			else if (c.level === SOL_IP && c.type === IP_TTL) ttl = c.data[0];
			else if (c.level === SOL_IP && c.type === IP_RECVERR) e = c.data;
		}
		const local = e !== null && e[4] === SO_EE_ORIGIN_LOCAL;
		const from = msg.msg_name?.sin_addr ?? 0;
		if (error && (e === null || (!local && e[4] !== SO_EE_ORIGIN_ICMP))) return;
		// An error of our own making is about the last one sent.
		const p = local
			? (this.probes.findLast((x) => x.fd === fd) ?? null)
			: this.method.find(this, fd, data, error, from);
		if (p === null || p.done) return;
		p.recv_time = recv_time;
		p.recv_ttl = ttl;
		if (e === null) {
			p.res = from;
			p.final = true;
		} else if (local) {
			if (get_unaligned_le32(e, 0) !== EMSGSIZE) return;
			p.final = true;
			if (this.frag_needed(p, get_unaligned_le32(e, 8))) return;
		} else {
			p.res = get_unaligned_be32(e, 20);
			const [type, code] = [e[5], e[6]];
			if (type === ICMP_DEST_UNREACH) {
				p.final = true;
				if (code === ICMP_FRAG_NEEDED) {
					if (this.frag_needed(p, get_unaligned_le32(e, 8))) return;
				} else p.err_str = MARKS[code] ?? `!<${code}>`;
			} else if (type !== ICMP_TIME_EXCEEDED) {
				p.final = true;
				p.err_str = `!<${type}-${code}>`;
			}
		}
		this.finish(p);
	}

	/** Too long for the way. With --mtu the probe leaves again, shorter. Return: whether it does. */
	private frag_needed(p: probe, mtu: number): boolean {
		p.err_str = `!F-${mtu}`;
		if (!this.mtudisc || mtu <= 0 || mtu >= this.packet_len) return false;
		this.packet_len = Math.max(mtu, 20 + this.method.header_len);
		this.method.expire(this, p);
		Object.assign(p, new probe(), { note: ` F=${mtu}` });
		return true;
	}

	private async print(index: number): Promise<void> {
		const { proc, probes_per_hop: q } = this;
		const p = this.probes[index];
		const ttl = Math.floor(index / q) + 1;
		let text = '';
		if (index % q === 0) {
			text += `\n${String(ttl).padStart(2)} `;
			this.last = -1;
		}
		if (p.res < 0) text += ' *';
		else if (p.res !== this.last) {
			const addr = inet_ntoa(p.res);
			if (this.noresolve) text += ` ${addr}`;
			else text += ` ${(await gethostbyaddr(proc, p.res)) ?? addr} (${addr})`;
			this.last = p.res;
			if (this.backward && p.recv_ttl > 0) {
				const start = p.recv_ttl <= 64 ? 65 : p.recv_ttl <= 128 ? 129 : 256;
				if (start - p.recv_ttl !== ttl) text += ` '-${start - p.recv_ttl}'`;
			}
		}
		text += p.ext;
		if (p.recv_time >= 0) text += `  ${((p.recv_time - p.send_time) / 1000).toFixed(3)} ms`;
		if (p.err_str !== '') text += ` ${p.err_str}`;
		proc.stdout.write(text + p.note);
	}

	/** What went wrong, as the original prints it. */
	message(err: number): string {
		return `\n${this.call}: ${strerror(-err)}\n`;
	}
}
