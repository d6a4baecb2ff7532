/*
 * net/core/gro.ts: packets of one flow that arrive together go up as one large packet.      Linux: net/core/gro.c, net/gro.h
 *
 * Walk: a driver's poll -> napi_gro_receive -> dev_gro_receive -> the family's gro_receive (inet_gro_receive -> tcp4_gro_receive, udp4_gro_receive)
 *       finds a packet that this one continues, and skb_gro_receive appends it; else it is held as the first of a train. A train leaves by
 *       napi_gro_complete when something of its flow does not fit, when it is as large as it gets, and when the poll ends (napi_complete_done).
 * What goes up has gso_size and gso_segs, so that it can be cut again just as it was.
 * Not here: GRO_FRAGLIST, tunnels, gro_flush_timeout, busy polling.
 */
import { trace_event } from '../../kernel/trace.ts';
import { csum_fold } from '../../lib/checksum.ts';
import { E2BIG } from '../../uapi/asm-generic/errno.ts';
import { type napi_struct, netif_receive_skb } from './dev_input.ts';
import type { packet_offload } from './gso.ts';
import { NETIF_F_GRO } from './netdevice.ts';
import {
	CHECKSUM_COMPLETE,
	CHECKSUM_NONE,
	CHECKSUM_PARTIAL,
	CHECKSUM_UNNECESSARY,
	consume_skb,
	MAX_SKB_FRAGS,
	SKB_GSO_DODGY,
	type sk_buff,
	skb_checksum,
	skb_pull,
} from './skbuff.ts';
import { skb_append_pagefrags, skb_can_coalesce } from './skbuff_frags.ts';

const GRO_HASH_BUCKETS = 8;
const MAX_GRO_SKBS = 8;
/** The largest packet that IPv4 can say the length of. */
const GRO_LEGACY_MAX_SIZE = 65536;

export const GRO_MERGED = 0;
export const GRO_MERGED_FREE = 1;
export const GRO_HELD = 2;
export const GRO_NORMAL = 3;

/** GRO's part of a packet while NAPI holds it. */
export class napi_gro_cb {
	/** Of the header at hand, from skb.data. */
	data_offset = 0;
	/** It cannot be merged (now). */
	flush = false;
	/** The packet in the list that is being looked at is of the same flow. */
	same_flow = false;
	/** Packets that it stands for. */
	count = 0;
	/** Its data are another's now; what is left of it is to be freed. */
	free = false;
	/** Last of the frag_list, when packets were chained and not their pages. */
	last: sk_buff | null = null;
	/** Sum of the flow. */
	hash = 0;
	/** Whether all ids of IP were the same (not counting up). */
	ip_fixedid = false;
	/** Offset of the IP header from skb.data. */
	network_offset = 0;
	is_flist = false;
}

/** Return: the packet's part, made on first use. */
export function NAPI_GRO_CB(skb: sk_buff): napi_gro_cb {
	const cb = skb.grocb;
	if (cb !== null) return cb;
	const made = new napi_gro_cb();
	skb.grocb = made;
	return made;
}

/** Trains of one NAPI instance, in buckets by flow; linked by next, the youngest first. */
export class gro_node {
	lists: (sk_buff | null)[] = new Array(GRO_HASH_BUCKETS).fill(null);
	counts: number[] = new Array(GRO_HASH_BUCKETS).fill(0);
	/** All together. */
	held = 0;
}

/** Bytes from the header at hand to the end. */
export function skb_gro_len(skb: sk_buff): number {
	return skb.len - NAPI_GRO_CB(skb).data_offset;
}

/** Whether the checksum from the header at hand on is good, or another's to check. `pseudo`: of the pseudo header. */
export function skb_gro_checksum_validate(skb: sk_buff, pseudo: number): boolean {
	if (skb.ip_summed === CHECKSUM_UNNECESSARY || skb.ip_summed === CHECKSUM_PARTIAL) return true;
	const offset = NAPI_GRO_CB(skb).data_offset;
	if (csum_fold(skb_checksum(skb, offset, skb.len - offset, pseudo)) !== 0) return false;
	// Good once is good for all above.
	if (skb.ip_summed === CHECKSUM_NONE || skb.ip_summed === CHECKSUM_COMPLETE) skb.ip_summed = CHECKSUM_UNNECESSARY;
	return true;
}

