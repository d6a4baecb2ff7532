/*
 * Socket calls and what Linux 6.18 answered to each, with the counters that it bumped (answers.py, answers.linux.json).
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { proc_net_read } from '../../../../src/fs/proc_net.ts';
import { nsproxy, task_struct } from '../../../../src/kernel/sched.ts';
import { World } from '../../../../src/lab/index.ts';
import type { net } from '../../../../src/net/core/net_namespace.ts';
import { sys_shutdown } from '../../../../src/net/socket.ts';
import { errno_name } from './errno.ts';
import { addr, int, Sock } from './sockets.ts';

interface Recording {
	rows: [string, number | string, Record<string, number>][];
}

function snmp(n: net): Record<string, number> {
	const d: Record<string, number> = {};
	for (const f of ['snmp', 'netstat']) {
		const lines = (proc_net_read(n, f) as string).split('\n');
		for (let i = 0; i + 1 < lines.length; i += 2) {
			const names = lines[i].split(' ');
			const values = lines[i + 1].split(' ');
			for (let k = 1; k < names.length; k++) d[names[0].slice(0, -1) + names[k]] = Number(values[k]);
		}
	}
	return d;
}

const hdr = Uint8Array.from(Buffer.from('450000000000000003110000000000000a4d0002' + '0001000200090000' + '78', 'hex'));

function ip4(text: string): number[] {
	return text.split('.').map(Number);
}

function bytes(...addrs: string[]): Uint8Array {
	return Uint8Array.from(addrs.flatMap(ip4));
}

test('the answers and counters are those of Linux', async () => {
	const recording = JSON.parse(readFileSync(new URL('./answers.linux.json', import.meta.url), 'utf8')) as Recording;
	const world = new World({ seed: 4 });
	const a = world.host('a');
	const b = world.host('b');
	world.link(a.nic('eth0'), b.nic('eth0'));
	await a.must('ip link set lo up; ip link set eth0 up; ip addr add 10.77.0.1/24 dev eth0');
	await b.must('ip link set lo up; ip link set eth0 up; ip addr add 10.77.0.2/24 dev eth0');
	const n = a.machine.init_net;
	const r = { task: new task_struct(a.machine, 'answers', new nsproxy(n, 'a')) };
	const prime = new Sock(r, 2, 2);
	prime.send('x', addr('10.77.0.2', 9));
	await world.run('3s');
	prime.close();

	const raw = new Sock(r, 2, 3, 255);
	const u = new Sock(r, 2, 2);
	const r2 = new Sock(r, 2, 3, 99);
	const m = new Sock(r, 2, 2);
	const peer = addr('10.77.0.2', 9);
	const big = new Uint8Array(1473);
	const send_with = (pmtudisc: number): number => {
		u.set(0, 10, pmtudisc);
		return u.send(big, peer);
	};
	const again = (): number => m.set(0, 38, bytes('239.0.1.1', '10.77.0.1', '1.1.1.1'));
	const calls: Record<string, () => number> = {
		hdrincl: () => raw.send(hdr, addr('10.77.0.2')),
		'hdrincl ihl too long': () => raw.send(Uint8Array.of(0x4f, ...hdr.subarray(1)), addr('10.77.0.2')),
		'hdrincl short': () => raw.send(hdr.slice(0, 10), addr('10.77.0.2')),
		'hdrincl bcast': () => raw.send(hdr, addr('10.77.0.255')),
		'udp noroute': () => u.send('x', addr('192.0.2.1', 9)),
		'udp too big DF': () => send_with(2),
		'udp probe': () => send_with(3),
		'udp omit': () => send_with(5),
		'udp interface': () => send_with(4),
		'udp dont': () => send_with(0),
		'udp port 0': () => u.send('x', addr('10.77.0.2', 0)),
		'udp 0.0.0.0': () => u.send('x', addr('0.0.0.0', 9)),
		'udp mcast': () => u.send('x', addr('239.1.1.1', 9)),
		'udp lbcast': () => u.send('x', addr('255.255.255.255', 9)),
		'ttl 0': () => u.set(0, 2, 0),
		'get mtu unconnected': () => u.get(0, 14),
		'shutdown unconnected': () => sys_shutdown(r.task, u.fd, 2),
		'connect AF_UNSPEC': () => u.connect(peer),
		'recv after shutdown rd': () => sys_shutdown(r.task, u.fd, 0) || u.recv().n,
		'send after shutdown wr': () => sys_shutdown(r.task, u.fd, 1) || u.send('x'),
		'raw no dest': () => r2.send('x'),
		'raw big': () => r2.send(new Uint8Array(3000).fill(120), addr('10.77.0.2')),
		'icmp raw ping': () => new Sock(r, 2, 3, 1).send(Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0), addr('10.77.0.2')),
		'dgram tcp': () => new Sock(r, 2, 2, 6).fd,
		seqpacket: () => new Sock(r, 2, 5, 0).fd,
		'sockopt tcp level': () => u.set(6, 1, 1),
		'raw filter on 99': () => r2.set(255, 1, int(1)),
		'nodefrag udp': () => u.set(0, 22, 1),
		'recvfragsize udp': () => u.set(0, 25, 1),
		'bind after connect': () => u.bind(addr('0.0.0.0', 77)),
		'bind foreign': () => m.bind(addr('1.2.3.4', 77)),
		'bind mcast': () => m.bind(addr('239.1.2.3', 77)),
		'join non mcast': () => m.set(0, 35, bytes('10.0.0.1', '0.0.0.0')),
		'join no dev': () => m.set(0, 35, bytes('239.0.0.1', '10.9.9.9')),
		'leave not member': () => m.set(0, 36, bytes('239.0.0.1', '10.77.0.1')),
		'join many': () => {
			for (let i = 0; i < 30; i++) {
				const err = m.set(0, 35, bytes(`239.0.1.${i}`, '10.77.0.1'));
				if (err < 0) return err;
			}
			return 30;
		},
		'drop source not there': () => m.set(0, 40, bytes('239.0.1.1', '10.77.0.1', '1.1.1.1')),
		'block source': again,
		'block source again': again,
		'block unjoined': () => m.set(0, 38, bytes('239.0.9.1', '10.77.0.1', '1.1.1.1')),
		'add source on exclude': () => m.set(0, 39, bytes('239.0.1.1', '10.77.0.1', '1.1.1.2')),
	};
	expect(Object.keys(calls)).toEqual(recording.rows.map((row) => row[0]));
	const found: Recording['rows'] = [];
	for (const [name, call] of Object.entries(calls)) {
		const before = snmp(n);
		const got = call();
		await world.run('1ms');
		const after = snmp(n);
		const diff: Record<string, number> = {};
		for (const key of Object.keys(after))
			if (after[key] !== (before[key] ?? 0)) diff[key] = after[key] - (before[key] ?? 0);
		found.push([name, got < 0 ? errno_name(-got) : got, diff]);
	}
	expect(found).toEqual(recording.rows);
});
