/*
 * user/udhcp/udhcpc.ts: `udhcpc`: gets an address for an interface.                          Original: busybox udhcpc 1.35; RFC 2131 4.4
 *
 * udhcpc -> Client.acquire (discover, select) -> act -> Client.keep (renew, rebind, until the lease ends).
 * Speaks by a packet socket until it has an address, as the original. Events go to the script of -s, or /etc/udhcpc/default.script where there is one;
 * else this program does itself, by `ip` and /etc/resolv.conf, what such scripts do.
 * Refused by name: -S, -F, -a (ARP check of the offer).
 */
import { strerror } from '../../uapi/asm-generic/errno.ts';
import {
	AF_INET,
	AF_PACKET,
	msghdr,
	POLLIN,
	SO_BINDTODEVICE,
	SO_REUSEADDR,
	SOCK_DGRAM,
	SOL_SOCKET,
	sockaddr_in,
	sockaddr_ll,
} from '../../uapi/linux/socket.ts';
import { getopt, getopt_message } from '../getopt.ts';
import { inet_ntoa, inet_pton4 } from '../hosts.ts';
import { type Process, SIGTERM, utf8 } from '../libc.ts';
import * as dhcp from './packet.ts';

const USAGE = `
Usage: udhcpc [-fbqRB] [-t N] [-T SEC] [-A SEC|-n]
	[-i IFACE] [-s PROG] [-p PIDFILE]
	[-oC] [-r IP] [-V VENDOR] [-x OPT:VAL]... [-O OPT]...

	-i IFACE	Interface to use (default eth0)
	-s PROG		Run PROG at DHCP events (default /etc/udhcpc/default.script)
	-p FILE		Create pidfile
	-B		Request broadcast replies
	-t N		Send up to N discover packets (default 3)
	-T SEC		Pause between packets (default 3)
	-A SEC		Wait if lease is not obtained (default 20)
	-b		Background if lease is not obtained
	-n		Exit if lease is not obtained
	-q		Exit after obtaining lease
	-R		Release IP on exit
	-f		Run in foreground
	-r IP		Request this IP address
	-o		Don't request any options (unless -O is given)
	-O OPT		Request option OPT from server (cumulative)
	-x OPT:VAL	Include option OPT in sent packets (cumulative)
	-V VENDOR	Vendor identifier (default 'udhcp VERSION')
	-C		Don't send MAC as client identifier
Signals:
	USR1	Renew lease
	USR2	Release lease
`;
const ETH_P_IP = 0x0800;
const SIGUSR1 = 10;
const SIGUSR2 = 12;
const SCRIPT = '/etc/udhcpc/default.script';

interface Options {
	interface: string;
	script: string;
	pidfile: string;
	broadcast: boolean;
	tries: number;
	pause: number;
	again: number;
	background: boolean;
	leave: boolean;
	quit: boolean;
	release: boolean;
	foreground: boolean;
	wanted: number;
	parameters: number[];
	extra: Map<number, Uint8Array>;
	vendor: string;
	client_id: boolean;
}

class Client {
	p: Process;
	private o: Options;
	private mac: Uint8Array;
	private ifindex: number;
	private xid = 0;
	/** The last ACK; null without a lease. */
	private ack: dhcp.Packet | null = null;
	private server = 0;
	/** The last signal that came. */
	signo = 0;

	constructor(p: Process, o: Options, mac: Uint8Array, ifindex: number) {
		this.p = p;
		this.o = o;
		this.mac = mac;
		this.ifindex = ifindex;
	}

	log(text: string): void {
		this.p.stderr.write(`udhcpc: ${text}\n`);
	}

	private packet(type: number): dhcp.Packet {
		const { o } = this;
		const q = dhcp.packet(dhcp.BOOTREQUEST, this.xid, this.mac);
		q.options.set(dhcp.OPT_MESSAGE_TYPE, Uint8Array.of(type));
		if (type === dhcp.DHCPDISCOVER || type === dhcp.DHCPREQUEST) {
			if (o.broadcast) q.flags = dhcp.BROADCAST_FLAG;
		}
		return q;
	}

