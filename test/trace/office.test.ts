/*
 * The main job on the shipped office router: verdicts, reasons and rules for packets that real Linux was sent (examples/office).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importHost } from '../../src/lab/import/import.ts';
import { parseSnapshot } from '../../src/lab/import/snapshot.ts';
import { World } from '../../src/lab/world.ts';
import { assemble, packet, parseShort } from '../../src/packet/build.ts';
import { readCapture } from '../../src/packet/capture.ts';
import type { PacketJourney } from '../../src/trace/explain.ts';
import { configLine, reasonLine, render } from '../../src/trace/render.ts';
import { answerTo, frameTo, Replay } from '../../src/trace/replay.ts';

const office = join(import.meta.dirname, '../../examples/office');

async function replay(): Promise<Replay> {
	const dir = join(office, 'host');
	const files = new Map(readdirSync(dir).map((f) => [f, readFileSync(join(dir, f), 'utf8')]));
	return new Replay(await importHost(new World(), parseSnapshot(files)));
}

function send(r: Replay, dev: string, text: string): PacketJourney {
	const bytes = text.includes('(') ? packet(text) : assemble(parseShort(text.split(' ')).layers);
	return r.receive(dev, frameTo(r.imp, dev, bytes)).journey;
}

describe('one packet', () => {
	it('is forwarded through DNAT, and the answer comes back translated', async () => {
		const r = await replay();
		const there = r.receive(
			'eth0',
			frameTo(r.imp, 'eth0', assemble(parseShort('tcp 198.51.100.7:40000 203.0.113.5:443'.split(' ')).layers)),
		);
		expect(there.journey.action).toBe('forward');
		expect(there.journey.out).toMatchObject({ dev: 'eth2' });
		expect(there.journey.out?.packet).toContain('198.51.100.7:40000 > 10.20.0.10:8443 TCP S');
		const back = r.receive('eth2', frameTo(r.imp, 'eth2', answerTo(there.sent[0].bytes.subarray(14))!));
		expect(back.journey.action).toBe('forward');
		expect(back.journey.out?.packet).toContain('203.0.113.5:443 > 198.51.100.7:40000 TCP S.');
	});

	it('is dropped by a rule, which is named with its line', async () => {
		const j = send(await replay(), 'eth0', 'tcp 198.51.100.7:40000 203.0.113.5:23');
		expect(j).toMatchObject({
			action: 'drop',
			reason: 'NETFILTER_DROP',
			rule: { table: 'filter', chain: 'LOGDROP', num: 2 },
		});
		expect(reasonLine(j)).toBe('NETFILTER_DROP at filter/LOGDROP rule 2: -A LOGDROP -j DROP');
		expect(configLine(j)).toBe('iptables-legacy-save line 27');
	});

	it('is dropped by rp_filter, and the sysctl is named', async () => {
		const j = send(await replay(), 'eth0', 'icmp 192.168.10.99 203.0.113.5');
		expect(j).toMatchObject({
			action: 'drop',
			reason: 'IP_RPFILTER',
			sysctl: { name: 'net.ipv4.conf.eth0.rp_filter', value: '1' },
		});
	});

	it('is refused with the ICMP error that the rule asks for', async () => {
		const j = send(await replay(), 'eth1', 'tcp 192.168.10.20:5555 198.51.100.7:25');
		expect(j).toMatchObject({ action: 'reject', rule: { table: 'filter', chain: 'FORWARD', num: 3 } });
		expect(j.caused[0].packet).toContain('192.168.10.1 > 192.168.10.20 ICMP admin prohibited');
	});

	it('dies of its TTL, of a blackhole, at a policy route without a neighbour', async () => {
		const r = await replay();
		expect(send(r, 'eth1', 'icmp 192.168.10.20 198.51.100.7 ttl 1')).toMatchObject({
			action: 'drop',
			reason: 'IP_INHDR',
			counter: 'IpInHdrErrors',
		});
		const hole = send(r, 'eth1', 'icmp 192.168.10.20 10.99.1.1');
		expect(hole.action).toBe('drop');
		expect(hole.why).toContain('blackhole 10.0.0.0/8');
		const policy = send(r, 'eth1', 'icmp 192.168.10.140 198.51.100.7');
		expect(policy.out?.dev).toBe('eth1');
		expect(policy.steps.find((s) => s.phase === 'route')?.text).toContain(
			'via 192.168.10.253 dev eth1 (table 100, rule 1000)',
		);
	});

	it('reaches the host itself', async () => {
		expect(send(await replay(), 'eth1', 'tcp 192.168.10.20:999 192.168.10.1:22')).toMatchObject({ action: 'deliver' });
	});

	it('leaves from the host itself, by the route that it has', async () => {
		const r = await replay();
		const { journey, sent } = await r.send(packet('IP(src="203.0.113.5",dst="1.1.1.1")/UDP(sport=4000,dport=53)/"q"'));
		expect(journey).toMatchObject({ action: 'send', out: { dev: 'eth0' } });
		expect(journey.steps[0].text).toContain('via 203.0.113.1 dev eth0');
		expect(sent.length).toBe(1);
	});

	it('never breaks the replay, whatever it is', async () => {
		const r = await replay();
		for (let n = 0; n < 54; n++) {
			const frame = frameTo(r.imp, 'eth0', packet('IP(src="198.51.100.7",dst="203.0.113.5")/TCP(dport=443)')).slice(
				0,
				n,
			);
			expect(['drop', 'consume', 'queue', 'answer']).toContain(r.receive('eth0', frame).journey.action);
		}
	});
});

it('an entry that the real host had lets its packets pass, until it has timed out', async () => {
	// tcp 198.51.100.7:39506 > 203.0.113.5:443, TIME_WAIT, 110 s left when it was collected: its reply direction is ESTABLISHED.
	const text = 'IP(src="10.20.0.10",dst="198.51.100.7")/UDP(sport=1,dport=2)';
	const r = await replay();
	expect(send(r, 'eth2', text).action).toBe('forward');
	const known = send(r, 'eth0', 'icmp 198.51.100.7 203.0.113.5');
	expect(known.steps.find((s) => s.phase === 'conntrack')?.text).toMatch(/^NEW|^ESTABLISHED/);
	r.at(r.imp.host.world.clock.now + 5 * 86400e9);
	expect((await r.imp.host.sh('conntrack -L')).stdout).toBe('');
});

it('a capture: every packet gets the verdict that the real router gave it', async () => {
	const r = await replay();
	const all = ['eth0', 'eth1', 'eth2'].flatMap((dev) =>
		readCapture(readFileSync(join(office, `${dev}.pcap`))).packets.map((p) => ({ dev, p })),
	);
	all.sort((a, b) => a.p.sec - b.p.sec || a.p.nsec - b.p.nsec);
	const t0 = all[0].p;
	const bad: string[] = [];
	let forwarded = 0;
	for (const { dev, p } of all) {
		const at = (p.sec - t0.sec) * 1e9 + (p.nsec - t0.nsec);
		if (at > r.imp.host.world.clock.now) r.at(at);
		const j = r.receive(dev, p.data).journey;
		if (j.action === 'forward') forwarded++;
		if (j.action === 'drop' || j.action === 'reject') bad.push(`${j.action} ${j.reason}`);
	}
	// What was done on the real host when these were captured: 54 packets passed, and these six were meant not to.
	expect(forwarded).toBe(54);
	expect(bad).toEqual([
		'drop NETFILTER_DROP',
		'reject NETFILTER_DROP',
		'drop IP_INHDR',
		'drop NOT_SPECIFIED',
		'drop IP_RPFILTER',
		'drop NETFILTER_DROP',
	]);
});

it('is written as numbered lines with the end below', async () => {
	const lines = render(send(await replay(), 'eth0', 'tcp 198.51.100.7:40000 203.0.113.5:23'));
	expect(lines[0]).toMatch(/^ {4}1 {2}receive {5}eth0: /);
	expect(lines.slice(-3).map((l) => l.split(':')[0])).toEqual(['Action', 'Reason', 'Config']);
});
