import { expect, test } from 'vitest';
import { proc_net_read } from '../../../src/fs/proc_net.ts';
import { packet } from '../../../src/packet/build.ts';
import { EAGAIN, EINVAL, EMSGSIZE, ENETDOWN, ENODEV, ENXIO, EPERM } from '../../../src/uapi/asm-generic/errno.ts';
import { ETH_P_ALL, ETH_P_IP } from '../../../src/uapi/linux/if_ether.ts';
import {
	PACKET_ADD_MEMBERSHIP,
	PACKET_AUXDATA,
	PACKET_DROP_MEMBERSHIP,
	PACKET_IGNORE_OUTGOING,
	PACKET_MR_PROMISC,
	PACKET_OTHERHOST,
	PACKET_OUTGOING,
	PACKET_STATISTICS,
} from '../../../src/uapi/linux/if_packet.ts';
import {
	AF_PACKET,
	SO_ATTACH_FILTER,
	SO_DETACH_FILTER,
	SO_RCVBUF,
	SOCK_DGRAM,
	SOCK_RAW,
	SOL_PACKET,
	SOL_SOCKET,
	sockaddr_ll,
} from '../../../src/uapi/linux/socket.ts';
import { boot, hex, type Rig, receive, run_ip, take, take_drops } from '../ipv4/path/rig.ts';
import { Sock } from '../ipv4/socket/sockets.ts';

const HOST = [
	'link set lo up',
	'link set eth0 up',
	'addr add 10.0.1.1/24 dev eth0',
	'neigh add 10.0.1.2 lladdr 02:00:00:00:09:01 dev eth0',
];
const PING =
	'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.1.1")/ICMP(id=7,seq=3)/"abcdef"';

async function host(): Promise<Rig> {
	return boot(['eth0'], HOST);
}

function raw(r: Rig, protocol = ETH_P_ALL, ifindex = 2): Sock {
	const s = new Sock(r, AF_PACKET, SOCK_RAW, 0);
	expect(s.bind(sockaddr_ll(protocol, ifindex))).toBe(0);
	return s;
}