	/** The options that stand behind those of the message. */
	private finish(q: dhcp.Packet, asks: boolean): dhcp.Packet {
		const { o } = this;
		if (asks) {
			q.options.set(dhcp.OPT_MAX_SIZE, Uint8Array.of(2, 64));
			if (o.parameters.length > 0) q.options.set(dhcp.OPT_PARAMETERS, Uint8Array.from(o.parameters));
			if (o.vendor !== '') q.options.set(dhcp.OPT_VENDOR, dhcp.ascii(o.vendor));
		}
		if (o.client_id && !o.extra.has(dhcp.OPT_CLIENT_ID))
			q.options.set(dhcp.OPT_CLIENT_ID, Uint8Array.of(1, ...this.mac));
		for (const [code, data] of o.extra) q.options.set(code, data);
		return q;
	}

	private raw(): number {
		const fd = this.p.socket(AF_PACKET, SOCK_DGRAM, ETH_P_IP);
		if (fd >= 0) this.p.bind(fd, sockaddr_ll(ETH_P_IP, this.ifindex));
		return fd;
	}

	private async broadcast(fd: number, q: dhcp.Packet): Promise<void> {
		const to = sockaddr_ll(ETH_P_IP, this.ifindex);
		to.sll_addr = new Uint8Array(6).fill(255);
		await this.p.sendmsg(fd, new msghdr(dhcp.broadcast_frame(dhcp.encode(q)), to));
	}

