import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packet } from '../../../../src/packet/build.ts';
import { boot, hex, ip_counters, pass, type Rig, receive, take, take_drops } from './rig.ts';

const HOST = [
	'link set lo up',
	'link set eth0 up',
	'addr add 10.0.1.1/24 dev eth0',
	'neigh add 10.0.1.2 lladdr 02:00:00:00:09:01 dev eth0',
];

/** Bytes `from` to `to` of an echo request's ICMP message, as a fragment. */
function fragment(message: Uint8Array, from: number, to: number, id: number): Uint8Array {
	const more = to < message.length ? 'MF' : '';
	const head = packet(
		`Ether(dst="02:00:00:00:01:01",src="02:00:00:00:09:01")/IP(src="10.0.1.2",dst="10.0.1.1",id=${id},flags="${more}",frag=${from / 8},proto=1,len=${20 + to - from})`,
	);
	const out = new Uint8Array(head.length + to - from);
	out.set(head);
	out.set(message.subarray(from, to), head.length);
	return out;
}

function echo(bytes: number): Uint8Array {
	const body = Array.from({ length: bytes }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');
	return packet(`ICMP(id=5,seq=1)/"${body}"`);
}

async function host(): Promise<Rig> {
	return boot(['eth0'], HOST);
}

test('fragments in any order and any cut make the whole', async () => {
	const r = await host();
	let id = 1;
	fc.assert(
		fc.property(
			fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }),
			fc.infiniteStream(fc.nat()),
			(cuts, order) => {
				const message = echo(500);
				const edges = [0, ...cuts.map((c) => c * 8).sort((a, b) => a - b), message.length];
				const pieces = edges.slice(1).map((to, i) => fragment(message, edges[i], to, id));
				id++;
				const shuffled = pieces
					.map((p) => ({ p, k: order.next().value as number }))
					.sort((a, b) => a.k - b.k)
					.map((x) => x.p);
				for (const p of shuffled) receive(r, 'eth0', p);
				const out = take(r);
				expect(out.length).toBe(1);
				expect(hex(out[0].subarray(42))).toBe(hex(message.subarray(8)));
				expect(take_drops(r)).toEqual([]);
				expect(r.machine.skb_pool.live).toBe(0);
				expect(r.net.ipv4.fqdir.mem).toBe(0);
			},
		),
		{ numRuns: 100, seed: 3 },
	);
	expect(ip_counters(r)['ReasmOKs']).toBe(100);
});

test('an overlap ends the whole datagram, a duplicate only itself', async () => {
	const r = await host();
	const m = echo(200);
	receive(r, 'eth0', fragment(m, 0, 64, 1));
	receive(r, 'eth0', fragment(m, 0, 64, 1));
	expect(take_drops(r)).toEqual(['DUP_FRAG']);
	receive(r, 'eth0', fragment(m, 56, 128, 1));
	expect(take_drops(r)).toEqual(['NOT_SPECIFIED']);
	expect(ip_counters(r)).toMatchObject({ ReasmReqds: 3, ReasmFails: 1, ReasmOverlaps: 1 });
	expect(r.net.ipv4.fqdir.count).toBe(0);
	expect(r.machine.skb_pool.live).toBe(0);
});

test('after 30 s the first fragment is answered with Time Exceeded, code 1', async () => {
	const r = await host();
	const m = echo(200);
	receive(r, 'eth0', fragment(m, 0, 64, 1));
	receive(r, 'eth0', fragment(m, 128, 192, 1));
	pass(r, 29);
	expect(take(r)).toEqual([]);
	pass(r, 2);
	const out = take(r);
	expect(out.length).toBe(1);
	expect([out[0][23], out[0][34], out[0][35]]).toEqual([1, 11, 1]);
	expect(take_drops(r)).toEqual(['FRAG_REASM_TIMEOUT', 'FRAG_REASM_TIMEOUT']);
	expect(ip_counters(r)).toMatchObject({ ReasmTimeout: 1, ReasmFails: 1 });
	// Without the first fragment nobody is told.
	receive(r, 'eth0', fragment(m, 64, 128, 2));
	pass(r, 31);
	expect(take(r)).toEqual([]);
	expect(r.machine.skb_pool.live).toBe(0);
});

test('a datagram that would be larger than 65,535 bytes is refused', async () => {
	const r = await host();
	const big = new Uint8Array(1480);
	for (let o = 0; o + 1480 <= 65528; o += 1480) {
		const f = fragment(big, 0, 1480, 9);
		f[20] = 0x20 | ((o / 8) >> 8);
		f[21] = o / 8;
		let s = 0;
		f[24] = 0;
		f[25] = 0;
		for (let i = 14; i < 34; i += 2) s += (f[i] << 8) | f[i + 1];
		while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
		f[24] = ~s >> 8;
		f[25] = ~s;
		receive(r, 'eth0', f);
	}
	const last = fragment(big, 0, 1480, 9);
	const o = 44 * 1480;
	last[20] = (o / 8) >> 8;
	last[21] = o / 8;
	let s = 0;
	last[24] = 0;
	last[25] = 0;
	for (let i = 14; i < 34; i += 2) s += (last[i] << 8) | last[i + 1];
	while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
	last[24] = ~s >> 8;
	last[25] = ~s;
	receive(r, 'eth0', last);
	expect(take(r)).toEqual([]);
	expect(ip_counters(r)).toMatchObject({ ReasmFails: 1 });
	expect(r.machine.log_buf.map((l) => l.text)).toContain('Oversized IP packet from 10.0.1.2');
	expect(r.machine.skb_pool.live).toBe(0);
});

test('the memory limit holds under a flood of first fragments', async () => {
	const r = await host();
	const m = echo(1000);
	for (let i = 0; i < 6000; i++) receive(r, 'eth0', fragment(m, 0, 800, i & 0xffff));
	expect(r.net.ipv4.fqdir.mem).toBeLessThan(4 * 1024 * 1024 + 4096);
	expect(ip_counters(r)['ReasmFails']).toBeGreaterThan(0);
	pass(r, 31);
	expect(r.net.ipv4.fqdir.mem).toBe(0);
	expect(r.machine.skb_pool.live).toBe(0);
});

test('what is larger than the link goes out in fragments that make the same again', async () => {
	const r = await host();
	r.net.dev_name_head.get('eth0')!.mtu = 576;
	const m = echo(1400);
	receive(r, 'eth0', fragment(m, 0, 704, 4));
	receive(r, 'eth0', fragment(m, 704, m.length, 4));
	const out = take(r);
	expect(out.map((f) => f.length - 34)).toEqual([552, 552, 1408 - 1104]);
	expect(out.map((f) => ((f[20] << 8) | f[21]) & 0x3fff)).toEqual([0x2000, 0x2000 | 69, 138]);
	const joined = Buffer.concat(out.map((f) => f.subarray(34)));
	expect(hex(joined.subarray(8))).toBe(hex(m.subarray(8)));
	expect(ip_counters(r)).toMatchObject({ FragOKs: 1, FragCreates: 3 });
	expect(r.machine.skb_pool.live).toBe(0);
});
