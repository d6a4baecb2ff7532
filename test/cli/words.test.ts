import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CAPTURE_SCRIPT } from '../../src/cli/capture-script.ts';
import { loadSnapshot } from '../../src/cli/load.ts';
import { parseWords, trace } from '../../src/cli/trace.ts';
import { readCapture } from '../../src/packet/capture.ts';

const office = join(import.meta.dirname, '../../examples/office');
const host = [join(office, 'host')];
const tmp = mkdtempSync(join(tmpdir(), 'linnet-test-'));
afterAll(() => rmSync(tmp, { recursive: true }));

/** What `work` writes to standard output. */
async function output(work: () => Promise<unknown>): Promise<string> {
	let text = '';
	const write = process.stdout.write;
	process.stdout.write = ((chunk: string | Uint8Array) => {
		text += typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk);
		return true;
	}) as typeof process.stdout.write;
	try {
		await work();
	} finally {
		process.stdout.write = write;
	}
	return text;
}

describe('words', () => {
	it('are one packet in, one out, or captures', () => {
		expect(parseWords(['in', 'eth0', 'tcp', 'a', 'b', 'detailed'])).toEqual({
			job: { kind: 'in', dev: 'eth0', packet: ['tcp', 'a', 'b'] },
			detailed: true,
		});
		expect(parseWords(['out', 'udp', 'a', 'b']).job).toEqual({ kind: 'out', packet: ['udp', 'a', 'b'] });
		expect(parseWords(['in', 'a', 'pcap', 'x', 'in', 'b', 'pcap', 'y']).job).toEqual({
			kind: 'pcap',
			captures: [
				{ dev: 'a', file: 'x' },
				{ dev: 'b', file: 'y' },
			],
		});
	});

	it.each([[['foo']], [['in', 'eth0']], [['out']], [['in', 'eth0', 'pcap']], [['in', 'a', 'pcap', 'x', 'y']]])(
		'%j is refused, and what was expected is said',
		(words) => {
			expect(() => parseWords(words)).toThrow(/expected 'in DEV/);
		},
	);
});

describe('trace', () => {
	it('--json is one object, with the rule and its line', async () => {
		const text = await output(() =>
			trace(['in', 'eth0', 'tcp', '198.51.100.7:40000', '203.0.113.5:23'], { host, json: true }),
		);
		const j = JSON.parse(text);
		expect(j).toMatchObject({
			what: 'packet',
			action: 'drop',
			reason: 'NETFILTER_DROP',
			rule: { table: 'filter', chain: 'LOGDROP', num: 2, config: 'iptables-legacy-save line 27' },
		});
		expect(j.steps.length).toBeGreaterThan(5);
	});

	it('--reply follows the answer back', async () => {
		const text = await output(() =>
			trace(['in', 'eth1', 'icmp', '192.168.10.20', '198.51.100.7'], { host, json: true, reply: true }),
		);
		const [there, back] = text
			.trim()
			.split('\n')
			.map((l) => JSON.parse(l));
		expect(there.out).toMatchObject({ dev: 'eth0' });
		expect(back).toMatchObject({ what: 'reply', action: 'forward', out: { dev: 'eth1' } });
		expect(back.out.packet).toContain('> 192.168.10.20 ICMP echo reply');
	});

	it('--write comments every packet', async () => {
		const file = join(tmp, 'out.pcapng');
		await output(() => trace(['in', 'eth0', 'pcap', join(office, 'eth0.pcap')], { host, quiet: true, write: file }));
		const comments = readCapture(readFileSync(file)).packets.flatMap((p) => p.comments);
		expect(comments.length).toBe(34);
		expect(comments.every((c) => c.startsWith('linnet: '))).toBe(true);
		expect(comments.some((c) => c.includes('IP_RPFILTER') && c.includes('net.ipv4.conf.eth0.rp_filter = 1'))).toBe(
			true,
		);
	});

	it.each([
		[['in', 'eth9', 'tcp', '1.2.3.4:1', '5.6.7.8:2'], "there is no device 'eth9' on gw; it has eth0, eth1, eth2"],
		[['in', 'eth0', 'pcap', '/nope'], '/nope: ENOENT'],
		[['in', 'eth0', 'pcap', join(office, 'host/host')], 'host/host: capture: offset 0'],
		[['in', 'eth0', 'IP(src="1.2.3.4",dst="5.6.7.8",tt1=1)/UDP()'], 'IP has no field "tt1"'],
	])('%j: a clear error', async (words, message) => {
		await expect(output(() => trace(words, { host, quiet: true }))).rejects.toThrow(message);
	});

	it('--at lets entries time out', async () => {
		await expect(
			output(() => trace(['in', 'eth0', 'icmp', '1.2.3.4', '203.0.113.5'], { host, at: '5d' })),
		).rejects.toThrow('+5d');
		const text = await output(() =>
			trace(['in', 'eth0', 'icmp', '1.2.3.4', '203.0.113.5'], { host, quiet: true, at: '+5d' }),
		);
		expect(text).toContain('Action: ');
	});

	it('says that it cannot judge a rule that it does not know', async () => {
		const file = join(tmp, 'rules.v4');
		writeFileSync(
			file,
			'*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -m geoip --src-cc XX -j DROP\nCOMMIT\n',
		);
		const text = await output(() =>
			trace(['in', 'eth0', 'tcp', '198.51.100.7:1', '203.0.113.5:2'], { host: [file], json: true }),
		);
		expect(JSON.parse(text)).toMatchObject({
			action: 'undecided',
			rule: { table: 'filter', chain: 'INPUT', num: 1, config: 'rules.v4 line 5' },
		});
	});
});

describe('loading', () => {
	it('names what is not there or not known', async () => {
		await expect(loadSnapshot(['/nope'])).rejects.toThrow('/nope: no such file or folder');
		const file = join(tmp, 'rubbish');
		writeFileSync(file, 'hello\n');
		await expect(loadSnapshot([file])).rejects.toThrow('not recognised');
		await expect(loadSnapshot([tmp])).rejects.toThrow('none of the files');
	});

	it('reads a tar as the folder', async () => {
		const tar = join(tmp, 'gw.tgz');
		expect(spawnSync('tar', ['czf', tar, '-C', office, 'host']).status).toBe(0);
		const a = await loadSnapshot([tar]);
		const b = await loadSnapshot(host);
		expect([...a.files].sort()).toEqual([...b.files].sort());
	});
});

it('the capture script is one that sh accepts, and collects what is asked for', () => {
	const sh = join(tmp, 'capture.sh');
	writeFileSync(sh, CAPTURE_SCRIPT);
	expect(spawnSync('sh', ['-n', sh]).status).toBe(0);
	const out = join(tmp, 'collected');
	expect(spawnSync('sh', [sh, out], { env: { PATH: process.env.PATH } }).status).toBe(0);
	expect(existsSync(join(out, 'host'))).toBe(true);
});

it('mark: of what the host sends, where it chooses the route; of what comes in it is refused', async () => {
	const out = JSON.parse(
		await output(() =>
			trace(['out', 'icmp', '203.0.113.5', '198.51.100.7', 'mark', '7'], { host, json: true, quiet: true }),
		),
	);
	expect(out.steps[0].data.flow.mark).toBe(7);
	await expect(
		output(() => trace(['in', 'eth0', 'icmp', '1.2.3.4', '203.0.113.5', 'mark', '7'], { host, quiet: true })),
	).rejects.toThrow('mark: a packet that comes in has none');
	await expect(output(() => trace(['in', 'eth0', 'icmp', '::1', '::2'], { host, quiet: true }))).rejects.toThrow(
		'IPv6',
	);
});

describe('archives and folders that are not what they should be', () => {
	const tar = join(tmp, 'whole.tar');
	const tgz = join(tmp, 'whole.tgz');
	spawnSync('tar', ['cf', tar, '-C', office, 'host']);
	spawnSync('tar', ['czf', tgz, '-C', office, 'host']);

	it.each([
		['cut.tar', readFileSync(tar).subarray(0, 9000), 'not a whole tar archive (it ends within'],
		['cut.tgz', readFileSync(tgz).subarray(0, 4000), 'not a whole tar archive (unexpected end of file'],
		['rubbish.tar', Buffer.alloc(3000, 'rubbish'), 'none of the files|not a whole tar archive'],
		['zeros.tgz', Buffer.alloc(3000), 'none of the files'],
		['zeros', Buffer.alloc(30), 'not recognised'],
	])('%s', async (name, content, message) => {
		const file = join(tmp, name);
		writeFileSync(file, content);
		await expect(loadSnapshot([file])).rejects.toThrow(new RegExp(message.replaceAll('(', '\\(')));
		await expect(loadSnapshot([file])).rejects.toThrow(file);
	});

	it('a folder in place of a file, a host without its network', async () => {
		const dir = mkdtempSync(join(tmp, 'odd-'));
		mkdirSync(join(dir, 'sysctl'));
		await expect(loadSnapshot([dir])).rejects.toThrow(`${dir}/sysctl: EISDIR`);
		await expect(loadSnapshot([join(office, 'host/notes')])).rejects.toThrow('none of the files');
	});

	it('loose files are named as their user named them', async () => {
		const file = join(tmp, 'mylinks.json');
		writeFileSync(file, '[{"ifname": "eth0", "flags": [], "mtu": "big"}]');
		await expect(loadSnapshot([file])).rejects.toThrow(
			/^mylinks\.json: entry 1: 'mtu' is "big", expected a whole number$/,
		);
		const rules = join(tmp, 'my.rules');
		writeFileSync(rules, '*filter\n:INPUT ACCEPT [0:0]\n-A NOPE -j ACCEPT\nCOMMIT\n');
		await expect(trace(['in', 'eth0', 'icmp', '1.2.3.4', '5.6.7.8'], { host: [rules], quiet: true })).rejects.toThrow(
			/^my\.rules:3: .*'-A NOPE -j ACCEPT': expected ':NOPE' to be declared above it/,
		);
	});
});
