import { expect, test } from 'vitest';
import { proc_net_read } from '../../../../src/fs/proc_net.ts';
import { packet } from '../../../../src/packet/build.ts';
import {
	EACCES,
	EADDRINUSE,
	EAGAIN,
	ECONNREFUSED,
	EDESTADDRREQ,
	EINVAL,
	EMSGSIZE,
	ENETUNREACH,
	ENOPROTOOPT,
} from '../../../../src/uapi/asm-generic/errno.ts';
import {
	AF_INET,
	IP_MTU,
	IP_MTU_DISCOVER,
	IP_MULTICAST_LOOP,
	IP_PKTINFO,
	IP_RECVERR,
	IP_RECVTTL,
	IP_TOS,
	IP_TTL,
	MSG_ERRQUEUE,
	MSG_MORE,
	MSG_PEEK,
	MSG_TRUNC,
	SO_BINDTODEVICE,
	SO_BROADCAST,
	SO_NO_CHECK,
	SO_RCVBUF,
	SO_REUSEADDR,
	SO_REUSEPORT,
	SOCK_DGRAM,
	SOL_IP,
	SOL_SOCKET,
} from '../../../../src/uapi/linux/socket.ts';
import { boot, hex, type Rig, receive, run_ip, take, take_drops } from '../path/rig.ts';
import { addr, Sock } from './sockets.ts';

const HOST = [
	'link set lo up',
	'link set eth0 up',
	'addr add 10.0.1.1/24 dev eth0',
	'neigh add 10.0.1.2 lladdr 02:00:00:00:09:01 dev eth0',
];

const FROM = 'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.1.1")';

async function host(): Promise<Rig> {
	return boot(['eth0'], HOST);
}

function udp(r: Rig): Sock {
	return new Sock(r, AF_INET, SOCK_DGRAM);
}

