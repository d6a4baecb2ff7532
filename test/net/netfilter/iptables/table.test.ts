/*
 * A packet's way through a table: against a plain reading of the rules, with counters, traces, and rules that are not understood.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { journey, trace_record } from '../../../../src/kernel/trace.ts';
import { journey as journey_class } from '../../../../src/kernel/trace.ts';
import { consume_skb } from '../../../../src/net/core/skbuff.ts';
import { nf_hook } from '../../../../src/net/netfilter/core.ts';
import type { restore_report } from '../../../../src/user/iptables/iptables-restore.ts';
import { rule_text } from '../../../../src/user/iptables/rule_text.ts';
import {
	direct_socket,
	forward,
	icmp4,
	ip4,
	ipt_rig,
	iptables,
	type Rig,
	restore,
	save,
	skb_of,
	tcp4,
	udp4,
} from './rig.ts';

const FORWARD = [2];

function verdict(r: Rig, p: Uint8Array): string {
	return forward(r, p, FORWARD).bytes === null ? 'DROP' : 'ACCEPT';
}

test('jumps come back, gotos do not, and RETURN ends a chain', () => {
	const r = ipt_rig();
	const o = restore(
		r,
		`*filter
:FORWARD DROP [0:0]
:jumped - [0:0]
:gone - [0:0]
:deep - [0:0]
-A FORWARD -s 1.0.0.1 -j jumped
-A FORWARD -s 1.0.0.2 -g gone
-A FORWARD -s 1.0.0.3 -j RETURN
-A FORWARD -s 1.0.0.4 -j deep
-A FORWARD -j ACCEPT
-A jumped -d 2.0.0.1 -j RETURN
-A jumped -d 2.0.0.2 -j DROP
-A gone -d 2.0.0.1 -j RETURN
-A gone -d 2.0.0.2 -j ACCEPT
-A deep -g gone
COMMIT
`,
	);
	expect(o).toEqual({ status: 0, out: '', err: '' });
	const cases: [string, string, string][] = [
		['1.0.0.1', '2.0.0.1', 'ACCEPT'],
		['1.0.0.1', '2.0.0.2', 'DROP'],
		['1.0.0.1', '2.0.0.3', 'ACCEPT'],
		['1.0.0.2', '2.0.0.1', 'DROP'], // back past FORWARD: the policy
		['1.0.0.2', '2.0.0.2', 'ACCEPT'],
		['1.0.0.2', '2.0.0.3', 'DROP'],
		['1.0.0.3', '2.0.0.1', 'DROP'],
		['1.0.0.4', '2.0.0.1', 'ACCEPT'], // deep was jumped to: back to FORWARD
		['1.0.0.9', '2.0.0.1', 'ACCEPT'],
	];
	for (const [s, d, want] of cases) expect([s, d, verdict(r, udp4(s, d, 1, 2))]).toEqual([s, d, want]);
	expect(r.machine.skb_pool.live).toBe(0);
});

test('fragments and short headers: no ports to look at, and what is dropped at once', () => {
	const r = ipt_rig();
	restore(
		r,
		`*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -p tcp -m tcp --dport 1:65535 -j DROP
-A FORWARD -p udp -m udp --dport 1:65535 -j DROP
-A FORWARD -p icmp -m icmp --icmp-type 8 -j DROP
COMMIT
`,
	);
	const frag = (p: Uint8Array, off: number): Uint8Array => {
		const q = p.slice();
		q[6] = off >> 8;
		q[7] = off;
		return q;
	};
	const t = tcp4('1.1.1.1', '2.2.2.2', 5, 6, { flags: 'S' });
	expect(verdict(r, t)).toBe('DROP');
	expect(verdict(r, frag(t, 1))).toBe('DROP'); // RFC 1858: would overwrite the flags
	expect(verdict(r, frag(t, 2))).toBe('ACCEPT');
	expect(verdict(r, ip4('1.1.1.1', '2.2.2.2', 6, new Uint8Array(19)))).toBe('DROP');
	expect(verdict(r, ip4('1.1.1.1', '2.2.2.2', 17, new Uint8Array(7)))).toBe('DROP');
	expect(verdict(r, ip4('1.1.1.1', '2.2.2.2', 1, new Uint8Array(7)))).toBe('DROP');
	expect(verdict(r, frag(udp4('1.1.1.1', '2.2.2.2', 5, 6), 1))).toBe('ACCEPT');
	expect(verdict(r, icmp4('1.1.1.1', '2.2.2.2', 0, 0, 0))).toBe('ACCEPT');
	expect(r.machine.skb_pool.live).toBe(0);
});

// ---- random rulesets against a plain reading ------------------------------------------------------------------------------------

interface Cond {
	src?: number;
	dst?: number;
	proto?: number;
	dport?: number;
	invert: number;
}

interface Rule {
	cond: Cond;
	/** ACCEPT, DROP, RETURN, or a chain by number; none when undefined. */
	target?: string | number;
	goto: boolean;
}