	private async unicast(q: dhcp.Packet): Promise<void> {
		const { p } = this;
		const fd = p.socket(AF_INET, SOCK_DGRAM, 0);
		p.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		p.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, utf8(`${this.o.interface}\0`));
		p.bind(fd, sockaddr_in(q.ciaddr, dhcp.CLIENT_PORT));
		await p.sendmsg(fd, new msghdr(dhcp.encode(q), sockaddr_in(this.server, dhcp.SERVER_PORT)));
		p.close(fd);
	}

	/** Waits for an answer of one of these kinds. null: none comes in `ms`, or a signal does. */
	private async wait(fd: number, ms: number, kinds: readonly number[]): Promise<dhcp.Packet | null> {
		const { p } = this;
		const until = p.monotonic() + ms * 1e6;
		for (;;) {
			const left = Math.ceil((until - p.monotonic()) / 1e6);
			if (left <= 0) return null;
			if ((await p.poll([{ fd, events: POLLIN, revents: 0 }], left)) <= 0) return null;
			const m = new msghdr(new Uint8Array(2048));
			const n = p.recvmsg_nowait(fd, m);
			const inner = n < 0 ? null : dhcp.unwrap(m.msg_iov.subarray(0, n));
			const r = inner === null ? null : dhcp.decode(inner);
			if (r === null || r.op !== dhcp.BOOTREPLY || r.xid !== this.xid) continue;
			if (r.chaddr.some((b, i) => b !== this.mac[i])) continue;
			if (kinds.includes(dhcp.message_type(r))) return r;
		}
	}

	/** Tries to get a lease. Return: whether there is one. */
	async acquire(): Promise<boolean> {
		const { p, o } = this;
		const fd = this.raw();
		if (fd < 0) return false;
		const since = p.monotonic();
		const secs = (): number => Math.floor((p.monotonic() - since) / 1e9);
		this.xid = p.random();
		try {
			for (let i = 0; i < o.tries && this.signo === 0; i++) {
				const q = this.packet(dhcp.DHCPDISCOVER);
				q.secs = secs();
				if (o.wanted > 0) q.options.set(dhcp.OPT_REQUESTED_IP, dhcp.be32(o.wanted));
				this.log('broadcasting discover');
				await this.broadcast(fd, this.finish(q, true));
				const offer = await this.wait(fd, o.pause * 1000, [dhcp.DHCPOFFER]);
				if (offer === null) continue;
				const server = dhcp.option_u32(offer, dhcp.OPT_SERVER_ID);
				if (server < 0) {
					this.log('no server ID, using 0.0.0.0');
				}
				this.server = Math.max(server, 0);
				for (let k = 0; k < 3 && this.signo === 0; k++) {
					const s = this.packet(dhcp.DHCPREQUEST);
					s.secs = secs();
					s.options.set(dhcp.OPT_REQUESTED_IP, dhcp.be32(offer.yiaddr));
					s.options.set(dhcp.OPT_SERVER_ID, dhcp.be32(this.server));
					this.log(`broadcasting select for ${inet_ntoa(offer.yiaddr)}, server ${inet_ntoa(this.server)}`);
					await this.broadcast(fd, this.finish(s, true));
					const r = await this.wait(fd, o.pause * 1000, [dhcp.DHCPACK, dhcp.DHCPNAK]);
					if (r === null) continue;
					if (dhcp.message_type(r) === dhcp.DHCPNAK) {
						this.log('received DHCP NAK');
						break;
					}
					this.ack = r;
					this.log(
						`lease of ${inet_ntoa(r.yiaddr)} obtained from ${inet_ntoa(this.server)}, lease time ${this.seconds()}`,
					);
					return true;
				}
			}
		} finally {
			p.close(fd);
		}
		return false;
	}

	/** Seconds of the lease: an hour where the server does not say, ten at least. */
	seconds(): number {
		const s = this.ack === null ? -1 : dhcp.option_u32(this.ack, dhcp.OPT_LEASE);
		return s < 0 ? 3600 : Math.min(Math.max(s, 10), 0x7fffffff / 1000);
	}

	/** The environment of a script. */
	private environment(): string[] {
		const env = [`interface=${this.o.interface}`];
		const a = this.ack;
		if (a === null) return env;
		env.push(`ip=${inet_ntoa(a.yiaddr)}`);
		if (a.siaddr !== 0) env.push(`siaddr=${inet_ntoa(a.siaddr)}`);
		if (a.file !== '') env.push(`boot_file=${a.file}`);
		if (a.sname !== '') env.push(`sname=${a.sname}`);
		for (const [code, data] of a.options) {
			const known = dhcp.OPTIONS.find((x) => x.code === code);
			env.push(
				known === undefined
					? `opt${code}=${dhcp.option_text('hex', data)}`
					: `${known.name}=${dhcp.option_text(known.kind, data)}`,
			);
			if (code === dhcp.OPT_SUBNET) env.push(`mask=${this.prefix()}`);
		}
		return env;
	}

	private prefix(): number {
		const mask = this.ack === null ? -1 : dhcp.option_u32(this.ack, dhcp.OPT_SUBNET);
		return mask < 0 ? 24 : mask.toString(2).replace(/0+$/, '').length;
	}

	/** Tells the script, or does what it would. */
	async act(event: 'deconfig' | 'bound' | 'renew' | 'leasefail' | 'nak'): Promise<void> {
		const { p, o } = this;
		const there = o.script !== SCRIPT || typeof (await p.readFileBytes(SCRIPT)) !== 'number';
		if (there) {
			const env = event === 'deconfig' || event === 'leasefail' ? this.environment().slice(0, 1) : this.environment();
			const quoted = env.map((e) => e.replace(/=(.*)$/s, (_, v: string) => `='${v.replaceAll("'", "'\\''")}'`));
			await p.exec(['bash', '-c', `export ${quoted.join(' ')}; . ${o.script} ${event}`]);
			return;
		}
		if (event === 'deconfig') {
			await p.exec(['ip', '-4', 'addr', 'flush', 'dev', o.interface]);
			await p.exec(['ip', 'link', 'set', o.interface, 'up']);
		} else if ((event === 'bound' || event === 'renew') && this.ack !== null) {
			const addr = `${inet_ntoa(this.ack.yiaddr)}/${this.prefix()}`;
			await p.exec(['ip', 'addr', 'replace', addr, 'broadcast', '+', 'dev', o.interface]);
			const list = (code: number): string[] => {
				const b = this.ack?.options.get(code);
				return b === undefined ? [] : dhcp.option_text('ips', b).split(' ');
			};
			const [router] = list(dhcp.OPT_ROUTER);
			if (router !== undefined && router !== '')
				await p.exec(['ip', 'route', 'replace', 'default', 'via', router, 'dev', o.interface]);
			const domain = this.ack.options.get(dhcp.OPT_DOMAIN);
			const lines = domain === undefined ? [] : [`search ${dhcp.option_text('string', domain)}`];
			for (const s of list(dhcp.OPT_DNS)) if (s !== '') lines.push(`nameserver ${s}`);
			if (lines.length > 0) await p.writeFile('/etc/resolv.conf', `${lines.join('\n')}\n`);
		}
	}

	/** Asks for the same address again. Return: the answer's kind, 0 without one. */
	private async ask_again(ms: number, everybody: boolean): Promise<number> {
		if (this.ack === null) return 0;
		const fd = this.raw();
		const q = this.packet(dhcp.DHCPREQUEST);
		q.ciaddr = this.ack.yiaddr;
		this.finish(q, true);
		if (everybody) {
			this.log('broadcasting renew');
			await this.broadcast(fd, q);
		} else {
			this.log('sending renew to server ' + inet_ntoa(this.server));
			await this.unicast(q);
		}
		const r = await this.wait(fd, ms, [dhcp.DHCPACK, dhcp.DHCPNAK]);
		this.p.close(fd);
		if (r === null) return 0;
		if (dhcp.message_type(r) === dhcp.DHCPACK) {
			this.ack = r;
			this.log(`lease of ${inet_ntoa(r.yiaddr)} obtained from ${inet_ntoa(this.server)}, lease time ${this.seconds()}`);
		}
		return dhcp.message_type(r);
	}

	/** Holds the lease until it is lost or a signal ends it. */
	async keep(): Promise<void> {
		const { p } = this;
		let got = p.monotonic();
		for (;;) {
			const whole = this.seconds() * 1e9;
			// RFC 2131 4.4.5: half of the lease, and seven eighths.
			for (const [at, everybody] of [
				[got + whole / 2, false],
				[got + (whole * 7) / 8, true],
			] as const) {
				if (this.signo === 0) await p.sleep(Math.max(0, (at - p.monotonic()) / 1e6));
				if (this.signo !== 0 && this.signo !== SIGUSR1) return;
				this.signo = 0;
				const kind = await this.ask_again(Math.min(whole / 8e6, 60_000), everybody);
				if (kind === dhcp.DHCPNAK) {
					this.log('received DHCP NAK');
					await this.act('nak');
					this.ack = null;
					return;
				}
				if (kind === dhcp.DHCPACK) {
					got = p.monotonic();
					break;
				}
			}
			if (p.monotonic() > got) {
				await p.sleep(Math.max(0, (got + whole - p.monotonic()) / 1e6));
				if (this.signo !== 0) return;
				this.log('lease lost, entering init state');
				this.ack = null;
				return;
			}
			await this.act('renew');
		}
	}

	/** Gives the lease back. */
	async release(): Promise<void> {
		if (this.ack !== null) {
			const q = this.packet(dhcp.DHCPRELEASE);
			q.ciaddr = this.ack.yiaddr;
			q.options.set(dhcp.OPT_SERVER_ID, dhcp.be32(this.server));
			await this.unicast(this.finish(q, false));
			this.log('entering released state');
		}
		await this.act('deconfig');
		this.ack = null;
	}
}

