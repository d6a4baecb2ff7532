/*
 * What GRO joins can be cut again into the very frames that came: random streams of several flows with gaps, flags, options and padding.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csum_fold, csum_partial, csum_tcpudp_nofold, ip_fast_csum } from '../../../src/lib/checksum.ts';
import { dev_add_pack, packet_type, skb_checksum_help } from '../../../src/net/core/dev.ts';
import { skb_gso_segment } from '../../../src/net/core/gso.ts';
import {
	CHECKSUM_PARTIAL,
	consume_skb,
	type sk_buff,
	skb_copy_bits,
	skb_linearize,
	skb_push,
} from '../../../src/net/core/skbuff.ts';
import { ipv4_offload_init } from '../../../src/net/ipv4/ip_offload.ts';
import { kernel, MAC_A, MAC_B, nic, run } from './kernel.ts';

const [FIN, PSH, ACK, CWR] = [1, 8, 16, 128];

interface Segment {
	port: number;
	seq: number;
	ack: number;
	id: number;
	flags: number;
	ts: number;
	ttl: number;
	data: number;
	pad: boolean;
	bad: boolean;
}

function frame(s: Segment): Uint8Array {
	const tlen = 32 + s.data;
	const f = new Uint8Array(Math.max(14 + 20 + tlen, s.pad ? 90 : 0));
	f.set(MAC_B, 0);
	f.set(MAC_A, 6);
	const len = 20 + tlen;
	f.set([8, 0, 0x45, 0, len >> 8, len, s.id >> 8, s.id, 0x40, 0, s.ttl, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 12);
	const check = ip_fast_csum(f, 14, 5);
	f[24] = check >> 8;
	f[25] = check;
	f.set(
		[
			s.port >> 8,
			s.port,
			0,
			80,
			s.seq >> 24,
			s.seq >> 16,
			s.seq >> 8,
			s.seq,
			s.ack >> 24,
			s.ack >> 16,
			s.ack >> 8,
			s.ack,
		],
		34,
	);
	f.set([8 << 4, s.flags, 1, 0, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, s.ts, 0, 0, 0, 9], 46);
	for (let i = 0; i < s.data; i++) f[66 + i] = (s.seq + i) * 7;
	const sum = csum_fold(csum_tcpudp_nofold(0x0a000001, 0x0a000002, tlen, 6, csum_partial(f, 34, tlen, 0)));
	f[50] = sum >> 8;
	f[51] = sum ^ (s.bad ? 1 : 0);
	return f;
}

/** The frames that a received packet stands for. */
function frames_of(skb: sk_buff): Uint8Array[] {
	const out: Uint8Array[] = [];
	if (skb.shinfo.gso_size === 0) {
		if (skb.ip_summed === CHECKSUM_PARTIAL) throw new Error('a single packet was changed');
		skb_push(skb, 14);
		const f = new Uint8Array(skb.len);
		skb_copy_bits(skb, 0, f, 0, skb.len);
		return [f];
	}
	skb_push(skb, 14);
	const segs = skb_gso_segment(skb, 0);
	if (typeof segs === 'number') throw new Error(`gso: ${segs}`);
	let n = 0;
	for (let s = segs; s !== null; ) {
		const next: sk_buff | null = s.next;
		s.next = null;
		expect(skb_checksum_help(s)).toBe(0);
		skb_linearize(s);
		out.push(s.head.slice(s.data, s.tail));
		consume_skb(s);
		s = next;
		n++;
	}
	expect(skb.shinfo.gso_segs).toBe(n);
	return out;
}

/** Feeds frames to a NIC in bursts. Return: what went up, a list of frames for each packet, in order. */
function receive(bursts: Segment[][], shown: (skb: sk_buff) => void = () => {}): Uint8Array[][] {
	const k = kernel();
	ipv4_offload_init(k.machine);
	const [, cable] = nic(k);
	const up: Uint8Array[][] = [];
	dev_add_pack(
		k.machine,
		new packet_type(0x0800, (skb) => {
			shown(skb);
			up.push(frames_of(skb));
			consume_skb(skb);
			return 0;
		}),
	);
	for (const burst of bursts) {
		for (const s of burst) {
			const f = frame(s);
			expect(cable.port.receive(f, 0, f.length, null)).toBe(true);
		}
		run(k.clock);
	}
	expect(k.machine.skb_pool.live).toBe(0);
	return up;
}