/** Chain i may only go to chains behind it: no loops. */
const CHAINS = 4;
const rule = fc.record({
	cond: fc.record(
		{
			src: fc.nat(3),
			dst: fc.nat(3),
			proto: fc.constantFrom(6, 17),
			dport: fc.nat(3),
			invert: fc.nat(7),
		},
		{ requiredKeys: ['invert'] },
	),
	target: fc.option(fc.constantFrom<string | number>('ACCEPT', 'DROP', 'RETURN', 1, 2, 3), { nil: undefined }),
	goto: fc.boolean(),
});
const ruleset = fc.array(fc.array(rule, { maxLength: 6 }), { minLength: CHAINS, maxLength: CHAINS });

const src = (i: number): string => `10.0.0.${i}`;
const dst = (i: number): string => `10.0.1.${i}`;

function text(chains: readonly Rule[][], policy: string): string {
	let s = `*filter\n:FORWARD ${policy} [0:0]\n`;
	for (let c = 1; c < CHAINS; c++) s += `:c${c} - [0:0]\n`;
	chains.forEach((rules, c) => {
		for (const { cond, target, goto } of rules) {
			const not = (bit: number): string => ((cond.invert & bit) !== 0 ? '! ' : '');
			s += `-A ${c === 0 ? 'FORWARD' : `c${c}`}`;
			if (cond.src !== undefined) s += ` ${not(1)}-s ${src(cond.src)}`;
			if (cond.dst !== undefined) s += ` ${not(2)}-d ${dst(cond.dst)}`;
			const proto = cond.dport !== undefined ? (cond.proto ?? 6) : cond.proto;
			if (proto !== undefined) s += ` ${cond.dport === undefined ? not(4) : ''}-p ${proto}`;
			if (cond.dport !== undefined) s += ` ${not(4)}--dport ${100 + cond.dport}`;
			if (typeof target === 'string') s += ` -j ${target}`;
			else if (target !== undefined && target > c) s += ` ${goto ? '-g' : '-j'} c${target}`;
			s += '\n';
		}
	});
	return s + 'COMMIT\n';
}

interface Packet {
	src: number;
	dst: number;
	proto: number;
	dport: number;
}

function fits(c: Cond, p: Packet): boolean {
	const inv = (bit: number): boolean => (c.invert & bit) !== 0;
	if (c.src !== undefined && (c.src === p.src) === inv(1)) return false;
	if (c.dst !== undefined && (c.dst === p.dst) === inv(2)) return false;
	if (c.dport !== undefined) {
		if ((c.proto ?? 6) !== p.proto) return false;
		return (c.dport === p.dport) !== inv(4);
	}
	return c.proto === undefined || (c.proto === p.proto) !== inv(4);
}

/** Return: a verdict, or null when the chain says nothing. `hits` counts the rules that fit. */
function walk(chains: readonly Rule[][], c: number, p: Packet, hits: number[][]): string | null {
	for (let i = 0; i < chains[c].length; i++) {
		const r = chains[c][i];
		if (!fits(r.cond, p)) continue;
		hits[c][i]++;
		if (r.target === 'RETURN') return null;
		if (typeof r.target === 'string') return r.target;
		if (r.target === undefined || r.target <= c) continue;
		const v = walk(chains, r.target, p, hits);
		if (v !== null) return v;
		if (r.goto) return null;
	}
	return null;
}

