/*
 * user/netcat/netcat.ts: `nc`: a TCP or UDP connection joined to standard input and output.        Original: nc(1), OpenBSD's, Debian 1.219-1
 *
 * nc -> parse -> listen_mode | connect_mode -> readwrite.
 * Refused by name: IPv6, Unix sockets, DCCP, proxies, passing descriptors, telnet, TCP MD5 signatures. Standard input is known whole when the
 * program begins, so -k gives it to the first peer.
 */
import { EAGAIN, EINPROGRESS, EINTR, strerror } from '../../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	IP_MINTTL,
	IP_TOS,
	IP_TTL,
	MSG_PEEK,
	msghdr,
	POLLERR,
	POLLHUP,
	POLLIN,
	POLLOUT,
	SHUT_WR,
	SO_BROADCAST,
	SO_DEBUG,
	SO_ERROR,
	SO_RCVBUF,
	SO_REUSEADDR,
	SO_REUSEPORT,
	SO_SNDBUF,
	SOCK_DGRAM,
	SOCK_STREAM,
	SOL_IP,
	SOL_SOCKET,
	type sockaddr,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import { gethostbyaddr, gethostbyname, inet_aton, inet_ntoa } from '../hosts.ts';
import { getservbyname, getservbyport } from '../iptables/netdb.ts';
import { type Process, type pollfd, utf8 } from '../libc.ts';
import { resolv_conf } from '../netdb/dns.ts';
import { Failure, type Options, parse, port_number } from './options.ts';

const BUFSIZE = 16384;

async function no_answer(p: Process): Promise<string> {
	const { nameservers } = await resolv_conf(p);
	return nameservers.length === 0 ? 'Temporary failure in name resolution' : 'Name or service not known';
}

/** The address that a host's name or number is. */
async function address(p: Process, o: Options, host: string, what: string): Promise<number> {
	if (o.numeric) {
		const addr = inet_aton(host);
		if (addr < 0) throw new Failure(`${what}: Name or service not known`);
		return addr;
	}
	const found = await gethostbyname(p, host);
	if (found === null) throw new Failure(`${what}: ${await no_answer(p)}`);
	return found.addr;
}

/** A port that getaddrinfo(3) reads: a number, cut to 16 bits, or a service. */
function service_port(o: Options, text: string): number {
	if (/^\d+$/.test(text)) return Number(text) & 0xffff;
	const port = getservbyname(text, o.udp ? 'udp' : 'tcp');
	if (port < 0) throw new Failure('getaddrinfo: Servname not supported for ai_socktype');
	return port;
}

