/*
 * net/core/skbuff.ts: the packet buffer.                           Linux: linux/skbuff.h, net/core/skbuff.c
 *
 *      head        data          tail         end
 *       | headroom  | linear data | tailroom  |      + frags[] + frag_list  (len = linear + data_len)
 *
 * `head` is a pooled Uint8Array; data, tail, end and the header offsets index it. Clones share `head` and `shinfo` (counted by
 * shinfo.dataref); the sk_buff itself is pooled too, so nobody may keep one that it has freed or handed on.
 * Lists of them: skbuff_queue.ts.
 */

import type { Machine } from '../../kernel/machine.ts';
import type { journey } from '../../kernel/trace.ts';
import { trace_event } from '../../kernel/trace.ts';
import { csum_add, csum_partial } from '../../lib/checksum.ts';
import { ENOMEM } from '../../uapi/asm-generic/errno.ts';
import type { ip_options } from '../ipv4/ip_options.ts';
import type { tcp_skb_cb } from '../ipv4/tcp_sock.ts';
import type { nf_conn } from '../netfilter/nf_conntrack_core.ts';
import { drop_reason_name } from './dropreason.ts';
import type { dst_entry } from './dst.ts';
import type { napi_gro_cb } from './gro.ts';
import type { net_device } from './netdevice.ts';
import {
	page_pool,
	type skb_frag,
	skb_frags_checksum,
	skb_frags_pull,
	skb_frags_share,
	skb_frags_trim,
	skb_frags_unref,
} from './skbuff_frags.ts';
import { skb_zcopy_clear, skb_zcopy_set, type ubuf_info } from './skbuff_zerocopy.ts';
import type { sock } from './sock.ts';

export const CHECKSUM_NONE = 0;
export const CHECKSUM_UNNECESSARY = 1;
export const CHECKSUM_COMPLETE = 2;
export const CHECKSUM_PARTIAL = 3;

export const MAX_SKB_FRAGS = 17;
export const NET_SKB_PAD = 64;
export const NET_IP_ALIGN = 0;

export const SKB_GSO_TCPV4 = 1 << 0;
export const SKB_GSO_DODGY = 1 << 1;
export const SKB_GSO_TCP_ECN = 1 << 2;
export const SKB_GSO_TCP_FIXEDID = 1 << 3;
export const SKB_GSO_TCPV6 = 1 << 4;
export const SKB_GSO_UDP = 1 << 16;
export const SKB_GSO_UDP_L4 = 1 << 17;

/** What clones share beside the bytes. */
export class skb_shared_info {
	dataref = 1;
	/** How many of those gave up the header part (skb.nohdr): who is left alone with it may write it. */
	payload_refs = 0;
	gso_size = 0;
	gso_segs = 0;
	gso_type = 0;
	/** How many of `frags` are in use. */
	nr_frags = 0;
	frags: skb_frag[] = [];
	/** Further whole buffers whose data belong to this packet (IP reassembly), linked by `next`. */
	frag_list: sk_buff | null = null;
	/** Whose memory the frags are in (MSG_ZEROCOPY); null: the machine's. */
	destructor_arg: ubuf_info | null = null;
}

/** IPv4's part of skb->cb (struct inet_skb_parm). */
export class inet_skb_parm {
	iif = 0;
	flags = 0;
	frag_max_size = 0;
	/** Compiled options; null when the header has none. */
	opt: ip_options | null = null;
}

export const IPSKB_FORWARDED = 1 << 0;
export const IPSKB_XFRM_TUNNEL_SIZE = 1 << 1;
export const IPSKB_XFRM_TRANSFORMED = 1 << 2;
export const IPSKB_FRAG_COMPLETE = 1 << 3;
export const IPSKB_REROUTED = 1 << 4;
export const IPSKB_DOREDIRECT = 1 << 5;
export const IPSKB_FRAG_PMTU = 1 << 6;
export const IPSKB_L3SLAVE = 1 << 7;
export const IPSKB_NOPOLICY = 1 << 8;

export function IPCB(skb: sk_buff): inet_skb_parm {
	return skb.ipcb;
}

export class sk_buff {
	machine: Machine;
	next: sk_buff | null = null;
	prev: sk_buff | null = null;
	/** Owning socket of a packet sent from here; null when forwarded. */
	sk: sock | null = null;
	dev: net_device | null = null;

