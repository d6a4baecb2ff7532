/*
 * user/iputils/arping.ts: arping.                                  Original: iputils 20221126, arping.c
 *
 * Walk: options, the device and its checks, the source address from a UDP socket that is bound to the device; then a packet socket sends
 *       ARP every interval and reads what comes back, until count, deadline, first reply or a signal. RFC 826, RFC 5227 (-D).
 *
 * The times are the real ones: the original's are half a millisecond too long.
 */
import { get_unaligned_be16, get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { strerror } from '../../uapi/asm-generic/errno.ts';
import { IFF_LOOPBACK, IFF_NOARP, IFF_UP } from '../../uapi/linux/if.ts';
import { ARPHRD_ETHER, ARPOP_REPLY, ARPOP_REQUEST } from '../../uapi/linux/if_arp.ts';
import { ETH_P_ARP, ETH_P_IP } from '../../uapi/linux/if_ether.ts';
import {
	AF_INET,
	AF_PACKET,
	MSG_DONTWAIT,
	msghdr,
	POLLIN,
	SO_BINDTODEVICE,
	SO_DONTROUTE,
	SOCK_DGRAM,
	SOL_SOCKET,
	sockaddr,
	sockaddr_in,
	sockaddr_ll,
} from '../../uapi/linux/socket.ts';
import { getopt, getopt_message } from '../getopt.ts';
import { gethostbyname, inet_aton, inet_ntoa } from '../hosts.ts';
import { type Process, SIGKILL, utf8 } from '../libc.ts';
import { if_flags, if_indextoname, if_nametoindex, route_device } from './ifaddrs.ts';
import { INT_MAX, strtol_or_err } from './iputils_common.ts';

const USAGE = `
Usage:
  arping [options] <destination>

Options:
  -f            quit on first reply
  -q            be quiet
  -b            keep on broadcasting, do not unicast
  -D            duplicate address detection mode
  -U            unsolicited ARP mode, update your neighbours
  -A            ARP answer mode, update your neighbours
  -V            print version and exit
  -c <count>    how many packets to send
  -w <timeout>  how long to wait for a reply
  -i <interval> set interval between packets (default: 1 second)
  -I <device>   which ethernet device to use
  -s <source>   source ip address
  <destination> dns name or ip address

For more details see arping(8).
`;

const VERSION =
	'arping from iputils 20221126\nlibcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes\n';

const PACKET_HOST = 0;
const PACKET_BROADCAST = 1;
const PACKET_MULTICAST = 2;
const EPSILON_NS = 0.5;

class run_state {
	proc: Process;
	dad = false;
	unsolicited = false;
	advert = false;
	quiet = false;
	quit_on_reply = false;
	broadcast_only = false;
	/** 0: no end. */
	count = 0;
	/** s; -1: none. */
	deadline = -1;
	interval = 1;
	device = '';
	source_text = '';
	target_text = '';
	dst = 0;
	src = 0;
	fd = -1;
	me = new sockaddr(AF_PACKET);
	he: Uint8Array = new Uint8Array(6);
	broadcast: Uint8Array = new Uint8Array(6).fill(255);
	sent = 0;
	brd_sent = 0;
	received = 0;
	brd_recv = 0;
	req_recv = 0;
	/** ns; -1 before the first. */
	last = -1;
	private pending = '';

	constructor(proc: Process) {
		this.proc = proc;
	}

	/** Output waits, as stdio's does, for the next reply. */
	print(text: string): void {
		if (!this.quiet) this.pending += text;
	}

	flush(): void {
		if (this.pending !== '') this.proc.stdout.write(this.pending);
		this.pending = '';
	}
}

function die(proc: Process, text: string, err = 0, status = 2): number {
	proc.stderr.write(`arping: ${text}${err < 0 ? `: ${strerror(-err)}` : ''}\n`);
	return status;
}

/** Reads the command line into `run`. Return: -1 to go on, or the exit status. */
function parse(proc: Process, run: run_state): number {
	const usage = (first: string): number => {
		proc.stderr.write(first + USAGE);
		return 2;
	};
	const g = new getopt(proc.argv, 'h?bfDUAqc:w:i:s:I:V');
	for (let s = g.next(); s.kind !== 'end'; s = g.next()) {
		if (s.kind !== 'opt') return usage(getopt_message('arping', s));
		let n: number | string = 0;
		switch (s.opt) {
			case 'b':
				run.broadcast_only = true;
				break;
			case 'f':
				run.quit_on_reply = true;
				break;
			case 'D':
				run.dad = true;
				run.quit_on_reply = true;
				break;
			case 'U':
				run.unsolicited = true;
				break;
			case 'A':
				run.advert = true;
				run.unsolicited = true;
				break;
			case 'q':
				run.quiet = true;
				break;
			case 'c':
				n = strtol_or_err(s.arg, 1, INT_MAX);
				if (typeof n === 'number') run.count = n;
				break;
			case 'w':
				n = strtol_or_err(s.arg, 0, INT_MAX);
				if (typeof n === 'number') run.deadline = n;
				break;
			case 'i':
				n = strtol_or_err(s.arg, 0, INT_MAX);
				if (typeof n === 'number') run.interval = n;
				break;
			case 's':
				run.source_text = s.arg;
				break;
			case 'I':
				run.device = s.arg;
				break;
			case 'V':
				proc.stdout.write(VERSION);
				return 0;
			default:
				return usage('');
		}
		if (typeof n === 'string') return die(proc, n, 0, 1);
	}
	if (g.words.length !== 1) return usage('');
	run.target_text = g.words[0];
	return -1;
}

/** Finds the device and asks whether it can do ARP. Return: -1 to go on, or the exit status. */
async function choose_device(run: run_state): Promise<number> {
	const { proc } = run;
	const fd = proc.socket(AF_INET, SOCK_DGRAM, 0);
	if (run.device === '') {
		const host = await gethostbyname(proc, run.target_text);
		const oif = host === null ? -1 : await route_device(proc, host.addr);
		if (host !== null && oif < 0) return die(proc, 'NETLINK_ROUTE unexpected iov element', 0, 1);
		if (oif > 0) run.device = if_indextoname(proc, fd, oif);
	}
	const flags = if_flags(proc, fd, run.device);
	proc.close(fd);
	if (flags < 0) return die(proc, `Device ${run.device} not available.`);
	let why = '';
	if ((flags & IFF_UP) === 0) why = 'down';
	else if ((flags & (IFF_NOARP | IFF_LOOPBACK)) !== 0) why = 'not ARPable';
	if (why === '') return -1;
	run.print(`Interface "${run.device}" is ${why}\n`);
	run.flush();
	return 2;
}

/** The address to speak from. Return: -1 to go on, or the exit status. */
async function choose_source(run: run_state): Promise<number> {
	const { proc } = run;
	if (run.source_text !== '') {
		run.src = inet_aton(run.source_text);
		if (run.src < 0) return die(proc, `invalid source ${run.source_text}`);
	}
	if (!run.dad && run.unsolicited && run.src === 0) run.src = run.dst;
	if (run.dad && run.src === 0) return -1;
	const probe = proc.socket(AF_INET, SOCK_DGRAM, 0);
	if (probe < 0) return die(proc, 'socket', probe);
	let err = proc.setsockopt(probe, SOL_SOCKET, SO_BINDTODEVICE, utf8(`${run.device}\0`));
	if (err < 0) proc.stderr.write(`arping: WARNING: interface ${run.device} is ignored: ${strerror(-err)}\n`);
	if (run.src !== 0) {
		err = proc.bind(probe, sockaddr_in(run.src, 0));
		if (err < 0) return die(proc, 'bind', err);
	} else {
		err = proc.setsockopt(probe, SOL_SOCKET, SO_DONTROUTE, 1);
		if (err < 0) proc.stderr.write(`arping: WARNING: setsockopt(SO_DONTROUTE): ${strerror(-err)}\n`);
		err = await proc.connect(probe, sockaddr_in(run.dst, 1025));
		if (err < 0) return die(proc, 'connect', err);
		const name = new sockaddr(AF_INET);
		err = proc.getsockname(probe, name);
		if (err < 0) return die(proc, 'getsockname', err);
		run.src = name.sin_addr;
	}
	proc.close(probe);
	return -1;
}

/** Sends one ARP packet. Return: 0 or -errno. */
async function send_pack(run: run_state): Promise<number> {
	const hw = run.me.sll_addr!;
	const n = hw.length;
	const b = new Uint8Array(8 + 2 * n + 8);
	put_unaligned_be16(b, 0, ARPHRD_ETHER);
	put_unaligned_be16(b, 2, ETH_P_IP);
	b[4] = n;
	b[5] = 4;
	put_unaligned_be16(b, 6, run.advert ? ARPOP_REPLY : ARPOP_REQUEST);
	b.set(hw, 8);
	put_unaligned_be32(b, 8 + n, run.src);
	b.set(run.advert ? hw : run.he, 12 + n);
	put_unaligned_be32(b, 12 + 2 * n, run.dst);
	const to = sockaddr_ll(ETH_P_ARP, run.me.sll_ifindex);
	to.sll_hatype = ARPHRD_ETHER;
	to.sll_addr = run.he.slice();
	run.last = run.proc.monotonic();
	const err = await run.proc.sendmsg(run.fd, new msghdr(b, to));
	if (err < 0) return err;
	run.sent++;
	if (run.he.every((v, i) => v === run.broadcast[i])) run.brd_sent++;
	return 0;
}

const mac = (b: Uint8Array): string => [...b].map((v) => v.toString(16).toUpperCase().padStart(2, '0')).join(':');

/** Reads one packet. Return: whether it was an answer. */
function recv_pack(run: run_state, b: Uint8Array, from: sockaddr): boolean {
	const hw = run.me.sll_addr!;
	const n = hw.length;
	if (![PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST].includes(from.sll_pkttype)) return false;
	if (b.length < 8 + 2 * (4 + n)) return false;
	const op = get_unaligned_be16(b, 6);
	if (op !== ARPOP_REQUEST && op !== ARPOP_REPLY) return false;
	if (get_unaligned_be16(b, 2) !== ETH_P_IP || b[4] !== n || b[5] !== 4) return false;
	const sha = b.subarray(8, 8 + n);
	const spa = get_unaligned_be32(b, 8 + n);
	const tha = b.subarray(12 + n, 12 + 2 * n);
	const tpa = get_unaligned_be32(b, 12 + 2 * n);
	const mine = (x: Uint8Array): boolean => x.every((v, i) => v === hw[i]);
	if (spa !== run.dst) return false;
	if (!run.dad) {
		if (tpa !== run.src || !mine(tha)) return false;
	} else if (mine(sha) || (run.src !== 0 && tpa !== run.src)) return false;
	const now = run.proc.monotonic();
	let line = `${from.sll_pkttype === PACKET_HOST ? 'Unicast' : 'Broadcast'} ${op === ARPOP_REPLY ? 'reply' : 'request'}`;
	line += ` from ${inet_ntoa(spa)} [${mac(sha)}]`;
	if (tpa !== run.src) line += ` for ${inet_ntoa(tpa)}`;
	if (!mine(tha)) line += tha.every((v) => v === 255) ? ' for broadcast' : ` for [${mac(tha)}]`;
	if (run.last >= 0) {
		const us = Math.floor((now - run.last) / 1000);
		line += `  ${Math.floor(us / 1000)}.${String(us % 1000).padStart(3, '0')}ms\n`;
	} else line += ' UNSOLICITED?\n';
	run.print(line);
	run.flush();
	run.received++;
	if (from.sll_pkttype !== PACKET_HOST) run.brd_recv++;
	if (op === ARPOP_REQUEST) run.req_recv++;
	// Who has answered is asked alone from now on.
	if (!run.broadcast_only) run.he = sha.slice();
	return true;
}

/** The summary. Return: exit status. */
function finish(run: run_state): number {
	run.print(`Sent ${run.sent} probes (${run.brd_sent} broadcast(s))\n`);
	let line = `Received ${run.received} response(s)`;
	const kinds = [
		...(run.req_recv > 0 ? [`${run.req_recv} request(s)`] : []),
		...(run.brd_recv > 0 ? [`${run.brd_recv} broadcast(s)`] : []),
	];
	if (run.received > 0 && kinds.length > 0) line += ` (${kinds.join(', ')})`;
	run.print(`${line}\n`);
	run.flush();
	if (run.dad) return run.received > 0 ? 1 : 0;
	if (run.unsolicited) return 0;
	if (run.deadline > 0 && run.count > 0) return run.count <= run.received ? 0 : 1;
	return run.received > 0 ? 0 : 1;
}

/** Sends and listens until the end. Return: exit status. */
async function event_loop(run: run_state): Promise<number> {
	const { proc } = run;
	let stopped = false;
	let killed = false;
	proc.on_signal((signo) => {
		if (signo === SIGKILL) killed = true;
		else stopped = true;
	});
	const started = proc.monotonic();
	const exit_at = run.deadline > 0 ? started + run.deadline * 1e9 : Infinity;
	// An interval of 0 means that the timer never fires.
	const period = run.interval > 0 ? run.interval * 1e9 : Infinity;
	let next = started + period;
	let err = await send_pack(run);
	if (err < 0) return die(proc, 'sendto', err);
	const pfd = { fd: run.fd, events: POLLIN, revents: 0 };
	for (;;) {
		const until = Math.min(next, exit_at);
		const now = proc.monotonic();
		await proc.poll([pfd], until === Infinity ? -1 : Math.max(0, until - now) / 1e6);
		if (killed) return 128 + SIGKILL;
		if (stopped) return finish(run);
		for (;;) {
			const msg = new msghdr(new Uint8Array(4096), null);
			const len = await proc.recvmsg(run.fd, msg, MSG_DONTWAIT);
			if (len < 0 || msg.msg_name === null) break;
			if (!recv_pack(run, msg.msg_iov.subarray(0, len), msg.msg_name)) continue;
			if (run.quit_on_reply) return finish(run);
			if (run.count > 0 && run.deadline > 0 && run.received >= run.count) return finish(run);
		}
		const t = proc.monotonic();
		if (next - t <= EPSILON_NS) {
			if (run.count > 0 && run.sent >= run.count) return finish(run);
			err = await send_pack(run);
			if (err < 0) return die(proc, 'sendto', err);
			next += period;
		}
		if (exit_at - t <= EPSILON_NS) return finish(run);
	}
}

/** arping(8). */
export async function arping(proc: Process): Promise<number> {
	const run = new run_state(proc);
	let status = parse(proc, run);
	if (status >= 0) return status;
	run.fd = proc.socket(AF_PACKET, SOCK_DGRAM, 0);
	if (run.fd < 0) return die(proc, 'socket', run.fd);
	status = await choose_device(run);
	if (status >= 0) return status;
	const host = await gethostbyname(proc, run.target_text);
	if (host === null) return die(proc, `${run.target_text}: Name or service not known`);
	run.dst = host.addr;
	status = await choose_source(run);
	if (status >= 0) return status;
	const ifindex = if_nametoindex(proc, run.fd, run.device);
	let err = ifindex < 0 ? ifindex : proc.bind(run.fd, sockaddr_ll(ETH_P_ARP, ifindex));
	if (err < 0) return die(proc, 'bind', err);
	err = proc.getsockname(run.fd, run.me);
	if (err < 0) return die(proc, 'getsockname', err);
	if (run.me.sll_addr === null || run.me.sll_addr.length === 0) {
		run.print(`Interface "${run.device}" is not ARPable (no ll address)\n`);
		run.flush();
		return 2;
	}
	run.he = run.broadcast.slice(0, run.me.sll_addr.length);
	run.print(`ARPING ${inet_ntoa(run.dst)} from ${inet_ntoa(run.src)} ${run.device}\n`);
	return event_loop(run);
}
