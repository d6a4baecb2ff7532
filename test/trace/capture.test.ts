/*
 * Captures of both directions (examples/branch, taken on real Linux): what the real host sent is what is sent here.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importHost } from '../../src/lab/import/import.ts';
import { parseSnapshot } from '../../src/lab/import/snapshot.ts';
import { World } from '../../src/lab/world.ts';
import { packet } from '../../src/packet/build.ts';
import { readCapture } from '../../src/packet/capture.ts';
import { CaptureReplay, isOwnFrame, type MissingFrame, type OwnFrame } from '../../src/trace/capture.ts';
import { packetLine } from '../../src/trace/explain.ts';
import { capturedOffload, packetKey } from '../../src/trace/frames.ts';
import { frameTo, Replay } from '../../src/trace/replay.ts';

const branch = join(import.meta.dirname, '../../examples/branch');

async function replay(change: (files: Map<string, string>) => void = () => {}): Promise<Replay> {
	const dir = join(branch, 'host');
	const files = new Map(readdirSync(dir).map((f) => [f, readFileSync(join(dir, f), 'utf8')]));
	change(files);
	return new Replay(await importHost(new World(), parseSnapshot(files)));
}

interface Run {
	own: OwnFrame[];
	missing: MissingFrame[];
	actions: string[];
	replay: Replay;
}

async function run(devs: string[], change?: (files: Map<string, string>) => void): Promise<Run> {
	const r = await replay(change);
	const all = devs.flatMap((dev) =>
		readCapture(readFileSync(join(branch, `${dev}.pcap`))).packets.map((p, i) => ({ dev, p, number: i + 1 })),
	);
	all.sort((a, b) => a.p.sec - b.p.sec || a.p.nsec - b.p.nsec);
	const c = new CaptureReplay(r, new Set(devs));
	const out: Run = { own: [], missing: [], actions: [], replay: r };
	for (const { dev, p, number } of all) {
		const at = (p.sec - all[0].p.sec) * 1e9 + (p.nsec - all[0].p.nsec);
		if (at > r.imp.host.world.clock.now) r.at(at);
		const ref = { dev, number, file: dev };
		const around = r.imp.surroundings.get(dev)!;
		if (isOwnFrame(around, p.data, p.direction)) out.own.push(c.own(ref, p.data, false, true));
		else out.actions.push(c.arrival(ref, p.data, false, true).action);
		out.missing.push(...c.expired());
	}
	out.missing.push(...c.expired(true));
	return out;
}

const count = (own: OwnFrame[]): Record<string, number> => {
	const n: Record<string, number> = {};
	for (const o of own) n[o.kind] = (n[o.kind] ?? 0) + 1;
	return n;
};

describe('both directions of every device', () => {
	it('all that the real host forwarded and answered is sent here, byte for byte but ids', async () => {
		const { own, missing, actions } = await run(['eth0', 'eth1']);
		// 63 IP packets that the router sent, segments of up to 23,168 bytes and fragments among them, and 2 ARP.
		expect(count(own)).toEqual({ same: 37, local: 26, other: 2 });
		expect(missing).toEqual([]);
		expect(actions.filter((a) => a === 'drop' || a === 'reject').length).toBe(4);
		expect(actions.filter((a) => a === 'undecided')).toEqual([]);
	});

	it("leaves the host's own TCP connections in the states that the real ones had", async () => {
		const { replay: r } = await run(['eth0', 'eth1']);
		const table = (await r.imp.host.sh('conntrack -L')).stdout;
		for (const flow of ['sport=48840 dport=80', 'sport=44900 dport=8080', 'sport=36294 dport=80'])
			expect(table).toMatch(new RegExp(`TIME_WAIT .*${flow}.*\\[ASSURED\\]`));
		expect(table).toMatch(/udp .*dport=53 src=203\.0\.113\.2 .*dport=33111/);
	});
});

it('a rule too many: the real host sent what is dropped here, and each such line names the arrival and the rule', async () => {
	const { own } = await run(['eth0', 'eth1'], (f) =>
		f.set(
			'iptables-legacy-save',
			f
				.get('iptables-legacy-save')!
				.replace('-A FORWARD -m conntrack', '-A FORWARD -p icmp -j DROP\n-A FORWARD -m conntrack'),
		),
	);
	const missing = own.filter((o) => o.kind === 'missing');
	expect(missing.length).toBeGreaterThan(2);
	expect(missing[0]).toMatchObject({
		packet: expect.stringContaining('203.0.113.2 > 198.51.100.7 ICMP echo request'),
		arrival: { frame: { dev: 'eth1', number: 28 }, journey: { action: 'drop', rule: { chain: 'FORWARD', num: 1 } } },
	});
});

it('a rule in OUTPUT: what the real host sent of its own is blocked here, and by which', async () => {
	const { own } = await run(['eth0', 'eth1'], (f) =>
		f.set(
			'iptables-legacy-save',
			f
				.get('iptables-legacy-save')!
				.replace('-A FORWARD -m conntrack', '-A OUTPUT -p udp --dport 9 -j DROP\n-A FORWARD -m conntrack'),
		),
	);
	expect(own.filter((o) => o.kind === 'blocked')).toMatchObject([
		{ packet: '203.0.113.2:45551 > 203.0.113.1:9 UDP len 5', journey: { rule: { chain: 'OUTPUT', num: 1 } } },
	]);
});

it('other NAT: sent there and here in another form; a rule too few: sent here only', async () => {
	const snat = await run(['eth0', 'eth1'], (f) =>
		f.set(
			'iptables-legacy-save',
			f.get('iptables-legacy-save')!.replace('-j MASQUERADE', '-j SNAT --to-source 203.0.113.9'),
		),
	);
	const differs = snat.own.find((o) => o.kind === 'differs')!;
	expect(differs.packet).toContain('203.0.113.2:36294 > 198.51.100.7:80 TCP S');
	expect(differs.here).toMatchObject({
		dev: 'eth0',
		packet: expect.stringContaining('203.0.113.9:36294 > 198.51.100.7:80'),
	});
	const open = await run(['eth0', 'eth1'], (f) =>
		f.set('iptables-legacy-save', f.get('iptables-legacy-save')!.replace(':INPUT DROP', ':INPUT ACCEPT')),
	);
	// To port 161, where nobody listens: the complaint is a socket's, which is held back.
	expect(open.missing).toEqual([]);
	expect(open.actions.filter((a) => a === 'drop').length).toBe(3);
});

it('one device of two: what belongs to unseen packets is not judged', async () => {
	const { own, missing, actions } = await run(['eth0']);
	expect(count(own)).toMatchObject({ unseen: 17, local: 25 });
	expect(missing).toEqual([]);
	expect(actions.filter((a) => a === 'undecided').length).toBe(14);
	expect(actions.filter((a) => a === 'deliver').length).toBe(25);
});

describe('a captured frame', () => {
	const frame = (text: string): Uint8Array => packet(`Ether()/${text}`);

	it('whose checksum was left to the NIC, or that is longer than the MTU, is taken as the kernel had it', () => {
		const whole = frame('IP(src="10.0.0.1",dst="10.0.0.2")/TCP(sport=1,dport=2)/"hello"');
		expect(capturedOffload(whole, 1500, false)).toBe(null);
		expect(capturedOffload(whole, 1500, true)).toMatchObject({ csum_valid: true, csum_start: 0, gso_size: 0 });
		const gro = frame(`IP(src="10.0.0.1",dst="10.0.0.2")/TCP(sport=1,dport=2)/"${'x'.repeat(4000)}"`);
		expect(capturedOffload(gro, 1500, false)).toMatchObject({
			csum_start: 34,
			csum_offset: 16,
			gso_size: 1460,
			gso_type: 1,
		});
		const all = readCapture(readFileSync(join(branch, 'eth0.pcap'))).packets;
		const partial = all.filter((p) => (capturedOffload(p.data, 1500, false)?.csum_start ?? 0) > 0);
		expect(partial.length).toBeGreaterThan(60);
	});

	it('is known again behind NAT and a router, and not taken for another', () => {
		const before = frame('IP(src="10.0.0.1",dst="9.9.9.9",id=77,ttl=64)/UDP(sport=1000,dport=53)/"question"');
		const after = frame('IP(src="1.2.3.4",dst="9.9.9.9",id=77,ttl=63)/UDP(sport=61000,dport=53)/"question"');
		const other = frame('IP(src="1.2.3.4",dst="9.9.9.9",id=78,ttl=63)/UDP(sport=61000,dport=53)/"question"');
		expect(packetKey(before, false)).toBe(packetKey(after, false));
		expect(packetKey(before, true)).not.toBe(packetKey(after, true));
		expect(packetKey(after, false)).not.toBe(packetKey(other, false));
		// Strict: ids and checksums aside.
		expect(packetKey(after, true)).toBe(packetKey(other, true));
	});
});

describe('local output', () => {
	it('passes OUTPUT and conntrack, so that its answer is no stranger', async () => {
		const r = await replay();
		const sent = r.sendRaw(packet('IP(src="203.0.113.2",dst="198.51.100.7")/TCP(sport=40000,dport=80,flags="S")'));
		expect(sent.journey).toMatchObject({ action: 'send', out: { dev: 'eth0' } });
		expect(sent.journey.steps[0]).toMatchObject({
			phase: 'route',
			text: 'default via 203.0.113.1 dev eth0 src 203.0.113.2 (table main, rule 32766)',
		});
		const back = r.receive(
			'eth0',
			frameTo(
				r.imp,
				'eth0',
				packet('IP(src="198.51.100.7",dst="203.0.113.2")/TCP(sport=80,dport=40000,flags="SA",seq=1,ack=1)'),
			),
		);
		expect(back.journey.action).toBe('deliver');
		expect(back.journey.why).toContain('an answer to what the host itself sent');
	});

	it('says why when there is no way, and never breaks', async () => {
		const r = await replay((f) => f.delete('route.json'));
		await r.imp.host.must('ip route flush table main');
		const p = packet('IP(src="203.0.113.2",dst="8.8.8.8")/UDP(sport=1,dport=2)');
		expect(r.sendRaw(p).journey).toMatchObject({ action: 'drop', why: 'the host has no route for it' });
		for (let n = 0; n < p.length; n++) expect(r.sendRaw(p.slice(0, n)).journey.action).toBe('drop');
		expect(packetLine(p)).toContain('8.8.8.8:2');
	});
});