	head: Uint8Array;
	shinfo: skb_shared_info;
	data = 0;
	tail = 0;
	end = 0;
	/** All data, in bytes: linear and not. */
	len = 0;
	/** Bytes outside the linear part. */
	data_len = 0;
	mac_len = 0;

	/** Offsets into head; -1 when not set. */
	mac_header = -1;
	network_header = -1;
	transport_header = -1;
	inner_mac_header = -1;
	inner_network_header = -1;
	inner_transport_header = -1;

	users = 1;
	/** Linear data may be shared with a clone. */
	cloned = false;
	/** Only the payload is this sk_buff's; the linear part before it is a clone's to write (__skb_header_release). */
	nohdr = false;
	pkt_type = 0;
	/** Ethertype, host order. */
	protocol = 0;
	ip_summed = CHECKSUM_NONE;
	csum_valid = false;
	/** Unfolded sum for CHECKSUM_COMPLETE. */
	csum = 0;
	/** For CHECKSUM_PARTIAL: offset into head where summing starts, and of the field from there. */
	csum_start = 0;
	csum_offset = 0;

	mark = 0;
	priority = 0;
	hash = 0;
	l4_hash = false;
	/** Interface index that it came in by. */
	skb_iif = 0;
	queue_mapping = 0;
	vlan_present = false;
	vlan_proto = 0;
	vlan_tci = 0;
	/** Time stamp in ns of the world's clock; -1 when not taken. */
	tstamp = -1;
	/** Charged to the socket's buffer. */
	truesize = 0;
	/** Freed data goes back to the socket by this; null when none. */
	destructor: ((skb: sk_buff) => void) | null = null;

	_skb_refdst: dst_entry | null = null;
	_nfct: nf_conn | null = null;
	/** IP_CT_*: valid while _nfct is not null; IP_CT_UNTRACKED stands alone. */
	_nfctinfo = 0;
	nf_trace = false;
	ignore_df = false;
	secmark = 0;
	pfmemalloc = false;
	/** The packet's way, when it is being followed. */
	journey: journey | null = null;

	ipcb: inet_skb_parm = new inet_skb_parm();
	/** Any other layer's part of skb->cb. Belongs to the layer that holds the packet. */
	cb: unknown = null;
	/** TCP's part: TCP_SKB_CB(skb). Made on first use, stays when the sk_buff is used again, never copied. */
	tcpcb: tcp_skb_cb | null = null;
	/** GRO's part: NAPI_GRO_CB(skb). As TCP's. */
	grocb: napi_gro_cb | null = null;

	constructor(machine: Machine, head: Uint8Array, shinfo: skb_shared_info) {
		this.machine = machine;
		this.head = head;
		this.shinfo = shinfo;
	}
}

const SIZE_CLASSES = [512, 2048, 9472, 65536 + 1024];
const POOL_MAX = 4096;

/** Free buffers of one machine, and the counts that tests check for leaks. */
export class skb_pool {
	machine: Machine;
	skbs: sk_buff[] = [];
	heads: Uint8Array[][] = SIZE_CLASSES.map(() => []);
	shinfos: skb_shared_info[] = [];
	/** Pages that frags point into. */
	pages: page_pool = new page_pool();
	/** Buffers handed out and not yet freed. */
	live = 0;

	constructor(machine: Machine) {
		this.machine = machine;
	}
}

export function skb_init(machine: Machine): void {
	machine.skb_pool = new skb_pool(machine);
}

function head_alloc(pool: skb_pool, size: number): Uint8Array {
	for (let c = 0; c < SIZE_CLASSES.length; c++) {
		if (size <= SIZE_CLASSES[c]) {
			const head = pool.heads[c].pop();
			return head !== undefined ? head : new Uint8Array(SIZE_CLASSES[c]);
		}
	}
	return new Uint8Array(size);
}

function head_free(pool: skb_pool, head: Uint8Array): void {
	const size = head.length;
	for (let c = 0; c < SIZE_CLASSES.length; c++) {
		if (size === SIZE_CLASSES[c]) {
			const free = pool.heads[c];
			if (free.length < POOL_MAX >> c) free.push(head);
			return;
		}
	}
}

function skb_get_struct(pool: skb_pool, head: Uint8Array, shinfo: skb_shared_info): sk_buff {
	const skb = pool.skbs.pop();
	pool.live++;
	if (skb === undefined) return new sk_buff(pool.machine, head, shinfo);
	skb.head = head;
	skb.shinfo = shinfo;
	skb.users = 1;
	return skb;
}

