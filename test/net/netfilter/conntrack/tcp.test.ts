/*
 * TCP tracking against what Linux 6.18 was seen to do: raw segments through a router, /proc/net/nf_conntrack after each.
 * A step: direction, flags, seq, ack, window, length, options, and then: how many more INVALID, [state, timeout, A(ssured)U(nreplied)].
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { nf_ct_expires } from '../../../../src/net/netfilter/nf_conntrack_core.ts';
import { entries, forward, pass, rig, tcp_state, tcp4 } from './rig.ts';

type Seen = [state: string, timeout: number, flags: string] | null;
type Step = [string, string, number, number, number, number, string, number | null, Seen];

function load(name: string): Step[][] {
	return JSON.parse(readFileSync(`${import.meta.dirname}/${name}`, 'utf8'));
}

/** Replays one recording. Return: what differed, or ''. */
function replay(steps: Step[]): string {
	const r = rig();
	const log: string[] = [];
	for (const [dir, flags, seq, ack, win, len, opts, inv, seen] of steps) {
		const s = { flags, seq, ack, win, len, opts };
		const before = r.net.ct.stat.invalid;
		forward(r, dir === 'o' ? tcp4('10.0.1.2', '10.0.2.2', 1234, 80, s) : tcp4('10.0.2.2', '10.0.1.2', 80, 1234, s));
		const invalid = r.net.ct.stat.invalid - before;
		const ct = entries(r)[0];
		const got: Seen =
			ct === undefined
				? null
				: [
						(ct.orig.src_u === 80 ? 'REV ' : '') + tcp_state(ct),
						Math.floor(nf_ct_expires(ct) / 250),
						((ct.status & 4) !== 0 ? 'A' : '') + ((ct.status & 2) !== 0 ? '' : 'U'),
					];
		log.push(
			`${dir} ${flags} seq ${seq} ack ${ack} win ${win} len ${len} ${opts}: want ${inv} ${seen}, got ${invalid} ${got}`,
		);
		if (inv === null) continue;
		// The recording took real time: a second or two less are right.
		const same =
			got === null || seen === null
				? got === seen
				: got[0] === seen[0] && got[2] === seen[2] && got[1] - seen[1] >= 0 && got[1] - seen[1] <= 3;
		if (invalid !== inv || !same) return log.join('\n');
	}
	return '';
}

test('each state and kind of segment in each direction does what Linux does', () => {
	const cases = load('tcp-states.json');
	expect(cases.length).toBeGreaterThan(600);
	expect(cases.map(replay).filter((x) => x !== '')).toEqual([]);
});

test('random segments in and out of the windows do what Linux does', () => {
	const cases = load('tcp-random.json');
	expect(cases.length).toBe(500);
	expect(cases.map(replay).filter((x) => x !== '')).toEqual([]);
});

test('tcp_loose 0 refuses flows that begin in the middle', () => {
	const r = rig();
	r.net.ct.tcp.tcp_loose = 0;
	const mid = tcp4('10.0.1.2', '10.0.2.2', 1, 80, { flags: 'A', seq: 5, ack: 9 });
	expect(forward(r, mid).state).toBe('INVALID');
	r.net.ct.tcp.tcp_loose = 1;
	expect(forward(r, mid).state).toBe('NEW');
});

test('be_liberal lets through what is outside the window', () => {
	const r = rig();
	const o = (s: object) => tcp4('10.0.1.2', '10.0.2.2', 1, 80, { flags: 'A', ...s });
	forward(r, o({ flags: 'S', seq: 0 }));
	forward(r, tcp4('10.0.2.2', '10.0.1.2', 80, 1, { flags: 'SA', seq: 100, ack: 1 }));
	forward(r, o({ seq: 1, ack: 101 }));
	expect(forward(r, o({ seq: 0x40000000, ack: 101 })).state).toBe('INVALID');
	r.net.ct.tcp.tcp_be_liberal = 1;
	expect(forward(r, o({ seq: 0x40000000, ack: 101 })).state).toBe('ESTABLISHED');
});

test('an entry ends when its time is over, and not before', () => {
	const r = rig();
	forward(r, tcp4('10.0.1.2', '10.0.2.2', 1, 80, { flags: 'S', seq: 0 }));
	pass(r, 119);
	expect(entries(r).length).toBe(1);
	pass(r, 2);
	expect(entries(r).length).toBe(0);
	expect(r.net.ct.count).toBe(0);
	// Nothing keeps the clock of an empty machine busy.
	pass(r, 61);
	expect(r.clock.size).toBe(0);
});
