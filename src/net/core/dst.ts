/*
 * net/core/dst.ts: a destination: what a route says about the next step of a packet.    Linux: net/dst.h, net/core/dst.c
 */
import type { Machine } from '../../kernel/machine.ts';
import { RTAX_MAX, RTAX_MTU } from '../../uapi/linux/rtnetlink.ts';
import { SKB_DROP_REASON_NOT_SPECIFIED } from './dropreason.ts';
import type { neighbour } from './neighbour.ts';
import type { net } from './net_namespace.ts';
import type { net_device } from './netdevice.ts';
import { kfree_skb_reason, type sk_buff } from './skbuff.ts';
import type { sock } from './sock.ts';

export const DST_NOXFRM = 0x0002;
export const DST_NOPOLICY = 0x0004;
export const DST_NOCOUNT = 0x0008;

export const DST_OBSOLETE_NONE = 0;
export const DST_OBSOLETE_DEAD = 2;
export const DST_OBSOLETE_FORCE_CHK = -1;

export type dst_input_t = (skb: sk_buff) => number;
export type dst_output_t = (net: net, sk: sock | null, skb: sk_buff) => number;

/** What a family does for its routes. */
export interface dst_ops {
	family: number;
	mtu: (dst: dst_entry) => number;
	default_advmss: (dst: dst_entry) => number;
	/** The entry itself while it holds, else null. */
	check: (dst: dst_entry, cookie: number) => dst_entry | null;
	update_pmtu: (dst: dst_entry, sk: sock | null, skb: sk_buff | null, mtu: number, confirm_neigh: boolean) => void;
	redirect: (dst: dst_entry, sk: sock | null, skb: sk_buff) => void;
	link_failure: (skb: sk_buff) => void;
	neigh_lookup: (dst: dst_entry, skb: sk_buff | null, daddr: number) => neighbour | null;
	negative_advice: (sk: sock, dst: dst_entry) => void;
}

export class dst_entry {
	dev: net_device;
	ops: dst_ops;
	/** RTAX_* by index, 0 when not set. */
	_metrics: Uint32Array | null = null;
	flags: number;
	obsolete: number;
	/** -errno of a route that says no. */
	error = 0;
	header_len = 0;
	trailer_len = 0;
	/** In jiffies; 0 for never. */
	expires = 0;
	/** ns of the clock when it was last used. */
	lastuse = 0;
	input: dst_input_t = dst_discard;
	output: dst_output_t = dst_discard_out;

	constructor(dev: net_device, ops: dst_ops, flags: number, obsolete: number) {
		this.dev = dev;
		this.ops = ops;
		this.flags = flags;
		this.obsolete = obsolete;
	}
}

/** Hands a routed packet to where its route leads in. Consumes skb. */
export function dst_input(skb: sk_buff): number {
	return skb._skb_refdst!.input(skb);
}

/** Hands a routed packet to where its route leads out. Consumes skb. */
export function dst_output(net: net, sk: sock | null, skb: sk_buff): number {
	return skb._skb_refdst!.output(net, sk, skb);
}

export function dst_discard(skb: sk_buff): number {
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'dst_discard_out');
	return 0;
}

export function dst_discard_out(_net: net, _sk: sock | null, skb: sk_buff): number {
	return dst_discard(skb);
}

export function dst_metric(dst: dst_entry, metric: number): number {
	return dst._metrics === null ? 0 : dst._metrics[metric];
}

export function dst_metric_set(dst: dst_entry, metric: number, value: number): void {
	if (dst._metrics === null) dst._metrics = new Uint32Array(RTAX_MAX + 1);
	dst._metrics[metric] = value;
}

/** The largest packet, in bytes of IP, that may leave by this route. */
export function dst_mtu(dst: dst_entry): number {
	return dst.ops.mtu(dst);
}

/** MTU as a route's metric says, 0 when it does not. */
export function dst_metric_mtu(dst: dst_entry): number {
	return dst_metric(dst, RTAX_MTU);
}

/** The entry if it still holds. */
export function dst_check(dst: dst_entry, cookie: number): dst_entry | null {
	return dst.obsolete !== 0 ? dst.ops.check(dst, cookie) : dst;
}

export function dst_machine(dst: dst_entry): Machine {
	return dst.dev.net.machine;
}
