/*
 * Nothing that is typed or read makes the tools throw: they end with a status and words.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { getopt } from '../../../src/user/iptables/getopt.ts';
import { split_words } from '../../../src/user/iptables/iptables-restore.ts';
import { ctime } from '../../../src/user/iptables/iptables-save.ts';
import { ipt_rig, iptables, restore, save } from '../../net/netfilter/iptables/rig.ts';

const lines = readFileSync(`${import.meta.dirname}/rules.txt`, 'utf8')
	.split('\n')
	.filter((l) => l !== '' && l[0] !== '#');
const words = [...new Set(lines.flatMap((l) => split_words(l)))];

test('words of real rules in any order', () => {
	const r = ipt_rig();
	const word = fc.oneof(
		{ weight: 6, arbitrary: fc.constantFrom(...words) },
		{ weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
		{
			weight: 1,
			arbitrary: fc.constantFrom(
				'-A',
				'-I',
				'-D',
				'-C',
				'-R',
				'-L',
				'-S',
				'-N',
				'-X',
				'-E',
				'-P',
				'-Z',
				'-F',
				'!',
				'--',
				'-',
			),
		},
	);
	fc.assert(
		fc.property(fc.array(word, { maxLength: 12 }), (args) => {
			const o = iptables(r, ['-A', 'FORWARD', ...args]);
			expect([0, 1, 2, 3, 4]).toContain(o.status);
			if (o.status !== 0) expect(o.err).not.toBe('');
			iptables(r, args);
			// Whatever is there now can be printed, and loads again.
			expect(save(r, ['-c']).status).toBe(0);
		}),
		{ numRuns: 4000, seed: 1 },
	);
	const again = ipt_rig();
	for (const t of ['filter', 'nat', 'mangle', 'raw']) iptables(again, ['-t', t, '-S']);
	expect(iptables(r, ['-L']).status).toBe(0);
});

/** Tables come in the order in which they were first used. */
const sorted = (s: string): string[] => s.split('\n').sort();

test('files with bytes changed', () => {
	const file = `*filter
:INPUT ACCEPT [0:0]
:web - [0:0]
[1:2] -A INPUT -p tcp -m tcp --dport 80 -m comment --comment "two words" -j web
-A web -m limit --limit 3/min --limit-burst 7 -j LOG --log-prefix "x: "
-A web -s 10.0.0.0/8 ! -d 1.2.3.4 -m conntrack --ctstate NEW,ESTABLISHED -j REJECT
COMMIT
*nat
-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080
COMMIT
`;
	fc.assert(
		fc.property(
			fc.array(fc.tuple(fc.nat(file.length - 1), fc.integer({ min: 0, max: 0x17f })), { minLength: 1, maxLength: 5 }),
			fc.boolean(),
			(changes, keep) => {
				const chars = [...file];
				for (const [at, c] of changes) chars[at] = c < 0x20 && c !== 9 ? '\n' : String.fromCharCode(c);
				const r = ipt_rig();
				const o = restore(r, chars.join(''), keep ? { unknown: 'keep' } : {});
				expect([0, 1, 2, 3]).toContain(o.status);
				const saved = save(r).out;
				if (o.status === 0 && !keep) {
					const again = ipt_rig();
					// Names with blanks or a bare + are saved as the original saves them, which does not read back.
					if (restore(again, saved).status === 0 && !/-[io] \S* /.test(saved))
						expect(sorted(save(again).out)).toEqual(sorted(saved));
				}
			},
		),
		{ numRuns: 2500, seed: 2 },
	);
});

test('any text as a file', () => {
	fc.assert(
		fc.property(fc.string({ maxLength: 200 }), (s) => {
			expect([0, 1, 2, 3]).toContain(restore(ipt_rig(), s).status);
			expect([0, 1, 2, 3]).toContain(restore(ipt_rig(), `*filter\n${s}\nCOMMIT\n`).status);
		}),
		{ numRuns: 500, seed: 3 },
	);
});

test('all recorded rules of a table in one file: loaded, saved, loaded again', () => {
	interface Recorded {
		line: string;
		status: number;
		save?: string[];
	}
	const recorded: Recorded[] = JSON.parse(readFileSync(`${import.meta.dirname}/rules.json`, 'utf8'));
	for (const table of ['filter', 'nat', 'mangle', 'raw']) {
		const rules = recorded
			.filter(
				(x) =>
					x.status === 0 &&
					x.line.startsWith(`${table} `) &&
					!/ (u32|cpu|realm|connbytes|quota|rpfilter|physdev|ecn|devgroup|policy|sctp) /.test(x.line) &&
					!x.line.includes('"a b"'),
			)
			.flatMap((x) => x.save ?? []);
		const file = `*${table}\n:user - [0:0]\n${rules.join('\n')}\nCOMMIT\n`;
		const r = ipt_rig();
		expect(restore(r, file, { counters: true }).status).toBe(0);
		const first = save(r, ['-c']).out;
		// Chain by chain, in the order of the file.
		const chain = (l: string): string => l.split(' ')[2];
		const order = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING', 'user'];
		const want = order.flatMap((c) => rules.filter((l) => chain(l) === c));
		expect(first.split('\n').filter((l) => l.includes(' -A '))).toEqual(want);
		const again = ipt_rig();
		expect(restore(again, first, { counters: true }).status).toBe(0);
		expect(save(again, ['-c']).out).toBe(first);
	}
});

test('getopt: words in order, clusters, abbreviations', () => {
	const longs = [
		{ name: 'alpha', has_arg: 'no' as const, val: 'a' },
		{ name: 'beta', has_arg: 'required' as const, val: 'b' },
		{ name: 'beach', has_arg: 'optional' as const, val: 'c' },
	];
	const g = new getopt(
		['x', '-ab', 'v', 'w', '--alp', '--beta=1', '--be', '--bea', '--extra', 'e', '-z', '--beta'],
		'ab:c::',
		longs,
	);
	const extra = [{ name: 'extra', has_arg: true }];
	const got = [];
	for (let o = g.next(extra); o.kind !== 'end'; o = g.next(extra)) got.push(o);
	expect(got).toEqual([
		{ kind: 'short', val: 'a', arg: null },
		{ kind: 'short', val: 'b', arg: 'v' },
		{ kind: 'word', arg: 'w' },
		{ kind: 'short', val: 'a', arg: null },
		{ kind: 'short', val: 'b', arg: '1' },
		{ kind: 'unknown' },
		{ kind: 'short', val: 'c', arg: null },
		{ kind: 'extra', index: 0, arg: 'e' },
		{ kind: 'unknown' },
		{ kind: 'missing' },
	]);
});

test('ctime', () => {
	expect(ctime(0)).toBe('Thu Jan  1 00:00:00 1970');
	expect(ctime(951868799)).toBe('Tue Feb 29 23:59:59 2000');
	expect(ctime(1796000000)).toBe(
		new Date(1796000000e3)
			.toUTCString()
			.replace(
				/^(\w+), (\d+) (\w+) (\d+) ([\d:]+) GMT$/,
				(_, wd, d, m, y, t) => `${wd} ${m} ${String(Number(d)).padStart(2)} ${t} ${y}`,
			),
	);
});