function skb_put_struct(pool: skb_pool, skb: sk_buff): void {
	pool.live--;
	if (pool.skbs.length >= POOL_MAX) return;
	skb.next = null;
	skb.prev = null;
	skb.sk = null;
	skb.dev = null;
	skb.head = EMPTY;
	skb.shinfo = NO_SHINFO;
	skb.data = 0;
	skb.tail = 0;
	skb.end = 0;
	skb.len = 0;
	skb.data_len = 0;
	skb.mac_len = 0;
	skb.mac_header = -1;
	skb.network_header = -1;
	skb.transport_header = -1;
	skb.inner_mac_header = -1;
	skb.inner_network_header = -1;
	skb.inner_transport_header = -1;
	skb.cloned = false;
	skb.nohdr = false;
	skb.pkt_type = 0;
	skb.protocol = 0;
	skb.ip_summed = CHECKSUM_NONE;
	skb.csum_valid = false;
	skb.csum = 0;
	skb.csum_start = 0;
	skb.csum_offset = 0;
	skb.mark = 0;
	skb.priority = 0;
	skb.hash = 0;
	skb.l4_hash = false;
	skb.skb_iif = 0;
	skb.queue_mapping = 0;
	skb.vlan_present = false;
	skb.vlan_proto = 0;
	skb.vlan_tci = 0;
	skb.tstamp = -1;
	skb.truesize = 0;
	skb.destructor = null;
	skb._skb_refdst = null;
	skb._nfct = null;
	skb._nfctinfo = 0;
	skb.nf_trace = false;
	skb.ignore_df = false;
	skb.secmark = 0;
	skb.pfmemalloc = false;
	skb.journey = null;
	const parm = skb.ipcb;
	parm.iif = 0;
	parm.flags = 0;
	parm.frag_max_size = 0;
	parm.opt = null;
	skb.cb = null;
	pool.skbs.push(skb);
}

const EMPTY = new Uint8Array(0);
const NO_SHINFO = new skb_shared_info();

/**
 * A new, empty buffer with room for `size` bytes. `parent`: the packet that it was made because of (its journey is continued), or null.
 */
export function alloc_skb(machine: Machine, size: number, parent: sk_buff | null = null): sk_buff {
	const pool = machine.skb_pool;
	const head = head_alloc(pool, size);
	let shinfo = pool.shinfos.pop();
	if (shinfo === undefined) shinfo = new skb_shared_info();
	const skb = skb_get_struct(pool, head, shinfo);
	skb.end = head.length;
	skb.truesize = head.length + 256;
	if (machine.tracer !== null) {
		skb.journey = machine.tracer.begin(
			machine,
			skb,
			parent !== null ? parent.journey : null,
			parent !== null ? 'caused' : 'new',
		);
	}
	return skb;
}

/**
 * A buffer for `len` bytes from a device's wire, with NET_SKB_PAD of headroom. The driver says skb_begin_journey once the bytes are in.
 * Context: softirq.
 */
export function netdev_alloc_skb(dev: net_device, len: number): sk_buff {
	const pool = dev.net.machine.skb_pool;
	const head = head_alloc(pool, len + NET_SKB_PAD);
	const skb = skb_get_struct(pool, head, pool.shinfos.pop() ?? new skb_shared_info());
	skb.end = head.length;
	skb.truesize = head.length + 256;
	skb.data = NET_SKB_PAD;
	skb.tail = NET_SKB_PAD;
	skb.dev = dev;
	return skb;
}

/** Asks the tracer about a packet whose bytes have just arrived. `parent`: the journey on the machine that sent it, or null. */
export function skb_begin_journey(skb: sk_buff, parent: journey | null, origin: string): void {
	const tracer = skb.machine.tracer;
	if (tracer !== null) skb.journey = tracer.begin(skb.machine, skb, parent, origin);
}

// ---- where things are ------------------------------------------------------------------------------------------------------------

export function skb_headroom(skb: sk_buff): number {
	return skb.data;
}

export function skb_tailroom(skb: sk_buff): number {
	return skb.data_len > 0 ? 0 : skb.end - skb.tail;
}

/** Bytes in the linear part. */
export function skb_headlen(skb: sk_buff): number {
	return skb.len - skb.data_len;
}

export function skb_is_nonlinear(skb: sk_buff): boolean {
	return skb.data_len !== 0;
}