test('what is sent is a UDP datagram with checksum, TTL and TOS', async () => {
	const r = await host();
	const s = udp(r);
	expect(s.bind(addr('0.0.0.0', 4000))).toBe(0);
	expect(s.set(SOL_IP, IP_TOS, 0x10)).toBe(0);
	expect(s.set(SOL_IP, IP_TTL, 7)).toBe(0);
	expect(s.send('hi', addr('10.0.1.2', 99))).toBe(2);
	const [f] = take(r);
	expect(hex(f.subarray(14, 18))).toBe('4510001e');
	expect([f[22], f[23]]).toEqual([7, 17]);
	const same = packet('Ether()/IP(src="10.0.1.1",dst="10.0.1.2")/UDP(sport=4000,dport=99)/"hi"');
	expect(hex(f.subarray(34))).toBe(hex(same.subarray(34)));
	// DF is set, as path MTU discovery wants (IP_PMTUDISC_WANT).
	expect(f[20]).toBe(0x40);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('SO_NO_CHECK leaves the checksum out', async () => {
	const r = await host();
	const s = udp(r);
	s.set(SOL_SOCKET, SO_NO_CHECK, 1);
	s.send('hi', addr('10.0.1.2', 99));
	expect(hex(take(r)[0].subarray(40, 42))).toBe('0000');
});

test('a datagram is received with its sender and the control messages asked for', async () => {
	const r = await host();
	const s = udp(r);
	s.bind(addr('0.0.0.0', 99));
	s.set(SOL_IP, IP_PKTINFO, 1);
	s.set(SOL_IP, IP_RECVTTL, 1);
	expect(s.recv().n).toBe(-EAGAIN);
	receive(r, 'eth0', `${FROM}/UDP(sport=5,dport=99)/"hello"`);
	expect(s.poll() & 1).toBe(1);
	expect(s.recv(MSG_PEEK).text).toBe('hello');
	const short = s.recv(MSG_PEEK | MSG_TRUNC, 2);
	expect([short.n, short.text, short.flags & MSG_TRUNC]).toEqual([5, 'he', MSG_TRUNC]);
	const m = s.recv();
	expect(m.text).toBe('hello');
	expect([m.from!.sin_addr, m.from!.sin_port]).toEqual([0x0a000102, 5]);
	expect(m.control.map((c) => [c.type, hex(c.data)])).toEqual([
		[IP_PKTINFO, '020000000a0001010a000101'],
		[IP_TTL, '40000000'],
	]);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('a full receive buffer drops, and says why', async () => {
	const r = await host();
	const s = udp(r);
	s.bind(addr('0.0.0.0', 99));
	s.set(SOL_SOCKET, SO_RCVBUF, 0); // the least there is: 2,304 bytes
	for (let i = 0; i < 10; i++) receive(r, 'eth0', `${FROM}/UDP(sport=5,dport=99)/"${i}"`);
	const drops = take_drops(r);
	expect(drops.length).toBeGreaterThan(0);
	expect(new Set(drops)).toEqual(new Set(['SOCKET_RCVBUFF']));
	let got = 0;
	while (s.recv().n > 0) got++;
	expect(got + drops.length).toBe(10);
	const snmp = proc_net_read(r.net, 'snmp') as string;
	expect(snmp).toContain(`Udp: ${got} 0 ${drops.length} 0 ${drops.length} 0 0 0 0\n`);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('ports: taken, shared, random within the range', async () => {
	const r = await host();
	const a = udp(r);
	const b = udp(r);
	expect(a.bind(addr('10.0.1.1', 99))).toBe(0);
	expect(b.bind(addr('0.0.0.0', 99))).toBe(-EADDRINUSE);
	expect(b.bind(addr('127.0.0.1', 99))).toBe(0);
	expect(b.bind(addr('127.0.0.1', 98))).toBe(-EINVAL);
	const c = udp(r);
	const d = udp(r);
	c.set(SOL_SOCKET, SO_REUSEADDR, 1);
	d.set(SOL_SOCKET, SO_REUSEADDR, 1);
	expect([c.bind(addr('0.0.0.0', 55)), d.bind(addr('0.0.0.0', 55))]).toEqual([0, 0]);
	const e = udp(r);
	e.send('x', addr('10.0.1.2', 9));
	const f = take(r)[0];
	const port = (f[34] << 8) | f[35];
	expect(port).toBeGreaterThanOrEqual(32768);
	expect(port).toBeLessThanOrEqual(60999);
});

test('SO_REUSEPORT: one flow always falls to the same socket, many to all', async () => {
	const r = await host();
	const group = [udp(r), udp(r), udp(r)];
	for (const s of group) {
		s.set(SOL_SOCKET, SO_REUSEPORT, 1);
		expect(s.bind(addr('0.0.0.0', 99))).toBe(0);
	}
	const other = udp(r);
	expect(other.bind(addr('0.0.0.0', 99))).toBe(-EADDRINUSE);
	for (let i = 0; i < 5; i++) receive(r, 'eth0', `${FROM}/UDP(sport=5,dport=99)/"x"`);
	const counts = group.map((s) => {
		let n = 0;
		while (s.recv().n > 0) n++;
		return n;
	});
	expect(counts.filter((n) => n === 5).length).toBe(1);
	for (let i = 0; i < 60; i++) receive(r, 'eth0', `${FROM}/UDP(sport=${1000 + i},dport=99)/"x"`);
	for (const s of group) expect(s.recv().n).toBe(1);
});

test('the most specific socket wins: device, then peer, then address', async () => {
	const r = await host();
	const any = udp(r);
	any.set(SOL_SOCKET, SO_REUSEADDR, 1);
	any.bind(addr('0.0.0.0', 99));
	const bound = udp(r);
	bound.set(SOL_SOCKET, SO_REUSEADDR, 1);
	bound.bind(addr('10.0.1.1', 99));
	receive(r, 'eth0', `${FROM}/UDP(sport=5,dport=99)/"1"`);
	expect([any.recv().n, bound.recv().text]).toEqual([-EAGAIN, '1']);
	const peer = udp(r);
	peer.set(SOL_SOCKET, SO_REUSEADDR, 1);
	peer.bind(addr('10.0.1.1', 99));
	peer.connect(addr('10.0.1.2', 5));
	receive(r, 'eth0', `${FROM}/UDP(sport=5,dport=99)/"2"`);
	receive(r, 'eth0', `${FROM}/UDP(sport=6,dport=99)/"3"`);
	expect([peer.recv().text, bound.recv().text]).toEqual(['2', '3']);
	const lo = udp(r);
	lo.set(SOL_SOCKET, SO_REUSEADDR, 1);
	lo.set(SOL_SOCKET, SO_BINDTODEVICE, new TextEncoder().encode('lo\0'));
	lo.bind(addr('10.0.1.1', 99));
	receive(r, 'eth0', `${FROM}/UDP(sport=7,dport=99)/"4"`);
	expect([lo.recv().n, bound.recv().text]).toEqual([-EAGAIN, '4']);
});

test('errors: no route, broadcast without leave, no peer, port 0, too large', async () => {
	const r = await host();
	const s = udp(r);
	expect(s.send('x', addr('192.0.2.1', 9))).toBe(-ENETUNREACH);
	expect(s.send('x', addr('10.0.1.255', 9))).toBe(-EACCES);
	expect(s.connect(addr('10.0.1.255', 9))).toBe(-EACCES);
	expect(s.set(SOL_SOCKET, SO_BROADCAST, 1)).toBe(0);
	expect(s.send('x', addr('10.0.1.255', 9))).toBe(1);
	expect(hex(take(r)[0].subarray(0, 6))).toBe('ffffffffffff');
	expect(s.send('x')).toBe(-EDESTADDRREQ);
	expect(s.send('x', addr('10.0.1.2', 0))).toBe(-EINVAL);
	expect(s.send(new Uint8Array(65508), addr('10.0.1.2', 9))).toBe(-EMSGSIZE);
	expect(s.send(new Uint8Array(65507), addr('10.0.1.2', 9))).toBe(65507);
	expect(take(r).length).toBe(45);
	expect(s.set(SOL_IP, IP_MTU_DISCOVER, 2)).toBe(0);
	expect(s.send(new Uint8Array(1473), addr('10.0.1.2', 9))).toBe(-EMSGSIZE);
	expect(s.set(SOL_IP, IP_MTU_DISCOVER, 9)).toBe(-EINVAL);
	expect(s.set(SOL_IP, 12345, 1)).toBe(-ENOPROTOOPT);
	s.close();
	while (r.clock.step(r.clock.now)); // the broadcast's copy for ourselves
	expect(r.machine.skb_pool.live).toBe(0);
});

test('Port Unreachable: a connected socket hears ECONNREFUSED, the error queue has the details', async () => {
	const r = await host();
	const s = udp(r);
	s.bind(addr('10.0.1.1', 4000));
	s.set(SOL_IP, IP_RECVERR, 1);
	s.connect(addr('10.0.1.2', 99));
	s.send('anybody?');
	take(r);
	receive(
		r,
		'eth0',
		`${FROM}/ICMP(type=3,code=3)/IP(src="10.0.1.1",dst="10.0.1.2")/UDP(sport=4000,dport=99)/"anybody?"`,
	);
	expect(s.poll() & 8).toBe(8);
	const e = s.recv(MSG_ERRQUEUE);
	expect(e.text).toBe('anybody?');
	expect([e.from!.sin_addr, e.from!.sin_port]).toEqual([0x0a000102, 99]);
	expect(hex(e.control[0].data)).toBe(
		'6f000000' + '02030300' + '00000000' + '00000000' + '0200' + '0000' + '0a000102' + '0000000000000000',
	);
	expect(e.flags & MSG_ERRQUEUE).toBe(MSG_ERRQUEUE);
	expect(s.recv(MSG_ERRQUEUE).n).toBe(-EAGAIN);
	s.set(SOL_IP, IP_RECVERR, 0);
	receive(
		r,
		'eth0',
		`${FROM}/ICMP(type=3,code=3)/IP(src="10.0.1.1",dst="10.0.1.2")/UDP(sport=4000,dport=99)/"anybody?"`,
	);
	expect(s.recv().n).toBe(-ECONNREFUSED);
	expect(s.recv().n).toBe(-EAGAIN);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('Fragmentation Needed lowers the path MTU', async () => {
	const r = await host();
	const s = udp(r);
	s.bind(addr('10.0.1.1', 4000));
	s.connect(addr('10.0.1.2', 99));
	expect(s.get(SOL_IP, IP_MTU)).toBe(1500);
	receive(
		r,
		'eth0',
		`${FROM}/ICMP(type=3,code=4,nexthopmtu=1000)/IP(src="10.0.1.1",dst="10.0.1.2",flags="DF")/UDP(sport=4000,dport=99)`,
	);
	expect(s.recv().n).toBe(-EMSGSIZE);
	s.send(new Uint8Array(1200));
	expect(take(r).map((f) => f.length - 14)).toEqual([996, 252]);
	expect(s.get(SOL_IP, IP_MTU)).toBe(1000);
});

test('MSG_MORE gathers one datagram', async () => {
	const r = await host();
	const s = udp(r);
	expect(s.send('one ', addr('10.0.1.2', 9), MSG_MORE)).toBe(4);
	expect(take(r)).toEqual([]);
	expect(s.send('two', addr('10.0.1.2', 9))).toBe(3);
	const out = take(r);
	expect(out.length).toBe(1);
	expect(new TextDecoder().decode(out[0].subarray(42))).toBe('one two');
	s.send('lost', addr('10.0.1.2', 9), MSG_MORE);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('a multicast reaches every member, and loops back when wanted', async () => {
	const r = await host();
	const group = Uint8Array.of(239, 1, 2, 3, 10, 0, 1, 1);
	const a = udp(r);
	const b = udp(r);
	for (const s of [a, b]) {
		s.set(SOL_SOCKET, SO_REUSEADDR, 1);
		s.bind(addr('0.0.0.0', 99));
		expect(s.set(SOL_IP, 35, group)).toBe(0);
	}
	expect(a.set(SOL_IP, 35, group)).toBe(-EADDRINUSE);
	receive(
		r,
		'eth0',
		'Ether(dst="01:00:5e:01:02:03",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="239.1.2.3")/UDP(sport=5,dport=99)/"all"',
	);
	expect([a.recv().text, b.recv().text]).toEqual(['all', 'all']);
	const out = udp(r);
	expect(await run_ip(r, 'route add 239.0.0.0/8 dev eth0')).toBe('');
	out.send('me too', addr('239.1.2.3', 99));
	while (r.clock.step(r.clock.now));
	expect([a.recv().text, b.recv().text]).toEqual(['me too', 'me too']);
	expect(hex(take(r)[0].subarray(0, 6))).toBe('01005e010203');
	out.set(SOL_IP, IP_MULTICAST_LOOP, 0);
	out.send('not me', addr('239.1.2.3', 99));
	while (r.clock.step(r.clock.now));
	expect(a.recv().n).toBe(-EAGAIN);
	for (const s of [a, b, out]) s.close();
	take(r);
});

test('/proc/net/udp has the socket', async () => {
	const r = await host();
	const s = udp(r);
	s.bind(addr('10.0.1.1', 5000));
	const text = proc_net_read(r.net, 'udp') as string;
	const lines = text.split('\n');
	expect(lines[0].length).toBe(127);
	expect(lines[1]).toMatch(
		/^ 5000: 0101000A:1388 00000000:0000 07 00000000:00000000 00:00000000 00000000 {5}0 {8}0 \d+ 2 0000000000000000 0 +$/,
	);
	expect(lines[1].length).toBe(127);
});
