/*
 * The formats that cables speak: QEMU's stream framing, virtio's header.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frame_offload } from '../../../src/drivers/net/cable.ts';
import { FRAME_MAX, FrameReader, FrameWriter } from '../../../src/lab/cables/framing.ts';
import { getVnetHdr, putVnetHdr, VNET_HDR_LEN } from '../../../src/lab/cables/vnet_hdr.ts';
import { SKB_GSO_DODGY, SKB_GSO_TCP_ECN, SKB_GSO_TCPV4, SKB_GSO_UDP_L4 } from '../../../src/net/core/skbuff.ts';

test('frames come out of a stream whole and in order, wherever it is cut', () => {
	fc.assert(
		fc.property(
			fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 20 }),
			fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 30 }),
			(frames, cuts) => {
				const w = new FrameWriter();
				for (const f of frames) w.add(f, 0, f.length);
				const stream = w.take();
				expect(w.empty).toBe(true);
				const got: Uint8Array[] = [];
				const r = new FrameReader((b, start, len) => got.push(b.slice(start, start + len)));
				for (let at = 0, i = 0; at < stream.length; i++) {
					const n = cuts[i % cuts.length];
					r.push(stream.slice(at, at + n));
					at += n;
				}
				expect(got).toEqual(frames);
				expect(r.within).toBe(false);
			},
		),
	);
});

test('a length that makes no sense ends the stream; a frame of no bytes is none', () => {
	const r = new FrameReader(() => expect.unreachable());
	r.push(Uint8Array.of(0, 0, 0, 0));
	r.push(Uint8Array.of(0, 0));
	expect(() => r.push(Uint8Array.of(0xff, 0xff, 1))).not.toThrow();
	expect(() => new FrameReader(() => {}).push(Uint8Array.of(0x50, 0x4f, 0x53, 0x54))).toThrow(RangeError);
	const most = new FrameWriter();
	most.add(new Uint8Array(FRAME_MAX), 0, FRAME_MAX);
	let seen = 0;
	new FrameReader((_b, _s, len) => {
		seen = len;
	}).push(most.take());
	expect(seen).toBe(FRAME_MAX);
});

test("virtio's header: a TCP segment of 64 KB, its checksum undone, as Linux writes it", () => {
	const frame = new Uint8Array(14 + 20 + 32 + 3000);
	frame[14 + 20 + 12] = 8 << 4;
	const o = new frame_offload();
	o.csum_start = 34;
	o.csum_offset = 16;
	o.gso_size = 1448;
	o.gso_type = SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN;
	const b = new Uint8Array(VNET_HDR_LEN);
	putVnetHdr(b, 0, o, frame, 0);
	expect([...b]).toEqual([1, 0x81, 66, 0, 0xa8, 0x05, 34, 0, 16, 0]);
	const back = new frame_offload();
	expect(getVnetHdr(b, 0, frame.length, back)).toBe(1);
	expect(back).toEqual({ ...o, gso_type: o.gso_type | SKB_GSO_DODGY });
});

test("virtio's header of a whole frame is zeros; of one whose checksum is vouched for, DATA_VALID", () => {
	const b = new Uint8Array(VNET_HDR_LEN).fill(9);
	putVnetHdr(b, 0, null, b, 0);
	expect([...b]).toEqual(new Array(10).fill(0));
	const o = new frame_offload();
	expect(getVnetHdr(b, 0, 60, o)).toBe(0);
	o.csum_valid = true;
	putVnetHdr(b, 0, o, b, 0);
	expect(b[0]).toBe(2);
	expect(getVnetHdr(b, 0, 60, o)).toBe(1);
	expect(o.csum_valid).toBe(true);
});

test("virtio's headers that make no sense are refused, and none makes the reader point outside of its frame", () => {
	const o = new frame_offload();
	const bad = (...bytes: number[]) => getVnetHdr(Uint8Array.from(bytes), 0, 100, o);
	expect(bad(1, 0, 0, 0, 0, 0, 90, 0, 16, 0)).toBe(-1); // checksum beyond the end
	expect(bad(1, 0, 0, 0, 0, 0, 0, 0, 0, 0)).toBe(-1); // … in the Ethernet header
	expect(bad(0, 1, 0, 0, 0, 5, 34, 0, 16, 0)).toBe(-1); // segments without checksum
	expect(bad(1, 1, 0, 0, 0, 0, 34, 0, 16, 0)).toBe(-1); // … of size 0
	expect(bad(1, 7, 0, 0, 0, 5, 34, 0, 16, 0)).toBe(-1); // … of no known kind
	expect(bad(1, 5, 42, 0, 0, 1, 34, 0, 6, 0)).toBe(1);
	expect(o.gso_type).toBe(SKB_GSO_UDP_L4 | SKB_GSO_DODGY);
	fc.assert(
		fc.property(fc.uint8Array({ minLength: 10, maxLength: 10 }), fc.integer({ min: 14, max: 65535 }), (b, len) => {
			const r = getVnetHdr(b, 0, len, o);
			if (r <= 0) return;
			if (o.csum_start > 0) expect(o.csum_start + o.csum_offset + 2).toBeLessThanOrEqual(len);
			if (o.gso_size > 0) expect(o.gso_type & ~SKB_GSO_DODGY).not.toBe(0);
		}),
	);
});
