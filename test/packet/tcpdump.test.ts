import { describe, expect, it } from 'vitest';
import { packet } from '../../src/packet/build.ts';
import { readCapture } from '../../src/packet/capture.ts';
import { writePcap } from '../../src/packet/pcap.ts';
import { writePcapng } from '../../src/packet/pcapng.ts';
import { EINTR, ENETDOWN, ENOENT } from '../../src/uapi/asm-generic/errno.ts';
import type { msghdr, sockaddr } from '../../src/uapi/linux/socket.ts';
import { OutStream, type Process, utf8_decode } from '../../src/user/libc.ts';
import { USAGE } from '../../src/user/tcpdump/options.ts';
import { tcpdump } from '../../src/user/tcpdump/tcpdump.ts';

const E = 'Ether(dst="02:00:00:00:00:02",src="02:00:00:00:00:01")';
const ping = packet(`${E}/IP(src="10.0.0.1",dst="10.0.0.2")/ICMP(id=1,seq=2)/("x"*56)`);
const dns = packet(`${E}/IP(src="10.0.0.1",dst="10.0.0.2")/UDP(sport=4000,dport=9)/"hi"`);
const file = writePcap([
	{ sec: 3661, nsec: 5000, data: ping },
	{ sec: 3662, nsec: 0, data: dns },
]);

interface Arrival {
	data: Uint8Array;
	pkttype: number;
	ifindex?: number;
}

/** A process whose kernel is a list: what arrives on the packet socket, and then a signal. */
class Fake {
	argv: string[];
	stdin = new Uint8Array(0);
	stdout = new OutStream();
	stderr = new OutStream();
	files = new Map<string, Uint8Array | string>();
	arrivals: Arrival[] = [];
	bound: sockaddr | null = null;
	closed = 0;
	type = 0;
	constructor(argv: string[]) {
		this.argv = argv;
		const nic = (name: string, index: number, flags: string, type: number) => {
			for (const [k, v] of Object.entries({ ifindex: index, flags, type, carrier: 1 }))
				this.files.set(`/sys/class/net/${name}/${k}`, `${v}\n`);
		};
		nic('lo', 1, '0x49', 772);
		nic('eth0', 2, '0x1003', 1);
		nic('eth1', 3, '0x1002', 1);
		this.files.set('/tmp/in.pcap', file);
	}
	async readFileBytes(path: string): Promise<Uint8Array | number> {
		const f = this.files.get(path);
		return f === undefined ? -ENOENT : typeof f === 'string' ? new TextEncoder().encode(f) : f;
	}
	async readFile(path: string): Promise<string | number> {
		const b = await this.readFileBytes(path);
		return typeof b === 'number' ? b : utf8_decode(b);
	}
	async writeFile(path: string, data: Uint8Array, append: boolean): Promise<number> {
		const old = append ? (this.files.get(path) as Uint8Array) : new Uint8Array(0);
		this.files.set(path, new Uint8Array([...old, ...data]));
		return 0;
	}
	async readdir(): Promise<string[]> {
		return ['eth0', 'eth1', 'lo'];
	}
	socket(_family: number, type: number): number {
		this.type = type;
		return 3;
	}
	bind(_fd: number, a: sockaddr): number {
		this.bound = a;
		return a.sll_ifindex === 3 ? -ENETDOWN : 0;
	}
	setsockopt(): number {
		return 0;
	}
	getsockopt(_fd: number, _level: number, _name: number, v: Uint8Array): number {
		v[4] = 1;
		return 8;
	}
	on_signal(): void {}
	realtime() {
		return { sec: 7, nsec: 123456789 };
	}
	async recvmsg(_fd: number, msg: msghdr): Promise<number> {
		const a = this.arrivals.shift();
		if (a === undefined) return -EINTR;
		msg.msg_iov.set(a.data.subarray(0, msg.msg_iov.length));
		msg.msg_name!.sll_pkttype = a.pkttype;
		msg.msg_name!.sll_ifindex = a.ifindex ?? this.bound!.sll_ifindex;
		msg.msg_name!.sll_protocol = 0x0800;
		msg.msg_name!.sll_addr = new Uint8Array([2, 0, 0, 0, 0, 1]);
		return a.data.length;
	}
	close(): number {
		this.closed++;
		return 0;
	}
}

