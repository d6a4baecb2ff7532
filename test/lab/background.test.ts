import { expect, test } from 'vitest';
import { World } from '../../src/lab/index.ts';

test('a background program reads all while nobody waits but for it', async () => {
	const world = new World({ seed: 1 });
	const a = world.host('a');
	const b = world.host('b');
	world.link(a.nic('eth0'), b.nic('eth0'), { delay: 5 });
	await a.must('ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up');
	await b.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up');
	const job = b.spawn('nc -l -N 10.0.0.2 7000');
	await a.exec(['nc', '-N', '10.0.0.2', '7000'], { stdin: 'linnet\n'.repeat(100_000) });
	await job.done;
	expect(job.stdout.bytes().length).toBe(700_000);
});
