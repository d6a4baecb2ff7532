/*
 * user/iputils/ping.ts: ping over IPv4.                            Original: iputils 20221126, ping/ping.c
 *
 * Walk: ping reads the options, opens an ICMP socket (SOCK_DGRAM where net.ipv4.ping_group_range allows it, else raw), asks a UDP socket
 *       for its own address, sets the socket up; ping_common's loop sends by send_probe and reads by receive and receive_error.
 * RFC 792 (messages), RFC 791 (record route, timestamps).         Not here: IPv6, reverse names other than /etc/hosts.
 */
import {
	get_unaligned_be16,
	get_unaligned_be32,
	get_unaligned_le32,
	put_unaligned_be16,
	put_unaligned_be32,
	put_unaligned_le32,
} from '../../lib/byteorder.ts';
import { csum_fold, csum_partial } from '../../lib/checksum.ts';
import { EACCES, EAFNOSUPPORT, EMSGSIZE, EPERM, strerror } from '../../uapi/asm-generic/errno.ts';
import { SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_LOCAL } from '../../uapi/linux/errqueue.ts';
import {
	ICMP_DEST_UNREACH,
	ICMP_ECHO,
	ICMP_ECHOREPLY,
	ICMP_FILTER,
	ICMP_PARAMETERPROB,
	ICMP_REDIRECT,
	ICMP_SOURCE_QUENCH,
	ICMP_TIME_EXCEEDED,
} from '../../uapi/linux/icmp.ts';
import {
	AF_INET,
	AF_INET6,
	type cmsghdr,
	IP_MTU_DISCOVER,
	IP_MULTICAST_LOOP,
	IP_MULTICAST_TTL,
	IP_OPTIONS,
	IP_PMTUDISC_DO,
	IP_RECVERR,
	IP_RECVTTL,
	IP_RETOPTS,
	IP_TOS,
	IP_TTL,
	IPPROTO_ICMP,
	MSG_DONTWAIT,
	MSG_ERRQUEUE,
	msghdr,
	SCM_TIMESTAMP,
	SO_BINDTODEVICE,
	SO_BROADCAST,
	SO_DEBUG,
	SO_DONTROUTE,
	SO_MARK,
	SO_RCVBUF,
	SO_SNDBUF,
	SO_SNDTIMEO,
	SO_TIMESTAMP,
	SOCK_DGRAM,
	SOCK_RAW,
	SOL_IP,
	SOL_RAW,
	SOL_SOCKET,
	sockaddr,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import { gethostbyaddr, gethostbyname, inet_aton, inet_ntoa, looks_like_ipv6 } from '../hosts.ts';
import { type Process, utf8 } from '../libc.ts';
import { icmp_describe } from './icmp_describe.ts';
import { device_has_address } from './ifaddrs.ts';
import { GOT_ERROR, GOT_NOTHING, GOT_PACKET, MININTERVAL, type ping_func_set, ping_run } from './ping_common.ts';
import { IPOPT_TS_PRESPEC, IPOPT_TS_TSONLY, PING_USAGE, type ping_options, ping_parse } from './ping_options.ts';

const IPOPT_EOL = 0;
const IPOPT_NOP = 1;
const IPOPT_RR = 7;
const IPOPT_TS = 68;
const ICMP_HDRLEN = 8;
const TIMEVAL = 16;

/** Messages a raw socket wants: replies, and errors for as long as the error queue has not shown that it works. */
const WANTED =
	(1 << ICMP_ECHOREPLY) |
	(1 << ICMP_DEST_UNREACH) |
	(1 << ICMP_SOURCE_QUENCH) |
	(1 << ICMP_REDIRECT) |
	(1 << ICMP_TIME_EXCEEDED) |
	(1 << ICMP_PARAMETERPROB);
const WANTED_WITH_QUEUE = (1 << ICMP_ECHOREPLY) | (1 << ICMP_SOURCE_QUENCH) | (1 << ICMP_REDIRECT);

class ping4 implements ping_func_set {
	fd = -1;
	proc: Process;
	o: ping_options;
	raw = false;
	ident = 0;
	whereto: sockaddr;
	private packet: Uint8Array;
	private names: Map<number, string> = new Map();
	private old_route = '';

	constructor(proc: Process, o: ping_options, whereto: sockaddr) {
		this.proc = proc;
		this.o = o;
		this.whereto = whereto;
		this.packet = new Uint8Array(ICMP_HDRLEN + o.datalen);
		for (let i = 0; i < o.datalen; i++)
			this.packet[ICMP_HDRLEN + i] = o.pattern.length > 0 ? o.pattern[i % o.pattern.length] : i;
	}

	send_probe = async (p: ping_run): Promise<number> => {
		const b = this.packet;
		b[0] = ICMP_ECHO;
		put_unaligned_be16(b, 2, 0);
		put_unaligned_be16(b, 4, this.ident);
		put_unaligned_be16(b, 6, (p.ntransmitted + 1) & 0xffff);
		if (p.timing) {
			const t = this.proc.realtime();
			put_timeval(b, ICMP_HDRLEN, t.sec, Math.floor(t.nsec / 1000));
		}
		put_unaligned_be16(b, 2, csum_fold(csum_partial(b, 0, b.length, 0)));
		const r = await this.proc.sendmsg(this.fd, new msghdr(b.slice(), this.whereto));
		return r < 0 ? r : 0;
	};

	receive = async (p: ping_run): Promise<number> => {
		const msg = new msghdr(new Uint8Array(this.o.datalen + 76 + 60), null);
		const len = await this.proc.recvmsg(this.fd, msg, MSG_DONTWAIT);
		if (len < 0) return (await this.read_error(p)) === 'none' ? GOT_NOTHING : GOT_ERROR;
		await this.parse(p, msg, Math.min(len, msg.msg_iov.length));
		return GOT_PACKET;
	};

	receive_error = async (p: ping_run): Promise<boolean> => (await this.read_error(p)) === 'net';

	/** Reads one entry of the error queue and says what it is. */
	private async read_error(p: ping_run): Promise<'none' | 'local' | 'net' | 'foreign'> {
		const { o, proc } = this;
		const msg = new msghdr(new Uint8Array(ICMP_HDRLEN), null);
		const len = await proc.recvmsg(this.fd, msg, MSG_DONTWAIT | MSG_ERRQUEUE);
		if (len < 0) return 'none';
		const e = msg.msg_control.find((c) => c.level === SOL_IP && c.type === IP_RECVERR)?.data;
		if (e === undefined) return 'none';
		const errno = get_unaligned_le32(e, 0);
		const info = get_unaligned_le32(e, 8);
		if (e[4] === SO_EE_ORIGIN_LOCAL) {
			p.nerrors++;
			if (o.quiet) return 'local';
			if (o.flood) p.print('E');
			else if (errno !== EMSGSIZE) p.error(`local error: ${strerror(errno)}`);
			else p.error(`local error: message too long, mtu=${info}`);
			p.flush();
			return 'local';
		}
		if (e[4] !== SO_EE_ORIGIN_ICMP) return 'none';
		const quoted = msg.msg_iov;
		if (
			len < ICMP_HDRLEN ||
			msg.msg_name?.sin_addr !== this.whereto.sin_addr ||
			quoted[0] !== ICMP_ECHO ||
			get_unaligned_be16(quoted, 4) !== this.ident
		)
			return 'foreign';
		const seq = get_unaligned_be16(quoted, 6);
		p.acknowledge(seq);
		// The queue works: the messages themselves are not needed any more.
		if (this.raw) this.filter(WANTED_WITH_QUEUE);
		p.nerrors++;
		if (o.quiet) return 'net';
		if (o.flood) p.print('\bE');
		else {
			p.print_timestamp();
			const from = await this.name(get_unaligned_be32(e, 20));
			p.print(`From ${from} icmp_seq=${seq} ${icmp_describe(e[5], e[6], info)}\n`);
		}
		p.flush();
		return 'net';
	}

	filter(wanted: number): number {
		return this.proc.setsockopt(this.fd, SOL_RAW, ICMP_FILTER, ~wanted);
	}

	/** Address as it is shown: with its name, if it has one and names are wanted. */
	private async name(addr: number): Promise<string> {
		let text = this.names.get(addr);
		if (text === undefined) {
			text = inet_ntoa(addr);
			const name = this.o.numeric ? null : await gethostbyaddr(this.proc, addr);
			if (name !== null) text = `${name} (${text})`;
			this.names.set(addr, text);
		}
		return text;
	}

	private async parse(p: ping_run, msg: msghdr, len: number): Promise<void> {
		const { o } = this;
		const b = msg.msg_iov;
		const from = msg.msg_name?.sin_addr ?? 0;
		let ttl = 0;
		let hlen = 0;
		let options: Uint8Array = new Uint8Array(0);
		if (this.raw) {
			hlen = (b[0] & 15) * 4;
			ttl = b[8];
			options = b.subarray(20, hlen);
		} else {
			for (const c of msg.msg_control) {
				if (c.level !== SOL_IP) continue;
				if (c.type === IP_TTL) ttl = c.data[0];
				else if (c.type === IP_RETOPTS) options = c.data;
			}
		}
		const cc = len - hlen;
		if (cc < ICMP_HDRLEN) {
			if (o.verbose) p.error(`packet too short (${len} bytes) from ${await this.name(from)}`);
			return;
		}
		const csfailed = csum_fold(csum_partial(b, hlen, cc, 0)) !== 0;
		const type = b[hlen];
		if (type === ICMP_REDIRECT || type === ICMP_SOURCE_QUENCH) {
			await this.advice(p, from, b.subarray(hlen, len));
			return;
		}
		if (type !== ICMP_ECHOREPLY || (this.raw && get_unaligned_be16(b, hlen + 4) !== this.ident)) return;
		const text = await this.reply(p, b.subarray(hlen, len), from, ttl, csfailed, msg.msg_control);
		if (o.audible) p.print(text === null ? '' : '\x07');
		if (text !== null && !o.flood && !o.quiet) p.print(`${await this.show_options(options)}\n`);
		if (!o.quiet || o.audible) p.flush();
	}

	/** An echo reply: counts it, prints its line as far as the options. Return: null when nothing was to be said. */
	private async reply(
		p: ping_run,
		icmp: Uint8Array,
		from: number,
		ttl: number,
		csfailed: boolean,
		control: cmsghdr[],
	): Promise<string | null> {
		const { o, proc } = this;
		const seq = get_unaligned_be16(icmp, 6);
		let trip = -1;
		if (p.timing && icmp.length >= ICMP_HDRLEN + TIMEVAL) {
			const stamp = control.find((c) => c.level === SOL_SOCKET && c.type === SCM_TIMESTAMP)?.data;
			const now = proc.realtime();
			const got = stamp !== undefined ? get_timeval(stamp, 0) : { sec: now.sec, usec: Math.floor(now.nsec / 1000) };
			const sent = get_timeval(icmp, ICMP_HDRLEN);
			trip = (got.sec - sent.sec) * 1e6 + got.usec - sent.usec;
			if (trip < 0) {
				p.error(`Warning: time of day goes back (${trip}us), taking countermeasures`);
				trip = 0;
			}
		}
		const dup = p.gather(seq, trip, csfailed);
		if (o.quiet) return '';
		if (o.flood) {
			p.print(csfailed ? '\bC' : '\b \b');
			return '';
		}
		p.print_timestamp();
		p.print(`${icmp.length} bytes from ${await this.name(from)}: icmp_seq=${seq}`);
		if (o.verbose && (this.raw || o.ident >= 0)) p.print(` ident=${this.ident}`);
		p.print(` ttl=${ttl}`);
		if (icmp.length < ICMP_HDRLEN + o.datalen) {
			p.print(' (truncated)\n');
			p.flush();
			return null;
		}
		if (trip >= 0) p.print(` time=${triptime_text(trip)} ms`);
		if (dup && (!p.multi || o.verbose)) p.print(' (DUP!)');
		if (csfailed) p.print(' (BAD CHECKSUM!)');
		if (!p.multi && from !== this.whereto.sin_addr) p.print(' (DIFFERENT ADDRESS!)');
		this.compare(p, icmp);
		return '';
	}

	/** Says where the data differs from what was sent. */
	private compare(p: ping_run, icmp: Uint8Array): void {
		const first = ICMP_HDRLEN + (p.timing ? TIMEVAL : 0);
		for (let i = first; i < this.packet.length; i++) {
			if (icmp[i] === this.packet[i]) continue;
			const [want, got] = [this.packet[i], icmp[i]].map((v) => v.toString(16));
			p.print(`\nwrong data byte #${i - ICMP_HDRLEN} should be 0x${want} but was 0x${got}`);
			for (let k = first; k < this.packet.length; k++) {
				if ((k - first) % 32 === 0) p.print(`\n#${k - ICMP_HDRLEN}\t`);
				p.print(`${icmp[k].toString(16)} `);
			}
			return;
		}
	}

	/** A redirect or source quench about one of ours: told, not counted. */
	private async advice(p: ping_run, from: number, icmp: Uint8Array): Promise<void> {
		const { o } = this;
		if (icmp.length < 8 + 20 + 8) return;
		const q = 8 + (icmp[8] & 15) * 4;
		if (
			icmp.length < q + 8 ||
			get_unaligned_be32(icmp, 8 + 16) !== this.whereto.sin_addr ||
			icmp[8 + 9] !== IPPROTO_ICMP ||
			icmp[q] !== ICMP_ECHO ||
			get_unaligned_be16(icmp, q + 4) !== this.ident ||
			o.quiet ||
			o.flood
		)
			return;
		p.print_timestamp();
		const info = get_unaligned_be32(icmp, 4);
		const seq = get_unaligned_be16(icmp, q + 6);
		p.print(`From ${await this.name(from)}: icmp_seq=${seq} ${icmp_describe(icmp[0], icmp[1], info)}`);
		p.print(icmp[0] === ICMP_REDIRECT ? `(New nexthop: ${await this.name(info)})\n` : '\n');
		p.flush();
	}

	/** The IP options of a reply, as text. */
	private async show_options(options: Uint8Array): Promise<string> {
		let text = '';
		for (let i = 0; i < options.length; ) {
			const type = options[i];
			if (type === IPOPT_EOL) break;
			if (type === IPOPT_NOP) {
				// The original names only what stands between others; alone it is padding.
				i++;
				continue;
			}
			const len = options[i + 1];
			if (len < 2 || i + len > options.length) break;
			if (type === IPOPT_RR) text += await this.show_route(options.subarray(i, i + len));
			else if (type === IPOPT_TS) text += await this.show_timestamps(options.subarray(i, i + len));
			else text += `\nunknown option ${type.toString(16)}`;
			i += len;
		}
		return text;
	}

	private async show_route(opt: Uint8Array): Promise<string> {
		const used = Math.min(opt[2] - 1, opt.length) - 3;
		if (used <= 0) return '';
		const key = opt.subarray(3, 3 + used).join();
		if (key === this.old_route && !this.o.flood) return '\t(same route)';
		this.old_route = key;
		let text = '\nRR: ';
		for (let i = 3; i + 4 <= 3 + used; i += 4) text += `\t${await this.name(get_unaligned_be32(opt, i))}\n`;
		return text;
	}

	private async show_timestamps(opt: Uint8Array): Promise<string> {
		const flags = opt[3] & 15;
		const end = Math.min(opt[2] - 1, opt.length);
		if (end <= 4) return '';
		let text = '\nTS: ';
		let standard = -1;
		let odd = -1;
		const step = flags === IPOPT_TS_TSONLY ? 4 : 8;
		for (let i = 4; i + step <= end; i += step) {
			if (step === 8) text += `\t${await this.name(get_unaligned_be32(opt, i))}`;
			const t = get_unaligned_be32(opt, i + step - 4);
			if (t >= 0x80000000) {
				const v = t - 0x80000000;
				text += odd < 0 ? `\t${v} absolute not-standard\n` : `\t${v - odd} not-standard\n`;
				odd = v;
			} else {
				text += standard < 0 ? `\t${t} absolute\n` : `\t${t - standard}\n`;
				standard = t;
			}
		}
		const missed = opt[3] >> 4;
		if (missed > 0) text += `Unrecorded hops: ${missed}\n`;
		return text;
	}
}

function put_timeval(b: Uint8Array, o: number, sec: number, usec: number): void {
	put_unaligned_le32(b, o, sec);
	put_unaligned_le32(b, o + 4, Math.floor(sec / 2 ** 32));
	put_unaligned_le32(b, o + 8, usec);
	put_unaligned_le32(b, o + 12, 0);
}

function get_timeval(b: Uint8Array, o: number): { sec: number; usec: number } {
	return {
		sec: get_unaligned_le32(b, o) + get_unaligned_le32(b, o + 4) * 2 ** 32,
		usec: get_unaligned_le32(b, o + 8),
	};
}

/** us as ms with three significant decimals at most, as the line of a reply has them. */
function triptime_text(us: number): string {
	const ms = us / 1000;
	if (us >= 99950) return String(Math.floor((us + 500) / 1000));
	if (us >= 9995) return (Math.floor((us + 50) / 100) / 10).toFixed(1);
	if (us >= 1000) return (Math.floor((us + 5) / 10) / 100).toFixed(2);
	return ms.toFixed(3);
}

/** The option that the probes carry. */
function ip_options(o: ping_options, hops: number[]): Uint8Array | null {
	if (!o.rroute && o.timestamp < 0) return null;
	const tslen = o.timestamp === IPOPT_TS_TSONLY ? 40 : o.timestamp === IPOPT_TS_PRESPEC ? 4 + hops.length * 8 : 36;
	const b = new Uint8Array(o.rroute ? 40 : tslen);
	if (o.rroute) {
		b[0] = IPOPT_NOP;
		b[1] = IPOPT_RR;
		b[2] = 39;
		b[3] = 4;
		return b;
	}
	b[0] = IPOPT_TS;
	b[1] = tslen;
	b[2] = 5;
	b[3] = o.timestamp;
	if (o.timestamp === IPOPT_TS_PRESPEC) {
		for (let i = 0; i < hops.length; i++) put_unaligned_be32(b, 4 + i * 8, hops[i]);
	}
	return b;
}

/** Prints `text` as the original does and gives the exit status of its errors. */
function die(proc: Process, text: string, err = 0): number {
	proc.stderr.write(`ping: ${text}${err < 0 ? `: ${strerror(-err)}` : ''}\n`);
	return 2;
}

/** ping(8). */
export async function ping(proc: Process): Promise<number> {
	const o = ping_parse(proc.argv, inet_aton, (text) => proc.stderr.write(text));
	if ('status' in o) {
		proc.stdout.write(o.out);
		proc.stderr.write(o.err);
		return o.status;
	}
	// A datagram socket where the group may have one; raw otherwise, and for an identifier of 0.
	let raw = o.ident === 0;
	let fd = raw ? -EACCES : proc.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	if (fd < 0) {
		raw = true;
		fd = proc.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
		if (fd < 0) return die(proc, 'socket', fd);
	}
	if (o.ipv6) {
		const s = proc.socket(AF_INET6, SOCK_RAW, 58);
		return die(proc, 'socket', s < 0 ? s : -EAFNOSUPPORT);
	}
	const type = raw ? 'SOCK_RAW' : 'SOCK_DGRAM';
	if (o.verbose)
		proc.stderr.write(
			`ping: sock4.fd: ${fd} (socktype: ${type}), sock6.fd: -1 (socktype: 0), hints.ai_family: AF_INET\n\n`,
		);
	const target = o.targets[o.targets.length - 1];
	if (looks_like_ipv6(target)) return die(proc, `${target}: Address family for hostname not supported`);
	const host = await gethostbyname(proc, target);
	if (host === null) return die(proc, `${target}: Name or service not known`);
	if (o.verbose) proc.stdout.write(`ai->ai_family: AF_INET, ai->ai_canonname: '${host.name}'\n`);
	return ping4_run(proc, o, fd, raw, host);
}

async function ping4_run(
	proc: Process,
	o: ping_options,
	fd: number,
	raw: boolean,
	host: { addr: number; name: string },
): Promise<number> {
	const hops: number[] = [];
	const room = o.timestamp === IPOPT_TS_PRESPEC ? 4 : o.timestamp >= 0 ? 0 : 9;
	const words = o.targets.slice(0, -1);
	if (words.length > room) {
		proc.stderr.write(PING_USAGE);
		return 2;
	}
	for (const word of words) {
		const hop = await gethostbyname(proc, word);
		if (hop === null) return die(proc, `${word}: Name or service not known`);
		hops.push(hop.addr);
	}
	if (words.length === 0 && inet_aton(o.targets[0]) >= 0) o.numeric = true;

	const run = new ping_run(proc, o);
	const whereto = sockaddr_in(host.addr, 0);
	const source = await source_address(proc, o, fd, whereto);
	if (typeof source === 'string') {
		proc.stderr.write(source);
		return 2;
	}
	if (whereto.sin_addr === 0) whereto.sin_addr = source;
	const multicast = whereto.sin_addr >>> 28 === 14;
	run.multi = o.broadcast || multicast;
	// What goes to many is not to be fragmented.
	if (run.multi && o.pmtudisc < 0) o.pmtudisc = IP_PMTUDISC_DO;
	if (o.device !== null && !(await device_has_address(proc, o.device, source)))
		proc.stderr.write(`ping: Warning: source address might be selected on device other than: ${o.device}\n`);

	const set = new ping4(proc, o, whereto);
	set.fd = fd;
	set.raw = raw;
	set.ident = o.ident >= 0 ? o.ident : proc.pid & 0xffff;
	if (o.strictsource || !raw) {
		const err = proc.bind(fd, sockaddr_in(o.strictsource ? source : 0, raw ? 0 : Math.max(o.ident, 0)));
		if (err < 0) return die(proc, 'bind', err);
	}
	if (!raw) {
		const name = new sockaddr(AF_INET);
		const err = proc.getsockname(fd, name);
		if (err < 0) return die(proc, 'getsockname failed', err);
		set.ident = name.sin_port;
	}
	if (hops.length > 0 && o.timestamp < 0) return die(proc, 'record route', -EPERM);
	const err = setup(proc, o, set, hops);
	if (err !== null) return die(proc, ...err);
	if (o.connect) {
		const c = await proc.connect(fd, whereto);
		if (c < 0) return die(proc, 'connect failed', c);
	}

	run.timing = o.datalen >= TIMEVAL;
	run.hostname = host.name;
	if (o.pattern.length > 0 && !o.quiet)
		run.print(`PATTERN: 0x${o.pattern.map((v) => v.toString(16).padStart(2, '0')).join('')}\n`);
	const optlen = o.rroute || o.timestamp >= 0 ? 40 : 0;
	run.print(`PING ${host.name} (${inet_ntoa(whereto.sin_addr)}) `);
	if (o.device !== null || o.strictsource) run.print(`from ${inet_ntoa(source)} ${o.device ?? ''}: `);
	run.print(`${o.datalen}(${o.datalen + 8 + optlen + 20}) bytes of data.\n`);
	return run.loop(set);
}

/** The address that the probes leave with, found by a UDP socket that connects as they will go. Return: it, or what went wrong. */
async function source_address(proc: Process, o: ping_options, fd: number, whereto: sockaddr): Promise<number | string> {
	const fails = (what: string, err: number): string => `ping: ${what}: ${strerror(-err)}\n`;
	let source = Math.max(o.source, 0);
	if (o.source >= 0 && o.device === null) return source;
	const probe = proc.socket(AF_INET, SOCK_DGRAM, 0);
	if (probe < 0) return fails('socket', probe);
	if (o.device !== null) {
		const name = utf8(`${o.device}\0`);
		for (const s of [probe, fd]) {
			const err = proc.setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name);
			if (err < 0) return fails(`SO_BINDTODEVICE ${o.device}`, err);
		}
	}
	if (o.source >= 0) {
		proc.close(probe);
		return source;
	}
	if (o.tos !== 0) proc.setsockopt(probe, SOL_IP, IP_TOS, o.tos);
	if (o.mark >= 0) proc.setsockopt(probe, SOL_SOCKET, SO_MARK, o.mark);
	let err = await proc.connect(probe, sockaddr_in(whereto.sin_addr, 1025));
	if (err === -EACCES) {
		if (!o.broadcast) return 'ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n';
		proc.stderr.write('WARNING: pinging broadcast address\n');
		proc.setsockopt(probe, SOL_SOCKET, SO_BROADCAST, 1);
		err = await proc.connect(probe, sockaddr_in(whereto.sin_addr, 1025));
	}
	if (err < 0) return fails('connect', err);
	const name = new sockaddr(AF_INET);
	err = proc.getsockname(probe, name);
	if (err < 0) return fails('getsockname', err);
	source = name.sin_addr;
	proc.close(probe);
	return source;
}

