/* NAT: which tuple is chosen, what becomes of the bytes, and that it can be undone. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csum_fold, csum_partial, csum_tcpudp_nofold } from '../../../../src/lib/checksum.ts';
import { CHECKSUM_PARTIAL, consume_skb, type sk_buff } from '../../../../src/net/core/skbuff.ts';
import { ip_ntop, ip_pton } from '../../../../src/net/ipv4/ip.ts';
import { nf_hook, type nf_hook_ops, type nf_hook_state } from '../../../../src/net/netfilter/core.ts';
import { nf_ct_tuple_text } from '../../../../src/net/netfilter/nf_conntrack_core.ts';
import { HOOK2MANIP, nf_nat_range2, nf_nat_setup_info } from '../../../../src/net/netfilter/nf_nat_core.ts';
import { nf_nat_ipv4_register_fn } from '../../../../src/net/netfilter/nf_nat_proto.ts';
import { entries, forward, icmp4, ip4, type Rig, rig, skb_of, tcp4, udp4 } from './rig.ts';

interface Rule {
	hook: number;
	dport?: number;
	range: Partial<nf_nat_range2>;
}

interface Rules {
	rules: Rule[];
}

/** A nat table of a few rules: the first that fits binds the flow. */
function table(priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	const ct = skb._nfct!;
	for (const rule of (priv as Rules).rules) {
		if (rule.hook !== state.hook || (rule.dport !== undefined && rule.dport !== ct.orig.dst_u)) continue;
		return nf_nat_setup_info(ct, Object.assign(new nf_nat_range2(), rule.range), HOOK2MANIP(state.hook));
	}
	return 1;
}

function nat(rules: Rule[], seed = 1): Rig {
	const r = rig(seed);
	for (const [hooknum, priority] of [
		[0, -100],
		[1, 100],
		[3, -100],
		[4, 100],
	]) {
		const ops: nf_hook_ops = { hook: table, priv: { rules }, pf: 2, hooknum, priority, name: 'test_nat' };
		nf_nat_ipv4_register_fn(r.net, ops);
	}
	return r;
}

const IPS = 1;
const PROTO = 2;
const RANDOM_FULLY = 16;
const PERSISTENT = 8;

function snat(addr: string, to = addr): Rule {
	return { hook: 4, range: { flags: IPS, min_addr: ip_pton(addr), max_addr: ip_pton(to) } };
}

function ports(p: Uint8Array): string {
	const v = new DataView(p.buffer, p.byteOffset);
	return `${ip_ntop(v.getUint32(12))}:${v.getUint16(20)} > ${ip_ntop(v.getUint32(16))}:${v.getUint16(22)}`;
}

/** Whether all checksums of an IPv4 packet are good, those of a packet quoted in an ICMP error included. */
function sums_good(p: Uint8Array): boolean {
	if (csum_fold(csum_partial(p, 0, 20, 0)) !== 0) return false;
	const v = new DataView(p.buffer, p.byteOffset);
	const proto = p[9];
	if (proto === 17 && v.getUint16(26) === 0) return true;
	const pseudo = proto === 1 ? 0 : csum_tcpudp_nofold(v.getUint32(12), v.getUint32(16), p.length - 20, proto, 0);
	if (csum_fold(csum_partial(p, 20, p.length - 20, pseudo)) !== 0) return false;
	return proto !== 1 || p[20] !== 3 || csum_fold(csum_partial(p, 28, 20, 0)) === 0;
}

