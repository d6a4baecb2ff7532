/*
 * user/netdb/dnsd.ts: `dnsd`: a small name server.                                           Original: busybox dnsd 1.35; RFC 1035
 *
 * Names and addresses stand in a file, a pair a line; names and, backwards, addresses are answered, over UDP and TCP.
 */
import { get_unaligned_be16, put_unaligned_be16 } from '../../lib/byteorder.ts';
import { EAGAIN, strerror } from '../../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	msghdr,
	POLLIN,
	SO_REUSEADDR,
	SOCK_DGRAM,
	SOCK_STREAM,
	SOL_SOCKET,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import { getopt, getopt_message } from '../getopt.ts';
import { inet_ntoa, inet_pton4 } from '../hosts.ts';
import type { Process } from '../libc.ts';
import * as dns from './dns.ts';

const USAGE = `
Usage: dnsd [-dvs] [-c CONFFILE] [-t TTL_SEC] [-p PORT] [-i ADDR]

Small static DNS server daemon

	-c FILE	Config file
	-t SEC	TTL
	-p PORT	Listen on PORT
	-i ADDR	Listen on ADDR
	-d	Daemonize
	-v	Verbose
	-s	Send successful replies only. Use this if you want
		to use /etc/resolv.conf with two nameserver lines:
			nameserver DNSD_SERVER
			nameserver NORMAL_DNS_SERVER
`;
const UDP_MAX = 512;