/** A number that is the same for packets of one flow: addresses, protocol and ports of IPv4. */
function flow_hash(skb: sk_buff): number {
	if (skb.hash !== 0) return skb.hash;
	const b = skb.head;
	const o = skb.data;
	if (skb.tail - o < 24) return 0;
	let h = (b[o + 12] << 24) | (b[o + 13] << 16) | (b[o + 14] << 8) | b[o + 15];
	h = Math.imul(h ^ ((b[o + 16] << 24) | (b[o + 17] << 16) | (b[o + 18] << 8) | b[o + 19]), 0x9e3779b1);
	h = Math.imul(h ^ ((b[o + 20] << 24) | (b[o + 21] << 16) | (b[o + 22] << 8) | b[o + 23]), 0x85ebca6b);
	return h ^ (h >>> 15) ^ b[o + 9];
}

/** Marks which of a bucket's trains can be of the packet's flow as far as the link layer says. */
function gro_list_prepare(head: sk_buff | null, skb: sk_buff, hash: number): void {
	const maclen = skb.data - skb.mac_header;
	for (let p = head; p !== null; p = p.next) {
		const cb = NAPI_GRO_CB(p);
		let same = cb.hash === hash && p.dev === skb.dev && p.protocol === skb.protocol;
		if (same) same = p.vlan_present === skb.vlan_present && p.vlan_tci === skb.vlan_tci;
		if (same) {
			const a = p.mac_header;
			const b = skb.mac_header;
			for (let i = 0; i < maclen; i++)
				if (p.head[a + i] !== skb.head[b + i]) {
					same = false;
					break;
				}
		}
		cb.same_flow = same;
	}
}

function list_del(gro: gro_node, bucket: number, skb: sk_buff): void {
	let prev: sk_buff | null = null;
	for (let p = gro.lists[bucket]; p !== null; prev = p, p = p.next) {
		if (p !== skb) continue;
		if (prev === null) gro.lists[bucket] = p.next;
		else prev.next = p.next;
		p.next = null;
		gro.counts[bucket]--;
		gro.held--;
		return;
	}
}

/** The train is complete: headers as if it had been sent so, and up with it. */
function napi_gro_complete(skb: sk_buff): void {
	const cb = NAPI_GRO_CB(skb);
	cb.last = null;
	if (cb.count === 1) skb.shinfo.gso_size = 0;
	else {
		const ptype = gro_find(skb);
		if (ptype !== null && ptype.gro_complete != null) ptype.gro_complete(skb, 0);
		if (skb.journey !== null) trace_event(skb, 'note', 'napi_gro_complete', { segs: cb.count, len: skb.len });
	}
	netif_receive_skb(skb);
}

function gro_find(skb: sk_buff): packet_offload | null {
	const base = skb.machine.net.offload_base;
	for (let i = 0; i < base.length; i++)
		if (base[i].type === skb.protocol && base[i].gro_receive != null) return base[i];
	return null;
}

/** Sends up all that is held. Context: softirq. */
export function napi_gro_flush(napi: napi_struct): void {
	const gro = napi.gro;
	if (gro.held === 0) return;
	for (let i = 0; i < GRO_HASH_BUCKETS; i++) {
		let p = gro.lists[i];
		if (p === null) continue;
		gro.lists[i] = null;
		gro.held -= gro.counts[i];
		gro.counts[i] = 0;
		// Oldest first.
		let rev: sk_buff | null = null;
		while (p !== null) {
			const next: sk_buff | null = p.next;
			p.next = rev;
			rev = p;
			p = next;
		}
		while (rev !== null) {
			const next: sk_buff | null = rev.next;
			rev.next = null;
			napi_gro_complete(rev);
			rev = next;
		}
	}
}