test('an address out of a range is the one that Linux picks', () => {
	const seen: [number, string, string, string, string][] = JSON.parse(
		readFileSync(`${import.meta.dirname}/nat-range.json`, 'utf8'),
	);
	expect(seen.length).toBe(160);
	const out = { min_addr: ip_pton('192.0.2.10'), max_addr: ip_pton('192.0.2.23') };
	const inn = { min_addr: ip_pton('10.0.2.40'), max_addr: ip_pton('10.0.2.47') };
	for (const [dport, src, dst, rsrc, rdst] of seen) {
		const r = nat([
			{ hook: 4, dport: 53, range: { flags: IPS, ...out } },
			{ hook: 4, dport: 54, range: { flags: IPS | PERSISTENT, ...out } },
			{ hook: 0, dport: 55, range: { flags: IPS, ...inn } },
			{ hook: 0, dport: 56, range: { flags: IPS | PERSISTENT, ...inn } },
		]);
		forward(r, udp4(src, dst, 1000, dport));
		const t = entries(r)[0].reply;
		expect([dport, src, dst, ip_ntop(t.src_ip >>> 0), ip_ntop(t.dst_ip >>> 0)]).toEqual([dport, src, dst, rsrc, rdst]);
	}
});

test('a port is kept while it is free, and changed within its class when it is not', () => {
	const r = nat([snat('192.0.2.1')]);
	const sent = (src: string, port: number) => ports(forward(r, udp4(src, '8.8.8.8', port, 53)).bytes!);
	expect(sent('10.0.0.1', 5000)).toBe('192.0.2.1:5000 > 8.8.8.8:53');
	const other = Number(/:(\d+) >/.exec(sent('10.0.0.2', 5000))![1]);
	expect(other).not.toBe(5000);
	expect(other).toBeGreaterThanOrEqual(1024);
	sent('10.0.0.1', 600);
	const mid = Number(/:(\d+) >/.exec(sent('10.0.0.2', 600))![1]);
	expect(mid).toBeGreaterThan(600);
	expect(mid).toBeLessThan(1024);
	sent('10.0.0.1', 5);
	const low = Number(/:(\d+) >/.exec(sent('10.0.0.2', 5))![1]);
	expect(low).toBeLessThan(512);
	// The same source to someone else keeps its mapping.
	const again = forward(r, udp4('10.0.0.2', '9.9.9.9', 5000, 53)).bytes!;
	expect(ports(again)).toBe(`192.0.2.1:${other} > 9.9.9.9:53`);
});

test('a range of ports that is used up drops what is new', () => {
	const r = nat([
		{
			hook: 4,
			range: {
				flags: IPS | PROTO,
				min_addr: ip_pton('192.0.2.1'),
				max_addr: ip_pton('192.0.2.1'),
				min_proto: 4000,
				max_proto: 4003,
			},
		},
	]);
	const seen = new Set<string>();
	for (let i = 0; i < 4; i++) seen.add(ports(forward(r, udp4(`10.0.0.${i + 1}`, '8.8.8.8', 5000, 53)).bytes!));
	expect([...seen].map((s) => /:(\d+)/.exec(s)![1]).sort()).toEqual(['4000', '4001', '4002', '4003']);
	expect(forward(r, udp4('10.0.0.9', '8.8.8.8', 5000, 53)).bytes).toBe(null);
	expect(r.net.ct.stat.insert_failed).toBe(1);
	expect(r.net.ct.stat.drop).toBe(1);
});

test('--random-fully draws ports, the same for the same seed', () => {
	const draw = (seed: number) => {
		const r = nat(
			[
				{
					hook: 4,
					range: { flags: IPS | RANDOM_FULLY, min_addr: ip_pton('192.0.2.1'), max_addr: ip_pton('192.0.2.1') },
				},
			],
			seed,
		);
		return [1, 2, 3].map((i) => ports(forward(r, udp4('10.0.0.1', '8.8.8.8', 5000 + i, 53)).bytes!));
	};
	expect(draw(1)).toEqual(draw(1));
	expect(draw(1)).not.toEqual(draw(2));
	expect(draw(1)[0]).not.toBe('192.0.2.1:5001 > 8.8.8.8:53');
});

