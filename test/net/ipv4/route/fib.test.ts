import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flowi4 } from '../../../../src/net/core/flow.ts';
import { fib_new_table } from '../../../../src/net/ipv4/fib_frontend.ts';
import { fib_config, fib_result } from '../../../../src/net/ipv4/fib_lookup.ts';
import { fib_table_delete, fib_table_insert, fib_table_lookup } from '../../../../src/net/ipv4/fib_trie.ts';
import { rig, run_line } from '../rig.ts';

interface route {
	dst: number;
	len: number;
	prio: number;
	tos: number;
}

/** The lookup as its definition has it: longest prefix, then TOS, then priority. */
function model_lookup(routes: readonly route[], daddr: number, tos: number): route | null {
	let best: route | null = null;
	for (const r of routes) {
		const mask = r.len === 0 ? 0 : (-1 << (32 - r.len)) >>> 0;
		if (((daddr ^ r.dst) & mask) !== 0 || (r.tos !== 0 && r.tos !== tos)) continue;
		if (
			best === null ||
			r.len > best.len ||
			(r.len === best.len && (r.tos > best.tos || (r.tos === best.tos && r.prio < best.prio)))
		)
			best = r;
	}
	return best;
}

const address = fc.oneof(
	fc.integer({ min: 0, max: 0xffffffff }),
	fc.integer({ min: 0, max: 0xfff }).map((n) => (0x0a000000 | n) >>> 0),
	fc.integer({ min: 0, max: 31 }).map((n) => (n << 27) >>> 0),
);

describe('fib_table_lookup', () => {
	it('finds what the definition finds, after any changes', () => {
		const r = rig();
		let id = 1000;
		fc.assert(
			fc.property(
				fc.array(
					fc.tuple(
						address,
						fc.integer({ min: 0, max: 32 }),
						fc.integer({ min: 0, max: 2 }),
						fc.constantFrom(0, 0, 0, 4, 8),
						fc.boolean(),
					),
					{ maxLength: 60 },
				),
				fc.array(fc.tuple(address, fc.constantFrom(0, 4, 8)), { maxLength: 40 }),
				(ops, lookups) => {
					const tb = fib_new_table(r.net, ++id);
					let routes: route[] = [];
					for (const [a, len, prio, tos, remove] of ops) {
						const dst = len === 0 ? 0 : (a & (-1 << (32 - len))) >>> 0;
						const cfg = new fib_config();
						cfg.fc_dst = dst;
						cfg.fc_dst_len = len;
						cfg.fc_priority = prio;
						cfg.fc_dscp = tos;
						cfg.fc_type = 6; // blackhole: needs no device
						cfg.fc_table = tb.tb_id;
						cfg.fc_nlflags = 0x600;
						const there = routes.find((x) => x.dst === dst && x.len === len && x.prio === prio && x.tos === tos);
						if (remove && there !== undefined) {
							expect(fib_table_delete(r.net, tb, cfg, null)).toBe(0);
							// Without a priority (0) a delete takes the first of that TOS.
							const gone =
								prio !== 0
									? there
									: routes
											.filter((x) => x.dst === dst && x.len === len && x.tos === tos)
											.sort((x, y) => x.prio - y.prio)[0];
							routes = routes.filter((x) => x !== gone);
						} else {
							expect(fib_table_insert(r.net, tb, cfg, null)).toBe(there !== undefined ? -17 : 0);
							if (there === undefined) routes.push({ dst, len, prio, tos });
						}
					}
					const fl4 = new flowi4();
					const res = new fib_result();
					for (const [daddr, tos] of [...lookups, ...routes.map((x) => [x.dst, x.tos] as const)]) {
						fl4.daddr = daddr;
						fl4.flowi4_dscp = tos;
						const want = model_lookup(routes, daddr, tos);
						const err = fib_table_lookup(tb, fl4, res, 1);
						if (want === null) expect(err).toBe(-11);
						else {
							expect(err).toBe(-22);
							expect([res.prefix, res.prefixlen, res.fi!.fib_priority]).toEqual([
								want.len === 0 ? 0 : want.dst,
								want.len,
								want.prio,
							]);
						}
					}
				},
			),
			{ numRuns: 200 },
		);
	});
});

describe('multipath', () => {
	it('shares flows by weight, and keeps a flow on its way', async () => {
		const r = rig(['v0', 'd0']);
		for (const l of [
			'ip link set v0 up',
			'ip link set d0 up',
			'ip addr add 10.0.0.1/24 dev v0',
			'ip addr add 10.9.0.1/24 dev d0',
			'ip route add default nexthop via 10.0.0.254 weight 3 nexthop via 10.9.0.254 weight 1',
		])
			expect(await run_line(r, l)).toBe('');
		let first = 0;
		for (let i = 0; i < 400; i++) {
			const dst = `50.0.${i >> 8}.${i & 255}`;
			const a = await run_line(r, `ip route get ${dst}`);
			if (a.includes('dev v0')) first++;
			if (i < 20) expect(await run_line(r, `ip route get ${dst}`)).toBe(a);
		}
		expect(first).toBeGreaterThan(250);
		expect(first).toBeLessThan(350);
		// A source address of one device leads by it.
		expect(await run_line(r, 'ip route get 50.0.0.1 from 10.9.0.1')).toContain('dev d0');
		expect(await run_line(r, 'ip route get 50.0.0.1 from 10.0.0.1')).toContain('dev v0');
	});
});