function dev_gro_receive(napi: napi_struct, skb: sk_buff): number {
	const ptype = gro_find(skb);
	if (ptype === null) return GRO_NORMAL;
	const gro = napi.gro;
	const cb = NAPI_GRO_CB(skb);
	const sh = skb.shinfo;
	cb.same_flow = false;
	cb.free = false;
	cb.flush = sh.frag_list !== null;
	cb.count = 1;
	cb.data_offset = 0;
	cb.network_offset = 0;
	cb.ip_fixedid = false;
	cb.is_flist = false;
	cb.last = null;
	if (sh.gso_size !== 0) {
		cb.count = sh.gso_segs;
		if (sh.gso_type === 0 || (sh.gso_type & SKB_GSO_DODGY) !== 0) cb.flush = true;
	}
	const hash = flow_hash(skb);
	cb.hash = hash;
	const bucket = hash & (GRO_HASH_BUCKETS - 1);
	const head = gro.lists[bucket];
	if (head !== null) gro_list_prepare(head, skb, hash);
	const pp = ptype.gro_receive!(head, skb);
	const same_flow = cb.same_flow;
	if (pp !== null) {
		list_del(gro, bucket, pp);
		napi_gro_complete(pp);
	}
	if (same_flow) return cb.free ? GRO_MERGED_FREE : GRO_MERGED;
	if (cb.flush) return GRO_NORMAL;
	if (gro.counts[bucket] >= MAX_GRO_SKBS) {
		let oldest = gro.lists[bucket]!;
		while (oldest.next !== null) oldest = oldest.next;
		list_del(gro, bucket, oldest);
		napi_gro_complete(oldest);
	}
	if (sh.gso_size === 0) sh.gso_size = skb.len - cb.data_offset;
	skb.next = gro.lists[bucket];
	gro.lists[bucket] = skb;
	gro.counts[bucket]++;
	gro.held++;
	return GRO_HELD;
}

/** Takes one packet from a driver's poll (data behind the link header). Context: softirq; consumes skb. Return: GRO_*. */
export function napi_gro_receive(napi: napi_struct, skb: sk_buff): number {
	let ret = GRO_NORMAL;
	if ((skb.dev!.features & NETIF_F_GRO) !== 0) ret = dev_gro_receive(napi, skb);
	if (ret === GRO_NORMAL) netif_receive_skb(skb);
	else if (ret === GRO_MERGED_FREE) consume_skb(skb);
	return ret;
}

/** Appends the payload of `skb` (from its data_offset on) to `p`: its pages when all of it lies in pages, else the packet. Return: 0 or -E2BIG. */
export function skb_gro_receive(p: sk_buff, skb: sk_buff): number {
	const cb = NAPI_GRO_CB(skb);
	const pcb = NAPI_GRO_CB(p);
	const offset = cb.data_offset;
	const len = skb.len - offset;
	if (p.len + len >= GRO_LEGACY_MAX_SIZE || cb.flush) return -E2BIG;
	const headlen = skb.len - skb.data_len;
	const sh = skb.shinfo;
	const psh = p.shinfo;
	if (headlen <= offset && psh.frag_list === null) {
		const first = headlen === offset && sh.nr_frags > 0 ? sh.frags[0] : null;
		const joins = first !== null && skb_can_coalesce(p, psh.nr_frags, first.page, first.offset) ? 1 : 0;
		if (first !== null && psh.nr_frags + sh.nr_frags - joins <= MAX_SKB_FRAGS) {
			for (let i = 0; i < sh.nr_frags; i++) {
				const f = sh.frags[i];
				skb_append_pagefrags(p, f.page, f.offset, f.size, MAX_SKB_FRAGS);
			}
			p.data_len += len;
			p.len += len;
			// The sk_buff and the header part go back.
			p.truesize += Math.min(len, skb.truesize);
			pcb.count += cb.count;
			cb.free = true;
			cb.same_flow = true;
			if (skb.journey !== null) trace_event(skb, 'note', 'skb_gro_receive', { merged: true });
			return 0;
		}
	}
	if (skb.journey !== null) trace_event(skb, 'note', 'skb_gro_receive', { merged: true });
	skb_pull(skb, offset);
	skb.next = null;
	if (pcb.last === null) psh.frag_list = skb;
	else pcb.last.next = skb;
	pcb.last = skb;
	p.data_len += len;
	p.len += len;
	p.truesize += skb.truesize;
	pcb.count += cb.count;
	cb.same_flow = true;
	return 0;
}
