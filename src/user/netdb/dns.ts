/*
 * user/netdb/dns.ts: messages of the domain name system as bytes, and a resolver that asks the servers of /etc/resolv.conf.
 * RFC 1035 4 (messages), 3.2.2 (types); resolv.conf(5). UDP, and TCP when the answer was cut.
 */
import { get_unaligned_be16, get_unaligned_be32, put_unaligned_be16, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { AF_INET, MSG_WAITALL, msghdr, POLLIN, SOCK_DGRAM, SOCK_STREAM, sockaddr_in } from '../../uapi/linux/socket.ts';
import type { Process } from '../libc.ts';

export const TYPE_A = 1;
export const TYPE_NS = 2;
export const TYPE_CNAME = 5;
export const TYPE_SOA = 6;
export const TYPE_PTR = 12;
export const TYPE_MX = 15;
export const TYPE_TXT = 16;
export const TYPE_AAAA = 28;
export const CLASS_IN = 1;

export const RCODE_OK = 0;
export const RCODE_FORMERR = 1;
export const RCODE_SERVFAIL = 2;
export const RCODE_NXDOMAIN = 3;
export const RCODE_NOTIMP = 4;
export const RCODE_REFUSED = 5;

export const FLAG_QR = 0x8000;
export const FLAG_AA = 0x0400;
export const FLAG_TC = 0x0200;
export const FLAG_RD = 0x0100;
export const FLAG_RA = 0x0080;

export interface Question {
	name: string;
	type: number;
	class: number;
}

export interface Record {
	name: string;
	type: number;
	class: number;
	/** Seconds. */
	ttl: number;
	/** A name (CNAME, PTR, NS), an address as four bytes, or raw bytes. */
	data: Uint8Array;
	/** The name that the data holds, for CNAME, PTR and NS. */
	target: string;
}

export interface Message {
	id: number;
	/** Second 16 bits of the header: QR, opcode, AA, TC, RD, RA, rcode. */
	flags: number;
	questions: Question[];
	answers: Record[];
	authority: Record[];
	additional: Record[];
}

/** A name as labels. null where a label is empty or over 63 bytes, or all of it over 255. */
export function encode_name(name: string): Uint8Array | null {
	const labels = name.replace(/\.$/, '').split('.');
	const out: number[] = [];
	if (labels.length === 1 && labels[0] === '') return Uint8Array.of(0);
	for (const l of labels) {
		if (l.length === 0 || l.length > 63) return null;
		out.push(l.length);
		for (let i = 0; i < l.length; i++) out.push(l.charCodeAt(i) & 255);
	}
	out.push(0);
	return out.length > 255 ? null : Uint8Array.from(out);
}

/** A message's bytes; names are not compressed. Names that cannot be are left out with their record. */
export function encode(m: Message): Uint8Array {
	const parts: Uint8Array[] = [];
	const counts = [0, 0, 0, 0];
	for (const q of m.questions) {
		const name = encode_name(q.name);
		if (name === null) continue;
		const tail = new Uint8Array(4);
		put_unaligned_be16(tail, 0, q.type);
		put_unaligned_be16(tail, 2, q.class);
		parts.push(name, tail);
		counts[0]++;
	}
	[m.answers, m.authority, m.additional].forEach((records, i) => {
		for (const r of records) {
			const name = encode_name(r.name);
			const data = r.target !== '' ? encode_name(r.target) : r.data;
			if (name === null || data === null || data.length > 65535) continue;
			const head = new Uint8Array(10);
			put_unaligned_be16(head, 0, r.type);
			put_unaligned_be16(head, 2, r.class);
			put_unaligned_be32(head, 4, r.ttl);
			put_unaligned_be16(head, 8, data.length);
			parts.push(name, head, data);
			counts[i + 1]++;
		}
	});
	const header = new Uint8Array(12);
	put_unaligned_be16(header, 0, m.id);
	put_unaligned_be16(header, 2, m.flags);
	counts.forEach((n, i) => {
		put_unaligned_be16(header, 4 + 2 * i, n);
	});
	const out = new Uint8Array(12 + parts.reduce((n, p) => n + p.length, 0));
	out.set(header);
	let at = 12;
	for (const p of parts) {
		out.set(p, at);
		at += p.length;
	}
	return out;
}

/** Reads a name at `at`, following pointers. Return: it and where it ends, or null. */
function decode_name(b: Uint8Array, at: number): { name: string; end: number } | null {
	const labels: string[] = [];
	let end = -1;
	let total = 0;
	for (let hops = 0; hops < 64; hops++) {
		if (at >= b.length) return null;
		const len = b[at];
		if ((len & 0xc0) === 0xc0) {
			if (at + 1 >= b.length) return null;
			if (end < 0) end = at + 2;
			at = ((len & 0x3f) << 8) | b[at + 1];
			continue;
		}
		if (len > 63) return null;
		if (len === 0) return { name: labels.join('.'), end: end < 0 ? at + 1 : end };
		total += len + 1;
		if (at + 1 + len > b.length || total > 255) return null;
		labels.push(String.fromCharCode(...b.subarray(at + 1, at + 1 + len)));
		at += len + 1;
		hops--;
	}
	return null;
}

/** Reads a message. null where it is none. */
export function decode(b: Uint8Array): Message | null {
	if (b.length < 12) return null;
	const m: Message = {
		id: get_unaligned_be16(b, 0),
		flags: get_unaligned_be16(b, 2),
		questions: [],
		answers: [],
		authority: [],
		additional: [],
	};
	let at = 12;
	for (let i = get_unaligned_be16(b, 4); i > 0; i--) {
		const n = decode_name(b, at);
		if (n === null || n.end + 4 > b.length) return null;
		m.questions.push({ name: n.name, type: get_unaligned_be16(b, n.end), class: get_unaligned_be16(b, n.end + 2) });
		at = n.end + 4;
	}
	const sections = [m.answers, m.authority, m.additional];
	for (let s = 0; s < 3; s++) {
		for (let i = get_unaligned_be16(b, 6 + 2 * s); i > 0; i--) {
			const n = decode_name(b, at);
			if (n === null || n.end + 10 > b.length) return null;
			const type = get_unaligned_be16(b, n.end);
			const len = get_unaligned_be16(b, n.end + 8);
			const from = n.end + 10;
			if (from + len > b.length) return null;
			const named = type === TYPE_CNAME || type === TYPE_PTR || type === TYPE_NS;
			const target = named ? decode_name(b, from) : null;
			if (named && target === null) return null;
			sections[s].push({
				name: n.name,
				type,
				class: get_unaligned_be16(b, n.end + 2),
				ttl: get_unaligned_be32(b, n.end + 4) >>> 0,
				data: b.slice(from, from + len),
				target: target?.name ?? '',
			});
			at = from + len;
		}
	}
	return m;
}

/** `4.3.2.1.in-addr.arpa` for 1.2.3.4. */
export function reverse_name(addr: number): string {
	return `${addr & 255}.${(addr >>> 8) & 255}.${(addr >>> 16) & 255}.${addr >>> 24}.in-addr.arpa`;
}

export interface ResolvConf {
	nameservers: number[];
	search: string[];
	/** Seconds. */
	timeout: number;
	attempts: number;
	ndots: number;
}

function address(text: string): number {
	if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return -1;
	return text.split('.').reduce((n, b) => n * 256 + Number(b), 0);
}

/** What /etc/resolv.conf says; no servers where there is none. */
export async function resolv_conf(p: Process): Promise<ResolvConf> {
	const conf: ResolvConf = { nameservers: [], search: [], timeout: 5, attempts: 2, ndots: 1 };
	const text = await p.readFile('/etc/resolv.conf');
	if (typeof text === 'number') return conf;
	for (const line of text.split('\n')) {
		const [word, ...rest] = line
			.replace(/[#;].*/, '')
			.trim()
			.split(/\s+/);
		if (word === 'nameserver' && address(rest[0] ?? '') >= 0) conf.nameservers.push(address(rest[0]));
		else if (word === 'search' || word === 'domain') conf.search = rest;
		else if (word === 'options')
			for (const o of rest) {
				const m = /^(timeout|attempts|ndots):(\d+)$/.exec(o);
				if (m !== null) conf[m[1] as 'timeout'] = Number(m[2]);
			}
	}
	conf.nameservers.splice(3);
	return conf;
}

/** Asks one server over TCP. null where it gives no answer. */
async function ask_tcp(p: Process, server: number, query: Uint8Array): Promise<Message | null> {
	const fd = p.socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0) return null;
	try {
		if ((await p.connect(fd, sockaddr_in(server, 53))) < 0) return null;
		const framed = new Uint8Array(query.length + 2);
		put_unaligned_be16(framed, 0, query.length);
		framed.set(query, 2);
		if ((await p.sendmsg(fd, new msghdr(framed), 0)) < 0) return null;
		const len = new msghdr(new Uint8Array(2));
		if ((await p.recvmsg(fd, len, MSG_WAITALL)) !== 2) return null;
		const body = new msghdr(new Uint8Array(get_unaligned_be16(len.msg_iov, 0)));
		const n = await p.recvmsg(fd, body, MSG_WAITALL);
		return n < 0 ? null : decode(body.msg_iov.subarray(0, n));
	} finally {
		p.close(fd);
	}
}

/** Asks one server for one type. `timeout` in ms. null where no answer comes. */
export async function ask(
	p: Process,
	server: number,
	name: string,
	type: number,
	timeout: number,
): Promise<Message | null> {
	const id = p.random() & 0xffff;
	const query = encode({
		id,
		flags: FLAG_RD,
		questions: [{ name, type, class: CLASS_IN }],
		answers: [],
		authority: [],
		additional: [],
	});
	const fd = p.socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0) return null;
	try {
		if ((await p.connect(fd, sockaddr_in(server, 53))) < 0) return null;
		if ((await p.sendmsg(fd, new msghdr(query), 0)) < 0) return null;
		const until = p.monotonic() + timeout * 1e6;
		for (;;) {
			const left = (until - p.monotonic()) / 1e6;
			if (left <= 0) return null;
			const ready = await p.poll([{ fd, events: POLLIN, revents: 0 }], Math.ceil(left));
			if (ready <= 0) return null;
			const m = new msghdr(new Uint8Array(4096));
			const n = await p.recvmsg(fd, m, 0);
			// Nobody listens there (ICMP).
			if (n < 0) return null;
			const answer = decode(m.msg_iov.subarray(0, n));
			// RFC 5452 9: only what answers our question.
			if (answer === null || answer.id !== id || (answer.flags & FLAG_QR) === 0) continue;
			const q = answer.questions[0];
			if (q !== undefined && (q.name.toLowerCase() !== name.replace(/\.$/, '').toLowerCase() || q.type !== type))
				continue;
			return (answer.flags & FLAG_TC) !== 0 ? ((await ask_tcp(p, server, query)) ?? answer) : answer;
		}
	} finally {
		p.close(fd);
	}
}

/** Follows aliases in an answer to the records of `type`. */
export function records_of(m: Message, name: string, type: number): Record[] {
	let at = name.replace(/\.$/, '').toLowerCase();
	for (let hops = 0; hops < 16; hops++) {
		const found = m.answers.filter((r) => r.type === type && r.name.toLowerCase() === at);
		if (found.length > 0) return found;
		const alias = m.answers.find((r) => r.type === TYPE_CNAME && r.name.toLowerCase() === at);
		if (alias === undefined) return [];
		at = alias.target.toLowerCase();
	}
	return [];
}

/** Asks the servers of /etc/resolv.conf, in order, as often as it says. null: no server answered; else what the last one said. */
export async function query(p: Process, name: string, type: number): Promise<Message | null> {
	const conf = await resolv_conf(p);
	for (let attempt = 0; attempt < conf.attempts; attempt++) {
		for (const server of conf.nameservers) {
			const m = await ask(p, server, name, type, conf.timeout * 1000);
			if (m !== null && ((m.flags & 15) === RCODE_OK || (m.flags & 15) === RCODE_NXDOMAIN)) return m;
		}
	}
	return null;
}

/** First IPv4 address of a name by DNS, with the name that has it; null when there is none. */
export async function dns_lookup(p: Process, name: string): Promise<{ addr: number; name: string } | null> {
	const conf = await resolv_conf(p);
	if (conf.nameservers.length === 0 || encode_name(name) === null) return null;
	const dots = name.split('.').length - 1;
	const names = name.endsWith('.') ? [name] : conf.search.map((d) => `${name}.${d}`);
	if (!name.endsWith('.')) {
		if (dots >= conf.ndots) names.unshift(name);
		else names.push(name);
	}
	for (const n of names) {
		const m = await query(p, n, TYPE_A);
		if (m === null) continue;
		const r = records_of(m, n, TYPE_A).find((x) => x.data.length === 4);
		if (r !== undefined) return { addr: get_unaligned_be32(r.data, 0) >>> 0, name: r.name };
	}
	return null;
}

/** Name of an address by DNS; null when it has none. */
export async function dns_reverse(p: Process, addr: number): Promise<string | null> {
	const name = reverse_name(addr);
	if ((await resolv_conf(p)).nameservers.length === 0) return null;
	const m = await query(p, name, TYPE_PTR);
	return m === null ? null : (records_of(m, name, TYPE_PTR)[0]?.target ?? null);
}
