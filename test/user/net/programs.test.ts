import { expect, test } from 'vitest';
import { World } from '../../../src/lab/index.ts';

async function pair(files: Record<string, string> = {}) {
	const world = new World({ seed: 1 });
	const a = world.host('a');
	const b = world.host('b', { files });
	world.link(a.nic('eth0'), b.nic('eth0'), { delay: 5 });
	await a.must('ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up');
	await b.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up');
	return { world, a, b };
}

const WWW = { '/www/index.html': 'home\n', '/www/a.txt': 'data\n', '/www/sub/index.html': 'below\n' };

test('nc carries a file whole, while the other end speaks and is half closed', async () => {
	const { a, b } = await pair();
	await a.sh('sleep 1');
	const text = 'linnet\n'.repeat(100_000);
	const job = b.spawn('printf back | nc -l 10.0.0.2 7000');
	expect(await a.sh('nc -N 10.0.0.2 7000', { stdin: text })).toMatchObject({ exitCode: 0, stdout: 'back', stderr: '' });
	expect(await job.done).toBe(0);
	expect(job.stdout.text()).toBe(text);
});

test('httpd: nc reads a page, a range, a redirect, an error', async () => {
	const { a, b } = await pair(WWW);
	await b.must('httpd -p 80 -h /www');
	const ask = async (head: string) => (await a.sh('nc -N 10.0.0.2 80', { stdin: `${head}\r\n\r\n` })).stdout;
	expect(await ask('GET / HTTP/1.0')).toMatch(
		/^HTTP\/1.1 200 OK\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nConnection: close\r\nContent-type: text\/html\r\nAccept-Ranges: bytes\r\nLast-Modified: .*\r\nETag: "\w+-5"\r\nContent-Length: 5\r\n\r\nhome\n$/,
	);
	expect(await ask('GET /a.txt HTTP/1.1\r\nRange: bytes=1-2')).toMatch(
		/^HTTP\/1.1 206 [\s\S]*\r\nContent-Range: bytes 1-2\/5\r\n[\s\S]*\r\n\r\nat$/,
	);
	expect(await ask('HEAD /a.txt HTTP/1.1')).toMatch(/Content-Length: 5\r\n\r\n$/);
	expect(await ask('GET /sub HTTP/1.1')).toMatch(/^HTTP\/1.1 302 Found\r\n[\s\S]*\r\nLocation: \/sub\/\r\n\r\n$/);
	expect(await ask('GET /../etc/hosts HTTP/1.1')).toMatch(/^HTTP\/1.1 400 /);
	expect(await ask('GET /none HTTP/1.1')).toMatch(/^HTTP\/1.1 404 /);
	expect(await ask('PUT / HTTP/1.1')).toMatch(/^HTTP\/1.1 501 /);
});

test('curl reads what httpd serves: redirects, ranges, errors, many at once', async () => {
	const { a, b } = await pair({ ...WWW, '/www/big.bin': 'x'.repeat(300_000) });
	await b.must('httpd -p 80 -h /www');
	expect(await a.sh('curl -s -L -w "%{http_code} %{num_redirects}" http://10.0.0.2/sub')).toMatchObject({
		stdout: 'below\n200 1',
		exitCode: 0,
	});
	expect((await a.sh('curl -s -r 1-2 http://10.0.0.2/a.txt')).stdout).toBe('at');
	expect(await a.sh('curl -sSf http://10.0.0.2/none')).toMatchObject({
		exitCode: 22,
		stderr: 'curl: (22) The requested URL returned error: 404\n',
	});
	const jobs = [1, 2, 3, 4, 5].map((i) => a.spawn(`curl -s -o /tmp/${i} http://10.0.0.2/big.bin`));
	for (const j of jobs) expect(await j.done).toBe(0);
	expect(await a.must('cat /tmp/1 /tmp/5 | wc -c')).toMatch(/^\s*600000\n$/);
	expect((await a.sh('curl -o /dev/null http://10.0.0.2/a.txt')).stderr).toMatch(
		/^ {2}% Total[\s\S]*\n[\s\S]*\r {2}0 [\s\S]*\r100 {5}5 {2}100 {5}5 {4}0 {5}0 [\s\S]*\n$/,
	);
	expect((await a.sh('curl https://10.0.0.2/')).stderr).toContain(
		'curl: (1) Protocol "https" not supported or disabled in libcurl',
	);
	expect((await a.sh('curl -sS -m 1 http://10.0.0.3/')).stderr).toMatch(/^curl: \((28|7)\) /);
});
