/*
 * `linnet trace in DEV pcap …` on captures of both directions, cooked captures, cut ones and broken ones.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/cli/load.ts';
import { type TraceFlags, trace } from '../../src/cli/trace.ts';
import { readCapture } from '../../src/packet/capture.ts';

const branch = join(import.meta.dirname, '../../examples/branch');
const tmp = mkdtempSync(join(tmpdir(), 'linnet-test-'));
afterAll(() => rmSync(tmp, { recursive: true }));

async function output(words: string[], flags: Partial<TraceFlags> = {}, host = join(branch, 'host')): Promise<string> {
	let text = '';
	const write = process.stdout.write;
	process.stdout.write = ((chunk: string | Uint8Array) => {
		text += typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk);
		return true;
	}) as typeof process.stdout.write;
	try {
		await trace(words, { host: [host], quiet: true, ...flags });
	} finally {
		process.stdout.write = write;
	}
	return text;
}

const both = ['eth0', 'eth1'].flatMap((d) => ['in', d, 'pcap', join(branch, `${d}.pcap`)]);

/** A host whose rules differ from the real one's in one place. */
function host(change: (rules: string) => string): string {
	const rules = join(tmp, 'iptables-legacy-save');
	writeFileSync(rules, change(readFileSync(join(branch, 'host/iptables-legacy-save'), 'utf8')));
	return rules;
}

const files = ['link.json', 'addr.json', 'route.json', 'rule.json', 'sysctl', 'listeners'].map((f) =>
	join(branch, 'host', f),
);

describe('captures of both directions', () => {
	it('sum up what the real host sent', async () => {
		const text = await output(both);
		expect(text.trimEnd().split('\n').slice(-2)).toEqual([
			expect.stringMatching(/^132 packets: 29 forward, 25 deliver, /),
			'the real host sent: 37 as here, 26 of its own, sent here too, 2 ARP and others, not compared',
		]);
		expect(text).not.toContain('INVALID');
	});

	it('the same of one cooked capture of all devices', async () => {
		const a = (await output(both)).trimEnd().split('\n').slice(-2);
		const b = (await output(['in', 'any', 'pcap', join(branch, 'any.pcap')])).trimEnd().split('\n').slice(-2);
		expect(b).toEqual(a);
	});

	it('what the real host sent and linnet did not is the line that --only-drops keeps', async () => {
		const rules = host((r) =>
			r.replace('-A FORWARD -m conntrack', '-A FORWARD -p icmp -j DROP\n-A FORWARD -m conntrack'),
		);
		const text = await output(both, { host: [...files, rules], onlyDrops: true });
		expect(text).toContain(
			'the real host sent this, linnet did not: its arrival, eth1 #28, ended here in drop; NETFILTER_DROP at filter/FORWARD rule 1: -A FORWARD -p icmp -j DROP; iptables-legacy-save line 23',
		);
	});

	it('--json says of each frame how it was sent', async () => {
		const rows = (await output(both, { json: true }))
			.trim()
			.split('\n')
			.map((l) => JSON.parse(l) as { sent?: string; action?: string });
		expect(rows.length).toBe(132);
		expect(rows.filter((r) => r.sent === 'local').length).toBe(26);
		expect(rows.filter((r) => r.action === 'forward').length).toBe(29);
	});

	it('--write comments them, too', async () => {
		const file = join(tmp, 'out.pcapng');
		await output(both, { write: file });
		const comments = readCapture(readFileSync(file)).packets.flatMap((p) => p.comments);
		expect(comments.filter((c) => c === 'linnet: sent by the real host, and by linnet').length).toBe(37);
		expect(comments.length).toBe(132);
	});
});

it('a capture that kept only the beginnings of packets is told as the whole', async () => {
	const whole = await output(both);
	const cut = ['eth0', 'eth1'].flatMap((d) => {
		const pcap = readFileSync(join(branch, `${d}.pcap`));
		const file = join(tmp, `${d}.pcap`);
		const out: Buffer[] = [pcap.subarray(0, 24)];
		for (let o = 24; o < pcap.length; ) {
			const len = pcap.readUInt32LE(o + 8);
			const head = Buffer.from(pcap.subarray(o, o + 16));
			// Of what is put together all must be there.
			const kept = (pcap.readUInt16BE(o + 16 + 20) & 0x3fff) !== 0 ? len : Math.min(len, 96);
			head.writeUInt32LE(kept, 8);
			out.push(head, pcap.subarray(o + 16, o + 16 + kept));
			o += 16 + len;
		}
		writeFileSync(file, Buffer.concat(out));
		return ['in', d, 'pcap', file];
	});
	const text = await output(cut);
	const arrivals = (t: string): string => /132 packets: .*/.exec(t)![0];
	expect(arrivals(text)).toBe(arrivals(whole));
});

describe('options that do not go together are refused', () => {
	it.each([
		[both, { reply: true }, '--reply: of one packet only'],
		[['in', 'eth0', 'icmp', '1.2.3.4', '5.6.7.8'], { onlyDrops: true }, '--only-drops: of a capture only'],
		[['out', 'icmp', '1.2.3.4', '5.6.7.8'], { write: 'x' }, '--write: of a capture only'],
		[['in', 'lo', 'icmp', '1.2.3.4', '5.6.7.8'], {}, 'lo: nothing comes in from outside there'],
		[['in', 'eth0', 'icmp', '1.2.3.4', '5.6.7.8'], { at: '+5x' }, '--at +5x: expected a span'],
	])('%j %j', async (words, flags, message) => {
		await expect(output(words, flags)).rejects.toThrow(message);
	});

	it('--reply of what does not leave the host says so', async () => {
		const text = await output(['in', 'eth1', 'udp', '10.1.0.10:9', '10.1.0.1:53'], { reply: true });
		expect(text).toContain('No answer to follow: the packet is for this host');
		expect(await output(['in', 'eth0', 'udp', '203.0.113.1:9', '203.0.113.2:161'], { reply: true })).toContain(
			'No answer to follow: the packet did not leave this host',
		);
	});
});

it('broken captures: an error that names the file, or what could be read of it', async () => {
	const good = readFileSync(join(branch, 'eth1.pcap')).subarray(0, 4000);
	await fc.assert(
		fc.asyncProperty(
			fc.nat(good.length),
			fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 12 }),
			async (length, edits) => {
				const bytes = Buffer.from(good);
				for (const [at, v] of edits) bytes[at] = v;
				const file = join(tmp, 'broken.pcap');
				writeFileSync(file, bytes.subarray(0, length));
				try {
					expect(await output(['in', 'eth1', 'pcap', file])).toContain(' packets: ');
				} catch (e) {
					expect(e).toBeInstanceOf(UserError);
					expect((e as Error).message).toContain('broken.pcap: ');
				}
			},
		),
		{ numRuns: 60, seed: 5 },
	);
}, 60_000);

it('words: an error for people, or a journey', async () => {
	const word = fc.constantFrom(
		'in',
		'out',
		'eth0',
		'eth9',
		'tcp',
		'udp',
		'icmp',
		'1.2.3.4:5',
		'203.0.113.2',
		'203.0.113.2:8080',
		'pcap',
		'detailed',
		'ttl',
		'1',
		'IP()/UDP()',
		'IP(',
		'',
	);
	await fc.assert(
		fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (words) => {
			try {
				expect(await output(words)).toContain('Action: ');
			} catch (e) {
				expect((e as Error).constructor.name).toMatch(/^(UserError|PacketError)$/);
				expect((e as Error).message.length).toBeGreaterThan(10);
			}
		}),
		{ numRuns: 150, seed: 6 },
	);
}, 60_000);
