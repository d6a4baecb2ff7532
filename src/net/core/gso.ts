/*
 * net/core/gso.ts: cuts one large packet into the ones that fit the wire.    Linux: net/core/gso.c, skb_segment() of skbuff.c
 *
 * Families register a packet_offload by ethertype (dev_add_offload); it finds the transport's callback and that cuts.
 * skb_segment() does the part that all share: it copies the headers in front of each piece of the payload.
 */

import type { Machine } from '../../kernel/machine.ts';
import { trace_event } from '../../kernel/trace.ts';
import { EPROTONOSUPPORT } from '../../uapi/asm-generic/errno.ts';
import {
	alloc_skb,
	CHECKSUM_PARTIAL,
	MAX_SKB_FRAGS,
	type sk_buff,
	skb_copy_bits,
	skb_put,
	skb_reserve,
} from './skbuff.ts';
import { skb_append_pagefrags } from './skbuff_frags.ts';

/**
 * Cuts: borrows skb, whose data starts at the header of this layer. Return: the segments linked by next (data at the same layer), or -errno.
 */
export type gso_segment_t = (skb: sk_buff, features: number) => sk_buff | number;

export interface packet_offload {
	/** Ethertype. */
	type: number;
	gso_segment: gso_segment_t;
	/** Finds in `head`'s train the packet that skb continues. Borrows skb. Return: a packet that must leave the train now, or null. */
	gro_receive?: (head: sk_buff | null, skb: sk_buff) => sk_buff | null;
	/** Writes the merged packet's header at `nhoff` from data. */
	gro_complete?: (skb: sk_buff, nhoff: number) => void;
}

/** Registers a family's way to cut. */
export function dev_add_offload(machine: Machine, po: packet_offload): void {
	machine.net.offload_base.push(po);
}

/**
 * Cuts a packet with gso_size into segments with whole link headers. Borrows skb.
 * Return: segments linked by next; null when it need not be cut; -errno.
 */
export function skb_gso_segment(skb: sk_buff, features: number): sk_buff | null | number {
	const machine = skb.machine;
	let ptype: packet_offload | null = null;
	for (const po of machine.net.offload_base) if (po.type === skb.protocol) ptype = po;
	if (ptype === null) return -EPROTONOSUPPORT;
	const mac_len = skb.network_header - skb.data;
	skb.mac_header = skb.data;
	skb.mac_len = mac_len;
	skb.data += mac_len;
	skb.len -= mac_len;
	const segs = ptype.gso_segment(skb, features);
	skb.data -= mac_len;
	skb.len += mac_len;
	if (typeof segs === 'number') return segs;
	let n = 0;
	for (let s: sk_buff | null = segs; s !== null; s = s.next) {
		// The segments' headroom holds the link header already.
		s.data = s.mac_header;
		s.len = s.tail - s.data + s.data_len;
		n++;
	}
	if (skb.journey !== null) trace_event(skb, 'note', 'skb_gso_segment', { segs: n, gso_size: skb.shinfo.gso_size });
	return segs;
}

/**
 * Cuts the payload behind the transport header into pieces of gso_size, each behind a copy of all headers.
 * `hdrlen`: length of the transport header. Borrows skb. Return: segments with data at skb.data's layer; header fields are the caller's to fix.
 */
export function skb_segment(skb: sk_buff, hdrlen: number): sk_buff {
	const machine = skb.machine;
	const mac = skb.mac_header;
	const headers = skb.transport_header + hdrlen - mac;
	const from_data = skb.transport_header + hdrlen - skb.data;
	const payload = skb.len - from_data;
	const mss = skb.shinfo.gso_size;
	let first: sk_buff | null = null;
	let last: sk_buff | null = null;
	let offset = 0;
	// Payload that lies in pages stays there: each piece points to its part.
	const sh = skb.shinfo;
	const paged = skb.data_len === payload && payload > 0 && sh.frag_list === null;
	let frag = 0;
	let frag_at = 0;
	do {
		const n = Math.min(mss, payload - offset);
		const s = alloc_skb(machine, mac + headers + (paged ? 0 : n), skb);
		skb_reserve(s, mac);
		const at = skb_put(s, headers + (paged ? 0 : n));
		s.head.set(skb.head.subarray(mac, mac + headers), at);
		if (paged) {
			for (let left = n; left > 0; ) {
				const f = sh.frags[frag];
				const part = Math.min(left, f.size - frag_at);
				skb_append_pagefrags(s, f.page, f.offset + frag_at, part, MAX_SKB_FRAGS);
				left -= part;
				frag_at += part;
				if (frag_at === f.size) {
					frag++;
					frag_at = 0;
				}
			}
			s.len += n;
			s.data_len += n;
			s.truesize += n;
		} else skb_copy_bits(skb, from_data + offset, s.head, at + headers, n);
		s.dev = skb.dev;
		s.protocol = skb.protocol;
		s.pkt_type = skb.pkt_type;
		s.priority = skb.priority;
		s.mark = skb.mark;
		s.hash = skb.hash;
		s.l4_hash = skb.l4_hash;
		s.queue_mapping = skb.queue_mapping;
		s.skb_iif = skb.skb_iif;
		s._skb_refdst = skb._skb_refdst;
		s._nfct = skb._nfct;
		s._nfctinfo = skb._nfctinfo;
		s.mac_header = mac;
		s.mac_len = skb.mac_len;
		s.network_header = skb.network_header;
		s.transport_header = skb.transport_header;
		s.ip_summed = CHECKSUM_PARTIAL;
		s.csum_start = skb.csum_start;
		s.csum_offset = skb.csum_offset;
		const pull = skb.data - mac;
		s.data += pull;
		s.len -= pull;
		if (last === null) first = s;
		else last.next = s;
		last = s;
		offset += n;
	} while (offset < payload);
	return first!;
}
