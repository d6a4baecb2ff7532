import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromHex } from '../../src/packet/bytes.ts';
import {
	type CapturedPacket,
	CaptureError,
	CaptureReader,
	readCapture,
	readPackets,
} from '../../src/packet/capture.ts';
import { PcapWriter, writePcap } from '../../src/packet/pcap.ts';
import { PcapngWriter, writePcapng } from '../../src/packet/pcapng.ts';

const frame = (n: number) => Uint8Array.from({ length: n }, (_, i) => i);
const three = [
	{ sec: 1700000000, nsec: 123456789, data: frame(60) },
	{ sec: 1700000001, nsec: 999999999, data: frame(7), origLen: 1500 },
	{ sec: 0, nsec: 0, data: frame(0) },
];

function fail(file: Uint8Array): CaptureError {
	try {
		readCapture(file);
	} catch (e) {
		if (e instanceof CaptureError) return e;
		throw e;
	}
	throw new Error('no error');
}

describe('pcap', () => {
	for (const bigEndian of [false, true])
		for (const nanoseconds of [false, true])
			it(`reads what it wrote: ${bigEndian ? 'big' : 'little'} endian, ${nanoseconds ? 'nano' : 'micro'}seconds`, () => {
				const { packets, interfaces } = readCapture(writePcap(three, { bigEndian, nanoseconds, linktype: 101 }));
				expect(interfaces).toEqual([{ linktype: 101, snaplen: 262144, name: '', description: '', nanoseconds }]);
				expect(packets.map((p) => [p.sec, p.nsec, p.data.length, p.origLen, p.linktype])).toEqual([
					[1700000000, nanoseconds ? 123456789 : 123456000, 60, 60, 101],
					[1700000001, nanoseconds ? 999999999 : 999999000, 7, 1500, 101],
					[0, 0, 0, 0, 101],
				]);
				expect(packets[0].data).toEqual(frame(60));
			});
	it('has the bytes that tcpdump -w writes', () => {
		expect(writePcap([{ sec: 1, nsec: 2000, data: frame(2) }])).toEqual(
			fromHex('d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000 01000000 02000000 02000000 02000000 0001'),
		);
	});
	it('cuts at the snap length', () => {
		const [p] = readCapture(writePcap([{ sec: 1, nsec: 0, data: frame(100) }], { snaplen: 10 })).packets;
		expect([p.data.length, p.origLen]).toEqual([10, 100]);
	});
	it('says what is wrong, and where', () => {
		const good = writePcap(three);
		expect(fail(new Uint8Array(0)).message).toBe('capture: the file is empty');
		expect(fail(frame(3)).message).toBe('capture: offset 0: the file has only 3 bytes: expected a magic number');
		expect(fail(frame(30)).message).toBe(
			'capture: offset 0: magic number 00010203 came: expected that of pcap (a1b2c3d4, a1b23c4d, either byte order) or pcapng (0a0d0d0a)',
		);
		expect(fail(good.subarray(0, 10)).message).toBe('pcap: offset 0: the file header has only 10 bytes: expected 24');
		expect(fail(good.subarray(0, 30)).message).toBe(
			'pcap: offset 24: packet 1 is truncated: its header has 6 bytes: expected 16',
		);
		expect(fail(good.subarray(0, 90)).message).toBe(
			'pcap: offset 24: packet 1 is truncated: 50 bytes follow: expected 60',
		);
		const huge = good.slice();
		huge[24 + 11] = 0x7f;
		expect(fail(huge).message).toBe(
			'pcap: offset 32: packet 1 says that 2130706492 bytes of it follow: expected at most 262144',
		);
		expect(fail(huge).offset).toBe(32);
		const version = good.slice();
		version[4] = 9;
		expect(fail(version).message).toBe('pcap: offset 4: version 9.4 came: expected 2.4');
	});
});