function plain(n: number, from: Partial<Segment> = {}): Segment[] {
	const list: Segment[] = [];
	const base = {
		port: 1000,
		seq: 5,
		ack: 1,
		id: 7,
		flags: ACK,
		ts: 1,
		ttl: 64,
		data: 1000,
		pad: false,
		bad: false,
		...from,
	};
	for (let i = 0; i < n; i++) list.push({ ...base, seq: base.seq + i * base.data, id: base.id + i });
	return list;
}

test('a burst of one flow is one packet; PSH, a short segment, another option or a gap end it', () => {
	const sizes = (bursts: Segment[][]) => receive(bursts).map((u) => u.length);
	expect(sizes([plain(10)])).toEqual([10]);
	const pushed = plain(6);
	pushed[2].flags |= PSH;
	expect(sizes([pushed])).toEqual([3, 3]);
	const short = plain(3);
	short[2].data = 500;
	expect(sizes([short])).toEqual([3]);
	const gap = plain(4);
	gap[2].seq += 1;
	gap[3].seq += 1;
	expect(sizes([gap])).toEqual([2, 2]);
	const ts = plain(4);
	ts[2].ts = 2;
	ts[3].ts = 2;
	expect(sizes([ts])).toEqual([2, 2]);
	const ttl = plain(4);
	ttl[3].ttl = 63;
	expect(sizes([ttl])).toEqual([3, 1]);
	const acks = plain(3, { data: 0 });
	expect(sizes([acks])).toEqual([1, 1, 1]);
	const cwr = plain(3);
	cwr[1].flags |= CWR;
	expect(sizes([cwr])).toEqual([1, 1, 1]);
	const bad = plain(3);
	bad[1].bad = true;
	expect(sizes([bad])).toEqual([1, 1, 1]);
	const ids = plain(4);
	for (const s of ids) s.id = 7;
	expect(sizes([ids])).toEqual([4]);
	// Two flows at once do not disturb each other.
	const two = plain(4).flatMap((s, i) => [s, plain(4, { port: 2000 })[i]]);
	expect(sizes([two]).sort()).toEqual([4, 4]);
	// Nothing is held from one poll to the next.
	expect(sizes([plain(2), plain(2, { seq: 2005, id: 9 })])).toEqual([2, 2]);
	// No packet is longer than IP can say.
	expect(sizes([plain(64, { data: 1400 })])).toEqual([46, 18]);
});

test('whatever comes goes up once, each flow in order, and can be cut into the frames that came', () => {
	const seg = fc.record({
		port: fc.constantFrom(1000, 2000, 3000),
		data: fc.constantFrom(0, 1, 500, 1448, 1448, 1448, 1448),
		flags: fc.constantFrom(ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN, ACK | CWR),
		gap: fc.constantFrom(0, 0, 0, 0, 1448),
		idgap: fc.constantFrom(1, 1, 1, 1, 0, 5),
		ts: fc.constantFrom(1, 1, 1, 1, 2),
		pad: fc.boolean(),
		bad: fc.constantFrom(false, false, false, false, true),
	});
	fc.assert(
		fc.property(fc.array(fc.array(seg, { maxLength: 60 }), { maxLength: 4 }), (bursts) => {
			const seqs = new Map<number, { seq: number; id: number }>();
			const made = bursts.map((b) =>
				b.map((s) => {
					const at = seqs.get(s.port) ?? { seq: 0x7fff0000, id: 0xfff0 };
					at.seq = (at.seq + s.gap) | 0;
					at.id = (at.id + s.idgap) & 0xffff;
					const out: Segment = { ...s, seq: at.seq, id: at.id, ack: 3, ttl: 64 };
					at.seq = (at.seq + s.data) | 0;
					seqs.set(s.port, at);
					return out;
				}),
			);
			const up = receive(made).flat();
			const sent = made.flat();
			expect(up.length).toBe(sent.length);
			// What is damaged is not held: it may go up before what is.
			const damaged = new Set(sent.filter((x) => x.bad).map((x) => Buffer.from(frame(x)).toString('hex')));
			const good = up.filter((f) => !damaged.has(Buffer.from(f).toString('hex')));
			expect(up.length - good.length).toBe(sent.filter((x) => x.bad).length);
			for (const port of [1000, 2000, 3000]) {
				const a = good.filter((f) => ((f[34] << 8) | f[35]) === port);
				const b = sent.filter((x) => x.port === port && !x.bad).map(frame);
				expect(a.length).toBe(b.length);
				for (let i = 0; i < a.length; i++)
					if (Buffer.compare(a[i], b[i]) !== 0) throw new Error(`port ${port}, frame ${i}`);
			}
		}),
		{ numRuns: 150 },
	);
});
