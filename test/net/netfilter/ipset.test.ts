import fc from 'fast-check';
import { expect, test } from 'vitest';
import { World } from '../../../src/lab/world.ts';
import { ip_set, type ip_set_type } from '../../../src/net/netfilter/ipset/ip_set.ts';
import { hash_find, hash_insert, hash_remove, hash_store } from '../../../src/net/netfilter/ipset/ip_set_hash_gen.ts';

const type: ip_set_type = {
	name: 'hash:ip',
	family: 0,
	dimension: 1,
	revision_min: 0,
	revision_max: 6,
	features: 0,
	create: () => 0,
};

function store(kw: number): hash_store {
	const { machine } = new World({ seed: 1 }).host('a');
	return new hash_store(new ip_set(machine.init_net, 's', type, 2, 6), kw, 5);
}

test('the store holds what a Set holds, whatever is added and removed', () => {
	const op = fc.record({ add: fc.boolean(), a: fc.nat(40), b: fc.nat(3) });
	fc.assert(
		fc.property(fc.array(op, { maxLength: 400 }), (ops) => {
			const h = store(2);
			const model = new Set<number>();
			for (const { add, a, b } of ops) {
				const key = Uint32Array.of(a, b);
				const n = hash_find(h, key);
				expect(n >= 0).toBe(model.has(a * 4 + b));
				if (add && n < 0) {
					hash_insert(h, key);
					model.add(a * 4 + b);
				} else if (!add && n >= 0) {
					hash_remove(h, n);
					model.delete(a * 4 + b);
				}
			}
			expect(h.elements).toBe(model.size);
			for (const k of model) expect(hash_find(h, Uint32Array.of(k >> 2, k & 3))).toBeGreaterThanOrEqual(0);
		}),
		{ numRuns: 50 },
	);
});

test('a million addresses are found, and nothing else', () => {
	const h = store(1);
	const key = new Uint32Array(1);
	for (let i = 0; i < 1e6; i++) {
		key[0] = Math.imul(i, 2654435761);
		hash_insert(h, key);
	}
	let found = 0;
	for (let i = 0; i < 2e6; i++) {
		key[0] = Math.imul(i, 2654435761);
		if (hash_find(h, key) >= 0) found++;
	}
	expect(found).toBe(1e6);
});
