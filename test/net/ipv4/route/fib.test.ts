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

describe('a table with a fib_dir', () => {
	const TYPES = [6, 7, 8, 9];
	const ERRORS = [-22, -113, -13, -11];
	// Few places, near each other's nodes' edges, so that changes meet what was looked up before.
	const near = fc
		.tuple(
			fc.constantFrom(0, 0x0a000000, 0x0a003fc0, 0x0a00c000, 0x0a0100ff, 0xffffff00, 0xffffc000),
			fc.oneof(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 0xffff })),
		)
		.map(([a, b]) => (a + b) >>> 0);
	const op = fc.record({
		what: fc.constantFrom('add', 'add', 'del', 'look', 'look', 'look'),
		at: fc.oneof(near, near, near, address),
		len: fc.oneof(fc.integer({ min: 0, max: 32 }), fc.integer({ min: 14, max: 32 })),
		prio: fc.integer({ min: 1, max: 2 }),
		tos: fc.constantFrom(0, 0, 0, 0, 4, 8),
		scope: fc.constantFrom(0, 0, 253),
		type: fc.integer({ min: 0, max: 3 }),
	});
	interface typed extends route {
		scope: number;
		type: number;
	}

	it.each([
		['large', 5000, 0],
		['much asked', 1, 5000],
	])('answers as the definition does while routes come and go: a %s table', (_what, size, asked) => {
		const r = rig();
		const tb = fib_new_table(r.net, 1000);
		const config = (x: typed): fib_config => {
			const cfg = new fib_config();
			cfg.fc_dst = x.dst;
			cfg.fc_dst_len = x.len;
			cfg.fc_priority = x.prio;
			cfg.fc_dscp = x.tos;
			cfg.fc_scope = x.scope;
			cfg.fc_type = TYPES[x.type];
			cfg.fc_table = tb.tb_id;
			cfg.fc_nlflags = 0x600;
			return cfg;
		};
		// What makes it large: 172.16.0.0 + n * 1024 /22.
		for (let n = 0; n < size; n++) {
			const x = { dst: (0xac100000 + n * 1024) >>> 0, len: 22, prio: 1, tos: 0, scope: 0, type: 0 };
			expect(fib_table_insert(r.net, tb, config(x), null)).toBe(0);
		}
		const fl4 = new flowi4();
		const res = new fib_result();
		for (let n = 0; n < asked; n++) fib_table_lookup(tb, fl4, res, 1);
		expect(tb.tb_data.dir?.large).toBe(size > 1000);
		const look = (routes: typed[], daddr: number, tos: number, scope: number): void => {
			fl4.daddr = daddr;
			fl4.flowi4_dscp = tos;
			fl4.flowi4_scope = scope;
			const want = model_lookup(
				routes.filter((x) => x.scope >= scope),
				daddr,
				tos,
			) as typed | null;
			const err = fib_table_lookup(tb, fl4, res, 1);
			expect(err).toBe(want === null ? -11 : ERRORS[want.type]);
			if (want === null) return;
			expect([res.prefix, res.prefixlen, res.dscp, res.type, res.fi!.fib_priority, res.fi!.fib_scope]).toEqual([
				want.dst,
				want.len,
				want.tos,
				TYPES[want.type],
				want.prio,
				want.scope,
			]);
		};
		fc.assert(
			fc.property(fc.array(op, { maxLength: 80 }), (ops) => {
				let routes: typed[] = [];
				try {
					for (const o of ops) {
						const dst = o.len === 0 ? 0 : (o.at & (-1 << (32 - o.len))) >>> 0;
						if (o.what === 'look') {
							look(routes, o.at, o.tos, o.scope);
							continue;
						}
						const x = { dst, len: o.len, prio: o.prio, tos: o.tos, scope: o.scope, type: o.type };
						const there = routes.find((y) => y.dst === dst && y.len === o.len && y.prio === o.prio && y.tos === o.tos);
						if (o.what === 'del') {
							if (there === undefined) continue;
							expect(fib_table_delete(r.net, tb, config(there), null)).toBe(0);
							routes = routes.filter((y) => y !== there);
						} else {
							expect(fib_table_insert(r.net, tb, config(x), null)).toBe(there !== undefined ? -17 : 0);
							if (there === undefined) routes.push(x);
						}
						look(routes, o.at, 0, 0);
					}
					for (const x of routes) look(routes, x.dst, x.tos, 0);
				} finally {
					for (const x of routes) fib_table_delete(r.net, tb, config(x), null);
				}
			}),
			{ numRuns: 400 },
		);
		fl4.daddr = 0xac100001;
		fl4.flowi4_scope = 0;
		expect(fib_table_lookup(tb, fl4, res, 1)).toBe(-22);
		expect(tb.tb_data.dir).not.toBe(null);
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