export function skb_is_gso(skb: sk_buff): boolean {
	return skb.shinfo.gso_size !== 0;
}

export function skb_has_frag_list(skb: sk_buff): boolean {
	return skb.shinfo.frag_list !== null;
}

export function skb_reset_mac_header(skb: sk_buff): void {
	skb.mac_header = skb.data;
}

export function skb_reset_network_header(skb: sk_buff): void {
	skb.network_header = skb.data;
}

export function skb_reset_transport_header(skb: sk_buff): void {
	skb.transport_header = skb.data;
}

export function skb_set_network_header(skb: sk_buff, offset: number): void {
	skb.network_header = skb.data + offset;
}

export function skb_set_transport_header(skb: sk_buff, offset: number): void {
	skb.transport_header = skb.data + offset;
}

/** The header's place in `head`, as the pointer is in Linux. */
export function skb_mac_header(skb: sk_buff): number {
	return skb.mac_header;
}

export function skb_network_header(skb: sk_buff): number {
	return skb.network_header;
}

export function skb_transport_header(skb: sk_buff): number {
	return skb.transport_header;
}

/** Distance from data, negative when it lies before. */
export function skb_network_offset(skb: sk_buff): number {
	return skb.network_header - skb.data;
}

export function skb_transport_offset(skb: sk_buff): number {
	return skb.transport_header - skb.data;
}

export function skb_mac_header_was_set(skb: sk_buff): boolean {
	return skb.mac_header >= 0;
}

export function skb_reset_mac_len(skb: sk_buff): void {
	skb.mac_len = skb.network_header - skb.mac_header;
}

// ---- moving the ends -------------------------------------------------------------------------------------------------------------

/** Headroom for an empty buffer. */
export function skb_reserve(skb: sk_buff, len: number): void {
	skb.data += len;
	skb.tail += len;
}

/** `len` more bytes at the end. Return: where they start. The room must be there. */
export function skb_put(skb: sk_buff, len: number): number {
	const at = skb.tail;
	skb.tail += len;
	skb.len += len;
	return at;
}

/** `len` more bytes in front. Return: where they start. The room must be there (`skb_cow_head`). */
export function skb_push(skb: sk_buff, len: number): number {
	skb.data -= len;
	skb.len += len;
	return skb.data;
}

/** Takes `len` bytes off the front. Return: the new start, or -1 when there are fewer linear bytes. */
export function skb_pull(skb: sk_buff, len: number): number {
	if (len > skb.len - skb.data_len) return -1;
	skb.len -= len;
	skb.data += len;
	return skb.data;
}

/** skb_pull that makes the bytes linear first. Return: the new start, or -1. */
export function pskb_pull(skb: sk_buff, len: number): number {
	return pskb_may_pull(skb, len) ? skb_pull(skb, len) : -1;
}

/** Whether `len` bytes can be read at `data`, after making them linear. Nothing is read before it said yes. */
export function pskb_may_pull(skb: sk_buff, len: number): boolean {
	if (len <= skb.len - skb.data_len) return true;
	if (len > skb.len) return false;
	return pskb_may_pull_slow(skb, len);
}

function pskb_may_pull_slow(skb: sk_buff, len: number): boolean {
	return __pskb_pull_tail(skb, len - skb_headlen(skb)) >= 0;
}

/** Moves `delta` bytes from the fragments to the end of the linear part. Return: the old tail, or -1 without memory. */
export function __pskb_pull_tail(skb: sk_buff, delta: number): number {
	if (skb.tail + delta > skb.end || skb.cloned) {
		if (pskb_expand_head(skb, 0, Math.max(0, skb.tail + delta + 128 - skb.end)) < 0) return -1;
	}
	const at = skb.tail;
	skb_copy_bits(skb, skb_headlen(skb), skb.head, skb.tail, delta);
	let left = delta;
	const sh = skb.shinfo;
	if (sh.nr_frags > 0) left = skb_frags_pull(skb.machine, sh, left);
	while (left > 0 && sh.frag_list !== null) {
		const f = sh.frag_list;
		if (f.len > left) {
			pskb_pull(f, left);
			left = 0;
		} else {
			left -= f.len;
			sh.frag_list = f.next;
			f.next = null;
			consume_skb(f);
		}
	}
	skb.tail += delta;
	skb.data_len -= delta;
	return at;
}

