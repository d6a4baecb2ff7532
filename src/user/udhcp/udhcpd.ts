/*
 * user/udhcp/udhcpd.ts: `udhcpd`: gives addresses to hosts on a link.                       Original: busybox udhcpd 1.35; RFC 2131 4.3
 *
 * udhcpd -> config -> serve -> answer. The lease file is in the original's layout and is written at each change.
 * Not here: the ARP probe of an address before it is offered (-a is taken and does nothing); answers go to the broadcast address, as the client has none
 * that it answers ARP for. Refused by name: notify_file, -S.
 */
import { get_unaligned_be32, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { EINTR, strerror } from '../../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	msghdr,
	SO_BINDTODEVICE,
	SO_BROADCAST,
	SO_REUSEADDR,
	SOCK_DGRAM,
	SOL_SOCKET,
	sockaddr_in,
} from '../../uapi/linux/socket.ts';
import { getopt, getopt_message } from '../getopt.ts';
import { inet_ntoa, inet_pton4 } from '../hosts.ts';
import { type Process, utf8 } from '../libc.ts';
import * as dhcp from './packet.ts';

const USAGE = `
Usage: udhcpd [-f] [-I ADDR] [-a MSEC] [CONFFILE]

DHCP server

	-f	Run in foreground
	-I ADDR	Local address
	-a MSEC	Timeout for ARP ping (default 2000)
`;
/** s */
const DEFAULT_LEASE = 864000;
const RECORD = 36;
/** struct ifreq's address of an interface. */
const SIOCGIFADDR = 0x8915;

export interface Config {
	start: number;
	end: number;
	interface: string;
	max_leases: number;
	decline_time: number;
	offer_time: number;
	min_lease: number;
	lease_file: string;
	pidfile: string;
	siaddr: number;
	sname: string;
	boot_file: string;
	options: Map<number, Uint8Array>;
	/** Addresses by hardware address in hex. */
	fixed: Map<string, number>;
}

interface Lease {
	mac: string;
	addr: number;
	/** Seconds of the real-time clock. */
	expires: number;
	hostname: string;
}