/** A socket with the options that were asked for. */
function open(p: Process, o: Options): number {
	const fd = p.socket(AF_INET, o.udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (fd < 0) throw new Failure(strerror(-fd));
	const set = (level: number, name: number, value: number, what: string): void => {
		const r = value < 0 ? 0 : p.setsockopt(fd, level, name, value);
		if (r < 0) throw new Failure(what === '' ? strerror(-r) : `${what}: ${strerror(-r)}`);
	};
	if (o.debug) set(SOL_SOCKET, SO_DEBUG, 1, '');
	if (o.broadcast) set(SOL_SOCKET, SO_BROADCAST, 1, '');
	set(SOL_IP, IP_TOS, o.tos, 'set IP ToS');
	set(SOL_SOCKET, SO_RCVBUF, o.rcvbuf, 'set TCP receive buffer size');
	set(SOL_SOCKET, SO_SNDBUF, o.sndbuf, 'set TCP send buffer size');
	set(SOL_IP, IP_TTL, o.ttl, 'set IP TTL');
	set(SOL_IP, IP_MINTTL, o.minttl, 'set IP min TTL');
	return fd;
}

/** `Listening on localhost 80`. */
async function report(p: Process, o: Options, what: string, a: sockaddr): Promise<void> {
	if (!o.verbose) return;
	let name: string | null = inet_ntoa(a.sin_addr);
	if (!o.numeric) {
		name = await gethostbyaddr(p, a.sin_addr);
		if (name === null && (await resolv_conf(p)).nameservers.length === 0) {
			p.stderr.write('nc: getnameinfo: Temporary failure in name resolution\n');
			return;
		}
	}
	p.stderr.write(`${what} on ${name ?? inet_ntoa(a.sin_addr)} ${a.sin_port}\n`);
}

/** LF as CR LF, where no CR stands before it. */
function crlf(b: Uint8Array): Uint8Array {
	const out: number[] = [];
	for (let i = 0; i < b.length; i++) {
		if (b[i] === 10 && (i === 0 || b[i - 1] !== 13)) out.push(13);
		out.push(b[i]);
	}
	return Uint8Array.from(out);
}

/** What is still to be sent of standard input; peers of -k share it. */
class Input {
	data: Uint8Array;
	at = 0;
	private lines: boolean;

	constructor(p: Process, o: Options) {
		this.data = o.detach ? new Uint8Array(0) : o.crlf ? crlf(p.stdin) : p.stdin;
		this.lines = o.interval > 0;
	}

	get left(): boolean {
		return this.at < this.data.length;
	}

	/** The next piece: a line with -i. */
	next(): Uint8Array {
		let end = Math.min(this.at + BUFSIZE, this.data.length);
		if (this.lines) {
			const nl = this.data.indexOf(10, this.at);
			if (nl >= 0 && nl < end) end = nl + 1;
		}
		return this.data.subarray(this.at, end);
	}
}

/** Passes bytes both ways until both are done, nothing comes for -w, or a signal does. Return: false when the program has to end. */
async function readwrite(p: Process, o: Options, fd: number, input: Input): Promise<boolean> {
	let receiving = true;
	let sending = true;
	let received = 0;
	let lines = 0;
	let quit_at = Infinity;
	const buf = new Uint8Array(BUFSIZE);
	const idle = o.timeout < 0 || o.listen ? -1 : o.timeout * 1000;
	const slot: pollfd = { fd, events: 0, revents: 0 };
	for (;;) {
		if (sending && !input.left) {
			// The end of the input.
			sending = false;
			if ((o.shut || o.quit >= 0) && !o.detach) {
				p.shutdown(fd, SHUT_WR);
				if (o.quit === 0) return true;
				if (o.quit > 0) quit_at = p.monotonic() + o.quit * 1e9;
			}
		}
		if (!sending && !receiving) return true;
		slot.events = (receiving ? POLLIN : 0) | (sending ? POLLOUT : 0);
		const left = Math.max(0, Math.ceil((quit_at - p.monotonic()) / 1e6));
		const wait = quit_at === Infinity ? idle : idle < 0 ? left : Math.min(left, idle);
		const n = await p.poll([slot], wait);
		if (n < 0) return false;
		if (n === 0) return true;
		if (receiving && slot.revents & (POLLIN | POLLERR | POLLHUP)) {
			const m = new msghdr(buf);
			const got = p.recvmsg_nowait(fd, m);
			if (got > 0) {
				p.stdout.write(buf.slice(0, got));
				if (++received === o.recvlimit) return false;
			} else if (got === 0 || (slot.revents & POLLIN) === 0 || slot.revents & (POLLERR | POLLHUP)) {
				// An error ends what comes, and is not told.
				receiving = false;
				if (slot.revents & POLLERR) sending = false;
			}
		}
		if (sending && input.left && slot.revents & POLLOUT) {
			if (o.interval > 0 && lines++ > 0 && (await p.sleep(o.interval * 1000)) < 0) return false;
			const sent = p.sendmsg_nowait(fd, new msghdr(input.next()));
			if (sent > 0) input.at += sent;
			else if (sent !== -EAGAIN) sending = false;
		}
	}
}

async function listen_mode(p: Process, o: Options): Promise<number> {
	let host = o.source;
	let port = o.sport;
	if (host !== '' || port !== '') {
		if (o.words.length > 0) throw new Failure('');
	} else if (o.words.length === 1) port = o.words[0];
	else [host, port] = [o.words[0] ?? '', o.words[1] ?? ''];
	if (port === '') throw new Failure('missing port number');
	if (o.words.length > 2) throw new Failure('');
	const n = service_port(o, port);
	const addr = host === '' ? 0 : await address(p, o, host, 'getaddrinfo');
	const input = new Input(p, o);
	const listen_on = async (): Promise<number> => {
		const fd = open(p, o);
		p.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		p.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
		let r = p.bind(fd, sockaddr_in(addr, n));
		if (r >= 0 && !o.udp) r = p.listen(fd, 1);
		if (r < 0) throw new Failure(strerror(-r));
		const local = sockaddr_in(0, 0);
		p.getsockname(fd, local);
		await report(p, o, o.udp ? 'Bound' : 'Listening', local);
		return fd;
	};
	const fd = await listen_on();
	do {
		let from = sockaddr_in(0, 0);
		if (o.udp && !o.keep) {
			const m = new msghdr(new Uint8Array(1), from);
			const r = await p.recvmsg(fd, m, MSG_PEEK);
			if (r < 0) return 1;
			from = m.msg_name!;
			const c = await p.connect(fd, from);
			if (c < 0) throw new Failure(`connect: ${strerror(-c)}`);
			await report(p, o, 'Connection received', from);
			await readwrite(p, o, fd, input);
		} else if (o.udp) {
			if (!(await readwrite(p, o, fd, input))) return 0;
		} else {
			const conn = await p.accept(fd, from);
			if (conn === -EINTR) return 1;
			if (conn < 0) throw new Failure(`accept: ${strerror(-conn)}`);
			await report(p, o, 'Connection received', from);
			if (!o.keep) p.close(fd);
			const go_on = await readwrite(p, o, conn, input);
			p.close(conn);
			if (!go_on) return 0;
		}
	} while (o.keep);
	return 0;
}

/** The ports to try, in order. */
function port_list(p: Process, o: Options): number[] {
	const ports: number[] = [];
	for (const text of o.words.slice(1)) {
		const service = /^\d+(-|$)/.test(text) ? -1 : getservbyname(text, o.udp ? 'udp' : 'tcp');
		const dash = text.indexOf('-', 1);
		if (service >= 0) ports.push(service);
		else if (dash > 0 && dash < text.length - 1) {
			// The higher one is read first.
			const b = port_number(text.slice(dash + 1));
			const a = port_number(text.slice(0, dash));
			for (let i = Math.min(a, b); i <= Math.max(a, b); i++) ports.push(i);
		} else ports.push(port_number(text));
	}
	if (o.random)
		for (let i = ports.length - 1; i > 0; i--) {
			const k = p.random() % (i + 1);
			[ports[i], ports[k]] = [ports[k], ports[i]];
		}
	return ports;
}

/** Connects. Return: descriptor, or -1 when that failed (told with -v). */
async function remote_connect(p: Process, o: Options, host: string, addr: number, port: number): Promise<number> {
	const fd = open(p, o);
	if (o.source !== '' || o.sport !== '') {
		const sport = o.sport === '' ? 0 : service_port(o, o.sport);
		const source = o.source === '' ? 0 : await address(p, o, o.source, 'getaddrinfo');
		const r = p.bind(fd, sockaddr_in(source, sport));
		if (r < 0) throw new Failure(`bind failed: ${strerror(-r)}`);
	}
	let err = -p.connect_nowait(fd, sockaddr_in(addr, port));
	let how = 'failed';
	if (err === EINPROGRESS) {
		const n = await p.poll([{ fd, events: POLLOUT, revents: 0 }], o.timeout < 0 ? -1 : o.timeout * 1000);
		if (n < 0) return -1;
		if (n === 0) how = 'timed out';
		else {
			const b = new Uint8Array(4);
			p.getsockopt(fd, SOL_SOCKET, SO_ERROR, b);
			err = b[0] | (b[1] << 8);
		}
	}
	if (err === 0) return fd;
	p.close(fd);
	if (o.verbose)
		p.stderr.write(
			`nc: connect to ${shown(o, host, addr)} port ${port} (${o.udp ? 'udp' : 'tcp'}) ${how}: ${strerror(err)}\n`,
		);
	return -1;
}

/** `localhost (127.0.0.1)`, or the address alone where that was given. */
function shown(o: Options, host: string, addr: number): string {
	const text = inet_ntoa(addr);
	return o.numeric || text === host ? host : `${host} (${text})`;
}

/** Whether nobody refuses a few datagrams. */
async function udptest(p: Process, o: Options, fd: number): Promise<boolean> {
	const x = utf8('X');
	if (p.sendmsg_nowait(fd, new msghdr(x)) < 0) return false;
	const n = o.timeout < 0 ? 3 : o.timeout;
	for (let i = 0; i < n; i++) {
		if (p.sendmsg_nowait(fd, new msghdr(x)) < 0) return false;
		if ((await p.sleep(1000)) < 0) return false;
	}
	return p.sendmsg_nowait(fd, new msghdr(x)) >= 0;
}

async function connect_mode(p: Process, o: Options): Promise<number> {
	const [host] = o.words;
	if (o.words.length < 2) throw new Failure('missing port number');
	const ports = port_list(p, o);
	const addr = await address(p, o, host, `getaddrinfo for host "${host}" port ${ports[0]}`);
	const input = new Input(p, o);
	let status = 1;
	for (let i = 0; i < ports.length; i++) {
		if (i > 0 && o.interval > 0) await p.sleep(o.interval * 1000);
		const fd = await remote_connect(p, o, host, addr, ports[i]);
		if (fd < 0) continue;
		status = 0;
		if (o.verbose && o.udp && !(await udptest(p, o, fd))) {
			status = 1;
			p.close(fd);
			continue;
		}
		if (o.verbose) {
			const proto = o.udp ? 'udp' : 'tcp';
			const service = o.numeric ? '' : getservbyport(ports[i], proto);
			p.stderr.write(
				`Connection to ${shown(o, host, addr)} ${ports[i]} port [${proto}/${service === '' ? '*' : service}] succeeded!\n`,
			);
		}
		const go_on = o.scan || (await readwrite(p, o, fd, input));
		p.close(fd);
		if (!go_on) break;
	}
	return status;
}

/** `nc`. Return: exit status. */
export async function nc(p: Process): Promise<number> {
	try {
		const o = parse(p.argv);
		if ('text' in o) {
			p.stderr.write(o.text);
			return o.status;
		}
		return await (o.listen ? listen_mode(p, o) : connect_mode(p, o));
	} catch (e) {
		if (!(e instanceof Failure)) throw e;
		p.stderr.write(e.text);
		return 1;
	}
}