test('ETH_P_ALL hears what comes and what goes; the stack hears it as well', async () => {
	const r = await host();
	const s = raw(r);
	const ip_only = raw(r, ETH_P_IP);
	receive(r, 'eth0', PING);
	const a = s.recv();
	expect(hex(Uint8Array.from(a.text, (c) => c.charCodeAt(0)))).toBe(hex(packet(PING)));
	expect([a.from!.sll_protocol, a.from!.sll_ifindex, a.from!.sll_pkttype, hex(a.from!.sll_addr!)]).toEqual([
		ETH_P_IP,
		2,
		0,
		'020000000901',
	]);
	const b = s.recv();
	expect([b.n, b.from!.sll_pkttype]).toEqual([48, PACKET_OUTGOING]);
	expect(s.recv().n).toBe(-EAGAIN);
	expect([ip_only.recv().n, ip_only.recv().n]).toEqual([48, -EAGAIN]);
	expect(take(r).length).toBe(1);
	s.close();
	ip_only.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('SOCK_DGRAM leaves the link header out and puts one on', async () => {
	const r = await host();
	const s = new Sock(r, AF_PACKET, SOCK_DGRAM, 0);
	s.bind(sockaddr_ll(ETH_P_IP, 2));
	receive(r, 'eth0', PING);
	expect(s.recv().n).toBe(34);
	take(r);
	const to = sockaddr_ll(0x88b5, 2);
	to.sll_addr = Uint8Array.of(2, 0, 0, 0, 9, 9);
	expect(s.send('xyz', to)).toBe(3);
	expect(hex(take(r)[0])).toBe('020000000909' + '020000000101' + '88b5' + '78797a');
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('frames for others are heard with PACKET_MR_PROMISC, counted by the device', async () => {
	const r = await host();
	const s = raw(r);
	const dev = r.net.dev_name_head.get('eth0')!;
	const mreq = new Uint8Array(16);
	mreq[0] = 2;
	mreq[4] = PACKET_MR_PROMISC;
	expect(s.set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, mreq)).toBe(0);
	expect(s.set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, mreq)).toBe(0);
	expect([dev.promiscuity, dev.flags & 0x100]).toEqual([1, 0x100]);
	receive(r, 'eth0', PING.replace('02:00:00:00:01:01', '02:00:00:00:77:77'));
	expect(s.recv().from!.sll_pkttype).toBe(PACKET_OTHERHOST);
	expect(take_drops(r)).toEqual(['OTHERHOST']);
	expect(s.set(SOL_PACKET, PACKET_DROP_MEMBERSHIP, mreq)).toBe(0);
	expect(dev.promiscuity).toBe(1);
	s.close();
	expect([dev.promiscuity, dev.flags & 0x100]).toEqual([0, 0]);
	mreq[0] = 77;
	expect(raw(r).set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, mreq)).toBe(-ENODEV);
});

test('a filter keeps and cuts; auxdata tells the length there was', async () => {
	const r = await host();
	const s = raw(r);
	s.set(SOL_PACKET, PACKET_AUXDATA, 1);
	s.set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	// ldb [23]; jeq #1 (ICMP), ret #20, ret #0
	const insns = [
		[0x30, 0, 0, 23],
		[0x15, 0, 1, 1],
		[0x06, 0, 0, 20],
		[0x06, 0, 0, 0],
	];
	const code = Uint8Array.from(insns.flatMap(([c, t, f, k]) => [c, 0, t, f, k, 0, 0, 0]));
	expect(s.set(SOL_SOCKET, SO_ATTACH_FILTER, code)).toBe(0);
	expect(s.set(SOL_SOCKET, SO_ATTACH_FILTER, code.subarray(0, 16))).toBe(-EINVAL);
	expect(s.set(SOL_SOCKET, SO_ATTACH_FILTER, code)).toBe(0);
	receive(r, 'eth0', PING);
	receive(r, 'eth0', 'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.1.1")/UDP()');
	const m = s.recv();
	expect(m.n).toBe(20);
	const aux = m.control[0].data;
	expect([aux[4], aux[8], aux[14]]).toEqual([48, 20, 14]);
	expect(s.recv().n).toBe(-EAGAIN);
	expect(s.set(SOL_SOCKET, SO_DETACH_FILTER, 0)).toBe(0);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('a full queue drops with PACKET_SOCK_ERROR and counts', async () => {
	const r = await host();
	const s = raw(r, ETH_P_IP);
	s.set(SOL_SOCKET, SO_RCVBUF, 0);
	for (let i = 0; i < 10; i++) receive(r, 'eth0', PING);
	const drops = take_drops(r).filter((d) => d === 'PACKET_SOCK_ERROR').length;
	expect(drops).toBeGreaterThan(0);
	let got = 0;
	while (s.recv().n > 0) got++;
	expect(got + drops).toBe(10);
	expect([s.get(SOL_PACKET, PACKET_STATISTICS), s.get(SOL_PACKET, PACKET_STATISTICS)]).toEqual([10, 0]);
	s.close();
	expect(r.machine.skb_pool.live).toBe(0);
});

test('sending: bounds, devices that are not there or down', async () => {
	const r = await host();
	const s = raw(r);
	const frame = packet(PING);
	expect(s.send(frame)).toBe(frame.length);
	expect(hex(take(r)[0])).toBe(hex(frame));
	expect(s.send(frame.slice(0, 10))).toBe(-EINVAL);
	expect(s.send(new Uint8Array(1519))).toBe(-EMSGSIZE);
	expect(s.send(frame, sockaddr_ll(ETH_P_IP, 99))).toBe(-ENXIO);
	expect(s.bind(sockaddr_ll(ETH_P_ALL, 99))).toBe(-ENODEV);
	await run_ip(r, 'link set eth0 down');
	expect(s.send(frame)).toBe(-ENETDOWN);
	expect(s.recv().n).toBe(-ENETDOWN);
	await run_ip(r, 'link set eth0 up');
	receive(r, 'eth0', PING);
	expect(s.recv().n).toBe(48);
	r.task.uid = 1000;
	expect(new Sock(r, AF_PACKET, SOCK_RAW, ETH_P_ALL).fd).toBe(-EPERM);
	expect(proc_net_read(r.net, 'packet')).toMatch(
		/^sk {15}RefCnt Type Proto {2}Iface R Rmem {3}User {3}Inode\n0{16} 3 {6}3 {4}0003 {3}2 {5}1 \d+ +0 {6}\d+ +\n$/,
	);
});