/** Sets the socket up. Return: null, or what to say and the error. */
function setup(proc: Process, o: ping_options, set: ping4, hops: number[]): [string, number] | null {
	const { fd, raw } = set;
	const ip = (name: number, value: number): number => proc.setsockopt(fd, SOL_IP, name, value);
	let err = 0;
	if (o.tos !== 0) {
		err = ip(IP_TOS, o.tos);
		if (err < 0) return ['warning: QOS sockopts', err];
	}
	if (raw) {
		err = set.filter(WANTED);
		if (err < 0) proc.stderr.write(`ping: WARNING: setsockopt(ICMP_FILTER): ${strerror(-err)}\n`);
	} else {
		ip(IP_RECVTTL, 1);
		ip(IP_RETOPTS, 1);
	}
	ip(IP_RECVERR, 1);
	const options = ip_options(o, hops);
	if (options !== null) {
		err = proc.setsockopt(fd, SOL_IP, IP_OPTIONS, options);
		if (err < 0) return [o.rroute ? 'record route' : 'timestamp', err];
	}
	const alloc = 56 + o.datalen + 56 + 56 + 100;
	proc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, o.sndbuf > 0 ? o.sndbuf : alloc);
	proc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, Math.max(alloc * o.preload, 65536));
	if (o.broadcast) {
		err = proc.setsockopt(fd, SOL_SOCKET, SO_BROADCAST, 1);
		if (err < 0) return ['cannot set broadcasting', err];
	}
	if (o.noloop) {
		err = ip(IP_MULTICAST_LOOP, 0);
		if (err < 0) return ['cannot disable multicast loopback', err];
	}
	if (o.ttl >= 0) {
		err = ip(IP_MULTICAST_TTL, o.ttl);
		if (err < 0) return ['cannot set multicast time-to-live', err];
		err = ip(IP_TTL, o.ttl);
		if (err < 0) return ['cannot set unicast time-to-live', err];
	}
	if (o.pmtudisc >= 0) {
		err = ip(IP_MTU_DISCOVER, o.pmtudisc);
		if (err < 0) return ['IP_MTU_DISCOVER', err];
	}
	if (o.debug) proc.setsockopt(fd, SOL_SOCKET, SO_DEBUG, 1);
	if (o.so_dontroute) proc.setsockopt(fd, SOL_SOCKET, SO_DONTROUTE, 1);
	if (o.mark >= 0) {
		err = proc.setsockopt(fd, SOL_SOCKET, SO_MARK, o.mark);
		if (err < 0) proc.stderr.write(`ping: WARNING: failed to set mark: ${o.mark}: ${strerror(-err)}\n`);
	}
	proc.setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, 1);
	// A probe that cannot leave does not hold the next ones up.
	const timeout = Math.max(o.interval, MININTERVAL);
	const send_timeout = new Uint8Array(TIMEVAL);
	put_timeval(send_timeout, 0, timeout >= 1000 ? 1 : 0, timeout >= 1000 ? 0 : timeout * 1000);
	proc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, send_timeout);
	return null;
}
