/*
 * What the clock decides: times are virtual, so they are exact.
 */
import { describe, expect, test } from 'vitest';
import { row } from './recorded.ts';

describe('ping', () => {
	test('times of replies and the summary are exact', async () => {
		const { a, world } = await row(5);
		await a.must('ping -c 1 10.0.2.2');
		const begun = world.now;
		const r = await a.sh('ping -c 3 10.0.2.2');
		expect(r.stdout).toBe(
			'PING 10.0.2.2 (10.0.2.2) 56(84) bytes of data.\n' +
				'64 bytes from 10.0.2.2: icmp_seq=1 ttl=63 time=20.0 ms\n' +
				'64 bytes from 10.0.2.2: icmp_seq=2 ttl=63 time=20.0 ms\n' +
				'64 bytes from 10.0.2.2: icmp_seq=3 ttl=63 time=20.0 ms\n\n' +
				'--- 10.0.2.2 ping statistics ---\n' +
				'3 packets transmitted, 3 received, 0% packet loss, time 2000ms\n' +
				'rtt min/avg/max/mdev = 20.000/20.000/20.000/0.000 ms\n',
		);
		expect(world.now - begun).toBe(2020);
	});

	test('the first one waits for ARP; mdev is the deviation; as many digits as matter', async () => {
		const { a } = await row(0.25);
		const r = await a.sh('ping -c 2 10.0.1.1; ping -c 1 10.0.1.1');
		expect(r.stdout).toContain('icmp_seq=1 ttl=64 time=1.00 ms\n');
		expect(r.stdout).toContain('icmp_seq=2 ttl=64 time=0.500 ms\n');
		expect(r.stdout).toContain('rtt min/avg/max/mdev = 0.500/0.750/1.000/0.250 ms\n');
		const slow = await (await row(100)).a.sh('ping -c 1 10.0.1.1; ping -c 1 10.0.1.1');
		expect(slow.stdout).toContain('time=400 ms');
		expect(slow.stdout).toContain('time=200 ms');
	});

	test('-w ends at the deadline, -W after the wait, and neither a moment later', async () => {
		const { a, world } = await row(1);
		const run = async (command: string): Promise<[number, number]> => {
			const t = world.now;
			const { exitCode } = await a.sh(command);
			return [world.now - t, exitCode];
		};
		expect(await run('ping -w 3 -i 0.5 10.0.1.1')).toEqual([3000, 0]);
		expect(await run('ping -c 1 -W 1.5 10.0.1.99')).toEqual([1500, 1]);
		expect(await run('ping -c 2 -W 1 -i 0.2 10.0.1.98')).toEqual([1200, 1]);
	});

	test('after the last reply it is not waited longer than two round trips or the interval', async () => {
		const { a, b, world } = await row(5);
		await a.must('ping -c 1 10.0.2.2');
		await b.must('iptables -A INPUT -p icmp -m statistic --mode nth --every 2 --packet 1 -j DROP');
		const t = world.now;
		const r = await a.sh('ping -c 2 -i 0.3 10.0.2.2');
		expect(r.stdout).toContain('2 packets transmitted, 1 received, 50% packet loss, time 300ms');
		expect(world.now - t).toBe(600);
	});

	test('-f goes on with each reply, and a hundred times a second without', async () => {
		const { a, r: gw } = await row(2);
		await a.must('ping -c 1 10.0.1.1');
		const r = await a.sh('ping -f -c 100 10.0.1.1');
		expect(r.stdout).toContain('100 packets transmitted, 100 received, 0% packet loss, time 396ms');
		expect(r.stdout).toContain('.\b \b'.repeat(100));
		await gw.must('iptables -A INPUT -j DROP');
		const lost = await a.sh('ping -f -w 1 10.0.1.1');
		expect(lost.stdout).toContain('100 packets transmitted, 0 received, 100% packet loss, time 990ms');
	});

	test('-f lets time pass although replies take none at all', async () => {
		const { a } = await row();
		const r = await a.sh('ping -q -f -c 1000 10.0.1.1');
		expect(r.stdout).toContain('1000 packets transmitted, 1000 received, 0% packet loss, time 9ms');
	});

	test('SIGQUIT prints a line, SIGINT the summary, SIGTERM nothing', async () => {
		const { a, world } = await row(5);
		await a.must('ping -c 1 10.0.2.2');
		const p = a.spawn('ping 10.0.2.2');
		await world.run('2500ms');
		p.kill(3);
		await world.run('1ms');
		expect(p.stderr.text()).toBe('\r3/3 packets, 0% loss, min/avg/ewma/max = 20.000/20.000/20.000/20.000 ms\n');
		p.kill(2);
		expect(await p.done).toBe(0);
		expect(p.stdout.text()).toContain('3 packets transmitted, 3 received, 0% packet loss, time 2000ms');
		const q = a.spawn('ping 10.0.2.2');
		await world.run('1500ms');
		q.kill(15);
		expect(await q.done).toBe(143);
		expect(q.stdout.text()).not.toContain('statistics');
		const r = a.spawn('ping 10.0.1.99');
		await world.run('1500ms');
		r.kill(2);
		expect(await r.done).toBe(1);
		expect((await a.sh('timeout 1 ping 10.0.2.2')).exitCode).toBe(124);
	});

	test('-D: wall-clock time in front of each line', async () => {
		const { a, world } = await row(5);
		const t = world.now;
		const r = await a.sh('ping -D -c 1 10.0.1.1');
		const stamp = (1767225600 + (t + 20) / 1000).toFixed(6);
		expect(r.stdout).toContain(`[${stamp}] 64 bytes from 10.0.1.1: icmp_seq=1 ttl=64 time=20.0 ms`);
	});

	test('names come from /etc/hosts, unless -n or the target is a number', async () => {
		const { a } = await row();
		await a.must("echo '10.0.2.2 server.lab server' >> /etc/hosts");
		const r = await a.sh('ping -c 1 server');
		expect(r.stdout).toContain('PING server.lab (10.0.2.2) 56(84)');
		expect(r.stdout).toContain('64 bytes from server.lab (10.0.2.2): icmp_seq=1');
		expect((await a.sh('ping -n -c 1 server')).stdout).toContain('64 bytes from 10.0.2.2: icmp_seq=1');
		expect((await a.sh('ping -c 1 10.0.2.2')).stdout).toContain('64 bytes from 10.0.2.2: icmp_seq=1');
	});
});