function parse(p: Process): Options | number {
	const o: Options = {
		interface: 'eth0',
		script: SCRIPT,
		pidfile: '',
		broadcast: false,
		tries: 3,
		pause: 3,
		again: 20,
		background: false,
		leave: false,
		quit: false,
		release: false,
		foreground: false,
		wanted: 0,
		parameters: [1, 3, 6, 12, 15, 28, 42],
		extra: new Map(),
		vendor: 'udhcp 1.35.0',
		client_id: true,
	};
	const fail = (text: string): number => {
		p.stderr.write(`udhcpc: ${text}\n`);
		return 1;
	};
	const g = new getopt(p.argv, 'i:s:p:Bt:T:A:bnqRfSr:oO:x:F:V:Ca');
	const more: number[] = [];
	for (let s = g.next(); s.kind !== 'end'; s = g.next()) {
		if (s.kind !== 'opt') {
			p.stderr.write(getopt_message('udhcpc', s) + USAGE);
			return 1;
		}
		const n = /^\d+$/.test(s.arg) ? Number(s.arg) : -1;
		if ('tTA'.includes(s.opt) && n < 0) return fail(`invalid number '${s.arg}'`);
		switch (s.opt) {
			case 'i':
				o.interface = s.arg;
				break;
			case 's':
				o.script = s.arg;
				break;
			case 'p':
				o.pidfile = s.arg;
				break;
			case 'B':
				o.broadcast = true;
				break;
			case 't':
				o.tries = Math.max(1, n);
				break;
			case 'T':
				o.pause = n;
				break;
			case 'A':
				o.again = n;
				break;
			case 'b':
				o.background = true;
				break;
			case 'n':
				o.leave = true;
				break;
			case 'q':
				o.quit = true;
				break;
			case 'R':
				o.release = true;
				break;
			case 'f':
				o.foreground = true;
				break;
			case 'r':
				o.wanted = inet_pton4(s.arg);
				if (o.wanted < 0) return fail(`bad address '${s.arg}'`);
				break;
			case 'o':
				o.parameters = [];
				break;
			case 'O': {
				const code = dhcp.OPTIONS.find((x) => x.name === s.arg)?.code ?? Number(s.arg);
				if (!(code > 0 && code < 255))
					return fail(`unknown option '${s.arg}', known options: ${dhcp.OPTIONS.map((x) => x.name).join(' ')}`);
				more.push(code);
				break;
			}
			case 'x': {
				const colon = s.arg.indexOf(':');
				const x = dhcp.parse_option([s.arg.slice(0, Math.max(colon, 0)), s.arg.slice(colon + 1)]);
				if (x === null) return fail(`can't parse option '${s.arg}'`);
				o.extra.set(x.code, x.data);
				break;
			}
			case 'V':
				o.vendor = s.arg;
				break;
			case 'C':
				o.client_id = false;
				break;
			default:
				return fail(`option -${s.opt} is not supported by linnet`);
		}
	}
	for (const code of more) if (!o.parameters.includes(code)) o.parameters.push(code);
	return o;
}

