/*
 * net/netfilter/nf_conntrack_proto_generic.ts: protocols that conntrack knows nothing of.   Linux: net/netfilter/nf_conntrack_proto_generic.c
 * Addresses and protocol make the flow; its only state is whether it has been answered.
 */
import { HZ } from '../../kernel/time.ts';
import { NF_ACCEPT } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import type { nf_conn } from './nf_conntrack_core.ts';
import { nf_ct_refresh_acct } from './nf_conntrack_core.ts';

export class nf_generic_net {
	/** jiffies */
	timeout = 600 * HZ;
}

/** Return: NF_ACCEPT. */
export function nf_conntrack_generic_packet(ct: nf_conn, skb: sk_buff, ctinfo: number): number {
	nf_ct_refresh_acct(ct, ctinfo, skb, ct.net.ct.generic.timeout);
	return NF_ACCEPT;
}