/** Makes all of it linear. Return: 0 or -ENOMEM. */
export function skb_linearize(skb: sk_buff): number {
	if (skb.data_len === 0) return 0;
	return __pskb_pull_tail(skb, skb.data_len) < 0 ? -ENOMEM : 0;
}

/** Cuts a linear packet to `len` bytes. */
export function skb_trim(skb: sk_buff, len: number): void {
	if (skb.len > len && skb.data_len === 0) {
		skb.len = len;
		skb.tail = skb.data + len;
	}
}

/** Cuts any packet to `len` bytes. Return: 0 or -errno. */
export function pskb_trim(skb: sk_buff, len: number): number {
	if (skb.len <= len) return 0;
	if (skb.data_len > 0) {
		const headlen = skb.len - skb.data_len;
		if (skb.shinfo.frag_list === null && len >= headlen && !skb_cloned(skb)) {
			skb_frags_trim(skb.machine, skb.shinfo, len - headlen);
			skb.len = len;
			skb.data_len = len - headlen;
			return 0;
		}
		const err = skb_linearize(skb);
		if (err < 0) return err;
	}
	skb_trim(skb, len);
	return 0;
}

/** pskb_trim for receive: a checksum over the whole packet no longer holds. */
export function pskb_trim_rcsum(skb: sk_buff, len: number): number {
	if (skb.len <= len) return 0;
	if (skb.ip_summed === CHECKSUM_COMPLETE) skb.ip_summed = CHECKSUM_NONE;
	return pskb_trim(skb, len);
}

/** Takes `len` pulled bytes out of a CHECKSUM_COMPLETE sum; `start` is where they lie in head. */
export function skb_postpull_rcsum(skb: sk_buff, start: number, len: number): void {
	if (skb.ip_summed === CHECKSUM_COMPLETE) skb.csum = csum_add(skb.csum, ~csum_partial(skb.head, start, len, 0) >>> 0);
}

// ---- copies ----------------------------------------------------------------------------------------------------------------------

/** Copies `len` bytes from `offset` (from data) into `to`. Return: 0, or -1 when the packet is shorter. */
export function skb_copy_bits(skb: sk_buff, offset: number, to: Uint8Array, at: number, len: number): number {
	if (offset < 0 || offset + len > skb.len) return -1;
	let headlen = skb.len - skb.data_len - offset;
	if (headlen > 0) {
		if (headlen > len) headlen = len;
		to.set(skb.head.subarray(skb.data + offset, skb.data + offset + headlen), at);
		at += headlen;
		offset += headlen;
		len -= headlen;
	}
	if (len === 0) return 0;
	let start = skb_headlen(skb);
	const sh = skb.shinfo;
	for (let i = 0; i < sh.nr_frags; i++) {
		const f = sh.frags[i];
		if (len > 0 && offset < start + f.size) {
			const from = offset - start;
			const n = Math.min(f.size - from, len);
			to.set(f.page.mem.subarray(f.offset + from, f.offset + from + n), at);
			at += n;
			offset += n;
			len -= n;
		}
		start += f.size;
	}
	for (let l = sh.frag_list; l !== null && len > 0; l = l.next) {
		if (offset < start + l.len) {
			const from = offset - start;
			const n = Math.min(l.len - from, len);
			skb_copy_bits(l, from, to, at, n);
			at += n;
			offset += n;
			len -= n;
		}
		start += l.len;
	}
	return 0;
}

/** Writes `len` bytes of `from` into the packet at `offset` from data. The caller owns the data. Return: 0 or -1. */
export function skb_store_bits(skb: sk_buff, offset: number, from: Uint8Array, at: number, len: number): number {
	if (offset + len > skb.len) return -1;
	if (offset + len > skb_headlen(skb) && skb_linearize(skb) < 0) return -1;
	skb.head.set(from.subarray(at, at + len), skb.data + offset);
	return 0;
}

/** Checksum of `len` bytes from `offset` (from data), onto `csum`. Return: unfolded. */
export function skb_checksum(skb: sk_buff, offset: number, len: number, csum: number): number {
	if (offset + len <= skb.len - skb.data_len) return csum_partial(skb.head, skb.data + offset, len, csum);
	if (skb.shinfo.frag_list === null) {
		const headlen = skb.len - skb.data_len;
		const linear = offset < headlen ? headlen - offset : 0;
		if (linear > 0) csum = csum_partial(skb.head, skb.data + offset, linear, csum);
		return skb_frags_checksum(skb.shinfo, offset + linear - headlen, len - linear, csum, (linear & 1) !== 0);
	}
	const flat = new Uint8Array(len);
	skb_copy_bits(skb, offset, flat, 0, len);
	return csum_partial(flat, 0, len, csum);
}

