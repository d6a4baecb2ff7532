/*
 * What real Linux 6.18 sent over a veth for the same calls: the frames below were captured there.
 */
import { expect, test } from 'vitest';
import { proc_net_read } from '../../../../src/fs/proc_net.ts';
import { packet } from '../../../../src/packet/build.ts';
import { AF_INET, SOCK_DGRAM, SOL_IP } from '../../../../src/uapi/linux/socket.ts';
import { Sock } from '../socket/sockets.ts';
import { boot, hex, pass, type Rig, receive, take, take_drops } from './rig.ts';

const HOST = ['link set lo up', 'link set eth0 up', 'addr add 10.77.0.1/24 dev eth0'];
const V3 = '46c00028000040000102f9ab0a4d0001e0000016940400002200';

function mreq(group: number[], source: number[] = []): Uint8Array {
	return Uint8Array.of(...group, 10, 77, 0, 1, ...source);
}

function sent(r: Rig): string[] {
	return take(r).map((f) => hex(f.subarray(14)));
}

test('joining, source lists and leaving, in version 3', async () => {
	const r = await boot(['eth0'], HOST);
	const s = new Sock(r, AF_INET, SOCK_DGRAM);
	expect(s.set(SOL_IP, 35, mreq([239, 1, 2, 3]))).toBe(0);
	pass(r, 1.5);
	// CHANGE_TO_EXCLUDE {}, twice (robustness variable).
	const joined = `${V3}e8f90000000104000000ef010203`;
	expect(sent(r)).toEqual([joined, joined]);
	expect(s.set(SOL_IP, 39, mreq([239, 1, 2, 4], [10, 77, 0, 9]))).toBe(0);
	expect(proc_net_read(r.net, 'igmp')).toBe(
		'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n' +
			'1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n' +
			'2\teth0      :     3      V3\n' +
			'\t\t\t\t040201EF     1 0:00000000\t\t0\n\t\t\t\t030201EF     1 0:00000000\t\t0\n\t\t\t\t010000E0     1 0:00000000\t\t0\n',
	);
	expect(proc_net_read(r.net, 'mcfilter')).toBe(
		'Idx Device        MCA        SRC    INC    EXC\n  2   eth0 0xef010204 0x0a4d0009      1      0\n',
	);
	pass(r, 1.5);
	const allow = (src: string, sum: string): string =>
		`46c0002c000040000102f9a70a4d0001e0000016940400002200${sum}0000000105000001ef010204${src}`;
	expect(sent(r)).toEqual([allow('0a4d0009', 'dda1'), allow('0a4d0009', 'dda1')]);
	s.set(SOL_IP, 39, mreq([239, 1, 2, 4], [10, 77, 0, 8]));
	pass(r, 1.5);
	expect(sent(r)).toEqual([allow('0a4d0008', 'dda2'), allow('0a4d0008', 'dda2')]);
	s.set(SOL_IP, 36, mreq([239, 1, 2, 3]));
	pass(r, 1.5);
	const left = `${V3}e9f90000000103000000ef010203`;
	expect(sent(r)).toEqual([left, left]);
	s.close();
	pass(r, 1.5);
	const block = '46c00030000040000102f9a30a4d0001e0000016940400002200d24b0000000106000002ef0102040a4d00080a4d0009';
	expect(sent(r)).toEqual([block, block]);
	expect(r.machine.skb_pool.live).toBe(0);
});

test('queries are answered within their time; an older querier is answered in its version', async () => {
	const r = await boot(['eth0'], HOST);
	const s = new Sock(r, AF_INET, SOCK_DGRAM);
	s.set(SOL_IP, 35, mreq([239, 1, 2, 3]));
	pass(r, 2);
	take(r);
	const query = (bytes: string): void => {
		const body = Buffer.from(bytes, 'hex');
		const head = packet(
			`Ether(dst="01:00:5e:00:00:01",src="02:00:00:00:09:01")/IP(src="10.77.0.2",dst="224.0.0.1",ttl=1,proto=2,len=${20 + body.length})`,
		);
		receive(r, 'eth0', Uint8Array.from([...head, ...body]));
	};
	// Version 3 general query, 10 s: MODE_IS_EXCLUDE for the group.
	query('1164ec1e00000000027d0000');
	pass(r, 10.1);
	expect(sent(r)).toEqual([`${V3}eaf90000000102000000ef010203`]);
	// Version 2 general query, 1 s: a version 2 report to the group.
	query('110aeef500000000');
	pass(r, 1.1);
	const out = sent(r);
	expect(out.length).toBe(1);
	expect(out[0].slice(40)).toBe('94040000' + '1600f8faef010203');
	expect(proc_net_read(r.net, 'igmp')).toContain('eth0      :     2      V2\n');
	// And a goodbye, as we reported last.
	s.close();
	pass(r, 1);
	const bye = take(r);
	expect(bye.length).toBe(1);
	expect(hex(bye[0].subarray(30, 34))).toBe('e0000002');
	expect(bye[0][38]).toBe(0x17);
	// Our own version 2 report came back to us, as to every member, and meant nothing.
	expect(take_drops(r)).toEqual(['NOT_SPECIFIED']);
	expect(r.machine.skb_pool.live).toBe(0);
});