describe('pcapng', () => {
	const interfaces = [{ name: 'eth0' }, { name: 'tun0', linktype: 101, description: 'a tunnel' }];
	const file = writePcapng(
		[
			{ ...three[0], comments: ['verdict: drop', 'é'] },
			{ ...three[1], iface: 1, direction: 2 },
			{ ...three[2], direction: 1 },
		],
		interfaces,
		{ application: 'linnet' },
	);
	it('reads what it wrote, with comments, interfaces and nanoseconds', () => {
		const r = readCapture(file);
		expect(r.interfaces).toEqual([
			{ linktype: 1, snaplen: 262144, name: 'eth0', description: '', nanoseconds: true },
			{ linktype: 101, snaplen: 262144, name: 'tun0', description: 'a tunnel', nanoseconds: true },
		]);
		expect(
			r.packets.map((p) => [p.sec, p.nsec, p.data.length, p.origLen, p.linktype, p.iface, p.comments, p.direction]),
		).toEqual([
			[1700000000, 123456789, 60, 60, 1, 0, ['verdict: drop', 'é'], 0],
			[1700000001, 999999999, 7, 1500, 101, 1, [], 2],
			[0, 0, 0, 0, 1, 0, [], 1],
		]);
	});
	it('reads sections of either byte order one after the other', () => {
		const big = fromHex(
			'0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c' + // section
				'00000001 00000020 0001 0000 00000000 0009 0001 89000000 00000000 00000020' + // interface: 2^-9 s
				'00000006 00000024 00000000 00000000 00000300 00000003 00000040 aabbcc00 00000024' + // 0x300 = 1.5 s
				'00000003 00000014 00000002 ddee0000 00000014' + // simple packet
				'00000bad 0000000c 0000000c', // unknown block
		)!;
		const r = readCapture(concat([file, big]));
		expect(r.packets.length).toBe(5);
		expect(r.packets[3]).toEqual({
			sec: 1,
			nsec: 500000000,
			data: fromHex('aabbcc'),
			origLen: 64,
			linktype: 1,
			iface: 2,
			comments: [],
			direction: 0,
		});
		expect(r.packets[4].data).toEqual(fromHex('ddee'));
	});
	it('says what is wrong, and where', () => {
		const bad = (change: (b: Uint8Array) => void) => {
			const b = file.slice();
			change(b);
			return fail(b).message;
		};
		expect(bad((b) => b.set([1], 8))).toBe(
			'pcapng: offset 8: byte-order magic 013c2b1a came: expected 1a2b3c4d in either order',
		);
		expect(bad((b) => b.set([7], 4))).toBe(
			'pcapng: offset 0: section header block has length 7: expected a multiple of 4 from 28 to 16777216',
		);
		expect(bad((b) => b.set([0, 0, 0, 0x7f], 4))).toMatch(
			/^pcapng: offset 0: section header block has length 2130706432: expected/,
		);
		expect(bad((b) => b.set([9], 12))).toBe('pcapng: offset 0: section header block has version 9.0: expected 1.0');
		expect(fail(file.subarray(0, file.length - 1)).message).toMatch(
			/^pcapng: offset \d+: the block is truncated: \d+ bytes follow: expected \d+$/,
		);
		const w = new PcapngWriter();
		w.addInterface();
		expect(fail(concat([w.header(), w.packet(three[0])])).message).toBe(
			'pcapng: offset 28: enhanced packet block is of interface 0: expected one of the 0 that this section described',
		);
	});
});

describe('streaming', () => {
	const files = [writePcap(three), writePcap(three, { bigEndian: true, nanoseconds: true }), writePcapng(three)];
	it('gives the same packets however the file is cut', () => {
		fc.assert(
			fc.property(fc.constantFrom(...files), fc.array(fc.nat(300), { maxLength: 12 }), (file, cuts) => {
				const whole = readCapture(file).packets;
				const r = new CaptureReader();
				const got: CapturedPacket[] = [];
				let at = 0;
				for (const c of [...cuts, file.length]) {
					r.feed(file.subarray(at, Math.min(file.length, at + c)));
					at = Math.min(file.length, at + c);
					for (let p = r.next(); p !== null; p = r.next()) got.push(p);
				}
				r.end();
				expect(got).toEqual(whole);
			}),
		);
	});
	it('reads from an async iterable', async () => {
		const got: number[] = [];
		async function* chunks() {
			for (let i = 0; i < files[0].length; i += 10) yield files[0].subarray(i, i + 10);
		}
		for await (const p of readPackets(chunks())) got.push(p.data.length);
		expect(got).toEqual([60, 7, 0]);
	});
	it('throws nothing but CaptureError on damaged files', () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...files),
				fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 6 }),
				fc.nat(400),
				(file, damage, length) => {
					const b = file.slice(0, length);
					for (const [at, v] of damage) if (at < b.length) b[at] = v;
					try {
						readCapture(b);
					} catch (e) {
						if (!(e instanceof CaptureError)) throw e;
						expect(e.message).toMatch(/expected|empty/);
					}
				},
			),
			{ numRuns: 2000 },
		);
	});
	it('keeps no more than it was fed', () => {
		const w = new PcapWriter();
		const r = new CaptureReader();
		r.feed(w.header());
		let n = 0;
		for (let i = 0; i < 2000; i++) {
			r.feed(w.packet({ sec: i, nsec: 0, data: frame(1000) }));
			while (r.next() !== null) n++;
		}
		expect(n).toBe(2000);
	});
});
