/*
 * net/802/stp.ts: where spanning tree's frames arrive.             Linux: net/802/stp.c
 * IEEE 802.1D 7.12: LLC 0x42 unnumbered. Nobody takes them. Not here yet: bridges.
 */

import { SKB_DROP_REASON_NOT_SPECIFIED } from '../core/dropreason.ts';
import type { net_device } from '../core/netdevice.ts';
import { kfree_skb_reason, type sk_buff } from '../core/skbuff.ts';

/** Receives for LLC_SAP_BSPAN. Context: softirq; consumes skb. */
export function stp_pdu_rcv(skb: sk_buff, _dev: net_device): number {
	kfree_skb_reason(skb, SKB_DROP_REASON_NOT_SPECIFIED, 'stp_pdu_rcv');
	return 0;
}