/** What a copy of a packet keeps of it beside the bytes. */
export function skb_copy_meta(to: sk_buff, from: sk_buff): void {
	to.dev = from.dev;
	to.mac_len = from.mac_len;
	to.pkt_type = from.pkt_type;
	to.protocol = from.protocol;
	to.ip_summed = from.ip_summed;
	to.csum_valid = from.csum_valid;
	to.csum = from.csum;
	to.csum_offset = from.csum_offset;
	to.mark = from.mark;
	to.priority = from.priority;
	to.hash = from.hash;
	to.l4_hash = from.l4_hash;
	to.skb_iif = from.skb_iif;
	to.queue_mapping = from.queue_mapping;
	to.vlan_present = from.vlan_present;
	to.vlan_proto = from.vlan_proto;
	to.vlan_tci = from.vlan_tci;
	to.tstamp = from.tstamp;
	to.nf_trace = from.nf_trace;
	to.ignore_df = from.ignore_df;
	to.secmark = from.secmark;
	to.pfmemalloc = from.pfmemalloc;
	to._skb_refdst = from._skb_refdst;
	to._nfct = from._nfct;
	to._nfctinfo = from._nfctinfo;
	to.ipcb.iif = from.ipcb.iif;
	to.ipcb.flags = from.ipcb.flags;
	to.ipcb.frag_max_size = from.ipcb.frag_max_size;
	to.ipcb.opt = from.ipcb.opt;
	to.cb = from.cb;
}

/** The places of headers, `shift` bytes further. */
export function skb_copy_offsets(to: sk_buff, from: sk_buff, shift: number): void {
	to.mac_header = from.mac_header < 0 ? -1 : from.mac_header + shift;
	to.network_header = from.network_header < 0 ? -1 : from.network_header + shift;
	to.transport_header = from.transport_header < 0 ? -1 : from.transport_header + shift;
	to.inner_mac_header = from.inner_mac_header < 0 ? -1 : from.inner_mac_header + shift;
	to.inner_network_header = from.inner_network_header < 0 ? -1 : from.inner_network_header + shift;
	to.inner_transport_header = from.inner_transport_header < 0 ? -1 : from.inner_transport_header + shift;
	to.csum_start = from.csum_start + shift;
}

/** Another sk_buff over the same bytes; neither may write them without `skb_cow` or the like. The clone has no socket. */
export function skb_clone(skb: sk_buff): sk_buff {
	const machine = skb.machine;
	const n = skb_get_struct(machine.skb_pool, skb.head, skb.shinfo);
	n.data = skb.data;
	n.tail = skb.tail;
	n.end = skb.end;
	n.len = skb.len;
	n.data_len = skb.data_len;
	n.truesize = skb.truesize;
	skb_copy_meta(n, skb);
	skb_copy_offsets(n, skb, 0);
	skb.cloned = true;
	n.cloned = true;
	skb.shinfo.dataref++;
	if (machine.tracer !== null) n.journey = machine.tracer.begin(machine, n, skb.journey, 'clone');
	return n;
}

/** A private, linear copy with the same headroom. */
export function skb_copy(skb: sk_buff): sk_buff {
	return skb_copy_expand(skb, skb_headroom(skb), 0);
}

/** A private, linear copy with `newheadroom` and `newtailroom`. */
export function skb_copy_expand(skb: sk_buff, newheadroom: number, newtailroom: number): sk_buff {
	const machine = skb.machine;
	const pool = machine.skb_pool;
	const head = head_alloc(pool, newheadroom + skb.len + newtailroom);
	const n = skb_get_struct(pool, head, pool.shinfos.pop() ?? new skb_shared_info());
	n.end = head.length;
	n.truesize = head.length + 256;
	n.data = newheadroom;
	n.tail = newheadroom + skb.len;
	n.len = skb.len;
	skb_copy_bits(skb, 0, head, newheadroom, skb.len);
	// Headers that were pulled already lie in the headroom: keep as much as fits.
	const before = Math.min(skb.data, newheadroom);
	head.set(skb.head.subarray(skb.data - before, skb.data), newheadroom - before);
	skb_copy_meta(n, skb);
	skb_copy_offsets(n, skb, newheadroom - skb.data);
	n.shinfo.gso_size = skb.shinfo.gso_size;
	n.shinfo.gso_segs = skb.shinfo.gso_segs;
	n.shinfo.gso_type = skb.shinfo.gso_type;
	if (machine.tracer !== null) n.journey = machine.tracer.begin(machine, n, skb.journey, 'copy');
	return n;
}