async function run(command: string, prepare: (p: Fake) => void = () => {}) {
	const p = new Fake(['tcpdump', ...(command.match(/'[^']*'|\S+/g) ?? []).map((w) => w.replaceAll("'", ''))]);
	prepare(p);
	const status = await tcpdump(p as unknown as Process);
	return { status, out: p.stdout.text(), err: p.stderr.text(), p };
}

describe('tcpdump says what the original says', () => {
	// Taken from tcpdump 4.99.3 with libpcap 1.10.3 on Linux 6.18.
	const errors: [string, number, string][] = [
		['-i eth9', 1, 'tcpdump: eth9: No such device exists\n(No such device exists)\n'],
		['-i eth0 -y FOO', 1, 'tcpdump: invalid data link type FOO\n'],
		['-Z', 1, `tcpdump: option requires an argument -- 'Z'\n${USAGE}`],
		['-k', 1, `tcpdump: invalid option -- 'k'\n${USAGE}`],
		['--foo', 1, `tcpdump: unrecognized option '--foo'\n${USAGE}`],
		['-c 0 -i lo', 1, 'tcpdump: invalid packet count 0\n'],
		['-c x', 1, 'tcpdump: invalid packet count x\n'],
		['-r /nofile', 1, 'tcpdump: /nofile: No such file or directory\n'],
		['-s 5x', 1, 'tcpdump: invalid snaplen 5x (must be >= 0 and <= 262144)\n'],
		["-i lo 'tcp and'", 1, "tcpdump: can't parse filter expression: syntax error\n"],
		['-Q foo -i lo', 1, "tcpdump: unknown capture direction `foo'\n"],
		['-r /sys/class/net/lo/flags', 1, 'tcpdump: unknown file format\n'],
		['-i eth1', 1, 'tcpdump: eth1: That device is not up\n'],
		['-G 5 -w x', 1, "tcpdump: option '-G' is not supported here\n"],
	];
	for (const [command, status, err] of errors)
		it(command, async () => {
			const r = await run(command);
			expect([r.status, r.err, r.out]).toEqual([status, err, '']);
		});
	it('lists devices and link types', async () => {
		expect((await run('-D')).out).toBe(
			'1.eth0 [Up, Running, Connected]\n2.any (Pseudo-device that captures on all interfaces) [Up, Running]\n3.lo [Up, Running, Loopback]\n4.eth1 [Running]\n',
		);
		expect((await run('-L -i lo')).out).toBe('Data link types for lo (use option -y to set):\n  EN10MB (Ethernet)\n');
	});
});

describe('tcpdump -r', () => {
	const reading = 'reading from file /tmp/in.pcap, link-type EN10MB (Ethernet), snapshot length 262144\n';
	it('prints', async () => {
		const r = await run('-n -r /tmp/in.pcap');
		expect([r.status, r.err]).toEqual([0, reading]);
		expect(r.out).toBe(
			'01:01:01.000005 IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 2, length 64\n01:01:02.000000 IP 10.0.0.1.4000 > 10.0.0.2.9: UDP, length 2\n',
		);
	});
	it('filters, counts, and takes options after the filter', async () => {
		expect((await run('-nt -r /tmp/in.pcap udp port 9')).out).toBe('IP 10.0.0.1.4000 > 10.0.0.2.9: UDP, length 2\n');
		expect((await run('-r /tmp/in.pcap icmp -nt')).out).toBe(
			'IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 2, length 64\n',
		);
		expect((await run('-nt -c 1 -r /tmp/in.pcap')).out).toBe(
			'IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 2, length 64\n',
		);
		expect((await run('--count -r /tmp/in.pcap')).out).toBe('2 packets\n');
	});
	it('writes', async () => {
		const r = await run('-r /tmp/in.pcap -w /tmp/out.pcap udp');
		expect([r.status, r.err, r.out]).toEqual([0, reading, '']);
		expect(r.p.files.get('/tmp/out.pcap')).toEqual(writePcap([{ sec: 3662, nsec: 0, data: dns }]));
	});
	it('reads pcapng, and says where a file is cut off', async () => {
		const r = await run('-nt -r /tmp/in.pcap', (p) =>
			p.files.set('/tmp/in.pcap', writePcapng([{ sec: 1, nsec: 2, data: dns }])),
		);
		expect(r.out).toBe('IP 10.0.0.1.4000 > 10.0.0.2.9: UDP, length 2\n');
		const cut = await run('-nt -r /tmp/in.pcap', (p) => p.files.set('/tmp/in.pcap', file.subarray(0, file.length - 4)));
		expect([cut.status, cut.err]).toEqual([
			1,
			`${reading}tcpdump: pcap_loop: truncated dump file; tried to read 44 captured bytes, only got 40\n`,
		]);
		expect(cut.out).toBe('IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 2, length 64\n');
	});
});

describe('a live capture', () => {
	const listening = (dev: string, type: string) =>
		`listening on ${dev}, link-type ${type}, snapshot length 262144 bytes\n`;
	const summary = (a: string, b: string) => `${a} captured\n${b} received by filter\n1 packet dropped by kernel\n`;
	it('stops when it has enough', async () => {
		const r = await run('-n -i eth0 -c 1 icmp', (p) => {
			p.arrivals = [
				{ data: dns, pkttype: 0 },
				{ data: ping, pkttype: 0 },
				{ data: ping, pkttype: 0 },
			];
		});
		expect(r.out).toBe('00:00:07.123456 IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 2, length 64\n');
		expect(r.err).toBe(
			`tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n${listening('eth0', 'EN10MB (Ethernet)')}${summary('1 packet', '1 packet')}`,
		);
		expect([r.status, r.p.closed, r.p.bound!.sll_ifindex, r.p.type]).toEqual([0, 1, 2, 3]);
	});
	it('ends its line after a signal', async () => {
		const r = await run('-nt -v -i eth0 -Q in', (p) => {
			p.arrivals = [
				{ data: dns, pkttype: 4 },
				{ data: dns, pkttype: 0 },
			];
		});
		expect(r.out).toBe(
			'IP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto UDP (17), length 30)\n    10.0.0.1.4000 > 10.0.0.2.9: UDP, length 2\n\n',
		);
		expect(r.err).toBe(`tcpdump: ${listening('eth0', 'EN10MB (Ethernet)')}${summary('1 packet', '2 packets')}`);
	});
	it('shows a packet on loopback once', async () => {
		const r = await run('-nt -i lo', (p) => {
			p.arrivals = [
				{ data: ping, pkttype: 4 },
				{ data: ping, pkttype: 0 },
			];
		});
		expect(r.out.split('\n').length).toBe(3);
		expect(r.err).toContain(summary('1 packet', '2 packets'));
	});
	it('captures on all devices with a cooked header', async () => {
		const arrivals = (p: Fake) => {
			p.arrivals = [
				{ data: ping.subarray(14), pkttype: 0, ifindex: 2 },
				{ data: ping.subarray(14), pkttype: 4, ifindex: 1 },
			];
		};
		const r = await run('-nt -i any', arrivals);
		expect(r.out).toBe('eth0  In  IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 2, length 64\n\n');
		expect(r.err).toContain(
			`tcpdump: data link type LINUX_SLL2\ntcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n${listening('any', 'LINUX_SLL2 (Linux cooked v2)')}`,
		);
		expect(r.p.type).toBe(2);
		const w = await run('-i any -w /tmp/any.pcap', arrivals);
		expect(w.err).toContain(`tcpdump: ${listening('any', 'LINUX_SLL2 (Linux cooked v2)')}`);
		const [p] = readCapture(w.p.files.get('/tmp/any.pcap') as Uint8Array).packets;
		expect([p.linktype, p.sec, p.nsec, p.data.length, p.origLen]).toEqual([276, 7, 123456000, 104, 104]);
		expect(w.out).toBe('');
	});
	it('cuts packets at the snap length', async () => {
		const r = await run('-i eth0 -s 64 -c 1 -w -', (p) => {
			p.arrivals = [{ data: ping, pkttype: 0 }];
		});
		const [p] = readCapture(r.p.stdout.bytes()).packets;
		expect([p.data.length, p.origLen]).toEqual([64, 98]);
	});
});
