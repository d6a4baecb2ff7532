/*
 * net/netfilter/nf_conntrack_trace.ts: what conntrack says in a packet's journey (no twin in Linux).
 * Records of kind 'conntrack': event new, found, related, invalid, untracked, confirm, bind, drop; see trace/.
 */
import { HZ } from '../../kernel/time.ts';
import { trace_event } from '../../kernel/trace.ts';
import { IPS_CONFIRMED } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { CTINFO2DIR, IP_CT_DIR_ORIGINAL } from './nf_conntrack_core.ts';
import { tcp_conntrack_names } from './nf_conntrack_proto_tcp.ts';
import { nf_ct_tuple_text } from './nf_conntrack_tuple.ts';

const CTINFO_NAMES = ['ESTABLISHED', 'RELATED', 'NEW', 'ESTABLISHED', 'RELATED'];

/** Says what the packet's entry is. Call only when it is traced. */
export function trace_ct(skb: sk_buff, event: string): void {
	const ct = skb._nfct!;
	const now = skb.machine.jiffies;
	trace_event(skb, 'conntrack', 'nf_conntrack_in', {
		event,
		state: CTINFO_NAMES[skb._nfctinfo],
		dir: CTINFO2DIR(skb._nfctinfo) === IP_CT_DIR_ORIGINAL ? 'original' : 'reply',
		proto: ct.orig.protonum,
		proto_state: ct.tcp !== null ? tcp_conntrack_names[ct.tcp.state] : null,
		orig: nf_ct_tuple_text(ct.orig),
		reply: nf_ct_tuple_text(ct.reply),
		status: ct.status,
		mark: ct.mark,
		zone: ct.zone,
		timeout: Math.max(0, Math.floor(((ct.status & IPS_CONFIRMED) !== 0 ? ct.timeout - now : ct.timeout) / HZ)),
	});
}

/** Says in the packet's journey why it is INVALID. Call only when it is traced. */
export function trace_invalid(skb: sk_buff, why: string): void {
	trace_event(skb, 'conntrack', 'nf_conntrack_in', { event: 'invalid', state: 'INVALID', why });
}