/** Names in lower case with their addresses. `bad`: told of lines that are no pair. */
export function parse_dnsd(text: string, bad: (line: number) => void): [string, number][] {
	const out: [string, number][] = [];
	text.split('\n').forEach((raw, i) => {
		const words = raw
			.replace(/#.*/, '')
			.trim()
			.split(/[ \t]+/);
		if (words[0] === '') return;
		const addr = inet_pton4(words[1] ?? '');
		if (addr < 0 || words.length > 2 || dns.encode_name(words[0]) === null) bad(i + 1);
		else out.push([words[0].toLowerCase().replace(/\.$/, ''), addr]);
	});
	return out;
}

/** The answer to a message; null where it deserves none. `only`: nothing but successes. */
export function answer(
	names: readonly [string, number][],
	query: Uint8Array,
	ttl: number,
	only: boolean,
): Uint8Array | null {
	const q = dns.decode(query);
	if (q === null || (q.flags & dns.FLAG_QR) !== 0 || q.questions.length !== 1) return null;
	const [question] = q.questions;
	const name = question.name.toLowerCase();
	let rcode: number = dns.RCODE_OK;
	const answers: dns.Record[] = [];
	const add = (data: Uint8Array, target: string): void => {
		answers.push({ name: question.name, type: question.type, class: dns.CLASS_IN, ttl, data, target });
	};
	if ((q.flags & 0x7800) !== 0) rcode = dns.RCODE_NOTIMP;
	else if (question.class !== dns.CLASS_IN) rcode = dns.RCODE_NOTIMP;
	else {
		const known = names.filter(([n]) => n === name);
		const owners = names.filter(([, a]) => dns.reverse_name(a) === name);
		if (known.length === 0 && owners.length === 0) rcode = dns.RCODE_NXDOMAIN;
		else if (question.type === dns.TYPE_A)
			for (const [, a] of known) add(Uint8Array.of(a >>> 24, a >>> 16, a >>> 8, a), '');
		else if (question.type === dns.TYPE_PTR && owners.length > 0) add(new Uint8Array(0), owners[0][0]);
	}
	if (only && answers.length === 0) return null;
	return dns.encode({
		id: q.id,
		flags: dns.FLAG_QR | dns.FLAG_AA | (q.flags & dns.FLAG_RD) | (q.flags & 0x7800) | rcode,
		questions: q.questions,
		answers,
		authority: [],
		additional: [],
	});
}

interface Client {
	fd: number;
	data: Uint8Array;
}

async function serve(
	p: Process,
	names: readonly [string, number][],
	udp: number,
	tcp: number,
	ttl: number,
	only: boolean,
	verbose: boolean,
): Promise<number> {
	const clients: Client[] = [];
	const buf = new Uint8Array(65535);
	const drop = (c: Client): void => {
		p.close(c.fd);
		clients.splice(clients.indexOf(c), 1);
	};
	for (;;) {
		const polled = [...clients];
		const fds = [udp, tcp, ...polled.map((c) => c.fd)].map((fd) => ({ fd, events: POLLIN, revents: 0 }));
		if ((await p.poll(fds, -1)) < 0) return 0;
		for (;;) {
			const m = new msghdr(buf, sockaddr_in(0, 0));
			const n = p.recvmsg_nowait(udp, m);
			if (n < 0) break;
			const from = m.msg_name;
			const a = answer(names, buf.subarray(0, n), ttl, only);
			if (verbose && from !== null) p.stderr.write(`dnsd: message from ${inet_ntoa(from.sin_addr)}\n`);
			if (a === null || from === null) continue;
			if (a.length > UDP_MAX) {
				// RFC 1035 4.2.1: cut; who wants it all comes again over TCP.
				const cut = dns.decode(a);
				if (cut !== null)
					p.sendmsg_nowait(udp, new msghdr(dns.encode({ ...cut, flags: cut.flags | dns.FLAG_TC, answers: [] }), from));
			} else p.sendmsg_nowait(udp, new msghdr(a, from));
		}
		polled.forEach((c, i) => {
			if (fds[i + 2].revents === 0) return;
			const n = p.recvmsg_nowait(c.fd, new msghdr(buf));
			if (n === -EAGAIN) return;
			if (n <= 0) {
				drop(c);
				return;
			}
			const all = new Uint8Array(c.data.length + n);
			all.set(c.data);
			all.set(buf.subarray(0, n), c.data.length);
			c.data = all;
			while (c.data.length >= 2) {
				const len = get_unaligned_be16(c.data, 0);
				if (c.data.length < 2 + len) break;
				const a = answer(names, c.data.subarray(2, 2 + len), ttl, only);
				c.data = c.data.slice(2 + len);
				if (a === null) {
					drop(c);
					return;
				}
				const framed = new Uint8Array(a.length + 2);
				put_unaligned_be16(framed, 0, a.length);
				framed.set(a, 2);
				p.sendmsg_nowait(c.fd, new msghdr(framed));
			}
		});
		for (;;) {
			const fd = p.accept_nowait(tcp, null);
			if (fd < 0) break;
			clients.push({ fd, data: new Uint8Array(0) });
		}
	}
}

/** `dnsd`. Return: exit status. */
export async function dnsd(p: Process): Promise<number> {
	const g = new getopt(p.argv, 'c:t:p:i:dvs');
	let file = '/etc/dnsd.conf';
	let ttl = 120;
	let port = 53;
	let addr = 0;
	let daemon = false;
	let verbose = false;
	let only = false;
	const fail = (text: string): number => {
		p.stderr.write(`dnsd: ${text}\n`);
		return 1;
	};
	for (let s = g.next(); s.kind !== 'end'; s = g.next()) {
		if (s.kind !== 'opt') {
			p.stderr.write(getopt_message('dnsd', s) + USAGE);
			return 1;
		}
		const n = /^\d+$/.test(s.arg) ? Number(s.arg) : -1;
		if (s.opt === 'c') file = s.arg;
		else if (s.opt === 'd') daemon = true;
		else if (s.opt === 'v') verbose = true;
		else if (s.opt === 's') only = true;
		else if (s.opt === 'i') {
			addr = inet_pton4(s.arg);
			if (addr < 0) return fail(`bad address '${s.arg}'`);
		} else if (n < 0 || (s.opt === 'p' && n > 65535)) return fail(`invalid number '${s.arg}'`);
		else if (s.opt === 't') ttl = n;
		else port = n;
	}
	const text = await p.readFile(file);
	if (typeof text === 'number') return fail(`${file}: ${strerror(-text)}`);
	const names = parse_dnsd(text, (line) => p.stderr.write(`dnsd: ${file}: line ${line} is no name and address\n`));
	const udp = p.socket(AF_INET, SOCK_DGRAM, 0);
	const tcp = p.socket(AF_INET, SOCK_STREAM, 0);
	p.setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, 1);
	for (const fd of [udp, tcp]) {
		const r = p.bind(fd, sockaddr_in(addr, port));
		if (r < 0) return fail(`bind: ${strerror(-r)}`);
	}
	p.listen(tcp, 16);
	if (!daemon) return serve(p, names, udp, tcp, ttl, only, verbose);
	const child = p.fork('dnsd');
	child.task.files = p.task.files;
	p.task.files = [];
	void serve(child, names, udp, tcp, ttl, only, false).finally(() => child.exit());
	return 0;
}
