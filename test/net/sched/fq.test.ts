/*
 * fq: flows take turns, and leave when their sockets say (tc-fq(8)).
 */
import { expect, test } from 'vitest';
import type { Host } from '../../../src/lab/index.ts';
import { AF_INET, msghdr, SO_MAX_PACING_RATE, SOCK_DGRAM, SOL_SOCKET } from '../../../src/uapi/linux/socket.ts';
import { at, B, connect, listen, pair, recv_all, send } from '../ipv4/tcp/lab.ts';

async function stats(h: Host): Promise<string> {
	return (await h.sh('tc -s qdisc show dev eth0')).stdout;
}

test('tc makes, shows, changes and removes it', async () => {
	const { a } = await pair();
	await a.must('tc qdisc add dev eth0 root handle 1: fq');
	expect((await a.sh('tc qdisc show dev eth0')).stdout).toBe(
		'qdisc fq 1: root refcnt 2 limit 10000p flow_limit 100p buckets 1024 orphan_mask 1023 quantum 3028b initial_quantum 15140b low_rate_threshold 550Kbit refill_delay 40ms timer_slack 10us horizon 10s horizon_drop \n',
	);
	await a.must('tc qdisc change dev eth0 root handle 1: fq limit 5 flow_limit 3 nopacing');
	expect((await a.sh('tc qdisc show dev eth0')).stdout).toMatch(/limit 5p flow_limit 3p .* nopacing /);
	expect((await a.sh('tc qdisc change dev eth0 root fq maxrate 1mbit')).exitCode).not.toBe(0);
	await a.must('tc qdisc del dev eth0 root');
	expect((await a.sh('tc qdisc show dev eth0')).stdout).not.toMatch(/fq/);
});

test('TCP leaves at SO_MAX_PACING_RATE, by the qdisc', async () => {
	const { world, a, b } = await pair();
	await a.must('tc qdisc add dev eth0 root fq');
	const server = b.process('server', async (p) => {
		const l = listen(p, B, 80);
		const c = await p.accept(l, null);
		const got = await recv_all(p, c);
		return { len: typeof got === 'number' ? got : got.length, time: world.clock.now };
	});
	const began = world.clock.now;
	await a.process('client', async (p) => {
		const fd = await connect(p, B, 80);
		const rate = new Uint8Array(4);
		new DataView(rate.buffer).setUint32(0, 1_000_000, true);
		expect(p.setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, rate)).toBe(0);
		await send(p, fd, new Uint8Array(500_000));
		p.close(fd);
	});
	const { len, time } = await server;
	expect(len).toBe(500_000);
	const ms = (time - began) / 1e6;
	// 0.5 MB at 1 MB/s, but for the first ten segments.
	expect(ms).toBeGreaterThan(450);
	expect(ms).toBeLessThan(550);
	expect(await stats(a)).toMatch(/overlimits [1-9]/);
	await world.run('70s');
	expect(a.machine.skb_pool.live).toBe(0);
});

test('a paced flow holds its limit and loses the rest; others go past it; a reset leaves nothing behind', async () => {
	const { world, a } = await pair();
	await a.must('ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0; tc qdisc add dev eth0 root fq flow_limit 10');
	await a.process('sender', async (p) => {
		const slow = p.socket(AF_INET, SOCK_DGRAM, 0);
		const fast = p.socket(AF_INET, SOCK_DGRAM, 0);
		expect(p.setsockopt(slow, SOL_SOCKET, SO_MAX_PACING_RATE, Uint8Array.of(0x10, 0x27, 0, 0))).toBe(0);
		for (let i = 0; i < 50; i++) await p.sendmsg(slow, new msghdr(new Uint8Array(1000), at('10.0.0.9', 9)), 0);
		for (let i = 0; i < 5; i++) await p.sendmsg(fast, new msghdr(new Uint8Array(1000), at('10.0.0.9', 10)), 0);
	});
	// One left at once, ten wait.
	expect(await stats(a)).toMatch(/ 6 pkt \(dropped 39, .*\n backlog 10420b 10p/);
	// 1,042 bytes at 10,000 a second.
	await world.run('320ms');
	expect(await stats(a)).toMatch(/ 9 pkt .*\n backlog \w+ 7p/);
	await a.must('ip link set eth0 down');
	expect(await stats(a)).not.toMatch(/backlog [1-9]/);
	await world.run('10s');
	expect(a.machine.skb_pool.live).toBe(0);
});