test('DNAT with a port, hairpin: both changes on the way, both undone on the way back', () => {
	const r = nat([
		{
			hook: 0,
			dport: 80,
			range: {
				flags: IPS | PROTO,
				min_addr: ip_pton('10.0.0.5'),
				max_addr: ip_pton('10.0.0.5'),
				min_proto: 8080,
				max_proto: 8080,
			},
		},
		snat('192.0.2.1'),
	]);
	const out = forward(r, tcp4('10.0.0.2', '192.0.2.1', 1234, 80, { flags: 'S', seq: 7, len: 3 })).bytes!;
	expect(ports(out)).toBe('192.0.2.1:1234 > 10.0.0.5:8080');
	expect(sums_good(out)).toBe(true);
	const back = forward(r, tcp4('10.0.0.5', '192.0.2.1', 8080, 1234, { flags: 'SA', seq: 1, ack: 11 })).bytes!;
	expect(ports(back)).toBe('192.0.2.1:80 > 10.0.0.2:1234');
	expect(sums_good(back)).toBe(true);
});

test('an ICMP error about a translated flow is translated, inside and out', () => {
	for (const original of [
		udp4('10.0.0.2', '8.8.8.8', 5000, 53),
		tcp4('10.0.0.2', '8.8.8.8', 5000, 80, { flags: 'S', seq: 9 }),
		icmp4('10.0.0.2', '8.8.8.8', 8, 0, 0x12340001),
	]) {
		const r = nat([snat('192.0.2.1')]);
		// Somebody else has the port and the id.
		forward(r, udp4('10.0.0.1', '8.8.8.8', 5000, 53));
		forward(r, icmp4('10.0.0.1', '8.8.8.8', 8, 0, 0x12340001));
		const sent = forward(r, original.slice()).bytes!;
		expect(sums_good(sent)).toBe(true);
		const error = icmp4('203.0.113.9', '192.0.2.1', 3, 1, 0, sent.slice(0, 28));
		const seen = forward(r, error);
		expect(seen.state).toBe('RELATED');
		const got = seen.bytes!;
		expect(sums_good(got)).toBe(true);
		expect(ip_ntop(new DataView(got.buffer).getUint32(16))).toBe('10.0.0.2');
		// The quoted addresses, ports or id are the sender's own again.
		expect(got.slice(28 + 12, 28 + 20)).toEqual(original.slice(12, 20));
		const at = original[9] === 1 ? 4 : 0;
		expect(got.slice(48 + at, 48 + at + (at === 4 ? 2 : 4))).toEqual(
			original.slice(20 + at, 20 + at + (at === 4 ? 2 : 4)),
		);
	}
});

test('a UDP packet without a checksum gets none', () => {
	const r = nat([snat('192.0.2.1')]);
	const p = udp4('10.0.0.2', '8.8.8.8', 5000, 53);
	p[26] = 0;
	p[27] = 0;
	const out = forward(r, p).bytes!;
	expect([out[26], out[27]]).toEqual([0, 0]);
	expect(ports(out)).toBe('192.0.2.1:5000 > 8.8.8.8:53');
});

test('a checksum that is left to the device stays right: only the pseudo header is corrected', () => {
	const r = nat([snat('192.0.2.1')]);
	forward(r, udp4('10.0.0.1', '8.8.8.8', 5000, 53));
	for (const at of [6, 16]) {
		const whole =
			at === 6
				? udp4('10.0.0.2', '8.8.8.8', 5000, 53, 7)
				: tcp4('10.0.0.2', '8.8.8.8', 5000, 80, { flags: 'S', seq: 1, len: 5 });
		const v = new DataView(whole.buffer);
		const pseudo = csum_tcpudp_nofold(v.getUint32(12), v.getUint32(16), whole.length - 20, whole[9], 0);
		v.setUint16(20 + at, ~csum_fold(pseudo) & 0xffff);
		const skb = skb_of(r, whole);
		skb.ip_summed = CHECKSUM_PARTIAL;
		skb.csum_start = skb.data + 20;
		skb.csum_offset = at;
		for (const hook of [0, 4]) expect(nf_hook(2, hook, r.net, null, skb, null, null, () => 0)).toBe(1);
		// What a device does: sum from csum_start on, into the field.
		const out = skb.head.slice(skb.data, skb.tail);
		const sum = csum_fold(csum_partial(out, 20, out.length - 20, 0));
		new DataView(out.buffer).setUint16(20 + at, sum);
		expect(ports(out)).toMatch(/^192\.0\.2\.1:\d+ > 8\.8\.8\.8:/);
		expect(sums_good(out)).toBe(true);
		consume_skb(skb);
	}
	expect(r.machine.skb_pool.live).toBe(0);
});

