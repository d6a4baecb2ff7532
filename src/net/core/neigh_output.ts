/*
 * net/core/neigh_output.ts: packets to a neighbour, by what is known of it.     Linux: net/core/neighbour.c, net/neighbour.h
 * Walk: neigh_output -> neigh_hh_output (the ready header) or n.output: neigh_resolve_output, neigh_connected_output, neigh_direct_output.
 */

import { trace_event } from '../../kernel/trace.ts';
import { EINVAL, ENETDOWN } from '../../uapi/asm-generic/errno.ts';
import {
	NUD_DELAY,
	NUD_FAILED,
	NUD_INCOMPLETE,
	NUD_NOARP,
	NUD_NONE,
	NUD_PERMANENT,
	NUD_PROBE,
	NUD_REACHABLE,
	NUD_STALE,
} from '../../uapi/linux/neighbour.ts';
import { dev_queue_xmit } from './dev.ts';
import { SKB_DROP_REASON_NEIGH_HH_FILLFAIL, SKB_DROP_REASON_NOT_SPECIFIED } from './dropreason.ts';
import { NUD_CONNECTED, NUD_VALID, neigh_event_send, type neighbour } from './neighbour.ts';
import { kfree_skb_reason, type sk_buff, skb_cow_head, skb_pull, skb_push } from './skbuff.ts';

const ETH_HLEN = 14;

function lladdr_text(n: neighbour): string {
	let s = '';
	for (let i = 0; i < n.dev.addr_len; i++) s += (i > 0 ? ':' : '') + n.ha[i].toString(16).padStart(2, '0');
	return s;
}

const state_names: Record<number, string> = {
	[NUD_NONE]: 'NONE',
	[NUD_INCOMPLETE]: 'INCOMPLETE',
	[NUD_REACHABLE]: 'REACHABLE',
	[NUD_STALE]: 'STALE',
	[NUD_DELAY]: 'DELAY',
	[NUD_PROBE]: 'PROBE',
	[NUD_FAILED]: 'FAILED',
	[NUD_NOARP]: 'NOARP',
	[NUD_PERMANENT]: 'PERMANENT',
};

export function neigh_state_name(state: number): string {
	return state_names[state] ?? `0x${state.toString(16)}`;
}

/** Says the neighbour's state to the packet's journey. */
export function neigh_trace(n: neighbour, skb: sk_buff, fn: string): void {
	const k = n.primary_key;
	trace_event(skb, 'neigh', fn, {
		addr: `${k >>> 24}.${(k >>> 16) & 255}.${(k >>> 8) & 255}.${k & 255}`,
		dev: n.dev.name,
		state: neigh_state_name(n.nud_state),
		lladdr: n.nud_state & NUD_VALID ? lladdr_text(n) : null,
	});
}

/** Sends a packet to a neighbour: the ready header when it is reachable, else whatever its state says. Consumes skb. */
export function neigh_output(n: neighbour, skb: sk_buff, skip_cache: boolean): number {
	if (n.hh_len > 0 && !skip_cache && n.nud_state & NUD_CONNECTED) {
		if (skb.journey !== null) neigh_trace(n, skb, 'neigh_hh_output');
		return neigh_hh_output(n, skb);
	}
	return n.output(n, skb);
}

function neigh_hh_output(n: neighbour, skb: sk_buff): number {
	const len = n.hh_len;
	if (skb.data < len || skb.cloned) {
		if (skb_cow_head(skb, len) < 0) {
			kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'neigh_hh_output');
			return -EINVAL;
		}
	}
	const at = skb_push(skb, len);
	const b = skb.head;
	const hh = n.hh;
	for (let i = 0; i < len; i++) b[at + i] = hh[i];
	return dev_queue_xmit(skb);
}

/** Puts the link header on. Return: whether it could. */
function neigh_hard_header(n: neighbour, skb: sk_buff): boolean {
	const dev = n.dev;
	const off = skb.network_header - skb.data;
	if (off > 0) skb_pull(skb, off);
	if (skb.data < dev.hard_header_len || skb.cloned) {
		if (skb_cow_head(skb, dev.hard_header_len) < 0) return false;
	}
	const ops = dev.header_ops;
	if (ops === null) return true;
	const len = ops.create(skb, dev, skb.protocol, n.ha, null, skb.len);
	if (len < 0) return false;
	if (len === ETH_HLEN && n.hh_len === 0) {
		for (let i = 0; i < len; i++) n.hh[i] = skb.head[skb.data + i];
		n.hh_len = len;
	}
	return true;
}

/** Output while the neighbour is not known to be there. Consumes skb. */
export function neigh_resolve_output(n: neighbour, skb: sk_buff): number {
	if (neigh_event_send(n, skb) !== 0) return 0;
	return neigh_send(n, skb, 'neigh_resolve_output');
}

/** Output while it is. Consumes skb. */
export function neigh_connected_output(n: neighbour, skb: sk_buff): number {
	return neigh_send(n, skb, 'neigh_connected_output');
}

function neigh_send(n: neighbour, skb: sk_buff, fn: string): number {
	if (skb.journey !== null) neigh_trace(n, skb, fn);
	if (!neigh_hard_header(n, skb)) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NEIGH_HH_FILLFAIL, fn);
		return -EINVAL;
	}
	return dev_queue_xmit(skb);
}

/** Output over a device without link header. Consumes skb. */
export function neigh_direct_output(n: neighbour, skb: sk_buff): number {
	if (skb.journey !== null) neigh_trace(n, skb, 'neigh_direct_output');
	return dev_queue_xmit(skb);
}

/** Output of an entry that ended. */
export function neigh_blackhole(_n: neighbour, skb: sk_buff): number {
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'neigh_blackhole');
	return -ENETDOWN;
}
