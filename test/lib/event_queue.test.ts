/* lib/event_queue: events run by time, then in the order in which they were asked for, however far they lie. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clock_event, EventQueue } from '../../src/lib/event_queue.ts';

interface Seen {
	queue: EventQueue;
	ran: [number, number][];
	id: number;
}

function see(ev: clock_event): void {
	const s = ev.owner as Seen;
	s.ran.push([s.id, s.queue.now]);
}

describe('EventQueue', () => {
	test('does what a sorted list does', () => {
		const op = fc.record({
			what: fc.constantFrom('schedule', 'schedule', 'schedule', 'cancel', 'step'),
			id: fc.nat(11),
			// Around the line between what is soon and what is far, and many at one instant.
			delay: fc.constantFrom(-1, 0, 0, 5, 1e9, 2e9 - 1, 2e9, 2e9 + 1, 6e10),
		});
		fc.assert(
			fc.property(fc.array(op, { maxLength: 200 }), (ops) => {
				const queue = new EventQueue();
				const ran: [number, number][] = [];
				const events = Array.from({ length: 12 }, (_, id) => new clock_event(see, { queue, ran, id }));
				let list: { id: number; time: number; seq: number }[] = [];
				const expected: [number, number][] = [];
				let now = 0;
				let seq = 0;
				const step = (): boolean => {
					list.sort((a, b) => a.time - b.time || a.seq - b.seq);
					const e = list.shift();
					if (e !== undefined) {
						now = e.time;
						expected.push([e.id, now]);
					}
					expect(queue.step(Infinity)).toBe(e !== undefined);
					return e !== undefined;
				};
				for (const { what, id, delay } of ops) {
					const queued = list.some((e) => e.id === id);
					if (what === 'step') step();
					else if (what === 'cancel') {
						expect(queue.cancel(events[id])).toBe(queued);
						list = list.filter((e) => e.id !== id);
					} else {
						queue.schedule(events[id], now + delay);
						list = list.filter((e) => e.id !== id);
						list.push({ id, time: Math.max(now, now + delay), seq: ++seq });
					}
					expect(queue.size).toBe(list.length);
					expect(queue.next_time).toBe(list.reduce((t, e) => Math.min(t, e.time), Infinity));
					for (const e of events) expect(e.slot >= 0).toBe(list.some((l) => events[l.id] === e));
				}
				while (step());
				expect(ran).toEqual(expected);
			}),
		);
	});

	test('runs nothing after `until`', () => {
		const queue = new EventQueue();
		const ran: [number, number][] = [];
		queue.schedule(new clock_event(see, { queue, ran, id: 1 }), 3e9);
		expect(queue.step(3e9 - 1)).toBe(false);
		expect(queue.now).toBe(0);
		expect(queue.step(3e9)).toBe(true);
		expect(ran).toEqual([[1, 3e9]]);
	});
});
