/*
 * Listeners and foreign rulesets of an imported host: what was collected of them, what is made of it, and what is said where it is not known.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImportError } from '../../src/lab/import/error.ts';
import { importHost } from '../../src/lab/import/import.ts';
import { findListener, openListeners, parseListeners } from '../../src/lab/import/listeners.ts';
import { foreignRules, parseNft } from '../../src/lab/import/nft.ts';
import { parseSnapshot, ruleLines } from '../../src/lab/import/snapshot.ts';
import { World } from '../../src/lab/world.ts';
import { assemble, parseShort } from '../../src/packet/build.ts';
import type { PacketJourney } from '../../src/trace/explain.ts';
import { frameTo, Replay } from '../../src/trace/replay.ts';

const SS = `udp UNCONN 0      0            0.0.0.0:53         0.0.0.0:*    users:(("dnsmasq",pid=788,fd=3))
udp UNCONN 0      0      10.1.0.1%eth1:67         0.0.0.0:*    users:(("dhcpd",pid=7,fd=3))
tcp LISTEN 0      128        127.0.0.1:631        0.0.0.0:*
tcp LISTEN 0      128                *:22               *:*    users:(("sshd",pid=1,fd=3))
tcp LISTEN 0      128             [::1]:25           [::]:*    users:(("exim4",pid=9,fd=3))
`;

describe('ss -H -lntup', () => {
	it('is read: addresses, devices, processes; sockets of IPv6 alone are left out', () => {
		expect(parseListeners('listeners', SS)).toEqual([
			{ protocol: 'udp', addr: 0, port: 53, dev: '', process: 'dnsmasq', line: 1 },
			{ protocol: 'udp', addr: 0x0a010001, port: 67, dev: 'eth1', process: 'dhcpd', line: 2 },
			{ protocol: 'tcp', addr: 0x7f000001, port: 631, dev: '', process: '', line: 3 },
			{ protocol: 'tcp', addr: 0, port: 22, dev: '', process: 'sshd', line: 4 },
		]);
	});

	it('ss -lnt, which has no first column, is read too', () => {
		expect(parseListeners('l', 'LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n')[0]).toMatchObject({ protocol: 'tcp', port: 22 });
	});

	it('finds the more particular listener', () => {
		const l = parseListeners(
			'l',
			'tcp LISTEN 0 1 0.0.0.0:80 0.0.0.0:* users:(("a",\ntcp LISTEN 0 1 10.0.0.1:80 0.0.0.0:* users:(("b",\n',
		);
		expect(findListener(l, 'tcp', 0x0a000001, 80)?.process).toBe('b');
		expect(findListener(l, 'tcp', 0x0a000002, 80)?.process).toBe('a');
		expect(findListener(l, 'udp', 0x0a000001, 80)).toBe(undefined);
	});

	it.each([
		['hello', "listeners:1: 'hello' is too short: expected 'tcp LISTEN 0 128 ADDRESS:PORT …'"],
		[
			'\ntcp LISTEN 0 128 0.0.0.0 0.0.0.0:*',
			"listeners:2: 'tcp LISTEN 0 128 0.0.0.0 0.0.0.0:*' has no local address and port",
		],
		['tcp LISTEN 0 128 0.0.0.0:99999 0.0.0.0:*', 'has no port'],
		['tcp LISTEN 0 128 1.2.3.4.5:9 0.0.0.0:*', 'has no local address'],
	])('%j is refused with its line', (text, message) => {
		expect(() => parseListeners('listeners', text)).toThrow(message);
	});

	it('never breaks, whatever it reads', () => {
		fc.assert(
			fc.property(fc.string({ unit: fc.constantFrom(...'tcpudLISEN 0128.:*%[]\n"(users,'), maxLength: 80 }), (text) => {
				try {
					for (const l of parseListeners('f', text)) expect(l.port).toBeGreaterThan(0);
				} catch (e) {
					expect(e).toBeInstanceOf(ImportError);
				}
			}),
			{ numRuns: 500, seed: 4 },
		);
	});
});

async function branch(listeners: string | null): Promise<Replay> {
	const dir = join(import.meta.dirname, '../../examples/branch/host');
	const files = new Map(readdirSync(dir).map((f) => [f, readFileSync(join(dir, f), 'utf8')]));
	if (listeners === null) files.delete('listeners');
	else files.set('listeners', listeners);
	return new Replay(await importHost(new World(), parseSnapshot(files)));
}

function send(r: Replay, text: string): PacketJourney {
	return r.receive('eth1', frameTo(r.imp, 'eth1', assemble(parseShort(text.split(' ')).layers))).journey;
}

describe('a packet to a local port', () => {
	it('is delivered to the process that listens, which is named', async () => {
		const r = await branch(SS);
		expect(openListeners(r.imp)).toBeGreaterThan(0);
		const udp = send(r, 'udp 10.1.0.10:999 10.1.0.1:53');
		expect(udp).toMatchObject({ action: 'deliver', why: 'to dnsmasq', caused: [] });
		expect(udp.steps.at(-1)).toMatchObject({ phase: 'socket', text: 'taken by the udp socket 0.0.0.0:53' });
	});

	it('is said to be delivered where there is no such socket here', async () => {
		const r = await branch(SS);
		expect(send(r, 'udp 10.1.0.10:999 10.1.0.1:53')).toMatchObject({
			action: 'deliver',
			why: 'dnsmasq listens on udp port 53 (listener from the capture)',
			caused: [],
		});
	});

	it('is refused as Linux does where nobody listens', async () => {
		const r = await branch(SS);
		const udp = send(r, 'udp 10.1.0.10:999 10.1.0.1:54');
		expect(udp).toMatchObject({ action: 'drop', reason: 'NO_SOCKET', counter: 'UdpNoPorts' });
		expect(udp.caused[0].packet).toContain('10.1.0.1 > 10.1.0.10 ICMP port unreachable');
		const tcp = send(r, 'tcp 10.1.0.10:999 10.1.0.1:23');
		expect(tcp).toMatchObject({ action: 'drop', reason: 'NO_SOCKET' });
		expect(tcp.caused[0].packet).toContain('10.1.0.1:23 > 10.1.0.10:999 TCP R.');
		// Bound to another address.
		expect(send(r, 'tcp 10.1.0.10:999 10.1.0.1:631').action).toBe('drop');
	});

	it('without that file: what is assumed is said, and what would happen else', async () => {
		const j = send(await branch(null), 'udp 10.1.0.10:999 10.1.0.1:54');
		expect(j).toMatchObject({
			action: 'deliver',
			assumed: "somebody listens on udp port 54: the host's listeners were not collected",
		});
		expect(j.steps.at(-1)?.phase).toBe('socket');
		expect(j.caused[0].packet).toContain('port unreachable');
	});
});

describe('nft -j list ruleset', () => {
	const nft = (items: unknown[]): string => JSON.stringify({ nftables: [{ metainfo: {} }, ...items] });
	const chain = (family: string, table: string, name: string, policy = 'accept'): unknown => ({
		chain: { family, table, name, hook: 'input', type: 'filter', prio: 0, policy },
	});
	const rule = (family: string, table: string, c: string): unknown => ({ rule: { family, table, chain: c, expr: [] } });

	it("iptables' own translations are no news", () => {
		const text = nft([
			{ table: { family: 'ip', name: 'filter' } },
			chain('ip', 'filter', 'INPUT'),
			rule('ip', 'filter', 'INPUT'),
		]);
		const lines = ruleLines('iptables-save', '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n');
		expect(foreignRules(parseNft('nft.json', text), lines)).toEqual([]);
		expect(foreignRules(parseNft('nft.json', text), [])).toEqual([
			'table ip filter, chain INPUT has 1 rule, iptables-save shows 0: what it does not show is left out here',
		]);
	});

	it('tables of nftables itself are told by name; of other families, or without hooks, are not', () => {
		const text = nft([
			chain('inet', 'fw', 'input', 'drop'),
			rule('inet', 'fw', 'input'),
			rule('inet', 'fw', 'input'),
			chain('ip6', 'fw6', 'input', 'drop'),
			{ table: { family: 'ip', name: 'sets' } },
			rule('ip', 'sets', 'unused'),
		]);
		expect(foreignRules(parseNft('nft.json', text), [])).toEqual([
			"table inet fw (2 rules, policy drop in input) is nftables' own: linnet has none yet, packets pass here as if it were not there",
		]);
	});

	it('the import warns, and a second ruleset too', async () => {
		const save = (port: number): string =>
			`*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport ${port} -j DROP\nCOMMIT\n`;
		const imp = await importHost(
			new World(),
			parseSnapshot(
				new Map([
					['nft.json', nft([chain('inet', 'fw', 'input', 'drop')])],
					['iptables-save', save(1)],
					['iptables-legacy-save', save(2)],
				]),
			),
		);
		expect(imp.notes.filter((n) => n.kind === 'warning').map((n) => n.where)).toEqual([
			'nft.json',
			'iptables-legacy-save',
		]);
		const same = parseSnapshot(
			new Map([
				['iptables-save', save(1)],
				['iptables-legacy-save', save(1)],
			]),
		);
		expect(same.secondRuleset).toBe(null);
	});

	it("iptables-legacy's rules are no rules of nf_tables", () => {
		const rules = '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n';
		const held = (name: string, header: string): number =>
			parseSnapshot(new Map([[name, header + rules]])).nftRuleLines.length;
		expect(held('iptables-legacy-save', '')).toBe(0);
		expect(held('iptables-save', '# Generated by iptables-save v1.8.9 on Tue\n')).toBe(0);
		expect(held('iptables-save', '# Generated by iptables-save v1.8.9 (nf_tables) on Tue\n')).toBe(1);
		expect(held('iptables-save', '')).toBe(1);
	});

	it('is refused when it is something else', () => {
		expect(() => parseNft('nft.json', '{')).toThrow(/^nft\.json: not JSON as 'nft -j list ruleset'/);
		expect(() => parseNft('nft.json', '[]')).toThrow('expected {"nftables": […]}');
		expect(() => parseNft('nft.json', 'null')).toThrow('expected {"nftables": […]}');
	});
});
