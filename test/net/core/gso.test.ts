import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csum_fold, csum_partial, csum_tcpudp_nofold, ip_fast_csum } from '../../../src/lib/checksum.ts';
import { dev_queue_xmit } from '../../../src/net/core/dev.ts';
import {
	alloc_skb,
	CHECKSUM_PARTIAL,
	SKB_GSO_TCPV4,
	SKB_GSO_UDP_L4,
	skb_put,
	skb_reserve,
} from '../../../src/net/core/skbuff.ts';
import { skb_append_data } from '../../../src/net/core/skbuff_frags.ts';
import { ipv4_offload_init } from '../../../src/net/ipv4/ip_offload.ts';
import { kernel, MAC_A, MAC_B, nic } from './kernel.ts';

/** What the network would be given: frames of a packet of `n` payload bytes cut at `mss`. */
function cut(
	proto: number,
	hdrlen: number,
	n: number,
	mss: number,
	id: number,
	paged: boolean,
): { frames: Uint8Array[]; live: number; drops: string[] } {
	const k = kernel();
	ipv4_offload_init(k.machine);
	const [dev, cable] = nic(k);
	const skb = alloc_skb(k.machine, 64 + 34 + hdrlen + n);
	skb_reserve(skb, 64);
	const o = skb_put(skb, 34 + hdrlen + n);
	const b = skb.head;
	b.fill(0, o, skb.tail);
	b.set(MAC_B, o);
	b.set(MAC_A, o + 6);
	b.set([8, 0, 0x45, 0, 0, 0, id >> 8, id, 0x40, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], o + 12);
	if (proto === 6) {
		b.set([0, 80, 1, 0, 0xff, 0xff, 0xff, 0x00, 0, 0, 0, 0, (hdrlen / 4) << 4, 0x80 | 0x10 | 0x09], o + 34);
	} else b.set([0, 53, 1, 0], o + 34);
	for (let i = 0; i < n; i++) b[o + 34 + hdrlen + i] = i * 7;
	if (paged) {
		// The same payload in pages.
		const data = b.slice(o + 34 + hdrlen, skb.tail);
		skb.tail -= n;
		skb.len -= n;
		skb_append_data(skb, data, 0, n);
	}
	skb.dev = dev;
	skb.protocol = 0x0800;
	skb.network_header = o + 14;
	skb.transport_header = o + 34;
	skb.ip_summed = CHECKSUM_PARTIAL;
	skb.csum_start = o + 34;
	skb.csum_offset = proto === 6 ? 16 : 6;
	skb.shinfo.gso_size = mss;
	skb.shinfo.gso_segs = Math.ceil(n / mss);
	skb.shinfo.gso_type = proto === 6 ? SKB_GSO_TCPV4 : SKB_GSO_UDP_L4;
	dev_queue_xmit(skb);
	return { frames: cable.frames, live: k.machine.skb_pool.live, drops: k.drops };
}

function be16(b: Uint8Array, o: number): number {
	return (b[o] << 8) | b[o + 1];
}

test('TCP and UDP packets are cut for a device that cannot: nothing is lost, and every checksum is right', () => {
	fc.assert(
		fc.property(
			fc.constantFrom([6, 20], [6, 32], [17, 8]),
			fc.integer({ min: 1, max: 5000 }),
			fc.integer({ min: 1, max: 1460 }),
			fc.nat(0xffff),
			fc.boolean(),
			([proto, hdrlen], n, mss, id, paged) => {
				fc.pre(n / mss < 300);
				const { frames, live, drops } = cut(proto, hdrlen, n, mss, id, paged);
				expect(drops).toEqual([]);
				expect(live).toBe(0);
				expect(frames.length).toBe(Math.ceil(n / mss));
				let at = 0;
				frames.forEach((f, i) => {
					const len = f.length - 14;
					expect(be16(f, 16)).toBe(len);
					expect(be16(f, 18)).toBe((id + i) & 0xffff);
					expect(ip_fast_csum(f, 14, 5)).toBe(0);
					const l4 = len - 20;
					const pseudo = csum_tcpudp_nofold(0x0a000001, 0x0a000002, l4, proto, csum_partial(f, 34, l4, 0));
					expect(csum_fold(pseudo)).toBe(0);
					const last = i === frames.length - 1;
					if (proto === 6) {
						expect((be16(f, 38) * 0x10000 + be16(f, 40)) >>> 0).toBe((0xffffff00 + i * mss) % 0x100000000);
						expect(f[47]).toBe((i === 0 ? 0x80 : 0) | 0x10 | (last ? 0x09 : 0));
					} else expect(be16(f, 38)).toBe(l4);
					for (let p = 34 + hdrlen; p < f.length; p++, at++)
						if (f[p] !== ((at * 7) & 255)) throw new Error(`byte ${at}`);
				});
				expect(at).toBe(n);
			},
		),
		{ numRuns: 100, seed: 3 },
	);
});
