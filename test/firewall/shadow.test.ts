/*
 * Rules that no packet can reach: what is said of them is certain, and what is plain is said.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FirewallHost } from '../../src/firewall/host.ts';
import { ask } from '../../src/firewall/matchers.ts';
import { packet } from '../../src/firewall/packets.ts';
import { covers, parseRule, unreachable } from '../../src/firewall/shadow.ts';
import { parseSnapshot, ruleLines } from '../../src/lab/import/snapshot.ts';

const save = (rules: string[], chains: string[] = []): string =>
	`*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n${chains.map((c) => `:${c} -\n`).join('')}${rules.join('\n')}\nCOMMIT\n`;

/** `CHAIN NUM by NUM`, or `CHAIN NUM` where nobody comes. */
function dead(rules: string[]): string[] {
	return unreachable(ruleLines('r', save(rules))).map(
		(d) => `${d.rule.chain} ${d.rule.num}${d.by === undefined ? '' : ` by ${d.by.num}`}`,
	);
}

describe('one rule covers another', () => {
	it.each<[string, string, boolean]>([
		['-A F -j DROP', '-A F -p tcp -m tcp --dport 22 -j ACCEPT', true],
		['-A F -s 10.0.0.0/8 -j DROP', '-A F -s 10.1.0.0/16 -i eth0 -j ACCEPT', true],
		['-A F -s 10.1.0.0/16 -j DROP', '-A F -s 10.0.0.0/8 -j ACCEPT', false],
		['-A F ! -s 10.0.0.0/8 -j DROP', '-A F -s 192.168.1.0/24 -j ACCEPT', true],
		['-A F ! -s 10.0.0.0/8 -j DROP', '-A F -s 10.1.0.0/24 -j ACCEPT', false],
		['-A F -s 10.0.0.0/8 -j DROP', '-A F ! -s 10.1.0.0/16 -j ACCEPT', false],
		['-A F -i eth+ -j DROP', '-A F -i eth1 -j ACCEPT', true],
		['-A F -i eth1 -j DROP', '-A F -i eth+ -j ACCEPT', false],
		['-A F ! -i eth0 -j DROP', '-A F -i eth1 -j ACCEPT', true],
		['-A F ! -i eth0 -j DROP', '-A F -i eth+ -j ACCEPT', false],
		['-A F -p tcp -m tcp --dport 1:1000 -j DROP', '-A F -p tcp -m multiport --dports 22,80,443 -j ACCEPT', true],
		['-A F -p tcp -m tcp --dport 22 -j DROP', '-A F -p tcp -m multiport --dports 22,80 -j ACCEPT', false],
		['-A F -p tcp -m tcp --dport 22 -j DROP', '-A F -p udp -m udp --dport 22 -j ACCEPT', false],
		['-A F -p tcp -m tcp --sport 22 -j DROP', '-A F -p tcp -m tcp --dport 22 -j ACCEPT', false],
		['-A F -p tcp -m tcp ! --dport 22 -j DROP', '-A F -p tcp -m tcp --dport 23 -j ACCEPT', false],
		['-A F -m conntrack --ctstate NEW,RELATED -j DROP', '-A F -m conntrack --ctstate NEW -j ACCEPT', true],
		['-A F -m conntrack --ctstate NEW -j DROP', '-A F -m conntrack ! --ctstate NEW -j ACCEPT', false],
		['-A F -m comment --comment "any -s thing" -j DROP', '-A F -j ACCEPT', true],
		['-A F -m limit --limit 5/sec -j DROP', '-A F -m limit --limit 5/sec -j DROP', false],
		['-A F -m mark --mark 0x1 -j DROP', '-A F -m mark --mark 0x1 -j ACCEPT', false],
		[
			'-A F -p tcp -m tcp --tcp-flags SYN,RST SYN -j DROP',
			'-A F -p tcp -m tcp --dport 1 --tcp-flags SYN,RST SYN -j ACCEPT',
			true,
		],
		[
			'-A F -p tcp -m tcp --tcp-flags SYN,RST SYN -j DROP',
			'-A F -p tcp -m tcp --tcp-flags SYN,RST RST -j ACCEPT',
			false,
		],
	])('%s | %s', (a, b, yes) => {
		expect(covers(parseRule(a), parseRule(b))).toBe(yes);
	});
});

