/*
 * lab/cables/vnet_hdr.ts: virtio's header before each frame, which says what of checksum and segmentation is left undone.
 * OASIS virtio 1.2, 5.1.6 (struct virtio_net_hdr, little endian, 10 bytes: without num_buffers), as TAP with IFF_VNET_HDR speaks it.
 */
import type { frame_offload } from '../../drivers/net/cable.ts';
import { SKB_GSO_DODGY, SKB_GSO_TCP_ECN, SKB_GSO_TCPV4, SKB_GSO_TCPV6, SKB_GSO_UDP_L4 } from '../../net/core/skbuff.ts';

export const VNET_HDR_LEN = 10;

const NEEDS_CSUM = 1;
const DATA_VALID = 2;
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_UDP_L4 = 5;
const GSO_ECN = 0x80;

/** Writes the header at `o`. `frame` at `start` is what follows it. */
export function putVnetHdr(
	b: Uint8Array,
	o: number,
	offload: frame_offload | null,
	frame: Uint8Array,
	start: number,
): void {
	if (offload === null) {
		b.fill(0, o, o + VNET_HDR_LEN);
		return;
	}
	const { csum_start, csum_offset, gso_size, gso_type } = offload;
	let gso = 0;
	let hdr = 0;
	if (gso_size > 0) {
		if ((gso_type & SKB_GSO_TCPV4) !== 0) gso = GSO_TCPV4;
		else if ((gso_type & SKB_GSO_TCPV6) !== 0) gso = GSO_TCPV6;
		else if ((gso_type & SKB_GSO_UDP_L4) !== 0) gso = GSO_UDP_L4;
		hdr = gso === GSO_UDP_L4 ? csum_start + 8 : csum_start + (frame[start + csum_start + 12] >> 4) * 4;
		if ((gso_type & SKB_GSO_TCP_ECN) !== 0 && gso !== 0) gso |= GSO_ECN;
	}
	b[o] = csum_start > 0 ? NEEDS_CSUM : offload.csum_valid ? DATA_VALID : 0;
	b[o + 1] = gso;
	b[o + 2] = hdr & 255;
	b[o + 3] = hdr >> 8;
	b[o + 4] = gso === 0 ? 0 : gso_size & 255;
	b[o + 5] = gso === 0 ? 0 : gso_size >> 8;
	b[o + 6] = csum_start & 255;
	b[o + 7] = csum_start >> 8;
	b[o + 8] = csum_start > 0 ? csum_offset & 255 : 0;
	b[o + 9] = csum_start > 0 ? csum_offset >> 8 : 0;
}

/**
 * Reads the header at `o` of a frame of `len` bytes into `into`.
 * Return: 1: there is something to say; 0: the frame is whole; -1: it makes no sense.
 */
export function getVnetHdr(b: Uint8Array, o: number, len: number, into: frame_offload): number {
	const flags = b[o];
	const kind = b[o + 1] & ~GSO_ECN;
	into.csum_start = 0;
	into.csum_offset = 0;
	into.gso_size = 0;
	into.gso_type = 0;
	into.csum_valid = (flags & DATA_VALID) !== 0;
	if ((flags & NEEDS_CSUM) !== 0) {
		into.csum_start = b[o + 6] | (b[o + 7] << 8);
		into.csum_offset = b[o + 8] | (b[o + 9] << 8);
		if (into.csum_start < 14 || into.csum_start + into.csum_offset + 2 > len) return -1;
	}
	if (kind !== 0) {
		if (kind === GSO_TCPV4) into.gso_type = SKB_GSO_TCPV4;
		else if (kind === GSO_TCPV6) into.gso_type = SKB_GSO_TCPV6;
		else if (kind === GSO_UDP_L4) into.gso_type = SKB_GSO_UDP_L4;
		else return -1;
		// Whoever cuts the frame has to write each piece's checksum.
		if (into.csum_start === 0) return -1;
		into.gso_size = b[o + 4] | (b[o + 5] << 8);
		if (into.gso_size === 0) return -1;
		if ((b[o + 1] & GSO_ECN) !== 0) into.gso_type |= SKB_GSO_TCP_ECN;
		into.gso_type |= SKB_GSO_DODGY;
	}
	return into.csum_start > 0 || into.csum_valid ? 1 : 0;
}