describe('traceroute', () => {
	test('times are those of the way', async () => {
		const { a } = await row(5);
		await a.must('ping -c 1 10.0.2.2');
		const r = await a.sh('traceroute -n 10.0.2.2');
		expect(r.stdout).toBe(
			'traceroute to 10.0.2.2 (10.0.2.2), 30 hops max, 60 byte packets\n' +
				' 1  10.0.1.1  10.000 ms  10.000 ms  10.000 ms\n' +
				' 2  10.0.2.2  20.000 ms  20.000 ms  20.000 ms\n',
		);
	});

	test('hops that say nothing are waited for as long as -w says', async () => {
		const { a, r, world } = await row(5);
		await a.must('ping -c 1 10.0.2.2');
		await r.must('iptables -A OUTPUT -p icmp -j DROP');
		let t = world.now;
		let out = await a.sh('traceroute -n -q 1 -N 1 -w 2 10.0.2.2');
		expect(out.stdout).toContain(' 1  *\n 2  10.0.2.2  20.000 ms\n');
		expect(world.now - t).toBe(2020);
		// A reply from the next hop is a measure: ten times its time, and the precision of the clock.
		t = world.now;
		out = await a.sh('traceroute -n -q 1 10.0.2.2');
		expect(out.stdout).toContain(' 1  *\n 2  10.0.2.2  20.000 ms\n');
		expect(world.now - t).toBe(201);
	});

	test('names, and interruption', async () => {
		const { a, world } = await row(5);
		await a.must("echo '10.0.1.1 gw' >> /etc/hosts");
		expect((await a.sh('traceroute -q 1 10.0.2.2')).stdout).toContain(' 1  gw (10.0.1.1)  ');
		const p = a.spawn('traceroute -n 10.0.1.99');
		await world.run('1s');
		p.kill(2);
		expect(await p.done).toBe(130);
	});
});

describe('arping', () => {
	test('times, and the end after the last interval', async () => {
		const { a, world } = await row(5);
		const t = world.now;
		const r = await a.sh('arping -c 2 -I eth0 10.0.1.1');
		expect(r.stdout).toBe(
			'ARPING 10.0.1.1 from 10.0.1.2 eth0\n' +
				'Unicast reply from 10.0.1.1 [02:00:00:01:00:01]  10.000ms\n' +
				'Unicast reply from 10.0.1.1 [02:00:00:01:00:01]  10.000ms\n' +
				'Sent 2 probes (1 broadcast(s))\nReceived 2 response(s)\n',
		);
		expect(world.now - t).toBe(2000);
	});

	test('-f, and -c with -w, end at the reply', async () => {
		const { a, world } = await row(5);
		for (const options of ['-f', '-c 1 -w 3', '-D']) {
			const t = world.now;
			await a.sh(`arping ${options} -I eth0 10.0.1.1`);
			expect(world.now - t).toBe(10);
		}
	});

	test('an announcement changes what a neighbour knows', async () => {
		const { a, r } = await row();
		await r.must('ip neigh add 10.0.1.2 lladdr 02:00:00:00:00:99 nud stale dev eth0');
		await r.must('sysctl -qw net.ipv4.neigh.eth0.locktime=0');
		await a.must('arping -q -A -c 1 -I eth0 10.0.1.2');
		expect(await r.must('ip neigh show 10.0.1.2')).toContain('02:00:00:00:00:01');
	});

	test('an interrupted one prints what it has', async () => {
		const { a, world } = await row();
		const p = a.spawn('arping -I eth0 10.0.1.1');
		await world.run('1500ms');
		p.kill(2);
		expect(await p.done).toBe(0);
		expect(p.stdout.text()).toContain('Sent 2 probes (1 broadcast(s))\nReceived 2 response(s)\n');
	});
});
