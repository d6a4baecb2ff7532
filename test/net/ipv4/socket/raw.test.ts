import { expect, test } from 'vitest';
import { packet } from '../../../../src/packet/build.ts';
import { EACCES, EAGAIN, EINVAL, EPROTONOSUPPORT } from '../../../../src/uapi/asm-generic/errno.ts';
import {
	AF_INET,
	IP_HDRINCL,
	IP_ROUTER_ALERT,
	IP_TTL,
	IPPROTO_ICMP,
	IPPROTO_RAW,
	SOCK_DGRAM,
	SOCK_RAW,
	SOL_IP,
	SOL_RAW,
} from '../../../../src/uapi/linux/socket.ts';
import { boot, hex, type Rig, receive, take, take_drops } from '../path/rig.ts';
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

test('a raw ICMP socket hears echo replies with their header; the filter keeps others out', async () => {
	const r = await host();
	const s = new Sock(r, AF_INET, SOCK_RAW, IPPROTO_ICMP);
	expect(s.set(SOL_RAW, 1, ~1)).toBe(0); // ICMP_FILTER: echo replies only
	receive(r, 'eth0', `${FROM}/ICMP(type=0,id=3,seq=1)/"x"`);
	receive(r, 'eth0', `${FROM}/ICMP(type=8,id=3,seq=1)/"x"`);
	const m = s.recv();
	expect(m.n).toBe(29);
	expect(m.text.charCodeAt(0)).toBe(0x45);
	expect(m.text.charCodeAt(20)).toBe(0);
	expect(s.recv().n).toBe(-EAGAIN);
	// No ping socket waits for it, raw or not.
	expect(take_drops(r)).toEqual(['NO_SOCKET']);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('a protocol that only a raw socket speaks is not answered', async () => {
	const r = await host();
	const s = new Sock(r, AF_INET, SOCK_RAW, 200);
	receive(r, 'eth0', `${FROM.replace('dst="10.0.1.1")', 'dst="10.0.1.1",proto=200)')}/"x"`);
	expect(s.recv().n).toBe(21);
	expect([take(r).length, take_drops(r)]).toEqual([0, []]);
	s.close();
	receive(r, 'eth0', `${FROM.replace('dst="10.0.1.1")', 'dst="10.0.1.1",proto=200)')}/"x"`);
	const [f] = take(r);
	expect([f[34], f[35]]).toEqual([3, 2]);
	expect(take_drops(r)).toEqual(['IP_NOPROTO']);
	expect(r.machine.skb_pool.live).toBe(0);
});

test('IP_HDRINCL: what the process left out of its header is filled in', async () => {
	const r = await host();
	const s = new Sock(r, AF_INET, SOCK_RAW, IPPROTO_RAW);
	expect(s.get(SOL_IP, IP_HDRINCL)).toBe(1);
	const p = packet(
		'IP(src="0.0.0.0",dst="10.0.1.2",id=0,ttl=3,chksum=0,len=0)/UDP(sport=1,dport=2,chksum=0)/"x"',
	).slice();
	expect(s.send(p, addr('10.0.1.2'))).toBe(29);
	const [f] = take(r);
	expect(hex(f.subarray(14, 18))).toBe('4500001d');
	expect(hex(f.subarray(26, 30))).toBe('0a000101');
	expect(f[22]).toBe(3);
	let sum = 0;
	for (let o = 14; o < 34; o += 2) sum += (f[o] << 8) | f[o + 1];
	expect((sum & 0xffff) + (sum >>> 16)).toBe(0xffff);
	expect(s.send(new Uint8Array(10), addr('10.0.1.2'))).toBe(-EINVAL);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('a raw socket writes the header by its settings', async () => {
	const r = await host();
	const s = new Sock(r, AF_INET, SOCK_RAW, 99);
	s.set(SOL_IP, IP_TTL, 9);
	expect(s.send('abc', addr('10.0.1.2'))).toBe(3);
	const [f] = take(r);
	expect([f[22], f[23], f.length]).toEqual([9, 99, 37]);
	expect(new Sock(r, AF_INET, SOCK_RAW, 0).fd).toBe(-EPROTONOSUPPORT);
});

test('router alert packets go to who asked for them', async () => {
	const r = await boot(
		['eth0', 'eth1'],
		[
			...HOST,
			'link set eth1 up',
			'addr add 10.0.2.1/24 dev eth1',
			'neigh add 10.0.2.2 lladdr 02:00:00:00:09:02 dev eth1',
			'net.ipv4.ip_forward=1',
		],
	);
	const s = new Sock(r, AF_INET, SOCK_RAW, 46);
	expect(s.set(SOL_IP, IP_ROUTER_ALERT, 1)).toBe(0);
	const p =
		'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.2.2",proto=46,options=[IPOption_Router_Alert()])/"x"';
	receive(r, 'eth0', p);
	expect(take(r)).toEqual([]);
	expect(s.recv().n).toBe(25);
	expect(s.set(SOL_IP, IP_ROUTER_ALERT, 0)).toBe(0);
	receive(r, 'eth0', p);
	expect(take(r).length).toBe(1);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test("ping sockets: for the groups of ping_group_range; identifier and checksum are the kernel's", async () => {
	const r = await host();
	expect(new Sock(r, AF_INET, SOCK_DGRAM, IPPROTO_ICMP).fd).toBe(-EACCES);
	const r2 = await boot(['eth0'], [...HOST, 'net.ipv4.ping_group_range=0 100']);
	const s = new Sock(r2, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	expect(s.bind(addr('0.0.0.0', 77))).toBe(0);
	expect(s.send(packet('ICMP(type=8,id=1,seq=5)/"abc"'), addr('10.0.1.2'))).toBe(11);
	const [f] = take(r2);
	expect(hex(f.subarray(34))).toBe(hex(packet('ICMP(type=8,id=77,seq=5)/"abc"')));
	expect(s.send(packet('ICMP(type=3)/"abc"'), addr('10.0.1.2'))).toBe(-EINVAL);
	receive(r2, 'eth0', `${FROM}/ICMP(type=0,id=77,seq=5)/"abc"`);
	receive(r2, 'eth0', `${FROM}/ICMP(type=0,id=78,seq=5)/"abc"`);
	expect(take_drops(r2)).toEqual(['NO_SOCKET']);
	const m = s.recv();
	expect([m.n, m.text.slice(8)]).toEqual([11, 'abc']);
	s.close();
	expect(r2.machine.skb_pool.live).toBe(0);
});