/** A copy with its own linear part; frags are shared. */
export function pskb_copy(skb: sk_buff): sk_buff {
	if (skb.shinfo.frag_list !== null) return skb_copy(skb);
	const machine = skb.machine;
	const pool = machine.skb_pool;
	const head = head_alloc(pool, skb.tail);
	const n = skb_get_struct(pool, head, pool.shinfos.pop() ?? new skb_shared_info());
	n.end = head.length;
	n.data = skb.data;
	n.tail = skb.tail;
	n.len = skb.len;
	n.data_len = skb.data_len;
	n.truesize = skb.truesize;
	head.set(skb.head.subarray(0, skb.tail), 0);
	skb_copy_meta(n, skb);
	skb_copy_offsets(n, skb, 0);
	n.shinfo.gso_size = skb.shinfo.gso_size;
	n.shinfo.gso_segs = skb.shinfo.gso_segs;
	n.shinfo.gso_type = skb.shinfo.gso_type;
	skb_frags_share(n.shinfo, skb.shinfo);
	if (skb.shinfo.destructor_arg !== null) skb_zcopy_set(n, skb.shinfo.destructor_arg);
	if (machine.tracer !== null) n.journey = machine.tracer.begin(machine, n, skb.journey, 'copy');
	return n;
}

/** Makes the linear part private, with `nhead` and `ntail` more room. Offsets move along. Return: 0. */
export function pskb_expand_head(skb: sk_buff, nhead: number, ntail: number): number {
	const pool = skb.machine.skb_pool;
	const head = head_alloc(pool, skb.end + nhead + ntail);
	head.set(skb.head.subarray(0, skb.tail), nhead);
	const old = skb.shinfo;
	if (skb.cloned && old.dataref > 1) {
		const sh = pool.shinfos.pop() ?? new skb_shared_info();
		sh.gso_size = old.gso_size;
		sh.gso_segs = old.gso_segs;
		sh.gso_type = old.gso_type;
		skb_frags_share(sh, old);
		let last: sk_buff | null = null;
		for (let f = old.frag_list; f !== null; f = f.next) {
			const c = skb_clone(f);
			if (last === null) sh.frag_list = c;
			else last.next = c;
			last = c;
		}
		old.dataref--;
		if (skb.nohdr) old.payload_refs = 0;
		skb.shinfo = sh;
		if (old.destructor_arg !== null) skb_zcopy_set(skb, old.destructor_arg);
	} else {
		head_free(pool, skb.head);
	}
	skb.head = head;
	skb.end = head.length;
	skb.data += nhead;
	skb.tail += nhead;
	skb_copy_offsets(skb, skb, nhead);
	skb.cloned = false;
	if (skb.nohdr) {
		skb.nohdr = false;
		skb.shinfo.payload_refs = 0;
	}
	return 0;
}

/** The header part belongs to the one clone that there will be: no copy is needed to write it. */
export function __skb_header_release(skb: sk_buff): void {
	skb.nohdr = true;
	skb.shinfo.payload_refs = 1;
}

/** Whether the header part is shared: that of a clone whose original gave it up is not. */
export function skb_header_cloned(skb: sk_buff): boolean {
	return skb.cloned && skb.shinfo.dataref - skb.shinfo.payload_refs > 1;
}

export function skb_cloned(skb: sk_buff): boolean {
	return skb.cloned && skb.shinfo.dataref > 1;
}

export function skb_shared(skb: sk_buff): boolean {
	return skb.users !== 1;
}

/** At least `headroom` bytes of headroom and a private header. Return: 0 or -ENOMEM. */
export function skb_cow(skb: sk_buff, headroom: number): number {
	const delta = headroom > skb.data ? headroom - skb.data : 0;
	return delta > 0 || skb_cloned(skb) ? pskb_expand_head(skb, (delta + 31) & ~31, 0) : 0;
}

