import fc from 'fast-check';
import { expect, test } from 'vitest';
import { minmax_reset, minmax_running_max, minmax_running_min } from '../../src/lib/win_minmax.ts';

test('the least of the window; when it is too old the least of what came later', () => {
	const t = [0, 0, 0];
	const v = [0, 0, 0];
	expect(minmax_reset(t, v, 0, 50)).toBe(50);
	expect(minmax_running_min(t, v, 100, 10, 40)).toBe(40);
	expect(minmax_running_min(t, v, 100, 50, 60)).toBe(40);
	expect(minmax_running_min(t, v, 100, 90, 55)).toBe(40);
	expect(minmax_running_min(t, v, 100, 110, 70)).toBe(40);
	// 40 was seen 101 ago.
	expect(minmax_running_min(t, v, 100, 111, 70)).toBe(55);
});

test('what is never below the true minimum of the window, and never above the least of its last quarter', () => {
	const samples = fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 1000 })), { minLength: 1, maxLength: 200 });
	fc.assert(
		fc.property(samples, (list) => {
			const win = 100;
			const t = [0, 0, 0];
			const v = [0, 0, 0];
			const seen: [number, number][] = [];
			let now = 0;
			minmax_reset(t, v, 0, list[0][1]);
			seen.push([0, list[0][1]]);
			for (const [dt, meas] of list) {
				now += dt;
				seen.push([now, meas]);
				const got = minmax_running_min(t, v, win, now, meas);
				expect(got).toBe(v[0]);
				const inside = seen.filter(([when]) => now - when <= win).map(([, m]) => m);
				expect(got).toBeGreaterThanOrEqual(Math.min(...inside));
				// The three samples keep within a quarter of the window of the truth.
				const young = seen.filter(([when]) => now - when <= win / 4 - 30).map(([, m]) => m);
				if (young.length > 0) expect(got).toBeLessThanOrEqual(Math.min(...young));
				expect(v[0]).toBeLessThanOrEqual(v[1]);
				expect(v[1]).toBeLessThanOrEqual(v[2]);
			}
		}),
	);
});

test('the maximum is the minimum of the negatives', () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 1000 })), { minLength: 1 }), (list) => {
			const at = [0, 0, 0];
			const av = [0, 0, 0];
			const bt = [0, 0, 0];
			const bv = [0, 0, 0];
			minmax_reset(at, av, 0, 7);
			minmax_reset(bt, bv, 0, -7);
			let now = 0;
			for (const [dt, meas] of list) {
				now += dt;
				expect(minmax_running_max(at, av, 10, now, meas)).toBe(-minmax_running_min(bt, bv, 10, now, -meas));
			}
		}),
	);
});
