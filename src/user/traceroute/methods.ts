/*
 * user/traceroute/methods.ts: the kinds of probes: UDP, ICMP echo, TCP SYN.        Original: Modern traceroute for Linux 2.1.2, mod-*.c
 * RFC 768, 792, 793. TCP's port is reserved by a stream socket, or drawn where there is no TCP.
 */
import { get_unaligned_be16, put_unaligned_be16, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { csum_fold, csum_partial, csum_tcpudp_nofold } from '../../lib/checksum.ts';
import { ICMP_ECHO, ICMP_ECHOREPLY } from '../../uapi/linux/icmp.ts';
import {
	AF_INET,
	IP_MTU,
	IPPROTO_ICMP,
	IPPROTO_TCP,
	IPPROTO_UDP,
	SOCK_DGRAM,
	SOCK_RAW,
	SOCK_STREAM,
	SOL_IP,
	sockaddr,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import type { probe, trace } from './trace.ts';

/** One way of probing. Functions return 0 or -errno; what went wrong is in `trace.call`. */
export interface method {
	/** Header behind IP's. */
	header_len: number;
	init: (t: trace) => Promise<number>;
	send: (t: trace, p: probe, ttl: number) => Promise<number>;
	/** The probe that a reply is about (`error`: `data` is what the error quotes); null for none of ours. */
	find: (t: trace, fd: number, data: Uint8Array, error: boolean, from: number) => probe | null;
	/** A probe is over. */
	expire: (t: trace, p: probe) => void;
}

function fill(b: Uint8Array): Uint8Array {
	for (let i = 0; i < b.length; i++) b[i] = 0x40 + (i & 0x3f);
	return b;
}

/** The IP payload of a raw packet. */
function ip_payload(data: Uint8Array): Uint8Array {
	return data.subarray((data[0] & 15) * 4);
}

/** UDP: a socket for each probe. */
export class udp_method implements method {
	header_len = 8;
	private port: number;
	private step: number;

	/** `step`: how much the port grows from probe to probe. */
	constructor(port: number, step: number) {
		this.port = port;
		this.step = step;
	}

	async init(_t: trace): Promise<number> {
		return 0;
	}

	async send(t: trace, p: probe, ttl: number): Promise<number> {
		const fd = t.open(SOCK_DGRAM, IPPROTO_UDP);
		if (fd < 0) return fd;
		p.fd = fd;
		let err = t.set_ttl(fd, ttl);
		if (err < 0) return err;
		err = await t.connect(fd, this.port);
		if (err < 0) return err;
		this.port = (this.port + this.step) & 0xffff;
		p.start(t);
		return t.send(fd, fill(new Uint8Array(Math.max(t.packet_len - 28, 0))));
	}

	find(t: trace, fd: number): probe | null {
		return t.probes.find((p) => p.fd === fd) ?? null;
	}

	expire(t: trace, p: probe): void {
		if (p.fd >= 0) t.proc.close(p.fd);
		p.fd = -1;
	}
}

/** ICMP echo requests, by a raw socket, or an ICMP one where there is no right to raw ones. */
export class icmp_method implements method {
	header_len = 8;
	private fd = -1;
	private raw = true;
	private ident = 0;
	private seq: number;

	constructor(seq: number, only: 'raw' | 'dgram' | '') {
		this.seq = seq;
		this.raw = only !== 'dgram';
	}

	async init(t: trace): Promise<number> {
		this.fd = t.open(this.raw ? SOCK_RAW : SOCK_DGRAM, IPPROTO_ICMP);
		if (this.fd < 0) return this.fd;
		const err = await t.connect(this.fd, 0);
		if (err < 0) return err;
		this.ident = t.proc.pid & 0xffff;
		if (!this.raw) {
			const name = new sockaddr(AF_INET);
			t.proc.getsockname(this.fd, name);
			this.ident = name.sin_port;
		}
		return 0;
	}

	async send(t: trace, p: probe, ttl: number): Promise<number> {
		const b = fill(new Uint8Array(Math.max(t.packet_len - 20, 8)));
		b[0] = ICMP_ECHO;
		b[1] = 0;
		put_unaligned_be16(b, 2, 0);
		put_unaligned_be16(b, 4, this.ident);
		put_unaligned_be16(b, 6, this.seq);
		put_unaligned_be16(b, 2, csum_fold(csum_partial(b, 0, b.length, 0)));
		const err = t.set_ttl(this.fd, ttl);
		if (err < 0) return err;
		p.fd = this.fd;
		p.key = this.seq;
		this.seq = (this.seq + 1) & 0xffff;
		p.start(t);
		return t.send(this.fd, b);
	}

	find(t: trace, _fd: number, data: Uint8Array, error: boolean): probe | null {
		const b = this.raw && !error ? ip_payload(data) : data;
		if (b.length < 8 || b[0] !== (error ? ICMP_ECHO : ICMP_ECHOREPLY)) return null;
		if (get_unaligned_be16(b, 4) !== this.ident) return null;
		const seq = get_unaligned_be16(b, 6);
		return t.probes.find((p) => p.fd >= 0 && p.key === seq) ?? null;
	}

	expire(_t: trace, p: probe): void {
		p.fd = -1;
	}
}

export const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr'];
const TH_SYN = 2;
const TH_RST = 4;
const TH_ACK = 16;

/** What -O says of TCP probes. */
export class tcp_options {
	flags = TH_SYN;
	/** Options as the host's own TCP would have them. */
	sysctl = true;
	sack = false;
	timestamps = false;
	window_scaling = false;
	mss = 0;
	/** Print the flags of the reply. */
	info = false;
}

/** TCP segments that never become a connection: the kernel answers a SYN+ACK with a reset. */
export class tcp_method implements method {
	header_len = 20;
	private fd = -1;
	private port: number;
	private o: tcp_options;
	private options = new Uint8Array(0);
	private saddr = 0;
	private holders: Map<number, number> = new Map();

	constructor(port: number, o: tcp_options) {
		this.port = port;
		this.o = o;
	}

	async init(t: trace): Promise<number> {
		const { o } = this;
		this.fd = t.open(SOCK_RAW, IPPROTO_TCP);
		if (this.fd < 0) return this.fd;
		const err = await t.connect(this.fd, 0);
		if (err < 0) return err;
		const name = new sockaddr(AF_INET);
		t.proc.getsockname(this.fd, name);
		this.saddr = name.sin_addr;
		const value = new Uint8Array(4);
		const mtu =
			t.proc.getsockopt(this.fd, SOL_IP, IP_MTU, value) < 0 ? 1500 : value[0] | (value[1] << 8) | (value[2] << 16);
		if (o.sysctl) {
			const on = async (key: string): Promise<boolean> =>
				String(await t.proc.readFile(`/proc/sys/net/ipv4/${key}`)).trim() !== '0';
			o.sack = await on('tcp_sack');
			o.timestamps = await on('tcp_timestamps');
			o.window_scaling = await on('tcp_window_scaling');
		}
		const bytes: number[] = [];
		if ((o.flags & TH_SYN) !== 0) {
			const mss = o.mss > 0 ? o.mss : mtu - 40;
			bytes.push(2, 4, (mss >> 8) & 255, mss & 255);
		}
		if (o.timestamps) {
			bytes.push(...(o.sack ? [4, 2] : [1, 1]), 8, 10);
			const stamp = t.proc.random();
			bytes.push((stamp >>> 24) & 255, (stamp >>> 16) & 255, (stamp >>> 8) & 255, stamp & 255, 0, 0, 0, 0);
		} else if (o.sack) bytes.push(1, 1, 4, 2);
		if (o.window_scaling) bytes.push(1, 3, 3, 2);
		this.options = Uint8Array.from(bytes);
		this.header_len = 20 + bytes.length;
		return 0;
	}

	async send(t: trace, p: probe, ttl: number): Promise<number> {
		const b = new Uint8Array(this.header_len);
		const sport = this.source_port(t);
		if (sport < 0) return sport;
		put_unaligned_be16(b, 0, sport);
		put_unaligned_be16(b, 2, this.port);
		put_unaligned_be32(b, 4, t.proc.random());
		b[12] = (this.header_len / 4) << 4;
		b[13] = this.o.flags;
		if ((this.o.flags & TH_ACK) !== 0) put_unaligned_be32(b, 8, t.proc.random());
		put_unaligned_be16(b, 14, 5840);
		b.set(this.options, 20);
		const sum = csum_tcpudp_nofold(this.saddr, t.dst.sin_addr, b.length, IPPROTO_TCP, 0);
		put_unaligned_be16(b, 16, csum_fold(csum_partial(b, 0, b.length, sum)));
		const err = t.set_ttl(this.fd, ttl);
		if (err < 0) return err;
		p.fd = this.fd;
		p.key = sport;
		p.start(t);
		return t.send(this.fd, b);
	}

	/** A port of our own, so that nobody else's connection is disturbed. */
	private source_port(t: trace): number {
		if (t.sport > 0) return t.sport;
		const s = t.proc.socket(AF_INET, SOCK_STREAM, 0);
		if (s < 0) {
			for (;;) {
				const port = 32768 + (t.proc.random() % 28232);
				if (!t.probes.some((p) => p.fd >= 0 && p.key === port)) return port;
			}
		}
		const err = t.proc.bind(s, sockaddr_in(t.source, 0));
		if (err < 0) return t.fails('bind', err);
		const name = new sockaddr(AF_INET);
		t.proc.getsockname(s, name);
		this.holders.set(name.sin_port, s);
		return name.sin_port;
	}

	find(t: trace, _fd: number, data: Uint8Array, error: boolean): probe | null {
		const b = error ? data : ip_payload(data);
		if (b.length < 8) return null;
		const [ours, theirs] = error ? [0, 2] : [2, 0];
		if (get_unaligned_be16(b, theirs) !== this.port) return null;
		const port = get_unaligned_be16(b, ours);
		const p = t.probes.find((x) => x.fd >= 0 && x.key === port) ?? null;
		if (p !== null && !error && this.o.info && b.length >= 20) {
			const names = TCP_FLAGS.filter((_, i) => (b[13] & (1 << i)) !== 0);
			p.ext = ` <${names.join(',')}>`;
		}
		if (p !== null && !error && b.length >= 14 && (b[13] & (TH_SYN | TH_RST | TH_ACK)) === 0) return null;
		return p;
	}

	expire(t: trace, p: probe): void {
		const s = this.holders.get(p.key);
		if (s !== undefined) t.proc.close(s);
		this.holders.delete(p.key);
		p.fd = -1;
	}
}