const packet = fc.record({
	proto: fc.constantFrom(6, 17, 1),
	src: fc.integer({ min: 1, max: 6 }),
	dst: fc.integer({ min: 1, max: 3 }),
	sport: fc.constantFrom(1, 80, 600, 1023, 1024, 5000, 5001, 65535),
	dport: fc.constantFrom(53, 80, 443),
	len: fc.integer({ min: 0, max: 9 }),
});

test('whatever flows: no two share an answer, sums stay good, and the way back restores every byte', () => {
	fc.assert(
		fc.property(fc.array(packet, { maxLength: 60 }), fc.boolean(), fc.integer(), (packets, random, seed) => {
			const rule = snat('192.0.2.1', '192.0.2.2');
			if (random) rule.range.flags = IPS | RANDOM_FULLY;
			const r = nat(
				[
					{ hook: 0, dport: 443, range: { flags: IPS, min_addr: ip_pton('10.9.9.9'), max_addr: ip_pton('10.9.9.9') } },
					rule,
				],
				seed,
			);
			for (const p of packets) {
				const src = `10.0.0.${p.src}`;
				const dst = `8.8.8.${p.dst}`;
				const make = (s: string, d: string, a: number, b: number, reply: boolean) =>
					p.proto === 6
						? tcp4(s, d, a, b, { flags: reply ? 'SA' : 'S', seq: 1, ack: reply ? 2 : 0, len: reply ? 0 : p.len })
						: p.proto === 17
							? udp4(s, d, a, b, p.len)
							: icmp4(s, d, reply ? 0 : 8, 0, p.sport * 65536 + 1);
				const sent = forward(r, make(src, dst, p.sport, p.dport, false));
				if (sent.bytes === null || sent.state !== 'NEW') continue;
				expect(sums_good(sent.bytes)).toBe(true);
				const v = new DataView(sent.bytes.buffer);
				const from = ip_ntop(v.getUint32(16));
				const to = ip_ntop(v.getUint32(12));
				const answer =
					p.proto === 1
						? icmp4(from, to, 0, 0, v.getUint16(24) * 65536 + 1)
						: make(from, to, v.getUint16(22), v.getUint16(20), true);
				const got = forward(r, answer).bytes!;
				const want = make(dst, src, p.dport, p.sport, true);
				expect(got).toEqual(want);
			}
			const replies = new Set(entries(r).map((ct) => `${ct.orig.protonum} ${nf_ct_tuple_text(ct.reply)}`));
			expect(replies.size).toBe(entries(r).length);
			expect(r.net.ct.count).toBe(entries(r).length);
			expect(r.machine.ct.nf_nat_count).toBe(entries(r).length);
			expect(r.machine.skb_pool.live).toBe(0);
		}),
		{ numRuns: 150 },
	);
});

test('arbitrary bytes in any protocol: no exception, no leak', () => {
	fc.assert(
		fc.property(
			fc.constantFrom(0, 1, 6, 17, 33, 47, 50, 132, 136, 255),
			fc.array(fc.uint8Array({ maxLength: 90 }), { maxLength: 12 }),
			(proto, bodies) => {
				const r = nat([snat('192.0.2.1')]);
				r.net.ct.sysctl_checksum = 0;
				for (const [i, body] of bodies.entries()) {
					forward(r, i % 2 === 0 ? ip4('10.0.0.1', '8.8.8.8', proto, body) : ip4('8.8.8.8', '192.0.2.1', proto, body));
				}
				expect(r.machine.skb_pool.live).toBe(0);
				expect(r.net.ct.count).toBe(entries(r).length);
			},
		),
		{ numRuns: 500 },
	);
});