/** Reads a configuration. `bad`: told of the lines that are none. */
export function parse_config(text: string, bad: (line: number, why: string) => void): Config {
	const c: Config = {
		start: 0xc0a80014,
		end: 0xc0a800fe,
		interface: 'eth0',
		max_leases: 235,
		decline_time: 3600,
		offer_time: 60,
		min_lease: 60,
		lease_file: '/var/lib/misc/udhcpd.leases',
		pidfile: '/var/run/udhcpd.pid',
		siaddr: 0,
		sname: '',
		boot_file: '',
		options: new Map(),
		fixed: new Map(),
	};
	text.split('\n').forEach((raw, i) => {
		const [key, ...words] = raw
			.replace(/#.*/, '')
			.trim()
			.split(/[ \t]+/);
		if (key === '') return;
		const value = words[0] ?? '';
		const ip = inet_pton4(value);
		const number = /^\d+$/.test(value) ? Number(value) : -1;
		let ok = true;
		switch (key) {
			case 'start':
			case 'end':
			case 'siaddr':
				if (ip < 0) ok = false;
				else c[key] = ip;
				break;
			case 'max_leases':
			case 'decline_time':
			case 'offer_time':
			case 'min_lease':
				if (number < 0) ok = false;
				else c[key] = number;
				break;
			case 'interface':
			case 'lease_file':
			case 'pidfile':
			case 'sname':
			case 'boot_file':
				c[key] = value;
				break;
			case 'remaining':
			case 'auto_time':
			case 'conflict_time':
				break;
			case 'opt':
			case 'option': {
				const o = dhcp.parse_option(words);
				if (o === null) ok = false;
				else {
					const old = c.options.get(o.code);
					const list = dhcp.OPTIONS.find((x) => x.code === o.code)?.kind === 'ips';
					c.options.set(o.code, old !== undefined && list ? Uint8Array.of(...old, ...o.data) : o.data);
				}
				break;
			}
			case 'static_lease': {
				const mac = /^([\da-f]{1,2}:){5}[\da-f]{1,2}$/i.test(value)
					? value
							.split(':')
							.map((x) => x.padStart(2, '0').toLowerCase())
							.join('')
					: '';
				const addr = inet_pton4(words[1] ?? '');
				if (mac === '' || addr < 0) ok = false;
				else c.fixed.set(mac, addr);
				break;
			}
			default:
				ok = false;
		}
		if (!ok) bad(i + 1, `can't parse line ${i + 1} at '${words.join(' ')}'`);
	});
	return c;
}

class Server {
	private p: Process;
	private c: Config;
	private id: number;
	private leases: Lease[] = [];

	constructor(p: Process, c: Config, id: number) {
		this.p = p;
		this.c = c;
		this.id = id;
	}

	private now(): number {
		return this.p.realtime().sec;
	}

	private log(text: string): void {
		this.p.stderr.write(`udhcpd: ${text}\n`);
	}

	async load(): Promise<void> {
		const b = await this.p.readFileBytes(this.c.lease_file);
		if (typeof b === 'number') {
			this.log(`can't open '${this.c.lease_file}': ${strerror(-b)}`);
			return;
		}
		if (b.length < 8) return;
		const written = get_unaligned_be32(b, 0) * 2 ** 32 + (get_unaligned_be32(b, 4) >>> 0);
		for (let i = 8; i + RECORD <= b.length; i += RECORD) {
			const addr = get_unaligned_be32(b, i + 4) >>> 0;
			const expires = written + (get_unaligned_be32(b, i) >>> 0);
			if (addr < this.c.start || addr > this.c.end || expires <= this.now()) continue;
			const name = b.subarray(i + 14, i + 34);
			const end = name.indexOf(0);
			this.leases.push({
				mac: dhcp.option_text('hex', b.subarray(i + 8, i + 14)),
				addr,
				expires,
				hostname: String.fromCharCode(...name.subarray(0, end < 0 ? 20 : end)),
			});
		}
	}

	async save(): Promise<void> {
		const now = this.now();
		const live = this.leases.filter((l) => l.expires > now && l.mac !== '');
		const b = new Uint8Array(8 + live.length * RECORD);
		put_unaligned_be32(b, 0, Math.floor(now / 2 ** 32));
		put_unaligned_be32(b, 4, now % 2 ** 32);
		live.forEach((l, k) => {
			const i = 8 + k * RECORD;
			put_unaligned_be32(b, i, l.expires - now);
			put_unaligned_be32(b, i + 4, l.addr);
			b.set(dhcp.option_bytes('hex', [l.mac]) ?? [], i + 8);
			b.set(utf8(l.hostname).subarray(0, 19), i + 14);
		});
		await this.p.writeFile(this.c.lease_file, b);
	}

	private by_mac(mac: string): Lease | undefined {
		return this.leases.find((l) => l.mac === mac);
	}

	private free(addr: number, mac: string): boolean {
		if (addr < this.c.start || addr > this.c.end || addr === this.id) return false;
		for (const [m, a] of this.c.fixed) if (a === addr && m !== mac) return false;
		const l = this.leases.find((x) => x.addr === addr);
		return l === undefined || l.mac === mac || l.expires <= this.now();
	}

	/** The address for a client: its own, the one it asks for, the first free. 0: none is left. */
	private pick(mac: string, wanted: number): number {
		const fixed = this.c.fixed.get(mac);
		if (fixed !== undefined) return fixed;
		const own = this.by_mac(mac);
		if (own !== undefined) return own.addr;
		if (wanted > 0 && this.free(wanted, mac)) return wanted;
		const taken = this.leases.filter((l) => l.expires > this.now());
		if (taken.length >= this.c.max_leases) return 0;
		// Clients begin at different places (by a hash of their address), so that each finds its old one again.
		const size = this.c.end - this.c.start + 1;
		let hash = 0;
		for (const b of dhcp.option_bytes('hex', [mac]) ?? []) hash = (b + (hash << 6) + (hash << 16)) | 0;
		for (let i = 0; i < size; i++) {
			const a = this.c.start + (((hash >>> 0) + i) % size);
			if ((a & 255) !== 0 && (a & 255) !== 255 && this.free(a, mac)) return a;
		}
		return 0;
	}

	private lease(mac: string, addr: number, seconds: number, hostname: string): void {
		this.leases = this.leases.filter((l) => l.mac !== mac && l.addr !== addr);
		this.leases.push({ mac, addr, expires: this.now() + seconds, hostname });
	}

	private reply(q: dhcp.Packet, type: number): dhcp.Packet {
		const r = dhcp.packet(dhcp.BOOTREPLY, q.xid, q.chaddr);
		r.flags = q.flags;
		r.giaddr = q.giaddr;
		r.ciaddr = q.ciaddr;
		r.options.set(dhcp.OPT_MESSAGE_TYPE, Uint8Array.of(type));
		r.options.set(dhcp.OPT_SERVER_ID, dhcp.be32(this.id));
		return r;
	}

	private add_options(r: dhcp.Packet): void {
		for (const [code, data] of this.c.options) if (code !== dhcp.OPT_LEASE) r.options.set(code, data);
		r.siaddr = this.c.siaddr;
		r.sname = this.c.sname;
		r.file = this.c.boot_file;
	}

	/** Seconds that a client gets. */
	private seconds(q: dhcp.Packet): number {
		const b = this.c.options.get(dhcp.OPT_LEASE);
		const most = b === undefined ? DEFAULT_LEASE : get_unaligned_be32(b, 0) >>> 0;
		const asked = dhcp.option_u32(q, dhcp.OPT_LEASE);
		return asked >= 0 && asked < most ? Math.max(asked, this.c.min_lease) : most;
	}

	/** What to say to a message; null: nothing. */
	async answer(q: dhcp.Packet): Promise<dhcp.Packet | null> {
		const mac = dhcp.option_text('hex', q.chaddr);
		const wanted = dhcp.option_u32(q, dhcp.OPT_REQUESTED_IP);
		const server = dhcp.option_u32(q, dhcp.OPT_SERVER_ID);
		if (server >= 0 && server !== this.id) return null;
		const name = dhcp.option_text('string', q.options.get(dhcp.OPT_HOSTNAME) ?? new Uint8Array(0));
		switch (dhcp.message_type(q)) {
			case dhcp.DHCPDISCOVER: {
				const addr = this.pick(mac, wanted);
				if (addr === 0) {
					this.log('no free IP addresses. OFFER abandoned');
					return null;
				}
				if ((this.by_mac(mac)?.expires ?? 0) <= this.now()) this.lease(mac, addr, this.c.offer_time, name);
				const r = this.reply(q, dhcp.DHCPOFFER);
				r.yiaddr = addr;
				r.options.set(dhcp.OPT_LEASE, dhcp.be32(this.seconds(q)));
				this.add_options(r);
				this.log(`sending OFFER to ${inet_ntoa(addr)}`);
				return r;
			}
			case dhcp.DHCPREQUEST: {
				// RFC 2131 4.3.2: selecting and rebooting say it in an option, renewing in ciaddr.
				const addr = wanted >= 0 ? wanted : q.ciaddr;
				const own = this.c.fixed.get(mac) ?? this.by_mac(mac)?.addr;
				if (addr === 0 || (own !== undefined && own !== addr) || (own === undefined && !this.free(addr, mac))) {
					if (addr === 0 && wanted < 0) return null;
					const nak = this.reply(q, dhcp.DHCPNAK);
					nak.ciaddr = 0;
					nak.flags |= dhcp.BROADCAST_FLAG;
					this.log('sending NAK');
					return nak;
				}
				const r = this.reply(q, dhcp.DHCPACK);
				const seconds = this.seconds(q);
				r.yiaddr = addr;
				r.options.set(dhcp.OPT_LEASE, dhcp.be32(seconds));
				this.add_options(r);
				this.lease(mac, addr, seconds, name);
				await this.save();
				this.log(`sending ACK to ${inet_ntoa(addr)}`);
				return r;
			}
			case dhcp.DHCPDECLINE: {
				const own = this.by_mac(mac);
				if (server >= 0 && own !== undefined && own.addr === wanted) {
					own.mac = '';
					own.expires = this.now() + this.c.decline_time;
				}
				return null;
			}
			case dhcp.DHCPRELEASE: {
				const own = this.by_mac(mac);
				if (server >= 0 && own !== undefined && own.addr === q.ciaddr) {
					own.expires = this.now();
					await this.save();
				}
				return null;
			}
			case dhcp.DHCPINFORM: {
				const r = this.reply(q, dhcp.DHCPACK);
				this.add_options(r);
				return r;
			}
			default:
				return null;
		}
	}
}

async function serve(p: Process, server: Server, fd: number): Promise<number> {
	const buf = new Uint8Array(2048);
	for (;;) {
		const m = new msghdr(buf, sockaddr_in(0, 0));
		const n = await p.recvmsg(fd, m);
		if (n === -EINTR) {
			await server.save();
			return 0;
		}
		if (n < 0) continue;
		const q = dhcp.decode(buf.subarray(0, n));
		if (q === null || q.op !== dhcp.BOOTREQUEST) continue;
		const r = await server.answer(q);
		if (r === null) continue;
		// RFC 2131 4.1: through the relay, to the address that it has, or to everybody.
		const to =
			q.giaddr !== 0
				? sockaddr_in(q.giaddr, dhcp.SERVER_PORT)
				: sockaddr_in(r.ciaddr !== 0 ? r.ciaddr : 0xffffffff, dhcp.CLIENT_PORT);
		await p.sendmsg(fd, new msghdr(dhcp.encode(r), to));
	}
}

/** Address of an interface; -1 when it has none. */
function interface_address(p: Process, fd: number, name: string): number {
	const ifreq = new Uint8Array(40);
	ifreq.set(utf8(name).subarray(0, 15));
	return p.ioctl(fd, SIOCGIFADDR, ifreq) < 0 ? -1 : get_unaligned_be32(ifreq, 20) >>> 0;
}

/** `udhcpd`. Return: exit status. */
export async function udhcpd(p: Process): Promise<number> {
	const g = new getopt(p.argv, 'fSI:a:');
	let foreground = false;
	let local = -1;
	const fail = (text: string): number => {
		p.stderr.write(`udhcpd: ${text}\n`);
		return 1;
	};
	for (let s = g.next(); s.kind !== 'end'; s = g.next()) {
		if (s.kind !== 'opt') {
			p.stderr.write(getopt_message('udhcpd', s) + USAGE);
			return 1;
		}
		if (s.opt === 'f') foreground = true;
		else if (s.opt === 'I') {
			local = inet_pton4(s.arg);
			if (local < 0) return fail(`bad address '${s.arg}'`);
		} else if (s.opt === 'S') return fail('option -S is not supported by linnet');
	}
	const path = g.words[0] ?? '/etc/udhcpd.conf';
	const text = await p.readFile(path);
	if (typeof text === 'number') return fail(`${path}: ${strerror(-text)}`);
	const c = parse_config(text, (_, why) => p.stderr.write(`udhcpd: ${why}\n`));
	if (c.start > c.end) return fail('bad start/end IP range in config file');
	p.stderr.write('udhcpd: started, v1.35.0\n');
	const fd = p.socket(AF_INET, SOCK_DGRAM, 0);
	if (local < 0) local = interface_address(p, fd, c.interface);
	const server = new Server(p, c, local);
	await server.load();
	if (local < 0) return fail(`is interface ${c.interface} up and configured?: Cannot assign requested address`);
	p.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	p.setsockopt(fd, SOL_SOCKET, SO_BROADCAST, 1);
	const b = p.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, utf8(`${c.interface}\0`));
	if (b < 0) return fail(`can't bind to interface ${c.interface}: ${strerror(-b)}`);
	const r = p.bind(fd, sockaddr_in(0, dhcp.SERVER_PORT));
	if (r < 0) return fail(`bind: ${strerror(-r)}`);
	await p.writeFile(c.pidfile, `${p.pid}\n`);
	if (foreground) return serve(p, server, fd);
	const child = p.fork('udhcpd');
	child.task.files = p.task.files;
	p.task.files = [];
	void serve(child, server, fd).finally(() => child.exit());
	return 0;
}