/** skb_cow for who writes headers only. */
export function skb_cow_head(skb: sk_buff, headroom: number): number {
	const delta = headroom > skb.data ? headroom - skb.data : 0;
	return delta > 0 || skb_header_cloned(skb) ? pskb_expand_head(skb, (delta + 31) & ~31, 0) : 0;
}

/** The first `write_len` bytes are linear and private after this. Return: 0 or -ENOMEM. */
export function skb_ensure_writable(skb: sk_buff, write_len: number): number {
	if (!pskb_may_pull(skb, write_len)) return -ENOMEM;
	return skb_header_cloned(skb) ? pskb_expand_head(skb, 0, 0) : 0;
}

/** One more user of the same sk_buff. */
export function skb_get(skb: sk_buff): sk_buff {
	skb.users++;
	return skb;
}

/** An skb that nobody else uses: itself, or a clone in its place. Consumes `skb`. */
export function skb_share_check(skb: sk_buff): sk_buff {
	if (skb.users === 1) return skb;
	const n = skb_clone(skb);
	consume_skb(skb);
	return n;
}

/** An skb whose data nobody else uses: itself, or a copy. Consumes `skb`. */
export function skb_unshare(skb: sk_buff): sk_buff {
	if (!skb_cloned(skb)) return skb;
	const n = skb_copy(skb);
	consume_skb(skb);
	return n;
}

// ---- dst and socket --------------------------------------------------------------------------------------------------------------

export function skb_dst(skb: sk_buff): dst_entry | null {
	return skb._skb_refdst;
}

export function skb_dst_set(skb: sk_buff, dst: dst_entry | null): void {
	skb._skb_refdst = dst;
}

export function skb_dst_drop(skb: sk_buff): void {
	skb._skb_refdst = null;
}

/** Gives back what the socket was charged; the skb belongs to no socket then. */
export function skb_orphan(skb: sk_buff): void {
	if (skb.destructor !== null) {
		const d = skb.destructor;
		skb.destructor = null;
		d(skb);
	}
	skb.sk = null;
}

export function nf_reset_ct(skb: sk_buff): void {
	skb._nfct = null;
	skb._nfctinfo = 0;
}

// ---- the end ---------------------------------------------------------------------------------------------------------------------

function skb_release(skb: sk_buff): void {
	if (skb.destructor !== null) skb_orphan(skb);
	const pool = skb.machine.skb_pool;
	const sh = skb.shinfo;
	if (skb.nohdr) sh.payload_refs = 0;
	if (--sh.dataref === 0) {
		head_free(pool, skb.head);
		if (sh.nr_frags > 0) skb_frags_unref(skb.machine, sh);
		let f = sh.frag_list;
		sh.frag_list = null;
		while (f !== null) {
			const next: sk_buff | null = f.next;
			f.next = null;
			consume_skb(f);
			f = next;
		}
		sh.dataref = 1;
		sh.gso_size = 0;
		sh.gso_segs = 0;
		sh.gso_type = 0;
		if (sh.destructor_arg !== null) skb_zcopy_clear(sh, true);
		if (pool.shinfos.length < POOL_MAX) pool.shinfos.push(sh);
	}
	skb_put_struct(pool, skb);
}

/** The packet did what it was for. */
export function consume_skb(skb: sk_buff): void {
	if (--skb.users > 0) return;
	if (skb.journey !== null) trace_event(skb, 'consume', 'consume_skb', null);
	skb_release(skb);
}

/**
 * The packet is dropped, and why. `location`: the kernel function that dropped it.
 */
export function kfree_skb_reason(skb: sk_buff, reason: number, location = ''): void {
	if (--skb.users > 0) return;
	if (skb.journey !== null) trace_event(skb, 'drop', location, { reason: drop_reason_name(reason) });
	if (skb.machine.kfree_skb_probe !== null) skb.machine.kfree_skb_probe(skb, reason, location);
	skb_release(skb);
}

/** A drop that Linux gives no reason for. */
export function kfree_skb(skb: sk_buff, location = ''): void {
	kfree_skb_reason(skb, 2, location);
}

export function dev_kfree_skb(skb: sk_buff): void {
	consume_skb(skb);
}

/** Drops a list linked by `next`. */
export function kfree_skb_list_reason(segs: sk_buff | null, reason: number, location = ''): void {
	while (segs !== null) {
		const next: sk_buff | null = segs.next;
		segs.next = null;
		kfree_skb_reason(segs, reason, location);
		segs = next;
	}
}
