/*
 * trace/frames.ts: captured frames as a NIC sees them: what was left undone when they were captured, and which are the same packet.
 */
import { frame_offload } from '../lab/surroundings.ts';
import { get_unaligned_be16, get_unaligned_be32 } from '../lib/byteorder.ts';
import { SKB_GSO_TCPV4 } from '../net/core/skbuff.ts';
import { nf_conntrack_tuple } from '../net/netfilter/nf_conntrack_tuple.ts';

const ETH_P_IP = 0x0800;
const L3 = 14;

/** The pseudo-header's sum as it stands in the checksum field of a packet whose checksum the NIC was to complete. */
function pseudo(frame: Uint8Array, proto: number, l4len: number): number {
	let sum = proto + l4len;
	for (let i = 0; i < 8; i += 2) sum += get_unaligned_be16(frame, L3 + 12 + i);
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
	return sum;
}

/**
 * What the kernel knew of a captured frame: that its checksum was not made yet (virtual links, its own packets), that it stands for several
 * segments (GRO and TSO: longer than the MTU), that its end was not captured. null: nothing.
 */
export function capturedOffload(frame: Uint8Array, mtu: number, cut: boolean): frame_offload | null {
	if (frame.length < L3 + 20 || get_unaligned_be16(frame, 12) !== ETH_P_IP || frame[L3] >> 4 !== 4) return null;
	const ihl = (frame[L3] & 15) * 4;
	const total = get_unaligned_be16(frame, L3 + 2);
	const proto = frame[L3 + 9];
	const o = new frame_offload();
	const l4 = L3 + ihl;
	const fragment = (get_unaligned_be16(frame, L3 + 6) & 0x3fff) !== 0;
	if (!fragment && (proto === 6 || proto === 17) && ihl >= 20 && total <= frame.length - L3) {
		const field = proto === 6 ? 16 : 6;
		const long = proto === 6 && total > mtu && frame.length >= l4 + 20;
		if (
			frame.length >= l4 + field + 2 &&
			(long || get_unaligned_be16(frame, l4 + field) === pseudo(frame, proto, total - ihl))
		) {
			o.csum_start = l4;
			o.csum_offset = field;
		}
		if (long) {
			o.gso_size = mtu - ihl - (frame[l4 + 12] >> 4) * 4;
			o.gso_type = SKB_GSO_TCPV4;
			return o;
		}
	}
	if (o.csum_start > 0) return o;
	if (cut) {
		o.csum_valid = true;
		return o;
	}
	return null;
}

/** The flow of a TCP, UDP or ICMP echo packet as conntrack knows it; `reply`: of the answer to it. null: it has none, or is a later fragment. */
export function flowTuple(frame: Uint8Array, reply: boolean): nf_conntrack_tuple | null {
	const ihl = (frame[L3] & 15) * 4;
	const l4 = L3 + ihl;
	if (frame.length < l4 + 8 || (get_unaligned_be16(frame, L3 + 6) & 0x1fff) !== 0) return null;
	const t = new nf_conntrack_tuple();
	const src = get_unaligned_be32(frame, L3 + 12) | 0;
	const dst = get_unaligned_be32(frame, L3 + 16) | 0;
	t.src_ip = reply ? dst : src;
	t.dst_ip = reply ? src : dst;
	t.protonum = frame[L3 + 9];
	if (t.protonum === 6 || t.protonum === 17) {
		t.src_u = get_unaligned_be16(frame, l4 + (reply ? 2 : 0));
		t.dst_u = get_unaligned_be16(frame, l4 + (reply ? 0 : 2));
	} else if (t.protonum === 1 && (frame[l4] === 0 || frame[l4] === 8)) {
		t.src_u = get_unaligned_be16(frame, l4 + 4);
		t.dst_u = (reply ? 8 - frame[l4] : frame[l4]) << 8;
	} else return null;
	return t;
}

/** The tuple as text, for keys. */
export function tupleKey(t: nf_conntrack_tuple): string {
	return `${t.protonum} ${t.src_ip} ${t.src_u} ${t.dst_ip} ${t.dst_u}`;
}

const PAYLOAD = 256;

/**
 * A number that is the same for the same packet. Strict: all but IP id and checksums. Else: what a router and its NAT leave as it is: the
 * payload, IP id, TCP's numbers.
 */
export function packetKey(frame: Uint8Array, strict: boolean): number {
	let h = 0x811c9dc5;
	const ihl = (frame[L3] & 15) * 4;
	const l4 = L3 + ihl;
	const proto = frame[L3 + 9];
	const total = get_unaligned_be16(frame, L3 + 2);
	const end = Math.min(frame.length, L3 + total, l4 + PAYLOAD);
	h = Math.imul(h ^ proto, 0x01000193);
	h = Math.imul(h ^ total, 0x01000193);
	h = Math.imul(h ^ get_unaligned_be16(frame, L3 + 6), 0x01000193);
	if (strict) {
		h = Math.imul(h ^ frame[L3 + 1], 0x01000193);
		h = Math.imul(h ^ frame[L3 + 8], 0x01000193);
		h = Math.imul(h ^ get_unaligned_be32(frame, L3 + 12), 0x01000193);
		h = Math.imul(h ^ get_unaligned_be32(frame, L3 + 16), 0x01000193);
	} else h = Math.imul(h ^ get_unaligned_be16(frame, L3 + 4), 0x01000193);
	// A later fragment has no header of its own.
	const first = (get_unaligned_be16(frame, L3 + 6) & 0x1fff) === 0;
	const sum = !first ? -1 : proto === 6 ? 16 : proto === 17 ? 6 : proto === 1 ? 2 : -1;
	// What NAT may write: ports, an echo's id.
	const from = strict || !first ? 0 : proto === 6 || proto === 17 ? 4 : 0;
	for (let i = l4 + from; i < end; i++) {
		const at = i - l4;
		if (at === sum || at === sum + 1) continue;
		if (!strict && first && proto === 1 && (at === 4 || at === 5)) continue;
		h = Math.imul(h ^ frame[i], 0x01000193);
	}
	return h >>> 0;
}
