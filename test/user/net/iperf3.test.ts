import { expect, test } from 'vitest';
import { World } from '../../../src/lab/index.ts';

async function pair() {
	const world = new World({ seed: 1 });
	const a = world.host('a');
	const b = world.host('b');
	world.link(a.nic('eth0'), b.nic('eth0'), { rate: 10e6, delay: 5 });
	await a.must('ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up');
	await b.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up; iperf3 -s -D');
	return { world, a, b };
}

function json(text: string): {
	end: { sum_sent: { bytes: number }; sum_received: { bytes: number; bits_per_second: number } };
} {
	return JSON.parse(text);
}

test('TCP fills a link of 10 Mbit/s, each way and by several streams', async () => {
	const { a } = await pair();
	for (const options of ['', '-R', '-P 3']) {
		const r = await a.sh(`iperf3 -c 10.0.0.2 -t 1 -J ${options}`);
		expect(r.stderr).toBe('');
		const { sum_received } = json(r.stdout).end;
		expect(sum_received.bits_per_second).toBeGreaterThan(6e6);
		expect(sum_received.bits_per_second).toBeLessThan(10e6);
	}
});

test('UDP at a rate: every datagram is counted, none is lost', async () => {
	const { a } = await pair();
	const r = await a.sh('iperf3 -c 10.0.0.2 -u -b 5M -t 1');
	expect(r.stdout).toMatch(/ {2}0\/4\d\d \(0%\) {2}receiver/);
	expect(r.exitCode).toBe(0);
});

test('-n sends so many bytes; lines are as the original prints them', async () => {
	const { a } = await pair();
	const r = await a.sh('iperf3 -c 10.0.0.2 -n 1M -i 0');
	expect(r.stdout).toMatch(
		/^Connecting to host 10\.0\.0\.2, port 5201\n\[ {2}5\] local 10\.0\.0\.1 port \d+ connected to 10\.0\.0\.2 port 5201\n\[ ID\] Interval {11}Transfer {5}Bitrate {9}Retr {2}Cwnd\n/,
	);
	expect(r.stdout).toMatch(
		/\[ {2}5\] {3}0\.00-\d\.\d\d {3}sec {2}1.00 MBytes {2}[\d. ]{4} Mbits\/sec {4}0 {13}sender\n/,
	);
	expect(r.stdout.endsWith('\n\niperf Done.\n')).toBe(true);
});

test('no server, bad options', async () => {
	const { a } = await pair();
	expect(await a.sh('iperf3 -c 10.0.0.2 -p 9')).toMatchObject({
		exitCode: 1,
		stderr: 'iperf3: error - unable to connect to server: Connection refused\n',
	});
	expect((await a.sh('iperf3 -c 10.0.0.2 --sctp')).stderr).toBe('iperf3: "--sctp" is not supported by linnet\n');
	expect((await a.sh('iperf3 -t 1')).stderr).toMatch(/^iperf3: parameter error - must either be a client/);
});