describe('rules that no packet can reach', () => {
	it('are after one that takes all of theirs', () => {
		expect(dead(['-A FORWARD -p tcp -j ACCEPT', '-A FORWARD -p tcp -m tcp --dport 23 -j DROP'])).toEqual([
			'FORWARD 2 by 1',
		]);
		expect(dead(['-A FORWARD -p tcp -j LOG', '-A FORWARD -p tcp -m tcp --dport 23 -j DROP'])).toEqual([]);
	});

	it('are after a jump to a chain that gives nothing back', () => {
		const end = ['-A LOGDROP -m limit --limit 1/sec -j LOG', '-A LOGDROP -j DROP'];
		expect(dead(['-A INPUT -j LOGDROP', '-A INPUT -i eth0 -j ACCEPT', ...end])).toEqual(['INPUT 2 by 1']);
		expect(dead(['-A INPUT -j LOGDROP', '-A INPUT -i eth0 -j ACCEPT', '-A LOGDROP -p udp -j RETURN', ...end])).toEqual(
			[],
		);
	});

	it('are in chains to which nobody comes, or by rules alone that nothing reaches', () => {
		expect(dead(['-A LONELY -j DROP'])).toEqual(['LONELY 1']);
		expect(dead(['-A INPUT -j ACCEPT', '-A INPUT -p tcp -j LATE', '-A LATE -j DROP'])).toEqual([
			'INPUT 2 by 1',
			'LATE 1',
		]);
		expect(dead(['-A A -j B', '-A B -j A', '-A INPUT -p tcp -j DROP'])).toEqual(['A 1', 'B 1']);
	});

	it('are never hit by any packet: random rulesets, random packets', async () => {
		const cond = fc
			.array(
				fc.constantFrom(
					'-s 10.1.0.0/16',
					'-s 10.1.2.0/24',
					'! -s 10.1.2.0/24',
					'-d 10.2.0.0/16',
					'-d 10.2.0.2/32',
					'-i eth0',
					'! -i eth1',
					'-i eth+',
					'-o eth1',
				),
				{ maxLength: 2 },
			)
			.filter((c) => new Set(c.map((x) => x.replace('! ', '').slice(0, 2))).size === c.length)
			.map((c) => c.join(' '));
		const proto = fc.constantFrom(
			'',
			'-p tcp',
			'-p udp',
			'-p tcp -m tcp --dport 22',
			'-p tcp -m tcp --dport 20:30',
			'-p tcp -m multiport --dports 22,80',
			'-p udp -m udp --dport 53',
			'-p tcp -m tcp ! --dport 22',
			'-m conntrack --ctstate NEW',
			'-m conntrack --ctstate NEW,ESTABLISHED',
		);
		const target = fc.constantFrom('ACCEPT', 'DROP', 'REJECT', 'C1', 'C2', 'RETURN', 'LOG');
		const body = fc.record({ cond, proto, target });
		const chain = (name: string, ok: (t: string) => boolean) =>
			fc
				.array(
					body.filter((b) => ok(b.target)),
					{ maxLength: 5 },
				)
				.map((l) => l.map((b) => `-A ${name} ${b.cond} ${b.proto} -j ${b.target}`.replace(/ +/g, ' ')));
		const rules = fc.tuple(
			chain('FORWARD', () => true),
			chain('C1', (t) => t !== 'C1'),
			chain('C2', (t) => !/^C/.test(t)),
		);
		const words = fc
			.record({
				p: fc.constantFrom('tcp', 'udp'),
				s: fc.constantFrom('10.1.2.3', '10.1.9.9', '192.168.9.9'),
				d: fc.constantFrom('10.2.0.2', '10.2.0.3'),
				port: fc.constantFrom(22, 25, 53, 80, 99),
			})
			.map((x) => `${x.p} ${x.s}:4000 ${x.d}:${x.port}`);
		const link = (ifindex: number, ifname: string) => ({
			ifindex,
			ifname,
			flags: ['UP', 'LOWER_UP'],
			mtu: 1500,
			link_type: 'ether',
		});
		let seen = 0;
		await fc.assert(
			fc.asyncProperty(rules, fc.array(words, { minLength: 3, maxLength: 6 }), async (chains, packets) => {
				const text = save(chains.flat(), ['C1', 'C2']);
				const snapshot = parseSnapshot(
					new Map([
						['iptables-save', text],
						['link.json', JSON.stringify([link(2, 'eth0'), link(3, 'eth1')])],
						['addr.json', '[]'],
						[
							'route.json',
							JSON.stringify([
								{ dst: '10.2.0.0/16', dev: 'eth1' },
								{ dst: 'default', dev: 'eth0' },
							]),
						],
						['sysctl', 'net.ipv4.ip_forward = 1\n'],
					]),
				);
				const never = unreachable(snapshot.ruleLines).map((d) => `${d.rule.table}/${d.rule.chain}/${d.rule.num}`);
				if (never.length === 0) return;
				seen++;
				const host = new FirewallHost(snapshot);
				for (const w of packets) {
					const r = await ask(host, packet(w).on('eth0'), 'accept');
					expect(r.hits.some((h) => h.startsWith('filter/FORWARD/'))).toBe(true);
					for (const key of never) expect(r.hits).not.toContain(key);
				}
			}),
			{ numRuns: 60 },
		);
		expect(seen).toBeGreaterThan(10);
	});
});