test('random packets through random rulesets: the verdict and every counter are those of a plain reading', () => {
	const packet = fc.record({ src: fc.nat(3), dst: fc.nat(3), proto: fc.constantFrom(6, 17), dport: fc.nat(3) });
	fc.assert(
		fc.property(
			ruleset,
			fc.constantFrom('ACCEPT', 'DROP'),
			fc.array(packet, { minLength: 1, maxLength: 12 }),
			(chains, policy, packets) => {
				const r = ipt_rig();
				const t = text(chains, policy);
				const o = restore(r, t);
				if (o.status !== 0) throw new Error(o.err + t);
				const hits = chains.map((rules) => rules.map(() => 0));
				for (const p of packets) {
					const bytes =
						p.proto === 6
							? tcp4(src(p.src), dst(p.dst), 9, 100 + p.dport, { flags: 'S' })
							: udp4(src(p.src), dst(p.dst), 9, 100 + p.dport);
					const want = walk(chains, 0, p, hits) ?? policy;
					if (verdict(r, bytes) !== want) throw new Error(`${JSON.stringify(p)} is not ${want}\n${t}`);
				}
				const got = save(r, ['-c'])
					.out.split('\n')
					.filter((l) => l.includes(' -A '))
					.map((l) => Number(/^\[(\d+):/.exec(l)![1]));
				expect(got).toEqual(hits.flat());
				expect(r.machine.skb_pool.live).toBe(0);
				// What is saved is what was meant.
				const again = ipt_rig();
				expect(restore(again, save(r).out, { counters: true }).status).toBe(0);
				expect(save(again).out).toBe(save(r).out);
			},
		),
		{ numRuns: 300, seed: 3 },
	);
});

// ---- traces ---------------------------------------------------------------------------------------------------------------------

function traced(r: Rig, bytes: Uint8Array): trace_record[] {
	const all: journey[] = [];
	r.machine.tracer = {
		begin: (_m, _skb, parent, origin) => {
			const j = new journey_class(all.length, parent, origin);
			all.push(j);
			return j;
		},
	};
	const skb = skb_of(r, bytes);
	const records = all[0].records;
	if (nf_hook(2, 2, r.net, null, skb, null, null, () => 0) === 1) consume_skb(skb);
	r.machine.tracer = null;
	return records;
}

test('a journey tells each rule that was tried, and why it did not match', () => {
	const r = ipt_rig();
	restore(
		r,
		`*filter
:FORWARD DROP [0:0]
:web - [0:0]
-A FORWARD -s 192.0.2.1 -j DROP
-A FORWARD -i eth7 -j DROP
-A FORWARD -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -p tcp -j web
-A FORWARD ! -p tcp -j ACCEPT
-A web -p tcp -m tcp --dport 443 -j ACCEPT
COMMIT
`,
	);
	const said = traced(r, tcp4('10.0.0.1', '10.0.0.2', 1, 80, { flags: 'S' }))
		.filter((t) => t.kind === 'rule' || t.kind === 'policy')
		.map((t) => t.detail!)
		.map(
			(d) => `${d.chain} ${d.rulenum ?? 'policy'} ${d.matched ?? ''} ${d.failed ?? ''} ${d.target ?? ''} ${d.verdict}`,
		);
	expect(said).toEqual([
		'FORWARD 1 false src DROP CONTINUE',
		'FORWARD 2 false in DROP CONTINUE',
		'FORWARD 3 false -m tcp ACCEPT CONTINUE',
		'FORWARD 4 true  web CONTINUE',
		'web 1 false -m tcp ACCEPT CONTINUE',
		'web 0 true  end of chain RETURN',
		'FORWARD 5 false proto ACCEPT CONTINUE',
		'FORWARD policy    DROP',
	]);
	const sock = new direct_socket(r.net);
	expect(rule_text(sock, 'filter', 'FORWARD', 3)).toBe('-A FORWARD -p tcp -m tcp --dport 22 -j ACCEPT');
	expect(rule_text(sock, 'filter', 'web', 1)).toBe('-A web -p tcp -m tcp --dport 443 -j ACCEPT');
	expect(rule_text(sock, 'filter', 'web', 2)).toBe('');
	// The traced packet counted like any other.
	expect(iptables(r, '-vS FORWARD 4').out).toBe('-A FORWARD -p tcp -c 1 40 -j web\n');
});

// ---- what is not understood ---------------------------------------------------------------------------------------------------

test('matches and targets that are not known are kept, and undecided where a packet gets to them', () => {
	const r = ipt_rig();
	const report: restore_report = { unknown: [], lines: {} };
	const file = `*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -s 10.0.0.1/32 -m quantum --spin "up and down" -p udp -j ACCEPT
-A FORWARD -p tcp -m tcp --dport 80 --no-such-option 5 -j ACCEPT

-A FORWARD -d 10.0.0.9/32 -j TELEPORT --to mars
COMMIT
`;
	const o = restore(r, file, { unknown: 'keep' }, report);
	expect(o).toEqual({ status: 0, out: '', err: '' });
	expect(report.unknown.map((u) => [u.line, u.why])).toEqual([
		[3, 'match quantum is not known'],
		[4, 'unknown option "--no-such-option"'],
		[6, 'target TELEPORT is not known'],
	]);
	expect(report.lines.filter.FORWARD).toEqual([3, 4, 6]);
	const saved = save(r)
		.out.split('\n')
		.filter((l) => l.startsWith('-A'));
	expect(saved).toEqual([
		'-A FORWARD -s 10.0.0.1/32 -p udp -m quantum --spin "up and down" -j ACCEPT',
		'-A FORWARD -p tcp -m tcp --dport 80 --no-such-option 5 -j ACCEPT',
		'-A FORWARD -d 10.0.0.9/32 -j TELEPORT --to mars',
	]);
	const note = (p: Uint8Array): unknown[] =>
		traced(r, p)
			.filter((t) => t.kind === 'note')
			.map((t) => t.detail);
	// Not reached: another part of the rule says no.
	expect(note(udp4('10.0.0.2', '10.0.0.3', 1, 2))).toEqual([]);
	expect(verdict(r, udp4('10.0.0.2', '10.0.0.3', 1, 2))).toBe('ACCEPT');
	expect(note(udp4('10.0.0.1', '10.0.0.3', 1, 2))).toEqual([
		{ unknown: '-m quantum --spin "up and down"', undecided: true },
	]);
	expect(verdict(r, udp4('10.0.0.1', '10.0.0.3', 1, 2))).toBe('DROP');
	expect(note(udp4('10.0.0.2', '10.0.0.9', 1, 2))).toEqual([{ unknown: '-j TELEPORT --to mars', undecided: true }]);
	// Without being asked to keep it, the tool refuses.
	expect(restore(ipt_rig(), file).status).toBe(2);
});
