import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ip_options_get, ip_options_undo } from '../../../../src/net/ipv4/ip_options.ts';
import { boot, hex, receive, take, take_drops } from './rig.ts';

const SETUP = [
	'link set lo up',
	'link set eth0 up',
	'link set eth1 up',
	'addr add 10.0.1.1/24 dev eth0',
	'addr add 10.0.2.1/24 dev eth1',
	'neigh add 10.0.1.2 lladdr 02:00:00:00:09:01 dev eth0',
	'neigh add 10.0.2.2 lladdr 02:00:00:00:09:02 dev eth1',
	'net.ipv4.ip_forward=1',
	'net.ipv4.conf.all.accept_source_route=1',
	'net.ipv4.icmp_ratelimit=0',
	'net.ipv4.icmp_msgs_per_sec=100000',
	'net.ipv4.icmp_msgs_burst=100000',
];

/** A UDP packet to `dst` with these option bytes (padded with zeros to words). */
function frame(options: Uint8Array, dst: number): Uint8Array {
	const opt = new Uint8Array((options.length + 3) & ~3);
	opt.set(options);
	const n = 20 + opt.length + 8;
	const b = new Uint8Array(14 + n);
	b.set([2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 9, 1, 8, 0]);
	const v = new DataView(b.buffer);
	v.setUint8(14, 0x40 | (5 + opt.length / 4));
	v.setUint16(16, n);
	v.setUint8(22, 64);
	v.setUint8(23, 17);
	v.setUint32(26, 0x0a000102);
	v.setUint32(30, dst);
	b.set(opt, 34);
	v.setUint16(34 + opt.length + 2, 99);
	v.setUint16(34 + opt.length + 4, 8);
	let s = 0;
	for (let o = 14; o < 34 + opt.length; o += 2) s += v.getUint16(o);
	while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
	v.setUint16(24, ~s & 0xffff);
	return b;
}

function header_ok(f: Uint8Array): boolean {
	const hlen = (f[14] & 15) * 4;
	let s = 0;
	for (let o = 14; o < 14 + hlen; o += 2) s += (f[o] << 8) | f[o + 1];
	while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
	return s === 0xffff;
}

/** Bytes that look like options more often than not. */
const arb_options = fc
	.array(
		fc.oneof(
			fc.constant([1]),
			fc.constant([0]),
			fc
				.record({
					type: fc.constantFrom(7, 68, 131, 137, 148, 134, 130, 136, 25),
					len: fc.nat(12),
					rest: fc.array(fc.nat(255), { maxLength: 12 }),
				})
				.map((o) => [o.type, o.len, ...o.rest]),
			fc
				.record({ type: fc.constantFrom(7, 68, 131, 137), slots: fc.nat(4), ptr: fc.nat(20), flag: fc.nat(4) })
				.map((o) =>
					o.type === 68
						? [68, 4 + 4 * o.slots, o.ptr, o.flag, ...new Array(4 * o.slots).fill(10)]
						: [o.type, 3 + 4 * o.slots, o.ptr, ...new Array(4 * o.slots).fill(10)],
				),
		),
		{ maxLength: 5 },
	)
	.map((o) => Uint8Array.from(o.flat().slice(0, 40)));

test('any options: forwarded with a good header, answered with a pointer into the options, or dropped', async () => {
	const r = await boot(['eth0', 'eth1'], SETUP);
	fc.assert(
		fc.property(arb_options, fc.constantFrom(0x0a000202, 0x0a000101), (options, dst) => {
			receive(r, 'eth0', frame(options, dst));
			const out = take(r);
			const drops = take_drops(r);
			for (const f of out) {
				if (f[12] !== 8 || f[13] !== 0) continue;
				expect(header_ok(f)).toBe(true);
				const hlen = (f[14] & 15) * 4;
				if (f[23] === 1 && f[14 + hlen] === 12) {
					const pointer = f[14 + hlen + 4];
					expect(pointer).toBeGreaterThanOrEqual(16);
					expect(pointer).toBeLessThan(60);
				}
			}
			expect(out.length + drops.length).toBeGreaterThan(0);
			expect(r.machine.skb_pool.live).toBe(0);
		}),
		{ numRuns: 1500, seed: 11 },
	);
});

test('a socket sees its options as it set them', async () => {
	const r = await boot(['eth0', 'eth1'], SETUP);
	for (const bytes of [
		[7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
		[68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
		[68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0],
		[131, 11, 4, 10, 0, 1, 2, 10, 0, 2, 2, 0],
		[148, 4, 0, 0],
	]) {
		const opt = ip_options_get(r.net, Uint8Array.from(bytes));
		if (typeof opt === 'number') throw new Error(`${bytes}: ${opt}`);
		expect(opt.optlen).toBe(bytes.length);
		ip_options_undo(opt);
		expect(hex(opt.__data!.slice(0, bytes.length))).toBe(hex(Uint8Array.from(bytes)));
	}
	expect(ip_options_get(r.net, Uint8Array.from([7, 2, 4, 0]))).toBe(-22);
	expect(ip_options_get(r.net, new Uint8Array(44))).toBe(-22);
	expect(ip_options_get(r.net, Uint8Array.from([131, 8, 4, 10, 0, 1, 2, 0]))).toBe(-22);
});
