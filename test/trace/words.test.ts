/*
 * What a journey says, word by word: where nobody should have to guess.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importHost } from '../../src/lab/import/import.ts';
import { parseSnapshot } from '../../src/lab/import/snapshot.ts';
import { World } from '../../src/lab/world.ts';
import { assemble, packet, parseShort } from '../../src/packet/build.ts';
import type { PacketJourney } from '../../src/trace/explain.ts';
import { configLine, render } from '../../src/trace/render.ts';
import { frameTo, Replay } from '../../src/trace/replay.ts';

async function replay(example: string, only?: string[]): Promise<Replay> {
	const dir = join(import.meta.dirname, '../../examples', example, 'host');
	const names = readdirSync(dir).filter((f) => only === undefined || only.includes(f));
	return new Replay(
		await importHost(new World(), parseSnapshot(new Map(names.map((f) => [f, readFileSync(join(dir, f), 'utf8')])))),
	);
}

function send(r: Replay, dev: string, text: string): PacketJourney {
	const bytes = text.includes('(') ? packet(text) : assemble(parseShort(text.split(' ')).layers);
	return r.receive(dev, frameTo(r.imp, dev, bytes)).journey;
}

const details = (j: PacketJourney): string[] => j.steps.flatMap((s) => s.detail);

describe('rules', () => {
	it('that did not match say which part failed, of what the packet is', async () => {
		const d = details(send(await replay('office'), 'eth0', 'tcp 198.51.100.7:40000 203.0.113.5:23'));
		const rule = (start: string): string | undefined => d.find((l) => l.startsWith(start));
		expect(rule('filter/INPUT rule 1:')).toBe(
			'filter/INPUT rule 1: no: -i (it came in by eth0)   -A INPUT -i lo -j ACCEPT',
		);
		expect(rule('filter/INPUT rule 2:')).toContain('no: -m conntrack (its state is NEW)');
		expect(rule('filter/INPUT rule 4:')).toContain('no: -p (protocol tcp)');
		expect(rule('nat/PREROUTING rule 1:')).toContain('no: -m tcp (198.51.100.7:40000 > 203.0.113.5:23)');
	});

	it('with several matches say which had passed', async () => {
		const r = await replay('office');
		const yes = details(send(r, 'eth0', 'tcp 198.51.100.7:40000 203.0.113.5:443')).find((l) =>
			l.startsWith('filter/DMZ_IN rule 1:'),
		);
		expect(yes).toBe(
			'filter/DMZ_IN rule 1: yes: -m tcp (198.51.100.7:40000 > 10.20.0.10:8443), -m conntrack (its state is NEW)',
		);
		for (let i = 0; i < 5; i++) send(r, 'eth1', `IP(src="192.168.10.20",dst="192.168.10.1")/ICMP(id=${i + 20})`);
		const no = details(send(r, 'eth1', 'IP(src="192.168.10.20",dst="192.168.10.1")/ICMP(id=9)')).find((l) =>
			l.startsWith('filter/INPUT rule 4:'),
		);
		expect(no).toContain('no: -m limit, though -m icmp yes');
	});

	it("a policy's place in the file is its line", async () => {
		const j = send(await replay('docker'), 'eth0', 'tcp 198.51.100.7:40000 203.0.113.5:80');
		expect(j).toMatchObject({ action: 'drop', rule: { chain: 'FORWARD', num: 0 } });
		const file = readFileSync(
			join(import.meta.dirname, '../../examples/docker/host/iptables-legacy-save'),
			'utf8',
		).split('\n');
		const line = Number(/^iptables-legacy-save line (\d+)$/.exec(configLine(j))![1]);
		expect(file[line - 1]).toMatch(/^:FORWARD DROP/);
	});
});

describe('steps', () => {
	it('nat: what was one side, and what it is now', async () => {
		const j = send(await replay('office'), 'eth1', 'tcp 192.168.10.20:5000 198.51.100.7:80');
		expect(j.steps.find((s) => s.fn === 'nf_nat_manip_pkt')?.text).toBe('source 192.168.10.20:5000 → 203.0.113.5:5000');
	});

	it('forwarding says what it did to the packet', async () => {
		const j = send(await replay('office'), 'eth1', 'tcp 192.168.10.20:5000 198.51.100.7:80');
		expect(j.steps.find((s) => s.phase === 'forward')?.text).toBe('ttl 64 → 63');
		// What the target did stands at its rule.
		expect(j.steps.every((s) => s.phase === 'forward' || s.phase === 'nat' || s.changes.length === 0)).toBe(true);
	});

	it('icmp: the message by its name; nothing sent, and which limit', async () => {
		const r = await replay('office');
		const dying = send(r, 'eth1', 'udp 192.168.10.20:5 198.51.100.7:53 ttl 1');
		expect(dying.steps.find((s) => s.phase === 'icmp')?.text).toBe(
			'answered: time exceeded to 192.168.10.20 from 192.168.10.1',
		);
		let j = dying;
		for (let i = 0; i < 12; i++) j = send(r, 'eth1', `udp 192.168.10.20:${i + 6} 198.51.100.7:53 ttl 1`);
		expect(j.steps.find((s) => s.phase === 'icmp')?.text).toBe(
			'no time exceeded is sent: limited by net.ipv4.icmp_ratelimit = 1000',
		);
		// The limit is not why it was dropped.
		expect(j).toMatchObject({ action: 'drop', reason: 'IP_INHDR', counter: 'IpInHdrErrors' });
		expect(configLine(j)).toBe('');
	});

	it('the route of a packet of its own is the one that was looked up for it', async () => {
		const r = await replay('office');
		const out = await r.send(packet('IP(src="192.168.10.1",dst="192.168.10.20")/ICMP()'));
		expect(out.journey.steps.filter((s) => s.phase === 'route').map((s) => s.text)).toEqual([
			'192.168.10.0/24 dev eth1 src 192.168.10.1 (table main, rule 32766)',
		]);
		const answered = send(r, 'eth1', 'icmp 192.168.10.20 192.168.10.1');
		expect(answered.steps.filter((s) => s.phase === 'route').map((s) => s.text)).toEqual([
			'local 192.168.10.1/32 dev eth1 src 192.168.10.1 (table local, rule 0)',
		]);
		expect(answered.caused[0].steps[0]).toMatchObject({ phase: 'route', fn: 'ip_route_output_key_hash' });
		expect(answered.caused[0].steps[1]).toMatchObject({ phase: 'conntrack', changes: [] });
	});

	it('fragments: what waits says for what, and the last goes on as the whole', async () => {
		const r = await replay('branch');
		const frag = (offset: number, more: string): PacketJourney =>
			send(
				r,
				'eth1',
				`IP(src="10.1.0.10",dst="198.51.100.7",id=9,flags="${more}",frag=${offset},proto=17)/"${'x'.repeat(16)}"`,
			);
		expect(render(frag(0, 'MF')).find((l) => l.startsWith('Action'))).toBe(
			'Action: queue (it waits for the other fragments)',
		);
		const last = frag(2, '');
		expect(last.steps.map((s) => s.text)).toContain('id 9 is whole again: 52 bytes');
		expect(last.steps.some((s) => s.phase === 'route')).toBe(true);
	});
});

it('by lo a packet comes back to its host, and the end is what happens there', async () => {
	const r = await replay('office');
	const j = (await r.send(packet('IP(src="192.168.10.1",dst="192.168.10.1")/ICMP()'))).journey;
	expect(j.action).toBe('answer');
	expect(j.caused[0].action).toBe('deliver');
	expect(j.steps.some((s) => s.phase === 'neighbour')).toBe(false);
});

it('rules alone: networks that are translated are behind the other devices, which is said to be a guess', async () => {
	const r = await replay('office', ['iptables-legacy-save']);
	const note = r.imp.notes.find((n) => n.where === 'route.json')!.text;
	expect(note).toContain('192.168.10.0/24 dev eth1 (a guess: the rules do not say), 10.20.0.0/24 dev eth2 (a guess');
	await r.imp.host.must('ip addr add 203.0.113.5/32 dev eth0');
	expect(send(r, 'eth0', 'tcp 198.51.100.7:40000 203.0.113.5:443')).toMatchObject({
		action: 'forward',
		out: { dev: 'eth2' },
	});
});

it('live connections alone are enough for connections to be tracked', async () => {
	const r = await replay('office', ['conntrack']);
	expect(send(r, 'eth0', 'tcp 198.51.100.7:40000 203.0.113.5:443').steps.some((s) => s.phase === 'conntrack')).toBe(
		true,
	);
});

it('without a route: what comes in is answered, what is sent is not even made, and why', async () => {
	const r = await replay('branch');
	await r.imp.host.must('ip route del default');
	const j = send(r, 'eth1', 'icmp 10.1.0.10 8.8.8.8');
	expect(j).toMatchObject({ action: 'drop', reason: 'IP_INNOROUTES', counter: 'IpExtInNoRoutes' });
	expect(j.steps.find((s) => s.phase === 'route')?.text).toBe('no route to it');
	const out = (await r.send(packet('IP(src="10.1.0.1",dst="8.8.8.8")/ICMP()'))).journey;
	expect(out).toMatchObject({ action: 'drop', why: 'no packet leaves: the system call says "Network is unreachable"' });
});
