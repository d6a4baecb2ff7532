/*
 * net/netfilter/nf_conntrack_proto_gre.ts: GRE.                    Linux: net/netfilter/nf_conntrack_proto_gre.c
 * Plain GRE is told apart by its addresses alone. RFC 2784, RFC 2637 4.1 (version 1).
 * Not here yet: PPTP's keymap, which ties the call ids of version 1 together (each direction of version 1 is a flow of its own).
 */
import { HZ } from '../../kernel/time.ts';
import { IPCT_ASSURED, IPS_ASSURED, IPS_SEEN_REPLY } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { NF_ACCEPT } from '../../uapi/linux/netfilter.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import type { nf_conn, nf_conntrack_tuple } from './nf_conntrack_core.ts';
import { nf_conntrack_event_cache, nf_ct_refresh_acct } from './nf_conntrack_core.ts';

export class nf_gre_net {
	/** jiffies: unreplied, replied */
	timeout = 30 * HZ;
	timeout_stream = 180 * HZ;
}

const GRE_VERSION = 0x0007;
const GRE_PPTP_PROTO = 0x880b;

/** Return: false for a version 1 packet that is cut short or no PPP. */
export function gre_pkt_to_tuple(skb: sk_buff, dataoff: number, tuple: nf_conntrack_tuple): boolean {
	tuple.src_u = 0;
	tuple.dst_u = 0;
	if (!pskb_may_pull(skb, dataoff + 4)) return true;
	const b = skb.head;
	const h = skb.data + dataoff;
	if ((b[h + 1] & GRE_VERSION) !== 1) return true;
	if (!pskb_may_pull(skb, dataoff + 8)) return false;
	const at = skb.data + dataoff;
	// The receiver's call id; the sender's is known to a keymap alone.
	tuple.dst_u = (skb.head[at + 6] << 8) | skb.head[at + 7];
	return ((skb.head[at + 2] << 8) | skb.head[at + 3]) === GRE_PPTP_PROTO;
}

/** Return: NF_ACCEPT. */
export function nf_conntrack_gre_packet(ct: nf_conn, skb: sk_buff, ctinfo: number): number {
	const t = ct.net.ct.gre;
	if ((ct.status & IPS_SEEN_REPLY) !== 0) {
		nf_ct_refresh_acct(ct, ctinfo, skb, t.timeout_stream);
		if ((ct.status & IPS_ASSURED) === 0) {
			ct.status |= IPS_ASSURED;
			nf_conntrack_event_cache(IPCT_ASSURED, ct);
		}
	} else {
		nf_ct_refresh_acct(ct, ctinfo, skb, t.timeout);
	}
	return NF_ACCEPT;
}
