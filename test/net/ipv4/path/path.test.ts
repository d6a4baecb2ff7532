import { expect, test } from 'vitest';
import { packet } from '../../../../src/packet/build.ts';
import { boot, hex, ip_counters, receive, take, take_drops } from './rig.ts';

const ROUTER = [
	'link set lo up',
	'link set eth0 up',
	'link set eth1 up',
	'addr add 10.0.1.1/24 dev eth0',
	'addr add 10.0.2.1/24 dev eth1',
	'neigh add 10.0.1.2 lladdr 02:00:00:00:09:01 dev eth0',
	'neigh add 10.0.2.2 lladdr 02:00:00:00:09:02 dev eth1',
	'net.ipv4.ip_forward=1',
];

test('a packet is forwarded: TTL, checksum, MAC addresses, counters', async () => {
	const r = await boot(['eth0', 'eth1'], ROUTER);
	receive(
		r,
		'eth0',
		'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.2.2",ttl=9)/UDP(sport=1000,dport=99)/"hi"',
	);
	const out = take(r);
	expect(out.map(hex)).toEqual([
		hex(
			packet(
				'Ether(dst="02:00:00:00:09:02",src="02:00:00:00:02:01")/IP(src="10.0.1.2",dst="10.0.2.2",ttl=8)/UDP(sport=1000,dport=99)/"hi"',
			),
		),
	]);
	expect(take_drops(r)).toEqual([]);
	expect(ip_counters(r)).toEqual({
		InReceives: 1,
		ForwDatagrams: 1,
		OutTransmits: 1,
		InOctets: 30,
		OutOctets: 30,
		InNoECTPkts: 1,
	});
	expect(r.machine.skb_pool.live).toBe(0);
});

test('an echo request to us is answered', async () => {
	const r = await boot(['eth0', 'eth1'], ROUTER);
	receive(
		r,
		'eth0',
		'Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.1.1")/ICMP(id=7,seq=3)/"abcdef"',
	);
	const out = take(r);
	expect(out.length).toBe(1);
	const want = packet(
		'Ether(dst="02:00:00:00:09:01",src="02:00:00:00:01:01")/IP(src="10.0.1.1",dst="10.0.1.2")/ICMP(type=0,id=7,seq=3)/"abcdef"',
	);
	// All but the IP id and its checksum.
	expect(hex(out[0].subarray(26))).toBe(hex(want.subarray(26)));
	expect(take_drops(r)).toEqual([]);
	expect(r.machine.skb_pool.live).toBe(0);
});
