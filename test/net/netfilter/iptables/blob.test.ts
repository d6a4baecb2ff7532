/*
 * What userland writes into the kernel may be anything: it is taken or refused with an errno, and never throws.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { translate_table } from '../../../../src/net/ipv4/netfilter/ip_tables_entry.ts';
import { compile_table, iptc_init } from '../../../../src/user/iptables/libiptc.ts';
import { direct_socket, forward, ipt_rig, iptables, type Rig, restore, save, tcp4 } from './rig.ts';

const RULES = `*filter
:FORWARD DROP [0:0]
:web - [0:0]
:log - [0:0]
-A FORWARD -s 10.0.0.0/8 -i eth+ -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j web
-A FORWARD -p udp -m multiport --dports 53,67:68 -j ACCEPT
-A FORWARD -g log
-A web -m limit --limit 3/min -m comment --comment hello -j ACCEPT
-A web -m mark --mark 0x1/0xff -j RETURN
-A log -j LOG --log-prefix "x: "
-A log -p tcp -j REJECT --reject-with tcp-reset
COMMIT
`;

function loaded(): { r: Rig; sock: direct_socket; replace: Uint8Array } {
	const r = ipt_rig();
	expect(restore(r, RULES).status).toBe(0);
	const sock = new direct_socket(r.net);
	// The bytes of the next SET_REPLACE, caught on their way.
	let replace = new Uint8Array(0);
	const spy = {
		getsockopt: (o: number, b: Uint8Array) => sock.getsockopt(o, b),
		setsockopt: (o: number, b: Uint8Array) => {
			if (o === 64) replace = b.slice();
			return sock.setsockopt(o, b);
		},
	};
	const h = iptc_init(spy, 'filter');
	if (typeof h === 'number') throw new Error(String(h));
	const blob = compile_table(h);
	expect(blob.num_entries).toBe(h.num_entries);
	const counters = 96 + blob.bytes.length;
	replace = new Uint8Array(counters + 16 * h.num_entries);
	const v = new DataView(replace.buffer);
	replace.set([...'filter'].map((c) => c.charCodeAt(0)));
	v.setUint32(32, h.valid_hooks, true);
	v.setUint32(36, blob.num_entries, true);
	v.setUint32(40, blob.bytes.length, true);
	for (let i = 0; i < 5; i++) {
		v.setUint32(44 + 4 * i, blob.hook_entry[i], true);
		v.setUint32(64 + 4 * i, blob.underflow[i], true);
	}
	v.setUint32(84, h.num_entries, true);
	v.setUint32(88, counters, true);
	replace.set(blob.bytes, 96);
	return { r, sock, replace };
}

test('the blob as the tool makes it is taken, and reads back as it was', () => {
	const { r, sock, replace } = loaded();
	const before = save(r).out;
	expect(sock.setsockopt(64, replace.slice())).toBe(0);
	expect(save(r).out).toBe(before);
});

test('a changed byte, or several: taken or refused, and what is refused changes nothing', () => {
	const { r, sock, replace } = loaded();
	const before = save(r).out;
	const packet = tcp4('10.0.0.1', '192.0.2.1', 1000, 80, { flags: 'S' });
	fc.assert(
		fc.property(
			fc.array(fc.tuple(fc.nat(replace.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
			(changes) => {
				const b = replace.slice();
				for (const [at, value] of changes) b[at] = value;
				const err = sock.setsockopt(64, b);
				expect(Number.isInteger(err) && err <= 0).toBe(true);
				forward(r, packet);
				forward(r, packet.slice(0, 30));
				const info = new Uint8Array(84);
				info.set([...'filter'].map((c) => c.charCodeAt(0)));
				expect(sock.getsockopt(64, info)).toBe(84);
				if (err < 0) expect(save(r).out).toBe(before);
				else expect(sock.setsockopt(64, replace.slice())).toBeLessThanOrEqual(0);
				if (r.net.xt.tables[2].length !== 1) throw new Error('tables');
				iptables(r, '-P FORWARD DROP');
				restore(r, RULES);
			},
		),
		{ numRuns: 3000, seed: 1 },
	);
	expect(r.machine.skb_pool.live).toBe(0);
});

test('fields that hold offsets and sizes, at their edges', () => {
	const { sock, replace } = loaded();
	const v = new DataView(replace.buffer);
	const offsets: number[] = [];
	for (let e = 0; e < v.getUint32(40, true); e += v.getUint16(96 + e + 90, true)) offsets.push(96 + e);
	const edges = [0, 1, 7, 8, 31, 32, 111, 112, 113, 120, 151, 152, 153, 255, 256, 0x7fff, 0x8000, 0xffff];
	for (const e of offsets) {
		for (const field of [88, 90, 112, 112 + 32, 112 + 36]) {
			for (const edge of edges) {
				const b = replace.slice();
				new DataView(b.buffer).setUint16(e + field, edge, true);
				expect(sock.setsockopt(64, b)).toBeLessThanOrEqual(0);
			}
		}
	}
	for (let at = 32; at < 96; at += 4) {
		for (const edge of [0, 1, 0x7f, 0x98, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]) {
			const b = replace.slice();
			new DataView(b.buffer).setUint32(at, edge, true);
			expect(sock.setsockopt(64, b)).toBeLessThanOrEqual(0);
		}
	}
});

test('any bytes at all, at any length', () => {
	const { sock, replace } = loaded();
	fc.assert(
		fc.property(fc.constantFrom(64, 65, 66, 67, 68), fc.uint8Array({ maxLength: 400 }), (opt, bytes) => {
			expect(sock.setsockopt(opt, bytes.slice())).toBeLessThanOrEqual(0);
			expect(Number.isInteger(sock.getsockopt(opt, bytes.slice()))).toBe(true);
		}),
		{ numRuns: 2000, seed: 2 },
	);
	for (let n = 0; n < replace.length; n += 3) expect(sock.setsockopt(64, replace.slice(0, n))).toBeLessThanOrEqual(0);
});

test('jumps into the middle of a rule, behind the end, and in circles are refused', () => {
	const { r, replace } = loaded();
	const size = new DataView(replace.buffer).getUint32(40, true);
	const v = new DataView(replace.buffer);
	const hooks = Int32Array.from({ length: 5 }, (_, i) => v.getUint32(44 + 4 * i, true));
	const under = Int32Array.from({ length: 5 }, (_, i) => v.getUint32(64 + 4 * i, true));
	const first = hooks[2];
	const toff = v.getUint16(96 + first + 88, true);
	for (const verdict of [1, 8, first, size - 8, size, size + 8, 0x7ffffff8, 0, -3, -6, -100]) {
		const entries = replace.slice(96, 96 + size);
		new DataView(entries.buffer).setInt32(first + toff + 32, verdict, true);
		const got = translate_table(r.net, 'filter', 0x0e, entries, v.getUint32(36, true), hooks, under);
		expect(typeof got).toBe('number');
	}
});
