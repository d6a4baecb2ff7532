/*
 * UDP, ICMP, GRE and others against what Linux 6.18 was seen to do with the same bytes: the state that `-m conntrack` saw in PREROUTING,
 * how many more `invalid` and `icmp_error` in /proc/net/stat/nf_conntrack, and the lines of /proc/net/nf_conntrack (without times).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { proc_net_read } from '../../../../src/fs/proc_net.ts';
import { sysctl_read, sysctl_write } from '../../../../src/kernel/sysctl.ts';
import { copy_net_ns } from '../../../../src/net/core/net_namespace.ts';
import { entries, forward, icmp4, pass, rig, udp4 } from './rig.ts';

type Step = [dir: string, hex: string, state: string | null, invalid: number, error: number, lines: string[]];

const cases: Record<string, Step[]> = JSON.parse(readFileSync(`${import.meta.dirname}/packets.json`, 'utf8'));

/** What linnet has another tracker for, and says so in docs/deviations.md. */
const WITHOUT = ['sctp'];

describe('as recorded', () => {
	for (const [name, steps] of Object.entries(cases)) {
		if (WITHOUT.includes(name)) continue;
		test(name, () => {
			const r = rig();
			// The recording's namespace has a nat table, which tracks what it is: that changes nothing here.
			for (const [, hex, state, invalid, error, lines] of steps) {
				const stat = { ...r.net.ct.stat };
				const seen = forward(r, Uint8Array.from(hex.match(/../g)!.map((x) => parseInt(x, 16)))).state;
				const got = (proc_net_read(r.net, 'nf_conntrack') as string)
					.split('\n')
					.filter((l) => l !== '')
					.map((l) => {
						const w = l.split(/\s+/);
						return [...w.slice(2, 4), ...w.slice(5)].join(' ').replace(' mark=0 zone=0 use=2', '');
					})
					.sort();
				expect({
					seen,
					invalid: r.net.ct.stat.invalid - stat.invalid,
					error: r.net.ct.stat.error - stat.error,
					got,
				}).toEqual({
					seen: state,
					invalid,
					error,
					got: lines,
				});
			}
		});
	}
});

test('UDP: 30 s unanswered; 120 s and assured once it goes both ways for more than two seconds', () => {
	const r = rig();
	const out = udp4('10.0.1.2', '10.0.2.2', 1000, 53);
	const back = udp4('10.0.2.2', '10.0.1.2', 53, 1000);
	const left = () => Math.ceil((entries(r)[0].timeout - r.machine.jiffies) / 250);
	forward(r, out);
	expect(left()).toBe(30);
	pass(r, 1);
	expect(forward(r, back).state).toBe('ESTABLISHED');
	expect(forward(r, out).state).toBe('ESTABLISHED');
	expect(left()).toBe(30);
	expect(entries(r)[0].status & 4).toBe(0);
	pass(r, 1.5);
	forward(r, out);
	expect(left()).toBe(120);
	expect(entries(r)[0].status & 4).toBe(4);
	pass(r, 119);
	expect(entries(r).length).toBe(1);
	pass(r, 2);
	expect(entries(r).length).toBe(0);
});

test('accounting and time stamps, when the sysctls say so', () => {
	const r = rig();
	expect(sysctl_write(r.net, 'net/netfilter/nf_conntrack_acct', '1')).toBe(0);
	expect(sysctl_write(r.net, 'net/netfilter/nf_conntrack_timestamp', '1')).toBe(0);
	forward(r, udp4('10.0.1.2', '10.0.2.2', 1000, 53, 100));
	forward(r, udp4('10.0.1.2', '10.0.2.2', 1000, 53, 100));
	forward(r, udp4('10.0.2.2', '10.0.1.2', 53, 1000, 8));
	pass(r, 3);
	expect(proc_net_read(r.net, 'nf_conntrack')).toBe(
		'ipv4     2 udp      17 27 src=10.0.1.2 dst=10.0.2.2 sport=1000 dport=53 packets=2 bytes=256 ' +
			'src=10.0.2.2 dst=10.0.1.2 sport=53 dport=1000 packets=1 bytes=36 mark=0 zone=0 delta-time=3 use=2\n',
	);
});

test('sysctls: defaults, bounds, and what a second namespace may write', () => {
	const r = rig();
	const p = 'net/netfilter/nf_conntrack_';
	expect(sysctl_read(r.net, p + 'tcp_timeout_established')).toBe('432000');
	expect(sysctl_read(r.net, p + 'udp_timeout_stream')).toBe('120');
	expect(sysctl_write(r.net, p + 'udp_timeout', '4294967295')).toBe(-22);
	expect(sysctl_write(r.net, p + 'udp_timeout', '-1')).toBe(0);
	expect(sysctl_read(r.net, p + 'udp_timeout')).toBe('-1');
	expect(sysctl_write(r.net, p + 'acct', '2')).toBe(-22);
	expect(sysctl_write(r.net, p + 'events', '2')).toBe(0);
	expect(sysctl_write(r.net, p + 'events', '3')).toBe(-22);
	expect(sysctl_write(r.net, p + 'tcp_max_retrans', '255')).toBe(0);
	expect(sysctl_write(r.net, p + 'tcp_max_retrans', '256')).toBe(-22);
	expect(sysctl_read(r.net, 'net/nf_conntrack_max')).toBe('262144');
	const child = copy_net_ns(r.machine);
	expect(sysctl_read(child, p + 'max')).toBe('262144');
	expect(sysctl_write(child, p + 'max', '5')).toBeLessThan(0);
	expect(sysctl_read(child, 'net/nf_conntrack_max')).toBe(-2);
	expect(sysctl_write(child, p + 'tcp_loose', '0')).toBe(0);
	expect(r.net.ct.tcp.tcp_loose).toBe(1);
});

test('a full table drops what is new once nothing unassured is left, and says so', () => {
	const r = rig();
	r.machine.ct.nf_conntrack_max = 50;
	for (let i = 0; i < 500; i++) {
		forward(r, udp4('10.0.1.2', '10.0.2.2', 1000 + i, 53));
		expect(r.net.ct.count).toBeLessThanOrEqual(50);
	}
	const s = r.net.ct.stat;
	expect(s.early_drop + s.drop).toBe(450);
	expect(s.early_drop).toBeGreaterThan(0);
	for (const ct of entries(r)) ct.status |= 6;
	const early = s.early_drop;
	const seen = forward(r, udp4('10.0.1.2', '10.0.2.2', 9999, 53));
	expect(seen.bytes).toBe(null);
	expect(s.early_drop).toBe(early);
	expect(r.machine.log_buf.map((l) => l.text)).toContain('nf_conntrack: nf_conntrack: table full, dropping packet');
	expect(forward(r, icmp4('10.0.1.2', '10.0.2.2', 8, 0, 1)).bytes).toBe(null);
	expect(r.machine.skb_pool.live).toBe(0);
});