/** Goes on with a lease, and gets another when it is lost, until a signal comes. */
async function stay(c: Client, o: Options, held: boolean): Promise<number> {
	let have = held;
	for (;;) {
		while (!have) {
			await c.p.sleep(o.again * 1000);
			if (c.signo !== 0) return 0;
			have = await c.acquire();
			if (have) await c.act('bound');
			else if (c.signo === 0) await c.act('leasefail');
		}
		await c.keep();
		if (c.signo === SIGUSR2 || (c.signo !== 0 && o.release)) await c.release();
		if (c.signo !== 0) return 0;
		await c.act('deconfig');
		have = await c.acquire();
		if (have) await c.act('bound');
	}
}

/** `udhcpc`. Return: exit status. */
export async function udhcpc(p: Process): Promise<number> {
	const o = parse(p);
	if (typeof o === 'number') return o;
	const read = async (name: string): Promise<string> => {
		const t = await p.readFile(`/sys/class/net/${o.interface}/${name}`);
		return typeof t === 'number' ? '' : t.trim();
	};
	const ifindex = Number(await read('ifindex'));
	if (ifindex === 0) {
		p.stderr.write(`udhcpc: SIOCGIFINDEX: ${strerror(19)}\n`);
		return 1;
	}
	const mac = Uint8Array.from((await read('address')).split(':'), (x) => parseInt(x, 16));
	if (o.pidfile !== '') await p.writeFile(o.pidfile, `${p.pid}\n`);
	const c = new Client(p, o, mac, ifindex);
	p.on_signal((signo) => {
		c.signo = signo;
	});
	c.log('started, v1.35.0');
	await c.act('deconfig');
	for (;;) {
		if (await c.acquire()) break;
		if (c.signo !== 0) return 128 + SIGTERM;
		await c.act('leasefail');
		if (o.leave) {
			c.log('no lease, failing');
			return 1;
		}
		if (o.background) {
			c.log('no lease, forking to background');
			return daemon(p, c, o, false);
		}
		if ((await p.sleep(o.again * 1000)) < 0) return 0;
	}
	await c.act('bound');
	if (o.quit) {
		if (o.release) await c.release();
		return 0;
	}
	return o.foreground ? stay(c, o, true) : daemon(p, c, o, true);
}

function daemon(p: Process, c: Client, o: Options, held: boolean): number {
	const child = p.fork('udhcpc');
	c.p = child;
	child.on_signal((signo) => {
		c.signo = signo;
	});
	void stay(c, o, held).finally(() => child.exit());
	return 0;
}
